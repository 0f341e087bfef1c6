//! The K formats: blocks of 256 elements in sub-blocks with integer scales of their own.
//!
//! Scales and minima of two neighbouring sub-blocks lie side by side for each row: as 16-bit halves of a row's lane
//! they meet the sums of the same two sub-blocks of the activations in one multiply-add.

use std::arch::x86_64::*;

use super::{Block, Dot, field, field_sum, load, prefetch, scale_of, shifted, term};
use crate::numeric::Activations;

/// A run of 16 bytes, two for each row, as 16-bit halves of the lanes.
///
/// # Safety
/// - The CPU has AVX2; `at` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn paired(at: *const u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast())) }
}

/// `pairs[r] . (sums[0], sums[1])` for every row.
///
/// # Safety
/// - The CPU has AVX2; `sums` is valid for reads of two elements.
#[inline(always)]
unsafe fn pair_product(pairs: __m256i, sums: *const i16) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        _mm256_madd_epi16(
            pairs,
            _mm256_set1_epi32(sums.cast::<i32>().read_unaligned()),
        )
    }
}

/// The scales of both sub-blocks of a pair, each alone in its lane, with their sign.
///
/// # Safety
/// - The CPU has AVX2.
#[inline(always)]
unsafe fn both_scales(pairs: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            _mm256_srai_epi32(_mm256_slli_epi32(pairs, 16), 16),
            _mm256_srai_epi32(pairs, 16),
        ]
    }
}

/// q in 0..3: 16-bit sums hold the four products of a sub-block with ease.
pub struct Q2K;

impl Block for Q2K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 672;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: all offsets lie inside the block, the activations have 16 sums for it: the caller's promise.
        unsafe {
            let (mut products, mut minima) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for half in 0..2 {
                prefetch::<D, 6>(block.add(half * 336));
                let q = x.qs().as_ptr().add(block_idx * 256 + half * 128);
                let sums16 = x.sums16().as_ptr().add(block_idx * 16 + half * 8);
                let mut scales = [[_mm256_setzero_si256(); 2]; 4];
                for (run, scales) in scales.iter_mut().enumerate() {
                    let pairs = paired(block.add(32 + (half * 4 + run) * 16));
                    let minimum = _mm256_srli_epi16(pairs, 4);
                    minima = _mm256_add_epi32(minima, pair_product(minimum, sums16.add(run * 2)));
                    *scales = both_scales(_mm256_and_si256(pairs, _mm256_set1_epi16(15)));
                }
                for parity in 0..2 {
                    let mut dots = [_mm256_setzero_si256(); 4];
                    for chunk_idx in parity * 4..parity * 4 + 4 {
                        let bytes = load(block.add(160 + (half * 8 + chunk_idx) * 32));
                        for (run, dot) in dots.iter_mut().enumerate() {
                            let value = field::<D>(bytes, run as i32 * 2, 3);
                            *dot = D::add(*dot, value, q.add(run * 32 + chunk_idx * 4));
                        }
                    }
                    for (run, (dot, scales)) in dots.into_iter().zip(scales).enumerate() {
                        let dot = field_sum::<D>(dot, run as i32 * 2);
                        let product = D::scaled([dot], scales[parity], 0);
                        products = _mm256_add_epi32(products, product);
                    }
                }
            }
            let x_scale = scale_of(x, block_idx);
            let sums = _mm256_add_ps(sums, term(block, x_scale, products));
            _mm256_sub_ps(sums, term(block.add(16), x_scale, minima))
        }
    }
}

/// q in 0..7; the offset -4 goes in through the sums of the activations, as a minimum would.
pub struct Q3K;

impl Block for Q3K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 880;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe {
            let low = q3_k_half::<D, 0>(block, x, block_idx);
            let high = q3_k_half::<D, 1>(block, x, block_idx);
            let products = _mm256_add_epi32(low, high);
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}

