//! Measuring the units of a request: set up, check, sample, report.

mod candidates;
mod race;
mod sampling;
mod unrest;
mod watchdog;

use std::time::Duration;

use bench_protocol::{
    Done, Job, Message, Race, RunRequest, UnitEnd, UnitReady, UnitSpec, UnitStatus, Unrest,
};

use self::watchdog::Watchdog;
use crate::background::Readers;
use crate::kernels::{self, Choice, Kernel, NotReady};
use crate::pool::Pool;
use crate::simd::{self, Isa};
use crate::sink::Sink;
use crate::{external, facts};

/// Measures all units in order and sends everything there is to say about them.
pub fn run(request: &RunRequest, sink: &mut Sink) {
    let watchdog = Watchdog::start(sink.shared(), Duration::from_millis(request.deadline_ms));
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
        shape: shape_name(&kernel.choices()),
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

/// The shape that a kernel runs in: the one of all its choices, or `q4_0.off+q6_k.near` where they differ.
fn shape_name(choices: &[Choice]) -> Option<String> {
    let taken = |choice: &Choice| choice.names[choice.taken_idx].clone();
    let first = taken(choices.first()?);
    if choices.iter().all(|choice| taken(choice) == first) {
        return Some(first);
    }
    let names = choices.iter().map(|choice| choice.name(choice.taken_idx));
    Some(names.collect::<Vec<_>>().join("+"))
}

/// Leaves the kernel in the shape of that name, as [`shape_name`] gives it, never in another instead.
fn force_shape(kernel: &mut dyn Kernel, name: &str, isa: &Isa) -> Result<(), NotReady> {
    let choices = kernel.choices();
    if choices.is_empty() {
        return Err(NotReady::Skipped(format!(
            "this kernel has no shapes to choose from, so not `{name}` either"
        )));
    }
    let parts: Vec<&str> = name.split('+').collect();
    let is_meant = |choice: &Choice, shape_idx: usize, part: &str| {
        choice.name(shape_idx) == part || parts.len() == 1 && choice.names[shape_idx] == part
    };
    let is_known = |part: &&str| {
        (choices.iter())
            .any(|choice| (0..choice.names.len()).any(|idx| is_meant(choice, idx, part)))
    };
    let forced = choices.iter().map(|choice| {
        (0..choice.names.len()).find(|idx| parts.iter().any(|part| is_meant(choice, *idx, part)))
    });
    match forced.collect::<Option<Vec<usize>>>() {
        Some(forced) if parts.iter().all(is_known) => {
            for (choice_idx, shape_idx) in forced.into_iter().enumerate() {
                kernel.take_shape(choice_idx, shape_idx);
            }
            Ok(())
        }
        _ => {
            let about = choices.iter().map(|choice| choice.about);
            let each = match choices.len() {
                1 => String::new(),
                _ => format!(" for each of {}", about.collect::<Vec<_>>().join(", ")),
            };
            Err(NotReady::Skipped(format!(
                "variant `{}` has no shape `{name}` of this kernel here; it has {}{each}",
                isa.name(),
                choices[0].names.join(", ")
            )))
        }
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

#[cfg(test)]
mod tests {
    use bench_protocol::Check;

    use super::*;
    use crate::kernels::Shape;
    use crate::simd;

    /// A model of two formats, each in one of two shapes.
    struct TwoFormats([usize; 2]);

    impl Kernel for TwoFormats {
        fn shape(&self) -> Shape {
            unreachable!("it is not measured")
        }

        fn check(&mut self, _pool: &Pool) -> Result<Check, NotReady> {
            unreachable!("it is not measured")
        }

        fn iterate(&mut self, _pool: &Pool, _iterations: u64) {}

        fn choices(&self) -> Vec<Choice> {
            let formats = ["q4_0", "q6_k"].into_iter().zip(self.0);
            let choice = |(about, taken_idx)| Choice {
                about,
                names: vec!["far".into(), "off".into()],
                taken_idx,
            };
            formats.map(choice).collect()
        }

        fn take_shape(&mut self, choice_idx: usize, shape_idx: usize) {
            self.0[choice_idx] = shape_idx;
        }
    }

    #[test]
    fn a_shape_that_ran_can_be_forced_under_its_name() {
        for taken in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            let name = shape_name(&TwoFormats(taken).choices()).unwrap();
            for before in [[0, 0], [1, 1]] {
                let mut kernel = TwoFormats(before);
                assert!(force_shape(&mut kernel, &name, simd::best()).is_ok());
                assert_eq!(kernel.0, taken, "{name}");
            }
        }
    }

    #[test]
    fn a_shape_that_is_not_there_is_never_another() {
        for name in [
            "near",
            "q4_0.off",
            "q4_0.off+q6_k.near",
            "q4_0.off+off",
            "off+q6_k.off+q4_0.off",
            "q4_0.off+q6_k.off+q8_0.off",
            "",
        ] {
            let mut kernel = TwoFormats([0, 0]);
            let Err(NotReady::Skipped(reason)) = force_shape(&mut kernel, name, simd::best())
            else {
                panic!("`{name}` was taken");
            };
            assert!(
                reason.contains("has far, off for each of q4_0, q6_k"),
                "{reason}"
            );
            assert_eq!(kernel.0, [0, 0], "{name}");
        }
    }
}
