//! Output of BabelStream, versions 3 to 5, of programs that run on the processor's cores.
//!
//! A rate is in MB/s of 10^6 bytes, with `--mibibytes` in MiB/s of 2^20, of the fastest repetition, the first one left
//! out. Bytes are those the program reads plus those it writes: two arrays for Copy and Mul, three for Add and Triad,
//! four for Nstream. Dot reads two arrays and writes none. It does not print its threads.
//!
//! Source: `src/main.cpp` of UoB-HPC/BabelStream, the table `timings` and its header.

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Place, Spread, SpreadKind,
    Statistic, Tool, Value,
};

/// The tests, and the bytes that each counts.
const KERNELS: [(&str, Counted); 6] = [
    ("Copy", Counted::ReadPlusWrite),
    ("Mul", Counted::ReadPlusWrite),
    ("Add", Counted::ReadPlusWrite),
    ("Triad", Counted::ReadPlusWrite),
    ("Nstream", Counted::ReadPlusWrite),
    ("Dot", Counted::Read),
];

/// Implementations that run on the processor's cores.
const OF_CPU: [&str; 7] = ["OpenMP", "Serial", "TBB", "Threads", "STD", "Std", "std"];

pub(super) fn looks_like(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim() == "BabelStream" || megabyte(line.trim()).is_some())
}

/// Bytes of the unit that the header of a table names.
fn megabyte(line: &str) -> Option<f64> {
    if !line.starts_with("Function ") {
        return None;
    }
    match line.split_whitespace().nth(1)? {
        "MBytes/sec" => Some(1e6),
        "MiBytes/sec" => Some(1_048_576.0),
        _ => None,
    }
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut facts = BTreeMap::new();
    let mut figures = Vec::new();
    let mut version = None;
    let mut n_times: Option<u32> = None;
    let mut block_bytes = None;
    let mut unit = None;
    for (number, line) in line::numbered(text) {
        let place = Place::Line(number);
        let line = line.trim();
        if line == "BabelStream" {
            (n_times, block_bytes, unit) = (None, None, None);
        } else if let Some(own) = line.strip_prefix("Version:") {
            version = Some(line::name(own));
        } else if let Some(own) = line.strip_prefix("Implementation:") {
            let own = line::name(own);
            if !OF_CPU.iter().any(|of_cpu| own.starts_with(of_cpu)) {
                let what = format!(
                    "the implementation is `{own}`, which may run on a graphics processor; run that of OpenMP"
                );
                problems.add(place, what);
            }
            facts.insert("implementation".to_owned(), own);
        } else if let Some(rest) = line.strip_prefix("Running kernels ") {
            n_times = rest.split(' ').next().and_then(|n| n.parse().ok());
        } else if let Some(rest) = line.strip_prefix("Array size:") {
            block_bytes = bytes(rest);
        } else if let Some(bytes) = megabyte(line) {
            unit = Some(bytes);
        } else if let Some(unit) = unit
            && let Some((name, bandwidth)) = row(line, place, unit, &mut problems)
        {
            figures.push(ImportedFigure {
                name: name.to_owned(),
                place,
                core: None,
                value: Value::Bandwidth(Bandwidth {
                    block_bytes,
                    n_samples: n_times.map(|n| n.saturating_sub(1)).filter(|n| *n > 0),
                    ..bandwidth
                }),
            });
        } else if line.contains("Validation failed") {
            let what = "BabelStream found its own results wrong, so its rates count for nothing; measure again, and test the memory";
            problems.add(place, what);
        }
    }
    problems.or(Imported {
        tool: Tool::BabelStream,
        version,
        facts,
        figures,
        remarks: Vec::new(),
    })
}

fn row(
    line: &str,
    place: Place,
    unit: f64,
    problems: &mut Problems,
) -> Option<(&'static str, Bandwidth)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, counted) = KERNELS
        .iter()
        .find(|(name, _)| words.first() == Some(name))?;
    let [_, rate, min, max, mean] = words[..] else {
        let what = format!("`{name}` should have four numbers; the line is cut off");
        problems.add(place, what);
        return None;
    };
    let rate = problems.positive(place, &format!("the rate of `{name}`"), rate);
    let mut time = |what, text| problems.not_negative(place, &format!("{what} of `{name}`"), text);
    let min = time("the shortest time", min);
    let max = time("the longest time", max);
    let mean = time("the mean time", mean);
    let (rate, min, max, mean) = (rate?, min?, max?, mean?);
    let bandwidth = Bandwidth {
        gb_per_s: rate * unit / 1e9,
        counted: *counted,
        statistic: Statistic::Best,
        n_threads: None,
        block_bytes: None,
        spread: (mean > 0.0).then(|| Spread {
            share: (max - min).max(0.0) / mean,
            kind: SpreadKind::RangeOverMean,
        }),
        n_samples: None,
    };
    Some((name, bandwidth))
}

/// The bytes of ` 268.4 MB (=0.3 GB)`, rounded as they are printed.
fn bytes(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number = words.next()?.parse::<f64>().ok()?;
    let factor = match words.next()? {
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return None,
    };
    let bytes = (number * factor).round();
    (1.0..1e18).contains(&bytes).then_some(bytes as u64)
}
