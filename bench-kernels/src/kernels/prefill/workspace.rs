//! Buffers between the phases of a prompt.

use super::N_PHASES;
use crate::kernels::batch::{Batch, Counter, GemmScratch};
use crate::kernels::decode::plan::{Matrix, Plan};
use crate::kernels::decode::rope_angles;
use crate::memory::PhaseBuffer;
use crate::numeric::Activations;
use crate::simd::Isa;
use crate::simd::batch::PANEL_ROWS;

/// Tokens of a block of queries: a multiple of the tile of every variant (1, 6, 8 and 16 tokens).
pub const QUERY_BLOCK: usize = 48;

/// Everything that `n_tokens` tokens need on their way through the layers, for the tiles of one variant.
pub struct Workspace {
    pub isa: &'static Isa,
    pub n_tokens: usize,
    /// Residual stream, `[token][hidden]`.
    pub x: PhaseBuffer,
    /// Queries, keys and values, `[padded token][rows]`.
    pub qkv: PhaseBuffer,
    /// `[token][heads * head_dim]`.
    pub attention: PhaseBuffer,
    /// `[token][ffn]`.
    pub hidden: PhaseBuffer,
    /// What is added to the residual stream after a norm of its own, `[token][hidden]`; empty where no layer has one.
    pub update: PhaseBuffer,
    /// KV cache in half precision, `[layer][keys, values][kv head][token][head_dim]`.
    pub cache: PhaseBuffer<u16>,
    /// Keys of one layer as panels, `[kv head][panel of 32 tokens][dimension][32]`.
    pub key_panels: PhaseBuffer,
    /// Values of one layer as panels, `[kv head][panel of 32 dimensions][token][32]`.
    pub value_panels: PhaseBuffer,
    pub logits: PhaseBuffer,
    pub batches: Vec<Batch>,
    /// Angles of each position.
    pub rope: Vec<Vec<(f32, f32)>>,
    /// One per phase of every layer.
    pub counters: Vec<Counter>,
}

/// Buffers of one thread.
pub struct Scratch {
    pub desk: GemmScratch,
    pub normed: Vec<f32>,
    /// `[query][padded keys]`.
    pub scores: Vec<f32>,
    /// `[query][padded dimensions]`.
    pub head: Vec<f32>,
    pub sums: [f32; QUERY_BLOCK],
    /// The last token, quantised for the output matrix.
    pub last: Activations,
}

impl Workspace {
    pub fn new(plan: &Plan, isa: &'static Isa, n_tokens: usize) -> Workspace {
        let n_padded = n_tokens.next_multiple_of(isa.tile_tokens());
        let kv = plan.n_kv_heads * plan.head_dim;
        let has_post_norm = plan
            .layers
            .iter()
            .any(|layer| layer.attn_post_norm.is_some() || layer.ffn_post_norm.is_some());
        let panels = |n: usize| n.div_ceil(PANEL_ROWS) * PANEL_ROWS;
        Workspace {
            isa,
            n_tokens,
            x: PhaseBuffer::new(n_tokens * plan.hidden),
            qkv: PhaseBuffer::new(n_padded * qkv_rows(plan)),
            attention: PhaseBuffer::new(n_tokens * plan.n_heads * plan.head_dim),
            hidden: PhaseBuffer::new(n_tokens * plan.ffn),
            update: PhaseBuffer::new(if has_post_norm {
                n_tokens * plan.hidden
            } else {
                0
            }),
            cache: PhaseBuffer::new(plan.layers.len() * 2 * n_tokens * kv),
            key_panels: PhaseBuffer::new(kv * panels(n_tokens)),
            value_panels: PhaseBuffer::new(plan.n_kv_heads * panels(plan.head_dim) * n_tokens),
            logits: PhaseBuffer::new(plan.output.rows),
            batches: plan
                .activation_shapes()
                .into_iter()
                .map(|(cols, block)| Batch::new(cols, block, n_tokens, isa))
                .collect(),
            rope: (0..n_tokens)
                .map(|position| rope_angles(plan.head_dim, position).collect())
                .collect(),
            counters: (0..(plan.layers.len() + 1) * N_PHASES)
                .map(|_| Counter::default())
                .collect(),
        }
    }

    /// The batch that a matrix takes.
    pub fn batch_of(&self, matrix: &Matrix) -> &Batch {
        self.batches
            .iter()
            .find(|batch| batch.fits(matrix.cols, matrix.format))
            .expect("the plan lists the input shape of every matrix")
    }

    /// Quantises a token for every format among `matrices`.
    ///
    /// # Safety
    /// - As for [`Batch::quantise`].
    pub unsafe fn quantise<'a>(
        &self,
        token: usize,
        x: &[f32],
        matrices: impl Iterator<Item = &'a Matrix> + Clone,
    ) {
        for batch in &self.batches {
            if matrices
                .clone()
                .any(|matrix| batch.fits(matrix.cols, matrix.format))
            {
                // SAFETY: the caller's promise.
                unsafe { batch.quantise(self.isa, token, x) };
            }
        }
    }

    /// Token tiles: what one thread prepares at a time.
    pub fn n_tiles(&self) -> usize {
        self.n_tokens.div_ceil(self.isa.tile_tokens())
    }

    /// Tokens of a tile that are there.
    pub fn tokens_of_tile(&self, tile: usize) -> std::ops::Range<usize> {
        let first = tile * self.isa.tile_tokens();
        first..(first + self.isa.tile_tokens()).min(self.n_tokens)
    }

    /// Tokens with those that pad the last tile.
    pub fn n_padded(&self) -> usize {
        self.n_tokens.next_multiple_of(self.isa.tile_tokens())
    }
}

impl Scratch {
    /// # Errors
    /// When there is no memory.
    pub fn new(plan: &Plan, workspace: &Workspace) -> std::io::Result<Scratch> {
        let panels = |n: usize| n.div_ceil(PANEL_ROWS) * PANEL_ROWS;
        Ok(Scratch {
            desk: GemmScratch::new(workspace.n_padded())?,
            normed: vec![0.0; plan.hidden],
            scores: vec![0.0; QUERY_BLOCK * panels(workspace.n_tokens)],
            head: vec![0.0; QUERY_BLOCK * panels(plan.head_dim)],
            sums: [0.0; QUERY_BLOCK],
            last: Activations::new(plan.output.cols, plan.output.format.activation_block()),
        })
    }
}

/// Rows of the common buffer of queries, keys and values.
pub fn qkv_rows(plan: &Plan) -> usize {
    (plan.n_heads + 2 * plan.n_kv_heads) * plan.head_dim
}
