//! Which process holds a lock, by what the kernel says about it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lease::Lease;
use super::process;
use crate::store::{own_uid, user_name};

/// A lock that another process holds.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Where the lock is.
    path: PathBuf,
    inode: Inode,
    /// Its process; `None` where the kernel does not show it to this user.
    pid: Option<u32>,
    uid: Option<u32>,
    /// What is written in the lock, if this process wrote it, or may have.
    lease: Option<Lease>,
}

/// Identifies a file, as the kernel's list of locks does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    /// Of an open file.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn of(file: &File) -> std::io::Result<Inode> {
        file.metadata().map(|metadata| Inode::from(&metadata))
    }

    /// Of what is at a path, links not followed.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn at(path: &Path) -> std::io::Result<Inode> {
        fs::symlink_metadata(path).map(|metadata| Inode::from(&metadata))
    }

    fn from(metadata: &fs::Metadata) -> Inode {
        Inode {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }
}

/// A lock in a list of the kernel, `1: FLOCK  ADVISORY  WRITE 123 00:1a:456 0 EOF`: the process and the file. A process
/// that waits for one has an arrow in its line.
fn parse_lock(line: &str) -> Option<(u32, Inode)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "FLOCK")?;
    if words[..at].contains(&"->") {
        return None;
    }
    let pid = words.get(at + 3)?.parse().ok()?;
    let mut place = words.get(at + 4)?.split(':');
    let major = u32::from_str_radix(place.next()?, 16).ok()?;
    let minor = u32::from_str_radix(place.next()?, 16).ok()?;
    let number = place.next()?.parse().ok()?;
    let device = libc::makedev(major, minor);
    Some((pid, Inode { device, number }))
}

impl Holder {
    /// Who holds the lock on the file at `path`; `lease` is what is written in it.
    pub fn of(path: &Path, inode: Inode, lease: Option<Lease>) -> Holder {
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let holders = locks.lines().filter_map(parse_lock);
        let pid = holders
            .filter(|(_, locked)| *locked == inode)
            .map(|(pid, _)| pid)
            // A process of another process namespace has no id here.
            .find(|pid| *pid > 0);
        // Anybody may have written it: the one who holds the lock is asked, not the one who says so.
        let lease = lease
            .filter(|lease| pid.is_none_or(|pid| pid == lease.pid))
            .filter(Lease::is_alive);
        Holder {
            path: path.to_path_buf(),
            inode,
            pid,
            uid: pid.and_then(process::uid),
            lease,
        }
    }

    /// Whether it may change settings in this user's name, or measures: a process of another user that only holds the lock
    /// keeps nobody from putting own settings back.
    pub fn may_measure(&self) -> bool {
        let is_foreign = self.uid.is_some_and(|uid| uid != own_uid());
        let has_lease = self.lease.as_ref().is_some_and(|lease| !lease.is_over());
        has_lease || !is_foreign
    }

    /// Ends it if it is a supervisor that should have ended by itself.
    ///
    /// The lease alone proves nothing: only a process that took the lock itself and still has it is ended, and only one
    /// of this user, or any where this is root.
    pub fn end_if_it_hangs(&self) {
        let Some(lease) = self.lease.as_ref().filter(|lease| lease.is_over()) else {
            return;
        };
        process::end_if(lease.pid, |pid| {
            let is_allowed = own_uid() == 0 || process::uid(pid) == Some(own_uid());
            is_allowed && lease.is_alive() && has_locked(pid, self.inode)
        });
    }

    /// Who it is, for people.
    pub fn describe(&self) -> String {
        let process = self.pid.map(|pid| {
            let name = process::name(pid).map_or_else(String::new, |name| format!(" (`{name}`)"));
            let user = self
                .uid
                .map_or_else(String::new, |uid| format!(" of {}", user_name(uid)));
            format!("process {pid}{name}{user}")
        });
        match (&self.lease, process) {
            (Some(lease), process) => {
                let minutes = process::boot_seconds().saturating_sub(lease.since_s) / 60;
                let process = process.map_or_else(String::new, |process| format!(", {process}"));
                format!(
                    "{} (run {}, for {minutes} min{process})",
                    lease.owner, lease.run_id
                )
            }
            (None, Some(process)) => format!(
                "{process}, which holds `{}` without saying for which run; end it if it does not measure",
                self.path.display()
            ),
            (None, None) => format!(
                "a process that this user cannot see, which holds `{}`",
                self.path.display()
            ),
        }
    }
}

/// Whether a process took a lock itself and has it still. A descriptor can be given away, and then shows the process
/// that took the lock.
fn has_locked(pid: u32, inode: Inode) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo"));
    let texts = (descriptors.into_iter().flatten().flatten())
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts
        .flat_map(|text| text.lines().filter_map(parse_lock).collect::<Vec<_>>())
        .any(|lock| lock == (pid, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_read_from_the_kernels_list() {
        let inode = Inode {
            device: libc::makedev(0, 0x1a),
            number: 456,
        };
        let check = |line: &str, expect| assert_eq!(parse_lock(line), expect, "{line}");
        check(
            "1: FLOCK  ADVISORY  WRITE 123 00:1a:456 0 EOF",
            Some((123, inode)),
        );
        check(
            "lock:\t1: FLOCK  ADVISORY  WRITE 0 00:1a:456 0 EOF",
            Some((0, inode)),
        );
        check("1: -> FLOCK  ADVISORY  WRITE 123 00:1a:456 0 EOF", None);
        check("1: POSIX  ADVISORY  WRITE 123 00:1a:456 0 EOF", None);
        check("flags:\t0100000", None);
        check("1: FLOCK", None);
    }

    #[test]
    fn the_holder_of_a_lock_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (path, inode) = (file.path(), Inode::of(file.as_file()).unwrap());
        let own = std::process::id();
        assert!(!has_locked(own, inode));
        file.as_file().lock().unwrap();
        if Holder::of(path, inode, None).pid.is_none() {
            // Some file systems number their files otherwise there.
            eprintln!("NOT TESTED: the kernel does not list the locks of this folder");
            return;
        }
        assert!(has_locked(own, inode));
        let holder = Holder::of(path, inode, None);
        assert_eq!((holder.pid, holder.uid), (Some(own), Some(own_uid())));
        assert!(holder.may_measure());
        let said = holder.describe();
        assert!(said.contains(&format!("process {own} (`")), "{said}");
        assert!(said.contains(&user_name(own_uid())), "{said}");
    }
}
