//! A whole prompt in one batch through a decoder-only transformer with a model's real tensor list and synthetic
//! weights, up to the logits of its last token.
//!
//! The layers are those of [`decode`](super::decode); what differs is that every matrix meets all tokens at once, so
//! that its weights are read once for the prompt and arithmetic is the limit.
//!
//! 1. Work is handed out from counters, one for every phase of a layer: runs of rows of a matrix, tiles of tokens to be
//!    normed and quantised, blocks of queries of a head.
//! 2. Each token is quantised once for all matrices that read it.
//! 3. The output matrix sees the last token only.
//! 4. Nothing is allocated, and no memcpy or memset of the C library is called.

mod attention;
#[cfg(test)]
mod tests;
mod workspace;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bench_protocol::{
    Check, Convention, DecodeModel, Job, KvFormat, ModelRef, Residency, UnitSpec, Work,
};

use self::workspace::{Scratch, Workspace, qkv_rows};
use super::batch::{n_items, rows_of_item};
use super::decode::plan::{self, Layer, Matrix, Plan};
use super::weights::GROUP_ROWS;
use super::{Kernel, NotReady, Prepared, Shape, compare, out_of_memory, require_memory, wrong_job};
use crate::memory::{PhaseBuffer, Region};
use crate::numeric::{self, noise_f32};
use crate::pool::{Barrier, Pool};
use crate::simd::{self, Isa};

/// Phases of a layer that hand out work from a counter.
const N_PHASES: usize = 10;

/// Tokens and layers that the comparison with the reference runs: the reference takes nanoseconds per weight and token,
/// and seven tokens end inside a tile of every variant.
const CHECKED_TOKENS: usize = 7;
const CHECKED_LAYERS: usize = 1;

/// Rows of the output matrix that a thread takes at a time.
const OUTPUT_ROWS: usize = 32 * GROUP_ROWS;

struct Prefill {
    plan: Plan,
    model: ModelRef,
    /// All matrices, one after the other; a plan for one thread tells where.
    weights: Region,
    /// `[token][hidden]`.
    embeddings: Vec<f32>,
    workspace: Workspace,
    scratch: Vec<Mutex<Scratch>>,
    /// Logits of the first run: every later one has to leave the same.
    expected: Vec<f32>,
}

pub fn prepare(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Prefill { model, n_prompt } = &unit.job else {
        return Err(wrong_job(unit));
    };
    Ok(Box::new(build(model, *n_prompt, pool, isa)?))
}

fn build(
    model: &DecodeModel,
    n_prompt: u64,
    pool: &Pool,
    isa: &'static Isa,
) -> Result<Prefill, NotReady> {
    if n_prompt == 0 {
        return Err(NotReady::Failed("a prompt has at least one token".into()));
    }
    let n_tokens = n_prompt as usize;
    let plan = plan::plan(model, n_tokens - 1, 1)?;
    let widest = qkv_rows(&plan) + 4 * plan.hidden + 3 * plan.ffn;
    require_memory(plan.weight_bytes + n_prompt * (plan.kv_bytes_per_token + 4 * widest as u64))?;
    let mut weights = Region::new(plan.thread_bytes[0].max(1)).map_err(out_of_memory)?;
    fill(&plan, &mut weights, pool);
    let workspace = Workspace::new(&plan, isa, n_tokens);
    let scratch = new_scratch(&plan, &workspace, pool.n_threads())?;
    let embeddings = (0..n_prompt).flat_map(|token| {
        let mut state = 11 + (token << 32);
        (0..plan.hidden).map(move |_| noise_f32(&mut state))
    });
    Ok(Prefill {
        model: ModelRef {
            model: model.model.clone(),
            quant: model.quant.clone(),
            depth: 0,
            n_prompt,
            n_generate: 0,
            kv_format: KvFormat::F16,
            held_layers: None,
        },
        weights,
        embeddings: embeddings.collect(),
        workspace,
        scratch,
        expected: Vec::new(),
        plan,
    })
}

fn new_scratch(
    plan: &Plan,
    workspace: &Workspace,
    n_threads: usize,
) -> Result<Vec<Mutex<Scratch>>, NotReady> {
    (0..n_threads)
        .map(|_| Scratch::new(plan, workspace).map(Mutex::new))
        .collect::<Result<_, _>>()
        .map_err(out_of_memory)
}

