//! Token steps of a decoder-only transformer over a model's real tensor list, with synthetic weights.
//!
//! One iteration generates some tokens, each one position further. Every matrix is split by rows; a thread's rows of
//! all matrices lie in one region of its own. Where not all weights fit into memory, some layers stand for all of them
//! (see [`held`]).
//!
//! What differs between model families without moving other bytes (GELU for SiLU, soft caps, rotary scaling) is left
//! out: the step moves the same bytes and multiplies the same matrices.

mod attention;
mod cache;
mod held;
pub(super) mod plan;
mod step;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bench_protocol::{
    Check, Convention, DecodeModel, Job, KvFormat, ModelRef, Residency, UnitSpec, Work,
};

use self::attention::{Buffers, N_EXTRA};
use self::cache::{Store, ThreadCache};
use self::held::{Limits, TIMES_THE_CACHES};
use self::plan::{Matrix, Plan};
use self::step::TokenStep;
use super::chunks::{ProductShapes, WorkQueue};
use super::weights::{Format, GROUP_ROWS};
use super::{Choice, Kernel, NotReady, Prepared, Shape, compare, out_of_memory, wrong_job};
use crate::memory::{PhaseBuffer, Region, split_evenly};
use crate::numeric::{Activations, noise_f32};
use crate::pool::Pool;
use crate::simd::attention::BLOCK_POSITIONS;
use crate::simd::{self, Isa, Q8_0_BLOCK};

/// Tokens of an iteration that are compared with the reference: the second one reads what the first one stored.
const CHECKED_TOKENS: usize = 2;

struct Decode {
    plan: Plan,
    isa: &'static Isa,
    /// The shapes of its products, format by format: what suits one format need not suit another.
    shapes: Vec<(Format, ProductShapes)>,
    last_level_cache_bytes: u64,
    model: ModelRef,
    /// Positions of the tokens of one iteration.
    positions: Range<usize>,
    kv_bytes_per_token: u64,
    /// Weights of one thread each, matrix after matrix.
    weights: Vec<Region>,
    scratch: Vec<Mutex<Scratch>>,
    tickets: WorkQueue,
    embedding: Vec<f32>,
    /// Cosine and sine of every pair of a head, position after position.
    rope: Vec<(f32, f32)>,
    x: PhaseBuffer,
    qkv: PhaseBuffer,
    /// What each piece of attention leaves: chunk by chunk, all query heads.
    pieces: PhaseBuffer,
    attention: PhaseBuffer,
    /// Rows of the gate projection, then of the other one.
    gate_and_up: PhaseBuffer,
    hidden: PhaseBuffer,
    update: PhaseBuffer,
    logits: PhaseBuffer,
}

/// Buffers of one thread.
struct Scratch {
    normed: Vec<f32>,
    activations: Vec<Activations>,
    head: Vec<f32>,
    attention: Buffers,
    store: Store,
    share: ThreadCache,
    /// Products so far; the same for every thread.
    phase_idx: usize,
}

/// What is generated on top of which history.
#[derive(Clone, Copy)]
struct Task {
    depth: u64,
    n_generate: u64,
    kv_format: KvFormat,
}

pub fn prepare(unit: &UnitSpec, pool: &Pool, isa: &'static Isa) -> Prepared {
    let Job::Decode {
        model,
        depth,
        n_generate,
        kv_format,
    } = &unit.job
    else {
        return Err(wrong_job(unit));
    };
    let task = Task {
        depth: *depth,
        n_generate: *n_generate,
        kv_format: *kv_format,
    };
    let limits = Limits::of_this_board();
    Ok(Box::new(build(model, task, pool, isa, limits)?))
}

