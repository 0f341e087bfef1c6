//! `run` and `plan`: what is measured, where, and what comes of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bench_inventory::{Host, Inventory, Suite};
use bench_reports::analysis::{self, HostAnalysis};
use bench_reports::run_dir::{HostRecord, HostStatus, RunManifest};
use clap::Args;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wildmatch::WildMatch;

use crate::artifact::{self, TARGETS};
use crate::exit::{self, ExitError};
use crate::host::{self, Machines, RunContext, UnitCounts, is_emulated, transport_name};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::resume::{self, Prior};
use crate::select::Selection;
use crate::{Format, Global, plan as planning};

/// CPUs of a board in a plan that asks nobody.
const ASSUMED_CPUS: u32 = 4;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct SelectArgs {
    /// Measure every host of the fleet file
    #[arg(long, conflicts_with = "board")]
    all_boards: bool,
    /// Measure the hosts with this name or of this board
    #[arg(long, value_name = "NAME", num_args = 1..)]
    board: Vec<String>,
    /// Measure the hosts that meet every condition: `KEY=VALUE` or `KEY!=VALUE`, KEY one of name, board, arch, tag,
    /// transport; `*` stands for anything in VALUE
    #[arg(long, value_name = "CONDITION,...", conflicts_with_all = ["all_boards", "board"])]
    select: Option<Selection>,
    /// Suite of the inventory
    #[arg(long, default_value = "quick", value_name = "SUITE")]
    suite: String,
    /// Measure only kernels whose name matches; `*` stands for anything
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    kernel: Vec<String>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Force every kernel to this instruction-set variant; units are skipped where the CPU lacks it
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// Measure every unit twice: as the host is found, and after what its `prepare` asks for
    #[arg(long)]
    compare_environment: bool,
    /// How long to try to reach a host again after its connection was lost, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Show what would be measured and stop
    #[arg(long)]
    dry_run: bool,
    /// Go on with a run that ended before all of its hosts did: its name, or the path of its directory
    #[arg(long, value_name = "RUN", conflicts_with_all = ["all_boards", "board", "select", "suite", "kernel", "variant", "dry_run", "compare_environment"])]
    resume: Option<String>,
}

/// Builds, deploys, measures, collects and reports.
///
/// # Errors
/// Before the first measurement only; after it, failures of hosts are results.
pub fn run(global: &Global, args: &RunArgs) -> anyhow::Result<u8> {
    if args.dry_run {
        return plan(global, &args.select);
    }
    if let Some(run) = &args.resume {
        return resume(global, run, args.patience);
    }
    let (inventory, suite, hosts) = select(global, &args.select)?;
    if args.compare_environment && hosts.iter().all(|host| host.prepare.is_empty()) {
        return Err(ExitError::usage(
            "`--compare-environment` has nothing to compare: no selected host of the fleet file has `prepare`",
        )
        .into());
    }
    // Everything is compiled before the first measurement.
    let artifacts = artifact::build(&TARGETS)?;
    let names = hosts.iter().map(|host| host.name.clone()).collect();
    let (recorder, mut manifest) = Recorder::create(
        &global.runs_dir(),
        &suite.id,
        (&args.select.kernel, args.variant.as_deref()),
        names,
        global.fleet.as_deref(),
        &artifacts,
    )?;
    manifest.compare_environment = args.compare_environment;
    let context = RunContext {
        run_id: manifest.run_id.clone(),
        suite,
        variant: args.variant.clone(),
        compare_environment: args.compare_environment,
        patience: Duration::from_secs(args.patience),
        inventory,
        artifacts,
        cancelled: CancellationToken::new(),
        machines: Machines::default(),
    };
    let hosts = hosts.into_iter().map(|host| (host, Prior::default()));
    carry_out(
        global,
        context,
        &recorder,
        manifest,
        hosts.collect(),
        Vec::new(),
    )
}

