//! Peak arithmetic of the tile unit: products of bytes in tile registers.

use std::arch::asm;
use std::mem::MaybeUninit;

use super::{ROWS, TILE, TileConfig};
use crate::simd::peak::Peak;

/// Independent sums, in tiles of their own: a product starts every 16 cycles and is ready after 52 (Intel 64 and IA-32
/// Architectures Optimization Reference Manual, chapter on AMX), so four would do. The other two tiles are the operands.
const N_SUMS: usize = 6;

/// Bytes of a row of a tile.
const ROW_BYTES: usize = 64;

/// With TDPBSSD.
pub const TILES: Peak = Peak {
    run: tile_steps,
    ops_per_step: (2 * TILE * ROWS * ROW_BYTES * N_SUMS) as u64,
    sum_per_step: (ROW_BYTES * N_SUMS) as u32,
};

/// A tile of ones.
#[repr(C, align(64))]
struct Ones([i8; TILE * ROW_BYTES]);

static ONES: Ones = Ones([1; TILE * ROW_BYTES]);

/// The tiles of sums.
#[repr(C, align(64))]
struct Sums([[i32; TILE * ROWS]; N_SUMS]);

/// One lane of every tile, each in another row and column: products that leave out part of a tile show.
///
/// # Safety
/// - The CPU has AMX-INT8, and the process may use tile registers.
unsafe fn tile_steps(n: u32) -> f32 {
    let config = const { TileConfig::new(ROW_BYTES / 4) };
    let mut sums = MaybeUninit::<Sums>::uninit();
    let sums = sums.as_mut_ptr().cast::<i32>();
    debug_assert!(n > 0, "the loop runs at least once");
    // One block, as the compiler keeps nothing in tile registers.
    // SAFETY: the caller's promise; the configuration is valid for palette 1 and makes all tiles 16 rows of 64 bytes,
    // which `ONES` is and of which `sums` holds six.
    unsafe {
        asm!(
            "ldtilecfg [{config}]",
            "tileloadd tmm6, [{ones} + {stride}]",
            "tileloadd tmm7, [{ones} + {stride}]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tilezero tmm4",
            "tilezero tmm5",
            "2:",
            "tdpbssd tmm0, tmm6, tmm7",
            "tdpbssd tmm1, tmm6, tmm7",
            "tdpbssd tmm2, tmm6, tmm7",
            "tdpbssd tmm3, tmm6, tmm7",
            "tdpbssd tmm4, tmm6, tmm7",
            "tdpbssd tmm5, tmm6, tmm7",
            "dec {n:e}",
            "jnz 2b",
            "tilestored [{sums} + {stride}], tmm0",
            "tilestored [{sums} + {stride} + 1024], tmm1",
            "tilestored [{sums} + {stride} + 2048], tmm2",
            "tilestored [{sums} + {stride} + 3072], tmm3",
            "tilestored [{sums} + {stride} + 4096], tmm4",
            "tilestored [{sums} + {stride} + 5120], tmm5",
            "tilerelease",
            config = in(reg) &raw const config,
            ones = in(reg) &raw const ONES,
            sums = in(reg) sums,
            stride = in(reg) ROW_BYTES,
            n = inout(reg) n => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
        // Whole numbers far below 2^24: the sum of the lanes is exact.
        (0..N_SUMS)
            .map(|tile| *sums.add(tile * TILE * ROWS + tile * 3 * (ROWS + 1)) as f32)
            .sum()
    }
}
