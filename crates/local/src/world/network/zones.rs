//! DNS zones, public and private: names, what is in them, the records that a zone has from the start.

use serde_json::{Value, json};

use super::{etag, row};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Call, Change, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, take};
use crate::world::checks::{one_of, text};
use crate::world::{Method, Response, World, chance};

pub(super) const PUBLIC_ZONE: &str = "Microsoft.Network/dnsZones";
pub(super) const PRIVATE_ZONE: &str = "Microsoft.Network/privateDnsZones";
pub(super) const LINK: &str = "Microsoft.Network/privateDnsZones/virtualNetworkLinks";

/// Private DNS answers 202 to a delete as to a creation, and leads to both by both headers.
pub(super) const DNS: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Both, done: 201 },
    replace: Reply { status: 202, headers: Headers::Both, done: 200 },
    ..USUAL
};

/// A public zone is there at once, and takes its time to go.
const PUBLIC: Replies = Replies {
    create: Reply { status: 201, headers: Headers::None, done: 201 },
    replace: Reply { status: 200, headers: Headers::None, done: 200 },
    ..USUAL
};

const fn zone(name: &'static str, seconds: [f64; 3], replies: Replies, rules: &'static dyn Rules) -> Kind {
    Kind {
        replies,
        names: Names { signs: Signs::Any, length: (1, 253), ..super::names(1, 253) },
        busy: "Conflict",
        ..row(
            name,
            Place::Free,
            seconds,
            &[
                "properties.numberOfRecordSets",
                "properties.numberOfVirtualNetworkLinks",
                "properties.numberOfVirtualNetworkLinksWithRegistration",
                "properties.maxNumberOfRecordSets",
                "properties.maxNumberOfRecordsPerRecordSet",
                "properties.maxNumberOfVirtualNetworkLinks",
                "properties.maxNumberOfVirtualNetworkLinksWithRegistration",
                "properties.nameServers",
                "properties.internalId",
                "etag",
            ],
            rules,
        )
    }
}

pub(super) static KINDS: &[Kind] = &[
    zone(PUBLIC_ZONE, [0.0, 0.0, 10.0], PUBLIC, &PublicZones),
    zone(PRIVATE_ZONE, [30.0, 10.0, 30.0], DNS, &PrivateZones),
];

/// The record sets of a zone.
pub(super) fn record_sets<'a>(world: &'a World, zone: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(zone).map(|(_, child)| child).filter(|child| child.kind != LINK)
}

fn links<'a>(world: &'a World, zone: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(zone).map(|(_, child)| child).filter(|child| child.kind == LINK)
}

pub(super) fn not_global(location: &str, what: &str) -> Refusal {
    Refusal::bad(
        "LocationNotAvailableForResourceType",
        format!(
            "The provided location '{location}' is not available for resource type 'Microsoft.Network/{what}'. List \
             of available regions for the resource type is 'global'."
        ),
    )
}

/// Refuses zones elsewhere than everywhere, and names that no zone may have.
fn check(change: &mut Change, kind: &str) -> Result<(), Refusal> {
    let location = text(&change.body, "location");
    if !location.eq_ignore_ascii_case("global") {
        return Err(not_global(location, kind));
    }
    let name = change.id.name();
    let labels: Vec<&str> = name.split('.').collect();
    let fits = (2..=34).contains(&labels.len())
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
    change.body["location"] = json!("global");
    Ok(())
}

/// `GET …/ALL`, `…/recordSets`: every record set, of whichever type.
fn all(world: &World, call: &Call) -> Option<Result<Response, Refusal>> {
    let asks =
        call.request.method == Method::Get && (call.rest_is(&["ALL"]) || call.rest_is(&["recordSets"]));
    asks.then(|| super::records::listed(world, call, record_sets(world, &call.id)))
}

#[derive(Debug)]
struct PrivateZones;

impl Rules for PrivateZones {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        check(change, "privateDnsZones")
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
        let nested: Vec<String> =
            links(world, &resource.id).map(|link| format!("'{}'", link.id)).take(5).collect();
        if nested.is_empty() {
            return Ok(());
        }
        Err(Refusal::conflict(
            "CannotDeleteResource",
            format!(
                "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: {}. \
                 Please delete all nested resources before deleting this resource.",
                nested.join(", ")
            ),
        ))
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let registering = links(world, &resource.id)
            .filter(|link| link.properties()["registrationEnabled"] == true)
            .count();
        for (name, value) in [
            ("maxNumberOfRecordSets", 25_000),
            ("maxNumberOfVirtualNetworkLinks", 1000),
            ("maxNumberOfVirtualNetworkLinksWithRegistration", 100),
            ("numberOfRecordSets", record_sets(world, &resource.id).count()),
            ("numberOfVirtualNetworkLinks", links(world, &resource.id).count()),
            ("numberOfVirtualNetworkLinksWithRegistration", registering),
        ] {
            put(body, &format!("properties.{name}"), json!(value));
        }
        body["location"] = json!("global");
        etag(resource, body);
        body["etag"] = json!(resource.etag.trim_matches('"'));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        all(world, call)
    }
}

#[derive(Debug)]
struct PublicZones;

/// Azure's name servers for a zone: one of its sets, by the zone's name.
fn name_servers(world: &World, zone: &Id) -> [String; 4] {
    let set = chance::digest(world.config.seed, &format!("name servers {}", zone.key()), 0)[0] % 9 + 1;
    [("ns1", "com"), ("ns2", "net"), ("ns3", "org"), ("ns4", "info")]
        .map(|(host, top)| format!("{host}-{set:02}.azure-dns.{top}."))
}

impl Rules for PublicZones {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        check(change, "dnsZones")?;
        default(&mut change.body, "properties.zoneType", json!("Public"));
        one_of(&mut change.body, "properties.zoneType", &["Public", "Private"], |value| {
            Refusal::bad("BadRequest", format!("The zone type '{value}' is invalid."))
        })?;
        if text(&change.body, "properties.zoneType") == "Private" {
            return Err(Refusal::bad(
                "BadRequest",
                "Private zones of Microsoft.Network/dnsZones were retired: use Microsoft.Network/privateDnsZones.",
            ));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let servers = name_servers(world, id);
            let names: Vec<Value> = servers.iter().map(|server| json!({"nsdname": server})).collect();
            let ns = json!({"properties": {"TTL": 172_800, "NSRecords": names}});
            let soa = json!({"properties": {"TTL": 3600, "SOARecord": {
                "email": "azuredns-hostmaster.microsoft.com", "expireTime": 2_419_200, "host": servers[0],
                "minimumTTL": 300, "refreshTime": 3600, "retryTime": 300, "serialNumber": 1}}});
            resources::grow(world, &id.child("NS", "@"), ns, Value::Null);
            resources::grow(world, &id.child("SOA", "@"), soa, Value::Null);
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.nameServers", json!(name_servers(world, &resource.id)));
        put(body, "properties.maxNumberOfRecordSets", json!(10_000));
        put(body, "properties.numberOfRecordSets", json!(record_sets(world, &resource.id).count()));
        take(body, "properties.provisioningState");
        take(body, "systemData");
        body["location"] = json!("global");
        body["etag"] = json!(resource.etag.trim_matches('"'));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        all(world, call)
    }
}
