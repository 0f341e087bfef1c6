//! Matrix times vector in a quantised format: the product that text generation consists of.
//!
//! In DRAM, as many matrices as fill the working set are walked through one after the other; the rows of each are shared
//! out in chunks, as a model's are. In the cache, every thread has a matrix of its own that stays in its private cache: the
//! rate at which the core multiplies weights that are there.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::chunks::{self, ProductShapes, WorkQueue};
use super::weights::{Format, GROUP_ROWS};
use super::{
    Choice, Kernel, NotReady, Prepared, Shape, compare, out_of_memory, require_memory, wrong_job,
};
use crate::memory::{Region, split_evenly};
use crate::numeric::{Activations, noise_f32};
use crate::pool::Pool;
use crate::simd::{self, Isa};

/// Least bytes of all matrices in a slice: more than what is asked for ahead beyond its end matters to.
const LEAST_SLICE_BYTES: usize = 1 << 20;

struct Gemv {
    format: Format,
    isa: &'static Isa,
    shapes: ProductShapes,
    residency: Residency,
    cols: usize,
    n_matrices: usize,
    x: Activations,
    /// Rows of every matrix that each thread filled, matrix after matrix.
    weights: Vec<Region>,
    /// Rows of one matrix that each thread filled.
    n_rows: Vec<usize>,
    tickets: WorkQueue,
    scratch: Vec<Mutex<Scratch>>,
}

/// Buffers of one thread.
struct Scratch {
    out: Vec<f32>,
    /// Phases of shared products so far; the same for every thread.
    phase_idx: usize,
}

pub fn prepare(format: Format, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    Ok(Box::new(build(format, unit, pool, isa)?))
}

