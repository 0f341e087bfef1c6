//! `add` and `trust`: a machine becomes a host only after its key was compared, and the fleet file keeps every byte.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::sshd::{Oddity, Sshd};

const FLEET: &str =
    "# The hosts of this test.\nhosts:\n  here: # this machine\n    transport: local\n  # the end";

fn xtask(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--fleet")
        .arg(dir.join("fleet.yaml"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Fails unless the command ends so and says this.
fn expect(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "`{words}` is missing in:\n{said}");
}

#[test]
fn adds_a_machine_once_its_key_was_compared_and_trusts_it_again_after_flashing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut board = Sshd::start(dir, "board", Oddity::None);
    let fleet = dir.join("fleet.yaml");
    let pin = dir.join("known_hosts/rock");
    fs::write(&fleet, FLEET).unwrap();
    let (address, key) = (board.address(), board.identity_file());
    let identity = ["--identity-file", key.to_str().unwrap()];
    let add = |more: &[&str]| {
        xtask(
            dir,
            &[&["add", "rock", &address], &identity[..], more].concat(),
        )
    };

    // Nobody is there to compare the key: the remedy is in the message, and nothing has changed.
    let fingerprint = board.fingerprint();
    expect(&add(&[]), 2, &format!("--fingerprint {fingerprint}"));
    expect(
        &add(&["--fingerprint", "SHA256:other"]),
        2,
        "this is another machine",
    );
    assert!(!pin.exists() && fs::read_to_string(&fleet).unwrap() == FLEET);

    let added = add(&["--fingerprint", &fingerprint]);
    expect(&added, 0, "cargo xtask run --board rock");
    let text = fs::read_to_string(&fleet).unwrap();
    assert!(
        text.starts_with(FLEET) && text.contains("\n  rock:\n    transport: ssh\n"),
        "{text}"
    );
    assert!(!text.contains("PRIVATE"), "{text}");
    expect(&add(&["--yes"]), 2, "a host `rock` already");
    assert!(!doctor(dir).contains("unreachable"), "{}", doctor(dir));

    // Another host's key stays when this one's is replaced.
    fs::write(dir.join("known_hosts/other"), "* ssh-ed25519 AAAA\n").unwrap();
    expect(
        &xtask(dir, &["trust", "rock"]),
        0,
        "still shows its pinned key",
    );
    board.flash_anew();
    let refused = doctor(dir);
    assert!(
        refused.contains("unreachable") && refused.contains("cargo xtask trust"),
        "{refused}"
    );
    let asked = xtask(dir, &["trust", "rock"]);
    expect(&asked, 2, &format!("was ssh-ed25519 {fingerprint}"));
    expect(&asked, 2, &format!("--fingerprint {}", board.fingerprint()));
    expect(
        &xtask(dir, &["trust", "rock", "--yes"]),
        0,
        &board.fingerprint(),
    );
    assert!(!doctor(dir).contains("unreachable"), "{}", doctor(dir));
    let other = fs::read_to_string(dir.join("known_hosts/other")).unwrap();
    assert_eq!(other, "* ssh-ed25519 AAAA\n");
    expect(&xtask(dir, &["trust", "here"]), 2, "not reached over SSH");
}

/// What `doctor` says about the host that was added.
fn doctor(dir: &Path) -> String {
    let output = xtask(dir, &["doctor", "rock", "--format", "json"]);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn leaves_nothing_behind_when_a_machine_cannot_be_added() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let board = Sshd::start(dir, "board", Oddity::None);
    let fleet = dir.join("fleet.yaml");
    fs::write(&fleet, FLEET).unwrap();
    let (address, key) = (board.address(), board.identity_file());
    let add = |address: &str, more: &[&str]| {
        let identity = ["--identity-file", key.to_str().unwrap(), "--yes"];
        xtask(
            dir,
            &[&["add", "rock", address], &identity[..], more].concat(),
        )
    };
    expect(&add("a b", &[]), 2, "is no address");
    expect(
        &add(&address, &["--board", "rock-5c"]),
        2,
        "did you mean `rock-5b`",
    );
    let nobody = format!("127.0.0.1:{}", crate::sshd::free_port());
    expect(&add(&nobody, &[]), 4, "no SSH server answers");
    board.refuse_key();
    expect(&add(&address, &[]), 4, "refuses the key");
    let left: Vec<_> = fs::read_dir(dir.join("known_hosts")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read_to_string(&fleet).unwrap(), FLEET);
    // A file that could not be read again afterwards is not touched.
    let closed = "hosts: {here: {transport: local}}\n";
    fs::write(&fleet, closed).unwrap();
    fs::write(
        board.home().join("../authorized_keys"),
        fs::read(key.with_extension("pub")).unwrap(),
    )
    .unwrap();
    expect(&add(&address, &[]), 2, "in one line");
    assert_eq!(fs::read_to_string(&fleet).unwrap(), closed);
}
