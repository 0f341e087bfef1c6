//! Bandwidth of every kernel of a host.

use bench_protocol::Residency;
use serde::Serialize;

use super::{Page, mark_class, unit_anchor, value, verdict_word};
use crate::svg::{Bar, Caption, Mark, bar_chart};
use bench_analysis::measured::{HostAnalysis, UnitKind, UnitRow};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    memory: String,
    cache: String,
    emulated: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    anchor: String,
    kernel: String,
    place: &'static str,
    threads: usize,
    cpus: String,
    measured: String,
    interval: String,
    bound: String,
    ratio: String,
    verdict: &'static str,
    badge: &'static str,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let memory = bars(host, Residency::Dram);
    let cache = bars(host, Residency::Cache);
    if memory.is_empty() && cache.is_empty() {
        return None;
    }
    let chart = |id: &str, title: &str, description: &str, bars: &[Bar]| match bars.is_empty() {
        true => String::new(),
        false => bar_chart(
            &Caption {
                id,
                title,
                description,
            },
            "GB/s (10⁹ bytes per second)",
            bars,
        ),
    };
    value(View {
        memory: chart(
            "kernels-memory",
            "Kernels that walk through memory",
            "One row per unit, median of its samples, whisker: 95 % interval. Dashed tick: its bound.",
            &memory,
        ),
        cache: chart(
            "kernels-cache",
            "Kernels that stay in the caches",
            "One row per unit, median of its samples: the rate of the cores, which memory does not bound.",
            &cache,
        ),
        emulated: host.data.record.emulated,
        rows: [Residency::Dram, Residency::Cache]
            .into_iter()
            .flat_map(|residency| units(host, residency))
            .filter_map(row)
            .collect(),
    })
}

fn units<'a>(host: &'a HostAnalysis, residency: Residency) -> impl Iterator<Item = &'a UnitRow> {
    (host.units.iter())
        .filter(|unit| matches!(unit.kind, UnitKind::Stream | UnitKind::Gemv))
        .filter(move |unit| unit.residency == Some(residency) && unit.is_quiet())
}

fn bars(host: &HostAnalysis, residency: Residency) -> Vec<Bar> {
    units(host, residency).filter_map(bar).collect()
}

fn row(unit: &UnitRow) -> Option<Row> {
    let gb_per_s = unit.gb_per_s?;
    let ends = match interval(unit, gb_per_s) {
        Some(Mark::Interval(low, high)) => {
            format!("{} to {}", format::number(low), format::number(high))
        }
        _ => String::new(),
    };
    Some(Row {
        anchor: unit_anchor(unit),
        kernel: format::foreign_short(&unit.kernel, 40),
        place: match unit.residency {
            Some(Residency::Cache) => "caches",
            _ => "memory",
        },
        threads: unit.cpus.len(),
        cpus: format::cpu_list(&unit.cpus),
        measured: format::number(gb_per_s),
        interval: ends,
        bound: (unit.bound.as_ref())
            .map_or_else(String::new, |bound| format::number(bound.gb_per_s)),
        ratio: unit.efficiency.map(format::percent).unwrap_or_default(),
        verdict: verdict_word(unit.verdict),
        badge: unit.verdict.name(),
    })
}

fn bar(unit: &UnitRow) -> Option<Bar> {
    let gb_per_s = unit.gb_per_s?;
    let mut marks = vec![Mark::Bar(mark_class(unit.verdict), gb_per_s)];
    marks.extend(interval(unit, gb_per_s));
    marks.extend(unit.bound.as_ref().map(|bound| Mark::Bound(bound.gb_per_s)));
    let share = unit
        .efficiency
        .map(|ratio| format!(", {}", format::percent(ratio)))
        .unwrap_or_default();
    Some(Bar {
        label: format!(
            "{} · {} · {}",
            format::foreign_short(&unit.kernel, 30),
            format::count(unit.cpus.len(), "thread", "threads"),
            format::foreign_short(&unit.variant, 16)
        ),
        value: format!("{}{share}", format::gb_per_s(gb_per_s)),
        marks,
    })
}

/// The interval of the median as rates: the longest time is the lowest rate.
fn interval(unit: &UnitRow, gb_per_s: f64) -> Option<Mark> {
    let summary = unit.summary.as_ref()?;
    let rate = |ns: f64| gb_per_s * summary.median / ns;
    (summary.ci_low > 0.0).then(|| Mark::Interval(rate(summary.ci_high), rate(summary.ci_low)))
}
