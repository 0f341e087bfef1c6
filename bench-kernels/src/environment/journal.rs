//! What was changed on this board, on its disk before the change is made.
//!
//! One line a change. The file is only ever replaced as a whole, so a power cut leaves the one before or the one after,
//! and never a torn line: a file that is neither was damaged. Each line therefore says its format, how many lines there
//! are, and a checksum of all it says. What cannot be read may be the only trace of a changed setting: it is told,
//! stays, and is removed by a person, never here.
//!
//! Lines without a version were written by programs up to protocol 4, which appended them; they are read as they are.
//! Those programs read the lines written here, too.

use std::io::Result;

use bench_protocol::Setting;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::Store;

/// Format of a line. 1 had neither version, place nor checksum.
const VERSION: u32 = 2;

/// Name of the journal in the board's store.
pub const FILE: &str = "journal.jsonl";

/// Begins the line that stands for lines which are missing.
const MISSING: &str = "memwall: ";
const CUT_OFF: &str = "the file was cut off";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is changed.
    pub setting: Setting,
    /// Its value before.
    pub before: String,
    /// Its value for measuring.
    pub wanted: String,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A change that was not put back.
    Entry(Entry),
    /// Something that is not an entry of a known format.
    Unreadable {
        /// As it stands there.
        bytes: Vec<u8>,
        /// Why it is not read.
        why: String,
    },
}

/// An entry as it stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    /// Lines of the whole file.
    of: usize,
    setting: Setting,
    before: String,
    wanted: String,
    /// Beginning of the SHA-256 of the record with this field empty.
    check: String,
}

/// An entry of format 1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstRecord {
    setting: Setting,
    before: String,
    wanted: String,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default = "first_version")]
    version: u32,
}

fn first_version() -> u32 {
    1
}

/// The file of all changes that were not put back.
pub struct Journal {
    store: Store,
}

impl Journal {
    /// The journal in `store`, which need not exist.
    pub fn of(store: Store) -> Journal {
        Journal { store }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        self.store.path().join(FILE).display().to_string()
    }

    /// All lines, oldest first.
    ///
    /// # Errors
    /// When there is a journal that cannot be read, or is not this user's.
    pub fn lines(&self) -> Result<Vec<Line>> {
        let bytes = self.store.read(FILE)?;
        Ok(bytes.map_or_else(Vec::new, |bytes| parse(&bytes)))
    }

    /// Writes a change down and waits for the disk.
    ///
    /// # Errors
    /// When the disk does not take it, or the journal cannot be read.
    pub fn append(&self, entry: Entry) -> Result<()> {
        let mut lines = self.lines()?;
        lines.push(Line::Entry(entry));
        self.replace(&lines)
    }

    /// Keeps only these lines; none removes the file.
    ///
    /// # Errors
    /// When the disk does not take them: the old ones are still there, and putting a setting back twice does no harm.
    pub fn replace(&self, lines: &[Line]) -> Result<()> {
        match lines {
            [] => self.store.remove(FILE),
            lines => self.store.replace(FILE, &text(lines)?),
        }
    }
}

/// The lines of a file that exists: it is never written without any.
fn parse(bytes: &[u8]) -> Vec<Line> {
    let (mut n_promised, mut n_appended) = (0usize, 0usize);
    let mut lines: Vec<Line> = (bytes.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .map(|line| match parse_line(line) {
            Ok((entry, of)) => {
                n_promised = n_promised.max(of.unwrap_or(0));
                // By a program that knows no number of lines.
                n_appended += usize::from(of.is_none());
                Line::Entry(entry)
            }
            Err(why) => unreadable(line.to_vec(), why),
        })
        .collect();
    let n_missing = n_promised.saturating_sub(lines.len() - n_appended);
    if lines.is_empty() {
        lines.push(missing("all lines are missing"));
    } else if n_missing > 0 {
        lines.push(missing(&format!("{n_missing} lines are missing")));
    }
    lines
}

fn unreadable(bytes: Vec<u8>, why: String) -> Line {
    Line::Unreadable { bytes, why }
}

/// Stands in the file from now on: later readers find no other trace of what was lost.
fn missing(what: &str) -> Line {
    unreadable(format!("{MISSING}{what}").into_bytes(), CUT_OFF.to_string())
}

/// An entry, and how many lines its file has; `None` where it does not say.
fn parse_line(line: &[u8]) -> std::result::Result<(Entry, Option<usize>), String> {
    let damaged = |error: serde_json::Error| format!("it is damaged: {error}");
    if line.starts_with(MISSING.as_bytes()) {
        return Err(CUT_OFF.to_string());
    }
    let version: Version = serde_json::from_slice(line).map_err(damaged)?;
    match version.version {
        1 => {
            let record: FirstRecord = serde_json::from_slice(line).map_err(damaged)?;
            let entry = Entry {
                setting: record.setting,
                before: record.before,
                wanted: record.wanted,
            };
            Ok((entry, None))
        }
        VERSION => {
            let record: Record = serde_json::from_slice(line).map_err(damaged)?;
            if record.check != check_of(&record).map_err(damaged)? {
                return Err("it is damaged: its checksum differs".to_string());
            }
            let entry = Entry {
                setting: record.setting,
                before: record.before,
                wanted: record.wanted,
            };
            Ok((entry, Some(record.of)))
        }
        other => Err(format!(
            "another version of memwall wrote it (format {other}, this program knows 1 to {VERSION}); restore with that version"
        )),
    }
}

fn check_of(record: &Record) -> serde_json::Result<String> {
    let unchecked = Record {
        check: String::new(),
        ..record.clone()
    };
    let digest = Sha256::digest(serde_json::to_vec(&unchecked)?);
    Ok(base16ct::lower::encode_string(&digest[..8]))
}

fn text(lines: &[Line]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        match line {
            Line::Unreadable { bytes, .. } => text.extend_from_slice(bytes),
            Line::Entry(entry) => {
                let mut record = Record {
                    version: VERSION,
                    of: lines.len(),
                    setting: entry.setting.clone(),
                    before: entry.before.clone(),
                    wanted: entry.wanted.clone(),
                    check: String::new(),
                };
                record.check = check_of(&record)?;
                serde_json::to_writer(&mut text, &record)?;
            }
        }
        text.push(b'\n');
    }
    Ok(text)
}
