//! What the board's sensors and counters say against a unit: throttled, swapped, disturbed, slow clocks.
//!
//! Nothing is dropped for it: a figure is shown with its verdict. A value that the board does not tell speaks for
//! nothing.

use bench_protocol::{Environment, EnvironmentAction, Facts, Reading, UnitSpec, UnitState};

use bench_locales::Figure::{ClockHz, Percent};
use bench_locales::{Message, message};
use bench_run_dir::format;
use bench_run_dir::{HostData, RoundData};

/// Pages that go to or come from the disk without meaning anything: 1 MiB of 4 KiB pages.
pub const MAX_SWAPPED_PAGES: u64 = 256;

/// Share of all CPUs' time that other programs may take.
pub const MAX_OTHER_CPU: f64 = 0.10;

/// Other programs' CPU time below this is the noise of a tick. Milliseconds.
const MIN_OTHER_CPU_MS: u64 = 200;

/// A clock below this share of its highest is low.
pub const MIN_CLOCK_SHARE: f64 = 0.95;

/// Flags of a Raspberry Pi's firmware that are about the present: capped clock, throttled, soft temperature limit.
/// Source: Raspberry Pi documentation, `vcgencmd get_throttled`.
const FIRMWARE_THROTTLED_NOW: u32 = 0b1110;

/// How far up the flags of what happened since boot lie.
const FIRMWARE_PAST_SHIFT: u32 = 16;

/// Periods of a CPU quota are this long unless somebody changes them. Milliseconds.
const QUOTA_PERIOD_MS: u64 = 100;

/// Share of the time with a stop by a quota from which the figure is that of the quota.
const MAX_QUOTA_SHARE: f64 = 0.05;

/// What kind of thing speaks against a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The board held clocks back for heat or want of power.
    Throttled,
    /// It swapped.
    Swapped,
    /// The quota of its container or service stopped it.
    Quota,
    /// Other programs took its CPUs.
    OtherLoad,
    /// A CPU or the memory ran below its highest clock: often what the board is set to.
    SlowClock,
    /// It was not prepared as asked.
    Unprepared,
}

/// One thing that speaks against a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// What kind of thing.
    pub cause: Cause,
    /// Whether the figure may not be used at all.
    pub invalidates: bool,
    /// What happened, in plain words.
    pub what: Message,
    /// What to do about it, where that is known.
    pub remedy: Option<Message>,
}

/// Everything that speaks against a round of a unit.
pub fn disturbances(
    round: &RoundData,
    spec: Option<&UnitSpec>,
    host: &HostData,
) -> Vec<Disturbance> {
    let mut found = Vec::new();
    let facts = host.facts.as_ref();
    // A sustained measurement asks what heat does: throttling is its result.
    let is_sustained = spec.is_some_and(|spec| spec.sampling.with_state);
    if let Some(state) = &round.state {
        if !is_sustained {
            found.extend(throttled(state));
        }
        found.extend(swapped(state));
        found.extend(stopped_by_quota(state));
        found.extend(other_load(state, facts));
    }
    if !is_sustained {
        // An external program never says that it is ready: it has the CPUs that were asked for.
        let ready = round.ready.as_ref().map(|ready| ready.cpus.as_slice());
        let asked = spec.map(|spec| spec.cpus.as_slice());
        let cpus = ready.or(asked).unwrap_or_default();
        found.extend(slow_cpus(&round.readings, cpus, facts));
    }
    found.extend(slow_memory(&round.readings, facts));
    found.extend(unprepared(spec, host));
    found
}

impl Disturbance {
    fn invalid(cause: Cause, what: Message, remedy: Message) -> Disturbance {
        Disturbance {
            cause,
            invalidates: true,
            what,
            remedy: Some(remedy),
        }
    }

    fn suspect(cause: Cause, what: Message, remedy: Message) -> Disturbance {
        Disturbance {
            invalidates: false,
            ..Disturbance::invalid(cause, what, remedy)
        }
    }

    /// What happened and what to do about it.
    pub fn reason(&self) -> Message {
        match &self.remedy {
            Some(remedy) => message!("clauses", first = &self.what, rest = remedy),
            None => self.what.clone(),
        }
    }
}

