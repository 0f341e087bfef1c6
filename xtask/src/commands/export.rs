//! `export`: a run in the format of another benchmark program.

use std::path::PathBuf;

use anyhow::Context;
use bench_analysis::measured;
use bench_reports::tables::export::{self, LlamaBenchFormat};
use clap::{Args, ValueEnum};

use crate::Global;
use crate::exit::{self, ExitError};
use crate::out::text;

/// Options of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Name of a run, or the path of a run directory
    run: String,
    /// Format of the output
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    schema: ExportFormat,
    /// File to write, which may not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Formats of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// As `llama-bench -o json`
    #[value(name = "llama-bench-json")]
    Json,
    /// As `llama-bench -o jsonl`
    #[value(name = "llama-bench-jsonl")]
    JsonLines,
    /// As `llama-bench -o csv`
    #[value(name = "llama-bench-csv")]
    Csv,
}

/// Writes the run's units of models, and says on standard error what is left out.
///
/// # Errors
/// With exit code 2 when there is no such run, it has nothing to export, or the output exists already.
pub fn export(global: &Global, args: &ExportArgs) -> anyhow::Result<u8> {
    let dir = crate::runs::find_run(&global.runs_dir(), Some(&args.run))?;
    let run = bench_run_dir::read(&dir)?;
    let analysis = measured::analyse(&run);
    let format = match args.schema {
        ExportFormat::Json => LlamaBenchFormat::Json,
        ExportFormat::JsonLines => LlamaBenchFormat::JsonLines,
        ExportFormat::Csv => LlamaBenchFormat::Csv,
    };
    let failures = analysis.hosts.iter().filter_map(|it| it.failure_words());
    super::history::warn(&failures.map(|it| text().say(&it)).collect::<Vec<_>>());
    let export = export::llama_bench(&analysis, format);
    if !export.left_out.is_empty() {
        eprintln!("{}", said!("export-left-out", n = export.left_out.len()));
        for reason in &export.left_out {
            eprintln!("  {reason}");
        }
    }
    if export.n_rows == 0 {
        return Err(ExitError::usage(format!(
            "`{}` has no decode or prefill unit that can be exported; measure one, for instance with `--kernel decode`",
            dir.display()
        ))
        .into());
    }
    match &args.output {
        None => print!("{}", export.text),
        Some(path) => write_new(path, &export.text)?,
    }
    Ok(exit::OK)
}

/// An earlier export may be the baseline of a comparison.
fn write_new(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    let file = std::fs::File::create_new(path);
    if let Err(error) = &file
        && error.kind() == std::io::ErrorKind::AlreadyExists
    {
        return Err(ExitError::usage(format!(
            "`{}` exists already; remove it or name another file with `--output`",
            path.display()
        ))
        .into());
    }
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
