//! What a board answers: one JSON object a line.

use serde::{Deserialize, Serialize};

use crate::environment::{EnvironmentStep, Note, Reading, UnitState};
use crate::external::{Output, OutputPart};
use crate::facts::Facts;
use crate::is_first;
use crate::request::{KvFormat, Residency};
use crate::text;

/// One line of the board program's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// First line of every stream.
    Hello(Hello),
    /// What the board is and in which state.
    Facts(Box<Facts>),
    /// A unit is set up and its output was compared with the reference; samples follow.
    UnitReady(UnitReady),
    /// One timed sample.
    Sample(Sample),
    /// A piece of what an external program wrote.
    OutputPart(OutputPart),
    /// An external program ended; its output came before.
    Output(Output),
    /// A unit ended, for whatever reason.
    UnitEnd(UnitEnd),
    /// Sensors while a unit runs.
    Reading(Reading),
    /// Counters of the board's kernel over a unit; comes before its end.
    UnitState(UnitState),
    /// A setting of the board was changed or put back.
    Environment(EnvironmentStep),
    /// Something the supervisor saw or did.
    Note(Note),
    /// Last line of a supervisor that leaves before every unit ended.
    Left(Note),
    /// Last line of every complete stream: without it the stream is truncated.
    Done(Done),
}

impl Message {
    /// The unit that it is about, where it is about one.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Message::UnitReady(it) => Some(&it.unit),
            Message::Sample(it) => Some(&it.unit),
            Message::OutputPart(it) => Some(&it.unit),
            Message::Output(it) => Some(&it.unit),
            Message::UnitEnd(it) => Some(&it.unit),
            Message::Reading(it) => Some(&it.unit),
            Message::UnitState(it) => Some(&it.unit),
            Message::Hello(_)
            | Message::Facts(_)
            | Message::Environment(_)
            | Message::Note(_)
            | Message::Left(_)
            | Message::Done(_) => None,
        }
    }

    /// The round of that unit. External programs have one.
    pub fn round(&self) -> u32 {
        match self {
            Message::UnitReady(it) => it.round,
            Message::Sample(it) => it.round,
            Message::UnitEnd(it) => it.round,
            Message::Reading(it) => it.round,
            Message::UnitState(it) => it.round,
            _ => 0,
        }
    }
}

/// First line of every stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`] of the board program.
    pub protocol: u32,
    /// Name and version of the board program.
    pub program: String,
    /// Architecture the program was compiled for: `aarch64` or `x86_64`.
    pub arch: String,
    /// Run it answers for; empty for a plain `facts` call.
    pub run_id: String,
    /// Which request of the run it answers, from 1; 0 without a supervisor.
    #[serde(default)]
    pub attempt: u32,
}

/// A unit is ready to be sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitReady {
    /// The unit's identifier from the request.
    pub unit: String,
    /// Round of the unit, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// The kernel's name.
    pub kernel: String,
    /// The variant that really runs.
    pub variant: String,
    /// The shape of the variant's loops that runs; `None` for kernels that have one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// How the shape was found; `None` where it was forced or is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// Logical CPUs, one pinned thread each.
    pub cpus: Vec<u32>,
    /// Bytes really allocated and walked through.
    pub working_set_bytes: u64,
    /// Where the working set is meant to live.
    pub residency: Residency,
    /// Work of one iteration.
    pub work: Work,
    /// How the bytes of [`Work`] are counted.
    pub convention: Convention,
    /// Comparison with the reference.
    pub check: Check,
    /// Bytes of the working set that the kernel backs with huge pages, where it tells.
    pub huge_page_bytes: Option<u64>,
    /// The model, for decode and prefill units.
    pub model: Option<ModelRef>,
    /// Bytes per second that the background readers reached alone, before the unit started.
    #[serde(default)]
    pub background_alone_bytes_per_s: Option<u64>,
}

/// A race among the shapes of a kernel: each is tried for a moment, in turn, and those that fall behind leave early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// Every shape that was tried, in the order of the kernel's table: of those that are equally fast, the first runs.
    pub tried: Vec<Tried>,
    /// Time that it took. Nanoseconds.
    pub elapsed_ns: u64,
}

