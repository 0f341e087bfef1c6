//! Experiments that consist of several units: what one figure says only beside the others.
//!
//! Units carry no mark of the experiment they were planned for: whatever differs in the one thing an experiment varies,
//! and in nothing else, belongs to it. Refuses units whose figures may not be used.

use std::collections::BTreeMap;

use bench_protocol::{KvFormat, ModelRef, Residency};

use super::HostAnalysis;
use super::asked::UnitKind;
use super::judged::Judged;
use super::samples::SampleRow;
use crate::validity::verdict::Verdict;

/// Steps that make a ladder.
const MIN_STEPS: usize = 3;

/// Samples shorter than this on average show no development over time.
const MIN_TIMELINE_SAMPLE_NS: u64 = 200_000_000;

/// Samples that make a timeline.
const MIN_TIMELINE_SAMPLES: usize = 10;

/// One model in several quantisations, everything else equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// Catalogue id of the model.
    pub model: String,
    /// Tokens in the KV cache before.
    pub depth: u64,
    /// Its threads.
    pub n_threads: usize,
    /// Steps by falling bytes.
    pub steps: Vec<LadderStep>,
}

impl Ladder {
    /// Steps that something speaks against.
    pub fn n_suspect(&self) -> usize {
        let steps = self.steps.iter();
        steps.filter(|step| step.verdict != Verdict::Ok).count()
    }
}

/// One quantisation of a ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderStep {
    /// Quantisation id.
    pub quant: String,
    /// Bytes that one token reads and writes.
    pub token_bytes: f64,
    /// Measured tokens per second.
    pub tokens_per_s: f64,
    /// Bytes of the largest step over those of this one: how much faster it would be if bytes were all.
    pub byte_ratio: f64,
    /// Tokens per second over those of the largest step.
    pub speed_ratio: f64,
    /// Whether the weights did not fit and layers were used again and again.
    pub extrapolated: bool,
    /// Whether it may be believed.
    pub verdict: Verdict,
}

impl LadderStep {
    /// How far the gain in speed is from the gain in bytes: -0.1 is a tenth less than bytes promise.
    pub fn deviation(&self) -> f64 {
        self.speed_ratio / self.byte_ratio - 1.0
    }
}

/// Time of the next token with a KV cache and without one, over the position of the token.
#[derive(Debug, Clone, PartialEq)]
pub struct KvCache {
    /// Catalogue id of the model.
    pub model: String,
    /// Quantisation id.
    pub quant: String,
    /// Its threads.
    pub n_threads: usize,
    /// With the cache: only the new token is computed.
    pub cached: Vec<NextToken>,
    /// Without it: the whole history is computed again.
    pub recomputed: Vec<NextToken>,
    /// Points that something speaks against.
    pub n_suspect: usize,
}

/// What the next token costs at a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextToken {
    /// Tokens before it.
    pub position: u64,
    /// Nanoseconds.
    pub elapsed_ns: f64,
    /// Bytes read and written.
    pub bytes: f64,
    /// Arithmetic operations.
    pub ops: f64,
}

impl KvCache {
    /// From which position on the cache is faster, of the positions measured both ways or between two of them.
    ///
    /// `None` when recomputing was never slower. The first measured position when it always was.
    pub fn crossover(&self) -> Option<u64> {
        let first = self.recomputed.first()?;
        let cached_at = |position: u64| interpolate(&self.cached, position as f64);
        if first.elapsed_ns > cached_at(first.position)? {
            return Some(first.position);
        }
        let pair = self.recomputed.windows(2).find(|pair| {
            cached_at(pair[1].position).is_some_and(|cached| pair[1].elapsed_ns > cached)
        })?;
        let gap = |at: &NextToken| Some(at.elapsed_ns - cached_at(at.position)?);
        let (before, after) = (gap(&pair[0])?, gap(&pair[1])?);
        let share = -before / (after - before);
        let span = pair[1].position.saturating_sub(pair[0].position) as f64;
        let further = (share * span).round() as u64;
        Some(pair[0].position.saturating_add(further))
    }
}

/// Time with the cache between two measured depths; it grows in proportion to the bytes, thus linearly.
fn interpolate(points: &[NextToken], position: f64) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if position <= first.position as f64 {
        return Some(first.elapsed_ns);
    }
    let pair = points
        .windows(2)
        .find(|pair| position <= pair[1].position as f64);
    Some(pair.map_or(last.elapsed_ns, |pair| {
        let (a, b) = (pair[0], pair[1]);
        let share = (position - a.position as f64) / (b.position as f64 - a.position as f64);
        a.elapsed_ns + share * (b.elapsed_ns - a.elapsed_ns)
    }))
}

