//! Attention in 256-bit vectors: sixteen positions or elements are two of them, and twelve of the sixteen registers
//! hold sums of six heads.

use std::arch::x86_64::*;

use super::batch::{Dot, Dpbusd, Maddubs};
use crate::simd::attention::{Attention, Lanes, Queries, attention};
use crate::simd::rows256::prefetch_far;

/// Bytes of four elements of every position.
const CHUNK_BYTES: usize = 64;

pub const MADDUBS: Attention = attention!("avx2,f16c,fma", Ymm<Maddubs>, 1, 6);

pub const VNNI: Attention = attention!("avx2,f16c,fma,avxvnni", Ymm<Dpbusd>, 1, 6);

/// Two vectors, and how bytes are multiplied.
struct Ymm<D>(std::marker::PhantomData<D>);

impl<D: Dot> Lanes for Ymm<D> {
    type Vector = [__m256; 2];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))] }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: Self::Vector) {
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_storeu_ps(at, value[0]);
            _mm256_storeu_ps(at.add(8), value[1]);
        }
    }

    #[inline(always)]
    unsafe fn load_halves(at: *const u16) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(at.add(8).cast())),
            ]
        }
    }

    #[inline(always)]
    unsafe fn splat_half(at: *const u16) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [_mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(*at)))); 2] }
    }

    #[inline(always)]
    unsafe fn load_bytes(at: *const i8) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            [
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast()))),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.add(8).cast()))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn fused(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            [
                _mm256_fmadd_ps(a[0], b[0], c[0]),
                _mm256_fmadd_ps(a[1], b[1], c[1]),
            ]
        }
    }

    /// With unsigned keys as in 512 bits, where the product takes them so.
    #[inline(always)]
    unsafe fn dots<const H: usize>(keys: *const i8, queries: Queries) -> [Self::Vector; H] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); 2]; H];
            if D::IS_FLIPPED {
                for (head, sums) in sums.iter_mut().enumerate() {
                    let query_sum = i32::from(*queries.sums.add(head * queries.sums_stride));
                    *sums = [_mm256_set1_epi32(-128 * query_sum); 2];
                }
            }
            for chunk in 0..8 {
                let mut key = [_mm256_setzero_si256(); 2];
                for (half, key) in key.iter_mut().enumerate() {
                    let at = keys.add(chunk * CHUNK_BYTES + half * 32);
                    *key = _mm256_loadu_si256(at.cast());
                    if D::IS_FLIPPED {
                        *key = _mm256_xor_si256(*key, _mm256_set1_epi8(-128));
                    }
                }
                for (head, sums) in sums.iter_mut().enumerate() {
                    let query = queries.qs.add(head * queries.stride + chunk * 4);
                    let query = _mm256_set1_epi32(query.cast::<i32>().read_unaligned());
                    for (sum, key) in sums.iter_mut().zip(key) {
                        *sum = D::add::<true>(*sum, key, query);
                    }
                }
            }
            let mut dots = [[_mm256_setzero_ps(); 2]; H];
            for (dots, sums) in dots.iter_mut().zip(sums) {
                *dots = [_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])];
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
