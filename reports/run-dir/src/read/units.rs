//! A unit as its stream tells it: rounds, each with what ran, its samples and how it ended.

use std::collections::BTreeMap;

use bench_protocol::{Output, Reading, Sample, UnitEnd, UnitReady, UnitSpec, UnitState};

/// Everything known about one unit.
#[derive(Debug, Clone, Default)]
pub struct UnitData {
    /// The unit's identifier.
    pub unit: String,
    /// What was asked for, in its first round.
    pub spec: Option<UnitSpec>,
    /// Its rounds by number: those that were asked for, and those that the stream tells of where the request is missing.
    pub rounds: BTreeMap<u32, RoundData>,
    /// What an external program wrote; it has one round.
    pub output: Option<ExternalOutput>,
}

/// One round of a unit.
#[derive(Debug, Clone, Default)]
pub struct RoundData {
    /// What really ran.
    pub ready: Option<UnitReady>,
    /// Samples in the order of the stream.
    pub samples: Vec<Sample>,
    /// Sensors while it ran, in the order of the stream.
    pub readings: Vec<Reading>,
    /// What happened on the board meanwhile.
    pub state: Option<UnitState>,
    /// How it ended.
    pub end: Option<UnitEnd>,
}

impl UnitData {
    /// A unit that was asked for, before its first round.
    pub(super) fn of(spec: &UnitSpec) -> UnitData {
        UnitData {
            unit: spec.unit.clone(),
            spec: Some(spec.clone()),
            ..UnitData::default()
        }
    }

    /// A round, which is made where it is missing.
    pub(super) fn round(&mut self, round: u32) -> &mut RoundData {
        self.rounds.entry(round).or_default()
    }

    /// What really ran, in the first round that tells it.
    pub fn ready(&self) -> Option<&UnitReady> {
        self.rounds.values().find_map(|round| round.ready.as_ref())
    }

    /// Samples of all rounds.
    pub fn n_samples(&self) -> usize {
        self.rounds.values().map(|round| round.samples.len()).sum()
    }
}

/// What an external program wrote, as far as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalOutput {
    /// Its standard output.
    pub stdout: String,
    /// Parts that it came in.
    pub n_parts: u32,
    /// How it ended; `None` where the stream ended before it did.
    pub end: Option<Output>,
}

impl ExternalOutput {
    /// Whether the program ended well and all it wrote is here: what may be read as a result.
    pub fn is_complete(&self) -> bool {
        let is_good =
            |end: &Output| end.exit_code == Some(0) && end.is_whole && end.n_parts == self.n_parts;
        self.end.as_ref().is_some_and(is_good)
    }
}
