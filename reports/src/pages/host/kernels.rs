//! Bandwidth of every kernel of a host.

use bench_locales::Figure::{GbPerS, Number, Percent};
use bench_locales::{Text, message, say};
use bench_protocol::Residency;
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::{Page, figure_or_empty, mark_class, residency_word, unit_anchor, value};
use bench_analysis::measured::{HostAnalysis, Judged, UnitKind};
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
    place: String,
    threads: usize,
    cpus: String,
    measured: String,
    interval: String,
    bound: String,
    ratio: String,
    verdict: String,
    badge: &'static str,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, host) = (page.text, page.host()?);
    let memory = bars(text, host, Residency::Dram);
    let cache = bars(text, host, Residency::Cache);
    if memory.is_empty() && cache.is_empty() {
        return None;
    }
    let chart = |caption: Caption, bars: &[Bar]| match bars.is_empty() {
        true => String::new(),
        false => bar_chart(&caption, &say!(text, "axis-gb-per-s"), bars),
    };
    let of_memory = Caption {
        text,
        id: "kernels-memory",
        title: &say!(text, "kernels-memory-chart"),
        description: &say!(text, "kernels-memory-chart-text"),
    };
    let of_caches = Caption {
        text,
        id: "kernels-cache",
        title: &say!(text, "kernels-caches-chart"),
        description: &say!(text, "kernels-caches-chart-text"),
    };
    value(View {
        memory: chart(of_memory, &memory),
        cache: chart(of_caches, &cache),
        emulated: host.data.record.emulated,
        rows: [Residency::Dram, Residency::Cache]
            .into_iter()
            .flat_map(|residency| units(host, residency).map(move |unit| (unit, residency)))
            .filter_map(|(unit, residency)| row(text, unit, residency))
            .collect(),
    })
}

fn units<'a>(host: &'a HostAnalysis, residency: Residency) -> impl Iterator<Item = &'a Judged> {
    (host.units.iter())
        .filter(|unit| matches!(unit.kind, UnitKind::Stream | UnitKind::Gemv))
        .filter(move |unit| unit.residency == Some(residency) && unit.is_quiet())
}

fn bars(text: &Text, host: &HostAnalysis, residency: Residency) -> Vec<Bar> {
    units(host, residency)
        .filter_map(|unit| bar(text, unit))
        .collect()
}

fn row(text: &Text, unit: &Judged, residency: Residency) -> Option<Row> {
    let gb_per_s = unit.gb_per_s?;
    Some(Row {
        anchor: unit_anchor(unit),
        kernel: format::foreign_short(&unit.kernel, 40),
        place: residency_word(text, residency),
        threads: unit.cpus.len(),
        cpus: format::cpu_list(&unit.cpus),
        measured: text.figure(Number(gb_per_s)),
        interval: match interval(unit, gb_per_s) {
            Some((low, high)) => say!(text, "range", from = Number(low), to = Number(high)),
            None => String::new(),
        },
        bound: figure_or_empty(
            text,
            unit.limits
                .bound
                .as_ref()
                .map(|bound| Number(bound.gb_per_s)),
        ),
        ratio: figure_or_empty(text, unit.efficiency.map(Percent)),
        verdict: text.say(&unit.verdict.message()),
        badge: unit.verdict.name(),
    })
}

fn bar(text: &Text, unit: &Judged) -> Option<Bar> {
    let gb_per_s = unit.gb_per_s?;
    let mut marks = vec![Mark::Bar(mark_class(unit.verdict), gb_per_s)];
    marks.extend(interval(unit, gb_per_s).map(|(low, high)| Mark::Interval(low, high)));
    marks.extend(
        unit.limits
            .bound
            .as_ref()
            .map(|bound| Mark::Bound(bound.gb_per_s)),
    );
    let rate = GbPerS(gb_per_s);
    Some(Bar {
        label: say!(
            text,
            "kernels-bar",
            kernel = format::foreign_short(&unit.kernel, 30),
            threads = message!("threads", n = unit.cpus.len()),
            variant = format::foreign_short(&unit.variant, 16),
        ),
        value: match unit.efficiency {
            Some(ratio) => say!(text, "kernels-rate", rate = rate, share = Percent(ratio)),
            None => text.figure(rate),
        },
        marks,
    })
}

/// The interval of the median as rates: the longest time is the lowest rate.
fn interval(unit: &Judged, gb_per_s: f64) -> Option<(f64, f64)> {
    let summary = unit.summary.as_ref()?;
    let rate = |ns: f64| gb_per_s * summary.median / ns;
    (summary.ci_low > 0.0).then(|| (rate(summary.ci_high), rate(summary.ci_low)))
}
