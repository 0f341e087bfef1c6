//! Batched products: a panel of rows times many tokens, the shape of a prompt.
//!
//! 1. A panel is 32 rows x at most [`SLICE_COLS`] columns, *unpacked* to bytes (to floats for half precision) with one
//!    single-precision scale, and minimum where the format has one, per row and sub-block. Unpacking costs about one
//!    operation a byte and serves every token, so one portable loop per format, vectorised by the compiler for each
//!    variant, does for all of them.
//! 2. The unpacked slice stays in the first-level cache while the tokens stream past it, a tile of a few tokens at a
//!    time with its sums in registers.
//! 3. All variants are bit-identical: sums inside a sub-block are integers, and every floating-point step is one fused
//!    multiply-add in the order that [`scalar`](super::scalar) documents.

mod elementwise;
mod unpack;

use std::ops::Range;

use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::memory::Region;

pub(super) use self::elementwise::{quantise_token, rms_norm, silu_product, softmax, turn};
pub(super) use self::unpack::unpack;

/// Rows of a panel: four groups.
pub const PANEL_ROWS: usize = 32;

/// Groups of a panel.
pub const PANEL_GROUPS: usize = PANEL_ROWS / GROUP_ROWS;

/// Columns of a slice: 16 KiB of bytes, half of the smallest first-level cache among the boards.
pub const SLICE_COLS: usize = 512;

/// Columns of a slice of floats: 32 KiB, which the hardware streams well enough where it does not fit.
pub const FLOAT_SLICE_COLS: usize = 256;

/// Scales of a slice: one per row and 16 columns at most.
const N_SCALES: usize = PANEL_ROWS * SLICE_COLS / 16;

/// How the weights of a format meet the activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Floats.
    Float,
    /// Signed bytes; sub-blocks and activation blocks of 32.
    Signed32,
    /// Signed bytes; sub-blocks of 16 in activation blocks of 256.
    Signed16,
    /// Unsigned bytes with minima; sub-blocks of 16 in activation blocks of 256.
    Minima16,
    /// Unsigned bytes with minima; sub-blocks of 32 in activation blocks of 256.
    Minima32,
}

impl Kind {
    /// The kind of a format.
    pub(super) fn of(format: Format) -> Kind {
        match format {
            Format::F16 => Kind::Float,
            Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl => Kind::Signed32,
            Format::Q3K | Format::Q6K => Kind::Signed16,
            Format::Q2K => Kind::Minima16,
            Format::Q4K | Format::Q5K => Kind::Minima32,
        }
    }
}

/// A head, cosine and sine of every pair, and a factor.
type TurnFn = unsafe fn(&mut [f32], &[(f32, f32)], f32);

/// The batched inner loops of one variant.
pub(super) struct Batched {
    /// Tokens of a tile; batches are padded to a multiple of it.
    pub tile_tokens: usize,
    pub unpack: unsafe fn(Format, &[u8], usize, Unpacked<'_>),
    pub multiply: unsafe fn(Kind, &Product),
    pub multiply_floats: unsafe fn(&FloatProduct),
    pub quantise_token: unsafe fn(&[f32], TokenSlot<'_>),
    pub rms_norm: unsafe fn(&[f32], &[f32], &mut [f32]),
    pub silu_product: unsafe fn(&[f32], &[f32], &mut [f32]),
    pub softmax: unsafe fn(&mut [f32]) -> f32,
    pub turn: TurnFn,
}

/// The unpacked slice of a panel.
///
/// Shape: values `[chunk of 4 columns][32 rows][4]` bytes or, in half precision, floats `[column][32 rows]`; scales and minima
/// `[sub-block][32 rows]`.
pub struct Panel {
    values: Region,
    floats: Region,
    scales: Region,
    minima: Region,
}

/// Where a group of a panel is unpacked to.
pub(super) struct Unpacked<'a> {
    pub values: &'a mut [u8],
    pub floats: &'a mut [f32],
    pub scales: &'a mut [f32],
    pub minima: &'a mut [f32],
}

impl Panel {
    /// An empty panel.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> std::io::Result<Panel> {
        Ok(Panel {
            values: Region::new(PANEL_ROWS * SLICE_COLS)?,
            floats: Region::new(PANEL_ROWS * FLOAT_SLICE_COLS * 4)?,
            scales: Region::new(N_SCALES * 4)?,
            minima: Region::new(N_SCALES * 4)?,
        })
    }
}

