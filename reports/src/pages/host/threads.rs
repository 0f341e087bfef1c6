//! Threads and clusters: the best configuration of every kernel that walks through memory.

use std::collections::{BTreeMap, BTreeSet};

use bench_locales::Figure::{GbPerS, SignedPercent, TokensPerS};
use bench_locales::{Text, say};
use bench_protocol::{Pages, Residency};
use serde::Serialize;

use crate::charts::{Caption, Line, line_chart};
use crate::pages::{Page, doubt, value};
use bench_analysis::measured::{HostAnalysis, Judged, UnitKind};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

/// Series a picture of lines can carry.
const MAX_LINES: usize = 5;

#[derive(Serialize)]
struct View {
    chart: String,
    doubt: String,
    has_theory: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    best: String,
    cpus: String,
    threads: usize,
    all: String,
    gain: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let mut groups: BTreeMap<String, Vec<(&Judged, f64)>> = BTreeMap::new();
    for unit in host.usable_units() {
        if let Some((name, rate)) = subject(text, unit) {
            groups.entry(name).or_default().push((unit, rate));
        }
    }
    groups.retain(|_, units| {
        let sets: BTreeSet<&[u32]> = units.iter().map(|(unit, _)| unit.cpus.as_slice()).collect();
        sets.len() > 1
    });
    if groups.is_empty() {
        return None;
    }
    let theory = host.theory.as_ref().ok().map(|theory| theory.gb_per_s);
    value(View {
        chart: thread_chart(text, host, theory),
        doubt: doubt(
            text,
            (groups.values().flatten())
                .filter(|(unit, _)| unit.verdict != Verdict::Ok)
                .count(),
            groups.values().map(Vec::len).sum(),
        ),
        has_theory: theory.is_some(),
        rows: groups
            .iter()
            .filter_map(|(name, units)| row(text, name, units))
            .collect(),
    })
}

/// What is compared over threads, and its rate.
fn subject(text: &Text, unit: &Judged) -> Option<(String, f64)> {
    match (unit.kind, &unit.model) {
        (UnitKind::Stream | UnitKind::Gemv, _) if unit.residency == Some(Residency::Dram) => {
            let kernel = format::foreign_short(&unit.kernel, 30);
            let name = match unit.pages {
                Some(Pages::Small) => say!(text, "small-pages", what = kernel),
                _ => kernel,
            };
            Some((name, unit.gb_per_s?))
        }
        (UnitKind::Decode | UnitKind::Prefill, Some(model)) => {
            Some((crate::pages::model_label(model), unit.tokens_per_s?))
        }
        _ => None,
    }
}

fn row(text: &Text, name: &str, units: &[(&Judged, f64)]) -> Option<Row> {
    let (best, rate) = units.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (all, all_rate) = (units.iter()).max_by_key(|(unit, _)| unit.cpus.len())?;
    let figure = |unit: &Judged, rate: f64| match unit.tokens_per_s {
        Some(_) => TokensPerS(rate),
        None => GbPerS(rate),
    };
    let gain = rate / all_rate - 1.0;
    Some(Row {
        name: name.to_owned(),
        best: text.figure(figure(best, *rate)),
        cpus: format::cpu_list(&best.cpus),
        threads: best.cpus.len(),
        all: say!(
            text,
            "threads-rate-with",
            rate = figure(all, *all_rate),
            n = all.cpus.len()
        ),
        gain: match best.cpus.len() == all.cpus.len() {
            true => say!(text, "threads-same"),
            false => text.figure(SignedPercent(gain)),
        },
    })
}

/// GB/s over threads, one line per memory kernel that was measured at more than one thread count.
fn thread_chart(text: &Text, host: &HostAnalysis, theory: Option<f64>) -> String {
    let mut series: BTreeMap<&str, BTreeMap<u32, f64>> = BTreeMap::new();
    for unit in host.usable_units() {
        let plotted = matches!(unit.kind, UnitKind::Stream | UnitKind::Gemv)
            && unit.residency == Some(Residency::Dram);
        if let Some(gb_per_s) = unit.gb_per_s.filter(|_| plotted) {
            let n_threads = unit.cpus.len() as u32;
            let best = series
                .entry(&unit.kernel)
                .or_default()
                .entry(n_threads)
                .or_insert(gb_per_s);
            *best = best.max(gb_per_s);
        }
    }
    series.retain(|_, points| points.len() > 1);
    let columns: BTreeSet<u32> = series
        .values()
        .flat_map(|points| points.keys().copied())
        .collect();
    let columns: Vec<u32> = columns.into_iter().collect();
    // Those with the most thread counts first.
    let mut series: Vec<(&str, BTreeMap<u32, f64>)> = series.into_iter().collect();
    series.sort_by_key(|(_, points)| std::cmp::Reverse(points.len()));
    let lines: Vec<Line> = (series.into_iter())
        .take(MAX_LINES)
        .map(|(kernel, points)| Line {
            label: format::foreign_short(kernel, 24),
            points: points.into_iter().collect(),
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let caption = Caption {
        text,
        id: "threads",
        title: &say!(text, "threads-chart"),
        description: &say!(text, "threads-chart-text"),
    };
    let label = theory.map(|gb_per_s| say!(text, "threads-theory", rate = GbPerS(gb_per_s)));
    line_chart(
        &caption,
        (&say!(text, "thread-count"), "GB/s"),
        &columns,
        &lines,
        label.as_deref().zip(theory),
    )
}
