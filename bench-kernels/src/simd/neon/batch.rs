//! Batched products in 128-bit vectors: 8 of the 32 rows of a panel at a time, a tile is four tokens.
//!
//! 1. Eight of the 32 registers hold sums of integers and eight those of floats, so that the output is read and written
//!    once a slice. A tile of eight tokens leaves no register for the floats: its output went through the first-level
//!    cache with every block, 4.4 instructions instead of 3.7 for every 32 multiply-adds with SDOT.
//! 2. A vector of sums is four rows of one token or, with I8MM, two rows of two tokens. Scales are spread to match it:
//!    sums never are, so that a block costs a conversion, a product and a multiply-add for each vector.
//! 3. I8MM wants eight columns of a row side by side. They are put there when a panel is unpacked, once for all tokens.

use std::arch::aarch64::*;
use std::arch::asm;

use super::products::{Dotprod, RowDot, Widening};
use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::simd::batch::{
    self, Batched, FloatProduct, Kind, PANEL_ROWS, Product, TokenSlot, Unpacked,
};

/// Tokens of a tile.
const TILE: usize = 4;

/// Rows that are multiplied at a time.
const ROWS: usize = 8;

/// Rows of floats that are multiplied at a time: sixteen sums, as their activations are not spread over four products.
const FLOAT_ROWS: usize = 16;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

/// One value for each row and token of a tile: for token t, the first four rows in vector 2 t and the others in the next
/// one; what [`I8mm`] makes of it, it says itself.
type Tile<T> = [T; ROWS * TILE / 4];

/// The batched loops with one kind of [`TileDot`].
pub const fn batched<D: TileDot>() -> Batched {
    Batched {
        tile_tokens: TILE,
        unpack: D::unpack,
        multiply: multiply::<D>,
        multiply_floats,
        quantise_token,
        softmax: batch::softmax,
        turn: batch::turn,
    }
}

/// # Safety
/// - None beyond the types.
unsafe fn quantise_token(x: &[f32], slot: TokenSlot<'_>) {
    batch::quantise_token(x, slot);
}

/// Products of a few chunks of eight rows with the tokens of a tile, and how they lie in registers.
pub trait TileDot {
    /// # Safety
    /// - The CPU has the instructions of the implementor; `values` leads to the first chunk of the eight rows, `x` to
    ///   the first activation of the first token; `CHUNKS` is a multiple of 4.
    unsafe fn sums<const CHUNKS: usize>(
        values: *const u8,
        x: *const i8,
        x_stride: usize,
    ) -> Tile<int32x4_t>;

    /// See [`Batched::unpack`].
    ///
    /// # Safety
    /// - None beyond the types: the compiler's own vectors are those of every aarch64.
    unsafe fn unpack(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
        batch::unpack::<false>(format, blocks, place, to);
    }

    /// One float per row, for every token.
    ///
    /// # Safety
    /// - `at` is valid for reads of eight floats.
    #[inline(always)]
    unsafe fn by_row(at: *const f32) -> Tile<float32x4_t> {
        // SAFETY: the caller's promise.
        let rows = unsafe { [vld1q_f32(at), vld1q_f32(at.add(4))] };
        std::array::from_fn(|idx| rows[idx % 2])
    }

    /// One float per token, for every row.
    ///
    /// # Safety
    /// - `at` is valid for reads of four floats.
    #[inline(always)]
    unsafe fn by_token(at: *const f32) -> Tile<float32x4_t> {
        // Lanes of one vector: a multiply-add takes them from there.
        // SAFETY: the caller's promise.
        let tokens = unsafe { spread(vld1q_f32(at)) };
        std::array::from_fn(|idx| tokens[idx / 2])
    }

    /// # Safety
    /// - `out` is valid for reads of eight floats of every token.
    #[inline(always)]
    unsafe fn load(out: *const f32, stride: usize) -> Tile<float32x4_t> {
        // SAFETY: the caller's promise.
        std::array::from_fn(|idx| unsafe { vld1q_f32(out.add(idx / 2 * stride + idx % 2 * 4)) })
    }

    /// # Safety
    /// - `out` is valid for writes of eight floats of every token.
    #[inline(always)]
    unsafe fn store(out: *mut f32, stride: usize, totals: Tile<float32x4_t>) {
        for (idx, total) in totals.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { vst1q_f32(out.add(idx / 2 * stride + idx % 2 * 4), total) };
        }
    }
}

