//! Batched products in 256-bit vectors: 16 of the 32 rows of a panel at a time are two of them, a tile is six tokens.
//!
//! 1. Sixteen registers hold twelve sums, two vectors of weights and one of activations with VPDPBUSD; without it a
//!    product needs three registers more, and the tile is done in two halves.
//! 2. Sums of floats are kept in the output, which stays in the first-level cache: one load and one store for every
//!    eight products.

use std::arch::x86_64::*;

use crate::simd::batch::{Batched, FloatProduct, Kind, PANEL_ROWS, Product};

/// Tokens of a tile.
pub const TILE: usize = 6;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

/// The functions of [`Batched`] that the compiler vectorises, for the instruction sets named.
macro_rules! vectorised {
    ($features:literal, $flip:literal) => {
        use $crate::kernels::weights::Format;
        use $crate::simd::batch::{self, TokenSlot, Unpacked};

        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn unpack(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
            batch::unpack::<$flip>(format, blocks, place, to);
        }

        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn quantise_token(x: &[f32], slot: TokenSlot<'_>) {
            batch::quantise_token(x, slot);
        }

        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn softmax(scores: &mut [f32]) -> f32 {
            batch::softmax(scores)
        }

        /// # Safety
        /// - The CPU has the features named below.
        #[target_feature(enable = $features)]
        unsafe fn turn(head: &mut [f32], angles: &[(f32, f32)], scale: f32) {
            batch::turn(head, angles, scale);
        }
    };
}
pub(in crate::simd) use vectorised;

/// The batched loops of AVX2.
pub const MADDUBS: Batched = maddubs::BATCHED;

/// The batched loops of AVX-VNNI.
pub const VNNI: Batched = vnni::BATCHED;

mod maddubs {
    use super::*;

    vectorised!("avx2,fma", false);

    pub const BATCHED: Batched = Batched {
        tile_tokens: TILE,
        unpack,
        multiply,
        multiply_floats,
        quantise_token,
        softmax,
        turn,
    };

    /// # Safety
    /// - The CPU has AVX2 and FMA; the pointers of `product` lead to what its type describes, for tiles of [`TILE`].
    #[target_feature(enable = "avx2,fma")]
    unsafe fn multiply(kind: Kind, product: &Product) {
        // SAFETY: the caller's promise.
        unsafe { multiply_bytes::<Maddubs, 3>(kind, product) }
    }
}

mod vnni {
    use super::*;

    vectorised!("avx2,fma,avxvnni", true);

    pub const BATCHED: Batched = Batched {
        tile_tokens: TILE,
        unpack,
        multiply,
        multiply_floats,
        quantise_token,
        softmax,
        turn,
    };

    /// # Safety
    /// - The CPU has AVX2, FMA and AVX-VNNI; the pointers of `product` lead to what its type describes, for tiles of
    ///   [`TILE`] tokens.
    #[target_feature(enable = "avx2,fma,avxvnni")]
    unsafe fn multiply(kind: Kind, product: &Product) {
        // SAFETY: the caller's promise.
        unsafe { multiply_bytes::<Dpbusd, 6>(kind, product) }
    }
}

/// How four weights of each of eight rows are multiplied with four activations.
pub trait Dot {
    /// Whether signed weights have had 128 added.
    const IS_FLIPPED: bool;

    /// Adds the products to 32-bit sums.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor. Bytes of `w` are below 128 unless `SIGNED`.
    unsafe fn add<const SIGNED: bool>(sum: __m256i, w: __m256i, x: __m256i) -> __m256i;
}

/// Pairs of products are added in 16 bits: with one factor below 128 in magnitude and the other at most 128 they fit.
pub struct Maddubs;

impl Dot for Maddubs {
    const IS_FLIPPED: bool = false;

    #[inline(always)]
    unsafe fn add<const SIGNED: bool>(sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
        // The first factor is taken as unsigned: |w|, and x with the sign of w.
        // SAFETY: the caller's promise.
        unsafe {
            let pairs = match SIGNED {
                true => _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)),
                false => _mm256_maddubs_epi16(w, x),
            };
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

/// VPDPBUSD in the VEX encoding.
pub struct Dpbusd;

impl Dot for Dpbusd {
    const IS_FLIPPED: bool = true;

    #[inline(always)]
    unsafe fn add<const SIGNED: bool>(sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_dpbusd_avx_epi32(sum, w, x) }
    }
}

/// # Safety
/// - The CPU has AVX2, FMA and what `D` needs; the pointers of `product` lead to what its type describes, for tiles of
///   [`TILE`] tokens, of which `T` is a divisor.
#[inline(always)]
unsafe fn multiply_bytes<D: Dot, const T: usize>(kind: Kind, product: &Product) {
    for tile in 0..product.n_tiles {
        for first in (0..TILE).step_by(T) {
            for half in 0..2 {
                let at = Place { tile, first, half };
                // SAFETY: the caller's promise.
                unsafe {
                    match kind {
                        Kind::Float => {}
                        Kind::Signed32 => rows16::<D, T, 8, 1, false>(product, at),
                        Kind::Signed16 => rows16::<D, T, 4, 16, false>(product, at),
                        Kind::Minima16 => rows16::<D, T, 4, 16, true>(product, at),
                        Kind::Minima32 => rows16::<D, T, 8, 8, true>(product, at),
                    }
                }
            }
        }
    }
}

