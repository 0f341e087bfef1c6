//! Whether a measurement may be believed, and if not, why: the plausibility rules.
//!
//! A ratio above one is shown and marked invalid, never clipped and never hidden. Refuses to change any figure.

use crate::limits::BoundKind;
use crate::validity::status::UnitStatusKind;
use bench_protocol::{Check, Facts, Residency};

use crate::limits::theory;
use crate::validity::disturbances::Disturbance;
use bench_locales::Figure::{ClockHz, Number, Percent, Scientific};
use bench_locales::{Message, message};
use bench_run_dir::format;

/// A measured rate above this share of its bound contradicts the bound.
pub const MAX_EFFICIENCY: f64 = 1.0;

/// A stream below this share of the theoretical bandwidth has a cause worth looking for.
///
/// Source: published CPU reads of the catalogue's boards reach 30 % (Raspberry Pi 4, all cores) to 78 % of theory.
pub const SUSPECT_EFFICIENCY: f64 = 0.35;

/// A relative interquartile range above this means that something else ran on the board.
pub const SUSPECT_SPREAD: f64 = 0.10;

/// Rounds whose medians lie further apart than this, from the smallest to the largest, are of a machine that changes.
pub const SUSPECT_ROUNDS_APART: f64 = 0.20;

/// A cache that keeps what it can holds a part of a working set that is not this many times as large.
pub const CACHES_PER_WORKING_SET: u64 = 4;

/// Whether a measurement may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing speaks against it.
    Ok,
    /// Plausible, but something was off: look at the reason before using it.
    Suspect,
    /// Contradicts itself or its bound: not to be used. Shown all the same.
    Invalid,
    /// An emulator ran it: the output counts, the time means nothing.
    Emulated,
    /// There are no samples.
    NotMeasured,
}

impl Verdict {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Suspect => "suspect",
            Verdict::Invalid => "invalid",
            Verdict::Emulated => "emulated",
            Verdict::NotMeasured => "not_measured",
        }
    }

    /// The word that people read.
    pub fn message(self) -> Message {
        match self {
            Verdict::Ok => message!("verdict-ok"),
            Verdict::Suspect => message!("verdict-suspect"),
            Verdict::Invalid => message!("verdict-invalid"),
            Verdict::Emulated => message!("verdict-emulated"),
            Verdict::NotMeasured => message!("verdict-not-measured"),
        }
    }

    /// Whether the figure may stand as a bound for others and in a summary.
    pub fn is_usable(self) -> bool {
        matches!(self, Verdict::Ok | Verdict::Suspect)
    }
}

/// What a verdict is based on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How the unit ended.
    pub status: UnitStatusKind,
    /// What the board said when it ended.
    pub end_reason: Option<&'a str>,
    /// Samples that can be read.
    pub n_samples: usize,
    /// Why the numbers of its samples cannot be, where they cannot.
    pub impossible: Option<&'a Message>,
    /// Comparison with the reference; `None` when the unit never got ready.
    pub check: Option<Check>,
    /// Whether an emulator ran it.
    pub emulated: bool,
    /// Measured rate over its bound.
    pub efficiency: Option<f64>,
    /// What the bound is.
    pub bound: Option<BoundKind>,
    /// Relative interquartile range.
    pub spread: Option<f64>,
    /// By how much the largest median of a round exceeds the smallest.
    pub rounds_apart: Option<f64>,
    /// Threads of the unit.
    pub n_threads: usize,
    /// Bytes walked through.
    pub working_set_bytes: u64,
    /// Where they are meant to live.
    pub residency: Option<Residency>,
    /// The board and its state.
    pub facts: Option<&'a Facts>,
    /// What sensors and counters say against it.
    pub disturbances: &'a [Disturbance],
}

