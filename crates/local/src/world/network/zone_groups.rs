//! Zone groups of private endpoints: the endpoint's names as records of private zones, for as long as it is there.

use serde_json::{Value, json};

use super::connections::connection_id;
use super::endpoints::{address_of, links, names_of};
use super::zones::PRIVATE_ZONE as ZONE;
use super::{alone, etag, no_reference, row};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, put, resources};
use crate::world::checks::{list, named, text};

pub(super) const ZONE_GROUP: &str = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups";

pub(super) static KINDS: &[Kind] =
    &[row(ZONE_GROUP, Place::Parent, [15.0, 10.0, 10.0], &["etag"], &ZoneGroups)];

#[derive(Debug)]
struct ZoneGroups;

impl Rules for ZoneGroups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let configs = list(&change.body, "properties.privateDnsZoneConfigs");
        if configs.len() > 5 {
            return Err(Refusal::bad(
                "PrivateDnsZoneGroupLimitReached",
                "A private DNS zone group has at most five zone configurations.",
            ));
        }
        for config in configs {
            let zone = text(config, "properties.privateDnsZoneId");
            if named(world, zone, ZONE).is_none() {
                return Err(no_reference(zone, change.id));
            }
        }
        let siblings = change.id.parent().map(|parent| {
            world
                .arm
                .below(&parent)
                .filter(|(key, child)| child.kind == ZONE_GROUP && **key != change.id.key())
                .count()
        });
        if siblings.is_some_and(|count| count > 0) {
            return Err(Refusal::bad(
                "PrivateDnsZoneGroupLimitReached",
                "A private endpoint has at most one private DNS zone group.",
            ));
        }
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        if failure.is_none() {
            publish(world, id);
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        for config in body["properties"]["privateDnsZoneConfigs"].as_array_mut().into_iter().flatten() {
            let zone = text(config, "properties.privateDnsZoneId").to_ascii_lowercase();
            let records: Vec<Value> = list(&resource.private, "records")
                .iter()
                .filter_map(|key| world.arm.find(key.as_str()?))
                .filter(|record| record.id.key().starts_with(&format!("{zone}/")))
                .map(|record| {
                    let addresses: Vec<&Value> =
                        list(record.properties(), "aRecords").iter().map(|it| &it["ipv4Address"]).collect();
                    json!({"recordType": "A", "recordSetName": record.id.name(), "ttl": 10,
                           "provisioningState": "Succeeded", "ipAddresses": addresses,
                           "fqdn": format!("{}.{}", record.id.name(),
                                           record.id.parent().map(|zone| zone.name().to_owned()).unwrap_or_default())})
                })
                .collect();
            put(config, "properties.recordSets", json!(records));
        }
        etag(resource, body);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        for key in list(&resource.private, "records").iter().filter_map(Value::as_str) {
            resources::remove(world, key);
        }
    }
}

/// Writes an endpoint's names into the zones of its groups anew.
pub(super) fn publish_all(world: &mut World, endpoint: &Id) {
    let groups: Vec<Id> = world
        .arm
        .below(endpoint)
        .filter(|(_, child)| child.kind == ZONE_GROUP)
        .map(|(_, group)| group.id.clone())
        .collect();
    for group in groups {
        publish(world, &group);
    }
}

/// Whether the target's owner lets a connection through.
fn approved(world: &World, endpoint: &Id, link: &Value) -> bool {
    connection_id(world, endpoint, link).and_then(|id| world.arm.find(&id.key())).is_some_and(|connection| {
        text(connection.properties(), "privateLinkServiceConnectionState.status") == "Approved"
    })
}

/// Writes the endpoint's names into the group's zones.
fn publish(world: &mut World, group: &Id) {
    let Some(found) = world.arm.find(&group.key()).cloned() else { return };
    let Some(endpoint) = group.parent().and_then(|id| world.arm.find(&id.key())).cloned() else { return };
    for key in list(&found.private, "records").iter().filter_map(Value::as_str) {
        resources::remove(world, key);
    }
    let address = address_of(world, &endpoint);
    let mut records = Vec::new();
    for config in list(found.properties(), "privateDnsZoneConfigs") {
        let Some(zone) = named(world, text(config, "properties.privateDnsZoneId"), ZONE) else { continue };
        let zone = zone.id.clone();
        for (_, link) in links(endpoint.properties()) {
            if !approved(world, &endpoint.id, link) {
                continue;
            }
            for name in names_of(world, link) {
                if !zone.name().eq_ignore_ascii_case(&name.zone) {
                    continue;
                }
                let record = zone.child("A", &name.label);
                let body = json!({"properties": {"ttl": 10, "aRecords": [{"ipv4Address": address}],
                    "metadata": {"creator": format!("created by private endpoint {} with resource guid {}",
                                                    endpoint.id.name(), text(endpoint.properties(), "resourceGuid"))}}});
                resources::grow(world, &record, body, Value::Null);
                records.push(record.key());
            }
        }
    }
    if let Some(found) = world.arm.find_mut(&group.key()) {
        found.private = json!({"records": records});
    }
}
