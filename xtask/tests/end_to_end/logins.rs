//! Accounts as they are: login shells that are not POSIX, profiles that print or end, another SSH server, and accounts
//! that may not log in. Each has its own user in a mount namespace with files of users of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::controller;
use crate::sshd::{free_port, wait_for};

/// One account.
struct Account {
    name: &'static str,
    shell: &'static str,
    /// A file of the home and what stands in it.
    profile: (&'static str, &'static str),
    /// Its third to last fields in `/etc/shadow`.
    shadow: &'static str,
    server: Server,
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    OpenSsh,
    /// With the checks of accounts that distributions have.
    WithPam,
    Dropbear,
    /// With a command that runs instead of what is asked.
    Forced,
}

const OPEN: &str = "19000:0:99999:7:::";

/// Accounts that work.
const GOOD: [Account; 5] = [
    account(
        "fish",
        "/usr/bin/fish",
        (".config/fish/config.fish", "echo fish greets\n"),
        Server::OpenSsh,
    ),
    account(
        "tcsh",
        "/bin/tcsh",
        (".cshrc", "printf 'csh title'\n"),
        Server::OpenSsh,
    ),
    account(
        "noisy",
        "/bin/bash",
        (
            ".bashrc",
            "printf '\\033]0;%s\\007' title; echo memwall:0; echo on stderr >&2\n",
        ),
        Server::OpenSsh,
    ),
    account("dropbear", "/bin/sh", (".profile", ""), Server::Dropbear),
    account(
        "bearfish",
        "/usr/bin/fish",
        (".profile", ""),
        Server::Dropbear,
    ),
];

/// Accounts that do not, and what has to stand in the reason.
const BAD: [(Account, &str); 4] = [
    (
        account(
            "ends",
            "/bin/bash",
            (".bashrc", "echo no; exit 3\n"),
            Server::OpenSsh,
        ),
        "its profile ends the shell",
    ),
    (
        account("forced", "/bin/sh", (".profile", ""), Server::Forced),
        "ForceCommand",
    ),
    (
        account(
            "nologin",
            "/usr/sbin/nologin",
            (".profile", ""),
            Server::OpenSsh,
        ),
        "chsh -s /bin/sh",
    ),
    (
        Account {
            shadow: "0:0:99999:7:::",
            ..account("expired", "/bin/bash", (".profile", ""), Server::WithPam)
        },
        "chage -d -1",
    ),
];

const fn account(
    name: &'static str,
    shell: &'static str,
    profile: (&'static str, &'static str),
    server: Server,
) -> Account {
    Account {
        name,
        shell,
        profile,
        shadow: OPEN,
        server,
    }
}

/// The servers of all accounts.
struct Servers {
    dir: tempfile::TempDir,
    running: Vec<Child>,
    ports: Vec<(Server, u16)>,
}

