//! The board programs: building them, and proof that each is what a board needs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use bench_run_dir::files::sha256;
use object::elf;
use xshell::{Cmd, cmd};

use crate::elf::Elf;
use crate::exit::ExitError;
use crate::workspace;

/// Name of the board program's package and binary.
const PACKAGE: &str = "bench-kernels";

/// A target the board program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildTarget {
    /// Architecture as `uname -m` prints it.
    pub arch: &'static str,
    /// Rust target triple.
    pub triple: &'static str,
    machine: u16,
}

/// Every target; one static program each.
pub const TARGETS: [BuildTarget; 2] = [
    BuildTarget {
        arch: "aarch64",
        triple: "aarch64-unknown-linux-musl",
        machine: elf::EM_AARCH64,
    },
    BuildTarget {
        arch: "x86_64",
        triple: "x86_64-unknown-linux-musl",
        machine: elf::EM_X86_64,
    },
];

/// A built and checked board program.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// What it runs on.
    pub target: BuildTarget,
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size_bytes: u64,
}

/// The target of an architecture.
pub fn target_of(arch: &str) -> Option<BuildTarget> {
    // Some systems name 64-bit Arm otherwise.
    let arch = if arch == "arm64" { "aarch64" } else { arch };
    TARGETS.into_iter().find(|target| target.arch == arch)
}

/// Builds and checks the program of every target given, by architecture.
///
/// # Errors
/// With exit code 3 when a target is missing and cannot be added, the compiler fails, or the result is no static
/// executable for its machine.
pub fn build(targets: &[BuildTarget]) -> anyhow::Result<BTreeMap<&'static str, Artifact>> {
    let sh = workspace::shell()?;
    for target in targets {
        ensure_target(&sh, *target)?;
    }
    let target_args = targets
        .iter()
        .flat_map(|target| ["--target", target.triple]);
    let profile = PROFILE.iter().flat_map(|setting| ["--config", setting]);
    let command = cmd!(
        sh,
        "cargo build --release --package {PACKAGE} {target_args...} {profile...} --message-format=json-render-diagnostics"
    );
    let output = output_of(of_this_project(command))
        .map_err(|error| ExitError::build(format!("the board programs do not build: {error:#}")))?;
    let executables = executables(&output)?;
    targets
        .iter()
        .map(|target| {
            let path = executables
                .iter()
                .find(|path| {
                    path.components()
                        .any(|part| part.as_os_str() == target.triple)
                })
                .ok_or_else(|| {
                    ExitError::build(format!("cargo names no executable for `{}`", target.triple))
                })?;
            Ok((target.arch, checked(*target, path)?))
        })
        .collect()
}

/// The release profile of the workspace, said on the command line: a user's own configuration of cargo would count more
/// than the manifest does.
const PROFILE: [&str; 9] = [
    "profile.release.opt-level=3",
    "profile.release.lto='fat'",
    "profile.release.codegen-units=1",
    "profile.release.panic='abort'",
    "profile.release.strip=true",
    "profile.release.debug=0",
    "profile.release.debug-assertions=false",
    "profile.release.overflow-checks=false",
    "profile.release.incremental=false",
];

/// Keeps what this user sets for other projects away from a build: two people measure with the same program. Where cargo
/// takes a value from the environment, that counts more than any configuration file.
fn of_this_project(command: Cmd<'_>) -> Cmd<'_> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_foreign = |name: &String| {
        ["RUSTC", "RUSTFLAGS", "RUSTC_BOOTSTRAP", "RUSTC_LINKER"].contains(&name.as_str())
            || ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                && ![
                    "CARGO_BUILD_JOBS",
                    "CARGO_BUILD_TARGET_DIR",
                    "CARGO_TARGET_DIR",
                ]
                .contains(&name.as_str())
    };
    let command = names
        .filter(is_foreign)
        .fold(command, |command, name| command.env_remove(name));
    let command = (TARGETS.iter()).fold(command, |command, target| {
        let triple = target.triple.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{triple}_LINKER"), "rust-lld")
    });
    command
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
}

