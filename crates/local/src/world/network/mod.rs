//! Virtual networks and what is in them: address rules, subnets, security groups, routes, public addresses, NAT.
//! Private endpoints and private DNS are in [`private`].

pub mod cidr;
pub mod private;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use self::cidr::Cidr;
use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put, resources, take};
use super::checks::{between, list, named, one_of, text, user};
use super::{World, chance};

const VNET: &str = "Microsoft.Network/virtualNetworks";
const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
const PEERING: &str = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings";
const GROUP: &str = "Microsoft.Network/networkSecurityGroups";
const RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";
const TABLE: &str = "Microsoft.Network/routeTables";
const ROUTE: &str = "Microsoft.Network/routeTables/routes";
const ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
const NAT: &str = "Microsoft.Network/natGateways";
const BUSY: &str = "AnotherOperationInProgress";

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

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: names(2, 64),
        ..row(VNET, Place::Regional, [5.0, 5.0, 10.0], &["properties.resourceGuid", "etag"], &Vnets)
    },
    row(SUBNET, Place::Parent, [5.0, 5.0, 10.0], &["etag", "properties.privateEndpoints"], &Subnets),
    row(PEERING, Place::Parent, [5.0, 5.0, 5.0], &["etag", "properties.peeringState"], &Peerings),
    row(
        GROUP,
        Place::Regional,
        [5.0, 5.0, 5.0],
        &["properties.resourceGuid", "properties.defaultSecurityRules", "properties.subnets", "etag"],
        &Groups,
    ),
    row(RULE, Place::Parent, [3.0, 3.0, 3.0], &["etag"], &SecurityRules),
    row(TABLE, Place::Regional, [5.0, 5.0, 5.0], &["properties.subnets", "etag"], &Tables),
    row(ROUTE, Place::Parent, [3.0, 3.0, 3.0], &["etag"], &Routes),
    row(
        ADDRESS,
        Place::Regional,
        [5.0, 5.0, 10.0],
        &["properties.ipAddress", "properties.resourceGuid", "etag", "properties.ipConfiguration"],
        &Addresses,
    ),
    row(
        NAT,
        Place::Regional,
        [10.0, 10.0, 10.0],
        &["properties.subnets", "properties.resourceGuid", "etag"],
        &Nats,
    ),
];

/// A property of a resource that is a list of its children: sent with it, kept as resources of their own.
struct Inline {
    property: &'static str,
    kind: &'static str,
}

const SUBNETS: Inline = Inline { property: "subnets", kind: "subnets" };
const PEERINGS: Inline = Inline { property: "virtualNetworkPeerings", kind: "virtualNetworkPeerings" };
const RULES: Inline = Inline { property: "securityRules", kind: "securityRules" };
const ROUTES: Inline = Inline { property: "routes", kind: "routes" };

impl Inline {
    /// Takes the list out of a change; children that stay unnamed are kept when there is none.
    fn aside(&self, change: &mut Change) -> Result<Option<Vec<Value>>, Refusal> {
        let Some(sent) = take(&mut change.body, &format!("properties.{}", self.property)) else {
            return Ok(None);
        };
        let Value::Array(children) = sent else {
            return Err(unreadable(&format!("properties.{} must be a list", self.property)));
        };
        let mut seen = std::collections::BTreeSet::new();
        for child in &children {
            let name = text(child, "name");
            if name.is_empty() {
                return Err(unreadable(&format!("every one of properties.{} has a name", self.property)));
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(Refusal::bad(
                    "InvalidRequestFormat",
                    format!("Cannot parse the request: the name '{name}' is there more than once."),
                ));
            }
        }
        put(&mut change.private, &format!("pending.{}", self.property), json!(children));
        Ok(Some(children))
    }

