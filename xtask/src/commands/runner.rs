//! `runner`: runs a program of this machine on a host, as cargo's runner: with it, `cargo test --target ...` tests on a
//! board.
//!
//! The program's streams and its status pass through. Over SSH the program and the files its arguments name are brought
//! to the board first, and whatever ends the runner ends the program there.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bench_inventory::{Host, Transport};
use bench_run_dir::HostStatus;
use clap::Args;
use object::elf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

use crate::elf::Elf;
use crate::exit::{self, ExitError};
use crate::transport::{self, Connection, End, HostError, LocalFile, Running};
use crate::{Global, artifact};

/// Connections that an upload may lose before it is given up.
const N_CONNECTIONS: u32 = 4;

/// Waits this long before it connects again.
const PAUSE: Duration = Duration::from_millis(500);

/// Status of a program ended by signal n: the shell's convention.
const SIGNAL_STATUS: u8 = 128;

/// Options of `runner`.
#[derive(Debug, Args)]
pub struct RunnerArgs {
    /// Host of the fleet file
    #[arg(long, value_name = "NAME")]
    host: String,
    /// Program of this machine
    binary: PathBuf,
    /// Its arguments; files that they name relative to the current folder go along
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Runs the program; returns its status.
///
/// # Errors
/// When the host is unknown or cannot be reached, or the program is not for it.
pub fn runner(global: &Global, args: &RunnerArgs) -> anyhow::Result<u8> {
    let inventory = super::load_inventory(global)?;
    let hosts = &inventory.fleet.hosts;
    let host = hosts
        .iter()
        .find(|host| host.name == args.host)
        .ok_or_else(|| {
            let names = hosts.iter().map(|host| host.name.as_str());
            super::unknown("host", &args.host, names)
        })?;
    let program = Program::read(&args.binary)?;
    match &host.transport {
        Transport::Local => {
            program.check_arch(std::env::consts::ARCH, &host.name)?;
            become_program(Command::new(&args.binary), args)
        }
        Transport::QemuUser { arch, cpu } => {
            program.check_arch(arch, &host.name)?;
            let emulator = transport::find_emulator(arch).ok_or_else(|| {
                ExitError::usage(format!(
                    "qemu-user for {arch} is not installed; `apt-get install qemu-user-static` adds it on Debian"
                ))
            })?;
            let mut command = Command::new(emulator);
            if let Some(cpu) = cpu {
                command.args(["-cpu", cpu]);
            }
            command.arg(&args.binary);
            become_program(command, args)
        }
        Transport::Ssh(_) => over_ssh(host, &program, args),
        Transport::Replay(_) => Err(ExitError::usage(format!(
            "host `{}` is a recorded stream and runs no program; name a host of another transport",
            host.name
        ))
        .into()),
    }
}

/// Replaces this process: streams, status and signals are the program's own.
fn become_program(mut command: Command, args: &RunnerArgs) -> anyhow::Result<u8> {
    let error = command.args(&args.args).exec();
    Err(error).with_context(|| format!("`{}` cannot be started", args.binary.display()))
}

/// What a program's file says about where it runs.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    /// As `uname -m` prints it; the number of the ELF header where it is none of memwall's targets.
    arch: String,
    /// Loader of a dynamic program.
    loader: Option<String>,
}

impl Program {
    fn read(path: &Path) -> anyhow::Result<Program> {
        let shown = path.display();
        let bytes = fs::read(path)
            .map_err(|error| ExitError::usage(format!("cannot read `{shown}`: {error}")))?;
        let elf = Elf::read(&bytes).map_err(|error| {
            ExitError::usage(format!("`{shown}` is not a 64-bit ELF program: {error}"))
        })?;
        Ok(Program {
            path: path.to_owned(),
            arch: match elf.machine {
                elf::EM_AARCH64 => "aarch64".to_owned(),
                elf::EM_X86_64 => "x86_64".to_owned(),
                other => format!("machine {other}"),
            },
            loader: elf.loader,
        })
    }

    /// Before any upload: a board only says that it cannot execute the file.
    fn check_arch(&self, arch: &str, host: &str) -> anyhow::Result<()> {
        let target = artifact::target_of(arch);
        let board_arch = target.map_or(arch, |target| target.arch);
        if board_arch == self.arch {
            return Ok(());
        }
        let remedy = target.map_or_else(String::new, |target| {
            format!("; build it with `--target {}`", target.triple)
        });
        Err(ExitError::usage(format!(
            "`{}` is for {}, and host `{host}` is {board_arch}{remedy}",
            self.path.display(),
            self.arch
        ))
        .into())
    }
}

