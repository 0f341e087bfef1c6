//! Processes of this board, by what `/proc` tells about them.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal, set_parent_process_death_signal, waitid,
};
use rustix::time::{ClockId, clock_gettime};

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
    let now = clock_gettime(ClockId::Boottime);
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

/// The user whose rights a process has; `None` when there is none of that id, or it is hidden from this user.
///
/// The owner of its folder in `/proc` would be root for every process that hides its memory.
pub fn uid(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().nth(1)?.parse().ok()
}

/// The name of a process's program, without control characters.
pub fn name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(
        name.trim()
            .replace(|c: char| c.is_control() || c == '`', "?"),
    )
}

/// Ends a process at once, where this user may and it is still the one that is meant. Ids are used again: the process
/// is held by a descriptor while `is_meant` looks at it, so that no other one is hit.
pub fn end_if(pid: u32, is_meant: impl Fn(u32) -> bool) {
    let Some(id) = id_of(pid) else { return };
    // What cannot be ended is gone, or another user's.
    match pidfd_open(id, PidfdFlags::empty()) {
        Ok(process) if is_meant(pid) => drop(pidfd_send_signal(process, Signal::KILL)),
        // Kernels before 5.3, and emulators.
        Err(Errno::NOSYS) if is_meant(pid) => drop(kill_process(id, Signal::KILL)),
        _ => {}
    }
}

/// The id of any process but the first.
fn id_of(pid: u32) -> Option<Pid> {
    let id = Pid::from_raw(i32::try_from(pid).ok()?)?;
    (!id.is_init()).then_some(id)
}

/// Ends all processes of a group at once. Its leader must not have been waited for yet: until then no other group gets
/// its id.
pub fn end_group(leader: u32) {
    if let Some(group) = id_of(leader) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Waits until a child has ended, or looks whether it has, and leaves it to be waited for: its id stays its own.
///
/// # Errors
/// When it is not a child of this process.
pub fn ended(child: u32, wait: Wait) -> std::io::Result<Option<ExitStatus>> {
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    options.set(WaitIdOptions::NOHANG, wait == Wait::Not);
    let child = id_of(child).ok_or(Errno::CHILD)?;
    let ended = retry_on_intr(|| waitid(WaitId::Pid(child), options))?;
    Ok(ended.map(|how| {
        // As `wait` encodes it.
        let exited = how.exit_status().map(|code| (code & 0xff) << 8);
        ExitStatus::from_raw(exited.or(how.terminating_signal()).unwrap_or(0))
    }))
}

/// Whether to wait for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is there.
    Until,
    /// Not at all.
    Not,
}

/// Ends units of the programs in a folder that have no supervisor any more, for the holder of the board. Their ids.
pub fn end_strays(folder: &Path) -> Vec<u32> {
    end_all(|pid| {
        let words = command_line(pid);
        // Under an emulator the program is not the first word.
        let at = words
            .iter()
            .position(|word| Path::new(word).parent() == Some(folder));
        let mode = at.and_then(|at| words.get(at + 1));
        mode.is_some_and(|mode| mode == "unit")
    })
}

/// Ends every process that is meant; their ids.
fn end_all(is_meant: impl Fn(u32) -> bool) -> Vec<u32> {
    let meant: Vec<u32> = all().filter(|pid| is_meant(*pid)).collect();
    for pid in &meant {
        end_if(*pid, &is_meant);
    }
    meant
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
    let own = std::process::id();
    // A process that is being started while the others are looked through is found the next time.
    for _ in 0..MAX_ROUNDS {
        let ended = end_all(|pid| pid != own && marker_of(pid).as_deref() == Some(marker));
        if ended.is_empty() {
            return;
        }
        std::thread::sleep(ROUND);
    }
}

/// Ends processes of external programs that a supervisor with this store started and left behind; their ids.
pub fn end_marked_strays(store: &Path) -> Vec<u32> {
    // A supervisor that such a program started is not a stray.
    let own = marker_of(std::process::id());
    let of_store = format!("{}#", store.display());
    end_all(|pid| {
        let marker = marker_of(pid);
        marker != own && marker.is_some_and(|marker| marker.starts_with(&of_store))
    })
}

/// Undoes [`end_with_parent`], for a process that looks after its parent itself.
pub fn outlive_parent() {
    let _ = set_parent_process_death_signal(None);
}

/// Makes the end of the process that started this one the end of this one, too.
pub fn end_with_parent(parent: u32) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // It may have ended before the line above.
    if std::os::unix::process::parent_id() != parent {
        std::process::exit(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_that_ended_keeps_its_id_until_it_is_waited_for() {
        let check = |script: &str, expect: (Option<i32>, Option<i32>)| {
            let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let status = ended(child.id(), Wait::Until).unwrap().unwrap();
            assert_eq!((status.code(), status.signal()), expect, "{script}");
            assert!(start_ticks(child.id()).is_some());
            assert_eq!(child.wait().unwrap(), status);
            assert!(ended(child.id(), Wait::Not).is_err());
        };
        check("exit 0", (Some(0), None));
        check("exit 255", (Some(255), None));
        check("kill -KILL $$", (None, Some(libc::SIGKILL)));
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        assert_eq!(ended(child.id(), Wait::Not).unwrap(), None);
        end_if(child.id(), |_| false);
        assert_eq!(ended(child.id(), Wait::Not).unwrap(), None);
        end_if(child.id(), |pid| start_ticks(pid).is_some());
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn the_first_process_and_no_process_are_never_ended() {
        assert_eq!([0, 1, u32::MAX].map(id_of), [None; 3]);
        assert_eq!(uid(std::process::id()), Some(crate::store::own_uid()));
    }
}
