//! The history of a lab over its runs: a line per host and kernel, what changed and when, and the last valid run.
//!
//! Owns the store in `reports/history/` and everything computed from it. A history is a pure function of the store and
//! of the run that is rendered: it ends with that run, and no clock is asked. Emulated hosts are in no line.

mod causes;
pub mod change;
mod line;
mod read;
pub mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::date;
use bench_analysis::measured::Analysis;
use bench_locales::{Message, message};
use bench_run_dir::format;

pub use change::{Found, Standing};
pub use line::{Chart, Figure, Point, Series, Setup, What};
pub use read::read;
pub use store::{HISTORY_VERSION, RunCard, StoredRun};

/// Runs that make a history: with one there is nothing to compare.
pub const MIN_RUNS: usize = 2;

/// What is known of a lab up to one run.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// All runs that count, the oldest first.
    pub runs: Vec<Run>,
    /// All hosts that were not emulated in a run that counts, by name.
    pub hosts: Vec<HostHistory>,
    /// Parts of the store that are left out, and why, in plain sentences.
    pub problems: Vec<Message>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub run_id: String,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// The same in seconds since 1970-01-01.
    pub started_s: i64,
    /// Its suite.
    pub suite: String,
    /// Version of memwall.
    pub memwall_version: String,
    /// Git revision of the controller's source.
    pub git_revision: Option<String>,
}

impl Run {
    /// Its day, as days since 1970-01-01, UTC.
    pub fn day(&self) -> i64 {
        date::day_of(self.started_s)
    }

    /// Its day as `2026-01-31`.
    pub fn date(&self) -> String {
        date::date(self.day())
    }
}

/// One host over the runs.
#[derive(Debug, Clone, Default)]
pub struct HostHistory {
    /// Name in the fleet file.
    pub name: String,
    /// Its board in the newest run that named one.
    pub board: Option<String>,
    /// Runs that it took part in, the oldest first.
    pub visits: Vec<Visit>,
    /// States it was measured in, in the order they appeared.
    pub setups: Vec<Setup>,
    /// A line for each kernel at its best thread count, by chart and name.
    pub lines: Vec<Series>,
    /// What changed on all its lines, the newest first.
    pub changes: Vec<Change>,
    /// Facts of its states by name, as far as states follow each other in its visits.
    pub epochs: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a run says of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// Number of the run in [`History::runs`].
    pub run: usize,
    /// How it ended, as in its record.
    pub status: String,
    /// The stage it ended in, where it did not end well.
    pub stage: Option<String>,
    /// Why, and the remedy.
    pub reason: Option<String>,
    /// Name of its state.
    pub epoch: Option<String>,
    /// SHA-256 of the board program that ran.
    pub artifact: Option<String>,
    /// Theoretical bandwidth, GB/s.
    pub theory_gb_per_s: Option<f64>,
    /// Best measured read, GB/s.
    pub best_read_gb_per_s: Option<f64>,
    /// Units that may be believed, suspect ones included.
    pub n_valid: usize,
    /// Units that something speaks against.
    pub n_suspect: usize,
    /// Units that were measured and may not be believed.
    pub n_invalid: usize,
}

impl Visit {
    /// Whether the run gave data of this host that may be believed.
    pub fn is_valid(&self) -> bool {
        self.n_valid > 0
    }

    /// Whether most of its figures are suspect or invalid.
    pub fn is_disturbed(&self) -> bool {
        2 * (self.n_suspect + self.n_invalid) > self.n_valid + self.n_invalid
    }
}

impl HostHistory {
    /// Set where most figures of the newest run of this host were disturbed.
    pub fn warning(&self) -> Option<Message> {
        let newest = self.visits.last().filter(|visit| visit.is_disturbed())?;
        Some(message!(
            "history-host-disturbed",
            n = newest.n_suspect + newest.n_invalid,
            n_all = newest.n_valid + newest.n_invalid,
        ))
    }
}

impl History {
    /// Set where most figures of a host were disturbed in the newest run; names stand between backticks.
    pub fn warning(&self) -> Option<Message> {
        let last = self.runs.len().checked_sub(1)?;
        let is_newest = |host: &&HostHistory| host.visits.last().is_some_and(|it| it.run == last);
        let hosts: Vec<String> = (self.hosts.iter().filter(is_newest))
            .filter(|host| host.warning().is_some())
            .map(|host| {
                format!(
                    "`{}`",
                    format::foreign_short(&host.name, 60).replace('`', "'")
                )
            })
            .collect();
        match hosts.len() {
            0 => None,
            few if few <= 8 => Some(message!("history-disturbed", hosts = hosts)),
            many => Some(message!("history-many-disturbed", n = many)),
        }
    }
}

/// A change of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Number of the line in [`HostHistory::lines`].
    pub line: usize,
    /// Run with the first figure that differs, number in [`History::runs`].
    pub run: usize,
    /// Run with the last figure before it.
    pub run_before: usize,
    /// Figures before and after.
    pub found: Found,
    /// What else changed between the two runs; empty where nothing is known to have changed.
    pub causes: Vec<Cause>,
}

/// Something of a host that changed between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What it is, for instance `Linux`.
    pub what: String,
    /// What it was.
    pub from: String,
    /// What it is now.
    pub to: String,
}

impl Cause {
    /// `Linux 5.10 → 6.1`.
    pub fn text(&self) -> String {
        format!("{} {} → {}", self.what, self.from, self.to)
    }
}

/// The word for the program that measures.
pub(crate) const BOARD_PROGRAM: &str = "board program";

impl Change {
    /// New figure over the old one.
    pub fn ratio(&self) -> f64 {
        self.found.after / self.found.before
    }
}

/// The last run that gave valid data of a host, seen from the newest run of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastValid {
    /// Name of the run.
    pub run_id: String,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// Days from that run to the newest one, by their dates.
    pub days: i64,
    /// Runs that the host took part in since, without valid data.
    pub n_runs: usize,
}

impl History {
    /// Whether there is anything to compare.
    pub fn is_shown(&self) -> bool {
        self.runs.len() >= MIN_RUNS
    }

    /// A host by its name in the fleet file.
    pub fn host(&self, name: &str) -> Option<&HostHistory> {
        let found = self
            .hosts
            .binary_search_by(|host| host.name.as_str().cmp(name));
        Some(&self.hosts[found.ok()?])
    }

    /// The last run that gave valid data of a host; `None` where none did.
    pub fn last_valid(&self, host: &str) -> Option<LastValid> {
        let visits = &self.host(host)?.visits;
        let last = visits.iter().rposition(Visit::is_valid)?;
        let run = &self.runs[visits[last].run];
        Some(LastValid {
            run_id: run.run_id.clone(),
            started_at: run.started_at.clone(),
            days: self.runs.last()?.day() - run.day(),
            n_runs: visits.len() - 1 - last,
        })
    }
}

/// Puts an analysed run into the store; `None` for a run without hosts, which is no night.
///
/// # Errors
/// When the store cannot be written; the message names the remedy.
pub fn add(history: &Path, analysis: &Analysis) -> anyhow::Result<Option<PathBuf>> {
    if analysis.hosts.is_empty() {
        return Ok(None);
    }
    StoredRun::of(analysis)?.write(history).map(Some)
}
