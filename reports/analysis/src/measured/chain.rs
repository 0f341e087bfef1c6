//! The bound chain: theoretical bandwidth -> measured read -> kernel-limited rate -> bound -> measured tokens/s.
//!
//! Each step has a ratio to the one before, and each ratio another culprit: the memory, the cores, the model, the
//! implementation.

use crate::limits::BoundKind;
use std::collections::BTreeMap;

use bench_protocol::{Facts, ModelRef, Residency, Work};

use super::asked::UnitKind;
use super::judged::Judged;
use super::unit::{Measured, tokens_of};
use super::{BestRead, Theory};
use crate::limits::bounds;
use crate::validity::verdict::{self, Verdict};

/// Threads that read less than this share of the bound are too few to reach it.
const TOO_FEW_THREADS: f64 = 0.9;

/// What sets the bound of a decode unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// The memory delivers weights more slowly than the cores eat them.
    Memory,
    /// The cores eat weights more slowly than the memory delivers them.
    Kernel,
}

impl Limit {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::Kernel => "kernel",
        }
    }
}

/// Why a decode unit is as fast as it is.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The decode unit.
    pub unit: String,
    /// Its model, quantisation and depth.
    pub model: ModelRef,
    /// Its threads.
    pub n_threads: usize,
    /// Bytes that one token reads and writes.
    pub token_bytes: f64,
    /// Layers held and layers of the model, where the weights did not fit.
    pub extrapolated: Option<(u32, u32)>,
    /// Theoretical bandwidth, GB/s.
    pub theory_gb_per_s: Option<f64>,
    /// Best measured read, GB/s.
    pub read_gb_per_s: Option<f64>,
    /// Best measured read with as many threads as this unit has, GB/s.
    pub threads_read_gb_per_s: Option<f64>,
    /// Threads of the best measured read.
    pub read_threads: Option<usize>,
    /// Rate at which the same number of cores eats the same weights from their caches, GB/s.
    pub kernel_gb_per_s: Option<f64>,
    /// Rate of the decode unit itself, GB/s.
    pub measured_gb_per_s: f64,
    /// Measured tokens per second.
    pub measured_tokens_per_s: f64,
    /// Verdict of the decode unit.
    pub verdict: Verdict,
}

impl Chain {
    /// What binds; `None` when the kernel's own limit was not measured.
    pub fn limit(&self) -> Option<Limit> {
        Some(limit(self.read_gb_per_s?, self.kernel_gb_per_s?))
    }

    /// The smallest of the measured limits, GB/s.
    pub fn bound_gb_per_s(&self) -> Option<f64> {
        match (self.read_gb_per_s, self.kernel_gb_per_s) {
            (Some(read), Some(kernel)) => Some(read.min(kernel)),
            (only, None) | (None, only) => only,
        }
    }

    /// Read bandwidth of this unit's threads, when they alone are what keeps it below the other limits.
    ///
    /// One core rarely fills the bus, so a unit with few threads can be slow although neither the memory nor the
    /// arithmetic is. Where fewer threads read more, its threads are not too few: see [`Chain::other_threads`].
    pub fn too_few_threads(&self) -> Option<f64> {
        let is_fewer = self.n_threads < self.read_threads?;
        self.reads_less().filter(|_| is_fewer)
    }

    /// The number of threads that read more, where that is not more threads than this unit has.
    pub fn other_threads(&self) -> Option<usize> {
        let read_threads = self.read_threads?;
        self.reads_less()?;
        (read_threads < self.n_threads).then_some(read_threads)
    }

    fn reads_less(&self) -> Option<f64> {
        let reach = self.threads_read_gb_per_s?;
        (reach < TOO_FEW_THREADS * self.bound_gb_per_s()?).then_some(reach)
    }

    /// Tokens per second that a bandwidth allows.
    pub fn tokens_per_s(&self, gb_per_s: f64) -> f64 {
        bounds::tokens_per_s(gb_per_s, self.token_bytes / 1e9)
    }
}

fn limit(read_gb_per_s: f64, kernel_gb_per_s: f64) -> Limit {
    match read_gb_per_s <= kernel_gb_per_s {
        true => Limit::Memory,
        false => Limit::Kernel,
    }
}

