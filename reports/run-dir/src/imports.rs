//! Imported results in a run directory: each file byte for byte as another program printed it, and an index that says
//! what each is (`imports/index.jsonl`).
//!
//! The figures are read again from the files whenever a report is rendered; nothing derived is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use bench_inventory::foreign::Folder;
use serde::{Deserialize, Serialize};

use super::MAX_RECORD_BYTES;
use super::files::sha256;
use crate::readers::{self, Imported, Tool};

/// Folder of the imported files.
pub const FOLDER: &str = "imports";

/// Path of the index in a run directory.
pub const INDEX: &str = "imports/index.jsonl";

/// Hexadecimal digits of the SHA-256 that name a file.
const NAME_DIGITS: usize = 16;

/// Stands between the tools of one file.
const TOOL_SEPARATOR: &str = "+";

/// Endings that a stored file keeps; another one becomes `txt`.
const ENDINGS: [&str; 5] = ["json", "jsonl", "csv", "txt", "log"];

/// One imported file: a line of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Path in the run directory.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// [`Tool::id`] of the program that printed it; of several programs, joined by `+`.
    pub tool: String,
    /// Catalogue id of the board that it ran on, if the importer named one.
    pub board: Option<String>,
    /// Name of the host that it ran on, if the importer named one.
    pub host: Option<String>,
    /// Name that the file had, without its folder.
    pub original_name: String,
    /// When it was imported, RFC 3339, UTC.
    pub imported_at: String,
}

/// What one program printed into an imported file.
#[derive(Debug)]
pub struct ImportData {
    /// The file's line of the index, with this program as its tool.
    pub record: ImportRecord,
    /// What it holds.
    pub imported: Imported,
}

/// Where a file with this content is stored.
pub fn place(sha256: &str, original_name: &str) -> String {
    let ending = Path::new(original_name).extension();
    let ending = ending.and_then(|ending| ending.to_str());
    let ending = ending.map(str::to_ascii_lowercase).unwrap_or_default();
    let ending = match ENDINGS.contains(&ending.as_str()) {
        true => ending,
        false => "txt".to_owned(),
    };
    let name: String = sha256.chars().take(NAME_DIGITS).collect();
    format!("{FOLDER}/{name}.{ending}")
}

/// The index as it is written: a line per file, in the order of their hashes.
pub fn index_bytes<'a>(records: impl IntoIterator<Item = &'a ImportRecord>) -> Vec<u8> {
    let by_hash: BTreeMap<&str, &ImportRecord> = (records.into_iter())
        .map(|record| (record.sha256.as_str(), record))
        .collect();
    let mut bytes = Vec::new();
    for record in by_hash.values() {
        bytes.extend(serde_json::to_vec(record).expect("a record is plain data"));
        bytes.push(b'\n');
    }
    bytes
}

/// The lines of an index, and a sentence for each that is broken.
pub fn parse_index(bytes: &[u8]) -> (Vec<ImportRecord>, Vec<String>) {
    let text = String::from_utf8_lossy(bytes);
    let mut records: Vec<ImportRecord> = Vec::new();
    let mut problems = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<ImportRecord>(line) {
            Ok(record) if !is_place(&record.file) => problems.push(format!(
                "`{INDEX}`, line {}: `{}` is no file of that folder",
                i + 1,
                crate::format::foreign_short(&record.file, 60)
            )),
            Ok(record) if records.iter().any(|other| other.sha256 == record.sha256) => {
                problems.push(format!(
                    "`{INDEX}`, line {}: the file is listed twice",
                    i + 1
                ));
            }
            Ok(record) => records.push(record),
            Err(error) => {
                problems.push(format!("`{INDEX}`, line {}, is broken: {error}", i + 1));
            }
        }
    }
    (records, problems)
}

/// Whether a path is one that [`place`] makes: what an index names is read, and must not lead elsewhere.
fn is_place(path: &str) -> bool {
    let name = path
        .strip_prefix(FOLDER)
        .and_then(|it| it.strip_prefix('/'));
    let parts = name.and_then(|name| name.split_once('.'));
    parts.is_some_and(|(digits, ending)| {
        digits.len() == NAME_DIGITS
            && digits.chars().all(|c| c.is_ascii_hexdigit())
            && ENDINGS.contains(&ending)
    })
}

/// Reads the imported files of a run directory; whatever is broken becomes a named problem beside what is left.
pub fn read(run: &Folder, problems: &mut Vec<String>) -> Vec<ImportData> {
    let bytes = match run.read(INDEX, MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(format!("`{INDEX}` cannot be read: {error}"));
            return Vec::new();
        }
    };
    let (mut records, broken) = parse_index(&bytes);
    problems.extend(broken);
    // The order in which files were added says nothing, and a merge would change it.
    records.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    let mut data = Vec::new();
    for record in records {
        match read_one(run, &record) {
            Ok(parts) => data.extend(parts),
            Err(problem) => problems.push(format!(
                "imported file `{}` (`{}`) is left out: {problem}",
                record.file,
                crate::format::foreign_short(&record.original_name, 60)
            )),
        }
    }
    data
}

