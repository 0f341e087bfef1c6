//! Bandwidth of every kernel of a host, and how it grows with threads.

use std::collections::{BTreeMap, BTreeSet};

use bench_protocol::Residency;
use serde::Serialize;

use super::{Page, mark_class, value};
use crate::analysis::{HostAnalysis, UnitKind, UnitRow};
use crate::format;
use crate::svg::{Bar, Caption, Line, Mark, bar_chart, line_chart};

/// Series a picture of lines can carry.
const MAX_LINES: usize = 5;

#[derive(Serialize)]
struct View {
    memory: String,
    cache: String,
    threads: String,
    emulated: bool,
    has_theory: bool,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let theory = host.theory.as_ref().ok().map(|theory| theory.gb_per_s);
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
        threads: thread_chart(host, theory),
        emulated: host.data.record.emulated,
        has_theory: theory.is_some(),
    })
}

fn bars(host: &HostAnalysis, residency: Residency) -> Vec<Bar> {
    let units = host
        .units
        .iter()
        .filter(|unit| unit.residency == Some(residency) && unit.kind != UnitKind::Decode);
    units.filter_map(bar).collect()
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

/// GB/s over threads, one line per memory kernel that was measured at more than one thread count.
fn thread_chart(host: &HostAnalysis, theory: Option<f64>) -> String {
    let mut series: BTreeMap<&str, BTreeMap<u32, f64>> = BTreeMap::new();
    for unit in &host.units {
        let plotted = unit.kind != UnitKind::Decode
            && unit.residency == Some(Residency::Dram)
            && unit.verdict.is_usable();
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
        id: "threads",
        title: "Bandwidth over threads",
        description: "One line per kernel that walks through memory. More threads are not always faster.",
    };
    let label = theory.map(|gb_per_s| format!("theory {}", format::gb_per_s(gb_per_s)));
    line_chart(
        &caption,
        ("threads", "GB/s"),
        &columns,
        &lines,
        label.as_deref().zip(theory),
    )
}
