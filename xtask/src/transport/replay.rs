//! A recorded stream in the place of a host: the same messages, with nothing measured.
//!
//! Answers in the controller's own process what a board program would answer. What it tells was measured elsewhere, so
//! such a host counts as emulated. Refuses to invent anything: a unit that was not recorded is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use bench_inventory::{Recording, foreign};
use bench_protocol::{
    CONTROL_ACK, CONTROL_STOP, Done, Hello, Message, Note, PROTOCOL_VERSION, RunRequest, UnitEnd,
    UnitStatus, parse_line,
};
use bench_run_dir::Stage;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{End, HostError, Probe, Running};

/// Room between the recording and its reader, as a pipe has it. Bytes.
const PIPE_BYTES: usize = 1 << 16;

/// A recorded stream, examined and ready to be played.
#[derive(Clone)]
pub struct Replay {
    host: String,
    stream: PathBuf,
    duration: Duration,
    hello: Hello,
    /// The line of the first facts, with its end.
    facts: String,
    /// Every line of the file.
    lines: Vec<Line>,
    /// Units that the stream saw end; [`Line::Unit`] counts in this order.
    units: Vec<Unit>,
}

/// A round of a unit that ended.
#[derive(Clone)]
struct Unit {
    name: String,
    round: u32,
    n_samples: u32,
}

/// What a request asks for, without the work: nothing is measured.
struct Asked {
    run_id: String,
    attempt: u32,
    /// Units, each with its round.
    units: Vec<(String, u32)>,
}

impl Asked {
    fn of(request: RunRequest) -> Asked {
        let units = request.units.into_iter();
        Asked {
            run_id: request.run_id,
            attempt: request.attempt,
            units: units.map(|it| (it.unit, it.round)).collect(),
        }
    }
}

/// What a line is played for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Never: another line takes its place, or it belongs to a unit that was cut off.
    Not,
    /// Always.
    Always,
    /// When this unit is asked for.
    Unit(u32),
}

impl Replay {
    /// Examines the recording. `host` names the machine that it plays.
    ///
    /// # Errors
    /// When the file cannot be read or is no recorded stream.
    pub fn open(host: &str, recording: &Recording) -> Result<Replay, HostError> {
        let shown = recording.stream.display();
        let failed = |reason: String| {
            let remedy = "`stream` names the `hosts/HOST/stream.jsonl` of a run";
            HostError::failed(Stage::Connect, format!("{reason}; {remedy}"))
        };
        let cannot_read = |error: io::Error| failed(format!("cannot read `{shown}`: {error}"));
        let file = foreign::open(&recording.stream).map_err(cannot_read)?;
        let mut index = Index::default();
        let mut bytes = Vec::new();
        let mut reader = BufReader::new(file);
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes).map_err(cannot_read)? == 0 {
                break;
            }
            index.take(std::str::from_utf8(&bytes).unwrap_or_default());
        }
        let (Some(hello), Some(facts)) = (index.hello, index.facts) else {
            return Err(failed(format!("`{shown}` has no `hello` or no `facts`")));
        };
        Ok(Replay {
            host: host.to_string(),
            stream: recording.stream.clone(),
            duration: Duration::from_secs(recording.seconds.into()),
            hello,
            facts,
            lines: index.lines,
            units: index.units,
        })
    }

    /// The recorded architecture on a machine of its own.
    pub fn probe(&self) -> Probe {
        Probe {
            arch: self.hello.arch.clone(),
            machine: format!("replay of {}", self.host),
        }
    }

    /// Does what the board program does with these arguments. Modes that keep or change something on a board find
    /// nothing here.
    pub fn start(&self, args: &[&str]) -> Running {
        let (stdin, input) = duplex(PIPE_BYTES);
        let (mut output, stdout) = duplex(PIPE_BYTES);
        let (mut errors, stderr) = duplex(PIPE_BYTES);
        let (replay, mode) = (
            self.clone(),
            args.first().copied().unwrap_or_default().to_string(),
        );
        let answering = tokio::spawn(async move {
            let answer = match mode.as_str() {
                "facts" => replay.tell_facts(&mut output).await,
                "supervise" => replay.supervise(input, &mut output).await,
                _ => Ok(()),
            };
            match answer {
                Ok(()) => 0,
                Err(error) => {
                    let text = format!("replay of `{}`: {error}\n", replay.stream.display());
                    // Nobody may be listening any more.
                    let _ = errors.write_all(text.as_bytes()).await;
                    1
                }
            }
        });
        Running {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(async move { answering.await.map_or(End::ConnectionLost, End::Status) }),
        }
    }

    async fn tell_facts(&self, output: &mut DuplexStream) -> io::Result<()> {
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            run_id: String::new(),
            attempt: 0,
            ..self.hello.clone()
        };
        say(output, &Message::Hello(hello)).await?;
        output.write_all(self.facts.as_bytes()).await
    }

    async fn supervise(&self, input: DuplexStream, output: &mut DuplexStream) -> io::Result<()> {
        let mut lines = tokio::io::BufReader::new(input).lines();
        let Some(request) = lines.next_line().await? else {
            return Ok(());
        };
        let asked = Asked::of(RunRequest::from_json(&request)?);
        let stop = CancellationToken::new();
        let listen = async {
            loop {
                match lines.next_line().await.ok().flatten().as_deref() {
                    Some(CONTROL_ACK) => return,
                    Some(CONTROL_STOP) => stop.cancel(),
                    Some(_) => {}
                    None => return stop.cancel(),
                }
            }
        };
        // The stream ends after the controller said that it has everything.
        tokio::join!(self.play(&asked, output, &stop), listen).0
    }

    /// Plays what was asked for, to its `done`.
    async fn play(
        &self,
        asked: &Asked,
        output: &mut DuplexStream,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let started = Instant::now();
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            run_id: asked.run_id.clone(),
            attempt: asked.attempt,
            ..self.hello.clone()
        };
        say(output, &Message::Hello(hello)).await?;
        output.write_all(self.facts.as_bytes()).await?;
        let names: BTreeSet<(&str, u32)> = (asked.units.iter())
            .map(|(unit, round)| (unit.as_str(), *round))
            .collect();
        let is_asked: Vec<bool> = (self.units.iter())
            .map(|unit| names.contains(&(unit.name.as_str(), unit.round)))
            .collect();
        let is_played = |line: Line| match line {
            Line::Not => false,
            Line::Always => true,
            Line::Unit(idx) => is_asked[idx as usize],
        };
        let n_lines = self.lines.iter().filter(|line| is_played(**line)).count();
        let mut reader = BufReader::new(foreign::open(&self.stream)?);
        let mut n_sent = 0u32;
        let mut bytes = Vec::new();
        for line in &self.lines {
            bytes.clear();
            reader.read_until(b'\n', &mut bytes)?;
            if !is_played(*line) {
                continue;
            }
            n_sent += 1;
            let due = self.duration.mul_f64(f64::from(n_sent) / n_lines as f64);
            if !wait_until(started + due, stop).await {
                let text = "the controller asked to stop".to_string();
                return say(output, &Message::Left(Note { text })).await;
            }
            output.write_all(&bytes).await?;
        }
        let recorded: BTreeSet<(&str, u32)> = (self.units.iter())
            .map(|it| (it.name.as_str(), it.round))
            .collect();
        for (unit, round) in &asked.units {
            if !recorded.contains(&(unit.as_str(), *round)) {
                let end = UnitEnd {
                    unit: unit.clone(),
                    round: *round,
                    status: UnitStatus::Skipped,
                    reason: Some("the recorded stream does not have this unit".to_string()),
                    unrest: None,
                };
                say(output, &Message::UnitEnd(end)).await?;
            }
        }
        let played = self
            .units
            .iter()
            .zip(&is_asked)
            .filter(|(_, asked)| **asked);
        let n_samples = played.map(|(unit, _)| unit.n_samples).sum();
        let n_units = asked.units.len() as u32;
        say(output, &Message::Done(Done { n_units, n_samples })).await
    }
}

