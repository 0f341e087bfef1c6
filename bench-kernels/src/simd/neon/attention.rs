//! Attention in 128-bit vectors: sixteen positions or elements are four of them, and 24 of the 32 registers hold sums
//! of six heads.

use std::arch::aarch64::*;
use std::arch::asm;

use super::products::{Dotprod, RowDot, Widening, load_f16x4};
use crate::simd::attention::{Attention, Lanes, Queries, attention};

/// Bytes of four elements of every position.
const CHUNK_BYTES: usize = 64;

pub const WIDENING: Attention = attention!("neon", Quad<Widening>, 1, 6);

pub const DOTPROD: Attention = attention!("neon", Quad<Dotprod>, 1, 6);

/// Four vectors, and how bytes are multiplied.
struct Quad<D>(std::marker::PhantomData<D>);

impl<D: RowDot> Lanes for Quad<D> {
    type Vector = [float32x4_t; 4];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [vdupq_n_f32(value); 4] }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [0, 4, 8, 12].map(|lane| vld1q_f32(at.add(lane))) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: Self::Vector) {
        for (idx, value) in value.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { vst1q_f32(at.add(idx * 4), value) };
        }
    }

    #[inline(always)]
    unsafe fn load_halves(at: *const u16) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [0, 4, 8, 12].map(|lane| load_f16x4(at.add(lane).cast())) }
    }

    #[inline(always)]
    unsafe fn splat_half(at: *const u16) -> Self::Vector {
        let value: f32;
        // SAFETY: FCVT is part of ARMv8.0; `at` as promised.
        unsafe {
            asm!(
                "fcvt {value:s}, {half:h}",
                value = out(vreg) value,
                half = in(vreg) vdup_n_u16(*at),
                options(pure, nomem, nostack, preserves_flags),
            );
            [vdupq_n_f32(value); 4]
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(at: *const i8) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            let bytes = vld1q_s8(at);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            [
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [0, 1, 2, 3].map(|idx| vmulq_f32(a[idx], b[idx])) }
    }

    #[inline(always)]
    unsafe fn fused(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [0, 1, 2, 3].map(|idx| vfmaq_f32(c[idx], a[idx], b[idx])) }
    }

    /// Four positions at a time: sums of all heads, four chunks of keys, and a query.
    #[inline(always)]
    unsafe fn dots<const H: usize>(keys: *const i8, queries: Queries) -> [Self::Vector; H] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut dots = [[vdupq_n_f32(0.0); 4]; H];
            for quarter in 0..4 {
                let mut sums = [vdupq_n_s32(0); H];
                for first in [0, 4] {
                    let key = [0, 1, 2, 3].map(|chunk| {
                        vld1q_s8(keys.add((first + chunk) * CHUNK_BYTES + quarter * 16))
                    });
                    for (head, sum) in sums.iter_mut().enumerate() {
                        let query = queries.qs.add(head * queries.stride + first * 4);
                        *sum = D::add(*sum, key, vld1q_s8(query));
                    }
                }
                for (dots, sum) in dots.iter_mut().zip(sums) {
                    dots[quarter] = vcvtq_f32_s32(sum);
                }
            }
            dots
        }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u16) {
        // SAFETY: PRFM never faults and changes no state the program sees.
        unsafe {
            asm!("prfm pldl1strm, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
        }
    }
}
