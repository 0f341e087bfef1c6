//! Results of other programs, each beside theory and beside what this run measured on the same host.

use serde::Serialize;

use super::{Page, value, verdict_word};
use crate::report::page_name;
use bench_analysis::measured::Analysis;
use bench_analysis::measured::imported::{self, Comparison, ImportedFile};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format::{self, foreign, foreign_short};
use bench_run_dir::readers::{
    Bandwidth, Counted, ImportedFigure, Latency, LatencyMeaning, Spread, SpreadKind, Statistic,
    TokenRate, Value,
};

/// Rows of one table; the data file has them all.
const MAX_ROWS: usize = 80;

/// Remarks of one file; a file of thousands of rows may have as many.
const MAX_REMARKS: usize = 5;

#[derive(Serialize)]
struct View {
    files: Vec<File>,
    bandwidths: Table,
    tokens: Table,
    latencies: Table,
    has_implausible: bool,
}

#[derive(Serialize)]
struct File {
    name: String,
    tool: String,
    on: String,
    href: Option<String>,
    figures: String,
    facts: String,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct Table {
    rows: Vec<Row>,
    n_hidden: usize,
    has_measured: bool,
}

#[derive(Serialize)]
struct Row {
    figure: String,
    detail: String,
    tool: String,
    on: String,
    imported: String,
    counted: String,
    spread: String,
    spread_kind: &'static str,
    theory: String,
    theory_note: String,
    is_implausible: bool,
    measured: String,
    measured_note: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let analysis = page.analysis;
    let files = imported::files(analysis);
    if files.is_empty() {
        return None;
    }
    let mut bandwidths = Vec::new();
    let mut tokens = Vec::new();
    let mut latencies = Vec::new();
    for file in &files {
        for figure in file.main_figures() {
            let comparison = file.compare(figure, analysis);
            let row = Row::new(file, figure, &comparison);
            match &figure.value {
                Value::Bandwidth(it) => bandwidths.push(row.with_bandwidth(it, &comparison)),
                Value::Tokens(it) => tokens.push(row.with_tokens(it, &comparison)),
                Value::Latency(it) if is_largest(file, figure, it) => {
                    latencies.push(row.with_latency(it));
                }
                Value::Latency(_) => {}
            }
        }
    }
    let has_implausible = bandwidths
        .iter()
        .chain(&tokens)
        .any(|row| row.is_implausible);
    value(View {
        files: files.iter().map(|file| described(file, analysis)).collect(),
        bandwidths: Table::of(bandwidths),
        tokens: Table::of(tokens),
        latencies: Table::of(latencies),
        has_implausible,
    })
}

impl Table {
    fn of(mut rows: Vec<Row>) -> Table {
        let n_hidden = rows.len().saturating_sub(MAX_ROWS);
        rows.truncate(MAX_ROWS);
        Table {
            has_measured: rows.iter().any(|row| !row.measured.is_empty()),
            rows,
            n_hidden,
        }
    }
}

/// Whether no latency of the same name, core and pages is of a larger block: that one is of the memory itself.
fn is_largest(file: &ImportedFile, figure: &ImportedFigure, latency: &Latency) -> bool {
    let figures = &file.data.imported.figures;
    !figures.iter().any(|other| match &other.value {
        Value::Latency(it) => {
            it.block_bytes > latency.block_bytes
                && it.pages == latency.pages
                && other.name == figure.name
                && other.core == figure.core
        }
        Value::Bandwidth(_) | Value::Tokens(_) => false,
    })
}

fn described(file: &ImportedFile, analysis: &Analysis) -> File {
    let imported = &file.data.imported;
    let version = imported
        .version
        .as_deref()
        .map(|version| format!(" {}", foreign_short(version, 40)));
    let facts: Vec<String> = imported
        .facts
        .iter()
        .map(|(name, fact)| format!("{}: {}", foreign(name), foreign_short(fact, 120)))
        .collect();
    let mut remarks: Vec<String> = imported
        .remarks
        .iter()
        .take(MAX_REMARKS)
        .map(|it| foreign(it))
        .collect();
    if imported.remarks.len() > MAX_REMARKS {
        let more = imported.remarks.len() - MAX_REMARKS;
        remarks.push(format!(
            "{} like these",
            format::count(more, "more remark", "more remarks")
        ));
    }
    if let Some(unit) = file.unit {
        let reason = unit
            .reason
            .as_deref()
            .map(|it| format!(", {}", foreign(it)));
        remarks.insert(
            0,
            format!(
                "run by this run, under the same supervision as every unit: {}{}",
                verdict_word(unit.verdict),
                reason.unwrap_or_default()
            ),
        );
    }
    let unknown_host = file.data.record.host.is_some() && file.host.is_none();
    if unknown_host && !analysis.hosts.is_empty() {
        remarks.push("this run has no host of that name".to_owned());
    }
    if file.theory.is_none() && file.host.is_none_or(|host| !host.data.record.emulated) {
        let remedy = match file.unit {
            Some(_) => "give the host a `board:` or `memory:` in the fleet file",
            None => "import it with `--board` or `--host`",
        };
        remarks.push(format!(
            "not held against theory: neither its board nor its host tells a memory; {remedy}"
        ));
    }
    File {
        name: foreign_short(&file.data.record.original_name, 60),
        tool: format!("{}{}", file.data.record.tool, version.unwrap_or_default()),
        on: on(file),
        href: file
            .host
            .map(|host| format!("hosts/{}", page_name(host.name()))),
        figures: format::count(imported.figures.len(), "figure", "figures"),
        facts: facts.join("; "),
        remarks,
    }
}

/// Host and board of a file, as far as known.
fn on(file: &ImportedFile) -> String {
    let host = file
        .data
        .record
        .host
        .as_deref()
        .map(|host| foreign_short(host, 40));
    let board = file.board.map(|board| foreign_short(board, 40));
    match (host, board) {
        (Some(host), Some(board)) => format!("{host} ({board})"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => format::UNKNOWN.to_owned(),
    }
}

impl Row {
    fn new(file: &ImportedFile, figure: &ImportedFigure, comparison: &Comparison) -> Row {
        Row {
            figure: foreign_short(&figure.name, 60),
            detail: figure
                .core
                .as_deref()
                .map(|core| foreign_short(core, 40))
                .unwrap_or_default(),
            tool: match file.unit {
                Some(unit) => format!("{}, {}", file.data.record.tool, verdict_word(unit.verdict)),
                None => file.data.record.tool.clone(),
            },
            on: on(file),
            imported: String::new(),
            counted: String::new(),
            spread: String::new(),
            spread_kind: "",
            theory: String::new(),
            theory_note: String::new(),
            is_implausible: comparison.is_implausible(),
            measured: String::new(),
            measured_note: String::new(),
        }
    }

    fn with_bandwidth(mut self, bandwidth: &Bandwidth, comparison: &Comparison) -> Row {
        self.add_detail(bandwidth.n_threads.map(threads));
        self.add_detail(
            bandwidth
                .block_bytes
                .map(|bytes| format!("arrays of {}", array_bytes(bytes))),
        );
        self.imported = format::gb_per_s(bandwidth.gb_per_s);
        let statistic = match bandwidth.statistic {
            Statistic::Best => "fastest",
            Statistic::Mean => "mean",
            Statistic::Single => "single",
        };
        self.counted = format!("{}, {statistic}", counted_words(bandwidth.counted));
        self.set_spread(bandwidth.spread);
        if let Some(share) = comparison.share_of_theory {
            self.theory = format::percent(share);
            self.theory_note = match (bandwidth.counted, comparison.moved_gb_per_s) {
                (Counted::Bcopy, Some(moved)) => {
                    format!("doubled: {} read and written", format::gb_per_s(moved))
                }
                _ => String::new(),
            };
        }
        if let Some(reason) = comparison.reason {
            self.theory_note = reason.to_owned();
        }
        self.set_best_read(comparison);
        self
    }

    fn with_tokens(mut self, rate: &TokenRate, comparison: &Comparison) -> Row {
        self.add_detail(Some(foreign_short(&rate.model_type, 40)));
        self.add_detail(rate.n_threads.map(threads));
        self.imported = format::tokens_per_s(rate.tokens_per_s);
        if !rate.samples_ns.is_empty() {
            self.counted = format!("mean of {}", rate.samples_ns.len());
        }
        self.set_spread(rate.spread());
        if let (Some(bound), Some(share)) = (
            comparison.bound_file_tokens_per_s,
            comparison.share_of_theory,
        ) {
            self.theory = format::tokens_per_s(bound);
            let bytes = rate.model_bytes.map(format::decimal_bytes);
            self.theory_note = format!(
                "{} of it; model of {}",
                format::percent(share),
                bytes.unwrap_or_default()
            );
        }
        if let Some(reason) = comparison.reason.or(comparison.hint) {
            self.theory_note = reason.to_owned();
        }
        match comparison.own_decode {
            Some(chain) => {
                self.measured = format::tokens_per_s(chain.measured_tokens_per_s);
                let threads = format::count(chain.n_threads, "thread", "threads");
                self.measured_note = match chain.verdict {
                    Verdict::Ok => format!("own decode, {threads}"),
                    verdict => format!("own decode, {threads}, {}", verdict_word(verdict)),
                };
            }
            None => self.set_best_read(comparison),
        }
        self
    }

    fn with_latency(mut self, latency: &Latency) -> Row {
        self.add_detail(Some(format::binary_bytes(latency.block_bytes)));
        self.add_detail(
            latency
                .pages
                .as_deref()
                .map(|pages| foreign_short(pages, 30)),
        );
        self.imported = format!("{} ns", format::number(latency.ns));
        self.counted = match latency.meaning {
            LatencyMeaning::OverFirstCache => "beyond a hit of the first cache",
            LatencyMeaning::Step => "one step of a chain",
        }
        .to_owned();
        self
    }

    fn add_detail(&mut self, detail: Option<String>) {
        if let Some(detail) = detail {
            let separator = if self.detail.is_empty() { "" } else { ", " };
            self.detail += &format!("{separator}{detail}");
        }
    }

    fn set_spread(&mut self, spread: Option<Spread>) {
        if let Some(spread) = spread {
            self.spread = format::percent(spread.share);
            self.spread_kind = match spread.kind {
                SpreadKind::DeviationOverMean => "deviation / mean",
                SpreadKind::DeviationOverBest => "deviation / fastest",
                SpreadKind::RangeOverMean => "range / mean",
            };
        }
    }

    fn set_best_read(&mut self, comparison: &Comparison) {
        if let Some(read) = comparison.best_read {
            self.measured = format::gb_per_s(read.gb_per_s);
            self.measured_note = format!(
                "best read, {}",
                format::count(read.n_threads, "thread", "threads")
            );
        }
    }
}

fn threads(n: u32) -> String {
    format::count(n as usize, "thread", "threads")
}

/// Whole binary units where they fit, else decimal ones: STREAM's arrays are counted in elements.
fn array_bytes(bytes: u64) -> String {
    match bytes.is_multiple_of(1 << 20) {
        true => format::binary_bytes(bytes),
        false => format::decimal_bytes(bytes),
    }
}

fn counted_words(counted: Counted) -> &'static str {
    match counted {
        Counted::Read => "bytes read",
        Counted::ReadPlusWrite => "bytes read and written",
        Counted::Bcopy => "copied bytes once",
    }
}
