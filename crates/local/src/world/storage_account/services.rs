//! What an account has besides its blobs: its services, encryption scopes and management policy.

use serde_json::{Value, json};

use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, at, default, merge, put, stamp, take};
use crate::world::{World, blob};

/// The services of an account: there from its creation, all named `default`.
#[derive(Debug)]
pub(super) struct Service;

impl Rules for Service {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(Refusal::bad(
                "InvalidResourceName",
                "The service of a storage account is named 'default'.",
            ));
        }
        if let Some(current) = &change.current {
            // what is not sent stays as it is
            let mut merged = current.body.clone();
            merge(&mut merged, &change.body);
            change.body = merged;
        }
        for policy in
            ["deleteRetentionPolicy", "containerDeleteRetentionPolicy", "shareDeleteRetentionPolicy"]
        {
            let policy = &change.body["properties"][policy];
            if policy["enabled"] == true
                && !policy["days"].as_i64().is_some_and(|days| (1..=365).contains(&days))
            {
                return Err(Refusal::bad(
                    "InvalidXmlNodeValue",
                    "The retention days of a delete retention policy must be between 1 and 365.",
                ));
            }
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "The services of a storage account cannot be deleted."))
    }
}

#[derive(Debug)]
pub(super) struct Policy;

impl Rules for Policy {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(Refusal::bad("InvalidResourceName", "The management policy is named 'default'."));
        }
        let rules = at(&change.body, "properties.policy.rules").and_then(Value::as_array);
        if rules.is_none_or(Vec::is_empty) {
            return Err(Refusal::bad(
                "InvalidManagementPolicy",
                "The management policy needs at least one rule in properties.policy.rules.",
            ));
        }
        let service = change
            .id
            .parent()
            .and_then(|account| world.arm.find(&account.child("blobServices", "default").key()));
        let tracks = service.is_some_and(|it| {
            at(it.properties(), "lastAccessTimeTrackingPolicy.enable") == Some(&json!(true))
        });
        blob::check_lifecycle(rules.map(Vec::as_slice).unwrap_or_default(), tracks)?;
        put(&mut change.body, "properties.lastModifiedTime", json!(stamp(world.now)));
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        if failure.is_none()
            && let Some(account) = id.parent()
        {
            blob::policy_changed(world, account.name());
        }
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

/// Children that show no provisioning state.
#[derive(Debug)]
pub(super) struct Stateless;

impl Rules for Stateless {
    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

/// An encryption scope: disabled, never deleted.
#[derive(Debug)]
pub(super) struct Scope;

impl Rules for Scope {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let name = change.id.name();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(3..=63).contains(&name.len()) || !name.chars().all(word) {
            return Err(Refusal::bad(
                "InvalidResourceName",
                format!("The scope name '{name}' is not valid."),
            ));
        }
        for (property, known, usual) in [
            ("source", ["Microsoft.Storage", "Microsoft.KeyVault"], "Microsoft.Storage"),
            ("state", ["Enabled", "Disabled"], "Enabled"),
        ] {
            let path = format!("properties.{property}");
            default(&mut change.body, &path, json!(usual));
            let given = change.body["properties"][property].as_str().unwrap_or_default();
            let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(given)) else {
                return Err(super::rules::not_allowed(property, given));
            };
            put(&mut change.body, &path, json!(known));
        }
        default(&mut change.body, "properties.creationTime", json!(stamp(world.now)));
        put(&mut change.body, "properties.lastModifiedTime", json!(stamp(world.now)));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "An encryption scope is disabled and cannot be deleted."))
    }
}
