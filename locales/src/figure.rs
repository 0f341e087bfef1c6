//! How figures look: three significant digits, a unit sign, the decimal mark of the language.

/// A figure and the unit that it is shown in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// Three significant digits without an exponent: `6.67`, `14.2`, `192`, `0.052`.
    Number(f64),
    /// A whole number: `28`, `131 072`.
    Integer(f64),
    /// An error of arithmetic: `1.00e-6`.
    Scientific(f64),
    /// A bandwidth: `33.8 GB/s` (10^9 bytes per second).
    GbPerS(f64),
    /// A rate of generated tokens: `6.67 tokens/s`.
    TokensPerS(f64),
    /// A rate of arithmetic: `470 Gop/s` (10^9 operations per second).
    GopPerS(f64),
    /// A share of a whole: `0.7129` is `71 %`; below 10 % one decimal is kept.
    Percent(f64),
    /// A difference as a share: `+12 %`, `-3.1 %`.
    SignedPercent(f64),
    /// Bytes as an amount of traffic or of a file: `4.68 GB` (10^9), `85.0 MB`, `512 B`.
    DecimalBytes(u64),
    /// Bytes as a capacity: `16 GiB` (2^30), `64 MiB`, `512 B`. Whole numbers lose their decimals.
    BinaryBytes(u64),
    /// A duration in nanoseconds: `812 ns`, `4.31 µs`, `20.5 ms`, `1.20 s`.
    DurationNs(f64),
    /// A duration in seconds: `1.20 s`.
    Seconds(f64),
    /// A clock in hertz: `2.11 GHz`, `528 MHz`.
    ClockHz(u64),
    /// A number of parameters: `494 million`, `7.62 billion`.
    Parameters(u64),
    /// A tick of a logarithmic axis, as a power of ten: `0.01`, `1`, `1 000`.
    PowerOfTen(i32),
    /// A number and the sign of its unit, which is the same in every language: `1.10 V`, `21.3 °C`.
    With(f64, &'static str),
}

impl Figure {
    /// Its number, in the unit that it is given in.
    pub(crate) fn value(self) -> f64 {
        match self {
            Figure::Number(value)
            | Figure::Integer(value)
            | Figure::Scientific(value)
            | Figure::GbPerS(value)
            | Figure::TokensPerS(value)
            | Figure::GopPerS(value)
            | Figure::Percent(value)
            | Figure::SignedPercent(value)
            | Figure::DurationNs(value)
            | Figure::Seconds(value)
            | Figure::With(value, _) => value,
            Figure::DecimalBytes(n)
            | Figure::BinaryBytes(n)
            | Figure::ClockHz(n)
            | Figure::Parameters(n) => n as f64,
            Figure::PowerOfTen(power) => 10_f64.powi(power),
        }
    }
}

/// What a figure's digits and words are in a language.
pub(crate) struct Form<'a> {
    /// Between the whole part and the decimals.
    pub(crate) decimal_mark: &'a str,
    /// In the place of a figure that is not a finite number, so that no page ever shows `NaN`.
    pub(crate) unknown: &'a str,
    /// `{} million`, `{} billion`, with the number in the place of the braces.
    pub(crate) millions: &'a str,
    pub(crate) billions: &'a str,
}

