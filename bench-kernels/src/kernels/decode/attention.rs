//! Attention of one token over one piece of the KV cache.
//!
//! Pseudo-code, for every query head: `out = softmax(query . keys / sqrt(n)) * values`.
//!
//! 1. All query heads of a key-value head are served while a key or value is in a register: the KV cache is read from
//!    memory once. See [`crate::simd::attention`].
//! 2. Where keys are quantised, so is the query, once: the dot products are integers, and values are scaled back into
//!    floats as they are added.
//! 3. Each piece leaves maximum, sum and unscaled values; where a head has several pieces they are combined after a
//!    barrier, in the order of the chunks (Dao et al. 2023, flash decoding).

use bench_protocol::KvFormat;

use super::cache::CHUNK;
use crate::numeric::{self, Activations};
pub use crate::simd::attention::N_EXTRA;
use crate::simd::attention::Piece;
use crate::simd::{Isa, Q8_0_BLOCK};

/// Room for the work on one piece.
pub struct Buffers {
    format: KvFormat,
    head_dim: usize,
    /// Query heads that share a key-value head, one after the other, divided by the root of their elements.
    queries: Vec<f32>,
    /// The same, quantised for Q8_0.
    quantised: Activations,
    /// Query heads x [`CHUNK`] positions.
    scores: Vec<f32>,
}

impl Buffers {
    /// For `n_shared` query heads of `head_dim` elements, a multiple of 32 for Q8_0.
    pub fn new(format: KvFormat, n_shared: usize, head_dim: usize) -> Buffers {
        let n_quantised = match format {
            KvFormat::F16 => 0,
            KvFormat::Q8_0 => n_shared * head_dim,
        };
        Buffers {
            format,
            head_dim,
            queries: vec![0.0; n_shared * head_dim],
            quantised: Activations::new(n_quantised, Q8_0_BLOCK),
            scores: vec![0.0; n_shared * CHUNK],
        }
    }

    /// Takes the queries that share a key-value head: `write(idx, query, scale)` writes one of them times the scale.
    pub fn take_queries(&mut self, isa: &Isa, write: impl Fn(usize, &mut [f32], f32)) {
        let scale = 1.0 / (self.head_dim as f32).sqrt();
        let queries = self.queries.chunks_exact_mut(self.head_dim);
        for (idx, query) in queries.enumerate() {
            write(idx, query, scale);
        }
        if self.format == KvFormat::Q8_0 {
            isa.quantise(&mut self.quantised, &self.queries);
        }
    }

    /// Works through the first `n_positions` of one piece for all query heads that share it.
    ///
    /// Shape: `out` has `head_dim` values, then maximum and sum, for each query head.
    pub fn piece(
        &mut self,
        isa: &Isa,
        n_positions: usize,
        keys: &[u16],
        values: &[u16],
        out: &mut [f32],
    ) {
        isa.attend(Piece {
            format: self.format,
            head_dim: self.head_dim,
            n_positions,
            queries: &self.queries,
            quantised: &self.quantised,
            keys,
            values,
            scores: &mut self.scores,
            out,
        });
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
    let weight = |piece: &[f32]| numeric::weight(piece[head_dim] - largest);
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
