//! The kinds of settings: files of the kernel, services, the power mode, where other processes run, the page cache.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench_protocol::{Prepare, PrepareStep, Setting};

use crate::affinity;
use crate::state::directories;
use crate::store::own_uid;
use crate::supervise::process;

/// Where systemd's program and Jetson's lie when the search path of a remote command is short.
const PROGRAM_FOLDERS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A setting with its wanted value; `Err` names a setting that this board does not have, and why.
type Wanted = (std::result::Result<Setting, (String, String)>, String);

/// The settings that `prepare` changes, in the order they are changed.
pub fn of(prepare: &Prepare, root: &Path) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for step in prepare.steps() {
        match step {
            PrepareStep::PowerMode(mode) => all.push((Ok(Setting::PowerMode), mode.to_owned())),
            PrepareStep::CpuGovernor(wanted) => all.extend(files(
                cpu_governors(root),
                wanted,
                "CPU governor",
                "the board shows no cpufreq governor; remove `governor`",
            )),
            PrepareStep::DramGovernor(wanted) => all.extend(files(
                dram_governors(root),
                wanted,
                "DRAM governor",
                "the board shows no devfreq governor of its memory controller; remove `dram-governor`",
            )),
            PrepareStep::File { path, value } => {
                let path = root.join(path.trim_start_matches('/'));
                all.push((Ok(Setting::File { path }), value.to_owned()));
            }
            PrepareStep::StopService(name) => {
                let name = name.to_owned();
                all.push((Ok(Setting::Service { name }), "inactive".to_owned()));
            }
            PrepareStep::ConfineOthers(cpus) => {
                all.push((Ok(Setting::OtherProcesses), cpu_list(cpus)));
            }
            PrepareStep::DropCaches => {
                let path = root.join("proc/sys/vm/drop_caches");
                all.push((Ok(Setting::PageCache { path }), "3".to_owned()));
            }
        }
    }
    all
}

/// Files that all get the same value; where the board has none, what is missing and what to do.
fn files(paths: Vec<PathBuf>, wanted: &str, name: &str, hint: &str) -> Vec<Wanted> {
    if paths.is_empty() {
        return vec![(Err((name.to_owned(), hint.to_owned())), wanted.to_owned())];
    }
    let settings = paths.into_iter().map(|path| Ok(Setting::File { path }));
    settings
        .map(|setting| (setting, wanted.to_owned()))
        .collect()
}

fn cpu_governors(root: &Path) -> Vec<PathBuf> {
    let cpus = directories(&root.join("sys/devices/system/cpu"), "cpu");
    let files = cpus
        .into_iter()
        .map(|cpu| cpu.join("cpufreq/scaling_governor"));
    let mut files: Vec<PathBuf> = files.filter(|file| file.exists()).collect();
    // CPUs of one cluster share a governor through links to one folder.
    let mut seen: Vec<PathBuf> = Vec::new();
    files.retain(|file| {
        let real = fs::canonicalize(file).unwrap_or_else(|_| file.clone());
        let is_new = !seen.contains(&real);
        seen.push(real);
        is_new
    });
    files
}

fn dram_governors(root: &Path) -> Vec<PathBuf> {
    let is_memory = |device: &PathBuf| {
        let name = device.file_name().unwrap_or_default().to_string_lossy();
        ["dmc", "memory", "emc"]
            .iter()
            .any(|part| name.contains(part))
    };
    let devices = directories(&root.join("sys/class/devfreq"), "")
        .into_iter()
        .filter(is_memory);
    devices
        .map(|device| device.join("governor"))
        .filter(|file| file.exists())
        .collect()
}

/// The value of a setting; `None` where it has none to put back.
///
/// # Errors
/// When the board does not have it, or memwall changes nothing of its kind.
pub fn read(setting: &Setting, root: &Path) -> Result<Option<String>> {
    match setting {
        Setting::File { path } => {
            let text = fs::read_to_string(kernel_file(path, root)?)?;
            Ok(Some(chosen(text.trim()).to_string()))
        }
        Setting::Service { name } => service_state(unit_name(name)?).map(Some),
        Setting::PowerMode => power_mode().map(Some),
        Setting::OtherProcesses => Ok(Some(cpu_list(&init_cpus()?))),
        Setting::PageCache { path } => kernel_file(path, root).map(|_| None),
    }
}

