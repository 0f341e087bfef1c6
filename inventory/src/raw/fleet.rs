//! `fleet.yaml`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Place;
use super::board::RawArch;
use super::memory::RawMemory;
use super::prepare::RawPrepare;
use super::suite::unknown_id;
use crate::diagnostic::{Problem, quoted};
use crate::fleet::{Fleet, Host, Recording, SshTarget, Transport};

/// The machines of this lab.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Fleet")]
pub(crate) struct RawFleet {
    /// Hosts by name.
    hosts: InOrder<RawHost>,
}

/// One machine that can be measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Host")]
struct RawHost {
    /// Catalogue id of its board; left out for a machine outside the catalogue.
    board: Option<String>,
    /// How to reach it.
    transport: RawTransport,
    /// `Host` alias of the SSH configuration (transport `ssh`).
    ssh: Option<String>,
    /// Host name or IP address, where there is no alias (transport `ssh`).
    address: Option<String>,
    /// Port, if not the configured one (transport `ssh`).
    #[schemars(range(min = 1, max = 65_535))]
    port: Option<u16>,
    /// User, if not the configured one (transport `ssh`).
    user: Option<String>,
    /// Private key file (transport `ssh`).
    identity_file: Option<String>,
    /// known_hosts file to check the host key against (transport `ssh`).
    known_hosts: Option<String>,
    /// SSH configuration file, if not `~/.ssh/config` (transport `ssh`).
    config_file: Option<String>,
    /// Architecture to emulate (transport `qemu-user`).
    arch: Option<RawArch>,
    /// Value for qemu's `-cpu`, for instance `max` (transport `qemu-user`).
    cpu: Option<String>,
    /// Recorded `hosts/HOST/stream.jsonl` of a run, relative to the fleet file (transport `replay`).
    stream: Option<String>,
    /// Time over which its lines are spread [default: 0, as fast as they are taken] (transport `replay`).
    #[schemars(range(max = 3600))]
    seconds: Option<u32>,
    /// Free words to select hosts by.
    #[serde(default)]
    tags: Vec<String>,
    /// `true` for a machine that is itself emulated: its times mean nothing and are never compared.
    emulated: Option<bool>,
    /// Theoretical memory, for a machine outside the catalogue.
    memory: Option<RawMemory>,
    /// What is changed on the board while it measures, and put back afterwards.
    #[serde(default)]
    prepare: RawPrepare,
}

/// How to reach a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Transport")]
enum RawTransport {
    /// The machine memwall runs on.
    Local,
    /// Over SSH.
    Ssh,
    /// The board program for another architecture under qemu-user: function only, never compared.
    QemuUser,
    /// No machine: a recorded stream is played again. Never compared.
    Replay,
}

impl RawTransport {
    fn id(self) -> &'static str {
        match self {
            RawTransport::Local => "local",
            RawTransport::Ssh => "ssh",
            RawTransport::QemuUser => "qemu-user",
            RawTransport::Replay => "replay",
        }
    }
}

/// A map that keeps the order of the file.
#[derive(Debug)]
struct InOrder<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InOrder<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Vec<(String, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer
            .deserialize_map(Entries(PhantomData))
            .map(InOrder)
    }
}

impl<T: JsonSchema> JsonSchema for InOrder<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        BTreeMap::<String, T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, T>::json_schema(generator)
    }
}

impl RawFleet {
    /// `boards` are the ids of the catalogue; `None` leaves references unchecked.
    pub(crate) fn resolve(
        self,
        place: &Place,
        boards: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> Fleet {
        let hosts_place = place.key("hosts");
        let mut hosts = Vec::new();
        for (name, raw) in self.hosts.0 {
            let place = hosts_place.key(&name);
            check_host_name(&name, &place, problems);
            hosts.extend(raw.resolve(name, &place, boards, problems));
        }
        Fleet { hosts }
    }
}

/// A host's name becomes a folder of the run directory and a word of command lines.
fn check_host_name(name: &str, place: &Place, problems: &mut Vec<Problem>) {
    let is_safe = name.len() <= 64
        && !name.starts_with(['.', '-'])
        && !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !is_safe {
        problems.push(Problem::new(
            place.key_span(),
            format!("host name {} cannot be a folder name", quoted(name)),
            "use up to 64 letters, digits, `.`, `_` and `-`, and start with a letter or digit",
        ));
    }
}

impl RawHost {
    fn resolve(
        mut self,
        name: String,
        place: &Place,
        boards: Option<&[String]>,
        problems: &mut Vec<Problem>,
    ) -> Option<Host> {
        if let (Some(board), Some(boards)) = (&self.board, boards)
            && !boards.contains(board)
        {
            problems.push(unknown_id(
                "board",
                "boards",
                board,
                &place.key("board"),
                boards,
            ));
        }
        let transport_is_known = place.key("transport").is_usable();
        if transport_is_known {
            self.check_foreign_keys(place, problems);
        }
        let memory = self
            .memory
            .take()
            .map(|memory| memory.resolve(&place.key("memory"), problems));
        let prepare = std::mem::take(&mut self.prepare).resolve(&place.key("prepare"), problems);
        let board = self.board.take();
        let tags = std::mem::take(&mut self.tags);
        let emulated = self.emulated.unwrap_or(false);
        if !transport_is_known {
            return None;
        }
        let is_never_real = matches!(
            self.transport,
            RawTransport::QemuUser | RawTransport::Replay
        );
        if is_never_real && self.emulated == Some(false) {
            problems.push(
                Problem::new(
                    place.key("emulated").value_span(),
                    format!("transport `{}` is always emulated", self.transport.id()),
                    "remove `emulated: false`",
                )
                .related(place.key("transport").value_span(), "because of this"),
            );
        }
        let transport = self.transport(place, problems)?;
        Some(Host {
            name,
            board,
            transport,
            tags,
            emulated,
            memory,
            prepare,
        })
    }

