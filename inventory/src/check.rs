//! Holds a file against the schema of its kind and reports every mistake with its place.
//!
//! Knows the few schema words that the types in `raw` produce, nothing more.
//! What is wrong or missing becomes [`NodeKind::Unusable`], so that the checks that look at several values together still
//! see the rest and know what they cannot know.

mod fill;
mod keys;
mod words;

use std::ops::Range;

use serde_json::Value;

pub(crate) use self::fill::fill;
use self::words::{alternatives, choices, found, is_null, remedy_for, scalar_of, span_of};
use crate::diagnostic::{Problem, listed, quoted};
use crate::raw::join_index;
use crate::suggest::suggest;
use crate::tree::{Node, NodeKind};
use crate::yaml::Scalar;

/// The node with its unusable parts marked; `None` when nothing usable is left.
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

/// Follows `$ref`, also where it stands in an `allOf` of one.
fn resolved<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    loop {
        let only = match schema.get("allOf").and_then(Value::as_array) {
            Some(all) => all.first().unwrap_or(schema),
            None => schema,
        };
        let target = only
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| root.pointer(reference.strip_prefix('#')?));
        match target {
            Some(target) => schema = target,
            None => return only,
        }
    }
}

fn usable_or_marked(node: Option<Node>, span: &Range<usize>) -> Node {
    node.unwrap_or_else(|| Node {
        span: span.clone(),
        kind: NodeKind::Unusable,
    })
}

impl<'a> Checker<'a> {
    fn value(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
        let schema = resolved(self.root, schema);
        if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
            return self.any_of(options, node, place);
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

    fn any_of(&mut self, options: &'a [Value], node: &Node, place: &Place) -> Option<Node> {
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
        let expected = alternatives(options);
        let words = options.iter().filter_map(choices).flatten();
        let nearest = match scalar_of(node) {
            Some(Scalar::Text(word)) => suggest(&word, words),
            _ => None,
        };
        let remedy = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("write {expected}"),
        };
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
                Some(schema) => kept.push(usable_or_marked(
                    self.value(schema, item, &place),
                    &item.span,
                )),
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
                format!("{remedy} after the colon"),
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
