//! A YAML text as a tree in which every node knows its place.
//!
//! Owns what is refused before any meaning is looked at: syntax errors, duplicate keys, anchors, tags, several
//! documents, deep nesting.
//! Refuses to give scalars a type: `yaml` does that, with the reader that also reads the typed data.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::diagnostic::{Problem, quoted};

/// Deeper than any file kind needs; keeps hostile files from exhausting the stack.
const NESTING_LIMIT: usize = 16;

/// A node and the bytes it takes in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub span: Range<usize>,
    pub kind: NodeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    /// A single value; `plain` when it stands without quotes, so that `4` is a number.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Written wrongly, or missing although it must be there: `check` puts it, no text holds it.
    Unusable,
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

impl Node {
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            NodeKind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Where a mistake about the node as a whole is marked: a map's first key, else all of it.
    pub(crate) fn head(&self) -> Range<usize> {
        self.entries()
            .first()
            .map_or_else(|| self.span.clone(), |entry| entry.key_span.clone())
    }
}

/// Parses one document. Mistakes that do not hide the rest (duplicate keys) come with the tree, others without.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: NESTING_LIMIT,
        block_nesting_limit: NESTING_LIMIT,
        disallow_directives: true,
    };
    let mut builder = Builder {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        path: Vec::new(),
        duplicates: Vec::new(),
    };
    match builder.document() {
        Ok(node) => (Some(node), builder.duplicates),
        Err(fatal) => {
            let mut problems = builder.duplicates;
            problems.push(fatal);
            (None, problems)
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    /// Keys that lead to where the parser is.
    path: Vec<String>,
    duplicates: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Problem::new(
                        self.bytes(span),
                        "the file holds a second document",
                        "remove the `---` line and what follows, or move it to a file of its own",
                    ));
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span)?);
                }
                _ => return Err(self.unexpected(span)),
            }
        }
        root.ok_or_else(|| {
            Problem::new(
                0..0,
                "the file is empty",
                "write the keys that its JSON Schema lists, or delete the file",
            )
        })
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span)?;
                let kind = NodeKind::Scalar {
                    text: text.into_owned(),
                    plain: matches!(style, ScalarStyle::Plain),
                };
                let span = self.bytes(span);
                Ok(Node { span, kind })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span)?;
                self.list(span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span)?;
                self.map(span)
            }
            Event::Alias(_) => Err(no_anchors(self.bytes(span))),
            _ => Err(self.unexpected(span)),
        }
    }

    fn list(&mut self, start: Span) -> Result<Node, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let span = self.between(start, span);
                let kind = NodeKind::List(items);
                return Ok(Node { span, kind });
            }
            items.push(self.node(event, span)?);
        }
    }

    fn map(&mut self, start: Span) -> Result<Node, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_spans: BTreeMap<String, Range<usize>> = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let span = self.between(start, span);
                let kind = NodeKind::Map(entries);
                return Ok(Node { span, kind });
            }
            let key = self.node(event, span)?;
            let NodeKind::Scalar { text, .. } = key.kind else {
                return Err(Problem::new(
                    key.span,
                    "a key is a list or a map",
                    "write a plain word before the colon",
                ));
            };
            let (event, span) = self.next()?;
            self.path.push(text.clone());
            let value = self.node(event, span)?;
            self.path.pop();
            if let Some(first) = first_spans.get(&text) {
                let duplicate = self.duplicate(&text, key.span, first.clone());
                self.duplicates.push(duplicate);
                continue;
            }
            first_spans.insert(text.clone(), key.span.clone());
            entries.push(Entry {
                key: text,
                key_span: key.span,
                value,
            });
        }
    }

    fn duplicate(&self, key: &str, again: Range<usize>, first: Range<usize>) -> Problem {
        let title = match self.path.last() {
            Some(parent) => format!("{} stands twice in {}", quoted(key), quoted(parent)),
            None => format!("key {} stands twice", quoted(key)),
        };
        let remedy = "remove one of the two, or give it a name of its own";
        Problem::new(again, title, remedy)
            .label("again here")
            .related(first, "first here")
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let start = self.byte(*error.marker());
                Err(Problem::new(
                    start..start + 1,
                    format!("no valid YAML: {}", error.info()),
                    syntax_remedy(self.text, start),
                ))
            }
            None => {
                let end = self.text.len();
                Err(Problem::new(
                    end..end,
                    "no valid YAML: the text ends early",
                    "",
                ))
            }
        }
    }

    fn refuse_properties(&self, anchor: usize, has_tag: bool, span: Span) -> Result<(), Problem> {
        if anchor > 0 {
            return Err(no_anchors(self.bytes(span)));
        }
        if has_tag {
            return Err(Problem::new(
                self.bytes(span),
                "YAML tags (`!`) are not supported here",
                "remove the tag; the type follows from the key",
            ));
        }
        Ok(())
    }

    fn unexpected(&self, span: Span) -> Problem {
        Problem::new(
            self.bytes(span),
            "no valid YAML: a value is expected here",
            "",
        )
    }

    fn between(&self, start: Span, end: Span) -> Range<usize> {
        let start = self.byte(start.start);
        start..self.byte(end.end).max(start)
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        self.between(span, span)
    }

    fn byte(&self, marker: Marker) -> usize {
        marker.byte_offset().unwrap_or_else(|| {
            self.text
                .char_indices()
                .nth(marker.index())
                .map_or(self.text.len(), |(byte, _)| byte)
        })
    }
}

