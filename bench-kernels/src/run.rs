//! Measuring the units of a request: set up, check, sample, report.

mod candidates;
mod race;
mod sampling;
pub mod state;
mod unrest;
mod watchdog;

use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::{
    Done, Job, Message, Race, RunRequest, UnitEnd, UnitReady, UnitSpec, UnitStatus, Unrest,
};

use self::watchdog::Watchdog;
use crate::background::Readers;
use crate::kernels::{self, Kernel, NotReady};
use crate::pool::Pool;
use crate::simd::{self, Isa};
use crate::{external, facts};

/// Lines are held back this long: waking the process that forwards them takes a CPU away from the next sample.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes held back at most, so that time decides and not the buffer: a sample with its state takes about 300, and no
/// kernel takes samples this fast.
const HELD_BYTES: usize = 1 << 20;

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
            out: Arc::new(Mutex::new(BufWriter::with_capacity(
                HELD_BYTES,
                Box::new(out),
            ))),
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
        one(unit, sink, &mut n_samples);
    }
    watchdog.rest();
    sink.send(&Message::Done(Done {
        n_units: request.units.len() as u32,
        n_samples,
    }));
}

/// Measures one unit and says how it ended.
pub fn one(unit: &UnitSpec, sink: &mut Sink, n_samples: &mut u32) {
    let (status, reason, unrest) = match measure(unit, sink, n_samples) {
        Ok(unrest) => (UnitStatus::Ok, None, unrest),
        Err(NotReady::Skipped(reason)) => (UnitStatus::Skipped, Some(reason), None),
        Err(NotReady::Failed(reason)) => (UnitStatus::Failed, Some(reason), None),
    };
    sink.send(&Message::UnitEnd(UnitEnd {
        unit: unit.unit.clone(),
        round: unit.round,
        status,
        reason,
        unrest,
    }));
}

fn measure(
    unit: &UnitSpec,
    sink: &mut Sink,
    n_samples: &mut u32,
) -> Result<Option<Unrest>, NotReady> {
    if let Job::External(external) = &unit.job {
        return external::run(unit, external, sink).map(|()| None);
    }
    let isa = match &unit.variant {
        Some(name) => simd::by_name(name).map_err(|missing| NotReady::Skipped(missing.reason))?,
        None => simd::best(),
    };
    // Before the unit's own threads: the readers' rate alone is taken while nothing else runs.
    let background = unit
        .background
        .as_ref()
        .map(|background| Readers::start(background, &used_cpus(unit)))
        .transpose()?;
    let unit = &UnitSpec {
        cpus: candidates::choose(unit, isa, background.as_ref())?,
        ..unit.clone()
    };
    let pool = start_pool(&unit.cpus)?;
    let mut kernel = kernels::prepare(unit, &pool, isa)?;
    let race = {
        let _reading = background.as_ref().map(Readers::read);
        settle_shape(unit, kernel.as_mut(), &pool, isa, 1)?
    };
    // The check is also the warm-up: the first, page-faulting pass never counts.
    let check = kernel.check(&pool)?;
    let shape = kernel.shape();
    sink.send(&Message::UnitReady(UnitReady {
        unit: unit.unit.clone(),
        round: unit.round,
        kernel: unit.kernel.clone(),
        variant: isa.name().to_string(),
        shape: kernel.shape_name(),
        race,
        cpus: unit.cpus.clone(),
        working_set_bytes: shape.working_set_bytes,
        residency: shape.residency,
        work: shape.work,
        convention: shape.convention,
        check,
        huge_page_bytes: shape.huge_page_bytes,
        model: shape.model,
        background_alone_bytes_per_s: background.as_ref().map(Readers::alone_bytes_per_s),
    }));
    if !check.passed {
        return Err(NotReady::Failed(format!(
            "the output of variant `{}` differs from the reference by {}; nothing was timed",
            isa.name(),
            check.max_error
        )));
    }
    sampling::sample(
        unit,
        kernel.as_mut(),
        &pool,
        background.as_ref(),
        sink,
        n_samples,
    )
}

/// Leaves the kernel in the shape that is asked for, or the one that wins a race in one of `n_parts` of its time.
fn settle_shape(
    unit: &UnitSpec,
    kernel: &mut dyn Kernel,
    pool: &Pool,
    isa: &Isa,
    n_parts: usize,
) -> Result<Option<Race>, NotReady> {
    if let Some(name) = &unit.shape {
        return force_shape(kernel, name, isa).map(|()| None);
    }
    let budget_ms = bench_protocol::race_budget_ms(unit.sampling, &unit.kernel);
    let budget = Duration::from_millis(budget_ms) / n_parts.max(1) as u32;
    Ok(race::choose_shape(kernel, pool, budget))
}

/// Leaves the kernel in the shape of that name, never in another instead.
fn force_shape(kernel: &mut dyn Kernel, name: &str, isa: &Isa) -> Result<(), NotReady> {
    let names = kernel.shape_names();
    match names.iter().position(|candidate| *candidate == name) {
        Some(shape_idx) => {
            kernel.take_shape(shape_idx);
            Ok(())
        }
        None if names.is_empty() => Err(NotReady::Skipped(format!(
            "this kernel has no shapes to choose from, so not `{name}` either"
        ))),
        None => Err(NotReady::Skipped(format!(
            "variant `{}` has no shape `{name}` of this kernel here; it has {}",
            isa.name(),
            names.join(", ")
        ))),
    }
}

fn start_pool(cpus: &[u32]) -> Result<Pool, NotReady> {
    Pool::new(cpus).map_err(|error| NotReady::Failed(format!("cannot start the threads: {error}")))
}

/// Every CPU that the unit itself may run on.
fn used_cpus(unit: &UnitSpec) -> Vec<u32> {
    match unit.candidates.as_slice() {
        [] => unit.cpus.clone(),
        candidates => candidates.concat(),
    }
}
