//! A blueprint as ARM JSON, with what only the deployment knows as ARM expression strings.

use serde_json::{Map, Value};

use crate::body::Body;
use crate::expression::Expression;
use crate::resource::{self, RESOURCE_GROUP, Resource};
use crate::{Blueprint, services};

/// What a resource's JSON begins with after its envelope; the rest follows as the body has it.
const ORDER: &[&str] = &["location", "identity", "sku", "kind", "tags", "properties"];

/// The array that `landfall blueprint --json` prints, in creation order: of each resource `address`, `type`,
/// `apiVersion`, `name`, `scope` and its body.
pub fn template(blueprint: &Blueprint) -> Value {
    Value::Array(blueprint.resources.iter().map(|resource| one(blueprint, resource)).collect())
}

fn one(blueprint: &Blueprint, resource: &Resource) -> Value {
    let mut map = Map::new();
    map.insert("address".to_owned(), resource.address.as_str().into());
    map.insert("type".to_owned(), resource.resource_type.into());
    map.insert("apiVersion".to_owned(), resource.api_version.into());
    map.insert("name".to_owned(), name(blueprint, resource));
    map.insert("scope".to_owned(), resource.scope.as_str().into());
    if let Body::Object(body) = &resource.body {
        let first = ORDER.iter().filter_map(|key| Some((*key, body.get(key)?)));
        let rest = body.iter().filter(|(key, _)| !ORDER.contains(key));
        for (key, value) in first.chain(rest) {
            map.insert(key.to_owned(), json(blueprint, value));
        }
    }
    Value::Object(map)
}

fn name(blueprint: &Blueprint, resource: &Resource) -> Value {
    let Some(named) = &resource.named else { return literal(&resource.name) };
    let parent = resource.name.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent = quoted(&format!("{parent}/"));
    format!("[concat({parent}, {})]", function(blueprint, named)).into()
}

/// A body with its expressions as ARM writes them.
pub fn json(blueprint: &Blueprint, body: &Body) -> Value {
    match body {
        Body::Null => Value::Null,
        Body::Kept(value) => value.clone(),
        Body::Bool(value) => Value::Bool(*value),
        Body::Number(number) => Value::Number(number.clone()),
        Body::String(text) => literal(text),
        Body::Array(items) => Value::Array(items.iter().map(|item| json(blueprint, item)).collect()),
        Body::Object(object) => Value::Object(
            object.iter().map(|(key, value)| (key.to_owned(), json(blueprint, value))).collect(),
        ),
        // An id is known, so that it can be compared and read.
        Body::Expression(Expression::Id { of }) => match blueprint.get(of) {
            Some(resource) => resource.id().into(),
            None => Value::Null,
        },
        Body::Expression(expression) => format!("[{}]", function(blueprint, expression)).into(),
    }
}

/// A text that begins with `[` gets a second one, or ARM would take it for an expression.
fn literal(text: &str) -> Value {
    match text.starts_with('[') {
        true => format!("[{text}").into(),
        false => text.into(),
    }
}

/// An expression in ARM's language, without the brackets around it.
pub fn function(blueprint: &Blueprint, expression: &Expression) -> String {
    match expression {
        Expression::Id { of } => blueprint.get(of).map_or_else(|| quoted(""), resource_id),
        Expression::Property { of, path } => {
            let Some(of) = blueprint.get(of) else { return quoted("") };
            let (id, version) = (resource_id(of), of.api_version);
            match path.strip_prefix("properties.") {
                Some(path) => format!("reference({id}, '{version}').{path}"),
                None => format!("reference({id}, '{version}', 'full').{path}"),
            }
        }
        Expression::ListKeys { of, path } => {
            let Some(of) = blueprint.get(of) else { return quoted("") };
            format!("listKeys({}, '{}').{path}", resource_id(of), of.api_version)
        }
        Expression::Image { service } => format!("parameters({})", quoted(&format!("image-{service}"))),
        Expression::RevisionSuffix { service } => {
            format!("parameters({})", quoted(&format!("revision-{service}")))
        }
        Expression::SecretUri { vault, secret } => {
            let Some(vault) = blueprint.get(vault) else { return quoted("") };
            let name = format!("{}/{secret}", vault.name);
            let id = id_function(&vault.scope, &format!("{}/secrets", services::vault::TYPE), &name);
            format!("reference({id}, '{}').secretUriWithVersion", vault.api_version)
        }
        // A template cannot read a secret's value; whoever deploys one gives it as a secure parameter.
        Expression::SecretValue { secret, .. } => {
            format!("parameters({})", quoted(&format!("secret-{secret}")))
        }
        Expression::Tenant => "subscription().tenantId".to_owned(),
        Expression::Concat { of } => {
            let pieces: Vec<String> = of.iter().map(|piece| argument(blueprint, piece)).collect();
            format!("concat({})", pieces.join(", "))
        }
    }
}

fn argument(blueprint: &Blueprint, piece: &Body) -> String {
    match piece {
        Body::Expression(expression) => function(blueprint, expression),
        Body::String(text) => quoted(text),
        other => quoted(&other.to_json().map(|value| value.to_string()).unwrap_or_default()),
    }
}

fn resource_id(resource: &Resource) -> String {
    id_function(&resource.scope, resource.resource_type, &resource.name)
}

/// `resourceId` with subscription and group, which means the same wherever the template is deployed; what is
/// not in a group by its id.
fn id_function(scope: &str, resource_type: &str, name: &str) -> String {
    let parts: Vec<&str> = scope.split('/').collect();
    match parts[..] {
        ["", "subscriptions", subscription, "resourceGroups", group] if resource_type != RESOURCE_GROUP => {
            let names: Vec<String> = name.split('/').map(quoted).collect();
            format!(
                "resourceId({}, {}, {}, {})",
                quoted(subscription),
                quoted(group),
                quoted(resource_type),
                names.join(", ")
            )
        }
        _ => quoted(&resource::id(scope, resource_type, name)),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