/// Fills all matrices, each thread some; the content is that which the decode kernel gives them.
fn fill(plan: &Plan, weights: &mut Region, pool: &Pool) {
    let mut rest = weights.bytes_mut();
    let mut at = 0;
    let mut parts = Vec::new();
    for matrix in plan.matrices() {
        let skipped = matrix.offsets[0] - at;
        let n_bytes = matrix.rows * matrix.format.row_bytes(matrix.cols);
        let (part, others) = std::mem::take(&mut rest)[skipped..].split_at_mut(n_bytes);
        at += skipped + n_bytes;
        rest = others;
        parts.push((matrix, part));
    }
    let parts = Mutex::new(parts);
    pool.run(&|_| {
        while let Some((matrix, part)) = take(&parts) {
            let group_bytes = GROUP_ROWS * matrix.format.row_bytes(matrix.cols);
            for (group_idx, group) in part.chunks_exact_mut(group_bytes).enumerate() {
                matrix
                    .format
                    .fill_synthetic(group, matrix.seed ^ (group_idx as u64) << 20);
            }
        }
    });
}

fn take<T>(parts: &Mutex<Vec<T>>) -> Option<T> {
    parts.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// Where the outputs of a product go.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// `[token][stride]`, from a row of the buffer on.
    Store {
        out: &'a PhaseBuffer,
        stride: usize,
        first_row: usize,
    },
    /// `[token][stride]`, added to what is there.
    Add { out: &'a PhaseBuffer, stride: usize },
}

/// One run over the layers: what all threads share.
struct Run<'a> {
    prefill: &'a Prefill,
    workspace: &'a Workspace,
    scratch: &'a [Mutex<Scratch>],
    barrier: &'a Barrier,
    n_layers: usize,
}

