//! Action groups: who is told of an alert, and how.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GROUP, bad, hidden};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, stamp};
use crate::world::checks::{list, text};
use crate::world::{Method, Response, World};

/// Kinds of receivers, and what a test notification calls their way.
const RECEIVERS: [(&str, &str); 11] = [
    ("emailReceivers", "Email"),
    ("smsReceivers", "Sms"),
    ("webhookReceivers", "Webhook"),
    ("itsmReceivers", "Itsm"),
    ("azureAppPushReceivers", "AzureAppPush"),
    ("automationRunbookReceivers", "AutomationRunbook"),
    ("voiceReceivers", "Voice"),
    ("logicAppReceivers", "LogicApp"),
    ("azureFunctionReceivers", "AzureFunction"),
    ("armRoleReceivers", "ArmRole"),
    ("eventHubReceivers", "EventHub"),
];

#[derive(Debug)]
pub(super) struct Groups;

impl Rules for Groups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let location = text(body, "location").to_owned();
        if ![
            "global",
            "northcentralus",
            "swedencentral",
            "germanywestcentral",
            "southcentralus",
            "northeurope",
        ]
        .contains(&location.as_str())
        {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{location}' is not available for resource type '{GROUP}'. List of available regions for the resource type is 'global,swedencentral,germanywestcentral,northcentralus,southcentralus'."
                ),
            ));
        }
        let short = text(body, "properties.groupShortName");
        if short.is_empty() || short.chars().count() > 12 {
            return Err(bad(format!("The property groupShortName '{short}' must have 1 to 12 characters.")));
        }
        check_receivers(world, body)?;
        default(body, "properties.enabled", json!(true));
        for (name, _) in RECEIVERS {
            default(body, &format!("properties.{name}"), json!([]));
        }
        for name in ["emailReceivers", "smsReceivers"] {
            for receiver in body["properties"][name].as_array_mut().into_iter().flatten() {
                default(receiver, "status", json!("Enabled"));
            }
        }
        put(body, "location", json!(if location == "global" { "Global" } else { &location }));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["createNotifications"]) {
            return Some(Ok(notify(world, call)));
        }
        call.rest_is(&["subscribe"]).then(|| subscribe(world, call))
    }
}

/// Sends nobody anything, and says so of every receiver as Azure does of those it has reached.
fn notify(world: &mut World, call: &Call) -> Response {
    let told: Vec<Value> = RECEIVERS
        .iter()
        .flat_map(|(name, mechanism)| list(&call.body, name).iter().map(move |it| (mechanism, it)))
        .map(|(mechanism, receiver)| {
            json!({"mechanismType": mechanism, "name": receiver["name"], "status": "Completed", "subState": "Default",
                   "sendTime": stamp(world.now), "detail": ""})
        })
        .collect();
    let result = json!({"state": "Complete", "createdTime": stamp(world.now), "completedTime": stamp(world.now),
                        "context": {"contextType": "Microsoft.Insights/Budget", "notificationSource": call.id.to_string()},
                        "actionDetails": told});
    Response::json(200, &result)
}

/// A receiver that has unsubscribed is subscribed again; one that is subscribed is a conflict.
fn subscribe(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let name = text(&call.body, "receiverName").to_owned();
    let found = world.arm.find_mut(&call.id.key());
    let receivers = found.into_iter().flat_map(|group| {
        let properties = group.body["properties"].as_object_mut();
        properties.into_iter().flatten().filter_map(|(_, list)| list.as_array_mut()).flatten()
    });
    for receiver in receivers.filter(|it| it["status"].is_string()) {
        if !text(receiver, "name").eq_ignore_ascii_case(&name) {
            continue;
        }
        if receiver["status"] == "Enabled" {
            return Err(Refusal::conflict("Conflict", format!("The receiver '{name}' is enabled already.")));
        }
        receiver["status"] = json!("Enabled");
        return Ok(Response::empty(200));
    }
    Err(Refusal::missing("NotFound", format!("The action group has no email or SMS receiver '{name}'.")))
}

/// Receivers: each named, once in the group, with what it is reached by.
fn check_receivers(world: &World, body: &Value) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (kind, _) in RECEIVERS {
        for receiver in list(body, &format!("properties.{kind}")) {
            let name = text(receiver, "name");
            if name.is_empty() || !seen.insert(name.to_ascii_lowercase()) {
                return Err(bad(format!(
                    "The receiver name '{name}' in {kind} is missing or not unique in the group."
                )));
            }
            let reached = match kind {
                "emailReceivers" => text(receiver, "emailAddress").contains('@'),
                "webhookReceivers" => {
                    let uri = text(receiver, "serviceUri");
                    uri.starts_with("http://") || uri.starts_with("https://")
                }
                "smsReceivers" | "voiceReceivers" => {
                    let number = text(receiver, "phoneNumber");
                    !number.is_empty()
                        && number.chars().all(|c| c.is_ascii_digit() || c == '-' || c == ' ')
                        && !text(receiver, "countryCode").is_empty()
                }
                "armRoleReceivers" => !text(receiver, "roleId").is_empty(),
                "logicAppReceivers" => Id::parse(text(receiver, "resourceId")).is_some(),
                "azureFunctionReceivers" => {
                    let id = Id::parse(text(receiver, "functionAppResourceId"));
                    id.is_some_and(|id| world.arm.find(&id.key()).is_some())
                }
                _ => true,
            };
            if !reached {
                return Err(bad(format!(
                    "The receiver '{name}' in {kind} does not say where it is, or not validly."
                )));
            }
        }
    }
    Ok(())
}
