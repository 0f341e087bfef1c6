//! Decode units of all hosts: measured tokens per second beside what the host's own limits allow.

use serde::Serialize;

use super::{Page, mark_class, model_label, value, verdict_word};
use crate::report::page_name;
use crate::svg::{Bar, Caption, Mark, bar_chart};
use crate::words;
use bench_analysis::measured::{Chain, HostAnalysis, Limit};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

/// Rows beyond this many are left to the table: a picture of hundreds of bars helps nobody.
const MAX_BARS: usize = 24;

#[derive(Serialize)]
struct View {
    chart: String,
    n_hidden: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    host: String,
    href: String,
    what: String,
    threads: usize,
    measured: String,
    bound: String,
    ratio: String,
    limit: &'static str,
    verdict: &'static str,
    badge: &'static str,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let chains: Vec<(&HostAnalysis, &Chain)> = (page.analysis.hosts.iter())
        .flat_map(|host| host.chains.iter().map(move |chain| (host, chain)))
        .collect();
    if chains.is_empty() {
        return None;
    }
    let best: Vec<(&HostAnalysis, &Chain)> = (page.analysis.hosts.iter())
        .flat_map(|host| {
            host.best_chains()
                .into_iter()
                .map(move |chain| (host, chain))
        })
        .collect();
    let bars: Vec<Bar> = best
        .iter()
        .take(MAX_BARS)
        .map(|(host, chain)| bar(host, chain))
        .collect();
    let caption = Caption {
        id: "inference",
        title: "Measured tokens per second on CPUs",
        description: "One row per decode unit. Solid bar: measured. Dashed tick: what the host's measured limits allow.",
    };
    value(View {
        chart: bar_chart(&caption, "tokens/s", &bars),
        n_hidden: chains.len().saturating_sub(bars.len()),
        rows: chains
            .iter()
            .map(|(host, chain)| row(host, chain))
            .collect(),
    })
}

fn bar(host: &HostAnalysis, chain: &Chain) -> Bar {
    let mut marks = vec![Mark::Bar(
        mark_class(chain.verdict),
        chain.measured_tokens_per_s,
    )];
    marks.extend(
        chain
            .bound_gb_per_s()
            .map(|gb_per_s| Mark::Bound(chain.tokens_per_s(gb_per_s))),
    );
    Bar {
        label: format!(
            "{} · {}",
            words::name(&format::foreign_short(host.name(), 24)),
            what(chain)
        ),
        value: format::tokens_per_s(chain.measured_tokens_per_s),
        marks,
    }
}

/// Model, quantisation, depth and threads of a chain: `qwen2.5-1.5b q4_0 @ d512, 4 threads`.
pub(super) fn what(chain: &Chain) -> String {
    format!(
        "{}, {}{}",
        model_label(&chain.model),
        format::count(chain.n_threads, "thread", "threads"),
        extrapolated(chain)
    )
}

/// A remark where the figure is not of a model that fits.
fn extrapolated(chain: &Chain) -> String {
    chain.extrapolated.map_or_else(String::new, |(held, all)| {
        format!(", extrapolated from {held} of {all} layers")
    })
}

/// The limit in plain words.
pub(super) fn limit_words(chain: &Chain) -> String {
    if chain.verdict != Verdict::Ok {
        return "something that cannot be told: this unit was disturbed".to_owned();
    }
    if let Some(reach) = chain.too_few_threads() {
        let verb = if chain.n_threads == 1 {
            "reads"
        } else {
            "read"
        };
        let threads = format::count(chain.n_threads, "thread", "threads");
        return format!(
            "the number of threads: {threads} {verb} only {}",
            format::gb_per_s(reach)
        );
    }
    if let Some(n_threads) = chain.other_threads() {
        return format!(
            "the set of threads: {} reads more than {}",
            format::count(n_threads, "thread", "threads"),
            format::count(chain.n_threads, "thread", "threads")
        );
    }
    let words = match chain.limit() {
        Some(Limit::Memory) => "memory: it delivers weights more slowly than the cores eat them",
        Some(Limit::Kernel) => {
            "the kernel: the cores eat weights more slowly than the memory delivers them"
        }
        None if chain.read_gb_per_s.is_some() => {
            "memory, as far as known: the kernel's own limit was not measured"
        }
        None => "something unknown: the read bandwidth was not measured",
    };
    words.to_owned()
}

/// The limit in a word or two, for tables.
pub(super) fn limit_word(chain: &Chain) -> &'static str {
    match chain.limit() {
        _ if chain.verdict != Verdict::Ok => "open: disturbed",
        _ if chain.other_threads().is_some() => "another set of threads reads more",
        _ if chain.too_few_threads().is_some() => "too few threads",
        Some(Limit::Memory) => "memory",
        Some(Limit::Kernel) => "kernel (the cores)",
        None if chain.read_gb_per_s.is_some() => "memory, as far as known",
        None => "unknown",
    }
}

fn row(host: &HostAnalysis, chain: &Chain) -> Row {
    let bound = chain.bound_gb_per_s();
    Row {
        host: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        what: format!("{}{}", model_label(&chain.model), extrapolated(chain)),
        threads: chain.n_threads,
        measured: format::tokens_per_s(chain.measured_tokens_per_s),
        bound: bound
            .map(|gb_per_s| format::tokens_per_s(chain.tokens_per_s(gb_per_s)))
            .unwrap_or_else(|| format::UNKNOWN.into()),
        ratio: bound
            .map(|gb_per_s| format::percent(chain.measured_gb_per_s / gb_per_s))
            .unwrap_or_default(),
        limit: limit_word(chain),
        verdict: verdict_word(chain.verdict),
        badge: chain.verdict.name(),
    }
}
