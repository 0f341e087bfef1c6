//! Models with the exact weights of a real file: from its header, and from a data file that keeps them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::path::Path;

use bench_inventory::gguf::{GgmlType, GgufModel};
use bench_inventory::{FileKind, Model, Quant, TensorFormat, load_catalogue, load_text};

fn open(name: &str) -> GgufModel {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    GgufModel::open(&tests.join("gguf").join(name)).unwrap()
}

/// The architecture of `tied.gguf` and `split-*.gguf` as a data file.
const TIED: &str = "\
name: Tiny
source: header
layers: 2
hidden: 32
ffn: 64
heads: 4
kv-heads: 2
head-dim: 8
vocab: 64
tied-embeddings: true
rope-freqs: 4
";

#[test]
fn a_file_has_the_bytes_of_its_header() {
    for name in ["tied.gguf", "untied.gguf", "split-00002-of-00003.gguf"] {
        let gguf = open(name);
        let model = Model::of_gguf(&gguf).unwrap();
        let file = model.file.as_ref().unwrap();
        assert_eq!(file.tensor_bytes(), gguf.tensor_bytes(), "{name}");
        assert_eq!(file.read_bytes_per_token(), gguf.read_bytes_per_token());
        assert_eq!(file.without_kernel(), [], "{name}");
        assert_eq!(model.n_params(), gguf.n_params(), "{name}");
        let decode = model.decode_model_of_file().unwrap();
        assert_eq!((&decode.model, &decode.quant), (&model.id, &file.quant));
        let read = file.tensors.iter().filter(|it| it.read_per_token).count();
        assert_eq!(decode.tensors.len(), read);
    }
}

#[test]
fn ids_and_labels_come_from_the_file() {
    assert_eq!(open("split-00002-of-00003.gguf").file_id(), "split");
    let mut gguf = open("untied.gguf");
    assert_eq!(
        (gguf.file_id().as_str(), gguf.quant_label()),
        ("untied", "q8_0")
    );
    gguf.file_type = Some(15);
    assert_eq!(gguf.quant_label(), "q4_k_m");
    // A number that no version of llama.cpp gave a name: what most bytes are in.
    gguf.file_type = Some(1024);
    assert_eq!(gguf.quant_label(), "q8_0");
    gguf.parts[0].path = "/x/Qwen2.5 7B (Instruct)-Q4_K_M.GGUF".into();
    assert_eq!(gguf.file_id(), "qwen2.5-7b-instruct-q4_k_m");
    gguf.parts[0].path = "/x/..gguf".into();
    assert_eq!(gguf.file_id(), "model");
}

#[test]
fn a_data_file_keeps_the_weights() {
    let mut gguf = open("tied.gguf");
    // One layer in another type than the other, and a type that no computed list has.
    let types = [
        ("blk.1.ffn_down.weight", 8),
        ("blk.0.attn_q.weight", 20),
        ("blk.1.attn_v.weight", 39),
    ];
    for (name, number) in types {
        let mut tensors = gguf.tensors.iter_mut();
        let info = &mut tensors.find(|it| it.info.name == name).unwrap().info;
        info.ggml_type = GgmlType::from_number(number).unwrap();
        info.n_bytes = info.n_elements / 32 * info.ggml_type.block_bytes();
    }
    let model = Model::of_gguf(&gguf).unwrap();
    let file = model.file.as_ref().unwrap();
    assert_eq!(file.tensor_bytes(), gguf.tensor_bytes());
    let [unknown] = file.without_kernel().try_into().unwrap();
    assert_eq!(
        (unknown.format.id(), unknown.first.as_str()),
        ("mxfp4", types[2].0)
    );
    let text = format!("{TIED}{}", file.to_yaml());
    assert!(
        text.contains("    ffn_down.weight: [q4_0, q8_0]\n"),
        "{text}"
    );
    assert!(text.contains("    ffn_norm.weight: [f32]\n"), "{text}");
    let read = load_text(FileKind::Model, "tied", &text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read.models["tied"].arch, model.arch);
    assert_eq!(read.models["tied"].file, model.file);
}

