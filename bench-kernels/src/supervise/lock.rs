//! One supervisor at a time on a board, from whichever user.
//!
//! A lock belongs to an open file and goes with its process, however that ends. There are two of them:
//!
//! - On a folder that every user has and no user can remove. A file of a user can be unlinked while it is locked, by that
//!   user or by the system, which removes what a user left in `/dev/shm` when the last session ends: the next supervisor
//!   would make and lock a new file.
//! - On a file in that folder, which holds the lease, for people and for programs of before that know no other lock.
//!
//! Both are taken at once or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::holder::{Holder, Inode};
use super::lease::Lease;
use crate::store::user_name;

/// Folders that every user of a Linux system may write to. The first one that is there is used, by its owner and mode and
/// not by who asks: all supervisors of a board have to agree.
const FOLDERS: [&str; 3] = ["/dev/shm", "/run/lock", "/tmp"];

/// Name of the lock in its folder.
const FILE: &str = "memwall-board.lock";

/// How often a busy board is looked at again.
const RETRY: Duration = Duration::from_millis(250);

/// What the board is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Changing settings and measuring: no other process may have the board.
    Measure,
    /// Putting own settings back: a process of another user that does not measure is no obstacle.
    Restore,
}

/// The board, for this process alone until it is dropped.
pub struct BoardLock {
    /// Holds the lease; `None` where putting back goes on without.
    file: Option<File>,
    /// Locked as long as it is open.
    _folder: Option<File>,
    /// The lease of a supervisor that did not get to give the board back.
    pub left_behind: Option<Lease>,
}

/// Why the board could not be had.
#[derive(Debug)]
pub enum NotLocked {
    /// Another process has it, and did not give it back in time.
    Busy(Box<Holder>),
    /// There is no place for a lock.
    Impossible(String),
}

impl NotLocked {
    /// For people.
    pub fn describe(&self) -> String {
        match self {
            NotLocked::Busy(holder) => format!("the board is in use by {}", holder.describe()),
            NotLocked::Impossible(reason) => format!("the board cannot be locked: {reason}"),
        }
    }
}

/// Takes the board, or waits for it at most `wait`, as long as somebody wants it: `waiting` is told again and again whom it
/// waits for, and says whether to go on.
///
/// A supervisor that holds the board beyond its own lease hangs: it is ended where this user may do so.
///
/// # Errors
/// When another process keeps it, or no lock can be made.
pub fn take(
    purpose: Purpose,
    wait: Duration,
    waiting: impl FnMut(&Holder) -> bool,
) -> Result<BoardLock, NotLocked> {
    take_in(folder()?, purpose, wait, waiting)
}

/// The folder of the lock on this board.
fn folder() -> Result<&'static Path, NotLocked> {
    let is_for_all = |folder: &&str| {
        let metadata = std::fs::symlink_metadata(folder);
        metadata.is_ok_and(|it| it.is_dir() && it.mode() & 0o1002 == 0o1002)
    };
    let folder = FOLDERS.into_iter().find(is_for_all).ok_or_else(|| {
        let folders = FOLDERS.join(", ");
        NotLocked::Impossible(format!(
            "none of {folders} is a folder for all users; run `chmod 1777 /tmp` as root"
        ))
    })?;
    Ok(Path::new(folder))
}

fn take_in(
    folder: &Path,
    purpose: Purpose,
    wait: Duration,
    mut waiting: impl FnMut(&Holder) -> bool,
) -> Result<BoardLock, NotLocked> {
    let started = Instant::now();
    loop {
        let holder = match try_take(folder, purpose)? {
            Ok(lock) => return Ok(lock),
            Err(holder) => holder,
        };
        holder.end_if_it_hangs();
        if started.elapsed() >= wait || !waiting(&holder) {
            return Err(NotLocked::Busy(holder));
        }
        std::thread::sleep(RETRY);
    }
}

/// Both locks, or who has the one that is not to be had.
fn try_take(folder: &Path, purpose: Purpose) -> Result<Result<BoardLock, Box<Holder>>, NotLocked> {
    let path = folder.join(FILE);
    // Putting back goes on without a lock that only a process of another user without a run to its name holds.
    let is_needed = |holder: &Holder| purpose == Purpose::Measure || holder.may_measure();
    let opened = File::open(folder).map_err(|error| impossible(folder, &error))?;
    let folder_lock = match lock(opened, folder)? {
        Ok(locked) => Ok(locked),
        Err(inode) => {
            let lease = open(&path).ok().and_then(|file| Lease::read(&file));
            Err(Holder::of(folder, inode, lease))
        }
    };
    let folder_lock = match folder_lock {
        Err(holder) if is_needed(&holder) => return Ok(Err(Box::new(holder))),
        other => other.ok(),
    };
    let file = match open_current(&path) {
        Ok(Err(holder)) if is_needed(&holder) => return Ok(Err(Box::new(holder))),
        Ok(locked) => locked.ok(),
        Err(_) if purpose == Purpose::Restore => None,
        Err(error) => return Err(error),
    };
    Ok(Ok(BoardLock {
        left_behind: file.as_ref().and_then(Lease::read),
        file,
        _folder: folder_lock,
    }))
}

