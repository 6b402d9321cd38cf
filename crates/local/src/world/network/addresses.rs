//! Public addresses and their prefixes.

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::{
    ADDRESS, NAT, enumeration, etag, guid, must_be_free, naming, part_naming, referred, row, show_some,
    unreadable,
};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Kind, Place, Rules, Signs};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, subscriptions};
use crate::world::checks::{between, list, one_of, text, user, users};
use crate::world::{World, chance};

pub(super) const PREFIX: &str = "Microsoft.Network/publicIPPrefixes";

pub(super) static KINDS: &[Kind] = &[
    row(
        ADDRESS,
        Place::Regional,
        [5.0, 5.0, 10.0],
        &[
            "properties.ipAddress",
            "properties.resourceGuid",
            "etag",
            "properties.ipConfiguration",
            "properties.natGateway",
        ],
        &Addresses,
    ),
    row(
        PREFIX,
        Place::Regional,
        [5.0, 5.0, 10.0],
        &["properties.ipPrefix", "properties.resourceGuid", "properties.publicIPAddresses", "etag"],
        &Prefixes,
    ),
];

/// Refuses an address of the retired SKU to what needs a Standard one.
pub(super) fn must_be_standard(address: &Resource, by: &Id) -> Result<(), Refusal> {
    if text(&address.body, "sku.name") != "Basic" {
        return Ok(());
    }
    Err(Refusal::bad(
        "PublicIPAddressSkuMustBeStandard",
        format!("Resource {by} references public IP address {} that must have the Standard SKU.", address.id),
    ))
}

/// Whether a resource has an address that it names. An alias record or an endpoint of Traffic Manager only leads there.
fn holds(resource: &Resource) -> bool {
    let kind = resource.kind.to_ascii_lowercase();
    let leads = ["microsoft.network/dnszones", "microsoft.network/trafficmanagerprofiles"];
    kind.starts_with("microsoft.network/") && !leads.iter().any(|leads| kind.starts_with(leads))
}

/// Refuses an address that something else has.
pub(super) fn must_be_unused(world: &World, address: &Id, by: &Id) -> Result<(), Refusal> {
    let key = by.key();
    match users(world, address).find(|other| holds(other) && other.id.key() != key) {
        None => Ok(()),
        Some(other) => Err(Refusal::bad(
            "PublicIPAddressInUse",
            format!(
                "Resource {by} is referencing public IP address {address} that is already allocated to resource {}.",
                part_naming(other, address)
            ),
        )),
    }
}

/// Zones: known, in a region that has them, and as they were.
fn check_zones(change: &mut Change) -> Result<(), Refusal> {
    let near = text(&change.body, "location").to_owned();
    let zones = |body: &Value| -> Vec<String> {
        let mut zones: Vec<String> =
            list(body, "zones").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        zones.sort();
        zones
    };
    let wanted = zones(&change.body);
    if !wanted.is_empty() && !subscriptions::has_zones(&near) {
        return Err(Refusal::bad(
            "AvailabilityZonesNotSupportedInRegion",
            format!("Location '{near}' of resource {} has no availability zones.", change.id),
        ));
    }
    if let Some(wrong) = wanted.iter().find(|zone| !["1", "2", "3"].contains(&zone.as_str())) {
        return Err(Refusal::bad(
            "InvalidAvailabilityZone",
            format!(
                "The zone(s) '{wrong}' for resource '{}' is not supported. The supported zones for location '{near}' \
                 are '1,2,3'",
                change.id
            ),
        ));
    }
    let Some(current) = &change.current else { return Ok(()) };
    let known = zones(&current.body);
    if change.sent["zones"].is_null() {
        if !known.is_empty() {
            change.body["zones"] = json!(known);
        }
        return Ok(());
    }
    if wanted == known {
        return Ok(());
    }
    Err(Refusal::bad(
        "ResourceAvailabilityZonesCannotBeModified",
        format!(
            "Resource {} has an existing availability zone constraint {} and the request has availability zone \
             constraint {}, which do not match. Zones cannot be added/updated/removed once the resource is created. \
             The resource cannot be updated from regional to zonal or vice-versa.",
            change.id,
            if known.is_empty() { "NoZone".to_owned() } else { known.join(", ") },
            if wanted.is_empty() { "NoZone".to_owned() } else { wanted.join(", ") },
        ),
    ))
}

