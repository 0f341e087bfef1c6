//! What a run found, in three sentences. Every word of them follows from its figures.
//!
//! The first says how much of the memory's bandwidth is reached, the second what that means for one well-known model,
//! the third which limit binds. The page, the Markdown summary and `report.json` say the same.

use std::collections::BTreeMap;

use crate::words;
use bench_analysis::choice::decide::{Decision, Load};
use bench_analysis::choice::decisions::{
    Decisions, Place, REFERENCE_QUANT, quant_name, reference_model,
};
use bench_analysis::label::Label;
use bench_analysis::limits::bounds;
use bench_analysis::measured::{Analysis, Chain, HostAnalysis, Limit};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

/// Hosts and models that a sentence names before it counts them.
const MAX_NAMES: usize = 3;

/// One thing that the run found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: `bandwidth`, `model`, `limit`.
    pub about: &'static str,
    /// A whole sentence; names of hosts stand between backticks, other names are marked ([`words::name`]).
    pub text: String,
}

/// The sentences, in the order of the chain: bandwidth, model, limit.
pub fn findings(analysis: &Analysis, decisions: &Decisions) -> Vec<Finding> {
    let all = [
        ("bandwidth", Some(bandwidth(analysis))),
        ("model", model(analysis, decisions)),
        ("limit", limit(analysis)),
    ];
    (all.into_iter())
        .filter_map(|(about, text)| text.map(|text| Finding { about, text }))
        .collect()
}

/// A name from outside as code.
fn code(name: &str) -> String {
    format!("`{}`", format::foreign_short(name, 60).replace('`', "'"))
}

fn measured<'a>(analysis: &'a Analysis<'a>) -> Vec<&'a HostAnalysis<'a>> {
    let hosts = analysis.hosts.iter();
    hosts.filter(|host| host.best_read.is_some()).collect()
}

fn read(host: &HostAnalysis) -> f64 {
    host.best_read.as_ref().map_or(0.0, |read| read.gb_per_s)
}

fn bandwidth(analysis: &Analysis) -> String {
    let hosts = measured(analysis);
    let Some(fastest) = hosts.iter().max_by(|a, b| read(a).total_cmp(&read(b))) else {
        let n_emulated = (analysis.hosts.iter())
            .filter(|host| host.data.record.emulated)
            .count();
        return match (analysis.hosts.len(), n_emulated) {
            (0, _) => "No host was measured in this run: everything below is theory.".to_owned(),
            (n, emulated) if n == emulated => {
                "Every host ran under an emulator, whose times mean nothing: everything below is theory.".to_owned()
            }
            _ => "No host gave a usable measurement of its memory bandwidth: every bound below is theory.".to_owned(),
        };
    };
    let mut shares: Vec<(f64, &HostAnalysis)> = (hosts.iter())
        .filter_map(|host| Some((host.read_efficiency()?, *host)))
        .collect();
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    let most = format::gb_per_s(read(fastest));
    match (shares.as_slice(), hosts.len()) {
        ([(share, host)], 1) => format!(
            "{} reaches {} of its memory bandwidth: it reads {} of {} in theory{}.",
            subject(host),
            format::percent(*share),
            most,
            theory(host),
            disturbed(host)
        ),
        ([], 1) => format!(
            "{} reads {most}{}; how much of its memory bandwidth that is cannot be judged, because its theory is unknown.",
            subject(fastest),
            disturbed(fastest)
        ),
        ([], n) => format!(
            "{n} hosts were measured; {} reads most, {most}. How much of their memory bandwidth that is cannot be judged, because their theory is unknown.",
            subject(fastest)
        ),
        ([(share, host)], _) => format!(
            "{} reaches {} of its memory bandwidth; {} reads most of all hosts, {most}.",
            subject(host),
            format::percent(*share),
            subject(fastest)
        ),
        ([(low, slow), .., (high, fast)], _) => format!(
            "The hosts reach between {} ({}) and {} ({}) of their memory bandwidth; {} reads most, {most}.",
            format::percent(*low),
            code(slow.name()),
            format::percent(*high),
            code(fast.name()),
            code(fastest.name())
        ),
    }
}

/// How sure the best read of a host is, and what that means for a model: two sentences, empty where one round made it.
pub fn doubt(analysis: &Analysis, host: &HostAnalysis) -> String {
    let Some((low, high, n_rounds)) = host.best_read_interval() else {
        return String::new();
    };
    let bounds = (reference_bound(analysis, low)).zip(reference_bound(analysis, high));
    let bounds = bounds.map_or_else(String::new, |((_, low), (_, high))| {
        format!(
            ", so the bound is {} to {}",
            format::number(low),
            format::tokens_per_s(high)
        )
    });
    format!(
        " The 95 % interval of that read over {n_rounds} rounds is {} to {}{bounds}.",
        format::number(low),
        format::gb_per_s(high)
    )
}

