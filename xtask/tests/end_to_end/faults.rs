//! Bad hosts never cost the others anything, and never what was measured before the fault.

use std::path::Path;
use std::process::Command;

use crate::controller;
use crate::sshd::{Oddity, Sshd, free_port, mount_namespace_flags, wait_for};

#[test]
fn names_every_host_that_cannot_be_reached_and_measures_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let good = Sshd::start(dir.path(), "good", Oddity::None);
    let refused = Sshd::start(dir.path(), "refused", Oddity::None);
    refused.refuse_key();
    let changed = Sshd::start(dir.path(), "changed", Oddity::None);
    changed.expect_another_host_key();
    let absent = format!(
        "  absent:\n    transport: ssh\n    address: 127.0.0.1\n    port: {}\n",
        free_port()
    );
    let fleet = [
        good.fleet_entry("good", None),
        refused.fleet_entry("refused", None),
        changed.fleet_entry("changed", None),
        absent,
    ]
    .concat();
    let outcome = controller::run(
        dir.path(),
        &fleet,
        &["--suite", "smoke", "--kernel", "read"],
    );
    assert_eq!(outcome.code, 4, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("good")["status"], "ok");
    for host in ["refused", "changed", "absent"] {
        assert_eq!(outcome.host(host)["status"], "unreachable", "{host}");
    }
    outcome.expect_reported("refused", "refuses the key");
    outcome.expect_reported("changed", "host key");
    outcome.expect_reported("absent", "nothing listens");
}

#[test]
fn names_a_full_disk_and_a_disk_that_may_not_execute() {
    let dir = tempfile::tempdir().unwrap();
    let full = Sshd::start(dir.path(), "full", Oddity::DiskFull);
    let no_exec = Sshd::start(dir.path(), "noexec", Oddity::NoExec);
    let fleet = format!(
        "{}{}",
        full.fleet_entry("full", None),
        no_exec.fleet_entry("noexec", None)
    );
    let outcome = controller::run(
        dir.path(),
        &fleet,
        &["--suite", "smoke", "--kernel", "read"],
    );
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("full", "No space left on device");
    outcome.expect_reported("noexec", "does not run from there");
}

#[test]
fn says_what_to_do_when_the_controllers_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    // Full from the moment that measuring begins: the inventory's copies fit, what comes then does not.
    let script = "mount -t tmpfs -o size=4m none \"$1\" || exit 99
        dir=$1; shift; \"$@\" & controller=$!
        until ls \"$dir\"/*/hosts/this-machine/request.json 2>/dev/null; do sleep 0.02; done
        cat /dev/zero > \"$dir/fill\" 2>/dev/null; wait $controller";
    let output = Command::new("unshare")
        .args([mount_namespace_flags(), "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "run",
            "--board",
            "this-machine",
            "--suite",
            "quick",
            "--kernel",
            "read",
            "--runs-dir",
        ])
        .arg(dir.path())
        .env("XDG_CACHE_HOME", cache.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("No space left on device") && stderr.contains("cargo xtask report"),
        "{stderr}"
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("this-machine"),
        "the results are shown all the same"
    );
}

