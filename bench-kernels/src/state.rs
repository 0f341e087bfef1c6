//! Clocks and temperature when a sample ended, from the files of the kernel. What cannot be read is absent, never 0.

use std::fs;
use std::path::{Path, PathBuf};

use bench_protocol::SampleState;

/// Sensors of the CPU itself among the hardware monitors.
const CPU_MONITORS: [&str; 3] = ["coretemp", "k10temp", "cpu_thermal"];

/// Below absolute zero a sensor reports that it is off.
const ABSOLUTE_ZERO_MILLICELSIUS: i64 = -273_150;

/// The files that tell the state of some CPUs, found once: looking for them takes longer than reading them.
pub struct StateFiles {
    clocks: Vec<PathBuf>,
    temperatures: Vec<PathBuf>,
}

impl StateFiles {
    /// Those of `cpus` in the file system under `root`.
    pub fn find(root: &Path, cpus: &[u32]) -> StateFiles {
        let clock = |cpu: &u32| {
            let cpu_dir = root.join(format!("sys/devices/system/cpu/cpu{cpu}"));
            cpu_dir.join("cpufreq/scaling_cur_freq")
        };
        let zones = directories(&root.join("sys/class/thermal"), "thermal_zone");
        let zones: Vec<PathBuf> = zones.into_iter().map(|zone| zone.join("temp")).collect();
        let has_zone = zones.iter().any(|zone| temperature(zone).is_some());
        StateFiles {
            clocks: cpus.iter().map(clock).collect(),
            temperatures: match has_zone {
                true => zones,
                false => monitors(&root.join("sys/class/hwmon")),
            },
        }
    }

    /// The state now.
    pub fn read(&self) -> SampleState {
        let clock = |path: &PathBuf| number(path).and_then(|khz| u64::try_from(khz).ok());
        SampleState {
            since_start_ns: 0,
            cpu_khz: self.clocks.iter().filter_map(clock).collect(),
            temperature_millicelsius: self
                .temperatures
                .iter()
                .filter_map(|path| temperature(path))
                .max(),
        }
    }
}

/// Temperature inputs of the monitors that belong to a CPU.
fn monitors(class: &Path) -> Vec<PathBuf> {
    let is_of_a_cpu = |monitor: &PathBuf| {
        let name = fs::read_to_string(monitor.join("name")).unwrap_or_default();
        CPU_MONITORS.contains(&name.trim())
    };
    let is_input = |path: &PathBuf| path.to_string_lossy().ends_with("_input");
    directories(class, "hwmon")
        .into_iter()
        .filter(is_of_a_cpu)
        .flat_map(|monitor| directories(&monitor, "temp"))
        .filter(is_input)
        .collect()
}

/// What lies in a folder under a name that begins with `prefix`, in order.
pub fn directories(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn number(path: &Path) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn temperature(path: &Path) -> Option<i64> {
    number(path).filter(|&millicelsius| millicelsius >= ABSOLUTE_ZERO_MILLICELSIUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(files: &[(&str, &str)], cpus: &[u32]) -> SampleState {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("sys").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        StateFiles::find(root.path(), cpus).read()
    }

    const CLOCK_0: &str = "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq";
    const CLOCK_5: &str = "devices/system/cpu/cpu5/cpufreq/scaling_cur_freq";

    #[test]
    fn reads_the_clocks_of_the_cpus_in_their_order() {
        let clocks = [(CLOCK_0, "1800000\n"), (CLOCK_5, "2400000\n")];
        assert_eq!(state(&clocks, &[5, 0]).cpu_khz, [2_400_000, 1_800_000]);
        assert_eq!(state(&clocks, &[0, 1, 5]).cpu_khz, [1_800_000, 2_400_000]);
    }

    #[test]
    fn takes_the_highest_temperature_of_all_zones() {
        let zones = [
            ("class/thermal/thermal_zone0/temp", "45100\n"),
            ("class/thermal/thermal_zone1/temp", "-274000\n"),
            ("class/thermal/thermal_zone2/temp", "61500\n"),
            ("class/thermal/cooling_device0/temp", "99000\n"),
            ("class/hwmon/hwmon0/name", "coretemp\n"),
            ("class/hwmon/hwmon0/temp1_input", "70000\n"),
        ];
        assert_eq!(state(&zones, &[]).temperature_millicelsius, Some(61_500));
    }

    #[test]
    fn takes_the_monitor_of_the_cpu_where_there_is_no_zone() {
        let monitors = [
            ("class/thermal/thermal_zone0/temp", ""),
            ("class/hwmon/hwmon0/name", "nvme\n"),
            ("class/hwmon/hwmon0/temp1_input", "80000\n"),
            ("class/hwmon/hwmon1/name", "coretemp\n"),
            ("class/hwmon/hwmon1/temp1_input", "52000\n"),
            ("class/hwmon/hwmon1/temp1_max", "100000\n"),
            ("class/hwmon/hwmon1/temp2_input", "53000\n"),
        ];
        assert_eq!(state(&monitors, &[]).temperature_millicelsius, Some(53_000));
    }

    #[test]
    fn leaves_out_what_cannot_be_read() {
        assert_eq!(state(&[], &[0, 1]), SampleState::default());
        let odd = [
            (CLOCK_0, "<unknown>\n"),
            ("class/thermal/thermal_zone0/temp", "hot"),
        ];
        assert_eq!(state(&odd, &[0]), SampleState::default());
    }
}
