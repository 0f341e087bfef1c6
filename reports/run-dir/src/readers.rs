//! Results of other benchmark programs: from the text they print to figures with a unit and a way of counting.
//!
//! Owns the formats of those programs and what their numbers mean. Pure: no files, no clock. Refuses to repair: what
//! is missing or is no number is an error that names its place, and nothing is taken from such a text.

pub mod babelstream;
pub mod llama_bench;
pub mod mbw;
pub mod sbc_bench;
pub mod stream;
pub mod sysbench;
pub mod tinymembench;

mod line;

use std::collections::BTreeMap;
use std::fmt;

/// Longest text that is parsed, bytes. The longest result of `sbc-bench` in its own collection has 1 MB.
pub const MAX_BYTES: usize = 16 << 20;

/// Most figures of one text.
pub const MAX_FIGURES: usize = 50_000;

/// Problems that a message lists; the others are counted.
const MAX_PROBLEMS_SHOWN: usize = 20;

/// A program whose results can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// `llama-bench` of llama.cpp: JSON, JSON lines, CSV or a Markdown table.
    LlamaBench,
    /// McCalpin's STREAM, version 5.
    Stream,
    /// Siamashka's tinymembench and its forks.
    Tinymembench,
    /// mbw.
    Mbw,
    /// sbc-bench, which runs tinymembench and ramlat on one core of each cluster.
    SbcBench,
    /// `sysbench memory`.
    Sysbench,
    /// BabelStream on a processor's cores.
    BabelStream,
}

impl Tool {
    /// All of them.
    pub const ALL: [Tool; 7] = [
        Tool::LlamaBench,
        Tool::Stream,
        Tool::Tinymembench,
        Tool::Mbw,
        Tool::SbcBench,
        Tool::Sysbench,
        Tool::BabelStream,
    ];

    /// The stable name used in files and columns.
    pub fn id(self) -> &'static str {
        match self {
            Tool::LlamaBench => "llama-bench",
            Tool::Stream => "stream",
            Tool::Tinymembench => "tinymembench",
            Tool::Mbw => "mbw",
            Tool::SbcBench => "sbc-bench",
            Tool::Sysbench => "sysbench",
            Tool::BabelStream => "babelstream",
        }
    }

    /// The tool of a stable name.
    pub fn from_id(id: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.id() == id)
    }
}

/// What one text holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Which program printed it.
    pub tool: Tool,
    /// Version of that program, where the text tells it.
    pub version: Option<String>,
    /// What else the text tells of the machine and the program, by the names used there: `cpu_info`, `build_commit`.
    pub facts: BTreeMap<String, String>,
    /// Its figures in the order of the text; never empty.
    pub figures: Vec<ImportedFigure>,
    /// What a reader must know beside them, one sentence each.
    pub remarks: Vec<String>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedFigure {
    /// Name as the program prints it: `Triad`, `standard memcpy`, `tg128 @ d512`.
    pub name: String,
    /// Where it stands in the text.
    pub place: Place,
    /// The core that the program was bound to, as it prints it: `cpu4 (Cortex-A76)`.
    pub core: Option<String>,
    /// What was measured.
    pub value: Value,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Line, from 1.
    Line(usize),
    /// Row of results, from 1.
    Row(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Bytes moved per second.
    Bandwidth(Bandwidth),
    /// Time of a load.
    Latency(Latency),
    /// Tokens of a language model per second.
    Tokens(Box<TokenRate>),
}

/// A bandwidth.
#[derive(Debug, Clone, PartialEq)]
pub struct Bandwidth {
    /// GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// Which bytes are counted.
    pub counted: Counted,
    /// Which of several repetitions it is.
    pub statistic: Statistic,
    /// Threads; `None` where the text does not tell.
    pub n_threads: Option<u32>,
    /// Bytes of each array.
    pub block_bytes: Option<u64>,
    /// How far repetitions lie apart.
    pub spread: Option<Spread>,
    /// Repetitions that the figure was made of.
    pub n_samples: Option<u32>,
}

/// Which bytes a bandwidth counts; the names are those of published figures in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Bytes read; nothing is written.
    Read,
    /// Bytes that the program reads plus bytes it writes.
    ReadPlusWrite,
    /// Copied bytes once, although each is read and written.
    Bcopy,
}

