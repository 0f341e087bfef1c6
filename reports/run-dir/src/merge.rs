//! Joins run directories of one plan: the parts that shards measured, and states of one run before and after it was
//! resumed.
//!
//! [`merge`] is a pure function of the set of its inputs: order, grouping and repetition change no byte of the result,
//! and a result can be merged again. It computes nothing across hosts and loses nothing:
//!
//! - Of several attempts at one host the complete one is chosen, else the one with the longest stream, else the one
//!   with the highest SHA-256. The others stay under `hosts/<host>/attempts/<sha>/`.
//! - Two complete attempts are two measurements, unless one stream goes on where the other ends: choosing between
//!   measurements is not for a merge, so it refuses.
//! - Imported files are joined by their content; two names for the host or board of one are refused.
//! - Another plan, another inventory and damaged files are refused too.

mod attempts;

use std::collections::{BTreeMap, BTreeSet};

use self::attempts::Attempts;
use super::files::{FILE_LIST, FileList, RunFiles};
use super::imports::{self, MergedIndex};
use super::plan::PlanRecord;
use super::{RUN_DIR_VERSION, RunManifest};

/// A run directory to merge, read with [`super::files::read_files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What messages call it: its path.
    pub name: String,
    /// Its files.
    pub files: RunFiles,
}

/// Why run directories cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct MergeError {
    /// Everything that speaks against it, one sentence each, sorted.
    pub problems: Vec<String>,
}

/// Joins run directories of one plan.
///
/// # Errors
/// Everything at once: no part, parts without a readable manifest or with damaged files, parts of different plans,
/// and hosts with two different complete results.
pub fn merge(parts: &[Part]) -> Result<RunFiles, MergeError> {
    let mut state = State::default();
    for part in parts {
        state.take(part);
    }
    if parts.is_empty() {
        state.problems.insert("there is no run to merge".to_owned());
    }
    state.check_same();
    let hosts = state.attempts.chosen(&mut state.problems);
    if !state.problems.is_empty() {
        return Err(MergeError {
            problems: state.problems.into_iter().collect(),
        });
    }
    let mut files = state.shared;
    if let Some(index) = state.imports.bytes() {
        files.insert(imports::INDEX.to_owned(), index);
    }
    let interrupted = hosts.values().any(|host| host.interrupted);
    let manifest = joined(
        state.manifests.into_values().collect(),
        hosts.keys(),
        interrupted,
    );
    files.insert("manifest.json".to_owned(), json_bytes(&manifest));
    files.extend(hosts.into_values().flat_map(|host| host.files));
    let list = FileList::of(&files).to_bytes();
    files.insert(FILE_LIST.to_owned(), list);
    Ok(files)
}

/// Shards that no part of a merged run is: numbers and how many shards there are. None are missing where one part is
/// the whole plan, or where the shards of one split are all there.
pub fn missing_shards(manifest: &RunManifest) -> Vec<super::Shard> {
    let mut splits: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for part in &manifest.parts {
        let Some(shard) = part.shard else {
            return Vec::new();
        };
        splits
            .entry(shard.n_shards)
            .or_default()
            .insert(shard.index);
    }
    let absent = |n_shards: u32, there: &BTreeSet<u32>| -> Vec<super::Shard> {
        let indices = (1..=n_shards).filter(|index| !there.contains(index));
        indices
            .map(|index| super::Shard { index, n_shards })
            .collect()
    };
    let absent: Vec<_> = splits
        .iter()
        .map(|(n_shards, there)| absent(*n_shards, there))
        .collect();
    match absent.iter().any(Vec::is_empty) {
        true => Vec::new(),
        false => absent.concat(),
    }
}

#[derive(Default)]
struct State {
    /// Manifests of runs that were measured, by their text: equal ones once, in an order that is theirs.
    manifests: BTreeMap<Vec<u8>, RunManifest>,
    /// `plan.json` and the inventory.
    shared: RunFiles,
    imports: MergedIndex,
    attempts: Attempts,
    problems: BTreeSet<String>,
}

