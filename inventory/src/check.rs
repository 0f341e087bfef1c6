//! Holds a file against the schema of its kind and reports every mistake with its place.
//!
//! Knows the few schema words that the types in `raw` produce, nothing more.
//! What is wrong is cut out, so that the checks that look at several values together still see the rest.

use std::ops::Range;

use serde_json::Value;

use crate::diagnostic::{Problem, listed, quoted};
use crate::raw::{join_index, join_key};
use crate::suggest::suggest;
use crate::tree::{Entry, Node, NodeKind};
use crate::yaml::{Scalar, scalar};

/// The part of the node that fits the schema; `None` when nothing usable is left.
pub(crate) fn check(schema: &Value, node: &Node, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut checker = Checker {
        root: schema,
        problems,
    };
    checker.value(schema, node, &Place::root(node))
}

struct Checker<'a> {
    root: &'a Value,
    problems: &'a mut Vec<Problem>,
}

/// Where the walk is: the path in words and the key that led there.
struct Place {
    path: String,
    head: Range<usize>,
}

impl Place {
    fn root(node: &Node) -> Place {
        Place {
            path: String::new(),
            head: node.head(),
        }
    }

    /// `a.b`, or `the file` at the top.
    fn shown(&self) -> String {
        match self.path.is_empty() {
            true => "the file".to_owned(),
            false => quoted(&self.path),
        }
    }
}

