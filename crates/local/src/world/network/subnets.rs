//! Subnets: where they may lie, what they are given, what is in them.

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::inline::Inline;
use super::{
    BUSY, GROUP, NAT, SUBNET, TABLE, alone, enumeration, etag, must_refer, names, part_naming, prefix,
    prefixes_of, row, show_some, space_of,
};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::subscriptions;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{list, named, one_of, text, user};

pub(super) const SUBNETS: Inline = Inline { property: "subnets", kind: "subnets" };

/// The smallest subnet Azure takes has eight addresses; IPv6 ones are of one size.
const SMALLEST: u8 = 29;
const SIX: u8 = 64;

/// What a service leaves in a subnet that is delegated to it.
const LINKS: [(&str, &str); 3] = [
    ("Microsoft.App/environments", "legionservicelink"),
    ("Microsoft.Web/serverFarms", "AppServiceLink"),
    ("Microsoft.ContainerInstance/containerGroups", "acisal"),
];

pub(super) static KINDS: &[Kind] = &[Kind {
    busy: BUSY,
    names: names(1, 80),
    ..row(
        SUBNET,
        Place::Parent,
        [5.0, 5.0, 10.0],
        &[
            "etag",
            "properties.privateEndpoints",
            "properties.ipConfigurations",
            "properties.serviceAssociationLinks",
            "properties.purpose",
        ],
        &Subnets,
    )
}];

/// Refuses subnets that lie outside a network or over each other.
pub(super) fn check_places(vnet: &Id, space: &[Cidr], subnets: &[(Id, Value)]) -> Result<(), Refusal> {
    let mut taken: Vec<Cidr> = Vec::new();
    for (id, properties) in subnets {
        let name = id.name();
        let prefixes = prefixes_of(properties);
        if prefixes.is_empty() && !properties["ipamPoolPrefixAllocations"].is_array() {
            return Err(Refusal::bad(
                "NoAddressPrefixOrPoolProvided",
                format!("The subnet '{name}' must have an address prefix or an IPAM pool."),
            ));
        }
        for text in prefixes {
            let block = prefix(text, id)?;
            if !space.iter().any(|outer| outer.contains(&block)) {
                return Err(Refusal::bad(
                    "NetcfgSubnetRangeOutsideVnet",
                    format!(
                        "Subnet '{name}' is not valid because its IP address range is outside the IP address range \
                         of virtual network '{}'.",
                        vnet.name()
                    ),
                ));
            }
            let sized = if block.six { block.bits == SIX } else { block.bits <= SMALLEST };
            if !sized {
                return Err(Refusal::bad(
                    "NetcfgInvalidSubnet",
                    format!("Subnet '{name}' is not valid in virtual network '{}'.", vnet.name()),
                ));
            }
            if taken.iter().any(|other| other.overlaps(&block)) {
                return Err(Refusal::bad(
                    "NetcfgSubnetRangesOverlap",
                    format!(
                        "Subnet '{name}' is not valid because its IP address range overlaps with that of an existing \
                         subnet in virtual network '{}'.",
                        vnet.name()
                    ),
                ));
            }
            taken.push(block);
        }
    }
    Ok(())
}

/// Refuses to delete a subnet that something is in, other than what is its network's own.
pub(super) fn must_be_empty(world: &World, subnet: &Id) -> Result<(), Refusal> {
    let Some(other) = user(world, subnet) else { return Ok(()) };
    let by = link_of(world, subnet, other).unwrap_or_else(|| part_naming(other, subnet));
    Err(Refusal::bad(
        "InUseSubnetCannotBeDeleted",
        format!(
            "Subnet {} is in use by {by} and cannot be deleted. In order to delete the subnet, delete all the \
             resources within the subnet. See aka.ms/deletesubnet.",
            subnet.name()
        ),
    ))
}

/// The association link that a service's resource has in a subnet delegated to that service.
fn link_of(world: &World, subnet: &Id, user: &Resource) -> Option<String> {
    if user.kind.starts_with("Microsoft.Network/") {
        return None;
    }
    let service = delegated_to(world.arm.find(&subnet.key())?);
    let (_, link) = LINKS.iter().find(|(known, _)| known.eq_ignore_ascii_case(service))?;
    Some(format!("{subnet}/serviceAssociationLinks/{link}"))
}

