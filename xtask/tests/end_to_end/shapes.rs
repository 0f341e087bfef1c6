//! Shapes of loops on this machine: raced, told, and forced again; one that the board lacks costs its own unit only.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::controller;

const FLEET: &str = "  here:\n    transport: local\n";

const SUITE: &str =
    "description: One kernel that is raced and one that is forced to what no board has.
emulated:
  working-set-kib: 1024
  decode-model: qwen2.5-0.5b
  sampling: {min-samples: 2, max-samples: 2, budget-ms: 1}
units:
  - kernel: read
    threads: [1]
    stream: {residency: dram, working-set-kib: 65536}
    sampling: {min-samples: 3, max-samples: 3, budget-ms: 50}
    deadline-s: 30
  - kernel: copy
    threads: [1]
    shapes: [v7x7]
    stream: {residency: dram, working-set-kib: 65536}
    sampling: {min-samples: 3, max-samples: 3, budget-ms: 50}
    deadline-s: 30
";

/// Measures the suite and returns its units.
fn measured(dir: &Path, args: &[&str]) -> Vec<Value> {
    let suite = dir.join("own.yaml");
    fs::write(&suite, SUITE).unwrap();
    let args = [&["--suite", suite.to_str().unwrap()], args].concat();
    let outcome = controller::run(dir, FLEET, &args);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let report = outcome.run_dir().join("html/data/report.json");
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    report["hosts"][0]["units"].as_array().unwrap().clone()
}

#[test]
fn a_shape_that_was_chosen_can_be_forced() {
    let dir = tempfile::tempdir().unwrap();
    let units = measured(dir.path(), &[]);
    let [raced, unknown] = units.as_slice() else {
        panic!("{units:?}");
    };
    let tried = raced["shapes_tried"].as_array().unwrap();
    let ran = raced["shapes"][0].as_str().unwrap();
    assert!(tried.iter().any(|it| it["shape"] == ran), "{raced}");
    assert!(tried.len() > 1 && raced["race_ms"].is_f64(), "{raced}");
    assert_eq!(raced["shape_is_forced"], false);

    assert_eq!(unknown["unit"], "copy/dram/t1/v7x7");
    assert_eq!(unknown["verdict"], "not_measured");
    let reason = unknown["reason"].as_str().unwrap();
    let part = "has no shape `v7x7` of this kernel here; it has ";
    assert!(reason.contains(part), "{reason}");

    // Another one than the race would choose.
    let other = tried.iter().find(|it| it["shape"] != ran).unwrap();
    let other = other["shape"].as_str().unwrap();
    let units = measured(dir.path(), &["--kernel", "read", "--shape", other]);
    assert_eq!(units[0]["unit"], "read/dram/t1");
    assert_eq!(units[0]["shapes"][0], other);
    assert_eq!(units[0]["shape_is_forced"], true);
    assert_eq!(units[0]["shapes_tried"].as_array().unwrap().len(), 0);
}
