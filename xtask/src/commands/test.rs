//! `test`: everything CI runs.

use clap::Args;

/// Options of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {}

/// Runs every step.
///
/// # Errors
/// When a step fails.
pub fn test(_args: &TestArgs) -> anyhow::Result<u8> {
    anyhow::bail!("not yet")
}
