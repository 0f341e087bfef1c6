//! Batched products in 128-bit vectors: 8 of the 32 rows of a panel at a time are two of them, a tile is eight tokens.
//!
//! 1. Sixteen of the 32 registers hold sums; for every four chunks eight vectors of weights and one of activations for
//!    each token are loaded, 24 bytes of loads for every eight products less than row by row.
//! 2. With I8MM a product is a 2 x 2 matrix: rows 0 and 2, or 1 and 3, times two tokens. Two interleavings put its sums
//!    back into one vector per token, so that everything after is the same for all variants.
//! 3. Sums of floats are kept in the output, which stays in the first-level cache.

use std::arch::aarch64::*;
use std::arch::asm;

use super::products::{Dotprod, RowDot, Widening};
use crate::kernels::weights::Format;
use crate::simd::batch::{
    self, Batched, FloatProduct, Kind, PANEL_ROWS, Product, TokenSlot, Unpacked,
};

/// Tokens of a tile.
const TILE: usize = 8;

/// Rows that are multiplied at a time.
const ROWS: usize = 8;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

/// Sums of a tile: two vectors of rows for each token.
type Sums = [[int32x4_t; 2]; TILE];

/// The batched loops with one kind of [`TileDot`].
pub const fn batched<D: TileDot>() -> Batched {
    Batched {
        tile_tokens: TILE,
        unpack,
        multiply: multiply::<D>,
        multiply_floats,
        quantise_token,
        softmax: batch::softmax,
        turn: batch::turn,
    }
}

/// # Safety
/// - None beyond the types: the compiler's own vectors are those of every aarch64.
unsafe fn unpack(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
    batch::unpack::<false>(format, blocks, place, to);
}

/// # Safety
/// - None beyond the types.
unsafe fn quantise_token(x: &[f32], slot: TokenSlot<'_>) {
    batch::quantise_token(x, slot);
}

/// Products of a few chunks of eight rows with the tokens of a tile.
pub trait TileDot {
    /// # Safety
    /// - The CPU has the instructions of the implementor; `values` leads to the first chunk of the eight rows, `x` to
    ///   the first activation of the first token; `CHUNKS` is a multiple of 4.
    unsafe fn sums<const CHUNKS: usize>(values: *const u8, x: *const i8, x_stride: usize) -> Sums;
}

/// # Safety
/// - As for [`TileDot::sums`].
#[inline(always)]
unsafe fn sums_by_rows<D: RowDot, const CHUNKS: usize>(
    values: *const u8,
    x: *const i8,
    x_stride: usize,
) -> Sums {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 2]; TILE];
        for first in (0..CHUNKS).step_by(4) {
            let x: [int8x16_t; TILE] =
                std::array::from_fn(|token| vld1q_s8(x.add(token * x_stride + first * 4)));
            for half in 0..2 {
                let w = [0, 1, 2, 3].map(|chunk| {
                    vld1q_s8(values.add((first + chunk) * CHUNK_BYTES + half * 16).cast())
                });
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums[half] = D::add(sums[half], w, x);
                }
            }
        }
        sums
    }
}

impl TileDot for Widening {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(values: *const u8, x: *const i8, x_stride: usize) -> Sums {
        // SAFETY: the caller's promise.
        unsafe { sums_by_rows::<Widening, CHUNKS>(values, x, x_stride) }
    }
}

impl TileDot for Dotprod {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(values: *const u8, x: *const i8, x_stride: usize) -> Sums {
        // SAFETY: the caller's promise.
        unsafe { sums_by_rows::<Dotprod, CHUNKS>(values, x, x_stride) }
    }
}

/// SMMLA; its intrinsic is not stable in Rust 1.95.
pub struct I8mm;

impl TileDot for I8mm {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(values: *const u8, x: *const i8, x_stride: usize) -> Sums {
        // SAFETY: the caller's promise.
        unsafe {
            // Per pair of tokens and half of the rows: rows 0 and 2, then rows 1 and 3.
            let mut squares = [[[vdupq_n_s32(0); 2]; 2]; TILE / 2];
            for first in (0..CHUNKS).step_by(4) {
                let x: [[int8x16_t; 2]; TILE / 2] = std::array::from_fn(|pair| {
                    let at = x.add(pair * 2 * x_stride + first * 4);
                    let (a, b) = (vld1q_s8(at), vld1q_s8(at.add(x_stride)));
                    let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
                    [
                        vreinterpretq_s8_s64(vzip1q_s64(a, b)),
                        vreinterpretq_s8_s64(vzip2q_s64(a, b)),
                    ]
                });
                for half in 0..2 {
                    for eight in 0..2 {
                        let at = values.add((first + eight * 2) * CHUNK_BYTES + half * 16);
                        let (a, b) = (vld1q_s32(at.cast()), vld1q_s32(at.add(CHUNK_BYTES).cast()));
                        let rows = [vtrn1q_s32(a, b), vtrn2q_s32(a, b)];
                        for (squares, x) in squares.iter_mut().zip(x) {
                            for (sum, rows) in squares[half].iter_mut().zip(rows) {
                                *sum = smmla(*sum, vreinterpretq_s8_s32(rows), x[eight]);
                            }
                        }
                    }
                }
            }
            let mut sums = [[vdupq_n_s32(0); 2]; TILE];
            for (pair, squares) in squares.into_iter().enumerate() {
                for (half, [even, odd]) in squares.into_iter().enumerate() {
                    sums[pair * 2][half] = vtrn1q_s32(even, odd);
                    sums[pair * 2 + 1][half] = vtrn2q_s32(even, odd);
                }
            }
            sums
        }
    }
}

