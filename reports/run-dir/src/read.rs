//! Reads a run directory and never gives up on it: whatever is broken becomes a named problem beside what is left.

mod outputs;
mod places;
mod units;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::Path;

use anyhow::Context as _;
use bench_inventory::foreign::{Folder, Kind};
use bench_inventory::{Diagnostic, Inventory};
use bench_protocol::{
    Done, EnvironmentStep, Facts, Hello, Message, OutputPart, RunRequest, UnitReady, UnitSpec,
};
use serde::de::DeserializeOwned;

use self::places::{host_names, read_stream_file, there_or_told};
pub use self::units::{ExternalOutput, RoundData, UnitData};
use super::imports::{self, ImportData};
use super::{
    HostRecord, HostStatus, LeftOut, MAX_LINE_BYTES, MAX_RECORD_BYTES, PreviousRun,
    RUN_DIR_VERSION, RunManifest, Stage,
};
use crate::format;
use crate::stream::{StreamState, Taken};

/// Garbage lines of which the start is kept for the report; all of them are counted.
const N_GARBAGE_KEPT: usize = 5;

/// Facts stand within the first bytes of a stream.
const MAX_FACTS_BYTES: u64 = 1 << 20;

/// Everything a run directory holds.
#[derive(Debug, Default)]
pub struct RunData {
    /// What was run. When `manifest.json` is missing or broken this is made up from the directory's name.
    pub manifest: RunManifest,
    /// Hosts in the order of the manifest, then hosts that only have a folder.
    pub hosts: Vec<HostData>,
    /// The inventory of that day, without the files of it that cannot be read.
    pub inventory: Inventory,
    /// Results of other programs, in the order of their hashes.
    pub imports: Vec<ImportData>,
    /// Results of other programs that this run ran itself, as units.
    pub outputs: Vec<ImportData>,
    /// Whether the Parquet frames are there.
    pub has_frames: bool,
    /// What is wrong with the directory itself, in plain words.
    pub problems: Vec<String>,
}

/// Everything one host left behind.
#[derive(Debug, Clone)]
pub struct HostData {
    /// What became of it; made up when `host.json` is missing.
    pub record: HostRecord,
    /// First line of its stream.
    pub hello: Option<Hello>,
    /// What the board told about itself (the last facts message).
    pub facts: Option<Facts>,
    /// What it was in the run before.
    pub previous: Option<PreviousRun>,
    /// What was asked of it.
    pub request: Option<RunRequest>,
    /// What the time budget left out.
    pub left_out: Option<LeftOut>,
    /// Units in the order of the request; where that is missing, in the order of the stream.
    pub units: Vec<UnitData>,
    /// Last line of a complete stream.
    pub done: Option<Done>,
    /// Lines of the stream that are no messages: number in the file from 1, and what the parser says.
    pub garbage: Vec<(usize, String)>,
    /// All lines of the stream that are no messages.
    pub n_garbage_lines: usize,
    /// Settings of the board that were changed and put back, in the order of the stream.
    pub steps: Vec<EnvironmentStep>,
    /// What the board's supervisor told people.
    pub notes: Vec<String>,
    /// What the lines of its stream come to.
    pub stream: StreamState,
    /// Whether all that is there of its stream could be read.
    pub has_whole_stream: bool,
    /// Contradictions between this host's files, in plain words.
    pub problems: Vec<String>,
}

impl RunData {
    /// Whether other programs printed results, imported or run here.
    pub fn has_results_of_others(&self) -> bool {
        !self.imports.is_empty() || !self.outputs.is_empty()
    }
}

