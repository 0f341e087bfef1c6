//! What other traffic on the bus costs: tokens per second lost per GB/s that others read.

use serde::Serialize;

use super::{Page, doubt, value};
use crate::svg::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use bench_analysis::measured::{Interference, UnitKind};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    all: Vec<OneView>,
}

#[derive(Serialize)]
struct OneView {
    title: String,
    sentence: String,
    doubt: String,
    chart: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    traffic: String,
    tokens: String,
    share: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let all: Vec<Interference> = (page.host()?.interferences().into_iter())
        .filter(|one| one.kind == UnitKind::Decode)
        .collect();
    if all.is_empty() {
        return None;
    }
    let all = all.iter().enumerate();
    value(View {
        all: all.map(|(i, one)| one_view(i, one)).collect(),
    })
}

fn one_view(i: usize, one: &Interference) -> OneView {
    let model = one.model.as_ref().map_or_else(String::new, |model| {
        format!(
            "{} {} @ d{}",
            format::foreign_short(&model.model, 40),
            format::foreign_short(&model.quant, 20),
            model.depth
        )
    });
    let title = format!(
        "{model}, {}, {} beside it",
        format::count(one.n_threads, "thread", "threads"),
        format::count(one.n_readers, "reader", "readers")
    );
    let caption = Caption {
        id: &format!("interference-{i}"),
        title: &format!("Tokens per second while others read, {title}"),
        description: "To the right other cores read more; downwards fewer tokens per second are left.",
    };
    let chart = XyChart {
        x: Axis {
            label: "GB/s that the other cores read meanwhile".into(),
            kind: AxisKind::Linear,
        },
        y: Axis {
            label: "tokens/s".into(),
            kind: AxisKind::Linear,
        },
        series: vec![Series {
            label: String::new(),
            points: one.points.clone(),
            style: Style::Line,
        }],
        places: Vec::new(),
    };
    let quiet = one.points.first().map_or(f64::NAN, |point| point.1);
    OneView {
        sentence: sentence(one),
        doubt: doubt(one.n_suspect, one.points.len()),
        chart: xy_chart(&caption, &chart),
        rows: (one.points.iter())
            .map(|(traffic, tokens)| Row {
                traffic: format::gb_per_s(*traffic),
                tokens: format::tokens_per_s(*tokens),
                share: format::percent(tokens / quiet),
            })
            .collect(),
        title,
    }
}

fn sentence(one: &Interference) -> String {
    let (Some(first), Some(last)) = (one.points.first(), one.points.last()) else {
        return String::new();
    };
    let cost = match one.clear_slope() {
        Some(slope) if slope < 0.0 => format!(
            "Each GB/s that others read costs {}",
            format::tokens_per_s(-slope)
        ),
        _ => "What others read costs nothing beyond the scatter of these figures".to_owned(),
    };
    let alone = one.alone_gb_per_s.map_or_else(String::new, |alone| {
        format!(" (alone they reach {})", format::gb_per_s(alone))
    });
    format!(
        "{cost}. At most they read {}{alone}; the speed was {} then and {} on a quiet bus.",
        format::gb_per_s(last.0),
        format::tokens_per_s(last.1),
        format::tokens_per_s(first.1)
    )
}
