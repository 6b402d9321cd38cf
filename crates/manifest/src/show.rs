//! An App, each value with where it came from.

use serde::Serialize;

use crate::app::App;
use crate::fields::{self, Type};

/// One value of an App.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Dotted, such as `service.web.scale.min`.
    pub path: String,
    /// As one line of TOML.
    pub value: String,
    /// Where it came from: `landfall.toml:4`, `landfall.toml:12, environment prod` or `default for dev: …`.
    pub origin: String,
}

/// Every value of `app`, in the order of the table of fields.
pub fn values(app: &App) -> Vec<Shown> {
    let mut all: Vec<Shown> = app
        .origins
        .values()
        .map(|(path, value, origin)| Shown {
            path: path.to_owned(),
            value: value.to_owned(),
            origin: origin.to_string(),
        })
        .collect();
    all.sort_by_cached_key(|shown| order(&shown.path));
    all
}

/// `app` as a manifest that says everything, each line with its origin as a comment.
pub fn text(app: &App) -> String {
    let mut out = format!("# {} in environment {} (tier {})\n", app.name, app.environment, app.tier);
    let mut header = String::new();
    let values = values(app);
    let mut group = Vec::new();
    for shown in &values {
        let (table, key) = split(&shown.path);
        if table != header {
            write_group(&mut out, &mut group);
            let name = table.split('[').next().unwrap_or(table);
            let is_list = name.len() < table.len();
            out.push_str(&if is_list { format!("\n[[{name}]]\n") } else { format!("\n[{table}]\n") });
            header = table.to_owned();
        }
        group.push((format!("{key} = {}", shown.value), shown.origin.as_str()));
    }
    write_group(&mut out, &mut group);
    out
}

/// Widest line whose comment is lined up with the others.
const ALIGNED_MAX: usize = 60;

fn write_group(out: &mut String, lines: &mut Vec<(String, &str)>) {
    let widths = lines.iter().map(|(line, _)| line.chars().count());
    let width = widths.filter(|width| *width <= ALIGNED_MAX).max().unwrap_or(0);
    for (line, origin) in lines.drain(..) {
        out.push_str(&format!("{line:<width$}  # {origin}\n"));
    }
}

/// The table header and the key of a path: `service.web` and `scale.min`, `alert[0]` and `when`.
fn split(path: &str) -> (&str, &str) {
    let first = path.split('.').next().unwrap_or_default();
    let kind = fields::at(first.split('[').next().unwrap_or_default(), None).map(|field| &field.kind);
    let depth = match kind {
        Some(Type::Named(_)) => 2,
        Some(Type::Table | Type::Map(..)) => 1,
        Some(Type::Tables) if first.ends_with(']') => 1,
        _ => return ("", path),
    };
    let mut dots = path.match_indices('.').map(|(i, _)| i);
    match dots.nth(depth - 1) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    }
}

/// Where a value belongs: its table, then the place of its field.
fn order(path: &str) -> (usize, String, usize, String) {
    let (table, _) = split(path);
    let all: Vec<&'static fields::Field> = fields::all().collect();
    let place = |pattern: &str| all.iter().position(|field| field.path == pattern);
    let mut segments: Vec<&str> = path.split('.').collect();
    let first = segments[0].split('[').next().unwrap_or_default();
    let is_list = first.len() < segments[0].len();
    let item = format!("{first}[]");
    let rank = place(first).unwrap_or(usize::MAX);
    if all.iter().any(|field| field.path == first && matches!(field.kind, Type::Named(_)))
        && segments.len() > 1
    {
        segments[1] = "*";
    }
    if is_list {
        segments[0] = &item;
    }
    let field = (1..=segments.len()).rev().find_map(|n| place(&segments[..n].join(".")));
    // Ten comes behind nine.
    let table = match table.split_once('[').and_then(|(name, number)| Some((name, number.strip_suffix(']')?)))
    {
        Some((name, number)) => format!("{name}[{number:0>6}]"),
        None => table.to_owned(),
    };
    (if table.is_empty() { 0 } else { rank }, table, field.unwrap_or(usize::MAX), path.to_owned())
}
