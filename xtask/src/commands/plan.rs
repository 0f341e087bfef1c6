//! `plan`: what a run would measure, with which programs, and how long it takes; nobody is asked.

use std::path::PathBuf;

use bench_locales::Figure::{Integer, Seconds};
use bench_run_dir::plan::{EnvironmentWrite, PlanRecord, PlannedHost, PlannedUnit};
use clap::Args;
use comfy_table::Table;

use super::choose::{self, SelectArgs};
use super::own_files;
use crate::artifact::{self, TARGETS};
use crate::budget::{Budget, left_out_name};
use crate::exit::{self, ExitError};
use crate::out::{self, text};
use crate::plan_file::{self, Ingredients};
use crate::{Format, Global};
use bench_protocol::foreign;

/// Options of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Write the plan to this file too, for `cargo xtask run --plan FILE`
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Builds the board programs, makes the plan, shows it and writes it where that is asked for.
///
/// # Errors
/// When the selection or the inventory cannot be used, a program cannot be built, or the file cannot be written.
pub fn plan(global: &Global, args: &PlanArgs) -> anyhow::Result<u8> {
    let plan = made(global, &args.select)?;
    if let Some(path) = &args.output {
        plan_file::write(&plan, path)?;
    }
    print(global, &plan)
}

/// As [`plan`], without a file.
///
/// # Errors
/// As [`plan`].
pub fn show(global: &Global, args: &SelectArgs) -> anyhow::Result<u8> {
    print(global, &made(global, args)?)
}

/// What a plan from a file is about, from the inventory of today.
///
/// # Errors
/// With exit code 2 when the inventory has mistakes, or has the suite or all of the hosts no more.
pub fn ingredients(global: &Global, plan: &PlanRecord) -> anyhow::Result<Ingredients> {
    let mut inventory = super::load_inventory(global)?;
    own_files::load(&plan.own_files, &mut inventory)?;
    let suites = inventory.suites.keys().map(String::as_str);
    let suite = inventory.suites.get(&plan.suite).cloned();
    let mut suite = suite.ok_or_else(|| super::unknown("suite", &plan.suite, suites))?;
    choose::keep_kernels(&mut suite, &plan.kernels);
    own_files::use_models(&own_files::models(&plan.own_files), &mut suite)?;
    let rounds = plan.rounds.and_then(std::num::NonZeroU32::new);
    suite.rounds = rounds.unwrap_or(suite.rounds);
    let is_planned = |name: &str| plan.hosts.iter().any(|host| host.host == name);
    let hosts = inventory.fleet.hosts.iter();
    Ok(Ingredients {
        hosts: hosts
            .filter(|host| is_planned(&host.name))
            .cloned()
            .collect(),
        suite,
        kernels: plan.kernels.clone(),
        own_files: plan.own_files.clone(),
        variant: plan.variant.clone(),
        shape: plan.shape.clone(),
        rounds,
        compare_environment: plan.compare_environment,
        budget: plan.budget_s.map(|seconds| Budget { seconds }),
        max_parallel: plan.max_parallel.and_then(std::num::NonZeroU32::new),
        inventory,
    })
}

/// Refuses a plan that cannot be kept.
///
/// # Errors
/// With exit code 2 and everything that differs.
pub fn check_same(asked: &PlanRecord, now: &PlanRecord) -> anyhow::Result<()> {
    let differences = plan_file::differences(asked, now);
    if differences.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = differences
        .iter()
        .map(|line| format!("\n  - {line}"))
        .collect();
    Err(ExitError::usage(format!(
        "the plan cannot be kept; go back to the inventory and the revision it was made with, or make a new plan:{}",
        lines.concat()
    ))
    .into())
}

fn made(global: &Global, args: &SelectArgs) -> anyhow::Result<PlanRecord> {
    let chosen = choose::choose(global, args)?;
    let artifacts = artifact::build(&TARGETS)?;
    plan_file::make(&chosen, global.fleet.as_deref(), &artifacts)
}

