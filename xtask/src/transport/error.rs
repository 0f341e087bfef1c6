//! Why a host could not be measured: one kind per cause, read in one place from what ssh and the login say.

use bench_run_dir::{HostStatus, Stage};

use super::End;

/// Why a host could not be measured, and at which step.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct HostError {
    /// Step that failed.
    pub stage: Stage,
    /// What it means for the host.
    pub status: HostStatus,
    /// What kind of failure it is: whether to try again depends on nothing else.
    pub cause: Cause,
    /// Cause and remedy, for people.
    pub reason: String,
    /// Last lines of the standard error of what failed.
    pub stderr_tail: Vec<String>,
}

impl HostError {
    /// A failure after the host was reached.
    pub fn failed(stage: Stage, reason: impl Into<String>) -> HostError {
        HostError {
            stage,
            status: HostStatus::Failed,
            cause: Cause::Step,
            reason: reason.into(),
            stderr_tail: Vec::new(),
        }
    }

    /// A host that was never reached.
    pub fn unreachable(reason: impl Into<String>) -> HostError {
        HostError {
            status: HostStatus::Unreachable,
            ..HostError::failed(Stage::Connect, reason)
        }
    }

    /// What ssh says where it cannot connect to `destination`, which goes through `way`.
    pub fn of_ssh(destination: &str, said: &str, way: Option<&str>) -> HostError {
        let cause = Cause::of_ssh(said, way.is_some());
        HostError {
            cause,
            stderr_tail: super::tail(said),
            ..HostError::unreachable(connecting(cause, destination, said, way))
        }
    }

    /// Whether the cause may pass by itself, so that trying again makes sense.
    pub fn is_transient(&self) -> bool {
        self.cause.is_transient()
    }
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The host key is another than the known one.
    HostKeyChanged,
    /// No host key is known, or none matches.
    HostKeyUnknown,
    /// The board takes none of the keys.
    KeyRefused,
    /// The name resolves to no address.
    NoAddress,
    /// The jump host or the proxy command fails.
    WayFails,
    /// The board is up; nothing listens.
    NothingListens,
    /// The network leads nowhere.
    NoRoute,
    /// No answer in time.
    Silent,
    /// Too many connect at the same time, or sshd starts or ends.
    Crowded,
    /// The account expired.
    AccountExpired,
    /// The password expired, and the login asks for a new one.
    PasswordExpired,
    /// The account may not log in.
    NoLogin,
    /// The login has no `sh`.
    NoShell,
    /// The login runs something other than what it is asked to.
    OtherCommand,
    /// The connection ended, or opens no channel any more.
    ConnectionLost,
    /// ssh gives a reason that is none of the above, or none.
    Unexplained,
    /// The step itself: the reason tells.
    Step,
}

impl Cause {
    /// The library maps most causes to one error kind: only ssh's words tell. The most telling come first, because ssh says
    /// several things about one failure.
    fn of_ssh(said: &str, has_way: bool) -> Cause {
        let has = |part: &str| said.contains(part);
        match () {
            () if has("REMOTE HOST IDENTIFICATION HAS CHANGED")
                || has("key for") && has("has changed") =>
            {
                Cause::HostKeyChanged
            }
            () if has("Host key verification failed") => Cause::HostKeyUnknown,
            () if has("Permission denied") => Cause::KeyRefused,
            // Where something else makes the connection, ssh only sees that it ends; a name that is not found is then that
            // of the gate.
            () if has_way && (has("UNKNOWN port") || has("banner exchange")) => Cause::WayFails,
            () if has("Could not resolve hostname") => Cause::NoAddress,
            () if has("Connection refused") => Cause::NothingListens,
            () if has("No route to host") || has("Network is unreachable") => Cause::NoRoute,
            () if has("timed out") || has("Timeout") => Cause::Silent,
            () if has("Not allowed at this time")
                || has("kex_exchange_identification") && (has("closed") || has("reset")) =>
            {
                Cause::Crowded
            }
            () if has("account") && has("expired") => Cause::AccountExpired,
            () if has("Connection reset")
                || has("closed by remote host")
                || has("UNKNOWN port") =>
            {
                Cause::ConnectionLost
            }
            () => Cause::Unexplained,
        }
    }

    /// What a login says that starts nothing.
    pub fn of_login(said: &[String], end: &End) -> Cause {
        let said = said.join("\n").to_lowercase();
        let has = |part: &str| said.contains(part);
        match () {
            () if *end == End::ConnectionLost => Cause::ConnectionLost,
            () if has("password") && (has("change") || has("expired")) => Cause::PasswordExpired,
            () if has("account") && has("expired") => Cause::AccountExpired,
            () if has("not available") || has("nologin") => Cause::NoLogin,
            () if has("sh: not found")
                || has("sh: command not found")
                || has("unknown command") =>
            {
                Cause::NoShell
            }
            () => Cause::OtherCommand,
        }
    }

    /// What a program's end says about the connection to it.
    pub fn of_end(end: &End) -> Cause {
        match end {
            End::ConnectionLost => Cause::ConnectionLost,
            End::Status(_) | End::Signal(_) => Cause::Step,
        }
    }

    /// Whether it passes once fewer connect at the same time: of many hosts behind one gate, the gate may be what refuses.
    pub fn is_crowded(self) -> bool {
        matches!(self, Cause::Crowded | Cause::WayFails)
    }

