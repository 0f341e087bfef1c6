//! The folder that keeps what must not be lost: the journal, spools, scratch folders, and mostly the program itself.
//!
//! Owns the rule of what may be trusted: a folder and files of the user that measures, which no other user can write,
//! replace or redirect (`owner`). A board may be shared, and folders like `/tmp` belong to all its users: a journal that
//! another user made would be carried out with the rights of this one. Refuses to repair what it does not trust.

mod owner;

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};

pub use self::owner::{own_uid, user_name};

/// Rights of what is made here: no other user has to read it.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A file is opened only if it is one: a link is not followed, and a pipe does not make the opener wait.
const FILE_FLAGS: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// An opened folder that belongs to this user alone.
#[derive(Debug, Clone)]
pub struct Store {
    folder: Arc<OwnedFd>,
    path: PathBuf,
}

impl Store {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; any other when it cannot be opened or another user could change what
    /// lies in it, with the path, its owner and the remedy.
    pub fn open(path: &Path) -> Result<Store> {
        Store::at(path, owner::Missing::Refused)
    }

    /// As [`Store::open`]; folders that are missing are made, for this user only.
    ///
    /// # Errors
    /// When it cannot be made or opened, or must not be used.
    pub fn create(path: &Path) -> Result<Store> {
        Store::at(path, owner::Missing::Made(FOLDER_MODE))
    }

    fn at(path: &Path, missing: owner::Missing) -> Result<Store> {
        let folder = owner::open_folder(path, missing)?;
        // The walk holds a handle that cannot be listed or synchronised.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&folder, ".", flags, Mode::empty())?;
        Ok(Store {
            folder: Arc::new(folder),
            path: path.to_path_buf(),
        })
    }

    /// Its path, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or is not a file of this user alone.
    pub fn open_file(&self, name: &str) -> Result<File> {
        self.file(name, OFlags::RDONLY)
    }

    /// Opens a file for appending, made if it is missing.
    ///
    /// # Errors
    /// When the disk does not take it, or what is there is not a file of this user alone.
    pub fn append_file(&self, name: &str) -> Result<File> {
        let file = self.file(name, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)?;
        owner::expect_one_name(&self.path.join(name), &file)?;
        Ok(file)
    }

    fn file(&self, name: &str, flags: OFlags) -> Result<File> {
        let path = self.path.join(name);
        let mode = Mode::from_raw_mode(FILE_MODE);
        let file = match rustix::fs::openat(&*self.folder, name, flags | FILE_FLAGS, mode) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::LOOP) => return Err(owner::no_file(&path, "a link")),
            // A pipe without a reader.
            Err(rustix::io::Errno::NXIO) => {
                return Err(owner::no_file(&path, "a pipe or a device"));
            }
            Err(error) => return Err(error.into()),
        };
        owner::expect_own_file(&path, &file)?;
        Ok(file)
    }

    /// The whole content of a file; `None` where it is missing.
    ///
    /// # Errors
    /// As [`Store::open_file`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let mut file = match self.open_file(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces a file as a whole and waits for the disk: after a power cut it is the old one or the new one.
    ///
    /// # Errors
    /// When the disk does not take it; the old one is then still there.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let new = new_name(name);
        // Left by a power cut: written again from the beginning, and by a handle that no other process has.
        let _ = self.unlink(&new);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let written = self.file(&new, flags).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            rustix::fs::renameat(&*self.folder, &new, &*self.folder, name)?;
            self.sync()
        });
        if written.is_err() {
            let _ = self.unlink(&new);
        }
        written
    }

    /// Removes a file and waits for the disk; a missing one is removed already.
    ///
    /// # Errors
    /// When it stays.
    pub fn remove(&self, name: &str) -> Result<()> {
        let _ = self.unlink(&new_name(name));
        match self.unlink(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync(),
        }
    }

    fn unlink(&self, name: &str) -> Result<()> {
        Ok(rustix::fs::unlinkat(&*self.folder, name, AtFlags::empty())?)
    }

    fn sync(&self) -> Result<()> {
        Ok(rustix::fs::fsync(&*self.folder)?)
    }

    /// Names of everything in it, in order; those that are not text are left out: nothing here has such a name.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Makes a folder in it, for this user only.
    ///
    /// # Errors
    /// When the disk does not take it, or something of that name is there.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let mode = Mode::from_raw_mode(FOLDER_MODE);
        rustix::fs::mkdirat(&*self.folder, name, mode)?;
        Ok(self.path.join(name))
    }

    /// Removes a folder in it with all it holds; links are removed, not followed.
    pub fn remove_folder(&self, name: &str) {
        let _ = fs::remove_dir_all(self.path.join(name));
    }
}

/// What a file is called until it is whole.
fn new_name(name: &str) -> String {
    format!(".{name}.new")
}

/// Refuses a program whose file another user could have put there or could change.
///
/// # Errors
/// With the path, its owner and the remedy.
pub fn expect_own_program(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::other("the program's own path is not known"))?;
    Store::open(folder)?.open_file(name).map(drop)
}
