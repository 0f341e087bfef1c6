//! What a shell user expects of any program: a reader that leaves is no mistake, and a copy works on itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn xtask(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(dir).arg("--runs-dir").arg(dir);
    command
}

/// As in `cargo xtask bounds | head -1`, and with nobody to read the error messages either.
#[test]
fn a_reader_that_leaves_early_is_no_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let gone = |command: &mut Command| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
    };
    let board = ["--board", "rock-5b"];
    for args in [
        &["bounds"][..],
        &["--format", "json", "bounds"],
        &["bounds", "--bandwidth-gb-s", "32", "--bytes-gb", "4.8"],
        &["recommend", board[0], board[1]],
        &["--format", "json", "recommend", board[0], board[1]],
        &["list", "boards"],
        &["check"],
        &["plan", "--all-boards"],
        &["history"],
        &["--help"],
    ] {
        let mut command = xtask(dir.path());
        gone(command.args(args).stderr(Stdio::piped()));
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");

        let mut command = xtask(dir.path());
        gone(command.args(args));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = command.stderr(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
    // A file that cannot take it is one: what was asked for is not there.
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = xtask(dir.path());
    command
        .args(["list", "boards"])
        .stdout(full)
        .stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("cannot write to standard output"),
        "{stderr}"
    );
}

/// cargo says that it waits for another build, and fails where it cannot say so.
#[test]
fn a_build_that_waits_needs_no_reader_either() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let lock = target.join("x86_64-unknown-linux-musl/release/.cargo-lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let lock = fs::File::create(lock).unwrap();
    lock.lock().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = xtask(dir.path());
    command.args(["plan", "--all-boards"]);
    let mut child = (command.stdout(Stdio::null()).stderr(writer).spawn()).unwrap();
    let inode = format!(":{} ", lock.metadata().unwrap().ino());
    let is_waited_for = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        (locks.lines()).any(|line| line.contains("->") && line.contains(&inode))
    };
    while child.try_wait().unwrap().is_none() && !is_waited_for() {
        thread::sleep(Duration::from_millis(50));
    }
    drop(lock);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// `cargo` names the checkout that it runs in, and that is the one that counts, not where the program was built.
#[test]
fn a_copied_checkout_works_on_itself() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("a copy");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for package in ["xtask", "bench-kernels", "inventory", "reports"] {
        fs::create_dir_all(copy.join(package)).unwrap();
        let manifest = Path::new(package).join("Cargo.toml");
        fs::copy(root.join(&manifest), copy.join(&manifest)).unwrap();
    }
    let status = Command::new("cp")
        .arg("-a")
        .args([root.join("inventory/."), copy.join("inventory")])
        .status();
    assert!(status.unwrap().success());
    let boards = copy.join("inventory/boards");
    fs::rename(
        boards.join("rock-5b.yaml"),
        boards.join("only-in-the-copy.yaml"),
    )
    .unwrap();
    let listed = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .env("CARGO_MANIFEST_DIR", copy.join("xtask"))
        .args([
            "bounds",
            "--board",
            "only-in-the-copy",
            "--model",
            "qwen2.5-7b",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&listed.stderr);
    assert_eq!(listed.status.code(), Some(0), "{stderr}");
}

/// A first build for commands that render nothing takes a fraction of the time.
#[test]
fn cargo_xtask_itself_compiles_no_polars() {
    let tree = |features: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--package", "xtask"])
            .args(["--edges", "normal,build", "--prefix", "none"])
            .args(features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cargo/config.toml");
    let config = fs::read_to_string(config).unwrap();
    let alias = config
        .lines()
        .find_map(|it| it.strip_prefix("xtask = \"run --package xtask "));
    let flags: Vec<&str> = alias
        .unwrap()
        .trim_end_matches("--\"")
        .split_whitespace()
        .collect();
    let alias = tree(&flags);
    assert!(
        alias.contains("bench-analysis") && !alias.contains("polars"),
        "{flags:?}"
    );
    assert!(tree(&[]).contains("polars"));
}
