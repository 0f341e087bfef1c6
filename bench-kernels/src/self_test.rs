//! The comparison of every variant this CPU runs with the scalar reference, over odd shapes and alignments.
//!
//! The same code serves `cargo test` on the development machine and `bench-kernels self-test` on a board or under an
//! emulator.

mod attention;
mod batch;

use std::io::Write;

use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::numeric::{Activations, noise_f32, split_mix};
use crate::simd::{self, Isa, Q8_0_BLOCK};

/// Compares everything and returns the number of differences; one line per variant goes to `out`.
pub fn run(out: &mut dyn Write) -> usize {
    let mut n_total = 0;
    for (name, isa) in simd::variants() {
        let line = match isa {
            Ok(isa) => {
                let (n_cases, differences) = compare(isa);
                n_total += differences.len();
                let details = differences
                    .iter()
                    .map(|text| format!("\n  {text}"))
                    .collect::<String>();
                format!(
                    "{name}: {n_cases} cases, {} differences{details}",
                    differences.len()
                )
            }
            Err(missing) => format!("{name}: skipped, {}", missing.reason),
        };
        // A closed standard output must not hide the result, which is the exit status.
        let _ = writeln!(out, "{line}");
    }
    n_total
}

fn compare(isa: &Isa) -> (usize, Vec<String>) {
    let mut cases = Cases {
        n_cases: 0,
        differences: Vec::new(),
    };
    streams(isa, &mut cases);
    non_temporal_streams(isa, &mut cases);
    products(isa, &mut cases);
    vectors(isa, &mut cases);
    attention::run(isa, &mut cases);
    batch::run(isa, &mut cases);
    (cases.n_cases, cases.differences)
}

struct Cases {
    n_cases: usize,
    differences: Vec<String>,
}

impl Cases {
    fn expect(&mut self, equal: bool, describe: impl FnOnce() -> String) {
        self.n_cases += 1;
        if !equal {
            self.differences.push(describe());
        }
    }
}

fn streams(isa: &Isa, cases: &mut Cases) {
    let mut state = 3;
    let source: Vec<u64> = (0..600).map(|_| split_mix(&mut state)).collect();
    for start in [0, 1, 3] {
        for n in [0, 1, 7, 15, 16, 31, 32, 33, 64, 100, 511] {
            let words = &source[start..start + n];
            cases.expect(isa.read(words) == simd::scalar().read(words), || {
                format!("read of {n} words from {start}")
            });
            let mut to = vec![0; n + 1];
            isa.copy(&mut to[..n], words);
            cases.expect(to[..n] == *words && to[n] == 0, || {
                format!("copy of {n} words from {start}")
            });
            isa.write(&mut to[..n], 7);
            cases.expect(to[..n].iter().all(|word| *word == 7) && to[n] == 0, || {
                format!("write of {n} words")
            });
            let b: Vec<f64> = words.iter().map(|word| (word % 1000) as f64).collect();
            let c: Vec<f64> = words.iter().map(|word| (word >> 54) as f64).collect();
            let mut a = vec![0.0; n];
            isa.triad(&mut a, &b, &c, 3.0);
            let expected = b.iter().zip(&c).map(|(b, c)| b + 3.0 * c);
            cases.expect(a.iter().copied().eq(expected), || {
                format!("triad of {n} doubles")
            });
            isa.add(&mut a, &b, &c);
            let expected = b.iter().zip(&c).map(|(b, c)| b + c);
            cases.expect(a.iter().copied().eq(expected), || {
                format!("sum of {n} doubles")
            });
            isa.scale(&mut a, &b, 3.0);
            cases.expect(a.iter().copied().eq(b.iter().map(|b| 3.0 * b)), || {
                format!("scale of {n} doubles")
            });
        }
    }
}

