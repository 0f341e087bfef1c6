//! Causal attention of a prompt: products of panels of floats, so that it runs at the rate of the other products.
//!
//! Pseudo-code, for every query head and block of queries: `scores = queries * keys`, each query up to its own
//! position; `out = softmax(scores) * values`.
//!
//! 1. Keys and values go through the half precision in which the cache keeps them, and are laid out as panels once a
//!    layer: 32 keys side by side for the scores, 32 dimensions side by side for the values.
//! 2. Keys after the last query of a block are left out; those between a query and the end of its block weigh nothing.

use std::ops::Range;

use super::workspace::{QUERY_BLOCK, Scratch, Workspace, qkv_rows};
use crate::kernels::decode::plan::{Layer, Plan};
use crate::numeric;
use crate::simd::batch::PANEL_ROWS;

/// Items of [`prepare_item`]: panels of keys and values, then tiles of queries.
pub fn n_prepare_items(plan: &Plan, workspace: &Workspace) -> usize {
    plan.n_kv_heads * n_panels(workspace.n_tokens) + workspace.n_tiles()
}

/// Items of [`item`].
pub fn n_items(plan: &Plan, workspace: &Workspace) -> usize {
    plan.n_heads * workspace.n_tokens.div_ceil(QUERY_BLOCK)
}

fn n_panels(n: usize) -> usize {
    n.div_ceil(PANEL_ROWS)
}

/// Adds the biases, turns queries and keys, and lays out keys and values: one panel of positions of one key-value head,
/// or the queries of one tile.
///
/// # Safety
/// - Each item is taken by one thread; barriers lie between this phase and the one that wrote `qkv`, and between this
///   phase and the one that reads what it leaves.
pub unsafe fn prepare_item(
    plan: &Plan,
    layer: &Layer,
    layer_idx: usize,
    workspace: &Workspace,
    item_idx: usize,
) {
    let n_panels = n_panels(workspace.n_tokens);
    match item_idx.checked_sub(plan.n_kv_heads * n_panels) {
        Some(tile) => {
            for token in workspace.tokens_of_tile(tile) {
                // SAFETY: this item alone touches the queries of the token.
                unsafe { turn_queries(plan, layer, workspace, token) };
            }
        }
        None => {
            let (kv_head, panel_idx) = (item_idx / n_panels, item_idx % n_panels);
            let first = panel_idx * PANEL_ROWS;
            let positions = first..(first + PANEL_ROWS).min(workspace.n_tokens);
            // SAFETY: this item alone touches the keys and values of the head at these positions.
            unsafe { lay_out(plan, layer, layer_idx, workspace, kv_head, positions) };
        }
    }
}

/// # Safety
/// - No other thread touches the queries of `token`.
unsafe fn turn_queries(plan: &Plan, layer: &Layer, workspace: &Workspace, token: usize) {
    let Plan {
        n_heads, head_dim, ..
    } = *plan;
    let first = token * qkv_rows(plan);
    // SAFETY: the caller's promise.
    let queries = unsafe { workspace.qkv.write(first..first + n_heads * head_dim) };
    let scale = 1.0 / (head_dim as f32).sqrt();
    for (head_idx, query) in queries.chunks_exact_mut(head_dim).enumerate() {
        add_bias(query, layer.bias(head_idx, head_dim));
        workspace.isa.turn(query, &workspace.rope[token], scale);
    }
}

