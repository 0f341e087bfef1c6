//! The decision: every model and quantisation on every board, how fast at most and whether it fits.

use bench_inventory::{Inventory, KvFormat, Memory, Model, Quant};
use serde::Serialize;

use super::overview::memory_label;
use super::summary::quant_name;
use super::{Page, value};
use crate::decide::{Decision, Load, Target, decide, of_board, of_host};
use crate::report::page_name;
use crate::{bounds, format, predict};

#[derive(Serialize)]
struct View {
    min_context: u64,
    level: String,
    calibration: Option<String>,
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
    /// Tokens per second measured or predicted, and which of both.
    expected: String,
    label: &'static str,
    limit: &'static str,
    fit: String,
}

pub(super) fn view(page: &Page) -> Option<minijinja::Value> {
    let inventory = &page.analysis.run.inventory;
    if inventory.models.is_empty() {
        return None;
    }
    let machines = predict::with_hosts(inventory, page.analysis);
    let hosts: Vec<(Target, Column)> = (page.analysis.hosts.iter())
        .filter(|host| host.best_read.is_some())
        .map(|host| {
            let target = of_host(host, &machines);
            let read = target.read.as_ref().map(|read| read.gb_per_s);
            let column = Column {
                name: format::foreign_short(host.name(), 40),
                href: format!("hosts/{}", page_name(host.name())),
                bandwidth: format::gb_per_s_or_unknown(read),
                room: target.room.as_ref().map_or_else(
                    || "free RAM unknown".into(),
                    |room| format!("{} of RAM free", format::binary_bytes(room.bytes)),
                ),
            };
            (target, column)
        })
        .collect();
    let mut boards: Vec<(Target, Column)> = (inventory.boards.values())
        .flat_map(|board| board.memories.iter().map(move |memory| (board, memory)))
        .map(|(board, memory)| {
            let processor = memory.processors.first().map_or("cpu", String::as_str);
            let target = of_board(board, memory, processor, &machines);
            let column = Column {
                name: memory_label(board, memory),
                href: format!("boards/{}", page_name(&board.id)),
                bandwidth: format::gb_per_s(memory.theoretical_gb_per_s()),
                room: capacities(memory),
            };
            (target, column)
        })
        .collect();
    boards.sort_by(|(a, _), (b, _)| {
        let rate = |target: &Target| target.theory.as_ref().map_or(0.0, |theory| theory.gb_per_s);
        rate(a).total_cmp(&rate(b))
    });
    let (context, kv) = (bounds::MIN_CONTEXT, KvFormat::F16);
    // Models of real files come first: somebody asked for them.
    let of_files = (inventory.models.values()).filter_map(|it| Load::of_file(it, 0, context, kv));
    let of_catalogue = (loads(inventory).into_iter())
        .filter(|(model, _)| model.file.is_none())
        .map(|(model, quant)| Load::new(model, quant, 0, context, kv));
    let loads: Vec<Load> = of_files.chain(of_catalogue).collect();
    value(View {
        min_context: bounds::MIN_CONTEXT,
        level: format::percent(predict::LEVEL),
        calibration: predict::calibration(&machines).map(|calibration| calibration.sentence()),
        theory: matrix(boards, &loads),
        measured: matrix(hosts, &loads),
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

fn matrix(targets: Vec<(Target, Column)>, loads: &[Load]) -> Matrix {
    let row = |load: &Load| Row {
        model: format::foreign_short(&load.model.name, 40),
        quant: (load.quant).map_or_else(|| load.quant_id.clone(), quant_name),
        starts_group: load.quant.as_ref() == Quant::USUAL.first(),
        file: format::decimal_bytes(load.file_bytes),
        cells: (targets.iter())
            .map(|(target, _)| cell(target, load))
            .collect(),
    };
    Matrix {
        rows: loads.iter().map(row).collect(),
        columns: targets.into_iter().map(|(_, column)| column).collect(),
    }
}

fn cell(target: &Target, load: &Load) -> Cell {
    let decision = decide(target, load);
    let by_file = load.token_bytes() / load.file_bytes as f64;
    let number = |value: Option<f64>| value.map_or_else(|| format::UNKNOWN.into(), format::number);
    let expected = decision.expected.as_ref();
    Cell {
        fits: decision.fits != Some(false),
        bound_read: number(decision.bound_tokens_per_s),
        bound_file: number(decision.bound_tokens_per_s.map(|bound| bound * by_file)),
        expected: expected.map_or_else(String::new, crate::decide::Expected::words),
        label: expected.map_or("", |expected| expected.label.name()),
        limit: decision.limit,
        fit: fit(target, &decision),
    }
}

/// `fits`, `fits from 8 GiB`, `does not fit`.
fn fit(target: &Target, decision: &Decision) -> String {
    let needed = decision.need.total_bytes();
    let smallest = target.rooms.iter().find(|room| needed <= room.bytes);
    let from = smallest.and_then(|room| room.capacity_bytes);
    match (decision.fits, from) {
        (Some(true), Some(from)) if target.rooms.len() > 1 => {
            format!("fits from {}", format::binary_bytes(from))
        }
        (Some(true), _) => "fits".into(),
        (Some(false), _) => "does not fit".into(),
        (None, _) => "fit unknown".into(),
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
