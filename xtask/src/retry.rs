//! Trying again where the cause may pass by itself: a refused key stays refused.

use std::time::Duration;

use crate::transport::HostError;

/// Pauses before connecting again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Pauses where too many connect at the same time: they pass one after the other.
const CROWDED_PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
    Duration::from_secs(8),
];

/// The tries of one thing.
#[derive(Default)]
pub struct Tries {
    n_failed: usize,
}

impl Tries {
    /// The pause before the next try; `None` when the cause cannot pass or the pauses are used up.
    pub fn pause(&mut self, error: &HostError) -> Option<Duration> {
        let pauses: &[Duration] = match (error.may_pass, error.is_crowded) {
            (false, _) => &[],
            (true, true) => &CROWDED_PAUSES,
            (true, false) => &PAUSES,
        };
        let pause = pauses.get(self.n_failed)?;
        self.n_failed += 1;
        Some(jitter(*pause))
    }
}

/// Between half and one and a half of a pause, by chance: many do not come back together.
pub fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_as_often_as_the_cause_deserves() {
        let check = |error: HostError, expect: usize| {
            let mut tries = Tries::default();
            let n_pauses = std::iter::from_fn(|| tries.pause(&error)).count();
            assert_eq!(n_pauses, expect, "{error}");
        };
        let passing = HostError {
            may_pass: true,
            ..HostError::unreachable("no route")
        };
        let crowded = HostError {
            is_crowded: true,
            ..passing.clone()
        };
        check(HostError::unreachable("refused"), 0);
        check(passing, 2);
        check(crowded, 6);
    }
}