/// The SKU: known, not retired, and as it was.
fn check_sku(change: &mut Change) -> Result<(), Refusal> {
    let before = change.current.as_ref().map(|current| current.body["sku"].clone());
    let body = &mut change.body;
    default(body, "sku", before.clone().unwrap_or(json!({"name": "Standard"})));
    default(body, "sku.tier", json!("Regional"));
    one_of(body, "sku.name", &["Basic", "Standard", "StandardV2"], enumeration("sku.name"))?;
    one_of(body, "sku.tier", &["Regional", "Global"], enumeration("sku.tier"))?;
    match before {
        // Basic addresses were retired on 2025-09-30; none can be made any more
        None if text(body, "sku.name") == "Basic" => Err(Refusal::bad(
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
        )),
        Some(before) if before["name"] != body["sku"]["name"] => Err(Refusal::bad(
            "PublicIPSkuCannotBeUpdated",
            format!(
                "The SKU of public IP {} cannot be changed from {} to {}.",
                change.id, before["name"], body["sku"]["name"]
            ),
        )),
        _ => Ok(()),
    }
}

/// The DNS label: of the right form, and nobody else's in the region.
fn check_label(world: &World, change: &mut Change) -> Result<(), Refusal> {
    let body = &mut change.body;
    let label = text(body, "properties.dnsSettings.domainNameLabel").to_owned();
    if label.is_empty() {
        return Ok(());
    }
    if !label_fits(&label) {
        return Err(Refusal::bad(
            "InvalidDomainNameLabel",
            format!(
                "The domain name label {label} is invalid. It must conform to the following regular expression: \
                 ^[a-z][a-z0-9-]{{1,61}}[a-z0-9]$."
            ),
        ));
    }
    let name = format!("{label}.{}.cloudapp.azure.com", text(body, "location"));
    if label_taken(world, &name).is_some_and(|other| other.id.key() != change.id.key()) {
        return Err(Refusal::bad(
            "DnsRecordInUse",
            format!("DNS record {name} is already used by another public IP."),
        ));
    }
    put(body, "properties.dnsSettings.fqdn", json!(name));
    Ok(())
}

pub(super) fn label_fits(label: &str) -> bool {
    Signs::AppLike.allow(label) && (3..=63).contains(&label.len())
}

/// The public address that has a name in the DNS.
pub(super) fn label_taken<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world.arm.of_kind(ADDRESS).find(|it| text(it.properties(), "dnsSettings.fqdn").eq_ignore_ascii_case(name))
}

/// An address of Azure's own, or the next of the prefix it is taken from.
fn draw(world: &World, change: &Change) -> Result<String, Refusal> {
    let id = text(&change.body, "properties.publicIPPrefix.id");
    if id.is_empty() {
        let draw = chance::digest(world.config.seed, &format!("address {}", change.id.key()), 0);
        return Ok(if text(&change.body, "properties.publicIPAddressVersion") == "IPv6" {
            format!("2603:1020:{:x}{:02x}::{:x}", draw[0].max(1), draw[1], draw[2].max(1))
        } else {
            format!("20.{}.{}.{}", draw[0], draw[1], draw[2].max(1))
        });
    }
    let prefix = referred(world, id, PREFIX, change.id, text(&change.body, "location"))?;
    let used: Vec<&str> = world.arm.of_kind(ADDRESS).map(|it| text(it.properties(), "ipAddress")).collect();
    let (block, _) = Cidr::parse(text(prefix.properties(), "ipPrefix")).unwrap_or_default();
    block.addresses().find(|address| !used.contains(&address.as_str())).ok_or_else(|| {
        Refusal::bad(
            "PublicIPPrefixOutOfIpAddresses",
            format!("Public IP prefix {} has no free IP address left for {}.", prefix.id, change.id),
        )
    })
}