/// What one shape reached in a [`Race`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The shape.
    pub shape: String,
    /// Median rate of its trials. Bytes per second.
    pub bytes_per_s: u64,
    /// Trials: fewer for one that left early.
    pub n_trials: u32,
}

/// Which model and state a decode or prefill unit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Catalogue id of the model.
    pub model: String,
    /// Quantisation id.
    pub quant: String,
    /// Tokens in the KV cache before the first measured token.
    pub depth: u64,
    /// Tokens of the prompt, for prefill; 0 for decode.
    #[serde(default)]
    pub n_prompt: u64,
    /// Tokens that one iteration generates; 0 for prefill, and for one token a step in streams of protocol 1.
    #[serde(default)]
    pub n_generate: u64,
    /// Storage of keys and values.
    #[serde(default)]
    pub kv_format: KvFormat,
    /// Layers whose weights are held in memory and used again and again, when not all of them fit: the step does the
    /// work of all layers, but a figure of a model that does not fit is an extrapolation.
    #[serde(default)]
    pub held_layers: Option<u32>,
}

/// Work of one iteration of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Bytes read from the working set.
    pub read_bytes: u64,
    /// Bytes written to the working set; write-allocate traffic is not counted.
    pub written_bytes: u64,
    /// Arithmetic operations (a multiply-add counts two); loads, for latency.
    pub ops: u64,
    /// Tokens generated or read, for language models; 0 elsewhere, and in streams of protocol 1.
    #[serde(default)]
    pub tokens: u64,
}

/// How the bytes of a row are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Bytes read plus bytes written by the program (as STREAM counts); write-allocate traffic is not counted.
    ReadPlusWrite,
    /// Bytes of quantised weights, scales included; activations are not counted.
    Weights,
    /// Bytes of weights and of the KV cache that the tokens need; activations are not counted.
    Token,
    /// Loads, each of which waits for the one before it in its chain; no bytes are counted.
    Loads,
    /// Arithmetic only; no bytes are counted.
    Arithmetic,
}

impl Convention {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Convention::ReadPlusWrite => "read_plus_write",
            Convention::Weights => "weights",
            Convention::Token => "token",
            Convention::Loads => "loads",
            Convention::Arithmetic => "arithmetic",
        }
    }
}

/// Comparison of a kernel's output with its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Whether every output lies within the tolerance.
    pub passed: bool,
    /// Largest error seen, in the kernel's own measure (relative to the largest reference value).
    pub max_error: f64,
    /// Largest error allowed.
    pub tolerance: f64,
}

/// One timed sample of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The unit's identifier.
    pub unit: String,
    /// Round of the unit, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// Number of the sample in its unit and round, from 0.
    pub sample_idx: u32,
    /// Wall time of all iterations. Nanoseconds.
    pub elapsed_ns: u64,
    /// Iterations in this sample.
    pub iterations: u64,
    /// Bytes that the background readers read while it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_bytes: Option<u64>,
    /// State of the board when it ended, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SampleState>,
}

/// State of a board when a sample ended. What cannot be read is `None` or absent, never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleState {
    /// Time since the first sample of the unit began. Nanoseconds.
    pub since_start_ns: u64,
    /// Clock of each CPU of the unit that tells it, kHz, in the order of the unit's CPUs.
    pub cpu_khz: Vec<u64>,
    /// Highest temperature of all thermal zones, thousandths of a degree Celsius.
    pub temperature_millicelsius: Option<i64>,
}

/// A unit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitEnd {
    /// The unit's identifier.
    pub unit: String,
    /// Round of the unit, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// How it ended.
    pub status: UnitStatus,
    /// Why, unless it is ok.
    pub reason: Option<String>,
    /// That the samples do not scatter around one value, where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrest: Option<Unrest>,
}

/// Samples that do not scatter around one value, for instance because a neighbour on the same memory comes and goes. They
/// were taken for longer than asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrest {
    /// What was seen.
    pub kind: UnrestKind,
    /// Median time of an iteration among the fast samples; for a drift, in the faster half of the time. Nanoseconds.
    pub fast_ns: u64,
    /// The same among the slow samples.
    pub slow_ns: u64,
    /// Share of the fast samples. Thousandths.
    pub fast_permille: u32,
}

/// How samples fail to scatter around one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnrestKind {
    /// Two groups with a gap between them.
    Bimodal,
    /// They become slower or faster while they are taken.
    Drifting,
}

