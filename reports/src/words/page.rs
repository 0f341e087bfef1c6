//! A finished page in another language: its texts and the attributes that people read or hear.
//!
//! A sentence with `<b>` or `<code>` in it stays whole. What carries another `lang`, `translate="no"` or `<bdi>` stays
//! as it is, like programs, styles and drawings, which the chart kit has said already. Reads what our own templates
//! write, not any HTML.

use std::collections::BTreeSet;

use super::catalogue::{self, Tag};
use super::{CHOICE_MARKS, Language, NAME_MARKS, Words};
use crate::svg;

/// Elements inside a sentence; every other one ends it.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "em", "i", "mark", "span", "strong", "sub", "sup", "time",
];
/// Elements inside a sentence whose content stays as it is.
const INLINE_AS_IT_IS: &[&str] = &["bdi", "code", "kbd", "samp", "var"];
/// Elements whose content stays as it is.
const AS_IT_IS: &[&str] = &["pre", "script", "style", "svg"];
/// Elements without an end.
const VOID: &[&str] = &["br", "col", "hr", "img", "input", "link", "meta", "wbr"];
/// Attributes that people read or hear.
const SPOKEN: &[&str] = &[
    "alt",
    "aria-label",
    "aria-description",
    "data-label",
    "data-text",
    "data-title",
    "placeholder",
    "title",
];
/// Before what a chart could not say; see [`missing_note`].
const MISSING: &str = "<!--missing:";

/// Where a page lies: links to files that exist once only need another path from a translated page.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Path of the page below the first page's folder: `hosts/rock.html`.
    pub(crate) path: &'a str,
    /// Paths of all pages, each of which exists in every language.
    pub(crate) pages: &'a BTreeSet<String>,
}

/// What the chart kit leaves beside a drawing for the list of missing words.
pub(crate) fn missing_note(missing: &BTreeSet<String>) -> String {
    let notes = missing.iter();
    notes
        .map(|text| format!("{MISSING}{}-->", svg::escape(text).replace("--", "- -")))
        .collect()
}

impl Words {
    /// A finished page in this language. `place` is needed for pages of a report; a page of its own has none.
    pub(crate) fn page(&self, html: &str, place: Option<&Place>) -> String {
        let chosen = choose(html, self.language());
        match self.language() {
            Language::English => without_notes(&chosen, |_| {}).replace(NAME_MARKS, ""),
            Language::Spanish => {
                let html = without_notes(&chosen, |text| self.remember_missing(&decode(text)));
                let mut pass = Pass {
                    words: self,
                    place,
                    out: String::with_capacity(html.len() + html.len() / 8),
                    segment: Segment::default(),
                    in_name: false,
                };
                pass.run(&html);
                pass.out.replace(NAME_MARKS, "")
            }
        }
    }
}

/// Keeps the parts of one language where a page has both.
fn choose(html: &str, language: Language) -> String {
    let [first, second, end] = CHOICE_MARKS;
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(first) {
        let Some((english, after)) = after.split_once(second) else {
            break;
        };
        let Some((spanish, after)) = after.split_once(end) else {
            break;
        };
        out.push_str(before);
        out.push_str(match language {
            Language::English => english,
            Language::Spanish => spanish,
        });
        rest = after;
    }
    out + rest
}

fn without_notes(html: &str, mut note: impl FnMut(&str)) -> String {
    let mut parts = html.split(MISSING);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (text, rest) = part.split_once("-->").unwrap_or(("", part));
        note(text);
        out.push_str(rest);
    }
    out
}

/// What a page consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// Text with its entities.
    Text(&'a str),
    /// A tag from `<` to `>`.
    Tag(&'a str),
    /// A comment or the document type.
    Other(&'a str),
}

/// The next token and the rest; nothing at the end.
fn next_token(html: &str) -> Option<(Token<'_>, &str)> {
    if html.is_empty() {
        return None;
    }
    if !html.starts_with('<') {
        let (text, rest) = html.split_at(html.find('<').unwrap_or(html.len()));
        return Some((Token::Text(text), rest));
    }
    if html.starts_with("<!") {
        let close = if html.starts_with("<!--") { "-->" } else { ">" };
        let end = html.find(close).map_or(html.len(), |at| at + close.len());
        let (other, rest) = html.split_at(end);
        return Some((Token::Other(other), rest));
    }
    if !html[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
        let end = html[1..].find('<').map_or(html.len(), |at| at + 1);
        let (text, rest) = html.split_at(end);
        return Some((Token::Text(text), rest));
    }
    let mut quoted = false;
    let mut end = html.len();
    for (at, c) in html.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => {
                end = at + 1;
                break;
            }
            _ => {}
        }
    }
    let (tag, rest) = html.split_at(end);
    Some((Token::Tag(tag), rest))
}

