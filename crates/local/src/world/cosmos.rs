//! Cosmos DB: accounts, SQL databases and containers with their throughput, partition keys and keys.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::{Resource, at, default, put, take};
use super::checks::{between, list, one_of, text};
use super::{Method, Response, World};

const ACCOUNT: &str = "Microsoft.DocumentDB/databaseAccounts";

const fn child(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 255),
            signs: Signs::Any,
            global: false,
            refusal: ("BadRequest", "The name '{name}' is invalid."),
        },
        place: Place::Parent,
        seconds: [15.0, 10.0, 10.0],
        replies: USUAL,
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: Names {
            length: (3, 44),
            signs: Signs::ServerLike,
            global: true,
            refusal: (
                "BadRequest",
                "Invalid account name '{name}': it has 3 to 44 lower-case letters, digits and hyphens.",
            ),
        },
        place: Place::Regional,
        seconds: [300.0, 60.0, 120.0],
        computed: &[
            "properties.documentEndpoint",
            "properties.readLocations",
            "properties.writeLocations",
            "properties.failoverPolicies",
            "properties.instanceId",
            "properties.privateEndpointConnections",
        ],
        ..child(ACCOUNT, &Accounts)
    },
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", &Databases),
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", &Containers),
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("BadRequest", message.to_string())
}

fn serverless(account: &Resource) -> bool {
    list(account.properties(), "capabilities").iter().any(|it| text(it, "name") == "EnableServerless")
}

#[derive(Debug)]
struct Accounts;

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
        let mut priorities = Vec::new();
        let locations = list(body, "properties.locations").to_vec();
        for location in &locations {
            let region = super::arm::subscriptions::normal(text(location, "locationName"));
            if !super::arm::subscriptions::is_region(&region) {
                return Err(bad(format!("The location '{region}' of the account is no region.")));
            }
            priorities.push(location["failoverPriority"].as_i64().unwrap_or(-1));
        }
        priorities.sort_unstable();
        if locations.is_empty() || priorities != (0..priorities.len() as i64).collect::<Vec<_>>() {
            return Err(bad("The failover priorities of an account's locations are 0 and up, each once."));
        }
        default(body, "properties.consistencyPolicy", json!({"defaultConsistencyLevel": "Session"}));
        let path = "properties.consistencyPolicy.defaultConsistencyLevel";
        one_of(
            body,
            path,
            &["Eventual", "Session", "BoundedStaleness", "Strong", "ConsistentPrefix"],
            |value| bad(format!("The consistency level '{value}' is invalid.")),
        )?;
        default(body, "properties.consistencyPolicy.maxIntervalInSeconds", json!(5));
        default(body, "properties.consistencyPolicy.maxStalenessPrefix", json!(100));
        if text(body, path) == "BoundedStaleness" {
            let least = if locations.len() > 1 { (300, 100_000) } else { (5, 10) };
            for (name, least, most) in
                [("maxIntervalInSeconds", least.0, 86_400), ("maxStalenessPrefix", least.1, 2_147_483_647)]
            {
                between(body, &format!("properties.consistencyPolicy.{name}"), least..=most, |value| {
                    bad(format!("The value {value} of {name} is not between {least} and {most}."))
                })?;
            }
        }
        let features = list(body, "properties.capabilities").to_vec();
        let without = features.iter().any(|it| text(it, "name") == "EnableServerless");
        if without && locations.len() > 1 {
            return Err(bad("A serverless account has one region."));
        }
        if let Some(current) = &change.current
            && serverless(current) != without
            && !without
        {
            return Err(bad(
                "A serverless account cannot become one with provisioned throughput by this request.",
            ));
        }
        let endpoint = format!("https://{name}.documents.azure.com:443/");
        let shown: Vec<Value> = locations
            .iter()
            .map(|location| {
                let region = super::arm::subscriptions::normal(text(location, "locationName"));
                json!({"id": format!("{name}-{region}"), "failoverPriority": location["failoverPriority"],
                       "locationName": super::arm::subscriptions::display_name(&region), "provisioningState": "Succeeded",
                       "documentEndpoint": format!("https://{name}-{region}.documents.azure.com:443/"),
                       "isZoneRedundant": location["isZoneRedundant"] == true})
            })
            .collect();
        let writes = if body["properties"]["enableMultipleWriteLocations"] == true { shown.len() } else { 1 };
        for (name, value) in [
            ("documentEndpoint", json!(endpoint)),
            ("writeLocations", json!(shown.iter().take(writes).collect::<Vec<_>>())),
            ("readLocations", json!(shown)),
            ("locations", json!(shown)),
            ("instanceId", json!(super::chance::fixed_uuid(world.config.seed, &change.id.key()))),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("enableAutomaticFailover", json!(false)),
            ("enableMultipleWriteLocations", json!(false)),
            ("disableLocalAuth", json!(false)),
            ("minimalTlsVersion", json!("Tls12")),
            (
                "backupPolicy",
                json!({"type": "Periodic", "periodicModeProperties":
                {"backupIntervalInMinutes": 240, "backupRetentionIntervalInHours": 8, "backupStorageRedundancy": "Geo"}}),
            ),
            ("capabilities", json!([])),
            ("ipRules", json!([])),
            ("virtualNetworkRules", json!([])),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
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
                made[name] = json!(super::checks::key(world, &format!("{name} {}", id.key()), 64));
            }
            if let Some(found) = world.arm.find_mut(&id.key()) {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || call.rest.len() != 1 {
            return None;
        }
        let found = world.arm.find(&call.id.key())?;
        let keys = found.private.clone();
        match call.rest[0].to_ascii_lowercase().as_str() {
            "listkeys" => Some(Ok(Response::json(200, &keys))),
            "readonlykeys" => Some(Ok(Response::json(
                200,
                &json!({"primaryReadonlyMasterKey": keys["primaryReadonlyMasterKey"],
                        "secondaryReadonlyMasterKey": keys["secondaryReadonlyMasterKey"]}),
            ))),
            "listconnectionstrings" => {
                let endpoint = text(found.properties(), "documentEndpoint");
                let strings: Vec<Value> = KEYS
                    .iter()
                    .map(|name| {
                        json!({"connectionString": format!("AccountEndpoint={endpoint};AccountKey={};", text(&keys, name)),
                               "description": name})
                    })
                    .collect();
                Some(Ok(Response::json(200, &json!({"connectionStrings": strings}))))
            }
            _ => None,
        }
    }
}

