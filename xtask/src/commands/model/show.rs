//! What a GGUF file says of itself, beside the catalogue.

use std::collections::BTreeMap;
use std::path::Path;

use bench_inventory::gguf::{Comparison, Expressed, GgmlType, GgufModel, GgufTensor, compare};
use bench_inventory::{KvFormat, Model};
use bench_locales::Figure::{DecimalBytes, Parameters, Percent};
use bench_locales::message;
use comfy_table::Table;
use serde_json::json;

use super::{open, printable, same_arch};
use crate::out::{self, text};
use crate::{Format, Global, exit};

/// Prints the file's model.
///
/// # Errors
/// When the file cannot be read as GGUF or the inventory does not load.
pub fn show(global: &Global, file: &Path) -> anyhow::Result<u8> {
    let gguf = open(file)?;
    let inventory = super::super::load_inventory(global)?;
    let catalogue = gguf.express().map(|expressed| Catalogue {
        same: same_arch(&inventory, &expressed.arch),
        comparison: compare(&gguf, &expressed.arch),
        kv_bytes: kv_bytes(&expressed),
        expressed,
    });
    match global.format {
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(&document(&gguf, &catalogue))?
        ),
        Format::Text => print_text(&gguf, &catalogue),
    }
    Ok(exit::OK)
}

/// The file in the catalogue's terms.
struct Catalogue<'a> {
    /// Models of the catalogue with the same numbers.
    same: Vec<&'a str>,
    expressed: Expressed,
    comparison: Comparison,
    /// Of one token in f16.
    kv_bytes: u64,
}

impl Catalogue<'_> {
    fn unmodelled_bytes(&self) -> u64 {
        self.expressed.unmodelled.iter().map(|it| it.1).sum()
    }
}

fn kv_bytes(expressed: &Expressed) -> u64 {
    let model = Model {
        context_length: None,
        file: None,
        id: String::new(),
        name: String::new(),
        arch: expressed.arch.clone(),
        source: String::new(),
    };
    model.kv_bytes_per_token(KvFormat::F16)
}

/// `None` of a file that generates nothing.
fn read_bytes_per_token(gguf: &GgufModel) -> Option<u64> {
    let is_generating = gguf.not_generating.is_none();
    is_generating.then(|| gguf.read_bytes_per_token())
}

fn document(gguf: &GgufModel, catalogue: &Result<Catalogue<'_>, Vec<String>>) -> serde_json::Value {
    let parts = gguf.parts.iter().map(|part| {
        json!({
            "path": part.path.to_string_lossy(),
            "bytes": part.file_bytes,
            "header_bytes": part.header_bytes,
        })
    });
    let mix = gguf.mix().into_iter().map(
        |(ggml_type, (tensors, bytes))| json!({"format": ggml_type.id(), "tensors": tensors, "bytes": bytes}),
    );
    let tensors = gguf.tensors.iter().map(|tensor| {
        json!({
            "name": tensor.info.name,
            "dims": tensor.info.dims,
            "format": tensor.info.ggml_type.id(),
            "bytes": tensor.info.n_bytes,
            "read_bytes_per_token": gguf.not_generating.is_none().then_some(tensor.read_bytes),
            "part": tensor.part_idx + 1,
        })
    });
    let arch = &gguf.arch;
    json!({
        "parts": parts.collect::<Vec<_>>(),
        "version": gguf.version,
        "name": gguf.name,
        "architecture": gguf.architecture,
        "layers": arch.n_layers,
        "hidden": arch.hidden,
        "ffn": arch.ffn,
        "heads": arch.n_heads,
        "kv_heads": arch.n_kv_heads,
        "head_dim": arch.head_dim,
        "vocab": arch.vocab,
        "context": arch.context,
        "experts": arch.n_experts,
        "experts_used": arch.n_experts_used,
        "varying": arch.varying,
        "parameters": gguf.n_params(),
        "file_bytes": gguf.file_bytes(),
        "tensor_bytes": gguf.tensor_bytes(),
        "read_bytes_per_token": read_bytes_per_token(gguf),
        "not_generating_because": gguf.not_generating,
        "mix": mix.collect::<Vec<_>>(),
        "tensors": tensors.collect::<Vec<_>>(),
        "catalogue": catalogue.as_ref().ok().map(catalogue_document),
        "not_in_catalogue_because": catalogue.as_ref().err(),
    })
}

fn catalogue_document(catalogue: &Catalogue<'_>) -> serde_json::Value {
    let comparison = &catalogue.comparison;
    let differences = comparison.differences.iter().map(|it| {
        json!({
            "tensor": it.stem,
            "layers": it.layers,
            "format": it.in_file.id(),
            "computed_format": it.computed.id(),
            "bytes": it.file_bytes,
            "computed_bytes": it.computed_bytes,
        })
    });
    let unmodelled = catalogue.expressed.unmodelled.iter();
    let unmodelled = unmodelled.map(|(name, bytes)| json!({"name": name, "bytes": bytes}));
    json!({
        "models": catalogue.same,
        "quant": comparison.quant.id(),
        "computed_tensor_bytes": comparison.computed_bytes,
        "computed_read_bytes_per_token": comparison.computed_read_bytes,
        "kv_bytes_per_token_f16": catalogue.kv_bytes,
        "differences": differences.collect::<Vec<_>>(),
        "unmodelled": unmodelled.collect::<Vec<_>>(),
    })
}

