//! Merging: the same set of run directories gives the same bytes, whatever the order, the grouping and the repetition.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench_run_dir::files::{FILE_LIST, FileList, RunFiles, read_files, seal, sha256};
use bench_run_dir::imports::{self, ImportRecord};
use bench_run_dir::merge::{Part, merge, missing_shards};
use bench_run_dir::{RUN_DIR_VERSION, RunManifest, Shard};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fixture::{self, Host};

const HOSTS: [&str; 5] = ["rock", "desk", "emulated", "shelf", "window"];

/// What an attempt at a host came to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Attempt {
    Unreachable,
    /// The stream ends after this many per cent of its lines.
    CutOff(usize),
    Complete,
    /// Another measurement of the same host.
    CompleteOtherwise,
}

fn host(host_idx: usize) -> Host {
    match host_idx {
        0 => fixture::rock(),
        1 => fixture::this_machine(),
        2 => fixture::emulated(),
        3 => fixture::experiments::host(),
        _ => fixture::rock(),
    }
}

/// The files of one attempt, without the host's folder.
fn attempt_files(host_idx: usize, attempt: Attempt) -> RunFiles {
    let mut host = match attempt {
        Attempt::Unreachable => fixture::unreachable(),
        _ => host(host_idx),
    };
    host.record.host = HOSTS[host_idx].to_owned();
    match attempt {
        Attempt::CutOff(percent) => {
            host.stream.truncate(host.stream.len() * percent / 100);
            host.record.status = bench_run_dir::HostStatus::Failed;
        }
        Attempt::CompleteOtherwise => host.stream.insert(1, "another day".to_owned()),
        Attempt::Unreachable | Attempt::Complete => {}
    }
    let mut files = RunFiles::from([("host.json".to_owned(), json(&host.record))]);
    if let Some(request) = &host.request {
        files.insert("request.json".to_owned(), json(request));
    }
    let stream: String = host.stream.iter().map(|line| format!("{line}\n")).collect();
    files.insert("stream.jsonl".to_owned(), stream.into_bytes());
    files
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain data")
}

fn manifest(part_idx: usize, shard: Option<Shard>, hosts: &[usize]) -> RunManifest {
    RunManifest {
        version: RUN_DIR_VERSION,
        run_id: format!("2026-01-31T22-15-04Z-{part_idx:04x}"),
        started_at: "2026-01-31T22:15:04Z".into(),
        finished_at: Some("2026-01-31T22:17:40Z".into()),
        command: vec!["run".into(), format!("{part_idx}")],
        suite: "quick".into(),
        git_revision: Some("48a5d9f".into()),
        rustc: Some("rustc 1.95.0".into()),
        memwall_version: "0.1.0".into(),
        hosts: hosts.iter().map(|idx| HOSTS[*idx].to_owned()).collect(),
        planned_hosts: HOSTS.map(str::to_owned).to_vec(),
        plan_hash: Some("0123456789abcdef".into()),
        shard,
        ..RunManifest::default()
    }
}

/// Results of another program in a part: which, and whether the importer named a board.
type Import = (u8, bool);

fn import_files(imports: &[Import]) -> RunFiles {
    let mut files = RunFiles::new();
    let mut records = Vec::new();
    for (which, has_board) in imports {
        let content = format!("result {which}").into_bytes();
        let hash = sha256(&content);
        let name = if *has_board { "a.json" } else { "b.json" };
        let file = imports::place(&hash, name);
        records.push(ImportRecord {
            file: file.clone(),
            sha256: hash,
            tool: "mbw".into(),
            board: has_board.then(|| "rock-5b".into()),
            host: None,
            original_name: name.into(),
            imported_at: format!("2026-01-31T22:15:0{which}Z"),
        });
        files.insert(file, content);
    }
    if !records.is_empty() {
        files.insert(imports::INDEX.to_owned(), imports::index_bytes(&records));
    }
    files
}

