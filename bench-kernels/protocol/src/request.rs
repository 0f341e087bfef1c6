//! What the controller asks of a board.

use serde::{Deserialize, Serialize};

use crate::environment::{Environment, Prepare};
use crate::external::External;

/// Everything one invocation of the board program has to measure, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// [`crate::PROTOCOL_VERSION`] of the sender.
    pub protocol: u32,
    /// Identifies the run in the board's own messages.
    pub run_id: String,
    /// The host's name in the fleet file.
    #[serde(default)]
    pub host: String,
    /// Which request of the run this is for this host, from 1; 0 without a supervisor.
    #[serde(default)]
    pub attempt: u32,
    /// Who measures, for others who find the board in use.
    #[serde(default)]
    pub owner: String,
    /// How long to wait while somebody else uses the board. Milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
    /// What is changed on the board for the units that ask for it.
    #[serde(default)]
    pub prepare: Prepare,
    /// Units in the order they are measured, never in parallel; one entry for each of a unit's rounds.
    pub units: Vec<UnitSpec>,
    /// What the order of the later rounds was drawn with: for the record, since `units` has the order itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order_seed: u64,
    /// The board program ends itself after this time, whatever happens to the connection: its lease of the board.
    /// Milliseconds.
    pub deadline_ms: u64,
}

impl RunRequest {
    /// Reads a request. Here, like the two below, because this crate is optimised in every build: a controller of 200
    /// hosts has 200 requests with every tensor of every model.
    ///
    /// # Errors
    /// When the text is not a request.
    pub fn from_json(text: &str) -> serde_json::Result<RunRequest> {
        serde_json::from_str(text)
    }

    /// As a line for the board program, with its end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("requests hold no maps with odd keys");
        line.push('\n');
        line
    }

    /// As a file that people read.
    pub fn to_pretty(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("requests hold no maps with odd keys");
        text.push('\n');
        text
    }

    /// Rounds of a unit.
    pub fn n_rounds(&self, unit: &str) -> u32 {
        let rounds = self.units.iter().filter(|asked| asked.unit == unit);
        rounds.count() as u32
    }
}

/// One kernel in one configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSpec {
    /// Identifier, with the round unique within the request; stable from run to run.
    pub unit: String,
    /// Number of the round in which it is measured, from 0.
    #[serde(default, skip_serializing_if = "crate::is_first")]
    pub round: u32,
    /// Name of the kernel, as in the board program's table; `external` for a program that lies on the board.
    pub kernel: String,
    /// Forces an instruction-set variant; `None` takes the best the CPU has.
    pub variant: Option<String>,
    /// Forces a shape of the variant's loops, by a name that an earlier [`crate::UnitReady::shape`] gave; `None` lets the
    /// board race those there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Logical CPU numbers; one pinned thread each.
    pub cpus: Vec<u32>,
    /// Sets of CPUs to choose from instead of `cpus`: each is tried for a moment, the fastest is measured, and
    /// [`crate::UnitReady`] names it. Empty for no search.
    #[serde(default)]
    pub candidates: Vec<Vec<u32>>,
    /// Shape of the work.
    pub job: Job,
    /// Threads that read memory while this unit is sampled.
    #[serde(default)]
    pub background: Option<Background>,
    /// State of the board it is measured in.
    #[serde(default)]
    pub environment: Environment,
    /// When to stop sampling.
    pub sampling: Sampling,
    /// The unit is given up after this time. Milliseconds.
    pub deadline_ms: u64,
}

/// Threads that read memory while a unit is sampled: what other programs on the same bus would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Logical CPU numbers; one pinned reader each, none of them among the unit's own.
    pub cpus: Vec<u32>,
    /// Bytes of the arrays of all readers together.
    pub working_set_bytes: u64,
    /// Aimed rate, thousandths of what these readers reach alone, which is tried before the unit starts. 0 reads
    /// nothing: the same threads wait, so that the first point of a curve differs in nothing else.
    pub permille: u32,
}

