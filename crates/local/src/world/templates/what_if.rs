//! What a deployment would change, told without changing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::evaluate::{Frame, Machine, Phase};
use super::template::{Violation, is_deployment, sendable};
use super::{Deployment, complete, expression, functions, nested, preflight, prepare};
use crate::world::arm::id::Id;
use crate::world::arm::{Ask, Caller, kind};
use crate::world::{Method, Response, World};

/// Codes of what is wrong with a template rather than with the request.
const OF_TEMPLATE: [&str; 3] = ["InvalidContentLink", "InvalidTemplate", "InvalidTemplateDeployment"];

/// Nested deployments are looked into so deep.
const DEPTH_MAX: usize = 5;

/// `POST …/whatIf`.
///
/// # Errors
/// What would refuse the deployment itself.
pub fn serve(world: &mut World, ask: &Ask, scope: &Id, name: &str) -> Result<Response, Violation> {
    let prepared = prepare::prepare(world, ask, scope, name);
    let prepared = prepared.and_then(|prepared| Ok(preflight::check(world, &prepared).map(|()| prepared)?));
    super::links::must_be_read(world)?;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        // to have found out that the template is wrong is a success of the operation
        Err(violation) if OF_TEMPLATE.contains(&violation.refusal.code.as_str()) => {
            let error = super::error_of(&violation);
            return Ok(Response::json(200, &json!({"status": "Failed", "error": error})));
        }
        Err(violation) => return Err(violation),
    };
    let ids_only = prepared.body["properties"]["whatIfSettings"]["resultFormat"]
        .as_str()
        .is_some_and(|format| format.eq_ignore_ascii_case("ResourceIdOnly"));
    let mut changes = Vec::new();
    let mut seen = BTreeSet::new();
    walk(world, &prepared.deployment, &prepared.frame, ids_only, &mut changes, &mut seen, 0);
    let absent = complete::absent(world, &prepared.deployment, &seen);
    for id in absent.into_iter().filter(|_| scope.group.is_some()) {
        let kind = if prepared.deployment.complete { "Delete" } else { "Ignore" };
        let mut change = json!({"resourceId": id.to_string(), "changeType": kind});
        if !ids_only && let Some(before) = now_there(world, ask.caller, &ask.request.origin, &id, None) {
            change["before"] = before;
        }
        changes.push(change);
    }
    changes.sort_by_key(|change| change["resourceId"].as_str().unwrap_or_default().to_ascii_lowercase());
    Ok(Response::json(
        200,
        &json!({"status": "Succeeded", "properties": {"correlationId": prepared.deployment.correlation, "changes": changes}}),
    ))
}

fn walk(
    world: &mut World,
    deployment: &Deployment,
    frame: &Arc<Frame>,
    ids_only: bool,
    changes: &mut Vec<Value>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    for node in deployment.nodes.iter().filter(|node| node.wanted && !node.existing) {
        seen.insert(node.id.key());
        if is_deployment(&node.kind) {
            match nested::preview(world, frame, node).filter(|_| depth < DEPTH_MAX) {
                Some((child, frame)) => walk(world, &child, &frame, ids_only, changes, seen, depth + 1),
                None => changes.push(json!({
                    "resourceId": node.id.to_string(), "changeType": "Unsupported",
                    "unsupportedReason": "The nested deployment's parameters or template are known only when it runs.",
                })),
            }
            continue;
        }
        let id = node.id.to_string();
        if ids_only {
            changes.push(json!({"resourceId": id, "changeType": "Deploy"}));
            continue;
        }
        let source = frame.template.pointer(&node.pointer).cloned().unwrap_or(Value::Null);
        let mut machine = Machine::new(world, frame, Phase::Preview);
        machine.copies.clone_from(&node.copies);
        let Ok(mut after) = machine.expand(&sendable(&source)) else { continue };
        let about = |body: &mut Value| {
            body["id"] = json!(id);
            body["name"] = json!(node.id.name());
            body["type"] = json!(node.id.kind());
            body["apiVersion"] = json!(node.api_version);
            if let Some(group) = &node.id.group {
                body["resourceGroup"] = json!(group);
            }
        };
        let before = now_there(world, &frame.caller, &frame.origin, &node.id, Some(&node.api_version));
        let Some(before) = before else {
            about(&mut after);
            changes.push(json!({"resourceId": id, "changeType": "Create", "after": after}));
            continue;
        };
        let computed = kind::row(&node.id.kind()).computed;
        let mut delta = Vec::new();
        compare("", &before, &after, computed, &mut delta);
        let mut merged = before.clone();
        crate::world::arm::merge(&mut merged, &after);
        about(&mut merged);
        let real = delta.iter().any(|change| change["propertyChangeType"] != "NoEffect");
        let mut change = json!({
            "resourceId": id, "changeType": if real { "Modify" } else { "NoChange" }, "before": before, "after": merged,
        });
        change["delta"] = Value::Array(delta);
        changes.push(change);
    }
}