fn print(global: &Global, plan: &PlanRecord) -> anyhow::Result<u8> {
    match global.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(plan)?),
        Format::Text => print_text(plan),
    }
    Ok(exit::OK)
}

fn print_text(plan: &PlanRecord) {
    println!("{}", table(plan));
    for host in &plan.hosts {
        print_host(plan, host);
    }
    for id in own_files::models(&plan.own_files) {
        println!("{}", said!("plan-model", model = id));
    }
    for (triple, artifact) in &plan.artifacts {
        println!(
            "{}",
            said!(
                "plan-program",
                target = triple,
                n = artifact.size_bytes,
                sha = plan_file::short(&artifact.sha256),
            )
        );
    }
    for host in &plan.hosts {
        let time = Seconds(host.estimated_ms as f64 / 1000.0);
        println!(
            "{}",
            said!("plan-host-time", host = &host.host, time = time)
        );
    }
    println!("{}", said!("plan-time", seconds = plan.estimated_s));
    println!("{}", said!("plan-hash", hash = &plan.hash));
}

fn table(plan: &PlanRecord) -> Table {
    let mut table = out::table(&[
        said!("host"),
        said!("unit"),
        said!("facts-cpus"),
        said!("plan-rounds"),
        said!("plan-sampling"),
    ]);
    let seconds = |ms: u64| text().figure(Seconds(ms as f64 / 1000.0));
    for host in &plan.hosts {
        for unit in &host.units {
            table.add_row([
                host.host.clone(),
                unit.unit.clone(),
                cpus(unit),
                text().figure(Integer(f64::from(unit.rounds))),
                seconds(unit.sampling_ms * u64::from(unit.rounds)),
            ]);
        }
        table.add_row([
            host.host.clone(),
            said!("plan-all-units"),
            said!("plan-assumed-cpus", n = host.assumed_cpus),
            String::new(),
            seconds(host.sampling_ms),
        ]);
    }
    table
}

fn cpus(unit: &PlannedUnit) -> String {
    match unit.candidates.len() {
        0 => text().figure(Integer(unit.cpus.len() as f64)),
        n => said!("plan-best-of", n = n),
    }
}

fn print_host(plan: &PlanRecord, host: &PlannedHost) {
    for unit in host.units.iter().filter(|unit| !unit.program.is_empty()) {
        let words: Vec<String> = unit.program.iter().map(|word| shown(word)).collect();
        println!(
            "{}",
            said!(
                "plan-external",
                host = &host.host,
                unit = &unit.unit,
                program = words.join(" "),
            )
        );
    }
    print_left_out(plan, host);
    for write in &host.environment_writes {
        println!("{}", change(&host.host, write));
    }
}

/// What is changed on a host while it is measured, in words.
fn change(host: &str, write: &EnvironmentWrite) -> String {
    let (path, value) = (write.path.as_str(), &write.value);
    if let Some(service) = path.strip_prefix(plan_file::SERVICE) {
        return said!("plan-service", host = host, service = service);
    }
    match path {
        plan_file::POWER_MODE => said!("plan-power-mode", host = host, value = value),
        plan_file::CPU_GOVERNOR => said!("plan-cpu-governor", host = host, value = value),
        plan_file::DRAM_GOVERNOR => said!("plan-dram-governor", host = host, value = value),
        plan_file::OTHER_PROCESSES => said!("plan-other-processes", host = host, cpus = value),
        plan_file::PAGE_CACHE => said!("plan-page-cache", host = host),
        path => said!("plan-setting", host = host, path = path, value = value),
    }
}

fn print_left_out(plan: &PlanRecord, host: &PlannedHost) {
    let units: Vec<String> = host.left_out.iter().map(left_out_name).collect();
    if let (Some(budget_s), false) = (plan.budget_s, units.is_empty()) {
        println!(
            "{}",
            said!(
                "plan-left-out",
                host = &host.host,
                n = units.len(),
                budget = budget_s,
                units = units.join(", "),
            )
        );
    }
}

/// A word of a command as a shell would need it: where it ends must be seen.
fn shown(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", foreign(word).replace('\'', r"'\''")),
    }
}
