//! Output of McCalpin's STREAM, version 5: `stream.c` 5.10 and the layout of 5.8 and 5.9 before it, `stream.f`,
//! `stream_mpi.c`, and what scripts keep of them.
//!
//! A rate is in MB/s of 10^6 bytes: `1.0E-06 * bytes[j]/mintime[j]`. Bytes are those the program reads plus those it
//! writes: two words per element for Copy and Scale, three for Add and Triad; what a processor fetches before it
//! overwrites it is not counted. The rate is of the fastest repetition, the first one left out.
//!
//! Threads are those that the lines above a table tell: with MPI those of a rank times the ranks. A whole head of
//! `stream.c` that names none is that of a program built without OpenMP, which has one; otherwise they are unknown.
//!
//! Source: `stream.c`, revision 5.10, arrays `bytes` and the summary at the end of `main`; `stream.f` 5.6;
//! `stream_mpi.c` 1.7.

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
        .map(str::trim)
        .any(|line| version(line).is_some() || is_header(line))
}

/// What follows `STREAM version`, which Fortran writes with a capital.
fn version(line: &str) -> Option<&str> {
    line.strip_prefix("STREAM version")
        .or_else(|| line.strip_prefix("STREAM Version"))
}

fn is_header(line: &str) -> bool {
    line.starts_with("Function ") && line.contains("MB/s")
}

/// What one run of the program says before its table.
#[derive(Default)]
struct Run {
    word_bytes: Option<u64>,
    n_elements: Option<u64>,
    n_times: Option<u32>,
    threads: Threads,
    in_table: bool,
    is_checked: bool,
    n_figures: usize,
}

/// What the lines since the last table say of threads.
#[derive(Default)]
struct Threads {
    requested: Option<u32>,
    counted: Option<u32>,
    n_ranks: Option<u32>,
    /// The head of `stream.c` stands there as a whole.
    has_version: bool,
    has_times: bool,
    /// Rows of the table that they belong to were read.
    has_rows: bool,
}

impl Threads {
    /// Threads of the program; `None` where nothing tells.
    fn n(&self) -> Option<u32> {
        // What counts are the threads that ran; 5.8 prints only those that were asked for.
        let is_whole_head = self.has_version && self.has_times;
        let of_rank = self
            .counted
            .or(self.requested)
            .or(is_whole_head.then_some(1));
        of_rank?.checked_mul(self.n_ranks.unwrap_or(1))
    }

    /// Reads one line; what stands below a table belongs to the next one.
    fn take(&mut self, line: &str) {
        let is_version = version(line).is_some();
        let n_ranks = after(line, "Data is distributed across");
        let lower = line.to_ascii_lowercase();
        let of_threads = lower.strip_prefix("number of threads");
        if self.has_rows && (is_version || is_header(line) || of_threads.is_some()) {
            *self = Threads::default();
        }
        self.has_version |= is_version;
        self.has_times |= line.starts_with("Each kernel will be executed")
            || line.starts_with("Each test is run");
        self.n_ranks = n_ranks.or(self.n_ranks);
        if let Some((words, n)) = of_threads.and_then(|rest| rest.split_once('=')) {
            let n = n.trim().parse().ok().filter(|n| *n > 0);
            match words.contains("counted") {
                true => self.counted = n.or(self.counted),
                false => self.requested = n.or(self.requested),
            }
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut facts = BTreeMap::new();
    let mut remarks = Vec::new();
    let mut figures = Vec::new();
    let mut own_version = None;
    let mut run = Run::default();
    for (number, line) in line::numbered(text) {
        let place = Place::Line(number);
        let line = line.trim();
        if let Some(rest) = version(line) {
            end_run(&run, &mut remarks);
            run = Run::default();
            let words = rest.trim().trim_start_matches("$Revision:");
            own_version = Some(line::name(words.trim_end_matches('$')));
        } else if is_header(line) {
            run.in_table = true;
        } else if run.in_table
            && let Some(figure) = row(line, place, &run, &mut problems, &mut remarks)
        {
            run.n_figures += 1;
            run.threads.has_rows = true;
            figures.push(figure);
        }
        read_settings(line, &mut run);
        run.threads.take(line);
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
        version: own_version,
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
    run.n_elements = after(line, "Array size =")
        .or_else(|| after(line, "Total Aggregate Array size ="))
        .or(run.n_elements);
    run.word_bytes = after(line, "This system uses")
        .or_else(|| after(line, "Assuming"))
        .or(run.word_bytes);
    run.n_times = after(line, "Each kernel will be executed")
        .or_else(|| after(line, "Each test is run"))
        .or(run.n_times);
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
                "`{name}`: rate and shortest time contradict each other by {:.0} %; a changed STREAM printed them",
                (ratio - 1.0).abs() * 100.0
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
            n_threads: run.threads.n(),
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
