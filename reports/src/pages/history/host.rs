//! One host over the runs in a few sentences.

use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::history::{History, HostHistory};
use crate::pages::page_name;
use crate::pages::{Page, Scope, value};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    /// The host's page in this run, where it took part.
    href: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (history, Scope::HostHistory(host)) = (page.history?, &page.scope) else {
        return None;
    };
    let is_in_run = (page.analysis.hosts.iter()).any(|other| other.name() == host.name);
    value(View {
        sentences: sentences(page.text, history, host),
        href: match is_in_run {
            true => format!("hosts/{}", page_name(&host.name)),
            false => String::new(),
        },
    })
}

fn sentences(text: &Text, history: &History, host: &HostHistory) -> Vec<String> {
    let date = |run: usize| history.runs[run].date();
    let n_valid = host.visits.iter().filter(|visit| visit.is_valid()).count();
    let (first, last) = match (host.visits.first(), host.visits.last()) {
        (Some(first), Some(last)) => (date(first.run), date(last.run)),
        _ => return Vec::new(),
    };
    let visits = say!(
        text,
        "history-visits",
        runs = message!("runs", n = host.visits.len()),
        first = first,
        last = last,
        n_valid = n_valid,
    );
    let valid = match history.last_valid(&host.name) {
        Some(last) if last.days == 0 && last.n_runs == 0 => say!(text, "history-newest-valid"),
        Some(last) => say!(
            text,
            "history-last-valid",
            run = format::foreign_short(&last.run_id, 80).replace('`', "'"),
            age = crate::pages::history::hosts::age(text, &last),
        ),
        None => say!(text, "history-never-valid"),
    };
    vec![visits, valid]
}
