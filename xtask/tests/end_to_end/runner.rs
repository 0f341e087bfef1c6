//! `runner` as cargo uses it: tests of a crate run on a host, and nothing of them stays there.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::lab::Lab;
use crate::sshd::{Oddity, Sshd, wait_for};

const X86: &str = "x86_64-unknown-linux-musl";
const ARM: &str = "aarch64-unknown-linux-musl";

/// The runner's command line for a host of a fleet file.
fn runner(fleet: &Path, host: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("--fleet")
        .arg(fleet)
        .args(["runner", "--host", host]);
    command
}

fn write_fleet(dir: &Path, hosts: &str) -> PathBuf {
    let fleet = dir.join("fleet.yaml");
    fs::write(&fleet, format!("hosts:\n{hosts}")).unwrap();
    fleet
}

/// A crate whose tests say where they run.
fn crate_with_tests(dir: &Path) -> PathBuf {
    let folder = dir.join("tiny");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"tiny\"\nedition = \"2024\"\n[workspace]\n",
    )
    .unwrap();
    let lib = "#[test] fn says_where() { println!(\"on {} in {}\", std::env::consts::ARCH, \
               std::env::current_dir().unwrap().display()); }\n\
               #[test] fn fails_where_asked_to() { assert!(std::env::var_os(\"RUST_FAIL\").is_none()); }\n";
    fs::write(folder.join("src/lib.rs"), lib).unwrap();
    folder
}

/// Cargo's own test command with the runner in place.
fn cargo_test(crate_dir: &Path, target: &str, fleet: &Path, host: &str) -> Command {
    let variable = format!("CARGO_TARGET_{}", target.to_uppercase().replace('-', "_"));
    // Cargo splits the runner at blanks, and a configuration can quote: it is given as a list.
    let words = [
        env!("CARGO_BIN_EXE_xtask"),
        "--fleet",
        fleet.to_str().unwrap(),
        "runner",
        "--host",
        host,
    ];
    let runner = format!(
        "target.{target}.runner={}",
        serde_json::to_string(&words).unwrap()
    );
    let mut command = Command::new("cargo");
    command
        .args([
            "test",
            "--quiet",
            "--offline",
            "--lib",
            "--target",
            target,
            "--config",
            &runner,
        ])
        .args(["--", "--nocapture", "--test-threads=1"])
        .current_dir(crate_dir)
        .env(format!("{variable}_LINKER"), "rust-lld");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Names in the store of a host whose home this machine can see.
pub fn stored(host: &Sshd) -> Vec<String> {
    let mut names = Vec::new();
    for folder in fs::read_dir(host.home().join(".cache"))
        .into_iter()
        .flatten()
        .flatten()
    {
        for entry in fs::read_dir(folder.path()).unwrap().flatten() {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names
}

#[test]
fn cargo_tests_on_a_host_over_ssh() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::NoisyLogin);
    let fleet = write_fleet(dir.path(), &board.fleet_entry("board", None));
    let crate_dir = crate_with_tests(dir.path());
    let output = cargo_test(&crate_dir, X86, &fleet, "board")
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("on x86_64 in ") && said.contains("/memwall-"),
        "{said}"
    );
    let failed = cargo_test(&crate_dir, X86, &fleet, "board")
        .env("RUST_FAIL", "1")
        .output()
        .unwrap();
    let said = text(&failed);
    assert!(
        !failed.status.success() && said.contains("fails_where_asked_to"),
        "{said}"
    );
    let names = stored(&board);
    assert!(
        names.len() == 1 && names[0].starts_with("file-"),
        "one program, no folder of a call: {names:?}"
    );
}

#[test]
fn cargo_tests_on_an_emulated_board() {
    let dir = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::up(dir.path(), "a76") else {
        return;
    };
    let crate_dir = crate_with_tests(dir.path());
    let output = cargo_test(&crate_dir, ARM, &lab.fleet(), "a76")
        .output()
        .unwrap();
    let said = text(&output);
    assert!(
        output.status.success()
            && said.contains("on aarch64 in /home/bench/.cache/memwall-1000/run-"),
        "{said}"
    );
    let left = lab.ssh("a76", "ls .cache/memwall-1000");
    assert!(
        left.starts_with("file-") && left.lines().count() == 1,
        "{left}"
    );
    // A board of another architecture is named before anything is uploaded.
    let own = runner(&lab.fleet(), "a76")
        .arg("/proc/self/exe")
        .output()
        .unwrap();
    let said = text(&own);
    assert_eq!(own.status.code(), Some(2), "{said}");
    assert!(
        said.contains("host `a76` is aarch64; build it with `--target aarch64-unknown-linux-musl`"),
        "{said}"
    );
}

