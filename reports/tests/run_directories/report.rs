//! The report of whole run directories: what readers find, and what no input may break.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::fixture;
use crate::fixture::{Unit, measured, record, rock_facts, write_run};
use bench_analysis::measured;
use bench_analysis::validity::verdict::Verdict;
use bench_protocol::{Facts, SmbiosMemoryDevice, UnitStatus};
use bench_reports::report;
use bench_run_dir::HostStatus;
use serde_json::Value;

#[test]
fn first_page_tells_every_host_and_its_trouble() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let html = index(&dir);
    for part in [
        "The hosts reach between 54 % (<code>pi-window</code>) and 89 % (<code>rock-prepared</code>)",
        "Qwen2.5-7B in Q4_K_M is bounded at 2.11 tokens/s on <code>pi-window</code>",
        "limits token generation in 1 of 9 measured cases: <code>this-machine</code>",
        "at stage <code>connect</code>: <span lang=\"en\">ssh gave up after 10 s",
        "Connection timed out",
        "2 lines of the stream are not messages",
    ] {
        assert!(html.contains(part), "{part:?} is missing");
    }
    for (host, part) in [
        (
            "rock-desk",
            "reads 24.1 GB/s with 4 threads: 71 % of the theoretical 33.8 GB/s",
        ),
        (
            "this-machine",
            "reads 41.3 GB/s with 2 threads. Its theoretical bandwidth is unknown",
        ),
        (
            "orin-shelf",
            "was not reached (stage: connect): ssh gave up after 10 s",
        ),
        ("pi-window", "did not finish (stage: measure)"),
        (
            "emulated-aarch64",
            "ran under an emulator: 2 units gave the right output",
        ),
    ] {
        let page = dir.join("html/hosts").join(format!("{host}.html"));
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains(part), "{host} lacks {part:?}");
    }
}

#[test]
fn board_page_shows_what_others_measured() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    index(&dir);
    for (page, heading) in [
        ("boards/rock-5b.html", "Published measurements"),
        ("hosts/rock-desk.html", "Published measurements"),
    ] {
        let html = fs::read_to_string(dir.join("html").join(page)).unwrap();
        for part in [
            heading,
            "read, 4x Cortex-A76",
            "24.1 GB",
            "119 ns",
            "pointer chase over 16 MB",
            "sbc-bench",
        ] {
            assert!(html.contains(part), "{page} lacks {part:?}");
        }
    }
}

#[test]
fn every_table_scrolls_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    for (name, bytes) in rendered(&dir) {
        let text = String::from_utf8(bytes).unwrap();
        if name.ends_with(".html") {
            let n_scrolling = text.matches("<div class=\"scroll").count();
            assert_eq!(text.matches("<table").count(), n_scrolling, "{name}");
            assert!(text.contains("scroll for more"), "{name}");
            assert!(text.contains("background-attachment: local"), "{name}");
        }
    }
}

#[test]
fn remark_about_a_host_that_ended_well_is_shown() {
    const REMARK: &str = "7 lines of the stream are not messages and were kept aside";
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut host = fixture::this_machine();
    host.record.reason = Some(REMARK.into());
    let mut emulated = fixture::emulated();
    emulated.record.reason = Some(REMARK.into());
    for _ in 0..7 {
        host.stream.insert(1, "Welcome!".into());
    }
    write_run(&dir, &[host, emulated]);
    let index = index(&dir);
    assert_eq!(index.matches(REMARK).count(), 2, "once for each host");
    assert_eq!(
        index
            .matches("lines of the stream are not messages")
            .count(),
        2,
        "said once more than needed"
    );
    let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
    assert_eq!(summary.matches(REMARK).count(), 2);
}

