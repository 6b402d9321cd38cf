//! Private endpoints: a subnet, a target, an interface with an address, and the names the target then answers to.
//! The target's side is in [`connections`](super::connections), the names in zones in
//! [`zone_groups`](super::zone_groups).

use serde_json::{Value, json};

use super::connections::{self, connection_id};
use super::interfaces::INTERFACE;
use super::zone_groups::ZONE_GROUP;
use super::{SUBNET, etag, guid, naming, no_reference, pool, referred, row, subnets};
use crate::world::access::{self, Act};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Ending, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, take};
use crate::world::checks::{list, text};
use crate::world::{World, chance};

const ENDPOINT: &str = "Microsoft.Network/privateEndpoints";
/// The two lists of connections: approved by whoever may, and by somebody on the target's side.
const LISTS: [&str; 2] = ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"];

pub(super) static KINDS: &[Kind] = &[row(
    ENDPOINT,
    Place::Regional,
    [30.0, 20.0, 20.0],
    &["etag", "properties.networkInterfaces", "properties.customDnsConfigs", "properties.resourceGuid"],
    &Endpoints,
)];

/// A group id of a service, with the names that a connection of it answers to.
pub(super) struct Group {
    /// `vault`.
    pub name: &'static str,
    /// Its names: what comes behind the target's own name (`{region}` is the target's), and the public domain.
    names: &'static [(&'static str, &'static str)],
    /// The private zone of those names, without `privatelink.`.
    pub zone: &'static str,
}

const fn group(
    name: &'static str,
    names: &'static [(&'static str, &'static str)],
    zone: &'static str,
) -> Group {
    Group { name, names, zone }
}

/// Services that take private endpoints. A group that is there more than once has names in several zones.
/// (learn.microsoft.com/azure/private-link/private-endpoint-dns)
pub(super) const TARGETS: &[(&str, &[Group])] = &[
    (
        "Microsoft.App/managedEnvironments",
        &[group("managedEnvironments", &[("", "azurecontainerapps.io")], "{region}.azurecontainerapps.io")],
    ),
    (
        "Microsoft.AppConfiguration/configurationStores",
        &[group("configurationStores", &[("", "azconfig.io")], "azconfig.io")],
    ),
    (
        "Microsoft.Cache/redisEnterprise",
        &[group("redisEnterprise", &[(".{region}", "redis.azure.net")], "redis.azure.net")],
    ),
    (
        "Microsoft.CognitiveServices/accounts",
        &[
            group("account", &[("", "cognitiveservices.azure.com")], "cognitiveservices.azure.com"),
            group("account", &[("", "openai.azure.com")], "openai.azure.com"),
            group("account", &[("", "services.ai.azure.com")], "services.ai.azure.com"),
        ],
    ),
    (
        "Microsoft.ContainerRegistry/registries",
        &[group("registry", &[("", "azurecr.io"), (".{region}.data", "azurecr.io")], "azurecr.io")],
    ),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers",
        &[group("postgresqlServer", &[("", "postgres.database.azure.com")], "postgres.database.azure.com")],
    ),
    (
        "Microsoft.DocumentDB/databaseAccounts",
        &[
            group(
                "Sql",
                &[("", "documents.azure.com"), ("-{region}", "documents.azure.com")],
                "documents.azure.com",
            ),
            group("MongoDB", &[("", "mongo.cosmos.azure.com")], "mongo.cosmos.azure.com"),
            group("Cassandra", &[("", "cassandra.cosmos.azure.com")], "cassandra.cosmos.azure.com"),
            group("Gremlin", &[("", "gremlin.cosmos.azure.com")], "gremlin.cosmos.azure.com"),
            group("Table", &[("", "table.cosmos.azure.com")], "table.cosmos.azure.com"),
        ],
    ),
    ("Microsoft.KeyVault/vaults", &[group("vault", &[("", "vault.azure.net")], "vaultcore.azure.net")]),
    (
        "Microsoft.ServiceBus/namespaces",
        &[group("namespace", &[("", "servicebus.windows.net")], "servicebus.windows.net")],
    ),
    (
        "Microsoft.Storage/storageAccounts",
        &[
            group("blob", &[("", "blob.core.windows.net")], "blob.core.windows.net"),
            group("file", &[("", "file.core.windows.net")], "file.core.windows.net"),
            group("queue", &[("", "queue.core.windows.net")], "queue.core.windows.net"),
            group("table", &[("", "table.core.windows.net")], "table.core.windows.net"),
            group("web", &[("", "web.core.windows.net")], "web.core.windows.net"),
            group("dfs", &[("", "dfs.core.windows.net")], "dfs.core.windows.net"),
        ],
    ),
    (
        "Microsoft.Web/sites",
        &[group("sites", &[("", "azurewebsites.net"), (".scm", "azurewebsites.net")], "azurewebsites.net")],
    ),
    (
        "Microsoft.Web/staticSites",
        &[group("staticSites", &[("", "azurestaticapps.net")], "azurestaticapps.net")],
    ),
];

