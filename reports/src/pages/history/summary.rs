//! What a reader of the history wants to know first: what changed in this run, and which hosts give no data.

use bench_locales::Figure::Percent;
use bench_locales::{Text, message, say};
use serde::Serialize;

use crate::history::{History, HostHistory, Standing};
use crate::pages::{Page, value};
use bench_run_dir::format;

/// Changes of so many days are recent.
const RECENT_DAYS: i64 = 14;

#[derive(Serialize)]
struct View {
    sentences: Vec<String>,
    problems: Vec<String>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let (text, history) = (page.text, page.history?);
    value(View {
        sentences: vec![
            extent(text, history),
            newest(text, history),
            changed(text, history),
            power(text, history),
        ],
        problems: problems(text, history),
    })
}

/// What of the history is left out.
pub(in crate::pages) fn problems(text: &Text, history: &History) -> Vec<String> {
    (history.problems.iter()).map(|it| text.say(it)).collect()
}

/// How many runs there are, of what time.
pub(in crate::pages) fn extent(text: &Text, history: &History) -> String {
    let date = |run: Option<&crate::history::Run>| run.map(|run| run.date()).unwrap_or_default();
    say!(
        text,
        "history-extent",
        runs = message!("runs", n = history.runs.len()),
        first = date(history.runs.first()),
        last = date(history.runs.last()),
        hosts = message!("hosts", n = history.hosts.len()),
    )
}

/// Which hosts the newest run has no valid data of.
pub(in crate::pages) fn newest(text: &Text, history: &History) -> String {
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
        [] if history.warning().is_some() => say!(text, "history-all-some-disturbed"),
        [] => say!(text, "history-all-valid"),
        few if few.len() <= 8 => say!(
            text,
            "history-without-data",
            n = few.len(),
            hosts = few.to_vec(),
        ),
        many => say!(text, "history-many-without-data", n = many.len()),
    }
}

/// How small a change may be and still be seen.
fn power(text: &Text, history: &History) -> String {
    let lines = history.hosts.iter().flat_map(|host| &host.lines);
    let mut steps: Vec<f64> = lines.filter_map(|line| line.visible_step).collect();
    steps.sort_by(f64::total_cmp);
    match steps.as_slice() {
        [] => String::new(),
        [only] => say!(text, "history-power-of-one", step = Percent(*only)),
        [.., largest] => say!(
            text,
            "history-power",
            n = steps.len(),
            half = Percent(steps[steps.len() / 2]),
            all = Percent(*largest),
        ),
    }
}

fn changed(text: &Text, history: &History) -> String {
    let Some(last) = history.runs.last() else {
        return String::new();
    };
    let recent = |run: usize| last.day() - history.runs[run].day() < RECENT_DAYS;
    let all = || history.hosts.iter().flat_map(|host| &host.changes);
    let confirmed = |change: &&crate::history::Change| change.found.standing == Standing::Confirmed;
    let n_recent = all()
        .filter(confirmed)
        .filter(|change| recent(change.run))
        .count();
    say!(
        text,
        "history-changes",
        n = all().filter(confirmed).count(),
        n_recent = n_recent,
        days = RECENT_DAYS as u64,
    )
}
