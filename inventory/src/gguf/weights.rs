//! A model file as a model with exactly its weights.

use std::collections::BTreeMap;

use super::{GgmlType, GgufModel, compare};
use crate::model::{Model, ModelFile, TensorFormat};
use crate::saturating_sum;

/// More letters make no id that anybody types.
const MAX_ID_CHARS: usize = 64;

/// What `general.file_type` stands for.
///
/// Source: llama.cpp, `include/llama.h`, `llama_ftype`. The numbers that are missing were removed.
const FILE_TYPES: [(u64, &str); 34] = [
    (0, "f32"),
    (1, "f16"),
    (2, "q4_0"),
    (3, "q4_1"),
    (7, "q8_0"),
    (8, "q5_0"),
    (9, "q5_1"),
    (10, "q2_k"),
    (11, "q3_k_s"),
    (12, "q3_k_m"),
    (13, "q3_k_l"),
    (14, "q4_k_s"),
    (15, "q4_k_m"),
    (16, "q5_k_s"),
    (17, "q5_k_m"),
    (18, "q6_k"),
    (19, "iq2_xxs"),
    (20, "iq2_xs"),
    (21, "q2_k_s"),
    (22, "iq3_xs"),
    (23, "iq3_xxs"),
    (24, "iq1_s"),
    (25, "iq4_nl"),
    (26, "iq3_s"),
    (27, "iq3_m"),
    (28, "iq2_s"),
    (29, "iq2_m"),
    (30, "iq4_xs"),
    (31, "iq1_m"),
    (32, "bf16"),
    (36, "tq1_0"),
    (37, "tq2_0"),
    (38, "mxfp4_moe"),
    (39, "nvfp4"),
];

impl GgufModel {
    /// Label of the quantisation: what the file says of itself, else that of the computed list that it equals, else the
    /// type that holds most bytes of its matrices.
    pub fn quant_label(&self) -> &'static str {
        let said = self.file_type.and_then(|number| {
            let mut types = FILE_TYPES.iter();
            types.find(|(known, _)| *known == number)
        });
        if let Some((_, label)) = said {
            return label;
        }
        if let Ok(expressed) = self.express() {
            let nearest = compare(self, &expressed.arch);
            if nearest.differences.is_empty() {
                return nearest.quant.id();
            }
        }
        let mut bytes: BTreeMap<GgmlType, u64> = BTreeMap::new();
        let infos = self.tensors.iter().map(|tensor| &tensor.info);
        for info in infos.filter(|info| info.dims.len() > 1) {
            let sum = bytes.entry(info.ggml_type).or_insert(0);
            *sum = sum.saturating_add(info.n_bytes);
        }
        let most = bytes.into_iter().max_by_key(|(_, n_bytes)| *n_bytes);
        most.map_or("f32", |(ggml_type, _)| ggml_type.id())
    }

    /// Name of its first file, without the folder.
    pub fn file_name(&self) -> String {
        let name = self.parts.first().and_then(|part| part.path.file_name());
        name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// An id made from the name of its file: lower-case letters, digits, `.`, `_` and `-`; `model` where that leaves
    /// nothing.
    pub fn file_id(&self) -> String {
        let name = self.file_name().to_ascii_lowercase();
        let stem = name.strip_suffix(".gguf").unwrap_or(&name);
        let n_parts = format!("-of-{:05}", self.parts.len());
        let stem = match stem.strip_suffix(&n_parts) {
            Some(stem) => stem.rsplit_once('-').map_or(stem, |(stem, _)| stem),
            None => stem,
        };
        let words: Vec<&str> = stem
            .split(|c: char| !c.is_ascii_alphanumeric() && !"._".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let joined = words.join("-");
        let id: String = joined
            .trim_start_matches(|c: char| !c.is_ascii_alphanumeric())
            .chars()
            .take(MAX_ID_CHARS)
            .collect();
        match id.is_empty() {
            true => "model".to_owned(),
            false => id,
        }
    }
}

impl Model {
    /// The model that a file holds, with its exact weights in [`Model::file`].
    ///
    /// Its id comes from the name of the file. Any storage type is accepted: [`ModelFile::without_kernel`] tells which of
    /// them cannot be measured.
    ///
    /// # Errors
    /// Every reason why the catalogue's schema cannot express the architecture.
    pub fn of_gguf(gguf: &GgufModel) -> Result<Model, Vec<String>> {
        let expressed = gguf.express()?;
        let types: BTreeMap<&str, GgmlType> = gguf
            .tensors
            .iter()
            .map(|tensor| (tensor.info.name.as_str(), tensor.info.ggml_type))
            .collect();
        let tensors = Model::tensors_in(&expressed.arch, |tensor| {
            let ggml_type = types.get(tensor.name.as_str());
            TensorFormat::from(*ggml_type.expect("express found every tensor of the list"))
        });
        let id = gguf.file_id();
        Ok(Model {
            context_length: gguf.arch.context,
            name: gguf.name.clone().unwrap_or_else(|| id.clone()),
            id,
            arch: expressed.arch,
            source: format!("GGUF file `{}`", gguf.file_name()),
            file: Some(ModelFile {
                name: gguf.file_name(),
                quant: gguf.quant_label().to_owned(),
                tensors,
                other_bytes: saturating_sum(expressed.unmodelled.iter().map(|(_, bytes)| *bytes)),
            }),
        })
    }
}