/// Reads a run directory.
///
/// # Errors
/// Only when `dir` is not a folder that can be listed. Everything else that is broken is told in
/// [`RunData::problems`] and [`HostData::problems`].
pub fn read(dir: &Path) -> anyhow::Result<RunData> {
    let folder = Folder::open(dir)
        .with_context(|| format!("cannot read the run directory `{}`", dir.display()))?;
    let mut problems = Vec::new();
    let manifest = read_json::<RunManifest>(&folder, "manifest.json", &mut problems);
    if manifest.is_none() && problems.is_empty() {
        problems.push(
            "`manifest.json` is missing: the command line and the times of the run are unknown"
                .into(),
        );
    }
    let manifest = manifest.unwrap_or_else(|| made_up_manifest(dir));
    if manifest.version > RUN_DIR_VERSION {
        problems.push(format!(
            "the run was written in version {} of the layout, this program knows {RUN_DIR_VERSION}: update it",
            manifest.version
        ));
    }
    let mut hosts: Vec<HostData> = host_names(&folder, &manifest, &mut problems)
        .iter()
        .map(|host| read_host(&folder, host, &manifest))
        .collect();
    let inventory = read_inventory(&folder, dir, &mut problems);
    let imports = imports::read(&folder, &mut problems);
    let is_frame = |name: &&str| {
        let kind = folder.kind(&format!("frames/{name}.parquet"));
        matches!(kind, Ok(Some(Kind::File)))
    };
    Ok(RunData {
        manifest,
        inventory,
        outputs: outputs::of_units(&mut hosts),
        hosts,
        imports,
        has_frames: ["units", "samples"].iter().all(is_frame),
        problems,
    })
}

/// The readable part of the run's copy of the inventory.
fn read_inventory(folder: &Folder, dir: &Path, problems: &mut Vec<String>) -> Inventory {
    match folder.folder("inventory") {
        Ok(copy) => {
            let path = dir.join("inventory");
            let (inventory, diagnostics) = bench_inventory::load_foreign_catalogue(copy, &path);
            problems.extend(left_out_files(dir, &diagnostics));
            inventory
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Inventory::default(),
        Err(error) => {
            problems.push(format!("`inventory` cannot be read: {error}"));
            Inventory::default()
        }
    }
}

/// One sentence for every file of the inventory's copy that has mistakes.
fn left_out_files(dir: &Path, diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics
        .chunk_by(|a, b| a.file == b.file)
        .map(|of_file| {
            let first = &of_file[0];
            // Relative, so that a report does not depend on where the run directory lies.
            let file = first.file.strip_prefix(dir).unwrap_or(&first.file);
            let line = match first.line {
                0 => String::new(),
                line => format!(", line {line}"),
            };
            let more = match of_file.len() - 1 {
                0 => String::new(),
                n => format!(" (and {})", format::count(n, "more mistake", "more mistakes")),
            };
            format!(
                "part of the run's inventory is left out, since it cannot be read: `{}`{line}: {}{more}",
                file.display(),
                first.title
            )
        })
        .collect()
}

fn made_up_manifest(dir: &Path) -> RunManifest {
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    RunManifest {
        version: RUN_DIR_VERSION,
        run_id: name.unwrap_or_else(|| "unnamed run".into()),
        ..RunManifest::default()
    }
}

/// The contents of a host's files; `None` for one that does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFiles {
    /// `host.json`.
    pub record: Option<Vec<u8>>,
    /// `request.json`.
    pub request: Option<Vec<u8>>,
    /// `left_out.json`.
    pub left_out: Option<Vec<u8>>,
    /// `previous.json`.
    pub previous: Option<Vec<u8>>,
    /// `stream.jsonl`.
    pub stream: Option<Vec<u8>>,
}

