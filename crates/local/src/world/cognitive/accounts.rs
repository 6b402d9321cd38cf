//! Accounts: their kinds, keys and host names, and what stays of them after their deletion.

use serde_json::{Value, json};

use super::{ACCOUNT, DELETED, DEPLOYMENT, KEPT, POLICIES, grave, models};
use crate::world::agenda::Event;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources;
use crate::world::arm::{Event as ArmEvent, Resource, default, put, stamp, take};
use crate::world::checks::{one_of, text};
use crate::world::{Method, Response, World};

#[derive(Debug)]
pub(super) struct Accounts;

impl Rules for Accounts {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let restore = take(&mut change.body, "properties.restore") == Some(json!(true));
        let dead = world.arm.find(&grave(change.id, &near).key());
        match (dead, restore) {
            (Some(_), false) if change.current.is_none() => {
                return Err(Refusal::conflict(
                    "FlagMustBeSetForRestore",
                    format!(
                        "An existing resource with ID '{}' has been soft-deleted. To restore the resource, you must \
                         specify 'restore' to be 'true' in the property. If you don't want to restore existing \
                         resource, please purge it first.",
                        change.id
                    ),
                ));
            }
            (Some(dead), true) if change.current.is_none() => {
                change.body = dead.private["body"].clone();
                change.private = dead.private["private"].clone();
            }
            (None, true) if change.current.is_none() => {
                return Err(Refusal::missing(
                    "CanNotRestoreANonExistingResource",
                    "There is no soft-deleted account to restore.",
                ));
            }
            _ => {}
        }
        let body = &mut change.body;
        let kinds = [
            "OpenAI",
            "AIServices",
            "CognitiveServices",
            "ComputerVision",
            "ContentSafety",
            "CustomVision.Prediction",
            "CustomVision.Training",
            "Face",
            "FormRecognizer",
            "SpeechServices",
            "TextAnalytics",
            "TextTranslation",
        ];
        if text(body, "kind").is_empty() {
            return Err(Refusal::bad("MissingKind", "The property 'kind' is required for an account."));
        }
        one_of(body, "kind", &kinds, |value| {
            Refusal::bad(
                "InvalidApiSetId",
                format!("The account type '{value}' is either invalid or unavailable in given region."),
            )
        })?;
        let kind = text(body, "kind").to_owned();
        let sku = text(body, "sku.name").to_owned();
        let skus = skus_of(&kind);
        if !skus.contains(&sku.as_str()) {
            return Err(Refusal::bad(
                "InvalidSkuId",
                format!(
                    "The account type '{kind}' with SKU '{sku}' is either invalid or unavailable in given region."
                ),
            ));
        }
        if sku == "F0"
            && world.arm.of_kind(ACCOUNT).any(|other| {
                other.id.key() != change.id.key()
                    && text(&other.body, "kind") == kind
                    && text(&other.body, "sku.name") == "F0"
            })
        {
            return Err(Refusal::bad(
                "CanNotCreateMultipleFreeAccounts",
                format!("Operation failed. Only one free account is allowed for account type '{kind}'."),
            ));
        }
        let label = text(body, "properties.customSubDomainName").to_ascii_lowercase();
        if !label.is_empty() {
            let holds =
                |body: &Value| text(body, "properties.customSubDomainName").eq_ignore_ascii_case(&label);
            let taken = world
                .arm
                .of_kind(ACCOUNT)
                .any(|other| other.id.key() != change.id.key() && holds(&other.body))
                || world.arm.of_kind(DELETED).any(|dead| {
                    dead.private["key"] != change.id.key().as_str() && holds(&dead.private["body"])
                });
            if taken {
                return Err(Refusal::conflict(
                    "CustomDomainInUse",
                    format!(
                        "Please pick a different name. The subdomain name '{label}' is not available as it's already \
                         used by a resource. If the resource using the name was deleted in the last 48 hours, you may \
                         need to purge the deleted resource. Learn more at https://go.microsoft.com/fwlink/?linkid=2215493."
                    ),
                ));
            }
            if let Some(current) = &change.current {
                let old = text(&current.body, "properties.customSubDomainName");
                if !old.is_empty() && !old.eq_ignore_ascii_case(&label) {
                    return Err(Refusal::bad(
                        "CustomSubDomainNameCannotBeChanged",
                        "The custom subdomain name cannot be changed once it is set.",
                    ));
                }
            }
        }
        if label.is_empty() && text(body, "properties.networkAcls.defaultAction").eq_ignore_ascii_case("Deny")
        {
            return Err(Refusal::bad(
                "BadRequest",
                "Network rules need a custom subdomain name: set 'customSubDomainName' of the account.",
            ));
        }
        let endpoint = match (label.is_empty(), kind.as_str()) {
            (true, _) => format!("https://{near}.api.cognitive.microsoft.com/"),
            (false, "OpenAI") => format!("https://{label}.openai.azure.com/"),
            (false, _) => format!("https://{label}.cognitiveservices.azure.com/"),
        };
        put(body, "properties.endpoint", json!(endpoint));
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("disableLocalAuth", json!(false)),
            ("dateCreated", json!(stamp(world.now))),
            (
                "internalId",
                json!(
                    crate::world::chance::fixed_uuid(world.config.seed, &change.id.key())
                        .simple()
                        .to_string()
                ),
            ),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let location = world.arm.find(&id.key()).map(Resource::location).unwrap_or_default();
            world.arm.resources.remove(&grave(id, &location).key());
            for policy in POLICIES {
                let body = json!({"properties": {"type": "SystemManaged", "mode": "Blocking", "contentFilters": []}});
                resources::grow(world, &id.child("raiPolicies", policy), body, Value::Null);
            }
            let made = json!({"key1": crate::world::checks::key(world, &format!("key1 {}", id.key()), 32),
                              "key2": crate::world::checks::key(world, &format!("key2 {}", id.key()), 32)});
            if let Some(found) = world.arm.find_mut(&id.key())
                && found.private["key1"].is_null()
            {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match world.arm.below(&resource.id).find(|(_, child)| child.kind == DEPLOYMENT) {
            None => Ok(()),
            Some((_, child)) => Err(Refusal::conflict(
                "CannotDeleteResource",
                format!(
                    "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{}'. Please delete all nested resources before deleting this resource.",
                    child.id
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let location = resource.location();
        let grave = grave(&resource.id, &location);
        let purge = world.now.saturating_add(KEPT).unwrap_or(world.now);
        let mut body = json!({"location": location, "properties": {
            "accountId": resource.id.to_string(), "deletionDate": stamp(world.now), "scheduledPurgeDate": stamp(purge)}});
        for name in ["kind", "sku", "tags"] {
            if let Some(value) = resource.body.get(name) {
                body[name] = value.clone();
            }
        }
        let private = json!({"key": resource.id.key(), "body": resource.body, "private": resource.private});
        resources::grow(world, &grave, body, private);
        world.later(KEPT, Event::Arm(ArmEvent::Purged(grave.key(), stamp(world.now))));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let method = call.request.method;
        let keys = |world: &World| {
            let private =
                world.arm.find(&call.id.key()).map(|found| found.private.clone()).unwrap_or_default();
            Response::json(200, &json!({"key1": private["key1"], "key2": private["key2"]}))
        };
        if method == Method::Post && (call.rest_is(&["listKeys"]) || call.rest_is(&["regenerateKey"])) {
            if world.arm.find(&call.id.key())?.properties()["disableLocalAuth"] == true {
                return Some(Err(Refusal::bad(
                    "BadRequest",
                    "Failed to list key. disableLocalAuth is set to be true",
                )));
            }
            if call.rest_is(&["listKeys"]) {
                return Some(Ok(keys(world)));
            }
            let which = text(&call.body, "keyName").to_ascii_lowercase();
            if which != "key1" && which != "key2" {
                return Some(Err(Refusal::bad(
                    "InvalidKeyName",
                    format!("'{which}' names no key: Key1 and Key2 do."),
                )));
            }
            let new = crate::world::checks::key(world, &format!("{which} {}", call.id.key()), 32);
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                found.private[which.as_str()] = json!(new);
            }
            return Some(Ok(keys(world)));
        }
        if method == Method::Get && call.rest_is(&["models"]) {
            return Some(Ok(Response::json(200, &json!({"value": models::all(world, |model| model)}))));
        }
        if method == Method::Get && call.rest_is(&["usages"]) {
            let location = world.arm.find(&call.id.key())?.location();
            return Some(Ok(Response::json(200, &json!({"value": models::usages(world, &location)}))));
        }
        if method == Method::Get && call.rest_is(&["skus"]) {
            let kind = text(&world.arm.find(&call.id.key())?.body, "kind").to_owned();
            let shown: Vec<Value> = skus_of(&kind)
                .iter()
                .map(|sku| json!({"resourceType": ACCOUNT, "sku": {"name": sku, "tier": if *sku == "F0" { "Free" } else { "Standard" }}}))
                .collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["deletedAccounts"]) {
            let shown: Vec<Value> =
                world.arm.of_kind(DELETED).map(|dead| resources::view(world, dead)).collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        if call.request.method == Method::Post && call.rest_is(&["checkDomainAvailability"]) {
            let label = text(&call.body, "subdomainName").to_owned();
            let taken = world
                .arm
                .of_kind(ACCOUNT)
                .any(|it| text(&it.body, "properties.customSubDomainName").eq_ignore_ascii_case(&label));
            return Some(Ok(Response::json(
                200,
                &json!({"isSubdomainAvailable": !taken, "subdomainName": label,
                "reason": if taken { "The subdomain name is in use." } else { "" }, "type": text(&call.body, "type")}),
            )));
        }
        if call.request.method == Method::Get && call.rest_is(&["locations", "*", "models"]) {
            let shown =
                models::all(world, |model| json!({"kind": "OpenAI", "skuName": "S0", "model": model}));
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        if call.request.method == Method::Get && call.rest_is(&["locations", "*", "usages"]) {
            let location = call.rest[1].to_ascii_lowercase();
            return Some(Ok(Response::json(200, &json!({"value": models::usages(world, &location)}))));
        }
        None
    }
}

/// SKUs of a kind of account.
fn skus_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "OpenAI" | "AIServices" | "CognitiveServices" => &["S0"],
        "ComputerVision" => &["F0", "S1"],
        "TextTranslation" => &["F0", "S1", "S2", "S3", "S4", "C2", "C3", "C4", "D3"],
        "TextAnalytics" => &["F0", "S"],
        "Face" | "FormRecognizer" | "SpeechServices" | "ContentSafety" => &["F0", "S0"],
        _ => &["F0", "S0", "S1"],
    }
}
