//! How lines, causes and broken folders of the history are written, with names from outside marked.

use crate::history::{BOARD_PROGRAM, Cause, Line};
use crate::words::name;
use bench_run_dir::format;

/// A label or name of a line: kernels, models and suites keep their names in every language.
pub(super) fn line(line: &Line, text: &str) -> String {
    let (first, rest) = match text.split_once(", ") {
        Some((first, rest)) => (first, format!(", {rest}")),
        None => (text, String::new()),
    };
    let suite = format::foreign_short(&line.suite, 20);
    let of_suite = format!(" ({suite})");
    let marked = format!(" ({})", name(&suite));
    match first.strip_suffix(&of_suite) {
        Some(first) => name(first) + &marked + &rest,
        None => name(first) + &rest.replacen(&of_suite, &marked, 1),
    }
}

/// `Linux 5.10 → 6.1`.
pub(super) fn cause(cause: &Cause) -> String {
    let value = |value: &str| value_of(cause, value);
    format!(
        "{} {} → {}",
        cause.what,
        value(&cause.from),
        value(&cause.to)
    )
}

/// The same for a narrow place: a board program by its new name alone.
pub(super) fn short_cause(found: &Cause) -> String {
    match found.what == BOARD_PROGRAM {
        true => {
            let program = found.to.split(' ').next().unwrap_or_default();
            format!("{} {}", found.what, name(program))
        }
        false => cause(found),
    }
}

/// A fact's value; words of ours stay unmarked.
fn value_of(cause: &Cause, value: &str) -> String {
    let is_ours = value == "none" || cause.what == "measured";
    if is_ours {
        return value.to_owned();
    }
    // A program and the source it was made from.
    let inside = value
        .strip_suffix(')')
        .and_then(|value| value.split_once(" (revision "));
    match inside.filter(|_| cause.what == BOARD_PROGRAM) {
        Some((program, revision)) => {
            format!("{} (revision {})", name(program), name(revision))
        }
        None => name(value),
    }
}

/// A sentence about a folder that is left out: the error in it is quoted.
pub(super) fn problem(text: &str) -> String {
    let parts = text
        .split_once(" is left out: ")
        .and_then(|(folder, rest)| {
            let (error, remedy) = rest.rsplit_once("; where its run directory")?;
            Some((folder, error, remedy))
        });
    match parts {
        Some((folder, error, remedy)) => format!(
            "{folder} is left out: {}; where its run directory{remedy}",
            name(error)
        ),
        None => name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &str, from: &str, to: &str) -> String {
        cause(&Cause {
            what: what.into(),
            from: from.into(),
            to: to.into(),
        })
    }

    #[test]
    fn values_are_marked_and_words_are_not() {
        assert_eq!(
            said("Linux", "5.10", "none"),
            format!("Linux {} → none", name("5.10"))
        );
        assert_eq!(
            said(BOARD_PROGRAM, "12ab (revision 34cd)", "56ef"),
            format!(
                "board program {} (revision {}) → {}",
                name("12ab"),
                name("34cd"),
                name("56ef")
            )
        );
        assert_eq!(
            said("measured", "as found", "prepared"),
            "measured as found → prepared"
        );
    }
}
