//! Batched products of every format over odd numbers of rows, columns and tokens.

use super::Cases;
use crate::kernels::batch::{Batch, GemmScratch};
use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::numeric::{Activations, noise_f32};
use crate::simd::batch::PANEL_ROWS;
use crate::simd::peak::Arithmetic;
use crate::simd::{self, Isa};

pub fn run(isa: &Isa, cases: &mut Cases) {
    for format in Format::ALL {
        for (n_rows, n_blocks) in [(8, 1), (24, 3), (32, 2), (40, 5), (104, 2)] {
            // 600 columns of blocks of 32 end inside a slice of 512.
            for n_blocks in [n_blocks, n_blocks + 600 / format.block_elements()] {
                products(isa, cases, format, n_rows, n_blocks);
            }
        }
        extremes(isa, cases, format);
    }
    floats(isa, cases);
    peaks(isa, cases);
    elementwise(isa, cases);
}

const TOKENS: [usize; 8] = [1, 2, 3, 7, 8, 9, 13, 33];

fn products(isa: &Isa, cases: &mut Cases, format: Format, n_rows: usize, n_blocks: usize) {
    let cols = n_blocks * format.block_elements();
    let mut weights = vec![0; n_rows * format.row_bytes(cols)];
    format.fill_synthetic(&mut weights, (n_rows * 8 + n_blocks) as u64);
    let mut state = 5;
    let tokens: Vec<Vec<f32>> = (0..33)
        .map(|_| (0..cols).map(|_| noise_f32(&mut state) * 4.0).collect())
        .collect();
    // The reference takes tokens one by one: it is the same for every number of them.
    let expected = product(simd::scalar(), format, &weights, &tokens);
    for n_tokens in TOKENS {
        let out = product(isa, format, &weights, &tokens[..n_tokens]);
        cases.expect(same(&out, &expected[..n_tokens]), || {
            format!("{} {n_rows} x {cols} times {n_tokens} tokens", format.id())
        });
    }
    let mut x = Activations::new(cols, format.activation_block());
    x.quantise(&tokens[0]);
    let mut vector = vec![0.0; n_rows];
    isa.gemv(format, &weights, cols, &x, &mut vector);
    cases.expect(is_close(&vector, &expected[0]), || {
        format!(
            "{} {n_rows} x {cols} against the vector product",
            format.id()
        )
    });
}

/// The same sums in another order and with other roundings: a few units in the last place for every block.
fn is_close(a: &[f32], b: &[f32]) -> bool {
    let largest = b.iter().fold(0.0f32, |largest, b| largest.max(b.abs()));
    a.iter()
        .zip(b)
        .all(|(a, b)| (a - b).abs() <= 1e-5 * largest)
}

fn same(a: &[Vec<f32>], b: &[Vec<f32>]) -> bool {
    let bits =
        |rows: &[Vec<f32>]| -> Vec<u32> { rows.iter().flatten().map(|x| x.to_bits()).collect() };
    bits(a) == bits(b)
}

/// Outputs of every token.
fn product(isa: &Isa, format: Format, weights: &[u8], tokens: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let cols = tokens[0].len();
    let batch = Batch::new(cols, format.activation_block(), tokens.len(), isa);
    for (token, x) in tokens.iter().enumerate() {
        // SAFETY: no other thread knows the batch.
        unsafe { batch.quantise(isa, token, x) };
    }
    // SAFETY: nothing writes the batch any more.
    let view = unsafe { batch.view() };
    let mut desk = GemmScratch::new(batch.n_padded()).expect("a desk is small");
    desk.multiply(isa, format, weights, view, batch.n_padded(), 0);
    let n_rows = weights.len() / format.row_bytes(cols);
    (0..tokens.len())
        .map(|token| desk.out(0, n_rows, token).to_vec())
        .collect()
}

/// Weights whose every bit is set or none, against activations of the largest magnitude.
fn extremes(isa: &Isa, cases: &mut Cases, format: Format) {
    for (fill, x) in [
        (0xff, 1.0),
        (0x7f, 1.0),
        (0xff, -1.0),
        (0x80, -1.0),
        (0x00, 1.0),
        (0x00, 0.0),
    ] {
        let cols = format.block_elements();
        let mut weights = vec![fill; GROUP_ROWS * format.row_bytes(cols)];
        for half in weights[..format.scale_bytes()].chunks_exact_mut(2) {
            half.copy_from_slice(&[0x00, 0x3c]);
        }
        let tokens = vec![vec![x; cols]; 7];
        let out = product(isa, format, &weights, &tokens);
        let expected = product(simd::scalar(), format, &weights, &tokens);
        cases.expect(same(&out, &expected), || {
            format!("{} batch of bytes {fill:#x} with {x}", format.id())
        });
    }
}

fn floats(isa: &Isa, cases: &mut Cases) {
    let mut state = 8;
    let mut noise = |n: usize| -> Vec<f32> { (0..n).map(|_| noise_f32(&mut state)).collect() };
    for n_cols in [1, 8, 40, 255, 256, 257, 600] {
        for n_tiles in [1, 3] {
            let n_tokens = n_tiles * isa.tile_tokens();
            let (x_stride, out_stride) = (n_cols + 3, PANEL_ROWS + 5);
            let (values, x) = (noise(n_cols * PANEL_ROWS), noise(n_tokens * x_stride));
            let mut out = vec![7.0; n_tokens * out_stride];
            let mut expected = out.clone();
            for (isa, out) in [(isa, &mut out), (simd::scalar(), &mut expected)] {
                isa.multiply_floats(&values, n_tokens, &x, x_stride, out, out_stride);
            }
            cases.expect(out == expected, || {
                format!("{n_cols} columns of floats times {n_tokens} tokens")
            });
        }
    }
}

fn peaks(isa: &Isa, cases: &mut Cases) {
    for arithmetic in [Arithmetic::F32, Arithmetic::F16, Arithmetic::Int8] {
        if let Ok(peak) = isa.peak(arithmetic) {
            cases.expect(peak.run() == peak.expected(), || {
                format!("peak of {arithmetic:?} leaves {}", peak.run())
            });
        }
    }
}

fn elementwise(isa: &Isa, cases: &mut Cases) {
    let mut state = 12;
    let mut noise =
        |n: usize| -> Vec<f32> { (0..n).map(|_| noise_f32(&mut state) * 9.0).collect() };
    for n in [1, 8, 15, 40, 64, 333] {
        let (a, b) = (noise(n), noise(n));
        let mut results = [isa, simd::scalar()].map(|isa| {
            let mut weights = a.clone();
            let sum = isa.softmax(&mut weights);
            let mut head = [a.clone(), b.clone()].concat();
            let angles: Vec<(f32, f32)> = a.iter().copied().zip(b.iter().copied()).collect();
            isa.turn(&mut head, &angles, 0.3);
            [weights, vec![sum], head].concat()
        });
        let [out, expected] = &mut results;
        cases.expect(out == expected, || format!("operations on {n} floats"));
    }
}