    /// Makes the children what was sent.
    fn settle(&self, world: &mut World, parent: &Id) {
        let Some(found) = world.arm.find_mut(&parent.key()) else { return };
        let Some(Value::Array(wanted)) = take(&mut found.private, &format!("pending.{}", self.property))
        else {
            return;
        };
        let gone: Vec<String> = self
            .of(world, parent)
            .filter(|child| !wanted.iter().any(|it| text(it, "name").eq_ignore_ascii_case(child.id.name())))
            .map(|child| child.id.key())
            .collect();
        for key in gone {
            resources::remove(world, &key);
        }
        for child in wanted {
            let id = parent.child(self.kind, text(&child, "name"));
            let body = json!({"properties": own_properties(&child)});
            match world.arm.find_mut(&id.key()) {
                Some(known) => known.body = body,
                None => resources::grow(world, &id, body, Value::Null),
            }
        }
    }

    fn of<'a>(&'a self, world: &'a World, parent: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
        let key = parent.key();
        let kind = format!("{}/{}", parent.kind(), self.kind);
        world.arm.below(parent).map(|(_, child)| child).filter(move |child| {
            child.kind.eq_ignore_ascii_case(&kind)
                && child.id.parent().is_some_and(|parent| parent.key() == key)
        })
    }

    fn show(&self, world: &World, parent: &Id, body: &mut Value) {
        let shown: Vec<Value> = self
            .of(world, parent)
            .map(|child| {
                let mut shown = resources::view(world, child);
                take(&mut shown, "systemData");
                shown
            })
            .collect();
        put(body, &format!("properties.{}", self.property), json!(shown));
    }
}

/// What of an inline child's properties is its own to say.
fn own_properties(child: &Value) -> Value {
    let mut properties = child["properties"].clone();
    for computed in ["provisioningState", "privateEndpoints", "peeringState"] {
        take(&mut properties, computed);
    }
    if properties.is_object() { properties } else { json!({}) }
}

fn unreadable(why: &str) -> Refusal {
    Refusal::bad("InvalidRequestFormat", format!("Cannot parse the request: {why}."))
}

fn enumeration(path: &'static str) -> impl FnOnce(&str) -> Refusal {
    move |value| unreadable(&format!("'{value}' is no value of {path}"))
}

/// `InvalidResourceReference`, in Network's words.
pub(super) fn no_reference(id: &str, by: &Id) -> Refusal {
    Refusal::bad(
        "InvalidResourceReference",
        format!(
            "Resource {id} referenced by resource {by} was not found. Please make sure that the referenced resource \
             exists, and that both resources are in the same region."
        ),
    )
}

/// Refuses a reference to what is not there, or in another region.
fn must_refer(
    world: &World,
    body: &Value,
    path: &str,
    kind: &str,
    by: &Id,
    near: &str,
) -> Result<(), Refusal> {
    let id = text(body, path);
    if id.is_empty() {
        return Ok(());
    }
    match named(world, id, kind) {
        Some(found) if near.is_empty() || found.location().is_empty() || found.location() == near => Ok(()),
        _ => Err(no_reference(id, by)),
    }
}

/// A weak etag as Network shows it in its bodies.
fn etag(world: &World, resource: &Resource, body: &mut Value) {
    let tag = format!("{} {}", resource.etag, resource.system.modified_at);
    let guid = chance::fixed_uuid(world.config.seed, &tag);
    body["etag"] = json!(format!("W/\"{guid}\""));
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

fn prefixes_of(properties: &Value) -> Vec<&str> {
    let many = list(properties, "addressPrefixes").iter().filter_map(Value::as_str);
    let mut all: Vec<&str> = many.collect();
    if let Some(one) = properties["addressPrefix"].as_str().filter(|one| !all.contains(one)) {
        all.push(one);
    }
    all
}

/// Refuses subnets that lie outside a network or over each other.
fn check_subnets(vnet: &Id, space: &[Cidr], subnets: &[(Id, Value)]) -> Result<(), Refusal> {
    let mut taken: Vec<(String, Cidr)> = Vec::new();
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
            if block.bits > if block.six { 64 } else { 29 } {
                return Err(Refusal::bad(
                    "NetcfgInvalidSubnet",
                    format!(
                        "Subnet '{name}' is not valid in virtual network '{}': the smallest subnet is a /29.",
                        vnet.name()
                    ),
                ));
            }
            if taken.iter().any(|(_, other)| other.overlaps(&block)) {
                return Err(Refusal::bad(
                    "NetcfgSubnetRangesOverlap",
                    format!(
                        "Subnet '{name}' is not valid because its IP address range overlaps with that of an existing \
                         subnet in virtual network '{}'.",
                        vnet.name()
                    ),
                ));
            }
            taken.push((name.to_owned(), block));
        }
    }
    Ok(())
}

