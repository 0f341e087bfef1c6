//! Bounds and recommendations as people and programs ask for them: of the catalogue, and of a host that was measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::plan::{document, xtask};

/// What people read on their terminal.
fn said(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--fleet", "fleet.yaml", "--runs-dir", "runs"])
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn lab() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fleet = "hosts:\n  here:\n    transport: local\n";
    fs::write(dir.path().join("fleet.yaml"), fleet).unwrap();
    dir
}

#[test]
fn bounds_keep_their_stable_names_and_worked_example() {
    let dir = lab();
    let one = [
        "bounds",
        "--board",
        "rock-5b",
        "--model",
        "qwen2.5-7b",
        "--quant",
        "q4_k_m",
    ];
    let worked = ["--bandwidth-gb-s", "32", "--bytes-gb", "4.8"];
    let got = document(&xtask(dir.path(), &[&one[..], &worked[..]].concat()));
    let six = 32.0 / 4.8;
    for key in [
        "bound_file_tokens_per_s",
        "bound_read_tokens_per_s",
        "bound_tokens_per_s",
    ] {
        assert_eq!(got[key].as_f64(), Some(six), "{key}");
    }
    assert_eq!(got["need"]["weight_bytes"], 4_800_000_000_u64);
    let needed: u64 = (["weight_bytes", "kv_bytes", "compute_bytes"].iter())
        .map(|part| got["need"][part].as_u64().unwrap())
        .sum();
    for fit in got["fits_detail"].as_array().unwrap() {
        assert_eq!(fit["needed_bytes"], needed);
    }
    for step in got["chain"].as_array().unwrap() {
        assert!(step["tokens_per_s"].as_f64().unwrap() <= six, "{step}");
    }
    let text = xtask(
        dir.path(),
        &[&["--format", "text"][..], &one, &worked].concat(),
    );
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(
        !text.contains("7.73") && !text.contains("5.24 GB"),
        "{text}"
    );
    assert!(
        text.contains("it would need 4000 MT/s on this bus"),
        "{text}"
    );
    // The formula needs neither board nor model.
    let bare = document(&xtask(dir.path(), &[&["bounds"][..], &worked[..]].concat()));
    assert_eq!(bare["bound_read_tokens_per_s"].as_f64(), Some(six));
    assert!(bare["board"].is_null() && bare["model"].is_null());
    let got = document(&xtask(dir.path(), &one));
    for key in [
        "board",
        "model",
        "quant",
        "bandwidth_gb_s",
        "file_bytes",
        "read_bytes_per_token",
        "kv_bytes_per_token",
        "bound_file_tokens_per_s",
        "bound_read_tokens_per_s",
        "fits",
        "sources",
        "chain",
        "limit",
        "expected",
        "max_context",
        "need",
    ] {
        assert!(!got[key].is_null(), "{key}: {got:#}");
    }
    assert_eq!(got["board"], "rock-5b");
    assert!(got["ops_per_token"].as_u64().unwrap() > 2 * 7_000_000_000);
    assert_eq!(got["kv_bytes_per_token_by_format"]["q8_0"], 30464);
    let labels: Vec<&str> = (got["chain"].as_array().unwrap().iter())
        .map(|step| step["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["theory", "theory", "imported", "predicted"]);
    // Nothing is known of its other processors, and that is said.
    for other in got["other_processors"].as_array().unwrap() {
        assert!(other["expected"].is_null(), "{other}");
        let why = other["no_prediction"].as_str().unwrap();
        assert!(
            why.contains("Mali GPUs") || why.contains("RKNPU NPUs"),
            "{why}"
        );
    }

    let many = document(&xtask(
        dir.path(),
        &[
            "bounds",
            "--board",
            "rock-5b",
            "raspberry-pi-5",
            "--model",
            "llama-3.2-3b",
            "--depth",
            "0",
            "4096",
        ],
    ));
    assert_eq!(many["bounds"].as_array().unwrap().len(), 2 * 6 * 2);

    let two = [
        "--format",
        "text",
        "bounds",
        "--board",
        "rock-5b",
        "--board",
        "jetson-orin-nano",
    ];
    let load = ["--model", "qwen2.5-7b", "--quant", "q4_k_m"];
    let two = said(dir.path(), &[&two[..], &load].concat());
    assert!(
        two.contains("jetson-orin-nano (gpu) against rock-5b (cpu): bandwidth 2.02 x, 68.3 GB/s against 33.8 GB/s; bound 2.02 x"),
        "{two}"
    );

    let wrong = xtask(dir.path(), &["bounds", "--board", "rock-5c"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `rock-5b`?"));
}

#[test]
fn a_measured_host_is_answered_with_its_own_figures() {
    let dir = lab();
    let bounds = [
        "bounds",
        "--board",
        "here",
        "--model",
        "qwen2.5-0.5b",
        "--quant",
        "q4_0",
    ];
    let measure = [
        "run",
        "--all-boards",
        "--suite",
        "smoke",
        "--kernel",
        "read",
        "gemv_*",
        "decode",
    ];
    let is_measured = |got: &Value| {
        let chain = got["chain"].as_array().unwrap();
        chain.iter().any(|step| step["step"] == "decoding")
    };
    // Beside other tests a read may be slower than the decoding after it: such figures are rightly not used.
    let got = std::iter::repeat_with(|| {
        let run = xtask(dir.path(), &measure);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(matches!(run.status.code(), Some(0 | 6)), "{said}");
        document(&xtask(dir.path(), &bounds))
    });
    let got = got
        .take(20)
        .find(is_measured)
        .expect("one of them is undisturbed");
    let steps: Vec<(&str, &str)> = (got["chain"].as_array().unwrap().iter())
        .map(|step| {
            (
                step["step"].as_str().unwrap(),
                step["label"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(steps.contains(&("best read", "measured")), "{steps:?}");
    assert!(steps.contains(&("decoding", "measured")), "{steps:?}");
    assert_eq!(got["expected"]["label"], "measured");
    assert_eq!(got["room"]["label"], "measured");

    let asked = [
        "recommend",
        "--board",
        "here",
        "--min-tokens-per-s",
        "0.001",
        "--context",
        "512",
    ];
    let got = document(&xtask(dir.path(), &asked));
    let answers = got["answers"].as_array().unwrap();
    assert!(!answers.is_empty(), "{got:#}");
    for answer in answers {
        let decision = &answer["decision"];
        let needed: u64 = ["weight_bytes", "kv_bytes", "compute_bytes"]
            .iter()
            .map(|part| decision["need"][part].as_u64().unwrap())
            .sum();
        assert!(needed <= decision["room"]["bytes"].as_u64().unwrap());
        let is_measured = decision["expected"]["label"] == "measured";
        let is_calm = decision["expected"]["disturbed"] == false;
        let certainty = match (is_calm, is_measured) {
            (false, _) => "likely",
            (true, true) => "sure",
            (true, false) => "very_likely",
        };
        assert_eq!(answer["certainty"], certainty, "{answer:#}");
        assert!(
            ["measured", "predicted"].contains(&decision["expected"]["label"].as_str().unwrap())
        );
    }
    assert!(!got["remedies"].as_array().unwrap().is_empty());

    only_clean_and_finished_runs_count(dir.path(), &bounds);

    // Without the run the name means nothing.
    let without = xtask(
        dir.path(),
        &["recommend", "--board", "here", "--run", "none"],
    );
    assert_eq!(without.status.code(), Some(2));
}

/// The newest run once more under another name, with a file changed.
fn copy_of_newest(
    dir: &Path,
    name: &str,
    file: &str,
    change: &mut dyn FnMut(&mut Value),
) -> PathBuf {
    let mut runs: Vec<PathBuf> = (fs::read_dir(dir.join("runs")).unwrap())
        .map(|run| run.unwrap().path())
        .collect();
    runs.sort();
    let to = dir.join("runs").join(name);
    let status = Command::new("cp")
        .arg("-a")
        .args([&runs[runs.len() - 1], &to])
        .status();
    assert!(status.unwrap().success());
    let manifest = fs::read_to_string(to.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
    manifest["run_id"] = name.into();
    fs::write(to.join("manifest.json"), manifest.to_string()).unwrap();
    let text = fs::read_to_string(to.join(file)).unwrap();
    let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let changed: Vec<String> = documents
        .map(|document| {
            let mut document = document.unwrap();
            change(&mut document);
            document.to_string()
        })
        .collect();
    fs::write(to.join(file), changed.join("\n") + "\n").unwrap();
    to
}

fn set(line: &mut Value, key: &str, value: u64) {
    if line.get(key).is_some_and(|it| !it.is_null()) {
        line[key] = value.into();
    }
}

/// Copies of the newest run that are newer still: a calm one, one in progress, and one beside busy programs.
fn only_clean_and_finished_runs_count(dir: &Path, bounds: &[&str]) {
    let speaks = || document(&xtask(dir, bounds))["measured_in"].clone();
    let stream = "hosts/here/stream.jsonl";
    // Other tests may have disturbed the real one: here every sample of a unit is as long as its first.
    let mut first: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    copy_of_newest(dir, "2098-01-01T00-00-00Z-0001", stream, &mut |line| {
        set(line, "other_cpu_ms", 0);
        let of = |key: &str| line.get(key).and_then(Value::as_u64);
        if let (Some(unit), Some(ns), Some(n)) =
            (line["unit"].as_str(), of("elapsed_ns"), of("iterations"))
        {
            let (first_ns, first_n) = *first.entry(unit.to_owned()).or_insert((ns, n));
            line["elapsed_ns"] = (first_ns * n / first_n).into();
        }
    });
    let calm = speaks();
    assert_eq!(calm["run"], "2098-01-01T00-00-00Z-0001");
    assert!(calm["disturbed"].is_null(), "{calm}");

    copy_of_newest(
        dir,
        "2099-01-01T00-00-00Z-0001",
        "manifest.json",
        &mut |manifest| {
            manifest["finished_at"] = Value::Null;
        },
    );
    assert_eq!(speaks()["run"], calm["run"], "a run in progress is no run");
    fs::remove_dir_all(dir.join("runs/2099-01-01T00-00-00Z-0001")).unwrap();

    let name = "2099-01-01T00-00-00Z-0002";
    let busy = copy_of_newest(dir, name, stream, &mut |line| {
        set(line, "other_cpu_ms", 1_000_000_000);
    });
    let still = speaks();
    assert_eq!(still["run"], calm["run"]);
    assert_eq!(still["n_newer_disturbed_runs"], 1);
    // Who names it gets it, with the warning first.
    let text = said(dir, &[bounds, &["--run", name]].concat());
    assert!(
        text.starts_with("disturbed: ") && text.contains("other programs took 100 % of the CPUs"),
        "{text}"
    );
    fs::remove_dir_all(busy).unwrap();
}
