//! AMX-INT8: 16 x 16 sums of products of bytes from two tile registers, for batches; all else is AVX-512-VNNI.
//!
//! 1. The layout of a panel is that of a right-hand tile: four columns of a row side by side, rows beyond them. A
//!    left-hand tile is 16 tokens as they lie in the batch.
//! 2. One instruction makes the products of 16 rows, 16 tokens and one sub-block; the sums go through the first-level
//!    cache into vectors, where scales meet them, eight or sixteen sub-blocks at a time, so that the output is read and
//!    written once for all of these.
//! 3. The kernel gives a process tile registers on request only, and every product sets them up and gives them back:
//!    that costs less than a hundredth of it.

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::avx512;
use super::batch::{Batched, FloatProduct, Kind, PANEL_ROWS, Product};
use super::{Isa, Missing};

/// Tokens of a tile.
const TILE: usize = 16;

/// Rows of a tile: half a panel.
const ROWS: usize = 16;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

/// Sub-blocks whose sums are kept at a time.
const N_KEPT: usize = 16;

pub(super) static ISA: Isa = Isa {
    name: "amx-int8",
    batched: Batched {
        tile_tokens: TILE,
        multiply,
        multiply_floats,
        ..avx512::batch::SIGNED
    },
    ..avx512::ISA_VNNI_PARTS
};

/// Asks for tile registers once.
pub(super) fn detect() -> Result<&'static Isa, Missing> {
    static IS_GRANTED: OnceLock<bool> = OnceLock::new();
    avx512::detect_vnni()?;
    let missing = |reason: &str| Missing {
        reason: reason.into(),
    };
    // Leaf 7: bit 24 of EDX is AMX-TILE, bit 25 AMX-INT8 (Intel SDM, volume 2A, CPUID).
    let leaf = __cpuid_count(7, 0);
    if leaf.edx >> 24 & 3 != 3 {
        return Err(missing("the CPU has no AMX-INT8"));
    }
    match IS_GRANTED.get_or_init(request_tiles) {
        true => Ok(&ISA),
        false => Err(missing("the kernel grants no AMX tile registers")),
    }
}

/// Whether the kernel lets this process use tile registers (Documentation/arch/x86/xstate.rst in Linux).
fn request_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call changes nothing but the permission.
    unsafe {
        libc::syscall(
            libc::SYS_arch_prctl,
            ARCH_REQ_XCOMP_PERM,
            XFEATURE_XTILEDATA,
        ) == 0
    }
}

/// Shapes of the tile registers (palette 1; Intel SDM, volume 1, chapter 18).
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl TileConfig {
    /// Register 0 for sums, 1 for tokens, 2 for weights, with sub-blocks of `chunks` chunks.
    const fn new(chunks: usize) -> TileConfig {
        let mut config = TileConfig {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[0] = (ROWS * 4) as u16;
        config.rows[0] = TILE as u8;
        config.row_bytes[1] = (chunks * 4) as u16;
        config.rows[1] = TILE as u8;
        config.row_bytes[2] = (ROWS * 4) as u16;
        config.rows[2] = chunks as u8;
        config
    }
}

/// # Safety
/// - The CPU has AVX-512 F and AMX-INT8, and the process may use tile registers.
/// - The pointers of `product` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
unsafe fn multiply(kind: Kind, product: &Product) {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::Float => {}
            Kind::Signed32 => rows32::<8, 1, false>(product),
            Kind::Signed16 => rows32::<4, 16, false>(product),
            Kind::Minima16 => rows32::<4, 16, true>(product),
            Kind::Minima32 => rows32::<8, 8, true>(product),
        }
    }
}

/// Sums of 16 rows and 16 tokens, sub-block after sub-block.
#[repr(C, align(64))]
struct Sums([[[i32; ROWS]; TILE]; N_KEPT]);

/// # Safety
/// - As for [`multiply`].
#[inline(always)]
unsafe fn rows32<const CHUNKS: usize, const N_SUBS: usize, const MINIMA: bool>(p: &Product) {
    let config = const { TileConfig::new(CHUNKS) };
    let mut sums = std::mem::MaybeUninit::<Sums>::uninit();
    let sums = sums.as_mut_ptr().cast::<i32>();
    // SAFETY: the caller's promise; the configuration is valid for palette 1.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags, readonly));
        let step = if N_SUBS == 1 { N_KEPT } else { 1 };
        for tile in 0..p.n_tiles {
            for first_block in (0..p.n_blocks).step_by(step) {
                let n_blocks = step.min(p.n_blocks - first_block);
                for first_row in [0, ROWS] {
                    let at = Place {
                        tile,
                        first_block,
                        n_blocks,
                        first_row,
                    };
                    tile_sums::<CHUNKS>(p, at, first_block * N_SUBS, n_blocks * N_SUBS, sums);
                    match N_SUBS {
                        1 => add_blocks(p, at, sums),
                        _ => add_block256::<N_SUBS, MINIMA>(p, at, sums),
                    }
                }
            }
        }
        asm!("tilerelease", options(nostack, preserves_flags, nomem));
    }
}

