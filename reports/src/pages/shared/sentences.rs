//! Every host in a few plain sentences, each computed.

use bench_locales::Figure::{GbPerS, Percent, TokensPerS};
use bench_locales::{Arg, Message, Text, message};
use serde::Serialize;

use crate::findings;
use crate::pages::page_name;
use bench_analysis::measured::{Analysis, BestRead, HostAnalysis};
use bench_analysis::validity::status;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::HostStatus;
use bench_run_dir::format;

/// What a sentence tells about its host, as a CSS class.
const GOOD: &str = "ok";
const WARN: &str = "warn";
const BAD: &str = "bad";
const EMULATED: &str = "emulated";

/// A sentence about a host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sentence {
    /// Name of the host.
    pub(crate) host: String,
    /// Its page, relative to the index.
    pub(crate) href: String,
    /// CSS class.
    pub(crate) kind: &'static str,
    /// What follows the host's name.
    pub(crate) text: String,
}

/// One sentence per host: trouble first, then measurements by falling bandwidth, emulated hosts last.
pub(crate) fn sentences(text: &Text, analysis: &Analysis) -> Vec<Sentence> {
    let mut ranked: Vec<(u8, f64, Sentence)> = (analysis.hosts.iter())
        .map(|host| {
            let sentence = sentence(text, host, analysis);
            let rate = host.best_read.as_ref().map_or(0.0, |read| read.gb_per_s);
            let rank = match sentence.kind {
                BAD => 0,
                GOOD | WARN => 1,
                _ => 2,
            };
            (rank, -rate, sentence)
        })
        .collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    ranked
        .into_iter()
        .map(|(_, _, sentence)| sentence)
        .collect()
}

/// The sentence about one host.
pub(crate) fn sentence(text: &Text, host: &HostAnalysis, analysis: &Analysis) -> Sentence {
    let record = &host.data.record;
    let (kind, said) = if record.emulated && record.status == HostStatus::Ok {
        (EMULATED, emulated_text(host))
    } else if record.status == HostStatus::Skipped {
        let reason = trimmed(record.reason.as_deref());
        (EMULATED, message!("host-skipped", reason = reason))
    } else {
        measured_text(host, analysis)
    };
    Sentence {
        host: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        kind,
        text: text.say(&said),
    }
}

fn emulated_text(host: &HostAnalysis) -> Message {
    let n = host.count(Verdict::Emulated);
    let first = match host.count(Verdict::Invalid) {
        0 => message!("host-emulated", n = n),
        n_wrong => message!("host-emulated-wrong", n = n, n_wrong = n_wrong),
    };
    match remark(host) {
        Some(remark) => message!("sentences", first = first, rest = remark),
        None => first,
    }
}

/// What the controller noted about a host that ended without an error.
fn remark(host: &HostAnalysis) -> Option<Message> {
    let record = &host.data.record;
    let reason = record.reason.as_deref()?;
    (record.status == HostStatus::Ok)
        .then(|| message!("host-remark", reason = trimmed(Some(reason))))
}

fn measured_text(host: &HostAnalysis, analysis: &Analysis) -> (&'static str, Message) {
    let trouble = trouble(host);
    let remark = remark(host);
    let n_invalid = host.count(Verdict::Invalid);
    let kind = match (&trouble, n_invalid, &host.best_read) {
        (Some(_), _, _) | (None, _, None) => BAD,
        (None, 0, Some(_)) if remark.is_none() && host.disturbed().is_none() => GOOD,
        (None, _, Some(_)) => WARN,
    };
    let was_cut_off = trouble.is_some();
    let mut parts: Vec<Message> = trouble.into_iter().collect();
    if let Some(read) = &host.best_read {
        parts.push(reads(host, read, was_cut_off));
        if let Err(why) = &host.theory {
            parts.push(message!("host-theory-unknown", why = why));
        }
        if read.kernel != "read" {
            let kernel = format::foreign_short(&read.kernel, 40);
            parts.push(message!("host-fastest-reader", kernel = kernel));
        }
        parts.extend(findings::doubt(analysis, host));
        parts.extend(decode_text(host));
        parts.extend(reference_text(host, read.gb_per_s, analysis));
    } else if !was_cut_off {
        parts.push(message!("host-no-read"));
    }
    parts.extend(remark);
    if n_invalid > 0 {
        parts.push(message!("host-invalid-units", n = n_invalid));
    }
    let text = Message::sentences(parts);
    (kind, text.unwrap_or_else(|| message!("host-no-read")))
}

