//! Reads the store: only the columns that lines need, one run at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context as _;
use polars::prelude::*;

use super::line::{About, Point, Series, Setup, Work, keep_best_threads};
use super::store::{self, Entry, RunCard, StoredRun};
use super::{History, HostHistory, Run, Visit, causes, change};
use crate::date;
use bench_analysis::stats::Quartiles;
use bench_analysis::validity::verdict::Verdict;
use bench_locales::Message;

const HOST_COLUMNS: [&str; 10] = [
    "host",
    "board",
    "emulated",
    "status",
    "stage",
    "reason",
    "epoch",
    "artifact_sha256",
    "theory_gb_per_s",
    "best_read_gb_per_s",
];

const UNIT_COLUMNS: [&str; 25] = [
    "host",
    "unit",
    "environment",
    "emulated",
    "kernel",
    "kind",
    "residency",
    "variant",
    "threads",
    "model",
    "quant",
    "depth",
    "n_prompt",
    "n_generate",
    "kv_format",
    "chains",
    "pages",
    "background_permille",
    "compared_only",
    "read_bytes",
    "written_bytes",
    "ops",
    "tokens",
    "verdict",
    "reason",
];

const SAMPLE_COLUMNS: [&str; 5] = ["host", "unit", "environment", "iterations", "elapsed_ns"];

/// Columns of samples that runs before version 2 of the store do not have: they are of one round.
const ROUND_COLUMNS: [&str; 2] = ["round", "round_is_used"];

/// First version of the store that has [`ROUND_COLUMNS`].
const VERSION_WITH_ROUNDS: u32 = 2;

/// Reads the history up to `current`, the run that is rendered, which is taken as given and not from the store; all of
/// the store without one. Whatever cannot be read is told in [`History::problems`].
pub fn read(dir: &Path, current: Option<&StoredRun>) -> History {
    let (entries, mut problems) = store::entries(dir);
    let sources = sources(&entries, current, &mut problems);
    let mut history = History::default();
    let mut builder = Builder::default();
    for (run, source) in sources {
        let n_runs = history.runs.len();
        match source
            .frames()
            .and_then(|frames| builder.add(n_runs, &run, &frames))
        {
            Ok(()) => history.runs.push(run),
            Err(error) => {
                // What it left half-way must not look like a run.
                builder.forget(n_runs);
                problems.push(store::unreadable(&run.run_id, &error));
            }
        }
    }
    history.hosts = builder.finish(&history.runs);
    history.problems = problems;
    history
}

/// Where the frames of a run are.
enum Source<'a> {
    Store(&'a Entry),
    Memory(&'a StoredRun),
}

/// Median time of an iteration, nanoseconds, by host, unit and environment.
type Medians = HashMap<[String; 3], f64>;

/// The columns of a run that lines need.
struct Frames {
    hosts: DataFrame,
    units: DataFrame,
    medians: Medians,
    epochs: DataFrame,
}

impl Source<'_> {
    fn frame(&self, name: &str, columns: &[&str]) -> anyhow::Result<DataFrame> {
        match self {
            Source::Store(entry) => store::read_frame(&entry.folder, name, columns),
            Source::Memory(run) => {
                let frame = match name {
                    "hosts" => &run.hosts,
                    "units" => &run.units,
                    "samples" => &run.samples,
                    _ => &run.epochs,
                };
                Ok(frame.select(columns.iter().copied())?)
            }
        }
    }

    fn frames(&self) -> anyhow::Result<Frames> {
        let has_rounds = match self {
            Source::Store(entry) => entry.card.version >= VERSION_WITH_ROUNDS,
            Source::Memory(_) => true,
        };
        let samples = match has_rounds {
            true => self.frame("samples", &[&SAMPLE_COLUMNS[..], &ROUND_COLUMNS].concat())?,
            false => self.frame("samples", &SAMPLE_COLUMNS)?,
        };
        Ok(Frames {
            hosts: self.frame("hosts", &HOST_COLUMNS)?,
            units: self.frame("units", &UNIT_COLUMNS)?,
            medians: medians(&samples, has_rounds)
                .context("`samples.parquet` cannot be summed up")?,
            epochs: self.frame("epochs", &["host", "epoch", "key", "value"])?,
        })
    }
}

