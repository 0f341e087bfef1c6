use std::path::Path;

use bench_inventory::{Inventory, KvFormat, Quant};

use super::*;
use crate::choice::decide::{decide, of_bandwidth, of_board};
use crate::choice::predict;
use crate::limits::bounds::MIN_CONTEXT;

fn check(bandwidth_gb_per_s: f64, bytes_gb: f64, expect: &str) {
    assert_eq!(
        Text::english().figure(Figure::Number(tokens_per_s(bandwidth_gb_per_s, bytes_gb))),
        expect
    );
}

#[test]
fn worked_examples_come_out() {
    check(32.0, 4.8, "6.67"); // Rock 5B
    check(68.0, 4.8, "14.2"); // Orin Nano
    check(160.0, 4.8, "33.3"); // RTX 4050, as quoted
    check(192.0, 4.8, "40.0"); // RTX 4050, data sheets
    assert!((tokens_per_s(68.0, 4.8) / tokens_per_s(32.0, 4.8) - 2.125).abs() < 1e-9);
}

fn catalogue() -> Inventory {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory");
    bench_inventory::load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"))
}

fn target<'a>(inventory: &'a Inventory, board: &str, processor: &str) -> Target<'a> {
    let board = &inventory.boards[board];
    let machines = predict::machines(inventory);
    of_board(inventory, board, &board.memories[0], processor, &machines)
}

fn qwen(inventory: &Inventory) -> Scenario<'_> {
    let model = &inventory.models["qwen2.5-7b"];
    Scenario::new(model, Quant::Q4KM, 0, MIN_CONTEXT, KvFormat::F16)
}

/// Every figure follows from what is given: none is left of the board's or the model's own.
#[test]
fn what_is_given_holds_everywhere() {
    let inventory = catalogue();
    let mut target = target(&inventory, "rock-5b", "cpu");
    let mut load = qwen(&inventory);
    let own = decide(&target, &load);
    target.with_bandwidth(32.0);
    load.with_bytes(4_800_000_000);
    let bounds = Bounds::of(&target, &load);
    let decision = decide(&target, &load);

    let six = 32.0 / 4.8;
    assert_eq!(bounds.bandwidth_gb_s, Some(32.0));
    assert_eq!(bounds.bound_file_tokens_per_s, Some(six));
    assert_eq!(bounds.bound_read_tokens_per_s, Some(six));
    assert_eq!(decision.bound_tokens_per_s, Some(six));
    assert_eq!(
        decision.chain[0].step,
        crate::choice::decide::StepKind::Given
    );
    assert!(decision.chain.iter().all(|step| step.gb_per_s <= 32.0));
    let (before, after) = (own.expected.unwrap(), decision.expected.unwrap());
    let scale = (32.0 / 33.792) * (qwen(&inventory).token_bytes() / 4.8e9);
    assert!((after.middle / before.middle - scale).abs() < 1e-6);
    assert_eq!(decision.need.weight_bytes, 4_800_000_000);
    assert_eq!(
        bounds.fits_detail[0].needed_bytes,
        decision.need.total_bytes()
    );
    assert_eq!(
        bounds.sources["bandwidth_gb_s"].to_string(),
        "given on the command line"
    );
    assert_eq!(
        bounds.sources["file_bytes"].to_string(),
        "given on the command line"
    );
    let remarks = bounds
        .remarks
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        remarks.contains("32.0 GB/s, as given, is -5.3 % against LPDDR4X 4224 MT/s x 64 bit / 8 = 33.8 GB/s: it would need 4000 MT/s"),
        "{remarks}"
    );
    assert!(
        remarks.contains("4.80 GB, as given, is +2.6 % against the 4.68 GB of the tensors"),
        "{remarks}"
    );
}

#[test]
fn a_bandwidth_alone_bounds_a_model() {
    let inventory = catalogue();
    let decision = decide(&of_bandwidth(32.0), &qwen(&inventory));
    let expect = 32.0 / (qwen(&inventory).token_bytes() / 1e9);
    assert_eq!(decision.bound_tokens_per_s, Some(expect));
    assert_eq!((decision.expected, decision.fits), (None, None));
    assert!(decision.no_prediction.is_some());
}

#[test]
fn quoted_figures_are_explained() {
    let inventory = catalogue();
    let load = qwen(&inventory);
    let remarks = |board, processor| {
        Bounds::of(&target(&inventory, board, processor), &load)
            .remarks
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let laptop = remarks("laptop-rtx-4050", "gpu");
    assert!(
        laptop.contains("160 GB/s, as quoted (project notes), is -17 %"),
        "{laptop}"
    );
    assert!(laptop.contains("13333 MT/s on this bus"), "{laptop}");
    let orin = remarks("jetson-orin-nano", "gpu");
    assert!(
        orin.contains("is LPDDR5 4266 MT/s x 128 bit / 8 = 68.3 GB/s, rounded"),
        "{orin}"
    );
    assert!(
        orin.contains("a token reads 4.37 GB of the 4.68 GB"),
        "{orin}"
    );
}

/// A chain leads down from what the memory could give to what is reached.
#[test]
fn no_chain_rises() {
    let inventory = catalogue();
    let machines = predict::machines(&inventory);
    for board in inventory.boards.values() {
        for memory in &board.memories {
            for processor in &memory.processors {
                let target = of_board(&inventory, board, memory, processor, &machines);
                let chain = decide(&target, &qwen(&inventory)).chain;
                let falls = chain
                    .windows(2)
                    .all(|pair| pair[1].gb_per_s <= pair[0].gb_per_s);
                assert!(falls, "{} {processor}: {chain:#?}", board.id);
            }
        }
    }
}

/// One core does not show what a memory gives.
#[test]
fn a_read_of_one_core_is_no_best_read() {
    let inventory = catalogue();
    let read = |board| {
        target(&inventory, board, "cpu")
            .read
            .map(|read| read.gb_per_s)
    };
    assert_eq!(read("rock-5b"), Some(24.1));
    assert_eq!(read("orange-pi-5"), Some(24.1), "the same chip and memory");
    assert_eq!(read("jetson-orin-nano"), None);
    assert_eq!(
        read("raspberry-pi-5"),
        None,
        "one core read more than four did"
    );
}

#[test]
fn reads_less_than_the_file_when_the_embedding_is_untied() {
    let inventory = catalogue();
    let target = target(&inventory, "rock-5b", "cpu");
    let model = &inventory.models["qwen2.5-7b"];
    let at = |depth| {
        let load = Scenario::new(model, Quant::Q4KM, depth, MIN_CONTEXT, KvFormat::F16);
        Bounds::of(&target, &load)
    };
    let (shallow, deep) = (at(0), at(4096));
    assert!(shallow.bound_read_tokens_per_s > shallow.bound_file_tokens_per_s);
    assert!(deep.bound_read_tokens_per_s < shallow.bound_read_tokens_per_s);
    assert_eq!(
        deep.bound_file_tokens_per_s,
        shallow.bound_file_tokens_per_s
    );
}

#[test]
fn fits_follow_each_capacity() {
    let inventory = catalogue();
    let fits = |board| -> Vec<bool> {
        let bounds = Bounds::of(&target(&inventory, board, "cpu"), &qwen(&inventory));
        bounds.fits_detail.iter().map(|fit| fit.fits).collect()
    };
    assert_eq!(fits("rock-5b"), [false, true, true, true]);
    // What was published as usable replaces the assumption.
    assert_eq!(fits("jetson-orin-nano"), [false]);
}
