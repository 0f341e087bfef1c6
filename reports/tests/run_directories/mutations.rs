//! Run directories with anything in their numbers and texts: the report is whole, and nothing in it is more than text.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench_analysis::compare::{State, Subject, compare};
use bench_analysis::measured;
use bench_locales::{Language, Text};
use bench_reports::pages::compare::page;
use bench_reports::tables::export::{LlamaBenchFormat, llama_bench};
use bench_reports::{history, report};
use bench_run_dir::RunData;
use bench_run_dir::files::{RunFiles, read_files};
use bench_run_dir::readers::Tool;

use crate::fixture;
use crate::interop::{self, LLAMA_BENCH, MBW, STREAM};
use crate::mutate::{Choices, mutated};

/// Inputs of one run of the test; `MEMWALL_FUZZ_INPUTS` asks for more.
const N_INPUTS: u64 = 24;

impl Choices for fastrand::Rng {
    fn below(&mut self, n: usize) -> usize {
        self.usize(0..n)
    }
}

/// A run with every kind of trouble, experiments, imports.
fn base(root: &Path) -> RunFiles {
    let dir = fixture::full_run(root, "base");
    crate::hostile::keep_one_board(&dir);
    let imported = [
        interop::file(Tool::Stream, "stream.txt", STREAM, Some("rock-desk"), None),
        interop::file(Tool::Mbw, "mbw.txt", MBW, None, Some("rock-5b")),
        interop::file(Tool::LlamaBench, "lb.json", LLAMA_BENCH, None, None),
    ];
    interop::add(&dir, imported.into());
    read_files(&dir).unwrap()
}

fn write_files(dir: &Path, files: &RunFiles) {
    for (place, bytes) in files {
        let path = dir.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Characters that no text of ours has: they hide something, or command a terminal.
fn hidden(text: &str) -> Option<char> {
    text.chars().find(|c| {
        let is_control = c.is_control() && !matches!(c, '\n' | '\t');
        let is_invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
        is_control || is_invisible
    })
}

fn check_text(place: &str, text: &str) {
    assert_eq!(hidden(text), None, "`{place}` hides something");
}

fn check_page(place: &str, text: &str) {
    check_text(place, text);
    for markup in ["<script>alert", "<img src=x", "{{ 49"] {
        assert!(!text.contains(markup), "`{place}` holds `{markup}`");
    }
}

/// Whatever a report is made of.
fn outputs(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.join("html"), dir.join("frames")];
    for name in ["summary.md", "summary.es.md"] {
        found.insert(name.to_owned(), fs::read_to_string(dir.join(name)).unwrap());
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|ending| ending != "parquet") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.display().to_string(), text);
            }
        }
    }
    found
}

fn check_cells(place: &str, csv: &str) {
    check_text(place, csv);
    for line in csv.lines() {
        let begins = |cell: &str| cell.trim_start_matches(['"', ' ']).starts_with(['=', '@']);
        assert!(
            !line.split(',').any(begins),
            "`{place}` has a formula: {line}"
        );
    }
}

fn check_compared(before: &RunData, after: &RunData) {
    let analyses = [before, after].map(measured::analyse);
    for host in &analyses[1].hosts {
        let subjects = [&analyses[0].hosts[0], host].map(|host| Subject {
            manifest: &analyses[usize::from(std::ptr::eq(host, &analyses[0].hosts[0]))]
                .run
                .manifest,
            host,
            state: State::Reported,
        });
        let [a, b] = subjects;
        if let Ok(comparison) = compare(&[a], &[b]) {
            for language in Language::all() {
                check_page(
                    "the comparison",
                    &page(&comparison, Text::new(language)).unwrap(),
                );
            }
        }
    }
    for format in [
        LlamaBenchFormat::Json,
        LlamaBenchFormat::JsonLines,
        LlamaBenchFormat::Csv,
    ] {
        let export = llama_bench(&analyses[1], format);
        check_text("the export", &export.text);
        check_text("the export's reasons", &export.left_out.join("\n"));
    }
}

#[test]
fn any_numbers_and_texts_give_a_whole_report() {
    let temp = tempfile::tempdir().unwrap();
    let files = base(temp.path());
    let good = bench_run_dir::read(&temp.path().join("base")).unwrap();
    let asked = std::env::var("MEMWALL_FUZZ_INPUTS").ok();
    let n_inputs = asked.map_or(N_INPUTS, |n| n.parse().unwrap());
    let first = std::env::var("MEMWALL_FUZZ_SEED").map_or(0, |seed| seed.parse().unwrap());
    for seed in first..first + n_inputs {
        let changed = mutated(&files, &mut fastrand::Rng::with_seed(seed));
        let dir = temp.path().join("changed");
        write_files(&dir, &changed);
        let history = temp.path().join("history");
        let written = report::write_new(&dir, Some(&history)).unwrap();
        assert_eq!(written.failures, [""; 0], "seed {seed}");
        for (place, text) in outputs(&dir) {
            let place = format!("{place}` of seed `{seed}");
            match place.rsplit_once('.') {
                Some((_, ending)) if ending.starts_with("csv") => check_cells(&place, &text),
                Some((_, ending)) if ending.starts_with("json") => check_text(&place, &text),
                _ => check_page(&place, &text),
            }
        }
        check_compared(&good, &bench_run_dir::read(&dir).unwrap());
        // A run without a time has no place in a history, which says so.
        let known = history::read(&history, None);
        let problems: String = known.problems.iter().map(ToString::to_string).collect();
        check_text("the history's problems", &problems);
        fs::remove_dir_all(&dir).unwrap();
        fs::remove_dir_all(&history).ok();
    }
}
