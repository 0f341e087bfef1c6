//! Numbers in Spanish: a decimal comma. What is no number of the report (versions, names, dates) stays.

/// Unit signs, the longest first where one begins another.
const UNITS: &[&str] = &[
    "tokens/s", "tokens/J", "J/token", "Gop/s", "GFLOP/s", "op/byte", "GB/s", "MB/s", "GiB/s",
    "MiB/s", "MT/s", "GT/s", "GHz", "MHz", "kHz", "Hz", "GiB", "MiB", "KiB", "GB", "MB", "kB",
    "bit", "B", "ns", "µs", "ms", "min", "s", "h", "mW", "W", "mV", "V", "mA", "A", "J", "°C", "K",
    "%", "×", "x", "GPU", "USD", "EUR", "$", "€",
];

const THIN_SPACE: char = '\u{2009}';

/// Whether a text has words that a catalogue must know; names with digits, unit signs and abbreviations are none.
pub(super) fn has_words(text: &str) -> bool {
    text.split(|c: char| {
        c.is_whitespace() || super::catalogue::is_marker(c) || "()[],;:\"'“”«»…–—→←=<>|".contains(c)
    })
    .any(is_word)
}

fn is_word(token: &str) -> bool {
    let token = token.trim_matches(['.', '!', '?', '+', '-', '·', '*']);
    let n_letters = token.chars().filter(|c| c.is_alphabetic()).count();
    let is_name = token
        .chars()
        .any(|c| c.is_ascii_digit() || matches!(c, '_' | '/' | '@' | '.' | '\\'));
    let is_abbreviation = n_letters > 1 && token.chars().all(|c| !c.is_lowercase());
    n_letters > 0 && !is_name && !is_abbreviation && !UNITS.contains(&token)
}

/// Where a number with an optional unit may end that begins at the start of `text`: the longest first.
pub(super) fn ends(text: &str) -> Vec<usize> {
    if let Some(rest) = text.strip_prefix("unknown") {
        return match rest.starts_with(char::is_alphanumeric) {
            true => Vec::new(),
            false => vec!["unknown".len()],
        };
    }
    let unsigned = text.trim_start_matches(['+', '-', '−', '±', '~', '≈', '<', '>', '≤', '≥']);
    let sign = text.len() - unsigned.len();
    let digits = number_len(unsigned);
    if digits == 0 {
        return Vec::new();
    }
    let end = sign + digits;
    let rest = &text[end..];
    let spaces = rest.len() - rest.trim_start_matches([' ', THIN_SPACE, '\u{a0}']).len();
    let mut ends: Vec<usize> = (UNITS.iter())
        .filter(|unit| {
            let after = rest[spaces..].strip_prefix(**unit);
            after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '/'))
        })
        .map(|unit| end + spaces + unit.len())
        .collect();
    ends.push(end);
    ends
}

/// Bytes of the number at the start: digits in groups, and decimals.
fn number_len(text: &str) -> usize {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut len = text.len() - text.trim_start_matches(is_digit).len();
    if len == 0 {
        return 0;
    }
    while let Some(group) = text[len..].strip_prefix(THIN_SPACE) {
        let digits = group.len() - group.trim_start_matches(is_digit).len();
        if digits != 3 {
            break;
        }
        len += THIN_SPACE.len_utf8() + digits;
    }
    if let Some(decimals) = text[len..].strip_prefix('.') {
        let digits = decimals.len() - decimals.trim_start_matches(is_digit).len();
        if digits > 0 {
            len += 1 + digits;
        }
    }
    len
}

/// A text without words with decimal commas.
pub(super) fn localise(text: &str) -> String {
    if text == "unknown" {
        return "desconocido".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let len = match c.is_ascii_digit() {
            true => number_len(rest),
            false => c.len_utf8(),
        };
        let (part, next) = rest.split_at(len);
        let joined = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '-');
        // A number has a space, a bracket or a sign before it and a space, a unit or punctuation behind it.
        let starts = !matches!(before, Some(c) if joined(c) && c != '-');
        let mut behind = next.chars();
        let ends = match (behind.next(), behind.next()) {
            (Some('.' | ':'), second) => second.is_none_or(|c| !c.is_alphanumeric()),
            (Some(c), _) => !joined(c),
            (None, _) => true,
        };
        match c.is_ascii_digit() && starts && ends {
            true => out.push_str(&part.replace('.', ",")),
            false => out.push_str(part),
        }
        before = part.chars().next_back();
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(localise(text), expect);
    }

    #[test]
    fn numbers_get_a_comma() {
        check("24.1 GB/s", "24,1 GB/s");
        check("-3.1 %", "-3,1 %");
        check("1\u{2009}234.5", "1\u{2009}234,5");
        check("0.26–0.31", "0,26–0,31");
        check("(4.68 GB)", "(4,68 GB)");
        check("2.0.", "2,0.");
    }

    #[test]
    fn versions_names_and_addresses_stay() {
        for text in [
            "1.95.0",
            "192.0.2.10",
            "qwen2.5-7b",
            "v1.2",
            "6.1.43-15",
            "2.5-1.5b",
            "a/1.5",
            "0-3,6",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn names_and_units_are_no_words() {
        for text in [
            "24.1 GB/s",
            "read/dram/t1",
            "Q4_K_M",
            "CPU 0-3",
            "°C",
            "1 / 2",
            "KV",
        ] {
            assert!(!has_words(text), "{text}");
        }
        for text in ["4 threads", "Host", "theory: 3", "a b"] {
            assert!(has_words(text), "{text}");
        }
    }

    #[test]
    fn a_number_ends_with_or_without_its_unit() {
        assert_eq!(ends("24.1 GB/s with"), [9, 4]);
        assert_eq!(ends("4 threads"), [1]);
        assert_eq!(ends("unknown."), [7]);
        assert!(ends("threads").is_empty());
    }
}
