//! The loops of attention, written once over [`Lanes`] and compiled for every variant.
//!
//! Everything is inlined into the function of the variant, whose instruction sets it is compiled for.

use std::marker::PhantomData;

use super::{BLOCK_POSITIONS, KEY_WORDS, Lanes, Queries, View};
use crate::numeric::weight;
use crate::simd::Q8_0_BLOCK;

/// How keys and values are kept.
pub trait Stored {
    /// 16-bit words of a row of `head_dim` elements.
    fn row_words(head_dim: usize) -> usize;

    /// Scores of `SIDE` blocks of positions and `H` heads.
    ///
    /// # Safety
    /// - The CPU has the instructions of `L`; blocks and heads lie inside the view.
    unsafe fn score<L: Lanes, const SIDE: usize, const H: usize>(
        view: &View,
        first_block: usize,
        first_head: usize,
    );

    /// Sixteen elements of a value from `element` on.
    ///
    /// # Safety
    /// - The CPU has the instructions of `L`; `row` is a whole row, and the elements lie inside.
    unsafe fn value<L: Lanes>(row: *const u16, head_dim: usize, element: usize) -> L::Vector;
}

/// Half precision.
pub struct Halves;

impl Stored for Halves {
    #[inline(always)]
    fn row_words(head_dim: usize) -> usize {
        head_dim
    }

