//! `plan`: what a run would measure, with which programs, and how long it takes; nobody is asked.

use std::path::PathBuf;

use bench_run_dir::LeftOutUnit;
use bench_run_dir::plan::{PlanRecord, PlannedHost};
use clap::Args;
use comfy_table::{Table, presets};

use super::choose::{self, SelectArgs};
use super::own_files;
use crate::artifact::{self, TARGETS};
use crate::budget::Budget;
use crate::exit::{self, ExitError};
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
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(["host", "unit", "CPUs", "rounds", "sampling"]);
    for host in &plan.hosts {
        for unit in &host.units {
            let cpus = match unit.candidates.len() {
                0 => unit.cpus.len().to_string(),
                n => format!("the best of {n} sets"),
            };
            table.add_row([
                host.host.clone(),
                unit.unit.clone(),
                cpus,
                unit.rounds.to_string(),
                seconds(unit.sampling_ms * u64::from(unit.rounds)),
            ]);
        }
        table.add_row([
            host.host.clone(),
            "all units".to_owned(),
            format!("of {} assumed", host.assumed_cpus),
            String::new(),
            seconds(host.sampling_ms),
        ]);
    }
    println!("{table}");
    for host in &plan.hosts {
        for unit in host.units.iter().filter(|unit| !unit.program.is_empty()) {
            let words: Vec<String> = unit.program.iter().map(|word| shown(word)).collect();
            println!(
                "host `{}`: `{}` runs the program {}",
                host.host,
                unit.unit,
                words.join(" ")
            );
        }
        print_left_out(plan, host);
        for write in &host.environment_writes {
            println!(
                "host `{}`: {} becomes `{}` while it measures",
                host.host, write.path, write.value
            );
        }
    }
    for id in own_files::models(&plan.own_files) {
        println!(
            "model `{id}`: the exact tensors of its file; emulated hosts measure the suite's small model"
        );
    }
    for (triple, artifact) in &plan.artifacts {
        println!(
            "program for {triple}: {} bytes, SHA-256 {}",
            artifact.size_bytes,
            plan_file::short(&artifact.sha256)
        );
    }
    for host in &plan.hosts {
        println!("host `{}`: about {}", host.host, seconds(host.estimated_ms));
    }
    println!("all hosts: about {} s", plan.estimated_s);
    println!("plan {}", plan.hash);
}

fn print_left_out(plan: &PlanRecord, host: &PlannedHost) {
    let units: Vec<String> = host.left_out.iter().map(LeftOutUnit::name).collect();
    if let (Some(budget_s), false) = (plan.budget_s, units.is_empty()) {
        println!(
            "host `{}`: {} units do not fit {budget_s} s: {}",
            host.host,
            units.len(),
            units.join(", ")
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

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}
