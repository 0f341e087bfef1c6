//! Output of llama-bench of llama.cpp and ik_llama.cpp: `-o json`, `-o jsonl`, `-o csv` and `-o md`, old and new.
//!
//! A row is one test: a prompt of `n_prompt` tokens, then `n_gen` generated ones, with `n_depth` tokens in the KV cache
//! before. `samples_ns` is the time of each repetition; a rate is `1e9 * (n_prompt + n_gen) / ns`, and the figure is
//! the mean of the rates of the repetitions.
//!
//! Mean and deviation are computed again from `samples_ns`: `stddev_ns` squares nanoseconds in 64 bits and is wrong for
//! times above some seconds. CSV and tables have no samples, so there `avg_ts` and `stddev_ts` count, which are computed
//! in floating point.
//!
//! Where a row says its rate, its times and its tokens, they must agree: forks time a part of the tokens they name, and
//! nothing tells which number is the right one.
//!
//! Fields that came or went over the years may be absent, and unknown ones pass. Log lines before, between and after
//! the rows pass, too.
//!
//! Source: `tools/llama-bench/llama-bench.cpp` of llama.cpp, `test::get_fields`, `get_ts`, `avg`, `stdev` and the
//! printers.

mod csv;
mod fields;
pub mod names;
mod processor;
mod rows;
mod table;

use std::collections::BTreeMap;

use fields::Fields;
use rows::{Form, Row};

use super::line::{self, Problems};
use super::{ImportError, Imported, ImportedFigure, MAX_FIGURES, Place, TokenRate, Tool, Value};

/// Fields of a row that are told as facts.
const FACTS: [&str; 4] = ["build_commit", "build_number", "cpu_info", "gpu_info"];

/// Values of a fact that are kept where rows differ.
const MAX_FACT_VALUES: usize = 8;

/// Stated and computed deviations that differ by more than this are worth a word.
const DEVIATION_DIFFERS: f64 = 0.10;

/// Rates that differ by more than this are not of the same tokens: they have no rounding to speak of.
const RATE_DIFFERS: f64 = 0.01;

/// Half of the last decimal of numbers that were printed rounded; 0 where they are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rounding {
    /// Of the bytes of the model.
    pub model_bytes: u64,
    /// Of the parameters.
    pub n_params: u64,
}

pub(super) fn looks_like(text: &str) -> bool {
    rows::are_in(text)
}

pub(super) fn parse(text: &str) -> Result<Imported, ImportError> {
    let mut problems = Problems::default();
    let found = rows::of(text, &mut problems);
    let rows = &found.rows;
    if rows.len() > MAX_FIGURES {
        return Err(ImportError::whole(format!(
            "there are {} rows, more than {MAX_FIGURES}; import it in parts",
            rows.len()
        )));
    }
    let mut remarks = found.remarks;
    let mut facts: BTreeMap<String, String> = BTreeMap::new();
    let mut figures = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let place = Place::Row(i + 1);
        let fields = Fields {
            place,
            row: &row.fields,
        };
        for name in FACTS {
            add_fact(&mut facts, name, fields.text(name));
        }
        add_fact(&mut facts, "backends", processor::backends(&fields));
        if let Some(figure) = figure(&fields, row, &mut problems, &mut remarks) {
            figures.push((row.form, figure));
        }
    }
    if let Some((commit, number)) = found.build {
        add_fact(&mut facts, "build_commit", Some(commit));
        add_fact(&mut facts, "build_number", Some(number));
    }
    let n_repeated = remove_repeated(&mut figures);
    if n_repeated > 0 {
        let rows = crate::format::count(n_repeated, "row", "rows");
        remarks.push(format!(
            "{rows} of a table left out: the text holds the same results in another form"
        ));
    }
    let has = |form| figures.iter().any(|(it, _)| *it == form);
    if has(Form::Csv) {
        remarks.push(
            "CSV holds no samples: mean and deviation are those that llama-bench computed".into(),
        );
    }
    if has(Form::Table) {
        remarks.push(
            "the table holds no samples and rounds: mean and deviation to 0.01, sizes to 0.01 of their unit".into(),
        );
    }
    let commit = facts.get("build_commit").cloned();
    problems.or(Imported {
        tool: Tool::LlamaBench,
        version: commit,
        facts,
        figures: figures.into_iter().map(|(_, figure)| figure).collect(),
        remarks,
    })
}

