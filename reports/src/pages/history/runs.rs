//! Runs of the history that gave no valid data of a host, and why.

use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::history::HostHistory;
use crate::pages::{Page, Scope, value};

/// Rows of the table, the newest.
const N_ROWS: usize = 60;

#[derive(Serialize)]
struct View {
    rows: Vec<Row>,
    n_left_out: usize,
}

/// Runs that followed each other and ended alike.
#[derive(Serialize)]
struct Row {
    dates: String,
    why: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (history, Scope::HostHistory(host)) = (page.history?, &page.scope) else {
        return None;
    };
    let text = page.text;
    let mut rows: Vec<Row> = (alike(text, host).into_iter().rev())
        .map(|(first, last, n_runs, why)| {
            let (first, last) = (history.runs[first].date(), history.runs[last].date());
            Row {
                dates: dates(text, &first, &last, n_runs),
                why,
            }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let n_left_out = rows.len().saturating_sub(N_ROWS);
    rows.truncate(N_ROWS);
    value(View { rows, n_left_out })
}

/// `2026-01-31 to 2026-02-02 (3 runs)`.
fn dates(text: &Text, first: &str, last: &str, n_runs: usize) -> String {
    let runs = message!("runs", n = n_runs);
    match first == last {
        true => say!(text, "history-runs-of-day", date = first, runs = runs),
        false => say!(
            text,
            "history-runs-of-days",
            first = first,
            last = last,
            runs = runs,
        ),
    }
}

/// First and last run, number of runs and reason of each row of runs without valid data.
fn alike(text: &Text, host: &HostHistory) -> Vec<(usize, usize, usize, String)> {
    let mut rows: Vec<(usize, usize, usize, String)> = Vec::new();
    let mut is_open = false;
    for visit in &host.visits {
        if visit.is_valid() {
            is_open = false;
            continue;
        }
        let why = crate::pages::history::hosts::why(text, visit);
        match rows.last_mut().filter(|row| is_open && row.3 == why) {
            Some(row) => (row.1, row.2) = (visit.run, row.2 + 1),
            None => rows.push((visit.run, visit.run, 1, why)),
        }
        is_open = true;
    }
    rows
}
