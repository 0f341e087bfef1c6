//! The shape of a suite unit's work.

use bench_protocol::{KvFormat, Pages, Residency};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{KIB, unknown_id};
use crate::diagnostic::Problem;
use crate::model::Quant;
use crate::raw::Place;
use crate::suite::SuiteWork;

/// Work of a streaming kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Stream")]
pub(super) struct RawStream {
    /// Where the arrays live.
    residency: RawResidency,
    /// KiB (1024 bytes) of all arrays; left out, the board's caches and RAM decide.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: Option<u64>,
    /// Pages that back them; left out, huge ones.
    #[schemars(length(min = 1))]
    pages: Option<Vec<RawPages>>,
}

/// Work of the latency kernel: dependent loads in random order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Latency")]
pub(super) struct RawLatency {
    /// Where the chains live.
    residency: RawResidency,
    /// KiB (1024 bytes) of all chains; left out, the board's caches and RAM decide.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: Option<u64>,
    /// Independent chains that each thread follows at the same time; left out, one.
    #[schemars(length(min = 1), inner(range(min = 1, max = 8)))]
    chains: Option<Vec<u32>>,
    /// Pages that back them; left out, huge ones.
    #[schemars(length(min = 1))]
    pages: Option<Vec<RawPages>>,
}

/// Work of a kernel that only computes: `peak: {}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Peak")]
pub(super) struct RawPeak {}

/// Work of a matrix-times-vector kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Gemv")]
pub(super) struct RawGemv {
    /// Where the matrices live.
    residency: RawResidency,
    /// Rows of one matrix (outputs).
    #[schemars(range(min = 1, max = 16_777_216))]
    rows: u64,
    /// Columns of one matrix (inputs); a multiple of 32, the smallest block of a weight format.
    #[schemars(range(min = 32, max = 16_777_216))]
    cols: u64,
    /// KiB (1024 bytes) of all matrices; left out, the board's caches and RAM decide.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    working_set_kib: Option<u64>,
}

/// Work of a matrix-times-batch kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Gemm")]
pub(super) struct RawGemm {
    /// Rows of the matrix (outputs).
    #[schemars(range(min = 1, max = 16_777_216))]
    rows: u64,
    /// Columns of the matrix (inputs); a multiple of 32, the smallest block of a weight format.
    #[schemars(range(min = 32, max = 16_777_216))]
    cols: u64,
    /// Vectors in a batch.
    #[schemars(length(min = 1), inner(range(min = 1, max = 65_536)))]
    tokens: Vec<u64>,
}

/// Work of token steps of a language model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Decode")]
pub(super) struct RawDecode {
    /// Catalogue id of the model.
    model: String,
    /// Quantisation; or give `quants`.
    quant: Option<RawQuant>,
    /// Quantisations, one unit each.
    #[schemars(length(min = 1))]
    quants: Option<Vec<RawQuant>>,
    /// Tokens in the KV cache before the first measured token.
    #[schemars(length(min = 1), inner(range(min = 0, max = 16_777_216)))]
    depths: Vec<u64>,
    /// Tokens that one pass generates, each one position further, as `tg128` of llama-bench does with 128; left out,
    /// one at the same depth every time.
    #[schemars(range(min = 1, max = 65_536))]
    generate: Option<u64>,
    /// Storage of keys and values, one unit each; left out, half precision.
    #[schemars(length(min = 1))]
    kv: Option<Vec<RawKvFormat>>,
}

/// Work of reading a prompt with a language model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Prefill")]
pub(super) struct RawPrefill {
    /// Catalogue id of the model.
    model: String,
    /// Quantisation; or give `quants`.
    quant: Option<RawQuant>,
    /// Quantisations, one unit each.
    #[schemars(length(min = 1))]
    quants: Option<Vec<RawQuant>>,
    /// Tokens of the prompt, one unit each.
    #[schemars(length(min = 1), inner(range(min = 1, max = 65_536)))]
    prompts: Vec<u64>,
}

