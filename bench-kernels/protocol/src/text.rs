//! Text from outside, made safe to show.
//!
//! A board may say anything. Its words reach terminals, logs of CI, pages and tables, so they are cleaned where they
//! come in ([`crate::parse_line`]) and not where they are shown.

/// A text of a message that is longer is cut: no name, reason or note is.
pub const MAX_TEXT_CHARS: usize = 4096;

/// Text from outside, safe to show to people: in a page, a table of a terminal, a log, Markdown, CSV or JSON. One line.
///
/// Line ends and tabs become blanks. Characters that a reader cannot see but that change what is shown become
/// `\u{fffd}`: control characters begin escape sequences of terminals and are not allowed in XML, direction marks reorder
/// the text around a name, invisible characters make two names look the same. `##[` and a leading `::`, with which
/// GitHub's logs take commands, are taken apart.
pub fn foreign(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || is_deceptive(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    let clean = match clean.contains("##[") {
        true => clean.replace("##[", "## ["),
        false => clean,
    };
    match clean.trim_start().starts_with("::") {
        true => clean.replacen("::", ": :", 1),
        false => clean,
    }
}

/// [`foreign`] text cut to `max_chars` characters, with an ellipsis where something was cut.
pub fn foreign_short(text: &str, max_chars: usize) -> String {
    let clean = foreign(text);
    if clean.chars().count() <= max_chars {
        return clean;
    }
    let kept: String = clean.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Whether a character is invisible and changes how the text around it is shown or compared.
///
/// Source: the default ignorable code points of Unicode, without the variation selectors that emoji need and the fillers
/// of Korean text; interlinear annotations and the noncharacters of the basic plane.
fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' // soft hyphen
            | '\u{61c}' // Arabic letter mark
            | '\u{180e}' // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, left-to-right and right-to-left mark
            | '\u{202a}'..='\u{202e}' // embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotations
            | '\u{fffe}'..='\u{ffff}' // noncharacters, not allowed in XML
            | '\u{e0000}'..='\u{e0fff}' // tags, supplementary variation selectors
    )
}

/// Whether no text in a line of JSON can need cleaning: nearly all lines of a stream, which are then read in one go.
pub(crate) fn is_harmless(line: &str) -> bool {
    // Control characters stand in JSON only behind a backslash.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    line.len() <= MAX_TEXT_CHARS
        && line.bytes().all(is_plain)
        && !line.contains("##[")
        && !line.contains("::")
}

/// Cleans every text of a message. What an external program wrote is kept as it is: it is data, and read as such.
pub(crate) fn clean(value: &mut serde_json::Value) {
    let is_output = value["type"] == "output_part";
    if let serde_json::Value::Object(fields) = value {
        for (key, field) in fields {
            if !(is_output && key == "text") {
                clean_all(field);
            }
        }
    }
}

fn clean_all(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => *text = foreign_short(text, MAX_TEXT_CHARS),
        Value::Array(items) => items.iter_mut().for_each(clean_all),
        Value::Object(fields) => {
            let cleaned = std::mem::take(fields).into_iter().map(|(key, mut field)| {
                clean_all(&mut field);
                (foreign_short(&key, MAX_TEXT_CHARS), field)
            });
            *fields = cleaned.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_foreign_text() {
        assert_eq!(foreign("a\u{202e}b\u{7}c\td"), "a\u{fffd}b\u{fffd}c d");
        assert_eq!(foreign("\u{1b}[31m\r\n::x"), "\u{fffd}[31m  ::x");
        assert_eq!(foreign("größe 板 🖥\u{fe0f}"), "größe 板 🖥\u{fe0f}");
        for deceptive in [
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200f}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert_eq!(foreign(&format!("a{deceptive}b")), "a\u{fffd}b");
        }
        assert_eq!(foreign_short("abcdef", 4), "abc…");
        assert_eq!(foreign_short("abcd", 4), "abcd");
    }

    #[test]
    fn commands_of_githubs_logs_are_taken_apart() {
        assert_eq!(foreign("::error::x"), ": :error::x");
        assert_eq!(foreign("\n ::stop-commands::x"), "  : :stop-commands::x");
        assert_eq!(foreign("a ##[error]x"), "a ## [error]x");
        assert_eq!(foreign("std::fmt"), "std::fmt");
    }
}
