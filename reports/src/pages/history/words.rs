//! How causes and the state of hosts in the history are written, with names from outside marked.

use bench_locales::{Text, say};

use crate::history::{BOARD_PROGRAM, Cause};
use bench_analysis::validity::{fingerprint, status};
use bench_run_dir::{HostStatus, format};

/// `Linux 5.10 → 6.1`.
pub(in crate::pages) fn cause(text: &Text, cause: &Cause) -> String {
    let value = |value: &str| value_of(text, cause, value);
    format!(
        "{} {} → {}",
        what(text, cause),
        value(&cause.from),
        value(&cause.to)
    )
}

/// The same for a narrow place: a board program by its new name alone.
pub(in crate::pages) fn short_cause(text: &Text, found: &Cause) -> String {
    match found.what == BOARD_PROGRAM {
        true => {
            let program = found.to.split(' ').next().unwrap_or_default();
            format!("{} {}", what(text, found), program)
        }
        false => cause(text, found),
    }
}

/// What changed. Facts of a host have their names in the store.
fn what(text: &Text, cause: &Cause) -> String {
    match cause.what.as_str() {
        BOARD_PROGRAM => say!(text, "cause-board-program"),
        "variant" => say!(text, "cause-variant"),
        "measured" => say!(text, "cause-measured"),
        "state of the host" => say!(text, "cause-state"),
        fact => text.say(&fingerprint::message(fact)),
    }
}

fn value_of(text: &Text, cause: &Cause, value: &str) -> String {
    // A program and the source it was made from.
    let inside = value
        .strip_suffix(')')
        .and_then(|value| value.split_once(" (revision "));
    match (cause.what.as_str(), value) {
        ("measured", "as found") => say!(text, "cause-as-found"),
        ("measured", "prepared") => say!(text, "cause-prepared"),
        (_, "none") => say!(text, "cause-none"),
        (BOARD_PROGRAM, _) => match inside {
            Some((program, revision)) => say!(
                text,
                "cause-program",
                program = program,
                revision = revision,
            ),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// How a host ended, as its record has it; a word of a newer program stays as it is.
pub(in crate::pages) fn status(text: &Text, name: &str) -> String {
    let all = [
        HostStatus::Ok,
        HostStatus::Skipped,
        HostStatus::Unreachable,
        HostStatus::Failed,
        HostStatus::Interrupted,
    ];
    match all.into_iter().find(|known| known.name() == name) {
        Some(known) => text.say(&status::of_host(known)),
        None => format::foreign_short(name, 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &str, from: &str, to: &str) -> String {
        let cause = Cause {
            what: what.into(),
            from: from.into(),
            to: to.into(),
        };
        super::cause(Text::english(), &cause)
    }

    #[test]
    fn causes_are_said_with_their_values() {
        assert_eq!(said("Linux", "5.10", "none"), "Linux 5.10 → none");
        assert_eq!(
            said(BOARD_PROGRAM, "12ab (revision 34cd)", "56ef"),
            "board program 12ab (revision 34cd) → 56ef"
        );
        assert_eq!(
            said("measured", "as found", "prepared"),
            "measured as found → prepared"
        );
    }
}
