//! Every unit of a host: measured, bound, ratio, verdict, spread, samples, threads, variant, working set.

use bench_locales::Figure::{BinaryBytes, DurationNs, GbPerS, GopPerS, Percent, TokensPerS};
use bench_locales::{Figure, Text, message, say};
use bench_protocol::{Convention, Residency, UnrestKind};
use serde::Serialize;

use crate::pages::{Page, figure_or_empty, residency_word, unit_anchor, value};
use bench_analysis::measured::{Judged, UnitKind};
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
    working_set: String,
    emulated: bool,
    measured: String,
    tokens: String,
    bound: String,
    bound_name: String,
    extrapolated: String,
    ratio: String,
    n: usize,
    /// How many rounds make the figures; empty of a unit that was to be measured once.
    rounds: String,
    unused_rounds: Vec<String>,
    unrest: String,
    times: Times,
    convention: String,
    verdict: String,
    badge: &'static str,
    reason: String,
}

/// Times of one iteration; empty without samples.
#[derive(Default, Serialize)]
struct Times {
    spread: String,
    best: String,
    median: String,
    interval: String,
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

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    let of_sweeps = |unit: &&Judged| unit.residency == Some(Residency::Sweep);
    let (swept, others): (Vec<&Judged>, Vec<&Judged>) = host.all_units().partition(of_sweeps);
    let table = |summary: String, units: Vec<&Judged>| Table {
        summary,
        rows: units.into_iter().map(|unit| row(page.text, unit)).collect(),
    };
    let mut tables = vec![table(String::new(), others)];
    if !swept.is_empty() {
        tables.push(table(
            say!(page.text, "units-swept", n = swept.len()),
            swept,
        ));
    }
    value(View { tables })
}

fn row(text: &Text, unit: &Judged) -> Row {
    let (bound, bound_name) = bound(text, unit);
    Row {
        anchor: unit_anchor(unit),
        unit: format::foreign_short(&unit.unit, 80),
        kernel: kernel(text, unit),
        variant: format::foreign_short(&unit.variant, 30),
        shapes: shapes(text, unit),
        threads: unit.cpus.len(),
        cpus: format::cpu_list(&unit.cpus),
        working_set: match unit.working_set_bytes {
            0 => String::new(),
            bytes => text.figure(BinaryBytes(bytes)),
        },
        emulated: unit.emulated,
        measured: match (unit.kind, figure(unit, 1.0)) {
            (UnitKind::Latency, Some(ns)) => say!(text, "units-per-load", time = ns),
            (_, figure) => figure_or_empty(text, figure),
        },
        tokens: figure_or_empty(text, unit.tokens_per_s.map(TokensPerS)),
        bound,
        bound_name,
        extrapolated: unit.extrapolated().map_or_else(String::new, |(held, all)| {
            say!(text, "units-extrapolated", held = held, all = all)
        }),
        ratio: figure_or_empty(text, unit.efficiency.map(Percent)),
        n: unit.samples.len(),
        rounds: (unit.rounds_words()).map_or_else(String::new, |it| text.say(&it)),
        unused_rounds: (unit.unused_rounds().iter())
            .map(|it| format::foreign_short(&text.say(it), 300))
            .collect(),
        unrest: unrest(text, unit).unwrap_or_default(),
        times: (unit.summary.as_ref())
            .map(|summary| times(text, summary))
            .unwrap_or_default(),
        convention: (unit.convention)
            .map(|convention| convention_word(text, convention))
            .unwrap_or_default(),
        verdict: text.say(&unit.verdict.message()),
        badge: unit.verdict.name(),
        reason: (unit.reason.as_ref())
            .map(|reason| format::foreign_short(&text.say(reason), 600))
            .unwrap_or_default(),
    }
}

fn kernel(text: &Text, unit: &Judged) -> String {
    let kernel = format::foreign_short(&unit.kernel, 60);
    match unit.residency {
        Some(residency) => say!(
            text,
            "units-kernel",
            kernel = kernel,
            place = residency_word(text, residency),
        ),
        None => kernel,
    }
}

/// What is measured of a unit: `faster` scales it to a sample so many times faster than the median.
fn figure(unit: &Judged, faster: f64) -> Option<Figure> {
    match unit.kind {
        UnitKind::Latency => unit.ns_per_load.map(|it| DurationNs(it / faster)),
        UnitKind::Peak | UnitKind::Gemm | UnitKind::Prefill => {
            unit.gop_per_s.map(|it| GopPerS(it * faster))
        }
        _ => unit.gb_per_s.map(|it| GbPerS(it * faster)),
    }
}

/// The bound and its name; both are empty where there is none.
fn bound(text: &Text, unit: &Judged) -> (String, String) {
    match (&unit.limits.compute_bound, &unit.limits.bound) {
        (Some(bound), _) => (text.figure(GopPerS(bound.gop_per_s)), text.say(&bound.name)),
        (None, Some(bound)) => (text.figure(GbPerS(bound.gb_per_s)), text.say(&bound.name)),
        (None, None) => (String::new(), String::new()),
    }
}

fn times(text: &Text, summary: &Summary) -> Times {
    Times {
        spread: text.figure(Percent(summary.spread())),
        best: text.figure(DurationNs(summary.min)),
        median: text.figure(DurationNs(summary.median)),
        interval: say!(
            text,
            "range",
            from = DurationNs(summary.ci_low),
            to = DurationNs(summary.ci_high),
        ),
    }
}

fn convention_word(text: &Text, convention: Convention) -> String {
    match convention {
        Convention::ReadPlusWrite => say!(text, "units-counted-read-written"),
        Convention::Weights => say!(text, "units-counted-weights"),
        Convention::Token => say!(text, "units-counted-token"),
        Convention::Loads => say!(text, "units-counted-loads"),
        Convention::Arithmetic => say!(text, "units-counted-arithmetic"),
    }
}

fn shapes(text: &Text, unit: &Judged) -> Option<Shapes> {
    let ran = unit.shapes();
    let tried = |tried: &bench_protocol::Tried| Tried {
        shape: format::foreign_short(&tried.shape, 40),
        rate: text.figure(GbPerS(tried.bytes_per_s as f64 / 1e9)),
    };
    (!ran.is_empty()).then(|| Shapes {
        ran: format::foreign_short(&ran.join(", "), 80),
        is_forced: unit.is_shape_forced,
        tried: unit.tried().into_iter().map(tried).collect(),
    })
}

/// Samples that do not scatter around one value, in plain words.
fn unrest(text: &Text, unit: &Judged) -> Option<String> {
    let (unrest, summary) = (unit.unrest()?, unit.summary.as_ref()?);
    let of_time = |ns: u64| figure(unit, summary.median / ns as f64);
    let (fast, slow) = (of_time(unrest.fast_ns)?, of_time(unrest.slow_ns)?);
    let cause = match unit.residency {
        Some(Residency::Dram) => message!("units-cause-memory"),
        _ => message!("units-cause"),
    };
    Some(match unrest.kind {
        UnrestKind::Bimodal => say!(
            text,
            "units-bimodal",
            fast = fast,
            slow = slow,
            share = Percent(f64::from(unrest.fast_permille) / 1000.0),
            cause = cause,
        ),
        UnrestKind::Drifting => say!(
            text,
            "units-drifting",
            fast = fast,
            slow = slow,
            cause = cause,
        ),
    })
}
