//! The manifest as a tree of values that know their place.
//!
//! TOML is read with recovery: a broken line costs that line, not the rest of the file. Where a bracket, a brace,
//! a comma or an equals sign is missing, it is put in and the text is read again, so that what stands behind it is
//! checked in the same go. Places are always those of the text as the user wrote it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::app::Tier;
use crate::codes;
use crate::diagnostic::{Diagnostic, Place};

/// A value with its place and the layer that says it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub value: Value,
    /// The bytes of the value; of a table, those of its header.
    pub span: Range<usize>,
    /// The bytes of the key in front of it; equal to `span` in a list.
    pub key: Range<usize>,
    pub layer: Layer,
}

/// What a value can be.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
    /// Something stood here and was reported; nothing more is said about it.
    Broken,
}

/// Named values.
pub(crate) type Table = BTreeMap<String, Node>;

/// Which layer says a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layer {
    Base,
    Environment(String),
    Default { tier: Option<Tier>, why: String },
}

impl Node {
    /// A value that nobody wrote.
    pub fn default(value: Value, tier: Option<Tier>, why: impl Into<String>) -> Node {
        Node { value, span: 0..0, key: 0..0, layer: Layer::Default { tier, why: why.into() } }
    }

    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self) -> Option<i64> {
        match self.value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Boolean(yes) => Some(yes),
            _ => None,
        }
    }

    pub fn list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether somebody wrote it.
    pub fn is_written(&self) -> bool {
        matches!(self.layer, Layer::Base | Layer::Environment(_))
    }

    /// Says of this value and of all within that `environment` says it.
    pub fn lay(&mut self, environment: &str) {
        self.layer = Layer::Environment(environment.to_owned());
        match &mut self.value {
            Value::Table(table) => table.values_mut().for_each(|node| node.lay(environment)),
            Value::List(items) => items.iter_mut().for_each(|node| node.lay(environment)),
            _ => {}
        }
    }
}

impl Value {
    /// What it is, with its article.
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a whole number",
            // A whole number that is too large for TOML's is read as one of these.
            Value::Float(number) if number.fract() == 0.0 && number.abs() > 1e15 => "a number that large",
            Value::Float(number) if number.fract() == 0.0 => "a number with a point",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Broken => "nothing readable",
        }
    }
}

/// What reading TOML gives.
pub(crate) struct Read {
    pub root: Table,
    pub diagnostics: Vec<Diagnostic>,
    /// Parts of the text could not be read, so that what seems missing may stand there.
    pub lost: bool,
}

/// Longest manifest that is read, in bytes. The largest real ones are a twentieth of it.
const BYTES_MAX: usize = 256 * 1024;

/// Most dots outside quotes on one line. Every dot of a key is one level of tables, and dropping tables nested
/// tens of thousands deep overflows the stack; the deepest field has six.
const DOTS_MAX: usize = 32;

/// Deepest value that is looked at; what is deeper counts as broken.
const DEPTH_MAX: usize = 40;

/// Most repairs of one text. More than that is not a manifest with mistakes, but something else.
const REPAIRS_MAX: usize = 50;

/// Most faults of TOML that are told. Each is looked for in the whole tree, and a file with more of them is no TOML.
const FAULTS_MAX: usize = 500;

/// Reads `text` as TOML.
pub(crate) fn read(place: &Place<'_>) -> Read {
    if let Some(diagnostic) = refuse(place) {
        return Read { root: Table::new(), diagnostics: vec![diagnostic], lost: true };
    }
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut text = Repaired::new(place.text);
    loop {
        let (table, errors) = DeTable::parse_recoverable(&text.text);
        let faults: Vec<Fault> =
            errors.iter().take(FAULTS_MAX).map(|error| Fault::of(error, &text)).collect();
        let repair = (text.repairs.len() < REPAIRS_MAX)
            .then(|| faults.iter().find_map(|fault| fault.repair(&text.text)))
            .flatten();
        if let Some((at, insert)) = repair {
            let at_original = text.original(at);
            push(&mut diagnostics, left_out(place, at_original, insert));
            text.insert(at, insert);
            continue;
        }
        let mut root = table_of(&table.into_inner(), &text, 0);
        let mut lost = errors.len() > FAULTS_MAX;
        for fault in &faults {
            if fault.is_duplicate() {
                push(&mut diagnostics, fault.report(place, None));
                continue;
            }
            let spoiled = spoil(&mut root, &fault.span);
            push(&mut diagnostics, fault.report(place, spoiled.as_ref()));
            lost |= spoiled.is_none_or(|span| place.text[span].contains('\n'));
        }
        return Read { root, diagnostics, lost };
    }
}