/// Gives a setting a value.
///
/// # Errors
/// When this user may not, the board does not take the value, or memwall changes nothing of its kind.
pub fn write(setting: &Setting, value: &str, root: &Path) -> Result<()> {
    match setting {
        Setting::File { path } => write_file(&kernel_file(path, root)?, value),
        Setting::Service { name } => {
            let verb = match value {
                "active" => "start",
                "inactive" => "stop",
                other => return Err(Error::other(format!("a service cannot be `{other}`"))),
            };
            command("systemctl", &[verb, "--", unit_name(name)?]).map(drop)
        }
        Setting::PowerMode => set_power_mode(value),
        Setting::OtherProcesses => move_others(&parse_cpu_list(value)?),
        Setting::PageCache { path } => {
            let path = kernel_file(path, root)?;
            rustix::fs::sync();
            write_file(&path, value)
        }
    }
}

/// The real path of a setting of the kernel. Requests and journals name paths: what is written there, often as root, must
/// not be any other file, so links are followed first and the place they lead to counts. Processes have a folder each in
/// `/proc`, with links to anywhere and files that concern them alone.
fn kernel_file(path: &Path, root: &Path) -> Result<PathBuf> {
    let real = fs::canonicalize(path)?;
    let root = fs::canonicalize(root)?;
    let mut parts =
        (real.strip_prefix(root).into_iter().flatten()).filter_map(|part| part.to_str());
    let is_setting = match (parts.next(), parts.next()) {
        (Some("sys"), Some(_)) => true,
        (Some("proc"), Some(folder)) => folder.parse::<u32>().is_err(),
        _ => false,
    };
    match is_setting && real.is_file() {
        true => Ok(real),
        false => Err(Error::new(
            ErrorKind::PermissionDenied,
            "it is not a setting of the kernel: only files below `/sys` and `/proc` are changed, and none of a process",
        )),
    }
}

/// The name of a systemd unit, if it can be one.
fn unit_name(name: &str) -> Result<&str> {
    /// As systemd has it (`systemd.unit(5)`).
    const MAX_BYTES: usize = 255;
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    match !name.is_empty() && name.len() <= MAX_BYTES && name.chars().all(is_valid) {
        true => Ok(name),
        false => Err(Error::other("it is not the name of a systemd unit")),
    }
}

/// The bracketed word of a choice, or the text itself.
fn chosen(text: &str) -> &str {
    let bracketed = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    bracketed.map_or(text, |(word, _)| word)
}

/// Writes as this user, then through `sudo` where that asks for no password.
fn write_file(path: &Path, value: &str) -> Result<()> {
    // Never created: a setting that does not exist must not become an ordinary file.
    let written = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let mut child = Command::new("sudo")
                .args(["-n", "tee", "--"])
                .arg(path)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|_| needs_root())?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(value.as_bytes())?;
            }
            match child.wait()?.success() {
                true => Ok(()),
                false => Err(needs_root()),
            }
        }
        other => other,
    }
}

fn needs_root() -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "this user may not change it; log in as root, or allow `sudo` without a password",
    )
}

