//! Output of `sysbench memory`.
//!
//! A rate is in MiB/s of 2^20 bytes (`MB/sec` in versions before 1.0, with the same bytes): the bytes of all threads
//! over the whole time. Every thread reads or writes its block over and over; a block of 1 KiB, which is what sysbench
//! takes unless told otherwise, never leaves the first cache.
//!
//! Source: `sb_memory.c` of sysbench 0.4.12 and 1.0.20, functions `memory_report_intermediate` and
//! `memory_report_cumulative` (`const double megabyte = 1024.0 * 1024.0`).

use std::collections::BTreeMap;

use super::line::{self, Problems};
use super::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Place, Statistic, Tool, Value,
};

/// Bytes of a MiB, and of what old versions call MB.
const MIB: f64 = (1u64 << 20) as f64;

/// Units of a block's size.
const BLOCK_UNITS: [(&str, u64); 6] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
];

pub(super) fn looks_like(text: &str) -> bool {
    text.lines().any(|line| rate(line.trim()).is_some())
}

/// The rate of `66406.25 MiB transferred (6640.63 MiB/sec)`.
fn rate(line: &str) -> Option<&str> {
    let (_, rest) = line
        .split_once(" MiB transferred (")
        .or_else(|| line.split_once(" MB transferred ("))?;
    let rest = rest.strip_suffix(')')?;
    let rate = rest
        .strip_suffix("MiB/sec")
        .or_else(|| rest.strip_suffix("MB/sec"))?;
    Some(rate.trim())
}

/// What one run says before its result.
#[derive(Default)]
struct Run {
    n_threads: Option<u32>,
    block_bytes: Option<u64>,
    operation: Option<String>,
    scope: Option<String>,
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
        if let Some(rest) = line.strip_prefix("sysbench ") {
            run = Run::default();
            let own = rest.split([' ', ':']).next().unwrap_or_default();
            version = Some(line::name(own));
        } else if let Some(n) = line.strip_prefix("Number of threads:") {
            run.n_threads = n.trim().parse().ok();
        } else if let Some((name, value)) = setting(line) {
            match name {
                "block size" => run.block_bytes = block_bytes(value),
                "operation" => run.operation = Some(value.to_ascii_lowercase()),
                _ => run.scope = Some(value.to_owned()),
            }
        } else if let Some(text) = rate(line) {
            let operation = run.operation.as_deref().unwrap_or_default();
            let counted = match operation {
                "read" => Counted::Read,
                // Nothing is read: bytes read plus bytes written are the bytes written.
                "write" => Counted::ReadPlusWrite,
                _ => {
                    let shown = line::shown(operation);
                    let what = format!(
                        "the operation is `{shown}`, neither `read` nor `write`; keep the lines above the result, and measure with `--memory-oper=read`"
                    );
                    problems.add(place, what);
                    continue;
                }
            };
            let Some(mib_per_s) = problems.positive(place, "the rate", text) else {
                continue;
            };
            if let Some(scope) = &run.scope {
                facts.insert("scope".to_owned(), line::name(scope));
            }
            figures.push(ImportedFigure {
                name: format!("memory {operation}"),
                place,
                core: None,
                value: Value::Bandwidth(Bandwidth {
                    gb_per_s: mib_per_s * MIB / 1e9,
                    counted,
                    statistic: Statistic::Mean,
                    n_threads: run.n_threads,
                    block_bytes: run.block_bytes,
                    spread: None,
                    n_samples: None,
                }),
            });
        }
    }
    if !figures.is_empty() {
        remarks.push(
            "sysbench does not print whether it went through the block in order or at random"
                .to_owned(),
        );
    }
    problems.or(Imported {
        tool: Tool::Sysbench,
        version,
        facts,
        figures,
        remarks,
    })
}

/// A setting of the memory test: `block size: 1KiB`, in old versions `Memory block size: 1K`.
fn setting(line: &str) -> Option<(&'static str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = match name.trim() {
        "block size" | "Memory block size" => "block size",
        "operation" | "Memory operations type" => "operation",
        "scope" | "Memory scope type" => "scope",
        _ => return None,
    };
    Some((name, value.trim()))
}

fn block_bytes(text: &str) -> Option<u64> {
    let (digits, factor) = BLOCK_UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    let bytes = digits.trim().parse::<u64>().ok()?.checked_mul(factor)?;
    Some(bytes).filter(|bytes| *bytes > 0)
}
