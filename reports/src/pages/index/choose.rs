//! The decision: every model and quantisation on every board and host, as one flat table that can be sorted and filtered.

use bench_locales::Figure::{BinaryBytes, Integer, Number, Percent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_analysis::choice::decide::{Decision, Scenario};
use bench_analysis::choice::decisions::{Decisions, Place, READING_TOKENS_PER_S, load_quant};
use bench_analysis::choice::predict;
use bench_analysis::limits::bounds;
use bench_run_dir::format;

/// Rows that the first page carries at most; above it only the best quantisation of each model is shown, and all of
/// them on the models' pages.
const MAX_ROWS: usize = 1_200;

#[derive(Serialize)]
struct View {
    min_context: u64,
    pace: String,
    level: String,
    calibration: Option<String>,
    is_short: bool,
    n_all: usize,
    rows: Vec<Row>,
}

/// One place and load.
#[derive(Serialize)]
pub(in crate::pages) struct Row {
    place: String,
    processor: String,
    href: String,
    model: String,
    model_href: String,
    quant: String,
    fits: bool,
    fit: String,
    bound: String,
    expected: String,
    label: String,
    limit: String,
    longest: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, decisions) = (page.text, page.decisions);
    let all = all_rows(decisions);
    (!all.is_empty()).then_some(())?;
    let n_all = all.len();
    let is_short = n_all > MAX_ROWS;
    let rows = match is_short {
        false => all,
        true => best_rows(all),
    };
    value(View {
        min_context: bounds::MIN_CONTEXT,
        pace: text.figure(Integer(READING_TOKENS_PER_S)),
        level: text.figure(Percent(predict::LEVEL)),
        calibration: predict::calibration(&decisions.machines)
            .map(|calibration| text.say(&calibration.sentence())),
        is_short,
        n_all,
        rows: (rows.into_iter())
            .map(|(place, load, decision)| row(text, place, load, decision))
            .collect(),
    })
}

type Cell<'a> = (&'a Place<'a>, &'a Scenario<'a>, &'a Decision);

fn all_rows<'a>(decisions: &'a Decisions<'a>) -> Vec<Cell<'a>> {
    decisions.rows().collect()
}

/// Of every place and model the first quantisation that fits and is fast enough, else the fastest that fits, else the
/// smallest: loads stand with the largest quantisation first.
fn best_rows(all: Vec<Cell>) -> Vec<Cell> {
    let same = |a: &Cell, b: &Cell| std::ptr::eq(a.0, b.0) && a.1.model.id == b.1.model.id;
    all.chunk_by(same)
        .filter_map(|cells| {
            let fitting = || cells.iter().filter(|cell| cell.2.fits != Some(false));
            fitting()
                .find(|cell| middle(cell.2) >= READING_TOKENS_PER_S)
                .or_else(|| fitting().max_by(|a, b| middle(a.2).total_cmp(&middle(b.2))))
                .or(cells.last())
                .copied()
        })
        .collect()
}

/// What is expected, or the bound where nothing is.
fn middle(decision: &Decision) -> f64 {
    let expected = decision.expected.as_ref().map(|expected| expected.middle);
    expected.or(decision.bound_tokens_per_s).unwrap_or(0.0)
}

pub(in crate::pages) fn row(
    text: &Text,
    place: &Place,
    load: &Scenario,
    decision: &Decision,
) -> Row {
    let expected = decision.expected.as_ref();
    Row {
        place: text.say(&place.name),
        processor: place.target.processor.to_uppercase(),
        href: href(place),
        model: format::foreign_short(&load.model.name, 40),
        model_href: format!("models/{}", page_name(&load.model.id)),
        quant: load_quant(load),
        fits: decision.fits != Some(false),
        fit: fit(text, place, decision),
        bound: text.figure_or_unknown(decision.bound_tokens_per_s.map(Number)),
        expected: expected.map_or_else(String::new, |it| text.say(&it.words())),
        label: expected.map_or_else(String::new, |it| text.say(&it.label.message())),
        limit: text.say(&decision.limit),
        longest: (decision.max_context)
            .map_or_else(String::new, |tokens| text.figure(Integer(tokens as f64))),
    }
}

/// Page of a place, relative to the index.
pub(in crate::pages) fn href(place: &Place) -> String {
    match place.board {
        Some(board) => format!("boards/{}", page_name(&board.id)),
        None => format!("hosts/{}", page_name(&place.target.name)),
    }
}

/// `fits`, `fits from 8 GiB`, `does not fit`.
pub(in crate::pages) fn fit(text: &Text, place: &Place, decision: &Decision) -> String {
    match (decision.fits, place.from_capacity_bytes(decision)) {
        (Some(true), Some(from)) => say!(text, "fits-from", capacity = BinaryBytes(from)),
        (Some(true), None) => say!(text, "fits"),
        (Some(false), _) => say!(text, "does-not-fit"),
        (None, _) => say!(text, "fit-unknown"),
    }
}
