//! The step as a whole, against a plain single-precision implementation of the same layers.

mod lists;

use bench_protocol::{DecodeTensor, TensorRole};

use super::*;
use crate::affinity;
use crate::kernels::weights::Format;

/// Miri takes a thousand times as long: there the model has a block of 32 where it has one of 256 elsewhere.
const SMALL: bool = cfg!(miri);
const HIDDEN: usize = if SMALL { 64 } else { 256 };
const FFN: usize = if SMALL { 64 } else { 512 };
const N_HEADS: usize = if SMALL { 2 } else { 4 };
const N_KV_HEADS: usize = if SMALL { 1 } else { 2 };
const HEAD_DIM: usize = if SMALL { 32 } else { 64 };
const VOCAB: usize = if SMALL { 8 } else { 264 };
const N_LAYERS: u32 = if SMALL { 1 } else { 2 };
const Q6_K: &str = if SMALL { "q4_0" } else { "q6_k" };

/// What models of the catalogue differ in.
#[derive(Debug, Clone, Copy)]
struct Variation {
    fused: bool,
    biases: bool,
    post_norms: bool,
    depth: u64,
    kv_format: KvFormat,
    n_more_tokens: u64,
}

impl Variation {
    fn task(self) -> Task {
        Task {
            depth: self.depth,
            n_generate: 1 + self.n_more_tokens,
            kv_format: self.kv_format,
        }
    }
}

/// A board with room for everything.
const NO_LIMITS: Limits = Limits {
    available_bytes: None,
    last_level_cache_bytes: 0,
};

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
            add(TensorRole::AttnV, layer, kv_rows, HIDDEN, Q6_K);
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
    add(TensorRole::Output, None, VOCAB, HIDDEN, Q6_K);
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
    let n_tokens = decode.positions.len();
    pool.run(&|thread_idx| decode.generate(decode.isa, pool, thread_idx, n_tokens));
    // SAFETY: the pool has returned: no thread works on the buffer.
    unsafe { decode.logits.read() }.to_vec()
}

fn build_with(variation: Variation, n_threads: usize, isa: &'static Isa) -> (Decode, Pool) {
    build_model(&model(variation), variation.task(), n_threads, isa)
}

