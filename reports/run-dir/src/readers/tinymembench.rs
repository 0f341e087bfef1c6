//! Output of tinymembench 0.4 and of its forks, alone or inside that of another program.
//!
//! A rate is in MB/s of 10^6 bytes, of the fastest of up to ten repetitions, on one thread. Copies count copied bytes
//! once, fills count bytes written, reads and scans bytes read. The arrays hold 32 MiB each.
//!
//! A latency is what a random load takes beyond one that hits the first cache, of the fastest repetition; that of a
//! `dual random read` is of a pair of independent loads.
//!
//! Source: `main.c` of tinymembench 0.4.9, functions `bandwidth_bench_helper` (`size * loopcount / (t2 - t1) /
//! 1000000.`), `latency_bench` (`min_t * 1000000000. / count`), and the notes it prints.

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Latency, LatencyMeaning, Place,
    Spread, SpreadKind, Statistic, Tool, Value,
};

/// Bytes of each array: `SIZE` in `main.c`.
const ARRAY_BYTES: u64 = 32 << 20;

/// The version, and the start of that of its forks, whose arrays are known to be [`ARRAY_BYTES`].
const KNOWN_VERSION: &str = "0.4.9";

pub(super) fn looks_like(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("tinymembench v"))
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let mut blocks = Blocks::default();
    for (number, line) in line::numbered(text) {
        blocks.take(line, number, None, &mut problems);
    }
    problems.or(Imported {
        tool: Tool::Tinymembench,
        version: blocks.version.clone(),
        facts: BTreeMap::new(),
        remarks: blocks.remarks(),
        figures: blocks.figures,
    })
}

/// What tinymembench printed so far, once or several times.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Version of the last block.
    pub(super) version: Option<String>,
    /// Figures in the order of the text.
    pub(super) figures: Vec<ImportedFigure>,
    /// Figures of uncached memory, which are left out.
    n_framebuffer: usize,
    /// Names that say neither copy nor fill nor read.
    unknown: Vec<String>,
    in_framebuffer: bool,
    /// What the latency table at hand says of its pages; `None` outside a table.
    latencies: Option<Option<String>>,
}

impl Blocks {
    /// Reads one line.
    pub(super) fn take(
        &mut self,
        line: &str,
        number: usize,
        core: Option<&str>,
        problems: &mut Problems,
    ) {
        let place = Place::Line(number);
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix("tinymembench v") {
            let version = rest.split_whitespace().next().unwrap_or_default();
            self.version = Some(line::name(version));
            self.in_framebuffer = false;
            self.latencies = None;
        } else if trimmed.starts_with("== Framebuffer read tests") {
            self.in_framebuffer = true;
        } else if trimmed.starts_with("== Memory") {
            self.in_framebuffer = false;
        } else if let Some(rest) = trimmed.strip_prefix("block size :") {
            let pages = rest.split_once('[').map(|(_, pages)| pages);
            self.latencies = Some(pages.map(|pages| line::name(pages.trim_end_matches(']'))));
        } else if self.latencies.is_some() && trimmed.contains(" ns ") && trimmed.contains('/') {
            self.latency(trimmed, place, core, problems);
        } else if !trimmed.is_empty() {
            self.latencies = None;
            // Prose may speak of MB/s, too: only a name and a number before it make a result.
            if let Some((head, tail)) = trimmed.rsplit_once("MB/s")
                && let Some((name, rate)) = head.rsplit_once(" :")
            {
                self.bandwidth(name, rate.trim(), tail.trim(), place, core, problems);
            }
        }
    }

