//! Measuring the units of a request: set up, check, sample, report.

use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::{
    Done, EXIT_DEADLINE, Message, RunRequest, Sample, Sampling, UnitEnd, UnitReady, UnitSpec,
    UnitStatus,
};

use crate::kernels::{self, Kernel, NotReady};
use crate::pool::Pool;
use crate::{facts, simd};

/// Samples shorter than this are made of several iterations: the clock and the start of the threads cost about a
/// microsecond.
const MIN_SAMPLE: Duration = Duration::from_millis(2);

/// Lines are held back this long: waking the process that forwards them takes a CPU away from the next sample.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);

/// Time for the message that a deadline has passed: whoever stopped reading must not keep the program alive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What all threads write messages through.
type Out = Arc<Mutex<BufWriter<Box<dyn Write + Send>>>>;

/// Where messages go: one JSON object a line.
pub struct Sink {
    out: Out,
    last_flush: Instant,
}

impl Sink {
    /// A sink that writes to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Sink {
        Sink {
            out: Arc::new(Mutex::new(BufWriter::new(Box::new(out)))),
            last_flush: Instant::now(),
        }
    }

    /// Sends one message at once.
    pub fn send(&mut self, message: &Message) {
        self.hold(message);
        self.flush();
    }

    /// Sends one message soon.
    fn hold(&mut self, message: &Message) {
        write_line(
            &mut *self.out.lock().unwrap_or_else(PoisonError::into_inner),
            message,
        );
        if self.last_flush.elapsed() > FLUSH_INTERVAL {
            self.flush();
        }
    }

    fn flush(&mut self) {
        end_unless_written(
            self.out
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .flush(),
        );
        self.last_flush = Instant::now();
    }
}

fn write_line(out: &mut impl Write, message: &Message) {
    let line = serde_json::to_string(message).expect("messages hold no maps with odd keys");
    end_unless_written(writeln!(out, "{line}"));
}

/// Nobody reads any more: measuring on would only heat the board.
fn end_unless_written(result: std::io::Result<()>) {
    if let Err(error) = result {
        eprintln!("cannot write results: {error}");
        std::process::exit(4);
    }
}

/// Measures all units in order and sends everything there is to say about them.
pub fn run(request: &RunRequest, sink: &mut Sink) {
    let watchdog = Watchdog::start(
        Arc::clone(&sink.out),
        Duration::from_millis(request.deadline_ms),
    );
    sink.send(&Message::Facts(Box::new(facts::collect())));
    let mut n_samples = 0;
    for unit in &request.units {
        watchdog.guard(unit);
        let (status, reason) = match measure(unit, sink, &mut n_samples) {
            Ok(()) => (UnitStatus::Ok, None),
            Err(NotReady::Skipped(reason)) => (UnitStatus::Skipped, Some(reason)),
            Err(NotReady::Failed(reason)) => (UnitStatus::Failed, Some(reason)),
        };
        sink.send(&Message::UnitEnd(UnitEnd {
            unit: unit.unit.clone(),
            status,
            reason,
        }));
    }
    watchdog.rest();
    sink.send(&Message::Done(Done {
        n_units: request.units.len() as u32,
        n_samples,
    }));
}

fn measure(unit: &UnitSpec, sink: &mut Sink, n_samples: &mut u32) -> Result<(), NotReady> {
    let isa = match &unit.variant {
        Some(name) => simd::by_name(name).map_err(|missing| NotReady::Skipped(missing.reason))?,
        None => simd::best(),
    };
    let pool = Pool::new(&unit.cpus)
        .map_err(|error| NotReady::Failed(format!("cannot start the threads: {error}")))?;
    let mut kernel = kernels::prepare(unit, &pool, isa)?;
    // The check is also the warm-up: the first, page-faulting pass never counts.
    let check = kernel.check(&pool);
    let shape = kernel.shape();
    sink.send(&Message::UnitReady(UnitReady {
        unit: unit.unit.clone(),
        kernel: unit.kernel.clone(),
        variant: isa.name().to_string(),
        cpus: unit.cpus.clone(),
        working_set_bytes: shape.working_set_bytes,
        residency: shape.residency,
        work: shape.work,
        convention: shape.convention,
        check,
        huge_page_bytes: shape.huge_page_bytes,
        model: shape.model,
        background_alone_bytes_per_s: None,
    }));
    if !check.passed {
        return Err(NotReady::Failed(format!(
            "the output of variant `{}` differs from the reference by {}; nothing was timed",
            isa.name(),
            check.max_error
        )));
    }
    sample(unit, kernel.as_mut(), &pool, sink, n_samples)
}

