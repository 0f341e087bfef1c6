//! One unit as a process of its own: what it does to itself ends that process and nothing else.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bench_protocol::{Job, UnitSpec, UnitStatus};

use super::control::Event;
use super::process::{self, Wait};

/// A line longer than this is no message; it is passed on in pieces.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Time between the end of a unit's output and that of its process.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// A unit's process.
pub struct UnitProcess {
    child: Child,
    /// Marks what an external program started, if the unit is one.
    marker: Option<String>,
}

impl UnitProcess {
    /// Starts `command`, a board program that measures one unit, in a process group and a folder of its own; `marker` marks
    /// it where the unit is an external program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        command: &[String],
        folder: &Path,
        (number, unit): (usize, &UnitSpec),
        marker: String,
        events: Sender<Event>,
    ) -> std::io::Result<UnitProcess> {
        let is_external = matches!(unit.job, Job::External(_));
        let marker = is_external.then_some(marker);
        let (program, args) = command.split_first().ok_or(std::io::ErrorKind::NotFound)?;
        let mut child = Command::new(program)
            .args(args)
            .arg(std::process::id().to_string())
            .current_dir(folder)
            .envs(marker.iter().map(|marker| (process::MARKER, marker)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mut line = serde_json::to_vec(unit).expect("units hold no maps with odd keys");
        line.push(b'\n');
        if let Some(mut stdin) = child.stdin.take() {
            // In a thread: a program that stops before it reads must not stop the supervisor. One that died says so by its
            // status.
            std::thread::spawn(move || {
                let _ = stdin.write_all(&line);
            });
        }
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                pass_on(BufReader::new(stdout), |line| {
                    let _ = events.send(Event::Line(number, line));
                });
                let _ = events.send(Event::UnitClosed(number));
            });
        }
        Ok(UnitProcess { child, marker })
    }

    /// Ends the unit and everything it started, and says how it ended.
    pub fn end(mut self) -> Option<ExitStatus> {
        self.end_all();
        self.child.wait().ok()
    }

    /// How the unit ended by itself, after it closed its output. What it started and left behind is ended.
    pub fn wait(self) -> Option<ExitStatus> {
        let closed = Instant::now();
        while closed.elapsed() < LAST_BREATH {
            if let Ok(Some(_)) = process::ended(self.child.id(), Wait::Not) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end()
    }

    /// Its group, and what left that. The unit itself was not waited for yet: its ids are its own.
    fn end_all(&self) {
        process::end_group(self.child.id());
        if let Some(marker) = &self.marker {
            process::end_marked(marker);
        }
    }
}

fn pass_on(mut output: impl BufRead, mut pass: impl FnMut(Vec<u8>)) {
    let mut line = Vec::new();
    while let Ok(chunk) = output.fill_buf() {
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        let n_used = end.map_or(chunk.len(), |end| end + 1);
        output.consume(n_used);
        if end.is_some() || line.len() > MAX_LINE_BYTES {
            pass(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        pass(line);
    }
}

/// Cause and remedy of a process that the board's kernel ended.
pub const OUT_OF_MEMORY: &str = "the board ran out of memory and its kernel ended a process; give the unit a smaller working set or free memory";

/// Why a unit that never said how it ended has no result.
pub fn died_of(status: Option<ExitStatus>, out_of_memory: bool) -> (UnitStatus, String) {
    let signal = status.and_then(|status| status.signal());
    let reason = match (signal, status.and_then(|status| status.code())) {
        (Some(libc::SIGKILL), _) if out_of_memory => OUT_OF_MEMORY.to_string(),
        (Some(libc::SIGILL), _) => {
            "the CPU does not know an instruction of this variant (killed by signal 4, SIGILL)"
                .to_string()
        }
        (Some(signal), _) => format!("killed by signal {signal}{}", signal_name(signal)),
        (None, Some(code)) => format!("its process ended with status {code} before it was done"),
        (None, None) => "its process could not be waited for".to_string(),
    };
    (UnitStatus::Failed, reason)
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGTERM => " (SIGTERM)",
        _ => "",
    }
}
