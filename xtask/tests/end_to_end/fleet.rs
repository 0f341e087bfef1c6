//! A fleet under test: boards with addresses of their own, and what happens to boards. Beside each faulty one stands a
//! good one that has to finish. RELIABILITY.md lists these tests by fault.

use std::fs;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::board::{Board, Lab, MemoryLimit, OF_BOARD, Oddities, gated_suite, run, signal, spoil};
use crate::controller::{self, Outcome};
use crate::sshd::wait_for;

/// A gate that stays closed as long as a test wants.
const PATIENT_S: u32 = 3600;

/// Messages of one kind in a host's stream so far.
fn n_messages(dir: &Path, host: &str, kind: &str) -> usize {
    let text = controller::stream_of(dir, host).and_then(|stream| fs::read_to_string(stream).ok());
    text.unwrap_or_default()
        .matches(&format!(r#"{{"type":"{kind}""#))
        .count()
}

/// Starts a run over all of `fleet` with a gate in the middle.
pub fn start_gated(lab: &Lab, fleet: &str, args: &[&str]) -> Child {
    let suite = gated_suite(lab.dir(), OF_BOARD, PATIENT_S);
    lab.start(fleet, &[&["--suite", &suite], args].concat())
}

/// Waits until the board's first unit is with the controller and the second one waits at the gate.
pub fn wait_for_mid_run(lab: &Lab, board: &Board, host: &str) {
    wait_for("the second unit waits at the gate", || {
        n_messages(lab.dir(), host, "unit_end") >= 1 && board.is_at_gate()
    });
}

/// Every unit of the request ended exactly once, and its samples are there.
fn expect_measured_once(outcome: &Outcome, host: &str) {
    let stream = outcome.read(&format!("hosts/{host}/stream.jsonl"));
    let request: Value =
        serde_json::from_str(&outcome.read(&format!("hosts/{host}/request.json"))).unwrap();
    for unit in request["units"].as_array().unwrap() {
        let unit = unit["unit"].as_str().unwrap();
        let messages = stream
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_unit: Vec<Value> = messages.filter(|message| message["unit"] == unit).collect();
        let n_ends = of_unit
            .iter()
            .filter(|message| message["type"] == "unit_end")
            .count();
        assert_eq!(n_ends, 1, "{unit} of {host} ended {n_ends} times");
        let kind = |kind: &str| of_unit.iter().rposition(|message| message["type"] == kind);
        // A program has an output instead of samples.
        let Some(last) = kind("unit_ready") else {
            assert!(kind("output").is_some(), "{unit} of {host} has no result");
            continue;
        };
        // Since its last beginning: 0, 1, 2 ... without a gap.
        let samples = of_unit[last..]
            .iter()
            .filter(|message| message["type"] == "sample");
        for (idx, sample) in samples.enumerate() {
            assert_eq!(
                sample["sample_idx"], idx,
                "a sample of {unit} of {host} is lost or there twice"
            );
        }
    }
}

/// The host measured everything, and no controller left anything with it.
pub fn expect_complete(outcome: &Outcome, board: &Board, host: &str) {
    assert_eq!(
        outcome.host(host)["status"],
        "ok",
        "{}\n{}",
        outcome.document,
        outcome.stderr
    );
    assert_eq!(
        outcome.host(host)["units_failed"],
        0,
        "{}",
        outcome.document
    );
    expect_measured_once(outcome, host);
    board.expect_as_before();
    assert_eq!(
        board.kept(),
        0,
        "{host} keeps results that the controller has"
    );
}

pub fn good(lab: &Lab) -> Board<'_> {
    let board = Board::up(lab, "good", Oddities::default());
    board.open_gate();
    board
}

pub fn fleet(boards: &[&Board]) -> String {
    boards.iter().map(|board| board.entry()).collect()
}

#[test]
fn a_cable_that_is_out_for_a_while_costs_nothing() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    board.set_cable(false);
    board.open_gate();
    wait_for("the controller noticed", || {
        fs::read_to_string(lab.dir().join("stderr")).is_ok_and(|text| text.contains("trying again"))
    });
    board.set_cable(true);
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "the connection was lost");
    expect_complete(&outcome, &board, "board");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn what_a_board_finished_without_its_cable_is_collected_by_a_resumed_run() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &["--patience", "1"]);
    wait_for_mid_run(&lab, &board, "board");
    board.set_cable(false);
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 8, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("board")["status"], "failed");
    outcome.expect_reported("board", "could not be reached again");
    // Nobody knows yet that the board put itself back.
    outcome.expect_reported("board", "cargo xtask restore board");
    expect_complete(&outcome, &good, "good");
    // Alone, the board ends its unit, keeps the result and puts itself back.
    board.open_gate();
    wait_for("the board is alone", || board.programs("").is_empty());
    assert_eq!((board.setting().as_str(), board.kept()), ("64", 1));
    board.set_cable(true);
    let run_dir = outcome.run_dir().display().to_string();
    let fleet_file = lab.dir().join("fleet.yaml").display().to_string();
    // The gate is a program of this test's own suite, which no lab knows.
    let resume = [
        "run",
        "--resume",
        &run_dir,
        "--fleet",
        &fleet_file,
        "--trust-fleet",
    ];
    let (code, said) = lab.xtask(&resume);
    assert_eq!(code, 0, "{said}");
    expect_measured_once(&outcome, "board");
    board.expect_as_before();
    assert_eq!(board.kept(), 0);
}

