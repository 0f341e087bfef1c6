//! The only place that uses `serde_yaml`.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use crate::tree::{Node, NodeKind};

/// What `serde_yaml` takes a plain scalar for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool,
    /// A whole number that fits 64 bits.
    Whole(i128),
    /// Any other finite number.
    Number(f64),
    /// Infinite or not a number.
    NotFinite,
    Text(String),
}

/// The value of a scalar as the typed reader will see it.
pub(crate) fn scalar(text: &str, plain: bool) -> Scalar {
    match scalar_value(text, plain) {
        Value::Null => Scalar::Null,
        Value::Bool(_) => Scalar::Bool,
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from);
            match whole.or(number.as_u64().map(i128::from)) {
                Some(whole) => Scalar::Whole(whole),
                None => match number.as_f64() {
                    Some(value) if value.is_finite() => Scalar::Number(value),
                    _ => Scalar::NotFinite,
                },
            }
        }
        _ => Scalar::Text(text.to_owned()),
    }
}

/// Reads a whole file.
///
/// # Errors
/// The first mistake, and its place in the text where `serde_yaml` tells.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, TypedError> {
    serde_path_to_error::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let start = error
            .inner()
            .location()
            .map_or(0, |location| location.index());
        TypedError {
            path: error.path().to_string(),
            reason: error.inner().to_string(),
            span: start..start + 1,
        }
    })
}

/// Why a file is not what it has to be, in the words of `serde_yaml`.
#[derive(Debug)]
pub(crate) struct TypedError {
    pub path: String,
    pub reason: String,
    pub span: Range<usize>,
}

/// Reads what is left of a file after its mistakes were cut out, for the checks that look at several values together.
pub(crate) fn from_node<T: DeserializeOwned>(node: &Node) -> Option<T> {
    serde_yaml::from_value(value(node)).ok()
}

fn value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar { text, plain } => scalar_value(text, *plain),
        NodeKind::List(items) => Value::Sequence(items.iter().map(value).collect()),
        NodeKind::Map(entries) => {
            let mut mapping = Mapping::new();
            for entry in entries {
                mapping.insert(Value::String(entry.key.clone()), value(&entry.value));
            }
            Value::Mapping(mapping)
        }
        NodeKind::Unusable => Value::Null,
    }
}

fn scalar_value(text: &str, plain: bool) -> Value {
    if !plain {
        return Value::String(text.to_owned());
    }
    match serde_yaml::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_type_a_reader_expects() {
        assert_eq!(scalar("4", true), Scalar::Whole(4));
        assert_eq!(scalar("-1", true), Scalar::Whole(-1));
        assert_eq!(scalar("5.2", true), Scalar::Number(5.2));
        assert_eq!(scalar(".inf", true), Scalar::NotFinite);
        assert_eq!(scalar("4", false), Scalar::Text("4".into()));
        assert_eq!(scalar("", true), Scalar::Null);
        assert_eq!(scalar("~", true), Scalar::Null);
        assert_eq!(scalar("true", true), Scalar::Bool);
        assert_eq!(scalar("q4_0", true), Scalar::Text("q4_0".into()));
        assert_eq!(
            scalar("LPDDR4X, 4 x 16", true),
            Scalar::Text("LPDDR4X, 4 x 16".into())
        );
    }
}
