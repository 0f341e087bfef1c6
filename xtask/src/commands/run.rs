//! `run`: measures what was chosen, planned or begun, and what comes of it.

mod results;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bench_inventory::Host;
use bench_locales::Language;
use bench_run_dir::{self, HostRecord, RunManifest, UnitCounts};
use clap::Args;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::choose::SelectArgs;
use crate::Global;
use crate::artifact::{self, TARGETS};
use crate::budget::Budget;
use crate::events::{Event, Events};
use crate::exit::{self, ExitError};
use crate::host::{self, Machines, Prior, RunContext};
use crate::plan_file::{self, Ingredients};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::resume;
use crate::shard::ShardArg;

pub use self::results::exit_code;

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// How long to try to reach a host again after its connection was lost, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=604_800))]
    patience: u64,
    /// Show what would be measured and stop
    #[arg(long)]
    dry_run: bool,
    /// Measure exactly what `cargo xtask plan --output FILE` wrote; refused when inventory or programs are others now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all_boards", "board", "select", "suite", "kernel", "gguf", "variant", "shape", "budget", "rounds", "max_parallel", "dry_run", "compare_environment"])]
    plan: Option<PathBuf>,
    /// Measure the hosts of one of N parts, for instance `1/3`; `cargo xtask merge` joins them
    #[arg(long, value_name = "I/N", conflicts_with = "dry_run")]
    shard: Option<ShardArg>,
    /// Go on with a run that ended before all of its hosts did: its name, or the path of its directory
    #[arg(long, value_name = "RUN", conflicts_with_all = ["all_boards", "board", "select", "suite", "kernel", "gguf", "variant", "shape", "budget", "rounds", "dry_run", "plan", "shard", "compare_environment"])]
    resume: Option<String>,
    /// Go on even where the run's copy of the fleet file, its suite or its requests ask for what this lab's inventory does
    /// not say
    #[arg(long, requires = "resume")]
    trust_fleet: bool,
    /// Connect to and upload to at most this many hosts at once
    #[arg(long, value_name = "N", default_value = "8")]
    max_deploys: NonZeroU32,
    /// Write what happens as JSON lines to this file; `-` is standard error
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// Builds, deploys, measures, collects and reports.
///
/// # Errors
/// Before the first measurement only; after it, failures of hosts are results.
pub fn run(global: &Global, args: &RunArgs) -> anyhow::Result<u8> {
    if args.dry_run {
        return super::plan::show(global, &args.select);
    }
    let events = Arc::new(Events::open(args.events.as_deref())?);
    if let Some(run) = &args.resume {
        return resume(global, args, run, events);
    }
    let asked = args.plan.as_deref().map(plan_file::read).transpose()?;
    let chosen = match &asked {
        Some(plan) => super::plan::ingredients(global, plan)?,
        None => super::choose::choose(global, &args.select)?,
    };
    // Everything is compiled before the first measurement.
    let artifacts = artifact::build(&TARGETS)?;
    let fleet = global.fleet.as_deref();
    let plan = plan_file::make(&chosen, fleet, &artifacts)?;
    if let Some(asked) = asked {
        super::plan::check_same(&asked, &plan)?;
    }
    let shard = args.shard.map(|shard| shard.0);
    let (recorder, manifest) = Recorder::create(&global.runs_dir(), fleet, &plan, shard)?;
    let Ingredients {
        inventory,
        suite,
        hosts,
        variant,
        shape,
        budget,
        max_parallel,
        compare_environment,
        ..
    } = chosen;
    let context = RunContext {
        run_id: manifest.run_id.clone(),
        suite,
        variant,
        shape,
        compare_environment,
        patience: Duration::from_secs(args.patience),
        inventory,
        artifacts,
        budget,
        deploys: Semaphore::new(args.max_deploys.get() as usize),
        cancelled: CancellationToken::new(),
        machines: Machines::default(),
    };
    let own = hosts
        .into_iter()
        .filter(|host| manifest.hosts.contains(&host.name));
    let run = Run {
        context,
        recorder,
        hosts: own.map(|host| (host, Prior::default())).collect(),
        finished: Vec::new(),
        max_parallel,
        manifest,
        events,
        lang: global.language(),
    };
    carry_out(global, run)
}

/// Goes on with a run.
fn resume(global: &Global, args: &RunArgs, run: &str, events: Arc<Events>) -> anyhow::Result<u8> {
    let dir = crate::runs::find_run(&global.runs_dir(), Some(run))?;
    let mut resumed = resume::open(dir)?;
    let mut manifest = resumed.manifest.clone();
    if !manifest.parts.is_empty() {
        return Err(ExitError::usage(format!(
            "`{}` is a merged run; resume the run that did not end, then merge again",
            resumed.dir.display()
        ))
        .into());
    }
    if !args.trust_fleet && !resumed.open.is_empty() {
        resume::trust::check(&resumed, &super::load_inventory(global)?)?;
    }
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
    bench_run_dir::files::unseal(&resumed.dir)?;
    let context = RunContext {
        run_id: manifest.run_id.clone(),
        suite: resumed.suite.clone(),
        variant: manifest.variant.clone(),
        shape: manifest.shape.clone(),
        // The requests as they were sent say it.
        compare_environment: manifest.compare_environment,
        patience: Duration::from_secs(args.patience),
        inventory: std::mem::take(&mut resumed.inventory),
        artifacts,
        budget: manifest.budget_s.map(|seconds| Budget { seconds }),
        deploys: Semaphore::new(args.max_deploys.get() as usize),
        cancelled: CancellationToken::new(),
        machines: Machines::default(),
    };
    let run = Run {
        context,
        recorder: Recorder::reopen(resumed.dir.clone()),
        hosts: std::mem::take(&mut resumed.open),
        finished: std::mem::take(&mut resumed.finished),
        max_parallel: args.select.max_parallel,
        manifest,
        events,
        lang: global.language(),
    };
    carry_out(global, run)
}

