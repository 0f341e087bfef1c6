//! A program that lies on a board already and is run as a unit: what a suite says of it.

use std::collections::BTreeMap;

use bench_protocol::External;

/// An external program of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Absolute path, or a name that is looked up in the board's `PATH`.
    pub program: String,
    /// Its part of the unit's name.
    pub label: String,
    /// Its arguments, with placeholders.
    pub args: Vec<String>,
    /// What is set in its environment, with placeholders in the values.
    pub environment: BTreeMap<String, String>,
    /// How a report reads its output.
    pub format: OutputFormat,
    /// Whether emulated hosts run it, too.
    pub on_emulated_hosts: bool,
}

/// How the output of an external program is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputFormat {
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
    BabelStream,
    /// Kept and not read.
    Text,
}

impl OutputFormat {
    /// The stable name, as suites and streams have it.
    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::LlamaBench => "llama-bench",
            OutputFormat::Stream => "stream",
            OutputFormat::Tinymembench => "tinymembench",
            OutputFormat::Mbw => "mbw",
            OutputFormat::SbcBench => "sbc-bench",
            OutputFormat::Sysbench => "sysbench",
            OutputFormat::BabelStream => "babelstream",
            OutputFormat::Text => "text",
        }
    }
}

/// What may stand between braces in arguments and in values of the environment.
pub(crate) const PLACEHOLDERS: [&str; 3] = ["threads", "cpus", "cpu-mask"];

impl Program {
    /// What the board is asked for a unit on these CPUs: every placeholder is filled in.
    ///
    /// `{threads}` is their number, `{cpus}` their list (`0-3,6`), `{cpu-mask}` their mask (`4f`, hexadecimal); two braces
    /// stand for one.
    pub fn for_cpus(&self, cpus: &[u32]) -> External {
        let filled = |text: &String| {
            fill(text, |name| match name {
                "threads" => Some(cpus.len().to_string()),
                "cpus" => Some(cpu_list(cpus)),
                "cpu-mask" => Some(cpu_mask(cpus)),
                _ => None,
            })
            .0
        };
        let variable = |(name, value): (&String, &String)| (name.clone(), filled(value));
        External {
            program: self.program.clone(),
            args: self.args.iter().map(filled).collect(),
            environment: self.environment.iter().map(variable).collect(),
            format: self.format.name().to_owned(),
            skip: None,
        }
    }
}

/// The names between braces that are no placeholders.
pub(crate) fn unknown_placeholders(text: &str) -> Vec<String> {
    let known = |name: &str| PLACEHOLDERS.contains(&name).then(String::new);
    fill(text, known).1
}

/// The text with every `{name}` replaced, and the names that `value` does not know, which stay as they are. A brace that
/// is never closed stands for itself.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut filled, mut unknown) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            filled.push_str(brace);
            rest = behind;
            continue;
        }
        match rest.split_once('}') {
            Some((name, behind)) if brace == "{" => {
                match value(name) {
                    Some(value) => filled.push_str(&value),
                    None => {
                        filled.push_str(&format!("{{{name}}}"));
                        unknown.push(name.to_owned());
                    }
                }
                rest = behind;
            }
            _ => filled.push_str(brace),
        }
    }
    filled.push_str(rest);
    (filled, unknown)
}

/// `0-3,6`, as `taskset --cpu-list` reads it.
fn cpu_list(cpus: &[u32]) -> String {
    let mut sorted = cpus.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for cpu in sorted {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(cpu) => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let shown = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(shown).collect::<Vec<_>>().join(",")
}

/// A board that tells of a CPU beyond this is wrong, and its mask would have as many digits. Linux is built for 8192.
const MAX_CPU: u32 = 1 << 16;

/// Hexadecimal, without prefix: the lowest bit is CPU 0.
fn cpu_mask(cpus: &[u32]) -> String {
    let cpus: Vec<u32> = cpus.iter().copied().filter(|cpu| *cpu < MAX_CPU).collect();
    let n_digits = cpus.iter().max().map_or(1, |highest| highest / 4 + 1);
    let digit = |digit_idx: u32| {
        let bits = cpus.iter().filter(|cpu| **cpu / 4 == digit_idx);
        let value = bits.fold(0, |value, cpu| value | 1 << (cpu % 4));
        char::from_digit(value, 16).unwrap_or('0')
    };
    (0..n_digits).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        let program = Program {
            program: "p".into(),
            label: "p".into(),
            args: [
                "{threads}",
                "-C={cpus}",
                "0x{cpu-mask}",
                "{{threads}}",
                "a{",
                "}b",
            ]
            .map(str::to_owned)
            .to_vec(),
            environment: BTreeMap::from([("N".to_owned(), "{threads}".to_owned())]),
            format: OutputFormat::Text,
            on_emulated_hosts: false,
        };
        let asked = program.for_cpus(&[6, 0, 1, 2, 3]);
        assert_eq!(
            asked.args,
            ["5", "-C=0-3,6", "0x4f", "{threads}", "a{", "}b"]
        );
        assert_eq!(asked.environment["N"], "5");
    }

    #[test]
    fn a_board_may_tell_of_any_cpu() {
        assert_eq!(cpu_list(&[u32::MAX, u32::MAX - 1]), "4294967294-4294967295");
        assert_eq!(cpu_mask(&[u32::MAX, 4]), "10");
        assert_eq!(cpu_mask(&[u32::MAX]), "0");
    }

    #[test]
    fn lists_and_masks_of_cpus() {
        assert_eq!((cpu_list(&[]), cpu_mask(&[])), (String::new(), "0".into()));
        assert_eq!((cpu_list(&[5]), cpu_mask(&[5])), ("5".into(), "20".into()));
        assert_eq!(cpu_list(&[8, 9, 11, 0]), "0,8-9,11");
        assert_eq!(cpu_mask(&[64, 127]), "80000000000000010000000000000000");
    }

    #[test]
    fn unknown_placeholders_are_named() {
        assert_eq!(
            unknown_placeholders("{threads}{cpus}{cpu-mask}{{x}}"),
            [""; 0]
        );
        assert_eq!(unknown_placeholders("{thread} {} {"), ["thread", ""]);
    }
}