/// llama-bench prints a second form on standard error (`-oe md`), and both land in one log: its rows are counted once.
/// Returns how many went.
fn remove_repeated(figures: &mut Vec<(Form, ImportedFigure)>) -> usize {
    let key = |figure: &ImportedFigure| match &figure.value {
        Value::Tokens(rate) => Some((
            figure.name.clone(),
            rate.model_type.clone(),
            format!("{:.2}", rate.tokens_per_s),
        )),
        Value::Bandwidth(_) | Value::Latency(_) => None,
    };
    let exact: Vec<_> = (figures.iter())
        .filter(|(form, _)| *form != Form::Table)
        .map(|(_, figure)| key(figure))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let before = figures.len();
    figures.retain(|(form, figure)| {
        *form != Form::Table || exact.binary_search(&key(figure)).is_err()
    });
    before - figures.len()
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

/// What a row timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Test {
    n_prompt: u64,
    n_gen: u64,
    n_depth: u64,
}

impl Test {
    /// A test by its name: `pp512`, `tg128`, `pp512+tg128`, `tg128 @ d4096`, and `tg64@pp4096` of ik_llama.cpp, which
    /// fills the KV cache with a prompt and times the generation alone.
    fn of(name: &str) -> Option<Test> {
        let (test, depth) = match name.split_once('@') {
            None => (name, None),
            Some((test, depth)) => (test, Some(depth.trim())),
        };
        let number = |text: &str, prefix: &str| text.trim().strip_prefix(prefix)?.parse().ok();
        let (n_prompt, n_gen) = match test.split_once('+') {
            Some((prompt, gen_)) => (number(prompt, "pp")?, number(gen_, "tg")?),
            None => match number(test, "pp") {
                Some(n_prompt) => (n_prompt, 0),
                None => (0, number(test, "tg")?),
            },
        };
        let n_depth = match depth {
            None => 0,
            Some(depth) => match number(depth, "d") {
                Some(n_depth) => n_depth,
                None => number(depth, "pp").filter(|_| n_prompt == 0)?,
            },
        };
        Some(Test {
            n_prompt,
            n_gen,
            n_depth,
        })
    }

    /// The same where only so many tokens were timed: all that is generated after a prompt, or a part of anything.
    fn of_timed(self, n_timed: u64) -> Test {
        match n_timed == self.n_gen && self.n_prompt > 0 {
            true => Test {
                n_prompt: 0,
                n_gen: self.n_gen,
                n_depth: self.n_depth.max(self.n_prompt),
            },
            false => self,
        }
    }

    /// What the fields of a row say. A name and numbers that contradict each other are a problem.
    fn of_row(fields: &Fields, form: Form, problems: &mut Problems) -> Option<Test> {
        let named = match fields.text("test").filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => match Test::of(&name) {
                Some(test) => Some(test),
                None => {
                    let name = line::shown(&name);
                    let what = format!(
                        "`test` is `{name}`, not a test like `pp512` or `tg128`; leave the row out"
                    );
                    problems.add(fields.place, what);
                    return None;
                }
            },
        };
        if form == Form::Table {
            return named;
        }
        let n_prompt = fields.need_whole("n_prompt", problems);
        let n_gen = fields.need_whole("n_gen", problems);
        // Rows from before the KV cache could be filled first have no such field.
        let n_depth = match fields.row.contains_key("n_depth") {
            true => fields.whole("n_depth", problems),
            false => Some(0),
        };
        let test = Test {
            n_prompt: n_prompt?,
            n_gen: n_gen?,
            n_depth: n_depth?,
        };
        let Some(named) = named else {
            return Some(test);
        };
        // The prompt of `tg64@pp4096` stands in `n_prompt`.
        let is_after_prompt = named.n_prompt == 0 && named.n_depth == test.n_prompt;
        let is_same =
            named.n_gen == test.n_gen && (named.n_prompt == test.n_prompt || is_after_prompt);
        if !is_same {
            let what = format!(
                "`test` is `{}`, but `n_prompt` is {} and `n_gen` is {}; the row is damaged, so leave it out",
                label(named.n_prompt, named.n_gen, named.n_depth),
                test.n_prompt,
                test.n_gen
            );
            problems.add(fields.place, what);
            return None;
        }
        Some(Test {
            n_depth: named.n_depth.max(test.n_depth),
            ..named
        })
    }
}

