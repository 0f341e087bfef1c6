//! How long one load takes: over working sets, with several at once, and while others use the bus.

use bench_locales::Figure::{BinaryBytes, DurationNs, GbPerS, Number};
use bench_locales::{Text, say};
use bench_protocol::{Pages, Residency};
use serde::Serialize;

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::host::sizes::{cache_edges, series};
use crate::pages::{Page, doubt, value};
use bench_analysis::measured::{HostAnalysis, Interference, Judged, SizeCurve, UnitKind};
use bench_analysis::validity::verdict::Verdict;

/// Bytes that one load brings in.
const LINE_BYTES: f64 = 64.0;

#[derive(Serialize)]
struct View {
    sentence: String,
    doubt: String,
    sizes: String,
    rows: Vec<Row>,
    loaded: String,
    loaded_rows: Vec<Loaded>,
}

#[derive(Serialize)]
struct Row {
    place: String,
    threads: usize,
    chains: u32,
    per_load: String,
    rate: String,
    lines: String,
}

#[derive(Serialize)]
struct Loaded {
    traffic: String,
    per_load: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let curves = host.size_curves(UnitKind::Latency);
    let rows: Vec<Row> = (host.usable_units())
        .filter(|unit| unit.kind == UnitKind::Latency && unit.residency != Some(Residency::Sweep))
        .filter_map(|unit| row(text, unit))
        .collect();
    let loaded = (host.interferences().into_iter()).find(|one| one.kind == UnitKind::Latency);
    if curves.is_empty() && rows.is_empty() && loaded.is_none() {
        return None;
    }
    value(View {
        sentence: sentence(text, host),
        doubt: {
            let latencies = || {
                host.units
                    .iter()
                    .filter(|unit| unit.kind == UnitKind::Latency)
            };
            let shown = || latencies().filter(|unit| unit.verdict.is_usable());
            doubt(
                text,
                shown().filter(|unit| unit.verdict != Verdict::Ok).count(),
                shown().count(),
            )
        },
        sizes: match curves.is_empty() {
            true => String::new(),
            false => sizes_chart(text, host, &curves),
        },
        rows,
        loaded: (loaded.as_ref())
            .map(|loaded| loaded_chart(text, loaded))
            .unwrap_or_default(),
        loaded_rows: (loaded.iter().flat_map(|loaded| &loaded.points))
            .map(|(traffic, ns)| Loaded {
                traffic: text.figure(GbPerS(*traffic)),
                per_load: text.figure(DurationNs(*ns)),
            })
            .collect(),
    })
}

fn sizes_chart(text: &Text, host: &HostAnalysis, curves: &[SizeCurve]) -> String {
    let caption = Caption {
        text,
        id: "latency-sizes",
        title: &say!(text, "latency-sizes-chart"),
        description: &say!(text, "latency-sizes-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "working-set"),
            kind: AxisKind::Bytes,
        },
        y: Axis {
            label: say!(text, "latency-axis"),
            kind: AxisKind::Log,
        },
        series: (curves.iter().take(4))
            .map(|curve| series(text, curve))
            .collect(),
        places: cache_edges(host.data.facts.as_ref(), 1),
    };
    xy_chart(&caption, &chart)
}

/// The figure people quote: one chain, one thread, through memory.
fn sentence(text: &Text, host: &HostAnalysis) -> String {
    let quoted = host.usable_units().find(|unit| {
        unit.kind == UnitKind::Latency
            && unit.residency == Some(Residency::Dram)
            && unit.n_chains == Some(1)
            && unit.cpus.len() == 1
    });
    match quoted.and_then(|unit| Some((unit, unit.ns_per_load?))) {
        Some((unit, ns)) => say!(
            text,
            "latency-load",
            time = DurationNs(ns),
            size = BinaryBytes(unit.working_set_bytes),
        ),
        None => String::new(),
    }
}

fn row(text: &Text, unit: &Judged) -> Option<Row> {
    let (ns, n_chains) = (unit.ns_per_load?, unit.n_chains?);
    let loads_per_ns = f64::from(n_chains) * unit.cpus.len() as f64 / ns;
    let size = text.figure(BinaryBytes(unit.working_set_bytes));
    Some(Row {
        place: match unit.pages {
            Some(Pages::Small) => say!(text, "small-pages", what = size),
            _ => size,
        },
        threads: unit.cpus.len(),
        chains: n_chains,
        per_load: text.figure(DurationNs(ns)),
        rate: say!(text, "latency-rate", n = Number(loads_per_ns * 1e3)),
        lines: text.figure(GbPerS(loads_per_ns * LINE_BYTES)),
    })
}

fn loaded_chart(text: &Text, loaded: &Interference) -> String {
    let caption = Caption {
        text,
        id: "latency-loaded",
        title: &say!(text, "latency-loaded-chart"),
        description: &say!(text, "latency-loaded-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "interference-axis"),
            kind: AxisKind::Linear,
        },
        y: Axis {
            label: say!(text, "latency-axis"),
            kind: AxisKind::Linear,
        },
        series: vec![Series {
            label: String::new(),
            points: loaded.points.clone(),
            style: Style::Line,
        }],
        places: Vec::new(),
    };
    xy_chart(&caption, &chart)
}
