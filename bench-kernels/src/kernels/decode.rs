//! One token step of a decoder-only transformer over a model's real tensor list, with synthetic weights.
//!
//! Pseudo-code, for every layer:
//! `x += Wo * attention(rope(Wq * norm(x) + bq), cache)`, then `x += Wd * (silu(Wg * norm(x)) * (Wu * norm(x)))`,
//! and at the end `logits = W * norm(x)`.
//!
//! 1. Every matrix is split by rows; a thread's rows of all matrices lie in one region of its own.
//! 2. Norms and the quantisation of activations are done by every thread for itself: cheaper than a barrier.
//! 3. Five barriers a layer separate the phases; two more with post-norms, one more where a KV cache is so long that
//!    attention is split over positions.
//! 4. The step neither allocates nor calls the C library's memcpy and memset: plain loops that the compiler would turn
//!    into such calls are in [`numeric::copy`] and [`numeric::clear`].
//!
//! What differs between model families without moving other bytes (GELU for SiLU, soft caps, rotary scaling) is left
//! out: the step moves the same bytes and multiplies the same matrices.

mod attention;
pub(super) mod plan;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use bench_protocol::{Check, Convention, DecodeModel, Job, ModelRef, Residency, UnitSpec, Work};

use self::attention::{N_EXTRA, Share};
use self::plan::{Layer, Matrix, Plan};
use super::weights::GROUP_ROWS;
use super::{Kernel, NotReady, Prepared, Shape, compare, out_of_memory, require_memory, wrong_job};
use crate::memory::{PhaseBuffer, Region, split_evenly};
use crate::numeric::{self, Activations, noise_f32};
use crate::pool::{Barrier, Pool};
use crate::simd::{self, Isa};

struct Decode {
    plan: Plan,
    isa: &'static Isa,
    model: ModelRef,
    /// Weights of one thread each, matrix after matrix.
    weights: Vec<Region>,
    scratch: Vec<Mutex<Scratch>>,
    embedding: Vec<f32>,
    rope: Vec<(f32, f32)>,
    x: PhaseBuffer,
    qkv: PhaseBuffer,
    /// What each piece of attention leaves: chunk by chunk, all query heads.
    pieces: PhaseBuffer,
    attention: PhaseBuffer,
    hidden: PhaseBuffer,
    update: PhaseBuffer,
    logits: PhaseBuffer,
}

/// Buffers of one thread.
struct Scratch {
    normed: Vec<f32>,
    activations: Vec<Activations>,
    rows: [Vec<f32>; 2],
    head: Vec<f32>,
    /// Query heads that share a key-value head, one after the other.
    queries: Vec<f32>,
    scores: Vec<f32>,
    share: Share,
}

pub fn prepare(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Decode { model, depth, .. } = &unit.job else {
        return Err(wrong_job(unit));
    };
    Ok(Box::new(build(model, *depth, pool, isa)?))
}

