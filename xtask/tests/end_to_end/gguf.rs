//! Runs with models of GGUF files: the exact tensors are measured, and the report needs the file no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench_inventory::Model;
use bench_inventory::gguf::GgufModel;
use bench_protocol::{Job, Message, RunRequest, UnitReady, parse_line};
use serde_json::Value;

use crate::controller::{self, Outcome};

const HERE: &str = "  here:\n    transport: local\n";

const SUITE: &str = "\
description: a model at two depths and for one prompt
emulated:
  working-set-kib: 1024
  decode-model: qwen2.5-0.5b
  sampling: {min-samples: 1, max-samples: 1, budget-ms: 1}
units:
  - kernel: decode
    threads: [1]
    decode: {model: qwen2.5-1.5b, quants: [q4_0, q8_0], depths: [0, 5]}
    sampling: {min-samples: 1, max-samples: 2, budget-ms: 1}
    deadline-s: 60
  - kernel: decode
    threads: [1]
    decode: {model: qwen2.5-0.5b, quant: q4_0, depths: [5], generate: 3}
    sampling: {min-samples: 1, max-samples: 2, budget-ms: 1}
    deadline-s: 60
  - kernel: prefill
    threads: [1]
    prefill: {model: qwen2.5-0.5b, quant: q4_0, prompts: [1, 7]}
    sampling: {min-samples: 1, max-samples: 2, budget-ms: 1}
    deadline-s: 60
";

fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join("inventory/tests/gguf").join(name)
}

fn readies(outcome: &Outcome) -> Vec<UnitReady> {
    let stream = outcome.read("hosts/here/stream.jsonl");
    let messages = stream.lines().filter_map(|line| parse_line(line).ok());
    let ready = |message| match message {
        Message::UnitReady(ready) => Some(ready),
        _ => None,
    };
    messages.filter_map(ready).collect()
}

#[test]
fn measures_exactly_the_tensors_of_a_file_and_reports_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = dir.join("My Model.gguf");
    fs::copy(golden("untied.gguf"), &file).unwrap();
    let gguf = GgufModel::open(&file).unwrap();
    let suite = dir.join("of-a-file.yaml");
    fs::write(&suite, SUITE).unwrap();
    let args = [
        "--suite",
        suite.to_str().unwrap(),
        "--gguf",
        file.to_str().unwrap(),
    ];
    let outcome = controller::run(dir, HERE, &args);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    fs::remove_file(&file).unwrap();
    fs::remove_file(&suite).unwrap();

    let readies = readies(&outcome);
    let names: Vec<&str> = readies.iter().map(|ready| ready.unit.as_str()).collect();
    assert_eq!(
        names,
        [
            "decode/my-model/q8_0/d0/t1",
            "decode/my-model/q8_0/d5/t1",
            "decode/my-model/q8_0/d5-n3/t1",
            "prefill/my-model/q8_0/p1/t1",
            "prefill/my-model/q8_0/p7/t1",
        ]
    );
    // What the report has years later: no file but those of the run directory.
    let inventory = bench_inventory::load_catalogue(&outcome.run_dir().join("inventory")).unwrap();
    let model = &inventory.models["my-model"];
    assert_eq!(model.file, Model::of_gguf(&gguf).unwrap().file);
    assert!(inventory.suites.contains_key("of-a-file"));
    for ready in &readies {
        let measured = ready.model.as_ref().unwrap();
        assert_eq!(
            (measured.model.as_str(), measured.quant.as_str()),
            ("my-model", "q8_0")
        );
        let (work, unit) = (ready.work, &ready.unit);
        let n_tokens = work.tokens;
        if measured.n_prompt > 0 {
            assert_eq!(work.read_bytes, gguf.read_bytes_per_token(), "{unit}");
            assert_eq!(work.ops, model.ops_of_prompt(measured.n_prompt), "{unit}");
            continue;
        }
        let positions = measured.depth..measured.depth + n_tokens;
        let ops: u64 = positions.clone().map(|at| model.ops_per_token(at)).sum();
        assert_eq!(work.ops, ops, "{unit}");
        let kv = match measured.kv_format {
            bench_protocol::KvFormat::F16 => bench_inventory::KvFormat::F16,
            bench_protocol::KvFormat::Q8_0 => bench_inventory::KvFormat::Q8_0,
        };
        let kv_bytes = positions.sum::<u64>() * model.kv_bytes_per_token(kv);
        let weights = n_tokens * gguf.read_bytes_per_token();
        assert_eq!(work.read_bytes, weights + kv_bytes, "{unit}");
    }
    holds_the_tensors_of_the_header(&outcome, &gguf);
    renders_again(&outcome);
}

