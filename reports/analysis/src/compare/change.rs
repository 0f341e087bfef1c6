//! What else differs between two sides: each may be the cause of a difference.

use std::collections::{BTreeMap, BTreeSet};

use bench_locales::{Figure, Message, Text, message};
use bench_protocol::EnvironmentAction;
use serde::Serialize;

use super::{State, Subject};
use crate::limits::theory;
use crate::measured::Judged;
use crate::validity::disturbances::Cause;
use crate::validity::fingerprint;
use crate::validity::host_check;
use crate::validity::verdict::Verdict;

/// Characters of a hash that tell programs apart.
const HASH_CHARS: usize = 12;

/// Something that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub what: Message,
    /// Its values on side A, each once; empty where nobody told.
    pub a: Vec<String>,
    /// Its values on side B.
    pub b: Vec<String>,
}

/// Facts, programs and settings that differ between the subjects, those of one side included.
pub(super) fn changes(a: &[Subject], b: &[Subject]) -> Vec<Change> {
    let mut values: BTreeMap<&'static str, [BTreeSet<String>; 2]> = BTreeMap::new();
    for (side, subjects) in [a, b].into_iter().enumerate() {
        for subject in subjects {
            for (what, value) in traits(subject) {
                values.entry(what).or_default()[side].insert(value);
            }
        }
    }
    let of_side = |values: BTreeSet<String>| -> Vec<String> { values.into_iter().collect() };
    let told = (values.into_iter())
        .filter(|(_, [a, b])| a != b || a.len() > 1)
        .map(|(what, [a, b])| Change {
            what: name(what),
            a: of_side(a),
            b: of_side(b),
        });
    let settings = match (a, b) {
        ([a], [b]) => preparations(a, b),
        _ => Vec::new(),
    };
    settings.into_iter().chain(told).collect()
}

/// What a measurement depends on, by name.
fn traits(subject: &Subject) -> BTreeMap<&'static str, String> {
    let record = &subject.host.data.record;
    let facts = subject.host.data.facts.as_ref();
    let mut traits = facts.map(fingerprint::of).unwrap_or_default();
    let held_clock = facts
        .and_then(|facts| facts.dram_clock.as_ref())
        .filter(|clock| theory::is_clock_held(clock));
    if let Some(clock) = held_clock {
        traits.insert(
            "DRAM clock",
            Text::english().figure(Figure::ClockHz(clock.current_hz)),
        );
    }
    if let Some(hash) = &record.artifact_sha256 {
        let start: String = hash.chars().take(HASH_CHARS).collect();
        traits.insert("board program (start of its SHA-256)", start);
    }
    if let Some(board) = &record.board {
        traits.insert("board of the catalogue", board.clone());
    }
    if let Some(variant) = &subject.manifest.variant {
        traits.insert("forced instruction-set variant", variant.clone());
    }
    if let Some(shape) = &subject.manifest.shape {
        traits.insert("forced shape", shape.clone());
    }
    if let Some(rustc) = &subject.manifest.rustc {
        traits.insert("compiler", rustc.clone());
    }
    traits.extend(conditions(subject));
    traits.insert("memwall", subject.manifest.memwall_version.clone());
    traits.insert("suite", subject.manifest.suite.clone());
    traits.insert("how it was reached", record.transport.clone());
    traits.retain(|_, value| !value.is_empty());
    traits
}

/// The name of a trait for people.
fn name(of_trait: &str) -> Message {
    match of_trait {
        "DRAM clock" => message!("fact-dram-clock"),
        "board program (start of its SHA-256)" => message!("fact-board-program"),
        "board of the catalogue" => message!("fact-board"),
        "forced instruction-set variant" => message!("fact-forced-variant"),
        "forced shape" => message!("fact-forced-shape"),
        "compiler" => message!("fact-compiler"),
        "how it was reached" => message!("fact-transport"),
        "units that were throttled" => message!("fact-units-throttled"),
        "units beside other programs" => message!("fact-units-other-load"),
        "units with slow clocks" => message!("fact-units-slow-clocks"),
        "suspect units" => message!("fact-units-suspect"),
        "invalid units" => message!("fact-units-invalid"),
        "load when it was asked" => message!("fact-load"),
        other => fingerprint::message(other),
    }
}

/// In which conditions a subject was measured: load, throttling, verdicts.
fn conditions(subject: &Subject) -> BTreeMap<&'static str, String> {
    let units = subject.units();
    let verdict = |verdict: Verdict| units.iter().filter(|unit| unit.verdict == verdict).count();
    // Of a round that is not used, too: it tells what happened to the board.
    let cause = |cause: Cause| {
        let has = |unit: &&Judged| {
            let unused = unit.rounds.iter().flat_map(|round| &round.causes);
            unused.copied().any(|found| found == cause)
        };
        units.iter().filter(has).count()
    };
    let load = subject
        .host
        .data
        .facts
        .as_ref()
        .and_then(|facts| facts.load_1min);
    let load = load.map(|load| match load > host_check::MAX_LOAD {
        true => format!("{load:.2}"),
        // Idle boards are alike.
        false => format!("<= {}", host_check::MAX_LOAD),
    });
    let counts = [
        ("units that were throttled", cause(Cause::Throttled)),
        ("units beside other programs", cause(Cause::OtherLoad)),
        ("units with slow clocks", cause(Cause::SlowClock)),
        ("suspect units", verdict(Verdict::Suspect)),
        ("invalid units", verdict(Verdict::Invalid)),
    ];
    let mut conditions: BTreeMap<&'static str, String> = (counts.into_iter())
        .map(|(what, n)| (what, n.to_string()))
        .collect();
    conditions.extend(load.map(|load| ("load when it was asked", load)));
    conditions
}

/// Settings that were changed between the two states of one host in one run.
fn preparations(a: &Subject, b: &Subject) -> Vec<Change> {
    let is_same = a.manifest.run_id == b.manifest.run_id && a.host.name() == b.host.name();
    if !is_same || a.state == b.state {
        return Vec::new();
    }
    let steps = a.host.data.steps.iter();
    // Each round prepares again.
    let mut told = BTreeSet::new();
    let prepared = steps.filter(|step| step.action == EnvironmentAction::Prepare);
    prepared
        .filter(|step| told.insert(step.setting.as_str()))
        .map(|step| {
            let before: Vec<String> = step.before.iter().cloned().collect();
            let mut after: Vec<String> = step.after.iter().cloned().collect();
            after.extend(
                step.problem
                    .iter()
                    .map(|problem| format!("failed: {problem}")),
            );
            let (a, b) = match a.state {
                State::AsFound => (before, after),
                State::Reported => (after, before),
            };
            Change {
                what: Message::quoted(&step.setting),
                a,
                b,
            }
        })
        .collect()
}