/// A remark where the read that a sentence rests on was disturbed.
fn disturbed(host: &HostAnalysis) -> &'static str {
    match host.best_read_verdict() == Some(Verdict::Suspect) {
        true => ", but was disturbed meanwhile",
        false => "",
    }
}

fn theory(host: &HostAnalysis) -> String {
    format::gb_per_s_or_unknown(host.theory.as_ref().ok().map(|theory| theory.gb_per_s))
}

/// A host with its board's name, where it has one.
fn subject(host: &HostAnalysis) -> String {
    match host.board {
        Some(board) => format!(
            "{} ({})",
            code(host.name()),
            words::name(&format::foreign_short(&board.name, 60))
        ),
        None => code(host.name()),
    }
}

fn model(analysis: &Analysis, decisions: &Decisions) -> Option<String> {
    let model = reference_model(&analysis.run.inventory)?;
    let load_idx = (decisions.loads.iter()).position(|load: &Load| {
        load.model.id == model.id && load.quant.is_none_or(|quant| quant == REFERENCE_QUANT)
    })?;
    let on_hosts: Vec<(&Place, &Decision, f64)> =
        (decisions.places.iter().zip(&decisions.decisions))
            .filter(|(place, _)| place.is_host())
            .filter_map(|(place, decisions)| {
                let decision = decisions.get(load_idx)?;
                Some((place, decision, decision.bound_tokens_per_s?))
            })
            .collect();
    let what = format!(
        "{} in {}",
        words::name(&format::foreign_short(&model.name, 60)),
        quant_name(REFERENCE_QUANT)
    );
    let slowest = on_hosts.iter().min_by(|a, b| a.2.total_cmp(&b.2));
    let fastest = on_hosts.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    let (Some(slowest), Some(fastest)) = (slowest, fastest) else {
        return by_theory(analysis, decisions, load_idx, &what);
    };
    let n_fitting = (on_hosts.iter())
        .filter(|(_, decision, _)| decision.fits == Some(true))
        .count();
    Some(match on_hosts.len() {
        1 => format!(
            "{what} is bounded at {} there{}{}; {}.{}",
            format::tokens_per_s(fastest.2),
            if fastest.0.target.disturbed {
                " by a disturbed read"
            } else {
                ""
            },
            expected(fastest.1),
            fit(fastest.1),
            (fastest.0.target.host).map_or_else(String::new, |host| doubt(analysis, host))
        ),
        n => format!(
            "{what} is bounded at {} on {} and at {} on {}; it fits the free RAM of {n_fitting} of {n} hosts.",
            format::tokens_per_s(slowest.2),
            code(&slowest.0.name),
            format::tokens_per_s(fastest.2),
            code(&fastest.0.name)
        ),
    })
}

fn expected(decision: &Decision) -> String {
    let Some(expected) = &decision.expected else {
        return String::new();
    };
    match expected.label {
        Label::Measured => format!(
            ", and makes {} as measured",
            format::tokens_per_s(expected.middle)
        ),
        _ => format!(", and {} tokens/s are predicted", expected.words()),
    }
}

fn fit(decision: &Decision) -> &'static str {
    match decision.fits {
        Some(true) => "it fits the free RAM",
        Some(false) => "it does not fit the free RAM",
        None => "whether it fits is unknown",
    }
}

fn by_theory(
    analysis: &Analysis,
    decisions: &Decisions,
    load_idx: usize,
    what: &str,
) -> Option<String> {
    let n_boards = analysis.run.inventory.boards.len();
    let (place, decisions) =
        (decisions.places.iter().zip(&decisions.decisions)).find(|(place, _)| !place.is_host())?;
    let decision = decisions.get(load_idx)?;
    let bound = decision.bound_tokens_per_s?;
    Some(format!(
        "By theory alone, the fastest memory of the {} in the catalogue is that of {}: {} bound {what} at {}, and it {}.",
        format::count(n_boards, "board", "boards"),
        words::name(&place.name),
        format::gb_per_s(place.gb_per_s()?),
        format::tokens_per_s(bound),
        match decision.fits {
            Some(true) => "fits there",
            _ => "does not fit there",
        }
    ))
}

