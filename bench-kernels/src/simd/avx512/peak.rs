//! Peak arithmetic in 512-bit vectors.

use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;

use crate::simd::avx2;
use crate::simd::peak::{Peak, Peaks};

/// Independent sums.
const N_SUMS: usize = 16;

/// Lanes of 32 bits.
const LANES: u64 = 16;

const F32: Peak = Peak {
    run: f32_steps,
    ops_per_step: 2 * LANES * N_SUMS as u64,
    sum_per_step: N_SUMS as u32,
};

const F16: Option<(fn() -> bool, Peak)> = Some((
    || is_x86_feature_detected!("avx512fp16"),
    Peak {
        run: f16_steps,
        ops_per_step: 4 * LANES * N_SUMS as u64,
        sum_per_step: N_SUMS as u32,
    },
));

/// Without the dot-product instruction: bytes in 256 bits, as in the products of this variant.
pub const PLAIN: Peaks = Peaks {
    f32: F32,
    f16: F16,
    int8: avx2::peak::MADDUBS.int8,
};

/// With VPDPBUSD.
pub const VNNI: Peaks = Peaks {
    f32: F32,
    f16: F16,
    int8: Some(Peak {
        run: dpbusd_steps,
        ops_per_step: 8 * LANES * N_SUMS as u64,
        sum_per_step: 4 * N_SUMS as u32,
    }),
};

/// # Safety
/// - The CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn f32_steps(n: u32) -> f32 {
    // The compiler must not know the operands, or it would add them up beforehand.
    let (a, b) = black_box((_mm512_set1_ps(1.0), _mm512_set1_ps(1.0)));
    let mut sums = [_mm512_setzero_ps(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(a, b, *sum);
        }
    }
    sums.iter().map(|sum| _mm512_cvtss_f32(*sum)).sum()
}

/// # Safety
/// - The CPU has AVX-512 F and VNNI.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn dpbusd_steps(n: u32) -> f32 {
    let (a, b) = black_box((_mm512_set1_epi8(1), _mm512_set1_epi8(1)));
    let mut sums = [_mm512_setzero_si512(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, a, b);
        }
    }
    sums.iter()
        .map(|sum| _mm512_cvtsi512_si32(*sum) as f32)
        .sum()
}

/// # Safety
/// - The CPU has AVX-512 F and FP16.
#[target_feature(enable = "avx512f")]
unsafe fn f16_steps(n: u32) -> f32 {
    let one = _mm512_set1_epi16(0x3c00);
    let mut sums = [_mm512_setzero_si512(); N_SUMS];
    for _ in 0..n {
        for sum in &mut sums {
            // The intrinsic wants the type `f16`, which is not stable in Rust 1.95.
            // SAFETY: AVX512-FP16 was detected; only registers are touched.
            unsafe {
                asm!(
                    "vfmadd231ph {sum}, {one}, {one}",
                    sum = inout(zmm_reg) *sum,
                    one = in(zmm_reg) one,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
    }
    sums.iter()
        .map(|sum| crate::numeric::f16_to_f32(_mm512_cvtsi512_si32(*sum) as u16))
        .sum()
}
