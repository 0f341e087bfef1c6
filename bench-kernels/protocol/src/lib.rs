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
    Check, Convention, Done, Hello, Message, ModelRef, ParseError, Sample, UnitEnd, UnitReady,
    UnitStatus, Work, parse_line,
};
pub use request::{
    DecodeModel, DecodeTensor, Job, Residency, RunRequest, Sampling, TensorRole, UnitSpec,
};

/// Exit status of the board program when it ended itself at a deadline; the unit that took too long has its end in the
/// stream.
pub const EXIT_DEADLINE: i32 = 5;

/// Version of the request and of the messages.
///
/// Changelog:
/// - 1: first version.
pub const PROTOCOL_VERSION: u32 = 1;