impl Counted {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Counted::Read => "read",
            Counted::ReadPlusWrite => "read_plus_write",
            Counted::Bcopy => "bcopy",
        }
    }

    /// Bytes that move for each byte that is counted. What a processor fetches before it overwrites it is not known
    /// and in neither.
    pub fn moved_per_counted(self) -> f64 {
        match self {
            Counted::Read | Counted::ReadPlusWrite => 1.0,
            Counted::Bcopy => 2.0,
        }
    }
}

/// Which of several repetitions a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// The fastest.
    Best,
    /// The mean of all.
    Mean,
    /// One of them.
    Single,
}

impl Statistic {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Best => "best",
            Statistic::Mean => "mean",
            Statistic::Single => "single",
        }
    }
}

/// How far repetitions lie apart, as a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The share: 0.01 is one per cent.
    pub share: f64,
    /// What is divided by what.
    pub kind: SpreadKind,
}

/// What a spread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpreadKind {
    /// Sample standard deviation over the mean.
    DeviationOverMean,
    /// Sample standard deviation over the fastest repetition.
    DeviationOverBest,
    /// Longest less shortest time over the mean time.
    RangeOverMean,
}

impl SpreadKind {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            SpreadKind::DeviationOverMean => "deviation_over_mean",
            SpreadKind::DeviationOverBest => "deviation_over_best",
            SpreadKind::RangeOverMean => "range_over_mean",
        }
    }
}

/// A latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// Nanoseconds.
    pub ns: f64,
    /// What of.
    pub meaning: LatencyMeaning,
    /// Bytes that the loads are spread over.
    pub block_bytes: u64,
    /// Which pages were asked for, where the text tells: `MADV_HUGEPAGE`, `MADV_NOHUGEPAGE`.
    pub pages: Option<String>,
}

/// What a latency is the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyMeaning {
    /// One step, less what the same step takes in the first cache.
    OverFirstCache,
    /// One step.
    Step,
}

impl LatencyMeaning {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            LatencyMeaning::OverFirstCache => "over_first_cache",
            LatencyMeaning::Step => "step",
        }
    }
}

/// A rate of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRate {
    /// Name of the model file, without its folder.
    pub model_filename: Option<String>,
    /// The model as llama.cpp describes it: `qwen2 1.5B Q4_0`.
    pub model_type: String,
    /// Bytes of all tensors; `None` where a table leaves them out.
    pub model_bytes: Option<u64>,
    /// Parameters.
    pub n_params: Option<u64>,
    /// How far bytes and parameters may be from what was printed.
    pub rounding: llama_bench::Rounding,
    /// Threads; `None` where a table leaves them out.
    pub n_threads: Option<u32>,
    /// Tokens of the prompt.
    pub n_prompt: u64,
    /// Tokens generated.
    pub n_gen: u64,
    /// Tokens in the KV cache before.
    pub n_depth: u64,
    /// Storage of keys.
    pub type_k: Option<String>,
    /// Storage of values.
    pub type_v: Option<String>,
    /// What computed: `CPU`, `CUDA`.
    pub backends: Option<String>,
    /// Whether a graphics processor took part.
    pub uses_gpu: bool,
    /// Time of each repetition, nanoseconds; empty where the text holds none (CSV, tables).
    pub samples_ns: Vec<u64>,
    /// Mean of the tokens per second of the repetitions.
    pub tokens_per_s: f64,
    /// Sample standard deviation of the same; `None` for one repetition.
    pub stddev_tokens_per_s: Option<f64>,
}

impl TokenRate {
    /// Standard deviation over mean.
    pub fn spread(&self) -> Option<Spread> {
        let share = self.stddev_tokens_per_s? / self.tokens_per_s;
        share.is_finite().then_some(Spread {
            share,
            kind: SpreadKind::DeviationOverMean,
        })
    }

