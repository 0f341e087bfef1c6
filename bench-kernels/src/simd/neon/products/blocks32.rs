//! The formats in blocks of 32 elements with one scale.

use std::arch::aarch64::*;

use super::{
    Block, RowDot, add_block, load4, nibbles, prefetch, scale_of, signed, sum32, with_bit,
};
use crate::kernels::weights::IQ4_NL_VALUES;
use crate::numeric::Activations;

/// Nibbles are multiplied as they are; the sums begin with the offset.
pub struct Q4_0;

impl Block for Q4_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<D, 2>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let mut products = [vdupq_n_s32(-8 * sum32(x, block_idx)); 2];
            for (half, product) in products.iter_mut().enumerate() {
                let [low, high] = nibbles(load4(block.add(16), half));
                *product = D::add(*product, signed(low), vld1q_s8(q));
                *product = D::add(*product, signed(high), vld1q_s8(q.add(16)));
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}

/// As Q4_0, with the fifth bit put on top of each nibble.
pub struct Q5_0;

impl Block for Q5_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 176;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<D, 3>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let mut products = [vdupq_n_s32(-16 * sum32(x, block_idx)); 2];
            for (half, product) in products.iter_mut().enumerate() {
                let fifth = [vld1q_u8(block.add(16 + half * 16)); 4];
                let [low, high] = nibbles(load4(block.add(48), half));
                let low = with_bit(low, fifth, [4, 3, 2, 1], 16);
                let high = with_bit(high, fifth, [0, -1, -2, -3], 16);
                *product = D::add(*product, low, vld1q_s8(q));
                *product = D::add(*product, high, vld1q_s8(q.add(16)));
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}

/// Signed bytes are multiplied as they are.
pub struct Q8_0;

impl Block for Q8_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 272;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block: the caller's promise.
        unsafe {
            prefetch::<D, 4>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let mut products = [vdupq_n_s32(0); 2];
            for (half, product) in products.iter_mut().enumerate() {
                let (first, second) = (load4(block.add(16), half), load4(block.add(144), half));
                *product = D::add(*product, signed(first), vld1q_s8(q));
                *product = D::add(*product, signed(second), vld1q_s8(q.add(16)));
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}

/// The values are looked up in a table of one register.
pub struct Iq4Nl;

impl Block for Iq4Nl {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    #[inline(always)]
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) {
        // SAFETY: all offsets lie inside the block: the caller's promise; the table has 16 bytes.
        unsafe {
            prefetch::<D, 2>(block);
            let q = x.qs().as_ptr().add(block_idx * 32);
            let table = vld1q_s8(IQ4_NL_VALUES.as_ptr());
            let mut products = [vdupq_n_s32(0); 2];
            for (half, product) in products.iter_mut().enumerate() {
                let values = nibbles(load4(block.add(16), half))
                    .map(|nibbles| nibbles.map(|nibbles| vqtbl1q_s8(table, nibbles)));
                *product = D::add(*product, values[0], vld1q_s8(q));
                *product = D::add(*product, values[1], vld1q_s8(q.add(16)));
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}
