//! Decode units of all hosts: measured tokens per second beside what the host's own limits allow.

use bench_locales::Figure::{Percent, TokensPerS};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::host::chain_words::{limit_word, what, what_model};
use crate::pages::page_name;
use crate::pages::{Page, mark_class, value};
use bench_analysis::measured::{Chain, HostAnalysis};
use bench_run_dir::format;

/// Rows beyond this many are left to the table: a picture of hundreds of bars cannot be read.
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
    limit: String,
    verdict: String,
    badge: &'static str,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
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
        .map(|(host, chain)| bar(page.text, host, chain))
        .collect();
    let caption = Caption {
        text: page.text,
        id: "inference",
        title: &say!(page.text, "section-inference"),
        description: &say!(page.text, "inference-chart-text"),
    };
    value(View {
        chart: bar_chart(&caption, &say!(page.text, "axis-tokens-per-s"), &bars),
        n_hidden: chains.len().saturating_sub(bars.len()),
        rows: chains
            .iter()
            .map(|(host, chain)| row(page.text, host, chain))
            .collect(),
    })
}

fn bar(text: &Text, host: &HostAnalysis, chain: &Chain) -> Bar {
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
            &format::foreign_short(host.name(), 24),
            what(text, chain)
        ),
        value: text.figure(TokensPerS(chain.measured_tokens_per_s)),
        marks,
    }
}

fn row(text: &Text, host: &HostAnalysis, chain: &Chain) -> Row {
    let bound = chain.bound_gb_per_s();
    Row {
        host: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        what: what_model(text, chain),
        threads: chain.n_threads,
        measured: text.figure(TokensPerS(chain.measured_tokens_per_s)),
        bound: text
            .figure_or_unknown(bound.map(|gb_per_s| TokensPerS(chain.tokens_per_s(gb_per_s)))),
        ratio: bound
            .map(|gb_per_s| text.figure(Percent(chain.measured_gb_per_s / gb_per_s)))
            .unwrap_or_default(),
        limit: limit_word(text, chain),
        verdict: text.say(&chain.verdict.message()),
        badge: chain.verdict.name(),
    }
}
