//! Virtual networks: their address space, and what they answer about it.

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::inline::own_properties;
use super::peerings::{self, PEERINGS};
use super::subnets::{self, SUBNETS};
use super::{VNET, etag, guid, names, pool, prefix, row};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{list, text};
use crate::world::{Method, Response, World};

pub(super) static KINDS: &[Kind] = &[Kind {
    names: names(2, 64),
    ..row(VNET, Place::Regional, [5.0, 5.0, 10.0], &["properties.resourceGuid", "etag"], &Vnets)
}];

/// Blocks that no network may have. (azure/virtual-network/virtual-networks-faq)
const RESERVED: [&str; 5] =
    ["224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32"];

#[derive(Debug)]
struct Vnets;

/// The address space that a body asks for.
fn space(id: &Id, body: &Value) -> Result<Vec<Cidr>, Refusal> {
    let mut space: Vec<Cidr> = Vec::new();
    for text in list(body, "properties.addressSpace.addressPrefixes") {
        let text = text.as_str().unwrap_or_default();
        let block = prefix(text, id)?;
        let reserved =
            RESERVED.iter().any(|it| Cidr::parse(it).is_some_and(|(reserved, _)| reserved.overlaps(&block)));
        if space.iter().any(|other| other.overlaps(&block)) || reserved {
            let why = if reserved { "is reserved by Azure" } else { "overlaps with another of its own" };
            return Err(Refusal::bad(
                "NetcfgInvalidVirtualNetworkSite",
                format!("The address prefix {text} of virtual network '{}' {why}.", id.name()),
            ));
        }
        space.push(block);
    }
    let pooled = !list(body, "properties.addressSpace.ipamPoolPrefixAllocations").is_empty();
    if space.is_empty() && !pooled {
        return Err(Refusal::bad(
            "MissingAddressSpace",
            format!("The virtual network '{}' must have at least one address prefix.", id.name()),
        ));
    }
    Ok(space)
}

impl Rules for Vnets {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        let space = space(&id, &change.body)?;
        for server in list(&change.body, "properties.dhcpOptions.dnsServers") {
            let server = server.as_str().unwrap_or_default();
            if server.parse::<std::net::IpAddr>().is_err() {
                return Err(Refusal::bad(
                    "InvalidDnsServerAddress",
                    format!("The DNS server '{server}' of virtual network '{}' is no IP address.", id.name()),
                ));
            }
        }
        peerings::still_apart(world, &id, &space)?;
        PEERINGS.aside(change)?;
        let children: Vec<(Id, Value)> = match SUBNETS.aside(change)? {
            Some(mut sent) => {
                let mut children = Vec::new();
                for child in &mut sent {
                    let own = id.child("subnets", text(child, "name"));
                    let mut properties = own_properties(child);
                    subnets::check(world, &own, &mut properties, &near)?;
                    child["properties"] = properties.clone();
                    children.push((own, properties));
                }
                for gone in SUBNETS.of(world, &id).filter(|known| {
                    !sent.iter().any(|it| text(it, "name").eq_ignore_ascii_case(known.id.name()))
                }) {
                    subnets::must_be_empty(world, &gone.id)?;
                }
                SUBNETS.replace(change, &sent);
                children
            }
            None => SUBNETS.of(world, &id).map(|it| (it.id.clone(), it.properties().clone())).collect(),
        };
        subnets::check_places(&id, &space, &children)?;
        guid(world, change);
        default(&mut change.body, "properties.enableDdosProtection", json!(false));
        default(&mut change.body, "properties.privateEndpointVNetPolicies", json!("Disabled"));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        SUBNETS.settle(world, id);
        PEERINGS.settle(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        for subnet in SUBNETS.of(world, &resource.id) {
            subnets::must_be_empty(world, &subnet.id)?;
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        SUBNETS.show(world, &resource.id, body);
        PEERINGS.show(world, &resource.id, body);
        etag(resource, body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Get {
            return None;
        }
        if call.rest_is(&["CheckIPAddressAvailability"]) {
            return Some(availability(world, call));
        }
        call.rest_is(&["usages"]).then(|| Ok(usages(world, &call.id)))
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        super::provider::answer(world, call)
    }
}

/// Whether an address is free, and which others are.
fn availability(world: &World, call: &Call) -> Result<Response, Refusal> {
    let address = call.request.query("ipAddress").unwrap_or_default();
    let Some(wanted) = Cidr::host(address) else {
        return Err(Refusal::bad(
            "InvalidIPAddressFormat",
            format!("The value '{address}' of ipAddress is no IP address."),
        ));
    };
    let used = pool::taken(world, &call.id);
    let inside = SUBNETS.of(world, &call.id).flat_map(pool::blocks).find(|block| block.contains(&wanted));
    let Some(block) = inside else {
        return Err(Refusal::bad(
            "PrivateIPAddressNotInAnySubnet",
            format!(
                "Private static IP address {address} does not belong to the range of any subnet in the virtual \
                     network {}.",
                call.id
            ),
        ));
    };
    let reserved = !block.is_host(&wanted);
    let available = !reserved && !used.contains_key(address);
    let free: Vec<String> = if available {
        Vec::new()
    } else {
        block.hosts().filter(|host| !used.contains_key(host)).take(5).collect()
    };
    let body = json!({"available": available, "availableIPAddresses": free, "isPlatformReserved": reserved});
    Ok(Response::json(200, &body))
}

/// How full each subnet is.
fn usages(world: &World, vnet: &Id) -> Response {
    let used = pool::taken(world, vnet);
    let value: Vec<Value> = SUBNETS
        .of(world, vnet)
        .map(|subnet| {
            let within = pool::blocks(subnet);
            let taken = used
                .keys()
                .filter_map(|address| Cidr::host(address))
                .filter(|address| within.iter().any(|block| block.contains(address)))
                .count();
            let limit = u64::try_from(subnets::room(subnet)).unwrap_or(u64::MAX);
            json!({"id": subnet.id.to_string(), "currentValue": taken, "limit": limit, "unit": "Count",
                   "name": {"value": "SubnetSpace", "localizedValue": "Subnet size and usage"}})
        })
        .collect();
    Response::json(200, &json!({"value": value}))
}
