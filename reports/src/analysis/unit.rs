//! One unit as a row: what ran, its samples, its statistics, its rate.

use bench_protocol::{Check, Convention, Job, KvFormat, ModelRef, Residency, UnitStatus, Work};

use crate::run_dir::{HostData, UnitData};
use crate::stats::{self, Summary};
use crate::verdict::Verdict;

/// One unit of one host with everything that follows from it.
#[derive(Debug, Clone)]
pub struct UnitRow {
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
    /// How it ended.
    pub status: UnitStatusKind,
    /// What the board said when it ended.
    pub end_reason: Option<String>,
    /// Samples in the order they were taken.
    pub samples: Vec<SampleRow>,
    /// Statistics over nanoseconds per iteration.
    pub summary: Option<Summary>,
    /// GB/s (10^9 bytes per second) of the median sample: bytes read plus bytes written, by the convention.
    pub gb_per_s: Option<f64>,
    /// GB/s of the fastest sample.
    pub best_gb_per_s: Option<f64>,
    /// Tokens per second of the median sample, for decode units.
    pub tokens_per_s: Option<f64>,
    /// What it is held against.
    pub bound: Option<UnitBound>,
    /// [`UnitRow::gb_per_s`] over the bound; never clipped.
    pub efficiency: Option<f64>,
    /// GB/s at which the same cores eat the same weights from their caches: the limit the kernel itself sets.
    pub kernel_gb_per_s: Option<f64>,
    /// Whether it may be believed.
    pub verdict: Verdict,
    /// Why not.
    pub reason: Option<String>,
}

/// What sort of kernel a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// Walks through arrays: read, write, copy, triad.
    Stream,
    /// Matrix times vector.
    Gemv,
    /// One token step of a language model.
    Decode,
    /// Matrix times a batch of vectors.
    Gemm,
    /// A prompt of a language model in one batch.
    Prefill,
    /// Dependent loads.
    Latency,
    /// Arithmetic on registers.
    Peak,
}

impl UnitKind {
    /// Whether its work is that of a language model, in tokens.
    pub fn is_of_a_model(self) -> bool {
        matches!(self, UnitKind::Decode | UnitKind::Prefill)
    }
}

/// How a unit ended, as far as the stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitStatusKind {
    /// All samples taken.
    Ok,
    /// Not possible on this board.
    Skipped,
    /// Something went wrong.
    Failed,
    /// The stream ended in the middle of it.
    Truncated,
    /// The stream ended before it.
    NotStarted,
}

impl UnitStatusKind {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            UnitStatusKind::Ok => UnitStatus::Ok.name(),
            UnitStatusKind::Skipped => UnitStatus::Skipped.name(),
            UnitStatusKind::Failed => UnitStatus::Failed.name(),
            UnitStatusKind::Truncated => "truncated",
            UnitStatusKind::NotStarted => "not_started",
        }
    }
}

/// What a measured rate is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitBound {
    /// What sort of bound it is.
    pub kind: BoundKind,
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Name for people.
    pub name: String,
}

/// What sort of bound it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BoundKind {
    /// Theoretical bandwidth of the host's system memory.
    Theory,
    /// Best read bandwidth measured on the same host.
    MeasuredRead,
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRow {
    /// Number of the sample in its unit.
    pub sample_idx: u32,
    /// Iterations in it; never 0.
    pub iterations: u64,
    /// Wall time of all iterations, nanoseconds.
    pub elapsed_ns: u64,
}

/// Everything about a unit that needs no bound; the verdict follows later.
pub(super) fn row(data: &UnitData, host: &HostData) -> UnitRow {
    let ready = data.ready.as_ref();
    let spec = data.spec.as_ref();
    let work = ready.map(|ready| ready.work);
    let samples: Vec<SampleRow> = (data.samples.iter())
        .map(|sample| SampleRow {
            sample_idx: sample.sample_idx,
            iterations: sample.iterations.max(1),
            elapsed_ns: sample.elapsed_ns,
        })
        .collect();
    let ns: Vec<f64> = samples
        .iter()
        .map(|s| s.elapsed_ns as f64 / s.iterations as f64)
        .collect();
    let summary = stats::summarise(&ns, stats::seed_of(&[&host.record.host, &data.unit]));
    // Bytes per nanosecond are GB/s.
    let rate = |ns: f64| {
        let bytes = work.map(|work| work.read_bytes as f64 + work.written_bytes as f64)?;
        (ns > 0.0 && bytes > 0.0).then_some(bytes / ns)
    };
    let kind = kind_of(data);
    UnitRow {
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
        cpus: ready
            .map(|r| &r.cpus)
            .or(spec.map(|s| &s.cpus))
            .cloned()
            .unwrap_or_default(),
        working_set_bytes: ready.map_or_else(|| asked_working_set(data), |r| r.working_set_bytes),
        convention: ready.map(|ready| ready.convention),
        work,
        check: ready.map(|ready| ready.check),
        model: model_of(data),
        emulated: host.record.emulated,
        status: status_of(data),
        end_reason: data.end.as_ref().and_then(|end| end.reason.clone()),
        gb_per_s: summary.as_ref().and_then(|summary| rate(summary.median)),
        best_gb_per_s: summary.as_ref().and_then(|summary| rate(summary.min)),
        tokens_per_s: (summary.as_ref())
            .filter(|summary| kind.is_of_a_model() && summary.median > 0.0)
            // A stream of protocol 1 says nothing of tokens: one step was one token.
            .zip(work)
            .map(|(summary, work)| work.tokens.max(1) as f64 * 1e9 / summary.median),
        samples,
        summary,
        bound: None,
        efficiency: None,
        kernel_gb_per_s: None,
        verdict: Verdict::NotMeasured,
        reason: None,
    }
}