/// Refuses a subnet that a service has for itself to everything else.
pub(super) fn must_be_shared(world: &World, subnet: &Resource, by: &Id) -> Result<(), Refusal> {
    let key = subnet.id.key();
    let external = user(world, &subnet.id).and_then(|other| link_of(world, &subnet.id, other));
    match external {
        Some(link) if by.key() != key => Err(Refusal::bad(
            "SubnetWithExternalResourcesCannotBeUsedByOtherResources",
            format!(
                "Subnet {} referenced by {by} cannot be used because it contains external resources. The external \
                 resources in this subnet are {link}. You need to delete these external resources before deploying \
                 into this subnet.",
                subnet.id
            ),
        )),
        _ => Ok(()),
    }
}

/// Judges a subnet's own properties and completes them.
pub(super) fn check(world: &World, id: &Id, properties: &mut Value, near: &str) -> Result<(), Refusal> {
    for (path, kind) in [("networkSecurityGroup.id", GROUP), ("routeTable.id", TABLE), ("natGateway.id", NAT)]
    {
        must_refer(world, properties, path, kind, id, near)?;
    }
    delegations(id, properties)?;
    service_endpoints(properties, near)?;
    for policy in ["privateEndpointNetworkPolicies", "privateLinkServiceNetworkPolicies"] {
        let usual = if policy.starts_with("privateEndpoint") { "Disabled" } else { "Enabled" };
        default(properties, policy, json!(usual));
        one_of(
            properties,
            policy,
            &["Enabled", "Disabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"],
            enumeration("a subnet's network policies"),
        )?;
    }
    held(world, id, properties)
}

/// A subnet is delegated to one service at most; who that is has Azure's own form.
fn delegations(id: &Id, properties: &mut Value) -> Result<(), Refusal> {
    default(properties, "delegations", json!([]));
    let count = list(properties, "delegations").len();
    if count > 1 {
        return Err(Refusal::bad(
            "SubnetCannotHaveMultipleDelegations",
            format!("Subnet {id} has {count} delegations; only one is allowed."),
        ));
    }
    for delegation in properties["delegations"].as_array_mut().into_iter().flatten() {
        let (name, service) =
            (text(delegation, "name").to_owned(), text(delegation, "properties.serviceName").to_owned());
        if name.is_empty() || service.split('/').count() < 2 {
            return Err(Refusal::bad(
                "InvalidServiceNameOnDelegation",
                format!("The service name '{service}' on the delegation of subnet {id} is invalid."),
            ));
        }
        if id.name().eq_ignore_ascii_case("GatewaySubnet") {
            return Err(Refusal::bad(
                "DelegationNotAllowedOnGatewaySubnet",
                format!("Subnet {id} is for gateways and cannot be delegated to {service}."),
            ));
        }
        delegation["id"] = json!(format!("{id}/delegations/{name}"));
        default(delegation, "type", json!("Microsoft.Network/virtualNetworks/subnets/delegations"));
        put(delegation, "properties.provisioningState", json!("Succeeded"));
        put(
            delegation,
            "properties.actions",
            json!(["Microsoft.Network/virtualNetworks/subnets/join/action"]),
        );
    }
    Ok(())
}

/// Service endpoints tell where they reach: storage in the region and its pair, others everywhere.
fn service_endpoints(properties: &mut Value, near: &str) -> Result<(), Refusal> {
    for endpoint in properties["serviceEndpoints"].as_array_mut().into_iter().flatten() {
        let service = text(endpoint, "service").to_owned();
        let Some(known) = super::provider::SERVICES.iter().find(|it| it.eq_ignore_ascii_case(&service))
        else {
            return Err(Refusal::bad(
                "InvalidServiceEndpoint",
                format!("The service endpoint '{service}' is not supported in location '{near}'."),
            ));
        };
        endpoint["service"] = json!(known);
        endpoint["provisioningState"] = json!("Succeeded");
        let near_only = *known == "Microsoft.Storage" || *known == "Microsoft.Sql";
        let regions =
            if near_only { vec![near, subscriptions::paired(near).unwrap_or(near)] } else { vec!["*"] };
        endpoint["locations"] = json!(regions);
    }
    Ok(())
}

/// What is in a subnet holds its addresses and its delegation.
fn held(world: &World, id: &Id, properties: &Value) -> Result<(), Refusal> {
    let Some(current) = world.arm.find(&id.key()) else { return Ok(()) };
    let Some(other) = user(world, id) else { return Ok(()) };
    let (before, now) = (prefixes_of(current.properties()), prefixes_of(properties));
    if let Some(gone) = before.iter().find(|known| !now.contains(known)) {
        return Err(Refusal::bad(
            "InUsePrefixCannotBeDeleted",
            format!("IpPrefix {gone} on Subnet {} has active allocations and cannot be deleted.", id.name()),
        ));
    }
    let known = delegated_to(current);
    let kept = list(properties, "delegations")
        .iter()
        .any(|delegation| text(delegation, "properties.serviceName").eq_ignore_ascii_case(known));
    if known.is_empty() || kept {
        return Ok(());
    }
    let link = link_of(world, id, other).unwrap_or_else(|| other.id.to_string());
    Err(Refusal::bad(
        "SubnetMissingRequiredDelegation",
        format!(
            "Subnet {id} requires any of the following delegation(s) [{known}] to reference service association link \
             {link}."
        ),
    ))
}

