//! Every raw sample of a host as a dot, so that a median never hides what it was made of.

use bench_locales::Figure::{DurationNs, Percent};
use bench_locales::{Text, say};
use bench_protocol::Residency;
use serde::Serialize;

use crate::charts::{Caption, Strip, strip_chart};
use crate::pages::{Page, mark_class, unit_anchor, value};
use bench_analysis::measured::{HostAnalysis, Judged};
use bench_run_dir::format;

/// Dots of one row; samples beyond are thinned evenly.
const MAX_DOTS: usize = 120;

/// Share of the median that a chart always shows on each side, so that calm samples look calm.
const MIN_REACH: f64 = 0.05;

/// Share of the median beyond which samples stand at the edge.
const MAX_REACH: f64 = 0.5;

#[derive(Serialize)]
struct View {
    chart: String,
    rows: Vec<Row>,
}

/// Spread of a unit's samples, times per iteration.
#[derive(Serialize)]
struct Row {
    anchor: String,
    unit: String,
    n: usize,
    fastest: String,
    median: String,
    slowest: String,
    spread: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let strips: Vec<Strip> = (host.units.iter())
        .filter(|unit| unit.residency != Some(Residency::Sweep))
        .filter_map(|unit| strip(text, unit))
        .collect();
    if strips.is_empty() {
        return None;
    }
    let caption = Caption {
        text,
        id: "samples",
        title: &say!(text, "samples-chart"),
        description: &say!(text, "samples-chart-text"),
    };
    value(View {
        chart: strip_chart(&caption, &say!(text, "samples-axis"), reach(host), &strips),
        rows: (host.units.iter())
            .filter_map(|unit| row(text, unit))
            .collect(),
    })
}

fn row(text: &Text, unit: &Judged) -> Option<Row> {
    let summary = unit.summary.as_ref()?;
    (unit.residency != Some(Residency::Sweep)).then(|| Row {
        anchor: unit_anchor(unit),
        unit: format::foreign_short(&unit.unit, 60),
        n: unit.samples.len(),
        fastest: text.figure(DurationNs(summary.min)),
        median: text.figure(DurationNs(summary.median)),
        slowest: text.figure(DurationNs(summary.max)),
        spread: text.figure(Percent(summary.spread())),
    })
}

fn strip(text: &Text, unit: &Judged) -> Option<Strip> {
    let summary = unit
        .summary
        .as_ref()
        .filter(|summary| summary.median > 0.0)?;
    let step = unit.samples.len().div_ceil(MAX_DOTS);
    let shares = unit
        .samples
        .iter()
        .step_by(step)
        .map(|s| s.elapsed_ns as f64 / s.iterations as f64 / summary.median);
    Some(Strip {
        label: format::foreign_short(&unit.unit, 60),
        value: say!(
            text,
            "samples-with-spread",
            n = unit.samples.len(),
            spread = Percent(summary.spread()),
        ),
        kind: mark_class(unit.verdict),
        samples: shares.collect(),
    })
}

fn reach(host: &HostAnalysis) -> f64 {
    let summaries = host
        .units
        .iter()
        .filter_map(|unit| unit.summary.as_ref())
        .filter(|s| s.median > 0.0);
    let widest = summaries
        .map(|s| (s.max / s.median - 1.0).max(1.0 - s.min / s.median))
        .fold(MIN_REACH, f64::max);
    // Whole steps of five percent keep the axis readable.
    (widest.min(MAX_REACH) * 20.0).ceil() / 20.0
}
