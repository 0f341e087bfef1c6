//! What a host's stream said so far.

use std::collections::{BTreeSet, HashMap, HashSet};

use bench_protocol::{
    EnvironmentAction, EnvironmentStep, Message, UnitEnd, UnitSpec, UnitStatus, foreign_short,
};

use super::UnitCounts;

/// Characters of a setting or a problem in a reason.
const MAX_SHOWN_CHARS: usize = 400;

/// Whether a message counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Counts,
    /// It is about a unit that is not in the request, and is kept in the file only.
    NotAsked,
}

/// Everything that decides how a host is gone on with.
#[derive(Debug, Default)]
pub struct StreamState {
    /// Units that were asked for.
    pub requested: Vec<UnitSpec>,
    /// Units that ended, and how.
    pub ended: HashMap<String, UnitStatus>,
    /// Units that gave at least one sample or output since they were last begun.
    measured: HashSet<String>,
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
    /// Before the first line of an answer about these units.
    pub fn of(requested: Vec<UnitSpec>) -> StreamState {
        StreamState {
            requested,
            ..StreamState::default()
        }
    }

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

    /// Whether the answer is whole: a board that says that it is done ended every unit.
    pub fn is_complete(&self) -> bool {
        self.complete && self.remaining().is_empty()
    }

    /// Units without an end.
    pub fn remaining(&self) -> Vec<UnitSpec> {
        let open = |unit: &&UnitSpec| !self.ended.contains_key(&unit.unit);
        self.requested.iter().filter(open).cloned().collect()
    }

    /// Takes one message of the board. A message about a unit that is not in the request changes nothing.
    pub fn take(&mut self, message: &Message) -> Taken {
        self.n_lines += 1;
        if let Some(unit) = message.unit()
            && !self.measured.contains(unit)
            && !self.requested.iter().any(|asked| asked.unit == unit)
        {
            self.n_garbage_lines = self.n_garbage_lines.saturating_add(1);
            return Taken::NotAsked;
        }
        match message {
            Message::Hello(hello) => {
                self.attempt = hello.attempt;
                self.n_lines = 1;
                self.complete = false;
                self.left = None;
            }
            Message::UnitReady(ready) => {
                self.measured.remove(&ready.unit);
            }
            // Nearly all messages: a name is copied once.
            Message::Sample(sample) if self.measured.contains(&sample.unit) => {}
            Message::Sample(sample) => {
                self.measured.insert(sample.unit.clone());
            }
            Message::Output(output) => {
                self.measured.insert(output.unit.clone());
            }
            Message::UnitEnd(end) => self.take_end(end),
            Message::Done(_) => self.complete = true,
            Message::Left(note) => self.left = Some(note.text.clone()),
            Message::Environment(step) => self.take_step(step),
            Message::Facts(_)
            | Message::Reading(_)
            | Message::OutputPart(_)
            | Message::UnitState(_)
            | Message::Note(_) => {}
        }
        Taken::Counts
    }

    /// A unit is measured when its samples are here, whatever it says of itself.
    fn take_end(&mut self, end: &UnitEnd) {
        let is_empty = end.status == UnitStatus::Ok && !self.measured.contains(&end.unit);
        let (status, reason) = match is_empty {
            true => (
                UnitStatus::Failed,
                "says that it is done, without one sample",
            ),
            false => (end.status, end.reason.as_deref().unwrap_or_default()),
        };
        self.ended.insert(end.unit.clone(), status);
        if status == UnitStatus::Failed {
            self.failures.retain(|(unit, _)| *unit != end.unit);
            self.failures.push((end.unit.clone(), reason.to_owned()));
        }
    }

    /// Takes a line that is no message. What a login script prints comes before the answer; what comes within it was said
    /// by the board program, whose spool has it too.
    pub fn take_garbage(&mut self) {
        self.n_garbage_lines = self.n_garbage_lines.saturating_add(1);
        if self.n_lines > 0 {
            self.n_lines += 1;
        }
    }

    fn take_step(&mut self, step: &EnvironmentStep) {
        let setting = foreign_short(&step.setting, MAX_SHOWN_CHARS);
        match (step.action, &step.problem) {
            (EnvironmentAction::Restore, None) => {
                self.changed.remove(&setting);
            }
            (EnvironmentAction::Restore, Some(_)) => {
                self.changed.insert(setting);
            }
            (EnvironmentAction::Prepare, problem) => {
                if let Some(problem) = problem {
                    let problem = foreign_short(problem, MAX_SHOWN_CHARS);
                    self.unprepared.push(format!("{setting}: {problem}"));
                }
                // What has no value before cannot be put back: the page cache.
                if step.before.is_some() && step.after != step.before {
                    self.changed.insert(setting);
                }
            }
        }
    }
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
