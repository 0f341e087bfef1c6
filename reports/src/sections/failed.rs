//! What did not work in this run and why: hosts first, then units that gave no usable figure.

use bench_analysis::validity::status::UnitStatusKind;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Page, value};
use crate::report::page_name;
use bench_analysis::measured::{HostAnalysis, UnitRow};
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
    status: &'static str,
    stage: &'static str,
    reason: String,
    causes: Vec<Cause>,
    n_more: usize,
}

/// Units that failed alike.
#[derive(Serialize)]
struct Cause {
    badge: &'static str,
    word: &'static str,
    n_units: String,
    units: String,
    reason: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let mut hosts: Vec<Host> = page.analysis.hosts.iter().filter_map(host).collect();
    // Those that gave nothing at all first.
    hosts.sort_by_key(|host| host.reason.is_empty());
    (!hosts.is_empty()).then_some(())?;
    value(View { hosts })
}

fn host(host: &HostAnalysis) -> Option<Host> {
    let record = &host.data.record;
    let is_fine = matches!(record.status, HostStatus::Ok | HostStatus::Skipped);
    let mut groups: BTreeMap<(&'static str, &'static str, String), Vec<&UnitRow>> = BTreeMap::new();
    for unit in host.units.iter().filter(|unit| has_failed(unit)) {
        let reason = unit.reason.as_deref().unwrap_or("no reason was recorded");
        let (badge, word) = words(unit);
        let key = (badge, word, format::foreign_short(reason, 300));
        groups.entry(key).or_default().push(unit);
    }
    if is_fine && groups.is_empty() {
        return None;
    }
    let mut causes: Vec<(usize, Cause)> = (groups.into_iter())
        .map(|((badge, word, reason), units)| {
            let cause = Cause {
                badge,
                word,
                n_units: format::count(units.len(), "unit", "units"),
                units: names(&units),
                reason,
            };
            (units.len(), cause)
        })
        .collect();
    // What failed made the exit code and is all named; of the rest the commonest causes are.
    causes.sort_by_key(|(n_units, cause)| (cause.badge != "failed", std::cmp::Reverse(*n_units)));
    let n_failed = (causes.iter())
        .filter(|(_, cause)| cause.badge == "failed")
        .count();
    let n_shown = MAX_CAUSES.max(n_failed);
    let n_more = causes.len().saturating_sub(n_shown);
    Some(Host {
        name: format::foreign_short(host.name(), 60),
        href: format!("hosts/{}", page_name(host.name())),
        badge: record.status.name(),
        status: record.status.name(),
        stage: record.stage.map(|stage| stage.name()).unwrap_or_default(),
        reason: match is_fine {
            true => String::new(),
            false => record.reason.as_deref().map_or_else(
                || "no reason was recorded".into(),
                |reason| format::foreign_short(reason, 500),
            ),
        },
        causes: (causes.into_iter().take(n_shown))
            .map(|(_, cause)| cause)
            .collect(),
        n_more,
    })
}

/// A unit that failed, whatever it gave before, or that gave no figure that may be used: all that makes an exit code.
/// What a board cannot do is no failure.
fn has_failed(unit: &UnitRow) -> bool {
    match unit.verdict {
        _ if unit.status == UnitStatusKind::Failed => true,
        Verdict::Invalid => true,
        Verdict::NotMeasured => unit.status != UnitStatusKind::Skipped,
        Verdict::Ok | Verdict::Suspect | Verdict::Emulated => false,
    }
}

fn words(unit: &UnitRow) -> (&'static str, &'static str) {
    match (unit.verdict, unit.status) {
        (_, UnitStatusKind::Failed) => ("failed", "failed"),
        (Verdict::Invalid, _) => ("invalid", "invalid"),
        (_, UnitStatusKind::Truncated) => ("truncated", "cut off"),
        (_, UnitStatusKind::NotStarted) => ("not_started", "not started"),
        _ => ("failed", "failed"),
    }
}

/// All units that failed by name: they are why the run did. Of those that gave something, the first.
fn names(units: &[&UnitRow]) -> String {
    let has_failed = units
        .iter()
        .any(|unit| unit.status == UnitStatusKind::Failed);
    let n_named = if has_failed { units.len() } else { MAX_UNITS };
    let mut names: Vec<String> = (units.iter())
        .take(n_named)
        .map(|unit| format!("`{}`", format::foreign_short(&unit.unit, 60)))
        .collect();
    if units.len() > n_named {
        names.push(format!("{} more", units.len() - n_named));
    }
    format::enumeration(&names)
}
