//! Output of sbc-bench: tinymembench and ramlat on one core of each cluster, which are taken.
//!
//! 7-zip, OpenSSL and cpuminer compute more than they move, and the clocks of the first part are no bandwidths: those
//! are left to sbc-bench. Numbers count as tinymembench counts them. ramlat prints nanoseconds per step of a chain of
//! loads, by block size in KiB; `2xPTR` to `8xPTR` load several words of a place in each step.
//!
//! Source: `sbc-bench.sh` 0.9.72, which prints `Executing benchmark on`, `Executing ramlat on .., results in ns`; the
//! table of `ramlat.c` in ramspeed.

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::tinymembench::Blocks;
use super::{ImportError, Imported, ImportedFigure, Latency, LatencyMeaning, Place, Tool, Value};

/// Lines of the start among which its name stands.
const N_FIRST_LINES: usize = 40;

pub(super) fn looks_like(text: &str) -> bool {
    let named = text
        .lines()
        .take(N_FIRST_LINES)
        .any(|line| line.starts_with("sbc-bench v"));
    named || text.lines().any(|line| program_on(line.trim()).is_some())
}

/// Which part of the text is being read.
enum Part {
    /// One that holds nothing to take.
    Other,
    Tinymembench,
    /// Names of the columns, once they were printed.
    Ramlat(Option<Vec<String>>),
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut blocks = Blocks::default();
    let mut facts = BTreeMap::new();
    let mut version = None;
    let mut part = Part::Other;
    let mut core = None;
    for (number, line) in line::numbered(text) {
        let trimmed = line.trim();
        if let Some(rest) = trimmed
            .strip_prefix("sbc-bench v")
            .filter(|_| version.is_none())
        {
            let (own, board) = rest.split_once(' ').unwrap_or((rest, ""));
            version = Some(line::name(own));
            let board = board.split_once(" (").map_or(board, |(board, _)| board);
            facts.insert("board".to_owned(), line::name(board));
        } else if let Some((is_ramlat, on)) = program_on(trimmed) {
            core = Some(line::name(on));
            part = match is_ramlat {
                true => Part::Ramlat(None),
                false => Part::Tinymembench,
            };
        } else if trimmed.starts_with("tinymembench v") {
            // Where all cores are alike, it stands without a line that names one.
            part = Part::Tinymembench;
            blocks.take(line, number, core.as_deref(), &mut problems);
        } else if trimmed.starts_with("Executing ") || trimmed.starts_with("####") {
            part = Part::Other;
            core = None;
        } else {
            match &mut part {
                Part::Other => {}
                Part::Tinymembench => blocks.take(line, number, core.as_deref(), &mut problems),
                Part::Ramlat(columns) => {
                    let core = core.as_deref();
                    ramlat(
                        trimmed,
                        number,
                        core,
                        columns,
                        &mut blocks.figures,
                        &mut problems,
                    );
                }
            }
        }
    }
    problems.or(Imported {
        tool: Tool::SbcBench,
        version,
        facts,
        remarks: blocks.remarks(),
        figures: blocks.figures,
    })
}

/// Whether a line starts ramlat or tinymembench, and on which core: `cpu4 (Cortex-A76)`, `a big core`.
fn program_on(line: &str) -> Option<(bool, &str)> {
    if let Some(rest) = line.strip_prefix("Executing ramlat on ") {
        return Some((true, rest.strip_suffix(", results in ns:")?));
    }
    let on = line
        .strip_prefix("Executing benchmark on cpu")
        .map(|_| &line["Executing benchmark on ".len()..])
        .or_else(|| line.strip_prefix("Executing tinymembench on "))?;
    Some((false, on.strip_suffix(':')?))
}

fn ramlat(
    line: &str,
    number: usize,
    core: Option<&str>,
    columns: &mut Option<Vec<String>>,
    figures: &mut Vec<ImportedFigure>,
    problems: &mut Problems,
) {
    let place = Place::Line(number);
    if let Some(names) = line.strip_prefix("size:") {
        *columns = Some(names.split_whitespace().map(line::name).collect());
        return;
    }
    let (Some(columns), Some((size, values))) = (columns.as_ref(), line.split_once(':')) else {
        return;
    };
    let kib = size
        .strip_suffix('k')
        .and_then(|kib| kib.parse::<u64>().ok());
    let Some(block_bytes) = kib
        .and_then(|kib| kib.checked_mul(1024))
        .filter(|it| *it > 0)
    else {
        return;
    };
    let values: Vec<&str> = values.split_whitespace().collect();
    if values.len() != columns.len() {
        let what = format!(
            "ramlat prints {} columns, and this line has {}; it is cut off",
            columns.len(),
            values.len()
        );
        return problems.add(place, what);
    }
    for (name, text) in columns.iter().zip(values) {
        let Some(ns) = problems.positive(place, &format!("the latency `{name}`"), text) else {
            continue;
        };
        figures.push(ImportedFigure {
            name: format!("ramlat {name}"),
            place,
            core: core.map(str::to_owned),
            value: Value::Latency(Latency {
                ns,
                meaning: LatencyMeaning::Step,
                block_bytes,
                pages: None,
            }),
        });
    }
}
