//! Stores: their keys, what stays of them after their deletion, and how it comes back.

use serde_json::{Value, json};

use super::{Answer, DELETED, KEYS, KINDS, SKUS, STORE, bad, dead, grave, rank};
use crate::world::agenda::Event;
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources;
use crate::world::arm::{Event as ArmEvent, Resource, default, locks, put, stamp, subscriptions, take};
use crate::world::checks::{between, key, one_of, text};
use crate::world::{Method, Response, World};

#[derive(Debug)]
pub(super) struct Stores;

impl Rules for Stores {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let mode = take(&mut change.body, "properties.createMode");
        let recovers =
            mode.as_ref().and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("Recover"));
        if change.current.is_none() {
            restore(world, change, recovers)?;
        }
        if change.id.name().contains("---") {
            return Err(Refusal::bad(
                "InvalidResourceName",
                format!("The resource name '{}' is invalid.", change.id.name()),
            ));
        }
        let body = &mut change.body;
        if text(body, "sku.name").is_empty() {
            return Err(bad("The property 'sku' is required for a configuration store."));
        }
        one_of(body, "sku.name", &SKUS, |value| bad(format!("The SKU '{value}' is invalid.")))?;
        let sku = text(body, "sku.name").to_ascii_lowercase();
        put(body, "sku.name", json!(sku));
        check_free(world, change, &sku)?;
        let body = &mut change.body;
        let lasting = rank(&sku) >= rank("Standard");
        let purge = body["properties"]["enablePurgeProtection"] == true;
        if purge && !lasting {
            return Err(bad(format!("Purge protection is not available for the SKU '{sku}'.")));
        }
        if body["properties"]["encryption"]["keyVaultProperties"].is_object() && !lasting {
            return Err(bad(format!("Customer-managed keys are not available for the SKU '{sku}'.")));
        }
        between(body, "properties.softDeleteRetentionInDays", 1..=7, |value| {
            bad(format!("The soft-delete retention of {value} days is not between 1 and 7."))
        })?;
        if let Some(current) = &change.current {
            let old = current.properties();
            if old["enablePurgeProtection"] == true && !purge {
                return Err(bad("Purge protection cannot be disabled once it is enabled."));
            }
            let days = &body["properties"]["softDeleteRetentionInDays"];
            if !days.is_null() && *days != old["softDeleteRetentionInDays"] {
                return Err(bad(
                    "The soft-delete retention of a store cannot be changed after its creation.",
                ));
            }
        }
        let name = change.id.name().to_ascii_lowercase();
        for (name, value) in [
            ("softDeleteRetentionInDays", json!(if lasting { 7 } else { 0 })),
            ("enablePurgeProtection", json!(false)),
            ("disableLocalAuth", json!(false)),
            ("dataPlaneProxy", json!({"authenticationMode": "Local", "privateLinkDelegation": "Disabled"})),
            ("encryption", json!({})),
            ("creationDate", json!(stamp(world.now))),
            ("endpoint", json!(format!("https://{name}.azconfig.io"))),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        one_of(body, "properties.dataPlaneProxy.authenticationMode", &["Local", "Pass-through"], |value| {
            bad(format!("The authentication mode '{value}' is invalid."))
        })
    }

    fn taken(&self, _world: &World, _other: &Resource, _id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict("NameUnavailable", "The specified name is already in use."))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            if let Some(dead) = dead(world, id.name()).map(|dead| dead.id.key()) {
                world.arm.resources.remove(&dead);
            }
            for (name, number) in KEYS.iter().zip(0..) {
                renew(world, id, name, number);
            }
        }
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let days = resource.properties()["softDeleteRetentionInDays"].as_i64().unwrap_or(0);
        if days < 1 {
            return;
        }
        let kept = jiff::SignedDuration::from_hours(24 * days);
        let purge = world.now.saturating_add(kept).unwrap_or(world.now);
        let when = stamp(world.now);
        let grave = grave(&resource.id, &resource.location());
        let body = json!({"properties": {
            "configurationStoreId": resource.id.to_string(), "location": resource.location(), "deletionDate": when,
            "scheduledPurgeDate": stamp(purge), "tags": resource.body["tags"],
            "purgeProtectionEnabled": resource.properties()["enablePurgeProtection"]}});
        let private = json!({"body": resource.body, "private": resource.private});
        resources::grow(world, &grave, body, private);
        world.later(kept, Event::Arm(ArmEvent::Purged(grave.key(), when)));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["listKeys"]) {
            let found = world.arm.find(&call.id.key())?;
            let shown: Vec<Value> = KEYS.iter().map(|name| show_key(found, name)).collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        call.rest_is(&["regenerateKey"]).then(|| regenerate(world, call))
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let asks = call.rest_is(&["checkNameAvailability"])
            || call.rest_is(&["locations", "*", "checkNameAvailability"]);
        if call.request.method == Method::Post && asks {
            let taken = |name: &str| {
                (world.arm.by_name(STORE, name).is_some() || dead(world, name).is_some())
                    .then(|| "The specified name is already in use.".to_owned())
            };
            return Some(KINDS[0].availability(&call.body, "Invalid", taken));
        }
        match call.request.method {
            Method::Get if call.rest_is(&["deletedConfigurationStores"]) => {
                let shown: Vec<Value> =
                    world.arm.of_kind(DELETED).map(|dead| resources::view(world, dead)).collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            Method::Post if call.rest_is(&["locations", "*", "deletedConfigurationStores", "*", "purge"]) => {
                Some(purge(world, call))
            }
            _ => None,
        }
    }
}

