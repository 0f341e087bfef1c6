//! External programs as units: found, confined to the unit's CPUs, run once, ended with everything they started.
//!
//! What they write to standard output is passed on as it is; nothing here understands it. They run as the measuring
//! user, with that user's rights and nothing less.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::{
    External, MAX_OUTPUT_BYTES, MAX_PART_BYTES, Message, Output, OutputPart, STDERR_LINES, UnitSpec,
};
use sha2::{Digest, Sha256};

use crate::affinity;
use crate::kernels::NotReady;
use crate::sink::Sink;
use crate::supervise::process::{self, Wait};

/// Time between two looks at whether the supervisor still lives.
const PARENT_INTERVAL: Duration = Duration::from_millis(500);

/// Time for the outputs to end after the program did: what it left behind may hold them open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A unit's own deadline comes this much before its supervisor's, so that what was written until then can be passed on.
const AHEAD_OF_DEADLINE: Duration = Duration::from_secs(1);

/// A line of standard error beyond this is cut.
const MAX_LINE_BYTES: usize = 1000;

/// A larger file is not hashed: it holds a model.
const MAX_HASHED_BYTES: u64 = 256 << 20;

/// Lines of standard error that the reason of a failure quotes.
const QUOTED_LINES: usize = 3;

/// Runs the program of a unit and passes on what it writes.
///
/// # Errors
/// [`NotReady::Skipped`] where the board has no such program, [`NotReady::Failed`] when it ends badly or has to be ended;
/// its output is sent before.
pub fn run(unit: &UnitSpec, external: &External, sink: &mut Sink) -> Result<(), NotReady> {
    if let Some(reason) = &external.skip {
        return Err(NotReady::Skipped(reason.clone()));
    }
    let path = find(&external.program, std::env::var_os("PATH").as_deref())?;
    let sha256 = hash(&path);
    let deadline = Duration::from_millis(unit.deadline_ms);
    let deadline = deadline.saturating_sub(AHEAD_OF_DEADLINE.min(deadline / 4));
    let mut running = start(&path, unit, external)?;
    let (ending, outcome) = running.follow(deadline);
    let bytes = std::mem::take(&mut *lock(&running.stdout));
    let n_parts = send_parts(&unit.unit, &bytes, sink);
    let stderr_tail: Vec<String> = lock(&running.stderr).iter().cloned().collect();
    let status = outcome.map(|(status, _)| status);
    let reason = reason(&path, &ending, status, &stderr_tail);
    let is_whole = matches!(ending, Ending::ByItself) && status.is_some();
    sink.send(&Message::Output(Output {
        unit: unit.unit.clone(),
        program: path.display().to_string(),
        sha256,
        args: external.args.clone(),
        environment: external.environment.clone(),
        format: external.format.clone(),
        cpus: unit.cpus.clone(),
        exit_code: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()),
        elapsed_ns: outcome.map_or_else(
            || running.started.elapsed().as_nanos() as u64,
            |(_, elapsed)| elapsed.as_nanos() as u64,
        ),
        n_parts,
        is_whole,
        stderr_tail,
    }));
    reason.map_or(Ok(()), |reason| Err(NotReady::Failed(reason)))
}

/// The file of a program: that of an absolute path, else the first of that name in `search`.
fn find(program: &str, search: Option<&std::ffi::OsStr>) -> Result<PathBuf, NotReady> {
    let can_run = |path: &Path| {
        let metadata = fs::metadata(path);
        metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let folders: Vec<PathBuf> = match program.contains('/') {
        true => vec![PathBuf::new()],
        false => std::env::split_paths(search.unwrap_or_default()).collect(),
    };
    let mut paths = folders.iter().map(|folder| folder.join(program));
    if let Some(path) = paths.find(|path| can_run(path)) {
        return Ok(path);
    }
    Err(NotReady::Skipped(match program.contains('/') {
        true => format!("there is no program `{program}` that this user may run; install it there"),
        false => {
            let search = search.unwrap_or_default().to_string_lossy();
            format!(
                "there is no program `{program}` in the board's search path ({search}); install it, or name it by its absolute path"
            )
        }
    }))
}

fn hash(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > MAX_HASHED_BYTES {
        return None;
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk).ok()? {
            0 => break,
            n => hash.update(&chunk[..n]),
        }
    }
    Some(base16ct::lower::encode_string(&hash.finalize()))
}

/// What a running program does.
enum Event {
    Exited(ExitStatus, Duration),
    /// Standard output or standard error ended.
    OutputEnded,
    /// It wrote more than is kept.
    Flooded,
}

/// Why a program is no longer followed.
enum Ending {
    ByItself,
    Flooded,
    Deadline(Duration),
}

struct Running {
    /// Waited for last of all: until then its id is its own.
    child: Child,
    started: Instant,
    /// Marks it and all it starts.
    marker: String,
    events: Receiver<Event>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<VecDeque<String>>>,
}

