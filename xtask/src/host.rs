//! One host from connecting to its last message. Whatever happens, what was measured stays on disk and the cause is
//! named.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_inventory::{Host, Inventory, Suite, Transport};
use bench_protocol::{
    EXIT_DEADLINE, Facts, Message, PROTOCOL_VERSION, RunRequest, UnitSpec, UnitStatus, parse_line,
};
use bench_reports::run_dir::{HostRecord, HostStatus, Stage};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::artifact::{self, Artifact};
use crate::plan;
use crate::progress::HostProgress;
use crate::recorder::{HostFiles, StderrLog};
use crate::resume::Prior;
use crate::transport::{self, Connection, End, HostError, Running, STEP_DEADLINE};

/// A line longer than this is no message; it is kept in pieces of this size.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Units after one that ended the program are measured by a new start, this often.
const MAX_RESTARTS: u32 = 3;

/// Time the board program gets to end itself at its own deadline before the controller gives up waiting.
const DEADLINE_GRACE: Duration = Duration::from_secs(10);

/// What all hosts of a run share.
pub struct RunContext {
    /// Name of the run.
    pub run_id: String,
    /// The suite that is measured.
    pub suite: Suite,
    /// Instruction-set variant that every unit is forced to; none takes the best each CPU has.
    pub variant: Option<String>,
    /// Everything the inventory says.
    pub inventory: Inventory,
    /// Board programs by architecture.
    pub artifacts: BTreeMap<&'static str, Artifact>,
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

/// Counts of a host's units by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// All samples taken.
    pub n_ok: u32,
    /// Something went wrong, or the stream ended before.
    pub n_failed: u32,
    /// Not possible on this board.
    pub n_skipped: u32,
}

/// Measures one host and writes its record.
pub async fn measure(
    context: &RunContext,
    host: &Host,
    prior: Prior,
    mut files: HostFiles,
    line: &HostProgress,
) -> (HostRecord, UnitCounts) {
    let mut session = HostSession {
        context,
        host,
        line,
        files: &mut files,
        state: StreamState {
            requested: (prior.request.iter())
                .flat_map(|request| request.units.clone())
                .collect(),
            ended: prior.ended,
            ..StreamState::default()
        },
        request: prior.request,
        stage_s: BTreeMap::new(),
        artifact_sha256: None,
    };
    let result = tokio::select! {
        result = session.run() => result,
        () = context.cancelled.cancelled() => Err(HostError {
            stage: Stage::Measure,
            status: HostStatus::Interrupted,
            reason: "the run was interrupted before this host ended".to_string(),
            stderr_tail: Vec::new(),
        }),
    };
    let counts = session.state.counts();
    let record = session.record(result.err());
    if let Err(error) = files.write_record(&record) {
        eprintln!("host `{}`: {error:#}", host.name);
    }
    line.finish(&match &record.reason {
        None => format!(
            "{} units measured, {} skipped",
            counts.n_ok, counts.n_skipped
        ),
        Some(reason) => format!("{}: {reason}", record.status.name()),
    });
    (record, counts)
}

/// Asks a host for its facts, without measuring.
///
/// # Errors
/// When it cannot be reached, takes no program, or tells nothing.
pub async fn ask(
    host: &Host,
    artifacts: &BTreeMap<&'static str, Artifact>,
) -> Result<Facts, HostError> {
    let connection = transport::connect(host).await?;
    let answer = async {
        let probe = connection.probe().await?;
        let program = connection
            .deploy(artifact_for(&probe.arch, artifacts)?)
            .await?;
        facts(&connection, &program).await
    };
    let answer = answer.await;
    connection.close().await;
    answer
}

/// The board program for an architecture.
fn artifact_for<'a>(
    arch: &str,
    artifacts: &'a BTreeMap<&'static str, Artifact>,
) -> Result<&'a Artifact, HostError> {
    let artifact = artifact::target_of(arch).and_then(|target| artifacts.get(target.arch));
    artifact.ok_or_else(|| {
        let known: Vec<&str> = artifact::TARGETS.iter().map(|target| target.arch).collect();
        let message = format!(
            "there is no board program for `{arch}`; there are {}",
            known.join(" and ")
        );
        HostError::failed(Stage::Probe, message)
    })
}

