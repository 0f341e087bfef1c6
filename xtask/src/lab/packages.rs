//! Debian packages of another architecture, fetched and unpacked beside this machine's own.
//!
//! Uses the archives this machine's apt is configured with and an apt state of its own: nothing is installed, the
//! machine's dpkg is untouched, and no root is needed. Refuses to know what the packages are for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Architecture of the packages, as Debian calls it.
const ARCH: &str = "arm64";

/// Keys that sign Debian's archives, where a source names none of its own.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt state for another architecture.
pub struct Packages {
    dir: PathBuf,
}

impl Packages {
    /// Makes the state under `dir` and fetches the archives' indices.
    ///
    /// # Errors
    /// When apt is not there, has no Debian archive, or reaches none.
    pub fn open(dir: &Path) -> anyhow::Result<Packages> {
        let packages = Packages {
            dir: dir.to_owned(),
        };
        for folder in ["state/lists/partial", "cache/archives/partial", "debs"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make `{}`", folder.display()))?;
        }
        fs::write(dir.join("status"), "")?;
        fs::write(dir.join("sources.list"), sources()?)?;
        output(packages.apt("apt-get").args(["--quiet", "update", "--error-on=any"])).context("the indices of the Debian archives cannot be fetched; check the network, or run `apt-get update` and look at its messages")?;
        Ok(packages)
    }

    /// Names of the packages that would be installed for the ones given, these included.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn closure(&self, names: &[&str]) -> anyhow::Result<BTreeSet<String>> {
        let mut command = self.apt("apt-get");
        command.args([
            "--quiet",
            "--print-uris",
            "--yes",
            "--no-install-recommends",
            "install",
        ]);
        let listed = output(command.args(names))?;
        // Lines such as `'ADDRESS' NAME_VERSION_ARCH.deb SIZE SUM`; the rest is for people.
        let files = listed
            .lines()
            .filter(|line| line.starts_with('\''))
            .filter_map(|line| line.split_whitespace().nth(1));
        Ok(files
            .filter_map(|file| file.split_once('_').map(|(name, _)| name.to_owned()))
            .collect())
    }

    /// Downloads packages; returns their files, in the order of their names.
    ///
    /// # Errors
    /// When one cannot be had.
    pub fn download(&self, names: &BTreeSet<String>) -> anyhow::Result<Vec<PathBuf>> {
        let debs = self.dir.join("debs");
        let mut command = self.apt("apt-get");
        command
            .args(["--quiet", "download"])
            .args(names)
            .current_dir(&debs);
        output(&mut command).context("the packages cannot be downloaded")?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&debs)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// apt with this state; what the machine's own configuration says otherwise, a proxy for instance, stays.
    fn apt(&self, program: &str) -> Command {
        let at = |part: &str| self.dir.join(part).display().to_string();
        let mut command = Command::new(program);
        for option in [
            format!("APT::Architecture={ARCH}"),
            // The machine's own user may fetch into its own folder.
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            format!("Dir::State={}", at("state")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// Unpacks packages into a folder.
///
/// # Errors
/// When one is damaged or the disk is full.
pub fn unpack(files: &[PathBuf], folder: &Path) -> anyhow::Result<()> {
    for file in files {
        output(Command::new("dpkg-deb").arg("-x").arg(file).arg(folder))
            .with_context(|| format!("`{}` cannot be unpacked", file.display()))?;
    }
    Ok(())
}

/// Name and version of a package file, from the name that apt gave it.
pub fn name_and_version(file: &Path) -> Option<(String, String)> {
    let stem = file.file_name()?.to_str()?;
    let mut parts = stem.split('_');
    let name = parts.next()?.to_owned();
    // A colon has no place in a file name.
    let version = parts.next()?.replace("%3a", ":");
    Some((name, version))
}

/// The Debian archives of this machine as sources of the other architecture.
fn sources() -> anyhow::Result<String> {
    let format = "$(ORIGIN)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(SIGNED_BY)";
    let listed = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    let lines = sources_of(&listed);
    if lines.is_empty() {
        bail!(
            "apt knows no Debian archive here; the boards need Debian's {ARCH} packages: run `apt-get update` as root, or use a Debian machine"
        );
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// One source per archive that is Debian's own; others may not have the architecture.
fn sources_of(targets: &str) -> BTreeSet<String> {
    let source = |line: &str| {
        let mut fields = line.split('\t');
        let (origin, uri, release) = (fields.next()?, fields.next()?, fields.next()?);
        let (component, signed_by) = (fields.next()?, fields.next()?);
        // apt leaves the name of a field in place that it knows nothing for: the origin, before the first update.
        let keyring = match signed_by {
            "" => KEYRING,
            unknown if unknown.starts_with('$') => KEYRING,
            known => known,
        };
        let is_unknown = origin.is_empty() || origin.starts_with('$');
        let is_debian = origin == "Debian" || is_unknown && keyring.contains("debian-archive");
        (is_debian && component == "main")
            .then(|| format!("deb [arch={ARCH} signed-by={keyring}] {uri} {release} {component}"))
    };
    targets.lines().filter_map(source).collect()
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .output()
        .with_context(|| format!("`{program}` cannot be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program}` failed: {}", said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debians_own_archives_are_sources() {
        let targets = "Debian\thttp://mirror.example/debian/\tstable\tmain\t$(SIGNED_BY)\n\
                       Debian\thttp://mirror.example/debian/\tstable\tcontrib\t/k.gpg\n\
                       Vendor\thttp://vendor.example/\tstable\tmain\t\n\
                       $(ORIGIN)\thttp://new.example/debian/\tstable\tmain\t/usr/share/keyrings/debian-archive-keyring.gpg\n";
        let sources = sources_of(targets);
        assert_eq!(sources.len(), 2, "{sources:?}");
        assert!(sources.contains(&format!(
            "deb [arch=arm64 signed-by={KEYRING}] http://mirror.example/debian/ stable main"
        )));
        assert!(sources.iter().any(|line| line.contains("new.example")));
    }

    #[test]
    fn file_names_tell_name_and_version() {
        let file = Path::new("/debs/openssh-server_1%3a9.2p1-2_arm64.deb");
        let expect = ("openssh-server".to_owned(), "1:9.2p1-2".to_owned());
        assert_eq!(name_and_version(file), Some(expect));
    }
}