/// Judges one unit; the reason is `None` only when the verdict is ok.
pub fn judge(evidence: &Evidence) -> (Verdict, Option<Message>) {
    if evidence.n_samples == 0 {
        return (Verdict::NotMeasured, Some(no_samples_reason(evidence)));
    }
    if let Some(reason) = wrong_output(evidence) {
        return (Verdict::Invalid, Some(reason));
    }
    if evidence.emulated {
        return (Verdict::Emulated, Some(message!("verdict-emulated-reason")));
    }
    if let Some(reason) = evidence.impossible {
        return (Verdict::Invalid, Some(reason.clone()));
    }
    if let Some(efficiency) = evidence.efficiency.filter(|ratio| *ratio > MAX_EFFICIENCY) {
        return (
            Verdict::Invalid,
            Some(above_bound_reason(evidence, efficiency)),
        );
    }
    let invalidating = (evidence.disturbances.iter()).filter(|found| found.invalidates);
    let invalidating = invalidating.map(Disturbance::reason).collect();
    if let Some(reason) = Message::clauses(invalidating) {
        return (Verdict::Invalid, Some(reason));
    }
    match Message::clauses(suspicions(evidence)) {
        None => (Verdict::Ok, None),
        reason => (Verdict::Suspect, reason),
    }
}

fn no_samples_reason(evidence: &Evidence) -> Message {
    match (evidence.status, evidence.end_reason) {
        (_, Some(reason)) => Message::quoted(reason),
        (UnitStatusKind::Ok, None) => message!("verdict-no-sample"),
        (UnitStatusKind::Skipped, None) => message!("verdict-skipped"),
        (UnitStatusKind::Failed, None) => message!("verdict-failed"),
        (UnitStatusKind::Truncated, None) => message!("verdict-truncated"),
        (UnitStatusKind::NotStarted, None) => message!("verdict-not-started"),
    }
}

fn wrong_output(evidence: &Evidence) -> Option<Message> {
    match evidence.check {
        None => Some(message!("verdict-unchecked")),
        Some(check) if !check.passed => Some(message!(
            "verdict-wrong-output",
            error = Scientific(check.max_error),
            tolerance = Scientific(check.tolerance),
        )),
        Some(_) => None,
    }
}

fn above_bound_reason(evidence: &Evidence, efficiency: f64) -> Message {
    let mut causes = Vec::new();
    if working_set_fits_caches(evidence, CACHES_PER_WORKING_SET) {
        causes.push(message!("cause-near-caches"));
    }
    match evidence.bound {
        Some(BoundKind::MeasuredRead) => {
            causes.push(message!("cause-low-read"));
            causes.push(message!("cause-part-cached"));
        }
        Some(BoundKind::MeasuredPeak) => causes.push(message!("cause-higher-clock")),
        _ => {
            // Elsewhere theory counts the highest clock already.
            let clock = evidence.facts.and_then(|facts| facts.dram_clock.as_ref());
            if clock.is_some_and(theory::is_clock_held) {
                causes.push(message!("cause-dram-raised"));
            }
            causes.push(message!("cause-memory-entry"));
        }
    }
    causes.push(match evidence.bound {
        Some(BoundKind::MeasuredPeak) => message!("cause-counts-operations"),
        _ => message!("cause-counts-bytes"),
    });
    because(
        message!("verdict-above-bound", share = Percent(efficiency)),
        causes,
    )
}

/// What was found, and what is likely to have caused it.
fn because(found: Message, causes: Vec<Message>) -> Message {
    let causes = message!("verdict-causes", causes = causes);
    message!("clauses", first = found, rest = causes)
}

fn suspicions(evidence: &Evidence) -> Vec<Message> {
    let mut reasons = Vec::new();
    let low = (evidence.efficiency).filter(|ratio| *ratio < SUSPECT_EFFICIENCY);
    if let (Some(BoundKind::Theory), Some(efficiency)) = (evidence.bound, low) {
        reasons.push(because(
            message!("verdict-low-share", share = Percent(efficiency)),
            low_causes(evidence),
        ));
    }
    if let Some(spread) = evidence.spread.filter(|spread| *spread > SUSPECT_SPREAD) {
        reasons.push(message!("verdict-spread", spread = Percent(spread)));
    }
    let apart = evidence.rounds_apart;
    if let Some(apart) = apart.filter(|apart| *apart > SUSPECT_ROUNDS_APART) {
        reasons.push(message!("verdict-rounds-apart", apart = Percent(apart)));
    }
    let disturbing = (evidence.disturbances.iter()).filter(|found| !found.invalidates);
    reasons.extend(disturbing.map(Disturbance::reason));
    if working_set_fits_caches(evidence, 1) {
        reasons.push(message!("verdict-fits-caches"));
    }
    match evidence.status {
        UnitStatusKind::Ok => {}
        UnitStatusKind::Truncated | UnitStatusKind::NotStarted => {
            reasons.push(message!("verdict-cut-off"));
        }
        UnitStatusKind::Failed | UnitStatusKind::Skipped => {
            let reason = (evidence.end_reason).map_or(message!("no-reason"), Message::quoted);
            reasons.push(message!("verdict-ended-badly", reason = reason));
        }
    }
    reasons
}

