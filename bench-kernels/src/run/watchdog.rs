//! The end of units and requests that take too long.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::{EXIT_DEADLINE, Message, UnitEnd, UnitSpec, UnitStatus};

use crate::sink::{Out, write_line};

/// Time for the message that a deadline has passed: whoever stopped reading must not keep the program alive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ends the program when a unit or the whole request takes too long.
pub(super) struct Watchdog {
    started: Instant,
    /// Milliseconds after `started` at which the current unit is given up; `u64::MAX` for none.
    unit_deadline_ms: Arc<AtomicU64>,
    current: Arc<Mutex<Option<UnitSpec>>>,
}

impl Watchdog {
    /// Watches over a request that may take `limit`.
    pub(super) fn start(out: Out, limit: Duration) -> Watchdog {
        let watchdog = Watchdog {
            started: Instant::now(),
            unit_deadline_ms: Arc::new(AtomicU64::new(u64::MAX)),
            current: Arc::new(Mutex::new(None)),
        };
        let (started, deadline, current) = (
            watchdog.started,
            Arc::clone(&watchdog.unit_deadline_ms),
            Arc::clone(&watchdog.current),
        );
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let now_ms = started.elapsed().as_millis() as u64;
                let unit_over = now_ms > deadline.load(Ordering::Relaxed);
                if !unit_over && started.elapsed() < limit {
                    continue;
                }
                let unit = current
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                let end = unit.map(|unit| {
                    let reason = match unit_over {
                        true => {
                            let seconds = unit.deadline_ms / 1000;
                            format!("took longer than its deadline of {seconds} s")
                        }
                        false => format!(
                            "was running when the request's deadline of {} s passed",
                            limit.as_secs()
                        ),
                    };
                    let status = UnitStatus::Failed;
                    Message::UnitEnd(UnitEnd {
                        unit: unit.unit,
                        round: unit.round,
                        status,
                        reason: Some(reason),
                        unrest: None,
                    })
                });
                say_at_most(LAST_WORDS, out, end);
                // A kernel that hangs cannot be stopped from inside.
                std::process::exit(EXIT_DEADLINE);
            }
        });
        watchdog
    }

    /// Watches over a unit from now on.
    pub(super) fn guard(&self, unit: &UnitSpec) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(unit.clone());
        let now_ms = self.started.elapsed().as_millis() as u64;
        self.unit_deadline_ms
            .store(now_ms.saturating_add(unit.deadline_ms), Ordering::Relaxed);
    }

    /// Watches over the whole request only.
    pub(super) fn rest(&self) {
        self.unit_deadline_ms.store(u64::MAX, Ordering::Relaxed);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Sends a last message, and gives up when nobody takes it.
fn say_at_most(limit: Duration, out: Out, message: Option<Message>) {
    let words = std::thread::spawn(move || {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = message {
            write_line(&mut *out, &message);
        }
        let _ = out.flush();
    });
    let started = Instant::now();
    while !words.is_finished() && started.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(10));
    }
}
