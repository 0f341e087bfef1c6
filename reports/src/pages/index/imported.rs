//! Results of other programs, each beside theory and beside what this run measured on the same host.

use bench_locales::Figure::{BinaryBytes, DecimalBytes, GbPerS, Percent, TokensPerS, With};
use bench_locales::{Figure, Text, message, say};
use serde::Serialize;

use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_analysis::measured::imported::{self, Comparison, ImportedFile};
use bench_analysis::measured::{Analysis, Judged};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format::{foreign, foreign_short};
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
    n_figures: usize,
    facts: String,
    remarks: Vec<Remark>,
}

/// A remark about a file.
#[derive(Serialize)]
struct Remark {
    text: String,
    /// Language of what its reader says; that of the page otherwise.
    lang: Option<&'static str>,
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
    /// What memwall thinks of the unit that ran the program.
    verdict: Option<String>,
    on: String,
    imported: String,
    counted: String,
    spread: String,
    spread_kind: String,
    theory: String,
    theory_note: String,
    is_implausible: bool,
    measured: String,
    measured_note: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, analysis) = (page.text, page.analysis);
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
            let row = Row::new(text, file, figure, &comparison);
            match &figure.value {
                Value::Bandwidth(it) => {
                    bandwidths.push(row.with_bandwidth(text, it, &comparison));
                }
                Value::Tokens(it) => tokens.push(row.with_tokens(text, it, &comparison)),
                Value::Latency(it) if is_largest(file, figure, it) => {
                    latencies.push(row.with_latency(text, it));
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
        files: (files.iter())
            .map(|file| described(text, file, analysis))
            .collect(),
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

fn described(text: &Text, file: &ImportedFile, analysis: &Analysis) -> File {
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
    File {
        name: foreign_short(&file.data.record.original_name, 60),
        tool: format!("{}{}", file.data.record.tool, version.unwrap_or_default()),
        on: on(text, file),
        href: file
            .host
            .map(|host| format!("hosts/{}", page_name(host.name()))),
        n_figures: imported.figures.len(),
        facts: facts.join("; "),
        remarks: remarks(text, file, analysis),
    }
}

/// What the reader of a file's text noted, and what is odd about its place.
fn remarks(text: &Text, file: &ImportedFile, analysis: &Analysis) -> Vec<Remark> {
    let noted = &file.data.imported.remarks;
    let said = |text: String| Remark { text, lang: None };
    let quoted = |text: &String| Remark {
        text: foreign(text),
        lang: Some("en"),
    };
    let mut remarks: Vec<Remark> = (file.unit.iter())
        .map(|unit| said(of_unit(text, unit)))
        .collect();
    remarks.extend(noted.iter().take(MAX_REMARKS).map(quoted));
    if noted.len() > MAX_REMARKS {
        let n = noted.len() - MAX_REMARKS;
        remarks.push(said(say!(text, "imported-more-remarks", n = n)));
    }
    let unknown_host = file.data.record.host.is_some() && file.host.is_none();
    if unknown_host && !analysis.hosts.is_empty() {
        remarks.push(said(say!(text, "imported-unknown-host")));
    }
    if file.theory.is_none() && file.host.is_none_or(|host| !host.data.record.emulated) {
        remarks.push(said(match file.unit {
            Some(_) => say!(text, "imported-no-theory-of-unit"),
            None => say!(text, "imported-no-theory"),
        }));
    }
    remarks
}

/// What became of the unit that ran the program.
fn of_unit(text: &Text, unit: &Judged) -> String {
    let verdict = unit.verdict.message();
    match &unit.reason {
        Some(reason) => say!(
            text,
            "imported-by-this-run-because",
            verdict = verdict,
            reason = reason,
        ),
        None => say!(text, "imported-by-this-run", verdict = verdict),
    }
}

/// Host and board of a file, as far as known.
fn on(text: &Text, file: &ImportedFile) -> String {
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
        (None, None) => say!(text, "unknown"),
    }
}

impl Row {
    fn new(
        text: &Text,
        file: &ImportedFile,
        figure: &ImportedFigure,
        comparison: &Comparison,
    ) -> Row {
        Row {
            figure: foreign_short(&figure.name, 60),
            detail: figure
                .core
                .as_deref()
                .map(|core| foreign_short(core, 40))
                .unwrap_or_default(),
            tool: file.data.record.tool.clone(),
            verdict: file.unit.map(|unit| text.say(&unit.verdict.message())),
            on: on(text, file),
            imported: String::new(),
            counted: String::new(),
            spread: String::new(),
            spread_kind: String::new(),
            theory: String::new(),
            theory_note: String::new(),
            is_implausible: comparison.is_implausible(),
            measured: String::new(),
            measured_note: String::new(),
        }
    }

    fn with_bandwidth(
        mut self,
        text: &Text,
        bandwidth: &Bandwidth,
        comparison: &Comparison,
    ) -> Row {
        self.add_detail(bandwidth.n_threads.map(|n| say!(text, "threads", n = n)));
        self.add_detail(
            bandwidth
                .block_bytes
                .map(|bytes| say!(text, "imported-arrays", size = array_bytes(bytes))),
        );
        self.imported = text.figure(GbPerS(bandwidth.gb_per_s));
        let statistic = match bandwidth.statistic {
            Statistic::Best => say!(text, "imported-fastest"),
            Statistic::Mean => say!(text, "imported-mean"),
            Statistic::Single => say!(text, "imported-single"),
        };
        self.counted = format!("{}, {statistic}", counted_words(text, bandwidth.counted));
        self.set_spread(text, bandwidth.spread);
        if let Some(share) = comparison.share_of_theory {
            self.theory = text.figure(Percent(share));
            self.theory_note = match (bandwidth.counted, comparison.moved_gb_per_s) {
                (Counted::Bcopy, Some(moved)) => {
                    say!(text, "imported-doubled", rate = GbPerS(moved))
                }
                _ => String::new(),
            };
        }
        if let Some(reason) = &comparison.reason {
            self.theory_note = text.say(reason);
        }
        self.set_best_read(text, comparison);
        self
    }

    fn with_tokens(mut self, text: &Text, rate: &TokenRate, comparison: &Comparison) -> Row {
        self.add_detail(Some(foreign_short(&rate.model_type, 40)));
        self.add_detail(rate.n_threads.map(|n| say!(text, "threads", n = n)));
        self.imported = text.figure(TokensPerS(rate.tokens_per_s));
        if !rate.samples_ns.is_empty() {
            self.counted = say!(text, "imported-mean-of", n = rate.samples_ns.len());
        }
        self.set_spread(text, rate.spread());
        if let (Some(bound), Some(share)) = (
            comparison.bound_file_tokens_per_s,
            comparison.share_of_theory,
        ) {
            self.theory = text.figure(TokensPerS(bound));
            self.theory_note = say!(
                text,
                "imported-share",
                share = Percent(share),
                size = text.figure_or_unknown(rate.model_bytes.map(DecimalBytes)),
            );
        }
        if let Some(reason) = comparison.reason.as_ref().or(comparison.hint.as_ref()) {
            self.theory_note = text.say(reason);
        }
        match comparison.own_decode {
            Some(chain) => {
                self.measured = text.figure(TokensPerS(chain.measured_tokens_per_s));
                let threads = message!("threads", n = chain.n_threads);
                let note = say!(text, "imported-own-decode", threads = threads);
                self.measured_note = match chain.verdict {
                    Verdict::Ok => note,
                    verdict => format!("{note}, {}", text.say(&verdict.message())),
                };
            }
            None => self.set_best_read(text, comparison),
        }
        self
    }

    fn with_latency(mut self, text: &Text, latency: &Latency) -> Row {
        self.add_detail(Some(text.figure(BinaryBytes(latency.block_bytes))));
        self.add_detail(
            latency
                .pages
                .as_deref()
                .map(|pages| foreign_short(pages, 30)),
        );
        self.imported = text.figure(With(latency.ns, "ns"));
        self.counted = match latency.meaning {
            LatencyMeaning::OverFirstCache => say!(text, "imported-over-first-cache"),
            LatencyMeaning::Step => say!(text, "imported-one-step"),
        };
        self
    }

    fn add_detail(&mut self, detail: Option<String>) {
        if let Some(detail) = detail {
            let separator = if self.detail.is_empty() { "" } else { ", " };
            self.detail += &format!("{separator}{detail}");
        }
    }

    fn set_spread(&mut self, text: &Text, spread: Option<Spread>) {
        if let Some(spread) = spread {
            self.spread = text.figure(Percent(spread.share));
            self.spread_kind = match spread.kind {
                SpreadKind::DeviationOverMean => say!(text, "imported-deviation-mean"),
                SpreadKind::DeviationOverBest => say!(text, "imported-deviation-fastest"),
                SpreadKind::RangeOverMean => say!(text, "imported-range-mean"),
            };
        }
    }

    fn set_best_read(&mut self, text: &Text, comparison: &Comparison) {
        if let Some(read) = comparison.best_read {
            self.measured = text.figure(GbPerS(read.gb_per_s));
            let threads = message!("threads", n = read.n_threads);
            self.measured_note = say!(text, "imported-best-read", threads = threads);
        }
    }
}

/// Whole binary units where they fit, else decimal ones: STREAM's arrays are counted in elements.
fn array_bytes(bytes: u64) -> Figure {
    match bytes.is_multiple_of(1 << 20) {
        true => BinaryBytes(bytes),
        false => DecimalBytes(bytes),
    }
}

fn counted_words(text: &Text, counted: Counted) -> String {
    match counted {
        Counted::Read => say!(text, "counts-read"),
        Counted::ReadPlusWrite => say!(text, "counts-read-and-written"),
        Counted::Bcopy => say!(text, "counts-copied-once"),
    }
}
