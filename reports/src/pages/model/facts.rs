//! What a model is: its shape with its source, and the bytes of every quantisation.

use bench_inventory::{KvFormat, Model, Quant};
use bench_locales::Figure::{DecimalBytes, Integer, Number, Parameters, SignedPercent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::pages::shared::decision::quality_source;
use crate::pages::{Page, Scope, value};
use bench_analysis::choice::decisions::quant_name;
use bench_analysis::choice::recommend::quality;
use bench_analysis::limits::bounds::MIN_CONTEXT;
use bench_analysis::limits::fit;
use bench_run_dir::format;

/// Contexts whose KV cache is shown, tokens.
const CONTEXTS: [u64; 3] = [4_096, 8_192, 32_768];

#[derive(Serialize)]
struct View {
    facts: Vec<(String, String)>,
    source: String,
    min_context: u64,
    rows: Vec<Row>,
    contexts: Vec<u64>,
    kv_rows: Vec<KvRow>,
    quality: String,
}

#[derive(Serialize)]
struct Row {
    quant: String,
    file: String,
    read: String,
    bits: String,
    needs: String,
    loss: String,
}

#[derive(Serialize)]
struct KvRow {
    format: &'static str,
    per_token: String,
    cells: Vec<String>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let Scope::Model(model) = page.scope else {
        return None;
    };
    let text = page.text;
    let bytes = |bytes: u64| text.figure(DecimalBytes(bytes));
    let table = quality(&page.analysis.run.inventory);
    let row = |quant: Quant| {
        let file_bytes = model.file_bytes(quant);
        let need = fit::need(model, file_bytes, MIN_CONTEXT, KvFormat::F16);
        Row {
            quant: quant_name(quant),
            file: bytes(file_bytes),
            read: bytes(model.read_bytes_per_token(quant)),
            bits: text.figure(Number(file_bytes as f64 * 8.0 / model.n_params() as f64)),
            needs: bytes(need.total_bytes()),
            loss: text
                .figure_or_unknown((table.and_then(|table| table.loss(quant))).map(SignedPercent)),
        }
    };
    let kv_row = |kv: KvFormat| {
        let per_token = model.kv_bytes_per_token(kv);
        let of_context = |tokens: u64| bytes(model.kv_read_bytes(kv, tokens));
        KvRow {
            format: kv.id(),
            per_token: bytes(per_token),
            cells: CONTEXTS.map(of_context).to_vec(),
        }
    };
    value(View {
        facts: facts(text, model),
        source: format::foreign(&model.source),
        min_context: MIN_CONTEXT,
        rows: Quant::ALL.into_iter().map(row).collect(),
        contexts: CONTEXTS.to_vec(),
        kv_rows: KvFormat::ALL.into_iter().map(kv_row).collect(),
        quality: table.map_or_else(String::new, |table| quality_source(text, table)),
    })
}

/// The shape of a model: each figure with its name.
fn facts(text: &Text, model: &Model) -> Vec<(String, String)> {
    let arch = &model.arch;
    let number = |value: u64| text.figure(Integer(value as f64));
    let mut facts = vec![
        (
            say!(text, "model-parameters"),
            text.figure(Parameters(model.n_params())),
        ),
        (say!(text, "model-layers"), number(arch.n_layers.into())),
        (say!(text, "model-width"), number(arch.hidden.into())),
        (say!(text, "model-query-heads"), number(arch.n_heads.into())),
        (say!(text, "model-kv-heads"), number(arch.n_kv_heads.into())),
        (
            say!(text, "model-head-elements"),
            number(arch.head_dim.into()),
        ),
        (say!(text, "model-vocabulary"), number(arch.vocab.into())),
        (
            say!(text, "model-embeddings"),
            match arch.tied_embeddings {
                true => say!(text, "model-tied-embeddings"),
                false => say!(text, "model-own-embeddings"),
            },
        ),
    ];
    if let Some(length) = model.context_length {
        facts.push((
            say!(text, "model-context"),
            say!(text, "tokens", n = length),
        ));
    }
    facts
}