fn sample(
    unit: &UnitSpec,
    kernel: &mut dyn Kernel,
    pool: &Pool,
    sink: &mut Sink,
    n_samples: &mut u32,
) -> Result<(), NotReady> {
    let Sampling {
        min_samples,
        max_samples,
        budget_ms,
        precision_ppm,
        ..
    } = unit.sampling;
    let iterations = iterations_per_sample(kernel, pool);
    let budget = Duration::from_millis(budget_ms);
    let mut spent = Duration::ZERO;
    let mut times_ns = Vec::new();
    for sample_idx in 0..max_samples {
        let is_enough = spent >= budget || median_is_known(&mut times_ns, precision_ppm);
        if sample_idx >= min_samples && is_enough {
            break;
        }
        let start = Instant::now();
        kernel.iterate(pool, iterations);
        let elapsed = start.elapsed();
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
            sample_idx,
            elapsed_ns: elapsed.as_nanos() as u64,
            iterations,
            background_bytes: None,
            state: None,
        }));
    }
    Ok(())
}

/// Whether half the width of the 95 % confidence interval of the median is below `precision_ppm` millionths of it.
///
/// The interval is that of the order statistics: ranks n/2 -+ 0.98 sqrt(n) hold the median of any distribution with 95 %
/// (normal approximation of the binomial; Conover, Practical Nonparametric Statistics). Below eight samples no pair of
/// ranks does.
fn median_is_known(times_ns: &mut [u64], precision_ppm: u32) -> bool {
    let n = times_ns.len();
    if precision_ppm == 0 || n < 8 {
        return false;
    }
    times_ns.sort_unstable();
    let reach = 0.98 * (n as f64).sqrt();
    let low = (n as f64 / 2.0 - reach).floor().max(0.0) as usize;
    let high = ((n as f64 / 2.0 + reach).ceil() as usize).min(n - 1);
    let width = (times_ns[high] - times_ns[low]) as f64;
    width / 2.0 < times_ns[n / 2] as f64 * f64::from(precision_ppm) / 1e6
}

/// One untimed trial tells how many iterations make a sample long enough for the clock.
fn iterations_per_sample(kernel: &mut dyn Kernel, pool: &Pool) -> u64 {
    let mut iterations = 1;
    loop {
        let start = Instant::now();
        kernel.iterate(pool, iterations);
        let elapsed = start.elapsed();
        if elapsed >= MIN_SAMPLE {
            return iterations;
        }
        let factor = MIN_SAMPLE.as_secs_f64() / elapsed.as_secs_f64().max(1e-9) * 1.2;
        iterations = (iterations as f64 * factor.clamp(1.5, 100.0)).ceil() as u64;
    }
}

/// Sends a last message, and gives up when nobody takes it.
fn say_at_most(limit: Duration, out: Out, message: Option<Message>) {
    let words = std::thread::spawn(move || {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = message {
            write_line(&mut *out, &message);
        }
        let _ = out.flush();
    });
    let started = Instant::now();
    while !words.is_finished() && started.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the program when a unit or the whole request takes too long.
struct Watchdog {
    started: Instant,
    /// Milliseconds after `started` at which the current unit is given up; `u64::MAX` for none.
    unit_deadline_ms: Arc<AtomicU64>,
    current: Arc<Mutex<Option<(String, u64)>>>,
}

impl Watchdog {
    fn start(out: Out, limit: Duration) -> Watchdog {
        let watchdog = Watchdog {
            started: Instant::now(),
            unit_deadline_ms: Arc::new(AtomicU64::new(u64::MAX)),
            current: Arc::new(Mutex::new(None)),
        };
        let (started, deadline, current) = (
            watchdog.started,
            Arc::clone(&watchdog.unit_deadline_ms),
            Arc::clone(&watchdog.current),
        );
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let now_ms = started.elapsed().as_millis() as u64;
                let unit_over = now_ms > deadline.load(Ordering::Relaxed);
                if !unit_over && started.elapsed() < limit {
                    continue;
                }
                let unit = current
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                let end = unit.map(|(unit, deadline_ms)| {
                    let reason = match unit_over {
                        true => {
                            format!("took longer than its deadline of {} s", deadline_ms / 1000)
                        }
                        false => format!(
                            "was running when the request's deadline of {} s passed",
                            limit.as_secs()
                        ),
                    };
                    let status = UnitStatus::Failed;
                    Message::UnitEnd(UnitEnd {
                        unit,
                        status,
                        reason: Some(reason),
                    })
                });
                say_at_most(LAST_WORDS, out, end);
                // A kernel that hangs cannot be stopped from inside.
                std::process::exit(EXIT_DEADLINE);
            }
        });
        watchdog
    }

    fn guard(&self, unit: &UnitSpec) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((unit.unit.clone(), unit.deadline_ms));
        let now_ms = self.started.elapsed().as_millis() as u64;
        self.unit_deadline_ms
            .store(now_ms.saturating_add(unit.deadline_ms), Ordering::Relaxed);
    }

    fn rest(&self) {
        self.unit_deadline_ms.store(u64::MAX, Ordering::Relaxed);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_when_the_median_is_known() {
        let check = |times: &[u64], ppm: u32, expect: bool| {
            assert_eq!(
                median_is_known(&mut times.to_vec(), ppm),
                expect,
                "{times:?} at {ppm}"
            );
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