fn build(
    model: &DecodeModel,
    depth: u64,
    pool: &Pool,
    isa: &'static Isa,
) -> Result<Decode, NotReady> {
    let n_threads = pool.n_threads();
    let plan = plan::plan(model, depth as usize, n_threads)?;
    require_memory(plan.weight_bytes + plan.kv_bytes_per_token * (depth + 1))?;
    let regions: Vec<Mutex<Region>> = plan
        .thread_bytes
        .iter()
        .map(|&bytes| Region::new(bytes.max(1)).map(Mutex::new))
        .collect::<Result<_, _>>()
        .map_err(out_of_memory)?;
    pool.run(&|thread_idx| {
        let mut region = regions[thread_idx]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for matrix in plan.matrices() {
            fill(matrix, thread_idx, n_threads, region.bytes_mut());
        }
    });
    let weights = regions
        .into_iter()
        .map(|region| region.into_inner().unwrap_or_else(PoisonError::into_inner));
    let scratch = (0..n_threads)
        .map(|thread_idx| {
            Ok(Mutex::new(Scratch::new(
                &plan,
                Share::new(&plan, n_threads, thread_idx)?,
            )))
        })
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(out_of_memory)?;
    pool.run(&|thread_idx| {
        let mut scratch = scratch[thread_idx]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        scratch.share.fill(&plan);
    });
    let mut state = 11;
    Ok(Decode {
        isa,
        model: ModelRef {
            model: model.model.clone(),
            quant: model.quant.clone(),
            depth,
            n_prompt: 0,
            n_generate: 1,
            kv_format: bench_protocol::KvFormat::F16,
            held_layers: None,
        },
        weights: weights.collect(),
        scratch,
        embedding: (0..plan.hidden).map(|_| noise_f32(&mut state)).collect(),
        rope: rope_angles(plan.head_dim, depth),
        x: PhaseBuffer::new(plan.hidden),
        qkv: PhaseBuffer::new((plan.n_heads + 2 * plan.n_kv_heads) * plan.head_dim),
        pieces: PhaseBuffer::new(
            attention::n_chunks(&plan) * plan.n_heads * (plan.head_dim + N_EXTRA),
        ),
        attention: PhaseBuffer::new(plan.n_heads * plan.head_dim),
        hidden: PhaseBuffer::new(plan.ffn),
        update: PhaseBuffer::new(plan.hidden),
        logits: PhaseBuffer::new(plan.output.rows),
        plan,
    })
}

/// Fills a thread's rows of one matrix; the content depends on matrix and row only, not on the number of threads.
fn fill(matrix: &Matrix, thread_idx: usize, n_threads: usize, region: &mut [u8]) {
    let group_bytes = GROUP_ROWS * matrix.format.row_bytes(matrix.cols);
    let groups = split_evenly(matrix.rows / GROUP_ROWS, n_threads, thread_idx);
    let bytes = &mut region[matrix.offsets[thread_idx]..][..groups.len() * group_bytes];
    for (group, group_idx) in bytes.chunks_exact_mut(group_bytes).zip(groups) {
        matrix
            .format
            .fill_synthetic(group, matrix.seed ^ (group_idx as u64) << 20);
    }
}

/// Cosine and sine of every pair of a head at one position; base 10000 (Su et al. 2021).
pub(super) fn rope_angles(head_dim: usize, position: u64) -> Vec<(f32, f32)> {
    (0..head_dim / 2)
        .map(|pair| {
            let angle = position as f64 / 10_000f64.powf(2.0 * pair as f64 / head_dim as f64);
            (angle.cos() as f32, angle.sin() as f32)
        })
        .collect()
}

impl Scratch {
    fn new(plan: &Plan, share: Share) -> Scratch {
        let n_shared = plan.n_heads / plan.n_kv_heads;
        let most_rows = plan
            .ffn
            .max(plan.hidden)
            .max((plan.n_heads + 2 * plan.n_kv_heads) * plan.head_dim);
        Scratch {
            normed: vec![0.0; plan.hidden],
            activations: plan
                .activation_shapes()
                .into_iter()
                .map(|(cols, block)| Activations::new(cols, block))
                .collect(),
            rows: [vec![0.0; most_rows], vec![0.0; most_rows]],
            head: vec![0.0; plan.head_dim],
            queries: vec![0.0; n_shared * plan.head_dim],
            scores: vec![0.0; attention::n_scores(n_shared)],
            share,
        }
    }
}

/// Quantises `x` for every format among `matrices`.
fn quantise<'a>(
    activations: &mut [Activations],
    x: &[f32],
    matrices: impl Iterator<Item = &'a Matrix> + Clone,
) {
    for activations in activations {
        let wanted = matrices
            .clone()
            .any(|matrix| matrix.format.activation_block() == activations.block_elements);
        if wanted && activations.cols == x.len() {
            activations.quantise(x);
        }
    }
}

/// The quantised input that fits a matrix.
fn input_of<'a>(activations: &'a [Activations], matrix: &Matrix) -> &'a Activations {
    activations
        .iter()
        .find(|x| x.cols == matrix.cols && x.block_elements == matrix.format.activation_block())
        .expect("the plan lists the input shape of every matrix")
}

