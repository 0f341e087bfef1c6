//! Host keys as memwall pins them: one file per host beside the fleet file, changed only after a person compared the
//! fingerprint.
//!
//! A pinned key stands for the host whatever its address is: the file holds `*` instead of a name, and only that host
//! refers to it. A board that gets another address stays trusted, and another machine at the old address does not
//! become so.

use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use bench_inventory::SshTarget;
use clap::Args;

use crate::disk;
use crate::exit::{self, ExitError};
use crate::transport::Resolved;

/// Folder of the pinned keys, beside the fleet file.
const FOLDER: &str = "known_hosts";

/// Kinds of keys, best first: how their names begin, and what `ssh-keyscan` calls them.
const KINDS: [(&str, &str); 3] = [
    ("ssh-ed25519", "ed25519"),
    ("ecdsa-sha2-", "ecdsa"),
    ("ssh-rsa", "rsa"),
];

/// Seconds that a host may take to show its keys.
const SCAN_LIMIT_S: &str = "10";

/// How a person says that a key is the right one.
#[derive(Debug, Clone, Args)]
pub struct Consent {
    /// Accept the key without asking; for a network that nobody else is in
    #[arg(long)]
    yes: bool,
    /// Accept exactly the key with this fingerprint, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it
    /// on the board
    #[arg(long, value_name = "SHA256:...", conflicts_with = "yes")]
    fingerprint: Option<String>,
}

/// A public host key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Kind, for instance `ssh-ed25519`.
    pub kind: String,
    /// The key itself, in base 64.
    pub key: String,
    /// `SHA256:` and the hash of the key, in base 64.
    pub fingerprint: String,
}

impl HostKey {
    /// Reads a line of a known_hosts file: names, kind, key.
    fn parse(line: &str) -> anyhow::Result<Option<HostKey>> {
        let Some((kind, key)) = kind_and_key(line) else {
            return Ok(None);
        };
        Ok(Some(HostKey {
            kind: kind.to_owned(),
            key: key.to_owned(),
            fingerprint: fingerprint(kind, key)?,
        }))
    }
}

/// Kind and key of a line of a known_hosts file; `None` for a comment and for anything that is not a key.
fn kind_and_key(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let (names, kind, key) = (words.next()?, words.next()?, words.next()?);
    let is_kind = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@');
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    // A marker such as `@revoked` says something else about a key than that it is trusted.
    let is_key = !names.starts_with(['#', '@'])
        && kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.chars().all(is_kind)
        && key.chars().all(is_base64);
    is_key.then_some((kind, key))
}

/// Where the key of a host is pinned, for the hosts of this fleet file.
pub fn pin_path(fleet_file: &Path, host: &str) -> anyhow::Result<PathBuf> {
    let file = std::path::absolute(fleet_file).context("the current folder is gone")?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    Ok(folder.join(FOLDER).join(host))
}

/// The pinned key, if there is one.
///
/// # Errors
/// When the file is there and holds no key.
pub fn pinned(path: &Path) -> anyhow::Result<Option<HostKey>> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(None);
    };
    for line in text.lines() {
        if let Some(key) = HostKey::parse(line)? {
            return Ok(Some(key));
        }
    }
    bail!("`{}` holds no host key", path.display())
}

/// Pins a key; an earlier one is replaced whole.
///
/// # Errors
/// When the file cannot be written.
pub fn pin(path: &Path, key: &HostKey) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    let line = format!("* {} {}\n", key.kind, key.key);
    disk::replace(path, line.as_bytes())
}

