//! The languages of a report: English as it is written in sections and templates, Spanish made from it.
//!
//! Owns the catalogue of sentence patterns and the pass over a finished page. Refuses to guess: what the catalogue does
//! not know stays English and is counted, and what came from outside (names, quotations) is never touched.

mod catalogue;
mod number;
mod page;
mod quotes;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use bench_locales::Text;

use catalogue::{Catalogue, Tag};
pub(crate) use page::{Place, missing_note};
pub(crate) use quotes::Quotes;

/// Pairs of English and Spanish patterns; the head of the file explains its form and has the glossary.
const SPANISH: &str = include_str!("words/es.txt");

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(SPANISH));

/// Around a text from outside that stands in a label or sentence: it is shown as it is in every language.
///
/// [`bench_run_dir::format::foreign`] removes these characters from what came from outside, so nothing can forge them.
const NAME_MARKS: [char; 2] = ['\u{2068}', '\u{2069}'];

/// Where a part of a page differs by language: before the English one, before the Spanish one, and after both.
const CHOICE_MARKS: [&str; 3] = ["<!--lang:en-->", "<!--lang:es-->", "<!--/lang-->"];

/// A sentence that is put together from parts is that deep at most.
const MAX_DEPTH: usize = 6;

/// A language of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Language {
    /// What everything is written in.
    #[default]
    English,
    /// Made from the English words.
    Spanish,
}

impl Language {
    /// All languages; every page of a report exists in each.
    pub const ALL: [Language; 2] = [Language::English, Language::Spanish];

    /// Its code after BCP 47, as in `--lang` and in pages.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Spanish => "es",
        }
    }

    /// Its messages; what is not English is marked, so that the pass over the finished page leaves it as it is.
    pub fn text(self) -> Text {
        let text = bench_locales::Language::from_code(self.code()).map(Text::new);
        match (self, text) {
            (Language::Spanish, Ok(text)) => text.marked(NAME_MARKS),
            (_, Ok(text)) => text,
            (_, Err(_)) => Text::new(bench_locales::Language::ENGLISH),
        }
    }

    /// The language of a code.
    ///
    /// # Errors
    /// When there is no report in that language; the message names the choices.
    pub fn from_code(code: &str) -> Result<Language, String> {
        let found = Language::ALL
            .into_iter()
            .find(|language| language.code() == code);
        found.ok_or_else(|| format!("there is no report in `{code}`; choose `en` or `es`"))
    }
}

/// Marks a text from outside, so that it stays as it is in every language. For labels of charts and for sentences;
/// templates use `<bdi>`, `translate="no"` or `lang="en"`.
pub(crate) fn name(text: &str) -> String {
    format!("{}{text}{}", NAME_MARKS[0], NAME_MARKS[1])
}

/// A part of a page that is written in both languages: the finished page keeps one of them.
pub(crate) fn choice(english: &str, spanish: &str) -> String {
    let [first, second, end] = CHOICE_MARKS;
    format!("{first}{english}{second}{spanish}{end}")
}

/// Says texts in one language, and remembers what it could not say.
pub struct Words {
    language: Language,
    quotes: Arc<Quotes>,
    /// What became of a text without tags at each depth; `None` when it is not known as a whole. What is given up deep
    /// inside a sentence may be known on its own, and the other way round a part may have been found with fewer patterns:
    /// shared between depths, an entry would say which of them came first.
    cache: RefCell<[HashMap<String, Option<String>>; MAX_DEPTH + 1]>,
    missing: RefCell<BTreeSet<String>>,
}

