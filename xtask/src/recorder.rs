//! Writing a run directory: whatever is known goes to disk at once, so that a killed controller loses nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bench_protocol::RunRequest;
use bench_reports::run_dir::plan::PlanRecord;
use bench_reports::run_dir::{self, HostRecord, LeftOut, RUN_DIR_VERSION, RunManifest, Shard};
use jiff::Timestamp;
use serde::Serialize;

use crate::shard::shard_of;
use crate::{commands, resume, transport, workspace};

/// A run directory under construction.
pub struct Recorder {
    dir: PathBuf,
    /// Keeps other controllers out.
    _lock: Option<File>,
}

impl Recorder {
    /// Makes the directory of a new run with its manifest, its plan and the copies of the inventory.
    ///
    /// # Errors
    /// When the directory cannot be made or written.
    pub fn create(
        runs_dir: &Path,
        fleet: Option<&Path>,
        plan: &PlanRecord,
        shard: Option<Shard>,
    ) -> anyhow::Result<(Recorder, RunManifest)> {
        let now = Timestamp::now();
        let run_id = format!(
            "{}-{:04x}",
            now.strftime("%Y-%m-%dT%H-%M-%SZ"),
            std::process::id() & 0xffff
        );
        let dir = runs_dir.join(&run_id);
        fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the run directory `{}`", dir.display()))?;
        let git = workspace::git_state();
        let planned_hosts: Vec<String> = plan.hosts.iter().map(|it| it.host.clone()).collect();
        let is_own = |host: &&String| {
            shard.is_none_or(|shard| shard_of(host, shard.n_shards) == shard.index)
        };
        let manifest = RunManifest {
            version: RUN_DIR_VERSION,
            run_id,
            started_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: std::env::args().skip(1).collect(),
            suite: plan.suite.clone(),
            git_revision: git.as_ref().map(|(revision, _)| revision.clone()),
            git_dirty: git.map(|(_, dirty)| dirty),
            rustc: workspace::rustc_version(),
            artifacts: plan.artifacts.clone(),
            hosts: planned_hosts.iter().filter(is_own).cloned().collect(),
            memwall_version: env!("CARGO_PKG_VERSION").to_string(),
            kernels: plan.kernels.clone(),
            file_models: commands::own_files::models(&plan.own_files),
            variant: plan.variant.clone(),
            plan_hash: Some(plan.hash.clone()),
            planned_hosts,
            shard,
            budget_s: plan.budget_s,
            compare_environment: plan.compare_environment,
            ..RunManifest::default()
        };
        let lock = resume::lock(&dir)?;
        let recorder = Recorder {
            dir,
            _lock: Some(lock),
        };
        recorder.copy_inventory(&plan.suite, fleet)?;
        recorder.write_own_files(plan)?;
        write_json(&recorder.dir.join("plan.json"), plan)?;
        recorder.write_manifest(&manifest)?;
        Ok((recorder, manifest))
    }

    /// The directory of a run that is gone on with; whoever opened it holds its lock.
    pub fn reopen(dir: PathBuf) -> Recorder {
        Recorder { dir, _lock: None }
    }

