//! The table that llama-bench prints when no other form is asked for, in Markdown, as people post it: in prose, in
//! fences, quoted, with columns that depend on the options.
//!
//! Sizes and parameters are rounded to two decimals of a unit; a rate is `mean ± deviation` with two decimals.
//!
//! Source: `markdown_printer` of `tools/llama-bench/llama-bench.cpp` of llama.cpp.

use serde_json::{Map, Value as Json, json};

use super::Rounding;
use crate::readers::line;

/// Names of columns that differ from those of the other forms.
const COLUMNS: [(&str, &str); 5] = [
    ("model", "model_type"),
    ("backend", "backends"),
    ("threads", "n_threads"),
    ("ngl", "n_gpu_layers"),
    ("dev", "devices"),
];

/// Units of sizes and of numbers of parameters.
const BYTES: [(&str, f64); 4] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];
const PARAMS: [(&str, f64); 4] = [("K", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12)];

/// The header of a table.
pub(super) struct Header {
    names: Vec<String>,
}

/// What a line below a header is.
pub(super) enum Line {
    Row(Map<String, Json>, Rounding),
    /// It is a row, and this is wrong with it.
    Broken(String),
    /// It has another number of cells.
    CutOff(String),
    /// Not a row of a table.
    Other,
}

impl Header {
    /// The header that a line is; `None` for any other line.
    pub(super) fn of(line: &str) -> Option<Header> {
        if !line.contains("t/s") {
            return None;
        }
        let names = cells(line)?;
        let has = |name: &str| names.iter().any(|it| it == name);
        (has("test") && has("t/s")).then_some(Header { names })
    }

    /// Reads one line below the header.
    pub(super) fn line(&self, line: &str) -> Line {
        let Some(cells) = cells(line) else {
            return Line::Other;
        };
        if is_rule(line) {
            return Line::Other;
        }
        if cells.len() != self.names.len() {
            return Line::CutOff(format!(
                "the line has {} cells, and the header of the table names {}",
                cells.len(),
                self.names.len()
            ));
        }
        match row(&self.names, &cells) {
            Ok((row, rounding)) => Line::Row(row, rounding),
            Err(what) => Line::Broken(what),
        }
    }
}

/// Whether a line is a row whose header is missing.
pub(super) fn is_row_alone(line: &str) -> bool {
    let Some(cells) = cells(line) else {
        return false;
    };
    let is_test = |cell: &String| super::Test::of(cell).is_some();
    let is_rate = |cell: &String| cell.contains('±') && rate(cell).is_some();
    cells.iter().any(is_test) && cells.iter().any(is_rate)
}

/// Whether a line is the header of any table: a rule with as many cells follows it.
pub(super) fn is_header(line: &str, next: &str) -> bool {
    is_rule(next) && cells(line).map(|cells| cells.len()) == cells(next).map(|cells| cells.len())
}

/// Whether a line is the rule below a header.
fn is_rule(line: &str) -> bool {
    let is_dashes =
        |cell: &String| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'));
    cells(line).is_some_and(|cells| cells.iter().all(is_dashes))
}

/// The cells of a line of a table; copied from a page, it has tabs instead of bars.
fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start_matches(['>', ' ']).trim();
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let separator = match (line.starts_with('|'), inner.contains('\t')) {
        (false, true) => '\t',
        _ => '|',
    };
    let cells: Vec<String> = inner
        .split(separator)
        .map(|cell| {
            line::field(cell.trim_matches(|c: char| c.is_whitespace() || "*`_".contains(c)))
        })
        .collect();
    (cells.len() > 1).then_some(cells)
}

fn row(names: &[String], cells: &[String]) -> Result<(Map<String, Json>, Rounding), String> {
    let mut row = Map::new();
    let mut rounding = Rounding::default();
    for (name, cell) in names.iter().zip(cells) {
        let shown = line::shown(cell);
        match name.as_str() {
            "size" => {
                let (bytes, half) = amount(cell, &BYTES)
                    .ok_or_else(|| format!("`size` is `{shown}`, not a size like `3.56 GiB`"))?;
                row.insert("model_size".into(), json!(bytes));
                rounding.model_bytes = half;
            }
            "params" => {
                let (params, half) = amount(cell, &PARAMS)
                    .ok_or_else(|| format!("`params` is `{shown}`, not a number like `1.10 B`"))?;
                row.insert("model_n_params".into(), json!(params));
                rounding.n_params = half;
            }
            "t/s" => {
                let (mean, deviation) = rate(cell).ok_or_else(|| {
                    format!("`t/s` is `{shown}`, not a rate above 0 like `38.80 ± 0.40`")
                })?;
                row.insert("avg_ts".into(), json!(mean));
                if let Some(deviation) = deviation {
                    row.insert("stddev_ts".into(), json!(deviation));
                }
            }
            name => {
                let known = COLUMNS.iter().find(|(column, _)| *column == name);
                let name = known.map_or(name, |(_, field)| *field);
                row.insert(name.to_owned(), Json::String(cell.clone()));
            }
        }
    }
    Ok((row, rounding))
}

/// An amount with its unit, and half of its last decimal.
fn amount(cell: &str, units: &[(&str, f64)]) -> Option<(u64, u64)> {
    let (number, unit) = cell.rsplit_once(char::is_whitespace)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    let number = number.trim();
    let value = number.parse::<f64>().ok().filter(|it| *it > 0.0)?;
    let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
    let half = 0.5 * 0.1_f64.powi(i32::try_from(decimals).ok()?);
    let whole = |value: f64| (value.is_finite() && value < 1e18).then_some(value as u64);
    Some((
        whole((value * factor).round())?,
        whole((half * factor).round())?,
    ))
}

/// Mean and deviation. The sign between them does not survive every encoding.
fn rate(cell: &str) -> Option<(f64, Option<f64>)> {
    let mut numbers = cell
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter(|part| !part.is_empty());
    let is_number = cell.starts_with(|c: char| c.is_ascii_digit());
    let mean = numbers.next()?.parse::<f64>().ok();
    let mean = mean.filter(|mean| is_number && *mean > 0.0 && mean.is_finite())?;
    let deviation = match numbers.next() {
        Some(text) => Some(text.parse::<f64>().ok().filter(|it| it.is_finite())?),
        None => None,
    };
    (numbers.next().is_none()).then_some((mean, deviation))
}
