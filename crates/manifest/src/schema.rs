//! The JSON Schema of the manifest, written from the table of fields.

use serde_json::{Map, Value, json};

use crate::app::Tier;
use crate::fields::{self, Default, Field, Type};
use crate::host::{self, HOSTS};
use crate::resource as types;
use crate::rules::Rule;
use crate::tree;

/// The JSON Schema of `landfall.toml` (draft 2020-12), for editors.
///
/// It knows every key, type, bound and choice. What the parts of a manifest say about each other (references, pairs
/// of cpu and memory) is left to [`crate::load`].
pub fn schema() -> Value {
    let mut root = Map::new();
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), "landfall.toml".into());
    root.insert("description".into(), "An application and what it takes to run it on Azure.".into());
    root.append(&mut object(properties("", None, false), &["app"]));
    // A region that only the environments say is enough.
    root.insert("anyOf".into(), json!([{ "required": ["region"] }, { "required": ["environment"] }]));
    let mut overlay = object(overlay(), &[]);
    overlay.insert("description".into(), describe(field("environment.*")).into());
    root.insert(
        "$defs".into(),
        json!({
            "environment": overlay,
            "service": { "description": describe(field("service.*")), "oneOf": services(true) },
            "service-overlay": { "anyOf": services(false) },
            "resource": { "oneOf": resources(true) },
            "resource-overlay": { "anyOf": resources(false) },
        }),
    );
    Value::Object(root)
}

/// What may stand in `[environment.NAME]`.
fn overlay() -> Map<String, Value> {
    let mut all = properties("environment.*", None, false);
    for key in fields::OVERLAID {
        all.insert((*key).to_owned(), of_field(field(key), None, true));
    }
    all
}

/// One table per host; in an overlay the host may be left out, and stands in the base.
fn services(required: bool) -> Vec<Value> {
    let variants = HOSTS.iter().map(|kind| {
        let mut all = properties("service.*", Some(kind.name), !required);
        all.insert("host".into(), json!({ "const": kind.name, "description": kind.doc }));
        let needs: &[&str] = if required && kind.name != host::USUAL { &["host"] } else { &[] };
        let mut table = object(all, needs);
        table.insert("not".into(), json!({ "required": ["source", "image"] }));
        table.insert("description".into(), format!("A service on {}.", kind.doc).into());
        Value::Object(table)
    });
    variants.collect()
}

/// One table per type of resource.
fn resources(required: bool) -> Vec<Value> {
    let variants = types::KINDS.iter().map(|kind| {
        let mut all = properties("resource.*", Some(kind.name), false);
        let word = json!({ "const": kind.name, "description": kind.doc });
        all.insert("type".into(), word);
        let mut table = object(all, if required { &["type"] } else { &[] });
        table.insert("description".into(), format!("A {}: {}.", kind.name, kind.doc).into());
        Value::Object(table)
    });
    variants.collect()
}

fn properties(path: &str, kind: Option<&str>, overlay: bool) -> Map<String, Value> {
    let below = fields::below(path, kind).filter(|field| fields::last(field.path) != "*");
    below.map(|field| (fields::last(field.path).to_owned(), of_field(field, kind, overlay))).collect()
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), Value::Object(properties));
    object.insert("additionalProperties".into(), false.into());
    if !required.is_empty() {
        object.insert("required".into(), json!(required));
    }
    object
}

fn of_field(field: &Field, kind: Option<&str>, overlay: bool) -> Value {
    let mut out = of_type(&field.kind, field.path, kind, overlay);
    out.insert("description".into(), describe(field).into());
    if let Default::Same(literal, _) = field.default {
        out.insert("default".into(), literal_json(literal));
    }
    Value::Object(out)
}

