//! The store: a folder per run, which holds all that a history needs without the run's own directory.
//!
//! ```text
//! reports/history/<run_id>/
//!   run.json           RunCard: version of the layout, name and time of the run, runs it was merged from
//!   hosts.parquet      one row per host: how it ended, its state (epoch), program, theory and best read
//!   units.parquet      one row per unit: the columns of the run's frame, and the work of one iteration
//!   samples.parquet    one row per sample
//!   epochs.parquet     the facts behind the name of each host's state: host, epoch, key, value
//! ```
//!
//! Refuses to derive: figures come from the analysis of the run, and the model in [`super`] computes from samples.

use std::fs::{self, File};
use std::io::{BufWriter, Cursor};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bench_inventory::foreign::{Folder, Kind};
use polars::prelude::*;
use polars_io::prelude::{ParallelStrategy, ParquetReader, ParquetWriter};
use serde::{Deserialize, Serialize};

use crate::tables::frames::{self, column, frame};
use bench_analysis::guard::guarded;
use bench_analysis::limits::theory;
use bench_analysis::measured::{Analysis, HostAnalysis, Judged, UnitKind};
use bench_analysis::stats;
use bench_analysis::validity::fingerprint;
use bench_analysis::validity::verdict::Verdict;
use bench_locales::{Message, message};
use bench_run_dir::{MAX_RECORD_BYTES, MAX_STREAM_BYTES, RunManifest};

/// Version of the layout above and of the columns.
///
/// Changelog:
/// - 1: first version.
/// - 2: the round of each sample. Version 1 is read as before, as one round.
pub const HISTORY_VERSION: u32 = 2;

/// Columns of a run's frame of samples that the store keeps. What a sample did follows from its unit's work of one
/// iteration.
const SAMPLE_COLUMNS: [&str; 13] = [
    "run_id",
    "host",
    "unit",
    "environment",
    "round",
    "round_is_used",
    "sample_idx",
    "iterations",
    "elapsed_ns",
    "background_bytes",
    "since_start_ns",
    "lowest_khz",
    "celsius",
];

/// What stands before the frames of a run (`run.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCard {
    /// [`HISTORY_VERSION`] of the writer.
    pub version: u32,
    /// Name of the run.
    pub run_id: String,
    /// Start of the run, RFC 3339, UTC.
    pub started_at: String,
    /// Id of its suite.
    pub suite: String,
    /// Version of memwall.
    pub memwall_version: String,
    /// Git revision of the controller's source, if it is a checkout.
    pub git_revision: Option<String>,
    /// Names of all runs that it was merged from, however deep; they do not count beside it.
    pub parts: Vec<String>,
}

/// Only this much of a card is read before its version is known.
#[derive(Deserialize)]
struct CardVersion {
    version: u32,
}

/// A run as the store holds it.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// What it is.
    pub card: RunCard,
    /// One row per host.
    pub hosts: DataFrame,
    /// One row per unit.
    pub units: DataFrame,
    /// One row per sample.
    pub samples: DataFrame,
    /// One row per host and fact of its state.
    pub epochs: DataFrame,
}

impl StoredRun {
    /// What the store keeps of a run.
    ///
    /// # Errors
    /// When polars refuses the columns.
    pub fn of(analysis: &Analysis) -> anyhow::Result<StoredRun> {
        let manifest = &analysis.run.manifest;
        let mut parts = Vec::new();
        add_parts(manifest, &mut parts);
        parts.sort();
        parts.dedup();
        Ok(StoredRun {
            card: RunCard {
                version: HISTORY_VERSION,
                run_id: manifest.run_id.clone(),
                started_at: manifest.started_at.clone(),
                suite: manifest.suite.clone(),
                memwall_version: manifest.memwall_version.clone(),
                git_revision: manifest.git_revision.clone(),
                parts,
            },
            hosts: hosts(analysis)?,
            units: units(analysis)?,
            samples: frames::samples(analysis)?.select(SAMPLE_COLUMNS)?,
            epochs: epochs(analysis)?,
        })
    }

    /// Puts the run into the store, in place of an earlier version of it; returns its folder.
    ///
    /// The folder is written beside its place and renamed: a reader sees the old one or the new one, and a writer that
    /// is ended in between leaves one of them.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, history: &Path) -> anyhow::Result<PathBuf> {
        let folder = history.join(folder_name(&self.card.run_id));
        let aside = |what: &str| {
            let name = folder_name(&self.card.run_id);
            history.join(format!(".{what}-{}-{name}", std::process::id()))
        };
        let (beside, old) = (aside("new"), aside(OLD));
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(&beside)?;
            for (name, frame) in [
                ("hosts", &self.hosts),
                ("units", &self.units),
                ("samples", &self.samples),
                ("epochs", &self.epochs),
            ] {
                let file = File::create(beside.join(format!("{name}.parquet")))?;
                ParquetWriter::new(BufWriter::new(file)).finish(&mut frame.clone())?;
            }
            fs::write(
                beside.join("run.json"),
                serde_json::to_vec_pretty(&self.card)?,
            )?;
            if folder.exists() {
                fs::rename(&folder, &old)?;
            }
            fs::rename(&beside, &folder)?;
            if old.exists() {
                fs::remove_dir_all(&old)?;
            }
            Ok(())
        };
        let written = write();
        if written.is_err() {
            // A half-written folder has no use; the error is returned.
            let _ = fs::remove_dir_all(&beside);
        }
        written.with_context(|| {
            format!(
                "run `{}` cannot be added to the history `{}`; mend the cause, then run `cargo xtask history --add {}`",
                self.card.run_id,
                history.display(),
                self.card.run_id
            )
        })?;
        Ok(folder)
    }
}

