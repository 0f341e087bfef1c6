//! Writing a run directory: whatever is known goes to disk within 20 ms, so that a killed controller loses
//! nothing that the board does not have any more.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bench_inventory::foreign::Folder;
use bench_protocol::RunRequest;
use bench_run_dir::plan::PlanRecord;
use bench_run_dir::{self, HostRecord, LeftOut, RUN_DIR_VERSION, RunManifest, Shard};
use jiff::Timestamp;
use serde::Serialize;

use crate::disk::{self, Disk, write_json};
use crate::exit::ExitError;
use crate::shard::shard_of;
use crate::{commands, transport, workspace};

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
            command: (std::env::args_os().skip(1))
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect(),
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
            shape: plan.shape.clone(),
            plan_hash: Some(plan.hash.clone()),
            planned_hosts,
            shard,
            budget_s: plan.budget_s,
            rounds: plan.rounds,
            compare_environment: plan.compare_environment,
            ..RunManifest::default()
        };
        let lock = lock(&dir)?;
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

    /// The directory of a run that is resumed. The caller holds its lock.
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
            stream: Disk::new(open("stream.jsonl")?),
            stderr: StderrLog::new(open("stderr.txt")?),
            dir,
        })
    }

    /// Writes the hashes of all files that are not derived: the run has ended.
    ///
    /// # Errors
    /// When a file cannot be read or the disk does not take the list.
    pub fn seal(&self) -> anyhow::Result<()> {
        bench_run_dir::files::seal(&self.dir)
    }

    /// What the host was in the run before. A nightly shard has a folder of its own: the runs before lie in the usual one.
    fn copy_previous(&self, host: &str, dir: &Path) -> anyhow::Result<()> {
        let usual = workspace::default_runs_dir();
        let folders = [self.dir.parent(), Some(usual.as_path())];
        let mut folders = folders.into_iter().flatten();
        match folders.find_map(|runs| bench_run_dir::last_facts(runs, host)) {
            Some(facts) => write_json(&dir.join("previous.json"), &facts),
            None => Ok(()),
        }
    }

    fn copy_inventory(&self, suite: &str, fleet: Option<&Path>) -> anyhow::Result<()> {
        let target = self.dir.join("inventory");
        for (relative, file) in workspace::inventory_files(suite, fleet) {
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

/// Makes the run's directory this controller's own until the file is dropped.
///
/// # Errors
/// When another controller has it, or the disk takes no file.
pub fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("controller.lock");
    let file = Folder::open(dir).and_then(|run| run.open_lock("controller.lock"));
    let file = file.with_context(|| format!("cannot make `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ExitError::usage(format!(
            "another controller works on `{}`; wait for it or end it",
            dir.display()
        ))
        .into()),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
        }
    }
}

/// The files of one host.
pub struct HostFiles {
    dir: PathBuf,
    stream: Disk,
    stderr: StderrLog,
}

impl HostFiles {
    /// Keeps the request as it is sent, but for its owner where that is private.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn write_request(&self, request: &RunRequest) -> anyhow::Result<()> {
        let (path, text) = (self.dir.join("request.json"), request.to_pretty());
        let write = move || disk::replace(&path, text.as_bytes());
        self.stream.call(write).await
    }

    /// Keeps what the time budget left out, if it left anything out.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn write_left_out(&self, left_out: Option<LeftOut>) -> anyhow::Result<()> {
        match left_out {
            Some(left_out) => self.write("left_out.json", left_out).await,
            None => Ok(()),
        }
    }

    /// Appends one line of the stream.
    ///
    /// # Errors
    /// When the disk did not take an earlier one.
    pub async fn append_stream(&self, line: Vec<u8>) -> std::io::Result<()> {
        self.stream.append(line).await
    }

    /// Brings the stream to the disk itself: the board may forget what it sent after this.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn sync_stream(&self) -> std::io::Result<()> {
        self.stream.sync().await
    }

    /// Where everything that programs on the host say to people goes.
    pub fn stderr(&self) -> StderrLog {
        self.stderr.clone()
    }

    /// Writes what became of the host, after everything else is written.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn write_record(&self, record: &HostRecord) -> anyhow::Result<()> {
        let _ = self.stderr.disk.sync().await;
        self.write("host.json", record.clone()).await
    }

    async fn write(
        &self,
        name: &str,
        value: impl Serialize + Send + 'static,
    ) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        self.stream.call(move || write_json(&path, &value)).await
    }
}