fn build_model(
    model: &DecodeModel,
    task: Task,
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
    let decode = build(model, task, &pool, isa, NO_LIMITS).unwrap();
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

fn turned(head: &[f32], position: usize) -> Vec<f32> {
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

/// Keys and values of one head before the first token, gathered from the shares of all threads.
fn cached(decode: &Decode, layer_idx: usize, kv_head: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let format = decode.model.kv_format;
    for scratch in &decode.scratch {
        let share = &mut scratch.lock().unwrap().share;
        for piece_idx in 0..share.pieces.len() {
            if share.pieces[piece_idx].kv_head == kv_head {
                let n_positions = share.pieces[piece_idx].n_positions(decode.positions.end);
                let (some_keys, some_values) = share.keys_and_values(piece_idx, layer_idx);
                let key = |position| cache::key_elements(format, HEAD_DIM, some_keys, position);
                keys.extend((0..n_positions).map(key));
                let rows = some_values.chunks_exact(cache::row_halves(format, HEAD_DIM));
                values.extend(rows.map(|row| cache::elements(format, row)));
            }
        }
    }
    keys.truncate(decode.positions.start);
    values.truncate(decode.positions.start);
    (keys, values)
}

/// The history of every layer and key-value head.
type History = Vec<Vec<(Vec<Vec<f32>>, Vec<Vec<f32>>)>>;

/// The same layers in plain floats, without quantised activations: the logits of the last token.
fn plain(decode: &Decode) -> Vec<f32> {
    let heads = |layer_idx| (0..N_KV_HEADS).map(move |head| cached(decode, layer_idx, head));
    let mut history: History = (0..decode.plan.layers.len())
        .map(|layer_idx| heads(layer_idx).collect())
        .collect();
    let tokens = decode.positions.clone();
    let logits = tokens.map(|position| plain_token(decode, position, &mut history));
    logits.last().unwrap()
}

fn plain_token(decode: &Decode, position: usize, history: &mut History) -> Vec<f32> {
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
        for (kv_head, (keys, values)) in history[layer_idx].iter_mut().enumerate() {
            keys.push(turned(head(N_HEADS + kv_head), position));
            values.push(head(N_HEADS + N_KV_HEADS + kv_head).to_vec());
        }
        let mut attention = Vec::new();
        for query_head in 0..N_HEADS {
            let (keys, values) = &history[layer_idx][query_head / n_shared];
            let query = turned(head(query_head), position);
            let scores = times(keys, &query)
                .into_iter()
                .map(|score| (score / (HEAD_DIM as f32).sqrt()).exp());
            let scores: Vec<f32> = scores.collect();
            let sum: f32 = scores.iter().sum();
            attention.extend((0..HEAD_DIM).map(|idx| {
                scores
                    .iter()
                    .zip(values)
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

const PLAIN: Variation = Variation {
    fused: false,
    biases: false,
    post_norms: false,
    depth: 0,
    kv_format: KvFormat::F16,
    n_more_tokens: 0,
};

const VARIATIONS: [Variation; 8] = [
    PLAIN,
    Variation {
        biases: true,
        depth: 7,
        ..PLAIN
    },
    Variation {
        fused: true,
        depth: 33,
        ..PLAIN
    },
    Variation {
        post_norms: true,
        depth: 1,
        ..PLAIN
    },
    // Long enough for three pieces of a head.
    Variation {
        depth: 600,
        ..PLAIN
    },
    Variation {
        n_more_tokens: 4,
        ..PLAIN
    },
    // From one piece of a head to two.
    Variation {
        depth: 254,
        n_more_tokens: 4,
        ..PLAIN
    },
    Variation {
        depth: 255,
        n_more_tokens: 3,
        kv_format: KvFormat::Q8_0,
        ..PLAIN
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
        // Keys and values in Q8_0 add another half per cent each.
        assert!(difference < 0.05, "{variation:?}: {difference}");
    }
}

#[test]
fn step_takes_every_format() {
    for format in Format::ALL {
        let mut model = model(PLAIN);
        for tensor in model.tensors.iter_mut().filter(|tensor| tensor.rows > 1) {
            tensor.format = format.id().to_string();
        }
        let (decode, pool) = build_model(
            &model,
            Variation { depth: 5, ..PLAIN }.task(),
            2,
            simd::best(),
        );
        let difference = relative_difference(&decode, &pool);
        // As above; half-precision weights meet the activations unrounded.
        let tolerance = if format == Format::F16 { 1e-4 } else { 0.05 };
        assert!(difference < tolerance, "{}: {difference}", format.id());
    }
}

#[test]
fn step_does_not_depend_on_threads_or_variant() {
    for variation in VARIATIONS.into_iter().take(if SMALL { 2 } else { 10 }) {
        let (decode, pool) = build_with(variation, 1, simd::scalar());
        let expected = logits(&decode, &pool);
        assert!(expected.iter().any(|logit| *logit != 0.0));
        for (_, isa) in simd::variants() {
            let Ok(isa) = isa else { continue };
            for n_threads in [2, 1, 3, 5].into_iter().take(if SMALL { 1 } else { 4 }) {
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
fn step_does_not_depend_on_its_shape() {
    for n_threads in [1, 3] {
        let (mut decode, pool) = build_with(PLAIN, n_threads, simd::best());
        let expected = logits(&decode, &pool);
        for (choice_idx, choice) in decode.choices().iter().enumerate() {
            for (shape_idx, name) in choice.names.iter().enumerate() {
                decode.take_shape(choice_idx, shape_idx);
                assert_eq!(logits(&decode, &pool), expected, "{} {name}", choice.about);
            }
        }
    }
}

#[test]
fn slices_are_all_matrices_of_a_format_and_disturb_no_step() {
    let (mut decode, pool) = build_with(PLAIN, 2, simd::best());
    let expected = logits(&decode, &pool);
    let choices = decode.choices();
    assert!(choices.len() > 1, "{choices:?}");
    let mut n_bytes = 0;
    decode.last_level_cache_bytes = 1 << 20;
    for (choice_idx, choice) in choices.iter().enumerate() {
        let has_format = |matrix: &&Matrix| matrix.format.id() == choice.about;
        let n_matrices = decode.plan.matrices().filter(has_format).count();
        decode.forget_slices(choice_idx, &pool);
        let all = decode.run_slices(choice_idx, &pool, 0, n_matrices);
        assert_eq!(
            decode.run_slices(choice_idx, &pool, 1, 3 * n_matrices),
            3 * all
        );
        n_bytes += all;
    }
    let matrix_bytes: usize = decode.plan.matrices().map(Matrix::bytes).sum();
    assert_eq!(n_bytes, matrix_bytes as u64);
    assert!(n_bytes <= decode.work().read_bytes);
    assert_eq!(logits(&decode, &pool), expected);
}