impl Run<'_> {
    /// The prompt, by all threads together.
    fn step(&self, thread_idx: usize) {
        let mut scratch = self.scratch[thread_idx]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (scratch, work) = (&mut *scratch, self.workspace);
        if thread_idx == 0 {
            work.counters.iter().for_each(|counter| counter.reset());
        }
        self.barrier.wait();
        let layers = &self.prefill.plan.layers[..self.n_layers];
        for (layer_idx, layer) in layers.iter().enumerate() {
            let before = layer_idx.checked_sub(1).map(|idx| &layers[idx]);
            self.for_each_token(layer_idx, 0, |token| {
                self.begin_layer(scratch, token, layer, before);
            });
            self.project(scratch, layer_idx, layer);
            let n_items = attention::n_prepare_items(&self.prefill.plan, work);
            self.for_each(layer_idx, 2, n_items, |item| {
                // SAFETY: the counter gives each item to one thread; barriers end this phase and the one before.
                unsafe { attention::prepare_item(&self.prefill.plan, layer, layer_idx, work, item) }
            });
            let n_items = attention::n_items(&self.prefill.plan, work);
            self.for_each(layer_idx, 3, n_items, |item| {
                // SAFETY: as above.
                unsafe { attention::item(&self.prefill.plan, work, scratch, item) }
            });
            let width = self.prefill.plan.n_heads * self.prefill.plan.head_dim;
            self.quantise_all(layer_idx, 4, &work.attention, width, &layer.attn_output);
            let target = self.target_of_update(layer.attn_post_norm.is_some());
            self.products(
                scratch,
                layer_idx,
                5,
                std::iter::once((&layer.attn_output, target)),
            );
            self.for_each_token(layer_idx, 6, |token| {
                self.begin_ffn(scratch, token, layer);
            });
            self.gate(scratch, layer_idx, layer);
            self.finish_layer(scratch, layer_idx, layer);
        }
        self.output(scratch, layers.last());
    }

    /// The items of a phase that this thread gets; then waits for all others.
    fn for_each(&self, layer_idx: usize, phase: usize, n: usize, mut item: impl FnMut(usize)) {
        let counter = &self.workspace.counters[layer_idx * N_PHASES + phase];
        while let Some(item_idx) = counter.next(n) {
            item(item_idx);
        }
        self.barrier.wait();
    }

    fn for_each_token(&self, layer_idx: usize, phase: usize, mut action: impl FnMut(usize)) {
        self.for_each(layer_idx, phase, self.workspace.n_tiles(), |tile| {
            self.workspace.tokens_of_tile(tile).for_each(&mut action);
        });
    }

    /// The residual stream of a token.
    ///
    /// # Safety
    /// - No other thread touches the token in this phase.
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller promises exclusive access to the token"
    )]
    unsafe fn residual(&self, token: usize) -> &mut [f32] {
        let hidden = self.prefill.plan.hidden;
        // SAFETY: the caller's promise.
        unsafe { self.workspace.x.write(token * hidden..(token + 1) * hidden) }
    }

    /// `x += norm(update)` of a token, where the layer has such a norm.
    ///
    /// # Safety
    /// - As for [`Run::residual`], and a barrier lies between the last write of `update` and this call.
    unsafe fn add_normed(&self, scratch: &mut Scratch, token: usize, weight: Option<&Vec<f32>>) {
        let Some(weight) = weight else { return };
        let hidden = self.prefill.plan.hidden;
        // SAFETY: the caller's promise.
        let (update, x) = unsafe { (self.workspace.update.read(), self.residual(token)) };
        let update = &update[token * hidden..(token + 1) * hidden];
        self.workspace
            .isa
            .rms_norm(update, weight, &mut scratch.normed);
        x.iter_mut()
            .zip(&scratch.normed)
            .for_each(|(x, update)| *x += update);
    }

    /// Embeds a token or ends the layer before, and quantises it for the projections.
    fn begin_layer(
        &self,
        scratch: &mut Scratch,
        token: usize,
        layer: &Layer,
        before: Option<&Layer>,
    ) {
        let hidden = self.prefill.plan.hidden;
        // SAFETY: the counter gives each tile of tokens to one thread; barriers end this phase and the one before.
        unsafe {
            match before {
                Some(before) => self.add_normed(scratch, token, before.ffn_post_norm.as_ref()),
                None => {
                    let embedding = &self.prefill.embeddings[token * hidden..][..hidden];
                    numeric::copy(self.residual(token), embedding);
                }
            }
            let x = self.residual(token);
            self.workspace
                .isa
                .rms_norm(x, &layer.attn_norm, &mut scratch.normed);
            let matrices = layer.qkv.iter().map(|(matrix, _)| matrix);
            self.workspace.quantise(token, &scratch.normed, matrices);
        }
    }

    fn project(&self, scratch: &mut Scratch, layer_idx: usize, layer: &Layer) {
        let stride = qkv_rows(&self.prefill.plan);
        let products = layer.qkv.iter().map(|(matrix, first_row)| {
            let target = Target::Store {
                out: &self.workspace.qkv,
                stride,
                first_row: *first_row,
            };
            (matrix, target)
        });
        self.products(scratch, layer_idx, 1, products);
    }

    /// Quantises `values`, `[token][width]`, for one matrix.
    fn quantise_all(
        &self,
        layer_idx: usize,
        phase: usize,
        values: &PhaseBuffer,
        width: usize,
        matrix: &Matrix,
    ) {
        self.for_each_token(layer_idx, phase, |token| {
            // SAFETY: `values` was written before the last barrier; the counter gives each tile of tokens to one thread,
            // and a barrier ends the phase.
            unsafe {
                let x = &values.read()[token * width..][..width];
                self.workspace.quantise(token, x, std::iter::once(matrix));
            }
        });
    }

    /// Ends attention and quantises a token for the feed-forward network.
    fn begin_ffn(&self, scratch: &mut Scratch, token: usize, layer: &Layer) {
        // SAFETY: the counter gives each tile of tokens to one thread; barriers end this phase and the one before.
        unsafe {
            self.add_normed(scratch, token, layer.attn_post_norm.as_ref());
            let x = self.residual(token);
            self.workspace
                .isa
                .rms_norm(x, &layer.ffn_norm, &mut scratch.normed);
            let matrices = [&layer.ffn_gate, &layer.ffn_up].into_iter();
            self.workspace.quantise(token, &scratch.normed, matrices);
        }
    }

    /// `hidden = silu(gate) * up`: an item is the same rows of both matrices.
    fn gate(&self, scratch: &mut Scratch, layer_idx: usize, layer: &Layer) {
        let (n_rows, n_threads) = (layer.ffn_gate.rows, self.scratch.len());
        self.for_each(layer_idx, 7, n_items(n_rows, n_threads), |item_idx| {
            let rows = rows_of_item(n_rows, n_threads, item_idx);
            self.multiply(scratch, &layer.ffn_gate, rows.clone(), 0);
            self.multiply(scratch, &layer.ffn_up, rows.clone(), 1);
            for token in 0..self.workspace.n_tokens {
                let at = token * n_rows;
                // SAFETY: the counter gives each item to one thread; the buffer is read after the next barrier.
                let hidden = unsafe { self.workspace.hidden.write(at + rows.start..at + rows.end) };
                let [gate, up] = [0, 1].map(|idx| scratch.desk.out(idx, rows.len(), token));
                self.workspace.isa.silu_times(hidden, gate, up);
            }
        });
    }

    /// Quantises the hidden values and adds what the last matrix makes of them.
    fn finish_layer(&self, scratch: &mut Scratch, layer_idx: usize, layer: &Layer) {
        let (hidden, matrix) = (&self.workspace.hidden, &layer.ffn_down);
        self.quantise_all(layer_idx, 8, hidden, matrix.cols, matrix);
        let target = self.target_of_update(layer.ffn_post_norm.is_some());
        self.products(scratch, layer_idx, 9, std::iter::once((matrix, target)));
    }

    /// Where an update of the residual stream goes: onto it, or aside until it is normed.
    fn target_of_update(&self, has_norm: bool) -> Target<'_> {
        let stride = self.prefill.plan.hidden;
        match has_norm {
            false => Target::Add {
                out: &self.workspace.x,
                stride,
            },
            true => Target::Store {
                out: &self.workspace.update,
                stride,
                first_row: 0,
            },
        }
    }

    /// All rows of some matrices, shared by all threads.
    fn products<'a>(
        &self,
        scratch: &mut Scratch,
        layer_idx: usize,
        phase: usize,
        products: impl Iterator<Item = (&'a Matrix, Target<'a>)> + Clone,
    ) {
        let items_of = |matrix: &Matrix| n_items(matrix.rows, self.scratch.len());
        let n_all = products.clone().map(|(matrix, _)| items_of(matrix)).sum();
        self.for_each(layer_idx, phase, n_all, |item_idx| {
            let mut item_idx = item_idx;
            for (matrix, target) in products.clone() {
                if item_idx < items_of(matrix) {
                    return self.product_item(scratch, matrix, target, item_idx);
                }
                item_idx -= items_of(matrix);
            }
        });
    }

    /// One item of a product, into its target.
    fn product_item(
        &self,
        scratch: &mut Scratch,
        matrix: &Matrix,
        target: Target<'_>,
        item_idx: usize,
    ) {
        let rows = rows_of_item(matrix.rows, self.scratch.len(), item_idx);
        self.multiply(scratch, matrix, rows.clone(), 0);
        for token in 0..self.workspace.n_tokens {
            let values = scratch.desk.out(0, rows.len(), token);
            match target {
                Target::Store {
                    out,
                    stride,
                    first_row,
                } => {
                    let at = token * stride + first_row;
                    // SAFETY: the counter gives each item to one thread; the buffer is read after the next barrier.
                    let out = unsafe { out.write(at + rows.start..at + rows.end) };
                    numeric::copy(out, values);
                }
                Target::Add { out, stride } => {
                    let at = token * stride;
                    // SAFETY: as above.
                    let out = unsafe { out.write(at + rows.start..at + rows.end) };
                    out.iter_mut()
                        .zip(values)
                        .for_each(|(x, update)| *x += update);
                }
            }
        }
    }

    /// Some rows of a matrix times all tokens, into an output of the desk.
    fn multiply(&self, scratch: &mut Scratch, matrix: &Matrix, rows: Range<usize>, out_idx: usize) {
        let row_bytes = matrix.format.row_bytes(matrix.cols);
        let groups = &self.prefill.weights.bytes()[matrix.offsets[0]..]
            [rows.start * row_bytes..rows.end * row_bytes];
        // SAFETY: the batch was written before the last barrier and is next written after the next one.
        let x = unsafe { self.workspace.batch_of(matrix).view() };
        let n_padded = self.workspace.n_padded();
        scratch.desk.multiply(
            self.workspace.isa,
            matrix.format,
            groups,
            x,
            n_padded,
            out_idx,
        );
    }

    /// Logits of the last token: each thread quantises it for itself, then takes rows.
    fn output(&self, scratch: &mut Scratch, last_layer: Option<&Layer>) {
        let (plan, work) = (&self.prefill.plan, self.workspace);
        let (row_bytes, token) = (
            plan.output.format.row_bytes(plan.output.cols),
            work.n_tokens - 1,
        );
        let counter_idx = plan.layers.len();
        if let Some(layer) = last_layer {
            self.for_each(counter_idx, 0, 1, |_| {
                // SAFETY: one thread takes the only item; barriers end this phase and the one before.
                unsafe { self.add_normed(scratch, token, layer.ffn_post_norm.as_ref()) }
            });
        }
        // SAFETY: `x` was last written before the last barrier.
        let x = unsafe { work.x.read() };
        let x = &x[token * plan.hidden..][..plan.hidden];
        work.isa.rms_norm(x, &plan.output_norm, &mut scratch.normed);
        scratch.last.quantise(&scratch.normed);
        let n = plan.output.rows.div_ceil(OUTPUT_ROWS);
        self.for_each(counter_idx, 1, n, |item_idx| {
            let rows = item_idx * OUTPUT_ROWS..((item_idx + 1) * OUTPUT_ROWS).min(plan.output.rows);
            let groups = &self.prefill.weights.bytes()[plan.output.offsets[0]..]
                [rows.start * row_bytes..rows.end * row_bytes];
            // SAFETY: the counter gives each item to one thread; the logits are read after the run.
            let out = unsafe { work.logits.write(rows) };
            work.isa.gemv(
                plan.output.format,
                groups,
                plan.output.cols,
                &scratch.last,
                out,
            );
        });
    }
}