fn build(
    model: &DecodeModel,
    task: Task,
    pool: &Pool,
    isa: &'static Isa,
    limits: Limits,
) -> Result<Decode, NotReady> {
    let n_threads = pool.n_threads();
    let mut plan = plan::plan(model, task.depth as usize, n_threads)?;
    refuse(&plan, task)?;
    let positions = plan.depth..plan.depth + task.n_generate as usize;
    let kv_bytes_per_token = cache::bytes_per_token(&plan, task.kv_format);
    let kv_bytes = kv_bytes_per_token * positions.end as u64;
    let held_layers = plan.hold_what_fits(model, kv_bytes, limits)?;
    let weights = allocate_weights(&plan, pool)?;
    let scratch = (0..n_threads)
        .map(|thread_idx| Scratch::new(&plan, task, n_threads, thread_idx).map(Mutex::new))
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
        shapes: (plan.formats().into_iter())
            .map(|format| (format, ProductShapes::new(isa, n_threads)))
            .collect(),
        model: ModelRef {
            model: model.model.clone(),
            quant: model.quant.clone(),
            depth: task.depth,
            n_prompt: 0,
            n_generate: task.n_generate,
            kv_format: task.kv_format,
            held_layers,
        },
        last_level_cache_bytes: limits.last_level_cache_bytes,
        kv_bytes_per_token,
        weights,
        scratch,
        tickets: WorkQueue::new(n_threads),
        embedding: (0..plan.hidden).map(|_| noise_f32(&mut state)).collect(),
        rope: positions
            .clone()
            .flat_map(|position| rope_angles(plan.head_dim, position))
            .collect(),
        x: PhaseBuffer::new(plan.hidden),
        qkv: PhaseBuffer::new((plan.n_heads + 2 * plan.n_kv_heads) * plan.head_dim),
        pieces: PhaseBuffer::new(
            cache::n_chunks(positions.end) * plan.n_heads * (plan.head_dim + N_EXTRA),
        ),
        attention: PhaseBuffer::new(plan.n_heads * plan.head_dim),
        gate_and_up: PhaseBuffer::new(2 * plan.ffn),
        hidden: PhaseBuffer::new(plan.ffn),
        update: PhaseBuffer::new(plan.hidden),
        logits: PhaseBuffer::new(plan.output.rows),
        positions,
        plan,
    })
}

fn refuse(plan: &Plan, task: Task) -> Result<(), NotReady> {
    if task.n_generate == 0 {
        return Err(NotReady::Failed("no token is to be generated".to_string()));
    }
    if !plan.head_dim.is_multiple_of(BLOCK_POSITIONS) {
        return Err(NotReady::Skipped(format!(
            "heads of {} elements do not consist of whole vectors of {BLOCK_POSITIONS}",
            plan.head_dim
        )));
    }
    if task.kv_format == KvFormat::Q8_0 && !plan.head_dim.is_multiple_of(Q8_0_BLOCK) {
        return Err(NotReady::Skipped(format!(
            "heads of {} elements do not consist of whole q8_0 blocks of {Q8_0_BLOCK}",
            plan.head_dim
        )));
    }
    Ok(())
}

/// Every thread's region, filled by that thread.
fn allocate_weights(plan: &Plan, pool: &Pool) -> Result<Vec<Region>, NotReady> {
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
        for matrix in plan.held_matrices() {
            fill(matrix, thread_idx, pool.n_threads(), region.bytes_mut());
        }
    });
    let regions = regions.into_iter();
    Ok(regions
        .map(|region| region.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect())
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
pub(super) fn rope_angles(head_dim: usize, position: usize) -> impl Iterator<Item = (f32, f32)> {
    (0..head_dim / 2).map(move |pair| {
        let angle = position as f64 / 10_000f64.powf(2.0 * pair as f64 / head_dim as f64);
        (angle.cos() as f32, angle.sin() as f32)
    })
}

impl Scratch {
    fn new(
        plan: &Plan,
        task: Task,
        n_threads: usize,
        thread_idx: usize,
    ) -> std::io::Result<Scratch> {
        let n_positions = (task.depth + task.n_generate) as usize;
        Ok(Scratch {
            normed: vec![0.0; plan.hidden],
            activations: plan
                .activation_shapes()
                .into_iter()
                .map(|(cols, block)| Activations::new(cols, block))
                .collect(),
            head: vec![0.0; plan.head_dim],
            attention: Buffers::new(
                task.kv_format,
                plan.n_heads / plan.n_kv_heads,
                plan.head_dim,
            ),
            store: Store::new(task.kv_format, plan.head_dim),
            share: ThreadCache::new(plan, task.kv_format, n_positions, n_threads, thread_idx)?,
            phase_idx: 0,
        })
    }
}

impl Decode {
    /// The first `n_tokens` of an iteration, by all threads together.
    fn generate(&self, isa: &Isa, pool: &Pool, thread_idx: usize, n_tokens: usize) {
        let mut scratch = self.scratch_of(thread_idx);
        for position in self.positions.clone().take(n_tokens) {
            self.turn(isa, pool, thread_idx, position)
                .step(&mut scratch);
        }
    }

    /// Each thread takes the lock of its own buffers only: it is never contended.
    fn scratch_of(&self, thread_idx: usize) -> MutexGuard<'_, Scratch> {
        let scratch = &self.scratch[thread_idx];
        scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some matrices times whatever their inputs hold, one after the other.
    fn multiply_all(&self, pool: &Pool, matrices: &[&Matrix]) {
        pool.run(&|thread_idx| {
            let turn = self.turn(self.isa, pool, thread_idx, self.positions.start);
            let mut scratch = self.scratch_of(thread_idx);
            (matrices.iter()).for_each(|matrix| turn.multiply_alone(&mut scratch, matrix));
        });
    }

    fn turn<'a>(
        &'a self,
        isa: &'a Isa,
        pool: &'a Pool,
        thread_idx: usize,
        position: usize,
    ) -> TokenStep<'a> {
        TokenStep {
            decode: self,
            isa,
            barrier: pool.barrier(),
            thread_idx,
            position,
        }
    }

    fn work(&self) -> Work {
        let plan = &self.plan;
        let n_tokens = self.positions.len() as u64;
        // Each token reads the keys and values of all tokens before it.
        let n_read: u64 = self.positions.clone().map(|position| position as u64).sum();
        let n_later = n_read - n_tokens * self.positions.start as u64;
        let position_ops = (4 * plan.n_heads * plan.head_dim * plan.layers.len()) as u64;
        Work {
            read_bytes: n_tokens * plan.weight_bytes + n_read * self.kv_bytes_per_token,
            written_bytes: n_tokens * self.kv_bytes_per_token,
            ops: n_tokens * plan.ops_per_token + n_later * position_ops,
            tokens: n_tokens,
        }
    }
}