/// The groups of a type of target; `None` for types that are none.
pub(super) fn groups_of(kind: &str) -> Option<&'static [Group]> {
    TARGETS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)).map(|(_, groups)| *groups)
}

/// `{"id": …}` of the private endpoints in a subnet.
pub(super) fn in_subnet(world: &World, subnet: &Id) -> Vec<Value> {
    naming(world, ENDPOINT, "subnet.id", subnet)
}

/// A private endpoint's connections, automatic and manual: `(whether manual, connection)`.
pub(super) fn links(properties: &Value) -> impl Iterator<Item = (bool, &Value)> {
    list(properties, "privateLinkServiceConnections")
        .iter()
        .map(|it| (false, it))
        .chain(list(properties, "manualPrivateLinkServiceConnections").iter().map(|it| (true, it)))
}

#[derive(Debug)]
struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        judge_subnet(world, change)?;
        let mut any = false;
        for (manual, link) in links(&change.body["properties"]) {
            any = true;
            judge_link(world, change, manual, link)?;
        }
        if !any {
            return Err(Refusal::bad(
                "PrivateEndpointMustHaveConnection",
                format!("The private endpoint {} names no private link service connection.", change.id),
            ));
        }
        guid(world, change);
        let id = change.id;
        let mut properties = change.body["properties"].take();
        for name in LISTS {
            default(&mut properties, name, json!([]));
            for link in properties[name].as_array_mut().into_iter().flatten() {
                let own = text(link, "name").to_owned();
                link["id"] = json!(format!("{id}/{name}/{own}"));
                link["type"] = json!(format!("{ENDPOINT}/{name}"));
                take(link, "properties.privateLinkServiceConnectionState");
                put(link, "properties.provisioningState", json!("Succeeded"));
            }
        }
        default(&mut properties, "customNetworkInterfaceName", json!(""));
        default(&mut properties, "ipConfigurations", json!([]));
        change.body["properties"] = properties;
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        interface(world, id);
        connections::open(world, id);
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let nic = interface_id(world, resource);
        put(body, "properties.networkInterfaces", json!([{"id": nic.to_string()}]));
        let address = address_of(world, resource);
        let mut configs = Vec::new();
        for name in LISTS {
            for link in body["properties"][name].as_array_mut().into_iter().flatten() {
                let state = connection_id(world, &resource.id, link).and_then(|id| {
                    let state = world.arm.find(&id.key())?;
                    Some(state.properties()["privateLinkServiceConnectionState"].clone())
                });
                let state = state.unwrap_or_else(|| {
                    json!({"status": "Disconnected", "description": "Deleted state", "actionsRequired": ""})
                });
                put(link, "properties.privateLinkServiceConnectionState", state);
                configs.extend(names_of(world, link).into_iter().map(|name| {
                    json!({"fqdn": format!("{}.{}", name.label, name.domain), "ipAddresses": [address]})
                }));
            }
        }
        // with a zone group the names are in the zones
        let grouped = world.arm.below(&resource.id).any(|(_, child)| child.kind == ZONE_GROUP);
        put(body, "properties.customDnsConfigs", if grouped { json!([]) } else { json!(configs) });
        etag(resource, body);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let nic = interface_id(world, resource).key();
        resources::remove(world, &nic);
        let gone: Vec<Id> = links(resource.properties())
            .filter_map(|(_, link)| connection_id(world, &resource.id, link))
            .collect();
        for id in gone {
            resources::remove(world, &id.key());
        }
    }
}

/// The subnet: there, near, for anybody, with an address left; and the one it was.
fn judge_subnet(world: &World, change: &Change) -> Result<(), Refusal> {
    let id = change.id;
    let subnet_id = text(&change.body, "properties.subnet.id");
    let subnet = referred(world, subnet_id, SUBNET, id, "")?;
    let vnet = subnet.id.parent().and_then(|vnet| world.arm.find(&vnet.key()));
    if vnet.is_none_or(|vnet| vnet.location() != text(&change.body, "location")) {
        return Err(no_reference(subnet_id, id));
    }
    let service = subnets::delegated_to(subnet);
    if !service.is_empty() {
        return Err(Refusal::bad(
            "PrivateEndpointCannotBeCreatedInSubnetThatHasDelegation",
            format!(
                "Private endpoint {id} cannot be created in subnet {} since it is delegated to {service}.",
                subnet.id
            ),
        ));
    }
    let Some(current) = &change.current else {
        let asked = asked_address(&change.body["properties"]);
        return match asked {
            Some(address) => pool::may_have(world, subnet, address, &format!("{id}/ipConfigurations")),
            None => pool::next(world, subnet, &[]).map(|_| ()),
        };
    };
    if !text(current.properties(), "subnet.id").eq_ignore_ascii_case(subnet_id) {
        return Err(Refusal::bad(
            "CannotChangeSubnetOnPrivateEndpoint",
            format!("The subnet of the private endpoint {id} cannot be changed."),
        ));
    }
    Ok(())
}

