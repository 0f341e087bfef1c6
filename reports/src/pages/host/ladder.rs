//! The quantisation ladder: how much faster fewer bytes per weight are.

use bench_locales::Figure::{DecimalBytes, Number, SignedPercent, TokensPerS, With};
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::shared::experiment::{self, Experiment};
use crate::pages::{Page, doubt, mark_class};
use bench_analysis::measured::{Ladder, LadderStep};
use bench_run_dir::format;

/// A gain that differs this little from the expected one is as expected; the messages name the same share.
const AS_EXPECTED: f64 = 0.05;

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

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    experiment::view(&page.host()?.ladders(), |i, ladder| {
        ladder_view(page.text, i, ladder)
    })
}

fn ladder_view(text: &Text, i: usize, ladder: &Ladder) -> Experiment<Row> {
    let model = format::foreign_short(&ladder.model, 40);
    let title = say!(
        text,
        "with-threads",
        what = format!("{model} @ d{}", ladder.depth),
        threads = message!("threads", n = ladder.n_threads),
    );
    let first = ladder.steps[0].tokens_per_s;
    let bars: Vec<Bar> = (ladder.steps.iter())
        .map(|step| Bar {
            label: format!(
                "{} · {}",
                format::foreign_short(&step.quant, 20),
                text.figure(DecimalBytes(step.token_bytes as u64))
            ),
            value: text.figure(TokensPerS(step.tokens_per_s)),
            marks: vec![
                Mark::Bar(mark_class(step.verdict), step.tokens_per_s),
                Mark::Bound(first * step.byte_ratio),
            ],
        })
        .collect();
    let caption = Caption {
        text,
        id: &format!("ladder-{i}"),
        title: &say!(text, "ladder-chart", title = &title),
        description: &say!(text, "ladder-chart-text"),
    };
    Experiment {
        sentence: sentence(text, &ladder.steps),
        doubt: doubt(text, ladder.n_suspect(), ladder.steps.len()),
        chart: bar_chart(&caption, &say!(text, "axis-tokens-per-s"), &bars),
        rows: (ladder.steps.iter()).map(|step| row(text, step)).collect(),
        title,
    }
}

fn sentence(text: &Text, steps: &[LadderStep]) -> String {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return String::new();
    };
    let missed: Vec<String> = (steps.iter())
        .filter(|step| step.deviation() < -AS_EXPECTED)
        .map(|step| format::foreign_short(&step.quant, 20))
        .collect();
    let gain = say!(
        text,
        "ladder-gain",
        first = format::foreign_short(&first.quant, 20),
        last = format::foreign_short(&last.quant, 20),
        fewer = Number(last.byte_ratio),
        faster = Number(last.speed_ratio),
    );
    let expected = match missed.is_empty() {
        true => say!(text, "ladder-as-expected"),
        false => say!(text, "ladder-less", steps = missed),
    };
    format!("{gain} {expected}")
}

fn row(text: &Text, step: &LadderStep) -> Row {
    Row {
        quant: format::foreign_short(&step.quant, 20),
        bytes: text.figure(DecimalBytes(step.token_bytes as u64)),
        tokens: text.figure(TokensPerS(step.tokens_per_s)),
        byte_ratio: text.figure(With(step.byte_ratio, "×")),
        speed_ratio: text.figure(With(step.speed_ratio, "×")),
        deviation: text.figure(SignedPercent(step.deviation())),
        extrapolated: step.extrapolated,
    }
}
