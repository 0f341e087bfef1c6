//! One machine with two users, and what they run on it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The user that measures, and another one. No account of these numbers has to exist.
pub const MEASURER: u32 = 4001;
pub const OTHER: u32 = 4002;

/// A mount namespace with a `/dev/shm` of its own, and a folder that all users may enter.
pub struct Machine {
    dir: tempfile::TempDir,
    holder: Child,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    /// A new one; `None`, with a word about it, without root.
    pub fn new() -> Option<Machine> {
        let script = "mount -t tmpfs -o mode=1777 none /dev/shm && echo up && exec sleep 3600";
        let holder = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut holder = holder.expect("util-linux has `unshare`");
        let mut word = String::new();
        BufReader::new(holder.stdout.take().unwrap())
            .read_line(&mut word)
            .unwrap();
        if word.trim() != "up" {
            let _ = holder.wait();
            eprintln!("NOT TESTED: two users on one board need root, `unshare` and `setpriv`");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        Some(Machine { dir, holder })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A folder of a user.
    pub fn folder(&self, name: &str, uid: u32, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(uid), Some(uid)).unwrap();
        set_mode(&path, mode);
        path
    }

    /// A command in this namespace as a user.
    pub fn command(&self, uid: u32, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            .args(["setpriv", &format!("--reuid={uid}")])
            .args([&format!("--regid={uid}"), "--clear-groups", "--"])
            .arg(program.as_ref())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A shell command of a user, which has to succeed.
    pub fn shell(&self, uid: u32, script: &str) -> String {
        let mut command = self.command(uid, "sh");
        let said = finish(command.args(["-c", script]).spawn().unwrap());
        assert_eq!(said.code, Some(0), "{script}: {said:?}");
        said.stdout
    }

    /// The board program in a folder, as a file of a user.
    pub fn program(&self, folder: &Path, uid: u32) -> PathBuf {
        let path = folder.join("memwall");
        fs::copy(env!("CARGO_BIN_EXE_bench-kernels"), &path).unwrap();
        chown(&path, Some(uid), Some(uid)).unwrap();
        set_mode(&path, 0o700);
        path
    }

    /// A store of the measuring user, with the program in it.
    pub fn store(&self) -> (PathBuf, PathBuf) {
        let store = self.folder("store", MEASURER, 0o700);
        let program = self.program(&store, MEASURER);
        (store, program)
    }

    /// Runs the board program to its end.
    pub fn run(&self, uid: u32, program: &Path, args: &[&str]) -> Said {
        finish(self.command(uid, program).args(args).spawn().unwrap())
    }

    /// Starts a supervisor with a request, and its standard input.
    pub fn supervise(&self, uid: u32, program: &Path, run_id: &str, job: Job) -> Child {
        let mut command = self.command(uid, program);
        let mut child = (command.arg("supervise").stdin(Stdio::piped()))
            .spawn()
            .unwrap();
        let request = request(run_id, job);
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(request.as_bytes()).unwrap();
        child
    }

    /// A request that is measured to its end.
    pub fn measure(&self, uid: u32, program: &Path, run_id: &str) -> Said {
        let mut child = self.supervise(uid, program, run_id, Job::Nothing);
        let _ = child.stdin.as_mut().unwrap().write_all(b"ack\n");
        finish(child)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Job {
    Nothing,
    /// A program that runs until it is ended.
    Endless,
}

fn request(run_id: &str, job: Job) -> String {
    let external = r#"{"external":{"program":"sleep","args":["3600"],"format":"text"}}"#;
    let unit = format!(
        r#"{{"unit":"u","kernel":"external","variant":null,"cpus":[0],"job":{external},"sampling":{{"min_samples":1,"max_samples":1,"budget_ms":1}},"deadline_ms":3600000}}"#
    );
    let units = if job == Job::Nothing { "" } else { &unit };
    let protocol = bench_protocol::PROTOCOL_VERSION;
    format!(
        r#"{{"protocol":{protocol},"run_id":"{run_id}","host":"board","attempt":1,"owner":"me@controller","units":[{units}],"deadline_ms":3600000}}"#
    ) + "\n"
}

pub fn finish(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Waits until `condition` holds; ten minutes without it are a hang.
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

pub fn kill(signal: &str, pid: u32) {
    let command = format!("kill {signal} {pid}");
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.unwrap().success(), "{command}");
}
