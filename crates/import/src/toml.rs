//! TOML as a [`Node`]: with lines.

use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use crate::tree::{Entry, Node, Value};
use crate::yaml::Wrong;

/// All of `text`, or everything that is wrong with it.
pub(crate) fn read(text: &str) -> Result<Node, Vec<Wrong>> {
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node { file: 0, line: 1, value: table(root.get_ref(), &lines) });
    }
    let wrong = |error: &toml::de::Error| {
        let line = error.span().map_or(1, |span| lines.line(span.start));
        (line, format!("this is not TOML: {}", error.message()))
    };
    Err(errors.iter().map(wrong).collect())
}

fn table(entries: &DeTable<'_>, lines: &Lines) -> Value {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
        let line = lines.line(key.span().start);
        Entry { key: key.get_ref().to_string(), line, node: node(value, lines) }
    };
    let mut entries: Vec<Entry> = entries.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.line);
    Value::Map(Rc::new(entries))
}

fn node(value: &toml::Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.line(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Scalar(text.to_string()),
        DeValue::Integer(number) => {
            Value::Scalar(match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => number.as_str().to_owned(),
            })
        }
        DeValue::Float(number) => Value::Scalar(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Value::Scalar(yes.to_string()),
        DeValue::Datetime(date) => Value::Scalar(date.to_string()),
        DeValue::Array(items) => Value::List(Rc::new(items.iter().map(|item| node(item, lines)).collect())),
        DeValue::Table(entries) => table(entries, lines),
    };
    Node { file: 0, line, value }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        Lines(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|newline| *newline < at) + 1
    }
}
