//! Where things are, and what this checkout is.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

/// The workspace's root: that of the checkout that this program was started in, which may have been copied or moved
/// since it was compiled.
pub fn root() -> PathBuf {
    // Cargo says it; as a runner of another crate's tests, though, this names that crate.
    let said = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    // `ROOT/target/debug/xtask`, unless the target folder lies elsewhere.
    let own = std::env::current_exe().ok();
    let own = own.iter().flat_map(|path| path.ancestors().skip(1));
    let said = said.iter().filter_map(|dir| dir.parent());
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let roots = said.chain(own).chain(compiled);
    let found = roots.into_iter().find(|root| is_root(root));
    found.or(compiled).unwrap_or(Path::new(".")).to_path_buf()
}

fn is_root(folder: &Path) -> bool {
    let packages = ["xtask", "bench-kernels", "inventory", "reports"];
    (packages.iter()).all(|package| folder.join(package).join("Cargo.toml").is_file())
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

/// The files of the inventory that a run of this suite needs: place in the copy, and where each is.
pub fn inventory_files(suite: &str, fleet: Option<&Path>) -> Vec<(PathBuf, PathBuf)> {
    let root = inventory_dir();
    let place = |file: PathBuf| {
        // A fleet file may lie anywhere; everything else keeps its place.
        let relative = match file.strip_prefix(&root) {
            Ok(relative) if fleet.is_none_or(|fleet| fleet != file) => relative.to_path_buf(),
            _ => PathBuf::from("fleet.yaml"),
        };
        let other_suite =
            relative.starts_with("suites") && relative.file_stem().is_none_or(|stem| stem != suite);
        (!other_suite).then_some((relative, file))
    };
    let files = bench_inventory::files(&root, fleet);
    files.into_iter().filter_map(place).collect()
}