/// A deleted store holds its name until it is recovered or purged.
fn restore(world: &World, change: &mut Change, recovers: bool) -> Result<(), Refusal> {
    match (dead(world, change.id.name()), recovers) {
        (None, false) => Ok(()),
        (None, true) => Err(Refusal::missing(
            "NotFound",
            format!("There is no soft-deleted configuration store '{}' to recover.", change.id.name()),
        )),
        (Some(_), false) => Err(Refusal::conflict(
            "NameUnavailable",
            "The specified name is already in use by a configuration store that is soft-deleted: recover or purge it.",
        )),
        (Some(dead), true) => {
            let own = text(dead.properties(), "configurationStoreId").eq_ignore_ascii_case(&change.id.key());
            if !own || text(dead.properties(), "location") != text(&change.body, "location") {
                return Err(bad("A store is recovered in its own group and location."));
            }
            change.body = dead.private["body"].clone();
            change.private = dead.private["private"].clone();
            Ok(())
        }
    }
}

/// One store of a subscription is free of charge, and none becomes it.
fn check_free(world: &World, change: &Change, sku: &str) -> Result<(), Refusal> {
    if sku != "free" {
        return Ok(());
    }
    match &change.current {
        Some(current) if text(&current.body, "sku.name") != "free" => {
            Err(bad("A configuration store cannot be downgraded to the Free SKU."))
        }
        Some(_) => Ok(()),
        None if world.arm.of_kind(STORE).any(|other| text(&other.body, "sku.name") == "free") => {
            Err(Refusal::conflict(
                "Conflict",
                "The subscription has reached its limit of 'free' configuration stores.",
            ))
        }
        None => Ok(()),
    }
}

/// Makes one of a store's keys: its id and secret.
fn renew(world: &mut World, store: &Id, name: &str, number: usize) {
    let word = key(world, &format!("id {name} {}", store.key()), 6);
    let secret = key(world, &format!("{name} {}", store.key()), 32);
    let now = stamp(world.now);
    if let Some(found) = world.arm.find_mut(&store.key()) {
        // a recovered store comes back with its keys
        let made = json!({"id": format!("{number}-l0-s0:{word}"), "value": secret, "lastModified": now});
        if !found.private["keys"].is_object() {
            put(&mut found.private, "keys", json!({}));
        }
        if found.private["keys"][name].is_null() {
            found.private["keys"][name] = made;
        }
    }
}

fn show_key(store: &Resource, name: &str) -> Value {
    let own = &store.private["keys"][name];
    let endpoint = text(store.properties(), "endpoint");
    let (id, secret) = (text(own, "id"), text(own, "value"));
    json!({"id": id, "name": name, "value": secret, "lastModified": own["lastModified"],
           "readOnly": name.ends_with("Read Only"),
           "connectionString": format!("Endpoint={endpoint};Id={id};Secret={secret}")})
}

fn regenerate(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let body = object(&call.body)?;
    let wanted = text(&body, "id").to_owned();
    let found = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    let place = KEYS.iter().position(|name| text(&found.private["keys"][name], "id") == wanted);
    let number = place.ok_or_else(|| Refusal::missing("NotFound", format!("There is no key '{wanted}'.")))?;
    let name = KEYS[number];
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        found.private["keys"][name] = Value::Null;
    }
    renew(world, &call.id, name, number);
    let found = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    Ok(Response::json(200, &show_key(found, name)))
}

fn purge(world: &mut World, call: &Call) -> Answer {
    let location = subscriptions::normal(call.rest[1]);
    let name = call.rest[3];
    let found = world.arm.of_kind(DELETED).find(|dead| {
        dead.id.name().eq_ignore_ascii_case(name) && dead.id.parent().is_some_and(|it| it.name() == location)
    });
    let Some(found) = found else {
        return Err(Refusal::missing(
            "NotFound",
            format!("The deleted store '{name}' was not found in '{location}'."),
        ));
    };
    if found.properties()["purgeProtectionEnabled"] == true {
        return Err(Refusal::conflict(
            "Conflict",
            format!(
                "The store '{name}' has purge protection: it goes on its scheduled purge date, not before."
            ),
        ));
    }
    let key = found.id.key();
    resources::remove(world, &key);
    Ok(Response::empty(200))
}
