//! Where messages go: the program's standard output, one JSON object a line.

use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_protocol::Message;

/// Lines are held back this long: waking the process that forwards them takes a CPU away from the next sample.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes held back at most, so that time decides and not the buffer: a sample with its state takes about 300, and no
/// kernel takes samples this fast.
const HELD_BYTES: usize = 1 << 20;

/// What all threads write messages through.
pub type Out = Arc<Mutex<BufWriter<Box<dyn Write + Send>>>>;

/// Where messages go: one JSON object a line.
pub struct Sink {
    out: Out,
    last_flush: Instant,
}

impl Sink {
    /// A sink that writes to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Sink {
        Sink {
            out: Arc::new(Mutex::new(BufWriter::with_capacity(
                HELD_BYTES,
                Box::new(out),
            ))),
            last_flush: Instant::now(),
        }
    }

    /// Sends one message at once.
    pub fn send(&mut self, message: &Message) {
        self.hold(message);
        self.flush();
    }

    /// Sends one message soon.
    pub fn hold(&mut self, message: &Message) {
        write_line(
            &mut *self.out.lock().unwrap_or_else(PoisonError::into_inner),
            message,
        );
        if self.last_flush.elapsed() > FLUSH_INTERVAL {
            self.flush();
        }
    }

    /// What the watchdog writes its last message through.
    pub fn shared(&self) -> Out {
        Arc::clone(&self.out)
    }

    fn flush(&mut self) {
        end_unless_written(
            self.out
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .flush(),
        );
        self.last_flush = Instant::now();
    }
}

/// Writes one message as a line.
pub fn write_line(out: &mut impl Write, message: &Message) {
    let line = serde_json::to_string(message).expect("messages hold no maps with odd keys");
    end_unless_written(writeln!(out, "{line}"));
}

/// Ends the program when its reader is gone: more measurements would only heat the board.
fn end_unless_written(result: std::io::Result<()>) {
    if let Err(error) = result {
        eprintln!("cannot write results: {error}");
        std::process::exit(4);
    }
}