impl Decode {
    /// One token, by all threads together.
    fn step(&self, isa: &Isa, thread_idx: usize, barrier: &Barrier) {
        let mut scratch = self.scratch[thread_idx]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let scratch = &mut *scratch;
        if thread_idx == 0 {
            // SAFETY: all other threads wait at the barrier below and touched nothing since the pool started the job.
            numeric::copy(unsafe { self.x.write(0..self.x.len()) }, &self.embedding);
        }
        barrier.wait();
        for (layer_idx, layer) in self.plan.layers.iter().enumerate() {
            self.project(isa, thread_idx, scratch, layer);
            barrier.wait();
            self.attend(isa, scratch, layer_idx, layer);
            barrier.wait();
            if attention::n_chunks(&self.plan) > 1 {
                self.combine_pieces(thread_idx);
                barrier.wait();
            }
            // SAFETY: `attention` was last written before the barrier above and is next written after the next one.
            let attention = unsafe { self.attention.read() };
            self.add_product(
                isa,
                thread_idx,
                scratch,
                attention,
                &layer.attn_output,
                &layer.attn_post_norm,
                barrier,
            );
            barrier.wait();
            self.gate(isa, thread_idx, scratch, layer);
            barrier.wait();
            // SAFETY: as for `attention`.
            let hidden = unsafe { self.hidden.read() };
            self.add_product(
                isa,
                thread_idx,
                scratch,
                hidden,
                &layer.ffn_down,
                &layer.ffn_post_norm,
                barrier,
            );
            barrier.wait();
        }
        // SAFETY: `x` was last written before the barrier above.
        let x = unsafe { self.x.read() };
        numeric::rms_norm(x, &self.plan.output_norm, &mut scratch.normed);
        quantise(
            &mut scratch.activations,
            &scratch.normed,
            [&self.plan.output].into_iter(),
        );
        self.product_into(
            isa,
            thread_idx,
            &scratch.activations,
            &self.plan.output,
            &self.logits,
            0,
        );
        barrier.wait();
    }

    fn project(&self, isa: &Isa, thread_idx: usize, scratch: &mut Scratch, layer: &Layer) {
        // SAFETY: `x` is written only between two later barriers.
        let x = unsafe { self.x.read() };
        numeric::rms_norm(x, &layer.attn_norm, &mut scratch.normed);
        quantise(
            &mut scratch.activations,
            &scratch.normed,
            layer.qkv.iter().map(|(matrix, _)| matrix),
        );
        for (matrix, first_row) in &layer.qkv {
            self.product_into(
                isa,
                thread_idx,
                &scratch.activations,
                matrix,
                &self.qkv,
                *first_row,
            );
        }
    }

    /// The pieces of attention of this thread; where a head is one piece, its final values too.
    fn attend(&self, isa: &Isa, scratch: &mut Scratch, layer_idx: usize, layer: &Layer) {
        let Plan {
            n_heads,
            n_kv_heads,
            head_dim,
            depth,
            ..
        } = self.plan;
        let n_shared = n_heads / n_kv_heads;
        // SAFETY: `qkv` was written before the last barrier and is next written several barriers later.
        let qkv = unsafe { self.qkv.read() };
        let head = |idx: usize| {
            (
                &qkv[idx * head_dim..][..head_dim],
                layer.bias(idx, head_dim),
            )
        };
        let Scratch {
            head: buffer,
            queries,
            scores,
            share,
            ..
        } = scratch;
        for piece_idx in 0..share.pieces.len() {
            let piece = &share.pieces[piece_idx];
            let (kv_head, chunk_idx) = (piece.kv_head, piece.chunk_idx);
            let is_last = piece.positions.contains(&depth);
            let (keys, values) = share.keys_and_values(piece_idx, layer_idx, head_dim);
            if is_last {
                let slot = keys.len() - head_dim..;
                let (key, bias) = head(n_heads + kv_head);
                self.rotated(key, bias, buffer);
                store_f16(buffer, &mut keys[slot.clone()]);
                let (value, bias) = head(n_heads + n_kv_heads + kv_head);
                add_bias(value, bias, buffer);
                store_f16(buffer, &mut values[slot]);
            }
            for (idx, query) in queries.chunks_exact_mut(head_dim).enumerate() {
                let (raw, bias) = head(kv_head * n_shared + idx);
                self.rotated(raw, bias, query);
            }
            let stride = head_dim + N_EXTRA;
            let first = (chunk_idx * n_heads + kv_head * n_shared) * stride;
            // SAFETY: each piece belongs to one thread, and its results are read only after the next barrier.
            let out = unsafe { self.pieces.write(first..first + n_shared * stride) };
            attention::piece(isa, head_dim, queries, keys, values, scores, out);
            if attention::n_chunks(&self.plan) == 1 {
                let first = kv_head * n_shared * head_dim;
                // SAFETY: each query head belongs to one key-value head, and that to one thread.
                let heads = unsafe { self.attention.write(first..first + n_shared * head_dim) };
                for (head, piece) in heads
                    .chunks_exact_mut(head_dim)
                    .zip(out.chunks_exact(stride))
                {
                    attention::combine(head_dim, [piece].into_iter(), head);
                }
            }
        }
    }

