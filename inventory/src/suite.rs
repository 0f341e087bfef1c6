//! A suite: which kernels are measured in which configurations. Data, not code: users write their own.

use std::num::NonZeroU32;

use bench_protocol::{KvFormat, Pages, Residency, Sampling};

use crate::model::Quant;
use crate::program::Program;

/// A suite (`suites/<id>.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// File name without extension; stable.
    pub id: String,
    /// One sentence for people.
    pub description: String,
    /// Times that each unit is measured in a run, in processes of their own.
    pub rounds: NonZeroU32,
    /// Units in the order they are measured.
    pub units: Vec<SuiteUnit>,
    /// What replaces the amounts of work on emulated hosts, where timings mean nothing.
    pub emulated: EmulatedLimits,
}

/// One kernel in every listed configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteUnit {
    /// Kernel name, as in the board program's table; `external` for a program that lies on the board.
    pub kernel: String,
    /// Thread counts; equal counts are measured once.
    pub threads: Vec<ThreadCount>,
    /// Which CPUs they run on.
    pub clusters: ClusterChoice,
    /// Rates at which the CPUs that are left over read memory meanwhile, per cent of what they reach alone, one unit
    /// each; empty for a quiet bus.
    pub background_percent: Vec<u32>,
    /// Shapes of the kernel's loops that are forced, one unit each; empty to let the board race all that it has.
    pub shapes: Vec<String>,
    /// Shape of the work.
    pub work: SuiteWork,
    /// When to stop sampling.
    pub sampling: Sampling,
    /// Rounds of this unit at most; `None` for those of the suite.
    pub max_rounds: Option<NonZeroU32>,
    /// A round of a unit is given up after this time, seconds.
    pub deadline_s: u32,
}

impl SuiteUnit {
    /// Rounds of this unit in a run of so many. An external program repeats its work itself, and heat builds up in one
    /// long measurement.
    pub fn n_rounds(&self, of_run: NonZeroU32) -> u32 {
        match self.work {
            SuiteWork::External(_) => 1,
            _ if self.sampling.with_state => 1,
            _ => self.max_rounds.map_or(of_run, |max| max.min(of_run)).get(),
        }
    }
}

/// A thread count, resolved when the board's CPUs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadCount {
    /// This many, where the board has them.
    Count(NonZeroU32),
    /// Half of the CPUs, at least one.
    Half,
    /// All CPUs.
    All,
    /// Every count from one to all; on boards with many CPUs the steps grow.
    Each,
    /// The count, and the CPUs, that the board finds to be fastest by trying.
    Best,
}

/// Which CPUs the threads of a unit run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterChoice {
    /// The strongest of all.
    All,
    /// Each cluster of equal cores on its own, where there are several.
    Each,
}

/// Shape of the work of a suite unit. A list gives one unit for each of its values.
#[derive(Debug, Clone, PartialEq)]
pub enum SuiteWork {
    /// Streaming kernels.
    Stream {
        /// Where the arrays live.
        residency: Residency,
        /// Bytes of all arrays; `None` sizes them by the board's caches and RAM.
        working_set_bytes: Option<u64>,
        /// Pages that back them.
        pages: Vec<Pages>,
    },
    /// Dependent loads in random order.
    Latency {
        /// Where the chains live.
        residency: Residency,
        /// Bytes of all chains; `None` sizes them by the board's caches and RAM.
        working_set_bytes: Option<u64>,
        /// Independent chains that each thread follows at the same time.
        chains: Vec<u32>,
        /// Pages that back them.
        pages: Vec<Pages>,
    },
    /// Arithmetic on registers only.
    Peak,
    /// Matrix times vector.
    Gemv {
        /// Where the matrices live.
        residency: Residency,
        /// Rows of one matrix.
        rows: u64,
        /// Columns of one matrix.
        cols: u64,
        /// Bytes of all matrices; `None` sizes them by the board's caches and RAM.
        working_set_bytes: Option<u64>,
    },
    /// Matrix times a batch of vectors.
    Gemm {
        /// Rows of the matrix.
        rows: u64,
        /// Columns of the matrix.
        cols: u64,
        /// Vectors in a batch.
        tokens: Vec<u64>,
    },
    /// Token steps of a catalogue model.
    Decode {
        /// Catalogue id of the model.
        model: String,
        /// Quantisations.
        quants: Vec<Quant>,
        /// Tokens in the KV cache before the first measured token.
        depths: Vec<u64>,
        /// Tokens that one iteration generates.
        n_generate: u64,
        /// Storage of keys and values.
        kv_formats: Vec<KvFormat>,
    },
    /// A prompt of a catalogue model in one batch.
    Prefill {
        /// Catalogue id of the model.
        model: String,
        /// Quantisations.
        quants: Vec<Quant>,
        /// Tokens of the prompt.
        prompts: Vec<u64>,
    },
    /// A program that lies on the board already.
    External(Program),
}

/// Amounts of work on emulated hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct EmulatedLimits {
    /// Bytes of every working set.
    pub working_set_bytes: u64,
    /// Model of decode units.
    pub decode_model: String,
    /// When to stop sampling.
    pub sampling: Sampling,
}