impl Words {
    /// Words of a language.
    pub fn new(language: Language) -> Words {
        Words {
            language,
            quotes: Arc::default(),
            cache: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// Words for pages that quote these texts.
    pub(crate) fn quoting(self, quotes: Arc<Quotes>) -> Words {
        Words { quotes, ..self }
    }

    /// Its language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// A text without markup in this language; what is not known stays English and is remembered.
    pub fn say(&self, text: &str) -> String {
        match self.language {
            Language::English => text.replace(NAME_MARKS, ""),
            Language::Spanish => {
                let (text, names) = hide_names(text);
                let said = self.say_segment(&text, &names);
                show_names(&said, &names)
            }
        }
    }

    /// What could not be said so far: English sentences in the form of the catalogue, numbers and names as holes.
    pub fn missing(&self) -> BTreeSet<String> {
        self.missing.borrow().clone()
    }

    fn remember_missing(&self, text: &str) {
        self.missing.borrow_mut().insert(text.to_owned());
    }

    /// A segment in which `tags` stand as marker characters.
    fn say_segment(&self, text: &str, tags: &[Tag]) -> String {
        if let Some(said) = self.known(text, tags, 0) {
            return said;
        }
        // Whole sentences are remembered: their parts alone are hard to translate.
        for split in &SPLITS[..N_SENTENCE_SPLITS] {
            if let Some(parts) = split.parts(text, tags) {
                return join(parts, |part| self.say_segment(part, tags));
            }
        }
        let mut unknown = Vec::new();
        let said = self.say_parts(text, tags, &mut unknown);
        let mut missing = as_pattern(text, tags);
        if unknown != [text] {
            missing += &format!("\n# not known in it: {}", unknown.join(" | "));
        }
        self.remember_missing(&missing);
        said
    }

    /// As much as is known of a sentence.
    fn say_parts<'a>(&self, text: &'a str, tags: &[Tag], unknown: &mut Vec<&'a str>) -> String {
        if let Some(said) = self.known(text, tags, 0) {
            return said;
        }
        for split in SPLITS {
            if let Some(parts) = split.parts(text, tags) {
                return join(parts, |part| self.say_parts(part, tags, unknown));
            }
        }
        unknown.push(text);
        text.to_owned()
    }

    /// The whole text in this language, or nothing.
    fn known(&self, text: &str, tags: &[Tag], depth: usize) -> Option<String> {
        if !number::has_words(text) {
            return Some(number::localise(text));
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let has_tags = text.chars().any(|c| tag_of(c, tags).is_some());
        if has_tags {
            return self.look_up(text, tags, depth);
        }
        if let Some(cached) = self.cache.borrow()[depth].get(text) {
            return cached.clone();
        }
        let found = self.look_up(text, tags, depth);
        self.cache.borrow_mut()[depth].insert(text.to_owned(), found.clone());
        found
    }

    fn look_up(&self, text: &str, tags: &[Tag], depth: usize) -> Option<String> {
        let of_part = |part: &str| self.known(part, tags, depth + 1);
        if let Some(found) = CATALOGUE.find(text, tags, &of_part) {
            return Some(found);
        }
        // The same words may begin a sentence or stand inside one.
        if let Some(lower) = with_first(text, char::to_lowercase)
            && let Some(found) = CATALOGUE.find(&lower, tags, &of_part)
        {
            return Some(with_first(&found, char::to_uppercase).unwrap_or(found));
        }
        if let Some(upper) = with_first(text, char::to_uppercase)
            && let Some(found) = CATALOGUE.find(&upper, tags, &of_part)
        {
            return Some(with_first(&found, char::to_lowercase).unwrap_or(found));
        }
        for split in SPLITS {
            let Some(parts) = split.parts(text, tags) else {
                continue;
            };
            let said = parts.into_iter().map(|part| match part {
                Piece::Words(words) => of_part(words),
                Piece::Between(between) => Some(between.to_owned()),
            });
            if let Some(said) = said.collect::<Option<String>>() {
                return Some(said);
            }
        }
        None
    }
}

fn join<'a>(parts: Vec<Piece<'a>>, mut say: impl FnMut(&'a str) -> String) -> String {
    let said = parts.into_iter().map(|part| match part {
        Piece::Words(words) => say(words),
        Piece::Between(between) => between.to_owned(),
    });
    said.collect()
}

/// A sentence as a pattern of the catalogue: numbers and names become holes.
fn as_pattern(text: &str, tags: &[Tag]) -> String {
    let mut out = String::new();
    let (mut n_numbers, mut n_names) = (0, 0);
    let hole = |kind: &str, n: &mut usize| {
        *n += 1;
        match *n {
            1 => format!("{{{kind}}}"),
            n => format!("{{{kind}{n}}}"),
        }
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let inside =
            out.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'));
        let number = match inside {
            true => None,
            false => number::ends(rest).into_iter().max().filter(|end| {
                !rest[*end..]
                    .starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/'))
            }),
        };
        if let Some(end) = number {
            out.push_str(&hole("n", &mut n_numbers));
            rest = &rest[end..];
            continue;
        }
        match tag_of(c, tags) {
            Some(tag) if tag.name.is_empty() => out.push_str(&hole("q", &mut n_names)),
            Some(tag) => out.push_str(&format!("<{}>", tag.name)),
            None => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A text with its first letter changed; nothing when that changes nothing.
fn with_first<I: Iterator<Item = char>>(text: &str, change: impl Fn(char) -> I) -> Option<String> {
    let first = text.chars().next()?;
    let changed: String = change(first).collect();
    (changed != first.to_string()).then(|| changed + &text[first.len_utf8()..])
}

/// How a text that is not known as a whole is taken apart, tried in this order.
#[derive(Clone, Copy)]
enum Split {
    /// Spaces and marker characters at both ends come off.
    Edges,
    /// At a separator between parts, or one that ends the text.
    At(&'static str),
    /// At tags.
    Tags,
    /// At names and all else that stays as it is.
    Names,
    /// Words before brackets, in them, and after.
    Brackets,
}

/// How many of them leave sentences whole.
const N_SENTENCE_SPLITS: usize = 2;

const SPLITS: [Split; 10] = [
    Split::Edges,
    Split::At(". "),
    Split::Tags,
    Split::At("; "),
    Split::At(": "),
    Split::Brackets,
    Split::At(", "),
    Split::At(" · "),
    Split::At(" / "),
    Split::Names,
];

enum Piece<'a> {
    Words(&'a str),
    Between(&'a str),
}

impl Split {
    fn parts<'t>(self, text: &'t str, tags: &[Tag]) -> Option<Vec<Piece<'t>>> {
        match self {
            Split::Edges => {
                let edge = |c: char| c.is_whitespace() || catalogue::is_marker(c);
                let inner = text.trim_matches(edge);
                if inner.len() == text.len() || inner.is_empty() {
                    return None;
                }
                let start = text.len() - text.trim_start_matches(edge).len();
                let (before, rest) = text.split_at(start);
                let (_, after) = rest.split_at(inner.len());
                Some(vec![
                    Piece::Between(before),
                    Piece::Words(inner),
                    Piece::Between(after),
                ])
            }
            Split::At(separator) => {
                let mark = separator.trim_end();
                let (body, end) = match text.strip_suffix(mark) {
                    Some(body) if !body.is_empty() && !body.ends_with(mark) => (body, mark),
                    _ => (text, ""),
                };
                let mut pieces = Vec::new();
                for (i, part) in body.split(separator).enumerate() {
                    if i > 0 {
                        pieces.push(Piece::Between(separator));
                    }
                    pieces.push(Piece::Words(part));
                }
                if !end.is_empty() {
                    pieces.push(Piece::Between(end));
                }
                (pieces.len() > 1).then_some(pieces)
            }
            Split::Tags => {
                let of_tag = |c| tag_of(c, tags).is_some_and(|tag| !tag.name.is_empty());
                let pieces = split_keeping(text, of_tag);
                (pieces.len() > 1).then_some(pieces)
            }
            Split::Names => {
                let pieces = split_keeping(text, catalogue::is_marker);
                (pieces.len() > 1).then_some(pieces)
            }
            Split::Brackets => {
                let mut pieces = Vec::new();
                let mut rest = text;
                while let Some((open, close)) = bracket(rest) {
                    pieces.extend([
                        Piece::Words(&rest[..open]),
                        Piece::Between(&rest[open..=open]),
                        Piece::Words(&rest[open + 1..close]),
                        Piece::Between(&rest[close..=close]),
                    ]);
                    rest = &rest[close + 1..];
                }
                pieces.push(Piece::Words(rest));
                (pieces.len() > 1).then_some(pieces)
            }
        }
    }
}

/// Where the first bracket opens that is closed again, and where it closes.
fn bracket(text: &str) -> Option<(usize, usize)> {
    let open = text.find(['(', '['])?;
    let (opening, closing) = match text[open..].starts_with('(') {
        true => ('(', ')'),
        false => ('[', ']'),
    };
    let mut depth = 0_usize;
    for (at, c) in text[open..].char_indices() {
        if c == opening {
            depth += 1;
        } else if c == closing {
            depth -= 1;
            if depth == 0 {
                return Some((open, open + at));
            }
        }
    }
    None
}

fn split_keeping(text: &str, is_between: impl Fn(char) -> bool) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let between = is_between(c);
        let end = rest
            .find(|c| is_between(c) != between)
            .unwrap_or(rest.len());
        let (piece, next) = rest.split_at(end);
        pieces.push(match between {
            true => Piece::Between(piece),
            false => Piece::Words(piece),
        });
        rest = next;
    }
    pieces
}

fn tag_of(c: char, tags: &[Tag]) -> Option<&Tag> {
    tags.get(catalogue::marker_index(c)?)
}

/// Puts a marker in the place of each marked name and of code between backticks, and of each character that would be taken for a marker.
fn hide_names(text: &str) -> (String, Vec<Tag>) {
    let mut hidden = String::with_capacity(text.len());
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            c if c == NAME_MARKS[0] => {
                (rest.find(NAME_MARKS[1])).map_or(rest.len(), |at| at + NAME_MARKS[1].len_utf8())
            }
            '`' => rest[1..].find('`').map_or(1, |at| at + 2),
            c => c.len_utf8(),
        };
        let (part, next) = rest.split_at(len);
        rest = next;
        let is_name = c == NAME_MARKS[0] || len > c.len_utf8();
        if !is_name && !catalogue::is_marker(c) {
            hidden.push(c);
            continue;
        }
        match catalogue::marker(names.len()) {
            Some(marker) => {
                hidden.push(marker);
                names.push(Tag::opaque(part.replace(NAME_MARKS, "")));
            }
            // More names than markers: they stay as they are.
            None => hidden.push_str(&part.replace(catalogue::is_marker, "\u{fffd}")),
        }
    }
    (hidden, names)
}

fn show_names(text: &str, names: &[Tag]) -> String {
    let shown = text.chars().map(|c| match tag_of(c, names) {
        Some(name) => name.raw.clone(),
        None => c.to_string(),
    });
    shown.collect()
}

/// Entries of the Spanish catalogue, for its tests: English pattern and Spanish pattern.
///
/// # Errors
/// When a line of the catalogue is wrong; the message names the line.
pub fn check_catalogue() -> Result<usize, String> {
    catalogue::check(SPANISH)
}

#[cfg(test)]
#[path = "words/sentence_tests.rs"]
mod sentence_tests;
