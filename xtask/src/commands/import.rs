//! `import`: keeps what other benchmark programs printed in a run directory, beside what memwall measured.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_locales::message;
use bench_run_dir::files::{self, FILE_LIST, FileList, sha256};
use bench_run_dir::format::foreign;
use bench_run_dir::imports::{self, Addition, ImportRecord};
use bench_run_dir::readers::{self, Imported, Tool};
use bench_run_dir::{self, RUN_DIR_VERSION, RunManifest};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::exit::{self, ExitError};
use crate::recorder;
use crate::workspace::inventory_files;
use crate::{Format, Global, workspace};

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Output of llama-bench (JSON, JSON lines, CSV, Markdown tables), STREAM, tinymembench, mbw, sbc-bench,
    /// sysbench memory or BabelStream
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read the results of this program alone [default: of all that each text holds]
    #[arg(long, value_parser = tool)]
    tool: Option<Tool>,
    /// Catalogue id of the board that it ran on
    #[arg(long)]
    board: Option<String>,
    /// Name of the host that it ran on, as in the fleet file
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Add it to this run, by name or path [default: a new run of its own]
    #[arg(long)]
    run: Option<String>,
}

fn tool(id: &str) -> Result<Tool, String> {
    let choices = Tool::ALL.map(Tool::id);
    Tool::from_id(id).ok_or_else(|| {
        let nearest = bench_inventory::suggest(id, choices);
        let hint = nearest.map(|it| format!("did you mean `{it}`? "));
        format!(
            "{}the programs are: {}",
            hint.unwrap_or_default(),
            choices.join(", ")
        )
    })
}

/// A file that can be imported.
struct Checked {
    record: ImportRecord,
    content: Vec<u8>,
    /// What each program printed into it.
    parts: Vec<Imported>,
}

/// Checks all files, keeps them, renders the run again and prints what came in.
///
/// # Errors
/// With exit code 2, before anything is written, when a file cannot be parsed, the board is not in the catalogue, or the
/// run is damaged or still being measured.
pub fn import(global: &Global, args: &ImportArgs) -> anyhow::Result<u8> {
    let existing = match &args.run {
        Some(run) => Some(crate::runs::find_run(&global.runs_dir(), Some(run))?),
        None => None,
    };
    check_board(args, existing.as_deref())?;
    let checked = check_all(args)?;
    let dir = match existing {
        Some(dir) => dir,
        None => create_run(global)?,
    };
    let n_added = add(&dir, &checked, args.run.is_some())?;
    let written = bench_reports::report::write(&dir, global.history_of(&dir).as_deref())?;
    super::history::warn(&written.history_problems);
    super::history::warn(&written.failures);
    let code = super::report::code_of(&written, exit::OK);
    let report = written.index;
    match global.format {
        Format::Json => {
            let files: Vec<_> = checked.iter().flat_map(documents).collect();
            let document =
                json!({ "run_dir": dir, "report": report, "n_added": n_added, "files": files });
            println!("{}", serde_json::to_string_pretty(&document)?);
        }
        Format::Text => {
            for file in &checked {
                print_file(file);
            }
            let n_known = checked.len() - n_added;
            if n_known > 0 {
                println!("{}", said!("import-known", n = n_known));
            }
            println!(
                "{}",
                said!("report-file", file = report.display().to_string())
            );
        }
    }
    Ok(code)
}

/// One document for each program that printed into the file.
fn documents(file: &Checked) -> impl Iterator<Item = serde_json::Value> {
    file.parts.iter().map(|part| {
        json!({
            "file": file.record.file,
            "original_name": file.record.original_name,
            "tool": part.tool.id(),
            "n_figures": part.figures.len(),
            "remarks": part.remarks,
        })
    })
}

fn print_file(file: &Checked) {
    for part in &file.parts {
        println!(
            "{}",
            said!(
                "import-file",
                file = foreign(&file.record.original_name),
                figures = message!("figures", n = part.figures.len()),
                tool = part.tool.id(),
            )
        );
        for remark in &part.remarks {
            println!("  {}", foreign(remark));
        }
    }
}

/// A misspelt board would leave the figures without theory, and nobody would notice.
fn check_board(args: &ImportArgs, run: Option<&Path>) -> anyhow::Result<()> {
    let Some(board) = &args.board else {
        return Ok(());
    };
    let inventory = match run {
        Some(run) => bench_run_dir::read(run)?.inventory,
        None => bench_inventory::load_catalogue_lossy(&workspace::inventory_dir()).0,
    };
    match inventory.boards.contains_key(board) {
        true => Ok(()),
        false => Err(super::unknown(
            "board",
            board,
            inventory.boards.keys().map(String::as_str),
        )),
    }
}

