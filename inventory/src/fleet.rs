//! The hosts of this lab (`fleet.yaml`): name, board, how to reach it.

use std::path::{Path, PathBuf};

use bench_protocol::Prepare;

use crate::board::Memory;

/// All hosts of one fleet file, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// Hosts in file order; names are unique.
    pub hosts: Vec<Host>,
}

impl Fleet {
    /// Takes relative paths of recorded streams as relative to `folder`.
    pub(crate) fn with_streams_in(mut self, folder: &Path) -> Fleet {
        for host in &mut self.hosts {
            if let Transport::Replay(recording) = &mut host.transport {
                recording.stream = folder.join(&recording.stream);
            }
        }
        self
    }
}

/// One machine that can be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Name in the fleet file; unique.
    pub name: String,
    /// Catalogue id of its board, if it is one of the catalogue.
    pub board: Option<String>,
    /// How to reach it.
    pub transport: Transport,
    /// Free words to select hosts by.
    pub tags: Vec<String>,
    /// Whether the fleet file calls the machine itself emulated: its times mean nothing and are never compared.
    pub emulated: bool,
    /// Theoretical memory stated in the fleet file, for machines outside the catalogue.
    pub memory: Option<Memory>,
    /// What is changed on it while it measures.
    pub prepare: Prepare,
}

/// How to reach a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// The machine memwall runs on.
    Local,
    /// Over SSH.
    Ssh(SshTarget),
    /// The board program for another architecture under qemu-user: function only, never compared.
    QemuUser {
        /// Architecture to emulate, for instance `aarch64`.
        arch: String,
        /// Value for qemu's `-cpu`, for instance `max`.
        cpu: Option<String>,
    },
    /// No machine: a recorded stream is played again. Never compared.
    Replay(Recording),
}

/// A recorded stream and how it is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// `hosts/HOST/stream.jsonl` of a run.
    pub stream: PathBuf,
    /// Time over which its lines are spread. Seconds; 0 is as fast as they are taken.
    pub seconds: u32,
}

/// Where an SSH host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// `Host` alias of the SSH configuration, or an address.
    pub destination: String,
    /// Whether it is an alias: what the configuration puts behind it is private then.
    pub is_alias: bool,
    /// Port, if not the configured one.
    pub port: Option<u16>,
    /// User, if not the configured one.
    pub user: Option<String>,
    /// Private key file.
    pub identity_file: Option<String>,
    /// known_hosts file to check the host key against.
    pub known_hosts: Option<String>,
    /// SSH configuration file, if not `~/.ssh/config`.
    pub config_file: Option<String>,
}
