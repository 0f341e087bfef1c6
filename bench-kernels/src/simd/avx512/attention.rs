//! Attention in 512-bit vectors: sixteen positions or elements are one of them, and sixteen registers hold sums.

use std::arch::x86_64::*;

use crate::simd::attention::{Attention, Lanes, Queries, attention};
use crate::simd::rows256::prefetch_far;

/// Bytes of four elements of every position.
const CHUNK_BYTES: usize = 64;

pub const VNNI: Attention = attention!(
    "avx2,f16c,fma,avx512f,avx512bw,avx512vl,avx512vnni",
    Zmm,
    2,
    8
);

/// One vector.
struct Zmm;

impl Lanes for Zmm {
    type Vector = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(at, value) }
    }

    #[inline(always)]
    unsafe fn load_halves(at: *const u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
    }

    #[inline(always)]
    unsafe fn splat_half(at: *const u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(*at)))) }
    }

    #[inline(always)]
    unsafe fn load_bytes(at: *const i8) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(at.cast()))) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn fused(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    /// Keys are made unsigned by adding 128, and the sums begin at -128 times the sum of the query.
    #[inline(always)]
    unsafe fn dots<const H: usize>(keys: *const i8, queries: Queries) -> [__m512; H] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [_mm512_setzero_si512(); H];
            for (head, sum) in sums.iter_mut().enumerate() {
                let query_sum = i32::from(*queries.sums.add(head * queries.sums_stride));
                *sum = _mm512_set1_epi32(-128 * query_sum);
            }
            for chunk in 0..8 {
                let key = _mm512_loadu_si512(keys.add(chunk * CHUNK_BYTES).cast());
                let key = _mm512_xor_si512(key, _mm512_set1_epi8(-128));
                for (head, sum) in sums.iter_mut().enumerate() {
                    let query = queries.qs.add(head * queries.stride + chunk * 4);
                    let query = _mm512_set1_epi32(query.cast::<i32>().read_unaligned());
                    *sum = _mm512_dpbusd_epi32(*sum, key, query);
                }
            }
            let mut dots = [_mm512_setzero_ps(); H];
            for (dot, sum) in dots.iter_mut().zip(sums) {
                *dot = _mm512_cvtepi32_ps(sum);
            }
            dots
        }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u16) {
        // SAFETY: prefetching any address is harmless.
        unsafe { prefetch_far(at) }
    }
}
