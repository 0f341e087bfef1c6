//! Results of external programs in a run that was measured here, and that run as rows of llama-bench.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::controller;

/// Real outputs, and how many figures each has.
const FILES: [(&str, &str, usize); 8] = [
    ("llama-bench.json", "llama-bench", 4),
    ("llama-bench.jsonl", "llama-bench", 4),
    ("llama-bench.csv", "llama-bench", 4),
    ("stream-1-thread.txt", "stream", 4),
    ("stream-2-threads.txt", "stream", 4),
    ("mbw-all-tests.txt", "mbw", 33),
    ("mbw-quiet.txt", "mbw", 4),
    ("tinymembench.txt", "tinymembench", 97),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../reports/run-dir/tests/imports/data")
        .join(name)
}

fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--runs-dir"])
        .arg(dir.join("runs"))
        .args(args)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Every file of a folder, below it, with its content.
fn tree(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => tree(&path, files),
            false => {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    tree(folder, &mut files);
    files
}

#[test]
fn results_of_other_programs_join_a_run_and_it_goes_out_as_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_whose_rows_may_go_out(dir.path());
    let run_name = run.to_str().unwrap();

    imports_every_file(dir.path(), run_name, &run);
    let before = contents(&run);
    imports_them_again_without_a_change(dir.path(), run_name);
    let again = contents(&run);
    assert!(before == again, "a second import changes nothing");
    a_broken_file_leaves_the_run_as_it_was(dir.path(), run_name);
    assert!(contents(&run) == again, "a refused import changes nothing");
    a_damaged_run_is_refused(dir.path(), run_name, &run);
    goes_out_and_comes_back(dir.path(), run_name);
}

/// Other tests beside this one can disturb a unit so much that it is invalid, and what is invalid does not go out.
fn run_whose_rows_may_go_out(dir: &Path) -> PathBuf {
    let fleet = "  here:\n    transport: local\n";
    for _ in 0..5 {
        let outcome = controller::run(dir, fleet, &["--suite", "smoke"]);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let run = outcome.run_dir();
        let args = ["export", run.to_str().unwrap(), "--as", "llama-bench-jsonl"];
        let left_out = xtask(dir, &args).stderr;
        if !String::from_utf8_lossy(&left_out).contains(": invalid") {
            return run;
        }
    }
    panic!("a unit of a model was invalid in each of five runs");
}

fn import_args<'a>(run: &'a str, files: &'a [String]) -> Vec<&'a str> {
    let mut args = vec!["import", "--format", "json", "--host", "here", "--run", run];
    args.extend(files.iter().map(String::as_str));
    args
}

fn all_files() -> Vec<String> {
    FILES
        .map(|(name, _, _)| data(name).display().to_string())
        .to_vec()
}

fn imports_every_file(dir: &Path, run_name: &str, run: &Path) {
    let files = all_files();
    let output = xtask(dir, &import_args(run_name, &files));
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    assert_eq!(document["n_added"], FILES.len());
    for ((name, tool, n_figures), file) in FILES.iter().zip(document["files"].as_array().unwrap()) {
        assert_eq!(file["tool"], *tool, "{name}");
        assert_eq!(file["n_figures"], *n_figures, "{name}");
        let kept = fs::read(run.join(file["file"].as_str().unwrap())).unwrap();
        assert!(
            kept == fs::read(data(name)).unwrap(),
            "{name} is kept byte for byte"
        );
    }
    let rows = fs::read_to_string(run.join("frames/imported.csv")).unwrap();
    let n_figures: usize = FILES.iter().map(|(_, _, n)| n).sum();
    assert_eq!(rows.lines().count(), 1 + n_figures);
    let parquet = fs::read(run.join("frames/imported.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1"));
    let page = fs::read_to_string(run.join("html/index.html")).unwrap();
    for part in [
        "Results of external programs",
        "SSE2 2-pass copy",
        "decode unit of memwall",
    ] {
        assert!(page.contains(part), "the page lacks `{part}`");
    }
    let list = fs::read_to_string(run.join("files.json")).unwrap();
    assert!(
        list.contains("imports/index.jsonl"),
        "the run is sealed with its imports"
    );
}

fn imports_them_again_without_a_change(dir: &Path, run_name: &str) {
    let document = json(&xtask(dir, &import_args(run_name, &all_files())));
    assert_eq!(document["n_added"], 0);
}

fn a_broken_file_leaves_the_run_as_it_was(dir: &Path, run_name: &str) {
    let changed = dir.join("changed.json");
    let text = fs::read_to_string(data("llama-bench.json")).unwrap();
    // Whole rows of an ended run count, so one that contradicts itself stands for what is broken.
    fs::write(&changed, text.replacen("\"avg_ts\": ", "\"avg_ts\": 9", 1)).unwrap();
    let other = dir.join("notes.txt");
    fs::write(&other, "nothing of interest\n").unwrap();
    let good = dir.join("mbw.txt");
    let mbw = fs::read_to_string(data("mbw-quiet.txt")).unwrap();
    fs::write(&good, format!("another result\n{mbw}")).unwrap();
    let files = [&good, &changed, &other].map(|path| path.display().to_string());
    let output = xtask(dir, &import_args(run_name, &files));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in [
        "nothing was imported",
        "changed.json`: row 1",
        "notes.txt`: looks like the output of none",
        "--tool",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let mut args = import_args(run_name, &files[..1]);
    args.extend(["--board", "rock5b"]);
    let output = xtask(dir, &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("did you mean `rock-5b`?"), "{stderr}");
}

/// A new list of hashes would vouch for what was changed.
fn a_damaged_run_is_refused(dir: &Path, run_name: &str, run: &Path) {
    let stream = run.join("hosts/here/stderr.txt");
    let before = fs::read(&stream).unwrap();
    fs::write(&stream, "changed").unwrap();
    let output = xtask(dir, &import_args(run_name, &all_files()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("`hosts/here/stderr.txt` was changed"),
        "{stderr}"
    );
    fs::write(&stream, before).unwrap();
}

fn goes_out_and_comes_back(dir: &Path, run_name: &str) {
    let mut n_figures = Vec::new();
    for (format, ending) in [
        ("llama-bench-json", "json"),
        ("llama-bench-jsonl", "jsonl"),
        ("llama-bench-csv", "csv"),
    ] {
        let file = dir.join(format!("export.{ending}")).display().to_string();
        let args = ["export", run_name, "--as", format, "--output", &file];
        let output = xtask(dir, &args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(
            stderr.contains("background readers"),
            "what is left out is told: {stderr}"
        );
        // An export is not written over.
        assert_eq!(xtask(dir, &args).status.code(), Some(2));

        let printed = xtask(dir, &["export", run_name, "--as", format]);
        assert!(printed.stdout == fs::read(&file).unwrap());

        // Without `--run` it is a run of its own.
        let imported = json(&xtask(
            dir,
            &["import", "--format", "json", "--board", "rock-5b", &file],
        ));
        assert_eq!(imported["files"][0]["tool"], "llama-bench");
        n_figures.push(imported["files"][0]["n_figures"].as_u64().unwrap());
        let own = Path::new(imported["run_dir"].as_str().unwrap());
        assert!(
            own.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .contains("-import-")
        );
        let page = fs::read_to_string(own.join("html/index.html")).unwrap();
        assert!(page.contains("Results of external programs") && page.contains("tg8 @ d64"));
        fs::remove_dir_all(own).unwrap();
    }
    assert!(
        n_figures[0] >= 3 && n_figures.iter().all(|n| *n == n_figures[0]),
        "{n_figures:?}"
    );
}
