//! `merge`: joins run directories of one plan and says what of the plan is there and what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_analysis::validity::status;
use bench_protocol::UnitStatus;
use bench_reports::report;
use bench_run_dir::files::{self, RunFiles};
use bench_run_dir::format::foreign;
use bench_run_dir::merge::{self, Part};
use bench_run_dir::plan::PlanRecord;
use bench_run_dir::{self, HostData, HostStatus, RunData, Shard, UnitCounts};
use clap::Args;
use comfy_table::Table;
use serde_json::json;

use super::run;
use crate::exit::ExitError;
use crate::shard::shard_of;
use crate::{Format, Global, out};

/// Options of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Run directories of one plan: shards, other merged runs, the same run before and after it was resumed
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Where the merged run goes [default: a new folder among the runs]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Merges, renders and prints what was planned and what is there; returns the exit code of the most serious part.
///
/// # Errors
/// With exit code 2 when the runs do not belong together or are damaged, or the output exists already.
pub fn merge(global: &Global, args: &MergeArgs) -> anyhow::Result<u8> {
    let merged = merge::merge(&read_parts(&args.dirs)?).map_err(|error| {
        let problems: Vec<String> = error
            .problems
            .iter()
            .map(|it| format!("\n  - {it}"))
            .collect();
        ExitError::usage(format!("these runs cannot be merged:{}", problems.concat()))
    })?;
    let dir = write(global, args.output.as_deref(), &merged)?;
    let written = report::write_new(&dir, global.history_of(&dir).as_deref())?;
    super::history::warn(&written.history_problems);
    super::history::warn(&written.failures);
    let data = bench_run_dir::read(&dir)?;
    let plan: Option<PlanRecord> =
        (merged.get("plan.json")).and_then(|bytes| serde_json::from_slice(bytes).ok());
    let rows: Vec<Row> = data
        .hosts
        .iter()
        .map(|host| row(host, plan.as_ref()))
        .collect();
    let results: Vec<_> = (data.hosts.iter().zip(&rows))
        .map(|(host, row)| (host.record.clone(), row.counts()))
        .collect();
    let code = run::exit_code(written.has_invalid_host, &data.manifest, &results);
    let code = super::report::code_of(&written, code);
    let missing = merge::missing_shards(&data.manifest);
    let printed = Printed {
        data: &data,
        dir: &dir,
        report: &written.index,
        rows: &rows,
        missing: &missing,
        code,
    };
    match global.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&printed.document())?),
        Format::Text => {
            if let Some(warning) = &written.warning {
                println!("{}", said!("disturbed-because", reason = warning));
            }
            printed.print_text();
        }
    }
    Ok(code)
}

fn read_parts(dirs: &[PathBuf]) -> anyhow::Result<Vec<Part>> {
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for dir in dirs {
        match files::read_files(dir) {
            Ok(files) => parts.push(Part {
                name: dir.display().to_string(),
                files,
            }),
            Err(error) => problems.push(format!("\n  - `{}`: {error:#}", dir.display())),
        }
    }
    match problems.is_empty() {
        true => Ok(parts),
        false => {
            let message = format!("these runs cannot be merged:{}", problems.concat());
            Err(ExitError::usage(message).into())
        }
    }
}

/// Writes beside the place and renames: a merge that ends half-way leaves no run.
fn write(global: &Global, output: Option<&Path>, files: &RunFiles) -> anyhow::Result<PathBuf> {
    let manifest: bench_run_dir::RunManifest = (files.get("manifest.json"))
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .context("the merged manifest cannot be read back")?;
    let dir = match output {
        Some(dir) => dir.to_owned(),
        None => global.runs_dir().join(manifest.run_id),
    };
    let is_free = match fs::read_dir(&dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !dir.exists(),
    };
    if !is_free {
        return Err(ExitError::usage(format!(
            "`{}` exists already; remove it, or name another folder with `--output`",
            dir.display()
        ))
        .into());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(parent)?;
        // As readable as the folders of other runs: temporary folders are their owner's only.
        let beside = tempfile::Builder::new()
            .prefix(".merge-")
            .permissions(fs::Permissions::from_mode(0o777))
            .tempdir_in(parent)?;
        for (path, bytes) in files {
            let path = beside.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(beside.path()))?;
            fs::write(path, bytes)?;
        }
        fs::rename(beside.path(), &dir)?;
        // What was renamed is no temporary folder any more.
        let _ = beside.keep();
        Ok(())
    };
    write().with_context(|| format!("cannot write the merged run to `{}`", dir.display()))?;
    Ok(dir)
}

/// One host: what was planned and what came.
struct Row {
    host: String,
    status: HostStatus,
    /// How each unit ended; `missing` for one without an end.
    units: BTreeMap<String, &'static str>,
}

/// A unit that was asked for, or planned where the host was never asked, and has no end.
const MISSING: &str = "missing";

