//! The exact tensor list of a quantised file.
//!
//! Owns the rules by which llama.cpp picks the type of each tensor (`src/llama-quant.cpp`, default options, no
//! importance matrix). Files made with an importance matrix differ slightly and are not modelled.

use bench_protocol::TensorRole;

use super::format::{Quant, TensorFormat};
use super::{ModelArch, Tensor};

/// A tensor without its name: all that its bytes depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) role: TensorRole,
    pub(super) layer: Option<u32>,
    pub(super) rows: u64,
    pub(super) cols: u64,
    pub(super) format: TensorFormat,
    pub(super) read_per_token: bool,
}

impl Shape {
    pub(super) fn bytes(&self) -> u64 {
        self.rows.saturating_mul(self.format.row_bytes(self.cols))
    }
}

pub(super) fn tensors(arch: &ModelArch, quant: Quant) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    visit(arch, quant, |shape| {
        tensors.push(Tensor {
            name: gguf_name(shape.role, shape.layer),
            role: shape.role,
            layer: shape.layer,
            rows: shape.rows,
            cols: shape.cols,
            format: shape.format,
            read_per_token: shape.read_per_token,
        });
    });
    tensors
}

/// Every tensor in the order of the list. Tables ask for the bytes of hundreds of lists, and names are most of the
/// work.
pub(super) fn visit(arch: &ModelArch, quant: Quant, each: impl FnMut(Shape)) {
    let mut list = List { arch, quant, each };
    let hidden = u64::from(arch.hidden);
    list.push(TensorRole::TokenEmbedding, None, arch.vocab.into(), hidden);
    if arch.rope_freqs > 0 {
        list.push(TensorRole::RopeFreqs, None, 1, arch.rope_freqs.into());
    }
    for layer in 0..arch.n_layers {
        list.push_attention(layer);
        list.push_feed_forward(layer);
    }
    list.push(TensorRole::OutputNorm, None, 1, hidden);
    if !arch.tied_embeddings {
        list.push(TensorRole::Output, None, arch.vocab.into(), hidden);
    }
}

struct List<'a, F> {
    arch: &'a ModelArch,
    quant: Quant,
    each: F,
}

impl<F: FnMut(Shape)> List<'_, F> {
    fn push_attention(&mut self, layer: u32) {
        let arch = self.arch;
        let layer = Some(layer);
        let hidden = u64::from(arch.hidden);
        let q_rows = u64::from(arch.n_heads) * u64::from(arch.head_dim);
        let kv_rows = u64::from(arch.n_kv_heads) * u64::from(arch.head_dim);
        self.push(TensorRole::AttnNorm, layer, 1, hidden);
        if arch.fused_projections {
            self.push(TensorRole::AttnQkv, layer, q_rows + 2 * kv_rows, hidden);
        } else {
            self.push(TensorRole::AttnQ, layer, q_rows, hidden);
            self.push(TensorRole::AttnK, layer, kv_rows, hidden);
            self.push(TensorRole::AttnV, layer, kv_rows, hidden);
        }
        if arch.qkv_bias {
            self.push(TensorRole::AttnQBias, layer, 1, q_rows);
            self.push(TensorRole::AttnKBias, layer, 1, kv_rows);
            self.push(TensorRole::AttnVBias, layer, 1, kv_rows);
        }
        self.push(TensorRole::AttnOutput, layer, hidden, q_rows);
        if arch.post_norms {
            self.push(TensorRole::AttnPostNorm, layer, 1, hidden);
        }
    }

    fn push_feed_forward(&mut self, layer: u32) {
        let arch = self.arch;
        let layer = Some(layer);
        let (hidden, ffn) = (u64::from(arch.hidden), u64::from(arch.ffn));
        self.push(TensorRole::FfnNorm, layer, 1, hidden);
        if arch.fused_projections {
            self.push(TensorRole::FfnGateUp, layer, 2 * ffn, hidden);
        } else {
            self.push(TensorRole::FfnGate, layer, ffn, hidden);
            self.push(TensorRole::FfnUp, layer, ffn, hidden);
        }
        self.push(TensorRole::FfnDown, layer, hidden, ffn);
        if arch.post_norms {
            self.push(TensorRole::FfnPostNorm, layer, 1, hidden);
        }
    }

    fn push(&mut self, role: TensorRole, layer: Option<u32>, rows: u64, cols: u64) {
        let is_read = role != TensorRole::TokenEmbedding || self.arch.tied_embeddings;
        let format = self.format(role, layer, rows, cols);
        (self.each)(Shape {
            role,
            layer,
            rows,
            cols,
            format,
            read_per_token: is_read,
        });
    }

    fn format(&self, role: TensorRole, layer: Option<u32>, rows: u64, cols: u64) -> TensorFormat {
        if rows == 1 {
            return TensorFormat::F32;
        }
        let is_output = role == TensorRole::Output
            || (role == TensorRole::TokenEmbedding && self.arch.tied_embeddings);
        let wanted = match self.quant {
            Quant::F16 => TensorFormat::F16,
            Quant::Q8_0 => TensorFormat::Q8_0,
            _ if is_output => TensorFormat::Q6K,
            quant => self.mixed(quant, role, layer),
        };
        fall_back(wanted, cols)
    }

    /// The format of a matrix inside a layer, or of an untied token embedding.
    fn mixed(&self, quant: Quant, role: TensorRole, layer: Option<u32>) -> TensorFormat {
        let n_layers = self.arch.n_layers;
        let more_bits = layer.is_some_and(|layer| has_more_bits(layer, n_layers));
        let among_first = |n| layer.is_some_and(|layer| layer < n);
        let shares_heads = self.arch.n_heads / self.arch.n_kv_heads >= 4;
        let base = match quant {
            Quant::F16 => TensorFormat::F16,
            Quant::Q8_0 => TensorFormat::Q8_0,
            Quant::Q6K => TensorFormat::Q6K,
            Quant::Q5KM => TensorFormat::Q5K,
            Quant::Q4KM | Quant::Q4KS => TensorFormat::Q4K,
            Quant::Q4_0 => TensorFormat::Q4_0,
            Quant::Iq4Nl => TensorFormat::Iq4Nl,
            Quant::Q3KM | Quant::Q3KS => TensorFormat::Q3K,
            Quant::Q2K => TensorFormat::Q2K,
        };
        match (quant, role) {
            (Quant::Q5KM | Quant::Q4KM, TensorRole::AttnV | TensorRole::FfnDown) if more_bits => {
                TensorFormat::Q6K
            }
            (Quant::Q5KM, TensorRole::AttnQkv) => TensorFormat::Q6K,
            (Quant::Q4KM, TensorRole::AttnQkv) => TensorFormat::Q5K,
            (Quant::Q4KS, TensorRole::AttnV) if among_first(4) => TensorFormat::Q5K,
            (Quant::Q4KS | Quant::Iq4Nl, TensorRole::FfnDown) if among_first(n_layers / 8) => {
                TensorFormat::Q5K
            }
            (Quant::Iq4Nl, TensorRole::AttnV) if shares_heads => TensorFormat::Q5K,
            (Quant::Q3KM, TensorRole::AttnV) if among_first(2) => TensorFormat::Q5K,
            (Quant::Q3KM, TensorRole::FfnDown) if among_first(n_layers / 16) => TensorFormat::Q5K,
            (
                Quant::Q3KM,
                TensorRole::AttnV
                | TensorRole::FfnDown
                | TensorRole::AttnOutput
                | TensorRole::AttnQkv,
            ) => TensorFormat::Q4K,
            (Quant::Q2K, TensorRole::AttnV) if shares_heads => TensorFormat::Q4K,
            (Quant::Q2K, TensorRole::AttnV | TensorRole::FfnDown | TensorRole::AttnOutput) => {
                TensorFormat::Q3K
            }
            _ => base,
        }
    }
}