fn low_causes(evidence: &Evidence) -> Vec<Message> {
    let mut causes = Vec::new();
    let Some(facts) = evidence.facts else {
        return vec![message!("cause-no-facts")];
    };
    if evidence.n_threads < facts.cpus.len() {
        causes.push(message!(
            "cause-few-cpus",
            n = evidence.n_threads,
            n_all = facts.cpus.len(),
        ));
    }
    // A clock that moves with the load was read while the board was idle.
    if let Some(clock) = &facts.dram_clock
        && theory::is_clock_held(clock)
        && clock.max_hz.is_some_and(|max_hz| clock.current_hz < max_hz)
    {
        causes.push(message!(
            "cause-dram-low",
            clock = ClockHz(clock.current_hz)
        ));
    }
    let slow = |governor: &&str| matches!(*governor, "powersave" | "ondemand" | "conservative");
    let mut governors = facts.cpus.iter().filter_map(|cpu| cpu.governor.as_deref());
    if let Some(governor) = governors.find(slow) {
        let governor = format::foreign(governor);
        causes.push(message!("cause-governor", governor = governor));
    }
    if facts.hypervisor.is_some() {
        causes.push(message!("cause-virtual-machine"));
    }
    if let Some(load) = facts.load_1min.filter(|load| *load > 0.5) {
        causes.push(message!("cause-load", load = Number(load)));
    }
    causes.push(message!("cause-channels"));
    causes
}

/// Whether the working set of a memory unit is smaller than `times` the largest caches of its board.
fn working_set_fits_caches(evidence: &Evidence, times: u64) -> bool {
    let Some(facts) = evidence.facts else {
        return false;
    };
    if evidence.residency != Some(Residency::Dram) {
        return false;
    }
    evidence.working_set_bytes < last_level_bytes(facts).saturating_mul(times)
}

