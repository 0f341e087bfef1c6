//! How a script reaches `sh` on a board, whatever its login shell is and whatever its profile prints.
//!
//! An SSH server hands the command line to the login shell, and fish, csh and others do not quote as POSIX does. So the
//! command line is always [`COMMAND`], which all of them read alike. The script and its arguments come on standard input,
//! as one line that `sh` decodes: they arrive byte for byte. What the script prints follows a random marker. What a
//! profile prints comes before it, and without the marker nothing was started.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::ffi::OsStrExt;

use bench_protocol::foreign_short;
use bench_run_dir::Stage;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{Cause, End, HostError, Running, STEP_DEADLINE, tail};

/// Without a backslash, an exclamation mark, a line end, or a quote within the quotes: nothing that any shell treats in a
/// way of its own. `sh` reads one line byte by byte, so that the rest of standard input is the script's.
pub const COMMAND: &str = r#"sh -c 'IFS= read -r s;eval "$(printf %b "$s")"'"#;

/// A login may print this much before the marker.
const MAX_NOISE_BYTES: u64 = 256 << 10;

/// Bytes of one answer of a script; a board that prints more does not answer our question.
pub const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// A script on its way to a board.
pub struct Script {
    /// The one line that [`COMMAND`] reads, with its end.
    line: Vec<u8>,
    marker: String,
}

impl Script {
    /// `text` with positional parameters.
    pub fn new<A: AsRef<OsStr>>(text: &str, args: &[A]) -> Script {
        let marker = format!(
            "memwall:{:016x}",
            RandomState::new().build_hasher().finish()
        );
        let mut plain = format!("echo;echo {marker};set --").into_bytes();
        for arg in args {
            plain.push(b' ');
            plain.extend_from_slice(&quoted(arg.as_ref().as_bytes()));
        }
        plain.push(b'\n');
        plain.extend_from_slice(text.as_bytes());
        let mut line = encoded(&plain);
        line.push(b'\n');
        Script { line, marker }
    }

    /// Sends the script to a program that runs [`COMMAND`], and returns once it has started.
    ///
    /// # Errors
    /// When the marker does not come; `login` names the machine in the reason.
    pub async fn start(
        self,
        stage: Stage,
        login: &str,
        mut running: Running,
    ) -> Result<Running, HostError> {
        let mut stdout = BufReader::new(running.stdout);
        let began = tokio::time::timeout(STEP_DEADLINE, async {
            let send = async {
                let _ = running.stdin.write_all(&self.line).await;
                let _ = running.stdin.flush().await;
            };
            tokio::join!(send, skip_noise(&mut stdout, &self.marker)).1
        });
        match began.await {
            Ok(Ok(())) => {
                running.stdout = Box::pin(stdout);
                Ok(running)
            }
            Ok(Err(noise)) => {
                drop(running.stdin);
                let said = last_words(running.stderr, running.end).await;
                Err(not_started(stage, login, &noise, said))
            }
            Err(_) => Err(HostError::failed(
                stage,
                format!(
                    "the shell of `{login}` does not answer within {} s",
                    STEP_DEADLINE.as_secs()
                ),
            )),
        }
    }
}

/// Reads up to the marker's line; the error is what was said instead.
async fn skip_noise(
    stdout: &mut (impl AsyncBufReadExt + Unpin),
    marker: &str,
) -> Result<(), Vec<u8>> {
    let mut noise = Vec::new();
    let mut n_left = MAX_NOISE_BYTES;
    loop {
        let begin = noise.len();
        let n_read = stdout
            .take(n_left)
            .read_until(b'\n', &mut noise)
            .await
            .unwrap_or(0);
        if n_read == 0 {
            return Err(noise);
        }
        n_left -= n_read as u64;
        if noise[begin..].trim_ascii() == marker.as_bytes() {
            return Ok(());
        }
    }
}

/// Standard error and the end of something that did not start.
async fn last_words(
    stderr: impl AsyncRead + Unpin,
    end: impl Future<Output = End>,
) -> (Vec<u8>, End) {
    let mut errors = Vec::new();
    let mut stderr = stderr.take(MAX_ANSWER_BYTES);
    let talk = async {
        let _ = stderr.read_to_end(&mut errors).await;
        end.await
    };
    let end = tokio::time::timeout(STEP_DEADLINE, talk).await;
    (errors, end.unwrap_or(End::ConnectionLost))
}

