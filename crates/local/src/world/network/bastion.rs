//! Bastion hosts.

use serde_json::{Value, json};

use super::{ADDRESS, SUBNET, dress, enumeration, etag, guid, pool, referred, row, unreadable};
use crate::world::World;
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{between, list, one_of, text, user};

const BASTION: &str = "Microsoft.Network/bastionHosts";
/// The largest prefix length of its subnet since November 2021. (azure/bastion/configuration-settings#subnet)
const SUBNET_BITS: u8 = 26;

pub(super) static KINDS: &[Kind] = &[row(
    BASTION,
    Place::Regional,
    [300.0, 60.0, 240.0],
    &["etag", "properties.dnsName", "properties.resourceGuid"],
    &Bastions,
)];

#[derive(Debug)]
struct Bastions;

impl Rules for Bastions {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        default(&mut change.body, "sku.name", json!("Basic"));
        let known = &["Basic", "Standard", "Developer", "Premium"];
        one_of(&mut change.body, "sku.name", known, enumeration("sku.name"))?;
        default(&mut change.body, "properties.scaleUnits", json!(2));
        between(&change.body, "properties.scaleUnits", 2..=50, |value| {
            Refusal::bad(
                "BastionHostScaleUnitsOutOfRange",
                format!("The scale units {value} of Bastion {id} are not between 2 and 50."),
            )
        })?;
        let developer = text(&change.body, "sku.name") == "Developer";
        let mut properties = change.body["properties"].take();
        dress(&id, &mut properties, "ipConfigurations")?;
        if list(&properties, "ipConfigurations").is_empty() && !developer {
            return Err(unreadable("a bastion host has one IP configuration"));
        }
        for configuration in list(&properties, "ipConfigurations") {
            let subnet = referred(world, text(configuration, "properties.subnet.id"), SUBNET, &id, "")?;
            if subnet.id.name() != "AzureBastionSubnet" {
                return Err(Refusal::bad(
                    "SubnetNameMustBeAzureBastionSubnet",
                    format!(
                        "Subnet name {} is invalid for Azure Bastion. Azure Bastion can only be created in subnet with \
                         name 'AzureBastionSubnet'.",
                        subnet.id
                    ),
                ));
            }
            if pool::blocks(subnet).iter().any(|block| !block.six && block.bits > SUBNET_BITS) {
                return Err(Refusal::bad(
                    "BastionHostSubnetSizeTooSmall",
                    format!(
                        "Subnet {} for Azure Bastion must have a size of /{SUBNET_BITS} or larger.",
                        subnet.id
                    ),
                ));
            }
            if let Some(other) = user(world, &subnet.id).filter(|other| other.id.key() != id.key()) {
                return Err(Refusal::bad(
                    "BastionSubnetInUse",
                    format!("Subnet {} of Bastion {id} is in use by {}.", subnet.id, other.id),
                ));
            }
            let address = text(configuration, "properties.publicIPAddress.id");
            let private = properties["enablePrivateOnlyBastion"] == true;
            if !private || !address.is_empty() {
                let address = referred(world, address, ADDRESS, &id, &near)?;
                super::addresses::must_be_standard(address, &id)?;
                super::addresses::must_be_unused(world, &address.id, &id)?;
            }
        }
        change.body["properties"] = properties;
        guid(world, change);
        let guid = text(&change.body, "properties.resourceGuid").to_owned();
        default(&mut change.body, "properties.dnsName", json!(format!("bst-{guid}.bastion.azure.com")));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }
}
