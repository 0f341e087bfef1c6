//! Languages: everything on a page is a message or data, every page has its twin in every language.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bench_analysis::compare::before_after;
use bench_analysis::measured::analyse;
use bench_protocol::{Facts, Residency, UnitStatus};
use bench_reports::pages::compare as compare_page;
use bench_reports::report;
use bench_run_dir::PreviousRun;
use bench_run_dir::readers::Tool;

use crate::compare::{compared, host, read_run, units};
use crate::fixture::{self, Unit, measured, record, rock_facts, write_run};
use crate::interop;
use crate::pseudo;

/// A run with every section there is.
fn rich_run(root: &Path) -> std::path::PathBuf {
    let dir = fixture::full_run(root, "run");
    let before = PreviousRun {
        run_id: "run-before".into(),
        facts: Facts::default(),
    };
    let before = serde_json::to_string(&before).unwrap();
    fs::write(dir.join("hosts/rock-desk/previous.json"), before).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("run-dir/tests/imports/data");
    let latencies = fs::read_to_string(data.join("tinymembench.txt")).unwrap();
    let files = [
        (Tool::Stream, "stream.txt", interop::STREAM),
        (Tool::Mbw, "mbw.txt", interop::MBW),
        (Tool::LlamaBench, "llama.json", interop::LLAMA_BENCH),
        (Tool::Tinymembench, "tinymembench.txt", latencies.as_str()),
    ];
    let files = files.map(|(tool, name, text)| {
        interop::file(tool, name, text, Some("rock-desk"), Some("rock-5b"))
    });
    interop::add(&dir, files.into());
    dir
}

/// Renders a run in the language that nobody speaks and fails with what is neither a message nor data.
fn check_says_messages_only(dir: &Path) {
    report::render_in(dir, None, vec![pseudo::text()]).unwrap();
    let html = dir.join("html").join(pseudo::CODE);
    check_none(&pseudo::leaks(&html, &pseudo::data_of(dir)));
    let summary = fs::read_to_string(dir.join(format!("summary.{}.md", pseudo::CODE))).unwrap();
    assert!(
        !summary.contains("Report:") && !summary.contains(" reads "),
        "{summary}"
    );
}

fn check_none(leaks: &BTreeSet<String>) {
    let listed: Vec<&str> = leaks.iter().map(String::as_str).collect();
    assert!(
        leaks.is_empty(),
        "{} texts are not messages of `locales/` and not data:\n{}",
        leaks.len(),
        listed.join("\n")
    );
}

#[test]
fn a_report_says_messages_and_data_only() {
    let temp = tempfile::tempdir().unwrap();
    check_says_messages_only(&rich_run(temp.path()));
    let empty = temp.path().join("empty");
    write_run(&empty, &[]);
    check_says_messages_only(&empty);
}

#[test]
fn a_comparison_says_messages_and_data_only() {
    let temp = tempfile::tempdir().unwrap();
    let all = [0, 1, 2, 3, 4, 5, 6, 7];
    let mut of_a = units(&all, 24.0);
    of_a[0].check.passed = false;
    of_a[3].n_samples = 4;
    let mut of_b = units(&all, 27.0);
    of_b[1].end = Some((UnitStatus::Skipped, Some("no room")));
    of_b.remove(4);
    let mut other = rock_facts();
    other.kernel_release = Some("6.12.0".into());
    let a = read_run(temp.path(), "a", &[host(rock_facts(), &of_a)]);
    let b = read_run(temp.path(), "b", &[host(other, &of_b)]);
    let c = read_run(temp.path(), "c", &[host(rock_facts(), &units(&all, 31.0))]);
    let prepared = read_run(temp.path(), "p", &[fixture::experiments::prepared_host()]);
    let analysis = analyse(&prepared);
    let pages = temp.path().join("pages");
    fs::create_dir(&pages).unwrap();
    let comparisons = [
        compared(&[&a], &[&b]).unwrap(),
        compared(&[&a], &[&c]).unwrap(),
        compared(&[&c, &b], &[&a, &c]).unwrap(),
        before_after(&prepared.manifest, &analysis.hosts[0]).unwrap(),
    ];
    for (i, comparison) in comparisons.iter().enumerate() {
        let html = compare_page::page(comparison, pseudo::text()).unwrap();
        assert!(html.contains("<html lang=\"en-XA\">"));
        fs::write(pages.join(format!("{i}.html")), html).unwrap();
    }
    check_none(&pseudo::leaks(&pages, &pseudo::data_of(temp.path())));
}

