//! The steps of one host: connect, deploy, measure, and go on after whatever broke.

mod reading;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench_inventory::Host;
use bench_protocol::{CONTROL_STOP, EXIT_BUSY, Facts, RunRequest};
use bench_run_dir::{HostStatus, Stage, StreamState};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::reading::Limits;
use super::ask::{artifact_for, facts};
use super::limits::{Allowance, Pace};
use super::talk::{feed, keep_stderr};
use super::{Prior, RunContext, interrupted};
use crate::progress::HostProgress;
use crate::recorder::HostFiles;
use crate::retry::Tries;
use crate::transport::{self, Connection, End, HostError, Mask, Running, STEP_DEADLINE, is_slow};
use crate::{environment, owner, plan};

/// A supervisor that dies is started again this often, and a lost connection opened again.
const MAX_ATTEMPTS_LOST: u32 = 5;

/// Time the board program gets to end itself at its own deadline before the controller gives up waiting.
const DEADLINE_GRACE: Duration = Duration::from_secs(20);

/// Time the board gets to put itself back after the run was interrupted.
pub const STOP_GRACE: Duration = Duration::from_secs(15);

/// How long another run may keep the board before this one gives up.
const BUSY_WAIT: Duration = Duration::from_secs(600);

/// One host while it is measured.
pub struct HostSession<'a> {
    context: &'a RunContext,
    host: &'a Host,
    line: &'a HostProgress,
    files: &'a mut HostFiles,
    /// What its stream said so far.
    pub state: StreamState,
    /// The request of a run that is resumed.
    request: Option<RunRequest>,
    stage_s: BTreeMap<String, f64>,
    artifact_sha256: Option<String>,
    /// What broke and was overcome.
    overcome: Vec<String>,
    /// Words that must not be kept or shown.
    mask: Mask,
    /// When the supervisor of the last request has ended at the latest.
    lease_end: Instant,
    n_notes: u32,
    /// Whether a supervisor has the board: it has to be told to stop.
    pub is_measuring: Arc<AtomicBool>,
}

/// An open way to a host that has the program.
struct Reached {
    connection: Connection,
    program: String,
}

/// How one request ended.
enum Answer {
    /// With its `done`.
    Complete,
    /// Somebody else has the board; who.
    Busy(String),
    /// The supervisor left, died or was lost.
    CutShort(String),
}

