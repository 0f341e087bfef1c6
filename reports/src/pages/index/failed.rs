//! What did not work in this run and why: hosts first, then units that gave no usable figure.

use bench_analysis::validity::status::UnitStatusKind;
use std::collections::BTreeMap;

use bench_locales::{Arg, Text, message, say};
use serde::Serialize;

use crate::pages::page_name;
use crate::pages::{Page, value};
use bench_analysis::measured::{HostAnalysis, Judged};
use bench_analysis::validity::status;
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::HostStatus;
use bench_run_dir::format;

/// Causes of one host beyond this many are left to its page.
const MAX_CAUSES: usize = 4;

/// Units that a cause names; the others are counted.
const MAX_UNITS: usize = 3;

#[derive(Serialize)]
struct View {
    hosts: Vec<Host>,
}

#[derive(Serialize)]
struct Host {
    name: String,
    href: String,
    badge: &'static str,
    status: String,
    stage: String,
    has_failed: bool,
    /// As it was recorded, where it was.
    reason: Option<String>,
    causes: Vec<Cause>,
    n_more: usize,
}

/// Units that failed alike.
#[derive(Serialize)]
struct Cause {
    badge: &'static str,
    word: String,
    units: String,
    reason: Option<String>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let mut hosts: Vec<Host> = (page.analysis.hosts.iter())
        .filter_map(|it| host(page.text, it))
        .collect();
    // Those that gave nothing at all first.
    hosts.sort_by_key(|host| !host.has_failed);
    (!hosts.is_empty()).then_some(())?;
    value(View { hosts })
}

fn host(text: &Text, host: &HostAnalysis) -> Option<Host> {
    let record = &host.data.record;
    let is_fine = matches!(record.status, HostStatus::Ok | HostStatus::Skipped);
    let causes = causes(text, host);
    if is_fine && causes.is_empty() {
        return None;
    }
    let n_failed = (causes.iter())
        .filter(|cause| cause.badge == "failed")
        .count();
    let n_shown = MAX_CAUSES.max(n_failed);
    let reason = record.reason.as_deref().filter(|_| !is_fine);
    Some(Host {
        name: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        badge: record.status.name(),
        status: text.say(&status::of_host(record.status)),
        stage: (record.stage).map_or_else(String::new, |stage| text.say(&status::of_stage(stage))),
        has_failed: !is_fine,
        reason: reason.map(|reason| format::foreign_short(reason, 500)),
        n_more: causes.len().saturating_sub(n_shown),
        causes: causes.into_iter().take(n_shown).collect(),
    })
}

/// All causes of one host. What failed made the exit code and comes first; of the rest the commonest causes do.
fn causes(text: &Text, host: &HostAnalysis) -> Vec<Cause> {
    let mut groups: BTreeMap<(&'static str, Option<String>), Vec<&Judged>> = BTreeMap::new();
    for unit in host.units.iter().filter(|unit| has_failed(unit)) {
        let reason =
            (unit.reason.as_ref()).map(|reason| format::foreign_short(&text.say(reason), 300));
        groups.entry((badge(unit), reason)).or_default().push(unit);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((badge, _), units)| (*badge != "failed", std::cmp::Reverse(units.len())));
    let cause = |((badge, reason), units): ((&'static str, Option<String>), Vec<&Judged>)| Cause {
        badge,
        word: word(text, badge),
        units: say!(
            text,
            "failed-units",
            n = message!("units", n = units.len()),
            units = names(&units),
        ),
        reason,
    };
    groups.into_iter().map(cause).collect()
}

/// A unit that failed, whatever it gave before, or that gave no figure that may be used: all that makes an exit code.
/// What a board cannot do is no failure.
fn has_failed(unit: &Judged) -> bool {
    match unit.verdict {
        _ if unit.status == UnitStatusKind::Failed => true,
        Verdict::Invalid => true,
        Verdict::NotMeasured => unit.status != UnitStatusKind::Skipped,
        Verdict::Ok | Verdict::Suspect | Verdict::Emulated => false,
    }
}

/// CSS class of how a unit failed.
fn badge(unit: &Judged) -> &'static str {
    match (unit.verdict, unit.status) {
        (_, UnitStatusKind::Failed) => "failed",
        (Verdict::Invalid, _) => "invalid",
        (_, UnitStatusKind::Truncated) => "truncated",
        (_, UnitStatusKind::NotStarted) => "not_started",
        _ => "failed",
    }
}

fn word(text: &Text, badge: &str) -> String {
    match badge {
        "invalid" => say!(text, "failed-invalid"),
        "truncated" => say!(text, "failed-cut-off"),
        "not_started" => say!(text, "failed-not-started"),
        _ => say!(text, "failed-failed"),
    }
}

/// All units that failed by name: they are why the run did. Of those that gave something, the first.
fn names(units: &[&Judged]) -> Vec<Arg> {
    let has_failed = units
        .iter()
        .any(|unit| unit.status == UnitStatusKind::Failed);
    let n_named = if has_failed { units.len() } else { MAX_UNITS };
    let mut names: Vec<Arg> = (units.iter())
        .take(n_named)
        .map(|unit| Arg::from(format!("`{}`", format::foreign_short(&unit.unit, 60))))
        .collect();
    if units.len() > n_named {
        names.push(message!("failed-more-units", n = units.len() - n_named).into());
    }
    names
}
