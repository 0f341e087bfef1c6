//! Who has a board, and that it is given back as it was.

use std::fs;

use serde_json::Value;

use crate::board::{Board, Lab, Oddities, SETTING, signal};
use crate::controller;
use crate::fleet::{expect_complete, fleet, good, start_gated, wait_for_mid_run};
use crate::sshd::wait_for;

#[test]
fn two_controllers_take_turns() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let first = start_gated(&lab, &fleet(&[&board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    let second_dir = lab.dir().join("second");
    fs::create_dir(&second_dir).unwrap();
    let mut command = lab.command(env!("CARGO_BIN_EXE_xtask"));
    let second = controller::spawn(
        &mut command,
        &second_dir,
        &fleet(&[&board]),
        &["--suite", "smoke", "--kernel", "read"],
    );
    wait_for("the second waits for the first", || {
        fs::read_to_string(second_dir.join("stderr"))
            .is_ok_and(|text| text.contains("the board is in use by"))
    });
    board.open_gate();
    let second = controller::finish(&second_dir, second);
    let first = controller::finish(lab.dir(), first);
    assert_eq!(
        (first.code, second.code),
        (0, 0),
        "{}\n{}",
        first.stderr,
        second.stderr
    );
    assert!(
        second.stderr.contains("the board is in use by"),
        "{}",
        second.stderr
    );
    expect_complete(&first, &board, "board");
    expect_complete(&second, &board, "board");
}

#[test]
fn the_lease_of_a_dead_supervisor_holds_nobody_up() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    board.shell(
        r#"echo '{"owner":"somebody@before","run_id":"run-before","pid":1,"start_ticks":1,"boot_id":"b","since_s":0,"expires_s":9}' > /dev/shm/memwall-board.lock"#,
    );
    let outcome = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let stream = outcome.read("hosts/board/stream.jsonl");
    assert!(
        stream.contains("run run-before of somebody@before ended without giving the board back"),
        "{stream}"
    );
    expect_complete(&outcome, &board, "board");
}

#[test]
fn a_supervisor_that_hangs_beyond_its_lease_is_ended() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let first = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let program = fs::read_dir(board.store())
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let mut request: Value = serde_json::from_str(&first.read("hosts/board/request.json")).unwrap();
    request["run_id"] = "hung".into();
    request["attempt"] = 1.into();
    let mut unit = request["units"][0].take();
    unit["kernel"] = "external".into();
    unit["deadline_ms"] = 3_600_000.into();
    unit["job"] =
        serde_json::json!({"external": {"program": "sleep", "args": ["3600"], "format": "text"}});
    request["units"] = serde_json::json!([unit]);
    request["deadline_ms"] = 3_600_000.into();
    fs::write(board.dir().join("hung.json"), format!("{request}\n")).unwrap();
    let d = board.dir().display().to_string();
    // In a session of its own: the kernel wakes stopped processes of a group that loses its last shell.
    board.shell(&format!(
        "setsid sh -c '(cat {d}/hung.json; sleep 3600) | {} supervise' > {d}/hung.out 2>&1 &",
        program.display()
    ));
    wait_for("it has the board", || !board.programs("unit").is_empty());
    for id in board.programs("supervise") {
        signal("-STOP", id);
    }
    // Its lease ended while it hung.
    let lock = "/dev/shm/memwall-board.lock";
    board.shell(&format!(
        r#"text=$(sed 's/"expires_s":[0-9]*/"expires_s":0/' {lock}); printf %s "$text" > {lock}"#
    ));
    let outcome = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let stream = outcome.read("hosts/board/stream.jsonl");
    assert!(
        stream.contains("run hung of") && stream.contains("results that no controller collected"),
        "{stream}"
    );
    board.expect_as_before();
}

#[test]
fn a_stray_process_is_ended() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let first = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let program = fs::read_dir(board.store())
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    board.shell(&format!(
        "(sleep 3600 | sh -c '{} unit $$; :') > /dev/null 2>&1 &",
        program.display()
    ));
    wait_for("the stray process runs", || {
        !board.programs("unit").is_empty()
    });
    let outcome = lab.run(&fleet(&[&board]), &["--suite", "smoke", "--kernel", "read"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let stream = outcome.read("hosts/board/stream.jsonl");
    assert!(
        stream.contains("was still measuring and was ended"),
        "{stream}"
    );
    expect_complete(&outcome, &board, "board");
}

#[test]
fn a_setting_that_cannot_be_put_back_is_the_loudest_failure() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let child = start_gated(&lab, &fleet(&[&good, &board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    // From now on the setting is a file that nobody may write.
    board.shell(&format!("echo 65 > /dev/shm/stuck; mount --bind /dev/shm/stuck {SETTING}; mount -o remount,bind,ro {SETTING}"));
    board.open_gate();
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(outcome.code, 8, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "not known to be put back");
    assert_eq!(
        outcome.host("board")["units_failed"],
        0,
        "{}",
        outcome.document
    );
    expect_complete(&outcome, &good, "good");
    let fleet_file = lab.dir().join("fleet.yaml").display().to_string();
    let restore = ["restore", "board", "--fleet", &fleet_file];
    assert_eq!(lab.xtask(&restore).0, 8);
    board.shell(&format!("umount {SETTING}"));
    let (code, said) = lab.xtask(&restore);
    assert_eq!(code, 0, "{said}");
    board.expect_as_before();
}

#[test]
fn an_interrupted_run_leaves_the_board_as_it_was() {
    let Some(lab) = Lab::new() else { return };
    let board = Board::up(&lab, "board", Oddities::default());
    let child = start_gated(&lab, &fleet(&[&board]), &[]);
    wait_for_mid_run(&lab, &board, "board");
    assert_eq!(board.setting(), "65");
    signal("-INT", child.id());
    let outcome = controller::finish(lab.dir(), child);
    assert_eq!(
        outcome.code, 130,
        "{}\n{}",
        outcome.stderr, outcome.document
    );
    assert_eq!(outcome.host("board")["status"], "interrupted");
    board.expect_as_before();
}

#[test]
fn a_journal_that_cannot_be_read_is_the_loudest_failure_and_stays() {
    let Some(lab) = Lab::new() else { return };
    let (good, board) = (good(&lab), Board::up(&lab, "board", Oddities::default()));
    let args = ["--suite", "smoke", "--kernel", "read"];
    let first = lab.run(&fleet(&[&board]), &args);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let journal = board.store().join("journal.jsonl");
    let text = "{\"version\":99,\"fan\":\"of a later memwall\"}\n";
    fs::write(&journal, text).unwrap();
    let outcome = lab.run(&fleet(&[&good, &board]), &args);
    assert_eq!(outcome.code, 8, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "not known to be put back");
    outcome.expect_reported("board", "journal");
    assert_eq!(outcome.host("board")["units_failed"], 0);
    assert_eq!(board.setting(), "64", "what this run changed is put back");
    assert_eq!(fs::read_to_string(&journal).unwrap(), text);
    expect_complete(&outcome, &good, "good");
    let fleet_file = lab.dir().join("fleet.yaml").display().to_string();
    let restore = ["restore", "board", "--fleet", &fleet_file];
    let (code, said) = lab.xtask(&restore);
    assert_eq!(code, 8, "{said}");
    assert_eq!(fs::read_to_string(&journal).unwrap(), text);
    fs::remove_file(&journal).unwrap();
    let (code, said) = lab.xtask(&restore);
    assert_eq!(code, 0, "{said}");
    board.expect_as_before();
}
