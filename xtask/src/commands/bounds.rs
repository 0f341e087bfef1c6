//! `bounds`: what bounds models on boards, from theory over measured limits to tokens per second.

use std::path::PathBuf;

use bench_inventory::{Inventory, KvFormat, Quant};
use bench_reports::analysis::analyse;
use bench_reports::bounds::{self, Bounds, MIN_CONTEXT};
use bench_reports::decide::{Decision, Load, Step, Target, decide};
use bench_reports::{fit, format};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::evidence::{Evidence, EvidenceArgs, chosen_run};
use super::own_files;
use super::recommend::positive;
use crate::exit::{self, ExitError};
use crate::{Format, Global};

/// Options of `bounds`.
#[derive(Debug, Args)]
pub struct BoundsArgs {
    /// Boards of the catalogue, or hosts of the run [default: all boards]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    board: Vec<String>,
    /// Models of the catalogue [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    model: Vec<String>,
    /// Quantisations [default: those that people usually choose between]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    quant: Vec<String>,
    /// Models of these GGUF files, with the storage of each of their tensors; only headers are read
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["model", "quant"])]
    gguf: Vec<PathBuf>,
    /// Tokens in the KV cache
    #[arg(long, value_name = "TOKENS", num_args = 1.., default_values_t = [0], value_parser = clap::value_parser!(u64).range(..=1 << 24))]
    depth: Vec<u64>,
    /// Storage of keys and values: f16, q8_0 or q4_0
    #[arg(long, value_name = "FORMAT", default_value = "f16")]
    kv_format: String,
    /// Bandwidth to use instead of the board's, GB/s (10^9 bytes per second); of one board, model and quantisation
    #[arg(long, value_name = "X", value_parser = positive)]
    bandwidth_gb_s: Option<f64>,
    /// Bytes read per token to use instead of the model's, GB (10^9 bytes); of one board, model and quantisation
    #[arg(long, value_name = "X", value_parser = positive)]
    bytes_gb: Option<f64>,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Prints the bounds: one chain in full, or a row for each of several.
