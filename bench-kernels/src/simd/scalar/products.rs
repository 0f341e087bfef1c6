//! The matrix products as plain loops: the definition that every variant has to equal bit by bit.

use crate::kernels::weights::{GROUP_ROWS, IQ4_NL_VALUES};
use crate::numeric::{Activations, f16_to_f32};
use crate::simd::{Products, sum_lanes};

pub const PRODUCTS: Products = Products {
    f16: gemv_f16,
    q4_0: gemv::<Q4_0>,
    q5_0: gemv::<Q5_0>,
    q8_0: gemv::<Q8_0>,
    iq4_nl: gemv::<Iq4Nl>,
    q2_k: gemv::<Q2K>,
    q3_k: gemv::<Q3K>,
    q4_k: gemv::<Q4K>,
    q5_k: gemv::<Q5K>,
    q6_k: gemv::<Q6K>,
};

/// A format: how a block of a group is multiplied.
trait Block {
    /// Elements of one block of a row.
    const ELEMENTS: usize;
    /// Bytes of one block of a group.
    const GROUP_BYTES: usize;

    /// Adds block `block_idx` of each row to the sums of a group.
    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize);
}

/// Pseudo-code: for every group of 8 rows, for every block, `y[r] += block of r * block of x`.
///
/// # Safety
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
unsafe fn gemv<B: Block>(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    let group_bytes = cols / B::ELEMENTS * B::GROUP_BYTES;
    // SAFETY: the caller's promise; the weights are not written, and the outputs belong to the caller alone.
    let (weights, out) = unsafe {
        (
            std::slice::from_raw_parts(weights, n_groups * group_bytes),
            std::slice::from_raw_parts_mut(out, n_groups * GROUP_ROWS),
        )
    };
    for (group, out) in weights
        .chunks_exact(group_bytes)
        .zip(out.chunks_exact_mut(GROUP_ROWS))
    {
        let mut sums = [0.0f32; GROUP_ROWS];
        for (block_idx, block) in group.chunks_exact(B::GROUP_BYTES).enumerate() {
            B::add(&mut sums, block, x, block_idx);
        }
        out.copy_from_slice(&sums);
    }
}

/// Pseudo-code: for every row eight running sums, `sums[c % 8] += w[c] * x[c]`, added up at the end.
///
/// # Safety
/// - `weights` holds `n_groups` groups of `cols` columns, `out` has room for 8 floats a group.
unsafe fn gemv_f16(
    weights: *const u8,
    n_groups: usize,
    cols: usize,
    x: &Activations,
    out: *mut f32,
) {
    const LANES: usize = 8;
    for group_idx in 0..n_groups {
        for row in 0..GROUP_ROWS {
            let mut sums = [0.0f32; LANES];
            for (block_idx, x) in x.floats()[..cols].chunks_exact(LANES).enumerate() {
                let at = ((group_idx * cols / LANES + block_idx) * GROUP_ROWS + row) * LANES * 2;
                // SAFETY: the caller's promise.
                let halves = unsafe { std::slice::from_raw_parts(weights.add(at), LANES * 2) };
                for (lane, x) in x.iter().enumerate() {
                    sums[lane] += half(halves, lane) * x;
                }
            }
            // SAFETY: the caller's promise.
            unsafe { *out.add(group_idx * GROUP_ROWS + row) = sum_lanes(sums) };
        }
    }
}

/// The one floating-point step of a block: multiply, then add, row by row.
fn add_terms(sums: &mut [f32; GROUP_ROWS], d: &[u8], x_scale: f32, products: &[i32; GROUP_ROWS]) {
    for (row, sum) in sums.iter_mut().enumerate() {
        *sum += (half(d, row) * x_scale) * products[row] as f32;
    }
}

/// The second one, where a format has minima.
fn subtract_terms(
    sums: &mut [f32; GROUP_ROWS],
    dmin: &[u8],
    x_scale: f32,
    minima: &[i32; GROUP_ROWS],
) {
    for (row, sum) in sums.iter_mut().enumerate() {
        *sum -= (half(dmin, row) * x_scale) * minima[row] as f32;
    }
}

fn half(halves: &[u8], row: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([halves[row * 2], halves[row * 2 + 1]]))
}

/// Adds the products of one vector and the four activations of its chunk to a sum per row.
fn add_chunk(
    sums: &mut [i32; GROUP_ROWS],
    vector: &[u8],
    qs: &[i8],
    value: impl Fn(usize, u8) -> i32,
) {
    for (row, sum) in sums.iter_mut().enumerate() {
        for (k, q) in qs[..4].iter().enumerate() {
            let lane = row * 4 + k;
            *sum += value(lane, vector[lane]) * i32::from(*q);
        }
    }
}

