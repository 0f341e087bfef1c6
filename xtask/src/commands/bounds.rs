//! `bounds`: theoretical tokens per second of one model on one board.

use bench_inventory::Quant;
use bench_reports::bounds;
use clap::Args;

use crate::exit::{self, ExitError};
use crate::{Format, Global};

/// Options of `bounds`.
#[derive(Debug, Args)]
pub struct BoundsArgs {
    /// Board of the catalogue
    #[arg(long)]
    board: String,
    /// Model of the catalogue
    #[arg(long)]
    model: String,
    /// Quantisation
    #[arg(long)]
    quant: String,
    /// Tokens in the KV cache
    #[arg(long, default_value_t = 0)]
    depth: u64,
    /// Bandwidth to use instead of the board's, GB/s (10^9 bytes per second)
    #[arg(long, value_name = "X", value_parser = positive)]
    bandwidth_gb_s: Option<f64>,
    /// Bytes read per token to use instead of the model's, GB (10^9 bytes)
    #[arg(long, value_name = "X", value_parser = positive)]
    bytes_gb: Option<f64>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above zero".to_string()),
    }
}

/// Prints the bounds.
///
/// # Errors
/// When board, model or quantisation are unknown, with the nearest match.
pub fn bounds(global: &Global, args: &BoundsArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let board = inventory.boards.get(&args.board).ok_or_else(|| {
        super::unknown(
            "board",
            &args.board,
            inventory.boards.keys().map(String::as_str),
        )
    })?;
    let model = inventory.models.get(&args.model).ok_or_else(|| {
        super::unknown(
            "model",
            &args.model,
            inventory.models.keys().map(String::as_str),
        )
    })?;
    let quant = Quant::from_id(&args.quant).map_err(|error| ExitError::usage(error.to_string()))?;
    let bounds = bounds::compute(
        board,
        model,
        quant,
        args.depth,
        args.bandwidth_gb_s,
        args.bytes_gb,
    );
    match global.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&bounds)?),
        Format::Text => println!("{}", bounds.table()),
    }
    Ok(exit::OK)
}