    /// A key that the transport ignores would look as if it did something.
    fn check_foreign_keys(&self, place: &Place, problems: &mut Vec<Problem>) {
        let keys = [
            ("ssh", RawTransport::Ssh, self.ssh.is_some()),
            ("address", RawTransport::Ssh, self.address.is_some()),
            ("port", RawTransport::Ssh, self.port.is_some()),
            ("user", RawTransport::Ssh, self.user.is_some()),
            (
                "identity-file",
                RawTransport::Ssh,
                self.identity_file.is_some(),
            ),
            ("known-hosts", RawTransport::Ssh, self.known_hosts.is_some()),
            ("config-file", RawTransport::Ssh, self.config_file.is_some()),
            ("arch", RawTransport::QemuUser, self.arch.is_some()),
            ("cpu", RawTransport::QemuUser, self.cpu.is_some()),
            ("stream", RawTransport::Replay, self.stream.is_some()),
            ("seconds", RawTransport::Replay, self.seconds.is_some()),
        ];
        for (key, transport, is_given) in keys {
            if is_given && transport != self.transport {
                problems.push(
                    Problem::new(
                        place.key(key).key_span(),
                        format!(
                            "`{key}` has no meaning for transport `{}`",
                            self.transport.id()
                        ),
                        format!("remove it, or set `transport: {}`", transport.id()),
                    )
                    .related(place.key("transport").value_span(), "because of this"),
                );
            }
        }
    }

    fn transport(self, place: &Place, problems: &mut Vec<Problem>) -> Option<Transport> {
        match self.transport {
            RawTransport::Local => Some(Transport::Local),
            RawTransport::Ssh => self.ssh_target(place, problems).map(Transport::Ssh),
            RawTransport::Replay => match self.stream {
                Some(stream) => Some(Transport::Replay(Recording {
                    stream: stream.into(),
                    seconds: self.seconds.unwrap_or(0),
                })),
                None if !place.key("stream").is_usable() => None,
                None => {
                    problems.push(Problem::new(
                        place.key_span(),
                        format!("`{}` does not say what to replay", place.path()),
                        "add `stream: <hosts/HOST/stream.jsonl of a run>`",
                    ));
                    None
                }
            },
            RawTransport::QemuUser => match self.arch {
                Some(arch) => Some(Transport::QemuUser {
                    arch: arch.id().to_owned(),
                    cpu: self.cpu,
                }),
                None if !place.key("arch").is_usable() => None,
                None => {
                    problems.push(Problem::new(
                        place.key_span(),
                        format!("`{}` does not say what to emulate", place.path()),
                        "add `arch: aarch64` or `arch: x86_64`",
                    ));
                    None
                }
            },
        }
    }

    fn ssh_target(self, place: &Place, problems: &mut Vec<Problem>) -> Option<SshTarget> {
        for (key, word) in [
            ("ssh", &self.ssh),
            ("address", &self.address),
            ("user", &self.user),
        ] {
            if let Some(word) = word {
                check_ssh_word(word, &place.key(key), key, problems);
            }
        }
        let (destination, is_alias) = match (self.ssh, self.address) {
            (Some(alias), None) => (alias, true),
            (None, Some(address)) => (address, false),
            (Some(_), Some(_)) => {
                problems.push(
                    Problem::new(
                        place.key("address").key_span(),
                        "`ssh` and `address` both name the machine",
                        "keep `ssh` for a Host alias of the SSH configuration, or `address` for a bare address",
                    )
                    .related(place.key("ssh").key_span(), "and here"),
                );
                return None;
            }
            (None, None) if !place.are_usable(&["ssh", "address"]) => return None,
            (None, None) => {
                problems.push(Problem::new(
                    place.key_span(),
                    format!("`{}` does not say where the machine is", place.path()),
                    "add `ssh: <Host alias of ~/.ssh/config>` or `address: <name or IP>`",
                ));
                return None;
            }
        };
        Some(SshTarget {
            destination,
            is_alias,
            port: self.port,
            user: self.user,
            identity_file: self.identity_file,
            known_hosts: self.known_hosts,
            config_file: self.config_file,
        })
    }
}

/// `ssh` would take a word with a leading dash for an option.
fn check_ssh_word(word: &str, place: &Place, key: &str, problems: &mut Vec<Problem>) {
    let is_safe = !word.is_empty()
        && !word.starts_with('-')
        && !word.chars().any(|c| c.is_whitespace() || c.is_control());
    if !is_safe {
        problems.push(place.problem(
            format!("{} is no value for `{key}`", quoted(word)),
            "write one word that does not start with `-`",
        ));
    }
}