fn print_text(gguf: &GgufModel, catalogue: &Result<Catalogue<'_>, Vec<String>>) {
    println!("{}", summary(gguf, catalogue.as_ref().ok()));
    let total = gguf.tensor_bytes().max(1);
    let mut formats = out::table(&[
        said!("model-format"),
        said!("model-tensors"),
        said!("model-column-bytes"),
        said!("bounds-share"),
    ]);
    for (ggml_type, (tensors, bytes)) in gguf.mix() {
        formats.add_row([
            ggml_type.id().to_owned(),
            out::integer(tensors),
            out::integer(bytes),
            text().figure(Percent(bytes as f64 / total as f64)),
        ]);
    }
    println!("{formats}");
    println!("{}", kinds(&gguf.tensors));
    match catalogue {
        Ok(catalogue) => print_catalogue(gguf, catalogue),
        Err(reasons) => {
            println!("{}", said!("model-not-describable"));
            for reason in reasons {
                println!("  - {}", printable(reason));
            }
        }
    }
}

fn summary(gguf: &GgufModel, catalogue: Option<&Catalogue<'_>>) -> Table {
    let arch = &gguf.arch;
    let number = |value: Option<u64>| value.map_or("-".to_owned(), out::integer);
    let bytes = |bytes: u64| {
        let size = text().figure(DecimalBytes(bytes));
        format!("{} ({size})", out::integer(bytes))
    };
    let name = gguf.name.as_deref().map_or("-".to_owned(), printable);
    let mut rows = vec![
        [said!("list-name"), name],
        [said!("model-architecture"), printable(&gguf.architecture)],
        [said!("model-gguf-version"), gguf.version.to_string()],
        [said!("model-layers"), number(arch.n_layers)],
        [said!("model-width"), number(arch.hidden)],
        [said!("model-feed-forward"), number(arch.ffn)],
        [said!("model-query-heads"), number(arch.n_heads)],
        [said!("model-kv-heads"), number(arch.n_kv_heads)],
        [said!("model-head-elements"), number(arch.head_dim)],
        [said!("model-vocabulary"), number(arch.vocab)],
        [said!("model-context"), number(arch.context)],
    ];
    if let Some(experts) = arch.n_experts {
        let used = number(arch.n_experts_used);
        rows.push([
            said!("model-experts"),
            said!("model-experts-used", n = out::integer(experts), used = used),
        ]);
    }
    rows.extend([
        [
            said!("model-parameters"),
            text().figure(Parameters(gguf.n_params())),
        ],
        [said!("model-files"), out::integer(gguf.parts.len())],
        [said!("model-file-bytes"), bytes(gguf.file_bytes())],
        [said!("model-tensors"), out::integer(gguf.tensors.len())],
        [said!("model-tensor-bytes"), bytes(gguf.tensor_bytes())],
        [
            said!("read-per-token"),
            match (read_bytes_per_token(gguf), &gguf.not_generating) {
                (Some(read), _) => bytes(read),
                (None, reason) => format!("- ({})", reason.as_deref().unwrap_or_default()),
            },
        ],
    ]);
    if let Some(catalogue) = catalogue {
        rows.push([
            said!("model-kv-per-token"),
            said!("model-bytes", n = catalogue.kv_bytes),
        ]);
        if let Some(window) = &catalogue.expressed.arch.window {
            let tokens = message!("tokens", n = window.tokens);
            rows.push([
                said!("model-sliding-window"),
                match window.n_layers {
                    Some(n) => said!("model-window-layers", n = n, tokens = tokens),
                    None => said!("model-window-some-layers", tokens = tokens),
                },
            ]);
        }
    }
    let mut summary = out::table(&[said!("model-quantity"), said!("model-value")]);
    summary.add_rows(rows);
    summary
}

/// Tensors that differ in nothing but their layer.
#[derive(Default)]
struct Kind {
    layers: Vec<u32>,
    n_tensors: u64,
    bytes: u64,
}

/// One row for each kind of tensors.
fn kinds(tensors: &[GgufTensor]) -> Table {
    let mut kinds: BTreeMap<(String, GgmlType, String), Kind> = BTreeMap::new();
    for tensor in tensors {
        let info = &tensor.info;
        let (stem, layer) = stem(&info.name);
        let dims: Vec<String> = info.dims.iter().map(u64::to_string).collect();
        let key = (stem.to_owned(), info.ggml_type, dims.join(" x "));
        let kind = kinds.entry(key).or_default();
        kind.layers.extend(layer);
        kind.n_tensors += 1;
        kind.bytes += info.n_bytes;
    }
    let mut table = out::table(&[
        said!("model-tensor"),
        said!("model-layers"),
        said!("model-tensors"),
        said!("trait-shape"),
        said!("model-format"),
        said!("model-column-bytes"),
    ]);
    for ((stem, ggml_type, shape), kind) in kinds {
        table.add_row([
            stem,
            ranges(&kind.layers),
            out::integer(kind.n_tensors),
            shape,
            ggml_type.id().to_owned(),
            out::integer(kind.bytes),
        ]);
    }
    table
}

