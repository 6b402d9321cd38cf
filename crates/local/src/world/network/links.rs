//! Links of private zones to virtual networks.

use serde_json::{Value, json};

use super::zones::{DNS, LINK, not_global};
use super::{VNET, etag, row};
use crate::world::World;
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{named, one_of, text};

pub(super) static KINDS: &[Kind] = &[Kind {
    replies: DNS,
    ..row(LINK, Place::Free, [30.0, 10.0, 30.0], &["properties.virtualNetworkLinkState", "etag"], &Links)
}];

#[derive(Debug)]
struct Links;

impl Rules for Links {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let location = text(&change.body, "location");
        if !location.eq_ignore_ascii_case("global") {
            return Err(not_global(location, "privateDnsZones/virtualNetworkLinks"));
        }
        default(&mut change.body, "properties.registrationEnabled", json!(false));
        default(&mut change.body, "properties.resolutionPolicy", json!("Default"));
        one_of(&mut change.body, "properties.resolutionPolicy", &["Default", "NxDomainRedirect"], |value| {
            Refusal::bad("BadRequest", format!("The resolution policy '{value}' is invalid."))
        })?;
        let own = change.id.key();
        let vnet = text(&change.body, "properties.virtualNetwork.id");
        let Some(vnet) = named(world, vnet, VNET) else {
            return Err(Refusal::bad("BadRequest", format!("The virtual network '{vnet}' does not exist.")));
        };
        let vnet = vnet.id.key();
        let zone = change.id.parent().unwrap_or_default();
        for other in world.arm.of_kind(LINK) {
            let there = other.id.parent().unwrap_or_default();
            if other.id.key() == own
                || !text(other.properties(), "virtualNetwork.id").eq_ignore_ascii_case(&vnet)
            {
                continue;
            }
            if there.name().eq_ignore_ascii_case(zone.name()) {
                return Err(Refusal::conflict(
                    "Conflict",
                    format!(
                        "A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried \
                         to link virtual network with '{}' and '{}' zones.",
                        zone.name(),
                        there.name()
                    ),
                ));
            }
            if other.properties()["registrationEnabled"] == true
                && change.body["properties"]["registrationEnabled"] == true
            {
                return Err(Refusal::conflict(
                    "Conflict",
                    format!(
                        "A virtual network can only be linked to one private DNS zone with auto-registration enabled; \
                         it is to '{}'.",
                        there.name()
                    ),
                ));
            }
        }
        if let Some(current) = &change.current
            && !text(current.properties(), "virtualNetwork.id").eq_ignore_ascii_case(&vnet)
        {
            return Err(Refusal::bad("BadRequest", "The virtual network of a link cannot be changed."));
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let state = if resource.state == "Succeeded" { "Completed" } else { "InProgress" };
        put(body, "properties.virtualNetworkLinkState", json!(state));
        etag(resource, body);
    }
}
