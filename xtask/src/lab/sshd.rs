//! A private SSH server of this machine: its own keys, configuration and home, nothing of the user's.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::process::{self, Process};
use super::{Started, free_port};

/// Where the server may be; it wants to be started by its full path.
const PROGRAMS: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];

/// Where the server's file transfer may be.
const SFTP_SERVERS: [&str; 2] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
];

/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server, where it is installed.
pub fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|path| Path::new(path).exists())
}

/// Starts the server with the keys that lie in its folder: in namespaces of its own where that is allowed, so that
/// nothing survives it, and as a plain process elsewhere.
///
/// # Errors
/// When it is not installed or does not listen; with what it says.
pub fn start(dir: &Path, name: &str) -> anyhow::Result<Started> {
    let sshd = program().context("sshd is not installed")?;
    let user = command_output("id", "-un")?;
    let is_root = user == "root";
    if is_root {
        // Root's sshd wants this folder for its privilege separation.
        fs::create_dir_all("/run/sshd").context("cannot make `/run/sshd`")?;
    }
    fs::create_dir_all(dir.join("home"))?;
    write_login(dir)?;
    let log = dir.join("console.log");
    let mut said = String::new();
    for is_contained in [true, false] {
        // Mapping users inside would take another namespace, in which sshd cannot change to its user.
        if is_contained && !is_root {
            continue;
        }
        let port = free_port()?;
        write_config(dir, port)?;
        let mut command = match is_contained {
            true => {
                let mut unshare = Command::new("unshare");
                unshare.args([
                    "--mount",
                    "--pid",
                    "--fork",
                    "--mount-proc",
                    "--kill-child=KILL",
                ]);
                unshare.arg(sshd);
                unshare
            }
            false => Command::new(sshd),
        };
        let mut child = command
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            // Ctrl-C on the terminal it was started from is not meant for it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("`{sshd}` cannot be started"))?;
        let listens =
            || fs::read_to_string(&log).is_ok_and(|text| text.contains("Server listening on"));
        if wait_until(&mut child, listens) {
            // In its namespace the server is process 1: nothing there outlives it.
            let pid = match is_contained {
                true => process::children(child.id()).first().copied(),
                false => Some(child.id()),
            };
            let process = pid.and_then(Process::of);
            return Ok(Started {
                name: name.to_owned(),
                port,
                user,
                process: process.context("sshd ended at once")?,
                is_contained,
            });
        }
        let _ = child.kill();
        let _ = child.wait();
        said = fs::read_to_string(&log).unwrap_or_default();
    }
    bail!("`{sshd}` does not listen: {}", said.trim())
}

/// Waits until the condition holds; false when the process ends first or takes too long.
fn wait_until(child: &mut Child, condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn write_config(dir: &Path, port: u16) -> anyhow::Result<()> {
    let sftp = SFTP_SERVERS
        .into_iter()
        .find(|path| Path::new(path).exists());
    let sftp = sftp.map_or_else(String::new, |path| format!("Subsystem sftp {path}\n"));
    let dir_text = dir.display().to_string();
    // The server expands `%` in this value only.
    let key_dir = dir_text.replace('%', "%%");
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{dir_text}/host_key\"\nPidFile none\n\
         AuthorizedKeysFile \"{key_dir}/authorized_keys\"\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         UseDNS no\nPrintMotd no\nMaxStartups 100\nMaxSessions 100\n{sftp}\
         ForceCommand exec sh \"{dir_text}/login\"\n"
    );
    fs::write(dir.join("sshd_config"), config).context("cannot write the server's configuration")
}

/// Every command runs with the machine's own home, and without what the user's shell would read at login.
fn write_login(dir: &Path) -> anyhow::Result<()> {
    let home = dir
        .join("home")
        .display()
        .to_string()
        .replace('\'', r"'\''");
    let script = format!(
        "export HOME='{home}'; unset XDG_CACHE_HOME; cd \"$HOME\" || exit 1\n\
         case $SSH_ORIGINAL_COMMAND in\n  '') exec sh -i;;\n  *) exec sh -c \"$SSH_ORIGINAL_COMMAND\";;\nesac\n"
    );
    let path = dir.join("login");
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn command_output(program: &str, arg: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg(arg)
        .output()
        .with_context(|| format!("`{program}` cannot be started"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
