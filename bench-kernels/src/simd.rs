//! The instruction-set variants of every inner loop, and the only way to reach them.
//!
//! An [`Isa`] is the proof that the CPU runs its variant: it exists only for variants that run-time detection found.
//! All variants of a matrix product are bit-identical by construction: products and sums inside a block are integers,
//! and the floating-point sums are done block by block, row by row, multiply then add, in the same order everywhere.
//! Batched products ([`batch`]) keep the same promise with fused multiply-adds.

#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod batch;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod peak;
#[cfg(target_arch = "x86_64")]
mod rows256;
mod scalar;
mod streams;
mod vectors;

use self::attention::Attention;
use self::batch::Batched;
use self::peak::Peaks;
use self::streams::Streams;
pub use self::streams::{Operation, Shaped};
pub use self::vectors::Q8_0_BLOCK;
use self::vectors::Vectors;
use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::numeric::Activations;

/// Weights of whole groups x quantised activations -> one float per row.
///
/// Arguments: weights, groups, columns, activations, outputs.
type GemvFn = unsafe fn(*const u8, usize, usize, &Activations, *mut f32);

/// The inner loops of one instruction-set variant.
pub struct Isa {
    name: &'static str,
    streams: &'static [&'static Streams],
    /// By how far ahead they ask for the weights, the usual one first; at least one.
    products: &'static [(&'static str, Products)],
    batched: Batched,
    peaks: Peaks,
    attention: Attention,
    vectors: Vectors,
}

/// The matrix products of one variant, format by format.
struct Products {
    f16: GemvFn,
    q4_0: GemvFn,
    q5_0: GemvFn,
    q8_0: GemvFn,
    iq4_nl: GemvFn,
    q2_k: GemvFn,
    q3_k: GemvFn,
    q4_k: GemvFn,
    q5_k: GemvFn,
    q6_k: GemvFn,
}

/// A variant of this architecture that the CPU does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What the CPU lacks.
    pub reason: String,
}

/// Every variant of this architecture, the scalar reference first, better ones later.
///
/// The order on x86_64 is by instructions for 64 bytes of Q4_0 without the activations: 14 with AVX2, 8 with VPDPBUSD;
/// its EVEX encoding also reads and spreads the activations, and 512 bits halve the loads and stores of a stream.
/// Measured from the caches of one Sapphire Rapids core, interleaved, against AVX2: Q4_0 1.24 x with AVX-VNNI, 1.03 x
/// with AVX-512 alone and 1.40 x with AVX-512-VNNI; Q6_K 1.15 x, 1.17 x and 1.41 x; read 1.35 x with 512 bits, triad
/// 0.99 x. Batches of 512 tokens of Q4_0 (512 rows, 1536 columns, one thread, median and range of five interleaved rounds
/// on a shared host): 2.5 x with AVX-VNNI (2.4 to 2.6), 4.5 x with AVX-512-VNNI (4.4 to 4.9), 5.0 x with AMX (4.9 to
/// 5.7).
pub fn variants() -> Vec<(&'static str, Result<&'static Isa, Missing>)> {
    let mut all = vec![(scalar::ISA.name, Ok(&scalar::ISA))];
    #[cfg(target_arch = "x86_64")]
    all.extend([
        (avx2::ISA.name, avx2::detect()),
        (avx2::ISA_VNNI.name, avx2::detect_vnni()),
        (avx512::ISA.name, avx512::detect()),
        (avx512::ISA_VNNI.name, avx512::detect_vnni()),
        (amx::ISA.name, amx::detect()),
    ]);
    #[cfg(target_arch = "aarch64")]
    all.extend(neon::detect_all());
    all
}

/// The best variant the CPU runs.
pub fn best() -> &'static Isa {
    variants()
        .into_iter()
        .rev()
        .find_map(|(_, isa)| isa.ok())
        .unwrap_or(&scalar::ISA)
}

/// The reference.
pub fn scalar() -> &'static Isa {
    &scalar::ISA
}

/// The variant of that name.
///
/// # Errors
/// When this architecture has no such variant or the CPU does not run it; never another variant instead.
pub fn by_name(name: &str) -> Result<&'static Isa, Missing> {
    let all = variants();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    match all.iter().find(|(candidate, _)| *candidate == name) {
        Some((_, isa)) => isa.clone(),
        None => Err(Missing {
            reason: format!(
                "there is no variant `{name}` on {}; there are {}",
                std::env::consts::ARCH,
                names.join(", ")
            ),
        }),
    }
}

