//! A language model: its architecture, and from it the exact tensor list of every quantisation.

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
}

/// A quantisation of a whole model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quant {
    /// Half precision.
    F16,
    /// 8.5 bits per weight.
    Q8_0,
    /// 4.5 bits per weight in blocks of 32.
    Q4_0,
    /// Mixed Q4_K and Q6_K.
    Q4KM,
}

impl Quant {
    /// Every quantisation whose tensor list is known, largest first.
    pub const ALL: [Quant; 4] = [Quant::F16, Quant::Q8_0, Quant::Q4KM, Quant::Q4_0];

    /// Stable id: `f16`, `q8_0`, `q4_k_m`, `q4_0`.
    pub fn id(self) -> &'static str {
        match self {
            Quant::F16 => "f16",
            Quant::Q8_0 => "q8_0",
            Quant::Q4_0 => "q4_0",
            Quant::Q4KM => "q4_k_m",
        }
    }
}

/// Storage format of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TensorFormat {
    /// 4 bytes an element.
    F32,
    /// 2 bytes an element.
    F16,
    /// 34 bytes for 32 elements.
    Q8_0,
    /// 18 bytes for 32 elements.
    Q4_0,
    /// 22 bytes for 32 elements.
    Q5_0,
    /// 144 bytes for 256 elements.
    Q4K,
    /// 176 bytes for 256 elements.
    Q5K,
    /// 210 bytes for 256 elements.
    Q6K,
}

/// One tensor of a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name as in a GGUF file.
    pub name: String,
    /// Role, by the names of `bench_protocol::TensorRole`.
    pub role: bench_protocol::TensorRole,
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
