//! Peak arithmetic in 256-bit vectors.

use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;

use crate::simd::peak::{Peak, Peaks};

/// Independent sums; four more registers hold operands.
const N_SUMS: usize = 12;

const LANES: u64 = 8;

const F32: Peak = Peak {
    run: f32_steps,
    ops_per_step: 2 * LANES * N_SUMS as u64,
    sum_per_step: N_SUMS as u32,
};

/// Without the dot-product instruction.
pub const MADDUBS: Peaks = Peaks {
    f32: F32,
    f16: None,
    int8: Some(Peak {
        run: maddubs_steps,
        ops_per_step: 8 * LANES * N_SUMS as u64,
        sum_per_step: 4 * N_SUMS as u32,
    }),
};

/// With VPDPBUSD in the VEX encoding.
pub const VNNI: Peaks = Peaks {
    f32: F32,
    f16: None,
    int8: Some(Peak {
        run: dpbusd_steps,
        ops_per_step: 8 * LANES * N_SUMS as u64,
        sum_per_step: 4 * N_SUMS as u32,
    }),
};

/// # Safety
/// - The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn f32_steps(n: u32) -> f32 {
    // The compiler must not know the operands, or it would add them up beforehand.
    let (a, b) = black_box((_mm256_set1_ps(1.0), _mm256_set1_ps(1.0)));
    let mut sums = [_mm256_setzero_ps(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(a, b, *sum);
        }
    }
    sums.iter().map(|sum| _mm256_cvtss_f32(*sum)).sum()
}

/// # Safety
/// - The CPU has AVX2 and AVX-VNNI.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn dpbusd_steps(n: u32) -> f32 {
    let (a, b) = black_box((_mm256_set1_epi8(1), _mm256_set1_epi8(1)));
    let mut sums = [_mm256_setzero_si256(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
        }
    }
    sums.iter()
        .map(|sum| _mm256_cvtsi256_si32(*sum) as f32)
        .sum()
}

/// # Safety
/// - The CPU has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn maddubs_steps(n: u32) -> f32 {
    let (a, b) = (_mm256_set1_epi8(1), _mm256_set1_epi8(1));
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            // Not intrinsics: the products do not change from step to step, and would be made once.
            // SAFETY: AVX2 is there; only registers are touched.
            unsafe {
                asm!(
                    "vpmaddubsw {t}, {a}, {b}",
                    "vpmaddwd {t}, {t}, {ones}",
                    "vpaddd {sum}, {sum}, {t}",
                    t = out(ymm_reg) _,
                    a = in(ymm_reg) a,
                    b = in(ymm_reg) b,
                    ones = in(ymm_reg) ones,
                    sum = inout(ymm_reg) *sum,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
    }
    sums.iter()
        .map(|sum| _mm256_cvtsi256_si32(*sum) as f32)
        .sum()
}
