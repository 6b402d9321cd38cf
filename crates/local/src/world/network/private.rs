//! Private endpoints with their approval, DNS zone groups, and private DNS zones with links and records.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::{Cidr, SUBNET, alone, no_reference, prefixes_of, row};
use crate::world::access::{self, Act};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, What,
};
use crate::world::arm::kind::{Signs, USUAL};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, default, put, resources, take};
use crate::world::checks::{list, named, text};
use crate::world::{World, chance};

const ENDPOINT: &str = "Microsoft.Network/privateEndpoints";
const ZONE_GROUP: &str = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups";
const INTERFACE: &str = "Microsoft.Network/networkInterfaces";
const ZONE: &str = "Microsoft.Network/privateDnsZones";
const LINK: &str = "Microsoft.Network/privateDnsZones/virtualNetworkLinks";
const VNET: &str = "Microsoft.Network/virtualNetworks";
/// The last word of the type of a target's connections.
pub(crate) const CONNECTIONS: &str = "privateEndpointConnections";

/// Services that take private endpoints: type, group ids with the label of their DNS names.
/// (learn.microsoft.com/azure/private-link/private-endpoint-dns)
const TARGETS: &[(&str, &[(&str, &str)])] = &[
    ("Microsoft.App/managedEnvironments", &[("managedEnvironments", "azurecontainerapps.io")]),
    ("Microsoft.AppConfiguration/configurationStores", &[("configurationStores", "azconfig.io")]),
    ("Microsoft.Cache/redisEnterprise", &[("redisEnterprise", "redis.azure.net")]),
    ("Microsoft.CognitiveServices/accounts", &[("account", "cognitiveservices.azure.com")]),
    ("Microsoft.ContainerRegistry/registries", &[("registry", "azurecr.io")]),
    ("Microsoft.DBforPostgreSQL/flexibleServers", &[("postgresqlServer", "postgres.database.azure.com")]),
    (
        "Microsoft.DocumentDB/databaseAccounts",
        &[
            ("Sql", "documents.azure.com"),
            ("MongoDB", "mongo.cosmos.azure.com"),
            ("Cassandra", "cassandra.cosmos.azure.com"),
            ("Gremlin", "gremlin.cosmos.azure.com"),
            ("Table", "table.cosmos.azure.com"),
        ],
    ),
    ("Microsoft.KeyVault/vaults", &[("vault", "vault.azure.net")]),
    ("Microsoft.ServiceBus/namespaces", &[("namespace", "servicebus.windows.net")]),
    (
        "Microsoft.Storage/storageAccounts",
        &[
            ("blob", "blob.core.windows.net"),
            ("file", "file.core.windows.net"),
            ("queue", "queue.core.windows.net"),
            ("table", "table.core.windows.net"),
            ("web", "web.core.windows.net"),
            ("dfs", "dfs.core.windows.net"),
        ],
    ),
    ("Microsoft.Web/sites", &[("sites", "azurewebsites.net")]),
    ("Microsoft.Web/staticSites", &[("staticSites", "azurestaticapps.net")]),
];

const fn connection(name: &'static str) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names { signs: Signs::Any, length: (1, 260), ..super::names(1, 260) },
        place: Place::Parent,
        seconds: [5.0, 5.0, 5.0],
        replies: at_once(200, 200),
        busy: "Conflict",
        computed: &["properties.privateEndpoint", "properties.groupIds"],
        spelling: &[],
        rules: &Connections,
    }
}

const fn record(name: &'static str) -> Kind {
    Kind {
        names: Names { signs: Signs::Any, length: (1, 253), ..super::names(1, 253) },
        replies: at_once(201, 200),
        computed: &["properties.fqdn", "properties.isAutoRegistered", "etag"],
        ..row(name, Place::Parent, [0.0, 0.0, 0.0], &[], &Records)
    }
}

/// Private DNS answers 202 to a delete as to a creation, and leads to both by both headers.
const DNS: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Both, done: 201 },
    replace: Reply { status: 202, headers: Headers::Both, done: 200 },
    ..USUAL
};

