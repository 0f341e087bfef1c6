//! Hosts that are reached through the user's SSH configuration: what it says is honoured, kept private, and cannot hurt.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::controller::{self, Outcome};
use crate::sshd::{Oddity, Sshd, free_port, wait_for};

/// A fleet of these aliases; the configuration is written beside it.
fn fleet(dir: &Path, config: &str, aliases: &[&str]) -> String {
    let file = dir.join("ssh_config");
    fs::write(&file, config).unwrap();
    let entry = |alias: &&str| {
        format!(
            "  {alias}:\n    transport: ssh\n    ssh: {alias}\n    config-file: {}\n",
            file.display()
        )
    };
    aliases.iter().map(entry).collect()
}

/// Every file of a run but its copy of the fleet, which names what the user named.
fn files_of(dir: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files_of(&path, files),
            false if path.ends_with("inventory/fleet.yaml") => {}
            false => files.push(path),
        }
    }
}

#[test]
fn what_an_alias_stands_for_stays_private() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let gone = free_port();
    let config = [
        board.config_entry("shelf", ""),
        board.config_entry("deny", "  User secretuser\n"),
        format!("Host gone\n  HostName 127.0.0.1\n  Port {gone}\n  User secretuser\n"),
        // ssh names the jump host and its port.
        format!("Host jumped\n  HostName 10.9.8.7\n  ProxyJump secretuser@127.0.0.1:{gone}\n"),
    ];
    let fleet = fleet(
        dir.path(),
        &config.concat(),
        &["shelf", "deny", "gone", "jumped"],
    );
    let outcome = controller::run(
        dir.path(),
        &fleet,
        &[
            "--suite",
            "smoke",
            "--kernel",
            "read",
            "--events",
            &dir.path().join("events").display().to_string(),
        ],
    );
    assert_eq!(outcome.code, 4, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("shelf")["status"], "ok");
    outcome.expect_reported("deny", "refuses the key");
    outcome.expect_reported("gone", "nothing listens");
    outcome.expect_reported("jumped", "jump host");
    let mut files = vec![dir.path().join("events"), dir.path().join("stdout")];
    files_of(&outcome.run_dir(), &mut files);
    assert!(files.len() > 20, "{files:?}");
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let at = format!("@{}", name.trim());
    let key = board.identity_file().display().to_string();
    let (port, gone) = (format!("port {}", board.port()), gone.to_string());
    let secrets = [
        "127.0.0.1",
        "10.9.8.7",
        "secretuser",
        &port,
        &gone,
        &key,
        &at,
    ];
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            // A port among the digits of a longer number is none.
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            let is_number = secret.parse::<u16>().is_ok();
            let stands = text.match_indices(secret).any(|(at, _)| {
                let (before, after) = (&text[..at], &text[at + secret.len()..]);
                !is_number
                    || !(is_digit(before.chars().next_back()) || is_digit(after.chars().next()))
            });
            assert!(!stands, "`{secret}` stands in {}", file.display());
        }
    }
    let facts = outcome.read("hosts/shelf/stream.jsonl");
    assert!(
        facts.contains(r#""hostname":"CONTROLLER""#),
        "the board is this machine"
    );
}

#[test]
fn forwards_and_quiet_logs_of_the_user_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let forward = format!(
        "  LocalForward {taken} 127.0.0.1:80\n  RemoteForward {taken} 127.0.0.1:80\n  DynamicForward {taken}\n  ExitOnForwardFailure yes\n  \
         ForwardAgent yes\n  LogLevel QUIET\n  RemoteCommand echo no\n  RequestTTY force\n"
    );
    let config = [
        board.config_entry("forwards", &forward),
        format!(
            "Host quiet\n  HostName 127.0.0.1\n  Port {}\n  LogLevel QUIET\n",
            free_port()
        ),
        format!("Host proxy\n  ProxyCommand false {taken}\n  LogLevel FATAL\n"),
    ];
    let fleet = fleet(
        dir.path(),
        &config.concat(),
        &["forwards", "quiet", "proxy"],
    );
    let hosts = doctor(dir.path(), &fleet);
    let host = |name: &str| hosts.iter().find(|host| host["host"] == name).unwrap();
    assert_eq!(host("forwards")["status"], "ok", "{hosts:?}");
    for (name, part) in [("quiet", "nothing listens"), ("proxy", "the proxy command")] {
        let reason = host(name)["reason"].as_str().unwrap();
        assert!(reason.contains(part), "{name}: {reason}");
    }
    // A mistake in the configuration is named with its place.
    fs::write(dir.path().join("ssh_config"), "Host *\n  Nonsense yes\n").unwrap();
    let hosts = doctor(dir.path(), &fleet);
    let reason = hosts[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("nonsense") && reason.contains("line 2"),
        "{reason}"
    );
}

/// The answers of `doctor`, one for each host.
fn doctor(dir: &Path, fleet: &str) -> Vec<Value> {
    let fleet_file = dir.join("fleet.yaml");
    fs::write(&fleet_file, format!("hosts:\n{fleet}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["doctor", "--format", "json", "--fleet"])
        .arg(&fleet_file)
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    document["hosts"].as_array().unwrap().clone()
}

#[test]
fn a_server_that_takes_few_at_once_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::FewStartups);
    let aliases: Vec<String> = (0..12).map(|n| format!("host{n}")).collect();
    let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
    let fleet = fleet(dir.path(), &board.config_entry("host*", ""), &aliases);
    let hosts = doctor(dir.path(), &fleet);
    let n_ok = hosts.iter().filter(|host| host["status"] == "ok").count();
    assert_eq!(n_ok, aliases.len(), "{hosts:?}");
}

/// The ssh processes that hold the connections to an alias.
fn masters(alias: &str) -> Vec<u32> {
    let ids = fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_master = |id: &u32| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        words.contains(&b"-M".as_slice()) && words.contains(&alias.as_bytes())
    };
    ids.filter(is_master).collect()
}

#[test]
fn a_stopped_master_is_noticed_and_delays_no_interrupt() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    for is_interrupted in [false, true] {
        let dir = dir.path().join(if is_interrupted {
            "interrupted"
        } else {
            "goes-on"
        });
        fs::create_dir(&dir).unwrap();
        let alias = format!(
            "stopped-{}-{}",
            std::process::id(),
            u8::from(is_interrupted)
        );
        let fleet = fleet(&dir, &board.config_entry(&alias, ""), &[&alias]);
        let child = controller::start(
            &dir,
            &fleet,
            &["--suite", "quick", "--kernel", "read", "copy"],
        );
        wait_for("it measures", || {
            let stream = controller::stream_of(&dir, &alias);
            stream.is_some_and(|path| fs::read_to_string(path).unwrap().contains("unit_ready"))
        });
        let stopped = masters(&alias);
        assert!(!stopped.is_empty());
        stopped
            .iter()
            .for_each(|id| crate::board::signal("-STOP", *id));
        if is_interrupted {
            crate::board::signal("-INT", child.id());
        }
        let outcome: Outcome = controller::finish(&dir, child);
        match is_interrupted {
            true => assert_eq!(outcome.code, 130, "{}", outcome.stderr),
            false => {
                assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
                outcome.expect_reported(&alias, "the connection was lost");
            }
        }
        wait_for("no ssh of the run is left", || masters(&alias).is_empty());
    }
}