/// Arguments as the program on the board sees them, and the files that go along.
#[derive(Debug, PartialEq, Eq)]
struct Shipment {
    args: Vec<OsString>,
    /// Path on this machine, and relative name in the folder of the call.
    files: Vec<(PathBuf, String)>,
}

/// A relative name below the current folder stays as it is; any other gets a name of its own.
fn shipment(cwd: &Path, args: &[OsString]) -> Shipment {
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut ship = |arg: &OsString| {
        let path = Path::new(arg);
        // A file whose name is not text stays here: names travel as text.
        let Some(text) = arg
            .to_str()
            .filter(|text| !text.is_empty() && cwd.join(text).is_file())
        else {
            return arg.clone();
        };
        let is_below = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = match is_below {
            true => text.to_owned(),
            false => format!("other-files/{}/{file_name}", files.len()),
        };
        if !files.iter().any(|(_, known)| *known == name) {
            files.push((cwd.join(path), name.clone()));
        }
        OsString::from(name)
    };
    let args = args.iter().map(&mut ship).collect();
    Shipment { args, files }
}

fn over_ssh(host: &Host, program: &Program, args: &RunnerArgs) -> anyhow::Result<u8> {
    let cwd = std::env::current_dir().context("the current folder is gone")?;
    let shipment = shipment(&cwd, &args.args);
    let paths = std::iter::once(&program.path).chain(shipment.files.iter().map(|(path, _)| path));
    let mut files = Vec::new();
    for path in paths {
        let file = LocalFile::read(path).map_err(|error| {
            ExitError::usage(format!("cannot read `{}`: {error}", path.display()))
        })?;
        files.push(file);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(async {
        let (connection, stored) = bring(host, program, &files).await?;
        let code = call(&connection, program, &shipment, &stored).await;
        connection.close().await;
        code.map_err(|error| host_error(host, error))
    });
    // Not dropped: a read of standard input cannot be given up, and must not hold up the status.
    runtime.shutdown_background();
    code
}

/// A host's failure with the exit code that it has for a whole command.
pub(super) fn host_error(host: &Host, error: HostError) -> anyhow::Error {
    let code = match error.status {
        HostStatus::Unreachable => exit::UNREACHABLE,
        _ => exit::FAILED,
    };
    let message = match error.stderr_tail.is_empty() {
        true => format!("host `{}`: {error}", host.name),
        false => format!(
            "host `{}`: {error}\n  | {}",
            host.name,
            error.stderr_tail.join("\n  | ")
        ),
    };
    ExitError { code, message }.into()
}

/// Brings all files to the board, over as many connections as it takes.
async fn bring(
    host: &Host,
    program: &Program,
    files: &[LocalFile],
) -> anyhow::Result<(Connection, Vec<String>)> {
    let mut n_left = N_CONNECTIONS;
    loop {
        n_left -= 1;
        let is_first = n_left + 1 == N_CONNECTIONS;
        let connection = transport::connect(host)
            .await
            .map_err(|error| host_error(host, error))?;
        let probe = connection
            .probe()
            .await
            .map_err(|error| host_error(host, error))?;
        program.check_arch(&probe.arch, &host.name)?;
        let error = match store_all(&connection, files, is_first).await {
            Ok(stored) => return Ok((connection, stored)),
            Err(error) => error,
        };
        let is_lost = match &connection {
            Connection::Ssh(ssh) => !ssh.is_alive().await,
            _ => false,
        };
        connection.close().await;
        if !is_lost || n_left == 0 {
            return Err(host_error(host, error));
        }
        eprintln!(
            "host `{}`: the upload broke off, connecting again",
            host.name
        );
        tokio::time::sleep(PAUSE).await;
    }
}

async fn store_all(
    connection: &Connection,
    files: &[LocalFile],
    is_first: bool,
) -> Result<Vec<String>, HostError> {
    let Connection::Ssh(ssh) = connection else {
        unreachable!("other transports run the program in place");
    };
    let mut stored = Vec::new();
    for file in files {
        let mut is_told = is_first;
        let mut progress = |n_bytes: u64| {
            if !is_told && n_bytes > 0 {
                let (path, size) = (file.path.display(), file.size_bytes);
                eprintln!("the upload of `{path}` goes on after {n_bytes} of {size} bytes");
            }
            is_told = true;
        };
        stored.push(ssh.store_file(file, &mut progress).await?);
    }
    Ok(stored)
}

/// Runs the program with its streams joined to this process's own.
async fn call(
    connection: &Connection,
    program: &Program,
    shipment: &Shipment,
    stored: &[String],
) -> Result<u8, HostError> {
    let Connection::Ssh(ssh) = connection else {
        unreachable!("other transports run the program in place");
    };
    let call = ssh.open_call(&stored[0]).await?;
    let names = shipment.files.iter().map(|(_, name)| name.clone());
    let files: Vec<(String, String)> = stored[1..].iter().cloned().zip(names).collect();
    if !files.is_empty() {
        call.place(ssh, &files).await?;
    }
    let variables = variables();
    let mut command: Vec<&OsStr> = Vec::new();
    if !variables.is_empty() {
        command.push(OsStr::new("env"));
        command.extend(variables.iter().map(OsStr::new));
    }
    let name = program.path.file_name().unwrap_or_default();
    let path = call.program(&name.to_string_lossy());
    command.push(OsStr::new(&path));
    command.extend(shipment.args.iter().map(OsString::as_os_str));
    let file = (stored[0].as_str(), path.as_str());
    let running = call
        .run(ssh, program.loader.as_deref(), file, &command)
        .await?;
    let status = tokio::select! {
        end = forward(running) => end,
        number = asked_to_end() => End::Status(i32::from(SIGNAL_STATUS + number)),
    };
    call.close().await;
    match status {
        End::Status(status) => Ok(u8::try_from(status).unwrap_or(exit::INTERNAL)),
        lost => Err(HostError::failed(
            bench_run_dir::Stage::Measure,
            lost.describe("the program"),
        )),
    }
}

/// What steers Rust's run time and tests: `RUST_BACKTRACE`, `RUST_LOG`, `RUST_TEST_THREADS` and the like.
fn variables() -> Vec<String> {
    let all = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        name.starts_with("RUST_").then(|| format!("{name}={value}"))
    });
    all.collect()
}

