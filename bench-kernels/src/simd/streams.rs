//! Streams on x86_64, written once for vectors of either width: what differs is the [`Vector`].
//!
//! 1. Eight vectors a step, independent of each other: no load waits for an addition.
//! 2. Arrays that no private cache holds are prefetched: lines that are read as weights are (see [`prefetch_line`]),
//!    lines that are written in the state that writing needs. A store without that waits for its line; the hardware
//!    asks for too few at a time. Measured from memory on one and two Sapphire Rapids cores, interleaved, five rounds,
//!    against the same loops without it: `write` 1.62 x and 1.61 x, `copy` 1.24 x and 1.22 x, `scale` 1.23 x and
//!    1.22 x, `triad` 1.15 x, `copy_nt` 1.14 x and 1.13 x. Prefetching only what `copy` and `triad` read, and not what
//!    they write, makes them slower (0.96 x and 0.95 x).
//! 3. Words that fill no step are treated one by one; stores that keep their place (`write_volatile`) keep the compiler
//!    from making a call of memset or memcpy of them.

use std::arch::x86_64::*;

use super::rows256::prefetch_line;
use super::words_before_line;

/// Vectors of one step.
const STEP: usize = 8;

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// Words from which an array is prefetched: 4 MiB, more than the private caches of a core. In a cache the prefetches
/// take the place of loads.
const PREFETCHED_WORDS: usize = (4 << 20) / 8;

/// How far ahead of the stores their lines are asked for.
const WRITE_AHEAD_BYTES: usize = 8 << 10;

/// A vector register of 64-bit lanes.
pub(super) trait Vector: Copy {
    /// Lanes.
    const WORDS: usize;

    /// # Safety
    /// - The CPU has the instructions of the implementor; `at` is valid for reads of one vector.
    unsafe fn load(at: *const u64) -> Self;

    /// # Safety
    /// - The CPU has the instructions of the implementor; `at` is valid for writes of one vector.
    unsafe fn store(self, at: *mut u64);

    /// Stores around the caches.
    ///
    /// # Safety
    /// - As for [`Vector::store`], and `at` is aligned to the vector.
    unsafe fn store_around(self, at: *mut u64);

    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn splat(word: u64) -> Self;

    /// Sum of words, wrapping.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn add_words(self, other: Self) -> Self;

    /// Sum of doubles.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn add(self, other: Self) -> Self;

    /// Product of doubles.
    ///
    /// # Safety
    /// - As for [`Vector::splat`].
    unsafe fn multiply(self, other: Self) -> Self;
}

/// 256 bits: AVX2.
#[derive(Clone, Copy)]
pub(super) struct V256(__m256i);

/// 512 bits: AVX-512F.
#[derive(Clone, Copy)]
pub(super) struct V512(__m512i);

macro_rules! vector {
    ($name:ident, $words:literal, $load:ident, $store:ident, $stream:ident, $splat:ident, $add_words:ident, $add:ident,
     $multiply:ident, $doubles:ident, $integers:ident) => {
        impl Vector for $name {
            const WORDS: usize = $words;

            #[inline(always)]
            unsafe fn load(at: *const u64) -> $name {
                // SAFETY: the caller's promise.
                unsafe { $name($load(at.cast())) }
            }

            #[inline(always)]
            unsafe fn store(self, at: *mut u64) {
                // SAFETY: the caller's promise.
                unsafe { $store(at.cast(), self.0) }
            }

            #[inline(always)]
            unsafe fn store_around(self, at: *mut u64) {
                // SAFETY: the caller's promise.
                unsafe { $stream(at.cast(), self.0) }
            }

            #[inline(always)]
            unsafe fn splat(word: u64) -> $name {
                // SAFETY: the caller's promise.
                unsafe { $name($splat(word as i64)) }
            }

            #[inline(always)]
            unsafe fn add_words(self, other: $name) -> $name {
                // SAFETY: the caller's promise.
                unsafe { $name($add_words(self.0, other.0)) }
            }

            #[inline(always)]
            unsafe fn add(self, other: $name) -> $name {
                // SAFETY: the caller's promise.
                unsafe { $name($integers($add($doubles(self.0), $doubles(other.0)))) }
            }

            #[inline(always)]
            unsafe fn multiply(self, other: $name) -> $name {
                // SAFETY: the caller's promise.
                unsafe { $name($integers($multiply($doubles(self.0), $doubles(other.0)))) }
            }
        }
    };
}

