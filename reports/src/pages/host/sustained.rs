//! Minutes of decoding: what is left of the first seconds' speed once the board is warm.

use bench_locales::Figure::{Number, Percent, Seconds, TokensPerS};
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::{Page, doubt, figure_or_empty, value};
use bench_analysis::measured::Timeline;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    timelines: Vec<TimelineView>,
}

#[derive(Serialize)]
struct TimelineView {
    title: String,
    sentence: String,
    doubt: String,
    speed: String,
    clock: String,
    temperature: String,
    rows: Vec<Row>,
}

/// A span of time.
#[derive(Serialize)]
struct Row {
    seconds: String,
    tokens: String,
    mhz: String,
    celsius: String,
}

/// Rows of the table: as many spans of the same length.
const N_SPANS: usize = 10;

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let timelines = page.host()?.timelines();
    if timelines.is_empty() {
        return None;
    }
    let timelines = timelines.iter().enumerate();
    value(View {
        timelines: timelines
            .map(|(i, timeline)| timeline_view(page.text, i, timeline))
            .collect(),
    })
}

fn timeline_view(text: &Text, i: usize, timeline: &Timeline) -> TimelineView {
    let model = timeline.unit.model.as_ref();
    let what = model.map_or_else(String::new, |model| {
        format!(
            "{} {} @ d{}",
            format::foreign_short(&model.model, 40),
            format::foreign_short(&model.quant, 20),
            model.depth
        )
    });
    let threads = message!("threads", n = timeline.unit.cpus.len());
    let title = say!(text, "with-threads", what = what, threads = threads);
    TimelineView {
        sentence: sentence(text, timeline),
        doubt: doubt(text, usize::from(timeline.unit.verdict != Verdict::Ok), 1),
        speed: chart(
            text,
            &format!("sustained-speed-{i}"),
            &say!(text, "sustained-speed-chart", title = &title),
            say!(text, "axis-tokens-per-s"),
            &timeline.tokens_per_s,
        ),
        clock: chart(
            text,
            &format!("sustained-clock-{i}"),
            &say!(text, "sustained-clock-chart", title = &title),
            say!(text, "sustained-clock-axis"),
            &timeline.mhz,
        ),
        temperature: chart(
            text,
            &format!("sustained-temperature-{i}"),
            &say!(text, "sustained-temperature-chart", title = &title),
            say!(text, "sustained-temperature-axis"),
            &timeline.celsius,
        ),
        rows: rows(text, timeline),
        title,
    }
}

/// A quantity over time; empty without points.
fn chart(text: &Text, id: &str, title: &str, axis: String, points: &[(f64, f64)]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let caption = Caption {
        text,
        id,
        title,
        description: &say!(text, "sustained-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "sustained-time-axis"),
            kind: AxisKind::Linear,
        },
        y: Axis {
            label: axis,
            kind: AxisKind::Linear,
        },
        series: vec![Series {
            label: String::new(),
            points: points.to_vec(),
            style: Style::Thin,
        }],
        places: Vec::new(),
    };
    xy_chart(&caption, &chart)
}

/// Medians over spans of time, so that minutes of samples fit a table.
fn rows(text: &Text, timeline: &Timeline) -> Vec<Row> {
    let end = timeline.tokens_per_s.last().map_or(0.0, |last| last.0);
    let span = end / N_SPANS as f64;
    let median = |points: &[(f64, f64)], i: usize| {
        let is_last = i + 1 == N_SPANS;
        let mut values: Vec<f64> = (points.iter())
            .filter(|(at, _)| *at >= i as f64 * span && (is_last || *at < (i + 1) as f64 * span))
            .map(|(_, value)| *value)
            .collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let number =
        |points: &[(f64, f64)], i: usize| figure_or_empty(text, median(points, i).map(Number));
    let row = |i: usize| {
        let (from, to) = (i as f64 * span, (i + 1) as f64 * span);
        Some(Row {
            seconds: say!(text, "range", from = Number(from), to = Number(to)),
            tokens: text.figure(Number(median(&timeline.tokens_per_s, i)?)),
            mhz: number(&timeline.mhz, i),
            celsius: number(&timeline.celsius, i),
        })
    };
    (0..N_SPANS).filter_map(row).collect()
}

fn sentence(text: &Text, timeline: &Timeline) -> String {
    let (burst, sustained) = (timeline.burst(), timeline.sustained());
    let seconds = timeline.tokens_per_s.last().map_or(0.0, |last| last.0);
    let kept = say!(
        text,
        "sustained-kept",
        first = TokensPerS(burst),
        later = TokensPerS(sustained),
        time = Seconds(seconds),
        share = Percent(sustained / burst),
    );
    let missing = match (timeline.mhz.is_empty(), timeline.celsius.is_empty()) {
        (true, true) => say!(text, "sustained-no-clock-no-temperature"),
        (true, false) => say!(text, "sustained-no-clock"),
        (false, true) => say!(text, "sustained-no-temperature"),
        (false, false) => return kept,
    };
    format!("{kept} {missing}")
}
