//! What a host's stream said so far.

use std::collections::{BTreeSet, HashMap};

use bench_protocol::{EnvironmentAction, EnvironmentStep, Message, UnitSpec, UnitStatus};

use super::UnitCounts;

/// Everything that decides how a host is gone on with.
#[derive(Debug, Default)]
pub struct StreamState {
    /// Units that were asked for.
    pub requested: Vec<UnitSpec>,
    /// Units that ended, and how.
    pub ended: HashMap<String, UnitStatus>,
    /// Units that failed, and why.
    pub failures: Vec<(String, String)>,
    /// Lines that are no messages.
    pub n_garbage_lines: u32,
    /// Number of the request that the stream answers.
    pub attempt: u32,
    /// Lines of that answer from its `hello` on: as many of the board's spool are here.
    pub n_lines: usize,
    /// Whether that answer ended with its `done`.
    pub complete: bool,
    /// Why the supervisor left before, in its words.
    pub left: Option<String>,
    /// Settings that were changed and not yet put back, or could not be.
    pub changed: BTreeSet<String>,
    /// Settings that could not be changed for measuring, and why.
    pub unprepared: Vec<String>,
}

impl StreamState {
    /// Units by how they ended; one without an end failed.
    pub fn counts(&self) -> UnitCounts {
        let count = |status| {
            let ends = self.ended.values().filter(|ended| **ended == status);
            ends.count() as u32
        };
        UnitCounts {
            n_ok: count(UnitStatus::Ok),
            n_failed: count(UnitStatus::Failed) + self.remaining().len() as u32,
            n_skipped: count(UnitStatus::Skipped),
        }
    }

    /// Units without an end.
    pub fn remaining(&self) -> Vec<UnitSpec> {
        let open = |unit: &&UnitSpec| !self.ended.contains_key(&unit.unit);
        self.requested.iter().filter(open).cloned().collect()
    }

    /// Takes one message of the board.
    pub fn take(&mut self, message: &Message) {
        self.n_lines += 1;
        match message {
            Message::Hello(hello) => {
                self.attempt = hello.attempt;
                self.n_lines = 1;
                self.complete = false;
                self.left = None;
            }
            Message::UnitEnd(end) => {
                self.ended.insert(end.unit.clone(), end.status);
                if end.status == UnitStatus::Failed {
                    let reason = plain(end.reason.as_deref().unwrap_or_default());
                    self.failures.push((end.unit.clone(), reason));
                }
            }
            Message::Done(_) => self.complete = true,
            Message::Left(note) => self.left = Some(plain(&note.text)),
            Message::Environment(step) => self.take_step(step),
            Message::Facts(_)
            | Message::UnitReady(_)
            | Message::Sample(_)
            | Message::Reading(_)
            | Message::OutputPart(_)
            | Message::Output(_)
            | Message::UnitState(_)
            | Message::Note(_) => {}
        }
    }

    /// Takes a line that is no message. What a login script prints comes before the answer; what comes within it was said
    /// by the board program, whose spool has it too.
    pub fn take_garbage(&mut self) {
        self.n_garbage_lines += 1;
        if self.n_lines > 0 {
            self.n_lines += 1;
        }
    }

    fn take_step(&mut self, step: &EnvironmentStep) {
        let setting = plain(&step.setting);
        match (step.action, &step.problem) {
            (EnvironmentAction::Restore, None) => {
                self.changed.remove(&setting);
            }
            (EnvironmentAction::Restore, Some(_)) => {
                self.changed.insert(setting);
            }
            (EnvironmentAction::Prepare, problem) => {
                if let Some(problem) = problem {
                    self.unprepared
                        .push(format!("{setting}: {}", plain(problem)));
                }
                // What has no value before cannot be put back: the page cache.
                if step.before.is_some() && step.after != step.before {
                    self.changed.insert(setting);
                }
            }
        }
    }
}

/// What a board says, for a terminal: no control characters, and not without end.
pub fn plain(text: &str) -> String {
    const MAX_CHARS: usize = 400;
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(MAX_CHARS).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: EnvironmentAction, problem: Option<&str>) -> Message {
        let (before, after) = match action {
            EnvironmentAction::Prepare => ("ondemand", "performance"),
            EnvironmentAction::Restore => ("performance", "ondemand"),
        };
        Message::Environment(EnvironmentStep {
            action,
            setting: "governor".into(),
            before: Some(before.into()),
            wanted: after.into(),
            after: Some(after.into()),
            problem: problem.map(str::to_string),
        })
    }

    #[test]
    fn lines_are_counted_as_the_board_keeps_them() {
        let mut state = StreamState::default();
        state.take_garbage();
        let hello =
            r#"{"type":"hello","protocol":3,"program":"p","arch":"a","run_id":"r","attempt":2}"#;
        let note = r#"{"type":"note","text":"t"}"#;
        state.take(&bench_protocol::parse_line(hello).unwrap());
        state.take_garbage();
        state.take(&bench_protocol::parse_line(note).unwrap());
        assert_eq!(
            (state.attempt, state.n_lines, state.n_garbage_lines),
            (2, 3, 2)
        );
    }

    #[test]
    fn a_setting_is_changed_until_it_is_put_back() {
        let mut state = StreamState::default();
        state.take(&step(EnvironmentAction::Prepare, None));
        assert_eq!(state.changed.len(), 1);
        state.take(&step(EnvironmentAction::Restore, Some("refused")));
        assert_eq!(state.changed.len(), 1);
        state.take(&step(EnvironmentAction::Restore, None));
        assert!(state.changed.is_empty() && state.unprepared.is_empty());
    }
}
