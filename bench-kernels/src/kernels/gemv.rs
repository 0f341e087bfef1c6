//! Matrix times vector in a quantised format: the product that text generation consists of.
//!
//! In DRAM, as many matrices as fill the working set are walked through one after the other. In the cache, every
//! thread has a matrix of its own that stays in its private cache: the rate at which the core eats weights.

use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::weights::{Format, GROUP_ROWS};
use super::{Kernel, NotReady, Prepared, Shape, compare, out_of_memory, require_memory, wrong_job};
use crate::memory::{Region, split_evenly};
use crate::numeric::{Activations, noise_f32};
use crate::pool::Pool;
use crate::simd::{self, Isa};

struct Gemv {
    format: Format,
    isa: &'static Isa,
    residency: Residency,
    cols: usize,
    n_matrices: usize,
    x: Activations,
    parts: Vec<Mutex<Part>>,
}

/// The rows of one thread, of every matrix.
struct Part {
    weights: Region,
    out: Vec<f32>,
    check: Option<Check>,
}

pub fn prepare(format: Format, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
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
    let parts = (0..n_threads)
        .map(|thread_idx| {
            let n_rows = rows_of(thread_idx);
            let weights = Region::new((n_rows * row_bytes * n_matrices).max(1))?;
            Ok(Mutex::new(Part {
                weights,
                out: vec![0.0; n_rows],
                check: None,
            }))
        })
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(out_of_memory)?;
    let mut x = Activations::new(cols, format.activation_block());
    let mut state = 7;
    x.quantise(
        &(0..cols)
            .map(|_| noise_f32(&mut state))
            .collect::<Vec<f32>>(),
    );
    let gemv = Gemv {
        format,
        isa,
        residency,
        cols,
        n_matrices,
        x,
        parts,
    };
    pool.run(&|thread_idx| {
        gemv.with_part(thread_idx, |part| {
            if !part.out.is_empty() {
                format.fill_synthetic(part.weights.bytes_mut(), thread_idx as u64 + 1);
            }
        });
    });
    Ok(Box::new(gemv))
}

impl Gemv {
    /// Each thread takes the lock of its own part only: it is never contended.
    fn with_part(&self, thread_idx: usize, action: impl FnOnce(&mut Part)) {
        action(
            &mut self.parts[thread_idx]
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn matrix_bytes(&self, part: &Part) -> usize {
        part.out.len() * self.format.row_bytes(self.cols)
    }

    fn weight_bytes(&self) -> u64 {
        let parts = self
            .parts
            .iter()
            .map(|part| part.lock().unwrap_or_else(PoisonError::into_inner));
        parts
            .map(|part| (self.matrix_bytes(&part) * self.n_matrices) as u64)
            .sum()
    }
}

impl Kernel for Gemv {
    fn shape(&self) -> Shape {
        let read_bytes = self.weight_bytes();
        let n_weights =
            read_bytes / self.format.block_bytes() as u64 * self.format.block_elements() as u64;
        let parts = self
            .parts
            .iter()
            .map(|part| part.lock().unwrap_or_else(PoisonError::into_inner));
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
            huge_page_bytes: parts.map(|part| part.weights.huge_page_bytes()).sum(),
            model: None,
        }
    }

    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        let this = &*self;
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                let mut reference = vec![0.0; part.out.len()];
                let mut worst = Check {
                    passed: true,
                    max_error: 0.0,
                    tolerance: 0.0,
                };
                let matrix_bytes = this.matrix_bytes(part);
                for matrix in part.weights.bytes().chunks_exact(matrix_bytes.max(1)) {
                    if part.out.is_empty() {
                        break;
                    }
                    this.isa
                        .gemv(this.format, matrix, this.cols, &this.x, &mut part.out);
                    simd::scalar().gemv(this.format, matrix, this.cols, &this.x, &mut reference);
                    let check = compare(&part.out, &reference);
                    worst.passed &= check.passed;
                    worst.max_error = worst.max_error.max(check.max_error);
                }
                part.check = Some(worst);
            });
        });
        let checks = self
            .parts
            .iter()
            .filter_map(|part| part.lock().unwrap_or_else(PoisonError::into_inner).check);
        let worst = checks.fold(
            Check {
                passed: true,
                max_error: 0.0,
                tolerance: 0.0,
            },
            |all, one| Check {
                passed: all.passed && one.passed,
                max_error: all.max_error.max(one.max_error),
                tolerance: 0.0,
            },
        );
        Ok(worst)
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            this.with_part(thread_idx, |part| {
                if part.out.is_empty() {
                    return;
                }
                let matrix_bytes = this.matrix_bytes(part);
                for _ in 0..iterations {
                    for matrix in part.weights.bytes().chunks_exact(matrix_bytes) {
                        this.isa
                            .gemv(this.format, matrix, this.cols, &this.x, &mut part.out);
                    }
                }
            });
        });
    }
}