/// Whatever is in a subnet: what names it, other than its own network.
fn in_use(world: &World, subnet: &Id) -> Result<(), Refusal> {
    match user(world, subnet) {
        None => Ok(()),
        Some(other) => Err(Refusal::bad(
            "InUseSubnetCannotBeDeleted",
            format!(
                "Subnet {} is in use by {} and cannot be deleted. In order to delete the subnet, delete all the \
                 resources within the subnet. See aka.ms/deletesubnet.",
                subnet.name(),
                other.id
            ),
        )),
    }
}

fn check_subnet(world: &World, id: &Id, properties: &mut Value, near: &str) -> Result<(), Refusal> {
    for (path, kind) in [("networkSecurityGroup.id", GROUP), ("routeTable.id", TABLE), ("natGateway.id", NAT)]
    {
        must_refer(world, properties, path, kind, id, near)?;
    }
    let mut services = Vec::new();
    for delegation in list(properties, "delegations") {
        let service = text(delegation, "properties.serviceName").to_owned();
        if text(delegation, "name").is_empty() || service.split('/').count() < 2 {
            return Err(Refusal::bad(
                "InvalidServiceNameOnDelegation",
                format!("The service name '{service}' on the delegation of subnet {id} is invalid."),
            ));
        }
        services.push(service);
    }
    if services.len() > 1 {
        return Err(Refusal::bad(
            "SubnetCannotHaveMultipleDelegations",
            format!("Subnet {id} has {} delegations; only one is allowed.", services.len()),
        ));
    }
    for (position, service) in services.iter().enumerate() {
        let delegation = &mut properties["delegations"][position];
        let name = text(delegation, "name").to_owned();
        delegation["id"] = json!(format!("{id}/delegations/{name}"));
        default(delegation, "type", json!("Microsoft.Network/virtualNetworks/subnets/delegations"));
        put(delegation, "properties.provisioningState", json!("Succeeded"));
        put(
            delegation,
            "properties.actions",
            json!(["Microsoft.Network/virtualNetworks/subnets/join/action"]),
        );
        debug_assert!(!service.is_empty());
    }
    default(properties, "delegations", json!([]));
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
    // what is in the subnet holds its addresses and its delegation
    if let Some(current) = world.arm.find(&id.key())
        && let Some(other) = user(world, id)
    {
        if prefixes_of(current.properties()) != prefixes_of(properties) {
            return Err(Refusal::bad(
                "InUsePrefixCannotBeDeleted",
                format!(
                    "IpPrefix {} on Subnet {} has active allocations and cannot be deleted: it is in use by {}.",
                    prefixes_of(current.properties()).join(","),
                    id.name(),
                    other.id
                ),
            ));
        }
        let known: Vec<&str> = list(current.properties(), "delegations")
            .iter()
            .map(|delegation| text(delegation, "properties.serviceName"))
            .collect();
        if !known.iter().all(|known| services.iter().any(|it| it.eq_ignore_ascii_case(known))) {
            return Err(Refusal::bad(
                "SubnetMissingRequiredDelegation",
                format!(
                    "Subnet {id} requires the delegation {} to reference service association link of {}.",
                    known.join(","),
                    other.id
                ),
            ));
        }
    }
    Ok(())
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

#[derive(Debug)]
struct Vnets;

impl Rules for Vnets {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        let mut space: Vec<Cidr> = Vec::new();
        let prefixes: Vec<String> = list(&change.body, "properties.addressSpace.addressPrefixes")
            .iter()
            .map(|prefix| prefix.as_str().unwrap_or_default().to_owned())
            .collect();
        for text in &prefixes {
            let block = prefix(text, &id)?;
            if space.iter().any(|other| other.overlaps(&block)) {
                return Err(Refusal::bad(
                    "NetcfgInvalidVirtualNetworkSite",
                    format!(
                        "The address prefix {text} of virtual network '{}' overlaps with another of its own.",
                        id.name()
                    ),
                ));
            }
            space.push(block);
        }
        if space.is_empty() {
            return Err(Refusal::bad(
                "MissingAddressSpace",
                format!("The virtual network '{}' must have at least one address prefix.", id.name()),
            ));
        }
        PEERINGS.aside(change)?;
        let mut subnets: Vec<(Id, Value)> = Vec::new();
        match SUBNETS.aside(change)? {
            Some(mut sent) => {
                for child in &mut sent {
                    let own = id.child("subnets", text(child, "name"));
                    let mut properties = own_properties(child);
                    check_subnet(world, &own, &mut properties, &near)?;
                    child["properties"] = properties.clone();
                    subnets.push((own, properties));
                }
                for gone in SUBNETS.of(world, &id).filter(|known| {
                    !sent.iter().any(|it| text(it, "name").eq_ignore_ascii_case(known.id.name()))
                }) {
                    in_use(world, &gone.id)?;
                }
                put(&mut change.private, "pending.subnets", json!(sent));
            }
            None => {
                subnets = SUBNETS.of(world, &id).map(|it| (it.id.clone(), it.properties().clone())).collect();
            }
        }
        check_subnets(&id, &space, &subnets)?;
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
            in_use(world, &subnet.id)?;
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        SUBNETS.show(world, &resource.id, body);
        PEERINGS.show(world, &resource.id, body);
        etag(world, resource, body);
    }

    fn act(
        &self,
        world: &mut World,
        call: &super::arm::kind::Call,
    ) -> Option<Result<super::Response, Refusal>> {
        if call.rest_is(&["CheckIPAddressAvailability"]) {
            let address = call.request.query("ipAddress").unwrap_or_default().to_owned();
            let Some((wanted, _)) = Cidr::parse(&format!("{address}/32")) else {
                return Some(Err(Refusal::bad(
                    "InvalidIPAddressFormat",
                    format!("The address '{address}' is no IPv4 address."),
                )));
            };
            let used = private::addresses_in_use(world);
            let inside = SUBNETS.of(world, &call.id).find_map(|subnet| {
                prefixes_of(subnet.properties())
                    .into_iter()
                    .filter_map(|text| Cidr::parse(text).map(|(block, _)| block))
                    .find(|block| block.contains(&wanted))
            });
            let free: Vec<String> = inside
                .iter()
                .flat_map(|block| block.hosts())
                .filter(|host| !used.contains(host))
                .take(5)
                .collect();
            let available = inside.is_some_and(|block| block.is_host(&wanted)) && !used.contains(&address);
            return Some(Ok(super::Response::json(
                200,
                &json!({"available": available, "availableIPAddresses": if available { vec![] } else { free },
                        "isPlatformReserved": false}),
            )));
        }
        None
    }
}

