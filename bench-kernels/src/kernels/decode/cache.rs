//! The KV cache: where keys and values of past tokens lie, and in what form.
//!
//! Positions are cut into chunks of a fixed length; a piece of work is one chunk of one key-value head. So many threads
//! share the few heads of grouped-query attention, and the result does not depend on how many there are.
//!
//! A row is the value of one position: the half-precision elements themselves, or Q8_0: the half-precision scales of its
//! blocks of 32, then two 8-bit elements in every 16 bits. Keys lie in blocks of 16 positions, so that each has a lane
//! of the vectors that score them (see [`crate::simd::attention`]). What a position holds does not depend on where.

use std::hint::black_box;
use std::io;
use std::ops::Range;

use bench_protocol::KvFormat;

use super::plan::Plan;
use crate::memory::{Region, split_evenly};
use crate::numeric::{self, Activations};
use crate::simd::attention::{BLOCK_POSITIONS, KEY_WORDS};
use crate::simd::{self, Isa, Q8_0_BLOCK};

/// Positions of one piece: 64 KiB of keys and values at 128 elements a head, which any private second-level cache holds.
pub const CHUNK: usize = 256;

/// 16-bit words of one row.
pub fn row_halves(format: KvFormat, head_dim: usize) -> usize {
    match format {
        KvFormat::F16 => head_dim,
        KvFormat::Q8_0 => head_dim / Q8_0_BLOCK * (1 + Q8_0_BLOCK / 2),
    }
}

/// Bytes of keys and values of one token over all layers.
pub fn bytes_per_token(plan: &Plan, format: KvFormat) -> u64 {
    match format {
        KvFormat::F16 => plan.kv_bytes_per_token,
        KvFormat::Q8_0 => {
            let n_blocks = plan.kv_bytes_per_token / (2 * Q8_0_BLOCK as u64);
            n_blocks * (2 + Q8_0_BLOCK as u64)
        }
    }
}

/// Pieces of one key-value head that hold `n_positions`.
pub fn n_chunks(n_positions: usize) -> usize {
    n_positions.div_ceil(CHUNK)
}

/// One chunk of positions of one key-value head.
pub struct Piece {
    pub kv_head: usize,
    pub chunk_idx: usize,
    positions: Range<usize>,
    /// First word of its keys in a layer of the thread's cache; the values follow.
    offset: usize,
    /// Words of its keys: whole blocks.
    key_words: usize,
    value_words: usize,
}

impl Piece {
    /// How many of its positions there are when `position` is the newest.
    pub fn n_positions(&self, position: usize) -> usize {
        (position + 1).clamp(self.positions.start, self.positions.end) - self.positions.start
    }

    /// Whether the newest position is among its own.
    pub fn holds(&self, position: usize) -> bool {
        self.positions.contains(&position)
    }

    fn keys_and_values<'a>(&self, layer: &'a mut [u16]) -> (&'a mut [u16], &'a mut [u16]) {
        layer[self.offset..][..self.key_words + self.value_words].split_at_mut(self.key_words)
    }
}

/// The pieces of one thread with their part of the KV cache.
pub struct ThreadCache {
    pub pieces: Vec<Piece>,
    format: KvFormat,
    head_dim: usize,
    /// Layer after layer, piece after piece: keys, then values.
    cache: Region,
    halves_per_layer: usize,
}

