//! Every host in a few plain sentences, each computed.

use serde::Serialize;

use crate::findings;
use crate::report::page_name;
use bench_analysis::measured::{Analysis, HostAnalysis};
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
pub(crate) fn sentences(analysis: &Analysis) -> Vec<Sentence> {
    let mut ranked: Vec<(u8, f64, Sentence)> = (analysis.hosts.iter())
        .map(|host| {
            let sentence = sentence(host, analysis);
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

fn sentence(host: &HostAnalysis, analysis: &Analysis) -> Sentence {
    let record = &host.data.record;
    let (kind, text) = if record.emulated && record.status == HostStatus::Ok {
        (EMULATED, emulated_text(host))
    } else if record.status == HostStatus::Skipped {
        (
            EMULATED,
            format!("was skipped: {}.", trimmed(record.reason.as_deref())),
        )
    } else {
        measured_text(host, analysis)
    };
    Sentence {
        host: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        kind,
        text,
    }
}

fn emulated_text(host: &HostAnalysis) -> String {
    let n = host.count(Verdict::Emulated);
    let n_wrong = host.count(Verdict::Invalid);
    let outcome = match n_wrong {
        0 => format!(
            "{} gave the right output",
            format::count(n, "unit", "units")
        ),
        wrong => format!(
            "{} right, {} wrong",
            format::count(n, "output is", "outputs are"),
            wrong
        ),
    };
    let remark = remark(host).map_or(String::new(), |remark| format!(" {remark}"));
    format!(
        "ran under an emulator: {outcome}. Its times mean nothing and are compared with nothing.{remark}"
    )
}

/// What the controller noted about a host that ended well all the same.
fn remark(host: &HostAnalysis) -> Option<String> {
    let record = &host.data.record;
    let reason = record.reason.as_deref()?;
    (record.status == HostStatus::Ok).then(|| format!("Noted: {}.", trimmed(Some(reason))))
}

fn measured_text(host: &HostAnalysis, analysis: &Analysis) -> (&'static str, String) {
    let mut parts = Vec::new();
    let trouble = trouble(host);
    if let Some(trouble) = &trouble {
        parts.push(trouble.clone());
    }
    if let Some(read) = &host.best_read {
        let threads = format::count(read.n_threads, "thread", "threads");
        let subject = subject(host, trouble.is_some());
        let reads = format!(
            "{subject} {} with {threads}",
            format::gb_per_s(read.gb_per_s)
        );
        parts.push(match &host.theory {
            Ok(theory) => format!(
                "{}: {} of the theoretical {}.",
                reads,
                format::percent(read.gb_per_s / theory.gb_per_s),
                format::gb_per_s(theory.gb_per_s)
            ),
            Err(why) => format!("{}. Its theoretical bandwidth is unknown: {why}.", reads),
        });
        if read.kernel != "read" {
            let kernel = format::foreign_short(&read.kernel, 40);
            parts.push(format!("The fastest reader was `{kernel}`."));
        }
        let doubt = findings::doubt(analysis, host);
        parts.extend((!doubt.is_empty()).then(|| doubt.trim().to_owned()));
        parts.extend(decode_text(host));
        parts.extend(reference_text(host, read.gb_per_s, analysis));
    } else if trouble.is_none() {
        parts.push(
            "has no usable measurement of its read bandwidth: see its page for the reasons.".into(),
        );
    }
    let remark = remark(host);
    let has_remark = remark.is_some();
    parts.extend(remark);
    let n_invalid = host.count(Verdict::Invalid);
    if n_invalid > 0 {
        parts.push(format!(
            "{} invalid and not used.",
            format::count(n_invalid, "unit is", "units are")
        ));
    }
    let kind = match (&trouble, n_invalid, &host.best_read) {
        (Some(_), _, _) | (None, _, None) => BAD,
        (None, 0, Some(_)) if !has_remark && host.disturbed().is_none() => GOOD,
        (None, _, Some(_)) => WARN,
    };
    (kind, parts.join(" "))
}

/// The words between the host's name and its bandwidth.
fn subject(host: &HostAnalysis, was_cut_off: bool) -> String {
    let board = host
        .board
        .map(|board| format::foreign_short(&board.name, 60));
    match (was_cut_off, board) {
        (true, _) => "Until then it read".into(),
        (false, Some(board)) => format!("({board}) reads"),
        (false, None) => "reads".into(),
    }
}

/// What went wrong with a host as a whole: status, stage, cause.
fn trouble(host: &HostAnalysis) -> Option<String> {
    let record = &host.data.record;
    let stage = record
        .stage
        .map(|stage| format!(" (stage: {})", stage.name()))
        .unwrap_or_default();
    let what = match record.status {
        HostStatus::Ok | HostStatus::Skipped => return None,
        HostStatus::Unreachable => "was not reached",
        HostStatus::Failed => "did not finish",
        HostStatus::Interrupted => "was interrupted",
    };
    Some(format!(
        "{what}{stage}: {}.",
        trimmed(record.reason.as_deref())
    ))
}

fn decode_text(host: &HostAnalysis) -> Option<String> {
    // What was disturbed says nothing of limits.
    let chains = (host.chains.iter()).filter(|chain| chain.verdict == Verdict::Ok);
    let chain =
        chains.max_by(|a, b| a.measured_tokens_per_s.total_cmp(&b.measured_tokens_per_s))?;
    let allowed = chain.bound_gb_per_s()?;
    Some(format!(
        "Decoding {} in {} at depth {} with {} it makes {}, {} of what its measured limits allow.",
        format::foreign_short(&chain.model.model, 40),
        format::foreign_short(&chain.model.quant, 20),
        chain.model.depth,
        format::count(chain.n_threads, "thread", "threads"),
        format::tokens_per_s(chain.measured_tokens_per_s),
        format::percent(chain.measured_gb_per_s / allowed)
    ))
}

fn reference_text(host: &HostAnalysis, read_gb_per_s: f64, analysis: &Analysis) -> Option<String> {
    let (what, bound) = findings::reference_bound(analysis, read_gb_per_s)?;
    let by_theory = host.theory.as_ref().ok().and_then(|theory| {
        let (_, bound) = findings::reference_bound(analysis, theory.gb_per_s)?;
        Some(format!(" ({} by theory)", format::tokens_per_s(bound)))
    });
    Some(format!(
        "{what} is bounded at {} there{}.",
        format::tokens_per_s(bound),
        by_theory.unwrap_or_default()
    ))
}

fn trimmed(reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("no reason was recorded");
    format::foreign_short(reason.trim_end_matches(['.', ' ', '\n']), 400)
}
