//! The decision table as a frame.

use polars::prelude::*;

use super::{column, frame};
use bench_analysis::choice::decide::{Decision, Expected, Scenario};
use bench_analysis::choice::decisions::{Decisions, Place};

/// One row per host or memory, model and quantisation, with an empty KV cache: `bound_tokens_per_s` by the measured
/// bandwidth of a host or the theory of a board, what is `measured` or `predicted` with its interval, bytes of RAM that
/// it needs, whether those fit, and the limit that binds.
///
/// # Errors
/// When polars refuses the columns.
pub fn decisions(decisions: &Decisions) -> anyhow::Result<DataFrame> {
    let rows: Vec<(&Place, &Scenario, &Decision)> = decisions.rows().collect();
    type Row<'a> = (&'a Place<'a>, &'a Scenario<'a>, &'a Decision);
    let text = |pick: fn(&Row) -> Option<String>| rows.iter().map(pick).collect::<Vec<_>>();
    let rate = |pick: fn(&Row) -> Option<f64>| rows.iter().map(pick).collect::<Vec<_>>();
    let of_expected = |pick: fn(&Expected) -> f64| {
        (rows.iter())
            .map(|row| row.2.expected.as_ref().map(pick))
            .collect::<Vec<_>>()
    };
    frame(vec![
        column(
            "place",
            text(|row| {
                let kind = if row.0.is_host() { "host" } else { "board" };
                Some(kind.to_owned())
            }),
        ),
        column("target", text(|row| Some(row.2.target.clone()))),
        column("name", text(|row| Some(row.0.name.to_string()))),
        column("processor", text(|row| Some(row.2.processor.clone()))),
        column("model", text(|row| Some(row.2.model.clone()))),
        column("quant", text(|row| Some(row.2.quant.clone()))),
        column("bandwidth_gb_s", rate(|row| row.0.gb_per_s())),
        column(
            "file_bytes",
            rows.iter()
                .map(|row| row.1.file_bytes)
                .collect::<Vec<u64>>(),
        ),
        column(
            "read_bytes_per_token",
            rows.iter()
                .map(|row| row.1.read_bytes_per_token)
                .collect::<Vec<u64>>(),
        ),
        column("bound_tokens_per_s", rate(|row| row.2.bound_tokens_per_s)),
        column("low_tokens_per_s", of_expected(|expected| expected.low)),
        column("tokens_per_s", of_expected(|expected| expected.middle)),
        column("high_tokens_per_s", of_expected(|expected| expected.high)),
        column(
            "label",
            text(|row| Some(row.2.expected.as_ref()?.label.name().to_owned())),
        ),
        column("limit", text(|row| Some(row.2.limit.to_string()))),
        column(
            "needed_bytes",
            rows.iter()
                .map(|row| row.2.need.total_bytes())
                .collect::<Vec<u64>>(),
        ),
        column(
            "room_bytes",
            (rows.iter())
                .map(|row| row.2.room.as_ref().map(|room| room.bytes))
                .collect::<Vec<_>>(),
        ),
        column(
            "fits",
            rows.iter().map(|row| row.2.fits).collect::<Vec<_>>(),
        ),
        column(
            "max_context",
            rows.iter().map(|row| row.2.max_context).collect::<Vec<_>>(),
        ),
    ])
}
