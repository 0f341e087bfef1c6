//! Imported results in a run directory: each file byte for byte as another program printed it, and an index that says
//! what each is (`imports/index.jsonl`).
//!
//! The figures are read anew from the files whenever a report is rendered; nothing derived is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::files::sha256;
use crate::import::{self, Imported, Tool};

/// Folder of the imported files.
pub const FOLDER: &str = "imports";

/// Path of the index in a run directory.
pub const INDEX: &str = "imports/index.jsonl";

/// Hexadecimal digits of the SHA-256 that name a file.
const NAME_DIGITS: usize = 16;

/// Endings that a stored file keeps; another one becomes `txt`.
const ENDINGS: [&str; 5] = ["json", "jsonl", "csv", "txt", "log"];

/// One imported file: a line of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Path in the run directory.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// [`Tool::id`] of the program that printed it.
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

/// An imported file and what it holds.
#[derive(Debug)]
pub struct ImportData {
    /// Its line of the index.
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
pub fn read(dir: &Path, problems: &mut Vec<String>) -> Vec<ImportData> {
    let bytes = match fs::read(dir.join(INDEX)) {
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
        match read_one(dir, &record) {
            Ok(imported) => data.push(ImportData { record, imported }),
            Err(problem) => problems.push(format!(
                "imported file `{}` (`{}`) is left out: {problem}",
                record.file,
                crate::format::foreign_short(&record.original_name, 60)
            )),
        }
    }
    data
}

fn read_one(dir: &Path, record: &ImportRecord) -> Result<Imported, String> {
    let tool = Tool::from_id(&record.tool).ok_or_else(|| {
        let tool = crate::format::foreign_short(&record.tool, 40);
        format!("this program knows no tool `{tool}`; update it")
    })?;
    let path = dir.join(&record.file);
    // A link could lead out of the run directory.
    let metadata =
        fs::symlink_metadata(&path).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let bytes = fs::read(&path).map_err(|error| format!("cannot be read: {error}"))?;
    if sha256(&bytes) != record.sha256 {
        return Err("it was changed after it was imported".to_owned());
    }
    let text = String::from_utf8_lossy(&bytes);
    import::parse(tool, &text).map_err(|error| error.to_string())
}

/// Adds files to a run directory: the records with the content of each. Those whose content is there already are left
/// out. Returns how many were added.
///
/// # Errors
/// When the index of the run directory is broken or the disk does not take the files.
pub fn add(dir: &Path, new: &[(ImportRecord, Vec<u8>)]) -> anyhow::Result<usize> {
    let index = dir.join(INDEX);
    let bytes = match fs::read(&index) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        read => read.with_context(|| format!("cannot read `{}`", index.display()))?,
    };
    let (mut records, broken) = parse_index(&bytes);
    // Written anew, a broken line would be lost.
    anyhow::ensure!(broken.is_empty(), "{}", broken.join("; "));
    let n_before = records.len();
    for (record, content) in new {
        if records.iter().any(|other| other.sha256 == record.sha256) {
            continue;
        }
        replace(&dir.join(&record.file), content)?;
        records.push(record.clone());
    }
    if records.len() > n_before {
        replace(&index, &index_bytes(&records))?;
    }
    Ok(records.len() - n_before)
}

/// Writes beside the place and renames, so that no half file stays there.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("json.tmp");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
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
            let mut differ = |what: &str, a: &str, b: &str| {
                if a != b {
                    let (a, b) = (a.min(b), a.max(b));
                    problems.insert(format!(
                        "imported file `{}` has different {what}s in the runs: `{a}` and `{b}`; import it anew in one of them",
                        &record.sha256[..NAME_DIGITS.min(record.sha256.len())]
                    ));
                }
            };
            differ("tool", &known.tool, &record.tool);
            if let (Some(a), Some(b)) = (&known.board, &record.board) {
                differ("board", a, b);
            }
            if let (Some(a), Some(b)) = (&known.host, &record.host) {
                differ("host", a, b);
            }
            known.board = known.board.take().or(record.board);
            known.host = known.host.take().or(record.host);
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
