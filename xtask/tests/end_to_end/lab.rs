//! Boards under qemu: the lab brings them up, they are measured like any board, and nothing of them is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::sshd::wait_for;

/// A lab in a folder of its own; ends with the test, whatever becomes of it.
pub struct Lab {
    dir: PathBuf,
}

impl Lab {
    /// Starts machines. `None` where Debian's packages for them cannot be had, which is said on standard error.
    pub fn up(parent: &Path, boards: &str) -> Option<Lab> {
        // A blank and a per cent sign in the path: the files for SSH have to survive them.
        let lab = Lab {
            dir: parent.join("my lab 100%"),
        };
        let output = lab.command(&["up", "--boards", boards]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let no_packages = [
            "cannot be fetched",
            "cannot be downloaded",
            "no Debian archive",
        ];
        if no_packages.iter().any(|words| stderr.contains(words)) {
            eprintln!(
                "\nSKIPPED: no board was emulated, because its packages cannot be had: {stderr}\n"
            );
            return None;
        }
        assert!(output.status.success(), "{stderr}");
        Some(lab)
    }

    /// Path of the fleet file.
    pub fn fleet(&self) -> PathBuf {
        self.dir.join("fleet.yaml")
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["lab", "--dir"])
            .arg(&self.dir)
            .args(args)
            .output()
            .unwrap()
    }

    fn status(&self) -> Vec<Value> {
        let output = self.command(&["status", "--format", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["machines"].as_array().unwrap().clone()
    }

    /// Output of a command on a machine, through the lab's own SSH configuration.
    pub fn ssh(&self, name: &str, command: &str) -> String {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(self.dir.join("ssh_config"))
            .args([name, command])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.command(&["down"]);
    }
}

/// Whether a process runs; one that has ended and that nobody has asked about does not.
fn runs(id: &Value) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn measures_emulated_boards_with_the_variant_that_each_has() {
    let dir = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::up(dir.path(), "pi4,new") else {
        return;
    };
    let machines = lab.status();
    let states: Vec<_> = (machines.iter())
        .map(|machine| (machine["name"].as_str(), machine["state"].as_str()))
        .collect();
    assert_eq!(
        states,
        [(Some("pi4"), Some("up")), (Some("new"), Some("up"))]
    );
    assert_eq!(lab.ssh("pi4", "uname -m; hostname"), "aarch64\npi4\n");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "run",
            "--all-boards",
            "--suite",
            "smoke",
            "--kernel",
            "read",
            "peak_*",
        ])
        .args(["--format", "json", "--fleet"])
        .arg(lab.fleet())
        .arg("--runs-dir")
        .arg(dir.path().join("runs"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run_dir = PathBuf::from(document["run_dir"].as_str().unwrap());
    let units = fs::read_to_string(run_dir.join("frames/units.csv")).unwrap();
    let mut rows = units.lines();
    let header: Vec<&str> = rows.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (host, emulated, variant) = (column("host"), column("emulated"), column("variant"));
    let mut n_rows = 0;
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let expect = match fields[host] {
            "pi4" => "neon",
            _ => "neon-i8mm",
        };
        assert_eq!(
            (fields[variant], fields[emulated]),
            (expect, "true"),
            "{row}"
        );
        n_rows += 1;
    }
    assert_eq!(n_rows, 8, "{units}");
    leaves_nothing(&lab, &machines);
}

#[test]
fn a_jump_of_the_clock_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(lab) = Lab::up(dir.path(), "pi4") else {
        return;
    };
    let runs = dir.path().join("runs");
    let run = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["run", "--all-boards", "--suite", "smoke", "--fleet"])
        .arg(lab.fleet())
        .arg("--runs-dir")
        .arg(&runs)
        .args(["--kernel", "read", "copy", "triad", "peak_*"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stream = || {
        let run = fs::read_dir(&runs).ok()?.flatten().next()?;
        fs::read_to_string(run.path().join("hosts/pi4/stream.jsonl")).ok()
    };
    wait_for("the first unit began", || {
        stream().is_some_and(|text| text.contains(r#"{"type":"unit_ready""#))
    });
    // Ten years ahead, then to a time before the run.
    lab.ssh("root@pi4", "date -s '2036-01-01 00:00:00'");
    lab.ssh("root@pi4", "date -s '2001-01-01 00:00:00'");
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = stream().unwrap();
    assert!(text.contains(r#"{"type":"done""#), "{text}");
    assert!(!text.contains(r#""status":"failed""#), "{text}");
    assert!(lab.ssh("pi4", "date +%Y").starts_with("2001"));
}

fn leaves_nothing(lab: &Lab, machines: &[Value]) {
    // A second start leaves those alone that are up, and finds the one that died.
    let (pi4, new) = (&machines[0]["pid"], &machines[1]["pid"]);
    let kill = format!("kill -KILL {pi4}");
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    wait_for("the board has died", || !runs(pi4));
    assert_eq!(lab.status()[0]["state"], "dead");
    assert!(lab.command(&["up", "--boards", "new"]).status.success());
    assert_eq!(lab.status()[1]["pid"], *new);
    let down = lab.command(&["down", "pi4"]);
    assert!(down.status.success() && lab.status().len() == 1, "{down:?}");
    assert!(runs(new) && !fs::read_to_string(lab.fleet()).unwrap().contains("pi4"));
    assert!(lab.command(&["down"]).status.success());
    assert!(!runs(new) && lab.status().is_empty());
    let left: Vec<_> = fs::read_dir(&lab.dir).unwrap().flatten().collect();
    let mut left: Vec<_> = left.iter().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, ["boards", "lock"]);
}

#[test]
fn brings_up_an_ssh_server_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::up(dir.path(), "x86").unwrap();
    let home = lab.dir.canonicalize().unwrap().join("boards/x86/home");
    assert_eq!(lab.ssh("x86", "pwd"), format!("{}\n", home.display()));
    let unknown = lab.command(&["up", "--boards", "pi5"]);
    let stderr = String::from_utf8_lossy(&unknown.stderr);
    assert!(stderr.contains("did you mean `pi4`"), "{stderr}");
    let id = lab.status()[0]["pid"].clone();
    assert!(runs(&id) && lab.command(&["down"]).status.success() && !runs(&id));
}