/// Each of the four lanes in all lanes of a vector.
#[inline(always)]
fn spread(lanes: float32x4_t) -> [float32x4_t; 4] {
    // SAFETY: every aarch64 CPU this crate runs on has NEON (checked in `detect_all`).
    unsafe {
        [
            vdupq_laneq_f32::<0>(lanes),
            vdupq_laneq_f32::<1>(lanes),
            vdupq_laneq_f32::<2>(lanes),
            vdupq_laneq_f32::<3>(lanes),
        ]
    }
}

/// # Safety
/// - As for [`TileDot::sums`].
#[inline(always)]
unsafe fn sums_by_rows<D: RowDot, const CHUNKS: usize>(
    values: *const u8,
    x: *const i8,
    x_stride: usize,
) -> Tile<int32x4_t> {
    // SAFETY: the caller's promise.
    unsafe {
        let sums = add_by_rows::<D>([vdupq_n_s32(0); 8], values, x, x_stride);
        if CHUNKS == 4 {
            return sums;
        }
        // Not a loop of two turns: the compiler would leave it one.
        add_by_rows::<D>(sums, values.add(4 * CHUNK_BYTES), x.add(16), x_stride)
    }
}

/// Four chunks.
///
/// # Safety
/// - As for [`TileDot::sums`].
#[inline(always)]
unsafe fn add_by_rows<D: RowDot>(
    mut sums: Tile<int32x4_t>,
    values: *const u8,
    x: *const i8,
    x_stride: usize,
) -> Tile<int32x4_t> {
    // SAFETY: the caller's promise.
    unsafe {
        let w = [0, 1].map(|half| {
            [0, 1, 2, 3].map(|chunk| vld1q_s8(values.add(chunk * CHUNK_BYTES + half * 16).cast()))
        });
        for (idx, sum) in sums.iter_mut().enumerate() {
            *sum = D::add(*sum, w[idx % 2], vld1q_s8(x.add(idx / 2 * x_stride)));
        }
    }
    sums
}

impl TileDot for Widening {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(
        values: *const u8,
        x: *const i8,
        x_stride: usize,
    ) -> Tile<int32x4_t> {
        // SAFETY: the caller's promise.
        unsafe { sums_by_rows::<Widening, CHUNKS>(values, x, x_stride) }
    }
}

impl TileDot for Dotprod {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(
        values: *const u8,
        x: *const i8,
        x_stride: usize,
    ) -> Tile<int32x4_t> {
        // SAFETY: the caller's promise.
        unsafe { sums_by_rows::<Dotprod, CHUNKS>(values, x, x_stride) }
    }
}

/// SMMLA; its intrinsic is not stable in Rust 1.95.
///
/// A vector is two tokens x two rows: rows 2 j and 2 j + 1 of tokens 2 i and 2 i + 1 are vector 4 i + j, the tokens in
/// its halves. Of the weights, eight columns of four rows take the place of four columns of eight.
pub struct I8mm;

impl TileDot for I8mm {
    #[inline(always)]
    unsafe fn sums<const CHUNKS: usize>(
        values: *const u8,
        x: *const i8,
        x_stride: usize,
    ) -> Tile<int32x4_t> {
        // SAFETY: the caller's promise.
        unsafe {
            let sums = add_squares([vdupq_n_s32(0); 8], values, x, x_stride);
            if CHUNKS == 4 {
                return sums;
            }
            add_squares(sums, values.add(4 * CHUNK_BYTES), x.add(16), x_stride)
        }
    }

    unsafe fn unpack(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
        let Unpacked {
            values,
            floats,
            scales,
            minima,
        } = to;
        let parts = Unpacked {
            values: &mut *values,
            floats,
            scales,
            minima,
        };
        batch::unpack::<false>(format, blocks, place, parts);
        if Kind::of(format) == Kind::Float {
            return;
        }
        let n_blocks = blocks.len() / (format.block_bytes() * GROUP_ROWS);
        let n_pairs = n_blocks * format.block_elements() / 8;
        for pair in values.chunks_exact_mut(2 * CHUNK_BYTES).take(n_pairs) {
            let (first, second) = pair.split_at_mut(CHUNK_BYTES);
            let first = &mut first[place * 32..][..32];
            let second = &mut second[place * 32..][..32];
            // SAFETY: both are 32 bytes, and every aarch64 CPU this crate runs on has NEON.
            unsafe { interleave(first.as_mut_ptr().cast(), second.as_mut_ptr().cast()) };
        }
    }