/// The number of the signal that asks this process to end.
async fn asked_to_end() -> u8 {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
            u8::try_from(kind.as_raw_value()).unwrap_or(0)
        }
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        number = wait(SignalKind::interrupt()) => number,
        number = wait(SignalKind::terminate()) => number,
        number = wait(SignalKind::hangup()) => number,
    }
}

/// Passes bytes on as they come, until the program's output and the program have ended.
async fn forward(running: Running) -> End {
    let Running {
        stdin,
        stdout,
        stderr,
        end,
    } = running;
    // Apart: the program may end without having read its input.
    let input = tokio::spawn(pass_on(tokio::io::stdin(), stdin));
    tokio::join!(
        pass_on(stdout, tokio::io::stdout()),
        pass_on(stderr, tokio::io::stderr())
    );
    let end = end.await;
    input.abort();
    end
}

async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        let written = to.write_all(&chunk[..n]).await;
        if written.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_program_is_for() {
        let own = Program::read(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(own.arch, std::env::consts::ARCH);
        assert!(own.loader.as_deref().unwrap().contains("ld-linux"));
        assert!(own.check_arch(std::env::consts::ARCH, "here").is_ok());
        let error = |arch: &str| own.check_arch(arch, "board").unwrap_err().to_string();
        assert!(error("armv7l").ends_with("host `board` is armv7l"));
        let other = artifact::TARGETS
            .into_iter()
            .find(|target| target.arch != own.arch);
        let other = other.unwrap();
        assert!(error(other.arch).ends_with(&format!("build it with `--target {}`", other.triple)));
    }

    #[test]
    fn files_named_by_arguments_go_along() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/in.txt"), "").unwrap();
        let other_path = other.path().display().to_string();
        let args = [
            "data/in.txt",
            "--exact",
            "data",
            &other_path,
            "",
            "data/in.txt",
        ];
        let args = args.map(OsString::from);
        let shipment = shipment(dir.path(), &args);
        let other_name = other.path().file_name().unwrap().to_string_lossy();
        let renamed = format!("other-files/1/{other_name}");
        let expect = [
            "data/in.txt",
            "--exact",
            "data",
            &renamed,
            "",
            "data/in.txt",
        ];
        assert_eq!(shipment.args, expect);
        let expect = [
            (dir.path().join("data/in.txt"), "data/in.txt".to_owned()),
            (other.path().to_owned(), renamed.clone()),
        ];
        assert_eq!(shipment.files, expect);
    }
}