async fn facts(connection: &Connection, program: &str) -> Result<Facts, HostError> {
    let Running {
        stdin,
        stdout,
        stderr,
        end,
    } = connection.start(Stage::Facts, program, &["facts"]).await?;
    drop(stdin);
    let talk = async {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(MAX_LINE_BYTES), stderr.take(MAX_LINE_BYTES));
        let _ = tokio::join!(
            stdout.read_to_end(&mut output),
            stderr.read_to_end(&mut errors)
        );
        (output, errors, end.await)
    };
    let (output, errors, end) = tokio::time::timeout(STEP_DEADLINE, talk)
        .await
        .map_err(|_| {
            HostError::failed(
                Stage::Facts,
                format!("no facts within {} s", STEP_DEADLINE.as_secs()),
            )
        })?;
    let messages = String::from_utf8_lossy(&output);
    let messages: Vec<Message> = messages
        .lines()
        .filter_map(|line| parse_line(line).ok())
        .collect();
    check_protocol(&messages)?;
    let facts = messages.into_iter().find_map(|message| match message {
        Message::Facts(facts) => Some(*facts),
        _ => None,
    });
    facts.ok_or_else(|| {
        let mut error = HostError::failed(
            Stage::Facts,
            format!("the board tells no facts; {}", end.describe()),
        );
        error.stderr_tail = tail(&errors);
        error
    })
}

/// Whether an emulator runs the host, or is the host.
pub fn is_emulated(host: &Host) -> bool {
    host.emulated || matches!(host.transport, Transport::QemuUser { .. })
}

struct HostSession<'a> {
    context: &'a RunContext,
    host: &'a Host,
    line: &'a HostProgress,
    files: &'a mut HostFiles,
    state: StreamState,
    /// The request of a run that is gone on with.
    request: Option<RunRequest>,
    stage_s: BTreeMap<String, f64>,
    artifact_sha256: Option<String>,
}

/// What the stream said so far.
#[derive(Default)]
struct StreamState {
    requested: Vec<UnitSpec>,
    ended: HashMap<String, UnitStatus>,
    n_garbage_lines: u32,
    complete: bool,
    crashes: Vec<String>,
}

impl StreamState {
    fn counts(&self) -> UnitCounts {
        let count = |status| {
            self.ended
                .values()
                .filter(|ended| **ended == status)
                .count() as u32
        };
        let n_missing = self
            .requested
            .iter()
            .filter(|unit| !self.ended.contains_key(&unit.unit))
            .count() as u32;
        UnitCounts {
            n_ok: count(UnitStatus::Ok),
            n_failed: count(UnitStatus::Failed) + n_missing,
            n_skipped: count(UnitStatus::Skipped),
        }
    }

    fn remaining(&self) -> Vec<UnitSpec> {
        self.requested
            .iter()
            .filter(|unit| !self.ended.contains_key(&unit.unit))
            .cloned()
            .collect()
    }
}