///
/// # Errors
/// With exit code 2 when a name is unknown, naming the nearest match.
pub fn bounds(global: &Global, args: &BoundsArgs) -> anyhow::Result<u8> {
    let mut inventory = super::load_inventory(global)?;
    let own = own_files::of_gguf(&args.gguf, &inventory)?;
    own_files::load(&own, &mut inventory)?;
    let of_files = own_files::models(&own);
    let quants = quants(&args.quant)?;
    let kv_format: KvFormat = (args.kv_format.parse())
        .map_err(|error: bench_inventory::UnknownId| ExitError::usage(error.to_string()))?;
    let models = match of_files.is_empty() {
        true => models(&inventory, &args.model)?,
        false => of_files.iter().map(String::as_str).collect(),
    };
    let run = chosen_run(global, &args.evidence)?;
    let analysis = run.as_ref().map(analyse);
    let evidence = Evidence::new(&inventory, analysis.as_ref(), &args.evidence);
    let names: Vec<&str> = match args.board.as_slice() {
        [] => inventory.boards.keys().map(String::as_str).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let targets = (names.iter())
        .map(|name| evidence.target(name))
        .collect::<anyhow::Result<Vec<Target>>>()?;
    let depths = &args.depth;
    let is_one = args.board.len() == 1 && args.model.len() == 1 && args.quant.len() == 1;
    let is_one_file = args.board.len() == 1 && args.gguf.len() == 1;
    if (args.bandwidth_gb_s.is_some() || args.bytes_gb.is_some()) && !is_one {
        return Err(ExitError::usage(
            "`--bandwidth-gb-s` and `--bytes-gb` stand for one board, model and quantisation; give `--board`, `--model` and `--quant` once each",
        )
        .into());
    }
    let mut rows = Vec::new();
    for target in &targets {
        for model in &models {
            let model = &inventory.models[*model];
            for depth in depths {
                let loads: Vec<Load> = match Load::of_file(model, *depth, MIN_CONTEXT, kv_format) {
                    Some(of_file) => vec![of_file],
                    None => (quants.iter())
                        .map(|quant| Load::new(model, *quant, *depth, MIN_CONTEXT, kv_format))
                        .collect(),
                };
                for load in loads {
                    let decision = decide(target, &load);
                    rows.push((target, load, decision));
                }
            }
        }
    }
    match (rows.as_slice(), is_one || is_one_file) {
        ([(target, load, decision)], true) => {
            let bounds = target.board.zip(load.quant).map(|(board, quant)| {
                bounds::compute(
                    board,
                    load.model,
                    quant,
                    load.depth,
                    args.bandwidth_gb_s,
                    args.bytes_gb,
                )
            });
            print_one(global, bounds.as_ref(), load, decision)?;
        }
        (rows, _) => print_many(global, rows)?,
    }
    Ok(exit::OK)
}

fn quants(ids: &[String]) -> anyhow::Result<Vec<Quant>> {
    if ids.is_empty() {
        return Ok(Quant::USUAL.to_vec());
    }
    (ids.iter())
        .map(|id| Quant::from_id(id).map_err(|error| ExitError::usage(error.to_string()).into()))
        .collect()
}

fn models<'a>(inventory: &'a Inventory, ids: &'a [String]) -> anyhow::Result<Vec<&'a str>> {
    let all = || inventory.models.keys().map(String::as_str);
    if ids.is_empty() {
        return Ok(all().collect());
    }
    (ids.iter())
        .map(|id| match inventory.models.contains_key(id) {
            true => Ok(id.as_str()),
            false => Err(super::unknown("model", id, all())),
        })
        .collect()
}

/// A decision as JSON, with what follows from the model alone.
fn value(load: &Load, decision: &Decision) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(decision)?;
    let model = load.model;
    let kv: serde_json::Map<String, Value> = (KvFormat::ALL.into_iter())
        .map(|kv| (kv.id().to_owned(), json!(model.kv_bytes_per_token(kv))))
        .collect();
    let room = decision.room.as_ref().map(|room| room.bytes);
    let fits_with =
        room.and_then(|room| fit::best_quant(model, load.context, load.kv_format, room));
    let more = json!({
        "board": decision.target,
        "n_params": model.n_params(),
        "ops_per_token": model.ops_per_token(load.depth),
        "ops_of_prompt_512": model.ops_of_prompt(512),
        "file_bytes": load.file_bytes,
        "read_bytes_per_token": load.read_bytes_per_token,
        "kv_bytes_per_token_by_format": kv,
        "fits_with_quant": fits_with.map(Quant::id),
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.remove("target");
        value.extend(more);
    }
    Ok(value)
}

fn print_one(
    global: &Global,
    bounds: Option<&Bounds>,
    load: &Load,
    decision: &Decision,
) -> anyhow::Result<()> {
    if global.format == Format::Json {
        let mut all = value(load, decision)?;
        if let (Value::Object(all), Some(bounds)) = (&mut all, bounds) {
            let Value::Object(bounds) = serde_json::to_value(bounds)? else {
                unreachable!("a struct is an object");
            };
            for (key, value) in bounds {
                // What a host has free says more than the size it was sold with.
                let is_known = key == "fits" && decision.fits.is_some();
                if !is_known {
                    all.insert(key, value);
                }
            }
        }
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    if let Some(bounds) = bounds {
        println!("{}", bounds.table());
    }
    println!(
        "{:.3} billion parameters; {:.1} billion operations for a token at depth {}, {:.0} billion for a prompt of 512 tokens\n",
        load.model.n_params() as f64 / 1e9,
        load.model.ops_per_token(load.depth) as f64 / 1e9,
        load.depth,
        load.model.ops_of_prompt(512) as f64 / 1e9
    );
    println!("bound chain of {} {}", decision.model, decision.quant);
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "step",
            "figure",
            "GB/s",
            "tokens/s",
            "share",
            "what a loss is due to",
            "source",
        ]);
    for step in &decision.chain {
        table.add_row(step_row(step));
    }
    println!("{table}");
    println!("binding limit: {}", decision.limit);
    println!("{}", fit_words(load, decision));
    Ok(())
}