    fn bandwidth(
        &mut self,
        name: &str,
        rate: &str,
        tail: &str,
        place: Place,
        core: Option<&str>,
        problems: &mut Problems,
    ) {
        let name = line::name(name);
        let what = format!("the rate of `{}`", line::shown(&name));
        let mb_per_s = problems.positive(place, &what, rate);
        let Some((n_samples, spread)) = repetitions(tail) else {
            let tail = line::shown(tail);
            let what = format!(
                "{what} is followed by `{tail}`, which should be a deviation like `(0.4%)`"
            );
            return problems.add(place, what);
        };
        let Some(mb_per_s) = mb_per_s else {
            return;
        };
        if self.in_framebuffer || name.contains("framebuffer") {
            self.n_framebuffer += 1;
            return;
        }
        let Some(counted) = counted(&name) else {
            if !self.unknown.contains(&name) {
                self.unknown.push(name);
            }
            return;
        };
        let version = self.version.as_deref();
        let is_known = version.is_some_and(|version| version.starts_with(KNOWN_VERSION));
        self.figures.push(ImportedFigure {
            name,
            place,
            core: core.map(str::to_owned),
            value: Value::Bandwidth(Bandwidth {
                // "Note 1: 1MB = 1000000 bytes".
                gb_per_s: mb_per_s / 1e3,
                counted,
                statistic: Statistic::Best,
                n_threads: Some(1),
                block_bytes: is_known.then_some(ARRAY_BYTES),
                spread,
                n_samples,
            }),
        });
    }

    fn latency(&mut self, line: &str, place: Place, core: Option<&str>, problems: &mut Problems) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [block, ":", single, "ns", "/", dual, "ns"] = words[..] else {
            let what = "the line should read `BYTES : .. ns / .. ns`; it is cut off";
            return problems.add(place, what);
        };
        let Some(block_bytes) = block.parse::<u64>().ok().filter(|bytes| *bytes > 0) else {
            let what = format!(
                "the block size is `{}`, not a whole number above 0",
                line::shown(block)
            );
            return problems.add(place, what);
        };
        let pages = self.latencies.clone().flatten();
        for (name, text) in [("single random read", single), ("dual random read", dual)] {
            let Some(ns) = problems.not_negative(place, &format!("the time of a {name}"), text)
            else {
                continue;
            };
            self.figures.push(ImportedFigure {
                name: name.to_owned(),
                place,
                core: core.map(str::to_owned),
                value: Value::Latency(Latency {
                    ns,
                    // "Note 1: All the numbers are representing extra time, which needs to be added to L1 cache
                    // latency."
                    meaning: LatencyMeaning::OverFirstCache,
                    block_bytes,
                    pages: pages.clone(),
                }),
            });
        }
    }

    /// What was left out and why.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.n_framebuffer > 0 {
            let rates = crate::format::count(self.n_framebuffer, "rate", "rates");
            remarks.push(format!(
                "{rates} of the framebuffer left out: it is not cached, and may be the memory of another device"
            ));
        }
        if !self.unknown.is_empty() {
            let names: Vec<String> = self
                .unknown
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            remarks.push(format!(
                "left out, since their names do not say which bytes they count: {}",
                names.join(", ")
            ));
        }
        remarks
    }
}

/// What stands behind a rate: nothing, the deviation `(0.4%)` where it is not tiny, and in forks the number of
/// repetitions before it, `(3)` and `(3, 0.4%)`. `None` for anything else.
fn repetitions(tail: &str) -> Option<(Option<u32>, Option<Spread>)> {
    if tail.is_empty() {
        return Some((None, None));
    }
    let inside = tail.strip_prefix('(')?.strip_suffix(')')?;
    let (n, percent) = match inside.split_once(',') {
        Some((n, percent)) => (Some(n), Some(percent)),
        None if inside.ends_with('%') => (None, Some(inside)),
        None => (Some(inside), None),
    };
    let n = n.map(|n| n.trim().parse::<u32>()).transpose().ok()?;
    let percent = percent.map(|percent| percent.trim().strip_suffix('%')?.parse::<f64>().ok());
    let spread = match percent {
        None => None,
        Some(Some(percent)) if percent.is_finite() && percent >= 0.0 => Some(Spread {
            share: percent / 100.0,
            kind: SpreadKind::DeviationOverBest,
        }),
        Some(_) => return None,
    };
    Some((n, spread))
}

/// Which bytes a test counts, by its name.
fn counted(name: &str) -> Option<Counted> {
    let has = |word: &str| name.contains(word);
    if has("copy") || has("memcpy") {
        // "Note 2: Results for 'copy' tests show how many bytes can be copied per second".
        Some(Counted::Bcopy)
    } else if has("fill") || has("memset") {
        // Nothing is read: bytes read plus bytes written are the bytes written.
        Some(Counted::ReadPlusWrite)
    } else if has("read") || has("load") || has("scan") {
        Some(Counted::Read)
    } else {
        None
    }
}
