//! Commands that render something, where this program was built without the report library: cargo builds it with that
//! library and starts it in the place of this one, so that signals and exit codes are those of the command.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;

use crate::{Global, workspace};

/// Whatever follows the command: the program that has it reads it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// Starts the program with the report library; returns only where that fails.
///
/// # Errors
/// When cargo cannot be started.
pub fn restart(_: &Global, _: &Rest) -> anyhow::Result<u8> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let error = Command::new(cargo)
        .args(["run", "--package", "xtask", "--manifest-path"])
        .arg(workspace::root().join("Cargo.toml"))
        .arg("--")
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).context("cannot start cargo, which builds the report library")
}

macro_rules! commands {
    ($($command:ident $args:ident)*) => {$(
        pub mod $command {
            pub use super::{Rest as $args, restart as $command};
        }
    )*};
}
commands! {
    compare CompareArgs
    export ExportArgs
    history HistoryArgs
    import ImportArgs
    merge MergeArgs
    report ReportArgs
    run RunArgs
}