/// # Safety
/// - No other thread touches the keys and values of the head at `positions`.
unsafe fn lay_out(
    plan: &Plan,
    layer: &Layer,
    layer_idx: usize,
    workspace: &Workspace,
    kv_head: usize,
    positions: Range<usize>,
) {
    let Plan {
        n_heads,
        n_kv_heads,
        head_dim,
        ..
    } = *plan;
    let n_tokens = workspace.n_tokens;
    let panel_idx = positions.start / PANEL_ROWS;
    let panel_len = head_dim * PANEL_ROWS;
    let panel_at = (kv_head * n_panels(n_tokens) + panel_idx) * panel_len;
    let n_dim_panels = n_panels(head_dim);
    // SAFETY: the panel belongs to this item.
    let key_panel = unsafe { workspace.key_panels.write(panel_at..panel_at + panel_len) };
    for position in positions {
        for (kind, head_idx) in [n_heads + kv_head, n_heads + n_kv_heads + kv_head]
            .into_iter()
            .enumerate()
        {
            let at = position * qkv_rows(plan) + head_idx * head_dim;
            let cached_head = (layer_idx * 2 + kind) * n_kv_heads + kv_head;
            let cached = (cached_head * n_tokens + position) * head_dim;
            // SAFETY: this item alone touches the head at this position.
            let (row, cached) = unsafe {
                (
                    workspace.qkv.write(at..at + head_dim),
                    workspace.cache.write(cached..cached + head_dim),
                )
            };
            add_bias(row, layer.bias(head_idx, head_dim));
            if kind == 0 {
                workspace.isa.turn(row, &workspace.rope[position], 1.0);
            }
            for (half, float) in cached.iter_mut().zip(&mut *row) {
                *half = numeric::f32_to_f16(*float);
                *float = numeric::f16_to_f32(*half);
            }
            if kind == 0 {
                for (key, float) in key_panel.chunks_exact_mut(PANEL_ROWS).zip(&*row) {
                    key[position % PANEL_ROWS] = *float;
                }
                continue;
            }
            for (panel, row) in row.chunks(PANEL_ROWS).enumerate() {
                let at = ((kv_head * n_dim_panels + panel) * n_tokens + position) * PANEL_ROWS;
                // SAFETY: this item alone touches the head at this position.
                let to = unsafe { workspace.value_panels.write(at..at + row.len()) };
                numeric::copy(to, row);
            }
        }
    }
}

/// One block of queries of one head.
///
/// # Safety
/// - Each item is taken by one thread; barriers lie between this phase and [`prepare_item`], and between this phase and
///   the one that reads `attention`.
pub unsafe fn item(plan: &Plan, workspace: &Workspace, scratch: &mut Scratch, item_idx: usize) {
    let Plan {
        n_heads,
        n_kv_heads,
        head_dim,
        ..
    } = *plan;
    let (isa, n_tokens) = (workspace.isa, workspace.n_tokens);
    // The longest blocks first: what is left at the end is short.
    let (block_idx, head_idx) = (item_idx / n_heads, item_idx % n_heads);
    let first = (n_tokens.div_ceil(QUERY_BLOCK) - 1 - block_idx) * QUERY_BLOCK;
    let queries = first..(first + QUERY_BLOCK).min(n_tokens);
    let n_padded = queries.len().next_multiple_of(isa.tile_tokens());
    let (n_keys, kv_head) = (queries.end, head_idx / (n_heads / n_kv_heads));
    // SAFETY: no thread writes these buffers in this phase.
    let (qkv, key_panels, value_panels) = unsafe {
        (
            workspace.qkv.read(),
            workspace.key_panels.read(),
            workspace.value_panels.read(),
        )
    };
    let stride = n_panels(n_tokens) * PANEL_ROWS;
    let x = &qkv[first * qkv_rows(plan) + head_idx * head_dim..];
    for panel_idx in 0..n_panels(n_keys) {
        let at = (kv_head * n_panels(n_tokens) + panel_idx) * head_dim * PANEL_ROWS;
        isa.multiply_floats(
            &key_panels[at..at + head_dim * PANEL_ROWS],
            n_padded,
            x,
            qkv_rows(plan),
            &mut scratch.scores[panel_idx * PANEL_ROWS..],
            stride,
        );
    }
    for (idx, scores) in scratch.scores.chunks_exact_mut(stride).enumerate() {
        if idx < queries.len() {
            let (seen, unseen) = scores[..n_keys].split_at_mut(first + idx + 1);
            scratch.sums[idx] = isa.softmax(seen);
            numeric::clear(unseen);
        }
    }
    let n_dim_panels = n_panels(head_dim);
    let head_stride = n_dim_panels * PANEL_ROWS;
    for panel_idx in 0..n_dim_panels {
        let at = (kv_head * n_dim_panels + panel_idx) * n_tokens * PANEL_ROWS;
        isa.multiply_floats(
            &value_panels[at..at + n_keys * PANEL_ROWS],
            n_padded,
            &scratch.scores,
            stride,
            &mut scratch.head[panel_idx * PANEL_ROWS..],
            head_stride,
        );
    }
    for (idx, token) in queries.enumerate() {
        let at = (token * n_heads + head_idx) * head_dim;
        // SAFETY: this item alone writes the head of these tokens.
        let out = unsafe { workspace.attention.write(at..at + head_dim) };
        let factor = 1.0 / scratch.sums[idx];
        for (out, value) in out.iter_mut().zip(&scratch.head[idx * head_stride..]) {
            *out = value * factor;
        }
    }
}

fn add_bias(head: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        head.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
    }
}