    /// Fewest bytes of all tensors that the text allows: a bound made from them is not below the true one.
    pub fn least_model_bytes(&self) -> Option<u64> {
        let bytes = self.model_bytes?.saturating_sub(self.rounding.model_bytes);
        Some(bytes).filter(|bytes| *bytes > 0)
    }

    /// Whether a model of so many parameters can be the one.
    pub fn has_params(&self, n_params: u64) -> bool {
        self.n_params
            .is_some_and(|own| own.abs_diff(n_params) <= self.rounding.n_params)
    }

    /// Whether it is generation alone, whose bound is a bandwidth over the bytes of the model.
    pub fn is_generation(&self) -> bool {
        self.n_prompt == 0 && self.n_gen > 0
    }
}

/// Why a text cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// Everything that speaks against it.
    pub problems: Vec<Problem>,
}

/// One thing that speaks against a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` for the text as a whole.
    pub place: Option<Place>,
    /// What, with the remedy.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{place}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for ImportError {}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().take(MAX_PROBLEMS_SHOWN).enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        match self.problems.len().saturating_sub(MAX_PROBLEMS_SHOWN) {
            0 => Ok(()),
            n => write!(f, "; and {n} more"),
        }
    }
}

impl ImportError {
    /// One problem of the text as a whole.
    pub(crate) fn whole(what: impl Into<String>) -> ImportError {
        ImportError {
            problems: vec![Problem {
                place: None,
                what: what.into(),
            }],
        }
    }
}

/// Parses what a tool printed.
///
/// # Errors
/// Everything that is wrong at once: no figures, missing fields, values that are no finite positive numbers, a result
/// that the tool itself calls wrong, and texts beyond [`MAX_BYTES`] and [`MAX_FIGURES`].
pub fn parse(tool: Tool, text: &str) -> Result<Imported, ImportError> {
    if text.len() > MAX_BYTES {
        return Err(ImportError::whole(format!(
            "the text has {} bytes, more than {MAX_BYTES}; import the results alone",
            text.len()
        )));
    }
    let imported = match tool {
        Tool::LlamaBench => llama_bench::parse(text),
        Tool::Stream => stream::parse(text),
        Tool::Tinymembench => tinymembench::parse(text),
        Tool::Mbw => mbw::parse(text),
        Tool::SbcBench => sbc_bench::parse(text),
        Tool::Sysbench => sysbench::parse(text),
        Tool::BabelStream => babelstream::parse(text),
    }?;
    if imported.figures.is_empty() {
        return Err(ImportError::whole(format!(
            "there is no result of `{}` in it; name the right program with `--tool` ({})",
            tool.id(),
            Tool::ALL.map(Tool::id).join(", ")
        )));
    }
    if imported.figures.len() > MAX_FIGURES {
        return Err(ImportError::whole(format!(
            "there are {} figures in it, more than {MAX_FIGURES}; import it in parts",
            imported.figures.len()
        )));
    }
    Ok(imported)
}

/// The text of a file: decoded, with plain blanks.
///
/// # Errors
/// With what is wrong and the remedy, when it is not a text.
pub fn text(bytes: &[u8]) -> Result<String, String> {
    let text = bench_inventory::text::decode_lossy(bytes);
    let text = text.map_err(|error| format!("the file is {error}; save it as UTF-8"))?;
    Ok(bench_inventory::text::with_plain_blanks(&text).into_owned())
}

/// Which tools printed a text, in the order of [`Tool::ALL`]; none when it looks like none of them.
pub fn detect(text: &str) -> Vec<Tool> {
    let is_of = |tool: &Tool| match tool {
        Tool::LlamaBench => llama_bench::looks_like(text),
        Tool::Stream => stream::looks_like(text),
        // The text of sbc-bench holds that of tinymembench.
        Tool::Tinymembench => tinymembench::looks_like(text) && !sbc_bench::looks_like(text),
        Tool::Mbw => mbw::looks_like(text),
        Tool::SbcBench => sbc_bench::looks_like(text),
        Tool::Sysbench => sysbench::looks_like(text),
        Tool::BabelStream => babelstream::looks_like(text),
    };
    Tool::ALL.into_iter().filter(is_of).collect()
}
