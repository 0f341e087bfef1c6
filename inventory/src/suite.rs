//! A suite: which kernels are measured in which configurations. Data, not code: users write their own.

use std::num::NonZeroU32;

use bench_protocol::{Residency, Sampling};

use crate::model::Quant;

/// A suite (`suites/<id>.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// File name without extension; stable.
    pub id: String,
    /// One sentence for people.
    pub description: String,
    /// Units in the order they are measured.
    pub units: Vec<SuiteUnit>,
    /// What replaces the amounts of work on emulated hosts, where timings mean nothing.
    pub emulated: EmulatedLimits,
}

/// One kernel in every listed configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteUnit {
    /// Kernel name; checked against the board program's table when a plan is made.
    pub kernel: String,
    /// Thread counts; equal counts are measured once.
    pub threads: Vec<ThreadCount>,
    /// Shape of the work.
    pub work: SuiteWork,
    /// When to stop sampling.
    pub sampling: Sampling,
    /// A unit is given up after this time, seconds.
    pub deadline_s: u32,
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
}

/// Depths of a decode unit.
pub type DepthList = Vec<u64>;

/// Shape of the work of a suite unit.
#[derive(Debug, Clone, PartialEq)]
pub enum SuiteWork {
    /// Streaming kernels.
    Stream {
        /// Where the arrays live.
        residency: Residency,
        /// Bytes of all arrays; `None` sizes them by the board's caches and RAM.
        working_set_bytes: Option<u64>,
    },
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
    /// One token step of a catalogue model.
    Decode {
        /// Catalogue id of the model.
        model: String,
        /// Quantisation.
        quant: Quant,
        /// Tokens in the KV cache before the first measured token.
        depths: DepthList,
    },
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
