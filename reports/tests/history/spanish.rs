//! The pages of a history in Spanish: every word said, what came from outside left alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bench_protocol::{DramClock, Facts, MountFacts, Residency};
use bench_reports::report;

use crate::fixture::{self, Unit, measured, record, rock_facts, write_run};
use crate::made_up::Lab;

/// Fails with what is missing, in the form of the catalogue.
fn check_nothing_missing(missing: &BTreeSet<String>) {
    let mut list = String::new();
    for text in missing {
        let _ = writeln!(list, "> {text}\n< ");
    }
    assert!(
        missing.is_empty(),
        "{} texts have no Spanish; add them to `reports/src/words/es.txt`, or mark what is no text of memwall:\n{list}",
        missing.len()
    );
}

/// A rendered run without hosts after all nights of a made-up lab.
fn missing_after(lab: &Lab, temp: &Path, history: &Path) -> BTreeSet<String> {
    let run = temp.join("after");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("manifest.json"), lab.manifest_after()).unwrap();
    report::write(&run, Some(history)).unwrap().untranslated
}

#[test]
fn every_word_of_a_history_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let lab = crate::lab();
    lab.write(&dir).unwrap();
    let night = |i: usize| dir.join(lab.night(i).unwrap().card.run_id);
    fs::write(night(3).join("samples.parquet"), "no parquet").unwrap();
    fs::remove_file(night(4).join("run.json")).unwrap();
    check_nothing_missing(&missing_after(&lab, temp.path(), &dir));
    let html = temp.path().join("after/html");
    let read = |page: &str| fs::read_to_string(html.join(page)).unwrap();
    let english = read("history/board-00.html");
    let spanish = read("es/history/board-00.html");
    assert!(english.contains("Linux 5.10.160 → 6.1.75"));
    assert!(spanish.contains("Linux 5.10.160 → 6.1.75"));
    assert!(spanish.contains("copy, 4 hilos") && spanish.contains("2025-12-05"));
    for page in [english, spanish] {
        assert!(!page.contains(['\u{2068}', '\u{2069}']));
    }
}

#[test]
fn every_word_of_many_changes_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let lab = Lab {
        n_boards: 12,
        n_nights: 70,
        n_samples: 3,
        seed: 3,
        is_scattered: true,
    };
    lab.write(&dir).unwrap();
    check_nothing_missing(&missing_after(&lab, temp.path(), &dir));
}

/// Facts of which each one differs from [`rock_facts`].
fn other_facts() -> Facts {
    let mut facts = Facts {
        device_tree_model: Some("Another board".into()),
        cpu_model: Some("Some processor".into()),
        cpu_features: vec!["neon".into()],
        os: Some("Debian GNU/Linux 13 (trixie)".into()),
        kernel_release: Some("6.12.9".into()),
        firmware: Some("U-Boot 2024.01".into()),
        hypervisor: Some("kvm".into()),
        power_mode: Some("MAXN".into()),
        dram_clock: Some(DramClock {
            path: "/sys/class/devfreq/dmc/cur_freq".into(),
            current_hz: 1_560_000_000,
            max_hz: Some(1_560_000_000),
            governor: Some("dmc_ondemand".into()),
        }),
        transparent_huge_pages: Some("never".into()),
        mounts: vec![MountFacts {
            path: "/".into(),
            kind: "ext4".into(),
            options: "rw".into(),
        }],
        ..rock_facts()
    };
    facts.memory.total_bytes = Some(8_000_000_000);
    facts.memory.swap_total_bytes = Some(1 << 30);
    for cpu in &mut facts.cpus {
        cpu.governor = Some("schedutil".into());
        cpu.max_khz = Some(1_200_000);
    }
    facts
}

#[test]
fn every_fact_that_may_change_has_a_name() {
    let temp = tempfile::tempdir().unwrap();
    let history = temp.path().join("history");
    let mut missing = BTreeSet::new();
    for (day, facts) in [(10, rock_facts()), (11, other_facts()), (12, rock_facts())] {
        let dir = temp.path().join(format!("run-{day}"));
        let units = [
            Unit::stream("read", (1, 0), &[0], 10.0),
            Unit::gemv("q4_0", Residency::Dram, &[0, 1], 12.0),
            Unit::gemv("q4_0", Residency::Cache, &[0], 20.0),
        ];
        let of_ssh = record("rock-desk", Some("rock-5b"), "ssh");
        let rock = measured(of_ssh, facts, "neon", &units);
        write_run(&dir, &[rock, fixture::unreachable(), fixture::cut_off()]);
        let manifest = fs::read_to_string(dir.join("manifest.json")).unwrap();
        let dated = manifest.replace("2026-01-31T", &format!("2026-02-{day}T"));
        fs::write(dir.join("manifest.json"), dated).unwrap();
        let written = report::write_new(&dir, Some(&history)).unwrap();
        missing.extend(written.untranslated);
    }
    check_nothing_missing(&missing);
    let page = temp.path().join("run-12/html/es/history/rock-desk.html");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("governors de las CPU"),
        "the marks name what changed"
    );
}
