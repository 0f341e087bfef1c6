//! Sentence patterns: parsing the catalogue, finding the pattern of a sentence, filling in the other language.

use std::collections::{BTreeMap, HashMap};

use super::number;

/// First of the characters that stand for tags: private use, which no sentence of a report holds.
const FIRST_MARKER: u32 = 0xe000;
const N_MARKERS: u32 = 0x1900;

/// Which pieces of a text were tags or names.
pub(super) fn is_marker(c: char) -> bool {
    (FIRST_MARKER..FIRST_MARKER + N_MARKERS).contains(&u32::from(c))
}

/// The marker of the tag of this index, as long as there are markers.
pub(super) fn marker(index: usize) -> Option<char> {
    let index = u32::try_from(index).ok().filter(|i| *i < N_MARKERS)?;
    char::from_u32(FIRST_MARKER + index)
}

/// The index of a marker.
pub(super) fn marker_index(c: char) -> Option<usize> {
    is_marker(c).then(|| (u32::from(c) - FIRST_MARKER) as usize)
}

/// A tag inside a segment, or a piece that stays as it is.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    /// As it stands in the page.
    pub(super) raw: String,
    /// `b` or `/b`; empty for a piece that stays as it is.
    pub(super) name: String,
}

impl Tag {
    /// A piece that stays as it is.
    pub(super) fn opaque(raw: String) -> Tag {
        Tag {
            raw,
            name: String::new(),
        }
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// These words.
    Literal(String),
    /// A tag without its attributes: `b`, `/b`.
    Tag(String),
    /// Something that differs.
    Hole(Kind, String),
}

/// What a hole takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A number with its unit, if it has one; gets a decimal comma.
    Number,
    /// Words that the catalogue must know, too.
    Text,
    /// Words that stay as they are.
    Quote,
    /// One word that stays as it is.
    Word,
}

#[derive(Debug)]
struct Pattern {
    english: Vec<Part>,
    spanish: Vec<Part>,
    /// Letters that are no holes: a pattern with more of them is tried first.
    weight: usize,
}

/// All patterns of a language.
pub(super) struct Catalogue {
    /// Sentences without holes.
    exact: HashMap<String, String>,
    patterns: Vec<Pattern>,
    /// Patterns by a word that they need, heaviest first.
    by_word: HashMap<String, Vec<usize>>,
    /// Patterns without any whole word.
    others: Vec<usize>,
}

/// One captured piece.
#[derive(Clone)]
struct Capture<'a> {
    hole: &'a str,
    kind: Kind,
    text: &'a str,
}

impl Catalogue {
    /// Reads a catalogue; a line that is wrong is left out, [`check`] finds it.
    pub(super) fn parse(source: &str) -> Catalogue {
        let mut catalogue = Catalogue {
            exact: HashMap::new(),
            patterns: Vec::new(),
            by_word: HashMap::new(),
            others: Vec::new(),
        };
        for entry in entries(source).into_iter().flatten() {
            let english = parts_of(entry.english);
            if let [Part::Literal(text)] = english.as_slice() {
                let spanish = entry.spanish.to_owned();
                catalogue.exact.entry(text.clone()).or_insert(spanish);
                continue;
            }
            let weight = english.iter().map(Part::weight).sum();
            catalogue.patterns.push(Pattern {
                spanish: parts_of(entry.spanish),
                english,
                weight,
            });
        }
        // Heaviest first; of equals the one that stands first in the file.
        catalogue
            .patterns
            .sort_by_key(|pattern| std::cmp::Reverse(pattern.weight));
        for (i, pattern) in catalogue.patterns.iter().enumerate() {
            match pattern.key() {
                Some(word) => catalogue.by_word.entry(word).or_default().push(i),
                None => catalogue.others.push(i),
            }
        }
        catalogue
    }

    /// The Spanish of a text; `of_part` translates what holes took.
    pub(super) fn find(
        &self,
        text: &str,
        tags: &[Tag],
        of_part: &dyn Fn(&str) -> Option<String>,
    ) -> Option<String> {
        if let Some(exact) = self.exact.get(text) {
            return Some(exact.clone());
        }
        let mut candidates: Vec<usize> = words(text)
            .filter_map(|word| self.by_word.get(word))
            .flatten()
            .chain(&self.others)
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates.into_iter().find_map(|i| {
            let pattern = &self.patterns[i];
            let mut captures = Vec::new();
            let mut found_tags = Vec::new();
            let finish = |captures: &[Capture], found: &[(String, char)]| {
                pattern.fill(captures, found, of_part)
            };
            take(
                &pattern.english,
                text,
                tags,
                &mut captures,
                &mut found_tags,
                &finish,
            )
        })
    }
}