/// Goes on with a run.
fn resume(global: &Global, run: &str, patience: u64) -> anyhow::Result<u8> {
    let dir = super::report::find_run(&global.runs_dir(), Some(run))?;
    let mut resumed = resume::open(dir)?;
    let recorder = Recorder::reopen(resumed.dir.clone());
    let mut manifest = resumed.manifest.clone();
    // A run that has nothing left needs no program.
    let artifacts = match resumed.open.is_empty() {
        true => BTreeMap::new(),
        false => {
            let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
            manifest.resumed_at.push(now.to_string());
            manifest.interrupted = false;
            resume::artifacts(&manifest)?
        }
    };
    let context = RunContext {
        run_id: manifest.run_id.clone(),
        suite: resumed.suite.clone(),
        variant: manifest.variant.clone(),
        // The requests as they were sent say it.
        compare_environment: manifest.compare_environment,
        patience: Duration::from_secs(patience),
        inventory: std::mem::take(&mut resumed.inventory),
        artifacts,
        cancelled: CancellationToken::new(),
        machines: Machines::default(),
    };
    let (open, finished) = (
        std::mem::take(&mut resumed.open),
        std::mem::take(&mut resumed.finished),
    );
    carry_out(global, context, &recorder, manifest, open, finished)
}

/// Measures the hosts and reports the run, the hosts that finished earlier included.
fn carry_out(
    global: &Global,
    context: RunContext,
    recorder: &Recorder,
    mut manifest: RunManifest,
    hosts: Vec<(Host, Prior)>,
    finished: Vec<HostResult>,
) -> anyhow::Result<u8> {
    recorder.write_manifest(&manifest)?;
    let context = Arc::new(context);
    let cancelled = context.cancelled.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let had_hosts = !hosts.is_empty();
    let mut results = runtime.block_on(async {
        let watch = tokio::spawn(cancel_on_signal(cancelled.clone()));
        let results = measure_all(&context, recorder, hosts).await;
        watch.abort();
        results
    });
    results.extend(finished);
    let place = |result: &HostResult| {
        manifest
            .hosts
            .iter()
            .position(|host| *host == result.0.host)
    };
    results.sort_by_key(place);
    // Not dropped: a stuck name look-up in a blocking thread must not hold up the report.
    runtime.shutdown_background();
    if had_hosts {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        manifest.finished_at = Some(now.to_string());
        manifest.interrupted = cancelled.is_cancelled();
    }
    let report = recorder
        .write_manifest(&manifest)
        .and_then(|()| super::report::render(recorder.dir()));
    let code = match report {
        Ok(_) => exit_code(recorder.dir(), &manifest, &results),
        Err(_) => exit::INTERNAL,
    };
    print_results(
        global,
        &manifest,
        recorder.dir(),
        report.as_deref().ok(),
        &results,
        code,
    )?;
    report.with_context(|| {
        format!(
            "what was measured is in `{0}`, its report could not be written; mend the cause, then run `cargo xtask report {0}`",
            recorder.dir().display()
        )
    })?;
    Ok(code)
}

