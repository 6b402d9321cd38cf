//! PostgreSQL flexible servers: with their databases, parameters and replicas, open to identities only.

use landfall_manifest::{Accesses, Postgres, ResourceKind, Standby};

use crate::address::Address;
use crate::body::{Body, object};
use crate::codes;
use crate::expression::Expression;
use crate::name;
use crate::region;
use crate::resource::Resource;
use crate::services::network::{self, Purpose};
use crate::services::{Draft, Grant, Offer, child, identity, private_dns, set};

/// The ARM type of the server.
pub const TYPE: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const API_VERSION: &str = "2025-08-01";
/// Where PgBouncer listens, beside the server's 5432.
const POOLER_PORT: u32 = 6432;

/// What others ask of a server.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |draft, name, attribute| match attribute {
        "host" => Some(host(name)),
        "port" => Some(port(draft, name).to_string().into()),
        "database" => Some(database(draft, name).into()),
        _ => None,
    },
    connection: |draft, name| {
        vec![
            ("HOST", host(name)),
            ("PORT", port(draft, name).to_string().into()),
            ("DATABASE", database(draft, name).into()),
            ("SSLMODE", "require".into()),
        ]
    },
    user: Some(|draft, service, _| draft.earlier(&identity::address(service)).name.as_str().into()),
    roles: |_, _| Vec::new(),
    grant: Some(Grant { address: administrator_address, make: administrator }),
    // A server in a network has an address there; a private endpoint would be a second one.
    private: &[],
};

/// The address of a server, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("postgres", name)
}

fn declared<'a>(draft: &Draft<'a>, name: &str) -> Option<&'a Postgres> {
    match &draft.app.resources.get(name)?.kind {
        ResourceKind::Postgres(server) => Some(server),
        _ => None,
    }
}

fn host(name: &str) -> Body {
    Expression::property(&address(name), "properties.fullyQualifiedDomainName").into()
}

fn port(draft: &Draft<'_>, name: &str) -> u32 {
    match declared(draft, name).is_some_and(|server| server.pooler.is_some()) {
        true => POOLER_PORT,
        false => 5432,
    }
}

fn database<'a>(draft: &Draft<'a>, name: &str) -> &'a str {
    let first = declared(draft, name).and_then(|server| server.databases.first());
    first.map_or("postgres", String::as_str)
}

fn administrator_address(service: &str, resource: &str) -> Address {
    Address::new("postgresAdministrator", &format!("{service}.{resource}"))
}

