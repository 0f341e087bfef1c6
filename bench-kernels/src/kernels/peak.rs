//! Arithmetic on registers only: the rate that no batched product can exceed.

use std::sync::atomic::{AtomicBool, Ordering};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::{Kernel, NotReady, Prepared, Shape, wrong_job};
use crate::pool::Pool;
use crate::simd::Isa;
use crate::simd::peak::{Arithmetic, Peak, STEPS};

/// Calls of one iteration: a few hundred microseconds on a fast CPU.
const CALLS: u64 = 64;

struct Kernels {
    peak: &'static Peak,
    n_threads: usize,
    is_right: AtomicBool,
}

pub fn prepare(
    arithmetic: Arithmetic,
    unit: &UnitSpec,
    pool: &Pool,
    isa: &'static Isa,
) -> Prepared {
    let Job::Peak {} = unit.job else {
        return Err(wrong_job(unit));
    };
    let peak = isa
        .peak(arithmetic)
        .map_err(|missing| NotReady::Skipped(missing.reason))?;
    Ok(Box::new(Kernels {
        peak,
        n_threads: pool.n_threads(),
        is_right: AtomicBool::new(true),
    }))
}

impl Kernel for Kernels {
    fn shape(&self) -> Shape {
        let steps = CALLS * u64::from(STEPS) * self.n_threads as u64;
        Shape {
            working_set_bytes: 0,
            residency: Residency::Cache,
            work: Work {
                read_bytes: 0,
                written_bytes: 0,
                ops: steps * self.peak.ops_per_step,
                tokens: 0,
            },
            convention: Convention::Arithmetic,
            huge_page_bytes: None,
            model: None,
        }
    }

    /// Compares the sums with the number of steps.
    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        self.iterate(pool, 1);
        let passed = self.is_still_right();
        Ok(Check {
            passed,
            max_error: if passed { 0.0 } else { 1.0 },
            tolerance: 0.0,
        })
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|_| {
            let mut is_right = true;
            for _ in 0..iterations * CALLS {
                is_right &= this.peak.run() == this.peak.expected();
            }
            if !is_right {
                this.is_right.store(false, Ordering::Relaxed);
            }
        });
    }

    fn is_still_right(&self) -> bool {
        self.is_right.load(Ordering::Relaxed)
    }
}
