//! Experiments of several units: what the report concludes from them.

use std::fs;

use crate::fixture;
use bench_analysis::measured;
use bench_analysis::validity::verdict::Verdict;
use bench_reports::report;

/// The page of a host that ran every experiment.
fn page() -> String {
    let temp = tempfile::tempdir().expect("the fixture can be rendered");
    let dir = temp.path().join("run");
    fixture::write_run(&dir, &[fixture::experiments::host()]);
    report::render(&dir).expect("the fixture can be rendered");
    fs::read_to_string(dir.join("html/hosts/rock-lab.html")).expect("the fixture can be rendered")
}

fn check(html: &str, section: &str, parts: &[&str]) {
    let start = html
        .find(&format!("id=\"{section}\""))
        .unwrap_or_else(|| panic!("there is no section {section}"));
    let end = html[start..].find("</section>").expect("a section ends") + start;
    let text = html[start..end].replace("&#x2f;", "/");
    for part in parts {
        assert!(text.contains(part), "{section} lacks {part:?}");
    }
}

#[test]
fn every_experiment_has_its_section() {
    let html = page();
    check(
        &html,
        "host_ladder",
        &[
            "From f16 to q2_k a token moves 4.00 times fewer bytes and comes 3.00 times faster.",
            "by more than 5 %: q2_k",
            "-25 %",
        ],
    );
    check(
        &html,
        "host_kv_cache",
        &[
            "The cache is faster from position 1 on, which is the first measured position.",
            "At position 1\u{2009}000, the token is 90.9 times faster with the cache.",
            "5.00 s",
        ],
    );
    check(
        &html,
        "host_interference",
        &[
            "Each GB/s that other cores read costs 1.00 tokens/s",
            "At most they read 8.00 GB/s (8.00 GB/s when they run alone); the speed was",
        ],
    );
    check(
        &html,
        "host_sustained",
        &[
            "13.3 tokens/s at first, 10.0 tokens/s in the second half",
            "75 % is kept",
        ],
    );
    check(
        &html,
        "host_threads",
        &["25.0 GB/s", "20.0 GB/s with 8", "+25 %", "4-7"],
    );
    check(&html, "host_sizes", &["100 GB/s", "128 KiB"]);
    check(
        &html,
        "host_latency",
        &[
            "A load from memory that waits for the previous load takes 120 ns (1 GiB of memory",
            "66.7 million loads/s",
            "300 ns",
        ],
    );
    check(&html, "host_roofline", &["1\u{2009}000 Gop/s", "60 %"]);
}

#[test]
fn other_traffic_bounds_nothing_and_enters_no_chain() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    fixture::write_run(&dir, &[fixture::experiments::host()]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let host = &analysis.hosts[0];
    assert!(host.chains.iter().all(|chain| !chain.unit.contains("/bg")));
    assert_eq!(host.best_read.as_ref().unwrap().gb_per_s.round(), 25.0);
    let prefill = host
        .units
        .iter()
        .find(|u| u.unit == "prefill/p1000/t4")
        .unwrap();
    assert_eq!(prefill.tokens_per_s.unwrap().round(), 200.0);
    assert_eq!(prefill.efficiency.unwrap(), 0.6);
    // 10^12 operations per second at 3 * 10^9 for a token.
    assert_eq!(prefill.bound_tokens_per_s().unwrap().round(), 333.0);
}

#[test]
fn what_preparing_a_board_bought_and_what_disturbed_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    fixture::write_run(&dir, &[fixture::experiments::prepared_host()]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let host = &analysis.hosts[0];
    let gains: Vec<(String, f64)> = (host.gains().into_iter())
        .map(|gain| (gain.unit_a, (gain.ratio * 100.0).round()))
        .collect();
    let expect = [("read/dram/t4", 150.0), ("write/dram/t4", 100.0)];
    assert_eq!(gains, expect.map(|(unit, ratio)| (unit.to_string(), ratio)));
    // What was measured before the preparation bounds nothing, and is in the frames all the same.
    assert_eq!((host.units.len(), host.all_units().count()), (4, 6));
    let verdict = |unit: &str| {
        let unit = host.units.iter().find(|row| row.unit == unit).unwrap();
        (
            unit.verdict,
            unit.reason
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        )
    };
    let (copy, triad) = (verdict("copy/dram/t4"), verdict("triad/dram/t4"));
    assert!(
        copy.0 == Verdict::Invalid && copy.1.contains("3 thermal throttling events"),
        "{copy:?}"
    );
    assert!(
        triad.0 == Verdict::Suspect && triad.1.contains("other programs took 50 %"),
        "{triad:?}"
    );
    report::render(&dir).unwrap();
    let html = fs::read_to_string(dir.join("html/hosts/rock-prepared.html")).unwrap();
    check(
        &html,
        "host_environment",
        &[
            "+50 %",
            "not confirmed",
            "no difference shown",
            "ondemand",
            "restored",
        ],
    );
}

#[test]
fn tokens_per_joule_come_from_sensors_only() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    fixture::write_run(&dir, &[fixture::experiments::metered_host()]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let unit = &analysis.hosts[0].units[0];
    let rate = unit.tokens_per_s.unwrap();
    assert_eq!(unit.power[0].watts, 10.0, "set-up does not count");
    assert_eq!(unit.tokens_per_joule(), Some(rate / 10.0));
    report::render(&dir).unwrap();
    let html = fs::read_to_string(dir.join("html/hosts/rock-metered.html")).unwrap();
    check(&html, "host_power", &["VDD_IN", "10.0 W", "J/token"]);
    assert!(
        !page().contains("id=\"host_power\""),
        "without a sensor there is no section"
    );
}