fn part(
    part_idx: usize,
    shard: Option<Shard>,
    attempts: &BTreeMap<usize, Attempt>,
    imports: &[Import],
    is_sealed: bool,
) -> Part {
    let hosts: Vec<usize> = attempts.keys().copied().collect();
    let manifest = json(&manifest(part_idx, shard, &hosts));
    let mut files = RunFiles::from([("manifest.json".to_owned(), manifest)]);
    for (host_idx, attempt) in attempts {
        for (file, bytes) in attempt_files(*host_idx, *attempt) {
            files.insert(format!("hosts/{}/{file}", HOSTS[*host_idx]), bytes);
        }
    }
    files.extend(import_files(imports));
    if is_sealed {
        let list = FileList::of(&files).to_bytes();
        files.insert(FILE_LIST.to_owned(), list);
    }
    Part {
        name: format!("part {part_idx}"),
        files,
    }
}

fn attempts() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        2 => Just(Attempt::Unreachable),
        3 => (0usize..100).prop_map(Attempt::CutOff),
        5 => Just(Attempt::Complete),
        1 => Just(Attempt::CompleteOtherwise),
    ]
}

prop_compose! {
    fn parts()(
        parts in prop::collection::vec(
            (
                prop::collection::btree_map(0..HOSTS.len(), attempts(), 0..4),
                prop::collection::vec((0u8..4, any::<bool>()), 0..3),
                any::<bool>(),
            ),
            1..6,
        ),
    ) -> Vec<Part> {
        let n_shards = parts.len() as u32;
        let shard = |part_idx: usize| Some(Shard { index: part_idx as u32 + 1, n_shards });
        let numbered = parts.iter().enumerate();
        numbered.map(|(i, (attempts, imports, is_sealed))| part(i, shard(i), attempts, imports, *is_sealed)).collect()
    }
}