impl Form<'_> {
    /// A figure as text.
    pub(crate) fn show(&self, figure: Figure) -> String {
        match figure {
            Figure::Number(value) => self.number(value, ""),
            Figure::Integer(value) => self.finite(value, |it| group(&format!("{it:.0}"))),
            Figure::Scientific(value) => self.finite(value, |it| self.digits(format!("{it:.2e}"))),
            Figure::GbPerS(value) => self.number(value, " GB/s"),
            Figure::TokensPerS(value) => self.number(value, " tokens/s"),
            Figure::GopPerS(value) => self.number(value, " Gop/s"),
            Figure::Percent(ratio) => self.percent(ratio, ""),
            Figure::SignedPercent(ratio) => self.percent(ratio, if ratio > 0.0 { "+" } else { "" }),
            Figure::DecimalBytes(bytes) => self.scaled(
                bytes,
                &[(1_000_000_000, " GB"), (1_000_000, " MB"), (1_000, " kB")],
            ),
            Figure::BinaryBytes(bytes) => {
                let units = [(1 << 30, " GiB"), (1 << 20, " MiB"), (1 << 10, " KiB")];
                match units.iter().find(|(size, _)| bytes >= *size) {
                    Some((size, unit)) if bytes.is_multiple_of(*size) => {
                        group(&(bytes / size).to_string()) + unit
                    }
                    _ => self.scaled(bytes, &units),
                }
            }
            Figure::DurationNs(ns) => {
                let units = [(1e9, " s"), (1e6, " ms"), (1e3, " µs")];
                let (size, unit) = (units.into_iter())
                    .find(|(size, _)| ns >= *size)
                    .unwrap_or((1.0, " ns"));
                self.number(ns / size, unit)
            }
            Figure::Seconds(s) => self.number(s, " s"),
            Figure::ClockHz(hz) => match hz as f64 {
                hz if hz >= 1e9 => self.number(hz / 1e9, " GHz"),
                hz => self.number(hz / 1e6, " MHz"),
            },
            Figure::Parameters(n) => {
                let (form, value) = match n as f64 {
                    n if n >= 1e9 => (self.billions, n / 1e9),
                    n => (self.millions, n / 1e6),
                };
                form.replace("{}", &self.number(value, ""))
            }
            Figure::PowerOfTen(power @ 0..) => {
                group(&format!("1{}", "0".repeat(power.min(15) as usize)))
            }
            Figure::PowerOfTen(power) => {
                let n_decimals = power.unsigned_abs().min(15) as usize;
                self.digits(format!("{:.n_decimals$}", 10_f64.powi(power)))
            }
            Figure::With(value, unit) => self.number(value, &format!(" {unit}")),
        }
    }

    fn number(&self, value: f64, unit: &str) -> String {
        self.finite(value, |value| {
            let n_decimals = match value.abs() {
                v if v < 0.000_5 => 0,
                v if v < 0.099_95 => 3,
                v if v < 9.995 => 2,
                v if v < 99.95 => 1,
                _ => 0,
            };
            let digits = format!("{value:.n_decimals$}");
            match n_decimals {
                0 => group(&digits) + unit,
                _ => self.digits(digits) + unit,
            }
        })
    }

    fn percent(&self, ratio: f64, sign: &str) -> String {
        self.finite(ratio * 100.0, |percent| {
            let n_decimals = usize::from(percent.abs() < 9.95);
            self.digits(format!("{sign}{percent:.n_decimals$} %"))
        })
    }

    fn scaled(&self, bytes: u64, units: &[(u64, &str)]) -> String {
        match units.iter().find(|(size, _)| bytes >= *size) {
            Some((size, unit)) => self.number(bytes as f64 / *size as f64, unit),
            None => format!("{bytes} B"),
        }
    }

    fn finite(&self, value: f64, show: impl FnOnce(f64) -> String) -> String {
        match value.is_finite() {
            true => show(value),
            false => self.unknown.to_owned(),
        }
    }

    fn digits(&self, digits: String) -> String {
        match self.decimal_mark {
            "." => digits,
            mark => digits.replace('.', mark),
        }
    }
}

/// Digits in groups of three with thin spaces, as ISO 80000-1 has it in every language.
pub(crate) fn group(digits: &str) -> String {
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
    use crate::{Language, Text};

    fn english(figure: Figure) -> String {
        Text::english().figure(figure)
    }

    #[test]
    fn numbers_keep_three_significant_digits() {
        for (value, expect) in [
            (6.6717, "6.67"),
            (9.996, "10.0"),
            (14.2, "14.2"),
            (99.96, "100"),
            (192.4, "192"),
            (0.0521, "0.052"),
            (0.0001, "0"),
            (131_072.0, "131\u{2009}072"),
            (f64::NAN, "unknown"),
            (f64::INFINITY, "unknown"),
        ] {
            assert_eq!(english(Figure::Number(value)), expect);
        }
    }

    #[test]
    fn each_language_has_its_own_form() {
        let spanish = Text::new(Language::from_code("es").unwrap());
        for (figure, en, es) in [
            (Figure::GbPerS(24.1), "24.1 GB/s", "24,1 GB/s"),
            (Figure::Percent(0.0712), "7.1 %", "7,1 %"),
            (Figure::SignedPercent(0.123), "+12 %", "+12 %"),
            (Figure::SignedPercent(-0.031), "-3.1 %", "-3,1 %"),
            (Figure::Integer(1_234.0), "1\u{2009}234", "1\u{2009}234"),
            (Figure::Scientific(1e-6), "1.00e-6", "1,00e-6"),
            (Figure::PowerOfTen(-2), "0.01", "0,01"),
            (
                Figure::Parameters(494_000_000),
                "494 million",
                "494 millones",
            ),
            (Figure::BinaryBytes(16 << 30), "16 GiB", "16 GiB"),
            (Figure::BinaryBytes(3 << 19), "1.50 MiB", "1,50 MiB"),
            (Figure::DecimalBytes(4_683_073_184), "4.68 GB", "4,68 GB"),
            (Figure::DecimalBytes(512), "512 B", "512 B"),
            (Figure::DurationNs(20.5e6), "20.5 ms", "20,5 ms"),
            (Figure::ClockHz(2_112_000_000), "2.11 GHz", "2,11 GHz"),
            (Figure::With(1.1, "V"), "1.10 V", "1,10 V"),
            (Figure::Number(f64::NAN), "unknown", "desconocido"),
        ] {
            assert_eq!(english(figure), en);
            assert_eq!(spanish.figure(figure), es);
        }
    }
}