#[test]
fn cargo_tests_under_qemu_user_and_on_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let hosts =
        "  here:\n    transport: local\n  arm:\n    transport: qemu-user\n    arch: aarch64\n";
    let fleet = write_fleet(dir.path(), hosts);
    let crate_dir = crate_with_tests(dir.path());
    for (host, target, arch) in [("arm", ARM, "aarch64"), ("here", X86, "x86_64")] {
        let output = cargo_test(&crate_dir, target, &fleet, host)
            .output()
            .unwrap();
        let said = text(&output);
        assert!(
            output.status.success() && said.contains(&format!("on {arch} in ")),
            "{said}"
        );
    }
    let wrong = runner(&fleet, "arm")
        .arg(env!("CARGO_BIN_EXE_xtask"))
        .output()
        .unwrap();
    assert!(
        wrong.status.code() == Some(2) && text(&wrong).contains("build it with"),
        "{wrong:?}"
    );
}

#[test]
fn streams_status_and_files_pass_through() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = write_fleet(dir.path(), &board.fleet_entry("board", None));
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/it's one.txt"), "one\n").unwrap();
    fs::write(dir.path().join("two"), "two\n").unwrap();
    // A shell is a program like any other: its first argument is a script.
    let run = |script: &str, files: &[&str]| {
        let mut child = runner(&fleet, "board")
            .args(["/bin/sh", "-c", script, "sh"])
            .args(files)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"from here\n")
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let absolute = dir.path().join("two").display().to_string();
    let output = run(
        "cat; cat \"$@\"; echo to people >&2; exit 7",
        &["data/it's one.txt", &absolute],
    );
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "from here\none\ntwo\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "to people\n");
    // Input that nobody reads, and an end by a signal.
    let output = run("kill -SEGV $$", &[]);
    assert_eq!(output.status.code(), Some(139), "{}", text(&output));
    assert_eq!(run("exit 255", &[]).status.code(), Some(255));
    assert!(
        stored(&board).iter().all(|name| name.starts_with("file-")),
        "{:?}",
        stored(&board)
    );
}

#[test]
fn what_ends_the_runner_ends_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = write_fleet(dir.path(), &board.fleet_entry("board", None));
    for signal in ["INT", "KILL"] {
        let mark = dir.path().join(signal);
        // Reads nothing and writes nothing: only the board's own watch can end it, and its child.
        let script = "sleep 1000 & echo $! $$ > \"$MARK\"; wait";
        let script = script.replace("$MARK", &mark.display().to_string());
        let mut child = runner(&fleet, "board")
            .args(["/bin/sh", "-c", &script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let ids = || fs::read_to_string(&mark).unwrap_or_default();
        wait_for("the program runs", || ids().ends_with('\n'));
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let status = child.wait().unwrap();
        if signal == "INT" {
            assert_eq!(status.code(), Some(130));
        }
        wait_for("the program and its child have ended", || {
            ids()
                .split_whitespace()
                .all(|id| !Path::new("/proc").join(id).exists())
        });
        wait_for("the folder of the call is gone", || {
            stored(&board).iter().all(|name| name.starts_with("file-"))
        });
    }
}

/// The last bytes are still on the board when the program ends: the pipes on the way and the 2 MiB that OpenSSH sends
/// unacknowledged are full. The exit status then arrives before these bytes, which must not be lost. Buffers differ a
/// little, so several sizes are tried at once.
#[test]
fn output_that_is_read_late_arrives_whole() {
    let dir = tempfile::tempdir().unwrap();
    let board = Sshd::start(dir.path(), "board", Oddity::None);
    let fleet = write_fleet(dir.path(), &board.fleet_entry("board", None));
    let run = |n_bytes: u64| {
        let script = format!("head -c {n_bytes} /dev/zero");
        let child = runner(&fleet, "board")
            .args(["/bin/sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        (n_bytes, child.unwrap())
    };
    let children: Vec<(u64, Child)> = (2_280_000..2_330_000).step_by(10_000).map(run).collect();
    std::thread::sleep(Duration::from_secs(5));
    for (n_bytes, mut child) in children {
        let mut output = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_to_end(&mut output).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(output.len() as u64, n_bytes);
    }
}