/// Name of a tag; with its slash for a closing one.
fn tag_name(tag: &str) -> String {
    let inner = tag.trim_start_matches('<').trim_end_matches(['>', '/']);
    let end = inner.find(char::is_whitespace).unwrap_or(inner.len());
    inner[..end].to_ascii_lowercase()
}

/// Value of an attribute as it is written.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

fn with_attribute(tag: &str, name: &str, value: &str) -> String {
    let start = format!(" {name}=\"");
    let Some((before, rest)) = tag.split_once(&start) else {
        return tag.to_owned();
    };
    let (_, after) = rest.split_once('"').unwrap_or(("", rest));
    format!("{before}{start}{value}\"{after}")
}

/// How long an element that starts `html` is, to the end of its closing tag.
fn element_len(html: &str, name: &str) -> usize {
    let mut depth = 0_usize;
    let mut rest = html;
    while let Some((token, next)) = next_token(rest) {
        if let Token::Tag(tag) = token {
            let found = tag_name(tag);
            if found == name {
                depth += 1;
            } else if found.strip_prefix('/') == Some(name) {
                depth = depth.saturating_sub(1);
            }
        }
        rest = next;
        if depth == 0 {
            break;
        }
    }
    html.len() - rest.len()
}

/// The sentence being collected: its text with markers for tags.
#[derive(Default)]
struct Segment {
    text: String,
    tags: Vec<Tag>,
    /// As it stands in the page.
    raw: String,
}

struct Pass<'a> {
    words: &'a Words,
    place: Option<&'a Place<'a>>,
    out: String,
    segment: Segment,
    /// Inside a marked name that goes on behind a tag.
    in_name: bool,
}

