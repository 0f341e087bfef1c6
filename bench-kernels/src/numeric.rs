//! Numbers the kernels share: half precision, quantised activations, deterministic noise, transcendental functions.
//!
//! The functions that [`crate::simd`] compiles once more for every variant are always inlined.
//!
//! Nothing here calls libm, memcpy or memset: timed regions must run our own code on every board.

use std::hint::black_box;

/// Converts IEEE half precision to single precision; exact.
#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let mantissa = u32::from(bits) & 0x3ff;
    let magnitude = match (exponent, mantissa) {
        (0, 0) => 0,
        (0, _) => {
            // Subnormal: shift the leading one into place.
            let shift = mantissa.leading_zeros() - 21;
            ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
        }
        (0x1f, _) => 0x7f80_0000 | (mantissa << 13),
        _ => ((exponent + 112) << 23) | (mantissa << 13),
    };
    f32::from_bits(sign | magnitude)
}

/// Converts single to half precision, ties to even; values too large become infinite.
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Below the smallest normal half: adding 0.5 lets the FPU round the mantissa where a half's last bit lies.
        let rounded = f32::from_bits(magnitude) + 0.5;
        return sign | (rounded.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = magnitude - (112 << 23) + 0xfff + ((magnitude >> 13) & 1);
    sign | (rounded >> 13) as u16
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): cheap noise that every machine reproduces.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A float in -1..1 from noise.
pub fn noise_f32(state: &mut u64) -> f32 {
    (split_mix(state) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// e^x to about 2 ulp for x in -87..88, clamped outside.
///
/// Range reduction by ln 2 split in two parts (Cody and Waite), then the Taylor polynomial of degree 6 on
/// -0.35..0.35, whose first left-out term is below 2e-7 of the result.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    // Adding 1.5 * 2^23 leaves the nearest integer in the low mantissa bits: rounding without libm, and unlike a
    // conversion with its limits it takes one instruction for a whole vector.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// What a score weighs that lies `x` below the largest: e^x, or nothing below -64.
///
/// So little changes no sum that begins with the 1 of the largest score; but weights of e^-87 make products with values
/// too small for a normal float, and each takes many CPUs a hundred cycles more.
#[inline(always)]
pub fn weight(x: f32) -> f32 {
    let weight = exp(x);
    if x < -64.0 { 0.0 } else { weight }
}

/// x / (1 + e^-x).
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `out[i] = silu(gate[i]) * up[i]`.
#[inline(always)]
pub fn silu_times(out: &mut [f32], gate: &[f32], up: &[f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = silu(*gate) * *up;
    }
}

/// A vector of activations, quantised to 8 bits once per product and shared by all rows.
///
/// Shape: `cols` elements in blocks of `block_elements`, each with one scale; x = scale * q. In blocks of one element
/// they stay floats.
///
/// Invariant: all lengths follow from `cols` and `block_elements`, as [`Activations::new`] makes them. Products read
/// without looking again, so the fields are private and never change their length.
#[derive(Debug, Clone)]
pub struct Activations {
    cols: usize,
    block_elements: usize,
    floats: Vec<f32>,
    qs: Vec<i8>,
    scales: Vec<f32>,
    sums16: Vec<i16>,
    sums32: Vec<i16>,
}

impl Activations {
    /// Room for `cols` elements.
    ///
    /// # Panics
    /// When `cols` is no multiple of the block.
    pub fn new(cols: usize, block_elements: usize) -> Activations {
        assert_eq!(cols % block_elements, 0, "columns must be whole blocks");
        let (n_floats, n_quantised) = if block_elements == 1 {
            (cols, 0)
        } else {
            (0, cols)
        };
        Activations {
            cols,
            block_elements,
            floats: vec![0.0; n_floats],
            qs: vec![0; n_quantised],
            scales: vec![0.0; n_quantised / block_elements],
            sums16: vec![0; n_quantised / 16],
            sums32: vec![0; n_quantised / 32],
        }
    }

    /// Elements.
    #[inline(always)]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements of one block: 1 for weights that are floats, 256 for the K formats, 32 for the others.
    #[inline(always)]
    pub fn block_elements(&self) -> usize {
        self.block_elements
    }

    /// The elements as they are, in blocks of one; empty otherwise, as the other slices are then.
    #[inline(always)]
    pub fn floats(&self) -> &[f32] {
        &self.floats
    }

    /// Quantised elements.
    #[inline(always)]
    pub fn qs(&self) -> &[i8] {
        &self.qs
    }

    /// One scale per block.
    #[inline(always)]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Sum of the quantised elements of every 16: the formats with an offset or minima subtract it from the product.
    ///
    /// In 16 bits, so that two neighbours are multiplied and added in one instruction.
    #[inline(always)]
    pub fn sums16(&self) -> &[i16] {
        &self.sums16
    }

    /// The same of every 32.
    #[inline(always)]
    pub fn sums32(&self) -> &[i16] {
        &self.sums32
    }

    /// Quantises `x`: the largest magnitude of a block becomes 127. In blocks of one, copies it.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline(always)]
    pub fn quantise(&mut self, x: &[f32]) {
        assert_eq!(x.len(), self.cols, "as many elements as the buffer has");
        if self.block_elements == 1 {
            return copy(&mut self.floats, x);
        }
        let blocks = x
            .chunks_exact(self.block_elements)
            .zip(self.qs.chunks_exact_mut(self.block_elements));
        for ((x, qs), scale) in blocks.zip(&mut self.scales) {
            let largest = largest_magnitude(x);
            *scale = largest / 127.0;
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            for (q, x) in qs.iter_mut().zip(x) {
                // Adding 1.5 * 2^23 leaves the nearest integer in the low mantissa bits: rounding without libm.
                let rounded = x * inverse + 12_582_912.0;
                *q = (rounded.to_bits() as i32).wrapping_sub(0x4b40_0000) as i8;
            }
        }
        for (sum, qs) in self.sums16.iter_mut().zip(self.qs.chunks_exact(16)) {
            *sum = qs.iter().map(|&q| i16::from(q)).sum();
        }
        for (sum, halves) in self.sums32.iter_mut().zip(self.sums16.chunks_exact(2)) {
            *sum = halves[0] + halves[1];
        }
    }
}

/// Elements that pass through [`black_box`] at a time: few enough to be moved in registers.
const LANES: usize = 8;

/// Copies `from` to `to`; both are equally long.
///
/// A plain loop would become a call of the C library's memcpy, and we would measure that.
///
/// # Panics
/// When the lengths differ.
#[inline(always)]
pub fn copy(to: &mut [f32], from: &[f32]) {
    assert_eq!(to.len(), from.len(), "both are equally long");
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    let (from, from_rest) = from.as_chunks::<LANES>();
    to.iter_mut()
        .zip(from)
        .for_each(|(to, from)| *to = black_box(*from));
    to_rest
        .iter_mut()
        .zip(from_rest)
        .for_each(|(to, from)| *to = black_box(*from));
}

/// Sets every element to zero, without memset.
pub fn clear(out: &mut [f32]) {
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    chunks
        .iter_mut()
        .for_each(|chunk| *chunk = black_box([0.0; LANES]));
    rest.iter_mut().for_each(|out| *out = black_box(0.0));
}

/// Eight running maxima, so that the compiler can use vectors.
#[inline(always)]
fn largest_magnitude(x: &[f32]) -> f32 {
    let mut largest = [0.0f32; 8];
    for chunk in x.chunks_exact(8) {
        for (largest, x) in largest.iter_mut().zip(chunk) {
            let magnitude = f32::from_bits(x.to_bits() & 0x7fff_ffff);
            *largest = if magnitude > *largest {
                magnitude
            } else {
                *largest
            };
        }
    }
    largest.iter().fold(0.0, |a, &b| if b > a { b } else { a })
}

/// Root-mean-square norm: `out[i] = x[i] * weight[i] / sqrt(mean(x^2) + 1e-6)`.
#[inline(always)]
pub fn rms_norm(x: &[f32], weight: &[f32], out: &mut [f32]) {
    const EPSILON: f32 = 1e-6;
    let mut sums = [0.0f32; 8];
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks.iter().map(|chunk| chunk.as_slice()).chain([rest]) {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    let sum: f32 = sums.iter().sum();
    let scale = 1.0 / (sum / x.len() as f32 + EPSILON).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let value = f16_to_f32(bits);
            if value.is_nan() {
                assert!(f16_to_f32(f32_to_f16(value)).is_nan());
            } else {
                assert_eq!(f32_to_f16(value), bits, "{bits:#06x} is {value}");
            }
        }
        assert_eq!(f16_to_f32(0x3c00), 1.0);
        assert_eq!(f16_to_f32(0x0001), 1.0 / 16_777_216.0);
        assert_eq!(f32_to_f16(1e9), 0x7c00);
        assert_eq!(f32_to_f16(1.0 + 1.0 / 2048.0), 0x3c00, "ties go to even");
    }

    #[test]
    fn copy_and_clear_reach_every_element() {
        for n in [0, 1, 7, 8, 9, 64, 100] {
            let from: Vec<f32> = (0..n).map(|idx| idx as f32 + 1.0).collect();
            let mut to = vec![-1.0; n];
            copy(&mut to, &from);
            assert_eq!(to, from);
            clear(&mut to);
            assert_eq!(to, vec![0.0; n]);
        }
    }

    #[test]
    fn exp_is_close_to_the_library() {
        let mut x = -86.9f32;
        while x < 88.0 {
            let expect = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expect).abs() / expect;
            assert!(error < 1e-6, "exp({x}) is off by {error}");
            x += 0.0137;
        }
        assert_eq!(exp(-1000.0), exp(-87.0));
        assert_eq!(weight(-64.0), exp(-64.0));
        assert_eq!(weight(-64.1), 0.0);
        assert_eq!(weight(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn activations_keep_their_value_within_half_a_step() {
        let mut state = 1;
        let x: Vec<f32> = (0..512).map(|_| noise_f32(&mut state) * 3.0).collect();
        for block_elements in [32, 256] {
            let mut activations = Activations::new(512, block_elements);
            activations.quantise(&x);
            for (idx, x) in x.iter().enumerate() {
                let scale = activations.scales[idx / block_elements];
                let back = scale * f32::from(activations.qs[idx]);
                assert!((back - x).abs() <= 0.5001 * scale, "{x} became {back}");
            }
            assert_eq!(
                activations.sums16[3],
                activations.qs[48..64]
                    .iter()
                    .map(|&q| i16::from(q))
                    .sum::<i16>()
            );
            assert_eq!(
                activations.sums32[1],
                activations.sums16[2] + activations.sums16[3]
            );
        }
    }
}
