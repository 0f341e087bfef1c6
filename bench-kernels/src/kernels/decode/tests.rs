//! The step as a whole, against a plain single-precision implementation of the same layers.

use bench_protocol::{DecodeTensor, TensorRole};

use super::*;
use crate::affinity;
use crate::kernels::weights::Format;

const HIDDEN: usize = 256;
const FFN: usize = 512;
const N_HEADS: usize = 4;
const N_KV_HEADS: usize = 2;
const HEAD_DIM: usize = 64;
const VOCAB: usize = 264;
const N_LAYERS: u32 = 2;

/// What models of the catalogue differ in.
#[derive(Clone, Copy, Default)]
struct Variation {
    fused: bool,
    biases: bool,
    post_norms: bool,
    depth: u64,
}

fn model(variation: Variation) -> DecodeModel {
    let mut tensors = Vec::new();
    let mut add = |role: TensorRole, layer: Option<u32>, rows: usize, cols: usize, format: &str| {
        tensors.push(DecodeTensor {
            name: format!("{role:?} of {layer:?}"),
            role,
            layer,
            rows: rows as u64,
            cols: cols as u64,
            format: format.to_string(),
        });
    };
    let (q_rows, kv_rows) = (N_HEADS * HEAD_DIM, N_KV_HEADS * HEAD_DIM);
    for layer in (0..N_LAYERS).map(Some) {
        add(TensorRole::AttnNorm, layer, 1, HIDDEN, "f32");
        if variation.fused {
            add(
                TensorRole::AttnQkv,
                layer,
                q_rows + 2 * kv_rows,
                HIDDEN,
                "q4_0",
            );
            add(TensorRole::FfnGateUp, layer, 2 * FFN, HIDDEN, "q4_0");
        } else {
            add(TensorRole::AttnQ, layer, q_rows, HIDDEN, "q4_0");
            add(TensorRole::AttnK, layer, kv_rows, HIDDEN, "q4_0");
            add(TensorRole::AttnV, layer, kv_rows, HIDDEN, "q6_k");
            add(TensorRole::FfnGate, layer, FFN, HIDDEN, "q4_0");
            add(TensorRole::FfnUp, layer, FFN, HIDDEN, "q8_0");
        }
        if variation.biases {
            add(TensorRole::AttnQBias, layer, 1, q_rows, "f32");
            add(TensorRole::AttnKBias, layer, 1, kv_rows, "f32");
            add(TensorRole::AttnVBias, layer, 1, kv_rows, "f32");
        }
        add(TensorRole::AttnOutput, layer, HIDDEN, q_rows, "q4_0");
        add(TensorRole::FfnNorm, layer, 1, HIDDEN, "f32");
        add(TensorRole::FfnDown, layer, HIDDEN, FFN, "q8_0");
        if variation.post_norms {
            add(TensorRole::AttnPostNorm, layer, 1, HIDDEN, "f32");
            add(TensorRole::FfnPostNorm, layer, 1, HIDDEN, "f32");
        }
    }
    add(TensorRole::OutputNorm, None, 1, HIDDEN, "f32");
    add(TensorRole::Output, None, VOCAB, HIDDEN, "q6_k");
    DecodeModel {
        model: "small".to_string(),
        quant: "q4_0".to_string(),
        n_layers: N_LAYERS,
        hidden: HIDDEN as u32,
        n_heads: N_HEADS as u32,
        n_kv_heads: N_KV_HEADS as u32,
        head_dim: HEAD_DIM as u32,
        tensors,
    }
}

fn logits(decode: &Decode, pool: &Pool) -> Vec<f32> {
    pool.run(&|thread_idx| decode.step(decode.isa, thread_idx, pool.barrier()));
    // SAFETY: the pool has returned: no thread works on the buffer.
    unsafe { decode.logits.read() }.to_vec()
}

fn build_with(variation: Variation, n_threads: usize, isa: &'static Isa) -> (Decode, Pool) {
    build_model(&model(variation), variation.depth, n_threads, isa)
}

fn build_model(
    model: &DecodeModel,
    depth: u64,
    n_threads: usize,
    isa: &'static Isa,
) -> (Decode, Pool) {
    let cpus = affinity::allowed_cpus();
    let pool = Pool::new(
        &(0..n_threads)
            .map(|idx| cpus[idx % cpus.len()])
            .collect::<Vec<u32>>(),
    )
    .unwrap();
    let decode = build(model, depth, &pool, isa).unwrap();
    (decode, pool)
}

