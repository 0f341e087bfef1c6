//! A file's tensor list beside the one that the catalogue's rules compute.

use std::collections::BTreeMap;

use super::arch::model;
use super::{GgmlType, GgufModel};
use crate::model::{ModelArch, Quant, Tensor, TensorFormat};
use crate::saturating_sum;

/// A file beside the computed list that is nearest to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The quantisation whose list is nearest.
    pub quant: Quant,
    /// Bytes of all tensors of that list.
    pub computed_bytes: u64,
    /// Bytes of that list that a token reads.
    pub computed_read_bytes: u64,
    /// Where the formats differ, by tensor name and formats.
    pub differences: Vec<FormatDifference>,
}

/// Tensors of one kind whose format in the file is not the computed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatDifference {
    /// Name without the layer, for instance `attn_v.weight`.
    pub stem: String,
    /// The layers; empty for a tensor that belongs to none.
    pub layers: Vec<u32>,
    /// The format in the file.
    pub in_file: GgmlType,
    /// The format by the catalogue's rules.
    pub computed: TensorFormat,
    /// Bytes of these tensors in the file.
    pub file_bytes: u64,
    /// Bytes of these tensors by the catalogue's rules.
    pub computed_bytes: u64,
}

/// Compares a file with the computed lists of its architecture, as [`GgufModel::express`] found it, in every
/// quantisation, and keeps the nearest: the one with the fewest bytes in tensors of another format.
pub fn compare(file: &GgufModel, arch: &ModelArch) -> Comparison {
    let model = model(arch.clone());
    let lists = Quant::ALL.map(|quant| (quant, model.tensors(quant)));
    let nearest = lists
        .iter()
        .min_by_key(|(_, list)| distance(file, list))
        .expect("there are quantisations");
    let (quant, list) = nearest;
    Comparison {
        quant: *quant,
        computed_bytes: model.file_bytes(*quant),
        computed_read_bytes: model.read_bytes_per_token(*quant),
        differences: differences(file, list),
    }
}

/// Bytes that would have to change. Alike formats count by their difference, so that the right mix wins over the right
/// number of tensors.
fn distance(file: &GgufModel, list: &[Tensor]) -> u64 {
    let differences = differences(file, list);
    let bytes = differences.iter();
    saturating_sum(bytes.map(|it| it.file_bytes.abs_diff(it.computed_bytes).max(1)))
}

fn differences(file: &GgufModel, list: &[Tensor]) -> Vec<FormatDifference> {
    let in_file: BTreeMap<&str, (GgmlType, u64)> = file
        .tensors
        .iter()
        .map(|tensor| &tensor.info)
        .map(|info| (info.name.as_str(), (info.ggml_type, info.n_bytes)))
        .collect();
    let mut found: BTreeMap<(String, GgmlType, TensorFormat), FormatDifference> = BTreeMap::new();
    for tensor in list {
        let Some(&(ggml_type, n_bytes)) = in_file.get(tensor.name.as_str()) else {
            continue;
        };
        if ggml_type.tensor_format() == Some(tensor.format) {
            continue;
        }
        let stem = match tensor.layer {
            Some(layer) => tensor.name.replacen(&format!("blk.{layer}."), "", 1),
            None => tensor.name.clone(),
        };
        let difference = found
            .entry((stem.clone(), ggml_type, tensor.format))
            .or_insert_with(|| FormatDifference {
                stem,
                layers: Vec::new(),
                in_file: ggml_type,
                computed: tensor.format,
                file_bytes: 0,
                computed_bytes: 0,
            });
        difference.layers.extend(tensor.layer);
        difference.file_bytes = difference.file_bytes.saturating_add(n_bytes);
        difference.computed_bytes = difference.computed_bytes.saturating_add(tensor.bytes());
    }
    found.into_values().collect()
}