/// Tokens of a batch, quantised for the formats of one activation block.
///
/// Shape: tokens are padded to whole tiles of `tile` tokens. `qs` (or `floats`, in blocks of one element) is
/// `[token][cols]`; scales are `[tile][block][tile tokens]`, sums `[tile][sub-block][tile tokens]`.
#[derive(Clone, Copy)]
pub struct BatchView<'a> {
    /// Elements of a token.
    pub cols: usize,
    /// Elements that share a scale.
    pub block_elements: usize,
    /// Elements, in blocks of one.
    pub floats: &'a [f32],
    /// Quantised elements.
    pub qs: &'a [i8],
    /// One scale per block.
    pub scales: &'a [f32],
    /// -128 times the sum of each sub-block (16 elements in blocks of 256, otherwise 32): the start of a sum of products
    /// with bytes made unsigned by adding 128.
    pub starts: &'a [i32],
    /// Sums of 16 elements, in blocks of 256: what minima are multiplied with.
    pub sums16: &'a [f32],
    /// Sums of 32 elements, in blocks of 256.
    pub sums32: &'a [f32],
}

/// Where one token is quantised to: its elements, and its tile's scales and sums, in which it has every
/// `tile_tokens`th place from `place` on.
pub struct TokenSlot<'a> {
    pub block_elements: usize,
    pub tile_tokens: usize,
    pub place: usize,
    pub floats: &'a mut [f32],
    pub qs: &'a mut [i8],
    pub scales: &'a mut [f32],
    pub starts: &'a mut [i32],
    pub sums16: &'a mut [f32],
    pub sums32: &'a mut [f32],
}

/// A slice of a panel times all tokens of a batch.
///
/// Pointers lead to the first value of the slice; strides are in elements and lead from token to token or from tile to
/// tile.
pub(super) struct Product {
    pub values: *const u8,
    pub scales: *const f32,
    pub minima: *const f32,
    /// Activation blocks of the slice.
    pub n_blocks: usize,
    pub n_tiles: usize,
    pub x: *const i8,
    pub x_stride: usize,
    pub x_scales: *const f32,
    pub x_scales_stride: usize,
    #[cfg_attr(
        target_arch = "aarch64",
        expect(
            dead_code,
            reason = "only products with unsigned bytes begin elsewhere than at zero"
        )
    )]
    pub x_starts: *const i32,
    #[cfg_attr(
        target_arch = "aarch64",
        expect(
            dead_code,
            reason = "only products with unsigned bytes begin elsewhere than at zero"
        )
    )]
    pub x_starts_stride: usize,
    pub x_sums: *const f32,
    pub x_sums_stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    /// Whether the sums begin at zero, not at what `out` holds.
    pub is_first: bool,
}

/// A panel of floats times tokens: `out[t][r] (+)= sum over c of values[c][r] * x[t][c]`, each step fused, in order.
pub(super) struct FloatProduct {
    pub values: *const f32,
    pub n_cols: usize,
    pub n_tiles: usize,
    pub x: *const f32,
    pub x_stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    pub is_first: bool,
}

impl super::Isa {
    /// Tokens of a tile: batches and everything they are multiplied into are padded to a multiple of it.
    pub fn tile_tokens(&self) -> usize {
        self.batched.tile_tokens
    }

