//! Batched products in 512-bit vectors: 32 rows are two of them, a tile is six tokens.
//!
//! 1. Twelve sums of integers in registers hide the latency of VPDPBUSD (5 cycles, two a cycle), and for every 12 of
//!    them there are 8 loads: 2 of weights and 6 of four activations, spread by the load.
//! 2. Twelve sums of floats stay in registers too where an activation block is one sub-block; otherwise the twelve of
//!    the current block do, and the output is updated once a block of 256.

use std::arch::x86_64::*;

use crate::simd::avx2::batch::vectorised;
use crate::simd::batch::{Batched, FloatProduct, Kind, PANEL_ROWS, Product};

/// Tokens of a tile.
pub const TILE: usize = 6;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

/// The batched loops of AVX-512-VNNI.
pub const VNNI: Batched = Batched {
    tile_tokens: TILE,
    unpack,
    multiply,
    multiply_floats,
    quantise_token,
    softmax,
    turn,
};

vectorised!("avx2,fma,avx512f,avx512bw,avx512vl", true);

/// # Safety
/// - The CPU has AVX-512 F, BW, VL and VNNI.
/// - The pointers of `product` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply(kind: Kind, product: &Product) {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::Float => {}
            Kind::Signed32 => signed32(product),
            Kind::Signed16 => blocks256::<4, 16, false>(product),
            Kind::Minima16 => blocks256::<4, 16, true>(product),
            Kind::Minima32 => blocks256::<8, 8, true>(product),
        }
    }
}

/// With weights unpacked to signed bytes, as AMX takes them; without products of its own.
pub const SIGNED: Batched = Batched {
    unpack: signed::unpack,
    ..VNNI
};

mod signed {
    use super::*;

    /// # Safety
    /// - The CPU has AVX-512 F, BW and VL.
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl")]
    pub unsafe fn unpack(format: Format, blocks: &[u8], place: usize, to: Unpacked<'_>) {
        batch::unpack::<false>(format, blocks, place, to);
    }
}

/// Sums of a tile: two vectors of rows for each token.
type Sums<T> = [[T; 2]; TILE];

/// Products of `CHUNKS` chunks, added to `sums`.
///
/// # Safety
/// - The CPU has AVX-512 F and VNNI; `values` holds the chunks, `x` leads to the first activation of the first token.
#[inline(always)]
unsafe fn add_chunks<const CHUNKS: usize>(
    mut sums: Sums<__m512i>,
    values: *const u8,
    x: *const i8,
    x_stride: usize,
) -> Sums<__m512i> {
    // SAFETY: the caller's promise.
    unsafe {
        for chunk in 0..CHUNKS {
            let at = values.add(chunk * CHUNK_BYTES);
            let w = [
                _mm512_loadu_si512(at.cast()),
                _mm512_loadu_si512(at.add(64).cast()),
            ];
            for (token, sums) in sums.iter_mut().enumerate() {
                let x = x.add(token * x_stride + chunk * 4).cast::<i32>();
                let x = _mm512_set1_epi32(x.read_unaligned());
                sums[0] = _mm512_dpbusd_epi32(sums[0], w[0], x);
                sums[1] = _mm512_dpbusd_epi32(sums[1], w[1], x);
            }
        }
    }
    sums
}

/// # Safety
/// - As for [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn signed32(p: &Product) {
    for tile in 0..p.n_tiles {
        // SAFETY: every offset leads to a token of the tile or a block of the slice: the caller's promise.
        unsafe {
            let out = p.out.add(tile * TILE * p.out_stride);
            let x = p.x.add(tile * TILE * p.x_stride);
            let x_scales = p.x_scales.add(tile * p.x_scales_stride);
            let x_starts = p.x_starts.add(tile * p.x_starts_stride);
            let mut totals = [[_mm512_setzero_ps(); 2]; TILE];
            if !p.is_first {
                for (token, totals) in totals.iter_mut().enumerate() {
                    let out = out.add(token * p.out_stride);
                    *totals = [_mm512_loadu_ps(out), _mm512_loadu_ps(out.add(16))];
                }
            }
            for block in 0..p.n_blocks {
                let mut sums = [[_mm512_setzero_si512(); 2]; TILE];
                for (token, sums) in sums.iter_mut().enumerate() {
                    *sums = [_mm512_set1_epi32(*x_starts.add(block * TILE + token)); 2];
                }
                let values = p.values.add(block * 8 * CHUNK_BYTES);
                let sums = add_chunks::<8>(sums, values, x.add(block * 32), p.x_stride);
                let scales = p.scales.add(block * PANEL_ROWS);
                let scales = [_mm512_loadu_ps(scales), _mm512_loadu_ps(scales.add(16))];
                for (token, (totals, sums)) in totals.iter_mut().zip(sums).enumerate() {
                    let x_scale = _mm512_set1_ps(*x_scales.add(block * TILE + token));
                    for half in 0..2 {
                        let part = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[half]), scales[half]);
                        totals[half] = _mm512_fmadd_ps(part, x_scale, totals[half]);
                    }
                }
            }
            for (token, totals) in totals.iter().enumerate() {
                let out = out.add(token * p.out_stride);
                _mm512_storeu_ps(out, totals[0]);
                _mm512_storeu_ps(out.add(16), totals[1]);
            }
        }
    }
}

