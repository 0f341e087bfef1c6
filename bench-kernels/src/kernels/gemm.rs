//! Matrix times a batch of vectors in a quantised format: the product that reading a prompt consists of.
//!
//! Threads take runs of rows from a counter. The activations are quantised beforehand, as they serve several matrices
//! of a model.

use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, Job, Residency, UnitSpec, Work};

use super::batch::{Batch, Counter, GemmScratch, n_items, rows_of_item};
use super::weights::{Format, GROUP_ROWS};
use super::{Kernel, NotReady, Prepared, Shape, compare, out_of_memory, require_memory, wrong_job};
use crate::memory::{PhaseBuffer, Region};
use crate::numeric::noise_f32;
use crate::pool::Pool;
use crate::simd::{self, Isa};

struct Gemm {
    format: Format,
    isa: &'static Isa,
    rows: usize,
    cols: usize,
    n_tokens: usize,
    weights: Region,
    tokens: Vec<Vec<f32>>,
    x: Batch,
    desks: Vec<Mutex<GemmScratch>>,
    counter: Counter,
    /// `[token][row]`.
    out: PhaseBuffer,
}

pub fn prepare(format: Format, unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Gemm {
        rows,
        cols,
        n_tokens,
    } = unit.job
    else {
        return Err(wrong_job(unit));
    };
    let (rows, cols, n_tokens) = (rows as usize, cols as usize, n_tokens as usize);
    if rows == 0 || rows % GROUP_ROWS != 0 || cols == 0 || cols % format.block_elements() != 0 {
        return Err(NotReady::Failed(format!(
            "a {rows} x {cols} matrix does not consist of whole groups of {GROUP_ROWS} rows and blocks of {} columns",
            format.block_elements()
        )));
    }
    if n_tokens == 0 {
        return Err(NotReady::Failed("a batch has at least one token".into()));
    }
    let row_bytes = format.row_bytes(cols);
    require_memory((rows * row_bytes + n_tokens * (rows * 4 + cols * 8)) as u64)?;
    let x = Batch::new(cols, format.activation_block(), n_tokens, isa);
    let desks = (0..pool.n_threads())
        .map(|_| GemmScratch::new(x.n_padded()).map(Mutex::new))
        .collect::<Result<Vec<_>, _>>()
        .map_err(out_of_memory)?;
    let mut weights = Region::new(rows * row_bytes).map_err(out_of_memory)?;
    for (group_idx, group) in weights
        .bytes_mut()
        .chunks_exact_mut(GROUP_ROWS * row_bytes)
        .enumerate()
    {
        format.fill_synthetic(group, group_idx as u64 + 1);
    }
    let mut state = 7;
    let tokens = (0..n_tokens).map(|_| (0..cols).map(|_| noise_f32(&mut state)).collect());
    let tokens: Vec<Vec<f32>> = tokens.collect();
    for (token, values) in tokens.iter().enumerate() {
        // SAFETY: no other thread knows the batch yet.
        unsafe { x.quantise(isa, token, values) };
    }
    Ok(Box::new(Gemm {
        format,
        isa,
        rows,
        cols,
        n_tokens,
        weights,
        tokens,
        x,
        desks,
        counter: Counter::default(),
        out: PhaseBuffer::new(n_tokens * rows),
    }))
}

impl Gemm {
    /// One product, by all threads together.
    fn step(&self, thread_idx: usize) {
        let mut desk = self.desks[thread_idx]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let row_bytes = self.format.row_bytes(self.cols);
        let n_threads = self.desks.len();
        // SAFETY: the batch was written before the pool started this job.
        let x = unsafe { self.x.view() };
        while let Some(item_idx) = self.counter.next(n_items(self.rows, n_threads)) {
            let rows = rows_of_item(self.rows, n_threads, item_idx);
            let groups = &self.weights.bytes()[rows.start * row_bytes..rows.end * row_bytes];
            desk.multiply(self.isa, self.format, groups, x, self.x.n_padded(), 0);
            for token in 0..self.n_tokens {
                let at = token * self.rows;
                // SAFETY: each item is taken by one thread, and the output is read only after the pool has returned.
                let out = unsafe { self.out.write(at + rows.start..at + rows.end) };
                crate::numeric::copy(out, desk.out(0, rows.len(), token));
            }
        }
    }
}

impl Kernel for Gemm {
    fn shape(&self) -> Shape {
        let read_bytes = (self.rows * self.format.row_bytes(self.cols)) as u64;
        Shape {
            working_set_bytes: read_bytes,
            residency: Residency::Sweep,
            work: Work {
                read_bytes,
                written_bytes: 0,
                ops: 2 * (self.rows * self.cols * self.n_tokens) as u64,
                tokens: 0,
            },
            convention: Convention::Weights,
            huge_page_bytes: self.weights.huge_page_bytes(),
            model: None,
        }
    }

    /// Compares the first, the last and a middle panel of rows, for all tokens, with the scalar reference.
    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        self.iterate(pool, 1);
        let reference = simd::scalar();
        let x = Batch::new(
            self.cols,
            self.format.activation_block(),
            self.n_tokens,
            reference,
        );
        for (token, values) in self.tokens.iter().enumerate() {
            // SAFETY: no other thread knows the batch.
            unsafe { x.quantise(reference, token, values) };
        }
        let mut desk = GemmScratch::new(x.n_padded()).map_err(out_of_memory)?;
        // SAFETY: the pool has returned: no thread works on the buffers.
        let (view, out) = unsafe { (x.view(), self.out.read()) };
        let n_rows = crate::simd::batch::PANEL_ROWS.min(self.rows);
        let (mut output, mut expected) = (Vec::new(), Vec::new());
        for first in [0, (self.rows - n_rows) / 2, self.rows - n_rows] {
            let rows = first / GROUP_ROWS * GROUP_ROWS..first / GROUP_ROWS * GROUP_ROWS + n_rows;
            let row_bytes = self.format.row_bytes(self.cols);
            let groups = &self.weights.bytes()[rows.start * row_bytes..rows.end * row_bytes];
            desk.multiply(reference, self.format, groups, view, x.n_padded(), 0);
            for token in 0..self.n_tokens {
                output.extend_from_slice(&out[token * self.rows..][rows.clone()]);
                expected.extend_from_slice(desk.out(0, n_rows, token));
            }
        }
        Ok(compare(&output, &expected))
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            for _ in 0..iterations {
                if thread_idx == 0 {
                    this.counter.reset();
                }
                pool.barrier().wait();
                this.step(thread_idx);
                pool.barrier().wait();
            }
        });
    }
}
