//! Work on vectors of one token: norm, gate and quantisation of activations.
//!
//! What treats every element alike is written once, in [`crate::numeric`], and compiled for the instruction sets of
//! each variant: without fused multiply-adds the compiler keeps every rounding, so that all variants agree.

use super::Isa;
use crate::numeric::{self, Activations};

/// Elements that share a scale in a row of Q8_0.
pub const Q8_0_BLOCK: usize = 32;

/// The vector functions of one variant.
pub(super) struct Vectors {
    pub(super) rms_norm: unsafe fn(&[f32], &[f32], &mut [f32]),
    pub(super) quantise: unsafe fn(&mut Activations, &[f32]),
    pub(super) silu_times: unsafe fn(&mut [f32], &[f32], &[f32]),
}

/// The vector functions of a variant, compiled for the instruction sets named.
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
            rms_norm,
            quantise,
            silu_times,
        }
    }};
}
pub(super) use vectors;

/// The reference.
pub(super) const SCALAR: Vectors = Vectors {
    rms_norm: numeric::rms_norm,
    quantise: Activations::quantise,
    silu_times: numeric::silu_times,
};

impl Isa {
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
