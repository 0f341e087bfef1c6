//! What a reader of the history wants to know first: what changed in this run, and which hosts give no data.

use serde::Serialize;

use super::{Page, history_words, value};
use crate::history::{History, HostHistory, Standing};
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    problems: Vec<String>,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let history = page.history?;
    value(View {
        sentences: vec![
            extent(history),
            newest(history),
            changed(history),
            power(history),
        ],
        problems: history
            .problems
            .iter()
            .map(|it| history_words::problem(it))
            .collect(),
    })
}

/// How many runs there are, of what time.
pub(super) fn extent(history: &History) -> String {
    let date = |run: Option<&crate::history::Run>| run.map(|run| run.date()).unwrap_or_default();
    format!(
        "The history holds {} from {} to {} of {}; emulated ones are left out.",
        format::count(history.runs.len(), "run", "runs"),
        date(history.runs.first()),
        date(history.runs.last()),
        format::count(history.hosts.len(), "host", "hosts")
    )
}

/// Which hosts the newest run has no valid data of.
pub(super) fn newest(history: &History) -> String {
    let last = history.runs.len().saturating_sub(1);
    let has_newest = |host: &&HostHistory| {
        host.visits
            .last()
            .is_some_and(|visit| visit.run == last && visit.is_valid())
    };
    let without: Vec<String> = (history.hosts.iter())
        .filter(|host| !has_newest(host))
        .map(|host| {
            format!(
                "`{}`",
                format::foreign_short(&host.name, 60).replace('`', "'")
            )
        })
        .collect();
    match without.as_slice() {
        [] if history.warning().is_some() => {
            "Every host gave data in the newest run, disturbed ones included.".into()
        }
        [] => "Every host gave valid data in the newest run.".into(),
        few if few.len() <= 8 => format!(
            "{} without valid data in the newest run: {}.",
            format::count(few.len(), "host is", "hosts are"),
            format::enumeration(few)
        ),
        many => format!(
            "{} without valid data in the newest run; the table of hosts names them.",
            format::count(many.len(), "host is", "hosts are")
        ),
    }
}

/// How small a change may be and still be seen.
fn power(history: &History) -> String {
    let lines = history.hosts.iter().flat_map(|host| &host.lines);
    let mut steps: Vec<f64> = lines.filter_map(|line| line.visible_step).collect();
    steps.sort_by(f64::total_cmp);
    match steps.as_slice() {
        [] => String::new(),
        [only] => format!(
            "Three nights confirm a step of {} in the only line.",
            format::percent(*only)
        ),
        [.., largest] => format!(
            "Three nights confirm a step of {} in half of {} lines, and one of {} in all of them.",
            format::percent(steps[steps.len() / 2]),
            steps.len(),
            format::percent(*largest)
        ),
    }
}

fn changed(history: &History) -> String {
    let Some(last) = history.runs.last() else {
        return String::new();
    };
    let recent = |run: usize| last.day() - history.runs[run].day() < 14;
    let all = || history.hosts.iter().flat_map(|host| &host.changes);
    let confirmed = |change: &&crate::history::Change| change.found.standing == Standing::Confirmed;
    let n_recent = all()
        .filter(confirmed)
        .filter(|change| recent(change.run))
        .count();
    format!(
        "{} confirmed in all, {} of the last 14 days.",
        format::count(all().filter(confirmed).count(), "change is", "changes are"),
        n_recent
    )
}
