//! What units are held against, and which of them may be believed.

use std::fs;

use crate::fixture;
use crate::fixture::{Unit, measured, record, rock_facts, write_run};
use bench_analysis::limits::BoundKind;
use bench_analysis::measured;
use bench_analysis::measured::HostAnalysis;
use bench_analysis::validity::verdict::Verdict;
use bench_protocol::Residency;
use bench_reports::report;

/// A decode that reads memory faster than `read` is the best read itself; one that a cache may have helped is said to be
/// above its bound.
#[test]
fn no_decode_is_above_the_best_read_unless_caches_hold_a_part_of_it() {
    let analysed = |token_bytes: u64, l3_bytes: u64, check: &dyn Fn(&HostAnalysis)| {
        let temp = tempfile::tempdir().unwrap();
        let mut facts = rock_facts();
        facts.caches[0].size_bytes = l3_bytes;
        let cpus = [4, 5, 6, 7];
        let units = [
            Unit::stream("read", (1, 0), &cpus, 20.0),
            Unit::gemv("q4_0", Residency::Dram, &cpus, 21.0),
            Unit::decode("qwen2.5-1.5b", "q4_0", 0, &cpus, token_bytes, 23.0),
            Unit::decode("qwen2.5-1.5b", "q4_0", 8, &cpus, token_bytes, 22.0),
        ];
        let record = record("shelf", Some("rock-5b"), "ssh");
        let dir = temp.path().join("run");
        write_run(&dir, &[measured(record, facts, "neon", &units)]);
        let run = bench_run_dir::read(&dir).unwrap();
        check(&measured::analyse(&run).hosts[0]);
        report::render(&dir).unwrap();
        let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
        let is_told = summary.contains("The fastest reader was `decode`.");
        assert_eq!(is_told, l3_bytes < token_bytes / 4);
    };
    analysed(868_000_000, 32 << 20, &|host| {
        let read = host.best_read.as_ref().unwrap();
        assert_eq!(read.unit, "decode_qwen2.5-1.5b_q4_0_d0_t4");
        assert_eq!(host.units[2].efficiency, Some(1.0));
        for unit in &host.units[1..] {
            let bound = &unit.limits.bound.as_ref().unwrap().name;
            assert_eq!(
                bound.to_string(),
                "best measured read (`decode_qwen2.5-1.5b_q4_0_d0_t4`)"
            );
            assert!(unit.efficiency <= Some(1.0), "{}", unit.unit);
            assert_eq!(unit.verdict, Verdict::Ok, "{:?}", unit.reason);
        }
        // Nor are its own threads too few to reach it.
        for chain in &host.chains {
            assert_eq!(chain.threads_read_gb_per_s, Some(read.gb_per_s));
            assert_eq!(chain.too_few_threads(), None);
        }
    });
    analysed(868_000_000, 256 << 20, &|host| {
        assert_eq!(host.best_read.as_ref().unwrap().kernel, "gemv_q4_0");
        let decode = &host.units[2];
        assert!(decode.efficiency > Some(1.0));
        assert_eq!(decode.verdict, Verdict::Invalid);
        let reason = decode.reason.as_ref().unwrap().to_string();
        let cause = "the likeliest first: the working set is not much larger than the caches";
        assert!(reason.contains(cause), "{reason}");
    });
}

#[test]
fn emulated_host_is_compared_with_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let run = bench_run_dir::read(&fixture::full_run(temp.path(), "run")).unwrap();
    let analysis = measured::analyse(&run);
    let host = analysis
        .hosts
        .iter()
        .find(|host| host.data.record.emulated)
        .unwrap();
    assert!(host.best_read.is_none() && host.theory.is_err() && host.chains.is_empty());
    for unit in &host.units {
        assert_eq!((unit.verdict, unit.efficiency), (Verdict::Emulated, None));
    }
}

#[test]
fn chain_names_the_smaller_limit() {
    let temp = tempfile::tempdir().unwrap();
    let run = bench_run_dir::read(&fixture::full_run(temp.path(), "run")).unwrap();
    let analysis = measured::analyse(&run);
    let limit = |host: usize| analysis.hosts[host].chains[0].limit().unwrap();
    assert_eq!(limit(0), measured::Limit::Memory);
    assert_eq!(limit(1), measured::Limit::Kernel);
}

