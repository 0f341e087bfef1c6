//! Every host over the nights in a row: its last valid run, its best read, its last change.

use serde::Serialize;

use super::{Page, value};
use crate::history::{History, HostHistory, Standing, Visit};
use crate::report::page_name;
use crate::{svg, words};
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let history = page.history?;
    let mut hosts: Vec<&HostHistory> = history.hosts.iter().collect();
    // Hosts without news first: they need somebody.
    hosts.sort_by_key(|host| {
        let days = history
            .last_valid(&host.name)
            .map_or(i64::MAX, |last| last.days);
        (std::cmp::Reverse(days), host.name.clone())
    });
    value(View {
        hosts: hosts.into_iter().map(|host| row(history, host)).collect(),
    })
}

fn row(history: &History, host: &HostHistory) -> Row {
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
            .unwrap_or_else(|| "no valid run".into()),
        age: last.as_ref().map(age).unwrap_or_default(),
        since: (host.visits.last())
            .filter(|visit| !visit.is_valid())
            .map(why)
            .unwrap_or_default(),
        valid: format!("{n_valid} of {}", host.visits.len()),
        spark: spark(history, host),
        best_read: best_read.map(format::gb_per_s).unwrap_or_default(),
        change: (host.changes.iter().find(confirmed))
            .map(|change| super::history_changes::in_short(history, host, change))
            .unwrap_or_default(),
    }
}

/// How long ago the last valid run was, seen from the newest one.
pub(super) fn age(last: &crate::history::LastValid) -> String {
    match (last.days, last.n_runs) {
        (0, 0) => "this run's day".into(),
        (days, 0) => format!("{} ago", format::count(days as usize, "day", "days")),
        (days, n_runs) => format!(
            "{} ago, {} since without valid data",
            format::count(days as usize, "day", "days"),
            format::count(n_runs, "run", "runs")
        ),
    }
}

/// Why a run has no valid data of a host.
pub(super) fn why(visit: &Visit) -> String {
    let reason = visit
        .reason
        .as_ref()
        .map(|reason| format::foreign_short(reason, 300));
    let status = format::foreign_short(&visit.status, 20);
    match (reason, visit.n_invalid) {
        (Some(reason), _) => format!("{status}: {}", words::name(&reason)),
        (None, 0) => format!("{status}, nothing was measured"),
        (None, n) => format!(
            "{status}, but no figure is valid: {} invalid",
            format::count(n, "unit is", "units are")
        ),
    }
}

fn spark(history: &History, host: &HostHistory) -> String {
    let day = |run: usize| history.runs[run].started_s as f64 / crate::history::date::DAY_S as f64;
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
    let label = format!(
        "Best read over {}: {} to {}",
        format::count(points.len(), "run", "runs"),
        format::gb_per_s(low),
        format::gb_per_s(high)
    );
    svg::sparkline(&label, &points, days)
}