/// Shows the units of every selected host.
///
/// # Errors
/// When the selection or the inventory cannot be used.
pub fn plan(global: &Global, args: &SelectArgs) -> anyhow::Result<u8> {
    let (inventory, suite, hosts) = select(global, args)?;
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(["host", "unit", "sampling"]);
    let mut documents = Vec::new();
    for host in &hosts {
        let board = host.board.as_ref().and_then(|id| inventory.boards.get(id));
        let n_cpus = match board {
            Some(board) => board.clusters.iter().map(|cluster| cluster.n_cores).sum(),
            None => std::thread::available_parallelism().map_or(ASSUMED_CPUS, |n| n.get() as u32),
        };
        let facts = planning::assumed_facts(n_cpus);
        let request = planning::request("plan", &suite, &inventory, &facts, is_emulated(host));
        let seconds = planning::sampling_s(&request.units);
        documents.push(json!({
            "host": host.name,
            "board": host.board,
            "transport": transport_name(&host.transport),
            "emulated": is_emulated(host),
            "sampling_s": seconds,
            "units": request.units.iter().map(|unit| &unit.unit).collect::<Vec<_>>(),
        }));
        for unit in &request.units {
            let sampling = planning::describe_sampling(unit.sampling);
            table.add_row([host.name.clone(), unit.unit.clone(), sampling]);
        }
        table.add_row([
            host.name.clone(),
            "all units".to_string(),
            format!("at most about {seconds:.0} s of sampling"),
        ]);
    }
    match global.format {
        Format::Json => {
            println!(
                "{}",
                serde_json::to_string_pretty(&json!({ "suite": suite.id, "hosts": documents }))?
            );
        }
        Format::Text => println!("{table}"),
    }
    Ok(exit::OK)
}

fn select(global: &Global, args: &SelectArgs) -> anyhow::Result<(Inventory, Suite, Vec<Host>)> {
    let inventory = super::load_inventory(global)?;
    let mut suite = inventory.suites.get(&args.suite).cloned().ok_or_else(|| {
        super::unknown(
            "suite",
            &args.suite,
            inventory.suites.keys().map(String::as_str),
        )
    })?;
    if !args.kernel.is_empty() {
        let names: Vec<String> = suite.units.iter().map(|unit| unit.kernel.clone()).collect();
        for pattern in &args.kernel {
            if !names
                .iter()
                .any(|name| WildMatch::new(pattern).matches(name))
            {
                return Err(super::unknown(
                    "kernel",
                    pattern,
                    names.iter().map(String::as_str),
                ));
            }
        }
        keep_kernels(&mut suite, &args.kernel);
    }
    if !args.all_boards && args.board.is_empty() && args.select.is_none() {
        return Err(ExitError::usage(
            "which hosts? give `--all-boards`, `--board NAME` with names of hosts or boards, or `--select tag=NAME`",
        )
        .into());
    }
    let all = &inventory.fleet.hosts;
    let matches =
        |host: &Host, name: &String| host.name == *name || host.board.as_ref() == Some(name);
    for name in &args.board {
        if !all.iter().any(|host| matches(host, name)) {
            if inventory.boards.contains_key(name) {
                return Err(ExitError::usage(format!(
                    "board `{name}` is in the catalogue, but no host of the fleet file is one; add a host with `board: {name}`"
                ))
                .into());
            }
            let choices = all.iter().map(|host| host.name.as_str());
            return Err(super::unknown("host", name, choices));
        }
    }
    let selected = |host: &Host| {
        args.all_boards
            || args.board.iter().any(|name| matches(host, name))
            || (args.select.as_ref()).is_some_and(|select| select.matches(host, &inventory))
    };
    let hosts: Vec<Host> = all.iter().filter(|host| selected(host)).cloned().collect();
    if let Some(select) = args
        .select
        .as_ref()
        .filter(|_| hosts.is_empty() && !all.is_empty())
    {
        return Err(ExitError::usage(format!(
            "no host of the fleet file meets `{select}`; `cargo xtask list hosts` shows them with their tags"
        ))
        .into());
    }
    if hosts.is_empty() {
        return Err(ExitError::usage(
            "the fleet file has no host; add one, or see `cargo xtask list hosts`",
        )
        .into());
    }
    Ok((inventory, suite, hosts))
}

/// Keeps the units whose kernel matches one of the patterns; no pattern keeps all.
pub fn keep_kernels(suite: &mut Suite, patterns: &[String]) {
    let matches = |kernel: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| WildMatch::new(pattern).matches(kernel))
    };
    if !patterns.is_empty() {
        suite.units.retain(|unit| matches(&unit.kernel));
    }
}