/// Shape of the work of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// Streaming kernels (read, write, copy, triad): all arrays together fill the working set.
    Stream {
        /// Bytes of all arrays together.
        working_set_bytes: u64,
        /// Where the working set is meant to live.
        residency: Residency,
        /// Pages that back it.
        #[serde(default)]
        pages: Pages,
    },
    /// Dependent loads in random order: each address comes from the load before it.
    Latency {
        /// Bytes of the chains of all threads together.
        working_set_bytes: u64,
        /// Where the working set is meant to live.
        residency: Residency,
        /// Independent chains that each thread follows at the same time, 1 to 8.
        n_chains: u32,
        /// Pages that back it.
        #[serde(default)]
        pages: Pages,
    },
    /// Arithmetic on registers only.
    Peak {},
    /// Matrix times vector, repeated over as many matrices as fill the working set.
    Gemv {
        /// Rows of one matrix (outputs).
        rows: u64,
        /// Columns of one matrix (inputs); a multiple of the block of the weight format.
        cols: u64,
        /// Bytes of all matrices together; at least one matrix is used.
        working_set_bytes: u64,
        /// Where the working set is meant to live.
        residency: Residency,
    },
    /// Matrix times a batch of vectors.
    Gemm {
        /// Rows of the matrix (outputs).
        rows: u64,
        /// Columns of the matrix (inputs); a multiple of the block of the weight format.
        cols: u64,
        /// Vectors in the batch.
        n_tokens: u64,
    },
    /// Token steps of a language model.
    Decode {
        /// The model's real tensor list.
        model: DecodeModel,
        /// Tokens already in the KV cache before the first measured token.
        depth: u64,
        /// Tokens that one iteration generates, each one position further; the next iteration begins at `depth` again.
        #[serde(default = "one")]
        n_generate: u64,
        /// Storage of keys and values.
        #[serde(default)]
        kv_format: KvFormat,
    },
    /// A prompt of a language model in one batch, with the logits of its last token.
    Prefill {
        /// The model's real tensor list.
        model: DecodeModel,
        /// Tokens of the prompt.
        n_prompt: u64,
    },
    /// A program that lies on the board already, run once. Of the unit's sampling nothing applies.
    External(External),
}

fn one() -> u64 {
    1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Pages that back a working set.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Pages {
    /// Huge pages are asked for; how many the kernel gave is in [`crate::UnitReady::huge_page_bytes`].
    #[default]
    Huge,
    /// Huge pages are refused.
    Small,
}

impl Pages {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Pages::Huge => "huge",
            Pages::Small => "small",
        }
    }
}

/// Storage of the keys and values of past tokens.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum KvFormat {
    /// Half precision.
    #[default]
    F16,
    /// 34 bytes for 32 elements.
    Q8_0,
}

impl KvFormat {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            KvFormat::F16 => "f16",
            KvFormat::Q8_0 => "q8_0",
        }
    }
}

/// Where a working set is meant to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// Larger than all caches: the memory is measured.
    Dram,
    /// Small enough for the private caches: the cores are measured.
    Cache,
    /// Wherever its size puts it: one step of a sweep over sizes.
    Sweep,
}

impl Residency {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Residency::Dram => "dram",
            Residency::Cache => "cache",
            Residency::Sweep => "sweep",
        }
    }
}

/// When to stop sampling a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// At least this many samples, whatever they cost.
    pub min_samples: u32,
    /// At most this many samples, unless they do not scatter around one value ([`SAMPLED_LONGER`]).
    pub max_samples: u32,
    /// No further sample starts after this much measured time, with the same exception. Milliseconds.
    pub budget_ms: u64,
    /// No further sample starts, either, once half the width of the 95 % confidence interval of the median is below this
    /// share of the median. Millionths; 0 for never.
    #[serde(default)]
    pub precision_ppm: u32,
    /// A sample has as many iterations as fill this time. Milliseconds; 0 for the shortest that the clock resolves well.
    #[serde(default)]
    pub sample_ms: u64,
    /// Whether clocks and temperature are read after every sample.
    #[serde(default)]
    pub with_state: bool,
}

/// Samples that do not scatter around one value are taken up to so many times as long, and as often, as asked for.
pub const SAMPLED_LONGER: u32 = 3;

/// Whether a kernel has loops of several shapes: those that stream through arrays, and those that walk through weights once
/// for each token.
pub fn has_shapes(kernel: &str) -> bool {
    let stream = kernel.strip_suffix("_nt").unwrap_or(kernel);
    let streams = ["read", "write", "copy", "scale", "add", "triad"];
    streams.contains(&stream) || kernel.starts_with("gemv_") || kernel == "decode"
}

