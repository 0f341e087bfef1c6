//! AVX2 with F16C and FMA: 256-bit streams and vectors; a second variant with the dot-product instruction of AVX-VNNI.

pub(super) mod attention;
pub(super) mod batch;
pub(super) mod peak;

use super::rows256::{Maddubs, VexDpbusd, products};
use super::streams::x86::{STRINGS, V256};
use super::streams::{
    FAR, NEAR, OFF, ONCE, Run, Shaped, Streams, add, always, copy, family, read, scale, shaped,
    shapes, triad, write,
};
use super::vectors::vectors;
use super::{Isa, Missing};

static STREAMS: Streams = family!(all "avx2" V256, "v256");
static FAMILIES: [&Streams; 2] = [&STREAMS, &STRINGS];

pub(super) static ISA: Isa = Isa {
    name: "avx2",
    streams: &FAMILIES,
    products: products!("avx2,f16c", Maddubs),
    batched: batch::MADDUBS,
    peaks: peak::MADDUBS,
    attention: attention::MADDUBS,
    vectors: vectors!("avx2"),
};

pub(super) static ISA_VNNI: Isa = Isa {
    name: "avx-vnni",
    streams: &FAMILIES,
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