/// One mistake is told once: what follows on the same line is mostly its echo.
fn push(diagnostics: &mut Vec<Diagnostic>, new: Diagnostic) {
    if !diagnostics.iter().any(|known| known.line == new.line && known.code == new.code) {
        diagnostics.push(new);
    }
}

/// What is not even given to the TOML parser.
fn refuse(place: &Place<'_>) -> Option<Diagnostic> {
    if place.text.len() > BYTES_MAX {
        let message = format!("the manifest is longer than {} KiB", BYTES_MAX / 1024);
        return Some(place.problem(codes::SYNTAX, 0..0, message));
    }
    let mut start = 0;
    for line in place.text.split_inclusive('\n') {
        if unquoted_dots(line) > DOTS_MAX {
            let span = start..start + line.trim_end().len();
            let message = format!("this line has more than {DOTS_MAX} dots outside quotes");
            return Some(
                place
                    .problem(codes::SYNTAX, span, message)
                    .help("each dot of a key opens a table in a table; no field is that deep"),
            );
        }
        start += line.len();
    }
    None
}

fn unquoted_dots(line: &str) -> usize {
    let mut quote = None;
    let mut dots = 0;
    for c in line.chars() {
        match (quote, c) {
            (None, '#') => break,
            (None, '.') => dots += 1,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    dots
}

/// The text with what was put in, and the way back to the places of the original.
struct Repaired {
    text: String,
    /// Where something was put in (in the repaired text) and how long it is, in order.
    repairs: Vec<(usize, usize)>,
}

impl Repaired {
    fn new(text: &str) -> Repaired {
        Repaired { text: text.to_owned(), repairs: Vec::new() }
    }

    fn insert(&mut self, at: usize, what: &str) {
        self.text.insert_str(at, what);
        for (place, _) in &mut self.repairs {
            if *place >= at {
                *place += what.len();
            }
        }
        self.repairs.push((at, what.len()));
    }

    fn original(&self, at: usize) -> usize {
        let before = self.repairs.iter().map(|&(place, length)| at.saturating_sub(place).min(length));
        at - before.sum::<usize>()
    }

    fn original_span(&self, span: &Range<usize>) -> Range<usize> {
        self.original(span.start)..self.original(span.end)
    }
}

/// What the TOML parser says.
struct Fault {
    message: String,
    /// In the text as it was parsed.
    parsed: Range<usize>,
    /// In the text as the user wrote it.
    span: Range<usize>,
}

impl Fault {
    fn of(error: &toml::de::Error, text: &Repaired) -> Fault {
        let parsed = error.span().unwrap_or(0..0);
        Fault { message: error.message().to_owned(), span: text.original_span(&parsed), parsed }
    }

    fn is_duplicate(&self) -> bool {
        self.message.starts_with("duplicate key") || self.message.starts_with("cannot extend value")
    }

    /// What to put in and where, when the fault is something left out.
    fn repair(&self, text: &str) -> Option<(usize, &'static str)> {
        let at = self.parsed.start;
        let says = |words: &str| self.message.starts_with(words);
        if says("unclosed table") {
            return Some((at, "]"));
        }
        if says("unclosed array of tables") {
            return Some((at, "]]"));
        }
        if says("key with no value") {
            return Some((at, "="));
        }
        if says("extra assignment between key-value pairs") {
            let before = text[..at].trim_end();
            let key = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            return (key.len() < before.len()).then_some((key.len(), ","));
        }
        if says("missing comma between array elements") {
            return Some(match opens_a_statement(&text[at..]) {
                true => (text[..at].trim_end().len(), "]"),
                false => (at, ","),
            });
        }
        if says("missing comma between key-value pairs") {
            // In `{ a = 1` and a new line `b = 2` the brace is missing; where every pair has a line of its own, a
            // comma is.
            let before = text[..at].trim_end();
            let on_new_line = text[before.len()..at].contains('\n');
            let line = &before[before.rfind('\n').map_or(0, |i| i + 1)..];
            return Some(match on_new_line && line.contains('{') && opens_a_statement(&text[at..]) {
                true => (before.len(), "}"),
                false => (at, ","),
            });
        }
        None
    }

    /// The fault for people; `value` is the place of the value that it spoils.
    fn report(&self, place: &Place<'_>, value: Option<&Range<usize>>) -> Diagnostic {
        let found = place.text.get(self.span.clone()).unwrap_or_default();
        let problem = |span: &Range<usize>, message: &str| {
            place.problem(codes::SYNTAX, span.clone(), message.to_owned())
        };
        let (what, expected) = match self.message.split_once(", expected ") {
            Some((what, expected)) => (what, Some(expected)),
            None => (self.message.as_str(), None),
        };
        match what {
            "duplicate key" => place
                .problem(codes::DUPLICATE_KEY, self.span.clone(), format!("`{found}` is set twice"))
                .help("keep one of them; a table is opened once, with all its keys below it"),
            "string values must be quoted" if found.is_empty() => {
                problem(&self.span, "there is no value behind the `=`")
            }
            "string values must be quoted" => problem(&self.span, "a text must be in quotes")
                .help(format!("write \"{}\"", found.replace(['"', '\''], ""))),
            "invalid mantissa" => {
                // A bare word with a point in it is taken for a number.
                let raw = value.and_then(|value| place.text.get(value.clone())).unwrap_or_default();
                match raw.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
                    true => problem(value.unwrap_or(&self.span), "the number is not complete"),
                    false => problem(value.unwrap_or(&self.span), "a text must be in quotes")
                        .help(format!("write \"{}\"", raw.replace(['"', '\''], ""))),
                }
            }
            what if what.ends_with("string") && what.starts_with("invalid") && self.span.is_empty() => {
                problem(value.unwrap_or(&self.span), "the text is not closed")
                    .help("add the quotes at its end")
            }
            what => {
                let diagnostic = problem(&self.span, what);
                match expected.filter(|expected| *expected != "nothing") {
                    Some(expected) => diagnostic.help(format!("expected {expected}")),
                    None => diagnostic,
                }
            }
        }
    }
}

/// What was left out at a place, and put in to read on.
fn left_out(place: &Place<'_>, at: usize, insert: &str) -> Diagnostic {
    let message = match insert {
        "=" => "there is no `=` between the key and its value".to_owned(),
        "," => "a comma is missing here".to_owned(),
        "}" => "the table is not closed".to_owned(),
        "]" if header_at(place.text, at) => "the table's header is not closed".to_owned(),
        "]" => "the list is not closed".to_owned(),
        _ => format!("`{insert}` is missing here"),
    };
    place.problem(codes::SYNTAX, at..at + 1, message).help(format!("put a `{insert}` here"))
}

/// Whether the line that `at` is on begins with a bracket.
fn header_at(text: &str, at: usize) -> bool {
    let start = text[..at.min(text.len())].rfind('\n').map_or(0, |i| i + 1);
    text[start..].trim_start().starts_with('[')
}

/// Whether `text` goes on with `key =` or a table's header, as a new statement does and a list's element does not.
fn opens_a_statement(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().trim();
    let key =
        line.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.\"'".contains(c)).trim_start();
    let is_header = line.starts_with('[')
        && line.ends_with(']')
        && line[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '[');
    is_header || (key.len() < line.len() && key.starts_with('='))
}