/// The one service a subnet is delegated to; empty without.
pub fn delegated_to(subnet: &Resource) -> &str {
    list(subnet.properties(), "delegations").first().map_or("", |first| text(first, "properties.serviceName"))
}

/// How many addresses a subnet's first IPv4 block leaves to its users; Azure keeps five.
pub fn room(subnet: &Resource) -> u128 {
    prefixes_of(subnet.properties())
        .first()
        .and_then(|text| Cidr::parse(text))
        .map_or(0, |(block, _)| block.size().saturating_sub(5))
}

/// What a service that is injected into a subnet asks of it: that it is there, near, and delegated to it.
///
/// # Errors
/// `Err` carries which of the three fails, for the service's own code.
pub fn must_take<'a>(
    world: &'a World,
    subnet: &str,
    near: &str,
    service: &str,
) -> Result<&'a Resource, Unfit<'a>> {
    let Some(found) = named(world, subnet, SUBNET) else { return Err(Unfit::Missing) };
    let vnet = found.id.parent().and_then(|vnet| world.arm.find(&vnet.key()));
    if vnet.is_none_or(|vnet| vnet.location() != near) {
        return Err(Unfit::Elsewhere(found));
    }
    if !delegated_to(found).eq_ignore_ascii_case(service) {
        return Err(Unfit::Undelegated(found));
    }
    Ok(found)
}

/// Why a subnet does not take a service.
#[derive(Debug)]
pub enum Unfit<'a> {
    /// It is not there.
    Missing,
    /// Its network is in another region.
    Elsewhere(&'a Resource),
    /// It is not delegated to the service.
    Undelegated(&'a Resource),
}

#[derive(Debug)]
struct Subnets;

impl Rules for Subnets {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let Some(vnet) = change.id.parent().and_then(|parent| world.arm.find(&parent.key())) else {
            return Ok(());
        };
        let mut properties = change.body["properties"].clone();
        check(world, change.id, &mut properties, &vnet.location())?;
        let mut all: Vec<(Id, Value)> = SUBNETS
            .of(world, &vnet.id)
            .filter(|other| other.id.key() != change.id.key())
            .map(|other| (other.id.clone(), other.properties().clone()))
            .collect();
        all.push((change.id.clone(), properties.clone()));
        check_places(&vnet.id, &space_of(vnet), &all)?;
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        alone(world, &resource.id)?;
        must_be_empty(world, &resource.id)
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        show_some(body, "privateEndpoints", super::endpoints::in_subnet(world, &resource.id));
        show_some(body, "ipConfigurations", configurations(world, &resource.id));
        if let Some(link) = user(world, &resource.id).and_then(|other| link_of(world, &resource.id, other)) {
            let name = link.rsplit('/').next().unwrap_or_default();
            let shown = json!({"id": link, "name": name,
                "type": "Microsoft.Network/virtualNetworks/subnets/serviceAssociationLinks",
                "properties": {"provisioningState": "Succeeded", "linkedResourceType": delegated_to(resource),
                               "enabledForArmDeployments": false, "allowDelete": false, "locations": []}});
            put(body, "properties.serviceAssociationLinks", json!([shown]));
        }
        etag(resource, body);
    }
}

/// Ids of the configurations in a subnet.
fn configurations(world: &World, subnet: &Id) -> Vec<Value> {
    let vnet = subnet.parent().unwrap_or_default();
    let key = subnet.key();
    super::pool::taken(world, &vnet)
        .into_values()
        .filter(|id| {
            let owner = Id::parse(id).and_then(|id| id.parent()).and_then(|id| world.arm.find(&id.key()));
            owner.is_some_and(|owner| {
                ["ipConfigurations", "frontendIPConfigurations"]
                    .iter()
                    .flat_map(|part| list(owner.properties(), part))
                    .any(|it| {
                        text(it, "id").eq_ignore_ascii_case(id)
                            && text(it, "properties.subnet.id").eq_ignore_ascii_case(&key)
                    })
            })
        })
        .map(|id| json!({"id": id}))
        .collect()
}
