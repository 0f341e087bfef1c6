//! Output of llama-bench of llama.cpp: `-o json`, `-o jsonl` and `-o csv`, old and new.
//!
//! A row is one test: a prompt of `n_prompt` tokens, then `n_gen` generated ones, with `n_depth` tokens in the KV cache
//! before. `samples_ns` is the time of each repetition; a rate is `1e9 * (n_prompt + n_gen) / ns`, and the figure is
//! the mean of the rates of the repetitions.
//!
//! Mean and deviation are computed anew from `samples_ns`: `stddev_ns` squares nanoseconds in 64 bits and is wrong for
//! times above some seconds. CSV has no samples, so there `avg_ts` and `stddev_ts` count, which are computed in
//! floating point.
//!
//! Fields that came or went over the years may be absent, and unknown ones pass. Log lines before, between and after
//! the rows pass, too: a row begins on a line of its own.
//!
//! Source: `tools/llama-bench/llama-bench.cpp` of llama.cpp, `test::get_fields`, `get_ts`, `avg`, `stdev` and the
//! printers.

mod csv;
pub(crate) mod names;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::line::{self, Problems};
use super::{ImportError, Imported, ImportedFigure, MAX_FIGURES, Place, TokenRate, Tool, Value};

/// Fields of a row that are told as facts.
const FACTS: [&str; 5] = [
    "build_commit",
    "build_number",
    "cpu_info",
    "gpu_info",
    "backends",
];

/// Values of a fact that are kept where rows differ.
const MAX_FACT_VALUES: usize = 8;

/// Stated and computed figures that differ by more than this are worth a word.
const DEVIATION_DIFFERS: f64 = 0.10;

/// The same for means, which have no rounding to speak of.
const MEAN_DIFFERS: f64 = 0.01;

/// A row, and the line it begins in.
type Row = (usize, Map<String, Json>);

pub(super) fn looks_like(text: &str) -> bool {
    let is_json = text.contains("\"avg_ts\"") || text.contains("\"samples_ns\"");
    is_json && text.contains("\"n_prompt\"") || csv::header(text).is_some()
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let (rows, is_csv) = match csv::header(text) {
        Some(start) => (csv::rows(text, start)?, true),
        None => (json_rows(text)?, false),
    };
    if rows.len() > MAX_FIGURES {
        return Err(ImportError::whole(format!(
            "there are {} rows, more than {MAX_FIGURES}; import it in parts",
            rows.len()
        )));
    }
    let mut problems = Problems::default();
    let mut remarks = Vec::new();
    let mut facts: BTreeMap<String, String> = BTreeMap::new();
    let mut figures = Vec::new();
    for (i, (_, row)) in rows.iter().enumerate() {
        let place = Place::Row(i + 1);
        let fields = Fields { place, row };
        for name in FACTS {
            add_fact(&mut facts, name, fields.text(name));
        }
        if let Some(figure) = figure(&fields, &mut problems, &mut remarks) {
            figures.push(figure);
        }
    }
    if is_csv && !figures.is_empty() {
        remarks.push(
            "CSV holds no samples: mean and deviation are those that llama-bench computed".into(),
        );
    }
    let commit = facts.get("build_commit").cloned();
    problems.or(Imported {
        tool: Tool::LlamaBench,
        version: commit,
        facts,
        figures,
        remarks,
    })
}

/// Where rows differ, all values are told, up to some.
fn add_fact(facts: &mut BTreeMap<String, String>, name: &str, value: Option<String>) {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return;
    };
    match facts.get_mut(name) {
        None => {
            facts.insert(name.to_owned(), value);
        }
        Some(known) => {
            let n_known = known.split("; ").count();
            if n_known < MAX_FACT_VALUES && !known.split("; ").any(|it| it == value) {
                known.push_str("; ");
                known.push_str(&value);
            }
        }
    }
}

/// Rows of all JSON values that begin at the start of a line; other lines pass.
fn json_rows(text: &str) -> Result<Vec<Row>, ImportError> {
    let mut rows = Vec::new();
    let mut problems = Problems::default();
    let mut position = 0;
    let mut number = 0;
    while position < text.len() {
        let rest = &text[position..];
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        number += 1;
        if !begins_rows(&rest[..end]) {
            position += end;
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                // Line 1 of the value is this line.
                let place = Place::Line(number + error.line().saturating_sub(1));
                let what = format!("this is no JSON: {error}; the file is damaged or cut off");
                problems.add(place, what);
                break;
            }
            None => break,
        };
        let used = values.byte_offset().max(1);
        take_rows(value, number, &mut rows, &mut problems);
        // A value that ends in the middle of a line takes the line with it; nothing but a line end follows in what
        // llama-bench prints.
        let line_end = rest[used..]
            .find('\n')
            .map_or(rest.len(), |end| used + end + 1);
        let tail = rest[used..line_end].trim();
        if !tail.is_empty() {
            let what = format!(
                "`{}` follows the end of a row; remove it",
                line::shown(tail)
            );
            problems.add(Place::Line(number), what);
        }
        number += rest[..line_end].matches('\n').count().saturating_sub(1);
        position += line_end;
    }
    let nothing = Imported {
        tool: Tool::LlamaBench,
        version: None,
        facts: BTreeMap::new(),
        figures: Vec::new(),
        remarks: Vec::new(),
    };
    problems.or(nothing).map(|_| rows)
}

