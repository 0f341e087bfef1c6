//! `references/<id>.yaml` and `quality/<id>.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use super::memory::RawProcessor;
use super::suite::{RawQuant, unknown_id};
use crate::diagnostic::Problem;
use crate::model::Quant;
use crate::reference::{
    Quality, QualityRow, Reference, ReferenceDecode, ReferenceLoad, ReferenceMemory,
};

/// A machine on which others measured token rates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Reference")]
pub(crate) struct RawReference {
    /// Name as people know it.
    #[schemars(length(min = 1))]
    name: String,
    /// The catalogue's board, where the machine is one.
    board: Option<String>,
    /// What computed.
    processor: RawProcessor,
    /// Core type, for instance `Cortex-A76` or `Ampere`.
    #[schemars(length(min = 1))]
    core: String,
    /// Processors that behave alike: `Arm`, `x86`, `Apple`, `NVIDIA`, `AMD`, `Mali`; predictions never leave a family.
    /// Left out, a CPU's follows from its core, and any other processor is one of its own.
    #[schemars(length(min = 1))]
    family: Option<String>,
    /// Memory that it computed from.
    memory: RawReferenceMemory,
    /// Token rates that were published.
    #[schemars(length(min = 1))]
    decodes: Vec<RawReferenceDecode>,
}

/// Memory of a machine that others measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "ReferenceMemory")]
struct RawReferenceMemory {
    /// For instance `LPDDR4X`.
    #[schemars(length(min = 1))]
    kind: String,
    /// Mega-transfers per second on each data line.
    #[schemars(range(min = 1, max = 1_000_000))]
    mt_per_s: f64,
    /// Width of all channels together, bits.
    #[schemars(range(min = 8, max = 65_536))]
    bus_bits: u32,
    /// Where both come from.
    #[schemars(length(min = 1))]
    source: String,
}

/// A token rate that was published, of a catalogue model (`model` and `quant`) or of another one (`name` and
/// `read-gb`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "ReferenceDecode")]
struct RawReferenceDecode {
    /// Model of the catalogue.
    model: Option<String>,
    /// Its quantisation.
    quant: Option<RawQuant>,
    /// Another model with its quantisation, as published.
    name: Option<String>,
    /// GB (10^9 bytes) of weights that one token of that other model reads.
    #[schemars(range(min = 0.001, max = 10_000))]
    read_gb: Option<f64>,
    /// Tokens per second.
    #[schemars(range(min = 0.001, max = 1_000_000))]
    tokens_per_s: f64,
    /// Program, for instance `llama.cpp`.
    #[schemars(length(min = 1))]
    program: String,
    /// Where it was published.
    #[schemars(length(min = 1))]
    source: String,
}

fn family(processor: RawProcessor, core: &str) -> String {
    let is_arm = ["Cortex", "Neoverse"].iter().any(|it| core.starts_with(it));
    match processor {
        RawProcessor::Cpu if is_arm => "Arm",
        RawProcessor::Cpu => "x86",
        _ => core,
    }
    .to_owned()
}

/// What quantisation costs one model in quality.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Quality")]
pub(crate) struct RawQuality {
    /// The model that was measured.
    #[schemars(length(min = 1))]
    model: String,
    /// What was measured, for instance `perplexity on Wikitext-2`.
    #[schemars(length(min = 1))]
    metric: String,
    /// Where it was published.
    #[schemars(length(min = 1))]
    source: String,
    /// What the reader must know: method, importance matrix.
    #[schemars(length(min = 1))]
    note: String,
    /// One row a quantisation; `f16` is what the others are compared with.
    #[schemars(length(min = 1))]
    rows: Vec<RawQualityRow>,
}

/// One quantisation of a table of quality.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "QualityRow")]
struct RawQualityRow {
    /// The quantisation.
    quant: RawQuant,
    /// Perplexity; lower is better.
    #[schemars(range(min = 1, max = 1_000_000))]
    perplexity: f64,
    /// Standard error of the perplexity.
    #[schemars(range(min = 0, max = 1_000_000))]
    standard_error: f64,
    /// What is special about this row.
    note: Option<String>,
}

