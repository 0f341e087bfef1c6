//! What happens to a token between two products: plain loops that the compiler vectorises in every variant that inlines
//! them. Nothing is fused or reordered, so that all variants agree bit by bit.

use super::TokenSlot;
use crate::numeric::weight;

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
            *score = weight(*score - largest);
            *sum += *score;
        }
    }
    let mut sum = sums.iter().sum();
    for score in rest {
        *score = weight(*score - largest);
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
