//! Makes what is left of a file readable, so that the checks that look at several values together run on it.
//!
//! Puts the least value that the schema allows where a required value is missing or wrong, and drops optional ones.
//! What it makes up never reaches anybody: a file with mistakes gives no value, and checks ask
//! [`Place::is_usable`](crate::raw::Place::is_usable) before they compare.

use serde_json::Value;

use super::resolved;
use super::words::choices;
use crate::tree::{Entry, Node, NodeKind};

/// The node with every unusable part replaced or dropped.
pub(crate) fn fill(root: &Value, node: &Node) -> Node {
    filled(root, root, node)
}

fn filled(root: &Value, schema: &Value, node: &Node) -> Node {
    let schema = resolved(root, schema);
    let kind = match &node.kind {
        NodeKind::Unusable => least(root, schema),
        NodeKind::Scalar { .. } => node.kind.clone(),
        NodeKind::List(items) => NodeKind::List(match schema.get("items") {
            Some(schema) => items
                .iter()
                .map(|item| filled(root, schema, item))
                .collect(),
            None => items.clone(),
        }),
        NodeKind::Map(entries) => NodeKind::Map(filled_entries(root, schema, entries)),
    };
    Node {
        span: node.span.clone(),
        kind,
    }
}

fn filled_entries(root: &Value, schema: &Value, entries: &[Entry]) -> Vec<Entry> {
    let required = required(schema);
    let names = schema.get("additionalProperties");
    let mut kept = Vec::new();
    for entry in entries {
        let key = entry.key.as_str();
        let property = schema.get("properties").and_then(|known| known.get(key));
        let may_be_dropped = property.is_some() && !required.contains(&key);
        if entry.value.kind == NodeKind::Unusable && may_be_dropped {
            continue;
        }
        let value = match property.or(names) {
            Some(schema) => filled(root, schema, &entry.value),
            None => entry.value.clone(),
        };
        kept.push(Entry {
            value,
            ..entry.clone()
        });
    }
    kept
}

/// The keys a map must have.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// The least value that fits a schema.
fn least(root: &Value, schema: &Value) -> NodeKind {
    let plain = |text: String| NodeKind::Scalar { text, plain: true };
    if let Some(choice) = choices(schema).and_then(|choices| choices.first().copied()) {
        return plain(choice.to_owned());
    }
    if let Some(option) = schema.pointer("/anyOf/0") {
        return least(root, resolved(root, option));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => {
            let least = schema.get("minimum").map_or("0".into(), Value::to_string);
            plain(least)
        }
        Some("boolean") => plain("false".into()),
        Some("array") => NodeKind::List(Vec::new()),
        Some("object") => NodeKind::Map(
            required(schema)
                .into_iter()
                .map(|key| Entry {
                    key: key.to_owned(),
                    key_span: 0..0,
                    value: least_value(root, schema, key),
                })
                .collect(),
        ),
        _ => NodeKind::Scalar {
            text: "?".into(),
            plain: false,
        },
    }
}

fn least_value(root: &Value, schema: &Value, key: &str) -> Node {
    let property = schema.get("properties").and_then(|known| known.get(key));
    Node {
        span: 0..0,
        kind: least(root, resolved(root, property.unwrap_or(&Value::Null))),
    }
}