impl Prefill {
    /// Logits of the last token of `workspace`, after the first `n_layers` layers.
    fn logits(
        &self,
        pool: &Pool,
        workspace: &Workspace,
        scratch: &[Mutex<Scratch>],
        n_layers: usize,
    ) -> Vec<f32> {
        pool.run(&|thread_idx| {
            let run = Run {
                prefill: self,
                workspace,
                scratch,
                barrier: pool.barrier(),
                n_layers,
            };
            run.step(thread_idx);
        });
        // SAFETY: the pool has returned: no thread works on the buffer.
        unsafe { workspace.logits.read() }.to_vec()
    }

    /// Logits of a few tokens after the first layers, by one variant.
    fn short_logits(&self, pool: &Pool, isa: &'static Isa) -> Result<Vec<f32>, NotReady> {
        let n_tokens = CHECKED_TOKENS.min(self.workspace.n_tokens);
        let workspace = Workspace::new(&self.plan, isa, n_tokens);
        let scratch = new_scratch(&self.plan, &workspace, pool.n_threads())?;
        let n_layers = CHECKED_LAYERS.min(self.plan.layers.len());
        Ok(self.logits(pool, &workspace, &scratch, n_layers))
    }

    /// Operations of the whole prompt: every matrix but the last for all tokens, and each query with all keys up to its
    /// own.
    fn ops(&self) -> u64 {
        let plan = &self.plan;
        let n_tokens = self.workspace.n_tokens as u64;
        let elements = |matrix: &Matrix| (matrix.rows * matrix.cols) as u64;
        let output = elements(&plan.output);
        let layers = plan.matrices().map(elements).sum::<u64>() - output;
        let pairs = n_tokens * (n_tokens + 1) / 2;
        let attention = 4 * pairs * (plan.n_heads * plan.head_dim * plan.layers.len()) as u64;
        2 * (layers * n_tokens + output) + attention
    }
}