fn read_one(run: &Folder, record: &ImportRecord) -> Result<Vec<ImportData>, String> {
    let bytes = run.read(&record.file, readers::MAX_BYTES as u64);
    let bytes = bytes.map_err(|error| format!("cannot be read: {error}"))?;
    if sha256(&bytes) != record.sha256 {
        return Err("it was changed after it was imported".to_owned());
    }
    let text = readers::text(&bytes)?;
    let parts = record.tool.split(TOOL_SEPARATOR).map(|id| {
        let tool = Tool::from_id(id).ok_or_else(|| {
            let tool = crate::format::foreign_short(id, 40);
            format!("this program knows no tool `{tool}`; update it")
        })?;
        let imported = readers::parse(tool, &text).map_err(|error| error.to_string())?;
        let record = ImportRecord {
            tool: id.to_owned(),
            ..record.clone()
        };
        Ok(ImportData { record, imported })
    });
    parts.collect()
}

/// What the index says of a file that these tools printed.
pub fn tools(tools: &[Tool]) -> String {
    let ids: Vec<&str> = tools.iter().map(|tool| tool.id()).collect();
    ids.join(TOOL_SEPARATOR)
}

/// Files that are about to be added to a run directory.
#[derive(Debug)]
pub struct Addition {
    before: Vec<ImportRecord>,
    records: Vec<ImportRecord>,
    added: Vec<(ImportRecord, Vec<u8>)>,
}

impl Addition {
    /// What adding these files to a run directory comes to: the records with the content of each. Content that is there
    /// already is not added again; its record takes the board and the host that it lacked.
    ///
    /// # Errors
    /// When the index of the run directory is broken, or says other things of a file.
    pub fn of(dir: &Path, files: Vec<(ImportRecord, Vec<u8>)>) -> anyhow::Result<Addition> {
        let index = Folder::open(dir).and_then(|run| run.read(INDEX, MAX_RECORD_BYTES));
        let bytes = match index {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.with_context(|| format!("cannot read `{}`", dir.join(INDEX).display()))?,
        };
        let (before, broken) = parse_index(&bytes);
        // Rewritten, a broken line would be lost.
        anyhow::ensure!(broken.is_empty(), "{}", broken.join("; "));
        let mut records = before.clone();
        let mut added = Vec::new();
        let mut problems = BTreeSet::new();
        for file in files {
            match records
                .iter_mut()
                .find(|known| known.sha256 == file.0.sha256)
            {
                Some(known) => problems.extend(join(known, &file.0)),
                None => {
                    records.push(file.0.clone());
                    added.push(file);
                }
            }
        }
        let problems: Vec<String> = problems.into_iter().collect();
        anyhow::ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(Addition {
            before,
            records,
            added,
        })
    }

    /// Files that the run directory does not have yet.
    pub fn n_added(&self) -> usize {
        self.added.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records == self.before
    }

    /// Writes the files, then the index.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let write = || -> std::io::Result<()> {
            let run = Folder::open(dir)?;
            for (record, content) in &self.added {
                run.replace(&record.file, content)?;
            }
            run.replace(INDEX, &index_bytes(&self.records))
        };
        write().with_context(|| format!("cannot write to `{}`", dir.join(FOLDER).display()))
    }
}

/// Joins what two records say of one file: what one leaves open the other may tell. Returns a sentence for each thing
/// that they say differently.
fn join(known: &mut ImportRecord, other: &ImportRecord) -> Vec<String> {
    let mut problems = Vec::new();
    let mut differ = |what: &str, a: &str, b: &str| {
        if a != b {
            let (a, b) = (a.min(b), a.max(b));
            problems.push(format!(
                "imported file `{FOLDER}/{}` is known with different {what}s: `{a}` and `{b}`; only one of them can be right, so leave the other out",
                known.sha256.chars().take(NAME_DIGITS).collect::<String>()
            ));
        }
    };
    differ("tool", &known.tool, &other.tool);
    if let (Some(a), Some(b)) = (&known.board, &other.board) {
        differ("board", a, b);
    }
    if let (Some(a), Some(b)) = (&known.host, &other.host) {
        differ("host", a, b);
    }
    known.board = known.board.take().or_else(|| other.board.clone());
    known.host = known.host.take().or_else(|| other.host.clone());
    problems
}

/// The index of a merged run: the union by hash, from those of its parts.
#[derive(Debug, Default)]
pub(super) struct MergedIndex {
    records: BTreeMap<String, ImportRecord>,
}

impl MergedIndex {
    /// Takes the index of one part. What one index leaves open the other one may tell; two that say different things
    /// of one file are a problem.
    pub(super) fn take(&mut self, bytes: &[u8], problems: &mut BTreeSet<String>) {
        let (records, broken) = parse_index(bytes);
        problems.extend(broken);
        for record in records {
            let Some(known) = self.records.get_mut(&record.sha256) else {
                self.records.insert(record.sha256.clone(), record);
                continue;
            };
            problems.extend(join(known, &record));
            // The same content under two names or times: the smaller of each, whatever the order.
            for (known, other) in [
                (&mut known.file, record.file),
                (&mut known.original_name, record.original_name),
                (&mut known.imported_at, record.imported_at),
            ] {
                if other < *known {
                    *known = other;
                }
            }
        }
    }

    /// The index as it is written; `None` when no part has one.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        (!self.records.is_empty()).then(|| index_bytes(self.records.values()))
    }
}
