//! What others measured on a board: bandwidths and latencies, each with its test and its source.

use bench_inventory::{Board, PublishedFigure, PublishedLatency};
use serde::Serialize;

use bench_run_dir::format;

/// Template of the table, for templates that include it; the figures stand in `view.published`.
pub(crate) const TEMPLATE: (&str, &str) = ("published.html.j2", include_str!("published.html.j2"));

/// A published figure.
#[derive(Serialize)]
pub(super) struct Row {
    test: String,
    figure: String,
    meaning: String,
    source: String,
}

/// Bandwidths first, then latencies, each in the order of the catalogue.
pub(super) fn rows(board: &Board) -> Vec<Row> {
    let bandwidths = board.published.iter().map(bandwidth);
    bandwidths
        .chain(board.latencies.iter().map(latency))
        .collect()
}

fn bandwidth(figure: &PublishedFigure) -> Row {
    Row {
        test: format::foreign(&figure.test),
        figure: format::gb_per_s(figure.gb_per_s),
        meaning: match figure.convention.as_str() {
            "read" => "bytes read".into(),
            "read_plus_write" => "bytes read and written".into(),
            "bcopy" => "copied bytes counted once".into(),
            other => other.replace('_', " "),
        },
        source: format::foreign(&figure.source),
    }
}

fn latency(figure: &PublishedLatency) -> Row {
    Row {
        test: format::foreign(&figure.test),
        figure: format!("{} ns", format::number(figure.latency_ns)),
        meaning: "latency of one load".into(),
        source: format::foreign(&figure.source),
    }
}
