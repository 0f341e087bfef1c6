//! The plan of a run (`plan.json`): which units each host is to measure, with which programs, and how long that takes.
//!
//! A plan holds no time stamp, no path and nothing of the machine that made it: the same inventory, programs and options
//! give the same plan, and the same [`PlanRecord::hash`], on every controller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::sha256;
use super::{ArtifactRecord, LeftOutUnit};

/// Version of [`PlanRecord`].
///
/// Changelog:
/// - 1: first version.
/// - 2: data files of the plan's own, external programs.
/// - 3: rounds.
/// - 4: forced shapes.
pub const PLAN_VERSION: u32 = 4;

/// What a run is to measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// [`PLAN_VERSION`] of the writer.
    pub version: u32,
    /// SHA-256 over everything else in here, hexadecimal, see [`PlanRecord::computed_hash`].
    pub hash: String,
    /// Suite id.
    pub suite: String,
    /// Patterns of the kernels that were asked for; empty for all of the suite.
    pub kernels: Vec<String>,
    /// Data files that belong to this plan alone, by their place in the inventory's copy: a suite from elsewhere
    /// (`suites/<id>.yaml`), models of GGUF files (`models/<id>.yaml`), which every unit of a model measures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_files: BTreeMap<String, String>,
    /// Instruction-set variant that every unit is forced to.
    pub variant: Option<String>,
    /// Shape that every unit is forced to whose kernel has several and whose suite names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Time that each host is given, seconds.
    pub budget_s: Option<u64>,
    /// Rounds that were asked for instead of the suite's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Whether every unit is measured as the host is found, and again after it was prepared.
    pub compare_environment: bool,
    /// Hosts that are measured at once at most; `None` for all.
    pub max_parallel: Option<u32>,
    /// SHA-256 over the inventory's files that the run copies, hexadecimal.
    pub inventory_sha256: String,
    /// Board programs by target triple.
    pub artifacts: BTreeMap<String, ArtifactRecord>,
    /// Hosts in fleet order.
    pub hosts: Vec<PlannedHost>,
    /// Time until the last host has ended, seconds, by estimate and with the parallelism above.
    pub estimated_s: u64,
}

/// What one host is to measure. Working sets and placements follow the host's facts when it is measured; the units here
/// are those of a board with as many CPUs as were assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedHost {
    /// Name in the fleet file.
    pub host: String,
    /// Catalogue id of its board, if the fleet file names one.
    pub board: Option<String>,
    /// `local`, `ssh`, `qemu-user` or `replay`.
    pub transport: String,
    /// Whether an emulator runs it.
    pub emulated: bool,
    /// CPUs that were assumed: those of its board, else a number that suits most.
    pub assumed_cpus: u32,
    /// Units in the order they are measured.
    pub units: Vec<PlannedUnit>,
    /// Units that the time budget has no room for.
    pub left_out: Vec<LeftOutUnit>,
    /// Time of sampling, milliseconds, at most about.
    pub sampling_ms: u64,
    /// Time from connecting to the last message, milliseconds, by estimate.
    pub estimated_ms: u64,
    /// What of the host's settings is changed while it is measured.
    pub environment_writes: Vec<EnvironmentWrite>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedUnit {
    /// The unit's identifier.
    pub unit: String,
    /// Times that it is measured, each with the times below.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub rounds: u32,
    /// Name of the kernel.
    pub kernel: String,
    /// Logical CPUs, one pinned thread each.
    pub cpus: Vec<u32>,
    /// Sets of CPUs that the board chooses from; empty for no search.
    pub candidates: Vec<Vec<u32>>,
    /// Logical CPUs whose threads read memory meanwhile.
    pub background_cpus: Vec<u32>,
    /// The unit is given up after this time, milliseconds.
    pub deadline_ms: u64,
    /// No further sample starts after this much measured time, milliseconds.
    pub sampling_ms: u64,
    /// Time with set-up, milliseconds, by estimate.
    pub estimated_ms: u64,
    /// The external program that would be run, with its environment and its arguments; none for a kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub program: Vec<String>,
}

pub(super) fn once() -> u32 {
    1
}

pub(super) fn is_once(rounds: &u32) -> bool {
    *rounds == 1
}

/// One setting of a host that is changed while it is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentWrite {
    /// What is written: a file of the host, a service, a governor.
    pub path: String,
    /// The value it gets.
    pub value: String,
}

impl PlanRecord {
    /// SHA-256 over the plan as JSON with sorted keys and without blanks and its `hash`, hexadecimal. All numbers are
    /// whole: they read back as they were written.
    pub fn computed_hash(&self) -> String {
        let mut document = serde_json::to_value(self).expect("a plan is plain data");
        if let Some(fields) = document.as_object_mut() {
            fields.remove("hash");
        }
        let mut text = String::new();
        write_canonical(&document, &mut text);
        sha256(text.as_bytes())
    }
}

/// Sorts keys itself: whether `serde_json` does depends on a feature that any other crate can switch.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> PlanRecord {
        PlanRecord {
            version: PLAN_VERSION,
            hash: String::new(),
            suite: "quick".into(),
            kernels: Vec::new(),
            own_files: BTreeMap::new(),
            variant: None,
            shape: None,
            budget_s: Some(90),
            rounds: None,
            compare_environment: false,
            max_parallel: None,
            inventory_sha256: "00".into(),
            artifacts: BTreeMap::new(),
            hosts: Vec::new(),
            estimated_s: 3,
        }
    }

    #[test]
    fn the_hash_covers_everything_but_itself() {
        let mut plan = plan();
        let hash = plan.computed_hash();
        plan.hash = hash.clone();
        assert_eq!(plan.computed_hash(), hash);
        let text = serde_json::to_string_pretty(&plan).unwrap();
        let read: PlanRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.computed_hash(), hash);
        plan.estimated_s += 1;
        assert_ne!(plan.computed_hash(), hash);
    }

    #[test]
    fn the_canonical_form_has_sorted_keys_and_no_blanks() {
        let value = serde_json::json!({"b": [1, {"d": null, "c": "a \"b\""}], "a": true});
        let mut text = String::new();
        write_canonical(&value, &mut text);
        assert_eq!(text, r#"{"a":true,"b":[1,{"c":"a \"b\"","d":null}]}"#);
    }
}