/// A tile, the first of its tokens, and the half of the panel's rows.
#[derive(Clone, Copy)]
struct Place {
    tile: usize,
    first: usize,
    half: usize,
}

/// # Safety
/// - As for [`multiply_bytes`]; `at` lies inside the product.
#[inline(always)]
unsafe fn rows16<
    D: Dot,
    const T: usize,
    const CHUNKS: usize,
    const N_SUBS: usize,
    const MINIMA: bool,
>(
    p: &Product,
    at: Place,
) {
    let (first_token, first_row) = (at.tile * TILE + at.first, at.half * 16);
    // SAFETY: every offset leads to a token of the tile or a sub-block of the slice: the caller's promise.
    unsafe {
        let x = p.x.add(first_token * p.x_stride);
        let x_scales = p.x_scales.add(at.tile * p.x_scales_stride + at.first);
        for block in 0..p.n_blocks {
            let mut parts = [[_mm256_setzero_ps(); 2]; T];
            for sub in block * N_SUBS..(block + 1) * N_SUBS {
                let mut sums = [[_mm256_setzero_si256(); 2]; T];
                if D::IS_FLIPPED && !MINIMA {
                    let starts = p.x_starts.add(at.tile * p.x_starts_stride + sub * TILE);
                    for (token, sums) in sums.iter_mut().enumerate() {
                        *sums = [_mm256_set1_epi32(*starts.add(at.first + token)); 2];
                    }
                }
                for chunk in sub * CHUNKS..(sub + 1) * CHUNKS {
                    let w = p.values.add(chunk * CHUNK_BYTES + first_row * 4);
                    let w = [
                        _mm256_loadu_si256(w.cast()),
                        _mm256_loadu_si256(w.add(32).cast()),
                    ];
                    for (token, sums) in sums.iter_mut().enumerate() {
                        let x = x.add(token * p.x_stride + chunk * 4).cast::<i32>();
                        let x = _mm256_set1_epi32(x.read_unaligned());
                        for half in 0..2 {
                            sums[half] = match MINIMA {
                                true => D::add::<false>(sums[half], w[half], x),
                                false => D::add::<true>(sums[half], w[half], x),
                            };
                        }
                    }
                }
                for half in 0..2 {
                    let row = sub * PANEL_ROWS + first_row + half * 8;
                    let scale = _mm256_loadu_ps(p.scales.add(row));
                    for (parts, sums) in parts.iter_mut().zip(sums) {
                        let sum = _mm256_cvtepi32_ps(sums[half]);
                        parts[half] = match N_SUBS {
                            1 => _mm256_mul_ps(sum, scale),
                            _ => _mm256_fmadd_ps(sum, scale, parts[half]),
                        };
                    }
                    if MINIMA {
                        let minimum = _mm256_loadu_ps(p.minima.add(row));
                        let x_sums = p.x_sums.add(at.tile * p.x_sums_stride + sub * TILE);
                        for (token, parts) in parts.iter_mut().enumerate() {
                            let x_sum = _mm256_set1_ps(*x_sums.add(at.first + token));
                            parts[half] = _mm256_fnmadd_ps(minimum, x_sum, parts[half]);
                        }
                    }
                }
            }
            for (token, parts) in parts.into_iter().enumerate() {
                let x_scale = _mm256_set1_ps(*x_scales.add(block * TILE + token));
                for (half, part) in parts.into_iter().enumerate() {
                    let out = (first_token + token) * p.out_stride + first_row + half * 8;
                    let out = p.out.add(out);
                    let total = match p.is_first && block == 0 {
                        true => _mm256_setzero_ps(),
                        false => _mm256_loadu_ps(out),
                    };
                    _mm256_storeu_ps(out, _mm256_fmadd_ps(part, x_scale, total));
                }
            }
        }
    }
}

/// # Safety
/// - The CPU has AVX2 and FMA; the pointers of `p` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_floats(p: &FloatProduct) {
    for (tile, half) in (0..p.n_tiles).flat_map(|tile| [(tile, 0), (tile, 1)]) {
        // SAFETY: every offset leads to a token of the tile or a column of the panel: the caller's promise.
        unsafe {
            let out = p.out.add(tile * TILE * p.out_stride + half * 16);
            let x = p.x.add(tile * TILE * p.x_stride);
            let mut totals = [[_mm256_setzero_ps(); 2]; TILE];
            if !p.is_first {
                for (token, totals) in totals.iter_mut().enumerate() {
                    let out = out.add(token * p.out_stride);
                    *totals = [_mm256_loadu_ps(out), _mm256_loadu_ps(out.add(8))];
                }
            }
            for col in 0..p.n_cols {
                let w = p.values.add(col * PANEL_ROWS + half * 16);
                let w = [_mm256_loadu_ps(w), _mm256_loadu_ps(w.add(8))];
                for (token, totals) in totals.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*x.add(token * p.x_stride + col));
                    totals[0] = _mm256_fmadd_ps(w[0], x, totals[0]);
                    totals[1] = _mm256_fmadd_ps(w[1], x, totals[1]);
                }
            }
            for (token, totals) in totals.iter().enumerate() {
                let out = out.add(token * p.out_stride);
                _mm256_storeu_ps(out, totals[0]);
                _mm256_storeu_ps(out.add(8), totals[1]);
            }
        }
    }
}
