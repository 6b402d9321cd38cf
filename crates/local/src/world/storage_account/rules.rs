//! What a storage account may be: kinds, SKUs, tiers, and what is decided once and for all.
//!
//! Sources: `azure/storage/common/storage-account-overview`, `azure/storage/common/redundancy-migration`,
//! `rest/storagerp/storage-accounts`.

use serde_json::{Value, json};

use crate::world::World;
use crate::world::arm::kind::Change;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{at, default, merge, put, stamp, subscriptions, take};

/// Every SKU with the kinds of account that have it.
const SKUS: [(&str, &[&str]); 12] = [
    ("Standard_LRS", &["Storage", "StorageV2", "BlobStorage"]),
    ("Standard_GRS", &["Storage", "StorageV2", "BlobStorage"]),
    ("Standard_RAGRS", &["Storage", "StorageV2", "BlobStorage"]),
    ("Standard_ZRS", &["StorageV2"]),
    ("Standard_GZRS", &["StorageV2"]),
    ("Standard_RAGZRS", &["StorageV2"]),
    ("Premium_LRS", &["Storage", "StorageV2", "BlockBlobStorage", "FileStorage"]),
    ("Premium_ZRS", &["StorageV2", "BlockBlobStorage", "FileStorage"]),
    ("StandardV2_LRS", &["FileStorage"]),
    ("StandardV2_GRS", &["FileStorage"]),
    ("StandardV2_ZRS", &["FileStorage"]),
    ("PremiumV2_LRS", &["FileStorage"]),
];
const KINDS: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];
/// SKUs between which an account moves by being told to; others are conversions that one asks for.
const MOVES: [&[&str]; 3] = [
    &["Standard_LRS", "Standard_GRS", "Standard_RAGRS"],
    &["Standard_ZRS", "Standard_GZRS", "Standard_RAGZRS"],
    &["StandardV2_LRS", "StandardV2_GRS"],
];
/// Properties with a choice of values.
const CHOICES: [(&str, &[&str]); 6] = [
    ("accessTier", &["Hot", "Cool", "Cold", "Premium"]),
    ("minimumTlsVersion", &["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"]),
    ("publicNetworkAccess", &["Enabled", "Disabled", "SecuredByPerimeter"]),
    ("largeFileSharesState", &["Enabled", "Disabled"]),
    ("allowedCopyScope", &["AAD", "PrivateLink"]),
    ("dnsEndpointType", &["Standard", "AzureDnsZone"]),
];
/// Decided when an account is made.
const FIXED: [&str; 4] =
    ["isHnsEnabled", "isNfsV3Enabled", "encryption.requireInfrastructureEncryption", "dnsEndpointType"];
/// Where the copies of geo-redundant accounts are.
const PAIRS: [(&str, &str); 12] = [
    ("westeurope", "northeurope"),
    ("eastus", "westus"),
    ("eastus2", "centralus"),
    ("uksouth", "ukwest"),
    ("francecentral", "francesouth"),
    ("germanywestcentral", "germanynorth"),
    ("switzerlandnorth", "switzerlandwest"),
    ("southeastasia", "eastasia"),
    ("japaneast", "japanwest"),
    ("australiaeast", "australiasoutheast"),
    ("canadacentral", "canadaeast"),
    ("westus2", "westcentralus"),
];

/// A value that a property does not take, in the provider's words.
pub(super) fn not_allowed(name: &str, value: &str) -> Refusal {
    let more = match name {
        "accessTier" => " For more information, see - https://aka.ms/storageaccountaccesstier",
        "isHnsEnabled" => " For more information, see - https://aka.ms/storageaccounthns",
        _ => "",
    };
    let message = format!("The value '{value}' is not allowed for property {name}.{more}");
    Refusal::bad("InvalidRequestPropertyValue", message).at(name)
}

fn invalid(parameters: &str) -> Refusal {
    Refusal::bad(
        "InvalidValuesForRequestParameters",
        format!("Values for request parameters are invalid: {parameters}."),
    )
}

fn fixed(name: &str) -> Refusal {
    Refusal::bad(
        "AccountPropertyCannotBeUpdated",
        format!(
            "The property '{name}' was specified in the input, but it cannot be updated as it is read-only. For more \
             information, see - https://aka.ms/storageaccountupdate"
        ),
    )
}

/// Refuses or completes an account.
pub(super) fn judge(world: &World, change: &mut Change) -> Result<(), Refusal> {
    keep_what_is_not_sent(change);
    let (sku, kind) = sku_and_kind(change)?;
    choices(change)?;
    may_become(change, sku, kind)?;
    tiers(change, sku, kind)?;
    network(world, change)?;
    complete(world, change, sku, kind);
    Ok(())
}

/// A PUT to an account that is there changes what it names.
fn keep_what_is_not_sent(change: &mut Change) {
    let Some(current) = change.current.as_ref().filter(|_| !change.patch) else { return };
    let mut properties = current.properties().clone();
    merge(&mut properties, &change.body["properties"]);
    put(&mut change.body, "properties", properties);
}