/// The file, locked, and still the one at its path; or who has it.
fn open_current(path: &Path) -> Result<Result<File, Holder>, NotLocked> {
    /// A file that is replaced this often is replaced on purpose.
    const MAX_TRIES: u32 = 100;
    for _ in 0..MAX_TRIES {
        let file = open(path).map_err(|error| impossible(path, &error))?;
        let text = file.try_clone().map_err(|error| impossible(path, &error))?;
        let locked = match lock(file, path)? {
            Ok(locked) => locked,
            Err(inode) => return Ok(Err(Holder::of(path, inode, Lease::read(&text)))),
        };
        // It may have been removed before it was locked: a lock that the next process does not find.
        let inode = Inode::of(&locked).map_err(|error| impossible(path, &error))?;
        if Inode::at(path).is_ok_and(|current| current == inode) {
            return Ok(Ok(locked));
        }
    }
    Err(NotLocked::Impossible(format!(
        "`{}` is replaced again and again; find out which process does that and end it",
        path.display()
    )))
}

/// Locks an open file; which one it is where another process has it.
fn lock(file: File, path: &Path) -> Result<Result<File, Inode>, NotLocked> {
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            let inode = Inode::of(&file).map_err(|error| impossible(path, &error))?;
            Ok(Err(inode))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(impossible(path, &error)),
    }
}

fn impossible(path: &Path, error: &Error) -> NotLocked {
    let owner = std::fs::symlink_metadata(path).ok();
    let owner = owner.filter(|_| error.kind() == ErrorKind::PermissionDenied);
    let remedy = owner.map_or_else(String::new, |metadata| {
        format!(
            "; it belongs to {} and is closed to others: have it removed",
            user_name(metadata.uid())
        )
    });
    NotLocked::Impossible(format!("`{}`: {error}{remedy}", path.display()))
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
            false => {
                let owner = user_name(metadata.uid());
                let text = format!("it is not a plain file but something of {owner}; remove it");
                Err(Error::other(text))
            }
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
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open(path),
        Err(error) => Err(error),
    }
}

impl BoardLock {
    /// Writes down who has the board, for `duration` from now.
    pub fn sign(&self, owner: &str, run_id: &str, duration: Duration) {
        if let Some(file) = &self.file {
            Lease::of_this_process(owner, run_id, duration).write(file);
        }
    }
}

impl Drop for BoardLock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            Lease::clear(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_in(folder: &Path) -> Result<BoardLock, NotLocked> {
        take_in(folder, Purpose::Measure, Duration::ZERO, |_| true)
    }

    #[test]
    fn a_lock_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [other, link, hard] = ["other", "link", "hard"].map(|name| folder.path().join(name));
        std::fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert!(open(&link).is_err());
        std::fs::hard_link(&other, &hard).unwrap();
        assert!(open(&hard).is_err());
        let lock = folder.path().join("lock");
        assert!(open(&lock).is_ok() && open(&lock).is_ok());
    }

    #[test]
    fn one_process_has_the_board_whatever_becomes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let first = try_in(folder.path()).unwrap();
        first.sign("user@machine", "run", Duration::from_secs(60));
        let busy = |cause: &str| {
            let Err(error) = try_in(folder.path()) else {
                panic!("two supervisors have the board: {cause}");
            };
            error.describe()
        };
        assert!(busy("nothing").contains("user@machine (run run, for 0 min"));
        // As a system does when a user's last session ends.
        std::fs::remove_file(&path).unwrap();
        let said = busy("the file was removed");
        assert!(said.starts_with("the board is in use by"), "{said}");
        std::fs::write(&path, "{}").unwrap();
        busy("the file is another one");
        drop(first);
        assert!(try_in(folder.path()).is_ok());
    }

    #[test]
    fn a_program_that_locks_only_the_file_has_the_board() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(&folder.path().join(FILE)).unwrap();
        file.lock().unwrap();
        assert!(matches!(try_in(folder.path()), Err(NotLocked::Busy(_))));
        drop(file);
        assert!(try_in(folder.path()).is_ok());
    }

    #[test]
    fn the_text_of_a_lock_that_was_not_given_back_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let lease = Lease::of_this_process("user", "run", Duration::ZERO);
        let file = open(&folder.path().join(FILE)).unwrap();
        lease.write(&file);
        drop(file);
        let lock = try_in(folder.path()).unwrap();
        assert_eq!(lock.left_behind.as_ref(), Some(&lease));
        drop(lock);
        assert_eq!(try_in(folder.path()).unwrap().left_behind, None);
    }
}
