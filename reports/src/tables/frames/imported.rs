//! The frame of imported figures. They stand apart from samples and units, which memwall measured itself.

use polars::prelude::*;

use super::{column, frame};
use bench_analysis::measured::Analysis;
use bench_analysis::measured::imported::{self, Comparison, ImportedFile};
use bench_run_dir::readers::{Bandwidth, ImportedFigure, Latency, Spread, TokenRate, Value};

/// One figure with its file and what it is held against.
struct Row<'a> {
    file: &'a ImportedFile<'a>,
    figure: &'a ImportedFigure,
    comparison: Comparison<'a>,
}

/// One row per imported figure, `label` being `imported`, or `emulated` on such a host; `unit` and
/// `verdict` are of the unit of this run that ran the program. `gb_per_s` counts what `convention` says, and
/// `moved_gb_per_s` what the memory moves for it; `spread` is a share, of what `spread_kind` names; `statistic` says
/// which of the repetitions the figure is; `share_of_theory` is never clipped.
///
/// # Errors
/// When polars refuses the columns.
pub fn imported(analysis: &Analysis) -> anyhow::Result<DataFrame> {
    let files = imported::files(analysis);
    let rows: Vec<Row> = (files.iter())
        .flat_map(|file| {
            file.data
                .imported
                .figures
                .iter()
                .map(move |figure| (file, figure))
        })
        .map(|(file, figure)| Row {
            file,
            figure,
            comparison: file.compare(figure, analysis),
        })
        .collect();
    let run_id = analysis.run.manifest.run_id.as_str();
    let mut columns = keys(&rows, run_id);
    columns.extend(values(&rows));
    columns.extend(model(&rows));
    columns.extend(comparison(&rows));
    frame(columns)
}

fn keys(rows: &[Row], run_id: &str) -> Vec<Column> {
    let of_record = |row: &Row| row.file.data.record.clone();
    vec![
        text("run_id", rows, |_| Some(run_id.to_owned())),
        text("label", rows, |row| {
            Some(row.file.label().name().to_owned())
        }),
        text("unit", rows, |row| Some(row.file.unit?.unit.clone())),
        text("verdict", rows, |row| {
            Some(row.file.unit?.verdict.name().to_owned())
        }),
        text("tool", rows, |row| Some(of_record(row).tool)),
        text("tool_version", rows, |row| {
            row.file.data.imported.version.clone()
        }),
        text("host", rows, |row| of_record(row).host),
        text("board", rows, |row| row.file.board.map(str::to_owned)),
        text("file", rows, |row| Some(of_record(row).file)),
        text("original_name", rows, |row| {
            Some(of_record(row).original_name)
        }),
        text("place", rows, |row| Some(row.figure.place.to_string())),
        text("name", rows, |row| Some(row.figure.name.clone())),
        text("kind", rows, |row| Some(kind(row.figure).to_owned())),
        text("core", rows, |row| row.figure.core.clone()),
        column(
            "threads",
            rows.iter()
                .map(|row| match &row.figure.value {
                    Value::Bandwidth(it) => it.n_threads,
                    Value::Latency(_) => Some(1),
                    Value::Tokens(it) => it.n_threads,
                })
                .collect::<Vec<Option<u32>>>(),
        ),
        column(
            "block_bytes",
            rows.iter()
                .map(|row| match &row.figure.value {
                    Value::Bandwidth(it) => it.block_bytes,
                    Value::Latency(it) => Some(it.block_bytes),
                    Value::Tokens(_) => None,
                })
                .collect::<Vec<Option<u64>>>(),
        ),
        text("pages", rows, |row| latency(row)?.pages.clone()),
    ]
}

