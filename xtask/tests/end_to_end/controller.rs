//! Running the controller as a person does, and reading what it leaves behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// What a run printed and left behind.
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// The JSON document on standard output.
    pub document: Value,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The object of one host.
    pub fn host(&self, name: &str) -> &Value {
        let hosts = self.document["hosts"]
            .as_array()
            .unwrap_or_else(|| panic!("no hosts: {}", self.stderr));
        hosts
            .iter()
            .find(|host| host["host"] == name)
            .unwrap_or_else(|| panic!("no host {name}: {}", self.document))
    }

    /// The run directory.
    pub fn run_dir(&self) -> PathBuf {
        PathBuf::from(
            self.document["run_dir"]
                .as_str()
                .unwrap_or_else(|| panic!("no run directory: {}", self.stderr)),
        )
    }

    /// The text of a file of the run directory.
    pub fn read(&self, file: &str) -> String {
        let path = self.run_dir().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Fails unless the report names the cause of a host's failure.
    pub fn expect_reported(&self, host: &str, cause: &str) {
        let reason = self.host(host)["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains(cause),
            "host {host}: `{reason}` does not name `{cause}`"
        );
        let page = self.read("html/index.html");
        assert!(page.contains(cause), "the report does not name `{cause}`");
    }
}

/// Starts `cargo xtask run` with the fleet given, its output in files under `dir`.
pub fn start(dir: &Path, fleet: &str, args: &[&str]) -> Child {
    start_with_path(dir, fleet, args, None)
}

/// As [`start`], with another search path for programs.
pub fn start_with_path(dir: &Path, fleet: &str, args: &[&str], path: Option<&Path>) -> Child {
    let path = path.map_or_else(
        || std::env::var_os("PATH").unwrap_or_default(),
        |path| path.as_os_str().to_owned(),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    spawn(command.env("PATH", path), dir, fleet, args)
}

/// Starts a run by a command that is the controller so far, its output in files under `dir`.
pub fn spawn(command: &mut Command, dir: &Path, fleet: &str, args: &[&str]) -> Child {
    let fleet_file = dir.join("fleet.yaml");
    fs::write(&fleet_file, format!("hosts:\n{fleet}")).unwrap();
    command
        .args(["run", "--all-boards", "--format", "json", "--fleet"])
        .arg(fleet_file)
        .arg("--runs-dir")
        .arg(dir.join("runs"))
        .args(args)
        // Where hosts of this machine keep what a killed controller never got.
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .stdin(Stdio::null())
        .stdout(fs::File::create(dir.join("stdout")).unwrap())
        .stderr(fs::File::create(dir.join("stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// Waits for a controller and reads what it printed.
pub fn finish(dir: &Path, mut child: Child) -> Outcome {
    let status = child.wait().unwrap();
    let stdout = fs::read_to_string(dir.join("stdout")).unwrap();
    let stderr = fs::read_to_string(dir.join("stderr")).unwrap();
    Outcome {
        code: status.code().unwrap_or(-1),
        document: serde_json::from_str(&stdout).unwrap_or(Value::Null),
        stderr,
    }
}

/// A whole run.
pub fn run(dir: &Path, fleet: &str, args: &[&str]) -> Outcome {
    let child = start(dir, fleet, args);
    finish(dir, child)
}

/// Path of a host's stream once the run has one.
pub fn stream_of(dir: &Path, host: &str) -> Option<PathBuf> {
    let run = fs::read_dir(dir.join("runs")).ok()?.flatten().next()?;
    let stream = run.path().join("hosts").join(host).join("stream.jsonl");
    stream.is_file().then_some(stream)
}

/// Number of samples in a host's stream so far.
pub fn n_samples(dir: &Path, host: &str) -> usize {
    let text = stream_of(dir, host)
        .and_then(|stream| fs::read_to_string(stream).ok())
        .unwrap_or_default();
    text.matches(r#"{"type":"sample""#).count()
}