/// The median of a round's samples, and of several rounds the median of theirs. Only rounds that make figures count.
fn medians(samples: &DataFrame, has_rounds: bool) -> anyhow::Result<Medians> {
    let text = |name: &str| samples.column(name)?.str();
    let [hosts, units, environments] = [text("host")?, text("unit")?, text("environment")?];
    let keys = hosts.iter().zip(units.iter()).zip(environments.iter());
    let whole = |name: &str| samples.column(name)?.u64();
    let times = (whole("elapsed_ns")?.iter()).zip(whole("iterations")?.iter());
    let rounds: Vec<Option<u32>> = match has_rounds {
        true => {
            let is_used = samples.column("round_is_used")?.bool()?;
            let rounds = samples.column("round")?.u32()?.iter().zip(is_used.iter());
            rounds
                .map(|(round, is_used)| round.filter(|_| is_used == Some(true)))
                .collect()
        }
        false => vec![Some(0); samples.height()],
    };
    let mut by_unit: HashMap<[&str; 3], BTreeMap<u32, Vec<f64>>> = HashMap::new();
    for ((((host, unit), environment), (elapsed_ns, iterations)), round) in
        keys.zip(times).zip(rounds)
    {
        if let (Some(host), Some(unit), Some(environment)) = (host, unit, environment)
            && let (Some(elapsed_ns @ 1..), Some(iterations), Some(round)) =
                (elapsed_ns, iterations, round)
        {
            let of_unit = by_unit.entry([host, unit, environment]).or_default();
            let of_round = of_unit.entry(round).or_default();
            of_round.push(elapsed_ns as f64 / iterations as f64);
        }
    }
    let median = |values: Vec<f64>| Some(Quartiles::of(&values)?.median);
    let of_unit = |(key, rounds): ([&str; 3], BTreeMap<u32, Vec<f64>>)| {
        let of_rounds = rounds.into_values().filter_map(median).collect();
        Some((key.map(str::to_owned), median(of_rounds)?))
    };
    Ok(by_unit.into_iter().filter_map(of_unit).collect())
}

/// The runs that count, the oldest first: none after the current one, none twice, and none beside a run that was merged
/// from it. The current run always counts.
fn sources<'a>(
    entries: &'a [Entry],
    current: Option<&'a StoredRun>,
    problems: &mut Vec<Message>,
) -> Vec<(Run, Source<'a>)> {
    let key = |run: &Run| (run.started_s, run.run_id.clone());
    let last = current
        .and_then(|current| run_of(&current.card))
        .map(|run| key(&run));
    let mut sources = Vec::new();
    for entry in entries {
        let Some(run) = run_of(&entry.card) else {
            let error = anyhow::anyhow!("`run.json` has no time of its start");
            problems.push(store::unreadable(&entry.card.run_id, &error));
            continue;
        };
        let is_after = last.as_ref().is_some_and(|last| key(&run) > *last);
        let is_current = current.is_some_and(|current| current.card.run_id == run.run_id);
        // A merged run begins when its first part began, so that a part and its whole are never one after the other.
        let holds_current =
            current.is_some_and(|current| entry.card.parts.contains(&current.card.run_id));
        if !is_after && !is_current && !holds_current {
            sources.push((run, &entry.card, Source::Store(entry)));
        }
    }
    if let Some(current) = current.filter(|current| current.hosts.height() > 0)
        && let Some(run) = run_of(&current.card)
    {
        sources.push((run, &current.card, Source::Memory(current)));
    }
    let parts: BTreeSet<&str> = (sources.iter())
        .flat_map(|(_, card, _)| card.parts.iter().map(String::as_str))
        .collect();
    let mut kept: Vec<(Run, Source)> = (sources.into_iter())
        .filter(|(run, ..)| !parts.contains(run.run_id.as_str()))
        .map(|(run, _, source)| (run, source))
        .collect();
    kept.sort_by_key(|(run, _)| key(run));
    kept.dedup_by(|a, b| a.0.run_id == b.0.run_id);
    kept
}

fn run_of(card: &RunCard) -> Option<Run> {
    Some(Run {
        run_id: card.run_id.clone(),
        started_at: card.started_at.clone(),
        started_s: date::seconds(&card.started_at)?,
        suite: card.suite.clone(),
        memwall_version: card.memwall_version.clone(),
        git_revision: card.git_revision.clone(),
    })
}

/// Lines under construction.
#[derive(Default)]
struct Builder {
    hosts: BTreeMap<String, HostBuilder>,
}

#[derive(Default)]
struct HostBuilder {
    history: HostHistory,
    /// By unit and suite.
    lines: HashMap<(String, String), Series>,
}

impl Builder {
    fn add(&mut self, run_idx: usize, run: &Run, frames: &Frames) -> anyhow::Result<()> {
        self.add_hosts(run_idx, &frames.hosts)?;
        self.add_epochs(&frames.epochs)?;
        self.add_units(run_idx, run, frames)
    }