impl Pass<'_> {
    fn run(&mut self, html: &str) {
        let mut rest = html;
        while let Some((token, next)) = next_token(rest) {
            match token {
                Token::Text(text) => {
                    self.text(text);
                    rest = next;
                }
                Token::Other(other) => {
                    self.end_segment();
                    self.out.push_str(other);
                    rest = next;
                }
                Token::Tag(tag) => rest = self.tag(tag, rest, next),
            }
        }
        self.end_segment();
    }

    /// A tag at the start of `here`, with `next` behind it; returns where to go on.
    fn tag<'h>(&mut self, tag: &'h str, here: &'h str, next: &'h str) -> &'h str {
        let name = tag_name(tag);
        let is_opening = !name.starts_with('/') && !VOID.contains(&name.as_str());
        let marked = name != "html"
            && is_opening
            && (attribute(tag, "lang").is_some() || attribute(tag, "translate") == Some("no"));
        let stays = marked || AS_IT_IS.contains(&name.as_str());
        let stays_inline = INLINE_AS_IT_IS.contains(&name.as_str());
        if is_opening && (stays || stays_inline) {
            let (element, after) = here.split_at(element_len(here, &name));
            // Where a link leads is not a matter of language.
            let element = self.spoken(tag, &name) + &element[tag.len()..];
            if stays_inline || INLINE.contains(&name.as_str()) {
                self.push_tag(element, String::new());
            } else {
                self.end_segment();
                self.out.push_str(&element);
            }
            return after;
        }
        let bare = name.trim_start_matches('/');
        let tag = self.spoken(tag, &name);
        if INLINE.contains(&bare) {
            self.push_tag(tag, name);
        } else {
            self.end_segment();
            self.out.push_str(&tag);
        }
        next
    }

    /// A tag with its attributes in the page's language and its link from the page's place.
    fn spoken(&self, tag: &str, name: &str) -> String {
        let mut tag = tag.to_owned();
        if name == "html" {
            return with_attribute(&tag, "lang", self.words.language().code());
        }
        let own = attribute(&tag, "lang").is_some() || attribute(&tag, "translate") == Some("no");
        for spoken in SPOKEN {
            if own {
                break;
            }
            if let Some(text) = attribute(&tag, spoken) {
                let said = self.words.say(&decode(text));
                tag = with_attribute(&tag, spoken, &svg::escape(&said));
            }
        }
        for link in ["href", "src"] {
            let Some(place) = self.place else { break };
            // The link to the same page in another language knows its way.
            if attribute(&tag, "hreflang").is_some() {
                break;
            }
            if let Some(to) = attribute(&tag, link).and_then(|to| once_only(to, place)) {
                tag = with_attribute(&tag, link, &to);
            }
        }
        tag
    }

    fn text(&mut self, raw: &str) {
        self.segment.raw.push_str(raw);
        let decoded = decode(raw);
        let mut rest = decoded.as_str();
        let mut in_word = false;
        while let Some(c) = rest.chars().next() {
            if self.in_name || c == NAME_MARKS[0] {
                let end = rest.find(NAME_MARKS[1]);
                // A name may hold code, which is a tag by now.
                self.in_name = end.is_none();
                let (name, next) = rest.split_at(end.unwrap_or(rest.len()));
                self.push_piece(
                    svg::escape(name.trim_start_matches(NAME_MARKS[0])),
                    String::new(),
                );
                rest = next.trim_start_matches(NAME_MARKS[1]);
                continue;
            }
            if !in_word && let Some((quote, is_english)) = self.words.quotes.at_start(rest) {
                let escaped = svg::escape(quote);
                let piece = match is_english {
                    true => format!("<span lang=\"en\">{escaped}</span>"),
                    false => escaped,
                };
                self.push_piece(piece, String::new());
                rest = &rest[quote.len()..];
                continue;
            }
            in_word = c.is_alphanumeric();
            match catalogue::is_marker(c) {
                true => self.push_piece(c.to_string(), String::new()),
                false => self.segment.text.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
    }

    fn push_tag(&mut self, raw: String, name: String) {
        self.segment.raw.push_str(&raw);
        self.push_piece(raw, name);
    }

    fn push_piece(&mut self, raw: String, name: String) {
        // With more tags than markers the last ones share one, and the sentence stays as it is.
        if let Some(marker) = catalogue::marker(self.segment.tags.len()) {
            self.segment.text.push(marker);
        }
        self.segment.tags.push(Tag { raw, name });
    }

    fn end_segment(&mut self) {
        let segment = std::mem::take(&mut self.segment);
        if catalogue::marker(segment.tags.len()).is_none() {
            self.out.push_str(&segment.raw);
            return;
        }
        let is_space = |c: char| c.is_ascii_whitespace();
        let body = segment.text.trim_matches(is_space);
        if body.is_empty() {
            self.out.push_str(&segment.raw);
            return;
        }
        let (before, rest) = segment
            .text
            .split_at(segment.text.len() - segment.text.trim_start_matches(is_space).len());
        let after = &rest[body.len()..];
        let one_line = one_spaced(body);
        let said = self.words.say_segment(&one_line, &segment.tags);
        self.out.push_str(before);
        for c in said.chars() {
            match super::tag_of(c, &segment.tags) {
                Some(tag) => self.out.push_str(&tag.raw),
                None => escape_into(&mut self.out, c),
            }
        }
        self.out.push_str(after);
    }
}

/// One space for every run of spaces and line ends.
fn one_spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_whitespace() {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out
}

/// The link from a translated page to a file that exists once only; nothing where it needs no change.
fn once_only(link: &str, place: &Place) -> Option<String> {
    let link = decode(link);
    let is_local = !link.is_empty() && !link.starts_with(['#', '/']) && !link.contains(':');
    if !is_local {
        return None;
    }
    let (file, _) = link.split_once('#').unwrap_or((&link, ""));
    let mut folders: Vec<&str> = place.path.split('/').collect();
    folders.pop();
    for step in file.split('/') {
        match step {
            ".." if !folders.is_empty() => {
                folders.pop();
            }
            "." => {}
            step => folders.push(step),
        }
    }
    let target = folders.join("/");
    (!place.pages.contains(&target)).then(|| svg::escape(&format!("../{link}")))
}

/// Text of a page without entities.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|end| *end <= 8) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let known = match &rest[1..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "nbsp" => Some('\u{a0}'),
            code => match code.strip_prefix('#') {
                Some(number) => match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => number.parse().ok(),
                }
                .and_then(char::from_u32),
                None => None,
            },
        };
        match known {
            Some(c) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn escape_into(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
