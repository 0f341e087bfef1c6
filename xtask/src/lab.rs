//! A lab without hardware: real aarch64 Linux machines under qemu, and a private SSH server of this machine.
//!
//! Each is an ordinary SSH host with another set of instructions, to try everything on that a board would do: dispatch,
//! deploying, losing the connection. What they measure means nothing; every host of a lab is marked emulated.
//! Owns the processes it started and the files of its folder, and touches nothing else.

mod board;
mod cpio;
mod files;
mod image;
mod packages;
mod process;
mod qmp;
mod sshd;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

pub use board::QEMU;
pub use image::{Image, ensure as ensure_image};
use process::Process;

/// How long a machine may take from its start to its first login. Several boot at once on few cores.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// A machine that can be brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Name of the host; stable.
    pub name: &'static str,
    /// What runs it.
    pub machine: Machine,
    /// For people.
    pub summary: &'static str,
}

/// What runs a machine of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// `qemu-system-aarch64` with this value of `-cpu`.
    Qemu(&'static str),
    /// An SSH server on this machine's own system.
    Sshd,
}

impl Machine {
    /// The processor, for people.
    pub fn cpu(self) -> &'static str {
        match self {
            Machine::Qemu(cpu) => cpu,
            Machine::Sshd => "this machine's own",
        }
    }
}

/// Every machine. The processors are qemu's own models, which lack or have what the kernels' variants need.
pub const MODELS: [Model; 4] = [
    Model {
        name: "pi4",
        machine: Machine::Qemu("cortex-a72"),
        summary: "no dot products, as on a Raspberry Pi 4",
    },
    Model {
        name: "a76",
        machine: Machine::Qemu("cortex-a76"),
        summary: "dot products, as on a Raspberry Pi 5 or Rock 5",
    },
    // qemu's own way of pointer authentication is three times as fast to emulate as the standard's.
    Model {
        name: "new",
        machine: Machine::Qemu("max,pauth-impdef=on"),
        summary: "everything qemu emulates: dot products, matrix products, SVE2",
    },
    Model {
        name: "x86",
        machine: Machine::Sshd,
        summary: "an SSH server of this machine, with a home of its own",
    },
];

/// A lab: a folder with keys, files for SSH and memwall, and one folder per machine.
pub struct Lab {
    dir: PathBuf,
    /// Keeps other commands out while this one changes the lab.
    _lock: File,
}

/// What is written down about a machine that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Started {
    /// Name of its model.
    pub name: String,
    /// Port of its SSH server on the loopback address.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// What runs it.
    pub process: Process,
    /// Whether the process is the first of a process namespace, so that nothing survives it.
    pub is_contained: bool,
}

/// State of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its SSH server listens.
    Up,
    /// Started, and not ready yet.
    Booting,
    /// Started, and ended without being asked to.
    Dead,
}

impl State {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Booting => "booting",
            State::Dead => "dead",
        }
    }
}

impl Lab {
    /// The folder of the lab that the command line means.
    pub fn default_dir() -> PathBuf {
        crate::workspace::root().join("target").join("lab")
    }

    /// The image's folder: all labs of a checkout share it.
    pub fn image_dir() -> PathBuf {
        Lab::default_dir().join("image")
    }