/// The service's identity as an administrator by Microsoft Entra: the only rights that ARM can give. Azure names it
/// by the identity's object id, which nobody knows before the identity is there.
fn administrator(draft: &Draft<'_>, service: &str, resource: &str, _: &Accesses) -> Resource {
    let server = draft.earlier(&address(resource));
    let properties = object([
        ("principalName", draft.earlier(&identity::address(service)).name.as_str().into()),
        ("principalType", "ServicePrincipal".into()),
        ("tenantId", Expression::Tenant.into()),
    ]);
    let unknown = format!("{{{}}}", identity::address(service));
    Resource {
        named: Some(Expression::property(&identity::address(service), "properties.principalId")),
        ..child(
            server,
            administrator_address(service, resource),
            "Microsoft.DBforPostgreSQL/flexibleServers/administrators",
            API_VERSION,
            &unknown,
            properties,
        )
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Postgres(server) = &resource.kind {
            push(draft, name, server);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &Postgres) {
    if wanted.backup.geo && region::paired(draft.region.name).is_none() {
        draft.problem(
            codes::REGION_LACKS,
            format!("resource.{name}.backup.geo"),
            format!("`{}` has no paired region to keep copies in", draft.region.name),
            Some("write `backup = { geo = false }`".to_owned()),
        );
    }
    if wanted.ha == Standby::Zone && !region::has_zones(draft.region.name) {
        draft.problem(
            codes::REGION_LACKS,
            format!("resource.{name}.ha"),
            format!("`{}` has no zones for a standby to stand in", draft.region.name),
            Some("write `ha = \"same-zone\"` or `ha = \"none\"`".to_owned()),
        );
    }
    let (zone, link) = private_dns::postgres(draft).unzip();
    if zone.is_some() && !wanted.allow.is_empty() {
        draft.problem(
            codes::IN_A_NETWORK,
            format!("resource.{name}.allow"),
            "nobody outside of the network can be let in to a server inside of it",
            Some("take `allow` out, or `[network] private`".to_owned()),
        );
    }
    let mut server = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::POSTGRES, name),
        draft.resource_path(name),
    );
    set(&mut server, "sku", sku(wanted));
    let mode = match wanted.ha {
        Standby::None => "Disabled",
        Standby::Zone => "ZoneRedundant",
        Standby::SameZone => "SameZone",
    };
    let properties = object([
        ("version", wanted.version.as_str().into()),
        ("storage", storage(wanted)),
        ("authConfig", authentication()),
        (
            "backup",
            object([
                ("backupRetentionDays", wanted.backup.days.0.into()),
                ("geoRedundantBackup", enabled(wanted.backup.geo)),
            ]),
        ),
        ("highAvailability", object([("mode", mode.into())])),
        ("network", place(draft, zone.as_ref())),
    ]);
    set(&mut server, "properties", properties);
    // The server looks its own name up when it is made.
    server.after.extend(link);
    server.holds_data = true;
    draft.overlay(&mut server, name);
    let rest = inside(&server, name, wanted, zone.is_some());
    let replicas: Vec<Resource> = (1..=wanted.replicas)
        .map(|number| replica(draft, &server, name, wanted, number, zone.as_ref()))
        .collect();
    draft.push(server);
    rest.into_iter().chain(replicas).for_each(|resource| draft.push(resource));
}

fn enabled(on: bool) -> Body {
    if on { "Enabled" } else { "Disabled" }.into()
}

fn sku(wanted: &Postgres) -> Body {
    object([("name", format!("Standard_{}", wanted.sku).into()), ("tier", wanted.tier().azure().into())])
}

fn storage(wanted: &Postgres) -> Body {
    object([("storageSizeGB", wanted.storage.gibibytes().into()), ("autoGrow", enabled(wanted.autogrow))])
}

/// No passwords: every service has an identity.
fn authentication() -> Body {
    object([
        ("activeDirectoryAuth", "Enabled".into()),
        ("passwordAuth", "Disabled".into()),
        ("tenantId", Expression::Tenant.into()),
    ])
}

/// In the application's network, or open to Azure's addresses.
fn place(draft: &Draft<'_>, zone: Option<&Address>) -> Body {
    match (network::subnet(draft, Purpose::Postgres), zone) {
        (Some(subnet), Some(zone)) => object([
            ("delegatedSubnetResourceId", Expression::id(&subnet).into()),
            ("privateDnsZoneArmResourceId", Expression::id(zone).into()),
            ("publicNetworkAccess", "Disabled".into()),
        ]),
        _ => object([("publicNetworkAccess", "Enabled".into())]),
    }
}