impl Kernel for Prefill {
    fn shape(&self) -> Shape {
        let n_prompt = self.workspace.n_tokens as u64;
        let kv_bytes = self.plan.kv_bytes_per_token * n_prompt;
        Shape {
            working_set_bytes: self.plan.weight_bytes + kv_bytes,
            residency: Residency::Dram,
            work: Work {
                read_bytes: self.plan.weight_bytes,
                written_bytes: kv_bytes,
                ops: self.ops(),
                tokens: n_prompt,
            },
            convention: Convention::Token,
            huge_page_bytes: self.weights.huge_page_bytes(),
            model: Some(self.model.clone()),
        }
    }

    /// Compares seven tokens through the first layer and the output matrix with the scalar reference; then runs the
    /// whole prompt, which warms up and gives the logits that every later run is compared with.
    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        let output = self.short_logits(pool, self.workspace.isa)?;
        let reference = self.short_logits(pool, simd::scalar())?;
        self.expected = self.logits(pool, &self.workspace, &self.scratch, self.plan.layers.len());
        let mut check = compare(&output, &reference);
        check.passed &= self.expected.iter().all(|logit| logit.is_finite());
        Ok(check)
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            let run = Run {
                prefill: this,
                workspace: &this.workspace,
                scratch: &this.scratch,
                barrier: pool.barrier(),
                n_layers: this.plan.layers.len(),
            };
            for _ in 0..iterations {
                run.step(thread_idx);
            }
        });
    }

    fn is_still_right(&self) -> bool {
        // SAFETY: the pool has returned: no thread works on the buffer.
        let logits = unsafe { self.workspace.logits.read() };
        logits == self.expected
    }
}
