//! The job of a unit: from its request, or from the stream if the request is missing.

use std::collections::BTreeMap;

use bench_inventory::TensorFormat;
use bench_protocol::{Convention, Job, KvFormat, ModelRef, Residency};
use bench_run_dir::UnitData;

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
    /// An external program: what it measured stands in its output.
    External,
}

impl UnitKind {
    /// Whether its work is that of a language model, in tokens.
    pub fn is_of_a_model(self) -> bool {
        matches!(self, UnitKind::Decode | UnitKind::Prefill)
    }

    /// Whether its operations are arithmetic that is worth a rate.
    pub fn computes(self) -> bool {
        !matches!(
            self,
            UnitKind::Stream | UnitKind::Latency | UnitKind::External
        )
    }

    /// Whether arithmetic bounds it rather than memory: every weight that is read serves many tokens.
    pub fn is_batched(self) -> bool {
        matches!(self, UnitKind::Gemm | UnitKind::Prefill)
    }
}

pub(super) fn weight_bytes(job: Option<&Job>) -> BTreeMap<String, u64> {
    let mut bytes = BTreeMap::new();
    if let Some(Job::Decode { model, .. } | Job::Prefill { model, .. }) = job {
        for tensor in &model.tensors {
            let format = TensorFormat::ALL
                .into_iter()
                .find(|format| format.id() == tensor.format);
            let row_bytes = format.map_or(0, |format| format.row_bytes(tensor.cols));
            let of_format: &mut u64 = bytes.entry(tensor.format.clone()).or_default();
            *of_format = of_format.saturating_add(tensor.rows.saturating_mul(row_bytes));
        }
    }
    bytes
}

pub(super) fn kind_of(data: &UnitData) -> UnitKind {
    if data.output.is_some() {
        return UnitKind::External;
    }
    match (data.ready(), data.spec.as_ref().map(|spec| &spec.job)) {
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
        (None, Some(Job::External(_))) => UnitKind::External,
    }
}

pub(super) fn residency_of(data: &UnitData) -> Option<Residency> {
    if let Some(ready) = data.ready() {
        return Some(ready.residency);
    }
    match &data.spec.as_ref()?.job {
        Job::Stream { residency, .. }
        | Job::Gemv { residency, .. }
        | Job::Latency { residency, .. } => Some(*residency),
        Job::Decode { .. } | Job::Prefill { .. } => Some(Residency::Dram),
        Job::Peak {} | Job::Gemm { .. } => Some(Residency::Cache),
        // memwall does not know what the program walks through.
        Job::External(_) => None,
    }
}

pub(super) fn asked_working_set(data: &UnitData) -> u64 {
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

pub(super) fn model_of(data: &UnitData) -> Option<ModelRef> {
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
        | Job::Gemm { .. }
        | Job::External(_) => None,
    }
}