impl<'a> Checker<'a> {
    fn value(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
        let schema = self.resolved(schema);
        if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
            return self.any_of(schema, options, node, place);
        }
        if let Some(choices) = choices(schema) {
            return self.choice(&choices, node, place);
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.map(schema, node, place),
            Some("array") => self.list(schema, node, place),
            Some("string") => self.text(schema, node, place),
            Some("integer") => self.number(schema, true, node, place),
            Some("number") => self.number(schema, false, node, place),
            Some("boolean") => match scalar_of(node) {
                Some(Scalar::Bool) => Some(node.clone()),
                _ => self.wrong_type("`true` or `false`", node, place),
            },
            _ => Some(node.clone()),
        }
    }

    /// Follows `$ref`, also where it stands in an `allOf` of one.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        loop {
            let only = match schema.get("allOf").and_then(Value::as_array) {
                Some(all) => all.first().unwrap_or(schema),
                None => schema,
            };
            let target = only
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
            match target {
                Some(target) => schema = target,
                None => return only,
            }
        }
    }

    fn any_of(
        &mut self,
        schema: &Value,
        options: &'a [Value],
        node: &Node,
        place: &Place,
    ) -> Option<Node> {
        for option in options {
            let mut rejected = Vec::new();
            let mut attempt = Checker {
                root: self.root,
                problems: &mut rejected,
            };
            let kept = attempt.value(option, node, place);
            if rejected.is_empty() {
                return kept;
            }
        }
        let expected: Vec<String> = options.iter().map(expectation).collect();
        let expected = expected.join(", or ");
        let remedy = schema
            .get("description")
            .and_then(Value::as_str)
            .map_or_else(
                || format!("write {expected}"),
                |text| format!("write {expected} ({})", text.trim_end_matches('.')),
            );
        self.wrong_value(&expected, &remedy, node, place)
    }

    fn choice(&mut self, choices: &[&str], node: &Node, place: &Place) -> Option<Node> {
        if let Some(Scalar::Text(word)) = scalar_of(node) {
            if choices.contains(&word.as_str()) {
                return Some(node.clone());
            }
            let remedy = match suggest(&word, choices.iter().copied()) {
                Some(nearest) => format!(
                    "did you mean `{nearest}`? choices: {}",
                    listed(choices.iter().copied())
                ),
                None => format!("choices: {}", listed(choices.iter().copied())),
            };
            self.problems.push(Problem::new(
                span_of(node, place),
                format!("{} is no value for {}", quoted(&word), place.shown()),
                remedy,
            ));
            return None;
        }
        let expected = format!("one of {}", listed(choices.iter().copied()));
        self.wrong_type(&expected, node, place)
    }

    fn map(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
        let NodeKind::Map(entries) = &node.kind else {
            return self.wrong_type("a map of keys and values", node, place);
        };
        let kept = match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => self.properties(schema, properties, entries, place),
            None => Some(self.named(schema.get("additionalProperties"), entries, place)),
        };
        kept.map(|entries| Node {
            span: node.span.clone(),
            kind: NodeKind::Map(entries),
        })
    }

    /// A map whose keys are names that people choose.
    fn named(&mut self, schema: Option<&'a Value>, entries: &[Entry], place: &Place) -> Vec<Entry> {
        let Some(schema) = schema else {
            return entries.to_vec();
        };
        let mut kept = Vec::new();
        for entry in entries {
            let place = below(place, entry);
            let value = self.value(schema, &entry.value, &place);
            kept.extend(value.map(|value| Entry {
                value,
                ..entry.clone()
            }));
        }
        kept
    }

    /// A map with known keys.
    fn properties(
        &mut self,
        schema: &Value,
        properties: &'a serde_json::Map<String, Value>,
        entries: &[Entry],
        place: &Place,
    ) -> Option<Vec<Entry>> {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|keys| keys.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut kept = Vec::new();
        for entry in entries {
            let Some(schema) = properties.get(&entry.key) else {
                self.unknown_key(entry, entries, properties, place);
                continue;
            };
            let place = below(place, entry);
            let value = self.value(schema, &entry.value, &place);
            kept.extend(value.map(|value| Entry {
                value,
                ..entry.clone()
            }));
        }
        for key in &required {
            if !entries.iter().any(|entry| entry.key == *key) {
                self.missing_key(key, properties.get(*key), place);
            }
        }
        let is_whole = required
            .iter()
            .all(|key| kept.iter().any(|entry| entry.key == *key));
        is_whole.then_some(kept)
    }

    fn unknown_key(
        &mut self,
        entry: &Entry,
        entries: &[Entry],
        properties: &serde_json::Map<String, Value>,
        place: &Place,
    ) {
        // A key that is already there cannot be what was meant.
        let free: Vec<&str> = properties
            .keys()
            .map(String::as_str)
            .filter(|key| !entries.iter().any(|other| other.key == *key))
            .collect();
        let known = listed(properties.keys().map(String::as_str));
        let remedy = match suggest(&entry.key, free) {
            Some(nearest) => format!("did you mean `{nearest}`? keys here: {known}"),
            None => format!("remove it; keys here: {known}"),
        };
        self.problems.push(Problem::new(
            entry.key_span.clone(),
            format!("unknown key {} in {}", quoted(&entry.key), place.shown()),
            remedy,
        ));
    }

    fn missing_key(&mut self, key: &str, schema: Option<&'a Value>, place: &Place) {
        let problem = if key == "source" {
            Problem::new(
                place.head.clone(),
                format!("{} states numbers without a source", place.shown()),
                "add `source:` with the data sheet, log or page the numbers come from",
            )
        } else {
            let what = schema
                .and_then(|schema| {
                    let own = schema.get("description");
                    own.or_else(|| self.resolved(schema).get("description"))
                })
                .and_then(Value::as_str)
                .map_or_else(String::new, |text| {
                    format!(": {}", text.trim_end_matches('.'))
                });
            Problem::new(
                place.head.clone(),
                format!("{} lacks the key `{key}`", place.shown()),
                format!("add `{key}`{what}"),
            )
        };
        self.problems.push(problem);
    }

    fn list(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
        let NodeKind::List(items) = &node.kind else {
            return self.wrong_type("a list", node, place);
        };
        let min_items = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < min_items {
            self.problems.push(Problem::new(
                span_of(node, place),
                format!("{} is an empty list", place.shown()),
                "give at least one item",
            ));
            return None;
        }
        let mut kept = Vec::new();
        for (item_idx, item) in items.iter().enumerate() {
            let place = Place {
                path: join_index(&place.path, item_idx),
                head: item.head(),
            };
            match schema.get("items") {
                Some(schema) => kept.extend(self.value(schema, item, &place)),
                None => kept.push(item.clone()),
            }
        }
        Some(Node {
            span: node.span.clone(),
            kind: NodeKind::List(kept),
        })
    }

    fn text(&mut self, schema: &Value, node: &Node, place: &Place) -> Option<Node> {
        let Some(Scalar::Text(text)) = scalar_of(node) else {
            return self.wrong_type("text", node, place);
        };
        let may_be_empty = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0) == 0;
        if may_be_empty || !text.trim().is_empty() {
            return Some(node.clone());
        }
        let (title, remedy) = if place.path.ends_with("source") {
            (
                format!("{} names no source", place.shown()),
                "name the data sheet, log or page the numbers come from",
            )
        } else {
            (format!("{} is blank", place.shown()), "write its text")
        };
        self.problems
            .push(Problem::new(span_of(node, place), title, remedy));
        None
    }

    fn number(
        &mut self,
        schema: &Value,
        is_whole: bool,
        node: &Node,
        place: &Place,
    ) -> Option<Node> {
        let expected = if is_whole {
            "a whole number"
        } else {
            "a number"
        };
        let value = match scalar_of(node) {
            Some(Scalar::Whole(whole)) => whole as f64,
            Some(Scalar::Number(number)) if !is_whole => number,
            _ => return self.wrong_type(expected, node, place),
        };
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        let (min, max) = (bound("minimum"), bound("maximum"));
        if min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max) {
            return Some(node.clone());
        }
        let range = match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("{min} or more"),
            (None, Some(max)) => format!("{max} or less"),
            (None, None) => expected.to_owned(),
        };
        let unit = schema
            .get("description")
            .and_then(Value::as_str)
            .map_or_else(String::new, |text| {
                format!(" ({})", text.trim_end_matches('.'))
            });
        self.problems.push(Problem::new(
            span_of(node, place),
            format!("{value} is impossible for {}", place.shown()),
            format!("possible: {range}{unit}"),
        ));
        None
    }

    fn wrong_type(&mut self, expected: &str, node: &Node, place: &Place) -> Option<Node> {
        self.wrong_value(expected, &format!("write {expected}"), node, place)
    }

    fn wrong_value(
        &mut self,
        expected: &str,
        remedy: &str,
        node: &Node,
        place: &Place,
    ) -> Option<Node> {
        let problem = if is_null(node) {
            Problem::new(
                span_of(node, place),
                format!("{} has no value", place.shown()),
                format!("{remedy}, or remove the key"),
            )
        } else {
            Problem::new(
                span_of(node, place),
                format!("{} must be {expected}", place.shown()),
                remedy_for(node, expected, remedy),
            )
            .label(found(node))
        };
        self.problems.push(problem);
        None
    }
}

