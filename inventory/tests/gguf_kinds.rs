//! What headers say of kinds of models: sliding windows, what a token reads, files that are no language model, types of
//! other programs.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod headers;

use std::path::PathBuf;

use bench_inventory::gguf::GgufModel;
use headers::Header;

/// A model of one header: its architecture, further entries of that architecture, and its tensors in F32.
fn model_of(arch: &str, numbers: &[(&str, u32)], tensors: &[(&str, &[u64])]) -> GgufModel {
    let mut header = Header::new(tensors.len() as u64, 1 + numbers.len() as u64)
        .text("general.architecture")
        .u32(8)
        .text(arch);
    for (key, value) in numbers {
        header = header.text(&format!("{arch}.{key}")).u32(4).u32(*value);
    }
    of_header(header, tensors)
}

fn of_header(mut header: Header, tensors: &[(&str, &[u64])]) -> GgufModel {
    let mut end = 0u64;
    for (name, dims) in tensors {
        header = header.tensor(name, dims, 0, end);
        end = (end + 4 * dims.iter().product::<u64>()).next_multiple_of(32);
    }
    let header = header.read().unwrap();
    let part = bench_inventory::gguf::GgufPart {
        path: PathBuf::from("made.gguf"),
        file_bytes: header.data_start + end,
        header_bytes: header.header_bytes,
    };
    GgufModel::from_headers(vec![(part, header)]).unwrap()
}

/// Layers with a window and its tokens, of a file with these entries.
fn window_of(arch: &str, n_layers: u32, numbers: &[(&str, u32)]) -> Option<(u32, Option<u32>)> {
    let numbers = [&[("block_count", n_layers)], numbers].concat();
    let model = model_of(arch, &numbers, &[("token_embd.weight", &[8, 8])]);
    model.arch.window.map(|it| (it.tokens, it.n_layers))
}

#[test]
fn windows_are_those_of_the_header_or_of_the_architecture() {
    let check = |arch, n_layers, numbers: &[(&str, u32)], expect| {
        assert_eq!(window_of(arch, n_layers, numbers), expect, "{arch}");
    };
    let window = "attention.sliding_window";
    let pattern = "attention.sliding_window_pattern";
    check("gemma3", 34, &[(window, 1024)], Some((1024, Some(29))));
    check(
        "gemma3",
        26,
        &[(window, 512), (pattern, 6)],
        Some((512, Some(22))),
    );
    check("gemma2", 26, &[(window, 4096)], Some((4096, Some(13))));
    check("gemma2", 42, &[], Some((4096, Some(21))));
    check("cohere2", 32, &[(window, 4096)], Some((4096, Some(24))));
    check("made-up", 32, &[(window, 4096)], Some((4096, None)));
    check(
        "made-up",
        32,
        &[(window, 4096), (pattern, 8)],
        Some((4096, Some(28))),
    );
    check("made-up", 32, &[(window, 4096), (pattern, 1)], None);
    check("made-up", 32, &[(window, 0)], None);
    // llama.cpp computes these without one.
    check("phi3", 32, &[(window, 2047)], None);
    check("llama", 32, &[], None);
    // One truth value for each layer.
    let header = Header::new(1, 4)
        .text("general.architecture")
        .u32(8)
        .text("made-up")
        .text("made-up.block_count")
        .u32(4)
        .u32(3)
        .text("made-up.attention.sliding_window")
        .u32(4)
        .u32(64)
        .text("made-up.attention.sliding_window_pattern")
        .u32(9)
        .u32(7)
        .u64(3);
    let mut header = header;
    header.0.extend([1, 1, 0]);
    let model = of_header(header, &[("token_embd.weight", &[8, 8])]);
    assert_eq!(model.arch.window.unwrap().n_layers, Some(2));
}

/// Bytes that a token reads, in units of one row of 8 numbers.
fn rows_read(arch: &str, numbers: &[(&str, u32)], tensors: &[(&str, &[u64])]) -> u64 {
    let tensors = [
        &[
            ("token_embd.weight", &[8, 100][..]),
            ("output.weight", &[8, 100]),
        ],
        tensors,
    ]
    .concat();
    let model = model_of(arch, numbers, &tensors);
    assert_eq!(model.not_generating, None);
    model.read_bytes_per_token() / 32 - 100
}

#[test]
fn a_token_reads_experts_in_use_however_they_are_stored() {
    let experts: &[(&str, u32)] = &[
        ("block_count", 1),
        ("expert_count", 8),
        ("expert_used_count", 2),
    ];
    let names: Vec<String> = (0..8)
        .map(|expert| format!("blk.0.ffn_gate.{expert}.weight"))
        .collect();
    let each: Vec<(&str, &[u64])> = names
        .iter()
        .map(|name| (name.as_str(), &[8, 3][..]))
        .collect();
    assert_eq!(rows_read("llama", experts, &each), 6);
    assert_eq!(
        rows_read(
            "llama",
            experts,
            &[("blk.0.ffn_gate_exps.weight", &[8, 3, 8])]
        ),
        6
    );
    assert_eq!(
        rows_read("gpt-oss", experts, &[("blk.0.ffn_gate_exps.bias", &[8, 8])]),
        2
    );
    // Not an expert's.
    assert_eq!(
        rows_read(
            "llama",
            experts,
            &[
                ("blk.0.ffn_gate.weight", &[8, 3]),
                ("blk.0.ffn_gate_inp.weight", &[8, 8])
            ]
        ),
        11
    );
}

