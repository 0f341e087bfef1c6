//! AMX-INT8: 16 x 16 sums of products of bytes from two tile registers, for batches; all else is AVX-512-VNNI.
//!
//! 1. The layout of a panel is that of a right-hand tile: four columns of a row side by side, rows beyond them. A
//!    left-hand tile is 16 tokens as they lie in the batch.
//! 2. One instruction makes the products of 16 rows, 16 tokens and one sub-block; the sums go through the first-level
//!    cache into vectors, where scales meet them. While the tiles of two sub-blocks are multiplied, those of the two
//!    before are scaled. Keeping eight sub-blocks instead, so that the output is read and written once for all of
//!    these, was as fast.
//! 3. The kernel gives a process tile registers on request only, and every product sets them up and gives them back:
//!    that costs less than a hundredth of it.

mod peak;

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::avx512;
use super::batch::{Batched, FloatProduct, Kind, PANEL_ROWS, Product};
use super::peak::Peaks;
use super::{Isa, Missing};

/// Tokens of a tile.
const TILE: usize = 16;

/// Rows of a tile: half a panel.
const ROWS: usize = 16;

/// Bytes of one chunk of a panel.
const CHUNK_BYTES: usize = PANEL_ROWS * 4;

pub(super) static ISA: Isa = Isa {
    name: "amx-int8",
    batched: Batched {
        tile_tokens: TILE,
        multiply,
        multiply_floats,
        ..avx512::batch::SIGNED
    },
    peaks: Peaks {
        int8: Some(peak::TILES),
        ..avx512::ISA_VNNI_PARTS.peaks
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
    /// Registers 0 to 3 for sums, 4 and 7 for tokens, 5 and 6 for weights, with sub-blocks of `chunks` chunks.
    const fn new(chunks: usize) -> TileConfig {
        let mut config = TileConfig {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        let mut register = 0;
        while register < 8 {
            let (rows, row_bytes) = match register {
                0..4 => (TILE, ROWS * 4),
                4 | 7 => (TILE, chunks * 4),
                _ => (chunks, ROWS * 4),
            };
            config.rows[register] = rows as u8;
            config.row_bytes[register] = row_bytes as u16;
            register += 1;
        }
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

/// Sums of 32 rows and 16 tokens, of two pairs of sub-blocks.
#[repr(C, align(64))]
struct Sums([[[i32; PANEL_ROWS]; TILE]; 4]);

/// Sums of the current block of 256.
#[repr(C, align(64))]
struct Parts([[f32; PANEL_ROWS]; TILE]);

/// # Safety
/// - As for [`multiply`].
#[inline(always)]
unsafe fn rows32<const CHUNKS: usize, const N_SUBS: usize, const MINIMA: bool>(p: &Product) {
    let config = const { TileConfig::new(CHUNKS) };
    let mut sums = std::mem::MaybeUninit::<Sums>::uninit();
    let mut parts = std::mem::MaybeUninit::<Parts>::uninit();
    let (sums, parts) = (
        sums.as_mut_ptr().cast::<i32>(),
        parts.as_mut_ptr().cast::<f32>(),
    );
    let pair_sums = |pair: usize| sums.wrapping_add(pair % 2 * 2 * TILE * PANEL_ROWS);
    // SAFETY: the caller's promise; the configuration is valid for palette 1.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags, readonly));
        let n_subs = p.n_blocks * N_SUBS;
        for tile in 0..p.n_tiles {
            let add = |pair: usize, sums: *const i32| match N_SUBS {
                1 => add_blocks::<2>(p, tile, pair * 2, sums),
                _ => add_subs::<N_SUBS, MINIMA>(p, tile, pair * 2, sums, parts),
            };
            for pair in 0..n_subs / 2 {
                tile_sums::<CHUNKS, 2>(p, tile, pair * 2, pair_sums(pair));
                if pair > 0 {
                    add(pair - 1, pair_sums(pair - 1));
                }
            }
            if n_subs >= 2 {
                add(n_subs / 2 - 1, pair_sums(n_subs / 2 - 1));
            }
            // Only where a block is one sub-block can their number be odd.
            if n_subs % 2 == 1 {
                tile_sums::<CHUNKS, 1>(p, tile, n_subs - 1, sums);
                add_blocks::<1>(p, tile, n_subs - 1, sums);
            }
        }
        asm!("tilerelease", options(nostack, preserves_flags, nomem));
    }
}

/// Sums of `N` sub-blocks from `first` on, two of them at a time: their eight tiles are all the registers there are.
///
/// # Safety
/// - As for [`multiply`]; the tile registers are set up; `sums` has room for `N` times 16 x 32.
#[inline(always)]
unsafe fn tile_sums<const CHUNKS: usize, const N: usize>(
    p: &Product,
    tile: usize,
    first: usize,
    sums: *mut i32,
) {
    const BYTES: usize = PANEL_ROWS * 4;
    // SAFETY: the caller's promise.
    unsafe {
        let x = p.x.add(tile * TILE * p.x_stride + first * CHUNKS * 4);
        let w = p.values.add(first * CHUNKS * CHUNK_BYTES);
        let mut sub = 0;
        while sub + 2 <= N {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "tileloadd tmm4, [{x0} + {x_stride}]",
                "tileloadd tmm5, [{w0} + {stride}]",
                "tdpbssd tmm0, tmm4, tmm5",
                "tileloadd tmm6, [{w0} + {stride} + 64]",
                "tdpbssd tmm1, tmm4, tmm6",
                "tileloadd tmm7, [{x1} + {x_stride}]",
                "tileloadd tmm5, [{w1} + {stride}]",
                "tdpbssd tmm2, tmm7, tmm5",
                "tileloadd tmm6, [{w1} + {stride} + 64]",
                "tdpbssd tmm3, tmm7, tmm6",
                "tilestored [{s0} + {stride}], tmm0",
                "tilestored [{s0} + {stride} + 64], tmm1",
                "tilestored [{s1} + {stride}], tmm2",
                "tilestored [{s1} + {stride} + 64], tmm3",
                x0 = in(reg) x.add(sub * CHUNKS * 4),
                x1 = in(reg) x.add((sub + 1) * CHUNKS * 4),
                x_stride = in(reg) p.x_stride,
                w0 = in(reg) w.add(sub * CHUNKS * CHUNK_BYTES),
                w1 = in(reg) w.add((sub + 1) * CHUNKS * CHUNK_BYTES),
                stride = in(reg) BYTES,
                s0 = in(reg) sums.add(sub * TILE * PANEL_ROWS),
                s1 = in(reg) sums.add((sub + 1) * TILE * PANEL_ROWS),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, preserves_flags),
            );
            sub += 2;
        }
        if sub < N {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tileloadd tmm4, [{x} + {x_stride}]",
                "tileloadd tmm5, [{w} + {stride}]",
                "tdpbssd tmm0, tmm4, tmm5",
                "tileloadd tmm6, [{w} + {stride} + 64]",
                "tdpbssd tmm1, tmm4, tmm6",
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 64], tmm1",
                x = in(reg) x.add(sub * CHUNKS * 4),
                x_stride = in(reg) p.x_stride,
                w = in(reg) w.add(sub * CHUNKS * CHUNK_BYTES),
                stride = in(reg) BYTES,
                sums = in(reg) sums.add(sub * TILE * PANEL_ROWS),
                out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Adds `N` activation blocks of one sub-block to the output.
///
/// # Safety
/// - As for [`multiply`]; `sums` holds those of the blocks.
#[inline(always)]
unsafe fn add_blocks<const N: usize>(p: &Product, tile: usize, first: usize, sums: *const i32) {
    // SAFETY: the caller's promise.
    unsafe {
        let x_scales = p.x_scales.add(tile * p.x_scales_stride + first * TILE);
        let mut scales = [[_mm512_setzero_ps(); 2]; N];
        for (block, scales) in scales.iter_mut().enumerate() {
            let at = p.scales.add((first + block) * PANEL_ROWS);
            *scales = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16))];
        }
        for token in 0..TILE {
            let out = p.out.add((tile * TILE + token) * p.out_stride);
            let mut totals = match p.is_first && first == 0 {
                true => [_mm512_setzero_ps(); 2],
                false => [_mm512_loadu_ps(out), _mm512_loadu_ps(out.add(16))],
            };
            for (block, scales) in scales.iter().enumerate() {
                let at = sums.add((block * TILE + token) * PANEL_ROWS);
                let x_scale = _mm512_set1_ps(*x_scales.add(block * TILE + token));
                for half in 0..2 {
                    let sum = _mm512_cvtepi32_ps(_mm512_load_si512(at.add(half * 16).cast()));
                    let part = _mm512_mul_ps(sum, scales[half]);
                    totals[half] = _mm512_fmadd_ps(part, x_scale, totals[half]);
                }
            }
            _mm512_storeu_ps(out, totals[0]);
            _mm512_storeu_ps(out.add(16), totals[1]);
        }
    }
}

