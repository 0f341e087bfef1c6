//! The bound chain of every decode unit: where the tokens are lost, step by step.

use bench_locales::Figure::{DecimalBytes, GbPerS, Number, Percent, TokensPerS};
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::charts::{Bar, Caption, Mark, bar_chart};
use crate::pages::host::chain_words::{limit_word, limit_words, what};
use crate::pages::{Page, mark_class, value};
use bench_analysis::measured::{Chain, Limit};

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
    limit: String,
    verdict: String,
    badge: &'static str,
}

#[derive(Serialize)]
struct ChainView {
    title: String,
    chart: String,
    limit: String,
    token: String,
    verdict: String,
    badge: &'static str,
    steps: Vec<StepRow>,
}

#[derive(Serialize)]
struct StepRow {
    name: String,
    kind: String,
    gb_per_s: String,
    tokens_per_s: String,
    ratio: String,
    cause: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let host = page.host()?;
    if host.chains.is_empty() {
        return None;
    }
    let best = host.best_chains();
    value(View {
        chains: (best.iter().take(MAX_PICTURES).enumerate())
            .map(|(i, chain)| chain_view(page.text, i, chain))
            .collect(),
        others: best
            .iter()
            .skip(MAX_PICTURES)
            .map(|chain| row(page.text, chain))
            .collect(),
    })
}

fn row(text: &Text, chain: &Chain) -> Row {
    let rate = |gb_per_s: Option<f64>| {
        text.figure_or_unknown(gb_per_s.map(|gb_per_s| Number(chain.tokens_per_s(gb_per_s))))
    };
    let bound = chain.bound_gb_per_s();
    Row {
        what: what(text, chain),
        token: text.figure(DecimalBytes(chain.token_bytes as u64)),
        theory: rate(chain.theory_gb_per_s),
        read: rate(chain.read_gb_per_s),
        cores: rate(chain.kernel_gb_per_s),
        bound: rate(bound),
        measured: text.figure(Number(chain.measured_tokens_per_s)),
        ratio: bound
            .map(|bound| text.figure(Percent(chain.measured_gb_per_s / bound)))
            .unwrap_or_default(),
        limit: limit_word(text, chain),
        verdict: text.say(&chain.verdict.message()),
        badge: chain.verdict.name(),
    }
}

/// A step of the chain, from the top down.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Theory,
    /// The best measured read.
    Read,
    /// The read with as many threads as the unit has.
    Threads,
    /// The rate of the cores from their caches.
    Cores,
    Bound,
    Decoding,
}

struct Link {
    step: Step,
    gb_per_s: Option<f64>,
    /// Step that it is a share of, and the rate of that.
    of: Option<(Step, f64)>,
}

fn links(chain: &Chain) -> Vec<Link> {
    let (theory, read) = (chain.theory_gb_per_s, chain.read_gb_per_s);
    let (cores, bound) = (chain.kernel_gb_per_s, chain.bound_gb_per_s());
    let binding = match chain.limit() {
        Some(Limit::Kernel) => (Step::Cores, cores),
        Some(Limit::Memory) | None => (Step::Read, read),
    };
    let link = |step, gb_per_s, (of, rate): (Step, Option<f64>)| Link {
        step,
        gb_per_s,
        of: rate.map(|rate| (of, rate)),
    };
    let of_read = (Step::Read, read);
    let mut links = vec![
        link(Step::Theory, theory, (Step::Theory, None)),
        link(Step::Read, read, (Step::Theory, theory)),
        link(Step::Threads, chain.threads_read_gb_per_s, of_read),
        link(Step::Cores, cores, of_read),
        link(Step::Bound, bound, binding),
        link(
            Step::Decoding,
            Some(chain.measured_gb_per_s),
            (Step::Bound, bound),
        ),
    ];
    // Where the best read was made with as many threads, that step says nothing new. Cores that could read more than the
    // memory gives take nothing away, and a chain leads down.
    links.retain(|link| {
        let is_limit = matches!(link.step, Step::Threads | Step::Cores);
        !is_limit || (link.gb_per_s.is_some() && link.gb_per_s < read.or(Some(f64::INFINITY)))
    });
    links
}

