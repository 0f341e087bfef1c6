//! Who may change a path: every component of it, and what it leads to.
//!
//! A folder on the way is trusted when it belongs to root or to this user, and no other user may rename or replace what
//! lies in it: others may not write to it, or it is sticky, as `/tmp` is, where each user can replace own entries only
//! and the next component is held to the same rule. A link is followed when it belongs to root or to this user, as
//! `/home -> /data/home` does; its target is walked in the same way.
//!
//! A group may write where it is the owner's private one, with the same number as the user: many distributions give every
//! user such a group and let it write (umask 002), and only an administrator adds a member to it. Any other group is
//! other users.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// As many links as the kernel itself follows in one path.
const MAX_LINKS: usize = 40;

/// User that the kernel shows for owners which a user namespace does not know.
const UNMAPPED: u32 = 65534;

/// What happens to folders that are missing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missing {
    Refused,
    /// With these rights.
    Made(u32),
}

/// A folder on the way.
struct Step {
    folder: OwnedFd,
    path: PathBuf,
}

/// Opens a folder component by component, so that what was checked is what is opened.
pub(super) fn open_folder(path: &Path, missing: Missing) -> Result<OwnedFd> {
    let mut todo = components(&std::path::absolute(path)?);
    let mut steps = vec![root()?];
    let mut n_links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            if steps.len() > 1 {
                steps.pop();
            }
            continue;
        }
        let here = steps.last().expect("the root stays");
        let path = here.path.join(&name);
        let stat = look(here, &name, missing).map_err(|error| named(&path, error.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => steps.push(enter(here, &name, path)?),
            FileType::Symlink => {
                expect_trusted(&path, stat.st_uid)?;
                n_links += 1;
                if n_links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = rustix::fs::readlinkat(&here.folder, &name, Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    steps.truncate(1);
                }
                todo.extend(components(&target));
            }
            _ => return Err(refusal(&path, "is not a folder", "name another folder")),
        }
    }
    let Step { folder, path } = steps.pop().expect("the root stays");
    let stat = rustix::fs::fstat(&folder)?;
    expect_own(&path, &stat)?;
    Ok(folder)
}

/// Its components, the first one last.
fn components(path: &Path) -> Vec<OsString> {
    let words = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut words: Vec<OsString> = words.collect();
    words.reverse();
    words
}

const FOLDER_FLAGS: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn root() -> Result<Step> {
    let path = PathBuf::from("/");
    let folder = rustix::fs::open(&path, FOLDER_FLAGS, Mode::empty())?;
    expect_kept(&path, &rustix::fs::fstat(&folder)?)?;
    Ok(Step { folder, path })
}

fn look(here: &Step, name: &OsString, missing: Missing) -> rustix::io::Result<Stat> {
    let stat = || rustix::fs::statat(&here.folder, name, AtFlags::SYMLINK_NOFOLLOW);
    match (stat(), missing) {
        (Err(Errno::NOENT), Missing::Made(mode)) => {
            match rustix::fs::mkdirat(&here.folder, name, Mode::from_raw_mode(mode)) {
                // Another process was faster: it is checked like any other.
                Ok(()) | Err(Errno::EXIST) => stat(),
                Err(error) => Err(error),
            }
        }
        (other, _) => other,
    }
}

fn enter(here: &Step, name: &OsString, path: PathBuf) -> Result<Step> {
    let folder = rustix::fs::openat(&here.folder, name, FOLDER_FLAGS, Mode::empty())
        .map_err(|error| named(&path, error.into()))?;
    expect_kept(&path, &rustix::fs::fstat(&folder)?)?;
    Ok(Step { folder, path })
}

/// Refuses a folder in which another user could replace an entry of this one.
fn expect_kept(path: &Path, stat: &Stat) -> Result<()> {
    expect_trusted(path, stat.st_uid)?;
    let is_sticky = stat.st_mode & 0o1000 != 0;
    match others_may_write(stat) && !is_sticky {
        true => Err(refusal(
            path,
            "can be changed by other users, who could replace what lies in it",
            &format!(
                "run `chmod go-w {}`, or keep memwall's files in another folder",
                path.display()
            ),
        )),
        false => Ok(()),
    }
}

/// Refuses what belongs to neither root nor this user.
fn expect_trusted(path: &Path, uid: u32) -> Result<()> {
    let is_trusted = uid == 0 || uid == own_uid() || (uid == UNMAPPED && hides_users());
    match is_trusted {
        true => Ok(()),
        false => Err(foreign(path, uid)),
    }
}

/// Refuses what does not belong to this user, or not to it alone.
fn expect_own(path: &Path, stat: &Stat) -> Result<()> {
    if stat.st_uid != own_uid() {
        return Err(foreign(path, stat.st_uid));
    }
    match others_may_write(stat) {
        true => Err(refusal(
            path,
            "can be changed by other users",
            &format!(
                "see that nothing in it is theirs and run `chmod go-w {}`",
                path.display()
            ),
        )),
        false => Ok(()),
    }
}

/// Refuses what was opened unless it is a plain file of this user alone.
pub(super) fn expect_own_file(path: &Path, file: &File) -> Result<()> {
    let stat = rustix::fs::fstat(file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => expect_own(path, &stat),
        FileType::Directory => Err(no_file(path, "a folder")),
        FileType::Fifo => Err(no_file(path, "a pipe")),
        _ => Err(no_file(path, "a device or a socket")),
    }
}

/// Refuses a file with a second name, through which something else would be written.
pub(super) fn expect_one_name(path: &Path, file: &File) -> Result<()> {
    match rustix::fs::fstat(file)?.st_nlink {
        1 => Ok(()),
        _ => Err(no_file(path, "a second name of another file")),
    }
}

/// The refusal of something that stands where a file should.
pub(super) fn no_file(path: &Path, what: &str) -> Error {
    refusal(path, &format!("is {what}, not a plain file"), "remove it")
}

fn foreign(path: &Path, uid: u32) -> Error {
    let what = format!(
        "belongs to {}, not to {}",
        user_name(uid),
        user_name(own_uid())
    );
    refusal(
        path,
        &what,
        "measure as that user, have it removed, or keep memwall's files in another folder",
    )
}

fn refusal(path: &Path, what: &str, remedy: &str) -> Error {
    let text = format!("`{}` {what}: it is not used; {remedy}", path.display());
    Error::new(ErrorKind::PermissionDenied, text)
}

fn named(path: &Path, error: Error) -> Error {
    Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn others_may_write(stat: &Stat) -> bool {
    let by_group = stat.st_mode & 0o020 != 0 && stat.st_gid != stat.st_uid;
    stat.st_mode & 0o002 != 0 || by_group
}

/// The user whose rights this process has.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether this process runs in a user namespace that does not know all users: there root's own folders seem to belong
/// to nobody, and cannot be told from those of other users outside.
fn hides_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let words: Vec<&str> = map.split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

/// A user for people: the name, where the board has one, and the number.
pub fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    match name {
        Some(name) => format!("user {name} (uid {uid})"),
        None => format!("the user with uid {uid}"),
    }
}
