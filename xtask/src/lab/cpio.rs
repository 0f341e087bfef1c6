//! Writes cpio archives in the "newc" format, which the Linux kernel unpacks as its first root file system.
//!
//! Owns the format alone; what lies in the archive is `image.rs`'s business.
//! Source of the format: `Documentation/driver-api/early-userspace/buffer-format.rst` of the Linux kernel.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// First bytes of every entry: the "newc" format without checksums.
const MAGIC: &str = "070701";

/// Name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// Entries and their bytes start at multiples of this.
const ALIGNMENT: usize = 4;

/// Bits of the file mode that tell what an entry is; source: `inode(7)`.
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder,
    File(Vec<u8>),
}

/// Files and folders of an archive, all of them owned by root, in the order of their paths.
#[derive(Debug, Clone, Default)]
pub struct Archive(BTreeMap<String, (u32, Node)>);

impl Archive {
    /// Adds a folder and the ones above it. `permissions` are the lower twelve bits of its mode.
    pub fn folder(&mut self, path: &str, permissions: u32) {
        self.folders_above(path);
        self.0.insert(path.to_owned(), (permissions, Node::Folder));
    }

    /// Adds a file and the folders above it; a second file of the same path replaces the first.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: impl Into<Vec<u8>>) {
        self.folders_above(path);
        let node = Node::File(bytes.into());
        self.0.insert(path.to_owned(), (permissions, node));
    }

    /// The kernel makes no folder by itself: each needs an entry before what lies in it.
    fn folders_above(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            let above = path[..end].to_owned();
            self.0.entry(above).or_insert((0o755, Node::Folder));
        }
    }

    /// Writes the archive, padded so that another one may follow: the kernel unpacks them one after the other.
    ///
    /// # Errors
    /// When the output takes no more, or a file has 4 GiB or more, which the format cannot say.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        for (inode, (path, (permissions, node))) in (1u32..).zip(&self.0) {
            let (kind, bytes) = match node {
                Node::Folder => (S_IFDIR, [].as_slice()),
                Node::File(bytes) => (S_IFREG, bytes.as_slice()),
            };
            entry(&mut out, inode, kind | permissions, path, bytes)?;
        }
        entry(&mut out, 0, 0, TRAILER, &[])
    }
}

fn entry(out: &mut impl Write, inode: u32, mode: u32, path: &str, bytes: &[u8]) -> io::Result<()> {
    let too_long = |_| io::Error::new(io::ErrorKind::FileTooLarge, path.to_owned());
    let size = u32::try_from(bytes.len()).map_err(too_long)?;
    let name_size = u32::try_from(path.len() + 1).map_err(too_long)?;
    let (owner, group, links, time, device) = (0, 0, 1, 0, 0);
    // In the format's order: inode, mode, owner, group, links, time, size, four device numbers, length of the name, sum.
    let fields = [
        inode, mode, owner, group, links, time, size, device, device, device, device, name_size, 0,
    ];
    let mut header = MAGIC.to_owned();
    for field in fields {
        header += &format!("{field:08x}");
    }
    header += path;
    header.push('\0');
    write_padded(out, header.as_bytes())?;
    write_padded(out, bytes)
}

fn write_padded(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    let n_padding = bytes.len().next_multiple_of(ALIGNMENT) - bytes.len();
    out.write_all(&[0; ALIGNMENT][..n_padding])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, mode and bytes of every entry, read as the format says.
    fn read(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..6], MAGIC.as_bytes());
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[6 + 8 * n..14 + 8 * n]).unwrap();
                u32::from_str_radix(text, 16).unwrap() as usize
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let path = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(ALIGNMENT);
            let content = bytes[start..start + size].to_vec();
            bytes = &bytes[(start + size).next_multiple_of(ALIGNMENT)..];
            entries.push((path, mode as u32, content));
        }
        entries
    }

    #[test]
    fn a_reader_of_the_format_finds_every_entry_after_its_folder() {
        let mut archive = Archive::default();
        archive.file("etc/ssh/key", 0o600, "secret");
        archive.folder("tmp", 0o1777);
        archive.file("init", 0o755, "#!/bin/sh\n");
        archive.file("init", 0o755, "#!/bin/busybox sh\n");
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();
        assert_eq!(bytes.len() % ALIGNMENT, 0, "another archive may follow");
        let expect = [
            ("etc", 0o040_755, ""),
            ("etc/ssh", 0o040_755, ""),
            ("etc/ssh/key", 0o100_600, "secret"),
            ("init", 0o100_755, "#!/bin/busybox sh\n"),
            ("tmp", 0o041_777, ""),
            (TRAILER, 0, ""),
        ];
        let expect =
            expect.map(|(path, mode, text)| (path.to_owned(), mode, text.as_bytes().to_vec()));
        assert_eq!(read(&bytes), expect);
    }
}
