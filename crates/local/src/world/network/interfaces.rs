//! Network interfaces: their configurations and addresses.

use serde_json::{Value, json};

use super::{ADDRESS, GROUP, SUBNET, etag, guid, must_refer, pool, referred, row, subnets, unreadable};
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{list, text, user};
use crate::world::{World, chance};

pub(super) const INTERFACE: &str = "Microsoft.Network/networkInterfaces";

pub(super) static KINDS: &[Kind] = &[row(
    INTERFACE,
    Place::Regional,
    [5.0, 5.0, 10.0],
    &[
        "etag",
        "properties.resourceGuid",
        "properties.macAddress",
        "properties.virtualMachine",
        "properties.privateEndpoint",
    ],
    &Interfaces,
)];

#[derive(Debug)]
struct Interfaces;

impl Rules for Interfaces {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        if let Some(current) = change.current.as_ref().filter(|current| !endpoint(current).is_empty()) {
            return Err(Refusal::bad(
                "CannotModifyNicAttachedToPrivateEndpoint",
                format!(
                    "Network interface {id} cannot be modified as it is attached to private endpoint {}.",
                    endpoint(current)
                ),
            ));
        }
        let near = text(&change.body, "location").to_owned();
        must_refer(world, &change.body, "properties.networkSecurityGroup.id", GROUP, &id, &near)?;
        let mut properties = change.body["properties"].take();
        let configurations = list(&properties, "ipConfigurations");
        if configurations.is_empty() {
            return Err(unreadable("a network interface has one IP configuration at least"));
        }
        for configuration in configurations {
            let subnet = text(configuration, "properties.subnet.id");
            if subnet.is_empty() {
                return Err(Refusal::bad(
                    "SubnetMustBeSpecified",
                    format!("Subnet reference is required for ipconfiguration {id}."),
                ));
            }
            let subnet = referred(world, subnet, SUBNET, &id, "")?;
            let vnet = subnet.id.parent().and_then(|vnet| world.arm.find(&vnet.key()));
            if vnet.is_none_or(|vnet| vnet.location() != near) {
                return Err(super::no_reference(&subnet.id.to_string(), &id));
            }
            subnets::must_be_shared(world, subnet, &id)?;
            let address = text(configuration, "properties.publicIPAddress.id");
            if !address.is_empty() {
                let address = referred(world, address, ADDRESS, &id, &near)?;
                super::addresses::must_be_unused(world, &address.id, &id)?;
            }
        }
        pool::allocate(world, &id, &mut properties, "ipConfigurations", change.current.as_ref())?;
        for (position, configuration) in
            properties["ipConfigurations"].as_array_mut().into_iter().flatten().enumerate()
        {
            default(configuration, "properties.primary", json!(position == 0));
        }
        change.body["properties"] = properties;
        let draw = chance::digest(world.config.seed, &format!("mac {}", id.key()), 0);
        for (name, value) in [
            ("enableAcceleratedNetworking", json!(false)),
            ("enableIPForwarding", json!(false)),
            ("disableTcpStateTracking", json!(false)),
            ("vnetEncryptionSupported", json!(false)),
            ("nicType", json!("Standard")),
            ("auxiliaryMode", json!("None")),
            ("dnsSettings.dnsServers", json!([])),
            ("dnsSettings.appliedDnsServers", json!([])),
            ("hostedWorkloads", json!([])),
            ("tapConfigurations", json!([])),
            ("macAddress", json!(format!("00-0D-3A-{:02X}-{:02X}-{:02X}", draw[0], draw[1], draw[2]))),
        ] {
            default(&mut change.body, &format!("properties.{name}"), value);
        }
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let by = endpoint(resource);
        if !by.is_empty() {
            return Err(Refusal::bad(
                "NicInUseWithPrivateEndpoint",
                format!(
                    "Network interface {} cannot be deleted because it is currently in use with private endpoint {by}.",
                    resource.id
                ),
            ));
        }
        match user(world, &resource.id) {
            None => Ok(()),
            Some(other) => Err(Refusal::bad(
                "NicInUse",
                format!(
                    "Network Interface {} is used by existing resource {}. In order to delete the network interface, \
                     it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
                    resource.id, other.id
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        body["kind"] = json!("Regular");
        etag(resource, body);
    }
}

/// The private endpoint that has an interface; empty for interfaces of their own.
fn endpoint(interface: &Resource) -> &str {
    text(interface.properties(), "privateEndpoint.id")
}