    #[inline(always)]
    unsafe fn by_row(at: *const f32) -> Tile<float32x4_t> {
        // SAFETY: the caller's promise.
        let rows = unsafe {
            let (low, high) = (vld1q_f32(at), vld1q_f32(at.add(4)));
            [halves(low, low), halves(high, high)]
        };
        std::array::from_fn(|idx| rows[idx / 2 % 2][idx % 2])
    }

    #[inline(always)]
    unsafe fn by_token(at: *const f32) -> Tile<float32x4_t> {
        // SAFETY: the caller's promise.
        let tokens = unsafe {
            let tokens = vld1q_f32(at);
            [vzip1q_f32(tokens, tokens), vzip2q_f32(tokens, tokens)]
        };
        std::array::from_fn(|idx| tokens[idx / 4])
    }

    #[inline(always)]
    unsafe fn load(out: *const f32, stride: usize) -> Tile<float32x4_t> {
        // SAFETY: the caller's promise.
        let quads: [[float32x4_t; 2]; 4] = std::array::from_fn(|idx| unsafe {
            let at = out.add(idx / 2 * 2 * stride + idx % 2 * 4);
            halves(vld1q_f32(at), vld1q_f32(at.add(stride)))
        });
        std::array::from_fn(|idx| quads[idx / 2][idx % 2])
    }

    #[inline(always)]
    unsafe fn store(out: *mut f32, stride: usize, totals: Tile<float32x4_t>) {
        for (idx, pair) in totals.as_chunks::<2>().0.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let at = out.add(idx / 2 * 2 * stride + idx % 2 * 4);
                let [even, odd] = halves(pair[0], pair[1]);
                vst1q_f32(at, even);
                vst1q_f32(at.add(stride), odd);
            }
        }
    }
}

/// Four chunks.
///
/// # Safety
/// - As for [`TileDot::sums`].
#[inline(always)]
unsafe fn add_squares(
    mut sums: Tile<int32x4_t>,
    values: *const u8,
    x: *const i8,
    x_stride: usize,
) -> Tile<int32x4_t> {
    // SAFETY: the caller's promise.
    unsafe {
        let [first, second] = [0, 2].map(|token| {
            let at = x.add(token * x_stride);
            let (a, b) = (vld1q_s8(at), vld1q_s8(at.add(x_stride)));
            halves(vreinterpretq_f32_s8(a), vreinterpretq_f32_s8(b))
                .map(|x| vreinterpretq_s8_f32(x))
        });
        // Both pairs of tokens in the first eight columns, then in the others.
        let x = [[first[0], second[0]], [first[1], second[1]]];
        for (eight, x) in x.into_iter().enumerate() {
            let w = [0, 1, 2, 3].map(|pair| {
                let at = (eight * 2 + pair / 2) * CHUNK_BYTES + pair % 2 * 16;
                vld1q_s8(values.add(at).cast())
            });
            for (idx, sum) in sums.iter_mut().enumerate() {
                *sum = smmla(*sum, x[idx / 4], w[idx % 4]);
            }
        }
    }
    sums
}

/// The first halves of two vectors, and their second halves.
#[inline(always)]
fn halves(a: float32x4_t, b: float32x4_t) -> [float32x4_t; 2] {
    // SAFETY: every aarch64 CPU this crate runs on has NEON (checked in `detect_all`).
    unsafe {
        let (a, b) = (vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b));
        [
            vreinterpretq_f32_f64(vzip1q_f64(a, b)),
            vreinterpretq_f32_f64(vzip2q_f64(a, b)),
        ]
    }
}

