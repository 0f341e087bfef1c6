//! Matrix products in 256-bit vectors, one 32-bit lane per row of a group: every x86_64 variant from AVX2 on.
//!
//! What a variant multiplies with is a [`Dot`], how a format is unpacked is a [`Block`]; the loop over groups and
//! blocks is written once. Everything here is inlined into the functions that [`products!`] makes, which carry the
//! instruction sets: an `#[inline(always)]` function may not name any itself.
//!
//! Vectors of 512 bits were weighed and left out: two blocks or two groups in one vector cost an insert for every 64
//! bytes and close one of three vector ports, which takes away what the width gives (about 2.5 cycles for 64 bytes of
//! Q4_0 against 2.7), and two groups in one vector make two streams of one.

mod blocks256;
mod blocks32;

use std::arch::x86_64::*;

use crate::kernels::weights::GROUP_ROWS;
use crate::numeric::Activations;
use crate::simd::streams::{FAR, NEAR, OFF};
use crate::simd::sum_lanes;

pub(super) use self::blocks32::{Iq4Nl, Q4_0, Q5_0, Q8_0};
pub(super) use self::blocks256::{Q2K, Q3K, Q4K, Q5K, Q6K};

/// The products of every format with one kind of [`Dot`], compiled for the instruction sets named.
macro_rules! products {
    ($features:literal, $dot:ty) => {{
        use $crate::simd::rows256::{Asking, products};
        use $crate::simd::streams::{FAR, NEAR, OFF};
        &[
            ("far", products!(@all $features, Asking<$dot, FAR>)),
            ("near", products!(@all $features, Asking<$dot, NEAR>)),
            ("off", products!(@all $features, Asking<$dot, OFF>)),
        ]
    }};
    (@all $features:literal, $dot:ty) => {
        $crate::simd::Products {
            f16: products!(@f16 $dot),
            q4_0: products!(@one $features, $dot, Q4_0),
            q5_0: products!(@one $features, $dot, Q5_0),
            q8_0: products!(@one $features, $dot, Q8_0),
            iq4_nl: products!(@one $features, $dot, Iq4Nl),
            q2_k: products!(@one $features, $dot, Q2K),
            q3_k: products!(@one $features, $dot, Q3K),
            q4_k: products!(@one $features, $dot, Q4K),
            q5_k: products!(@one $features, $dot, Q5K),
            q6_k: products!(@one $features, $dot, Q6K),
        }
    };
    (@f16 $dot:ty) => {
        $crate::simd::rows256::gemv_f16::<$dot>
    };
    (@one $features:literal, $dot:ty, $block:ident) => {{
        /// # Safety
        /// - The CPU has the features named below.
        /// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
        #[target_feature(enable = $features)]
        unsafe fn gemv(
            weights: *const u8,
            n_groups: usize,
            cols: usize,
            x: &$crate::numeric::Activations,
            out: *mut f32,
        ) {
            use $crate::simd::rows256;
            // SAFETY: the caller's promise.
            unsafe { rows256::gemv::<$dot, rows256::$block>(weights, n_groups, cols, x, out) }
        }
        gemv
    }};
}
pub(super) use products;

/// How four weights of each of eight rows are multiplied with four activations.
///
/// A running sum is either eight 32-bit lanes or sixteen 16-bit lanes, two per row: the formats keep few enough
/// products in one sum for 16 bits, and say how many those are.
pub(super) trait Dot {
    /// How far ahead of the loads the weights are asked for.
    const AHEAD: u8 = OFF;

    /// What [`Dot::add_signed`] adds too much for every activation, because it made the weights unsigned.
    const SIGNED_OFFSET: i32;

    /// Whether its sums are wide enough for fields of a byte that stay where they are, as [`field`] leaves them then.
    const FIELDS_STAY: bool;

    /// Adds the products of the unsigned bytes `w` and the four activations at `qs` to a running sum.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor; `qs` is valid for reads of 4 bytes.
    unsafe fn add(sum: __m256i, w: __m256i, qs: *const i8) -> __m256i;

    /// Adds the products of the signed bytes `w` to 32-bit sums.
    ///
    /// # Safety
    /// - As for [`Dot::add`].
    unsafe fn add_signed(products: __m256i, w: __m256i, qs: *const i8) -> __m256i;

    /// Two running sums that together hold no more products than one may.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn join(a: __m256i, b: __m256i) -> __m256i;

    /// Running sums added to one 32-bit sum per row.
    ///
    /// # Safety
    /// - The CPU has the instructions of the implementor.
    unsafe fn total<const N: usize>(sums: [__m256i; N]) -> __m256i;

