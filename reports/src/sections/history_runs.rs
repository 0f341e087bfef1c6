//! Runs of the history that gave no valid data of a host, and why.

use serde::Serialize;

use super::{Page, Scope, value};
use crate::history::HostHistory;
use bench_run_dir::format;

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
    n_runs: usize,
    why: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let (history, Scope::HostHistory(host)) = (page.history?, &page.scope) else {
        return None;
    };
    let mut rows: Vec<Row> = (alike(host).into_iter().rev())
        .map(|(first, last, n_runs, why)| {
            let (first, last) = (history.runs[first].date(), history.runs[last].date());
            Row {
                dates: match first == last {
                    true => format!("{first} (1 run)"),
                    false => format!(
                        "{first} to {last} ({})",
                        format::count(n_runs, "run", "runs")
                    ),
                },
                n_runs,
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

/// First and last run, number of runs and reason of each row of runs without valid data.
fn alike(host: &HostHistory) -> Vec<(usize, usize, usize, String)> {
    let mut rows: Vec<(usize, usize, usize, String)> = Vec::new();
    let mut is_open = false;
    for visit in &host.visits {
        if visit.is_valid() {
            is_open = false;
            continue;
        }
        let why = super::history_hosts::why(visit);
        match rows.last_mut().filter(|row| is_open && row.3 == why) {
            Some(row) => (row.1, row.2) = (visit.run, row.2 + 1),
            None => rows.push((visit.run, visit.run, 1, why)),
        }
        is_open = true;
    }
    rows
}
