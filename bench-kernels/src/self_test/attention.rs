//! Attention over one piece of the KV cache, in both formats, for every number of heads that is treated apart.

use bench_protocol::KvFormat;

use super::Cases;
use crate::numeric::{Activations, f32_to_f16, noise_f32, split_mix};
use crate::simd::attention::{BLOCK_POSITIONS, KEY_WORDS, N_EXTRA, Piece};
use crate::simd::{self, Isa, Q8_0_BLOCK};

/// Compares a variant with the reference.
pub fn run(isa: &Isa, cases: &mut Cases) {
    for format in [KvFormat::F16, KvFormat::Q8_0] {
        for head_dim in [32, 64, 96, 128] {
            for n_heads in [1, 2, 3, 4, 5, 6, 7, 8, 12] {
                for n_positions in [1, 16, 17, 50] {
                    let case = Case::new(format, head_dim, n_heads, n_positions);
                    let same = bits(&case.attend(isa)) == bits(&case.attend(simd::scalar()));
                    cases.expect(same, || {
                        format!(
                            "attention of {n_heads} heads of {head_dim} to {n_positions} positions in {format:?}"
                        )
                    });
                }
            }
        }
    }
    // Halves come in 16s, too: the last of them have no pair.
    let case = Case::new(KvFormat::F16, 80, 6, 33);
    let same = bits(&case.attend(isa)) == bits(&case.attend(simd::scalar()));
    cases.expect(same, || "attention of 6 heads of 80".to_string());
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

struct Case {
    format: KvFormat,
    head_dim: usize,
    n_positions: usize,
    queries: Vec<f32>,
    quantised: Activations,
    keys: Vec<u16>,
    values: Vec<u16>,
}

impl Case {
    fn new(format: KvFormat, head_dim: usize, n_heads: usize, n_positions: usize) -> Case {
        let mut state = (head_dim * 64 + n_heads * 8 + n_positions) as u64;
        let queries: Vec<f32> = (0..n_heads * head_dim)
            .map(|_| noise_f32(&mut state))
            .collect();
        let mut quantised = match format {
            KvFormat::F16 => Activations::new(0, Q8_0_BLOCK),
            KvFormat::Q8_0 => Activations::new(queries.len(), Q8_0_BLOCK),
        };
        if format == KvFormat::Q8_0 {
            quantised.quantise(&queries);
        }
        let n_padded = n_positions.next_multiple_of(BLOCK_POSITIONS);
        let mut half = || f32_to_f16(noise_f32(&mut state));
        let (keys, values) = match format {
            KvFormat::F16 => (
                (0..n_padded * head_dim).map(|_| half()).collect(),
                (0..n_positions * head_dim).map(|_| half()).collect(),
            ),
            KvFormat::Q8_0 => {
                let row_words = head_dim / Q8_0_BLOCK * (1 + Q8_0_BLOCK / 2);
                // Bytes of all magnitudes but never -128, as quantising leaves them.
                let mut words = |n: usize| -> Vec<u16> {
                    (0..n)
                        .map(|_| split_mix(&mut state) as u16 | 0x0101)
                        .collect()
                };
                let mut keys = words(n_padded * row_words);
                for part in keys.chunks_exact_mut(KEY_WORDS) {
                    part[..BLOCK_POSITIONS].fill(0x2012);
                }
                let mut values = words(n_positions * row_words);
                for row in values.chunks_exact_mut(row_words) {
                    row[..head_dim / Q8_0_BLOCK].fill(0x2c12);
                }
                (keys, values)
            }
        };
        Case {
            format,
            head_dim,
            n_positions,
            queries,
            quantised,
            keys,
            values,
        }
    }

    fn attend(&self, isa: &Isa) -> Vec<f32> {
        let n_heads = self.queries.len() / self.head_dim;
        let n_padded = self.n_positions.next_multiple_of(BLOCK_POSITIONS);
        // What is there before must not matter.
        let mut scores = vec![f32::NAN; n_heads * n_padded];
        let mut out = vec![f32::NAN; n_heads * (self.head_dim + N_EXTRA)];
        isa.attend(Piece {
            format: self.format,
            head_dim: self.head_dim,
            n_positions: self.n_positions,
            queries: &self.queries,
            quantised: &self.quantised,
            keys: &self.keys,
            values: &self.values,
            scores: &mut scores,
            out: &mut out,
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_are_not_there_touch_nothing() {
        for format in [KvFormat::F16, KvFormat::Q8_0] {
            let mut case = Case::new(format, 64, 3, 21);
            let expected = bits(&case.attend(simd::best()));
            // Lanes 5 and up of the second block: NaN, as scales and as halves.
            let block_words = case.keys.len() / 2;
            match format {
                KvFormat::F16 => {
                    for halves in case.keys[block_words..].chunks_exact_mut(BLOCK_POSITIONS) {
                        halves[5..].fill(0x7e00);
                    }
                }
                KvFormat::Q8_0 => {
                    for part in case.keys[block_words..].chunks_exact_mut(KEY_WORDS) {
                        part[5..BLOCK_POSITIONS].fill(0x7e00);
                    }
                }
            }
            for (name, isa) in simd::variants() {
                let Ok(isa) = isa else { continue };
                assert_eq!(bits(&case.attend(isa)), expected, "{name}, {format:?}");
            }
        }
    }

    /// The reference itself, against plain doubles.
    #[test]
    fn reference_attends() {
        let case = Case::new(KvFormat::F16, 64, 3, 50);
        let out = case.attend(simd::scalar());
        let float = |half: u16| f64::from(crate::numeric::f16_to_f32(half));
        for (query, out) in case.queries.chunks(64).zip(out.chunks(64 + N_EXTRA)) {
            let score = |t: usize| -> f64 {
                let key = |i: usize| case.keys[(t / 16 * 64 + i) * 16 + t % 16];
                (0..64).map(|i| f64::from(query[i]) * float(key(i))).sum()
            };
            let scores: Vec<f64> = (0..50).map(score).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            assert!((f64::from(out[64]) - largest).abs() < 1e-5);
            assert!((f64::from(out[65]) - sum).abs() < 1e-5 * sum);
            for (i, out) in out[..64].iter().enumerate() {
                let value = |t: usize| float(case.values[t * 64 + i]);
                let expected: f64 = (0..50).map(|t| weights[t] * value(t)).sum();
                assert!(
                    (f64::from(*out) - expected).abs() < 1e-5 * sum,
                    "{out} is not {expected}"
                );
            }
        }
    }
}