/// Adds a target to the toolchain if it is not there.
fn ensure_target(sh: &xshell::Shell, target: BuildTarget) -> anyhow::Result<()> {
    let triple = target.triple;
    let sysroot = cmd!(sh, "rustc --print sysroot")
        .quiet()
        .read()
        .context("rustc does not answer")?;
    if Path::new(&sysroot)
        .join("lib/rustlib")
        .join(triple)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    eprintln!("{}", said!("build-adding-target", target = triple));
    output_of(cmd!(sh, "rustup target add {triple}")).map_err(|error| {
        ExitError::build(format!(
            "the Rust target `{triple}` is missing and could not be added ({error:#}); run `rustup target add {triple}`"
        ))
    })?;
    Ok(())
}

/// Runs a program, returns its standard output and shows its standard error.
///
/// A terminal is inherited, so that cargo can draw its progress. Anything else is copied line by line: cargo fails when it
/// cannot write that it waits for another build, and the reader of a pipe may be gone.
fn output_of(command: Cmd<'_>) -> anyhow::Result<String> {
    let line = command.to_string();
    let mut command = Command::from(command.quiet());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if !std::io::stderr().is_terminal() {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().with_context(|| format!("`{line}`"))?;
    let progress = child.stderr.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let lines = progress.map(|progress| BufReader::new(progress).split(b'\n'));
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                eprintln!("{}", String::from_utf8_lossy(&line));
            }
        });
        child.wait_with_output()
    })?;
    anyhow::ensure!(output.status.success(), "`{line}`: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Paths of executables from cargo's JSON messages.
fn executables(messages: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in messages.lines() {
        let message: serde_json::Value =
            serde_json::from_str(line).context("cargo printed a line that is no JSON")?;
        if message["target"]["name"] == PACKAGE
            && let Some(path) = message["executable"].as_str()
        {
            paths.push(PathBuf::from(path));
        }
    }
    Ok(paths)
}

fn checked(target: BuildTarget, path: &Path) -> anyhow::Result<Artifact> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    check_elf(&bytes, target).map_err(|problem| {
        ExitError::build(format!(
            "`{}` cannot run on a board: {problem}",
            path.display()
        ))
    })?;
    Ok(Artifact {
        target,
        path: path.to_path_buf(),
        sha256: sha256(&bytes),
        size_bytes: bytes.len() as u64,
    })
}

/// A board has whatever it has: the program must be for its machine and need no loader and no library.
fn check_elf(bytes: &[u8], target: BuildTarget) -> Result<(), String> {
    let elf = Elf::read(bytes).map_err(|error| format!("it is not a 64-bit ELF file: {error}"))?;
    if !elf.is_little_endian {
        return Err("it is big-endian".to_string());
    }
    let machine = elf.machine;
    if machine != target.machine {
        return Err(format!(
            "its machine is {machine}, not {} ({})",
            target.machine, target.arch
        ));
    }
    if elf.loader.is_some() {
        return Err("it asks for an interpreter, so it is not static".to_string());
    }
    if !elf.needed.is_empty() {
        return Err("it needs shared libraries".to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_no_board_can_run() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let native = target_of(std::env::consts::ARCH).unwrap();
        let other = TARGETS
            .into_iter()
            .find(|target| *target != native)
            .unwrap();
        assert!(
            check_elf(&own, native).unwrap_err().contains("interpreter"),
            "test binaries are dynamic"
        );
        assert!(check_elf(&own, other).unwrap_err().contains("machine"));
        assert!(
            check_elf(b"#!/bin/sh\n", native)
                .unwrap_err()
                .contains("not a 64-bit ELF")
        );
        assert!(check_elf(&own[..40], native).is_err());
    }

    #[test]
    fn knows_both_names_of_64_bit_arm() {
        assert_eq!(target_of("arm64"), target_of("aarch64"));
        assert_eq!(target_of("armv7l"), None);
    }
}
