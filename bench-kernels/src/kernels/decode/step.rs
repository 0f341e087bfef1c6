//! One token: the phases between barriers.
//!
//! Pseudo-code, for every layer:
//! `x += Wo * attention(rope(Wq * norm(x) + bq), cache)`, then `x += Wd * (silu(Wg * norm(x)) * (Wu * norm(x)))`,
//! and at the end `logits = W * norm(x)`.
//!
//! 1. The rows of every matrix are shared out in chunks (see [`crate::kernels::chunks`]).
//! 2. Norms and the quantisation of activations are done by every thread for itself: cheaper than a barrier.
//! 3. Six barriers a layer separate the phases; two more with post-norms, one more where a KV cache is so long that
//!    attention is split over positions.
//! 4. The step neither allocates nor calls the C library's memcpy and memset: plain loops that the compiler would turn
//!    into such calls are in [`numeric::copy`] and [`numeric::clear`].

use std::ops::Range;

use super::attention::{self, N_EXTRA};
use super::plan::{Layer, Matrix, Plan};
use super::{Decode, Scratch, cache};
use crate::kernels::chunks::ProductShape;
use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::memory::{PhaseBuffer, split_evenly};
use crate::numeric::{self, Activations};
use crate::pool::Barrier;
use crate::simd::Isa;

/// One thread's view of a token.
#[derive(Clone, Copy)]
pub(super) struct TokenStep<'a> {
    pub decode: &'a Decode,
    pub isa: &'a Isa,
    pub barrier: &'a Barrier,
    pub thread_idx: usize,
    /// The token's position.
    pub position: usize,
}

