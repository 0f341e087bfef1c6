//! Which run directories there are, and which one a name means.

use std::path::{Path, PathBuf};

use crate::commands::unknown;
use crate::exit::ExitError;

/// The directory of a run by name or path; the newest one when there is no name.
///
/// # Errors
/// When there is no such run.
pub fn find_run(runs_dir: &Path, name: Option<&str>) -> anyhow::Result<PathBuf> {
    let runs = runs_newest_first(runs_dir);
    let Some(name) = name else {
        return runs.into_iter().next().ok_or_else(|| {
            ExitError::usage(format!(
                "there is no run in `{}`; start one with `cargo xtask run`",
                runs_dir.display()
            ))
            .into()
        });
    };
    if Path::new(name).join("manifest.json").is_file() {
        return Ok(PathBuf::from(name));
    }
    let names: Vec<String> = (runs.iter().rev())
        .filter_map(|run| Some(run.file_name()?.to_string_lossy().into_owned()))
        .collect();
    match names.iter().any(|run| run == name) {
        true => Ok(runs_dir.join(name)),
        false => Err(unknown("run", name, names.iter().map(String::as_str))),
    }
}

/// Every folder of runs that has a manifest; their names begin with the time.
pub fn runs_newest_first(runs_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runs_dir).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = (entries.map(|entry| entry.path()))
        .filter(|path| path.join("manifest.json").is_file())
        .collect();
    runs.sort();
    runs.reverse();
    runs
}
