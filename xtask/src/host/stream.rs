//! What a host's stream said so far.

use std::collections::{BTreeMap, HashMap, HashSet};

use bench_protocol::{
    EnvironmentAction, EnvironmentStep, Message, Setting, UnitEnd, UnitSpec, UnitStatus,
    foreign_short,
};
use bench_run_dir::status_of_rounds;

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
    /// Units that were asked for, one entry for each round.
    pub requested: Vec<UnitSpec>,
    /// Units and rounds that ended, and how.
    pub ended: HashMap<(String, u32), UnitStatus>,
    /// Those that gave at least one sample or output since they were last begun.
    measured: HashSet<(String, u32)>,
    /// The one that the samples of now belong to: nearly all messages need no look-up.
    current: Option<(String, u32)>,
    /// Units that failed in some round, and why.
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
    /// Settings that were changed and not yet put back, or could not be: for people, by what tells them apart.
    pub changed: BTreeMap<SettingKey, String>,
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

    /// Units by how they ended; one with a round without an end failed.
    pub fn counts(&self) -> UnitCounts {
        let mut rounds: BTreeMap<&str, Option<Vec<UnitStatus>>> = BTreeMap::new();
        for unit in &self.requested {
            let ends = rounds.entry(&unit.unit).or_insert_with(|| Some(Vec::new()));
            match self.ended.get(&key(unit)) {
                Some(end) => ends.iter_mut().for_each(|ends| ends.push(*end)),
                None => *ends = None,
            }
        }
        let mut counts = UnitCounts::default();
        for ends in rounds.into_values() {
            match ends.and_then(|ends| status_of_rounds(&ends)) {
                Some(UnitStatus::Ok) => counts.n_ok += 1,
                Some(UnitStatus::Skipped) => counts.n_skipped += 1,
                Some(UnitStatus::Failed) | None => counts.n_failed += 1,
            }
        }
        counts
    }

    /// Whether the answer is whole: a board that says that it is done ended every unit.
    pub fn is_complete(&self) -> bool {
        self.complete && self.remaining().is_empty()
    }

    /// Units without an end, one entry for each such round.
    pub fn remaining(&self) -> Vec<UnitSpec> {
        let open = |unit: &&UnitSpec| !self.ended.contains_key(&key(unit));
        self.requested.iter().filter(open).cloned().collect()
    }

    /// Takes one message of the board. A message about a unit that is not in the request changes nothing.
    pub fn take(&mut self, message: &Message) -> Taken {
        self.n_lines += 1;
        let round = message.round();
        let is_current = |(current, of): &(String, u32)| {
            (Some(current.as_str()), *of) == (message.unit(), round)
        };
        if let Some(unit) = message.unit()
            && !self.current.as_ref().is_some_and(is_current)
        {
            let mut requested = self.requested.iter();
            if !requested.any(|asked| asked.unit == unit && asked.round == round) {
                self.n_garbage_lines = self.n_garbage_lines.saturating_add(1);
                return Taken::NotAsked;
            }
            self.current = None;
        }
        match message {
            Message::Hello(hello) => {
                self.attempt = hello.attempt;
                self.n_lines = 1;
                self.complete = false;
                self.left = None;
            }
            Message::UnitReady(ready) => {
                self.measured.remove(&(ready.unit.clone(), round));
                self.current = None;
            }
            Message::Sample(_) if self.current.is_some() => {}
            Message::Sample(sample) => {
                let key = (sample.unit.clone(), round);
                self.measured.insert(key.clone());
                self.current = Some(key);
            }
            Message::Output(output) => {
                self.measured.insert((output.unit.clone(), round));
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
        let key = (end.unit.clone(), end.round);
        let is_empty = end.status == UnitStatus::Ok && !self.measured.contains(&key);
        let (status, reason) = match is_empty {
            true => (
                UnitStatus::Failed,
                "says that it is done, without one sample",
            ),
            false => (end.status, end.reason.as_deref().unwrap_or_default()),
        };
        self.ended.insert(key, status);
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
        // Programs of before tell settings apart by their words alone.
        let key = match &step.id {
            Some(id) => SettingKey::Id(id.clone()),
            None => SettingKey::Words(setting.clone()),
        };
        match (step.action, &step.problem) {
            (EnvironmentAction::Restore, None) => {
                self.changed.remove(&key);
            }
            (EnvironmentAction::Restore, Some(_)) => {
                self.changed.insert(key, setting);
            }
            (EnvironmentAction::Prepare, problem) => {
                if let Some(problem) = problem {
                    let problem = foreign_short(problem, MAX_SHOWN_CHARS);
                    self.unprepared.push(format!("{setting}: {problem}"));
                }
                // What has no value before cannot be put back: the page cache.
                if step.before.is_some() && step.after != step.before {
                    self.changed.insert(key, setting);
                }
            }
        }
    }
}

/// What tells settings apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingKey {
    /// Which setting it is.
    Id(Setting),
    /// What it is called, where the board does not tell more.
    Words(String),
}