/// Adds to the 2 x 2 matrix `sum` the product of two rows of eight in `w` with two columns of eight in `x`.
///
/// # Safety
/// - The CPU has the matrix-multiply instructions.
#[inline(always)]
unsafe fn smmla(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {sum:v}.4s, {w:v}.16b, {x:v}.16b",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// # Safety
/// - The CPU has NEON and what `D` needs; the pointers of `product` lead to what its type describes, for tiles of
///   [`TILE`] tokens.
#[target_feature(enable = "neon")]
unsafe fn multiply<D: TileDot>(kind: Kind, product: &Product) {
    for tile in 0..product.n_tiles {
        for first_row in (0..PANEL_ROWS).step_by(ROWS) {
            // SAFETY: the caller's promise.
            unsafe {
                match kind {
                    Kind::Float => {}
                    Kind::Signed32 => rows8::<D, 8, 1, false>(product, tile, first_row),
                    Kind::Signed16 => rows8::<D, 4, 16, false>(product, tile, first_row),
                    Kind::Minima16 => rows8::<D, 4, 16, true>(product, tile, first_row),
                    Kind::Minima32 => rows8::<D, 8, 8, true>(product, tile, first_row),
                }
            }
        }
    }
}

/// # Safety
/// - As for [`multiply`]; tile and rows lie inside the product.
#[inline(always)]
unsafe fn rows8<D: TileDot, const CHUNKS: usize, const N_SUBS: usize, const MINIMA: bool>(
    p: &Product,
    tile: usize,
    first_row: usize,
) {
    // SAFETY: every offset leads to a token of the tile or a sub-block of the slice: the caller's promise.
    unsafe {
        let x = p.x.add(tile * TILE * p.x_stride);
        let out = p.out.add(tile * TILE * p.out_stride + first_row);
        for block in 0..p.n_blocks {
            let mut parts = [[vdupq_n_f32(0.0); 2]; TILE];
            for sub in block * N_SUBS..(block + 1) * N_SUBS {
                let values = p.values.add(sub * CHUNKS * CHUNK_BYTES + first_row * 4);
                let sums = D::sums::<CHUNKS>(values, x.add(sub * CHUNKS * 4), p.x_stride);
                let x_sums = p.x_sums.wrapping_add(tile * p.x_sums_stride + sub * TILE);
                for half in 0..2 {
                    let row = sub * PANEL_ROWS + first_row + half * 4;
                    let scale = vld1q_f32(p.scales.add(row));
                    for (parts, sums) in parts.iter_mut().zip(sums) {
                        let sum = vcvtq_f32_s32(sums[half]);
                        parts[half] = match N_SUBS {
                            1 => vmulq_f32(sum, scale),
                            _ => vfmaq_f32(parts[half], sum, scale),
                        };
                    }
                    if MINIMA {
                        let minimum = vld1q_f32(p.minima.add(row));
                        for (token, parts) in parts.iter_mut().enumerate() {
                            let x_sum = vdupq_n_f32(*x_sums.add(token));
                            parts[half] = vfmsq_f32(parts[half], minimum, x_sum);
                        }
                    }
                }
            }
            let x_scales = p.x_scales.add(tile * p.x_scales_stride + block * TILE);
            for (token, parts) in parts.into_iter().enumerate() {
                let x_scale = *x_scales.add(token);
                for (half, part) in parts.into_iter().enumerate() {
                    let out = out.add(token * p.out_stride + half * 4);
                    let total = match p.is_first && block == 0 {
                        true => vdupq_n_f32(0.0),
                        false => vld1q_f32(out),
                    };
                    vst1q_f32(out, vfmaq_n_f32(total, part, x_scale));
                }
            }
        }
    }
}

/// # Safety
/// - The CPU has NEON; the pointers of `p` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "neon")]
unsafe fn multiply_floats(p: &FloatProduct) {
    for (tile, quarter) in (0..p.n_tiles).flat_map(|tile| (0..4).map(move |q| (tile, q))) {
        // SAFETY: every offset leads to a token of the tile or a column of the panel: the caller's promise.
        unsafe {
            let out = p.out.add(tile * TILE * p.out_stride + quarter * ROWS);
            let x = p.x.add(tile * TILE * p.x_stride);
            let mut totals = [[vdupq_n_f32(0.0); 2]; TILE];
            if !p.is_first {
                for (token, totals) in totals.iter_mut().enumerate() {
                    let out = out.add(token * p.out_stride);
                    *totals = [vld1q_f32(out), vld1q_f32(out.add(4))];
                }
            }
            for col in 0..p.n_cols {
                let w = p.values.add(col * PANEL_ROWS + quarter * ROWS);
                let w = [vld1q_f32(w), vld1q_f32(w.add(4))];
                for (token, totals) in totals.iter_mut().enumerate() {
                    let x = vdupq_n_f32(*x.add(token * p.x_stride + col));
                    totals[0] = vfmaq_f32(totals[0], w[0], x);
                    totals[1] = vfmaq_f32(totals[1], w[1], x);
                }
            }
            for (token, totals) in totals.iter().enumerate() {
                let out = out.add(token * p.out_stride);
                vst1q_f32(out, totals[0]);
                vst1q_f32(out.add(4), totals[1]);
            }
        }
    }
}