/// Runs a program of the board, through `sudo` for all but root, and returns what it printed.
fn command(program: &str, args: &[&str]) -> Result<String> {
    let mut command = match own_uid() == 0 {
        true => Command::new(program),
        false => {
            let mut command = Command::new("sudo");
            command.args(["-n", program]);
            command
        }
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .args(args)
        .env("PATH", format!("{path}:{PROGRAM_FOLDERS}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::new(error.kind(), format!("`{program}` cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said
        .trim()
        .lines()
        .last()
        .unwrap_or("it said nothing")
        .to_string();
    Err(Error::other(format!(
        "`{program} {}` failed: {said}",
        args.join(" ")
    )))
}

fn service_state(name: &str) -> Result<String> {
    // Its status is not 0 for a service that is not active: what it prints counts.
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("systemctl")
        .args(["is-active", "--", name])
        .env("PATH", format!("{path}:{PROGRAM_FOLDERS}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::new(error.kind(), format!("`systemctl` cannot be run: {error}")))?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "active" | "activating" | "reloading" => Ok("active".to_string()),
        "inactive" | "failed" | "deactivating" => Ok("inactive".to_string()),
        other => Err(Error::other(format!("systemd says `{other}`"))),
    }
}

/// The name in `nvpmodel -q`: a line `NV Power Mode: NAME`.
fn power_mode() -> Result<String> {
    let text = command("nvpmodel", &["-q"])?;
    let name = text.lines().find_map(|line| line.split_once("Power Mode:"));
    name.map(|(_, name)| name.trim().to_string())
        .ok_or_else(|| Error::other("`nvpmodel -q` names no power mode"))
}

/// The number differs from module to module: it is looked up by name.
fn set_power_mode(name: &str) -> Result<()> {
    const CONFIG: &str = "/etc/nvpmodel.conf";
    let text = fs::read_to_string(CONFIG)?;
    let modes = power_modes(&text);
    let id = modes
        .iter()
        .find(|(_, mode)| mode == name)
        .map(|(id, _)| id);
    let id = id.ok_or_else(|| {
        let names: Vec<&str> = modes.iter().map(|(_, mode)| mode.as_str()).collect();
        Error::other(format!(
            "there is no power mode `{name}`; there are {}",
            names.join(", ")
        ))
    })?;
    command("nvpmodel", &["-m", id]).map(drop)
}

/// Numbers and names in lines like `< POWER_MODEL ID=0 NAME=MAXN >`.
fn power_modes(config: &str) -> Vec<(String, String)> {
    let modes = config
        .lines()
        .filter(|line| line.contains("POWER_MODEL ID="));
    let word = |line: &str, key: &str| {
        let words = line.split_whitespace();
        words
            .filter_map(|word| word.strip_prefix(key))
            .next()
            .map(str::to_string)
    };
    modes
        .filter_map(|line| Some((word(line, "ID=")?, word(line, "NAME=")?)))
        .collect()
}

fn cpu_list(cpus: &[u32]) -> String {
    let words: Vec<String> = cpus.iter().map(u32::to_string).collect();
    words.join(",")
}

fn parse_cpu_list(text: &str) -> Result<Vec<u32>> {
    let cpus: std::result::Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    cpus.map_err(|_| Error::other(format!("`{text}` is not a list of CPUs")))
}

/// CPUs of the first process, which all services inherit.
fn init_cpus() -> Result<Vec<u32>> {
    affinity::cpus_of(1)
}

/// Moves every thread that may run where the first process may, to `cpus`. What somebody pinned elsewhere stays there, and
/// so do the kernel's own threads. New processes inherit it, which is why putting it back goes over all of them again.
fn move_others(cpus: &[u32]) -> Result<()> {
    if cpus.is_empty() {
        return Err(Error::other("no CPU to confine other processes to"));
    }
    let usual = init_cpus()?;
    let mut n_refused = 0;
    for pid in process::all().filter(|pid| *pid != std::process::id()) {
        if process::command_line(pid).is_empty() {
            continue;
        }
        for thread in directories(Path::new(&format!("/proc/{pid}/task")), "") {
            let id = thread
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            let id = id.filter(|id| affinity::cpus_of(*id).is_ok_and(|cpus| cpus == usual));
            if id.is_some_and(|id| affinity::pin_thread(id, cpus).is_err() && thread.exists()) {
                n_refused += 1;
            }
        }
    }
    match n_refused {
        0 => Ok(()),
        n => Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("{n} threads of other users could not be moved; log in as root"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_modes_are_found_by_name() {
        let config = "# a comment\n< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n";
        let modes = power_modes(config);
        assert_eq!(
            modes,
            [
                ("0".into(), "15W".into()),
                ("2".into(), "MAXN_SUPER".into())
            ]
        );
    }

    #[test]
    fn the_bracketed_word_of_a_choice_is_its_value() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen("60"), "60");
    }

    #[test]
    fn a_setting_that_does_not_exist_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unheard_of");
        assert!(write_file(&path, "1").is_err() && !path.exists());
    }

    #[test]
    fn only_files_of_the_kernel_are_settings() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let folders = [
            "sys/kernel",
            "proc/sys/vm",
            "proc/irq/7",
            "proc/17",
            "etc",
            "system",
        ];
        for folder in folders {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let files = [
            "sys/kernel/a",
            "proc/sys/vm/a",
            "proc/irq/7/a",
            "proc/17/a",
            "etc/a",
            "system/a",
        ];
        for file in files {
            fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink("17", at("proc/self")).unwrap();
        std::os::unix::fs::symlink("../../etc", at("sys/kernel/out")).unwrap();
        std::os::unix::fs::symlink("a", at("sys/kernel/within")).unwrap();
        let check = |path: &str, expect: bool| {
            assert_eq!(
                kernel_file(&at(path), root.path()).is_ok(),
                expect,
                "{path}"
            );
        };
        check("sys/kernel/a", true);
        check("sys/kernel/within", true);
        check("proc/sys/vm/a", true);
        check("proc/irq/7/a", true);
        check("proc/17/a", false);
        check("proc/self/a", false);
        check("etc/a", false);
        check("system/a", false);
        check("sys/../etc/a", false);
        check("sys/kernel/out/a", false);
        check("sys/kernel", false);
        check("sys/kernel/none", false);
    }

    #[test]
    fn names_of_units_and_lists_of_cpus_are_checked() {
        assert!(unit_name("getty@tty1.service").is_ok() && unit_name(r"dev-\x2d.mount").is_ok());
        for name in ["", "a b", "a;b", "a/b", "a\nb"] {
            assert!(unit_name(name).is_err(), "{name}");
        }
        assert_eq!(parse_cpu_list("0,3").unwrap(), [0, 3]);
        assert!(parse_cpu_list("0,x").is_err() && parse_cpu_list("").is_err());
    }
}