/// `products += scale * sums`, row by row.
fn add_scaled(
    products: &mut [i32; GROUP_ROWS],
    sums: &[i32; GROUP_ROWS],
    scale: impl Fn(usize) -> i32,
) {
    for (row, product) in products.iter_mut().enumerate() {
        *product += scale(row) * sums[row];
    }
}

/// `value * x - offset` over the 32 elements of a block of nibbles at `at`, the values by lane, chunk and nibble.
fn nibble_products(
    block: &[u8],
    at: usize,
    qs: &[i8],
    offset: i32,
    value: impl Fn(usize, usize, u8) -> i32,
) -> [i32; GROUP_ROWS] {
    let mut products = [-offset; GROUP_ROWS];
    for chunk in 0..4 {
        let vector = &block[at + chunk * 32..][..32];
        add_chunk(&mut products, vector, &qs[chunk * 4..], |lane, byte| {
            value(lane, chunk, byte & 15)
        });
        add_chunk(
            &mut products,
            vector,
            &qs[16 + chunk * 4..],
            |lane, byte| value(lane, chunk + 4, byte >> 4),
        );
    }
    products
}

/// `y[r] += d[r] * x.scale * sum((q - 8) * x.q)`.
struct Q4_0;

impl Block for Q4_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 32..][..32];
        let offset = 8 * i32::from(x.sums32()[block_idx]);
        let products = nibble_products(block, 16, qs, offset, |_, _, q| i32::from(q));
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}

/// `y[r] += d[r] * x.scale * sum((q - 16) * x.q)`.
struct Q5_0;

impl Block for Q5_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 176;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 32..][..32];
        let fifth = &block[16..48];
        let offset = 16 * i32::from(x.sums32()[block_idx]);
        let products = nibble_products(block, 48, qs, offset, |lane, chunk, q| {
            i32::from(q | (fifth[lane] >> chunk & 1) << 4)
        });
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}

/// `y[r] += d[r] * x.scale * sum(q * x.q)`.
struct Q8_0;

impl Block for Q8_0 {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 272;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 32..][..32];
        let mut products = [0; GROUP_ROWS];
        for (vector, qs) in block[16..].chunks_exact(32).zip(qs.chunks_exact(4)) {
            add_chunk(&mut products, vector, qs, |_, byte| i32::from(byte as i8));
        }
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}

/// `y[r] += d[r] * x.scale * sum(values[q] * x.q)`.
struct Iq4Nl;

impl Block for Iq4Nl {
    const ELEMENTS: usize = 32;
    const GROUP_BYTES: usize = 144;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 32..][..32];
        let products = nibble_products(block, 16, qs, 0, |_, _, q| {
            i32::from(IQ4_NL_VALUES[usize::from(q)])
        });
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}

/// Byte of a row in a run of pairs of sub-blocks.
fn paired(run: &[u8], sub_block: usize, row: usize) -> u8 {
    run[sub_block / 2 * 16 + row * 2 + sub_block % 2]
}

/// `y[r] += d[r] * x.scale * sum over 16 sub-blocks s of sc[s][r] * sum(q * x.q)`, then
/// `y[r] -= dmin[r] * x.scale * sum over s of min[s][r] * sum(x.q)`.
struct Q2K;

impl Block for Q2K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 672;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 256..][..256];
        let sums16 = &x.sums16()[block_idx * 16..][..16];
        let (scales, vectors) = block[32..].split_at(128);
        let (mut products, mut minima) = ([0; GROUP_ROWS], [0; GROUP_ROWS]);
        for (sub_block, x_sum) in sums16.iter().enumerate() {
            let mut sum = [0; GROUP_ROWS];
            for chunk in sub_block * 4..sub_block * 4 + 4 {
                let vector = &vectors[(chunk / 32 * 8 + chunk % 8) * 32..][..32];
                add_chunk(&mut sum, vector, &qs[chunk * 4..], |_, byte| {
                    i32::from(byte >> (chunk / 8 % 4 * 2) & 3)
                });
            }
            let scale = |row| paired(scales, sub_block, row);
            add_scaled(&mut products, &sum, |row| i32::from(scale(row) & 15));
            let x_sum = [i32::from(*x_sum); GROUP_ROWS];
            add_scaled(&mut minima, &x_sum, |row| i32::from(scale(row) >> 4));
        }
        add_terms(sums, block, x.scales()[block_idx], &products);
        subtract_terms(sums, &block[16..], x.scales()[block_idx], &minima);
    }
}

/// `y[r] += d[r] * x.scale * sum over 16 sub-blocks s of (sc[s][r] - 32) * sum((q - 4) * x.q)`.
struct Q3K;

