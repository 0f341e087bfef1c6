//! Bandwidth over the working set: which cache holds it, and what the memory behind all of them gives.

use bench_protocol::Facts;
use serde::Serialize;

use super::{Page, doubt, value};
use crate::svg::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let mut curves = host.size_curves(UnitKind::Stream);
    if curves.is_empty() {
        return None;
    }
    curves.truncate(MAX_CURVES);
    let chart = XyChart {
        x: Axis {
            label: "working set, all arrays and threads together".into(),
            kind: AxisKind::Bytes,
        },
        y: Axis {
            label: "GB/s (10⁹ bytes per second)".into(),
            kind: AxisKind::Log,
        },
        series: (curves.iter().map(series))
            .chain(theory(host, &curves))
            .collect(),
        places: cache_edges(host.data.facts.as_ref(), 1),
    };
    let caption = Caption {
        id: "sizes",
        title: "Bandwidth over the working set",
        description: "One line per kernel and number of threads. Dashed upright lines: sizes of the caches. The level at the right is the memory's.",
    };
    value(View {
        chart: xy_chart(&caption, &chart),
        doubt: doubt(
            page.text,
            curves.iter().map(|curve| curve.n_suspect).sum(),
            curves.iter().map(|curve| curve.points.len()).sum(),
        ),
        has_theory: host.theory.is_ok(),
        rows: curves
            .iter()
            .flat_map(|curve| {
                curve.points.iter().map(|(bytes, gb_per_s)| Row {
                    curve: name(curve),
                    size: format::binary_bytes(*bytes as u64),
                    rate: format::gb_per_s(*gb_per_s),
                })
            })
            .collect(),
    })
}

/// The memory's theoretical bandwidth over all sizes that were measured.
fn theory(host: &HostAnalysis, curves: &[SizeCurve]) -> Option<Series> {
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
        label: "theory".into(),
        points: vec![(least, gb_per_s), (most, gb_per_s)],
        style: Style::Bound,
    })
}

pub(super) fn series(curve: &SizeCurve) -> Series {
    Series {
        label: name(curve),
        points: curve.points.clone(),
        style: Style::Line,
    }
}

fn name(curve: &SizeCurve) -> String {
    let mut name = format!(
        "{}, {}",
        format::foreign_short(&curve.kernel, 20),
        format::count(curve.n_threads, "thread", "threads")
    );
    if let Some(n_chains) = curve.n_chains.filter(|n_chains| *n_chains > 1) {
        name += &format!(", {n_chains} chains");
    }
    if curve.small_pages {
        name += ", small pages";
    }
    name
}

/// Where caches end for so many threads: private ones add up.
pub(super) fn cache_edges(facts: Option<&Facts>, n_threads: usize) -> Vec<(f64, String)> {
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