/// Waits for the time given; returns false when the controller wants to stop.
async fn wait_until(due: Instant, stop: &CancellationToken) -> bool {
    if due > Instant::now() {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = stop.cancelled() => {}
        }
    }
    !stop.is_cancelled()
}

async fn say(output: &mut DuplexStream, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    output.write_all(line.as_bytes()).await
}

/// What the lines of a stream are, while it is read.
#[derive(Default)]
struct Index {
    hello: Option<Hello>,
    facts: Option<String>,
    lines: Vec<Line>,
    units: Vec<Unit>,
    /// Units that did not end yet.
    open: BTreeMap<String, OpenUnit>,
}

#[derive(Default)]
struct OpenUnit {
    lines: Vec<usize>,
    n_samples: u32,
}

impl Index {
    fn take(&mut self, text: &str) {
        let number = self.lines.len();
        self.lines.push(Line::Not);
        // The last line of a killed controller may be cut off.
        let message = (text.ends_with('\n')).then(|| parse_line(text));
        match message {
            None | Some(Err(_) | Ok(Message::Done(_) | Message::Left(_))) => {}
            Some(Ok(Message::Hello(hello))) => {
                // What a cut-off request began was measured again in a later one.
                self.open.clear();
                self.hello.get_or_insert(hello);
            }
            Some(Ok(Message::Facts(_))) => {
                self.facts.get_or_insert_with(|| text.to_string());
            }
            Some(Ok(message)) => match message.unit() {
                Some(unit) => self.take_of_unit(number, unit, &message),
                None => self.lines[number] = Line::Always,
            },
        }
    }

    fn take_of_unit(&mut self, number: usize, name: &str, message: &Message) {
        let open = self.open.entry(name.to_owned()).or_default();
        open.lines.push(number);
        open.n_samples += u32::from(matches!(message, Message::Sample(_)));
        if !matches!(message, Message::UnitEnd(_)) {
            return;
        }
        let ended = self.open.remove(name).unwrap_or_default();
        let idx = self.units.len() as u32;
        for line in ended.lines {
            self.lines[line] = Line::Unit(idx);
        }
        self.units.push(Unit {
            name: name.to_owned(),
            round: message.round(),
            n_samples: ended.n_samples,
        });
    }
}