impl RawReference {
    pub(crate) fn resolve(
        self,
        id: &str,
        place: &Place,
        known: Option<(&[String], &[String])>,
        problems: &mut Vec<Problem>,
    ) -> Reference {
        let (boards, models) = known.unzip();
        if let Some(board) = &self.board {
            check_known("board", board, &place.key("board"), boards, problems);
        }
        let rows = place.key("decodes");
        let decodes = (self.decodes.into_iter().enumerate())
            .map(|(idx, row)| row.resolve(&rows.item(idx), models, problems))
            .collect();
        Reference {
            id: id.to_owned(),
            name: self.name,
            board: self.board,
            processor: self.processor.id().to_owned(),
            family: (self.family).unwrap_or_else(|| family(self.processor, &self.core)),
            core: self.core,
            memory: ReferenceMemory {
                kind: self.memory.kind,
                mt_per_s: self.memory.mt_per_s,
                bus_bits: self.memory.bus_bits,
                source: self.memory.source,
            },
            decodes,
        }
    }
}

impl RawReferenceDecode {
    fn resolve(
        self,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> ReferenceDecode {
        let load = match (self.model, self.quant, self.name, self.read_gb) {
            (Some(model), Some(quant), None, None) => {
                check_known("model", &model, &place.key("model"), models, problems);
                ReferenceLoad::Catalogue {
                    model,
                    quant: quant.resolve(),
                }
            }
            (None, None, Some(name), Some(read_gb)) => ReferenceLoad::Other {
                name,
                read_bytes_per_token: (read_gb * 1e9).round() as u64,
            },
            _ => {
                if place.are_usable(&["model", "quant", "name", "read-gb"]) {
                    problems.push(place.problem(
                        format!("`{}` does not say which model it is about", place.path()),
                        "give `model` and `quant` of the catalogue, or `name` and `read-gb` of another model",
                    ));
                }
                ReferenceLoad::Other {
                    name: String::new(),
                    read_bytes_per_token: 1,
                }
            }
        };
        ReferenceDecode {
            load,
            tokens_per_s: self.tokens_per_s,
            program: self.program,
            source: self.source,
        }
    }
}

impl RawQuality {
    pub(crate) fn resolve(self, id: &str, place: &Place, problems: &mut Vec<Problem>) -> Quality {
        let rows: Vec<QualityRow> = (self.rows.into_iter())
            .map(|row| QualityRow {
                quant: row.quant.resolve(),
                perplexity: row.perplexity,
                standard_error: row.standard_error,
                note: row.note,
            })
            .collect();
        let rows_place = place.key("rows");
        for (idx, row) in rows.iter().enumerate() {
            if rows[..idx].iter().any(|other| other.quant == row.quant)
                && rows_place.item(idx).key("quant").is_usable()
            {
                problems.push(rows_place.item(idx).key("quant").problem(
                    format!("`{}` is in the table twice", row.quant.id()),
                    "keep one of the rows",
                ));
            }
        }
        if rows_place.is_usable() && rows.iter().all(|row| row.quant != Quant::F16) {
            problems.push(rows_place.problem(
                "the table has no row `f16`",
                "add it: losses are given against half precision",
            ));
        }
        Quality {
            id: id.to_owned(),
            model: self.model,
            metric: self.metric,
            source: self.source,
            note: self.note,
            rows,
        }
    }
}

fn check_known(
    what: &str,
    name: &str,
    place: &Place,
    known: Option<&[String]>,
    problems: &mut Vec<Problem>,
) {
    let unknown = known.filter(|known| !known.iter().any(|id| id == name));
    if let Some(known) = unknown.filter(|_| place.is_usable()) {
        problems.push(unknown_id(what, &format!("{what}s"), name, place, known));
    }
}
