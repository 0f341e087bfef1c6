//! A text before it is said in a language: an identifier and what stands in its places.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Figure, Text};

/// A text that is not yet said in a language.
///
/// Made with [`message!`](crate::message!). Shown with `{}`, it is said in English.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Name of the message in the files of every language.
    pub id: Cow<'static, str>,
    /// What stands in its places, by name.
    pub args: Vec<(Cow<'static, str>, Arg)>,
}

/// What stands in a place of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// A name, a quotation, anything that is the same in every language.
    Text(String),
    /// A figure, written as the language does it.
    Figure(Figure),
    /// A whole number that decides between singular and plural.
    Count(u64),
    /// Another message.
    Message(Box<Message>),
    /// Parts joined as a sentence lists them: `a, b and c`.
    List(Vec<Arg>),
}

/// A message by its identifier: `message!("host-reads", read = Figure::GbPerS(24.1), host = name)`.
///
/// Arguments are texts, [`Figure`]s, whole numbers, messages, or lists of them.
#[macro_export]
macro_rules! message {
    ($id:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::Message {
            id: ::std::borrow::Cow::Borrowed($id),
            args: ::std::vec![$((
                ::std::borrow::Cow::Borrowed(stringify!($name)),
                $crate::Arg::from($value),
            )),*],
        }
    };
}

/// A message said in the language of a [`Text`]: `say!(page.text, "threads", n = 4)`.
#[macro_export]
macro_rules! say {
    ($text:expr, $id:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $text.say(&$crate::message!($id $(, $name = $value)*))
    };
}

impl Message {
    /// A text that was recorded elsewhere: it is the same in every language.
    pub fn quoted(text: impl Into<String>) -> Message {
        message!("quoted", text = text.into())
    }

    /// Clauses of one sentence: `a; b; c`. `None` where there is none.
    pub fn clauses(parts: Vec<Message>) -> Option<Message> {
        let joined = |rest, first| message!("clauses", first = first, rest = rest);
        parts.into_iter().rev().reduce(joined)
    }

    /// Whole sentences, one behind the other. `None` where there is none.
    pub fn sentences(parts: Vec<Message>) -> Option<Message> {
        let joined = |rest, first| message!("sentences", first = first, rest = rest);
        parts.into_iter().rev().reduce(joined)
    }

    /// The first of its clauses.
    pub fn head(&self) -> &Message {
        match (self.id.as_ref(), self.args.first()) {
            ("clauses", Some((_, Arg::Message(first)))) => first.head(),
            _ => self,
        }
    }

    /// The first number that stands in it.
    pub fn number(&self) -> Option<f64> {
        self.args.iter().find_map(|(_, arg)| match arg {
            Arg::Figure(figure) => Some(figure.value()),
            Arg::Count(n) => Some(*n as f64),
            Arg::Message(message) => message.number(),
            Arg::Text(_) | Arg::List(_) => None,
        })
    }
}

impl Serialize for Message {
    /// Data files are in English.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&Text::english().say(self))
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&Text::english().arg(self))
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Arg {
        Arg::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Arg {
        Arg::Text(text)
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Arg {
        Arg::Text(text.clone())
    }
}

impl From<Cow<'_, str>> for Arg {
    fn from(text: Cow<str>) -> Arg {
        Arg::Text(text.into_owned())
    }
}

impl From<Figure> for Arg {
    fn from(figure: Figure) -> Arg {
        Arg::Figure(figure)
    }
}

impl From<Message> for Arg {
    fn from(message: Message) -> Arg {
        Arg::Message(Box::new(message))
    }
}

impl From<&Message> for Arg {
    fn from(message: &Message) -> Arg {
        Arg::Message(Box::new(message.clone()))
    }
}

impl<T: Into<Arg>> From<Vec<T>> for Arg {
    fn from(parts: Vec<T>) -> Arg {
        Arg::List(parts.into_iter().map(Into::into).collect())
    }
}

macro_rules! counts {
    ($($number:ty)*) => {$(
        impl From<$number> for Arg {
            fn from(n: $number) -> Arg {
                Arg::Count(n as u64)
            }
        }
    )*};
}
counts!(u16 u32 u64 usize);