fn start(path: &Path, unit: &UnitSpec, external: &External) -> Result<Running, NotReady> {
    let failed = |what: &str, error: std::io::Error| {
        NotReady::Failed(format!("`{}` cannot be {what}: {error}", path.display()))
    };
    // From here on the end of the supervisor is noticed below: it has to end more than this process.
    process::outlive_parent();
    let marker =
        std::env::var(process::MARKER).unwrap_or_else(|_| process::marker(Path::new(""), 0));
    let all = affinity::allowed_cpus();
    affinity::pin_to(&unit.cpus).map_err(|error| failed("confined to the unit's CPUs", error))?;
    let started = Instant::now();
    let child = Command::new(path)
        .args(&external.args)
        .envs(&external.environment)
        .env(process::MARKER, &marker)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // The program keeps the confinement; what reads its output shall not take its CPUs.
    let _ = affinity::pin_to(&all);
    let mut child = child.map_err(|error| failed("started", error))?;
    let (sender, events) = channel();
    let stdout = Arc::new(Mutex::new(Vec::new()));
    let stderr = Arc::new(Mutex::new(VecDeque::new()));
    if let Some(pipe) = child.stdout.take() {
        let (kept, events) = (Arc::clone(&stdout), sender.clone());
        std::thread::spawn(move || keep_all(pipe, &kept, &events));
    }
    if let Some(pipe) = child.stderr.take() {
        let (kept, events) = (Arc::clone(&stderr), sender.clone());
        std::thread::spawn(move || keep_last_lines(pipe, &kept, &events));
    }
    let pid = child.id();
    std::thread::spawn(move || {
        if let Ok(Some(status)) = process::ended(pid, Wait::Until) {
            let _ = sender.send(Event::Exited(status, started.elapsed()));
        }
    });
    Ok(Running {
        child,
        started,
        marker,
        events,
        stdout,
        stderr,
    })
}

