//! Which CPUs this process may use, and pinning a thread to one of them.

use std::io;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// Logical CPUs this process may run on, ascending.
pub fn allowed_cpus() -> Vec<u32> {
    cpus_of(0).unwrap_or_else(|_| {
        let n = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        (0..n as u32).collect()
    })
}

/// Logical CPUs that a thread may run on, ascending; 0 is the calling thread.
///
/// # Errors
/// When there is no such thread.
pub fn cpus_of(thread: u32) -> io::Result<Vec<u32>> {
    let set = sched_getaffinity(id_of(thread)?)?;
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu));
    Ok(cpus.map(|cpu| cpu as u32).collect())
}

/// Lets the calling thread run on these CPUs only.
///
/// # Errors
/// When a number is out of range or the kernel refuses (a CPU that is offline or outside the process's set).
pub fn pin_to(cpus: &[u32]) -> io::Result<()> {
    pin_thread(0, cpus)
}

/// Lets a thread run on these CPUs only; 0 is the calling thread.
///
/// # Errors
/// As [`pin_to`], and when the thread is gone or another user's.
pub fn pin_thread(thread: u32, cpus: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu as usize >= CpuSet::MAX_CPU {
            return Err(io::Error::other(format!("CPU {cpu} is out of range")));
        }
        set.set(cpu as usize);
    }
    Ok(sched_setaffinity(id_of(thread)?, &set)?)
}

/// The kernel's id of a thread; `None` stands for the calling one.
fn id_of(thread: u32) -> io::Result<Option<Pid>> {
    let id = i32::try_from(thread).map_err(io::Error::other)?;
    Ok(Pid::from_raw(id))
}
