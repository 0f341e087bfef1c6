//! Matrix products in 128-bit vectors: a group of eight rows is two of them, one 32-bit lane per row.
//!
//! What a variant multiplies with is a [`RowDot`], how a format is unpacked is a [`Block`]; the loop over groups and
//! blocks is written once.

mod blocks256;
mod blocks32;

use std::arch::aarch64::*;
use std::arch::asm;

use self::blocks32::{Iq4Nl, Q4_0, Q5_0, Q8_0};
use self::blocks256::{Q2K, Q3K, Q4K, Q5K, Q6K};
use crate::kernels::weights::GROUP_ROWS;
use crate::numeric::Activations;
use crate::simd::streams::{FAR, NEAR, OFF};
use crate::simd::{Products, sum_lanes};

/// The products of every format with one kind of [`RowDot`], by how far ahead they ask for the weights.
pub(super) const fn products<D: RowDot>() -> [(&'static str, Products); 3] {
    [
        ("far", every_format::<Asking<D, FAR>>()),
        ("near", every_format::<Asking<D, NEAR>>()),
        ("off", every_format::<Asking<D, OFF>>()),
    ]
}

const fn every_format<D: RowDot>() -> Products {
    Products {
        f16: gemv_f16::<D>,
        q4_0: gemv::<D, Q4_0>,
        q5_0: gemv::<D, Q5_0>,
        q8_0: gemv::<D, Q8_0>,
        iq4_nl: gemv::<D, Iq4Nl>,
        q2_k: gemv::<D, Q2K>,
        q3_k: gemv::<D, Q3K>,
        q4_k: gemv::<D, Q4K>,
        q5_k: gemv::<D, Q5K>,
        q6_k: gemv::<D, Q6K>,
    }
}

/// Products of 4 rows x 16 weights with 16 activations, summed into one lane per row.
pub(super) trait RowDot {
    /// How far ahead of the loads the weights are asked for.
    const AHEAD: u8 = OFF;

    /// Adds to `sum[r]` the dot products of `w[c][4r..4r+4]` and `x[4c..4c+4]` for the chunks c = 0 .. 3.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn add(sum: int32x4_t, w: [int8x16_t; 4], x: int8x16_t) -> int32x4_t;
}

/// Widening multiplies: any ARMv8.
pub(super) struct Widening;

impl RowDot for Widening {
    #[inline(always)]
    unsafe fn add(sum: int32x4_t, w: [int8x16_t; 4], x: int8x16_t) -> int32x4_t {
        // SAFETY: every aarch64 CPU this crate runs on has NEON (checked in `detect_all`).
        unsafe {
            let lanes = vreinterpretq_s32_s8(x);
            let x = [
                vdupq_laneq_s32::<0>(lanes),
                vdupq_laneq_s32::<1>(lanes),
                vdupq_laneq_s32::<2>(lanes),
                vdupq_laneq_s32::<3>(lanes),
            ];
            let mut sum = sum;
            for (w, x) in w.into_iter().zip(x.map(|x| vreinterpretq_s8_s32(x))) {
                let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
                let high = vmull_high_s8(w, x);
                // Pairs, then pairs of pairs: four products of one row end in its lane.
                sum = vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
            }
            sum
        }
    }
}

/// SDOT with four of the activations in one register; its intrinsic is not stable in Rust 1.95.
pub(super) struct Dotprod;

impl RowDot for Dotprod {
    #[inline(always)]
    unsafe fn add(sum: int32x4_t, w: [int8x16_t; 4], x: int8x16_t) -> int32x4_t {
        // One statement each, so that the compiler may mix those of independent sums.
        // SAFETY: `NEON_DOTPROD` is handed out only after dotprod was detected.
        unsafe {
            let sum = sdot::<0>(sum, w[0], x);
            let sum = sdot::<1>(sum, w[1], x);
            let sum = sdot::<2>(sum, w[2], x);
            sdot::<3>(sum, w[3], x)
        }
    }
}

/// # Safety
/// - The CPU has the dot-product instructions; `LANE < 4`.
#[inline(always)]
unsafe fn sdot<const LANE: usize>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// How far ahead of the loads the weights are prefetched into the first cache: small cores' prefetchers stop at a 4 KiB
/// page.
const FIRST_BYTES: usize = 1024;

/// How far ahead into the second cache, which has room for more lines on their way.
const SECOND_BYTES: usize = 8192;

macro_rules! ask {
    ($hint:literal, $address:expr) => {
        asm!(
            concat!("prfm ", $hint, ", [{address}]"),
            address = in(reg) $address,
            options(nostack, preserves_flags, readonly),
        )
    };
}

/// Asks for some lines as far ahead as `D` says.
///
/// # Safety
/// - None beyond the instruction being there on every aarch64: prefetching any address is harmless.
#[inline(always)]
unsafe fn prefetch<D: RowDot, const LINES: usize>(at: *const u8) {
    for line in 0..LINES {
        let at = at.wrapping_add(line * 64);
        // SAFETY: PRFM never faults and changes no state the program sees.
        unsafe {
            if D::AHEAD == FAR || D::AHEAD == NEAR {
                ask!("pldl1strm", at.wrapping_add(FIRST_BYTES));
            }
            if D::AHEAD == FAR {
                ask!("pldl2keep", at.wrapping_add(SECOND_BYTES));
            }
        }
    }
}

/// A [`RowDot`] that asks for the weights ahead.
struct Asking<D, const AHEAD: u8>(D);

impl<D: RowDot, const AHEAD: u8> RowDot for Asking<D, AHEAD> {
    const AHEAD: u8 = AHEAD;

    #[inline(always)]
    unsafe fn add(sum: int32x4_t, w: [int8x16_t; 4], x: int8x16_t) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { D::add(sum, w, x) }
    }
}

