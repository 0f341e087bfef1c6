//! From a store of many nights to lines, changes and pages.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

#[path = "../run_directories/fixture/mod.rs"]
mod fixture;
mod languages;
mod made_up;
#[path = "../run_directories/pseudo.rs"]
mod pseudo;

use std::fs;
use std::path::{Path, PathBuf};

use bench_reports::history::{self, Chart, History, Standing};
use bench_reports::report;
use made_up::{INVALID_NIGHT, Lab, OUTAGE_NIGHT, STEP_NIGHT, UPDATE_NIGHT};

fn lab() -> Lab {
    Lab {
        n_boards: 3,
        n_nights: 20,
        n_samples: 5,
        seed: 7,
        is_scattered: false,
    }
}

/// A store of the made-up lab in `temp`.
fn store(temp: &Path) -> PathBuf {
    let dir = temp.join("history");
    lab().write(&dir).unwrap();
    dir
}

/// A rendered run without hosts after all nights; returns its folder of pages.
fn rendered(temp: &Path, history: &Path) -> PathBuf {
    let run = temp.join("after");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("manifest.json"), lab().manifest_after()).unwrap();
    report::write(&run, Some(history)).unwrap();
    run.join("html")
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

fn confirmed(history: &History) -> Vec<(String, String, usize)> {
    let of_host = |host: &history::HostHistory| {
        let changes = host.changes.iter();
        let confirmed = changes.filter(|change| change.found.standing == Standing::Confirmed);
        let name = |change: &history::Change| host.lines[change.line].label().to_string();
        confirmed
            .map(|change| (host.name.clone(), name(change), change.run))
            .collect::<Vec<_>>()
    };
    history.hosts.iter().flat_map(of_host).collect()
}

#[test]
fn names_the_step_that_was_put_in_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let history = history::read(&store(temp.path()), None);
    assert_eq!((history.runs.len(), history.hosts.len()), (20, 3));
    assert_eq!(
        confirmed(&history),
        [("board-00".into(), "copy, 4 threads".into(), STEP_NIGHT)]
    );
    let change = &history.hosts[0].changes[0];
    assert!((change.ratio() - 0.8).abs() < 0.02, "{change:?}");
    let causes: Vec<String> = change.causes.iter().map(history::Cause::text).collect();
    assert_eq!(causes, ["Linux 5.10.160 → 6.1.75"]);
}

#[test]
fn lines_break_where_something_changed_and_where_a_night_is_missing() {
    let temp = tempfile::tempdir().unwrap();
    let history = history::read(&store(temp.path()), None);
    let breaks = |host: usize| {
        let mut lines = history.hosts[host].lines.iter();
        let read = lines.find(|line| line.unit == "read_dram_t4").unwrap();
        assert_eq!(read.chart, Chart::Streams);
        let points = read.points.iter().skip(1);
        let broken = points.filter(|point| !point.is_joined);
        broken.map(|point| point.run).collect::<Vec<_>>()
    };
    assert_eq!(breaks(0), [UPDATE_NIGHT, STEP_NIGHT]);
    // The invalid night has a point of its own, and the line goes on after it.
    let after = [INVALID_NIGHT, INVALID_NIGHT + 1, OUTAGE_NIGHT + 1];
    assert_eq!(breaks(1), [&[UPDATE_NIGHT], &after[..]].concat());
    assert_eq!(breaks(2), [UPDATE_NIGHT]);
}

#[test]
fn figures_come_from_the_samples() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let mut night = lab().night(0).unwrap();
    // Rates that stand in the store are not looked at: only the samples change.
    let rate = |history: &History| history.hosts[0].lines[0].points[0].value;
    night.write(&dir).unwrap();
    let before = rate(&history::read(&dir, None));
    let column = night.samples.column("elapsed_ns").unwrap();
    let doubled = (column.clone() + column.clone()).unwrap();
    night.samples.with_column(doubled).unwrap();
    night.write(&dir).unwrap();
    let history = history::read(&dir, None);
    assert_eq!(history.runs.len(), 1, "a run is replaced, not added twice");
    assert!((rate(&history) - before / 2.0).abs() < 1e-6 * before);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn the_last_valid_run_is_seen_from_the_newest_one() {
    let temp = tempfile::tempdir().unwrap();
    let dir = store(temp.path());
    let history = history::read(&dir, None);
    let last = history.last_valid("board-01").unwrap();
    assert_eq!((last.days, last.n_runs), (0, 0));
    // As it was in the night in which the board was not reached.
    let outage = lab().night(OUTAGE_NIGHT).unwrap();
    let history = history::read(&dir, Some(&outage));
    assert_eq!(history.runs.len(), OUTAGE_NIGHT + 1);
    let last = history.last_valid("board-01").unwrap();
    assert_eq!((last.days, last.n_runs), (1, 1));
    assert_eq!(last.run_id, history.runs[OUTAGE_NIGHT - 1].run_id);
    assert_eq!(history.last_valid("no-such-board"), None);
}

