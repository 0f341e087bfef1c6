//! AVX2 with F16C and FMA: 256-bit streams and vectors; a second variant with the dot-product instruction of AVX-VNNI.

pub(super) mod attention;
pub(super) mod batch;
pub(super) mod peak;

use super::rows256::{Maddubs, VexDpbusd, products};
use super::streams::{V256, streams};
use super::vectors::vectors;
use super::{Isa, Missing};

streams!("avx2", V256);

pub(super) static ISA: Isa = Isa {
    name: "avx2",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
    products: products!("avx2,f16c", Maddubs),
    batched: batch::MADDUBS,
    peaks: peak::MADDUBS,
    attention: attention::MADDUBS,
    vectors: vectors!("avx2"),
};

pub(super) static ISA_VNNI: Isa = Isa {
    name: "avx-vnni",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: Some(NON_TEMPORAL),
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
