//! Languages of the pages of a history: everything on them is a message or data.

use std::fs;
use std::path::{Path, PathBuf};

use bench_analysis::validity::fingerprint;
use bench_locales::{Language, Text};
use bench_protocol::{DramClock, Facts, MountFacts, Residency};
use bench_reports::report;

use crate::fixture::{self, Unit, measured, record, rock_facts, write_run};
use crate::made_up::Lab;
use crate::pseudo;

/// Fails with what the pages of a history say that is neither a message nor data.
fn check_says_messages_only(run: &Path, history: &Path) {
    report::render_in(run, Some(history), vec![pseudo::text()]).unwrap();
    // Names of units and kernels and recorded reasons lie in compressed columns; what a file system and a library say of a file is quoted.
    let more = "read copy scale triad write copy_nt triad_nt write_nt latency; Linux; ssh gave up after 10 s; \
        check the cable; cannot be read; No such file or directory; \
        os error 2; A Parquet file must contain a header and footer with at least 12 bytes; File out of specification";
    let data = pseudo::data_of(run) + &pseudo::data_of(history) + more;
    let leaks = pseudo::leaks(&run.join("html").join(pseudo::CODE), &data);
    let leaks: Vec<String> = leaks.into_iter().collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// A run without hosts after all nights of a made-up lab.
fn run_after(lab: &Lab, temp: &Path) -> PathBuf {
    let run = temp.join("after");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("manifest.json"), lab.manifest_after()).unwrap();
    run
}

#[test]
fn a_history_says_messages_and_data_only() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("history");
    let lab = crate::lab();
    lab.write(&dir).unwrap();
    let night = |i: usize| dir.join(lab.night(i).unwrap().card.run_id);
    fs::write(night(3).join("samples.parquet"), "no parquet").unwrap();
    fs::remove_file(night(4).join("run.json")).unwrap();
    let run = run_after(&lab, temp.path());
    check_says_messages_only(&run, &dir);
    report::write(&run, Some(&dir)).unwrap();
    let read = |page: &str| fs::read_to_string(run.join("html").join(page)).unwrap();
    assert!(read("history/board-00.html").contains("Linux 5.10.160 → 6.1.75"));
    let spanish = read("es/history/board-00.html");
    assert!(spanish.contains("Linux 5.10.160 → 6.1.75"));
    assert!(spanish.contains("copy, 4 hilos") && spanish.contains("2025-12-05"));
}

#[test]
fn many_changes_say_messages_and_data_only() {
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
    check_says_messages_only(&run_after(&lab, temp.path()), &dir);
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
        report::write_new(&dir, Some(&history)).unwrap();
    }
    // Proper names are the same in every language.
    let same = ["Linux", "RAM", "swap", "firmware"];
    let spanish = Text::new(Language::from_code("es").unwrap());
    for (name, ..) in fingerprint::changes(&Facts::default(), &other_facts()) {
        let said = spanish.say(&fingerprint::message(name));
        assert!(
            said != name || same.contains(&name),
            "`{name}` has no message"
        );
    }
    let page = temp.path().join("run-12/html/es/history/rock-desk.html");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("governors de las CPU"),
        "the marks name what changed"
    );
}
