//! One unit of one host over the runs: its figures, and what they were measured with.

use std::collections::BTreeMap;

use super::Found;
use bench_analysis::validity::verdict::Verdict;
use bench_locales::{Message, message};
use bench_run_dir::format;

/// A unit of a suite on one host over the runs.
#[derive(Debug, Clone)]
pub struct Series {
    /// The unit's identifier.
    pub unit: String,
    /// Its suite: units of two suites may have one name.
    pub suite: String,
    /// What it is without its threads.
    pub what: What,
    /// Whether its name tells its suite: the lines of its host are of several.
    pub names_suite: bool,
    /// Threads.
    pub n_threads: u32,
    /// The picture it belongs to.
    pub chart: Chart,
    /// Its figures, the oldest first.
    pub points: Vec<Point>,
    /// What changed; numbers are those of the usable points.
    pub(super) found: Vec<Found>,
    /// Smallest step, as a share, that the next three nights would confirm; `None` of too few nights.
    pub visible_step: Option<f64>,
}

/// What a line is of: lines that are the same in it differ by their threads or their suite only.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct What {
    /// The kernel, or the model and what was asked of it.
    pub name: String,
    /// Independent chains of a latency kernel.
    pub n_chains: Option<u32>,
    /// Kind of pages; empty for huge ones.
    pub pages: String,
}

/// The figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Number of the run in [`super::History::runs`].
    pub run: usize,
    /// The figure, in the unit of [`Chart::figure`].
    pub value: f64,
    /// Whether it may be believed.
    pub verdict: Verdict,
    /// Why not.
    pub reason: Option<String>,
    /// What it was measured in: number in [`super::HostHistory::setups`].
    pub setup: usize,
    /// Whether the run before of this host and suite has a usable figure of the same setup: the line goes on.
    pub is_joined: bool,
}

/// What a figure was measured with. Figures of two setups are of two things, and the line is broken between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setup {
    /// Name of the host's state.
    pub epoch: Option<String>,
    /// SHA-256 of the board program.
    pub artifact: Option<String>,
    /// Instruction-set variant that ran.
    pub variant: String,
    /// Whether the board was prepared.
    pub environment: String,
}

/// The pictures of a host, each with one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chart {
    /// Walks through memory.
    Streams,
    /// Matrices from memory times a vector.
    Products,
    /// Generating tokens.
    Decode,
    /// Reading prompts.
    Prefill,
    /// Dependent loads.
    Latency,
    /// What stays in the caches.
    Caches,
    /// Arithmetic.
    Arithmetic,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// 10^9 bytes per second.
    GbPerS,
    /// Tokens per second.
    TokensPerS,
    /// 10^9 operations per second.
    GopPerS,
    /// Nanoseconds for each load of a chain: the only one of which less is better.
    NsPerLoad,
}

impl Chart {
    /// All of them, in the order of the page.
    pub const ALL: [Chart; 7] = [
        Chart::Streams,
        Chart::Products,
        Chart::Decode,
        Chart::Prefill,
        Chart::Latency,
        Chart::Caches,
        Chart::Arithmetic,
    ];

    /// Heading.
    pub fn title(self) -> Message {
        match self {
            Chart::Streams => message!("chart-streams"),
            Chart::Products => message!("chart-products"),
            Chart::Decode => message!("chart-decode"),
            Chart::Prefill => message!("chart-prefill"),
            Chart::Latency => message!("chart-latency"),
            Chart::Caches => message!("chart-caches"),
            Chart::Arithmetic => message!("chart-arithmetic"),
        }
    }

    /// What its figures are.
    pub fn figure(self) -> Figure {
        match self {
            Chart::Streams | Chart::Products | Chart::Caches => Figure::GbPerS,
            Chart::Decode | Chart::Prefill => Figure::TokensPerS,
            Chart::Latency => Figure::NsPerLoad,
            Chart::Arithmetic => Figure::GopPerS,
        }
    }
}

impl Figure {
    /// Its unit.
    pub fn unit(self) -> Message {
        match self {
            Figure::GbPerS => message!("unit-gb-per-s"),
            Figure::TokensPerS => message!("unit-tokens-per-s"),
            Figure::GopPerS => message!("unit-gop-per-s"),
            Figure::NsPerLoad => message!("unit-ns-per-load"),
        }
    }

    /// A value with its unit.
    pub fn of(self, value: f64) -> bench_locales::Figure {
        match self {
            Figure::GbPerS => bench_locales::Figure::GbPerS(value),
            Figure::TokensPerS => bench_locales::Figure::TokensPerS(value),
            Figure::GopPerS => bench_locales::Figure::GopPerS(value),
            Figure::NsPerLoad => bench_locales::Figure::DurationNs(value),
        }
    }

    /// Whether a larger value is a better one.
    pub fn more_is_better(self) -> bool {
        self != Figure::NsPerLoad
    }
}

impl What {
    fn message(&self) -> Message {
        let mut message = message!("line-name", name = &self.name);
        if let Some(n) = self.n_chains {
            message = message!("line-chains", line = message, n = n);
        }
        match self.pages.as_str() {
            "" => message,
            "small" => message!("line-small-pages", line = message),
            pages => message!("line-pages", line = message, pages = pages),
        }
    }
}

