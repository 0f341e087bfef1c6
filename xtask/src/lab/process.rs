//! Which process is meant, and ending exactly that one: a number alone may belong to somebody else by now.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::transport::this_machine;

/// Ticks of `/proc` per second: `USER_HZ`, the same on every architecture Linux runs memwall on.
const TICKS_PER_S: f64 = 100.0;

/// How long a process may take to end after each way of asking it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, ticks since this machine booted.
    pub start_ticks: u64,
    /// The name of its program, as the kernel keeps it.
    pub program: String,
    /// Boot of this machine that it belongs to.
    pub boot: String,
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Process> {
        let (program, start_ticks, _) = stat(pid)?;
        let boot = this_machine();
        Some(Process {
            pid,
            start_ticks,
            program,
            boot,
        })
    }

    /// Whether it still runs: same number, start, program and boot.
    pub fn is_alive(&self) -> bool {
        let is_same = |(program, start_ticks, state): (String, u64, char)| {
            program == self.program && start_ticks == self.start_ticks && state != 'Z'
        };
        self.boot == this_machine() && stat(self.pid).is_some_and(is_same)
    }

    /// Seconds since it started.
    pub fn age_s(&self) -> Option<f64> {
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let uptime_s: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some((uptime_s - self.start_ticks as f64 / TICKS_PER_S).max(0.0))
    }

    /// Waits until it has ended; false when it has not in that time.
    pub fn wait(&self, limit: Duration) -> bool {
        let began = Instant::now();
        while self.is_alive() {
            if began.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Ends it, first politely; false when it is still there.
    pub fn end(&self) -> bool {
        for signal in ["TERM", "KILL"] {
            if !self.is_alive() {
                return true;
            }
            // The shell's own command: a program of that name is not everywhere.
            let command = format!("kill -{signal} {}", self.pid);
            let _ = Command::new("sh")
                .args(["-c", &command])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if self.wait(PATIENCE) {
                return true;
            }
        }
        false
    }
}

/// Program, start and state of a process, from `/proc/<pid>/stat`; the program's name may hold blanks and brackets.
fn stat(pid: u32) -> Option<(String, u64, char)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = text.rsplit_once(')')?;
    let program = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    // Counted from the state, which is field 3 of the manual page; the start is field 22.
    let state = fields.first()?.chars().next()?;
    Some((program, fields.get(19)?.parse().ok()?, state))
}

/// Children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_the_process_it_means_and_no_other() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive() && process.age_s().is_some());
        let successor = Process {
            start_ticks: process.start_ticks + 1,
            ..process.clone()
        };
        assert!(!successor.is_alive(), "another process with its number");
        assert!(successor.end() && process.is_alive());
        let earlier = Process {
            boot: "before this machine booted".into(),
            ..process.clone()
        };
        assert!(!earlier.is_alive());
        // A zombie has ended: its parent, this test, has only not asked yet.
        assert!(process.end() && !process.is_alive());
        child.wait().unwrap();
    }
}