/// Turns two chunks of eight rows into eight columns of rows 0 to 3, and of rows 4 to 7.
///
/// # Safety
/// - The CPU has NEON; both are valid for reads and writes of 32 bytes.
#[inline(always)]
unsafe fn interleave(first: *mut i32, second: *mut i32) {
    // SAFETY: the caller's promise.
    unsafe {
        let [a, b] = [first, second].map(|at| [vld1q_s32(at), vld1q_s32(at.add(4))]);
        for (half, to) in [first, second].into_iter().enumerate() {
            vst1q_s32(to, vzip1q_s32(a[half], b[half]));
            vst1q_s32(to.add(4), vzip2q_s32(a[half], b[half]));
        }
    }
}

/// Adds to the 2 x 2 matrix `sum` the products of two tokens' eight activations in `x` with two rows of eight in `w`.
///
/// # Safety
/// - The CPU has the matrix-multiply instructions.
#[inline(always)]
unsafe fn smmla(mut sum: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {sum:v}.4s, {x:v}.16b, {w:v}.16b",
            sum = inout(vreg) sum,
            x = in(vreg) x,
            w = in(vreg) w,
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
        let x_scales = p.x_scales.add(tile * p.x_scales_stride);
        let out = p.out.add(tile * TILE * p.out_stride + first_row);
        let mut totals = match p.is_first {
            true => [vdupq_n_f32(0.0); 8],
            false => D::load(out, p.out_stride),
        };
        for block in 0..p.n_blocks {
            let mut parts = [vdupq_n_f32(0.0); 8];
            for sub in block * N_SUBS..(block + 1) * N_SUBS {
                let values = p.values.add(sub * CHUNKS * CHUNK_BYTES + first_row * 4);
                let sums = D::sums::<CHUNKS>(values, x.add(sub * CHUNKS * 4), p.x_stride);
                let row = sub * PANEL_ROWS + first_row;
                let scales = D::by_row(p.scales.add(row));
                for (idx, part) in parts.iter_mut().enumerate() {
                    let sum = vcvtq_f32_s32(sums[idx]);
                    *part = match N_SUBS {
                        1 => vmulq_f32(sum, scales[idx]),
                        _ => vfmaq_f32(*part, sum, scales[idx]),
                    };
                }
                if MINIMA {
                    let minima = D::by_row(p.minima.add(row));
                    let x_sums = D::by_token(p.x_sums.add(tile * p.x_sums_stride + sub * TILE));
                    for (idx, part) in parts.iter_mut().enumerate() {
                        *part = vfmsq_f32(*part, minima[idx], x_sums[idx]);
                    }
                }
            }
            let x_scales = D::by_token(x_scales.add(block * TILE));
            for (idx, total) in totals.iter_mut().enumerate() {
                *total = vfmaq_f32(*total, parts[idx], x_scales[idx]);
            }
        }
        D::store(out, p.out_stride, totals);
    }
}

/// # Safety
/// - The CPU has NEON; the pointers of `p` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "neon")]
unsafe fn multiply_floats(p: &FloatProduct) {
    for (tile, half) in (0..p.n_tiles).flat_map(|tile| [(tile, 0), (tile, 1)]) {
        // SAFETY: every offset leads to a token of the tile or a column of the panel: the caller's promise.
        unsafe {
            let out = p.out.add(tile * TILE * p.out_stride + half * FLOAT_ROWS);
            let x = p.x.add(tile * TILE * p.x_stride);
            let mut totals = [[vdupq_n_f32(0.0); FLOAT_ROWS / 4]; TILE];
            if !p.is_first {
                for (token, totals) in totals.iter_mut().enumerate() {
                    let out = out.add(token * p.out_stride);
                    *totals = std::array::from_fn(|quarter| vld1q_f32(out.add(quarter * 4)));
                }
            }
            for col in 0..p.n_cols {
                let w = p.values.add(col * PANEL_ROWS + half * FLOAT_ROWS);
                let w = [0, 4, 8, 12].map(|row| vld1q_f32(w.add(row)));
                for (token, totals) in totals.iter_mut().enumerate() {
                    let x = vdupq_n_f32(*x.add(token * p.x_stride + col));
                    for (total, w) in totals.iter_mut().zip(w) {
                        *total = vfmaq_f32(*total, w, x);
                    }
                }
            }
            for (token, totals) in totals.into_iter().enumerate() {
                let out = out.add(token * p.out_stride);
                for (quarter, total) in totals.into_iter().enumerate() {
                    vst1q_f32(out.add(quarter * 4), total);
                }
            }
        }
    }
}
