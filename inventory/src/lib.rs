//! The inventory: what boards, models, suites and hosts there are, and what follows from their data alone.
//!
//! Owns the YAML files beside it, their checks and their JSON Schemas, and is the only user of `serde_yaml`.
//! Refuses to measure, to connect and to know about results.

#![forbid(unsafe_code)]

mod bandwidth;
mod board;
mod check;
mod diagnostic;
mod fleet;
pub mod foreign;
pub mod gguf;
mod load;
mod model;
mod program;
mod raw;
mod reference;
pub mod schema;
mod suggest;
mod suite;
mod sum;
pub mod text;
mod tree;
mod yaml;

pub use bandwidth::{bandwidth_gb_per_s, mt_per_s_to_gb_per_s};
pub use board::{
    Accelerator, Board, CpuCluster, Memory, Price, PublishedFigure, PublishedLatency,
    QuotedBandwidth, Sourced,
};
pub use diagnostic::{Diagnostic, LoadError};
pub use fleet::{Fleet, Host, Recording, SshTarget, Transport};
pub use load::{
    FileKind, Inventory, MAX_FILE_BYTES, files, load, load_catalogue, load_catalogue_lossy,
    load_foreign_catalogue, load_suite, load_text,
};
pub use model::{
    KvFormat, Model, ModelArch, ModelFile, Quant, SlidingWindow, Tensor, TensorFormat, UnknownId,
    WithoutKernel,
};
pub use program::{OutputFormat, Program};
pub use reference::{
    Quality, QualityRow, Reference, ReferenceDecode, ReferenceLoad, ReferenceMemory,
};
pub use suggest::suggest;
pub use suite::{ClusterChoice, EmulatedLimits, Suite, SuiteUnit, SuiteWork, ThreadCount};
pub use sum::saturating_sum;
