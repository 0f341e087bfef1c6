//! Who uses this board, and until when: the text that a supervisor leaves in the lock for others.
//!
//! Every user may write it. It names an owner for people, and it means something only together with a process that
//! holds the lock.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process;

/// Much more than a lease has.
const MAX_BYTES: u64 = 64 << 10;

/// Longer names are not from a memwall.
const MAX_NAME_CHARS: usize = 100;

/// Who has the board, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who measures, as the request says.
    pub owner: String,
    /// The run.
    pub run_id: String,
    /// Process id of the supervisor.
    pub pid: u32,
    /// When that process started, in ticks since boot: a process id is used again.
    pub start_ticks: u64,
    /// The boot that the times belong to.
    pub boot_id: String,
    /// Seconds since boot at which it began. Not wall time: the clock of a board jumps when it finds a time server.
    pub since_s: u64,
    /// Seconds since boot at which the supervisor ends itself.
    pub expires_s: u64,
}

impl Lease {
    /// The lease of this process, for `duration` from now.
    pub fn of_this_process(owner: &str, run_id: &str, duration: Duration) -> Lease {
        let pid = std::process::id();
        let since_s = process::boot_seconds();
        Lease {
            owner: owner.to_string(),
            run_id: run_id.to_string(),
            pid,
            start_ticks: process::start_ticks(pid).unwrap_or(0),
            boot_id: process::boot_id(),
            since_s,
            expires_s: since_s.saturating_add(duration.as_secs()),
        }
    }

    /// Reads the lease in a lock; `None` where there is none.
    pub fn read(mut file: &File) -> Option<Lease> {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        Lease::parse(&text)
    }

    fn parse(text: &[u8]) -> Option<Lease> {
        let lease: Lease = serde_json::from_slice(text).ok()?;
        let plain = |text: &str| -> String {
            let chars = text.chars().take(MAX_NAME_CHARS);
            chars
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect()
        };
        Some(Lease {
            owner: plain(&lease.owner),
            run_id: plain(&lease.run_id),
            ..lease
        })
    }

    /// Writes it into a lock. A full disk costs the text only: the lock holds without.
    pub fn write(&self, file: &File) {
        let text = serde_json::to_string(self).expect("a lease holds no maps");
        let _ = replace(file, text.as_bytes());
    }

    /// Removes the text of a lock: a lease without its lock would look like one that was left behind.
    pub fn clear(file: &File) {
        let _ = replace(file, b"");
    }

    /// Whether the process that wrote it still lives.
    pub fn is_alive(&self) -> bool {
        self.boot_id == process::boot_id()
            && process::start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Whether its supervisor should have ended by itself.
    pub fn is_over(&self) -> bool {
        process::boot_seconds() > self.expires_s
    }
}

fn replace(mut file: &File, text: &[u8]) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz;

    #[test]
    fn a_lease_is_alive_only_with_its_own_process_in_its_own_boot() {
        let lease = Lease::of_this_process("user", "run", Duration::from_secs(60));
        assert!(lease.is_alive() && !lease.is_over());
        let other_boot = Lease {
            boot_id: "before".into(),
            ..lease.clone()
        };
        let other_process = Lease {
            start_ticks: 1,
            ..lease.clone()
        };
        assert!(!other_boot.is_alive() && !other_process.is_alive());
        assert!(
            Lease {
                expires_s: 0,
                ..lease
            }
            .is_over()
        );
    }

    #[test]
    fn what_another_user_wrote_is_a_short_plain_text() {
        let written = Lease::of_this_process("a\u{1b}]0;b\n", &"x".repeat(9999), Duration::ZERO);
        let read = Lease::parse(&serde_json::to_vec(&written).unwrap()).unwrap();
        assert_eq!(read.owner, "a\u{fffd}]0;b\u{fffd}");
        assert_eq!(read.run_id.len(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_damaged_lease_is_a_lease_or_none() {
        let lease = Lease::of_this_process("user@machine", "run", Duration::from_secs(60));
        let text = serde_json::to_vec(&lease).unwrap();
        for seed in fuzz::seeds() {
            if let Some(lease) = Lease::parse(&fuzz::damage(&text, seed)) {
                let names = [&lease.owner, &lease.run_id];
                let is_plain = |name: &&String| {
                    name.chars().count() <= MAX_NAME_CHARS && !name.contains(char::is_control)
                };
                assert!(names.iter().all(is_plain), "seed {seed}: {lease:?}");
            }
        }
    }
}
