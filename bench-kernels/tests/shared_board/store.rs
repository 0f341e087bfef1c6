//! Whose folders and files are used, and whose are not.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use crate::machine::{MEASURER, Machine, OTHER, Said, finish, set_mode};

/// A journal that writes `text` into a file.
fn journal(path: &Path, text: &str) -> String {
    format!(r#"{{"setting":{{"file":{{"path":{path:?}}}}},"before":{text:?},"wanted":"x"}}"#) + "\n"
}

/// The store was not used, and the reason names the path, the owner and what to do.
fn expect_refused(said: &Said, path: &Path, causes: &[&str]) {
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.stdout.contains(r#"{"type":"left""#), "{said:?}");
    let path = format!("`{}`", path.display());
    for cause in causes.iter().copied().chain([path.as_str()]) {
        assert!(said.stdout.contains(cause), "no `{cause}` in {said:?}");
    }
}

#[test]
fn a_folder_that_another_user_made_is_not_used() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.folder("tmp", 0, 0o1777);
    let store = machine.folder("tmp/memwall-4001", OTHER, 0o755);
    let victim = machine.path("victim");
    for user in [0, MEASURER] {
        fs::write(&victim, "original").unwrap();
        chown(&victim, Some(user), None).unwrap();
        fs::write(store.join("journal.jsonl"), journal(&victim, "changed")).unwrap();
        let program = machine.program(&machine.folder(&format!("bin{user}"), user, 0o700), user);
        let store_text = store.display().to_string();
        let said = machine.run(user, &program, &["restore", "--store", &store_text]);
        let causes = ["belongs to", "(uid 4002)", "measure as that user"];
        let causes = causes.map(|cause| cause.replace("(uid 4002)", "uid 4002"));
        expect_refused(&said, &store, &causes.each_ref().map(String::as_str));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "original");
    }
}

#[test]
fn a_link_of_another_user_is_not_followed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let protection = Protection::new();
    machine.folder("tmp", 0, 0o1777);
    machine.folder("free", 0, 0o777);
    let (store, program) = machine.store();
    for number in protection.values() {
        protection.set(number);
        for folder in ["tmp", "free"] {
            let link = machine.path(&format!("{folder}/memwall-4001"));
            symlink(&store, &link).unwrap();
            std::os::unix::fs::lchown(&link, Some(OTHER), Some(OTHER)).unwrap();
            let linked = link.display().to_string();
            let said = machine.run(MEASURER, &program, &["restore", "--store", &linked]);
            let refused = if folder == "tmp" {
                &link
            } else {
                &machine.path(folder)
            };
            expect_refused(&said, refused, &["it is not used"]);
            fs::remove_file(&link).unwrap();
        }
    }
}

#[test]
fn a_program_behind_another_users_folder_says_no_hash_and_does_nothing() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    machine.folder("tmp", 0, 0o1777);
    let squatted = machine.folder("tmp/memwall-4001", OTHER, 0o755);
    let link = squatted.join("memwall");
    symlink(&program, &link).unwrap();
    for args in [&["self-hash"][..], &["collect", "r", "h", "1", "0"]] {
        let said = machine.run(MEASURER, &link, args);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains("uid 4002"), "{said:?}");
    }
    let said = machine.measure(MEASURER, &link, "r");
    expect_refused(&said, &squatted, &["uid 4002"]);
    // Its own place is as good as ever.
    let said = machine.run(MEASURER, &program, &["self-hash"]);
    assert_eq!(
        (said.code, said.stdout.trim().len()),
        (Some(0), 64),
        "{said:?}"
    );
    let said = machine.measure(MEASURER, &program, "r");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(fs::read_dir(&store).unwrap().count(), 1);
}

#[test]
fn a_program_that_other_users_can_write_is_not_run_from_its_store() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (_, program) = machine.store();
    set_mode(&program, 0o777);
    let said = machine.measure(MEASURER, &program, "r");
    expect_refused(&said, &program, &["can be changed by other users"]);
}

