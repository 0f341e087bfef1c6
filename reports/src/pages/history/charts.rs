//! The lines of a host over the runs, a picture for each kind of figure, with its figures as a table.

use std::collections::BTreeMap;

use bench_locales::Figure::Number;
use bench_locales::{Text, say};
use serde::Serialize;

use crate::charts::{self, Caption, Timeline, TimelineLine, TimelinePoint};
use crate::date;
use crate::history::{Chart, History, HostHistory, Series};
use crate::pages::history::words as history_words;
use crate::pages::{Page, Scope, value};
use bench_analysis::validity::verdict::Verdict;

/// Lines of one picture: each has a colour of its own.
const N_LINES: usize = 5;

/// Rows of a table, the newest; a picture shows all runs.
const N_ROWS: usize = 400;

/// Figures in all tables of a page, so that it stays small enough for a phone.
const N_CELLS: usize = 4_000;

#[derive(Serialize)]
struct View {
    charts: Vec<ChartView>,
}

#[derive(Serialize)]
struct ChartView {
    title: String,
    svg: String,
    unit: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    n_left_out: usize,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (history, Scope::HostHistory(host)) = (page.history?, &page.scope) else {
        return None;
    };
    let text = page.text;
    let mut charts = Vec::new();
    for chart in Chart::ALL {
        let lines: Vec<&Series> = host
            .lines
            .iter()
            .filter(|line| line.chart == chart)
            .collect();
        let parts: Vec<&[&Series]> = lines.chunks(N_LINES).collect();
        for (i, part) in parts.iter().enumerate() {
            let title = match parts.len() {
                1 => text.say(&chart.title()),
                n => say!(
                    text,
                    "history-chart-part",
                    title = chart.title(),
                    n = i + 1,
                    n_all = n,
                ),
            };
            let id = format!("line-{}", charts.len());
            charts.push(chart_view(text, history, host, (&id, title), part));
        }
    }
    match charts.is_empty() {
        true => None,
        false => value(View { charts }),
    }
}

fn chart_view(
    text: &Text,
    history: &History,
    host: &HostHistory,
    (id, title): (&str, String),
    lines: &[&Series],
) -> ChartView {
    let figure = lines[0].chart.figure();
    let day = |run: usize| history.runs[run].started_s as f64 / date::DAY_S as f64;
    let point = |point: &crate::history::Point| TimelinePoint {
        day: day(point.run),
        value: point.value,
        is_usable: point.verdict.is_usable(),
        is_suspect: point.verdict == Verdict::Suspect,
        is_joined: point.is_joined,
    };
    // Equal thread counts stand at the axis, which leaves room for the picture.
    let n_threads = lines[0].n_threads;
    let are_alike = lines.iter().all(|line| line.n_threads == n_threads);
    let name = |line: &Series| match are_alike {
        true => text.say(&line.name()),
        false => text.say(&line.label()),
    };
    let line = |line: &&Series| TimelineLine {
        label: name(line),
        points: line.points.iter().map(point).collect(),
    };
    let first = host.visits.first().map_or(0, |visit| visit.run);
    let (from, to) = (day(first), day(history.runs.len() - 1));
    let marks = marks(text, history, host, lines);
    let unit = text.say(&figure.unit());
    let mut axis = vec![unit.clone()];
    axis.extend(are_alike.then(|| say!(text, "threads", n = n_threads)));
    axis.extend((!figure.more_is_better()).then(|| say!(text, "history-less-is-better")));
    let picture = Timeline {
        axis: axis.join(", "),
        lines: lines.iter().map(line).collect(),
        marks: marks
            .iter()
            .map(|(run, what)| (day(*run), what.clone()))
            .collect(),
        // Runs of one day have room, too.
        days: (from, to.max(from + 1.0)),
    };
    let caption = Caption {
        text,
        id,
        title: &title,
        description: &description(text, history, lines, &marks),
    };
    let mut rows = rows(text, history, lines);
    let n_rows = (N_CELLS / host.lines.len().max(1)).min(N_ROWS);
    let n_left_out = rows.len().saturating_sub(n_rows);
    rows.truncate(n_rows);
    ChartView {
        svg: charts::timeline(&caption, &picture),
        title,
        unit,
        columns: (lines.iter()).map(|line| text.say(&line.label())).collect(),
        rows,
        n_left_out,
    }
}

/// Runs from which on the lines were measured with something else, and with what.
fn marks(
    text: &Text,
    history: &History,
    host: &HostHistory,
    lines: &[&Series],
) -> Vec<(usize, String)> {
    let mut marks: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for line in lines {
        for pair in line.points.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            if a.setup == b.setup {
                continue;
            }
            let causes = host.causes((a.run, a.setup), (b.run, b.setup), &history.runs);
            let of_run = marks.entry(b.run).or_default();
            for cause in &causes {
                let cause = history_words::short_cause(text, cause);
                if !of_run.contains(&cause) {
                    of_run.push(cause);
                }
            }
        }
    }
    let marks = marks.into_iter();
    marks
        .map(|(run, causes)| (run, causes.join(", ")))
        .collect()
}

/// What the picture shows, for people who cannot see it.
fn description(
    text: &Text,
    history: &History,
    lines: &[&Series],
    marks: &[(usize, String)],
) -> String {
    let mut sentences: Vec<String> = (lines.iter())
        .flat_map(|line| line_sentences(text, history, line))
        .collect();
    sentences.push(match marks.len() {
        0 => say!(text, "history-environment-same"),
        n => say!(text, "history-environment-changed", n = n),
    });
    sentences.join(" ")
}

fn line_sentences(text: &Text, history: &History, line: &Series) -> Vec<String> {
    let figure = line.chart.figure();
    let values = || line.usable().map(|(_, value)| value);
    let range = match line.usable().last() {
        None => say!(text, "history-line-empty", line = line.label()),
        Some((last, value)) => say!(
            text,
            "history-line-range",
            line = line.label(),
            low = figure.of(values().fold(f64::INFINITY, f64::min)),
            high = figure.of(values().fold(0.0, f64::max)),
            last = figure.of(value),
            date = history.runs[line.points[last].run].date(),
        ),
    };
    let mut sentences = vec![range];
    let n_unusable = line.points.len() - line.usable().count();
    if n_unusable > 0 {
        sentences.push(say!(text, "history-line-unusable", n = n_unusable));
    }
    sentences
}

/// One row for each run with a figure, the newest first.
fn rows(text: &Text, history: &History, lines: &[&Series]) -> Vec<(String, Vec<String>)> {
    let mut rows: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (i, line) in lines.iter().enumerate() {
        for point in &line.points {
            let row = rows
                .entry(point.run)
                .or_insert_with(|| vec![String::new(); lines.len()]);
            row[i] = match point.verdict == Verdict::Ok {
                true => text.figure(Number(point.value)),
                false => format!(
                    "{} ({})",
                    text.figure(Number(point.value)),
                    text.say(&point.verdict.message())
                ),
            };
        }
    }
    let rows = rows.into_iter().rev();
    rows.map(|(run, cells)| (history.runs[run].date(), cells))
        .collect()
}
