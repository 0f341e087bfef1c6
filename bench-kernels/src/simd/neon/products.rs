//! Matrix products in 128-bit vectors: a group of eight rows is two of them.

use std::arch::aarch64::*;
use std::arch::asm;

use crate::kernels::weights::GROUP_ROWS;
use crate::numeric::Activations;
use crate::simd::Products;

/// The products of every format with one kind of [`RowDot`].
pub(super) const fn products<D: RowDot>() -> Products {
    Products {
        q4_0: gemv_q4_0::<D>,
        q8_0: gemv_q8_0::<D>,
        q6_k: gemv_q6_k::<D>,
    }
}

/// Products of 4 rows x 4 weights with 4 activations each, summed into one lane per row.
pub(super) trait RowDot {
    /// Adds to `sum[r]` the dot product of `w[4r..4r+4]` and the four activations at `qs`.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor; `qs` is valid for reads of 4 bytes.
    unsafe fn add(sum: int32x4_t, w: int8x16_t, qs: *const i8) -> int32x4_t;
}

/// Widening multiplies: any ARMv8.
pub(super) struct Widening;

impl RowDot for Widening {
    #[inline(always)]
    unsafe fn add(sum: int32x4_t, w: int8x16_t, qs: *const i8) -> int32x4_t {
        // SAFETY: every aarch64 CPU this crate runs on has NEON (checked in `detect_all`); `qs` as promised.
        unsafe {
            let x = vreinterpretq_s8_s32(vdupq_n_s32(qs.cast::<i32>().read_unaligned()));
            let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
            let high = vmull_high_s8(w, x);
            // Pairs, then pairs of pairs: four products of one row end in its lane.
            vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))
        }
    }
}

/// One SDOT instruction; its intrinsic is not stable in Rust 1.95.
pub(super) struct Dotprod;

impl RowDot for Dotprod {
    #[inline(always)]
    unsafe fn add(mut sum: int32x4_t, w: int8x16_t, qs: *const i8) -> int32x4_t {
        // SAFETY: `NEON_DOTPROD` is handed out only after dotprod was detected; `qs` as promised.
        unsafe {
            let x = vreinterpretq_s8_s32(vdupq_n_s32(qs.cast::<i32>().read_unaligned()));
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b",
                sum = inout(vreg) sum,
                w = in(vreg) w,
                x = in(vreg) x,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }
}

/// How far ahead of the loads the weights are prefetched: small cores' prefetchers stop at a 4 KiB page.
const PREFETCH_BYTES: usize = 1024;

/// # Safety
/// - None beyond the instruction being there on every aarch64: prefetching any address is harmless.
#[inline(always)]
unsafe fn prefetch<const LINES: usize>(at: *const u8) {
    for line in 0..LINES {
        let address = at.wrapping_add(PREFETCH_BYTES + line * 64);
        // SAFETY: PRFM never faults and changes no state the program sees.
        unsafe {
            asm!("prfm pldl1strm, [{address}]", address = in(reg) address, options(nostack, preserves_flags, readonly));
        }
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

/// The reference's loop, with one 32-bit lane per row: no horizontal sums, every activation vector serves eight rows.
///
/// # Safety
/// - The CPU has NEON and what `D` needs.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "neon")]
unsafe fn gemv_q4_0<D: RowDot>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 144;
    let n_blocks = cols / 32;
    let low_mask = vdupq_n_u8(15);
    let (qs, scales, sums16) = (x.qs.as_ptr(), x.scales.as_ptr(), x.sums16.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [vdupq_n_f32(0.0); 2];
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 144 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                prefetch::<2>(block);
                let q = qs.add(block_idx * 32);
                let offset = -8 * (*sums16.add(block_idx * 2) + *sums16.add(block_idx * 2 + 1));
                let mut products = [vdupq_n_s32(offset); 2];
                for chunk_idx in 0..4 {
                    for (half, product) in products.iter_mut().enumerate() {
                        let bytes = vld1q_u8(block.add(16 + chunk_idx * 32 + half * 16));
                        let low = vreinterpretq_s8_u8(vandq_u8(bytes, low_mask));
                        let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                        *product = D::add(*product, low, q.add(chunk_idx * 4));
                        *product = D::add(*product, high, q.add(16 + chunk_idx * 4));
                    }
                }
                add_block(&mut sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { store(out.add(group_idx * GROUP_ROWS), sums) };
    }
}

/// The reference's loop; see [`gemv_q4_0`].
///
/// # Safety
/// - The CPU has NEON and what `D` needs.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "neon")]
unsafe fn gemv_q8_0<D: RowDot>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 272;
    let n_blocks = cols / 32;
    let (qs, scales) = (x.qs.as_ptr(), x.scales.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [vdupq_n_f32(0.0); 2];
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 272 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                prefetch::<4>(block);
                let q = qs.add(block_idx * 32);
                let mut products = [vdupq_n_s32(0); 2];
                for chunk_idx in 0..8 {
                    for (half, product) in products.iter_mut().enumerate() {
                        let w = vreinterpretq_s8_u8(vld1q_u8(
                            block.add(16 + chunk_idx * 32 + half * 16),
                        ));
                        *product = D::add(*product, w, q.add(chunk_idx * 4));
                    }
                }
                add_block(&mut sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { store(out.add(group_idx * GROUP_ROWS), sums) };
    }
}

/// The reference's loop, with the signed value q - 32 formed first, so that no offset remains.
///
/// # Safety
/// - The CPU has NEON and what `D` needs.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "neon")]
unsafe fn gemv_q6_k<D: RowDot>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 1680;
    let n_blocks = cols / 256;
    let (qs, scales) = (x.qs.as_ptr(), x.scales.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [vdupq_n_f32(0.0); 2];
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 1680 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                let q = qs.add(block_idx * 256);
                let mut products = [vdupq_n_s32(0); 2];
                for step in 0..4 {
                    prefetch::<7>(block.add(step * 420));
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
                add_block(&mut sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { store(out.add(group_idx * GROUP_ROWS), sums) };
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
        let (low_mask, high_mask, bias) = (vdupq_n_u8(15), vdupq_n_u8(0x30), vdupq_n_s8(32));
        let mut sums = [vdupq_n_s32(0); 4];
        for chunk_idx in step * 4..step * 4 + 4 {
            let bits = vld1q_u8(high.add(chunk_idx * 32));
            let even = vld1q_u8(low.add(chunk_idx * 32));
            let odd = vld1q_u8(low.add((chunk_idx + 16) * 32));
            let values = [
                vorrq_u8(
                    vandq_u8(even, low_mask),
                    vandq_u8(vshlq_n_u8::<4>(bits), high_mask),
                ),
                vorrq_u8(
                    vandq_u8(odd, low_mask),
                    vandq_u8(vshlq_n_u8::<2>(bits), high_mask),
                ),
                vorrq_u8(vshrq_n_u8::<4>(even), vandq_u8(bits, high_mask)),
                vorrq_u8(
                    vshrq_n_u8::<4>(odd),
                    vandq_u8(vshrq_n_u8::<2>(bits), high_mask),
                ),
            ];
            for (quarter, (sum, value)) in sums.iter_mut().zip(values).enumerate() {
                let value = vsubq_s8(vreinterpretq_s8_u8(value), bias);
                *sum = D::add(*sum, value, q.add((quarter * 16 + chunk_idx) * 4));
            }
        }
        sums
    }
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
