//! `report.json`: what the pages say, for programs. The same analysis, the same verdicts, numbers without rounding.
//!
//! Owns the shape of the document and its version; the schema is made from these types.

use schemars::JsonSchema;
use serde::Serialize;

use crate::findings::findings;
use bench_analysis::choice::decide::{Decision, Scenario};
use bench_analysis::choice::decisions::{Decisions, Place, WISH};
use bench_analysis::limits::theory;
use bench_analysis::measured::{Analysis, HostAnalysis, Judged};
use bench_analysis::validity::verdict::Verdict;

/// Version of [`Document`].
///
/// Changelog:
/// - 1: first version.
pub const VERSION: u32 = 1;

/// A report of one run. Rates are in GB/s (10^9 bytes per second) or tokens per second; a missing figure is null.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<'a> {
    /// Version of this shape.
    version: u32,
    /// Name of the run.
    run_id: &'a str,
    /// Start of the run, RFC 3339, UTC.
    started_at: &'a str,
    /// End of the run, RFC 3339, UTC; null when it did not end.
    finished_at: Option<&'a str>,
    /// Suite that was measured.
    suite: &'a str,
    /// Version of memwall that measured.
    memwall_version: &'a str,
    /// What to say before anything else: hosts most of whose figures are suspect or invalid; null where there is none.
    disturbed: Option<String>,
    /// What the run directory lacks or contradicts.
    problems: &'a [String],
    /// What the run found, in sentences; names stand between backticks.
    findings: Vec<Finding>,
    /// Hosts in fleet order.
    hosts: Vec<Host<'a>>,
    /// The best model for every host and board.
    answers: Vec<Answer>,
    /// Every model and quantisation on every host and board, with an empty KV cache.
    decisions: Vec<Row<'a>>,
}

/// A sentence.
#[derive(Debug, Serialize, JsonSchema)]
struct Finding {
    /// `bandwidth`, `model` or `limit`.
    about: &'static str,
    /// The sentence.
    text: String,
}

/// A host and what it measured.
#[derive(Debug, Serialize, JsonSchema)]
struct Host<'a> {
    /// Name in the fleet file.
    host: &'a str,
    /// Catalogue id of its board.
    board: Option<&'a str>,
    /// What was measured on it: `cpu`.
    processor: &'static str,
    /// `local`, `ssh`, `qemu-user`, `replay`.
    transport: &'a str,
    /// Whether an emulator ran it: its times mean nothing.
    emulated: bool,
    /// `ok`, `failed`, `unreachable`, `skipped` or `interrupted`.
    status: &'static str,
    /// Stage in which it failed.
    stage: Option<&'static str>,
    /// Cause and remedy.
    reason: Option<&'a str>,
    /// Theoretical bandwidth of its memory.
    theory_gb_per_s: Option<f64>,
    /// Where the theory comes from, or why it is not known.
    theory_source: String,
    /// Best usable read.
    best_read_gb_per_s: Option<f64>,
    /// Unit that made it.
    best_read_unit: Option<&'a str>,
    /// Read over theory; never clipped.
    read_efficiency: Option<f64>,
    /// Why most of its figures are not to be relied on; null where they are.
    disturbed: Option<String>,
    /// Units by verdict.
    units_by_verdict: Counts,
    /// Every unit.
    units: Vec<Unit<'a>>,
}

/// Units by verdict.
#[derive(Debug, Serialize, JsonSchema)]
struct Counts {
    /// Nothing speaks against them.
    ok: usize,
    /// Something may have disturbed them.
    suspect: usize,
    /// Not to be used.
    invalid: usize,
    /// Run by an emulator.
    emulated: usize,
    /// Without a figure.
    not_measured: usize,
}

/// A unit.
#[derive(Debug, Serialize, JsonSchema)]
struct Unit<'a> {
    /// Identifier, unique on its host.
    unit: &'a str,
    /// Kernel that ran.
    kernel: &'a str,
    /// Variant of the instruction set that really ran.
    variant: &'a str,
    /// Shapes of its loops that ran in the rounds that are used; empty for a kernel of one shape.
    shapes: Vec<&'a str>,
    /// Whether the shape was asked for instead of raced; null where there is none.
    shape_is_forced: Option<bool>,
    /// What each shape reached in the race of the first round that is used, the fastest first.
    shapes_tried: Vec<TriedShape<'a>>,
    /// Time that this race took, milliseconds.
    race_ms: Option<f64>,
    /// Threads, one logical CPU each.
    threads: usize,
    /// Bytes walked through.
    working_set_bytes: u64,
    /// Model of a decode or prefill unit.
    model: Option<&'a str>,
    /// Its quantisation.
    quant: Option<&'a str>,
    /// Tokens in the KV cache before.
    depth: Option<u64>,
    /// Samples, of all rounds.
    n: usize,
    /// Rounds that were asked for.
    rounds: usize,
    /// Rounds that make the figures.
    rounds_used: usize,
    /// Rate of the median sample.
    gb_per_s: Option<f64>,
    /// Tokens per second of the median sample.
    tokens_per_s: Option<f64>,
    /// Nanoseconds per iteration, median.
    median_ns: Option<f64>,
    /// 95 % interval of the median, nanoseconds.
    interval_ns: Option<[f64; 2]>,
    /// That the samples do not scatter around one value; null where they do.
    unrest: Option<Restless>,
    /// What it is held against.
    bound_gb_per_s: Option<f64>,
    /// Measured over bound; never clipped.
    efficiency: Option<f64>,
    /// `ok`, `suspect`, `invalid`, `emulated` or `not_measured`.
    verdict: &'static str,
    /// Why.
    reason: Option<String>,
}

