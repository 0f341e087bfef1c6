//! `models/<id>.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use crate::diagnostic::{Problem, listed, quoted};
use crate::model::{Model, ModelArch, ModelFile, SlidingWindow, Tensor, TensorFormat};

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
    /// Layers that look back over the last tokens only, where there are such (Gemma 2: every second one).
    sliding_window: Option<RawWindow>,
    /// Tokens of context that it was made for (`max_position_embeddings`, or less where its model card says so).
    #[schemars(range(min = 1, max = 1_073_741_824))]
    context_length: Option<u64>,
    /// The weights of one real file, where the model is that of a file.
    file: Option<RawModelFile>,
}

/// A sliding window.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "SlidingWindow")]
struct RawWindow {
    /// Tokens that a layer looks back over (`sliding_window`).
    #[schemars(range(min = 1, max = 1_073_741_824))]
    tokens: u32,
    /// Layers that have the window; left out where it is not known.
    #[schemars(range(min = 1, max = 1024))]
    layers: Option<u32>,
}

/// The weights of one real file: how each tensor of the architecture is stored there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "ModelFile")]
struct RawModelFile {
    /// Name of the file.
    #[schemars(length(min = 1))]
    name: String,
    /// Label of its quantisation, for instance `q4_k_m`.
    #[schemars(length(min = 1))]
    quant: String,
    /// Bytes of small vectors beside the tensors of the architecture.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_073_741_824))]
    other_bytes: u64,
    /// Storage types of ggml by the tensor's name without its layer: one for all layers, or one for each.
    formats: BTreeMap<String, Vec<String>>,
}

/// More letters make no label.
const MAX_LABEL_CHARS: usize = 32;

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
        let window_place = place.key("sliding-window");
        if let Some(n_layers) = self.sliding_window.and_then(|window| window.layers)
            && place.are_usable(&["layers"])
            && n_layers > self.layers
        {
            problems.push(window_place.key("layers").problem(
                format!("{n_layers} of {} layers have the window", self.layers),
                "give the number of layers that look back over the last tokens only",
            ));
        }
        let arch = ModelArch {
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
            window: self.sliding_window.map(|window| SlidingWindow {
                tokens: window.tokens,
                n_layers: window.layers,
            }),
        };
        // The tensors that there should be follow from these.
        let is_arch_known = place.are_usable(&[
            "layers",
            "hidden",
            "ffn",
            "heads",
            "kv-heads",
            "head-dim",
            "vocab",
            "tied-embeddings",
            "qkv-bias",
            "fused-projections",
            "post-norms",
            "rope-freqs",
        ]);
        let file_place = place.key("file");
        let file = self
            .file
            .filter(|_| is_arch_known)
            .map(|file| file.resolve(&arch, &file_place, problems));
        Model {
            id: id.to_owned(),
            name: self.name,
            context_length: self.context_length,
            arch,
            source: self.source,
            file,
        }
    }
}

impl RawModelFile {
    fn resolve(self, arch: &ModelArch, place: &Place, problems: &mut Vec<Problem>) -> ModelFile {
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if place.key("quant").is_usable()
            && (!self.quant.chars().all(is_label) || self.quant.len() > MAX_LABEL_CHARS)
        {
            problems.push(place.key("quant").problem(
                format!("{} is no label", quoted(&self.quant)),
                format!("give up to {MAX_LABEL_CHARS} lower-case letters, digits and `_`"),
            ));
        }
        let formats_place = place.key("formats");
        let n_layers = arch.n_layers as usize;
        let mut known: BTreeMap<&str, Vec<TensorFormat>> = BTreeMap::new();
        for (stem, ids) in &self.formats {
            let stem_place = formats_place.key(stem);
            if !stem_place.is_usable() {
                continue;
            }
            let mut formats = Vec::new();
            for (idx, id) in ids.iter().enumerate() {
                match TensorFormat::from_id(id) {
                    Some(format) => formats.push(format),
                    None => problems.push(stem_place.item(idx).problem(
                        format!("unknown storage type {}", quoted(id)),
                        "give a type of ggml in lower case, for instance `q4_k`",
                    )),
                }
            }
            if ids.len() != 1 && ids.len() != n_layers {
                problems.push(stem_place.problem(
                    format!("{} storage types for {n_layers} layers", ids.len()),
                    "give one for all layers, or one for each",
                ));
            }
            known.insert(stem, formats);
        }
        let mut missing: Vec<String> = Vec::new();
        let mut uneven: Vec<String> = Vec::new();
        let mut used: Vec<String> = Vec::new();
        let tensors = Model::tensors_in(arch, |tensor: &Tensor| {
            let stem = tensor.stem();
            if used.last().is_none_or(|last| last != stem) && !used.iter().any(|it| it == stem) {
                used.push(stem.to_owned());
            }
            let formats = known.get(stem).map(Vec::as_slice).unwrap_or_default();
            let format = match (formats, tensor.layer) {
                ([only], _) => Some(*only),
                (several, Some(layer)) => several.get(layer as usize).copied(),
                (_, None) => None,
            };
            match format {
                Some(format) if !tensor.cols.is_multiple_of(format.block_elements()) => {
                    if !uneven.iter().any(|it| it == stem) {
                        uneven.push(stem.to_owned());
                    }
                    format
                }
                Some(format) => format,
                None => {
                    if !missing.iter().any(|it| it == stem) {
                        missing.push(stem.to_owned());
                    }
                    TensorFormat::F32
                }
            }
        });
        let unusable = |stem: &String| self.formats.contains_key(stem);
        missing.retain(|stem| !unusable(stem));
        if !missing.is_empty() {
            problems.push(Problem::new(
                formats_place.key_span(),
                format!(
                    "no storage type for {}",
                    listed(missing.iter().map(String::as_str))
                ),
                "add them: the architecture has these tensors",
            ));
        }
        for stem in uneven {
            problems.push(formats_place.key(&stem).problem(
                format!("a row of {} is no whole number of blocks", quoted(&stem)),
                "compare the storage type with the file's header",
            ));
        }
        for stem in self.formats.keys().filter(|stem| !used.contains(stem)) {
            problems.push(Problem::new(
                formats_place.key(stem).key_span(),
                format!("the architecture has no tensor {}", quoted(stem)),
                format!(
                    "remove it; tensors here: {}",
                    listed(used.iter().map(String::as_str))
                ),
            ));
        }
        ModelFile {
            name: self.name,
            quant: self.quant,
            tensors,
            other_bytes: self.other_bytes,
        }
    }
}