/// The layers whose value and down projections get 6 bits in a Q4_K_M or Q5_K_M file: the first and last eighth, and every third
/// between them. Source: llama.cpp, `use_more_bits`.
fn has_more_bits(layer: u32, n_layers: u32) -> bool {
    let eighth = n_layers / 8;
    layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2
}

/// What llama.cpp takes instead where a row is no whole number of blocks.
fn fall_back(wanted: TensorFormat, cols: u64) -> TensorFormat {
    if cols.is_multiple_of(wanted.block_elements()) {
        return wanted;
    }
    let instead = match wanted {
        TensorFormat::Q2K | TensorFormat::Q3K => TensorFormat::Iq4Nl,
        TensorFormat::Q4K => TensorFormat::Q5_0,
        TensorFormat::Q5K => TensorFormat::Q5_1,
        TensorFormat::Q6K => TensorFormat::Q8_0,
        other => other,
    };
    if cols.is_multiple_of(instead.block_elements()) {
        instead
    } else {
        TensorFormat::F16
    }
}

/// Source: llama.cpp, `gguf-py/gguf/constants.py`.
fn gguf_name(role: TensorRole, layer: Option<u32>) -> String {
    let stem = match role {
        TensorRole::TokenEmbedding => "token_embd.weight",
        TensorRole::AttnNorm => "attn_norm.weight",
        TensorRole::AttnQ => "attn_q.weight",
        TensorRole::AttnK => "attn_k.weight",
        TensorRole::AttnV => "attn_v.weight",
        TensorRole::AttnQkv => "attn_qkv.weight",
        TensorRole::AttnQBias => "attn_q.bias",
        TensorRole::AttnKBias => "attn_k.bias",
        TensorRole::AttnVBias => "attn_v.bias",
        TensorRole::AttnOutput => "attn_output.weight",
        TensorRole::AttnPostNorm => "post_attention_norm.weight",
        TensorRole::FfnNorm => "ffn_norm.weight",
        TensorRole::FfnGate => "ffn_gate.weight",
        // Phi 3 files store the fused matrix under the name of the up projection.
        TensorRole::FfnUp | TensorRole::FfnGateUp => "ffn_up.weight",
        TensorRole::FfnDown => "ffn_down.weight",
        TensorRole::FfnPostNorm => "post_ffw_norm.weight",
        TensorRole::OutputNorm => "output_norm.weight",
        TensorRole::Output => "output.weight",
        TensorRole::RopeFreqs => "rope_freqs.weight",
    };
    match layer {
        Some(layer) => format!("blk.{layer}.{stem}"),
        None => stem.to_owned(),
    }
}