#[test]
fn a_folder_on_the_way_that_others_can_change_is_refused_with_its_remedy() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let check = |name: &str, uid: u32, gid: u32, mode: u32, expect: Option<&str>| {
        let above = machine.folder(name, uid, mode);
        chown(&above, Some(uid), Some(gid)).unwrap();
        set_mode(&above, mode);
        let store = machine.folder(&format!("{name}/store"), MEASURER, 0o700);
        let program = machine.program(&store, MEASURER);
        let said = machine.measure(MEASURER, &program, "r");
        match expect {
            Some(cause) => expect_refused(&said, &above, &[cause]),
            None => assert_eq!(said.code, Some(0), "{name}: {said:?}"),
        }
    };
    check("sticky", 0, 0, 0o1777, None);
    check("own", MEASURER, MEASURER, 0o755, None);
    // Many distributions give every user a group and let it write.
    check("private group", MEASURER, MEASURER, 0o775, None);
    check("other group", MEASURER, 100, 0o775, Some("chmod go-w"));
    check("everyone", 0, 0, 0o777, Some("chmod go-w"));
    check("other", OTHER, OTHER, 0o755, Some("uid 4002"));
    check("other sticky", OTHER, OTHER, 0o1777, Some("uid 4002"));
}

#[test]
fn a_store_that_others_can_write_is_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    for (mode, is_used) in [
        (0o777, false),
        (0o1777, false),
        (0o707, false),
        (0o755, true),
    ] {
        set_mode(&store, mode);
        let said = machine.measure(MEASURER, &program, "r");
        match is_used {
            true => assert_eq!(said.code, Some(0), "{mode:o}: {said:?}"),
            false => expect_refused(&said, &store, &["chmod go-w"]),
        }
    }
}

