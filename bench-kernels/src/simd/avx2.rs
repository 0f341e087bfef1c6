//! AVX2 with F16C: 256-bit vectors, one 32-bit lane per row of a group.

use std::arch::x86_64::*;

use super::{Isa, Missing, sum_lanes};
use crate::kernels::weights::GROUP_ROWS;
use crate::numeric::Activations;

pub(super) static ISA: Isa = Isa {
    name: "avx2",
    read,
    write,
    copy,
    triad,
    gemv_q4_0,
    gemv_q8_0,
    gemv_q6_k,
    dot_f16,
    add_scaled_f16,
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
    Ok(&ISA)
}

/// Words of one unrolled step: 256 bytes, eight independent registers.
const STEP_WORDS: usize = 32;

/// Pseudo-code: `sum += words[i]`, wrapping.
/// 1. Eight independent sums: one load per cycle is never held up by the add before it.
///
/// # Safety
/// - The CPU has AVX2; `words` is valid for reads of `n` words.
#[target_feature(enable = "avx2")]
unsafe fn read(words: *const u64, n: usize) -> u64 {
    let mut sums = [_mm256_setzero_si256(); 8];
    let mut idx = 0;
    // SAFETY: every load lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = _mm256_add_epi64(*sum, _mm256_loadu_si256(words.add(idx + lane * 4).cast()));
            }
            idx += STEP_WORDS;
        }
        let mut total = [0u64; 4];
        let sum = sums
            .into_iter()
            .reduce(|a, b| _mm256_add_epi64(a, b))
            .unwrap_or(_mm256_setzero_si256());
        _mm256_storeu_si256(total.as_mut_ptr().cast(), sum);
        let mut rest = total.into_iter().fold(0u64, u64::wrapping_add);
        while idx < n {
            rest = rest.wrapping_add(*words.add(idx));
            idx += 1;
        }
        rest
    }
}

/// # Safety
/// - The CPU has AVX2; `words` is valid for writes of `n` words.
#[target_feature(enable = "avx2")]
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    let vector = _mm256_set1_epi64x(value as i64);
    let mut idx = 0;
    // SAFETY: every store lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                _mm256_storeu_si256(words.add(idx + lane * 4).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            words.add(idx).write_volatile(value);
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
#[target_feature(enable = "avx2")]
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + STEP_WORDS <= n {
            for lane in 0..8 {
                let vector = _mm256_loadu_si256(from.add(idx + lane * 4).cast());
                _mm256_storeu_si256(to.add(idx + lane * 4).cast(), vector);
            }
            idx += STEP_WORDS;
        }
        while idx < n {
            to.add(idx).write_volatile(*from.add(idx));
            idx += 1;
        }
    }
}

/// # Safety
/// - The CPU has AVX2; `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
#[target_feature(enable = "avx2")]
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    let factor = _mm256_set1_pd(scale);
    let mut idx = 0;
    // SAFETY: every access lies below `n`, by the loop conditions.
    unsafe {
        while idx + 16 <= n {
            for lane in 0..4 {
                let at = idx + lane * 4;
                let product = _mm256_mul_pd(factor, _mm256_loadu_pd(c.add(at)));
                _mm256_storeu_pd(
                    a.add(at),
                    _mm256_add_pd(_mm256_loadu_pd(b.add(at)), product),
                );
            }
            idx += 16;
        }
        while idx < n {
            *a.add(idx) = *b.add(idx) + scale * *c.add(idx);
            idx += 1;
        }
    }
}

/// How far ahead of the loads the weights are prefetched: hardware prefetchers stop at a 4 KiB page, the stream does
/// not.
const PREFETCH_BYTES: usize = 4096;

/// Four consecutive activations in every lane.
///
/// # Safety
/// - The CPU has AVX2; `qs` is valid for reads of 4 bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn broadcast4(qs: *const i8) -> __m256i {
    // SAFETY: the caller's promise.
    _mm256_set1_epi32(unsafe { qs.cast::<i32>().read_unaligned() })
}

/// # Safety
/// - The CPU has AVX2; prefetching any address is harmless, so `at` need not be valid.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn prefetch<const LINES: usize>(at: *const u8) {
    for line in 0..LINES {
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(PREFETCH_BYTES + line * 64).cast());
    }
}

