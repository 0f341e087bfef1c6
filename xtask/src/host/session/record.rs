//! The record of a host that ended.

use bench_run_dir::{HostRecord, HostStatus};

use super::HostSession;
use crate::transport::{HostError, is_emulated, transport_name};

impl HostSession<'_> {
    /// The record of the host.
    pub fn record(self, error: Option<HostError>) -> HostRecord {
        let counts = self.state.counts();
        let mut reasons = Vec::new();
        if !self.overcome.is_empty() {
            reasons.push(format!(
                "{}; what was cut off was measured again",
                self.overcome.join("; ")
            ));
        }
        reasons.extend(failures(&self.state.failures));
        if self.state.n_garbage_lines > 0 && counts.n_failed == 0 {
            reasons.push(format!(
                "{} lines of the stream are not messages and were kept aside",
                self.state.n_garbage_lines
            ));
        }
        if !self.state.unprepared.is_empty() {
            reasons.push(format!(
                "not prepared as asked: {}",
                self.state.unprepared.join("; ")
            ));
        }
        let unrestored: Vec<String> = self.state.changed.values().cloned().collect();
        if !unrestored.is_empty() {
            reasons.push(format!(
                "not known to be put back: {}; run `cargo xtask restore {}`",
                unrestored.join(", "),
                self.host.name
            ));
        }
        let (mut status, mut stage, mut stderr_tail) = (HostStatus::Ok, None, Vec::new());
        if let Some(error) = error {
            (status, stage, stderr_tail) = (error.status, Some(error.stage), error.stderr_tail);
            reasons.insert(0, error.reason);
        }
        if stderr_tail.is_empty() && status != HostStatus::Ok {
            stderr_tail = self.files.stderr().tail();
        }
        let reason = (!reasons.is_empty()).then(|| self.mask.text(&reasons.join(". ")));
        let stderr_tail = stderr_tail.iter().map(|line| self.mask.text(line));
        HostRecord {
            host: self.host.name.clone(),
            board: self.host.board.clone(),
            transport: transport_name(&self.host.transport).to_string(),
            emulated: is_emulated(self.host),
            status,
            stage,
            reason,
            stderr_tail: stderr_tail.collect(),
            n_garbage_lines: self.state.n_garbage_lines,
            complete: self.state.is_complete(),
            artifact_sha256: self.artifact_sha256,
            stage_s: self.stage_s,
            unrestored,
        }
    }
}

/// The first units that failed, in one sentence.
fn failures(failures: &[(String, String)]) -> Option<String> {
    const N_NAMED: usize = 3;
    let named: Vec<String> = (failures.iter().take(N_NAMED))
        .map(|(unit, reason)| format!("`{unit}` {reason}"))
        .collect();
    let more = match failures.len().saturating_sub(N_NAMED) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    (!named.is_empty()).then(|| format!("units failed: {}{more}", named.join("; ")))
}
