//! A pool of pinned threads that start together, and the barrier they share.
//!
//! The caller is thread 0 of its own pool: a coordinator that only waits would take a CPU away from the work.

use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::affinity;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// Spins this often before it lets another thread have the CPU: long enough for every wait inside a kernel (a few
/// microseconds), short enough that a pool with more threads than CPUs still makes progress.
const SPINS_BEFORE_YIELD: u32 = if cfg!(miri) { 0 } else { 20_000 };

/// Pinned threads, one per CPU given; they live as long as the pool.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    allowed_before: Vec<u32>,
}

struct Shared {
    /// The job of the current epoch, as a pointer to the caller's `Job`; null asks the workers to end.
    job: AtomicPtr<()>,
    epoch: AtomicU32,
    n_running: AtomicUsize,
    is_busy: AtomicBool,
    barrier: Barrier,
}

impl Pool {
    /// Starts one pinned thread per CPU; the calling thread is pinned to the first.
    ///
    /// # Errors
    /// When `cpus` is empty, a thread cannot be started, or the kernel refuses a CPU.
    pub fn new(cpus: &[u32]) -> io::Result<Pool> {
        let (&first, others) = cpus
            .split_first()
            .ok_or_else(|| io::Error::other("no CPU given"))?;
        let allowed_before = affinity::allowed_cpus();
        for &cpu in cpus {
            if !allowed_before.contains(&cpu) {
                return Err(io::Error::other(format!(
                    "CPU {cpu} is not available to this process"
                )));
            }
        }
        let shared = Arc::new(Shared {
            job: AtomicPtr::new(std::ptr::null_mut()),
            epoch: AtomicU32::new(0),
            n_running: AtomicUsize::new(0),
            is_busy: AtomicBool::new(false),
            barrier: Barrier::new(cpus.len()),
        });
        // Built before the first thread is pinned: on an early return its Drop ends what was started.
        let mut pool = Pool {
            shared,
            workers: Vec::new(),
            allowed_before,
        };
        for (idx, &cpu) in others.iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            pool.workers.push(
                std::thread::Builder::new()
                    .name(format!("kernel-{}", idx + 1))
                    .spawn(move || worker(&shared, idx + 1, cpu))?,
            );
        }
        affinity::pin_to(&[first])?;
        Ok(pool)
    }

    /// Threads, the caller included.
    pub fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// The barrier of exactly this pool's threads, for use inside a job.
    pub fn barrier(&self) -> &Barrier {
        &self.shared.barrier
    }

    /// Runs `job(thread_idx)` once on every thread and returns when all have ended. A job that panics ends the program:
    /// the other threads could wait for it at the barrier forever.
    ///
    /// # Panics
    /// When a job of this pool runs already.
    pub fn run(&self, job: Job<'_>) {
        let shared = &*self.shared;
        assert!(
            !shared.is_busy.swap(true, Ordering::Acquire),
            "a pool runs one job at a time"
        );
        let mut job_ref: Job<'_> = job;
        shared
            .n_running
            .store(self.workers.len(), Ordering::Relaxed);
        shared
            .job
            .store((&raw mut job_ref).cast(), Ordering::Relaxed);
        // Release: the workers see job and counter as soon as they see the epoch.
        shared.epoch.fetch_add(1, Ordering::Release);
        let guard = AbortOnPanic;
        job(0);
        drop(guard);
        wait_until(|| shared.n_running.load(Ordering::Acquire) == 0);
        shared.is_busy.store(false, Ordering::Release);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared
            .job
            .store(std::ptr::null_mut(), Ordering::Relaxed);
        self.shared.epoch.fetch_add(1, Ordering::Release);
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
        // The next unit may use other CPUs; refusing here would only leave the narrower set in place.
        let _ = affinity::pin_to(&self.allowed_before);
    }
}

fn worker(shared: &Shared, thread_idx: usize, cpu: u32) {
    // The set was checked by the pool; a CPU that went offline since then leaves the thread unpinned, not dead.
    let _ = affinity::pin_to(&[cpu]);
    let mut seen_epoch = 0;
    loop {
        wait_until(|| shared.epoch.load(Ordering::Acquire) != seen_epoch);
        seen_epoch = seen_epoch.wrapping_add(1);
        let job = shared.job.load(Ordering::Relaxed);
        if job.is_null() {
            return;
        }
        // SAFETY: `run` stored a pointer to its live `Job` before it raised the epoch, and does not return (so the
        // closure stays alive) before `n_running` reaches zero, which happens after this call.
        let job: Job<'_> = unsafe { *job.cast::<Job<'_>>() };
        let guard = AbortOnPanic;
        job(thread_idx);
        drop(guard);
        shared.n_running.fetch_sub(1, Ordering::Release);
    }
}

/// Ends the program when a job unwinds: its closure must not be freed while other threads run it.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// A reusable barrier for a fixed number of threads that spin.
pub struct Barrier {
    n_threads: usize,
    n_waiting: AtomicUsize,
    generation: AtomicU32,
}

impl Barrier {
    fn new(n_threads: usize) -> Barrier {
        Barrier {
            n_threads,
            n_waiting: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
        }
    }

    /// Waits until every thread of the pool is here. What was written before it is visible after it.
    pub fn wait(&self) {
        let generation = self.generation.load(Ordering::Relaxed);
        if self.n_waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.n_threads {
            self.n_waiting.store(0, Ordering::Relaxed);
            self.generation
                .store(generation.wrapping_add(1), Ordering::Release);
        } else {
            wait_until(|| self.generation.load(Ordering::Acquire) != generation);
        }
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let mut n_spins = 0;
    while !condition() {
        if n_spins < SPINS_BEFORE_YIELD {
            n_spins += 1;
            spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn every_thread_runs_every_job_once() {
        let cpus = affinity::allowed_cpus();
        // More threads than CPUs on purpose: the spin must give way.
        let pool = Pool::new(&[cpus[0], cpus[0], cpus[cpus.len() - 1]]).unwrap();
        let calls: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(0)).collect();
        for _ in 0..100 {
            pool.run(&|thread_idx| {
                calls[thread_idx].fetch_add(1, Ordering::Relaxed);
            });
        }
        assert!(calls.iter().all(|n| n.load(Ordering::Relaxed) == 100));
    }

    #[test]
    fn barrier_separates_phases() {
        let cpus = affinity::allowed_cpus();
        let pool = Pool::new(&[cpus[0], cpus[cpus.len() - 1]]).unwrap();
        let sum = AtomicU64::new(0);
        pool.run(&|_| {
            for phase in 1..=50 {
                sum.fetch_add(1, Ordering::Relaxed);
                pool.barrier().wait();
                assert_eq!(sum.load(Ordering::Relaxed), phase * 2);
                pool.barrier().wait();
            }
        });
    }

    #[test]
    fn refuses_a_cpu_that_is_not_there() {
        assert!(Pool::new(&[100_000]).is_err());
        assert!(Pool::new(&[]).is_err());
    }
}
