//! What a controller leaves running when it is killed: nothing that stays.

use std::fs;
use std::path::Path;

use crate::board::{gated_suite, signal};
use crate::controller;
use crate::sshd::wait_for;
use crate::sshd::{Oddity, Sshd};

/// Board programs whose store is in this folder, or that lie in it, with the words they run with.
fn programs(dir: &Path) -> Vec<(u32, String)> {
    let dir = dir.display().to_string();
    let ids = fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let words = ids.map(|id: u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        (id, String::from_utf8_lossy(&line).replace('\0', " "))
    });
    words
        .filter(|(_, line)| line.contains(&dir) && !line.contains("--fleet"))
        .filter(|(_, line)| !line.contains("sshd"))
        .collect()
}

/// The controller is killed while a unit runs; the unit ends, its supervisor leaves, and a resumed run collects what it
/// kept.
fn check(dir: &Path, fleet: &str) {
    let place = dir.display().to_string();
    let suite = gated_suite(dir, &place, 3600);
    let mut child = controller::start(dir, fleet, &["--suite", &suite]);
    wait_for("the second unit waits at the gate", || {
        dir.join("at-gate").exists()
    });
    let is_running = |mode: &str| programs(dir).iter().any(|(_, line)| line.contains(mode));
    assert!(is_running("supervise") && is_running("gate.sh"));
    signal("-KILL", child.id());
    child.wait().unwrap();
    fs::write(dir.join("gate-open"), "").unwrap();
    wait_for("nothing is left of it", || programs(dir).is_empty());
    let run = fs::read_dir(dir.join("runs")).unwrap().flatten().next();
    let run = run.unwrap().path().display().to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["run", "--resume", &run, "--trust-fleet", "--format", "json"])
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(programs(dir).is_empty());
}

#[test]
fn a_killed_controller_leaves_nothing_on_its_own_machine() {
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), "  here:\n    transport: local\n");
}

#[test]
fn a_killed_controller_leaves_nothing_on_a_board() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    check(dir.path(), &board.fleet_entry("board", None));
}