pub(crate) static KINDS: &[Kind] = &[
    row(
        ENDPOINT,
        Place::Regional,
        [30.0, 20.0, 20.0],
        &["etag", "properties.networkInterfaces", "properties.customDnsConfigs", "properties.resourceGuid"],
        &Endpoints,
    ),
    row(ZONE_GROUP, Place::Parent, [15.0, 10.0, 10.0], &["etag"], &ZoneGroups),
    Kind {
        replies: DNS,
        names: Names { signs: Signs::Any, length: (1, 253), ..super::names(1, 253) },
        ..row(
            ZONE,
            Place::Free,
            [30.0, 10.0, 30.0],
            &[
                "properties.numberOfRecordSets",
                "properties.numberOfVirtualNetworkLinks",
                "properties.numberOfVirtualNetworkLinksWithRegistration",
                "properties.maxNumberOfRecordSets",
                "properties.maxNumberOfVirtualNetworkLinks",
                "properties.maxNumberOfVirtualNetworkLinksWithRegistration",
                "etag",
            ],
            &Zones,
        )
    },
    Kind {
        replies: DNS,
        ..row(LINK, Place::Free, [30.0, 10.0, 30.0], &["properties.virtualNetworkLinkState", "etag"], &Links)
    },
    record("Microsoft.Network/privateDnsZones/A"),
    record("Microsoft.Network/privateDnsZones/AAAA"),
    record("Microsoft.Network/privateDnsZones/CNAME"),
    record("Microsoft.Network/privateDnsZones/MX"),
    record("Microsoft.Network/privateDnsZones/PTR"),
    record("Microsoft.Network/privateDnsZones/SOA"),
    record("Microsoft.Network/privateDnsZones/SRV"),
    record("Microsoft.Network/privateDnsZones/TXT"),
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

/// Ids of the private endpoints in a subnet.
pub(super) fn endpoints_in(world: &World, subnet: &Id) -> Vec<String> {
    let key = subnet.key();
    world
        .arm
        .of_kind(ENDPOINT)
        .filter(|endpoint| text(endpoint.properties(), "subnet.id").eq_ignore_ascii_case(&key))
        .map(|endpoint| endpoint.id.to_string())
        .collect()
}

/// Every private address that an interface has.
pub(super) fn addresses_in_use(world: &World) -> BTreeSet<String> {
    world
        .arm
        .of_kind(INTERFACE)
        .flat_map(|interface| list(interface.properties(), "ipConfigurations"))
        .map(|configuration| text(configuration, "properties.privateIPAddress").to_owned())
        .collect()
}

/// A private endpoint's connections, automatic and manual: `(whether manual, connection)`.
fn connections(properties: &Value) -> impl Iterator<Item = (bool, &Value)> {
    list(properties, "privateLinkServiceConnections")
        .iter()
        .map(|it| (false, it))
        .chain(list(properties, "manualPrivateLinkServiceConnections").iter().map(|it| (true, it)))
}

#[derive(Debug)]
struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id;
        let near = text(&change.body, "location");
        let subnet_id = text(&change.body, "properties.subnet.id");
        let subnet = named(world, subnet_id, SUBNET).ok_or_else(|| no_reference(subnet_id, id))?;
        let vnet = subnet.id.parent().and_then(|vnet| world.arm.find(&vnet.key()));
        if vnet.is_none_or(|vnet| vnet.location() != near) {
            return Err(no_reference(subnet_id, id));
        }
        if !super::delegated_to(subnet).is_empty() {
            return Err(Refusal::bad(
                "PrivateEndpointCannotBeCreatedInSubnetThatHasDelegation",
                format!(
                    "Private endpoint {id} cannot be created in subnet {} since it is delegated to {}.",
                    subnet.id,
                    super::delegated_to(subnet)
                ),
            ));
        }
        if let Some(current) = &change.current
            && !text(current.properties(), "subnet.id").eq_ignore_ascii_case(subnet_id)
        {
            return Err(Refusal::bad(
                "CannotChangeSubnetOnPrivateEndpoint",
                format!("The subnet of the private endpoint {id} cannot be changed."),
            ));
        }
        let used = addresses_in_use(world);
        let free = prefixes_of(subnet.properties())
            .into_iter()
            .filter_map(|text| Cidr::parse(text).map(|(block, _)| block))
            .flat_map(|block| block.hosts().take(4096).collect::<Vec<_>>())
            .any(|host| !used.contains(&host));
        if !free && change.current.is_none() {
            return Err(Refusal::bad(
                "SubnetIsFull",
                format!(
                    "Subnet {} with address prefix {} does not have enough capacity for 1 IP addresses.",
                    subnet.id.name(),
                    prefixes_of(subnet.properties()).join(",")
                ),
            ));
        }
        let mut any = false;
        for (manual, link) in connections(&change.body["properties"]) {
            any = true;
            judge_connection(world, change, manual, link)?;
        }
        if !any {
            return Err(Refusal::bad(
                "PrivateEndpointMustHaveConnection",
                format!("The private endpoint {id} names no private link service connection."),
            ));
        }
        let guid = chance::fixed_uuid(world.config.seed, &format!("resourceGuid {}", id.key()));
        default(&mut change.body, "properties.resourceGuid", json!(guid.to_string()));
        let mut properties = change.body["properties"].take();
        for name in ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"] {
            default(&mut properties, name, json!([]));
            for link in properties[name].as_array_mut().into_iter().flatten() {
                let own = text(link, "name").to_owned();
                link["id"] = json!(format!("{id}/{name}/{own}"));
                take(link, "properties.privateLinkServiceConnectionState");
                put(link, "properties.provisioningState", json!("Succeeded"));
            }
        }
        default(&mut properties, "customNetworkInterfaceName", json!(""));
        change.body["properties"] = properties;
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        interface(world, id);
        connect(world, id);
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let nic = interface_id(world, resource);
        put(body, "properties.networkInterfaces", json!([{"id": nic.to_string()}]));
        let address = address_of(world, resource);
        let mut configs = Vec::new();
        for name in ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"] {
            for link in body["properties"][name].as_array_mut().into_iter().flatten() {
                let state = connection_id(world, &resource.id, link).and_then(|id| {
                    let state = world.arm.find(&id.key())?;
                    Some(state.properties()["privateLinkServiceConnectionState"].clone())
                });
                let state = state.unwrap_or_else(|| {
                    json!({"status": "Disconnected", "description": "Deleted state", "actionsRequired": ""})
                });
                put(link, "properties.privateLinkServiceConnectionState", state);
                configs.extend(names_of(link).into_iter().map(
                    |(name, domain)| json!({"fqdn": format!("{name}.{domain}"), "ipAddresses": [address]}),
                ));
            }
        }
        // with a zone group the names are in the zones
        let grouped = world.arm.below(&resource.id).any(|(_, child)| child.kind == ZONE_GROUP);
        put(body, "properties.customDnsConfigs", if grouped { json!([]) } else { json!(configs) });
        super::etag(world, resource, body);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let nic = interface_id(world, resource).key();
        resources::remove(world, &nic);
        let gone: Vec<Id> = connections(resource.properties())
            .filter_map(|(_, link)| connection_id(world, &resource.id, link))
            .collect();
        for id in gone {
            resources::remove(world, &id.key());
        }
    }
}

