//! The target's side of private endpoints: a connection for each, approved, rejected or removed by whoever owns the
//! target; and what a target offers.

use serde_json::{Value, json};

use super::endpoints::{groups_of, links};
use super::row;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Kind, Names, Place, Rules, Signs, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, default, resources, take};
use crate::world::checks::text;
use crate::world::{Response, World, chance};

/// The last word of the type of a target's connections.
pub(in crate::world) const CONNECTIONS: &str = "privateEndpointConnections";

const fn connection(name: &'static str) -> Kind {
    Kind {
        names: Names { signs: Signs::Any, length: (1, 260), ..super::names(1, 260) },
        replies: at_once(200, 200),
        busy: "Conflict",
        computed: &["properties.privateEndpoint", "properties.groupIds"],
        ..row(name, Place::Parent, [5.0, 5.0, 5.0], &[], &Connections)
    }
}

pub(super) static KINDS: &[Kind] = &[
    connection("Microsoft.App/managedEnvironments/privateEndpointConnections"),
    connection("Microsoft.AppConfiguration/configurationStores/privateEndpointConnections"),
    connection("Microsoft.Cache/redisEnterprise/privateEndpointConnections"),
    connection("Microsoft.CognitiveServices/accounts/privateEndpointConnections"),
    connection("Microsoft.ContainerRegistry/registries/privateEndpointConnections"),
    connection("Microsoft.DBforPostgreSQL/flexibleServers/privateEndpointConnections"),
    connection("Microsoft.DocumentDB/databaseAccounts/privateEndpointConnections"),
    connection("Microsoft.KeyVault/vaults/privateEndpointConnections"),
    connection("Microsoft.ServiceBus/namespaces/privateEndpointConnections"),
    connection("Microsoft.Storage/storageAccounts/privateEndpointConnections"),
    connection("Microsoft.Web/sites/privateEndpointConnections"),
    connection("Microsoft.Web/staticSites/privateEndpointConnections"),
];

/// `NAME.GUID` below the target, as Azure names a connection.
pub(super) fn connection_id(world: &World, endpoint: &Id, link: &Value) -> Option<Id> {
    let target = Id::parse(text(link, "properties.privateLinkServiceId"))?;
    let target = world.arm.find(&target.key()).map_or(target, |found| found.id.clone());
    let guid =
        chance::fixed_uuid(world.config.seed, &format!("connection {} {}", endpoint.key(), target.key()));
    Some(target.child(CONNECTIONS, &format!("{}.{guid}", endpoint.name())))
}

/// Makes the target know of its connections: approved at once, or pending when it was asked for by hand.
pub(super) fn open(world: &mut World, id: &Id) {
    let Some(endpoint) = world.arm.find(&id.key()).cloned() else { return };
    for (manual, link) in links(endpoint.properties()) {
        let Some(own) = connection_id(world, id, link) else { continue };
        if world.arm.find(&own.key()).is_some() {
            continue;
        }
        let (status, words) = if manual {
            ("Pending", text(link, "properties.requestMessage"))
        } else {
            ("Approved", "Auto-Approved")
        };
        let body = json!({"properties": {
            "privateEndpoint": {"id": id.to_string()},
            "groupIds": link["properties"]["groupIds"],
            "privateLinkServiceConnectionState":
                {"status": status, "description": words, "actionsRequired": "None"},
        }});
        resources::grow(world, &own, body, Value::Null);
    }
}

#[derive(Debug)]
struct Connections;

impl Rules for Connections {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.current.is_none() {
            return Err(Refusal::missing(
                "PrivateEndpointConnectionNotFound",
                format!("The private endpoint connection '{}' does not exist.", change.id.name()),
            ));
        }
        let path = "properties.privateLinkServiceConnectionState.status";
        let refuse = |value: &str| {
            Refusal::bad(
                "InvalidPrivateLinkServiceConnectionState",
                format!("The status '{value}' is invalid."),
            )
        };
        let known = &["Pending", "Approved", "Rejected", "Disconnected"];
        crate::world::checks::one_of(&mut change.body, path, known, refuse)?;
        let before =
            change.current.as_ref().map(|current| text(&current.body, path).to_owned()).unwrap_or_default();
        let wanted = text(&change.body, path);
        if before == "Rejected" && wanted == "Approved" {
            return Err(Refusal::conflict(
                "PrivateEndpointConnectionRejected",
                "A connection that was rejected cannot be approved: delete the private endpoint and make it again.",
            ));
        }
        default(
            &mut change.body,
            "properties.privateLinkServiceConnectionState.actionsRequired",
            json!("None"),
        );
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        let endpoint = world.arm.find(&id.key()).map(|found| text(found.properties(), "privateEndpoint.id"));
        let endpoint = endpoint.and_then(Id::parse);
        if let (Some(endpoint), None) = (endpoint, failure) {
            super::zone_groups::publish_all(world, &endpoint);
        }
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "systemData");
    }
}

/// `GET …/privateLinkResources` of a target: what private endpoints may ask of it. `None` when it takes none.
pub(in crate::world) fn offered(target: &Resource) -> Option<Response> {
    let groups = groups_of(&target.kind)?;
    let region = target.location();
    let mut value: Vec<Value> = Vec::new();
    for group in groups {
        let zone = json!(format!("privatelink.{}", group.zone.replace("{region}", &region)));
        // one that has names in several zones is offered once
        if let Some(zones) = value
            .last_mut()
            .filter(|last| last["name"] == group.name)
            .and_then(|last| last["properties"]["requiredZoneNames"].as_array_mut())
        {
            zones.push(zone);
            continue;
        }
        value.push(json!({
            "id": format!("{}/privateLinkResources/{}", target.id, group.name), "name": group.name,
            "type": format!("{}/privateLinkResources", target.kind),
            "properties": {"groupId": group.name, "requiredMembers": [group.name], "requiredZoneNames": [zone]},
        }));
    }
    Some(Response::json(200, &json!({"value": value})))
}
