//! The decision: every model and quantisation on every board, how fast at most and whether it fits.

use bench_inventory::{Inventory, KvFormat, Memory, Model, Quant};
use serde::Serialize;

use super::overview::memory_label;
use super::summary::quant_name;
use super::{Page, value};
use crate::analysis::HostAnalysis;
use crate::report::page_name;
use crate::{bounds, format};

#[derive(Serialize)]
struct View {
    min_context: u64,
    theory: Matrix,
    measured: Matrix,
}

/// Rows are models in a quantisation, columns are memories or hosts.
#[derive(Serialize)]
struct Matrix {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    href: String,
    bandwidth: String,
    room: String,
}

#[derive(Serialize)]
struct Row {
    model: String,
    quant: String,
    starts_group: bool,
    file: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    fits: bool,
    bound_read: String,
    bound_file: String,
    fit: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let inventory = &page.analysis.run.inventory;
    if inventory.models.is_empty() {
        return None;
    }
    value(View {
        min_context: bounds::MIN_CONTEXT,
        theory: theory_matrix(inventory),
        measured: measured_matrix(inventory, &page.analysis.hosts),
    })
}

/// Every model in every quantisation, models by rising size.
pub(super) fn loads(inventory: &Inventory) -> Vec<(&Model, Quant)> {
    let mut models: Vec<&Model> = inventory.models.values().collect();
    models.sort_by_key(|model| (model.n_params(), &model.id));
    models
        .into_iter()
        .flat_map(|model| Quant::USUAL.map(|quant| (model, quant)))
        .collect()
}

fn theory_matrix(inventory: &Inventory) -> Matrix {
    let mut targets: Vec<(&bench_inventory::Board, &Memory)> = (inventory.boards.values())
        .flat_map(|board| board.memories.iter().map(move |memory| (board, memory)))
        .collect();
    targets.sort_by(|a, b| {
        a.1.theoretical_gb_per_s()
            .total_cmp(&b.1.theoretical_gb_per_s())
    });
    Matrix {
        columns: (targets.iter())
            .map(|(board, memory)| Column {
                name: memory_label(board, memory),
                href: format!("boards/{}", page_name(&board.id)),
                bandwidth: format::gb_per_s(memory.theoretical_gb_per_s()),
                room: capacities(memory),
            })
            .collect(),
        rows: rows(inventory, |model, quant| {
            targets
                .iter()
                .map(|(_, memory)| theory_cell(memory, model, quant))
                .collect()
        }),
    }
}

fn measured_matrix(inventory: &Inventory, hosts: &[HostAnalysis]) -> Matrix {
    let measured: Vec<(&HostAnalysis, f64)> = (hosts.iter())
        .filter_map(|host| Some((host, host.best_read.as_ref()?.gb_per_s)))
        .collect();
    let available = |host: &HostAnalysis| {
        host.data
            .facts
            .as_ref()
            .and_then(|facts| facts.memory.available_bytes)
    };
    Matrix {
        columns: (measured.iter())
            .map(|(host, gb_per_s)| Column {
                name: format::foreign_short(host.name(), 40),
                href: format!("hosts/{}", page_name(host.name())),
                bandwidth: format::gb_per_s(*gb_per_s),
                room: available(host).map_or_else(
                    || "free RAM unknown".into(),
                    |bytes| format!("{} of RAM free", format::binary_bytes(bytes)),
                ),
            })
            .collect(),
        rows: rows(inventory, |model, quant| {
            (measured.iter())
                .map(|(host, gb_per_s)| {
                    let needed = bounds::needed_bytes(model, model.file_bytes(quant), 0);
                    let fits = available(host).map(|bytes| needed <= bytes);
                    cell(*gb_per_s, model, quant, fits, String::new())
                })
                .collect()
        }),
    }
}

fn rows(inventory: &Inventory, cells: impl Fn(&Model, Quant) -> Vec<Cell>) -> Vec<Row> {
    (loads(inventory).into_iter())
        .map(|(model, quant)| Row {
            model: format::foreign_short(&model.name, 40),
            quant: quant_name(quant),
            starts_group: Some(&quant) == Quant::USUAL.first(),
            file: format::decimal_bytes(model.file_bytes(quant)),
            cells: cells(model, quant),
        })
        .collect()
}

fn theory_cell(memory: &Memory, model: &Model, quant: Quant) -> Cell {
    let fits = bounds::fits(memory, model, model.file_bytes(quant), 0);
    let largest_fits = fits.last().is_some_and(|fit| fit.fits);
    let smallest = fits.iter().find(|fit| fit.fits);
    let from = match (fits.len(), smallest) {
        (2.., Some(fit)) => format!("from {}", format::binary_bytes(fit.capacity_bytes)),
        _ => String::new(),
    };
    cell(
        memory.theoretical_gb_per_s(),
        model,
        quant,
        Some(largest_fits),
        from,
    )
}

fn cell(gb_per_s: f64, model: &Model, quant: Quant, fits: Option<bool>, from: String) -> Cell {
    let read_gb = bounds::token_bytes(
        model.read_bytes_per_token(quant),
        model.kv_bytes_per_token(KvFormat::F16),
        0,
    ) / 1e9;
    let file_gb = model.file_bytes(quant) as f64 / 1e9;
    Cell {
        fits: fits != Some(false),
        bound_read: format::number(bounds::tokens_per_s(gb_per_s, read_gb)),
        bound_file: format::number(bounds::tokens_per_s(gb_per_s, file_gb)),
        fit: match fits {
            Some(true) if from.is_empty() => "fits".into(),
            Some(true) => format!("fits {from}"),
            Some(false) => "does not fit".into(),
            None => "fit unknown".into(),
        },
    }
}

fn capacities(memory: &Memory) -> String {
    let sizes: Vec<String> = memory
        .capacities_bytes
        .value
        .iter()
        .map(|bytes| format::binary_bytes(*bytes))
        .collect();
    match sizes.len() {
        0 => "capacity unknown".into(),
        _ => sizes.join(", "),
    }
}
