//! Microsoft.Network. In reading order:
//!
//! - [`cidr`]: blocks of addresses; [`pool`]: which addresses of a subnet are taken.
//! - [`inline`]: children that are sent with their parent and kept as resources of their own.
//! - [`vnets`], [`subnets`], [`peerings`]: virtual networks.
//! - [`security`], [`routes`], [`nat`]: what subnets are given.
//! - [`addresses`], [`interfaces`]: public addresses and their prefixes, network interfaces.
//! - [`balancers`], [`gateways`], [`bastion`], [`traffic`]: what stands before applications.
//! - [`endpoints`], [`connections`], [`zone_groups`]: private endpoints, the target's side of them, their names.
//! - [`zones`], [`links`], [`records`]: public and private DNS.
//! - [`provider`]: what the provider answers beside its resources.

mod addresses;
mod balancers;
mod bastion;
pub mod cidr;
pub(super) mod connections;
mod endpoints;
mod gateways;
mod inline;
mod interfaces;
mod links;
mod nat;
mod peerings;
mod pool;
mod provider;
mod records;
mod routes;
mod security;
mod subnets;
#[cfg(test)]
mod tests;
mod traffic;
mod vnets;
mod zone_groups;
mod zones;

use serde_json::{Value, json};

use self::cidr::Cidr;
pub use self::subnets::{Unfit, delegated_to, must_take, room};
use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Kind, Names, Place, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put, take};
use super::checks::{list, named, text, user};
use super::{World, chance};

const VNET: &str = "Microsoft.Network/virtualNetworks";
const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
const GROUP: &str = "Microsoft.Network/networkSecurityGroups";
const TABLE: &str = "Microsoft.Network/routeTables";
const ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
const NAT: &str = "Microsoft.Network/natGateways";
const BUSY: &str = "AnotherOperationInProgress";

/// Every type of the provider.
pub(super) static KINDS: &[&[Kind]] = &[
    vnets::KINDS,
    subnets::KINDS,
    peerings::KINDS,
    security::KINDS,
    routes::KINDS,
    nat::KINDS,
    addresses::KINDS,
    interfaces::KINDS,
    balancers::KINDS,
    gateways::KINDS,
    bastion::KINDS,
    traffic::KINDS,
    endpoints::KINDS,
    connections::KINDS,
    zone_groups::KINDS,
    zones::KINDS,
    links::KINDS,
    records::KINDS,
];

const fn names(from: usize, to: usize) -> Names {
    Names {
        length: (from, to),
        signs: Signs::Network,
        global: false,
        refusal: (
            "InvalidResourceName",
            "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word \
             character, and it must end with a word character or with '_'. The name may contain word characters or \
             '.', '-', '_'.",
        ),
    }
}

const fn row(
    name: &'static str,
    place: Place,
    seconds: [f64; 3],
    computed: &'static [&'static str],
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: names(1, 80),
        place,
        seconds,
        replies: USUAL,
        busy: BUSY,
        computed,
        spelling: &[],
        rules,
    }
}

fn unreadable(why: &str) -> Refusal {
    Refusal::bad("InvalidRequestFormat", format!("Cannot parse the request: {why}."))
}

fn enumeration(path: &'static str) -> impl FnOnce(&str) -> Refusal {
    move |value| unreadable(&format!("'{value}' is no value of {path}"))
}

/// `InvalidResourceReference`, in Network's words.
fn no_reference(id: &str, by: &Id) -> Refusal {
    Refusal::bad(
        "InvalidResourceReference",
        format!(
            "Resource {id} referenced by resource {by} was not found. Please make sure that the referenced resource \
             exists, and that both resources are in the same region."
        ),
    )
}

/// What a reference leads to: there, of its type, near, and not still being made.
fn referred<'a>(
    world: &'a World,
    id: &str,
    kind: &str,
    by: &Id,
    near: &str,
) -> Result<&'a Resource, Refusal> {
    let found = named(world, id, kind).ok_or_else(|| no_reference(id, by))?;
    let there = found.location();
    if !near.is_empty() && !there.is_empty() && there != near {
        return Err(no_reference(id, by));
    }
    if found.state == "Creating" || found.state == "Failed" {
        return Err(Refusal::new(
            429,
            "ReferencedResourceNotProvisioned",
            format!(
                "Cannot proceed with operation because resource {} used by resource {by} is not in Succeeded state. \
                 Resource is in {} state and the last operation that updated/is updating the resource is \
                 PutOperation.",
                found.id, found.state
            ),
        ));
    }
    Ok(found)
}

/// Refuses a reference by a path in a body; without one there is nothing to refuse.
fn must_refer(
    world: &World,
    body: &Value,
    path: &str,
    kind: &str,
    by: &Id,
    near: &str,
) -> Result<(), Refusal> {
    match text(body, path) {
        "" => Ok(()),
        id => referred(world, id, kind, by, near).map(|_| ()),
    }
}

/// The weak etag that Network shows in its bodies; no `systemData`.
fn etag(resource: &Resource, body: &mut Value) {
    body["etag"] = json!(format!("W/{}", resource.etag));
    take(body, "systemData");
}