/// What one shape of a kernel's loops reached in a race.
#[derive(Debug, Serialize, JsonSchema)]
struct TriedShape<'a> {
    /// The shape.
    shape: &'a str,
    /// Median rate of its trials.
    gb_per_s: f64,
    /// Trials: fewer for one that fell behind early.
    n: u32,
}

/// Samples that do not scatter around one value.
#[derive(Debug, Serialize, JsonSchema)]
struct Restless {
    /// `bimodal` (two groups) or `drifting` (slower or faster from sample to sample).
    kind: &'static str,
    /// Nanoseconds per iteration, median of the fast samples.
    fast_ns: u64,
    /// The same of the slow samples.
    slow_ns: u64,
    /// Share of the fast samples.
    fast_share: f64,
}

/// The best model for a host or board.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// `host` or `board`.
    place: &'static str,
    /// Name of the host, or catalogue id of the board.
    target: String,
    /// Processor whose memory is meant.
    processor: String,
    /// Catalogue id of the model; null where none is fast enough, fits, or nothing can be predicted.
    model: Option<String>,
    /// Its quantisation.
    quant: Option<String>,
    /// `sure` (measured), `very_likely` (90 %), `likely`, `unlikely` or `no` for the pace asked for.
    certainty: Option<&'static str>,
    /// Pace asked for, tokens per second.
    min_tokens_per_s: f64,
    /// Context asked for, tokens.
    context: u64,
    /// What is measured or predicted there.
    expected: Option<Expected>,
    /// Why nothing is predicted for this processor.
    no_prediction: Option<String>,
}

/// Tokens per second with their interval.
#[derive(Debug, Serialize, JsonSchema)]
struct Expected {
    /// `measured` or `predicted`.
    label: &'static str,
    /// Lower end.
    low_tokens_per_s: f64,
    /// Median, or most likely.
    tokens_per_s: f64,
    /// Upper end.
    high_tokens_per_s: f64,
}

/// A model in a quantisation on a host or board.
#[derive(Debug, Serialize, JsonSchema)]
struct Row<'a> {
    /// `host` or `board`.
    place: &'static str,
    /// Name of the host, or catalogue id of the board.
    target: &'a str,
    /// Processor whose memory is meant.
    processor: &'a str,
    /// Catalogue id of the model.
    model: &'a str,
    /// Quantisation.
    quant: &'a str,
    /// Bandwidth that bounds it: measured for a host, theoretical for a board.
    bandwidth_gb_per_s: Option<f64>,
    /// Bytes that a token reads.
    read_bytes_per_token: u64,
    /// Most that the known limits allow.
    bound_tokens_per_s: Option<f64>,
    /// What binds.
    limit: String,
    /// What is measured or predicted.
    expected: Option<Expected>,
    /// RAM that it needs.
    needed_bytes: u64,
    /// Whether that is there; null where the RAM is not known.
    fits: Option<bool>,
}

/// The document of a run.
pub(super) fn document<'a>(analysis: &'a Analysis, decisions: &'a Decisions<'a>) -> Document<'a> {
    let manifest = &analysis.run.manifest;
    Document {
        version: VERSION,
        run_id: &manifest.run_id,
        started_at: &manifest.started_at,
        finished_at: manifest.finished_at.as_deref(),
        suite: &manifest.suite,
        memwall_version: &manifest.memwall_version,
        disturbed: analysis.warning().map(|it| it.to_string()),
        problems: &analysis.run.problems,
        findings: (findings(analysis, decisions).into_iter())
            .map(|finding| Finding {
                about: finding.about,
                text: finding.text.to_string(),
            })
            .collect(),
        hosts: (analysis.hosts.iter())
            .map(|it| host(it, analysis))
            .collect(),
        answers: (decisions.places.iter())
            .map(|place| answer(place, analysis))
            .collect(),
        decisions: (decisions.rows())
            .map(|(place, load, decision)| row(place, load, decision))
            .collect(),
    }
}

