//! A run in the formats of other programs, for the scripts that read those.
//!
//! Owns what their fields mean. Refuses to pass off memwall's kernels as another program's: the fields that name what
//! computed name memwall.

mod row;

use bench_inventory::{Model, Quant, TensorFormat, saturating_sum};

use bench_analysis::measured::{Analysis, HostAnalysis, Judged, UnitKind};
use bench_analysis::validity::verdict::Verdict;
use bench_run_dir::format;
use bench_run_dir::readers::llama_bench::{mean_and_stddev, names};
use row::{Field, Row};

/// What stands in the field `backends`: nobody should take a row for llama.cpp's own.
pub const BACKEND: &str = "memwall";

/// A format of `llama-bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlamaBenchFormat {
    /// One list of objects.
    Json,
    /// An object a line.
    JsonLines,
    /// A line of names, then a line of quoted fields for each row; no samples.
    Csv,
}

/// A run in another format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The text.
    pub text: String,
    /// Rows in it.
    pub n_rows: usize,
    /// Units of models that are not in it, each with the reason.
    pub left_out: Vec<String>,
}

/// The decode and prefill units of a run as rows of llama-bench, in its names and its order of fields.
///
/// A repetition is one iteration of a sample: `n_gen` tokens, or a prompt of `n_prompt`. What llama-bench has and memwall
/// has not (layers on graphics processors, a file to map) stands as for a program without them. `use_mmap` is there
/// beside `load_mode`, which replaced it.
///
/// Source: `test::get_fields` and `get_field_type` in `tools/llama-bench/llama-bench.cpp` of llama.cpp.
pub fn llama_bench(analysis: &Analysis, format: LlamaBenchFormat) -> Export {
    let mut rows = Vec::new();
    let mut left_out = Vec::new();
    for host in &analysis.hosts {
        for unit in host.units.iter().filter(|unit| unit.kind.is_of_a_model()) {
            match row(analysis, host, unit) {
                Ok(row) => rows.push(row),
                Err(reason) => left_out.push(format!(
                    "unit `{}` of host `{}`: {reason}",
                    format::foreign_short(&unit.unit, 80),
                    format::foreign_short(host.name(), 80)
                )),
            }
        }
    }
    Export {
        text: match format {
            LlamaBenchFormat::Json => row::json(&rows),
            LlamaBenchFormat::JsonLines => row::json_lines(&rows),
            LlamaBenchFormat::Csv => row::csv(&rows),
        },
        n_rows: rows.len(),
        left_out,
    }
}

/// Why a unit cannot stand for what llama-bench measures.
fn refusal(unit: &Judged) -> Option<&'static str> {
    match unit.verdict {
        Verdict::Invalid => return Some("invalid"),
        Verdict::Emulated => return Some("emulated"),
        Verdict::NotMeasured => return Some("not measured"),
        Verdict::Ok | Verdict::Suspect => {}
    }
    if !unit.is_quiet() {
        Some("measured beside background readers, which llama-bench has no field for")
    } else if unit.extrapolated().is_some() {
        Some("extrapolated from a part of the model's layers")
    } else {
        None
    }
}

fn row(analysis: &Analysis, host: &HostAnalysis, unit: &Judged) -> Result<Row, String> {
    if let Some(reason) = refusal(unit) {
        return Err(reason.to_owned());
    }
    let asked = unit.model.as_ref().ok_or("it names no model")?;
    let models = &analysis.run.inventory.models;
    let model = models.get(&asked.model).ok_or_else(|| {
        let model = format::foreign_short(&asked.model, 40);
        format!("the run's catalogue has no model `{model}`")
    })?;
    let weights = weights(model, unit, &asked.quant)?;
    let (n_prompt, n_gen) = match unit.kind {
        UnitKind::Prefill => (asked.n_prompt, 0),
        // One token a step in streams of protocol 1, which say 0.
        _ => (0, asked.n_generate.max(1)),
    };
    let samples_ns: Vec<u64> = unit
        .used_samples()
        .map(|sample| sample.ns_per_iteration().round() as u64)
        .filter(|ns| *ns > 0)
        .collect();
    if samples_ns.is_empty() {
        return Err("it has no samples".to_owned());
    }
    let times: Vec<f64> = samples_ns.iter().map(|ns| *ns as f64).collect();
    let n_tokens = n_prompt as f64 + n_gen as f64;
    let rates: Vec<f64> = times.iter().map(|ns| 1e9 * n_tokens / ns).collect();
    let kv = asked.kv_format.name();
    let mut fields = machine(analysis, host);
    fields.extend(of_model(model, &weights, unit, n_prompt.max(1)));
    fields.extend(settings(unit, kv));
    let (avg_ns, stddev_ns) = mean_and_stddev(&times);
    let (avg_ts, stddev_ts) = mean_and_stddev(&rates);
    fields.extend([
        ("n_prompt", Field::Int(n_prompt)),
        ("n_gen", Field::Int(n_gen)),
        ("n_depth", Field::Int(asked.depth)),
        ("test_time", Field::text(&analysis.run.manifest.started_at)),
        ("avg_ns", Field::Int(avg_ns.round() as u64)),
        (
            "stddev_ns",
            Field::Int(stddev_ns.unwrap_or(0.0).round() as u64),
        ),
        ("avg_ts", Field::Float(avg_ts)),
        ("stddev_ts", Field::Float(stddev_ts.unwrap_or(0.0))),
    ]);
    Ok(Row {
        fields,
        samples_ns,
        samples_ts: rates,
    })
}