#[test]
fn every_page_has_its_twin_and_leads_to_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = rich_run(temp.path());
    report::write(&dir, None).unwrap();
    for page in ["index.html", "hosts/rock-desk.html", "boards/rock-5b.html"] {
        let english = fs::read_to_string(dir.join("html").join(page)).unwrap();
        let spanish = fs::read_to_string(dir.join("html/es").join(page)).unwrap();
        let root = if page.contains('/') { "../" } else { "" };
        assert!(english.contains(&format!("href=\"{root}es/{page}\" hreflang=\"es\"")));
        assert!(spanish.contains(&format!("href=\"{root}../{page}\" hreflang=\"en\"")));
        assert!(english.contains("<html lang=\"en\">") && spanish.contains("<html lang=\"es\">"));
        for html in [english, spanish] {
            for left in ["<!--", "\u{2068}", "\u{2069}"] {
                assert!(!html.contains(left), "{page} holds {left:?}");
            }
        }
    }
    let summary = fs::read_to_string(dir.join("summary.es.md")).unwrap();
    assert!(summary.contains("24,1 GB/s"), "{summary}");
}

#[test]
fn numbers_have_a_comma_and_data_files_have_not() {
    let temp = tempfile::tempdir().unwrap();
    let dir = rich_run(temp.path());
    report::write(&dir, None).unwrap();
    let page = fs::read_to_string(dir.join("html/es/index.html")).unwrap();
    let page = page.replace("&#x2f;", "/");
    let with_points: Vec<&str> = page
        .split('<')
        .filter(|it| it.contains("24.1 GB/s"))
        .collect();
    assert!(
        page.contains("24,1 GB/s") && with_points.is_empty(),
        "{with_points:?}"
    );
    assert!(page.contains("qwen2.5-1.5b"), "names keep their dots");
    assert!(
        !dir.join("html/es/data").exists(),
        "there is one copy of the data"
    );
    let data = fs::read_to_string(dir.join("html/data/units.csv")).unwrap();
    assert!(data.contains("24.1") || data.contains("24.0"), "{data}");
}

#[test]
fn hosts_named_like_words_keep_their_names() {
    for name in ["threads", "host", "<script>", "In short", "24.1 GB"] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("run");
        let unit = Unit::gemv("q4_0", Residency::Dram, &[0], 10.0);
        let read = Unit::stream("read", (1, 0), &[0], 10.0);
        let host = measured(
            record(name, None, "ssh"),
            rock_facts(),
            "neon",
            &[read, unit],
        );
        write_run(&dir, &[host]);
        report::write(&dir, None).unwrap();
        let count = |page: &str| {
            let html = fs::read_to_string(dir.join(page)).unwrap();
            let escaped = name.replace('<', "&lt;").replace('>', "&gt;");
            let first = html.matches(&format!("<bdi>{escaped}</bdi>")).count();
            (first, html.matches(&format!(">{escaped}</text>")).count())
        };
        assert_eq!(
            count("html/index.html"),
            count("html/es/index.html"),
            "{name}"
        );
        assert!(count("html/es/index.html").0 > 0);
    }
}

/// Levels of the headings of a Markdown text, and its blocks of code.
fn outline(text: &str) -> (Vec<usize>, Vec<String>) {
    let mut levels = Vec::new();
    let mut blocks: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            if in_block {
                blocks.push(String::new());
            }
        }
        if in_block {
            let block = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        } else if line.starts_with('#') {
            levels.push(line.len() - line.trim_start_matches('#').len());
        }
    }
    (levels, blocks)
}

#[test]
fn the_readmes_have_the_same_headings_and_code() {
    let read = |name: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::read_to_string(root.join(name)).unwrap()
    };
    let (english, spanish) = (outline(&read("README.md")), outline(&read("README.es.md")));
    assert_eq!(english.0, spanish.0, "headings");
    for (english, spanish) in english.1.iter().zip(&spanish.1) {
        assert_eq!(english, spanish, "blocks of code");
    }
    assert_eq!(english.1.len(), spanish.1.len(), "blocks of code");
}