    /// `scale * (sums + offset)` in 32 bits; `scale` is a signed 16-bit value in every 32-bit lane.
    ///
    /// # Safety
    /// - As for [`Dot::total`].
    unsafe fn scaled<const N: usize>(sums: [__m256i; N], scale: __m256i, offset: i32) -> __m256i;
}

/// A format: how a block of a group is multiplied.
pub(super) trait Block {
    /// Elements of one block of a row.
    const ELEMENTS: usize;
    /// Bytes of one block of a group.
    const GROUP_BYTES: usize;

    /// Adds block `block_idx` of a row to the sums of a group, with the rounding of the reference.
    ///
    /// # Safety
    /// - The CPU has AVX2, F16C and what `D` needs; `block` holds a block of the group, `x` has a block of that index.
    unsafe fn add<D: Dot>(
        sums: __m256,
        block: *const u8,
        x: &Activations,
        block_idx: usize,
    ) -> __m256;
}

/// The loop of every product.
///
/// # Safety
/// - The CPU has AVX2, F16C and what `D` needs.
/// - `weights` holds `n_groups` groups of `cols` columns, at least one block; `out` has room for 8 floats a group.
#[inline(always)]
pub(super) unsafe fn gemv<D: Dot, B: Block>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let n_blocks = cols / B::ELEMENTS;
    debug_assert!(x.qs().len() >= cols, "the activations have all blocks");
    debug_assert!(n_blocks > 0, "a row has at least one block");
    // Without this the compiler turns the case of empty rows into a call of memset.
    // SAFETY: the caller's promise.
    unsafe { std::hint::assert_unchecked(n_blocks > 0) };
    let mut block = weights;
    for group_idx in 0..n_groups {
        // SAFETY: `block` walks over `n_groups * n_blocks` blocks, the activations have `n_blocks` of them, `out` 8
        // floats a group: the caller's promise.
        unsafe {
            let mut sums = _mm256_setzero_ps();
            for block_idx in 0..n_blocks {
                sums = B::add::<D>(sums, block, x, block_idx);
                block = block.add(B::GROUP_BYTES);
            }
            _mm256_storeu_ps(out.add(group_idx * GROUP_ROWS), sums);
        }
    }
}

/// The loop of half-precision weights: eight running sums a row, and every eight activations serve eight rows.
///
/// A fused multiply-add would round once where the reference rounds twice.
///
/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn gemv_f16<D: Dot>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    debug_assert!(x.floats().len() >= cols, "the activations have all columns");
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = [_mm256_setzero_ps(); GROUP_ROWS];
        // SAFETY: `block` walks over `n_groups * cols / 8` blocks of 128 bytes, the activations have `cols` floats,
        // `out` 8 a group: the caller's promise.
        unsafe {
            for col in (0..cols).step_by(8) {
                prefetch::<D, 2>(block);
                let x = _mm256_loadu_ps(x.floats().as_ptr().add(col));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let w = _mm256_cvtph_ps(_mm_loadu_si128(block.add(row * 16).cast()));
                    *sum = _mm256_add_ps(*sum, _mm256_mul_ps(w, x));
                }
                block = block.add(16 * GROUP_ROWS);
            }
            for (row, sum) in sums.into_iter().enumerate() {
                let mut lanes = [0.0f32; 8];
                _mm256_storeu_ps(lanes.as_mut_ptr(), sum);
                *out.add(group_idx * GROUP_ROWS + row) = sum_lanes(lanes);
            }
        }
    }
}

/// Four consecutive activations in every lane.
///
/// # Safety
/// - The CPU has AVX2; `qs` is valid for reads of 4 bytes.
#[inline(always)]
unsafe fn broadcast4(qs: *const i8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_set1_epi32(qs.cast::<i32>().read_unaligned()) }
}

/// How far ahead of the loads the weights are prefetched into the first cache: hardware prefetchers stop at a 4 KiB
/// page, the stream does not.
const FIRST_BYTES: usize = 4096;

/// How far ahead they are prefetched into the second cache. The first cache has a dozen places for lines on their way,
/// too few for the time that memory takes; the second has several times as many. Measured from memory on one Sapphire
/// Rapids core, interleaved, against the first cache alone: Q4_0 1.12 x, Q6_K 1.16 x, Q4_K 1.16 x, Q8_0 1.06 x.
/// Nearer (2 and 8 KiB: Q4_0 1.08 x) is less; without the nearer ones the same is 0.98 x.
const SECOND_BYTES: usize = 16 << 10;

