//! The inventory: what boards, models, suites and hosts there are, and what follows from their data alone.
//!
//! Owns the YAML files beside it, their checks and their JSON Schemas, and is the only user of `serde_yaml`.
//! Refuses to measure, to connect and to know about results.

#![forbid(unsafe_code)]

mod board;
mod fleet;
mod model;
mod suite;

pub use board::{Board, CpuCluster, Memory, PublishedFigure, QuotedBandwidth, Sourced};
pub use fleet::{Fleet, Host, SshTarget, Transport};
pub use model::{Model, ModelArch, Quant, Tensor, TensorFormat};
pub use suite::{DepthList, EmulatedLimits, Suite, SuiteUnit, SuiteWork, ThreadCount};
