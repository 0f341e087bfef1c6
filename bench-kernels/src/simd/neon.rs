//! NEON: 128-bit vectors, two of them per group of rows; a second variant with the
//! dot-product instructions, and a third with those that multiply matrices.

mod attention;
mod batch;
mod peak;
mod products;

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use self::batch::{I8mm, batched};
use self::products::{Dotprod, Widening, products};
use super::vectors::vectors;
use super::{Isa, Missing, NonTemporal, words_before_line};

const NON_TEMPORAL: NonTemporal = NonTemporal {
    write: write_nt,
    copy: copy_nt,
    triad: triad_nt,
};

static NEON: Isa = Isa {
    name: "neon",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products::<Widening>(),
    batched: batched::<Widening>(),
    peaks: peak::WIDENING,
    attention: attention::WIDENING,
    vectors: vectors!("neon"),
};

static NEON_DOTPROD: Isa = Isa {
    name: "neon-dotprod",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products::<Dotprod>(),
    batched: batched::<Dotprod>(),
    peaks: peak::DOTPROD,
    attention: attention::DOTPROD,
    vectors: vectors!("neon"),
};

/// With the matrix-multiply instructions for batches; a single vector has nothing to fill the second column with.
static NEON_I8MM: Isa = Isa {
    name: "neon-i8mm",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products::<Dotprod>(),
    batched: batched::<I8mm>(),
    peaks: peak::I8MM,
    attention: attention::DOTPROD,
    vectors: vectors!("neon"),
};

pub(super) fn detect_all() -> [(&'static str, Result<&'static Isa, Missing>); 3] {
    let has_neon = is_aarch64_feature_detected!("neon");
    let has_dotprod = has_neon && is_aarch64_feature_detected!("dotprod");
    let has_i8mm = has_dotprod && is_aarch64_feature_detected!("i8mm");
    let or_missing = |is_there: bool, isa: &'static Isa, what: &str| match is_there {
        true => Ok(isa),
        false => Err(Missing {
            reason: format!("the CPU has no {what}"),
        }),
    };
    [
        (NEON.name, or_missing(has_neon, &NEON, "NEON")),
        (
            NEON_DOTPROD.name,
            or_missing(
                has_dotprod,
                &NEON_DOTPROD,
                "dot-product instructions (asimddp)",
            ),
        ),
        (
            NEON_I8MM.name,
            or_missing(has_i8mm, &NEON_I8MM, "matrix-multiply instructions (i8mm)"),
        ),
    ]
}

/// # Safety
/// - The CPU has NEON; `words` is valid for reads of `n` words.
#[target_feature(enable = "neon")]
unsafe fn read(words: *const u64, n: usize) -> u64 {
    let mut sums = [vdupq_n_u64(0); 8];
    let mut idx = 0;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = vaddq_u64(*sum, vld1q_u64(words.add(idx + lane * 2)));
            }
            idx += 16;
        }
        let sum = sums
            .into_iter()
            .reduce(|a, b| vaddq_u64(a, b))
            .unwrap_or(vdupq_n_u64(0));
        let mut rest = vaddvq_u64(sum);
        while idx < n {
            rest = rest.wrapping_add(*words.add(idx));
            idx += 1;
        }
        rest
    }
}

