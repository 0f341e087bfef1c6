//! From a tensor list to the matrices and vectors of each layer, and where every thread's rows of them lie.

use std::ops::Range;

use bench_protocol::{DecodeModel, DecodeTensor, TensorRole};

use crate::kernels::weights::{Format, GROUP_ROWS};
use crate::kernels::{NotReady, chunks};
use crate::memory::split_evenly;
use crate::numeric::noise_f32;

/// Everything the step needs to know about the model.
pub struct Plan {
    pub layers: Vec<Layer>,
    pub output_norm: Vec<f32>,
    pub output: Matrix,
    pub hidden: usize,
    pub ffn: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    pub depth: usize,
    /// Bytes of all tensors that one token reads.
    pub weight_bytes: u64,
    /// Bytes of keys and values of one token over all layers, in half precision.
    pub kv_bytes_per_token: u64,
    /// Operations of one token, a multiply-add counting two.
    pub ops_per_token: u64,
    /// Bytes of each thread's region.
    pub thread_bytes: Vec<usize>,
    /// The layer whose weights each layer uses: its own, unless not all of them fit into memory.
    pub weights_of: Vec<usize>,
}

/// One layer.
pub struct Layer {
    pub attn_norm: Vec<f32>,
    /// Projections and the first row of each in the common buffer of queries, keys and values.
    pub qkv: Vec<(Matrix, usize)>,
    /// Bias of the common buffer, if the model has one.
    pub qkv_bias: Option<Vec<f32>>,
    pub attn_output: Matrix,
    pub attn_post_norm: Option<Vec<f32>>,
    pub ffn_norm: Vec<f32>,
    pub ffn_gate: Matrix,
    pub ffn_up: Matrix,
    pub ffn_down: Matrix,
    pub ffn_post_norm: Option<Vec<f32>>,
}

impl Layer {
    /// Bias of the head with that index in the common buffer.
    pub fn bias(&self, head_idx: usize, head_dim: usize) -> Option<&[f32]> {
        self.qkv_bias
            .as_ref()
            .map(|bias| &bias[head_idx * head_dim..][..head_dim])
    }

    /// Its matrices, in the order the step reads them.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let rest = [
            &self.attn_output,
            &self.ffn_gate,
            &self.ffn_up,
            &self.ffn_down,
        ];
        self.qkv.iter().map(|(matrix, _)| matrix).chain(rest)
    }

    /// The same, for changing them.
    pub fn matrices_mut(&mut self) -> impl Iterator<Item = &mut Matrix> {
        let rest = [
            &mut self.attn_output,
            &mut self.ffn_gate,
            &mut self.ffn_up,
            &mut self.ffn_down,
        ];
        self.qkv.iter_mut().map(|(matrix, _)| matrix).chain(rest)
    }
}

/// A matrix, or a run of rows of a fused one.
pub struct Matrix {
    pub format: Format,
    pub rows: usize,
    pub cols: usize,
    pub seed: u64,
    /// Where each thread's rows begin in that thread's region.
    pub offsets: Vec<usize>,
}

impl Matrix {
    /// Bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.rows * self.format.row_bytes(self.cols)
    }

    /// Rows of one thread.
    pub fn rows_of(&self, thread_idx: usize, n_threads: usize) -> Range<usize> {
        let groups = split_evenly(self.rows / GROUP_ROWS, n_threads, thread_idx);
        groups.start * GROUP_ROWS..groups.end * GROUP_ROWS
    }

    /// Chunks of the rows of one thread.
    pub fn n_chunks(&self, owner_idx: usize, chunk_bytes: usize) -> usize {
        let n_rows = self.rows_of(owner_idx, self.offsets.len()).len();
        let group_bytes = GROUP_ROWS * self.format.row_bytes(self.cols);
        chunks::n_chunks(n_rows / GROUP_ROWS, group_bytes, chunk_bytes)
    }

    /// Groups of one of `n_chunks` chunks, counted from the first of the owner.
    pub fn groups_of_chunk(
        &self,
        owner_idx: usize,
        n_chunks: usize,
        chunk_idx: usize,
    ) -> Range<usize> {
        let n_groups = self.rows_of(owner_idx, self.offsets.len()).len() / GROUP_ROWS;
        split_evenly(n_groups, n_chunks, chunk_idx)
    }

    /// Puts each thread's rows at the end of its region, which grows by them.
    pub fn place(&mut self, thread_bytes: &mut [usize]) {
        self.offsets = thread_bytes.to_vec();
        for thread_idx in 0..thread_bytes.len() {
            let n_rows = self.rows_of(thread_idx, thread_bytes.len()).len();
            let n_bytes = n_rows * self.format.row_bytes(self.cols);
            // A cache line's boundary keeps every vector load inside as few lines as possible.
            thread_bytes[thread_idx] += n_bytes.next_multiple_of(64);
        }
    }
}

