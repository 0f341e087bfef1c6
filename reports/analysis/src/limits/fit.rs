//! Whether a model fits: weights, KV cache and compute buffers against the RAM that is there.

use bench_inventory::{KvFormat, Memory, Model, Quant};
use bench_locales::Figure::BinaryBytes;
use bench_locales::{Message, message};
use serde::Serialize;

use crate::label::Label;

/// Tokens of one micro batch, for which compute buffers are made.
///
/// Source: llama.cpp, `common/common.h`, default of `n_ubatch`.
const MICRO_BATCH_TOKENS: u64 = 512;

/// Bytes of one value of a compute buffer, `f32`.
const F32_BYTES: u64 = 4;

/// KV caches hold a multiple of this many tokens.
///
/// Source: llama.cpp, padding of the cache, seen in its log (8193 tokens asked, 8448 cells made).
const KV_CELLS: u64 = 256;

/// RAM left to the operating system where it is not published what a board leaves, bytes. An assumption, and said so.
pub const ASSUMED_SYSTEM_BYTES: u64 = 1 << 30;

/// RAM that a model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// All tensors, bytes.
    pub weight_bytes: u64,
    /// Keys and values of `context` tokens, bytes.
    pub kv_bytes: u64,
    /// Compute buffers with flash attention, the default of llama.cpp since August 2025, bytes.
    pub compute_bytes: u64,
    /// Compute buffers without it: they grow with the context, bytes.
    pub compute_without_flash_bytes: u64,
    /// Tokens of context.
    pub context: u64,
}

impl Need {
    /// Everything together with flash attention, bytes.
    pub fn total_bytes(&self) -> u64 {
        (self.weight_bytes)
            .saturating_add(self.kv_bytes)
            .saturating_add(self.compute_bytes)
    }

    /// Everything together without flash attention, bytes.
    pub fn total_without_flash_bytes(&self) -> u64 {
        (self.weight_bytes)
            .saturating_add(self.kv_bytes)
            .saturating_add(self.compute_without_flash_bytes)
    }
}

/// RAM that is there for a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// `measured` on a host, `imported` where it was published, `theory` where only the size is known.
    pub label: Label,
    /// Where it comes from.
    pub source: Message,
    /// Nominal capacity, bytes, where it is one of several that the board is sold with.
    pub capacity_bytes: Option<u64>,
}

/// What a model needs with this context.
pub fn need(model: &Model, file_bytes: u64, context: u64, kv: KvFormat) -> Need {
    let cells = context.div_ceil(KV_CELLS).saturating_mul(KV_CELLS);
    Need {
        weight_bytes: file_bytes,
        kv_bytes: kv_bytes(model, context, kv),
        compute_bytes: compute_bytes(model),
        compute_without_flash_bytes: compute_without_flash_bytes(model, cells),
        context,
    }
}

/// Keys and values of so many tokens of context, as they are allocated.
pub fn kv_bytes(model: &Model, context: u64, kv: KvFormat) -> u64 {
    model.kv_cache_bytes(kv, context, MICRO_BATCH_TOKENS, KV_CELLS)
}

/// Bytes of `values` for each token of a micro batch.
fn of_micro_batch(values: u64) -> u64 {
    values.saturating_mul(MICRO_BATCH_TOKENS * F32_BYTES)
}

/// Compute buffers with flash attention: logits and two rows of activations for each token of a micro batch.
///
/// Source: what llama.cpp reserves. Its log says 300.25 MiB for Qwen2.5-0.5B (vocabulary 151936, width 896) and
/// 302.75 MiB for Qwen2.5-1.5B (width 1536), at 512 and at 8192 tokens of context; so does this formula. Flash attention
/// is its default since pull request 15434.
pub fn compute_bytes(model: &Model) -> u64 {
    of_micro_batch(u64::from(model.arch.vocab) + 2 * u64::from(model.arch.hidden))
}

/// Compute buffers without flash attention: buffers are used again, so it is the larger of those above and those of one
/// layer's attention, which are scores of every head for every cell, the mask, and six rows of activations.
///
/// Source: what llama.cpp reserved without it in published logs, host and device together. 8500.51 MiB for Phi-3-mini
/// with 131328 tokens (issue 6849; this formula 8499), 319.0 for a 7B Qwen2.5 with 4096 (issue 15923; 311), 584.0 for a
/// model of 32 layers and 32 heads with 8192 (ollama issue 3406; 576).
fn compute_without_flash_bytes(model: &Model, cells: u64) -> u64 {
    let heads_and_mask = u64::from(model.arch.n_heads) + 1;
    let values =
        (cells.saturating_mul(heads_and_mask)).saturating_add(6 * u64::from(model.arch.hidden));
    of_micro_batch(values).max(compute_bytes(model))
}

/// Largest context whose total, as `total` counts it, fits into `room_bytes`, tokens, at most what the model was made
/// for; `None` where not even the weights fit.
pub fn max_context(
    model: &Model,
    file_bytes: u64,
    kv: KvFormat,
    room_bytes: u64,
    total: fn(&Need) -> u64,
) -> Option<u64> {
    let made_for = model.context_length.unwrap_or(1 << 40);
    let fits = |blocks: u64| total(&need(model, file_bytes, blocks * KV_CELLS, kv)) <= room_bytes;
    // More context never needs less: the last block that fits is found by halving.
    let (mut most, mut too_many) = (0, made_for.div_ceil(KV_CELLS) + 1);
    while most + 1 < too_many {
        let middle = most + (too_many - most) / 2;
        match fits(middle) {
            true => most = middle,
            false => too_many = middle,
        }
    }
    (most > 0).then_some((most * KV_CELLS).min(made_for))
}

