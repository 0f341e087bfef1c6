//! Hosts of run directories held against each other, and the page of it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::path::Path;

use bench_analysis::compare::{
    Basis, Comparison, Outcome, Pair, State, Subject, before_after, compare,
};
use bench_analysis::measured::analyse;
use bench_locales::{Language, Message, Text};
use bench_protocol::{Facts, Residency, UnitStatus};
use bench_reports::history::StoredRun;
use bench_reports::pages::compare as compare_page;
use bench_run_dir::{self, RunData};

use crate::fixture::{self, Host, Unit};
use crate::rounds::{BUSY, CALM, HOT, Happened, in_rounds};

const ALL: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
const FOUR: [u32; 4] = [0, 1, 2, 3];

pub(crate) fn read_run(root: &Path, name: &str, hosts: &[Host]) -> RunData {
    let dir = root.join(name);
    fixture::write_run(&dir, hosts);
    bench_run_dir::read(&dir).unwrap()
}

pub(crate) fn host(facts: Facts, units: &[Unit]) -> Host {
    let record = fixture::record("shelf", Some("rock-5b"), "ssh");
    fixture::measured(record, facts, "neon-dotprod", units)
}

/// Everything a board with the CPUs given measures when its memory gives `gb_per_s`.
pub(crate) fn units(all: &[u32], gb_per_s: f64) -> Vec<Unit> {
    let half = &all[..all.len() / 2];
    vec![
        Unit::stream("read", (1, 0), &all[..1], gb_per_s / 2.0),
        Unit::stream("read", (1, 0), half, gb_per_s * 0.9),
        Unit::stream("read", (1, 0), all, gb_per_s),
        Unit::gemv("q4_0", Residency::Dram, all, gb_per_s * 0.8),
        Unit::decode("qwen2.5-1.5b", "q4_0", 0, all, 868_000_000, gb_per_s * 0.7),
    ]
}

/// Compares the first host of each run, those of `a` with those of `b`.
pub(crate) fn compared(a: &[&RunData], b: &[&RunData]) -> Result<Comparison, String> {
    let analyses: Vec<_> = a.iter().chain(b).map(|run| analyse(run)).collect();
    let subjects: Vec<Subject> = (analyses.iter())
        .map(|analysis| Subject {
            manifest: &analysis.run.manifest,
            host: &analysis.hosts[0],
            state: State::Reported,
        })
        .collect();
    let (a, b) = subjects.split_at(a.len());
    compare(a, b)
}

fn said(messages: &[Message]) -> Vec<String> {
    messages.iter().map(ToString::to_string).collect()
}

fn pair<'a>(comparison: &'a Comparison, unit: &str) -> &'a Pair {
    let mut pairs = comparison.pairs.iter();
    pairs.find(|pair| pair.unit_a == unit).unwrap()
}

fn reason(comparison: &Comparison, unit: &str) -> (&'static str, String) {
    let left_out = comparison.left_out.iter().find(|it| it.unit == unit);
    let left_out = left_out.unwrap_or_else(|| panic!("{unit} in {:?}", comparison.left_out));
    (left_out.side, left_out.reason.to_string())
}

#[test]
fn other_shapes_are_named_beside_the_row() {
    let temp = tempfile::tempdir().unwrap();
    let run = |name: &str, shape: Option<&'static str>, is_forced: bool| {
        let mut units = vec![Unit::stream("read", (1, 0), &ALL, 24.0)];
        units[0].tried = shape.map(|shape| (shape, 24.0)).into_iter().collect();
        let mut host = host(fixture::rock_facts(), &units);
        for unit in &mut host.request.as_mut().unwrap().units {
            unit.shape = shape.filter(|_| is_forced).map(str::to_owned);
        }
        read_run(temp.path(), name, &[host])
    };
    let old = run("old", None, false);
    let near = run("near", Some("v128x8-near"), false);
    let far = run("far", Some("v128x8-far"), false);
    let forced = run("forced", Some("v128x8-far"), true);
    let notes = |a: &RunData, b: &RunData| {
        let comparison = compared(&[a], &[b]).unwrap();
        said(&pair(&comparison, "read_dram_t8").notes).join("; ")
    };
    assert_eq!(notes(&old, &far), "");
    assert_eq!(notes(&far, &far), "");
    let differ = "shape: `v128x8-near` on A, `v128x8-far` on B";
    assert_eq!(notes(&near, &far), differ);
    let forced_only = "choice of the shape: the fastest of those tried on A, forced on B";
    assert_eq!(notes(&far, &forced), forced_only);

    // The history breaks a line where a shape is forced, and only there.
    for (run, variant) in [(&far, "neon-dotprod"), (&forced, "neon-dotprod v128x8-far")] {
        let stored = StoredRun::of(&analyse(run)).unwrap();
        let variants = stored.units.column("variant").unwrap().str().unwrap();
        assert_eq!(variants.get(0), Some(variant));
    }
}

