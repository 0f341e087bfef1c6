//! A board's memories, each with its bandwidth, its source and what others quote; and its hosts in this run.

use serde::Serialize;

use super::{Page, Scope, published, value};
use crate::report::page_name;
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

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
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
        memories: board.memories.iter().map(memory_row).collect(),
        published: published::rows(board),
    })
}

fn memory_row(memory: &bench_inventory::Memory) -> MemoryRow {
    let theory = theory::Theory::of_memory(memory);
    let sizes: Vec<String> = memory
        .capacities_bytes
        .value
        .iter()
        .map(|bytes| format::binary_bytes(*bytes))
        .collect();
    MemoryRow {
        name: format::memory_name(&memory.name),
        formula: theory.formula,
        gb_per_s: format::gb_per_s(theory.gb_per_s),
        source: format::foreign(&theory.source),
        quoted: (memory.quoted.iter())
            .map(|quote| {
                (
                    format::gb_per_s(quote.gb_per_s),
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
                    format::decimal_bytes(usable.value),
                    format::foreign(&usable.source)
                )
            })
            .unwrap_or_default(),
        processors: format::enumeration(
            &memory
                .processors
                .iter()
                .map(|name| name.to_uppercase())
                .collect::<Vec<_>>(),
        ),
    }
}