/// Why a login started nothing, and what to do: its own words tell.
fn not_started(
    stage: Stage,
    login: &str,
    noise: &[u8],
    (errors, end): (Vec<u8>, End),
) -> HostError {
    const MAX_QUOTED_CHARS: usize = 200;
    let mut said = tail(&String::from_utf8_lossy(noise));
    said.extend(tail(&String::from_utf8_lossy(&errors)));
    let last = said
        .last()
        .map(|line| foreign_short(line, MAX_QUOTED_CHARS));
    let quote = last.map_or_else(
        || "it said nothing".to_owned(),
        |line| format!("it said: {line}"),
    );
    let cause = Cause::of_login(&said, &end);
    let reason = match cause {
        Cause::ConnectionLost => "the connection was lost before the shell started".to_owned(),
        Cause::PasswordExpired => format!(
            "the password of `{login}` expired, so its login runs nothing; log in once with ssh and set a new one, or let root run `chage -d -1 USER` there ({quote})"
        ),
        Cause::AccountExpired => format!(
            "the account of `{login}` expired; let root run `chage -E -1 USER` there ({quote})"
        ),
        Cause::NoLogin => format!(
            "the account of `{login}` may not log in; let root run `chsh -s /bin/sh USER` there, or name another `user` ({quote})"
        ),
        Cause::NoShell => format!(
            "`{login}` has no `sh`; install a POSIX shell, or name a user whose login finds one ({quote})"
        ),
        _ => format!(
            "the login of `{login}` does not run what it is asked to: its profile ends the shell, or sshd runs another command (`ForceCommand`, or `command=` in authorized_keys); {quote}, and {}",
            end.describe("it")
        ),
    };
    HostError {
        cause,
        stderr_tail: said,
        ..HostError::failed(stage, reason)
    }
}

/// Feeds a program and takes its whole output, its standard error and its end, each stream up to `max_bytes`.
///
/// # Errors
/// When it does not end in time.
pub async fn talk(
    stage: Stage,
    running: Running,
    input: Option<&[u8]>,
    max_bytes: u64,
) -> Result<(Vec<u8>, Vec<u8>, End), HostError> {
    let Running {
        mut stdin,
        stdout,
        stderr,
        end,
    } = running;
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
        let (mut stdout, mut stderr) = (stdout.take(max_bytes), stderr.take(max_bytes));
        let _ = tokio::join!(
            feed,
            stdout.read_to_end(&mut output),
            stderr.read_to_end(&mut errors)
        );
        (output, errors, end.await)
    };
    let ended = tokio::time::timeout(STEP_DEADLINE, talk).await;
    ended.map_err(|_| {
        let message = format!("no answer within {} s", STEP_DEADLINE.as_secs());
        HostError::failed(stage, message)
    })
}

/// Feeds a started script and returns all that it prints.
///
/// # Errors
/// When it does not end in time, or ends badly.
pub async fn answer(
    stage: Stage,
    running: Running,
    input: Option<&[u8]>,
) -> Result<String, HostError> {
    let (output, errors, end) = talk(stage, running, input, MAX_ANSWER_BYTES).await?;
    if end == End::Status(0) {
        let text = String::from_utf8_lossy(&output);
        let lines: Vec<String> = text.lines().map(bench_protocol::foreign).collect();
        return Ok(lines.join("\n"));
    }
    let stderr_tail = tail(&String::from_utf8_lossy(&errors));
    let what = end.describe("the shell");
    let reason = match stderr_tail.last() {
        Some(line) => format!("{what}; it said: {line}"),
        None => what,
    };
    Err(HostError {
        cause: Cause::of_end(&end),
        stderr_tail,
        ..HostError::failed(stage, reason)
    })
}

