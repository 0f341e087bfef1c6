//! The K formats: blocks of 256 elements in sub-blocks with integer scales of their own.
//!
//! Scales and minima of two neighbouring sub-blocks lie side by side for each row: as 16-bit halves of a row's lane
//! they meet the sums of the same two sub-blocks of the activations.

use std::arch::aarch64::*;

use super::{
    Block, RowDot, add_block, load4, nibbles, prefetch, scale_of, shifted, signed, subtract_block,
    with_bit,
};
use crate::numeric::Activations;

/// A run of 16 bytes, two for each row, as 16-bit numbers; one vector for four rows.
///
/// # Safety
/// - The CPU has NEON; `at` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn paired(at: *const u8) -> [int16x8_t; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let bytes = vld1q_u8(at);
        [
            vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))),
            vreinterpretq_s16_u16(vmovl_high_u8(bytes)),
        ]
    }
}

/// `sum[r] + pairs[r] . (sums[0], sums[1])` for four rows.
///
/// # Safety
/// - The CPU has NEON; `sums` is valid for reads of two elements.
#[inline(always)]
unsafe fn add_pair_product(sum: int32x4_t, pairs: int16x8_t, sums: *const i16) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        let x = vreinterpretq_s16_s32(vdupq_n_s32(sums.cast::<i32>().read_unaligned()));
        let low = vmull_s16(vget_low_s16(pairs), vget_low_s16(x));
        vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(pairs, x)))
    }
}

/// The scales of both sub-blocks of a pair, each alone in its lane, with their sign.
///
/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn both_scales(pairs: int16x8_t) -> [int32x4_t; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let lanes = vreinterpretq_s32_s16(pairs);
        [
            vshrq_n_s32::<16>(vshlq_n_s32::<16>(lanes)),
            vshrq_n_s32::<16>(lanes),
        ]
    }
}

/// 16-bit numbers shifted to the left by `left` bits or to the right by `-left`, without sign.
///
/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn shifted16(numbers: int16x8_t, left: i16) -> int16x8_t {
    // SAFETY: the caller's promise.
    unsafe {
        let numbers = vreinterpretq_u16_s16(numbers);
        vreinterpretq_s16_u16(vshlq_u16(numbers, vdupq_n_s16(left)))
    }
}

/// Two bits of four vectors, those of one run of 32 elements, for rows `half * 4 ..`.
///
/// # Safety
/// - The CPU has NEON; `vectors` is valid for reads of 128 bytes; `half < 2`, `run < 4`.
#[inline(always)]
unsafe fn two_bits(vectors: *const u8, half: usize, run: usize) -> [uint8x16_t; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        load4(vectors, half).map(|bytes| vandq_u8(shifted(bytes, run as i8 * -2), vdupq_n_u8(3)))
    }
}

/// Two bits of four runs of 32 elements lie in every byte.
pub struct Q2K;

impl Block for Q2K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 672;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block, the activations have all sums for it: the caller's promise.
        unsafe {
            let (mut products, mut minima) = ([vdupq_n_s32(0); 2], [vdupq_n_s32(0); 2]);
            for half in 0..2 {
                prefetch::<D, 6>(block.add(half * 336));
                let q = x.qs().as_ptr().add(block_idx * 256 + half * 128);
                let sums16 = x.sums16().as_ptr().add(block_idx * 16 + half * 8);
                for run in 0..4 {
                    let pairs = paired(block.add(32 + (half * 4 + run) * 16));
                    let vectors = block.add(160 + half * 256);
                    let dots = [0, 1].map(|rows| {
                        [0, 1].map(|parity| {
                            let values = two_bits(vectors.add(parity * 128), rows, run);
                            let x = vld1q_s8(q.add(run * 32 + parity * 16));
                            D::add(vdupq_n_s32(0), signed(values), x)
                        })
                    });
                    for rows in 0..2 {
                        let minimum = shifted16(pairs[rows], -4);
                        minima[rows] = add_pair_product(minima[rows], minimum, sums16.add(run * 2));
                        let scales = both_scales(vandq_s16(pairs[rows], vdupq_n_s16(15)));
                        for (dot, scale) in dots[rows].into_iter().zip(scales) {
                            products[rows] = vmlaq_s32(products[rows], dot, scale);
                        }
                    }
                }
            }
            let x_scale = scale_of(x, block_idx);
            add_block(sums, block, x_scale, products);
            subtract_block(sums, block.add(16), x_scale, minima);
        }
    }
}

