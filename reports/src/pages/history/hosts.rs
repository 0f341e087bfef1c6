//! Every host over the runs in a row: its last valid run, its best read, its last change.

use bench_locales::Figure::GbPerS;
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::charts;
use crate::history::{History, HostHistory, Standing, Visit};
use crate::pages::history::words as history_words;
use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    hosts: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    href: String,
    board: String,
    /// Whether the newest run is valid.
    is_current: bool,
    last_valid: String,
    age: String,
    since: String,
    valid: String,
    spark: String,
    best_read: String,
    change: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, history) = (page.text, page.history?);
    let mut hosts: Vec<&HostHistory> = history.hosts.iter().collect();
    // Hosts without news first: they need attention.
    hosts.sort_by_key(|host| {
        let days = history
            .last_valid(&host.name)
            .map_or(i64::MAX, |last| last.days);
        (std::cmp::Reverse(days), host.name.clone())
    });
    value(View {
        hosts: (hosts.into_iter())
            .map(|host| row(text, history, host))
            .collect(),
    })
}

fn row(text: &Text, history: &History, host: &HostHistory) -> Row {
    let last = history.last_valid(&host.name);
    let newest = history.runs.last().map(|run| run.run_id.as_str());
    let is_current = last.as_ref().map(|last| last.run_id.as_str()) == newest;
    let n_valid = host.visits.iter().filter(|visit| visit.is_valid()).count();
    let confirmed = |change: &&crate::history::Change| change.found.standing == Standing::Confirmed;
    let best_read = host
        .visits
        .iter()
        .rev()
        .find_map(|visit| visit.best_read_gb_per_s);
    Row {
        name: format::foreign_short(&host.name, 80),
        href: format!("history/{}", page_name(&host.name)),
        board: (host.board.as_ref())
            .map(|board| format::foreign_short(board, 60))
            .unwrap_or_default(),
        is_current,
        last_valid: (last.as_ref())
            .map(|last| {
                last.started_at
                    .split('T')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .unwrap_or_else(|| say!(text, "no-valid-run")),
        age: (last.as_ref())
            .map(|last| age(text, last))
            .unwrap_or_default(),
        since: (host.visits.last())
            .filter(|visit| !visit.is_valid())
            .map(|visit| why(text, visit))
            .unwrap_or_default(),
        valid: say!(text, "n-of-all", n = n_valid, n_all = host.visits.len()),
        spark: spark(text, history, host),
        best_read: best_read
            .map(|rate| text.figure(GbPerS(rate)))
            .unwrap_or_default(),
        change: (host.changes.iter().find(confirmed))
            .map(|change| crate::pages::history::changes::in_short(text, history, host, change))
            .unwrap_or_default(),
    }
}

/// How long ago the last valid run was, seen from the newest one.
pub(in crate::pages) fn age(text: &Text, last: &crate::history::LastValid) -> String {
    let days = message!("days", n = last.days.max(0) as usize);
    match (last.days, last.n_runs) {
        (0, 0) => say!(text, "history-same-day"),
        (_, 0) => say!(text, "history-days-ago", days = days),
        (_, n) => say!(text, "history-ago", days = days, n = n),
    }
}

/// Why a run has no valid data of a host.
pub(in crate::pages) fn why(text: &Text, visit: &Visit) -> String {
    let reason = visit
        .reason
        .as_ref()
        .map(|reason| format::foreign_short(reason, 300));
    let status = history_words::status(text, &visit.status);
    match (reason, visit.n_invalid) {
        (Some(reason), _) => format!("{status}: {}", &reason),
        (None, 0) => say!(text, "history-nothing-measured", status = status),
        (None, n) => say!(text, "history-all-invalid", status = status, n = n),
    }
}

fn spark(text: &Text, history: &History, host: &HostHistory) -> String {
    let day = |run: usize| history.runs[run].started_s as f64 / crate::date::DAY_S as f64;
    let mut points: Vec<(f64, f64, bool)> = Vec::new();
    let mut before: Option<&Visit> = None;
    for visit in &host.visits {
        let is_like = |before: &Visit| {
            before.best_read_gb_per_s.is_some()
                && before.epoch == visit.epoch
                && before.artifact == visit.artifact
        };
        if let Some(best_read) = visit.best_read_gb_per_s {
            points.push((day(visit.run), best_read, before.is_some_and(is_like)));
        }
        before = Some(visit);
    }
    let days = (day(0), day(history.runs.len() - 1));
    let rates = points.iter().map(|point| point.1);
    let (low, high) = rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| {
        (low.min(rate), high.max(rate))
    });
    let label = say!(
        text,
        "history-spark",
        runs = message!("runs", n = points.len()),
        low = GbPerS(low),
        high = GbPerS(high),
    );
    charts::sparkline(&label, &points, days)
}