/// The floats of a whole matrix, gathered from the regions of all threads.
fn dense(decode: &Decode, matrix: &Matrix) -> Vec<Vec<f32>> {
    let n_threads = decode.weights.len();
    let group_bytes = GROUP_ROWS * matrix.format.row_bytes(matrix.cols);
    let mut rows = Vec::new();
    for thread_idx in 0..n_threads {
        let n_groups = matrix.rows_of(thread_idx, n_threads).len() / GROUP_ROWS;
        let bytes = &decode.weights[thread_idx].bytes()[matrix.offsets[thread_idx]..]
            [..n_groups * group_bytes];
        for group in bytes.chunks_exact(group_bytes) {
            rows.extend(matrix.format.dequantise_group(group));
        }
    }
    rows
}

fn times(matrix: &[Vec<f32>], x: &[f32]) -> Vec<f32> {
    matrix
        .iter()
        .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
        .collect()
}

fn normed(x: &[f32], weight: &[f32]) -> Vec<f32> {
    let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
    x.iter()
        .zip(weight)
        .map(|(x, w)| x / (mean + 1e-6).sqrt() * w)
        .collect()
}

fn turned(head: &[f32], position: u64) -> Vec<f32> {
    let half = head.len() / 2;
    let mut out = head.to_vec();
    for pair in 0..half {
        let angle = position as f64 * 10_000f64.powf(-(2.0 * pair as f64) / head.len() as f64);
        let (sin, cos) = (angle.sin() as f32, angle.cos() as f32);
        out[pair] = head[pair] * cos - head[pair + half] * sin;
        out[pair + half] = head[pair] * sin + head[pair + half] * cos;
    }
    out
}

/// Keys and values of one head, gathered from the shares of all threads.
fn cached(decode: &Decode, layer_idx: usize, kv_head: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let rows = |halves: &[u16]| -> Vec<Vec<f32>> {
        let row = |row: &[u16]| row.iter().map(|bits| numeric::f16_to_f32(*bits)).collect();
        halves.chunks_exact(HEAD_DIM).map(row).collect()
    };
    for scratch in &decode.scratch {
        let share = &mut scratch.lock().unwrap().share;
        for piece_idx in 0..share.pieces.len() {
            if share.pieces[piece_idx].kv_head == kv_head {
                let (some_keys, some_values) =
                    share.keys_and_values(piece_idx, layer_idx, HEAD_DIM);
                keys.extend(rows(some_keys));
                values.extend(rows(some_values));
            }
        }
    }
    (keys, values)
}

