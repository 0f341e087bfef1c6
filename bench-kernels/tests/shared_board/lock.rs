//! One run at a time, from whichever user, and how another user can delay it.

use std::fs;
use std::io::Write;
use std::process::Child;

use crate::machine::{Job, MEASURER, Machine, OTHER, finish, kill, wait_for};

const LOCK: &str = "/dev/shm/memwall-board.lock";

/// A journal of a setting that has its value already: putting it back needs no rights.
fn leave_journal(machine: &Machine) {
    let setting = "/proc/sys/vm/swappiness";
    let value = fs::read_to_string(setting).unwrap();
    let line = format!(
        r#"{{"setting":{{"file":{{"path":"{setting}"}}}},"before":"{}","wanted":"0"}}"#,
        value.trim()
    );
    let journal = machine.path("store/journal.jsonl");
    machine.shell(
        MEASURER,
        &format!("echo '{line}' > '{}'", journal.display()),
    );
}

/// A process that holds a lock until its standard input ends.
struct Squatter(Child);

impl Squatter {
    fn new(machine: &Machine, uid: u32, path: &str) -> Squatter {
        let script = format!("exec flock '{path}' sh -c 'echo locked; cat'");
        let mut command = machine.command(uid, "sh");
        let mut child = (command.args(["-c", &script]))
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut word).unwrap();
        assert_eq!(word.trim(), "locked");
        Squatter(child)
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A supervisor whose unit runs.
struct Running(Option<Child>);

impl Running {
    fn start(machine: &Machine, uid: u32, program: &std::path::Path) -> Running {
        let mut child = machine.supervise(uid, program, "first", Job::Endless);
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(r#"{"type":"facts""#) {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0);
        }
        // Its output has no reader any more, which must not end it.
        child.stdout = None;
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Running(Some(child))
    }

