//! A bound chain in words: which unit it is of, and what limits it.

use bench_locales::Figure::GbPerS;
use bench_locales::{Text, message, say};

use crate::pages::model_label;
use bench_analysis::measured::{Chain, Limit};
use bench_analysis::validity::verdict::Verdict;

/// Model, quantisation, depth and threads of a chain: `qwen2.5-1.5b q4_0 @ d512, 4 threads`.
pub(in crate::pages) fn what(text: &Text, chain: &Chain) -> String {
    let threads = message!("threads", n = chain.n_threads);
    let what = say!(
        text,
        "with-threads",
        what = model_label(&chain.model),
        threads = threads
    );
    remarked(text, chain, what)
}

/// The same without the threads.
pub(in crate::pages) fn what_model(text: &Text, chain: &Chain) -> String {
    remarked(text, chain, model_label(&chain.model))
}

/// Adds a remark where the figure is not of a model that fits.
fn remarked(text: &Text, chain: &Chain, what: String) -> String {
    match chain.extrapolated {
        Some((held, all)) => say!(
            text,
            "extrapolated-from",
            what = what,
            held = held,
            all = all
        ),
        None => what,
    }
}

/// The limit as a sentence.
pub(in crate::pages) fn limit_words(text: &Text, chain: &Chain) -> String {
    let n_threads = chain.n_threads;
    if chain.verdict != Verdict::Ok {
        return say!(text, "chain-limited-disturbed");
    }
    if let Some(reach) = chain.too_few_threads() {
        return say!(
            text,
            "chain-limited-threads",
            n = n_threads,
            rate = GbPerS(reach)
        );
    }
    if let Some(n_others) = chain.other_threads() {
        return say!(
            text,
            "chain-limited-set",
            others = n_others,
            threads = message!("threads", n = n_threads),
        );
    }
    match chain.limit() {
        Some(Limit::Memory) => say!(text, "chain-limited-memory"),
        Some(Limit::Kernel) => say!(text, "chain-limited-kernel"),
        None if chain.read_gb_per_s.is_some() => say!(text, "chain-limited-memory-only"),
        None => say!(text, "chain-limited-unknown"),
    }
}

/// The limit in a word or two, for tables.
pub(in crate::pages) fn limit_word(text: &Text, chain: &Chain) -> String {
    match chain.limit() {
        _ if chain.verdict != Verdict::Ok => say!(text, "limit-disturbed"),
        _ if chain.other_threads().is_some() => say!(text, "limit-set"),
        _ if chain.too_few_threads().is_some() => say!(text, "limit-threads"),
        Some(Limit::Memory) => say!(text, "limit-memory"),
        Some(Limit::Kernel) => say!(text, "limit-kernel"),
        None if chain.read_gb_per_s.is_some() => say!(text, "limit-memory-only"),
        None => say!(text, "unknown"),
    }
}