fn judge_connection(world: &World, change: &Change, manual: bool, link: &Value) -> Result<(), Refusal> {
    let target_id = text(link, "properties.privateLinkServiceId");
    let id = Id::parse(target_id);
    let Some(target) = id.and_then(|id| world.arm.find(&id.key())) else {
        return Err(no_reference(target_id, change.id));
    };
    let Some((_, groups)) = TARGETS.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(&target.kind)) else {
        return Err(Refusal::bad(
            "PrivateLinkServiceIdIsNotSupported",
            format!("Resources of type {} take no private endpoints: {target_id}.", target.kind),
        ));
    };
    let wanted: Vec<&str> = list(link, "properties.groupIds").iter().filter_map(Value::as_str).collect();
    let known = |wanted: &str| {
        groups.iter().any(|(name, _)| {
            wanted.eq_ignore_ascii_case(name)
                || wanted.strip_suffix("_secondary").is_some_and(|first| first.eq_ignore_ascii_case(name))
                || (target.kind.eq_ignore_ascii_case("Microsoft.Web/sites") && wanted.starts_with("sites-"))
        })
    };
    if wanted.len() != 1 || !wanted.iter().all(|wanted| known(wanted)) {
        return Err(Refusal::bad(
            "InvalidPrivateLinkServiceConnectionGroupIds",
            format!(
                "The group ids '{}' of private endpoint {} are not valid for {target_id}: one of {} is.",
                wanted.join(","),
                change.id,
                groups.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let premium = target.kind.eq_ignore_ascii_case("Microsoft.ServiceBus/namespaces")
        || target.kind.eq_ignore_ascii_case("Microsoft.ContainerRegistry/registries");
    if premium && !text(&target.body, "sku.name").eq_ignore_ascii_case("Premium") {
        return Err(Refusal::bad(
            "PrivateEndpointFeatureNotSupportedOnServer",
            format!(
                "Call to {} failed. Error message: Private endpoints are only supported for the Premium SKU: \
                 {target_id}.",
                target.kind
            ),
        ));
    }
    let action = format!("{}/privateEndpointConnectionsApproval/action", target.kind);
    if !manual && !access::allows(world, &change.caller.object_id, Act::Control(&action), target_id) {
        return Err(Refusal::new(
            403,
            "LinkedAuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' has permission to perform action \
                 'Microsoft.Network/privateEndpoints/write' on scope '{}'; however, it does not have permission to \
                 perform action(s) '{action}' on the linked scope(s) '{target_id}' or the linked scope(s) are invalid.",
                change.caller.client_id, change.caller.object_id, change.id
            ),
        ));
    }
    Ok(())
}

/// `NAME.GUID` below the target, as Azure names a connection.
fn connection_id(world: &World, endpoint: &Id, link: &Value) -> Option<Id> {
    let target = Id::parse(text(link, "properties.privateLinkServiceId"))?;
    let target = world.arm.find(&target.key()).map_or(target, |found| found.id.clone());
    let guid =
        chance::fixed_uuid(world.config.seed, &format!("connection {} {}", endpoint.key(), target.key()));
    Some(target.child(CONNECTIONS, &format!("{}.{guid}", endpoint.name())))
}

/// Makes the target know of its connections: approved at once, or pending when it was asked for by hand.
fn connect(world: &mut World, id: &Id) {
    let Some(endpoint) = world.arm.find(&id.key()).cloned() else { return };
    for (manual, link) in connections(endpoint.properties()) {
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

fn interface_id(world: &World, endpoint: &Resource) -> Id {
    let custom = text(endpoint.properties(), "customNetworkInterfaceName");
    let guid = chance::fixed_uuid(world.config.seed, &format!("interface {}", endpoint.id.key()));
    let name =
        if custom.is_empty() { format!("{}.nic.{guid}", endpoint.id.name()) } else { custom.to_owned() };
    endpoint.id.group_id().unwrap_or_default().provider(INTERFACE, &name)
}

/// The address an endpoint has in its subnet.
fn address_of(world: &World, endpoint: &Resource) -> String {
    let nic = interface_id(world, endpoint);
    let configuration =
        world.arm.find(&nic.key()).and_then(|nic| list(nic.properties(), "ipConfigurations").first());
    configuration.map_or("", |it| text(it, "properties.privateIPAddress")).to_owned()
}

/// The endpoint's interface, with the first free address of its subnet or the one asked for.
fn interface(world: &mut World, id: &Id) {
    let Some(endpoint) = world.arm.find(&id.key()).cloned() else { return };
    let nic = interface_id(world, &endpoint);
    if world.arm.find(&nic.key()).is_some() {
        return;
    }
    let subnet = text(endpoint.properties(), "subnet.id").to_owned();
    let used = addresses_in_use(world);
    let asked = list(endpoint.properties(), "ipConfigurations")
        .first()
        .map(|it| text(it, "properties.privateIPAddress").to_owned())
        .filter(|asked| !asked.is_empty());
    let address = asked.or_else(|| {
        let found = named(world, &subnet, SUBNET)?;
        prefixes_of(found.properties())
            .into_iter()
            .filter_map(|text| Cidr::parse(text).map(|(block, _)| block))
            .flat_map(|block| block.hosts().take(4096).collect::<Vec<_>>())
            .find(|host| !used.contains(host))
    });
    let body = json!({
        "location": endpoint.location(),
        "properties": {
            "ipConfigurations": [{
                "name": "privateEndpointIpConfig",
                "id": format!("{nic}/ipConfigurations/privateEndpointIpConfig"),
                "properties": {"privateIPAddress": address, "privateIPAllocationMethod": "Dynamic",
                               "subnet": {"id": subnet}, "primary": true, "provisioningState": "Succeeded"},
            }],
            "privateEndpoint": {"id": id.to_string()},
        },
    });
    resources::grow(world, &nic, body, Value::Null);
}

/// Name and domain that a connection answers to: `("kv1", "vault.azure.net")`.
fn names_of(link: &Value) -> Vec<(String, &'static str)> {
    let Some(target) = Id::parse(text(link, "properties.privateLinkServiceId")) else { return Vec::new() };
    let kind = target.kind();
    let Some((_, groups)) = TARGETS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&kind)) else {
        return Vec::new();
    };
    list(link, "properties.groupIds")
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|wanted| groups.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)))
        .map(|(_, domain)| (target.name().to_ascii_lowercase(), *domain))
        .collect()
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
}

