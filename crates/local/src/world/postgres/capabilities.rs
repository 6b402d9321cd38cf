//! What a region has, as the portal and the CLI ask before they create a server.

use serde_json::{Value, json};

use super::SERVER;
use super::skus::TIERS;
use crate::world::arm::subscriptions;
use crate::world::checks::text;
use crate::world::{Response, World};

/// Versions that new servers can have, and where each can be upgraded to.
const VERSIONS: [(&str, &[&str]); 6] = [
    ("13", &["14", "15", "16", "17", "18"]),
    ("14", &["15", "16", "17", "18"]),
    ("15", &["16", "17", "18"]),
    ("16", &["17", "18"]),
    ("17", &["18"]),
    ("18", &[]),
];
/// Sizes in GiB with the performance tier that comes with each.
const STORAGE: [(i64, &str, i64); 12] = [
    (32, "P4", 120),
    (64, "P6", 240),
    (128, "P10", 500),
    (256, "P15", 1100),
    (512, "P20", 2300),
    (1024, "P30", 5000),
    (2048, "P40", 7500),
    (4095, "P50", 7500),
    (4096, "P50", 7500),
    (8192, "P60", 16_000),
    (16384, "P70", 18_000),
    (32767, "P80", 20_000),
];

fn feature(name: &str, enabled: bool) -> Value {
    json!({"name": name, "status": if enabled { "Enabled" } else { "Disabled" }})
}

fn storage() -> Value {
    let sizes: Vec<Value> = STORAGE
        .iter()
        .map(|(size, own, iops)| {
            let tiers: Vec<Value> = STORAGE
                .iter()
                .filter(|(_, _, other)| other >= iops)
                .map(|(_, tier, iops)| json!({"name": tier, "iops": iops}))
                .collect();
            json!({"storageSizeMb": size * 1024, "defaultIopsTier": own, "supportedIops": iops,
                   "supportedIopsTiers": tiers})
        })
        .collect();
    json!([{"name": "ManagedDisk", "defaultStorageSizeMb": 32768, "supportedStorageMb": sizes},
           {"name": "ManagedDiskV2", "defaultStorageSizeMb": 32768, "supportedStorageMb": [
               {"storageSizeMb": 32768, "maximumStorageSizeMb": 67_108_864, "supportedIops": 3000,
                "supportedMaximumIops": 80000, "supportedThroughput": 125, "supportedMaximumThroughput": 1200,
                "supportedIopsTiers": []}]}])
}

/// `locations/L/capabilities`.
pub(super) fn of(location: &str) -> Response {
    let zones: Vec<&str> = if subscriptions::has_zones(location) { vec!["1", "2", "3"] } else { Vec::new() };
    let editions: Vec<Value> = TIERS
        .iter()
        .map(|tier| {
            let available = tier.name != "Burstable";
            let mut modes = vec![];
            if available {
                modes.push("SameZone");
                if !zones.is_empty() {
                    modes.push("ZoneRedundant");
                }
            }
            let sizes: Vec<Value> = tier
                .sizes()
                .map(|(name, cores)| {
                    json!({"name": name, "vCores": cores, "supportedIops": 640 * cores, "supportedMemoryPerVcoreMb": 4096,
                           "supportedZones": zones, "supportedHaMode": modes, "supportedFeatures": []})
                })
                .collect();
            json!({"name": tier.name, "defaultSkuName": tier.usual, "supportedServerSkus": sizes,
                   "supportedStorageEditions": storage()})
        })
        .collect();
    let versions: Vec<Value> = VERSIONS
        .iter()
        .map(|(name, up)| json!({"name": name, "supportedVersionsToUpgrade": up, "supportedFeatures": []}))
        .collect();
    let features = [
        feature("FastProvisioning", false),
        feature("ZoneRedundantHa", !zones.is_empty()),
        feature("GeoBackup", subscriptions::paired(location).is_some()),
        feature("ZoneRedundantHaAndGeoBackup", !zones.is_empty()),
        feature("StorageAutoGrowth", true),
        feature("OnlineResize", true),
        feature("OfferRestricted", false),
        feature("IndexTuning", true),
    ];
    Response::json(
        200,
        &json!({"value": [{"name": "FlexibleServerCapabilities", "supportedServerEditions": editions,
                           "supportedServerVersions": versions, "supportedFeatures": features,
                           "restricted": "Disabled", "zoneRedundantHaSupported": if zones.is_empty() { "Disabled" } else { "Enabled" }}]}),
    )
}

/// `checkVirtualNetworkSubnetUsage`: how many servers are in each subnet of a network.
pub(super) fn subnets(world: &World, location: &str, body: &Value) -> Response {
    let network = text(body, "virtualNetworkArmResourceId").to_ascii_lowercase();
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for server in world.arm.of_kind(SERVER) {
        let subnet = text(server.properties(), "network.delegatedSubnetResourceId").to_ascii_lowercase();
        if let Some(name) = subnet.strip_prefix(&format!("{network}/subnets/")) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    let shown: Vec<Value> =
        counts.into_iter().map(|(name, usage)| json!({"subnetName": name, "usage": usage})).collect();
    Response::json(
        200,
        &json!({"delegatedSubnetsUsage": shown, "location": location, "subscriptionId": world.config.subscription}),
    )
}