fn sku_and_kind(change: &Change) -> Result<(&'static str, &'static str), Refusal> {
    let given = |pointer: &str| change.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (sku, kind) = (given("/sku/name"), given("/kind"));
    let kind = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind));
    let Some((sku, kinds)) = SKUS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(sku)) else {
        return Err(invalid("sku").at("sku.name"));
    };
    let kind = kind.ok_or_else(|| invalid("kind").at("kind"))?;
    if kinds.contains(&kind) { Ok((sku, kind)) } else { Err(invalid("kind, sku")) }
}

/// Values of properties that have a choice, with the spelling that Azure gives them.
fn choices(change: &mut Change) -> Result<(), Refusal> {
    for (name, known) in CHOICES {
        let given = change.body["properties"][name].clone();
        if given.is_null() {
            continue;
        }
        let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
        let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(&text)) else {
            return Err(not_allowed(name, &text));
        };
        put(&mut change.body, &format!("properties.{name}"), json!(known));
    }
    Ok(())
}

/// What an account that is there may become.
fn may_become(change: &Change, sku: &str, kind: &str) -> Result<(), Refusal> {
    let Some(current) = &change.current else { return Ok(()) };
    let before = current.text("/kind");
    if before != kind && !(kind == "StorageV2" && matches!(before, "Storage" | "BlobStorage")) {
        return Err(fixed("kind"));
    }
    let was = current.text("/sku/name");
    if was != sku && !MOVES.iter().any(|group| group.contains(&was) && group.contains(&sku)) {
        return Err(Refusal::conflict(
            "StorageAccountTypeConversionNotAllowed",
            format!("Storage account type cannot be converted from '{was}' to '{sku}'."),
        ));
    }
    for name in FIXED {
        let path = format!("properties.{name}");
        let (now, sent) = (at(&current.body, &path), at(&change.body, &path));
        let usual = |value: Option<&Value>| value.is_none_or(|value| *value == false || value == "Standard");
        if now != sent && !(usual(now) && usual(sent)) {
            return Err(fixed(name.rsplit('.').next().unwrap_or(name)));
        }
    }
    Ok(())
}

fn tiers(change: &mut Change, sku: &str, kind: &str) -> Result<(), Refusal> {
    let premium = sku.starts_with("Premium");
    let properties = &change.body["properties"];
    let tier = properties["accessTier"].as_str();
    match tier {
        Some(tier) if kind == "Storage" || premium != (tier == "Premium") => {
            return Err(not_allowed("accessTier", tier));
        }
        None if kind == "BlobStorage" => {
            return Err(Refusal::bad(
                "AccountPropertyIsInvalid",
                "The account property accessTier is required for the account kind BlobStorage.",
            ));
        }
        _ => {}
    }
    let folders = match kind {
        "StorageV2" => !premium,
        kind => kind == "BlockBlobStorage",
    };
    if properties["isHnsEnabled"] == true && !folders {
        return Err(not_allowed("isHnsEnabled", "True"));
    }
    if kind == "StorageV2" && !premium {
        default(&mut change.body, "properties.accessTier", json!("Hot"));
    }
    Ok(())
}

/// Rules of the firewall: public addresses, subnets that are there and let storage in.
fn network(world: &World, change: &mut Change) -> Result<(), Refusal> {
    let failure = |why: String| {
        Err(Refusal::bad(
            "NetworkAclsValidationFailure",
            format!("Validation of network acls failure: {why}."),
        ))
    };
    let rules = change.body["properties"]["networkAcls"].clone();
    let list = |name: &str| rules[name].as_array().cloned().unwrap_or_default();
    for rule in list("ipRules") {
        let range = rule["value"].as_str().unwrap_or_default();
        if !is_public(range) {
            return failure(format!("InvalidIpRule: {range} is no public IPv4 address or range up to /30"));
        }
    }
    for rule in list("virtualNetworkRules") {
        let subnet = rule["id"].as_str().unwrap_or_default();
        let Some(found) = world.arm.find(&subnet.to_ascii_lowercase()) else {
            return failure(format!("SubnetsNotFound: {subnet}"));
        };
        let endpoints = found.properties()["serviceEndpoints"].as_array().cloned().unwrap_or_default();
        let storage =
            |it: &Value| it["service"].as_str().is_some_and(|it| it.starts_with("Microsoft.Storage"));
        if !endpoints.iter().any(storage) {
            return failure(format!("SubnetsHaveNoServiceEndpointsConfigured: {subnet}"));
        }
    }
    if let Some(action) = rules["defaultAction"].as_str()
        && !["Allow", "Deny"].contains(&action)
    {
        return Err(not_allowed("networkAcls.defaultAction", action));
    }
    for (name, value) in [
        ("bypass", json!("AzureServices")),
        ("virtualNetworkRules", json!([])),
        ("ipRules", json!([])),
        ("defaultAction", json!("Allow")),
    ] {
        default(&mut change.body, &format!("properties.networkAcls.{name}"), value);
    }
    for (list, name) in [("ipRules", "value"), ("virtualNetworkRules", "id")] {
        let rules = change.body["properties"]["networkAcls"][list].as_array_mut();
        for rule in rules.into_iter().flatten().filter(|rule| !rule[name].is_null()) {
            default(rule, "action", json!("Allow"));
        }
    }
    Ok(())
}