    /// A host that boots, a cable that is plugged in again: not a refused key or a wrong name.
    pub fn is_transient(self) -> bool {
        match self {
            Cause::WayFails
            | Cause::NothingListens
            | Cause::NoRoute
            | Cause::Silent
            | Cause::Crowded
            | Cause::ConnectionLost => true,
            Cause::HostKeyChanged
            | Cause::HostKeyUnknown
            | Cause::KeyRefused
            | Cause::NoAddress
            | Cause::AccountExpired
            | Cause::PasswordExpired
            | Cause::NoLogin
            | Cause::NoShell
            | Cause::OtherCommand
            | Cause::Unexplained
            | Cause::Step => false,
        }
    }
}

/// Cause and remedy where ssh cannot connect.
fn connecting(cause: Cause, destination: &str, said: &str, way: Option<&str>) -> String {
    match cause {
        Cause::HostKeyChanged => format!(
            "the host key of `{destination}` changed; if the board was reflashed, `cargo xtask trust HOST` takes the new key; for a key that memwall did not pin, remove the old one with `ssh-keygen -R` and connect once with ssh"
        ),
        Cause::HostKeyUnknown => format!(
            "the host key of `{destination}` is unknown or does not match; connect once with ssh and compare the fingerprint, or check the known-hosts file"
        ),
        Cause::KeyRefused => format!(
            "`{destination}` refuses the key; add your public key to its authorized_keys, or name the right `user` and `identity-file`; an account that is locked there (`passwd -S`) refuses every key"
        ),
        Cause::NoAddress => format!(
            "`{destination}` has no address; check the name or the alias in the SSH configuration"
        ),
        Cause::WayFails => format!(
            "the {} of `{destination}` fails, or it does not reach the board; try it with `ssh -v {destination}`",
            way.unwrap_or("way")
        ),
        Cause::NothingListens => {
            format!("`{destination}` is up but nothing listens on its SSH port")
        }
        Cause::NoRoute => format!("there is no route to `{destination}`; check cable and power"),
        Cause::Silent => format!("`{destination}` does not answer"),
        Cause::Crowded => format!(
            "`{destination}` closes the connection before its greeting: its sshd starts or ends, or too many connect at once (`MaxStartups` of sshd, `--max-deploys` of this run)"
        ),
        Cause::AccountExpired => {
            format!("the account at `{destination}` expired; let root run `chage -E -1 USER` there")
        }
        _ => {
            let last = super::tail(said).pop().unwrap_or_default();
            match last.trim_end().is_empty() || last.ends_with(':') {
                true => format!("ssh cannot connect to `{destination}` and does not say why"),
                false => format!("ssh cannot connect to `{destination}`: {last}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_ssh_says_and_whether_it_may_pass() {
        let check = |said: &str, expect: Cause, is_transient: bool, words: &str| {
            let error = HostError::of_ssh("board", said, None);
            assert_eq!(error.cause, expect, "{said}");
            assert_eq!(error.is_transient(), is_transient, "{said}");
            assert!(error.reason.contains(words), "{}", error.reason);
        };
        check(
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            Cause::HostKeyChanged,
            false,
            "changed",
        );
        check(
            "No ED25519 host key is known for [127.0.0.1]:22\nHost key verification failed.",
            Cause::HostKeyUnknown,
            false,
            "unknown",
        );
        check(
            "bench@board: Permission denied (publickey).",
            Cause::KeyRefused,
            false,
            "authorized_keys",
        );
        check(
            "bench@board: Permission denied (publickey).\nConnection closed by remote host",
            Cause::KeyRefused,
            false,
            "authorized_keys",
        );
        check(
            "ssh: connect to host board port 22: Connection refused",
            Cause::NothingListens,
            true,
            "nothing listens",
        );
        check(
            "ssh: connect to host board port 22: No route to host",
            Cause::NoRoute,
            true,
            "no route",
        );
        check(
            "ssh: Could not resolve hostname board: Name or service not known",
            Cause::NoAddress,
            false,
            "no address",
        );
        check(
            "Connection timed out during banner exchange",
            Cause::Silent,
            true,
            "does not answer",
        );
        check(
            "kex_exchange_identification: Connection closed by remote host",
            Cause::Crowded,
            true,
            "MaxStartups",
        );
        check(
            "Connection reset by 10.0.0.7 port 22",
            Cause::ConnectionLost,
            true,
            "Connection reset",
        );
        check(
            "garbage",
            Cause::Unexplained,
            false,
            "cannot connect to `board`: garbage",
        );
        check(
            "failed to connect to the remote host:",
            Cause::Unexplained,
            false,
            "does not say why",
        );
        let through = HostError::of_ssh(
            "board",
            "Connection closed by UNKNOWN port 65535",
            Some("jump host `gate`"),
        );
        assert_eq!(through.cause, Cause::WayFails);
        for said in [
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
            "ssh: Could not resolve hostname gate: Name or service not known\nConnection closed by UNKNOWN port 65535",
        ] {
            let error = HostError::of_ssh("board", said, Some("jump host `gate`"));
            assert_eq!(error.cause, Cause::WayFails, "{said}");
            assert!(error.is_transient() && error.cause.is_crowded());
        }
        assert!(
            through.reason.contains("jump host `gate`"),
            "{}",
            through.reason
        );
    }
}
