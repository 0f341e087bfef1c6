//! What a decoded token reads of each tensor, and files of which no token is decoded.
//!
//! Goes by the names that llama.cpp gives tensors. Refuses to guess: a name that it does not know is read whole.

use std::collections::BTreeSet;

use super::{GgufArch, GgufError, GgufHeader, TensorInfo, Value};

/// Tensors of which a token reads a row at most.
const TABLES: [&str; 3] = [
    "per_layer_token_embd.weight",
    "position_embd.weight",
    "token_types.weight",
];

/// What precedes the names of tensors that run before the first token: the encoder of T5, and towers for pictures and
/// sound with what joins them to the model.
const BEFORE: [&str; 6] = ["enc.", "v.", "a.", "mm.", "resampler.", "vision_"];

/// Architectures that generate no text, and what they are.
///
/// Source: `LLM_ARCH_NAMES` in `src/llama-arch.cpp` of llama.cpp, `tools/mtmd` there (`clip`), and ComfyUI-GGUF for
/// models of pictures.
const WITHOUT_TEXT: [(&str, &str); 28] = [
    ("bert", "a model of embeddings"),
    ("modern-bert", "a model of embeddings"),
    ("nomic-bert", "a model of embeddings"),
    ("nomic-bert-moe", "a model of embeddings"),
    ("neo-bert", "a model of embeddings"),
    ("jina-bert-v2", "a model of embeddings"),
    ("jina-bert-v3", "a model of embeddings"),
    ("eurobert", "a model of embeddings"),
    ("gemma-embedding", "a model of embeddings"),
    ("llama-embed", "a model of embeddings"),
    ("t5encoder", "an encoder alone"),
    ("clip", "the tower of a model for pictures or sound"),
    ("wavtokenizer-dec", "a decoder of sound"),
    ("controlvector", "a control vector"),
    ("sd1", "a model of pictures"),
    ("sdxl", "a model of pictures"),
    ("sd3", "a model of pictures"),
    ("flux", "a model of pictures"),
    ("aura", "a model of pictures"),
    ("lumina2", "a model of pictures"),
    ("qwen_image", "a model of pictures"),
    ("hidream", "a model of pictures"),
    ("cosmos", "a model of pictures"),
    ("ltxv", "a model of pictures"),
    ("hyvid", "a model of pictures"),
    ("wan", "a model of pictures"),
    ("pig", "a model of pictures"),
    ("whisper", "a model of speech recognition"),
];

/// Values of `general.type` and what such a file is.
const TYPES: [(&str, &str); 4] = [
    ("adapter", "an adapter (LoRA) for another model"),
    ("mmproj", "the tower of a model for pictures or sound"),
    ("imatrix", "an importance matrix"),
    ("vocab", "a vocabulary alone"),
];

/// What is known of all tensors of a file before each of them is looked at.
pub(super) struct Rules<'a> {
    arch: &'a GgufArch,
    is_tied: bool,
    /// Blocks that a token does not run through: those that predict further tokens.
    not_run: BTreeSet<u64>,
}

