//! Streaming kernels: read, write, copy, scale, add and triad over arrays of 64-bit elements, and write, copy and triad
//! with stores that bypass the caches.
//!
//! STREAM-style: bytes read plus bytes written are counted, write-allocate traffic is not. Every thread has arrays of
//! its own, which it touches first and alone.

use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::{Kernel, NotReady, Prepared, Shape, out_of_memory, require_memory, wrong_job};
use crate::memory::Region;
use crate::pool::Pool;
use crate::simd::{self, Isa};

/// The factor of scale and triad; small whole numbers keep every result exact, whatever the rounding of the variant.
const FACTOR: f64 = 3.0;

/// What is done with the arrays.
#[derive(Clone, Copy, PartialEq)]
pub enum Operation {
    Read,
    Write,
    Copy,
    Scale,
    Add,
    Triad,
    WriteNt,
    CopyNt,
    TriadNt,
}

impl Operation {
    fn n_arrays(self) -> usize {
        match self {
            Operation::Read | Operation::Write | Operation::WriteNt => 1,
            Operation::Copy | Operation::CopyNt | Operation::Scale => 2,
            Operation::Add | Operation::Triad | Operation::TriadNt => 3,
        }
    }

    fn needs_non_temporal(self) -> bool {
        matches!(
            self,
            Operation::WriteNt | Operation::CopyNt | Operation::TriadNt
        )
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

pub fn prepare(operation: Operation, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Stream {
        working_set_bytes,
        residency,
        ..
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    if operation.needs_non_temporal() && isa.non_temporal().is_none() {
        return Err(NotReady::Skipped(format!(
            "variant `{}` has no stores that bypass the caches",
            isa.name()
        )));
    }
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
        Operation::Scale | Operation::Add | Operation::Triad | Operation::TriadNt => {
            part.arrays[0].doubles_mut().fill(0.0);
            for (array, modulus) in part.arrays[1..].iter_mut().zip([1021, 509]) {
                for (idx, double) in array.doubles_mut().iter_mut().enumerate() {
                    *double = (idx % modulus) as f64;
                }
            }
        }
        _ => {
            for (array_idx, array) in part.arrays.iter_mut().enumerate() {
                // No two arrays alike: a copy that does nothing must show.
                let first = (array_idx as u64) << 40;
                for (idx, word) in array.words_mut().iter_mut().enumerate() {
                    *word = (first + idx as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
            Operation::Write | Operation::WriteNt => (0, 1, 0),
            Operation::Copy | Operation::CopyNt => (1, 1, 0),
            Operation::Scale => (1, 1, 1),
            Operation::Add => (2, 1, 1),
            Operation::Triad | Operation::TriadNt => (2, 1, 2),
        };
        Work {
            read_bytes: n_words * 8 * n_read,
            written_bytes: n_words * 8 * n_written,
            ops: n_words * ops,
            tokens: 0,
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
    let bypassing = || {
        isa.non_temporal()
            .expect("`prepare` refused variants without such stores")
    };
    part.last_value = part.last_value.wrapping_add(0x0101_0101_0101_0101);
    let value = part.last_value;
    match (operation, part.arrays.as_mut_slice()) {
        (Operation::Read, [from]) => part.last_sum = isa.read(from.words_mut()),
        (Operation::Write, [to]) => isa.write(to.words_mut(), value),
        (Operation::WriteNt, [to]) => bypassing().write(to.words_mut(), value),
        (Operation::Copy, [to, from]) => isa.copy(to.words_mut(), from.words_mut()),
        (Operation::CopyNt, [to, from]) => bypassing().copy(to.words_mut(), from.words_mut()),
        (Operation::Scale, [to, from]) => {
            isa.scale(to.doubles_mut(), from.doubles_mut(), FACTOR);
        }
        (Operation::Add, [to, a, b]) => {
            isa.add(to.doubles_mut(), a.doubles_mut(), b.doubles_mut());
        }
        (Operation::Triad, [a, b, c]) => {
            isa.triad(a.doubles_mut(), b.doubles_mut(), c.doubles_mut(), FACTOR);
        }
        (Operation::TriadNt, [a, b, c]) => {
            bypassing().triad(a.doubles_mut(), b.doubles_mut(), c.doubles_mut(), FACTOR);
        }
        _ => unreachable!("`prepare` made as many arrays as the operation has"),
    }
}

/// Elements that differ from what the operation's definition gives.
fn count_wrong(operation: Operation, part: &mut Part) -> u64 {
    let value = part.last_value;
    match part.arrays.as_mut_slice() {
        [_] if operation == Operation::Read => u64::from(part.last_sum != part.expected_sum),
        [to] => to.words_mut().iter().filter(|word| **word != value).count() as u64,
        [to, from] if operation == Operation::Scale => {
            let expected = from.doubles_mut().iter().map(|from| FACTOR * from);
            count_different(to.doubles_mut(), expected)
        }
        [to, from] => count_different(to.words_mut(), from.words_mut().iter().copied()),
        [to, b, c] => {
            let factor = if operation == Operation::Add {
                1.0
            } else {
                FACTOR
            };
            let inputs = b.doubles_mut().iter().zip(c.doubles_mut().iter());
            count_different(to.doubles_mut(), inputs.map(|(b, c)| b + factor * c))
        }
        _ => unreachable!("no operation has so many arrays"),
    }
}

fn count_different<T: PartialEq + Copy>(to: &[T], expected: impl Iterator<Item = T>) -> u64 {
    to.iter()
        .zip(expected)
        .filter(|(to, expected)| **to != *expected)
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_operation_that_did_nothing() {
        let all = [
            Operation::Read,
            Operation::Write,
            Operation::Copy,
            Operation::Scale,
            Operation::Add,
            Operation::Triad,
            Operation::WriteNt,
            Operation::CopyNt,
            Operation::TriadNt,
        ];
        let isa = simd::best();
        for operation in all {
            if operation.needs_non_temporal() && isa.non_temporal().is_none() {
                continue;
            }
            let arrays = (0..operation.n_arrays()).map(|_| Region::new(8192).unwrap());
            let mut part = Part {
                arrays: arrays.collect(),
                expected_sum: 0,
                last_sum: 0,
                last_value: 0,
            };
            initialise(operation, &mut part);
            assert!(count_wrong(operation, &mut part) > 0, "{}", operation as u8);
            step(operation, isa, &mut part);
            assert_eq!(count_wrong(operation, &mut part), 0, "{}", operation as u8);
        }
    }
}