impl Running {
    /// Follows it to its end, or ends it; its status and its time, where it could be waited for.
    fn follow(&mut self, deadline: Duration) -> (Ending, Option<(ExitStatus, Duration)>) {
        let parent = std::os::unix::process::parent_id();
        let mut n_outputs = 2;
        let mut ending = Ending::ByItself;
        let mut outcome = None;
        // When nothing more is waited for, once it has ended or was told to.
        let mut patience: Option<Instant> = None;
        while outcome.is_none() || n_outputs > 0 {
            let now = Instant::now();
            let until = patience.unwrap_or(self.started + deadline);
            if now >= until && patience.is_some() {
                break;
            }
            if now >= until {
                ending = Ending::Deadline(deadline);
                self.end();
                patience = Some(now + LAST_WORDS);
                continue;
            }
            match self.events.recv_timeout((until - now).min(PARENT_INTERVAL)) {
                Ok(Event::Exited(status, elapsed)) => {
                    outcome = Some((status, elapsed));
                    patience = patience.or(Some(Instant::now() + LAST_WORDS));
                }
                Ok(Event::OutputEnded) => n_outputs -= 1,
                Ok(Event::Flooded) => {
                    ending = Ending::Flooded;
                    self.end();
                    patience = Some(Instant::now() + LAST_WORDS);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if std::os::unix::process::parent_id() != parent {
                self.end();
                eprintln!("the supervisor is gone: the program was ended");
                std::process::exit(4);
            }
        }
        // Whatever it left behind would disturb the next unit.
        process::end_marked(&self.marker);
        if outcome.is_some() {
            let _ = self.child.wait();
        }
        (ending, outcome)
    }

    fn end(&mut self) {
        // The standard library does not signal a child that was waited for.
        let _ = self.child.kill();
        process::end_marked(&self.marker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_all(mut pipe: impl Read, kept: &Mutex<Vec<u8>>, events: &Sender<Event>) {
    let mut chunk = vec![0; 1 << 16];
    let mut is_full = false;
    while let Some(n) = read(&mut pipe, &mut chunk) {
        if is_full {
            continue;
        }
        let mut kept = lock(kept);
        let room = MAX_OUTPUT_BYTES - kept.len();
        kept.extend_from_slice(&chunk[..n.min(room)]);
        if n > room {
            is_full = true;
            let _ = events.send(Event::Flooded);
        }
    }
    let _ = events.send(Event::OutputEnded);
}

fn keep_last_lines(mut pipe: impl Read, kept: &Mutex<VecDeque<String>>, events: &Sender<Event>) {
    let mut chunk = vec![0; 1 << 12];
    let mut line: Vec<u8> = Vec::new();
    let keep = |line: &mut Vec<u8>| {
        let mut kept = lock(kept);
        if kept.len() == STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(line).into_owned());
        line.clear();
    };
    while let Some(n) = read(&mut pipe, &mut chunk) {
        for &byte in &chunk[..n] {
            match byte {
                b'\n' => keep(&mut line),
                _ if line.len() < MAX_LINE_BYTES => line.push(byte),
                _ => {}
            }
        }
    }
    if !line.is_empty() {
        keep(&mut line);
    }
    let _ = events.send(Event::OutputEnded);
}

/// Bytes that were read; `None` at the end.
fn read(pipe: &mut impl Read, chunk: &mut [u8]) -> Option<usize> {
    loop {
        match pipe.read(chunk) {
            Ok(0) => return None,
            Ok(n) => return Some(n),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Sends an output in parts, at least one: the first tells that what a start before wrote does not count.
fn send_parts(unit: &str, bytes: &[u8], sink: &mut Sink) -> u32 {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    let mut n_parts = 0;
    while n_parts == 0 || !rest.is_empty() {
        let (part, others) = rest.split_at(rest.floor_char_boundary(MAX_PART_BYTES));
        sink.send(&Message::OutputPart(OutputPart {
            unit: unit.to_string(),
            part_idx: n_parts,
            text: part.to_string(),
        }));
        n_parts += 1;
        rest = others;
    }
    n_parts
}

/// Why the unit failed; `None` where the program ended well.
fn reason(
    path: &Path,
    ending: &Ending,
    status: Option<ExitStatus>,
    stderr_tail: &[String],
) -> Option<String> {
    let program = path.display();
    let what = match (ending, status) {
        (Ending::Flooded, _) => format!(
            "`{program}` wrote more than {} MiB and was ended; let it write less",
            MAX_OUTPUT_BYTES >> 20
        ),
        (Ending::Deadline(deadline), _) => format!(
            "`{program}` took longer than {} s and was ended; raise the unit's deadline",
            deadline.as_secs_f64()
        ),
        (Ending::ByItself, Some(status)) if status.success() => return None,
        (Ending::ByItself, Some(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("`{program}` ended with status {code}"),
            (None, Some(signal)) => format!("`{program}` was killed by signal {signal}"),
            (None, None) => format!("`{program}` ended, nobody knows how"),
        },
        (Ending::ByItself, None) => format!("`{program}` could not be waited for"),
    };
    let said: Vec<&str> = (stderr_tail.iter().map(|line| line.trim()))
        .filter(|line| !line.is_empty())
        .collect();
    let said = &said[said.len().saturating_sub(QUOTED_LINES)..];
    Some(match said {
        [] => what,
        said => format!("{what}; it said: {}", said.join(" / ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_as_a_shell_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("plain"), "").unwrap();
        fs::write(path("tool"), "").unwrap();
        fs::set_permissions(path("tool"), PermissionsExt::from_mode(0o755)).unwrap();
        let search = std::env::join_paths([Path::new("/nowhere"), dir.path()]).unwrap();
        let find = |name: &str| find(name, Some(&search));
        assert_eq!(find("tool").ok(), Some(path("tool")));
        let absolute = path("tool").display().to_string();
        assert_eq!(find(&absolute).ok(), Some(path("tool")));
        for (name, part) in [
            ("plain", "in the board's search path (/nowhere:"),
            ("gone", "install it, or name it by its absolute path"),
            ("/nowhere/tool", "no program `/nowhere/tool`"),
        ] {
            let Err(NotReady::Skipped(reason)) = find(name) else {
                panic!("`{name}` is no program");
            };
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn parts_are_whole_characters_and_together_the_output() {
        let check = |bytes: &[u8], expect_parts: u32| {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let mut sink = Sink::new(Shared(Arc::clone(&lines)));
            assert_eq!(send_parts("u", bytes, &mut sink), expect_parts);
            let text = String::from_utf8(lock(&lines).clone()).unwrap();
            let parts = text.lines().enumerate().map(|(idx, line)| {
                assert!(line.len() < 1 << 20, "a line of {} bytes", line.len());
                match bench_protocol::parse_line(line) {
                    Ok(Message::OutputPart(part)) => {
                        assert_eq!(part.part_idx as usize, idx);
                        part.text
                    }
                    other => panic!("{other:?}"),
                }
            });
            assert!(parts.collect::<String>() == String::from_utf8_lossy(bytes));
        };
        check(b"", 1);
        check(b"x", 1);
        // Every byte needs six in JSON.
        check(&vec![1; MAX_PART_BYTES], 1);
        check("aä".repeat(MAX_PART_BYTES).as_bytes(), 4);
        check(&[0xff; 3], 1);
    }

    /// A buffer that several own.
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        let (events, _ended) = channel();
        let kept = Mutex::new(VecDeque::new());
        let long = "x".repeat(5000);
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        keep_last_lines(format!("{text}{long}\nend").as_bytes(), &kept, &events);
        let kept = lock(&kept);
        assert_eq!(kept.len(), STDERR_LINES);
        assert_eq!(kept[0], "line 38");
        assert_eq!((kept[62].len(), kept[63].as_str()), (MAX_LINE_BYTES, "end"));
    }
}
