//! One host from connecting to its last message. Whatever happens, what was measured stays on disk and the cause is
//! named.

mod ask;
mod limits;
mod session;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench_analysis::validity::status;
use bench_inventory::{Host, Inventory, Suite};
use bench_protocol::{Message, PROTOCOL_VERSION, RunRequest};
use bench_run_dir::{HostRecord, HostStatus, Stage, StreamState, UnitCounts};
use tokio_util::sync::CancellationToken;

use self::session::{HostSession, STOP_GRACE};
use crate::artifact::Artifact;
use crate::budget::Budget;
use crate::progress::HostProgress;
use crate::recorder::HostFiles;
use crate::transport::HostError;

pub use ask::{ask, each, restore};

/// What all hosts of a run share.
pub struct RunContext {
    /// Name of the run.
    pub run_id: String,
    /// The suite that is measured.
    pub suite: Suite,
    /// Instruction-set variant that every unit is forced to; none takes the best each CPU has.
    pub variant: Option<String>,
    /// Shape that units are forced to whose kernels have several; none lets each board race them.
    pub shape: Option<String>,
    /// Everything the inventory says.
    pub inventory: Inventory,
    /// Whether every unit is measured twice: as the board is found, and after it was prepared.
    pub compare_environment: bool,
    /// How long to try to reach a host again after its connection was lost.
    pub patience: Duration,
    /// Board programs by architecture.
    pub artifacts: BTreeMap<&'static str, Artifact>,
    /// Time that each host is given.
    pub budget: Option<Budget>,
    /// Hosts that connect and upload at the same time at most.
    pub deploys: tokio::sync::Semaphore,
    /// Triggered when the run is interrupted.
    pub cancelled: CancellationToken,
    /// One lock per running machine: hosts that are the same machine take turns.
    pub machines: Machines,
}

/// Locks by machine.
#[derive(Default)]
pub struct Machines(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Machines {
    fn lock_of(&self, machine: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(machine.to_string()).or_default())
    }
}

/// What a host left behind before the run ended.
#[derive(Debug, Default)]
pub struct Prior {
    /// The units as they were asked for, if it came to that.
    pub request: Option<RunRequest>,
    /// What its stream said.
    pub state: StreamState,
}

/// Measures one host and writes its record.
pub async fn measure(
    context: &RunContext,
    host: &Host,
    prior: Prior,
    mut files: HostFiles,
    line: &HostProgress,
) -> (HostRecord, UnitCounts) {
    let mut session = HostSession::new(context, host, prior, &mut files, line);
    let is_measuring = Arc::clone(&session.is_measuring);
    let result = {
        let mut running = pin!(session.run());
        tokio::select! {
            result = &mut running => result,
            () = context.cancelled.cancelled() => match is_measuring.load(Ordering::Relaxed) {
                // The board is told to stop, and puts itself back.
                true => tokio::time::timeout(STOP_GRACE * 2, running)
                    .await
                    .unwrap_or_else(|_| Err(interrupted())),
                false => Err(interrupted()),
            },
        }
    };
    let counts = session.state.counts();
    let record = session.record(result.err());
    if let Err(error) = files.write_record(&record).await {
        let error = format!("{error:#}");
        eprintln!(
            "{}",
            said!("run-host-error", host = &host.name, error = error)
        );
    }
    line.finish(&match &record.reason {
        None => said!(
            "run-host-done",
            n = counts.n_ok,
            n_skipped = counts.n_skipped
        ),
        Some(reason) => said!(
            "run-host-ended",
            status = status::of_host(record.status),
            reason = reason,
        ),
    });
    (record, counts)
}

fn interrupted() -> HostError {
    HostError {
        status: HostStatus::Interrupted,
        ..HostError::failed(
            Stage::Measure,
            "the run was interrupted before this host ended",
        )
    }
}

fn check_protocol(message: &Message) -> Result<(), HostError> {
    match message {
        Message::Hello(hello) if hello.protocol != PROTOCOL_VERSION => Err(HostError::failed(
            Stage::Facts,
            format!(
                "the board program speaks protocol {}, this controller {PROTOCOL_VERSION}",
                hello.protocol
            ),
        )),
        _ => Ok(()),
    }
}
