//! `recommend`: which model to run on a board, and what would help.

use bench_analysis::choice::decide::Target;
use bench_analysis::choice::predict::{self, Calibration};
use bench_analysis::choice::recommend::{self, Answer, Remedy, Wish, quality};
use bench_analysis::label::Label;
use bench_analysis::measured::{Analysis, analyse};
use bench_inventory::KvFormat;
use bench_run_dir::format;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::evidence::{Basis, Evidence, EvidenceArgs, chosen_runs};
use crate::exit::{self, ExitError};
use crate::{Format, Global};

/// Options of `recommend`.
#[derive(Debug, Args)]
pub struct RecommendArgs {
    /// Board of the catalogue, or host of the run
    #[arg(long, value_name = "NAME")]
    board: String,
    /// Tokens per second that must be reached; 5 is about the pace at which people read
    #[arg(long, value_name = "X", default_value_t = 5.0, value_parser = positive)]
    min_tokens_per_s: f64,
    /// Tokens of context that must fit, and at whose end the speed counts
    #[arg(long, value_name = "TOKENS", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    context: u64,
    /// RAM to leave for other programs, GB (10^9 bytes)
    #[arg(long, value_name = "GB", default_value_t = 0.0, value_parser = not_negative)]
    ram_left: f64,
    /// Storage of keys and values: f16, q8_0 or q4_0
    #[arg(long, value_name = "FORMAT", default_value = "f16")]
    kv_format: String,
    /// Leave out quantisations that lose more: perplexity over that of F16, per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 15.0, value_parser = not_negative)]
    max_loss: f64,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above zero".to_string()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("must be a number from zero".to_string()),
    }
}

/// Prints the ranked answers and what each remedy would buy.
///
/// # Errors
/// With exit code 2 when the inventory has mistakes, or a name is unknown.
pub fn recommend(global: &Global, args: &RecommendArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let runs = chosen_runs(global, &args.evidence)?;
    let analyses: Vec<Analysis> = runs.iter().map(analyse).collect();
    let evidence = Evidence::new(&inventory, &analyses, &args.evidence);
    let wish = Wish {
        min_tokens_per_s: args.min_tokens_per_s,
        context: args.context,
        ram_left_bytes: (args.ram_left * 1e9) as u64,
        kv_format: (args.kv_format.parse::<KvFormat>())
            .map_err(|error| ExitError::usage(error.to_string()))?,
        max_loss: args.max_loss / 100.0,
    };
    let mut processors: Vec<Processor> = (evidence.targets(&args.board)?.into_iter())
        .map(|target| {
            let answers = recommend::recommend(&inventory, &target, wish);
            let remedies = answers.first().map_or_else(Vec::new, |best| {
                recommend::remedies(&inventory, &target, &evidence.machines, best, wish)
            });
            Processor {
                basis: evidence.basis(&target),
                target,
                answers,
                remedies,
            }
        })
        .collect();
    let calibration = predict::calibration(&evidence.machines);
    match global.format {
        Format::Json => {
            let others = processors.split_off(1);
            let mut document = value(&processors[0]);
            let more = json!({
                "wish": wish,
                "kv_format": wish.kv_format.id(),
                "other_processors": others.iter().map(value).collect::<Vec<_>>(),
                "too_short": (recommend::too_short(&inventory, wish).into_iter())
                    .map(|(model, tokens)| json!({ "model": model, "context_length": tokens }))
                    .collect::<Vec<_>>(),
                "unknown_cache": recommend::of_unknown_cache(&inventory, wish),
                "calibration": calibration,
                "quality": quality(&inventory).map(|table| json!({
                    "model": table.model, "metric": table.metric, "source": table.source, "note": table.note,
                })),
            });
            if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
                document.extend(more);
            }
            println!("{}", serde_json::to_string_pretty(&document)?);
        }
        Format::Text => {
            for processor in &processors {
                print_answers(processor, wish);
                print_remedies(&processor.answers, &processor.remedies);
                println!();
            }
            let answers: Vec<&Answer> = processors.iter().flat_map(|it| &it.answers).collect();
            print_notes(&inventory, &answers, calibration.as_ref());
            for (model, tokens) in recommend::too_short(&inventory, wish) {
                println!("  - left out: {model} was made for {tokens} tokens of context");
            }
            for reason in recommend::of_unknown_cache(&inventory, wish) {
                println!("  - left out: {reason}");
            }
        }
    }
    Ok(exit::OK)
}