/// Stores that bypass the caches, from every word of a cache line: nothing before or after may change.
fn non_temporal_streams(isa: &Isa, cases: &mut Cases) {
    let Some(streams) = isa.non_temporal() else {
        return;
    };
    let mut state = 4;
    let source: Vec<u64> = (0..600).map(|_| split_mix(&mut state)).collect();
    let (b, c): (Vec<f64>, Vec<f64>) = source
        .iter()
        .map(|word| ((word % 1000) as f64, (word >> 54) as f64))
        .unzip();
    for start in 0..9 {
        for n in [0, 1, 7, 8, 31, 32, 33, 64, 100, 511] {
            let mut to = vec![5; n + start + 1];
            streams.write(&mut to[start..start + n], 7);
            let expected = |idx: usize| {
                if (start..start + n).contains(&idx) {
                    7
                } else {
                    5
                }
            };
            cases.expect((0..to.len()).all(|idx| to[idx] == expected(idx)), || {
                format!("non-temporal write of {n} words from {start}")
            });
            streams.copy(&mut to[start..start + n], &source[..n]);
            let is_right = to[start..start + n] == source[..n] && to[start + n] == 5;
            cases.expect(
                is_right && to[..start].iter().all(|word| *word == 5),
                || format!("non-temporal copy of {n} words to {start}"),
            );
            let mut a = vec![5.0; n + start + 1];
            streams.triad(&mut a[start..start + n], &b[..n], &c[..n], 3.0);
            let expected = (0..n).map(|idx| b[idx] + 3.0 * c[idx]);
            let is_right = a[start..start + n].iter().copied().eq(expected) && a[start + n] == 5.0;
            cases.expect(is_right && a[..start].iter().all(|a| *a == 5.0), || {
                format!("non-temporal triad of {n} doubles to {start}")
            });
        }
    }
}

fn products(isa: &Isa, cases: &mut Cases) {
    for format in Format::ALL {
        for n_blocks in [1, 2, 3, 5] {
            for n_groups in [1, 2, 5] {
                for offset in [0, 1, 6] {
                    let cols = n_blocks * format.block_elements();
                    let n_bytes = n_groups * GROUP_ROWS * format.row_bytes(cols);
                    let mut weights = vec![0; n_bytes + offset];
                    format.fill_synthetic(&mut weights[offset..], (n_blocks * 8 + n_groups) as u64);
                    for x in inputs(cols) {
                        let mut activations = Activations::new(cols, format.activation_block());
                        activations.quantise(&x);
                        let mut out = vec![0.0; n_groups * GROUP_ROWS];
                        let mut expected = out.clone();
                        isa.gemv(format, &weights[offset..], cols, &activations, &mut out);
                        simd::scalar().gemv(
                            format,
                            &weights[offset..],
                            cols,
                            &activations,
                            &mut expected,
                        );
                        let equal = out
                            .iter()
                            .zip(&expected)
                            .all(|(a, b)| a.to_bits() == b.to_bits());
                        cases.expect(equal, || {
                            format!(
                                "{} product, {n_groups} groups x {cols} columns at {offset}",
                                format.id()
                            )
                        });
                    }
                }
            }
        }
    }
    extremes(isa, cases);
}

/// Ordinary noise, the largest magnitudes of one sign (where narrow sums would overflow), and zero.
fn inputs(cols: usize) -> [Vec<f32>; 4] {
    let mut state = 5;
    let noise = (0..cols).map(|_| noise_f32(&mut state) * 4.0).collect();
    [noise, vec![1.0; cols], vec![-1.0; cols], vec![0.0; cols]]
}

/// Weights whose every bit is set, against activations of the largest magnitude.
fn extremes(isa: &Isa, cases: &mut Cases) {
    for format in Format::ALL {
        for (fill, x) in [
            (0xff, 1.0),
            (0x7f, 1.0),
            (0xff, -1.0),
            (0x7f, -1.0),
            (0x81, 1.0),
            (0x00, 1.0),
            (0x00, -1.0),
        ] {
            let cols = format.block_elements();
            let mut weights = vec![fill; GROUP_ROWS * format.row_bytes(cols)];
            for half in weights[..format.scale_bytes()].chunks_exact_mut(2) {
                half.copy_from_slice(&[0x00, 0x3c]);
            }
            let mut activations = Activations::new(cols, format.activation_block());
            activations.quantise(&vec![x; cols]);
            let (mut out, mut expected) = ([0.0; GROUP_ROWS], [0.0; GROUP_ROWS]);
            isa.gemv(format, &weights, cols, &activations, &mut out);
            simd::scalar().gemv(format, &weights, cols, &activations, &mut expected);
            cases.expect(out == expected, || {
                format!("{} product of bytes {fill:#x} with {x}", format.id())
            });
        }
    }
}