impl HostSession<'_> {
    async fn run(&mut self) -> Result<(), HostError> {
        let connection = self.connect().await?;
        let (program, machine) = self.prepare(&connection).await?;
        let lock = self.context.machines.lock_of(&machine);
        let (connection, program, _turn) = match Arc::clone(&lock).try_lock_owned() {
            Ok(turn) => (connection, program, turn),
            Err(_) => {
                self.line
                    .say("waiting for another host on the same machine");
                // An idle connection does not outlive a long wait: it is opened anew when the turn comes.
                connection.close().await;
                let turn = lock.lock_owned().await;
                let connection = self.connect().await?;
                let (program, _) = self.prepare(&connection).await?;
                (connection, program, turn)
            }
        };
        let result = self.measure_prepared(&connection, &program).await;
        connection.close().await;
        result
    }

    async fn connect(&mut self) -> Result<Connection, HostError> {
        self.line.say("connecting");
        let started = Instant::now();
        let connection = transport::connect(self.host).await;
        self.spent("connect", started);
        connection
    }

    /// Finds out what the host is and brings it the program; returns the program's path and what names the machine.
    async fn prepare(&mut self, connection: &Connection) -> Result<(String, String), HostError> {
        let started = Instant::now();
        let probe = connection.probe().await?;
        let artifact = artifact_for(&probe.arch, &self.context.artifacts)?;
        self.spent("probe", started);
        self.line.say("deploying");
        let started = Instant::now();
        let program = connection.deploy(artifact).await?;
        self.artifact_sha256 = Some(artifact.sha256.clone());
        self.spent("deploy", started);
        Ok((program, probe.machine))
    }

    async fn measure_prepared(
        &mut self,
        connection: &Connection,
        program: &str,
    ) -> Result<(), HostError> {
        let started = Instant::now();
        self.line.say("asking for facts");
        let facts = facts(connection, program).await?;
        self.spent("facts", started);
        let request = match self.request.take() {
            Some(mut request) => {
                request.units = self.state.remaining();
                request
            }
            None => self.plan(&facts)?,
        };
        let started = Instant::now();
        let result = self.measure_all(connection, program, request).await;
        self.spent("measure", started);
        result
    }

    /// What to measure, kept as it is sent.
    fn plan(&mut self, facts: &Facts) -> Result<RunRequest, HostError> {
        let context = self.context;
        let mut request = plan::request(
            &context.run_id,
            &context.suite,
            &context.inventory,
            facts,
            is_emulated(self.host),
        );
        for unit in &mut request.units {
            unit.variant.clone_from(&context.variant);
        }
        self.files
            .write_request(&request)
            .map_err(|error| HostError::failed(Stage::Collect, format!("{error:#}")))?;
        self.state.requested.clone_from(&request.units);
        Ok(request)
    }

    fn spent(&mut self, stage: &str, started: Instant) {
        self.stage_s
            .insert(stage.to_string(), started.elapsed().as_secs_f64());
    }

    /// Measures every unit; a unit that ends the program costs that unit only.
    async fn measure_all(
        &mut self,
        connection: &Connection,
        program: &str,
        mut request: RunRequest,
    ) -> Result<(), HostError> {
        for _ in 0..=MAX_RESTARTS {
            let end = self.measure_once(connection, program, &request).await?;
            if self.state.complete {
                return Ok(());
            }
            if end == End::ConnectionLost {
                return Err(self.truncated(&end));
            }
            if end != End::Status(EXIT_DEADLINE) {
                // The program died in the first unit that has no end; the next start leaves it out.
                let Some(culprit) = self.state.remaining().into_iter().next() else {
                    return Err(self.truncated(&end));
                };
                self.state
                    .crashes
                    .push(format!("unit `{}`: {}", culprit.unit, end.describe()));
                self.state.ended.insert(culprit.unit, UnitStatus::Failed);
            }
            request.units = self.state.remaining();
            if request.units.is_empty() {
                return Err(self.truncated(&end));
            }
            self.line
                .say(&format!("starting again after {}", end.describe()));
        }
        Err(HostError::failed(
            Stage::Measure,
            format!(
                "the board program died again and again: {}",
                self.state.crashes.join("; ")
            ),
        ))
    }

    fn truncated(&self, end: &End) -> HostError {
        let n_missing = self.state.remaining().len();
        let reason = match self.state.crashes.is_empty() {
            true => format!(
                "the stream ended early, {n_missing} units are missing: {}",
                end.describe()
            ),
            false => format!("the stream ended early: {}", self.state.crashes.join("; ")),
        };
        HostError::failed(Stage::Measure, reason)
    }

    async fn measure_once(
        &mut self,
        connection: &Connection,
        program: &str,
        request: &RunRequest,
    ) -> Result<End, HostError> {
        let Running {
            mut stdin,
            stdout,
            stderr,
            end,
        } = connection
            .start(Stage::Measure, program, &["run", "--watch-stdin"])
            .await?;
        let mut line = serde_json::to_vec(request).expect("requests hold no maps with odd keys");
        line.push(b'\n');
        let limit = Duration::from_millis(request.deadline_ms) + DEADLINE_GRACE;
        let conversation = async {
            // A program that died says why in the stream's end, not in this write's error.
            let _ = stdin.write_all(&line).await;
            let _ = stdin.flush().await;
            let log = self.files.stderr();
            let (result, ()) = tokio::join!(self.read_stream(stdout), keep_stderr(stderr, &log));
            // Open until now: closing it tells the program that the controller is gone.
            drop(stdin);
            result
        };
        tokio::time::timeout(limit, conversation)
            .await
            .map_err(|_| {
                HostError::failed(
                    Stage::Measure,
                    format!("no end within {} s", limit.as_secs()),
                )
            })??;
        Ok(tokio::time::timeout(STEP_DEADLINE, end)
            .await
            .unwrap_or(End::ConnectionLost))
    }

    async fn read_stream(&mut self, stdout: impl AsyncRead + Unpin) -> Result<(), HostError> {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A read error is the connection's end: what arrived before counts.
            let n_read = (&mut reader)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
                .await
                .unwrap_or(0);
            if n_read == 0 {
                return Ok(());
            }
            self.files.append_stream(&line).map_err(|error| {
                HostError::failed(
                    Stage::Collect,
                    format!("the controller's disk takes no more results: {error}"),
                )
            })?;
            match std::str::from_utf8(&line)
                .map_err(|_| ())
                .and_then(|text| parse_line(text).map_err(|_| ()))
            {
                Ok(message) => self.note(message)?,
                Err(()) => self.state.n_garbage_lines += 1,
            }
        }
    }

    fn note(&mut self, message: Message) -> Result<(), HostError> {
        match message {
            Message::Hello(_) => check_protocol(&[message])?,
            Message::UnitReady(ready) => {
                let n_units = self.state.requested.len();
                let at = self.state.ended.len() + 1;
                self.line.say(&format!(
                    "{at}/{n_units} {} ({})",
                    ready.unit, ready.variant
                ));
            }
            Message::UnitEnd(end) => {
                self.state.ended.insert(end.unit, end.status);
            }
            Message::Done(_) => self.state.complete = true,
            Message::Facts(_) | Message::Sample(_) => {}
        }
        Ok(())
    }

    fn record(self, error: Option<HostError>) -> HostRecord {
        let counts = self.state.counts();
        let mut status = HostStatus::Ok;
        let (mut stage, mut reason, mut stderr_tail) = (None, None, Vec::new());
        if !self.state.crashes.is_empty() {
            status = HostStatus::Failed;
            stage = Some(Stage::Measure);
            reason = Some(format!(
                "{}; the other units were measured by a new start",
                self.state.crashes.join("; ")
            ));
        } else if self.state.n_garbage_lines > 0 && counts.n_failed == 0 {
            reason = Some(format!(
                "{} lines of the stream are no messages and were kept aside",
                self.state.n_garbage_lines
            ));
        }
        if let Some(error) = error {
            (status, stage, reason) = (error.status, Some(error.stage), Some(error.reason));
            stderr_tail = error.stderr_tail;
        }
        if stderr_tail.is_empty() && status != HostStatus::Ok {
            stderr_tail = self.files.stderr().tail();
        }
        HostRecord {
            host: self.host.name.clone(),
            board: self.host.board.clone(),
            transport: transport_name(&self.host.transport).to_string(),
            emulated: is_emulated(self.host),
            status,
            stage,
            reason,
            stderr_tail,
            n_garbage_lines: self.state.n_garbage_lines,
            complete: self.state.complete,
            artifact_sha256: self.artifact_sha256,
            stage_s: self.stage_s,
        }
    }
}

/// A transport's stable name.
pub fn transport_name(transport: &Transport) -> &'static str {
    match transport {
        Transport::Local => "local",
        Transport::Ssh(_) => "ssh",
        Transport::QemuUser { .. } => "qemu-user",
    }
}

fn check_protocol(messages: &[Message]) -> Result<(), HostError> {
    match messages.iter().find_map(|message| {
        if let Message::Hello(hello) = message {
            Some(hello)
        } else {
            None
        }
    }) {
        Some(hello) if hello.protocol != PROTOCOL_VERSION => Err(HostError::failed(
            Stage::Facts,
            format!(
                "the board program speaks protocol {}, this controller {PROTOCOL_VERSION}",
                hello.protocol
            ),
        )),
        _ => Ok(()),
    }
}

/// Keeps what the program says to people as it comes: an error later must not cost it.
async fn keep_stderr(mut stderr: impl AsyncRead + Unpin, log: &StderrLog) {
    let mut chunk = [0u8; 4096];
    // Read on beyond what is kept, or the program would block on a full pipe.
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        log.append(&chunk[..n]);
    }
}

fn tail(bytes: &[u8]) -> Vec<String> {
    transport::tail(&String::from_utf8_lossy(bytes))
}
