//! The messages of all languages fit each other and what the code asks for.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bench_locales::Language;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

/// Names of the arguments of each message.
type Messages = BTreeMap<String, BTreeSet<String>>;

/// What [`bench_locales::Text`] itself asks for.
const OWN: [(&str, &[&str]); 5] = [
    ("decimal-mark", &[]),
    ("unknown", &[]),
    ("millions", &["n"]),
    ("billions", &["n"]),
    ("list-end", &["head", "last"]),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files below a folder with one of these endings; build outputs are left out.
fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                files(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

fn messages(language: Language) -> Messages {
    let mut paths = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(language.code());
    files(&folder, &[".ftl"], &mut paths);
    let mut messages = Messages::new();
    for path in paths {
        let source = fs::read_to_string(&path).unwrap();
        let resource = fluent_syntax::parser::parse(source.as_str())
            .unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", path.display()));
        for entry in resource.body {
            let Entry::Message(message) = entry else {
                continue;
            };
            let mut args = BTreeSet::new();
            let value = message.value.expect("a message has a text");
            pattern(&value, &mut args);
            let before = messages.insert(message.id.name.to_owned(), args);
            assert_eq!(before, None, "`{}` is there twice", message.id.name);
        }
    }
    messages
}

fn pattern(it: &Pattern<&str>, args: &mut BTreeSet<String>) {
    for element in &it.elements {
        if let PatternElement::Placeable { expression: it } = element {
            expression(it, args);
        }
    }
}

fn expression(it: &Expression<&str>, args: &mut BTreeSet<String>) {
    match it {
        Expression::Inline(it) => inline(it, args),
        Expression::Select { selector, variants } => {
            inline(selector, args);
            for variant in variants {
                pattern(&variant.value, args);
            }
        }
    }
}

fn inline(it: &InlineExpression<&str>, args: &mut BTreeSet<String>) {
    match it {
        InlineExpression::VariableReference { id } => {
            args.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression: it } => expression(it, args),
        _ => {}
    }
}

/// What templates and code ask for: the message, the names of its arguments, and where.
fn uses() -> Vec<(String, BTreeSet<String>, String)> {
    let mut paths = Vec::new();
    for folder in ["reports", "xtask", "inventory/src"] {
        files(&workspace().join(folder), &[".rs", ".html.j2"], &mut paths);
    }
    let mut uses = Vec::new();
    for path in paths {
        let source = fs::read_to_string(&path).unwrap();
        for before in ["message!(", "say!(", "said!(", "section!(", " t(", "(t("] {
            for (at, _) in source.match_indices(before) {
                let call = &source[at + before.len()..];
                let line = source[..at].lines().count();
                if let Some((id, args)) = call_of(call) {
                    uses.push((id, args, format!("{}:{line}", path.display())));
                }
            }
        }
    }
    uses
}

/// The first text between quotes on the top level of a call, and the names before its `=` signs.
fn call_of(call: &str) -> Option<(String, BTreeSet<String>)> {
    let (mut depth, mut id, mut args) = (0_usize, None, BTreeSet::new());
    let mut word = String::new();
    let mut rest = call.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => {
                let end = call[at + 1..].find('"')? + at + 1;
                if depth == 0 && id.is_none() {
                    id = Some(call[at + 1..end].to_owned());
                }
                while rest.next().is_some_and(|(at, _)| at < end) {}
            }
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            '=' if depth == 0 && !call[at + 1..].starts_with(['=', '>']) => {
                args.insert(word.trim().to_owned());
            }
            ',' => word.clear(),
            c => word.push(c),
        }
    }
    Some((id?, args))
}

#[test]
fn every_language_has_every_message_with_the_same_arguments() {
    let english = messages(Language::ENGLISH);
    for language in Language::all() {
        let other = messages(language);
        for (id, args) in &english {
            assert_eq!(other.get(id), Some(args), "`{id}` in `{}`", language.code());
        }
        for id in other.keys() {
            assert!(english.contains_key(id), "`{id}` is not in English");
        }
    }
}

#[test]
fn every_message_asked_for_exists_and_none_is_unused() {
    let messages = messages(Language::ENGLISH);
    let uses = uses();
    let mut wrong: Vec<String> = (uses.iter())
        .filter(|(id, args, _)| messages.get(id) != Some(args))
        .map(|(id, args, place)| format!("{place} asks for `{id}` with {args:?}"))
        .collect();
    let used: BTreeSet<&str> = uses.iter().map(|(id, ..)| id.as_str()).collect();
    for (id, args) in OWN {
        assert!(messages[id].iter().eq(args));
    }
    let own = OWN.map(|(id, _)| id);
    wrong.extend(
        (messages.keys())
            .filter(|id| !used.contains(id.as_str()) && !own.contains(&id.as_str()))
            .map(|id| format!("nothing asks for `{id}`")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
