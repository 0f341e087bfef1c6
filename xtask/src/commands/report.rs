//! `report`: renders a run directory again, without boards and without the inventory of today.

use std::path::Path;

use anyhow::Context;
use bench_reports::report::Written;
use clap::Args;

use crate::exit;
use crate::runs::find_run;
use crate::{Format, Global, workspace};

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Name of a run, or the path of a run directory [default: the newest run]
    run: Option<String>,
    /// Open the report in the browser
    #[arg(long)]
    open: bool,
}

/// Renders and prints the path of the report in the language that was asked for.
///
/// # Errors
/// When there is no such run, or it cannot be read or written.
pub fn report(global: &Global, args: &ReportArgs) -> anyhow::Result<u8> {
    let dir = find_run(&global.runs_dir(), args.run.as_deref())?;
    let written = bench_reports::report::write(&dir, global.history_of(&dir).as_deref())?;
    super::history::warn(&written.history_problems);
    super::history::warn(&written.failures);
    let report = written.index_in(global.language());
    match global.format {
        Format::Json => println!(
            "{}",
            serde_json::json!({ "run_dir": dir, "report": report, "disturbed": written.warning })
        ),
        Format::Text => {
            if let Some(warning) = &written.warning {
                println!("{}", said!("disturbed-because", reason = warning));
            }
            println!("{}", report.display());
        }
    }
    if args.open {
        open(&report)?;
    }
    Ok(code_of(&written, exit::OK))
}

/// The exit code where `code` says how the measurements went: a report with parts missing is a failure of memwall, which
/// only a board that was not put back and an interruption outweigh.
pub fn code_of(written: &Written, code: u8) -> u8 {
    match code {
        exit::NOT_RESTORED | exit::INTERRUPTED => code,
        _ if !written.failures.is_empty() => exit::INTERNAL,
        code => code,
    }
}

fn open(path: &Path) -> anyhow::Result<()> {
    let sh = workspace::shell()?;
    xshell::cmd!(sh, "xdg-open {path}")
        .quiet()
        .run()
        .context("cannot open a browser (xdg-open)")?;
    Ok(())
}
