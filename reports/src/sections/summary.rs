//! What the run found: three sentences, then counts.

use serde::Serialize;

use super::{Page, value};
use crate::findings::findings;
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let analysis = page.analysis;
    value(View {
        problems: analysis
            .run
            .problems
            .iter()
            .map(|problem| format::foreign(problem))
            .collect(),
        findings: (findings(analysis, page.decisions).into_iter())
            .map(|finding| finding.text)
            .collect(),
        tiles: tiles(analysis),
    })
}

fn tiles(analysis: &Analysis) -> Vec<Tile> {
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
    let tile = |figure: String, label: &str| Tile {
        figure,
        label: label.to_owned(),
    };
    vec![
        tile(format!("{n_ok} of {}", hosts.len()), "hosts ended well"),
        tile(n_measured.to_string(), "with a measured bandwidth"),
        tile(counts(Verdict::Ok).to_string(), "units ok"),
        tile(counts(Verdict::Suspect).to_string(), "units suspect"),
        tile(counts(Verdict::Invalid).to_string(), "units invalid"),
        tile(format::number(n_samples as f64), "samples"),
    ]
}