    /// Rows times a batch.
    ///
    /// Shape: `groups` holds whole groups of rows in `format`, one after the other; `out` is
    /// `[padded tokens][out_stride]`. Rows come in panels of 32: those past the last group are undefined.
    ///
    /// A slice of columns is finished for all panels before the next begins, so that the activations of the slice stay
    /// in the second-level cache.
    ///
    /// # Panics
    /// When shapes, lengths or the activations' block do not fit.
    pub fn multiply_rows(
        &self,
        format: Format,
        groups: &[u8],
        x: BatchView<'_>,
        panel: &mut Panel,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let panel_bytes = format.row_bytes(x.cols) * PANEL_ROWS;
        assert!(
            groups.len().is_multiple_of(panel_bytes / PANEL_GROUPS),
            "rows come in whole groups"
        );
        assert_eq!(x.block_elements, format.activation_block());
        assert!(
            groups.len().div_ceil(panel_bytes) * PANEL_ROWS <= out_stride,
            "the panels fit a row of the output"
        );
        assert!(
            out.len()
                .is_multiple_of(out_stride * self.batched.tile_tokens),
            "tokens are padded to whole tiles"
        );
        let slice_cols = match Kind::of(format) {
            Kind::Float => FLOAT_SLICE_COLS,
            _ => SLICE_COLS,
        };
        for first_col in (0..x.cols).step_by(slice_cols) {
            let cols = first_col..(first_col + slice_cols).min(x.cols);
            for (panel_idx, groups) in groups.chunks(panel_bytes).enumerate() {
                self.unpack(format, groups, x.cols, cols.clone(), panel);
                let out = &mut out[panel_idx * PANEL_ROWS..];
                match Kind::of(format) {
                    Kind::Float => {
                        self.multiply_float_slice(x, cols.clone(), panel, out, out_stride)
                    }
                    kind => self.multiply_slice(kind, x, cols.clone(), panel, out, out_stride),
                }
            }
        }
    }

    /// Unpacks the columns `cols` of one to four groups of rows.
    fn unpack(
        &self,
        format: Format,
        groups: &[u8],
        row_cols: usize,
        cols: Range<usize>,
        panel: &mut Panel,
    ) {
        let group_bytes = format.row_bytes(row_cols) * GROUP_ROWS;
        let blocks = cols.start / format.block_elements()..cols.end / format.block_elements();
        let block_bytes = format.block_bytes() * GROUP_ROWS;
        for (place, group) in groups.chunks_exact(group_bytes).enumerate() {
            let blocks = &group[blocks.start * block_bytes..blocks.end * block_bytes];
            // SAFETY: the token proves the CPU runs this variant.
            unsafe { (self.batched.unpack)(format, blocks, place, panel.unpacked()) };
        }
    }

    /// Adds the products of an unpacked slice of floats; `out` begins at the first row of the panel.
    fn multiply_float_slice(
        &self,
        x: BatchView<'_>,
        cols: Range<usize>,
        panel: &Panel,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let n_tokens = out.len().div_ceil(out_stride);
        assert!(
            x.floats.len() >= n_tokens * x.cols && cols.end <= x.cols,
            "the batch has all tokens"
        );
        let product = FloatProduct {
            values: panel.floats.bytes().as_ptr().cast(),
            n_cols: cols.len(),
            n_tiles: n_tokens / self.batched.tile_tokens,
            x: x.floats[cols.start..].as_ptr(),
            x_stride: x.cols,
            out: out.as_mut_ptr(),
            out_stride,
            is_first: cols.start == 0,
        };
        // SAFETY: the token proves the CPU runs this variant; the assertions here and in `multiply_rows` tie all
        // lengths together.
        unsafe { (self.batched.multiply_floats)(&product) };
    }