#[test]
fn homes_behind_links_of_root_and_missing_folders_are_used() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.folder("data", 0, 0o755);
    machine.folder("data/home", 0, 0o755);
    machine.folder("data/home/me", MEASURER, 0o700);
    symlink("data/home", machine.path("home")).unwrap();
    let program = machine.program(&machine.folder("bin", MEASURER, 0o755), MEASURER);
    let store = machine.path("home/me/.cache/memwall");
    let text = store.display().to_string();
    let mut command = machine.command(MEASURER, &program);
    let mut child = (command.args(["supervise", "--store", &text]))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let protocol = bench_protocol::PROTOCOL_VERSION;
    let request = format!(
        r#"{{"protocol":{protocol},"run_id":"r","host":"h","attempt":1,"units":[],"deadline_ms":60000}}"#
    );
    use std::io::Write;
    writeln!(child.stdin.as_mut().unwrap(), "{request}").unwrap();
    drop(child.stdin.take());
    let said = finish(child);
    assert_eq!(said.code, Some(0), "{said:?}");
    // The controller did not confirm that it has the results.
    let kept = machine.path("data/home/me/.cache/memwall/spool-r-h-1.jsonl");
    assert!(kept.is_file());
    let said = machine.run(
        MEASURER,
        &program,
        &["collect", "--store", &text, "r", "h", "1", "0"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains(r#"{"type":"done""#), "{said:?}");
}

#[test]
fn a_namespace_that_does_not_know_root_is_no_obstacle() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (_, program) = machine.store();
    let mut command = machine.command(MEASURER, "unshare");
    let said = finish(
        command
            .arg("-r")
            .arg(&program)
            .arg("restore")
            .spawn()
            .unwrap(),
    );
    if said.stderr.contains("unshare") {
        eprintln!(
            "NOT TESTED: users may not make user namespaces here: {}",
            said.stderr
        );
        return;
    }
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn two_users_have_a_store_each() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.folder("tmp", 0, 0o1777);
    for user in [MEASURER, OTHER] {
        let store = machine.folder(&format!("tmp/memwall-{user}"), user, 0o700);
        let program = machine.program(&store, user);
        let said = machine.measure(user, &program, "r");
        assert_eq!(said.code, Some(0), "{said:?}");
        let said = machine.run(user, &program, &["restore"]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

/// An obstacle in the place of a file of the store.
#[derive(Debug, Clone, Copy)]
enum Trap {
    Link,
    Pipe,
    OtherOwner,
}

impl Trap {
    fn set(self, machine: &Machine, path: &Path) {
        match self {
            Trap::Link => {
                let other = machine.path("precious");
                fs::write(&other, "precious\n").unwrap();
                chown(&other, Some(MEASURER), None).unwrap();
                symlink(other, path).unwrap();
            }
            Trap::Pipe => {
                let script = format!("mkfifo -m 600 '{}'", path.display());
                machine.shell(MEASURER, &script);
            }
            Trap::OtherOwner => {
                fs::write(path, "not yours\n").unwrap();
                chown(path, Some(OTHER), None).unwrap();
            }
        }
    }
}

#[test]
fn a_spool_that_is_no_file_of_the_user_is_neither_read_nor_written() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    let spool = store.join("spool-r-board-1.jsonl");
    for trap in [Trap::Link, Trap::Pipe, Trap::OtherOwner] {
        trap.set(&machine, &spool);
        let said = machine.run(MEASURER, &program, &["collect", "r", "board", "1", "0"]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains("spool-r-board-1.jsonl"), "{said:?}");
        let said = machine.measure(MEASURER, &program, "r");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(
            said.stdout.contains("results cannot be kept on the board"),
            "{said:?}"
        );
        if let Trap::Link = trap {
            let text = fs::read_to_string(machine.path("precious")).unwrap();
            assert_eq!(text, "precious\n");
        }
        let _ = fs::remove_file(&spool);
    }
}

#[test]
fn a_journal_that_is_no_file_of_the_user_is_told_and_not_worked_off() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    let file = store.join("journal.jsonl");
    for trap in [Trap::Link, Trap::Pipe, Trap::OtherOwner] {
        trap.set(&machine, &file);
        let said = machine.run(MEASURER, &program, &["restore"]);
        assert_eq!(said.code, Some(8), "{trap:?}: {said:?}");
        assert!(said.stdout.contains("cannot be read"), "{said:?}");
        let said = machine.measure(MEASURER, &program, "r");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stdout.contains(r#"{"type":"environment""#), "{said:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_journal_of_the_user_restores_settings_only() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    let victim = machine.path("victim");
    fs::write(&victim, "original").unwrap();
    chown(&victim, Some(MEASURER), None).unwrap();
    let path = store.join("journal.jsonl");
    fs::write(&path, journal(&victim, "changed")).unwrap();
    chown(&path, Some(MEASURER), None).unwrap();
    let said = machine.run(MEASURER, &program, &["restore"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(
        said.stdout.contains("not a setting of the kernel"),
        "{said:?}"
    );
    assert_eq!(fs::read_to_string(&victim).unwrap(), "original");
}

/// `fs.protected_symlinks` of this machine, put back at the end. It is only ever raised: lowering it would open the
/// whole machine.
struct Protection {
    before: String,
}

const PROTECTION: &str = "/proc/sys/fs/protected_symlinks";

impl Protection {
    fn new() -> Protection {
        let before = fs::read_to_string(PROTECTION).unwrap_or_default();
        Protection {
            before: before.trim().to_string(),
        }
    }

    fn values(&self) -> &'static [&'static str] {
        match self.before.as_str() {
            "0" => &["0", "1"],
            other => {
                eprintln!(
                    "NOT TESTED: `fs.protected_symlinks` 0: it is `{other}` here and stays so"
                );
                &["1"]
            }
        }
    }

    fn set(&self, value: &str) {
        if self.before == "0" && fs::write(PROTECTION, value).is_err() {
            eprintln!("NOT TESTED: `fs.protected_symlinks` {value}: it cannot be set here");
        }
    }
}

impl Drop for Protection {
    fn drop(&mut self) {
        self.set("0");
    }
}
