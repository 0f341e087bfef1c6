//! A private sshd on loopback: own keys, own configuration, own known_hosts, own home.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running sshd and what a client needs to reach it.
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    child: Child,
}

/// What is odd about a host.
#[derive(Clone, Copy, PartialEq)]
pub enum Oddity {
    /// Nothing.
    None,
    /// The login prints a banner on standard output before every command.
    NoisyLogin,
    /// Every folder that could take the program is a full file system of 64 KiB.
    DiskFull,
    /// No file in any of those folders may be executed.
    NoExec,
    /// There is room in those folders, and not one inode.
    NoInodes,
    /// The home is read-only; `var-tmp` beside it is what commands see as `/var/tmp`.
    ReadOnlyHome,
    /// The server refuses a connection while two others have not logged in yet.
    FewStartups,
    /// The connection breaks once, in the middle of storing a file of [`CUT_FILE_BYTES`].
    CutUpload,
}

/// Size of the file whose upload [`Oddity::CutUpload`] breaks off.
pub const CUT_FILE_BYTES: usize = 20 << 20;

/// Bytes of it that arrive before.
pub const CUT_AFTER_BYTES: usize = 3_000_000;

impl Sshd {
    /// Starts a host under `parent`.
    pub fn start(parent: &Path, name: &str, oddity: Oddity) -> Sshd {
        // A blank and a quote in the path: quoting has to survive them.
        let dir = parent.join(format!("{name} it's"));
        fs::create_dir_all(dir.join("home")).unwrap();
        fs::create_dir_all(dir.join("var-tmp")).unwrap();
        // Root's sshd wants this folder for its privilege separation.
        let _ = fs::create_dir_all("/run/sshd");
        for key in ["hostkey", "user"] {
            let key = dir.join(key);
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
                .arg(key));
        }
        fs::copy(dir.join("user.pub"), dir.join("authorized_keys")).unwrap();
        let login = dir.join("login");
        fs::write(&login, login_script(&dir, oddity)).unwrap();
        fs::set_permissions(&login, fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{d}/hostkey\"\nPidFile \"{d}/pid\"\n\
             AuthorizedKeysFile \"{d}/authorized_keys\"\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nUseDNS no\nPermitRootLogin prohibit-password\nPrintMotd no\n\
             ForceCommand exec sh \"{d}/login\"\n{startups}",
            d = dir.display(),
            startups = match oddity {
                Oddity::FewStartups => "MaxStartups 2:100:2\n",
                _ => "",
            }
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        let child = spawn(&dir);
        let sshd = Sshd { dir, port, child };
        sshd.write_known_hosts("hostkey.pub");
        sshd
    }

    /// Starts the server again with another host key, as after the board was reflashed.
    pub fn flash_anew(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let key = self.dir.join("hostkey");
        fs::remove_file(&key).unwrap();
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
            .arg(&key));
        self.child = spawn(&self.dir);
    }

    /// `USER@ADDRESS:PORT`.
    pub fn address(&self) -> String {
        let user = String::from_utf8(run(Command::new("id").arg("-un"))).unwrap();
        format!("{}@127.0.0.1:{}", user.trim(), self.port)
    }

    /// The client's private key.
    pub fn identity_file(&self) -> PathBuf {
        self.dir.join("user")
    }

    /// Fingerprint of the host key, as the board itself would print it.
    pub fn fingerprint(&self) -> String {
        let output = run(Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.dir.join("hostkey.pub")));
        let text = String::from_utf8(output).unwrap();
        text.split_whitespace().nth(1).unwrap().to_owned()
    }

    fn write_known_hosts(&self, public_key: &str) {
        let key = fs::read_to_string(self.dir.join(public_key)).unwrap();
        fs::write(
            self.dir.join("known_hosts"),
            format!("[127.0.0.1]:{} {key}", self.port),
        )
        .unwrap();
    }

    /// Makes the client expect another host key than the server has.
    pub fn expect_another_host_key(&self) {
        self.write_known_hosts("user.pub");
    }

    /// Makes the server refuse the client's key.
    pub fn refuse_key(&self) {
        fs::write(self.dir.join("authorized_keys"), "").unwrap();
    }

    /// The host's home folder.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// The host's entry in a fleet file.
    pub fn fleet_entry(&self, name: &str, board: Option<&str>) -> String {
        let user = String::from_utf8(run(Command::new("id").arg("-un"))).unwrap();
        let quoted = |file: &str| serde_json::to_string(&self.dir.join(file)).unwrap();
        fs::write(
            self.dir.join("ssh_config"),
            "Host *\n  IdentitiesOnly yes\n  IdentityAgent none\n",
        )
        .unwrap();
        let board = board
            .map(|board| format!("    board: {board}\n"))
            .unwrap_or_default();
        format!(
            "  {name}:\n{board}    transport: ssh\n    address: 127.0.0.1\n    port: {}\n    user: {}\n    \
             identity-file: {}\n    known-hosts: {}\n    config-file: {}\n",
            self.port,
            user.trim(),
            quoted("user"),
            quoted("known_hosts"),
            quoted("ssh_config"),
        )
    }

    /// A `Host` of an SSH configuration that leads here, with more lines of its own.
    pub fn config_entry(&self, alias: &str, more: &str) -> String {
        let d = self.dir.display();
        let user = String::from_utf8(run(Command::new("id").arg("-un"))).unwrap();
        let user = match more.contains("User ") {
            true => String::new(),
            false => format!("  User {}\n", user.trim()),
        };
        format!(
            "Host {alias}\n  HostName 127.0.0.1\n  Port {}\n{user}  IdentityFile \"{d}/user\"\n  UserKnownHostsFile \"{d}/known_hosts\"\n  \
             IdentitiesOnly yes\n  IdentityAgent none\n{more}",
            self.port
        )
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Processes that run a program from this host's home, by id.
    pub fn programs(&self) -> Vec<u32> {
        let home = self.home().display().to_string();
        let ids = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id: &u32| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let program = arguments
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default();
            String::from_utf8_lossy(program).starts_with(&home)
        })
        .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let log = dir.join("sshd.log");
    let child = Command::new(find_sshd())
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .expect("sshd starts; `cargo xtask test` installs openssh-server");
    wait_for("sshd listens", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("Server listening"))
    });
    child
}

