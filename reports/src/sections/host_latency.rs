//! How long one load takes: over working sets, with several at once, and while others use the bus.

use bench_protocol::Residency;
use serde::Serialize;

use super::host_sizes::{cache_edges, series};
use super::{Page, doubt, value};
use crate::svg::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use bench_analysis::measured::{HostAnalysis, Interference, UnitKind, UnitRow};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let curves = host.size_curves(UnitKind::Latency);
    let rows: Vec<Row> = (host.usable_units())
        .filter(|unit| unit.kind == UnitKind::Latency && unit.residency != Some(Residency::Sweep))
        .filter_map(row)
        .collect();
    let loaded = (host.interferences().into_iter()).find(|one| one.kind == UnitKind::Latency);
    if curves.is_empty() && rows.is_empty() && loaded.is_none() {
        return None;
    }
    value(View {
        sentence: sentence(host),
        doubt: {
            let latencies = || {
                host.units
                    .iter()
                    .filter(|unit| unit.kind == UnitKind::Latency)
            };
            let shown = || latencies().filter(|unit| unit.verdict.is_usable());
            doubt(
                page.text,
                shown().filter(|unit| unit.verdict != Verdict::Ok).count(),
                shown().count(),
            )
        },
        sizes: match curves.is_empty() {
            true => String::new(),
            false => xy_chart(
                &Caption {
                    id: "latency-sizes",
                    title: "Time of one load over the working set",
                    description: "Each load's address comes from the load before it. Dashed upright lines: sizes of the caches.",
                },
                &XyChart {
                    x: Axis {
                        label: "working set".into(),
                        kind: AxisKind::Bytes,
                    },
                    y: Axis {
                        label: "ns per load".into(),
                        kind: AxisKind::Log,
                    },
                    series: curves.iter().take(4).map(series).collect(),
                    places: cache_edges(host.data.facts.as_ref(), 1),
                },
            ),
        },
        rows,
        loaded: loaded.as_ref().map(loaded_chart).unwrap_or_default(),
        loaded_rows: (loaded.iter().flat_map(|loaded| &loaded.points))
            .map(|(traffic, ns)| Loaded {
                traffic: format::gb_per_s(*traffic),
                per_load: format::duration_ns(*ns),
            })
            .collect(),
    })
}

/// The figure people quote: one chain, one thread, through memory.
fn sentence(host: &HostAnalysis) -> String {
    let quoted = host.usable_units().find(|unit| {
        unit.kind == UnitKind::Latency
            && unit.residency == Some(Residency::Dram)
            && unit.n_chains == Some(1)
            && unit.cpus.len() == 1
    });
    match quoted.and_then(|unit| Some((unit, unit.ns_per_load?))) {
        Some((unit, ns)) => format!(
            "A load from memory that has to wait for the one before takes {} ({} of memory, random order).",
            format::duration_ns(ns),
            format::binary_bytes(unit.working_set_bytes)
        ),
        None => String::new(),
    }
}

fn row(unit: &UnitRow) -> Option<Row> {
    let (ns, n_chains) = (unit.ns_per_load?, unit.n_chains?);
    let loads_per_ns = f64::from(n_chains) * unit.cpus.len() as f64 / ns;
    let pages = match unit.pages {
        Some(bench_protocol::Pages::Small) => ", small pages",
        _ => "",
    };
    Some(Row {
        place: format!("{}{pages}", format::binary_bytes(unit.working_set_bytes)),
        threads: unit.cpus.len(),
        chains: n_chains,
        per_load: format::duration_ns(ns),
        rate: format!("{} million loads/s", format::number(loads_per_ns * 1e3)),
        lines: format::gb_per_s(loads_per_ns * LINE_BYTES),
    })
}

fn loaded_chart(loaded: &Interference) -> String {
    let caption = Caption {
        id: "latency-loaded",
        title: "Time of one load while others read",
        description: "To the right the other cores read more; upwards a load takes longer.",
    };
    xy_chart(
        &caption,
        &XyChart {
            x: Axis {
                label: "GB/s that the other cores read meanwhile".into(),
                kind: AxisKind::Linear,
            },
            y: Axis {
                label: "ns per load".into(),
                kind: AxisKind::Linear,
            },
            series: vec![Series {
                label: String::new(),
                points: loaded.points.clone(),
                style: Style::Line,
            }],
            places: Vec::new(),
        },
    )
}
