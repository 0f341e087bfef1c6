//! Work on vectors of one token: norm, gate and quantisation of activations, and attention over quantised keys and
//! values.
//!
//! What treats every element alike is written once, in [`crate::numeric`], and compiled for the instruction sets of
//! each variant: without fused multiply-adds the compiler keeps every rounding, so that all variants agree.

use super::{Isa, sum_lanes};
use crate::numeric::{self, Activations, f16_to_f32};

/// Elements that share a scale in a row of Q8_0.
pub const Q8_0_BLOCK: usize = 32;

/// The vector functions of one variant.
pub(super) struct Vectors {
    /// Row of Q8_0, quantised vector and its scales, blocks.
    pub(super) dot_q8_0: unsafe fn(*const u16, *const i8, *const f32, usize) -> f32,
    /// Sums, row of Q8_0, factor, blocks.
    pub(super) add_scaled_q8_0: unsafe fn(*mut f32, *const u16, f32, usize),
    pub(super) rms_norm: unsafe fn(&[f32], &[f32], &mut [f32]),
    pub(super) quantise: unsafe fn(&mut Activations, &[f32]),
    pub(super) silu_times: unsafe fn(&mut [f32], &[f32], &[f32]),
}

/// The vector functions of a variant whose functions for Q8_0 are in scope, the others compiled for the instruction
/// sets named.
macro_rules! vectors {
    ($features:literal) => {{
        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn rms_norm(x: &[f32], weight: &[f32], out: &mut [f32]) {
            $crate::numeric::rms_norm(x, weight, out);
        }
        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn quantise(activations: &mut $crate::numeric::Activations, x: &[f32]) {
            activations.quantise(x);
        }
        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn silu_times(out: &mut [f32], gate: &[f32], up: &[f32]) {
            $crate::numeric::silu_times(out, gate, up);
        }
        $crate::simd::vectors::Vectors {
            dot_q8_0,
            add_scaled_q8_0,
            rms_norm,
            quantise,
            silu_times,
        }
    }};
}
pub(super) use vectors;

/// The reference.
pub(super) const SCALAR: Vectors = Vectors {
    dot_q8_0,
    add_scaled_q8_0,
    rms_norm: numeric::rms_norm,
    quantise: Activations::quantise,
    silu_times: numeric::silu_times,
};

impl Isa {
    /// Dot product of a row of Q8_0 with a vector quantised in the same blocks.
    ///
    /// Shape: `row` holds the half-precision scales of all blocks, then two elements in every 16 bits.
    ///
    /// # Panics
    /// When the lengths or the blocks do not fit.
    pub fn dot_q8_0(&self, row: &[u16], x: &Activations) -> f32 {
        let n_blocks = row.len() / (1 + Q8_0_BLOCK / 2);
        assert!(
            row.len() == n_blocks * (1 + Q8_0_BLOCK / 2)
                && x.qs.len() == n_blocks * Q8_0_BLOCK
                && x.scales.len() == n_blocks,
            "row and vector have the same blocks of 32"
        );
        // SAFETY: the token proves the CPU runs this variant; the assertion ties all lengths to `n_blocks`.
        unsafe { (self.vectors.dot_q8_0)(row.as_ptr(), x.qs.as_ptr(), x.scales.as_ptr(), n_blocks) }
    }

    /// `sum[i] += scale * row[i]` for a row of Q8_0.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn add_scaled_q8_0(&self, sum: &mut [f32], row: &[u16], scale: f32) {
        let n_blocks = row.len() / (1 + Q8_0_BLOCK / 2);
        assert!(
            row.len() == n_blocks * (1 + Q8_0_BLOCK / 2) && sum.len() == n_blocks * Q8_0_BLOCK,
            "row and sum have the same blocks of 32"
        );
        // SAFETY: the token proves the CPU runs this variant; the assertion ties all lengths to `n_blocks`.
        unsafe { (self.vectors.add_scaled_q8_0)(sum.as_mut_ptr(), row.as_ptr(), scale, n_blocks) }
    }

    /// Root-mean-square norm, see [`numeric::rms_norm`].
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], out: &mut [f32]) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.vectors.rms_norm)(x, weight, out) }
    }

    /// Quantises `x`, see [`Activations::quantise`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn quantise(&self, activations: &mut Activations, x: &[f32]) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.vectors.quantise)(activations, x) }
    }

    /// `out[i] = silu(gate[i]) * up[i]`.
    pub fn silu_times(&self, out: &mut [f32], gate: &[f32], up: &[f32]) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.vectors.silu_times)(out, gate, up) }
    }
}

/// Pseudo-code: `sums[b % 4] += (d[b] * scales[b]) * (q[b] . x[b])` for every block b, integers inside the block; then
/// the four sums in a fixed order.
///
/// # Safety
/// - `row` is valid for reads of 17 words a block, `qs` of 32 bytes, `scales` of one float.
unsafe fn dot_q8_0(row: *const u16, qs: *const i8, scales: *const f32, n_blocks: usize) -> f32 {
    // SAFETY: the caller's promise.
    let (row, qs, scales) = unsafe {
        (
            std::slice::from_raw_parts(row, n_blocks * (1 + Q8_0_BLOCK / 2)),
            std::slice::from_raw_parts(qs, n_blocks * Q8_0_BLOCK),
            std::slice::from_raw_parts(scales, n_blocks),
        )
    };
    let (halves, pairs) = row.split_at(n_blocks);
    let blocks = pairs
        .chunks_exact(Q8_0_BLOCK / 2)
        .zip(qs.chunks_exact(Q8_0_BLOCK));
    let mut sums = [0.0f32; 8];
    for (block_idx, (pairs, qs)) in blocks.enumerate() {
        let mut product = 0i32;
        for (pair, qs) in pairs.iter().zip(qs.as_chunks::<2>().0) {
            let [low, high] = pair.to_le_bytes().map(|byte| i32::from(byte as i8));
            product += low * i32::from(qs[0]) + high * i32::from(qs[1]);
        }
        let scale = f16_to_f32(halves[block_idx]) * scales[block_idx];
        sums[block_idx % 4] += scale * product as f32;
    }
    sum_lanes(sums)
}

/// Pseudo-code: `sum[i] += (scale * d) * q[i]` in every block.
///
/// # Safety
/// - `sum` is valid for reads and writes of 32 floats a block, `row` for reads of 17 words; they do not overlap.
unsafe fn add_scaled_q8_0(sum: *mut f32, row: *const u16, scale: f32, n_blocks: usize) {
    // SAFETY: the caller's promise.
    let (sum, row) = unsafe {
        (
            std::slice::from_raw_parts_mut(sum, n_blocks * Q8_0_BLOCK),
            std::slice::from_raw_parts(row, n_blocks * (1 + Q8_0_BLOCK / 2)),
        )
    };
    let (halves, pairs) = row.split_at(n_blocks);
    let blocks = pairs
        .chunks_exact(Q8_0_BLOCK / 2)
        .zip(sum.chunks_exact_mut(Q8_0_BLOCK));
    for ((pairs, sum), half) in blocks.zip(halves) {
        let factor = scale * f16_to_f32(*half);
        for (pair, sum) in pairs.iter().zip(sum.as_chunks_mut::<2>().0) {
            let [low, high] = pair.to_le_bytes().map(|byte| f32::from(byte as i8));
            sum[0] += factor * low;
            sum[1] += factor * high;
        }
    }
}