/// How far ahead where only the next lines are asked for: within the page that a hardware prefetcher follows.
const NEAR_BYTES: usize = 768;

/// # Safety
/// - Prefetching any address is harmless, so `at` need not be valid.
#[inline(always)]
pub(super) unsafe fn prefetch_line<T>(at: *const T) {
    let at = at.cast::<i8>();
    // SAFETY: a prefetch never faults.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(FIRST_BYTES));
        _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(SECOND_BYTES));
    }
}

/// The line at an address that the caller has chosen ahead, and in the second cache one further on.
///
/// # Safety
/// - As for [`prefetch_line`].
#[inline(always)]
pub(super) unsafe fn prefetch_far<T>(at: *const T) {
    let at = at.cast::<i8>();
    // SAFETY: a prefetch never faults.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at);
        _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(SECOND_BYTES));
    }
}

/// Asks for some lines as far ahead as `D` says.
///
/// # Safety
/// - As for [`prefetch_line`].
#[inline(always)]
unsafe fn prefetch<D: Dot, const LINES: usize>(at: *const u8) {
    for line in 0..LINES {
        let at = at.wrapping_add(line * 64);
        // SAFETY: the caller's promise, which is none.
        unsafe {
            match D::AHEAD {
                FAR => prefetch_line(at),
                NEAR => _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(NEAR_BYTES).cast()),
                _ => {}
            }
        }
    }
}

/// A [`Dot`] that asks for the weights ahead.
pub(super) struct Asking<D, const AHEAD: u8>(D);

impl<D: Dot, const AHEAD: u8> Dot for Asking<D, AHEAD> {
    const AHEAD: u8 = AHEAD;
    const SIGNED_OFFSET: i32 = D::SIGNED_OFFSET;
    const FIELDS_STAY: bool = D::FIELDS_STAY;

    #[inline(always)]
    unsafe fn add(sum: __m256i, w: __m256i, qs: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { D::add(sum, w, qs) }
    }

    #[inline(always)]
    unsafe fn add_signed(products: __m256i, w: __m256i, qs: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { D::add_signed(products, w, qs) }
    }

    #[inline(always)]
    unsafe fn join(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { D::join(a, b) }
    }

    #[inline(always)]
    unsafe fn total<const N: usize>(sums: [__m256i; N]) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { D::total(sums) }
    }

    #[inline(always)]
    unsafe fn scaled<const N: usize>(sums: [__m256i; N], scale: __m256i, offset: i32) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { D::scaled(sums, scale, offset) }
    }
}

/// `(d * x_scale) * products`: the term of one block.
///
/// # Safety
/// - The CPU has AVX2 and F16C; `d` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn term(d: *const u8, x_scale: f32, products: __m256i) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        let d = _mm256_cvtph_ps(_mm_loadu_si128(d.cast()));
        let scale = _mm256_mul_ps(d, _mm256_set1_ps(x_scale));
        _mm256_mul_ps(scale, _mm256_cvtepi32_ps(products))
    }
}

/// # Safety
/// - The CPU has AVX2; `at` is valid for reads of 32 bytes.
#[inline(always)]
unsafe fn load(at: *const u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_loadu_si256(at.cast()) }
}

/// Scale of a block of activations.
///
/// # Safety
/// - `x` has a block of that index.
#[inline(always)]
unsafe fn scale_of(x: &Activations, block_idx: usize) -> f32 {
    debug_assert!(block_idx < x.scales().len(), "the block exists");
    // SAFETY: the caller's promise.
    unsafe { *x.scales().as_ptr().add(block_idx) }
}

/// Sum of the activations of a block of 32.
///
/// # Safety
/// - `x` is in blocks of 32 and has one of that index.
#[inline(always)]
unsafe fn sum32(x: &Activations, block_idx: usize) -> i32 {
    debug_assert!(block_idx < x.sums32().len(), "the block exists");
    // SAFETY: the caller's promise.
    i32::from(unsafe { *x.sums32().as_ptr().add(block_idx) })
}

/// Bytes shifted inside 16-bit lanes, to the left by `left` bits or to the right by `-left`; the bits that cross into a
/// neighbour are for the caller to mask off.
///
/// # Safety
/// - The CPU has AVX2.
#[inline(always)]
unsafe fn shifted(bytes: __m256i, left: i32) -> __m256i {
    // A constant count becomes an immediate once this is inlined.
    // SAFETY: the caller's promise.
    unsafe {
        match left {
            0.. => _mm256_sll_epi16(bytes, _mm_cvtsi32_si128(left)),
            _ => _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(-left)),
        }
    }
}

