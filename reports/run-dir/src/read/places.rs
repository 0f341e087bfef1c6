//! Where the hosts of a run directory lie, and what of their files is read: everything that bounds and refuses.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Component, Path};

use bench_inventory::foreign::{Folder, Kind};

use super::super::{MAX_STREAM_BYTES, RunManifest};
use crate::format;

/// More hosts than any lab has: each becomes a page in every language.
const MAX_HOSTS: usize = 10_000;

/// Hosts of the manifest, then those that only have a folder.
pub(super) fn host_names(
    folder: &Folder,
    manifest: &RunManifest,
    problems: &mut Vec<String>,
) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names: Vec<String> = Vec::new();
    let (possible, impossible): (Vec<&String>, Vec<&String>) =
        (manifest.hosts.iter()).partition(|host| is_folder_name(host));
    if let Some(first) = impossible.first() {
        problems.push(format!(
            "{} of `manifest.json` left out, `{}` for instance: such a name cannot be that of a folder",
            format::count(impossible.len(), "host is", "hosts are"),
            format::foreign_short(first, 60)
        ));
    }
    let possible = possible.into_iter().cloned();
    names.extend(possible.filter(|host| seen.insert(host.clone())));
    let entries = match folder.folder("hosts").and_then(|hosts| hosts.entries()) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                problems.push(format!("`hosts` cannot be read: {error}"));
            }
            Vec::new()
        }
    };
    for entry in entries {
        let name = entry.name.to_string_lossy().into_owned();
        match entry.kind {
            Kind::Folder if seen.insert(name.clone()) => names.push(name),
            Kind::Folder | Kind::File => {}
            Kind::Other(kind) => problems.push(format!(
                "`hosts/{}` is {kind} and is left out",
                format::foreign_short(&name, 60)
            )),
        }
    }
    if names.len() > MAX_HOSTS {
        problems.push(format!(
            "the run names {} hosts: only the first {MAX_HOSTS} are read",
            names.len()
        ));
        names.truncate(MAX_HOSTS);
    }
    names
}

/// Whether a name from outside is one folder, and none that leads elsewhere.
fn is_folder_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let is_one = matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(first)), None) if first == name
    );
    is_one && !name.contains('\0')
}

/// The stream, or its beginning where it is longer than any board needs.
pub(super) fn read_stream_file(folder: &Folder, problems: &mut Vec<String>) -> Option<Vec<u8>> {
    let read = folder.read_start("stream.jsonl", MAX_STREAM_BYTES);
    let (mut bytes, has_more) = there_or_told("stream.jsonl", read, problems)?;
    if has_more {
        problems.push(format!(
            "`stream.jsonl` has more than {} MiB: what follows is not read",
            MAX_STREAM_BYTES >> 20
        ));
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(end.map_or(0, |end| end + 1));
    }
    Some(bytes)
}

/// What was read; what is missing is `None` without a word, what cannot be read is a problem.
pub(super) fn there_or_told<T>(
    name: &str,
    read: std::io::Result<T>,
    problems: &mut Vec<String>,
) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            problems.push(format!("`{name}` cannot be read: {error}"));
            None
        }
    }
}