/// Four half-precision floats as single precision.
///
/// # Safety
/// - The CPU has NEON; `at` is valid for reads of 8 bytes.
#[inline(always)]
pub(super) unsafe fn load_f16x4(at: *const u8) -> float32x4_t {
    // SAFETY: FCVTL is part of ARMv8.0; `at` as promised.
    unsafe {
        let halves = vld1_u8(at);
        let floats: float32x4_t;
        asm!(
            "fcvtl {floats:v}.4s, {halves:v}.4h",
            floats = out(vreg) floats,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
        floats
    }
}

/// `sums + (d * x_scale) * products`, multiply then add: the same rounding as the reference.
///
/// # Safety
/// - The CPU has NEON; `d` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn add_block(
    sums: &mut [float32x4_t; 2],
    d: *const u8,
    x_scale: f32,
    products: [int32x4_t; 2],
) {
    for half in 0..2 {
        // SAFETY: the caller's promise.
        unsafe {
            let scale = vmulq_n_f32(load_f16x4(d.add(half * 8)), x_scale);
            sums[half] = vaddq_f32(sums[half], vmulq_f32(scale, vcvtq_f32_s32(products[half])));
        }
    }
}

/// `sums - (dmin * x_scale) * minima`, with the rounding of the reference.
///
/// # Safety
/// - The CPU has NEON; `dmin` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn subtract_block(
    sums: &mut [float32x4_t; 2],
    dmin: *const u8,
    x_scale: f32,
    minima: [int32x4_t; 2],
) {
    for half in 0..2 {
        // SAFETY: the caller's promise.
        unsafe {
            let scale = vmulq_n_f32(load_f16x4(dmin.add(half * 8)), x_scale);
            sums[half] = vsubq_f32(sums[half], vmulq_f32(scale, vcvtq_f32_s32(minima[half])));
        }
    }
}

/// A format: how a block of a group is multiplied.
trait Block {
    /// Elements of one block of a row.
    const ELEMENTS: usize;
    /// Bytes of one block of a group.
    const GROUP_BYTES: usize;

    /// Adds block `block_idx` of a row to the sums of a group, with the rounding of the reference.
    ///
    /// # Safety
    /// - The CPU has NEON and what `D` needs; `block` holds a block of the group, `x` has a block of that index.
    unsafe fn add<D: RowDot>(
        sums: &mut [float32x4_t; 2],
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    );
}

/// The loop of every product.
///
/// # Safety
/// - The CPU has NEON and what `D` needs.
/// - `weights` holds `n_groups` groups of `cols` columns, at least one block; `out` has room for 8 floats a group.
#[target_feature(enable = "neon")]
unsafe fn gemv<D: RowDot, B: Block>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let n_blocks = cols / B::ELEMENTS;
    debug_assert!(x.qs().len() >= cols, "the activations have all blocks");
    debug_assert!(n_blocks > 0, "a row has at least one block");
    // Without this the compiler turns the case of empty rows into a call of memset.
    // SAFETY: the caller's promise.
    unsafe { std::hint::assert_unchecked(n_blocks > 0) };
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [vdupq_n_f32(0.0); 2];
        // SAFETY: `block` walks over `n_groups * n_blocks` blocks, the activations have `n_blocks` of them, `out` 8
        // floats a group: the caller's promise.
        unsafe {
            for block_idx in 0..n_blocks {
                B::add::<D>(&mut sums, block, x, block_idx);
                block = block.add(B::GROUP_BYTES);
            }
            store(out.add(group_idx * GROUP_ROWS), sums);
        }
    }
}