vector!(
    V256,
    4,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_stream_si256,
    _mm256_set1_epi64x,
    _mm256_add_epi64,
    _mm256_add_pd,
    _mm256_mul_pd,
    _mm256_castsi256_pd,
    _mm256_castpd_si256
);
vector!(
    V512,
    8,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    _mm512_stream_si512,
    _mm512_set1_epi64,
    _mm512_add_epi64,
    _mm512_add_pd,
    _mm512_mul_pd,
    _mm512_castsi512_pd,
    _mm512_castpd_si512
);

/// The streams of one kind of [`Vector`], compiled for the instruction sets named.
macro_rules! streams {
    ($features:literal, $vector:ty) => {
        use $crate::simd::streams;

        const NON_TEMPORAL: $crate::simd::NonTemporal = $crate::simd::NonTemporal {
            write: write_nt,
            copy: copy_nt,
            triad: triad_nt,
        };

        streams!(@one $features, $vector, false, read, read(from: *const u64, n: usize) -> u64);
        streams!(@one $features, $vector, false, write, write(to: *mut u64, n: usize, value: u64));
        streams!(@one $features, $vector, true, write, write_nt(to: *mut u64, n: usize, value: u64));
        streams!(@one $features, $vector, false, copy, copy(to: *mut u64, from: *const u64, n: usize));
        streams!(@one $features, $vector, true, copy, copy_nt(to: *mut u64, from: *const u64, n: usize));
        streams!(@one $features, $vector, false, scale,
            scale(to: *mut f64, from: *const f64, factor: f64, n: usize));
        streams!(@one $features, $vector, false, add, add(to: *mut f64, a: *const f64, b: *const f64, n: usize));
        streams!(@one $features, $vector, false, triad,
            triad(to: *mut f64, b: *const f64, c: *const f64, factor: f64, n: usize));
        streams!(@one $features, $vector, true, triad,
            triad_nt(to: *mut f64, b: *const f64, c: *const f64, factor: f64, n: usize));
    };
    (@one $features:literal, $vector:ty, $around:literal, $generic:ident,
        $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {
        /// # Safety
        /// - The CPU has the features named below; every pointer is valid for `n` elements, and what is written
        ///   overlaps nothing else.
        #[target_feature(enable = $features)]
        unsafe fn $name($($arg: $type),*) $(-> $out)? {
            // SAFETY: the caller's promise.
            unsafe { streams::$generic::<$vector, $around>($($arg),*) }
        }
    };
}
pub(super) use streams;

/// Pseudo-code: `sum += from[i]`, wrapping.
///
/// # Safety
/// - The CPU has the instructions of `V`; `from` is valid for reads of `n` words.
#[inline(always)]
pub(super) unsafe fn read<V: Vector, const AROUND: bool>(from: *const u64, n: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        match n >= PREFETCHED_WORDS {
            true => read_with::<V, true>(from, n),
            false => read_with::<V, false>(from, n),
        }
    }
}