#[test]
fn pages_ask_for_nothing_outside() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    for (name, bytes) in rendered(&dir) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf,"), "{name}");
        if name.ends_with(".html") {
            assert!(text.contains("default-src 'none'"), "{name}");
            assert_eq!(text.matches("<script").count(), 1, "{name}: its own alone");
            for forbidden in ["src=\"http", "href=\"http", "@import", "url(http"] {
                assert!(!text.contains(forbidden), "{name} holds {forbidden}");
            }
        }
    }
}

#[test]
fn links_lead_to_files_that_exist() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    check_links(&dir);
    bench_reports::tables::frames::write(&dir).unwrap();
    check_links(&dir);
}

fn check_links(dir: &Path) {
    for (name, bytes) in rendered(dir) {
        let text = String::from_utf8(bytes).expect("pages are UTF-8");
        let folder = dir
            .join("html")
            .join(&name)
            .parent()
            .expect("a page has a folder")
            .to_owned();
        let links = text
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        for link in links.filter(|link| !link.starts_with('#') && !link.starts_with("data:")) {
            let link = link.replace("&#x2f;", "/");
            assert!(folder.join(&link).exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    bench_reports::tables::frames::write(&dir).unwrap();
    let first = rendered(&dir);
    let summary = fs::read(dir.join("summary.md")).unwrap();
    bench_reports::tables::frames::write(&dir).unwrap();
    assert_eq!(first, rendered(&dir));
    assert_eq!(summary, fs::read(dir.join("summary.md")).unwrap());
}

#[test]
fn pages_of_an_earlier_report_do_not_stay() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    report::render(&dir).unwrap();
    fs::write(dir.join("html/hosts/gone.html"), "old").unwrap();
    report::render(&dir).unwrap();
    assert!(!dir.join("html/hosts/gone.html").exists());
}

#[test]
fn empty_run_is_theory_only() {
    let temp = tempfile::tempdir().unwrap();
    let html = index(&crate::hostile::empty_run(temp.path()));
    assert!(html.contains("No host was measured in this run"));
    assert!(html.contains("Radxa Rock 5"));
}

#[test]
fn one_host_is_spoken_of_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let html = index(&crate::hostile::one_board(temp.path()));
    assert!(html.contains(
        "<code>rock-desk</code> (Radxa Rock 5 Model B) reaches 71 % of its memory bandwidth"
    ));
}

#[test]
fn folder_without_anything_still_renders() {
    let temp = tempfile::tempdir().unwrap();
    let html = index(temp.path());
    assert!(html.contains("manifest.json"), "{html}");
}

#[test]
fn missing_folder_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    assert!(report::render(&temp.path().join("no-such-run")).is_err());
}

#[test]
fn host_without_record_was_cut_off_by_its_controller() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    fs::remove_file(dir.join("hosts/rock-desk/host.json")).unwrap();
    let run = bench_run_dir::read(&dir).unwrap();
    let host = &run.hosts[0];
    assert_eq!(host.record.status, HostStatus::Interrupted);
    assert!(
        host.record
            .reason
            .as_deref()
            .unwrap()
            .contains("controller ended before this host did")
    );
    assert!(index(&dir).contains("controller ended before this host did"));
}

#[test]
fn broken_files_are_named_and_the_rest_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    fs::write(dir.join("manifest.json"), "{").unwrap();
    fs::write(dir.join("inventory/boards/rock-5b.yaml"), "memory: [").unwrap();
    fs::write(dir.join("hosts/rock-desk/host.json"), b"\xff\xfe").unwrap();
    let html = index(&dir);
    assert!(html.contains("<code>manifest.json</code> is broken"));
    assert!(html.contains("cannot be read: <code>inventory/boards/rock-5b.yaml</code>"));
    assert!(html.contains("24.1 GB/s"), "measurements are lost");
    assert!(html.contains("Raspberry Pi 5"), "the other boards are lost");
    assert!(html.contains("Qwen2.5-7B"), "the models are lost");
}