impl<'a> Rules<'a> {
    pub(super) fn new<'i>(
        header: &GgufHeader,
        architecture: &str,
        arch: &'a GgufArch,
        infos: impl Iterator<Item = &'i TensorInfo>,
    ) -> Result<Rules<'a>, GgufError> {
        let mut is_tied = true;
        let mut not_run = BTreeSet::new();
        for info in infos {
            is_tied &= info.name != "output.weight";
            if let Some((layer, stem)) = layer_and_stem(&info.name) {
                let is_beyond = arch.n_layers.is_some_and(|n_layers| layer >= n_layers);
                if is_beyond || stem.starts_with("nextn.") {
                    not_run.insert(layer);
                }
            }
        }
        // The last blocks of the count are those that predict further tokens.
        let n_predicting = header.unsigned(&format!("{architecture}.nextn_predict_layers"))?;
        if let (Some(n_predicting), Some(n_layers)) = (n_predicting, arch.n_layers) {
            // No more blocks than tensors can be in a file.
            let first = n_layers.saturating_sub(n_predicting.min(super::MAX_TENSORS));
            not_run.extend(first..n_layers.min(first.saturating_add(super::MAX_TENSORS)));
        }
        Ok(Rules {
            arch,
            is_tied,
            not_run,
        })
    }

    /// Bytes of a tensor that a decoded token reads: all; none of tables that are looked up one row at a time, of what
    /// runs before the first token and of blocks that predict further ones; of experts, those in use.
    pub(super) fn read_bytes(&self, info: &TensorInfo) -> u64 {
        let name = info.name.as_str();
        let is_not_run =
            layer_and_stem(name).is_some_and(|(layer, _)| self.not_run.contains(&layer));
        if is_not_run
            || TABLES.contains(&name)
            || BEFORE.iter().any(|prefix| name.starts_with(prefix))
            || (name == "token_embd.weight" && !self.is_tied)
        {
            return 0;
        }
        // The last dimension of these is the expert; of others each expert is a tensor of its own.
        let in_one = name.contains("_exps.").then(|| info.dims.last().copied());
        let n_experts = match in_one.flatten() {
            Some(n_experts) => Some(n_experts),
            None if is_of_one_expert(name) => self.arch.n_experts,
            None => None,
        };
        match (n_experts.filter(|n| *n > 0), self.arch.n_experts_used) {
            (Some(n_experts), Some(used)) => {
                let bytes = u128::from(info.n_bytes) * u128::from(used.min(n_experts));
                u64::try_from(bytes / u128::from(n_experts)).unwrap_or(info.n_bytes)
            }
            _ => info.n_bytes,
        }
    }
}

/// The layer of `blk.7.attn_q.weight`, and what follows it.
fn layer_and_stem(name: &str) -> Option<(u64, &str)> {
    let (layer, stem) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, stem))
}

/// Whether a tensor is that of one expert: `blk.0.ffn_gate.3.weight`, as mixtures were converted until April 2024.
fn is_of_one_expert(name: &str) -> bool {
    let Some((_, stem)) = layer_and_stem(name) else {
        return false;
    };
    let parts: Vec<&str> = stem.split('.').collect();
    matches!(parts[..], ["ffn_gate" | "ffn_up" | "ffn_down", expert, "weight" | "bias"]
        if expert.parse::<u64>().is_ok())
}

/// Why a file is not a language model that generates one token after another; `None` where it is one.
pub(super) fn not_generating<'i>(
    header: &GgufHeader,
    architecture: &str,
    mut infos: impl Iterator<Item = &'i TensorInfo>,
) -> Option<String> {
    let what = |of: &[(&str, &'static str)], name: &str| {
        let found = of.iter().find(|(known, _)| *known == name);
        found.map(|(_, what)| *what)
    };
    if let Some(kind) = header.text("general.type").filter(|kind| *kind != "model") {
        return Some(match what(&TYPES, kind) {
            Some(what) => format!("the file is {what}"),
            None => "its `general.type` is not `model`".to_owned(),
        });
    }
    if let Some(what) = what(&WITHOUT_TEXT, architecture) {
        return Some(format!("the file is {what} and generates no text"));
    }
    let value = |key: &str| header.metadata.get(&format!("{architecture}.{key}"));
    if value("attention.causal") == Some(&Value::Bool(false)) {
        return Some(
            "its attention is not causal, so it does not generate one token after another"
                .to_owned(),
        );
    }
    if matches!(value("pooling_type"), Some(Value::Integer(kind)) if *kind > 0) {
        return Some("the file is a model of embeddings or ranks and generates no text".to_owned());
    }
    let mut is_empty = true;
    let has_table = infos.any(|info| {
        is_empty = false;
        info.name == "token_embd.weight"
    });
    match (is_empty, has_table) {
        (true, _) => Some("the file holds no tensors: it is a vocabulary alone".to_owned()),
        (false, false) => Some(
            "the file has no tensor `token_embd.weight`: it is a part of a model, or not a language model"
                .to_owned(),
        ),
        (false, true) => None,
    }
}
