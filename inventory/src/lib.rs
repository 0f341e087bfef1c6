//! The inventory: what boards, models, suites and hosts there are, and what follows from their data alone.
//!
//! Owns the YAML files beside it, their checks and their JSON Schemas, and is the only user of `serde_yaml`.
//! Refuses to measure, to connect and to know about results.

#![forbid(unsafe_code)]

mod bandwidth;
mod board;
mod fleet;
mod model;
mod suggest;
mod suite;

pub use bandwidth::bandwidth_gb_per_s;
pub use board::{
    Board, CpuCluster, Memory, PublishedFigure, PublishedLatency, QuotedBandwidth, Sourced,
};
pub use fleet::{Fleet, Host, SshTarget, Transport};
pub use model::{KvFormat, Model, ModelArch, Quant, Tensor, TensorFormat, UnknownId};
pub use suggest::suggest;
pub use suite::{DepthList, EmulatedLimits, Suite, SuiteUnit, SuiteWork, ThreadCount};