/// A tensor's name without its layer, and the layer.
fn stem(name: &str) -> (&str, Option<u32>) {
    let parsed = name
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
        .and_then(|(layer, stem)| Some((stem, layer.parse().ok()?)));
    match parsed {
        Some((stem, layer)) => (stem, Some(layer)),
        None => (name, None),
    }
}

/// Layers in few words: `0-3, 7`.
fn ranges(layers: &[u32]) -> String {
    let mut sorted = layers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for layer in sorted {
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(layer) => *end = layer,
            _ => ranges.push((layer, layer)),
        }
    }
    let ranges = ranges.iter().map(|(start, end)| match start == end {
        true => start.to_string(),
        false => format!("{start}-{end}"),
    });
    let ranges: Vec<String> = ranges.collect();
    ranges.join(", ")
}

fn print_catalogue(gguf: &GgufModel, catalogue: &Catalogue<'_>) {
    let comparison = &catalogue.comparison;
    match catalogue.same.as_slice() {
        [] => println!("{}", said!("model-not-in-catalogue")),
        same => println!("{}", said!("model-in-catalogue", models = same.join(", "))),
    }
    println!(
        "{}",
        said!(
            "model-nearest-list",
            quant = comparison.quant.id(),
            bytes = message!("model-bytes", n = comparison.computed_bytes),
            read = out::integer(comparison.computed_read_bytes),
        )
    );
    println!(
        "{}",
        said!(
            "model-against-list",
            more = more(gguf.tensor_bytes(), comparison.computed_bytes),
            more_read = more(gguf.read_bytes_per_token(), comparison.computed_read_bytes),
        )
    );
    if !catalogue.expressed.unmodelled.is_empty() {
        let names = catalogue.expressed.unmodelled.iter();
        let mut names: Vec<&str> = names.map(|(name, _)| stem(name).0).collect();
        names.sort_unstable();
        names.dedup();
        println!(
            "{}",
            said!(
                "model-not-in-list",
                n = catalogue.expressed.unmodelled.len(),
                bytes = message!("model-bytes", n = catalogue.unmodelled_bytes()),
                names = names.join(", "),
            )
        );
    }
    if comparison.differences.is_empty() {
        println!("{}", said!("model-as-computed"));
        return;
    }
    let mut differences = out::table(&[
        said!("model-tensor"),
        said!("model-layers"),
        said!("file"),
        said!("model-computed"),
        said!("model-more-bytes"),
    ]);
    for it in &comparison.differences {
        differences.add_row([
            it.stem.clone(),
            ranges(&it.layers),
            it.in_file.id().to_owned(),
            it.computed.id().to_owned(),
            more(it.file_bytes, it.computed_bytes),
        ]);
    }
    println!("{differences}");
}

/// By how many bytes a file exceeds its computed list: `+1 024`, `-96`, `+0`.
fn more(file: u64, computed: u64) -> String {
    let sign = if file < computed { '-' } else { '+' };
    format!("{sign}{}", out::integer(file.abs_diff(computed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn layers_are_shown_as_ranges() {
        assert_eq!(ranges(&[3, 0, 1, 2, 7, u32::MAX]), "0-3, 7, 4294967295");
        assert_eq!(ranges(&[]), "");
        assert_eq!(stem("blk.12.attn_q.weight"), ("attn_q.weight", Some(12)));
        assert_eq!(stem("blk.x.y"), ("blk.x.y", None));
    }

    #[test]
    fn the_document_has_every_tensor_and_sums_that_agree() {
        let tests = workspace::inventory_dir().join("tests").join("gguf");
        let gguf = GgufModel::open(&tests.join("untied.gguf")).unwrap();
        let expressed = gguf.express().unwrap();
        let catalogue = Ok(Catalogue {
            same: Vec::new(),
            comparison: compare(&gguf, &expressed.arch),
            kv_bytes: kv_bytes(&expressed),
            expressed,
        });
        let document = document(&gguf, &catalogue);
        let sum = |list: &str, key: &str| -> u64 {
            let items = document[list].as_array().unwrap().iter();
            items.map(|item| item[key].as_u64().unwrap()).sum()
        };
        let total = document["tensor_bytes"].as_u64().unwrap();
        assert_eq!(sum("tensors", "bytes"), total);
        assert_eq!(sum("mix", "bytes"), total);
        assert_eq!(
            sum("tensors", "read_bytes_per_token"),
            document["read_bytes_per_token"].as_u64().unwrap()
        );
        assert_eq!(document["catalogue"]["quant"], "q8_0");
        assert_eq!(document["catalogue"]["computed_tensor_bytes"], total);
        // 2 x layers x KV heads x head dimension x 2 bytes.
        assert_eq!(
            document["catalogue"]["kv_bytes_per_token_f16"],
            2 * 2 * 16 * 2
        );
    }
}