/// The loop of half-precision weights: eight running sums a row, and every eight activations serve eight rows.
///
/// A fused multiply-add would round once where the reference rounds twice.
///
/// # Safety
/// - The CPU has NEON.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "neon")]
unsafe fn gemv_f16<D: RowDot>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    debug_assert!(x.floats().len() >= cols, "the activations have all columns");
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [[vdupq_n_f32(0.0); 2]; GROUP_ROWS];
        // SAFETY: `block` walks over `n_groups * cols / 8` blocks of 128 bytes, the activations have `cols` floats,
        // `out` 8 a group: the caller's promise.
        unsafe {
            for col in (0..cols).step_by(8) {
                prefetch::<D, 2>(block);
                let x = x.floats().as_ptr().add(col);
                let x = [vld1q_f32(x), vld1q_f32(x.add(4))];
                for (row, sums) in sums.iter_mut().enumerate() {
                    for half in 0..2 {
                        let w = load_f16x4(block.add(row * 16 + half * 8));
                        sums[half] = vaddq_f32(sums[half], vmulq_f32(w, x[half]));
                    }
                }
                block = block.add(16 * GROUP_ROWS);
            }
            for (row, sums) in sums.into_iter().enumerate() {
                let mut lanes = [0.0f32; 8];
                store(lanes.as_mut_ptr(), sums);
                *out.add(group_idx * GROUP_ROWS + row) = sum_lanes(lanes);
            }
        }
    }
}

/// Rows `half * 4 ..` of four consecutive vectors.
///
/// # Safety
/// - The CPU has NEON; `vectors` is valid for reads of 128 bytes; `half < 2`.
#[inline(always)]
unsafe fn load4(vectors: *const u8, half: usize) -> [uint8x16_t; 4] {
    // SAFETY: the caller's promise.
    [0, 1, 2, 3].map(|chunk_idx| unsafe { vld1q_u8(vectors.add(chunk_idx * 32 + half * 16)) })
}

/// The low nibbles of four vectors, and the high ones.
///
/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn nibbles(bytes: [uint8x16_t; 4]) -> [[uint8x16_t; 4]; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            bytes.map(|bytes| vandq_u8(bytes, vdupq_n_u8(15))),
            bytes.map(|bytes| vshrq_n_u8::<4>(bytes)),
        ]
    }
}

/// Each value with the bit of `mask` that `bits`, shifted to the left by `left`, has for it.
///
/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn with_bit(
    values: [uint8x16_t; 4],
    bits: [uint8x16_t; 4],
    left: [i8; 4],
    mask: u8,
) -> [int8x16_t; 4] {
    // SAFETY: the caller's promise.
    [0, 1, 2, 3].map(|idx| unsafe {
        let bit = vandq_u8(shifted(bits[idx], left[idx]), vdupq_n_u8(mask));
        vreinterpretq_s8_u8(vorrq_u8(values[idx], bit))
    })
}

/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn signed(values: [uint8x16_t; 4]) -> [int8x16_t; 4] {
    // SAFETY: the caller's promise.
    values.map(|value| unsafe { vreinterpretq_s8_u8(value) })
}

/// Bytes shifted to the left by `left` bits or to the right by `-left`.
///
/// # Safety
/// - The CPU has NEON.
#[inline(always)]
unsafe fn shifted(bytes: uint8x16_t, left: i8) -> uint8x16_t {
    // SAFETY: the caller's promise.
    unsafe { vshlq_u8(bytes, vdupq_n_s8(left)) }
}

/// Scale of a block of activations.
///
/// # Safety
/// - `x` has a block of that index.
#[inline(always)]
unsafe fn scale_of(x: &Activations, block_idx: usize) -> f32 {
    debug_assert!(block_idx < x.scales().len(), "the block exists");
    // SAFETY: the caller's promise.
    unsafe { *x.scales().as_ptr().add(block_idx) }
}

/// Sum of the activations of a block of 32.
///
/// # Safety
/// - `x` is in blocks of 32 and has one of that index.
#[inline(always)]
unsafe fn sum32(x: &Activations, block_idx: usize) -> i32 {
    debug_assert!(block_idx < x.sums32().len(), "the block exists");
    // SAFETY: the caller's promise.
    i32::from(unsafe { *x.sums32().as_ptr().add(block_idx) })
}

/// # Safety
/// - The CPU has NEON; `out` is valid for writes of 8 floats.
#[inline(always)]
pub(super) unsafe fn store(out: *mut f32, sums: [float32x4_t; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        vst1q_f32(out, sums[0]);
        vst1q_f32(out.add(4), sums[1]);
    }
}