/// Databases, firewall rules and parameters. The server does one thing at a time, so each comes after the one before.
fn inside(server: &Resource, name: &str, wanted: &Postgres, private: bool) -> Vec<Resource> {
    let part = |kind: &str, part: &str, resource_type: &'static str, azure: &str, properties: Body| {
        let address = Address::new(kind, &format!("{name}.{part}"));
        child(server, address, resource_type, API_VERSION, azure, properties)
    };
    let mut made: Vec<Resource> = Vec::new();
    for database in &wanted.databases {
        let properties = object([("charset", "UTF8".into()), ("collation", "en_US.utf8".into())]);
        let resource_type = "Microsoft.DBforPostgreSQL/flexibleServers/databases";
        made.push(Resource {
            holds_data: true,
            from: format!("resource.{name}.databases"),
            ..part("postgresDatabase", database, resource_type, database, properties)
        });
    }
    if !private {
        // All of Azure, by Azure's own spelling of it: consumption plans have no addresses of their own.
        let azure = ("azure".to_owned(), "0.0.0.0".to_owned(), "0.0.0.0".to_owned());
        let declared = wanted.allow.iter().enumerate().filter_map(|(place, range)| {
            let (first, last) = ends(range)?;
            Some((format!("allow-{}", place + 1), first, last))
        });
        for (rule, first, last) in std::iter::once(azure).chain(declared) {
            let properties = object([("startIpAddress", first.into()), ("endIpAddress", last.into())]);
            let resource_type = "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules";
            made.push(part("postgresFirewallRule", &rule, resource_type, &rule, properties));
        }
    }
    for (parameter, value) in parameters(wanted) {
        let properties = object([("value", value.into()), ("source", "user-override".into())]);
        let resource_type = "Microsoft.DBforPostgreSQL/flexibleServers/configurations";
        let word = parameter.replace('.', "-");
        made.push(Resource {
            from: match parameter.starts_with("pgbouncer.") {
                true => format!("resource.{name}.pooler"),
                false => format!("resource.{name}.parameters"),
            },
            ..part("postgresParameter", &word, resource_type, &parameter, properties)
        });
    }
    let addresses: Vec<Address> = made.iter().map(|resource| resource.address.clone()).collect();
    for (resource, before) in made.iter_mut().skip(1).zip(addresses) {
        resource.after.push(before);
    }
    made
}

/// The first and last address of an IPv4 range, as the manifest's rule has checked it.
fn ends(range: &str) -> Option<(String, String)> {
    let (first, length) = range.split_once('/')?;
    let first: std::net::Ipv4Addr = first.parse().ok()?;
    let host = u32::MAX.checked_shr(length.parse().ok()?).unwrap_or(0);
    Some((first.to_string(), std::net::Ipv4Addr::from(u32::from(first) | host).to_string()))
}

/// Server parameters, the pooler's among them.
fn parameters(wanted: &Postgres) -> Vec<(String, String)> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    if let Some(pooler) = &wanted.pooler {
        let own = [
            // First: the others are refused while it is off.
            ("enabled", "true".to_owned()),
            ("default_pool_size", pooler.size.to_string()),
            ("min_pool_size", pooler.min.to_string()),
            ("pool_mode", pooler.mode.as_str().to_owned()),
            ("server_idle_timeout", pooler.idle.seconds.to_string()),
        ];
        parameters.extend(own.into_iter().map(|(key, value)| (format!("pgbouncer.{key}"), value)));
    }
    parameters.extend(wanted.parameters.iter().map(|(key, value)| (key.clone(), value.clone())));
    parameters
}

/// A read replica: what it does not say itself it has from its source.
fn replica(
    draft: &Draft<'_>,
    server: &Resource,
    name: &str,
    wanted: &Postgres,
    number: u32,
    zone: Option<&Address>,
) -> Resource {
    let part = format!("{name}-replica{number}");
    let mut replica = draft.in_group(
        Address::new("postgresReplica", &format!("{name}.{number}")),
        TYPE,
        API_VERSION,
        draft.name(&name::POSTGRES, Some(&part)),
        format!("resource.{name}.replicas"),
    );
    set(&mut replica, "sku", sku(wanted));
    let properties = object([
        ("createMode", "Replica".into()),
        ("sourceServerResourceId", Expression::id(&server.address).into()),
        ("storage", storage(wanted)),
        ("authConfig", authentication()),
        ("network", place(draft, zone)),
    ]);
    set(&mut replica, "properties", properties);
    // One at a time: the source is busy while it is copied.
    if number > 1 {
        replica.after.push(Address::new("postgresReplica", &format!("{name}.{}", number - 1)));
    }
    replica
}
