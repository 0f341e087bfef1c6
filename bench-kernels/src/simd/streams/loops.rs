//! The loops of every operation, over any [`Vector`] and in any shape.

use super::{LINE_WORDS, OFF, Vector};
use crate::simd::words_before_line;

/// Running sums: independent of each other, so that no load waits for an addition.
const N_SUMS: usize = 8;

/// Pseudo-code: `sum += from[i]`, wrapping, in `PARTS` streams that begin at equal distances.
///
/// # Safety
/// - The CPU has the instructions of `V`; `from` is valid for reads of `n` words.
#[inline(always)]
pub(in crate::simd) unsafe fn read<
    V: Vector,
    const STEP: usize,
    const AHEAD: u8,
    const PARTS: usize,
>(
    from: *const u64,
    n: usize,
) -> u64 {
    let (n_vectors, step_words) = (
        STEP / V::REGISTERS / PARTS,
        STEP / V::REGISTERS / PARTS * V::WORDS,
    );
    let part_words = n / PARTS / step_words * step_words;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        let mut sums = [V::splat(0); N_SUMS];
        let mut idx = 0;
        while idx < part_words {
            for lane in 0..n_vectors {
                for part in 0..PARTS {
                    let at = from.add(part * part_words + idx + lane * V::WORDS);
                    if (lane * V::WORDS).is_multiple_of(LINE_WORDS) {
                        V::ask_to_read::<AHEAD>(at);
                    }
                    let sum = &mut sums[(lane * PARTS + part) % N_SUMS];
                    *sum = sum.add_words(V::load(at));
                }
            }
            idx += step_words;
        }
        idx = PARTS * part_words;
        while idx + V::WORDS <= n {
            sums[0] = sums[0].add_words(V::load(from.add(idx)));
            idx += V::WORDS;
        }
        let sum = sums.into_iter().reduce(|a, b| a.add_words(b));
        let mut lanes = [0u64; LINE_WORDS];
        sum.unwrap_or(V::splat(0)).store(lanes.as_mut_ptr());
        let mut rest = lanes.into_iter().fold(0, u64::wrapping_add);
        while idx < n {
            rest = rest.wrapping_add(*from.add(idx));
            idx += 1;
        }
        rest
    }
}

/// Pseudo-code: `to[i] = value`.
///
/// # Safety
/// - The CPU has the instructions of `V`; `to` is valid for writes of `n` words.
#[inline(always)]
pub(in crate::simd) unsafe fn write<
    V: Vector,
    const AROUND: bool,
    const STEP: usize,
    const WAHEAD: u8,
>(
    to: *mut u64,
    n: usize,
    value: u64,
) {
    // SAFETY: the closures touch nothing but `to`; the caller's promise.
    unsafe {
        let vector = V::splat(value);
        each::<V, AROUND, 0, STEP, OFF, WAHEAD>(to, [], n, |_| vector, |_| value);
    }
}

/// Pseudo-code: `to[i] = from[i]`.
///
/// # Safety
/// - The CPU has the instructions of `V`; `to` is valid for writes and `from` for reads of `n` words; they do not
///   overlap.
#[inline(always)]
pub(in crate::simd) unsafe fn copy<
    V: Vector,
    const AROUND: bool,
    const STEP: usize,
    const AHEAD: u8,
    const WAHEAD: u8,
>(
    to: *mut u64,
    from: *const u64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { each::<V, AROUND, 1, STEP, AHEAD, WAHEAD>(to, [from], n, |v| v[0], |w| w[0]) };
}

/// Pseudo-code: `to[i] = factor * from[i]`.
///
/// # Safety
/// - As for [`copy`], of doubles.
#[inline(always)]
pub(in crate::simd) unsafe fn scale<
    V: Vector,
    const AROUND: bool,
    const STEP: usize,
    const AHEAD: u8,
    const WAHEAD: u8,