#[test]
fn what_differs_is_named_with_figures_and_what_else_differs() {
    let temp = tempfile::tempdir().unwrap();
    let mut after = fixture::rock_facts();
    after.kernel_release = Some("6.12.1".into());
    for cpu in &mut after.cpus {
        cpu.governor = Some("ondemand".into());
    }
    let mut of_after = units(&ALL, 24.0);
    of_after[2].gb_per_s = 24.0 * 0.9;
    let mut b = host(after, &of_after);
    b.record.artifact_sha256 = Some("ab".repeat(32));
    let a = read_run(
        temp.path(),
        "a",
        &[host(fixture::rock_facts(), &units(&ALL, 24.0))],
    );
    let b = read_run(temp.path(), "b", &[b]);
    let comparison = compared(&[&a], &[&b]).unwrap();
    assert_eq!(comparison.basis, Basis::Samples);
    assert_eq!(
        comparison.n_tested, 0,
        "one run on each side confirms nothing"
    );
    // The largest difference is the first.
    let slower = &comparison.pairs[0];
    assert_eq!(
        (slower.unit_a.as_str(), slower.outcome),
        ("read_dram_t8", Outcome::Unconfirmed)
    );
    assert!((slower.ratio - 0.9).abs() < 1e-6, "{slower:?}");
    assert!(slower.low.unwrap() < 0.9 && 0.9 < slower.high.unwrap() && slower.high.unwrap() < 1.0);
    assert_eq!(comparison.count(Outcome::NotShown), 4);
    assert_eq!(comparison.regressions(0.05).len(), 0);
    assert_eq!(comparison.not_judged(0.05), ["read_dram_t8"]);
    assert_eq!(comparison.not_judged(0.15), [] as [&str; 0]);
    let changed: Vec<String> = comparison
        .changes
        .iter()
        .map(|it| it.what.to_string())
        .collect();
    assert_eq!(
        changed,
        [
            "CPU governors",
            "Linux",
            "board program (start of its SHA-256)"
        ]
    );
    assert_eq!(comparison.changes[1].b, ["6.12.1"]);

    // The other way round everything is the inverse.
    let back = compared(&[&b], &[&a]).unwrap();
    assert_eq!(back.pairs[0].outcome, Outcome::Unconfirmed);
    assert_eq!(back.not_judged(0.0), [] as [&str; 0], "it is faster");
    assert!((back.pairs[0].ratio * slower.ratio - 1.0).abs() < 1e-9);
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let of = |name: &str, gb_per_s| {
        let host = host(fixture::rock_facts(), &units(&ALL, gb_per_s));
        read_run(temp.path(), name, &[host])
    };
    let (a, b) = (of("a", 24.0), of("b", 23.0));
    let bytes = || {
        let comparison = compared(&[&a], &[&b]).unwrap();
        let document = serde_json::to_string(&comparison).unwrap();
        (
            document,
            compare_page::page(&comparison, Text::new(Language::ENGLISH)).unwrap(),
        )
    };
    assert!(bytes() == bytes());
}

