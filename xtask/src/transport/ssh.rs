//! SSH through the system's own client: the user's configuration, jump hosts and agent count.
//!
//! The library's defaults do not fit unattended runs (no connect timeout, no keep-alive, masters that stay forever,
//! unknown host keys accepted), so each is set here. The master process is looked after here, too: the library waits for
//! it without a limit.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bench_inventory::SshTarget;
use bench_protocol::foreign;
use bench_run_dir::Stage;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};

use super::ssh_config::{self, Mask, Resolved};
use super::{Cause, End, HostError, Probe, Running, STEP_DEADLINE, script, shell};
use crate::artifact::Artifact;

/// Time for the TCP connection; authentication is bounded by the keep-alive.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A dead link shows after three of these, and so does a master that no longer answers.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A master that nobody uses goes away after this, also when the controller was killed.
const MASTER_IDLE_S: usize = 30;

/// An open SSH connection.
pub struct SshConnection {
    session: Arc<Session>,
    master: Arc<Master>,
    watch: tokio::task::JoinHandle<()>,
    destination: String,
    mask: Mask,
    /// Holds the control socket; removed when the connection goes.
    _control_dir: tempfile::TempDir,
}

impl SshConnection {
    /// Connects.
    ///
    /// # Errors
    /// With status unreachable and the cause in plain words.
    pub async fn open(target: &SshTarget) -> Result<SshConnection, HostError> {
        let resolved = resolve(target).await?;
        let controller = crate::controller_name();
        let mask = Mask::new(target, &resolved, &controller);
        let masked = |error| mask_error(&mask, error);
        // Socket paths are limited to 108 bytes, of which ssh takes about 40: never below a long TMPDIR.
        let control_dir = tempfile::Builder::new()
            .prefix("memwall-")
            .tempdir_in("/tmp")
            .map_err(|error| {
                HostError::unreachable(format!(
                    "cannot make a folder for the control socket: {error}"
                ))
            })?;
        let builder = builder(target, control_dir.path()).map_err(&masked)?;
        let connecting = builder.connect_mux(&target.destination);
        let session = match tokio::time::timeout(STEP_DEADLINE, connecting).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => {
                let text = chain(&error);
                let way = resolved.way();
                let error = HostError::of_ssh(&target.destination, &text, way.as_deref());
                return Err(masked(error));
            }
            Err(_) => {
                let message = format!("no connection within {} s", STEP_DEADLINE.as_secs());
                return Err(HostError {
                    cause: Cause::Silent,
                    ..HostError::unreachable(message)
                });
            }
        };
        // Detached, a session that is dropped does not wait for its master.
        let (socket, _) = session.detach();
        let master = Arc::new(Master::find(socket.clone()).await);
        let session = Arc::new(Session::resume_mux(socket, None));
        let watch = tokio::spawn(watch(Arc::clone(&session), Arc::clone(&master)));
        Ok(SshConnection {
            session,
            master,
            watch,
            destination: target.destination.clone(),
            mask,
            _control_dir: control_dir,
        })
    }

    /// Words that must not be kept or shown.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Asks for the architecture and the boot.
    ///
    /// # Errors
    /// When the answer does not come in time or is not two lines.
    pub async fn probe(&self) -> Result<Probe, HostError> {
        let answer = self.answer(Stage::Probe, script::PROBE, &[], None).await?;
        let mut lines = answer.lines();
        match (lines.next(), lines.next()) {
            (Some(arch), Some(machine)) => Ok(Probe {
                arch: arch.trim().to_string(),
                machine: machine.trim().to_string(),
            }),
            _ => Err(HostError::failed(
                Stage::Probe,
                format!("`uname -m` answered `{}`", foreign(answer.trim())),
            )),
        }
    }

    /// Uploads into the first folder that takes the program, unless some folder has it.
    ///
    /// # Errors
    /// When no folder takes it; the reasons of all are given.
    pub async fn deploy(&self, artifact: &Artifact) -> Result<String, HostError> {
        let find = script::with_store(script::FIND);
        let found = self
            .answer(Stage::Deploy, &find, &[&artifact.sha256], None)
            .await?;
        if let Some(path) = found.lines().find(|line| line.ends_with(&artifact.sha256)) {
            return Ok(path.to_string());
        }
        let bytes = tokio::fs::read(&artifact.path).await.map_err(|error| {
            HostError::failed(
                Stage::Deploy,
                format!("cannot read the board program: {error}"),
            )
        })?;
        let mut reasons = Vec::new();
        let needed_kib = kib(artifact.size_bytes).to_string();
        for folder in 0..script::N_FOLDERS {
            let args = [artifact.sha256.as_str(), &folder.to_string(), &needed_kib];
            let store = script::with_store(script::STORE);
            let answer = self
                .answer(Stage::Deploy, &store, &args, Some(&bytes))
                .await?;
            let last = answer.lines().last().unwrap_or_default();
            if let Some(path) = last.strip_prefix("ok ") {
                return Ok(path.to_string());
            }
            reasons.push(last.strip_prefix("no ").unwrap_or(last).to_string());
        }
        Err(HostError::failed(
            Stage::Deploy,
            format!(
                "no folder of the board takes the program; {}",
                reasons.join("; ")
            ),
        ))
    }

    /// Starts a script with positional parameters; returns once it runs.
    ///
    /// # Errors
    /// When the connection does not open a channel for it, or its login does not run it.
    pub async fn start<A: AsRef<OsStr>>(
        &self,
        stage: Stage,
        script: &str,
        args: &[A],
    ) -> Result<Running, HostError> {
        let mut command = Arc::clone(&self.session).arc_raw_command(shell::COMMAND);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let cannot = |reason: String| HostError {
            cause: Cause::ConnectionLost,
            ..HostError::failed(stage, reason)
        };
        let spawning = tokio::time::timeout(STEP_DEADLINE, command.spawn());
        let mut child = match spawning.await {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => {
                return Err(cannot(format!("cannot start a program: {}", chain(&error))));
            }
            Err(_) => {
                return Err(cannot(
                    "the connection opens no channel for a program".to_owned(),
                ));
            }
        };
        let piped = "all three streams were asked to be pipes";
        let stdin = child.stdin().take().expect(piped);
        let stdout = child.stdout().take().expect(piped);
        let stderr = child.stderr().take().expect(piped);
        let session = Arc::clone(&self.session);
        let end = async move {
            match child.wait().await {
                Ok(status) => End::Status(status.code().unwrap_or(-1)),
                // 127 has an error of its own in the library.
                Err(openssh::Error::Remote(_)) => End::Status(127),
                // A death by signal and a lost link look alike: a living master means it was the program.
                Err(_) => match is_alive(&session).await {
                    true => End::Signal("a signal".to_string()),
                    false => End::ConnectionLost,
                },
            }
        };
        let running = Running {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(end),
        };
        shell::Script::new(script, args)
            .start(stage, &self.destination, running)
            .await
    }

    /// Whether the connection still carries commands.
    pub async fn is_alive(&self) -> bool {
        is_alive(&self.session).await
    }

    /// Ends the master.
    pub async fn close(self) {
        // A master that does not listen any more is ended when this is dropped.
        let socket = self.session.control_socket().into();
        let ending = Session::resume_mux(socket, None).close();
        let _ = tokio::time::timeout(KEEP_ALIVE, ending).await;
    }

    /// Runs a script with positional parameters and returns its output.
    pub(super) async fn answer(
        &self,
        stage: Stage,
        script: &str,
        args: &[&str],
        input: Option<&[u8]>,
    ) -> Result<String, HostError> {
        let running = self.start(stage, script, args).await?;
        shell::answer(stage, running, input).await
    }
}

