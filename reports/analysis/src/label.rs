//! What kind of figure a number is. Every figure that is shown carries one of these, and no series mixes two of them.

use bench_locales::{Message, message};
use serde::Serialize;

/// Kind of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Computed from data sheets, or from measured limits: what cannot be exceeded.
    Theory,
    /// Measured by this program on that board.
    Measured,
    /// Expected for something that was not measured here, always an interval.
    Predicted,
    /// Measured by others, with another program or on another board.
    Imported,
    /// Stated by the user, in place of a figure of ours.
    Given,
    /// Run under an emulator: its times mean nothing.
    Emulated,
}

impl Label {
    /// The word that people read.
    pub fn message(self) -> Message {
        match self {
            Label::Theory => message!("label-theory"),
            Label::Measured => message!("label-measured"),
            Label::Predicted => message!("label-predicted"),
            Label::Imported => message!("label-imported"),
            Label::Given => message!("label-given"),
            Label::Emulated => message!("label-emulated"),
        }
    }

    /// The stable name used in columns.
    pub fn name(self) -> &'static str {
        match self {
            Label::Theory => "theory",
            Label::Measured => "measured",
            Label::Predicted => "predicted",
            Label::Imported => "imported",
            Label::Given => "given",
            Label::Emulated => "emulated",
        }
    }
}