/// What was asked of the board: each tensor that a token reads, in the file's own type.
fn holds_the_tensors_of_the_header(outcome: &Outcome, gguf: &GgufModel) {
    let request: RunRequest =
        serde_json::from_str(&outcome.read("hosts/here/request.json")).unwrap();
    let Job::Decode { model, .. } = &request.units[0].job else {
        panic!("{:?}", request.units[0].job);
    };
    let mut asked: Vec<(String, String, u64)> = model
        .tensors
        .iter()
        .map(|tensor| {
            let elements = tensor.rows * tensor.cols;
            (tensor.name.clone(), tensor.format.clone(), elements)
        })
        .collect();
    let mut expected: Vec<(String, String, u64)> = gguf
        .tensors
        .iter()
        .filter(|tensor| tensor.read_bytes > 0)
        .map(|tensor| {
            let info = &tensor.info;
            let ggml_type = info.ggml_type.id().to_owned();
            (info.name.clone(), ggml_type, info.n_elements)
        })
        .collect();
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected);
}

fn renders_again(outcome: &Outcome) {
    for derived in ["frames", "html"] {
        fs::remove_dir_all(outcome.run_dir().join(derived)).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("report")
        .arg(outcome.run_dir())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let page = outcome.read("html/hosts/here.html");
    assert!(page.contains("my-model"), "the page names the model");
}

fn xtask(dir: &Path, args: &[&str]) -> (i32, String, String) {
    fs::write(dir.join("fleet.yaml"), format!("hosts:\n{HERE}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .args(["--format", "json", "--fleet"])
        .arg(dir.join("fleet.yaml"))
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_plan_holds_the_model_itself() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::copy(golden("untied.gguf"), dir.join("one.gguf")).unwrap();
    fs::write(dir.join("mine.yaml"), SUITE).unwrap();
    let plan = [
        "plan",
        "--all-boards",
        "--suite",
        "./mine.yaml",
        "--kernel",
        "prefill",
        "--gguf",
        "one.gguf",
        "--output",
        "plan.json",
    ];
    let (code, stdout, stderr) = xtask(dir, &plan);
    assert_eq!(code, 0, "{stderr}");
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        plan["hosts"][0]["units"][0]["unit"],
        "prefill/one/q8_0/p1/t1"
    );
    for file in ["one.gguf", "mine.yaml"] {
        fs::remove_file(dir.join(file)).unwrap();
    }
    let (code, stdout, stderr) = xtask(dir, &["run", "--plan", "plan.json"]);
    assert_eq!(code, 0, "{stderr}");
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed["plan_hash"], plan["hash"]);
    assert_eq!(printed["hosts"][0]["units_ok"], 2, "{printed}");

    // Whoever writes a plan by hand writes no file outside of the run directory with it.
    let mut other = plan.clone();
    other["own_files"]["models/../../x.yaml"] = "name: x".into();
    fs::write(dir.join("other.json"), other.to_string()).unwrap();
    let (code, _, stderr) = xtask(dir, &["run", "--plan", "other.json"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("is no data file of a plan"), "{stderr}");
}

#[test]
fn what_cannot_be_measured_is_refused_at_once_with_every_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // The type of a matrix becomes one without a kernel.
    fs::write(dir.join("mxfp4.gguf"), with_first_query_in_mxfp4()).unwrap();
    fs::copy(golden("experts.gguf"), dir.join("experts.gguf")).unwrap();
    fs::write(dir.join("no.gguf"), "no model").unwrap();
    let files = ["mxfp4.gguf", "experts.gguf", "no.gguf", "gone.gguf"];
    let plan = ["plan", "--all-boards", "--suite", "smoke", "--gguf"];
    let (code, _, stderr) = xtask(dir, &[&plan[..], &files[..]].concat());
    assert_eq!(code, 2, "{stderr}");
    for part in [
        "there is no kernel for mxfp4, the storage type of 1 tensors, `blk.0.attn_q.weight` for instance",
        "a layer has 4 experts",
        "`no.gguf`: byte 0: magic number",
        "`gone.gguf`: file: cannot be opened",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    fs::copy(golden("untied.gguf"), dir.join("good.gguf")).unwrap();
    let read = ["plan", "--all-boards", "--kernel", "read", "--gguf"];
    let (code, _, stderr) = xtask(dir, &[&read[..], &["good.gguf"][..]].concat());
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("`--gguf` changes nothing"), "{stderr}");
}

/// The golden file with one matrix in another type of fewer bytes: what lies between tensors does not matter.
fn with_first_query_in_mxfp4() -> Vec<u8> {
    let mut bytes = fs::read(golden("tied.gguf")).unwrap();
    let name = b"blk.0.attn_q.weight";
    let at = bytes.windows(name.len()).position(|it| it == name).unwrap();
    // Behind the name: number of dimensions, two dimensions, type.
    let type_at = at + name.len() + 4 + 2 * 8;
    assert_eq!(bytes[type_at..type_at + 4], 2u32.to_le_bytes());
    bytes[type_at..type_at + 4].copy_from_slice(&39u32.to_le_bytes());
    bytes
}
