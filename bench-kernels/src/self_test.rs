//! The comparison of every variant this CPU runs with the scalar reference, over odd shapes and alignments.
//!
//! The same code serves `cargo test` on the development machine and `bench-kernels self-test` on a board or under an
//! emulator.

mod attention;
mod batch;

use std::io::Write;

use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::numeric::{Activations, noise_f32, split_mix};
use crate::simd::{self, Isa, Operation, Q8_0_BLOCK};

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

/// Every operation in every shape, from every word of a cache line: nothing before or after may change.
fn streams(isa: &Isa, cases: &mut Cases) {
    const MARK: u64 = 5;
    let mut state = 3;
    let source: Vec<u64> = (0..600).map(|_| split_mix(&mut state)).collect();
    let (b, c): (Vec<f64>, Vec<f64>) = source
        .iter()
        .map(|word| ((word % 1000) as f64, (word >> 54) as f64))
        .unzip();
    for operation in Operation::ALL {
        for shaped in isa.shapes(operation) {
            for start in 0..9 {
                for n in [0, 1, 7, 15, 16, 31, 32, 33, 64, 100, 511] {
                    let what =
                        || format!("{operation:?} {} of {n} words at {start}", shaped.name());
                    let from = &source[start..start + n];
                    let (b, c) = (&b[start..start + n], &c[start..start + n]);
                    let mut words = vec![MARK; start + n + 1];
                    let mut doubles = vec![f64::from_bits(MARK); start + n + 1];
                    let (to, double_to) =
                        (&mut words[start..start + n], &mut doubles[start..start + n]);
                    let expected = |idx: usize| match operation {
                        Operation::Read => MARK,
                        Operation::Write | Operation::WriteNt => 7,
                        Operation::Copy | Operation::CopyNt => from[idx],
                        Operation::Scale => (3.0 * b[idx]).to_bits(),
                        Operation::Add => (b[idx] + c[idx]).to_bits(),
                        Operation::Triad | Operation::TriadNt => (b[idx] + 3.0 * c[idx]).to_bits(),
                    };
                    match operation {
                        Operation::Read => {
                            let sum = from.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
                            cases.expect(shaped.read(from) == sum, what);
                        }
                        Operation::Write | Operation::WriteNt => shaped.write(to, 7),
                        Operation::Copy | Operation::CopyNt => shaped.copy(to, from),
                        Operation::Scale => shaped.scale(double_to, b, 3.0),
                        Operation::Add => shaped.add(double_to, b, c),
                        Operation::Triad | Operation::TriadNt => shaped.triad(double_to, b, c, 3.0),
                    }
                    let of_doubles = doubles.iter().map(|double| double.to_bits());
                    let is_right = |(idx, (word, double)): (usize, (&u64, u64))| match idx {
                        idx if (start..start + n).contains(&idx) => {
                            [*word, double].contains(&expected(idx - start))
                        }
                        _ => *word == MARK && double == MARK,
                    };
                    let is_right = words.iter().zip(of_doubles).enumerate().all(is_right);
                    cases.expect(is_right, what);
                }
            }
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
                        let weights = &weights[offset..];
                        let mut expected = vec![0.0; n_groups * GROUP_ROWS];
                        simd::scalar().gemv(format, weights, cols, &activations, &mut expected);
                        for (idx, ahead) in isa.product_names().enumerate() {
                            let mut out = vec![0.0; n_groups * GROUP_ROWS];
                            isa.gemv_as(idx, format, weights, cols, &activations, &mut out);
                            let mut pairs = out.iter().zip(&expected);
                            let equal = pairs.all(|(a, b)| a.to_bits() == b.to_bits());
                            cases.expect(equal, || {
                                format!(
                                    "{} product `{ahead}`, {n_groups} groups x {cols} columns at {offset}",
                                    format.id()
                                )
                            });
                        }
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
