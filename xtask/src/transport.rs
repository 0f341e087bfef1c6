//! Ways to run the board program: on this machine, over SSH, or under qemu-user; and a recorded stream in its place.

#[cfg(test)]
pub mod acted;
mod error;
mod replay;
mod script;
mod shell;
mod ssh;
mod ssh_config;
mod store;

use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use bench_inventory::{Host, Transport};
use bench_run_dir::{HostStatus, Stage};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::artifact::Artifact;
pub use error::{Cause, HostError};
use replay::Replay;
pub use shell::talk;
use ssh::SshConnection;
pub use ssh::{expand_home, tail};
pub use ssh_config::{Mask, Resolved};
pub use store::LocalFile;

/// Deadline of every step that is not measuring.
pub const STEP_DEADLINE: Duration = Duration::from_secs(60);

/// Whether the host's times mean nothing: an emulator runs it or is it, or they were recorded elsewhere.
pub fn is_emulated(host: &Host) -> bool {
    is_slow(host) || matches!(host.transport, Transport::Replay(_))
}

/// Whether the host is asked for the small work that an emulator can do. A recorded stream answers what real boards are
/// asked.
pub fn is_slow(host: &Host) -> bool {
    host.emulated || matches!(host.transport, Transport::QemuUser { .. })
}

/// A transport's stable name.
pub fn transport_name(transport: &Transport) -> &'static str {
    match transport {
        Transport::Local => "local",
        Transport::Ssh(_) => "ssh",
        Transport::QemuUser { .. } => "qemu-user",
        Transport::Replay(_) => "replay",
    }
}

/// An open way to a host.
pub enum Connection {
    /// Processes of this machine.
    Local,
    /// Processes of this machine under an emulator.
    Qemu {
        /// The emulator's path.
        emulator: PathBuf,
        /// Architecture it emulates.
        arch: String,
        /// Value of `-cpu`.
        cpu: Option<String>,
    },
    /// Processes of another machine.
    Ssh(SshConnection),
    /// No process: a recorded stream.
    Replay(Replay),
    /// A board that a test plays.
    #[cfg(test)]
    Acted(acted::Acted),
}

/// What a host says before anything is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Architecture, as `uname -m` prints it.
    pub arch: String,
    /// Identifies the running machine: two hosts with the same one must not measure at the same time.
    pub machine: String,
}

/// A running board program.
pub struct Running {
    /// Its standard input; closing it ends the program.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its messages.
    pub stdout: Pin<Box<dyn AsyncRead + Send + Sync>>,
    /// What it says to people.
    pub stderr: Pin<Box<dyn AsyncRead + Send + Sync>>,
    /// How it ends. Await it after both outputs have ended: once the status is taken, ssh drops output that it has received
    /// and not yet passed on.
    pub end: Pin<Box<dyn Future<Output = End> + Send>>,
}

/// How a program ended. A verdict never depends on it: it only explains a stream without its final record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It returned this status.
    Status(i32),
    /// A signal ended it; the name or number where known.
    Signal(String),
    /// The connection ended first.
    ConnectionLost,
}

impl End {
    /// What happened to `what`, for people.
    pub fn describe(&self, what: &str) -> String {
        match self {
            // A shell in between turns a death by signal into this range.
            End::Status(status @ 129..=192) => {
                format!("{what} was killed by signal {}", status - 128)
            }
            End::Status(status) => format!("{what} returned status {status}"),
            End::Signal(signal) => format!("{what} was killed by {signal}"),
            End::ConnectionLost => "the connection was lost".to_string(),
        }
    }
}

/// Opens the way to a host.
///
/// # Errors
/// With status unreachable when it does not answer, and with status skipped when there is no emulator to run it.
pub async fn connect(host: &Host) -> Result<Connection, HostError> {
    #[cfg(test)]
    if let Some(board) = acted::Acted::current() {
        return Ok(Connection::Acted(board));
    }
    match &host.transport {
        Transport::Local => Ok(Connection::Local),
        Transport::QemuUser { arch, cpu } => {
            let emulator = find_emulator(arch).ok_or_else(|| HostError {
                status: HostStatus::Skipped,
                ..HostError::unreachable(format!(
                    "qemu-user for {arch} is not installed; `apt-get install qemu-user-static` adds it on Debian"
                ))
            })?;
            Ok(Connection::Qemu {
                emulator,
                arch: arch.clone(),
                cpu: cpu.clone(),
            })
        }
        Transport::Ssh(target) => SshConnection::open(target).await.map(Connection::Ssh),
        Transport::Replay(recording) => Replay::open(&host.name, recording).map(Connection::Replay),
    }
}

/// `qemu-<arch>-static` or `qemu-<arch>` on the search path.
pub fn find_emulator(arch: &str) -> Option<PathBuf> {
    let names = [format!("qemu-{arch}-static"), format!("qemu-{arch}")];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    names.iter().find_map(|name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    })
}

