//! From a checked and filled tree to the App.
//!
//! The nouns read themselves (`serde`); everything here may rely on the checks before it.

use serde_json::{Map, json};

use crate::app::App;
use crate::diagnostic::Place;
use crate::fields;
use crate::load::Environment;
use crate::origin::{Entry, Origin, Origins};
use crate::tree::{Layer, Node, Table, Value};

/// The App that `root` says in `environment`.
///
/// # Errors
/// When the nouns do not take what the table of fields lets through, which would be a mistake of this room.
pub(crate) fn build(place: Place<'_>, root: &Table, environment: &Environment) -> serde_json::Result<App> {
    let mut said = object(root);
    let services = said.get_mut("service").and_then(serde_json::Value::as_object_mut);
    for service in services.into_iter().flat_map(|all| all.values_mut()) {
        join_source(service);
    }
    said.insert("environment".to_owned(), environment.name.as_str().into());
    said.insert("tier".to_owned(), environment.tier.as_str().into());
    said.insert("subscription".to_owned(), environment.own.get("subscription").and_then(Node::text).into());
    let app: App = serde_json::from_value(said.into())?;
    Ok(App { origins: origins(place, root, environment), ..app })
}

/// `source` and `image` are one noun: what a service is made from.
fn join_source(service: &mut serde_json::Value) {
    let Some(service) = service.as_object_mut() else { return };
    let source = match (service.remove("image"), service.remove("source")) {
        (Some(image), _) => json!({ "image": image }),
        (None, Some(folder)) => json!({ "folder": folder }),
        (None, None) => return,
    };
    service.insert("source".to_owned(), source);
}

fn object(table: &Table) -> Map<String, serde_json::Value> {
    table.iter().map(|(key, node)| (key.clone(), value(node))).collect()
}

/// The JSON of a checked value.
fn value(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(yes) => (*yes).into(),
        Value::List(items) => items.iter().map(value).collect(),
        Value::Table(table) => object(table).into(),
        // Both were reported, and there is no App then.
        Value::Date | Value::Broken => serde_json::Value::Null,
    }
}

/// Where each value came from.
fn origins(place: Place<'_>, root: &Table, environment: &Environment) -> Origins {
    let mut origins = Origins::default();
    collect(place, root, "", &mut origins);
    let mut own = environment.own.clone();
    own.entry("tier".to_owned()).or_insert_with(|| {
        let word = Value::Text(environment.tier.as_str().to_owned());
        Node::default(word, None, "the environment's own name")
    });
    collect(place, &own, &fields::join("environment", &environment.name), &mut origins);
    origins
}

fn collect(place: Place<'_>, table: &Table, path: &str, origins: &mut Origins) {
    for (key, node) in table {
        let path = fields::join(path, &bare(key));
        let tables = tables_at_the_top(&path, node);
        let value = match &node.value {
            Value::Table(table) if !table.is_empty() => None,
            _ if tables.is_some() => None,
            _ => Some(toml(node)),
        };
        origins.insert(path.clone(), Entry { origin: origin(place, node), value });
        for (number, item) in tables.into_iter().flatten().enumerate() {
            let path = format!("{path}[{number}]");
            origins.insert(path.clone(), Entry { origin: origin(place, item), value: None });
            if let Value::Table(inner) = &item.value {
                collect(place, inner, &path, origins);
            }
        }
        if let Value::Table(inner) = &node.value {
            collect(place, inner, &path, origins);
        }
    }
}

fn origin(place: Place<'_>, node: &Node) -> Origin {
    let written = match &node.value {
        // Of a table its name is meant, not the brackets around it.
        Value::Table(_) => node.key.clone(),
        _ => node.span.clone(),
    };
    match &node.layer {
        Layer::Default { tier, why } => Origin::Default { tier: *tier, why: why.clone() },
        Layer::Base | Layer::Environment(_) => Origin::Written {
            file: place.file.to_owned(),
            line: place.position(written.start).0,
            span: written,
            environment: match &node.layer {
                Layer::Environment(name) => Some(name.clone()),
                _ => None,
            },
        },
    }
}

/// The items of a list of tables that has no table around it: those are shown as `[[alert]]`, value by value.
fn tables_at_the_top<'a>(path: &str, node: &'a Node) -> Option<&'a [Node]> {
    let items = node.list().filter(|_| !path.contains('.'))?;
    (!items.is_empty() && items.iter().all(|item| item.table().is_some())).then_some(items)
}

/// A value as one line of TOML.
fn toml(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(yes) => yes.to_string(),
        Value::Date | Value::Broken => String::new(),
        Value::List(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, node)| format!("{} = {}", bare(key), toml(node))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key, in quotes where it needs them.
pub(crate) fn bare(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A text in TOML's quotes, on one line.
pub(crate) fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's, but for the one control character that JSON leaves alone.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
