//! Accounts: regions and their failover, consistency, backups, capabilities, keys.

use serde_json::{Map, Value, json};

use super::{ACCOUNT, Answer, bad, has_capability, roles, serverless};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Headers, Reply, Rules, What};
use crate::world::arm::operations::{self, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, at, default, locks, put, resources, subscriptions};
use crate::world::checks::{self, between, list, one_of, text};
use crate::world::{Method, Response, World, chance};

const KEYS: [&str; 4] =
    ["primaryMasterKey", "secondaryMasterKey", "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey"];

const CAPABILITIES: [&str; 15] = [
    "EnableServerless",
    "EnableCassandra",
    "EnableTable",
    "EnableGremlin",
    "EnableMongo",
    "EnableMongo16MBDocumentSupport",
    "EnableMongoRetryableWrites",
    "EnableMongoRoleBasedAccessControl",
    "EnableMongoUniqueCompoundNestedDocs",
    "EnableNoSQLVectorSearch",
    "EnableNoSQLFullTextSearch",
    "EnablePartialUniqueIndex",
    "EnableTtlOnCustomPath",
    "DisableRateLimitingResponses",
    "DeleteAllItemsByPartitionKey",
];

#[derive(Debug)]
pub(super) struct Accounts;

impl Rules for Accounts {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let name = change.id.name().to_ascii_lowercase();
        let body = &mut change.body;
        default(body, "kind", json!("GlobalDocumentDB"));
        one_of(body, "kind", &["GlobalDocumentDB", "MongoDB", "Parse"], |value| {
            bad(format!("The kind '{value}' is invalid."))
        })?;
        default(body, "properties.databaseAccountOfferType", json!("Standard"));
        one_of(body, "properties.databaseAccountOfferType", &["Standard"], |value| {
            bad(format!("The databaseAccountOfferType '{value}' is invalid: Standard is."))
        })?;
        let near = text(body, "location").to_owned();
        default(body, "properties.locations", json!([{"locationName": near, "failoverPriority": 0}]));
        let locations = sorted_locations(body)?;
        check_consistency(body, locations.len())?;
        check_backup(body, change.current.as_ref())?;
        for capability in list(body, "properties.capabilities") {
            let name = text(capability, "name");
            if !CAPABILITIES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(bad(format!("Capability {name} is not allowed in API version.")));
            }
        }
        let wanted =
            list(body, "properties.capabilities").iter().any(|it| text(it, "name") == "EnableServerless");
        if wanted && locations.len() > 1 {
            return Err(bad("A serverless account has one region."));
        }
        check_free_tier(world, change, wanted)?;
        if let Some(current) = &change.current {
            check_change(current, &change.body, &locations)?;
            if serverless(current) != wanted && !wanted {
                return Err(bad(
                    "A serverless account cannot become one with provisioned throughput by this request.",
                ));
            }
        }
        let body = &mut change.body;
        show_locations(body, &name, &locations);
        put(body, "properties.documentEndpoint", json!(format!("https://{name}.documents.azure.com:443/")));
        put(body, "properties.instanceId", json!(chance::fixed_uuid(world.config.seed, &change.id.key())));
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("enableAutomaticFailover", json!(false)),
            ("enableMultipleWriteLocations", json!(false)),
            ("enableFreeTier", json!(false)),
            ("enableAnalyticalStorage", json!(false)),
            ("isVirtualNetworkFilterEnabled", json!(false)),
            ("disableLocalAuth", json!(false)),
            ("disableKeyBasedMetadataWriteAccess", json!(false)),
            ("minimalTlsVersion", json!("Tls12")),
            ("capabilities", json!([])),
            ("ipRules", json!([])),
            ("virtualNetworkRules", json!([])),
            ("cors", json!([])),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        one_of(body, "properties.minimalTlsVersion", &["Tls", "Tls11", "Tls12"], |value| {
            bad(format!("The TLS version '{value}' is invalid."))
        })
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(bad(format!(
            "Database account with name '{}' is already in use. Please provide a different name.",
            id.name()
        )))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let mut made = json!({});
            for name in KEYS {
                made[name] = json!(checks::key(world, &format!("{name} {}", id.key()), 64));
            }
            if let Some(found) = world.arm.find_mut(&id.key()) {
                found.private = made;
            }
            roles::found(world, id);
        }
        Ending::Table
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.request.method != Method::Post || call.rest.len() != 1 {
            return None;
        }
        let found = world.arm.find(&call.id.key())?;
        match call.rest[0].to_ascii_lowercase().as_str() {
            "listkeys" => Some(Ok(Response::json(200, &found.private.clone()))),
            "readonlykeys" => Some(Ok(Response::json(
                200,
                &json!({"primaryReadonlyMasterKey": found.private["primaryReadonlyMasterKey"],
                        "secondaryReadonlyMasterKey": found.private["secondaryReadonlyMasterKey"]}),
            ))),
            "listconnectionstrings" => {
                Some(Ok(Response::json(200, &json!({"connectionStrings": connection_strings(found)}))))
            }
            "regeneratekey" => Some(regenerate(world, call)),
            "failoverprioritychange" => Some(fail_over(world, call)),
            _ => None,
        }
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        match call.request.method {
            Method::Head if call.rest_is(&["databaseAccountNames", "*"]) => {
                let taken = world.arm.by_name(ACCOUNT, call.rest[1]).is_some();
                Some(Ok(Response::empty(if taken { 200 } else { 404 })))
            }
            Method::Get if call.rest_is(&["locations"]) => {
                let base = call.id.to_string();
                let regions = subscriptions::region_names();
                let shown: Vec<Value> = regions.iter().map(|name| show_region(&base, name)).collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            _ => None,
        }
    }
}

