//! Values with the lines they stand on: what YAML and TOML have in common.

use std::rc::Rc;

/// A value and its place.
#[derive(Clone)]
pub(crate) struct Node {
    /// Which file of several, by the number that its reader was given.
    pub file: usize,
    pub line: usize,
    pub value: Value,
}

// No `Debug`: a tree holds whatever the file held, secrets too.

#[derive(Clone)]
pub(crate) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, a number or a boolean, as it is written.
    Scalar(String),
    List(Rc<Vec<Node>>),
    /// In the order of the file, each key once.
    Map(Rc<Vec<Entry>>),
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

impl Node {
    pub fn null(file: usize, line: usize) -> Node {
        Node { file, line, value: Value::Null }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    pub fn integer(&self) -> Option<i64> {
        self.text()?.trim().parse().ok()
    }

    pub fn port(&self) -> Option<u16> {
        self.integer().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        self.map().unwrap_or_default()
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
            .filter(|node| !node.is_null())
    }

    /// The items of a list, or the value itself where one stands for a list of one.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The texts of a list, or the one text.
    pub fn texts(&self) -> Vec<&str> {
        self.items().iter().filter_map(Node::text).collect()
    }
}