fn figure(
    fields: &Fields,
    row: &Row,
    problems: &mut Problems,
    remarks: &mut Vec<String>,
) -> Option<ImportedFigure> {
    let place = fields.place;
    let is_table = row.form == Form::Table;
    let model_type = fields.need_text("model_type", problems);
    // A table shows the threads where they matter, and people leave out columns.
    let is_optional = |name: &str| is_table && !fields.row.contains_key(name);
    let need_whole = |name: &str, problems: &mut Problems| match is_optional(name) {
        true => Some(None),
        false => fields.need_whole(name, problems).map(Some),
    };
    let model_bytes = need_whole("model_size", problems);
    let n_threads = need_whole("n_threads", problems);
    let test = Test::of_row(fields, row.form, problems);
    let n_params = fields.whole("model_n_params", problems);
    let has_samples = fields.row.contains_key("samples_ns");
    let samples_ns = fields.samples_ns(problems);
    if !has_samples && !fields.row.contains_key("avg_ts") {
        let what =
            "fields `samples_ns` and `avg_ts` are missing; this is not a whole row of llama-bench";
        problems.add(place, what);
    }
    let test = test?;
    let n_tokens = test.n_prompt.checked_add(test.n_gen).filter(|n| *n > 0);
    if n_tokens.is_none() {
        problems.add(
            place,
            "`n_prompt` and `n_gen` are both 0, so nothing was measured",
        );
    }
    if model_bytes == Some(Some(0)) {
        problems.add(
            place,
            "field `model_size` is 0; it should be the bytes of the model's tensors",
        );
    }
    let n_threads = n_threads.map(|n| n.map(u32::try_from).transpose());
    if let Some(Err(_)) = n_threads {
        problems.add(place, "field `n_threads` is not a number of threads");
    }
    let n_tokens = n_tokens?;
    let (test, n_tokens) = match timed_tokens(fields, samples_ns.as_deref()) {
        Some(n_timed) if n_timed != n_tokens => {
            remarks.push(format!(
                "{place}: rates and times are of {n_timed} tokens, not of the {n_tokens} of `n_prompt` and `n_gen`; the rates count"
            ));
            (test.of_timed(n_timed), n_timed as f64)
        }
        _ => (test, n_tokens as f64),
    };
    let rates = match &samples_ns {
        Some(samples) if !samples.is_empty() => Some(rates_of(samples, n_tokens)),
        _ if has_samples && samples_ns.is_none() => return None,
        _ => None,
    };
    check_rates(fields, rates.as_deref(), problems)?;
    let (tokens_per_s, stddev_tokens_per_s) = match (rates, &samples_ns) {
        (Some(rates), Some(samples)) => {
            check_deviation(fields, samples, remarks);
            mean_and_stddev(&rates)
        }
        _ => stated(fields, problems)?,
    };
    Some(ImportedFigure {
        name: label(test.n_prompt, test.n_gen, test.n_depth),
        place,
        core: None,
        value: Value::Tokens(Box::new(TokenRate {
            model_filename: fields.text("model_filename").map(|path| file_name(&path)),
            model_type: model_type?,
            model_bytes: model_bytes?,
            n_params: n_params.filter(|n| *n > 0),
            rounding: row.rounding,
            n_threads: n_threads?.ok()?,
            n_prompt: test.n_prompt,
            n_gen: test.n_gen,
            n_depth: test.n_depth,
            type_k: fields.text("type_k"),
            type_v: fields.text("type_v"),
            backends: processor::backends(fields),
            uses_gpu: processor::uses_gpu(fields, test.n_prompt),
            samples_ns: samples_ns.unwrap_or_default(),
            tokens_per_s,
            stddev_tokens_per_s,
        })),
    })
}

