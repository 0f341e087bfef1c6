//! One unit as a row: what ran, its samples, its statistics, its rate.

use crate::validity::status::UnitStatusKind;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use bench_protocol::{
    Check, Convention, Environment, Job, ModelRef, Pages, Race, Residency, Tried, UnitReady,
    UnitState, Unrest, Work,
};

use super::asked::{UnitKind, asked_working_set, kind_of, model_of, residency_of, weight_bytes};
use super::power::Power;
use super::rounds::{self, RoundRow, Rounds};
use super::samples::SampleRow;
use crate::stats::{self, Summary};
use crate::validity::disturbances::Disturbance;
use bench_locales::{Message, message};
use bench_run_dir::{ExternalOutput, HostData, UnitData};

/// One unit of one host as its stream tells it: what needs no bound.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The unit's identifier.
    pub unit: String,
    /// What sort of kernel it is.
    pub kind: UnitKind,
    /// The kernel's name.
    pub kernel: String,
    /// Where the working set lives; decode units always walk through memory.
    pub residency: Option<Residency>,
    /// The variant that really ran, else the one asked for; empty when neither is known.
    pub variant: String,
    /// Whether the shape of its loops was asked for instead of raced.
    pub is_shape_forced: bool,
    /// The race among the shapes of its loops in the first round that is used; `None` where there was none.
    pub race: Option<Race>,
    /// Logical CPUs, one pinned thread each.
    pub cpus: Vec<u32>,
    /// Bytes walked through.
    pub working_set_bytes: u64,
    /// How bytes are counted.
    pub convention: Option<Convention>,
    /// Work of one iteration.
    pub work: Option<Work>,
    /// Comparison with the reference.
    pub check: Option<Check>,
    /// The model of a decode unit.
    pub model: Option<ModelRef>,
    /// Whether an emulator ran it.
    pub emulated: bool,
    /// State of the board that it was measured in.
    pub environment: Environment,
    /// What counters of the board's kernel say about the time it ran.
    pub state: Option<UnitState>,
    /// Highest temperature meanwhile, degrees Celsius.
    pub celsius: Option<f64>,
    /// Power while it ran, the sensor with most watts first; empty where the board tells none.
    pub power: Vec<Power>,
    /// What sensors and counters of the board say against the worst of the rounds that are used.
    pub disturbances: Vec<Disturbance>,
    /// How it ended.
    pub status: UnitStatusKind,
    /// What the board said when it ended.
    pub end_reason: Option<String>,
    /// What an external program wrote.
    pub output: Option<ExternalOutput>,
    /// Samples of all rounds, each in the order they were taken.
    pub samples: Vec<SampleRow>,
    /// Its rounds, those that were asked for and not measured included.
    pub rounds: Vec<RoundRow>,
    /// Why the numbers of the samples cannot be, where they cannot.
    pub impossible: Option<Message>,
    /// Statistics over nanoseconds per iteration, of the rounds that are used.
    pub summary: Option<Summary>,
    /// GB/s (10^9 bytes per second) of the median sample: bytes read plus bytes written, by the convention.
    pub gb_per_s: Option<f64>,
    /// GB/s of the fastest sample.
    pub best_gb_per_s: Option<f64>,
    /// Tokens per second of the median sample, for decode and prefill units.
    pub tokens_per_s: Option<f64>,
    /// Operations per nanosecond (10^9 per second) of the median sample, for units that compute.
    pub gop_per_s: Option<f64>,
    /// Nanoseconds from one load of a chain to the next, of the median sample, for latency units.
    pub ns_per_load: Option<f64>,
    /// Chains that each thread follows at once, for latency units.
    pub n_chains: Option<u32>,
    /// Pages that were asked for, for streams and latency.
    pub pages: Option<Pages>,
    /// What read memory meanwhile, when something was meant to.
    pub background: Option<BackgroundRow>,
    /// Bytes of each format that a token reads, for decode and prefill units.
    pub weight_bytes: BTreeMap<String, u64>,
    /// Layers of the model, for decode and prefill units.
    pub n_layers: Option<u32>,
}

/// Readers beside a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct BackgroundRow {
    /// Aimed rate, thousandths of what the readers reach alone.
    pub permille: u32,
    /// Their CPUs.
    pub cpus: Vec<u32>,
    /// What they really read while the unit was sampled, GB/s: all samples together.
    pub gb_per_s: Option<f64>,
    /// What they read alone, before it, GB/s.
    pub alone_gb_per_s: Option<f64>,
}