fn show_region(base: &str, name: &str) -> Value {
    json!({"id": format!("{base}/providers/Microsoft.DocumentDB/locations/{name}"), "name": name,
           "type": "Microsoft.DocumentDB/locations",
           "properties": {"supportsAvailabilityZone": subscriptions::has_zones(name), "isResidencyRestricted": false,
                          "backupStorageRedundancies": ["Local", "Geo"], "status": "Online"}})
}

/// The account's regions by priority: each once, priorities from 0 without a gap.
fn sorted_locations(body: &Value) -> Result<Vec<Value>, Refusal> {
    let mut locations = list(body, "properties.locations").to_vec();
    let mut seen = std::collections::BTreeSet::new();
    for location in &locations {
        let region = subscriptions::normal(text(location, "locationName"));
        if !subscriptions::is_region(&region) {
            return Err(bad(format!("The location '{region}' of the account is no region.")));
        }
        if location["isZoneRedundant"] == true && !subscriptions::has_zones(&region) {
            return Err(bad(format!("The region '{region}' has no availability zones.")));
        }
        if !seen.insert(region.clone()) {
            return Err(bad(format!("The location '{region}' of the account is there twice.")));
        }
    }
    locations.sort_by_key(|location| location["failoverPriority"].as_i64().unwrap_or(-1));
    let right =
        locations.iter().zip(0i64..).all(|(it, place)| it["failoverPriority"].as_i64() == Some(place));
    if locations.is_empty() || !right {
        return Err(bad("The failover priorities of an account's locations are 0 and up, each once."));
    }
    Ok(locations)
}

fn check_consistency(body: &mut Value, regions: usize) -> Result<(), Refusal> {
    default(body, "properties.consistencyPolicy", json!({"defaultConsistencyLevel": "Session"}));
    let path = "properties.consistencyPolicy.defaultConsistencyLevel";
    let levels = ["Eventual", "Session", "BoundedStaleness", "Strong", "ConsistentPrefix"];
    one_of(body, path, &levels, |value| bad(format!("The consistency level '{value}' is invalid.")))?;
    default(body, "properties.consistencyPolicy.maxIntervalInSeconds", json!(5));
    default(body, "properties.consistencyPolicy.maxStalenessPrefix", json!(100));
    if text(body, path) == "Strong" && body["properties"]["enableMultipleWriteLocations"] == true {
        return Err(bad("Strong consistency is not available for accounts with multiple write locations."));
    }
    if text(body, path) != "BoundedStaleness" {
        return Ok(());
    }
    let least = if regions > 1 { (300, 100_000) } else { (5, 10) };
    for (name, least, most) in
        [("maxIntervalInSeconds", least.0, 86_400), ("maxStalenessPrefix", least.1, 2_147_483_647)]
    {
        between(body, &format!("properties.consistencyPolicy.{name}"), least..=most, |value| {
            bad(format!("The value {value} of {name} is not between {least} and {most}."))
        })?;
    }
    Ok(())
}