/// `sums + (d * x_scale) * products`, multiply then add: the same rounding as the reference.
///
/// # Safety
/// - The CPU has AVX2 and F16C; `d` is valid for reads of 16 bytes.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn add_block(sums: __m256, d: *const u8, x_scale: f32, products: __m256i) -> __m256 {
    // SAFETY: the caller's promise.
    let d = _mm256_cvtph_ps(unsafe { _mm_loadu_si128(d.cast()) });
    let scale = _mm256_mul_ps(d, _mm256_set1_ps(x_scale));
    _mm256_add_ps(sums, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(products)))
}

/// The reference's loop, with
/// 1. one 32-bit lane per row: no horizontal sums, every activation vector serves eight rows;
/// 2. all eight products of a block summed in 16 bits: 8 x 2 x 15 x 127 = 30480 still fits.
///
/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "avx2,f16c")]
unsafe fn gemv_q4_0(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 144;
    let n_blocks = cols / 32;
    let low_mask = _mm256_set1_epi8(15);
    let ones = _mm256_set1_epi16(1);
    let (qs, scales, sums16) = (x.qs.as_ptr(), x.scales.as_ptr(), x.sums16.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = _mm256_setzero_ps();
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 144 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                prefetch::<2>(block);
                let q = qs.add(block_idx * 32);
                let mut pairs = _mm256_setzero_si256();
                for chunk_idx in 0..4 {
                    let bytes = _mm256_loadu_si256(block.add(16 + chunk_idx * 32).cast());
                    let low = _mm256_and_si256(bytes, low_mask);
                    let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_mask);
                    let low = _mm256_maddubs_epi16(low, broadcast4(q.add(chunk_idx * 4)));
                    let high = _mm256_maddubs_epi16(high, broadcast4(q.add(16 + chunk_idx * 4)));
                    pairs = _mm256_add_epi16(pairs, _mm256_add_epi16(low, high));
                }
                let offset = 8 * (*sums16.add(block_idx * 2) + *sums16.add(block_idx * 2 + 1));
                let products =
                    _mm256_sub_epi32(_mm256_madd_epi16(pairs, ones), _mm256_set1_epi32(offset));
                sums = add_block(sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(out.add(group_idx * GROUP_ROWS), sums) };
    }
}

/// The reference's loop; the unsigned operand of the multiply is |w|, the signed one x with the sign of w.
///
/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "avx2,f16c")]
unsafe fn gemv_q8_0(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 272;
    let n_blocks = cols / 32;
    let ones = _mm256_set1_epi16(1);
    let (qs, scales) = (x.qs.as_ptr(), x.scales.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = _mm256_setzero_ps();
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 272 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                prefetch::<4>(block);
                let q = qs.add(block_idx * 32);
                let mut products = _mm256_setzero_si256();
                for chunk_idx in 0..8 {
                    let w = _mm256_loadu_si256(block.add(16 + chunk_idx * 32).cast());
                    let signed = _mm256_sign_epi8(broadcast4(q.add(chunk_idx * 4)), w);
                    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), signed);
                    products = _mm256_add_epi32(products, _mm256_madd_epi16(pairs, ones));
                }
                sums = add_block(sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(out.add(group_idx * GROUP_ROWS), sums) };
    }
}