fn read_host(folder: &Folder, host: &str, manifest: &RunManifest) -> HostData {
    let mut problems = Vec::new();
    let folder = match folder.folder(&format!("hosts/{host}")) {
        Ok(folder) => Some(folder),
        Err(error) => {
            // A host that was never begun has no folder.
            if error.kind() != ErrorKind::NotFound {
                problems.push(format!("its folder cannot be read: {error}"));
            }
            None
        }
    };
    let has_folder_or_none = problems.is_empty();
    let mut record = |name: &str| {
        let read = folder.as_ref()?.read(name, MAX_RECORD_BYTES);
        there_or_told(name, read, &mut problems)
    };
    let mut files = HostFiles {
        record: record("host.json"),
        request: record("request.json"),
        left_out: record("left_out.json"),
        previous: record("previous.json"),
        stream: None,
    };
    let mut unread = Vec::new();
    if let Some(folder) = &folder {
        files.stream = read_stream_file(folder, &mut unread);
    }
    let has_whole_stream = has_folder_or_none && unread.is_empty();
    problems.append(&mut unread);
    let attempts = (folder.as_ref()).and_then(|folder| folder.folder("attempts").ok());
    let attempts = attempts.and_then(|attempts| attempts.entries().ok());
    let n_attempts = attempts.map_or(0, |attempts| attempts.len());
    if n_attempts > 0 {
        let attempts = format::count(n_attempts, "other attempt", "other attempts");
        problems.push(format!(
            "{attempts} of this host lie in `attempts/`: the runs that were merged measured it more than once"
        ));
    }
    let mut data = read_host_files(host, &files, manifest);
    if data.record.host != host {
        problems.push(format!(
            "`host.json` is that of another host, `{}`",
            format::foreign_short(&data.record.host, 60)
        ));
        data.record.host = host.to_owned();
    }
    problems.append(&mut data.problems);
    data.problems = problems;
    data.has_whole_stream = has_whole_stream;
    data
}

/// Reads the files of one host, whatever is in them; `manifest` tells what was going on when its record is missing.
pub fn read_host_files(host: &str, files: &HostFiles, manifest: &RunManifest) -> HostData {
    let mut problems = Vec::new();
    let record = parse_json::<HostRecord>("host.json", files.record.as_deref(), &mut problems);
    let record = record.unwrap_or_else(|| made_up_record(host, files.stream.is_some(), manifest));
    let mut request =
        parse_json::<RunRequest>("request.json", files.request.as_deref(), &mut problems);
    // As the stream's names are: a name that is cleaned in one only would be another unit.
    for unit in request.iter_mut().flat_map(|request| &mut request.units) {
        unit.unit = bench_protocol::foreign_short(&unit.unit, bench_protocol::MAX_TEXT_CHARS);
    }
    let left_out = parse_json::<LeftOut>("left_out.json", files.left_out.as_deref(), &mut problems);
    let mut data = HostData {
        record,
        hello: None,
        facts: None,
        previous: parse_json("previous.json", files.previous.as_deref(), &mut problems),
        units: (request.iter())
            .flat_map(|request| asked_units(&request.units))
            .collect(),
        request,
        left_out,
        done: None,
        garbage: Vec::new(),
        n_garbage_lines: 0,
        steps: Vec::new(),
        notes: Vec::new(),
        stream: StreamState::default(),
        has_whole_stream: true,
        problems,
    };
    data.stream = StreamState::of(data.request.as_ref());
    if let Some(bytes) = &files.stream {
        read_stream(bytes, &mut data);
    }
    settle(&mut data);
    data
}