/// Where a working set lives.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Residency")]
enum RawResidency {
    /// Larger than all caches: the memory is measured.
    Dram,
    /// Small enough for the private caches: the cores are measured.
    Cache,
    /// One unit for each of many sizes, from 4 KiB to a quarter of the RAM, at most 4 GiB; dense around the caches.
    Sweep,
}

/// Pages that back a working set.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Pages")]
enum RawPages {
    /// Huge pages are asked for.
    Huge,
    /// Huge pages are refused.
    Small,
}

/// Storage of keys and values.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "KvFormat")]
enum RawKvFormat {
    #[serde(rename = "f16")]
    F16,
    #[serde(rename = "q8_0")]
    Q8_0,
}

/// Quantisation of a whole model file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "Quant")]
pub(crate) enum RawQuant {
    #[serde(rename = "f16")]
    F16,
    #[serde(rename = "q8_0")]
    Q8_0,
    #[serde(rename = "q6_k")]
    Q6K,
    #[serde(rename = "q5_k_m")]
    Q5KM,
    #[serde(rename = "q4_k_m")]
    Q4KM,
    #[serde(rename = "q4_k_s")]
    Q4KS,
    #[serde(rename = "q4_0")]
    Q4_0,
    #[serde(rename = "iq4_nl")]
    Iq4Nl,
    #[serde(rename = "q3_k_m")]
    Q3KM,
    #[serde(rename = "q3_k_s")]
    Q3KS,
    #[serde(rename = "q2_k")]
    Q2K,
}

impl RawStream {
    pub(super) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        refuse_size_of_sweep(self.residency, self.working_set_kib, place, problems);
        SuiteWork::Stream {
            residency: self.residency.resolve(),
            working_set_bytes: self.working_set_kib.map(|kib| kib * KIB),
            pages: resolve_pages(self.pages),
        }
    }
}

impl RawLatency {
    pub(super) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        refuse_size_of_sweep(self.residency, self.working_set_kib, place, problems);
        let chains = self.chains.unwrap_or_else(|| vec![1]);
        if let Some(n_chains) = chains.iter().find(|n_chains| !(1..=8).contains(*n_chains)) {
            problems.push(place.key("chains").problem(
                format!("a thread cannot follow {n_chains} chains at once"),
                "give numbers from 1 to 8",
            ));
        }
        SuiteWork::Latency {
            residency: self.residency.resolve(),
            working_set_bytes: self.working_set_kib.map(|kib| kib * KIB),
            chains,
            pages: resolve_pages(self.pages),
        }
    }
}

/// A sweep chooses its sizes itself.
fn refuse_size_of_sweep(
    residency: RawResidency,
    working_set_kib: Option<u64>,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    if matches!(residency, RawResidency::Sweep) && working_set_kib.is_some() {
        problems.push(place.key("working-set-kib").problem(
            "a sweep has many working sets, this is one".to_owned(),
            "leave it out, or measure this size with `residency: dram`",
        ));
    }
}

fn resolve_pages(pages: Option<Vec<RawPages>>) -> Vec<Pages> {
    let resolve = |pages| match pages {
        RawPages::Huge => Pages::Huge,
        RawPages::Small => Pages::Small,
    };
    match pages {
        Some(pages) => pages.into_iter().map(resolve).collect(),
        None => vec![Pages::Huge],
    }
}

impl RawGemv {
    pub(super) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        check_cols(self.cols, place, problems);
        if matches!(self.residency, RawResidency::Sweep) {
            problems.push(
                place.key("residency").problem(
                    "matrices are measured from memory or from the caches, not over all sizes"
                        .to_owned(),
                    "give `dram` or `cache`",
                ),
            );
        }
        SuiteWork::Gemv {
            residency: self.residency.resolve(),
            rows: self.rows,
            cols: self.cols,
            working_set_bytes: self.working_set_kib.map(|kib| kib * KIB),
        }
    }
}

