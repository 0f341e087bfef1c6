//! What was measured, for commands that answer questions about boards: the run they rest on, and their targets.

use std::path::{Path, PathBuf};

use bench_inventory::{Inventory, Memory};
use bench_reports::analysis::{Analysis, HostAnalysis};
use bench_reports::decide::{self, Target};
use bench_reports::predict::{self, Machine};
use bench_reports::run_dir::{self, RunData};

use clap::Args;

use super::report::find_run;
use crate::Global;
use crate::exit::ExitError;

/// The word that asks for no run at all.
const NO_RUN: &str = "none";

/// Options that choose what was measured.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {
    /// Run whose measurements count: its name or folder, or `none` [default: the newest run with hosts]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// What computes: cpu, gpu or npu [default: the first that the board's data file names]
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
}

/// The run that was chosen, if there is one.
///
/// # Errors
/// With exit code 2 when a run was named that does not exist, or cannot be read.
pub fn chosen_run(global: &Global, args: &EvidenceArgs) -> anyhow::Result<Option<RunData>> {
    let dir: PathBuf = match args.run.as_deref() {
        Some(NO_RUN) => return Ok(None),
        Some(name) => find_run(&global.runs_dir(), Some(name))?,
        // Without any run there is nothing measured, which is no mistake.
        None => match newest_with_hosts(&global.runs_dir()) {
            Some(dir) => dir,
            None => return Ok(None),
        },
    };
    match run_dir::read(&dir) {
        Ok(run) => Ok(Some(run)),
        Err(error) if args.run.is_some() => Err(ExitError::usage(format!(
            "run `{}` cannot be read: {error:#}",
            dir.display()
        ))
        .into()),
        Err(error) => {
            eprintln!(
                "the newest run, `{}`, cannot be read and does not count: {error:#}",
                dir.display()
            );
            Ok(None)
        }
    }
}

/// The newest run that has hosts: one that only keeps imported files measured nothing.
fn newest_with_hosts(runs_dir: &Path) -> Option<PathBuf> {
    let has_hosts = |dir: &PathBuf| {
        let hosts = std::fs::read_dir(dir.join("hosts"));
        dir.join("manifest.json").is_file() && hosts.is_ok_and(|mut hosts| hosts.next().is_some())
    };
    let runs = std::fs::read_dir(runs_dir).ok()?.flatten();
    runs.map(|run| run.path()).filter(has_hosts).max()
}

/// Everything that answers rest on.
pub struct Evidence<'a> {
    inventory: &'a Inventory,
    analysis: Option<&'a Analysis<'a>>,
    processor: Option<&'a str>,
    /// Machines with measured or published token rates.
    pub machines: Vec<Machine>,
}

impl<'a> Evidence<'a> {
    /// Joins the catalogue with what a run measured.
    pub fn new(
        inventory: &'a Inventory,
        analysis: Option<&'a Analysis<'a>>,
        args: &'a EvidenceArgs,
    ) -> Evidence<'a> {
        Evidence {
            inventory,
            analysis,
            processor: args.processor.as_deref(),
            machines: match analysis {
                Some(analysis) => predict::with_hosts(inventory, analysis),
                None => predict::machines(inventory),
            },
        }
    }

    fn measured_hosts(&self) -> impl Iterator<Item = &'a HostAnalysis<'a>> + Clone {
        let hosts = self.analysis.map_or(&[][..], |analysis| &analysis.hosts);
        hosts.iter().filter(|host| host.best_read.is_some())
    }

    /// A host of the run by its name, or a board of the catalogue: as it was measured where it was, else in theory.
    ///
    /// # Errors
    /// With exit code 2 when there is neither, or the board lacks the processor.
    pub fn target(&self, name: &str) -> anyhow::Result<Target<'a>> {
        if let Some(host) = self.measured_hosts().find(|host| host.name() == name) {
            return Ok(decide::of_host(host, &self.machines));
        }
        let board = self.inventory.boards.get(name).ok_or_else(|| {
            let hosts = self.measured_hosts().map(HostAnalysis::name);
            let boards = self.inventory.boards.keys().map(String::as_str);
            super::unknown("board", name, boards.chain(hosts))
        })?;
        let best_host = (self.measured_hosts())
            .filter(|host| host.board.is_some_and(|it| it.id == board.id))
            .max_by(|a, b| {
                let rate =
                    |host: &HostAnalysis| host.best_read.as_ref().map_or(0.0, |it| it.gb_per_s);
                rate(a).total_cmp(&rate(b))
            });
        // Our kernels run on CPU cores: what they measured says nothing of another processor.
        if let Some(host) = best_host.filter(|_| self.processor.is_none_or(|it| it == "cpu")) {
            return Ok(decide::of_host(host, &self.machines));
        }
        let with_processor = |memory: &&Memory| match self.processor {
            Some(processor) => memory.processors.iter().any(|it| it == processor),
            None => true,
        };
        let memories = board.memories.iter().filter(with_processor);
        let memory = memories
            .max_by(|a, b| {
                a.theoretical_gb_per_s()
                    .total_cmp(&b.theoretical_gb_per_s())
            })
            .ok_or_else(|| {
                let all = board.memories.iter().flat_map(|memory| &memory.processors);
                super::unknown(
                    "processor",
                    self.processor.unwrap_or_default(),
                    all.map(String::as_str),
                )
            })?;
        let first = memory.processors.first().map_or("cpu", String::as_str);
        let processor = self.processor.unwrap_or(first);
        Ok(decide::of_board(board, memory, processor, &self.machines))
    }
}