/// The answers for one processor of a board or host.
struct Processor<'a> {
    target: Target<'a>,
    basis: Option<Basis>,
    answers: Vec<Answer>,
    remedies: Vec<Remedy>,
}

fn value(processor: &Processor) -> Value {
    let target = &processor.target;
    json!({
        "board": target.name,
        "processor": target.processor,
        "room": target.room,
        "measured_in": processor.basis,
        "no_prediction": target.no_prediction,
        "answers": processor.answers,
        "remedies": processor.remedies,
    })
}

fn print_answers(processor: &Processor, wish: Wish) {
    let (target, answers) = (&processor.target, &processor.answers);
    if let Some(basis) = &processor.basis {
        println!("{}", basis.words());
    }
    let room = target.room.as_ref().map_or_else(
        || "RAM unknown".to_owned(),
        |room| {
            format!(
                "{} of RAM for a model ({}: {})",
                format::decimal_bytes(room.bytes),
                room.label.name(),
                room.source
            )
        },
    );
    println!(
        "{} ({}), at least {} tokens/s with {} tokens of context\n{room}\n",
        target.name,
        target.processor,
        format::number(wish.min_tokens_per_s),
        wish.context
    );
    if answers.is_empty() {
        println!(
            "{}",
            target.no_prediction.as_deref().unwrap_or(
                "no model of the catalogue fits; allow a shorter `--context`, a smaller `--kv-format` or less `--ram-left`"
            )
        );
        return;
    }
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "answer",
            "model",
            "quant",
            "tokens/s",
            "figure",
            "bound",
            "margin",
            "limit",
            "needs",
            "fits from",
            "longest context",
            "quality loss",
        ]);
    for answer in answers {
        table.add_row(row(answer));
    }
    println!("{table}");
}

fn row(answer: &Answer) -> Vec<String> {
    let decision = &answer.decision;
    let expected = decision.expected.as_ref();
    vec![
        answer.certainty.words(),
        decision.model.clone(),
        decision.quant.clone(),
        expected.map_or_else(String::new, bench_analysis::choice::decide::Expected::words),
        expected
            .map_or("", |expected| expected.label.name())
            .to_owned(),
        decision
            .bound_tokens_per_s
            .map_or_else(String::new, format::number),
        format::signed_percent(answer.margin),
        decision.limit.to_owned(),
        format::decimal_bytes(decision.need.total_bytes()),
        answer
            .from_capacity_bytes
            .map_or_else(|| "here".to_owned(), format::binary_bytes),
        decision
            .max_context
            .map_or_else(String::new, |tokens| tokens.to_string()),
        answer
            .loss
            .map_or_else(|| "unknown".to_owned(), format::signed_percent),
    ]
}

fn print_remedies(answers: &[Answer], remedies: &[Remedy]) {
    let Some(best) = answers.first() else { return };
    println!(
        "\nwhat would help {} {}:",
        best.decision.model, best.decision.quant
    );
    for remedy in remedies {
        println!(
            "  - {} [{}]\n      {}",
            remedy.what,
            remedy.label.map_or("unknown", Label::name),
            remedy.buys
        );
    }
}

fn print_notes(
    inventory: &bench_inventory::Inventory,
    answers: &[&Answer],
    calibration: Option<&Calibration>,
) {
    println!("\nhow to read this");
    let bases: std::collections::BTreeSet<&str> = (answers.iter())
        .filter_map(|answer| answer.decision.expected.as_ref())
        .filter(|expected| expected.label == Label::Predicted)
        .map(|expected| expected.basis.as_str())
        .collect();
    for basis in bases {
        println!("  - predicted: {basis}");
    }
    if let Some(calibration) = calibration.filter(|_| !answers.is_empty()) {
        println!("  - check of such intervals: {}", calibration.sentence());
    }
    if let Some(table) = quality(inventory) {
        println!(
            "  - quality loss: {} of {} over that of F16, published in {}. {}",
            table.metric, table.model, table.source, table.note
        );
    }
    let price = answers.first().and_then(|answer| answer.price.as_ref());
    if let Some(price) = price {
        println!(
            "  - price: {} US dollars on {} ({}); {} tokens/s for 100 US dollars",
            format::number(price.usd),
            price.date,
            price.source,
            format::number(price.tokens_per_s_per_100_usd)
        );
    }
    println!(
        "  - ranked by how sure they are, then by parameters less what the quantisation costs (Kaplan et al. 2020); memory is counted with flash attention, which is the default"
    );
}
