//! What schemas ask for and what nodes are, in the words of a message.

use std::ops::Range;

use serde_json::Value;

use super::Place;
use crate::diagnostic::quoted;
use crate::tree::{Node, NodeKind};
use crate::yaml::{Scalar, scalar};

/// The words an enumeration allows.
pub(super) fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter_map(Value::as_str).collect());
    }
    let options = schema.get("oneOf")?.as_array()?;
    let mut all = Vec::new();
    for option in options {
        match option.get("const").and_then(Value::as_str) {
            Some(word) => all.push(word),
            None => all.extend(
                option
                    .get("enum")?
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_str),
            ),
        }
    }
    Some(all)
}

/// What a schema asks for, in words: one or several alternatives.
fn expectations(schema: &Value) -> Vec<String> {
    if let Some(choices) = choices(schema) {
        return choices.into_iter().map(quoted).collect();
    }
    let expected = match schema.get("type").and_then(Value::as_str) {
        Some("integer") => match schema.get("minimum").and_then(Value::as_i64) {
            Some(min) => format!("a whole number from {min}"),
            None => "a whole number".to_owned(),
        },
        Some("number") => "a number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a map of keys and values".to_owned(),
        _ => "text".to_owned(),
    };
    vec![expected]
}

/// `a`, `a or b`, `a, b or c`: what any of the schemas allows.
pub(super) fn alternatives(schemas: &[Value]) -> String {
    let mut expected: Vec<String> = schemas.iter().flat_map(expectations).collect();
    let last = expected.pop().unwrap_or_default();
    match expected.is_empty() {
        true => last,
        false => format!("{} or {last}", expected.join(", ")),
    }
}

pub(super) fn scalar_of(node: &Node) -> Option<Scalar> {
    match &node.kind {
        NodeKind::Scalar { text, plain } => Some(scalar(text, *plain)),
        _ => None,
    }
}

pub(super) fn is_null(node: &Node) -> bool {
    scalar_of(node) == Some(Scalar::Null)
}

/// A key without a value has no place of its own: its key is marked.
pub(super) fn span_of(node: &Node, place: &Place) -> Range<usize> {
    match node.span.is_empty() {
        true => place.head.clone(),
        false => node.span.clone(),
    }
}

pub(super) fn found(node: &Node) -> &'static str {
    match &node.kind {
        NodeKind::List(_) => "this is a list",
        NodeKind::Map(_) => "this is a map",
        NodeKind::Scalar { plain: false, .. } => "this is text, because of the quotes",
        NodeKind::Scalar { .. } => match scalar_of(node) {
            Some(Scalar::Bool) => "this is `true` or `false`",
            Some(Scalar::Whole(_)) => "this is a whole number",
            Some(Scalar::Number(_)) => "this is a number with decimals",
            Some(Scalar::NotFinite) => "this is no finite number",
            _ => "this is text",
        },
        NodeKind::Unusable => "this cannot be read",
    }
}

pub(super) fn remedy_for(node: &Node, expected: &str, remedy: &str) -> String {
    let is_scalar = matches!(node.kind, NodeKind::Scalar { .. });
    match expected {
        "text" if is_scalar => "put it in double quotes to make it text".to_owned(),
        "a list" if is_scalar => "write a list: put the value in `[` and `]`".to_owned(),
        "a number" | "a whole number" => {
            format!("{remedy} in digits, without quotes and without a unit")
        }
        _ => remedy.to_owned(),
    }
}
