//! Processes of this board, by what `/proc` tells about them.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Times that processes with a mark are looked for, and the pause between.
const MAX_ROUNDS: u32 = 50;
const ROUND: Duration = Duration::from_millis(2);

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

/// Names the variable that marks an external program's unit and everything it starts, whatever group or session that is
/// in.
pub const MARKER: &str = "MEMWALL_UNIT";

/// The mark of a unit: no other unit of any request has it.
pub fn marker(store: &Path, unit_number: usize) -> String {
    let pid = std::process::id();
    let started = start_ticks(pid).unwrap_or(0);
    format!("{}#{pid}.{started}.{unit_number}", store.display())
}

/// The mark of a process, as far as this user may see it.
fn marker_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let variable = variables.find_map(|it| it.strip_prefix(format!("{MARKER}=").as_bytes()))?;
    Some(String::from_utf8_lossy(variable).into_owned())
}

/// Ends every process with this mark at once, but not the calling one.
pub fn end_marked(marker: &str) {
    // A process that is being started while the others are looked through is found the next time.
    for _ in 0..MAX_ROUNDS {
        let marked: Vec<u32> = all()
            .filter(|pid| *pid != std::process::id())
            .filter(|pid| marker_of(*pid).as_deref() == Some(marker))
            .collect();
        if marked.is_empty() {
            return;
        }
        marked.into_iter().for_each(end);
        std::thread::sleep(ROUND);
    }
}

/// Processes of external programs that a supervisor with this store started and nobody follows any more.
pub fn marked_strays(store: &Path) -> Vec<u32> {
    // Whoever is run by such a program is none of them.
    let own = marker_of(std::process::id());
    let of_store = format!("{}#", store.display());
    let is_stray = |pid: &u32| {
        let marker = marker_of(*pid);
        marker != own && marker.is_some_and(|marker| marker.starts_with(&of_store))
    };
    all().filter(is_stray).collect()
}

/// Undoes [`end_with_parent`], for a process that looks after its parent itself.
pub fn outlive_parent() {
    // SAFETY: this option takes a signal number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, 0) };
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