impl Drop for SshConnection {
    fn drop(&mut self) {
        self.watch.abort();
        self.master.kill();
    }
}

/// The ssh process that holds the connection.
struct Master {
    socket: Box<Path>,
    pid: Option<u32>,
}

impl Master {
    /// Asks the process behind a control socket who it is.
    async fn find(socket: Box<Path>) -> Master {
        let mut check = tokio::process::Command::new("ssh");
        check.args(["-F", "/dev/null", "-O", "check", "-S"]);
        check.arg(&*socket).arg("master").kill_on_drop(true);
        let output = tokio::time::timeout(KEEP_ALIVE, check.output()).await;
        let text = output.ok().and_then(Result::ok).map(|output| output.stderr);
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        // `Master running (pid=N)`
        let pid = text.split_once("pid=").map(|(_, rest)| rest);
        let pid = pid.and_then(|rest| rest.split(')').next()?.parse().ok());
        Master { socket, pid }
    }

    /// Ends it at once: a stopped process does not do so when it is asked.
    fn kill(&self) {
        let Some(pid) = self.pid else { return };
        // Its number may be another process's by now.
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let socket = self.socket.as_os_str().as_encoded_bytes();
        let is_it = words.windows(socket.len()).any(|part| part == socket);
        let pid = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let (true, Some(pid)) = (is_it, pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn is_alive(session: &Session) -> bool {
    let check = tokio::time::timeout(KEEP_ALIVE * 3, session.check());
    matches!(check.await, Ok(Ok(())))
}

/// Ends a master that no longer answers: what waits for it then goes on as after a lost connection.
async fn watch(session: Arc<Session>, master: Arc<Master>) {
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        if !is_alive(&session).await {
            return master.kill();
        }
    }
}

/// The user's configuration for the host.
async fn resolve(target: &SshTarget) -> Result<Resolved, HostError> {
    let own = target.clone();
    let resolving = tokio::task::spawn_blocking(move || Resolved::of(&own));
    match tokio::time::timeout(CONNECT_TIMEOUT, resolving).await {
        Ok(Ok(Ok(resolved))) => Ok(resolved),
        Ok(Ok(Err(said))) => {
            let destination = &target.destination;
            let said = super::tail(&said);
            let reason = format!(
                "ssh cannot use its configuration for `{destination}`: {}",
                said.join("; ")
            );
            Err(HostError {
                stderr_tail: said,
                ..HostError::unreachable(reason)
            })
        }
        Ok(Err(_)) | Err(_) => Err(HostError::unreachable(format!(
            "`ssh -G {}` does not answer; a `Match exec` of the SSH configuration may hang",
            target.destination
        ))),
    }
}

/// How to connect.
fn builder(target: &SshTarget, control_dir: &Path) -> Result<SessionBuilder, HostError> {
    refuse_expansion("identity-file", target.identity_file.as_deref())?;
    refuse_expansion("known-hosts", target.known_hosts.as_deref())?;
    let config = ssh_config::write(control_dir, target).map_err(HostError::unreachable)?;
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .connect_timeout(CONNECT_TIMEOUT)
        .server_alive_interval(KEEP_ALIVE)
        .control_directory(control_dir)
        .config_file(config)
        .control_persist(ControlPersist::IdleFor(
            MASTER_IDLE_S.try_into().expect("the constant is not zero"),
        ));
    if let Some(user) = &target.user {
        builder.user(user.clone());
    }
    if let Some(port) = target.port {
        builder.port(port);
    }
    if let Some(file) = &target.identity_file {
        builder.keyfile(expand_home(file));
    }
    if let Some(file) = &target.known_hosts {
        builder.user_known_hosts_file(quoted_for_option(&expand_home(file)));
    }
    Ok(builder)
}

fn mask_error(mask: &Mask, error: HostError) -> HostError {
    let lines = error.stderr_tail.iter().map(|line| mask.text(line));
    HostError {
        reason: mask.text(&error.reason),
        stderr_tail: lines.collect(),
        ..error
    }
}

/// KiB that so many bytes take on a disk, with a little for what comes with them.
pub(super) fn kib(size_bytes: u64) -> u64 {
    const MARGIN_KIB: u64 = 16;
    size_bytes.div_ceil(1024) + MARGIN_KIB
}

/// The last lines of a text, as an error carries them.
pub fn tail(text: &str) -> Vec<String> {
    const N_LINES: usize = 10;
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(N_LINES)..]
        .iter()
        .map(|line| foreign(line.trim_end()))
        .collect()
}

/// A path with `~/` at its beginning resolved.
pub fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// ssh expands `%` and `${` in these paths and has no way to quote them on its command line.
fn refuse_expansion(key: &str, path: Option<&str>) -> Result<(), HostError> {
    match path {
        Some(path) if path.contains('%') || path.contains("${") => {
            Err(HostError::unreachable(format!(
                "ssh would expand the `%` or `${{` in `{key}: {path}`; rename the file, or name it in an SSH configuration file and use its alias"
            )))
        }
        _ => Ok(()),
    }
}

/// A path as the value of an ssh option, which splits at blanks and takes backslash escapes.
fn quoted_for_option(path: &Path) -> String {
    let escaped = path
        .display()
        .to_string()
        .replace('\\', r"\\")
        .replace('"', r#"\""#);
    format!("\"{escaped}\"")
}

/// All causes of an error in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_paths_for_options() {
        assert_eq!(quoted_for_option(Path::new("/a b/it's")), r#""/a b/it's""#);
        assert_eq!(quoted_for_option(Path::new(r#"/a"b\c"#)), r#""/a\"b\\c""#);
    }

    #[test]
    fn refuses_paths_that_ssh_would_change() {
        let check = |path: &str| {
            refuse_expansion("identity-file", Some(path)).map_err(|error| error.reason)
        };
        assert_eq!(check("/keys/it's a key"), Ok(()));
        assert!(
            check("/keys/100%")
                .unwrap_err()
                .contains("identity-file: /keys/100%")
        );
        assert!(check("/keys/${HOME}").is_err());
    }

    #[test]
    fn tail_keeps_the_end() {
        let text = (0..30).map(|n| format!("line {n}\n\n")).collect::<String>();
        assert_eq!(tail(&text).len(), 10);
        assert_eq!(tail(&text)[9], "line 29");
        assert!(tail("").is_empty());
    }
}
