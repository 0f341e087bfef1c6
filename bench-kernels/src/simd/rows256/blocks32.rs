//! The formats in blocks of 32 elements with one scale.

use std::arch::x86_64::*;

use super::{Block, Dot, field, field_sum, load, prefetch, scale_of, shifted, sum32, term};
use crate::kernels::weights::IQ4_NL_VALUES;
use crate::numeric::Activations;

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
            prefetch::<D, 2>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for chunk_idx in 0..4 {
                let bytes = load(block.add(16 + chunk_idx * 32));
                let nibbles = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
                low = D::add(low, nibbles, q.add(chunk_idx * 4));
                high = D::add(high, field::<D>(bytes, 4, 15), q.add(16 + chunk_idx * 4));
            }
            let offset = _mm256_set1_epi32(8 * sum32(x, block_idx));
            let products =
                _mm256_sub_epi32(D::total([D::join(low, field_sum::<D>(high, 4))]), offset);
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
            prefetch::<D, 4>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let mut products = _mm256_set1_epi32(-D::SIGNED_OFFSET * sum32(x, block_idx));
            for chunk_idx in 0..8 {
                let w = load(block.add(16 + chunk_idx * 32));
                products = D::add_signed(products, w, q.add(chunk_idx * 4));
            }
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}

/// q in 0..31; 16-bit sums hold four products: 4 x 2 x 31 x 127 = 31496.
pub struct Q5_0;

impl Block for Q5_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 176;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<D, 3>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let (mask, fifth_mask) = (_mm256_set1_epi8(15), _mm256_set1_epi8(16));
            let fifth = load(block.add(16));
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for chunk_idx in 0..4 {
                let bytes = load(block.add(48 + chunk_idx * 32));
                let bits = [4, 0].map(|left| shifted(fifth, left - chunk_idx as i32));
                let nibbles = [bytes, _mm256_srli_epi16(bytes, 4)];
                let value = |idx: usize| {
                    _mm256_or_si256(
                        _mm256_and_si256(nibbles[idx], mask),
                        _mm256_and_si256(bits[idx], fifth_mask),
                    )
                };
                low = D::add(low, value(0), q.add(chunk_idx * 4));
                high = D::add(high, value(1), q.add(16 + chunk_idx * 4));
            }
            let offset = _mm256_set1_epi32(16 * sum32(x, block_idx));
            let products = _mm256_sub_epi32(D::total([low, high]), offset);
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}

/// The values are looked up by a byte shuffle, then multiplied as signed bytes.
pub struct Iq4Nl;

impl Block for Iq4Nl {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block: the caller's promise; the table has 16 bytes.
        unsafe {
            prefetch::<D, 2>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let table = _mm_loadu_si128(IQ4_NL_VALUES.as_ptr().cast());
            let table = _mm256_broadcastsi128_si256(table);
            let mask = _mm256_set1_epi8(15);
            let mut products = _mm256_set1_epi32(-D::SIGNED_OFFSET * sum32(x, block_idx));
            for chunk_idx in 0..4 {
                let bytes = load(block.add(16 + chunk_idx * 32));
                let low = _mm256_and_si256(bytes, mask);
                let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
                let at = q.add(chunk_idx * 4);
                products = D::add_signed(products, _mm256_shuffle_epi8(table, low), at);
                products = D::add_signed(products, _mm256_shuffle_epi8(table, high), at.add(16));
            }
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}