>(
    to: *mut f64,
    from: *const f64,
    factor: f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let vector = V::splat(factor.to_bits());
        each::<V, AROUND, 1, STEP, AHEAD, WAHEAD>(
            to.cast(),
            [from.cast()],
            n,
            |v| vector.multiply(v[0]),
            |w| (factor * f64::from_bits(w[0])).to_bits(),
        );
    }
}

/// Pseudo-code: `to[i] = a[i] + b[i]`.
///
/// # Safety
/// - As for [`copy`], of doubles, for both sources.
#[inline(always)]
pub(in crate::simd) unsafe fn add<
    V: Vector,
    const AROUND: bool,
    const STEP: usize,
    const AHEAD: u8,
    const WAHEAD: u8,
>(
    to: *mut f64,
    a: *const f64,
    b: *const f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        each::<V, AROUND, 2, STEP, AHEAD, WAHEAD>(
            to.cast(),
            [a.cast(), b.cast()],
            n,
            |v| v[0].add(v[1]),
            |w| (f64::from_bits(w[0]) + f64::from_bits(w[1])).to_bits(),
        );
    }
}

/// Pseudo-code: `to[i] = b[i] + factor * c[i]`.
///
/// # Safety
/// - As for [`add`].
#[inline(always)]
pub(in crate::simd) unsafe fn triad<
    V: Vector,
    const AROUND: bool,
    const STEP: usize,
    const AHEAD: u8,
    const WAHEAD: u8,
>(
    to: *mut f64,
    b: *const f64,
    c: *const f64,
    factor: f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let vector = V::splat(factor.to_bits());
        each::<V, AROUND, 2, STEP, AHEAD, WAHEAD>(
            to.cast(),
            [b.cast(), c.cast()],
            n,
            |v| v[0].add(vector.multiply(v[1])),
            |w| (f64::from_bits(w[0]) + factor * f64::from_bits(w[1])).to_bits(),
        );
    }
}

/// Every element of `to` from the elements at the same place of `N` sources: by vectors, the rest by words.
///
/// # Safety
/// - The CPU has the instructions of `V`; `to` is valid for writes, every source for reads of `n` words; `to` overlaps
///   no source.
#[inline(always)]
unsafe fn each<
    V: Vector,
    const AROUND: bool,
    const N: usize,
    const STEP: usize,
    const AHEAD: u8,
    const WAHEAD: u8,
>(
    to: *mut u64,
    from: [*const u64; N],
    n: usize,
    vector: impl Fn([V; N]) -> V,
    word: impl Fn([u64; N]) -> u64,
) {
    let n_vectors = STEP / V::REGISTERS;
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions; stores around the caches begin at a cache line.
    unsafe {
        let one = |at: usize| {
            let result = vector(from.map(|from| V::load(from.add(at))));
            match AROUND {
                true => result.store_around(to.add(at)),
                false => result.store(to.add(at)),
            }
        };
        if AROUND {
            let head = words_before_line(to, n);
            while idx < head {
                to.add(idx)
                    .write_volatile(word(from.map(|from| *from.add(idx))));
                idx += 1;
            }
        }
        while idx + n_vectors * V::WORDS <= n {
            for lane in 0..n_vectors {
                let at = idx + lane * V::WORDS;
                if (lane * V::WORDS).is_multiple_of(LINE_WORDS) {
                    from.iter()
                        .for_each(|from| V::ask_to_read::<AHEAD>(from.add(at)));
                    V::ask_to_write::<WAHEAD>(to.add(at));
                }
                one(at);
            }
            idx += n_vectors * V::WORDS;
        }
        while idx + V::WORDS <= n {
            one(idx);
            idx += V::WORDS;
        }
        while idx < n {
            to.add(idx)
                .write_volatile(word(from.map(|from| *from.add(idx))));
            idx += 1;
        }
        if AROUND {
            V::finish_stores_around();
        }
    }
}
