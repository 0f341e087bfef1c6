//! The files of a run directory that are not derived, and the list of their hashes (`files.json`) that shows damage.
//!
//! Frames, pages and the summary can be made again from these files and are no part of the list.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use bench_inventory::foreign::{Entry, Folder, Kind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{MAX_RECORD_BYTES, MAX_STREAM_BYTES};

/// Name of the list in a run directory.
pub const FILE_LIST: &str = "files.json";

/// Contents by path inside the run directory, `/` between folders. The list itself is among them where there is one.
pub type RunFiles = BTreeMap<String, Vec<u8>>;

/// SHA-256 of every file that is not derived (`files.json`), written when the run ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileList {
    /// Hexadecimal, by path inside the run directory.
    pub sha256: BTreeMap<String, String>,
}

impl FileList {
    /// The list of these files; a list among them is left out.
    pub fn of(files: &RunFiles) -> FileList {
        let listed = files.iter().filter(|(path, _)| *path != FILE_LIST);
        FileList {
            sha256: listed
                .map(|(path, bytes)| (path.clone(), sha256(bytes)))
                .collect(),
        }
    }

    /// The list as it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a list of hashes is plain data");
        bytes.push(b'\n');
        bytes
    }

    /// What of these files is not as listed, one sentence each.
    pub fn differences(&self, files: &RunFiles) -> Vec<String> {
        let found = FileList::of(files).sha256;
        let mut differences = Vec::new();
        for (path, listed) in &self.sha256 {
            match found.get(path) {
                None => differences.push(format!("`{path}` is missing")),
                Some(hash) if hash != listed => {
                    differences.push(format!("`{path}` was changed after the run"));
                }
                Some(_) => {}
            }
        }
        let unlisted = found.keys().filter(|path| !self.sha256.contains_key(*path));
        differences.extend(unlisted.map(|path| format!("`{path}` came after the run")));
        differences
    }
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

/// Reads the files of a run directory that are not derived.
///
/// # Errors
/// When one cannot be read, is neither a file nor a folder, or is larger than any of a run.
pub fn read_files(dir: &Path) -> anyhow::Result<RunFiles> {
    let run = Folder::open(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    let mut files = RunFiles::new();
    for name in ["manifest.json", "plan.json", FILE_LIST] {
        match run.read(name, MAX_RECORD_BYTES) {
            Ok(bytes) => drop(files.insert(name.to_owned(), bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_read(dir, name, error)),
        }
    }
    for name in ["inventory", "hosts", "imports"] {
        match run.folder(name) {
            Ok(folder) => read_folder(dir, &folder, name, &mut files)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_read(dir, name, error)),
        }
    }
    Ok(files)
}

fn read_folder(
    dir: &Path,
    folder: &Folder,
    name: &str,
    files: &mut RunFiles,
) -> anyhow::Result<()> {
    let entries = folder.entries();
    for entry in entries.map_err(|error| cannot_read(dir, name, error))? {
        let file_name = entry.name.to_str().with_context(|| {
            let path = dir.join(name).join(&entry.name);
            format!("the name of `{}` is not text", path.display())
        })?;
        let place = format!("{name}/{file_name}");
        let unreadable = |error| cannot_read(dir, &place, error);
        match entry.kind {
            Kind::Folder => {
                let inner = folder.folder(file_name).map_err(unreadable)?;
                read_folder(dir, &inner, &place, files)?;
            }
            // What a link points to is not of this run, and a pipe never ends.
            Kind::Other(kind) => anyhow::bail!(
                "`{}` is {kind} and no regular file; remove it",
                dir.join(&place).display()
            ),
            Kind::File if file_name.ends_with(".json.tmp") => {}
            Kind::File => {
                let bytes = folder
                    .read(file_name, MAX_STREAM_BYTES)
                    .map_err(unreadable)?;
                files.insert(place, bytes);
            }
        }
    }
    Ok(())
}

fn cannot_read(dir: &Path, place: &str, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot read `{}`", dir.join(place).display()))
}

/// Checks that a run directory that is to be written to holds files and folders only: a link in it could lead what is
/// written to another place. Frames and pages are left out, they are replaced as a whole.
///
/// # Errors
/// When it cannot be listed, or holds anything else; all of that is named.
pub fn check_plain(dir: &Path) -> anyhow::Result<()> {
    let run = Folder::open(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    let mut odd = Vec::new();
    for entry in run.entries()? {
        if entry.name != "html" && entry.name != "frames" {
            find_odd(&run, &entry, "", &mut odd)?;
        }
    }
    anyhow::ensure!(
        odd.is_empty(),
        "`{}` holds what no run writes; remove it: {}",
        dir.display(),
        odd.join(", ")
    );
    Ok(())
}

fn find_odd(
    folder: &Folder,
    entry: &Entry,
    within: &str,
    odd: &mut Vec<String>,
) -> anyhow::Result<()> {
    let name = entry.name.to_string_lossy();
    let place = format!("{within}{}", crate::format::foreign_short(&name, 60));
    match entry.kind {
        Kind::File => {}
        Kind::Other(kind) => odd.push(format!("`{place}` ({kind})")),
        Kind::Folder => {
            let inner = folder.folder(&name);
            let inner = inner.with_context(|| format!("cannot read `{place}`"))?;
            for entry in inner.entries()? {
                find_odd(&inner, &entry, &format!("{place}/"), odd)?;
            }
        }
    }
    Ok(())
}

/// Writes the list of a run directory whose run has ended.
///
/// # Errors
/// When a file cannot be read or the list cannot be written.
pub fn seal(dir: &Path) -> anyhow::Result<()> {
    let list = FileList::of(&read_files(dir)?);
    Folder::open(dir)
        .and_then(|run| run.replace(FILE_LIST, &list.to_bytes()))
        .with_context(|| format!("cannot write `{}`", dir.join(FILE_LIST).display()))
}

/// Takes the list away from a run directory that is resumed: until the run ends again nothing vouches for it.
///
/// # Errors
/// When the list is there and cannot be removed.
pub fn unseal(dir: &Path) -> anyhow::Result<()> {
    Folder::open(dir)
        .and_then(|run| run.remove(FILE_LIST))
        .with_context(|| format!("cannot remove `{}`", dir.join(FILE_LIST).display()))
}
