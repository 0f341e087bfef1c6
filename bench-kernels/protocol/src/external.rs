//! External programs that are run as a unit: what is asked, and what they wrote.
//!
//! Nothing of what they write is understood here: it is kept and read by whoever knows the program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// More than this on a program's standard output ends it. Bytes.
pub const MAX_OUTPUT_BYTES: usize = 4 << 20;

/// Bytes of an [`OutputPart`] at most: however its text has to be escaped, the line stays far below one MiB.
pub const MAX_PART_BYTES: usize = 128 << 10;

/// Lines of a program's standard error that are kept, the last ones.
pub const STDERR_LINES: usize = 64;

/// A program that lies on the board already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// Absolute path, or a name that is looked up in the board's `PATH`.
    pub program: String,
    /// Its arguments, as they are given to it: no shell reads them.
    pub args: Vec<String>,
    /// What is set in its environment, beside what the measuring user has.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How its output is to be read, for instance `llama-bench`; the board does not care.
    pub format: String,
    /// Why it is not to be started on this host, after all: the unit is skipped with this reason.
    #[serde(default)]
    pub skip: Option<String>,
}

/// A piece of what a program wrote to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPart {
    /// The unit's identifier.
    pub unit: String,
    /// Number of the part, from 0; the text of all parts together is the output.
    pub part_idx: u32,
    /// At most [`MAX_PART_BYTES`]; what is no UTF-8 is replaced.
    pub text: String,
}

/// How a program ended; comes after all parts of its output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The unit's identifier.
    pub unit: String,
    /// Path of the program that was started.
    pub program: String,
    /// SHA-256 of its file, hexadecimal, where it could be read. Libraries that it loads are not in it.
    pub sha256: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// What was set in its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How its output is to be read.
    pub format: String,
    /// Logical CPUs that it was confined to.
    pub cpus: Vec<u32>,
    /// Its exit status; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Wall time from its start to its end. Nanoseconds.
    pub elapsed_ns: u64,
    /// Parts of its output that were sent.
    pub n_parts: u32,
    /// Whether everything it wrote is in these parts.
    pub is_whole: bool,
    /// The last lines of its standard error, at most [`STDERR_LINES`].
    pub stderr_tail: Vec<String>,
}
