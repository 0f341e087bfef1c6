//! Output of mbw.
//!
//! A rate is in MiB/s of 2^20 bytes and counts copied bytes once: the program allocates `1024*1024/sizeof(long)*mt`
//! elements for an array of `mt` MiB, copies it once, and prints `mt/te`. One thread.
//!
//! Source: `mbw.c` of mbw 1.2.2 and 2.0, functions `main`, `worker` and `printout`; mbw(1).

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Place, Spread, SpreadKind,
    Statistic, Tool, Value,
};

/// Bytes of a MiB.
const MIB: f64 = (1u64 << 20) as f64;

pub(super) fn looks_like(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("Method: ") && line.contains("MiB: "))
}

/// One line of results.
struct Row<'a> {
    /// Number of the run, or `AVG`.
    run: &'a str,
    method: &'a str,
    elapsed: &'a str,
    mib: &'a str,
    rate: &'a str,
}

fn row(line: &str) -> Option<Row<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [
            run,
            "Method:",
            method,
            "Elapsed:",
            elapsed,
            "MiB:",
            mib,
            "Copy:",
            rate,
            "MiB/s",
        ] => Some(Row {
            run,
            method,
            elapsed,
            mib,
            rate,
        }),
        _ => None,
    }
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut facts = BTreeMap::new();
    let mut figures: Vec<ImportedFigure> = Vec::new();
    // Runs of the method at hand, for the spread of their mean.
    let mut rates: Vec<f64> = Vec::new();
    for (number, line) in line::numbered(text) {
        let place = Place::Line(number);
        if let Some(rest) = line.trim().strip_prefix("Using ")
            && let Some((bytes, _)) = rest.split_once(" bytes as blocks")
        {
            facts.insert("bytes of a block of MCBLOCK".to_owned(), line::name(bytes));
        }
        if !line.contains("Method: ") {
            continue;
        }
        let Some(row) = row(line) else {
            let what = "the line should read `Method: .. Elapsed: .. MiB: .. Copy: .. MiB/s`; it is cut off or of another program";
            problems.add(place, what);
            continue;
        };
        let rate = problems.positive(
            place,
            &format!("the rate of `{}`", line::shown(row.method)),
            row.rate,
        );
        let mib = problems.positive(place, "the size of the array", row.mib);
        problems.not_negative(place, "the time", row.elapsed);
        let (Some(mib_per_s), Some(mib)) = (rate, mib) else {
            continue;
        };
        // MiB of 2^20 bytes: `1024*1024/long_size*mt` longs in `mbw.c`.
        let gb_per_s = mib_per_s * MIB / 1e9;
        let is_mean = row.run == "AVG";
        if row.run == "0" {
            rates.clear();
        }
        let (spread, n_samples) = match is_mean {
            true => (deviation(&rates), u32::try_from(rates.len()).ok()),
            false => (None, Some(1)),
        };
        match is_mean {
            true => rates.clear(),
            false => rates.push(gb_per_s),
        }
        figures.push(ImportedFigure {
            name: line::name(row.method),
            place,
            core: None,
            value: Value::Bandwidth(Bandwidth {
                gb_per_s,
                counted: Counted::Bcopy,
                statistic: match is_mean {
                    true => Statistic::Mean,
                    false => Statistic::Single,
                },
                n_threads: Some(1),
                block_bytes: Some((mib * MIB) as u64),
                spread,
                n_samples: n_samples.filter(|n| *n > 0),
            }),
        });
    }
    problems.or(Imported {
        tool: Tool::Mbw,
        version: None,
        facts,
        figures,
        remarks: Vec::new(),
    })
}

/// Sample standard deviation over the mean; `None` for fewer than two.
fn deviation(rates: &[f64]) -> Option<Spread> {
    let n = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / n;
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    let share = (squares / (n - 1.0)).sqrt() / mean;
    (rates.len() > 1 && share.is_finite()).then_some(Spread {
        share,
        kind: SpreadKind::DeviationOverMean,
    })
}
