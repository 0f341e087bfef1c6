//! What other traffic on the bus costs: tokens per second lost per GB/s that others read.

use serde::Serialize;

use bench_locales::Figure::{GbPerS, Percent, TokensPerS};
use bench_locales::{Text, message, say};

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::shared::experiment::{self, Experiment};
use crate::pages::{Page, doubt, model_label};
use bench_analysis::measured::{Interference, UnitKind};

#[derive(Serialize)]
struct Row {
    traffic: String,
    tokens: String,
    share: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let all: Vec<Interference> = (page.host()?.interferences().into_iter())
        .filter(|one| one.kind == UnitKind::Decode)
        .collect();
    experiment::view(&all, |i, one| one_view(page.text, i, one))
}

fn one_view(text: &Text, i: usize, one: &Interference) -> Experiment<Row> {
    let title = say!(
        text,
        "interference-title",
        model = one.model.as_ref().map_or_else(String::new, model_label),
        threads = message!("threads", n = one.n_threads),
        readers = message!("readers", n = one.n_readers),
    );
    let caption = Caption {
        text,
        id: &format!("interference-{i}"),
        title: &say!(text, "interference-chart", title = &title),
        description: &say!(text, "interference-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "interference-axis"),
            kind: AxisKind::Linear,
        },
        y: Axis {
            label: say!(text, "axis-tokens-per-s"),
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
    Experiment {
        sentence: sentence(text, one),
        doubt: doubt(text, one.n_suspect, one.points.len()),
        chart: xy_chart(&caption, &chart),
        rows: (one.points.iter())
            .map(|(traffic, tokens)| Row {
                traffic: text.figure(GbPerS(*traffic)),
                tokens: text.figure(TokensPerS(*tokens)),
                share: text.figure(Percent(tokens / quiet)),
            })
            .collect(),
        title,
    }
}

fn sentence(text: &Text, one: &Interference) -> String {
    let (Some(first), Some(last)) = (one.points.first(), one.points.last()) else {
        return String::new();
    };
    let cost = match one.clear_slope() {
        Some(slope) if slope < 0.0 => say!(text, "interference-cost", cost = TokensPerS(-slope)),
        _ => say!(text, "interference-no-cost"),
    };
    let (traffic, loaded, quiet) = (GbPerS(last.0), TokensPerS(last.1), TokensPerS(first.1));
    let most = match one.alone_gb_per_s {
        Some(alone) => say!(
            text,
            "interference-most-of",
            traffic = traffic,
            alone = GbPerS(alone),
            loaded = loaded,
            quiet = quiet,
        ),
        None => say!(
            text,
            "interference-most",
            traffic = traffic,
            loaded = loaded,
            quiet = quiet,
        ),
    };
    format!("{cost} {most}")
}
