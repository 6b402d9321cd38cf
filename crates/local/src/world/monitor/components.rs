//! Application Insights: components, which keep what they get in a workspace, and their API keys.

use serde_json::{Value, json};

use super::{WORKSPACE, bad};
use crate::world::arm::kind::{Call, Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, stamp, take};
use crate::world::checks::{between, list, named, one_of, text};
use crate::world::{Method, Response, World, chance};

#[derive(Debug)]
pub(super) struct Components;

impl Rules for Components {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let near = text(body, "location").to_owned();
        let workspace = text(body, "properties.WorkspaceResourceId").to_owned();
        if workspace.is_empty() {
            return Err(bad(
                "Classic Application Insights is retired: a component needs WorkspaceResourceId.",
            ));
        }
        if named(world, &workspace, WORKSPACE).is_none() {
            return Err(bad(format!("The workspace '{workspace}' of the component was not found.")));
        }
        default(body, "kind", json!("web"));
        default(body, "properties.Application_Type", json!("web"));
        one_of(body, "properties.Application_Type", &["web", "other"], |value| {
            bad(format!("The Application_Type '{value}' is invalid."))
        })?;
        between(body, "properties.RetentionInDays", 30..=730, |value| {
            bad(format!("The retention {value} is invalid."))
        })?;
        let key = chance::fixed_uuid(world.config.seed, &format!("instrumentation {}", change.id.key()));
        let app = chance::fixed_uuid(world.config.seed, &format!("application {}", change.id.key()));
        for (name, value) in [
            ("InstrumentationKey", json!(key)),
            ("AppId", json!(app)),
            ("ApplicationId", json!(change.id.name())),
            ("Name", json!(change.id.name())),
            ("TenantId", json!(world.config.subscription)),
            ("CreationDate", json!(stamp(world.now))),
            ("RetentionInDays", json!(90)),
            ("IngestionMode", json!("LogAnalytics")),
            ("publicNetworkAccessForIngestion", json!("Enabled")),
            ("publicNetworkAccessForQuery", json!("Enabled")),
            (
                "ConnectionString",
                json!(format!(
                    "InstrumentationKey={key};IngestionEndpoint=https://{near}-1.in.applicationinsights.azure.com/;LiveEndpoint=https://{near}.livediagnostics.monitor.azure.com/;ApplicationId={app}"
                )),
            ),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "systemData");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let [first, rest @ ..] = call.rest.as_slice() else { return None };
        if !first.eq_ignore_ascii_case("ApiKeys") {
            return None;
        }
        match (call.request.method, rest) {
            (Method::Post, []) => Some(make_key(world, call)),
            (Method::Get, []) => {
                let keys =
                    world.arm.find(&call.id.key()).map(|found| list(&found.private, "apiKeys").to_vec());
                Some(Ok(Response::json(200, &json!({"value": keys.unwrap_or_default()}))))
            }
            (Method::Get, [id]) => Some(key(world, call, id).map(|key| Response::json(200, &key))),
            (Method::Delete, [id]) => Some(key(world, call, id).map(|gone| {
                if let Some(found) = world.arm.find_mut(&call.id.key())
                    && let Some(keys) = found.private["apiKeys"].as_array_mut()
                {
                    keys.retain(|it| it["id"] != gone["id"]);
                }
                Response::json(200, &gone)
            })),
            _ => None,
        }
    }
}

/// Makes an API key; it is shown this once.
fn make_key(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let name = text(&call.body, "name").to_owned();
    if name.is_empty() {
        return Err(bad("The name of an API key is missing."));
    }
    let purpose = format!("api key {} {name}", call.id.key());
    let (id, secret) = (world.chance.uuid(&purpose).to_string(), world.chance.word(&purpose, 40));
    let now = stamp(world.now);
    let found = world.arm.find_mut(&call.id.key());
    let keys = found.map(|found| {
        default(&mut found.private, "apiKeys", json!([]));
        &mut found.private["apiKeys"]
    });
    let Some(Value::Array(keys)) = keys else { return Err(bad("There is no such component.")) };
    if keys.iter().any(|key| text(key, "name").eq_ignore_ascii_case(&name)) {
        return Err(Refusal::conflict(
            "Conflict",
            format!("An API key with the name '{name}' exists already."),
        ));
    }
    let key = json!({"id": format!("{}/apikeys/{id}", call.id), "name": name, "createdDate": now,
        "linkedReadProperties": list(&call.body, "linkedReadProperties"),
        "linkedWriteProperties": list(&call.body, "linkedWriteProperties")});
    keys.push(key.clone());
    let mut shown = key;
    shown["apiKey"] = json!(secret);
    Ok(Response::json(200, &shown))
}

fn key(world: &World, call: &Call, id: &str) -> Result<Value, Refusal> {
    let keys =
        world.arm.find(&call.id.key()).map(|found| list(&found.private, "apiKeys")).unwrap_or_default();
    let ending = format!("/{}", id.to_ascii_lowercase());
    keys.iter()
        .find(|key| text(key, "id").to_ascii_lowercase().ends_with(&ending))
        .cloned()
        .ok_or_else(|| Refusal::missing("NotFound", format!("The component has no API key '{id}'.")))
}
