//! Who uses this board: one supervisor at a time, whoever started it.
//!
//! The lock belongs to an open file and goes with its process, however that ends. The text in the file, the lease,
//! names the owner and when it expires, for whoever comes meanwhile; without the lock it means nothing.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::process;

/// Folders that every user of a Linux system may write to. The first one that exists is used: all supervisors of a
/// board have to agree.
const FOLDERS: [&str; 3] = ["/dev/shm", "/run/lock", "/tmp"];

/// Name of the lock in its folder.
const FILE: &str = "memwall-board.lock";

/// How often a busy board is looked at again.
const RETRY: Duration = Duration::from_millis(250);

/// Who has the board, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who measures, as the request says.
    pub owner: String,
    /// The run.
    pub run_id: String,
    /// Process id of the supervisor.
    pub pid: u32,
    /// When that process started, in ticks since boot: a process id is used again.
    pub start_ticks: u64,
    /// The boot that the times belong to.
    pub boot_id: String,
    /// Seconds since boot at which it began. Not wall time: the clock of a board jumps when it finds a time server.
    pub since_s: u64,
    /// Seconds since boot at which the supervisor ends itself.
    pub expires_s: u64,
}

/// The board, for this process alone until it is dropped.
pub struct BoardLock {
    file: File,
    /// The lease of a supervisor that did not get to give the board back.
    pub left_behind: Option<Lease>,
}

/// Why the board could not be had.
#[derive(Debug)]
pub enum NotLocked {
    /// Somebody else has it, and did not give it back in time.
    Busy(Option<Lease>),
    /// There is no place for a lock.
    Impossible(String),
}

/// The lock's place on this board.
///
/// # Errors
/// When no folder is there.
fn place() -> Result<PathBuf, NotLocked> {
    let folder = FOLDERS
        .into_iter()
        .find(|folder| Path::new(folder).is_dir());
    let folder = folder.ok_or_else(|| {
        NotLocked::Impossible(format!("the board has none of {}", FOLDERS.join(", ")))
    })?;
    Ok(Path::new(folder).join(FILE))
}

/// Takes the board, or waits for it at most `wait`, as long as somebody wants it: `waiting` is told again and again whom it
/// waits for, and says whether to go on.
///
/// A supervisor that holds the board beyond its own lease hangs: it is ended where this user may do so.
///
/// # Errors
/// When somebody else keeps it, or no lock can be made.
pub fn take(
    wait: Duration,
    mut waiting: impl FnMut(Option<&Lease>) -> bool,
) -> Result<BoardLock, NotLocked> {
    let path = place()?;
    let mut file = open(&path)
        .map_err(|error| NotLocked::Impossible(format!("`{}`: {error}", path.display())))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                let left_behind = read(&mut file);
                return Ok(BoardLock { file, left_behind });
            }
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(NotLocked::Impossible(format!(
                    "`{}`: {error}",
                    path.display()
                )));
            }
        }
        let lease = read(&mut file);
        // Anybody may write the lease: only a process that has the lock itself open is ended.
        let hangs = |lease: &&Lease| lease.is_overdue() && process::has_open(lease.pid, &path);
        if let Some(lease) = lease.as_ref().filter(hangs) {
            process::end(lease.pid);
        }
        if started.elapsed() >= wait || !waiting(lease.as_ref()) {
            return Err(NotLocked::Busy(lease));
        }
        std::thread::sleep(RETRY);
    }
}

/// Opens the lock for every user. A file of another user in a shared folder may be opened but not created again, so
/// creating comes second. What stands in the folder may be anybody's: a link to another file would have that file
/// overwritten, and is refused.
fn open(path: &Path) -> std::io::Result<File> {
    const FLAGS: libc::c_int = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let open = |path: &Path| {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(FLAGS);
        let opened = match options.clone().write(true).open(path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => options.open(path),
            other => other,
        };
        let file = opened?;
        let metadata = file.metadata()?;
        match metadata.is_file() && metadata.nlink() == 1 {
            true => Ok(file),
            false => Err(std::io::Error::other("it is no plain file; remove it")),
        }
    };
    match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other,
    }
    let mut create = OpenOptions::new();
    create.read(true).write(true).create_new(true).mode(0o666);
    match create.open(path) {
        Ok(file) => {
            // The umask took rights away that the other users need.
            file.set_permissions(Permissions::from_mode(0o666))?;
            Ok(file)
        }
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open(path),
        Err(error) => Err(error),
    }
}

fn read(file: &mut File) -> Option<Lease> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(64 << 10).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

impl BoardLock {
    /// Writes down who has the board, for `duration` from now. A full disk costs the text only: the lock holds without.
    pub fn sign(&mut self, owner: &str, run_id: &str, duration: Duration) {
        let pid = std::process::id();
        let since_s = process::boot_seconds();
        let lease = Lease {
            owner: owner.to_string(),
            run_id: run_id.to_string(),
            pid,
            start_ticks: process::start_ticks(pid).unwrap_or(0),
            boot_id: process::boot_id(),
            since_s,
            expires_s: since_s.saturating_add(duration.as_secs()),
        };
        let text = serde_json::to_string(&lease).expect("a lease holds no maps");
        let _ = self.replace(&text);
    }

    fn replace(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for BoardLock {
    fn drop(&mut self) {
        // A lease without its lock would look like one that was left behind.
        let _ = self.replace("");
    }
}

impl Lease {
    /// Whether its supervisor should have ended by itself, and is still the process that wrote it.
    fn is_overdue(&self) -> bool {
        self.boot_id == process::boot_id()
            && process::boot_seconds() > self.expires_s
            && process::start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Who has it, for people.
    pub fn describe(&self) -> String {
        let minutes = process::boot_seconds().saturating_sub(self.since_s) / 60;
        format!("{} (run {}, for {minutes} min)", self.owner, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        let pid = std::process::id();
        Lease {
            owner: "somebody".into(),
            run_id: "run".into(),
            pid,
            start_ticks: process::start_ticks(pid).unwrap(),
            boot_id: process::boot_id(),
            since_s: 0,
            expires_s: 0,
        }
    }

    #[test]
    fn a_lock_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (other, link, hard) = ["other", "link", "hard"]
            .map(|name| folder.path().join(name))
            .into();
        std::fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert!(open(&link).is_err());
        std::fs::hard_link(&other, &hard).unwrap();
        assert!(open(&hard).is_err());
        let lock = folder.path().join("lock");
        let file = open(&lock).unwrap();
        assert!(open(&lock).is_ok() && process::has_open(std::process::id(), &lock));
        drop(file);
        assert!(!process::has_open(std::process::id(), &lock));
    }

    #[test]
    fn a_lease_is_overdue_only_while_its_own_process_lives() {
        assert!(lease().is_overdue());
        let other_boot = Lease {
            boot_id: "before".into(),
            ..lease()
        };
        let other_process = Lease {
            start_ticks: 1,
            ..lease()
        };
        let running = Lease {
            expires_s: u64::MAX,
            ..lease()
        };
        assert!(!other_boot.is_overdue() && !other_process.is_overdue() && !running.is_overdue());
    }
}
