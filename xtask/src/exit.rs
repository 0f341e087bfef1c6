//! Exit codes: stable, documented in the README, one sentence each.

/// All units of all hosts are measured, or were skipped for a reason that is no fault.
pub const OK: u8 = 0;
/// memwall itself failed.
pub const INTERNAL: u8 = 1;
/// The command line or the inventory cannot be used.
pub const USAGE: u8 = 2;
/// A board program could not be built or is not what it should be.
pub const BUILD: u8 = 3;
/// At least one board was unreachable; the others are complete.
pub const UNREACHABLE: u8 = 4;
/// A unit or a board failed or ran out of time.
pub const FAILED: u8 = 5;
/// All data of a board are invalid.
pub const INVALID: u8 = 6;
/// A comparison confirmed that something became slower by more than was allowed.
pub const REGRESSION: u8 = 7;
/// A board is not known to be as it was before.
pub const NOT_RESTORED: u8 = 8;
/// A comparison that was to find regressions confirmed none, and could not judge every unit.
pub const NOT_JUDGED: u8 = 9;
/// Interrupted; what was measured is in the run directory and its report.
pub const INTERRUPTED: u8 = 130;

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ExitError {
    /// Exit code.
    pub code: u8,
    /// What happened and what to do about it.
    pub message: String,
}

impl ExitError {
    /// An error about the command line or the inventory.
    pub fn usage(message: impl Into<String>) -> ExitError {
        ExitError {
            code: USAGE,
            message: message.into(),
        }
    }

    /// An error about building a board program.
    pub fn build(message: impl Into<String>) -> ExitError {
        ExitError {
            code: BUILD,
            message: message.into(),
        }
    }
}

/// The exit code of an error: its own, or [`INTERNAL`].
pub fn code_of(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<ExitError>())
        .map_or(INTERNAL, |error| error.code)
}