#[derive(Debug)]
struct ZoneGroups;

impl Rules for ZoneGroups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let configs = list(&change.body, "properties.privateDnsZoneConfigs");
        if configs.len() > 5 {
            return Err(Refusal::bad(
                "PrivateDnsZoneGroupLimitReached",
                "A private DNS zone group has at most five zone configurations.",
            ));
        }
        for config in configs {
            let zone = text(config, "properties.privateDnsZoneId");
            if named(world, zone, ZONE).is_none() {
                return Err(no_reference(zone, change.id));
            }
        }
        let siblings = change.id.parent().map(|parent| {
            world
                .arm
                .below(&parent)
                .filter(|(key, child)| child.kind == ZONE_GROUP && **key != change.id.key())
                .count()
        });
        if siblings.is_some_and(|count| count > 0) {
            return Err(Refusal::bad(
                "PrivateDnsZoneGroupLimitReached",
                "A private endpoint has at most one private DNS zone group.",
            ));
        }
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        if failure.is_none() {
            publish(world, id);
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        for config in body["properties"]["privateDnsZoneConfigs"].as_array_mut().into_iter().flatten() {
            let zone = text(config, "properties.privateDnsZoneId").to_ascii_lowercase();
            let records: Vec<Value> = list(&resource.private, "records")
                .iter()
                .filter_map(|key| world.arm.find(key.as_str()?))
                .filter(|record| record.id.key().starts_with(&format!("{zone}/")))
                .map(|record| {
                    let addresses: Vec<&Value> =
                        list(record.properties(), "aRecords").iter().map(|it| &it["ipv4Address"]).collect();
                    json!({"recordType": "A", "recordSetName": record.id.name(), "ttl": 10,
                           "provisioningState": "Succeeded", "ipAddresses": addresses,
                           "fqdn": format!("{}.{}", record.id.name(),
                                           record.id.parent().map(|zone| zone.name().to_owned()).unwrap_or_default())})
                })
                .collect();
            put(config, "properties.recordSets", json!(records));
        }
        super::etag(world, resource, body);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        for key in list(&resource.private, "records").iter().filter_map(Value::as_str) {
            resources::remove(world, key);
        }
    }
}

