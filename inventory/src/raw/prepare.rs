//! `prepare:` of a host.

use std::collections::BTreeMap;

use bench_protocol::Prepare;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Place;
use crate::diagnostic::{Problem, quoted};

/// What is changed on the board while it measures; everything is put back afterwards.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Prepare")]
pub(crate) struct RawPrepare {
    /// cpufreq governor of all CPUs, for instance `performance`.
    governor: Option<String>,
    /// devfreq governor of the memory controller, for instance `performance` on an RK3588.
    dram_governor: Option<String>,
    /// Jetson power mode by its name, for instance `MAXN`.
    power_mode: Option<String>,
    /// Files of `/sys` or `/proc` and the values they get.
    #[serde(default)]
    settings: BTreeMap<String, Value>,
    /// systemd units that are stopped.
    #[serde(default)]
    stop_services: Vec<String>,
    /// CPUs that all other processes are confined to.
    #[serde(default)]
    confine_others_to: Vec<u32>,
    /// Whether clean page cache is given back first.
    #[serde(default)]
    drop_caches: bool,
}

/// A value as it is written to a file of the kernel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "SettingValue")]
enum Value {
    /// A whole number.
    Number(i64),
    /// A word.
    Word(String),
}

impl RawPrepare {
    pub(crate) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> Prepare {
        for path in self.settings.keys() {
            let is_of_the_kernel = path.starts_with("/sys/") || path.starts_with("/proc/");
            if !is_of_the_kernel || path.split('/').any(|part| part == "..") {
                problems.push(Problem::new(
                    place.key("settings").key(path).key_span(),
                    format!("{} is no setting of the kernel", quoted(path)),
                    "name a file below `/sys/` or `/proc/`",
                ));
            }
        }
        let words = [
            ("governor", &self.governor),
            ("dram-governor", &self.dram_governor),
            ("power-mode", &self.power_mode),
        ];
        for (key, word) in words {
            if let Some(word) = word.as_ref().filter(|word| !is_word(word)) {
                problems.push(no_word(word, &place.key(key)));
            }
        }
        for (item_idx, service) in self.stop_services.iter().enumerate() {
            if !is_word(service) {
                problems.push(no_word(service, &place.key("stop-services").item(item_idx)));
            }
        }
        let value = |value| match value {
            Value::Number(number) => number.to_string(),
            Value::Word(word) => word,
        };
        Prepare {
            governor: self.governor,
            dram_governor: self.dram_governor,
            power_mode: self.power_mode,
            settings: self
                .settings
                .into_iter()
                .map(|(path, text)| (path, value(text)))
                .collect(),
            stop_services: self.stop_services,
            confine_others_to: self.confine_others_to,
            drop_caches: self.drop_caches,
        }
    }
}

fn is_word(word: &str) -> bool {
    let is_plain = !word.chars().any(|c| c.is_whitespace() || c.is_control());
    !word.is_empty() && !word.starts_with('-') && is_plain
}

fn no_word(word: &str, place: &Place) -> Problem {
    place.problem(
        format!("{} is no name", quoted(word)),
        "write one word that does not start with `-`",
    )
}
