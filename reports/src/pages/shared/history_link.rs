//! From a page of the run to the pages of its history.

use bench_locales::{Text, say};
use serde::Serialize;

use crate::history::{Change, History, Standing};
use crate::pages::history::summary as history_summary;
use crate::pages::page_name;
use crate::pages::{Page, Scope, value};

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    /// Path from the index; empty where there is no page.
    href: String,
    problems: Vec<String>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let history = page.history?;
    match page.scope {
        Scope::Run => of_run(page.text, history).and_then(value),
        Scope::Host(host) => of_host(page.text, history, host.name()).and_then(value),
        _ => None,
    }
}

fn of_run(text: &Text, history: &History) -> Option<View> {
    let problems = history_summary::problems(text, history);
    if history.is_shown() {
        return Some(View {
            sentences: vec![
                history_summary::extent(text, history),
                history_summary::newest(text, history),
            ],
            href: "history.html".into(),
            problems,
        });
    }
    (!problems.is_empty()).then_some(View {
        sentences: Vec::new(),
        href: String::new(),
        problems,
    })
}

fn of_host(text: &Text, history: &History, name: &str) -> Option<View> {
    let host = history.host(name).filter(|_| history.is_shown())?;
    let n_valid = host.visits.iter().filter(|visit| visit.is_valid()).count();
    let valid = say!(
        text,
        "history-valid-of",
        n = n_valid,
        n_all = host.visits.len(),
    );
    let confirmed = |change: &&Change| change.found.standing == Standing::Confirmed;
    let change = match host.changes.iter().find(confirmed) {
        Some(change) => format!(
            "{} {}.",
            say!(text, "history-last-change"),
            crate::pages::history::changes::in_short(text, history, host, change)
        ),
        None => say!(text, "history-none-confirmed"),
    };
    Some(View {
        sentences: vec![valid, change],
        href: format!("history/{}", page_name(name)),
        problems: Vec::new(),
    })
}