/// Whether a line begins an array of rows or a row. Log lines may begin with a bracket as well, but with a word in it.
fn begins_rows(line: &str) -> bool {
    let line = line.trim();
    let in_array = line.strip_prefix('[').map(str::trim_start);
    line.starts_with('{') || in_array.is_some_and(|it| it.is_empty() || it.starts_with(['{', ']']))
}

fn take_rows(value: Json, number: usize, rows: &mut Vec<Row>, problems: &mut Problems) {
    match value {
        Json::Array(items) => {
            for item in items {
                match item {
                    Json::Object(row) => rows.push((number, row)),
                    _ => problems.add(
                        Place::Row(rows.len() + 1),
                        "a row should be an object with fields",
                    ),
                }
            }
        }
        Json::Object(row) => rows.push((number, row)),
        _ => problems.add(
            Place::Line(number),
            "this is neither a row nor a list of rows",
        ),
    }
}

/// The fields of a row; numbers may be written as texts, as CSV does.
struct Fields<'a> {
    place: Place,
    row: &'a Map<String, Json>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<String> {
        match self.row.get(name)? {
            Json::String(text) => Some(line::name(text)),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(value) => Some(value.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// A number as it is written: a name is shortened, a number is not.
    fn digits(&self, name: &str) -> Option<String> {
        match self.row.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            other => Some(other.to_string()),
        }
    }

    fn missing(&self, name: &str, problems: &mut Problems) {
        let what = format!("field `{name}` is missing; this is no whole row of llama-bench");
        problems.add(self.place, what);
    }

    fn need_text(&self, name: &str, problems: &mut Problems) -> Option<String> {
        let text = self.text(name).filter(|text| !text.is_empty());
        if text.is_none() {
            self.missing(name, problems);
        }
        text
    }

    /// A whole number from 0 on; `None` when the field is not there.
    fn whole(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        let digits = self.digits(name)?;
        let whole = digits.parse().ok();
        if whole.is_none() {
            let text = line::shown(&digits);
            let what = format!("field `{name}` is `{text}`, not a whole number from 0 on");
            problems.add(self.place, what);
        }
        whole
    }

    fn need_whole(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        if !self.row.contains_key(name) {
            self.missing(name, problems);
        }
        self.whole(name, problems)
    }

    fn float(&self, name: &str) -> Option<f64> {
        let value = self.digits(name)?.parse::<f64>().ok()?;
        value.is_finite().then_some(value)
    }

    fn samples_ns(&self, problems: &mut Problems) -> Option<Vec<u64>> {
        let Json::Array(samples) = self.row.get("samples_ns")? else {
            problems.add(self.place, "field `samples_ns` is no list");
            return None;
        };
        let whole = |sample: &Json| sample.as_u64().filter(|ns| *ns > 0);
        let read: Option<Vec<u64>> = samples.iter().map(whole).collect();
        if read.is_none() {
            let what =
                "field `samples_ns` holds something that is no whole number above 0; measure again";
            problems.add(self.place, what);
        }
        read
    }
}

