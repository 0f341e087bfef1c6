//! Units that were measured in several rounds: which rounds count, and what follows from them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::fs;
use std::path::Path;

use bench_analysis::measured::{Analysis, Judged, analyse};
use bench_analysis::validity::verdict::Verdict;
use bench_protocol::{Done, Message, UnitState, parse_line};
use bench_reports::report;
use serde_json::Value;

use crate::fixture::{self, Host, Unit};

/// What happened on the board in a round.
pub(crate) type Happened = fn(&mut UnitState);

/// A host that measured the units of each round in turn, one list of units for each round.
pub(crate) fn in_rounds(host: &str, rounds: &[(Vec<Unit>, Option<Happened>)]) -> Host {
    let mut all: Option<Host> = None;
    for (round, (units, happened)) in rounds.iter().enumerate() {
        let record = fixture::record(host, Some("rock-5b"), "ssh");
        let mut of_round = fixture::measured(record, fixture::rock_facts(), "neon-dotprod", units);
        let round = round as u32;
        for unit in of_round.request.iter_mut().flat_map(|it| &mut it.units) {
            unit.round = round;
        }
        let lines: Vec<String> = (of_round.stream.iter())
            .flat_map(|line| numbered(line, round, *happened))
            .collect();
        match &mut all {
            None => {
                of_round.stream = lines;
                all = Some(of_round);
            }
            Some(all) => {
                all.stream.pop();
                all.stream.extend_from_slice(&lines[2..]);
                let units = of_round.request.unwrap().units;
                all.request.as_mut().unwrap().units.extend(units);
            }
        }
    }
    let mut all = all.unwrap();
    let done = Message::Done(Done {
        n_units: all.request.as_ref().unwrap().units.len() as u32,
        n_samples: 0,
    });
    *all.stream.last_mut().unwrap() = serde_json::to_string(&done).unwrap();
    all
}

/// A line of a stream as one of a later round, and before the end of a unit what happened meanwhile.
fn numbered(line: &str, round: u32, happened: Option<Happened>) -> Vec<String> {
    let mut message = parse_line(line).unwrap();
    let mut lines = Vec::new();
    match &mut message {
        Message::UnitReady(it) => it.round = round,
        Message::Sample(it) => it.round = round,
        Message::UnitEnd(it) => {
            it.round = round;
            let mut state = UnitState {
                unit: it.unit.clone(),
                round,
                elapsed_ms: 1000,
                other_cpu_ms: Some(0),
                ..UnitState::default()
            };
            if let Some(happened) = happened {
                happened(&mut state);
            }
            lines.push(serde_json::to_string(&Message::UnitState(state)).unwrap());
        }
        _ => {}
    }
    lines.push(serde_json::to_string(&message).unwrap());
    lines
}

pub(crate) const CALM: Option<Happened> = None;
pub(crate) const BUSY: Option<Happened> = Some(|state| state.other_cpu_ms = Some(4000));
pub(crate) const HOT: Option<Happened> = Some(|state| state.throttle_events = Some(3));

const CPUS: [u32; 4] = [0, 1, 2, 3];

fn read(gb_per_s: f64) -> Vec<Unit> {
    vec![Unit::stream("read", (1, 0), &CPUS, gb_per_s)]
}

