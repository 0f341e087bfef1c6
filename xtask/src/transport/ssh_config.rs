//! What the user's SSH configuration says about a host, and the few options that memwall sets over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench_inventory::{SshTarget, foreign};

use super::expand_home;

/// Options that come before the user's own, and so win: memwall needs no forwards and no agent on the board, a board must
/// not get to use them, and a port that is taken would end the connection. Causes are named from ssh's log.
const OVERRIDES: &str = "\
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
Tunnel no
LogLevel INFO
ServerAliveCountMax 3
";

/// The output of `ssh -G`: every option as it applies to one host.
#[derive(Debug, Clone, Default)]
pub struct Resolved(Vec<(String, String)>);

impl Resolved {
    /// Asks ssh.
    ///
    /// # Errors
    /// With ssh's own words when the configuration cannot be used.
    pub fn of(target: &SshTarget) -> Result<Resolved, String> {
        let mut ssh = Command::new("ssh");
        ssh.arg("-G");
        if let Some(file) = &target.config_file {
            ssh.arg("-F").arg(expand_home(file));
        }
        if let Some(port) = target.port {
            ssh.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &target.user {
            ssh.args(["-l", user]);
        }
        let output = ssh
            .args(["--", &target.destination])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                format!(
                    "`ssh` cannot be started ({error}); `apt-get install openssh-client` adds it on Debian"
                )
            })?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(Resolved::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    fn parse(text: &str) -> Resolved {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        Resolved(
            lines
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Every value of an option; `none` counts as not set.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.iter().filter(move |(name, _)| name == key);
        lines
            .map(|(_, value)| value.as_str())
            .filter(|value| *value != "none")
    }

    /// The value of an option.
    pub fn get<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// The machine or command that the connection goes through.
    pub fn way(&self) -> Option<String> {
        let jump = self
            .get("proxyjump")
            .map(|jump| format!("jump host `{jump}`"));
        jump.or_else(|| {
            let command = self.get("proxycommand")?;
            Some(format!("proxy command `{command}`"))
        })
    }
}

/// Much more than a configuration has.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Writes the configuration that the connection uses: [`OVERRIDES`], then the user's.
///
/// # Errors
/// When a file that the fleet names cannot be read, or the disk takes no file.
pub fn write(folder: &Path, target: &SshTarget) -> Result<PathBuf, String> {
    let own = match &target.config_file {
        // As with `ssh -F`, this file alone counts. An `Include` would also refuse a file that others may write.
        Some(file) => read_config(&expand_home(file)).map_err(|error| {
            format!("`config-file: {file}` cannot be read: {error}; name the right file")
        })?,
        None => "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n".to_owned(),
    };
    let path = folder.join("config");
    fs::write(&path, format!("{OVERRIDES}{own}"))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    Ok(path)
}

/// The null device stands for no configuration.
fn read_config(path: &Path) -> std::io::Result<String> {
    match path == Path::new("/dev/null") {
        true => Ok(String::new()),
        false => {
            let bytes = foreign::read(path, MAX_CONFIG_BYTES)?;
            String::from_utf8(bytes).map_err(std::io::Error::other)
        }
    }
}

/// Replacement for the name of a user.
const USER: &str = "USER";

/// Words that stay private where a host is reached through an alias: what the alias stands for, and who connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask(Vec<(String, &'static str)>);

impl Mask {
    /// The words that ssh's configuration puts behind the alias `target`; `controller` is the name of this machine. A host that the
    /// fleet file names by its address has nothing to hide.
    pub fn new(target: &SshTarget, resolved: &Resolved, controller: &str) -> Mask {
        if !target.is_alias {
            return Mask::default();
        }
        let mut words: Vec<(String, &'static str)> = Vec::new();
        let mut hide = |word: &str, by: &'static str| {
            let is_public = word.is_empty()
                || word == target.destination
                || matches!(word, "root" | "22" | "localhost");
            if !is_public && !words.iter().any(|(known, _)| known == word) {
                words.push((word.to_owned(), by));
            }
        };
        for key in ["identityfile", "certificatefile", "userknownhostsfile"] {
            for path in resolved.all(key) {
                hide(path, "FILE");
                hide(&expand_home(path).display().to_string(), "FILE");
            }
        }
        resolved
            .all("proxycommand")
            .for_each(|word| hide(word, "PROXY"));
        resolved
            .all("hostname")
            .for_each(|word| hide(word, "ADDRESS"));
        for jump in resolved.all("proxyjump").flat_map(|jumps| jumps.split(',')) {
            hide(jump, "JUMP");
            let (user, place) = jump.rsplit_once('@').unwrap_or(("", jump));
            hide(user, USER);
            let (name, port) = place.rsplit_once(':').unwrap_or((place, ""));
            hide(name, "JUMP");
            hide(port, "PORT");
        }
        resolved.all("user").for_each(|word| hide(word, USER));
        resolved.all("port").for_each(|word| hide(word, "PORT"));
        hide(controller, "CONTROLLER");
        // The longest first: a short word may be part of it.
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Mask(words)
    }

    /// A text for people, with the private words replaced.
    pub fn text(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (word, by) in &self.0 {
            masked = replace_word(&masked, word, by);
        }
        masked
    }

    /// Every text of a line of JSON, its numbers untouched; a line of something else is one text.
    pub fn line(&self, line: &str) -> String {
        if !self.0.iter().any(|(word, _)| line.contains(word.as_str())) {
            return line.to_owned();
        }
        if !line.starts_with('{') {
            return self.text(line);
        }
        let mut masked = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(begin) = rest.find('"') {
            let (before, from) = rest.split_at(begin + 1);
            let end = string_end(from);
            masked.push_str(before);
            masked.push_str(&self.text(&from[..end]));
            masked.push_str(&from[end..(end + 1).min(from.len())]);
            rest = &from[(end + 1).min(from.len())..];
        }
        masked + rest
    }
}

/// Where the string of JSON ends that `text` begins within.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Replaces a word where it stands alone: `10.0.0.1` is not part of `10.0.0.12`. A user is a part of paths, too.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, found) = rest.split_at(at);
        let after = &found[word.len()..];
        let mut following = after.chars();
        let next = following.next();
        // A dot at the end of a sentence ends the word, too.
        let continues = match next {
            Some('.') => following.next().is_some_and(goes_on),
            Some(c) => goes_on(c),
            None => false,
        };
        let preceding = before.chars().next_back().or(replaced.chars().next_back());
        let continued =
            preceding.is_some_and(|c| goes_on(c) || c == '.' || (c == '/' && by != USER));
        replaced.push_str(before);
        replaced.push_str(match continues || continued {
            true => word,
            false => by,
        });
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(is_alias: bool) -> SshTarget {
        SshTarget {
            destination: "shelf".into(),
            is_alias,
            port: None,
            user: None,
            identity_file: None,
            known_hosts: None,
            config_file: None,
        }
    }

    const SAID: &str = "host shelf\nuser secretuser\nhostname 10.0.0.1\nport 2222\nidentityfile /keys/secret\nproxyjump alice@gate.example:2022\nproxycommand none\n";

    #[test]
    fn an_alias_hides_what_it_stands_for() {
        let resolved = Resolved::parse(SAID);
        let mask = Mask::new(&target(true), &resolved, "desk");
        let check = |text: &str, expect: &str| assert_eq!(mask.text(text), expect);
        check(
            "secretuser@10.0.0.1: Permission denied (publickey).",
            "USER@ADDRESS: Permission denied (publickey).",
        );
        check(
            "connect to host 10.0.0.1 port 2222: no",
            "connect to host ADDRESS port PORT: no",
        );
        check("[10.0.0.1]:2222", "[ADDRESS]:PORT");
        check(
            "10.0.0.12, a10.0.0.1, 22223 of 2222.",
            "10.0.0.12, a10.0.0.1, 22223 of PORT.",
        );
        check("key /keys/secret, bob@desk", "key FILE, bob@CONTROLLER");
        check("alice@gate.example:2022 gate.example", "JUMP JUMP");
        check(
            "desk-top, desktop, /desk, root",
            "desk-top, desktop, /desk, root",
        );
        check("/home/secretuser/.cache", "/home/USER/.cache");
        let open = Mask::new(&target(false), &resolved, "desk");
        assert_eq!(open, Mask::default());
        assert_eq!(open.text("10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn numbers_of_a_message_are_never_masked() {
        let mask = Mask::new(&target(true), &Resolved::parse(SAID), "desk");
        let line = r#"{"type":"note","n":2222,"text":"port 2222 \" of desk","m":[2222]}"#;
        assert_eq!(
            mask.line(line),
            r#"{"type":"note","n":2222,"text":"port PORT \" of CONTROLLER","m":[2222]}"#
        );
        assert_eq!(mask.line("desk said 2222"), "CONTROLLER said PORT");
        assert_eq!(mask.line(r#"{"text":"desk"#), r#"{"text":"CONTROLLER"#);
    }

    #[test]
    fn the_users_configuration_comes_after_ours() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("a b");
        fs::write(&own, "Host x\n").unwrap();
        let mut target = target(true);
        target.config_file = Some(own.display().to_string());
        let written = |target: &SshTarget| {
            let path = write(folder.path(), target)?;
            Ok::<_, String>(fs::read_to_string(path).unwrap())
        };
        assert_eq!(written(&target).unwrap(), format!("{OVERRIDES}Host x\n"));
        target.config_file = Some("/dev/null".into());
        assert_eq!(written(&target).unwrap(), OVERRIDES);
        target.config_file = None;
        assert!(
            written(&target)
                .unwrap()
                .contains("Include ~/.ssh/config\n")
        );
        target.config_file = Some("/nowhere/config".into());
        assert!(
            written(&target)
                .unwrap_err()
                .contains("name the right file")
        );
    }
}
