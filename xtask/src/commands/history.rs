//! `history`: what the history of the lab holds, and adding runs to it.

use std::path::{Path, PathBuf};

use bench_analysis::measured;
use bench_locales::message;
use bench_reports::history::{self, History, HostHistory};
use bench_run_dir::format;
use clap::Args;
use comfy_table::Table;
use serde_json::json;

use crate::exit::{self, ExitError};
use crate::out::{self, text};
use crate::runs::find_run;
use crate::{Format, Global};

/// Options of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Add these runs, each a name or the path of a run directory
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with = "all")]
    add: Vec<String>,
    /// Add all runs among the run directories
    #[arg(long)]
    all: bool,
    /// Folder of the history [default: `history` beside the run directories]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Adds runs where some are named, then prints what the history holds.
///
/// # Errors
/// With exit code 2 when there is no such run, and with 1 when a run cannot be read or the history not be written; runs
/// that could be added are in it all the same.
pub fn history(global: &Global, args: &HistoryArgs) -> anyhow::Result<u8> {
    let dir = args.dir.clone().unwrap_or_else(|| global.history_dir());
    let added = add_all(&dir, &named(global, args)?)?;
    let known = history::read(&dir, None);
    warn(&(known.problems.iter().map(|it| text().say(it))).collect::<Vec<_>>());
    match global.format {
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(&document(&dir, &known, &added))?
        ),
        Format::Text => print_text(&dir, &known, &added),
    }
    Ok(exit::OK)
}

/// Tells people what the history lacks; what was measured is safe without it.
pub fn warn(problems: &[String]) {
    for problem in problems {
        let problem = format::foreign(problem);
        eprintln!("{}", said!("history-warning", problem = problem));
    }
}

/// The run directories that are to be added.
fn named(global: &Global, args: &HistoryArgs) -> anyhow::Result<Vec<PathBuf>> {
    let runs_dir = global.runs_dir();
    if args.all {
        let entries = std::fs::read_dir(&runs_dir).into_iter().flatten().flatten();
        let mut dirs: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|dir| dir.join("manifest.json").is_file())
            .collect();
        dirs.sort();
        if dirs.is_empty() {
            return Err(ExitError::usage(format!(
                "there is no run in `{}`; name the folder with `--runs-dir`",
                runs_dir.display()
            ))
            .into());
        }
        return Ok(dirs);
    }
    (args.add.iter())
        .map(|run| find_run(&runs_dir, Some(run)))
        .collect()
}

/// Names of the runs that were added; runs without hosts are passed over with a word.
fn add_all(history: &Path, dirs: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut added = Vec::new();
    let mut problems = Vec::new();
    for dir in dirs {
        let run = match bench_run_dir::read(dir) {
            Ok(run) => run,
            Err(error) => {
                problems.push(format!("\n  - {error:#}"));
                continue;
            }
        };
        match history::add(history, &measured::analyse(&run)) {
            Ok(Some(_)) => added.push(run.manifest.run_id.clone()),
            Ok(None) => {
                let run = format::foreign(&run.manifest.run_id);
                eprintln!("{}", said!("history-no-hosts", run = run));
            }
            Err(error) => problems.push(format!("\n  - {error:#}")),
        }
    }
    match problems.is_empty() {
        true => Ok(added),
        false => anyhow::bail!(
            "{} of {} runs could not be added:{}",
            problems.len(),
            dirs.len(),
            problems.concat()
        ),
    }
}

fn problems(known: &History) -> Vec<String> {
    known.problems.iter().map(ToString::to_string).collect()
}

fn n_valid(host: &HostHistory) -> usize {
    host.visits.iter().filter(|visit| visit.is_valid()).count()
}

fn document(dir: &Path, known: &History, added: &[String]) -> serde_json::Value {
    let run = |run: &history::Run| {
        json!({
            "run_id": run.run_id,
            "started_at": run.started_at,
            "suite": run.suite,
            "memwall_version": run.memwall_version,
            "git_revision": run.git_revision,
        })
    };
    let host = |host: &HostHistory| {
        let last = known.last_valid(&host.name);
        json!({
            "host": host.name,
            "board": host.board,
            "n_runs": host.visits.len(),
            "n_valid_runs": n_valid(host),
            "last_valid_run": last.as_ref().map(|last| &last.run_id),
            "last_valid_at": last.as_ref().map(|last| &last.started_at),
            "days_since_valid": last.as_ref().map(|last| last.days),
            "runs_since_valid": last.as_ref().map(|last| last.n_runs),
        })
    };
    json!({
        "history_dir": dir,
        "added": added,
        "runs": known.runs.iter().map(run).collect::<Vec<_>>(),
        "hosts": known.hosts.iter().map(host).collect::<Vec<_>>(),
        "problems": problems(known),
    })
}

fn print_text(dir: &Path, known: &History, added: &[String]) {
    for run in added {
        println!("{}", said!("history-added", run = run));
    }
    let (Some(first), Some(last)) = (known.runs.first(), known.runs.last()) else {
        println!(
            "{}",
            said!("history-empty", folder = dir.display().to_string())
        );
        return;
    };
    let mut days: Vec<i64> = known.runs.iter().map(history::Run::day).collect();
    days.dedup();
    println!(
        "{}",
        said!(
            "history-span",
            runs = message!("runs", n = known.runs.len()),
            days = message!("days", n = days.len()),
            first = first.date(),
            last = last.date(),
        )
    );
    println!("{}", table(known));
    println!(
        "{}",
        said!("history-folder", folder = dir.display().to_string())
    );
}

fn table(known: &History) -> Table {
    let mut table = out::table(&[
        said!("host"),
        said!("board"),
        said!("history-column-runs"),
        said!("history-column-valid"),
        said!("last-valid-run"),
        said!("history-column-days"),
    ]);
    for host in &known.hosts {
        let valid = known.last_valid(&host.name);
        table.add_row([
            format::foreign(&host.name),
            format::foreign(host.board.as_deref().unwrap_or("-")),
            out::integer(host.visits.len()),
            out::integer(n_valid(host)),
            match &valid {
                Some(last) => format::foreign(&last.run_id),
                None => said!("history-never"),
            },
            valid.map_or_else(|| "-".to_owned(), |last| out::integer(last.days)),
        ]);
    }
    table
}
