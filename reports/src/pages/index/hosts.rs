//! Every host of the run and how it ended: status, stage, cause and remedy.

use bench_locales::Figure::{GbPerS, Percent};
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::history::History;
use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_analysis::limits::theory;
use bench_analysis::measured::HostAnalysis;
use bench_analysis::validity::status;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    hosts: Vec<Row>,
    /// Whether a history tells when hosts were last measured well.
    has_history: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    href: String,
    board: String,
    transport: String,
    emulated: bool,
    status: &'static str,
    status_word: String,
    stage: String,
    /// As it was recorded.
    reason: String,
    garbage: String,
    stderr_tail: Vec<String>,
    read: String,
    share: String,
    units: String,
    last_valid: String,
    history_href: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, inventory) = (page.text, &page.analysis.run.inventory);
    let history = page.history.filter(|history| history.is_shown());
    let row = |host: &HostAnalysis| {
        let record = &host.data.record;
        Row {
            name: format::foreign_short(host.name(), 80),
            href: format!("hosts/{}", page_name(host.name())),
            board: theory::board_id(record, inventory)
                .map(|board| format::foreign_short(board, 60))
                .unwrap_or_default(),
            transport: format::foreign_short(&record.transport, 20),
            emulated: record.emulated,
            status: record.status.name(),
            status_word: text.say(&status::of_host(record.status)),
            stage: (record.stage)
                .map_or_else(String::new, |stage| text.say(&status::of_stage(stage))),
            reason: reason(host),
            garbage: garbage(text, host),
            stderr_tail: record
                .stderr_tail
                .iter()
                .map(|line| format::foreign_short(line, 200))
                .collect(),
            read: host
                .best_read
                .as_ref()
                .map(|read| text.figure(GbPerS(read.gb_per_s)))
                .unwrap_or_default(),
            share: host
                .read_efficiency()
                .map(|share| text.figure(Percent(share)))
                .unwrap_or_default(),
            units: units(text, host),
            last_valid: history.map_or_else(String::new, |history| last_valid(text, history, host)),
            history_href: format!("history/{}", page_name(host.name())),
        }
    };
    value(View {
        hosts: page.analysis.hosts.iter().map(row).collect(),
        has_history: history.is_some(),
    })
}

/// How long ago the host last gave usable figures, counted from this run.
fn last_valid(text: &Text, history: &History, host: &HostAnalysis) -> String {
    if host.data.record.emulated {
        return String::new();
    }
    match history.last_valid(host.name()) {
        None => say!(text, "no-valid-run"),
        Some(last) if last.n_runs == 0 => say!(text, "hosts-this-run"),
        Some(last) => say!(
            text,
            "hosts-ago",
            days = message!("days", n = last.days.max(0) as usize),
            runs = message!("runs", n = last.n_runs),
        ),
    }
}

/// The recorded cause and what contradicts it.
fn reason(host: &HostAnalysis) -> String {
    let record = &host.data.record;
    let reasons = (record.reason.iter()).map(|reason| format::foreign_short(reason, 500));
    let problems = (host.data.problems.iter()).map(|problem| format::foreign(problem));
    reasons.chain(problems).collect::<Vec<_>>().join("; ")
}

/// How many lines of its stream cannot be read, where the controller does not mention them.
fn garbage(text: &Text, host: &HostAnalysis) -> String {
    let reason = &host.data.record.reason;
    let are_mentioned = (reason.iter()).any(|reason| reason.contains("of the stream"));
    match host.data.n_garbage_lines {
        n if n > 0 && !are_mentioned => say!(text, "hosts-garbage-lines", n = n),
        _ => String::new(),
    }
}

fn units(text: &Text, host: &HostAnalysis) -> String {
    let verdicts = [
        Verdict::Ok,
        Verdict::Suspect,
        Verdict::Invalid,
        Verdict::Emulated,
        Verdict::NotMeasured,
    ];
    let counted: Vec<String> = (verdicts.into_iter())
        .map(|verdict| (host.count(verdict), verdict))
        .filter(|(n, _)| *n > 0)
        .map(|(n, verdict)| match verdict {
            Verdict::Ok => say!(text, "hosts-units-ok", n = n),
            Verdict::Suspect => say!(text, "hosts-units-suspect", n = n),
            Verdict::Invalid => say!(text, "hosts-units-invalid", n = n),
            Verdict::Emulated => say!(text, "hosts-units-emulated", n = n),
            Verdict::NotMeasured => say!(text, "hosts-units-not-measured", n = n),
        })
        .collect();
    counted.join(", ")
}
