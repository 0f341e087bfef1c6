//! From a page of the run to the pages of its history.

use serde::Serialize;

use super::{Page, Scope, history_words, value};
use crate::history::{History, Standing};
use crate::report::page_name;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    /// Path from the index; empty where there is no page.
    href: String,
    problems: Vec<String>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let history = page.history?;
    match page.scope {
        Scope::Run => of_run(history).and_then(value),
        Scope::Host(host) => of_host(history, host.name()).and_then(value),
        _ => None,
    }
}

fn of_run(history: &History) -> Option<View> {
    if !history.is_shown() {
        let problems: Vec<String> = history
            .problems
            .iter()
            .map(|it| history_words::problem(it))
            .collect();
        return (!problems.is_empty()).then_some(View {
            sentences: Vec::new(),
            href: String::new(),
            problems,
        });
    }
    let sentences = vec![
        super::history_summary::extent(history),
        super::history_summary::newest(history),
    ];
    Some(View {
        sentences,
        href: "history.html".into(),
        problems: history
            .problems
            .iter()
            .map(|it| history_words::problem(it))
            .collect(),
    })
}

fn of_host(history: &History, name: &str) -> Option<View> {
    let host = history.host(name).filter(|_| history.is_shown())?;
    let n_valid = host.visits.iter().filter(|visit| visit.is_valid()).count();
    let mut sentences = vec![format!(
        "{} of {} with this host gave valid data.",
        n_valid,
        format::count(host.visits.len(), "run", "runs")
    )];
    let confirmed = |change: &&crate::history::Change| change.found.standing == Standing::Confirmed;
    sentences.push(match host.changes.iter().find(confirmed) {
        Some(change) => format!(
            "The last confirmed change: {}.",
            super::history_changes::in_short(history, host, change)
        ),
        None => "No change is confirmed.".into(),
    });
    Some(View {
        sentences,
        href: format!("history/{}", page_name(name)),
        problems: Vec::new(),
    })
}
