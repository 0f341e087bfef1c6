//! An aarch64 machine under qemu: its own part of the first file system, and starting it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::cpio::Archive;
use super::image::Image;
use super::process::Process;
use super::{Started, free_port, qmp};

/// Program that runs a board.
pub const QEMU: &str = "qemu-system-aarch64";

/// RAM of a board, MiB. Only what the board touches is taken from this machine.
const MEMORY_MIB: &str = "1024";

/// Processors of a board: two, so that threads meet. They are threads of qemu, and share this machine's.
const N_CPUS: &str = "2";

/// A port that is free when asked for may be taken when qemu binds it.
const N_TRIES: u32 = 5;

/// Starts a board with the keys that lie in its folder.
///
/// # Errors
/// When qemu does not start; with what it says.
pub fn start(dir: &Path, name: &str, cpu: &str, image: &Image) -> anyhow::Result<Started> {
    write_root_fs(dir, name, image)?;
    let mut said = String::new();
    for _ in 0..N_TRIES {
        let port = free_port()?;
        let output = qemu(dir, name, cpu, image, port)
            .output()
            .with_context(|| format!("`{QEMU}` cannot be started"))?;
        if output.status.success() {
            let pid = fs::read_to_string(dir.join("pid"))?;
            let process = pid.trim().parse().ok().and_then(Process::of);
            return Ok(Started {
                name: name.to_owned(),
                port,
                user: "bench".to_owned(),
                process: process.with_context(|| format!("`{name}` ended at once"))?,
                is_contained: true,
            });
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !said.contains("host forwarding rule") {
            break;
        }
    }
    bail!("`{QEMU}` does not start `{name}`: {said}")
}

/// Paths are relative to the board's folder: that of a socket is limited to 108 bytes.
fn qemu(dir: &Path, name: &str, cpu: &str, image: &Image, port: u16) -> Command {
    let mut qemu = Command::new(QEMU);
    qemu.current_dir(dir)
        .args(["-name", &format!("memwall-lab-{name}")])
        .args(["-M", "virt", "-cpu", cpu, "-accel", "tcg,thread=multi"])
        .args(["-m", MEMORY_MIB, "-smp", N_CPUS])
        .arg("-kernel")
        .arg(&image.kernel)
        .args(["-initrd", "root-fs.cpio"])
        .args(["-append", "console=ttyAMA0 quiet panic=-1"])
        // The board sees this machine through its SSH port only: it reaches neither the network nor a service here.
        .arg("-netdev")
        .arg(format!(
            "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
        ))
        .args(["-device", "virtio-net-pci,netdev=net0,romfile="])
        .args(["-device", "virtio-rng-pci"])
        .args(["-display", "none", "-no-reboot", "-monitor", "none"])
        .args(["-serial", "file:console.log"])
        .args(["-qmp", &format!("unix:{},server=on,wait=off", qmp::SOCKET)])
        .args(["-pidfile", "pid", "-daemonize"])
        .stdin(Stdio::null());
    qemu
}

/// The image's archive, and behind it what only this board has. The kernel unpacks both.
fn write_root_fs(dir: &Path, name: &str, image: &Image) -> anyhow::Result<()> {
    let mut own = Archive::default();
    let read = |file: &str| {
        let path = dir.join(file);
        fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
    };
    own.file("etc/hostname", 0o644, name);
    own.file("etc/ssh/ssh_host_ed25519_key", 0o600, read("host_key")?);
    own.file("etc/ssh/authorized_keys", 0o644, read("authorized_keys")?);
    let path = dir.join("root-fs.cpio");
    let write = || {
        let mut out = BufWriter::new(File::create(&path)?);
        std::io::copy(&mut File::open(&image.root_fs)?, &mut out)?;
        own.write(&mut out)?;
        out.flush()
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