#[test]
fn a_board_that_is_rebooted_goes_on() {
    let Some(lab) = Lab::new() else { return };
    let (good, mut board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    board.power_off();
    board.open_gate();
    board.power_on();
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "the connection was lost");
    assert!(
        outcome
            .read("hosts/board/stream.jsonl")
            .contains("a run before left changed")
    );
    expect_complete(&outcome, &board, "board");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_board_that_loses_its_power_for_good_keeps_what_was_measured() {
    let Some(lab) = Lab::new() else { return };
    let (good, mut board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &["--patience", "1"]);
    wait_for_mid_run(&lab, &board, "board");
    board.power_off();
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 8, "{}\n{}", outcome.stderr, outcome.document);
    assert!(outcome.host("board")["units_ok"].as_u64().unwrap() >= 1);
    outcome.expect_reported("board", "could not be reached again");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_killed_ssh_session_costs_nothing() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    // All but the daemon itself, which is the first process.
    board.shell("for p in /proc/[0-9]*; do p=${p#/proc/}; case $p in 1) ;; *) grep -qs '^Name:.sshd' /proc/$p/status && kill -KILL $p;; esac; done; true");
    board.open_gate();
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    assert!(
        outcome.host("board")["reason"]
            .as_str()
            .unwrap()
            .contains("measured again"),
        "{}",
        outcome.document
    );
    expect_complete(&outcome, &board, "board");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_slow_and_lossy_link_only_takes_longer() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    spoil(&lab, &board);
    let outcome = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    expect_complete(&outcome, &board, "board");
}

#[test]
fn an_upload_that_is_cut_off_begins_again() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let limit = format!(
        "qdisc add dev {} root tbf rate 1mbit burst 32kb latency 400ms",
        board.link()
    );
    run(lab.command("tc").args(limit.split(' ')));
    let child = lab.start(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    let is_uploading = || {
        let entries = fs::read_dir(board.store()).into_iter().flatten().flatten();
        let mut sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
        sizes.any(|size| size > 100_000)
    };
    wait_for("the upload began", is_uploading);
    run(lab
        .command("tc")
        .args(["qdisc", "del", "dev", &board.link(), "root"]));
    board.shell("for p in /proc/[0-9]*; do p=${p#/proc/}; case $p in 1) ;; *) grep -qs '^Name:.sshd' /proc/$p/status && kill -KILL $p;; esac; done; true");
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    expect_complete(&outcome, &board, "board");
}

