//! memwall's command line: plan, build, deploy, measure, collect, and one call into the report library.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "report"),
    expect(
        dead_code,
        unused_macros,
        reason = "what only commands that render something use"
    )
)]

// First: its macros hold for every module below it.
#[macro_use]
mod out;

mod artifact;
mod budget;
mod commands;
mod disk;
mod elf;
mod environment;
mod events;
mod exit;
mod host;
mod host_key;
mod lab;
mod plan;
mod plan_file;
mod progress;
mod recorder;
mod resume;
mod retry;
mod runs;
mod select;
mod shard;
mod transport;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench_locales::Language;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// How close does each board get to its memory wall, and which language model should it run?
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// File with the hosts of this lab [default: inventory/fleet.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub fleet: Option<PathBuf>,
    /// Folder with the run directories [default: reports/runs]
    #[arg(long, global = true, value_name = "DIR")]
    pub runs_dir: Option<PathBuf>,
    /// Output for people or for programs (one JSON document on standard output)
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Language of reports and of what is printed: en or es [default: the language of the environment, else en]
    #[arg(long, global = true, value_name = "LANG", value_parser = Language::from_code)]
    pub lang: Option<Language>,
    /// When to colour error messages
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl Global {
    /// The language that was asked for, by option or by the environment as POSIX orders its variables.
    pub fn language(&self) -> Language {
        let of_environment = || {
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| std::env::var(name).ok());
            let set = set.into_iter().flatten().find(|value| !value.is_empty())?;
            let code = set.split(['_', '.', '@']).next()?;
            Language::from_code(code).ok()
        };
        self.lang.or_else(of_environment).unwrap_or_default()
    }

    /// Where run directories are.
    pub fn runs_dir(&self) -> PathBuf {
        self.runs_dir
            .clone()
            .unwrap_or_else(workspace::default_runs_dir)
    }

    /// Where the history of these runs is: beside their folder.
    pub fn history_dir(&self) -> PathBuf {
        let runs_dir = self.runs_dir();
        // A folder without a parent in its name has one all the same.
        let absolute = std::path::absolute(&runs_dir).unwrap_or(runs_dir);
        absolute.with_file_name("history")
    }

    /// The history that a run belongs to: that of the runs it lies among. A run elsewhere belongs to none, so that
    /// nothing is written into folders that nobody named.
    pub fn history_of(&self, run_dir: &Path) -> Option<PathBuf> {
        let parent = std::fs::canonicalize(run_dir.join("..")).ok()?;
        let runs_dir = std::fs::canonicalize(self.runs_dir()).ok()?;
        (parent == runs_dir).then(|| self.history_dir())
    }
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// One JSON document.
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build, deploy, measure, collect and report
    Run(commands::run::RunArgs),
    /// Build and check the board programs
    Build(commands::build::BuildArgs),
    /// Show what a run would measure, with which programs and how long, without connecting to anything
    Plan(commands::plan::PlanArgs),
    /// Add a machine to the fleet file: compare and pin its key, ask what it is
    Add(commands::add::AddArgs),
    /// Take a host's new key after the board was reflashed
    Trust(commands::trust::TrustArgs),
    /// List what there is
    List {
        /// What to list
        #[arg(value_enum)]
        what: commands::list::What,
    },
    /// Check every file of the inventory and report all mistakes at once
    Check,
    /// Ask hosts for their state and name what would disturb a measurement, with its remedy
    Doctor(commands::doctor::DoctorArgs),
    /// Put back what a run changed on hosts and could not put back itself
    Restore(commands::restore::RestoreArgs),
    /// Render the report of a run directory again [default: the newest run]
    Report(commands::report::ReportArgs),
    /// Join run directories of one plan, for instance those of shards
    Merge(commands::merge::MergeArgs),
    /// List the runs of the history and the last valid run of each host, or add runs to it
    History(commands::history::HistoryArgs),
    /// Write a run in the format of another benchmark program
    Export(commands::export::ExportArgs),
    /// Keep results of other benchmark programs in a run, beside what memwall measured
    Import(commands::import::ImportArgs),
    /// Show a GGUF file as a model, or add it to the catalogue
    Model(commands::model::ModelArgs),
    /// What bounds models on boards: the chain from theory over measured limits to tokens per second
    Bounds(commands::bounds::BoundsArgs),
    /// Which model to run on a board, how sure that is, and what would help
    Recommend(commands::recommend::RecommendArgs),
    /// Start, show and end emulated boards to try memwall on
    Lab(commands::lab::LabArgs),
    /// Compare two runs, hosts or states of a host, unit by unit, with intervals
    Compare(commands::compare::CompareArgs),
    /// Run a program of this machine on a host, as cargo's runner
    Runner(commands::runner::RunnerArgs),
    /// Everything CI runs, set-up included
    Test(commands::test::TestArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    out::speak(cli.global.language());
    let result = match cli.command {
        Command::Run(args) => commands::run::run(&cli.global, &args),
        Command::Build(args) => commands::build::build(&cli.global, &args),
        Command::Plan(args) => commands::plan::plan(&cli.global, &args),
        Command::List { what } => commands::list::list(&cli.global, what),
        Command::Check => commands::check::check(&cli.global),
        Command::Doctor(args) => commands::doctor::doctor(&cli.global, &args),
        Command::Restore(args) => commands::restore::restore(&cli.global, &args),
        Command::Report(args) => commands::report::report(&cli.global, &args),
        Command::Merge(args) => commands::merge::merge(&cli.global, &args),
        Command::Compare(args) => commands::compare::compare(&cli.global, &args),
        Command::History(args) => commands::history::history(&cli.global, &args),
        Command::Export(args) => commands::export::export(&cli.global, &args),
        Command::Import(args) => commands::import::import(&cli.global, &args),
        Command::Model(args) => commands::model::model(&cli.global, &args),
        Command::Bounds(args) => commands::bounds::bounds(&cli.global, &args),
        Command::Recommend(args) => commands::recommend::recommend(&cli.global, &args),
        Command::Lab(args) => commands::lab::lab(&cli.global, &args),
        Command::Runner(args) => commands::runner::runner(&cli.global, &args),
        Command::Add(args) => commands::add::add(&cli.global, &args),
        Command::Trust(args) => commands::trust::trust(&cli.global, &args),
        Command::Test(args) => commands::test::test(&args),
    };
    match result {
        Ok(exit::OK) if out::has_failed() => ExitCode::from(exit::INTERNAL),
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit::code_of(&error))
        }
    }
}

/// Who runs this controller, for others who find a board in use.
fn owner() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let host = match controller_name() {
        name if name.is_empty() => "unnamed".to_owned(),
        name => name,
    };
    format!("{}@{host}", user.as_deref().unwrap_or("somebody"))
}

/// The name of this machine; empty where it has none.
fn controller_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
