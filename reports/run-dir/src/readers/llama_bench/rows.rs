//! The rows of a text, in whatever forms they stand in it, among lines of logs.
//!
//! Refuses to pass over a row: a line that names fields of llama-bench and cannot be read is a problem.

use serde_json::{Map, Value as Json};

use super::{Rounding, csv, table};
use crate::readers::Place;
use crate::readers::line::Problems;

/// Fields that only rows of llama-bench have.
const OWN_FIELDS: [&str; 4] = ["n_prompt", "n_gen", "samples_ns", "avg_ts"];

/// The form that a row was printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
    Table,
}

/// A row.
pub(super) struct Row {
    pub(super) form: Form,
    pub(super) fields: Map<String, Json>,
    /// What its numbers were rounded to.
    pub(super) rounding: Rounding,
}

/// The rows of a text and what a reader must know beside them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) remarks: Vec<String>,
    /// Commit and number of `build: 0123abc4 (9992)`, which stands below tables.
    pub(super) build: Option<(String, String)>,
}

/// The table that lines may belong to.
#[derive(Default)]
enum Context {
    #[default]
    None,
    Csv(csv::Header),
    Table(table::Header),
}

/// Whether rows may be in a text.
pub(super) fn are_in(text: &str) -> bool {
    let is_json = text.contains("\"avg_ts\"") || text.contains("\"samples_ns\"");
    let is_header =
        |line: &str| csv::Header::of(line).is_some() || table::Header::of(line).is_some();
    is_json && text.contains("\"n_prompt\"")
        || text.lines().any(is_header)
        || text.lines().any(table::is_row_alone)
}

/// All rows in their order.
pub(super) fn of(text: &str, problems: &mut Problems) -> Rows {
    let mut rows = Rows::default();
    let mut context = Context::None;
    // After a broken object: its other lines are no news.
    let mut is_in_broken = false;
    let mut position = 0;
    let mut number = 0;
    while position < text.len() {
        let rest = &text[position..];
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        number += 1;
        let line = &rest[..end];
        if let Some(start) = object_in(line) {
            context = Context::None;
            is_in_broken = false;
            match rows.object(&rest[start..], number, problems) {
                Some(used) => {
                    // Other objects may follow in the same line.
                    let used = start + used;
                    number += rest[..used].matches('\n').count();
                    // The line goes on, and is counted again.
                    number -= 1;
                    position += used;
                }
                None => {
                    is_in_broken = true;
                    position += end;
                }
            }
            continue;
        }
        let next = rest[end..].lines().next().unwrap_or_default();
        let is_last = end == rest.len() && !line.ends_with('\n');
        let place = Place::Line(number);
        if let Some(header) = csv::Header::of(line) {
            context = Context::Csv(header);
        } else if let Some(header) = table::Header::of(line) {
            context = Context::Table(header);
        } else if table::is_header(line, next) {
            // The header of another table.
            context = Context::None;
        } else {
            rows.line(line, place, is_last, is_in_broken, &mut context, problems);
        }
        position += end;
    }
    rows
}

/// Where the first object of a line begins. Brackets and commas of lists come before it; a line of a log may begin with
/// a bracket as well, but with a word in it.
fn object_in(line: &str) -> Option<usize> {
    let inner = line.trim_start_matches(|c: char| c.is_whitespace() || "[],".contains(c));
    inner.starts_with('{').then(|| line.len() - inner.len())
}

impl Rows {
    /// Reads an object, and returns the bytes it takes.
    fn object(&mut self, text: &str, number: usize, problems: &mut Problems) -> Option<usize> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        match values.next()? {
            Ok(value) => {
                self.take(value);
                Some(values.byte_offset())
            }
            Err(error) => {
                // A last line end is not a line of its own.
                let is_past_end = error.is_eof() && text.ends_with('\n');
                let line = error.line().saturating_sub(usize::from(is_past_end));
                let place = Place::Line(number + line.max(1) - 1);
                // Only at the end of the text, so the rest is counted once.
                let is_last = || text.matches("\"n_prompt\"").count() <= 1;
                if error.is_eof() && !self.rows.is_empty() && is_last() {
                    self.cut_off(place, "the text ends in the middle of a row");
                } else {
                    let what = format!("this is not JSON: {error}; the file is damaged or cut off");
                    problems.add(place, what);
                }
                None
            }
        }
    }

    /// Takes an object that is a row, and rows inside other objects and lists.
    fn take(&mut self, value: Json) {
        match value {
            Json::Object(fields) if OWN_FIELDS.iter().any(|it| fields.contains_key(*it)) => {
                self.push(Form::Json, fields, Rounding::default());
            }
            Json::Object(fields) => fields.into_iter().for_each(|(_, value)| self.take(value)),
            Json::Array(values) => values.into_iter().for_each(|value| self.take(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    fn push(&mut self, form: Form, fields: Map<String, Json>, rounding: Rounding) {
        self.rows.push(Row {
            form,
            fields,
            rounding,
        });
    }

    /// A run that was ended early leaves half a row, after whole ones.
    fn cut_off(&mut self, place: Place, why: &str) {
        self.remarks.push(format!(
            "{place}: {why}; the row is left out, and those before it are whole"
        ));
    }

    /// Reads a line that begins neither an object nor a table.
    fn line(
        &mut self,
        line: &str,
        place: Place,
        is_last: bool,
        is_in_broken: bool,
        context: &mut Context,
        problems: &mut Problems,
    ) {
        let cut_off = match context {
            Context::Csv(header) => match header.line(line) {
                csv::Line::Row(fields) => {
                    return self.push(Form::Csv, fields, Rounding::default());
                }
                csv::Line::CutOff(why) => Some(why),
                csv::Line::Other => None,
            },
            Context::Table(header) => match header.line(line) {
                table::Line::Row(fields, rounding) => {
                    return self.push(Form::Table, fields, rounding);
                }
                table::Line::Broken(what) => return problems.add(place, what),
                table::Line::CutOff(why)
                    if line.trim_start_matches(['>', ' ']).starts_with('|') =>
                {
                    Some(why)
                }
                table::Line::CutOff(_) | table::Line::Other => None,
            },
            Context::None => None,
        };
        if let Some(why) = cut_off {
            return match is_last && !self.rows.is_empty() {
                true => self.cut_off(place, &why),
                false => problems.add(place, format!("{why}; it is cut off")),
            };
        }
        if let Some(build) = build(line) {
            self.build = Some(build);
        }
        if line.contains("\"n_prompt\"") && !is_in_broken {
            let is_quoted = line.trim_start().starts_with('>');
            let what = match is_quoted {
                true => "the line holds `n_prompt` and is quoted; remove the `> ` before each line",
                false => {
                    "the line holds `n_prompt` and cannot be read as a row; a row begins a line with `{`"
                }
            };
            problems.add(place, what);
        } else if table::is_row_alone(line) {
            let what = "this is a row of a table whose header is missing; copy the line that begins with `| model` as well";
            problems.add(place, what);
        }
    }
}

/// What stands below a table: `build: 0123abc4 (9992)`.
fn build(line: &str) -> Option<(String, String)> {
    let rest = line.trim().strip_prefix("build: ")?;
    let (commit, number) = rest.strip_suffix(')')?.split_once(" (")?;
    let is_commit = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_hexdigit());
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_commit && is_number).then(|| (commit.to_owned(), number.to_owned()))
}
