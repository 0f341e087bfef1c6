//! How units and hosts ended.

use bench_locales::{Message, message};
use bench_protocol::UnitStatus;
use bench_run_dir::{HostStatus, Stage};

/// How a unit ended, by its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitStatusKind {
    /// All samples taken.
    Ok,
    /// Not possible on this board.
    Skipped,
    /// Something went wrong.
    Failed,
    /// The stream ended in the middle of it.
    Truncated,
    /// The stream ended before it.
    NotStarted,
}

impl UnitStatusKind {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            UnitStatusKind::Ok => UnitStatus::Ok.name(),
            UnitStatusKind::Skipped => UnitStatus::Skipped.name(),
            UnitStatusKind::Failed => UnitStatus::Failed.name(),
            UnitStatusKind::Truncated => "truncated",
            UnitStatusKind::NotStarted => "not_started",
        }
    }

    /// The words that people read.
    pub fn message(self) -> Message {
        match self {
            UnitStatusKind::Ok => message!("status-ok"),
            UnitStatusKind::Skipped => message!("status-skipped"),
            UnitStatusKind::Failed => message!("status-failed"),
            UnitStatusKind::Truncated => message!("status-truncated"),
            UnitStatusKind::NotStarted => message!("status-not-started"),
        }
    }
}

/// How a host ended, in the words that people read.
pub fn of_host(status: HostStatus) -> Message {
    match status {
        HostStatus::Ok => message!("status-ok"),
        HostStatus::Skipped => message!("status-skipped"),
        HostStatus::Unreachable => message!("status-unreachable"),
        HostStatus::Failed => message!("status-failed"),
        HostStatus::Interrupted => message!("status-interrupted"),
    }
}

/// A step of measuring a host, in the word that people read.
pub fn of_stage(stage: Stage) -> Message {
    match stage {
        Stage::Plan => message!("stage-plan"),
        Stage::Connect => message!("stage-connect"),
        Stage::Probe => message!("stage-probe"),
        Stage::Deploy => message!("stage-deploy"),
        Stage::Facts => message!("stage-facts"),
        Stage::Measure => message!("stage-measure"),
        Stage::Collect => message!("stage-collect"),
        Stage::Restore => message!("stage-restore"),
    }
}
