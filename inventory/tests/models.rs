//! The tensor lists of the catalogue's models against published sizes.

use std::path::Path;

use bench_inventory::{Inventory, KvFormat, Model, Quant, TensorFormat, load_catalogue};
use bench_protocol::TensorRole;

fn catalogue() -> Inventory {
    load_catalogue(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|error| panic!("{error}"))
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn check(what: &str, got: f64, expect: f64, digit: f64) {
    assert!(
        (got - expect).abs() <= digit / 2.0 + 1e-9,
        "{what}: {got} is not {expect}"
    );
}

/// The quantisations of [`SIZES`].
const COMMON: [Quant; 4] = [Quant::F16, Quant::Q8_0, Quant::Q4KM, Quant::Q4_0];

/// Tensor bytes per file in GB of every quantisation, in the order of [`Quant::ALL`].
const LADDERS: [(&str, [f64; 11]); 5] = [
    (
        "qwen2.5-0.5b",
        [
            0.988, 0.525, 0.500, 0.414, 0.392, 0.380, 0.346, 0.348, 0.350, 0.332, 0.333,
        ],
    ),
    (
        "qwen2.5-7b",
        [
            15.232, 8.093, 6.248, 5.439, 4.677, 4.452, 4.425, 4.457, 3.802, 3.486, 3.010,
        ],
    ),
    (
        "llama-3.2-1b",
        [
            2.472, 1.313, 1.014, 0.904, 0.800, 0.768, 0.763, 0.769, 0.683, 0.634, 0.573,
        ],
    ),
    (
        "llama-3.1-8b",
        [
            16.061, 8.533, 6.588, 5.725, 4.913, 4.685, 4.653, 4.700, 4.011, 3.657, 3.171,
        ],
    ),
    (
        "tinyllama-1.1b",
        [
            2.200, 1.169, 0.903, 0.781, 0.667, 0.639, 0.636, 0.640, 0.548, 0.499, 0.431,
        ],
    ),
];

#[test]
fn every_step_of_the_ladder_has_its_published_size() {
    let models = catalogue().models;
    for (id, sizes) in LADDERS {
        for (quant, expect) in Quant::ALL.into_iter().zip(sizes) {
            check(
                &format!("{id} {}", quant.id()),
                gb(models[id].file_bytes(quant)),
                expect,
                0.001,
            );
        }
    }
}

/// Tensor bytes per file in GB: F16, Q8_0, Q4_K_M, Q4_0; the bytes a token reads of Q4_K_M in GB; parameters in 10^9.
const SIZES: [(&str, [f64; 4], f64, f64); 10] = [
    ("qwen2.5-0.5b", [0.988, 0.525, 0.392, 0.346], 0.392, 0.494),
    ("qwen2.5-1.5b", [3.088, 1.641, 0.980, 0.929], 0.980, 1.544),
    ("qwen2.5-3b", [6.172, 3.280, 1.924, 1.817], 1.924, 3.086),
    ("qwen2.5-7b", [15.232, 8.093, 4.677, 4.425], 4.371, 7.616),
    ("llama-3.2-1b", [2.472, 1.313, 0.800, 0.763], 0.800, 1.236),
    ("llama-3.2-3b", [6.426, 3.414, 2.012, 1.909], 2.012, 3.213),
    ("llama-3.1-8b", [16.061, 8.533, 4.913, 4.653], 4.617, 8.030),
    ("phi-3.5-mini", [7.643, 4.060, 2.392, 2.175], 2.337, 3.821),
    ("gemma-2-2b", [5.229, 2.778, 1.703, 1.623], 1.703, 2.614),
    ("tinyllama-1.1b", [2.200, 1.169, 0.667, 0.636], 0.630, 1.100),
];

#[test]
fn sizes_are_those_of_real_files() {
    let inventory = catalogue();
    for (id, file_gb, read_gb, params_b) in SIZES {
        let model = &inventory.models[id];
        for (quant, expect) in COMMON.into_iter().zip(file_gb) {
            let what = format!("{id} {}", quant.id());
            check(&what, gb(model.file_bytes(quant)), expect, 0.001);
        }
        let read = gb(model.read_bytes_per_token(Quant::Q4KM));
        check(&format!("{id} read"), read, read_gb, 0.001);
        check(
            &format!("{id} parameters"),
            gb(model.n_params()),
            params_b,
            0.001,
        );
    }
}

/// What llama-bench prints as model size: the sum of the tensors, to two digits.
#[test]
fn sizes_agree_with_llama_bench() {
    let models = catalogue().models;
    let size = |id: &str, quant| mib(models[id].file_bytes(quant));
    check(
        "TinyLlama Q4_K_M MiB",
        size("tinyllama-1.1b", Quant::Q4KM),
        636.18,
        0.01,
    );
    check(
        "qwen2 1.5B Q4_0 MiB",
        size("qwen2.5-1.5b", Quant::Q4_0),
        885.97,
        0.01,
    );
    check(
        "qwen2 7B Q4_K_M GiB",
        size("qwen2.5-7b", Quant::Q4KM) / 1024.0,
        4.36,
        0.01,
    );
    check(
        "llama 3B Q4_K_M GiB",
        size("llama-3.2-3b", Quant::Q4KM) / 1024.0,
        1.87,
        0.01,
    );
    check(
        "qwen2 7B Q8_0 GiB",
        size("qwen2.5-7b", Quant::Q8_0) / 1024.0,
        7.54,
        0.01,
    );
    check(
        "qwen2 7B F16 GiB",
        size("qwen2.5-7b", Quant::F16) / 1024.0,
        14.19,
        0.01,
    );
}

#[test]
fn kv_bytes_follow_layers_heads_and_format() {
    let models = catalogue().models;
    for (id, kib) in [
        ("qwen2.5-0.5b", 12),
        ("qwen2.5-1.5b", 28),
        ("qwen2.5-3b", 36),
        ("qwen2.5-7b", 56),
        ("llama-3.2-1b", 32),
        ("llama-3.2-3b", 112),
        ("llama-3.1-8b", 128),
        ("phi-3.5-mini", 384),
        ("gemma-2-2b", 104),
        ("tinyllama-1.1b", 22),
    ] {
        let f16 = models[id].kv_bytes_per_token(KvFormat::F16);
        assert_eq!(f16, kib * 1024, "{id}");
        assert_eq!(
            models[id].kv_bytes_per_token(KvFormat::Q8_0),
            f16 / 64 * 34,
            "{id}"
        );
        assert_eq!(
            models[id].kv_bytes_per_token(KvFormat::Q4_0),
            f16 / 64 * 18,
            "{id}"
        );
    }
}

fn formats(model: &Model, quant: Quant, name: &str) -> Vec<TensorFormat> {
    model
        .tensors(quant)
        .into_iter()
        .filter(|tensor| tensor.name.ends_with(name))
        .map(|tensor| tensor.format)
        .collect()
}

#[test]
fn rows_of_no_whole_k_block_fall_back() {
    let models = catalogue().models;
    let small = &models["qwen2.5-0.5b"];
    assert_eq!(
        formats(small, Quant::Q4KM, "blk.0.attn_q.weight"),
        [TensorFormat::Q5_0]
    );
    assert_eq!(
        formats(small, Quant::Q4KM, "blk.0.attn_v.weight"),
        [TensorFormat::Q8_0]
    );
    assert_eq!(
        formats(small, Quant::Q4KM, "token_embd.weight"),
        [TensorFormat::Q8_0]
    );
    // 4864 columns are whole blocks of 256.
    assert_eq!(
        formats(small, Quant::Q4KM, "blk.0.ffn_down.weight"),
        [TensorFormat::Q6K]
    );
    assert_eq!(
        formats(small, Quant::Q4_0, "token_embd.weight"),
        [TensorFormat::Q8_0]
    );
}

#[test]
fn fused_projections_have_their_own_rules() {
    let phi = &catalogue().models["phi-3.5-mini"];
    let qkv = formats(phi, Quant::Q4KM, "attn_qkv.weight");
    assert_eq!(qkv, [TensorFormat::Q5K; 32]);
    let tensors = phi.tensors(Quant::Q4KM);
    let gate_up: Vec<_> = tensors
        .iter()
        .filter(|tensor| tensor.role == TensorRole::FfnGateUp)
        .collect();
    assert_eq!(gate_up.len(), 32);
    assert_eq!((gate_up[0].rows, gate_up[0].cols), (2 * 8192, 3072));
}

#[test]
fn a_decode_model_holds_exactly_what_a_token_reads() {
    for model in catalogue().models.values() {
        for quant in Quant::ALL {
            let decode = model.decode_model(quant);
            let bytes: u64 = decode
                .tensors
                .iter()
                .map(|tensor| {
                    let format = TensorFormat::ALL
                        .into_iter()
                        .find(|format| format.id() == tensor.format)
                        .unwrap();
                    tensor.rows * format.row_bytes(tensor.cols)
                })
                .sum();
            assert_eq!(bytes, model.read_bytes_per_token(quant), "{}", model.id);
            let outputs: Vec<&str> = decode
                .tensors
                .iter()
                .filter(|tensor| tensor.role == TensorRole::Output)
                .map(|tensor| tensor.name.as_str())
                .collect();
            let expect = match model.arch.tied_embeddings {
                true => "token_embd.weight",
                false => "output.weight",
            };
            assert_eq!(outputs, [expect], "{}", model.id);
            let tables = decode
                .tensors
                .iter()
                .filter(|tensor| tensor.role == TensorRole::TokenEmbedding);
            assert_eq!(tables.count(), 0, "{}", model.id);
        }
    }
}