fn kind_of(data: &UnitData) -> UnitKind {
    match (&data.ready, data.spec.as_ref().map(|spec| &spec.job)) {
        (Some(ready), _) if ready.convention == Convention::Loads => UnitKind::Latency,
        (Some(ready), _) if ready.convention == Convention::Arithmetic => UnitKind::Peak,
        (Some(ready), _) if ready.model.as_ref().is_some_and(|model| model.n_prompt > 0) => {
            UnitKind::Prefill
        }
        (Some(ready), _) if ready.model.is_some() || ready.convention == Convention::Token => {
            UnitKind::Decode
        }
        (Some(_), Some(Job::Gemm { .. })) => UnitKind::Gemm,
        (Some(ready), _) if ready.convention == Convention::Weights => UnitKind::Gemv,
        (Some(_), _) | (None, Some(Job::Stream { .. }) | None) => UnitKind::Stream,
        (None, Some(Job::Gemv { .. })) => UnitKind::Gemv,
        (None, Some(Job::Decode { .. })) => UnitKind::Decode,
        (None, Some(Job::Latency { .. })) => UnitKind::Latency,
        (None, Some(Job::Peak {})) => UnitKind::Peak,
        (None, Some(Job::Gemm { .. })) => UnitKind::Gemm,
        (None, Some(Job::Prefill { .. })) => UnitKind::Prefill,
    }
}

fn residency_of(data: &UnitData) -> Option<Residency> {
    if let Some(ready) = &data.ready {
        return Some(ready.residency);
    }
    match &data.spec.as_ref()?.job {
        Job::Stream { residency, .. }
        | Job::Gemv { residency, .. }
        | Job::Latency { residency, .. } => Some(*residency),
        Job::Decode { .. } | Job::Prefill { .. } => Some(Residency::Dram),
        Job::Peak {} | Job::Gemm { .. } => Some(Residency::Cache),
    }
}

fn asked_working_set(data: &UnitData) -> u64 {
    match data.spec.as_ref().map(|spec| &spec.job) {
        Some(
            Job::Stream {
                working_set_bytes, ..
            }
            | Job::Gemv {
                working_set_bytes, ..
            }
            | Job::Latency {
                working_set_bytes, ..
            },
        ) => *working_set_bytes,
        _ => 0,
    }
}

fn model_of(data: &UnitData) -> Option<ModelRef> {
    if let Some(model) = data.ready.as_ref().and_then(|ready| ready.model.clone()) {
        return Some(model);
    }
    match &data.spec.as_ref()?.job {
        Job::Decode {
            model,
            depth,
            n_generate,
            kv_format,
        } => Some(ModelRef {
            model: model.model.clone(),
            quant: model.quant.clone(),
            depth: *depth,
            n_prompt: 0,
            n_generate: *n_generate,
            kv_format: *kv_format,
            held_layers: None,
        }),
        Job::Prefill { model, n_prompt } => Some(ModelRef {
            model: model.model.clone(),
            quant: model.quant.clone(),
            depth: 0,
            n_prompt: *n_prompt,
            n_generate: 0,
            kv_format: KvFormat::F16,
            held_layers: None,
        }),
        Job::Stream { .. }
        | Job::Gemv { .. }
        | Job::Latency { .. }
        | Job::Peak {}
        | Job::Gemm { .. } => None,
    }
}

fn status_of(data: &UnitData) -> UnitStatusKind {
    match (&data.end, &data.ready) {
        (Some(end), _) => match end.status {
            UnitStatus::Ok => UnitStatusKind::Ok,
            UnitStatus::Skipped => UnitStatusKind::Skipped,
            UnitStatus::Failed => UnitStatusKind::Failed,
        },
        (None, Some(_)) => UnitStatusKind::Truncated,
        (None, None) => UnitStatusKind::NotStarted,
    }
}