const KEYS: [&str; 4] =
    ["primaryMasterKey", "secondaryMasterKey", "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey"];

/// Throughput that is asked for: 400 and up in hundreds, or up to a maximum of 1,000 and up in thousands; none in a
/// serverless account.
fn check_throughput(world: &World, change: &mut Change) -> Result<(), Refusal> {
    let options = take(&mut change.body, "properties.options").unwrap_or(Value::Null);
    let account = change
        .id
        .ancestors()
        .into_iter()
        .find_map(|id| world.arm.find(&id.key()).filter(|it| it.kind == ACCOUNT));
    let (fixed, most) = (
        options["throughput"].as_i64(),
        at(&options, "autoscaleSettings.maxThroughput").and_then(Value::as_i64),
    );
    if (fixed.is_some() || most.is_some()) && account.is_some_and(serverless) {
        return Err(bad(
            "Setting offer throughput or autopilot on container is not supported for serverless accounts.",
        ));
    }
    if fixed.is_some() && most.is_some() {
        return Err(bad("Throughput is either fixed or scaled, not both."));
    }
    if fixed.is_some_and(|units| units < 400 || units % 100 != 0) {
        return Err(bad(format!(
            "The offer throughput {} must be 400 or more and a multiple of 100.",
            options["throughput"]
        )));
    }
    if most.is_some_and(|units| units < 1000 || units % 1000 != 0) {
        return Err(bad("The maximum throughput must be 1000 or more and a multiple of 1000."));
    }
    let id = text(&change.body, "properties.resource.id");
    if id != change.id.name() {
        return Err(bad(format!(
            "The id '{id}' in the body is not the name '{}' of the resource.",
            change.id.name()
        )));
    }
    Ok(())
}

#[derive(Debug)]
struct Databases;

impl Rules for Databases {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        check_throughput(world, change)
    }
}

#[derive(Debug)]
struct Containers;

impl Rules for Containers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        check_throughput(world, change)?;
        let body = &mut change.body;
        let paths = list(body, "properties.resource.partitionKey.paths");
        if paths.is_empty()
            || paths.len() > 3
            || paths.iter().any(|it| !it.as_str().is_some_and(|it| it.starts_with('/')))
        {
            return Err(bad(
                "The partition key definition of a container has 1 to 3 paths that start with '/'.",
            ));
        }
        if let Some(current) = &change.current {
            let path = "properties.resource.partitionKey.paths";
            if at(&current.body, path) != at(body, path) {
                return Err(bad("The partition key of a container cannot be changed."));
            }
        }
        default(body, "properties.resource.partitionKey.kind", json!("Hash"));
        default(
            body,
            "properties.resource.indexingPolicy",
            json!({"indexingMode": "consistent", "automatic": true,
            "includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/\"_etag\"/?"}]}),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    #[test]
    fn accounts_databases_and_containers_have_rules() {
        let mut lab = Lab::new(0.0);
        let account = rg("Microsoft.DocumentDB/databaseAccounts/docs1");
        let body = |properties: Value| json!({"location": "westeurope", "properties": properties});
        lab.put(&rg("Microsoft.DocumentDB/databaseAccounts/Docs"), body(json!({})))
            .refused(400, "BadRequest");
        lab.put(&account, body(json!({"consistencyPolicy": {"defaultConsistencyLevel": "Some"}})))
            .refused(400, "BadRequest");
        lab.put(
            &account,
            body(json!({"locations": [{"locationName": "westeurope", "failoverPriority": 1}]})),
        )
        .refused(400, "BadRequest");
        let made = lab.put(&account, body(json!({}))).ok(201).json;
        assert_eq!(made["properties"]["documentEndpoint"], "https://docs1.documents.azure.com:443/");
        let keys = lab.post(&format!("{account}/listKeys"), json!({})).ok(200).json;
        assert!(keys["primaryMasterKey"].is_string());
        let database = format!("{account}/sqlDatabases/d");
        let with = |id: &str, units: u32| json!({"properties": {"resource": {"id": id}, "options": {"throughput": units}}});
        lab.put(&database, with("d", 300)).refused(400, "BadRequest");
        lab.put(&database, with("other", 400)).refused(400, "BadRequest");
        lab.put(&database, with("d", 400)).ok(201);
        let container = format!("{database}/containers/c");
        let key =
            |path: &str| json!({"properties": {"resource": {"id": "c", "partitionKey": {"paths": [path]}}}});
        lab.put(&container, key("id")).refused(400, "BadRequest");
        lab.put(&container, key("/id")).ok(201);
        lab.put(&container, key("/other")).refused(400, "BadRequest");
    }
}
