//! The attempts at each host that the parts of a merge hold, and which of them counts.

use std::collections::{BTreeMap, BTreeSet};

use super::super::files::{FileList, RunFiles, sha256};
use super::super::{HostFiles, HostStatus, RunManifest, read_host_files};

/// Folder of the attempts that were not chosen, in a host's folder.
const ATTEMPTS: &str = "attempts";

/// All attempts at all hosts.
#[derive(Default)]
pub(super) struct Attempts {
    /// By host, then by the SHA-256 of their files: equal attempts once.
    hosts: BTreeMap<String, BTreeMap<String, RunFiles>>,
    /// The attempts of the part that is being read: by host, then by the name of the folder; empty for the host's own.
    part: BTreeMap<(String, String), RunFiles>,
}

/// What a host of the merged run consists of.
pub(super) struct Chosen {
    /// Its files by path in the run directory.
    pub(super) files: RunFiles,
    /// Whether the run was interrupted before this host ended.
    pub(super) interrupted: bool,
}

impl Attempts {
    /// Takes one file; `path` is without `hosts/`.
    ///
    /// # Errors
    /// When the path is none of a host's file.
    pub(super) fn take(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let misplaced = || format!("`hosts/{path}` is no file of a host");
        let (host, file) = path.split_once('/').ok_or_else(misplaced)?;
        let (attempt, file) = match file.split_once('/') {
            Some((ATTEMPTS, rest)) => rest.split_once('/').ok_or_else(misplaced)?,
            _ => ("", file),
        };
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        let is_own_name = attempt.is_empty() || attempt.chars().all(|c| c.is_ascii_hexdigit());
        let is_nested = file.split('/').next() == Some(ATTEMPTS);
        if !is_name(host) || !file.split('/').all(is_name) || !is_own_name || is_nested {
            return Err(misplaced());
        }
        let files = self.part.entry((host.to_owned(), attempt.to_owned()));
        files.or_default().insert(file.to_owned(), bytes.to_vec());
        Ok(())
    }

    /// Ends a part: its attempts join the others. An attempt whose files are not what its folder's name says is damage.
    pub(super) fn end_part(&mut self, part: &str, problems: &mut BTreeSet<String>) {
        for ((host, attempt), files) in std::mem::take(&mut self.part) {
            let sha = sha256(&FileList::of(&files).to_bytes());
            if !attempt.is_empty() && attempt != sha {
                problems.insert(format!(
                    "`{part}`: the files in `hosts/{host}/{ATTEMPTS}/{attempt}` were changed"
                ));
            }
            self.hosts.entry(host).or_default().insert(sha, files);
        }
    }

    /// Chooses one attempt for each host; the others stay beside it.
    pub(super) fn chosen(&self, problems: &mut BTreeSet<String>) -> BTreeMap<String, Chosen> {
        let mut chosen = BTreeMap::new();
        for (host, attempts) in &self.hosts {
            if let Some(conflict) = conflict(host, attempts.values()) {
                problems.insert(conflict);
            }
            let best = attempts.iter().max_by_key(|(sha, files)| {
                let (is_complete, stream) = rank(host, files);
                (is_complete, stream.len(), *sha)
            });
            let Some((best_sha, best)) = best else {
                continue;
            };
            let mut files = RunFiles::new();
            for (sha, attempt) in attempts {
                let folder = match sha == best_sha {
                    true => format!("hosts/{host}"),
                    false => format!("hosts/{host}/{ATTEMPTS}/{sha}"),
                };
                let place = |(file, bytes): (&String, &Vec<u8>)| {
                    (format!("{folder}/{file}"), bytes.clone())
                };
                files.extend(attempt.iter().map(place));
            }
            let interrupted = data(host, best).record.status == HostStatus::Interrupted;
            chosen.insert(host.clone(), Chosen { files, interrupted });
        }
        chosen
    }
}

/// What stands against choosing: two complete attempts, neither of which goes on where the other ends.
fn conflict<'a>(host: &str, attempts: impl Iterator<Item = &'a RunFiles>) -> Option<String> {
    let ranked = attempts.map(|files| rank(host, files));
    let mut complete: Vec<&[u8]> = ranked
        .filter(|(is_complete, _)| *is_complete)
        .map(|(_, stream)| stream)
        .collect();
    complete.sort_by_key(|stream| stream.len());
    // Prefixes form a chain exactly when each is one of the next longer.
    let is_chain = complete.windows(2).all(|pair| pair[1].starts_with(pair[0]));
    (!is_chain).then(|| {
        format!("host `{host}` has two different complete results; leave one of their runs out")
    })
}

/// Whether an attempt is complete, and its stream.
fn rank<'a>(host: &str, files: &'a RunFiles) -> (bool, &'a [u8]) {
    let data = data(host, files);
    let is_complete = data.record.status == HostStatus::Ok && data.done.is_some();
    let stream = files.get("stream.jsonl").map_or(&[][..], Vec::as_slice);
    (is_complete, stream)
}

fn data(host: &str, files: &RunFiles) -> super::super::HostData {
    let file = |name: &str| files.get(name).cloned();
    let host_files = HostFiles {
        record: file("host.json"),
        request: file("request.json"),
        left_out: file("left_out.json"),
        previous: file("previous.json"),
        stream: file("stream.jsonl"),
    };
    read_host_files(host, &host_files, &RunManifest::default())
}
