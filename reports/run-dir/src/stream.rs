//! What a host's stream said so far: the one place that decides which of its lines count, how units ended and what is left
//! to measure. The controller asks it while lines arrive; resume and report ask it about the file and get the same answers.

use std::collections::{BTreeMap, HashMap};

use bench_protocol::{
    EnvironmentAction, EnvironmentStep, Message, RunRequest, Setting, UnitEnd, UnitSpec,
    UnitStatus, foreign_short,
};

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

/// Counts of a host's units by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// All samples taken.
    pub n_ok: u32,
    /// Something went wrong, or the stream ended before.
    pub n_failed: u32,
    /// Not possible on this board.
    pub n_skipped: u32,
}

/// Everything that decides how a host is resumed.
#[derive(Debug, Clone, Default)]
pub struct StreamState {
    /// Units that were asked for, by name, and what is known of each of their rounds.
    units: HashMap<String, BTreeMap<u32, RoundState>>,
    /// Whether what was asked for is lost, so that every unit counts.
    takes_all: bool,
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

/// What a stream said of one round of a unit.
#[derive(Debug, Clone, Copy, Default)]
struct RoundState {
    /// Whether it gave at least one sample or output since it was last begun.
    is_measured: bool,
    /// How it ended.
    end: Option<UnitStatus>,
}

impl StreamState {
    /// Before the first line of an answer to a request.
    pub fn of(request: Option<&RunRequest>) -> StreamState {
        let mut state = StreamState {
            takes_all: request.is_none(),
            ..StreamState::default()
        };
        state.ask(request.map_or(&[][..], |request| &request.units));
        state
    }

    /// Takes units as asked for.
    pub fn ask(&mut self, units: &[UnitSpec]) {
        for unit in units {
            let rounds = self.units.entry(unit.unit.clone()).or_default();
            rounds.entry(unit.round).or_default();
        }
    }

    /// What is known but for the units: of a host whose request is lost nothing counts as measured.
    pub fn without_units(self) -> StreamState {
        StreamState {
            units: HashMap::new(),
            takes_all: false,
            current: None,
            failures: Vec::new(),
            ..self
        }
    }

    fn rounds(&self) -> impl Iterator<Item = &RoundState> {
        self.units.values().flat_map(BTreeMap::values)
    }

    /// All rounds that were asked for.
    pub fn n_rounds(&self) -> usize {
        self.units.values().map(BTreeMap::len).sum()
    }

    /// Those of them without an end.
    pub fn n_open(&self) -> usize {
        self.rounds().filter(|round| round.end.is_none()).count()
    }

    /// Whether a round was asked for and has no end.
    pub fn is_open(&self, unit: &UnitSpec) -> bool {
        let rounds = self.units.get(&unit.unit);
        let round = rounds.and_then(|rounds| rounds.get(&unit.round));
        round.is_some_and(|round| round.end.is_none())
    }

    /// How a unit ended; `None` while a round has no end.
    pub fn ended(&self, unit: &str) -> Option<UnitStatus> {
        status_of_rounds(self.units.get(unit)?)
    }

    /// Units by how they ended; one with a round without an end failed.
    pub fn counts(&self) -> UnitCounts {
        let mut counts = UnitCounts::default();
        for rounds in self.units.values() {
            match status_of_rounds(rounds) {
                Some(UnitStatus::Ok) => counts.n_ok += 1,
                Some(UnitStatus::Skipped) => counts.n_skipped += 1,
                Some(UnitStatus::Failed) | None => counts.n_failed += 1,
            }
        }
        counts
    }

    /// Whether the answer is whole: a board that says that it is done ended every unit.
    pub fn is_complete(&self) -> bool {
        self.complete && self.n_open() == 0
    }

    /// What is known of the round that a message is about.
    fn round_mut(&mut self, unit: &str, round: u32) -> &mut RoundState {
        let rounds = self.units.entry(unit.to_owned()).or_default();
        rounds.entry(round).or_default()
    }

    fn is_asked(&self, unit: &str, round: u32) -> bool {
        let rounds = self.units.get(unit);
        self.takes_all || rounds.is_some_and(|rounds| rounds.contains_key(&round))
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
            if !self.is_asked(unit, round) {
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
                self.round_mut(&ready.unit, round).is_measured = false;
                self.current = None;
            }
            Message::Sample(_) if self.current.is_some() => {}
            Message::Sample(sample) => {
                self.round_mut(&sample.unit, round).is_measured = true;
                self.current = Some((sample.unit.clone(), round));
            }
            Message::Output(output) => {
                self.round_mut(&output.unit, round).is_measured = true;
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
        let round = self.round_mut(&end.unit, end.round);
        let is_empty = end.status == UnitStatus::Ok && !round.is_measured;
        let (status, reason) = match is_empty {
            true => (
                UnitStatus::Failed,
                "says that it is done, without one sample",
            ),
            false => (end.status, end.reason.as_deref().unwrap_or_default()),
        };
        round.end = Some(status);
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

/// How a unit ended, from the ends of its rounds: well where at least half of those that its board could begin did.
/// `None` of no round, and while one has no end.
fn status_of_rounds(rounds: &BTreeMap<u32, RoundState>) -> Option<UnitStatus> {
    let ends: Option<Vec<UnitStatus>> = rounds.values().map(|round| round.end).collect();
    let ends = ends?;
    let count = |status: UnitStatus| ends.iter().filter(|end| **end == status).count();
    let (n_ok, n_failed) = (count(UnitStatus::Ok), count(UnitStatus::Failed));
    match (ends.len(), n_ok, n_failed) {
        (0, ..) => None,
        (_, 0, 0) => Some(UnitStatus::Skipped),
        _ if n_ok >= n_failed => Some(UnitStatus::Ok),
        _ => Some(UnitStatus::Failed),
    }
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
        let mut state = StreamState::default();
        state.ask(&[unit(0), unit(1)]);
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
        let open = state.units["u"].iter().filter(|(_, it)| it.end.is_none());
        let open: Vec<u32> = open.map(|(round, _)| *round).collect();
        assert_eq!((open, state.counts().n_failed), (vec![1], 1));
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
            state.units
        );
        assert_eq!(state.n_open(), 0);
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