impl<'a> HostSession<'a> {
    /// At its start, with what a run before left behind.
    pub fn new(
        context: &'a RunContext,
        host: &'a Host,
        prior: Prior,
        files: &'a mut HostFiles,
        line: &'a HostProgress,
    ) -> HostSession<'a> {
        HostSession {
            context,
            host,
            line,
            files,
            state: prior.state,
            request: prior.request,
            stage_s: BTreeMap::new(),
            artifact_sha256: None,
            overcome: Vec::new(),
            mask: Mask::default(),
            lease_end: Instant::now(),
            n_notes: 0,
            is_measuring: Arc::default(),
        }
    }

    /// Measures the host.
    ///
    /// # Errors
    /// When units are left unmeasured, with the cause.
    pub async fn run(&mut self) -> Result<(), HostError> {
        let deploying = self.context.deploys.acquire().await;
        let (reached, machine) = self.reach().await?;
        drop(deploying);
        let lock = self.context.machines.lock_of(&machine);
        let (reached, _turn) = match Arc::clone(&lock).try_lock_owned() {
            Ok(turn) => (reached, turn),
            Err(_) => {
                self.line.say(&said!("progress-same-machine"));
                // An idle connection does not outlive a long wait: it is opened again when the turn comes.
                reached.connection.close().await;
                let turn = lock.lock_owned().await;
                let (reached, _) = self.reach().await?;
                (reached, turn)
            }
        };
        let mut reached = Some(reached);
        let result = self.measure(&mut reached).await;
        if let Some(reached) = reached {
            reached.connection.close().await;
        }
        result
    }

    /// Reaches the host, and tries again where the cause may pass: a refused key stays refused.
    async fn reach(&mut self) -> Result<(Reached, String), HostError> {
        let mut tries = Tries::of_reaching();
        loop {
            let error = match self.reach_once().await {
                Ok(reached) => return Ok(reached),
                Err(error) => error,
            };
            let Some(pause) = tries.pause(&error) else {
                return Err(error);
            };
            self.line
                .say(&said!("progress-again", cause = error.to_string()));
            tokio::time::sleep(pause).await;
        }
    }

    /// Connects, finds out what the host is and brings it the program; returns what names the machine, too.
    async fn reach_once(&mut self) -> Result<(Reached, String), HostError> {
        self.line.say(&said!("progress-connecting"));
        let started = Instant::now();
        let connection = transport::connect(self.host).await;
        self.spent("connect", started);
        let connection = connection?;
        self.mask = connection.mask();
        let started = Instant::now();
        let probe = connection.probe().await?;
        let artifact = artifact_for(&probe.arch, &self.context.artifacts)?;
        self.spent("probe", started);
        self.line.say(&said!("progress-deploying"));
        let started = Instant::now();
        let program = connection.deploy(artifact).await?;
        // The program that made a recorded stream is not known.
        let has_program = !matches!(connection, Connection::Replay(_));
        self.artifact_sha256 = has_program.then(|| artifact.sha256.clone());
        self.spent("deploy", started);
        let reached = Reached {
            connection,
            program,
        };
        Ok((reached, probe.machine))
    }

    /// Opens a lost connection again, for as long as the run is patient.
    async fn reach_again(&mut self, lost: Option<Reached>) -> Result<Reached, HostError> {
        if let Some(lost) = lost {
            lost.connection.close().await;
        }
        let mut tries = Tries::of_reopening(self.context.patience);
        loop {
            let error = match self.reach_once().await {
                Ok((reached, _)) => return Ok(reached),
                Err(error) => error,
            };
            let Some(pause) = tries.pause(&error) else {
                let n_missing = self.state.n_open();
                return Err(HostError {
                    reason: format!(
                        "the connection was lost and the host could not be reached again ({error}); {n_missing} units are missing; what the board finished meanwhile stays there, `cargo xtask run --resume {}` collects it and goes on",
                        self.context.run_id
                    ),
                    status: HostStatus::Failed,
                    stage: Stage::Measure,
                    ..error
                });
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn measure(&mut self, reached: &mut Option<Reached>) -> Result<(), HostError> {
        let first = reached.as_ref().expect("the caller has reached the host");
        if let Some(request) = self.request.clone() {
            // It may have begun just before the controller was killed.
            self.lease_end = Instant::now() + lease_of(&request);
            // A controller that was killed may have sent one request more than its stream tells.
            let (attempt, n_lines) = (self.state.attempt, self.state.n_lines);
            self.collect(first, &request, attempt, n_lines).await?;
            self.collect(first, &request, attempt + 1, 0).await?;
            self.state.attempt = attempt + 1;
            if self.state.is_complete() {
                return Ok(());
            }
        }
        let started = Instant::now();
        self.line.say(&said!("progress-facts"));
        let facts = match facts(&first.connection, &first.program).await {
            Err(error) if error.is_transient() => {
                self.overcome.push(error.reason);
                let again = self.reach_again(reached.take()).await?;
                let again = reached.insert(again);
                facts(&again.connection, &again.program).await?
            }
            other => other?,
        };
        self.spent("facts", started);
        let mut request = match self.request.take() {
            Some(request) => request,
            None => self.plan(&facts).await?,
        };
        let started = Instant::now();
        let limit = host_limit(&request, self.context.patience);
        let measuring = self.measure_all(reached, &mut request);
        let result = tokio::time::timeout(limit, measuring)
            .await
            .unwrap_or_else(|_| {
                let message = format!(
                    "no end within {} s, although all units together may take half of that; the board does not keep its own deadlines",
                    limit.as_secs()
                );
                Err(HostError::failed(Stage::Measure, message))
            });
        self.is_measuring.store(false, Ordering::Relaxed);
        self.spent("measure", started);
        result
    }

    /// What to measure, kept as it is sent.
    async fn plan(&mut self, facts: &Facts) -> Result<RunRequest, HostError> {
        let context = self.context;
        let mut request = plan::request(
            &context.run_id,
            &context.suite,
            &context.inventory,
            facts,
            is_slow(self.host),
        );
        let (variant, shape) = (context.variant.as_deref(), context.shape.as_deref());
        plan::force(&mut request.units, variant, shape);
        let left_out = environment::apply(
            &mut request,
            &self.host.prepare,
            context.compare_environment,
            context.budget,
            bench_analysis::stats::seed_of(&[&context.run_id, &self.host.name]),
        );
        request.host.clone_from(&self.host.name);
        request.wait_ms = BUSY_WAIT.as_millis() as u64;
        let kept = match self.files.write_left_out(left_out).await {
            Ok(()) => self.files.write_request(&request).await,
            error => error,
        };
        kept.map_err(|error| HostError::failed(Stage::Collect, format!("{error:#}")))?;
        self.state.ask(&request.units);
        Ok(request)
    }

    fn spent(&mut self, stage: &str, started: Instant) {
        let stage_s = self.stage_s.entry(stage.to_string()).or_default();
        *stage_s += started.elapsed().as_secs_f64();
        self.line.stage(stage, *stage_s);
    }

    /// Measures every unit. What ends a supervisor or a connection costs time: the board keeps what it measured, and the
    /// unit that was cut off is measured again.
    async fn measure_all(
        &mut self,
        reached: &mut Option<Reached>,
        request: &mut RunRequest,
    ) -> Result<(), HostError> {
        let mut n_lost = 0;
        loop {
            request.attempt = self.state.attempt + 1;
            request.units.retain(|unit| self.state.is_open(unit));
            // Not kept with the request: it names this machine and its user.
            request.owner = owner();
            let at = reached
                .as_ref()
                .expect("it is reached again after every loss");
            self.is_measuring.store(true, Ordering::Relaxed);
            let answer = self.measure_once(at, request).await;
            self.is_measuring.store(false, Ordering::Relaxed);
            let cause = match answer.or_else(lost)? {
                Answer::Complete => return Ok(()),
                Answer::Busy(reason) => return Err(HostError::failed(Stage::Measure, reason)),
                Answer::CutShort(_) if self.context.cancelled.is_cancelled() => {
                    return Err(interrupted());
                }
                Answer::CutShort(cause) => cause,
            };
            n_lost += 1;
            // The board said nothing, or the controller lost it: the next request has a number of its own.
            self.state.attempt = request.attempt;
            if n_lost == MAX_ATTEMPTS_LOST {
                let n_missing = self.state.n_open();
                return Err(HostError::failed(
                    Stage::Measure,
                    format!("{cause}; it was the {n_lost}th time, {n_missing} units are missing"),
                ));
            }
            self.overcome.push(cause.clone());
            self.line.say(&said!("progress-again", cause = &cause));
            let again = self.reach_again(reached.take()).await?;
            let again = reached.insert(again);
            let n_received = self.state.n_lines;
            request.units.retain(|unit| self.state.is_open(unit));
            let collected = self
                .collect(again, request, request.attempt, n_received)
                .await;
            // Lost again: the next request finds that out.
            if let Err(error) = collected
                && !error.is_transient()
            {
                return Err(error);
            }
            if self.state.is_complete() {
                return Ok(());
            }
        }
    }

    /// Brings results that the board kept, from a line of its answer on, and lets the board forget them.
    async fn collect(
        &mut self,
        at: &Reached,
        request: &RunRequest,
        attempt: u32,
        from: usize,
    ) -> Result<(), HostError> {
        if attempt == 0 {
            return Ok(());
        }
        let (run, host) = (self.context.run_id.clone(), self.host.name.clone());
        let (attempt, from) = (attempt.to_string(), from.to_string());
        self.line.say(&said!("progress-collecting"));
        let args = [run.as_str(), &host, &attempt, &from];
        let Running {
            stdin,
            stdout,
            stderr,
            end,
        } = at
            .connection
            .start_program(Stage::Collect, &at.program, "collect", &args)
            .await?;
        drop(stdin);
        let (log, mask) = (self.files.stderr(), self.mask.clone());
        let mut limits = Limits {
            allowance: Allowance::of(request),
            pace: Some(Pace::new(self.lease_end - Instant::now())),
        };
        // Its standard error counts until its results end.
        tokio::select! {
            reading = self.read_stream(stdout, None, &mut limits) => reading?,
            () = async {
                keep_stderr(stderr, &log, &mask).await;
                std::future::pending().await
            } => {}
        }
        // Lost again: the next attempt collects the rest.
        let end = tokio::time::timeout(STEP_DEADLINE, end).await;
        if end != Ok(End::Status(0)) {
            return Ok(());
        }
        self.sync().await?;
        let args = [run.as_str(), &host, &attempt];
        let forgetting = at
            .connection
            .start_program(Stage::Collect, &at.program, "forget", &args)
            .await?;
        let Running { stdin, end, .. } = forgetting;
        drop(stdin);
        let _ = tokio::time::timeout(STEP_DEADLINE, end).await;
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), HostError> {
        self.files.sync_stream().await.map_err(disk_error)
    }

    async fn measure_once(
        &mut self,
        at: &Reached,
        request: &mut RunRequest,
    ) -> Result<Answer, HostError> {
        // A stream that never begins must not pass for the answer before.
        (self.state.complete, self.state.left, self.state.n_lines) = (false, None, 0);
        let Running {
            stdin,
            stdout,
            stderr,
            end,
        } = at
            .connection
            .start_program(Stage::Measure, &at.program, "supervise", &[])
            .await?;
        let line = request.to_line();
        let limit = lease_of(request);
        self.lease_end = Instant::now() + limit;
        let mut limits = Limits {
            allowance: Allowance::of(request),
            pace: None,
        };
        let (log, mask) = (self.files.stderr(), self.mask.clone());
        let cancelled = self.context.cancelled.clone();
        let (control, lines) = mpsc::channel(4);
        let talk = async {
            let stop = async {
                cancelled.cancelled().await;
                let _ = control.send(CONTROL_STOP).await;
                tokio::time::sleep(STOP_GRACE).await;
            };
            let result = tokio::select! {
                result = self.read_stream(stdout, Some(&control), &mut limits) => result,
                () = stop => Ok(()),
            };
            // Without senders the conversation ends, and with it the board's standard input.
            drop(control);
            result
        };
        let conversation = async {
            let (result, (), ()) = tokio::join!(
                talk,
                feed(stdin, line, lines),
                // It ends with the program, or with the connection.
                async {
                    let _ = tokio::time::timeout(limit, keep_stderr(stderr, &log, &mask)).await;
                }
            );
            result
        };
        match tokio::time::timeout(limit, conversation).await {
            Ok(result) => result?,
            // It said all that it had to say: the controller's own disk held up the end.
            Err(_) if self.state.is_complete() => return Ok(Answer::Complete),
            Err(_) => {
                let message = format!("no end within {} s", limit.as_secs());
                return Err(HostError::failed(Stage::Measure, message));
            }
        }
        let end = tokio::time::timeout(STEP_DEADLINE, end)
            .await
            .unwrap_or(End::ConnectionLost);
        let n_missing = self.state.n_open();
        Ok(match (self.state.complete, self.state.left.take()) {
            (true, _) if n_missing == 0 => Answer::Complete,
            (true, _) => Answer::CutShort(format!(
                "the board says that it is done, although {n_missing} units have no end"
            )),
            (false, Some(reason)) if end == End::Status(EXIT_BUSY) => Answer::Busy(reason),
            (false, Some(reason)) => {
                Answer::CutShort(format!("the board stopped measuring: {reason}"))
            }
            (false, None) => Answer::CutShort(end.describe("the board program")),
        })
    }
}

/// How long the board may be kept by a request, its wait for others included.
fn lease_of(request: &RunRequest) -> Duration {
    let ms = request.deadline_ms.saturating_add(request.wait_ms);
    // A request of a foreign run directory may name any number.
    Duration::from_millis(ms.min(MAX_LEASE.as_millis() as u64)) + DEADLINE_GRACE
}

/// No host measures for longer.
const MAX_LEASE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a host may take in all: what its requests may take if each unit is measured twice, and every loss of its
/// connection.
fn host_limit(request: &RunRequest, patience: Duration) -> Duration {
    let losses = (patience + STEP_DEADLINE).saturating_mul(MAX_ATTEMPTS_LOST);
    lease_of(request).saturating_mul(2).saturating_add(losses)
}

fn disk_error(error: std::io::Error) -> HostError {
    let message = format!("the controller's disk takes no more results: {error}");
    HostError::failed(Stage::Collect, message)
}

/// A connection that opens no channel any more is lost like one that ends in the middle.
fn lost(error: HostError) -> Result<Answer, HostError> {
    match error.is_transient() {
        true => Ok(Answer::CutShort(error.reason)),
        false => Err(error),
    }
}
