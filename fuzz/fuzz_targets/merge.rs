//! Any set of small run directories: merging never panics, does not depend on order or grouping, and can be repeated.

#![no_main]

use arbitrary::Arbitrary;
use bench_run_dir::files::{FILE_LIST, FileList, RunFiles};
use bench_run_dir::merge::{Part, merge};
use bench_run_dir::{RunManifest, Shard};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct SmallRun {
    run: u8,
    plan: u8,
    shard: Option<(u8, u8)>,
    finished: bool,
    resumed: u8,
    sealed: bool,
    hosts: Vec<SmallHost>,
    /// A file with any path and any content.
    odd_file: Option<(String, Vec<u8>)>,
}

#[derive(Debug, Arbitrary)]
struct SmallHost {
    host: u8,
    record: Record,
    /// A complete stream begins with as many lines and ends with its `done` record.
    n_lines: u8,
    is_complete: bool,
    other: Option<u8>,
    attempt: Option<String>,
}

#[derive(Debug, Arbitrary)]
enum Record {
    None,
    Ok,
    Failed,
    Any(Vec<u8>),
}

impl SmallRun {
    fn part(&self, part_idx: usize) -> Part {
        let manifest = RunManifest {
            version: 2,
            run_id: format!("run-{}", self.run % 4),
            started_at: format!("2026-01-31T22:15:0{}Z", self.run % 4),
            finished_at: self.finished.then(|| "2026-01-31T22:17:40Z".to_owned()),
            resumed_at: vec![String::new(); usize::from(self.resumed % 3)],
            plan_hash: Some(if self.plan < 250 { "abcd" } else { "dcba" }.to_owned()),
            planned_hosts: vec!["host0".to_owned(), "host1".to_owned()],
            shard: self.shard.map(|(index, n_shards)| Shard {
                index: u32::from(index % 4),
                n_shards: u32::from(n_shards % 4),
            }),
            ..RunManifest::default()
        };
        let mut files = RunFiles::new();
        let bytes = serde_json::to_vec(&manifest).expect("plain data");
        files.insert("manifest.json".to_owned(), bytes);
        for host in &self.hosts {
            host.write(&mut files);
        }
        if let Some((path, bytes)) = &self.odd_file {
            files.insert(path.clone(), bytes.clone());
        }
        if self.sealed {
            files.insert(FILE_LIST.to_owned(), FileList::of(&files).to_bytes());
        }
        Part {
            name: format!("part {part_idx}"),
            files,
        }
    }
}

impl SmallHost {
    fn write(&self, files: &mut RunFiles) {
        let mut folder = format!("hosts/host{}", self.host % 3);
        if let Some(attempt) = &self.attempt {
            folder += &format!("/attempts/{attempt}");
        }
        let record = |status: &str| {
            format!(
                r#"{{"host":"","board":null,"transport":"","emulated":false,"status":"{status}","stage":null,"reason":null,"stderr_tail":[],"n_garbage_lines":0,"complete":true,"artifact_sha256":null,"stage_s":{{}}}}"#
            )
            .into_bytes()
        };
        let record = match &self.record {
            Record::None => None,
            Record::Ok => Some(record("ok")),
            Record::Failed => Some(record("failed")),
            Record::Any(bytes) => Some(bytes.clone()),
        };
        files.extend(record.map(|bytes| (format!("{folder}/host.json"), bytes)));
        let mut stream = String::new();
        for line in 0..self.n_lines % 8 {
            stream += &format!("line {line}\n");
        }
        if let Some(other) = self.other {
            stream += &format!("{}\n", other % 4);
        }
        if self.is_complete {
            stream += "{\"type\":\"done\",\"n_units\":0,\"n_samples\":0}\n";
        }
        files.insert(format!("{folder}/stream.jsonl"), stream.into_bytes());
    }
}

fuzz_target!(|runs: Vec<SmallRun>| {
    let runs = &runs[..runs.len().min(4)];
    let parts: Vec<Part> = (runs.iter().enumerate())
        .map(|(i, run)| run.part(i))
        .collect();
    let all = merge(&parts).ok();
    let reversed: Vec<Part> = parts.iter().rev().chain(&parts).cloned().collect();
    assert_eq!(all, merge(&reversed).ok(), "order or repetition matters");
    if parts.len() > 1 {
        let (left, right) = parts.split_at(parts.len() / 2);
        let merged = |parts: &[Part]| {
            let files = merge(parts).ok()?;
            let name = "merged".to_owned();
            Some(Part { name, files })
        };
        let sides = merged(left).zip(merged(right));
        let tree = sides.and_then(|(left, right)| merge(&[right, left]).ok());
        assert_eq!(all, tree, "grouping matters");
    }
    if let Some(files) = all {
        let name = "again".to_owned();
        let again = merge(&[Part {
            name,
            files: files.clone(),
        }])
        .ok();
        assert_eq!(again, Some(files), "a merged run is not what it merges to");
    }
});
