//! What changed on the lines of the history, the newest first, and what else changed there.

use serde::Serialize;

use super::{Page, Scope, history_words, value};
use crate::history::{Change, History, HostHistory};
use crate::report::page_name;
use bench_run_dir::format;

/// Rows of a table; older changes stay on the pages of the hosts.
const N_ROWS: usize = 400;

#[derive(Serialize)]
struct View {
    /// Changes that last as far as is known.
    rows: Vec<Row>,
    /// Nights that stood out and passed.
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
    word: &'static str,
    standing: String,
    causes: Vec<String>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let history = page.history?;
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
            .map(|(host, change)| row(history, host, change))
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

fn row(history: &History, host: &HostHistory, change: &Change) -> Row {
    let line = &host.lines[change.line];
    let figure = line.chart.figure();
    Row {
        date: history.runs[change.run].date(),
        host: format::foreign_short(&host.name, 80),
        href: format!("history/{}", page_name(&host.name)),
        line: history_words::line(line, &line.label),
        before: figure.format(change.found.before),
        after: figure.format(change.found.after),
        ratio: ratio(change),
        word: word(host, change),
        standing: change.found.standing.words(),
        causes: change.causes.iter().map(history_words::cause).collect(),
    }
}

fn ratio(change: &Change) -> String {
    format!(
        "× {} ({})",
        format::number(change.ratio()),
        format::signed_percent(change.ratio() - 1.0)
    )
}

fn word(host: &HostHistory, change: &Change) -> &'static str {
    let more_is_better = host.lines[change.line].chart.figure().more_is_better();
    match (change.ratio() > 1.0) == more_is_better {
        true => "faster",
        false => "slower",
    }
}

/// A change in one phrase: `2026-11-20, read, 4 threads: 24.1 GB/s to 20.2 GB/s, -16 % (Linux 5.10 → 6.1)`.
pub(super) fn in_short(history: &History, host: &HostHistory, change: &Change) -> String {
    let line = &host.lines[change.line];
    let figure = line.chart.figure();
    let causes: Vec<String> = change.causes.iter().map(history_words::cause).collect();
    let causes = match causes.is_empty() {
        true => String::new(),
        false => format!(" ({})", causes.join("; ")),
    };
    format!(
        "{}, {}: {} to {}, {}{causes}",
        history.runs[change.run].date(),
        history_words::line(line, &line.label),
        figure.format(change.found.before),
        figure.format(change.found.after),
        format::signed_percent(change.ratio() - 1.0)
    )
}