#[test]
fn a_token_reads_no_tables_no_towers_and_no_blocks_that_predict_further_tokens() {
    let layer: &[u64] = &[8, 4];
    let check = |numbers: &[(&str, u32)], others: &[&str]| {
        let mut tensors = vec![("blk.0.attn_q.weight", layer)];
        tensors.extend(others.iter().map(|name| (*name, layer)));
        assert_eq!(rows_read("any", numbers, &tensors), 4, "{others:?}");
    };
    check(
        &[("block_count", 1)],
        &[
            "position_embd.weight",
            "token_types.weight",
            "per_layer_token_embd.weight",
        ],
    );
    check(
        &[("block_count", 1)],
        &[
            "enc.blk.0.attn_q.weight",
            "v.blk.0.attn_q.weight",
            "mm.0.weight",
            "a.blk.0.ffn_up.weight",
        ],
    );
    check(
        &[("block_count", 2), ("nextn_predict_layers", 1)],
        &[
            "blk.1.attn_q.weight",
            "blk.1.nextn.eh_proj.weight",
            "blk.1.nextn.embed_tokens.weight",
        ],
    );
    check(
        &[("block_count", 2)],
        &["blk.1.attn_q.weight", "blk.1.nextn.eh_proj.weight"],
    );
    check(&[("block_count", 1)], &["blk.1.attn_q.weight"]);
    // A number that no file has costs no time.
    assert_eq!(
        rows_read(
            "any",
            &[
                ("block_count", 4_000_000_000),
                ("nextn_predict_layers", 4_000_000_000)
            ],
            &[("blk.0.attn_q.weight", layer)]
        ),
        4
    );
}

#[test]
fn files_that_generate_no_text_say_what_they_are() {
    let table: &[(&str, &[u64])] = &[("token_embd.weight", &[8, 8])];
    let reason = |arch, numbers, tensors| {
        let model = model_of(arch, numbers, tensors);
        assert!(model.express().is_err());
        model.not_generating.unwrap()
    };
    assert!(reason("bert", &[], table).contains("embeddings"));
    assert!(reason("clip", &[], &[("v.blk.0.attn_q.weight", &[8, 8])]).contains("pictures"));
    assert!(reason("t5encoder", &[], table).contains("encoder"));
    assert!(reason("qwen3", &[("pooling_type", 3)], table).contains("embeddings"));
    assert!(reason("llama", &[], &[]).contains("vocabulary"));
    assert!(
        reason("llama", &[], &[("blk.0.attn_q.weight.lora_a", &[8, 8])])
            .contains("`token_embd.weight`")
    );
    let of_type = |kind: &str| {
        let header = Header::new(1, 2)
            .text("general.architecture")
            .u32(8)
            .text("llama")
            .text("general.type")
            .u32(8)
            .text(kind);
        of_header(header, table).not_generating
    };
    assert_eq!(of_type("model"), None);
    assert!(of_type("adapter").unwrap().contains("LoRA"));
    assert!(of_type("mmproj").unwrap().contains("pictures"));
    assert!(of_type("something").is_some());
}

#[test]
fn types_that_were_removed_or_are_of_other_programs_are_named() {
    let error = |arch: &str, number: u32| {
        let header = Header::new(1, 1)
            .text("general.architecture")
            .u32(8)
            .text(arch);
        header
            .tensor("a", &[256], number, 0)
            .read()
            .unwrap_err()
            .problem
    };
    for (number, expect) in [
        (
            31,
            "Q4_0_4_4, a type that llama.cpp has removed; take the Q4_0 file",
        ),
        (33, "Q4_0_8_8"),
        (36, "IQ4_NL_4_4 (in files of BitNet.cpp I2_S)"),
        (4, "Q4_2"),
        (139, "IQ4_K, a type of ik_llama.cpp"),
        (202, "Q4_0_R8, a type of ik_llama.cpp"),
        (97, "97 is a type of ik_llama.cpp"),
        (43, "damaged"),
        (1_000_000, "damaged"),
    ] {
        let error = error("llama", number);
        assert!(error.contains(expect), "{number}: {error}");
        assert_eq!(error.contains("damaged"), expect == "damaged", "{error}");
    }
    assert!(error("bitnet-b1.58", 36).contains("I2_S, a type of BitNet.cpp"));
    // Elsewhere it is MXFP4.
    assert!(error("bitnet-b1.58", 39).contains("TL2, a type of BitNet.cpp"));
}
