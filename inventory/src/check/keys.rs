//! Maps: known, unknown, misspelt and missing keys.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Checker, Place};
use crate::diagnostic::{Problem, listed, quoted};
use crate::raw::join_key;
use crate::suggest::suggest;
use crate::tree::{Entry, Node, NodeKind};

impl<'a> Checker<'a> {
    pub(super) fn map(&mut self, schema: &'a Value, node: &Node, place: &Place) -> Option<Node> {
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
        let given: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut kept = Vec::new();
        let mut misspelt = Vec::new();
        for entry in entries {
            let Some(schema) = properties.get(&entry.key) else {
                misspelt.extend(self.unknown_key(entry, &given, properties, place));
                continue;
            };
            let place = below(place, entry);
            let value = self.value(schema, &entry.value, &place);
            kept.extend(value.map(|value| Entry {
                value,
                ..entry.clone()
            }));
        }
        let missing: Vec<&str> = required
            .iter()
            .copied()
            .filter(|key| !given.contains(key))
            .filter(|key| !misspelt.contains(key))
            .collect();
        self.missing_keys(missing, properties, place);
        let is_whole = required
            .iter()
            .all(|key| kept.iter().any(|entry| entry.key == *key));
        is_whole.then_some(kept)
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
                own.or_else(|| self.resolved(schema).get("description"))
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
