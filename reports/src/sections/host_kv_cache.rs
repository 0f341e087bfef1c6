//! What the KV cache saves: the next token with it and without it, over the position.

use serde::Serialize;

use super::{Page, doubt, value};
use crate::svg::{Axis, AxisKind, Caption, Series, Style, XyChart, xy_chart};
use bench_analysis::measured::{KvCache, NextToken};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    caches: Vec<CacheView>,
}

#[derive(Serialize)]
struct CacheView {
    title: String,
    sentence: String,
    doubt: String,
    chart: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    way: &'static str,
    position: u64,
    time: String,
    bytes: String,
    ops: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let caches = page.host()?.kv_caches();
    if caches.is_empty() {
        return None;
    }
    let caches = caches.iter().enumerate();
    value(View {
        caches: caches
            .map(|(i, cache)| cache_view(page.text, i, cache))
            .collect(),
    })
}

fn cache_view(text: &bench_locales::Text, i: usize, cache: &KvCache) -> CacheView {
    let title = format!(
        "{} {}, {}",
        format::foreign_short(&cache.model, 40),
        format::foreign_short(&cache.quant, 20),
        format::count(cache.n_threads, "thread", "threads")
    );
    let line = |label: &str, points: &[NextToken]| Series {
        label: label.to_owned(),
        points: points
            .iter()
            .map(|point| (point.position as f64 + 1.0, point.elapsed_ns / 1e6))
            .collect(),
        style: Style::Line,
    };
    let caption = Caption {
        id: &format!("kv-cache-{i}"),
        title: &format!("Time of the next token over its position, {title}"),
        description: "Two lines: with the KV cache only the new token is computed, without it the whole history again.",
    };
    let chart = XyChart {
        x: Axis {
            label: "position of the token, counted from 1".into(),
            kind: AxisKind::Log,
        },
        y: Axis {
            label: "ms for the next token".into(),
            kind: AxisKind::Log,
        },
        series: vec![
            line("with cache", &cache.cached),
            line("recomputed", &cache.recomputed),
        ],
        places: Vec::new(),
    };
    let rows = |way: &'static str, points: &[NextToken]| {
        let row = move |point: &NextToken| Row {
            way,
            position: point.position.saturating_add(1),
            time: format::duration_ns(point.elapsed_ns),
            bytes: format::decimal_bytes(point.bytes as u64),
            ops: format!("{} billion", format::number(point.ops / 1e9)),
        };
        points.iter().map(row).collect::<Vec<_>>()
    };
    CacheView {
        sentence: sentence(cache),
        doubt: doubt(
            text,
            cache.n_suspect,
            cache.cached.len() + cache.recomputed.len(),
        ),
        chart: xy_chart(&caption, &chart),
        rows: (rows("with cache", &cache.cached).into_iter())
            .chain(rows("recomputed", &cache.recomputed))
            .collect(),
        title,
    }
}

fn sentence(cache: &KvCache) -> String {
    let crossover = match cache.crossover() {
        Some(position)
            if cache
                .recomputed
                .first()
                .is_some_and(|first| first.position == position) =>
        {
            format!(
                "The cache is faster from position {} on, the first that was measured",
                position.saturating_add(1)
            )
        }
        Some(position) => format!(
            "The cache is faster from about position {} on",
            position.saturating_add(1)
        ),
        None => return "Recomputing was never slower at the positions measured.".into(),
    };
    let saving = cache.recomputed.last().and_then(|last| {
        let cached = (cache.cached.iter())
            .rev()
            .find(|point| point.position >= last.position)
            .or(cache.cached.last())?;
        let ratio = last.elapsed_ns / cached.elapsed_ns;
        Some(format!(
            "; at position {} it saves a factor of {}",
            last.position.saturating_add(1),
            format::number(ratio)
        ))
    });
    format!("{crossover}{}.", saving.unwrap_or_default())
}