impl ThreadCache {
    /// Lays out the share of a thread for that many positions; no page of it is touched yet.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(
        plan: &Plan,
        format: KvFormat,
        n_positions: usize,
        n_threads: usize,
        thread_idx: usize,
    ) -> io::Result<ThreadCache> {
        let n_chunks = n_chunks(n_positions);
        let row_halves = row_halves(format, plan.head_dim);
        let mut halves_per_layer = 0;
        let pieces = split_evenly(plan.n_kv_heads * n_chunks, n_threads, thread_idx)
            .map(|idx| {
                let (kv_head, chunk_idx) = (idx / n_chunks, idx % n_chunks);
                let positions = chunk_idx * CHUNK..((chunk_idx + 1) * CHUNK).min(n_positions);
                let offset = halves_per_layer;
                let key_words = positions.len().next_multiple_of(BLOCK_POSITIONS) * row_halves;
                let value_words = positions.len() * row_halves;
                halves_per_layer += key_words + value_words;
                Piece {
                    kv_head,
                    chunk_idx,
                    positions,
                    offset,
                    key_words,
                    value_words,
                }
            })
            .collect();
        let n_bytes = (plan.layers.len() * halves_per_layer * 2).max(1);
        Ok(ThreadCache {
            pieces,
            format,
            head_dim: plan.head_dim,
            cache: Region::new(n_bytes)?,
            halves_per_layer,
        })
    }

    /// Fills the cache with noise that depends on layer, head and position only.
    pub fn fill(&mut self, plan: &Plan) {
        let (format, head_dim) = (self.format, self.head_dim);
        if self.halves_per_layer == 0 {
            return;
        }
        let mut elements = vec![0.0; head_dim];
        let mut store = Store::new(format, head_dim);
        let layers = self
            .cache
            .halves_mut()
            .chunks_exact_mut(self.halves_per_layer);
        for (layer_idx, layer) in layers.enumerate() {
            for piece in &self.pieces {
                let (keys, values) = piece.keys_and_values(layer);
                for (idx, position) in piece.positions.clone().enumerate() {
                    let head_idx = layer_idx * plan.n_kv_heads + piece.kv_head;
                    fill_with_noise(&mut elements, (head_idx * 2) << 32 | position);
                    store.key(simd::scalar(), &elements, keys, idx);
                    fill_with_noise(&mut elements, (head_idx * 2 + 1) << 32 | position);
                    store.value(simd::scalar(), &elements, values, idx);
                }
            }
        }
    }

    /// Keys, in blocks of positions, and values, position by position, of a piece in one layer.
    pub fn keys_and_values(
        &mut self,
        piece_idx: usize,
        layer_idx: usize,
    ) -> (&mut [u16], &mut [u16]) {
        let layer = &mut self.cache.halves_mut()[layer_idx * self.halves_per_layer..];
        self.pieces[piece_idx].keys_and_values(layer)
    }

    /// Bytes of its cache that the kernel backs with huge pages, where it tells.
    pub fn huge_page_bytes(&self) -> Option<u64> {
        self.cache.huge_page_bytes()
    }
}

fn fill_with_noise(elements: &mut [f32], place: usize) {
    let mut state = place as u64;
    elements
        .iter_mut()
        .for_each(|element| *element = numeric::noise_f32(&mut state));
}

/// Writes keys and values, with the room it takes to quantise one.
pub struct Store {
    format: KvFormat,
    quantised: Activations,
}

impl Store {
    /// For rows of `head_dim` elements, a multiple of 32 for Q8_0.
    pub fn new(format: KvFormat, head_dim: usize) -> Store {
        let block = match format {
            KvFormat::F16 => 1,
            KvFormat::Q8_0 => Q8_0_BLOCK,
        };
        Store {
            format,
            quantised: Activations::new(head_dim, block),
        }
    }

    /// Writes the key of one position, counted from the first of `keys`.
    pub fn key(&mut self, isa: &Isa, elements: &[f32], keys: &mut [u16], position: usize) {
        let lane = position % BLOCK_POSITIONS;
        let block_words = BLOCK_POSITIONS * row_halves(self.format, elements.len());
        let block = &mut keys[position / BLOCK_POSITIONS * block_words..][..block_words];
        match self.format {
            KvFormat::F16 => block
                .chunks_exact_mut(BLOCK_POSITIONS)
                .zip(elements)
                .for_each(|(halves, element)| halves[lane] = numeric::f32_to_f16(*element)),
            KvFormat::Q8_0 => {
                isa.quantise(&mut self.quantised, elements);
                let parts = block.chunks_exact_mut(KEY_WORDS);
                let quantised = self.quantised.qs().chunks_exact(Q8_0_BLOCK);
                for ((part, qs), scale) in parts.zip(quantised).zip(self.quantised.scales()) {
                    part[lane] = numeric::f32_to_f16(*scale);
                    for (idx, qs) in qs.as_chunks::<2>().0.iter().enumerate() {
                        let at = idx / 2 * BLOCK_POSITIONS * 2 + lane * 2 + idx % 2;
                        part[BLOCK_POSITIONS + at] = u16::from_le_bytes(qs.map(|q| q as u8));
                    }
                }
            }
        }
    }