fn row(host: &HostData, plan: Option<&PlanRecord>) -> Row {
    let ended = |unit: &str| host.stream.ended(unit).map_or(MISSING, UnitStatus::name);
    let mut units: BTreeMap<String, &'static str> = (host.units.iter())
        .map(|unit| (unit.unit.clone(), ended(&unit.unit)))
        .collect();
    let planned = plan.and_then(|plan| {
        let mut hosts = plan.hosts.iter();
        hosts.find(|planned| planned.host == host.record.host)
    });
    if host.request.is_none() && host.record.status != HostStatus::Skipped {
        for unit in planned.iter().flat_map(|planned| &planned.units) {
            units.entry(unit.unit.clone()).or_insert(MISSING);
        }
    }
    Row {
        host: host.record.host.clone(),
        status: host.record.status,
        units,
    }
}

impl Row {
    fn count(&self, how: &str) -> u32 {
        self.units.values().filter(|ended| **ended == how).count() as u32
    }

    /// The units that ended in this way, for people.
    fn list(&self, how: &str) -> Option<String> {
        let units = self.units.iter().filter(|(_, ended)| **ended == how);
        let units: Vec<&str> = units.map(|(unit, _)| unit.as_str()).collect();
        (!units.is_empty()).then(|| foreign(&units.join(", ")))
    }

    /// As `run` counts: units that are missing failed.
    fn counts(&self) -> UnitCounts {
        let is_reached = !matches!(
            self.status,
            HostStatus::Unreachable | HostStatus::Interrupted
        );
        let n_missing = if is_reached { self.count(MISSING) } else { 0 };
        UnitCounts {
            n_ok: self.count(UnitStatus::Ok.name()),
            n_failed: self.count(UnitStatus::Failed.name()) + n_missing,
            n_skipped: self.count(UnitStatus::Skipped.name()),
        }
    }
}

/// What the command prints.
struct Printed<'a> {
    data: &'a RunData,
    dir: &'a Path,
    report: &'a Path,
    rows: &'a [Row],
    missing: &'a [Shard],
    code: u8,
}

impl Printed<'_> {
    fn document(&self) -> serde_json::Value {
        let host = |row: &Row| {
            json!({
                "host": row.host,
                "status": row.status.name(),
                "planned": row.units.len(),
                "ok": row.count(UnitStatus::Ok.name()),
                "failed": row.count(UnitStatus::Failed.name()),
                "skipped": row.count(UnitStatus::Skipped.name()),
                "missing": row.count(MISSING),
                "units": row.units,
            })
        };
        let parts = self.data.manifest.parts.iter();
        let part =
            |part: &bench_run_dir::RunManifest| json!({"run_id": part.run_id, "shard": part.shard});
        json!({
            "run_id": self.data.manifest.run_id,
            "run_dir": self.dir,
            "report": self.report,
            "plan_hash": self.data.manifest.plan_hash,
            "exit_code": self.code,
            "parts": parts.map(part).collect::<Vec<_>>(),
            "missing_shards": self.missing,
            "hosts": self.rows.iter().map(host).collect::<Vec<_>>(),
        })
    }

    fn print_text(&self) {
        println!("{}", self.table());
        for row in self.rows {
            let host = foreign(&row.host);
            if let Some(units) = row.list("failed") {
                println!("{}", said!("merge-failed", host = &host, units = units));
            }
            if let Some(units) = row.list(MISSING) {
                println!("{}", said!("merge-missing", host = &host, units = units));
            }
        }
        for shard in self.missing {
            println!("{}", self.missing_shard(shard));
        }
        let report = self.report.display().to_string();
        println!("{}", said!("report-file", file = report));
    }

    fn table(&self) -> Table {
        let mut table = out::table(&[
            said!("host"),
            said!("status"),
            said!("merge-planned"),
            said!("status-ok"),
            said!("status-failed"),
            said!("status-skipped"),
            said!("merge-column-missing"),
        ]);
        for row in self.rows {
            let counts =
                ["ok", "failed", "skipped", MISSING].map(|how| out::integer(row.count(how)));
            let mut cells = vec![
                foreign(&row.host),
                out::text().say(&status::of_host(row.status)),
                out::integer(row.units.len()),
            ];
            cells.extend(counts);
            table.add_row(cells);
        }
        table
    }

    fn missing_shard(&self, shard: &Shard) -> String {
        let hosts = self.data.manifest.planned_hosts.iter();
        let hosts = hosts.filter(|host| shard_of(host, shard.n_shards) == shard.index);
        let hosts: Vec<&str> = hosts.map(String::as_str).collect();
        let name = format!("{}/{}", shard.index, shard.n_shards);
        match hosts.is_empty() {
            true => said!("merge-missing-shard-empty", shard = name),
            false => said!(
                "merge-missing-shard",
                shard = name,
                hosts = foreign(&hosts.join(", ")),
            ),
        }
    }
}
