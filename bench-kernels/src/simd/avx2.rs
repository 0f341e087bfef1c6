//! AVX2 with F16C and FMA: 256-bit streams and vectors; a second variant with the dot-product instruction of AVX-VNNI.

pub(super) mod attention;
pub(super) mod batch;
pub(super) mod peak;

use std::arch::x86_64::*;

use super::rows256::{Maddubs, PREFETCHED_WORDS, VexDpbusd, prefetch_line, products};
use super::vectors::vectors;
use super::{Isa, Missing, NonTemporal, words_before_line};

const NON_TEMPORAL: NonTemporal = NonTemporal {
    write: write_nt,
    copy: copy_nt,
    triad: triad_nt,
};

pub(super) static ISA: Isa = Isa {
    name: "avx2",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c", Maddubs),
    batched: batch::MADDUBS,
    peaks: peak::MADDUBS,
    attention: attention::MADDUBS,
    vectors: vectors!("avx2"),
};

pub(super) static ISA_VNNI: Isa = Isa {
    name: "avx-vnni",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c,avxvnni", VexDpbusd),
    batched: batch::VNNI,
    peaks: peak::VNNI,
    attention: attention::VNNI,
    vectors: vectors!("avx2"),
};

pub(super) fn detect() -> Result<&'static Isa, Missing> {
    if !is_x86_feature_detected!("avx2") {
        return Err(Missing {
            reason: "the CPU has no AVX2".into(),
        });
    }
    if !is_x86_feature_detected!("f16c") {
        return Err(Missing {
            reason: "the CPU has no F16C".into(),
        });
    }
    if !is_x86_feature_detected!("fma") {
        return Err(Missing {
            reason: "the CPU has no FMA".into(),
        });
    }
    Ok(&ISA)
}

pub(super) fn detect_vnni() -> Result<&'static Isa, Missing> {
    detect()?;
    if !is_x86_feature_detected!("avxvnni") {
        return Err(Missing {
            reason: "the CPU has no AVX-VNNI".into(),
        });
    }
    Ok(&ISA_VNNI)
}

/// Words of one vector.
const LANE_WORDS: usize = 4;

/// Words of one unrolled step: 256 bytes, eight independent registers.
const STEP_WORDS: usize = 8 * LANE_WORDS;

/// Pseudo-code: `sum += words[i]`, wrapping.
/// 1. Eight independent sums: one load per cycle is never held up by the add before it.
/// 2. Lines of arrays that no private cache holds are prefetched: the hardware alone asks for too few at a time.
///
/// # Safety
/// - The CPU has AVX2; `words` is valid for reads of `n` words.
#[target_feature(enable = "avx2")]
unsafe fn read(words: *const u64, n: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        match n >= PREFETCHED_WORDS {
            true => read_with::<true>(words, n),
            false => read_with::<false>(words, n),
        }
    }
}

/// # Safety
/// - As for [`read`].
#[target_feature(enable = "avx2")]
unsafe fn read_with<const PREFETCH: bool>(words: *const u64, n: usize) -> u64 {
    let mut sums = [_mm256_setzero_si256(); 8];
    let mut idx = 0;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = words.add(idx + lane * LANE_WORDS);
                // Two vectors are one line.
                if PREFETCH && lane % 2 == 0 {
                    prefetch_line(at);
                }
                *sum = _mm256_add_epi64(*sum, _mm256_loadu_si256(at.cast()));
            }
            idx += STEP_WORDS;
        }
        let mut total = [0u64; 4];
        let sum = sums
            .into_iter()
            .reduce(|a, b| _mm256_add_epi64(a, b))
            .unwrap_or(_mm256_setzero_si256());
        _mm256_storeu_si256(total.as_mut_ptr().cast(), sum);
        let mut rest = total.into_iter().fold(0u64, u64::wrapping_add);
        while idx < n {
            rest = rest.wrapping_add(*words.add(idx));
            idx += 1;
        }
        rest
    }
}

