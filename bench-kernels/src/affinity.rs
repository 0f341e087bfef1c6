//! Which CPUs this process may use, and pinning a thread to one of them.

use std::io;
use std::mem::{size_of, zeroed};

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
    // SAFETY: `cpu_set_t` is a plain bit array; all zeroes is its empty value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    let thread = libc::pid_t::try_from(thread).map_err(io::Error::other)?;
    // SAFETY: `set` is valid for writes of its own size.
    if unsafe { libc::sched_getaffinity(thread, size_of::<libc::cpu_set_t>(), &mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the index is below `CPU_SETSIZE`, so the bit lies in `set`.
    let has = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    let cpus = (0..libc::CPU_SETSIZE as usize).filter(has);
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
    let thread = libc::pid_t::try_from(thread).map_err(io::Error::other)?;
    // SAFETY: `cpu_set_t` is a plain bit array; all zeroes is its empty value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as u32 {
            return Err(io::Error::other(format!("CPU {cpu} is out of range")));
        }
        // SAFETY: the index is below `CPU_SETSIZE`, so the bit lies in `set`.
        unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    }
    // SAFETY: `set` is valid for reads of its own size.
    match unsafe { libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
