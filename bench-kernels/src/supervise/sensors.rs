//! Clocks, temperature, power and the counters of the kernel. What cannot be read is absent, never 0.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bench_protocol::{Reading, UnitSpec, UnitState};

use crate::facts::{self, Limits};
use crate::state::{StateFiles, directories};

/// The files of all sensors, found once.
pub struct Sensors {
    root: PathBuf,
    clocks: Vec<(u32, PathBuf)>,
    dram_clock: Option<PathBuf>,
    temperature: StateFiles,
    power: Vec<PowerSensor>,
    energy: Vec<EnergyCounter>,
    limits: Limits,
}

/// A sensor of power: one file in microwatts, or a voltage in millivolts and a current in milliamperes.
struct PowerSensor {
    name: String,
    watts: Option<PathBuf>,
    volts_and_amperes: Option<(PathBuf, PathBuf)>,
}

/// A counter of energy that begins again at its range.
struct EnergyCounter {
    name: String,
    path: PathBuf,
    range_microjoules: u64,
}

/// Counters of the kernel at the start of a unit.
pub struct Counters {
    started: Instant,
    busy_ms: Option<u64>,
    own_ms: u64,
    vmstat: BTreeMap<String, u64>,
    throttle_events: Option<u64>,
    firmware_throttle_flags: Option<u32>,
    quota_throttled: Option<u64>,
    energy: Vec<Option<u64>>,
}

impl Sensors {
    /// Those in the file system under `root`, for these CPUs.
    pub fn find(root: &Path, cpus: &[u32]) -> Sensors {
        let clock = |cpu: &u32| {
            let path = root.join(format!(
                "sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"
            ));
            path.exists().then_some((*cpu, path))
        };
        Sensors {
            root: root.to_path_buf(),
            clocks: cpus.iter().filter_map(clock).collect(),
            dram_clock: facts::dram_clock().map(|clock| PathBuf::from(clock.path)),
            temperature: StateFiles::find(root, &[]),
            power: power_sensors(&root.join("sys/class/hwmon")),
            energy: energy_counters(&root.join("sys/class/powercap")),
            limits: Limits::find(root),
        }
    }

    /// All sensors now.
    pub fn read(&self, unit: &UnitSpec, since_start_ms: u64) -> Reading {
        let clock = |(cpu, path): &(u32, PathBuf)| Some((*cpu, number(path)?));
        let power = |sensor: &PowerSensor| Some((sensor.name.clone(), sensor.microwatts()?));
        Reading {
            unit: unit.unit.clone(),
            round: unit.round,
            since_start_ms,
            cpu_khz: self.clocks.iter().filter_map(clock).collect(),
            dram_hz: self.dram_clock.as_ref().and_then(|path| number(path)),
            temperature_millicelsius: self.temperature.read().temperature_millicelsius,
            power_microwatts: self.power.iter().filter_map(power).collect(),
        }
    }

    /// The counters now, to be compared with later.
    pub fn counters(&self) -> Counters {
        Counters {
            started: Instant::now(),
            busy_ms: busy_ms(&self.root.join("proc/stat")),
            own_ms: own_cpu_ms(),
            vmstat: vmstat(&self.root.join("proc/vmstat")),
            throttle_events: throttle_events(&self.root.join("sys/devices/system/cpu")),
            firmware_throttle_flags: facts::firmware_throttle_flags(&self.root),
            quota_throttled: self.limits.n_throttled(),
            energy: self
                .energy
                .iter()
                .map(|counter| number(&counter.path))
                .collect(),
        }
    }

    /// What happened since `before`. The unit's processes have to be waited for by now: their CPU time counts as its own.
    pub fn since(&self, before: &Counters, unit: &UnitSpec) -> UnitState {
        let now = self.counters();
        let own_ms = now.own_ms.saturating_sub(before.own_ms);
        let gained = |key: &str| {
            Some(
                now.vmstat
                    .get(key)?
                    .saturating_sub(*before.vmstat.get(key)?),
            )
        };
        let other =
            |(busy, earlier): (u64, u64)| busy.saturating_sub(earlier).saturating_sub(own_ms);
        let energy = self
            .energy
            .iter()
            .zip(before.energy.iter().zip(&now.energy));
        let energy = energy.filter_map(|(counter, (before, after))| {
            Some((counter.name.clone(), counter.spent((*before)?, (*after)?)))
        });
        UnitState {
            unit: unit.unit.clone(),
            round: unit.round,
            environment: unit.environment,
            elapsed_ms: before.started.elapsed().as_millis() as u64,
            other_cpu_ms: now.busy_ms.zip(before.busy_ms).map(other),
            swapped_in_pages: gained("pswpin"),
            swapped_out_pages: gained("pswpout"),
            throttle_events: (now.throttle_events.zip(before.throttle_events))
                .map(|(after, before)| after.saturating_sub(before)),
            firmware_throttle_flags: now.firmware_throttle_flags,
            firmware_throttle_flags_before: before.firmware_throttle_flags,
            quota_throttled: (now.quota_throttled.zip(before.quota_throttled))
                .map(|(after, before)| after.saturating_sub(before)),
            cooling_state: cooling_state(&self.root.join("sys/class/thermal")),
            energy_microjoules: energy.collect(),
        }
    }

