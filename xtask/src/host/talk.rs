//! The two sides of a running program that carry no results: what it is told, and what it says to people.

use std::pin::Pin;
use std::time::Duration;

use bench_protocol::CONTROL_BEAT;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::recorder::StderrLog;

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

/// Keeps what the program says to people as it comes: an error later must not cost it.
pub async fn keep_stderr(mut stderr: impl AsyncRead + Unpin, log: &StderrLog) {
    let mut chunk = [0u8; 4096];
    // Read on beyond what is kept, or the program would block on a full pipe.
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        log.append(&chunk[..n]);
    }
}