fn values(rows: &[Row]) -> Vec<Column> {
    vec![
        float("gb_per_s", rows, |row| Some(bandwidth(row)?.gb_per_s)),
        text("convention", rows, |row| {
            Some(bandwidth(row)?.counted.name().to_owned())
        }),
        text("statistic", rows, |row| {
            Some(bandwidth(row)?.statistic.name().to_owned())
        }),
        float("latency_ns", rows, |row| Some(latency(row)?.ns)),
        text("latency_meaning", rows, |row| {
            Some(latency(row)?.meaning.name().to_owned())
        }),
        float("tokens_per_s", rows, |row| Some(tokens(row)?.tokens_per_s)),
        float("spread", rows, |row| Some(spread(row)?.share)),
        text("spread_kind", rows, |row| {
            Some(spread(row)?.kind.name().to_owned())
        }),
        column(
            "n_samples",
            rows.iter()
                .map(|row| match &row.figure.value {
                    Value::Bandwidth(it) => it.n_samples,
                    Value::Latency(_) => None,
                    Value::Tokens(it) => u32::try_from(it.samples_ns.len()).ok().filter(|n| *n > 0),
                })
                .collect::<Vec<Option<u32>>>(),
        ),
    ]
}

fn model(rows: &[Row]) -> Vec<Column> {
    let whole = |name: &str, pick: fn(&TokenRate) -> Option<u64>| {
        let values = rows.iter().map(|row| tokens(row).and_then(pick));
        column(name, values.collect::<Vec<Option<u64>>>())
    };
    vec![
        text("model_filename", rows, |row| {
            tokens(row)?.model_filename.clone()
        }),
        text("model_type", rows, |row| {
            Some(tokens(row)?.model_type.clone())
        }),
        whole("model_bytes", |rate| rate.model_bytes),
        whole("n_params", |rate| rate.n_params),
        whole("n_prompt", |rate| Some(rate.n_prompt)),
        whole("n_generate", |rate| Some(rate.n_gen)),
        whole("depth", |rate| Some(rate.n_depth)),
        text("type_k", rows, |row| tokens(row)?.type_k.clone()),
        text("type_v", rows, |row| tokens(row)?.type_v.clone()),
        text("backends", rows, |row| tokens(row)?.backends.clone()),
    ]
}

fn comparison(rows: &[Row]) -> Vec<Column> {
    vec![
        float("theory_gb_per_s", rows, |row| {
            Some(row.file.theory.as_ref()?.gb_per_s)
        }),
        float("moved_gb_per_s", rows, |row| row.comparison.moved_gb_per_s),
        float("bound_file_tokens_per_s", rows, |row| {
            row.comparison.bound_file_tokens_per_s
        }),
        float("share_of_theory", rows, |row| {
            row.comparison.share_of_theory
        }),
    ]
}

fn kind(figure: &ImportedFigure) -> &'static str {
    match figure.value {
        Value::Bandwidth(_) => "bandwidth",
        Value::Latency(_) => "latency",
        Value::Tokens(_) => "tokens",
    }
}

fn bandwidth<'a>(row: &Row<'a>) -> Option<&'a Bandwidth> {
    match &row.figure.value {
        Value::Bandwidth(bandwidth) => Some(bandwidth),
        Value::Latency(_) | Value::Tokens(_) => None,
    }
}

fn latency<'a>(row: &Row<'a>) -> Option<&'a Latency> {
    match &row.figure.value {
        Value::Latency(latency) => Some(latency),
        Value::Bandwidth(_) | Value::Tokens(_) => None,
    }
}

fn tokens<'a>(row: &Row<'a>) -> Option<&'a TokenRate> {
    match &row.figure.value {
        Value::Tokens(rate) => Some(rate),
        Value::Bandwidth(_) | Value::Latency(_) => None,
    }
}

fn spread(row: &Row) -> Option<Spread> {
    match &row.figure.value {
        Value::Bandwidth(it) => it.spread,
        Value::Latency(_) => None,
        Value::Tokens(it) => it.spread(),
    }
}

fn text(name: &str, rows: &[Row], pick: impl Fn(&Row) -> Option<String>) -> Column {
    column(name, rows.iter().map(pick).collect::<Vec<Option<String>>>())
}

fn float(name: &str, rows: &[Row], pick: impl Fn(&Row) -> Option<f64>) -> Column {
    column(name, rows.iter().map(pick).collect::<Vec<Option<f64>>>())
}