impl UnrestKind {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            UnrestKind::Bimodal => "bimodal",
            UnrestKind::Drifting => "drifting",
        }
    }
}

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitStatus {
    /// All samples taken, output checked.
    Ok,
    /// Not possible on this board, for the reason given: not a fault.
    Skipped,
    /// Something went wrong.
    Failed,
}

impl UnitStatus {
    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            UnitStatus::Ok => "ok",
            UnitStatus::Skipped => "skipped",
            UnitStatus::Failed => "failed",
        }
    }
}

/// Last line of a complete stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Units of the request that were ended, in any way.
    pub n_units: u32,
    /// Samples sent.
    pub n_samples: u32,
}

/// A line that is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line is no memwall message: {reason}; it starts with `{start}`")]
pub struct ParseError {
    /// What the parser says.
    pub reason: String,
    /// The first characters of the line, control characters replaced.
    pub start: String,
}

/// Parses one line of a board's output and cleans every text in it ([`crate::foreign`]): the one place where a board's
/// words come in. Only what an external program wrote ([`OutputPart::text`]) stays as it is.
///
/// # Errors
/// When the line is not one of [`Message`]; the error quotes the start of the line.
pub fn parse_line(line: &str) -> Result<Message, ParseError> {
    let trimmed = line.trim_end();
    let parsed = match text::is_harmless(trimmed) {
        true => serde_json::from_str(trimmed),
        false => serde_json::from_str(trimmed).and_then(|mut value| {
            text::clean(&mut value);
            serde_json::from_value(value)
        }),
    };
    parsed.map_err(|error| ParseError {
        reason: text::foreign_short(&error.to_string(), MAX_REASON_CHARS),
        start: text::foreign(&line.chars().take(60).collect::<String>()),
    })
}

/// The parser quotes unknown names whole.
const MAX_REASON_CHARS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let message = Message::Sample(Sample {
            unit: "read".into(),
            round: 0,
            sample_idx: 3,
            elapsed_ns: 12_345,
            iterations: 1,
            background_bytes: None,
            state: None,
        });
        let line = serde_json::to_string(&message).unwrap();
        assert_eq!(
            line,
            r#"{"type":"sample","unit":"read","sample_idx":3,"elapsed_ns":12345,"iterations":1}"#
        );
        assert_eq!(parse_line(&line).unwrap(), message);
        let again = line.replace(r#""read","#, r#""read","round":2,"#);
        let later = parse_line(&again).unwrap();
        assert_eq!((message.round(), later.round()), (0, 2));
        assert_eq!(serde_json::to_string(&later).unwrap(), again);
    }

    #[test]
    fn every_text_of_a_board_is_cleaned_where_it_comes_in() {
        let evil = r"\u001b]0;x\u0007\n::error::y\u202e";
        let line = format!(
            r#"{{"type":"unit_end","unit":"{evil}","status":"failed","reason":"::error::{evil}{}"}}"#,
            "z".repeat(100_000)
        );
        let Message::UnitEnd(end) = parse_line(&line).unwrap() else {
            panic!("{line}");
        };
        let reason = end.reason.unwrap();
        assert_eq!(end.unit, "\u{fffd}]0;x\u{fffd} ::error::y\u{fffd}");
        assert!(reason.starts_with(": :error::"), "{reason}");
        assert_eq!(reason.chars().count(), crate::MAX_TEXT_CHARS);
        // What a program wrote is data.
        let part = r#"{"type":"output_part","unit":"u\n","part_idx":0,"text":"a\n\u001b[1mb"}"#;
        let Message::OutputPart(part) = parse_line(part).unwrap() else {
            panic!("{part}");
        };
        assert_eq!(
            (part.unit.as_str(), part.text.as_str()),
            ("u ", "a\n\u{1b}[1mb")
        );
    }

    #[test]
    fn rejects_garbage_and_quotes_its_start() {
        let error = parse_line("\u{1b}[31mWelcome to the board!").unwrap_err();
        assert!(error.start.starts_with("\u{fffd}[31mWelcome"), "{error}");
        assert!(parse_line("").is_err());
        assert!(parse_line(r#"{"type":"sample","unit":"#).is_err());
        assert!(parse_line(r#"{"type":"unheard_of"}"#).is_err());
    }
}