impl Plan {
    /// The formats of its matrices, in the order they are first read.
    pub fn formats(&self) -> Vec<Format> {
        let mut formats = Vec::new();
        for matrix in self.matrices() {
            if !formats.contains(&matrix.format) {
                formats.push(matrix.format);
            }
        }
        formats
    }

    /// Every matrix, in the order the step reads them.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(Layer::matrices);
        layers.chain([&self.output])
    }

    /// Every shape of quantised input: columns and block.
    pub fn activation_shapes(&self) -> Vec<(usize, usize)> {
        let mut shapes: Vec<_> = self
            .matrices()
            .map(|matrix| (matrix.cols, matrix.format.activation_block()))
            .collect();
        shapes.sort_unstable();
        shapes.dedup();
        shapes
    }
}

/// Lays out the model.
///
/// # Errors
/// When a tensor is missing, has an unexpected shape, or a format without a kernel.
pub fn plan(model: &DecodeModel, depth: usize, n_threads: usize) -> Result<Plan, NotReady> {
    let mut builder = Builder {
        model,
        thread_bytes: vec![0; n_threads],
        n_matrices: 0,
    };
    let (hidden, head_dim) = (model.hidden as usize, model.head_dim as usize);
    let (n_heads, n_kv_heads) = (model.n_heads as usize, model.n_kv_heads as usize);
    if n_kv_heads == 0
        || !n_heads.is_multiple_of(n_kv_heads)
        || !head_dim.is_multiple_of(8)
        || head_dim == 0
    {
        return Err(NotReady::Failed(format!(
            "{n_heads} query heads over {n_kv_heads} key-value heads of {head_dim} elements cannot be laid out"
        )));
    }
    let layers = (0..model.n_layers)
        .map(|layer_idx| builder.layer(layer_idx))
        .collect::<Result<Vec<_>, _>>()?;
    let output = builder.matrix(None, TensorRole::Output, 0, 1)?;
    let output_norm = builder.vector(None, TensorRole::OutputNorm, hidden)?;
    let ffn = layers.first().map_or(0, |layer| layer.ffn_gate.rows);
    let weights: u64 = model
        .tensors
        .iter()
        .filter(|tensor| tensor.rows > 1)
        .map(|tensor| tensor.rows * tensor.cols)
        .sum();
    let weight_bytes = model
        .tensors
        .iter()
        .map(tensor_bytes)
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .sum();
    let kv_elements = 2 * u64::from(model.n_layers) * (n_kv_heads * head_dim) as u64;
    let attention_ops =
        4 * (depth as u64 + 1) * (n_heads * head_dim) as u64 * u64::from(model.n_layers);
    Ok(Plan {
        layers,
        output_norm,
        output,
        hidden,
        ffn,
        n_heads,
        n_kv_heads,
        head_dim,
        depth,
        weight_bytes,
        kv_bytes_per_token: kv_elements * 2,
        ops_per_token: 2 * weights + attention_ops,
        thread_bytes: builder.thread_bytes,
        weights_of: (0..model.n_layers as usize).collect(),
    })
}