#[derive(Debug)]
struct Subnets;

impl Rules for Subnets {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let Some(vnet) = change.id.parent().and_then(|parent| world.arm.find(&parent.key())) else {
            return Ok(());
        };
        let space: Vec<Cidr> = list(vnet.properties(), "addressSpace.addressPrefixes")
            .iter()
            .filter_map(|text| Cidr::parse(text.as_str()?).map(|(block, _)| block))
            .collect();
        let mut properties = change.body["properties"].clone();
        check_subnet(world, change.id, &mut properties, &vnet.location())?;
        let mut all: Vec<(Id, Value)> = SUBNETS
            .of(world, &vnet.id)
            .filter(|other| other.id.key() != change.id.key())
            .map(|other| (other.id.clone(), other.properties().clone()))
            .collect();
        all.push((change.id.clone(), properties.clone()));
        check_subnets(&vnet.id, &space, &all)?;
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        alone(world, &resource.id)?;
        in_use(world, &resource.id)
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let endpoints = private::endpoints_in(world, &resource.id);
        if !endpoints.is_empty() {
            let ids: Vec<Value> = endpoints.iter().map(|id| json!({"id": id})).collect();
            put(body, "properties.privateEndpoints", json!(ids));
        }
        etag(world, resource, body);
    }
}

#[derive(Debug)]
struct Peerings;

