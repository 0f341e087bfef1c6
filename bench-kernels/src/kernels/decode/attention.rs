//! Attention of one token over one piece of the KV cache.
//!
//! Pseudo-code, for every query head: `out = softmax(query . keys / sqrt(n)) * values`.
//!
//! 1. All query heads of a key-value head are served while a key or value is in the first cache: the KV cache is read
//!    from memory once.
//! 2. Where keys are quantised, so is the query, once: the dot products are integers, and values are scaled back into
//!    floats as they are added.
//! 3. Each piece leaves maximum, sum and unscaled values; where a head has several pieces they are combined after a
//!    barrier, in the order of the chunks (Dao et al. 2023, flash decoding).

use bench_protocol::KvFormat;

use super::cache::{CHUNK, row_halves};
use crate::numeric::{self, Activations};
use crate::simd::{Isa, Q8_0_BLOCK};

/// Elements that a piece leaves beside the values: maximum and sum.
pub const N_EXTRA: usize = 2;

/// Room for the work on one piece.
pub struct Buffers {
    format: KvFormat,
    head_dim: usize,
    /// Query heads that share a key-value head, one after the other.
    pub queries: Vec<f32>,
    /// The same, quantised.
    quantised: Vec<Activations>,
    /// Query heads x [`CHUNK`] positions.
    scores: Vec<f32>,
}

impl Buffers {
    /// For `n_shared` query heads of `head_dim` elements, a multiple of 32 for Q8_0.
    pub fn new(format: KvFormat, n_shared: usize, head_dim: usize) -> Buffers {
        let n_quantised = match format {
            KvFormat::F16 => 0,
            KvFormat::Q8_0 => n_shared,
        };
        Buffers {
            format,
            head_dim,
            queries: vec![0.0; n_shared * head_dim],
            quantised: (0..n_quantised)
                .map(|_| Activations::new(head_dim, Q8_0_BLOCK))
                .collect(),
            scores: vec![0.0; n_shared * CHUNK],
        }
    }

    /// Works through one piece for all query heads that share it.
    ///
    /// Shape: `out` has `head_dim` values, then maximum and sum, for each query head.
    pub fn piece(&mut self, isa: &Isa, keys: &[u16], values: &[u16], out: &mut [f32]) {
        let head_dim = self.head_dim;
        let row_halves = row_halves(self.format, head_dim);
        self.score(isa, keys.chunks_exact(row_halves));
        let n_positions = keys.len() / row_halves;
        let outs = out.chunks_exact_mut(head_dim + N_EXTRA);
        for (scores, out) in self.scores.chunks_exact_mut(CHUNK).zip(outs) {
            weigh(&mut scores[..n_positions], out);
        }
        for (position, value) in values.chunks_exact(row_halves).enumerate() {
            for (head_idx, out) in out.chunks_exact_mut(head_dim + N_EXTRA).enumerate() {
                let (out, score) = (
                    &mut out[..head_dim],
                    self.scores[head_idx * CHUNK + position],
                );
                match self.format {
                    KvFormat::F16 => isa.add_scaled_f16(out, value, score),
                    KvFormat::Q8_0 => isa.add_scaled_q8_0(out, value, score),
                }
            }
        }
    }

    /// Dot products of all queries with all keys.
    fn score<'a>(&mut self, isa: &Isa, keys: impl Iterator<Item = &'a [u16]>) {
        let head_dim = self.head_dim;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let queries = self.queries.chunks_exact(head_dim);
        for (quantised, query) in self.quantised.iter_mut().zip(queries) {
            isa.quantise(quantised, query);
        }
        for (position, key) in keys.enumerate() {
            for (head_idx, query) in self.queries.chunks_exact(head_dim).enumerate() {
                let product = match self.format {
                    KvFormat::F16 => isa.dot_f16(key, query),
                    KvFormat::Q8_0 => isa.dot_q8_0(key, &self.quantised[head_idx]),
                };
                self.scores[head_idx * CHUNK + position] = product * scale;
            }
        }
    }
}

/// Scores as shares of the largest; `out` begins at zero, with maximum and sum behind it.
fn weigh(scores: &mut [f32], out: &mut [f32]) {
    let largest = scores
        .iter()
        .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let mut sum = 0.0;
    for score in scores {
        *score = numeric::exp(*score - largest);
        sum += *score;
    }
    let (values, extra) = out.split_at_mut(out.len() - N_EXTRA);
    numeric::clear(values);
    extra[0] = largest;
    extra[1] = sum;
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
