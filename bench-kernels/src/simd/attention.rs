//! Attention of one token over one piece of the KV cache: scores, softmax and weighted values of all query heads that
//! share a key-value head.
//!
//! Pseudo-code, for every query head h: `score[h][t] = fma(query[h][i], key[t][i], score[h][t])` for i in order (for
//! Q8_0 block by block, integers inside the block); `weight[h][t] = e^(score[h][t] - largest)`; then
//! `out[h][i] = fma(weight[h][t], value[t][i], out[h][i])` for t in order.
//!
//! 1. Keys lie in blocks of 16 positions, element by element: each position has a lane, no sum crosses lanes, and the
//!    lanes of positions that are not there yet touch no other.
//! 2. A key or value is converted once for up to eight heads, whose sums stay in registers.
//! 3. Every variant runs the same loops over its own [`Lanes`]: all agree bit by bit.

mod loops;

use bench_protocol::KvFormat;

pub(super) use self::loops::{Bytes, Halves, attend};
use super::{Isa, Q8_0_BLOCK};
use crate::numeric::Activations;

/// Positions of a block of keys, and lanes of every vector here.
pub const BLOCK_POSITIONS: usize = 16;

/// Values that a piece leaves beside those of a head: maximum and sum.
pub const N_EXTRA: usize = 2;

/// 16-bit words of 32 elements of a block of quantised keys: scales, then eight times four elements of each position.
pub const KEY_WORDS: usize = BLOCK_POSITIONS * (1 + Q8_0_BLOCK / 2);

/// What to attend to, and where the results go.
///
/// Shape: keys are whole blocks `[block][element][16 positions]`, or for Q8_0
/// `[block][32 elements]([16 scales][4 elements][16 positions][4])`; values are `[position][element]`, or for Q8_0
/// scales, then elements, of each position.
pub struct Piece<'a> {
    pub format: KvFormat,
    pub head_dim: usize,
    /// Positions that are there; blocks of keys may have room for more.
    pub n_positions: usize,
    /// `[head][element]`, divided by the root of their number.
    pub queries: &'a [f32],
    /// The same, quantised in blocks of 32; used for Q8_0 only.
    pub quantised: &'a Activations,
    pub keys: &'a [u16],
    pub values: &'a [u16],
    /// Room for the scores of all heads, whole blocks each.
    pub scores: &'a mut [f32],
    /// `[head]`: values, then maximum and sum.
    pub out: &'a mut [f32],
}

/// The same without lengths, which have been checked.
pub(super) struct View {
    head_dim: usize,
    n_positions: usize,
    n_heads: usize,
    queries: *const f32,
    qs: *const i8,
    q_scales: *const f32,
    q_sums: *const i16,
    keys: *const u16,
    values: *const u16,
    scores: *mut f32,
    out: *mut f32,
}

impl View {
    /// The scores of a head.
    ///
    /// # Safety
    /// - There is that head.
    #[inline(always)]
    unsafe fn scores(&self, head_idx: usize) -> *mut f32 {
        let n_padded = self.n_positions.next_multiple_of(BLOCK_POSITIONS);
        // SAFETY: the caller's promise.
        unsafe { self.scores.add(head_idx * n_padded) }
    }

    /// What a head leaves.
    ///
    /// # Safety
    /// - There is that head.
    #[inline(always)]
    unsafe fn out(&self, head_idx: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.out.add(head_idx * (self.head_dim + N_EXTRA)) }
    }
}

/// Attention of one variant, format by format.
pub(super) struct Attention {
    pub f16: unsafe fn(&View),
    pub q8_0: unsafe fn(&View),
}