/// The largest quantisation that fits, of those that people usually choose between.
pub fn best_quant(model: &Model, context: u64, kv: KvFormat, room_bytes: u64) -> Option<Quant> {
    Quant::USUAL.into_iter().find(|quant| {
        need(model, model.file_bytes(*quant), context, kv).total_bytes() <= room_bytes
    })
}

/// What a memory leaves for a model, for every capacity it is sold with, smallest first.
pub fn rooms(memory: &Memory) -> Vec<Room> {
    let capacities = &memory.capacities_bytes.value;
    let largest = capacities.iter().copied().max().unwrap_or(0);
    let (taken_bytes, label, source) = match &memory.usable_bytes {
        Some(usable) => (
            largest.saturating_sub(usable.value),
            Label::Imported,
            Message::quoted(&usable.source),
        ),
        None => (
            ASSUMED_SYSTEM_BYTES,
            Label::Theory,
            message!(
                "source-assumed-system",
                system = BinaryBytes(ASSUMED_SYSTEM_BYTES),
            ),
        ),
    };
    let mut sorted = capacities.clone();
    sorted.sort_unstable();
    (sorted.into_iter())
        .map(|capacity_bytes| Room {
            bytes: capacity_bytes.saturating_sub(taken_bytes),
            label,
            source: source.clone(),
            capacity_bytes: Some(capacity_bytes),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn model(id: &str) -> Model {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory");
        let inventory =
            bench_inventory::load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"));
        inventory.models[id].clone()
    }

    #[test]
    fn compute_buffers_are_those_of_the_log() {
        let mib = |id| compute_bytes(&model(id)) as f64 / (1 << 20) as f64;
        assert_eq!(mib("qwen2.5-0.5b"), 300.25);
        assert_eq!(mib("qwen2.5-1.5b"), 302.75);
    }

    /// Within 3 % of what logs say.
    #[test]
    fn without_flash_attention_buffers_grow_with_the_context() {
        for (id, context, log) in [
            ("phi-3.5-mini", 131_328, 8500.51),
            ("qwen2.5-7b", 4096, 319.01),
            ("llama-3.1-8b", 8192, 584.01),
        ] {
            let need = need(&model(id), 0, context, KvFormat::F16);
            let mib = need.compute_without_flash_bytes as f64 / (1 << 20) as f64;
            assert!(
                (mib / log - 1.0).abs() < 0.03,
                "{id}: {mib} MiB, {log} in the log"
            );
        }
        let model = model("llama-3.1-8b");
        let file = model.file_bytes(Quant::Q4KM);
        let longest = |total| max_context(&model, file, KvFormat::F16, 15 << 30, total).unwrap();
        let (with, without) = (
            longest(Need::total_bytes),
            longest(Need::total_without_flash_bytes),
        );
        assert!(without < with / 2 + with / 4, "{without} of {with}");
    }

    #[test]
    fn cache_is_that_of_the_log() {
        let need = need(&model("qwen2.5-1.5b"), 0, 8193, KvFormat::F16);
        assert_eq!(need.kv_bytes, 231 << 20);
    }

    #[test]
    fn largest_context_fits_and_the_next_does_not() {
        let model = model("qwen2.5-7b");
        let file = model.file_bytes(Quant::Q4KM);
        for room in [5_200_000_000, 7 << 30, 15 << 30] {
            for kv in KvFormat::ALL {
                let context = max_context(&model, file, kv, room, Need::total_bytes).unwrap();
                assert!(need(&model, file, context, kv).total_bytes() <= room);
                let is_full = need(&model, file, context + 1, kv).total_bytes() > room;
                assert!(is_full || context == 131_072);
            }
        }
        let none = max_context(&model, file, KvFormat::F16, file, Need::total_bytes);
        assert_eq!(none, None);
    }

    #[test]
    fn layers_with_a_window_allocate_it_and_a_batch() {
        // 13 of 26 layers keep 4096 tokens and a micro batch of 512, 4 KiB a token and layer.
        let gemma = model("gemma-2-2b");
        let need = |context| need(&gemma, 0, context, KvFormat::F16).kv_bytes;
        assert_eq!(need(4096), 26 * 4096 * 4096);
        assert_eq!(need(8192), 13 * (8192 + 4608) * 4096);
        let room = compute_bytes(&gemma) + need(8192);
        let context = |room| max_context(&gemma, 0, KvFormat::F16, room, Need::total_bytes);
        assert_eq!(context(room), Some(8192));
        assert_eq!(context(room - 1), Some(7936));
        assert_eq!(context(u64::MAX), Some(8192));
    }

    #[test]
    fn smaller_rooms_get_smaller_quantisations() {
        let model = model("qwen2.5-7b");
        let best = |room| best_quant(&model, 4096, KvFormat::F16, room).map(Quant::id);
        assert_eq!(best(16_000_000_000), Some("f16"));
        assert_eq!(best(9_000_000_000), Some("q8_0"));
        assert_eq!(best(5_200_000_000), Some("q4_0"));
        assert_eq!(best(4_500_000_000), Some("q3_k_m"));
        assert_eq!(best(3_000_000_000), None);
    }
}
