//! What changed on the lines of the history, the newest first, and what else changed there.

use bench_locales::Figure::{Number, SignedPercent};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::history::{Change, History, HostHistory};
use crate::pages::history::words as history_words;
use crate::pages::page_name;
use crate::pages::{Page, Scope, value};
use bench_run_dir::format;

/// Rows of a table; older changes stay on the pages of the hosts.
const N_ROWS: usize = 400;

#[derive(Serialize)]
struct View {
    /// Changes that last as far as is known.
    rows: Vec<Row>,
    /// Runs that stood out and passed.
    passed: Vec<Row>,
    n_left_out: usize,
    with_hosts: bool,
}

#[derive(Serialize)]
struct Row {
    date: String,
    host: String,
    href: String,
    line: String,
    before: String,
    after: String,
    ratio: String,
    word: String,
    standing: String,
    causes: Vec<String>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, history) = (page.text, page.history?);
    let (hosts, with_hosts) = match page.scope {
        Scope::HostHistory(host) => (std::slice::from_ref(host), false),
        _ => (history.hosts.as_slice(), true),
    };
    let mut changes: Vec<(&HostHistory, &Change)> = (hosts.iter())
        .flat_map(|host| host.changes.iter().map(move |change| (host, change)))
        .collect();
    changes.sort_by(|a, b| b.1.run.cmp(&a.1.run).then(a.0.name.cmp(&b.0.name)));
    let (lasting, passed): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|(_, change)| change.found.standing.is_lasting());
    let rows = |changes: &[(&HostHistory, &Change)]| -> Vec<Row> {
        let changes = changes.iter().take(N_ROWS);
        changes
            .map(|(host, change)| row(text, history, host, change))
            .collect()
    };
    value(View {
        n_left_out: lasting.len().saturating_sub(N_ROWS),
        rows: rows(&lasting),
        passed: if with_hosts {
            Vec::new()
        } else {
            rows(&passed)
        },
        with_hosts,
    })
}

fn row(text: &Text, history: &History, host: &HostHistory, change: &Change) -> Row {
    let line = &host.lines[change.line];
    let figure = line.chart.figure();
    Row {
        date: history.runs[change.run].date(),
        host: format::foreign_short(&host.name, 80),
        href: format!("history/{}", page_name(&host.name)),
        line: text.say(&line.label()),
        before: text.figure(figure.of(change.found.before)),
        after: text.figure(figure.of(change.found.after)),
        ratio: ratio(text, change),
        word: word(text, host, change),
        standing: text.say(&change.found.standing.message()),
        causes: causes(text, change),
    }
}

fn ratio(text: &Text, change: &Change) -> String {
    format!(
        "× {} ({})",
        text.figure(Number(change.ratio())),
        text.figure(SignedPercent(change.ratio() - 1.0))
    )
}

fn causes(text: &Text, change: &Change) -> Vec<String> {
    (change.causes.iter())
        .map(|cause| history_words::cause(text, cause))
        .collect()
}

fn word(text: &Text, host: &HostHistory, change: &Change) -> String {
    let more_is_better = host.lines[change.line].chart.figure().more_is_better();
    match (change.ratio() > 1.0) == more_is_better {
        true => say!(text, "faster"),
        false => say!(text, "slower"),
    }
}

/// A change in one phrase: `2026-11-20, read, 4 threads: 24.1 GB/s to 20.2 GB/s, -16 % (Linux 5.10 → 6.1)`.
pub(in crate::pages) fn in_short(
    text: &Text,
    history: &History,
    host: &HostHistory,
    change: &Change,
) -> String {
    let line = &host.lines[change.line];
    let figure = line.chart.figure();
    let short = say!(
        text,
        "history-change",
        date = history.runs[change.run].date(),
        line = line.label(),
        before = figure.of(change.found.before),
        after = figure.of(change.found.after),
        difference = SignedPercent(change.ratio() - 1.0),
    );
    match causes(text, change).as_slice() {
        [] => short,
        causes => format!("{short} ({})", causes.join("; ")),
    }
}