impl Rules for Peerings {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let remote = text(&change.body, "properties.remoteVirtualNetwork.id");
        let Some(remote) = named(world, remote, VNET) else { return Err(no_reference(remote, change.id)) };
        let Some(own) = change.id.parent().and_then(|parent| world.arm.find(&parent.key())) else {
            return Ok(());
        };
        let space = |vnet: &Resource| -> Vec<Cidr> {
            list(vnet.properties(), "addressSpace.addressPrefixes")
                .iter()
                .filter_map(|text| Cidr::parse(text.as_str()?).map(|(block, _)| block))
                .collect()
        };
        if space(own).iter().any(|a| space(remote).iter().any(|b| a.overlaps(b))) {
            return Err(Refusal::bad(
                "VnetAddressSpacesOverlap",
                format!(
                    "Cannot create or update peering {}. Virtual networks {} and {} cannot be peered because their \
                     address spaces overlap.",
                    change.id, own.id, remote.id
                ),
            ));
        }
        for (name, value) in [
            ("allowVirtualNetworkAccess", true),
            ("allowForwardedTraffic", false),
            ("allowGatewayTransit", false),
            ("useRemoteGateways", false),
        ] {
            default(&mut change.body, &format!("properties.{name}"), json!(value));
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        // connected once the other side has its peering too
        let own = resource.id.parent().map(|id| id.key()).unwrap_or_default();
        let back =
            Id::parse(text(&resource.body, "properties.remoteVirtualNetwork.id")).is_some_and(|remote| {
                PEERINGS.of(world, &remote).any(|other| {
                    text(&other.body, "properties.remoteVirtualNetwork.id").eq_ignore_ascii_case(&own)
                })
            });
        put(body, "properties.peeringState", json!(if back { "Connected" } else { "Initiated" }));
        etag(world, resource, body);
    }
}

fn check_rule(id: &Id, properties: &mut Value) -> Result<(), Refusal> {
    let missing = |what: &str| {
        Err(Refusal::bad(
            "SecurityRuleParametersMissing",
            format!(
                "Required security rule parameters are missing for security rule with Id: {id}. Security rule must \
                 specify {what}."
            ),
        ))
    };
    for name in ["protocol", "access", "direction", "priority"] {
        if properties[name].is_null() {
            return missing(name);
        }
    }
    for (one, many, groups) in [
        ("sourceAddressPrefix", "sourceAddressPrefixes", "sourceApplicationSecurityGroups"),
        ("destinationAddressPrefix", "destinationAddressPrefixes", "destinationApplicationSecurityGroups"),
        ("sourcePortRange", "sourcePortRanges", ""),
        ("destinationPortRange", "destinationPortRanges", ""),
    ] {
        let empty = text(properties, one).is_empty()
            && list(properties, many).is_empty()
            && (groups.is_empty() || list(properties, groups).is_empty());
        if empty {
            let groups = if groups.is_empty() { String::new() } else { format!(", or {groups}") };
            return missing(&format!("{many}, {one}{groups}"));
        }
    }
    one_of(properties, "protocol", &["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"], enumeration("protocol"))?;
    one_of(properties, "access", &["Allow", "Deny"], enumeration("access"))?;
    one_of(properties, "direction", &["Inbound", "Outbound"], enumeration("direction"))?;
    between(properties, "priority", 100..=4096, |value| {
        Refusal::bad(
            "SecurityRuleInvalidPriority",
            format!("Security rule has invalid Priority. Value provided: {value}. Allowed range 100-4096."),
        )
    })?;
    for side in ["source", "destination"] {
        let (ports, addresses) = (format!("{side}PortRange"), format!("{side}AddressPrefix"));
        let all = |one: &str, many: &str| -> Vec<String> {
            let one = properties[one].as_str().filter(|one| !one.is_empty());
            let many = list(properties, many).iter().filter_map(Value::as_str);
            one.into_iter().chain(many).map(str::to_owned).collect()
        };
        for range in all(&ports, &format!("{ports}s")) {
            let (from, to) = range.split_once('-').unwrap_or((&range, &range));
            let read = (from.trim().parse::<u16>(), to.trim().parse::<u16>());
            if range != "*" && !matches!(read, (Ok(from), Ok(to)) if from <= to) {
                return Err(Refusal::bad(
                    "SecurityRuleInvalidPortRange",
                    format!(
                        "Security rule has invalid Port range. Value provided: {range}. Value should be an integer \
                         OR integer range with '-' delimiter. Valid range 0-65535."
                    ),
                ));
            }
        }
        for address in all(&addresses, &format!("{addresses}es")) {
            let tag = address.starts_with(|c: char| c.is_ascii_alphabetic())
                && address.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
            let block = Cidr::parse(&address).is_some() || address.parse::<std::net::IpAddr>().is_ok();
            if address != "*" && !tag && !block {
                return Err(Refusal::bad(
                    "SecurityRuleInvalidAddressPrefix",
                    format!("Security rule has invalid Address prefix. Value provided: {address}"),
                ));
            }
        }
    }
    for (name, empty) in [
        ("sourcePortRanges", json!([])),
        ("destinationPortRanges", json!([])),
        ("sourceAddressPrefixes", json!([])),
        ("destinationAddressPrefixes", json!([])),
    ] {
        default(properties, name, empty);
    }
    Ok(())
}

