//! Every section of every kind of page against its golden file: a change of a page is seen in the diff.
//!
//! The run is made up and small, the catalogue has one board and one model; nothing depends on the day or the machine.
//! After a wanted change, `INSTA_UPDATE=always cargo test -p bench-reports golden` rewrites the files.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bench_protocol::PROTOCOL_VERSION;
use bench_reports::report;
use bench_reports::tables::frames;

use crate::fixture::{self, write_run};
use crate::hostile::keep_one_board;

#[test]
fn sections_are_as_they_were() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let hosts = [
        fixture::rock(),
        fixture::emulated(),
        fixture::unreachable(),
        fixture::cut_off(),
        fixture::experiments::prepared_host(),
        fixture::experiments::metered_host(),
    ];
    write_run(&dir, &hosts);
    keep_one_board(&dir);
    frames::write(&dir).unwrap();
    report::render(&dir).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut seen = BTreeSet::new();
    // A section that a later page has, too, is held against its first appearance only.
    for page in [
        "index.html",
        "es/index.html",
        "hosts/rock-desk.html",
        "hosts/rock-prepared.html",
        "hosts/rock-metered.html",
        "hosts/pi-window.html",
        "hosts/orin-shelf.html",
        "boards/rock-5b.html",
        "models/qwen2.5-7b.html",
    ] {
        for (id, html) in sections(&dir.join("html").join(page)) {
            let language = if page.starts_with("es/") { "es_" } else { "" };
            let name = format!("{language}{id}");
            // A new version of the protocol is no change of a page.
            let html = html.replace(&format!("protocol {PROTOCOL_VERSION}<"), "protocol N<");
            if seen.insert(name.clone()) {
                settings.bind(|| insta::assert_snapshot!(name, html));
            }
        }
    }
    for file in [
        "../summary.md",
        "../summary.es.md",
        "data/report.schema.json",
    ] {
        let text = fs::read_to_string(dir.join("html").join(file)).unwrap();
        let name = file.replace("../", "").replace("data/", "");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// The sections of a page by their anchors, a line for each tag.
fn sections(page: &Path) -> Vec<(String, String)> {
    let html = fs::read_to_string(page).unwrap();
    let parts = html.split("<section id=\"").skip(1);
    parts
        .map(|part| {
            let (id, rest) = part.split_once("\">").unwrap();
            let body = rest.split("</section>").next().unwrap();
            (id.to_owned(), body.replace("><", ">\n<").trim().to_owned())
        })
        .collect()
}