#[test]
fn truncated_stream_keeps_what_came_before() {
    let temp = tempfile::tempdir().unwrap();
    let dir = fixture::full_run(temp.path(), "run");
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let host = analysis
        .hosts
        .iter()
        .find(|host| host.name() == "pi-window")
        .unwrap();
    assert_eq!(host.data.n_garbage_lines, 2);
    let verdicts: Vec<Verdict> = host.units.iter().map(|unit| unit.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Ok,
            Verdict::Invalid,
            Verdict::Suspect,
            Verdict::NotMeasured
        ]
    );
    assert!(
        host.units[1].efficiency.unwrap() > 1.0,
        "a ratio above one is never clipped"
    );
}

#[test]
fn cut_anywhere_the_stream_still_renders() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    write_run(&dir, &[fixture::this_machine()]);
    let path = dir.join("hosts/this-machine/stream.jsonl");
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(whole.len() / 12) {
        fs::write(&path, &whole[..len]).unwrap();
        let run = bench_run_dir::read(&dir).unwrap();
        assert_eq!(
            run.hosts[0].record.status,
            HostStatus::Failed,
            "cut at {len}"
        );
        report::render(&dir).unwrap();
    }
}

#[test]
fn foreign_text_is_text() {
    let temp = tempfile::tempdir().unwrap();
    let dir = crate::hostile::run(temp.path());
    for (name, bytes) in rendered(&dir) {
        let text = String::from_utf8(bytes).unwrap();
        if name.ends_with(".html") {
            assert!(
                !text.contains("<script>alert")
                    && !text.contains("49 * ")
                    && !text.contains("NaN")
                    && !text.contains("<b>board")
                    && !text.contains('\u{202e}'),
                "{name}"
            );
        }
    }
    let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
    assert!(!summary.contains("<script"));
}

#[test]
fn sixty_hosts_render_and_the_first_page_stays_small() {
    let temp = tempfile::tempdir().unwrap();
    let html = index(&crate::hostile::sixty_boards(temp.path()));
    assert!(html.contains("host-59") && html.contains("host-00"));
    assert!(html.contains("are on the pages of the models"));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}

#[test]
fn figures_without_time_are_no_figures() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut unit = Unit::stream("read", (1, 0), &[0], 1e30);
    unit.jitter = 0.0;
    write_run(
        &dir,
        &[measured(
            record("fast", None, "local"),
            rock_facts(),
            "neon",
            &[unit],
        )],
    );
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let unit = &analysis.hosts[0].units[0];
    assert_eq!((unit.verdict, unit.gb_per_s), (Verdict::Invalid, None));
    assert!(!index(&dir).contains("NaN"));
}

#[test]
fn numbers_that_cannot_be_cost_their_unit() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let read = |n_threads: usize| Unit::stream("read", (1, 0), &[4, 5, 6, 7][..n_threads], 10.0);
    let rock = |name: &str| {
        let units = [read(1), read(2), read(4)];
        let record = record(name, Some("rock-5b"), "ssh");
        measured(record, rock_facts(), "neon", &units)
    };
    write_run(&dir, &[rock("good"), rock("odd")]);
    let stream = dir.join("hosts/odd/stream.jsonl");
    let text = fs::read_to_string(&stream).unwrap();
    let changed = text.lines().map(|line| {
        let mut message: Value = serde_json::from_str(line).unwrap();
        match (message["type"].as_str(), message["unit"].as_str()) {
            // Two of them are more than 64 bits hold.
            (Some("sample"), Some("read_dram_t1")) => message["elapsed_ns"] = (1_u64 << 63).into(),
            (Some("unit_ready"), Some("read_dram_t2")) => {
                message["work"]["read_bytes"] = (u64::MAX / 2 + 2).into();
            }
            _ => {}
        }
        format!("{message}\n")
    });
    fs::write(&stream, changed.collect::<String>()).unwrap();
    let written = report::write(&dir, None).unwrap();
    assert_eq!(written.failures, [""; 0]);
    let run = bench_run_dir::read(&dir).unwrap();
    let analysis = measured::analyse(&run);
    let verdicts = |host: usize| {
        let units = analysis.hosts[host].units.iter();
        units.map(|unit| unit.verdict).collect::<Vec<_>>()
    };
    assert!(!verdicts(0).contains(&Verdict::Invalid));
    assert_eq!(verdicts(1)[..2], [Verdict::Invalid; 2]);
    assert_ne!(verdicts(1)[2], Verdict::Invalid);
    let page = fs::read_to_string(dir.join("html/hosts/odd.html")).unwrap();
    for reason in [
        "together took longer than the time that the unit had",
        "more bytes or operations than any",
    ] {
        assert!(page.contains(reason), "{reason}");
    }
}

