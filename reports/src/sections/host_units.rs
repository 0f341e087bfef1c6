//! Every unit of a host: measured, bound, ratio, verdict, spread, samples, threads, variant, working set.

use bench_protocol::{Residency, UnrestKind};
use serde::Serialize;

use super::{Page, unit_anchor, value, verdict_word};
use bench_analysis::measured::{UnitKind, UnitRow};
use bench_analysis::stats::Summary;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    tables: Vec<Table>,
}

#[derive(Serialize)]
struct Table {
    /// Empty for the table that stands open.
    summary: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    anchor: String,
    unit: String,
    kernel: String,
    variant: String,
    shapes: Option<Shapes>,
    threads: usize,
    cpus: String,
    residency: &'static str,
    working_set: String,
    kind: &'static str,
    measured: String,
    tokens: String,
    best: String,
    bound: String,
    bound_name: String,
    extrapolated: String,
    ratio: String,
    spread: String,
    n: usize,
    /// How many rounds make the figures; empty of a unit that was to be measured once.
    rounds: String,
    unused_rounds: Vec<String>,
    unrest: String,
    median: String,
    interval: String,
    convention: &'static str,
    verdict: &'static str,
    badge: &'static str,
    reason: String,
}

/// Which shape of the loops ran, and what the race among all of them saw.
#[derive(Serialize)]
struct Shapes {
    ran: String,
    is_forced: bool,
    /// The fastest first; none where there was no race.
    tried: Vec<Tried>,
}

#[derive(Serialize)]
struct Tried {
    shape: String,
    rate: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let of_sweeps = |unit: &&UnitRow| unit.residency == Some(Residency::Sweep);
    let (swept, others): (Vec<&UnitRow>, Vec<&UnitRow>) = host.all_units().partition(of_sweeps);
    let table = |summary: String, units: Vec<&UnitRow>| Table {
        summary,
        rows: units.into_iter().map(row).collect(),
    };
    let summary = format!(
        "{} over working sets",
        format::count(swept.len(), "unit", "units")
    );
    let mut tables = vec![table(String::new(), others)];
    if !swept.is_empty() {
        tables.push(table(summary, swept));
    }
    value(View { tables })
}

fn row(unit: &UnitRow) -> Row {
    let summary = unit.summary.as_ref();
    let gb = |value: Option<f64>| value.map(format::gb_per_s).unwrap_or_default();
    let interval = |s: &Summary| {
        format!(
            "{} to {}",
            format::duration_ns(s.ci_low),
            format::duration_ns(s.ci_high)
        )
    };
    Row {
        anchor: unit_anchor(unit),
        unit: format::foreign_short(&unit.unit, 80),
        kernel: format::foreign_short(&unit.kernel, 60),
        variant: format::foreign_short(&unit.variant, 30),
        shapes: shapes(unit),
        threads: unit.cpus.len(),
        cpus: format::cpu_list(&unit.cpus),
        residency: unit
            .residency
            .map(|residency| residency.name())
            .unwrap_or_default(),
        working_set: match unit.working_set_bytes {
            0 => String::new(),
            bytes => format::binary_bytes(bytes),
        },
        kind: if unit.emulated {
            "emulated"
        } else {
            "measured"
        },
        measured: match unit.kind {
            UnitKind::Latency => unit
                .ns_per_load
                .map(|ns| format!("{} a load", format::duration_ns(ns))),
            UnitKind::Peak | UnitKind::Gemm | UnitKind::Prefill => {
                unit.gop_per_s.map(format::gop_per_s)
            }
            _ => unit.gb_per_s.map(format::gb_per_s),
        }
        .unwrap_or_default(),
        tokens: unit
            .tokens_per_s
            .map(format::tokens_per_s)
            .unwrap_or_default(),
        best: summary
            .map(|summary| format::duration_ns(summary.min))
            .unwrap_or_default(),
        bound: match &unit.compute_bound {
            Some(bound) => format::gop_per_s(bound.gop_per_s),
            None => gb(unit.bound.as_ref().map(|bound| bound.gb_per_s)),
        },
        bound_name: match (&unit.compute_bound, &unit.bound) {
            (Some(bound), _) => format::foreign(&bound.name),
            (None, Some(bound)) => format::foreign(&bound.name),
            (None, None) => String::new(),
        },
        extrapolated: unit.extrapolated().map_or_else(String::new, |(held, all)| {
            format!("extrapolated: {held} of {all} layers held and used again")
        }),
        ratio: unit.efficiency.map(format::percent).unwrap_or_default(),
        spread: summary
            .map(|summary| format::percent(summary.spread()))
            .unwrap_or_default(),
        n: unit.samples.len(),
        rounds: unit.rounds_words().unwrap_or_default(),
        unused_rounds: (unit.unused_rounds().iter())
            .map(|text| format::foreign_short(text, 300))
            .collect(),
        unrest: unrest(unit).unwrap_or_default(),
        median: summary
            .map(|summary| format::duration_ns(summary.median))
            .unwrap_or_default(),
        interval: summary.map(interval).unwrap_or_default(),
        convention: match unit.convention.map(|convention| convention.name()) {
            Some("read_plus_write") => "read + written",
            Some(name) => name,
            None => "",
        },
        verdict: verdict_word(unit.verdict),
        badge: unit.verdict.name(),
        reason: unit
            .reason
            .as_deref()
            .map(|reason| format::foreign_short(reason, 600))
            .unwrap_or_default(),
    }
}

fn shapes(unit: &UnitRow) -> Option<Shapes> {
    let ran = unit.shapes();
    let tried = |tried: &bench_protocol::Tried| Tried {
        shape: format::foreign_short(&tried.shape, 40),
        rate: format::gb_per_s(tried.bytes_per_s as f64 / 1e9),
    };
    (!ran.is_empty()).then(|| Shapes {
        ran: format::foreign_short(&ran.join(", "), 80),
        is_forced: unit.is_shape_forced,
        tried: unit.tried().into_iter().map(tried).collect(),
    })
}

/// Samples that do not scatter around one value, in plain words.
fn unrest(unit: &UnitRow) -> Option<String> {
    let (unrest, summary) = (unit.unrest()?, unit.summary.as_ref()?);
    // The figure goes with the time, or against it.
    let figure = |ns: u64| {
        let faster = summary.median / ns as f64;
        let gb_per_s = unit.gb_per_s.map(|it| format::gb_per_s(it * faster));
        let gop_per_s = unit.gop_per_s.map(|it| format::gop_per_s(it * faster));
        let ns_per_load = unit.ns_per_load.map(|it| format::duration_ns(it / faster));
        match unit.kind {
            UnitKind::Latency => ns_per_load,
            UnitKind::Peak | UnitKind::Gemm | UnitKind::Prefill => gop_per_s,
            _ => gb_per_s,
        }
    };
    let (fast, slow) = (figure(unrest.fast_ns)?, figure(unrest.slow_ns)?);
    let cause = match unit.residency {
        Some(Residency::Dram) => "something else used the memory, or the clock changed",
        _ => "something else ran, or the clock changed",
    };
    Some(match unrest.kind {
        UnrestKind::Bimodal => format!(
            "the samples fall into two groups, {fast} in {} of them and {slow} in the rest: {cause}",
            format::percent(f64::from(unrest.fast_permille) / 1000.0)
        ),
        UnrestKind::Drifting => format!(
            "the samples drift, {fast} in the faster half and {slow} in the slower: {cause}"
        ),
    })
}