/// q in 0..7; the offset -4 goes in through the sums of the activations, as a minimum would.
pub struct Q3K;

impl Block for Q3K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 880;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block, the activations have all sums for it: the caller's promise.
        unsafe {
            let (mut products, mut offsets) = ([vdupq_n_s32(0); 2], [vdupq_n_s32(0); 2]);
            for half in 0..2 {
                prefetch::<D, 7>(block.add(half * 440));
                let q = x.qs().as_ptr().add(block_idx * 256 + half * 128);
                let sums16 = x.sums16().as_ptr().add(block_idx * 16 + half * 8);
                for run in 0..4 {
                    let low_scales = paired(block.add(16 + run * 16));
                    let high_scales = paired(block.add(80 + run % 2 * 16));
                    let vectors = block.add(368 + half * 256);
                    let dots = [0, 1].map(|rows| {
                        [0, 1].map(|parity| {
                            let values = two_bits(vectors.add(parity * 128), rows, run);
                            let third = load4(block.add(112 + parity * 128), rows);
                            let left = 2 - (half * 4 + run) as i8;
                            let x = vld1q_s8(q.add(run * 32 + parity * 16));
                            D::add(vdupq_n_s32(0), with_bit(values, third, [left; 4], 4), x)
                        })
                    });
                    for rows in 0..2 {
                        let low = shifted16(low_scales[rows], half as i16 * -4);
                        let high =
                            shifted16(high_scales[rows], 4 - (half * 4 + run / 2 * 2) as i16);
                        let pairs = vorrq_s16(
                            vandq_s16(low, vdupq_n_s16(15)),
                            vandq_s16(high, vdupq_n_s16(0x30)),
                        );
                        let pairs = vsubq_s16(pairs, vdupq_n_s16(32));
                        offsets[rows] = add_pair_product(offsets[rows], pairs, sums16.add(run * 2));
                        for (dot, scale) in dots[rows].into_iter().zip(both_scales(pairs)) {
                            products[rows] = vmlaq_s32(products[rows], dot, scale);
                        }
                    }
                }
            }
            for rows in 0..2 {
                products[rows] = vmlsq_n_s32(products[rows], offsets[rows], 4);
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}

/// Nibbles of two neighbouring sub-blocks lie in every byte.
pub struct Q4K;

impl Block for Q4K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1152;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { add_k::<D, false>(sums, block, x, block_idx) }
    }
}

/// As Q4_K, with the fifth bit put on top of each nibble.
pub struct Q5K;

impl Block for Q5K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1408;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { add_k::<D, true>(sums, block, x, block_idx) }
    }
}

/// What Q4_K and Q5_K share.
///
/// # Safety
/// - As for [`Block::add`].
#[inline(always)]
unsafe fn add_k<D: RowDot, const FIFTH: bool>(
    sums: &mut [float32x4_t; 2],
    block: *const u8,
    x: &Activations,
    block_idx: usize,
) {
    // SAFETY: all offsets lie inside the block, the activations have 8 sums for it: the caller's promise.
    unsafe {
        let (mut products, mut minima) = ([vdupq_n_s32(0); 2], [vdupq_n_s32(0); 2]);
        for step in 0..4 {
            let q = x.qs().as_ptr().add(block_idx * 256 + step * 64);
            let sums32 = x.sums32().as_ptr().add(block_idx * 8 + step * 2);
            let bytes = paired(block.add(32 + step * 16));
            let high_minima = paired(block.add(96 + step % 2 * 16));
            let vectors = if FIFTH {
                prefetch::<D, 6>(block.add(step * 352));
                block.add(384 + step * 256)
            } else {
                prefetch::<D, 5>(block.add(step * 288));
                block.add(128 + step * 256)
            };
            let dots = k_dots::<D, FIFTH>(vectors, block.add(128), q, step);
            for rows in 0..2 {
                let high = shifted16(high_minima[rows], if step < 2 { 2 } else { -2 });
                let minimum =
                    vorrq_s16(shifted16(bytes[rows], -6), vandq_s16(high, vdupq_n_s16(60)));
                minima[rows] = add_pair_product(minima[rows], minimum, sums32);
                let scales = both_scales(vandq_s16(bytes[rows], vdupq_n_s16(63)));
                for (dot, scale) in dots[rows].into_iter().zip(scales) {
                    products[rows] = vmlaq_s32(products[rows], dot, scale);
                }
            }
        }
        let x_scale = scale_of(x, block_idx);
        add_block(sums, block, x_scale, products);
        subtract_block(sums, block.add(16), x_scale, minima);
    }
}

