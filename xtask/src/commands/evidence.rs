//! What was measured, for commands that answer questions about boards: the runs they rest on, and their targets.

use std::path::PathBuf;

use bench_analysis::choice::decide::{self, Target};
use bench_analysis::choice::predict::{self, Machine};
use bench_analysis::limits::bounds::fastest_memory;
use bench_analysis::measured::{Analysis, HostAnalysis, analyse};
use bench_inventory::{Board, Inventory, Memory};
use bench_locales::{Message, message};
use bench_run_dir::format;
use bench_run_dir::{self, RunData};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::Global;
use crate::exit::ExitError;
use crate::runs::{find_run, runs_newest_first};

/// The word that asks for no run at all.
const NO_RUN: &str = "none";

/// Runs that are looked through for one in which a host was not disturbed.
const MAX_RUNS: usize = 20;

/// Options that choose what was measured.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {
    /// Run whose measurements count: its name or folder, or `none` [default: of every host the newest finished run in
    /// which it was not disturbed]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// What computes: cpu, gpu or npu [default: all, the one that people run models on first]
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
}

impl EvidenceArgs {
    /// Whether no processor was named.
    pub fn is_of_all_processors(&self) -> bool {
        self.processor.is_none()
    }
}

/// The runs that may count, newest first: the one that was named, or those that finished.
///
/// # Errors
/// With exit code 2 when a run was named that does not exist, or cannot be read.
pub fn chosen_runs(global: &Global, args: &EvidenceArgs) -> anyhow::Result<Vec<RunData>> {
    let dirs: Vec<PathBuf> = match args.run.as_deref() {
        Some(NO_RUN) => return Ok(Vec::new()),
        Some(name) => vec![find_run(&global.runs_dir(), Some(name))?],
        None => runs_newest_first(&global.runs_dir()),
    };
    let mut runs: Vec<RunData> = Vec::new();
    let mut open: Option<Vec<String>> = None;
    for dir in dirs {
        let run = match bench_run_dir::read(&dir) {
            Ok(run) => run,
            Err(error) if args.run.is_some() => {
                let dir = dir.display();
                return Err(
                    ExitError::usage(format!("run `{dir}` cannot be read: {error:#}")).into(),
                );
            }
            Err(error) => {
                let dir = dir.display();
                let (run, error) = (dir.to_string(), format!("{error:#}"));
                eprintln!("{}", said!("evidence-unreadable", run = run, error = error));
                continue;
            }
        };
        // One that is in progress, or was cut off, is no run yet; one that keeps imported files measured nothing.
        let is_over =
            args.run.is_some() || (run.manifest.finished_at.is_some() && !run.manifest.interrupted);
        if !is_over || run.hosts.is_empty() {
            continue;
        }
        // Older runs matter only for hosts of the newest one that were disturbed since.
        let (all, clean) = hosts_of(&run);
        let still = open.get_or_insert(all);
        still.retain(|host| !clean.contains(host));
        let is_enough = still.is_empty();
        runs.push(run);
        if is_enough || runs.len() == MAX_RUNS {
            break;
        }
    }
    Ok(runs)
}

/// Hosts of a run that measured their memory, and those of them that were not disturbed.
fn hosts_of(run: &RunData) -> (Vec<String>, Vec<String>) {
    let analysis = analyse(run);
    let measured = || (analysis.hosts.iter()).filter(|host| host.best_read.is_some());
    let names = |hosts: Vec<&HostAnalysis>| -> Vec<String> {
        (hosts.into_iter())
            .map(|host| host.name().to_owned())
            .collect()
    };
    let clean = measured().filter(|host| host.disturbed().is_none());
    (names(measured().collect()), names(clean.collect()))
}

/// A host with the run that speaks for it.
struct Measured<'a> {
    host: &'a HostAnalysis<'a>,
    run: &'a RunData,
    /// Newer runs of it that were disturbed and do not count.
    n_passed_over: usize,
}

/// What an answer rests on, for people and programs.
#[derive(Debug, Serialize)]
pub struct Basis {
    host: String,
    run: String,
    finished_at: Option<String>,
    age_hours: Option<f64>,
    /// Why nothing of it is sure.
    disturbed: Option<Message>,
    n_newer_disturbed_runs: usize,
}

impl Basis {
    /// `measured: host x in run y, 3 days ago`, with a warning before it where there is one.
    pub fn words(&self) -> String {
        let host = format::foreign_short(&self.host, 60);
        let run = format::foreign_short(&self.run, 80);
        let measured = match self.n_newer_disturbed_runs {
            0 => said!(
                "evidence-measured",
                host = host,
                run = run,
                age = self.age()
            ),
            n => said!(
                "evidence-measured-before",
                host = host,
                run = run,
                age = self.age(),
                n = n,
            ),
        };
        match &self.disturbed {
            Some(why) => format!("{}\n{measured}", said!("disturbed-because", reason = why)),
            None => measured,
        }
    }

    fn age(&self) -> Message {
        match self.age_hours {
            None => message!("evidence-not-finished"),
            Some(hours) if hours < 1.0 => {
                message!("evidence-minutes-ago", n = (hours * 60.0).round() as u64)
            }
            Some(hours) if hours < 48.0 => {
                message!("evidence-hours-ago", n = hours.round() as u64)
            }
            Some(hours) => {
                let days = message!("days", n = (hours / 24.0).round() as u64);
                message!("history-days-ago", days = days)
            }
        }
    }
}

/// Everything that answers rest on.
pub struct Evidence<'a> {
    inventory: &'a Inventory,
    hosts: Vec<Measured<'a>>,
    processor: Option<&'a str>,
    /// Machines with measured or published token rates.
    pub machines: Vec<Machine>,
}