    /// Opens the lab in `dir`, made if it is not there; waits for another command that changes it.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn open(dir: &Path) -> anyhow::Result<Lab> {
        let cannot = || format!("cannot make the lab's folder `{}`", dir.display());
        fs::create_dir_all(dir).with_context(cannot)?;
        let dir = dir.canonicalize().with_context(cannot)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        fs::create_dir_all(dir.join("boards"))?;
        let lock = File::create(dir.join("lock"))?;
        lock.lock().context("cannot lock the lab")?;
        Ok(Lab { dir, _lock: lock })
    }

    /// The lab's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every machine that was started and not taken down, in the order of [`MODELS`].
    pub fn started(&self) -> Vec<(Model, Started)> {
        let record = |model: Model| {
            let text = fs::read(self.board_dir(model.name).join("board.json")).ok()?;
            Some((model, serde_json::from_slice(&text).ok()?))
        };
        MODELS.into_iter().filter_map(record).collect()
    }

    /// State of a machine.
    pub fn state(&self, started: &Started) -> State {
        let log = self.board_dir(&started.name).join("console.log");
        let is_ready = fs::read(log).is_ok_and(|text| {
            let text = String::from_utf8_lossy(&text);
            text.contains("BOARD-READY") || text.contains("Server listening on")
        });
        match (started.process.is_alive(), is_ready) {
            (false, _) => State::Dead,
            (true, true) => State::Up,
            (true, false) => State::Booting,
        }
    }

    /// Starts a machine; it is not ready yet when this returns.
    ///
    /// # Errors
    /// When its keys cannot be made or its program does not start.
    pub fn start(&self, model: Model, image: Option<&Image>) -> anyhow::Result<Started> {
        let dir = self.board_dir(model.name);
        if dir.exists() {
            fs::remove_dir_all(&dir)
                .with_context(|| format!("cannot clear `{}`", dir.display()))?;
        }
        fs::create_dir_all(&dir)?;
        let user_key = self.dir.join("id_ed25519");
        if !user_key.exists() {
            make_key(&user_key, "memwall lab")?;
        }
        make_key(&dir.join("host_key"), model.name)?;
        fs::copy(user_key.with_extension("pub"), dir.join("authorized_keys"))?;
        let started = match (model.machine, image) {
            (Machine::Qemu(cpu), Some(image)) => board::start(&dir, model.name, cpu, image)?,
            (Machine::Qemu(_), None) => bail!("`{}` needs an image to boot", model.name),
            (Machine::Sshd, _) => sshd::start(&dir, model.name)?,
        };
        let record = dir.join("board.json");
        fs::write(&record, serde_json::to_vec_pretty(&started)?)
            .with_context(|| format!("cannot write `{}`", record.display()))?;
        Ok(started)
    }

    /// Waits until a machine lets its user in.
    ///
    /// # Errors
    /// When it dies, or takes longer than any machine should; with the last lines of its console.
    pub fn wait_until_up(&self, started: &Started) -> anyhow::Result<()> {
        let began = Instant::now();
        let console = || {
            let log = self.board_dir(&started.name).join("console.log");
            let text = fs::read(log).unwrap_or_default();
            let tail = crate::transport::tail(&String::from_utf8_lossy(&text));
            tail.join("\n")
        };
        loop {
            match self.state(started) {
                State::Dead => bail!("`{}` ended while it booted:\n{}", started.name, console()),
                State::Up if self.lets_in(started) => return Ok(()),
                State::Up | State::Booting => {}
            }
            if began.elapsed() > BOOT_LIMIT {
                let limit = BOOT_LIMIT.as_secs();
                bail!(
                    "`{}` is not ready after {limit} s:\n{}",
                    started.name,
                    console()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn lets_in(&self, started: &Started) -> bool {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.dir.join("ssh_config"));
        ssh.args([&started.name, "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        ssh.status().is_ok_and(|status| status.success())
    }

    /// Takes a machine down: asks it to end, then ends it. Nothing of it is left.
    ///
    /// # Errors
    /// When its process does not go away.
    pub fn stop(&self, started: &Started) -> anyhow::Result<()> {
        let dir = self.board_dir(&started.name);
        if started.process.is_alive() && qmp::quit(&dir).is_ok() {
            started.process.wait(Duration::from_secs(5));
        }
        if !started.process.end() {
            bail!(
                "process {} of `{}` does not end; end it by hand",
                started.process.pid,
                started.name
            );
        }
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove `{}`", dir.display()))
    }

    /// Writes the files for SSH and memwall anew, for the machines that are there.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_files(&self) -> anyhow::Result<()> {
        files::write(&self.dir, &self.started())
    }

    /// Removes what belongs to the lab as a whole, once no machine is left; the image stays for the next one.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> anyhow::Result<()> {
        for file in [
            "id_ed25519",
            "id_ed25519.pub",
            "ssh_config",
            "known_hosts",
            "fleet.yaml",
        ] {
            match fs::remove_file(self.dir.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn board_dir(&self, name: &str) -> PathBuf {
        self.dir.join("boards").join(name)
    }
}

/// A pair of keys without a passphrase: both ends are this machine, and the folder is its user's alone.
fn make_key(path: &Path, comment: &str) -> anyhow::Result<()> {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .context("`ssh-keygen` cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("no key can be made: {}", said.trim());
    }
    Ok(())
}

/// A free port, as the kernel hands it out.
fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
