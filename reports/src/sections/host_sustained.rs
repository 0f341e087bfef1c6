//! Minutes of decoding: what is left of the first seconds' speed once the board is warm.

use serde::Serialize;

use super::{Page, doubt, value};
use crate::svg::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
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

fn timeline_view(text: &bench_locales::Text, i: usize, timeline: &Timeline) -> TimelineView {
    let model = timeline.unit.model.as_ref();
    let title = format!(
        "{}, {}",
        model.map_or_else(String::new, |model| format!(
            "{} {} @ d{}",
            format::foreign_short(&model.model, 40),
            format::foreign_short(&model.quant, 20),
            model.depth
        )),
        format::count(timeline.unit.cpus.len(), "thread", "threads")
    );
    let chart = |what: &str, unit: &str, points: &[(f64, f64)]| match points.is_empty() {
        true => String::new(),
        false => {
            let caption = Caption {
                id: &format!("sustained-{what}-{i}"),
                title: &format!("{unit} over time, {title}"),
                description: "From left to right the seconds since the first sample began.",
            };
            xy_chart(
                &caption,
                &XyChart {
                    x: Axis {
                        label: "seconds since the first sample began".into(),
                        kind: AxisKind::Linear,
                    },
                    y: Axis {
                        label: unit.to_owned(),
                        kind: AxisKind::Linear,
                    },
                    series: vec![Series {
                        label: String::new(),
                        points: points.to_vec(),
                        style: Style::Thin,
                    }],
                    places: Vec::new(),
                },
            )
        }
    };
    TimelineView {
        sentence: sentence(timeline),
        doubt: doubt(text, usize::from(timeline.unit.verdict != Verdict::Ok), 1),
        speed: chart("speed", "tokens/s", &timeline.tokens_per_s),
        clock: chart("clock", "MHz, the slowest of its CPUs", &timeline.mhz),
        temperature: chart("temperature", "°C, the hottest zone", &timeline.celsius),
        rows: rows(timeline),
        title,
    }
}

/// Medians over spans of time, so that minutes of samples fit a table.
fn rows(timeline: &Timeline) -> Vec<Row> {
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
    let row = |i: usize| {
        let text =
            |points: &[(f64, f64)]| median(points, i).map_or_else(String::new, format::number);
        Some(Row {
            seconds: format!(
                "{} to {}",
                format::number(i as f64 * span),
                format::number((i + 1) as f64 * span)
            ),
            tokens: format::number(median(&timeline.tokens_per_s, i)?),
            mhz: text(&timeline.mhz),
            celsius: text(&timeline.celsius),
        })
    };
    (0..N_SPANS).filter_map(row).collect()
}

fn sentence(timeline: &Timeline) -> String {
    let (burst, sustained) = (timeline.burst(), timeline.sustained());
    let seconds = timeline.tokens_per_s.last().map_or(0.0, |last| last.0);
    let mut missing = Vec::new();
    if timeline.mhz.is_empty() {
        missing.push("the clock".to_owned());
    }
    if timeline.celsius.is_empty() {
        missing.push("the temperature".to_owned());
    }
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!(
            " This board does not tell {}.",
            format::enumeration(&missing)
        ),
    };
    format!(
        "{} at first, {} in the second half of {}: {} is kept.{missing}",
        format::tokens_per_s(burst),
        format::tokens_per_s(sustained),
        format::seconds(seconds),
        format::percent(sustained / burst)
    )
}
