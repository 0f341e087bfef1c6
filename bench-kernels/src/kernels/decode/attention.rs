//! Attention of one token over the KV cache, split over positions.
//!
//! Pseudo-code, for every query head: `out = softmax(query . keys / sqrt(n)) * values`.
//!
//! 1. Positions are cut into chunks of a fixed length; a piece of work is one chunk of one key-value head. So many
//!    threads share the few heads of grouped-query attention, and the result does not depend on how many there are.
//! 2. All query heads of a key-value head are served while a key or value is in the first cache: the KV cache is read
//!    from memory once.
//! 3. Each piece leaves maximum, sum and unscaled values; where a head has several pieces they are combined after a
//!    barrier, in the order of the chunks (Dao et al. 2023, flash decoding).

use std::io;
use std::ops::Range;

use super::plan::Plan;
use crate::memory::{Region, split_evenly};
use crate::numeric;
use crate::simd::Isa;

/// Positions of one piece: 64 KiB of keys and values at 128 elements a head, which any private second-level cache holds.
const CHUNK: usize = 256;

/// Elements that a piece leaves beside the values: maximum and sum.
pub const N_EXTRA: usize = 2;

/// One chunk of positions of one key-value head.
pub struct Piece {
    pub kv_head: usize,
    pub chunk_idx: usize,
    pub positions: Range<usize>,
    /// First element of its keys in a layer of the thread's cache; the values follow.
    offset: usize,
}

/// The pieces of one thread with their part of the KV cache.
pub struct Share {
    pub pieces: Vec<Piece>,
    /// Layer after layer, piece after piece: keys, then values, in half precision.
    cache: Region,
    elements_per_layer: usize,
}

impl Share {
    /// Lays out the share of a thread; no page of it is touched yet.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(plan: &Plan, n_threads: usize, thread_idx: usize) -> io::Result<Share> {
        let n_chunks = n_chunks(plan);
        let mut elements_per_layer = 0;
        let pieces = split_evenly(plan.n_kv_heads * n_chunks, n_threads, thread_idx)
            .map(|idx| {
                let (kv_head, chunk_idx) = (idx / n_chunks, idx % n_chunks);
                let positions = chunk_idx * CHUNK..((chunk_idx + 1) * CHUNK).min(plan.depth + 1);
                let offset = elements_per_layer;
                elements_per_layer += 2 * positions.len() * plan.head_dim;
                Piece {
                    kv_head,
                    chunk_idx,
                    positions,
                    offset,
                }
            })
            .collect();
        let bytes = (plan.layers.len() * elements_per_layer * 2).max(1);
        Ok(Share {
            pieces,
            cache: Region::new(bytes)?,
            elements_per_layer,
        })
    }

    /// Fills the cache with noise that depends on layer, head and position only.
    pub fn fill(&mut self, plan: &Plan) {
        let elements_per_layer = self.elements_per_layer;
        if elements_per_layer == 0 {
            return;
        }
        let layers = self.cache.halves_mut().chunks_exact_mut(elements_per_layer);
        for (layer_idx, layer) in layers.enumerate() {
            for piece in &self.pieces {
                let n = piece.positions.len() * plan.head_dim;
                for (kind, part) in layer[piece.offset..][..2 * n]
                    .chunks_exact_mut(n)
                    .enumerate()
                {
                    let rows = part
                        .chunks_exact_mut(plan.head_dim)
                        .zip(piece.positions.clone());
                    for (row, position) in rows {
                        let place =
                            ((layer_idx * plan.n_kv_heads + piece.kv_head) * 2 + kind) << 32;
                        let mut state = (place | position) as u64;
                        row.iter_mut().for_each(|half| {
                            *half = numeric::f32_to_f16(numeric::noise_f32(&mut state));
                        });
                    }
                }
            }
        }
    }

    /// Keys and values of one piece in one layer, position by position.
    pub fn keys_and_values(
        &mut self,
        piece_idx: usize,
        layer_idx: usize,
        head_dim: usize,
    ) -> (&mut [u16], &mut [u16]) {
        let piece = &self.pieces[piece_idx];
        let n = piece.positions.len() * head_dim;
        let at = layer_idx * self.elements_per_layer + piece.offset;
        self.cache.halves_mut()[at..][..2 * n].split_at_mut(n)
    }

    /// Bytes of its cache that the kernel backs with huge pages, where it tells.
    pub fn huge_page_bytes(&self) -> Option<u64> {
        self.cache.huge_page_bytes()
    }
}

/// Pieces of one key-value head.
pub fn n_chunks(plan: &Plan) -> usize {
    (plan.depth + 1).div_ceil(CHUNK)
}

/// Room for the scores of one piece: `n_shared` query heads x [`CHUNK`] positions.
pub fn n_scores(n_shared: usize) -> usize {
    n_shared * CHUNK
}

/// Works through one piece for all query heads that share it.
///
/// Shape: `queries` holds the heads one after the other, `head_dim` elements each; `out` has `head_dim` values, then
/// maximum and sum, for each of them.
pub fn piece(
    isa: &Isa,
    head_dim: usize,
    queries: &[f32],
    keys: &[u16],
    values: &[u16],
    scores: &mut [f32],
    out: &mut [f32],
) {
    let scale = 1.0 / (head_dim as f32).sqrt();
    let n_positions = keys.len() / head_dim;
    for (position, key) in keys.chunks_exact(head_dim).enumerate() {
        for (head_idx, query) in queries.chunks_exact(head_dim).enumerate() {
            scores[head_idx * CHUNK + position] = isa.dot_f16(key, query) * scale;
        }
    }
    for (scores, out) in scores
        .chunks_exact_mut(CHUNK)
        .zip(out.chunks_exact_mut(head_dim + N_EXTRA))
    {
        let scores = &mut scores[..n_positions];
        let largest = scores
            .iter()
            .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        let mut sum = 0.0;
        for score in scores {
            *score = numeric::exp(*score - largest);
            sum += *score;
        }
        numeric::clear(&mut out[..head_dim]);
        out[head_dim] = largest;
        out[head_dim + 1] = sum;
    }
    for (position, value) in values.chunks_exact(head_dim).enumerate() {
        for (head_idx, out) in out.chunks_exact_mut(head_dim + N_EXTRA).enumerate() {
            isa.add_scaled_f16(
                &mut out[..head_dim],
                value,
                scores[head_idx * CHUNK + position],
            );
        }
    }
}

/// Combines the pieces of one query head, in the order of the chunks.
pub fn combine<'a>(
    head_dim: usize,
    pieces: impl Iterator<Item = &'a [f32]> + Clone,
    out: &mut [f32],
) {
    let largest = pieces
        .clone()
        .map(|piece| piece[head_dim])
        .fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let weight = |piece: &[f32]| numeric::exp(piece[head_dim] - largest);
    let sum: f32 = pieces
        .clone()
        .map(|piece| weight(piece) * piece[head_dim + 1])
        .sum();
    numeric::clear(out);
    for piece in pieces {
        let factor = weight(piece) / sum;
        out.iter_mut()
            .zip(piece)
            .for_each(|(out, value)| *out += factor * value);
    }
}
