//! Managed identities: user-assigned ones with their federated credentials, and the `identity` block of every other
//! resource.

use serde_json::{Map, Value, json};

use super::World;
use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Ending, Kind, Names, Place, Rules, Signs, What};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::{Resource, put};
use super::entra;

/// How long role assignments do not know a new identity, in seconds at speed 1.
const REPLICATION_SECONDS: f64 = 30.0;

const ASSIGNED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

pub(crate) static KINDS: &[Kind] = &[
    Kind {
        name: ASSIGNED,
        depth: Depth::Modelled,
        names: Names {
            length: (3, 128),
            signs: Signs::Word,
            global: false,
            refusal: (
                "InvalidResourceName",
                "Resource name '{name}' is invalid. The name must start with a letter or digit, have 3 to 128 \
                 characters, and can contain only letters, digits, hyphens and underscores.",
            ),
        },
        place: Place::Regional,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(201, 200),
        busy: "Conflict",
        computed: &["properties.principalId", "properties.clientId", "properties.tenantId"],
        spelling: &[],
        rules: &Assigned,
    },
    Kind {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        depth: Depth::Modelled,
        names: Names {
            length: (3, 120),
            signs: Signs::Word,
            global: false,
            refusal: ("InvalidResourceName", "Federated identity credential name '{name}' is invalid."),
        },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(201, 200),
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules: &Federated,
    },
];

#[derive(Debug)]
struct Assigned;

impl Rules for Assigned {
    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let principal = entra::register(world, &id.to_string(), id.name(), REPLICATION_SECONDS);
            let tenant = world.config.tenant.clone();
            if let Some(found) = world.arm.find_mut(&id.key()) {
                put(&mut found.body, "properties.tenantId", json!(tenant));
                put(&mut found.body, "properties.principalId", json!(principal.object_id));
                put(&mut found.body, "properties.clientId", json!(principal.client_id));
            }
        }
        Ending::Table
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        super::arm::take(body, "properties.provisioningState");
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        entra::forget(world, &resource.id.to_string());
    }
}

#[derive(Debug)]
struct Federated;

impl Rules for Federated {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let missing = |name: &str| {
            Refusal::bad(
                "BadRequest",
                format!("The property '{name}' of a federated identity credential is required."),
            )
        };
        for name in ["issuer", "subject"] {
            if change.body["properties"][name].as_str().is_none_or(str::is_empty) {
                return Err(missing(name));
            }
        }
        match change.body["properties"]["audiences"].as_array() {
            Some(list) if list.len() == 1 => {}
            Some(_) => {
                return Err(Refusal::bad(
                    "BadRequest",
                    "A federated identity credential has exactly one audience.",
                ));
            }
            None => return Err(missing("audiences")),
        }
        let Some(parent) = change.id.parent() else { return Ok(()) };
        let others = || world.arm.below(&parent).filter(|(key, _)| **key != change.id.key());
        let text =
            |value: &Value, name: &str| value["properties"][name].as_str().unwrap_or_default().to_owned();
        if others().any(|(_, other)| {
            ["issuer", "subject"].iter().all(|name| text(&other.body, name) == text(&change.body, name))
        }) {
            return Err(Refusal::conflict(
                "FederatedIdentityCredentialAlreadyExists",
                "Issuer and subject combination already exists for this Managed Identity.",
            ));
        }
        if change.current.is_none() && others().count() >= 20 {
            return Err(Refusal::bad(
                "FederatedIdentityCredentialsLimitExceeded",
                "Too many Federated Identity Credentials for this Managed Identity: the maximum is 20.",
            ));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        super::arm::take(body, "properties.provisioningState");
    }
}

/// Fills in and checks the `identity` block of a resource: a system-assigned identity gets its principal, and each
/// user-assigned one must exist.
pub fn settle(world: &mut World, id: &Id, body: &mut Value) -> Result<(), Refusal> {
    if id.kind().eq_ignore_ascii_case(ASSIGNED) {
        return Ok(());
    }
    let Some(identity) = body.get("identity").and_then(Value::as_object).cloned() else {
        entra::forget(world, &id.to_string());
        return Ok(());
    };
    let kinds: Vec<String> = identity
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("None")
        .split(',')
        .map(|kind| kind.trim().to_ascii_lowercase())
        .collect();
    let (mut system, mut assigned) = (false, false);
    for kind in &kinds {
        match kind.as_str() {
            "systemassigned" => system = true,
            "userassigned" => assigned = true,
            "none" => {}
            other => {
                return Err(Refusal::bad(
                    "InvalidRequestContent",
                    format!(
                        "The request content was invalid and could not be deserialized: identity type '{other}'."
                    ),
                ));
            }
        }
    }
    let mut settled = Map::new();
    let name = match (system, assigned) {
        (true, true) => "SystemAssigned,UserAssigned",
        (true, false) => "SystemAssigned",
        (false, true) => "UserAssigned",
        (false, false) => "None",
    };
    // Container Apps writes the list with a space
    let name = if id.namespace().eq_ignore_ascii_case("Microsoft.App") {
        name.replace(',', ", ")
    } else {
        name.into()
    };
    settled.insert("type".into(), json!(name));
    if assigned {
        let mut known = Map::new();
        let wanted = identity.get("userAssignedIdentities").and_then(Value::as_object);
        for (identity, value) in wanted.into_iter().flatten() {
            // in a PATCH null takes an identity away
            if value.is_null() {
                continue;
            }
            let principal = world.entra.by_resource(identity).filter(|_| world.arm.find(identity).is_some());
            let Some(principal) = principal else {
                return Err(failed(id, &format!("Resource '{identity}' was not found.")));
            };
            known.insert(
                identity.clone(),
                json!({"principalId": principal.object_id, "clientId": principal.client_id}),
            );
        }
        if known.is_empty() {
            return Err(failed(id, "User assigned identity type needs at least one identity id."));
        }
        settled.insert("userAssignedIdentities".into(), Value::Object(known));
    }
    if system {
        let own = id.to_string();
        let principal = match world.entra.by_resource(&own) {
            Some(principal) => principal.clone(),
            None => entra::register(world, &own, id.name(), REPLICATION_SECONDS),
        };
        settled.insert("principalId".into(), json!(principal.object_id));
        settled.insert("tenantId".into(), json!(world.config.tenant));
    } else {
        entra::forget(world, &id.to_string());
    }
    body["identity"] = Value::Object(settled);
    Ok(())
}

fn failed(id: &Id, why: &str) -> Refusal {
    Refusal::bad(
        "FailedIdentityOperation",
        format!(
            "Identity operation for resource '{id}' failed with error 'Failed to perform resource identity operation. \
             Status: 'BadRequest'. Response: '{{\"error\":{{\"code\":\"BadRequest\",\"message\":\"{why}\"}}}}'.'."
        ),
    )
}
