//! The numbers of an architecture, and whether the catalogue's schema can express it.

use std::collections::BTreeMap;

use super::{GgufError, GgufHeader, GgufModel, TensorInfo, Value};
use crate::model::{Model, ModelArch, Quant, SlidingWindow, Tensor};
use crate::saturating_sum;

/// Vectors that the catalogue does not model may have this share of a file's tensors, as a divisor: they move no figure.
const MAX_UNMODELLED_SHARE: u64 = 1000;
/// More reasons than anybody reads.
const MAX_REASONS: usize = 8;

/// The numbers of an architecture, as far as a file tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GgufArch {
    /// Layers.
    pub n_layers: Option<u64>,
    /// Width of the residual stream.
    pub hidden: Option<u64>,
    /// Width of the feed-forward network.
    pub ffn: Option<u64>,
    /// Query heads.
    pub n_heads: Option<u64>,
    /// Key and value heads.
    pub n_kv_heads: Option<u64>,
    /// Elements of one head's query and key.
    pub head_dim: Option<u64>,
    /// Elements of one head's value.
    pub value_dim: Option<u64>,
    /// Rows of the embedding table.
    pub vocab: Option<u64>,
    /// Tokens of the context that the model was trained for.
    pub context: Option<u64>,
    /// Experts of a layer.
    pub n_experts: Option<u64>,
    /// Experts that a token uses.
    pub n_experts_used: Option<u64>,
    /// Layers whose attention looks back over the last tokens only.
    pub window: Option<SlidingWindow>,
    /// Keys whose value differs between layers; what they tell is absent above.
    pub varying: Vec<String>,
}

impl GgufArch {
    pub(super) fn new<'a>(
        header: &GgufHeader,
        architecture: &str,
        tensors: impl Iterator<Item = &'a TensorInfo>,
    ) -> Result<GgufArch, GgufError> {
        let mut varying = Vec::new();
        let mut number = |key: &str| -> Result<Option<u64>, GgufError> {
            let key = format!("{architecture}.{key}");
            let Some(Value::Array { integers, .. }) = header.metadata.get(&key) else {
                return header.unsigned(&key);
            };
            // One value for each layer.
            match integers.split_first() {
                Some((first, rest)) if rest.iter().all(|value| value == first) => {
                    Ok(u64::try_from(*first).ok())
                }
                _ => {
                    varying.push(key);
                    Ok(None)
                }
            }
        };
        let hidden = number("embedding_length")?;
        let n_heads = number("attention.head_count")?;
        let n_kv_heads = number("attention.head_count_kv")?;
        let per_head = match (hidden, n_heads) {
            (Some(hidden), Some(heads)) if heads > 0 && hidden.is_multiple_of(heads) => {
                Some(hidden / heads)
            }
            _ => None,
        };
        let mut arch = GgufArch {
            n_layers: number("block_count")?,
            hidden,
            ffn: number("feed_forward_length")?,
            n_heads,
            n_kv_heads,
            head_dim: number("attention.key_length")?.or(per_head),
            value_dim: number("attention.value_length")?.or(per_head),
            vocab: number("vocab_size")?,
            context: number("context_length")?,
            n_experts: number("expert_count")?,
            n_experts_used: number("expert_used_count")?,
            window: None,
            varying: Vec::new(),
        };
        arch.window = window(header, architecture, arch.n_layers)?;
        let kv_key = format!("{architecture}.attention.head_count_kv");
        if arch.n_kv_heads.is_none() && !varying.contains(&kv_key) {
            arch.n_kv_heads = n_heads;
        }
        arch.varying = varying;
        // The table itself knows best: it may be padded beyond the tokens there are.
        let mut tables = tensors.filter(|tensor| tensor.name == "token_embd.weight");
        if let Some([_, vocab]) = tables.next().map(|table| table.dims.as_slice()) {
            arch.vocab = Some(*vocab);
        }
        Ok(arch)
    }
}