fn table_of(table: &DeTable<'_>, text: &Repaired, depth: usize) -> Table {
    let entries = table.iter().map(|(key, value)| {
        let mut node = node_of(value.get_ref(), &text.original_span(&value.span()), text, depth);
        node.key = text.original_span(&key.span());
        (key.get_ref().to_string(), node)
    });
    entries.collect()
}

fn node_of(value: &DeValue<'_>, span: &Range<usize>, text: &Repaired, depth: usize) -> Node {
    let value = match value {
        _ if depth > DEPTH_MAX => Value::Broken,
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| {
                    let span = text.original_span(&item.span());
                    node_of(item.get_ref(), &span, text, depth + 1)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(table_of(table, text, depth + 1)),
    };
    Node { value, span: span.clone(), key: span.clone(), layer: Layer::Base }
}

/// Marks the innermost value at `span` as broken and gives its place.
fn spoil(table: &mut Table, span: &Range<usize>) -> Option<Range<usize>> {
    table.values_mut().find_map(|node| spoil_node(node, span))
}

fn spoil_node(node: &mut Node, span: &Range<usize>) -> Option<Range<usize>> {
    let inner = match &mut node.value {
        Value::Table(table) => spoil(table, span),
        Value::List(items) => items.iter_mut().find_map(|node| spoil_node(node, span)),
        _ => None,
    };
    if inner.is_some() {
        return inner;
    }
    // A table's span is its header, or its braces.
    let is_header = matches!(node.value, Value::Table(_));
    if !is_header && node.span.start <= span.start && span.end <= node.span.end {
        node.value = Value::Broken;
        return Some(node.span.clone());
    }
    None
}
