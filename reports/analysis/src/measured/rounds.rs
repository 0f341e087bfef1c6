//! The rounds of a unit: which of them make its figures, and what they say together.
//!
//! One bad round spoils no unit. Rounds against which nothing speaks are used where they are at least half of those that
//! were begun; else the usable ones, where these are; else all, and the unit is judged by the worst of them.

use bench_locales::{Message, message};

use crate::validity::status::UnitStatusKind;
use bench_protocol::{Check, UnitReady, UnitState, UnitStatus, Unrest};

use super::power::{self, Power};
use super::samples::{SampleRow, elapsed_ns, impossible};
use crate::stats;
use crate::validity::disturbances::{self, Cause, Disturbance};
use crate::validity::verdict::{self, Evidence, Verdict};
use bench_run_dir::{HostData, RoundData, UnitData};

/// One round of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRow {
    /// Its number, from 0.
    pub round: u32,
    /// Median time of an iteration, nanoseconds.
    pub median_ns: Option<f64>,
    /// Whether it may be believed, apart from any bound.
    pub verdict: Verdict,
    /// Why not, or why it is not used.
    pub reason: Option<Message>,
    /// Whether it makes the unit's figures.
    pub is_used: bool,
    /// What kinds of disturbances there were.
    pub causes: Vec<Cause>,
    /// The shape of the kernel's loops that ran, where it has several.
    pub shape: Option<String>,
    /// That its samples do not scatter around one value, where they do not.
    pub unrest: Option<Unrest>,
}

/// What the rounds of a unit say together.
pub(super) struct Rounds {
    pub(super) rows: Vec<RoundRow>,
    /// Samples of all rounds.
    pub(super) samples: Vec<SampleRow>,
    /// The unit ready in the first round that is used.
    pub(super) ready: Option<UnitReady>,
    /// The comparison with the reference: one that failed, in any round, else that of the first.
    pub(super) check: Option<Check>,
    pub(super) status: UnitStatusKind,
    pub(super) end_reason: Option<String>,
    pub(super) impossible: Option<Message>,
    pub(super) disturbances: Vec<Disturbance>,
    pub(super) state: Option<UnitState>,
    pub(super) celsius: Option<f64>,
    pub(super) power: Vec<Power>,
}

/// A round while it is judged.
struct JudgedRound<'a> {
    row: RoundRow,
    data: &'a RoundData,
    samples: Vec<SampleRow>,
    status: UnitStatusKind,
    impossible: Option<Message>,
    disturbances: Vec<Disturbance>,
}

impl JudgedRound<'_> {
    fn is_begun(&self) -> bool {
        let is_ended = matches!(self.status, UnitStatusKind::Ok | UnitStatusKind::Failed);
        is_ended || self.data.ready.is_some() || !self.samples.is_empty()
    }

    fn end_reason(&self) -> Option<&String> {
        self.data.end.as_ref()?.reason.as_ref()
    }
}

/// Judges the rounds of a unit and chooses those that are used.
pub(super) fn of(unit: &UnitData, host: &HostData) -> Rounds {
    let mut rounds: Vec<JudgedRound> = (unit.rounds.iter())
        .map(|(round, data)| judged(*round, data, unit, host))
        .collect();
    choose(&mut rounds);
    let used: Vec<&JudgedRound> = rounds.iter().filter(|round| round.row.is_used).collect();
    let first = used.first();
    let failed = |round: &JudgedRound| round.data.ready.as_ref().is_some_and(|it| !it.check.passed);
    let ready = first.and_then(|round| round.data.ready.clone());
    let worst = used.iter().max_by_key(|round| round.status);
    let has_invalid = |round: &&&JudgedRound| round.disturbances.iter().any(|it| it.invalidates);
    let disturbed = used.iter().find(has_invalid);
    let disturbed = disturbed.or_else(|| used.iter().find(|round| !round.disturbances.is_empty()));
    let celsius = used.iter().flat_map(|round| &round.data.readings);
    Rounds {
        check: (rounds.iter().find(|round| failed(round)))
            .and_then(|round| round.data.ready.as_ref())
            .or(ready.as_ref())
            .map(|ready| ready.check),
        status: worst.map_or(UnitStatusKind::NotStarted, |round| round.status),
        end_reason: worst.and_then(|round| round.end_reason().cloned()),
        impossible: used.iter().find_map(|round| round.impossible.clone()),
        disturbances: disturbed.map_or(Vec::new(), |round| round.disturbances.clone()),
        state: joined_state(&used),
        celsius: celsius
            .filter_map(|reading| reading.temperature_millicelsius)
            .max()
            .map(|millicelsius| millicelsius as f64 / 1000.0),
        power: power::mean(used.iter().map(|round| {
            let sampled_ns = elapsed_ns(&round.samples);
            power::of_unit(&round.data.readings, round.data.state.as_ref(), sampled_ns)
        })),
        ready,
        samples: (rounds.iter())
            .flat_map(|round| round.samples.clone())
            .collect(),
        rows: rounds.into_iter().map(|round| round.row).collect(),
    }
}