/// The same layers in plain floats, without quantised activations.
fn plain(decode: &Decode) -> Vec<f32> {
    let plan = &decode.plan;
    let n_shared = N_HEADS / N_KV_HEADS;
    let mut x = decode.embedding.clone();
    for (layer_idx, layer) in plan.layers.iter().enumerate() {
        let input = normed(&x, &layer.attn_norm);
        let mut qkv: Vec<f32> = layer
            .qkv
            .iter()
            .flat_map(|(matrix, _)| times(&dense(decode, matrix), &input))
            .collect();
        if let Some(bias) = &layer.qkv_bias {
            qkv.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
        let head = |idx: usize| &qkv[idx * HEAD_DIM..][..HEAD_DIM];
        let mut attention = Vec::new();
        for query_head in 0..N_HEADS {
            let kv_head = query_head / n_shared;
            let (mut keys, mut values) = cached(decode, layer_idx, kv_head);
            *keys.last_mut().unwrap() = turned(head(N_HEADS + kv_head), plan.depth as u64);
            *values.last_mut().unwrap() = head(N_HEADS + N_KV_HEADS + kv_head).to_vec();
            let query = turned(head(query_head), plan.depth as u64);
            let scores = times(&keys, &query)
                .into_iter()
                .map(|score| (score / (HEAD_DIM as f32).sqrt()).exp());
            let scores: Vec<f32> = scores.collect();
            let sum: f32 = scores.iter().sum();
            attention.extend((0..HEAD_DIM).map(|idx| {
                scores
                    .iter()
                    .zip(&values)
                    .map(|(score, value)| score / sum * value[idx])
                    .sum::<f32>()
            }));
        }
        let mut update = times(&dense(decode, &layer.attn_output), &attention);
        if let Some(weight) = &layer.attn_post_norm {
            update = normed(&update, weight);
        }
        x.iter_mut()
            .zip(update)
            .for_each(|(x, update)| *x += update);
        let input = normed(&x, &layer.ffn_norm);
        let gate = times(&dense(decode, &layer.ffn_gate), &input);
        let up = times(&dense(decode, &layer.ffn_up), &input);
        let hidden: Vec<f32> = gate
            .iter()
            .zip(up)
            .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
            .collect();
        let mut update = times(&dense(decode, &layer.ffn_down), &hidden);
        if let Some(weight) = &layer.ffn_post_norm {
            update = normed(&update, weight);
        }
        x.iter_mut()
            .zip(update)
            .for_each(|(x, update)| *x += update);
    }
    times(&dense(decode, &plan.output), &normed(&x, &plan.output_norm))
}

const VARIATIONS: [Variation; 5] = [
    Variation {
        fused: false,
        biases: false,
        post_norms: false,
        depth: 0,
    },
    Variation {
        fused: false,
        biases: true,
        post_norms: false,
        depth: 7,
    },
    Variation {
        fused: true,
        biases: false,
        post_norms: false,
        depth: 33,
    },
    Variation {
        fused: false,
        biases: false,
        post_norms: true,
        depth: 1,
    },
    // Long enough for three pieces of a head.
    Variation {
        fused: false,
        biases: false,
        post_norms: false,
        depth: 600,
    },
];

/// Largest difference of a logit from the plain implementation, as a share of the largest logit.
fn relative_difference(decode: &Decode, pool: &Pool) -> f32 {
    let (output, expected) = (logits(decode, pool), plain(decode));
    let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    let difference = output
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    difference / largest
}

#[test]
fn step_is_close_to_plain_floats() {
    for variation in VARIATIONS {
        let (decode, pool) = build_with(variation, 2, simd::best());
        let difference = relative_difference(&decode, &pool);
        // Activations are rounded to 8 bits before each of nine products in a row: half a step is 0.4 % of the
        // largest element, and 256 independent roundings average out to a few per cent of the largest logit.
        assert!(difference < 0.05, "depth {}: {difference}", variation.depth);
    }
}

#[test]
fn step_takes_every_format() {
    for format in Format::ALL {
        let mut model = model(Variation::default());
        for tensor in model.tensors.iter_mut().filter(|tensor| tensor.rows > 1) {
            tensor.format = format.id().to_string();
        }
        let (decode, pool) = build_model(&model, 5, 2, simd::best());
        let difference = relative_difference(&decode, &pool);
        // As above; half-precision weights meet the activations unrounded.
        let tolerance = if format == Format::F16 { 1e-4 } else { 0.05 };
        assert!(difference < tolerance, "{}: {difference}", format.id());
    }
}

#[test]
fn step_does_not_depend_on_threads_or_variant() {
    for variation in VARIATIONS {
        let (decode, pool) = build_with(variation, 1, simd::scalar());
        let expected = logits(&decode, &pool);
        assert!(expected.iter().any(|logit| *logit != 0.0));
        for (_, isa) in simd::variants() {
            let Ok(isa) = isa else { continue };
            for n_threads in [1, 2, 3, 5] {
                let (decode, pool) = build_with(variation, n_threads, isa);
                assert!(
                    logits(&decode, &pool) == expected,
                    "{} with {n_threads} threads",
                    isa.name()
                );
                // The second token writes the same slot of the cache: nothing may have moved.
                assert!(
                    logits(&decode, &pool) == expected,
                    "{} repeated",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn counts_the_bytes_of_the_tensor_list() {
    let (decode, _pool) = build_with(
        Variation {
            depth: 10,
            ..Variation::default()
        },
        1,
        simd::scalar(),
    );
    let matrix = |format: Format, rows: usize, cols: usize| (rows * format.row_bytes(cols)) as u64;
    let layer = matrix(Format::Q4_0, 256 + 128 + 256 + 512, 256)
        + matrix(Format::Q6K, 128, 256)
        + matrix(Format::Q8_0, 512, 256)
        + matrix(Format::Q8_0, 256, 512)
        + 2 * 256 * 4;
    let weights = 2 * layer + matrix(Format::Q6K, 264, 256) + 256 * 4;
    let kv = 2 * 2 * 2 * 64 * 2;
    let shape = decode.shape();
    assert_eq!(shape.work.read_bytes, weights + 10 * kv);
    assert_eq!(shape.work.written_bytes, kv);
}

#[test]
fn refuses_lists_that_do_not_fit_together() {
    let cpus = affinity::allowed_cpus();
    let pool = Pool::new(&cpus[..1]).unwrap();
    let check = |change: &dyn Fn(&mut DecodeModel), expect: &str| {
        let mut model = model(Variation::default());
        change(&mut model);
        let (NotReady::Failed(reason) | NotReady::Skipped(reason)) =
            build(&model, 0, &pool, simd::scalar()).err().unwrap();
        assert!(reason.contains(expect), "{reason}");
    };
    check(
        &|model| {
            model
                .tensors
                .retain(|tensor| tensor.role != TensorRole::FfnDown)
        },
        "FfnDown",
    );
    check(
        &|model| model.tensors[1].format = "q4_1".to_string(),
        "q4_1",
    );
    check(&|model| model.n_kv_heads = 3, "cannot be laid out");
    check(&|model| model.hidden = 512, "elements, not 512");
    check(&|model| model.tensors[1].rows = 8, "rows, not");
}
