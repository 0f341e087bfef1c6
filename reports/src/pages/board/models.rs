//! Every model in every quantisation on one board: bytes, bounds at two depths, and fit per capacity.

use bench_inventory::{KvFormat, Memory, Model, Quant};
use bench_locales::Figure::{BinaryBytes, DecimalBytes, GbPerS, Number};
use bench_locales::{Text, say};
use serde::Serialize;

use crate::pages::{Page, Scope, value};
use bench_analysis::choice::decisions::memory_name;
use bench_analysis::choice::decisions::{quant_name, usual_loads};
use bench_analysis::limits::bounds;
use bench_analysis::limits::fit;
use bench_run_dir::format;

/// The deeper of the two depths shown, tokens.
const DEEP: u64 = 4096;

#[derive(Serialize)]
struct View {
    deep: u64,
    min_context: u64,
    memories: Vec<MemoryView>,
}

#[derive(Serialize)]
struct MemoryView {
    name: String,
    gb_per_s: String,
    capacities: Vec<String>,
    assumption: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    model: String,
    quant: String,
    starts_group: bool,
    file: String,
    read: String,
    bound_file: String,
    bound_read: String,
    bound_deep: String,
    needed: String,
    fits: Vec<bool>,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let Scope::Board(board) = page.scope else {
        return None;
    };
    let text = page.text;
    let loads = usual_loads(&page.analysis.run.inventory);
    if loads.is_empty() {
        return None;
    }
    let memory_view = |memory: &Memory| MemoryView {
        name: text.say(&memory_name(&memory.name)),
        gb_per_s: text.figure(GbPerS(memory.theoretical_gb_per_s())),
        capacities: memory
            .capacities_bytes
            .value
            .iter()
            .map(|bytes| text.figure(BinaryBytes(*bytes)))
            .collect(),
        assumption: match &memory.usable_bytes {
            Some(usable) => say!(
                text,
                "board-models-left",
                size = DecimalBytes(usable.value),
                source = format::foreign(&usable.source),
            ),
            None => say!(
                text,
                "board-models-assumed",
                size = BinaryBytes(fit::ASSUMED_SYSTEM_BYTES),
            ),
        },
        rows: loads
            .iter()
            .map(|(model, quant)| row(text, memory, model, *quant))
            .collect(),
    };
    value(View {
        deep: DEEP,
        min_context: bounds::MIN_CONTEXT,
        memories: board.memories.iter().map(memory_view).collect(),
    })
}

fn row(text: &Text, memory: &Memory, model: &Model, quant: Quant) -> Row {
    let gb_per_s = memory.theoretical_gb_per_s();
    let (file, read) = (model.file_bytes(quant), model.read_bytes_per_token(quant));
    let kv = |depth| model.kv_read_bytes(KvFormat::F16, depth);
    let bound = |bytes: f64| text.figure(Number(bounds::tokens_per_s(gb_per_s, bytes / 1e9)));
    let needed = bounds::needed_bytes(model, file, 0);
    let fits = bounds::fits(&fit::rooms(memory), needed);
    Row {
        model: format::foreign_short(&model.name, 40),
        quant: quant_name(quant),
        starts_group: Some(&quant) == Quant::USUAL.first(),
        file: text.figure(DecimalBytes(file)),
        read: text.figure(DecimalBytes(read)),
        bound_file: bound(file as f64),
        bound_read: bound(bounds::token_bytes(read, kv(0))),
        bound_deep: bound(bounds::token_bytes(read, kv(DEEP))),
        needed: text.figure(DecimalBytes(needed)),
        fits: fits.iter().map(|fit| fit.fits).collect(),
    }
}
