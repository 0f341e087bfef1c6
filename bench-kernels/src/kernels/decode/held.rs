//! Models whose weights do not fit: some layers are held in memory and stand for all of them.
//!
//! Each layer uses a held one whose matrices have the same shapes and formats, in turn, so that a token reads exactly
//! as many bytes and does as many operations as with the whole model. Because together they exceed the caches, they
//! come from memory every time.

use bench_protocol::DecodeModel;

use super::plan::{Layer, Matrix, Plan};
use crate::facts;
use crate::kernels::NotReady;

/// Held layers together have at least as many times the bytes of the last-level caches: what is read again later must
/// have left them meanwhile.
pub const TIMES_THE_CACHES: u64 = 4;

/// What the board allows; in tests, something else.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Memory that programs can get; `None` where the kernel does not tell.
    pub available_bytes: Option<u64>,
    /// All last-level caches together.
    pub last_level_cache_bytes: u64,
}

impl Limits {
    /// Those of this board.
    pub fn of_this_board() -> Limits {
        Limits {
            available_bytes: facts::available_memory_bytes(),
            last_level_cache_bytes: facts::last_level_cache_bytes(),
        }
    }

    /// As for every unit, a fifth of the memory is left alone.
    fn usable_bytes(&self) -> u64 {
        self.available_bytes.map_or(u64::MAX, |bytes| bytes / 5 * 4)
    }
}

impl Plan {
    /// Keeps as many layers as fit beside the output matrix and a KV cache of `kv_bytes`; their number, if not all do.
    ///
    /// # Errors
    /// Skipped, when so few layers fit that they would stay in the caches, or none does.
    pub fn hold_what_fits(
        &mut self,
        model: &DecodeModel,
        kv_bytes: u64,
        limits: Limits,
    ) -> Result<Option<u32>, NotReady> {
        let needed_bytes = self.weight_bytes + kv_bytes;
        if needed_bytes <= limits.usable_bytes() {
            return Ok(None);
        }
        let layer_bytes: Vec<u64> = self.layers.iter().map(Layer::matrix_bytes).collect();
        let rest_bytes = needed_bytes - layer_bytes.iter().sum::<u64>();
        let room_bytes = limits.usable_bytes().saturating_sub(rest_bytes);
        let least_bytes = TIMES_THE_CACHES * limits.last_level_cache_bytes;
        let bytes_of = |weights_of: &[usize]| -> u64 {
            held(weights_of)
                .map(|layer_idx| layer_bytes[layer_idx])
                .sum()
        };
        let largest = (1..=self.layers.len())
            .rev()
            .map(|n_layers| stand_ins(&self.layers, n_layers))
            .find(|weights_of| bytes_of(weights_of) <= room_bytes);
        match largest {
            Some(weights_of) if bytes_of(&weights_of) >= least_bytes => {
                self.weights_of = weights_of;
                self.lay_out();
                Ok(Some(held(&self.weights_of).count() as u32))
            }
            found => Err(NotReady::Skipped(format!(
                "`{}` needs {:.2} GB of RAM; only four fifths of the {:.2} GB available may be used, and {}",
                model.model,
                needed_bytes as f64 / 1e9,
                limits.available_bytes.unwrap_or(0) as f64 / 1e9,
                match found {
                    Some(weights_of) => format!(
                        "the {} layers that fit ({:.2} GB) could stay in the caches",
                        held(&weights_of).count(),
                        bytes_of(&weights_of) as f64 / 1e9
                    ),
                    None => "no layer fits beside the output matrix and the KV cache".to_string(),
                }
            ))),
        }
    }

    /// Matrices that are held in memory, each once, in the order the step reads them.
    pub fn held_matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = held(&self.weights_of).flat_map(|layer_idx| self.layers[layer_idx].matrices());
        layers.chain([&self.output])
    }

    /// Bytes of the tensors that are held.
    pub fn held_weight_bytes(&self) -> u64 {
        let all: u64 = self.layers.iter().map(Layer::matrix_bytes).sum();
        let kept: u64 = held(&self.weights_of)
            .map(|layer_idx| self.layers[layer_idx].matrix_bytes())
            .sum();
        self.weight_bytes - all + kept
    }

    /// Places the matrices of the held layers one after the other, and lets the others use them.
    fn lay_out(&mut self) {
        self.thread_bytes.fill(0);
        for layer_idx in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(layer_idx);
            let source = before.get(self.weights_of[layer_idx]);
            for (matrix_idx, matrix) in rest[0].matrices_mut().enumerate() {
                match source.and_then(|layer| layer.matrices().nth(matrix_idx)) {
                    Some(source) => {
                        matrix.offsets.clone_from(&source.offsets);
                        matrix.seed = source.seed;
                    }
                    None => matrix.place(&mut self.thread_bytes),
                }
            }
        }
        self.output.place(&mut self.thread_bytes);
    }
}

/// Layers that use weights of their own.
fn held(weights_of: &[usize]) -> impl Iterator<Item = usize> {
    (0..weights_of.len()).filter(|&layer_idx| weights_of[layer_idx] == layer_idx)
}

/// Which layer's weights each layer uses, when about `n_held` layers are held: of every kind of layer the share of
/// that kind, at least one, so that each finds one of its own kind.
fn stand_ins(layers: &[Layer], n_held: usize) -> Vec<usize> {
    let kinds: Vec<_> = layers.iter().map(Layer::kind).collect();
    let mut weights_of = Vec::new();
    for (layer_idx, kind) in kinds.iter().enumerate() {
        let n_of_kind = kinds.iter().filter(|other| *other == kind).count();
        let n_held_of_kind = (n_of_kind * n_held / layers.len()).max(1);
        let same = || (0..kinds.len()).filter(|&other| kinds[other] == *kind);
        let place = same().take_while(|&other| other < layer_idx).count();
        let source = same().nth(place % n_held_of_kind);
        weights_of.push(source.expect("the layer itself is of its kind"));
    }
    weights_of
}

impl Layer {
    /// Shapes and formats of its matrices: layers of one kind can stand for each other.
    fn kind(&self) -> Vec<(&'static str, usize, usize)> {
        self.matrices()
            .map(|matrix| (matrix.format.id(), matrix.rows, matrix.cols))
            .collect()
    }

    fn matrix_bytes(&self) -> u64 {
        self.matrices()
            .map(|matrix| (matrix.rows * matrix.format.row_bytes(matrix.cols)) as u64)
            .sum()
    }
}
