//! Published measurements of a board: bandwidths and latencies, each with its test and its source.

use bench_inventory::{Board, PublishedFigure, PublishedLatency};
use bench_locales::Figure::{GbPerS, With};
use bench_locales::{Text, say};
use serde::Serialize;

use bench_run_dir::format;

/// Template of the table, for templates that include it; the figures stand in `view.published`.
pub(crate) const TEMPLATE: (&str, &str) = ("published.html.j2", include_str!("published.html.j2"));

/// A published figure.
#[derive(Serialize)]
pub(in crate::pages) struct Row {
    test: String,
    figure: String,
    meaning: String,
    source: String,
}

/// Bandwidths first, then latencies, each in the order of the catalogue.
pub(in crate::pages) fn rows(text: &Text, board: &Board) -> Vec<Row> {
    let bandwidths = (board.published.iter()).map(|figure| bandwidth(text, figure));
    bandwidths
        .chain((board.latencies.iter()).map(|figure| latency(text, figure)))
        .collect()
}

fn bandwidth(text: &Text, figure: &PublishedFigure) -> Row {
    Row {
        test: format::foreign(&figure.test),
        figure: text.figure(GbPerS(figure.gb_per_s)),
        meaning: match figure.convention.as_str() {
            "read" => say!(text, "counts-read"),
            "read_plus_write" => say!(text, "counts-read-and-written"),
            "bcopy" => say!(text, "counts-copied-once"),
            other => other.replace('_', " "),
        },
        source: format::foreign(&figure.source),
    }
}

fn latency(text: &Text, figure: &PublishedLatency) -> Row {
    Row {
        test: format::foreign(&figure.test),
        figure: text.figure(With(figure.latency_ns, "ns")),
        meaning: say!(text, "published-latency"),
        source: format::foreign(&figure.source),
    }
}
