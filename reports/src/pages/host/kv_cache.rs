//! What the KV cache saves: the next token with it and without it, over the position.

use bench_locales::Figure::{DecimalBytes, DurationNs, Integer, Number};
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::charts::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use crate::pages::shared::experiment::{self, Experiment};
use crate::pages::{Page, doubt};
use bench_analysis::measured::{KvCache, NextToken};
use bench_run_dir::format;

#[derive(Serialize)]
struct Row {
    way: String,
    position: String,
    time: String,
    bytes: String,
    ops: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    experiment::view(&page.host()?.kv_caches(), |i, cache| {
        cache_view(page.text, i, cache)
    })
}

fn cache_view(text: &Text, i: usize, cache: &KvCache) -> Experiment<Row> {
    let title = say!(
        text,
        "with-threads",
        what = format!(
            "{} {}",
            format::foreign_short(&cache.model, 40),
            format::foreign_short(&cache.quant, 20)
        ),
        threads = message!("threads", n = cache.n_threads),
    );
    let (cached, recomputed) = (
        say!(text, "kv-cache-cached"),
        say!(text, "kv-cache-recomputed"),
    );
    let caption = Caption {
        text,
        id: &format!("kv-cache-{i}"),
        title: &say!(text, "kv-cache-chart", title = &title),
        description: &say!(text, "kv-cache-chart-text"),
    };
    let chart = XyChart {
        x: Axis {
            label: say!(text, "kv-cache-axis-position"),
            kind: AxisKind::Log,
        },
        y: Axis {
            label: say!(text, "kv-cache-axis-time"),
            kind: AxisKind::Log,
        },
        series: vec![
            line(&cached, &cache.cached),
            line(&recomputed, &cache.recomputed),
        ],
        places: Vec::new(),
    };
    Experiment {
        sentence: sentence(text, cache),
        doubt: doubt(
            text,
            cache.n_suspect,
            cache.cached.len() + cache.recomputed.len(),
        ),
        chart: xy_chart(&caption, &chart),
        rows: rows(text, &cached, &cache.cached)
            .chain(rows(text, &recomputed, &cache.recomputed))
            .collect(),
        title,
    }
}

fn line(label: &str, points: &[NextToken]) -> Series {
    Series {
        label: label.to_owned(),
        points: (points.iter())
            .map(|point| (point.position as f64 + 1.0, point.elapsed_ns / 1e6))
            .collect(),
        style: Style::Line,
    }
}

fn rows(text: &Text, way: &str, points: &[NextToken]) -> impl Iterator<Item = Row> {
    points.iter().map(move |point| Row {
        way: way.to_owned(),
        position: text.figure(Integer(point.position as f64 + 1.0)),
        time: text.figure(DurationNs(point.elapsed_ns)),
        bytes: text.figure(DecimalBytes(point.bytes as u64)),
        ops: say!(text, "billions", n = Number(point.ops / 1e9)),
    })
}

fn sentence(text: &Text, cache: &KvCache) -> String {
    let Some(crossover) = cache.crossover() else {
        return say!(text, "kv-cache-never");
    };
    let position = crossover.saturating_add(1);
    let first = cache.recomputed.first().map(|first| first.position);
    let faster = match first == Some(crossover) {
        true => say!(text, "kv-cache-from-first", position = position),
        false => say!(text, "kv-cache-from", position = position),
    };
    match saving(text, cache) {
        Some(saving) => format!("{faster} {saving}"),
        None => faster,
    }
}

/// What the cache saves at the last position that was recomputed.
fn saving(text: &Text, cache: &KvCache) -> Option<String> {
    let last = cache.recomputed.last()?;
    let cached = (cache.cached.iter().rev())
        .find(|point| point.position >= last.position)
        .or(cache.cached.last())?;
    Some(say!(
        text,
        "kv-cache-saving",
        position = last.position.saturating_add(1),
        factor = Number(last.elapsed_ns / cached.elapsed_ns),
    ))
}
