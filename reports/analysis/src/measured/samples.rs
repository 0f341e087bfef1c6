//! Samples of a unit, and whether their numbers can be.

use bench_inventory::saturating_sum;
use bench_locales::{Message, message};
use bench_protocol::{SampleState, Work};

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// Round of the unit, from 0.
    pub round: u32,
    /// Number of the sample in its unit and round.
    pub sample_idx: u32,
    /// Iterations in it; never 0.
    pub iterations: u64,
    /// Wall time of all iterations, nanoseconds.
    pub elapsed_ns: u64,
    /// Bytes that the background readers read meanwhile.
    pub background_bytes: Option<u64>,
    /// State of the board when it ended.
    pub state: Option<SampleState>,
}

impl SampleRow {
    /// Time of one iteration.
    pub fn ns_per_iteration(&self) -> f64 {
        self.elapsed_ns as f64 / self.iterations as f64
    }

    /// The lowest clock of the unit's CPUs when the sample ended, kHz.
    pub fn lowest_khz(&self) -> Option<u64> {
        self.state.as_ref()?.cpu_khz.iter().copied().min()
    }

    /// Highest temperature when the sample ended, degrees Celsius.
    pub fn celsius(&self) -> Option<f64> {
        let millicelsius = self.state.as_ref()?.temperature_millicelsius?;
        Some(millicelsius as f64 / 1000.0)
    }
}

/// Time of all samples together, nanoseconds.
pub(super) fn elapsed_ns(samples: &[SampleRow]) -> u64 {
    saturating_sum(samples.iter().map(|sample| sample.elapsed_ns))
}

/// Why these numbers cannot be. A board may send any: figures are still computed from them, and judged by this.
pub(super) fn impossible(
    samples: &[SampleRow],
    work: Option<&Work>,
    deadline_ms: Option<u64>,
) -> Option<Message> {
    let limit_ns = deadline_ms.map_or(MAX_NUMBER, |ms| ms.saturating_mul(1_000_000));
    let is_too_much = |sample: &SampleRow| {
        let most = work.map_or(0, |work| {
            let bytes = work.read_bytes.max(work.written_bytes);
            bytes.max(work.ops).max(work.tokens)
        });
        most.saturating_mul(sample.iterations) > MAX_NUMBER
    };
    if samples.iter().any(|sample| sample.elapsed_ns == 0) {
        Some(message!("clock-too-coarse"))
    } else if elapsed_ns(samples) > limit_ns.min(MAX_NUMBER) {
        Some(message!("clock-impossible"))
    } else if samples.iter().any(is_too_much) {
        Some(message!("counts-impossible"))
    } else {
        None
    }
}

/// No machine counts as far: as many nanoseconds are 292 years.
const MAX_NUMBER: u64 = 1 << 63;
