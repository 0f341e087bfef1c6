//! The few words of qemu's machine protocol that the lab needs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Name of a board's socket in its folder.
pub const SOCKET: &str = "qmp";

/// How long qemu may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the qemu of a board to end.
///
/// # Errors
/// When there is no such socket, or nobody answers.
pub fn quit(board_dir: &Path) -> io::Result<()> {
    let mut stream = connect(board_dir)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    // It greets first, and takes commands once its abilities were asked for.
    let mut next = || {
        lines
            .next()
            .unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))
    };
    next()?;
    stream.write_all(b"{\"execute\": \"qmp_capabilities\"}\n")?;
    next()?;
    stream.write_all(b"{\"execute\": \"quit\"}\n")?;
    next().map(drop)
}

/// The path of a socket is limited to 108 bytes; a folder's may be longer, its open descriptor's is not.
fn connect(board_dir: &Path) -> io::Result<UnixStream> {
    let folder = File::open(board_dir)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))
}
