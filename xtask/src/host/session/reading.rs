//! Every line of a board on its way in: bounded, kept, cleaned, and only then taken.

use bench_locales::Figure::{DurationNs, Number, Percent};
use bench_protocol::{CONTROL_ACK, Message, Unrest, UnrestKind, parse_line};
use bench_run_dir::{MAX_LINE_BYTES, Stage, Taken};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

use super::super::check_protocol;
use super::super::limits::{Allowance, MAX_NOTES, Pace};
use super::{HostSession, disk_error};
use crate::transport::HostError;

impl HostSession<'_> {
    /// Keeps and takes every line until the stream ends. Its last message is answered through `control`: the board may
    /// then forget what it sent.
    pub(super) async fn read_stream(
        &mut self,
        stdout: impl AsyncRead + Unpin,
        control: Option<&mpsc::Sender<&'static str>>,
        limits: &mut Limits,
    ) -> Result<(), HostError> {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = (&mut reader).take(MAX_LINE_BYTES);
            // A read error is the connection's end: what arrived before counts.
            let n_read = limits
                .within(limited.read_until(b'\n', &mut line))
                .await?
                .unwrap_or(0);
            if n_read == 0 {
                return Ok(());
            }
            limits.take(&line)?;
            let (text, message) = self.border(&line);
            let is_cut_off = !line.ends_with(b"\n") && line.len() < MAX_LINE_BYTES as usize;
            if is_cut_off && message.is_none() {
                // Cut off with the connection: the board has the whole line.
                return Ok(());
            }
            let mut kept = text.map_or_else(|| line.clone(), String::into_bytes);
            if is_cut_off {
                // It lacks nothing but its end, without which the next line would run into it.
                kept.push(b'\n');
            }
            self.files.append_stream(kept).await.map_err(disk_error)?;
            match &message {
                Some(message) => self.note(message)?,
                None => self.state.take_garbage(),
            }
            if let (Some(Message::Done(_) | Message::Left(_)), Some(control)) = (message, control) {
                self.sync().await?;
                let _ = control.send(CONTROL_ACK).await;
            }
        }
    }

    /// The text of a line to keep, where it differs from the one that arrived, and its message. Every text of the message is clean ([`parse_line`]) and without private words.
    fn border(&self, line: &[u8]) -> (Option<String>, Option<Message>) {
        let Ok(text) = std::str::from_utf8(line) else {
            return (None, None);
        };
        let message = parse_line(text).ok();
        // Names and numbers are data; these are what a program or a person said.
        let is_said = matches!(
            message,
            None | Some(
                Message::Note(_)
                    | Message::Left(_)
                    | Message::UnitEnd(_)
                    | Message::Output(_)
                    | Message::Environment(_)
                    | Message::Facts(_)
            )
        );
        let masked = is_said.then(|| self.mask.line(text));
        match masked.filter(|masked| masked != text) {
            Some(masked) => {
                let message = parse_line(&masked).ok();
                (Some(masked), message)
            }
            None => (None, message),
        }
    }

    /// The number of the unit that is measured, and of how many.
    fn place(&self) -> (usize, usize) {
        let n_units = self.state.n_rounds();
        (n_units - self.state.n_open() + 1, n_units)
    }

    fn note(&mut self, message: &Message) -> Result<(), HostError> {
        check_protocol(message)?;
        if self.state.take(message) == Taken::NotAsked {
            return Ok(());
        }
        self.line.message(message);
        match message {
            Message::UnitReady(ready) => {
                let (unit, variant) = (&ready.unit, &ready.variant);
                let (at, n_units) = self.place();
                let shape = ready.shape.iter().map(|shape| format!(", {shape}"));
                let shape: String = shape.collect();
                // Names and numbers only: the same in every language.
                self.line
                    .say(&format!("{at}/{n_units} {unit} ({variant}{shape})"));
            }
            Message::UnitEnd(end) => {
                if let Some(unrest) = end.unrest {
                    self.line.say(&restless(&end.unit, unrest));
                }
            }
            Message::Output(output) => {
                let (at, n_units) = self.place();
                self.line.say(&said!(
                    "progress-output",
                    at = at,
                    n = n_units,
                    unit = &output.unit,
                    time = DurationNs(output.elapsed_ns as f64),
                ));
            }
            Message::Note(note) => {
                self.n_notes = self.n_notes.saturating_add(1);
                if self.n_notes < MAX_NOTES {
                    self.line.say(&note.text);
                } else if self.n_notes == MAX_NOTES {
                    self.line.say(&said!("progress-more-notes"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// That the samples of a unit do not scatter around one value.
fn restless(unit: &str, unrest: Unrest) -> String {
    let faster = unrest.slow_ns as f64 / unrest.fast_ns.max(1) as f64;
    match unrest.kind {
        UnrestKind::Bimodal => said!(
            "progress-two-groups",
            unit = unit,
            share = Percent(f64::from(unrest.fast_permille) / 1000.0),
            faster = Number(faster),
        ),
        UnrestKind::Drifting => {
            said!("progress-drift", unit = unit, faster = Number(faster))
        }
    }
}

/// Limits while a stream is read.
pub(super) struct Limits {
    /// How much.
    pub allowance: Allowance,
    /// Where the board only hands over what it has.
    pub pace: Option<Pace>,
}

impl Limits {
    /// Waits for a line.
    async fn within<T>(&self, reading: impl Future<Output = T>) -> Result<T, HostError> {
        let Some(pace) = &self.pace else {
            return Ok(reading.await);
        };
        tokio::time::timeout(pace.patience(), reading)
            .await
            .map_err(|_| {
                HostError::failed(
                    Stage::Collect,
                    "the board does not hand over what it kept in time; `cargo xtask run --resume RUN` tries again",
                )
            })
    }

    fn take(&mut self, line: &[u8]) -> Result<(), HostError> {
        if let Some(pace) = &mut self.pace {
            pace.take(line);
        }
        self.allowance.take(line)
    }
}