/// What a host told in the newest run of a folder that has a word of it. Names of runs begin with their time.
pub fn last_facts(runs_dir: &Path, host: &str) -> Option<PreviousRun> {
    let mut runs: Vec<_> = (fs::read_dir(runs_dir).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .collect();
    runs.sort();
    runs.iter().rev().find_map(|run| {
        let folder = Folder::open(run).ok()?;
        let file = folder
            .open_file(&format!("hosts/{host}/stream.jsonl"))
            .ok()?;
        // Facts come first; what follows may be long.
        let lines = BufReader::new(file.take(MAX_FACTS_BYTES)).lines();
        let mut messages = lines
            .map_while(Result::ok)
            .filter_map(|line| bench_protocol::parse_line(&line).ok());
        let facts = messages.find_map(|message| match message {
            Message::Facts(facts) => Some(*facts),
            _ => None,
        })?;
        let run_id = run.file_name()?.to_string_lossy().into_owned();
        Some(PreviousRun { run_id, facts })
    })
}

/// The units of a request, each with its rounds, in the order in which they are first named.
fn asked_units(specs: &[UnitSpec]) -> Vec<UnitData> {
    let mut units: Vec<UnitData> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for spec in specs {
        let at = *index.entry(&spec.unit).or_insert_with(|| {
            units.push(UnitData::of(spec));
            units.len() - 1
        });
        units[at].round(spec.round);
    }
    units
}

/// A host without `host.json`: the controller ended before this host did, or no part of a merged run has it.
fn made_up_record(host: &str, has_stream: bool, manifest: &RunManifest) -> HostRecord {
    let still_running = manifest.finished_at.is_none() && !manifest.interrupted;
    let (status, stage, reason) = if !has_stream && !manifest.parts.is_empty() {
        let reason =
            "no part of this merged run measured the host; run the missing shard, then merge again";
        (HostStatus::Failed, Some(Stage::Plan), reason.to_owned())
    } else {
        let cause = match still_running {
            true => "controller ended before this host did (or the run is still going on)",
            false => "controller ended before this host did",
        };
        let reason = format!("{cause}; `host.json` is missing or broken, run this host again");
        let stage = has_stream.then_some(Stage::Measure);
        (HostStatus::Interrupted, stage, reason)
    };
    HostRecord {
        host: host.to_owned(),
        board: None,
        transport: "unknown".into(),
        emulated: false,
        status,
        stage,
        reason: Some(reason),
        stderr_tail: Vec::new(),
        n_garbage_lines: 0,
        complete: false,
        artifact_sha256: None,
        stage_s: BTreeMap::new(),
        unrestored: Vec::new(),
    }
}

fn read_stream(bytes: &[u8], data: &mut HostData) {
    let mut index: BTreeMap<String, usize> = (data.units.iter().enumerate())
        .map(|(i, unit)| (unit.unit.clone(), i))
        .collect();
    for (i, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let problem = match (parse_bytes(line), line.ends_with(b"\n")) {
            (Ok(message), _) => match data.stream.take(&message) {
                Taken::Counts => {
                    take(message, data, &mut index);
                    continue;
                }
                Taken::NotAsked => format!(
                    "the line is about the unit `{}`, which was not asked for",
                    message.unit().unwrap_or_default()
                ),
            },
            (Err(problem), true) => {
                data.stream.take_garbage();
                problem
            }
            // Cut off by the controller's own end: the board has it whole.
            (Err(problem), false) => problem,
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        data.n_garbage_lines += 1;
        if data.garbage.len() < N_GARBAGE_KEPT {
            data.garbage.push((i + 1, problem));
        }
    }
}

/// The message of a line as it arrived; what is wrong with it where it has none.
fn parse_bytes(line: &[u8]) -> Result<Message, String> {
    if line.len() as u64 > MAX_LINE_BYTES {
        return Err(format!("it has more than {} KiB", MAX_LINE_BYTES >> 10));
    }
    let text = std::str::from_utf8(line).map_err(|error| format!("it is not UTF-8: {error}"))?;
    bench_protocol::parse_line(text).map_err(|error| error.to_string())
}

fn take(message: Message, data: &mut HostData, index: &mut BTreeMap<String, usize>) {
    match message {
        Message::Hello(hello) => {
            // A resumed host appends a second stream: only that one's last line counts.
            data.done = None;
            data.hello = Some(hello);
        }
        Message::Facts(facts) => data.facts = Some(*facts),
        Message::Environment(step) => data.steps.push(step),
        Message::Note(note) | Message::Left(note) => data.notes.push(note.text),
        Message::Reading(reading) => {
            let unit = unit_mut(&reading.unit, data, index);
            unit.round(reading.round).readings.push(reading);
        }
        Message::UnitState(state) => {
            let unit = unit_mut(&state.unit, data, index);
            let round = unit.round(state.round);
            round.state = Some(state);
        }
        Message::Done(done) => data.done = Some(done),
        Message::UnitReady(ready) => {
            let unit = unit_mut(&ready.unit, data, index);
            let again = begin(unit.round(ready.round), ready);
            data.problems.extend(again);
        }
        Message::OutputPart(part) => take_part(part, data, index),
        Message::Output(end) => {
            let output = &mut unit_mut(&end.unit, data, index).output;
            let output = output.get_or_insert_default();
            let n_missing = end.n_parts.saturating_sub(output.n_parts);
            let problem = (n_missing > 0).then(|| {
                format!(
                    "of the output of unit `{}` {n_missing} of {} parts are missing: it is not used",
                    end.unit, end.n_parts
                )
            });
            output.end = Some(end);
            data.problems.extend(problem);
        }
        Message::Sample(sample) => {
            let unit = unit_mut(&sample.unit, data, index);
            unit.round(sample.round).samples.push(sample);
        }
        Message::UnitEnd(end) => {
            let unit = unit_mut(&end.unit, data, index);
            let round = unit.round(end.round);
            round.end = Some(end);
        }
    }
}

/// A second start of a round replaces the first, whose samples were cut off; tells so.
fn begin(round: &mut RoundData, ready: UnitReady) -> Option<String> {
    let n_before = round.samples.len();
    let again = (n_before > 0).then(|| {
        format!(
            "unit `{}` was begun again; {n_before} samples of the attempt before are kept in `stream.jsonl` and enter no figure",
            ready.unit
        )
    });
    let mut readings = std::mem::take(&mut round.readings);
    readings.retain(|reading| reading.since_start_ms == 0);
    *round = RoundData {
        ready: Some(ready),
        readings,
        ..RoundData::default()
    };
    again
}

fn take_part(part: OutputPart, data: &mut HostData, index: &mut BTreeMap<String, usize>) {
    let unit = unit_mut(&part.unit, data, index);
    // A second start replaces the first.
    let output = match part.part_idx {
        0 => {
            unit.round(0).end = None;
            unit.output.insert(ExternalOutput::default())
        }
        _ => unit.output.get_or_insert_default(),
    };
    // Parts arrive in order; one that is missing leaves a gap that the count at the end shows.
    if part.part_idx >= output.n_parts {
        output.stdout.push_str(&part.text);
        output.n_parts = output.n_parts.saturating_add(1);
    }
}

fn unit_mut<'a>(
    name: &str,
    data: &'a mut HostData,
    index: &mut BTreeMap<String, usize>,
) -> &'a mut UnitData {
    let at = *index.entry(name.to_owned()).or_insert_with(|| {
        data.units.push(UnitData {
            unit: name.to_owned(),
            ..UnitData::default()
        });
        data.units.len() - 1
    });
    &mut data.units[at]
}