    /// Adds the products of an unpacked slice of bytes; `out` begins at the first row of the panel.
    fn multiply_slice(
        &self,
        kind: Kind,
        x: BatchView<'_>,
        cols: Range<usize>,
        panel: &Panel,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let tile = self.batched.tile_tokens;
        let n_tokens = out.len().div_ceil(out_stride);
        let (sub_block, sums) = match kind {
            Kind::Minima16 => (16, x.sums16),
            Kind::Minima32 => (32, x.sums32),
            Kind::Signed16 => (16, [].as_slice()),
            Kind::Signed32 | Kind::Float => (32, [].as_slice()),
        };
        let has_minima = matches!(kind, Kind::Minima16 | Kind::Minima32);
        let (n_blocks, n_subs) = (x.cols / x.block_elements, x.cols / sub_block);
        assert!(
            cols.end <= x.cols
                && x.qs.len() >= n_tokens * x.cols
                && x.scales.len() >= n_tokens * n_blocks
                && (has_minima || x.starts.len() >= n_tokens * n_subs)
                && (!has_minima || sums.len() >= n_tokens * n_subs),
            "the batch has all tokens"
        );
        let first_sub = cols.start / sub_block * tile;
        let product = Product {
            values: panel.values.bytes().as_ptr(),
            scales: panel.scales.bytes().as_ptr().cast(),
            minima: panel.minima.bytes().as_ptr().cast(),
            n_blocks: cols.len() / x.block_elements,
            n_tiles: n_tokens / tile,
            x: x.qs[cols.start..].as_ptr(),
            x_stride: x.cols,
            x_scales: x.scales[cols.start / x.block_elements * tile..].as_ptr(),
            x_scales_stride: n_blocks * tile,
            x_starts: x.starts.as_ptr().wrapping_add(first_sub),
            x_starts_stride: n_subs * tile,
            x_sums: sums.as_ptr().wrapping_add(first_sub),
            x_sums_stride: n_subs * tile,
            out: out.as_mut_ptr(),
            out_stride,
            is_first: cols.start == 0,
        };
        // SAFETY: the token proves the CPU runs this variant; the assertions here and in `multiply_rows` tie all
        // lengths together.
        unsafe { (self.batched.multiply)(kind, &product) };
    }

    /// `out[t][r] = sum over c of values[c][r] * x[t][c]` for the 32 rows of a panel of floats.
    ///
    /// Shape: `values` is `[n_cols][32]`, `x` is `[padded tokens][x_stride]`, `out` `[padded tokens][out_stride]`; the
    /// last token may end after its `n_cols` or 32 elements.
    ///
    /// # Panics
    /// When lengths do not fit.
    pub fn multiply_floats(
        &self,
        values: &[f32],
        n_tokens: usize,
        x: &[f32],
        x_stride: usize,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let n_cols = values.len() / PANEL_ROWS;
        assert!(n_tokens > 0 && n_tokens.is_multiple_of(self.batched.tile_tokens));
        assert!(
            x.len() >= (n_tokens - 1) * x_stride + n_cols
                && out.len() >= (n_tokens - 1) * out_stride + PANEL_ROWS,
            "all tokens are there"
        );
        for first_col in (0..n_cols).step_by(FLOAT_SLICE_COLS) {
            let product = FloatProduct {
                values: values[first_col * PANEL_ROWS..].as_ptr(),
                n_cols: FLOAT_SLICE_COLS.min(n_cols - first_col),
                n_tiles: n_tokens / self.batched.tile_tokens,
                x: x[first_col..].as_ptr(),
                x_stride,
                out: out.as_mut_ptr(),
                out_stride,
                is_first: first_col == 0,
            };
            // SAFETY: the token proves the CPU runs this variant; the assertions above tie all lengths together.
            unsafe { (self.batched.multiply_floats)(&product) };
        }
    }

    /// Quantises one token into its slot, as [`crate::numeric::Activations::quantise`] does.
    pub fn quantise_token(&self, x: &[f32], slot: TokenSlot<'_>) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.batched.quantise_token)(x, slot) }
    }

    /// Root-mean-square norm of one token: [`crate::numeric::rms_norm`].
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], out: &mut [f32]) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.batched.rms_norm)(x, weight, out) }
    }

    /// `out[i] = silu(gate[i]) * up[i]`.
    pub fn silu_product(&self, gate: &[f32], up: &[f32], out: &mut [f32]) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.batched.silu_product)(gate, up, out) }
    }

    /// Replaces scores by e^(score - largest) and returns their sum.
    pub fn softmax(&self, scores: &mut [f32]) -> f32 {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.batched.softmax)(scores) }
    }

    /// Turns every pair of a head by its angle (halves as pairs) and multiplies it by `scale`.
    pub fn turn(&self, head: &mut [f32], angles: &[(f32, f32)], scale: f32) {
        // SAFETY: the token proves the CPU runs this variant.
        unsafe { (self.batched.turn)(head, angles, scale) }
    }
}

impl Panel {
    fn unpacked(&mut self) -> Unpacked<'_> {
        Unpacked {
            values: self.values.bytes_mut(),
            floats: self.floats.floats_mut(),
            scales: self.scales.floats_mut(),
            minima: self.minima.floats_mut(),
        }
    }
}
