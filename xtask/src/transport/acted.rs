//! A board that a test plays, in the test's own process: it can say anything at any time.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};

use super::{End, Running};

/// The board's side of a program's streams.
pub struct Streams {
    /// From the controller.
    pub input: DuplexStream,
    /// Messages.
    pub output: DuplexStream,
    /// To people.
    pub errors: DuplexStream,
}

/// The behaviour of a program with these arguments.
type Play = dyn Fn(Vec<String>, Streams) -> Pin<Box<dyn Future<Output = End> + Send>> + Send + Sync;

/// The board.
#[derive(Clone)]
pub struct Acted(Arc<Play>);

thread_local! {
    /// The board that every host of this thread's test is.
    static BOARD: RefCell<Option<Acted>> = const { RefCell::new(None) };
}

impl Acted {
    /// Makes every host that this thread connects to this board.
    pub fn set<F: Future<Output = End> + Send + 'static>(
        play: impl Fn(Vec<String>, Streams) -> F + Send + Sync + 'static,
    ) {
        let board = Acted(Arc::new(move |args, streams| Box::pin(play(args, streams))));
        BOARD.set(Some(board));
    }

    /// The board of this thread.
    pub fn current() -> Option<Acted> {
        BOARD.with_borrow(Clone::clone)
    }

    /// Starts a program on it.
    pub fn start(&self, args: &[&str]) -> Running {
        const PIPE_BYTES: usize = 1 << 16;
        let (stdin, input) = duplex(PIPE_BYTES);
        let (output, stdout) = duplex(PIPE_BYTES);
        let (errors, stderr) = duplex(PIPE_BYTES);
        let streams = Streams {
            input,
            output,
            errors,
        };
        let words = args.iter().map(|&word| word.to_owned()).collect();
        let playing = tokio::spawn((self.0)(words, streams));
        Running {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(async move { playing.await.unwrap_or(End::ConnectionLost) }),
        }
    }
}
