//! Which hosts of the fleet a command is about: conditions like `arch=aarch64,tag!=flaky`.

use std::fmt;
use std::str::FromStr;

use bench_inventory::{Host, Inventory, Transport};
use wildmatch::WildMatch;

use crate::transport::transport_name;

/// Conditions that a host must meet, all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection(Vec<Condition>);

/// `key=pattern` or `key!=pattern`; `*` and `?` stand for anything in the pattern.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    key: Key,
    is_negated: bool,
    pattern: String,
}

/// What of a host is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Name,
    Board,
    Arch,
    Tag,
    Transport,
}

const KEYS: [(&str, Key); 5] = [
    ("name", Key::Name),
    ("board", Key::Board),
    ("arch", Key::Arch),
    ("tag", Key::Tag),
    ("transport", Key::Transport),
];

/// A condition that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Neither `=` nor `!=`.
    #[error(
        "`{0}` is no condition; write `KEY=VALUE` or `KEY!=VALUE`, for instance `arch=aarch64,tag!=flaky`"
    )]
    NoCondition(String),
    /// A key that hosts do not have.
    #[error("hosts have no `{0}` to select by{hint}; there are: name, board, arch, tag, transport", hint = did_you_mean(.0))]
    UnknownKey(String),
    /// Nothing to compare with.
    #[error("`{0}` has no value; `*` stands for any")]
    NoValue(String),
}

fn did_you_mean(key: &str) -> String {
    let nearest = bench_inventory::suggest(key, KEYS.iter().map(|(name, _)| *name));
    nearest.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

impl FromStr for Selection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Selection, SelectionError> {
        let conditions = text.split(',').map(str::trim);
        conditions
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Selection)
    }
}

impl FromStr for Condition {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Condition, SelectionError> {
        let (left, pattern) = text
            .split_once('=')
            .ok_or_else(|| SelectionError::NoCondition(text.to_owned()))?;
        let (name, is_negated) = match left.strip_suffix('!') {
            Some(name) => (name, true),
            None => (left, false),
        };
        let (name, pattern) = (name.trim(), pattern.trim());
        let key = KEYS.iter().find(|(known, _)| *known == name);
        let (_, key) = key.ok_or_else(|| SelectionError::UnknownKey(name.to_owned()))?;
        match pattern.is_empty() {
            true => Err(SelectionError::NoValue(text.to_owned())),
            false => Ok(Condition {
                key: *key,
                is_negated,
                pattern: pattern.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, condition) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let sign = if condition.is_negated { "!=" } else { "=" };
            let name = KEYS.iter().find(|(_, key)| *key == condition.key);
            let name = name.map_or("", |(name, _)| *name);
            write!(f, "{comma}{name}{sign}{}", condition.pattern)?;
        }
        Ok(())
    }
}

impl Selection {
    /// Whether a host meets every condition. A host without a value for a key meets only `!=`.
    pub fn matches(&self, host: &Host, inventory: &Inventory) -> bool {
        self.0.iter().all(|condition| {
            let pattern = WildMatch::new(&condition.pattern);
            let values = values(condition.key, host, inventory);
            values.iter().any(|value| pattern.matches(value)) != condition.is_negated
        })
    }
}

fn values(key: Key, host: &Host, inventory: &Inventory) -> Vec<String> {
    match key {
        Key::Name => vec![host.name.clone()],
        Key::Board => host.board.iter().cloned().collect(),
        Key::Tag => host.tags.clone(),
        Key::Transport => vec![transport_name(&host.transport).to_owned()],
        Key::Arch => match &host.transport {
            Transport::Local => vec![std::env::consts::ARCH.to_owned()],
            Transport::QemuUser { arch, .. } => vec![arch.clone()],
            // Nobody has asked the host yet: its board tells, where the fleet file names one.
            Transport::Ssh(_) | Transport::Replay(_) => {
                let board = host.board.as_ref().and_then(|id| inventory.boards.get(id));
                board.iter().map(|board| board.arch.clone()).collect()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, tags: &[&str], transport: Transport) -> Host {
        Host {
            name: name.into(),
            board: None,
            transport,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            emulated: false,
            memory: None,
            prepare: Default::default(),
        }
    }

    fn check(expression: &str, expect: &[&str]) {
        let emulator = Transport::QemuUser {
            arch: "aarch64".into(),
            cpu: None,
        };
        let hosts = [
            host("desk", &["arm", "flaky"], emulator.clone()),
            host("shelf", &["arm"], emulator),
            host("here", &[], Transport::Local),
        ];
        let selection: Selection = expression.parse().unwrap();
        assert_eq!(selection.to_string(), expression);
        let inventory = Inventory::default();
        let selected: Vec<&str> = (hosts.iter())
            .filter(|host| selection.matches(host, &inventory))
            .map(|host| host.name.as_str())
            .collect();
        assert_eq!(selected, expect, "{expression}");
    }

    #[test]
    fn every_condition_must_hold() {
        check("tag=arm", &["desk", "shelf"]);
        check("tag=arm,tag!=flaky", &["shelf"]);
        check("name=*e*", &["desk", "shelf", "here"]);
        check("transport=qemu-user,name!=d*", &["shelf"]);
        check("arch=aarch64", &["desk", "shelf"]);
        check("board=*", &[]);
        check("board!=*", &["desk", "shelf", "here"]);
    }

    #[test]
    fn says_what_is_wrong_with_a_condition() {
        let error = |text: &str| text.parse::<Selection>().unwrap_err().to_string();
        assert!(error("arm").contains("`arm` is no condition"));
        assert!(error("tags=arm").contains("did you mean `tag`?"));
        assert!(error("tag=").contains("has no value"));
    }
}
