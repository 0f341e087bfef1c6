//! Streaming kernels: read, write, copy, scale, add and triad over arrays of 64-bit elements, and write, copy and triad
//! with stores that bypass the caches.
//!
//! STREAM-style: bytes read plus bytes written are counted, write-allocate traffic is not. Every thread has arrays of
//! its own, which it touches first and alone. They lie in one region, so that a set of a few KiB is possible.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, Job, Pages, Residency, UnitSpec, Work};

use super::{Choice, Kernel, NotReady, Prepared, Shape, out_of_memory, require_memory, wrong_job};
use crate::memory::{Region, split_evenly};
use crate::pool::Pool;
use crate::simd::{self, Isa, Operation, Shaped};

/// The factor of scale and triad; small whole numbers keep every result exact, whatever the rounding of the variant.
const FACTOR: f64 = 3.0;

/// Arrays of an operation: the first is written, unless it is the only one and read.
fn n_arrays(operation: Operation) -> usize {
    match operation {
        Operation::Read | Operation::Write | Operation::WriteNt => 1,
        Operation::Copy | Operation::CopyNt | Operation::Scale => 2,
        Operation::Add | Operation::Triad | Operation::TriadNt => 3,
    }
}

/// Bytes of the usual step of the widest vectors. Arrays are whole steps: what is left of one goes vector by vector, and
/// in a small set that would be what is measured.
const STEP_BYTES: usize = 512;

/// Slices of the arrays in a trial of a shape: enough that a slice comes again only after all others, from memory.
const MOST_SLICES: usize = 64;

/// Fewest bytes of one array in a slice: more than what is asked for ahead beyond its end matters to.
const LEAST_SLICE_BYTES: usize = 256 << 10;

struct Stream {
    operation: Operation,
    /// Every shape that the CPU runs, and the one that runs now.
    shapes: Vec<&'static Shaped>,
    shape_idx: usize,
    residency: Residency,
    array_words: usize,
    parts: Vec<Mutex<Part>>,
}

/// The arrays of one thread: the first is written, the others are read (a single one as the operation says).
struct Part {
    region: Region,
    array_words: usize,
    /// From the start of one array to the start of the next.
    stride_words: usize,
    expected_sum: u64,
    last_sum: u64,
    last_value: u64,
}

