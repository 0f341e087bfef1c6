//! What every lab board boots: Debian's arm64 kernel, and a small user land in memory with an SSH server.
//!
//! Made once from packages and kept, with the packages' versions and hashes beside it. What makes one board differ from
//! another (its keys, its name) is a second archive behind this one, see `board.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cpio::Archive;
use super::packages::{self, Packages};
use crate::elf::Elf;

/// Raised whenever the image is made otherwise: an older one is then made again. `init.sh` counts by its text.
///
/// 1: first.
const RECIPE: u32 = 1;

/// First process of a board.
const INIT: &str = include_str!("init.sh");

/// What a board runs.
const USER_LAND: [&str; 3] = ["busybox-static", "openssh-server", "openssh-sftp-server"];

/// Depends on the newest kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-arm64";

/// Programs of the user land, and where they lie on the board. The first three are in every Debian, the others since 13.
const PROGRAMS: [(&str, &str, bool); 5] = [
    ("busybox", "bin/busybox", true),
    ("sshd", "usr/sbin/sshd", true),
    ("sftp-server", "usr/lib/openssh/sftp-server", true),
    ("sshd-session", "usr/lib/openssh/sshd-session", false),
    ("sshd-auth", "usr/lib/openssh/sshd-auth", false),
];

/// Kernel modules for qemu's network card and random numbers; what a kernel has built in is no module of it.
const MODULES: [&str; 9] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio-rng",
];

/// Loader of dynamic programs; its path is part of every one of them.
const LOADER: &str = "ld-linux-aarch64.so.1";

const SSHD_CONFIG: &str = "\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
MaxStartups 50
MaxSessions 50
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// `root` for looking around, `bench` for measuring; neither has a password.
const PASSWD: &str = "\
root:*:0:0:root:/root:/bin/sh
sshd:*:100:65534::/run/sshd:/bin/false
nobody:*:65534:65534:nobody:/:/bin/false
bench:*:1000:1000:bench:/home/bench:/bin/sh
";

/// The image's files.
#[derive(Debug, Clone)]
pub struct Image {
    /// Kernel.
    pub kernel: PathBuf,
    /// Root file system: a cpio archive, uncompressed, behind which another may follow.
    pub root_fs: PathBuf,
    /// Release of the kernel and what else people are told about the image.
    pub origin: Origin,
}

/// What an image was made from; beside it as `packages.json`, written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// How it was made: recipe and the hash of the first process.
    pub recipe: String,
    /// Kernel's package with its version.
    pub kernel: String,
    /// Packages by name.
    pub packages: BTreeMap<String, Package>,
    /// SHA-256 of `vmlinuz`, hexadecimal.
    pub kernel_sha256: String,
    /// SHA-256 of `base.cpio`, hexadecimal.
    pub root_fs_sha256: String,
}

/// A package as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Debian version.
    pub version: String,
    /// SHA-256 of the package file, hexadecimal.
    pub sha256: String,
}

/// The image in `dir`; made first, from packages, where there is none. Others that want it meanwhile wait.
///
/// # Errors
/// When the packages cannot be had or are not what they were, or the disk is full.
pub fn ensure(dir: &Path) -> anyhow::Result<Image> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    let lock = File::create(dir.join("lock"))?;
    lock.lock().context("cannot lock the image's folder")?;
    if let Some(image) = existing(dir) {
        return Ok(image);
    }
    eprintln!("making the boards' image from Debian's arm64 packages (about 50 MB to fetch, once)");
    let work = tempfile::Builder::new().prefix("work-").tempdir_in(dir)?;
    let origin = make(dir, work.path())?;
    fs::write(
        dir.join("packages.json"),
        serde_json::to_vec_pretty(&origin)?,
    )?;
    existing(dir).context("the image was made and cannot be read")
}

fn existing(dir: &Path) -> Option<Image> {
    let origin = fs::read(dir.join("packages.json")).ok()?;
    let origin: Origin = serde_json::from_slice(&origin).ok()?;
    let image = Image {
        kernel: dir.join("vmlinuz"),
        root_fs: dir.join("base.cpio"),
        origin,
    };
    let is_whole = image.origin.recipe == recipe()
        && hash_of(&image.kernel).is_ok_and(|hash| hash == image.origin.kernel_sha256)
        && hash_of(&image.root_fs).is_ok_and(|hash| hash == image.origin.root_fs_sha256);
    is_whole.then_some(image)
}