fn figure(
    fields: &Fields,
    problems: &mut Problems,
    remarks: &mut Vec<String>,
) -> Option<ImportedFigure> {
    let place = fields.place;
    let model_type = fields.need_text("model_type", problems);
    let model_bytes = fields.need_whole("model_size", problems);
    let n_threads = fields.need_whole("n_threads", problems);
    let n_prompt = fields.need_whole("n_prompt", problems);
    let n_gen = fields.need_whole("n_gen", problems);
    // Rows from before the KV cache could be filled first have no such field.
    let n_depth = match fields.row.contains_key("n_depth") {
        true => fields.whole("n_depth", problems),
        false => Some(0),
    };
    let n_params = fields.whole("model_n_params", problems);
    let has_samples = fields.row.contains_key("samples_ns");
    let samples_ns = fields.samples_ns(problems);
    if !has_samples && !fields.row.contains_key("avg_ts") {
        let what =
            "fields `samples_ns` and `avg_ts` are missing; this is no whole row of llama-bench";
        problems.add(place, what);
    }
    let (n_prompt, n_gen) = (n_prompt?, n_gen?);
    let n_tokens = n_prompt.checked_add(n_gen).filter(|n| *n > 0);
    if n_tokens.is_none() {
        problems.add(
            place,
            "`n_prompt` and `n_gen` are both 0, so nothing was measured",
        );
    }
    if model_bytes == Some(0) {
        problems.add(
            place,
            "field `model_size` is 0; it should be the bytes of the model's tensors",
        );
    }
    let n_threads = n_threads.map(u32::try_from);
    if let Some(Err(_)) = n_threads {
        problems.add(place, "field `n_threads` is no number of threads");
    }
    let n_tokens = n_tokens? as f64;
    let (tokens_per_s, stddev_tokens_per_s) = match &samples_ns {
        Some(samples) if !samples.is_empty() => from_samples(fields, samples, n_tokens, remarks),
        _ if has_samples && samples_ns.is_none() => return None,
        _ => stated(fields, problems)?,
    };
    let gpu_info = fields.text("gpu_info").is_some_and(|it| !it.is_empty());
    let no_layers = fields.digits("n_gpu_layers").is_some_and(|it| it == "0");
    let name = label(n_prompt, n_gen, n_depth?);
    Some(ImportedFigure {
        name,
        place,
        core: None,
        value: Value::Tokens(Box::new(TokenRate {
            model_filename: fields.text("model_filename").map(|path| file_name(&path)),
            model_type: model_type?,
            model_bytes: model_bytes.filter(|bytes| *bytes > 0)?,
            n_params: n_params.filter(|n| *n > 0),
            n_threads: n_threads?.ok()?,
            n_prompt,
            n_gen,
            n_depth: n_depth?,
            type_k: fields.text("type_k"),
            type_v: fields.text("type_v"),
            backends: fields.text("backends"),
            uses_gpu: gpu_info && !no_layers,
            samples_ns: samples_ns.unwrap_or_default(),
            tokens_per_s,
            stddev_tokens_per_s,
        })),
    })
}

/// Mean and deviation of the rates, and a word where the row's own say something else.
fn from_samples(
    fields: &Fields,
    samples: &[u64],
    n_tokens: f64,
    remarks: &mut Vec<String>,
) -> (f64, Option<f64>) {
    let rates: Vec<f64> = samples
        .iter()
        .map(|ns| 1e9 * n_tokens / *ns as f64)
        .collect();
    let times: Vec<f64> = samples.iter().map(|ns| *ns as f64).collect();
    let (mean, stddev) = mean_and_stddev(&rates);
    let differs = |stated: f64, computed: f64, by: f64| (stated - computed).abs() > by * computed;
    if let Some(stated) = fields
        .float("avg_ts")
        .filter(|it| differs(*it, mean, MEAN_DIFFERS))
    {
        remarks.push(format!(
            "{}: `avg_ts` is {stated}, but the samples give {mean:.6}; the samples count",
            fields.place
        ));
    }
    if let (Some(stated), Some(computed)) = (fields.float("stddev_ns"), mean_and_stddev(&times).1)
        && differs(stated, computed, DEVIATION_DIFFERS)
        // The program cuts off what is below a nanosecond.
        && (stated - computed).abs() >= 1.0
    {
        remarks.push(format!(
            "{}: `stddev_ns` is {stated}, but the samples give {computed:.0}; the samples count (llama-bench squares nanoseconds in 64 bits, which overflow)",
            fields.place
        ));
    }
    (mean, stddev)
}

/// What the row itself says, where it has no samples.
fn stated(fields: &Fields, problems: &mut Problems) -> Option<(f64, Option<f64>)> {
    let text = fields.digits("avg_ts")?;
    let mean = problems.positive(fields.place, "field `avg_ts`", &text)?;
    let stddev = match fields.digits("stddev_ts") {
        Some(text) => Some(problems.not_negative(fields.place, "field `stddev_ts`", &text)?),
        None => None,
    };
    Some((mean, stddev))
}

/// Mean and sample standard deviation; no deviation of fewer than two.
pub(crate) fn mean_and_stddev(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let stddev = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    (mean, stddev)
}

/// The name that llama-bench gives a test in its tables: `pp512`, `tg128`, `pp512+tg128`, ` @ d4096` where the KV cache
/// holds something before.
pub(crate) fn label(n_prompt: u64, n_gen: u64, n_depth: u64) -> String {
    let mut label = match (n_prompt, n_gen) {
        (n_prompt, 0) => format!("pp{n_prompt}"),
        (0, n_gen) => format!("tg{n_gen}"),
        (n_prompt, n_gen) => format!("pp{n_prompt}+tg{n_gen}"),
    };
    if n_depth > 0 {
        label += &format!(" @ d{n_depth}");
    }
    label
}

/// The last part of a path of either sort: folders tell more of a machine than of a model.
fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}