    /// Writes the value of one position, counted from the first of `values`.
    pub fn value(&mut self, isa: &Isa, elements: &[f32], values: &mut [u16], position: usize) {
        let row_halves = row_halves(self.format, elements.len());
        let row = &mut values[position * row_halves..][..row_halves];
        match self.format {
            KvFormat::F16 => row
                .iter_mut()
                .zip(elements)
                .for_each(|(half, element)| *half = numeric::f32_to_f16(*element)),
            KvFormat::Q8_0 => {
                isa.quantise(&mut self.quantised, elements);
                let (scales, pairs) = row.split_at_mut(self.quantised.scales().len());
                scales
                    .iter_mut()
                    .zip(self.quantised.scales())
                    .for_each(|(half, scale)| *half = numeric::f32_to_f16(*scale));
                pairs
                    .iter_mut()
                    .zip(self.quantised.qs().as_chunks::<2>().0)
                    // A plain loop is a copy of bytes, and would become a call of memcpy.
                    .for_each(|(pair, qs)| {
                        *pair = black_box(u16::from_le_bytes(qs.map(|q| q as u8)))
                    });
            }
        }
    }
}

/// The elements of a row, for comparisons.
#[cfg(test)]
pub fn elements(format: KvFormat, row: &[u16]) -> Vec<f32> {
    match format {
        KvFormat::F16 => row.iter().map(|half| numeric::f16_to_f32(*half)).collect(),
        KvFormat::Q8_0 => {
            let (scales, pairs) = row.split_at(row.len() / (1 + Q8_0_BLOCK / 2));
            let qs = pairs.iter().flat_map(|pair| pair.to_le_bytes());
            qs.enumerate()
                .map(|(idx, q)| numeric::f16_to_f32(scales[idx / Q8_0_BLOCK]) * f32::from(q as i8))
                .collect()
        }
    }
}

/// The elements of the key of one position, for comparisons.
#[cfg(test)]
pub fn key_elements(format: KvFormat, head_dim: usize, keys: &[u16], position: usize) -> Vec<f32> {
    let lane = position % BLOCK_POSITIONS;
    let block_words = BLOCK_POSITIONS * row_halves(format, head_dim);
    let block = &keys[position / BLOCK_POSITIONS * block_words..][..block_words];
    let half = |at: usize| numeric::f16_to_f32(block[at]);
    let element = |idx: usize| match format {
        KvFormat::F16 => half(idx * BLOCK_POSITIONS + lane),
        KvFormat::Q8_0 => {
            let (part, idx) = (idx / Q8_0_BLOCK * KEY_WORDS, idx % Q8_0_BLOCK);
            let word = block[part + (1 + idx / 4 * 2) * BLOCK_POSITIONS + lane * 2 + idx % 4 / 2];
            half(part + lane) * f32::from(word.to_le_bytes()[idx % 2] as i8)
        }
    };
    (0..head_dim).map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_elements() {
        let mut state = 5;
        let elements_in: Vec<f32> = (0..96).map(|_| numeric::noise_f32(&mut state)).collect();
        // Half a unit in the last place of a half, and half a step of 1 / 127 with a scale rounded to 11 bits.
        for (format, tolerance) in [(KvFormat::F16, 5e-4), (KvFormat::Q8_0, 4.5e-3)] {
            let row_halves = row_halves(format, 96);
            let mut values = vec![0; 20 * row_halves];
            let mut keys = vec![0; 32 * row_halves];
            let mut store = Store::new(format, 96);
            for position in 0..20 {
                let turned = |idx: usize| elements_in[(idx + position) % 96];
                let row: Vec<f32> = (0..96).map(turned).collect();
                store.value(simd::best(), &row, &mut values, position);
                store.key(simd::best(), &row, &mut keys, position);
            }
            for (position, row) in values.chunks_exact(row_halves).enumerate() {
                let value = elements(format, row);
                let key = key_elements(format, 96, &keys, position);
                assert_eq!(key, value, "keys and values are rounded alike");
                for (idx, a) in value.iter().enumerate() {
                    let b = elements_in[(idx + position) % 96];
                    assert!((a - b).abs() <= tolerance, "{b} became {a}");
                }
            }
        }
        assert_eq!(row_halves(KvFormat::F16, 96) * 2, 192);
        assert_eq!(row_halves(KvFormat::Q8_0, 96) * 2, 102, "34 bytes for 32");
    }

    #[test]
    fn pieces_grow_with_the_newest_position() {
        let piece = Piece {
            kv_head: 0,
            chunk_idx: 1,
            positions: 256..300,
            offset: 0,
            key_words: 0,
            value_words: 0,
        };
        let check = |position: usize, n_positions: usize, holds: bool| {
            assert_eq!(piece.n_positions(position), n_positions, "{position}");
            assert_eq!(piece.holds(position), holds, "{position}");
        };
        check(0, 0, false);
        check(255, 0, false);
        check(256, 1, true);
        check(299, 44, true);
        check(500, 44, false);
    }
}