fn throttled(state: &UnitState) -> Option<Disturbance> {
    let firmware =
        (state.firmware_throttle_flags).is_some_and(|flags| flags & FIRMWARE_THROTTLED_NOW != 0);
    // Flags of the past stay until the next boot: only new ones are of this unit.
    let new_flags = (state
        .firmware_throttle_flags
        .zip(state.firmware_throttle_flags_before))
    .map_or(0, |(after, before)| after & !before);
    let firmware_meanwhile = new_flags >> FIRMWARE_PAST_SHIFT & FIRMWARE_THROTTLED_NOW != 0;
    let events = state.throttle_events.unwrap_or(0);
    let how = if events > 0 {
        message!("throttled-counted", n = events)
    } else if firmware {
        message!("throttled-firmware")
    } else if firmware_meanwhile {
        message!("throttled-firmware-part")
    } else if state.cooling_state.unwrap_or(0) > 0 {
        message!("throttled-kernel")
    } else {
        return None;
    };
    Some(Disturbance::invalid(
        Cause::Throttled,
        message!("disturbed-throttled", how = how),
        message!("remedy-throttled"),
    ))
}

fn swapped(state: &UnitState) -> Option<Disturbance> {
    let read_pages = state.swapped_in_pages.unwrap_or(0);
    let pages = read_pages.saturating_add(state.swapped_out_pages.unwrap_or(0));
    (pages > MAX_SWAPPED_PAGES).then(|| {
        Disturbance::invalid(
            Cause::Swapped,
            message!("disturbed-swapped", n = pages),
            message!("remedy-swapped"),
        )
    })
}

fn stopped_by_quota(state: &UnitState) -> Option<Disturbance> {
    let n_stops = state.quota_throttled.filter(|n| *n > 0)?;
    let stopped_ms = n_stops.saturating_mul(QUOTA_PERIOD_MS) as f64;
    Some(Disturbance {
        invalidates: stopped_ms > state.elapsed_ms as f64 * MAX_QUOTA_SHARE,
        ..Disturbance::invalid(
            Cause::Quota,
            message!("disturbed-quota", n = n_stops),
            message!("remedy-quota"),
        )
    })
}

fn other_load(state: &UnitState, facts: Option<&Facts>) -> Option<Disturbance> {
    let n_cpus = facts.map(|facts| facts.cpus.len()).filter(|n| *n > 0)?;
    let other_ms = state.other_cpu_ms.filter(|ms| *ms >= MIN_OTHER_CPU_MS)?;
    let share = other_ms as f64 / (state.elapsed_ms as f64 * n_cpus as f64);
    (share > MAX_OTHER_CPU).then(|| {
        Disturbance::suspect(
            Cause::OtherLoad,
            message!("disturbed-load", share = Percent(share.min(1.0))),
            message!("remedy-load"),
        )
    })
}

/// Readings while the unit was busy: the first is taken before it works, the last after.
fn middle(readings: &[Reading]) -> &[Reading] {
    match readings {
        [_, middle @ .., _] => middle,
        _ => &[],
    }
}

fn slow_cpus(readings: &[Reading], cpus: &[u32], facts: Option<&Facts>) -> Option<Disturbance> {
    let slow = |cpu: &u32| {
        let of_cpu = middle(readings)
            .iter()
            .filter_map(|reading| reading.cpu_khz.get(cpu));
        let lowest = *of_cpu.min()?;
        let facts = facts?.cpus.iter().find(|facts| facts.cpu == *cpu)?;
        let highest = facts
            .max_khz
            .filter(|max| (lowest as f64) < *max as f64 * MIN_CLOCK_SHARE)?;
        Some((*cpu, lowest, highest))
    };
    let (cpu, lowest, highest) = cpus
        .iter()
        .filter_map(slow)
        .min_by_key(|(_, lowest, _)| *lowest)?;
    let clock = |khz: u64| ClockHz(khz.saturating_mul(1000));
    Some(Disturbance::suspect(
        Cause::SlowClock,
        message!(
            "disturbed-cpu-clock",
            cpu = cpu.to_string(),
            lowest = clock(lowest),
            highest = clock(highest),
        ),
        message!("remedy-cpu-clock"),
    ))
}

fn slow_memory(readings: &[Reading], facts: Option<&Facts>) -> Option<Disturbance> {
    let lowest = middle(readings)
        .iter()
        .filter_map(|reading| reading.dram_hz)
        .min()?;
    let highest = facts?.dram_clock.as_ref()?.max_hz?;
    ((lowest as f64) < highest as f64 * MIN_CLOCK_SHARE).then(|| {
        Disturbance::suspect(
            Cause::SlowClock,
            message!(
                "disturbed-memory-clock",
                lowest = ClockHz(lowest),
                highest = ClockHz(highest),
            ),
            message!("remedy-memory-clock"),
        )
    })
}

