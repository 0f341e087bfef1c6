//! Batched products as plain loops: the definition that every variant has to equal bit by bit.

use crate::simd::batch::{
    self, Batched, FloatProduct, Kind, PANEL_ROWS, Product, TokenSlot, Unpacked,
};

pub const BATCHED: Batched = Batched {
    tile_tokens: 1,
    unpack,
    multiply,
    multiply_floats,
    quantise_token,
    softmax: batch::softmax,
    turn: batch::turn,
};

/// # Safety
/// - None beyond the types: the lengths are checked.
unsafe fn unpack(
    format: crate::kernels::weights::Format,
    blocks: &[u8],
    place: usize,
    to: Unpacked<'_>,
) {
    batch::unpack::<false>(format, blocks, place, to);
}

/// # Safety
/// - None beyond the types: the lengths are checked.
unsafe fn quantise_token(x: &[f32], slot: TokenSlot<'_>) {
    batch::quantise_token(x, slot);
}

/// # Safety
/// - The pointers of `product` lead to what its type describes, for one token a tile.
unsafe fn multiply(kind: Kind, product: &Product) {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::Float => unreachable!("floats have their own product"),
            Kind::Signed32 => multiply_bytes::<32, 1, false>(product),
            Kind::Signed16 => multiply_bytes::<16, 16, false>(product),
            Kind::Minima16 => multiply_bytes::<16, 16, true>(product),
            Kind::Minima32 => multiply_bytes::<32, 8, true>(product),
        }
    }
}

/// Pseudo-code, for every token t and row r: for every activation block b, `part = 0`; for its sub-blocks s,
/// `part = fma(sum of w * x, scale[s][r], part)` and `part = fma(-minimum[s][r], sum of x, part)`; then
/// `out[t][r] = fma(part, x_scale[b][t], out[t][r])`.
///
/// # Safety
/// - As for [`multiply`].
unsafe fn multiply_bytes<const SUB: usize, const N_SUBS: usize, const MINIMA: bool>(p: &Product) {
    for token in 0..p.n_tiles {
        for row in 0..PANEL_ROWS {
            // SAFETY: the caller's promise.
            unsafe {
                let out = p.out.add(token * p.out_stride + row);
                let mut total = if p.is_first { 0.0 } else { *out };
                for block in 0..p.n_blocks {
                    let mut part = 0.0f32;
                    for sub in block * N_SUBS..(block + 1) * N_SUBS {
                        let mut sum = 0i32;
                        for col in sub * SUB..(sub + 1) * SUB {
                            let at = (col / 4 * PANEL_ROWS + row) * 4 + col % 4;
                            let w = *p.values.add(at) as i8;
                            sum += i32::from(w) * i32::from(*p.x.add(token * p.x_stride + col));
                        }
                        let scale = *p.scales.add(sub * PANEL_ROWS + row);
                        part = fused(sum as f32, scale, part);
                        if MINIMA {
                            let x_sum = *p.x_sums.add(token * p.x_sums_stride + sub);
                            part = fused(-*p.minima.add(sub * PANEL_ROWS + row), x_sum, part);
                        }
                    }
                    let x_scale = *p.x_scales.add(token * p.x_scales_stride + block);
                    total = fused(part, x_scale, total);
                }
                *out = total;
            }
        }
    }
}

/// # Safety
/// - The pointers of `p` lead to what its type describes, for one token a tile.
unsafe fn multiply_floats(p: &FloatProduct) {
    for token in 0..p.n_tiles {
        for row in 0..PANEL_ROWS {
            // SAFETY: the caller's promise.
            unsafe {
                let out = p.out.add(token * p.out_stride + row);
                let mut total = if p.is_first { 0.0 } else { *out };
                for col in 0..p.n_cols {
                    let x = *p.x.add(token * p.x_stride + col);
                    total = fused(*p.values.add(col * PANEL_ROWS + row), x, total);
                }
                *out = total;
            }
        }
    }
}

/// `a * b + c`, rounded once.
///
/// Where the target has no such instruction `mul_add` calls the C library, so there the sum is made in double
/// precision, rounded to odd, which makes the second rounding right (Boldo and Melquiond, "Emulation of FMA and
/// correctly rounded sums", IEEE Transactions on Computers 57(4), 2008). The product of two floats is exact in double
/// precision.
pub fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        return a.mul_add(b, c);
    }
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let c_part = sum - product;
    let error = (product - (sum - c_part)) + (c - c_part);
    let bits = sum.to_bits();
    if error == 0.0 || bits & 1 == 1 {
        return sum as f32;
    }
    let grows = (error > 0.0) == (sum > 0.0);
    f64::from_bits(if grows { bits + 1 } else { bits - 1 }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::split_mix;

    #[test]
    fn fused_rounds_once() {
        let mut state = 17;
        for _ in 0..200_000 {
            let mut float = || {
                let bits = split_mix(&mut state) as u32;
                // Exponents close together, so that products and sums meet in the last bits.
                f32::from_bits(bits & 0x807f_ffff | (118 + (bits >> 23 & 15)) << 23)
            };
            let (a, b, c) = (float(), float(), float());
            assert_eq!(
                fused(a, b, c).to_bits(),
                a.mul_add(b, c).to_bits(),
                "{a} * {b} + {c}"
            );
            let c = -(a * b);
            assert_eq!(fused(a, b, c), a.mul_add(b, c), "{a} * {b} + {c}");
        }
    }
}