/// Time that a race among a kernel's shapes may take before the unit is sampled, milliseconds: a quarter of the time of
/// sampling, at least 200 and at most 2000, since a shorter race sees noise and a longer one learns nothing. 0 for a kernel
/// of one shape; a forced shape needs no race.
pub fn race_budget_ms(sampling: Sampling, kernel: &str) -> u64 {
    match has_shapes(kernel) {
        true => (sampling.budget_ms / RACE_SHARE).clamp(RACE_MS.0, RACE_MS.1),
        false => 0,
    }
}

/// One part in so many of the time of sampling is the race's.
const RACE_SHARE: u64 = 4;

/// Shortest and longest race, milliseconds.
const RACE_MS: (u64, u64) = (200, 2_000);

/// A language model as the decode kernel needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeModel {
    /// Catalogue id of the model, for instance `qwen2.5-1.5b`.
    pub model: String,
    /// Quantisation id, for instance `q4_0`.
    pub quant: String,
    /// Transformer layers.
    pub n_layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Query heads.
    pub n_heads: u32,
    /// Key and value heads (grouped-query attention).
    pub n_kv_heads: u32,
    /// Elements of one head.
    pub head_dim: u32,
    /// Every tensor that a decoded token reads, in the order it reads them.
    pub tensors: Vec<DecodeTensor>,
}

/// Formats that the kernels multiply with, as [`DecodeTensor::format`] names them.
pub const MATRIX_FORMATS: [&str; 10] = [
    "f16", "q4_0", "q5_0", "q8_0", "iq4_nl", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
];

/// One tensor that is read for every token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeTensor {
    /// Name as in a GGUF file, for instance `blk.0.attn_q.weight`.
    pub name: String,
    /// What the step does with it.
    pub role: TensorRole,
    /// Layer it belongs to; `None` for the output norm and matrix.
    pub layer: Option<u32>,
    /// Rows (outputs); 1 for vectors.
    pub rows: u64,
    /// Columns (inputs).
    pub cols: u64,
    /// Block format in lower case: `f32`, `f16`, `q4_0`, `q8_0` ...
    pub format: String,
}

/// What a decode step does with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorRole {
    /// Token embedding: one row of it is read. When tied it is also the output matrix.
    TokenEmbedding,
    /// Scale of the norm before attention.
    AttnNorm,
    /// Query projection.
    AttnQ,
    /// Key projection.
    AttnK,
    /// Value projection.
    AttnV,
    /// Fused query, key and value projection, rows in that order.
    AttnQkv,
    /// Bias added after the projection of the same letter.
    AttnQBias,
    /// Bias of the key projection.
    AttnKBias,
    /// Bias of the value projection.
    AttnVBias,
    /// Attention output projection.
    AttnOutput,
    /// Scale of the norm after attention (Gemma 2).
    AttnPostNorm,
    /// Scale of the norm before the feed-forward network.
    FfnNorm,
    /// Gate projection.
    FfnGate,
    /// Up projection.
    FfnUp,
    /// Fused gate and up projection, rows in that order.
    FfnGateUp,
    /// Down projection.
    FfnDown,
    /// Scale of the norm after the feed-forward network (Gemma 2).
    FfnPostNorm,
    /// Scale of the last norm.
    OutputNorm,
    /// Output matrix (the token embedding itself when tied).
    Output,
    /// Per-dimension rotary frequency factors (Llama 3).
    RopeFreqs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_race_takes_a_quarter_of_the_sampling_within_limits() {
        let check = |kernel: &str, budget_ms: u64, expect_ms: u64| {
            let sampling = Sampling {
                min_samples: 1,
                max_samples: 1,
                budget_ms,
                precision_ppm: 0,
                sample_ms: 0,
                with_state: false,
            };
            let found_ms = race_budget_ms(sampling, kernel);
            assert_eq!(found_ms, expect_ms, "{kernel} {budget_ms}");
        };
        check("read", 1_500, 375);
        check("copy_nt", 800, 200);
        check("triad", 100, 200);
        check("gemv_q4_0", 4_000, 1_000);
        check("decode", 60_000, 2_000);
        check("latency", 1_500, 0);
        check("prefill", 1_500, 0);
        check("gemm_q4_0", 1_500, 0);
        check("peak_f32", 1_500, 0);
        check("external", 1_500, 0);
    }
}