impl Block for Q3K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 880;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 256..][..256];
        let (scales, vectors) = block[16..].split_at(96);
        let (third, low) = vectors.split_at(256);
        let mut products = [0; GROUP_ROWS];
        for sub_block in 0..16 {
            let mut sum = [0; GROUP_ROWS];
            for chunk in sub_block * 4..sub_block * 4 + 4 {
                let vector = &low[(chunk / 32 * 8 + chunk % 8) * 32..][..32];
                let third = &third[chunk % 8 * 32..][..32];
                add_chunk(&mut sum, vector, &qs[chunk * 4..], |lane, byte| {
                    let low = byte >> (chunk / 8 % 4 * 2) & 3;
                    i32::from(low | (third[lane] >> (chunk / 8) & 1) << 2) - 4
                });
            }
            add_scaled(&mut products, &sum, |row| {
                let low = paired(scales, sub_block % 8, row) >> (sub_block / 8 * 4) & 15;
                let high = paired(&scales[64..], sub_block % 4, row) >> (sub_block / 4 * 2) & 3;
                i32::from(low | high << 4) - 32
            });
        }
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}

/// `y[r] += d[r] * x.scale * sum over 8 sub-blocks s of sc[s][r] * sum(q * x.q)`, then
/// `y[r] -= dmin[r] * x.scale * sum over s of min[s][r] * sum(x.q)`.
struct Q4K;

impl Block for Q4K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1152;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        add_k(sums, block, 128, x, block_idx, |_, _| 0);
    }
}

/// As Q4_K, with a fifth bit of q.
struct Q5K;

impl Block for Q5K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1408;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let fifth = &block[128..384];
        add_k(sums, block, 384, x, block_idx, |chunk, lane| {
            (fifth[chunk % 8 * 32 + lane] >> (chunk / 8) & 1) << 4
        });
    }
}

/// What Q4_K and Q5_K share; `high` gives the bits of q above the nibble by chunk and lane.
fn add_k(
    sums: &mut [f32; GROUP_ROWS],
    block: &[u8],
    nibbles_at: usize,
    x: &Activations,
    block_idx: usize,
    high: impl Fn(usize, usize) -> u8,
) {
    let qs = &x.qs()[block_idx * 256..][..256];
    let sums32 = &x.sums32()[block_idx * 8..][..8];
    let (scales, high_minima) = block[32..128].split_at(64);
    let (mut products, mut minima) = ([0; GROUP_ROWS], [0; GROUP_ROWS]);
    for (sub_block, x_sum) in sums32.iter().enumerate() {
        let mut sum = [0; GROUP_ROWS];
        for chunk in sub_block * 8..sub_block * 8 + 8 {
            let vector = &block[nibbles_at + (chunk / 16 * 8 + chunk % 8) * 32..][..32];
            add_chunk(&mut sum, vector, &qs[chunk * 4..], |lane, byte| {
                i32::from(byte >> (sub_block % 2 * 4) & 15 | high(chunk, lane))
            });
        }
        let scale = |row| paired(scales, sub_block, row);
        add_scaled(&mut products, &sum, |row| i32::from(scale(row) & 63));
        let x_sum = [i32::from(*x_sum); GROUP_ROWS];
        add_scaled(&mut minima, &x_sum, |row| {
            let high = paired(high_minima, sub_block % 4, row) >> (sub_block / 4 * 4) & 15;
            i32::from(scale(row) >> 6 | high << 2)
        });
    }
    add_terms(sums, block, x.scales()[block_idx], &products);
    subtract_terms(sums, &block[16..], x.scales()[block_idx], &minima);
}

/// `y[r] += d[r] * x.scale * sum over 16 sub-blocks s of sc[s][r] * sum((q - 32) * x.q)`.
struct Q6K;

impl Block for Q6K {
    const ELEMENTS: usize = 256;
    const GROUP_BYTES: usize = 1680;

    fn add(sums: &mut [f32; GROUP_ROWS], block: &[u8], x: &Activations, block_idx: usize) {
        let qs = &x.qs()[block_idx * 256..][..256];
        let (scales, rest) = block[16..].split_at(128);
        let (low, high) = rest.split_at(1024);
        let mut products = [0; GROUP_ROWS];
        for sub_block in 0..16 {
            let mut sum = [0; GROUP_ROWS];
            for chunk in sub_block * 4..sub_block * 4 + 4 {
                let low = &low[chunk % 32 * 32..][..32];
                let high = &high[chunk % 16 * 32..][..32];
                add_chunk(&mut sum, low, &qs[chunk * 4..], |lane, byte| {
                    let low = byte >> (chunk / 32 * 4) & 15;
                    i32::from(low | (high[lane] >> (chunk / 16 * 2) & 3) << 4) - 32
                });
            }
            let scales = &scales[sub_block * GROUP_ROWS..][..GROUP_ROWS];
            add_scaled(&mut products, &sum, |row| i32::from(scales[row] as i8));
        }
        add_terms(sums, block, x.scales()[block_idx], &products);
    }
}
