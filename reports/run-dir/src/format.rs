//! Text from outside as it may be shown and kept, and the few forms that records use: counts and CPU numbers.
//!
//! What records and remarks say is in English; everything else that people read is a message.

use std::borrow::Cow;

/// A count with its noun: `1 thread`, `8 threads`.
pub fn count(n: usize, singular: &str, plural: &str) -> String {
    let noun = if n == 1 { singular } else { plural };
    format!("{n} {noun}")
}

/// CPU numbers as the kernel writes lists: `0-3,6`.
pub fn cpu_list(cpus: &[u32]) -> String {
    let mut sorted = cpus.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .map(|range| match range {
            [only] => only.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

pub use bench_protocol::{foreign, foreign_short};

/// Text as a cell of a CSV file: [`foreign`] text that no spreadsheet computes. A cell that would begin a formula begins
/// with an apostrophe instead; numbers are not text and keep their signs.
///
/// Source: OWASP, "CSV Injection"; the full-width signs are what Japanese and Chinese keyboards write.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let clean = match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(foreign(text)),
    };
    let begins_formula = [
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    // A spreadsheet may ignore the blanks before it.
    match clean.trim_start().starts_with(begins_formula) {
        true => Cow::Owned(format!("'{clean}")),
        false => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_cpus_as_ranges() {
        assert_eq!(cpu_list(&[6, 0, 1, 3, 2]), "0-3,6");
        assert_eq!(cpu_list(&[]), "");
        assert_eq!(cpu_list(&[u32::MAX]), "4294967295");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in [
            "=cmd|'/C calc'!A0",
            "@SUM(A1)",
            "+1",
            "-1",
            "\t=1",
            "\r=1",
            " =1",
            "＝1",
        ] {
            let cell = csv_cell(formula);
            assert!(cell.starts_with('\''), "{formula:?} became {cell:?}");
        }
        assert_eq!(csv_cell("read_dram_t4"), "read_dram_t4");
        assert_eq!(csv_cell("a\u{1b}[1mb"), "a\u{fffd}[1mb");
    }
}