impl TokenStep<'_> {
    /// One token, by all threads together.
    pub fn step(self, scratch: &mut Scratch) {
        let decode = self.decode;
        if self.thread_idx == 0 {
            let x = &decode.x;
            // SAFETY: all other threads wait at the barrier below, and a barrier lies behind every earlier use.
            numeric::copy(unsafe { x.write(0..x.len()) }, &decode.embedding);
        }
        self.barrier.wait();
        for (layer_idx, layer) in decode.plan.layers.iter().enumerate() {
            self.project(scratch, layer);
            self.barrier.wait();
            self.attend(scratch, layer_idx, layer);
            self.barrier.wait();
            if self.n_chunks() > 1 {
                self.combine_pieces();
                self.barrier.wait();
            }
            // SAFETY: `attention` was last written before the barrier above and is next written after the next one.
            let input = unsafe { decode.attention.read() };
            self.add_product(scratch, input, &layer.attn_output, &layer.attn_post_norm);
            self.barrier.wait();
            self.gate(scratch, layer);
            self.barrier.wait();
            // SAFETY: as for `attention`.
            let input = unsafe { decode.hidden.read() };
            self.add_product(scratch, input, &layer.ffn_down, &layer.ffn_post_norm);
            self.barrier.wait();
        }
        let output = &decode.plan.output;
        self.normalise(scratch, &decode.plan.output_norm, [output].into_iter());
        self.multiply(scratch, &[(output, 0)], &decode.logits, |_| {});
        self.barrier.wait();
    }

    /// One matrix times whatever its input holds, by all threads together: what the shapes of products are tried with.
    pub fn multiply_alone(self, scratch: &mut Scratch, matrix: &Matrix) {
        let decode = self.decode;
        let buffers = [
            &decode.update,
            &decode.qkv,
            &decode.gate_and_up,
            &decode.logits,
        ];
        let out = buffers.into_iter().find(|out| out.len() >= matrix.rows);
        let out = out.expect("every matrix has a buffer for its results");
        self.multiply(scratch, &[(matrix, 0)], out, |_| {});
        self.barrier.wait();
    }

    /// The shape that products of this format run in. Another variant, the reference, may not have as many as the one that
    /// is measured.
    fn shape_of(self, format: Format) -> ProductShape {
        let mut of_formats = self.decode.shapes.iter();
        let shapes = of_formats.find(|(of, _)| *of == format);
        let (_, shapes) = shapes.expect("every format of the plan has shapes");
        let shape = shapes.taken();
        ProductShape {
            product_idx: (shape.product_idx).min(self.isa.product_names().count() - 1),
            ..shape
        }
    }

    /// Chunks of positions that have one by now.
    fn n_chunks(self) -> usize {
        cache::n_chunks(self.position + 1)
    }

    fn project(self, scratch: &mut Scratch, layer: &Layer) {
        let matrices = layer.qkv.iter().map(|(matrix, _)| matrix);
        self.normalise(scratch, &layer.attn_norm, matrices);
        match layer.qkv.as_slice() {
            [(fused, first)] => {
                self.multiply(scratch, &[(fused, *first)], &self.decode.qkv, |_| {});
            }
            [(q, at_q), (k, at_k), (v, at_v)] => {
                let matrices = [(q, *at_q), (k, *at_k), (v, *at_v)];
                self.multiply(scratch, &matrices, &self.decode.qkv, |_| {});
            }
            _ => unreachable!("the plan has one fused projection or three"),
        }
    }

    /// The pieces of attention of this thread; where a head is one piece, its final values too.
    fn attend(self, scratch: &mut Scratch, layer_idx: usize, layer: &Layer) {
        let decode = self.decode;
        let Plan {
            n_heads,
            n_kv_heads,
            head_dim,
            ..
        } = decode.plan;
        let n_shared = n_heads / n_kv_heads;
        let mut queries_of = None;
        // SAFETY: `qkv` was written before the last barrier and is next written several barriers later.
        let qkv = unsafe { decode.qkv.read() };
        let head = |idx: usize| {
            (
                &qkv[idx * head_dim..][..head_dim],
                layer.bias(idx, head_dim),
            )
        };
        let Scratch {
            head: buffer,
            attention: buffers,
            store,
            share,
            ..
        } = scratch;
        for piece_idx in 0..share.pieces.len() {
            let piece = &share.pieces[piece_idx];
            let (kv_head, chunk_idx) = (piece.kv_head, piece.chunk_idx);
            let (n_positions, is_last) =
                (piece.n_positions(self.position), piece.holds(self.position));
            if n_positions == 0 {
                continue;
            }
            let (keys, values) = share.keys_and_values(piece_idx, layer_idx);
            if is_last {
                let (key, bias) = head(n_heads + kv_head);
                self.rotated(key, bias, buffer, 1.0);
                store.key(self.isa, buffer, keys, n_positions - 1);
                let (value, bias) = head(n_heads + n_kv_heads + kv_head);
                add_bias(value, bias, buffer);
                store.value(self.isa, buffer, values, n_positions - 1);
            }
            if queries_of != Some(kv_head) {
                queries_of = Some(kv_head);
                buffers.take_queries(self.isa, |idx, query, scale| {
                    let (raw, bias) = head(kv_head * n_shared + idx);
                    self.rotated(raw, bias, query, scale);
                });
            }
            let stride = head_dim + N_EXTRA;
            let first = (chunk_idx * n_heads + kv_head * n_shared) * stride;
            // SAFETY: each piece belongs to one thread, and its results are read only after the next barrier.
            let out = unsafe { decode.pieces.write(first..first + n_shared * stride) };
            buffers.piece(self.isa, n_positions, keys, values, out);
            if self.n_chunks() == 1 {
                let first = kv_head * n_shared * head_dim;
                // SAFETY: each query head belongs to one key-value head, and that to one thread.
                let heads = unsafe { decode.attention.write(first..first + n_shared * head_dim) };
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
    fn combine_pieces(self) {
        let decode = self.decode;
        let Plan {
            n_heads, head_dim, ..
        } = decode.plan;
        // SAFETY: the pieces were written before the last barrier and are next written several barriers later.
        let pieces = unsafe { decode.pieces.read() };
        for head_idx in split_evenly(n_heads, decode.scratch.len(), self.thread_idx) {
            let of_head = pieces
                .chunks_exact(head_dim + N_EXTRA)
                .skip(head_idx)
                .step_by(n_heads)
                .take(self.n_chunks());
            // SAFETY: each head belongs to one thread, and is read only after the next barrier.
            let out = unsafe {
                decode
                    .attention
                    .write(head_idx * head_dim..(head_idx + 1) * head_dim)
            };
            attention::combine(head_dim, of_head, out);
        }
    }

    /// `x += [norm](matrix * input)`.
    fn add_product(
        self,
        scratch: &mut Scratch,
        input: &[f32],
        matrix: &Matrix,
        post_norm: &Option<Vec<f32>>,
    ) {
        let decode = self.decode;
        self.quantise(&mut scratch.activations, input, [matrix].into_iter());
        let add = |rows: Range<usize>, update: &[f32]| {
            // SAFETY: no thread reads `x` in this phase, and these rows are this thread's to write: its chunk, or its
            // own part of the matrix.
            let x = unsafe { decode.x.write(rows) };
            x.iter_mut()
                .zip(update)
                .for_each(|(x, update)| *x += update);
        };
        let Some(weight) = post_norm else {
            return self.multiply(scratch, &[(matrix, 0)], &decode.update, |rows| {
                // SAFETY: these rows were written by this thread just now, and no other touches them.
                add(rows.clone(), unsafe { decode.update.write(rows) });
            });
        };
        self.multiply(scratch, &[(matrix, 0)], &decode.update, |_| {});
        self.barrier.wait();
        // SAFETY: `update` was written before the barrier; it is next written after another one.
        let update = unsafe { decode.update.read() };
        self.isa.rms_norm(update, weight, &mut scratch.normed);
        let rows = matrix.rows_of(self.thread_idx, decode.scratch.len());
        add(rows.clone(), &scratch.normed[rows]);
    }

    /// `hidden = silu(gate) * up`: first all of the gate, then all of the other, because a thread that changes between
    /// the two chunk by chunk waits for memory at every change; then every thread its rows of the result.
    fn gate(self, scratch: &mut Scratch, layer: &Layer) {
        let decode = self.decode;
        let (gate, up) = (&layer.ffn_gate, &layer.ffn_up);
        self.normalise(scratch, &layer.ffn_norm, [gate, up].into_iter());
        let matrices = [(gate, 0), (up, gate.rows)];
        self.multiply(scratch, &matrices, &decode.gate_and_up, |_| {});
        self.barrier.wait();
        // SAFETY: it was written before the barrier, and is next written several barriers later.
        let (gate_rows, up_rows) = unsafe { decode.gate_and_up.read() }.split_at(gate.rows);
        let rows = gate.rows_of(self.thread_idx, decode.scratch.len());
        // SAFETY: each thread writes its own rows; `hidden` is read only after the next barrier.
        let hidden = unsafe { decode.hidden.write(rows.clone()) };
        self.isa
            .silu_times(hidden, &gate_rows[rows.clone()], &up_rows[rows]);
    }

    /// Takes the norm of `x` as the input of `matrices`.
    fn normalise<'b>(
        self,
        scratch: &mut Scratch,
        weight: &[f32],
        matrices: impl Iterator<Item = &'b Matrix> + Clone,
    ) {
        // SAFETY: `x` was last written before the last barrier, and is next written after the next one.
        let x = unsafe { self.decode.x.read() };
        self.isa.rms_norm(x, weight, &mut scratch.normed);
        self.quantise(&mut scratch.activations, &scratch.normed, matrices);
    }

    /// Quantises `x` for every format among `matrices`.
    fn quantise<'b>(
        self,
        activations: &mut [Activations],
        x: &[f32],
        matrices: impl Iterator<Item = &'b Matrix> + Clone,
    ) {
        for activations in activations {
            let wanted = matrices
                .clone()
                .any(|matrix| matrix.format.activation_block() == activations.block_elements());
            if wanted && activations.cols() == x.len() {
                self.isa.quantise(activations, x);
            }
        }
    }

    /// One phase of products: every matrix with the first row of its results in `out`; `then` follows each chunk.
    fn multiply(
        self,
        scratch: &mut Scratch,
        matrices: &[(&Matrix, usize)],
        out: &PhaseBuffer,
        then: impl Fn(Range<usize>),
    ) {
        scratch.phase_idx += 1;
        let n_chunks_of = |matrix: &Matrix, owner_idx: usize| {
            matrix.n_chunks(owner_idx, self.shape_of(matrix.format).chunk_bytes)
        };
        let n_chunks = |owner_idx: usize| {
            let of = |(matrix, _): &(&Matrix, usize)| n_chunks_of(matrix, owner_idx);
            matrices.iter().map(of).sum()
        };
        self.decode.tickets.share(
            scratch.phase_idx,
            self.thread_idx,
            n_chunks,
            |owner_idx, mut chunk_idx| {
                for (matrix, first_row) in matrices {
                    let n_chunks = n_chunks_of(matrix, owner_idx);
                    if chunk_idx >= n_chunks {
                        chunk_idx -= n_chunks;
                        continue;
                    }
                    let groups = matrix.groups_of_chunk(owner_idx, n_chunks, chunk_idx);
                    let rows = self.rows(matrix, owner_idx, &groups);
                    let rows = first_row + rows.start..first_row + rows.end;
                    // SAFETY: each chunk is one thread's; `out` is read only after the next barrier.
                    let out = unsafe { out.write(rows.clone()) };
                    self.product(&scratch.activations, matrix, owner_idx, groups, out);
                    return then(rows);
                }
            },
        );
    }

    /// Rows of the whole matrix that some groups of a thread's part are.
    fn rows(self, matrix: &Matrix, owner_idx: usize, groups: &Range<usize>) -> Range<usize> {
        let first = matrix.rows_of(owner_idx, self.decode.scratch.len()).start;
        first + groups.start * GROUP_ROWS..first + groups.end * GROUP_ROWS
    }

    /// Some groups of one thread's part of a matrix times its input.
    fn product(
        self,
        activations: &[Activations],
        matrix: &Matrix,
        owner_idx: usize,
        groups: Range<usize>,
        out: &mut [f32],
    ) {
        let group_bytes = GROUP_ROWS * matrix.format.row_bytes(matrix.cols);
        let part = &self.decode.weights[owner_idx].bytes()[matrix.offsets[owner_idx]..];
        let weights = &part[groups.start * group_bytes..groups.end * group_bytes];
        let input = activations
            .iter()
            .find(|x| {
                x.cols() == matrix.cols && x.block_elements() == matrix.format.activation_block()
            })
            .expect("the plan lists the input shape of every matrix");
        let product_idx = self.shape_of(matrix.format).product_idx;
        self.isa
            .gemv_as(product_idx, matrix.format, weights, matrix.cols, input, out);
    }

    /// Adds the bias, turns every pair of a head by the angle of this position (halves as pairs, as in NeoX) and
    /// multiplies it by `scale`.
    fn rotated(self, head: &[f32], bias: Option<&[f32]>, out: &mut [f32], scale: f32) {
        add_bias(head, bias, out);
        let n_pairs = out.len() / 2;
        let offset = self.position - self.decode.positions.start;
        let rope = &self.decode.rope[offset * n_pairs..][..n_pairs];
        self.isa.turn(out, rope, scale);
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