/// Periodic backups by interval and retention, or continuous ones, from which there is no way back.
fn check_backup(body: &mut Value, current: Option<&Resource>) -> Result<(), Refusal> {
    default(body, "properties.backupPolicy", json!({"type": "Periodic"}));
    let kind = "properties.backupPolicy.type";
    one_of(body, kind, &["Periodic", "Continuous"], |value| {
        bad(format!("The backup policy '{value}' is invalid."))
    })?;
    if text(body, kind) == "Continuous" {
        let tier = "properties.backupPolicy.continuousModeProperties.tier";
        default(body, tier, json!("Continuous30Days"));
        return one_of(body, tier, &["Continuous7Days", "Continuous30Days"], |value| {
            bad(format!("The tier '{value}' of continuous backups is invalid."))
        });
    }
    if current.is_some_and(|current| text(&current.body, kind) == "Continuous") {
        return Err(bad("An account with continuous backups cannot go back to periodic ones."));
    }
    let periodic = "properties.backupPolicy.periodicModeProperties";
    for (name, value) in [
        ("backupIntervalInMinutes", json!(240)),
        ("backupRetentionIntervalInHours", json!(8)),
        ("backupStorageRedundancy", json!("Geo")),
    ] {
        default(body, &format!("{periodic}.{name}"), value);
    }
    for (name, from, to) in
        [("backupIntervalInMinutes", 60, 1440), ("backupRetentionIntervalInHours", 8, 720)]
    {
        between(body, &format!("{periodic}.{name}"), from..=to, |value| {
            bad(format!("The value {value} of {name} is not between {from} and {to}."))
        })?;
    }
    let number = |name: &str| at(body, &format!("{periodic}.{name}")).and_then(Value::as_i64).unwrap_or(0);
    if number("backupRetentionIntervalInHours") * 60 < 2 * number("backupIntervalInMinutes") {
        return Err(bad("The backup retention is at least twice the backup interval."));
    }
    let redundancy = format!("{periodic}.backupStorageRedundancy");
    one_of(body, &redundancy, &["Geo", "Local", "Zone"], |value| {
        bad(format!("The backup storage redundancy '{value}' is invalid."))
    })
}

/// One account of a subscription is free of charge, for good and from its start.
fn check_free_tier(world: &World, change: &Change, serverless: bool) -> Result<(), Refusal> {
    let wanted = change.body["properties"]["enableFreeTier"] == true;
    if let Some(current) = &change.current {
        let had = current.properties()["enableFreeTier"] == true;
        let said = change.sent["properties"]["enableFreeTier"].as_bool();
        return match said {
            Some(said) if said != had => Err(bad("Free tier of an account is chosen when it is created.")),
            _ => Ok(()),
        };
    }
    if wanted && serverless {
        return Err(bad("Free tier is not available for serverless accounts."));
    }
    let other = world.arm.of_kind(ACCOUNT).find(|other| other.properties()["enableFreeTier"] == true);
    match other.filter(|_| wanted) {
        None => Ok(()),
        Some(other) => Err(bad(format!(
            "Free tier has already been applied to another Azure Cosmos DB account in this subscription: '{}'.",
            other.id.name()
        ))),
    }
}

fn regions(locations: &[Value]) -> Vec<String> {
    locations.iter().map(|it| subscriptions::normal(text(it, "locationName"))).collect()
}

/// Regions come and go in a request of their own; priorities change by `failoverPriorityChange`.
fn check_change(current: &Resource, body: &Value, locations: &[Value]) -> Result<(), Refusal> {
    let (before, after) = (regions(list(&current.body, "properties.locations")), regions(locations));
    if before == after {
        return Ok(());
    }
    if before.first() != after.first() {
        return Err(bad(format!(
            "The write region '{}' of the account can only be changed by a failover priority change.",
            before.first().map(String::as_str).unwrap_or_default()
        )));
    }
    let kept = |body: &Value| -> Map<String, Value> {
        let own = [
            "locations",
            "readLocations",
            "writeLocations",
            "failoverPolicies",
            "privateEndpointConnections",
        ];
        let properties = body["properties"].as_object().cloned().unwrap_or_default();
        properties.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
    };
    let (old, new) = (kept(&current.body), kept(body));
    match new.iter().find(|(name, value)| old.get(*name).is_some_and(|old| old != *value)) {
        None => Ok(()),
        Some((name, _)) => Err(bad(format!(
            "Regions of an account cannot be added or removed together with other changes: '{name}' is changed too."
        ))),
    }
}

