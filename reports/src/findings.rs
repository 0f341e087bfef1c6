//! What a run found, in three sentences. Every word of them follows from its figures.
//!
//! The first says how much of the memory's bandwidth is reached, the second what that means for one well-known model,
//! the third which limit binds. The page, the Markdown summary and `report.json` say the same.

use std::collections::BTreeMap;

use bench_locales::Figure::{GbPerS, Number, Percent, TokensPerS};
use bench_locales::{Arg, Message, message};

use bench_analysis::choice::decide::{Decision, Scenario};
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
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about: `bandwidth`, `model`, `limit`.
    pub about: &'static str,
    /// Whole sentences; names of hosts stand between backticks.
    pub text: Message,
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

/// A sentence and those behind it.
fn with(first: Message, rest: impl IntoIterator<Item = Message>) -> Message {
    let all: Vec<Message> = [first].into_iter().chain(rest).collect();
    Message::sentences(all).expect("there is a first")
}

fn measured<'a>(analysis: &'a Analysis<'a>) -> Vec<&'a HostAnalysis<'a>> {
    let hosts = analysis.hosts.iter();
    hosts.filter(|host| host.best_read.is_some()).collect()
}

fn read(host: &HostAnalysis) -> f64 {
    host.best_read.as_ref().map_or(0.0, |read| read.gb_per_s)
}

fn bandwidth(analysis: &Analysis) -> Message {
    let hosts = measured(analysis);
    let Some(fastest) = hosts.iter().max_by(|a, b| read(a).total_cmp(&read(b))) else {
        let is_emulated = |host: &HostAnalysis| host.data.record.emulated;
        return match analysis.hosts.as_slice() {
            [] => message!("finding-no-host"),
            all if all.iter().all(is_emulated) => message!("finding-all-emulated"),
            _ => message!("finding-no-usable-host"),
        };
    };
    let mut shares: Vec<(f64, &HostAnalysis)> = (hosts.iter())
        .filter_map(|host| Some((host.read_efficiency()?, *host)))
        .collect();
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    let most = GbPerS(read(fastest));
    match (shares.as_slice(), hosts.as_slice()) {
        ([(share, _)], [host]) => with(
            message!(
                "finding-share",
                host = subject(host),
                share = Percent(*share),
                read = most,
                theory = GbPerS(theory(host)),
            ),
            disturbed(host),
        ),
        ([], [host]) => with(
            message!("finding-read", host = subject(host), read = most),
            disturbed(host)
                .into_iter()
                .chain([message!("finding-theory-unknown")]),
        ),
        ([], all) => message!(
            "finding-reads",
            n = all.len(),
            host = subject(fastest),
            read = most,
        ),
        ([(share, host)], _) => message!(
            "finding-share-and-most",
            host = subject(host),
            share = Percent(*share),
            fastest = subject(fastest),
            read = most,
        ),
        ([(low, slow), .., (high, fast)], _) => message!(
            "finding-shares",
            low = Percent(*low),
            slow = code(slow.name()),
            high = Percent(*high),
            fast = code(fast.name()),
            fastest = code(fastest.name()),
            read = most,
        ),
    }
}

/// How sure the best read of a host is, and what that means for a model; `None` where one round made it.
pub fn doubt(analysis: &Analysis, host: &HostAnalysis) -> Option<Message> {
    let (low, high, n_rounds) = host.best_read_interval()?;
    let bounds = (reference_bound(analysis, low)).zip(reference_bound(analysis, high));
    Some(match bounds {
        Some(((_, bound_low), (_, bound_high))) => message!(
            "finding-interval-and-bound",
            n = n_rounds,
            low = Number(low),
            high = GbPerS(high),
            bound_low = Number(bound_low),
            bound_high = TokensPerS(bound_high),
        ),
        None => message!(
            "finding-interval",
            n = n_rounds,
            low = Number(low),
            high = GbPerS(high),
        ),
    })
}

/// A remark where the read that a sentence rests on was disturbed.
fn disturbed(host: &HostAnalysis) -> Option<Message> {
    let is_disturbed = host.best_read_verdict() == Some(Verdict::Suspect);
    is_disturbed.then(|| message!("finding-disturbed"))
}

fn theory(host: &HostAnalysis) -> f64 {
    (host.theory.as_ref()).map_or(f64::NAN, |theory| theory.gb_per_s)
}

/// A host with its board's name, where it has one.
fn subject(host: &HostAnalysis) -> String {
    match host.board {
        Some(board) => format!(
            "{} ({})",
            code(host.name()),
            format::foreign_short(&board.name, 60)
        ),
        None => code(host.name()),
    }
}