type Fields = Vec<(&'static str, Field)>;

/// Hexadecimal digits of a revision: scripts compare revisions of the same length only.
const REVISION_DIGITS: usize = 8;

fn machine(analysis: &Analysis, host: &HostAnalysis) -> Fields {
    let manifest = &analysis.run.manifest;
    let revision = manifest.git_revision.as_ref();
    let commit: String = revision
        .unwrap_or(&manifest.memwall_version)
        .chars()
        .take(REVISION_DIGITS)
        .collect();
    let facts = host.data.facts.as_ref();
    let told = facts.and_then(|facts| {
        facts
            .cpu_model
            .as_ref()
            .or(facts.device_tree_model.as_ref())
    });
    let board = host.board.map(|board| &board.name);
    let cpu_info = told
        .or(board)
        .map_or_else(|| host.name().to_owned(), String::clone);
    vec![
        ("build_commit", Field::text(&commit)),
        ("build_number", Field::Int(0)),
        ("cpu_info", Field::text(&cpu_info)),
        ("gpu_info", Field::text("")),
        ("backends", Field::text(BACKEND)),
    ]
}

/// What a model's weights are stored as.
struct Weights {
    /// What stands for the name of the file.
    name: String,
    /// Label of the quantisation.
    quant: String,
    /// Bytes of all tensors.
    bytes: u64,
}

/// The weights that a unit read: those of the model's real file where their bytes are as many, else computed ones. Both
/// may have the same label.
fn weights(model: &Model, unit: &Judged, quant: &str) -> Result<Weights, String> {
    let row_bytes = |format: &str, cols: u64| {
        let known = TensorFormat::ALL.into_iter().find(|it| it.id() == format);
        known.map_or(0, |format| format.row_bytes(cols))
    };
    let read_bytes = saturating_sum(unit.weight_bytes.values().copied());
    let of_file = model.file.as_ref().filter(|file| file.quant == quant);
    let is_read = model.decode_model_of_file().is_some_and(|of_file| {
        let tensors = of_file.tensors.iter();
        let bytes = tensors.map(|it| row_bytes(&it.format, it.cols).saturating_mul(it.rows));
        saturating_sum(bytes) == read_bytes
    });
    let (name, bytes) = match of_file.filter(|_| is_read) {
        Some(file) => (format::foreign_short(&file.name, 80), file.tensor_bytes()),
        None => {
            let quant = Quant::from_id(quant).map_err(|error| error.to_string())?;
            (
                format!("{}-{}", model.id, quant.id()),
                model.file_bytes(quant),
            )
        }
    };
    Ok(Weights {
        // Shapes and formats are those of the model; the values of its weights are made up.
        name: format!("{name} (made-up weights)"),
        quant: quant.to_owned(),
        bytes,
    })
}

fn of_model(model: &Model, weights: &Weights, unit: &Judged, n_batch: u64) -> Fields {
    let mask = unit
        .cpus
        .iter()
        .filter(|cpu| **cpu < 128)
        .fold(0u128, |mask, cpu| mask | 1 << cpu);
    vec![
        ("model_filename", Field::text(&weights.name)),
        (
            "model_type",
            Field::text(&names::model_type(model, &weights.quant)),
        ),
        ("model_size", Field::Int(weights.bytes)),
        ("model_n_params", Field::Int(model.n_params())),
        ("n_batch", Field::Int(n_batch)),
        ("n_ubatch", Field::Int(n_batch)),
        ("n_threads", Field::Int(unit.cpus.len() as u64)),
        ("cpu_mask", Field::text(&format!("{mask:#x}"))),
    ]
}

/// Every thread is bound to one CPU and waits actively; nothing is left to a graphics processor or read from a file.
fn settings(unit: &Judged, kv: &str) -> Fields {
    vec![
        ("cpu_strict", Field::Bool(!unit.cpus.is_empty())),
        ("poll", Field::Int(100)),
        ("type_k", Field::text(kv)),
        ("type_v", Field::text(kv)),
        ("n_gpu_layers", Field::Int(0)),
        ("n_cpu_moe", Field::Int(0)),
        ("split_mode", Field::text("none")),
        ("main_gpu", Field::Int(0)),
        ("no_kv_offload", Field::Bool(false)),
        ("flash_attn", Field::Int(0)),
        ("devices", Field::text("none")),
        ("tensor_split", Field::text("0.00")),
        ("tensor_buft_overrides", Field::text("none")),
        ("load_mode", Field::text("none")),
        ("lazy_mode", Field::text("off")),
        ("use_mmap", Field::Bool(false)),
        ("embeddings", Field::Bool(false)),
        ("no_op_offload", Field::Int(0)),
        ("no_host", Field::Bool(false)),
        ("repack", Field::Bool(false)),
        ("fit_target", Field::Int(0)),
        ("fit_min_ctx", Field::Int(0)),
    ]
}
