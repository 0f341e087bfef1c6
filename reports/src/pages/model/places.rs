//! One model on every board and host: a picture for one quantisation, a table for all of them.

use bench_locales::Figure::{Number, TokensPerS};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::index::choose;
use crate::pages::{Page, Scope, value};
use bench_analysis::choice::decide::Decision;
use bench_analysis::choice::decisions::{Place, REFERENCE_QUANT, load_quant};
use bench_analysis::label::Label;

#[derive(Serialize)]
struct View {
    quant: String,
    chart: String,
    rows: Vec<choose::Row>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let Scope::Model(model) = page.scope else {
        return None;
    };
    let text = page.text;
    let of_model = || (page.decisions.rows()).filter(|(_, load, _)| load.model.id == model.id);
    let first = of_model().next()?;
    // A real file has one quantisation, its own.
    let drawn = of_model()
        .find(|(_, load, _)| load.quant == Some(REFERENCE_QUANT))
        .unwrap_or(first);
    let quant_id = drawn.1.quant_id.as_str();
    let mut bars: Vec<(f64, Bar)> = of_model()
        .filter(|(_, load, _)| load.quant_id == quant_id)
        .filter_map(|(place, _, decision)| bar(text, place, decision))
        .collect();
    bars.sort_by(|a, b| b.0.total_cmp(&a.0));
    let bars: Vec<Bar> = bars.into_iter().map(|(_, bar)| bar).collect();
    let caption = Caption {
        text,
        id: "model",
        title: &say!(text, "model-chart"),
        description: &say!(text, "model-chart-text"),
    };
    value(View {
        quant: load_quant(drawn.1),
        chart: match bars.is_empty() {
            true => String::new(),
            false => bar_chart(&caption, &say!(text, "axis-tokens-per-s"), &bars),
        },
        rows: of_model()
            .map(|(place, load, decision)| choose::row(text, place, load, decision))
            .collect(),
    })
}

fn bar(text: &Text, place: &Place, decision: &Decision) -> Option<(f64, Bar)> {
    let bound = decision.bound_tokens_per_s?;
    let mut marks = vec![Mark::Theory(bound)];
    let expected = decision.expected.as_ref();
    if let Some(expected) = expected {
        let kind = match expected.label {
            Label::Measured if expected.disturbed => "suspect",
            Label::Measured => "measured",
            _ => "predicted",
        };
        marks.push(Mark::Bar(kind, expected.middle));
        marks.push(Mark::Interval(expected.low, expected.high));
    }
    let bound_tokens = TokensPerS(bound);
    let value = match expected {
        None => say!(text, "model-bar-bound", bound = bound_tokens),
        Some(it) if it.label == Label::Measured => say!(
            text,
            "model-bar-measured",
            rate = Number(it.middle),
            bound = bound_tokens,
        ),
        Some(it) => say!(
            text,
            "model-bar-predicted",
            low = Number(it.low),
            high = Number(it.high),
            bound = bound_tokens,
        ),
    };
    let fit = match decision.fits {
        Some(false) => format!(" · {}", choose::fit(text, place, decision)),
        _ => String::new(),
    };
    Some((
        bound,
        Bar {
            label: format!(
                "{} · {}{fit}",
                text.say(&place.name),
                place.target.processor.to_uppercase()
            ),
            value,
            marks,
        },
    ))
}
