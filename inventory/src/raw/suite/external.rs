//! An external program of a suite.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::{Problem, listed, quoted};
use crate::program::{OutputFormat, PLACEHOLDERS, Program, unknown_placeholders};
use crate::raw::Place;
use crate::suggest::suggest;
use crate::suite::{SuiteUnit, SuiteWork};

/// A program that lies on the board already. It is started directly, by no shell, as the measuring user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "External")]
pub(super) struct RawExternal {
    /// Absolute path, or a name that is looked up in the board's `PATH`.
    #[schemars(length(min = 1))]
    program: String,
    /// Its part of the unit's name; left out, the name of the program.
    #[schemars(length(min = 1))]
    label: Option<String>,
    /// Its arguments. `{threads}` becomes the number of the unit's CPUs, `{cpus}` their list (`0-3,6`), `{cpu-mask}` their
    /// mask (hexadecimal, without `0x`); write `{{` for a brace.
    #[serde(default)]
    args: Vec<Word>,
    /// How a report reads what it writes to its standard output.
    output: RawOutput,
    /// What is set in its environment; placeholders as in the arguments.
    #[serde(default)]
    environment: BTreeMap<String, Word>,
    /// Whether emulated hosts run it, too; left out, they skip it.
    #[serde(default)]
    on_emulated_hosts: bool,
}

/// An argument or a value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Word")]
enum Word {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// How a report reads an output.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Output")]
enum RawOutput {
    /// JSON of llama.cpp's llama-bench (`-o json`).
    LlamaBench,
    /// STREAM.
    Stream,
    /// tinymembench.
    Tinymembench,
    /// mbw.
    Mbw,
    /// sbc-bench.
    SbcBench,
    /// `sysbench memory`.
    Sysbench,
    /// BabelStream.
    #[serde(rename = "babelstream")]
    BabelStream,
    /// Kept and not read.
    Text,
}

impl RawExternal {
    pub(super) fn resolve(self, place: &Place, problems: &mut Vec<Problem>) -> SuiteWork {
        let program = self.program;
        if program.contains('/') && !program.starts_with('/') {
            problems.push(place.key("program").problem(
                format!(
                    "{} is neither a name nor an absolute path",
                    quoted(&program)
                ),
                "give the name of a program in the board's `PATH`, or its path from `/` on",
            ));
        }
        check_text(&program, &place.key("program"), problems);
        let words: Vec<String> = self.args.into_iter().map(Word::into_text).collect();
        for (item_idx, word) in words.iter().enumerate() {
            check_word(word, &place.key("args").item(item_idx), problems);
        }
        let mut environment = BTreeMap::new();
        for (name, value) in self.environment {
            let variable_place = place.key("environment").key(&name);
            if !is_variable(&name) {
                problems.push(Problem::new(
                    variable_place.key_span(),
                    format!("{} is no name of a variable", quoted(&name)),
                    "write letters, digits and `_`, beginning with no digit; names that begin with `MEMWALL_` are taken",
                ));
            }
            let value = value.into_text();
            check_word(&value, &variable_place, problems);
            environment.insert(name, value);
        }
        let label = self.label.unwrap_or_else(|| {
            let name = program.rsplit('/').next().unwrap_or_default();
            let clean = |c: char| if is_of_label(c) { c } else { '-' };
            name.chars().map(clean).collect()
        });
        if !label.chars().all(is_of_label) {
            problems.push(place.key("label").problem(
                format!("{} is no part of a unit's name", quoted(&label)),
                "write letters, digits, `.`, `_` and `-`",
            ));
        }
        SuiteWork::External(Program {
            program,
            label,
            args: words,
            environment,
            format: self.output.resolve(),
            on_emulated_hosts: self.on_emulated_hosts,
        })
    }
}

impl Word {
    fn into_text(self) -> String {
        match self {
            Word::Number(number) => number.to_string(),
            Word::Text(text) => text,
        }
    }
}

impl RawOutput {
    fn resolve(self) -> OutputFormat {
        match self {
            RawOutput::LlamaBench => OutputFormat::LlamaBench,
            RawOutput::Stream => OutputFormat::Stream,
            RawOutput::Tinymembench => OutputFormat::Tinymembench,
            RawOutput::Mbw => OutputFormat::Mbw,
            RawOutput::SbcBench => OutputFormat::SbcBench,
            RawOutput::Sysbench => OutputFormat::Sysbench,
            RawOutput::BabelStream => OutputFormat::BabelStream,
            RawOutput::Text => OutputFormat::Text,
        }
    }
}

/// Two units of one name would be one: the second would never run.
pub(super) fn check_labels(units: &[SuiteUnit], place: &Place, problems: &mut Vec<Problem>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for unit in units {
        if let SuiteWork::External(program) = &unit.work
            && !seen.insert(&program.label)
        {
            problems.push(Problem::new(
                place.key_span(),
                format!(
                    "two units run an external program as {}",
                    quoted(&program.label)
                ),
                "give one of them a `label` of its own",
            ));
        }
    }
}

fn is_of_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn is_variable(name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first) && name.chars().all(is_of_name) && !name.starts_with("MEMWALL_")
}

fn check_word(text: &str, place: &Place, problems: &mut Vec<Problem>) {
    check_text(text, place, problems);
    for name in unknown_placeholders(text) {
        let known = PLACEHOLDERS.map(|name| format!("{{{name}}}"));
        let known = listed(known.iter().map(String::as_str));
        let remedy = match suggest(&name, PLACEHOLDERS) {
            Some(nearest) => format!("did you mean `{{{nearest}}}`? placeholders: {known}"),
            None => format!("placeholders: {known}; write `{{{{` for a brace"),
        };
        problems.push(place.problem(
            format!("unknown placeholder {}", quoted(&format!("{{{name}}}"))),
            remedy,
        ));
    }
}

/// No program can be given such a text.
fn check_text(text: &str, place: &Place, problems: &mut Vec<Problem>) {
    if text.contains('\0') {
        problems.push(place.problem(
            "the text holds a zero byte".to_owned(),
            "remove it: it would end the text",
        ));
    }
}