impl RawGemm {
    pub(super) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        check_cols(self.cols, place, problems);
        SuiteWork::Gemm {
            rows: self.rows,
            cols: self.cols,
            tokens: self.tokens,
        }
    }
}

fn check_cols(cols: u64, place: &Place, problems: &mut Vec<Problem>) {
    if place.key("cols").is_usable() && !cols.is_multiple_of(32) {
        problems.push(place.key("cols").problem(
            format!("{cols} columns are no whole number of weight blocks"),
            "give a multiple of 32, of 256 for K-quants",
        ));
    }
}

impl RawDecode {
    pub(super) fn resolve(
        self,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> SuiteWork {
        let kv = |format| match format {
            RawKvFormat::F16 => KvFormat::F16,
            RawKvFormat::Q8_0 => KvFormat::Q8_0,
        };
        SuiteWork::Decode {
            model: check_model(self.model, &place.key("model"), models, problems),
            quants: resolve_quants(self.quant, self.quants, place, problems),
            depths: self.depths,
            n_generate: self.generate.unwrap_or(1),
            kv_formats: match self.kv {
                Some(formats) => formats.into_iter().map(kv).collect(),
                None => vec![KvFormat::F16],
            },
        }
    }
}

impl RawPrefill {
    pub(super) fn resolve(
        self,
        place: &Place,
        models: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> SuiteWork {
        SuiteWork::Prefill {
            model: check_model(self.model, &place.key("model"), models, problems),
            quants: resolve_quants(self.quant, self.quants, place, problems),
            prompts: self.prompts,
        }
    }
}

fn resolve_quants(
    one: Option<RawQuant>,
    many: Option<Vec<RawQuant>>,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> Vec<Quant> {
    if one.is_some() == many.is_some() && place.are_usable(&["quant", "quants"]) {
        problems.push(Problem::new(
            place.key_span(),
            format!(
                "`{}` needs exactly one of `quant` and `quants`",
                place.path()
            ),
            "keep `quant` for one quantisation, `quants` for a list",
        ));
    }
    let all = one.into_iter().chain(many.into_iter().flatten());
    all.map(RawQuant::resolve).collect()
}

impl RawQuant {
    pub(crate) fn resolve(self) -> Quant {
        match self {
            RawQuant::F16 => Quant::F16,
            RawQuant::Q8_0 => Quant::Q8_0,
            RawQuant::Q6K => Quant::Q6K,
            RawQuant::Q5KM => Quant::Q5KM,
            RawQuant::Q4KM => Quant::Q4KM,
            RawQuant::Q4KS => Quant::Q4KS,
            RawQuant::Q4_0 => Quant::Q4_0,
            RawQuant::Iq4Nl => Quant::Iq4Nl,
            RawQuant::Q3KM => Quant::Q3KM,
            RawQuant::Q3KS => Quant::Q3KS,
            RawQuant::Q2K => Quant::Q2K,
        }
    }
}

impl RawResidency {
    fn resolve(self) -> Residency {
        match self {
            RawResidency::Dram => Residency::Dram,
            RawResidency::Cache => Residency::Cache,
            RawResidency::Sweep => Residency::Sweep,
        }
    }
}

pub(super) fn check_model(
    model: String,
    place: &Place,
    models: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> String {
    if let Some(models) = models
        && place.is_usable()
        && !models.contains(&model)
    {
        problems.push(unknown_id("model", "models", &model, place, models));
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantisation_can_be_written_in_a_suite() {
        for quant in Quant::ALL {
            let raw: RawDecode = serde_json::from_value(serde_json::json!({
                "model": "m", "quant": quant.id(), "depths": [0]
            }))
            .unwrap();
            let mut problems = Vec::new();
            let (node, _) = crate::tree::parse("model: m\n");
            let work = raw.resolve(&Place::root(&node.unwrap()), None, &mut problems);
            assert!(problems.is_empty());
            assert!(matches!(work, SuiteWork::Decode { quants, .. } if quants == [quant]));
        }
    }
}