fn model(analysis: &Analysis, decisions: &Decisions) -> Option<Message> {
    let model = reference_model(&analysis.run.inventory)?;
    let load_idx = (decisions.loads.iter()).position(|load: &Scenario| {
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
    let model = format::foreign_short(&model.name, 60);
    let quant = quant_name(REFERENCE_QUANT);
    let slowest = on_hosts.iter().min_by(|a, b| a.2.total_cmp(&b.2));
    let fastest = on_hosts.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    let (Some(slowest), Some(fastest)) = (slowest, fastest) else {
        return by_theory(analysis, decisions, load_idx, model);
    };
    if let [(place, decision, bound)] = on_hosts.as_slice() {
        let bound = TokensPerS(*bound);
        let first = match place.target.disturbed {
            true => message!(
                "finding-bound-disturbed",
                model = model,
                quant = quant,
                bound = bound
            ),
            false => message!("finding-bound", model = model, quant = quant, bound = bound),
        };
        let doubt = place.target.host.and_then(|host| doubt(analysis, host));
        let rest = expected(decision).into_iter().chain([fit(decision)]);
        return Some(with(first, rest.chain(doubt)));
    }
    let fitting = (on_hosts.iter()).filter(|(_, decision, _)| decision.fits == Some(true));
    Some(message!(
        "finding-bounds",
        model = model,
        quant = quant,
        low = TokensPerS(slowest.2),
        slowest = code(&slowest.0.target.name),
        high = TokensPerS(fastest.2),
        fastest = code(&fastest.0.target.name),
        n_fitting = fitting.count(),
        n = on_hosts.len(),
    ))
}

fn expected(decision: &Decision) -> Option<Message> {
    let expected = decision.expected.as_ref()?;
    Some(match expected.label {
        Label::Measured => message!("finding-measured", rate = TokensPerS(expected.middle)),
        _ => message!("finding-predicted", rate = expected.words()),
    })
}

fn fit(decision: &Decision) -> Message {
    match decision.fits {
        Some(true) => message!("finding-fits"),
        Some(false) => message!("finding-fits-not"),
        None => message!("finding-fits-unknown"),
    }
}

fn by_theory(
    analysis: &Analysis,
    decisions: &Decisions,
    load_idx: usize,
    model: String,
) -> Option<Message> {
    let (place, decisions) =
        (decisions.places.iter().zip(&decisions.decisions)).find(|(place, _)| !place.is_host())?;
    let decision = decisions.get(load_idx)?;
    let first = message!(
        "finding-by-theory",
        n = analysis.run.inventory.boards.len(),
        board = &place.name,
        bandwidth = GbPerS(place.gb_per_s()?),
        model = model,
        quant = quant_name(REFERENCE_QUANT),
        bound = TokensPerS(decision.bound_tokens_per_s?),
    );
    let fit = match decision.fits {
        Some(true) => message!("finding-fits-there"),
        _ => message!("finding-fits-not-there"),
    };
    Some(with(first, [fit]))
}

/// What binds the decoding that was measured, or why that is not known.
fn limit(analysis: &Analysis) -> Option<Message> {
    let hosts = measured(analysis);
    if hosts.is_empty() {
        return None;
    }
    let usable: Vec<(&HostAnalysis, &Chain)> = (hosts.iter())
        .flat_map(|host| host.best_chains().into_iter().map(|chain| (*host, chain)))
        .filter(|(_, chain)| chain.verdict.is_usable())
        .collect();
    if usable.is_empty() {
        return Some(message!("finding-limit-not-decoded"));
    }
    let chains: Vec<(&HostAnalysis, &Chain)> = (usable.into_iter())
        .filter(|(_, chain)| chain.verdict == Verdict::Ok)
        .collect();
    if chains.is_empty() {
        return Some(message!("finding-limit-disturbed"));
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
    let first = match of_kernel.len() {
        0 if n_unknown == n_all => message!("finding-limit-known"),
        0 => message!("finding-limit-memory", n = n_all),
        n if n == n_all => message!("finding-limit-kernel", n = n_all),
        n => message!(
            "finding-limit-some",
            n = n,
            n_all = n_all,
            where = names(&of_kernel),
        ),
    };
    let is_said = n_unknown == 0 || n_unknown == n_all;
    let rest = (!is_said).then(|| message!("finding-limit-unknown", n = n_unknown));
    Some(with(first, rest.into_iter().chain(closest(&chains))))
}

/// How near to its bound the best of them comes.
fn closest(chains: &[(&HostAnalysis, &Chain)]) -> Option<Message> {
    let share = |chain: &Chain| {
        Some(chain.measured_gb_per_s / chain.bound_gb_per_s()?).filter(|it| it.is_finite())
    };
    let (share, host) = (chains.iter())
        .filter_map(|(host, chain)| Some((share(chain)?, host)))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let share = Percent(share);
    Some(match chains.len() {
        1 => message!("finding-reaches", share = share),
        _ => message!(
            "finding-best-reaches",
            host = code(host.name()),
            share = share
        ),
    })
}

/// Hosts with what the kernel limits there: `rock-lab` (qwen2.5-1.5b q2_k and q3_k_m).
fn names(chains: &[(&HostAnalysis, &Chain)]) -> Vec<Arg> {
    let mut by_host: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, chain) in chains {
        let what = format!("{} {}", chain.model.model, chain.model.quant);
        let models = by_host.entry(host.name()).or_default();
        let what = format::foreign_short(&what, 60);
        if !models.contains(&what) {
            models.push(what);
        }
    }
    let n_hosts = by_host.len();
    let mut named: Vec<Arg> = (by_host.into_iter())
        .take(MAX_NAMES)
        .map(|(host, models)| {
            message!(
                "finding-host-models",
                host = code(host),
                models = at_most(models)
            )
            .into()
        })
        .collect();
    if n_hosts > MAX_NAMES {
        named.push(message!("finding-more-hosts", n = n_hosts - MAX_NAMES).into());
    }
    named
}

fn at_most(names: Vec<String>) -> Vec<Arg> {
    let n_more = names.len().saturating_sub(MAX_NAMES);
    let mut named: Vec<Arg> = names.into_iter().take(MAX_NAMES).map(Arg::from).collect();
    if n_more > 0 {
        named.push(message!("finding-more", n = n_more).into());
    }
    named
}

/// The bound of the reference model by a bandwidth, tokens per second.
pub fn reference_bound(analysis: &Analysis, gb_per_s: f64) -> Option<(Message, f64)> {
    let model = reference_model(&analysis.run.inventory)?;
    let gb = bounds::token_bytes(model.read_bytes_per_token(REFERENCE_QUANT), 0) / 1e9;
    let what = message!(
        "model-in-quant",
        model = format::foreign(&model.name),
        quant = quant_name(REFERENCE_QUANT),
    );
    Some((what, bounds::tokens_per_s(gb_per_s, gb)))
}