/// Writes the endpoint's names into the group's zones.
fn publish(world: &mut World, group: &Id) {
    let Some(found) = world.arm.find(&group.key()).cloned() else { return };
    let Some(endpoint) = group.parent().and_then(|id| world.arm.find(&id.key())).cloned() else { return };
    for key in list(&found.private, "records").iter().filter_map(Value::as_str) {
        resources::remove(world, key);
    }
    let address = address_of(world, &endpoint);
    let mut records = Vec::new();
    for config in list(found.properties(), "privateDnsZoneConfigs") {
        let Some(zone) = named(world, text(config, "properties.privateDnsZoneId"), ZONE) else { continue };
        let zone = zone.id.clone();
        for (_, link) in connections(endpoint.properties()) {
            for (name, domain) in names_of(link) {
                if !zone.name().to_ascii_lowercase().ends_with(domain) {
                    continue;
                }
                let record = zone.child("A", &name);
                let body = json!({"properties": {"ttl": 10, "aRecords": [{"ipv4Address": address}],
                    "metadata": {"creator": format!("created by private endpoint {} with resource guid {}",
                                                    endpoint.id.name(), text(endpoint.properties(), "resourceGuid"))}}});
                resources::grow(world, &record, body, Value::Null);
                records.push(record.key());
            }
        }
    }
    if let Some(found) = world.arm.find_mut(&group.key()) {
        found.private = json!({"records": records});
    }
}

