//! What a field, a type of resource or a code means, for people.

use crate::app::Tier;
use crate::codes;
use crate::fields::{self, Default, Field, Type};
use crate::resource::{self as types, Kind};
use crate::shape;
use crate::suggest;

/// Nothing of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to explain about `{path}`")]
pub struct Unknown {
    /// What was asked.
    pub path: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// What `path` means: a field (`service.web.scale`, with any names of your own or `*` for them, also below
/// `environment.NAME`), a type of resource (`resource.vault`, `resource.vault.sku`) or a code (`LF1003`).
///
/// An empty path is the manifest itself.
pub fn explain(path: &str) -> Result<String, Unknown> {
    let path = path.trim().trim_matches('.');
    if let Some(code) = codes::find(path) {
        return Ok(code.explain());
    }
    let segments: Vec<&str> = path.split('.').filter(|segment| !segment.is_empty()).collect();
    let segments = match segments.as_slice() {
        ["environment", _, key, ..] if fields::OVERLAID.contains(key) => &segments[2..],
        _ => segments.as_slice(),
    };
    if segments.is_empty() {
        return Ok(manifest());
    }
    if let ["resource", name] = segments
        && let Some(kind) = types::of(name)
    {
        return Ok(resource(kind));
    }
    let kind = match segments {
        ["resource", name, _, ..] => types::of(name).map(|kind| kind.name),
        _ => None,
    };
    let found: Vec<&Field> =
        fields::all().filter(|field| field.is_of(kind) && matches(field.path, segments)).collect();
    if found.is_empty() {
        return Err(Unknown { path: path.to_owned(), suggestion: suggestion(segments) });
    }
    Ok(found.into_iter().map(one).collect::<Vec<_>>().join("\n"))
}

/// Whether a field's path is that of the segments, with any name for a `*`.
fn matches(pattern: &str, segments: &[&str]) -> bool {
    let mut parts = pattern.split('.');
    let mut segments = segments.iter();
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(part), Some(segment)) if part.trim_end_matches("[]") == segment.trim_end_matches("[]") => {}
            // What is below a map of the user's own names is explained by the map.
            (None, Some(_)) => {
                let is_map = fields::all().any(|f| f.path == pattern && matches!(f.kind, Type::Map(..)));
                return is_map && segments.next().is_none();
            }
            _ => return false,
        }
    }
}

fn suggestion(segments: &[&str]) -> Option<String> {
    // The longest part that exists, with the nearest of its keys.
    for n in (0..segments.len()).rev() {
        let known = n == 0 || fields::all().any(|field| matches(field.path, &segments[..n]));
        if !known {
            continue;
        }
        let below: Vec<&str> = fields::all()
            .filter(|field| {
                let parent = fields::parent(field.path);
                (n == 0 && parent.is_empty())
                    || (n > 0 && !parent.is_empty() && matches(parent, &segments[..n]))
            })
            .map(|field| fields::last(field.path))
            .filter(|key| *key != "*")
            .collect();
        if let Some(key) = suggest::nearest(segments[n], below.iter().copied()) {
            let mut path: Vec<&str> = segments[..n].to_vec();
            path.push(key);
            path.extend(&segments[n + 1..]);
            return Some(path.join("."));
        }
        break;
    }
    // Just the field's own name, such as `scale` or `min`.
    let word = segments.last()?;
    let named = fields::all().map(|field| fields::last(field.path)).filter(|key| *key != "*");
    let near = suggest::nearest(word, named)?;
    fields::all().find(|field| fields::last(field.path) == near).map(|field| typical(field.path))
}

/// A path as a user would write it.
fn typical(path: &str) -> String {
    path.replace("service.*", "service.NAME")
        .replace("resource.*", "resource.NAME")
        .replace("environment.*", "environment.NAME")
        .replace("contact.*", "contact.NAME")
        .replace("aim.*", "aim.NAME")
}

fn manifest() -> String {
    let mut out =
        String::from("landfall.toml describes an application and what it takes to run it on Azure.\n\n");
    list(&mut out, fields::below("", None), false);
    out.push_str("\nExplain any of them: `landfall explain service.NAME.scale`\n");
    out
}