impl Series {
    /// What it is without its threads, for people.
    pub fn name(&self) -> Message {
        let what = self.what.message();
        match self.names_suite {
            true => message!(
                "line-suite",
                line = what,
                suite = format::foreign_short(&self.suite, 20),
            ),
            false => what,
        }
    }

    /// What it is, for people.
    pub fn label(&self) -> Message {
        message!("line-threads", line = self.name(), n = self.n_threads)
    }

    /// Values that may be believed, the oldest first, with the number of their point.
    pub fn usable(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let points = self.points.iter().enumerate();
        points
            .filter(|(_, point)| point.verdict.is_usable())
            .map(|(i, point)| (i, point.value))
    }
}

/// What a unit is, as far as the store's columns tell.
#[derive(Debug, Clone, Default)]
pub(super) struct About<'a> {
    pub(super) kind: &'a str,
    pub(super) kernel: &'a str,
    pub(super) residency: &'a str,
    pub(super) n_threads: u32,
    pub(super) model: Option<&'a str>,
    pub(super) quant: &'a str,
    pub(super) kv_format: &'a str,
    pub(super) depth: u64,
    pub(super) n_prompt: u64,
    pub(super) n_generate: u64,
    pub(super) n_chains: Option<u32>,
    pub(super) pages: &'a str,
    pub(super) has_background: bool,
}

/// Bytes, operations and tokens of one iteration.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    pub(super) bytes: f64,
    pub(super) ops: f64,
    pub(super) tokens: f64,
}

impl About<'_> {
    /// Its picture; `None` for what is no line: steps of a sweep, units with background readers, external programs.
    pub(super) fn chart(&self) -> Option<Chart> {
        if self.has_background || self.residency == "sweep" {
            return None;
        }
        match (self.kind, self.residency) {
            ("stream" | "gemv", "cache") => Some(Chart::Caches),
            ("stream", _) => Some(Chart::Streams),
            ("gemv", _) => Some(Chart::Products),
            ("decode", _) => Some(Chart::Decode),
            ("prefill", _) => Some(Chart::Prefill),
            ("latency", _) => Some(Chart::Latency),
            ("peak" | "gemm", _) => Some(Chart::Arithmetic),
            _ => None,
        }
    }

    /// Its figure from the median time of an iteration.
    pub(super) fn value(&self, chart: Chart, work: Work, median_ns: f64) -> Option<f64> {
        let value = match chart.figure() {
            Figure::GbPerS => work.bytes / median_ns,
            Figure::TokensPerS => work.tokens.max(1.0) * 1e9 / median_ns,
            Figure::GopPerS => work.ops / median_ns,
            Figure::NsPerLoad => {
                median_ns * f64::from(self.n_chains?) * f64::from(self.n_threads) / work.ops
            }
        };
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// What it is without its threads.
    pub(super) fn what(&self) -> What {
        let mut name = match self.model {
            Some(model) => format!(
                "{} {}",
                format::foreign_short(model, 40),
                format::foreign_short(self.quant, 20)
            ),
            None => format::foreign_short(self.kernel, 40),
        };
        if self.model.is_some() {
            name += &match (self.n_prompt, self.n_generate) {
                (0, 0 | 1) => format!(" @ d{}", self.depth),
                (0, n) => format!(" tg{n} @ d{}", self.depth),
                (n, _) => format!(" pp{n}"),
            };
            if !matches!(self.kv_format, "" | "f16") {
                name += &format!(", KV {}", format::foreign_short(self.kv_format, 10));
            }
        }
        What {
            name,
            n_chains: self.n_chains,
            pages: match self.pages {
                "huge" => String::new(),
                pages => format::foreign_short(pages, 10),
            },
        }
    }
}

/// Of lines that differ by their threads only, the best one: by the median of its usable figures, and of latencies the
/// one of fewest threads. Lines with less than half the figures of another do not count.
pub(super) fn keep_best_threads(lines: Vec<Series>) -> Vec<Series> {
    let mut alike: BTreeMap<(Chart, String, What), Vec<Series>> = BTreeMap::new();
    for line in lines {
        let key = (line.chart, line.suite.clone(), line.what.clone());
        alike.entry(key).or_default().push(line);
    }
    let best = |lines: Vec<Series>| {
        let n_usable = |line: &Series| line.usable().count();
        let most = lines.iter().map(n_usable).max().unwrap_or(0);
        let mut lines: Vec<(f64, Series)> = (lines.into_iter())
            .filter(|line| 2 * n_usable(line) >= most)
            .map(|line| (rank(&line), line))
            .collect();
        // The unit's name decides between equals, so that the order of the store does not.
        lines.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.unit.cmp(&b.1.unit)));
        lines.into_iter().next().map(|(_, line)| line)
    };
    alike.into_values().filter_map(best).collect()
}

fn rank(line: &Series) -> f64 {
    if line.chart == Chart::Latency {
        return -f64::from(line.n_threads);
    }
    let mut values: Vec<f64> = line.usable().map(|(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    bench_analysis::stats::median(&values).unwrap_or(0.0)
}