impl Judged {
    /// Whether its rate is one at which memory is read: it walks through memory and only reads, but for a thousandth, the
    /// keys and values of the tokens that it generates.
    pub fn is_memory_read(&self) -> bool {
        let reads_only =
            |work: &Work| work.read_bytes > 0 && work.written_bytes <= work.read_bytes / 1000;
        let walks = matches!(
            self.kind,
            UnitKind::Stream | UnitKind::Gemv | UnitKind::Decode
        );
        walks
            && self.residency == Some(Residency::Dram)
            && self.work.as_ref().is_some_and(reads_only)
    }

    /// What binds this unit; `None` when one of the limits is unknown or the unit does not walk through memory.
    pub fn limit(&self) -> Option<Limit> {
        let read = self
            .limits
            .bound
            .as_ref()
            .filter(|bound| bound.kind == BoundKind::MeasuredRead)?;
        Some(limit(read.gb_per_s, self.limits.kernel_gb_per_s?))
    }

    /// The bound in tokens per second, for decode units.
    pub fn bound_tokens_per_s(&self) -> Option<f64> {
        let work = self.work.filter(|_| self.kind.is_of_a_model())?;
        if let (Some(bound), true) = (&self.limits.compute_bound, work.ops > 0) {
            return Some(bound.gop_per_s * 1e9 * tokens_of(&work) / work.ops as f64);
        }
        let token_bytes = self.token_bytes()?;
        let bound = self.limits.bound.as_ref().filter(|_| token_bytes > 0.0)?;
        Some(bounds::tokens_per_s(bound.gb_per_s, token_bytes / 1e9))
    }

    /// Bytes that one token reads and writes, for units of a model.
    pub fn token_bytes(&self) -> Option<f64> {
        let work = self.work.filter(|_| self.kind.is_of_a_model())?;
        Some((work.read_bytes as f64 + work.written_bytes as f64) / tokens_of(&work))
    }

    /// Whether nothing was meant to run beside it.
    pub fn is_quiet(&self) -> bool {
        self.background.is_none()
    }

    /// Layers held and layers of the model, where the weights did not fit and were used again and again.
    pub fn extrapolated(&self) -> Option<(u32, u32)> {
        Some((self.model.as_ref()?.held_layers?, self.n_layers?))
    }
}

/// Rates at which the cores of a host eat weights from their caches.
pub(super) struct KernelRates {
    by_count: BTreeMap<(String, usize), f64>,
    by_cpus: BTreeMap<(String, Vec<u32>), f64>,
}

impl KernelRates {
    pub(super) fn of(units: &[Judged]) -> KernelRates {
        KernelRates {
            by_count: kernel_rates(units),
            by_cpus: rates_by_cpus(units),
        }
    }

    /// That of a matrix or decode unit: of its format, or of its mixture of formats. Where exactly these CPUs were not
    /// measured so, as many others stand for them: four small cores must not be held against four large ones that
    /// happened to be measured, too.
    pub(super) fn of_unit(&self, unit: &Measured) -> Option<f64> {
        if unit.residency == Some(Residency::Cache) {
            return None;
        }
        let rate = |format: &str| {
            let own = self.by_cpus.get(&(format.to_owned(), unit.cpus.clone()));
            let alike = || self.by_count.get(&(format.to_owned(), unit.cpus.len()));
            own.or_else(alike).copied()
        };
        match unit.kind {
            UnitKind::Gemv => unit.kernel.strip_prefix("gemv_").and_then(rate),
            UnitKind::Decode => mixed_rate(&unit.weight_bytes, rate),
            _ => None,
        }
    }
}

/// Rate at which this many cores eat weights of this format from their caches, GB/s, by format and number of threads.
pub fn kernel_rates(units: &[Judged]) -> BTreeMap<(String, usize), f64> {
    let mut cached: BTreeMap<(String, usize), f64> = BTreeMap::new();
    for (format, unit, gb_per_s) in cached_products(units) {
        let best = cached
            .entry((format.to_owned(), unit.cpus.len()))
            .or_insert(gb_per_s);
        *best = best.max(gb_per_s);
    }
    cached
}

