//! Bringing files to boards that are short of something, and what is left there over time.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::controller;
use crate::runner::stored;
use crate::sshd::{CUT_AFTER_BYTES, CUT_FILE_BYTES, Oddity, Sshd};

const READ: [&str; 4] = ["--suite", "smoke", "--kernel", "read"];

#[test]
fn goes_on_with_an_upload_that_broke_off() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::CutUpload);
    let fleet = dir.path().join("fleet.yaml");
    fs::write(
        &fleet,
        format!("hosts:\n{}", board.fleet_entry("board", None)),
    )
    .unwrap();
    // No two parts are alike: bytes of one at the place of another would show.
    let bytes: Vec<u8> = (0..CUT_FILE_BYTES as u32 / 4)
        .flat_map(u32::to_le_bytes)
        .collect();
    fs::write(dir.path().join("big"), &bytes).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--fleet")
        .arg(&fleet)
        .args([
            "runner",
            "--host",
            "board",
            "/bin/sh",
            "-c",
            "cat \"$1\"",
            "sh",
            "big",
        ])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(output.stdout.len(), bytes.len(), "{stderr}");
    assert!(output.stdout == bytes, "what arrived is what was sent");
    assert!(board.home().join("cut").exists(), "the connection was cut");
    let goes_on = format!("goes on after {CUT_AFTER_BYTES} of {CUT_FILE_BYTES} bytes");
    assert!(stderr.contains(&goes_on), "{stderr}");
    let names = stored(&board);
    assert_eq!(names.len(), 2, "the program and the file: {names:?}");
}

#[test]
fn begins_a_part_anew_that_is_not_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = dir.path().join("fleet.yaml");
    fs::write(
        &fleet,
        format!("hosts:\n{}", board.fleet_entry("board", None)),
    )
    .unwrap();
    fs::write(dir.path().join("some"), "some words\n").unwrap();
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--fleet")
            .arg(&fleet)
            .args([
                "runner",
                "--host",
                "board",
                "/bin/sh",
                "-c",
                "cat \"$1\"",
                "sh",
                "some",
            ])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    assert!(run().status.success());
    let store = fs::read_dir(board.home().join(".cache"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = names(&store).into_iter().map(|name| store.join(name));
    let file = file
        .min_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(file.with_extension("part"), "other").unwrap();
    let output = run();
    assert!(
        output.status.success() && output.stdout == b"some words\n",
        "{output:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"some words\n");
}

#[test]
fn takes_the_next_folder_where_the_home_is_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::ReadOnlyHome);
    let outcome = controller::run(dir.path(), &board.fleet_entry("board", None), &READ);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    let stores: Vec<_> = fs::read_dir(board.home().join("../var-tmp"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(stores.len(), 1, "{stores:?}");
    assert_eq!(names(&stores[0].path()).len(), 1);
}

#[test]
fn says_that_inodes_are_used_up_and_not_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::NoInodes);
    let outcome = controller::run(dir.path(), &board.fleet_entry("board", None), &READ);
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.stderr, outcome.document);
    outcome.expect_reported("board", "0 inodes are free");
}

/// A name as programs have it in the store.
fn hash(n: u32) -> String {
    format!("{n:064x}")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn set_age(path: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_secs(days * 24 * 3600 + 3600);
    File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn deletes_what_nobody_used_for_long_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    let uid = String::from_utf8(uid).unwrap();
    let store = board
        .home()
        .join(".cache")
        .join(format!("memwall-{}", uid.trim()));
    fs::create_dir_all(&store).unwrap();
    let make = |name: &str, days: u64| {
        let path = store.join(name);
        fs::write(&path, "old").unwrap();
        set_age(&path, days);
    };
    // Ten programs of ten days; one that nobody used for 40 but that runs; files, and what belongs to others.
    for n in 1..=10 {
        make(&hash(n), u64::from(n));
    }
    let running = store.join(hash(99));
    fs::copy("/bin/sleep", &running).unwrap();
    let mut child = Command::new(&running).arg("1000").spawn().unwrap();
    set_age(&running, 40);
    make(&format!("file-{}", hash(1)), 29);
    make(&format!("file-{}", hash(2)), 31);
    make(&format!("file-{}.part", hash(3)), 31);
    for name in ["spool-2020", "journal", "notes", ".upload-new"] {
        make(name, if name == ".upload-new" { 0 } else { 400 });
    }
    make(".upload-17", 2);
    for (call, days) in [("run-1", 2), ("run-2", 0)] {
        fs::create_dir(store.join(call)).unwrap();
        set_age(&store.join(call), days);
    }
    let outcome = controller::run(dir.path(), &board.fleet_entry("board", None), &READ);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stderr, outcome.document);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut left = names(&store);
    let own = left
        .iter()
        .position(|name| name.len() == 64 && !name.starts_with("00000000"));
    left.remove(own.expect("the program of this run is there"));
    let mut expect: Vec<String> = (1..=7).map(hash).collect();
    expect.push(hash(99));
    expect.push(format!("file-{}", hash(1)));
    expect.extend(["spool-2020", "journal", "notes", ".upload-new", "run-2"].map(str::to_owned));
    expect.sort();
    assert_eq!(left, expect);
}

/// Two people measure with the same program, whatever each of them sets for other projects, and wherever they stand.
#[test]
fn what_a_user_sets_for_other_projects_does_not_reach_the_board_programs() {
    let elsewhere = tempfile::tempdir().unwrap();
    let build = |variables: &[(&str, &str)]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("build")
            .envs(variables.iter().copied())
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let programs = build(&[]);
    let flags = "-Cdebug-assertions -Ctarget-cpu=native";
    let same = build(&[
        ("RUSTFLAGS", flags),
        ("CARGO_BUILD_RUSTFLAGS", flags),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", flags),
        (
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER",
            "/nowhere/ld",
        ),
        ("CARGO_BUILD_TARGET", "aarch64-unknown-linux-gnu"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ("RUSTC_WRAPPER", "/nowhere/wrapper"),
        ("RUSTC_WORKSPACE_WRAPPER", "/nowhere/wrapper"),
        ("CARGO_INCREMENTAL", "1"),
    ]);
    assert_eq!(programs, same);
}
