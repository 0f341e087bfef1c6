//! The machines that predictions rest on: what others published, and what was measured here.

use bench_inventory::{Board, Inventory, Memory, Reference, ReferenceLoad};

use super::{Class, Prediction};
use crate::analysis::{Analysis, HostAnalysis};
use crate::label::Label;

/// A machine with the shares of its theoretical bandwidth that token generation reached on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Name as people know it.
    pub name: String,
    /// The catalogue's board, where it is one.
    pub board: Option<String>,
    /// What it is like.
    pub class: Class,
    /// `Imported` for published figures, `Measured` for hosts of this lab.
    pub label: Label,
    /// What was reached on it.
    pub rows: Vec<Observation>,
}

impl Machine {
    /// What counts as one machine: a board of the catalogue with all its housings and hosts, else the machine itself.
    pub fn identity(&self) -> &str {
        self.board.as_deref().unwrap_or(&self.name)
    }
}

/// One token rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Model and quantisation.
    pub what: String,
    /// Tokens/s x bytes per token over theoretical bandwidth.
    pub share: f64,
    /// Where it comes from.
    pub source: String,
}

/// The machines that others measured.
pub fn machines(inventory: &Inventory) -> Vec<Machine> {
    (inventory.references.values())
        .map(|reference| of_reference(reference, inventory))
        .collect()
}

fn of_reference(reference: &Reference, inventory: &Inventory) -> Machine {
    let theory = reference.memory.theoretical_gb_per_s();
    let row = |row: &bench_inventory::ReferenceDecode| {
        let (what, bytes) = match &row.load {
            ReferenceLoad::Catalogue { model, quant } => (
                format!("{model} {}", quant.id()),
                // A run's copy of the catalogue may lack the model.
                inventory.models.get(model)?.read_bytes_per_token(*quant),
            ),
            ReferenceLoad::Other {
                name,
                read_bytes_per_token,
            } => (name.clone(), *read_bytes_per_token),
        };
        let share = row.tokens_per_s * bytes as f64 / 1e9 / theory;
        (share.is_finite() && share > 0.0).then(|| Observation {
            what,
            share,
            source: row.source.clone(),
        })
    };
    Machine {
        name: reference.name.clone(),
        board: reference.board.clone(),
        class: Class {
            processor: reference.processor.clone(),
            core: reference.core.clone(),
            memory_kind: reference.memory.kind.clone(),
        },
        label: Label::Imported,
        rows: reference.decodes.iter().filter_map(row).collect(),
    }
}

/// What others measured and what a run measured, together.
pub fn with_hosts(inventory: &Inventory, analysis: &Analysis) -> Vec<Machine> {
    let mut all = machines(inventory);
    all.extend(analysis.hosts.iter().filter_map(of_host));
    all
}

fn of_host(host: &HostAnalysis) -> Option<Machine> {
    let theory = host.theory.as_ref().ok()?;
    let rows = rows(host, theory.gb_per_s);
    (!rows.is_empty()).then(|| Machine {
        name: host.name().to_owned(),
        board: host.board.map(|board| board.id.clone()),
        class: class_of(host, &theory.kind),
        label: Label::Measured,
        rows,
    })
}

/// The best usable decode of every model, quantisation and depth, as a share of a bandwidth.
fn rows(host: &HostAnalysis, gb_per_s: f64) -> Vec<Observation> {
    (host.best_chains().into_iter())
        .filter(|chain| chain.verdict.is_usable() && chain.extrapolated.is_none())
        .map(|chain| Observation {
            what: format!("{} {}", chain.model.model, chain.model.quant),
            share: chain.measured_gb_per_s / gb_per_s,
            source: format!("host {}", host.name()),
        })
        .filter(|row| row.share.is_finite() && row.share > 0.0)
        .collect()
}

/// What a host is like; `None` where its theoretical bandwidth, and so its memory, is not known.
pub fn class_of_host(host: &HostAnalysis) -> Option<Class> {
    let theory = host.theory.as_ref().ok()?;
    Some(class_of(host, &theory.kind))
}

/// The share of its best read that a host's new models will reach, from those that were measured on it. For hosts whose
/// theoretical bandwidth is not known.
pub fn from_own_rows(
    host: &HostAnalysis,
    read_gb_per_s: f64,
    machines: &[Machine],
) -> Option<Prediction> {
    let shares: Vec<f64> = (rows(host, read_gb_per_s).iter())
        .map(|row| row.share)
        .collect();
    super::from_rows(&shares, "cpu", machines)
}

fn class_of(host: &HostAnalysis, memory_kind: &str) -> Class {
    let of_board = host.board.and_then(|board| board.clusters.first());
    let of_facts = || host.data.facts.as_ref()?.cpu_model.clone();
    Class {
        processor: "cpu".to_owned(),
        core: of_board
            .map(|cluster| cluster.core.clone())
            .or_else(of_facts)
            .unwrap_or_else(|| "unknown cores".to_owned()),
        memory_kind: memory_kind.to_owned(),
    }
}

impl Class {
    /// The class of a board's processor on one of its memories.
    pub fn of_board(board: &Board, memory: &Memory, processor: &str) -> Class {
        let core = match processor {
            "cpu" => board.clusters.first().map(|cluster| cluster.core.clone()),
            _ => None,
        };
        Class {
            processor: processor.to_owned(),
            core: core.unwrap_or_else(|| board.soc.clone()),
            memory_kind: memory.kind.clone(),
        }
    }
}