/// One unit under growing traffic of other readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Interference {
    /// What sort of unit it is.
    pub kind: UnitKind,
    /// The model, for decode units.
    pub model: Option<ModelRef>,
    /// Its threads.
    pub n_threads: usize,
    /// Threads of the other readers.
    pub n_readers: usize,
    /// What the other readers reach alone, GB/s.
    pub alone_gb_per_s: Option<f64>,
    /// Traffic of the others in GB/s, and tokens per second or nanoseconds per load, by rising aim.
    pub points: Vec<(f64, f64)>,
    /// Points that something speaks against.
    pub n_suspect: usize,
}

impl Interference {
    /// Change of the figure per GB/s of other traffic: least squares over all points. `None` where nothing can be said:
    /// some points are suspect, or the change is within what the points scatter around it.
    pub fn clear_slope(&self) -> Option<f64> {
        let slope = self.slope().filter(|_| self.n_suspect == 0)?;
        let n = self.points.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| self.points.iter().map(pick).sum::<f64>() / n;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let squares = |term: &dyn Fn(f64, f64) -> f64| {
            let points = self.points.iter();
            points.map(|(x, y)| term(*x, *y).powi(2)).sum::<f64>()
        };
        let residual = squares(&|x, y| y - mean_y - slope * (x - mean_x));
        let freedom = n - 2.0;
        // With two points nothing tells the scatter.
        let error = (residual / freedom / squares(&|x, _| x - mean_x)).sqrt();
        (freedom > 0.0 && slope.abs() > 2.0 * error).then_some(slope)
    }

    /// The same, whatever it is worth.
    fn slope(&self) -> Option<f64> {
        let n = self.points.len() as f64;
        let mean_x = self.points.iter().map(|point| point.0).sum::<f64>() / n;
        let mean_y = self.points.iter().map(|point| point.1).sum::<f64>() / n;
        let sum = |term: fn(f64, f64) -> f64| {
            let terms = self.points.iter();
            terms
                .map(|(x, y)| term(x - mean_x, y - mean_y))
                .sum::<f64>()
        };
        let variance = sum(|x, _| x * x);
        (variance > 0.0).then(|| sum(|x, y| x * y) / variance)
    }
}

/// A unit whose samples are long enough to show how a board heats up.
#[derive(Debug)]
pub struct Timeline<'a> {
    /// The unit.
    pub unit: &'a Judged,
    /// Seconds since the first sample began, and tokens per second.
    pub tokens_per_s: Vec<(f64, f64)>,
    /// Seconds, and the lowest clock of its CPUs in MHz.
    pub mhz: Vec<(f64, f64)>,
    /// Seconds, and degrees Celsius.
    pub celsius: Vec<(f64, f64)>,
}

impl Timeline<'_> {
    /// Median of the first tenth of the samples, at least three: before the board is warm.
    pub fn burst(&self) -> f64 {
        let n = (self.tokens_per_s.len() / 10).max(3);
        median(self.tokens_per_s.iter().take(n))
    }

    /// Median of the second half.
    pub fn sustained(&self) -> f64 {
        let n = self.tokens_per_s.len() / 2;
        median(self.tokens_per_s.iter().skip(n))
    }
}