fn check_rules(rules: &[(String, Value)]) -> Result<(), Refusal> {
    for (position, (name, rule)) in rules.iter().enumerate() {
        let same = |other: &Value| {
            other["priority"] == rule["priority"]
                && text(other, "direction").eq_ignore_ascii_case(text(rule, "direction"))
        };
        if let Some((other, _)) = rules[..position].iter().find(|(_, other)| same(other)) {
            return Err(Refusal::bad(
                "SecurityRuleConflict",
                format!(
                    "Security rule {other} conflicts with rule {name}. Rules cannot have the same Priority and \
                     Direction. To learn more, see aka.ms/nsgrules."
                ),
            ));
        }
    }
    Ok(())
}

fn default_rules(id: &Id) -> Value {
    const RULES: [(&str, &str, &str, &str, &str, &str, u32); 6] = [
        ("AllowVnetInBound", "Inbound", "Allow", "*", "VirtualNetwork", "VirtualNetwork", 65000),
        ("AllowAzureLoadBalancerInBound", "Inbound", "Allow", "*", "AzureLoadBalancer", "*", 65001),
        ("DenyAllInBound", "Inbound", "Deny", "*", "*", "*", 65500),
        ("AllowVnetOutBound", "Outbound", "Allow", "*", "VirtualNetwork", "VirtualNetwork", 65000),
        ("AllowInternetOutBound", "Outbound", "Allow", "*", "*", "Internet", 65001),
        ("DenyAllOutBound", "Outbound", "Deny", "*", "*", "*", 65500),
    ];
    RULES
        .iter()
        .map(|(name, direction, access, protocol, from, to, priority)| {
            json!({
                "id": format!("{id}/defaultSecurityRules/{name}"), "name": name,
                "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
                "properties": {
                    "provisioningState": "Succeeded", "protocol": protocol, "access": access,
                    "direction": direction, "priority": priority,
                    "sourcePortRange": "*", "destinationPortRange": "*",
                    "sourceAddressPrefix": from, "destinationAddressPrefix": to,
                    "sourcePortRanges": [], "destinationPortRanges": [],
                    "sourceAddressPrefixes": [], "destinationAddressPrefixes": [],
                },
            })
        })
        .collect()
}

/// Subnets that name a resource by a property.
fn subnets_with(world: &World, path: &str, id: &Id) -> Vec<Value> {
    let key = id.key();
    world
        .arm
        .of_kind(SUBNET)
        .filter(|subnet| text(subnet.properties(), path).eq_ignore_ascii_case(&key))
        .map(|subnet| json!({"id": subnet.id.to_string()}))
        .collect()
}

