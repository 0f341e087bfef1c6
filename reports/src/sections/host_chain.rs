//! The bound chain of every decode unit: where the tokens are lost, step by step.

use serde::Serialize;

use super::inference::{limit_words, model_label, what};
use super::{Page, mark_class, value, verdict_word};
use crate::analysis::{Chain, Limit};
use crate::format;
use crate::svg::{Bar, Caption, Mark, bar_chart};

#[derive(Serialize)]
struct View {
    chains: Vec<ChainView>,
}

#[derive(Serialize)]
struct ChainView {
    title: String,
    chart: String,
    limit: &'static str,
    token: String,
    verdict: &'static str,
    badge: &'static str,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    name: &'static str,
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
    value(View {
        chains: host
            .chains
            .iter()
            .enumerate()
            .map(|(i, chain)| chain_view(i, chain))
            .collect(),
    })
}

/// A step of the chain: name, kind of figure, rate, and whose fault the loss to the step before is.
type Link = (&'static str, &'static str, Option<f64>, &'static str);

fn links(chain: &Chain) -> [Link; 5] {
    [
        ("theoretical bandwidth", "theory", chain.theory_gb_per_s, ""),
        (
            "best measured read",
            "measured",
            chain.read_gb_per_s,
            "memory: controller, DRAM, fabric",
        ),
        (
            "what the cores can eat",
            "measured",
            chain.kernel_gb_per_s,
            "cores and instruction set",
        ),
        (
            "bound of this model",
            "bound",
            chain.bound_gb_per_s(),
            "the smaller of the two above",
        ),
        (
            "measured decoding",
            "measured",
            Some(chain.measured_gb_per_s),
            "implementation: attention, norms, threads waiting",
        ),
    ]
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
            &format!("tokens/s of {}", model_label(chain)),
            &bars,
        ),
        limit: limit_words(chain),
        token: format::decimal_bytes(chain.token_bytes as u64),
        verdict: verdict_word(chain.verdict),
        badge: chain.verdict.name(),
        steps: steps(chain, &links),
    }
}

fn bar(chain: &Chain, (name, kind, gb_per_s, _): &Link) -> Option<Bar> {
    let tokens_per_s = chain.tokens_per_s((*gb_per_s)?);
    let mark = match (*kind, *name) {
        ("theory" | "bound", _) => Mark::Theory(tokens_per_s),
        (_, "measured decoding") => Mark::Bar(mark_class(chain.verdict), tokens_per_s),
        (_, "what the cores can eat") => Mark::Bar("limit", tokens_per_s),
        _ => Mark::Bar("measured", tokens_per_s),
    };
    Some(Bar {
        label: (*name).to_owned(),
        value: format::tokens_per_s(tokens_per_s),
        marks: vec![mark],
    })
}

fn steps(chain: &Chain, links: &[Link]) -> Vec<Step> {
    let tokens = |gb_per_s: f64| format::tokens_per_s(chain.tokens_per_s(gb_per_s));
    links
        .iter()
        .enumerate()
        .map(|(i, (name, kind, gb_per_s, culprit))| Step {
            name,
            kind,
            gb_per_s: format::gb_per_s_or_unknown(*gb_per_s),
            tokens_per_s: gb_per_s.map(tokens).unwrap_or_default(),
            ratio: ratio(chain, i, *gb_per_s).unwrap_or_default(),
            culprit,
        })
        .collect()
}

/// A step's share of the one it depends on. The bound is one of the two limits above it, so it says which.
fn ratio(chain: &Chain, step: usize, gb_per_s: Option<f64>) -> Option<String> {
    let (before, name) = match step {
        1 => (chain.theory_gb_per_s, "theory"),
        2 => (chain.read_gb_per_s, "the best read"),
        3 => match chain.limit() {
            Some(Limit::Kernel) => (chain.kernel_gb_per_s, "what the cores can eat"),
            Some(Limit::Memory) | None => (chain.read_gb_per_s, "the best read"),
        },
        4 => (chain.bound_gb_per_s(), "the bound"),
        _ => (None, ""),
    };
    Some(format!(
        "{} of {name}",
        format::percent(gb_per_s? / before?)
    ))
}
