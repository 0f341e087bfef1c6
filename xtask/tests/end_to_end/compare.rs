//! Real runs of this machine held against each other: as text, as a document, as a page, and as an exit code.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::controller;

const FLEET: &str = "  here:\n    transport: local\n";

/// Enough samples for an interval, in a cache that nobody shares.
const SUITE: &str = "description: One kernel with enough samples for an interval.
emulated:
  working-set-kib: 1024
  decode-model: qwen2.5-0.5b
  sampling: {min-samples: 2, max-samples: 2, budget-ms: 1}
units:
  - kernel: gemv_q4_0
    threads: [1]
    gemv: {residency: cache, rows: 128, cols: 896}
    sampling: {min-samples: 12, max-samples: 12, budget-ms: 100}
    deadline-s: 30
";

fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .args(args)
        .output()
        .unwrap()
}

/// Measures and returns the name of the run.
fn measure(dir: &Path, args: &[&str]) -> String {
    let outcome = controller::run(dir, FLEET, args);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let name = outcome.run_dir().file_name().unwrap().to_owned();
    name.into_string().unwrap()
}

fn json(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[test]
fn two_runs_are_compared_unit_by_unit() {
    let dir = tempfile::tempdir().unwrap();
    let a = measure(dir.path(), &["--suite", "smoke"]);
    let b = measure(dir.path(), &["--suite", "smoke"]);
    let page = dir.path().join("comparison.html");
    let page_name = page.to_str().unwrap();
    let args = ["compare", &a, &b, "--format", "json", "--output", page_name];
    let output = xtask(dir.path(), &args);
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    assert_eq!(document["basis"], "samples");
    assert_eq!(document["a"]["subjects"][0]["run_id"], a.as_str());
    assert_eq!(document["b"]["subjects"][0]["host"], "here");
    assert_eq!(document["exit_code"], 0);
    let changes = document["changes"].to_string();
    assert!(!changes.contains("board program"), "{changes}");

    // Every unit of A is a pair or has a reason.
    let request = dir
        .path()
        .join("runs")
        .join(&a)
        .join("hosts/here/request.json");
    let request: Value = serde_json::from_slice(&fs::read(request).unwrap()).unwrap();
    let pairs = document["pairs"].as_array().unwrap();
    let left_out = document["left_out"].as_array().unwrap();
    assert!(!pairs.is_empty());
    for unit in request["units"].as_array().unwrap() {
        let name = &unit["unit"];
        let is_pair = pairs.iter().any(|pair| &pair["unit_a"] == name);
        let is_left_out = left_out.iter().any(|it| &it["unit"] == name);
        assert!(is_pair || is_left_out, "{name} is lost");
    }
    for pair in pairs {
        let (ratio, a, b) = (&pair["ratio"], &pair["a"]["value"], &pair["b"]["value"]);
        let (ratio, a, b) = (
            ratio.as_f64().unwrap(),
            a.as_f64().unwrap(),
            b.as_f64().unwrap(),
        );
        let expect = if pair["metric"] == "ns per load" {
            a / b
        } else {
            b / a
        };
        assert!((ratio - expect).abs() < 1e-9, "{pair}");
    }

    let html = fs::read_to_string(&page).unwrap();
    for part in ["Other differences", "Unit by unit", "read/dram/t1", "<svg"] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("href=\"http"));

    // The same again gives the same bytes, and words for people.
    let again = json(&xtask(dir.path(), &args));
    assert!(again == document);
    assert!(html == fs::read_to_string(&page).unwrap());
    let text = xtask(dir.path(), &["compare", &a, &format!("{b}:here")]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Samples of one run share the state of the board"));
}

#[test]
fn a_confirmed_regression_has_an_exit_code_and_mistakes_name_their_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let suite = dir.path().join("own.yaml");
    fs::write(&suite, SUITE).unwrap();
    let suite = suite.to_str().unwrap();
    let best = measure(dir.path(), &["--suite", suite, "--rounds", "3"]);
    // The same work without vector instructions: many times slower on every CPU, whatever else runs.
    let scalar = ["--suite", suite, "--variant", "scalar", "--rounds", "3"];
    let scalar = measure(dir.path(), &scalar);
    let once = measure(dir.path(), &["--suite", suite]);
    let compare = |args: &[&str]| {
        let output = xtask(dir.path(), &[&["compare"], args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap_or(-1), stderr)
    };
    let (code, stderr) = compare(&[&best, &scalar, "--fail-on-regression", "20"]);
    assert_eq!(code, 7, "{stderr}");
    assert!(
        stderr.contains("slower by more than 20 %") && stderr.contains("gemv_q4_0/cache/t1"),
        "{stderr}"
    );
    let output = xtask(dir.path(), &["compare", &best, &scalar, "--format", "json"]);
    let document = json(&output);
    assert_eq!(document["pairs"][0]["outcome"], "slower", "{document}");
    let changes = document["changes"].to_string();
    assert!(
        changes.contains("forced instruction-set variant"),
        "{changes}"
    );
    // One run without rounds confirms nothing, and says so.
    let (code, stderr) = compare(&[&once, &scalar, "--fail-on-regression", "20"]);
    assert_eq!(code, 9, "{stderr}");
    assert!(stderr.contains("`--rounds 3` or more"), "{stderr}");
    // Without the question, and for what became faster, there is nothing to fail on.
    assert_eq!(compare(&[&best, &scalar]).0, 0);
    assert_eq!(compare(&[&scalar, &best, "--fail-on-regression", "0"]).0, 0);

    let refused = |args: &[&str], part: &str| {
        let (code, stderr) = compare(args);
        assert!(code == 2 && stderr.contains(part), "{code}: {stderr}");
    };
    refused(&[], "compare what?");
    refused(&[&best, &best], "is named twice");
    refused(&[&best, "nobody"], "is no run, no RUN:HOST and no host");
    refused(&[&best, &format!("{scalar}:nobody")], "There are: here");
    refused(
        &["--before-after", &best],
        "measure with `--compare-environment`",
    );
    refused(
        &[&best, &scalar, "--fail-on-regression", "-1"],
        "from 0 to less",
    );
}