fn step_row(step: &Step) -> Vec<String> {
    vec![
        step.step.to_owned(),
        step.label.name().to_owned(),
        format::number(step.gb_per_s),
        format::number(step.tokens_per_s),
        match (step.ratio, step.of) {
            (Some(ratio), Some(of)) => format!("{} of {of}", format::percent(ratio)),
            _ => String::new(),
        },
        step.culprit.unwrap_or_default().to_owned(),
        step.source.clone(),
    ]
}

/// `fits: needs 5.24 GB of 7.1 GB (measured: ...); the longest context is 12288 tokens`.
fn fit_words(load: &Load, decision: &Decision) -> String {
    let need = format::decimal_bytes(decision.need.total_bytes());
    let Some(room) = &decision.room else {
        return format!("needs {need}; the RAM that is there is not known");
    };
    let of = format!(
        "{} ({}: {})",
        format::decimal_bytes(room.bytes),
        room.label.name(),
        room.source
    );
    let context = decision.need.context;
    if decision.fits == Some(true) {
        let longest = decision.max_context.unwrap_or(context);
        return format!(
            "fits with {context} tokens of context: needs {need} of {of}; the longest context that fits is {longest} tokens"
        );
    }
    let instead = fit::best_quant(load.model, context, load.kv_format, room.bytes);
    let instead = instead.map_or_else(
        || "no usual quantisation fits".to_owned(),
        |quant| format!("fits with {}", quant.id()),
    );
    format!("does not fit with {context} tokens of context: needs {need} of {of}; {instead}")
}

fn print_many(global: &Global, rows: &[(&Target, Load, Decision)]) -> anyhow::Result<()> {
    if global.format == Format::Json {
        let rows = (rows.iter())
            .map(|(_, load, decision)| value(load, decision))
            .collect::<anyhow::Result<Vec<Value>>>()?;
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "bounds": rows }))?
        );
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "board",
            "model",
            "quant",
            "depth",
            "read GB/s",
            "bound",
            "tokens/s",
            "figure",
            "limit",
            "fit",
            "longest context",
        ]);
    for (target, load, decision) in rows {
        table.add_row(row(target, load, decision));
    }
    println!("{table}");
    println!(
        "bound and tokens/s: tokens per second. Predicted figures are {} intervals; `bounds` of one board, model and quantisation shows what each rests on.",
        format::percent(bench_reports::predict::LEVEL)
    );
    Ok(())
}

fn row(target: &Target, load: &Load, decision: &Decision) -> Vec<String> {
    let expected = decision.expected.as_ref();
    vec![
        format!("{} ({})", target.name, target.processor),
        decision.model.clone(),
        decision.quant.clone(),
        decision.depth.to_string(),
        target.read.as_ref().map_or_else(String::new, |read| {
            format!("{} {}", format::number(read.gb_per_s), read.label.name())
        }),
        decision
            .bound_tokens_per_s
            .map_or_else(String::new, format::number),
        expected.map_or_else(String::new, bench_reports::decide::Expected::words),
        expected
            .map_or("", |expected| expected.label.name())
            .to_owned(),
        decision.limit.to_owned(),
        match (decision.fits, &decision.room) {
            (Some(true), _) => "fits".to_owned(),
            (Some(false), Some(room)) => {
                fit::best_quant(load.model, load.context, load.kv_format, room.bytes)
                    .map_or_else(|| "no".to_owned(), |quant| format!("with {}", quant.id()))
            }
            _ => "unknown".to_owned(),
        },
        decision
            .max_context
            .map_or_else(String::new, |tokens| tokens.to_string()),
    ]
}
