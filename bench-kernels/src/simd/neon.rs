//! NEON: 128-bit vectors, two of them per group of rows; a second variant with the
//! dot-product instructions, and a third with those that multiply matrices.

mod attention;
mod batch;
mod peak;
mod products;

use std::arch::is_aarch64_feature_detected;

use self::batch::{I8mm, batched};
use self::products::{Dotprod, Widening, products};
use super::streams::arm::{MORE, Pair};
use super::streams::{
    FAR, NEAR, OFF, ONCE, Run, Shaped, Streams, add, always, copy, family, read, scale, shaped,
    shapes, triad, write,
};
use super::vectors::vectors;
use super::{Isa, Missing};

static STREAMS: Streams = family!(all "neon" Pair<false>, "v128");
static ONCE_LOADED: Streams = family!(few "neon" Pair<true>, "v128np");
static FAMILIES: [&Streams; 3] = [&STREAMS, &ONCE_LOADED, &MORE];

static NEON: Isa = Isa {
    name: "neon",
    streams: &FAMILIES,
    products: &const { products::<Widening>() },
    batched: batched::<Widening>(),
    peaks: peak::WIDENING,
    attention: attention::WIDENING,
    vectors: vectors!("neon"),
};

static NEON_DOTPROD: Isa = Isa {
    name: "neon-dotprod",
    streams: &FAMILIES,
    products: &const { products::<Dotprod>() },
    batched: batched::<Dotprod>(),
    peaks: peak::DOTPROD,
    attention: attention::DOTPROD,
    vectors: vectors!("neon"),
};

/// With the matrix-multiply instructions for batches; a single vector has nothing to fill the second column with.
static NEON_I8MM: Isa = Isa {
    name: "neon-i8mm",
    streams: &FAMILIES,
    products: &const { products::<Dotprod>() },
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