impl Connection {
    /// Asks what the host is.
    ///
    /// # Errors
    /// When the host does not answer in time or answers nonsense.
    pub async fn probe(&self) -> Result<Probe, HostError> {
        match self {
            Connection::Local => Ok(Probe {
                arch: std::env::consts::ARCH.to_string(),
                machine: this_machine(),
            }),
            Connection::Qemu { arch, .. } => Ok(Probe {
                arch: arch.clone(),
                machine: this_machine(),
            }),
            Connection::Ssh(ssh) => ssh.probe().await,
            Connection::Replay(replay) => Ok(replay.probe()),
            #[cfg(test)]
            Connection::Acted(_) => Ok(Probe {
                arch: "x86_64".to_owned(),
                machine: "acted".to_owned(),
            }),
        }
    }

    /// Brings the program onto the host, unless it is there already; returns its path there.
    ///
    /// # Errors
    /// When no folder of the host takes it: full, read-only, or not allowed to execute.
    pub async fn deploy(&self, artifact: &Artifact) -> Result<String, HostError> {
        match self {
            Connection::Local | Connection::Qemu { .. } => Ok(artifact.path.display().to_string()),
            Connection::Ssh(ssh) => ssh.deploy(artifact).await,
            Connection::Replay(_) => Ok(String::new()),
            #[cfg(test)]
            Connection::Acted(_) => Ok("program".to_owned()),
        }
    }

    /// Starts the program with these arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(
        &self,
        stage: Stage,
        program: &str,
        args: &[&str],
    ) -> Result<Running, HostError> {
        match self {
            Connection::Local => start_process(stage, tokio::process::Command::new(program), args),
            Connection::Qemu { emulator, cpu, .. } => {
                let mut command = tokio::process::Command::new(emulator);
                if let Some(cpu) = cpu {
                    command.args(["-cpu", cpu]);
                }
                command.arg(program);
                start_process(stage, command, args)
            }
            Connection::Ssh(ssh) => {
                let words = [&[program], args].concat();
                ssh.start(stage, script::EXEC, &words).await
            }
            Connection::Replay(replay) => Ok(replay.start(args)),
            #[cfg(test)]
            Connection::Acted(board) => Ok(board.start(args)),
        }
    }

    /// Starts the deployed program in one of the modes that keep something on the board.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_program(
        &self,
        stage: Stage,
        program: &str,
        mode: &str,
        args: &[&str],
    ) -> Result<Running, HostError> {
        let mut words = vec![mode];
        let store;
        // On another machine the program's own folder is the store.
        if !matches!(self, Connection::Ssh(_)) {
            store = local_store(stage)?;
            words.extend(["--store", &store]);
        }
        words.extend(args);
        let emulator = match self {
            Connection::Qemu { emulator, .. } => emulator.display().to_string(),
            _ => String::new(),
        };
        // The emulated program cannot start itself: this machine's kernel does not know its format.
        if let (Connection::Qemu { cpu, .. }, "supervise") = (self, mode) {
            words.extend(["--", &emulator]);
            if let Some(cpu) = cpu {
                words.extend(["-cpu", cpu]);
            }
            words.push(program);
        }
        self.start(stage, program, &words).await
    }

    /// Words that must not be kept or shown.
    pub fn mask(&self) -> Mask {
        match self {
            Connection::Ssh(ssh) => ssh.mask().clone(),
            _ => Mask::default(),
        }
    }

    /// Ends the connection; failing to say good-bye is no failure of the measurement.
    pub async fn close(self) {
        if let Connection::Ssh(ssh) = self {
            ssh.close().await;
        }
    }
}

/// Where programs of this machine keep what the controller has not got yet: a folder of this user's own, which the
/// program itself checks.
fn local_store(stage: Stage) -> Result<String, HostError> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    // Without `HOME` the user database tells.
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let is_usable = |folder: &PathBuf| folder.is_absolute() && folder.parent().is_some();
    let cache = (cache.filter(is_usable)).or_else(|| home().filter(is_usable));
    cache.map(|cache| cache.join("memwall").display().to_string())
        .ok_or_else(|| {
            HostError::failed(
                stage,
                "this user has no home folder to keep results in; set `XDG_CACHE_HOME` to a folder of its own",
            )
        })
}

/// Identifies this boot of this machine.
pub fn this_machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_string()
}

fn start_process(
    stage: Stage,
    mut command: tokio::process::Command,
    args: &[&str],
) -> Result<Running, HostError> {
    // A process group of its own: Ctrl-C on the terminal reaches the controller, which ends the program in order.
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| {
            HostError::failed(
                stage,
                format!("the board program cannot be started: {error}"),
            )
        })?;
    let piped = "all three streams were asked to be pipes";
    Ok(Running {
        stdin: Box::pin(child.stdin.take().expect(piped)),
        stdout: Box::pin(child.stdout.take().expect(piped)),
        stderr: Box::pin(child.stderr.take().expect(piped)),
        end: Box::pin(async move {
            use std::os::unix::process::ExitStatusExt;
            match child.wait().await {
                Ok(status) => match (status.code(), status.signal()) {
                    (Some(code), _) => End::Status(code),
                    (None, signal) => End::Signal(format!("signal {}", signal.unwrap_or(0))),
                },
                Err(_) => End::ConnectionLost,
            }
        }),
    })
}