/// Bytes of the last-level caches together; 0 where the board does not tell.
pub fn last_level_bytes(facts: &Facts) -> u64 {
    let level = facts.caches.iter().map(|cache| cache.level).max();
    let last_level = (facts.caches.iter()).filter(|cache| Some(cache.level) == level);
    last_level
        .map(|cache| cache.size_bytes)
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use bench_protocol::{CacheFacts, CpuFacts, DramClock};

    use super::*;

    const CHECKED: Check = Check {
        passed: true,
        max_error: 0.0,
        tolerance: 1e-6,
    };

    fn clean() -> Evidence<'static> {
        Evidence {
            status: UnitStatusKind::Ok,
            end_reason: None,
            n_samples: 10,
            impossible: None,
            check: Some(CHECKED),
            emulated: false,
            efficiency: Some(0.7),
            bound: Some(BoundKind::Theory),
            spread: Some(0.01),
            rounds_apart: None,
            n_threads: 8,
            working_set_bytes: 1 << 30,
            residency: Some(Residency::Dram),
            facts: None,
            disturbances: &[],
        }
    }

    fn check(evidence: Evidence, expect: Verdict, reason_part: &str) {
        let (verdict, reason) = judge(&evidence);
        assert_eq!(verdict, expect, "{reason:?}");
        let said = reason.map_or_else(String::new, |it| it.to_string());
        assert!(said.contains(reason_part), "{said}");
    }

    #[test]
    fn accepts_what_nothing_speaks_against() {
        assert_eq!(judge(&clean()), (Verdict::Ok, None));
        check(
            Evidence {
                efficiency: Some(1.0),
                ..clean()
            },
            Verdict::Ok,
            "",
        );
    }

    #[test]
    fn condemns_more_than_the_bound() {
        check(
            Evidence {
                efficiency: Some(1.01),
                ..clean()
            },
            Verdict::Invalid,
            "101 % of its bound",
        );
    }

    #[test]
    fn suspects_a_small_share_of_theory_only() {
        check(
            Evidence {
                efficiency: Some(0.34),
                ..clean()
            },
            Verdict::Suspect,
            "34 % of theory",
        );
        check(
            Evidence {
                efficiency: Some(0.2),
                bound: Some(BoundKind::MeasuredRead),
                ..clean()
            },
            Verdict::Ok,
            "",
        );
    }

    #[test]
    fn suspects_noise() {
        check(
            Evidence {
                spread: Some(0.11),
                ..clean()
            },
            Verdict::Suspect,
            "spread by 11 %",
        );
    }

    #[test]
    fn suspects_rounds_that_lie_far_apart() {
        // Three rounds of 32.2, 41.7 and 25.6 GB/s.
        check(
            Evidence {
                rounds_apart: Some(41.7 / 25.6 - 1.0),
                ..clean()
            },
            Verdict::Suspect,
            "its rounds differ by 63 %",
        );
    }

    #[test]
    fn condemns_wrong_output_even_when_emulated() {
        let failed = Check {
            passed: false,
            max_error: 0.5,
            tolerance: 1e-6,
        };
        check(
            Evidence {
                check: Some(failed),
                ..clean()
            },
            Verdict::Invalid,
            "differs from the reference",
        );
        check(
            Evidence {
                check: Some(failed),
                emulated: true,
                ..clean()
            },
            Verdict::Invalid,
            "differs",
        );
        check(
            Evidence {
                check: None,
                ..clean()
            },
            Verdict::Invalid,
            "was never checked",
        );
    }

    #[test]
    fn never_compares_emulated_units() {
        check(
            Evidence {
                emulated: true,
                spread: Some(0.9),
                ..clean()
            },
            Verdict::Emulated,
            "not meaningful",
        );
    }

    #[test]
    fn names_why_there_are_no_samples() {
        let none = Evidence {
            n_samples: 0,
            ..clean()
        };
        let skipped = Evidence {
            status: UnitStatusKind::Skipped,
            end_reason: Some("no dotprod"),
            ..none
        };
        check(skipped, Verdict::NotMeasured, "no dotprod");
        check(
            Evidence {
                status: UnitStatusKind::NotStarted,
                ..none
            },
            Verdict::NotMeasured,
            "before this unit",
        );
    }

    #[test]
    fn ranks_causes_by_what_the_board_told() {
        let facts = Facts {
            cpus: vec![
                CpuFacts {
                    governor: Some("powersave".into()),
                    ..CpuFacts::default()
                };
                8
            ],
            ..Facts::default()
        };
        let (_, reason) = judge(&Evidence {
            efficiency: Some(0.1),
            n_threads: 1,
            facts: Some(&facts),
            ..clean()
        });
        let reason = reason.unwrap().to_string();
        let at = |part: &str| reason.find(part).unwrap();
        assert!(
            at("1 of 8 CPUs") < at("`powersave`") && at("`powersave`") < at("channels"),
            "{reason}"
        );
    }

    #[test]
    fn idle_clock_that_moves_is_no_cause() {
        let check_clock = |governor: Option<&str>, expect: bool| {
            let facts = Facts {
                dram_clock: Some(DramClock {
                    path: "/sys/kernel/debug/bpmp/debug/clk/emc/rate".into(),
                    current_hz: 204_000_000,
                    max_hz: Some(2_133_000_000),
                    governor: governor.map(str::to_owned),
                }),
                ..Facts::default()
            };
            for (efficiency, words) in [(0.1, "the DRAM ran at 204 MHz"), (1.2, "was raised")] {
                let (_, reason) = judge(&Evidence {
                    efficiency: Some(efficiency),
                    facts: Some(&facts),
                    ..clean()
                });
                let reason = reason.unwrap();
                assert_eq!(
                    reason.to_string().contains(words),
                    expect,
                    "{governor:?}: {reason}"
                );
            }
        };
        check_clock(Some("userspace"), true);
        check_clock(Some("dmc_ondemand"), false);
        check_clock(None, false);
    }

    #[test]
    fn suspects_a_working_set_that_fits_the_caches() {
        let cache = CacheFacts {
            level: 3,
            kind: "Unified".into(),
            size_bytes: 2 << 30,
            shared_cpus: vec![0],
        };
        let facts = Facts {
            caches: vec![cache],
            ..Facts::default()
        };
        check(
            Evidence {
                facts: Some(&facts),
                ..clean()
            },
            Verdict::Suspect,
            "fits the caches",
        );
        check(
            Evidence {
                facts: Some(&facts),
                residency: Some(Residency::Cache),
                bound: None,
                ..clean()
            },
            Verdict::Ok,
            "",
        );
    }
}
