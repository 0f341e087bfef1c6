//! Every text that people read is a message with an identifier, in Project Fluent files: one folder per language beside
//! `src`. A further language is a further folder.
//!
//! Owns the languages, the form of figures in each, and the saying of messages. Refuses to guess: a message that a
//! language lacks is said in English, and the tests fail.

#![forbid(unsafe_code)]

mod figure;
mod message;
mod text;

pub use figure::Figure;
pub use message::{Arg, Message};
pub use text::Text;

/// Folders beside `src`: the code of a language, and the text of each of its files.
type Sources = &'static [(&'static str, &'static [&'static str])];

static SOURCES: Sources = include!(concat!(env!("OUT_DIR"), "/languages.rs"));

/// A language that everything is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(&'static str);

impl Language {
    /// What everything is written in first.
    pub const ENGLISH: Language = Language("en");

    /// Every language, English first.
    pub fn all() -> impl Iterator<Item = Language> {
        let others = SOURCES.iter().map(|(code, _)| Language(code));
        std::iter::once(Language::ENGLISH).chain(others.filter(|it| *it != Language::ENGLISH))
    }

    /// Its code after BCP 47, as in `--lang` and in pages.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The language of a code.
    ///
    /// # Errors
    /// When nothing is written in that language; the message names the choices.
    pub fn from_code(code: &str) -> Result<Language, String> {
        Language::all().find(|it| it.0 == code).ok_or_else(|| {
            let codes: Vec<String> = Language::all().map(|it| format!("`{}`", it.0)).collect();
            format!(
                "the language `{code}` is not available; choose one of {}",
                codes.join(", ")
            )
        })
    }
}

impl Default for Language {
    fn default() -> Language {
        Language::ENGLISH
    }
}