fn login_script(dir: &Path, oddity: Oddity) -> String {
    let home = format!(
        "export HOME='{}'; unset XDG_CACHE_HOME; cd \"$HOME\"\n",
        shell_quoted(&dir.join("home"))
    );
    let command = "exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n";
    // Mounts live in a namespace of the one command.
    let mounts = |options: &str| {
        let folders = "\"$HOME\" /var/tmp /tmp /dev/shm";
        let mount = format!(
            "for d in {folders}; do mount -t tmpfs -o {options} none \"$d\" || exit 99; done"
        );
        let flags = mount_namespace_flags();
        format!("exec unshare {flags} sh -c '{mount}; exec sh -c \"$SSH_ORIGINAL_COMMAND\"'\n")
    };
    home + &match oddity {
        Oddity::None | Oddity::FewStartups => command.to_string(),
        Oddity::NoisyLogin => format!("echo '*** Welcome to the board! ***'\n{command}"),
        Oddity::DiskFull => mounts("size=64k"),
        Oddity::NoExec => mounts("size=16m,noexec"),
        Oddity::NoInodes => mounts("size=16m,nr_inodes=1"),
        Oddity::ReadOnlyHome => {
            let flags = mount_namespace_flags();
            let mount = "mount --bind \"$HOME/../var-tmp\" /var/tmp && mount -t tmpfs -o ro none \"$HOME\" || exit 99";
            format!("exec unshare {flags} sh -c '{mount}; exec sh -c \"$SSH_ORIGINAL_COMMAND\"'\n")
        }
        // The parent is the server's process of this connection.
        Oddity::CutUpload => format!(
            "IFS= read -r line\ncase $line in *{CUT_FILE_BYTES}*'cat >> '*)\n\
             if [ ! -e cut ]; then : > cut; {{ printf '%s\\n' \"$line\"; head -c {CUT_AFTER_BYTES}; }} | sh -c \"$SSH_ORIGINAL_COMMAND\" \n\
             kill -KILL $PPID; exit; fi;; esac\n{{ printf '%s\\n' \"$line\"; cat; }} | sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
        ),
    }
}

/// What makes `unshare` give a namespace in which file systems may be mounted: only root needs no user namespace.
pub fn mount_namespace_flags() -> &'static str {
    match run(Command::new("id").arg("-u")).as_slice() {
        b"0\n" => "-m",
        _ => "-rm",
    }
}

fn shell_quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', "'\\''")
}

fn find_sshd() -> &'static str {
    ["/usr/sbin/sshd", "/usr/bin/sshd"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("/usr/sbin/sshd")
}

/// A free port, as the kernel hands it out.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Waits until `condition` holds; half an hour without it is a hang: the first run also compiles the board programs, and
/// machines are slow and busy.
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(1800),
            "waited in vain until {what}"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
