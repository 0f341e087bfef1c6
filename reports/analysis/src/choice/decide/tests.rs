use std::path::Path;

use bench_inventory::Inventory;

use super::*;
use crate::choice::predict;

fn catalogue() -> Inventory {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory");
    bench_inventory::load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"))
}

fn on_board(inventory: &Inventory, board: &str, model: &str, quant: Quant, depth: u64) -> Decision {
    let machines = predict::machines(inventory);
    let board = &inventory.boards[board];
    let memory = &board.memories[0];
    let target = of_board(inventory, board, memory, &memory.processors[0], &machines);
    let load = Scenario::new(&inventory.models[model], quant, depth, 4096, KvFormat::F16);
    decide(&target, &load)
}

#[test]
fn chain_of_a_board_runs_from_theory_to_an_interval() {
    let inventory = catalogue();
    let got = on_board(&inventory, "rock-5b", "qwen2.5-7b", Quant::Q4KM, 0);
    let labels: Vec<(StepKind, Label)> = got.chain.iter().map(|it| (it.step, it.label)).collect();
    assert_eq!(
        labels,
        [
            (StepKind::Theory, Label::Theory),
            (StepKind::Bound, Label::Theory),
            (StepKind::Read, Label::Imported),
            (StepKind::Decode, Label::Predicted),
        ]
    );
    // 33.792 GB/s over 4.371 GB; others read 24.1 GB/s.
    assert!((got.bound_tokens_per_s.unwrap() - 7.73).abs() < 0.01);
    assert!((got.chain[2].ratio.unwrap() - 24.1 / 33.792).abs() < 1e-9);
    assert_eq!(got.chain[2].culprit, StepKind::Read.culprit());
    let expected = got.expected.unwrap();
    assert!(expected.low < expected.middle && expected.middle < expected.high);
    assert!(expected.high <= got.bound_tokens_per_s.unwrap());
    assert_eq!(got.limit.to_string(), "memory, in theory");
    assert_eq!(got.fits, Some(true));
}

#[test]
fn deeper_is_slower_and_needs_more() {
    let inventory = catalogue();
    let at = |depth| {
        on_board(
            &inventory,
            "raspberry-pi-5",
            "phi-3.5-mini",
            Quant::Q4KM,
            depth,
        )
    };
    let (empty, deep) = (at(0), at(4096));
    let ratio = deep.bound_tokens_per_s.unwrap() / empty.bound_tokens_per_s.unwrap();
    // 2.337 GB of weights, 4096 x 384 KiB of keys and values: 41 % less.
    assert!((ratio - 0.592).abs() < 0.002, "{ratio}");
    assert_eq!(empty.need, deep.need, "both hold 4096 tokens");
    assert!(at(8192).need.kv_bytes > deep.need.kv_bytes);
}

#[test]
fn what_does_not_fit_says_so_and_what_would() {
    let inventory = catalogue();
    let nano = |model, quant| on_board(&inventory, "jetson-orin-nano", model, quant, 0);
    assert_eq!(nano("llama-3.1-8b", Quant::Q4KM).fits, Some(false));
    assert_eq!(
        nano("llama-3.1-8b", Quant::Q4KM).room.unwrap().bytes,
        5_200_000_000
    );
    let small = nano("llama-3.1-8b", Quant::Q3KM);
    assert_eq!(small.fits, Some(true));
    assert!(small.max_context.unwrap() >= 4096);
    assert_eq!(
        fit::best_quant(
            &inventory.models["llama-3.1-8b"],
            4096,
            KvFormat::F16,
            5_200_000_000
        ),
        Some(Quant::Q3KM)
    );
}
