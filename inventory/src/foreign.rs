//! Files that came from elsewhere (run directories, plans, model files, data files), and files written beside them.
//!
//! Owns how they are opened: regular files only, without waiting, and of a folder only what lies in it: no link inside it
//! is followed. Refuses to understand what is in them.
//!
//! A path that the user names may be a link or lead through links: the user chose it. What lies in the folder that it
//! leads to was chosen by the folder's author, who may have put a link to `~/.ssh` or a pipe there.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// What a path in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else, named for people: `a symbolic link`.
    Other(&'static str),
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What has this name.
    pub kind: Kind,
}

/// A folder whose contents came from elsewhere. Paths in it are relative, have no `.` and no `..`, and no part of them is
/// a link.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
}

/// Opens a file that the user named.
///
/// # Errors
/// When it cannot be opened, or is a folder, a pipe, a socket or a device: those wait, or never end.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device may already do something.
    check_is_file(kind_of(std::fs::metadata(path)?.file_type()))?;
    let fd = rustix::fs::open(path, READ, Mode::empty())?;
    regular(fd)
}

/// Reads a file that the user named.
///
/// # Errors
/// As [`open`], and when it has more than `max_bytes`.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?, max_bytes)
}

impl Folder {
    /// Opens a folder that the user named.
    ///
    /// # Errors
    /// When it cannot be opened or is not a folder.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let fd = rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?;
        Ok(Folder { fd })
    }

    /// A folder in this one.
    ///
    /// # Errors
    /// When it is missing or not a folder, or the path leads through a link or out of this folder.
    pub fn folder(&self, place: &str) -> io::Result<Folder> {
        let mut folder = self.copy()?;
        for name in names(place)? {
            folder = folder.inner(name)?;
        }
        Ok(folder)
    }

    /// A folder in this one, which is made where it is missing. A link or a file that has a name of the path goes: only
    /// what memwall writes has these names.
    ///
    /// # Errors
    /// When it cannot be made, or the path leads out of this folder.
    pub fn make(&self, place: &str) -> io::Result<Folder> {
        let mut folder = self.copy()?;
        for name in names(place)? {
            match folder.kind_of(name)? {
                Some(Kind::Folder) => {}
                Some(_) => rustix::fs::unlinkat(&folder.fd, name, AtFlags::empty())?,
                None => {}
            }
            match rustix::fs::mkdirat(&folder.fd, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = folder.inner(name)?;
        }
        Ok(folder)
    }

    /// What a path in this folder is; `None` when nothing is there.
    ///
    /// # Errors
    /// When the path leads through a link, a file or out of this folder, or cannot be looked at.
    pub fn kind(&self, place: &str) -> io::Result<Option<Kind>> {
        match self.parent_of(place) {
            Ok((folder, name)) => folder.kind_of(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a file in this folder.
    ///
    /// # Errors
    /// As [`open`], and when the path leads through a link or out of this folder.
    pub fn open_file(&self, place: &str) -> io::Result<File> {
        let (folder, name) = self.parent_of(place)?;
        let kind = folder.kind_of(name)?;
        check_is_file(kind.ok_or(io::Error::from(Errno::NOENT))?)?;
        let fd = rustix::fs::openat(&folder.fd, name, READ | OFlags::NOFOLLOW, Mode::empty())?;
        regular(fd)
    }

    /// Reads a file in this folder.
    ///
    /// # Errors
    /// As [`Folder::open_file`], and when it has more than `max_bytes`.
    pub fn read(&self, place: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        whole(self.open_file(place)?, max_bytes)
    }

    /// Reads the first `max_bytes` of a file in this folder, and whether there are more.
    ///
    /// # Errors
    /// As [`Folder::open_file`].
    pub fn read_start(&self, place: &str, max_bytes: u64) -> io::Result<(Vec<u8>, bool)> {
        let mut file = self.open_file(place)?.take(max_bytes);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let has_more = file.into_inner().read(&mut [0])? > 0;
        Ok((bytes, has_more))
    }

    /// Everything in this folder, sorted by name.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // It may have been removed meanwhile.
            if let Some(kind) = self.kind_of(name)? {
                let name = name.to_owned();
                entries.push(Entry { name, kind });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Writes a file beside its place and renames it, so that a reader sees the old content or the new, never half of it.
    /// Folders of the path are made. A link in its place is replaced, and what it points to stays as it is.
    ///
    /// # Errors
    /// When the disk does not take it, a folder has this name, or the path leads out of this folder.
    pub fn replace(&self, place: &str, bytes: &[u8]) -> io::Result<()> {
        let (folders, name) = split(place)?;
        let folder = match folders {
            Some(folders) => self.make(folders)?,
            None => self.copy()?,
        };
        // Readers of run directories pass over what ends like this: a writer that was killed left it.
        let beside = format!("{name}.json.tmp");
        match rustix::fs::unlinkat(&folder.fd, beside.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let fd = rustix::fs::openat(
            &folder.fd,
            beside.as_str(),
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o666),
        )?;
        File::from(fd).write_all(bytes)?;
        rustix::fs::renameat(&folder.fd, beside.as_str(), &folder.fd, name)?;
        Ok(())
    }

    /// Opens a file in this folder to lock it, and makes it where it is missing; its content stays.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is a link or anything else than a regular file.
    pub fn open_lock(&self, name: &str) -> io::Result<File> {
        let (folder, name) = self.parent_of(name)?;
        if let Some(kind) = folder.kind_of(name)? {
            check_is_file(kind)?;
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOCTTY | OFlags::CLOEXEC;
        regular(rustix::fs::openat(
            &folder.fd,
            name,
            flags,
            Mode::from_raw_mode(0o666),
        )?)
    }

    /// Removes a file or link of this folder; nothing happens where nothing is.
    ///
    /// # Errors
    /// When it is a folder or cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let (folder, name) = self.parent_of(name)?;
        match rustix::fs::unlinkat(&folder.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn copy(&self) -> io::Result<Folder> {
        let fd = self.fd.try_clone()?;
        Ok(Folder { fd })
    }

    /// The folder that a path leads to, and the last name of the path.
    fn parent_of<'a>(&self, place: &'a str) -> io::Result<(Folder, &'a OsStr)> {
        let (folders, name) = split(place)?;
        let folder = match folders {
            Some(folders) => self.folder(folders)?,
            None => self.copy()?,
        };
        Ok((folder, OsStr::new(name)))
    }

    fn inner(&self, name: &OsStr) -> io::Result<Folder> {
        match self.kind_of(name)? {
            None => Err(Errno::NOENT.into()),
            Some(Kind::Folder) => {
                let flags = FOLDER | OFlags::NOFOLLOW;
                let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
                Ok(Folder { fd })
            }
            Some(other) => Err(refused(format!(
                "`{}` is {} and no folder",
                name.display(),
                other.name()
            ))),
        }
    }

    fn kind_of(&self, name: &OsStr) -> io::Result<Option<Kind>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Kind::of(FileType::from_raw_mode(stat.st_mode)))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Kind {
    fn of(file_type: FileType) -> Kind {
        match file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Other("a symbolic link"),
            FileType::Fifo => Kind::Other("a pipe"),
            FileType::Socket => Kind::Other("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Kind::Other("a device"),
            _ => Kind::Other("of an unknown kind"),
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "a regular file",
            Kind::Folder => "a folder",
            Kind::Other(name) => name,
        }
    }
}

/// Never waits for the other end of a pipe, never makes a terminal the program's own.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// The file behind a descriptor, which may be another than the one that was looked at before.
fn regular(fd: OwnedFd) -> io::Result<File> {
    let stat = rustix::fs::fstat(&fd)?;
    check_is_file(Kind::of(FileType::from_raw_mode(stat.st_mode)))?;
    Ok(File::from(fd))
}

fn kind_of(file_type: std::fs::FileType) -> Kind {
    use std::os::unix::fs::FileTypeExt as _;
    let kinds = [
        (file_type.is_file(), Kind::File),
        (file_type.is_dir(), Kind::Folder),
        (file_type.is_fifo(), Kind::Other("a pipe")),
        (file_type.is_socket(), Kind::Other("a socket")),
    ];
    let found = kinds.into_iter().find(|(is_it, _)| *is_it);
    found.map_or(Kind::Other("a device"), |(_, kind)| kind)
}

fn check_is_file(kind: Kind) -> io::Result<()> {
    match kind {
        Kind::File => Ok(()),
        other => Err(refused(format!(
            "it is {}, not a regular file",
            other.name()
        ))),
    }
}

/// All of a file, unless it has more than it may.
fn whole(file: File, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The size that the file system tells says nothing of a file that grows.
    let n_read = file
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    match n_read as u64 > max_bytes {
        true => Err(refused(format!("it has more than {max_bytes} bytes"))),
        false => Ok(bytes),
    }
}

fn names(place: &str) -> io::Result<Vec<&OsStr>> {
    let name = |component| match component {
        Component::Normal(name) => Ok(name),
        _ => Err(outside(place)),
    };
    let names: Vec<&OsStr> = (Path::new(place).components())
        .map(name)
        .collect::<io::Result<_>>()?;
    match names.is_empty() {
        true => Err(outside(place)),
        false => Ok(names),
    }
}

/// The folders of a path, and its last name.
fn split(place: &str) -> io::Result<(Option<&str>, &str)> {
    names(place)?;
    match place.rsplit_once('/') {
        Some((_, "")) => Err(outside(place)),
        Some((folders, name)) => Ok((Some(folders), name)),
        None => Ok((None, place)),
    }
}

fn outside(place: &str) -> io::Error {
    refused(format!("`{place}` is not a path inside this folder"))
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests;
