//! Latency: loads each of which needs the address that the one before it brings.
//!
//! Every thread follows one or more chains over lines of its own (see [`Chains`]). An iteration is a fixed number of
//! steps, not a whole cycle, and the chains go on where they stopped: a set that fits a cache stays there, and a larger
//! one keeps missing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bench_protocol::{Check, Convention, Job, Pages, Residency, UnitSpec, Work};

use super::{Kernel, NotReady, Prepared, Shape, out_of_memory, require_memory, wrong_job};
use crate::facts;
use crate::memory::chains::{Chains, Linked, MAX_CHAINS};
use crate::pool::Pool;

/// Steps of every chain in one iteration: a few hundred microseconds in DRAM.
const STEPS: usize = 4096;

/// The order of the lines takes a number of 4 bytes for each while it is made.
const ORDER_BYTES: usize = 4;

struct Latency {
    n_chains: usize,
    residency: Residency,
    parts: Vec<Mutex<Linked>>,
}

pub fn prepare(unit: &UnitSpec, pool: &Pool) -> Prepared {
    let Job::Latency {
        working_set_bytes,
        residency,
        n_chains,
        pages,
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    let n_chains = n_chains as usize;
    if !(1..=MAX_CHAINS).contains(&n_chains) {
        return Err(NotReady::Failed(format!(
            "a thread follows 1 to {MAX_CHAINS} chains, not {n_chains}"
        )));
    }
    let line_bytes = facts::line_bytes();
    let n_lines = (working_set_bytes as usize / pool.n_threads() / line_bytes).max(MAX_CHAINS);
    require_memory((n_lines * (line_bytes + ORDER_BYTES) * pool.n_threads()) as u64)?;
    Ok(Box::new(build(
        n_lines, line_bytes, n_chains, residency, pages, pool,
    )?))
}

fn build(
    n_lines: usize,
    line_bytes: usize,
    n_chains: usize,
    residency: Residency,
    pages: Pages,
    pool: &Pool,
) -> Result<Latency, NotReady> {
    let chains = (0..pool.n_threads())
        .map(|_| Chains::new(n_lines, line_bytes, pages))
        .collect::<Result<Vec<_>, _>>()
        .map_err(out_of_memory)?;
    let slots = chains
        .into_iter()
        .map(|chains| Mutex::new((Some(chains), None)));
    let slots: Vec<Mutex<(Option<Chains>, Option<Linked>)>> = slots.collect();
    pool.run(&|thread_idx| {
        let mut slot = lock(&slots[thread_idx]);
        let chains = slot.0.take();
        slot.1 = chains.map(|chains| chains.link(thread_idx as u64 + 1));
    });
    let linked = slots.into_iter().filter_map(|slot| lock(&slot).1.take());
    Ok(Latency {
        n_chains,
        residency,
        parts: linked.map(Mutex::new).collect(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Latency {
    /// Each thread takes the lock of its own part only: it is never contended.
    fn with_part<T>(&self, thread_idx: usize, action: impl FnOnce(&mut Linked) -> T) -> T {
        action(&mut lock(&self.parts[thread_idx]))
    }

    /// The sum over all parts.
    fn sum<T: std::iter::Sum>(&self, value: impl Fn(&Linked) -> T) -> T {
        (0..self.parts.len())
            .map(|thread_idx| self.with_part(thread_idx, |chains| value(chains)))
            .sum()
    }
}

impl Kernel for Latency {
    fn shape(&self) -> Shape {
        Shape {
            working_set_bytes: self.sum(|chains| chains.len_bytes() as u64),
            residency: self.residency,
            work: Work {
                read_bytes: 0,
                written_bytes: 0,
                ops: (self.parts.len() * self.n_chains * STEPS) as u64,
                tokens: 0,
            },
            convention: Convention::Loads,
            huge_page_bytes: self.sum(Linked::huge_page_bytes),
            model: None,
        }
    }

    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        let n_wrong = Mutex::new(0u32);
        let this = &*self;
        pool.run(&|thread_idx| {
            let is_right =
                this.with_part(thread_idx, |chains| chains.is_right(this.n_chains, STEPS));
            *lock(&n_wrong) += u32::from(!is_right);
        });
        let n_wrong = n_wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Check {
            passed: n_wrong == 0,
            max_error: f64::from(n_wrong),
            tolerance: 0.0,
        })
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |chains| {
                for _ in 0..iterations {
                    chains.advance(this.n_chains, STEPS);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::affinity;

    #[test]
    fn counts_every_load_and_no_byte() {
        let cpus = affinity::allowed_cpus();
        let pool = Pool::new(&[cpus[0], cpus[cpus.len() - 1]]).unwrap();
        let mut latency = build(32, 64, 3, Residency::Sweep, Pages::Small, &pool).unwrap();
        assert!(latency.check(&pool).unwrap().passed);
        latency.iterate(&pool, 2);
        assert!(latency.check(&pool).unwrap().passed);
        let shape = latency.shape();
        assert_eq!(shape.working_set_bytes, 2 * 32 * 64);
        assert_eq!(shape.work.ops, 2 * 3 * 4096);
        assert_eq!(shape.work.read_bytes + shape.work.written_bytes, 0);
    }
}
