//! The reference: plain loops that every other variant has to equal.

use super::{Isa, Products, sum_lanes};
use crate::kernels::weights::GROUP_ROWS;
use crate::numeric::{Activations, f16_to_f32};

pub(super) static ISA: Isa = Isa {
    name: "scalar",
    read,
    write,
    copy,
    scale,
    add,
    triad,
    non_temporal: None,
    products: Products {
        q4_0: gemv_q4_0,
        q8_0: gemv_q8_0,
        q6_k: gemv_q6_k,
    },
    dot_f16,
    add_scaled_f16,
};

/// # Safety
/// - `words` is valid for reads of `n` words.
unsafe fn read(words: *const u64, n: usize) -> u64 {
    // SAFETY: the caller's promise.
    let words = unsafe { std::slice::from_raw_parts(words, n) };
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// # Safety
/// - `words` is valid for writes of `n` words.
unsafe fn write(words: *mut u64, n: usize, value: u64) {
    for idx in 0..n {
        // Volatile, or the compiler replaces the loop by memset and we would measure the C library.
        // SAFETY: the caller's promise.
        unsafe { words.add(idx).write_volatile(value) };
    }
}

/// # Safety
/// - `to` is valid for writes and `from` for reads of `n` words; they do not overlap.
unsafe fn copy(to: *mut u64, from: *const u64, n: usize) {
    for idx in 0..n {
        // Volatile, or the compiler replaces the loop by memcpy.
        // SAFETY: the caller's promise.
        unsafe { to.add(idx).write_volatile(from.add(idx).read()) };
    }
}

/// # Safety
/// - `to` is valid for writes and `from` for reads of `n` doubles; they do not overlap.
unsafe fn scale(to: *mut f64, from: *const f64, scale: f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(idx) = scale * *from.add(idx) };
    }
}

/// # Safety
/// - `to` is valid for writes, `a` and `b` for reads of `n` doubles; `to` overlaps neither.
unsafe fn add(to: *mut f64, a: *const f64, b: *const f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(idx) = *a.add(idx) + *b.add(idx) };
    }
}

/// # Safety
/// - `a` is valid for writes, `b` and `c` for reads of `n` doubles; `a` overlaps neither.
unsafe fn triad(a: *mut f64, b: *const f64, c: *const f64, scale: f64, n: usize) {
    for idx in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *a.add(idx) = *b.add(idx) + scale * *c.add(idx) };
    }
}

/// Pseudo-code, for every group of 8 rows and every block of 32 columns:
/// `y[r] += d[r] * x.scale * (sum(nibble * x.q) - 8 * sum(x.q))`.
///
/// # Safety
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
unsafe fn gemv_q4_0(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let n_blocks = cols / 32;
    // SAFETY: the caller's promise.
    let (weights, out) = unsafe { slices(weights, n_groups * n_blocks * 144, out, n_groups) };
    for (group, out) in weights
        .chunks_exact(n_blocks * 144)
        .zip(out.chunks_exact_mut(GROUP_ROWS))
    {
        let mut sums = [0.0f32; GROUP_ROWS];
        for (block_idx, block) in group.chunks_exact(144).enumerate() {
            let (d, nibbles) = block.split_at(16);
            let qs = &x.qs[block_idx * 32..][..32];
            let offset = 8 * (x.sums16[block_idx * 2] + x.sums16[block_idx * 2 + 1]);
            let mut products = [-offset; GROUP_ROWS];
            for (chunk_idx, chunk) in nibbles.chunks_exact(32).enumerate() {
                for (row, product) in products.iter_mut().enumerate() {
                    for k in 0..4 {
                        let byte = chunk[row * 4 + k];
                        *product += i32::from(byte & 15) * i32::from(qs[chunk_idx * 4 + k])
                            + i32::from(byte >> 4) * i32::from(qs[16 + chunk_idx * 4 + k]);
                    }
                }
            }
            add_block(&mut sums, d, x.scales[block_idx], &products);
        }
        out.copy_from_slice(&sums);
    }
}

