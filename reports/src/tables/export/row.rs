//! Rows of llama-bench as text: the layouts of its printers, value by value.
//!
//! Source: `json_printer`, `jsonl_printer` and `csv_printer` in `tools/llama-bench/llama-bench.cpp` of llama.cpp.

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Text(String),
    Int(u64),
    Bool(bool),
    Float(f64),
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Fields in the order in which they are printed; the same names in every row.
    pub(super) fields: Vec<(&'static str, Field)>,
    /// Time of each repetition, nanoseconds.
    pub(super) samples_ns: Vec<u64>,
    /// Tokens per second of each repetition.
    pub(super) samples_ts: Vec<f64>,
}

impl Field {
    /// A text of our own or of a board.
    pub(super) fn text(text: &str) -> Field {
        Field::Text(bench_run_dir::format::foreign(text))
    }

    fn json(&self) -> String {
        match self {
            Field::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Field::Int(value) => value.to_string(),
            Field::Bool(value) => value.to_string(),
            Field::Float(value) => format!("{value:.6}"),
        }
    }

    /// Quoted, whatever it is; a truth value is a digit.
    fn csv(&self) -> String {
        let text = match self {
            Field::Text(text) => bench_run_dir::format::csv_cell(text).replace('"', "\"\""),
            Field::Int(value) => value.to_string(),
            Field::Bool(value) => u8::from(*value).to_string(),
            Field::Float(value) => format!("{value:.6}"),
        };
        format!("\"{text}\"")
    }
}

impl Row {
    /// All entries of the object, samples last.
    fn entries(&self) -> Vec<String> {
        let fields = self.fields.iter();
        let mut entries: Vec<String> = fields
            .map(|(name, field)| format!("\"{name}\": {}", field.json()))
            .collect();
        let ns: Vec<String> = self.samples_ns.iter().map(u64::to_string).collect();
        let ts: Vec<String> = self
            .samples_ts
            .iter()
            .map(|ts| format!("{ts:.6}"))
            .collect();
        entries.push(format!("\"samples_ns\": [ {} ]", ns.join(", ")));
        entries.push(format!("\"samples_ts\": [ {} ]", ts.join(", ")));
        entries
    }
}

pub(super) fn json(rows: &[Row]) -> String {
    let object = |row: &Row| format!("  {{\n    {}\n  }}", row.entries().join(",\n    "));
    let objects: Vec<String> = rows.iter().map(object).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

pub(super) fn json_lines(rows: &[Row]) -> String {
    let line = |row: &Row| format!("{{{}}}\n", row.entries().join(", "));
    rows.iter().map(line).collect()
}

pub(super) fn csv(rows: &[Row]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let names: Vec<&str> = first.fields.iter().map(|(name, _)| *name).collect();
    let line = |row: &Row| {
        let fields: Vec<String> = row.fields.iter().map(|(_, field)| field.csv()).collect();
        format!("{}\n", fields.join(","))
    };
    let lines: String = rows.iter().map(line).collect();
    format!("{}\n{lines}", names.join(","))
}
