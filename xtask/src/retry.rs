//! Trying again where the cause may pass by itself: a refused key stays refused.

use std::time::Duration;

use tokio::time::Instant;

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

/// Pause before opening a lost connection again.
const LOST_PAUSE: Duration = Duration::from_secs(1);

/// The tries of one thing.
pub struct Tries {
    n_failed: usize,
    /// Where set, the pauses do not run out before it.
    until: Option<Instant>,
}

impl Tries {
    /// Of reaching a host: a few.
    pub fn of_reaching() -> Tries {
        Tries {
            n_failed: 0,
            until: None,
        }
    }

    /// Of opening a lost connection again: as many as fit into `patience`.
    pub fn of_reopening(patience: Duration) -> Tries {
        Tries {
            n_failed: 0,
            until: Some(Instant::now() + patience),
        }
    }

    /// The pause before the next try; `None` when the cause cannot pass or the tries are used up.
    pub fn pause(&mut self, error: &HostError) -> Option<Duration> {
        if !error.is_transient() {
            return None;
        }
        let pause = match self.until {
            Some(end) => (Instant::now() < end).then_some(&LOST_PAUSE),
            None if error.cause.is_crowded() => CROWDED_PAUSES.get(self.n_failed),
            None => PAUSES.get(self.n_failed),
        };
        self.n_failed += 1;
        pause.copied().map(jitter)
    }
}

/// Between half and one and a half of a pause, by chance: many do not come back together.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Cause;

    #[test]
    fn tries_as_often_as_the_cause_deserves() {
        let check = |error: HostError, expect: usize| {
            let mut tries = Tries::of_reaching();
            let n_pauses = std::iter::from_fn(|| tries.pause(&error)).count();
            assert_eq!(n_pauses, expect, "{error}");
        };
        let of = |cause| HostError {
            cause,
            ..HostError::unreachable("said")
        };
        check(of(Cause::KeyRefused), 0);
        check(of(Cause::NoRoute), 2);
        check(of(Cause::Crowded), 6);
        let mut patient = Tries::of_reopening(Duration::from_secs(3600));
        assert!((0..100).all(|_| patient.pause(&of(Cause::NoRoute)).is_some()));
        assert_eq!(patient.pause(&of(Cause::KeyRefused)), None);
        let mut ended = Tries::of_reopening(Duration::ZERO);
        assert_eq!(ended.pause(&of(Cause::NoRoute)), None);
    }
}