/// Architectures whose window is not in the header, or not in old ones, with every how many layers one looks back over
/// everything, and the window where the header tells none.
///
/// Source: `load_arch_hparams` of these architectures in `src/models/` of llama.cpp.
const PERIODS: [(&str, u32, Option<u32>); 9] = [
    ("cohere2", 4, None),
    ("exaone4", 4, None),
    ("gemma2", 2, Some(4096)),
    ("gemma3", 6, None),
    ("gemma3n", 5, None),
    ("gpt-oss", 2, None),
    ("olmo2", 4, None),
    ("plamo3", 8, None),
    ("smallthinker", 4, None),
];

/// Architectures that llama.cpp computes without a window, whatever the header says: it reads no such key of theirs, or
/// has switched it off (Phi 3).
const WITHOUT_WINDOW: [&str; 6] = ["llama", "phi3", "qwen2", "qwen3", "starcoder2", "mistral3"];

/// The sliding window of a file.
fn window(
    header: &GgufHeader,
    architecture: &str,
    n_layers: Option<u64>,
) -> Result<Option<SlidingWindow>, GgufError> {
    if WITHOUT_WINDOW.contains(&architecture) {
        return Ok(None);
    }
    let known = PERIODS.iter().find(|(name, ..)| *name == architecture);
    let key = format!("{architecture}.attention.sliding_window");
    let told = header.unsigned(&key)?.and_then(|it| u32::try_from(it).ok());
    let tokens = told.or(known.and_then(|(_, _, tokens)| *tokens));
    let Some(tokens) = tokens.filter(|tokens| *tokens > 0) else {
        return Ok(None);
    };
    let n_layers = n_layers
        .and_then(|it| u32::try_from(it).ok())
        .unwrap_or_default();
    let of_period = |period| SlidingWindow::layers_of_period(n_layers, period);
    let pattern = header.metadata.get(&format!("{key}_pattern"));
    let n_windowed = match pattern {
        Some(Value::Integer(period)) => u32::try_from(*period).ok().map(of_period),
        // One truth value for each layer.
        Some(Value::Array { integers, .. }) if integers.len() == n_layers as usize => {
            let windowed = integers.iter().filter(|layer| **layer != 0);
            u32::try_from(windowed.count()).ok()
        }
        _ => known.map(|(_, period, _)| of_period(*period)),
    };
    Ok(Some(SlidingWindow {
        tokens,
        n_layers: n_windowed,
    })
    .filter(|window| window.n_layers != Some(0)))
}

/// How well the catalogue's schema describes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expressed {
    /// The architecture.
    pub arch: ModelArch,
    /// Vectors of the file that the schema leaves out, with their bytes.
    pub unmodelled: Vec<(String, u64)>,
}

impl GgufModel {
    /// The architecture in the catalogue's terms: its tensor list has the names and shapes of the file's.
    ///
    /// Small vectors beyond that list are allowed and come along.
    ///
    /// # Errors
    /// Every reason why the catalogue's schema cannot express the file.
    pub fn express(&self) -> Result<Expressed, Vec<String>> {
        if let Some(reason) = &self.not_generating {
            return Err(vec![reason.clone()]);
        }
        let arch = self.model_arch()?;
        let expected = model(arch.clone()).tensors(Quant::F16);
        let expected: BTreeMap<&str, &Tensor> = expected
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        let mut reasons = Vec::new();
        let mut unmodelled = Vec::new();
        let mut n_found = 0;
        for info in self.tensors.iter().map(|tensor| &tensor.info) {
            let (rows, cols) = (info.n_elements / info.dims[0], info.dims[0]);
            match expected.get(info.name.as_str()) {
                Some(tensor) => {
                    n_found += 1;
                    if (rows, cols) != (tensor.rows, tensor.cols) {
                        reasons.push(format!(
                            "tensor `{}` has {rows} x {cols} elements, and by the numbers of the architecture {} x {}",
                            info.name, tensor.rows, tensor.cols
                        ));
                    }
                }
                None if rows == 1 => unmodelled.push((info.name.clone(), info.n_bytes)),
                None => reasons.push(format!(
                    "tensor `{}` of {rows} x {cols} elements has no place in the schema",
                    info.name
                )),
            }
        }
        if n_found < expected.len() {
            let names = self.tensors.iter().map(|tensor| tensor.info.name.as_str());
            let names: std::collections::BTreeSet<&str> = names.collect();
            let missing = expected.keys().filter(|name| !names.contains(*name));
            reasons.extend(missing.map(|name| format!("there is no tensor `{name}`")));
        }
        let unmodelled_bytes: u64 = saturating_sum(unmodelled.iter().map(|(_, n_bytes)| *n_bytes));
        if unmodelled_bytes > self.tensor_bytes() / MAX_UNMODELLED_SHARE {
            reasons.push(format!(
                "{} vectors with {unmodelled_bytes} bytes have no place in the schema, `{}` for instance",
                unmodelled.len(),
                unmodelled[0].0
            ));
        }
        match reasons.is_empty() {
            true => Ok(Expressed { arch, unmodelled }),
            false => Err(shortened(reasons)),
        }
    }