/// The address that an endpoint asks for.
fn asked_address(properties: &Value) -> Option<&str> {
    list(properties, "ipConfigurations")
        .first()
        .map(|it| text(it, "properties.privateIPAddress"))
        .filter(|asked| !asked.is_empty())
}

/// One connection: the target takes private endpoints, by this group, and by this caller unless it is asked for.
fn judge_link(world: &World, change: &Change, manual: bool, link: &Value) -> Result<(), Refusal> {
    let target_id = text(link, "properties.privateLinkServiceId");
    let id = Id::parse(target_id);
    let Some(target) = id.and_then(|id| world.arm.find(&id.key())) else {
        return Err(no_reference(target_id, change.id));
    };
    let link_id = format!("{}/{}/{}", change.id, LISTS[usize::from(manual)], text(link, "name"));
    let Some(groups) = groups_of(&target.kind) else {
        return Err(Refusal::bad(
            "PrivateLinkServiceIdIsNotSupported",
            format!("Resources of type {} take no private endpoints: {target_id}.", target.kind),
        ));
    };
    let wanted: Vec<&str> = list(link, "properties.groupIds").iter().filter_map(Value::as_str).collect();
    let wanted = match wanted.as_slice() {
        [] => {
            return Err(Refusal::bad(
                "MissingParameterOnPrivateLinkServiceConnection",
                format!(
                    "Private link service connection {link_id} is missing required parameter 'group Id'."
                ),
            ));
        }
        [one] => *one,
        several => {
            return Err(Refusal::bad(
                "OnlyOneGroupIdPermitted",
                format!(
                    "Private link service connection {link_id} has the following group Ids: {}. Only one group Id is \
                     permitted when connecting to a first-party resource ({target_id}).",
                    several.join(", ")
                ),
            ));
        }
    };
    let site = target.kind.eq_ignore_ascii_case("Microsoft.Web/sites");
    let known = groups.iter().map(|group| group.name).any(|name| {
        wanted.eq_ignore_ascii_case(name)
            || wanted.strip_suffix("_secondary").is_some_and(|first| first.eq_ignore_ascii_case(name))
            || (site && wanted.starts_with("sites-"))
    });
    if !known {
        let message = format!(
            "Call to {} failed. Error message: Values for request parameters are invalid: GroupId: {wanted}.",
            target.kind
        );
        return Err(Refusal::bad("InvalidValuesForRequestParameters", message));
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

fn interface_id(world: &World, endpoint: &Resource) -> Id {
    let custom = text(endpoint.properties(), "customNetworkInterfaceName");
    let guid = chance::fixed_uuid(world.config.seed, &format!("interface {}", endpoint.id.key()));
    let name =
        if custom.is_empty() { format!("{}.nic.{guid}", endpoint.id.name()) } else { custom.to_owned() };
    endpoint.id.group_id().unwrap_or_default().provider(INTERFACE, &name)
}

/// The address an endpoint has in its subnet.
pub(super) fn address_of(world: &World, endpoint: &Resource) -> String {
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
    let asked = asked_address(endpoint.properties()).map(str::to_owned);
    let address = asked.or_else(|| {
        let found = crate::world::checks::named(world, &subnet, SUBNET)?;
        pool::next(world, found, &[]).ok()
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

/// What a connection answers to.
pub(super) struct Name {
    /// `kv1`, relative to the domain and to the zone.
    pub label: String,
    /// `vault.azure.net`.
    pub domain: &'static str,
    /// `privatelink.vaultcore.azure.net`.
    pub zone: String,
}

/// The names of a connection.
pub(super) fn names_of(world: &World, link: &Value) -> Vec<Name> {
    let Some(target) = Id::parse(text(link, "properties.privateLinkServiceId")) else { return Vec::new() };
    let Some(groups) = groups_of(&target.kind()) else { return Vec::new() };
    let found = world.arm.find(&target.key());
    let region = found.map(Resource::location).unwrap_or_default();
    // environments and static sites are reached by a name that Azure gave them
    let host = ["defaultDomain", "defaultHostname"]
        .iter()
        .find_map(|given| found.map(|found| text(found.properties(), given)).filter(|host| !host.is_empty()));
    let own = host.and_then(|host| host.split('.').next()).unwrap_or(target.name()).to_ascii_lowercase();
    let wanted = list(link, "properties.groupIds").iter().filter_map(Value::as_str);
    wanted
        .flat_map(|wanted| groups.iter().filter(move |group| group.name.eq_ignore_ascii_case(wanted)))
        .flat_map(|group| group.names.iter().map(move |(behind, domain)| (group, behind, domain)))
        .map(|(group, behind, domain)| Name {
            label: format!("{own}{}", behind.replace("{region}", &region)),
            domain,
            zone: format!("privatelink.{}", group.zone.replace("{region}", &region)),
        })
        .collect()
}
