//! Asking a host what it is, without measuring.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use bench_inventory::Host;
use bench_protocol::{EnvironmentStep, Facts, Message, parse_line};
use bench_run_dir::{MAX_LINE_BYTES, Stage};
use tokio::sync::Semaphore;

use super::check_protocol;
use crate::artifact::{self, Artifact};
use crate::retry::Tries;
use crate::transport::{self, Cause, Connection, End, HostError, Running};

/// Board programs by architecture.
pub type Artifacts = BTreeMap<&'static str, Artifact>;

/// Hosts that are asked at the same time.
const MAX_AT_ONCE: usize = 8;

/// Asks hosts side by side; their answers come in the order of the hosts.
///
/// # Errors
/// When the runtime cannot be started; what a host says is a result.
pub fn each<T, F>(
    hosts: &[Host],
    artifacts: Artifacts,
    question: impl Fn(Host, Arc<Artifacts>) -> F + Copy + Send + 'static,
) -> anyhow::Result<Vec<Result<T, HostError>>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, HostError>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let artifacts = Arc::new(artifacts);
    let places = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let answers = runtime.block_on(async {
        let asking: Vec<_> = (hosts.iter().cloned())
            .map(|host| {
                let (artifacts, places) = (Arc::clone(&artifacts), Arc::clone(&places));
                tokio::spawn(async move {
                    // Never closed.
                    let _place = places.acquire().await;
                    question(host, artifacts).await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for answer in asking {
            answers.push(answer.await.unwrap_or_else(|error| {
                let message = format!("asking it ended unexpectedly: {error}");
                Err(HostError::failed(Stage::Connect, message))
            }));
        }
        answers
    });
    // Not dropped: a stuck name look-up in a blocking thread must not hold up the answers.
    runtime.shutdown_background();
    Ok(answers)
}

/// Asks a host for its facts, without measuring.
///
/// # Errors
/// When it cannot be reached, takes no program, or tells nothing.
pub async fn ask(host: Host, artifacts: Arc<Artifacts>) -> Result<Facts, HostError> {
    let connection = connect(&host).await?;
    let answer = async {
        let probe = connection.probe().await?;
        let program = connection
            .deploy(artifact_for(&probe.arch, &artifacts)?)
            .await?;
        facts(&connection, &program).await
    };
    let answer = answer.await;
    connection.close().await;
    answer
}

/// Puts back what a run left changed on a host; returns what was done.
///
/// # Errors
/// When the host cannot be reached, or somebody measures on it.
pub async fn restore(
    host: Host,
    artifacts: Arc<Artifacts>,
) -> Result<Vec<EnvironmentStep>, HostError> {
    let connection = connect(&host).await?;
    let answer = async {
        let probe = connection.probe().await?;
        let program = connection
            .deploy(artifact_for(&probe.arch, &artifacts)?)
            .await?;
        let running = connection
            .start_program(Stage::Restore, &program, "restore", &[])
            .await?;
        messages(Stage::Restore, running).await
    };
    let answer = answer.await;
    connection.close().await;
    let mut steps = Vec::new();
    for message in answer?.0 {
        match message {
            Message::Environment(step) => steps.push(step),
            Message::Left(note) => return Err(HostError::failed(Stage::Restore, note.text)),
            _ => {}
        }
    }
    Ok(steps)
}

async fn connect(host: &Host) -> Result<Connection, HostError> {
    let mut tries = Tries::of_reaching();
    loop {
        let error = match transport::connect(host).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let Some(pause) = tries.pause(&error) else {
            return Err(error);
        };
        tokio::time::sleep(pause).await;
    }
}

/// The board program for an architecture.
pub(super) fn artifact_for<'a>(
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

pub(super) async fn facts(connection: &Connection, program: &str) -> Result<Facts, HostError> {
    let running = connection.start(Stage::Facts, program, &["facts"]).await?;
    let (messages, end, stderr_tail) = messages(Stage::Facts, running).await?;
    let facts = messages.into_iter().find_map(|message| match message {
        Message::Facts(facts) => Some(*facts),
        _ => None,
    });
    facts.ok_or_else(|| HostError {
        stderr_tail,
        cause: Cause::of_end(&end),
        ..HostError::failed(
            Stage::Facts,
            format!(
                "the board tells no facts; {}",
                end.describe("the board program")
            ),
        )
    })
}

/// All that a program says that is asked one question, how it ended, and its last words to people.
async fn messages(
    stage: Stage,
    running: Running,
) -> Result<(Vec<Message>, End, Vec<String>), HostError> {
    let (output, errors, end) = transport::talk(stage, running, None, MAX_LINE_BYTES).await?;
    let messages = String::from_utf8_lossy(&output);
    let messages: Vec<Message> = messages
        .lines()
        .filter_map(|line| parse_line(line).ok())
        .collect();
    messages.iter().try_for_each(check_protocol)?;
    Ok((
        messages,
        end,
        transport::tail(&String::from_utf8_lossy(&errors)),
    ))
}
