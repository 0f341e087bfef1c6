//! Every number and every foreign text that people read is formatted here, and nowhere else.
//!
//! Owns digits, unit signs and the cleaning of text that came from a board. Refuses to compute.

use std::borrow::Cow;

/// What stands where a number is not known.
pub const UNKNOWN: &str = "unknown";

/// Three significant digits without an exponent: `6.67`, `14.2`, `192`, `0.052`.
///
/// Anything that is no finite number becomes [`UNKNOWN`], so that no page ever shows `NaN`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let n_decimals = match value.abs() {
        v if v < 0.000_5 => 0,
        v if v < 0.099_95 => 3,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    let digits = format!("{value:.n_decimals$}");
    match n_decimals {
        0 => group_thousands(&digits),
        _ => digits,
    }
}

/// A whole number: `28`, `131 072`.
pub fn integer(value: f64) -> String {
    match value.is_finite() {
        true => group_thousands(&format!("{value:.0}")),
        false => UNKNOWN.to_owned(),
    }
}

/// An error of arithmetic: `1.00e-6`.
pub fn scientific(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.2e}"),
        false => UNKNOWN.to_owned(),
    }
}

/// A bandwidth: `33.8 GB/s` (10^9 bytes per second).
pub fn gb_per_s(value: f64) -> String {
    with_unit(value, "GB/s")
}

/// A bandwidth or [`UNKNOWN`].
pub fn gb_per_s_or_unknown(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), gb_per_s)
}

/// A rate of generated tokens: `6.67 tokens/s`.
pub fn tokens_per_s(value: f64) -> String {
    with_unit(value, "tokens/s")
}

/// A share of a whole: `0.7129` is `71 %`; below 10 % one decimal is kept.
pub fn percent(ratio: f64) -> String {
    match ratio * 100.0 {
        p if !p.is_finite() => UNKNOWN.to_owned(),
        p if p.abs() < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// A number of parameters: `494 million`, `7.62 billion`.
pub fn millions(n: u64) -> String {
    match n as f64 {
        v if v >= 1e9 => with_unit(v / 1e9, "billion"),
        v => with_unit(v / 1e6, "million"),
    }
}

/// A tick of a logarithmic axis: `0.01`, `1`, `1 000`.
pub fn power_of_ten(power: i32) -> String {
    match power {
        0.. => group_thousands(&format!("1{}", "0".repeat(power.min(15) as usize))),
        _ => format!(
            "{:.*}",
            power.unsigned_abs().min(15) as usize,
            10_f64.powi(power)
        ),
    }
}

/// A rate of arithmetic: `470 Gop/s` (10^9 operations per second).
pub fn gop_per_s(value: f64) -> String {
    with_unit(value, "Gop/s")
}

/// A difference as a share: `+12 %`, `-3.1 %`.
pub fn signed_percent(ratio: f64) -> String {
    let sign = if ratio > 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(ratio))
}

/// Bytes as an amount of traffic or of a file: `4.68 GB` (10^9), `85.0 MB`, `512 B`.
pub fn decimal_bytes(bytes: u64) -> String {
    scaled(
        bytes,
        &[(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")],
    )
}

/// Bytes as a capacity: `16 GiB` (2^30), `64 MiB`, `512 B`. Whole numbers lose their decimals.
pub fn binary_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) if bytes.is_multiple_of(*size) => {
            format!("{} {unit}", group_thousands(&(bytes / size).to_string()))
        }
        _ => scaled(bytes, &units),
    }
}

/// A memory of a board in a sentence: `system` is `system memory`, `vram` is `VRAM`.
pub fn memory_name(name: &str) -> String {
    match name {
        "vram" => "VRAM".to_owned(),
        name => format!("{} memory", foreign(name)),
    }
}

/// A duration: `812 ns`, `4.31 µs`, `20.5 ms`, `1.20 s`.
pub fn duration_ns(ns: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    match units.iter().find(|(size, _)| ns >= *size) {
        Some((size, unit)) => with_unit(ns / size, unit),
        None => with_unit(ns, "ns"),
    }
}

/// A duration in seconds: `1.20 s`.
pub fn seconds(s: f64) -> String {
    with_unit(s, "s")
}

/// A clock: `2.11 GHz`, `528 MHz`.
pub fn clock_hz(hz: u64) -> String {
    match hz as f64 {
        v if v >= 1e9 => with_unit(v / 1e9, "GHz"),
        v => with_unit(v / 1e6, "MHz"),
    }
}

/// A count with its noun: `1 thread`, `8 threads`.
pub fn count(n: usize, singular: &str, plural: &str) -> String {
    let noun = if n == 1 { singular } else { plural };
    format!("{} {noun}", group_thousands(&n.to_string()))
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

/// Names as a sentence lists them: `a`, `a and b`, `a, b and c`.
pub fn enumeration(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
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

fn with_unit(value: f64, unit: &str) -> String {
    match value.is_finite() {
        true => format!("{} {unit}", number(value)),
        false => UNKNOWN.to_owned(),
    }
}

fn scaled(bytes: u64, units: &[(u64, &str)]) -> String {
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => with_unit(bytes as f64 / *size as f64, unit),
        None => format!("{bytes} B"),
    }
}

fn group_thousands(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let mut grouped = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, expect: &str) {
        assert_eq!(number(value), expect, "{value:?}");
    }

    #[test]
    fn keeps_three_significant_digits() {
        check(32.0 / 4.8, "6.67");
        check(68.0 / 4.8, "14.2");
        check(192.0, "192");
        check(0.0519, "0.052");
        check(9.996, "10.0");
        check(99.96, "100");
        check(0.0, "0");
        check(12_345.6, "12\u{2009}346");
        check(-1234.0, "-1\u{2009}234");
    }

    #[test]
    fn never_shows_what_is_no_number() {
        check(f64::NAN, UNKNOWN);
        assert_eq!(gb_per_s(f64::INFINITY), UNKNOWN);
        assert_eq!(percent(f64::NAN), UNKNOWN);
    }

    #[test]
    fn scales_bytes_and_times() {
        assert_eq!(decimal_bytes(4_677_000_000), "4.68 GB");
        assert_eq!(decimal_bytes(12), "12 B");
        assert_eq!(binary_bytes(17_179_869_184), "16 GiB");
        assert_eq!(binary_bytes(1_610_612_736), "1.50 GiB");
        assert_eq!(duration_ns(20_500_000.0), "20.5 ms");
        assert_eq!(duration_ns(12.0), "12.0 ns");
        assert_eq!(clock_hz(2_112_000_000), "2.11 GHz");
        assert_eq!(clock_hz(528_000_000), "528 MHz");
    }

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

    #[test]
    fn joins_names_as_a_sentence_does() {
        assert_eq!(
            enumeration(&["a".into(), "b".into(), "c".into()]),
            "a, b and c"
        );
        assert_eq!(enumeration(&[]), "");
    }
}
