//! Writing to a terminal or pipe that may have gone.
//!
//! The macros of the standard library panic where nobody reads any more, as in `cargo xtask bounds | head`. These take
//! their place in the whole crate, under the same names, so that nobody has to remember it: what cannot be written is
//! left out, and the command goes on, because what it measures and keeps does not depend on who looks.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_locales::{Figure, Language, Text};
use comfy_table::{Table, presets};

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

/// A message in the language of this program: `said!("threads", n = 4)`.
macro_rules! said {
    ($($message:tt)*) => { ::bench_locales::say!($crate::out::text(), $($message)*) };
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

static TEXT: OnceLock<Text> = OnceLock::new();

/// Chooses what everything is printed in; the first choice stays.
pub fn speak(language: Language) {
    let _ = TEXT.set(Text::new(language));
}

/// What everything is printed in.
pub fn text() -> &'static Text {
    TEXT.get().unwrap_or_else(|| Text::english())
}

/// A table for people, with this header.
pub fn table<T: ToString>(header: &[T]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(header.iter().map(T::to_string));
    table
}

/// A whole number, as the language of this program writes it.
pub fn integer(n: impl TryInto<u64>) -> String {
    let n = n.try_into().map_or(f64::NAN, |n| n as f64);
    text().figure(Figure::Integer(n))
}
