//! AVX2 with F16C and FMA: 256-bit streams and vectors; a second variant with the dot-product instruction of AVX-VNNI.

pub(super) mod batch;
pub(super) mod peak;

use std::arch::x86_64::*;

use super::rows256::{Maddubs, VexDpbusd, products};
use super::streams::{V256, streams};
use super::vectors::{Q8_0_BLOCK, vectors};
use super::{Isa, Missing, sum_lanes};

streams!("avx2", V256);

pub(super) static ISA: Isa = Isa {
    name: "avx2",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c", Maddubs),
    batched: batch::MADDUBS,
    peaks: peak::MADDUBS,
    dot_f16,
    add_scaled_f16,
    vectors: vectors!("avx2"),
};

pub(super) static ISA_VNNI: Isa = Isa {
    name: "avx-vnni",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c,avxvnni", VexDpbusd),
    batched: batch::VNNI,
    peaks: peak::VNNI,
    dot_f16,
    add_scaled_f16,
    vectors: vectors!("avx2"),
};

pub(super) fn detect() -> Result<&'static Isa, Missing> {
    if !is_x86_feature_detected!("avx2") {
        return Err(Missing {
            reason: "the CPU has no AVX2".into(),
        });
    }
    if !is_x86_feature_detected!("f16c") {
        return Err(Missing {
            reason: "the CPU has no F16C".into(),
        });
    }
    if !is_x86_feature_detected!("fma") {
        return Err(Missing {
            reason: "the CPU has no FMA".into(),
        });
    }
    Ok(&ISA)
}

pub(super) fn detect_vnni() -> Result<&'static Isa, Missing> {
    detect()?;
    if !is_x86_feature_detected!("avxvnni") {
        return Err(Missing {
            reason: "the CPU has no AVX-VNNI".into(),
        });
    }
    Ok(&ISA_VNNI)
}

/// # Safety
/// - The CPU has AVX2 and F16C; `a` and `b` are valid for reads of `n` elements; `n` is a multiple of 8.
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn dot_f16(a: *const u16, b: *const f32, n: usize) -> f32 {
    let mut sums = _mm256_setzero_ps();
    let mut lanes = [0.0f32; 8];
    // SAFETY: `n` is a multiple of 8, so every access of 8 elements lies below `n`.
    unsafe {
        for idx in (0..n).step_by(8) {
            let a = _mm256_cvtph_ps(_mm_loadu_si128(a.add(idx).cast()));
            sums = _mm256_add_ps(sums, _mm256_mul_ps(a, _mm256_loadu_ps(b.add(idx))));
        }
        _mm256_storeu_ps(lanes.as_mut_ptr(), sums);
    }
    sum_lanes(lanes)
}

/// # Safety
/// - The CPU has AVX2 and F16C; `sum` is valid for reads and writes and `v` for reads of `n` elements, which do not
///   overlap; `n` is a multiple of 8.
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn add_scaled_f16(sum: *mut f32, v: *const u16, scale: f32, n: usize) {
    let factor = _mm256_set1_ps(scale);
    // SAFETY: `n` is a multiple of 8, so every access of 8 elements lies below `n`.
    unsafe {
        for idx in (0..n).step_by(8) {
            let v = _mm256_cvtph_ps(_mm_loadu_si128(v.add(idx).cast()));
            let at = sum.add(idx);
            _mm256_storeu_ps(
                at,
                _mm256_add_ps(_mm256_loadu_ps(at), _mm256_mul_ps(factor, v)),
            );
        }
    }
}

/// Pseudo-code as in the reference.
/// 1. |q| times x with the sign of q: the multiply-add of bytes takes one operand without sign, and no sum of two
///    products of -127..127 leaves 16 bits.
/// 2. The sums of four blocks fall into one vector by adding neighbours, and are scaled together.
///
/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `row` is valid for reads of 17 words a block, `qs` of 32 bytes, `scales` of one float.
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn dot_q8_0(
    row: *const u16,
    qs: *const i8,
    scales: *const f32,
    n_blocks: usize,
) -> f32 {
    let mut sums = _mm_setzero_ps();
    let mut lanes = [0.0f32; 8];
    // SAFETY: the caller's promise; every quad lies below `n_blocks`.
    unsafe {
        for first in (0..n_blocks).step_by(4) {
            let qs = qs.add(first * Q8_0_BLOCK);
            let elements = row.add(n_blocks).cast::<i8>().add(first * Q8_0_BLOCK);
            let (d, scales) = (row.add(first), scales.add(first));
            let terms = match n_blocks - first {
                1 => dot_quad::<1>(d, elements, qs, scales),
                2 => dot_quad::<2>(d, elements, qs, scales),
                3 => dot_quad::<3>(d, elements, qs, scales),
                _ => dot_quad::<4>(d, elements, qs, scales),
            };
            sums = _mm_add_ps(sums, terms);
        }
        _mm_storeu_ps(lanes.as_mut_ptr(), sums);
    }
    sum_lanes(lanes)
}

/// The terms of `N` blocks, at most four, and zeroes. Their number is a constant: the scales of a number that is not
/// known would be collected by a call of memcpy.
///
/// # Safety
/// - The CPU has AVX2 and F16C; `d` and `scales` are valid for reads of `N` elements, `elements` and `qs` of 32 `N`.
#[inline(always)]
unsafe fn dot_quad<const N: usize>(
    d: *const u16,
    elements: *const i8,
    qs: *const i8,
    scales: *const f32,
) -> __m128 {
    let (mut d_quad, mut scale_quad) = ([0u16; 4], [0.0f32; 4]);
    // SAFETY: the caller's promise.
    unsafe {
        let mut products = [_mm256_setzero_si256(); 4];
        for idx in 0..N {
            let q = _mm256_loadu_si256(elements.add(idx * Q8_0_BLOCK).cast());
            let x = _mm256_loadu_si256(qs.add(idx * Q8_0_BLOCK).cast());
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q));
            products[idx] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
            d_quad[idx] = *d.add(idx);
            scale_quad[idx] = *scales.add(idx);
        }
        let [a, b, c, d] = products;
        let quads = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let products = _mm_add_epi32(
            _mm256_castsi256_si128(quads),
            _mm256_extracti128_si256::<1>(quads),
        );
        let d = _mm_cvtph_ps(_mm_loadl_epi64(d_quad.as_ptr().cast()));
        let scale = _mm_mul_ps(d, _mm_loadu_ps(scale_quad.as_ptr()));
        _mm_mul_ps(scale, _mm_cvtepi32_ps(products))
    }
}

/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `sum` is valid for reads and writes of 32 floats a block, `row` for reads of 17 words; they do not overlap.
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn add_scaled_q8_0(sum: *mut f32, row: *const u16, scale: f32, n_blocks: usize) {
    // SAFETY: every access lies inside the blocks, by the loops' bounds.
    unsafe {
        for block_idx in 0..n_blocks {
            let d = _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(*row.add(block_idx))));
            let factor = _mm256_broadcastss_ps(_mm_mul_ss(_mm_set_ss(scale), d));
            let qs = row.add(n_blocks).cast::<i8>().add(block_idx * Q8_0_BLOCK);
            for idx in (0..Q8_0_BLOCK).step_by(8) {
                let q = _mm256_cvtepi8_epi32(_mm_loadl_epi64(qs.add(idx).cast()));
                let at = sum.add(block_idx * Q8_0_BLOCK + idx);
                let term = _mm256_mul_ps(factor, _mm256_cvtepi32_ps(q));
                _mm256_storeu_ps(at, _mm256_add_ps(_mm256_loadu_ps(at), term));
            }
        }
    }
}
