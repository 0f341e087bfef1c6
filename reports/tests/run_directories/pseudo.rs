//! A language that nobody speaks: English messages with every letter in another script. Whatever a page still says in
//! plain letters is data, or a text that is not a message.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bench_locales::Text;
use fluent_syntax::ast::{Entry, Expression, Pattern, PatternElement};

/// Code of the language: the one that CLDR keeps for such tests.
pub const CODE: &str = "en-XA";

/// Its decimal mark: what still has a point was not written by the language.
const MARK: &str = "\u{66b}";

/// The texts of that language, from the English files as they are on disk.
pub fn text() -> Text {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../locales/en");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut resource = fluent_syntax::parser::parse(source).unwrap();
        for entry in &mut resource.body {
            if let Entry::Message(message) = entry
                && let Some(pattern) = &mut message.value
            {
                match message.id.name == "decimal-mark" {
                    true => {
                        pattern.elements = vec![PatternElement::TextElement { value: MARK.into() }]
                    }
                    false => disguise(pattern, &mut Inside::default()),
                }
            }
        }
        files.push(fluent_syntax::serializer::serialize(&resource));
    }
    Text::of_sources(CODE, files.iter().map(String::as_str))
}

/// Where in a pattern we are: markup and code stay as they are, also where an argument stands in them.
#[derive(Default)]
struct Inside {
    tag: bool,
    code: bool,
}

fn disguise(pattern: &mut Pattern<String>, inside: &mut Inside) {
    for element in &mut pattern.elements {
        match element {
            PatternElement::TextElement { value } => {
                let disguised = value.chars().map(|c| {
                    match c {
                        '<' => inside.tag = true,
                        '>' => inside.tag = false,
                        '`' => inside.code = !inside.code,
                        _ => {}
                    }
                    match inside.tag || inside.code {
                        true => c,
                        false => other(c),
                    }
                });
                *value = disguised.collect();
            }
            PatternElement::Placeable { expression } => {
                if let Expression::Select { variants, .. } = expression {
                    for variant in variants {
                        disguise(&mut variant.value, inside);
                    }
                }
            }
        }
    }
}

/// A letter in the other script: the block of phonetic letters.
fn other(c: char) -> char {
    match c.to_ascii_lowercase() {
        letter @ 'a'..='z' => {
            char::from_u32(0x250 + (letter as u32 - 'a' as u32)).unwrap_or(letter)
        }
        _ => c,
    }
}

fn is_other(c: char) -> bool {
    ('\u{250}'..='\u{269}').contains(&c)
}

/// Texts of the pages in `html` that are neither messages nor data; `data` is everything that the pages may quote.
pub fn leaks(html: &Path, data: &str) -> BTreeSet<String> {
    let data = one_spaced(&data.to_lowercase());
    let mut leaks = BTreeSet::new();
    let mut pages = Vec::new();
    pages_of(html, &mut pages);
    assert!(!pages.is_empty(), "no pages in `{}`", html.display());
    for page in pages {
        let source = fs::read_to_string(&page).unwrap();
        for said in texts(&source) {
            let said = decode(&said);
            let parts = said.split(|c| is_other(c) || ":·,;()→".contains(c));
            for part in parts.flat_map(|part| part.split(". ")) {
                let part = one_spaced(part);
                let part = part.trim_matches(|c: char| !c.is_alphanumeric());
                let is_data = data.contains(&part.to_lowercase());
                if !is_data && part.split(' ').any(|word| !is_name(word, &data)) {
                    leaks.insert(part.to_owned());
                }
            }
        }
    }
    leaks
}

/// Unit signs, the same in every language.
const UNITS: &[&str] = &[
    "MT/s", "tokens/s", "tokens/J", "J/token", "op/byte", "Gop/s", "GiB", "MiB", "KiB", "GHz",
    "MHz", "bit", "CPU", "GPU", "NPU", "DRAM",
];

/// Whether a word is the same in every language: a number, a unit sign, a file, an option, a name with digits or one that
/// the data has.
fn is_name(word: &str, data: &str) -> bool {
    let is_option = word.starts_with("--");
    if is_point_number(word) && !data.contains(word) {
        return false;
    }
    let word = word.trim_matches(|c: char| ".%×±~≈<>+=-–@/".contains(c));
    let n_letters = word.chars().filter(char::is_ascii_alphabetic).count();
    n_letters < 4
        || is_option
        || word.contains(|c: char| c.is_ascii_digit())
        || UNITS.contains(&word)
        || [".csv", ".json", ".parquet"]
            .iter()
            .any(|end| word.ends_with(end))
        || (word.starts_with(|c: char| c.is_ascii_uppercase())
            && data.contains(&word.to_lowercase()))
}

/// Whether a word is a number with a decimal point.
fn is_point_number(word: &str) -> bool {
    let word = word.trim_matches(|c: char| "%×±~≈<>+-–".contains(c));
    word.contains('.') && word.parse::<f64>().is_ok()
}

fn pages_of(folder: &Path, pages: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages_of(&path, pages);
        } else if path.extension().is_some_and(|end| end == "html") {
            pages.push(path);
        }
    }
}

/// Elements whose content is data.
const DATA: &[&str] = &["script", "style", "bdi", "code", "pre", "samp", "var"];

/// Attributes that people read or hear.
const SPOKEN: &[&str] = &["alt", "aria-label", "data-tip", "placeholder", "title"];

/// Texts and spoken attributes of a page, without what is marked as data.
fn texts(html: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        texts.push(rest[..at].to_owned());
        rest = &rest[at..];
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let is_data = DATA.contains(&name.as_str())
            || (name != "html" && tag.contains(" lang=\""))
            || tag.contains("translate=\"no\"");
        if is_data && !tag.ends_with('/') {
            rest = after_element(rest, &name);
        } else {
            texts.extend(SPOKEN.iter().filter_map(|spoken| {
                let (_, value) = tag.split_once(&format!(" {spoken}=\""))?;
                Some(value.split('"').next()?.to_owned())
            }));
        }
    }
    texts.push(rest.to_owned());
    texts
}

/// What follows the end of an element that was just opened.
fn after_element<'a>(html: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let (mut depth, mut rest) = (1, html);
    while depth > 0 {
        let Some(end) = rest.find(&close) else {
            return "";
        };
        depth += rest[..end].matches(&open).count();
        depth -= 1;
        rest = &rest[end + close.len()..];
    }
    rest
}

fn decode(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}

fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every text that is on disk in a folder, pages left out.
pub fn data_of(folder: &Path) -> String {
    let mut data = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "html" {
            data += &data_of(&path);
        } else if path.is_file() && !name.starts_with("summary") && !name.ends_with(".parquet") {
            data += &name;
            data.push('\n');
            data += &String::from_utf8_lossy(&fs::read(&path).unwrap()).replace("\\\"", "\"");
            data.push('\n');
        }
    }
    data
}