fn no_anchors(span: Range<usize>) -> Problem {
    Problem::new(
        span,
        "YAML anchors and aliases (`&`, `*`) are not supported here",
        "write the value out",
    )
}

/// YAML's own messages name a rule; people mostly made one of a few slips.
fn syntax_remedy(text: &str, byte: usize) -> &'static str {
    let byte = text.floor_char_boundary(byte.min(text.len()));
    let line_start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let mut lines = text[line_start..].lines();
    let line = lines.next().unwrap_or("");
    // A tab at the start of the next line makes it look like more of this one.
    let is_indented_by_tab = |line: &str| {
        let content = line.trim_start();
        line[..line.len() - content.len()].contains('\t')
    };
    if is_indented_by_tab(line) || lines.next().is_some_and(is_indented_by_tab) {
        "indent with spaces: YAML forbids tabs"
    } else if line.matches(": ").count() > 1 {
        "put text that holds `: ` in double quotes"
    } else {
        "check the indentation and the quotes of this line and of the one before"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_place() {
        let text = "a:\n  - x\n  - {b: 'ü', c: 4}\n";
        let (node, problems) = parse(text);
        assert!(problems.is_empty(), "{problems:?}");
        let node = node.unwrap();
        let list = &node.entry("a").unwrap().value;
        assert_eq!(&text[list.items()[0].span.clone()], "x");
        let map = &list.items()[1];
        assert_eq!(&text[map.entry("b").unwrap().value.span.clone()], "'ü'");
        assert_eq!(&text[map.entry("c").unwrap().key_span.clone()], "c");
        assert_eq!(&text[map.entry("c").unwrap().value.span.clone()], "4");
    }

    #[test]
    fn duplicate_keys_leave_the_tree() {
        let (node, problems) = parse("a: 1\nb: 2\na: 3\n");
        assert_eq!(node.unwrap().entries().len(), 2);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].span, 10..11);
        assert_eq!(problems[0].related.as_ref().unwrap().0, 0..1);
    }

    #[test]
    fn refuses_what_no_file_needs() {
        for text in [
            "",
            "# only a comment\n",
            "a: &x 1\n",
            "a: *x\n",
            "a: !tag 1\n",
            "a: 1\n---\nb: 2\n",
            "? [1, 2]\n: 3\n",
            "%YAML 1.2\n---\na: 1\n",
            "a:\n\tb: 1\n",
        ] {
            let (node, problems) = parse(text);
            assert_eq!(node, None, "{text:?}");
            assert_eq!(problems.len(), 1, "{text:?}");
        }
        let (node, problems) = parse(&"[".repeat(100_000));
        assert_eq!((node, problems.len()), (None, 1));
    }
}
