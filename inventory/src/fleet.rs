//! The hosts of this lab (`fleet.yaml`): name, board, how to reach it.

use bench_protocol::Prepare;

use crate::board::Memory;

/// All hosts of one fleet file, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// Hosts in file order; names are unique.
    pub hosts: Vec<Host>,
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
}

/// Where an SSH host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// `Host` alias of the SSH configuration, or an address.
    pub destination: String,
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
