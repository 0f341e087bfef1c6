//! Streaming kernels: read, write, copy and triad over arrays of 64-bit elements.
//!
//! STREAM-style: bytes read plus bytes written are counted, write-allocate traffic is not. Every thread has arrays of
//! its own, which it touches first and alone.

use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::{Kernel, Prepared, Shape, out_of_memory, require_memory, wrong_job};
use crate::memory::Region;
use crate::pool::Pool;
use crate::simd::{self, Isa};

/// The factor of triad; small whole numbers keep every result exact, whatever the rounding of the variant.
const TRIAD_SCALE: f64 = 3.0;

/// What is done with the arrays.
#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Read,
    Write,
    Copy,
    Triad,
}

impl Operation {
    fn n_arrays(self) -> usize {
        match self {
            Operation::Read | Operation::Write => 1,
            Operation::Copy => 2,
            Operation::Triad => 3,
        }
    }
}

struct Stream {
    operation: Operation,
    isa: &'static Isa,
    residency: Residency,
    n_words_per_thread: usize,
    parts: Vec<Mutex<Part>>,
}

/// The arrays of one thread: the first is written, the others are read (a single one as the operation says).
struct Part {
    arrays: Vec<Region>,
    expected_sum: u64,
    last_sum: u64,
    last_value: u64,
}

pub fn prepare_read(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    prepare(Operation::Read, unit, pool, isa)
}

pub fn prepare_write(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    prepare(Operation::Write, unit, pool, isa)
}

pub fn prepare_copy(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    prepare(Operation::Copy, unit, pool, isa)
}

pub fn prepare_triad(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    prepare(Operation::Triad, unit, pool, isa)
}

fn prepare(operation: Operation, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Stream {
        working_set_bytes,
        residency,
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    require_memory(working_set_bytes)?;
    let n_parts = pool.n_threads() * operation.n_arrays();
    // Whole pages per array, and at least one.
    let array_bytes = (working_set_bytes as usize / n_parts)
        .next_multiple_of(4096)
        .max(4096);
    let parts = (0..pool.n_threads())
        .map(|_| {
            let arrays = (0..operation.n_arrays())
                .map(|_| Region::new(array_bytes))
                .collect::<Result<_, _>>()?;
            Ok(Mutex::new(Part {
                arrays,
                expected_sum: 0,
                last_sum: 0,
                last_value: 0,
            }))
        })
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(out_of_memory)?;
    let stream = Stream {
        operation,
        isa,
        residency,
        n_words_per_thread: array_bytes / 8,
        parts,
    };
    pool.run(&|thread_idx| stream.with_part(thread_idx, |part| initialise(operation, part)));
    Ok(Box::new(stream))
}

/// Touches every page from the thread that will use it.
fn initialise(operation: Operation, part: &mut Part) {
    match operation {
        Operation::Triad => {
            let (a, inputs) = part.arrays.split_at_mut(1);
            a[0].doubles_mut().fill(0.0);
            inputs[0]
                .doubles_mut()
                .iter_mut()
                .enumerate()
                .for_each(|(idx, b)| *b = (idx % 1021) as f64);
            inputs[1]
                .doubles_mut()
                .iter_mut()
                .enumerate()
                .for_each(|(idx, c)| *c = (idx % 509) as f64);
        }
        _ => {
            for array in &mut part.arrays {
                for (idx, word) in array.words_mut().iter_mut().enumerate() {
                    *word = (idx as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                }
            }
            part.expected_sum = simd::scalar().read(part.arrays[0].words_mut());
        }
    }
}

impl Stream {
    /// Each thread takes the lock of its own part only: it is never contended.
    fn with_part(&self, thread_idx: usize, action: impl FnOnce(&mut Part)) {
        action(
            &mut self.parts[thread_idx]
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn work(&self) -> Work {
        let n_words = (self.n_words_per_thread * self.parts.len()) as u64;
        let (n_read, n_written, ops) = match self.operation {
            Operation::Read => (1, 0, 1),
            Operation::Write => (0, 1, 0),
            Operation::Copy => (1, 1, 0),
            Operation::Triad => (2, 1, 2),
        };
        Work {
            read_bytes: n_words * 8 * n_read,
            written_bytes: n_words * 8 * n_written,
            ops: n_words * ops,
        }
    }
}

impl Kernel for Stream {
    fn shape(&self) -> Shape {
        let n_arrays = self.operation.n_arrays() * self.parts.len();
        let huge_page_bytes = self
            .parts
            .iter()
            .flat_map(|part| {
                let part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.arrays
                    .iter()
                    .map(Region::huge_page_bytes)
                    .collect::<Vec<_>>()
            })
            .sum();
        Shape {
            working_set_bytes: (n_arrays * self.n_words_per_thread * 8) as u64,
            residency: self.residency,
            work: self.work(),
            convention: Convention::ReadPlusWrite,
            huge_page_bytes,
            model: None,
        }
    }

    fn check(&mut self, pool: &Pool) -> Check {
        self.iterate(pool, 1);
        let wrong = Mutex::new(0u64);
        let this = &*self;
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                let n = count_wrong(this.operation, part);
                *wrong.lock().unwrap_or_else(PoisonError::into_inner) += n;
            });
        });
        let n_wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
        Check {
            passed: n_wrong == 0,
            max_error: n_wrong as f64,
            tolerance: 0.0,
        }
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let (this, isa) = (&*self, self.isa);
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                for _ in 0..iterations {
                    step(this.operation, isa, part);
                }
            });
        });
    }

    fn is_still_right(&self) -> bool {
        self.operation != Operation::Read
            || self.parts.iter().all(|part| {
                let part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.last_sum == part.expected_sum
            })
    }
}

fn step(operation: Operation, isa: &Isa, part: &mut Part) {
    match operation {
        Operation::Read => part.last_sum = isa.read(part.arrays[0].words_mut()),
        Operation::Write => {
            part.last_value = part.last_value.wrapping_add(0x0101_0101_0101_0101);
            isa.write(part.arrays[0].words_mut(), part.last_value);
        }
        Operation::Copy => {
            let (to, from) = part.arrays.split_at_mut(1);
            isa.copy(to[0].words_mut(), from[0].words_mut());
        }
        Operation::Triad => {
            let (a, inputs) = part.arrays.split_at_mut(1);
            let (b, c) = inputs.split_at_mut(1);
            isa.triad(
                a[0].doubles_mut(),
                b[0].doubles_mut(),
                c[0].doubles_mut(),
                TRIAD_SCALE,
            );
        }
    }
}

/// Elements that differ from what the operation's definition gives.
fn count_wrong(operation: Operation, part: &mut Part) -> u64 {
    match operation {
        Operation::Read => u64::from(part.last_sum != part.expected_sum),
        Operation::Write => {
            let value = part.last_value;
            part.arrays[0]
                .words_mut()
                .iter()
                .filter(|word| **word != value)
                .count() as u64
        }
        Operation::Copy => {
            let (to, from) = part.arrays.split_at_mut(1);
            to[0]
                .words_mut()
                .iter()
                .zip(from[0].words_mut().iter())
                .filter(|(to, from)| to != from)
                .count() as u64
        }
        Operation::Triad => {
            let (a, inputs) = part.arrays.split_at_mut(1);
            let (b, c) = inputs.split_at_mut(1);
            let inputs = b[0].doubles_mut().iter().zip(c[0].doubles_mut().iter());
            let expected = inputs.map(|(b, c)| b + TRIAD_SCALE * c);
            a[0].doubles_mut()
                .iter()
                .zip(expected)
                .filter(|(a, expected)| **a != *expected)
                .count() as u64
        }
    }
}