/// The field of every byte that begins at bit `right` and has the bits of `mask`, for a running sum that goes through
/// [`field_sum`] in the end.
///
/// # Safety
/// - The CPU has AVX2.
#[inline(always)]
unsafe fn field<D: Dot>(bytes: __m256i, right: i32, mask: u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        match D::FIELDS_STAY {
            true => _mm256_and_si256(bytes, _mm256_set1_epi8((mask << right) as i8)),
            false => _mm256_and_si256(shifted(bytes, -right), _mm256_set1_epi8(mask as i8)),
        }
    }
}

/// A running sum of fields as if they had begun at bit 0.
///
/// # Safety
/// - The CPU has AVX2.
#[inline(always)]
unsafe fn field_sum<D: Dot>(sum: __m256i, right: i32) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        match D::FIELDS_STAY {
            true => _mm256_sra_epi32(sum, _mm_cvtsi32_si128(right)),
            false => sum,
        }
    }
}

/// AVX2: two products are added in 16 bits, with saturation that the formats' small numbers never reach.
pub(super) struct Maddubs;

impl Dot for Maddubs {
    const SIGNED_OFFSET: i32 = 0;
    const FIELDS_STAY: bool = false;

    #[inline(always)]
    unsafe fn add(sum: __m256i, w: __m256i, qs: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, broadcast4(qs))) }
    }

    #[inline(always)]
    unsafe fn add_signed(products: __m256i, w: __m256i, qs: *const i8) -> __m256i {
        // The unsigned operand is |w|, the signed one x with the sign of w.
        // SAFETY: the caller's promise.
        unsafe {
            let signed = _mm256_sign_epi8(broadcast4(qs), w);
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), signed);
            _mm256_add_epi32(products, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn join(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_add_epi16(a, b) }
    }

    #[inline(always)]
    unsafe fn total<const N: usize>(sums: [__m256i; N]) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let mut total = _mm256_setzero_si256();
            for sum in sums {
                total = _mm256_add_epi32(total, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
            }
            total
        }
    }

    #[inline(always)]
    unsafe fn scaled<const N: usize>(sums: [__m256i; N], scale: __m256i, offset: i32) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let both = _mm256_or_si256(
                _mm256_and_si256(scale, _mm256_set1_epi32(0xffff)),
                _mm256_slli_epi32(scale, 16),
            );
            let mut total = _mm256_mullo_epi32(scale, _mm256_set1_epi32(offset));
            for sum in sums {
                total = _mm256_add_epi32(total, _mm256_madd_epi16(sum, both));
            }
            total
        }
    }
}

/// VPDPBUSD in either encoding: four products are added to a 32-bit lane, without saturation.
/// 1. Signed weights become unsigned by flipping the top bit, which adds 128 to each.
/// 2. Fields of a byte stay where they are, 2^n times too large: one shift of the sum for one of every vector.
macro_rules! dpbusd {
    ($(#[$doc:meta])* $name:ident, $intrinsic:ident) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl Dot for $name {
            const SIGNED_OFFSET: i32 = 128;
            const FIELDS_STAY: bool = true;

            #[inline(always)]
            unsafe fn add(sum: __m256i, w: __m256i, qs: *const i8) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe { $intrinsic(sum, w, broadcast4(qs)) }
            }

            #[inline(always)]
            unsafe fn add_signed(products: __m256i, w: __m256i, qs: *const i8) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe {
                    let unsigned = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
                    $intrinsic(products, unsigned, broadcast4(qs))
                }
            }

            #[inline(always)]
            unsafe fn join(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe { _mm256_add_epi32(a, b) }
            }

            #[inline(always)]
            unsafe fn total<const N: usize>(sums: [__m256i; N]) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe {
                    let mut total = sums[0];
                    for sum in &sums[1..] {
                        total = _mm256_add_epi32(total, *sum);
                    }
                    total
                }
            }

            #[inline(always)]
            unsafe fn scaled<const N: usize>(
                sums: [__m256i; N],
                scale: __m256i,
                offset: i32,
            ) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe {
                    let total = _mm256_add_epi32(Self::total(sums), _mm256_set1_epi32(offset));
                    _mm256_mullo_epi32(total, scale)
                }
            }
        }
    };
}

dpbusd!(
    /// AVX-VNNI: the VEX encoding, on client CPUs without AVX-512.
    VexDpbusd,
    _mm256_dpbusd_avx_epi32
);

dpbusd!(
    /// AVX-512-VNNI with VL: the EVEX encoding, which reads and spreads the activations in the same instruction.
    EvexDpbusd,
    _mm256_dpbusd_epi32
);