/// Scaled products of 128 elements of a Q3_K block.
///
/// # Safety
/// - As for [`Block::add`]; `HALF < 2`.
#[inline(always)]
unsafe fn q3_k_half<D: Dot, const HALF: usize>(
    block: *const u8,
    x: &Activations,
    block_idx: usize,
) -> __m256i {
    // SAFETY: all offsets lie inside the block, the activations have 16 sums for it: the caller's promise.
    unsafe {
        prefetch::<D, 7>(block.add(HALF * 440));
        let q = x.qs().as_ptr().add(block_idx * 256 + HALF * 128);
        let sums16 = x.sums16().as_ptr().add(block_idx * 16 + HALF * 8);
        let (mut products, mut offsets) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        let mut scales = [[_mm256_setzero_si256(); 2]; 4];
        for (run, scales) in scales.iter_mut().enumerate() {
            let low = shifted(paired(block.add(16 + run * 16)), HALF as i32 * -4);
            let low = _mm256_and_si256(low, _mm256_set1_epi16(15));
            let high = paired(block.add(80 + run % 2 * 16));
            let high = shifted(high, 4 - (HALF * 4 + run / 2 * 2) as i32);
            let high = _mm256_and_si256(high, _mm256_set1_epi16(0x30));
            let pairs = _mm256_sub_epi16(_mm256_or_si256(low, high), _mm256_set1_epi16(32));
            offsets = _mm256_add_epi32(offsets, pair_product(pairs, sums16.add(run * 2)));
            *scales = both_scales(pairs);
        }
        for parity in 0..2 {
            let mut dots = [_mm256_setzero_si256(); 4];
            for chunk_idx in parity * 4..parity * 4 + 4 {
                let bytes = load(block.add(368 + (HALF * 8 + chunk_idx) * 32));
                let third = load(block.add(112 + chunk_idx * 32));
                for (run, dot) in dots.iter_mut().enumerate() {
                    let right = three_bits_at::<D>(run);
                    let low = shifted(bytes, right - run as i32 * 2);
                    let high = shifted(third, right + 2 - (HALF * 4 + run) as i32);
                    let value = _mm256_or_si256(
                        _mm256_and_si256(low, _mm256_set1_epi8(3 << right)),
                        _mm256_and_si256(high, _mm256_set1_epi8(4 << right)),
                    );
                    *dot = D::add(*dot, value, q.add(run * 32 + chunk_idx * 4));
                }
            }
            for (run, (dot, scales)) in dots.into_iter().zip(scales).enumerate() {
                let dot = field_sum::<D>(dot, three_bits_at::<D>(run));
                products = _mm256_add_epi32(products, D::scaled([dot], scales[parity], 0));
            }
        }
        _mm256_sub_epi32(products, _mm256_slli_epi32(offsets, 2))
    }
}

/// Where the three bits of a run are put together: where the low two are, as long as the third fits on top.
#[inline(always)]
fn three_bits_at<D: Dot>(run: usize) -> i32 {
    match run {
        0..3 if D::FIELDS_STAY => run as i32 * 2,
        _ => 0,
    }
}

/// 16-bit sums hold the eight products of a sub-block: 8 x 2 x 15 x 127 = 30480.
pub struct Q4K;

impl Block for Q4K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1152;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { add_k::<D, false>(sums, block, x, block_idx) }
    }
}

/// q in 0..31: 16-bit sums hold four products, half a sub-block: 4 x 2 x 31 x 127 = 31496.
pub struct Q5K;

impl Block for Q5K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1408;

    #[inline(always)]
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { add_k::<D, true>(sums, block, x, block_idx) }
    }
}

/// What Q4_K and Q5_K share.
///
/// # Safety
/// - As for [`Block::add`].
#[inline(always)]
unsafe fn add_k<D: Dot, const FIFTH: bool>(
    sums: __m256,
    block: *const u8,
    x: &Activations,
    block_idx: usize,
) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        let mut totals = [_mm256_setzero_si256(); 2];
        totals = k_step::<D, FIFTH, 0>(totals, block, x, block_idx);
        totals = k_step::<D, FIFTH, 1>(totals, block, x, block_idx);
        totals = k_step::<D, FIFTH, 2>(totals, block, x, block_idx);
        totals = k_step::<D, FIFTH, 3>(totals, block, x, block_idx);
        let x_scale = scale_of(x, block_idx);
        let sums = _mm256_add_ps(sums, term(block, x_scale, totals[0]));
        _mm256_sub_ps(sums, term(block.add(16), x_scale, totals[1]))
    }
}