#[test]
fn a_unit_without_a_sample_did_not_end_well() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut unit = Unit::stream("read", (1, 0), &[0], 10.0);
    unit.n_samples = 0;
    let host = measured(record("odd", None, "ssh"), rock_facts(), "neon", &[unit]);
    write_run(&dir, &[host]);
    let run = bench_run_dir::read(&dir).unwrap();
    let unit = &run.hosts[0].units[0];
    assert_eq!(unit.rounds[&0].end.as_ref().unwrap().status, UnitStatus::Ok);
    let ended = run.hosts[0].stream.ended(&unit.unit);
    assert_eq!(ended, Some(UnitStatus::Failed));
}

#[test]
fn units_that_are_not_in_the_request_are_not_shown() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let units = [
        Unit::stream("read", (1, 0), &[0], 10.0),
        Unit::stream("copy", (1, 1), &[0], 10.0),
    ];
    let mut host = measured(record("odd", None, "ssh"), rock_facts(), "neon", &units);
    write_run(&dir, std::slice::from_ref(&host));
    assert_eq!(bench_run_dir::read(&dir).unwrap().hosts[0].units.len(), 2);
    let request = host.request.as_mut().unwrap();
    request.units.retain(|unit| unit.kernel == "read");
    write_run(&dir, &[host]);
    let run = bench_run_dir::read(&dir).unwrap();
    let names: Vec<&str> = run.hosts[0]
        .units
        .iter()
        .map(|unit| unit.unit.as_str())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(run.hosts[0].n_garbage_lines > 0);
    assert!(run.hosts[0].garbage[0].1.contains("was not asked for"));
}

#[test]
fn assumption_behind_theory_stands_beside_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let module = |slot: u32| SmbiosMemoryDevice {
        locator: format!("DIMM {slot}"),
        kind: "DDR5".into(),
        data_width_bits: Some(64),
        configured_mt_per_s: Some(4800),
        ..SmbiosMemoryDevice::default()
    };
    let facts = Facts {
        smbios_memory: (0..4).map(module).collect(),
        dram_clock: None,
        ..rock_facts()
    };
    let units = [Unit::stream("read", (1, 0), &[0], 20.0)];
    let host = measured(record("desk", None, "local"), facts, "avx2", &units);
    write_run(&dir, &[host]);
    let index = index(&dir);
    let page = fs::read_to_string(dir.join("html/hosts/desk.html")).unwrap();
    let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
    for text in [index, page, summary] {
        assert!(text.contains("each of the 4 modules"), "{text}");
    }
}

fn index(dir: &Path) -> String {
    fs::read_to_string(report::render(dir).expect("the report can be read back"))
        .expect("the report can be read back")
}

/// Renders and reads back every file of the report, by path relative to `html/`.
fn rendered(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let index = report::render(dir).expect("the report can be read back");
    let root = index.parent().expect("the report can be read back");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the report can be read back") {
            let path = entry.expect("the report can be read back").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path
                        .strip_prefix(root)
                        .expect("the report can be read back")
                        .to_string_lossy()
                        .into_owned();
                    files.insert(name, fs::read(&path).expect("the report can be read back"));
                }
            }
        }
    }
    files
}
