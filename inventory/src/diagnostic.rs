//! A mistake in a data file, and how it is shown.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// One mistake: where it is, what it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// File it is in.
    pub file: PathBuf,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong, one line.
    pub title: String,
    /// What to do about it.
    pub remedy: String,
    snippet: Option<SourceSnippet>,
}

/// The text a mistake is in and the places to mark.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SourceSnippet {
    text: Arc<str>,
    span: Range<usize>,
    label: String,
    related: Option<(Range<usize>, String)>,
}

/// Everything that is wrong with an inventory, all files together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// At least one, in the order of the files and of the places in them.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadError {
    /// All mistakes in the manner of rustc, each with the line it is in.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let rendered: Vec<String> = self
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.render(&renderer))
            .collect();
        rendered.join("\n\n")
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadError {}

impl Diagnostic {
    /// A mistake of a file as a whole: it cannot be read, or is not there.
    pub(crate) fn of_file(file: &Path, title: String, remedy: &str) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: 0,
            column: 0,
            title,
            remedy: remedy.to_owned(),
            snippet: None,
        }
    }

    /// A mistake at a place of a text.
    pub(crate) fn at(file: &Path, text: &Arc<str>, problem: Problem) -> Diagnostic {
        let span = visible(text, problem.span);
        let (line, column) = position(text, span.start);
        Diagnostic {
            file: file.to_owned(),
            line,
            column,
            title: problem.title,
            remedy: problem.remedy,
            snippet: Some(SourceSnippet {
                text: Arc::clone(text),
                span,
                label: problem.label,
                related: problem.related.map(|related| {
                    let (span, label) = *related;
                    (visible(text, span), label)
                }),
            }),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let path = self.file.display().to_string();
        let title = Level::ERROR.primary_title(self.title.as_str());
        let group = match &self.snippet {
            None => Group::with_title(title).element(Origin::path(path)),
            Some(snippet) => title.element(snippet.annotated(path)),
        };
        let group = if self.remedy.is_empty() {
            group
        } else {
            group.element(Level::HELP.message(self.remedy.as_str()))
        };
        renderer.render(&[group])
    }
}

impl SourceSnippet {
    fn annotated(&self, path: String) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let primary = AnnotationKind::Primary.span(self.span.clone());
        let primary = if self.label.is_empty() {
            primary
        } else {
            primary.label(self.label.as_str())
        };
        let snippet = Snippet::source(&*self.text).path(path).annotation(primary);
        match &self.related {
            None => snippet,
            Some((span, label)) => snippet.annotation(
                AnnotationKind::Context
                    .span(span.clone())
                    .label(label.as_str()),
            ),
        }
    }
}

/// A mistake at a place of one text, before the file's name is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub title: String,
    /// What to do about it.
    pub remedy: String,
    /// Short words under the place; may be empty.
    pub label: String,
    /// Another place that has to do with it, and how. Boxed: most mistakes have one place.
    pub related: Option<Box<(Range<usize>, String)>>,
}

impl Problem {
    pub(crate) fn new(
        span: Range<usize>,
        title: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            span,
            title: title.into(),
            remedy: remedy.into(),
            label: String::new(),
            related: None,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    pub(crate) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Problem {
        self.related = Some(Box::new((span, label.into())));
        self
    }
}

/// Text from a file, fit for one line of a terminal: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut line: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        line.push('\u{2026}');
    }
    format!("`{line}`")
}

/// `a`, `b` and `c`, in backticks.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(quoted).collect();
    quoted.join(", ")
}

/// The span on character borders inside the text, cut to its first line: a marked block of twenty lines shows nothing.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    let line_end = text[start..end]
        .find(['\n', '\r'])
        .map_or(end, |offset| start + offset);
    start..line_end
}

/// Line and column of a byte, both from 1, the column in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_the_place_and_the_remedy() {
        let text: Arc<str> = "name: rock\nboard: rök\n".into();
        let start = text.find("rök").unwrap();
        let problem = Problem::new(start..start + 4, "unknown board `rök`", "use `rock`")
            .label("not in the catalogue")
            .related(0..4, "for this host");
        let error = LoadError {
            diagnostics: vec![
                Diagnostic::at(Path::new("fleet.yaml"), &text, problem),
                Diagnostic::of_file(
                    Path::new("x.yaml"),
                    "file is unreadable".into(),
                    "check its owner",
                ),
            ],
        };
        assert_eq!(
            (error.diagnostics[0].line, error.diagnostics[0].column),
            (2, 8)
        );
        assert_eq!(
            error.to_string(),
            "\
error: unknown board `rök`
 --> fleet.yaml:2:8
  |
1 | name: rock
  | ---- for this host
2 | board: rök
  |        ^^^ not in the catalogue
  |
  = help: use `rock`

error: file is unreadable
--> x.yaml
 = help: check its owner"
        );
        assert!(error.render(true).contains("\u{1b}["));
    }

    #[test]
    fn quoted_text_cannot_steer_a_terminal() {
        assert_eq!(quoted("\u{1b}[31mred"), "`\u{fffd}[31mred`");
        assert_eq!(quoted(&"x".repeat(99)).chars().count(), 63);
    }
}