fn tensor_bytes(tensor: &DecodeTensor) -> Result<u64, NotReady> {
    match tensor.format.as_str() {
        "f32" => Ok(tensor.rows * tensor.cols * 4),
        id => {
            let format = format_of(tensor, id)?;
            Ok(tensor.rows * format.row_bytes(tensor.cols as usize) as u64)
        }
    }
}

fn format_of(tensor: &DecodeTensor, id: &str) -> Result<Format, NotReady> {
    Format::from_id(id).ok_or_else(|| {
        NotReady::Skipped(format!(
            "tensor `{}` is in {id}, for which there is no kernel",
            tensor.name
        ))
    })
}

struct Builder<'a> {
    model: &'a DecodeModel,
    thread_bytes: Vec<usize>,
    n_matrices: u64,
}

impl Builder<'_> {
    fn layer(&mut self, layer_idx: u32) -> Result<Layer, NotReady> {
        let layer = Some(layer_idx);
        let hidden = self.model.hidden as usize;
        let head_dim = self.model.head_dim as usize;
        let (q_rows, kv_rows) = (
            self.model.n_heads as usize * head_dim,
            self.model.n_kv_heads as usize * head_dim,
        );
        let attn_norm = self.vector(layer, TensorRole::AttnNorm, hidden)?;
        let qkv = match self.find(layer, TensorRole::AttnQkv) {
            Some(_) => vec![(self.matrix(layer, TensorRole::AttnQkv, 0, 1)?, 0)],
            None => vec![
                (self.matrix(layer, TensorRole::AttnQ, 0, 1)?, 0),
                (self.matrix(layer, TensorRole::AttnK, 0, 1)?, q_rows),
                (
                    self.matrix(layer, TensorRole::AttnV, 0, 1)?,
                    q_rows + kv_rows,
                ),
            ],
        };
        let n_rows: usize = qkv.iter().map(|(matrix, _)| matrix.rows).sum();
        if n_rows != q_rows + 2 * kv_rows {
            return Err(NotReady::Failed(format!(
                "layer {layer_idx} projects to {n_rows} rows, not {q_rows} + 2 x {kv_rows}"
            )));
        }
        let qkv_bias = match self.find(layer, TensorRole::AttnQBias) {
            Some(_) => Some(
                [
                    self.vector(layer, TensorRole::AttnQBias, q_rows)?,
                    self.vector(layer, TensorRole::AttnKBias, kv_rows)?,
                    self.vector(layer, TensorRole::AttnVBias, kv_rows)?,
                ]
                .concat(),
            ),
            None => None,
        };
        let attn_output = self.matrix(layer, TensorRole::AttnOutput, 0, 1)?;
        let attn_post_norm = self.optional_vector(layer, TensorRole::AttnPostNorm, hidden)?;
        let ffn_norm = self.vector(layer, TensorRole::FfnNorm, hidden)?;
        let (ffn_gate, ffn_up) = match self.find(layer, TensorRole::FfnGateUp) {
            Some(_) => (
                self.matrix(layer, TensorRole::FfnGateUp, 0, 2)?,
                self.matrix(layer, TensorRole::FfnGateUp, 1, 2)?,
            ),
            None => (
                self.matrix(layer, TensorRole::FfnGate, 0, 1)?,
                self.matrix(layer, TensorRole::FfnUp, 0, 1)?,
            ),
        };
        let ffn_down = self.matrix(layer, TensorRole::FfnDown, 0, 1)?;
        let ffn_post_norm = self.optional_vector(layer, TensorRole::FfnPostNorm, hidden)?;
        let fits = attn_output.rows == hidden
            && attn_output.cols == q_rows
            && ffn_gate.rows == ffn_up.rows
            && ffn_down.cols == ffn_gate.rows
            && ffn_down.rows == hidden
            && qkv.iter().all(|(matrix, _)| matrix.cols == hidden)
            && ffn_gate.cols == hidden;
        if !fits {
            return Err(NotReady::Failed(format!(
                "the matrices of layer {layer_idx} do not fit together"
            )));
        }
        Ok(Layer {
            attn_norm,
            qkv,
            qkv_bias,
            attn_output,
            attn_post_norm,
            ffn_norm,
            ffn_gate,
            ffn_up,
            ffn_down,
            ffn_post_norm,
        })
    }

    fn find(&self, layer: Option<u32>, role: TensorRole) -> Option<&DecodeTensor> {
        self.model
            .tensors
            .iter()
            .find(|tensor| tensor.layer == layer && tensor.role == role)
    }

    fn require(&self, layer: Option<u32>, role: TensorRole) -> Result<&DecodeTensor, NotReady> {
        self.find(layer, role).ok_or_else(|| {
            let place = layer.map_or("the output".to_string(), |layer| format!("layer {layer}"));
            NotReady::Failed(format!("{place} has no tensor in the role {role:?}"))
        })
    }

    /// Part `part_idx` of `n_parts` equal runs of rows of a tensor.
    fn matrix(
        &mut self,
        layer: Option<u32>,
        role: TensorRole,
        part_idx: u64,
        n_parts: u64,
    ) -> Result<Matrix, NotReady> {
        let tensor = self.require(layer, role)?;
        let format = format_of(tensor, &tensor.format)?;
        let (rows, cols) = ((tensor.rows / n_parts) as usize, tensor.cols as usize);
        if !rows.is_multiple_of(GROUP_ROWS)
            || rows == 0
            || cols == 0
            || !cols.is_multiple_of(format.block_elements())
        {
            return Err(NotReady::Skipped(format!(
                "tensor `{}` ({rows} x {cols}, {}) does not consist of whole groups of {GROUP_ROWS} rows and blocks of {} columns",
                tensor.name,
                format.id(),
                format.block_elements()
            )));
        }
        self.n_matrices += 1;
        let mut matrix = Matrix {
            format,
            rows,
            cols,
            seed: (self.n_matrices << 48) + part_idx,
            offsets: Vec::new(),
        };
        matrix.place(&mut self.thread_bytes);
        Ok(matrix)
    }

    fn optional_vector(
        &self,
        layer: Option<u32>,
        role: TensorRole,
        len: usize,
    ) -> Result<Option<Vec<f32>>, NotReady> {
        match self.find(layer, role) {
            Some(_) => self.vector(layer, role, len).map(Some),
            None => Ok(None),
        }
    }

    /// A synthetic vector: scales around 1, biases around 0.
    fn vector(
        &self,
        layer: Option<u32>,
        role: TensorRole,
        len: usize,
    ) -> Result<Vec<f32>, NotReady> {
        let tensor = self.require(layer, role)?;
        if tensor.rows * tensor.cols != len as u64 {
            return Err(NotReady::Failed(format!(
                "tensor `{}` has {} elements, not {len}",
                tensor.name,
                tensor.rows * tensor.cols
            )));
        }
        let is_bias = matches!(
            role,
            TensorRole::AttnQBias | TensorRole::AttnKBias | TensorRole::AttnVBias
        );
        let centre = if is_bias { 0.0 } else { 1.0 };
        let mut state = u64::from(layer.unwrap_or(u32::MAX)) << 8 | role as u64;
        Ok((0..len)
            .map(|_| centre + 0.25 * noise_f32(&mut state))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_rows_of_a_thread_once() {
        for rows in [0, 8, 24, 1536, 8960] {
            let matrix = Matrix {
                format: Format::Q4_0,
                rows,
                cols: 1536,
                seed: 0,
                offsets: vec![0; 3],
            };
            for (owner_idx, kib) in [(0, 64), (1, 64), (2, 64), (0, 256), (2, 1)] {
                let n_chunks = matrix.n_chunks(owner_idx, kib << 10);
                let groups =
                    (0..n_chunks).map(|idx| matrix.groups_of_chunk(owner_idx, n_chunks, idx));
                let n_groups: usize = groups.map(|groups| groups.len()).sum();
                assert_eq!(n_groups * GROUP_ROWS, matrix.rows_of(owner_idx, 3).len());
            }
        }
    }
}