#[test]
fn small_cores_are_held_against_their_own_rate() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let (small, large) = ([0, 1, 2, 3], [4, 5, 6, 7]);
    let mut units = [
        Unit::stream("read", (1, 0), &large, 24.0),
        Unit::gemv("q4_0", Residency::Cache, &large, 31.0),
        Unit::gemv("q4_0", Residency::Cache, &small, 9.0),
        Unit::gemv("q4_0", Residency::Dram, &large, 22.0),
        Unit::gemv("q4_0", Residency::Dram, &small, 8.0),
    ];
    for (i, unit) in units.iter_mut().enumerate() {
        unit.unit = format!("{}/{i}", unit.unit);
    }
    let host = measured(
        record("rock", Some("rock-5b"), "ssh"),
        rock_facts(),
        "neon",
        &units,
    );
    write_run(&dir, &[host]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let limits: Vec<_> = (analysis.hosts[0].units.iter())
        .filter_map(|unit| unit.limit())
        .collect();
    assert_eq!(limits, [measured::Limit::Memory, measured::Limit::Kernel]);
}

/// A rock whose DRAM units all give `gb_per_s`, with a unit that lives in the caches.
fn rock_at(gb_per_s: f64, with_reads: bool) -> fixture::Host {
    let cpus = [4, 5, 6, 7];
    let mut units = vec![
        Unit::gemv("q4_0", Residency::Cache, &cpus, 31.0),
        Unit::gemv("q4_0", Residency::Dram, &cpus, gb_per_s),
        Unit::decode("qwen2.5-1.5b", "q4_0", 0, &cpus, 868_000_000, gb_per_s),
    ];
    if with_reads {
        units.push(Unit::stream("read", (1, 0), &cpus, gb_per_s));
    }
    measured(
        record("rock-desk", Some("rock-5b"), "ssh"),
        rock_facts(),
        "neon",
        &units,
    )
}

fn check_host(host: fixture::Host, check: impl FnOnce(&measured::HostAnalysis)) {
    let temp = tempfile::tempdir().expect("the fixture can be written");
    let dir = temp.path().join("run");
    write_run(&dir, &[host]);
    let run = bench_run_dir::read(&dir).expect("the fixture can be read");
    check(&measured::analyse(&run).hosts[0]);
}

#[test]
fn nothing_beats_theory_even_without_a_usable_read() {
    check_host(rock_at(1150.0, true), |host| {
        assert!(host.best_read.is_none());
        for unit in host
            .units
            .iter()
            .filter(|unit| unit.residency == Some(Residency::Dram))
        {
            assert_eq!(unit.verdict, Verdict::Invalid, "{}", unit.unit);
            let reason = unit.reason.as_ref().unwrap().to_string();
            assert!(reason.contains("of its bound is impossible"), "{reason}");
            assert_eq!(unit.limits.bound.as_ref().unwrap().kind, BoundKind::Theory);
        }
    });
}

#[test]
fn theory_is_the_bound_where_no_read_is_usable() {
    let cpus = [4, 5, 6, 7];
    let decode = Unit::decode("qwen2.5-1.5b", "q4_0", 0, &cpus, 868_000_000, 16.0);
    let host = measured(
        record("rock-desk", Some("rock-5b"), "ssh"),
        rock_facts(),
        "neon",
        &[Unit::stream("read", (1, 0), &cpus, 40.0), decode],
    );
    check_host(host, |host| {
        assert!(host.best_read.is_none() && !host.is_all_invalid());
        let decode = &host.units[1];
        assert_eq!(decode.verdict, Verdict::Ok);
        assert_eq!(
            decode.limits.bound.as_ref().unwrap().kind,
            BoundKind::Theory
        );
        assert!(decode.efficiency.unwrap() < 0.5);
    });
}

#[test]
fn host_is_all_invalid_when_no_memory_unit_may_be_used() {
    check_host(rock_at(1150.0, true), |host| assert!(host.is_all_invalid()));
    check_host(rock_at(20.0, true), |host| assert!(!host.is_all_invalid()));
    check_host(fixture::emulated(), |host| assert!(!host.is_all_invalid()));
    check_host(fixture::unreachable(), |host| {
        assert!(!host.is_all_invalid());
    });
    let cache_only = measured(
        record("rock-desk", Some("rock-5b"), "ssh"),
        rock_facts(),
        "neon",
        &[Unit::gemv("q4_0", Residency::Cache, &[4], 31.0)],
    );
    check_host(cache_only, |host| assert!(!host.is_all_invalid()));
}