/// A run before its first host.
struct Run {
    context: RunContext,
    recorder: Recorder,
    manifest: RunManifest,
    /// Hosts to measure.
    hosts: Vec<(Host, Prior)>,
    /// Hosts that ended earlier.
    finished: Vec<HostResult>,
    max_parallel: Option<NonZeroU32>,
    events: Arc<Events>,
    /// Of the report whose path is told.
    lang: Language,
}

/// Measures the hosts and reports the run, the hosts that finished earlier included.
fn carry_out(global: &Global, run: Run) -> anyhow::Result<u8> {
    let Run {
        context,
        recorder,
        mut manifest,
        hosts,
        finished,
        max_parallel,
        events,
        lang,
    } = run;
    recorder.write_manifest(&manifest)?;
    events.emit(&Event::RunStarted {
        run_id: &manifest.run_id,
        run_dir: recorder.dir(),
        plan_hash: manifest.plan_hash.as_deref(),
        shard: manifest.shard,
        hosts: &manifest.hosts,
    });
    let context = Arc::new(context);
    let cancelled = context.cancelled.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    // A shard without hosts, too, is a run that ends.
    let has_news = !hosts.is_empty() || manifest.finished_at.is_none();
    let mut results = runtime.block_on(async {
        let watch = tokio::spawn(cancel_on_signal(cancelled.clone()));
        let results = measure_all(&context, &recorder, hosts, max_parallel, &events).await;
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
    if has_news {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        manifest.finished_at = Some(now.to_string());
        manifest.interrupted = cancelled.is_cancelled();
    }
    let report = recorder
        .write_manifest(&manifest)
        .and_then(|()| recorder.seal())
        .and_then(|()| {
            let dir = recorder.dir();
            // The merged run is the night, not its parts.
            let history = (manifest.shard.is_none()).then(|| global.history_of(dir));
            bench_reports::report::write_new(dir, history.flatten().as_deref())
        });
    if let Ok(written) = &report {
        super::history::warn(&written.history_problems);
        super::history::warn(&written.failures);
    }
    let data = bench_run_dir::read(recorder.dir()).ok();
    let code = match &report {
        Ok(written) => {
            let code = exit_code(written.has_invalid_host, &manifest, &results);
            super::report::code_of(written, code)
        }
        Err(_) => exit::INTERNAL,
    };
    let report_path = report.as_ref().ok().map(|written| written.index_in(lang));
    let report_path = report_path.as_deref();
    events.emit(&Event::RunFinished {
        exit_code: code,
        report: report_path,
    });
    let printed = results::Printed {
        manifest: &manifest,
        run_dir: recorder.dir(),
        data: data.as_ref(),
        report: report_path,
        warning: (report.as_ref().ok()).and_then(|written| written.warning.as_ref()),
        results: &results,
        code,
    };
    printed.print(global);
    report.with_context(|| {
        format!(
            "what was measured is in `{0}`, its report could not be written; mend the cause, then run `cargo xtask report {0}`",
            recorder.dir().display()
        )
    })?;
    Ok(code)
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
    eprintln!("{}", said!("run-interrupted"));
    cancelled.cancel();
    received().await;
    std::process::exit(i32::from(exit::INTERRUPTED));
}

/// What became of a host, and of its units.
pub type HostResult = (HostRecord, UnitCounts);

/// Boards in parallel, each in a task of its own: one that panics is one failed board.
async fn measure_all(
    context: &Arc<RunContext>,
    recorder: &Recorder,
    hosts: Vec<(Host, Prior)>,
    max_parallel: Option<NonZeroU32>,
    events: &Arc<Events>,
) -> Vec<HostResult> {
    let width = hosts
        .iter()
        .map(|(host, _)| host.name.chars().count())
        .max()
        .unwrap_or(0);
    let progress = Progress::new(width, Arc::clone(events));
    let n_places = max_parallel.map_or(hosts.len().max(1), |n| n.get() as usize);
    let places = Arc::new(Semaphore::new(n_places));
    let mut tasks = Vec::new();
    for (host, prior) in hosts {
        let files = match recorder.host(&host.name) {
            Ok(files) => files,
            Err(error) => {
                let error = format!("{error:#}");
                eprintln!(
                    "{}",
                    said!("run-host-left-out", host = &host.name, error = error)
                );
                continue;
            }
        };
        let line = progress.host(&host.name);
        let (context, events) = (Arc::clone(context), Arc::clone(events));
        let places = Arc::clone(&places);
        tasks.push(tokio::spawn(async move {
            if places.available_permits() == 0 {
                line.say(&said!("run-waiting"));
            }
            // Never closed; hosts get their turns in fleet order.
            let _place = places.acquire().await;
            let result = host::measure(&context, &host, prior, files, &line).await;
            events.host_finished(&result.0, &result.1);
            result
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        match task.await {
            Ok(result) => results.push(result),
            Err(error) => eprintln!("{}", said!("run-task-ended", error = error.to_string())),
        }
    }
    results
}
