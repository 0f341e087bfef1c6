//! How a unit ended.

use bench_protocol::UnitStatus;

/// How a unit ended, as far as the stream tells.
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
}
