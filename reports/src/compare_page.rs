//! A comparison as a page: one file without scripts, in the style of the report.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use crate::report::{self, Part};
use crate::svg::{Caption, RatioMark, RatioRow, ratio_chart};
use crate::words::{Language, Words};
use bench_analysis::compare::{Change, Comparison, LeftOut, Outcome, Pair};
use bench_run_dir::format;

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
    outcome: &'static str,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct LeftOutRow {
    unit: String,
    side: &'static str,
    reason: String,
}

/// The page as HTML, in a language.
///
/// # Errors
/// When a template does not fit its view model.
pub fn page(comparison: &Comparison, language: Language) -> anyhow::Result<String> {
    page_in(comparison, &Words::new(language))
}

/// The page as HTML in the language of `words`, which remember what they could not say.
///
/// # Errors
/// When a template does not fit its view model.
pub fn page_in(comparison: &Comparison, words: &Words) -> anyhow::Result<String> {
    let changes: Vec<ChangeRow> = comparison.changes.iter().map(change_row).collect();
    let left_out: Vec<LeftOutRow> = comparison.left_out.iter().map(left_out_row).collect();
    let mut parts = vec![
        Part {
            id: "short",
            title: "In short",
            template: "comparison_short.html.j2",
            source: include_str!("compare_page/short.html.j2"),
            view: Value::from(Serde(short(comparison))),
        },
        Part {
            id: "changes",
            title: "What else differs",
            template: "comparison_changes.html.j2",
            source: include_str!("compare_page/changes.html.j2"),
            view: Value::from(Serde(changes)),
        },
    ];
    if !comparison.pairs.is_empty() {
        parts.push(Part {
            id: "pairs",
            title: "Unit by unit",
            template: "comparison_pairs.html.j2",
            source: include_str!("compare_page/pairs.html.j2"),
            view: Value::from(Serde(pairs(comparison))),
        });
    }
    if !left_out.is_empty() {
        parts.push(Part {
            id: "left_out",
            title: "Not compared",
            template: "comparison_left_out.html.j2",
            source: include_str!("compare_page/left_out.html.j2"),
            view: Value::from(Serde(left_out)),
        });
    }
    report::standalone(
        "Comparison of measurements",
        "B against A",
        "Triangles are confirmed differences and point to where B lies, hollow circles are differences that are not shown, not confirmed or not judged; lines are 95 % intervals.",
        parts,
        words,
    )
}

fn short(comparison: &Comparison) -> Short {
    let subjects = |side: &bench_analysis::compare::Side| {
        side.subjects
            .iter()
            .map(bench_analysis::compare::SubjectName::words)
            .collect()
    };
    Short {
        headline: comparison.headline(),
        a: subjects(&comparison.a),
        b: subjects(&comparison.b),
        basis: comparison.basis_sentence(),
        control: comparison.control_sentence(),
    }
}

fn change_row(change: &Change) -> ChangeRow {
    let side = |values: &[String]| match values {
        [] => format::UNKNOWN.to_owned(),
        values => format::foreign_short(&values.join("; "), 300),
    };
    ChangeRow {
        what: format::foreign_short(&change.what, 120),
        a: side(&change.a),
        b: side(&change.b),
    }
}

fn pairs(comparison: &Comparison) -> Pairs {
    let shown = &comparison.pairs[..comparison.pairs.len().min(MAX_CHART_ROWS)];
    let rows: Vec<RatioRow> = shown.iter().map(chart_row).collect();
    let caption = Caption {
        id: "ratios",
        title: "Speed of B over speed of A, unit by unit",
        description: "One row per unit, the largest difference first: a mark for the difference and a line for its 95 % interval. The table below has the same figures.",
    };
    Pairs {
        chart: ratio_chart(
            &caption,
            ("\u{2190} B is slower", "B is faster \u{2192}"),
            &rows,
        ),
        chart_note: (comparison.pairs.len() > shown.len()).then(|| {
            format!(
                "The picture shows the {} largest differences, the table all {}.",
                shown.len(),
                comparison.pairs.len()
            )
        }),
        rows: comparison.pairs.iter().map(pair_row).collect(),
    }
}

fn chart_row(pair: &Pair) -> RatioRow {
    RatioRow {
        label: pair.name(),
        value: match pair.outcome {
            Outcome::NotShown => format!("{}, not shown", pair.difference()),
            outcome => format!("{}, {}", pair.difference(), outcome.words()),
        },
        mark: match pair.outcome {
            Outcome::Faster => RatioMark::Above,
            Outcome::Slower => RatioMark::Below,
            Outcome::NotShown | Outcome::Unconfirmed | Outcome::NotJudged => RatioMark::Neither,
        },
        ratio: pair.ratio,
        interval: pair.low.zip(pair.high),
    }
}

fn pair_row(pair: &Pair) -> PairRow {
    let name = |unit: &str| format::foreign_short(unit, 100);
    PairRow {
        unit: name(&pair.unit_a),
        unit_b: (pair.unit_a != pair.unit_b).then(|| name(&pair.unit_b)),
        a: pair.metric.words(pair.a.value),
        a_evidence: pair.a.evidence(),
        b: pair.metric.words(pair.b.value),
        b_evidence: pair.b.evidence(),
        difference: pair.difference(),
        interval: pair
            .interval()
            .unwrap_or_else(|| format::UNKNOWN.to_owned()),
        badge: match pair.outcome {
            Outcome::Faster => "ok",
            Outcome::Slower => "invalid",
            Outcome::NotShown => "theory",
            Outcome::Unconfirmed | Outcome::NotJudged => "suspect",
        },
        outcome: pair.outcome.words(),
        notes: (pair.notes.iter())
            .map(|note| format::foreign_short(note, 400))
            .collect(),
    }
}

fn left_out_row(left_out: &LeftOut) -> LeftOutRow {
    LeftOutRow {
        unit: format::foreign_short(&left_out.unit, 100),
        side: left_out.side,
        reason: format::foreign_short(&left_out.reason, 400),
    }
}
