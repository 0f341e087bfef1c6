//! A whole run directory with changes in any of its numbers and texts: it is read, analysed, put into frames, bounds,
//! decisions, the history, a comparison and an export; some of them become pages. Nothing panics and nothing is hidden.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Unstructured;
use bench_analysis::compare::{State, Subject, compare};
use bench_reports::compare_page::page;
use bench_analysis::choice::decisions::Decisions;
use bench_reports::export::{LlamaBenchFormat, llama_bench};
use bench_run_dir::RunData;
use bench_run_dir::files::{RunFiles, read_files};
use bench_reports::words::Language;
use bench_analysis::measured;
use bench_reports::{frames, history, report};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[path = "../../reports/tests/run_directories/fixture/mod.rs"]
#[expect(dead_code, reason = "made for tests that need more of it")]
mod fixture;
#[path = "../../reports/tests/run_directories/mutate.rs"]
mod mutate;

/// Of as many inputs one becomes pages, which take a hundred times as long as all else.
const PAGES_OF: usize = 200;

struct Bytes<'a>(Unstructured<'a>);

impl mutate::Choices for Bytes<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.0.int_in_range(0..=n - 1).unwrap_or(0)
    }
}

/// The run that is changed.
struct Base {
    files: RunFiles,
    run: RunData,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let root = folder();
    let dir = root.path().join("base");
    let hosts = [
        fixture::rock(),
        fixture::experiments::host(),
        fixture::experiments::metered_host(),
    ];
    fixture::write_run(&dir, &hosts);
    for (folder, kept) in [("boards", "rock-5b.yaml"), ("models", "qwen2.5-7b.yaml")] {
        for entry in fs::read_dir(dir.join("inventory").join(folder)).expect("it was made") {
            let path = entry.expect("it was made").path();
            if !path.ends_with(kept) {
                fs::remove_file(path).expect("it was made");
            }
        }
    }
    Base {
        files: read_files(&dir).expect("it was made"),
        run: bench_run_dir::read(&dir).expect("it was made"),
    }
});

/// A folder in memory where there is one.
fn folder() -> TempDir {
    let shm = Path::new("/dev/shm");
    let made = match shm.is_dir() {
        true => tempfile::tempdir_in(shm),
        false => tempfile::tempdir(),
    };
    made.expect("a temporary folder can be made")
}

fn check_text(text: &str) {
    let is_hidden = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    assert!(
        !text.contains(is_hidden),
        "something is hidden in an output"
    );
}

fn check_page(text: &str) {
    check_text(text);
    assert!(!text.contains("<script>alert") && !text.contains("<img src=x"));
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Bytes(Unstructured::new(data));
    let with_pages = mutate::Choices::below(&mut choices, PAGES_OF) == 1;
    let base = &*BASE;
    let changed = mutate::mutated(&base.files, &mut choices);
    let dir = folder();
    let dir = dir.path();
    for (place, bytes) in &changed {
        let path = dir.join(place);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("there is room");
        fs::write(path, bytes).expect("there is room");
    }
    if with_pages {
        let written = report::write(dir, None).expect("a report is written");
        assert!(written.failures.is_empty(), "{:?}", written.failures);
        for language in Language::ALL {
            check_page(&fs::read_to_string(written.index_in(language)).expect("it was written"));
        }
    }
    let run = bench_run_dir::read(dir).expect("the folder is there");
    let analysis = measured::analyse(&run);
    for host in &analysis.hosts {
        assert_eq!(host.failure, None);
    }
    let decisions = Decisions::of(&analysis);
    for frame in [
        frames::samples(&analysis),
        frames::units(&analysis),
        frames::catalogue_bounds(&analysis),
        frames::decisions(&decisions),
        frames::imported(&analysis),
    ] {
        let csv = frames::csv(&frame.expect("its columns fit")).expect("it is text");
        check_text(&String::from_utf8(csv).expect("it is text"));
    }
    check_text(&llama_bench(&analysis, LlamaBenchFormat::Csv).text);
    let stored = history::StoredRun::of(&analysis).expect("its columns fit");
    assert_eq!(stored.hosts.height(), analysis.hosts.len());
    let before = measured::analyse(&base.run);
    for host in &analysis.hosts {
        let [a, b] = [(&before, &before.hosts[0]), (&analysis, host)].map(|(of, host)| Subject {
            manifest: &of.run.manifest,
            host,
            state: State::Reported,
        });
        if let Ok(comparison) = compare(&[a], &[b])
            && with_pages
        {
            check_page(&page(&comparison, Language::Spanish).expect("it is a page"));
        }
    }
});
