//! `recommend`: which model to run on a board, and what would help.

use bench_analysis::choice::decide::Target;
use bench_analysis::choice::predict::{self, Calibration};
use bench_analysis::choice::recommend::{self, Ranked, Remedy, Requirements, quality};
use bench_analysis::label::Label;
use bench_analysis::measured::{Analysis, analyse};
use bench_inventory::KvFormat;
use bench_locales::Figure::{BinaryBytes, DecimalBytes, Number, SignedPercent, TokensPerS};
use bench_locales::message;
use clap::Args;
use serde_json::{Value, json};

use super::evidence::{Basis, Evidence, EvidenceArgs, chosen_runs};
use crate::exit::{self, ExitError};
use crate::out::{self, text};
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
    let wish = Requirements {
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
            let answers: Vec<&Ranked> = processors.iter().flat_map(|it| &it.answers).collect();
            print_notes(&inventory, &answers, calibration.as_ref());
            for (model, tokens) in recommend::too_short(&inventory, wish) {
                let tokens = message!("tokens", n = tokens);
                let said = said!("recommend-too-short", model = model, tokens = tokens);
                println!("  - {said}");
            }
            for reason in recommend::of_unknown_cache(&inventory, wish) {
                println!("  - {}", said!("recommend-left-out", reason = reason));
            }
        }
    }
    Ok(exit::OK)
}

/// The answers for one processor of a board or host.
struct Processor<'a> {
    target: Target<'a>,
    basis: Option<Basis>,
    answers: Vec<Ranked>,
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

fn print_answers(processor: &Processor, wish: Requirements) {
    let (target, answers) = (&processor.target, &processor.answers);
    if let Some(basis) = &processor.basis {
        println!("{}", basis.words());
    }
    println!(
        "{}",
        said!(
            "recommend-asked",
            board = &target.name,
            processor = &target.processor,
            rate = TokensPerS(wish.min_tokens_per_s),
            tokens = message!("tokens", n = wish.context),
        )
    );
    let room = match &target.room {
        Some(room) => said!(
            "recommend-room",
            size = DecimalBytes(room.bytes),
            kind = room.label.message(),
            source = &room.source,
        ),
        None => said!("recommend-room-unknown"),
    };
    println!("{room}\n");
    if answers.is_empty() {
        println!(
            "{}",
            match &target.no_prediction {
                Some(why) => text().say(why),
                None => said!("recommend-nothing-fits"),
            }
        );
        return;
    }
    let mut table = out::table(&[
        said!("decision-answer"),
        said!("model"),
        said!("bounds-quant"),
        said!("unit-tokens-per-s"),
        said!("kind-of-figure"),
        said!("bound"),
        said!("recommend-margin"),
        said!("limit"),
        said!("board-models-needed"),
        said!("recommend-from"),
        said!("decision-longest"),
        said!("quality-loss"),
    ]);
    for answer in answers {
        table.add_row(row(answer));
    }
    println!("{table}");
}

fn row(answer: &Ranked) -> Vec<String> {
    let decision = &answer.decision;
    let expected = decision.expected.as_ref();
    vec![
        text().say(&answer.certainty.words()),
        decision.model.clone(),
        decision.quant.clone(),
        expected.map_or_else(String::new, |it| text().say(&it.words())),
        expected.map_or_else(String::new, |it| text().say(&it.label.message())),
        (decision.bound_tokens_per_s).map_or_else(String::new, |it| text().figure(Number(it))),
        text().figure(SignedPercent(answer.margin)),
        text().say(&decision.limit),
        text().figure(DecimalBytes(decision.need.total_bytes())),
        match answer.from_capacity_bytes {
            Some(bytes) => text().figure(BinaryBytes(bytes)),
            None => said!("recommend-here"),
        },
        (decision.max_context).map_or_else(String::new, out::integer),
        text().figure_or_unknown(answer.loss.map(SignedPercent)),
    ]
}

fn print_remedies(answers: &[Ranked], remedies: &[Remedy]) {
    let Some(best) = answers.first() else { return };
    println!(
        "\n{}",
        said!(
            "recommend-remedies",
            model = &best.decision.model,
            quant = &best.decision.quant,
        )
    );
    for remedy in remedies {
        let kind = match remedy.label {
            Some(label) => text().say(&label.message()),
            None => text().unknown().to_owned(),
        };
        println!("  - {} [{kind}]", text().say(&remedy.what));
        println!("      {}", text().say(&remedy.buys));
    }
}

fn print_notes(
    inventory: &bench_inventory::Inventory,
    answers: &[&Ranked],
    calibration: Option<&Calibration>,
) {
    println!("\n{}", said!("recommend-reading"));
    let bases: std::collections::BTreeSet<String> = (answers.iter())
        .filter_map(|answer| answer.decision.expected.as_ref())
        .filter(|expected| expected.label == Label::Predicted)
        .map(|expected| text().say(&expected.basis))
        .collect();
    for basis in bases {
        println!("  - {}", said!("recommend-predicted", basis = basis));
    }
    if let Some(calibration) = calibration.filter(|_| !answers.is_empty()) {
        let check = calibration.sentence();
        println!("  - {}", said!("recommend-check", check = check));
    }
    if let Some(table) = quality(inventory) {
        let source = said!(
            "quality-source",
            metric = &table.metric,
            model = &table.model,
            source = &table.source,
        );
        println!("  - {source} {}", table.note);
    }
    if let Some((best, price)) =
        (answers.first()).and_then(|answer| Some((answer, answer.price.as_ref()?)))
    {
        let price = said!(
            "decision-price",
            usd = Number(price.usd),
            date = &price.date,
            source = &price.source,
            rate = Number(price.tokens_per_s_per_100_usd),
            model = &best.decision.model,
        );
        println!("  - {price}");
    }
    println!("  - {}", said!("recommend-order"));
}
