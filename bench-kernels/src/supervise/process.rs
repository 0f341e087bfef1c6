//! Processes of this board, by what `/proc` tells about them.

use std::fs;
use std::path::Path;

/// Identifies this boot; empty where the kernel does not tell.
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_string()
}

/// Whole seconds since boot, time asleep included.
pub fn boot_seconds() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writes of its own type.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0)
}

/// When a process started, in ticks since boot; `None` when there is none of that id.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the second field may hold blanks and brackets: fields are counted from its end.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// Ids of all processes.
pub fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The words of a process's command line; empty for the kernel's own threads.
pub fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Whether a process has a file open, as far as this user may see.
pub fn has_open(pid: u32, file: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.any(|target| target == file)
}

/// Ends a process at once, where this user may.
pub fn end(pid: u32) {
    if let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1) {
        // SAFETY: `kill` touches no memory of this process.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// Ends all processes of a group at once.
pub fn end_group(leader: u32) {
    if let Some(group) = libc::pid_t::try_from(leader).ok().filter(|pid| *pid > 1) {
        // SAFETY: `killpg` touches no memory of this process.
        unsafe { libc::killpg(group, libc::SIGKILL) };
    }
}

/// Units of the programs in a folder, for whoever holds the board: nobody supervises them any more.
pub fn strays(folder: &Path) -> Vec<u32> {
    let is_stray = |pid: &u32| {
        let words = command_line(*pid);
        // Under an emulator the program is not the first word.
        let at = words
            .iter()
            .position(|word| Path::new(word).parent() == Some(folder));
        let mode = at.and_then(|at| words.get(at + 1));
        mode.is_some_and(|mode| mode == "unit")
    };
    all().filter(is_stray).collect()
}

/// Makes the end of the process that started this one the end of this one, too.
pub fn end_with_parent(parent: u32) {
    // SAFETY: this option takes a signal number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // It may have ended before the line above.
    if std::os::unix::process::parent_id() != parent {
        std::process::exit(4);
    }
}
