//! `models/<id>.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use crate::diagnostic::Problem;
use crate::model::{Model, ModelArch};

/// The architecture of a decoder-only transformer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(crate) struct RawModel {
    /// Name as people know it.
    #[schemars(length(min = 1))]
    name: String,
    /// Where the architecture was published: all numbers below come from there.
    #[schemars(length(min = 1))]
    source: String,
    /// Layers (`num_hidden_layers`).
    #[schemars(range(min = 1, max = 1024))]
    layers: u32,
    /// Width of the residual stream (`hidden_size`), elements.
    #[schemars(range(min = 1, max = 262_144))]
    hidden: u32,
    /// Width of the feed-forward network (`intermediate_size`), elements.
    #[schemars(range(min = 1, max = 262_144))]
    ffn: u32,
    /// Query heads (`num_attention_heads`).
    #[schemars(range(min = 1, max = 1024))]
    heads: u32,
    /// Key and value heads (`num_key_value_heads`).
    #[schemars(range(min = 1, max = 1024))]
    kv_heads: u32,
    /// Elements of one head.
    #[schemars(range(min = 1, max = 1024))]
    head_dim: u32,
    /// Rows of the embedding table (`vocab_size`).
    #[schemars(range(min = 1, max = 16_777_216))]
    vocab: u32,
    /// The embedding table is also the output matrix (`tie_word_embeddings`).
    tied_embeddings: bool,
    /// Query, key and value projections carry a bias (Qwen 2).
    #[serde(default)]
    qkv_bias: bool,
    /// Query, key and value are one tensor, and gate and up another (Phi 3).
    #[serde(default)]
    fused_projections: bool,
    /// A second norm after attention and after the feed-forward network (Gemma 2).
    #[serde(default)]
    post_norms: bool,
    /// Elements of the tensor of rotary frequency factors (Llama 3: half of a head); 0 for none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1024))]
    rope_freqs: u32,
}

impl RawModel {
    pub(crate) fn resolve(self, id: &str, place: &Place, problems: &mut Vec<Problem>) -> Model {
        if place.are_usable(&["heads", "kv-heads"])
            && !self.heads.is_multiple_of(self.kv_heads.max(1))
        {
            problems.push(
                place
                    .key("kv-heads")
                    .problem(
                        format!(
                            "{} query heads cannot share {} key and value heads",
                            self.heads, self.kv_heads
                        ),
                        "`heads` is a multiple of `kv-heads`; compare with the model's config.json",
                    )
                    .related(place.key("heads").value_span(), "query heads"),
            );
        }
        Model {
            id: id.to_owned(),
            name: self.name,
            arch: ModelArch {
                n_layers: self.layers,
                hidden: self.hidden,
                ffn: self.ffn,
                n_heads: self.heads,
                n_kv_heads: self.kv_heads,
                head_dim: self.head_dim,
                vocab: self.vocab,
                tied_embeddings: self.tied_embeddings,
                qkv_bias: self.qkv_bias,
                fused_projections: self.fused_projections,
                post_norms: self.post_norms,
                rope_freqs: self.rope_freqs,
            },
            source: self.source,
        }
    }
}