fn median<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> f64 {
    let mut values: Vec<f64> = points.map(|point| point.1).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

impl HostAnalysis<'_> {
    /// Units that may be used and had the bus for themselves; none on emulated hosts.
    pub fn usable_units(&self) -> impl Iterator<Item = &Judged> {
        (self.units.iter()).filter(|unit| unit.verdict.is_usable() && unit.is_quiet())
    }

    /// Quantisation ladders with at least three steps.
    pub fn ladders(&self) -> Vec<Ladder> {
        type Key = (String, u64, u64, KvFormat, usize);
        let mut groups: BTreeMap<Key, BTreeMap<String, &Judged>> = BTreeMap::new();
        for unit in self.usable_units().filter(|u| u.kind == UnitKind::Decode) {
            let Some(model) = &unit.model else { continue };
            let key = (
                model.model.clone(),
                model.depth,
                model.n_generate,
                model.kv_format,
                unit.cpus.len(),
            );
            let group = groups.entry(key).or_default();
            group.entry(model.quant.clone()).or_insert(unit);
        }
        let ladder = |((model, depth, _, _, n_threads), quants): (Key, BTreeMap<_, _>)| {
            let steps = steps(&quants);
            (steps.len() >= MIN_STEPS).then_some(Ladder {
                model,
                depth,
                n_threads,
                steps,
            })
        };
        groups.into_iter().filter_map(ladder).collect()
    }

    /// KV cache against recomputing, where both were measured at two positions at least.
    pub fn kv_caches(&self) -> Vec<KvCache> {
        type Key = (String, String, usize);
        let mut groups: BTreeMap<Key, KvCache> = BTreeMap::new();
        for unit in self.usable_units() {
            let (Some(model), Some(next)) = (&unit.model, next_token(unit)) else {
                continue;
            };
            let key = (model.model.clone(), model.quant.clone(), unit.cpus.len());
            let group = groups.entry(key).or_insert_with(|| KvCache {
                model: model.model.clone(),
                quant: model.quant.clone(),
                n_threads: unit.cpus.len(),
                cached: Vec::new(),
                recomputed: Vec::new(),
                n_suspect: 0,
            });
            let points = match unit.kind {
                UnitKind::Prefill => &mut group.recomputed,
                _ => &mut group.cached,
            };
            if !points.iter().any(|other| other.position == next.position) {
                points.push(next);
                group.n_suspect += usize::from(unit.verdict != Verdict::Ok);
            }
        }
        let mut caches: Vec<KvCache> = groups.into_values().collect();
        for cache in &mut caches {
            cache.cached.sort_by_key(|point| point.position);
            cache.recomputed.sort_by_key(|point| point.position);
        }
        caches.retain(|cache| cache.cached.len() >= 2 && cache.recomputed.len() >= 2);
        caches
    }

    /// Units under growing traffic, with at least two rates of it.
    pub fn interferences(&self) -> Vec<Interference> {
        let mut groups: BTreeMap<String, Interference> = BTreeMap::new();
        let usable = self.units.iter().filter(|unit| unit.verdict.is_usable());
        for unit in usable {
            let Some(background) = &unit.background else {
                continue;
            };
            let figure = match unit.kind {
                UnitKind::Latency => unit.ns_per_load,
                UnitKind::Decode => unit.tokens_per_s,
                _ => None,
            };
            let (Some(traffic), Some(figure)) = (background.gb_per_s, figure) else {
                continue;
            };
            // The name without its last part, which tells the rates apart.
            let name = unit.unit.rsplit_once('/').map_or("", |(name, _)| name);
            let group = groups
                .entry(name.to_owned())
                .or_insert_with(|| Interference {
                    kind: unit.kind,
                    model: unit.model.clone(),
                    n_threads: unit.cpus.len(),
                    n_readers: background.cpus.len(),
                    alone_gb_per_s: background.alone_gb_per_s,
                    points: Vec::new(),
                    n_suspect: 0,
                });
            group.points.push((traffic, figure));
            group.n_suspect += usize::from(unit.verdict != Verdict::Ok);
        }
        let mut all: Vec<Interference> = groups.into_values().collect();
        for interference in &mut all {
            interference.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        all.retain(|interference| interference.points.len() >= 2);
        all
    }

    /// Units of long samples: how speed, clock and temperature develop.
    pub fn timelines(&self) -> Vec<Timeline<'_>> {
        let is_long = |unit: &&Judged| {
            let total_ns = super::samples::elapsed_ns(&unit.samples);
            let n = unit.samples.len();
            n >= MIN_TIMELINE_SAMPLES
                && total_ns / n as u64 >= MIN_TIMELINE_SAMPLE_NS
                && unit.samples.iter().all(|sample| sample.state.is_some())
        };
        (self.usable_units())
            .filter(|unit| unit.kind == UnitKind::Decode)
            .filter(is_long)
            .filter_map(timeline)
            .collect()
    }
}

