//! The bound chain of every decode unit: where the tokens are lost, step by step.

use serde::Serialize;

use super::inference::{limit_word, limit_words, what};
use super::{Page, mark_class, value, verdict_word};
use crate::svg::{Bar, Caption, Mark, bar_chart};
use bench_analysis::choice::decide::culprits;
use bench_analysis::measured::{Chain, Limit};
use bench_run_dir::format;

/// Chains that are drawn; a ladder of quantisations over several depths has dozens, and one line tells them too.
const MAX_PICTURES: usize = 2;

#[derive(Serialize)]
struct View {
    chains: Vec<ChainView>,
    others: Vec<Row>,
}

/// A chain in one line.
#[derive(Serialize)]
struct Row {
    what: String,
    token: String,
    theory: String,
    read: String,
    cores: String,
    bound: String,
    measured: String,
    ratio: String,
    limit: &'static str,
    verdict: &'static str,
    badge: &'static str,
}

#[derive(Serialize)]
struct ChainView {
    title: String,
    chart: String,
    limit: String,
    token: String,
    verdict: &'static str,
    badge: &'static str,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    name: String,
    kind: &'static str,
    gb_per_s: String,
    tokens_per_s: String,
    ratio: String,
    culprit: &'static str,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    if host.chains.is_empty() {
        return None;
    }
    let best = host.best_chains();
    value(View {
        chains: (best.iter().take(MAX_PICTURES).enumerate())
            .map(|(i, chain)| chain_view(i, chain))
            .collect(),
        others: best
            .iter()
            .skip(MAX_PICTURES)
            .map(|chain| row(chain))
            .collect(),
    })
}

fn row(chain: &Chain) -> Row {
    let rate = |gb_per_s: Option<f64>| {
        let tokens_per_s = gb_per_s.map(|gb_per_s| chain.tokens_per_s(gb_per_s));
        tokens_per_s.map_or_else(|| format::UNKNOWN.to_owned(), format::number)
    };
    let bound = chain.bound_gb_per_s();
    Row {
        what: what(chain),
        token: format::decimal_bytes(chain.token_bytes as u64),
        theory: rate(chain.theory_gb_per_s),
        read: rate(chain.read_gb_per_s),
        cores: rate(chain.kernel_gb_per_s),
        bound: rate(bound),
        measured: format::number(chain.measured_tokens_per_s),
        ratio: bound
            .map(|bound| format::percent(chain.measured_gb_per_s / bound))
            .unwrap_or_default(),
        limit: limit_word(chain),
        verdict: verdict_word(chain.verdict),
        badge: chain.verdict.name(),
    }
}

/// What the cores can do, from their caches.
const CORES: &str = "what the cores can eat";

/// A step of the chain.
struct Link {
    name: String,
    /// Kind of figure, as people read it.
    kind: &'static str,
    gb_per_s: Option<f64>,
    /// Rate and name of the step that it is a share of.
    of: Option<(f64, &'static str)>,
    /// What a loss against that step is due to.
    culprit: &'static str,
    /// Drawn as a dashed outline when absent.
    bar: Option<&'static str>,
}

fn links(chain: &Chain) -> Vec<Link> {
    let (theory, read) = (chain.theory_gb_per_s, chain.read_gb_per_s);
    let binding = match chain.limit() {
        Some(Limit::Kernel) => (chain.kernel_gb_per_s, CORES),
        Some(Limit::Memory) | None => (read, "the best read"),
    };
    let link =
        |name: &str, kind, gb_per_s, (rate, of): (Option<f64>, &'static str), culprit, bar| Link {
            name: name.to_owned(),
            kind,
            gb_per_s,
            of: rate.map(|rate| (rate, of)),
            culprit,
            bar,
        };
    let threads = format!(
        "read with {}",
        format::count(chain.n_threads, "thread", "threads")
    );
    let of_read = (read, "the best read");
    let mut links = vec![
        link(
            "theoretical bandwidth",
            "theory",
            theory,
            (None, ""),
            "",
            None,
        ),
        link(
            "best measured read",
            "measured",
            read,
            (theory, "theory"),
            culprits::READ,
            Some("measured"),
        ),
        link(
            &threads,
            "measured",
            chain.threads_read_gb_per_s,
            of_read,
            "the threads of this unit fill the bus less than others do",
            Some("measured"),
        ),
        link(
            CORES,
            "measured",
            chain.kernel_gb_per_s,
            of_read,
            culprits::KERNEL,
            Some("limit"),
        ),
        link(
            "bound of this model",
            "theory",
            chain.bound_gb_per_s(),
            binding,
            "the smaller of best read and cores",
            None,
        ),
        link(
            "measured decoding",
            "measured",
            Some(chain.measured_gb_per_s),
            (chain.bound_gb_per_s(), "the bound"),
            culprits::DECODE,
            Some(mark_class(chain.verdict)),
        ),
    ];
    // Where the best read was made with as many threads, that step says nothing new. Cores that could read more than the
    // memory gives take nothing away, and a chain leads down.
    links.retain(|link| {
        let is_limit = link.name == threads || link.name == CORES;
        !is_limit || (link.gb_per_s.is_some() && link.gb_per_s < read.or(Some(f64::INFINITY)))
    });
    links
}

fn chain_view(i: usize, chain: &Chain) -> ChainView {
    let links = links(chain);
    let caption = Caption {
        id: &format!("chain-{i}"),
        title: &format!("Bound chain of {}", what(chain)),
        description: "From top to bottom: theoretical bandwidth, best measured read, rate of the cores, the bound that follows, and what was measured, all in tokens per second of this model.",
    };
    let bars: Vec<Bar> = links.iter().filter_map(|link| bar(chain, link)).collect();
    ChainView {
        title: what(chain),
        chart: bar_chart(
            &caption,
            &format!("tokens/s of {}", super::model_label(&chain.model)),
            &bars,
        ),
        limit: limit_words(chain),
        token: format::decimal_bytes(chain.token_bytes as u64),
        verdict: verdict_word(chain.verdict),
        badge: chain.verdict.name(),
        steps: steps(chain, links),
    }
}

fn bar(chain: &Chain, link: &Link) -> Option<Bar> {
    let tokens_per_s = chain.tokens_per_s(link.gb_per_s?);
    let mark = match link.bar {
        Some(kind) => Mark::Bar(kind, tokens_per_s),
        None => Mark::Theory(tokens_per_s),
    };
    Some(Bar {
        label: link.name.clone(),
        value: format::tokens_per_s(tokens_per_s),
        marks: vec![mark],
    })
}

fn steps(chain: &Chain, links: Vec<Link>) -> Vec<Step> {
    let tokens = |gb_per_s: f64| format::tokens_per_s(chain.tokens_per_s(gb_per_s));
    let ratio = |link: &Link| {
        let (rate, of) = link.of?;
        Some(format!(
            "{} of {of}",
            format::percent(link.gb_per_s? / rate)
        ))
    };
    links
        .into_iter()
        .map(|link| Step {
            kind: link.kind,
            gb_per_s: format::gb_per_s_or_unknown(link.gb_per_s),
            tokens_per_s: link.gb_per_s.map(tokens).unwrap_or_default(),
            ratio: ratio(&link).unwrap_or_default(),
            culprit: link.culprit,
            name: link.name,
        })
        .collect()
}
