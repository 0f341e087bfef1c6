//! The formats in blocks of 32 elements with one scale.

use std::arch::aarch64::*;

use super::{Block, RowDot, add_block, load, prefetch, scale_of, shifted, sum32};
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
            prefetch::<2>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let mut products = [vdupq_n_s32(-8 * sum32(x, block_idx)); 2];
            for chunk_idx in 0..4 {
                let vectors = load(block.add(16 + chunk_idx * 32));
                for (product, bytes) in products.iter_mut().zip(vectors) {
                    let low = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
                    let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                    *product = D::add(*product, low, q.add(chunk_idx * 4));
                    *product = D::add(*product, high, q.add(16 + chunk_idx * 4));
                }
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
            prefetch::<3>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let fifth = load(block.add(16));
            let mut products = [vdupq_n_s32(-16 * sum32(x, block_idx)); 2];
            for chunk_idx in 0..4 {
                let vectors = load(block.add(48 + chunk_idx * 32));
                for ((product, bytes), fifth) in products.iter_mut().zip(vectors).zip(fifth) {
                    let nibbles = [vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)];
                    for (which, nibbles) in nibbles.into_iter().enumerate() {
                        let bit = shifted(fifth, 4 - 4 * which as i8 - chunk_idx as i8);
                        let value = vorrq_u8(nibbles, vandq_u8(bit, vdupq_n_u8(16)));
                        let at = q.add(16 * which + chunk_idx * 4);
                        *product = D::add(*product, vreinterpretq_s8_u8(value), at);
                    }
                }
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
            prefetch::<4>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let mut products = [vdupq_n_s32(0); 2];
            for chunk_idx in 0..8 {
                let vectors = load(block.add(16 + chunk_idx * 32));
                for (product, bytes) in products.iter_mut().zip(vectors) {
                    *product = D::add(*product, vreinterpretq_s8_u8(bytes), q.add(chunk_idx * 4));
                }
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
            prefetch::<2>(block);
            let q = x.qs.as_ptr().add(block_idx * 32);
            let table = vld1q_s8(IQ4_NL_VALUES.as_ptr());
            let mut products = [vdupq_n_s32(0); 2];
            for chunk_idx in 0..4 {
                let vectors = load(block.add(16 + chunk_idx * 32));
                for (product, bytes) in products.iter_mut().zip(vectors) {
                    let low = vqtbl1q_s8(table, vandq_u8(bytes, vdupq_n_u8(15)));
                    let high = vqtbl1q_s8(table, vshrq_n_u8::<4>(bytes));
                    *product = D::add(*product, low, q.add(chunk_idx * 4));
                    *product = D::add(*product, high, q.add(16 + chunk_idx * 4));
                }
            }
            add_block(sums, block, scale_of(x, block_idx), products);
        }
    }
}