/// Holds what the controller wrote against what the board sent; the stream wins where they disagree.
fn settle(data: &mut HostData) {
    data.record.n_garbage_lines = u32::try_from(data.n_garbage_lines).unwrap_or(u32::MAX);
    data.record.complete = data.done.is_some();
    if let Some(hello) = &data.hello
        && hello.protocol > bench_protocol::PROTOCOL_VERSION
    {
        data.problems.push(format!(
            "the board program speaks version {} of the protocol, this program version {}",
            hello.protocol,
            bench_protocol::PROTOCOL_VERSION
        ));
    }
    let measured = data.units.iter().any(|unit| unit.n_samples() > 0);
    if data.record.status == HostStatus::Ok && data.done.is_none() {
        data.record.status = HostStatus::Failed;
        data.record.stage.get_or_insert(Stage::Measure);
        data.record.reason.get_or_insert_with(|| match measured {
            true => "the stream ends without its `done` record: it is truncated; what came before is kept".into(),
            false => "the stream holds no measurements and no `done` record".into(),
        });
    }
    if let Some(done) = data.done {
        let n_samples: usize = data.units.iter().map(UnitData::n_samples).sum();
        if n_samples < done.n_samples as usize {
            data.problems.push(format!(
                "the board sent {} samples, {n_samples} of them are readable",
                done.n_samples
            ));
        }
    }
}

/// Reads a JSON file; a broken one is a problem, a missing one is `None` without a word.
fn read_json<T: DeserializeOwned>(
    folder: &Folder,
    name: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let bytes = there_or_told(name, folder.read(name, MAX_RECORD_BYTES), problems)?;
    parse_json(name, Some(&bytes), problems)
}

/// As [`read_json`], from a file's content.
fn parse_json<T: DeserializeOwned>(
    name: &str,
    bytes: Option<&[u8]>,
    problems: &mut Vec<String>,
) -> Option<T> {
    match serde_json::from_slice(bytes?) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(format!("`{name}` is broken: {error}"));
            None
        }
    }
}