fn key(unit: &UnitSpec) -> (String, u32) {
    (unit.unit.clone(), unit.round)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit of two rounds, and what a stream said of it.
    fn of_two_rounds(lines: &[&str]) -> StreamState {
        let unit = |round: u32| {
            let text = format!(
                r#"{{"unit":"u","round":{round},"kernel":"read","variant":null,"cpus":[0],"job":{{"peak":{{}}}},
                "sampling":{{"min_samples":1,"max_samples":1,"budget_ms":1}},"deadline_ms":10}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let mut state = StreamState::of(vec![unit(0), unit(1)]);
        for line in lines {
            state.take(&bench_protocol::parse_line(line).unwrap());
        }
        state
    }

    const FIRST: [&str; 2] = [
        r#"{"type":"sample","unit":"u","sample_idx":0,"elapsed_ns":5,"iterations":1}"#,
        r#"{"type":"unit_end","unit":"u","status":"ok","reason":null}"#,
    ];

    #[test]
    fn a_round_that_is_missing_is_measured_and_no_other() {
        let state = of_two_rounds(&FIRST);
        let rounds: Vec<u32> = state.remaining().iter().map(|unit| unit.round).collect();
        assert_eq!((rounds, state.counts().n_failed), (vec![1], 1));
        let third = FIRST[0].replace(r#""u","#, r#""u","round":2,"#);
        let state = of_two_rounds(&[FIRST[0], &third]);
        assert_eq!(state.n_garbage_lines, 1);
    }

    #[test]
    fn one_bad_round_of_two_fails_no_unit() {
        let crashed = r#"{"type":"unit_end","unit":"u","round":1,"status":"failed","reason":"r"}"#;
        let state = of_two_rounds(&[FIRST[0], FIRST[1], crashed]);
        assert_eq!(
            (state.counts().n_ok, state.counts().n_failed),
            (1, 0),
            "{:?}",
            state.ended
        );
        assert!(state.remaining().is_empty());
        assert_eq!(state.failures, [("u".to_owned(), "r".to_owned())]);
    }

    fn step(action: EnvironmentAction, problem: Option<&str>) -> Message {
        let (before, after) = match action {
            EnvironmentAction::Prepare => ("ondemand", "performance"),
            EnvironmentAction::Restore => ("performance", "ondemand"),
        };
        Message::Environment(EnvironmentStep {
            action,
            setting: "governor".into(),
            id: Some(Setting::File {
                path: "/sys/governor".into(),
            }),
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

    /// What people read of a setting is cut; two that begin alike are still two.
    #[test]
    fn settings_that_look_alike_are_told_apart() {
        let long = |end: &str| Setting::File {
            path: format!("/sys/{}/{end}", "x".repeat(2 * MAX_SHOWN_CHARS)).into(),
        };
        let changed = |setting: Setting, action| {
            Message::Environment(EnvironmentStep {
                action,
                setting: setting.describe(),
                id: Some(setting),
                before: Some("1".into()),
                wanted: "2".into(),
                after: Some("2".into()),
                problem: None,
            })
        };
        let mut state = StreamState::default();
        for end in ["a", "b"] {
            state.take(&changed(long(end), EnvironmentAction::Prepare));
        }
        state.take(&changed(long("a"), EnvironmentAction::Restore));
        assert_eq!(state.changed.len(), 1);
    }
}
