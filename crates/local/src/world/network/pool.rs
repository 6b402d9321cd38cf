//! The addresses of subnets: which are taken and by whom, which comes next, which may be asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::{dress, prefixes_of, put, referred, text};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::list;

/// Resources whose configurations have private addresses, with the property that lists them.
const HOLDERS: [(&str, &str); 3] = [
    ("Microsoft.Network/networkInterfaces", "ipConfigurations"),
    ("Microsoft.Network/loadBalancers", "frontendIPConfigurations"),
    ("Microsoft.Network/applicationGateways", "frontendIPConfigurations"),
];

/// Every private address in a virtual network, with the id of the configuration that has it.
pub(super) fn taken(world: &World, vnet: &Id) -> BTreeMap<String, String> {
    let inside = format!("{}/", vnet.key());
    let mut found = BTreeMap::new();
    for (kind, part) in HOLDERS {
        for configuration in world.arm.of_kind(kind).flat_map(|holder| list(holder.properties(), part)) {
            let address = text(configuration, "properties.privateIPAddress");
            let subnet = text(configuration, "properties.subnet.id").to_ascii_lowercase();
            if !address.is_empty() && subnet.starts_with(&inside) {
                found.insert(address.to_owned(), text(configuration, "id").to_owned());
            }
        }
    }
    found
}

/// The blocks of a subnet, read.
pub(super) fn blocks(subnet: &Resource) -> Vec<Cidr> {
    prefixes_of(subnet.properties())
        .into_iter()
        .filter_map(|text| Cidr::parse(text).map(|(block, _)| block))
        .collect()
}

/// The first free address of a subnet.
///
/// # Errors
/// `SubnetIsFull`.
pub(super) fn next(world: &World, subnet: &Resource, also: &[String]) -> Result<String, Refusal> {
    let vnet = subnet.id.parent().unwrap_or_default();
    let used = taken(world, &vnet);
    blocks(subnet)
        .iter()
        .flat_map(Cidr::hosts)
        .find(|host| !used.contains_key(host) && !also.contains(host))
        .ok_or_else(|| {
            Refusal::bad(
                "SubnetIsFull",
                format!(
                    "Subnet {} with address prefix {} does not have enough capacity for 1 IP addresses.",
                    subnet.id.name(),
                    prefixes_of(subnet.properties()).join(",")
                ),
            )
        })
}

/// Refuses an address that is asked for in a subnet: outside, Azure's own, or somebody's.
pub(super) fn may_have(
    world: &World,
    subnet: &Resource,
    address: &str,
    configuration: &str,
) -> Result<(), Refusal> {
    let within = prefixes_of(subnet.properties()).join(",");
    let wanted = Cidr::host(address);
    let Some(block) = wanted.and_then(|wanted| blocks(subnet).into_iter().find(|it| it.contains(&wanted)))
    else {
        return Err(Refusal::bad(
            "PrivateIPAddressNotInSubnet",
            format!(
                "Private static IP address {address} does not belong to the range of subnet prefix {within}."
            ),
        ));
    };
    if wanted.is_some_and(|wanted| !block.is_host(&wanted)) {
        return Err(Refusal::bad(
            "PrivateIPAddressInReservedRange",
            format!(
                "Private static IP address {address} falls within reserved IP range of subnet prefix {within}."
            ),
        ));
    }
    let vnet = subnet.id.parent().unwrap_or_default();
    match taken(world, &vnet).get(address) {
        Some(other) if !other.eq_ignore_ascii_case(configuration) => Err(Refusal::bad(
            "PrivateIPAddressIsAllocated",
            format!(
                "IP configuration {configuration} is using the private IP address {address} which is already \
                 allocated to resource {other}."
            ),
        )),
        _ => Ok(()),
    }
}

/// Gives every configuration of a holder that names a subnet its address: the one it has, the one it asks for, or
/// the next that is free.
pub(super) fn allocate(
    world: &World,
    id: &Id,
    properties: &mut Value,
    part: &str,
    before: Option<&Resource>,
) -> Result<(), Refusal> {
    dress(id, properties, part)?;
    let mut given: Vec<String> = Vec::new();
    for configuration in properties[part].as_array_mut().into_iter().flatten() {
        let own = text(configuration, "id").to_owned();
        let subnet = text(configuration, "properties.subnet.id").to_owned();
        if subnet.is_empty() {
            continue;
        }
        let subnet = referred(world, &subnet, super::SUBNET, id, "")?;
        default(configuration, "properties.privateIPAllocationMethod", json!("Dynamic"));
        default(configuration, "properties.privateIPAddressVersion", json!("IPv4"));
        let asked = text(configuration, "properties.privateIPAddress").to_owned();
        let known = before
            .into_iter()
            .flat_map(|holder| list(holder.properties(), part))
            .find(|it| text(it, "id").eq_ignore_ascii_case(&own))
            .filter(|it| text(it, "properties.subnet.id").eq_ignore_ascii_case(&subnet.id.key()))
            .map(|it| text(it, "properties.privateIPAddress").to_owned())
            .filter(|known| !known.is_empty());
        let address = match text(configuration, "properties.privateIPAllocationMethod") {
            "Static" if !asked.is_empty() => {
                may_have(world, subnet, &asked, &own)?;
                asked
            }
            "Static" => {
                return Err(Refusal::bad(
                    "PrivateIPAddressMissing",
                    format!("IP configuration {own} has static allocation and names no private IP address."),
                ));
            }
            _ => match known {
                Some(known) => known,
                None => next(world, subnet, &given)?,
            },
        };
        put(configuration, "properties.privateIPAddress", json!(address));
        given.push(address);
    }
    Ok(())
}