/// A public address, or a network of at least four. Loopback counts: here it is where clients come from.
fn is_public(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
    let Ok(address) = address.parse::<std::net::Ipv4Addr>() else { return false };
    let wide = match (range.contains('/'), bits.parse::<u8>()) {
        (false, _) => true,
        (true, Ok(bits)) => (1..=30).contains(&bits),
        (true, Err(_)) => false,
    };
    wide && !address.is_private()
}

/// Fills in what Azure computes.
fn complete(world: &World, change: &mut Change, sku: &str, kind: &str) {
    let (id, now) = (change.id, stamp(world.now));
    let body = &mut change.body;
    let tier = if sku.starts_with("Premium") { "Premium" } else { "Standard" };
    put(body, "sku", json!({"name": sku, "tier": tier}));
    put(body, "kind", json!(kind));
    let location = subscriptions::normal(body["location"].as_str().unwrap_or_default());
    for (name, value) in [
        ("minimumTlsVersion", json!("TLS1_2")),
        ("allowBlobPublicAccess", json!(false)),
        ("allowCrossTenantReplication", json!(false)),
        ("supportsHttpsTrafficOnly", json!(true)),
        (
            "encryption",
            json!({"services": {"file": {"keyType": "Account", "enabled": true, "lastEnabledTime": now},
                                "blob": {"keyType": "Account", "enabled": true, "lastEnabledTime": now}},
                   "keySource": "Microsoft.Storage"}),
        ),
        ("primaryLocation", json!(location)),
        ("statusOfPrimary", json!("available")),
        ("creationTime", json!(now)),
        ("privateEndpointConnections", json!([])),
        ("keyCreationTime", json!({"key1": now, "key2": now})),
    ] {
        default(body, &format!("properties.{name}"), value);
    }
    put(body, "properties.primaryEndpoints", endpoints(world, id.name(), kind));
    let geo = sku.contains("GRS") || sku.contains("GZRS");
    let pair = PAIRS.iter().find_map(|(one, other)| match location.as_str() {
        it if it == *one => Some(*other),
        it if it == *other => Some(*one),
        _ => None,
    });
    let secondary = pair.filter(|_| geo);
    let readable = secondary.filter(|_| sku.contains("RA"));
    for (name, value) in [
        ("secondaryLocation", secondary.map(|pair| json!(pair))),
        ("statusOfSecondary", secondary.map(|_| json!("available"))),
        (
            "secondaryEndpoints",
            readable.map(|_| secondary_endpoints(&body["properties"]["primaryEndpoints"])),
        ),
    ] {
        let path = format!("properties.{name}");
        match value {
            Some(value) => put(body, &path, value),
            None => drop(take(body, &path)),
        }
    }
}

/// The primary's, with `-secondary` behind the account's name; files have none.
fn secondary_endpoints(primary: &Value) -> Value {
    let all = primary.as_object().into_iter().flatten().filter(|(service, _)| *service != "file");
    let second =
        |address: &Value| json!(address.as_str().unwrap_or_default().replacen('.', "-secondary.", 1));
    Value::Object(all.map(|(service, address)| (service.clone(), second(address))).collect())
}

/// `skus`: every SKU with its kinds.
pub(super) fn skus() -> Value {
    let row = |(sku, kind): (&str, &str)| {
        let tier = if sku.starts_with("Premium") { "Premium" } else { "Standard" };
        json!({"resourceType": "storageAccounts", "name": sku, "tier": tier, "kind": kind, "locations": [],
               "capabilities": [], "restrictions": []})
    };
    let pairs = SKUS.iter().flat_map(|(sku, kinds)| kinds.iter().map(move |kind| (*sku, *kind)));
    json!({"value": pairs.map(row).collect::<Vec<_>>()})
}

fn endpoints(world: &World, name: &str, kind: &str) -> Value {
    let services: &[&str] = match kind {
        "BlockBlobStorage" => &["dfs", "web", "blob"],
        "FileStorage" => &["file"],
        "BlobStorage" => &["dfs", "blob", "table"],
        "Storage" => &["blob", "queue", "table", "file"],
        _ => &["dfs", "web", "blob", "queue", "table", "file"],
    };
    let mut endpoints = json!({});
    for service in services {
        let zone = if *service == "web" { "z6.web" } else { service };
        endpoints[service] = json!(format!("https://{name}.{zone}.core.localhost:{}/", world.config.port));
    }
    endpoints
}