fn must_be_free(world: &World, resource: &Resource, code: &str, what: &str) -> Result<(), Refusal> {
    match user(world, &resource.id) {
        None => Ok(()),
        Some(other) => Err(Refusal::bad(
            code,
            format!(
                "{what} {} cannot be deleted because it is in use by the following resources: {}. In order to delete \
                 it, remove the association with the resource(s).",
                resource.id, other.id
            ),
        )),
    }
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        if let Some(mut sent) = RULES.aside(change)? {
            let mut rules = Vec::new();
            for child in &mut sent {
                let mut properties = own_properties(child);
                check_rule(&id.child("securityRules", text(child, "name")), &mut properties)?;
                child["properties"] = properties.clone();
                rules.push((text(child, "name").to_owned(), properties));
            }
            check_rules(&rules)?;
            put(&mut change.private, "pending.securityRules", json!(sent));
        }
        guid(world, change);
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        RULES.settle(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseNetworkSecurityGroupCannotBeDeleted", "Network security group")
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        RULES.show(world, &resource.id, body);
        put(body, "properties.defaultSecurityRules", default_rules(&resource.id));
        let subnets = subnets_with(world, "networkSecurityGroup.id", &resource.id);
        if !subnets.is_empty() {
            put(body, "properties.subnets", json!(subnets));
        }
        etag(world, resource, body);
    }
}

#[derive(Debug)]
struct SecurityRules;

impl Rules for SecurityRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let mut properties = change.body["properties"].clone();
        check_rule(change.id, &mut properties)?;
        let Some(parent) = change.id.parent() else { return Ok(()) };
        let mut all: Vec<(String, Value)> = RULES
            .of(world, &parent)
            .filter(|other| other.id.key() != change.id.key())
            .map(|other| (other.id.name().to_owned(), other.properties().clone()))
            .collect();
        all.push((change.id.name().to_owned(), properties.clone()));
        check_rules(&all)?;
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        alone(world, &resource.id)
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        etag(world, resource, body);
    }
}

fn check_route(id: &Id, properties: &mut Value) -> Result<(), Refusal> {
    let target = text(properties, "addressPrefix").to_owned();
    let tag = target.starts_with(|c: char| c.is_ascii_alphabetic());
    if !tag {
        prefix(&target, id)?;
    }
    one_of(
        properties,
        "nextHopType",
        &["VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"],
        enumeration("nextHopType"),
    )?;
    let (hop, address) = (text(properties, "nextHopType"), text(properties, "nextHopIpAddress"));
    let fits = match hop {
        "" => false,
        "VirtualAppliance" => address.parse::<std::net::IpAddr>().is_ok(),
        _ => address.is_empty(),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidNextHopIpAddress",
        format!("The next hop '{hop}' of route {id} does not go with the address '{address}'."),
    ))
}

#[derive(Debug)]
struct Tables;

impl Rules for Tables {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        for child in ROUTES.aside(change)?.into_iter().flatten() {
            check_route(&id.child("routes", text(&child, "name")), &mut own_properties(&child))?;
        }
        default(&mut change.body, "properties.disableBgpRoutePropagation", json!(false));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        ROUTES.settle(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseRouteTableCannotBeDeleted", "Route table")
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        ROUTES.show(world, &resource.id, body);
        let subnets = subnets_with(world, "routeTable.id", &resource.id);
        if !subnets.is_empty() {
            put(body, "properties.subnets", json!(subnets));
        }
        etag(world, resource, body);
    }
}

#[derive(Debug)]
struct Routes;

impl Rules for Routes {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        check_route(change.id, &mut change.body["properties"])
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        etag(world, resource, body);
    }
}

#[derive(Debug)]
struct Addresses;

