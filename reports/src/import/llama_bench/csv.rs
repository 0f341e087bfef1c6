//! CSV as llama-bench prints it: a header of bare names, then rows whose fields are all quoted.

use serde_json::{Map, Value as Json};

use super::Row;
use crate::import::line::{self, Problems};
use crate::import::{ImportError, Imported, Place, Tool};

/// Where the header line begins, in bytes, and its number; `None` in a text without one.
pub(super) fn header(text: &str) -> Option<(usize, usize)> {
    let mut position = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let names: Vec<&str> = line.trim().split(',').map(unquoted).collect();
        let has = |name: &str| names.contains(&name);
        if has("n_prompt") && has("n_gen") && has("avg_ts") {
            return Some((position, number + 1));
        }
        position += line.len();
    }
    None
}

fn unquoted(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .unwrap_or(name)
}

/// Rows below the header. Every field is a text.
pub(super) fn rows(text: &str, start: (usize, usize)) -> Result<Vec<Row>, ImportError> {
    let (position, mut number) = start;
    let mut records = Records {
        rest: &text[position..],
    };
    let mut problems = Problems::default();
    let names = records.next().and_then(Result::ok).unwrap_or_default().0;
    number += 1;
    let mut rows = Vec::new();
    for record in records {
        let place = Place::Line(number);
        match record {
            Err(()) => {
                problems.add(
                    place,
                    "a quotation mark is never closed; the file is cut off",
                );
            }
            Ok((fields, n_lines)) => {
                let is_blank = fields.iter().all(|field| field.trim().is_empty());
                if is_blank {
                } else if fields.len() == names.len() {
                    let values = fields.into_iter().map(Json::String);
                    let row: Map<String, Json> = names.iter().cloned().zip(values).collect();
                    rows.push((number, row));
                } else {
                    let what = format!(
                        "the line has {} fields, and the header names {}; it is cut off",
                        fields.len(),
                        names.len()
                    );
                    problems.add(place, what);
                }
                number += n_lines;
            }
        }
    }
    let nothing = Imported {
        tool: Tool::LlamaBench,
        version: None,
        facts: std::collections::BTreeMap::new(),
        figures: Vec::new(),
        remarks: Vec::new(),
    };
    problems.or(nothing).map(|_| rows)
}

/// Records of a CSV text (RFC 4180): fields, and the lines they span.
struct Records<'a> {
    rest: &'a str,
}

impl Iterator for Records<'_> {
    type Item = Result<(Vec<String>, usize), ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut fields = vec![String::new()];
        let mut n_lines = 0;
        let mut is_quoted = false;
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            let field = fields.last_mut().expect("it begins with one");
            match c {
                '"' if is_quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    field.push('"');
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => fields.push(String::new()),
                '\n' if !is_quoted => {
                    end = at + 1;
                    break;
                }
                '\n' => {
                    n_lines += 1;
                    field.push('\n');
                }
                '\r' if !is_quoted => {}
                c => field.push(c),
            }
        }
        self.rest = match is_quoted {
            true => "",
            false => &self.rest[end..],
        };
        Some(match is_quoted {
            true => Err(()),
            false => Ok((
                fields.iter().map(|field| line::field(field)).collect(),
                n_lines + 1,
            )),
        })
    }
}
