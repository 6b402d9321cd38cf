//! Templates of what is there.

use serde_json::{Value, json};

use crate::world::arm::gate::authorize;
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Answer, Ask, groups, kind, resources, take};
use crate::world::{Response, World};

/// `POST …/resourceGroups/G/exportTemplate`: all resources, or those that the body names.
pub fn group(world: &mut World, ask: &Ask) -> Answer {
    let scope = &ask.path.id;
    authorize(
        world,
        ask.caller,
        "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
        scope,
    )?;
    groups::must_exist(world, scope)?;
    let named: Vec<String> = ask.body["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it.as_str().map(str::to_ascii_lowercase))
        .collect();
    if named.is_empty() {
        return Err(Refusal::bad(
            "InvalidRequestContent",
            "The request content was invalid: 'resources' must name resources, or be [\"*\"].",
        ));
    }
    for name in named.iter().filter(|name| *name != "*") {
        let id = Id::parse(name).unwrap_or_default();
        resources::must_have_resource(world, &id)?;
    }
    let wanted = |id: &Id| named.iter().any(|name| name == "*" || *name == id.key());
    let exported: Vec<Value> = world
        .arm
        .below(scope)
        .map(|(_, resource)| resource)
        .filter(|resource| wanted(&resource.id) && resource.id.stretches.len() == 1)
        .map(|resource| {
            let mut body = resource.body.clone();
            for path in kind::row(&resource.kind).computed {
                take(&mut body, path);
            }
            let mut shown = json!({
                "type": resource.kind, "apiVersion": resource.api_version, "name": resource.id.full_name(),
            });
            if let Some(parent) = resource.id.parent() {
                let names: Vec<String> =
                    parent.full_name().split('/').map(|name| format!(", '{name}'")).collect();
                shown["dependsOn"] = json!([format!("[resourceId('{}'{})]", parent.kind(), names.concat())]);
            }
            if let (Some(shown), Some(body)) = (shown.as_object_mut(), body.as_object()) {
                shown.extend(body.iter().map(|(key, value)| (key.clone(), escaped(value))));
            }
            shown
        })
        .collect();
    Ok(Response::json(
        200,
        &json!({"template": {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "parameters": {}, "variables": {}, "resources": exported,
        }}),
    ))
}

/// Text that would be an expression is escaped.
fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('[') && text.ends_with(']') => json!(format!("[{text}")),
        Value::Array(list) => list.iter().map(escaped).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), escaped(value))).collect(),
        other => other.clone(),
    }
}
