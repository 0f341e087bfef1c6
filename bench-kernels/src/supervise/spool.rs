//! Every line that a supervisor says, on the board's own disk first and then on its way to the controller.
//!
//! The spool stays until the controller says that it has everything: a lost connection costs nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bench_protocol::Message;

use super::control::Event;
use crate::store::Store;

/// Names of spools begin with this.
const PREFIX: &str = "spool-";

/// Results that nobody collected are kept this long.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// Identifies a request among all that a board ever served.
pub fn key(run_id: &str, host: &str, attempt: u32) -> String {
    // Names from a request become one file name, whatever is in them.
    let clean = |name: &str| -> String {
        let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        name.chars()
            .map(|c| if keep(c) { c } else { '_' })
            .collect()
    };
    format!("{}-{}-{attempt}", clean(run_id), clean(host))
}

/// Name of the spool of the request with this key, in the store.
pub fn file_name(key: &str) -> String {
    format!("{PREFIX}{key}.jsonl")
}

/// Where a supervisor says what it has to say.
#[derive(Clone)]
pub struct Spool(Arc<Mutex<State>>);

struct State {
    store: Store,
    name: String,
    /// Locked while the supervisor lives; `None` once the disk took no more.
    file: Option<File>,
    /// To the thread that writes standard output: a controller that stops reading must not stop the measurement.
    out: Option<Sender<Vec<u8>>>,
    /// Tells when that thread has sent everything.
    sent: Receiver<()>,
    problem: Option<String>,
}

impl Spool {
    /// Opens the spool of a request and starts the thread that sends its lines on. A disk that takes no file is told in
    /// [`Spool::problem`] and costs only the safety against a lost connection.
    pub fn open(store: &Store, key: &str, events: Sender<Event>) -> Spool {
        let (out, lines) = channel();
        let (all_sent, sent) = channel();
        std::thread::spawn(move || {
            send_on(&lines, &events);
            let _ = all_sent.send(());
        });
        let name = file_name(key);
        let opened = store.append_file(&name).and_then(|file| {
            file.try_lock().map_err(std::io::Error::other)?;
            Ok(file)
        });
        let problem = opened.as_ref().err().map(ToString::to_string);
        Spool(Arc::new(Mutex::new(State {
            store: store.clone(),
            name,
            file: opened.ok(),
            out: Some(out),
            sent,
            problem,
        })))
    }

    /// Why lines do not reach the disk.
    pub fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    /// Says one message.
    pub fn say(&self, message: &Message) {
        let line = serde_json::to_string(message).expect("messages hold no maps with odd keys");
        self.pass(line.into_bytes());
    }

    /// Passes on one line without its end.
    pub fn pass(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let mut state = self.lock();
        if let Some(file) = &mut state.file
            && let Err(error) = file.write_all(&line)
        {
            state.problem = Some(error.to_string());
            state.file = None;
        }
        // The thread is gone when nobody reads any more: the spool has it.
        if let Some(out) = &state.out {
            let _ = out.send(line);
        }
    }

    /// Ends the stream, and waits until it is on its way: at most `limit`, since nobody may be reading.
    pub fn finish(&self, limit: Duration) {
        let mut state = self.lock();
        state.out = None;
        let _ = state.sent.recv_timeout(limit);
    }

    /// Brings everything to the disk itself: a board that loses its power keeps the units that ended.
    pub fn sync(&self) {
        if let Some(file) = &self.lock().file {
            let _ = file.sync_data();
        }
    }

    /// Removes the spool: the controller has everything.
    pub fn forget(&self) {
        let state = self.lock();
        let _ = state.store.remove(&state.name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send_on(lines: &Receiver<Vec<u8>>, events: &Sender<Event>) {
    let mut out = std::io::stdout();
    for line in lines {
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            let _ = events.send(Event::ControllerGone);
            return;
        }
    }
}

/// Prints the spool of a request from line `from_line` on, once its supervisor has ended; nothing where there is none.
///
/// # Errors
/// When it cannot be read or printed.
pub fn print(store: &Store, key: &str, from_line: usize) -> std::io::Result<()> {
    let file = match store.open_file(&file_name(key)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // Its supervisor may still finish a unit.
    file.lock()?;
    let mut out = std::io::stdout().lock();
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    let mut n_lines = 0;
    while reader.read_until(b'\n', &mut line)? > 0 {
        if n_lines >= from_line {
            out.write_all(&line)?;
        }
        n_lines += 1;
        line.clear();
    }
    out.flush()
}

/// Spools in `store` that nobody collected, after those that are too old were removed.
pub fn uncollected(store: &Store) -> Vec<String> {
    let mut keys = Vec::new();
    for name in store.names() {
        let key = name.strip_prefix(PREFIX);
        let Some(key) = key.and_then(|name| name.strip_suffix(".jsonl")) else {
            continue;
        };
        // What is not a file of this user is no result.
        let Ok(file) = store.open_file(&name) else {
            continue;
        };
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let age = modified.map(|modified| SystemTime::now().duration_since(modified));
        match age {
            Ok(Ok(age)) if age > KEEP => {
                let _ = store.remove(&name);
            }
            _ => keys.push(key.to_string()),
        }
    }
    keys
}
