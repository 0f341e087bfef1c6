//! Adding a host to a fleet file that people write: every other byte of it stays as it is.

use std::path::Path;

use crate::exit::ExitError;

/// The text of a fleet file with one more host at its end; `pairs` are its keys and values, both as YAML.
///
/// # Errors
/// When `hosts:` is not the last key of the file, or is written in one line.
pub fn with_host(text: &str, name: &str, pairs: &[(&str, String)]) -> Result<String, ExitError> {
    let mut lines = text.lines().filter(|line| is_content(line));
    let top_level: Vec<&str> = lines
        .by_ref()
        .filter(|line| !line.starts_with([' ', '\t', '#']))
        .collect();
    let problem = |what: &str| {
        Err(ExitError::usage(format!(
            "{what}; mend that, or write the entry by hand"
        )))
    };
    let indent = match top_level.last() {
        None => "  ",
        Some(line) if is_empty_map(line) => "  ",
        Some(line) if line.trim_end().starts_with("hosts:") && has_no_value(line) => {
            indent_of(text)
        }
        Some(line) if line.starts_with("hosts:") => {
            return problem("the fleet file has its hosts in one line");
        }
        Some(_) => return problem("`hosts:` is not the last key of the fleet file"),
    };
    let mut out = match top_level.last() {
        None => format!("{text}{}hosts:", newline_before(text)),
        // An empty map takes no entry below it.
        Some(line) if is_empty_map(line) => text.replacen(line, "hosts:", 1),
        Some(_) => text.to_owned(),
    };
    out += newline_before(&out);
    out += &format!("{indent}{}:\n", quoted_name(name));
    for (key, value) in pairs {
        out += &format!("{indent}{indent}{key}: {value}\n");
    }
    Ok(out)
}

/// A value as YAML: every JSON string is one, and most words need no quotes.
pub fn quoted(value: &str) -> String {
    let is_plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-@".contains(c));
    match is_plain && !is_word_of_yaml(value) {
        true => value.to_owned(),
        false => serde_json::to_string(value).expect("a string is always JSON"),
    }
}

/// Replaces a file whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    crate::disk::replace(&path, text.as_bytes())
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && line != "---"
}

fn is_empty_map(line: &str) -> bool {
    let value = line.strip_prefix("hosts:").unwrap_or_default();
    let value = value.split('#').next().unwrap_or_default();
    value.replace(char::is_whitespace, "") == "{}"
}

fn has_no_value(line: &str) -> bool {
    let value = line.strip_prefix("hosts:").unwrap_or("x").trim();
    value.is_empty() || value.starts_with('#')
}

/// Blanks before the first host.
fn indent_of(text: &str) -> &str {
    let below = text.lines().skip_while(|line| !line.starts_with("hosts:"));
    let first = below.skip(1).find(|line| is_content(line));
    let line = first.unwrap_or("  ");
    &line[..line.len() - line.trim_start().len()]
}

fn newline_before(text: &str) -> &'static str {
    match text.is_empty() || text.ends_with('\n') {
        true => "",
        false => "\n",
    }
}

fn quoted_name(name: &str) -> String {
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_word_of_yaml(name) {
        true => name.to_owned(),
        false => format!("\"{name}\""),
    }
}

/// Words that are no text in some version of YAML.
fn is_word_of_yaml(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let pairs = [("transport", "ssh".to_owned())];
        assert_eq!(with_host(text, "new", &pairs).unwrap(), expect);
    }

    #[test]
    fn adds_at_the_end_and_keeps_everything_else() {
        check(
            "# mine\nhosts:\n  a: # first\n    transport: local\n  # last words",
            "# mine\nhosts:\n  a: # first\n    transport: local\n  # last words\n  new:\n    transport: ssh\n",
        );
        let wide = "hosts:\n    a:\n        transport: local\n";
        check(wide, &format!("{wide}    new:\n        transport: ssh\n"));
        check("", "hosts:\n  new:\n    transport: ssh\n");
        check("hosts:\n", "hosts:\n  new:\n    transport: ssh\n");
        check(
            "# x\nhosts: {}\n",
            "# x\nhosts:\n  new:\n    transport: ssh\n",
        );
    }

    #[test]
    fn refuses_files_that_it_would_spoil() {
        let error = |text: &str| with_host(text, "new", &[]).unwrap_err().message;
        assert!(error("hosts: {a: {transport: local}}\n").contains("in one line"));
        assert!(error("hosts:\n  a: {transport: local}\nmore: 1\n").contains("not the last key"));
    }

    #[test]
    fn quotes_what_yaml_would_read_otherwise() {
        assert_eq!(quoted("192.0.2.1"), "\"192.0.2.1\"");
        assert_eq!(quoted("no"), "\"no\"");
        assert_eq!(quoted("~/a b"), "\"~/a b\"");
        assert_eq!(quoted("board.example"), "board.example");
    }
}