/// Unscaled products of sub-blocks `2 * step` and `2 * step + 1` of Q4_K or Q5_K, for four rows each.
///
/// # Safety
/// - The CPU has NEON and what `D` needs; `vectors` and `fifth` are valid for reads of 256 bytes, `q` of 64; `step < 4`.
#[inline(always)]
unsafe fn k_dots<D: RowDot, const FIFTH: bool>(
    vectors: *const u8,
    fifth: *const u8,
    q: *const i8,
    step: usize,
) -> [[int32x4_t; 2]; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        [0, 1].map(|half| {
            let mut dots = [vdupq_n_s32(0); 2];
            for part in 0..2 {
                let nibbles = nibbles(load4(vectors.add(part * 128), half));
                for (which, (dot, nibbles)) in dots.iter_mut().zip(nibbles).enumerate() {
                    let values = if FIFTH {
                        let bits = load4(fifth.add(part * 128), half);
                        with_bit(nibbles, bits, [4 - (step * 2 + which) as i8; 4], 16)
                    } else {
                        signed(nibbles)
                    };
                    *dot = D::add(*dot, values, vld1q_s8(q.add(which * 32 + part * 16)));
                }
            }
            dots
        })
    }
}

/// The signed value q - 32 is formed first, so that no offset remains.
pub struct Q6K;

impl Block for Q6K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1680;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block, the activations have all sums for it: the caller's promise.
        unsafe {
            let q = x.qs().as_ptr().add(block_idx * 256);
            let mut products = [vdupq_n_s32(0); 2];
            for step in 0..4 {
                prefetch::<D, 7>(block.add(step * 420));
                for (half, product) in products.iter_mut().enumerate() {
                    let quarters = q6_k_sub_blocks::<D>(block, q, step, half);
                    for (quarter, sum) in quarters.into_iter().enumerate() {
                        let scale = vld1_s8(block.add(16 + (quarter * 4 + step) * 8).cast());
                        let scale = vmovl_s8(scale);
                        let scale = match half {
                            0 => vmovl_s16(vget_low_s16(scale)),
                            _ => vmovl_high_s16(scale),
                        };
                        *product = vmlaq_s32(*product, sum, scale);
                    }
                }
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}

/// Unscaled products of sub-block `step` of each quarter of a Q6_K block, for rows `half * 4 ..`.
///
/// # Safety
/// - The CPU has NEON and what `D` needs; `block` holds 1680 bytes, `q` 256 activations; `step < 4`, `half < 2`.
#[inline(always)]
unsafe fn q6_k_sub_blocks<D: RowDot>(
    block: *const u8,
    q: *const i8,
    step: usize,
    half: usize,
) -> [int32x4_t; 4] {
    // SAFETY: all offsets lie inside the block for `step < 4` and `half < 2`; NEON as promised.
    unsafe {
        let (low, high) = (
            block.add(144 + half * 16),
            block.add(144 + 1024 + half * 16),
        );
        let bits = load4(high.add(step * 128), 0);
        let even = nibbles(load4(low.add(step * 128), 0));
        let odd = nibbles(load4(low.add((step + 4) * 128), 0));
        let quarters = [
            (even[0], bits.map(|bits| vshlq_n_u8::<4>(bits))),
            (odd[0], bits.map(|bits| vshlq_n_u8::<2>(bits))),
            (even[1], bits),
            (odd[1], bits.map(|bits| vshrq_n_u8::<2>(bits))),
        ];
        let mut sums = [vdupq_n_s32(0); 4];
        for (quarter, (sum, (nibbles, bits))) in sums.iter_mut().zip(quarters).enumerate() {
            let values = [0, 1, 2, 3].map(|idx| {
                let value = vorrq_u8(nibbles[idx], vandq_u8(bits[idx], vdupq_n_u8(0x30)));
                vsubq_s8(vreinterpretq_s8_u8(value), vdupq_n_s8(32))
            });
            let x = vld1q_s8(q.add(quarter * 64 + step * 16));
            *sum = D::add(*sum, values, x);
        }
        sums
    }
}
