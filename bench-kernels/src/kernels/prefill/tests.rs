//! The prompt as a whole, against a plain single-precision implementation of the same layers.

use bench_protocol::{DecodeTensor, TensorRole};

use super::*;
use crate::affinity;
use crate::kernels::weights::Format;

const HIDDEN: usize = 256;
const FFN: usize = 520;
const N_HEADS: usize = 4;
const N_KV_HEADS: usize = 2;
const HEAD_DIM: usize = 40;
const VOCAB: usize = 264;
const N_LAYERS: u32 = 2;

/// What models of the catalogue differ in.
#[derive(Clone, Copy, Default)]
struct Variation {
    fused: bool,
    biases: bool,
    post_norms: bool,
}

const VARIATIONS: [Variation; 4] = [
    Variation {
        fused: false,
        biases: false,
        post_norms: false,
    },
    Variation {
        fused: false,
        biases: true,
        post_norms: false,
    },
    Variation {
        fused: true,
        biases: false,
        post_norms: false,
    },
    Variation {
        fused: false,
        biases: false,
        post_norms: true,
    },
];

/// A model whose matrices with `cols % 256 == 0` are in `format` and the others in half precision: heads of 40 elements
/// and 520 hidden values end inside panels.
fn model(variation: Variation, format: Format) -> DecodeModel {
    let mut tensors = Vec::new();
    let mut add = |role: TensorRole, layer: Option<u32>, rows: usize, cols: usize| {
        let id = match (rows, cols) {
            (1, _) => "f32",
            _ if cols.is_multiple_of(256) => format.id(),
            _ => "f16",
        };
        tensors.push(DecodeTensor {
            name: format!("{role:?} of {layer:?}"),
            role,
            layer,
            rows: rows as u64,
            cols: cols as u64,
            format: id.to_string(),
        });
    };
    let (q_rows, kv_rows) = (N_HEADS * HEAD_DIM, N_KV_HEADS * HEAD_DIM);
    for layer in (0..N_LAYERS).map(Some) {
        add(TensorRole::AttnNorm, layer, 1, HIDDEN);
        if variation.fused {
            add(TensorRole::AttnQkv, layer, q_rows + 2 * kv_rows, HIDDEN);
            add(TensorRole::FfnGateUp, layer, 2 * FFN, HIDDEN);
        } else {
            add(TensorRole::AttnQ, layer, q_rows, HIDDEN);
            add(TensorRole::AttnK, layer, kv_rows, HIDDEN);
            add(TensorRole::AttnV, layer, kv_rows, HIDDEN);
            add(TensorRole::FfnGate, layer, FFN, HIDDEN);
            add(TensorRole::FfnUp, layer, FFN, HIDDEN);
        }
        if variation.biases {
            add(TensorRole::AttnQBias, layer, 1, q_rows);
            add(TensorRole::AttnKBias, layer, 1, kv_rows);
            add(TensorRole::AttnVBias, layer, 1, kv_rows);
        }
        add(TensorRole::AttnOutput, layer, HIDDEN, q_rows);
        add(TensorRole::FfnNorm, layer, 1, HIDDEN);
        add(TensorRole::FfnDown, layer, HIDDEN, FFN);
        if variation.post_norms {
            add(TensorRole::AttnPostNorm, layer, 1, HIDDEN);
            add(TensorRole::FfnPostNorm, layer, 1, HIDDEN);
        }
    }
    add(TensorRole::OutputNorm, None, 1, HIDDEN);
    add(TensorRole::Output, None, VOCAB, HIDDEN);
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

fn pool_of(n_threads: usize) -> Pool {
    let cpus = affinity::allowed_cpus();
    let cpus: Vec<u32> = (0..n_threads).map(|idx| cpus[idx % cpus.len()]).collect();
    Pool::new(&cpus).unwrap()
}

fn logits(model: &DecodeModel, n_prompt: u64, n_threads: usize, isa: &'static Isa) -> Vec<f32> {
    let pool = pool_of(n_threads);
    let prefill = build(model, n_prompt, &pool, isa).unwrap();
    let n_layers = prefill.plan.layers.len();
    prefill.logits(&pool, &prefill.workspace, &prefill.scratch, n_layers)
}

/// The floats of a whole matrix.
fn dense(prefill: &Prefill, matrix: &Matrix) -> Vec<Vec<f32>> {
    let n_bytes = matrix.rows * matrix.format.row_bytes(matrix.cols);
    prefill.weights.bytes()[matrix.offsets[0]..][..n_bytes]
        .chunks_exact(GROUP_ROWS * matrix.format.row_bytes(matrix.cols))
        .flat_map(|group| matrix.format.dequantise_group(group))
        .collect()
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

fn add_update(x: &mut [f32], update: Vec<f32>, weight: &Option<Vec<f32>>) {
    let update = match weight {
        Some(weight) => normed(&update, weight),
        None => update,
    };
    x.iter_mut()
        .zip(update)
        .for_each(|(x, update)| *x += update);
}

/// The same layers token by token in plain floats, without quantised activations.
fn plain(prefill: &Prefill) -> Vec<f32> {
    let plan = &prefill.plan;
    let n_shared = N_HEADS / N_KV_HEADS;
    let mut tokens: Vec<Vec<f32>> = prefill
        .embeddings
        .chunks_exact(HIDDEN)
        .map(<[f32]>::to_vec)
        .collect();
    for layer in &plan.layers {
        let matrices: Vec<_> = layer.qkv.iter().map(|(m, _)| dense(prefill, m)).collect();
        let [wo, gate, up, down] = [
            &layer.attn_output,
            &layer.ffn_gate,
            &layer.ffn_up,
            &layer.ffn_down,
        ]
        .map(|matrix| dense(prefill, matrix));
        let (mut keys, mut values) = (vec![Vec::new(); N_KV_HEADS], vec![Vec::new(); N_KV_HEADS]);
        for (position, x) in tokens.iter_mut().enumerate() {
            let input = normed(x, &layer.attn_norm);
            let mut qkv: Vec<f32> = matrices.iter().flat_map(|m| times(m, &input)).collect();
            if let Some(bias) = &layer.qkv_bias {
                qkv.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
            }
            let head = |idx: usize| &qkv[idx * HEAD_DIM..][..HEAD_DIM];
            for kv_head in 0..N_KV_HEADS {
                keys[kv_head].push(turned(head(N_HEADS + kv_head), position));
                values[kv_head].push(head(N_HEADS + N_KV_HEADS + kv_head).to_vec());
            }
            let mut attention = Vec::new();
            for query_head in 0..N_HEADS {
                let kv_head = query_head / n_shared;
                let query = turned(head(query_head), position);
                let scores: Vec<f32> = times(&keys[kv_head], &query)
                    .into_iter()
                    .map(|score| (score / (HEAD_DIM as f32).sqrt()).exp())
                    .collect();
                let sum: f32 = scores.iter().sum();
                attention.extend((0..HEAD_DIM).map(|idx| {
                    let terms = scores.iter().zip(&values[kv_head]);
                    terms
                        .map(|(score, value)| score / sum * value[idx])
                        .sum::<f32>()
                }));
            }
            add_update(x, times(&wo, &attention), &layer.attn_post_norm);
            let input = normed(x, &layer.ffn_norm);
            let (gate, up) = (times(&gate, &input), times(&up, &input));
            let hidden: Vec<f32> = gate
                .iter()
                .zip(up)
                .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
                .collect();
            add_update(x, times(&down, &hidden), &layer.ffn_post_norm);
        }
    }
    let last = tokens.last().unwrap();
    times(
        &dense(prefill, &plan.output),
        &normed(last, &plan.output_norm),
    )
}

/// Largest difference of a logit from the plain implementation, as a share of the largest logit.
fn relative_difference(model: &DecodeModel, n_prompt: u64) -> f32 {
    let pool = pool_of(2);
    let prefill = build(model, n_prompt, &pool, simd::best()).unwrap();
    let n_layers = prefill.plan.layers.len();
    let output = prefill.logits(&pool, &prefill.workspace, &prefill.scratch, n_layers);
    let expected = plain(&prefill);
    let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    output
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
        / largest
}

#[test]
fn prompt_is_close_to_plain_floats() {
    for variation in VARIATIONS {
        for n_prompt in [1, 13, 100] {
            let difference = relative_difference(&model(variation, Format::Q4_0), n_prompt);
            // As for one step of decode: 8-bit activations before each product.
            assert!(difference < 0.05, "{n_prompt} tokens: {difference}");
        }
    }
}

#[test]
fn prompt_takes_every_format() {
    for format in Format::ALL {
        let difference = relative_difference(&model(Variation::default(), format), 33);
        // Half-precision weights meet the activations unrounded; keys and values are rounded to 11 bits.
        let tolerance = if format == Format::F16 { 2e-3 } else { 0.05 };
        assert!(difference < tolerance, "{}: {difference}", format.id());
    }
}

#[test]
fn prompt_does_not_depend_on_threads_or_variant() {
    for variation in VARIATIONS {
        for n_prompt in [1, 50] {
            let model = model(variation, Format::Q6K);
            let expected = logits(&model, n_prompt, 1, simd::scalar());
            assert!(expected.iter().any(|logit| *logit != 0.0));
            for (_, isa) in simd::variants() {
                let Ok(isa) = isa else { continue };
                for n_threads in [1, 2, 5] {
                    assert!(
                        logits(&model, n_prompt, n_threads, isa) == expected,
                        "{} with {n_threads} threads, {n_prompt} tokens",
                        isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn last_token_depends_on_the_first() {
    let pool = pool_of(1);
    let mut prefill = build(
        &model(Variation::default(), Format::Q8_0),
        60,
        &pool,
        simd::best(),
    )
    .unwrap();
    let run = |prefill: &Prefill| prefill.logits(&pool, &prefill.workspace, &prefill.scratch, 2);
    let before = run(&prefill);
    assert!(run(&prefill) == before, "a second run starts afresh");
    prefill.embeddings[..HIDDEN]
        .iter_mut()
        .for_each(|x| *x = -*x);
    assert!(run(&prefill) != before);
}

#[test]
fn check_passes_and_can_fail() {
    let pool = pool_of(2);
    let model = model(Variation::default(), Format::Q4K);
    let mut prefill = build(&model, 20, &pool, simd::best()).unwrap();
    assert!(prefill.check(&pool).unwrap().passed);
    prefill.iterate(&pool, 1);
    assert!(prefill.is_still_right());
    prefill.embeddings[0] += 1.0;
    prefill.iterate(&pool, 1);
    assert!(!prefill.is_still_right());
}

#[test]
fn counts_each_matrix_once_per_token_and_the_last_once() {
    let pool = pool_of(1);
    let model = model(Variation::default(), Format::Q8_0);
    let prefill = build(&model, 10, &pool, simd::scalar()).unwrap();
    let layer = (4 + 2 * 2) * 40 * 256 + 160 * 256 + 3 * 256 * 520;
    let attention = 4 * 55 * 4 * 40;
    let work = prefill.shape().work;
    assert_eq!(work.ops, 2 * (2 * layer * 10 + 264 * 256) + 2 * attention);
    assert_eq!(work.tokens, 10);
    assert_eq!(work.read_bytes, prefill.plan.weight_bytes);
    assert_eq!(work.written_bytes, 10 * 2 * 2 * 2 * 40 * 2);
    assert!(build(&model, 0, &pool, simd::scalar()).is_err());
}