#[test]
fn parts_of_a_merged_run_do_not_count_beside_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = store(temp.path());
    let mut merged = lab().night(19).unwrap();
    merged.card.parts = vec![merged.card.run_id.clone()];
    merged.card.run_id = "2025-12-12T02-17-00Z-merged".into();
    merged.write(&dir).unwrap();
    let runs = |current| {
        let runs = history::read(&dir, current).runs;
        (runs.len(), runs.last().unwrap().run_id.clone())
    };
    assert_eq!(runs(None), (20, merged.card.run_id.clone()));
    let part = lab().night(19).unwrap();
    assert_eq!(runs(Some(&part)), (20, part.card.run_id.clone()));
}

#[test]
fn pages_are_there_and_the_same_when_rendered_twice() {
    let temp = tempfile::tempdir().unwrap();
    let dir = store(temp.path());
    let html = rendered(temp.path(), &dir);
    let first = files(&html);
    assert_eq!(files(&rendered(temp.path(), &dir)), first);

    let page = |name: &str| fs::read_to_string(html.join(name)).unwrap();
    assert!(page("index.html").contains(r#"<a href="history.html">"#));
    let history = page("history.html");
    let changes = history
        .split(r#"<section id="history_changes">"#)
        .nth(1)
        .unwrap();
    assert_eq!(
        changes.matches("<td class=\"short\">confirmed").count(),
        1,
        "{changes}"
    );
    assert!(changes.contains("copy, 4 threads") && changes.contains("Linux 5.10.160 → 6.1.75"));
    for host in ["board-00", "board-01", "board-02"] {
        let page = page(&format!("history/{host}.html"));
        assert!(page.len() < 300_000, "{host}: {} bytes", page.len());
        assert!(page.contains("<title id=\"line-0-wide-t\">Memory bandwidth, part 1 of 2"));
        assert!(page.contains("board program"), "{host}");
        // Hollow, or at the edge: the invalid night is three times as fast.
        let is_marked = page.contains(r#"<path class="invalid""#);
        assert_eq!(is_marked, host == "board-01");
    }
}

#[test]
fn a_broken_folder_costs_one_message() {
    let temp = tempfile::tempdir().unwrap();
    let dir = store(temp.path());
    let night = |i: usize| dir.join(lab().night(i).unwrap().card.run_id);
    fs::write(night(3).join("samples.parquet"), "no parquet").unwrap();
    fs::remove_file(night(4).join("run.json")).unwrap();
    let card = fs::read_to_string(night(6).join("run.json")).unwrap();
    let newer = card.replace("\"version\": 2", "\"version\": 99");
    fs::write(night(6).join("run.json"), newer).unwrap();
    fs::create_dir(dir.join(".new-1-half-written")).unwrap();
    let history = history::read(&dir, None);
    assert_eq!(history.runs.len(), 17);
    assert_eq!(history.problems.len(), 3, "{:#?}", history.problems);
    let all: String = history.problems.iter().map(ToString::to_string).collect();
    assert!(all.contains("`samples.parquet` cannot be read"), "{all}");
    assert!(all.contains("version 99"), "{all}");
    let html = rendered(temp.path(), &dir);
    let page = fs::read_to_string(html.join("history.html")).unwrap();
    assert!(page.contains("cannot be read"), "the page says so");
}

#[test]
fn a_writer_that_was_ended_between_two_renames_loses_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = store(temp.path());
    let name = lab().night(3).unwrap().card.run_id;
    fs::rename(dir.join(&name), dir.join(format!(".old-77-{name}"))).unwrap();
    let history = history::read(&dir, None);
    assert_eq!((history.runs.len(), history.problems.len()), (20, 0));
}

#[test]
fn a_measured_run_enters_without_its_emulated_hosts() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let first = fixture::full_run(temp.path(), "first");
    let run = fixture::full_run(temp.path(), "second");
    let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
    let later = manifest.replace("2026-01-31T22:15:04Z", "2026-02-01T22:15:04Z");
    fs::write(run.join("manifest.json"), later).unwrap();
    assert_eq!(
        report::write_new(&first, Some(&dir))
            .unwrap()
            .history_problems,
        [] as [&str; 0]
    );
    assert!(
        !first.join("html/history.html").exists(),
        "one run is no history"
    );
    report::write_new(&run, Some(&dir)).unwrap();
    let history = history::read(&dir, None);
    let names: Vec<&str> = history
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert!(
        names.contains(&"rock-desk") && !names.contains(&"emulated-aarch64"),
        "{names:?}"
    );
    let rock = history.host("rock-desk").unwrap();
    let read = rock
        .lines
        .iter()
        .find(|line| line.label().to_string() == "read, 4 threads");
    let read = read.expect("the best thread count is drawn");
    assert_eq!(read.points.len(), 2);
    assert!((read.points[0].value / 24.1 - 1.0).abs() < 0.05, "{read:?}");
    assert_eq!(history.last_valid("orin-shelf"), None);
    for page in [
        "history.html",
        "history/rock-desk.html",
        "history/orin-shelf.html",
    ] {
        assert!(run.join("html").join(page).is_file(), "{page}");
    }
    let host = fs::read_to_string(run.join("html/hosts/rock-desk.html")).unwrap();
    let host = host.replace("&#x2f;", "/");
    assert!(host.contains(r#"href="../history/rock-desk.html""#));
    // The history needs no run directory, and the first run's report ends with the first run.
    report::write(&first, Some(&dir)).unwrap();
    assert!(!first.join("html/history.html").exists());
    fs::remove_dir_all(&first).unwrap();
    report::write(&run, Some(&dir)).unwrap();
    assert!(run.join("html/history.html").is_file());
}

#[test]
fn names_from_outside_cannot_leave_the_store_or_become_markup() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("deep/history");
    let mut night = lab().night(0).unwrap();
    night.card.run_id = "../../escaped<script>".into();
    night.write(&dir).unwrap();
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    let mut other = lab().night(1).unwrap();
    other.card.run_id = "`<b>".into();
    other.write(&dir).unwrap();
    let html = rendered(temp.path(), &dir);
    let page = fs::read_to_string(html.join("history.html")).unwrap();
    assert!(!page.contains("escaped<script>") && !page.contains("<b>"));
}

/// Changes some bytes: of Parquet, those at the end rule the rest.
fn damage(bytes: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    let from = match rng.bool() {
        true => bytes.len().saturating_sub(1500),
        false => 0,
    };
    let at = rng.usize(from..=bytes.len());
    let len = bytes.len();
    let end = |n: usize| (at + n).min(len);
    let n = rng.usize(1..8);
    match rng.usize(0..8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end(n))),
        2 => drop(bytes.splice(at..at, (0..n).map(|_| rng.u8(..)).collect::<Vec<u8>>())),
        3 => {
            let numbers = [0, 1, u64::MAX, u64::MAX / 2, 1 << 31, 1 << 40];
            let number = numbers[rng.usize(0..numbers.len())];
            bytes.splice(at..end(8), number.to_le_bytes());
        }
        _ => bytes[at.saturating_sub(1)..end(1)].fill(rng.u8(..)),
    }
}

/// Files of a history travel: an artifact of another machine, a disk that fails. The reader of Parquet panics on some.
#[test]
fn damaged_bytes_cost_their_run_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let small = Lab {
        n_boards: 1,
        n_nights: 2,
        ..lab()
    };
    small.write(&dir).unwrap();
    let good = files(&dir);
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (place, bytes) = &good[rng.usize(0..good.len())];
        let mut damaged = bytes.clone();
        for _ in 0..rng.usize(1..5) {
            damage(&mut damaged, &mut rng);
        }
        fs::write(dir.join(place), damaged).unwrap();
        let known = history::read(&dir, None);
        assert!(!known.runs.is_empty(), "seed {seed}: {:?}", known.problems);
        fs::write(dir.join(place), bytes).unwrap();
    }
}
