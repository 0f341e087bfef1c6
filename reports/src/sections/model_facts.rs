//! What a model is: its shape with its source, and the bytes of every quantisation.

use bench_inventory::{KvFormat, Quant};
use serde::Serialize;

use super::{Page, Scope, value};
use bench_analysis::choice::decisions::quant_name;
use bench_analysis::choice::recommend::quality;
use bench_analysis::limits::fit;
use bench_run_dir::format;

/// Contexts whose KV cache is shown, tokens.
const CONTEXTS: [u64; 3] = [4_096, 8_192, 32_768];

#[derive(Serialize)]
struct View {
    facts: Vec<(&'static str, String)>,
    source: String,
    rows: Vec<Row>,
    contexts: Vec<String>,
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let Scope::Model(model) = page.scope else {
        return None;
    };
    let inventory = &page.analysis.run.inventory;
    let arch = &model.arch;
    let number = |value: u64| format::integer(value as f64);
    let mut facts = vec![
        ("parameters", format::millions(model.n_params())),
        ("layers", number(arch.n_layers.into())),
        ("width of the residual stream", number(arch.hidden.into())),
        ("query heads", number(arch.n_heads.into())),
        ("key and value heads", number(arch.n_kv_heads.into())),
        ("elements of a head", number(arch.head_dim.into())),
        ("vocabulary", number(arch.vocab.into())),
        (
            "embedding table",
            match arch.tied_embeddings {
                true => "is the output matrix, too: every token reads it".into(),
                false => "of its own: a token reads one row of it".into(),
            },
        ),
    ];
    if let Some(length) = model.context_length {
        facts.push((
            "made for a context of",
            format!("{} tokens", number(length)),
        ));
    }
    let table = quality(inventory);
    let row = |quant: Quant| {
        let file_bytes = model.file_bytes(quant);
        let need = fit::need(
            model,
            file_bytes,
            bench_analysis::limits::bounds::MIN_CONTEXT,
            KvFormat::F16,
        );
        Row {
            quant: quant_name(quant),
            file: format::decimal_bytes(file_bytes),
            read: format::decimal_bytes(model.read_bytes_per_token(quant)),
            bits: format::number(file_bytes as f64 * 8.0 / model.n_params() as f64),
            needs: format::decimal_bytes(need.total_bytes()),
            loss: (table.and_then(|table| table.loss(quant)))
                .map_or_else(|| format::UNKNOWN.into(), format::signed_percent),
        }
    };
    let kv_row = |kv: KvFormat| {
        let per_token = model.kv_bytes_per_token(kv);
        let of_context = |tokens: u64| format::decimal_bytes(model.kv_read_bytes(kv, tokens));
        KvRow {
            format: kv.id(),
            per_token: format::decimal_bytes(per_token),
            cells: CONTEXTS.map(of_context).to_vec(),
        }
    };
    value(View {
        facts,
        source: format::foreign(&model.source),
        rows: Quant::ALL.into_iter().map(row).collect(),
        contexts: CONTEXTS.map(number).to_vec(),
        kv_rows: KvFormat::ALL.into_iter().map(kv_row).collect(),
        quality: table.map_or_else(String::new, |table| {
            format::foreign(&format!(
                "{} of {} over that of F16, published in {}",
                table.metric, table.model, table.source
            ))
        }),
    })
}