impl<'a> Evidence<'a> {
    /// Joins the catalogue with what was measured; analyses stand newest first.
    pub fn new(
        inventory: &'a Inventory,
        analyses: &'a [Analysis<'a>],
        args: &'a EvidenceArgs,
    ) -> Evidence<'a> {
        let hosts = best_of_each(analyses);
        let mut machines = predict::machines(inventory);
        machines.extend(hosts.iter().filter_map(|it| predict::of_host(it.host)));
        Evidence {
            inventory,
            hosts,
            processor: args.processor.as_deref(),
            machines,
        }
    }

    /// What the figures of a target rest on; `None` where nothing was measured for it.
    pub fn basis(&self, target: &Target) -> Option<Basis> {
        let host = target.host?;
        let it = (self.hosts.iter()).find(|it| std::ptr::eq(it.host, host))?;
        let finished = it.run.manifest.finished_at.clone();
        let age_hours = (finished.as_ref())
            .and_then(|at| at.parse::<Timestamp>().ok())
            .map(|at| (Timestamp::now().as_second() - at.as_second()) as f64 / 3600.0);
        Some(Basis {
            host: host.name().to_owned(),
            run: it.run.manifest.run_id.clone(),
            finished_at: finished,
            age_hours,
            disturbed: host.disturbed().map(|it| it.sentence()),
            n_newer_disturbed_runs: it.n_passed_over,
        })
    }

    /// A measured host by its name, or a board of the catalogue, with a target for each of its processors: as it was
    /// measured where it was, else in theory. The one that people run models on comes first.
    ///
    /// # Errors
    /// With exit code 2 when there is neither, or the board lacks the processor.
    pub fn targets(&self, name: &str) -> anyhow::Result<Vec<Target<'a>>> {
        let named = self.hosts.iter().find(|it| it.host.name() == name);
        let board = match named {
            Some(it) => it.host.board,
            None => Some(self.inventory.boards.get(name).ok_or_else(|| {
                let hosts = self.hosts.iter().map(|it| it.host.name());
                let boards = self.inventory.boards.keys().map(String::as_str);
                super::unknown("board", name, boards.chain(hosts))
            })?),
        };
        let host = named.or_else(|| self.fastest_of(board?)).map(|it| it.host);
        let mut targets = match board {
            Some(board) => self.of_board(board, host),
            None => (host.iter())
                .map(|host| decide::of_host(host, &self.machines))
                .collect(),
        };
        if named.is_some() {
            // The host itself was asked for: what was measured on it comes before what is expected beside it.
            targets.sort_by_key(|target| target.host.is_none());
        }
        if let Some(processor) = self.processor {
            let all: Vec<String> = (targets.iter())
                .map(|target| target.processor.clone())
                .collect();
            targets.retain(|target| target.processor == processor);
            if targets.is_empty() {
                let all = all.iter().map(String::as_str);
                return Err(super::unknown("processor", processor, all));
            }
        }
        Ok(targets)
    }

    fn fastest_of(&self, board: &Board) -> Option<&Measured<'a>> {
        let rate = |it: &&Measured| (it.host.best_read.as_ref()).map_or(0.0, |read| read.gb_per_s);
        let hosts = self.hosts.iter();
        hosts
            .filter(|it| it.host.board.is_some_and(|of_host| of_host.id == board.id))
            .max_by(|a, b| rate(a).total_cmp(&rate(b)))
    }

    fn of_board(&self, board: &'a Board, host: Option<&'a HostAnalysis<'a>>) -> Vec<Target<'a>> {
        let mut memories: Vec<&Memory> = board.memories.iter().collect();
        let fastest = fastest_memory(board).map(|memory| memory.name.as_str());
        memories.sort_by_key(|memory| Some(memory.name.as_str()) != fastest);
        let mut targets = Vec::new();
        let mut is_host_there = false;
        for memory in memories {
            for processor in &memory.processors {
                // Our kernels run on CPU cores: what they measured says nothing of another processor.
                let measured = host.filter(|_| processor == "cpu");
                is_host_there |= measured.is_some();
                targets.push(match measured {
                    Some(host) => decide::of_host(host, &self.machines),
                    None => {
                        decide::of_board(self.inventory, board, memory, processor, &self.machines)
                    }
                });
            }
        }
        // A board whose CPU differs from machine to machine names none.
        if let Some(host) = host.filter(|_| !is_host_there) {
            targets.push(decide::of_host(host, &self.machines));
        }
        targets
    }
}

/// Of every host the newest run in which it was not disturbed, else the newest.
fn best_of_each<'a>(analyses: &'a [Analysis<'a>]) -> Vec<Measured<'a>> {
    let mut hosts: Vec<Measured> = Vec::new();
    for analysis in analyses {
        for host in analysis.hosts.iter().filter(|it| it.best_read.is_some()) {
            let known = hosts.iter_mut().find(|it| it.host.name() == host.name());
            match known {
                None => hosts.push(Measured {
                    host,
                    run: analysis.run,
                    n_passed_over: 0,
                }),
                Some(known) if known.host.disturbed().is_some() => {
                    if host.disturbed().is_none() {
                        known.host = host;
                        known.run = analysis.run;
                    }
                    known.n_passed_over += 1;
                }
                Some(_) => {}
            }
        }
    }
    // Where no run is clean, the newest stands, and none was passed over for it.
    for it in &mut hosts {
        if it.host.disturbed().is_some() {
            it.n_passed_over = 0;
        }
    }
    hosts
}
