//! What a lab offers to others: an SSH configuration, the pinned host keys, and a fleet file.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use super::{Model, Started};

/// Writes `ssh_config`, `known_hosts` and `fleet.yaml` for these machines.
///
/// # Errors
/// When a machine's key cannot be read or the disk is full.
pub fn write(dir: &Path, machines: &[(Model, Started)]) -> anyhow::Result<()> {
    let mut known_hosts = String::new();
    for (_, started) in machines {
        let path = dir.join("boards").join(&started.name).join("host_key.pub");
        let key = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        known_hosts += &format!("{} {}\n", key_alias(started), key.trim());
    }
    replace(&dir.join("known_hosts"), &known_hosts)?;
    let config: String = machines
        .iter()
        .map(|(_, started)| ssh_config_entry(dir, started))
        .collect();
    replace(&dir.join("ssh_config"), &config)?;
    replace(&dir.join("fleet.yaml"), &fleet(dir, machines))
}

/// Name that the host key is known by: the port changes with every start.
fn key_alias(started: &Started) -> String {
    format!("memwall-lab-{}", started.name)
}

fn ssh_config_entry(dir: &Path, started: &Started) -> String {
    let file = |name: &str| {
        let path = dir.join(name).display().to_string();
        // ssh expands `%` in these values.
        let path = path
            .replace('%', "%%")
            .replace('\\', r"\\")
            .replace('"', "\\\"");
        format!("\"{path}\"")
    };
    format!(
        "Host {}\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  HostKeyAlias {}\n  IdentityFile {}\n  \
         IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
         StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 10\n",
        started.name,
        started.port,
        started.user,
        key_alias(started),
        file("id_ed25519"),
        file("known_hosts"),
    )
}

fn fleet(dir: &Path, machines: &[(Model, Started)]) -> String {
    let config = dir.join("ssh_config").display().to_string();
    let config = serde_json::to_string(&config).expect("a string is always JSON");
    let mut text =
        "# Made by `cargo xtask lab up`; changed by `lab up` and `lab down`.\n".to_owned();
    text += match machines.is_empty() {
        true => "hosts: {}\n",
        false => "hosts:\n",
    };
    for (model, started) in machines {
        text += &format!(
            "  # {}: {}\n  {}:\n    transport: ssh\n    ssh: {}\n    config-file: {config}\n    emulated: true\n    \
             tags: [lab, emulated]\n",
            model.machine.cpu(),
            model.summary,
            started.name,
            started.name,
        );
    }
    text
}

/// Whole or not at all: a reader never sees half a file.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let write = || {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(text.as_bytes())?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
