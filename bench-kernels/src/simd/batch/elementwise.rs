//! What happens to a token between two products: plain loops that the compiler vectorises in every variant that inlines
//! them. Nothing is fused or reordered, so that all variants agree bit by bit.

use super::TokenSlot;

/// Running values that reductions are split into.
const LANES: usize = 16;

/// See [`crate::numeric::Activations::quantise`], whose rounding this repeats.
#[inline(always)]
pub fn quantise_token(x: &[f32], slot: TokenSlot<'_>) {
    let TokenSlot {
        block_elements,
        tile_tokens: tile,
        place,
        floats,
        qs,
        scales,
        starts,
        sums16,
        sums32,
    } = slot;
    if block_elements == 1 {
        return crate::numeric::copy(floats, x);
    }
    let blocks = x
        .chunks_exact(block_elements)
        .zip(qs.chunks_exact_mut(block_elements));
    for (block_idx, (x, qs)) in blocks.enumerate() {
        let mut largest = [0.0f32; LANES];
        for chunk in x.as_chunks::<LANES>().0 {
            for (largest, x) in largest.iter_mut().zip(chunk) {
                *largest = greater(f32::from_bits(x.to_bits() & 0x7fff_ffff), *largest);
            }
        }
        let largest = largest.iter().fold(0.0, |a, &b| greater(b, a));
        scales[block_idx * tile + place] = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let (x, qs) = (x.as_chunks::<16>().0, qs.as_chunks_mut::<16>().0);
        let mut sum32 = 0;
        for (sub_idx, (x, qs)) in x.iter().zip(qs).enumerate() {
            let mut sum = 0;
            for (q, x) in qs.iter_mut().zip(x) {
                let rounded = x * inverse + 12_582_912.0;
                let value = (rounded.to_bits() as i32).wrapping_sub(0x4b40_0000);
                *q = value as i8;
                sum += value;
            }
            sum32 += sum;
            let at16 = (block_idx * block_elements / 16 + sub_idx) * tile + place;
            let at32 = (block_idx * block_elements / 32 + sub_idx / 2) * tile + place;
            if block_elements == 256 {
                starts[at16] = -128 * sum;
                sums16[at16] = sum as f32;
            }
            if sub_idx % 2 == 1 {
                match block_elements {
                    256 => sums32[at32] = sum32 as f32,
                    _ => starts[at32] = -128 * sum32,
                }
                sum32 = 0;
            }
        }
    }
}

#[inline(always)]
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `out[i] = x[i] * weight[i] / sqrt(mean(x^2) + 1e-6)`.
#[inline(always)]
pub fn rms_norm(x: &[f32], weight: &[f32], out: &mut [f32]) {
    const EPSILON: f32 = 1e-6;
    let mut sums = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    let sum = sums.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>();
    let scale = 1.0 / (sum / x.len() as f32 + EPSILON).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// `out[i] = gate[i] / (1 + e^-gate[i]) * up[i]`.
#[inline(always)]
pub fn silu_product(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + exp(-gate)) * up;
    }
}

/// Replaces scores by e^(score - largest) and returns their sum.
#[inline(always)]
pub fn softmax(scores: &mut [f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (largest, score) in largest.iter_mut().zip(chunk) {
            *largest = greater(*score, *largest);
        }
    }
    let largest = largest
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| greater(b, a));
    let mut sums = [0.0f32; LANES];
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *score = exp(*score - largest);
            *sum += *score;
        }
    }
    let mut sum = sums.iter().sum();
    for score in rest {
        *score = exp(*score - largest);
        sum += *score;
    }
    sum
}

/// Turns pair i, elements i and n/2 + i of a head, by angle i given as cosine and sine, and multiplies by `scale`.
#[inline(always)]
pub fn turn(head: &mut [f32], angles: &[(f32, f32)], scale: f32) {
    let (first, second) = head.split_at_mut(angles.len());
    for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(angles) {
        (*a, *b) = ((*a * cos - *b * sin) * scale, (*a * sin + *b * cos) * scale);
    }
}

/// [`crate::numeric::exp`] in a form without conversions that saturate, which have no vector instruction: the nearest
/// integer is left in the low mantissa bits by adding 1.5 * 2^23.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const ROUND: f32 = 12_582_912.0;
    let x = greater(x, -87.0);
    let x = if x < 88.0 { x } else { 88.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32 + 127;
    p * f32::from_bits((exponent as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