impl Isa {
    /// Stable name of the variant.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The shapes of an operation that this CPU runs, the usual one first; none where the variant has no such stores.
    pub fn shapes(&self, operation: Operation) -> Vec<&'static Shaped> {
        let all = self
            .streams
            .iter()
            .flat_map(|streams| streams.of(operation));
        all.filter(|shaped| (shaped.is_there)()).collect()
    }

    /// The shape of an operation that runs where nothing is raced.
    ///
    /// # Panics
    /// When the variant has no such stores.
    pub fn usual(&self, operation: Operation) -> &'static Shaped {
        self.shapes(operation)[0]
    }

    /// How far ahead products may ask for their weights, the usual choice first.
    pub fn product_names(&self) -> impl Iterator<Item = &'static str> {
        self.products.iter().map(|(name, _)| *name)
    }

    /// Matrix times vector over whole groups of rows in the interleaved layout, in the usual shape.
    ///
    /// Shape: `weights` holds `out.len() / 8` groups of 8 rows x `cols` columns in `format`.
    ///
    /// # Panics
    /// When shapes, lengths or the activations' block do not fit the format, or rows are not whole blocks, at least one.
    pub fn gemv(
        &self,
        format: Format,
        weights: &[u8],
        cols: usize,
        x: &Activations,
        out: &mut [f32],
    ) {
        self.gemv_as(0, format, weights, cols, x, out);
    }

    /// The same in the shape of that index in [`Isa::product_names`].
    ///
    /// # Panics
    /// As for [`Isa::gemv`], and when the index is too high.
    pub fn gemv_as(
        &self,
        product_idx: usize,
        format: Format,
        weights: &[u8],
        cols: usize,
        x: &Activations,
        out: &mut [f32],
    ) {
        let products = &self.products[product_idx].1;
        assert_eq!(out.len() % GROUP_ROWS, 0, "rows come in whole groups");
        assert!(
            cols > 0 && cols.is_multiple_of(format.block_elements()),
            "a row is whole blocks"
        );
        assert_eq!(
            Some(weights.len()),
            out.len().checked_mul(format.row_bytes(cols)),
            "weights fill the shape"
        );
        assert_eq!(x.cols(), cols, "one activation per column");
        assert_eq!(
            x.block_elements(),
            format.activation_block(),
            "activations are quantised for this format"
        );
        let gemv = match format {
            Format::F16 => products.f16,
            Format::Q4_0 => products.q4_0,
            Format::Q5_0 => products.q5_0,
            Format::Q8_0 => products.q8_0,
            Format::Iq4Nl => products.iq4_nl,
            Format::Q2K => products.q2_k,
            Format::Q3K => products.q3_k,
            Format::Q4K => products.q4_k,
            Format::Q5K => products.q5_k,
            Format::Q6K => products.q6_k,
        };
        // SAFETY: the token proves the CPU runs this variant; the assertions above tie all lengths together, and those of
        // the activations follow from their columns and blocks.
        unsafe {
            gemv(
                weights.as_ptr(),
                out.len() / GROUP_ROWS,
                cols,
                x,
                out.as_mut_ptr(),
            )
        }
    }
}

/// Bytes of a cache line: stores that bypass the caches are fast in whole lines only, and those of x86_64 fault off
/// the alignment of their vector.
const LINE_BYTES: usize = 64;

/// Words from `at` to the first cache line that begins there or later, at most `n`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn words_before_line(at: *const u64, n: usize) -> usize {
    at.align_offset(LINE_BYTES).min(n)
}

/// Adds eight running sums in the one order that all variants use.
#[inline]
fn sum_lanes(lanes: [f32; 8]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use bench_protocol::KvFormat;

    use super::attention::{KEY_WORDS, N_EXTRA, Piece};
    use super::*;

    /// Whether every variant refuses a call before it reads anything.
    fn is_refused(call: impl Fn(&'static Isa)) -> bool {
        let isas = variants().into_iter().filter_map(|(_, isa)| isa.ok());
        let mut refused = isas.map(|isa| catch_unwind(AssertUnwindSafe(|| call(isa))).is_err());
        refused.all(|is_refused| is_refused)
    }

    #[test]
    fn products_refuse_rows_that_are_not_whole_blocks() {
        for format in Format::ALL {
            let block = format.block_elements();
            let mut activations = Activations::new(2 * block, format.activation_block());
            activations.quantise(&vec![1.0; 2 * block]);
            for cols in [0, block / 2, block + block / 2, 2 * block - 1, 3 * block] {
                let weights = vec![0u8; GROUP_ROWS * format.row_bytes(cols)];
                assert!(
                    is_refused(|isa| {
                        let mut out = vec![0.0; GROUP_ROWS];
                        isa.gemv(format, &weights, cols, &activations, &mut out);
                    }),
                    "{format:?} with {cols} columns"
                );
            }
        }
        // Activations of floats have no block that would refuse them.
        let activations = Activations::new(12, 1);
        let weights = vec![0u8; GROUP_ROWS * Format::F16.row_bytes(12)];
        assert!(is_refused(|isa| {
            let mut out = vec![0.0; GROUP_ROWS];
            isa.gemv(Format::F16, &weights, 12, &activations, &mut out);
        }));
    }

    #[test]
    fn attention_refuses_what_does_not_fit() {
        let attend = |n_positions: usize, n_quantised: usize, n_words: usize| {
            is_refused(|isa| {
                let quantised = Activations::new(n_quantised, 32);
                let (mut scores, mut out) = (vec![0.0; 16], vec![0.0; 32 + N_EXTRA]);
                isa.attend(Piece {
                    format: KvFormat::Q8_0,
                    head_dim: 32,
                    n_positions,
                    queries: &[1.0; 32],
                    quantised: &quantised,
                    keys: &vec![0; n_words],
                    values: &vec![0; n_words],
                    scores: &mut scores,
                    out: &mut out,
                });
            })
        };
        assert!(!attend(1, 32, KEY_WORDS));
        assert!(attend(1, 0, KEY_WORDS));
        assert!(attend(1, 32, 1));
        assert!(attend(0, 32, KEY_WORDS));
        assert!(attend(usize::MAX, 32, KEY_WORDS));
        assert!(attend(usize::MAX / 17 + 1, 32, KEY_WORDS));
    }
}