/// The tokens that were timed, where every sample's rate and time and the mean rate agree on one number of them: forks
/// time a part of what they name.
fn timed_tokens(fields: &Fields, samples_ns: Option<&[u64]>) -> Option<u64> {
    let (samples_ns, samples_ts) = (samples_ns?, fields.samples_ts()?);
    let tokens: Vec<f64> = (samples_ts.iter().zip(samples_ns))
        .map(|(rate, ns)| rate * *ns as f64 / 1e9)
        .collect();
    let n_timed = tokens.first()?.round();
    let agrees = |a: f64, b: f64| (a - b).abs() <= RATE_DIFFERS * b;
    let is_one = n_timed >= 1.0
        && samples_ts.len() == samples_ns.len()
        && tokens.iter().all(|tokens| agrees(*tokens, n_timed));
    let mean = mean_and_stddev(&samples_ts).0;
    let is_mean = fields
        .float("avg_ts")
        .is_none_or(|stated| agrees(stated, mean));
    (is_one && is_mean).then_some(n_timed as u64)
}

fn rates_of(samples_ns: &[u64], n_tokens: f64) -> Vec<f64> {
    let rate = |ns: &u64| 1e9 * n_tokens / *ns as f64;
    samples_ns.iter().map(rate).collect()
}

/// Everything that tells a rate must tell the same one. Otherwise the tokens are not those that were timed, or a number
/// is wrong, and nothing says which.
fn check_rates(fields: &Fields, rates: Option<&[f64]>, problems: &mut Problems) -> Option<()> {
    let differs = |a: f64, b: f64| (a - b).abs() > RATE_DIFFERS * b.abs();
    let stated = fields.float("avg_ts");
    let samples_ts = fields.samples_ts().filter(|samples| !samples.is_empty());
    let mean = |rates: &[f64]| mean_and_stddev(rates).0;
    let mut contradiction = None;
    if let (Some(stated), Some(rates)) = (stated, rates)
        && differs(stated, mean(rates))
    {
        contradiction = Some(format!(
            "`avg_ts` is {stated}, but the tokens over `samples_ns` give {:.6}",
            mean(rates)
        ));
    } else if let (Some(samples_ts), Some(rates)) = (&samples_ts, rates)
        && (samples_ts.len() != rates.len()
            || samples_ts.iter().zip(rates).any(|(a, b)| differs(*a, *b)))
    {
        contradiction = Some("`samples_ts` are not the tokens over `samples_ns`".to_owned());
    } else if let (Some(stated), Some(samples_ts)) = (stated, &samples_ts)
        && differs(stated, mean(samples_ts))
    {
        contradiction = Some(format!(
            "`avg_ts` is {stated}, but the mean of `samples_ts` is {:.6}",
            mean(samples_ts)
        ));
    }
    let Some(contradiction) = contradiction else {
        return Some(());
    };
    problems.add(
        fields.place,
        format!(
            "{contradiction}; nothing tells which is right, so leave the row out or measure again"
        ),
    );
    None
}

/// A word where the deviation of the times is not that of the samples.
fn check_deviation(fields: &Fields, samples_ns: &[u64], remarks: &mut Vec<String>) {
    let times: Vec<f64> = samples_ns.iter().map(|ns| *ns as f64).collect();
    if let (Some(stated), Some(computed)) = (fields.float("stddev_ns"), mean_and_stddev(&times).1)
        && (stated - computed).abs() > DEVIATION_DIFFERS * computed
        // The program cuts off what is below a nanosecond.
        && (stated - computed).abs() >= 1.0
    {
        remarks.push(format!(
            "{}: `stddev_ns` is {stated}, but the samples give {computed:.0}; the samples count (llama-bench squares nanoseconds in 64 bits, which overflow)",
            fields.place
        ));
    }
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
pub fn mean_and_stddev(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let stddev = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    (mean, stddev)
}

/// The name that llama-bench gives a test in its tables: `pp512`, `tg128`, `pp512+tg128`, ` @ d4096` where the KV cache
/// holds something before.
pub fn label(n_prompt: u64, n_gen: u64, n_depth: u64) -> String {
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
