//! Hosts that play a recorded stream again: the recorded figures, marked emulated, and resumed like any other host.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::controller::{self, Outcome};

fn entry(name: &str, stream: &str) -> String {
    format!("  {name}:\n    transport: replay\n    stream: {stream}\n")
}

/// Fields of a line of CSV; only the quotes around a field are understood.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// What was measured on a host: every sample, without the run, the host and the judgement.
fn samples(outcome: &Outcome, host: &str) -> Vec<Vec<String>> {
    let text = outcome.read("frames/samples.csv");
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (host_at, from, to) = (place("host"), place("unit"), place("verdict"));
    (lines.filter(|fields| fields[host_at] == host))
        .map(|fields| fields[from..to].to_vec())
        .collect()
}

fn messages(stream: &Path) -> Vec<Value> {
    let text = fs::read_to_string(stream).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_recorded_stream_takes_the_place_of_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let here = "  here:\n    transport: local\n";
    let recorded = controller::run(dir, here, &["--suite", "smoke"]);
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let stream = recorded.run_dir().join("hosts/here/stream.jsonl");
    // One by a path relative to the fleet file, one by its absolute path, one that lacks a unit.
    fs::copy(&stream, dir.join("recorded.jsonl")).unwrap();
    let text = fs::read_to_string(&stream).unwrap();
    let lines = messages(&stream).into_iter().zip(text.lines());
    let first = &samples(&recorded, "here")[0][0];
    let lacking: String = lines
        .filter(|(message, _)| message["unit"] != **first)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    fs::write(dir.join("lacking.jsonl"), lacking).unwrap();
    let fleet = [
        entry("relative", "recorded.jsonl"),
        entry("absolute", &stream.display().to_string()),
        entry("lacking", "lacking.jsonl"),
        entry("nothing", "no-such-file.jsonl"),
    ];
    let replayed = controller::run(dir, &fleet.concat(), &["--suite", "smoke"]);
    // The host without a stream fails, and its reason says what to do.
    assert_eq!(replayed.code, 5, "{}", replayed.stderr);
    let reason = replayed.host("nothing")["reason"].as_str().unwrap();
    assert!(reason.contains("no-such-file.jsonl") && reason.contains("`stream` names"));

    let expect = samples(&recorded, "here");
    assert!(expect.len() > 8, "{expect:?}");
    for host in ["relative", "absolute"] {
        assert_eq!(replayed.host(host)["status"], "ok");
        assert_eq!(replayed.host(host)["units_skipped"], 0);
        assert_eq!(samples(&replayed, host), expect, "{host}");
        let record = replayed.read(&format!("hosts/{host}/host.json"));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["transport"], "replay");
        assert_eq!(record["emulated"], true);
        assert_eq!(record["artifact_sha256"], Value::Null);
    }
    assert_eq!(replayed.host("lacking")["status"], "ok");
    assert_eq!(replayed.host("lacking")["units_skipped"], 1);
    let units = replayed.read("frames/units.csv");
    assert!(units.contains("the recorded stream does not have this unit"));

    goes_on_with_what_is_left(&replayed, dir);
}

/// As if the controller had died in the middle of a host's stream.
fn goes_on_with_what_is_left(replayed: &Outcome, dir: &Path) {
    let run_dir = replayed.run_dir();
    let stream = run_dir.join("hosts/absolute/stream.jsonl");
    let whole = messages(&stream);
    let ends = |messages: &[Value]| -> Vec<String> {
        let ends = messages.iter().filter(|it| it["type"] == "unit_end");
        ends.map(|it| it["unit"].as_str().unwrap().to_owned())
            .collect()
    };
    let text = fs::read_to_string(&stream).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let n_kept = lines.len() / 2;
    fs::write(&stream, lines[..n_kept].concat()).unwrap();
    // What failed is tried again, too.
    let n_ended = ends(&whole[..n_kept]).len();
    let copy = run_dir.join("inventory/no-such-file.jsonl");
    fs::copy(dir.join("recorded.jsonl"), copy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["run", "--format", "json", "--resume"])
        .arg(&run_dir)
        // The recorded streams lie beside the fleet file, and its copy names those beside itself.
        .arg("--trust-fleet")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let after = messages(&stream);
    let second = (after.iter().rposition(|it| it["type"] == "hello")).unwrap();
    assert_ne!(after[second]["attempt"], 1);
    assert_eq!(ends(&after[second..]).len(), ends(&whole).len() - n_ended);
    let all: BTreeSet<String> = ends(&after).into_iter().collect();
    assert_eq!(all.len(), ends(&after).len(), "a unit ended twice");
    assert_eq!(all, ends(&whole).into_iter().collect());
}
