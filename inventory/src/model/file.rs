//! The weights of one real file of a model: its exact tensor list, whatever rules made it.
//!
//! Owns how such a list is written down in a data file. Names and shapes follow from the architecture, so only the
//! storage of each tensor is kept.

use std::collections::BTreeMap;

use bench_protocol::{MATRIX_FORMATS, TensorRole};

use super::format::TensorFormat;
use super::{Model, ModelArch, Tensor, tensors};
use crate::saturating_sum;

/// What the header of a model's file says of its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Name of the file, without its folder.
    pub name: String,
    /// Label of its quantisation: lower-case letters, digits and `_`, for instance `q4_k_m`.
    ///
    /// What the file says of itself. Its tensors need not be those that [`Model::tensors`] computes for it.
    pub quant: String,
    /// Every tensor, in the order of [`Model::tensors`].
    pub tensors: Vec<Tensor>,
    /// Bytes of small vectors that the architecture's list does not have. Each token reads them; the kernels do not.
    pub other_bytes: u64,
}

/// Tensors of one format that the kernels cannot use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutKernel {
    /// The format.
    pub format: TensorFormat,
    /// How many tensors have it.
    pub n_tensors: usize,
    /// The first of them.
    pub first: String,
}

impl ModelFile {
    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        let bytes = self.tensors.iter().map(Tensor::bytes);
        saturating_sum(bytes.chain([self.other_bytes]))
    }

    /// Bytes of weights a decoded token reads, by the rule of [`Model::read_bytes_per_token`].
    pub fn read_bytes_per_token(&self) -> u64 {
        let read = self.tensors.iter().filter(|tensor| tensor.read_per_token);
        saturating_sum(read.map(Tensor::bytes).chain([self.other_bytes]))
    }

    /// Formats of what a token reads that the kernels cannot multiply with; empty where the model can be measured.
    pub fn without_kernel(&self) -> Vec<WithoutKernel> {
        let mut found: BTreeMap<TensorFormat, WithoutKernel> = BTreeMap::new();
        for tensor in self.tensors.iter().filter(|tensor| tensor.read_per_token) {
            let is_plain_vector = tensor.rows == 1 && tensor.format == TensorFormat::F32;
            if is_plain_vector || MATRIX_FORMATS.contains(&tensor.format.id()) {
                continue;
            }
            let entry = found.entry(tensor.format).or_insert_with(|| WithoutKernel {
                format: tensor.format,
                n_tensors: 0,
                first: tensor.name.clone(),
            });
            entry.n_tensors += 1;
        }
        found.into_values().collect()
    }

    /// The `file:` part of a data file of [`crate::FileKind::Model`], which reads back as this.
    pub fn to_yaml(&self) -> String {
        // Every JSON string is one of YAML.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!(
            "file:\n  name: {}\n  quant: {}\n",
            quoted(&self.name),
            quoted(&self.quant)
        );
        if self.other_bytes > 0 {
            text += &format!("  other-bytes: {}\n", self.other_bytes);
        }
        text += "  formats:\n";
        let mut stems: Vec<(&str, Vec<&str>)> = Vec::new();
        for tensor in &self.tensors {
            let stem = tensor.stem();
            match stems.iter_mut().find(|(known, _)| *known == stem) {
                Some((_, formats)) => formats.push(tensor.format.id()),
                None => stems.push((stem, vec![tensor.format.id()])),
            }
        }
        for (stem, mut formats) in stems {
            // One stands for all layers.
            if formats.iter().all(|format| *format == formats[0]) {
                formats.truncate(1);
            }
            text += &format!("    {stem}: [{}]\n", formats.join(", "));
        }
        text
    }
}

impl Tensor {
    /// Its name without the layer, for instance `attn_v.weight`.
    pub fn stem(&self) -> &str {
        let in_layer = self.name.strip_prefix("blk.");
        let stem = in_layer.and_then(|name| name.split_once('.'));
        stem.map_or(self.name.as_str(), |(_, stem)| stem)
    }
}

impl Model {
    /// Every tensor of this architecture with the storage that `format` tells by name, layer and columns.
    pub(crate) fn tensors_in(
        arch: &ModelArch,
        mut format: impl FnMut(&Tensor) -> TensorFormat,
    ) -> Vec<Tensor> {
        let mut list = tensors::tensors(arch, super::Quant::F16);
        for tensor in &mut list {
            tensor.format = format(tensor);
        }
        list
    }

    /// Operations of one decoded token with `depth` tokens in the cache before it; a multiply-add counts two.
    ///
    /// `2 x elements of the matrices it reads + 4 x layers x heads x head_dim x (depth + 1)`: the token attends to itself,
    /// too. Norms, rotations and activations are left out, as in the counting of the decode kernel.
    pub fn ops_per_token(&self, depth: u64) -> u64 {
        let read = |tensor: &&Tensor| tensor.read_per_token;
        let attention = self.attention_ops().saturating_mul(depth.saturating_add(1));
        (self.matrix_elements(read).saturating_mul(2)).saturating_add(attention)
    }

    /// Operations of reading a prompt of `n_tokens` in one batch, up to the logits of its last token; a multiply-add counts
    /// two.
    ///
    /// Every matrix but the output matrix meets all tokens, and each token attends to itself and all before it, as the
    /// prefill kernel counts.
    pub fn ops_of_prompt(&self, n_tokens: u64) -> u64 {
        if n_tokens == 0 {
            return 0;
        }
        let is_output = |tensor: &&Tensor| {
            matches!(tensor.role, TensorRole::Output | TensorRole::TokenEmbedding)
        };
        let output = self.matrix_elements(|tensor| tensor.read_per_token && is_output(tensor));
        let layers = self.matrix_elements(|tensor| tensor.read_per_token && !is_output(tensor));
        let pairs = n_tokens.saturating_mul(n_tokens.saturating_add(1)) / 2;
        let products = layers.saturating_mul(n_tokens).saturating_add(output);
        (products.saturating_mul(2)).saturating_add(self.attention_ops().saturating_mul(pairs))
    }

    /// Operations of one query with the keys and values of one position, over all layers.
    fn attention_ops(&self) -> u64 {
        let arch = &self.arch;
        let of_layer = u64::from(arch.n_heads) * u64::from(arch.head_dim);
        of_layer.saturating_mul(4 * u64::from(arch.n_layers))
    }

    fn matrix_elements(&self, wanted: impl Fn(&&Tensor) -> bool) -> u64 {
        let list = self.tensors(super::Quant::F16);
        let matrices = list.iter().filter(|tensor| tensor.rows > 1);
        saturating_sum(matrices.filter(wanted).map(Tensor::elements))
    }
}