/// Marks a folder that a newer version of the same run takes the place of.
const OLD: &str = "old";

/// A run of the store before its frames are read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) card: RunCard,
    pub(super) folder: PathBuf,
}

/// All runs of a store by the names of their folders, and a sentence for every folder that cannot be read. A store that
/// is not there is empty.
pub(super) fn entries(history: &Path) -> (Vec<Entry>, Vec<Message>) {
    let listed = Folder::open(history).and_then(|history| history.entries());
    let mut names: Vec<String> = (listed.into_iter().flatten())
        .filter(|entry| entry.kind == Kind::Folder)
        .map(|entry| entry.name.to_string_lossy().into_owned())
        .collect();
    // Sorted, what begins with a dot comes first: turned round, a folder that is being replaced comes last.
    names.sort();
    names.reverse();
    let mut entries: Vec<Entry> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        let is_old = name.starts_with(&format!(".{OLD}-"));
        if name.starts_with('.') && !is_old {
            continue;
        }
        let folder = history.join(&name);
        match card(&folder) {
            // Its writer was ended between the two renames: what it replaced is still what there is.
            Ok(card) if is_old && entries.iter().any(|entry| entry.card.run_id == card.run_id) => {}
            Ok(card) => entries.push(Entry { card, folder }),
            Err(_) if is_old => {}
            Err(error) => problems.push(unreadable(&name, &error)),
        }
    }
    entries.reverse();
    problems.sort_by_cached_key(ToString::to_string);
    (entries, problems)
}

fn card(folder: &Path) -> anyhow::Result<RunCard> {
    let bytes = Folder::open(folder).and_then(|folder| folder.read("run.json", MAX_RECORD_BYTES));
    let bytes = bytes.context("`run.json` cannot be read")?;
    let CardVersion { version } =
        serde_json::from_slice(&bytes).context("`run.json` names no version")?;
    anyhow::ensure!(
        version <= HISTORY_VERSION,
        "it was written in version {version}, this program knows {HISTORY_VERSION}: update it"
    );
    serde_json::from_slice(&bytes).context("`run.json` cannot be understood")
}

/// One sentence about a folder that is left out.
pub(super) fn unreadable(name: &str, error: &anyhow::Error) -> Message {
    let name = bench_run_dir::format::foreign_short(name, 100).replace('`', "'");
    let error = bench_run_dir::format::foreign_short(&format!("{error:#}").replace('\n', " "), 300);
    message!("history-left-out", name = name, error = error)
}

/// Reads some columns of one frame of a run.
pub(super) fn read_frame(folder: &Path, name: &str, columns: &[&str]) -> anyhow::Result<DataFrame> {
    let file = format!("{name}.parquet");
    let bytes = Folder::open(folder).and_then(|folder| folder.read(&file, MAX_STREAM_BYTES));
    let bytes = bytes.with_context(|| format!("`{file}` cannot be read"))?;
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    let read = || -> anyhow::Result<DataFrame> {
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let n_rows = reader.num_rows()?;
        anyhow::ensure!(
            n_rows <= MAX_ROWS,
            "it has {n_rows} rows, more than {MAX_ROWS}"
        );
        // On this thread, where what it does with damaged files is seen.
        let reader = reader.read_parallel(ParallelStrategy::None);
        Ok(reader.with_columns(Some(columns)).finish()?)
    };
    // The reader of the library panics on some damaged files instead of refusing them.
    guarded(read)
        .map_err(anyhow::Error::msg)
        .flatten()
        .map_err(|error| anyhow::anyhow!("`{file}` cannot be read: {error:#}"))
}

/// More rows than any run has: a small file can promise as many as it likes.
const MAX_ROWS: usize = 10_000_000;

fn add_parts(manifest: &RunManifest, parts: &mut Vec<String>) {
    for part in &manifest.parts {
        parts.push(part.run_id.clone());
        add_parts(part, parts);
    }
}

/// Folder of a run: its name, made safe where it could leave the store.
fn folder_name(run_id: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = !run_id.is_empty() && run_id.len() <= 100 && !run_id.starts_with('.');
    match is_name && run_id.chars().all(is_safe) {
        true => run_id.to_owned(),
        false => format!("run-{:016x}", stats::seed_of(&[run_id])),
    }
}

