//! SSH through the system's own client: the user's configuration, jump hosts and agent count.
//!
//! The library's defaults do not fit unattended runs (no connect timeout, no keep-alive, masters that stay forever,
//! unknown host keys accepted), so each is set here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bench_inventory::SshTarget;
use bench_reports::run_dir::Stage;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{End, HostError, Probe, Running, STEP_DEADLINE, script};
use crate::artifact::Artifact;

/// Time for the TCP connection; authentication is bounded by the keep-alive.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A dead link shows after three of these.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A master that nobody uses goes away after this, also when the controller was killed.
const MASTER_IDLE_S: usize = 30;

/// Bytes of one answer of a script; a board that prints more does not answer our question.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// An open SSH connection.
pub struct SshConnection {
    session: Arc<Session>,
    /// Holds the control socket; removed when the connection goes.
    _control_dir: tempfile::TempDir,
}

impl SshConnection {
    /// Connects.
    ///
    /// # Errors
    /// With status unreachable and the cause in plain words.
    pub async fn open(target: &SshTarget) -> Result<SshConnection, HostError> {
        // Socket paths are limited to 108 bytes, of which ssh takes about 40: never below a long TMPDIR.
        let control_dir = tempfile::Builder::new()
            .prefix("memwall-")
            .tempdir_in("/tmp")
            .map_err(|error| {
                HostError::unreachable(format!(
                    "cannot make a folder for the control socket: {error}"
                ))
            })?;
        refuse_expansion("identity-file", target.identity_file.as_deref())?;
        refuse_expansion("known-hosts", target.known_hosts.as_deref())?;
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(CONNECT_TIMEOUT)
            .server_alive_interval(KEEP_ALIVE)
            .control_directory(control_dir.path())
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
        if let Some(file) = &target.config_file {
            builder.config_file(expand_home(file));
        }
        let connecting = builder.connect_mux(&target.destination);
        let session = match tokio::time::timeout(STEP_DEADLINE, connecting).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(explain(&target.destination, &error)),
            Err(_) => {
                let message = format!("no connection within {} s", STEP_DEADLINE.as_secs());
                return Err(HostError {
                    may_pass: true,
                    ..HostError::unreachable(message)
                });
            }
        };
        Ok(SshConnection {
            session: Arc::new(session),
            _control_dir: control_dir,
        })
    }

    /// Asks for the architecture and the boot.
    ///
    /// # Errors
    /// When the answer does not come in time or is not two lines.
    pub async fn probe(&self) -> Result<Probe, HostError> {
        let answer = self.answer(Stage::Probe, script::PROBE, &[], None).await?;
        // Whatever a login script prints comes first: the answer is the end.
        let mut lines = answer.lines().rev();
        match (lines.next(), lines.next()) {
            (Some(machine), Some(arch)) => Ok(Probe {
                arch: arch.trim().to_string(),
                machine: machine.trim().to_string(),
            }),
            _ => Err(HostError::failed(
                Stage::Probe,
                format!("`uname -m` answered `{}`", answer.trim()),
            )),
        }
    }

    /// Uploads into the first folder that takes the program, unless some folder has it.
    ///
    /// # Errors
    /// When no folder takes it; the reasons of all are given.
    pub async fn deploy(&self, artifact: &Artifact) -> Result<String, HostError> {
        let found = self
            .answer(
                Stage::Deploy,
                &script::with_store(script::FIND),
                &[&artifact.sha256],
                None,
            )
            .await?;
        if let Some(path) = found
            .lines()
            .rev()
            .find(|line| line.ends_with(&artifact.sha256))
        {
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

    /// Starts a program.
    ///
    /// # Errors
    /// When the connection does not open a channel for it.
    pub async fn start(
        &self,
        stage: Stage,
        program: &str,
        args: &[&str],
    ) -> Result<Running, HostError> {
        let mut command = Arc::clone(&self.session).arc_command(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawning = tokio::time::timeout(STEP_DEADLINE, command.spawn());
        let mut child = match spawning.await {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => {
                return Err(HostError {
                    may_pass: true,
                    ..HostError::failed(stage, format!("cannot start a program: {}", chain(&error)))
                });
            }
            Err(_) => {
                return Err(HostError {
                    may_pass: true,
                    ..HostError::failed(stage, "the connection opens no channel for a program")
                });
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
                Err(_) => match tokio::time::timeout(KEEP_ALIVE * 4, session.check()).await {
                    Ok(Ok(())) => End::Signal("a signal".to_string()),
                    _ => End::ConnectionLost,
                },
            }
        };
        Ok(Running {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(end),
        })
    }

    /// Whether the connection still carries commands.
    pub async fn is_alive(&self) -> bool {
        let check = tokio::time::timeout(KEEP_ALIVE * 4, self.session.check());
        matches!(check.await, Ok(Ok(())))
    }

    /// Ends the master.
    pub async fn close(self) {
        if let Ok(session) = Arc::try_unwrap(self.session) {
            let _ = tokio::time::timeout(KEEP_ALIVE, session.close()).await;
        }
    }

    /// Runs a script with positional parameters and returns its output.
    pub(super) async fn answer(
        &self,
        stage: Stage,
        script: &str,
        args: &[&str],
        input: Option<&[u8]>,
    ) -> Result<String, HostError> {
        let mut all_args = vec!["-c", script, "memwall"];
        all_args.extend(args);
        let Running {
            mut stdin,
            stdout,
            stderr,
            end,
        } = self.start(stage, "sh", &all_args).await?;
        let talk = async {
            let feed = async {
                if let Some(input) = input {
                    // A board that stops reading says why in its answer.
                    let _ = stdin.write_all(input).await;
                }
                let _ = stdin.shutdown().await;
                drop(stdin);
            };
            let (mut output, mut errors) = (Vec::new(), Vec::new());
            let (mut stdout, mut stderr) =
                (stdout.take(MAX_ANSWER_BYTES), stderr.take(MAX_ANSWER_BYTES));
            let _ = tokio::join!(
                feed,
                stdout.read_to_end(&mut output),
                stderr.read_to_end(&mut errors)
            );
            (output, errors, end.await)
        };
        let (output, errors, end) =
            tokio::time::timeout(STEP_DEADLINE, talk)
                .await
                .map_err(|_| {
                    HostError::failed(
                        stage,
                        format!("no answer within {} s", STEP_DEADLINE.as_secs()),
                    )
                })?;
        if end == End::Status(0) {
            return Ok(String::from_utf8_lossy(&output).into_owned());
        }
        let mut error = HostError::failed(
            stage,
            end.describe().replace("the board program", "the shell"),
        );
        error.may_pass = end == End::ConnectionLost;
        error.stderr_tail = tail(&String::from_utf8_lossy(&errors));
        Err(error)
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
        .map(|line| line.trim_end().to_string())
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

/// What ssh's words mean, and what to do. The library maps most causes to one error kind: only the text tells.
fn explain(destination: &str, error: &openssh::Error) -> HostError {
    let text = chain(error);
    let has = |part: &str| text.contains(part);
    let reason = if has("REMOTE HOST IDENTIFICATION HAS CHANGED")
        || has("key for") && has("has changed")
    {
        format!(
            "the host key of `{destination}` changed; if the board was flashed anew, `cargo xtask trust HOST` takes the new key; for a key that memwall did not pin, remove the old one with `ssh-keygen -R` and connect once with ssh"
        )
    } else if has("Host key verification failed") {
        format!(
            "the host key of `{destination}` is unknown or does not match; connect once with ssh and compare the fingerprint, or check the known-hosts file"
        )
    } else if has("Permission denied") {
        format!(
            "`{destination}` refuses the key; add your public key to its authorized_keys, or name the right `user` and `identity-file`"
        )
    } else if has("Could not resolve hostname") {
        format!(
            "`{destination}` has no address; check the name or the alias in the SSH configuration"
        )
    } else if has("Connection refused") {
        format!("`{destination}` is up but nothing listens on its SSH port")
    } else if has("No route to host") || has("Network is unreachable") {
        format!("there is no route to `{destination}`; check cable and power")
    } else if has("timed out") || has("Timeout") {
        format!("`{destination}` does not answer")
    } else if has("Bad configuration option") || has("Can't open user config file") {
        format!("ssh cannot use its configuration for `{destination}`")
    } else {
        let last = tail(&text).pop().unwrap_or_default();
        format!("ssh cannot connect to `{destination}`: {last}")
    };
    let mut host_error = HostError::unreachable(reason);
    // A host that boots, a cable that is plugged in again: not a refused key or a wrong name.
    host_error.may_pass = [
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "timed out",
        "Timeout",
        "Connection reset",
        "closed by remote host",
    ]
    .iter()
    .any(|part| has(part))
        && !has("Permission denied")
        && !has("Host key verification failed");
    host_error.stderr_tail = tail(&text);
    host_error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_what_ssh_says() {
        let check = |text: &str, expect: &str| {
            let error = openssh::Error::Connect(std::io::Error::other(text.to_string()));
            let reason = explain("board", &error).reason;
            assert!(reason.contains(expect), "{reason}");
        };
        check(
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "changed",
        );
        check(
            "No ED25519 host key is known for [127.0.0.1]:22\nHost key verification failed.",
            "unknown",
        );
        check(
            "bench@board: Permission denied (publickey).",
            "authorized_keys",
        );
        check(
            "ssh: connect to host board port 22: Connection refused",
            "nothing listens",
        );
        check(
            "ssh: Could not resolve hostname board: Name or service not known",
            "no address",
        );
        check(
            "Connection timed out during banner exchange",
            "does not answer",
        );
        check("kex_exchange_identification: garbage", "cannot connect");
    }

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
