//! How much and how long a board may speak: it follows from what it was asked.

use std::time::Duration;

use bench_protocol::{Job, MAX_OUTPUT_BYTES, RunRequest, SAMPLED_LONGER, UnitSpec};
use bench_run_dir::Stage;
use tokio::time::Instant;

use crate::transport::{HostError, STEP_DEADLINE};

/// Facts of the largest boards, notes, settings.
const FIXED_BYTES: u64 = 8 << 20;

/// The messages around a unit's samples: that it is ready, its state, its end.
const UNIT_BYTES: u64 = 64 << 10;

/// One sample with its state, and as much for each CPU whose clock it tells.
const SAMPLE_BYTES: u64 = 512;
const SAMPLE_CPU_BYTES: u64 = 24;

/// Sensors are read once a second: clocks, temperatures, power.
const READING_BYTES_PER_S: u64 = 16 << 10;

/// Bytes of JSON for a byte of output, at most.
const ESCAPED: u64 = 6;

/// A board that hands over results more slowly than this, once it began, only seems to.
const SLOWEST_BYTES_PER_S: u64 = 8 << 10;

/// Notes of a board that are shown.
pub const MAX_NOTES: u32 = 200;

/// The bytes that a board may still send in answer to one request.
pub struct Allowance {
    started: Instant,
    n_bytes: u64,
    max_bytes: u64,
}

impl Allowance {
    /// For a request that is sent now.
    pub fn of(request: &RunRequest) -> Allowance {
        let units = request.units.iter().map(unit_bytes);
        Allowance {
            started: Instant::now(),
            n_bytes: 0,
            max_bytes: units.fold(FIXED_BYTES, u64::saturating_add),
        }
    }

    /// Takes a line.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&mut self, line: &[u8]) -> Result<(), HostError> {
        self.n_bytes = self.n_bytes.saturating_add(line.len() as u64);
        let by_time = READING_BYTES_PER_S.saturating_mul(self.started.elapsed().as_secs());
        if self.n_bytes <= self.max_bytes.saturating_add(by_time) {
            return Ok(());
        }
        Err(HostError::failed(
            Stage::Measure,
            format!(
                "the board floods the controller: it sent {} MiB, more than its units can fill; what came before is kept",
                self.n_bytes >> 20
            ),
        ))
    }
}

fn unit_bytes(unit: &UnitSpec) -> u64 {
    let sample_bytes = SAMPLE_BYTES + SAMPLE_CPU_BYTES * unit.cpus.len() as u64;
    let most_samples = u64::from(unit.sampling.max_samples) * u64::from(SAMPLED_LONGER);
    let samples = most_samples.saturating_mul(sample_bytes);
    let output = match unit.job {
        Job::External(_) => ESCAPED * MAX_OUTPUT_BYTES as u64,
        _ => 0,
    };
    UNIT_BYTES.saturating_add(samples).saturating_add(output)
}

/// How long to wait for the next line of kept results.
pub struct Pace {
    /// Time for the first line: the supervisor that writes them may still live.
    first: Duration,
    began: Option<Instant>,
    n_bytes: u64,
}

impl Pace {
    /// Of results whose supervisor ends within `first`.
    pub fn new(first: Duration) -> Pace {
        Pace {
            first: first + STEP_DEADLINE,
            began: None,
            n_bytes: 0,
        }
    }

    /// Time for the next line; zero when the board is too slow.
    pub fn patience(&self) -> Duration {
        match self.began {
            None => self.first,
            Some(began) => {
                let earned = Duration::from_secs(self.n_bytes / SLOWEST_BYTES_PER_S);
                (STEP_DEADLINE + earned).saturating_sub(began.elapsed())
            }
        }
    }

    /// Takes a line.
    pub fn take(&mut self, line: &[u8]) {
        self.began.get_or_insert_with(Instant::now);
        self.n_bytes = self.n_bytes.saturating_add(line.len() as u64);
    }
}