/// The first signal ends the run in order; the second ends the program.
async fn cancel_on_signal(cancelled: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let received = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let mut received = received;
    received().await;
    eprintln!("interrupted: keeping what was measured; once more ends at once");
    cancelled.cancel();
    received().await;
    std::process::exit(i32::from(exit::INTERRUPTED));
}

type HostResult = (HostRecord, UnitCounts);

/// Boards in parallel, each in a task of its own: one that panics is one failed board.
async fn measure_all(
    context: &Arc<RunContext>,
    recorder: &Recorder,
    hosts: Vec<(Host, Prior)>,
) -> Vec<HostResult> {
    let width = hosts
        .iter()
        .map(|(host, _)| host.name.chars().count())
        .max()
        .unwrap_or(0);
    let progress = Progress::new(width);
    let mut tasks = Vec::new();
    for (host, prior) in hosts {
        let files = match recorder.host(&host.name) {
            Ok(files) => files,
            Err(error) => {
                eprintln!("host `{}` is left out: {error:#}", host.name);
                continue;
            }
        };
        let line = progress.host(&host.name);
        let context = Arc::clone(context);
        tasks.push(tokio::spawn(async move {
            host::measure(&context, &host, prior, files, &line).await
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        match task.await {
            Ok(result) => results.push(result),
            Err(error) => eprintln!("a host's task ended unexpectedly: {error}"),
        }
    }
    results
}

/// The most serious thing that happened.
fn exit_code(run_dir: &Path, manifest: &RunManifest, results: &[HostResult]) -> u8 {
    let any = |status: HostStatus| results.iter().any(|(record, _)| record.status == status);
    if results
        .iter()
        .any(|(record, _)| !record.unrestored.is_empty())
    {
        exit::NOT_RESTORED
    } else if manifest.interrupted {
        exit::INTERRUPTED
    } else if results.len() < manifest.hosts.len() {
        exit::INTERNAL
    } else if any(HostStatus::Failed) || results.iter().any(|(_, counts)| counts.n_failed > 0) {
        exit::FAILED
    } else if any(HostStatus::Unreachable) {
        exit::UNREACHABLE
    } else if a_board_is_all_invalid(run_dir) {
        exit::INVALID
    } else {
        exit::OK
    }
}

fn a_board_is_all_invalid(run_dir: &Path) -> bool {
    let Ok(run) = bench_reports::run_dir::read(run_dir) else {
        return false;
    };
    let analysis = analysis::analyse(&run);
    analysis.hosts.iter().any(HostAnalysis::is_all_invalid)
}

fn print_results(
    global: &Global,
    manifest: &RunManifest,
    run_dir: &Path,
    report: Option<&Path>,
    results: &[HostResult],
    code: u8,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if global.format == Format::Json {
        let hosts: Vec<_> = results
            .iter()
            .map(|(record, counts)| {
                json!({
                    "host": record.host,
                    "board": record.board,
                    "status": record.status.name(),
                    "units_ok": counts.n_ok,
                    "units_failed": counts.n_failed,
                    "units_skipped": counts.n_skipped,
                    "reason": record.reason,
                })
            })
            .collect();
        let document = json!({
            "run_id": manifest.run_id,
            "run_dir": run_dir,
            "report": report,
            "exit_code": code,
            "hosts": hosts,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "host", "board", "status", "ok", "failed", "skipped", "stage", "reason",
    ]);
    for (record, counts) in results {
        table.add_row([
            record.host.clone(),
            record.board.clone().unwrap_or_else(|| "-".to_string()),
            record.status.name().to_string(),
            counts.n_ok.to_string(),
            counts.n_failed.to_string(),
            counts.n_skipped.to_string(),
            record
                .stage
                .map(|stage| stage.name().to_string())
                .unwrap_or_default(),
            record.reason.clone().unwrap_or_default(),
        ]);
    }
    writeln!(out, "{table}")?;
    if let Some(report) = report {
        writeln!(out, "report: {}", report.display())?;
    }
    Ok(())
}
