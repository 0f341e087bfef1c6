//! A plan measured in shards on real hosts and merged again: the same bytes in any order, and nothing missing unnoticed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::sshd::{Oddity, Sshd};

fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .args(["--fleet"])
        .arg(dir.join("fleet.yaml"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .current_dir(dir)
        .output()
        .unwrap()
}

/// Exit code and the JSON document.
fn json(dir: &Path, args: &[&str]) -> (i32, Value) {
    let output = xtask(dir, &[args, &["--format", "json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (output.status.code().unwrap(), document)
}

fn merge(dir: &Path, output: &str, runs: &[&PathBuf]) -> (i32, Value) {
    let runs: Vec<&str> = runs.iter().map(|run| run.to_str().unwrap()).collect();
    json(dir, &[&["merge", "--output", output], &runs[..]].concat())
}

fn assert_same(dir: &Path, a: &str, b: &str) {
    let output = Command::new("diff")
        .args(["--recursive", "--brief", a, b])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn shards_are_merged_to_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let board = Sshd::start(dir, "board", Oddity::None);
    let fleet = format!(
        "hosts:\n  here:\n    transport: local\n{}  emulated:\n    transport: qemu-user\n    arch: aarch64\n",
        board.fleet_entry("board", None)
    );
    fs::write(dir.join("fleet.yaml"), fleet).unwrap();
    let planned = xtask(
        dir,
        &[
            "plan",
            "--all-boards",
            "--suite",
            "smoke",
            "--kernel",
            "read",
            "--output",
            "plan.json",
        ],
    );
    assert!(
        planned.status.success(),
        "{}",
        String::from_utf8_lossy(&planned.stderr)
    );

    // Six shards for three hosts: at least three have none, which is fine.
    let mut runs = Vec::new();
    let mut measured = Vec::new();
    for i in 1..=6 {
        let shard = format!("{i}/6");
        let (code, run) = json(dir, &["run", "--plan", "plan.json", "--shard", &shard]);
        assert_eq!(code, 0, "{run}");
        for host in run["hosts"].as_array().unwrap() {
            assert_eq!(host["status"], "ok", "{host}");
            measured.push((host["host"].as_str().unwrap().to_owned(), i - 1));
        }
        runs.push(PathBuf::from(run["run_dir"].as_str().unwrap()));
    }
    measured.sort();
    let names: Vec<&str> = measured.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(names, ["board", "emulated", "here"], "each host once");

    let all: Vec<&PathBuf> = runs.iter().collect();
    let (code, merged) = merge(dir, "all", &all);
    assert_eq!(code, 0, "{merged}");
    assert_eq!(merged["missing_shards"], serde_json::json!([]));
    for host in merged["hosts"].as_array().unwrap() {
        assert_eq!(host["planned"], host["ok"], "{host}");
        assert_eq!(host["missing"], 0, "{host}");
    }
    let page = fs::read_to_string(dir.join("all/html/index.html")).unwrap();
    assert!(names.iter().all(|host| page.contains(host)));

    // Another order, and merges of merges.
    let reversed: Vec<&PathBuf> = runs.iter().rev().collect();
    merge(dir, "reversed", &reversed);
    assert_same(dir, "all", "reversed");
    merge(dir, "left", &all[..2]);
    merge(dir, "right", &all[1..]);
    merge(dir, "tree", &[&dir.join("right"), &dir.join("left")]);
    assert_same(dir, "all", "tree");

    a_missing_shard_is_named(dir, &runs, measured[0].1);
    damage_is_refused(dir, &runs, measured[0].1);
}

fn a_missing_shard_is_named(dir: &Path, runs: &[PathBuf], missing: usize) {
    let others: Vec<&PathBuf> = (runs.iter().enumerate())
        .filter(|(i, _)| *i != missing)
        .map(|(_, run)| run)
        .collect();
    let (code, merged) = merge(dir, "partial", &others);
    assert_eq!(code, 5, "{merged}");
    let shard = serde_json::json!([{"index": missing + 1, "n_shards": 6}]);
    assert_eq!(merged["missing_shards"], shard);
    let hosts = merged["hosts"].as_array().unwrap();
    let board = hosts.iter().find(|host| host["host"] == "board").unwrap();
    assert_eq!(board["units"]["read/dram/t1"], "missing", "{board}");
    let page = fs::read_to_string(dir.join("partial/html/index.html")).unwrap();
    assert!(page.contains("run the missing shard"));
    // It cannot be resumed, and the missing shard completes it.
    let resumed = xtask(dir, &["run", "--resume", "partial"]);
    assert_eq!(resumed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("is a merged run"));
    merge(dir, "completed", &[&dir.join("partial"), &runs[missing]]);
    assert_same(dir, "all", "completed");
}

fn damage_is_refused(dir: &Path, runs: &[PathBuf], of: usize) {
    let stream = runs[of].join("hosts/board/stream.jsonl");
    let text = fs::read_to_string(&stream).unwrap();
    fs::write(&stream, text.replacen("elapsed_ns\":", "elapsed_ns\":1", 1)).unwrap();
    let run = runs[of].to_str().unwrap();
    let refused = xtask(dir, &["merge", run, "--output", "damaged"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("`hosts/board/stream.jsonl` was changed after the run"),
        "{stderr}"
    );
    assert!(!dir.join("damaged").exists());
}
