//! Attention as plain loops: the definition that every variant has to equal bit by bit.

use super::batch::fused;
use crate::numeric::f16_to_f32;
use crate::simd::attention::{
    Attention, BLOCK_POSITIONS, Bytes, Halves, Lanes, Queries, View, attend,
};

pub const ATTENTION: Attention = Attention { f16, q8_0 };

/// One head at a time: the sums of several would be set to zero by memset.
///
/// # Safety
/// - `view` leads to what [`Piece`](crate::simd::attention::Piece) describes.
unsafe fn f16(view: &View) {
    // SAFETY: the caller's promise.
    unsafe { attend::<Plain, Halves, 1, 1>(view) }
}

/// # Safety
/// - As for [`f16`].
unsafe fn q8_0(view: &View) {
    // SAFETY: the caller's promise.
    unsafe { attend::<Plain, Bytes, 1, 1>(view) }
}

/// An array.
struct Plain;

impl Lanes for Plain {
    type Vector = [f32; BLOCK_POSITIONS];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        [value; BLOCK_POSITIONS]
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's promise; an array has the alignment of its elements.
        unsafe { at.cast::<Self::Vector>().read() }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: Self::Vector) {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Self::Vector>().write(value) }
    }

    #[inline(always)]
    unsafe fn load_halves(at: *const u16) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[u16; BLOCK_POSITIONS]>().read() }.map(f16_to_f32)
    }

    #[inline(always)]
    unsafe fn splat_half(at: *const u16) -> Self::Vector {
        // SAFETY: the caller's promise.
        [f16_to_f32(unsafe { *at }); BLOCK_POSITIONS]
    }

    #[inline(always)]
    unsafe fn load_bytes(at: *const i8) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[i8; BLOCK_POSITIONS]>().read() }.map(f32::from)
    }

    #[inline(always)]
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    unsafe fn fused(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| fused(a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    unsafe fn dots<const H: usize>(keys: *const i8, queries: Queries) -> [Self::Vector; H] {
        let mut dots = [[0i32; BLOCK_POSITIONS]; H];
        for (head, dots) in dots.iter_mut().enumerate() {
            for element in 0..crate::simd::Q8_0_BLOCK {
                // SAFETY: the caller's promise.
                let query = unsafe { *queries.qs.add(head * queries.stride + element) };
                for (position, dot) in dots.iter_mut().enumerate() {
                    let at = (element / 4 * BLOCK_POSITIONS + position) * 4 + element % 4;
                    // SAFETY: the caller's promise.
                    *dot += i32::from(unsafe { *keys.add(at) }) * i32::from(query);
                }
            }
        }
        dots.map(|dots| dots.map(|dot| dot as f32))
    }

    #[inline(always)]
    unsafe fn prefetch(_at: *const u16) {}
}