impl State {
    fn take(&mut self, part: &Part) {
        let problems = &mut self.problems;
        let mut problem = |what: &str| {
            problems.insert(format!("`{}`: {what}", part.name));
        };
        for damage in damages(&part.files) {
            problem(&damage);
        }
        let manifest = match part.files.get("manifest.json") {
            None => Err("`manifest.json` is missing".to_owned()),
            Some(bytes) => serde_json::from_slice::<RunManifest>(bytes)
                .map_err(|error| format!("`manifest.json` is broken: {error}")),
        };
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => return problem(&error),
        };
        let measured = match manifest.parts.is_empty() {
            true => vec![manifest],
            false => manifest.parts,
        };
        for manifest in measured {
            if manifest.version > RUN_DIR_VERSION {
                problem("a newer version of memwall wrote it; update this one");
            }
            if manifest.plan_hash.is_none() {
                let has_imports = part.files.contains_key(imports::INDEX);
                problem(match manifest.hosts.is_empty() && has_imports {
                    true => {
                        "it holds results of other programs alone; add those to another run with `cargo xtask import FILE --run RUN`"
                    }
                    false => "it has no plan; a version of memwall that made none measured it",
                });
            }
            if !manifest.parts.is_empty() {
                problem("its manifest has parts of parts");
            }
            if manifest.shard.is_some_and(|shard| !shard.is_possible()) {
                problem("its manifest names a shard that cannot be");
            }
            let text = serde_json::to_vec(&manifest).expect("a manifest is plain data");
            self.manifests.insert(text, manifest);
        }
        for (path, bytes) in &part.files {
            if path == "manifest.json" || path == FILE_LIST {
                continue;
            }
            if path == imports::INDEX {
                let mut in_index = BTreeSet::new();
                self.imports.take(bytes, &mut in_index);
                in_index.iter().for_each(|it| problem(it));
                continue;
            }
            if let Some(in_hosts) = path.strip_prefix("hosts/") {
                if let Err(error) = self.attempts.take(in_hosts, bytes) {
                    problem(&error);
                }
                continue;
            }
            let first = self.shared.entry(path.clone());
            if first.or_insert_with(|| bytes.clone()) != bytes {
                problem(&format!(
                    "its `{path}` is not that of another run: they are not of one plan"
                ));
            }
        }
        self.attempts.end_part(&part.name, &mut self.problems);
    }

    /// What must be the same in all parts.
    fn check_same(&mut self) {
        let mut differs = |what: &str, values: BTreeSet<String>| {
            if values.len() > 1 {
                let values: Vec<String> = values.into_iter().collect();
                let problem = format!("the runs have different {what}: {}", values.join("; "));
                self.problems.insert(problem);
            }
        };
        let all = || self.manifests.values();
        let plans = all().filter_map(|manifest| manifest.plan_hash.clone());
        differs("plans", plans.collect());
        differs("suites", all().map(|it| it.suite.clone()).collect());
        differs("kernels", all().map(|it| it.kernels.join(", ")).collect());
        differs(
            "variants",
            all().map(|it| format!("{:?}", it.variant)).collect(),
        );
        differs(
            "forced shapes",
            all().map(|it| format!("{:?}", it.shape)).collect(),
        );
        differs(
            "budgets",
            all().map(|it| format!("{:?}", it.budget_s)).collect(),
        );
        differs(
            "hosts in their plans",
            all().map(|it| it.planned_hosts.join(", ")).collect(),
        );
        let Some(bytes) = self.shared.get("plan.json") else {
            return;
        };
        let hashes: Vec<&Option<String>> = all().map(|manifest| &manifest.plan_hash).collect();
        let damaged = match serde_json::from_slice::<PlanRecord>(bytes) {
            Ok(plan) => hashes
                .iter()
                .any(|hash| hash.as_ref() != Some(&plan.computed_hash())),
            Err(_) => true,
        };
        if damaged {
            let problem = "`plan.json` is damaged: it is not the plan that the manifests name";
            self.problems.insert(problem.to_owned());
        }
    }
}

fn damages(files: &RunFiles) -> Vec<String> {
    // A controller that was killed wrote no list: what it left is what there is.
    let Some(bytes) = files.get(FILE_LIST) else {
        return Vec::new();
    };
    match serde_json::from_slice::<FileList>(bytes) {
        Ok(list) => list.differences(files),
        Err(error) => vec![format!("`{FILE_LIST}` is broken: {error}")],
    }
}

/// The manifest of the merged run. It says nothing of how the plan was split: that is in its parts only, so that a
/// report is the same for one shard or many.
fn joined<'a>(
    parts: Vec<RunManifest>,
    measured_hosts: impl Iterator<Item = &'a String>,
    interrupted: bool,
) -> RunManifest {
    let first = parts.first().cloned().unwrap_or_default();
    let same = |of: fn(&RunManifest) -> Option<String>| {
        let values: BTreeSet<Option<String>> = parts.iter().map(of).collect();
        values
            .first()
            .cloned()
            .flatten()
            .filter(|_| values.len() == 1)
    };
    let starts = parts.iter().map(|part| part.started_at.clone());
    let started_at = starts.min().unwrap_or_default();
    // A part without an end was killed; of a run that was resumed later the part with the later end is there too.
    let mut ends: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for part in &parts {
        let end = ends.entry(&part.run_id).or_default();
        *end = end.clone().max(part.finished_at.clone());
    }
    let all_ended = ends.values().all(Option::is_some);
    let plan_hash = first.plan_hash.clone().unwrap_or_default();
    let mut hosts = first.planned_hosts.clone();
    let unplanned: Vec<String> = measured_hosts
        .filter(|host| !hosts.contains(host))
        .cloned()
        .collect();
    hosts.extend(unplanned);
    RunManifest {
        version: RUN_DIR_VERSION,
        run_id: merged_id(&started_at, &plan_hash),
        started_at,
        finished_at: ends.into_values().max().flatten().filter(|_| all_ended),
        command: vec!["merge".to_owned()],
        suite: first.suite.clone(),
        kernels: first.kernels.clone(),
        file_models: first.file_models.clone(),
        variant: first.variant.clone(),
        shape: first.shape.clone(),
        git_revision: same(|part| part.git_revision.clone()),
        git_dirty: parts.iter().filter_map(|part| part.git_dirty).max(),
        rustc: same(|part| part.rustc.clone()),
        artifacts: parts
            .iter()
            .flat_map(|part| part.artifacts.clone())
            .collect(),
        hosts,
        memwall_version: same(|part| Some(part.memwall_version.clone())).unwrap_or_default(),
        interrupted,
        resumed_at: Vec::new(),
        plan_hash: first.plan_hash.clone(),
        planned_hosts: first.planned_hosts.clone(),
        shard: None,
        budget_s: first.budget_s,
        rounds: first.rounds,
        compare_environment: first.compare_environment,
        parts,
    }
}

/// Names of runs begin with their time, so that the newest is the last.
fn merged_id(started_at: &str, plan_hash: &str) -> String {
    let time: String = (started_at.chars())
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(20)
        .collect();
    let hash: String = plan_hash
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    format!("{time}-merged-{hash}")
}

fn json_bytes(manifest: &RunManifest) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(manifest).expect("a manifest is plain data");
    bytes.push(b'\n');
    bytes
}
