//! What about a host's state would disturb a measurement, in plain words, each with its remedy.
//!
//! Only what the host told is judged: a value it does not tell is no finding.

use std::collections::BTreeMap;

use bench_protocol::Facts;

use bench_locales::Figure::{self, BinaryBytes, ClockHz};
use bench_locales::{Message, message};
use bench_run_dir::format;

use crate::limits::theory;

/// Load average above this means that something else uses a CPU most of the time.
pub const MAX_LOAD: f64 = 0.5;

/// Share of the RAM in use beside the measurement that leaves too little for models.
const MAX_USED_SHARE: f64 = 0.5;

/// Boards begin to lower their clocks between 80 and 85 degrees.
const HOT_MILLICELSIUS: i64 = 75_000;

/// One thing about a host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostProblem {
    /// How much it matters.
    pub weight: Weight,
    /// What was found.
    pub what: Message,
    /// What to do about it, where something can be done.
    pub remedy: Option<Message>,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Figures will be lower or noisier than the hardware allows.
    Problem,
    /// Worth knowing; nothing is wrong.
    Note,
}

impl Weight {
    /// The stable name used in data files.
    pub fn name(self) -> &'static str {
        match self {
            Weight::Problem => "problem",
            Weight::Note => "note",
        }
    }

    /// The word people read.
    pub fn message(self) -> Message {
        match self {
            Weight::Problem => message!("check-problem"),
            Weight::Note => message!("check-note"),
        }
    }
}

/// Everything about a host's state that would disturb a measurement, problems first.
pub fn examine(facts: &Facts) -> Vec<HostProblem> {
    let mut findings = Vec::new();
    findings.extend(governors(facts));
    findings.extend(dram_clock(facts));
    findings.extend(heat(facts));
    findings.extend(firmware_throttling(facts));
    findings.extend(throttling_unknown(facts));
    findings.extend(quota(facts));
    findings.extend(load(facts));
    findings.extend(memory(facts));
    findings.extend(huge_pages(facts));
    if let Some(hypervisor) = &facts.hypervisor {
        findings.push(HostProblem {
            weight: Weight::Note,
            what: message!(
                "check-hypervisor",
                name = format::foreign_short(hypervisor, 60)
            ),
            remedy: None,
        });
    }
    findings.sort_by_key(|finding| finding.weight);
    findings
}

fn problem(what: Message, remedy: Message) -> HostProblem {
    HostProblem {
        weight: Weight::Problem,
        what,
        remedy: Some(remedy),
    }
}

fn governors(facts: &Facts) -> Vec<HostProblem> {
    let mut cpus: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for cpu in &facts.cpus {
        if let Some(governor) = cpu
            .governor
            .as_deref()
            .filter(|name| *name != "performance")
        {
            cpus.entry(governor).or_default().push(cpu.cpu);
        }
    }
    let finding = |(governor, cpus): (&str, Vec<u32>)| {
        problem(
            message!(
                "check-governor",
                governor = format::foreign_short(governor, 30),
                cpus = format::cpu_list(&cpus),
            ),
            Message::quoted(
                "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
            ),
        )
    };
    cpus.into_iter().map(finding).collect()
}

fn dram_clock(facts: &Facts) -> Option<HostProblem> {
    let clock = facts.dram_clock.as_ref()?;
    let max_hz = clock.max_hz.filter(|max_hz| clock.current_hz < *max_hz)?;
    // Under a governor that follows the load an idle board shows a low clock, and that is right.
    if !theory::is_clock_held(clock) {
        return None;
    }
    let folder = clock.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(problem(
        message!(
            "check-dram-clock",
            clock = ClockHz(clock.current_hz),
            highest = ClockHz(max_hz),
        ),
        Message::quoted(format!(
            "echo performance | sudo tee {}/governor",
            format::foreign_short(folder, 120)
        )),
    ))
}

fn heat(facts: &Facts) -> Option<HostProblem> {
    let millicelsius = facts.temperature_millicelsius?;
    (millicelsius >= HOT_MILLICELSIUS).then(|| {
        problem(
            message!(
                "check-heat",
                temperature = Figure::With(millicelsius as f64 / 1000.0, "°C"),
            ),
            message!("check-heat-remedy"),
        )
    })
}

/// Source of the bits: Raspberry Pi documentation, `vcgencmd get_throttled`.
fn firmware_throttling(facts: &Facts) -> Option<HostProblem> {
    let flags = facts.firmware_throttle_flags.filter(|flags| *flags != 0)?;
    let bits = [
        (0, message!("check-voltage-now")),
        (1, message!("check-capped-now")),
        (2, message!("check-throttled-now")),
        (3, message!("check-soft-limit-now")),
        (16, message!("check-voltage")),
        (17, message!("check-capped")),
        (18, message!("check-throttled")),
        (19, message!("check-soft-limit")),
    ];
    let words: Vec<Message> = (bits.into_iter())
        .filter(|(bit, _)| flags & (1 << bit) != 0)
        .map(|(_, words)| words)
        .collect();
    let hex = format!("{flags:#x}");
    Some(problem(
        match words.is_empty() {
            true => message!("check-flags-unknown", flags = hex),
            false => message!("check-flags", words = words, flags = hex),
        },
        message!("check-flags-remedy"),
    ))
}

/// A Raspberry Pi whose kernel does not show the firmware's flags: its clocks look the same when it throttles.
fn throttling_unknown(facts: &Facts) -> Option<HostProblem> {
    let model = facts.device_tree_model.as_deref().unwrap_or_default();
    let is_unknown = model.starts_with("Raspberry Pi") && facts.firmware_throttle_flags.is_none();
    is_unknown.then(|| HostProblem {
        weight: Weight::Note,
        what: message!("check-throttling-unknown"),
        remedy: Some(message!("check-throttling-unknown-remedy")),
    })
}

