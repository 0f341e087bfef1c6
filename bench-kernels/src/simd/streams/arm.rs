//! The vectors and shapes of streams on aarch64.
//!
//! What is known of cores that nobody could time here, and which shapes it asks for:
//! 1. Pairs of registers (LDP, STP) everywhere: one instruction for 32 bytes; the Cortex-A55 has one load and one store
//!    port for 8 and 16 bytes a cycle, the Cortex-A76 two for 16 bytes each (Arm's software optimisation guides).
//! 2. Cores stop reading a line before they overwrite it once they have seen enough whole lines written (write
//!    streaming); where that does not set in, zeroing the line first does it (`zva`).
//! 3. Small cores' prefetchers stop at a page of 4 KiB and follow few streams: asking ahead (`near`, `far`), and
//!    several streams at once (`s2`, `s4`).
//! 4. LDNP and STNP hint that the lines are not needed again.

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::{FAR, LINE_WORDS, NEAR, ONCE, Run, Shaped, Streams, Vector, shaped};
use crate::simd::words_before_line;

/// Two registers of 128 bits, which one instruction moves. With `NP` it is LDNP that loads them.
#[derive(Clone, Copy)]
pub(in crate::simd) struct Pair<const NP: bool>(uint64x2_t, uint64x2_t);

macro_rules! ask {
    ($hint:literal, $at:expr, $ahead:expr) => {
        asm!(
            concat!("prfm ", $hint, ", [{at}]"),
            at = in(reg) $at.wrapping_add($ahead / 8),
            options(nostack, preserves_flags, readonly),
        )
    };
}

impl<const NP: bool> Vector for Pair<NP> {
    const WORDS: usize = 4;
    const REGISTERS: usize = 2;

    #[inline(always)]
    unsafe fn load(at: *const u64) -> Self {
        // SAFETY: the caller's promise; LDNP needs no alignment beyond that of a word.
        unsafe {
            if NP {
                let (first, second);
                asm!(
                    "ldnp {first:q}, {second:q}, [{at}]",
                    first = out(vreg) first,
                    second = out(vreg) second,
                    at = in(reg) at,
                    options(nostack, preserves_flags, readonly),
                );
                return Pair(first, second);
            }
            Pair(vld1q_u64(at), vld1q_u64(at.add(2)))
        }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut u64) {
        // SAFETY: the caller's promise.
        unsafe {
            vst1q_u64(at, self.0);
            vst1q_u64(at.add(2), self.1);
        }
    }