    /// Final values of attention where heads have several pieces, each thread some heads.
    fn combine_pieces(&self, thread_idx: usize) {
        let Plan {
            n_heads, head_dim, ..
        } = self.plan;
        // SAFETY: the pieces were written before the last barrier and are next written several barriers later.
        let pieces = unsafe { self.pieces.read() };
        for head_idx in split_evenly(n_heads, self.scratch.len(), thread_idx) {
            let of_head = pieces
                .chunks_exact(head_dim + N_EXTRA)
                .skip(head_idx)
                .step_by(n_heads);
            // SAFETY: each head belongs to one thread, and is read only after the next barrier.
            let out = unsafe {
                self.attention
                    .write(head_idx * head_dim..(head_idx + 1) * head_dim)
            };
            attention::combine(head_dim, of_head, out);
        }
    }

    /// `x += [norm](matrix * input)`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one phase; a struct of them would be used once"
    )]
    fn add_product(
        &self,
        isa: &Isa,
        thread_idx: usize,
        scratch: &mut Scratch,
        input: &[f32],
        matrix: &Matrix,
        post_norm: &Option<Vec<f32>>,
        barrier: &Barrier,
    ) {
        quantise(&mut scratch.activations, input, [matrix].into_iter());
        self.product_into(
            isa,
            thread_idx,
            &scratch.activations,
            matrix,
            &self.update,
            0,
        );
        let rows = matrix.rows_of(thread_idx, self.scratch.len());
        if let Some(weight) = post_norm {
            barrier.wait();
            // SAFETY: `update` was written before the barrier; it is next written after another one.
            numeric::rms_norm(unsafe { self.update.read() }, weight, &mut scratch.normed);
            // SAFETY: no thread reads `x` in this phase, and each writes the rows of its own part of the matrix.
            let x = unsafe { self.x.write(rows.clone()) };
            x.iter_mut()
                .zip(&scratch.normed[rows])
                .for_each(|(x, update)| *x += update);
        } else {
            // SAFETY: these rows of `update` were written by this thread just now, and no other touches them.
            let update = unsafe { self.update.write(rows.clone()) };
            // SAFETY: no thread reads `x` in this phase, and each writes the rows of its own part of the matrix.
            let x = unsafe { self.x.write(rows) };
            x.iter_mut()
                .zip(update)
                .for_each(|(x, update)| *x += *update);
        }
    }

    /// `hidden = silu(gate) * up`, each thread its own rows.
    fn gate(&self, isa: &Isa, thread_idx: usize, scratch: &mut Scratch, layer: &Layer) {
        // SAFETY: `x` was last written before the last barrier.
        let x = unsafe { self.x.read() };
        numeric::rms_norm(x, &layer.ffn_norm, &mut scratch.normed);
        quantise(
            &mut scratch.activations,
            &scratch.normed,
            [&layer.ffn_gate, &layer.ffn_up].into_iter(),
        );
        let rows = layer.ffn_gate.rows_of(thread_idx, self.scratch.len());
        let [gate, up] = &mut scratch.rows;
        let (gate, up) = (&mut gate[..rows.len()], &mut up[..rows.len()]);
        self.product(isa, thread_idx, &scratch.activations, &layer.ffn_gate, gate);
        self.product(isa, thread_idx, &scratch.activations, &layer.ffn_up, up);
        // SAFETY: each thread writes its own rows; `hidden` is read only after the next barrier.
        let hidden = unsafe { self.hidden.write(rows) };
        for ((hidden, gate), up) in hidden.iter_mut().zip(gate).zip(up) {
            *hidden = numeric::silu(*gate) * *up;
        }
    }

    /// This thread's rows of `matrix * input`, into the same rows of `out` from `first_row` on.
    fn product_into(
        &self,
        isa: &Isa,
        thread_idx: usize,
        activations: &[Activations],
        matrix: &Matrix,
        out: &PhaseBuffer,
        first_row: usize,
    ) {
        let rows = matrix.rows_of(thread_idx, self.scratch.len());
        // SAFETY: each thread writes its own rows of a buffer that is read only after the next barrier.
        let out = unsafe { out.write(first_row + rows.start..first_row + rows.end) };
        self.product(isa, thread_idx, activations, matrix, out);
    }

    fn product(
        &self,
        isa: &Isa,
        thread_idx: usize,
        activations: &[Activations],
        matrix: &Matrix,
        out: &mut [f32],
    ) {
        let n_bytes = out.len() * matrix.format.row_bytes(matrix.cols);
        let weights = &self.weights[thread_idx].bytes()[matrix.offsets[thread_idx]..][..n_bytes];
        isa.gemv(
            matrix.format,
            weights,
            matrix.cols,
            input_of(activations, matrix),
            out,
        );
    }

    /// Adds the bias and turns every pair of a head by the angle of this position (halves as pairs, as in NeoX).
    fn rotated(&self, head: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
        add_bias(head, bias, out);
        let (first, second) = out.split_at_mut(self.rope.len());
        for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(&self.rope) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}