impl Kernel for Decode {
    fn shape(&self) -> Shape {
        let newest = self.positions.end as u64 - 1;
        Shape {
            working_set_bytes: self.plan.held_weight_bytes() + self.kv_bytes_per_token * newest,
            residency: Residency::Dram,
            work: self.work(),
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

    fn check(&mut self, pool: &Pool) -> Result<Check, NotReady> {
        let logits = |isa: &'static Isa| {
            let this = &*self;
            pool.run(&|thread_idx| this.generate(isa, pool, thread_idx, CHECKED_TOKENS));
            // SAFETY: the pool has returned: no thread works on the buffer.
            unsafe { this.logits.read() }.to_vec()
        };
        let output = logits(self.isa);
        Ok(compare(&output, &logits(simd::scalar())))
    }

    fn choices(&self) -> Vec<Choice> {
        let about = |format: &Format| match self.shapes.len() {
            1 => "",
            _ => format.id(),
        };
        let choice = |(format, shapes): &(Format, ProductShapes)| shapes.choice(about(format));
        self.shapes.iter().map(choice).collect()
    }

    fn take_shape(&mut self, choice_idx: usize, shape_idx: usize) {
        self.shapes[choice_idx].1.take(shape_idx);
    }

    /// A slice is a matrix of the format, times whatever its input holds.
    fn run_slices(&mut self, choice_idx: usize, pool: &Pool, first: usize, n: usize) -> u64 {
        let (format, _) = self.shapes[choice_idx];
        let has_format = |matrix: &&Matrix| matrix.format == format;
        let matrices: Vec<&Matrix> = self.plan.matrices().filter(has_format).collect();
        let slices = (first..first + n).map(|idx| matrices[idx % matrices.len()]);
        let slices: Vec<&Matrix> = slices.collect();
        self.multiply_all(pool, &slices);
        slices.iter().map(|matrix| matrix.bytes() as u64).sum()
    }

    /// A token reads all other weights before it comes to the same ones again. A format with few of them would be tried in
    /// the caches without that.
    fn forget_slices(&mut self, choice_idx: usize, pool: &Pool) {
        let (format, _) = self.shapes[choice_idx];
        let (own, others): (Vec<&Matrix>, Vec<&Matrix>) =
            (self.plan.matrices()).partition(|matrix| matrix.format == format);
        let own_bytes: u64 = own.iter().map(|matrix| matrix.bytes() as u64).sum();
        let cache_bytes = self.last_level_cache_bytes;
        if own_bytes >= TIMES_THE_CACHES * cache_bytes {
            return;
        }
        let mut read_bytes = 0;
        let others = others.into_iter().take_while(|matrix| {
            let is_wanted = read_bytes < 2 * cache_bytes;
            read_bytes += matrix.bytes() as u64;
            is_wanted
        });
        let others: Vec<&Matrix> = others.collect();
        self.multiply_all(pool, &others);
    }

    fn iterate(&mut self, pool: &Pool, iterations: u64) {
        let this = &*self;
        pool.run(&|thread_idx| {
            for _ in 0..iterations {
                this.generate(this.isa, pool, thread_idx, this.positions.len());
            }
        });
    }
}