fn judged<'a>(
    round: u32,
    data: &'a RoundData,
    unit: &UnitData,
    host: &HostData,
) -> JudgedRound<'a> {
    let samples: Vec<SampleRow> = (data.samples.iter())
        .map(|sample| SampleRow {
            round,
            sample_idx: sample.sample_idx,
            iterations: sample.iterations.max(1),
            elapsed_ns: sample.elapsed_ns,
            background_bytes: sample.background_bytes,
            state: sample.state.clone(),
        })
        .collect();
    let times: Vec<f64> = samples.iter().map(SampleRow::ns_per_iteration).collect();
    let quartiles = stats::Quartiles::of(&times);
    let work = data.ready.as_ref().map(|ready| &ready.work);
    let impossible = impossible(&samples, work, unit.spec.as_ref().map(|it| it.deadline_ms));
    let disturbances = disturbances::disturbances(data, unit.spec.as_ref(), host);
    let status = status_of(data);
    // What holds of the unit in every round, its bound for instance, is judged once.
    let (verdict, reason) = verdict::judge(&Evidence {
        status,
        end_reason: data.end.as_ref().and_then(|end| end.reason.as_deref()),
        n_samples: samples.len(),
        impossible: impossible.as_ref(),
        check: data.ready.as_ref().map(|ready| ready.check),
        emulated: host.record.emulated,
        efficiency: None,
        bound: None,
        spread: quartiles.map(|quartiles| quartiles.spread()),
        rounds_apart: None,
        n_threads: 0,
        working_set_bytes: 0,
        residency: None,
        facts: None,
        disturbances: &disturbances,
    });
    JudgedRound {
        row: RoundRow {
            round,
            median_ns: quartiles.map(|quartiles| quartiles.median),
            verdict,
            reason,
            is_used: false,
            causes: disturbances.iter().map(|found| found.cause).collect(),
            shape: (data.ready.as_ref()).and_then(|ready| ready.shape.clone()),
            unrest: data.end.as_ref().and_then(|end| end.unrest),
        },
        data,
        samples,
        status,
        impossible,
        disturbances,
    }
}

fn choose(rounds: &mut [JudgedRound]) {
    let n_begun = rounds.iter().filter(|round| round.is_begun()).count();
    let tiers: [fn(&JudgedRound) -> bool; 3] = [
        |round| round.row.verdict == Verdict::Ok,
        |round| round.row.verdict.is_usable(),
        |round| !round.samples.is_empty(),
    ];
    let is_enough = |tier: &fn(&JudgedRound) -> bool| {
        let n = rounds.iter().filter(|round| tier(round)).count();
        n > 0 && 2 * n >= n_begun
    };
    let tier = tiers.into_iter().find(is_enough);
    let tier = tier.unwrap_or(match rounds.iter().any(tiers[2]) {
        true => tiers[2],
        false => |_| true,
    });
    // Times of other work are times of something else: a model of which fewer layers fitted, for instance.
    let work = |round: &JudgedRound| {
        let ready = round.data.ready.as_ref()?;
        Some((ready.variant.clone(), ready.work, ready.model.clone()))
    };
    let first = rounds.iter().find(|round| tier(round)).and_then(work);
    for round in rounds {
        let is_same = work(round) == first;
        round.row.is_used = tier(round) && is_same;
        if tier(round) && !is_same {
            round.row.reason = Some(message!("round-other-work"));
        }
    }
}

/// Counters of several rounds as if they were one: times and counts add up, states are the worst.
fn joined_state(used: &[&JudgedRound]) -> Option<UnitState> {
    let mut states = used.iter().filter_map(|round| round.data.state.as_ref());
    let first = states.next()?.clone();
    let add = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    Some(states.fold(first, |all, state| {
        let mut energy_microjoules = all.energy_microjoules;
        for (sensor, microjoules) in &state.energy_microjoules {
            let sum: &mut u64 = energy_microjoules.entry(sensor.clone()).or_default();
            *sum = sum.saturating_add(*microjoules);
        }
        UnitState {
            elapsed_ms: all.elapsed_ms.saturating_add(state.elapsed_ms),
            other_cpu_ms: add(all.other_cpu_ms, state.other_cpu_ms),
            swapped_in_pages: add(all.swapped_in_pages, state.swapped_in_pages),
            swapped_out_pages: add(all.swapped_out_pages, state.swapped_out_pages),
            throttle_events: add(all.throttle_events, state.throttle_events),
            firmware_throttle_flags: (all
                .firmware_throttle_flags
                .zip(state.firmware_throttle_flags))
            .map(|(a, b)| a | b),
            // What the first began with; later rounds begin with what earlier ones ended with.
            firmware_throttle_flags_before: all.firmware_throttle_flags_before,
            quota_throttled: add(all.quota_throttled, state.quota_throttled),
            cooling_state: all.cooling_state.max(state.cooling_state),
            energy_microjoules,
            unit: all.unit,
            round: all.round,
            environment: all.environment,
        }
    }))
}

fn status_of(data: &RoundData) -> UnitStatusKind {
    match (&data.end, &data.ready) {
        (Some(end), _) => match end.status {
            UnitStatus::Ok => UnitStatusKind::Ok,
            UnitStatus::Skipped => UnitStatusKind::Skipped,
            UnitStatus::Failed => UnitStatusKind::Failed,
        },
        (None, Some(_)) => UnitStatusKind::Truncated,
        (None, None) => UnitStatusKind::NotStarted,
    }
}