fn below(place: &Place, entry: &Entry) -> Place {
    Place {
        path: join_key(&place.path, &entry.key),
        head: entry.key_span.clone(),
    }
}

/// The words an enumeration allows.
fn choices(schema: &Value) -> Option<Vec<&str>> {
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

/// What a schema asks for, in words.
fn expectation(schema: &Value) -> String {
    if let Some(choices) = choices(schema) {
        return listed(choices);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => match schema.get("minimum").and_then(Value::as_i64) {
            Some(min) => format!("a whole number from {min}"),
            None => "a whole number".to_owned(),
        },
        Some("number") => "a number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a map of keys and values".to_owned(),
        _ => "text".to_owned(),
    }
}

fn scalar_of(node: &Node) -> Option<Scalar> {
    match &node.kind {
        NodeKind::Scalar { text, plain } => Some(scalar(text, *plain)),
        _ => None,
    }
}

fn is_null(node: &Node) -> bool {
    scalar_of(node) == Some(Scalar::Null)
}

/// A key without a value has no place of its own: its key is marked.
fn span_of(node: &Node, place: &Place) -> Range<usize> {
    match node.span.is_empty() {
        true => place.head.clone(),
        false => node.span.clone(),
    }
}

fn found(node: &Node) -> &'static str {
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
    }
}

fn remedy_for(node: &Node, expected: &str, remedy: &str) -> String {
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
