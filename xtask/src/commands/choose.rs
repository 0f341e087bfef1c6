//! What a run or a plan is about: the options that choose suite, kernels and hosts, and what they choose.

use std::num::NonZeroU32;
use std::path::PathBuf;

use bench_inventory::{Host, Suite};
use clap::Args;
use wildmatch::WildMatch;

use super::own_files::{self, OwnFiles};
use crate::Global;
use crate::budget::Budget;
use crate::exit::ExitError;
use crate::plan_file::Ingredients;
use crate::select::Selection;

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
    /// Suite of the inventory, or the path of a suite's file (`./NAME.yaml`)
    #[arg(long, default_value = "quick", value_name = "SUITE")]
    suite: String,
    /// Measure only kernels whose name matches; `*` stands for anything
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    kernel: Vec<String>,
    /// Measure the model in this GGUF file instead of the suite's models, with its exact tensors; weights are not read
    #[arg(long, value_name = "FILE", num_args = 1..)]
    gguf: Vec<PathBuf>,
    /// Force every kernel to this instruction-set variant; units are skipped where the CPU lacks it
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// Force kernels to this shape of their loops, as the results of a run name it, instead of racing all shapes; units
    /// whose kernel has others only are skipped
    #[arg(long, value_name = "NAME")]
    shape: Option<String>,
    /// Give each host this much time, for instance `45m`: units of most value first, what does not fit is left out and
    /// named
    #[arg(long, value_name = "TIME")]
    budget: Option<Budget>,
    /// Measure each unit this many times, in processes of their own and in an order drawn by chance: intervals then hold
    /// what changes between them [default: the suite's `rounds`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Measure every unit twice: as the host is found, and after what its `prepare` asks for
    #[arg(long)]
    compare_environment: bool,
    /// Measure at most this many hosts at once [default: all]
    #[arg(long, value_name = "N")]
    pub max_parallel: Option<NonZeroU32>,
}

/// What the options choose.
///
/// # Errors
/// With exit code 2 when the inventory has mistakes, or a name is unknown.
pub fn choose(global: &Global, args: &SelectArgs) -> anyhow::Result<Ingredients> {
    let mut inventory = super::load_inventory(global)?;
    let mut own = OwnFiles::new();
    let mut suite = own_files::suite(&args.suite, &inventory, &mut own)?;
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
    own.extend(own_files::of_gguf(&args.gguf, &inventory)?);
    own_files::load(&own, &mut inventory)?;
    own_files::use_models(&own_files::models(&own), &mut suite)?;
    let rounds = args.rounds.and_then(NonZeroU32::new);
    suite.rounds = rounds.unwrap_or(suite.rounds);
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
    if args.compare_environment && hosts.iter().all(|host| host.prepare.is_empty()) {
        return Err(ExitError::usage(
            "`--compare-environment` has nothing to compare: no selected host of the fleet file has `prepare`",
        )
        .into());
    }
    Ok(Ingredients {
        inventory,
        suite,
        hosts,
        kernels: args.kernel.clone(),
        own_files: own,
        variant: args.variant.clone(),
        shape: args.shape.clone(),
        budget: args.budget,
        rounds,
        max_parallel: args.max_parallel,
        compare_environment: args.compare_environment,
    })
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