pub fn prepare(operation: Operation, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Stream {
        working_set_bytes,
        residency,
        pages,
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    let shapes = isa.shapes(operation);
    if shapes.is_empty() {
        return Err(NotReady::Skipped(format!(
            "variant `{}` has no stores that bypass the caches",
            isa.name()
        )));
    }
    require_memory(working_set_bytes)?;
    let n_arrays = pool.n_threads() * n_arrays(operation);
    let array_bytes = array_bytes(working_set_bytes as usize, n_arrays, residency);
    let parts = (0..pool.n_threads())
        .map(|_| Part::new(operation, array_bytes, pages).map(Mutex::new))
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(out_of_memory)?;
    let stream = Stream {
        operation,
        shapes,
        shape_idx: 0,
        residency,
        array_words: array_bytes / 8,
        parts,
    };
    pool.run(&|thread_idx| stream.with_part(thread_idx, |part| initialise(operation, part)));
    Ok(Box::new(stream))
}

/// Whole steps per array, and at least one: no less than asked for where the set has to exceed the caches, no more
/// where it has to fit one.
fn array_bytes(working_set_bytes: usize, n_arrays: usize, residency: Residency) -> usize {
    let asked_bytes = working_set_bytes / n_arrays;
    let array_bytes = match residency {
        Residency::Dram => asked_bytes.next_multiple_of(STEP_BYTES),
        Residency::Cache | Residency::Sweep => asked_bytes / STEP_BYTES * STEP_BYTES,
    };
    array_bytes.max(STEP_BYTES)
}

/// Bytes from the start of one array to the start of the next.
///
/// A load that follows a store whose address has the same last 12 bits waits for it on many CPUs, although the
/// addresses differ. Loads run ahead of stores: they must not begin a little before them, modulo 4096, so every array
/// begins 256 bytes later in its page than the one before it. Equal places would do as well, but then all arrays of a
/// small set begin in the same set of a cache.
fn stride_bytes(array_bytes: usize) -> usize {
    const PAGE_BYTES: usize = 4096;
    const SHIFT_BYTES: usize = 256;
    match array_bytes {
        // The longest distance that still lies well before the end of the page.
        0..=1024 => array_bytes.max(SHIFT_BYTES),
        _ => (array_bytes - SHIFT_BYTES).next_multiple_of(PAGE_BYTES) + SHIFT_BYTES,
    }
}

impl Part {
    fn new(operation: Operation, array_bytes: usize, pages: Pages) -> std::io::Result<Part> {
        let stride_bytes = stride_bytes(array_bytes);
        let n_bytes = stride_bytes * (n_arrays(operation) - 1) + array_bytes;
        Ok(Part {
            region: Region::with_pages(n_bytes, pages)?,
            array_words: array_bytes / 8,
            stride_words: stride_bytes / 8,
            expected_sum: 0,
            last_sum: 0,
            last_value: 0,
        })
    }

    fn range(&self, array_idx: usize) -> Range<usize> {
        let start = array_idx * self.stride_words;
        start..start + self.array_words
    }

    /// The arrays as words.
    fn words<const N: usize>(&mut self) -> [&mut [u64]; N] {
        let ranges = std::array::from_fn(|idx| self.range(idx));
        self.region
            .words_mut()
            .get_disjoint_mut(ranges)
            .expect("`new` made room for all arrays of the operation")
    }

    /// The arrays as doubles.
    fn doubles<const N: usize>(&mut self) -> [&mut [f64]; N] {
        let ranges = std::array::from_fn(|idx| self.range(idx));
        self.region
            .doubles_mut()
            .get_disjoint_mut(ranges)
            .expect("`new` made room for all arrays of the operation")
    }
}

/// Touches every page from the thread that will use it.
fn initialise(operation: Operation, part: &mut Part) {
    match operation {
        Operation::Scale | Operation::Add | Operation::Triad | Operation::TriadNt => {
            for (array_idx, modulus) in (0..n_arrays(operation)).zip([1, 1021, 509]) {
                let range = part.range(array_idx);
                let array = &mut part.region.doubles_mut()[range];
                for (idx, double) in array.iter_mut().enumerate() {
                    *double = (idx % modulus) as f64;
                }
            }
        }
        _ => {
            for array_idx in 0..n_arrays(operation) {
                // No two arrays alike: a copy that does nothing must show.
                let first = (array_idx as u64) << 40;
                let range = part.range(array_idx);
                let array = &mut part.region.words_mut()[range];
                for (idx, word) in array.iter_mut().enumerate() {
                    *word = (first + idx as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                }
            }
            let [first] = part.words();
            part.expected_sum = simd::scalar().usual(Operation::Read).read(first);
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

    /// Parts of an iteration of about the same size.
    fn n_slices(&self) -> usize {
        match self.residency {
            Residency::Cache => 1,
            Residency::Dram | Residency::Sweep => {
                (self.array_words * 8 / LEAST_SLICE_BYTES).clamp(1, MOST_SLICES)
            }
        }
    }

    fn work(&self) -> Work {
        let n_words = (self.array_words * self.parts.len()) as u64;
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
        let n_arrays = n_arrays(self.operation) * self.parts.len();
        let huge_page_bytes = self
            .parts
            .iter()
            .map(|part| {
                let part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.region.huge_page_bytes()
            })
            .sum();
        Shape {
            working_set_bytes: (n_arrays * self.array_words * 8) as u64,
            residency: self.residency,
            work: self.work(),
            convention: Convention::ReadPlusWrite,
            huge_page_bytes,
            model: None,
        }
    }

    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
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
        Ok(Check {
            passed: n_wrong == 0,
            max_error: n_wrong as f64,
            tolerance: 0.0,
        })
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let (this, shaped) = (&*self, self.shapes[self.shape_idx]);
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                for _ in 0..iterations {
                    let all = 0..part.array_words;
                    step(this.operation, shaped, part, all);
                }
            });
        });
    }

    fn choices(&self) -> Vec<Choice> {
        let names = self.shapes.iter().map(|shaped| shaped.name().to_string());
        vec![Choice {
            about: "",
            names: names.collect(),
            taken_idx: self.shape_idx,
        }]
    }

    fn take_shape(&mut self, _choice_idx: usize, shape_idx: usize) {
        self.shape_idx = shape_idx;
    }

    fn run_slices(&mut self, _choice_idx: usize, pool: &Pool, first: usize, n: usize) -> u64 {
        let (this, shaped, n_slices) = (&*self, self.shapes[self.shape_idx], self.n_slices());
        let slice = |idx: usize| {
            let step_words = STEP_BYTES / 8;
            let steps = split_evenly(this.array_words / step_words, n_slices, idx % n_slices);
            steps.start * step_words..steps.end * step_words
        };
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                for idx in first..first + n {
                    step(this.operation, shaped, part, slice(idx));
                }
            });
        });
        let n_words: usize = (first..first + n).map(|idx| slice(idx).len()).sum();
        let Work {
            read_bytes,
            written_bytes,
            ..
        } = this.work();
        let bytes_per_word = (read_bytes + written_bytes) / this.array_words as u64;
        n_words as u64 * bytes_per_word
    }

    fn is_still_right(&self) -> bool {
        self.operation != Operation::Read
            || self.parts.iter().all(|part| {
                let part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.last_sum == part.expected_sum
            })
    }
}

