//! The files of a run directory that are not derived, and the list of their hashes (`files.json`) that shows damage.
//!
//! Frames, pages and the summary can be made again from these files and are no part of the list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the files of a run directory that are not derived.
///
/// # Errors
/// When one cannot be read, or is neither a file nor a folder.
pub fn read_files(dir: &Path) -> anyhow::Result<RunFiles> {
    let mut files = RunFiles::new();
    for name in ["manifest.json", "plan.json", FILE_LIST] {
        let path = dir.join(name);
        if path.exists() {
            let bytes = fs::read(&path);
            let bytes = bytes.with_context(|| format!("cannot read `{}`", path.display()))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    for folder in ["inventory", "hosts", "imports"] {
        if dir.join(folder).is_dir() {
            read_folder(&dir.join(folder), folder, &mut files)?;
        }
    }
    Ok(files)
}

fn read_folder(folder: &Path, name: &str, files: &mut RunFiles) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read `{}`", folder.display()))?;
        let path = entry.path();
        let file_name = entry.file_name();
        let file_name = file_name
            .to_str()
            .with_context(|| format!("the name of `{}` is no text", path.display()))?;
        let inner = format!("{name}/{file_name}");
        let kind = entry.file_type();
        let kind = kind.with_context(|| format!("cannot read `{}`", path.display()))?;
        if kind.is_dir() {
            read_folder(&path, &inner, files)?;
        } else if !kind.is_file() {
            // What a link points to is not of this run, and a pipe never ends.
            anyhow::bail!("`{}` is no regular file; remove it", path.display());
        } else if !file_name.ends_with(".json.tmp") {
            let bytes = fs::read(&path);
            let bytes = bytes.with_context(|| format!("cannot read `{}`", path.display()))?;
            files.insert(inner, bytes);
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
    let path = dir.join(FILE_LIST);
    let temporary = dir.join("files.json.tmp");
    fs::write(&temporary, list.to_bytes())
        .and_then(|()| fs::rename(&temporary, &path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Takes the list away from a run directory that is gone on with: until the run ends again nothing vouches for it.
///
/// # Errors
/// When the list is there and cannot be removed.
pub fn unseal(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(FILE_LIST);
    match path.exists() {
        true => {
            fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        false => Ok(()),
    }
}