    #[inline(always)]
    unsafe fn score<L: Lanes, const SIDE: usize, const H: usize>(
        view: &View,
        first_block: usize,
        first_head: usize,
    ) {
        let block_words = BLOCK_POSITIONS * view.head_dim;
        // SAFETY: the caller's promise.
        unsafe {
            let keys = view.keys.add(first_block * block_words);
            let queries = view.queries.add(first_head * view.head_dim);
            let mut sums = [[L::splat(0.0); SIDE]; H];
            for element in 0..view.head_dim {
                let mut key = [L::splat(0.0); SIDE];
                for (side, key) in key.iter_mut().enumerate() {
                    let at = keys.add(side * block_words + element * BLOCK_POSITIONS);
                    *key = L::load_halves(at);
                    // Two elements share a line.
                    if element % 2 == 0 && first_head == 0 {
                        L::prefetch(at.wrapping_add(SIDE * block_words));
                    }
                }
                for (head, sums) in sums.iter_mut().enumerate() {
                    let query = L::splat(*queries.add(head * view.head_dim + element));
                    for (sum, key) in sums.iter_mut().zip(key) {
                        *sum = L::fused(query, key, *sum);
                    }
                }
            }
            for (head, sums) in sums.into_iter().enumerate() {
                let scores = view.scores(first_head + head);
                for (side, sum) in sums.into_iter().enumerate() {
                    L::store(scores.add((first_block + side) * BLOCK_POSITIONS), sum);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn value<L: Lanes>(row: *const u16, _head_dim: usize, element: usize) -> L::Vector {
        // SAFETY: the caller's promise.
        unsafe { L::load_halves(row.add(element)) }
    }
}

/// Q8_0.
pub struct Bytes;

impl Stored for Bytes {
    #[inline(always)]
    fn row_words(head_dim: usize) -> usize {
        head_dim / Q8_0_BLOCK * (1 + Q8_0_BLOCK / 2)
    }

    #[inline(always)]
    unsafe fn score<L: Lanes, const SIDE: usize, const H: usize>(
        view: &View,
        first_block: usize,
        first_head: usize,
    ) {
        let n_parts = view.head_dim / Q8_0_BLOCK;
        for block in first_block..first_block + SIDE {
            // SAFETY: the caller's promise.
            unsafe {
                let keys = view.keys.add(block * n_parts * KEY_WORDS);
                let mut sums = [L::splat(0.0); H];
                for part in 0..n_parts {
                    let key = keys.add(part * KEY_WORDS);
                    if first_head == 0 {
                        for at in (0..KEY_WORDS).step_by(32) {
                            L::prefetch(key.wrapping_add(n_parts * KEY_WORDS + at));
                        }
                    }
                    let at = first_head * n_parts + part;
                    let queries = Queries {
                        qs: view.qs.add(at * Q8_0_BLOCK),
                        stride: view.head_dim,
                        sums: view.q_sums.add(at),
                        sums_stride: n_parts,
                    };
                    let dots = L::dots::<H>(key.add(BLOCK_POSITIONS).cast(), queries);
                    let key_scales = L::load_halves(key);
                    for (head, (sum, dot)) in sums.iter_mut().zip(dots).enumerate() {
                        let scale = L::splat(*view.q_scales.add(at + head * n_parts));
                        *sum = L::fused(L::multiply(dot, scale), key_scales, *sum);
                    }
                }
                for (head, sum) in sums.into_iter().enumerate() {
                    let scores = view.scores(first_head + head);
                    L::store(scores.add(block * BLOCK_POSITIONS), sum);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn value<L: Lanes>(row: *const u16, head_dim: usize, element: usize) -> L::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            let scale = L::splat_half(row.add(element / Q8_0_BLOCK));
            let elements = row.add(head_dim / Q8_0_BLOCK).cast::<i8>();
            L::multiply(L::load_bytes(elements.add(element)), scale)
        }
    }
}

/// Something that is done for all heads, several at a time.
trait Step {
    /// # Safety
    /// - The CPU has the instructions of the lanes it uses; the heads lie inside the view.
    unsafe fn heads<const H: usize>(&self, first_head: usize);
}

/// At most `MAX` at a time, 8 or fewer, so many that their sums stay in registers; in parts as equal as can be.
///
/// # Safety
/// - As for [`Step::heads`], for all heads.
#[inline(always)]
unsafe fn for_heads<const MAX: usize>(n_heads: usize, step: &impl Step) {
    let mut first = 0;
    while first < n_heads {
        let n_left = n_heads - first;
        let n = n_left.div_ceil(n_left.div_ceil(MAX));
        // SAFETY: the caller's promise.
        unsafe {
            match n {
                1 => step.heads::<1>(first),
                2 if MAX >= 2 => step.heads::<2>(first),
                3 if MAX >= 3 => step.heads::<3>(first),
                4 if MAX >= 4 => step.heads::<4>(first),
                5 if MAX >= 5 => step.heads::<5>(first),
                6 if MAX >= 6 => step.heads::<6>(first),
                7 if MAX >= 7 => step.heads::<7>(first),
                8 if MAX >= 8 => step.heads::<8>(first),
                _ => unreachable!("no more than `MAX` at a time"),
            }
        }
        first += n;
    }
}

/// Scores of `SIDE` blocks of positions.
struct Scores<'a, L, S, const SIDE: usize> {
    view: &'a View,
    first_block: usize,
    kinds: PhantomData<(L, S)>,
}

impl<L: Lanes, S: Stored, const SIDE: usize> Step for Scores<'_, L, S, SIDE> {
    #[inline(always)]
    unsafe fn heads<const H: usize>(&self, first_head: usize) {
        // SAFETY: the caller's promise.
        unsafe { S::score::<L, SIDE, H>(self.view, self.first_block, first_head) }
    }
}

/// Values of up to 16 positions times their weights, for `SIDE` times 16 elements.
struct Values<'a, L, S, const SIDE: usize> {
    view: &'a View,
    block: usize,
    element: usize,
    kinds: PhantomData<(L, S)>,
}

impl<L: Lanes, S: Stored, const SIDE: usize> Step for Values<'_, L, S, SIDE> {
    #[inline(always)]
    unsafe fn heads<const H: usize>(&self, first_head: usize) {
        let view = self.view;
        let (row_words, first) = (S::row_words(view.head_dim), self.block * BLOCK_POSITIONS);
        let n_rows = (view.n_positions - first).min(BLOCK_POSITIONS);
        // SAFETY: the caller's promise; the rows are positions that are there.
        unsafe {
            let rows = view.values.add(first * row_words);
            // The same elements in the next block of positions.
            let ahead = BLOCK_POSITIONS * row_words + self.element * row_words / view.head_dim;
            let mut sums = [[L::splat(0.0); SIDE]; H];
            if first > 0 {
                for (head, sums) in sums.iter_mut().enumerate() {
                    let out = view.out(first_head + head).add(self.element);
                    for (side, sum) in sums.iter_mut().enumerate() {
                        *sum = L::load(out.add(side * BLOCK_POSITIONS));
                    }
                }
            }
            for row_idx in 0..n_rows {
                let row = rows.add(row_idx * row_words);
                if first_head == 0 {
                    L::prefetch(row.wrapping_add(ahead));
                }
                let mut value = [L::splat(0.0); SIDE];
                for (side, value) in value.iter_mut().enumerate() {
                    let element = self.element + side * BLOCK_POSITIONS;
                    *value = S::value::<L>(row, view.head_dim, element);
                }
                for (head, sums) in sums.iter_mut().enumerate() {
                    let weight = L::splat(*view.scores(first_head + head).add(first + row_idx));
                    for (sum, value) in sums.iter_mut().zip(value) {
                        *sum = L::fused(weight, value, *sum);
                    }
                }
            }
            for (head, sums) in sums.into_iter().enumerate() {
                let out = view.out(first_head + head).add(self.element);
                for (side, sum) in sums.into_iter().enumerate() {
                    L::store(out.add(side * BLOCK_POSITIONS), sum);
                }
            }
        }
    }
}

/// The whole piece, `SIDE` vectors (1 or 2) and `MAX` heads at a time.
///
/// # Safety
/// - The CPU has the instructions of `L`; `view` leads to what [`Piece`] describes.
#[inline(always)]
pub unsafe fn attend<L: Lanes, S: Stored, const SIDE: usize, const MAX: usize>(view: &View) {
    let kinds = PhantomData::<(L, S)>;
    let n_blocks = view.n_positions.div_ceil(BLOCK_POSITIONS);
    let n_heads = view.n_heads;
    // SAFETY: blocks, heads and elements lie inside the view, by the loops' bounds.
    unsafe {
        let mut first_block = 0;
        while first_block + SIDE <= n_blocks {
            let step = Scores::<L, S, SIDE> {
                view,
                first_block,
                kinds,
            };
            for_heads::<MAX>(n_heads, &step);
            first_block += SIDE;
        }
        if first_block < n_blocks {
            let step = Scores::<L, S, 1> {
                view,
                first_block,
                kinds,
            };
            for_heads::<MAX>(n_heads, &step);
        }
        for head_idx in 0..n_heads {
            let scores =
                std::slice::from_raw_parts_mut(view.scores(head_idx), n_blocks * BLOCK_POSITIONS);
            let (largest, sum) = weigh(scores, view.n_positions);
            let extra = view.out(head_idx).add(view.head_dim);
            *extra = largest;
            *extra.add(1) = sum;
        }
        for block in 0..n_blocks {
            let mut element = 0;
            while element + SIDE * BLOCK_POSITIONS <= view.head_dim {
                let step = Values::<L, S, SIDE> {
                    view,
                    block,
                    element,
                    kinds,
                };
                for_heads::<MAX>(n_heads, &step);
                element += SIDE * BLOCK_POSITIONS;
            }
            if element < view.head_dim {
                let step = Values::<L, S, 1> {
                    view,
                    block,
                    element,
                    kinds,
                };
                for_heads::<MAX>(n_heads, &step);
            }
        }
    }
}

/// Replaces the first `n` scores by e^(score - largest); the largest and the sum.
#[inline(always)]
fn weigh(scores: &mut [f32], n: usize) -> (f32, f32) {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    scores[n..]
        .iter_mut()
        .for_each(|score| *score = f32::NEG_INFINITY);
    let mut largest = [f32::NEG_INFINITY; BLOCK_POSITIONS];
    let (blocks, _) = scores.as_chunks_mut::<BLOCK_POSITIONS>();
    for block in &*blocks {
        for (largest, score) in largest.iter_mut().zip(block) {
            *largest = larger(*score, *largest);
        }
    }
    let largest = largest.iter().fold(f32::NEG_INFINITY, |a, &b| larger(b, a));
    for score in blocks.as_flattened_mut() {
        *score = weight(*score - largest);
    }
    let mut sums = [0.0f32; BLOCK_POSITIONS];
    for block in scores.as_chunks::<BLOCK_POSITIONS>().0 {
        for (sum, score) in sums.iter_mut().zip(block) {
            *sum += score;
        }
    }
    (largest, sums.iter().sum())
}
