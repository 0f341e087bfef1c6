//! Mistakes in what others published: machines, tables of quality and prices.

use bench_inventory::{FileKind, Inventory, load_text};

const MACHINE: &str = "\
name: A machine
processor: cpu
core: Cortex-A76
memory:
  kind: LPDDR4X
  mt-per-s: 4224
  bus-bits: 64
  source: boot log
decodes:
  - model: qwen2.5-7b
    quant: q4_k_m
    tokens-per-s: 4.2
    program: llama.cpp
    source: an issue
";

const QUALITY: &str = "\
model: A model
metric: perplexity
source: a table
note: none
rows:
  - quant: f16
    perplexity: 6
    standard-error: 0.1
  - quant: q4_0
    perplexity: 6.6
    standard-error: 0.1
";

fn refused(kind: FileKind, text: &str) -> String {
    match load_text(kind, "it", text) {
        Ok(inventory) => panic!("it loads: {inventory:?}"),
        Err(error) => error.render(false),
    }
}

fn loaded(kind: FileKind, text: &str) -> Inventory {
    load_text(kind, "it", text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_machine_and_a_table_load() {
    let inventory = loaded(FileKind::Reference, MACHINE);
    let theory = inventory.references["it"].memory.theoretical_gb_per_s();
    assert!((theory - 33.792).abs() < 1e-9);
    let inventory = loaded(FileKind::Quality, QUALITY);
    let loss = inventory.quality["it"].loss(bench_inventory::Quant::Q4_0);
    assert!((loss.unwrap() - 0.1).abs() < 1e-9);
}

#[test]
fn a_rate_says_which_model_it_is_of() {
    for wrong in [
        MACHINE.replace("    quant: q4_k_m\n", ""),
        MACHINE.replace(
            "    quant: q4_k_m\n",
            "    quant: q4_k_m\n    read-gb: 4.4\n",
        ),
        MACHINE
            .replace(
                "    model: qwen2.5-7b\n    quant: q4_k_m\n",
                "    name: x\n",
            )
            .replace(
                "  - model: qwen2.5-7b\n    quant: q4_k_m\n",
                "  - name: x\n",
            ),
    ] {
        let message = refused(FileKind::Reference, &wrong);
        assert!(message.contains("which model it is about"), "{message}");
        assert!(message.contains("`read-gb`"), "{message}");
    }
}

#[test]
fn figures_need_sources_and_units_of_their_own() {
    let without = MACHINE.replace("    source: an issue\n", "");
    assert!(refused(FileKind::Reference, &without).contains("source"));
    let zero = MACHINE.replace("tokens-per-s: 4.2", "tokens-per-s: 0");
    assert!(refused(FileKind::Reference, &zero).contains("impossible"));
}

#[test]
fn a_table_is_held_against_half_precision_and_names_each_once() {
    let without = QUALITY.replace("quant: f16", "quant: q8_0");
    assert!(refused(FileKind::Quality, &without).contains("no row `f16`"));
    let twice = QUALITY.replace("quant: q4_0", "quant: f16");
    assert!(refused(FileKind::Quality, &twice).contains("in the table twice"));
}

#[test]
fn a_price_has_a_day() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let board = std::fs::read_to_string(root.join("boards/raspberry-pi-4.yaml")).unwrap();
    for day in ["July 2026", "2026-7-1", "2026-02-30"] {
        let wrong = board.replace("date: 2026-07-01", &format!("date: \"{day}\""));
        let message = refused(FileKind::Board, &wrong);
        assert!(message.contains(&format!("`{day}` is no day")), "{message}");
    }
}
