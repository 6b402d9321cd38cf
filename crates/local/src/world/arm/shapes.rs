//! What a body has to look like before any rule looks at it: a known property that should be an object, a list, a
//! number is refused as anything else, as services refuse what they cannot deserialize.
//!
//! Properties are known by namespace and name, from Azure's type data (`Azure/bicep-types-az`), where every type of the
//! namespace agrees on the shape and a rule here looks at the property. `shapes.txt` has a line for each namespace and
//! shape. As Azure does, a boolean and a number are taken as text too, and a string as number or boolean.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::id::Id;
use super::kind;
use super::refusal::Refusal;

static TABLE: &str = include_str!("shapes.txt");

/// Below these names are the user's own.
const OWN: &[&str] = &[
    "tags",
    "metadata",
    "userAssignedIdentities",
    "environmentVariables",
    "annotations",
    "parameters",
    "customProperties",
];

/// Deepest body that is looked at.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Object,
    Objects,
    List,
    Boolean,
    Number,
    Text,
}

impl Shape {
    fn of(word: &str) -> Option<Shape> {
        Some(match word {
            "object" => Shape::Object,
            "objects" => Shape::Objects,
            "list" => Shape::List,
            "boolean" => Shape::Boolean,
            "number" => Shape::Number,
            "string" => Shape::Text,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Shape::Object => "an object",
            Shape::Objects => "an array of objects",
            Shape::List => "an array",
            Shape::Boolean => "a boolean",
            Shape::Number => "a number",
            Shape::Text => "a string",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) | (Shape::Object, Value::Object(_)) | (Shape::List, Value::Array(_)) => true,
            (Shape::Objects, Value::Array(list)) => {
                list.iter().all(|item| matches!(item, Value::Object(_) | Value::Null))
            }
            (Shape::Boolean, Value::Bool(_)) | (Shape::Number, Value::Number(_)) => true,
            (Shape::Boolean, Value::String(text)) => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            (Shape::Number, Value::String(text)) => text.parse::<f64>().is_ok(),
            (Shape::Text, value) => !matches!(value, Value::Object(_) | Value::Array(_)),
            _ => false,
        }
    }
}

type Names = BTreeMap<String, Shape>;

/// Shapes by namespace and name, both in lower case.
fn table() -> &'static BTreeMap<String, Names> {
    static READ: OnceLock<BTreeMap<String, Names>> = OnceLock::new();
    READ.get_or_init(|| {
        let mut all: BTreeMap<String, Names> = BTreeMap::new();
        for line in TABLE.lines() {
            let mut words = line.split_whitespace();
            if let (Some(namespace), Some(shape)) = (words.next(), words.next().and_then(Shape::of)) {
                let names = all.entry(namespace.to_ascii_lowercase()).or_default();
                names.extend(words.map(|name| (name.to_ascii_lowercase(), shape)));
            }
        }
        all
    })
}

/// Refuses a body with a known property of the wrong shape. Types without a row, and settings whose names are the
/// user's, are taken as they come.
pub(super) fn check(id: &Id, body: &Value) -> Result<(), Refusal> {
    let kind = id.kind();
    if kind::find(&kind).is_none() || kind.to_ascii_lowercase().ends_with("/config") {
        return Ok(());
    }
    match table().get(&id.namespace().to_ascii_lowercase()) {
        Some(names) => walk(names, body, "", 0),
        None => Ok(()),
    }
}

fn walk(names: &Names, value: &Value, path: &str, depth: usize) -> Result<(), Refusal> {
    if depth > DEPTH_MAX {
        return Err(Refusal::bad(
            "InvalidRequestContent",
            format!(
                "The request content was invalid and could not be deserialized: it is nested deeper than {DEPTH_MAX}."
            ),
        ));
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if OWN.iter().any(|own| own.eq_ignore_ascii_case(key)) {
                    continue;
                }
                if let Some(shape) = names.get(&key.to_ascii_lowercase()).filter(|shape| !shape.fits(value)) {
                    return Err(wrong(*shape, value, here));
                }
                walk(names, value, &here, depth + 1)?;
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                walk(names, value, &format!("{path}[{at}]"), depth + 1)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn wrong(shape: Shape, value: &Value, path: String) -> Refusal {
    let shown: String = value.to_string().chars().take(60).collect();
    Refusal::bad(
        "InvalidRequestContent",
        format!(
            "The request content was invalid and could not be deserialized: 'The value {shown} is not {}. Path \
             '{path}'.'.",
            shape.name()
        ),
    )
    .at(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        for line in TABLE.lines() {
            let mut words = line.split_whitespace();
            let names = &table()[&words.next().unwrap().to_ascii_lowercase()];
            let shape = Shape::of(words.next().unwrap()).unwrap();
            assert!(words.all(|name| names[&name.to_ascii_lowercase()] == shape), "{line}");
        }
    }

    #[test]
    fn a_property_of_the_wrong_shape_is_named() {
        let id =
            Id::parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/web").unwrap();
        let target =
            |body: Value| check(&id, &body).err().and_then(|refusal| refusal.target).unwrap_or_default();
        let right = json!({"properties": {"Configuration": {"ingress": {"targetPort": "80", "external": "True"}}, "template": null}});
        assert_eq!(&*target(right), "");
        assert_eq!(
            &*target(json!({"properties": {"template": {"containers": {}}}})),
            "properties.template.containers"
        );
        assert_eq!(
            &*target(json!({"properties": {"template": {"containers": ["x"]}}})),
            "properties.template.containers"
        );
        assert_eq!(
            &*target(json!({"properties": {"configuration": {"ingress": {"targetPort": "eighty"}}}})),
            "properties.configuration.ingress.targetPort"
        );
        assert_eq!(&*target(json!({"tags": {"template": "mine"}})), "", "a tag's name is the user's");
    }
}
