//! The quantisation ladder: what fewer bytes per weight really buy.

use serde::Serialize;

use super::{Page, doubt, mark_class, value};
use crate::svg::{Bar, Caption, Mark, bar_chart};
use bench_analysis::measured::{Ladder, LadderStep};
use bench_run_dir::format;

/// A gain this near to what the bytes promise is as promised.
const AS_PROMISED: f64 = 0.05;

#[derive(Serialize)]
struct View {
    ladders: Vec<LadderView>,
}

#[derive(Serialize)]
struct LadderView {
    title: String,
    sentence: String,
    doubt: String,
    chart: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    quant: String,
    bytes: String,
    tokens: String,
    byte_ratio: String,
    speed_ratio: String,
    deviation: String,
    extrapolated: bool,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let ladders = page.host()?.ladders();
    if ladders.is_empty() {
        return None;
    }
    let ladders = ladders.iter().enumerate();
    value(View {
        ladders: ladders
            .map(|(i, ladder)| ladder_view(page.text, i, ladder))
            .collect(),
    })
}

fn ladder_view(text: &bench_locales::Text, i: usize, ladder: &Ladder) -> LadderView {
    let title = format!(
        "{} @ d{}, {}",
        format::foreign_short(&ladder.model, 40),
        ladder.depth,
        format::count(ladder.n_threads, "thread", "threads")
    );
    let first = ladder.steps[0].tokens_per_s;
    let bars: Vec<Bar> = (ladder.steps.iter())
        .map(|step| Bar {
            label: format!(
                "{} · {}",
                format::foreign_short(&step.quant, 20),
                format::decimal_bytes(step.token_bytes as u64)
            ),
            value: format::tokens_per_s(step.tokens_per_s),
            marks: vec![
                Mark::Bar(mark_class(step.verdict), step.tokens_per_s),
                Mark::Bound(first * step.byte_ratio),
            ],
        })
        .collect();
    let caption = Caption {
        id: &format!("ladder-{i}"),
        title: &format!("Tokens per second over quantisations, {title}"),
        description: "One bar per quantisation, from many bytes to few. Dashed tick: what the bytes alone promise, starting from the first bar.",
    };
    LadderView {
        sentence: sentence(&ladder.steps),
        doubt: doubt(text, ladder.n_suspect(), ladder.steps.len()),
        chart: bar_chart(&caption, "tokens/s", &bars),
        rows: ladder.steps.iter().map(row).collect(),
        title,
    }
}

fn sentence(steps: &[LadderStep]) -> String {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return String::new();
    };
    let missed: Vec<String> = (steps.iter())
        .filter(|step| step.deviation() < -AS_PROMISED)
        .map(|step| format::foreign_short(&step.quant, 20))
        .collect();
    let gain = format!(
        "From {} to {} a token moves {} times fewer bytes and comes {} times faster.",
        format::foreign_short(&first.quant, 20),
        format::foreign_short(&last.quant, 20),
        format::number(last.byte_ratio),
        format::number(last.speed_ratio)
    );
    match missed.is_empty() {
        true => format!("{gain} Every step gains what its bytes promise, within 5 %."),
        false => format!(
            "{gain} Less than the bytes promise, by more than 5 %: {}; there the cores, not the memory, set the pace.",
            format::enumeration(&missed)
        ),
    }
}

fn row(step: &LadderStep) -> Row {
    Row {
        quant: format::foreign_short(&step.quant, 20),
        bytes: format::decimal_bytes(step.token_bytes as u64),
        tokens: format::tokens_per_s(step.tokens_per_s),
        byte_ratio: format!("{} ×", format::number(step.byte_ratio)),
        speed_ratio: format!("{} ×", format::number(step.speed_ratio)),
        deviation: format::signed_percent(step.deviation()),
        extrapolated: step.extrapolated,
    }
}
