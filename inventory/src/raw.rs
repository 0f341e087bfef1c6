//! Mirrors of the data files, one module a file kind.
//!
//! Each holds what may be written (`Raw*`, which also make the JSON Schema), the checks that look at several values
//! together, and the way to the resolved type.

pub(crate) mod board;
pub(crate) mod fleet;
mod memory;
pub(crate) mod model;
mod prepare;
pub(crate) mod reference;
pub(crate) mod suite;

use std::ops::Range;

use crate::diagnostic::Problem;
use crate::tree::{Node, NodeKind};

/// A node, the key that leads to it and its path in words: where a check reports what it finds.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    node: &'a Node,
    head: Range<usize>,
    path: String,
}

impl<'a> Place<'a> {
    pub(crate) fn root(node: &'a Node) -> Place<'a> {
        Place {
            node,
            head: node.head(),
            path: String::new(),
        }
    }

    /// The value of a key; the place itself when the key is absent.
    pub(crate) fn key(&self, key: &str) -> Place<'a> {
        match self.node.entry(key) {
            None => self.clone(),
            Some(entry) => Place {
                node: &entry.value,
                head: entry.key_span.clone(),
                path: join_key(&self.path, key),
            },
        }
    }

    /// An item of a list; the place itself when there is no such item.
    pub(crate) fn item(&self, item_idx: usize) -> Place<'a> {
        match self.node.items().get(item_idx) {
            None => self.clone(),
            Some(node) => Place {
                node,
                head: node.head(),
                path: join_index(&self.path, item_idx),
            },
        }
    }

    /// Whether the value can be compared with others: false where it is written wrongly, or missing although it must be
    /// there. True for an optional key that is absent: its absence is known.
    pub(crate) fn is_usable(&self) -> bool {
        let is_whole = |node: &Node| node.kind != NodeKind::Unusable;
        is_whole(self.node) && self.node.items().iter().all(is_whole)
    }

    /// Whether all of these keys can be compared.
    pub(crate) fn are_usable(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.key(key).is_usable())
    }

    /// The path as it is shown, without backticks.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Marks the value.
    pub(crate) fn value_span(&self) -> Range<usize> {
        match self.node.entries().is_empty() && !self.node.span.is_empty() {
            true => self.node.span.clone(),
            false => self.head.clone(),
        }
    }

    /// Marks the key.
    pub(crate) fn key_span(&self) -> Range<usize> {
        self.head.clone()
    }

    /// A mistake in the value.
    pub(crate) fn problem(&self, title: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem::new(self.value_span(), title, remedy)
    }
}

pub(crate) fn join_key(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

pub(crate) fn join_index(path: &str, item_idx: usize) -> String {
    format!("{path}[{item_idx}]")
}
