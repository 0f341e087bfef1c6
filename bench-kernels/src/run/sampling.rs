//! The timed loop: how long a sample is, when there are enough of them, and what goes with each.

use std::time::{Duration, Instant};

use bench_protocol::{Message, SAMPLED_LONGER, Sample, SampleState, Sampling, UnitSpec, Unrest};

use super::unrest::unrest;
use crate::background::Readers;
use crate::kernels::{Kernel, NotReady};
use crate::pool::Pool;
use crate::sink::Sink;
use crate::state::StateFiles;

/// Samples shorter than this are made of several iterations: the clock and the start of the threads cost about a
/// microsecond.
const MIN_SAMPLE: Duration = Duration::from_millis(2);

/// Samples of a trial: the fewest whose median one outlier does not move.
const TRIAL_SAMPLES: usize = 3;

/// Takes and sends the samples of a unit whose output is right. Background readers read until the last one is taken.
///
/// Samples that do not scatter around one value go on for [`SAMPLED_LONGER`] times as long, or until they do; what is
/// wrong with them in the end is returned. A series over time (`with_state`) shows it itself.
///
/// # Errors
/// When a sample computed a wrong result.
pub(super) fn sample(
    unit: &UnitSpec,
    kernel: &mut dyn Kernel,
    pool: &Pool,
    background: Option<&Readers>,
    sink: &mut Sink,
    n_samples: &mut u32,
) -> Result<Option<Unrest>, NotReady> {
    let Sampling {
        min_samples,
        max_samples,
        budget_ms,
        precision_ppm,
        sample_ms,
        with_state,
    } = unit.sampling;
    let state_files = with_state.then(|| StateFiles::find("/".as_ref(), &unit.cpus));
    let _reading = background.map(Readers::read);
    let aim = MIN_SAMPLE.max(Duration::from_millis(sample_ms));
    let iterations = iterations_per_sample(kernel, pool, aim);
    let budget = Duration::from_millis(budget_ms);
    let mut spent = Duration::ZERO;
    let mut times_ns = Vec::new();
    let first_start = Instant::now();
    // Half of it is left for the time that the samples do not count.
    let longest = (budget * SAMPLED_LONGER).min(Duration::from_millis(unit.deadline_ms / 2));
    let restless = |times_ns: &[u64]| match with_state {
        true => None,
        false => unrest(times_ns, iterations),
    };
    for sample_idx in 0.. {
        let is_over = spent >= longest || sample_idx >= max_samples.saturating_mul(SAMPLED_LONGER);
        let is_enough = spent >= budget
            || sample_idx >= max_samples
            || median_is_known(&times_ns, precision_ppm);
        if sample_idx >= min_samples && is_enough && (is_over || restless(&times_ns).is_none()) {
            break;
        }
        let background_before = background.map(Readers::bytes_read);
        let start = Instant::now();
        kernel.iterate(pool, iterations);
        let elapsed = start.elapsed();
        let background_bytes = background
            .zip(background_before)
            .map(|(readers, before)| readers.bytes_read() - before);
        let state = state_files.as_ref().map(|files| SampleState {
            since_start_ns: first_start.elapsed().as_nanos() as u64,
            ..files.read()
        });
        spent += elapsed;
        times_ns.push(elapsed.as_nanos() as u64);
        if !kernel.is_still_right() {
            return Err(NotReady::Failed(format!(
                "sample {sample_idx} computed a wrong result"
            )));
        }
        *n_samples += 1;
        sink.hold(&Message::Sample(Sample {
            unit: unit.unit.clone(),
            round: unit.round,
            sample_idx,
            elapsed_ns: elapsed.as_nanos() as u64,
            iterations,
            background_bytes,
            state,
        }));
    }
    Ok(restless(&times_ns))
}

/// Work done per nanosecond in a short trial, by the median: bytes where the kernel moves any, operations elsewhere.
pub(super) fn trial_rate(kernel: &mut dyn Kernel, pool: &Pool) -> f64 {
    let iterations = iterations_per_sample(kernel, pool, MIN_SAMPLE);
    let mut times_ns: Vec<u128> = (0..TRIAL_SAMPLES)
        .map(|_| {
            let start = Instant::now();
            kernel.iterate(pool, iterations);
            start.elapsed().as_nanos()
        })
        .collect();
    times_ns.sort_unstable();
    let work = kernel.shape().work;
    let amount = match work.read_bytes + work.written_bytes {
        0 => work.ops,
        bytes => bytes,
    };
    amount as f64 * iterations as f64 / times_ns[TRIAL_SAMPLES / 2].max(1) as f64
}

/// Whether half the width of the 95 % confidence interval of the median is below `precision_ppm` millionths of it.
///
/// The interval is that of the order statistics: ranks n/2 -+ 0.98 sqrt(n) hold the median of any distribution with 95 %
/// (normal approximation of the binomial; Conover, Practical Nonparametric Statistics). Below eight samples no pair of
/// ranks does.
fn median_is_known(times_ns: &[u64], precision_ppm: u32) -> bool {
    let n = times_ns.len();
    if precision_ppm == 0 || n < 8 {
        return false;
    }
    let mut times_ns = times_ns.to_vec();
    times_ns.sort_unstable();
    let reach = 0.98 * (n as f64).sqrt();
    let low = (n as f64 / 2.0 - reach).floor().max(0.0) as usize;
    let high = ((n as f64 / 2.0 + reach).ceil() as usize).min(n - 1);
    let width = (times_ns[high] - times_ns[low]) as f64;
    width / 2.0 < times_ns[n / 2] as f64 * f64::from(precision_ppm) / 1e6
}

/// Untimed trials tell how many iterations make a sample as long as `aim`.
fn iterations_per_sample(kernel: &mut dyn Kernel, pool: &Pool, aim: Duration) -> u64 {
    let mut iterations = 1;
    loop {
        let start = Instant::now();
        kernel.iterate(pool, iterations);
        let elapsed = start.elapsed();
        let factor = aim.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
        let scaled = |factor: f64| (iterations as f64 * factor).ceil() as u64;
        // From a trial that the clock resolves well the rest is calculated: long samples need no long trials.
        if elapsed >= MIN_SAMPLE {
            return scaled(factor.max(1.0));
        }
        iterations = scaled((factor * 1.2).clamp(1.5, 100.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_when_the_median_is_known() {
        let check = |times: &[u64], ppm: u32, expect: bool| {
            assert_eq!(median_is_known(times, ppm), expect, "{times:?} at {ppm}");
        };
        check(&[1000; 7], 10_000, false);
        check(&[1000; 8], 10_000, true);
        check(&[1000; 8], 0, false);
        check(
            &[1000, 1001, 999, 1000, 1002, 998, 1000, 1001, 999],
            10_000,
            true,
        );
        check(
            &[1000, 1100, 900, 1000, 1200, 800, 1000, 1100, 900],
            10_000,
            false,
        );
        // Outliers beyond the ranks do not count, however far away they are.
        let mut times = vec![1000; 30];
        times.extend([9000, 9000, 9000]);
        check(&times, 10_000, true);
    }
}
