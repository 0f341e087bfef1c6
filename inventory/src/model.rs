//! A language model: its architecture, and what follows from it for memory.

mod file;
mod format;
mod tensors;
mod window;

use std::collections::BTreeMap;

use bench_protocol::{DecodeModel, DecodeTensor, TensorRole};

use crate::saturating_sum;

pub use file::{ModelFile, WithoutKernel};
pub use format::{KvFormat, Quant, TensorFormat, UnknownId};
pub use window::SlidingWindow;

/// A model of the catalogue (`models/<id>.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// File name without extension; stable.
    pub id: String,
    /// Name as people know it.
    pub name: String,
    /// Its architecture.
    pub arch: ModelArch,
    /// Where the architecture was published.
    pub source: String,
    /// Tokens of context that it was made for, where its data file tells.
    pub context_length: Option<u64>,
    /// The weights of one real file, where the model was made from one.
    pub file: Option<ModelFile>,
}

/// The shape of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelArch {
    /// Layers.
    pub n_layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Width of the feed-forward network.
    pub ffn: u32,
    /// Query heads.
    pub n_heads: u32,
    /// Key and value heads.
    pub n_kv_heads: u32,
    /// Elements of one head.
    pub head_dim: u32,
    /// Rows of the embedding table.
    pub vocab: u32,
    /// The embedding table is also the output matrix.
    pub tied_embeddings: bool,
    /// Query, key and value projections carry a bias (Qwen 2).
    pub qkv_bias: bool,
    /// Query, key and value are one tensor, and gate and up another (Phi 3).
    pub fused_projections: bool,
    /// A second norm after attention and after the feed-forward network (Gemma 2).
    pub post_norms: bool,
    /// A tensor of rotary frequency factors (Llama 3), elements of it; 0 for none.
    pub rope_freqs: u32,
    /// Some layers look back over the last tokens only; `None` where all look back over everything.
    pub window: Option<SlidingWindow>,
}

/// One tensor of a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name as in a GGUF file.
    pub name: String,
    /// Role, by the names of `bench_protocol::TensorRole`.
    pub role: TensorRole,
    /// Layer it belongs to.
    pub layer: Option<u32>,
    /// Rows (outputs); 1 for vectors.
    pub rows: u64,
    /// Columns (inputs).
    pub cols: u64,
    /// Storage format.
    pub format: TensorFormat,
    /// Whether a decoded token reads all of it (an untied embedding table is read one row at a time).
    pub read_per_token: bool,
}

impl Tensor {
    /// Bytes it occupies in a file and in memory.
    pub fn bytes(&self) -> u64 {
        self.rows.saturating_mul(self.format.row_bytes(self.cols))
    }

    /// Elements it holds.
    pub fn elements(&self) -> u64 {
        self.rows.saturating_mul(self.cols)
    }
}

impl Model {
    /// Every tensor of a file of this quantisation: embedding, layers, output.
    ///
    /// Source: the default rules of llama.cpp, `src/llama-quant.cpp`, without an importance matrix.
    pub fn tensors(&self, quant: Quant) -> Vec<Tensor> {
        tensors::tensors(&self.arch, quant)
    }

    /// Bytes of all tensors. The metadata of a real file adds 1 to 10 MB.
    pub fn file_bytes(&self, quant: Quant) -> u64 {
        let mut bytes = 0;
        tensors::visit(&self.arch, quant, |shape| {
            bytes = shape.bytes().saturating_add(bytes);
        });
        bytes
    }

    /// Bytes of weights a decoded token reads: all tensors less an untied embedding table, of which it reads one row.
    pub fn read_bytes_per_token(&self, quant: Quant) -> u64 {
        saturating_sum(self.read_bytes_by_format(quant).into_values())
    }

    /// The same by the storage format of the tensors.
    pub fn read_bytes_by_format(&self, quant: Quant) -> BTreeMap<TensorFormat, u64> {
        let mut bytes = BTreeMap::new();
        tensors::visit(&self.arch, quant, |shape| {
            if shape.read_per_token {
                let of_format = bytes.entry(shape.format).or_insert(0);
                *of_format = shape.bytes().saturating_add(*of_format);
            }
        });
        bytes
    }

    /// Parameters: elements of all tensors, frequency factors excepted (they are constants).
    pub fn n_params(&self) -> u64 {
        let mut elements = 0;
        tensors::visit(&self.arch, Quant::F16, |shape| {
            if shape.role != TensorRole::RopeFreqs {
                elements = shape
                    .rows
                    .saturating_mul(shape.cols)
                    .saturating_add(elements);
            }
        });
        elements
    }

    /// What the decode kernel needs: the tensors a token reads, in the order it reads them.
    ///
    /// A tied embedding table appears once, as [`TensorRole::Output`] under its own name and in the output's place;
    /// an untied one is left out, since the lookup of one row is no traffic.
    pub fn decode_model(&self, quant: Quant) -> DecodeModel {
        self.decode_model_of(quant.id(), self.tensors(quant))
    }

    /// The same for the weights of its real file; `None` where it was not made from one.
    pub fn decode_model_of_file(&self) -> Option<DecodeModel> {
        let file = self.file.as_ref()?;
        Some(self.decode_model_of(&file.quant, file.tensors.clone()))
    }

    fn decode_model_of(&self, quant: &str, tensors: Vec<Tensor>) -> DecodeModel {
        let (mut tensors, tied): (Vec<Tensor>, Vec<Tensor>) = tensors
            .into_iter()
            .filter(|tensor| tensor.read_per_token)
            .partition(|tensor| tensor.role != TensorRole::TokenEmbedding);
        tensors.extend(tied.into_iter().map(|table| Tensor {
            role: TensorRole::Output,
            ..table
        }));
        DecodeModel {
            model: self.id.clone(),
            quant: quant.to_owned(),
            n_layers: self.arch.n_layers,
            hidden: self.arch.hidden,
            n_heads: self.arch.n_heads,
            n_kv_heads: self.arch.n_kv_heads,
            head_dim: self.arch.head_dim,
            tensors: tensors.into_iter().map(decode_tensor).collect(),
        }
    }
}

fn decode_tensor(tensor: Tensor) -> DecodeTensor {
    DecodeTensor {
        name: tensor.name,
        role: tensor.role,
        layer: tensor.layer,
        rows: tensor.rows,
        cols: tensor.cols,
        format: tensor.format.id().to_owned(),
    }
}
