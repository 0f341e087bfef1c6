//! Where things are, and what this checkout is.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

/// The workspace's root.
pub fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir
        .parent()
        .expect("xtask lies in the workspace")
        .to_path_buf()
}

/// The inventory folder.
pub fn inventory_dir() -> PathBuf {
    root().join("inventory")
}

/// Where run directories are made, unless the command line says otherwise.
pub fn default_runs_dir() -> PathBuf {
    root().join("reports").join("runs")
}

/// Revision of the checkout and whether it has changes; `None` outside git.
pub fn git_state() -> Option<(String, bool)> {
    let sh = shell().ok()?;
    let revision = cmd!(sh, "git rev-parse HEAD")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()?;
    let changes = cmd!(sh, "git status --porcelain")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()?;
    Some((revision, !changes.is_empty()))
}

/// `rustc --version` of the toolchain that builds the board programs.
pub fn rustc_version() -> Option<String> {
    let sh = shell().ok()?;
    cmd!(sh, "rustc --version")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()
}

/// A shell in the workspace's root.
///
/// # Errors
/// When the root cannot be entered.
pub fn shell() -> xshell::Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    Ok(sh)
}
