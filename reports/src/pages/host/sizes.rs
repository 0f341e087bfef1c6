//! Bandwidth over the working set: which cache holds it, and what the memory behind all of them gives.

use bench_locales::Figure::{BinaryBytes, GbPerS};
use bench_locales::{Text, message, say};
use bench_protocol::Facts;
use serde::Serialize;

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::{Page, doubt, value};
use bench_analysis::measured::{HostAnalysis, SizeCurve, UnitKind};
use bench_run_dir::format;

/// Curves a picture can carry.
const MAX_CURVES: usize = 5;

#[derive(Serialize)]
struct View {
    chart: String,
    doubt: String,
    has_theory: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    curve: String,
    size: String,
    rate: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let mut curves = host.size_curves(UnitKind::Stream);
    if curves.is_empty() {
        return None;
    }
    curves.truncate(MAX_CURVES);
    let chart = XyChart {
        x: Axis {
            label: say!(text, "sizes-axis"),
            kind: AxisKind::Bytes,
        },
        y: Axis {
            label: say!(text, "axis-gb-per-s"),
            kind: AxisKind::Log,
        },
        series: (curves.iter().map(|curve| series(text, curve)))
            .chain(theory(text, host, &curves))
            .collect(),
        places: cache_edges(host.data.facts.as_ref(), 1),
    };
    let caption = Caption {
        text,
        id: "sizes",
        title: &say!(text, "sizes-chart"),
        description: &say!(text, "sizes-chart-text"),
    };
    value(View {
        chart: xy_chart(&caption, &chart),
        doubt: doubt(
            text,
            curves.iter().map(|curve| curve.n_suspect).sum(),
            curves.iter().map(|curve| curve.points.len()).sum(),
        ),
        has_theory: host.theory.is_ok(),
        rows: curves
            .iter()
            .flat_map(|curve| {
                curve.points.iter().map(|(bytes, gb_per_s)| Row {
                    curve: name(text, curve),
                    size: text.figure(BinaryBytes(*bytes as u64)),
                    rate: text.figure(GbPerS(*gb_per_s)),
                })
            })
            .collect(),
    })
}

/// The memory's theoretical bandwidth over all sizes that were measured.
fn theory(text: &Text, host: &HostAnalysis, curves: &[SizeCurve]) -> Option<Series> {
    let gb_per_s = host.theory.as_ref().ok()?.gb_per_s;
    let bytes = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|point| point.0)
    };
    let least = bytes().fold(f64::INFINITY, f64::min);
    let most = bytes().fold(0.0, f64::max);
    Some(Series {
        label: say!(text, "theory"),
        points: vec![(least, gb_per_s), (most, gb_per_s)],
        style: Style::Bound,
    })
}

pub(in crate::pages) fn series(text: &Text, curve: &SizeCurve) -> Series {
    Series {
        label: name(text, curve),
        points: curve.points.clone(),
        style: Style::Line,
    }
}

fn name(text: &Text, curve: &SizeCurve) -> String {
    let kernel = format::foreign_short(&curve.kernel, 20);
    let threads = message!("threads", n = curve.n_threads);
    let mut name = message!("with-threads", what = kernel, threads = threads);
    if let Some(n_chains) = curve.n_chains.filter(|n_chains| *n_chains > 1) {
        name = message!("sizes-chains", what = name, n = n_chains);
    }
    if curve.small_pages {
        name = message!("small-pages", what = name);
    }
    text.say(&name)
}

/// Where caches end for so many threads: private ones add up.
pub(in crate::pages) fn cache_edges(facts: Option<&Facts>, n_threads: usize) -> Vec<(f64, String)> {
    let mut edges: Vec<(f64, String)> = Vec::new();
    for cache in facts.iter().flat_map(|facts| &facts.caches) {
        let n_instances = n_threads.div_ceil(cache.shared_cpus.len().max(1)) as u64;
        let bytes = cache.size_bytes.saturating_mul(n_instances) as f64;
        let is_new = !edges.iter().any(|(other, _)| *other == bytes);
        if cache.kind != "Instruction" && is_new {
            edges.push((bytes, format!("L{}", cache.level)));
        }
    }
    edges
}