/// A tile of tokens, some activation blocks, and half the rows of a panel.
#[derive(Clone, Copy)]
struct Place {
    tile: usize,
    first_block: usize,
    n_blocks: usize,
    first_row: usize,
}

/// Sums of `n` sub-blocks from `first` on.
///
/// # Safety
/// - As for [`multiply`]; the tile registers are set up; `sums` has room for `n` times 16 x 16.
#[inline(always)]
unsafe fn tile_sums<const CHUNKS: usize>(
    p: &Product,
    at: Place,
    first: usize,
    n: usize,
    sums: *mut i32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let x = p.x.add(at.tile * TILE * p.x_stride);
        let w = p.values.add(at.first_row * 4);
        for idx in 0..n {
            let sub = first + idx;
            asm!(
                "tilezero tmm0",
                "tileloadd tmm1, [{x} + {x_stride}]",
                "tileloadd tmm2, [{w} + {w_stride}]",
                "tdpbssd tmm0, tmm1, tmm2",
                "tilestored [{sums} + {sums_stride}], tmm0",
                x = in(reg) x.add(sub * CHUNKS * 4),
                x_stride = in(reg) p.x_stride,
                w = in(reg) w.add(sub * CHUNKS * CHUNK_BYTES),
                w_stride = in(reg) CHUNK_BYTES,
                sums = in(reg) sums.add(idx * TILE * ROWS),
                sums_stride = in(reg) ROWS * 4,
                out("tmm0") _,
                out("tmm1") _,
                out("tmm2") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Adds activation blocks of one sub-block to the output.
///
/// # Safety
/// - As for [`multiply`]; `sums` holds those of the blocks.
#[inline(always)]
unsafe fn add_blocks(p: &Product, at: Place, sums: *const i32) {
    // SAFETY: the caller's promise.
    unsafe {
        let x_scales = p
            .x_scales
            .add(at.tile * p.x_scales_stride + at.first_block * TILE);
        let scales = p.scales.add(at.first_block * PANEL_ROWS + at.first_row);
        for token in 0..TILE {
            let out = (at.tile * TILE + token) * p.out_stride + at.first_row;
            let out = p.out.add(out);
            let mut total = match p.is_first && at.first_block == 0 {
                true => _mm512_setzero_ps(),
                false => _mm512_loadu_ps(out),
            };
            for block in 0..at.n_blocks {
                let sum = _mm512_load_si512(sums.add((block * TILE + token) * ROWS).cast());
                let scale = _mm512_loadu_ps(scales.add(block * PANEL_ROWS));
                let part = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
                let x_scale = _mm512_set1_ps(*x_scales.add(block * TILE + token));
                total = _mm512_fmadd_ps(part, x_scale, total);
            }
            _mm512_storeu_ps(out, total);
        }
    }
}

/// Adds one activation block of 256 elements to the output.
///
/// # Safety
/// - As for [`multiply`]; `sums` holds those of the sub-blocks.
#[inline(always)]
unsafe fn add_block256<const N_SUBS: usize, const MINIMA: bool>(
    p: &Product,
    at: Place,
    sums: *const i32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let first_sub = at.first_block * N_SUBS;
        let x_scales = p
            .x_scales
            .add(at.tile * p.x_scales_stride + at.first_block * TILE);
        let x_sums = p
            .x_sums
            .wrapping_add(at.tile * p.x_sums_stride + first_sub * TILE);
        let row = first_sub * PANEL_ROWS + at.first_row;
        let (scales, minima) = (p.scales.add(row), p.minima.add(row));
        for token in 0..TILE {
            let mut part = _mm512_setzero_ps();
            for sub in 0..N_SUBS {
                let sum = _mm512_load_si512(sums.add((sub * TILE + token) * ROWS).cast());
                let scale = _mm512_loadu_ps(scales.add(sub * PANEL_ROWS));
                part = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, part);
                if MINIMA {
                    let minimum = _mm512_loadu_ps(minima.add(sub * PANEL_ROWS));
                    let x_sum = _mm512_set1_ps(*x_sums.add(sub * TILE + token));
                    part = _mm512_fnmadd_ps(minimum, x_sum, part);
                }
            }
            let out = (at.tile * TILE + token) * p.out_stride + at.first_row;
            let out = p.out.add(out);
            let total = match p.is_first && at.first_block == 0 {
                true => _mm512_setzero_ps(),
                false => _mm512_loadu_ps(out),
            };
            let x_scale = _mm512_set1_ps(*x_scales.add(token));
            _mm512_storeu_ps(out, _mm512_fmadd_ps(part, x_scale, total));
        }
    }
}

/// # Safety
/// - The CPU has AVX-512F; the pointers of `p` lead to what its type describes, for tiles of [`TILE`] tokens.
#[target_feature(enable = "avx512f")]
unsafe fn multiply_floats(p: &FloatProduct) {
    // Sixteen sums in registers: two vectors of rows times eight tokens.
    // SAFETY: the caller's promise; a tile of 16 tokens is two of 8.
    unsafe { avx512::batch::multiply_float_tiles::<8>(p, p.n_tiles * 2) }
}