impl Pattern {
    /// A word that every text of this pattern has: the longest one.
    fn key(&self) -> Option<String> {
        let mut keys = Vec::new();
        let n = self.english.len();
        for (i, part) in self.english.iter().enumerate() {
            let Part::Literal(text) = part else { continue };
            // A word beside a hole may go on in it.
            let mut inner = text.as_str();
            if i > 0 {
                inner = inner.trim_start_matches(char::is_alphanumeric);
            }
            if i + 1 < n {
                inner = inner.trim_end_matches(char::is_alphanumeric);
            }
            keys.extend(words(inner).map(str::to_owned));
        }
        keys.into_iter().max_by_key(String::len)
    }

    fn fill(
        &self,
        captures: &[Capture],
        found: &[(String, char)],
        of_part: &dyn Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let mut said: BTreeMap<&str, String> = BTreeMap::new();
        for capture in captures {
            let text = match capture.kind {
                Kind::Number => number::localise(capture.text),
                Kind::Text => of_part(capture.text)?,
                // A sentence of ours that stands where a name might stand.
                Kind::Quote if is_prose(capture.text) => {
                    of_part(capture.text).unwrap_or_else(|| capture.text.to_owned())
                }
                Kind::Quote | Kind::Word => capture.text.to_owned(),
            };
            said.insert(capture.hole, text);
        }
        let mut left: Vec<&(String, char)> = found.iter().collect();
        let mut out = String::new();
        for part in &self.spanish {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Hole(_, name) => out.push_str(said.get(name.as_str())?),
                Part::Tag(name) => {
                    let at = left.iter().position(|(found, _)| found == name)?;
                    out.push(left.remove(at).1);
                }
            }
        }
        Some(out)
    }
}

impl Part {
    fn weight(&self) -> usize {
        match self {
            // A number is more particular than any words.
            Part::Hole(Kind::Number, _) => 1,
            Part::Literal(text) => 2 * text.chars().filter(|c| c.is_alphanumeric()).count(),
            Part::Tag(_) => 2,
            Part::Hole(..) => 0,
        }
    }
}

type Finish<'f> = dyn Fn(&[Capture], &[(String, char)]) -> Option<String> + 'f;

/// Matches a text against the parts that are left, to its end.
fn take<'a>(
    parts: &'a [Part],
    text: &'a str,
    tags: &[Tag],
    captures: &mut Vec<Capture<'a>>,
    found: &mut Vec<(String, char)>,
    finish: &Finish,
) -> Option<String> {
    let Some((part, rest)) = parts.split_first() else {
        return match text.is_empty() {
            true => finish(captures, found),
            false => None,
        };
    };
    match part {
        Part::Literal(words) => {
            let text = text.strip_prefix(words.as_str())?;
            take(rest, text, tags, captures, found, finish)
        }
        Part::Tag(name) => {
            let c = text.chars().next()?;
            let tag = tags.get(marker_index(c)?)?;
            if tag.name != *name {
                return None;
            }
            found.push((name.clone(), c));
            let said = take(rest, &text[c.len_utf8()..], tags, captures, found, finish);
            found.pop();
            said
        }
        Part::Hole(kind, hole) => ends(*kind, text, rest).into_iter().find_map(|end| {
            let (taken, after) = text.split_at(end);
            // A tag that begins or ends in a hole would end up somewhere else.
            let of_tag = |c: char| {
                marker_index(c)
                    .and_then(|i| tags.get(i))
                    .is_some_and(|tag| !tag.name.is_empty())
            };
            if taken.contains(of_tag) {
                return None;
            }
            captures.push(Capture {
                hole,
                kind: *kind,
                text: taken,
            });
            let said = take(rest, after, tags, captures, found, finish);
            captures.pop();
            said
        }),
    }
}

/// Where a hole at the start of a text may end, given what must follow.
fn ends(kind: Kind, text: &str, rest: &[Part]) -> Vec<usize> {
    match kind {
        Kind::Number => number::ends(text),
        Kind::Text | Kind::Quote | Kind::Word => {
            let limit = match kind {
                Kind::Word => text.find(char::is_whitespace).unwrap_or(text.len()),
                _ => text.len(),
            };
            match rest.first() {
                None => vec![text.len()],
                Some(Part::Literal(next)) => (text.match_indices(next.as_str()))
                    .map(|(at, _)| at)
                    .collect(),
                Some(_) => text.char_indices().map(|(at, _)| at).collect(),
            }
            .into_iter()
            .filter(|at| (1..=limit).contains(at))
            // Words that stay as they are end with their sentence at the latest.
            .filter(|at| kind != Kind::Quote || !text[..*at].contains(". "))
            .collect()
        }
    }
}