fn recipe() -> String {
    format!(
        "{RECIPE} {}",
        &base16ct::lower::encode_string(&Sha256::digest(INIT.as_bytes()))[..16]
    )
}

fn make(dir: &Path, work: &Path) -> anyhow::Result<Origin> {
    let packages = Packages::open(&work.join("apt"))?;
    let wanted: Vec<&str> = USER_LAND.into_iter().chain([KERNEL]).collect();
    let (names, kernel) = needed(packages.closure(&wanted)?)?;
    let files = packages.download(&names)?;
    let mut known = BTreeMap::new();
    for file in &files {
        let (name, version) = packages::name_and_version(file)
            .with_context(|| format!("`{}` has no name of a package", file.display()))?;
        let sha256 = hash_of(file)?;
        known.insert(name, Package { version, sha256 });
    }
    let unpacked = work.join("unpacked");
    packages::unpack(&files, &unpacked)?;
    let tree = Tree::read(&unpacked)?;
    let root_fs = root_fs(&tree)?;
    // The modules belong to this kernel: no older one may stand beside them.
    let image = tree
        .find_prefix("vmlinuz-")
        .context("the kernel's package has no kernel")?;
    fs::copy(image, dir.join("vmlinuz"))?;
    let mut out = BufWriter::new(File::create(dir.join("base.cpio"))?);
    root_fs.write(&mut out)?;
    drop(out);
    Ok(Origin {
        recipe: recipe(),
        kernel: format!("{kernel} {}", known[&kernel].version),
        packages: known,
        kernel_sha256: hash_of(&dir.join("vmlinuz"))?,
        root_fs_sha256: hash_of(&dir.join("base.cpio"))?,
    })
}

/// The packages to fetch out of all that an installation would bring, and the kernel's among them. What configures an
/// installed system (perl, debconf, users) has no use here; what is linked against is found among the libraries.
fn needed(closure: BTreeSet<String>) -> anyhow::Result<(BTreeSet<String>, String)> {
    let is_library = |name: &str| {
        (name.starts_with("lib") || name.starts_with("zlib"))
            && !name.ends_with("-perl")
            && !name.ends_with("-common")
            && !name.starts_with("libperl")
    };
    let kernel = closure
        .iter()
        .find(|name| name.starts_with("linux-image-") && *name != KERNEL)
        .with_context(|| format!("`{KERNEL}` depends on no kernel"))?
        .clone();
    let names = closure
        .into_iter()
        .filter(|name| is_library(name) || USER_LAND.contains(&name.as_str()) || *name == kernel)
        .collect();
    Ok((names, kernel))
}

fn root_fs(tree: &Tree) -> anyhow::Result<Archive> {
    let mut archive = Archive::default();
    for folder in [
        // The root itself: everybody may write to it otherwise, and the SSH server trusts no key below such a folder.
        ".",
        "dev",
        "proc",
        "sys",
        "sbin",
        "usr/bin",
        "usr/sbin",
        "run/sshd",
        "var/empty",
        "var/log",
        "var/tmp",
    ] {
        archive.folder(folder, 0o755);
    }
    archive.folder("tmp", 0o1777);
    archive.folder("var/tmp", 0o1777);
    archive.folder("root", 0o700);
    archive.folder("home/bench", 0o755);
    for (path, text) in [
        ("etc/passwd", PASSWD),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\nbench:x:1000:\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/nsswitch.conf", "passwd: files\nhosts: files\n"),
        ("etc/shells", "/bin/sh\n"),
        (
            "etc/os-release",
            "PRETTY_NAME=\"memwall lab board (Debian's arm64 kernel under qemu)\"\nID=memwall-lab\n",
        ),
        ("etc/ssh/sshd_config", SSHD_CONFIG),
    ] {
        archive.file(path, 0o644, text);
    }
    archive.file("init", 0o755, INIT);
    let mut linked = Vec::new();
    for (name, path, is_needed) in PROGRAMS {
        match tree.find(name) {
            Some(found) => {
                let bytes = fs::read(found)?;
                linked.push((name.to_owned(), bytes.clone()));
                archive.file(path, 0o755, bytes);
            }
            None if is_needed => bail!("the packages have no `{name}`"),
            None => {}
        }
    }
    for (name, bytes) in libraries(tree, linked)? {
        archive.file(&format!("lib/{name}"), 0o755, bytes);
    }
    for name in MODULES {
        if let Some(bytes) = module(tree, name)? {
            archive.file(&format!("lib/modules/{name}.ko"), 0o644, bytes);
        }
    }
    Ok(archive)
}

