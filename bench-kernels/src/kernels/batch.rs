//! Tokens that go through matrices together: their quantised form, and the work of one thread.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::weights::{Format, GROUP_ROWS};
use crate::memory::PhaseBuffer;
use crate::simd::Isa;
use crate::simd::batch::{BatchView, PANEL_ROWS, Panel, TokenSlot};

/// Rows of one item of work at most: few enough that its outputs for a few hundred tokens stay in the second-level
/// cache, many enough that the activations are rarely read from beyond it.
const MOST_ITEM_ROWS: usize = 4 * PANEL_ROWS;

/// Items per thread that the rows of a matrix are cut into at least, while they are no smaller than a panel: so late
/// threads wait for little.
const ITEMS_PER_THREAD: usize = 8;

/// Items of a phase, handed out one by one: a fixed split would run at the pace of the slowest core.
#[derive(Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// The next item below `n`.
    pub fn next(&self, n: usize) -> Option<usize> {
        // Relaxed: the counter orders nothing; a barrier does.
        Some(self.0.fetch_add(1, Ordering::Relaxed)).filter(|item| *item < n)
    }

    /// Starts over; no thread may be taking items.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Rows of one item of a matrix.
pub fn item_rows(n_rows: usize, n_threads: usize) -> usize {
    (n_rows / (n_threads * ITEMS_PER_THREAD))
        .next_multiple_of(PANEL_ROWS)
        .clamp(PANEL_ROWS, MOST_ITEM_ROWS)
}

/// The rows of an item, and how many items there are.
pub fn rows_of_item(n_rows: usize, n_threads: usize, item_idx: usize) -> Range<usize> {
    let rows = item_rows(n_rows, n_threads);
    item_idx * rows..((item_idx + 1) * rows).min(n_rows)
}

/// Items of a matrix.
pub fn n_items(n_rows: usize, n_threads: usize) -> usize {
    n_rows.div_ceil(item_rows(n_rows, n_threads))
}

/// Tokens in the form that matrices of one activation block take them.
pub struct Batch {
    cols: usize,
    block_elements: usize,
    tile_tokens: usize,
    n_padded: usize,
    floats: PhaseBuffer,
    qs: PhaseBuffer<i8>,
    scales: PhaseBuffer,
    starts: PhaseBuffer<i32>,
    sums16: PhaseBuffer,
    sums32: PhaseBuffer,
}

impl Batch {
    /// Room for `n_tokens` of `cols` elements; the tokens that pad the last tile are zero.
    pub fn new(cols: usize, block_elements: usize, n_tokens: usize, isa: &Isa) -> Batch {
        let tile_tokens = isa.tile_tokens();
        let n_padded = n_tokens.next_multiple_of(tile_tokens);
        let n = n_padded * cols;
        let (n_floats, n_quantised) = if block_elements == 1 { (n, 0) } else { (0, n) };
        let (n_starts, n_16, n_32) = match block_elements {
            256 => (n_quantised / 16, n_quantised / 16, n_quantised / 32),
            _ => (n_quantised / 32, 0, 0),
        };
        Batch {
            cols,
            block_elements,
            tile_tokens,
            n_padded,
            floats: PhaseBuffer::new(n_floats),
            qs: PhaseBuffer::new(n_quantised),
            scales: PhaseBuffer::new(n_quantised / block_elements),
            starts: PhaseBuffer::new(n_starts),
            sums16: PhaseBuffer::new(n_16),
            sums32: PhaseBuffer::new(n_32),
        }
    }

    /// Whether a matrix of that shape takes this batch.
    pub fn fits(&self, cols: usize, format: Format) -> bool {
        self.cols == cols && self.block_elements == format.activation_block()
    }

    /// Tokens with those that pad the last tile.
    pub fn n_padded(&self) -> usize {
        self.n_padded
    }

    /// All tokens.
    ///
    /// # Safety
    /// - No thread writes any token until the view ends, and a barrier lies between the last write and this call.
    pub unsafe fn view(&self) -> BatchView<'_> {
        // SAFETY: the caller's promise.
        unsafe {
            BatchView {
                cols: self.cols,
                block_elements: self.block_elements,
                floats: self.floats.read(),
                qs: self.qs.read(),
                scales: self.scales.read(),
                starts: self.starts.read(),
                sums16: self.sums16.read(),
                sums32: self.sums32.read(),
            }
        }
    }

    /// Quantises `x` as token `token`.
    ///
    /// # Safety
    /// - No other thread touches any token of the same tile, and no thread reads any, until a barrier after this call.
    pub unsafe fn quantise(&self, isa: &Isa, token: usize, x: &[f32]) {
        let (tile, place) = (token / self.tile_tokens, token % self.tile_tokens);
        let n_tiles = self.n_padded / self.tile_tokens;
        let of_tile = |len: usize| len / n_tiles * tile..len / n_tiles * (tile + 1);
        let of_token = |len: usize| len / self.n_padded * token..len / self.n_padded * (token + 1);
        // SAFETY: the ranges lie in the token's tile, which belongs to this thread: the caller's promise.
        let slot = unsafe {
            TokenSlot {
                block_elements: self.block_elements,
                tile_tokens: self.tile_tokens,
                place,
                floats: self.floats.write(of_token(self.floats.len())),
                qs: self.qs.write(of_token(self.qs.len())),
                scales: self.scales.write(of_tile(self.scales.len())),
                starts: self.starts.write(of_tile(self.starts.len())),
                sums16: self.sums16.write(of_tile(self.sums16.len())),
                sums32: self.sums32.write(of_tile(self.sums32.len())),
            }
        };
        isa.quantise_token(x, slot);
    }
}

/// What one thread works on: an unpacked slice, and the outputs of up to two items.
pub struct GemmScratch {
    panel: Panel,
    outs: [Vec<f32>; 2],
}

impl GemmScratch {
    /// Room for items of `n_padded` tokens.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(n_padded: usize) -> std::io::Result<GemmScratch> {
        Ok(GemmScratch {
            panel: Panel::new()?,
            outs: [(); 2].map(|()| vec![0.0; n_padded * MOST_ITEM_ROWS]),
        })
    }

    /// Multiplies the rows of an item with all tokens of a batch, into output `out_idx`.
    ///
    /// Shape: `groups` holds at most 128 rows. The output is `[padded tokens][stride]`.
    pub fn multiply(
        &mut self,
        isa: &Isa,
        format: Format,
        groups: &[u8],
        x: BatchView<'_>,
        n_padded: usize,
        out_idx: usize,
    ) {
        let n_rows = groups.len() / format.row_bytes(x.cols);
        debug_assert!(n_rows.is_multiple_of(GROUP_ROWS), "rows come in groups");
        let stride = n_rows.next_multiple_of(PANEL_ROWS);
        let out = &mut self.outs[out_idx][..n_padded * stride];
        isa.multiply_rows(format, groups, x, &mut self.panel, out, stride);
    }

    /// The `n_rows` outputs of one token that [`GemmScratch::multiply`] left.
    pub fn out(&self, out_idx: usize, n_rows: usize, token: usize) -> &[f32] {
        let stride = n_rows.next_multiple_of(PANEL_ROWS);
        &self.outs[out_idx][token * stride..][..n_rows]
    }
}