    /// Whether the kernel ended a process since `before` because memory ran out.
    pub fn ran_out_of_memory(&self, before: &Counters) -> bool {
        let kills = |vmstat: &BTreeMap<String, u64>| vmstat.get("oom_kill").copied();
        kills(&vmstat(&self.root.join("proc/vmstat"))) > kills(&before.vmstat)
    }
}

impl PowerSensor {
    fn microwatts(&self) -> Option<u64> {
        match (&self.watts, &self.volts_and_amperes) {
            (Some(path), _) => number(path),
            // Millivolts times milliamperes are microwatts.
            (None, Some((volts, amperes))) => number(volts)?.checked_mul(number(amperes)?),
            (None, None) => None,
        }
    }
}

impl EnergyCounter {
    fn spent(&self, before: u64, after: u64) -> u64 {
        match after.checked_sub(before) {
            Some(spent) => spent,
            None => after.saturating_add(self.range_microjoules.saturating_sub(before)),
        }
    }
}

/// Power sensors of all hardware monitors: those that tell watts, and the channels of an INA3221 (Jetson).
fn power_sensors(class: &Path) -> Vec<PowerSensor> {
    let mut sensors = Vec::new();
    for monitor in directories(class, "hwmon") {
        let chip = text(&monitor.join("name")).unwrap_or_default();
        for path in directories(&monitor, "power") {
            let file = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some(channel) = file.strip_suffix("_input") {
                let label = text(&monitor.join(format!("{channel}_label")));
                sensors.push(PowerSensor {
                    name: format!("{chip} {}", label.as_deref().unwrap_or(channel)),
                    watts: Some(path),
                    volts_and_amperes: None,
                });
            }
        }
        for channel in 1..=3 {
            let (volts, amperes) = (
                monitor.join(format!("in{channel}_input")),
                monitor.join(format!("curr{channel}_input")),
            );
            if chip == "ina3221" && volts.exists() && amperes.exists() {
                let label = text(&monitor.join(format!("in{channel}_label")));
                sensors.push(PowerSensor {
                    name: label.unwrap_or_else(|| format!("ina3221 channel {channel}")),
                    watts: None,
                    volts_and_amperes: Some((volts, amperes)),
                });
            }
        }
    }
    sensors
}

/// The packages' and their memory's energy counters (RAPL).
fn energy_counters(class: &Path) -> Vec<EnergyCounter> {
    let counter = |zone: PathBuf| {
        Some(EnergyCounter {
            name: text(&zone.join("name"))?,
            range_microjoules: number(&zone.join("max_energy_range_uj"))?,
            path: zone.join("energy_uj"),
        })
    };
    directories(class, "intel-rapl:")
        .into_iter()
        .filter_map(counter)
        .collect()
}

/// CPU time of everything that ran on any CPU since boot, milliseconds; time that a hypervisor gave to others counts.
fn busy_ms(stat: &Path) -> Option<u64> {
    let text = fs::read_to_string(stat).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let busy: u64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&at| ticks.get(at))
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(busy * 1000 / Some(per_second).filter(|n| *n > 0)?)
}