/// Adds sub-blocks `2 * STEP` and `2 * STEP + 1` to the scaled products and to the minima of a block.
///
/// # Safety
/// - As for [`Block::add`]; `STEP < 4`.
#[inline(always)]
unsafe fn k_step<D: Dot, const FIFTH: bool, const STEP: usize>(
    [products, minima]: [__m256i; 2],
    block: *const u8,
    x: &Activations,
    block_idx: usize,
) -> [__m256i; 2] {
    // SAFETY: all offsets lie inside the block, the activations have 8 sums for it: the caller's promise.
    unsafe {
        let q = x.qs().as_ptr().add(block_idx * 256 + STEP * 64);
        let sums32 = x.sums32().as_ptr().add(block_idx * 8 + STEP * 2);
        let bytes = paired(block.add(32 + STEP * 16));
        let high = shifted(
            paired(block.add(96 + STEP % 2 * 16)),
            if STEP < 2 { 2 } else { -2 },
        );
        let minimum = _mm256_or_si256(
            _mm256_srli_epi16(bytes, 6),
            _mm256_and_si256(high, _mm256_set1_epi16(60)),
        );
        let scales = both_scales(_mm256_and_si256(bytes, _mm256_set1_epi16(63)));
        let minima = _mm256_add_epi32(minima, pair_product(minimum, sums32));
        let (low, high) = if FIFTH {
            prefetch::<D, 6>(block.add(STEP * 352));
            let (low, high) = q5_k_dots::<D, STEP>(block, q);
            (D::scaled(low, scales[0], 0), D::scaled(high, scales[1], 0))
        } else {
            prefetch::<D, 5>(block.add(STEP * 288));
            let (low, high) = q4_k_dots::<D>(block.add(128 + STEP * 256), q);
            (
                D::scaled([low], scales[0], 0),
                D::scaled([field_sum::<D>(high, 4)], scales[1], 0),
            )
        };
        [
            _mm256_add_epi32(products, _mm256_add_epi32(low, high)),
            minima,
        ]
    }
}

/// Unscaled products of two sub-blocks of Q4_K: the low nibbles of eight vectors, and the high ones.
///
/// # Safety
/// - The CPU has AVX2 and what `D` needs; `vectors` is valid for reads of 256 bytes, `q` of 64.
#[inline(always)]
unsafe fn q4_k_dots<D: Dot>(vectors: *const u8, q: *const i8) -> (__m256i, __m256i) {
    let mut low;
    let mut high;
    // SAFETY: the caller's promise.
    unsafe {
        low = _mm256_setzero_si256();
        high = _mm256_setzero_si256();
        for chunk_idx in 0..8 {
            let bytes = load(vectors.add(chunk_idx * 32));
            let nibbles = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
            low = D::add(low, nibbles, q.add(chunk_idx * 4));
            high = D::add(high, field::<D>(bytes, 4, 15), q.add(32 + chunk_idx * 4));
        }
    }
    (low, high)
}

/// Unscaled products of sub-blocks `2 * STEP` and `2 * STEP + 1` of Q5_K, each in two running sums.
///
/// # Safety
/// - The CPU has AVX2 and what `D` needs; `block` is valid for reads of 1408 bytes, `q` of 64; `STEP < 4`.
#[inline(always)]
unsafe fn q5_k_dots<D: Dot, const STEP: usize>(
    block: *const u8,
    q: *const i8,
) -> ([__m256i; 2], [__m256i; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut low, mut high) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
        for chunk_idx in 0..8 {
            let bytes = load(block.add(384 + (STEP * 8 + chunk_idx) * 32));
            let fifth = load(block.add(128 + chunk_idx * 32));
            let value = |nibbles: __m256i, sub_block: usize| {
                let bit = shifted(fifth, 4 - sub_block as i32);
                _mm256_or_si256(
                    _mm256_and_si256(nibbles, _mm256_set1_epi8(15)),
                    _mm256_and_si256(bit, _mm256_set1_epi8(16)),
                )
            };
            let (even, odd) = (
                value(bytes, STEP * 2),
                value(_mm256_srli_epi16(bytes, 4), STEP * 2 + 1),
            );
            let half = chunk_idx / 4;
            low[half] = D::add(low[half], even, q.add(chunk_idx * 4));
            high[half] = D::add(high[half], odd, q.add(32 + chunk_idx * 4));
        }
        (low, high)
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
            let q = x.qs().as_ptr().add(block_idx * 256);
            let sums16 = x.sums16().as_ptr().add(block_idx * 16);
            let (low, high) = (block.add(144), block.add(144 + 1024));
            let (low_mask, high_mask) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30));
            let mut products = _mm256_setzero_si256();
            for step in 0..4 {
                prefetch::<D, 7>(block.add(step * 420));
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
                    let sum = D::scaled(pairs, scale, -32 * i32::from(*sums16.add(sub_block)));
                    products = _mm256_add_epi32(products, sum);
                }
            }
            _mm256_add_ps(sums, term(block, scale_of(x, block_idx), products))
        }
    }
}
