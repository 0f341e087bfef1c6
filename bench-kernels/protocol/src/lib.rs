//! The wire format between the controller and the program on a board.
//!
//! Owns the request (one JSON line on the board program's standard input) and the messages (JSON lines on its
//! standard output). Refuses to hold anything derived: a board sends nanoseconds and the work of one iteration, rates
//! and ratios are computed by whoever reads the stream.

#![forbid(unsafe_code)]

mod environment;
mod external;
mod facts;
mod message;
mod request;
mod text;

pub use environment::{
    Environment, EnvironmentAction, EnvironmentStep, Note, Prepare, PrepareStep, Reading, Setting,
    UnitState,
};
pub use external::{External, MAX_OUTPUT_BYTES, MAX_PART_BYTES, Output, OutputPart, STDERR_LINES};
pub use facts::{
    CacheFacts, CpuFacts, DramClock, Facts, MemoryFacts, MountFacts, SmbiosMemoryDevice,
    VariantFacts,
};
pub use message::{
    Check, Convention, Done, Hello, Message, ModelRef, ParseError, Race, Sample, SampleState,
    Tried, UnitEnd, UnitReady, UnitStatus, Unrest, UnrestKind, Work, parse_line,
};
pub use request::{
    Background, DecodeModel, DecodeTensor, Job, KvFormat, MATRIX_FORMATS, Pages, Residency,
    RunRequest, SAMPLED_LONGER, Sampling, TensorRole, UnitSpec, has_shapes, race_budget_ms,
};
pub use text::{MAX_TEXT_CHARS, foreign, foreign_short};

/// Exit status of a board program that measured without a supervisor and ended itself at a deadline.
pub const EXIT_DEADLINE: i32 = 5;

/// Exit status of the supervisor when the board is in use by another controller; the stream's note says whose.
pub const EXIT_BUSY: i32 = 6;

/// Version of the request and of the messages.
///
/// Changelog:
/// - 1: first version.
/// - 2: latency, peak, gemm and prefill jobs; several tokens per iteration; KV formats; small pages; background readers;
///   searched sets of CPUs; state of the board beside samples. A stream of version 1 is read as before.
/// - 3: a supervisor on the board runs each unit as a process: attempts, prepared environments, notes, sensors and counters
///   beside units. Streams of versions 1 and 2 are read as before.
/// - 4: external programs as units, with their output. Streams of versions 1 to 3 are read as before.
/// - 5: rounds: a unit may be measured several times in one run. Streams of versions 1 to 4 are read as before, as one round.
/// - 6: shapes of loops, raced on the board or forced; unrest among samples. Streams of versions 1 to 5 are read as before.
pub const PROTOCOL_VERSION: u32 = 6;

/// Line on the supervisor's standard input that says the controller is there.
pub const CONTROL_BEAT: &str = "beat";
/// Line on the supervisor's standard input: end the unit, put the board back, leave.
pub const CONTROL_STOP: &str = "stop";
/// Line on the supervisor's standard input: all that was sent is on the controller's disk.
pub const CONTROL_ACK: &str = "ack";

/// Whether a round is the first, which messages leave out: a stream without rounds is that of one.
fn is_first(round: &u32) -> bool {
    *round == 0
}
