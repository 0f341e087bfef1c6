//! What the run found: three sentences, then counts.

use bench_locales::Figure::Integer;
use bench_locales::{Text, say};
use serde::Serialize;

use crate::findings::findings;
use crate::pages::{Page, value};
use bench_analysis::measured::Analysis;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::HostStatus;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    problems: Vec<String>,
    findings: Vec<String>,
    tiles: Vec<Tile>,
}

#[derive(Serialize)]
struct Tile {
    figure: String,
    label: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let analysis = page.analysis;
    value(View {
        problems: analysis
            .run
            .problems
            .iter()
            .map(|problem| format::foreign(problem))
            .collect(),
        findings: (findings(analysis, page.decisions).into_iter())
            .map(|finding| page.text.say(&finding.text))
            .collect(),
        tiles: tiles(page.text, analysis),
    })
}

fn tiles(text: &Text, analysis: &Analysis) -> Vec<Tile> {
    let hosts = &analysis.hosts;
    let n_measured = hosts.iter().filter(|host| host.best_read.is_some()).count();
    let n_ok = hosts
        .iter()
        .filter(|host| host.data.record.status == HostStatus::Ok)
        .count();
    let counts = |verdict| hosts.iter().map(|host| host.count(verdict)).sum::<usize>();
    let n_samples: usize = hosts
        .iter()
        .flat_map(|host| &host.units)
        .map(|unit| unit.samples.len())
        .sum();
    let number = |n: usize| text.figure(Integer(n as f64));
    let tile = |figure: String, label: String| Tile { figure, label };
    vec![
        tile(
            say!(text, "n-of-all", n = n_ok, n_all = hosts.len()),
            say!(text, "summary-hosts-ok"),
        ),
        tile(number(n_measured), say!(text, "summary-measured")),
        tile(number(counts(Verdict::Ok)), say!(text, "summary-units-ok")),
        tile(
            number(counts(Verdict::Suspect)),
            say!(text, "summary-units-suspect"),
        ),
        tile(
            number(counts(Verdict::Invalid)),
            say!(text, "summary-units-invalid"),
        ),
        tile(number(n_samples), say!(text, "summary-samples")),
    ]
}
