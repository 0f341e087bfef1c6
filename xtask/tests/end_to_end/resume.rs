//! A run whose controller dies loses nothing and is resumed from where it was.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::controller;
use crate::sshd::{Oddity, Sshd, wait_for};

/// How often each unit was begun and how often it ended, by a host's stream.
fn begun_and_ended(stream: &str) -> BTreeMap<String, (usize, usize)> {
    let mut units: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for message in stream
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let count = units.entry(message["unit"].as_str().unwrap_or_default().to_owned());
        match message["type"].as_str() {
            Some("unit_ready") => count.or_default().0 += 1,
            Some("unit_end") => count.or_default().1 += 1,
            _ => {}
        }
    }
    units
}

#[test]
fn goes_on_after_the_controller_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let host = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = format!(
        "{}  here:\n    transport: local\n",
        host.fleet_entry("board", None)
    );
    let mut killed = controller::start(dir.path(), &fleet, &["--suite", "smoke"]);
    let ends = || {
        let stream = controller::stream_of(dir.path(), "board")?;
        let text = fs::read_to_string(stream).ok()?;
        Some(text.matches(r#"{"type":"unit_end""#).count())
    };
    // In the middle: some units ended, others did not.
    wait_for("three units to end", || ends().is_some_and(|n| n >= 3));
    let stream = controller::stream_of(dir.path(), "board").unwrap();
    let run_dir = stream.ancestors().nth(3).unwrap().to_owned();
    let resume = || {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["run", "--format", "json", "--resume"])
            .arg(&run_dir)
            .arg("--fleet")
            .arg(dir.path().join("fleet.yaml"))
            .env("XDG_CACHE_HOME", dir.path().join("cache"))
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (
            output.status.code(),
            document,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, _, stderr) = resume();
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("another controller works on"), "{stderr}");

    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = begun_and_ended(&fs::read_to_string(&stream).unwrap());

    let (code, document, stderr) = resume();
    assert_eq!(code, Some(0), "{stderr}");
    for host in document["hosts"].as_array().unwrap() {
        assert_eq!(host["status"], "ok", "{host}");
    }
    let after = begun_and_ended(&fs::read_to_string(&stream).unwrap());
    for (unit, (_, ended)) in &after {
        assert_eq!(*ended, 1, "{unit} ended {ended} times");
        let ended_before = before.get(unit).is_some_and(|counts| counts.1 == 1);
        assert!(
            !ended_before || after[unit] == before[unit],
            "{unit} was measured twice"
        );
    }
    assert!(after.len() > before.values().filter(|counts| counts.1 == 1).count());

    // There is nothing left to do: nothing is written to the streams again.
    let (code, _, stderr) = resume();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        begun_and_ended(&fs::read_to_string(&stream).unwrap()),
        after
    );
}
