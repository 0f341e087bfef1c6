//! The state of a board: what is asked of it before measuring, what was changed and put back, and what sensors said.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::is_first;

/// What is changed on a board while it measures. Everything is put back afterwards but the page cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// cpufreq governor of all CPUs.
    #[serde(default)]
    pub governor: Option<String>,
    /// devfreq governor of the memory controller.
    #[serde(default)]
    pub dram_governor: Option<String>,
    /// Jetson power mode by its name; the numbers differ between modules.
    #[serde(default)]
    pub power_mode: Option<String>,
    /// Files of `/sys` or `/proc` and the values they get, for instance `/proc/sys/vm/swappiness`.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// systemd units that are stopped.
    #[serde(default)]
    pub stop_services: Vec<String>,
    /// CPUs that all other processes are confined to; empty leaves them alone.
    #[serde(default)]
    pub confine_others_to: Vec<u32>,
    /// Whether clean page cache is given back first.
    #[serde(default)]
    pub drop_caches: bool,
}

/// One thing that [`Prepare`] asks for, before it is known which settings of the board it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepareStep<'a> {
    /// The power mode of a Jetson, by name.
    PowerMode(&'a str),
    /// cpufreq governor of all CPUs.
    CpuGovernor(&'a str),
    /// devfreq governor of the memory controller.
    DramGovernor(&'a str),
    /// A file of `/sys` or `/proc` gets a value.
    File {
        /// Its path.
        path: &'a str,
        /// What is written.
        value: &'a str,
    },
    /// A systemd unit is stopped.
    StopService(&'a str),
    /// All other processes are confined to these CPUs.
    ConfineOthers(&'a [u32]),
    /// Clean page cache is given back.
    DropCaches,
}

impl Prepare {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Prepare::default()
    }

    /// What it asks for, in the order in which it is done. A power mode comes first: it brings its own clocks.
    pub fn steps(&self) -> Vec<PrepareStep<'_>> {
        let mut steps = Vec::new();
        steps.extend(self.power_mode.as_deref().map(PrepareStep::PowerMode));
        steps.extend(self.governor.as_deref().map(PrepareStep::CpuGovernor));
        steps.extend(self.dram_governor.as_deref().map(PrepareStep::DramGovernor));
        let files = self.settings.iter();
        steps.extend(files.map(|(path, value)| PrepareStep::File { path, value }));
        let services = self.stop_services.iter();
        steps.extend(services.map(|name| PrepareStep::StopService(name)));
        if !self.confine_others_to.is_empty() {
            steps.push(PrepareStep::ConfineOthers(&self.confine_others_to));
        }
        if self.drop_caches {
            steps.push(PrepareStep::DropCaches);
        }
        steps
    }
}

/// Something about a board that can be read, changed and put back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// A file of `/sys` or `/proc`; in a choice like `a [b] c` the bracketed word is its value.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// A systemd unit: `active` or `inactive`.
    Service {
        /// Its name.
        name: String,
    },
    /// The power mode of a Jetson, by name.
    PowerMode,
    /// CPUs that all other processes may use, as a list like `0,1`.
    OtherProcesses,
    /// Clean page cache: can be given back, not taken again.
    PageCache {
        /// The kernel's file for it.
        path: PathBuf,
    },
}

impl Setting {
    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Setting::File { path } => path.display().to_string(),
            Setting::Service { name } => format!("service {name}"),
            Setting::PowerMode => "power mode".to_string(),
            Setting::OtherProcesses => "CPUs of other processes".to_string(),
            Setting::PageCache { .. } => "page cache".to_string(),
        }
    }
}

/// State of the board that a unit is measured in.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Nothing was changed.
    #[default]
    AsFound,
    /// After [`Prepare`].
    Prepared,
}

impl Environment {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Environment::AsFound => "as_found",
            Environment::Prepared => "prepared",
        }
    }
}

/// One setting of the board that was changed or put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentStep {
    /// Which way.
    pub action: EnvironmentAction,
    /// What it is, for people: the path of a file for instance.
    pub setting: String,
    /// Which setting it is; `None` where the step is about none, and from programs that did not tell yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Setting>,
    /// Value before this step.
    pub before: Option<String>,
    /// Value that was asked for.
    pub wanted: String,
    /// Value read back after it; `None` where nothing can be read back.
    pub after: Option<String>,
    /// Why it did not work, and what to do; `None` when it did.
    pub problem: Option<String>,
}

/// Direction of an [`EnvironmentStep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentAction {
    /// Changed for measuring.
    Prepare,
    /// Put back as it was.
    Restore,
}

/// Something that the board's supervisor saw or did, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// One sentence.
    pub text: String,
}

/// Sensors while a unit runs. What cannot be read is absent, never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The unit that ran.
    pub unit: String,
    /// Round of the unit, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// Time since the unit began. Milliseconds.
    pub since_start_ms: u64,
    /// Clock of every CPU that tells it, kHz.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cpu_khz: BTreeMap<u32, u64>,
    /// DRAM clock, Hz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dram_hz: Option<u64>,
    /// Highest temperature of all thermal zones, thousandths of a degree Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_millicelsius: Option<i64>,
    /// Power by sensor, microwatts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub power_microwatts: BTreeMap<String, u64>,
}

/// What happened on the board while a unit ran, by counters of its kernel. `None` where there is no such counter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// The unit.
    pub unit: String,
    /// Round of the unit, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// State it was measured in.
    #[serde(default)]
    pub environment: Environment,
    /// Wall time from its start to its end, set-up and check included. Milliseconds.
    pub elapsed_ms: u64,
    /// CPU time of everything else on the board, milliseconds summed over CPUs.
    pub other_cpu_ms: Option<u64>,
    /// Pages read from swap.
    pub swapped_in_pages: Option<u64>,
    /// Pages written to swap.
    pub swapped_out_pages: Option<u64>,
    /// Throttling events that CPUs counted (x86).
    pub throttle_events: Option<u64>,
    /// Throttle flags of a Raspberry Pi's firmware at the end; the low half is the present, the high half the past.
    pub firmware_throttle_flags: Option<u32>,
    /// The same when it began: what is new in the high half happened meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_throttle_flags_before: Option<u32>,
    /// How often a CPU quota of a control group stopped its processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_throttled: Option<u64>,
    /// Sum of the states of the processors' cooling devices at the end; above 0 the kernel holds clocks back for heat.
    pub cooling_state: Option<u64>,
    /// Energy by sensor, microjoules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub energy_microjoules: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_the_order_in_which_they_are_done() {
        let prepare: Prepare = serde_json::from_str(
            r#"{"drop_caches": true, "confine_others_to": [0, 1], "stop_services": ["cron"], "settings": {"/proc/sys/a": "1"},
                "dram_governor": "performance", "governor": "performance", "power_mode": "MAXN"}"#,
        )
        .unwrap();
        assert_eq!(
            prepare.steps(),
            [
                PrepareStep::PowerMode("MAXN"),
                PrepareStep::CpuGovernor("performance"),
                PrepareStep::DramGovernor("performance"),
                PrepareStep::File {
                    path: "/proc/sys/a",
                    value: "1"
                },
                PrepareStep::StopService("cron"),
                PrepareStep::ConfineOthers(&[0, 1]),
                PrepareStep::DropCaches,
            ]
        );
        assert!(Prepare::default().steps().is_empty());
    }
}