#[test]
fn mistakes_in_the_weights_are_all_told() {
    let file = Model::of_gguf(&open("tied.gguf")).unwrap().file.unwrap();
    let good = format!("{TIED}{}", file.to_yaml());
    let changes = [
        (
            "    ffn_up.weight: [q4_0]\n",
            "",
            "no storage type for `ffn_up.weight`",
        ),
        (
            "ffn_gate.weight: [q4_0]",
            "ffn_gate.weight: [q9_9]",
            "unknown storage type `q9_9`",
        ),
        (
            "attn_k.weight: [q4_0]",
            "attn_k.weight: [q4_0, q4_0, q4_0]",
            "3 storage types for 2 layers",
        ),
        (
            "attn_q.weight: [q4_0]",
            "attn_q.weight: [q4_k]",
            "a row of `attn_q.weight` is no whole number of blocks",
        ),
        (
            "    output_norm.weight: [f32]\n",
            "    output_norm.weight: [f32]\n    output.weight: [f16]\n",
            "the architecture has no tensor `output.weight`",
        ),
        ("quant: \"q4_0\"", "quant: \"Q4 0\"", "`Q4 0` is no label"),
    ];
    let mut bad = good.clone();
    for (from, to, title) in changes {
        assert!(good.contains(from), "{from}: {good}");
        let one = load_text(FileKind::Model, "m", &good.replace(from, to)).unwrap_err();
        let titles: Vec<&str> = one.diagnostics.iter().map(|it| it.title.as_str()).collect();
        assert!(titles.contains(&title), "{title}: {titles:?}");
        bad = bad.replace(from, to);
    }
    let all = load_text(FileKind::Model, "m", &bad).unwrap_err();
    assert!(all.diagnostics.len() >= changes.len(), "{all}");
    assert!(all.diagnostics.iter().all(|it| it.line > 11), "{all}");
}

#[test]
fn formats_beyond_the_computed_ones_have_ggmls_blocks() {
    assert_eq!(TensorFormat::from_id("q4_k"), Some(TensorFormat::Q4K));
    let bf16 = TensorFormat::from_id("bf16").unwrap();
    assert_eq!((bf16.id(), bf16.row_bytes(10)), ("bf16", 20));
    assert_eq!(TensorFormat::from_id("iq4_xs").unwrap().row_bytes(512), 272);
    assert_eq!(TensorFormat::from_id("Q4_K"), None);
}

/// Counted by hand; the end-to-end tests hold the same against what the kernels count.
#[test]
fn operations_are_two_for_each_weight_and_those_of_attention() {
    let models = load_catalogue(Path::new(env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .models;
    let model = &models["qwen2.5-7b"];
    // Rows times columns of q, k, v, output, gate, up and down, then the output matrix.
    let layer: u64 = 3584 * (3584 + 2 * 512) + 3584 * 3584 + 3 * 3584 * 18_944;
    let output: u64 = 152_064 * 3584;
    let attention = 4 * 28 * 28 * 128;
    let weights = 2 * (28 * layer + output);
    assert_eq!(model.ops_per_token(0), weights + attention);
    assert_eq!(model.ops_per_token(4096), weights + attention * 4097);
    assert_eq!(model.ops_of_prompt(0), 0);
    assert_eq!(model.ops_of_prompt(1), weights + attention);
    let layers = 2 * 28 * layer * 512;
    assert_eq!(
        model.ops_of_prompt(512),
        layers + 2 * output + attention * 512 * 513 / 2
    );
    // Tied or not, the table is looked up at the input and multiplied at the output.
    for model in models.values() {
        let list = model.tensors(Quant::F16);
        let vectors: u64 = list
            .iter()
            .filter(|it| it.rows == 1)
            .map(|it| it.elements())
            .sum();
        let table = u64::from(model.arch.vocab) * u64::from(model.arch.hidden);
        let twice = if model.arch.tied_embeddings { 0 } else { table };
        let all: u64 = list.iter().map(|it| it.elements()).sum();
        let arch = &model.arch;
        let attention = 4 * u64::from(arch.n_layers * arch.n_heads * arch.head_dim);
        assert_eq!(
            model.ops_per_token(0),
            2 * (all - vectors - twice) + attention,
            "{}",
            model.id
        );
    }
}
