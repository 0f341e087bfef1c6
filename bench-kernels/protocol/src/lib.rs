//! The wire format between the controller and the program on a board.
//!
//! Owns the request (one JSON line on the board program's standard input) and the messages (JSON lines on its
//! standard output). Refuses to hold anything derived: a board sends nanoseconds and the work of one iteration, rates
//! and ratios are computed by whoever reads the stream.

#![forbid(unsafe_code)]

mod facts;
mod message;
mod request;

pub use facts::{
    CacheFacts, CpuFacts, DramClock, Facts, MemoryFacts, SmbiosMemoryDevice, VariantFacts,
};
pub use message::{
    Check, Convention, Done, Hello, Message, ModelRef, ParseError, Sample, SampleState, UnitEnd,
    UnitReady, UnitStatus, Work, parse_line,
};
pub use request::{
    Background, DecodeModel, DecodeTensor, Job, KvFormat, Pages, Residency, RunRequest, Sampling,
    TensorRole, UnitSpec,
};

/// Exit status of the board program when it ended itself at a deadline; the unit that took too long has its end in the
/// stream.
pub const EXIT_DEADLINE: i32 = 5;

/// Version of the request and of the messages.
///
/// Changelog:
/// - 1: first version.
/// - 2: latency, peak, gemm and prefill jobs; several tokens per iteration; KV formats; small pages; background readers;
///   searched sets of CPUs; state of the board beside samples. A stream of version 1 is read as before.
pub const PROTOCOL_VERSION: u32 = 2;
