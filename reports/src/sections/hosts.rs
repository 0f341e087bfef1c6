//! Every host of the run and how it ended: status, stage, cause and remedy.

use serde::Serialize;

use super::{Page, value};
use crate::history::History;
use crate::report::page_name;
use bench_analysis::limits::theory;
use bench_analysis::measured::HostAnalysis;
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
    stage: &'static str,
    reason: String,
    stderr_tail: Vec<String>,
    read: String,
    share: String,
    units: String,
    last_valid: String,
    history_href: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let inventory = &page.analysis.run.inventory;
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
            stage: record.stage.map(|stage| stage.name()).unwrap_or_default(),
            reason: reason(host),
            stderr_tail: record
                .stderr_tail
                .iter()
                .map(|line| format::foreign_short(line, 200))
                .collect(),
            read: host
                .best_read
                .as_ref()
                .map(|read| format::gb_per_s(read.gb_per_s))
                .unwrap_or_default(),
            share: host
                .read_efficiency()
                .map(format::percent)
                .unwrap_or_default(),
            units: units(host),
            last_valid: history.map_or_else(String::new, |history| last_valid(history, host)),
            history_href: format!("history/{}", page_name(host.name())),
        }
    };
    value(View {
        hosts: page.analysis.hosts.iter().map(row).collect(),
        has_history: history.is_some(),
    })
}

/// How long ago the host last gave usable figures, counted from this run.
fn last_valid(history: &History, host: &HostAnalysis) -> String {
    if host.data.record.emulated {
        return String::new();
    }
    match history.last_valid(host.name()) {
        None => "no valid run".to_owned(),
        Some(last) if last.n_runs == 0 => "this run".to_owned(),
        Some(last) => format!(
            "{} and {} ago",
            format::count(last.days.max(0) as usize, "day", "days"),
            format::count(last.n_runs, "run", "runs")
        ),
    }
}

/// The recorded cause and everything that contradicts it.
fn reason(host: &HostAnalysis) -> String {
    let mut parts: Vec<String> = host
        .data
        .record
        .reason
        .iter()
        .map(|reason| format::foreign_short(reason, 500))
        .collect();
    // The controller mentions them where nothing worse happened.
    let are_mentioned = parts.iter().any(|reason| reason.contains("of the stream"));
    if host.data.n_garbage_lines > 0 && !are_mentioned {
        parts.push(format::count(
            host.data.n_garbage_lines,
            "line of the stream is not a message",
            "lines of the stream are not messages",
        ));
    }
    parts.extend(
        host.data
            .problems
            .iter()
            .map(|problem| format::foreign(problem)),
    );
    parts.join("; ")
}

fn units(host: &HostAnalysis) -> String {
    let verdicts = [
        (Verdict::Ok, "ok"),
        (Verdict::Suspect, "suspect"),
        (Verdict::Invalid, "invalid"),
        (Verdict::Emulated, "emulated"),
        (Verdict::NotMeasured, "not measured"),
    ];
    let counted: Vec<String> = verdicts
        .iter()
        .map(|(verdict, word)| (host.count(*verdict), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    counted.join(", ")
}