/// # Safety
/// - As for [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks256<const CHUNKS: usize, const N_SUBS: usize, const MINIMA: bool>(p: &Product) {
    for tile in 0..p.n_tiles {
        // SAFETY: every offset leads to a token of the tile or a sub-block of the slice: the caller's promise.
        unsafe {
            let out = p.out.add(tile * TILE * p.out_stride);
            let x = p.x.add(tile * TILE * p.x_stride);
            let x_scales = p.x_scales.add(tile * p.x_scales_stride);
            for block in 0..p.n_blocks {
                let mut parts = [[_mm512_setzero_ps(); 2]; TILE];
                for sub in block * N_SUBS..(block + 1) * N_SUBS {
                    let mut sums = [[_mm512_setzero_si512(); 2]; TILE];
                    if !MINIMA {
                        let starts = p.x_starts.add(tile * p.x_starts_stride + sub * TILE);
                        for (token, sums) in sums.iter_mut().enumerate() {
                            *sums = [_mm512_set1_epi32(*starts.add(token)); 2];
                        }
                    }
                    let values = p.values.add(sub * CHUNKS * CHUNK_BYTES);
                    let x = x.add(sub * CHUNKS * 4);
                    let sums = add_chunks::<CHUNKS>(sums, values, x, p.x_stride);
                    for half in 0..2 {
                        let at = sub * PANEL_ROWS + half * 16;
                        let scale = _mm512_loadu_ps(p.scales.add(at));
                        for (parts, sums) in parts.iter_mut().zip(sums) {
                            let sum = _mm512_cvtepi32_ps(sums[half]);
                            parts[half] = _mm512_fmadd_ps(sum, scale, parts[half]);
                        }
                        if MINIMA {
                            let minimum = _mm512_loadu_ps(p.minima.add(at));
                            let x_sums = p.x_sums.add(tile * p.x_sums_stride + sub * TILE);
                            for (token, parts) in parts.iter_mut().enumerate() {
                                let x_sum = _mm512_set1_ps(*x_sums.add(token));
                                parts[half] = _mm512_fnmadd_ps(minimum, x_sum, parts[half]);
                            }
                        }
                    }
                }
                for (token, parts) in parts.into_iter().enumerate() {
                    let x_scale = _mm512_set1_ps(*x_scales.add(block * TILE + token));
                    for (half, part) in parts.into_iter().enumerate() {
                        let out = out.add(token * p.out_stride + half * 16);
                        let total = match p.is_first && block == 0 {
                            true => _mm512_setzero_ps(),
                            false => _mm512_loadu_ps(out),
                        };
                        _mm512_storeu_ps(out, _mm512_fmadd_ps(part, x_scale, total));
                    }
                }
            }
        }
    }
}

/// # Safety
/// - The CPU has AVX-512F; the pointers of `p` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "avx512f")]
unsafe fn multiply_floats(p: &FloatProduct) {
    // SAFETY: the caller's promise.
    unsafe { multiply_float_tiles::<TILE>(p, p.n_tiles) }
}

/// `T` tokens at a time.
///
/// # Safety
/// - As for [`multiply_floats`], for `n_tiles` tiles of `T` tokens.
#[inline(always)]
pub unsafe fn multiply_float_tiles<const T: usize>(p: &FloatProduct, n_tiles: usize) {
    for tile in 0..n_tiles {
        // SAFETY: every offset leads to a token of the tile or a column of the panel: the caller's promise.
        unsafe {
            let out = p.out.add(tile * T * p.out_stride);
            let x = p.x.add(tile * T * p.x_stride);
            let mut totals = [[_mm512_setzero_ps(); 2]; T];
            if !p.is_first {
                for (token, totals) in totals.iter_mut().enumerate() {
                    let out = out.add(token * p.out_stride);
                    *totals = [_mm512_loadu_ps(out), _mm512_loadu_ps(out.add(16))];
                }
            }
            for col in 0..p.n_cols {
                let w = p.values.add(col * PANEL_ROWS);
                let w = [_mm512_loadu_ps(w), _mm512_loadu_ps(w.add(16))];
                for (token, totals) in totals.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*x.add(token * p.x_stride + col));
                    totals[0] = _mm512_fmadd_ps(w[0], x, totals[0]);
                    totals[1] = _mm512_fmadd_ps(w[1], x, totals[1]);
                }
            }
            for (token, totals) in totals.iter().enumerate() {
                let out = out.add(token * p.out_stride);
                _mm512_storeu_ps(out, totals[0]);
                _mm512_storeu_ps(out.add(16), totals[1]);
            }
        }
    }
}