fn resource(kind: &Kind) -> String {
    let mut out = format!("resource of type \"{}\": {}\n\nFields:\n", kind.name, kind.doc);
    list(&mut out, fields::below("resource.*", Some(kind.name)), false);
    out.push_str("\nA service may have (`uses`):\n");
    columns(&mut out, kind.access.iter().map(|(access, doc)| (access.to_string(), (*doc).to_owned())));
    out.push_str("\nIt can be asked for (`${resource.NAME.…}`):\n");
    columns(&mut out, kind.attributes.iter().map(|(name, doc)| ((*name).to_owned(), (*doc).to_owned())));
    out
}

fn one(field: &Field) -> String {
    let path = typical(field.path);
    let of = of(field, |of| format!(" (type \"{of}\")"));
    let mut out = format!("{path}{of}\n\n{}\n\n", field.doc);
    let mut facts = vec![("type".to_owned(), type_of(&field.kind))];
    match &field.default {
        Default::Required => facts.push(("default".to_owned(), "none: it is required".to_owned())),
        Default::Absent(meaning) | Default::Fields(meaning) => {
            facts.push(("left out".to_owned(), (*meaning).to_owned()))
        }
        Default::Same(value, why) => facts.push(("default".to_owned(), format!("{value}: {why}"))),
        Default::Tiers(values, why) => {
            for (tier, value) in Tier::ALL.iter().zip(values) {
                facts.push((format!("in {tier}"), (*value).to_owned()));
            }
            facts.push(("because".to_owned(), (*why).to_owned()));
        }
    }
    if !field.azure.is_empty() {
        facts.push(("sets".to_owned(), field.azure.join(", ")));
    }
    if !field.example.is_empty() {
        facts.push(("example".to_owned(), format!("{} = {}", fields::last(field.path), field.example)));
    }
    columns(&mut out, facts.into_iter());
    if let Type::Choice(words) = &field.kind {
        out.push_str("\nChoices:\n");
        columns(&mut out, words.iter().map(|(word, doc)| (format!("\"{word}\""), (*doc).to_owned())));
    }
    let path = match field.kind {
        Type::Named(_) => format!("{}.*", field.path),
        Type::Tables => format!("{}[]", field.path),
        _ => field.path.to_owned(),
    };
    let below: Vec<&Field> =
        fields::below(&path, None).filter(|field| fields::last(field.path) != "*").collect();
    if !below.is_empty() {
        out.push_str("\nFields:\n");
        list(&mut out, below.into_iter(), true);
    }
    out
}

/// The types that have a field, if not all have.
fn of(field: &Field, say: impl Fn(&str) -> String) -> String {
    if field.of.is_empty() { String::new() } else { say(&field.of.join(", ")) }
}

fn type_of(kind: &Type) -> String {
    match kind {
        Type::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Type::Days { min, max } => format!("a time from \"{min}d\" to \"{max}d\""),
        Type::Map(_, inner) => format!("a table; each value is {}", shape::expects(inner)),
        Type::Choice(_) => "one of the words below".to_owned(),
        Type::Condition => "a condition: `METRIC OP VALUE [over TIME] [for TIME]`".to_owned(),
        Type::Template => "a text, with `${…}` for references".to_owned(),
        kind => shape::expects(kind).to_owned(),
    }
}

/// A line per field: its key and the first sentence about it, with the type of resource where `types` differ.
fn list(out: &mut String, fields: impl Iterator<Item = &'static Field>, types: bool) {
    let lines = fields.map(|field| {
        let first = field.doc.find(": ").into_iter().chain(field.doc.find(". ")).min();
        let doc = first.map_or(field.doc.trim_end_matches('.'), |end| &field.doc[..end]);
        let of = if types { of(field, |of| format!(" ({of})")) } else { String::new() };
        (fields::last(field.path).to_owned(), format!("{doc}{of}"))
    });
    columns(out, lines);
}

fn columns(out: &mut String, lines: impl Iterator<Item = (String, String)>) {
    let lines: Vec<(String, String)> = lines.collect();
    let width = lines.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    for (left, right) in lines {
        out.push_str(&format!("  {left:<width$}  {right}\n"));
    }
}
