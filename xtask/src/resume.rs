//! Going on with a run that ended before all of its hosts did: what is there, and what is left to measure.
//!
//! Everything comes from the run directory: the inventory of that day, the requests as they were sent, the streams as
//! they arrived. Nothing is measured twice; a unit that was cut off is measured again from its first sample.

pub mod trust;

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, bail};
use bench_inventory::{Host, Inventory, Suite};
use bench_run_dir::{self, HostRecord, HostStatus, RunManifest, UnitCounts};

use crate::artifact::{self, Artifact, TARGETS};
use crate::exit::ExitError;
use crate::host::Prior;
use crate::recorder;

/// A run to go on with.
pub struct Resumed {
    /// Its directory.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: RunManifest,
    /// The inventory of that day.
    pub inventory: Inventory,
    /// Its suite, cut down to the kernels that were asked for.
    pub suite: Suite,
    /// Hosts that ended well, with their records: left as they are.
    pub finished: Vec<(HostRecord, UnitCounts)>,
    /// Hosts with something left to do, and what they did already.
    pub open: Vec<(Host, Prior)>,
    /// Held until the run ends: two controllers must not write one directory.
    _lock: File,
}

/// Reads a run directory for going on.
///
/// # Errors
/// When it is no run directory, another controller works on it, or its inventory cannot be used.
pub fn open(dir: PathBuf) -> anyhow::Result<Resumed> {
    // Before the first file is made in it.
    let is_plain = bench_run_dir::files::check_plain(&dir);
    is_plain.map_err(|error| ExitError::usage(format!("{error:#}")))?;
    let lock = recorder::lock(&dir)?;
    let run = bench_run_dir::read(&dir)?;
    if !dir.join("manifest.json").is_file() || !run.problems.is_empty() {
        let problems = run.problems.join("; ");
        return Err(ExitError::usage(format!(
            "run `{}` cannot be resumed: {problems}",
            dir.display()
        ))
        .into());
    }
    let copy = dir.join("inventory");
    let inventory = bench_inventory::load(&copy, None).map_err(|error| {
        ExitError::usage(format!(
            "the inventory in `{}` cannot be used any more:\n{}",
            copy.display(),
            error.render(false).trim_end()
        ))
    })?;
    let manifest = run.manifest;
    let mut suite = inventory
        .suites
        .get(&manifest.suite)
        .cloned()
        .ok_or_else(|| ExitError::usage(format!("the run's suite `{}` is lost", manifest.suite)))?;
    super::commands::choose::keep_kernels(&mut suite, &manifest.kernels);
    super::commands::own_files::use_models(&manifest.file_models, &mut suite)?;
    let rounds = manifest.rounds.and_then(std::num::NonZeroU32::new);
    suite.rounds = rounds.unwrap_or(suite.rounds);
    let (mut finished, mut open) = (Vec::new(), Vec::new());
    for data in run.hosts {
        if data.record.status == HostStatus::Ok && data.done.is_some() {
            finished.push((data.record, data.stream.counts()));
            continue;
        }
        let host = inventory
            .fleet
            .hosts
            .iter()
            .find(|host| host.name == data.record.host);
        let host = host.cloned().with_context(|| {
            format!(
                "host `{}` is not in the run's own fleet file",
                data.record.host
            )
        })?;
        // What is in it would be measured again.
        if !data.has_whole_stream {
            let host = &data.record.host;
            let problems = data.problems.join("; ");
            bail!("cannot read `hosts/{host}/stream.jsonl` whole: {problems}");
        }
        let state = match &data.request {
            Some(_) => data.stream,
            None => data.stream.without_units(),
        };
        let prior = Prior {
            request: data.request,
            state,
        };
        open.push((host, prior));
    }
    Ok(Resumed {
        dir,
        manifest,
        inventory,
        suite,
        finished,
        open,
        _lock: lock,
    })
}

/// The board programs, which must be those that the run began with.
///
/// # Errors
/// When they cannot be built or are others: figures of two programs do not belong in one run.
pub fn artifacts(
    manifest: &RunManifest,
) -> anyhow::Result<std::collections::BTreeMap<&'static str, Artifact>> {
    let artifacts = artifact::build(&TARGETS)?;
    for artifact in artifacts.values() {
        let began_with = manifest.artifacts.get(artifact.target.triple);
        if began_with.is_none_or(|record| record.sha256 != artifact.sha256) {
            let revision = manifest.git_revision.as_deref().unwrap_or("unknown");
            return Err(ExitError::usage(format!(
                "the board program for {} is another than the run began with; check out revision {revision} to go on, or start a new run",
                artifact.target.arch
            ))
            .into());
        }
    }
    Ok(artifacts)
}