fn guid(world: &World, change: &mut Change) {
    let guid = chance::fixed_uuid(world.config.seed, &format!("resourceGuid {}", change.id.key()));
    default(&mut change.body, "properties.resourceGuid", json!(guid.to_string()));
}

/// Network works on one child of a resource at a time.
fn alone(world: &World, id: &Id) -> Result<(), Refusal> {
    let Some(parent) = id.parent() else { return Ok(()) };
    let busy = std::iter::once(parent.key())
        .chain(world.arm.below(&parent).map(|(key, _)| key.clone()))
        .filter(|key| *key != id.key())
        .find_map(|key| super::arm::operations::under_way(world, &key));
    match busy {
        None => Ok(()),
        Some(operation) => Err(Refusal::conflict(
            BUSY,
            format!(
                "Another operation on this or dependent resource is in progress. To retrieve status of the operation \
                 use uri: {}/subscriptions/{}/providers/Microsoft.Network/locations/{}/operations/{}.",
                world.config.origin(),
                world.config.subscription,
                operation.location,
                operation.id
            ),
        )),
    }
}

/// Refuses to delete what something else names; `message` says so of the two ids.
fn must_be_free(
    world: &World,
    resource: &Resource,
    code: &str,
    message: impl FnOnce(&Id, &str) -> String,
) -> Result<(), Refusal> {
    match user(world, &resource.id) {
        None => Ok(()),
        Some(other) => Err(Refusal::bad(code, message(&resource.id, &part_naming(other, &resource.id)))),
    }
}

/// The id of the part of a resource that names another (`…/ipConfigurations/c`), else the resource's own.
fn part_naming(resource: &Resource, other: &Id) -> String {
    fn search(value: &Value, key: &str) -> Option<String> {
        match value {
            Value::Object(map) => {
                if let (Some(own), Some(properties)) =
                    (map.get("id").and_then(Value::as_str), map.get("properties"))
                    && own.contains('/')
                    && refers(properties, key)
                {
                    return Some(own.to_owned());
                }
                map.values().find_map(|value| search(value, key))
            }
            Value::Array(list) => list.iter().find_map(|value| search(value, key)),
            _ => None,
        }
    }
    fn refers(value: &Value, key: &str) -> bool {
        value.as_object().is_some_and(|map| map.values().any(|it| text(it, "id").eq_ignore_ascii_case(key)))
    }
    search(resource.properties(), &other.key()).unwrap_or_else(|| resource.id.to_string())
}

/// `{"id": …}` of everything of a type that names a resource at a path of its properties.
fn naming(world: &World, kind: &str, path: &str, id: &Id) -> Vec<Value> {
    let key = id.key();
    world
        .arm
        .of_kind(kind)
        .filter(|other| text(other.properties(), path).eq_ignore_ascii_case(&key))
        .map(|other| json!({"id": other.id.to_string()}))
        .collect()
}

/// Shows a list when there is something in it, as Network does with what is associated.
fn show_some(body: &mut Value, name: &str, found: Vec<Value>) {
    if !found.is_empty() {
        put(body, &format!("properties.{name}"), json!(found));
    }
}

/// Gives the parts of a resource (`ipConfigurations`, `probes`, …) what Azure gives them: ids, types, states.
fn dress(id: &Id, properties: &mut Value, part: &str) -> Result<(), Refusal> {
    let kind = format!("{}/{part}", id.kind());
    for item in properties[part].as_array_mut().into_iter().flatten() {
        let name = text(item, "name").to_owned();
        if name.is_empty() {
            return Err(unreadable(&format!("every one of properties.{part} has a name")));
        }
        item["id"] = json!(format!("{id}/{part}/{name}"));
        item["type"] = json!(kind);
        put(item, "properties.provisioningState", json!("Succeeded"));
    }
    Ok(())
}

fn prefix(text: &str, of: &Id) -> Result<Cidr, Refusal> {
    let Some((block, exact)) = Cidr::parse(text) else {
        return Err(Refusal::bad(
            "InvalidAddressPrefixFormat",
            format!(
                "Address prefix {text} of resource {of} is not formatted correctly. It should follow CIDR notation, \
                 for example 10.0.0.0/24."
            ),
        ));
    };
    if exact {
        return Ok(block);
    }
    Err(Refusal::bad(
        "InvalidCIDRNotation",
        format!(
            "The address prefix {text} in resource {of} has an invalid CIDR notation. For the given prefix length, \
             the address prefix should be {block}."
        ),
    ))
}

/// The blocks of a subnet, of either property.
fn prefixes_of(properties: &Value) -> Vec<&str> {
    let many = list(properties, "addressPrefixes").iter().filter_map(Value::as_str);
    let mut all: Vec<&str> = many.collect();
    if let Some(one) = properties["addressPrefix"].as_str().filter(|one| !all.contains(one)) {
        all.push(one);
    }
    all
}

/// The blocks of a virtual network.
fn space_of(vnet: &Resource) -> Vec<Cidr> {
    list(vnet.properties(), "addressSpace.addressPrefixes")
        .iter()
        .filter_map(|text| Cidr::parse(text.as_str()?).map(|(block, _)| block))
        .collect()
}
