//! What is in a store: key-values, replicas, snapshots.

use serde_json::{Value, json};

use super::{REPLICA, bad, rank, store_of};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, stamp, subscriptions, take};
use crate::world::checks::text;

/// A key with its label, `KEY$LABEL`, written by Resource Manager with the right that its caller has on the store.
#[derive(Debug)]
pub(super) struct KeyValues;

impl Rules for KeyValues {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(store) = store_of(world, change.id) else { return Ok(()) };
        let local = text(store.properties(), "dataPlaneProxy.authenticationMode") != "Pass-through";
        if local && store.properties()["disableLocalAuth"] == true {
            return Err(Refusal::conflict(
                "Conflict",
                "The operation cannot be performed because the configuration store is using local authentication mode \
                 and local authentication is disabled. To enable access to data plane resources while local \
                 authentication is disabled, pass-through ARM authentication mode must be used.",
            ));
        }
        let name = change.id.name().to_owned();
        let (key, label) =
            name.split_once('$').map_or((name.as_str(), None), |(key, label)| (key, Some(label)));
        if key.is_empty() || key == "." || key == ".." {
            return Err(bad(format!("The key '{key}' is invalid.")));
        }
        let plain = |text: &str| text.replace("~2F", "/").replace("~20", " ").replace("~7E", "~");
        put(&mut change.body, "properties.key", json!(plain(key)));
        put(&mut change.body, "properties.label", json!(label.map(plain)));
        put(&mut change.body, "properties.locked", json!(false));
        put(&mut change.body, "properties.lastModified", json!(stamp(world.now)));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.eTag", json!(resource.etag.trim_matches('"')));
        take(body, "properties.provisioningState");
    }
}

#[derive(Debug)]
pub(super) struct Replicas;

impl Rules for Replicas {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = subscriptions::normal(text(&change.sent, "location"));
        let Some(store) = store_of(world, change.id) else { return Ok(()) };
        let sku = text(&store.body, "sku.name");
        if rank(sku) < rank("Standard") {
            return Err(bad(format!("Replicas are not available for the SKU '{sku}'.")));
        }
        if !subscriptions::is_region(&near) {
            return Err(bad(format!("The location '{near}' of the replica is no region.")));
        }
        let there = store.location() == near
            || world.arm.below(&store.id).any(|(key, other)| {
                other.kind == REPLICA && *key != change.id.key() && other.location() == near
            });
        if there {
            return Err(bad(format!("The store is in '{near}' already: a replica is in another location.")));
        }
        change.body["location"] = json!(near);
        let host = format!("{}-{}", store.id.name(), change.id.name()).to_ascii_lowercase();
        put(&mut change.body, "properties.endpoint", json!(format!("https://{host}.azconfig.io")));
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Snapshots;

impl Rules for Snapshots {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.current.is_some() {
            return Err(Refusal::conflict("Conflict", "A snapshot is not changed once it is made."));
        }
        let filters = crate::world::checks::list(&change.body, "properties.filters").len();
        if !(1..=3).contains(&filters) {
            return Err(bad(format!("A snapshot has 1 to 3 filters, not {filters}.")));
        }
        default(&mut change.body, "properties.compositionType", json!("Key"));
        default(&mut change.body, "properties.retentionPeriod", json!(2_592_000));
        for (name, value) in [("status", json!("Ready")), ("created", json!(stamp(world.now)))] {
            put(&mut change.body, &format!("properties.{name}"), value);
        }
        Ok(())
    }
}