/// What a unit's stream comes to.
pub(super) fn row(data: &UnitData, host: &HostData) -> Measured {
    let Rounds {
        rows,
        samples,
        ready,
        check,
        status,
        end_reason,
        impossible,
        disturbances,
        state,
        celsius,
        power,
    } = rounds::of(data, host);
    let ready = ready.as_ref();
    let spec = data.spec.as_ref();
    let work = ready.map(|ready| ready.work);
    let seed = stats::seed_of(&[&host.record.host, &data.unit]);
    let summary = stats::summarise_rounds(&times_of_used(&rows, &samples), seed);
    // Bytes per nanosecond are GB/s.
    let rate = |ns: f64| {
        let bytes = work.map(|work| work.read_bytes as f64 + work.written_bytes as f64)?;
        (ns > 0.0 && bytes > 0.0).then_some(bytes / ns)
    };
    let kind = kind_of(data);
    let job = spec.map(|spec| &spec.job);
    let n_chains = match job {
        Some(Job::Latency { n_chains, .. }) => Some(*n_chains),
        _ => None,
    };
    let cpus = ready
        .map(|r| &r.cpus)
        .or(spec.map(|s| &s.cpus))
        .cloned()
        .unwrap_or_default();
    let median_ns = summary
        .as_ref()
        .map(|summary| summary.median)
        .filter(|ns| *ns > 0.0);
    Measured {
        unit: data.unit.clone(),
        kind,
        kernel: ready
            .map(|r| &r.kernel)
            .or(spec.map(|s| &s.kernel))
            .cloned()
            .unwrap_or_default(),
        residency: residency_of(data),
        variant: ready
            .map(|r| &r.variant)
            .or(spec.and_then(|s| s.variant.as_ref()))
            .cloned()
            .unwrap_or_default(),
        is_shape_forced: spec.is_some_and(|spec| spec.shape.is_some()),
        race: ready.and_then(|ready| ready.race.clone()),
        gop_per_s: (median_ns.zip(work))
            .filter(|(_, work)| kind.computes() && work.ops > 0)
            .map(|(ns, work)| work.ops as f64 / ns),
        ns_per_load: (median_ns.zip(work))
            .filter(|(_, work)| kind == UnitKind::Latency && work.ops > 0)
            .zip(n_chains)
            .map(|((ns, work), n_chains)| {
                ns * f64::from(n_chains) * cpus.len() as f64 / work.ops as f64
            }),
        n_chains,
        pages: match job {
            Some(Job::Stream { pages, .. } | Job::Latency { pages, .. }) => Some(*pages),
            _ => None,
        },
        background: background_of(data, ready, &rows, &samples),
        weight_bytes: weight_bytes(job),
        n_layers: match job {
            Some(Job::Decode { model, .. } | Job::Prefill { model, .. }) => Some(model.n_layers),
            _ => None,
        },
        cpus,
        working_set_bytes: ready.map_or_else(|| asked_working_set(data), |r| r.working_set_bytes),
        convention: ready.map(|ready| ready.convention),
        environment: spec.map(|spec| spec.environment).unwrap_or_default(),
        state,
        celsius,
        power,
        disturbances,
        work,
        check,
        model: ready
            .and_then(|ready| ready.model.clone())
            .or_else(|| model_of(data)),
        emulated: host.record.emulated,
        status,
        end_reason,
        gb_per_s: summary.as_ref().and_then(|summary| rate(summary.median)),
        best_gb_per_s: summary.as_ref().and_then(|summary| rate(summary.min)),
        tokens_per_s: (median_ns.zip(work))
            .filter(|_| kind.is_of_a_model())
            .map(|(ns, work)| tokens_of(&work) * 1e9 / ns),
        output: data.output.clone(),
        impossible,
        samples,
        rounds: rows,
        summary,
    }
}

impl Measured {
    /// Whether this round makes its figures.
    pub fn is_round_used(&self, round: u32) -> bool {
        is_used(&self.rounds, round)
    }

    /// Samples that make its figures: those of the rounds that are used.
    pub fn used_samples(&self) -> impl Iterator<Item = &SampleRow> {
        used(&self.rounds, &self.samples)
    }

    /// Nanoseconds per iteration of each sample that is used, in the order they were taken.
    pub fn ns_per_iteration(&self) -> Vec<f64> {
        self.used_samples()
            .map(SampleRow::ns_per_iteration)
            .collect()
    }