/// The operation on the same words of every array.
fn step(operation: Operation, shaped: &Shaped, part: &mut Part, words: Range<usize>) {
    part.last_value = part.last_value.wrapping_add(0x0101_0101_0101_0101);
    let value = part.last_value;
    match operation {
        Operation::Read => {
            let [from] = part.words();
            part.last_sum = shaped.read(&from[words]);
        }
        Operation::Write | Operation::WriteNt => {
            let [to] = part.words();
            shaped.write(&mut to[words], value);
        }
        Operation::Copy | Operation::CopyNt => {
            let [to, from] = part.words();
            shaped.copy(&mut to[words.clone()], &from[words]);
        }
        Operation::Scale => {
            let [to, from] = part.doubles();
            shaped.scale(&mut to[words.clone()], &from[words], FACTOR);
        }
        Operation::Add => {
            let [to, a, b] = part.doubles();
            shaped.add(&mut to[words.clone()], &a[words.clone()], &b[words]);
        }
        Operation::Triad | Operation::TriadNt => {
            let [to, b, c] = part.doubles();
            shaped.triad(&mut to[words.clone()], &b[words.clone()], &c[words], FACTOR);
        }
    }
}

/// Elements that differ from what the operation's definition gives.
fn count_wrong(operation: Operation, part: &mut Part) -> u64 {
    let value = part.last_value;
    match operation {
        Operation::Read => u64::from(part.last_sum != part.expected_sum),
        Operation::Write | Operation::WriteNt => {
            let [to] = part.words();
            to.iter().filter(|word| **word != value).count() as u64
        }
        Operation::Copy | Operation::CopyNt => {
            let [to, from] = part.words();
            count_different(to, from.iter().copied())
        }
        Operation::Scale => {
            let [to, from] = part.doubles();
            count_different(to, from.iter().map(|from| FACTOR * *from))
        }
        Operation::Add | Operation::Triad | Operation::TriadNt => {
            let factor = if operation == Operation::Add {
                1.0
            } else {
                FACTOR
            };
            let [to, b, c] = part.doubles();
            count_different(to, b.iter().zip(c.iter()).map(|(b, c)| b + factor * *c))
        }
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
        for operation in Operation::ALL {
            for shaped in simd::best().shapes(operation) {
                let name = shaped.name();
                let mut part = Part::new(operation, 8192, Pages::Huge).unwrap();
                initialise(operation, &mut part);
                assert!(
                    count_wrong(operation, &mut part) > 0,
                    "{operation:?} {name}"
                );
                let all = 0..part.array_words;
                step(operation, shaped, &mut part, all);
                assert_eq!(count_wrong(operation, &mut part), 0, "{operation:?} {name}");
            }
        }
    }

    #[test]
    fn arrays_are_whole_steps_on_the_right_side_of_the_size_asked_for() {
        let check = |asked: usize, n_arrays: usize, residency: Residency, expect: usize| {
            assert_eq!(array_bytes(asked, n_arrays, residency), expect, "{asked}");
        };
        check(4096, 2, Residency::Sweep, 2048);
        check(4096, 6, Residency::Sweep, 512);
        check(8192, 6, Residency::Cache, 1024);
        check(100, 6, Residency::Sweep, 512);
        check(1 << 30, 6, Residency::Dram, 178_957_312);
    }

    #[test]
    fn no_array_begins_a_little_before_another_modulo_a_page() {
        for array_bytes in (512..20_000).step_by(512).chain([178_957_312]) {
            let stride = stride_bytes(array_bytes);
            assert!(stride >= array_bytes, "{array_bytes} overlap");
            for n in [stride, 2 * stride] {
                let ahead = n % 4096;
                assert!((256..=2048).contains(&ahead), "{array_bytes}: {ahead}");
            }
        }
    }
}
