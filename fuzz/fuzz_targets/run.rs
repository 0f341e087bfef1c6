//! A whole run directory with changes in any of its numbers and texts: it is read, analysed, decided on and compared with
//! what it was. Nothing panics; `reports/tests/run_directories/mutations.rs` makes pages of such runs, too.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Unstructured;
use bench_analysis::choice::decisions::Decisions;
use bench_analysis::compare::{State, Subject, compare};
use bench_analysis::measured;
use bench_run_dir::RunData;
use bench_run_dir::files::{RunFiles, read_files};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[path = "../../reports/tests/run_directories/fixture/mod.rs"]
#[expect(dead_code, reason = "made for tests that need more of it")]
mod fixture;
#[path = "../../reports/tests/run_directories/mutate.rs"]
mod mutate;

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

fuzz_target!(|data: &[u8]| {
    let mut choices = Bytes(Unstructured::new(data));
    let base = &*BASE;
    let changed = mutate::mutated(&base.files, &mut choices);
    let dir = folder();
    let dir = dir.path();
    for (place, bytes) in &changed {
        let path = dir.join(place);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("there is room");
        fs::write(path, bytes).expect("there is room");
    }
    let run = bench_run_dir::read(dir).expect("the folder is there");
    let analysis = measured::analyse(&run);
    for host in &analysis.hosts {
        assert_eq!(host.failure, None);
    }
    let _ = Decisions::of(&analysis);
    let before = measured::analyse(&base.run);
    for host in &analysis.hosts {
        let [a, b] = [(&before, &before.hosts[0]), (&analysis, host)].map(|(of, host)| Subject {
            manifest: &of.run.manifest,
            host,
            state: State::Reported,
        });
        let _ = compare(&[a], &[b]);
    }
});