/// CPU time of this process and of all its children that were waited for, milliseconds.
fn own_cpu_ms() -> u64 {
    let of = |who| {
        // SAFETY: `rusage` is plain data, for which all zeroes is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is valid for writes of its own type.
        unsafe { libc::getrusage(who, &mut usage) };
        let ms = |time: libc::timeval| time.tv_sec as u64 * 1000 + time.tv_usec as u64 / 1000;
        ms(usage.ru_utime) + ms(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

fn vmstat(path: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let wanted = pairs.filter(|(key, _)| ["pswpin", "pswpout", "oom_kill"].contains(key));
    wanted
        .filter_map(|(key, value)| Some((key.to_string(), value.trim().parse().ok()?)))
        .collect()
}

fn throttle_events(cpus: &Path) -> Option<u64> {
    let counts = directories(cpus, "cpu").into_iter().flat_map(|cpu| {
        let folder = cpu.join("thermal_throttle");
        [
            folder.join("core_throttle_count"),
            folder.join("package_throttle_count"),
        ]
    });
    let counts: Vec<u64> = counts.filter_map(|path| number(&path)).collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// Sum of the states of the cooling devices that slow processors or memory down.
fn cooling_state(thermal: &Path) -> Option<u64> {
    let slows_down = |device: &PathBuf| {
        let kind = text(&device.join("type"))
            .unwrap_or_default()
            .to_lowercase();
        ["cpufreq", "processor", "devfreq"]
            .iter()
            .any(|word| kind.contains(word))
    };
    let devices = directories(thermal, "cooling_device")
        .into_iter()
        .filter(slows_down);
    let states: Vec<u64> = devices
        .filter_map(|device| number(&device.join("cur_state")))
        .collect();
    (!states.is_empty()).then(|| states.iter().sum())
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_string())
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THROTTLED: &str =
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn unit() -> UnitSpec {
        let unit = r#"{"unit":"unit","kernel":"read","variant":null,"cpus":[],"job":{"peak":{}},
            "sampling":{"min_samples":1,"max_samples":1,"budget_ms":1},"deadline_ms":1}"#;
        serde_json::from_str(unit).unwrap()
    }

    #[test]
    fn reads_power_as_watts_and_as_volts_times_amperes() {
        let root = root(&[
            ("sys/class/hwmon/hwmon0/name", "board\n"),
            ("sys/class/hwmon/hwmon0/power1_input", "1500000\n"),
            ("sys/class/hwmon/hwmon1/name", "ina3221\n"),
            ("sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n"),
            ("sys/class/hwmon/hwmon1/in1_input", "5000\n"),
            ("sys/class/hwmon/hwmon1/curr1_input", "1200\n"),
            ("sys/class/hwmon/hwmon1/in2_input", "5000\n"),
        ]);
        let power = Sensors::find(root.path(), &[])
            .read(&unit(), 0)
            .power_microwatts;
        let expect = [("VDD_IN", 6_000_000), ("board power1", 1_500_000)];
        assert_eq!(
            power,
            expect.map(|(name, value)| (name.to_string(), value)).into()
        );
    }

    #[test]
    fn tells_what_happened_between_two_looks() {
        let root = root(&[
            ("proc/stat", "cpu  100 0 50 1000 5 0 0 0 0 0\n"),
            (
                "proc/vmstat",
                "nr_free_pages 7\npswpin 10\npswpout 3\noom_kill 0\n",
            ),
            ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
            (
                "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
                "1000\n",
            ),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "900\n"),
            (
                "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
                "4\n",
            ),
            ("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n"),
            ("sys/class/thermal/cooling_device0/cur_state", "2\n"),
            ("sys/class/thermal/cooling_device1/type", "pwm-fan\n"),
            ("sys/class/thermal/cooling_device1/cur_state", "3\n"),
            (THROTTLED, "10000\n"),
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/cpu.stat", "nr_throttled 5\n"),
        ]);
        let sensors = Sensors::find(root.path(), &[]);
        let before = sensors.counters();
        let write = |path: &str, text: &str| fs::write(root.path().join(path), text).unwrap();
        write("proc/stat", "cpu  100000 0 50 1000 5 0 0 0 0 0\n");
        write("proc/vmstat", "pswpin 10\npswpout 9\noom_kill 1\n");
        write("sys/class/powercap/intel-rapl:0/energy_uj", "100\n");
        write(
            "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
            "5\n",
        );
        write(THROTTLED, "50000\n");
        write("sys/fs/cgroup/cpu.stat", "nr_throttled 74\n");
        let state = sensors.since(&before, &unit());
        assert_eq!(state.firmware_throttle_flags_before, Some(0x1_0000));
        assert_eq!(state.firmware_throttle_flags, Some(0x5_0000));
        assert_eq!(state.quota_throttled, Some(69));
        assert_eq!(
            (state.swapped_in_pages, state.swapped_out_pages),
            (Some(0), Some(6))
        );
        assert_eq!(state.throttle_events, Some(1));
        assert_eq!(state.cooling_state, Some(2));
        assert_eq!(state.energy_microjoules["package-0"], 200);
        assert!(state.other_cpu_ms.is_some_and(|ms| ms > 900_000));
        assert!(sensors.ran_out_of_memory(&before));
    }

    #[test]
    fn what_is_not_there_is_absent() {
        let root = root(&[]);
        let sensors = Sensors::find(root.path(), &[0, 1]);
        let state = sensors.since(&sensors.counters(), &unit());
        assert_eq!(
            (
                state.other_cpu_ms,
                state.swapped_in_pages,
                state.throttle_events
            ),
            (None, None, None)
        );
        assert!(state.energy_microjoules.is_empty() && state.cooling_state.is_none());
        assert!(sensors.read(&unit(), 0).power_microwatts.is_empty());
    }
}