fn step_name(text: &Text, step: Step, chain: &Chain) -> String {
    match step {
        Step::Theory => say!(text, "theoretical-bandwidth"),
        Step::Read => say!(text, "chain-read"),
        Step::Threads => {
            let threads = message!("threads", n = chain.n_threads);
            say!(text, "chain-threads", threads = threads)
        }
        Step::Cores => say!(text, "chain-cores"),
        Step::Bound => say!(text, "chain-bound"),
        Step::Decoding => say!(text, "chain-decoding"),
    }
}

/// A rate as a share of a step's rate.
fn share(text: &Text, ratio: f64, of: Step) -> String {
    let share = Percent(ratio);
    match of {
        Step::Theory => say!(text, "chain-of-theory", share = share),
        Step::Cores => say!(text, "chain-of-cores", share = share),
        Step::Bound => say!(text, "chain-of-bound", share = share),
        Step::Read | Step::Threads | Step::Decoding => say!(text, "chain-of-read", share = share),
    }
}

/// What a loss in this step is due to.
fn cause(text: &Text, step: Step) -> String {
    match step {
        Step::Theory => String::new(),
        Step::Read => say!(text, "chain-cause-read"),
        Step::Threads => say!(text, "chain-cause-threads"),
        Step::Cores => say!(text, "chain-cause-cores"),
        Step::Bound => say!(text, "chain-cause-bound"),
        Step::Decoding => say!(text, "chain-cause-decoding"),
    }
}

fn chain_view(text: &Text, i: usize, chain: &Chain) -> ChainView {
    let links = links(chain);
    let title = what(text, chain);
    let caption = Caption {
        text,
        id: &format!("chain-{i}"),
        title: &say!(text, "chain-chart", what = &title),
        description: &say!(text, "chain-chart-text"),
    };
    let axis = say!(
        text,
        "chain-axis",
        model = crate::pages::model_label(&chain.model)
    );
    let bars: Vec<Bar> = (links.iter())
        .filter_map(|link| bar(text, chain, link))
        .collect();
    ChainView {
        chart: bar_chart(&caption, &axis, &bars),
        limit: limit_words(text, chain),
        token: text.figure(DecimalBytes(chain.token_bytes as u64)),
        verdict: text.say(&chain.verdict.message()),
        badge: chain.verdict.name(),
        steps: (links.iter())
            .map(|link| step_row(text, chain, link))
            .collect(),
        title,
    }
}

fn bar(text: &Text, chain: &Chain, link: &Link) -> Option<Bar> {
    let tokens_per_s = chain.tokens_per_s(link.gb_per_s?);
    let mark = match link.step {
        Step::Theory | Step::Bound => Mark::Theory(tokens_per_s),
        Step::Read | Step::Threads => Mark::Bar("measured", tokens_per_s),
        Step::Cores => Mark::Bar("limit", tokens_per_s),
        Step::Decoding => Mark::Bar(mark_class(chain.verdict), tokens_per_s),
    };
    Some(Bar {
        label: step_name(text, link.step, chain),
        value: text.figure(TokensPerS(tokens_per_s)),
        marks: vec![mark],
    })
}

fn step_row(text: &Text, chain: &Chain, link: &Link) -> StepRow {
    let ratio = || {
        let (of, rate) = link.of?;
        Some(share(text, link.gb_per_s? / rate, of))
    };
    StepRow {
        name: step_name(text, link.step, chain),
        kind: match link.step {
            Step::Theory | Step::Bound => say!(text, "theory"),
            _ => say!(text, "measured"),
        },
        gb_per_s: text.figure_or_unknown(link.gb_per_s.map(GbPerS)),
        tokens_per_s: (link.gb_per_s)
            .map(|gb_per_s| text.figure(TokensPerS(chain.tokens_per_s(gb_per_s))))
            .unwrap_or_default(),
        ratio: ratio().unwrap_or_default(),
        cause: cause(text, link.step),
    }
}