fn of_type(kind: &Type, path: &str, resource: Option<&str>, overlay: bool) -> Map<String, Value> {
    let value = match kind {
        Type::Table => {
            let required: Vec<&str> = fields::below(path, resource)
                .filter(|field| matches!(field.default, Default::Required))
                .map(|field| fields::last(field.path))
                .collect();
            return object(properties(path, resource, overlay), &required);
        }
        Type::Named(rule) => {
            let entry = match (path, overlay) {
                ("resource" | "service", true) => json!({ "$ref": format!("#/$defs/{path}-overlay") }),
                ("environment" | "service" | "resource", _) => json!({ "$ref": format!("#/$defs/{path}") }),
                (path, _) => Value::Object(of_type(&Type::Table, &format!("{path}.*"), resource, overlay)),
            };
            json!({
                "type": "object",
                "propertyNames": text(rule),
                "additionalProperties": entry,
            })
        }
        Type::Map(rule, inner) => json!({
            "type": "object",
            "propertyNames": text(rule),
            "additionalProperties": of_type(inner, path, resource, overlay),
        }),
        Type::List(inner) => json!({ "type": "array", "items": of_type(inner, path, resource, overlay) }),
        Type::OneOrMany(inner) => {
            let one = of_type(inner, path, resource, overlay);
            json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
        Type::Tables => {
            let items = object(properties(&format!("{path}[]"), resource, overlay), &[]);
            json!({ "type": "array", "items": items })
        }
        Type::Text(rule) if path == "region" => {
            let _ = rule;
            let regions: Vec<&str> = crate::regions::REGIONS.iter().map(|(name, _)| *name).collect();
            json!({ "enum": regions })
        }
        Type::Text(rule) => return text(rule),
        Type::Template => json!({ "type": "string" }),
        Type::Condition => {
            json!({ "type": "string", "pattern": "^[a-z0-9_]+ *(\"[^\"]+\"|'[^']+')? *[<>]=?" })
        }
        Type::Severity => json!({
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": 4 },
                { "type": "string", "enum": crate::watch::Severity::WORDS },
            ]
        }),
        Type::Choice(choices) => {
            let words: Vec<Value> =
                choices.iter().map(|(word, doc)| json!({ "const": word, "description": doc })).collect();
            json!({ "type": "string", "oneOf": words })
        }
        Type::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Cpu if resource == Some("kubernetes") => json!({ "type": "number", "minimum": 0.001 }),
        Type::Cpu => json!({ "type": "number", "minimum": 0.25, "maximum": 32, "multipleOf": 0.25 }),
        Type::Memory => json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(Gi|GiB|Mi|MiB)$" }),
        Type::Days { .. } => json!({ "type": "string", "pattern": "^[0-9]+[dwh]$" }),
        Type::Share => json!({
            "oneOf": [
                { "type": "integer", "minimum": 1, "maximum": 100 },
                { "type": "string", "pattern": "^(100|[1-9][0-9]?)%$" },
            ]
        }),
        Type::Json => json!({ "type": "object" }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn text(rule: &Rule) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("type".into(), "string".into());
    if rule.length.start > 0 {
        out.insert("minLength".into(), rule.length.start.into());
    }
    out.insert("maxLength".into(), rule.length.end.into());
    if let Some(pattern) = rule.pattern {
        out.insert("pattern".into(), pattern.into());
    }
    out
}

/// The doc of a field with its default, as an editor shows it.
fn describe(field: &Field) -> String {
    match &field.default {
        Default::Required => field.doc.to_owned(),
        Default::Absent(meaning) | Default::Fields(meaning) => format!("{} Left out: {meaning}.", field.doc),
        Default::Same(value, why) => format!("{} Default: {value} ({why}).", field.doc),
        Default::Tiers(values, why) => {
            let values: Vec<String> =
                Tier::ALL.iter().zip(values).map(|(tier, value)| format!("{tier} {value}")).collect();
            format!("{} Default: {} ({why}).", field.doc, values.join(", "))
        }
    }
}

fn field(path: &str) -> &'static Field {
    fields::at(path, None).expect("a row of the table of fields")
}

fn literal_json(literal: &str) -> Value {
    to_json(&crate::resolve::default_node(literal, None, ""))
}

fn to_json(node: &tree::Node) -> Value {
    match &node.value {
        tree::Value::Text(text) => text.as_str().into(),
        tree::Value::Integer(number) => (*number).into(),
        tree::Value::Float(number) => (*number).into(),
        tree::Value::Boolean(yes) => (*yes).into(),
        tree::Value::List(items) => items.iter().map(to_json).collect(),
        tree::Value::Table(_) | tree::Value::Date | tree::Value::Broken => Value::Null,
    }
}