fn build(
    format: Format,
    unit: &UnitSpec,
    pool: &Pool,
    isa: &'static Isa,
) -> Result<Gemv, NotReady> {
    let Job::Gemv {
        rows,
        cols,
        working_set_bytes,
        residency,
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    let (rows, cols) = (rows as usize, cols as usize);
    if rows == 0 || rows % GROUP_ROWS != 0 || cols == 0 || cols % format.block_elements() != 0 {
        return Err(NotReady::Failed(format!(
            "a {rows} x {cols} matrix does not consist of whole groups of {GROUP_ROWS} rows and blocks of {} columns",
            format.block_elements()
        )));
    }
    let row_bytes = format.row_bytes(cols);
    let n_matrices = match residency {
        Residency::Dram | Residency::Sweep => {
            (working_set_bytes as usize / (rows * row_bytes)).max(1)
        }
        Residency::Cache => 1,
    };
    let n_threads = pool.n_threads();
    let n_groups = rows / GROUP_ROWS;
    let rows_of = |thread_idx: usize| match residency {
        Residency::Dram | Residency::Sweep => {
            split_evenly(n_groups, n_threads, thread_idx).len() * GROUP_ROWS
        }
        Residency::Cache => rows,
    };
    require_memory(
        (0..n_threads)
            .map(|idx| (rows_of(idx) * row_bytes * n_matrices) as u64)
            .sum(),
    )?;
    let n_rows: Vec<usize> = (0..n_threads).map(rows_of).collect();
    let weights = n_rows
        .iter()
        .map(|n_rows| Region::new((n_rows * row_bytes * n_matrices).max(1)).map(Mutex::new))
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(out_of_memory)?;
    pool.run(&|thread_idx| {
        if n_rows[thread_idx] > 0 {
            let mut region = weights[thread_idx]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            format.fill_synthetic(region.bytes_mut(), thread_idx as u64 + 1);
        }
    });
    let weights = weights.into_iter();
    let weights = weights
        .map(|region| region.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect();
    let mut x = Activations::new(cols, format.activation_block());
    let mut state = 7;
    x.quantise(
        &(0..cols)
            .map(|_| noise_f32(&mut state))
            .collect::<Vec<f32>>(),
    );
    let n_sharing = match residency {
        Residency::Dram | Residency::Sweep => n_threads,
        Residency::Cache => 1,
    };
    let most_rows = n_rows.iter().copied().max().unwrap_or(0);
    let scratch = || {
        Mutex::new(Scratch {
            out: vec![0.0; most_rows],
            phase_idx: 0,
        })
    };
    Ok(Gemv {
        format,
        isa,
        shapes: ProductShapes::new(isa, n_sharing),
        residency,
        cols,
        n_matrices,
        x,
        weights,
        n_rows,
        tickets: WorkQueue::new(n_threads),
        scratch: (0..n_threads).map(|_| scratch()).collect(),
    })
}

impl Gemv {
    /// Each thread takes the lock of its own buffers only: it is never contended.
    fn scratch_of(&self, thread_idx: usize) -> MutexGuard<'_, Scratch> {
        let scratch = &self.scratch[thread_idx];
        scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows `rows` of one matrix, of those that one thread filled.
    fn rows(&self, owner_idx: usize, matrix_idx: usize, rows: Range<usize>) -> &[u8] {
        let row_bytes = self.format.row_bytes(self.cols);
        let first = matrix_idx * self.n_rows[owner_idx];
        &self.weights[owner_idx].bytes()[(first + rows.start) * row_bytes..]
            [..rows.len() * row_bytes]
    }

    fn multiply(&self, weights: &[u8], out: &mut [f32]) {
        let shape = self.shapes.taken();
        self.isa.gemv_as(
            shape.product_idx,
            self.format,
            weights,
            self.cols,
            &self.x,
            out,
        );
    }

    /// Bytes of one matrix over all threads.
    fn matrix_bytes(&self) -> usize {
        self.n_rows.iter().sum::<usize>() * self.format.row_bytes(self.cols)
    }

    /// Matrices `first .. first + n`, counted round and round, once each; all threads call it. `then` is told whose rows
    /// of which matrix came out as what.
    fn pass(
        &self,
        pool: &Pool,
        thread_idx: usize,
        first: usize,
        n: usize,
        then: impl Fn(usize, usize, Range<usize>, &[f32]),
    ) {
        let mut scratch = self.scratch_of(thread_idx);
        let Scratch { out, phase_idx } = &mut *scratch;
        if self.residency == Residency::Cache {
            let n_rows = self.n_rows[thread_idx];
            for _ in 0..n {
                self.multiply(self.rows(thread_idx, 0, 0..n_rows), &mut out[..n_rows]);
            }
            return;
        }
        let shape = self.shapes.taken();
        let group_bytes = GROUP_ROWS * self.format.row_bytes(self.cols);
        let n_groups = |owner_idx: usize| self.n_rows[owner_idx] / GROUP_ROWS;
        let of_matrix =
            |owner_idx| chunks::n_chunks(n_groups(owner_idx), group_bytes, shape.chunk_bytes);
        *phase_idx += 1;
        self.tickets.share(
            *phase_idx,
            thread_idx,
            |owner_idx| n * of_matrix(owner_idx),
            |owner_idx, chunk_idx| {
                let n_chunks = of_matrix(owner_idx);
                let matrix_idx = (first + chunk_idx / n_chunks) % self.n_matrices;
                let groups = split_evenly(n_groups(owner_idx), n_chunks, chunk_idx % n_chunks);
                let rows = groups.start * GROUP_ROWS..groups.end * GROUP_ROWS;
                // Results go into the buffer of the thread that made them: two may be at the same rows of two matrices.
                let out = &mut out[..rows.len()];
                self.multiply(self.rows(owner_idx, matrix_idx, rows.clone()), out);
                then(owner_idx, matrix_idx, rows, out);
            },
        );
        pool.barrier().wait();
    }

    fn matrices_per_slice(&self) -> usize {
        LEAST_SLICE_BYTES
            .div_ceil(self.matrix_bytes().max(1))
            .min(self.n_matrices)
    }

    fn weight_bytes(&self) -> u64 {
        (self.matrix_bytes() * self.n_matrices) as u64
    }
}

impl Kernel for Gemv {
    fn shape(&self) -> Shape {
        let read_bytes = self.weight_bytes();
        let n_weights =
            read_bytes / self.format.block_bytes() as u64 * self.format.block_elements() as u64;
        Shape {
            working_set_bytes: read_bytes,
            residency: self.residency,
            work: Work {
                read_bytes,
                written_bytes: 0,
                ops: 2 * n_weights,
                tokens: 0,
            },
            convention: Convention::Weights,
            huge_page_bytes: self.weights.iter().map(Region::huge_page_bytes).sum(),
            model: None,
        }
    }

    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        let this = &*self;
        let right = Check {
            passed: true,
            max_error: 0.0,
            tolerance: 0.0,
        };
        let worse = |a: Check, b: Check| Check {
            passed: a.passed && b.passed,
            max_error: a.max_error.max(b.max_error),
            tolerance: 0.0,
        };
        let worst = Mutex::new(right);
        pool.run(&|thread_idx| {
            let n_rows = this.n_rows[thread_idx];
            let mut scratch = this.scratch_of(thread_idx);
            let mut reference = vec![0.0; n_rows];
            for matrix_idx in (0..this.n_matrices).filter(|_| n_rows > 0) {
                let weights = this.rows(thread_idx, matrix_idx, 0..n_rows);
                let out = &mut scratch.out[..n_rows];
                this.multiply(weights, out);
                simd::scalar().gemv(this.format, weights, this.cols, &this.x, &mut reference);
                let check = compare(out, &reference);
                let mut worst = worst.lock().unwrap_or_else(PoisonError::into_inner);
                *worst = worse(*worst, check);
            }
        });
        Ok(worst.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn choices(&self) -> Vec<Choice> {
        vec![self.shapes.choice("")]
    }

    fn take_shape(&mut self, _choice_idx: usize, shape_idx: usize) {
        self.shapes.take(shape_idx);
    }

    /// A slice is some of the matrices.
    fn run_slices(&mut self, _choice_idx: usize, pool: &Pool, first: usize, n: usize) -> u64 {
        let this = &*self;
        let per_slice = this.matrices_per_slice();
        let (first, n) = (first * per_slice, n * per_slice);
        pool.run(&|thread_idx| this.pass(pool, thread_idx, first, n, |_, _, _, _| ()));
        (n * this.matrix_bytes()) as u64
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            for _ in 0..iterations {
                this.pass(pool, thread_idx, 0, this.n_matrices, |_, _, _, _| ());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use bench_protocol::Sampling;

    use super::*;
    use crate::affinity;

    #[test]
    fn every_row_of_every_matrix_comes_out_once_whoever_multiplies_it() {
        let cpu = affinity::allowed_cpus()[0];
        let unit = UnitSpec {
            unit: "gemv".into(),
            round: 0,
            kernel: "gemv_q4_0".into(),
            variant: None,
            shape: None,
            cpus: vec![cpu; 3],
            candidates: Vec::new(),
            job: Job::Gemv {
                rows: 1000,
                cols: 512,
                working_set_bytes: 3 * 1000 * 288,
                residency: Residency::Dram,
            },
            background: None,
            environment: Default::default(),
            sampling: Sampling {
                min_samples: 1,
                max_samples: 1,
                budget_ms: 1,
                precision_ppm: 0,
                sample_ms: 0,
                with_state: false,
            },
            deadline_ms: 60_000,
        };
        let pool = Pool::new(&unit.cpus).unwrap();
        let mut gemv = build(Format::Q4_0, &unit, &pool, simd::best())
            .ok()
            .unwrap();
        assert_eq!(gemv.n_matrices, 3);
        for shape_idx in 0..gemv.shapes.all.len() {
            gemv.take_shape(0, shape_idx);
            gemv.shapes.all[shape_idx].1.chunk_bytes = 16 << 10;
            let rows = Mutex::new(Vec::new());
            let this = &gemv;
            pool.run(&|thread_idx| {
                this.pass(&pool, thread_idx, 2, 3, |owner, matrix, of, out| {
                    let mut rows = rows.lock().unwrap();
                    rows.extend(
                        of.zip(out)
                            .map(|(row, out)| (owner, matrix, row, out.to_bits())),
                    );
                });
            });
            let mut rows = rows.into_inner().unwrap();
            rows.sort_unstable();
            let mut expected = Vec::new();
            for (owner, n_rows) in gemv.n_rows.iter().enumerate() {
                for matrix in 0..3 {
                    let mut out = vec![0.0; *n_rows];
                    let weights = gemv.rows(owner, matrix, 0..*n_rows);
                    simd::scalar().gemv(Format::Q4_0, weights, 512, &gemv.x, &mut out);
                    let of_matrix = out.iter().enumerate();
                    expected
                        .extend(of_matrix.map(|(row, out)| (owner, matrix, row, out.to_bits())));
                }
            }
            assert_eq!(rows, expected);
        }
    }
}
