//! Which CPUs this process may use, and pinning a thread to one of them.

use std::io;
use std::mem::{size_of, zeroed};

/// Logical CPUs this process may run on, ascending.
pub fn allowed_cpus() -> Vec<u32> {
    // SAFETY: `cpu_set_t` is a plain bit array; all zeroes is its empty value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: `set` is valid for writes of its own size.
    let status = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if status != 0 {
        let n = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        return (0..n as u32).collect();
    }
    // SAFETY: the index is below `CPU_SETSIZE`, so the bit lies in `set`.
    (0..libc::CPU_SETSIZE as usize)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .map(|cpu| cpu as u32)
        .collect()
}

/// Lets the calling thread run on these CPUs only.
///
/// # Errors
/// When a number is out of range or the kernel refuses (a CPU that is offline or outside the process's set).
pub fn pin_to(cpus: &[u32]) -> io::Result<()> {
    // SAFETY: `cpu_set_t` is a plain bit array; all zeroes is its empty value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as u32 {
            return Err(io::Error::other(format!("CPU {cpu} is out of range")));
        }
        // SAFETY: the index is below `CPU_SETSIZE`, so the bit lies in `set`.
        unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    }
    // SAFETY: `set` is valid for reads of its own size; 0 means the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