    #[inline(always)]
    unsafe fn store_around(self, at: *mut u64) {
        // SAFETY: the caller's promise; STNP needs no alignment beyond that of a word.
        unsafe {
            asm!(
                "stnp {first:q}, {second:q}, [{at}]",
                first = in(vreg) self.0,
                second = in(vreg) self.1,
                at = in(reg) at,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline(always)]
    unsafe fn finish_stores_around() {}

    #[inline(always)]
    unsafe fn ask_to_read<const AHEAD: u8>(at: *const u64) {
        // SAFETY: PRFM never faults and changes no state the program sees.
        unsafe {
            match AHEAD {
                NEAR => ask!("pldl1keep", at, 512),
                FAR => {
                    ask!("pldl1keep", at, 1024);
                    ask!("pldl2keep", at, 8192);
                }
                ONCE => ask!("pldl1strm", at, 1024),
                _ => {}
            }
        }
    }

    #[inline(always)]
    unsafe fn ask_to_write<const AHEAD: u8>(at: *const u64) {
        // SAFETY: as for `ask_to_read`.
        unsafe {
            match AHEAD {
                NEAR => ask!("pstl1keep", at, 512),
                FAR => ask!("pstl1keep", at, 4096),
                _ => {}
            }
        }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> Self {
        // SAFETY: the CPU has NEON.
        unsafe { Pair(vdupq_n_u64(word), vdupq_n_u64(word)) }
    }

    #[inline(always)]
    unsafe fn add_words(self, other: Self) -> Self {
        // SAFETY: the CPU has NEON.
        unsafe { Pair(vaddq_u64(self.0, other.0), vaddq_u64(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the CPU has NEON.
        unsafe {
            let add = |a, b| {
                let sum = vaddq_f64(vreinterpretq_f64_u64(a), vreinterpretq_f64_u64(b));
                vreinterpretq_u64_f64(sum)
            };
            Pair(add(self.0, other.0), add(self.1, other.1))
        }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        // SAFETY: the CPU has NEON.
        unsafe {
            let multiply = |a, b| {
                let product = vmulq_f64(vreinterpretq_f64_u64(a), vreinterpretq_f64_u64(b));
                vreinterpretq_u64_f64(product)
            };
            Pair(multiply(self.0, other.0), multiply(self.1, other.1))
        }
    }
}

/// What some cores have beyond NEON's loads and stores.
pub(in crate::simd) static MORE: Streams = Streams {
    read: &[shaped!(Read "sve-x4" "sve" has_sve = sve_read)],
    write: &[
        shaped!(Write "zva" "neon" can_zero_lines = zva_write),
        shaped!(Write "sve-x4" "sve" has_sve = sve_write),
    ],
    copy: &[shaped!(Copy "sve-x4" "sve" has_sve = sve_copy)],
    triad: &[shaped!(Triad "sve-x4" "sve" has_sve = sve_triad)],
    ..Streams::NONE
};

fn has_sve() -> bool {
    is_aarch64_feature_detected!("sve")
}

/// Whether DC ZVA is allowed and zeroes lines of 64 bytes (DCZID_EL0: bit 4 forbids it, bits 0 to 3 are the logarithm
/// of its words of 4 bytes).
fn can_zero_lines() -> bool {
    let id: u64;
    // SAFETY: every aarch64 lets programs read it.
    unsafe {
        asm!("mrs {id}, dczid_el0", id = out(reg) id, options(nomem, nostack, preserves_flags))
    };
    id & 0x1f == 4
}

/// Pseudo-code: `to[i] = value`, each line zeroed first, so that it need not be read.
///
/// # Safety
/// - The CPU has NEON and zeroes lines of 64 bytes; `to` is valid for writes of `n` words.
#[inline(always)]
unsafe fn zva_write(to: *mut u64, n: usize, value: u64) {
    let mut idx = words_before_line(to, n);
    // SAFETY: every access lies below `n`, by the loop conditions; a zeroed line is a whole one within the array.
    unsafe {
        for head_idx in 0..idx {
            to.add(head_idx).write_volatile(value);
        }
        let pair = Pair::<false>::splat(value);
        while idx + LINE_WORDS <= n {
            let at = to.add(idx);
            asm!("dc zva, {at}", at = in(reg) at, options(nostack, preserves_flags));
            pair.store(at);
            pair.store(at.add(4));
            idx += LINE_WORDS;
        }
        while idx < n {
            to.add(idx).write_volatile(value);
            idx += 1;
        }
    }
}

/// Pseudo-code: `sum += from[i]`, four vectors of the CPU's width a step, the rest by predicated vectors.
///
/// # Safety
/// - The CPU has SVE; `from` is valid for reads of `n` words.
#[inline(always)]
unsafe fn sve_read(from: *const u64, n: usize) -> u64 {
    let sum: u64;
    // SAFETY: the predicate of each load covers words below `n` only.
    unsafe {
        asm!(
            "dup z0.d, #0", "dup z1.d, #0", "dup z2.d, #0", "dup z3.d, #0",
            "ptrue p1.d",
            "cntd {step}, all, mul #4",
            "subs {left}, {n}, {step}",
            "b.lo 3f",
            "2:",
            "ld1d {{z4.d}}, p1/z, [{at}]",
            "ld1d {{z5.d}}, p1/z, [{at}, #1, mul vl]",
            "ld1d {{z6.d}}, p1/z, [{at}, #2, mul vl]",
            "ld1d {{z7.d}}, p1/z, [{at}, #3, mul vl]",
            "incb {at}, all, mul #4",
            "add z0.d, z0.d, z4.d", "add z1.d, z1.d, z5.d",
            "add z2.d, z2.d, z6.d", "add z3.d, z3.d, z7.d",
            "subs {left}, {left}, {step}",
            "b.hs 2b",
            "3:",
            "add {left}, {left}, {step}",
            "mov {done}, #0",
            "whilelo p0.d, {done}, {left}",
            "b.none 5f",
            "4:",
            "ld1d {{z4.d}}, p0/z, [{at}, {done}, lsl #3]",
            "add z0.d, z0.d, z4.d",
            "incd {done}",
            "whilelo p0.d, {done}, {left}",
            "b.any 4b",
            "5:",
            "add z0.d, z0.d, z1.d", "add z2.d, z2.d, z3.d", "add z0.d, z0.d, z2.d",
            "uaddv d0, p1, z0.d",
            "fmov {sum}, d0",
            n = in(reg) n, at = inout(reg) from => _, step = out(reg) _, left = out(reg) _, done = out(reg) _,
            sum = lateout(reg) sum,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("p0") _, out("p1") _, options(nostack, readonly),
        );
    }
    sum
}

/// # Safety
/// - The CPU has SVE; `to` is valid for writes of `n` words.
#[inline(always)]
unsafe fn sve_write(to: *mut u64, n: usize, value: u64) {
    // SAFETY: the predicate of each store covers words below `n` only.
    unsafe {
        asm!(
            "dup z0.d, {value}",
            "ptrue p1.d",
            "cntd {step}, all, mul #4",
            "subs {left}, {n}, {step}",
            "b.lo 3f",
            "2:",
            "st1d {{z0.d}}, p1, [{at}]",
            "st1d {{z0.d}}, p1, [{at}, #1, mul vl]",
            "st1d {{z0.d}}, p1, [{at}, #2, mul vl]",
            "st1d {{z0.d}}, p1, [{at}, #3, mul vl]",
            "incb {at}, all, mul #4",
            "subs {left}, {left}, {step}",
            "b.hs 2b",
            "3:",
            "add {left}, {left}, {step}",
            "mov {done}, #0",
            "whilelo p0.d, {done}, {left}",
            "b.none 5f",
            "4:",
            "st1d {{z0.d}}, p0, [{at}, {done}, lsl #3]",
            "incd {done}",
            "whilelo p0.d, {done}, {left}",
            "b.any 4b",
            "5:",
            value = in(reg) value, n = in(reg) n, at = inout(reg) to => _,
            step = out(reg) _, left = out(reg) _, done = out(reg) _,
            out("v0") _, out("p0") _, out("p1") _, options(nostack),
        );
    }
}

/// # Safety
/// - The CPU has SVE; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[inline(always)]
unsafe fn sve_copy(to: *mut u64, from: *const u64, n: usize) {
    // SAFETY: the predicate of each access covers words below `n` only.
    unsafe {
        asm!(
            "ptrue p1.d",
            "cntd {step}, all, mul #4",
            "subs {left}, {n}, {step}",
            "b.lo 3f",
            "2:",
            "ld1d {{z0.d}}, p1/z, [{from}]",
            "ld1d {{z1.d}}, p1/z, [{from}, #1, mul vl]",
            "ld1d {{z2.d}}, p1/z, [{from}, #2, mul vl]",
            "ld1d {{z3.d}}, p1/z, [{from}, #3, mul vl]",
            "incb {from}, all, mul #4",
            "st1d {{z0.d}}, p1, [{to}]",
            "st1d {{z1.d}}, p1, [{to}, #1, mul vl]",
            "st1d {{z2.d}}, p1, [{to}, #2, mul vl]",
            "st1d {{z3.d}}, p1, [{to}, #3, mul vl]",
            "incb {to}, all, mul #4",
            "subs {left}, {left}, {step}",
            "b.hs 2b",
            "3:",
            "add {left}, {left}, {step}",
            "mov {done}, #0",
            "whilelo p0.d, {done}, {left}",
            "b.none 5f",
            "4:",
            "ld1d {{z0.d}}, p0/z, [{from}, {done}, lsl #3]",
            "st1d {{z0.d}}, p0, [{to}, {done}, lsl #3]",
            "incd {done}",
            "whilelo p0.d, {done}, {left}",
            "b.any 4b",
            "5:",
            n = in(reg) n, from = inout(reg) from => _, to = inout(reg) to => _,
            step = out(reg) _, left = out(reg) _, done = out(reg) _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("p0") _, out("p1") _, options(nostack),
        );
    }
}

/// Pseudo-code: `to[i] = b[i] + factor * c[i]`, multiplied and added apart as in every variant.
///
/// # Safety
/// - The CPU has SVE; `to` is valid for writes, `b` and `c` for reads of `n` doubles; `to` overlaps neither.
#[inline(always)]
unsafe fn sve_triad(to: *mut f64, b: *const f64, c: *const f64, factor: f64, n: usize) {
    // SAFETY: the predicate of each access covers doubles below `n` only.
    unsafe {
        asm!(
            "dup z16.d, {factor}",
            "ptrue p1.d",
            "cntd {step}, all, mul #4",
            "subs {left}, {n}, {step}",
            "b.lo 3f",
            "2:",
            "ld1d {{z0.d}}, p1/z, [{c}]",
            "ld1d {{z1.d}}, p1/z, [{c}, #1, mul vl]",
            "ld1d {{z2.d}}, p1/z, [{c}, #2, mul vl]",
            "ld1d {{z3.d}}, p1/z, [{c}, #3, mul vl]",
            "incb {c}, all, mul #4",
            "fmul z0.d, z0.d, z16.d", "fmul z1.d, z1.d, z16.d",
            "fmul z2.d, z2.d, z16.d", "fmul z3.d, z3.d, z16.d",
            "ld1d {{z4.d}}, p1/z, [{b}]",
            "ld1d {{z5.d}}, p1/z, [{b}, #1, mul vl]",
            "ld1d {{z6.d}}, p1/z, [{b}, #2, mul vl]",
            "ld1d {{z7.d}}, p1/z, [{b}, #3, mul vl]",
            "incb {b}, all, mul #4",
            "fadd z0.d, z0.d, z4.d", "fadd z1.d, z1.d, z5.d",
            "fadd z2.d, z2.d, z6.d", "fadd z3.d, z3.d, z7.d",
            "st1d {{z0.d}}, p1, [{to}]",
            "st1d {{z1.d}}, p1, [{to}, #1, mul vl]",
            "st1d {{z2.d}}, p1, [{to}, #2, mul vl]",
            "st1d {{z3.d}}, p1, [{to}, #3, mul vl]",
            "incb {to}, all, mul #4",
            "subs {left}, {left}, {step}",
            "b.hs 2b",
            "3:",
            "add {left}, {left}, {step}",
            "mov {done}, #0",
            "whilelo p0.d, {done}, {left}",
            "b.none 5f",
            "4:",
            "ld1d {{z0.d}}, p0/z, [{c}, {done}, lsl #3]",
            "ld1d {{z4.d}}, p0/z, [{b}, {done}, lsl #3]",
            "fmul z0.d, z0.d, z16.d",
            "fadd z0.d, z0.d, z4.d",
            "st1d {{z0.d}}, p0, [{to}, {done}, lsl #3]",
            "incd {done}",
            "whilelo p0.d, {done}, {left}",
            "b.any 4b",
            "5:",
            factor = in(reg) factor.to_bits(), n = in(reg) n,
            b = inout(reg) b => _, c = inout(reg) c => _, to = inout(reg) to => _,
            step = out(reg) _, left = out(reg) _, done = out(reg) _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v16") _, out("p0") _, out("p1") _, options(nostack),
        );
    }
}