    fn stop(mut self) {
        let mut child = self.0.take().unwrap();
        let _ = child.stdin.as_mut().unwrap().write_all(b"stop\nack\n");
        let said = finish(child);
        assert_eq!(said.code, Some(7), "{said:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its unit ends with it.
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_second_supervisor_never_measures_beside_the_first() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (_, program) = machine.store();
    let others = machine.program(&machine.folder("others", OTHER, 0o700), OTHER);
    let first = Running::start(&machine, MEASURER, &program);
    let expect_busy = |cause: &str| {
        for (user, program) in [(MEASURER, &program), (OTHER, &others)] {
            let said = machine.measure(user, program, "second");
            assert_eq!(said.code, Some(6), "{cause}: {said:?}");
            assert!(said.stdout.contains("the board is in use by"), "{said:?}");
            assert!(said.stdout.contains("uid 4001"), "{cause}: {said:?}");
        }
    };
    expect_busy("as it is");
    // As the system does when the user's last session ends.
    machine.shell(MEASURER, &format!("rm {LOCK}"));
    expect_busy("the lock file was removed");
    machine.shell(
        OTHER,
        &format!("rm -f {LOCK} 2>/dev/null; umask 0; : > {LOCK}; exit 0"),
    );
    expect_busy("the lock file is another user's");
    first.stop();
    let said = machine.measure(OTHER, &others, "second");
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_run_of_another_user_is_waited_for_before_settings_are_put_back() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (_, program) = machine.store();
    let others = machine.program(&machine.folder("others", OTHER, 0o700), OTHER);
    leave_journal(&machine);
    let first = Running::start(&machine, OTHER, &others);
    let said = machine.run(MEASURER, &program, &["restore"]);
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(
        said.stdout.contains("me@controller (run first, for 0 min"),
        "{said:?}"
    );
    first.stop();
    let said = machine.run(MEASURER, &program, &["restore"]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_squatter_is_named_and_does_not_keep_settings_from_being_put_back() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    machine.shell(OTHER, &format!("umask 0; : > {LOCK}"));
    for path in ["/dev/shm", LOCK] {
        leave_journal(&machine);
        let squatter = Squatter::new(&machine, OTHER, path);
        let said = machine.measure(MEASURER, &program, "r");
        assert_eq!(said.code, Some(6), "{said:?}");
        for part in ["(`flock`) of the user with uid 4002", path, "end it"] {
            assert!(said.stdout.contains(part), "no `{part}` in {said:?}");
        }
        let said = machine.run(MEASURER, &program, &["restore"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!store.join("journal.jsonl").exists());
        drop(squatter);
        // A process of the same user may be a supervisor that has just begun.
        leave_journal(&machine);
        let own = Squatter::new(&machine, MEASURER, path);
        let said = machine.run(MEASURER, &program, &["restore"]);
        assert_eq!(said.code, Some(6), "{said:?}");
        drop(own);
    }
}

#[test]
fn a_lock_that_another_user_closed_is_named_with_its_owner() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (_, program) = machine.store();
    machine.shell(OTHER, &format!("umask 077; : > {LOCK}"));
    let said = machine.measure(MEASURER, &program, "r");
    assert_eq!(said.code, Some(6), "{said:?}");
    for part in [LOCK, "uid 4002", "have it removed"] {
        assert!(said.stdout.contains(part), "no `{part}` in {said:?}");
    }
    leave_journal(&machine);
    let said = machine.run(MEASURER, &program, &["restore"]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// A lease is a text that every user may write: it must not bring root to end a process that is not a supervisor.
#[test]
fn a_forged_lease_ends_no_process() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let root = machine.program(&machine.folder("root", 0, 0o700), 0);
    machine.shell(OTHER, &format!("umask 0; : > {LOCK}"));
    let squatter = Squatter::new(&machine, OTHER, LOCK);
    // Given the open lock, as a descriptor that is sent to a service would be; and one with it open by itself.
    let cat = format!("/proc/{0}/task/{0}/children", squatter.0.id());
    let heir: u32 = fs::read_to_string(cat).unwrap().trim().parse().unwrap();
    let mut command = machine.command(0, "sh");
    let script = format!("exec 3<>{LOCK}; exec sleep 3600");
    let mut bystander = command.args(["-c", &script]).spawn().unwrap();
    let opened = format!("/proc/{}/fd/3", bystander.id());
    wait_for("it is open", || {
        fs::read_link(&opened).is_ok_and(|target| target.ends_with("memwall-board.lock"))
    });
    for pid in [heir, bystander.id()] {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let lease = format!(
            r#"{{"owner":"forged","run_id":"r","pid":{pid},"start_ticks":{},"boot_id":"{}","since_s":0,"expires_s":0}}"#,
            ticks.unwrap(),
            boot.trim()
        );
        machine.shell(OTHER, &format!("printf '%s' '{lease}' > {LOCK}"));
        let said = machine.measure(0, &root, "r");
        assert_eq!(said.code, Some(6), "{said:?}");
        assert!(said.stdout.contains("(`flock`)"), "{said:?}");
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        assert!(!state.contains(") Z "), "process {pid} was ended");
    }
    let _ = bystander.kill();
    let _ = bystander.wait();
}

#[test]
fn a_second_signal_changes_nothing() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (store, program) = machine.store();
    let mut child = machine.supervise(MEASURER, &program, "r", Job::Endless);
    let has_unit = || {
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        fs::read_to_string(children).is_ok_and(|text| !text.trim().is_empty())
    };
    wait_for("the unit runs", has_unit);
    for signal in ["-TERM", "-TERM", "-INT", "-HUP"] {
        kill(signal, child.id());
    }
    let _ = child.stdin.as_mut().unwrap().write_all(b"ack\n");
    let said = finish(child);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(
        said.stdout.contains("a signal ended the supervisor"),
        "{said:?}"
    );
    let left: Vec<_> = fs::read_dir(store).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
