//! A run during which other programs had the board: it says so before anything else, and claims nothing from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bench_protocol::{Environment, Message, UnitState};
use bench_reports::report;
use serde_json::Value;

use crate::fixture::{self, Host, experiments, line, write_run};

/// Every unit of a host, while other programs took so much of its CPUs.
fn beside_others(mut host: Host, share: f64) -> Host {
    let n_cpus = fixture::rock_facts().cpus.len() as f64;
    let units: BTreeSet<String> = (host.stream.iter())
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| message.unit().map(str::to_owned))
        .collect();
    let states = units.into_iter().map(|unit| {
        line(&Message::UnitState(UnitState {
            unit,
            environment: Environment::AsFound,
            elapsed_ms: 1000,
            other_cpu_ms: Some((share * n_cpus * 1000.0) as u64),
            ..UnitState::default()
        }))
    });
    let done = host.stream.pop();
    host.stream.extend(states);
    host.stream.extend(done);
    host
}

fn read(dir: &Path, file: &str) -> String {
    let path = dir.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_disturbed_run_says_so_first_and_claims_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let known = temp.path().join("history");
    // The history has pages from two runs on.
    let before = temp.path().join("2026-11-27T00-00-00Z-0000");
    write_run(&before, &[experiments::host()]);
    report::write_new(&before, Some(&known)).unwrap();
    let dir = temp.path().join("2026-11-28T00-00-00Z-0001");
    write_run(&dir, &[beside_others(experiments::host(), 0.82)]);
    let written = report::write_new(&dir, Some(&known)).unwrap();
    let says = "units were disturbed: other programs took 82 % of the CPUs at the same time";
    assert!(
        written
            .warning
            .is_some_and(|warning| warning.to_string().contains(says))
    );

    let summary = read(&dir, "summary.md");
    let first = summary.lines().next().unwrap();
    assert!(
        first.starts_with("**disturbed:**") && first.contains(says),
        "{first}"
    );
    let host = format!("hosts/{}.html", experiments::host().record.host);
    for page in ["index.html", &host, "history.html"] {
        let html = read(&dir.join("html"), page);
        let header = html.split_once("<h1").unwrap().0;
        assert!(
            header.contains("class=\"warning\""),
            "{page} warns before its title"
        );
    }

    let host = read(&dir.join("html"), &host);
    for claim in [
        "Each GB/s that other cores read costs",
        "there the cores, not the memory",
        "The cache is faster",
        "keep other programs off the memory bus",
        "memory: it delivers weights",
        ">sure<",
        "very likely",
    ] {
        assert!(!host.contains(claim), "the page claims `{claim}`");
    }
    assert!(host.contains("the picture proves nothing yet"));
    assert!(host.contains("class=\"suspect\""), "bars are tinted");

    let document: Value =
        serde_json::from_str(&read(&dir.join("html"), "data/report.json")).unwrap();
    assert!(document["disturbed"].as_str().unwrap().contains(says));
    assert!(
        document["hosts"][0]["disturbed"]
            .as_str()
            .unwrap()
            .contains(says)
    );
    let answers = document["answers"].as_array().unwrap().iter();
    for answer in answers.filter(|answer| answer["place"] == "host") {
        let certainty = answer["certainty"].as_str();
        assert!(
            !matches!(certainty, Some("sure" | "very_likely")),
            "{answer}"
        );
    }
    let of_limit = document["findings"].as_array().unwrap().iter();
    let of_limit = of_limit.filter(|finding| finding["about"] == "limit");
    for finding in of_limit {
        assert!(
            finding["text"]
                .as_str()
                .unwrap()
                .contains("unknown whether"),
            "{finding}"
        );
    }
}

#[test]
fn a_calm_run_has_no_warning() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    write_run(&dir, &[experiments::host()]);
    let written = report::write_new(&dir, None).unwrap();
    assert_eq!(written.warning, None);
    assert!(!read(&dir.join("html"), "index.html").contains("class=\"warning\""));
}

/// What made the exit code is named, whatever the unit measured before it failed.
#[test]
fn a_unit_that_failed_late_is_among_what_failed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut host = fixture::rock();
    let mut failed = None;
    for text in &mut host.stream {
        if let Ok(Message::UnitEnd(mut end)) = serde_json::from_str::<Message>(text) {
            end.status = bench_protocol::UnitStatus::Failed;
            end.reason = Some("took longer than its deadline of 300 s".into());
            failed = Some(end.unit.clone());
            *text = line(&Message::UnitEnd(end));
            break;
        }
    }
    write_run(&dir, &[host]);
    report::write_new(&dir, None).unwrap();
    let html = read(&dir.join("html"), "index.html");
    let section = html.split_once("id=\"failed\"").unwrap().1;
    let section = section.split_once("</section>").unwrap().0;
    assert!(section.contains(&failed.unwrap()), "{section}");
    assert!(
        section.contains("took longer than its deadline"),
        "{section}"
    );
}
