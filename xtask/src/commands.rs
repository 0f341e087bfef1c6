//! One file per subcommand.

pub mod add;
pub mod bounds;
pub mod build;
pub mod check;
pub mod choose;
#[cfg(feature = "report")]
pub mod compare;
pub mod doctor;
mod evidence;
#[cfg(feature = "report")]
pub mod export;
#[cfg(feature = "report")]
pub mod history;
#[cfg(feature = "report")]
pub mod import;
pub mod lab;
pub mod list;
#[cfg(feature = "report")]
pub mod merge;
pub mod model;
pub mod own_files;
pub mod plan;
pub mod recommend;
#[cfg(feature = "report")]
pub mod report;
pub mod restore;
#[cfg(feature = "report")]
pub mod run;
pub mod runner;
pub mod test;
pub mod trust;

/// Commands that need the report library: the program is started again with it.
#[cfg(not(feature = "report"))]
mod with_reports;

#[cfg(not(feature = "report"))]
pub use with_reports::{compare, export, history, import, merge, report, run};

use std::collections::BTreeSet;
use std::io::IsTerminal;

use bench_inventory::Inventory;

use crate::exit::ExitError;
use crate::{Color, Global, workspace};

/// Loads the inventory or fails with every mistake in it.
///
/// # Errors
/// With exit code 2 and all diagnostics.
pub fn load_inventory(global: &Global) -> anyhow::Result<Inventory> {
    bench_inventory::load(&workspace::inventory_dir(), global.fleet.as_deref()).map_err(|error| {
        let color = match global.color {
            Color::Auto => std::io::stderr().is_terminal(),
            Color::Always => true,
            Color::Never => false,
        };
        eprintln!("{}\n", error.render(color).trim_end());
        let mistakes = match error.diagnostics.len() {
            1 => "1 mistake".to_string(),
            n => format!("{n} mistakes"),
        };
        ExitError::usage(format!("the inventory has {mistakes}, shown above")).into()
    })
}

/// An unknown name, with the nearest match and the choices.
pub fn unknown<'a>(
    what: &str,
    name: &str,
    choices: impl Iterator<Item = &'a str> + Clone,
) -> anyhow::Error {
    let nearest = bench_inventory::suggest(name, choices.clone());
    let hint = nearest
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_else(|| ".".to_string());
    let choices: BTreeSet<&str> = choices.collect();
    let choices: Vec<&str> = choices.into_iter().collect();
    ExitError::usage(format!(
        "there is no {what} `{name}`{hint} There are: {}",
        choices.join(", ")
    ))
    .into()
}