/// # Safety
/// - As for [`read`].
#[inline(always)]
unsafe fn read_with<V: Vector, const PREFETCH: bool>(from: *const u64, n: usize) -> u64 {
    let mut idx = 0;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        let mut sums = [V::splat(0); STEP];
        while idx + STEP * V::WORDS <= n {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = from.add(idx + lane * V::WORDS);
                if PREFETCH && (lane * V::WORDS).is_multiple_of(LINE_WORDS) {
                    prefetch_line(at);
                }
                *sum = sum.add_words(V::load(at));
            }
            idx += STEP * V::WORDS;
        }
        let mut lanes = [0u64; LINE_WORDS];
        let sum = sums.into_iter().reduce(|a, b| a.add_words(b));
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
pub(super) unsafe fn write<V: Vector, const AROUND: bool>(to: *mut u64, n: usize, value: u64) {
    // SAFETY: the closures touch nothing but `to`; the caller's promise.
    unsafe {
        let vector = V::splat(value);
        each::<V, AROUND, 0>(to, [], n, |_| vector, |_| value);
    }
}

/// Pseudo-code: `to[i] = from[i]`.
///
/// # Safety
/// - The CPU has the instructions of `V`; `to` is valid for writes and `from` for reads of `n` words; they do not
///   overlap.
#[inline(always)]
pub(super) unsafe fn copy<V: Vector, const AROUND: bool>(to: *mut u64, from: *const u64, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { each::<V, AROUND, 1>(to, [from], n, |v| v[0], |w| w[0]) };
}

/// Pseudo-code: `to[i] = factor * from[i]`.
///
/// # Safety
/// - As for [`copy`], of doubles.
#[inline(always)]
pub(super) unsafe fn scale<V: Vector, const AROUND: bool>(
    to: *mut f64,
    from: *const f64,
    factor: f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let vector = V::splat(factor.to_bits());
        each::<V, AROUND, 1>(
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
pub(super) unsafe fn add<V: Vector, const AROUND: bool>(
    to: *mut f64,
    a: *const f64,
    b: *const f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        each::<V, AROUND, 2>(
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
pub(super) unsafe fn triad<V: Vector, const AROUND: bool>(
    to: *mut f64,
    b: *const f64,
    c: *const f64,
    factor: f64,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let vector = V::splat(factor.to_bits());
        each::<V, AROUND, 2>(
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
unsafe fn each<V: Vector, const AROUND: bool, const N: usize>(
    to: *mut u64,
    from: [*const u64; N],
    n: usize,
    vector: impl Fn([V; N]) -> V + Copy,
    word: impl Fn([u64; N]) -> u64 + Copy,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match n >= PREFETCHED_WORDS {
            true => each_with::<V, AROUND, N, true>(to, from, n, vector, word),
            false => each_with::<V, AROUND, N, false>(to, from, n, vector, word),
        }
    }
}

/// # Safety
/// - As for [`each`].
#[inline(always)]
unsafe fn each_with<V: Vector, const AROUND: bool, const N: usize, const PREFETCH: bool>(
    to: *mut u64,
    from: [*const u64; N],
    n: usize,
    vector: impl Fn([V; N]) -> V,
    word: impl Fn([u64; N]) -> u64,
) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions; stores around the caches begin at a cache line.
    unsafe {
        if AROUND {
            let head = words_before_line(to, n);
            while idx < head {
                to.add(idx)
                    .write_volatile(word(from.map(|from| *from.add(idx))));
                idx += 1;
            }
        }
        while idx + STEP * V::WORDS <= n {
            for lane in 0..STEP {
                let at = idx + lane * V::WORDS;
                if PREFETCH && (lane * V::WORDS).is_multiple_of(LINE_WORDS) {
                    from.iter().for_each(|from| prefetch_line(from.add(at)));
                    if !AROUND {
                        _mm_prefetch::<_MM_HINT_ET0>(
                            to.add(at).cast::<i8>().wrapping_add(WRITE_AHEAD_BYTES),
                        );
                    }
                }
                let result = vector(from.map(|from| V::load(from.add(at))));
                match AROUND {
                    true => result.store_around(to.add(at)),
                    false => result.store(to.add(at)),
                }
            }
            idx += STEP * V::WORDS;
        }
        while idx < n {
            to.add(idx)
                .write_volatile(word(from.map(|from| *from.add(idx))));
            idx += 1;
        }
        if AROUND {
            _mm_sfence();
        }
    }
}
