//! The reference: plain loops that every other variant has to equal.

mod attention;
mod batch;
mod products;

use self::attention::ATTENTION;
pub use self::batch::BATCHED;
use super::peak::{Peak, Peaks};
use super::streams::{Run, Shaped, Streams, always};
use super::{Isa, vectors};

pub(super) static ISA: Isa = Isa {
    name: "scalar",
    streams: &[&STREAMS],
    products: &[("plain", products::PRODUCTS)],
    batched: BATCHED,
    peaks: PEAKS,
    attention: ATTENTION,
    vectors: vectors::SCALAR,
};

static STREAMS: Streams = Streams {
    read: &[shaped("x1", Run::Read(read))],
    write: &[shaped("x1", Run::Write(write))],
    copy: &[shaped("x1", Run::Copy(copy))],
    scale: &[shaped("x1", Run::Scale(scale))],
    add: &[shaped("x1", Run::Add(add))],
    triad: &[shaped("x1", Run::Triad(triad))],
    ..Streams::NONE
};

const fn shaped(name: &'static str, run: Run) -> Shaped {
    Shaped {
        name,
        is_there: always,
        run,
    }
}

/// Independent sums of the peak.
const N_SUMS: usize = 16;

const PEAKS: Peaks = Peaks {
    f32: Peak {
        run: f32_steps,
        ops_per_step: 2 * N_SUMS as u64,
        sum_per_step: N_SUMS as u32,
    },
    f16: None,
    int8: None,
};

/// Pseudo-code: `sum = sum * 1 + 1` for every sum; multiplied and added apart, as the baseline has no fused form.
///
/// # Safety
/// - None.
unsafe fn f32_steps(n: u32) -> f32 {
    let (factor, term) = std::hint::black_box((1.0f32, 1.0f32));
    let mut sums = [0.0f32; N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            *sum = *sum * factor + term;
        }
    }
    sums.iter().sum()
}

/// # Safety
/// - `words` is valid for reads of `n` words.
unsafe fn read(words: *const u64, n: usize) -> u64 {
    // SAFETY: the caller's promise.
    let words = unsafe { std::slice::from_raw_parts(words, n) };
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// # Safety
/// - `words` is valid for writes of `n` words.
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    for idx in 0..n {
        // Volatile, or the compiler replaces the loop by memset and we would measure the C library.
        // SAFETY: the caller's promise.
        unsafe { words.add(idx).write_volatile(value) };
    }
}

/// # Safety
/// - `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    for idx in 0..n {
        // Volatile, or the compiler replaces the loop by memcpy.
        // SAFETY: the caller's promise.
        unsafe { to.add(idx).write_volatile(from.add(idx).read()) };
    }
}

/// # Safety
/// - `to` is valid for writes and `from` for reads of `n` doubles; they do not overlap.
unsafe fn scale(to: *mut f64, from: *const f64, scale: f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(idx) = scale * *from.add(idx) };
    }
}

/// # Safety
/// - `to` is valid for writes, `a` and `b` for reads of `n` doubles; `to` overlaps neither.
unsafe fn add(to: *mut f64, a: *const f64, b: *const f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(idx) = *a.add(idx) + *b.add(idx) };
    }
}

/// # Safety
/// - `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *a.add(idx) = *b.add(idx) + scale * *c.add(idx) };
    }
}