/// Merges in the grouping that the cuts give: a tree of merges of merges.
fn merge_as_tree(parts: &[Part], cuts: &mut impl Iterator<Item = Index>) -> Option<RunFiles> {
    match (parts, cuts.next()) {
        (parts, Some(cut)) if parts.len() > 1 => {
            let (left, right) = parts.split_at(1 + cut.index(parts.len() - 1));
            let mut merged = Vec::new();
            for side in [left, right] {
                merged.push(Part {
                    name: "side".into(),
                    files: merge_as_tree(side, cuts)?,
                });
            }
            merge(&merged).ok()
        }
        (parts, _) => merge(parts).ok(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_and_grouping_gives_the_same_bytes(
        parts in parts(),
        order in prop::collection::vec(any::<Index>(), 0..9),
        cuts in prop::collection::vec(any::<Index>(), 0..9),
    ) {
        let flat = merge(&parts).ok();
        let mut others = parts.clone();
        others.extend(order.iter().map(|idx| idx.get(&parts).clone()));
        for (i, idx) in order.iter().enumerate() {
            let j = idx.index(others.len());
            others.swap(i, j);
        }
        let tree = merge_as_tree(&others, &mut cuts.into_iter());
        prop_assert!(flat == tree, "{:?} and {:?}", flat.is_some(), tree.is_some());
    }

    #[test]
    fn nothing_measured_is_lost_and_the_best_attempt_counts(parts in parts()) {
        let Ok(merged) = merge(&parts) else {
            return Ok(());
        };
        let all = parts.iter().flat_map(|part| &part.files);
        let is_evidence = |path: &str| {
            path.starts_with("hosts/") || path.starts_with("imports/") && path != imports::INDEX
        };
        for (path, bytes) in all.filter(|(path, _)| is_evidence(path)) {
            prop_assert!(merged.values().any(|kept| kept == bytes), "{path} is lost");
        }
        let index = |files: &RunFiles| {
            let bytes = files.get(imports::INDEX).map_or(&[][..], Vec::as_slice);
            imports::parse_index(bytes).0
        };
        let merged_index = index(&merged);
        for record in parts.iter().flat_map(|part| index(&part.files)) {
            let kept: Vec<_> = merged_index.iter().filter(|it| it.sha256 == record.sha256).collect();
            prop_assert_eq!(kept.len(), 1);
            prop_assert!(record.board.is_none() || kept[0].board == record.board);
            prop_assert!(merged.contains_key(&kept[0].file));
        }
        for host in HOSTS {
            let path = format!("hosts/{host}/stream.jsonl");
            let streams = parts.iter().filter_map(|part| part.files.get(&path));
            let longest = streams.map(Vec::len).max();
            prop_assert_eq!(merged.get(&path).map(Vec::len), longest);
        }
    }
}

fn write(files: &RunFiles, dir: &Path) {
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn catalogue() -> RunFiles {
    let dir = tempfile::tempdir().unwrap();
    fixture::write_run(&dir.path().join("run"), &[]);
    let mut files = read_files(&dir.path().join("run")).unwrap();
    files.retain(|path, _| path.starts_with("inventory/"));
    files
}

/// Every file below a folder.
fn tree(dir: &Path, below: &Path, files: &mut RunFiles) {
    for entry in fs::read_dir(dir.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        match dir.join(&path).is_dir() {
            true => tree(dir, &path, files),
            false => {
                let bytes = fs::read(dir.join(&path)).unwrap();
                files.insert(path.display().to_string(), bytes);
            }
        }
    }
}

fn rendered(parts: &[Part]) -> RunFiles {
    let dir = tempfile::tempdir().unwrap();
    write(&merge(parts).unwrap(), dir.path());
    bench_reports::tables::frames::write(dir.path()).unwrap();
    bench_reports::report::render(dir.path()).unwrap();
    let mut files = RunFiles::new();
    for folder in ["frames", "html"] {
        tree(dir.path(), Path::new(folder), &mut files);
    }
    files.insert(
        "summary.md".into(),
        fs::read(dir.path().join("summary.md")).unwrap(),
    );
    files
}

#[test]
fn one_shard_or_many_give_the_same_report() {
    let all: BTreeMap<usize, Attempt> = [
        (0, Attempt::Complete),
        (1, Attempt::CutOff(60)),
        (2, Attempt::Complete),
        (3, Attempt::Complete),
        (4, Attempt::Unreachable),
    ]
    .into();
    let catalogue = catalogue();
    let with_catalogue = |mut part: Part| {
        part.files.remove(FILE_LIST);
        part.files.extend(catalogue.clone());
        part
    };
    let one = with_catalogue(part(0, None, &all, &[], false));
    let mut many: Vec<Part> = (0..3u32)
        .map(|i| {
            let shard = Shard {
                index: i + 1,
                n_shards: 3,
            };
            let own = all.iter().filter(|(host, _)| **host as u32 % 3 == i);
            let own = own.map(|(host, attempt)| (*host, *attempt)).collect();
            with_catalogue(part(1 + i as usize, Some(shard), &own, &[], false))
        })
        .collect();
    let report = rendered(&[one]);
    assert!(report["html/index.html"].len() > 1000);
    many.reverse();
    let of_many = rendered(&many);
    assert_eq!(
        report.keys().collect::<Vec<_>>(),
        of_many.keys().collect::<Vec<_>>()
    );
    for (path, bytes) in &report {
        assert!(of_many[path] == *bytes, "{path} differs");
    }
}

fn problems(parts: &[Part]) -> String {
    merge(parts).unwrap_err().to_string()
}

fn one_host(part_idx: usize, attempt: Attempt) -> Part {
    part(part_idx, None, &[(0, attempt)].into(), &[], true)
}

#[test]
fn refuses_other_plans_and_two_measurements_of_one_host() {
    let first = one_host(0, Attempt::Complete);
    let conflict = problems(&[first.clone(), one_host(1, Attempt::CompleteOtherwise)]);
    assert!(
        conflict.contains("host `rock` has two different complete results"),
        "{conflict}"
    );

    let mut other = RunManifest {
        plan_hash: Some("fedc".into()),
        ..manifest(1, None, &[])
    };
    let part_of = |manifest: &RunManifest| Part {
        name: "other".into(),
        files: [("manifest.json".to_owned(), json(manifest))].into(),
    };
    let plans = problems(&[first.clone(), part_of(&other)]);
    assert!(
        plans.contains("different plans: 0123456789abcdef; fedc"),
        "{plans}"
    );
    other.plan_hash = None;
    assert!(problems(&[part_of(&other)]).contains("`other`: it has no plan"));
    assert!(problems(&[]).contains("no run"));
}

#[test]
fn refuses_damaged_files_and_names_all_of_them() {
    let mut damaged = one_host(0, Attempt::Complete);
    let stream = damaged.files.get_mut("hosts/rock/stream.jsonl").unwrap();
    stream.truncate(100);
    damaged.files.remove("hosts/rock/request.json");
    damaged
        .files
        .insert("hosts/rock/new.txt".into(), Vec::new());
    let problems = problems(&[damaged]);
    for part in [
        "`hosts/rock/stream.jsonl` was changed after the run",
        "`hosts/rock/request.json` is missing",
        "`hosts/rock/new.txt` came after the run",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    let mut headless = one_host(0, Attempt::Complete);
    headless.files.remove("manifest.json");
    headless.files.remove(FILE_LIST);
    let problems = merge(&[headless]).unwrap_err().to_string();
    assert!(
        problems.contains("`manifest.json` is missing"),
        "{problems}"
    );
}

#[test]
fn a_resumed_run_replaces_its_earlier_state_which_is_kept() {
    let merged = merge(&[
        one_host(0, Attempt::Complete),
        one_host(1, Attempt::CutOff(50)),
    ])
    .unwrap();
    let attempts: Vec<&String> = merged
        .keys()
        .filter(|path| path.contains("/attempts/"))
        .collect();
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    let dir = tempfile::tempdir().unwrap();
    write(&merged, dir.path());
    let run = bench_run_dir::read(dir.path()).unwrap();
    let rock = &run.hosts[0];
    assert!(rock.done.is_some());
    assert!(
        rock.problems
            .iter()
            .any(|it| it.contains("1 other attempt")),
        "{:?}",
        rock.problems
    );
    // A host that no part measured is there, with the reason.
    let shelf = run
        .hosts
        .iter()
        .find(|host| host.record.host == "shelf")
        .unwrap();
    let reason = shelf.record.reason.as_deref().unwrap();
    assert!(reason.contains("no part of this merged run"), "{reason}");

    assert_eq!(read_files(dir.path()).unwrap(), merged);
    seal(dir.path()).unwrap();
    assert_eq!(
        read_files(dir.path()).unwrap(),
        merged,
        "the list is the same again"
    );
}

#[test]
fn refuses_two_names_for_the_host_of_one_imported_file() {
    let with_host = |part_idx: usize, host: &str| {
        let mut part = part(
            part_idx,
            None,
            &[(0, Attempt::Complete)].into(),
            &[(1, true)],
            false,
        );
        let mut records = imports::parse_index(&part.files[imports::INDEX]).0;
        records[0].host = Some(host.to_owned());
        part.files
            .insert(imports::INDEX.to_owned(), imports::index_bytes(&records));
        part
    };
    assert!(merge(&[with_host(0, "rock"), with_host(0, "rock")]).is_ok());
    let problems = problems(&[with_host(0, "rock"), with_host(0, "desk")]);
    assert!(
        problems.contains("different hosts: `desk` and `rock`"),
        "{problems}"
    );
    let mut broken = with_host(0, "rock");
    broken
        .files
        .insert(imports::INDEX.to_owned(), b"{\n".to_vec());
    assert!(
        merge(&[broken])
            .unwrap_err()
            .to_string()
            .contains("`imports/index.jsonl`, line 1, is broken")
    );
}

#[test]
fn names_the_shards_that_are_missing() {
    let missing = |shards: &[(u32, u32)]| {
        let parts = shards.iter().enumerate().map(|(i, (index, n_shards))| {
            let shard = Shard {
                index: *index,
                n_shards: *n_shards,
            };
            part(i, Some(shard), &BTreeMap::new(), &[], true)
        });
        let merged = merge(&parts.collect::<Vec<_>>()).unwrap();
        let manifest: RunManifest = serde_json::from_slice(&merged["manifest.json"]).unwrap();
        let shards = missing_shards(&manifest);
        shards
            .iter()
            .map(|it| (it.index, it.n_shards))
            .collect::<Vec<_>>()
    };
    assert_eq!(missing(&[(1, 3)]), [(2, 3), (3, 3)]);
    assert_eq!(missing(&[(1, 2), (2, 2)]), []);
    assert_eq!(missing(&[(1, 2), (2, 3)]), [(2, 2), (1, 3), (3, 3)]);
    assert_eq!(missing(&[(1, 2), (1, 1)]), []);
}

/// Each missing shard is a line of the answer: four thousand million of them would fill the memory.
#[test]
fn refuses_shards_that_cannot_be() {
    for (index, n_shards) in [(1, u32::MAX), (0, 3), (4, 3), (0, 0)] {
        let shard = Shard { index, n_shards };
        let odd = part(0, Some(shard), &BTreeMap::new(), &[], true);
        assert!(problems(&[odd]).contains("a shard that cannot be"));
    }
}