/// What follows the host's name: its bandwidth, and the share of theory where that is known.
fn reads(host: &HostAnalysis, read: &BestRead, was_cut_off: bool) -> Message {
    let board = host
        .board
        .map(|board| format::foreign_short(&board.name, 60));
    let threads = message!("threads", n = read.n_threads);
    let rate = match &host.theory {
        Ok(theory) => message!(
            "read-with-share",
            rate = GbPerS(read.gb_per_s),
            threads = threads,
            share = Percent(read.gb_per_s / theory.gb_per_s),
            theory = GbPerS(theory.gb_per_s),
        ),
        Err(_) => message!(
            "read-with-threads",
            rate = GbPerS(read.gb_per_s),
            threads = threads,
        ),
    };
    match (was_cut_off, board) {
        (true, _) => message!("host-read-before", rate = rate),
        (false, Some(board)) => message!("host-board-reads", board = board, rate = rate),
        (false, None) => message!("host-reads", rate = rate),
    }
}

/// What went wrong with a host as a whole: status, stage, cause.
fn trouble(host: &HostAnalysis) -> Option<Message> {
    let record = &host.data.record;
    let reason = trimmed(record.reason.as_deref());
    let what = match record.status {
        HostStatus::Ok | HostStatus::Skipped => return None,
        HostStatus::Unreachable => message!("host-not-reached"),
        HostStatus::Failed => message!("host-not-finished"),
        HostStatus::Interrupted => message!("host-interrupted"),
    };
    Some(match record.stage {
        Some(stage) => message!(
            "host-trouble-in-stage",
            what = what,
            stage = status::of_stage(stage),
            reason = reason,
        ),
        None => message!("host-trouble", what = what, reason = reason),
    })
}

fn decode_text(host: &HostAnalysis) -> Option<Message> {
    // What was disturbed says nothing of limits.
    let chains = (host.chains.iter()).filter(|chain| chain.verdict == Verdict::Ok);
    let chain =
        chains.max_by(|a, b| a.measured_tokens_per_s.total_cmp(&b.measured_tokens_per_s))?;
    let allowed = chain.bound_gb_per_s()?;
    Some(message!(
        "host-decodes",
        model = format::foreign_short(&chain.model.model, 40),
        quant = format::foreign_short(&chain.model.quant, 20),
        depth = chain.model.depth.to_string(),
        threads = message!("threads", n = chain.n_threads),
        rate = TokensPerS(chain.measured_tokens_per_s),
        share = Percent(chain.measured_gb_per_s / allowed),
    ))
}

fn reference_text(host: &HostAnalysis, read_gb_per_s: f64, analysis: &Analysis) -> Option<Message> {
    let (model, bound) = findings::reference_bound(analysis, read_gb_per_s)?;
    let theory = host.theory.as_ref().ok();
    let by_theory = theory.and_then(|theory| findings::reference_bound(analysis, theory.gb_per_s));
    let bound = TokensPerS(bound);
    Some(match by_theory {
        Some((_, theory)) => message!(
            "host-bound-and-theory",
            model = model,
            bound = bound,
            theory = TokensPerS(theory),
        ),
        None => message!("host-bound", model = model, bound = bound),
    })
}

/// A recorded reason without the dot at its end.
fn trimmed(reason: Option<&str>) -> Arg {
    match reason {
        Some(reason) => {
            format::foreign_short(reason.trim_end_matches(['.', ' ', '\n']), 400).into()
        }
        None => message!("no-reason").into(),
    }
}