    /// The run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the manifest, replacing the one before.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_manifest(&self, manifest: &RunManifest) -> anyhow::Result<()> {
        write_json(&self.dir.join("manifest.json"), manifest)
    }

    /// Opens the files of one host.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn host(&self, host: &str) -> anyhow::Result<HostFiles> {
        let dir = self.dir.join("hosts").join(host);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        let open = |name: &str| {
            let path = dir.join(name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.with_context(|| format!("cannot open `{}`", path.display()))
        };
        if !dir.join("stream.jsonl").exists() {
            self.copy_previous(host, &dir)?;
        }
        end_last_line(&dir.join("stream.jsonl"))?;
        Ok(HostFiles {
            stream: open("stream.jsonl")?,
            stderr: StderrLog::new(open("stderr.txt")?),
            dir,
        })
    }

    /// Writes the hashes of all files that are not derived: the run has ended.
    ///
    /// # Errors
    /// When a file cannot be read or the disk does not take the list.
    pub fn seal(&self) -> anyhow::Result<()> {
        run_dir::files::seal(&self.dir)
    }

    /// What the host was in the run before. A nightly shard has a folder of its own: the runs before lie in the usual one.
    fn copy_previous(&self, host: &str, dir: &Path) -> anyhow::Result<()> {
        let usual = workspace::default_runs_dir();
        let folders = [self.dir.parent(), Some(usual.as_path())];
        let mut folders = folders.into_iter().flatten();
        match folders.find_map(|runs| run_dir::last_facts(runs, host)) {
            Some(facts) => write_json(&dir.join("previous.json"), &facts),
            None => Ok(()),
        }
    }

    fn copy_inventory(&self, suite: &str, fleet: Option<&Path>) -> anyhow::Result<()> {
        let target = self.dir.join("inventory");
        for (relative, file) in inventory_files(suite, fleet) {
            let to = target.join(relative);
            fs::create_dir_all(to.parent().expect("the file lies in the copy's folder"))?;
            fs::copy(&file, &to).with_context(|| format!("cannot copy `{}`", file.display()))?;
        }
        Ok(())
    }

    /// They are as much part of the run's inventory as those of the catalogue.
    fn write_own_files(&self, plan: &PlanRecord) -> anyhow::Result<()> {
        for (place, text) in &plan.own_files {
            let path = self.dir.join("inventory").join(place);
            fs::create_dir_all(path.parent().expect("the file lies in the copy's folder"))
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// The files of the inventory that a run of this suite needs: place in the copy, and where each is.
pub fn inventory_files(suite: &str, fleet: Option<&Path>) -> Vec<(PathBuf, PathBuf)> {
    let root = workspace::inventory_dir();
    let place = |file: PathBuf| {
        // A fleet file may lie anywhere; everything else keeps its place.
        let relative = match file.strip_prefix(&root) {
            Ok(relative) if fleet.is_none_or(|fleet| fleet != file) => relative.to_path_buf(),
            _ => PathBuf::from("fleet.yaml"),
        };
        let other_suite =
            relative.starts_with("suites") && relative.file_stem().is_none_or(|stem| stem != suite);
        (!other_suite).then_some((relative, file))
    };
    let files = bench_inventory::files(&root, fleet);
    files.into_iter().filter_map(place).collect()
}

/// The files of one host.
pub struct HostFiles {
    dir: PathBuf,
    stream: File,
    stderr: StderrLog,
}

impl HostFiles {
    /// Keeps the request as it is sent.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_request(&self, request: &RunRequest) -> anyhow::Result<()> {
        write_json(&self.dir.join("request.json"), request)
    }

    /// Keeps what the time budget left out, if it left anything out.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_left_out(&self, left_out: Option<&LeftOut>) -> anyhow::Result<()> {
        match left_out {
            Some(left_out) => write_json(&self.dir.join("left_out.json"), left_out),
            None => Ok(()),
        }
    }

    /// Appends one line of the stream, byte for byte.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn append_stream(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(line)
    }

    /// Brings the stream to the disk itself: the board may forget what it sent after this.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync_stream(&mut self) -> std::io::Result<()> {
        self.stream.sync_data()
    }

    /// Where everything that programs on the host say to people goes.
    pub fn stderr(&self) -> StderrLog {
        self.stderr.clone()
    }

    /// Writes what became of the host.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_record(&self, record: &HostRecord) -> anyhow::Result<()> {
        write_json(&self.dir.join("host.json"), record)
    }
}

/// A host's standard error: the first part in a file, the last lines in memory for the error message.
#[derive(Clone)]
pub struct StderrLog(Arc<Mutex<StderrState>>);

struct StderrState {
    file: File,
    n_written: usize,
    tail: Vec<u8>,
}

impl StderrLog {
    /// More than this is not kept: a board that floods it must not fill the controller's disk.
    const MAX_BYTES: usize = 1 << 20;

    /// Enough for the lines that an error carries.
    const TAIL_BYTES: usize = 4096;

    fn new(file: File) -> StderrLog {
        StderrLog(Arc::new(Mutex::new(StderrState {
            file,
            n_written: 0,
            tail: Vec::new(),
        })))
    }

    /// Appends a chunk. A full disk costs this text only: results matter more and report the disk themselves.
    pub fn append(&self, chunk: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.n_written < StderrLog::MAX_BYTES && state.file.write_all(chunk).is_ok() {
            state.n_written += chunk.len();
        }
        state.tail.extend_from_slice(chunk);
        let n_excess = state.tail.len().saturating_sub(StderrLog::TAIL_BYTES);
        state.tail.drain(..n_excess);
    }

    /// The last lines.
    pub fn tail(&self) -> Vec<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        transport::tail(&String::from_utf8_lossy(&state.tail))
    }
}

/// A stream that was cut off in the middle of a line gets its end, so that the next message has a line of its own.
fn end_last_line(stream: &Path) -> anyhow::Result<()> {
    let Ok(mut file) = OpenOptions::new().read(true).append(true).open(stream) else {
        return Ok(());
    };
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")
            .with_context(|| format!("cannot write `{}`", stream.display()))?;
    }
    Ok(())
}

/// Writes to a temporary file and renames it: a reader sees the old content or the new, never half of it.
///
/// # Errors
/// When the disk does not take it.
pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    let temporary = path.with_extension("json.tmp");
    fs::write(&temporary, text)
        .with_context(|| format!("cannot write `{}`", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write `{}`", path.display()))
}