fn add_bias(head: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    match bias {
        Some(bias) => out
            .iter_mut()
            .zip(head)
            .zip(bias)
            .for_each(|((out, x), bias)| *out = x + bias),
        None => numeric::copy(out, head),
    }
}

fn store_f16(from: &[f32], to: &mut [u16]) {
    to.iter_mut()
        .zip(from)
        .for_each(|(to, from)| *to = numeric::f32_to_f16(*from));
}

impl Kernel for Decode {
    fn shape(&self) -> Shape {
        let plan = &self.plan;
        let kv_bytes = plan.kv_bytes_per_token * plan.depth as u64;
        Shape {
            working_set_bytes: plan.weight_bytes + kv_bytes,
            residency: Residency::Dram,
            work: Work {
                read_bytes: plan.weight_bytes + kv_bytes,
                written_bytes: plan.kv_bytes_per_token,
                ops: plan.ops_per_token,
                tokens: 1,
            },
            convention: Convention::Token,
            huge_page_bytes: self
                .weights
                .iter()
                .map(Region::huge_page_bytes)
                .chain(self.scratch.iter().map(|scratch| {
                    let scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
                    scratch.share.huge_page_bytes()
                }))
                .sum(),
            model: Some(self.model.clone()),
        }
    }

    fn check(&mut self, pool: &Pool) -> Check {
        let logits = |isa: &'static Isa| {
            let this = &*self;
            pool.run(&|thread_idx| this.step(isa, thread_idx, pool.barrier()));
            // SAFETY: the pool has returned: no thread works on the buffer.
            unsafe { this.logits.read() }.to_vec()
        };
        let output = logits(self.isa);
        compare(&output, &logits(simd::scalar()))
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            for _ in 0..iterations {
                this.step(this.isa, thread_idx, pool.barrier());
            }
        });
    }
}