    fn model_arch(&self) -> Result<ModelArch, Vec<String>> {
        let mut reasons: Vec<String> = self
            .arch
            .varying
            .iter()
            .map(|key| format!("`{key}` differs between layers"))
            .collect();
        // The limits of the catalogue's schema; they also bound the tensor list that is made next.
        let mut number = |name: &str, value: Option<u64>, max: u32| match value {
            Some(value) if (1..=u64::from(max)).contains(&value) => value as u32,
            Some(value) => {
                reasons.push(format!("{name}: {value} is not from 1 to {max}"));
                1
            }
            None => {
                reasons.push(format!("the file does not tell the {name}"));
                1
            }
        };
        let arch = &self.arch;
        let info = |name: &str| {
            let mut infos = self.tensors.iter().map(|tensor| &tensor.info);
            infos.find(|info| info.name == name)
        };
        let has = |name: &str| info(name).is_some();
        let rope_freqs = info("rope_freqs.weight").map_or(0, |info| info.n_elements);
        let model_arch = ModelArch {
            n_layers: number("number of layers", arch.n_layers, 1024),
            hidden: number("hidden width", arch.hidden, 262_144),
            ffn: number("feed-forward width", arch.ffn, 262_144),
            n_heads: number("number of heads", arch.n_heads, 1024),
            n_kv_heads: number("number of key and value heads", arch.n_kv_heads, 1024),
            head_dim: number("head dimension", arch.head_dim, 1024),
            vocab: number("vocabulary", arch.vocab, 1 << 24),
            tied_embeddings: !has("output.weight"),
            qkv_bias: has("blk.0.attn_q.bias"),
            fused_projections: has("blk.0.attn_qkv.weight"),
            post_norms: has("blk.0.post_attention_norm.weight"),
            rope_freqs: match rope_freqs {
                0 => 0,
                n => number("rotary frequency factors", Some(n), 1024),
            },
            window: arch.window,
        };
        if arch.value_dim.is_some() && arch.value_dim != arch.head_dim {
            reasons.push("keys and values have heads of different dimensions".to_owned());
        }
        if let Some(n_experts) = arch.n_experts.filter(|n| *n > 0) {
            reasons.push(format!("a layer has {n_experts} experts"));
        }
        if !model_arch.n_heads.is_multiple_of(model_arch.n_kv_heads) {
            reasons.push(format!(
                "{} query heads cannot share {} key and value heads",
                model_arch.n_heads, model_arch.n_kv_heads
            ));
        }
        match reasons.is_empty() {
            true => Ok(model_arch),
            false => Err(reasons),
        }
    }
}

/// A model of this architecture, to ask for its tensors.
pub(super) fn model(arch: ModelArch) -> Model {
    Model {
        id: String::new(),
        name: String::new(),
        arch,
        source: String::new(),
        context_length: None,
        file: None,
    }
}

fn shortened(mut reasons: Vec<String>) -> Vec<String> {
    let n_more = reasons.len().saturating_sub(MAX_REASONS);
    if n_more > 0 {
        reasons.truncate(MAX_REASONS);
        reasons.push(format!("and {n_more} more"));
    }
    reasons
}