    fn add_hosts(&mut self, run: usize, hosts: &DataFrame) -> anyhow::Result<()> {
        let text = |name: &str| hosts.column(name)?.str();
        let float = |name: &str| hosts.column(name)?.f64();
        let (name, board, status) = (text("host")?, text("board")?, text("status")?);
        let (stage, reason, epoch) = (text("stage")?, text("reason")?, text("epoch")?);
        let artifact = text("artifact_sha256")?;
        let (theory, best_read) = (float("theory_gb_per_s")?, float("best_read_gb_per_s")?);
        let emulated = hosts.column("emulated")?.bool()?;
        for i in 0..hosts.height() {
            let Some(host) = name.get(i).filter(|_| emulated.get(i) == Some(false)) else {
                continue;
            };
            let owned = |value: Option<&str>| value.map(str::to_owned);
            let of_host = &mut self.hosts.entry(host.to_owned()).or_default().history;
            of_host.name = host.to_owned();
            if let Some(board) = board.get(i) {
                of_host.board = Some(board.to_owned());
            }
            of_host.visits.push(Visit {
                run,
                status: status.get(i).unwrap_or("unknown").to_owned(),
                stage: owned(stage.get(i)),
                reason: owned(reason.get(i)),
                epoch: owned(epoch.get(i)),
                artifact: owned(artifact.get(i)),
                theory_gb_per_s: theory.get(i),
                best_read_gb_per_s: best_read.get(i),
                n_valid: 0,
                n_suspect: 0,
                n_invalid: 0,
            });
        }
        Ok(())
    }