/// What binds the decoding that was measured, or why that is not known.
fn limit(analysis: &Analysis) -> Option<String> {
    let hosts = measured(analysis);
    if hosts.is_empty() {
        return None;
    }
    let chains: Vec<(&HostAnalysis, &Chain)> = (hosts.iter())
        .flat_map(|host| host.best_chains().into_iter().map(|chain| (*host, chain)))
        .filter(|(_, chain)| chain.verdict.is_usable())
        .collect();
    let n_decoded = chains.len();
    let chains: Vec<(&HostAnalysis, &Chain)> = (chains.into_iter())
        .filter(|(_, chain)| chain.verdict == Verdict::Ok)
        .collect();
    if chains.is_empty() && n_decoded > 0 {
        return Some(
            "Whether the memory or the kernel limits token generation is open: every unit that decoded was disturbed."
                .to_owned(),
        );
    }
    if chains.is_empty() {
        return Some(
            "Whether the memory or the kernel limits token generation is open: no host decoded a model."
                .to_owned(),
        );
    }
    let mut by_limit: BTreeMap<Option<Limit>, Vec<(&HostAnalysis, &Chain)>> = BTreeMap::new();
    for (host, chain) in &chains {
        by_limit
            .entry(chain.limit())
            .or_default()
            .push((host, chain));
    }
    let n_all = chains.len();
    let of_kernel = by_limit.remove(&Some(Limit::Kernel)).unwrap_or_default();
    let n_unknown = by_limit.get(&None).map_or(0, Vec::len);
    let rest = match n_unknown {
        0 => String::new(),
        n => format!(" For {n} of them the kernel's own limit was not measured."),
    };
    let share = closest(&chains).unwrap_or_default();
    Some(match of_kernel.len() {
        0 if n_unknown == n_all => format!(
            "Memory limits token generation as far as known: the kernel's own limit was not measured.{share}"
        ),
        0 => format!(
            "Memory, not the kernel, limits token generation in {}.{rest}{share}",
            all_of(n_all)
        ),
        n if n == n_all => {
            format!(
                "The kernel, not the memory, limits token generation in {}.{share}",
                all_of(n_all)
            )
        }
        n => format!(
            "The kernel, not the memory, limits token generation in {n} of {n_all} measured cases: {}.{rest}{share}",
            names(&of_kernel)
        ),
    })
}

fn all_of(n: usize) -> String {
    match n {
        1 => "the one case that was measured".to_owned(),
        n => format!("all {n} measured cases"),
    }
}

/// How near to its bound the best of them comes.
fn closest(chains: &[(&HostAnalysis, &Chain)]) -> Option<String> {
    let share = |chain: &Chain| {
        Some(chain.measured_gb_per_s / chain.bound_gb_per_s()?).filter(|it| it.is_finite())
    };
    let (share, host) = (chains.iter())
        .filter_map(|(host, chain)| Some((share(chain)?, host)))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    if chains.len() == 1 {
        return Some(format!(
            " It makes {} of the tokens that its measured limits allow.",
            format::percent(share)
        ));
    }
    Some(format!(
        " The best, on {}, makes {} of the tokens that its measured limits allow.",
        code(host.name()),
        format::percent(share)
    ))
}

/// Hosts with what the kernel limits there: `rock-lab` (qwen2.5-1.5b q2_k and q3_k_m).
fn names(chains: &[(&HostAnalysis, &Chain)]) -> String {
    let mut by_host: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, chain) in chains {
        let what = format!("{} {}", chain.model.model, chain.model.quant);
        let models = by_host.entry(host.name()).or_default();
        let what = words::name(&format::foreign_short(&what, 60));
        if !models.contains(&what) {
            models.push(what);
        }
    }
    let n_hosts = by_host.len();
    let mut named: Vec<String> = (by_host.into_iter())
        .take(MAX_NAMES)
        .map(|(host, models)| format!("{} ({})", code(host), at_most(models)))
        .collect();
    if n_hosts > MAX_NAMES {
        let n_more = n_hosts - MAX_NAMES;
        named.push(format::count(n_more, "more host", "more hosts"));
    }
    format::enumeration(&named)
}

fn at_most(mut names: Vec<String>) -> String {
    let n_more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    if n_more > 0 {
        names.push(format!("{n_more} more"));
    }
    format::enumeration(&names)
}

/// The bound of the reference model by a bandwidth, tokens per second.
pub fn reference_bound(analysis: &Analysis, gb_per_s: f64) -> Option<(String, f64)> {
    let model = reference_model(&analysis.run.inventory)?;
    let gb = bounds::token_bytes(model.read_bytes_per_token(REFERENCE_QUANT), 0) / 1e9;
    let what = format!(
        "{} in {}",
        words::name(&format::foreign(&model.name)),
        quant_name(REFERENCE_QUANT)
    );
    Some((what, bounds::tokens_per_s(gb_per_s, gb)))
}
