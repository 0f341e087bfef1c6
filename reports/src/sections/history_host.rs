//! One host over the nights in a few sentences.

use serde::Serialize;

use super::{Page, Scope, value};
use crate::history::{History, HostHistory};
use crate::report::page_name;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    /// The host's page in this run, where it took part.
    href: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let (history, Scope::HostHistory(host)) = (page.history?, &page.scope) else {
        return None;
    };
    let is_in_run = (page.analysis.hosts.iter()).any(|other| other.name() == host.name);
    value(View {
        sentences: sentences(history, host),
        href: match is_in_run {
            true => format!("hosts/{}", page_name(&host.name)),
            false => String::new(),
        },
    })
}

fn sentences(history: &History, host: &HostHistory) -> Vec<String> {
    let date = |run: usize| history.runs[run].date();
    let n_valid = host.visits.iter().filter(|visit| visit.is_valid()).count();
    let (first, last) = match (host.visits.first(), host.visits.last()) {
        (Some(first), Some(last)) => (date(first.run), date(last.run)),
        _ => return Vec::new(),
    };
    let mut sentences = vec![format!(
        "{} from {first} to {last}, {n_valid} with valid data.",
        format::count(host.visits.len(), "run", "runs")
    )];
    sentences.push(match history.last_valid(&host.name) {
        Some(last) if last.days == 0 && last.n_runs == 0 => {
            "The newest run gave valid data.".into()
        }
        Some(last) => format!(
            "The last valid run is `{}`, {}.",
            format::foreign_short(&last.run_id, 80).replace('`', "'"),
            super::history_hosts::age(&last)
        ),
        None => "No run gave valid data.".into(),
    });
    sentences
}
