//! The run directory: the only contract between measuring and reporting.
//!
//! ```text
//! <run_id>/
//!   manifest.json                 RunManifest
//!   plan.json                     PlanRecord: what was planned for all hosts, those of other shards included
//!   files.json                    FileList: SHA-256 of every file that is not derived, written when the run ends
//!   inventory/                    copies of every YAML file the run used:
//!     boards/*.yaml models/*.yaml suites/<suite>.yaml fleet.yaml
//!   hosts/<host>/host.json        HostRecord, written when the host ends (or, by a killed controller, never)
//!   hosts/<host>/previous.json    PreviousRun: what the host was in the run before, if there was one
//!   hosts/<host>/request.json     bench_protocol::RunRequest as sent
//!   hosts/<host>/left_out.json    LeftOut, where a time budget left units out
//!   hosts/<host>/stream.jsonl     every line the board sent, byte for byte
//!   hosts/<host>/stderr.txt       what the board program said to people
//!   hosts/<host>/attempts/<sha>/  the same files of attempts that a merge did not choose
//!   imports/index.jsonl           ImportRecord, a line for each file that another program printed
//!   imports/<sha>.<ext>           those files, byte for byte
//!   frames/samples.parquet        one row per sample
//!   frames/units.parquet          one row per unit
//!   frames/imported.parquet       one row per imported figure
//!   html/index.html               the report
//!   summary.md                    the same in short
//! ```

#![forbid(unsafe_code)]

pub mod files;
pub mod format;
pub mod imports;
pub mod merge;
pub mod plan;
pub mod readers;

mod read;
mod stream;

use std::collections::BTreeMap;

use bench_protocol::Facts;
use serde::{Deserialize, Serialize};

pub use read::{
    ExternalOutput, HostData, HostFiles, RoundData, RunData, UnitData, last_facts, read,
    read_host_files,
};
pub use stream::{SettingKey, StreamState, Taken, UnitCounts};

/// Version of the layout above and of the types in this module.
///
/// Changelog:
/// - 1: first version.
/// - 2: plans, shards and merged runs: `plan.json`, `files.json`, `left_out.json`, `attempts/`, and their fields of the
///   manifest. Nothing of version 1 changed.
/// - 3: weights of real files in `models/*.yaml` (`file:`), outputs of external programs in streams (protocol 4). Nothing of
///   version 2 changed.
/// - 4: results of other programs: `imports/`. Nothing of version 3 changed.
/// - 5: rounds: a unit may stand in a request and in a stream several times (protocol 5). Nothing of version 4 changed.
/// - 6: shapes of loops and unrest among samples in streams (protocol 6), a forced shape in the manifest. Nothing of version
///   5 changed.
pub const RUN_DIR_VERSION: u32 = 6;

/// A record of a run directory (every `*.json` in it) with more bytes is not read. The plan of a thousand hosts has a
/// third of it; read, it takes some ten times as much memory.
pub const MAX_RECORD_BYTES: u64 = 32 << 20;

/// Bytes of a line of a stream. A longer one is not a message; it is kept in pieces of this size.
pub const MAX_LINE_BYTES: u64 = 1 << 20;

/// Of a stream only so many bytes are read, and a merge takes no larger file. The streams of a full suite have a few
/// megabytes; read, they take three times as much memory.
pub const MAX_STREAM_BYTES: u64 = 128 << 20;

/// What was run, with what, when (`manifest.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// [`RUN_DIR_VERSION`] of the writer.
    pub version: u32,
    /// Name of the run and of its directory, for instance `2026-01-31T22-15-04Z-3f9c`.
    pub run_id: String,
    /// Start of the run, RFC 3339, UTC.
    pub started_at: String,
    /// End of the run, RFC 3339, UTC; `None` while it runs or when the controller was killed.
    pub finished_at: Option<String>,
    /// Command line of the controller, without the program's path.
    pub command: Vec<String>,
    /// Suite id.
    pub suite: String,
    /// Patterns of the kernels that were asked for; empty for all of the suite.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// Ids of models that were made from GGUF files: they took the place of the suite's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_models: Vec<String>,
    /// Instruction-set variant that every unit was forced to.
    #[serde(default)]
    pub variant: Option<String>,
    /// Shape that every unit was forced to whose kernel has several and whose suite names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Git revision of the controller's source, if it is a checkout.
    pub git_revision: Option<String>,
    /// Whether that checkout had changes.
    pub git_dirty: Option<bool>,
    /// `rustc --version` that compiled the board programs.
    pub rustc: Option<String>,
    /// Board programs by target triple.
    pub artifacts: BTreeMap<String, ArtifactRecord>,
    /// Hosts of the run in fleet order.
    pub hosts: Vec<String>,
    /// Version of memwall.
    pub memwall_version: String,
    /// Whether the run was interrupted by a signal.
    pub interrupted: bool,
    /// Whether every unit was measured before and after its host was prepared.
    #[serde(default)]
    pub compare_environment: bool,
    /// Rounds that were asked for instead of the suite's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// When it was resumed, RFC 3339, UTC.
    #[serde(default)]
    pub resumed_at: Vec<String>,
    /// Hash of the plan of all hosts, see [`plan::PlanRecord::hash`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Hosts of the plan in fleet order, those that other shards measure included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned_hosts: Vec<String>,
    /// Which part of the plan this run measures; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Time that each host was given, seconds; `None` for as long as its units take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_s: Option<u64>,
    /// Manifests of the runs that a merged run was made of, sorted; empty for a run that was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RunManifest>,
}