fn unprepared(spec: Option<&UnitSpec>, host: &HostData) -> Option<Disturbance> {
    let is_prepared = spec.is_some_and(|spec| spec.environment == Environment::Prepared);
    let mut failed = (host.steps.iter())
        .filter(|step| step.action == EnvironmentAction::Prepare && step.problem.is_some());
    let first = failed.next().filter(|_| is_prepared)?;
    Some(Disturbance {
        cause: Cause::Unprepared,
        invalidates: false,
        what: message!(
            "disturbed-unprepared",
            setting = format::foreign_short(&first.setting, 80),
            problem = format::foreign_short(first.problem.as_deref().unwrap_or_default(), 200),
        ),
        remedy: None,
    })
}

#[cfg(test)]
mod tests {
    use bench_protocol::{CpuFacts, DramClock};

    use super::*;

    fn facts() -> Facts {
        Facts {
            cpus: vec![CpuFacts {
                cpu: 4,
                max_khz: Some(2_256_000),
                ..CpuFacts::default()
            }],
            dram_clock: Some(DramClock {
                path: String::new(),
                current_hz: 2_112_000_000,
                max_hz: Some(2_112_000_000),
                governor: None,
            }),
            ..Facts::default()
        }
    }

    fn state() -> UnitState {
        UnitState {
            elapsed_ms: 1000,
            other_cpu_ms: Some(20),
            swapped_in_pages: Some(0),
            ..UnitState::default()
        }
    }

    fn check(found: Option<Disturbance>, expect: Option<(bool, &str)>) {
        match (found, expect) {
            (None, None) => {}
            (Some(found), Some((invalidates, part))) => {
                assert_eq!(found.invalidates, invalidates, "{}", found.what);
                assert!(found.reason().to_string().contains(part), "{}", found.what);
            }
            (found, expect) => panic!("{found:?} is not {expect:?}"),
        }
    }

    #[test]
    fn throttling_and_swapping_invalidate() {
        check(throttled(&state()), None);
        check(
            throttled(&UnitState {
                throttle_events: Some(2),
                ..state()
            }),
            Some((true, "2 thermal throttling events")),
        );
        check(
            throttled(&UnitState {
                cooling_state: Some(3),
                ..state()
            }),
            Some((true, "kernel limited clocks")),
        );
        let past = UnitState {
            firmware_throttle_flags: Some(0x4_0000),
            ..state()
        };
        check(throttled(&past), None);
        let now = UnitState {
            firmware_throttle_flags: Some(0x4),
            ..state()
        };
        check(throttled(&now), Some((true, "firmware limited the clock")));
        let before = |flags| UnitState {
            firmware_throttle_flags_before: Some(flags),
            ..past.clone()
        };
        check(throttled(&before(0x4_0000)), None);
        check(
            throttled(&before(0x1_0000)),
            Some((true, "for a part of the time")),
        );
        let quota = |n| UnitState {
            quota_throttled: Some(n),
            elapsed_ms: 7100,
            ..state()
        };
        check(stopped_by_quota(&quota(0)), None);
        check(stopped_by_quota(&quota(2)), Some((false, "2 times")));
        check(stopped_by_quota(&quota(69)), Some((true, "69 times")));
        check(
            swapped(&UnitState {
                swapped_out_pages: Some(256),
                ..state()
            }),
            None,
        );
        check(
            swapped(&UnitState {
                swapped_out_pages: Some(257),
                ..state()
            }),
            Some((true, "257 pages")),
        );
    }

    #[test]
    fn other_load_counts_only_where_it_is_much() {
        check(other_load(&state(), Some(&facts())), None);
        let busy = UnitState {
            other_cpu_ms: Some(400),
            ..state()
        };
        check(
            other_load(&busy, Some(&facts())),
            Some((false, "40 % of the CPUs")),
        );
        check(other_load(&busy, None), None);
    }

    #[test]
    fn clocks_count_while_the_unit_is_busy() {
        let reading = |khz, dram_hz| Reading {
            cpu_khz: [(4, khz)].into(),
            dram_hz: Some(dram_hz),
            ..Reading::default()
        };
        let idle = reading(408_000, 528_000_000);
        let busy = reading(2_256_000, 2_112_000_000);
        let slow = reading(1_608_000, 1_560_000_000);
        let calm = [idle.clone(), busy.clone(), idle.clone()];
        check(slow_cpus(&calm, &[4], Some(&facts())), None);
        check(slow_memory(&calm, Some(&facts())), None);
        let hot = [idle.clone(), busy, slow, idle.clone()];
        check(
            slow_cpus(&hot, &[4], Some(&facts())),
            Some((false, "CPU 4 fell to 1.61 GHz")),
        );
        check(slow_memory(&hot, Some(&facts())), Some((false, "1.56 GHz")));
        check(slow_cpus(&[idle.clone(), idle], &[4], Some(&facts())), None);
    }
}