/// Adds two sub-blocks to the sums of their block of 256, and these to the output when the block ends.
///
/// # Safety
/// - As for [`multiply`]; `sums` holds those of the sub-blocks, `parts` those of the sub-blocks before.
#[inline(always)]
unsafe fn add_subs<const N_SUBS: usize, const MINIMA: bool>(
    p: &Product,
    tile: usize,
    first: usize,
    sums: *const i32,
    parts: *mut f32,
) {
    let (block, is_first, is_last) = (
        first / N_SUBS,
        first.is_multiple_of(N_SUBS),
        first % N_SUBS == N_SUBS - 2,
    );
    // SAFETY: the caller's promise.
    unsafe {
        let x_scales = p.x_scales.add(tile * p.x_scales_stride + block * TILE);
        let x_sums = p.x_sums.wrapping_add(tile * p.x_sums_stride + first * TILE);
        for half in 0..2 {
            let row = |sub: usize| (first + sub) * PANEL_ROWS + half * 16;
            let scales = [0, 1].map(|sub| _mm512_loadu_ps(p.scales.add(row(sub))));
            let minima = match MINIMA {
                true => [0, 1].map(|sub| _mm512_loadu_ps(p.minima.add(row(sub)))),
                false => [_mm512_setzero_ps(); 2],
            };
            for token in 0..TILE {
                let at = parts.add(token * PANEL_ROWS + half * 16);
                let mut part = match is_first {
                    true => _mm512_setzero_ps(),
                    false => _mm512_load_ps(at),
                };
                for sub in 0..2 {
                    let sum = sums.add((sub * TILE + token) * PANEL_ROWS + half * 16);
                    let sum = _mm512_cvtepi32_ps(_mm512_load_si512(sum.cast()));
                    part = _mm512_fmadd_ps(sum, scales[sub], part);
                    if MINIMA {
                        let x_sum = _mm512_set1_ps(*x_sums.add(sub * TILE + token));
                        part = _mm512_fnmadd_ps(minima[sub], x_sum, part);
                    }
                }
                if !is_last {
                    _mm512_store_ps(at, part);
                    continue;
                }
                let x_scale = _mm512_set1_ps(*x_scales.add(token));
                let out = (tile * TILE + token) * p.out_stride + half * 16;
                let out = p.out.add(out);
                let total = match p.is_first && block == 0 {
                    true => _mm512_setzero_ps(),
                    false => _mm512_loadu_ps(out),
                };
                _mm512_storeu_ps(out, _mm512_fmadd_ps(part, x_scale, total));
            }
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
