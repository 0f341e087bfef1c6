//! The choice among sets of CPUs: more threads, or faster cores, are not always the faster set.

use std::time::{Duration, Instant};

use bench_protocol::UnitSpec;

use super::{sampling, settle_shape, start_pool};
use crate::background::Readers;
use crate::kernels::{self, NotReady};
use crate::simd::Isa;

/// The CPUs to measure a unit on: its own, or the fastest of its candidates.
///
/// Every candidate is set up, run for a few samples and torn down before the next; its output is not checked, that of
/// the one chosen is. Each is taken at its fastest shape: what suits one kind of core need not suit another. The races of
/// all of them together take as long as the one that follows. No further one is tried once that could take more than half of the unit's time.
///
/// # Errors
/// When no candidate can be set up: the reason of the first.
pub(super) fn choose(
    unit: &UnitSpec,
    isa: &'static Isa,
    background: Option<&Readers>,
) -> Result<Vec<u32>, NotReady> {
    let [first, others @ ..] = unit.candidates.as_slice() else {
        return Ok(unit.cpus.clone());
    };
    if others.is_empty() {
        return Ok(first.clone());
    }
    let half = Duration::from_millis(unit.deadline_ms / 2);
    let started = Instant::now();
    let mut longest = Duration::ZERO;
    let mut best: Option<(f64, &Vec<u32>)> = None;
    let mut first_error = None;
    for (candidate_idx, cpus) in unit.candidates.iter().enumerate() {
        if started.elapsed() + longest > half {
            eprintln!(
                "unit `{}`: its deadline leaves time for {candidate_idx} of {} sets of CPUs",
                unit.unit,
                unit.candidates.len()
            );
            break;
        }
        let trial_started = Instant::now();
        match try_out(unit, cpus, isa, background) {
            Ok(rate) if best.is_none_or(|(best_rate, _)| rate > best_rate) => {
                best = Some((rate, cpus));
            }
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
        longest = longest.max(trial_started.elapsed());
    }
    match (best, first_error) {
        (Some((_, cpus)), _) => Ok(cpus.clone()),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(first.clone()),
    }
}

fn try_out(
    unit: &UnitSpec,
    cpus: &[u32],
    isa: &'static Isa,
    background: Option<&Readers>,
) -> Result<f64, NotReady> {
    let pool = start_pool(cpus)?;
    let mut kernel = kernels::prepare(unit, &pool, isa)?;
    let _reading = background.map(Readers::read);
    settle_shape(unit, kernel.as_mut(), &pool, isa, unit.candidates.len())?;
    Ok(sampling::trial_rate(kernel.as_mut(), &pool))
}

#[cfg(test)]
mod tests {
    use bench_protocol::{Job, Pages, Residency, Sampling};

    use super::*;
    use crate::{affinity, simd};

    fn unit(candidates: Vec<Vec<u32>>, deadline_ms: u64) -> UnitSpec {
        UnitSpec {
            unit: "read".into(),
            round: 0,
            kernel: "read".into(),
            variant: None,
            shape: None,
            cpus: vec![7],
            candidates,
            job: Job::Stream {
                working_set_bytes: 8192,
                residency: Residency::Cache,
                pages: Pages::Huge,
            },
            background: None,
            environment: Default::default(),
            sampling: Sampling {
                min_samples: 1,
                max_samples: 1,
                budget_ms: 1,
                precision_ppm: 0,
                sample_ms: 0,
                with_state: false,
            },
            deadline_ms,
        }
    }

    #[test]
    fn takes_a_set_that_can_be_set_up() {
        let cpu = affinity::allowed_cpus()[0];
        let check = |candidates: Vec<Vec<u32>>, deadline_ms: u64, expect: &[u32]| {
            let unit = unit(candidates.clone(), deadline_ms);
            let cpus = choose(&unit, simd::best(), None).ok().unwrap();
            assert_eq!(cpus, expect, "{candidates:?}");
        };
        check(vec![], 60_000, &[7]);
        check(vec![vec![5]], 60_000, &[5]);
        check(vec![vec![100_000], vec![cpu]], 60_000, &[cpu]);
        check(vec![vec![cpu], vec![100_000], vec![]], 60_000, &[cpu]);
        // No time for any trial: the first is as good as any.
        check(vec![vec![3], vec![cpu]], 0, &[3]);
    }

    #[test]
    fn tells_why_no_set_can_be_set_up() {
        let unit = unit(vec![vec![100_000], vec![100_001]], 60_000);
        let Err(NotReady::Failed(reason)) = choose(&unit, simd::best(), None) else {
            panic!("no such CPU");
        };
        assert!(reason.contains("CPU 100000"), "{reason}");
    }
}
