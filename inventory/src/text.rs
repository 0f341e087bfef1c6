//! The encoding of text files that people and other programs wrote.
//!
//! Owns byte order marks and UTF-16, which PowerShell and Notepad write, so that no reader of a format meets them.
//! Refuses to guess: without a byte order mark a text is UTF-8.

use std::borrow::Cow;
use std::fmt;

/// Why bytes are not a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotText {
    /// Not UTF-8 from this byte on.
    Byte(usize),
    /// The byte order mark says UTF-16, and the bytes are not.
    Utf16,
    /// The line, from 1, that holds a zero byte: UTF-16 without its mark, or appended to another encoding.
    Zero(usize),
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotText::Byte(byte) => write!(f, "not UTF-8 text: byte {byte} cannot be read"),
            NotText::Utf16 => f.write_str("not UTF-16 text, although its byte order mark says so"),
            NotText::Zero(line) => write!(
                f,
                "not UTF-8 text: line {line} holds a zero byte, as UTF-16 does that PowerShell appends with `>>`"
            ),
        }
    }
}

impl std::error::Error for NotText {}

/// The text of a file: UTF-8, or UTF-16 with its byte order mark. Marks are removed, also where files were joined.
///
/// # Errors
/// When it is neither.
pub fn decode(bytes: &[u8]) -> Result<String, NotText> {
    let text = match utf16_units(bytes) {
        Some(units) => String::from_utf16(&units?).map_err(|_| NotText::Utf16)?,
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            // Which of the two it is decides on the remedy.
            Err(_) if bytes.contains(&0) => return Err(zero(bytes)),
            Err(error) => return Err(NotText::Byte(error.valid_up_to())),
        },
    };
    without_marks(text)
}

/// As [`decode`], with bytes that are not UTF-8 replaced by U+FFFD: many programs print names and signs in the
/// encoding of their machine, and figures are ASCII.
///
/// # Errors
/// When it says that it is UTF-16 and is not, or holds zero bytes.
pub fn decode_lossy(bytes: &[u8]) -> Result<String, NotText> {
    match utf16_units(bytes) {
        Some(_) => decode(bytes),
        None => without_marks(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// The units of a text whose first two bytes are the mark of UTF-16.
fn utf16_units(bytes: &[u8]) -> Option<Result<Vec<u16>, NotText>> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    Some(match rest {
        [] => Ok(pairs.iter().map(|pair| unit(*pair)).collect()),
        _ => Err(NotText::Utf16),
    })
}

fn without_marks(text: String) -> Result<String, NotText> {
    if text.contains('\0') {
        return Err(zero(text.as_bytes()));
    }
    let has_mark = text.starts_with('\u{feff}') || text.contains("\n\u{feff}");
    if !has_mark {
        return Ok(text);
    }
    let lines = text.split_inclusive('\n');
    Ok(lines
        .map(|line| line.trim_start_matches('\u{feff}'))
        .collect())
}

fn zero(bytes: &[u8]) -> NotText {
    let before = bytes.iter().take_while(|byte| **byte != 0);
    NotText::Zero(before.filter(|byte| **byte == b'\n').count() + 1)
}

/// A text in one kind of blank: pages and messengers turn spaces into no-break ones, which no format here knows.
pub fn with_plain_blanks(text: &str) -> Cow<'_, str> {
    match text.contains('\u{a0}') {
        true => Cow::Owned(text.replace('\u{a0}', " ")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn byte_order_marks_go_and_utf16_is_decoded() {
        for bytes in [
            b"a: \xc3\xa9\n".to_vec(),
            b"\xef\xbb\xbfa: \xc3\xa9\n".to_vec(),
            utf16("\u{feff}a: é\n", u16::to_le_bytes),
            utf16("\u{feff}a: é\n", u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Ok("a: é\n"), "{bytes:?}");
            assert_eq!(decode_lossy(&bytes).as_deref(), Ok("a: é\n"), "{bytes:?}");
        }
        // Files that were joined.
        let joined = "\u{feff}a\r\n\u{feff}b\u{feff}";
        assert_eq!(decode(joined.as_bytes()).as_deref(), Ok("a\r\nb\u{feff}"));
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(decode(b"a\xff"), Err(NotText::Byte(1)));
        assert_eq!(decode_lossy(b"a\xb1").as_deref(), Ok("a\u{fffd}"));
        assert_eq!(decode(b"\xff\xfea"), Err(NotText::Utf16));
        assert_eq!(decode(b"\xff\xfe\x00\xd8"), Err(NotText::Utf16));
        let appended = [b"a\n".to_vec(), utf16("b\n", u16::to_le_bytes)].concat();
        assert_eq!(decode_lossy(&appended), Err(NotText::Zero(2)));
        // UTF-32 begins like UTF-16.
        assert_eq!(
            decode(b"\xff\xfe\x00\x00a\x00\x00\x00"),
            Err(NotText::Zero(1))
        );
    }
}