/// JSON Schema of the document, pretty-printed.
pub(super) fn schema() -> anyhow::Result<String> {
    let schema = schemars::schema_for!(Document);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// What is no number is null: JSON knows no infinity.
fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn host<'a>(host: &'a HostAnalysis, analysis: &'a Analysis) -> Host<'a> {
    let record = &host.data.record;
    let read = host.best_read.as_ref();
    Host {
        host: &record.host,
        board: theory::board_id(record, &analysis.run.inventory),
        processor: crate::tables::frames::PROCESSOR,
        transport: &record.transport,
        emulated: record.emulated,
        status: record.status.name(),
        stage: record.stage.map(|stage| stage.name()),
        reason: record.reason.as_deref(),
        theory_gb_per_s: finite(host.theory.as_ref().ok().map(|theory| theory.gb_per_s)),
        theory_source: match &host.theory {
            Ok(theory) => theory.source.to_string(),
            Err(why) => why.to_string(),
        },
        best_read_gb_per_s: finite(read.map(|read| read.gb_per_s)),
        best_read_unit: read.map(|read| read.unit.as_str()),
        read_efficiency: finite(host.read_efficiency()),
        disturbed: host.disturbed().map(|it| it.sentence().to_string()),
        units_by_verdict: Counts {
            ok: host.count(Verdict::Ok),
            suspect: host.count(Verdict::Suspect),
            invalid: host.count(Verdict::Invalid),
            emulated: host.count(Verdict::Emulated),
            not_measured: host.count(Verdict::NotMeasured),
        },
        units: host.all_units().map(unit).collect(),
    }
}

fn unit(unit: &Judged) -> Unit<'_> {
    let model = unit.model.as_ref();
    let summary = unit.summary.as_ref();
    Unit {
        unit: &unit.unit,
        kernel: &unit.kernel,
        variant: &unit.variant,
        shape_is_forced: (!unit.shapes().is_empty()).then_some(unit.is_shape_forced),
        shapes: unit.shapes(),
        shapes_tried: (unit.tried().into_iter())
            .map(|tried| TriedShape {
                shape: &tried.shape,
                gb_per_s: tried.bytes_per_s as f64 / 1e9,
                n: tried.n_trials,
            })
            .collect(),
        race_ms: (unit.race.as_ref()).map(|race| race.elapsed_ns as f64 / 1e6),
        threads: unit.cpus.len(),
        working_set_bytes: unit.working_set_bytes,
        model: model.map(|model| model.model.as_str()),
        quant: model.map(|model| model.quant.as_str()),
        depth: model.map(|model| model.depth),
        n: unit.samples.len(),
        rounds: unit.rounds.len(),
        rounds_used: unit.round_medians_ns().len(),
        gb_per_s: finite(unit.gb_per_s),
        tokens_per_s: finite(unit.tokens_per_s),
        median_ns: finite(summary.map(|summary| summary.median)),
        interval_ns: summary
            .map(|summary| [summary.ci_low, summary.ci_high])
            .filter(|ends| ends.iter().all(|end| end.is_finite())),
        unrest: unit.unrest().map(|unrest| Restless {
            kind: unrest.kind.name(),
            fast_ns: unrest.fast_ns,
            slow_ns: unrest.slow_ns,
            fast_share: f64::from(unrest.fast_permille) / 1000.0,
        }),
        bound_gb_per_s: finite(unit.limits.bound.as_ref().map(|bound| bound.gb_per_s)),
        efficiency: finite(unit.efficiency),
        verdict: unit.verdict.name(),
        reason: unit.reason.as_ref().map(ToString::to_string),
    }
}

fn kind(place: &Place) -> &'static str {
    if place.is_host() { "host" } else { "board" }
}

fn expected(decision: &Decision) -> Option<Expected> {
    let expected = decision.expected.as_ref()?;
    let all = [expected.low, expected.middle, expected.high];
    (all.iter().all(|it| it.is_finite())).then(|| Expected {
        label: expected.label.name(),
        low_tokens_per_s: expected.low,
        tokens_per_s: expected.middle,
        high_tokens_per_s: expected.high,
    })
}

fn answer(place: &Place, analysis: &Analysis) -> Answer {
    let best = place.answers(&analysis.run.inventory).into_iter().next();
    Answer {
        place: kind(place),
        target: place.target.name.clone(),
        processor: place.target.processor.clone(),
        model: best.as_ref().map(|best| best.decision.model.clone()),
        quant: best.as_ref().map(|best| best.decision.quant.clone()),
        certainty: best.as_ref().map(|best| best.certainty.id()),
        min_tokens_per_s: WISH.min_tokens_per_s,
        context: WISH.context,
        expected: best.as_ref().and_then(|best| expected(&best.decision)),
        no_prediction: (place.target.no_prediction.as_ref())
            .filter(|_| best.is_none())
            .map(ToString::to_string),
    }
}

fn row<'a>(place: &'a Place, load: &'a Scenario, decision: &'a Decision) -> Row<'a> {
    Row {
        place: kind(place),
        target: &decision.target,
        processor: &decision.processor,
        model: &decision.model,
        quant: &decision.quant,
        bandwidth_gb_per_s: finite(place.gb_per_s()),
        read_bytes_per_token: load.read_bytes_per_token,
        bound_tokens_per_s: finite(decision.bound_tokens_per_s),
        limit: decision.limit.to_string(),
        expected: expected(decision),
        needed_bytes: decision.need.total_bytes(),
        fits: decision.fits,
    }
}