/// # Safety
/// - The CPU has NEON; `words` is valid for writes of `n` words.
#[target_feature(enable = "neon")]
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    let vector = vdupq_n_u64(value);
    let mut idx = 0;
    // SAFETY: every store lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..8 {
                vst1q_u64(words.add(idx + lane * 2), vector);
            }
            idx += 16;
        }
        while idx < n {
            words.add(idx).write_volatile(value);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "neon")]
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..8 {
                vst1q_u64(to.add(idx + lane * 2), vld1q_u64(from.add(idx + lane * 2)));
            }
            idx += 16;
        }
        while idx < n {
            to.add(idx).write_volatile(*from.add(idx));
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "neon")]
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 8 <= n {
            for lane in 0..4 {
                let at = idx + lane * 2;
                let product = vmulq_n_f64(vld1q_f64(c.add(at)), scale);
                vst1q_f64(a.add(at), vaddq_f64(vld1q_f64(b.add(at)), product));
            }
            idx += 8;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `to` is valid for writes and `from` for reads of `n` doubles; they do not overlap.
#[target_feature(enable = "neon")]
unsafe fn scale(to: *mut f64, from: *const f64, scale: f64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..8 {
                let at = idx + lane * 2;
                vst1q_f64(to.add(at), vmulq_n_f64(vld1q_f64(from.add(at)), scale));
            }
            idx += 16;
        }
        while idx < n {
            *to.add(idx) = scale * *from.add(idx);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `to` is valid for writes, `a` and `b` for reads of `n` doubles; `to` overlaps neither.
#[target_feature(enable = "neon")]
unsafe fn add(to: *mut f64, a: *const f64, b: *const f64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..8 {
                let at = idx + lane * 2;
                let sum = vaddq_f64(vld1q_f64(a.add(at)), vld1q_f64(b.add(at)));
                vst1q_f64(to.add(at), sum);
            }
            idx += 16;
        }
        while idx < n {
            *to.add(idx) = *a.add(idx) + *b.add(idx);
            idx += 1;
        }
    }
}

/// Stores two vectors with STNP: the hint that the line will not be read again, so that it need not be kept.
///
/// # Safety
/// - The CPU has NEON; `at` is valid for writes of four words.
#[inline(always)]
unsafe fn store_pair_nt(at: *mut u64, first: uint64x2_t, second: uint64x2_t) {
    // SAFETY: the caller's promise; STNP needs no alignment beyond that of a word.
    unsafe {
        asm!(
            "stnp {first:q}, {second:q}, [{at}]",
            first = in(vreg) first,
            second = in(vreg) second,
            at = in(reg) at,
            options(nostack, preserves_flags),
        );
    }
}

/// Whole cache lines go to memory with the hint not to keep them; the words before the first line are stored as usual.
///
/// # Safety
/// - The CPU has NEON; `words` is valid for writes of `n` words.
#[target_feature(enable = "neon")]
unsafe fn write_nt(words: *mut u64, n: usize, value: u64) {
    let vector = vdupq_n_u64(value);
    let mut idx = words_before_line(words, n);
    // SAFETY: every store lies below `n`, by the loop conditions.
    unsafe {
        for head_idx in 0..idx {
            words.add(head_idx).write_volatile(value);
        }
        while idx + 16 <= n {
            for pair in 0..4 {
                store_pair_nt(words.add(idx + pair * 4), vector, vector);
            }
            idx += 16;
        }
        while idx < n {
            words.add(idx).write_volatile(value);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "neon")]
unsafe fn copy_nt(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = words_before_line(to, n);
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        for head_idx in 0..idx {
            to.add(head_idx).write_volatile(*from.add(head_idx));
        }
        while idx + 16 <= n {
            for pair in 0..4 {
                let at = idx + pair * 4;
                let (first, second) = (vld1q_u64(from.add(at)), vld1q_u64(from.add(at + 2)));
                store_pair_nt(to.add(at), first, second);
            }
            idx += 16;
        }
        while idx < n {
            to.add(idx).write_volatile(*from.add(idx));
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has NEON; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "neon")]
unsafe fn triad_nt(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let mut idx = words_before_line(a.cast(), n);
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        for head_idx in 0..idx {
            *a.add(head_idx) = *b.add(head_idx) + scale * *c.add(head_idx);
        }
        while idx + 16 <= n {
            for pair in 0..4 {
                let at = idx + pair * 4;
                let [first, second] = [at, at + 2].map(|at| {
                    let product = vmulq_n_f64(vld1q_f64(c.add(at)), scale);
                    vreinterpretq_u64_f64(vaddq_f64(vld1q_f64(b.add(at)), product))
                });
                store_pair_nt(a.add(at).cast(), first, second);
            }
            idx += 16;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
    }
}