/// Longer than a board waits for a sign of life.
#[test]
fn a_controllers_disk_that_hangs_costs_no_board_its_run() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["runs", "cache", "kept"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let script = "cd \"$1\" && truncate -s 96m disk && mkfs.ext4 -q disk && mount -o loop disk runs || exit 99
        shift; \"$@\" & controller=$!
        until grep -qs unit_ready runs/*/hosts/this-machine/stream.jsonl; do sleep 0.02; done
        fsfreeze -f runs || exit 98; sleep 70; fsfreeze -u runs
        wait $controller; code=$?; cp runs/*/hosts/this-machine/* kept; umount runs; exit $code";
    let output = Command::new("unshare")
        .args([mount_namespace_flags(), "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "run",
            "--board",
            "this-machine",
            "--suite",
            "quick",
            "--runs-dir",
        ])
        .arg(dir.path().join("runs"))
        .env("XDG_CACHE_HOME", dir.path().join("cache"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if matches!(output.status.code(), Some(98 | 99)) {
        eprintln!("NOT TESTED: no disk of a test's own can be frozen here: {stderr}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stream = std::fs::read_to_string(dir.path().join("kept/stream.jsonl")).unwrap();
    assert!(!stream.contains("controller is gone"), "{stderr}");
    assert!(stream.contains(r#"{"type":"done""#), "{stderr}");
}

#[test]
fn keeps_what_was_measured_when_the_program_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = board.fleet_entry("board", None);
    let child = controller::start(
        dir.path(),
        &fleet,
        &["--suite", "quick", "--kernel", "read", "copy"],
    );
    wait_for("the first unit has ended", || ended_units(dir.path()) >= 1);
    let n_before = controller::n_samples(dir.path(), "board");
    kill_at_once(&board.programs());
    let outcome = controller::finish(dir.path(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let host = outcome.host("board");
    assert_eq!(
        (host["status"].as_str(), host["units_failed"].as_u64()),
        (Some("ok"), Some(0)),
        "{host}"
    );
    assert!(n_before > 0 && controller::n_samples(dir.path(), "board") > n_before);
    outcome.expect_reported("board", "killed by");
    outcome.expect_reported("board", "measured again");
    assert!(board.programs().is_empty(), "no process is left behind");
}

#[test]
fn keeps_what_was_measured_when_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = board.fleet_entry("board", None);
    let child = controller::start(
        dir.path(),
        &fleet,
        &["--suite", "quick", "--kernel", "read", "copy"],
    );
    wait_for("the first unit has ended", || ended_units(dir.path()) >= 1);
    kill("-INT", child.id());
    let outcome = controller::finish(dir.path(), child);
    assert_eq!(outcome.code, 130, "{}", outcome.stderr);
    assert_eq!(outcome.host("board")["status"], "interrupted");
    assert!(outcome.host("board")["units_ok"].as_u64().unwrap() >= 1);
    outcome.expect_reported("board", "interrupted");
    assert!(
        outcome
            .read("manifest.json")
            .contains(r#""interrupted": true"#)
    );
    wait_for("the program on the board has ended", || {
        board.programs().is_empty()
    });
}

#[test]
fn says_when_all_data_of_a_board_are_invalid() {
    let dir = tempfile::tempdir().unwrap();
    // A memory slower than that of any machine this runs on: everything measured is above its theory.
    let memory = "{name: system, kind: DDR, mt-per-s: 8, bus-bits: 8, source: made up for this test, \
                  capacities: {gib: [1], source: made up for this test}, processors: [cpu]}";
    let fleet = format!("  this-machine:\n    transport: local\n    memory: {memory}\n");
    let outcome = controller::run(dir.path(), &fleet, &["--suite", "smoke"]);
    assert_eq!(outcome.code, 6, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("this-machine")["status"], "ok");
    assert!(outcome.read("frames/units.csv").contains(",invalid,"));
}

#[test]
fn skips_the_emulated_host_where_qemu_is_not_installed() {
    let dir = tempfile::tempdir().unwrap();
    // A search path with everything a build needs, and no emulator.
    let tools = dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["cargo", "rustc", "rustup", "git", "sh"] {
        if let Some(found) = find_on_path(tool) {
            std::os::unix::fs::symlink(found, tools.join(tool)).unwrap();
        }
    }
    let fleet = "  this-machine:\n    transport: local\n  emulated:\n    transport: qemu-user\n    arch: aarch64\n";
    let args = ["--suite", "smoke", "--kernel", "read"];
    let child = controller::start_with_path(dir.path(), fleet, &args, Some(&tools));
    let outcome = controller::finish(dir.path(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("this-machine")["status"], "ok");
    assert_eq!(outcome.host("emulated")["status"], "skipped");
    outcome.expect_reported("emulated", "qemu-user-static");
}

fn find_on_path(tool: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
}

fn ended_units(dir: &Path) -> usize {
    let stream =
        controller::stream_of(dir, "board").and_then(|stream| std::fs::read_to_string(stream).ok());
    stream
        .unwrap_or_default()
        .matches(r#"{"type":"unit_end""#)
        .count()
}

/// Ends all of them before one can see another end: numbers of processes begin again, so they tell no order.
fn kill_at_once(ids: &[u32]) {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    let ids = ids.join(" ");
    // Whoever is gone with the first needs no second signal.
    let command = format!("kill -STOP {ids}; kill -KILL {ids}; true");
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success());
}

/// Through the shell's own command: the program of that name is not on every Debian.
fn kill(signal: &str, id: u32) {
    let command = format!("kill {signal} {id}");
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success());
}