impl Servers {
    /// `None`, with a word about it, where this is not possible.
    fn up() -> Option<Servers> {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let can_mount = Command::new("unshare").args(["-m", "true"]).status();
        if !is_root || !can_mount.is_ok_and(|status| status.success()) {
            eprintln!("NOT TESTED: users of a test's own need root and mount namespaces");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut servers = Servers {
            dir,
            running: Vec::new(),
            ports: Vec::new(),
        };
        servers.write_keys();
        servers.write_accounts();
        for server in [
            Server::OpenSsh,
            Server::WithPam,
            Server::Dropbear,
            Server::Forced,
        ] {
            servers.start(server);
        }
        Some(servers)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_keys(&self) {
        for key in ["hostkey", "user"] {
            let args = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"];
            run(Command::new("ssh-keygen").args(args).arg(self.path(key)));
        }
        let convert = ["-t", "ed25519", "-f"];
        run(Command::new("dropbearkey")
            .args(convert)
            .arg(self.path("bearkey")));
        fs::write(
            self.path("ssh_config"),
            "Host *\n  IdentitiesOnly yes\n  IdentityAgent none\n",
        )
        .unwrap();
    }

    /// Homes, and the files of users as the servers' namespace sees them.
    fn write_accounts(&self) {
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut shadow = fs::read_to_string("/etc/shadow").unwrap();
        let accounts = GOOD.iter().chain(BAD.iter().map(|(account, _)| account));
        for (id, account) in (4300..).zip(accounts) {
            let home = self.path(account.name);
            let (file, text) = account.profile;
            for path in [home.join(file), home.join(".ssh/authorized_keys")] {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
            }
            fs::write(home.join(file), text).unwrap();
            fs::copy(self.path("user.pub"), home.join(".ssh/authorized_keys")).unwrap();
            chown_all(&home, id);
            let (name, shell, home) = (account.name, account.shell, home.display());
            passwd += &format!("{name}:x:{id}:{id}::{home}:{shell}\n");
            // A password that no text has: the account is not locked.
            shadow += &format!("{name}:*:{}\n", account.shadow);
        }
        fs::write(self.path("passwd"), passwd).unwrap();
        fs::write(self.path("shadow"), shadow).unwrap();
    }

    fn start(&mut self, server: Server) {
        let port = free_port();
        let d = self.dir.path().display().to_string();
        let command = match server {
            Server::Dropbear => format!("dropbear -F -E -s -p 127.0.0.1:{port} -r {d}/bearkey"),
            _ => {
                let pam = if server == Server::WithPam {
                    "yes"
                } else {
                    "no"
                };
                let forced = match server {
                    Server::Forced => "ForceCommand echo welcome to the menu\n",
                    _ => "",
                };
                let config = format!(
                    "Port {port}\nListenAddress 127.0.0.1\nHostKey {d}/hostkey\nPidFile none\nStrictModes no\n\
                     UsePAM {pam}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\n{forced}"
                );
                let file = self.path(&format!("sshd-{port}"));
                fs::write(&file, config).unwrap();
                format!("/usr/sbin/sshd -D -e -f {}", file.display())
            }
        };
        let _ = fs::create_dir_all("/run/sshd");
        let log = self.path(&format!("log-{port}"));
        let script = format!(
            "mount --bind {d}/passwd /etc/passwd && mount --bind {d}/shadow /etc/shadow && exec {command}"
        );
        let child = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        self.running.push(child);
        self.ports.push((server, port));
        wait_for("the server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// Entries of a fleet file.
    fn fleet<'a>(&self, accounts: impl Iterator<Item = &'a Account>) -> String {
        let d = self.dir.path().display().to_string();
        let known = |server: Server| match server {
            Server::Dropbear => "bear",
            _ => "host",
        };
        let bear = run(Command::new("dropbearkey")
            .args(["-y", "-f"])
            .arg(self.path("bearkey")));
        let bear = String::from_utf8(bear).unwrap();
        let bear = bear
            .lines()
            .find(|line| line.starts_with("ssh-ed25519"))
            .unwrap()
            .to_owned();
        fs::write(self.path("known-bear"), format!("* {bear}\n")).unwrap();
        let host = fs::read_to_string(self.path("hostkey.pub")).unwrap();
        fs::write(self.path("known-host"), format!("* {host}")).unwrap();
        accounts
            .map(|account| {
                let (_, port) = self.ports.iter().find(|(server, _)| *server == account.server).unwrap();
                format!(
                    "  {0}:\n    transport: ssh\n    address: 127.0.0.1\n    port: {port}\n    user: {0}\n    identity-file: {d}/user\n    \
                     known-hosts: {d}/known-{1}\n    config-file: {d}/ssh_config\n",
                    account.name,
                    known(account.server)
                )
            })
            .collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn chown_all(path: &Path, id: u32) {
    chown(path, Some(id), Some(id)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            chown_all(&entry.path(), id);
        }
    }
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

fn xtask(servers: &Servers) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--fleet").arg(servers.path("fleet.yaml"));
    command
}

#[test]
fn every_login_is_understood_or_explained() {
    let Some(servers) = Servers::up() else { return };
    let accounts = GOOD.iter().chain(BAD.iter().map(|(account, _)| account));
    let fleet = servers.fleet(accounts);
    fs::write(servers.path("fleet.yaml"), format!("hosts:\n{fleet}")).unwrap();
    let output = xtask(&servers)
        .args(["doctor", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let host = |name: &str| {
        let hosts = document["hosts"].as_array().unwrap();
        hosts.iter().find(|host| host["host"] == name).unwrap()
    };
    for account in &GOOD {
        assert_eq!(host(account.name)["status"], "ok", "{}", host(account.name));
    }
    for (account, expect) in &BAD {
        let host = host(account.name);
        let reason = host["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expect), "{}: {host}", account.name);
    }
    every_argument_arrives(&servers);
    let good = servers.fleet(GOOD.iter());
    let outcome = controller::run(
        servers.dir.path(),
        &good,
        &["--suite", "smoke", "--kernel", "read"],
    );
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    for account in &GOOD {
        let stream = outcome.read(&format!("hosts/{}/stream.jsonl", account.name));
        assert!(stream.starts_with(r#"{"type":"hello""#), "{stream}");
    }
    // csh would have made files of what follows a `>`.
    for account in GOOD.iter().chain(BAD.iter().map(|(account, _)| account)) {
        let names = fs::read_dir(servers.path(account.name)).unwrap().flatten();
        let names: Vec<String> = names
            .map(|it| it.file_name().to_string_lossy().into_owned())
            .collect();
        assert!(
            names.iter().all(|name| name.starts_with('.')),
            "{}: {names:?}",
            account.name
        );
    }
}

/// Also under the program's own name, with its own status, and with bytes that are not text.
fn every_argument_arrives(servers: &Servers) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let words: [&[u8]; 7] = [
        b"end\\",
        b"q\\\\z",
        b"it's",
        b"a\nb",
        b"$HOME !! `x`",
        b"\xff\xfe",
        b"",
    ];
    for account in ["fish", "tcsh", "bearfish"] {
        let output = xtask(servers)
            .args(["runner", "--host", account, "/bin/sh", "-c"])
            .arg("for word; do printf '[%s]' \"$word\"; done; exit 7")
            .arg("sh")
            .args(words.iter().map(|word| OsStr::from_bytes(word)))
            .output()
            .unwrap();
        let expect = words.iter().flat_map(|word| [b"[", *word, b"]"].concat());
        let expect: Vec<u8> = expect.collect();
        assert!(
            output.stdout == expect && output.status.code() == Some(7),
            "{account}: {output:?}"
        );
    }
    // Several programs in one: it looks at its name.
    if Path::new("/bin/busybox").is_file() {
        let output = xtask(servers)
            .args(["runner", "--host", "fish", "/bin/busybox", "echo", "hi"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "hi\n",
            "{output:?}"
        );
    }
    // Nothing succeeds that was never started.
    let output = xtask(servers)
        .args(["runner", "--host", "ends", "/bin/true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
}