impl Rules for Addresses {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        default(body, "sku", json!({"name": "Standard", "tier": "Regional"}));
        default(body, "sku.tier", json!("Regional"));
        one_of(body, "sku.name", &["Basic", "Standard", "StandardV2"], enumeration("sku.name"))?;
        let basic = text(body, "sku.name") == "Basic";
        if basic && change.current.is_none() {
            // Basic addresses were retired on 2025-09-30; none can be made any more
            return Err(Refusal::bad(
                "IPv4BasicSkuPublicIpCountLimitReached",
                "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
            ));
        }
        default(body, "properties.publicIPAllocationMethod", json!("Static"));
        default(body, "properties.publicIPAddressVersion", json!("IPv4"));
        default(body, "properties.idleTimeoutInMinutes", json!(4));
        default(body, "properties.ipTags", json!([]));
        let versions = &["IPv4", "IPv6"];
        one_of(body, "properties.publicIPAddressVersion", versions, enumeration("publicIPAddressVersion"))?;
        let ways = &["Static", "Dynamic"];
        one_of(body, "properties.publicIPAllocationMethod", ways, enumeration("publicIPAllocationMethod"))?;
        if !basic && text(body, "properties.publicIPAllocationMethod") == "Dynamic" {
            return Err(Refusal::bad(
                "PublicIPAddressWithStandardSkuMustBeStatic",
                format!("Standard sku publicIp {} must have AllocationMethod set to Static.", change.id),
            ));
        }
        between(body, "properties.idleTimeoutInMinutes", 4..=30, |value| {
            Refusal::bad(
                "InvalidIdleTimeout",
                format!("The idle timeout {value} is not between 4 and 30 minutes."),
            )
        })?;
        let label = text(body, "properties.dnsSettings.domainNameLabel").to_owned();
        if !label.is_empty() {
            let location = text(body, "location").to_owned();
            if !Signs::AppLike.allow(&label) || !(3..=63).contains(&label.len()) {
                return Err(Refusal::bad(
                    "InvalidDomainNameLabel",
                    format!(
                        "The domain name label {label} is invalid. It must conform to the following regular \
                         expression: ^[a-z][a-z0-9-]{{1,61}}[a-z0-9]$."
                    ),
                ));
            }
            let name = format!("{label}.{location}.cloudapp.azure.com");
            let taken = world.arm.of_kind(ADDRESS).any(|other| {
                other.id.key() != change.id.key()
                    && text(other.properties(), "dnsSettings.fqdn").eq_ignore_ascii_case(&name)
            });
            if taken {
                return Err(Refusal::bad(
                    "DnsRecordInUse",
                    format!("DNS record {name} is already used by another public IP."),
                ));
            }
            put(body, "properties.dnsSettings.fqdn", json!(name));
        }
        let draw = chance::digest(world.config.seed, &format!("address {}", change.id.key()), 0);
        default(
            body,
            "properties.ipAddress",
            json!(format!("20.{}.{}.{}", draw[0], draw[1], draw[2].max(1))),
        );
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match user(world, &resource.id) {
            None => Ok(()),
            Some(other) => Err(Refusal::bad(
                "PublicIPAddressCannotBeDeleted",
                format!(
                    "Public IP address {} can not be deleted since it is still allocated to resource {}. In order to \
                     delete the public IP, disassociate/detach the Public IP address from the resource.",
                    resource.id, other.id
                ),
            )),
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        etag(world, resource, body);
    }
}

#[derive(Debug)]
struct Nats;

impl Rules for Nats {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        default(&mut change.body, "sku", json!({"name": "Standard"}));
        default(&mut change.body, "properties.idleTimeoutInMinutes", json!(4));
        between(&change.body, "properties.idleTimeoutInMinutes", 4..=120, |value| {
            Refusal::bad(
                "InvalidIdleTimeout",
                format!("The idle timeout {value} is not between 4 and 120 minutes."),
            )
        })?;
        for address in list(&change.body, "properties.publicIpAddresses") {
            must_refer(world, address, "id", ADDRESS, change.id, &near)?;
            let taken = world.arm.of_kind(NAT).find(|other| {
                other.id.key() != change.id.key()
                    && list(other.properties(), "publicIpAddresses")
                        .iter()
                        .any(|it| text(it, "id").eq_ignore_ascii_case(text(address, "id")))
            });
            if let Some(other) = taken {
                return Err(Refusal::bad(
                    "PublicIPAddressInUse",
                    format!(
                        "Resource {} is referencing public IP address {} that is already allocated to resource {}.",
                        change.id,
                        text(address, "id"),
                        other.id
                    ),
                ));
            }
        }
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseNatGatewayCannotBeDeleted", "NAT gateway")
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let subnets = subnets_with(world, "natGateway.id", &resource.id);
        if !subnets.is_empty() {
            put(body, "properties.subnets", json!(subnets));
        }
        etag(world, resource, body);
    }
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
