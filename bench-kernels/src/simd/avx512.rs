//! AVX-512 (F, BW and VL): 512-bit streams; a second variant with the dot-product instruction of AVX-512-VNNI.
//!
//! The products stay in 256-bit vectors (see `rows256` for why) and gain the ternary logic and the registers of the
//! EVEX encoding.

mod attention;
pub(super) mod batch;
mod peak;

use super::avx2;
use super::rows256::{EvexDpbusd, Maddubs, products};
use super::streams::x86::{STRINGS, V256, V512};
use super::streams::{
    FAR, NEAR, OFF, ONCE, Run, Shaped, Streams, add, always, copy, family, read, scale, shaped,
    shapes, triad, write,
};
use super::vectors::vectors;
use super::{Isa, Missing};

static WIDE: Streams = family!(all "avx512f" V512, "v512");
static NARROW: Streams = family!(few "avx2" V256, "v256");
static FAMILIES: [&Streams; 3] = [&WIDE, &NARROW, &STRINGS];

pub(super) static ISA: Isa = Isa {
    name: "avx512",
    streams: &FAMILIES,
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
    streams: &FAMILIES,
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
