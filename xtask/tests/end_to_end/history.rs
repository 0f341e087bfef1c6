//! Runs enter the history by themselves, and it outlives them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .arg("--fleet")
        .arg(dir.join("fleet.yaml"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .args(["--format", "json"])
        .current_dir(dir)
        .output()
        .unwrap()
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let output = xtask(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[test]
fn runs_enter_the_history_and_it_outlives_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(
        dir.join("fleet.yaml"),
        "hosts:\n  here:\n    transport: local\n",
    )
    .unwrap();
    let run = || {
        let args = [
            "run",
            "--all-boards",
            "--suite",
            "smoke",
            "--kernel",
            "read",
        ];
        json(dir, &args)["run_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (run(), run());
    let known = json(dir, &["history"]);
    let runs: Vec<&str> = (known["runs"].as_array().unwrap().iter())
        .map(|run| run["run_id"].as_str().unwrap())
        .collect();
    assert_eq!(runs, [first.as_str(), second.as_str()]);
    assert_eq!(known["hosts"][0]["host"], "here");
    assert_eq!(known["hosts"][0]["last_valid_run"], second.as_str());
    let html = dir.join("runs").join(&second).join("html");
    let page = html.join("history/here.html");
    assert!(page.is_file(), "the second run's report has the history");
    let first_html = dir.join("runs").join(&first).join("html");
    assert!(!first_html.join("history.html").exists());

    // Without the first run's directory the report is the same.
    let before = fs::read(&page).unwrap();
    fs::remove_dir_all(dir.join("runs").join(&first)).unwrap();
    json(dir, &["report", &second]);
    assert_eq!(fs::read(&page).unwrap(), before);

    // What is broken costs a warning, and the run directory mends it.
    let stored = dir.join("history").join(&second);
    fs::write(stored.join("units.parquet"), "no parquet").unwrap();
    let output = xtask(dir, &["history"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("warning: ") && stderr.contains("`units.parquet`"),
        "{stderr}"
    );
    let known = json(dir, &["history", "--add", &second]);
    assert_eq!(known["added"][0], second.as_str());
    assert_eq!(known["runs"].as_array().unwrap().len(), 2);
    assert_eq!(known["problems"].as_array().unwrap().len(), 0);
    let unknown = xtask(dir, &["history", "--add", "no-such-run"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_history_that_cannot_be_written_costs_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(
        dir.join("fleet.yaml"),
        "hosts:\n  here:\n    transport: local\n",
    )
    .unwrap();
    // A file stands where the folder belongs.
    fs::write(dir.join("history"), "").unwrap();
    let args = [
        "run",
        "--all-boards",
        "--suite",
        "smoke",
        "--kernel",
        "read",
    ];
    let output = xtask(dir, &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("cargo xtask history --add"), "{stderr}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(Path::new(document["report"].as_str().unwrap()).is_file());
}
