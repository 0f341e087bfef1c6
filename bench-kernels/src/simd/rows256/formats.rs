//! How each format is unpacked into bytes that a [`Dot`] multiplies, and how its sums are scaled.

use std::arch::x86_64::*;

use super::{Block, Dot};
use crate::numeric::Activations;

/// How far ahead of the loads the weights are prefetched: hardware prefetchers stop at a 4 KiB page, the stream does
/// not.
const PREFETCH_BYTES: usize = 4096;

/// # Safety
/// - Prefetching any address is harmless, so `at` need not be valid.
#[inline(always)]
unsafe fn prefetch<const LINES: usize>(at: *const u8) {
    for line in 0..LINES {
        // SAFETY: a prefetch never faults.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(PREFETCH_BYTES + line * 64).cast());
        }
    }
}

/// `(d * x_scale) * products`: the term of one block.
///
/// # Safety
/// - The CPU has AVX2 and F16C; `d` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn term(d: *const u8, x_scale: f32, products: __m256i) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        let d = _mm256_cvtph_ps(_mm_loadu_si128(d.cast()));
        let scale = _mm256_mul_ps(d, _mm256_set1_ps(x_scale));
        _mm256_mul_ps(scale, _mm256_cvtepi32_ps(products))
    }
}

/// # Safety
/// - The CPU has AVX2; `at` is valid for reads of 32 bytes.
#[inline(always)]
unsafe fn load(at: *const u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_loadu_si256(at.cast()) }
}

/// Scale of a block of activations.
///
/// # Safety
/// - `x` has a block of that index.
#[inline(always)]
unsafe fn scale_of(x: &Activations, block_idx: usize) -> f32 {
    debug_assert!(block_idx < x.scales.len(), "the block exists");
    // SAFETY: the caller's promise.
    unsafe { *x.scales.as_ptr().add(block_idx) }
}

/// Sum of the activations of a block of 32.
///
/// # Safety
/// - `x` is in blocks of 32 and has one of that index.
#[inline(always)]
unsafe fn sum32(x: &Activations, block_idx: usize) -> i32 {
    debug_assert!(block_idx * 2 + 1 < x.sums16.len(), "the block exists");
    let sums16 = x.sums16.as_ptr();
    // SAFETY: there are two sums for every block of 32.
    unsafe { *sums16.add(block_idx * 2) + *sums16.add(block_idx * 2 + 1) }
}

/// 16-bit sums hold all eight products of a block: 8 x 2 x 15 x 127 = 30480.
pub struct Q4_0;

impl Block for Q4_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<2>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for chunk_idx in 0..4 {
                let bytes = load(block.add(16 + chunk_idx * 32));
                let nibbles = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
                low = D::add(low, nibbles, q.add(chunk_idx * 4));
                high = D::add(high, D::high_nibbles(bytes), q.add(16 + chunk_idx * 4));
            }
            let offset = _mm256_set1_epi32(8 * sum32(x, block_idx));
            let products = _mm256_sub_epi32(D::total([low, D::high_sum(high)]), offset);
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}

/// Signed bytes are multiplied as they are.
pub struct Q8_0;

impl Block for Q8_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 272;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<4>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let mut products = _mm256_set1_epi32(-D::SIGNED_OFFSET * sum32(x, block_idx));
            for chunk_idx in 0..8 {
                let w = load(block.add(16 + chunk_idx * 32));
                products = D::add_signed(products, w, q.add(chunk_idx * 4));
            }
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}

/// q in 0..63; the offset -32 goes in once per sub-block, times the sum of its activations. 16-bit sums hold two
/// products: 2 x 2 x 63 x 127 = 32004.
pub struct Q6K;

impl Block for Q6K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1680;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            let q = x.qs.as_ptr().add(block_idx * 256);
            let sums16 = x.sums16.as_ptr().add(block_idx * 16);
            let (low, high) = (block.add(144), block.add(144 + 1024));
            let (low_mask, high_mask) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30));
            let mut products = _mm256_setzero_si256();
            for step in 0..4 {
                prefetch::<7>(block.add(step * 420));
                // Chunks step*4 .. step*4+3 of each quarter of the block: one sub-block of 16 in each quarter.
                let mut pairs = [[_mm256_setzero_si256(); 2]; 4];
                for in_step in 0..4 {
                    let chunk_idx = step * 4 + in_step;
                    let bits = load(high.add(chunk_idx * 32));
                    let even = load(low.add(chunk_idx * 32));
                    let odd = load(low.add((chunk_idx + 16) * 32));
                    let low_nibbles = [
                        _mm256_and_si256(even, low_mask),
                        _mm256_and_si256(odd, low_mask),
                        _mm256_and_si256(_mm256_srli_epi16(even, 4), low_mask),
                        _mm256_and_si256(_mm256_srli_epi16(odd, 4), low_mask),
                    ];
                    let high_bits = [
                        _mm256_slli_epi16(bits, 4),
                        _mm256_slli_epi16(bits, 2),
                        bits,
                        _mm256_srli_epi16(bits, 2),
                    ];
                    for quarter in 0..4 {
                        let high = _mm256_and_si256(high_bits[quarter], high_mask);
                        let value = _mm256_or_si256(low_nibbles[quarter], high);
                        let sum = &mut pairs[quarter][in_step / 2];
                        *sum = D::add(*sum, value, q.add((quarter * 16 + chunk_idx) * 4));
                    }
                }
                for (quarter, pairs) in pairs.into_iter().enumerate() {
                    let sub_block = quarter * 4 + step;
                    let scale = _mm_loadl_epi64(block.add(16 + sub_block * 8).cast());
                    let scale = _mm256_cvtepi8_epi32(scale);
                    let sum = D::scaled(pairs, scale, -32 * *sums16.add(sub_block));
                    products = _mm256_add_epi32(products, sum);
                }
            }
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}
