//! YAML as a [`Node`]: with lines, aliases and merge keys; bounded in depth and in what aliases may unfold to.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::tree::{Entry, Node, Value};

/// Deepest nesting. Compose's deepest field stands at the tenth level.
const DEPTH_MAX: usize = 40;

/// Most values of one file, each alias counted with all that it stands for. The largest known Compose files have some
/// thousand; a "billion laughs" passes this at once.
const VALUES_MAX: usize = 100_000;

/// What is wrong, and the line.
pub(crate) type Wrong = (usize, String);

/// The first document of `text`, which is the file of this number.
pub(crate) fn read(file: usize, text: &str) -> Result<Node, Wrong> {
    let mut reader = Reader { file, ..Reader::default() };
    // A byte order mark is no content.
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = event
            .map_err(|error| (error.marker().line().max(1), format!("this is not YAML: {}", error.info())))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        reader.event(event, span)?;
    }
    Ok(reader.root.unwrap_or(Node::null(file, 1)))
}

/// A list or map that is being read.
struct Open {
    line: usize,
    anchor: usize,
    /// How large it is so far.
    extent: Extent,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The keys of the entries, with their lines.
    keys: BTreeMap<String, usize>,
    /// What `<<` brings.
    merged: Vec<Node>,
    /// The key whose value is awaited.
    key: Option<(String, usize)>,
}

/// Values, the outermost included, and levels, with aliases unfolded.
#[derive(Clone, Copy)]
struct Extent {
    values: usize,
    levels: usize,
}

const ONE: Extent = Extent { values: 1, levels: 1 };

#[derive(Default)]
struct Reader {
    file: usize,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, Extent)>,
    root: Option<Node>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Wrong> {
        let line = span.start.line().max(1);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.closed(Node { file: self.file, line, value }, anchor, ONE)
            }
            Event::SequenceStart(anchor, _) => self.opened(line, anchor, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.opened(line, anchor, OpenKind::Map(OpenMap::default())),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.kind {
                    OpenKind::List(items) => Value::List(Rc::new(items)),
                    OpenKind::Map(map) => Value::Map(Rc::new(merge(map))),
                };
                self.closed(Node { file: self.file, line: open.line, value }, open.anchor, open.extent)
            }
            Event::Alias(anchor) => {
                let Some((node, extent)) = self.anchors.get(&anchor).cloned() else {
                    return Err((line, "the alias stands inside of what it stands for".to_owned()));
                };
                self.closed(node, 0, extent)
            }
            _ => Ok(()),
        }
    }

    fn opened(&mut self, line: usize, anchor: usize, kind: OpenKind) -> Result<(), Wrong> {
        if self.open.len() == DEPTH_MAX {
            return Err((line, too_deep()));
        }
        self.open.push(Open { line, anchor, extent: ONE, kind });
        Ok(())
    }

    /// Puts a value where it belongs.
    fn closed(&mut self, node: Node, anchor: usize, extent: Extent) -> Result<(), Wrong> {
        let line = node.line;
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), extent));
        }
        let depth = self.open.len();
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.extent.values += extent.values;
        parent.extent.levels = parent.extent.levels.max(extent.levels + 1);
        if depth + extent.levels > DEPTH_MAX + 1 {
            return Err((line, too_deep()));
        }
        if parent.extent.values > VALUES_MAX {
            return Err((line, format!("with its aliases this has more than {VALUES_MAX} values")));
        }
        match &mut parent.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map(map) => match map.key.take() {
                None => match node.value {
                    Value::Scalar(text) => map.key = Some((text, line)),
                    Value::Null => map.key = Some((String::new(), line)),
                    _ => return Err((line, "a key must be a text".to_owned())),
                },
                Some((name, _)) if name == "<<" => map.merged.push(node),
                Some((name, key_line)) => {
                    if let Some(first) = map.keys.insert(name.clone(), key_line) {
                        let name = crate::draft::short(&name);
                        return Err((key_line, format!("`{name}` stands twice, first on line {first}")));
                    }
                    map.entries.push(Entry { key: name, line: key_line, node });
                }
            },
        }
        Ok(())
    }
}

/// What `<<` brings: keys that the map itself does not have; of several maps the first wins.
fn merge(map: OpenMap) -> Vec<Entry> {
    let OpenMap { mut entries, mut keys, merged, key: _ } = map;
    for source in merged.iter().flat_map(Node::items) {
        for entry in source.entries() {
            if !keys.contains_key(&entry.key) {
                keys.insert(entry.key.clone(), entry.line);
                entries.push(entry.clone());
            }
        }
    }
    entries
}

fn too_deep() -> String {
    format!("this is nested deeper than {DEPTH_MAX} levels")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Wrong {
        read(0, text).err().expect("this text is refused")
    }

    #[test]
    fn anchors_and_merge_keys() {
        let text = "x-base: &base\n  restart: always\n  environment: &env {A: 1}\nservices:\n  api:\n    <<: [*base]\n    \
                    restart: no\n    environment:\n      <<: *env\n      B: two\n";
        let node = read(0, text).map_err(|(line, message)| format!("{line}: {message}")).expect("fine");
        let api = node.get("services").and_then(|node| node.get("api")).expect("api");
        assert_eq!(api.get("restart").and_then(Node::boolean), Some(false));
        let env = api.get("environment").expect("environment");
        let names: Vec<&str> = env.entries().iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(names, ["B", "A"]);
        assert_eq!(env.get("B").map(|node| node.line), Some(10));
    }

    #[test]
    fn laughs_are_counted_and_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let of = format!("*a{}, ", i - 1).repeat(9);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", of.trim_end_matches(", ")));
        }
        assert!(wrong(&text).1.contains("aliases"), "{}", wrong(&text).1);
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for i in 1..3000 {
            deep.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
        }
        assert!(wrong(&deep).1.contains("nested"));
        // The parser itself has a bound for this form.
        assert!(read(0, &"[".repeat(1000)).is_err());
        assert!(wrong(&"- ".repeat(100_000)).1.contains("nested"));
    }

    #[test]
    fn mistakes_have_their_line() {
        assert_eq!(wrong("a: 1\nb: 2\na: 3\n"), (3, "`a` stands twice, first on line 1".to_owned()));
        assert_eq!(wrong("services:\n  api:\n    image: \"x\n").0, 3);
        assert_eq!(wrong("a: *nothing\n").0, 1);
        assert_eq!(wrong("a: &a [*a]\n").0, 1);
    }
}