#[test]
fn boards_are_paired_by_what_their_threads_are() {
    let temp = tempfile::tempdir().unwrap();
    let mut small = fixture::rock_facts();
    small.cpus.truncate(4);
    let a = read_run(
        temp.path(),
        "a",
        &[host(fixture::rock_facts(), &units(&ALL, 24.0))],
    );
    let b = read_run(temp.path(), "b", &[host(small, &units(&FOUR, 24.0))]);
    let comparison = compared(&[&a], &[&b]).unwrap();
    let partner = |unit: &str| pair(&comparison, unit).unit_b.as_str();
    assert_eq!(partner("read_dram_t1"), "read_dram_t1");
    assert_eq!(
        partner("read_dram_t4"),
        "read_dram_t2",
        "half of the CPUs each"
    );
    assert_eq!(
        partner("read_dram_t8"),
        "read_dram_t4",
        "all of the CPUs each"
    );
    assert_eq!(
        partner("decode_qwen2.5-1.5b_q4_0_d0_t8"),
        "decode_qwen2.5-1.5b_q4_0_d0_t4"
    );
    assert!(comparison.left_out.is_empty(), "{:?}", comparison.left_out);
    let notes = said(&pair(&comparison, "read_dram_t8").notes);
    assert!(
        notes.contains(&"threads: 8 on A, 4 on B".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn what_cannot_be_compared_is_listed_with_its_reason() {
    let temp = tempfile::tempdir().unwrap();
    let mut of_a = units(&ALL, 24.0);
    of_a[0].check.passed = false;
    of_a[3].n_samples = 4;
    let mut of_b = units(&ALL, 24.0);
    of_b[1].end = Some((UnitStatus::Skipped, Some("no room")));
    of_b.remove(4);
    let a = read_run(temp.path(), "a", &[host(fixture::rock_facts(), &of_a)]);
    let b = read_run(temp.path(), "b", &[host(fixture::rock_facts(), &of_b)]);
    let comparison = compared(&[&a], &[&b]).unwrap();
    let left_out: Vec<(&str, &str, String)> = (comparison.left_out.iter())
        .map(|it| (it.unit.as_str(), it.side, it.reason.to_string()))
        .collect();
    assert_eq!(left_out.len(), 5, "{left_out:?}");
    let invalid = left_out
        .iter()
        .find(|it| (it.0, it.1) == ("read_dram_t1", "A"));
    assert!(
        invalid
            .unwrap()
            .2
            .starts_with("invalid: the output of the kernel"),
        "{left_out:?}"
    );
    let partner = left_out
        .iter()
        .find(|it| (it.0, it.1) == ("read_dram_t1", "B"));
    assert_eq!(
        partner.unwrap().2,
        "its partner `read_dram_t1` on side A cannot be used"
    );
    let decode = reason(&comparison, "decode_qwen2.5-1.5b_q4_0_d0_t8");
    assert_eq!(
        decode,
        ("A", "no unit of side B measures the same".to_owned())
    );
    assert!(left_out.contains(&("read_dram_t4", "B", "not measured: no room".to_owned())));
    let few = pair(&comparison, "gemv_q4_0_dram_t8");
    assert_eq!((few.low, few.outcome), (None, Outcome::NotShown));
    assert!(
        few.notes[0]
            .to_string()
            .starts_with("too few samples for an interval: 4 and 15")
    );
}

#[test]
fn several_runs_on_each_side_have_the_spread_between_runs_in_their_intervals() {
    let temp = tempfile::tempdir().unwrap();
    let of = |name: &str, gb_per_s| {
        let host = host(fixture::rock_facts(), &units(&ALL, gb_per_s));
        read_run(temp.path(), name, &[host])
    };
    // Each pair of runs alone would show a difference; the runs of a side differ as much.
    let (a1, a2, a3) = (of("a1", 23.0), of("a2", 24.0), of("a3", 23.5));
    let (b1, b2, b3) = (of("b1", 23.8), of("b2", 23.1), of("b3", 23.9));
    assert_eq!(
        compared(&[&a1], &[&b1])
            .unwrap()
            .count(Outcome::Unconfirmed),
        5,
        "one run each"
    );
    let comparison = compared(&[&a1, &a2, &a3], &[&b1, &b2, &b3]).unwrap();
    assert_eq!(comparison.basis, Basis::Runs);
    assert_eq!(comparison.count(Outcome::NotShown), 5);
    let read = pair(&comparison, "read_dram_t8");
    assert_eq!((read.a.n_runs, read.a.n_samples), (3, 45));
    assert!(
        comparison
            .basis_sentence()
            .to_string()
            .contains("3 runs on side A")
    );
    // A real difference is seen through the spread.
    let (c1, c2, c3) = (of("c1", 28.8), of("c2", 28.1), of("c3", 28.9));
    let comparison = compared(&[&a1, &a2, &a3], &[&c1, &c2, &c3]).unwrap();
    assert_eq!(comparison.count(Outcome::Faster), 5);
    let refused = compared(&[&a1], &[&b1, &b2]).unwrap_err();
    assert!(refused.contains("at least 2 on each"), "{refused}");
}

#[test]
fn rounds_confirm_a_step_and_no_noise() {
    let temp = tempfile::tempdir().unwrap();
    let of = |name: &str, rates: [f64; 4]| {
        let rounds = rates.map(|gb_per_s| (units(&ALL, gb_per_s), CALM));
        read_run(temp.path(), name, &[in_rounds("shelf", &rounds)])
    };
    let a = of("a", [24.0, 23.8, 24.3, 24.1]);
    let same = compared(&[&a], &[&of("b", [23.9, 24.4, 24.2, 23.7])]).unwrap();
    assert_eq!((same.basis, same.n_tested), (Basis::Rounds, 5));
    assert_eq!(same.count(Outcome::NotShown), 5, "{:?}", same.pairs);
    let slower = compared(&[&a], &[&of("c", [22.0, 22.3, 21.9, 22.2])]).unwrap();
    assert_eq!(slower.regressions(0.05).len(), 5);
    assert_eq!(
        slower.pairs[0].a.evidence().to_string(),
        "60 samples of 4 rounds"
    );
    assert!(slower.not_judged(0.05).is_empty());
    // One round has no scatter: its difference from four is not confirmed.
    let one = read_run(
        temp.path(),
        "d",
        &[in_rounds("shelf", &[(units(&ALL, 22.0), CALM)])],
    );
    let one = compared(&[&a], &[&one]).unwrap();
    assert_eq!(
        (one.basis, one.count(Outcome::Unconfirmed)),
        (Basis::Samples, 5)
    );
}

#[test]
fn what_was_disturbed_is_not_judged_and_stands_under_what_else_differs() {
    let temp = tempfile::tempdir().unwrap();
    let of = |name: &str, gb_per_s: f64, rounds: [Option<Happened>; 3]| {
        let rounds = rounds.map(|happened| (units(&ALL, gb_per_s), happened));
        read_run(temp.path(), name, &[in_rounds("shelf", &rounds)])
    };
    let a = of("a", 24.0, [CALM; 3]);
    let busy = compared(&[&a], &[&of("b", 18.0, [BUSY; 3])]).unwrap();
    assert_eq!(busy.count(Outcome::NotJudged), 5);
    assert!(busy.regressions(0.0).is_empty());
    assert_eq!(busy.not_judged(0.5).len(), 5);
    let note = busy.pairs[0].notes[0].to_string();
    assert!(
        note.starts_with("not judged, because side B was disturbed: other programs took"),
        "{note}"
    );
    let change = |comparison: &Comparison, what: &str| {
        let change = comparison
            .changes
            .iter()
            .find(|it| it.what.to_string() == what);
        change.map(|it| (it.a.clone(), it.b.clone()))
    };
    let counts = |a: &str, b: &str| Some((vec![a.to_owned()], vec![b.to_owned()]));
    assert_eq!(
        change(&busy, "units disturbed by other programs"),
        counts("0", "5")
    );
    assert_eq!(change(&busy, "suspect units"), counts("0", "5"));
    assert_eq!(change(&busy, "units that were throttled"), None);
    // What is invalid is no pair, and not judged either.
    let hot = compared(&[&a], &[&of("c", 18.0, [HOT; 3])]).unwrap();
    assert_eq!((hot.pairs.len(), hot.not_judged(0.5).len()), (0, 5));
    assert_eq!(change(&hot, "units that were throttled"), counts("0", "5"));
    // A disturbed round is not used, and told.
    let one = compared(&[&a], &[&of("d", 24.0, [CALM, BUSY, CALM])]).unwrap();
    assert_eq!(one.count(Outcome::NotShown), 5);
    assert_eq!(
        change(&one, "units disturbed by other programs"),
        counts("0", "5")
    );
    let page = compare_page::page(&busy, Text::new(Language::ENGLISH)).unwrap();
    assert!(page.contains("5 units are not judged because they were disturbed."));
}

#[test]
fn disturbed_runs_leave_the_others_to_judge() {
    let temp = tempfile::tempdir().unwrap();
    let of = |name: &str, gb_per_s: f64, happened| {
        let rounds = [(units(&ALL, gb_per_s), happened)];
        read_run(temp.path(), name, &[in_rounds("shelf", &rounds)])
    };
    let (a1, a2) = (of("a1", 24.0, CALM), of("a2", 24.05, CALM));
    let (b1, b2, b3) = (
        of("b1", 20.0, CALM),
        of("b2", 20.05, CALM),
        of("b3", 9.0, BUSY),
    );
    let comparison = compared(&[&a1, &a2], &[&b1, &b2, &b3]).unwrap();
    assert_eq!(comparison.count(Outcome::Slower), 5);
    assert_eq!(comparison.pairs[0].b.n_runs, 2);
    assert!(
        comparison.pairs[0].notes[0]
            .to_string()
            .starts_with("1 disturbed run is left out: other programs")
    );
    let too_few = compared(&[&a1, &a2], &[&b1, &b3]).unwrap();
    assert_eq!(too_few.count(Outcome::NotJudged), 5);
}

#[test]
fn a_time_that_grows_is_slower() {
    let temp = tempfile::tempdir().unwrap();
    let run = read_run(temp.path(), "a", &[fixture::experiments::host()]);
    let mut host = fixture::experiments::host();
    for line in &mut host.stream {
        // The loads of one chain take 120 us, and 240 us here.
        if line.contains("latency/dram-1073741824/x1/t1") {
            *line = line.replace(r#""elapsed_ns":120000"#, r#""elapsed_ns":240000"#);
        }
    }
    let other = read_run(temp.path(), "b", &[host]);
    let comparison = compared(&[&run], &[&other]).unwrap();
    let latency = pair(&comparison, "latency/dram-1073741824/x1/t1");
    assert_eq!((latency.a.value, latency.b.value), (120.0, 240.0));
    assert_eq!(
        (latency.ratio, latency.outcome),
        (0.5, Outcome::Unconfirmed)
    );
}

#[test]
fn before_and_after_preparing_is_a_comparison_with_the_settings_as_cause() {
    let temp = tempfile::tempdir().unwrap();
    let run = read_run(temp.path(), "run", &[fixture::experiments::prepared_host()]);
    let analysis = analyse(&run);
    let comparison = before_after(&run.manifest, &analysis.hosts[0]).unwrap();
    assert_eq!(
        pair(&comparison, "read/dram/t4").outcome,
        Outcome::Unconfirmed
    );
    assert_eq!(
        pair(&comparison, "write/dram/t4").outcome,
        Outcome::NotShown
    );
    let whats: Vec<String> = (comparison.changes.iter())
        .map(|it| it.what.to_string())
        .collect();
    // The setting first, then what happened meanwhile: a unit was throttled, and one ran beside other programs.
    assert!(whats[0].ends_with("scaling_governor"), "{whats:?}");
    assert!(
        whats.contains(&"units that were throttled".to_owned()),
        "{whats:?}"
    );
    assert_eq!(comparison.changes[0].a, ["ondemand"]);
    assert_eq!(comparison.changes[0].b, ["performance"]);
    assert_eq!(comparison.a.subjects[0].state, "as_found");
}

#[test]
pub(crate) fn hostile_names_stay_text() {
    let temp = tempfile::tempdir().unwrap();
    let evil = "<script>alert(1)</script>\u{202e}&";
    let mut facts = fixture::rock_facts();
    facts.kernel_release = Some(evil.into());
    let mut of_a = units(&ALL, 24.0);
    for unit in &mut of_a {
        unit.unit = format!("{evil}{}", unit.unit);
    }
    of_a[4].end = Some((UnitStatus::Skipped, Some("<img src=x onerror=alert(1)>")));
    let a = read_run(temp.path(), "a", &[host(facts, &of_a)]);
    let b = read_run(
        temp.path(),
        "b",
        &[host(fixture::rock_facts(), &units(&ALL, 24.0))],
    );
    let comparison = compared(&[&a], &[&b]).unwrap();
    assert_eq!(comparison.pairs.len(), 4, "by what they do");
    let page = compare_page::page(&comparison, Text::new(Language::ENGLISH)).unwrap();
    assert!(page.contains("&lt;script&gt;"));
    for bad in ["<script>alert", "<img", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "self-contained"
    );
}
