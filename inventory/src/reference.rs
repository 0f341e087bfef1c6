//! What others published: machines and the token rates measured on them, and what quantisation costs in quality.
//!
//! Figures of this module were measured by other people with other programs. They are evidence for predictions and are
//! quoted; they never stand in for a measurement of our own.

use crate::bandwidth::mt_per_s_to_gb_per_s;
use crate::model::Quant;

/// A machine on which others measured token rates (`references/<id>.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// File name without extension; stable.
    pub id: String,
    /// Name as people know it.
    pub name: String,
    /// The catalogue's board, where the machine is one.
    pub board: Option<String>,
    /// What computed: `cpu`, `gpu` or `npu`.
    pub processor: String,
    /// Core type, for instance `Cortex-A76`.
    pub core: String,
    /// Processors that behave alike, for instance `NVIDIA`.
    pub family: String,
    /// Memory that it computed from.
    pub memory: ReferenceMemory,
    /// Token rates.
    pub decodes: Vec<ReferenceDecode>,
}

/// Memory of a machine that others measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceMemory {
    /// For instance `LPDDR4X`.
    pub kind: String,
    /// Mega-transfers per second on each data line.
    pub mt_per_s: f64,
    /// Width of all channels together, bits.
    pub bus_bits: u32,
    /// Where both come from.
    pub source: String,
}

impl ReferenceMemory {
    /// Theoretical bandwidth, GB/s (10^9 bytes per second).
    pub fn theoretical_gb_per_s(&self) -> f64 {
        mt_per_s_to_gb_per_s(self.mt_per_s, self.bus_bits)
    }
}

/// A token rate that was published.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceDecode {
    /// What was generated with.
    pub load: ReferenceLoad,
    /// Tokens per second.
    pub tokens_per_s: f64,
    /// Program, for instance `llama.cpp`.
    pub program: String,
    /// Where it was published.
    pub source: String,
}

/// The model behind a published token rate.
#[derive(Debug, Clone, PartialEq)]
pub enum ReferenceLoad {
    /// A model of the catalogue: its bytes per token follow from its tensors.
    Catalogue {
        /// Id of the model.
        model: String,
        /// Its quantisation.
        quant: Quant,
    },
    /// Another model, with the bytes one token reads.
    Other {
        /// Name and quantisation as published.
        name: String,
        /// Bytes of weights that one token reads.
        read_bytes_per_token: u64,
    },
}

/// What quantisation costs one model in quality (`quality/<id>.yaml`): measured by others.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// File name without extension; stable.
    pub id: String,
    /// The model that was measured.
    pub model: String,
    /// What was measured, for instance `perplexity on Wikitext-2`.
    pub metric: String,
    /// Where it was published.
    pub source: String,
    /// What the reader must know: method, importance matrix.
    pub note: String,
    /// Rows, one a quantisation.
    pub rows: Vec<QualityRow>,
}

/// One quantisation of such a table.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityRow {
    /// The quantisation.
    pub quant: Quant,
    /// Perplexity; lower is better.
    pub perplexity: f64,
    /// Standard error of `perplexity`.
    pub standard_error: f64,
    /// What is special about this row, for instance an importance matrix.
    pub note: Option<String>,
}

impl Quality {
    /// Perplexity with this quantisation; `None` where its row is missing.
    pub fn perplexity(&self, quant: Quant) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.quant == quant)?;
        Some(row.perplexity)
    }

    /// Perplexity of a quantisation over that of F16, less one: 0.028 is 2.8 % more. `None` where a row is missing.
    pub fn loss(&self, quant: Quant) -> Option<f64> {
        Some(self.perplexity(quant)? / self.perplexity(Quant::F16)? - 1.0)
    }
}