/// The same by format and CPUs.
fn rates_by_cpus(units: &[Judged]) -> BTreeMap<(String, Vec<u32>), f64> {
    let mut rates: BTreeMap<(String, Vec<u32>), f64> = BTreeMap::new();
    for (format, unit, gb_per_s) in cached_products(units) {
        let best = rates
            .entry((format.to_owned(), unit.cpus.clone()))
            .or_insert(gb_per_s);
        *best = best.max(gb_per_s);
    }
    rates
}

/// Usable products of a matrix in the caches: format, unit, GB/s.
fn cached_products(units: &[Judged]) -> impl Iterator<Item = (&str, &Judged, f64)> {
    (units.iter())
        .filter(|unit| unit.kind == UnitKind::Gemv && unit.residency == Some(Residency::Cache))
        .filter(|unit| unit.verdict.is_usable() && unit.is_quiet())
        .filter_map(|unit| Some((unit.kernel.strip_prefix("gemv_")?, unit, unit.gb_per_s?)))
}

/// Rate over weights of several formats, one after the other; `None` while one of them is unknown.
///
/// Norms and biases are in `f32`, which no product reads; they are less than a thousandth of the bytes and left out.
pub fn mixed_rate(
    weight_bytes: &BTreeMap<String, u64>,
    rate: impl Fn(&str) -> Option<f64>,
) -> Option<f64> {
    let mut total_bytes = 0.0;
    let mut total_ns = 0.0;
    for (format, bytes) in weight_bytes.iter().filter(|(format, _)| *format != "f32") {
        total_bytes += *bytes as f64;
        total_ns += *bytes as f64 / rate(format)?;
    }
    (total_ns > 0.0).then(|| total_bytes / total_ns)
}

/// One chain per measured decode unit.
pub(super) fn chains(
    units: &[Judged],
    theory: Option<&Theory>,
    best_read: Option<&BestRead>,
    reads: &[(&Judged, f64)],
) -> Vec<Chain> {
    units
        .iter()
        .filter(|unit| unit.kind == UnitKind::Decode && !unit.emulated && unit.is_quiet())
        .filter_map(|unit| {
            Some(Chain {
                unit: unit.unit.clone(),
                model: unit.model.clone()?,
                n_threads: unit.cpus.len(),
                token_bytes: unit.token_bytes()?,
                extrapolated: unit.extrapolated(),
                theory_gb_per_s: theory.map(|theory| theory.gb_per_s),
                read_gb_per_s: best_read.map(|read| read.gb_per_s),
                threads_read_gb_per_s: threads_read(reads, unit.cpus.len()),
                read_threads: best_read.map(|read| read.n_threads),
                kernel_gb_per_s: unit.limits.kernel_gb_per_s,
                measured_gb_per_s: unit.gb_per_s?,
                measured_tokens_per_s: unit.tokens_per_s?,
                verdict: unit.verdict,
            })
        })
        .collect()
}

/// Usable rates at which memory was read with nothing beside it: of `read`, and of products and token steps, which read
/// memory too and may do so faster. The size of a model does not follow the caches: one that they hold a part of does not
/// count.
pub(super) fn memory_reads<'a>(
    units: &'a [Judged],
    facts: Option<&Facts>,
) -> Vec<(&'a Judged, f64)> {
    let caches = facts.map_or(0, verdict::last_level_bytes);
    let least_bytes = verdict::CACHES_PER_WORKING_SET.saturating_mul(caches);
    units
        .iter()
        .filter(|unit| unit.is_memory_read() && unit.verdict.is_usable() && unit.is_quiet())
        .filter(|unit| unit.kind != UnitKind::Decode || unit.working_set_bytes >= least_bytes)
        .filter_map(|unit| Some((unit, unit.gb_per_s?)))
        .collect()
}

/// The fastest read with this many threads; `None` without a stream of as many, since a product or a token step alone may
/// be slow for another reason than its threads.
fn threads_read(reads: &[(&Judged, f64)], n_threads: usize) -> Option<f64> {
    let of_threads = || {
        reads
            .iter()
            .filter(|(unit, _)| unit.cpus.len() == n_threads)
    };
    let has_stream = of_threads().any(|(unit, _)| unit.kind == UnitKind::Stream);
    let rates = of_threads().map(|(_, gb_per_s)| *gb_per_s);
    rates.max_by(f64::total_cmp).filter(|_| has_stream)
}