/// What every token's vectors go through.
fn vectors(isa: &Isa, cases: &mut Cases) {
    let reference = simd::scalar();
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    for n_blocks in [1, 2, 3, 4, 5, 8] {
        let n = n_blocks * Q8_0_BLOCK;
        for x in inputs(n) {
            let mut quantised = Activations::new(n, Q8_0_BLOCK);
            let mut expected = quantised.clone();
            isa.quantise(&mut quantised, &x);
            reference.quantise(&mut expected, &x);
            let is_equal = quantised.qs() == expected.qs()
                && quantised.sums16() == expected.sums16()
                && quantised.sums32() == expected.sums32()
                && same(quantised.scales(), expected.scales());
            cases.expect(is_equal, || format!("quantisation of {n} elements"));
            let weight: Vec<f32> = x.iter().map(|x| 0.5 - x).collect();
            let (mut out, mut expected) = (x.clone(), x.clone());
            isa.rms_norm(&x, &weight, &mut out);
            reference.rms_norm(&x, &weight, &mut expected);
            cases.expect(same(&out, &expected), || format!("norm of {n} elements"));
            isa.silu_times(&mut out, &x, &weight);
            reference.silu_times(&mut expected, &x, &weight);
            cases.expect(same(&out, &expected), || format!("gate of {n} elements"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_equals_the_reference() {
        let mut text = Vec::new();
        assert_eq!(run(&mut text), 0, "{}", String::from_utf8_lossy(&text));
    }

    /// The reference itself, against ggml's definition of the formats in plain floating point.
    #[test]
    fn reference_multiplies_what_the_format_says() {
        for format in Format::ALL {
            let cols = format.block_elements() * 3;
            let mut rows = vec![0; GROUP_ROWS * format.row_bytes(cols)];
            // Synthetic groups have their scales at other places than rows of a file: set them here.
            let mut state = 21;
            rows.iter_mut()
                .for_each(|byte| *byte = split_mix(&mut state) as u8);
            for block in rows.chunks_exact_mut(format.block_bytes()) {
                for at in format.file_scales_at() {
                    block[at + 1] = 0x1c | (block[at + 1] & 0x83);
                }
            }
            let file_rows: Vec<&[u8]> = rows.chunks_exact(format.row_bytes(cols)).collect();
            let group = format.interleave(file_rows.clone().try_into().unwrap());
            assert_eq!(group.len(), rows.len(), "interleaving keeps the bytes");
            let x: Vec<f32> = (0..cols).map(|_| noise_f32(&mut state)).collect();
            let mut activations = Activations::new(cols, format.activation_block());
            activations.quantise(&x);
            let mut out = [0.0; GROUP_ROWS];
            simd::scalar().gemv(format, &group, cols, &activations, &mut out);
            for (row, out) in file_rows.iter().zip(out) {
                let weights = format.dequantise(row);
                let exact = |idx: usize| match activations.floats().get(idx) {
                    Some(float) => f64::from(*float),
                    None => {
                        f64::from(activations.qs()[idx])
                            * f64::from(activations.scales()[idx / activations.block_elements()])
                    }
                };
                let terms: Vec<f64> = weights
                    .iter()
                    .enumerate()
                    .map(|(idx, w)| f64::from(*w) * exact(idx))
                    .collect();
                let expected: f64 = terms.iter().sum();
                let magnitude: f64 = terms.iter().map(|term| term.abs()).sum();
                // Single precision over three blocks: a few units in the last place of the largest partial sum.
                assert!(
                    (f64::from(out) - expected).abs() < 1e-6 * magnitude,
                    "{}: {out} is not {expected}",
                    format.id()
                );
            }
        }
    }
}