    /// Median time of an iteration in each round that is used, nanoseconds.
    pub fn round_medians_ns(&self) -> Vec<f64> {
        self.used_rounds()
            .filter_map(|round| round.median_ns)
            .collect()
    }

    fn used_rounds(&self) -> impl Iterator<Item = &RoundRow> {
        self.rounds.iter().filter(|round| round.is_used)
    }

    /// The shapes of its loops that ran in the rounds that are used, each once; none for kernels of one shape.
    pub fn shapes(&self) -> Vec<&str> {
        let mut shapes: Vec<&str> = Vec::new();
        for shape in self.used_rounds().filter_map(|it| it.shape.as_deref()) {
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
        shapes
    }

    /// What the shapes reached in the race, the fastest first.
    pub fn tried(&self) -> Vec<&Tried> {
        let mut tried: Vec<&Tried> = self.race.iter().flat_map(|race| &race.tried).collect();
        tried.sort_by_key(|tried| Reverse(tried.bytes_per_s));
        tried
    }

    /// That the samples of a round that is used do not scatter around one value, where they do not.
    pub fn unrest(&self) -> Option<Unrest> {
        self.used_rounds().find_map(|round| round.unrest)
    }

    /// `2 of 3 rounds`: how many make its figures. `None` of a unit that was to be measured once.
    pub fn rounds_words(&self) -> Option<Message> {
        let (n, n_all) = (self.round_medians_ns().len(), self.rounds.len());
        (n_all > 1).then(|| message!("rounds-used", n = n, n_all = n_all))
    }

    /// Why rounds do not make its figures, one sentence each; none where it has no figure at all.
    pub fn unused_rounds(&self) -> Vec<Message> {
        if self.summary.is_none() {
            return Vec::new();
        }
        let unused = self.rounds.iter().filter(|round| !round.is_used);
        unused
            .map(|round| {
                // People count from one.
                let number = u64::from(round.round) + 1;
                let reason = round.reason.clone();
                let reason = reason.unwrap_or_else(|| message!("no-reason"));
                message!("round-unused", round = number, reason = reason)
            })
            .collect()
    }

    /// Tokens per second over the watts of the sensor that shows most: tokens for each joule of the whole board, where
    /// a sensor of its supply exists.
    pub fn tokens_per_joule(&self) -> Option<f64> {
        Some(self.tokens_per_s? / self.power.first()?.watts)
    }
}

fn used<'a>(
    rounds: &'a [RoundRow],
    samples: &'a [SampleRow],
) -> impl Iterator<Item = &'a SampleRow> {
    (samples.iter()).filter(|sample| is_used(rounds, sample.round))
}

fn is_used(rounds: &[RoundRow], number: u32) -> bool {
    let mut used = rounds.iter().filter(|round| round.is_used);
    used.any(|round| round.round == number)
}

/// Nanoseconds per iteration of each round that is used.
fn times_of_used(rounds: &[RoundRow], samples: &[SampleRow]) -> Vec<Vec<f64>> {
    let times = |round: &RoundRow| {
        let of_round = samples.iter().filter(|sample| sample.round == round.round);
        of_round.map(SampleRow::ns_per_iteration).collect()
    };
    (rounds.iter())
        .filter(|round| round.is_used)
        .map(times)
        .collect()
}

/// Tokens of one iteration. A stream of protocol 1 says nothing of tokens: one step was one token.
pub(super) fn tokens_of(work: &Work) -> f64 {
    work.tokens.max(1) as f64
}

fn background_of(
    data: &UnitData,
    ready: Option<&UnitReady>,
    rounds: &[RoundRow],
    samples: &[SampleRow],
) -> Option<BackgroundRow> {
    let asked = data.spec.as_ref()?.background.as_ref()?;
    let elapsed_ns: f64 = used(rounds, samples)
        .map(|sample| sample.elapsed_ns as f64)
        .sum();
    let bytes: Option<f64> = used(rounds, samples)
        .map(|sample| sample.background_bytes.map(|bytes| bytes as f64))
        .sum();
    Some(BackgroundRow {
        permille: asked.permille,
        cpus: asked.cpus.clone(),
        gb_per_s: bytes
            .filter(|_| elapsed_ns > 0.0)
            .map(|bytes| bytes / elapsed_ns),
        alone_gb_per_s: ready
            .and_then(|ready| ready.background_alone_bytes_per_s)
            .map(|bytes| bytes as f64 / 1e9),
    })
}
