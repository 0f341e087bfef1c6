//! A run of the history with changes in the bytes of its files: it is read, or left out with a reason.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bench_analysis::measured;
use bench_reports::history;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[path = "../../reports/tests/run_directories/fixture/mod.rs"]
#[expect(dead_code, reason = "made for tests that need more of it")]
mod fixture;

/// One change of one file.
#[derive(Debug, Arbitrary)]
struct Change {
    file: u8,
    /// Position in it, in parts of 65536; Parquet keeps what rules the rest at its end.
    at: u16,
    from_end: bool,
    how: How,
}

#[derive(Debug, Arbitrary)]
enum How {
    Set(Vec<u8>),
    Insert(Vec<u8>),
    Remove(u8),
    Cut,
    Number(u8),
}

/// Files of a run as the store holds it.
static BASE: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let root = folder();
    let dir = root.path().join("base");
    fixture::write_run(&dir, &[fixture::rock(), fixture::experiments::host()]);
    let run = bench_run_dir::read(&dir).expect("it was made");
    let history = root.path().join("history");
    let added = history::add(&history, &measured::analyse(&run));
    let stored = added.expect("it was made").expect("it has hosts");
    let files = fs::read_dir(stored).expect("it was made").map(|entry| {
        let path = entry.expect("it was made").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.into_owned(), fs::read(&path).expect("it was made"))
    });
    let mut files: Vec<(String, Vec<u8>)> = files.collect();
    files.sort();
    files
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

impl Change {
    fn apply(&self, files: &mut [(String, Vec<u8>)]) {
        let at = usize::from(self.file) % files.len();
        let bytes = &mut files[at].1;
        let place = usize::from(self.at) % (bytes.len() + 1);
        let place = match self.from_end {
            true => bytes.len() - place.min(2000).min(bytes.len()),
            false => place,
        };
        let end = |n: usize| (place + n).min(bytes.len());
        match &self.how {
            How::Set(new) => {
                let end = end(new.len());
                bytes.splice(place..end, new.iter().copied());
            }
            How::Insert(new) => drop(bytes.splice(place..place, new.iter().copied())),
            How::Remove(n) => drop(bytes.drain(place..end(usize::from(*n)))),
            How::Cut => bytes.truncate(place),
            How::Number(n) => {
                let number = [0, 1, u64::MAX, u64::MAX / 2, 1 << 31, 1 << 40];
                let number = number[usize::from(*n) % number.len()].to_le_bytes();
                let end = end(8);
                bytes.splice(place..end, number);
            }
        }
    }
}

fuzz_target!(|changes: Vec<Change>| {
    let mut files = BASE.clone();
    for change in changes.iter().take(6) {
        change.apply(&mut files);
    }
    let history = folder();
    let stored = history.path().join("base");
    fs::create_dir(&stored).expect("there is room");
    for (name, bytes) in &files {
        fs::write(stored.join(name), bytes).expect("there is room");
    }
    let known = history::read(history.path(), None);
    assert!(known.runs.len() <= 1);
    for problem in &known.problems {
        assert!(!problem.contains(|c: char| c.is_control()), "{problem:?}");
    }
});