/// The one unit of a run whose rounds read at these rates.
fn check(rounds: &[(f64, Option<Happened>)], expect: impl Fn(&Judged)) {
    let temp = tempfile::tempdir().unwrap();
    let rounds: Vec<_> = (rounds.iter())
        .map(|(gb_per_s, happened)| (read(*gb_per_s), *happened))
        .collect();
    let dir = temp.path().join("run");
    fixture::write_run(&dir, &[in_rounds("shelf", &rounds)]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis: Analysis = analyse(&run);
    assert_eq!(run.hosts[0].problems, [] as [&str; 0]);
    assert_eq!(analysis.hosts[0].units.len(), 1, "a row for each unit");
    expect(&analysis.hosts[0].units[0]);
}

fn near(found: Option<f64>, expect: f64) {
    let found = found.unwrap();
    assert!(
        (found / expect - 1.0).abs() < 0.01,
        "{found} is not {expect}"
    );
}

#[test]
fn the_figure_is_the_middle_round_and_the_interval_that_between_rounds() {
    check(&[(20.0, CALM), (22.0, CALM), (24.2, CALM)], |unit| {
        near(unit.gb_per_s, 22.0);
        assert_eq!(unit.rounds_words().unwrap().to_string(), "3 of 3 rounds");
        let summary = unit.summary.unwrap();
        assert_eq!(summary.n_rounds, 3);
        // Steps of 10 %: t = 4.303 with two degrees of freedom, standard deviation ln 1.1.
        let reach = 4.303 * 1.1_f64.ln() / 3.0_f64.sqrt();
        near(Some(summary.ci_high / summary.median), reach.exp());
        near(Some(summary.ci_low / summary.median), (-reach).exp());
        assert!((unit.reason.as_ref().unwrap().to_string()).contains("rounds differ by 21 %"));
        assert_eq!(unit.verdict, Verdict::Suspect);
    });
}

#[test]
fn a_bad_round_spoils_no_unit() {
    check(&[(22.0, CALM), (11.0, HOT), (22.2, CALM)], |unit| {
        assert_eq!((unit.verdict, unit.reason.as_ref()), (Verdict::Ok, None));
        near(unit.gb_per_s, 22.1);
        assert_eq!(unit.rounds_words().unwrap().to_string(), "2 of 3 rounds");
        let unused = unit.unused_rounds();
        assert!(
            unused[0]
                .to_string()
                .starts_with("round 2 is not used: the board was throttled"),
            "{unused:?}"
        );
        // Nothing is dropped: its samples stay beside the others.
        assert!(unit.samples.iter().any(|sample| sample.round == 1));
        assert!(unit.used_samples().all(|sample| sample.round != 1));
    });
}

#[test]
fn too_few_good_rounds_give_the_worst_verdict() {
    check(&[(22.0, CALM), (11.0, HOT), (12.0, HOT)], |unit| {
        assert_eq!(unit.verdict, Verdict::Invalid);
        assert_eq!(unit.rounds_words().unwrap().to_string(), "3 of 3 rounds");
        near(unit.gb_per_s, 12.0);
    });
    check(&[(22.0, CALM), (21.0, BUSY), (21.5, BUSY)], |unit| {
        assert_eq!(unit.verdict, Verdict::Suspect);
        assert!(
            unit.reason
                .as_ref()
                .unwrap()
                .to_string()
                .contains("other programs")
        );
        near(unit.gb_per_s, 21.5);
    });
    check(&[(22.0, CALM), (21.0, BUSY), (11.0, HOT)], |unit| {
        assert_eq!(unit.verdict, Verdict::Suspect);
        assert_eq!(unit.rounds_words().unwrap().to_string(), "2 of 3 rounds");
    });
}

#[test]
fn a_stream_without_rounds_says_the_same_as_before() {
    check(&[(22.0, CALM)], |unit| {
        assert_eq!((unit.verdict, unit.rounds_words()), (Verdict::Ok, None));
        let summary = unit.summary.unwrap();
        assert_eq!((summary.n_rounds, summary.rounds_apart), (1, 0.0));
        assert!(unit.unused_rounds().is_empty());
    });
}

#[test]
fn every_form_of_a_report_keeps_the_rounds() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let rounds = [(read(22.0), CALM), (read(11.0), HOT), (read(22.2), CALM)];
    fixture::write_run(&dir, &[in_rounds("shelf", &rounds)]);
    report::write_new(&dir, None).unwrap();
    let text = |place: &str| fs::read_to_string(dir.join(place)).unwrap();
    let page = text("html/hosts/shelf.html");
    assert!(page.contains("2 of 3 rounds"));
    assert!(page.contains("round 2 is not used: the board was throttled"));
    let spanish = text("html/es/hosts/shelf.html");
    assert!(spanish.contains("2 de 3 rondas"));
    assert!(spanish.contains("la ronda 2 no se usa: la placa"));
    let unit = |place: &str| -> Value {
        let document: Value = serde_json::from_str(&text(place)).unwrap();
        document["hosts"][0]["units"][0].clone()
    };
    let unit = unit("html/data/report.json");
    assert_eq!(
        (&unit["rounds"], &unit["rounds_used"]),
        (&3.into(), &2.into())
    );
    let samples = text("frames/samples.csv");
    let header: Vec<&str> = samples.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|it| *it == name).unwrap();
    let (round, used) = (at("round"), at("round_is_used"));
    for line in samples.lines().skip(1) {
        let cells = cells(line);
        assert_eq!(cells[used], (cells[round] != "1").to_string(), "{line}");
    }
    assert!(samples.lines().count() > 3 * 5, "every sample is there");
    check_is_deterministic(&dir);
}

/// The cells of a line of CSV, without the quotes around some.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

fn check_is_deterministic(dir: &Path) {
    let before = fs::read(dir.join("html/hosts/shelf.html")).unwrap();
    report::write_new(dir, None).unwrap();
    assert!(before == fs::read(dir.join("html/hosts/shelf.html")).unwrap());
}
