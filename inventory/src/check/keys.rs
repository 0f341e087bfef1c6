//! Maps: known, unknown, misspelt and missing keys.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fill::required;
use super::{Checker, Place, resolved, usable_or_marked};
use crate::diagnostic::{Problem, listed, quoted};
use crate::raw::join_key;
use crate::suggest::suggest;
use crate::tree::{Entry, Node, NodeKind};

impl<'a> Checker<'a> {
    pub(super) fn map(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
        let NodeKind::Map(entries) = &node.kind else {
            return self.wrong_type("a map of keys and values", node, place);
        };
        let entries = match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => self.properties(schema, properties, entries, place),
            None => self.named(schema.get("additionalProperties"), entries, place),
        };
        Some(Node {
            span: node.span.clone(),
            kind: NodeKind::Map(entries),
        })
    }

    /// A map whose keys are names that people choose.
    fn named(&mut self, schema: Option<&'a Value>, entries: &[Entry], place: &Place) -> Vec<Entry> {
        let Some(schema) = schema else {
            return entries.to_vec();
        };
        entries
            .iter()
            .map(|entry| self.entry(schema, entry, place))
            .collect()
    }

    fn entry(&mut self, schema: &'a Value, entry: &Entry, place: &Place) -> Entry {
        let value = self.value(schema, &entry.value, &below(place, entry));
        Entry {
            value: usable_or_marked(value, &entry.value.span),
            ..entry.clone()
        }
    }

    /// A map with known keys.
    fn properties(
        &mut self,
        schema: &Value,
        properties: &'a serde_json::Map<String, Value>,
        entries: &[Entry],
        place: &Place,
    ) -> Vec<Entry> {
        let required = required(schema);
        let given: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut kept = Vec::new();
        let mut misspelt = Vec::new();
        for entry in entries {
            match properties.get(&entry.key) {
                Some(schema) => kept.push(self.entry(schema, entry, place)),
                None => misspelt.extend(self.unknown_key(entry, &given, properties, place)),
            }
        }
        let missing: Vec<&str> = required
            .iter()
            .copied()
            .filter(|key| !given.contains(key))
            .filter(|key| !misspelt.contains(key))
            .collect();
        self.missing_keys(missing, properties, place);
        // Nobody knows the value of these, which is not the same as having none.
        let unknown: BTreeSet<&str> = (required.iter().chain(&misspelt).copied())
            .filter(|key| !given.contains(key))
            .collect();
        kept.extend(unknown.into_iter().map(|key| Entry {
            key: key.to_owned(),
            key_span: place.head.clone(),
            value: usable_or_marked(None, &place.head),
        }));
        kept
    }

    /// Reports the key and returns the one that was probably meant: that one is not missing too.
    fn unknown_key<'b>(
        &mut self,
        entry: &Entry,
        given: &BTreeSet<&str>,
        properties: &'b serde_json::Map<String, Value>,
        place: &Place,
    ) -> Option<&'b str> {
        // A key that is already there cannot be what was meant.
        let free = properties
            .keys()
            .map(String::as_str)
            .filter(|key| !given.contains(key));
        let known = listed(properties.keys().map(String::as_str));
        let nearest = suggest(&entry.key, free);
        let remedy = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`? keys here: {known}"),
            None => format!("remove it; keys here: {known}"),
        };
        self.problems.push(Problem::new(
            entry.key_span.clone(),
            format!("unknown key {} in {}", quoted(&entry.key), place.shown()),
            remedy,
        ));
        nearest
    }

    fn missing_keys(
        &mut self,
        mut missing: Vec<&str>,
        properties: &'a serde_json::Map<String, Value>,
        place: &Place,
    ) {
        let n_missing = missing.len();
        missing.retain(|key| *key != "source");
        if missing.len() < n_missing {
            self.problems.push(Problem::new(
                place.head.clone(),
                format!("{} states numbers without a source", place.shown()),
                "add `source:` with the data sheet, log or page the numbers come from",
            ));
        }
        let (title, remedy) = match missing.as_slice() {
            [] => return,
            [key] => (
                format!("{} lacks the key `{key}`", place.shown()),
                format!("add `{key}`{}", self.meaning(properties.get(*key))),
            ),
            keys => (
                format!(
                    "{} lacks the keys {}",
                    place.shown(),
                    listed(keys.iter().copied())
                ),
                "add them; the JSON Schema of the file kind says what each means".to_owned(),
            ),
        };
        self.problems
            .push(Problem::new(place.head.clone(), title, remedy));
    }

    /// What a key is for, to be put after its name.
    fn meaning(&self, schema: Option<&'a Value>) -> String {
        schema
            .and_then(|schema| {
                let own = schema.get("description");
                own.or_else(|| resolved(self.root, schema).get("description"))
            })
            .and_then(Value::as_str)
            .map_or_else(String::new, |text| {
                format!(": {}", text.trim_end_matches('.'))
            })
    }
}

fn below(place: &Place, entry: &Entry) -> Place {
    Place {
        path: join_key(&place.path, &entry.key),
        head: entry.key_span.clone(),
    }
}
