//! NAT gateways.

use serde_json::{Value, json};

use super::{ADDRESS, NAT, SUBNET, etag, guid, naming, referred, row, show_some, unreadable};
use crate::world::World;
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{between, list, one_of, text};

pub(super) static KINDS: &[Kind] = &[row(
    NAT,
    Place::Regional,
    [10.0, 10.0, 10.0],
    &["properties.subnets", "properties.resourceGuid", "etag"],
    &Nats,
)];

/// Addresses of one gateway. (azure/nat-gateway/nat-gateway-resource)
const ADDRESSES_MAX: usize = 16;

#[derive(Debug)]
struct Nats;

impl Rules for Nats {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        default(&mut change.body, "sku", json!({"name": "Standard"}));
        one_of(&mut change.body, "sku.name", &["Standard", "StandardV2"], super::enumeration("sku.name"))?;
        default(&mut change.body, "properties.idleTimeoutInMinutes", json!(4));
        between(&change.body, "properties.idleTimeoutInMinutes", 4..=120, |value| {
            Refusal::bad(
                "InvalidIdleTimeout",
                format!("The idle timeout {value} is not between 4 and 120 minutes."),
            )
        })?;
        if list(&change.body, "zones").len() > 1 && text(&change.body, "sku.name") == "Standard" {
            return Err(unreadable("a NAT gateway is in one zone or in none"));
        }
        let addresses = list(&change.body, "properties.publicIpAddresses");
        if addresses.len() > ADDRESSES_MAX {
            return Err(Refusal::bad(
                "NatGatewayPublicIpLimitReached",
                format!("A NAT gateway has {ADDRESSES_MAX} public IP addresses at most."),
            ));
        }
        for address in addresses {
            let found = referred(world, text(address, "id"), ADDRESS, change.id, &near)?;
            super::addresses::must_be_standard(found, change.id)?;
            super::addresses::must_be_unused(world, &found.id, change.id)?;
        }
        for block in list(&change.body, "properties.publicIpPrefixes") {
            referred(world, text(block, "id"), super::addresses::PREFIX, change.id, &near)?;
        }
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match naming(world, SUBNET, "natGateway.id", &resource.id).len() {
            0 => Ok(()),
            count => Err(Refusal::bad(
                "CannotDeleteNatGatewayAssociatedToSubnet",
                format!(
                    "NAT Gateway {} is still configured on {count} subnets. Remove NAT Gateway from all referenced \
                     subnets and then delete NAT Gateway.",
                    resource.id
                ),
            )),
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        show_some(body, "subnets", naming(world, SUBNET, "natGateway.id", &resource.id));
        etag(resource, body);
    }
}
