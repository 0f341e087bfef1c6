//! AVX-512 (F, BW and VL): 512-bit streams; a second variant with the dot-product instruction of AVX-512-VNNI.
//!
//! The products stay in 256-bit vectors (see `rows256` for why) and gain the ternary logic and the registers of the
//! EVEX encoding.

mod attention;
pub(super) mod batch;
mod peak;

use std::arch::x86_64::*;

use super::avx2;
use super::rows256::{EvexDpbusd, Maddubs, PREFETCHED_WORDS, prefetch_line, products};
use super::vectors::vectors;
use super::{Isa, Missing, NonTemporal, words_before_line};

const NON_TEMPORAL: NonTemporal = NonTemporal {
    write: write_nt,
    copy: copy_nt,
    triad: triad_nt,
};

pub(super) static ISA: Isa = Isa {
    name: "avx512",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c,avx512f,avx512bw,avx512vl", Maddubs),
    batched: avx2::batch::MADDUBS,
    peaks: peak::PLAIN,
    attention: avx2::attention::MADDUBS,
    vectors: vectors!("avx512f,avx512bw,avx512vl"),
};

pub(super) static ISA_VNNI: Isa = ISA_VNNI_PARTS;

/// What [`ISA_VNNI`] consists of, for variants that replace some of it.
pub(super) const ISA_VNNI_PARTS: Isa = Isa {
    name: "avx512-vnni",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c,avx512f,avx512bw,avx512vl,avx512vnni", EvexDpbusd),
    batched: batch::VNNI,
    peaks: peak::VNNI,
    attention: attention::VNNI,
    vectors: vectors!("avx512f,avx512bw,avx512vl"),
};

pub(super) fn detect() -> Result<&'static Isa, Missing> {
    avx2::detect()?;
    let lacks = [
        (is_x86_feature_detected!("avx512f"), "AVX-512F"),
        (is_x86_feature_detected!("avx512bw"), "AVX-512BW"),
        (is_x86_feature_detected!("avx512vl"), "AVX-512VL"),
    ];
    match lacks.iter().find(|(is_there, _)| !is_there) {
        Some((_, name)) => Err(Missing {
            reason: format!("the CPU has no {name}"),
        }),
        None => Ok(&ISA),
    }
}

pub(super) fn detect_vnni() -> Result<&'static Isa, Missing> {
    detect()?;
    if !is_x86_feature_detected!("avx512vnni") {
        return Err(Missing {
            reason: "the CPU has no AVX-512-VNNI".into(),
        });
    }
    Ok(&ISA_VNNI)
}

/// Words of one vector.
const LANE_WORDS: usize = 8;

/// Words of one unrolled step: 512 bytes, eight independent registers.
const STEP_WORDS: usize = 8 * LANE_WORDS;

/// Pseudo-code: `sum += words[i]`, wrapping.
/// 1. Eight independent sums: one load per cycle is never held up by the add before it.
/// 2. Lines of arrays that no private cache holds are prefetched: the hardware alone asks for too few at a time.
///
/// # Safety
/// - The CPU has AVX-512F; `words` is valid for reads of `n` words.
#[target_feature(enable = "avx512f")]
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
#[target_feature(enable = "avx512f")]
unsafe fn read_with<const PREFETCH: bool>(words: *const u64, n: usize) -> u64 {
    let mut sums = [_mm512_setzero_si512(); 8];
    let mut idx = 0;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = words.add(idx + lane * LANE_WORDS);
                if PREFETCH {
                    prefetch_line(at);
                }
                *sum = _mm512_add_epi64(*sum, _mm512_loadu_si512(at.cast()));
            }
            idx += STEP_WORDS;
        }
        let sum = sums
            .into_iter()
            .reduce(|a, b| _mm512_add_epi64(a, b))
            .unwrap_or(_mm512_setzero_si512());
        let mut rest = _mm512_reduce_add_epi64(sum) as u64;
        while idx < n {
            rest = rest.wrapping_add(*words.add(idx));
            idx += 1;
        }
        rest
    }
}

/// # Safety
/// - The CPU has AVX-512F; `words` is valid for writes of `n` words.
#[target_feature(enable = "avx512f")]
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    let vector = _mm512_set1_epi64(value as i64);
    let mut idx = 0;
    // SAFETY: every store lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                _mm512_storeu_si512(words.add(idx + lane * LANE_WORDS).cast(), vector);
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
/// - The CPU has AVX-512F; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "avx512f")]
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let vector = _mm512_loadu_si512(from.add(at).cast());
                _mm512_storeu_si512(to.add(at).cast(), vector);
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
/// - The CPU has AVX-512F; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "avx512f")]
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let factor = _mm512_set1_pd(scale);
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 4 * LANE_WORDS <= n {
            for lane in 0..4 {
                let at = idx + lane * LANE_WORDS;
                let product = _mm512_mul_pd(factor, _mm512_loadu_pd(c.add(at)));
                let sum = _mm512_add_pd(_mm512_loadu_pd(b.add(at)), product);
                _mm512_storeu_pd(a.add(at), sum);
            }
            idx += 4 * LANE_WORDS;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX-512F; `to` is valid for writes and `from` for reads of `n` doubles; they do not overlap.
#[target_feature(enable = "avx512f")]
unsafe fn scale(to: *mut f64, from: *const f64, scale: f64, n: usize) {
    let factor = _mm512_set1_pd(scale);
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let product = _mm512_mul_pd(factor, _mm512_loadu_pd(from.add(at)));
                _mm512_storeu_pd(to.add(at), product);
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
/// - The CPU has AVX-512F; `to` is valid for writes, `a` and `b` for reads of `n` doubles; `to` overlaps neither.
#[target_feature(enable = "avx512f")]
unsafe fn add(to: *mut f64, a: *const f64, b: *const f64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let sum = _mm512_add_pd(_mm512_loadu_pd(a.add(at)), _mm512_loadu_pd(b.add(at)));
                _mm512_storeu_pd(to.add(at), sum);
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
/// - The CPU has AVX-512F; `words` is valid for writes of `n` words.
#[target_feature(enable = "avx512f")]
unsafe fn write_nt(words: *mut u64, n: usize, value: u64) {
    let vector = _mm512_set1_epi64(value as i64);
    let mut idx = words_before_line(words, n);
    // SAFETY: every store lies below `n`, by the loop conditions; the vector stores begin at a cache line.
    unsafe {
        for head_idx in 0..idx {
            words.add(head_idx).write_volatile(value);
        }
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                _mm512_stream_si512(words.add(idx + lane * LANE_WORDS).cast(), vector);
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
/// - The CPU has AVX-512F; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "avx512f")]
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
                let vector = _mm512_loadu_si512(from.add(at).cast());
                _mm512_stream_si512(to.add(at).cast(), vector);
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
/// - The CPU has AVX-512F; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "avx512f")]
unsafe fn triad_nt(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let factor = _mm512_set1_pd(scale);
    let mut idx = words_before_line(a.cast(), n);
    // SAFETY: every access lies below `n`, by the loop conditions; the vector stores begin at a cache line.
    unsafe {
        for head_idx in 0..idx {
            *a.add(head_idx) = *b.add(head_idx) + scale * *c.add(head_idx);
        }
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let at = idx + lane * LANE_WORDS;
                let product = _mm512_mul_pd(factor, _mm512_loadu_pd(c.add(at)));
                _mm512_stream_pd(
                    a.add(at),
                    _mm512_add_pd(_mm512_loadu_pd(b.add(at)), product),
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