/// # Safety
/// - The CPU has AVX2; `words` is valid for writes of `n` words.
#[target_feature(enable = "avx2")]
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    let vector = _mm256_set1_epi64x(value as i64);
    let mut idx = 0;
    // SAFETY: every store lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                _mm256_storeu_si256(words.add(idx + lane * 4).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            words.add(idx).write_volatile(value);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "avx2")]
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let vector = _mm256_loadu_si256(from.add(idx + lane * 4).cast());
                _mm256_storeu_si256(to.add(idx + lane * 4).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            to.add(idx).write_volatile(*from.add(idx));
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "avx2")]
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let factor = _mm256_set1_pd(scale);
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..4 {
                let at = idx + lane * 4;
                let product = _mm256_mul_pd(factor, _mm256_loadu_pd(c.add(at)));
                _mm256_storeu_pd(
                    a.add(at),
                    _mm256_add_pd(_mm256_loadu_pd(b.add(at)), product),
                );
            }
            idx += 16;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `to` is valid for writes and `from` for reads of `n` doubles; they do not overlap.
#[target_feature(enable = "avx2")]
unsafe fn scale(to: *mut f64, from: *const f64, scale: f64, n: usize) {
    let factor = _mm256_set1_pd(scale);
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let product = _mm256_mul_pd(factor, _mm256_loadu_pd(from.add(at)));
                _mm256_storeu_pd(to.add(at), product);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            *to.add(idx) = scale * *from.add(idx);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `to` is valid for writes, `a` and `b` for reads of `n` doubles; `to` overlaps neither.
#[target_feature(enable = "avx2")]
unsafe fn add(to: *mut f64, a: *const f64, b: *const f64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let sum = _mm256_add_pd(_mm256_loadu_pd(a.add(at)), _mm256_loadu_pd(b.add(at)));
                _mm256_storeu_pd(to.add(at), sum);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            *to.add(idx) = *a.add(idx) + *b.add(idx);
            idx += 1;
        }
    }
}

/// Whole cache lines go to memory without being read first; the words before the first line are stored as usual.
///
/// # Safety
/// - The CPU has AVX2; `words` is valid for writes of `n` words.
#[target_feature(enable = "avx2")]
unsafe fn write_nt(words: *mut u64, n: usize, value: u64) {
    let vector = _mm256_set1_epi64x(value as i64);
    let mut idx = words_before_line(words, n);
    // SAFETY: every store lies below `n`, by the loop conditions; the vector stores begin at a cache line.
    unsafe {
        for head_idx in 0..idx {
            words.add(head_idx).write_volatile(value);
        }
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                _mm256_stream_si256(words.add(idx + lane * LANE_WORDS).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            words.add(idx).write_volatile(value);
            idx += 1;
        }
        _mm_sfence();
    }
}

/// # Safety
/// - The CPU has AVX2; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "avx2")]
unsafe fn copy_nt(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = words_before_line(to, n);
    // SAFETY: every access lies below `n`, by the loop conditions; the vector stores begin at a cache line.
    unsafe {
        for head_idx in 0..idx {
            to.add(head_idx).write_volatile(*from.add(head_idx));
        }
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let vector = _mm256_loadu_si256(from.add(at).cast());
                _mm256_stream_si256(to.add(at).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            to.add(idx).write_volatile(*from.add(idx));
            idx += 1;
        }
        _mm_sfence();
    }
}

/// # Safety
/// - The CPU has AVX2; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "avx2")]
unsafe fn triad_nt(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let factor = _mm256_set1_pd(scale);
    let mut idx = words_before_line(a.cast(), n);
    // SAFETY: every access lies below `n`, by the loop conditions; the vector stores begin at a cache line.
    unsafe {
        for head_idx in 0..idx {
            *a.add(head_idx) = *b.add(head_idx) + scale * *c.add(head_idx);
        }
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let product = _mm256_mul_pd(factor, _mm256_loadu_pd(c.add(at)));
                _mm256_stream_pd(
                    a.add(at),
                    _mm256_add_pd(_mm256_loadu_pd(b.add(at)), product),
                );
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
        _mm_sfence();
    }
}