/// The reference's loop, with
/// 1. q in 0..63 as the unsigned operand; the offset -32 goes in once per sub-block, as scale x -32 x sum(x.q);
/// 2. two products summed in 16 bits (2 x 2 x 63 x 127 = 32004 fits), then multiplied by the 8-bit scale, which sits
///    in both halves of its lane.
///
/// # Safety
/// - The CPU has AVX2 and F16C.
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
#[target_feature(enable = "avx2,f16c")]
unsafe fn gemv_q6_k(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const BLOCK_BYTES: usize = 1680;
    let n_blocks = cols / 256;
    let low_mask = _mm256_set1_epi8(15);
    let high_mask = _mm256_set1_epi8(0x30);
    let half_lane = _mm256_set1_epi32(0xffff);
    let (qs, scales, sums16) = (x.qs.as_ptr(), x.scales.as_ptr(), x.sums16.as_ptr());
    let mut block = weights;
    for group_idx in 0..n_groups {
        let mut sums = _mm256_setzero_ps();
        for block_idx in 0..n_blocks {
            // SAFETY: `block` walks over `n_groups * n_blocks` blocks of 1680 bytes, the activations have `n_blocks`
            // blocks, `out` 8 floats a group: the caller's promise.
            unsafe {
                let q = qs.add(block_idx * 256);
                let (low, high) = (block.add(144), block.add(144 + 1024));
                let mut products = _mm256_setzero_si256();
                for step in 0..4 {
                    prefetch::<7>(block.add(step * 420));
                    // Chunks step*4 .. step*4+3 of each quarter of the block: one sub-block of 16 in each quarter.
                    let mut pairs = [[_mm256_setzero_si256(); 2]; 4];
                    for in_step in 0..4 {
                        let chunk_idx = step * 4 + in_step;
                        let bits = _mm256_loadu_si256(high.add(chunk_idx * 32).cast());
                        let even = _mm256_loadu_si256(low.add(chunk_idx * 32).cast());
                        let odd = _mm256_loadu_si256(low.add((chunk_idx + 16) * 32).cast());
                        let values = [
                            _mm256_or_si256(
                                _mm256_and_si256(even, low_mask),
                                _mm256_and_si256(_mm256_slli_epi16(bits, 4), high_mask),
                            ),
                            _mm256_or_si256(
                                _mm256_and_si256(odd, low_mask),
                                _mm256_and_si256(_mm256_slli_epi16(bits, 2), high_mask),
                            ),
                            _mm256_or_si256(
                                _mm256_and_si256(_mm256_srli_epi16(even, 4), low_mask),
                                _mm256_and_si256(bits, high_mask),
                            ),
                            _mm256_or_si256(
                                _mm256_and_si256(_mm256_srli_epi16(odd, 4), low_mask),
                                _mm256_and_si256(_mm256_srli_epi16(bits, 2), high_mask),
                            ),
                        ];
                        for quarter in 0..4 {
                            let x = broadcast4(q.add((quarter * 16 + chunk_idx) * 4));
                            let product = _mm256_maddubs_epi16(values[quarter], x);
                            let sum = &mut pairs[quarter][in_step / 2];
                            *sum = _mm256_add_epi16(*sum, product);
                        }
                    }
                    for (quarter, pairs) in pairs.iter().enumerate() {
                        let sub_block = quarter * 4 + step;
                        let scale = _mm256_cvtepi8_epi32(_mm_loadl_epi64(
                            block.add(16 + sub_block * 8).cast(),
                        ));
                        let both = _mm256_or_si256(
                            _mm256_and_si256(scale, half_lane),
                            _mm256_slli_epi32(scale, 16),
                        );
                        let offset =
                            _mm256_set1_epi32(-32 * *sums16.add(block_idx * 16 + sub_block));
                        let sum = _mm256_add_epi32(
                            _mm256_madd_epi16(pairs[0], both),
                            _mm256_madd_epi16(pairs[1], both),
                        );
                        products = _mm256_add_epi32(products, sum);
                        products = _mm256_add_epi32(products, _mm256_mullo_epi32(scale, offset));
                    }
                }
                sums = add_block(sums, block, *scales.add(block_idx), products);
                block = block.add(BLOCK_BYTES);
            }
        }
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(out.add(group_idx * GROUP_ROWS), sums) };
    }
}

/// # Safety
/// - The CPU has AVX2 and F16C; `a` and `b` are valid for reads of `n` elements; `n` is a multiple of 8.
#[target_feature(enable = "avx2,f16c")]
unsafe fn dot_f16(a: *const u16, b: *const f32, n: usize) -> f32 {
    let mut sums = _mm256_setzero_ps();
    let mut lanes = [0.0f32; 8];
    // SAFETY: `n` is a multiple of 8, so every access of 8 elements lies below `n`.
    unsafe {
        for idx in (0..n).step_by(8) {
            let a = _mm256_cvtph_ps(_mm_loadu_si128(a.add(idx).cast()));
            sums = _mm256_add_ps(sums, _mm256_mul_ps(a, _mm256_loadu_ps(b.add(idx))));
        }
        _mm256_storeu_ps(lanes.as_mut_ptr(), sums);
    }
    sum_lanes(lanes)
}

/// # Safety
/// - The CPU has AVX2 and F16C; `sum` is valid for reads and writes and `v` for reads of `n` elements, which do not
///   overlap; `n` is a multiple of 8.
#[target_feature(enable = "avx2,f16c")]
unsafe fn add_scaled_f16(sum: *mut f32, v: *const u16, scale: f32, n: usize) {
    let factor = _mm256_set1_ps(scale);
    // SAFETY: `n` is a multiple of 8, so every access of 8 elements lies below `n`.
    unsafe {
        for idx in (0..n).step_by(8) {
            let v = _mm256_cvtph_ps(_mm_loadu_si128(v.add(idx).cast()));
            let at = sum.add(idx);
            _mm256_storeu_ps(
                at,
                _mm256_add_ps(_mm256_loadu_ps(at), _mm256_mul_ps(factor, v)),
            );
        }
    }
}