/// The keys that a machine shows now, best first.
///
/// # Errors
/// When it does not answer, or only through another machine.
pub fn scan(target: &SshTarget) -> anyhow::Result<Vec<HostKey>> {
    let (address, port) = resolve(target)?;
    // One process for each kind: asked for all at once, a slow board that has only one answers none.
    let scans: Vec<Child> = KINDS
        .iter()
        .map(|(_, kind)| {
            Command::new("ssh-keyscan")
                .args(["-T", SCAN_LIMIT_S, "-t", kind, "-p", &port, "--", &address])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()
        .context(
            "`ssh-keyscan` cannot be started; `apt-get install openssh-client` adds it on Debian",
        )?;
    let (mut keys, mut said) = (Vec::new(), String::new());
    for scan in scans {
        let output = scan.wait_with_output()?;
        said += &String::from_utf8_lossy(&output.stderr);
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            keys.extend(HostKey::parse(line)?);
        }
    }
    keys.retain(|key| KINDS.iter().any(|(prefix, _)| key.kind.starts_with(prefix)));
    if keys.is_empty() {
        let cause = said.lines().rfind(|line| !line.starts_with('#'));
        let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        return Err(ExitError {
            code: exit::UNREACHABLE,
            message: format!(
                "no SSH server answers at {address}, port {port}{cause}; check the address, and that the board is on"
            ),
        }
        .into());
    }
    Ok(keys)
}

/// Address and port that ssh itself would connect to.
fn resolve(target: &SshTarget) -> anyhow::Result<(String, String)> {
    let resolved = Resolved::of(target)
        .map_err(|said| ExitError::usage(format!("ssh's configuration: {said}")))?;
    if resolved.way().is_some() {
        return Err(ExitError::usage(format!(
            "ssh reaches `{}` through another machine, and its key cannot be asked for from here; connect once with ssh, compare the fingerprint, and write the entry of the fleet file by hand",
            target.destination
        ))
        .into());
    }
    let address = resolved.get("hostname").unwrap_or(&target.destination);
    let port = resolved.get("port").unwrap_or("22");
    Ok((address.to_owned(), port.to_owned()))
}

/// Lets a person decide which of a machine's keys is right; the first is what ssh would take.
///
/// # Errors
/// When nobody can be asked, the answer is no, or no key has the fingerprint that was given.
pub fn decide(host: &str, keys: &[HostKey], consent: &Consent) -> anyhow::Result<HostKey> {
    let best = keys.first().context("a machine without keys")?;
    if let Some(wanted) = &consent.fingerprint {
        let shown = |key: &HostKey| format!("{} {}", key.kind, key.fingerprint);
        return keys
            .iter()
            .find(|key| key.fingerprint == *wanted)
            .cloned()
            .ok_or_else(|| {
                let all: Vec<String> = keys.iter().map(shown).collect();
                let all = all.join(", ");
                ExitError::usage(format!(
                    "no key of `{host}` has the fingerprint {wanted}; it shows {all}: this is another machine, or the connection is intercepted"
                ))
                .into()
            });
    }
    eprintln!(
        "{}",
        said!(
            "key-shown",
            host = host,
            kind = &best.kind,
            fingerprint = &best.fingerprint,
        )
    );
    if consent.yes {
        return Ok(best.clone());
    }
    let kind = best.kind.trim_start_matches("ssh-").split('-').next();
    let kind = kind.unwrap_or_default();
    eprintln!("{}", said!("key-compare", kind = kind));
    if !std::io::stdin().is_terminal() {
        return Err(ExitError::usage(format!(
            "standard input is not a terminal, so the fingerprint cannot be confirmed; give `--fingerprint {}` once you have, or `--yes` to accept any key",
            best.fingerprint
        ))
        .into());
    }
    eprint!("{} ", said!("key-question"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        // `yes` as ssh asks for it, whatever the language.
        "yes" => Ok(best.clone()),
        answer if answer == said!("key-yes") => Ok(best.clone()),
        _ => Err(ExitError::usage("the key was not confirmed; nothing was changed").into()),
    }
}

fn fingerprint(kind: &str, key: &str) -> anyhow::Result<String> {
    let mut child = Command::new("ssh-keygen")
        .args(["-l", "-E", "sha256", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context(
            "`ssh-keygen` cannot be started; `apt-get install openssh-client` adds it on Debian",
        )?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that stops reading says so in its answer.
        let _ = writeln!(stdin, "{kind} {key}");
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace();
    let found = words.find(|word| word.starts_with("SHA256:"));
    found
        .map(str::to_owned)
        .with_context(|| format!("ssh-keygen does not understand the key `{kind} {key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_and_nothing_else() {
        let check = |line: &str, expect: Option<(&str, &str)>| {
            assert_eq!(kind_and_key(line), expect, "{line}");
        };
        check("* ssh-ed25519 AAAA+/=", Some(("ssh-ed25519", "AAAA+/=")));
        check(
            "[h]:22 sk-ssh-ed25519@openssh.com AAAA c",
            Some(("sk-ssh-ed25519@openssh.com", "AAAA")),
        );
        check("# host ssh-rsa AAAA", None);
        check("@revoked * ssh-rsa AAAA", None);
        check("* -oProxyCommand=x AAAA", None);
        check("* ssh-rsa \u{1b}[2K", None);
        check("* ssh-rsa", None);
    }

    /// `MEMWALL_FUZZ_INPUTS` lines, made by chance.
    #[test]
    fn any_line_is_a_key_of_plain_characters_or_none() {
        const PIECES: [&str; 9] = [
            "ssh-rsa",
            " ",
            "\t",
            "AAAA",
            "@revoked",
            "#",
            "\u{202e}",
            "\u{1b}]0;",
            "-o",
        ];
        let n_inputs = std::env::var("MEMWALL_FUZZ_INPUTS").ok();
        let n_inputs: u64 = n_inputs.map_or(2000, |text| text.parse().unwrap());
        for seed in 0..n_inputs {
            let mut rng = fastrand::Rng::with_seed(seed);
            let n_pieces = rng.usize(0..12);
            let line: String = (0..n_pieces)
                .map(|_| PIECES[rng.usize(0..PIECES.len())])
                .collect();
            if let Some((kind, key)) = kind_and_key(&line) {
                let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_graphic());
                assert!(
                    is_plain(kind) && is_plain(key) && !kind.starts_with('-'),
                    "seed {seed}"
                );
            }
        }
    }
}