impl Isa {
    /// Attends to one piece.
    ///
    /// # Panics
    /// When lengths do not fit, there is no position, or elements do not come in 16s (32s for Q8_0).
    pub fn attend(&self, piece: Piece<'_>) {
        let Piece {
            head_dim,
            n_positions,
            queries,
            quantised,
            ..
        } = piece;
        let n_heads = queries.len() / head_dim;
        let n_padded = (n_positions.min(piece.values.len())).next_multiple_of(BLOCK_POSITIONS);
        let row_words = match piece.format {
            KvFormat::F16 => head_dim,
            KvFormat::Q8_0 => head_dim / Q8_0_BLOCK * (1 + Q8_0_BLOCK / 2),
        };
        // No length of a slice is near the largest number, but a product of two that are not checked yet may be.
        let has = |len: usize, n: usize, each: usize| n.checked_mul(each).is_some_and(|n| len >= n);
        assert!(
            (1..=piece.values.len()).contains(&n_positions)
                && head_dim.is_multiple_of(BLOCK_POSITIONS)
                && queries.len() == n_heads * head_dim
                && has(piece.keys.len(), n_padded, row_words)
                && has(piece.values.len(), n_positions, row_words)
                && has(piece.scores.len(), n_heads, n_padded)
                && piece.out.len() == n_heads * (head_dim + N_EXTRA),
            "the piece has all positions and heads"
        );
        assert!(
            piece.format == KvFormat::F16
                || head_dim.is_multiple_of(Q8_0_BLOCK)
                    && quantised.block_elements() == Q8_0_BLOCK
                    && quantised.cols() == queries.len(),
            "the queries are quantised in blocks of 32"
        );
        let view = View {
            head_dim,
            n_positions,
            n_heads,
            queries: queries.as_ptr(),
            qs: quantised.qs().as_ptr(),
            q_scales: quantised.scales().as_ptr(),
            q_sums: quantised.sums32().as_ptr(),
            keys: piece.keys.as_ptr(),
            values: piece.values.as_ptr(),
            scores: piece.scores.as_mut_ptr(),
            out: piece.out.as_mut_ptr(),
        };
        let attend = match piece.format {
            KvFormat::F16 => self.attention.f16,
            KvFormat::Q8_0 => self.attention.q8_0,
        };
        // SAFETY: the token proves the CPU runs this variant; the assertions above tie all lengths together.
        unsafe { attend(&view) }
    }
}

/// Sixteen floats, one per position or element.
pub(super) trait Lanes {
    type Vector: Copy;

    /// # Safety
    /// - As for all of them: the CPU has the instructions of the implementor, and pointers are valid for what is read
    ///   or written: 16 elements if nothing else is said.
    unsafe fn splat(value: f32) -> Self::Vector;

    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn load(at: *const f32) -> Self::Vector;

    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn store(at: *mut f32, value: Self::Vector);

    /// Half-precision floats.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn load_halves(at: *const u16) -> Self::Vector;

    /// One half-precision float in all lanes.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`], for one element.
    unsafe fn splat_half(at: *const u16) -> Self::Vector;

    /// Bytes.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn load_bytes(at: *const i8) -> Self::Vector;

    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b + c`, rounded once.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`].
    unsafe fn fused(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// Products of 32 elements of 16 keys with as many of `H` queries.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`]; `keys` has 512 bytes, `[4 elements][16 positions][4]`.
    unsafe fn dots<const H: usize>(keys: *const i8, queries: Queries) -> [Self::Vector; H];

    /// Asks for the line at an address, and for one further ahead.
    ///
    /// # Safety
    /// - As for [`Lanes::splat`]; the address need not be valid.
    unsafe fn prefetch(at: *const u16);
}

/// Elements of several quantised queries and, per query, their sum.
#[derive(Clone, Copy)]
pub(super) struct Queries {
    pub qs: *const i8,
    pub stride: usize,
    #[cfg_attr(
        target_arch = "aarch64",
        expect(dead_code, reason = "only products with unsigned bytes need it")
    )]
    pub sums: *const i16,
    #[cfg_attr(
        target_arch = "aarch64",
        expect(dead_code, reason = "only products with unsigned bytes need it")
    )]
    pub sums_stride: usize,
}

/// The attention of a variant, compiled for the instruction sets named: its lanes, vectors and heads at a time.
macro_rules! attention {
    ($features:literal, $lanes:ty, $side:literal, $max_heads:literal) => {{
        use $crate::simd::attention::{Attention, Bytes, Halves, View, attend};
        /// # Safety
        /// - The CPU has the features named below; `view` leads to what [`Piece`](crate::simd::attention::Piece)
        ///   describes.
        #[target_feature(enable = $features)]
        unsafe fn f16(view: &View) {
            // SAFETY: the caller's promise.
            unsafe { attend::<$lanes, Halves, $side, $max_heads>(view) }
        }
        /// # Safety
        /// - As for `f16`.
        #[target_feature(enable = $features)]
        unsafe fn q8_0(view: &View) {
            // SAFETY: the caller's promise.
            unsafe { attend::<$lanes, Bytes, $side, $max_heads>(view) }
        }
        Attention { f16, q8_0 }
    }};
}
pub(super) use attention;
