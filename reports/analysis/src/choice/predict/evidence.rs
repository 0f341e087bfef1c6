//! The machines that predictions rest on: what others published, and what was measured here.

use bench_inventory::{Board, Inventory, Memory, Reference, ReferenceLoad};

use super::{Class, Prediction};
use crate::label::Label;
use crate::measured::{Analysis, HostAnalysis};

/// A machine with the shares of its theoretical bandwidth that token generation reached on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Name as people know it.
    pub name: String,
    /// Chip and memory, where it is a board of the catalogue.
    pub silicon: Option<String>,
    /// What it is like.
    pub class: Class,
    /// Theoretical bandwidth, GB/s (10^9 bytes per second).
    pub gb_per_s: f64,
    /// `Imported` for published figures, `Measured` for hosts of this lab.
    pub label: Label,
    /// What was reached on it.
    pub rows: Vec<Observation>,
}

impl Machine {
    /// What counts as one machine: boards with one chip and memory, their housings and hosts, else the machine itself.
    pub fn identity(&self) -> &str {
        self.silicon.as_deref().unwrap_or(&self.name)
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
        silicon: (reference.board.as_ref())
            .and_then(|board| inventory.boards.get(board))
            .and_then(|board| silicon_of(board, &reference.memory.kind)),
        gb_per_s: theory,
        class: Class {
            processor: reference.processor.clone(),
            family: reference.family.clone(),
            core: reference.core.clone(),
            memory_kind: reference.memory.kind.clone(),
        },
        label: Label::Imported,
        rows: reference.decodes.iter().filter_map(row).collect(),
    }
}

/// Chip and memory of a board that has a memory of this kind.
pub fn silicon_of(board: &Board, memory_kind: &str) -> Option<String> {
    let mut memories = board.memories.iter();
    let memory = memories.find(|memory| memory.kind == memory_kind)?;
    Some(board.silicon_of(memory))
}

/// What others measured and what a run measured, together.
pub fn with_hosts(inventory: &Inventory, analysis: &Analysis) -> Vec<Machine> {
    let mut all = machines(inventory);
    all.extend(analysis.hosts.iter().filter_map(of_host));
    all
}

/// A measured host; `None` where its theory is not known or it decoded nothing.
pub fn of_host(host: &HostAnalysis) -> Option<Machine> {
    let theory = host.theory.as_ref().ok()?;
    let rows = rows(host, theory.gb_per_s);
    (!rows.is_empty()).then(|| Machine {
        name: host.name().to_owned(),
        silicon: host.board.and_then(|board| silicon_of(board, &theory.kind)),
        gb_per_s: theory.gb_per_s,
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
    let facts = host.data.facts.as_ref();
    let arch = (facts.map(|facts| facts.arch.as_str())).or(host.board.map(|board| &*board.arch));
    Class {
        processor: "cpu".to_owned(),
        family: cpu_family(arch.unwrap_or("unknown")).to_owned(),
        core: of_board
            .map(|cluster| cluster.core.clone())
            .or_else(of_facts)
            .unwrap_or_else(|| "unknown cores".to_owned()),
        memory_kind: memory_kind.to_owned(),
    }
}

fn cpu_family(arch: &str) -> &str {
    match arch {
        "aarch64" => "Arm",
        "x86_64" => "x86",
        other => other,
    }
}

impl Class {
    /// The class of a board's processor on one of its memories.
    pub fn of_board(board: &Board, memory: &Memory, processor: &str) -> Class {
        let mut accelerators = board.accelerators.iter();
        let (core, family) = match accelerators.find(|it| it.processor == processor) {
            Some(it) => (it.core.clone(), it.family.clone()),
            None => {
                let cluster = board.clusters.first().filter(|_| processor == "cpu");
                let core = cluster.map_or(&board.soc, |cluster| &cluster.core);
                let family = match processor {
                    "cpu" => cpu_family(&board.arch),
                    _ => &board.soc,
                };
                (core.clone(), family.to_owned())
            }
        };
        Class {
            processor: processor.to_owned(),
            family,
            core,
            memory_kind: memory.kind.clone(),
        }
    }
}
