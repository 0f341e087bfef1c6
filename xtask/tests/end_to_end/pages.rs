//! Every kind of page as people see it: in a real browser, at three widths, light and dark, with accessibility rules.

use std::path::{Path, PathBuf};
use std::process::Command;

use bench_reports::report;
use bench_reports::tables::frames;

use crate::browser::Browser;
use crate::{fixture, hostile};

/// A phone, a laptop, a desktop, px.
const WIDTHS: [u64; 3] = [390, 1280, 1920];

/// Packages of the npm registry, where `cargo xtask test` puts them.
fn node_modules() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/npm/node_modules");
    assert!(
        root.is_dir(),
        "{} is missing; `cargo xtask test` installs it",
        root.display()
    );
    root
}

/// A report with everything that can happen to a host.
fn whole_report(root: &Path) -> PathBuf {
    let dir = fixture::full_run(root, "run");
    frames::write(&dir).unwrap();
    report::render(&dir).unwrap();
    dir.join("html")
}

/// A report after twenty nights in which everything happened that a history shows.
fn report_with_history(root: &Path) -> PathBuf {
    let run = root.join("after");
    // The example writes Parquet, which only bench-reports may.
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "bench-reports"])
        .args(["--example", "history", "--", "--boards", "3"])
        .args(["--nights", "20", "--samples", "5", "--render"])
        .args([&run, &root.join("history")])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    run.join("html")
}

/// One page of every kind.
fn kinds(html: &Path) -> Vec<PathBuf> {
    let pages = [
        "index.html",
        "hosts/rock-lab.html",
        "hosts/this-machine.html",
        "hosts/rock-prepared.html",
        "hosts/rock-metered.html",
        "hosts/emulated-aarch64.html",
        "hosts/orin-shelf.html",
        "hosts/pi-window.html",
        "boards/rock-5b.html",
        "models/qwen2.5-7b.html",
    ];
    pages.map(|page| html.join(page)).to_vec()
}

/// The history, and that of one host.
fn history_pages(html: &Path) -> Vec<PathBuf> {
    let mut pages = vec![html.join("index.html"), html.join("history.html")];
    pages.extend(files(&html.join("history")).into_iter().take(1));
    pages
}

#[test]
fn pages_look_right_at_every_width_in_light_and_dark() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path());
    look_right(&html, &kinds(&html), &WIDTHS, &[false, true]);
    let html = report_with_history(temp.path());
    look_right(&html, &history_pages(&html), &WIDTHS, &[false, true]);
    let spanish = html.join("es");
    look_right(&spanish, &history_pages(&spanish), &[390, 1280], &[false]);
}

#[test]
fn spanish_pages_look_right() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path()).join("es");
    look_right(&html, &kinds(&html), &[390, 1280], &[false]);
}

#[test]
fn hostile_empty_small_and_large_runs_look_right() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    let runs = [
        hostile::run(root),
        hostile::empty_run(root),
        hostile::one_board(root),
        hostile::sixty_boards(root),
    ];
    for dir in runs {
        report::render(&dir).unwrap();
        let html = dir.join("html");
        let mut pages = vec![html.join("index.html")];
        for folder in ["hosts", "boards", "models"] {
            // All of a small report, a few of a large one.
            pages.extend(files(&html.join(folder)).into_iter().take(6));
        }
        look_right(&html, &pages, &[390, 1280], &[false]);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Opens every page in every form and fails with all that is wrong.
fn look_right(html: &Path, pages: &[PathBuf], widths: &[u64], themes: &[bool]) {
    let mut browser = Browser::start();
    let mut wrong = Vec::new();
    for page in pages {
        for width in widths {
            for dark in themes {
                let look = browser.open(page, *width, *dark);
                let name = page.strip_prefix(html).unwrap().display().to_string();
                let mut tell = |what: String| wrong.push(format!("{name} at {width} px: {what}"));
                look.console.iter().for_each(|it| tell(it.clone()));
                (look.foreign_requests.iter()).for_each(|it| tell(format!("asks for {it}")));
                let found = browser.evaluate(include_str!("pages/look.js"));
                for sentence in found["wrong"].as_array().unwrap() {
                    tell(sentence.as_str().unwrap().to_owned());
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_keep_the_rules_of_accessibility() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path());
    let axe = std::fs::read_to_string(node_modules().join("axe-core/axe.min.js")).unwrap();
    let mut browser = Browser::start();
    let mut wrong = Vec::new();
    let mut pages = kinds(&html);
    pages.push(html.join("es/index.html"));
    pages.push(html.join("es/hosts/rock-lab.html"));
    pages.extend(history_pages(&report_with_history(temp.path())));
    for page in pages {
        for (width, dark) in [(1280, false), (1280, true), (390, false)] {
            browser.open(&page, width, dark);
            browser.evaluate(&axe);
            let found = browser.evaluate(include_str!("pages/axe.js"));
            for sentence in found.as_array().unwrap() {
                let name = page.strip_prefix(temp.path()).unwrap().display();
                let theme = if dark { "dark" } else { "light" };
                let sentence = sentence.as_str().unwrap();
                wrong.push(format!("{name} at {width} px, {theme}: {sentence}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tables_can_be_sorted_and_filtered_and_the_theme_chosen() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path());
    let mut browser = Browser::start();
    browser.open(&html.join("index.html"), 1280, false);
    let found = browser.evaluate(include_str!("pages/use.js"));
    assert_eq!(found, serde_json::json!([]), "{found}");
}

#[test]
fn report_json_keeps_its_schema() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/pages/schema.js");
    let output = Command::new("node")
        .arg(script)
        .arg(node_modules().canonicalize().unwrap())
        .arg(html.join("data/report.schema.json"))
        .arg(html.join("data/report.json"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn pages_print_to_pdf() {
    let temp = tempfile::tempdir().unwrap();
    let html = whole_report(temp.path());
    let mut browser = Browser::start();
    for page in kinds(&html) {
        browser.open(&page, 1280, true);
        let pdf = browser.print();
        assert!(pdf.starts_with(b"%PDF-"), "{}", page.display());
    }
}