/// Reads and parses every file; all that cannot be imported are named at once.
fn check_all(args: &ImportArgs) -> anyhow::Result<Vec<Checked>> {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut checked = Vec::new();
    let mut problems = Vec::new();
    for path in &args.files {
        match check(path, args, &now) {
            Ok(file) => checked.push(file),
            Err(problem) => problems.push(format!("\n  - `{}`: {problem}", path.display())),
        }
    }
    match problems.is_empty() {
        true => Ok(checked),
        false => {
            let message = format!("nothing was imported:{}", problems.concat());
            Err(ExitError::usage(message).into())
        }
    }
}

fn check(path: &Path, args: &ImportArgs, now: &str) -> Result<Checked, String> {
    let content = bench_inventory::foreign::read(path, readers::MAX_BYTES as u64);
    let content = content.map_err(|error| format!("cannot be read: {error}"))?;
    let text = readers::text(&content)?;
    let tools = match args.tool {
        Some(tool) => vec![tool],
        None => readers::detect(&text),
    };
    if tools.is_empty() {
        let all = Tool::ALL.map(Tool::id).join(", ");
        return Err(format!(
            "looks like the output of none of {all}; name the program with `--tool`"
        ));
    }
    let parse = |tool: &Tool| {
        readers::parse(*tool, &text).map_err(|error| match tools.len() {
            1 => error.to_string(),
            _ => format!(
                "holds results of {}, and those of {} cannot be read: {error}; import one of them with `--tool`",
                imports::tools(&tools),
                tool.id()
            ),
        })
    };
    let parts = tools.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let hash = sha256(&content);
    Ok(Checked {
        record: ImportRecord {
            file: imports::place(&hash, &name),
            sha256: hash,
            tool: imports::tools(&tools),
            board: args.board.clone(),
            host: args.host.clone(),
            original_name: name,
            imported_at: now.to_owned(),
        },
        content,
        parts,
    })
}

/// A run directory that holds imported results alone: a manifest and the catalogue of today.
fn create_run(global: &Global) -> anyhow::Result<PathBuf> {
    let now = Timestamp::now();
    let process = std::process::id() & 0xffff;
    let run_id = format!(
        "{}-import-{process:04x}",
        now.strftime("%Y-%m-%dT%H-%M-%SZ")
    );
    let dir = global.runs_dir().join(&run_id);
    fs::create_dir_all(&dir)
        .with_context(|| format!("cannot make the run directory `{}`", dir.display()))?;
    // No suite: nothing was asked for.
    for (relative, file) in inventory_files("", global.fleet.as_deref()) {
        let to = dir.join("inventory").join(relative);
        fs::create_dir_all(to.parent().context("the file lies in the copy's folder")?)?;
        fs::copy(&file, &to).with_context(|| format!("cannot copy `{}`", file.display()))?;
    }
    let git = workspace::git_state();
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let manifest = RunManifest {
        version: RUN_DIR_VERSION,
        run_id,
        started_at: time.clone(),
        finished_at: Some(time),
        command: vec!["import".to_owned()],
        git_revision: git.as_ref().map(|(revision, _)| revision.clone()),
        git_dirty: git.map(|(_, dirty)| dirty),
        memwall_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..RunManifest::default()
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    let path = dir.join("manifest.json");
    fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(dir)
}

/// Adds the files to a run directory and vouches for it again, if it was vouched for before.
fn add(dir: &Path, checked: &[Checked], is_existing: bool) -> anyhow::Result<usize> {
    let is_plain = files::check_plain(dir);
    is_plain.map_err(|error| ExitError::usage(format!("nothing was imported: {error:#}")))?;
    // Another controller may be writing to it.
    let _lock = recorder::lock(dir)?;
    let is_sealed = dir.join(FILE_LIST).exists();
    if is_sealed {
        check_undamaged(dir)?;
    }
    let new: Vec<(ImportRecord, Vec<u8>)> = (checked.iter())
        .map(|file| (file.record.clone(), file.content.clone()))
        .collect();
    let addition = Addition::of(dir, new)
        .map_err(|error| ExitError::usage(format!("nothing was imported: {error:#}")))?;
    if !addition.is_empty() {
        // Meanwhile nothing vouches for the run: where the controller is killed here, it is read and merged as it is.
        if is_sealed {
            files::unseal(dir)?;
        }
        addition.write(dir)?;
    }
    if is_sealed || !is_existing {
        files::seal(dir)?;
    }
    Ok(addition.n_added())
}

/// A new list of hashes would vouch for damage.
fn check_undamaged(dir: &Path) -> anyhow::Result<()> {
    let files = files::read_files(dir)?;
    let differences = match serde_json::from_slice::<FileList>(&files[FILE_LIST]) {
        Ok(list) => list.differences(&files),
        Err(error) => vec![format!("`{FILE_LIST}` is broken: {error}")],
    };
    match differences.is_empty() {
        true => Ok(()),
        false => Err(ExitError::usage(format!(
            "nothing was imported, since the run is damaged: {}; import into a new run, without `--run`",
            differences.join("; ")
        ))
        .into()),
    }
}