/// A host's standard error: the first part in a file, the last lines in memory for the error message.
#[derive(Clone)]
pub struct StderrLog {
    disk: Disk,
    state: Arc<Mutex<StderrState>>,
}

#[derive(Default)]
struct StderrState {
    n_written: usize,
    tail: Vec<u8>,
}

impl StderrLog {
    /// More than this is not kept: a board that floods it must not fill the controller's disk.
    const MAX_BYTES: usize = 1 << 20;

    /// Enough for the lines that an error carries.
    const TAIL_BYTES: usize = 4096;

    fn new(file: File) -> StderrLog {
        StderrLog {
            disk: Disk::new(file),
            state: Arc::default(),
        }
    }

    /// Appends a line. A full disk costs this text only: results matter more and report the disk themselves.
    pub async fn append(&self, line: &[u8]) {
        let is_kept = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.tail.extend_from_slice(line);
            let n_excess = state.tail.len().saturating_sub(StderrLog::TAIL_BYTES);
            state.tail.drain(..n_excess);
            state.n_written += line.len();
            state.n_written <= StderrLog::MAX_BYTES
        };
        if is_kept {
            let _ = self.disk.append(line.to_vec()).await;
        }
    }

    /// The last lines.
    pub fn tail(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        transport::tail(&String::from_utf8_lossy(&state.tail))
    }
}

/// Ends the last line of a stream, which the controller's own end cut off: a message that lacks nothing but its end is kept,
/// the beginning of one is removed, as the board has it whole and what counts the lines that arrived must not count it.
fn end_last_line(stream: &Path) -> anyhow::Result<()> {
    let Ok(mut file) = OpenOptions::new().read(true).write(true).open(stream) else {
        return Ok(());
    };
    let cannot = || format!("cannot mend `{}`", stream.display());
    let size = file.metadata().with_context(cannot)?.len();
    let mut end = size;
    let mut chunk = vec![0; 1 << 16];
    while end > 0 {
        let begin = end.saturating_sub(chunk.len() as u64);
        let part = &mut chunk[..(end - begin) as usize];
        file.seek(SeekFrom::Start(begin)).with_context(cannot)?;
        file.read_exact(part).with_context(cannot)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = begin + at as u64 + 1;
            break;
        }
        end = begin;
    }
    let mut last = Vec::new();
    file.seek(SeekFrom::Start(end)).with_context(cannot)?;
    let mut limited = (&mut file).take(bench_run_dir::MAX_LINE_BYTES);
    limited.read_to_end(&mut last).with_context(cannot)?;
    let text = std::str::from_utf8(&last).ok();
    match text.and_then(|text| bench_protocol::parse_line(text).ok()) {
        Some(_) => file
            .seek(SeekFrom::Start(size))
            .and_then(|_| file.write_all(b"\n"))
            .with_context(cannot),
        None => file.set_len(end).with_context(cannot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_with_a_line_of_its_own() {
        let note = r#"{"type":"note","text":"t"}"#;
        let long = "x".repeat(1 << 17);
        let check = |before: &str, expect: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), before).unwrap();
            end_last_line(file.path()).unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), expect);
        };
        let whole = format!("{note}\n");
        check("", "");
        check(&whole, &whole);
        check(note, &whole);
        check(&note[..9], "");
        check(&format!("{whole}{}", &note[..9]), &whole);
        check(&format!("{whole}{note}"), &format!("{whole}{whole}"));
        check(&format!("{long}\n{long}"), &format!("{long}\n"));
    }
}