    /// The facts of states that are new; most nights bring none.
    fn add_epochs(&mut self, epochs: &DataFrame) -> anyhow::Result<()> {
        let text = |name: &str| epochs.column(name)?.str();
        let (host, epoch) = (text("host")?, text("epoch")?);
        let (key, value) = (text("key")?, text("value")?);
        let mut known: BTreeSet<(&str, &str)> = BTreeSet::new();
        for i in 0..epochs.height() {
            let (Some(name), Some(epoch)) = (host.get(i), epoch.get(i)) else {
                continue;
            };
            let Some(of_host) = self.hosts.get_mut(name) else {
                continue;
            };
            let epochs = &mut of_host.history.epochs;
            if epochs.contains_key(epoch) && !known.contains(&(name, epoch)) {
                continue;
            }
            known.insert((name, epoch));
            let facts = epochs.entry(epoch.to_owned()).or_default();
            if let (Some(key), Some(value)) = (key.get(i), value.get(i)) {
                facts.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    fn add_units(&mut self, run_idx: usize, run: &Run, frames: &Frames) -> anyhow::Result<()> {
        let columns = UnitColumns::of(&frames.units, &frames.medians)?;
        for i in 0..frames.units.height() {
            columns.add(i, run_idx, run, self);
        }
        Ok(())
    }

    /// Takes back what a run that cannot be read has left.
    fn forget(&mut self, run: usize) {
        for host in self.hosts.values_mut() {
            host.history.visits.retain(|visit| visit.run != run);
            for line in host.lines.values_mut() {
                line.points.retain(|point| point.run != run);
            }
        }
        self.hosts.retain(|_, host| !host.history.visits.is_empty());
    }

    fn finish(self, runs: &[Run]) -> Vec<HostHistory> {
        let hosts = self.hosts.into_values();
        hosts.map(|host| host.finish(runs)).collect()
    }
}

/// The columns of units, by name.
struct UnitColumns<'a> {
    text: HashMap<&'static str, &'a StringChunked>,
    whole: HashMap<&'static str, &'a UInt64Chunked>,
    small: HashMap<&'static str, &'a UInt32Chunked>,
    compared_only: &'a BooleanChunked,
    medians: &'a Medians,
}

impl<'a> UnitColumns<'a> {
    fn of(units: &'a DataFrame, medians: &'a Medians) -> anyhow::Result<UnitColumns<'a>> {
        let mut columns = UnitColumns {
            text: HashMap::new(),
            whole: HashMap::new(),
            small: HashMap::new(),
            compared_only: units.column("compared_only")?.bool()?,
            medians,
        };
        for name in UNIT_COLUMNS {
            let column = units.column(name)?;
            match name {
                "emulated" | "compared_only" => {}
                "threads" | "chains" | "background_permille" => {
                    columns.small.insert(name, column.u32()?);
                }
                "depth" | "n_prompt" | "n_generate" | "read_bytes" | "written_bytes" | "ops"
                | "tokens" => {
                    columns.whole.insert(name, column.u64()?);
                }
                _ => {
                    columns.text.insert(name, column.str()?);
                }
            }
        }
        Ok(columns)
    }

    fn add(&self, i: usize, run_idx: usize, run: &Run, builder: &mut Builder) {
        let text = |name: &str| self.text[name].get(i).unwrap_or_default();
        let whole = |name: &str| self.whole[name].get(i).unwrap_or_default();
        let small = |name: &str| self.small[name].get(i);
        let is_compared = self.compared_only.get(i).unwrap_or(false);
        let Some(host) = builder.hosts.get_mut(text("host")).filter(|_| !is_compared) else {
            return;
        };
        // A host that was emulated in this run has no visit of it.
        let Some(visit) = (host.history.visits.last_mut()).filter(|visit| visit.run == run_idx)
        else {
            return;
        };
        let verdict = verdict_of(text("verdict"));
        visit.n_suspect += usize::from(verdict == Verdict::Suspect);
        match verdict {
            Verdict::Ok | Verdict::Suspect => visit.n_valid += 1,
            Verdict::Invalid => visit.n_invalid += 1,
            Verdict::Emulated | Verdict::NotMeasured => return,
        }
        let about = About {
            kind: text("kind"),
            kernel: text("kernel"),
            residency: text("residency"),
            n_threads: small("threads").unwrap_or(0),
            model: self.text["model"].get(i),
            quant: text("quant"),
            kv_format: text("kv_format"),
            depth: whole("depth"),
            n_prompt: whole("n_prompt"),
            n_generate: whole("n_generate"),
            n_chains: small("chains"),
            pages: text("pages"),
            has_background: small("background_permille").is_some(),
        };
        let work = Work {
            bytes: whole("read_bytes") as f64 + whole("written_bytes") as f64,
            ops: whole("ops") as f64,
            tokens: whole("tokens") as f64,
        };
        let Some(chart) = about.chart() else { return };
        let key = ["host", "unit", "environment"].map(|name| text(name).to_owned());
        let median_ns = self.medians.get(&key);
        let value = median_ns.and_then(|ns| about.value(chart, work, *ns));
        let Some(value) = value else { return };
        let setup = Setup {
            epoch: visit.epoch.clone(),
            artifact: visit.artifact.clone(),
            variant: text("variant").to_owned(),
            environment: text("environment").to_owned(),
        };
        let setups = &mut host.history.setups;
        let setup_idx = setups.iter().rposition(|known| *known == setup);
        let setup_idx = setup_idx.unwrap_or_else(|| {
            setups.push(setup);
            setups.len() - 1
        });
        let key = (text("unit").to_owned(), run.suite.clone());
        let line = host
            .lines
            .entry(key)
            .or_insert_with_key(|(unit, suite)| Series {
                unit: unit.clone(),
                suite: suite.clone(),
                what: about.what(),
                names_suite: false,
                n_threads: about.n_threads,
                chart,
                points: Vec::new(),
                found: Vec::new(),
                visible_step: None,
            });
        if line.points.last().is_some_and(|point| point.run == run_idx) {
            return;
        }
        line.points.push(Point {
            run: run_idx,
            value,
            verdict,
            reason: (!verdict.is_usable()).then(|| text("reason").to_owned()),
            setup: setup_idx,
            is_joined: false,
        });
    }
}

fn verdict_of(name: &str) -> Verdict {
    let verdicts = [
        Verdict::Ok,
        Verdict::Suspect,
        Verdict::Invalid,
        Verdict::Emulated,
    ];
    let mut verdicts = verdicts.into_iter();
    // A verdict of a newer program is not believed.
    let found = verdicts.find(|verdict| verdict.name() == name);
    found.unwrap_or(Verdict::NotMeasured)
}

impl HostBuilder {
    fn finish(self, runs: &[Run]) -> HostHistory {
        let mut host = self.history;
        host.lines = keep_best_threads(self.lines.into_values().collect());
        let suites: BTreeSet<&str> = host.lines.iter().map(|line| line.suite.as_str()).collect();
        let has_suites = suites.len() > 1;
        let visits = &host.visits;
        for line in &mut host.lines {
            join(line, visits, runs);
            let values: Vec<f64> = line.usable().map(|(_, value)| value).collect();
            line.found = change::find(&values);
            line.visible_step = change::visible_step(&values, &line.found);
            line.names_suite = has_suites;
        }
        host.changes = causes::changes(&host, runs);
        host
    }
}

/// A line goes on from one usable figure to the next where the host was in no run of the suite in between, and both are
/// of one setup.
fn join(line: &mut Series, visits: &[Visit], runs: &[Run]) {
    let of_suite: Vec<usize> = (visits.iter())
        .map(|visit| visit.run)
        .filter(|run| runs[*run].suite == line.suite)
        .collect();
    let before = |run: usize| {
        let place = of_suite.binary_search(&run).ok()?;
        place.checked_sub(1).map(|place| of_suite[place])
    };
    for i in 1..line.points.len() {
        let (earlier, later) = line.points.split_at_mut(i);
        let (a, b) = (&earlier[i - 1], &mut later[0]);
        let are_usable = a.verdict.is_usable() && b.verdict.is_usable();
        b.is_joined = are_usable && a.setup == b.setup && before(b.run) == Some(a.run);
    }
}