fn show_locations(body: &mut Value, name: &str, locations: &[Value]) {
    let shown: Vec<Value> = locations
        .iter()
        .map(|location| {
            let region = subscriptions::normal(text(location, "locationName"));
            json!({"id": format!("{name}-{region}"), "failoverPriority": location["failoverPriority"],
                   "locationName": subscriptions::display_name(&region), "provisioningState": "Succeeded",
                   "documentEndpoint": format!("https://{name}-{region}.documents.azure.com:443/"),
                   "isZoneRedundant": location["isZoneRedundant"] == true})
        })
        .collect();
    let policies: Vec<Value> = shown
        .iter()
        .map(|it| json!({"id": it["id"], "locationName": it["locationName"], "failoverPriority": it["failoverPriority"]}))
        .collect();
    let writes = if body["properties"]["enableMultipleWriteLocations"] == true { shown.len() } else { 1 };
    for (name, value) in [
        ("writeLocations", json!(shown.iter().take(writes).collect::<Vec<_>>())),
        ("readLocations", json!(shown)),
        ("locations", json!(shown)),
        ("failoverPolicies", json!(policies)),
    ] {
        put(body, &format!("properties.{name}"), value);
    }
}

fn connection_strings(account: &Resource) -> Vec<Value> {
    let name = account.id.name().to_ascii_lowercase();
    let mongo = text(&account.body, "kind") == "MongoDB" || has_capability(account, "EnableMongo");
    let shown = [("Primary", ""), ("Secondary", ""), ("Primary", "Read-Only "), ("Secondary", "Read-Only ")];
    KEYS.iter()
        .zip(shown)
        .map(|(kind, (which, only))| {
            let key = text(&account.private, kind);
            let (api, line) = if mongo {
                let query = format!(
                    "ssl=true&replicaSet=globaldb&retrywrites=false&maxIdleTimeMS=120000&appName=@{name}@"
                );
                ("MongoDB", format!("mongodb://{name}:{key}@{name}.mongo.cosmos.azure.com:10255/?{query}"))
            } else {
                let endpoint = text(account.properties(), "documentEndpoint");
                ("SQL", format!("AccountEndpoint={endpoint};AccountKey={key};"))
            };
            json!({"connectionString": line, "description": format!("{which} {only}{api} Connection String"),
                   "keyKind": kind.replace("MasterKey", ""), "type": if mongo { "MongoDB" } else { "Sql" }})
        })
        .collect()
}

fn accepted(world: &mut World, call: &Call, seconds: f64) -> Answer {
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(seconds));
    let reply = Reply { status: 202, headers: Headers::Both, done: 202 };
    Ok(operations::lead(world, call.request, &operation, reply, Response::empty(202)))
}

fn regenerate(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let body = object(&call.body)?;
    let kind = text(&body, "keyKind");
    let known = KEYS.iter().find(|name| name.replace("MasterKey", "").eq_ignore_ascii_case(kind));
    let name = known.ok_or_else(|| bad(format!("The key kind '{kind}' is invalid.")))?;
    let new = checks::key(world, &format!("{name} {}", call.id.key()), 64);
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        put(&mut found.private, name, json!(new));
    }
    accepted(world, call, 30.0)
}

/// `failoverPriorityChange`: the same regions in another order.
fn fail_over(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let sent = object(&call.body)?;
    let found = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    let mut body = found.body.clone();
    let mut before = regions(list(&body, "properties.locations"));
    put(&mut body, "properties.locations", sent["failoverPolicies"].clone());
    let locations = sorted_locations(&body)?;
    let mut after = regions(&locations);
    before.sort_unstable();
    after.sort_unstable();
    if before != after {
        return Err(bad("The failover policies must name the account's own regions, each of them."));
    }
    show_locations(&mut body, &call.id.name().to_ascii_lowercase(), &locations);
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        found.body = body;
    }
    accepted(world, call, 60.0)
}
