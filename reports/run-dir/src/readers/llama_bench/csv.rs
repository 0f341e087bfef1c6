//! CSV as llama-bench prints it: a header of bare names, then rows whose fields are all quoted. Spreadsheets and
//! pandas save it with other quotes and separators, and scripts append one output to another.

use serde_json::{Map, Value as Json};

use crate::readers::line;

/// What separates fields: of llama-bench, and of spreadsheets.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The header of a table of rows.
pub(super) struct Header {
    separator: char,
    names: Vec<String>,
    /// First fields of the rows so far: the build, which lines of a log do not begin with.
    builds: Vec<String>,
}

/// What a line below a header is.
pub(super) enum Line {
    Row(Map<String, Json>),
    /// Some fields are missing.
    CutOff(String),
    /// A line of a log.
    Other,
}

impl Header {
    /// The header that a line is; `None` for any other line.
    pub(super) fn of(line: &str) -> Option<Header> {
        if !line.contains("n_prompt") {
            return None;
        }
        SEPARATORS.into_iter().find_map(|separator| {
            let (names, _) = fields(line, separator);
            let has = |name: &str| names.iter().any(|it| it == name);
            (has("n_prompt") && has("n_gen") && has("avg_ts")).then_some(Header {
                separator,
                names,
                builds: Vec::new(),
            })
        })
    }

    /// Reads one line below the header. No field of llama-bench spans lines.
    pub(super) fn line(&mut self, line: &str) -> Line {
        let (fields, is_closed) = fields(line, self.separator);
        let is_known = fields
            .first()
            .is_some_and(|field| self.builds.contains(field));
        let is_row = 2 * fields.len() > self.names.len() || line.starts_with('"') || is_known;
        if line.trim().is_empty() || !is_row {
            return Line::Other;
        }
        if !is_closed {
            return Line::CutOff("a quotation mark is never closed".to_owned());
        }
        if fields.len() != self.names.len() {
            return Line::CutOff(format!(
                "the line has {} fields, and the header names {}",
                fields.len(),
                self.names.len()
            ));
        }
        if !is_known {
            self.builds.extend(fields.first().cloned());
        }
        let values = fields.into_iter().map(|field| {
            // Where a semicolon separates fields, a comma separates decimals.
            let is_decimal = self.separator == ';' && is_decimal_comma(&field);
            Json::String(match is_decimal {
                true => field.replace(',', "."),
                false => field,
            })
        });
        Line::Row(self.names.iter().cloned().zip(values).collect())
    }
}

fn is_decimal_comma(field: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    field
        .split_once(',')
        .is_some_and(|(whole, part)| is_digits(whole) && is_digits(part))
}

/// The fields of a line (RFC 4180), and whether its last quotation mark is closed.
fn fields(line: &str, separator: char) -> (Vec<String>, bool) {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("it begins with one");
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    (
        fields.iter().map(|field| line::field(field)).collect(),
        !is_quoted,
    )
}