/// Whether a text has several words; names from outside are markers by now, or stand alone.
fn is_prose(text: &str) -> bool {
    text.trim().contains(' ') && number::has_words(text)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

struct Entry<'a> {
    line: usize,
    english: &'a str,
    spanish: &'a str,
}

/// Entries of a catalogue, or what is wrong with a line.
fn entries(source: &str) -> Vec<Result<Entry<'_>, String>> {
    let mut entries = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (i, text) in source.lines().enumerate() {
        let line = i + 1;
        if text.starts_with('#') || text.trim().is_empty() {
            continue;
        }
        let unpaired = |(line, english): (usize, &str)| {
            Err(format!("line {line}: `{english}` has no Spanish line"))
        };
        match (text.get(..2), text.get(2..)) {
            (Some("> "), Some(english)) => {
                entries.extend(open.replace((line, english)).map(unpaired));
            }
            (Some("< "), Some(spanish)) => match open.take() {
                Some((line, english)) => entries.push(Ok(Entry {
                    line,
                    english,
                    spanish,
                })),
                None => entries.push(Err(format!("line {line}: no English line before it"))),
            },
            (Some("= "), Some(same)) => {
                entries.extend(open.take().map(unpaired));
                entries.push(Ok(Entry {
                    line,
                    english: same,
                    spanish: same,
                }));
            }
            _ => entries.push(Err(format!(
                "line {line}: begins with none of `> `, `< `, `= ` and `#`"
            ))),
        }
    }
    entries
}

fn parts_of(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    let mut literal = String::new();
    let close = |literal: &mut String, parts: &mut Vec<Part>| {
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(literal)));
        }
    };
    while let Some(c) = rest.chars().next() {
        let special = match c {
            '{' => rest.find('}').and_then(|end| hole(&rest[1..end], end + 1)),
            '<' => rest.find('>').and_then(|end| tag(&rest[1..end], end + 1)),
            _ => None,
        };
        match special {
            Some((part, len)) => {
                close(&mut literal, &mut parts);
                parts.push(part);
                rest = &rest[len..];
            }
            None => {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    close(&mut literal, &mut parts);
    parts
}

fn hole(name: &str, len: usize) -> Option<(Part, usize)> {
    let kind = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "n" => Kind::Number,
        "t" => Kind::Text,
        "q" => Kind::Quote,
        "w" => Kind::Word,
        _ => return None,
    };
    Some((Part::Hole(kind, name.to_owned()), len))
}

fn tag(name: &str, len: usize) -> Option<(Part, usize)> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let is_name = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_lowercase());
    is_name.then(|| (Part::Tag(name.to_owned()), len))
}

/// Checks every line of a catalogue; returns the number of entries.
pub(super) fn check(source: &str) -> Result<usize, String> {
    let mut problems = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let entries = entries(source);
    let n = entries.len();
    for entry in entries {
        let Entry {
            line,
            english,
            spanish,
        } = match entry {
            Ok(entry) => entry,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if english.trim() != english || spanish.trim() != spanish || spanish.is_empty() {
            problems.push(format!("line {line}: spaces at an end, or nothing at all"));
        }
        let holes = |pattern: &str| {
            let mut found: Vec<String> = (parts_of(pattern).into_iter())
                .filter_map(|part| match part {
                    Part::Hole(_, name) => Some(format!("{{{name}}}")),
                    Part::Tag(name) => Some(format!("<{name}>")),
                    Part::Literal(_) => None,
                })
                .collect();
            found.sort();
            found
        };
        let (in_english, in_spanish) = (holes(english), holes(spanish));
        if in_english != in_spanish {
            problems.push(format!(
                "line {line}: {in_english:?} in English, {in_spanish:?} in Spanish"
            ));
        }
        if in_english
            .windows(2)
            .any(|two| two[0] == two[1] && two[0].starts_with('{'))
        {
            problems.push(format!("line {line}: two holes have one name; number them"));
        }
        if let Some(first) = seen.insert(english, line) {
            problems.push(format!(
                "line {line}: `{english}` stands in line {first}, too"
            ));
        }
    }
    match problems.is_empty() {
        true => Ok(n),
        false => Err(problems.join("\n")),
    }
}
