//! A comparison as a page: one file, in the style of the report.

use std::sync::Arc;

use bench_locales::Figure::Percent;
use bench_locales::{Text, message, say};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use crate::charts::{Caption, RatioMark, RatioRow, ratio_chart};
use crate::report::{self, Part};
use bench_analysis::compare::{Change, Comparison, LeftOut, Outcome, Pair};
use bench_run_dir::format;

/// Level of the intervals of a comparison.
const LEVEL: f64 = 0.95;

/// Rows of the picture; the table has all.
const MAX_CHART_ROWS: usize = 80;

#[derive(Serialize)]
struct Short {
    headline: String,
    a: Vec<String>,
    b: Vec<String>,
    basis: String,
    control: String,
}

#[derive(Serialize)]
struct ChangeRow {
    what: String,
    a: String,
    b: String,
}

#[derive(Serialize)]
struct Pairs {
    chart: String,
    chart_note: Option<String>,
    level: String,
    rows: Vec<PairRow>,
}

#[derive(Serialize)]
struct PairRow {
    unit: String,
    unit_b: Option<String>,
    a: String,
    a_evidence: String,
    b: String,
    b_evidence: String,
    difference: String,
    interval: String,
    badge: &'static str,
    outcome: String,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct LeftOutRow {
    unit: String,
    side: &'static str,
    reason: String,
}

/// The page as HTML in the language of a text.
///
/// # Errors
/// When a template does not fit its view model.
pub fn page(comparison: &Comparison, text: Text) -> anyhow::Result<String> {
    let text = &Arc::new(text);
    let changes: Vec<ChangeRow> = (comparison.changes.iter())
        .map(|change| change_row(text, change))
        .collect();
    let left_out: Vec<LeftOutRow> = (comparison.left_out.iter())
        .map(|it| left_out_row(text, it))
        .collect();
    let mut parts = vec![
        Part {
            id: "short",
            title: say!(text, "section-in-short"),
            template: "comparison_short.html.j2",
            source: include_str!("compare/short.html.j2"),
            view: Value::from(Serde(short(text, comparison))),
        },
        Part {
            id: "changes",
            title: say!(text, "comparison-changes"),
            template: "comparison_changes.html.j2",
            source: include_str!("compare/changes.html.j2"),
            view: Value::from(Serde(changes)),
        },
    ];
    if !comparison.pairs.is_empty() {
        parts.push(Part {
            id: "pairs",
            title: say!(text, "comparison-pairs"),
            template: "comparison_pairs.html.j2",
            source: include_str!("compare/pairs.html.j2"),
            view: Value::from(Serde(pairs(text, comparison))),
        });
    }
    if !left_out.is_empty() {
        parts.push(Part {
            id: "left_out",
            title: say!(text, "comparison-left-out"),
            template: "comparison_left_out.html.j2",
            source: include_str!("compare/left_out.html.j2"),
            view: Value::from(Serde(left_out)),
        });
    }
    report::standalone(
        [
            say!(text, "comparison-title"),
            say!(text, "comparison-b-against-a"),
            say!(text, "comparison-marks", level = Percent(LEVEL)),
        ],
        parts,
        text,
    )
}

fn short(text: &Text, comparison: &Comparison) -> Short {
    let subjects =
        |side: &bench_analysis::compare::Side| side.words().iter().map(|it| text.say(it)).collect();
    Short {
        headline: text.say(&comparison.headline()),
        a: subjects(&comparison.a),
        b: subjects(&comparison.b),
        basis: text.say(&comparison.basis_sentence()),
        control: text.say(&comparison.control_sentence()),
    }
}

fn change_row(text: &Text, change: &Change) -> ChangeRow {
    let side = |values: &[String]| match values {
        [] => text.unknown().to_owned(),
        values => format::foreign_short(&values.join("; "), 300),
    };
    ChangeRow {
        what: format::foreign_short(&text.say(&change.what), 120),
        a: side(&change.a),
        b: side(&change.b),
    }
}

fn pairs(text: &Text, comparison: &Comparison) -> Pairs {
    let shown = &comparison.pairs[..comparison.pairs.len().min(MAX_CHART_ROWS)];
    let rows: Vec<RatioRow> = (shown.iter()).map(|pair| chart_row(text, pair)).collect();
    let caption = Caption {
        text,
        id: "ratios",
        title: &say!(text, "comparison-chart"),
        description: &say!(text, "comparison-chart-text", level = Percent(LEVEL)),
    };
    Pairs {
        chart: ratio_chart(
            &caption,
            (
                &format!("\u{2190} {}", say!(text, "comparison-slower")),
                &format!("{} \u{2192}", say!(text, "comparison-faster")),
            ),
            &rows,
        ),
        chart_note: (comparison.pairs.len() > shown.len()).then(|| {
            say!(
                text,
                "comparison-chart-note",
                n = shown.len(),
                n_all = comparison.pairs.len(),
            )
        }),
        level: text.figure(Percent(LEVEL)),
        rows: (comparison.pairs.iter())
            .map(|pair| pair_row(text, pair))
            .collect(),
    }
}

fn chart_row(text: &Text, pair: &Pair) -> RatioRow {
    RatioRow {
        label: pair.name(),
        value: format!(
            "{}, {}",
            text.say(&pair.difference()),
            match pair.outcome {
                Outcome::NotShown => say!(text, "comparison-not-shown"),
                outcome => text.say(&outcome.message()),
            }
        ),
        mark: match pair.outcome {
            Outcome::Faster => RatioMark::Above,
            Outcome::Slower => RatioMark::Below,
            Outcome::NotShown | Outcome::Unconfirmed | Outcome::NotJudged => RatioMark::Neither,
        },
        ratio: pair.ratio,
        interval: pair.low.zip(pair.high),
    }
}

fn pair_row(text: &Text, pair: &Pair) -> PairRow {
    let name = |unit: &str| format::foreign_short(unit, 100);
    PairRow {
        unit: name(&pair.unit_a),
        unit_b: (pair.unit_a != pair.unit_b).then(|| name(&pair.unit_b)),
        a: text.say(&pair.metric.words(pair.a.value)),
        a_evidence: text.say(&pair.a.evidence()),
        b: text.say(&pair.metric.words(pair.b.value)),
        b_evidence: text.say(&pair.b.evidence()),
        difference: text.say(&pair.difference()),
        interval: text.say(&pair.interval().unwrap_or_else(|| message!("unknown"))),
        badge: match pair.outcome {
            Outcome::Faster => "ok",
            Outcome::Slower => "invalid",
            Outcome::NotShown => "theory",
            Outcome::Unconfirmed | Outcome::NotJudged => "suspect",
        },
        outcome: text.say(&pair.outcome.message()),
        notes: (pair.notes.iter())
            .map(|note| format::foreign_short(&text.say(note), 400))
            .collect(),
    }
}

fn left_out_row(text: &Text, left_out: &LeftOut) -> LeftOutRow {
    LeftOutRow {
        unit: format::foreign_short(&left_out.unit, 100),
        side: left_out.side,
        reason: format::foreign_short(&text.say(&left_out.reason), 400),
    }
}