/// A resource as it is now, without what it says of itself.
fn now_there(
    world: &mut World,
    caller: &Caller,
    origin: &str,
    id: &Id,
    version: Option<&str>,
) -> Option<Value> {
    let version = match version {
        Some(version) => version.to_owned(),
        None => world.arm.find(&id.key())?.api_version.clone(),
    };
    let mut found =
        super::ask(world, caller, origin, Method::Get, &id.to_string(), &version, Value::Null).ok()?;
    if let Some(map) = found.as_object_mut() {
        map.shift_remove("systemData");
        map.shift_remove("etag");
        map.insert("apiVersion".into(), json!(version));
        if let Some(group) = &id.group {
            map.insert("resourceGroup".into(), json!(group));
        }
        if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove("provisioningState");
        }
    }
    Some(found)
}

/// Property changes between what is there and what a template says; what it does not say stays as it is, but for
/// tags, which a PUT replaces.
fn compare(path: &str, before: &Value, after: &Value, computed: &[&str], delta: &mut Vec<Value>) {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return };
    for (key, wanted) in new {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let found = old.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, it)| it);
        // what is known only later counts as it is
        if wanted.as_str().is_some_and(expression::is_expression) || wanted.is_null() {
            continue;
        }
        if computed.iter().any(|it| it.eq_ignore_ascii_case(&here)) {
            if found.is_some_and(|found| !alike(found, wanted)) {
                delta.push(
                    json!({"path": here, "propertyChangeType": "NoEffect", "before": null, "after": wanted}),
                );
            }
            continue;
        }
        match found {
            None | Some(Value::Null) => {
                delta.push(
                    json!({"path": here, "propertyChangeType": "Create", "before": null, "after": wanted}),
                );
            }
            Some(found) if found.is_object() && wanted.is_object() => {
                compare(&here, found, wanted, computed, delta);
            }
            Some(Value::Array(found)) if wanted.is_array() => {
                let children = items(found, wanted.as_array().map_or(&[], Vec::as_slice), computed);
                if !children.is_empty() {
                    delta.push(json!({
                        "path": here, "propertyChangeType": "Array", "before": null, "after": null, "children": children,
                    }));
                }
            }
            Some(found) if alike(found, wanted) || (here == "location" && same_place(found, wanted)) => {}
            Some(found) => {
                delta.push(
                    json!({"path": here, "propertyChangeType": "Modify", "before": found, "after": wanted}),
                );
            }
        }
    }
    let replaced = path.eq_ignore_ascii_case("tags");
    for (key, found) in old.iter().filter(|_| replaced) {
        if !new.keys().any(|known| known.eq_ignore_ascii_case(key)) {
            let here = format!("{path}.{key}");
            delta.push(json!({"path": here, "propertyChangeType": "Delete", "before": found, "after": null}));
        }
    }
}

/// Changes of an array's items by their place.
fn items(found: &[Value], wanted: &[Value], computed: &[&str]) -> Vec<Value> {
    let mut children = Vec::new();
    for at in 0..found.len().max(wanted.len()) {
        let path = at.to_string();
        match (found.get(at), wanted.get(at)) {
            (Some(found), Some(wanted)) if found.is_object() && wanted.is_object() => {
                let mut inner = Vec::new();
                compare("", found, wanted, computed, &mut inner);
                if !inner.is_empty() {
                    children.push(json!({
                        "path": path, "propertyChangeType": "Modify", "before": null, "after": null, "children": inner,
                    }));
                }
            }
            (Some(found), Some(wanted))
                if alike(found, wanted) || wanted.as_str().is_some_and(expression::is_expression) => {}
            (Some(found), Some(wanted)) => {
                children.push(
                    json!({"path": path, "propertyChangeType": "Modify", "before": found, "after": wanted}),
                );
            }
            (Some(found), None) => {
                children.push(
                    json!({"path": path, "propertyChangeType": "Delete", "before": found, "after": null}),
                );
            }
            (None, Some(wanted)) => {
                children.push(
                    json!({"path": path, "propertyChangeType": "Create", "before": null, "after": wanted}),
                );
            }
            (None, None) => {}
        }
    }
    children
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b || (a.starts_with('/') && a.eq_ignore_ascii_case(b)),
        (a, b) => functions::same(a, b),
    }
}

fn same_place(a: &Value, b: &Value) -> bool {
    let normal = |it: &Value| crate::world::arm::subscriptions::normal(it.as_str().unwrap_or_default());
    normal(a) == normal(b)
}
