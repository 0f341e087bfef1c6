//! Plans: the same wherever they are made, kept to the letter or refused, and cut to a time budget.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::sshd::{Oddity, Sshd};

const HERE: &str = "hosts:\n  here:\n    transport: local\n";

/// Runs the program in a folder with a fleet file and runs of its own.
pub fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .args(["--format", "json", "--fleet"])
        .arg(dir.join("fleet.yaml"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .current_dir(dir)
        .output()
        .unwrap()
}

/// The JSON document on its standard output.
pub fn document(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_plan_is_kept_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("fleet.yaml"), HERE).unwrap();
    let plan = &[
        "plan",
        "--all-boards",
        "--suite",
        "smoke",
        "--kernel",
        "read",
    ];
    let first = document(&xtask(
        dir,
        &[plan, &["--output", "plan.json"][..]].concat(),
    ));
    assert_eq!(
        json(&dir.join("plan.json")),
        first,
        "the file is what was printed"
    );
    assert_eq!(document(&xtask(dir, plan)), first, "the same again");
    let host = &first["hosts"][0];
    assert_eq!(host["environment_writes"], serde_json::json!([]));
    assert_eq!(host["units"][0]["unit"], "read/dram/t1");
    assert_eq!(host["units"][0]["deadline_ms"], 30_000);
    let longer = document(&xtask(dir, &[plan, &["--max-parallel", "1"][..]].concat()));
    assert_ne!(longer["hash"], first["hash"]);

    let run = xtask(
        dir,
        &["run", "--plan", "plan.json", "--events", "events.jsonl"],
    );
    let printed = document(&run);
    assert_eq!(run.status.code(), Some(0), "{printed}");
    assert_eq!(printed["plan_hash"], first["hash"]);
    let run_dir = Path::new(printed["run_dir"].as_str().unwrap());
    assert_eq!(
        json(&run_dir.join("manifest.json"))["plan_hash"],
        first["hash"]
    );
    assert_eq!(json(&run_dir.join("plan.json")), first);
    tells_what_happens(&fs::read_to_string(dir.join("events.jsonl")).unwrap());
    is_refused_when_anything_differs(dir, &first);
}

fn tells_what_happens(events: &str) {
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"run_started"));
    assert_eq!(kinds.last(), Some(&"run_finished"));
    for kind in ["host_stage", "unit_ready", "unit_end", "host_finished"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
}

fn is_refused_when_anything_differs(dir: &Path, plan: &Value) {
    let mut other = plan.clone();
    other["artifacts"]["x86_64-unknown-linux-musl"]["sha256"] = "00".into();
    other["hosts"][0]["host"] = "there".into();
    fs::write(dir.join("other.json"), other.to_string()).unwrap();
    fs::write(dir.join("fleet.yaml"), format!("# changed\n{HERE}")).unwrap();
    let refused = xtask(dir, &["run", "--plan", "other.json"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    for part in [
        "it was edited",
        "the inventory with its fleet file was",
        "the board program for x86_64-unknown-linux-musl was 00",
        "the fleet file has no host `there`",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert_eq!(
        fs::read_dir(dir.join("runs")).unwrap().count(),
        1,
        "no second run"
    );
}

#[test]
fn a_budget_leaves_out_what_does_not_fit_and_says_so_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("fleet.yaml"), HERE).unwrap();
    let run = xtask(
        dir,
        &["run", "--all-boards", "--suite", "smoke", "--budget", "7s"],
    );
    let printed = document(&run);
    assert_eq!(run.status.code(), Some(0), "{printed}");
    let host = &printed["hosts"][0];
    assert_eq!(host["units_ok"], 2, "{host}");
    let left_out = host["left_out"].as_array().unwrap();
    assert!(left_out.iter().any(|unit| unit == "read/dram/t1"), "{host}");
    let run_dir = Path::new(printed["run_dir"].as_str().unwrap());
    let recorded = json(&run_dir.join("hosts/here/left_out.json"));
    assert_eq!(recorded["budget_s"], 7);
    assert_eq!(recorded["units"].as_array().unwrap().len(), left_out.len());
    let page = fs::read_to_string(run_dir.join("html/hosts/here.html")).unwrap();
    assert!(page.contains("Skipped: time budget used up"));

    let too_short = xtask(dir, &["plan", "--all-boards", "--budget", "5s"]);
    let stderr = String::from_utf8_lossy(&too_short.stderr);
    assert_eq!(too_short.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("no unit fits 5 s on `here`"), "{stderr}");
    assert!(page.replace("&#x2f;", "/").contains("read/dram/t1"));
}

#[test]
fn hosts_wait_for_their_turn_where_few_are_measured_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let shelf = Sshd::start(dir, "shelf", Oddity::None);
    let fleet = format!("{HERE}{}", shelf.fleet_entry("shelf", None));
    fs::write(dir.join("fleet.yaml"), fleet).unwrap();
    let args = [
        "run",
        "--all-boards",
        "--suite",
        "smoke",
        "--kernel",
        "read",
    ];
    let bounds = ["--max-parallel", "1", "--max-deploys", "1", "--events", "-"];
    let run = xtask(dir, &[&args[..], &bounds[..]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", document(&run));
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    let events: Vec<Value> = (stderr.lines())
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let place = |kind: &str, host: &str| {
        let is_wanted = |event: &&Value| event["event"] == kind && event["host"] == host;
        let found = events
            .iter()
            .enumerate()
            .find(|(_, event)| is_wanted(event));
        found
            .unwrap_or_else(|| panic!("no {kind} of {host}: {stderr}"))
            .0
    };
    assert!(place("host_finished", "here") < place("host_stage", "shelf"));
    let from = stderr.find('{').unwrap();
    assert!(
        stderr[from..].lines().all(|line| line.starts_with('{')),
        "nothing else stands between events: {stderr}"
    );
}
