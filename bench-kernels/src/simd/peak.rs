//! The highest rate of arithmetic of a variant: multiply-adds from registers into independent sums, and nothing else.
//!
//! Every step adds the same small integer to every lane, so that the result is exact and known. There are at least
//! twelve sums: more than latency times instructions per cycle of any CPU of the catalogue (8 for FMA, 10 for the dot
//! products). Tile registers hold six, where four would do.

use super::{Isa, Missing};

/// Steps of one call: in half precision the sums stay exact up to 2048.
pub const STEPS: u32 = 1024;

/// Arithmetic of one kind.
pub struct Peak {
    /// Makes that many steps and returns the sum of one lane of every register, in one number.
    pub(super) run: unsafe fn(u32) -> f32,
    /// Operations of a step, a multiply-add counting two.
    pub ops_per_step: u64,
    /// What a step adds to the returned sum.
    pub sum_per_step: u32,
}

impl Peak {
    /// Makes [`STEPS`] steps and returns the sum they leave.
    pub fn run(&self) -> f32 {
        // SAFETY: only a token leads here, so the CPU runs this variant, and half precision was detected.
        unsafe { (self.run)(STEPS) }
    }

    /// What [`Peak::run`] has to return.
    pub fn expected(&self) -> f32 {
        (STEPS * self.sum_per_step) as f32
    }
}

/// The kinds of arithmetic of one variant.
pub(super) struct Peaks {
    pub f32: Peak,
    /// With the detection of an instruction set that the variant itself does not need.
    pub f16: Option<(fn() -> bool, Peak)>,
    pub int8: Option<Peak>,
}

/// A kind of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Single precision, fused multiply-add where there is one.
    F32,
    /// Half precision, fused.
    F16,
    /// Products of bytes added in 32 bits.
    Int8,
}

impl Isa {
    /// The peak of one kind of arithmetic.
    ///
    /// # Errors
    /// When the variant or the CPU has no such instructions.
    pub fn peak(&self, arithmetic: Arithmetic) -> Result<&Peak, Missing> {
        let missing = |reason: &str| Missing {
            reason: format!("variant `{}`: {reason}", self.name),
        };
        match arithmetic {
            Arithmetic::F32 => Ok(&self.peaks.f32),
            Arithmetic::F16 => match &self.peaks.f16 {
                Some((is_there, peak)) if is_there() => Ok(peak),
                _ => Err(missing("there is no vector arithmetic in half precision")),
            },
            Arithmetic::Int8 => self
                .peaks
                .int8
                .as_ref()
                .ok_or_else(|| missing("there is no vector arithmetic in bytes")),
        }
    }
}
