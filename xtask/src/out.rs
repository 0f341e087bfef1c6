//! Writing to a terminal or pipe that may have gone.
//!
//! The macros of the standard library panic where nobody reads any more, as in `cargo xtask bounds | head`. These take
//! their place in the whole crate, under the same names, so that nobody has to remember it: what cannot be written is
//! left out, and the command goes on, because what it measures and keeps does not depend on who looks.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output failed for another reason than that its reader left, for instance a full disk.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Writes to standard output.
pub fn to_stdout(text: Arguments) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !HAS_FAILED.swap(true, Ordering::Relaxed)
    {
        to_stderr(format_args!(
            "error: cannot write to standard output: {error}\n"
        ));
    }
}

/// Writes to standard error; there is nowhere to tell that it failed.
pub fn to_stderr(text: Arguments) {
    let _ = std::io::stderr().lock().write_fmt(text);
}

/// Whether something that was asked for could not be written.
pub fn has_failed() -> bool {
    HAS_FAILED.load(Ordering::Relaxed)
}

macro_rules! print {
    ($($text:tt)*) => { $crate::out::to_stdout(format_args!($($text)*)) };
}
macro_rules! println {
    () => { $crate::out::to_stdout(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::to_stdout(format_args!("{}\n", format_args!($($text)*))) };
}
macro_rules! eprint {
    ($($text:tt)*) => { $crate::out::to_stderr(format_args!($($text)*)) };
}
macro_rules! eprintln {
    () => { $crate::out::to_stderr(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::to_stderr(format_args!("{}\n", format_args!($($text)*))) };
}
