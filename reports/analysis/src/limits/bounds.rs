//! The bound of token generation: bandwidth over bytes, and whether the model fits at all.
//!
//! Owns the one formula `tokens/s <= bandwidth / bytes per token` and everything that puts numbers into it. It bounds one
//! sequence with one token for each pass through the weights and attention to all of the context: guessing several tokens
//! and checking them in one pass (speculative decoding, multi-token prediction) makes more than it says.

use bench_inventory::{Board, KvFormat, Memory, Model};
use bench_locales::Figure::DecimalBytes;
use bench_locales::{Message, message};
use serde::Serialize;

use crate::limits::fit::{self, Room};

/// Context that a model must be able to hold to count as fitting, tokens. A deeper question needs more.
pub const MIN_CONTEXT: u64 = 4096;

/// Upper bound of generated tokens per second: `bandwidth / bytes read per token`.
///
/// **unit**: GB/s over GB is tokens/s, both with 10^9. **source**: every token moves all its weights from memory once,
/// and arithmetic is nearly free beside that.
pub fn tokens_per_s(bandwidth_gb_per_s: f64, bytes_gb: f64) -> f64 {
    bandwidth_gb_per_s / bytes_gb
}

/// Whether a model fits one capacity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// Nominal capacity, bytes.
    pub capacity_bytes: u64,
    /// What it leaves for a model, bytes.
    pub usable_bytes: u64,
    /// Where `usable_bytes` comes from.
    pub usable_source: Message,
    /// Weights, KV cache and compute buffers, bytes.
    pub needed_bytes: u64,
    /// `needed_bytes <= usable_bytes`.
    pub fits: bool,
}

/// Bytes one token moves: its weights, and the keys and values that it reads.
pub fn token_bytes(read_bytes_per_token: u64, kv_read_bytes: u64) -> f64 {
    read_bytes_per_token as f64 + kv_read_bytes as f64
}

/// RAM a model needs: weights, KV cache (f16) of [`MIN_CONTEXT`] tokens or of `depth`, and compute buffers.
pub fn needed_bytes(model: &Model, file_bytes: u64, depth: u64) -> u64 {
    fit::need(model, file_bytes, depth.max(MIN_CONTEXT), KvFormat::F16).total_bytes()
}

/// The board's memory with the highest theoretical bandwidth: where a model should live if it fits.
pub fn fastest_memory(board: &Board) -> Option<&Memory> {
    board.memories.iter().max_by(|a, b| {
        a.theoretical_gb_per_s()
            .total_cmp(&b.theoretical_gb_per_s())
    })
}

/// Whether `needed_bytes` fit what each capacity leaves, smallest first.
pub fn fits(rooms: &[Room], needed_bytes: u64) -> Vec<Fit> {
    (rooms.iter())
        .map(|room| Fit {
            capacity_bytes: room.capacity_bytes.unwrap_or(room.bytes),
            usable_bytes: room.bytes,
            usable_source: room.source.clone(),
            needed_bytes,
            fits: needed_bytes <= room.bytes,
        })
        .collect()
}

impl Fit {
    /// `fits, needs 5.3 GB of 16.1 GB`.
    pub fn sentence(&self) -> Message {
        let (needed, usable) = (
            DecimalBytes(self.needed_bytes),
            DecimalBytes(self.usable_bytes),
        );
        match self.fits {
            true => message!("fits-with", needed = needed, usable = usable),
            false => message!("fits-not", needed = needed, usable = usable),
        }
    }
}