fn hosts(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let manifest = &analysis.run.manifest;
    let hosts = &analysis.hosts;
    let inventory = &analysis.run.inventory;
    let text = |pick: &dyn Fn(&HostAnalysis) -> Option<String>| {
        hosts.iter().map(pick).collect::<Vec<Option<String>>>()
    };
    let number = |pick: &dyn Fn(&HostAnalysis) -> Option<f64>| {
        hosts.iter().map(pick).collect::<Vec<Option<f64>>>()
    };
    let count = |verdict: Verdict| {
        let count = |host: &HostAnalysis| host.count(verdict) as u32;
        hosts.iter().map(count).collect::<Vec<u32>>()
    };
    let emulated: Vec<bool> = hosts.iter().map(|host| host.data.record.emulated).collect();
    let record = |host: &HostAnalysis| host.data.record.clone();
    let columns = vec![
        column("run_id", text(&|_| Some(manifest.run_id.clone()))),
        column("host", text(&|host| Some(host.name().to_owned()))),
        column(
            "board",
            text(&|host| theory::board_id(&host.data.record, inventory).map(str::to_owned)),
        ),
        column("transport", text(&|host| Some(record(host).transport))),
        column("emulated", emulated),
        column(
            "status",
            text(&|host| Some(host.data.record.status.name().into())),
        ),
        column(
            "stage",
            text(&|host| host.data.record.stage.map(|stage| stage.name().into())),
        ),
        column("reason", text(&|host| record(host).reason)),
        column("started_at", text(&|_| Some(manifest.started_at.clone()))),
        column("suite", text(&|_| Some(manifest.suite.clone()))),
        column(
            "memwall_version",
            text(&|_| Some(manifest.memwall_version.clone())),
        ),
        column("git_revision", text(&|_| manifest.git_revision.clone())),
        column("rustc", text(&|_| manifest.rustc.clone())),
        column(
            "artifact_sha256",
            text(&|host| record(host).artifact_sha256),
        ),
        column(
            "epoch",
            text(&|host| host.data.facts.as_ref().map(fingerprint::name)),
        ),
        column(
            "theory_gb_per_s",
            number(&|host| Some(host.theory.as_ref().ok()?.gb_per_s)),
        ),
        column(
            "best_read_gb_per_s",
            number(&|host| Some(host.best_read.as_ref()?.gb_per_s)),
        ),
        column(
            "best_read_unit",
            text(&|host| Some(host.best_read.as_ref()?.unit.clone())),
        ),
        column("n_ok", count(Verdict::Ok)),
        column("n_suspect", count(Verdict::Suspect)),
        column("n_invalid", count(Verdict::Invalid)),
        column("n_not_measured", count(Verdict::NotMeasured)),
    ];
    frame(columns)
}

/// The run's frame of units with the work of one iteration, which makes rates of samples, and whether the unit is only
/// there to be compared with the same one on the prepared board. A forced shape is part of the variant: what was forced is
/// not the board's best, and its line breaks there.
fn units(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let rows: Vec<&Judged> = (analysis.hosts.iter())
        .flat_map(HostAnalysis::all_units)
        .collect();
    let is_compared: Vec<bool> = (analysis.hosts.iter())
        .flat_map(|host| {
            let as_found = host.as_found.iter().map(|_| true);
            as_found.chain(host.units.iter().map(|_| false))
        })
        .collect();
    let work = |pick: fn(&bench_protocol::Work) -> u64| {
        rows.iter()
            .map(|unit| unit.work.as_ref().map(pick))
            .collect::<Vec<Option<u64>>>()
    };
    let kinds: Vec<&str> = rows.iter().map(|unit| kind_name(unit.kind)).collect();
    let more = vec![
        column("kind", kinds),
        column("compared_only", is_compared),
        column("read_bytes", work(|work| work.read_bytes)),
        column("written_bytes", work(|work| work.written_bytes)),
        column("ops", work(|work| work.ops)),
        column("tokens", work(|work| work.tokens)),
    ];
    let variant = |unit: &&Judged| match unit.is_shape_forced {
        true => format!("{} {}", unit.variant, unit.shapes().join(" ")),
        false => unit.variant.clone(),
    };
    let variants: Vec<String> = rows.iter().map(variant).collect();
    let mut units = frames::units(analysis)?;
    units.with_column(column("variant", variants))?;
    Ok(units.hstack(&more)?)
}

fn epochs(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for host in &analysis.hosts {
        let Some(facts) = &host.data.facts else {
            continue;
        };
        let name = fingerprint::name(facts);
        let facts = fingerprint::of(facts).into_iter();
        rows.extend(
            facts.map(|(key, value)| [host.name().to_owned(), name.clone(), key.to_owned(), value]),
        );
    }
    let cells = |i: usize| {
        rows.iter()
            .map(|row| row[i].clone())
            .collect::<Vec<String>>()
    };
    frame(vec![
        column("host", cells(0)),
        column("epoch", cells(1)),
        column("key", cells(2)),
        column("value", cells(3)),
    ])
}

/// The stable name of a sort of kernel.
pub(super) fn kind_name(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Stream => "stream",
        UnitKind::Gemv => "gemv",
        UnitKind::Decode => "decode",
        UnitKind::Gemm => "gemm",
        UnitKind::Prefill => "prefill",
        UnitKind::Latency => "latency",
        UnitKind::Peak => "peak",
        UnitKind::External => "external",
    }
}