/// Pseudo-code as for Q4_0, with signed bytes and no offset.
///
/// # Safety
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
unsafe fn gemv_q8_0(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let n_blocks = cols / 32;
    // SAFETY: the caller's promise.
    let (weights, out) = unsafe { slices(weights, n_groups * n_blocks * 272, out, n_groups) };
    for (group, out) in weights
        .chunks_exact(n_blocks * 272)
        .zip(out.chunks_exact_mut(GROUP_ROWS))
    {
        let mut sums = [0.0f32; GROUP_ROWS];
        for (block_idx, block) in group.chunks_exact(272).enumerate() {
            let (d, bytes) = block.split_at(16);
            let qs = &x.qs[block_idx * 32..][..32];
            let mut products = [0i32; GROUP_ROWS];
            for (chunk_idx, chunk) in bytes.chunks_exact(32).enumerate() {
                for (row, product) in products.iter_mut().enumerate() {
                    for k in 0..4 {
                        *product +=
                            i32::from(chunk[row * 4 + k] as i8) * i32::from(qs[chunk_idx * 4 + k]);
                    }
                }
            }
            add_block(&mut sums, d, x.scales[block_idx], &products);
        }
        out.copy_from_slice(&sums);
    }
}

/// Pseudo-code, for every group of 8 rows and every block of 256 columns:
/// `y[r] += d[r] * x.scale * sum over 16 sub-blocks s of sc[s][r] * sum((q - 32) * x.q)`.
///
/// # Safety
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
unsafe fn gemv_q6_k(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let n_blocks = cols / 256;
    // SAFETY: the caller's promise.
    let (weights, out) = unsafe { slices(weights, n_groups * n_blocks * 1680, out, n_groups) };
    for (group, out) in weights
        .chunks_exact(n_blocks * 1680)
        .zip(out.chunks_exact_mut(GROUP_ROWS))
    {
        let mut sums = [0.0f32; GROUP_ROWS];
        for (block_idx, block) in group.chunks_exact(1680).enumerate() {
            let (d, rest) = block.split_at(16);
            let (scales, rest) = rest.split_at(128);
            let (low, high) = rest.split_at(1024);
            let qs = &x.qs[block_idx * 256..][..256];
            let mut products = [0i32; GROUP_ROWS];
            for chunk_idx in 0..64 {
                let low = &low[(chunk_idx % 32) * 32..][..32];
                let high = &high[(chunk_idx % 16) * 32..][..32];
                let (low_shift, high_shift) = (chunk_idx / 32 * 4, chunk_idx / 16 * 2);
                let scales = &scales[chunk_idx / 4 * GROUP_ROWS..][..GROUP_ROWS];
                for (row, product) in products.iter_mut().enumerate() {
                    let mut sum = 0;
                    for k in 0..4 {
                        let low = (low[row * 4 + k] >> low_shift) & 15;
                        let high = (high[row * 4 + k] >> high_shift) & 3;
                        sum +=
                            (i32::from(low | (high << 4)) - 32) * i32::from(qs[chunk_idx * 4 + k]);
                    }
                    *product += sum * i32::from(scales[row] as i8);
                }
            }
            add_block(&mut sums, d, x.scales[block_idx], &products);
        }
        out.copy_from_slice(&sums);
    }
}

/// The one floating-point step of a block: multiply, then add, row by row.
fn add_block(sums: &mut [f32; GROUP_ROWS], d: &[u8], x_scale: f32, products: &[i32; GROUP_ROWS]) {
    for (row, sum) in sums.iter_mut().enumerate() {
        let d = f16_to_f32(u16::from_le_bytes([d[row * 2], d[row * 2 + 1]]));
        *sum += (d * x_scale) * products[row] as f32;
    }
}

/// # Safety
/// - `weights` is valid for reads of `n_bytes`, `out` for writes of 8 floats a group, and they do not overlap.
unsafe fn slices<'a>(
    weights: *const u8,
    n_bytes: usize,
    out: *mut f32,
    n_groups: usize,
) -> (&'a [u8], &'a mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe {
        (
            std::slice::from_raw_parts(weights, n_bytes),
            std::slice::from_raw_parts_mut(out, n_groups * GROUP_ROWS),
        )
    }
}

/// # Safety
/// - `a` and `b` are valid for reads of `n` elements; `n` is a multiple of 8.
unsafe fn dot_f16(a: *const u16, b: *const f32, n: usize) -> f32 {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe {
        (
            std::slice::from_raw_parts(a, n),
            std::slice::from_raw_parts(b, n),
        )
    };
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += f16_to_f32(a[lane]) * b[lane];
        }
    }
    sum_lanes(lanes)
}

/// # Safety
/// - `sum` is valid for reads and writes and `v` for reads of `n` elements; they do not overlap.
unsafe fn add_scaled_f16(sum: *mut f32, v: *const u16, scale: f32, n: usize) {
    // SAFETY: the caller's promise.
    let (sum, v) = unsafe {
        (
            std::slice::from_raw_parts_mut(sum, n),
            std::slice::from_raw_parts(v, n),
        )
    };
    for (sum, v) in sum.iter_mut().zip(v) {
        *sum += scale * f16_to_f32(*v);
    }
}
