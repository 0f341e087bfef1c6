//! Saying messages in a language.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};

use crate::figure::{self, Form};
use crate::{Arg, Figure, Language, Message, SOURCES, message};

static ENGLISH: LazyLock<Text> = LazyLock::new(|| Text::new(Language::ENGLISH));

/// Messages and figures in one language.
pub struct Text {
    code: String,
    bundle: FluentBundle<FluentResource>,
    decimal_mark: String,
    unknown: String,
    millions: String,
    billions: String,
}

impl Text {
    /// Texts in English, made once.
    pub fn english() -> &'static Text {
        &ENGLISH
    }

    /// Texts in a language.
    pub fn new(language: Language) -> Text {
        let sources = SOURCES.iter().find(|(code, _)| *code == language.code());
        let files = sources.map(|(_, files)| *files).unwrap_or_default();
        Text::of_sources(language.code(), files.iter().copied())
    }

    /// Texts of these Fluent files, as a folder of that name would give them.
    ///
    /// # Panics
    /// When a file is not in the form of Fluent or `code` is not a language code; the tests read every file.
    pub fn of_sources<'a>(code: &str, files: impl Iterator<Item = &'a str>) -> Text {
        let language = code.parse().expect("a language code");
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        // Our pages mark foreign names themselves, and terminals show the marks.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(n) => Some(figure::group(&format!("{:.0}", n.value))),
            _ => None,
        }));
        for file in files {
            let resource = match FluentResource::try_new(file.to_owned()) {
                Ok(resource) => resource,
                Err((_, errors)) => panic!("the texts in `{code}` are not Fluent: {errors:?}"),
            };
            if let Err(errors) = bundle.add_resource(resource) {
                panic!("the texts in `{code}` contradict each other: {errors:?}");
            }
        }
        let mut text = Text {
            code: code.to_owned(),
            bundle,
            decimal_mark: String::new(),
            unknown: String::new(),
            millions: String::new(),
            billions: String::new(),
        };
        text.decimal_mark = text.say(&message!("decimal-mark"));
        text.unknown = text.say(&message!("unknown"));
        text.millions = text.say(&message!("millions", n = "{}"));
        text.billions = text.say(&message!("billions", n = "{}"));
        text
    }

    /// Code of the language after BCP 47.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// A message in this language; in English where this language lacks it, which no test lets through.
    pub fn say(&self, message: &Message) -> String {
        let Some(pattern) = (self.bundle.get_message(&message.id)).and_then(|it| it.value()) else {
            debug_assert!(false, "no message `{}` in `{}`", message.id, self.code);
            return match self.code == Language::ENGLISH.code() {
                true => message.id.to_string(),
                false => Text::english().say(message),
            };
        };
        let mut args = FluentArgs::new();
        for (name, arg) in &message.args {
            args.set(name.as_ref(), self.value(arg));
        }
        let mut errors = Vec::new();
        let said = (self.bundle).format_pattern(pattern, Some(&args), &mut errors);
        debug_assert!(
            errors.is_empty(),
            "message `{}` in `{}`: {}",
            message.id,
            self.code,
            Listed(&errors)
        );
        said.into_owned()
    }

    fn value(&self, arg: &Arg) -> FluentValue<'static> {
        match arg {
            Arg::Count(n) => FluentValue::from(*n),
            arg => FluentValue::from(self.arg(arg)),
        }
    }

    pub(crate) fn arg(&self, arg: &Arg) -> String {
        match arg {
            Arg::Text(text) => text.clone(),
            Arg::Figure(figure) => self.figure(*figure),
            Arg::Count(n) => figure::group(&n.to_string()),
            Arg::Message(message) => self.say(message),
            Arg::List(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.arg(part)).collect();
                self.list(&parts)
            }
        }
    }

    /// Parts as a sentence lists them: `a`, `a and b`, `a, b and c`.
    pub fn list(&self, parts: &[String]) -> String {
        match parts {
            [] => String::new(),
            [only] => only.clone(),
            [head @ .., last] => {
                self.say(&message!("list-end", head = head.join(", "), last = last))
            }
        }
    }

    /// A figure as this language writes it.
    pub fn figure(&self, figure: Figure) -> String {
        let form = Form {
            decimal_mark: &self.decimal_mark,
            unknown: &self.unknown,
            millions: &self.millions,
            billions: &self.billions,
        };
        form.show(figure)
    }

    /// A number that is written with a point, as this language writes it.
    pub fn digits(&self, number: &str) -> String {
        number.replace('.', &self.decimal_mark)
    }

    /// A figure, or the word for one that is not known.
    pub fn figure_or_unknown(&self, figure: Option<Figure>) -> String {
        figure.map_or_else(|| self.unknown.clone(), |figure| self.figure(figure))
    }

    /// The word in the place of a figure that is not known.
    pub fn unknown(&self) -> &str {
        &self.unknown
    }
}

struct Listed<'a>(&'a [FluentError]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.iter().try_for_each(|error| write!(f, "{error}; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_said_with_figures_counts_messages_and_lists() {
        let files = "decimal-mark = ,\nunknown = ?\nmillions = { $n } M\nbillions = { $n } G\n\
            list-end = { $head } y { $last }\n\
            threads = { $n ->\n    [one] un hilo\n   *[other] { $n } hilos\n }\n\
            reads = { $who } lee { $rate } con { $threads }\n";
        let text = Text::of_sources("es", [files].into_iter());
        let message = message!(
            "reads",
            who = vec!["a", "b", "c"],
            rate = Figure::GbPerS(24.1),
            threads = message!("threads", n = 1200_usize),
        );
        assert_eq!(
            text.say(&message),
            "a, b y c lee 24,1 GB/s con 1\u{2009}200 hilos"
        );
        assert_eq!(text.say(&message!("threads", n = 1_usize)), "un hilo");
    }
}