#[derive(Debug)]
struct Addresses;

impl Rules for Addresses {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        check_sku(change)?;
        check_zones(change)?;
        let body = &mut change.body;
        default(body, "properties.publicIPAllocationMethod", json!("Static"));
        default(body, "properties.publicIPAddressVersion", json!("IPv4"));
        default(body, "properties.idleTimeoutInMinutes", json!(4));
        default(body, "properties.ipTags", json!([]));
        default(body, "properties.ddosSettings", json!({"protectionMode": "VirtualNetworkInherited"}));
        let versions = &["IPv4", "IPv6"];
        one_of(body, "properties.publicIPAddressVersion", versions, enumeration("publicIPAddressVersion"))?;
        let ways = &["Static", "Dynamic"];
        one_of(body, "properties.publicIPAllocationMethod", ways, enumeration("publicIPAllocationMethod"))?;
        let basic = text(body, "sku.name") == "Basic";
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
        check_label(world, change)?;
        if change.body["properties"]["ipAddress"].is_null() {
            let address = draw(world, change)?;
            put(&mut change.body, "properties.ipAddress", json!(address));
        }
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "PublicIPAddressCannotBeDeleted", |own, other| {
            format!(
                "Public IP address {own} can not be deleted since it is still allocated to resource {other}. In order \
                 to delete the public IP, disassociate/detach the Public IP address from the resource.  To learn how \
                 to do this, see aka.ms/deletepublicip."
            )
        })
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        if let Some(other) = user(world, &resource.id) {
            let (name, id) = if other.kind == NAT {
                ("natGateway", other.id.to_string())
            } else {
                ("ipConfiguration", part_naming(other, &resource.id))
            };
            put(body, &format!("properties.{name}"), json!({"id": id}));
        }
        etag(resource, body);
    }
}

#[derive(Debug)]
struct Prefixes;

impl Rules for Prefixes {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        default(&mut change.body, "sku", json!({"name": "Standard", "tier": "Regional"}));
        default(&mut change.body, "sku.tier", json!("Regional"));
        one_of(&mut change.body, "sku.name", &["Standard", "StandardV2"], enumeration("sku.name"))?;
        check_zones(change)?;
        default(&mut change.body, "properties.publicIPAddressVersion", json!("IPv4"));
        default(&mut change.body, "properties.ipTags", json!([]));
        let six = text(&change.body, "properties.publicIPAddressVersion") == "IPv6";
        let (range, usual) = if six { (124..=127, 124) } else { (28..=31, 28) };
        default(&mut change.body, "properties.prefixLength", json!(usual));
        between(&change.body, "properties.prefixLength", range.clone(), |value| {
            Refusal::bad(
                "InvalidPublicIPPrefixLength",
                format!("The prefix length {value} is not between {} and {}.", range.start(), range.end()),
            )
        })?;
        let length = &change.body["properties"]["prefixLength"];
        if let Some(current) = &change.current
            && current.properties()["prefixLength"] != *length
        {
            return Err(unreadable("the prefix length of a public IP prefix cannot be changed"));
        }
        let draw = chance::digest(world.config.seed, &format!("prefix {}", change.id.key()), 0);
        let block = if six {
            format!("2603:1020:{:x}{:02x}::/{length}", draw[0].max(1), draw[1])
        } else {
            format!("20.{}.{}.{}/{length}", draw[0], draw[1], draw[2] & 0xf0)
        };
        default(&mut change.body, "properties.ipPrefix", json!(block));
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUsePublicIPPrefixCannotBeDeleted", |own, other| {
            format!("Public IP prefix {own} is in use by {other} and cannot be deleted.")
        })
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        show_some(body, "publicIPAddresses", naming(world, ADDRESS, "publicIPPrefix.id", &resource.id));
        etag(resource, body);
    }
}
