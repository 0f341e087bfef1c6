//! Output of McCalpin's STREAM, version 5: `stream.c` 5.10 and the layout of 5.8 and 5.9 before it.
//!
//! A rate is in MB/s of 10^6 bytes: `1.0E-06 * bytes[j]/mintime[j]`. Bytes are those the program reads plus those it
//! writes: two words per element for Copy and Scale, three for Add and Triad; what a processor fetches before it
//! overwrites it is not counted. The rate is of the fastest repetition, the first one left out.
//!
//! Source: `stream.c`, revision 5.10, arrays `bytes` and the summary at the end of `main`.

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Place, Spread, SpreadKind,
    Statistic, Tool, Value,
};

/// Rates and times that differ by more than this are not of the same measurement.
const CONTRADICTION: f64 = 0.02;

/// Times are printed with six decimals: half of the last one, seconds.
const TIME_ROUNDING_S: f64 = 0.5e-6;

/// The four kernels and how many words each moves per element.
const KERNELS: [(&str, u64); 4] = [("Copy", 2), ("Scale", 2), ("Add", 3), ("Triad", 3)];

pub(super) fn looks_like(text: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with("STREAM version") || is_header(line))
}

fn is_header(line: &str) -> bool {
    line.starts_with("Function ") && line.contains("MB/s")
}

/// What one run of the program says before its table.
#[derive(Default)]
struct Run {
    word_bytes: Option<u64>,
    n_elements: Option<u64>,
    n_threads: Option<u32>,
    n_times: Option<u32>,
    in_table: bool,
    is_checked: bool,
    n_figures: usize,
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut facts = BTreeMap::new();
    let mut remarks = Vec::new();
    let mut figures = Vec::new();
    let mut version = None;
    let mut run = Run::default();
    for (number, line) in line::numbered(text) {
        let place = Place::Line(number);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("STREAM version") {
            end_run(&run, &mut remarks);
            run = Run::default();
            let words = rest.trim().trim_start_matches("$Revision:");
            version = Some(line::name(words.trim_end_matches('$')));
        } else if is_header(line) {
            run.in_table = true;
        } else if run.in_table
            && let Some(figure) = row(line, place, &run, &mut problems, &mut remarks)
        {
            run.n_figures += 1;
            figures.push(figure);
        }
        read_settings(line, &mut run);
        if line.starts_with("Solution Validates") {
            run.is_checked = true;
        } else if line.starts_with("Failed Validation") {
            let what = "STREAM found its own results wrong, so its rates count for nothing; measure again, and test the memory";
            problems.add(place, what);
        }
    }
    end_run(&run, &mut remarks);
    if let Some(bytes) = run.word_bytes {
        facts.insert("bytes per array element".to_owned(), bytes.to_string());
    }
    problems.or(Imported {
        tool: Tool::Stream,
        version,
        facts,
        figures,
        remarks,
    })
}

fn end_run(run: &Run, remarks: &mut Vec<String>) {
    if run.n_figures > 0 && !run.is_checked {
        remarks.push("the text ends without the result of STREAM's own check".to_owned());
    }
}

/// The first number after a prefix.
fn after<T: std::str::FromStr>(line: &str, prefix: &str) -> Option<T> {
    let rest = line.strip_prefix(prefix)?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

fn read_settings(line: &str, run: &mut Run) {
    run.n_elements = after(line, "Array size =").or(run.n_elements);
    run.word_bytes = after(line, "This system uses").or(run.word_bytes);
    run.n_times = after(line, "Each kernel will be executed")
        .or_else(|| after(line, "Each test is run"))
        .or(run.n_times);
    // What counts are the threads that ran; 5.8 prints only those that were asked for.
    let counted = after(line, "Number of Threads counted =");
    let requested =
        after(line, "Number of Threads requested =").filter(|_| run.n_threads.is_none());
    run.n_threads = counted.or(requested).or(run.n_threads);
}

fn row(
    line: &str,
    place: Place,
    run: &Run,
    problems: &mut Problems,
    remarks: &mut Vec<String>,
) -> Option<ImportedFigure> {
    let (kernel, values) = line.split_once(':')?;
    let (name, n_words) = KERNELS.iter().find(|(name, _)| *name == kernel)?;
    let values: Vec<&str> = values.split_whitespace().collect();
    let [rate, mean, min, max] = values[..] else {
        let what = format!(
            "`{name}` should have four numbers; the line is cut off or of another version of STREAM"
        );
        problems.add(place, what);
        return None;
    };
    let mb_per_s = problems.positive(place, &format!("the rate of `{name}`"), rate);
    let mut time = |what, text| problems.not_negative(place, &format!("{what} of `{name}`"), text);
    let mean_s = time("the mean time", mean);
    let min_s = time("the shortest time", min);
    let max_s = time("the longest time", max);
    let (mb_per_s, mean_s, min_s, max_s) = (mb_per_s?, mean_s?, min_s?, max_s?);
    let block_bytes = (run.n_elements.zip(run.word_bytes))
        .and_then(|(elements, word)| elements.checked_mul(word))
        .filter(|bytes| *bytes > 0);
    if let Some(bytes) = block_bytes
        && min_s > 0.0
    {
        let moved = (*n_words as f64) * bytes as f64;
        let ratio = mb_per_s * 1e6 * min_s / moved;
        let tolerance = CONTRADICTION + TIME_ROUNDING_S / min_s;
        if (ratio - 1.0).abs() > tolerance {
            remarks.push(format!(
                "`{name}`: rate and shortest time contradict each other by {}; a changed STREAM printed them",
                crate::format::percent((ratio - 1.0).abs())
            ));
        }
    }
    Some(ImportedFigure {
        name: (*name).to_owned(),
        place,
        core: None,
        value: Value::Bandwidth(Bandwidth {
            // MB of 10^6 bytes: `1.0E-06 * bytes[j]/mintime[j]` in `stream.c`.
            gb_per_s: mb_per_s / 1e3,
            counted: Counted::ReadPlusWrite,
            statistic: Statistic::Best,
            // A program built without OpenMP prints no threads: it has one.
            n_threads: run.n_threads.or(Some(1)),
            block_bytes,
            spread: (mean_s > 0.0).then(|| Spread {
                share: (max_s - min_s).max(0.0) / mean_s,
                kind: SpreadKind::RangeOverMean,
            }),
            // "The *best* time for each kernel (excluding the first iteration)".
            n_samples: run.n_times.map(|n| n.saturating_sub(1)).filter(|n| *n > 0),
        }),
    })
}
