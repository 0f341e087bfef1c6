//! Peak arithmetic in 128-bit vectors.

use std::arch::aarch64::*;
use std::arch::asm;

use crate::simd::peak::{Peak, Peaks};

/// Independent sums.
const N_SUMS: usize = 16;

/// Lanes of 32 bits.
const LANES: u64 = 4;

const fn peaks(int8: Peak) -> Peaks {
    Peaks {
        f32: Peak {
            run: f32_steps,
            ops_per_step: 2 * LANES * N_SUMS as u64,
            sum_per_step: N_SUMS as u32,
        },
        f16: Some((
            || std::arch::is_aarch64_feature_detected!("fp16"),
            Peak {
                run: f16_steps,
                ops_per_step: 4 * LANES * N_SUMS as u64,
                sum_per_step: N_SUMS as u32,
            },
        )),
        int8: Some(int8),
    }
}

/// Widening products, added in pairs.
pub const WIDENING: Peaks = peaks(Peak {
    run: widening_steps,
    ops_per_step: 4 * LANES * N_SUMS as u64,
    sum_per_step: 2 * N_SUMS as u32,
});

/// SDOT.
pub const DOTPROD: Peaks = peaks(Peak {
    run: sdot_steps,
    ops_per_step: 8 * LANES * N_SUMS as u64,
    sum_per_step: 4 * N_SUMS as u32,
});

/// SMMLA.
pub const I8MM: Peaks = peaks(Peak {
    run: smmla_steps,
    ops_per_step: 16 * LANES * N_SUMS as u64,
    sum_per_step: 8 * N_SUMS as u32,
});

/// A loop of one instruction, or a short run of them, on every sum. Not intrinsics: some are not stable, and the compiler
/// would make products that never change once.
macro_rules! steps {
    ($(#[$doc:meta])* $name:ident, $one:expr, $first:ident, $($line:literal),+) => {
        $(#[$doc])*
        #[target_feature(enable = "neon")]
        unsafe fn $name(n: u32) -> f32 {
            let one = $one;
            let mut sums = [vdupq_n_s32(0); N_SUMS];
            for _ in 0..n {
                for sum in &mut sums {
                    // SAFETY: the caller's promise; only registers are touched.
                    unsafe {
                        asm!(
                            $($line,)+
                            sum = inout(vreg) *sum,
                            one = in(vreg) one,
                            t = out(vreg) _,
                            options(pure, nomem, nostack, preserves_flags),
                        );
                    }
                }
            }
            sums.into_iter().map($first).sum()
        }
    };
}

steps!(
    /// # Safety
    /// - The CPU has NEON.
    f32_steps,
    vdupq_n_s32(0x3f80_0000),
    first_f32,
    "fmla {sum:v}.4s, {one:v}.4s, {one:v}.4s",
    "/* {t:v} */"
);

steps!(
    /// # Safety
    /// - The CPU has NEON with half precision.
    f16_steps,
    vdupq_n_s32(0x3c00_3c00),
    first_f16,
    ".arch_extension fp16",
    "fmla {sum:v}.8h, {one:v}.8h, {one:v}.8h",
    "/* {t:v} */"
);

steps!(
    /// # Safety
    /// - The CPU has NEON.
    widening_steps,
    vdupq_n_s32(0x0101_0101),
    first_i32,
    "smull {t:v}.8h, {one:v}.8b, {one:v}.8b",
    "sadalp {sum:v}.4s, {t:v}.8h"
);

steps!(
    /// # Safety
    /// - The CPU has the dot-product instructions.
    sdot_steps,
    vdupq_n_s32(0x0101_0101),
    first_i32,
    ".arch_extension dotprod",
    "sdot {sum:v}.4s, {one:v}.16b, {one:v}.16b",
    "/* {t:v} */"
);

steps!(
    /// # Safety
    /// - The CPU has the matrix-multiply instructions.
    smmla_steps,
    vdupq_n_s32(0x0101_0101),
    first_i32,
    ".arch_extension i8mm",
    "smmla {sum:v}.4s, {one:v}.16b, {one:v}.16b",
    "/* {t:v} */"
);

fn first_i32(sum: int32x4_t) -> f32 {
    first_bits(sum) as i32 as f32
}

fn first_f32(sum: int32x4_t) -> f32 {
    f32::from_bits(first_bits(sum))
}

fn first_f16(sum: int32x4_t) -> f32 {
    crate::numeric::f16_to_f32(first_bits(sum) as u16)
}

fn first_bits(sum: int32x4_t) -> u32 {
    // SAFETY: every aarch64 CPU this crate runs on has NEON (checked in `detect_all`).
    unsafe { vgetq_lane_s32::<0>(sum) as u32 }
}