/// One word of POSIX shell.
fn quoted(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// One line of ASCII that `printf %b` turns into these bytes again.
fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    for byte in bytes {
        match byte {
            b'\\' => line.extend_from_slice(br"\\"),
            b' '..=b'~' => line.push(*byte),
            _ => line.extend_from_slice(format!("\\0{byte:03o}").as_bytes()),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Write;
    use std::os::unix::ffi::OsStringExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// The output of a login shell that runs [`COMMAND`].
    fn run(shell: &[&str], script: &Script, input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", COMMAND])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&script.line).unwrap();
        stdin.write_all(input).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap().stdout
    }

    #[test]
    fn every_byte_arrives_through_every_login_shell() {
        let all: Vec<u8> = (1..=255).collect();
        let words = [
            &all[..],
            b"",
            b"-n",
            b" it's \\ \"q\\\\z\" end\\",
            b"!$HOME `id` %b %s\n\n\\0101\\c",
        ];
        let args: Vec<OsString> = words
            .iter()
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect();
        let script = Script::new("for word; do printf '%s|' \"$word\"; done\ncat", &args);
        let mut expect = words.join(&b"|"[..]);
        expect.extend_from_slice(b"|rest of the input\n");
        let shells: [&[&str]; 9] = [
            &["sh"],
            &["bash"],
            &["dash"],
            &["busybox", "sh"],
            &["mksh"],
            &["zsh"],
            &["fish"],
            &["tcsh"],
            &["csh"],
        ];
        let mut n_tried = 0;
        for shell in shells {
            let is_there = Command::new("sh")
                .args(["-c", "command -v \"$0\"", shell[0]])
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success();
            if !is_there {
                eprintln!("NOT TESTED: there is no {}", shell[0]);
                continue;
            }
            n_tried += 1;
            let output = run(shell, &script, b"rest of the input\n");
            let marker = format!("{}\n", script.marker).into_bytes();
            let at = output.windows(marker.len()).position(|part| part == marker);
            let at =
                at.unwrap_or_else(|| panic!("{shell:?}: {}", String::from_utf8_lossy(&output)));
            assert!(
                output[at + marker.len()..] == expect,
                "{shell:?}: {}",
                output[at + marker.len()..].escape_ascii()
            );
        }
        assert!(n_tried >= 2, "sh and bash are everywhere");
    }

    #[tokio::test]
    async fn what_a_profile_prints_comes_before_the_marker() {
        let check = async |said: &[u8], expect: Result<&str, &str>| {
            let mut stdout = BufReader::new(said);
            let found = skip_noise(&mut stdout, "memwall:1").await;
            let mut rest = String::new();
            let _ = stdout.read_to_string(&mut rest).await;
            match (found, expect) {
                (Ok(()), Ok(expect)) => assert_eq!(rest, expect),
                (Err(noise), Err(expect)) => assert_eq!(String::from_utf8_lossy(&noise), expect),
                (found, _) => panic!("{found:?}"),
            }
        };
        check(b"\nmemwall:1\nanswer\n", Ok("answer\n")).await;
        check(b"\x1b]0;title\x07\nmemwall:1\r\nx", Ok("x")).await;
        check(b"memwall:2\nnothing", Err("memwall:2\nnothing")).await;
        let endless = vec![b'x'; 2 * MAX_NOISE_BYTES as usize];
        let noise = skip_noise(&mut BufReader::new(&endless[..]), "memwall:1").await;
        assert_eq!(noise.unwrap_err().len() as u64, MAX_NOISE_BYTES);
    }

    #[test]
    fn a_login_that_starts_nothing_is_explained() {
        let check = |noise: &str, errors: &str, expect: &str| {
            let said = (errors.as_bytes().to_vec(), End::Status(1));
            let error = not_started(Stage::Probe, "board", noise.as_bytes(), said);
            assert!(error.reason.contains(expect), "{}", error.reason);
            assert!(!error.reason.contains('\u{1b}'), "{}", error.reason);
        };
        let expired = "Password change required but no TTY available.";
        check("", expired, "chage -d -1 USER");
        check(
            "",
            "WARNING: Your password has expired.",
            expired
                .split(' ')
                .next()
                .unwrap_or("")
                .to_lowercase()
                .as_str(),
        );
        check(
            "This account is currently not available.\n",
            "",
            "chsh -s /bin/sh",
        );
        check("fortune\n", "", "it said: fortune");
        check("", "", "it said nothing");
        check(
            "\u{1b}[31mred\n",
            "fish: Unknown command: sh",
            "has no `sh`",
        );
    }
}
