//! Numbers in the lines of a text: what every parser here needs, and refuses in the same words.

use super::{ImportError, Imported, Place, Problem};

/// Longest name that is kept, characters: names of tests are a line at most.
const MAX_NAME_CHARS: usize = 120;

/// Problems found while a text is read; the end of it turns them into an error.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one.
    pub(super) fn add(&mut self, place: Place, what: impl Into<String>) {
        self.0.push(Problem {
            place: Some(place),
            what: what.into(),
        });
    }

    /// A finite number above zero, or a problem.
    pub(super) fn positive(&mut self, place: Place, what: &str, text: &str) -> Option<f64> {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 => Some(value),
            _ => {
                self.add(place, not_positive(what, text));
                None
            }
        }
    }

    /// A finite number that is not negative, or a problem.
    pub(super) fn not_negative(&mut self, place: Place, what: &str, text: &str) -> Option<f64> {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Some(value),
            _ => {
                let text = shown(text);
                let what = format!("{what} is `{text}`, not a number from 0 on; measure again");
                self.add(place, what);
                None
            }
        }
    }

    /// The result, or all problems.
    pub(super) fn or(self, imported: Imported) -> Result<Imported, ImportError> {
        match self.0.is_empty() {
            true => Ok(imported),
            false => Err(ImportError { problems: self.0 }),
        }
    }
}

/// The words for what should be a number above zero.
pub(super) fn not_positive(what: &str, text: &str) -> String {
    let text = shown(text);
    format!("{what} is `{text}`, not a number above 0; measure again")
}

/// A piece of foreign text in a message: one line, not too long.
pub(super) fn shown(text: &str) -> String {
    crate::format::foreign_short(text, 40)
}

/// A name as it is kept: one line, not too long.
pub(super) fn name(text: &str) -> String {
    crate::format::foreign_short(text.trim(), MAX_NAME_CHARS)
}

/// A field of a table as it is kept: whole numbers of any length stay whole.
pub(super) fn field(text: &str) -> String {
    crate::format::foreign(text.trim())
}

/// Lines with their numbers from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line))
}
