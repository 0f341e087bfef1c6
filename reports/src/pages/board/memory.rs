//! A board's memories, each with its bandwidth, its source and what others quote; and its hosts in this run.

use bench_locales::Figure::{BinaryBytes, DecimalBytes, GbPerS};
use bench_locales::Text;
use serde::Serialize;

use crate::pages::page_name;
use crate::pages::shared::published;
use crate::pages::{Page, Scope, value};
use bench_analysis::choice::decisions::memory_name;
use bench_analysis::limits::theory;
use bench_run_dir::format;

#[derive(Serialize)]
struct View {
    clusters: String,
    source: String,
    hosts: Vec<(String, String)>,
    memories: Vec<MemoryRow>,
    published: Vec<published::Row>,
}

#[derive(Serialize)]
struct MemoryRow {
    name: String,
    formula: String,
    gb_per_s: String,
    source: String,
    quoted: Vec<(String, String)>,
    capacities: String,
    usable: String,
    processors: String,
}

pub(in crate::pages) fn view(page: &Page) -> Option<minijinja::Value> {
    let Scope::Board(board) = page.scope else {
        return None;
    };
    let inventory = &page.analysis.run.inventory;
    let hosts = page
        .analysis
        .hosts
        .iter()
        .filter(|host| theory::board_id(&host.data.record, inventory) == Some(&board.id));
    let clusters: Vec<String> = board
        .clusters
        .iter()
        .map(|cluster| format!("{} x {}", cluster.n_cores, cluster.core))
        .collect();
    value(View {
        clusters: format::foreign(&clusters.join(" + ")),
        source: format::foreign(&board.source),
        hosts: hosts
            .map(|host| {
                (
                    format::foreign_short(host.name(), 60),
                    format!("hosts/{}", page_name(host.name())),
                )
            })
            .collect(),
        memories: (board.memories.iter())
            .map(|memory| memory_row(page.text, memory))
            .collect(),
        published: published::rows(page.text, board),
    })
}

/// A memory of a board: `system memory`, `VRAM`.
fn memory_row(text: &Text, memory: &bench_inventory::Memory) -> MemoryRow {
    let theory = theory::Theory::of_memory(memory);
    let sizes: Vec<String> = memory
        .capacities_bytes
        .value
        .iter()
        .map(|bytes| text.figure(BinaryBytes(*bytes)))
        .collect();
    MemoryRow {
        name: text.say(&memory_name(&memory.name)),
        formula: theory.formula,
        gb_per_s: text.figure(GbPerS(theory.gb_per_s)),
        source: format::foreign(&text.say(&theory.source)),
        quoted: (memory.quoted.iter())
            .map(|quote| {
                (
                    text.figure(GbPerS(quote.gb_per_s)),
                    format::foreign(&quote.source),
                )
            })
            .collect(),
        capacities: format!(
            "{} ({})",
            sizes.join(", "),
            format::foreign(&memory.capacities_bytes.source)
        ),
        usable: (memory.usable_bytes.as_ref())
            .map(|usable| {
                format!(
                    "{} ({})",
                    text.figure(DecimalBytes(usable.value)),
                    format::foreign(&usable.source)
                )
            })
            .unwrap_or_default(),
        processors: text.list(
            &(memory.processors.iter())
                .map(|name| name.to_uppercase())
                .collect::<Vec<_>>(),
        ),
    }
}
