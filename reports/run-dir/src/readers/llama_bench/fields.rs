//! The fields of one row, whatever form it was printed in.

use serde_json::{Map, Value as Json};

use crate::readers::Place;
use crate::readers::line::{self, Problems};

/// Largest whole number that a float holds without rounding: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The fields of a row; numbers may be written as texts, as CSV does.
pub(super) struct Fields<'a> {
    pub(super) place: Place,
    pub(super) row: &'a Map<String, Json>,
}

impl Fields<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.row.get(name)? {
            Json::String(text) => Some(line::name(text)),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(value) => Some(value.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// A number as it is written: a name is shortened, a number is not.
    pub(super) fn digits(&self, name: &str) -> Option<String> {
        match self.row.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// Whether a field says yes, in any form: `true`, `True` of pandas, `1` of CSV.
    pub(super) fn is_true(&self, name: &str) -> bool {
        let said = self.digits(name).unwrap_or_default();
        said == "1" || said.eq_ignore_ascii_case("true")
    }

    fn missing(&self, name: &str, problems: &mut Problems) {
        let what = format!("field `{name}` is missing; this is not a whole row of llama-bench");
        problems.add(self.place, what);
    }

    pub(super) fn need_text(&self, name: &str, problems: &mut Problems) -> Option<String> {
        let text = self.text(name).filter(|text| !text.is_empty());
        if text.is_none() {
            self.missing(name, problems);
        }
        text
    }

    /// A whole number from 0 on; `None` when the field is missing.
    pub(super) fn whole(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        let digits = self.digits(name)?;
        let whole = whole(&digits);
        if whole.is_none() {
            let text = line::shown(&digits);
            let what = format!("field `{name}` is `{text}`, not a whole number from 0 on");
            problems.add(self.place, what);
        }
        whole
    }

    pub(super) fn need_whole(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        if !self.row.contains_key(name) {
            self.missing(name, problems);
        }
        self.whole(name, problems)
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        let value = self.digits(name)?.parse::<f64>().ok()?;
        value.is_finite().then_some(value)
    }

    /// Times of the repetitions.
    pub(super) fn samples_ns(&self, problems: &mut Problems) -> Option<Vec<u64>> {
        let Json::Array(samples) = self.row.get("samples_ns")? else {
            problems.add(self.place, "field `samples_ns` is not a list");
            return None;
        };
        let positive = |sample: &Json| whole(&sample.to_string()).filter(|ns| *ns > 0);
        let read: Option<Vec<u64>> = samples.iter().map(positive).collect();
        if read.is_none() {
            let what = "field `samples_ns` holds something that is not a whole number above 0; measure again";
            problems.add(self.place, what);
        }
        read
    }

    /// Rates of the repetitions; `None` where the row has no list of numbers.
    pub(super) fn samples_ts(&self) -> Option<Vec<f64>> {
        let Json::Array(samples) = self.row.get("samples_ts")? else {
            return None;
        };
        samples.iter().map(Json::as_f64).collect()
    }
}

/// A whole number from 0 on. Programs that know floats alone (JavaScript, pandas) write 4 as `4.0`.
fn whole(digits: &str) -> Option<u64> {
    if let Ok(whole) = digits.trim().parse() {
        return Some(whole);
    }
    let value = digits.trim().parse::<f64>().ok()?;
    let is_whole = value.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&value);
    is_whole.then_some(value as u64)
}
