//! The bare formula: a bandwidth over bytes per token, for a model that nobody names.

use bench_analysis::choice::decide::Target;
use bench_analysis::limits::bounds::tokens_per_s;
use bench_locales::Figure::{GbPerS, Number, TokensPerS, With};
use serde_json::{Value, json};

use crate::{Format, Global};

/// Prints what each bandwidth allows for this many GB (10^9 bytes) per token.
pub fn print(global: &Global, targets: &[Target], gb: f64) {
    if global.format == Format::Json {
        let mut values: Vec<Value> = targets.iter().map(|target| value(target, gb)).collect();
        let document = match values.len() {
            1 => values.remove(0),
            _ => json!({ "bounds": values }),
        };
        println!("{document:#}");
        return;
    }
    for target in targets {
        println!("{}", words(target, gb));
    }
    println!("{}", said!("bounds-assumed"));
}

/// What is expected by shares of theory, at both ends.
fn interval(target: &Target, gb: f64) -> Option<(f64, f64)> {
    let (prediction, base) = target.prediction.as_ref()?;
    let at = |share: f64| tokens_per_s(share * base.gb_per_s, gb);
    Some((at(prediction.low), at(prediction.high)))
}

fn words(target: &Target, gb: f64) -> String {
    let is_given = target.board.is_none() && target.host.is_none();
    let board = match is_given {
        true => said!("step-given"),
        false => format!("{} ({})", target.name, target.processor),
    };
    let Some(theory) = &target.theory else {
        return said!("bounds-no-theory", board = board);
    };
    let bandwidth = GbPerS(theory.gb_per_s);
    let bytes = With(gb, "GB");
    let bound = TokensPerS(tokens_per_s(theory.gb_per_s, gb));
    match interval(target, gb) {
        Some((low, high)) => said!(
            "bounds-formula-predicted",
            board = board,
            bandwidth = bandwidth,
            bytes = bytes,
            bound = bound,
            low = Number(low),
            high = TokensPerS(high),
        ),
        None => said!(
            "bounds-formula",
            board = board,
            bandwidth = bandwidth,
            bytes = bytes,
            bound = bound,
        ),
    }
}

/// The names of `bounds` of a model, as far as they mean something without one.
fn value(target: &Target, gb: f64) -> Value {
    let theory = target.theory.as_ref();
    let gb_per_s = theory.map(|theory| theory.gb_per_s);
    let bound = gb_per_s.map(|gb_per_s| tokens_per_s(gb_per_s, gb));
    let bytes = (gb * 1e9).round() as u64;
    json!({
        "board": target.board.map(|board| &board.id),
        "processor": target.processor,
        "model": null,
        "quant": null,
        "depth": 0,
        "bandwidth_gb_s": gb_per_s,
        "file_bytes": bytes,
        "read_bytes_per_token": bytes,
        "bound_file_tokens_per_s": bound,
        "bound_read_tokens_per_s": bound,
        "bound_tokens_per_s": bound,
        "expected": interval(target, gb).map(|(low, high)| json!({ "label": "predicted", "low": low, "high": high })),
        "no_prediction": target.no_prediction,
        "sources": {
            "bandwidth_gb_s": theory.map(|theory| &theory.source),
            "read_bytes_per_token": "given on the command line",
        },
    })
}