fn steps(quants: &BTreeMap<String, &Judged>) -> Vec<LadderStep> {
    let mut steps: Vec<LadderStep> = (quants.iter())
        .filter_map(|(quant, unit)| {
            Some(LadderStep {
                quant: quant.clone(),
                token_bytes: unit.token_bytes()?,
                tokens_per_s: unit.tokens_per_s?,
                byte_ratio: 1.0,
                speed_ratio: 1.0,
                extrapolated: unit.extrapolated().is_some(),
                verdict: unit.verdict,
            })
        })
        .collect();
    steps.sort_by(|a, b| b.token_bytes.total_cmp(&a.token_bytes));
    if let Some(first) = steps.first().cloned() {
        for step in &mut steps {
            step.byte_ratio = first.token_bytes / step.token_bytes;
            step.speed_ratio = step.tokens_per_s / first.tokens_per_s;
        }
    }
    steps
}

/// What a unit tells about the next token: one token a step with half-precision keys and values, or a whole prompt.
fn next_token(unit: &Judged) -> Option<NextToken> {
    let (model, work) = (unit.model.as_ref()?, unit.work.as_ref()?);
    let elapsed_ns = unit.summary.as_ref()?.median;
    let position = match unit.kind {
        UnitKind::Decode if model.n_generate <= 1 && model.kv_format == KvFormat::F16 => {
            model.depth
        }
        // The last token of a prompt has the others before it.
        UnitKind::Prefill => model.n_prompt.checked_sub(1)?,
        _ => return None,
    };
    Some(NextToken {
        position,
        elapsed_ns,
        bytes: work.read_bytes as f64 + work.written_bytes as f64,
        ops: work.ops as f64,
    })
}

fn timeline(unit: &Judged) -> Option<Timeline<'_>> {
    let tokens = super::unit::tokens_of(unit.work.as_ref()?);
    let seconds = |sample: &SampleRow| Some(sample.state.as_ref()?.since_start_ns as f64 / 1e9);
    let series = |pick: &dyn Fn(&SampleRow) -> Option<f64>| {
        let points = unit.samples.iter();
        points
            .filter_map(|sample| Some((seconds(sample)?, pick(sample)?)))
            .collect::<Vec<_>>()
    };
    Some(Timeline {
        unit,
        tokens_per_s: series(&|sample| {
            let ns = sample.elapsed_ns as f64;
            (ns > 0.0).then(|| sample.iterations as f64 * tokens * 1e9 / ns)
        }),
        mhz: series(&|sample| Some(sample.lowest_khz()? as f64 / 1000.0)),
        celsius: series(&SampleRow::celsius),
    })
}

/// A curve over working sets: one kernel with as many threads and the same pages.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeCurve {
    /// The kernel.
    pub kernel: String,
    /// Its threads.
    pub n_threads: usize,
    /// Chains that each thread follows at once, for latency.
    pub n_chains: Option<u32>,
    /// Whether huge pages were refused.
    pub small_pages: bool,
    /// Bytes, and GB/s or nanoseconds per load, by rising bytes.
    pub points: Vec<(f64, f64)>,
    /// Points that something speaks against.
    pub n_suspect: usize,
}

impl HostAnalysis<'_> {
    /// Sweeps over working sets of one kind of unit, with at least four sizes.
    pub fn size_curves(&self, kind: UnitKind) -> Vec<SizeCurve> {
        type Key = (String, Option<u32>, bool, Vec<u32>);
        let mut groups: BTreeMap<Key, SizeCurve> = BTreeMap::new();
        let swept = (self.usable_units())
            .filter(|unit| unit.kind == kind && unit.residency == Some(Residency::Sweep));
        for unit in swept {
            let figure = match kind {
                UnitKind::Latency => unit.ns_per_load,
                _ => unit.gb_per_s,
            };
            let Some(figure) = figure else { continue };
            let small_pages = unit.pages == Some(bench_protocol::Pages::Small);
            let key = (
                unit.kernel.clone(),
                unit.n_chains,
                small_pages,
                unit.cpus.clone(),
            );
            let curve = groups.entry(key).or_insert_with(|| SizeCurve {
                kernel: unit.kernel.clone(),
                n_threads: unit.cpus.len(),
                n_chains: unit.n_chains,
                small_pages,
                points: Vec::new(),
                n_suspect: 0,
            });
            curve.points.push((unit.working_set_bytes as f64, figure));
            curve.n_suspect += usize::from(unit.verdict != Verdict::Ok);
        }
        let mut curves: Vec<SizeCurve> = groups.into_values().collect();
        for curve in &mut curves {
            curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        curves.retain(|curve| curve.points.len() >= 4);
        curves
    }
}