fn quota(facts: &Facts) -> Option<HostProblem> {
    let millis = facts.cpu_quota_millis?;
    let n_cpus = facts.cpus.len();
    (millis < n_cpus as u64 * 1000).then(|| {
        problem(
            message!(
                "check-quota",
                used = Figure::Number(millis as f64 / 1000.0),
                n_cpus = n_cpus,
            ),
            message!("check-quota-remedy"),
        )
    })
}

fn load(facts: &Facts) -> Option<HostProblem> {
    let load = facts.load_1min.filter(|load| *load > MAX_LOAD)?;
    Some(problem(
        message!("check-load", load = Figure::Number(load)),
        message!("check-load-remedy"),
    ))
}

fn memory(facts: &Facts) -> Vec<HostProblem> {
    let mut findings = Vec::new();
    let memory = &facts.memory;
    if let (Some(total), Some(free)) = (memory.swap_total_bytes, memory.swap_free_bytes)
        && total > free
    {
        findings.push(problem(
            message!("check-swap", used = BinaryBytes(total - free)),
            message!("check-swap-remedy"),
        ));
    }
    // Beside a limit, what the machine has is not what matters.
    let total = match (memory.total_bytes, facts.memory_limit_bytes) {
        (Some(total), Some(limit)) => Some(total.min(limit)),
        (total, limit) => total.or(limit),
    };
    if let (Some(total), Some(limit)) = (memory.total_bytes, facts.memory_limit_bytes)
        && limit < total
    {
        findings.push(problem(
            message!(
                "check-ram-limit",
                limit = BinaryBytes(limit),
                total = BinaryBytes(total),
            ),
            message!("check-ram-limit-remedy"),
        ));
    }
    if let (Some(total), Some(available)) = (total, memory.available_bytes)
        && (available as f64) < total as f64 * (1.0 - MAX_USED_SHARE)
    {
        findings.push(problem(
            message!(
                "check-ram",
                available = BinaryBytes(available),
                total = BinaryBytes(total),
            ),
            message!("check-ram-remedy"),
        ));
    }
    findings
}

fn huge_pages(facts: &Facts) -> Option<HostProblem> {
    let word = facts.transparent_huge_pages.as_deref()?;
    (word == "never").then(|| {
        problem(
            message!("check-huge-pages"),
            Message::quoted("echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"),
        )
    })
}

#[cfg(test)]
mod tests {
    use bench_protocol::{CpuFacts, DramClock, MemoryFacts};

    use super::*;

    fn check(facts: Facts, expect: &[&str]) {
        let findings = examine(&facts);
        let found = findings.iter().map(|finding| finding.what.to_string());
        let found: Vec<String> = found.collect();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, part) in found.iter().zip(expect) {
            assert!(found.contains(part), "{found} lacks {part}");
        }
        let unremedied = findings
            .iter()
            .filter(|finding| finding.weight == Weight::Problem && finding.remedy.is_none());
        assert_eq!(unremedied.count(), 0);
    }

    #[test]
    fn a_host_that_tells_nothing_has_nothing_wrong() {
        check(Facts::default(), &[]);
    }

    #[test]
    fn a_raspberry_pi_that_tells_no_flags_may_throttle() {
        let pi = |flags| Facts {
            device_tree_model: Some("Raspberry Pi 5 Model B Rev 1.0".into()),
            firmware_throttle_flags: flags,
            ..Facts::default()
        };
        check(pi(None), &["unknown whether the firmware throttles"]);
        check(pi(Some(0)), &[]);
    }

    #[test]
    fn limits_of_a_container_are_named() {
        let facts = |limit: u64, available: u64| Facts {
            memory: MemoryFacts {
                total_bytes: Some(8 << 30),
                available_bytes: Some(available),
                ..MemoryFacts::default()
            },
            memory_limit_bytes: Some(limit),
            ..Facts::default()
        };
        check(facts(2 << 30, 2 << 30), &["may use 2 GiB of 8 GiB"]);
        check(facts(16 << 30, 7 << 30), &[]);
    }

    #[test]
    fn every_disturbance_is_named_and_problems_come_first() {
        let cpu = |cpu: u32, governor: &str| CpuFacts {
            cpu,
            governor: Some(governor.into()),
            ..CpuFacts::default()
        };
        let facts = Facts {
            cpus: vec![
                cpu(0, "ondemand"),
                cpu(1, "ondemand"),
                cpu(2, "performance"),
            ],
            dram_clock: Some(DramClock {
                path: "/sys/class/devfreq/dmc/cur_freq".into(),
                current_hz: 528_000_000,
                max_hz: Some(2_112_000_000),
                governor: Some("userspace".into()),
            }),
            temperature_millicelsius: Some(81_500),
            firmware_throttle_flags: Some(0x5_0001),
            load_1min: Some(1.75),
            memory: MemoryFacts {
                total_bytes: Some(8 << 30),
                available_bytes: Some(3 << 30),
                swap_total_bytes: Some(1 << 30),
                swap_free_bytes: Some(1 << 29),
            },
            transparent_huge_pages: Some("never".into()),
            hypervisor: Some("KVM".into()),
            cpu_quota_millis: Some(1500),
            ..Facts::default()
        };
        check(
            facts,
            &[
                "governor `ondemand` on CPUs 0-1",
                "the DRAM is held at 528 MHz, its highest clock is 2.11 GHz",
                "81.5 °C",
                "too low now, the supply voltage was too low since boot and the firmware throttled since boot",
                "1.50 of 3 CPUs",
                "load 1.75",
                "512 MiB of swap",
                "only 3 GiB of 8 GiB of RAM is available",
                "huge pages are off",
                "a virtual machine (KVM)",
            ],
        );
    }
}