#[derive(Debug)]
struct Zones;

/// The children of a zone of one sort: links, or records.
fn children<'a>(world: &'a World, zone: &Id, links: bool) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(zone).map(|(_, child)| child).filter(move |child| (child.kind == LINK) == links)
}

impl Rules for Zones {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let location = text(&change.body, "location");
        if !location.eq_ignore_ascii_case("global") {
            return Err(not_global(location, "privateDnsZones"));
        }
        let name = change.id.name();
        let labels: Vec<&str> = name.split('.').collect();
        let fits = labels.len() >= 2
            && labels.len() <= 34
            && labels.iter().all(|label| {
                (1..=63).contains(&label.len())
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        if !fits {
            return Err(Refusal::bad(
                "BadRequest",
                format!("The domain name '{name}' is invalid. The provided zone name '{name}' is not valid."),
            ));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let body = json!({"properties": {"ttl": 3600, "soaRecord": {
                "email": "azureprivatedns-host.microsoft.com", "expireTime": 2_419_200, "host": "azureprivatedns.net",
                "minimumTtl": 10, "refreshTime": 3600, "retryTime": 300, "serialNumber": 1}}});
            resources::grow(world, &id.child("SOA", "@"), body, Value::Null);
        }
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        match children(world, &resource.id, true).next() {
            None => Ok(()),
            Some(link) => Err(Refusal::conflict(
                "CannotDeleteResource",
                format!(
                    "Can not delete resource before nested resources are deleted: {} has the virtual network link {}.",
                    resource.id,
                    link.id.name()
                ),
            )),
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let links = children(world, &resource.id, true).count();
        let registering = children(world, &resource.id, true)
            .filter(|link| link.properties()["registrationEnabled"] == true)
            .count();
        for (name, value) in [
            ("maxNumberOfRecordSets", 25_000),
            ("maxNumberOfVirtualNetworkLinks", 1000),
            ("maxNumberOfVirtualNetworkLinksWithRegistration", 100),
            ("numberOfRecordSets", children(world, &resource.id, false).count()),
            ("numberOfVirtualNetworkLinks", links),
            ("numberOfVirtualNetworkLinksWithRegistration", registering),
        ] {
            put(body, &format!("properties.{name}"), json!(value));
        }
        body["location"] = json!("global");
        super::etag(world, resource, body);
    }

    fn act(
        &self,
        world: &mut World,
        call: &crate::world::arm::kind::Call,
    ) -> Option<Result<crate::world::Response, Refusal>> {
        if call.request.method != crate::world::Method::Get
            || !(call.rest_is(&["ALL"]) || call.rest_is(&["recordSets"]))
        {
            return None;
        }
        let all: Vec<Value> =
            children(world, &call.id, false).map(|record| resources::view(world, record)).collect();
        Some(Ok(crate::world::Response::json(200, &json!({"value": all}))))
    }
}

fn not_global(location: &str, what: &str) -> Refusal {
    Refusal::bad(
        "LocationNotAvailableForResourceType",
        format!(
            "The provided location '{location}' is not available for resource type 'Microsoft.Network/{what}'. List \
             of available regions for the resource type is 'global'."
        ),
    )
}

#[derive(Debug)]
struct Links;

impl Rules for Links {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let location = text(&change.body, "location");
        if !location.eq_ignore_ascii_case("global") {
            return Err(not_global(location, "privateDnsZones/virtualNetworkLinks"));
        }
        default(&mut change.body, "properties.registrationEnabled", json!(false));
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

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let state = if resource.state == "Succeeded" { "Completed" } else { "InProgress" };
        put(body, "properties.virtualNetworkLinkState", json!(state));
        super::etag(world, resource, body);
    }
}

#[derive(Debug)]
struct Records;

impl Rules for Records {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let bad = |why: String| Err(Refusal::bad("BadRequest", why));
        let kind = change.id.kind().rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
        let name = change.id.name().to_owned();
        default(&mut change.body, "properties.ttl", json!(3600));
        let properties = &change.body["properties"];
        if !properties["ttl"].as_i64().is_some_and(|ttl| (1..=2_147_483_647).contains(&ttl)) {
            return bad(format!("The TTL {} of record set '{name}' is invalid.", properties["ttl"]));
        }
        if kind == "CNAME" && name == "@" {
            return bad("A CNAME record cannot be at the apex of a zone.".to_owned());
        }
        for record in list(properties, "aRecords") {
            let address = text(record, "ipv4Address");
            if address.parse::<Ipv4Addr>().is_err() {
                return bad(format!("The value '{address}' for property 'ipv4Address' is not valid."));
            }
        }
        for record in list(properties, "aaaaRecords") {
            let address = text(record, "ipv6Address");
            if address.parse::<Ipv6Addr>().is_err() {
                return bad(format!("The value '{address}' for property 'ipv6Address' is not valid."));
            }
        }
        let Some(zone) = change.id.parent() else { return Ok(()) };
        let beside = children(world, &zone, false).find(|other| {
            other.id.name().eq_ignore_ascii_case(&name)
                && other.id.key() != change.id.key()
                && (kind == "CNAME" || other.kind.ends_with("/CNAME"))
        });
        if beside.is_some() {
            return Err(Refusal::conflict(
                "Conflict",
                format!(
                    "The record could not be created because a CNAME record with the same name '{name}' cannot stand \
                     beside records of other types in the zone."
                ),
            ));
        }
        Ok(())
    }

    fn may_delete(&self, _world: &World, resource: &Resource) -> Result<(), Refusal> {
        if resource.kind.ends_with("/SOA") {
            return Err(Refusal::bad("BadRequest", "The SOA record set of a zone cannot be deleted."));
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let zone = resource.id.parent().map(|zone| zone.name().to_owned()).unwrap_or_default();
        let name = resource.id.name();
        let fqdn = if name == "@" { format!("{zone}.") } else { format!("{name}.{zone}.") };
        put(body, "properties.fqdn", json!(fqdn));
        put(body, "properties.isAutoRegistered", json!(false));
        take(body, "properties.provisioningState");
        super::etag(world, resource, body);
    }
}
