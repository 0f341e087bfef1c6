//! The two sides of a running program that carry no results: what it is told, and what it says to people.

use std::pin::Pin;
use std::time::Duration;

use bench_protocol::CONTROL_BEAT;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use crate::recorder::StderrLog;
use crate::transport::Mask;

/// How often the board hears from the controller.
const BEAT_INTERVAL: Duration = Duration::from_secs(10);

/// Writes the request, then whatever the controller has to say, and a sign of life from time to time. Ends when there is
/// nothing more to say; the board sees the end of its input.
pub async fn feed(
    mut stdin: Pin<Box<dyn AsyncWrite + Send>>,
    request: String,
    mut lines: mpsc::Receiver<&'static str>,
) {
    let mut beats =
        tokio::time::interval_at(tokio::time::Instant::now() + BEAT_INTERVAL, BEAT_INTERVAL);
    let mut next = Some(request);
    loop {
        if let Some(text) = next.take() {
            // A program that died says why in the stream's end, not in this write's error.
            let written = stdin.write_all(text.as_bytes()).await;
            if written.is_err() || stdin.flush().await.is_err() {
                break;
            }
        }
        next = tokio::select! {
            line = lines.recv() => match line {
                Some(line) => Some(format!("{line}\n")),
                None => return,
            },
            _ = beats.tick() => Some(format!("{CONTROL_BEAT}\n")),
        };
    }
    // The senders must not fill the queue of a connection that is gone.
    while lines.recv().await.is_some() {}
}

/// Keeps what the program says to people as it comes, without private words: an error later must not cost it.
pub async fn keep_stderr(stderr: impl AsyncRead + Unpin, log: &StderrLog, mask: &Mask) {
    /// A longer line is kept in pieces.
    const MAX_LINE_BYTES: u64 = 4096;
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stderr).take(MAX_LINE_BYTES);
        // Read on beyond what is kept, or the program would block on a full pipe.
        let Ok(1..) = limited.read_until(b'\n', &mut line).await else {
            return;
        };
        log.append(mask.text(&String::from_utf8_lossy(&line)).as_bytes())
            .await;
    }
}