#[test]
fn a_host_that_accepts_and_never_answers_is_unreachable() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    signal("-STOP", board.init());
    let outcome = lab.run(
        &fleet(&[&good, &board]),
        &["--suite", "smoke", "--kernel", "read"],
    );
    assert_eq!(outcome.code, 4, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(outcome.host("board")["status"], "unreachable");
    outcome.expect_reported("board", "does not answer");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_board_of_another_architecture_is_named() {
    let Some(lab) = Lab::new() else { return };
    let oddities = Oddities {
        login: "setarch i686",
        ..Oddities::default()
    };
    let (good, board) = (good(&lab), Board::up(&lab, "board", oddities));
    let outcome = lab.run(
        &fleet(&[&good, &board]),
        &["--suite", "smoke", "--kernel", "read"],
    );
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "there is no board program for");
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_read_only_home_is_stepped_over() {
    let Some(lab) = Lab::new() else { return };
    let oddities = Oddities {
        before_sshd: "mount --bind \"$HOME\" \"$HOME\" && mount -o remount,bind,ro \"$HOME\" && mount -t tmpfs none /var/tmp",
        ..Oddities::default()
    };
    let board = Board::up(&lab, "board", oddities);
    let outcome = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    expect_measured_once(&outcome, "board");
    assert_eq!(board.setting(), "64");
    let left = board.shell("ls /var/tmp/memwall-*");
    assert!(
        !left.contains("scratch") && !left.contains("spool") && !left.contains("journal"),
        "{left}"
    );
}

#[test]
fn a_unit_that_hangs_is_ended_at_its_deadline() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    // Its deadline has to pass.
    let suite = gated_suite(lab.dir(), OF_BOARD, 30);
    let child = lab.start(&fleet(&[&good, &board]), &["--suite", &suite]);
    wait_for_mid_run(&lab, &board, "board");
    for id in board.programs("unit") {
        signal("-STOP", id);
    }
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(
        outcome.host("board")["units_failed"],
        1,
        "{}",
        outcome.document
    );
    assert!(
        outcome
            .read("hosts/board/stream.jsonl")
            .contains("took longer than its deadline")
    );
    assert!(
        outcome
            .read("html/index.html")
            .contains("took longer than its deadline")
    );
    board.expect_as_before();
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_unit_that_crashes_costs_that_unit() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    for id in board.programs("unit") {
        signal("-ABRT", id);
    }
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    assert_eq!(
        outcome.host("board")["units_failed"],
        1,
        "{}",
        outcome.document
    );
    assert!(
        outcome.host("board")["units_ok"].as_u64().unwrap() >= 2,
        "{}",
        outcome.document
    );
    assert!(outcome.read("html/index.html").contains("SIGABRT"));
    board.expect_as_before();
    expect_complete(&outcome, &good, "good");
}

#[test]
fn a_board_without_enough_memory_says_so() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let Some(limit) = MemoryLimit::of(board.init(), 64 << 20) else {
        eprintln!(
            "NOT TESTED: memory cannot be limited here (a memory control group that may be written is needed)"
        );
        return;
    };
    // A unit that is known to be too large is skipped; an external program runs until the kernel ends it.
    let stream = |kernel: &str, more: &str| {
        format!(
            "  - kernel: {kernel}\n    threads: [1]\n    stream: {{residency: dram{more}}}\n    \
             sampling: {{min-samples: 3, max-samples: 5, budget-ms: 100}}\n    deadline-s: 1800\n"
        )
    };
    let suite = lab.dir().join("memory.yaml");
    let text = format!(
        "description: within and beyond a limit\nemulated:\n  working-set-kib: 1024\n  decode-model: qwen2.5-0.5b\n  \
         sampling: {{min-samples: 1, max-samples: 1, budget-ms: 1}}\nunits:\n{}{}  \
         - kernel: external\n    threads: [1]\n    deadline-s: 1800\n    \
         external: {{program: tail, args: [/dev/zero], output: text}}\n",
        stream("read", ""),
        stream("copy", ", working-set-kib: 262144")
    );
    fs::write(&suite, text).unwrap();
    let suite = suite.display().to_string();
    let outcome = lab.run(&fleet(&[&board]), &["--suite", &suite]);
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    let host = outcome.host("board");
    for (units, n) in [("units_ok", 1), ("units_skipped", 1), ("units_failed", 1)] {
        assert_eq!(host[units], n, "{}", outcome.document);
    }
    let page = outcome.read("html/index.html");
    assert!(page.contains("killed by signal 9; meanwhile the board ran out of memory"));
    let stream = outcome.read("hosts/board/stream.jsonl");
    let available = (stream.lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| line["memory"]["available_bytes"].as_u64());
    assert!(
        available.is_some_and(|bytes| bytes <= 64 << 20),
        "{available:?}"
    );
    board.expect_as_before();
    drop(board);
    drop(limit);
}