/// Every shared library that the programs need, and those that these need, by name; the loader with them.
fn libraries(
    tree: &Tree,
    programs: Vec<(String, Vec<u8>)>,
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open: VecDeque<(String, String)> = VecDeque::new();
    for (program, bytes) in &programs {
        let elf = Elf::read(bytes)
            .map_err(|error| anyhow::anyhow!("`{program}` cannot be read as a program: {error}"))?;
        open.extend(elf.needed.into_iter().map(|name| (name, program.clone())));
    }
    open.push_back((LOADER.to_owned(), "every program".to_owned()));
    while let Some((name, user)) = open.pop_front() {
        if found.contains_key(&name) {
            continue;
        }
        let path = tree
            .find(&name)
            .with_context(|| format!("the packages have no `{name}`, which `{user}` needs"))?;
        let bytes = fs::read(path)?;
        let elf = Elf::read(&bytes)
            .map_err(|error| anyhow::anyhow!("`{name}` cannot be read as a library: {error}"))?;
        open.extend(elf.needed.into_iter().map(|needed| (needed, name.clone())));
        found.insert(name, bytes);
    }
    Ok(found)
}

/// A kernel module, unpacked; Debian compresses them since 13. None for what is built into the kernel.
fn module(tree: &Tree, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(path) = tree.find(&format!("{name}.ko")) {
        return Ok(Some(fs::read(path)?));
    }
    let Some(path) = tree.find(&format!("{name}.ko.xz")) else {
        return Ok(None);
    };
    let output = Command::new("xz").arg("-dc").arg(path).output().context(
        "the kernel's modules are compressed and `xz` is missing; as root, run `apt-get install xz-utils`",
    )?;
    if !output.status.success() {
        bail!("`{}` cannot be unpacked", path.display());
    }
    Ok(Some(output.stdout))
}

/// Files of unpacked packages by their name: distributions move them between folders, names stay.
struct Tree(BTreeMap<String, PathBuf>);

impl Tree {
    fn read(root: &Path) -> anyhow::Result<Tree> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let (path, kind) =
                    entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
                if kind.is_dir() {
                    folders.push(path);
                // Follows links: a library is known by the name of a link to it. Some links lead out of the packages.
                } else if path.is_file()
                    && let Some(name) = path.file_name()
                {
                    let name = name.to_string_lossy().into_owned();
                    // Documentation and configuration have files named like programs.
                    let is_beside = path.components().any(|part| {
                        ["share", "etc"]
                            .iter()
                            .any(|beside| part.as_os_str() == *beside)
                    });
                    if !is_beside {
                        files.insert(name, path);
                    }
                }
            }
        }
        Ok(Tree(files))
    }

    fn find(&self, name: &str) -> Option<&Path> {
        self.0.get(name).map(PathBuf::as_path)
    }

    fn find_prefix(&self, prefix: &str) -> Option<&Path> {
        let mut names = self.0.iter();
        names
            .find(|(name, _)| name.starts_with(prefix))
            .map(|(_, path)| path.as_path())
    }
}

fn hash_of(path: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            n => hash.update(&chunk[..n]),
        }
    }
    Ok(base16ct::lower::encode_string(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetches_the_kernel_and_libraries_but_nothing_that_configures() {
        let all = [
            "busybox-static",
            "openssh-server",
            "openssh-sftp-server",
            KERNEL,
            "libssl3",
            "zlib1g",
            "linux-image-6.1.0-1-cloud-arm64",
            "perl-base",
            "libperl5.36",
            "libtext-glob-perl",
            "debconf",
        ];
        let closure = all.iter().map(|name| (*name).to_owned()).collect();
        let (names, kernel) = needed(closure).unwrap();
        assert_eq!(kernel, "linux-image-6.1.0-1-cloud-arm64");
        assert_eq!(names.len(), 6, "{names:?}");
        assert!(needed(BTreeSet::new()).is_err());
    }
}
