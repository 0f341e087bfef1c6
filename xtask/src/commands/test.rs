//! `test`: everything CI runs, set-up included.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use xshell::{Cmd, Shell, cmd};

use crate::artifact::{self, Artifact, TARGETS};
use crate::exit::{self, ExitError};
use crate::{transport, workspace};

/// Options of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Do not install anything; fail when something is missing
    #[arg(long)]
    no_install: bool,
}

/// A program the tests need and the Debian package that has it.
const TOOLS: [(&str, &str); 14] = [
    ("ssh", "openssh-client"),
    ("sshd", "openssh-server"),
    ("ssh-keygen", "openssh-client"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("chromium", "chromium"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("fish", "fish"),
    ("tcsh", "tcsh"),
    ("dropbear", "dropbear-bin"),
    ("busybox", "busybox"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// CPUs the aarch64 program is tried on: no extensions, dot product, everything.
const EMULATED_CPUS: [&str; 3] = ["cortex-a53", "cortex-a76", "max"];

/// Version of cargo-deny, built once into `target/tools`.
const CARGO_DENY: &str = "0.20.2";

/// Version of cargo-fuzz, built once into `target/tools`.
const CARGO_FUZZ: &str = "0.13.2";

/// Packages of the npm registry that tests of pages use: rules of accessibility, and a checker of JSON Schemas.
const NPM_PACKAGES: [(&str, &str); 2] = [("axe-core", "4.14.1"), ("ajv", "8.20.0")];

/// Fuzz targets and how many inputs each gets here: enough to see that it works and that nothing known is back.
const FUZZ_TARGETS: [(&str, &str); 6] = [
    ("inventory", "20000"),
    ("stream", "20000"),
    ("merge", "20000"),
    ("gguf", "20000"),
    ("import", "20000"),
    // Whole runs: each input is some hundred times as much work.
    ("run", "500"),
];

/// Runs every step and stops at the first that fails.
///
/// # Errors
/// When something is missing and may not be installed, or a step fails.
pub fn test(args: &TestArgs) -> anyhow::Result<u8> {
    let sh = workspace::shell()?;
    let mut steps = Steps::default();
    steps.run("set-up", || set_up(&sh, args.no_install))?;
    steps.run("packages of the npm registry", || {
        npm_packages(&sh, args.no_install)
    })?;
    steps.run("format", || run(cmd!(sh, "cargo fmt --all --check")))?;
    steps.run("lints", || {
        run(cmd!(
            sh,
            "cargo clippy --workspace --all-targets --locked -- -D warnings"
        ))?;
        // As `cargo xtask` builds it.
        run(cmd!(
            sh,
            "cargo clippy --package xtask --no-default-features --locked -- -D warnings"
        ))
    })?;
    let artifacts = steps.run("board programs: build and ELF checks", || {
        artifact::build(&TARGETS)
    })?;
    steps.run("board programs: own checks", || {
        self_tests(&sh, artifacts.values())
    })?;
    steps.run("board programs: what the timed region calls", || {
        run(cmd!(
            sh,
            "cargo test --locked --package bench-kernels --test timed_region"
        ))
    })?;
    steps.run("scalar code under miri", || under_miri(&sh))?;
    steps.run("fuzz targets: a short run", || fuzz(&sh, args.no_install))?;
    steps.run("licences, bans and sources", || {
        check_dependencies(&sh, args.no_install)
    })?;
    // Last, because cargo's own closing line says how many tests ran.
    steps.run("unit, integration and end-to-end tests", || {
        run(cmd!(sh, "cargo test --workspace --locked --no-fail-fast"))
    })?;
    steps.print();
    Ok(exit::OK)
}

/// The steps that were done, with the seconds each took.
#[derive(Default)]
struct Steps(Vec<(&'static str, f64)>);

impl Steps {
    fn run<T>(
        &mut self,
        name: &'static str,
        action: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        eprintln!("=== {name}");
        let started = Instant::now();
        let result = action().with_context(|| format!("step `{name}` failed"))?;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("=== {name}: ok, {seconds:.0} s");
        self.0.push((name, seconds));
        Ok(result)
    }

    fn print(&self) {
        eprintln!("=== all steps");
        for (name, seconds) in &self.0 {
            eprintln!("{seconds:>6.0} s  {name}");
        }
        let total: f64 = self.0.iter().map(|(_, seconds)| seconds).sum();
        eprintln!("{total:>6.0} s  together");
    }
}

fn run(command: Cmd<'_>) -> anyhow::Result<()> {
    Ok(command.run()?)
}

/// Installs what is missing where that is allowed, and otherwise names all of it at once.
fn set_up(sh: &Shell, no_install: bool) -> anyhow::Result<()> {
    for component in ["fmt", "clippy"] {
        if cmd!(sh, "cargo {component} --version")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_err()
        {
            let name = if component == "fmt" {
                "rustfmt"
            } else {
                component
            };
            run(cmd!(sh, "rustup component add {name}"))?;
        }
    }
    let has_miri = cmd!(sh, "rustup run nightly cargo miri --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr();
    if has_miri.run().is_err() {
        if no_install {
            return Err(ExitError::usage(
                "miri is missing; run `rustup toolchain install nightly --component miri,rust-src`",
            )
            .into());
        }
        // Where some nightly is there already, its components are added to that one.
        let added = cmd!(sh, "rustup component add miri rust-src --toolchain nightly").run();
        if added.is_err() {
            run(cmd!(
                sh,
                "rustup toolchain install nightly --profile minimal --component miri,rust-src"
            ))?;
        }
    }
    let missing: BTreeSet<&str> = TOOLS
        .into_iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.into_iter().collect();
    let is_root = cmd!(sh, "id -u").quiet().read().is_ok_and(|id| id == "0");
    if no_install || !is_root || !is_installed("apt-get") {
        let message = format!(
            "missing: {0}; as root, run `apt-get install {0}`",
            packages.join(" ")
        );
        return Err(ExitError::usage(message).into());
    }
    let _env = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    run(cmd!(sh, "apt-get update -q"))?;
    run(cmd!(
        sh,
        "apt-get install -q --yes --no-install-recommends {packages...}"
    ))
}

/// Installs what tests of pages need into `target/tools/npm`, at the versions above.
fn npm_packages(sh: &Shell, no_install: bool) -> anyhow::Result<()> {
    let prefix = workspace::root().join("target").join("tools").join("npm");
    let is_there = |(name, version): &(&str, &str)| {
        let file = prefix.join("node_modules").join(name).join("package.json");
        let quoted = format!("\"version\": \"{version}\"");
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(&quoted))
    };
    if NPM_PACKAGES.iter().all(is_there) {
        return Ok(());
    }
    let packages: Vec<String> = NPM_PACKAGES
        .iter()
        .map(|(name, version)| format!("{name}@{version}"))
        .collect();
    if no_install {
        let message = format!(
            "packages of npm are missing; run `npm install --prefix {} --no-save {}`",
            prefix.display(),
            packages.join(" ")
        );
        return Err(ExitError::usage(message).into());
    }
    std::fs::create_dir_all(&prefix)
        .with_context(|| format!("cannot create `{}`", prefix.display()))?;
    // No script of a package runs, and nothing is written outside the folder of tools.
    run(cmd!(
        sh,
        "npm install --prefix {prefix} --no-save --no-package-lock --ignore-scripts --no-audit --no-fund {packages...}"
    ))
}

/// On the search path, or where system programs lie outside an ordinary user's.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders
        .into_iter()
        .any(|folder| folder.join(program).is_file())
}

/// The kernels against their reference, on this CPU and on emulated ones with and without extensions.
fn self_tests<'a>(sh: &Shell, artifacts: impl Iterator<Item = &'a Artifact>) -> anyhow::Result<()> {
    for artifact in artifacts {
        let (arch, program) = (artifact.target.arch, &artifact.path);
        if arch == std::env::consts::ARCH {
            run(cmd!(sh, "{program} self-test"))?;
        } else if let Some(emulator) = transport::find_emulator(arch) {
            for cpu in EMULATED_CPUS {
                run(cmd!(sh, "{emulator} -cpu {cpu} {program} self-test"))?;
            }
        } else {
            // Only aarch64 has its emulator among the tools; the other way round there is none to ask for.
            eprintln!("no emulator for {arch}: its program was built and not run");
        }
    }
    Ok(())
}

/// Code that touches memory directly, in an interpreter that sees undefined behaviour and data races: the reference code,
/// the pool and the chunks that its threads take, the chains of loads, and a step of a small model on two threads, with
/// its phase buffers. It takes a thousand times as long: everything else is left to the other steps.
fn under_miri(sh: &Shell) -> anyhow::Result<()> {
    let _env = sh.push_env("MIRIFLAGS", "-Zmiri-disable-isolation");
    // Miri knows the C library's functions, not the kernel's calls.
    let _flags = sh.push_env("RUSTFLAGS", "--cfg rustix_use_libc");
    let filters = [
        "numeric::",
        "weights::",
        "properties::products",
        "pool::",
        "chunks::",
        "chains::",
        "step_does_not_depend_on_threads",
    ];
    run(cmd!(
        sh,
        "rustup run nightly cargo miri test --locked --package bench-kernels --bin bench-kernels --target-dir target/miri -- {filters...}"
    ))
}

/// Arbitrary text where text comes from outside. Without a sanitizer: none of this code is unsafe.
fn fuzz(sh: &Shell, no_install: bool) -> anyhow::Result<()> {
    let program = tool(sh, "cargo-fuzz", CARGO_FUZZ, no_install)?;
    run(cmd!(
        sh,
        "rustup run nightly {program} build --sanitizer none"
    ))?;
    for (target, n_inputs) in FUZZ_TARGETS {
        // What is found on the way goes to a folder of its own; the seeds stay as they are.
        let (found, seeds) = (
            format!("fuzz/found/{target}"),
            format!("fuzz/corpus/{target}"),
        );
        sh.create_dir(&found)?;
        let output = cmd!(
            sh,
            "rustup run nightly {program} run --sanitizer none {target} {found} {seeds} -- -runs={n_inputs} -seed=1 -timeout=60"
        )
        .ignore_status()
        .output()?;
        // The fuzzer tells a lot, which only a failure makes worth reading.
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            anyhow::bail!(
                "the fuzz target `{target}` failed; its input is in `fuzz/artifacts/{target}`, make it a test"
            );
        }
    }
    Ok(())
}

/// A cargo subcommand that is installed, or is built once into `target/tools`.
fn tool(sh: &Shell, name: &str, version: &str, no_install: bool) -> anyhow::Result<PathBuf> {
    if is_installed(name) {
        return Ok(PathBuf::from(name));
    }
    let tools = workspace::root().join("target").join("tools");
    let program = tools.join("bin").join(name);
    if !program.is_file() {
        if no_install {
            let message = format!("{name} is missing; run `cargo install --locked {name}`");
            return Err(ExitError::usage(message).into());
        }
        run(cmd!(
            sh,
            "cargo install --debug --quiet --locked --version {version} --root {tools} {name}"
        ))?;
    }
    Ok(program)
}

fn check_dependencies(sh: &Shell, no_install: bool) -> anyhow::Result<()> {
    let program = tool(sh, "cargo-deny", CARGO_DENY, no_install)?;
    // Offline it reads the sources of every crate in the lock file, those for other systems included.
    run(cmd!(sh, "cargo fetch --quiet --locked"))?;
    // The advisory database lies on a network that is not always there; the other checks need none.
    run(cmd!(sh, "{program} --offline check licenses bans sources"))
}