/// One of the parts that the hosts of a plan are spread over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    /// Number of the shard, from 1.
    pub index: u32,
    /// Number of all shards.
    pub n_shards: u32,
}

impl Shard {
    /// More shards than a workflow's matrix may have jobs.
    pub const MAX: u32 = 256;

    /// Whether such a part exists: a manifest may name any.
    pub fn is_possible(self) -> bool {
        (1..=self.n_shards).contains(&self.index) && self.n_shards <= Shard::MAX
    }
}

/// Units that were not measured because the time budget had no room for them (`hosts/<host>/left_out.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Time the host was given, seconds.
    pub budget_s: u64,
    /// The units, the most valuable first.
    pub units: Vec<LeftOutUnit>,
}

/// One unit that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOutUnit {
    /// The unit's identifier.
    pub unit: String,
    /// Name of its kernel.
    pub kernel: String,
    /// Rounds of it that were measured all the same.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_measured: u32,
    /// Rounds that were left out.
    #[serde(default = "plan::once", skip_serializing_if = "plan::is_once")]
    pub n_rounds: u32,
    /// Time they would have taken by estimate, milliseconds.
    pub estimated_ms: u64,
}

impl LeftOutUnit {
    /// Its name, and which part of it was left out where that is not all.
    pub fn name(&self) -> String {
        let unit = crate::format::foreign_short(&self.unit, 80);
        match self.n_measured {
            0 => unit,
            n => format!(
                "{unit} ({} of {} rounds)",
                self.n_rounds,
                n.saturating_add(self.n_rounds)
            ),
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A board program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Bytes of the file.
    pub size_bytes: u64,
}

/// What became of one host (`hosts/<host>/host.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Name in the fleet file.
    pub host: String,
    /// Catalogue id of its board, if the fleet file names one.
    pub board: Option<String>,
    /// `local`, `ssh`, `qemu-user` or `replay`.
    pub transport: String,
    /// Whether an emulator ran it: function only, never compared.
    pub emulated: bool,
    /// How it ended.
    pub status: HostStatus,
    /// Stage in which it failed or was skipped.
    pub stage: Option<Stage>,
    /// Cause, and the remedy where there is one; `None` when all is well.
    pub reason: Option<String>,
    /// Last lines of the standard error of what failed (ssh, the board program).
    pub stderr_tail: Vec<String>,
    /// Lines of the stream that are no messages.
    pub n_garbage_lines: u32,
    /// Whether the stream ended with its `done` record.
    pub complete: bool,
    /// SHA-256 of the program that ran, hexadecimal.
    pub artifact_sha256: Option<String>,
    /// Seconds spent in each stage.
    pub stage_s: BTreeMap<String, f64>,
    /// Settings of the board that are not known to be put back as they were.
    #[serde(default)]
    pub unrestored: Vec<String>,
}

/// What a host was in the run before (`hosts/<host>/previous.json`): copied, so that a report needs no other run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousRun {
    /// Name of that run.
    pub run_id: String,
    /// What the host told then.
    pub facts: Facts,
}

/// How a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// Complete stream; single units may still have failed.
    Ok,
    /// Not measured for a reason that is no fault (for instance no emulator installed).
    Skipped,
    /// Never reached.
    Unreachable,
    /// Reached, but the stream is incomplete.
    Failed,
    /// The run was interrupted before this host ended.
    Interrupted,
}

/// The steps a host goes through, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Resolving what to do.
    Plan,
    /// Opening the connection.
    Connect,
    /// Finding out the architecture.
    Probe,
    /// Uploading the board program.
    Deploy,
    /// Asking for facts.
    Facts,
    /// Measuring.
    Measure,
    /// Writing results.
    Collect,
    /// Putting the board back as it was.
    Restore,
}

impl HostStatus {
    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            HostStatus::Ok => "ok",
            HostStatus::Skipped => "skipped",
            HostStatus::Unreachable => "unreachable",
            HostStatus::Failed => "failed",
            HostStatus::Interrupted => "interrupted",
        }
    }
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 8] = [
        Stage::Plan,
        Stage::Connect,
        Stage::Probe,
        Stage::Deploy,
        Stage::Facts,
        Stage::Measure,
        Stage::Collect,
        Stage::Restore,
    ];

    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Plan => "plan",
            Stage::Connect => "connect",
            Stage::Probe => "probe",
            Stage::Deploy => "deploy",
            Stage::Facts => "facts",
            Stage::Measure => "measure",
            Stage::Collect => "collect",
            Stage::Restore => "restore",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_version_1_are_read() {
        let text = r#"{"version":1,"run_id":"2026-01-31T22-15-04Z-3f9c","started_at":"2026-01-31T22:15:04Z",
            "finished_at":null,"command":["run"],"suite":"quick","git_revision":null,"git_dirty":null,"rustc":null,
            "artifacts":{},"hosts":["shelf"],"memwall_version":"0.1.0","interrupted":true}"#;
        let manifest: RunManifest = serde_json::from_str(text).unwrap();
        let expect = RunManifest {
            version: 1,
            run_id: "2026-01-31T22-15-04Z-3f9c".into(),
            started_at: "2026-01-31T22:15:04Z".into(),
            command: vec!["run".into()],
            suite: "quick".into(),
            hosts: vec!["shelf".into()],
            memwall_version: "0.1.0".into(),
            interrupted: true,
            ..RunManifest::default()
        };
        assert_eq!(manifest, expect);
    }
}
