//! Changes files of a run directory as a hostile or broken board, controller or author would: numbers at the ends of their
//! types, texts that try to become something else, parts that are missing, repeated or in the wrong place.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use bench_run_dir::files::RunFiles;
use serde_json::{Value, json};

/// Where choices come from: a seeded generator, or the bytes of a fuzzer.
pub trait Choices {
    /// A number below `n`; `n` is not 0.
    fn below(&mut self, n: usize) -> usize;
}

/// Ends of types, and what lies around them.
pub const NUMBERS: [u64; 17] = [
    0,
    1,
    2,
    3,
    255,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) + 1,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX / 10,
    u64::MAX / 2 + 2,
    u64::MAX - 1,
    u64::MAX,
];

/// Numbers that are not whole, or below 0.
const ODD_NUMBERS: [f64; 10] = [
    -1.0, -0.0, 0.5, 1e-300, 5e-324, 1e100, 1e300, 1.7e308, -1.7e308, -9.3e18,
];

/// Texts that try to become markup, a formula, a path, an escape sequence, a command, a pattern.
pub const TEXTS: [&str; 30] = [
    "",
    " ",
    "<script>alert(1)</script>",
    "</title><script>alert(2)</script>",
    "\"'><img src=x onerror=alert(3)>",
    "\u{1b}]0;title\u{7}\u{1b}[2J",
    "a\u{9b}31mb\u{7f}",
    "\u{202e}gnp.exe\u{2066}x\u{200f}",
    "zero\u{200b}width\u{feff}\u{e0041}\u{61c}",
    "\r\n::error::injected",
    "=cmd|'/C calc'!A0",
    "@SUM(A1)",
    "+1",
    "-1",
    "\t=1",
    "../../../etc/passwd",
    "..",
    "/etc/passwd",
    "a/b",
    "`",
    "a`b``c",
    "{{ 7 * 7 }} {% raw %}",
    "<!--lang:en-->x<!--lang:es-->y<!--/lang-->",
    "\u{2068}name\u{2069}",
    "| a | b |\n|---|---|",
    "größe 板 \u{5d0}\u{5d1}",
    "NaN",
    "q4_k_m",
    "gemm_f16",
    "999999999999999999999999",
];

/// The same files with one to four changes in those that hold messages and records.
pub fn mutated(files: &RunFiles, choices: &mut impl Choices) -> RunFiles {
    let mut files = files.clone();
    let names: Vec<String> = (files.keys())
        .filter(|name| name.ends_with(".json") || name.ends_with(".jsonl"))
        .filter(|name| !name.ends_with("files.json"))
        .cloned()
        .collect();
    for _ in 0..=choices.below(4) {
        let name = &names[choices.below(names.len())];
        let text = String::from_utf8_lossy(&files[name]).into_owned();
        let changed = match name.ends_with(".jsonl") {
            true => lines(&text, choices),
            false => document(&text, choices),
        };
        files.insert(name.clone(), changed.into_bytes());
    }
    files
}

fn document(text: &str, choices: &mut impl Choices) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    for _ in 0..=choices.below(3) {
        change(&mut value, choices);
    }
    serde_json::to_string(&value).unwrap()
}

/// Changes some lines of a stream; few of many, so that the rest still makes sense.
fn lines(text: &str, choices: &mut impl Choices) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    for _ in 0..=choices.below(6) {
        let at = choices.below(lines.len());
        match choices.below(12) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = choices.below(lines.len());
                lines.swap(at, other);
            }
            3 => lines.insert(at, TEXTS[choices.below(TEXTS.len())].to_owned()),
            4 => {
                let end = lines[at].floor_char_boundary(choices.below(lines[at].len() + 1));
                lines[at].truncate(end);
            }
            _ => lines[at] = document(&lines[at], choices),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n") + "\n"
}

/// Changes one place in a value, most often a leaf.
fn change(value: &mut Value, choices: &mut impl Choices) {
    let goes_deeper = choices.below(16) > 0;
    match value {
        Value::Object(entries) if goes_deeper && !entries.is_empty() => {
            let at = choices.below(entries.len());
            let key = entries.keys().nth(at).unwrap().clone();
            match choices.below(24) {
                0 => drop(entries.remove(&key)),
                1 => {
                    let old = entries.remove(&key).unwrap();
                    entries.insert(TEXTS[choices.below(TEXTS.len())].to_owned(), old);
                }
                _ => change(&mut entries[&key], choices),
            }
        }
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.below(24) {
                0 => drop(items.remove(at)),
                1 => items.extend(vec![items[at].clone(); 1 + choices.below(40)]),
                2 => items.clear(),
                _ => change(&mut items[at], choices),
            }
        }
        Value::Number(number) if choices.below(12) > 0 => {
            *value = match number.is_f64() {
                true => json!(ODD_NUMBERS[choices.below(ODD_NUMBERS.len())]),
                false => json!(NUMBERS[choices.below(NUMBERS.len())]),
            };
        }
        Value::String(text) if choices.below(12) > 0 => {
            *value = match choices.below(8) {
                0 => json!("x".repeat(5000)),
                1 => json!(format!("{text}{}", TEXTS[choices.below(TEXTS.len())])),
                _ => json!(TEXTS[choices.below(TEXTS.len())]),
            };
        }
        Value::Bool(is) => *value = json!(!*is),
        _ => {
            *value = match choices.below(6) {
                0 => Value::Null,
                1 => json!([]),
                2 => json!({}),
                3 => json!(ODD_NUMBERS[choices.below(ODD_NUMBERS.len())]),
                4 => json!(NUMBERS[choices.below(NUMBERS.len())]),
                _ => json!(TEXTS[choices.below(TEXTS.len())]),
            };
        }
    }
}
