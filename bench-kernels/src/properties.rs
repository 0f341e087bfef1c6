//! Properties that hold for any shape, place and value, tried on random ones.
//!
//! The self-test goes through chosen shapes on every board; this looks where nobody thought of looking. A failure
//! prints the smallest case found and its seed.

use proptest::prelude::*;

use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::numeric::{Activations, split_mix};
use crate::simd::{self, Isa, Operation, Q8_0_BLOCK};

/// Cases of each property: a second or two in a debug build, and few where every instruction is interpreted.
const N_CASES: u32 = if cfg!(miri) { 2 } else { 200 };

/// Blocks of a row of a product.
const MOST_BLOCKS: usize = if cfg!(miri) { 1 } else { 4 };

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: N_CASES,
        // Nothing is written beside the sources: the seed is in the message.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Every variant this CPU runs; the reference alone where instructions are interpreted.
fn isas() -> Vec<&'static Isa> {
    let variants = simd::variants().into_iter();
    variants
        .filter_map(|(_, isa)| isa.ok())
        .take(if cfg!(miri) { 1 } else { usize::MAX })
        .collect()
}

/// Activations as layers have them, with the odd outlier and zero.
fn activation() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -4.0f32..4.0,
        1 => -3000.0f32..3000.0,
        1 => Just(0.0),
    ]
}

fn words(n: usize, seed: u64) -> Vec<u64> {
    let mut state = seed;
    (0..n).map(|_| split_mix(&mut state)).collect()
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn products_equal_the_reference(
        format in prop::sample::select(Format::ALL.to_vec()),
        n_blocks in 1usize..=MOST_BLOCKS,
        n_groups in 1usize..5,
        offset in 0usize..64,
        seed: u64,
        x in prop::collection::vec(activation(), MOST_BLOCKS * 256),
    ) {
        let cols = n_blocks * format.block_elements();
        let n_bytes = n_groups * GROUP_ROWS * format.row_bytes(cols);
        let mut weights = vec![0; offset + n_bytes];
        format.fill_synthetic(&mut weights[offset..], seed);
        let mut activations = Activations::new(cols, format.activation_block());
        activations.quantise(&x[..cols]);
        let mut expected = vec![0.0; n_groups * GROUP_ROWS];
        simd::scalar().gemv(format, &weights[offset..], cols, &activations, &mut expected);
        prop_assert!(expected.iter().all(|out| out.is_finite()));
        for isa in isas() {
            for (idx, ahead) in isa.product_names().enumerate() {
                let mut out = vec![f32::NAN; n_groups * GROUP_ROWS];
                isa.gemv_as(idx, format, &weights[offset..], cols, &activations, &mut out);
                prop_assert_eq!(bits(&out), bits(&expected), "{} {}", isa.name(), ahead);
            }
        }
    }

    /// Rows are independent: any chunk of groups gives what the whole matrix gives for it.
    #[test]
    fn products_of_chunks_are_those_of_the_whole(
        format in prop::sample::select(Format::ALL.to_vec()),
        n_groups in 1usize..4,
        first in 0usize..4,
        seed: u64,
    ) {
        let first = first.min(n_groups - 1);
        let cols = 2 * format.block_elements();
        let group_bytes = GROUP_ROWS * format.row_bytes(cols);
        let mut weights = vec![0; n_groups * group_bytes];
        format.fill_synthetic(&mut weights, seed);
        let mut activations = Activations::new(cols, format.activation_block());
        activations.quantise(&vec![0.7; cols]);
        for isa in isas() {
            let mut whole = vec![0.0; n_groups * GROUP_ROWS];
            isa.gemv(format, &weights, cols, &activations, &mut whole);
            let mut chunk = vec![0.0; (n_groups - first) * GROUP_ROWS];
            isa.gemv(format, &weights[first * group_bytes..], cols, &activations, &mut chunk);
            prop_assert_eq!(bits(&chunk), bits(&whole[first * GROUP_ROWS..]));
        }
    }

    #[test]
    fn quantised_vectors_equal_the_reference(
        n_blocks in 1usize..9,
        scale in -2.0f32..2.0,
        x in prop::collection::vec(activation(), 8 * Q8_0_BLOCK),
    ) {
        let x = &x[..n_blocks * Q8_0_BLOCK];
        let mut expected = Activations::new(x.len(), Q8_0_BLOCK);
        expected.quantise(x);
        let reference = simd::scalar();
        for isa in isas() {
            let mut activations = Activations::new(x.len(), Q8_0_BLOCK);
            isa.quantise(&mut activations, x);
            prop_assert_eq!(activations.qs(), expected.qs());
            prop_assert_eq!(bits(activations.scales()), bits(expected.scales()));
            let weight: Vec<f32> = x.iter().map(|x| scale - x).collect();
            let (mut out, mut expected_out) = (x.to_vec(), x.to_vec());
            isa.silu_times(&mut out, x, &weight);
            reference.silu_times(&mut expected_out, x, &weight);
            prop_assert_eq!(bits(&out), bits(&expected_out));
            isa.rms_norm(x, &weight, &mut out);
            reference.rms_norm(x, &weight, &mut expected_out);
            prop_assert_eq!(bits(&out), bits(&expected_out));
        }
    }

    #[test]
    fn streams_do_what_they_say_and_nothing_beside(
        n in 0usize..700,
        start in 0usize..9,
        value: u64,
        seed: u64,
    ) {
        let source = words(n + start, seed);
        let from = &source[start..];
        let sum = from.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
        let b: Vec<f64> = from.iter().map(|word| (word % 1000) as f64).collect();
        let c: Vec<f64> = from.iter().map(|word| (word >> 54) as f64).collect();
        for isa in isas() {
            let mut to = vec![5u64; start + n + 9];
            let mut a = vec![5.0f64; start + n + 9];
            for operation in Operation::ALL {
                for shaped in isa.shapes(operation) {
                    let (words, doubles) = (&mut to[start..start + n], &mut a[start..start + n]);
                    let name = shaped.name();
                    match operation {
                        Operation::Read => prop_assert_eq!(shaped.read(from), sum, "{}", name),
                        Operation::Write | Operation::WriteNt => {
                            shaped.write(words, value);
                            prop_assert!(words.iter().all(|word| *word == value), "{}", name);
                        }
                        Operation::Copy | Operation::CopyNt => {
                            shaped.copy(words, from);
                            prop_assert_eq!(&*words, from, "{}", name);
                        }
                        Operation::Scale => {
                            shaped.scale(doubles, &b, 3.0);
                            let expected = b.iter().map(|b| 3.0 * b);
                            prop_assert!(doubles.iter().copied().eq(expected), "{}", name);
                        }
                        Operation::Add => {
                            shaped.add(doubles, &b, &c);
                            let expected = b.iter().zip(&c).map(|(b, c)| b + c);
                            prop_assert!(doubles.iter().copied().eq(expected), "{}", name);
                        }
                        Operation::Triad | Operation::TriadNt => {
                            shaped.triad(doubles, &b, &c, 3.0);
                            let expected = b.iter().zip(&c).map(|(b, c)| b + 3.0 * c);
                            prop_assert!(doubles.iter().copied().eq(expected), "{}", name);
                        }
                    }
                }
            }
            prop_assert!(to[..start].iter().chain(&to[start + n..]).all(|word| *word == 5));
            prop_assert!(a[..start].iter().chain(&a[start + n..]).all(|double| *double == 5.0));
        }
    }
}
