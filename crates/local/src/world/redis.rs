//! Azure Managed Redis (`Microsoft.Cache/redisEnterprise`) with its databases and keys, and what is left of the
//! caches before it: none can be made any more.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put};
use super::checks::{list, one_of, text};
use super::{Method, Response, World};

const CLUSTER: &str = "Microsoft.Cache/redisEnterprise";
const DATABASE: &str = "Microsoft.Cache/redisEnterprise/databases";
const ACCESS: &str = "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments";

/// A DELETE is answered by 202, even of what is gone at once: some of its clients take nothing else.
const REPLIES: Replies =
    Replies { delete: Reply { status: 202, headers: Headers::Both, done: 202 }, ..USUAL };

const fn row(
    name: &'static str,
    names: Names,
    place: Place,
    seconds: [f64; 3],
    computed: &'static [&'static str],
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names,
        place,
        seconds,
        replies: REPLIES,
        busy: "Conflict",
        computed,
        spelling: &[],
        rules,
    }
}

const fn names(from: usize, to: usize, global: bool) -> Names {
    Names {
        length: (from, to),
        signs: Signs::Hyphened,
        global,
        refusal: (
            "InvalidParameter",
            "The name '{name}' is invalid: letters, digits and single hyphens make it.",
        ),
    }
}

pub(super) static KINDS: &[Kind] = &[
    row(
        CLUSTER,
        names(1, 60, false),
        Place::Regional,
        [300.0, 300.0, 180.0],
        &["properties.hostName", "properties.resourceState", "properties.redisVersion"],
        &Clusters,
    ),
    row(
        DATABASE,
        names(1, 60, false),
        Place::Parent,
        [180.0, 60.0, 60.0],
        &["properties.resourceState"],
        &Databases,
    ),
    row(
        ACCESS,
        Names { signs: Signs::Alnum, ..names(1, 60, false) },
        Place::Parent,
        [10.0, 10.0, 10.0],
        &[],
        &Assignments,
    ),
    row(
        "Microsoft.Cache/redis",
        names(1, 63, true),
        Place::Regional,
        [900.0, 300.0, 300.0],
        &["properties.hostName"],
        &Retired,
    ),
];

/// Sizes by family; before them the families that were retired with Azure Cache for Redis Enterprise.
const SIZES: [(&str, &[&str]); 4] = [
    (
        "Balanced",
        &[
            "B0", "B1", "B3", "B5", "B10", "B20", "B50", "B100", "B150", "B250", "B350", "B500", "B700",
            "B1000",
        ],
    ),
    (
        "MemoryOptimized",
        &["M10", "M20", "M50", "M100", "M150", "M250", "M350", "M500", "M700", "M1000", "M1500", "M2000"],
    ),
    ("ComputeOptimized", &["X3", "X5", "X10", "X20", "X50", "X100", "X150", "X250", "X350", "X500", "X700"]),
    ("FlashOptimized", &["A250", "A500", "A700", "A1000", "A1500", "A2000", "A4500"]),
];

fn wrong(name: &str, value: &str) -> Refusal {
    Refusal::bad("InvalidParameter", format!("The value '{value}' of '{name}' is invalid."))
}

#[derive(Debug)]
struct Retired;

impl Rules for Retired {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.current.is_some() {
            return Ok(());
        }
        Err(Refusal::bad(
            "RetiredSkuCreationBlocked",
            "Azure Cache for Redis is being retired: since 2026-10-01 no new cache of the Basic, Standard or Premium tier \
             can be created. Create an Azure Managed Redis (Microsoft.Cache/redisEnterprise) instead.",
        ))
    }
}

#[derive(Debug)]
struct Clusters;

impl Rules for Clusters {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let body = &mut change.body;
        let sku = text(body, "sku.name").to_owned();
        let (family, size) = sku.split_once('_').unwrap_or((&sku, ""));
        if family.eq_ignore_ascii_case("Enterprise") || family.eq_ignore_ascii_case("EnterpriseFlash") {
            return Err(Refusal::bad(
                "RetiredSkuCreationBlocked",
                format!(
                    "The SKU '{sku}' is being retired: since 2026-04-01 no new cache of it can be created. Use a SKU of Azure Managed Redis."
                ),
            ));
        }
        let known = SIZES.iter().find_map(|(name, sizes)| {
            let size = sizes.iter().find(|it| it.eq_ignore_ascii_case(size))?;
            name.eq_ignore_ascii_case(family).then(|| format!("{name}_{size}"))
        });
        let Some(known) = known else { return Err(wrong("sku.name", &sku)) };
        put(body, "sku.name", json!(known));
        if !body["sku"]["capacity"].is_null() {
            return Err(wrong("sku.capacity", &body["sku"]["capacity"].to_string()));
        }
        default(body, "properties.minimumTlsVersion", json!("1.2"));
        one_of(body, "properties.minimumTlsVersion", &["1.2", "1.3"], |value| {
            wrong("minimumTlsVersion", value)
        })?;
        default(body, "properties.highAvailability", json!("Enabled"));
        one_of(body, "properties.highAvailability", &["Enabled", "Disabled"], |value| {
            wrong("highAvailability", value)
        })?;
        default(body, "properties.publicNetworkAccess", json!("Enabled"));
        if let Some(current) = &change.current
            && text(&current.body, "properties.highAvailability") == "Enabled"
            && text(body, "properties.highAvailability") == "Disabled"
        {
            return Err(Refusal::bad(
                "InvalidParameter",
                "High availability cannot be turned off once it is on.",
            ));
        }
        put(
            body,
            "properties.hostName",
            json!(format!("{}.{near}.redis.azure.net", change.id.name().to_ascii_lowercase())),
        );
        default(body, "properties.redisVersion", json!("7.4"));
        default(body, "properties.resourceState", json!("Running"));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        state(resource, body);
    }
}

fn state(resource: &Resource, body: &mut Value) {
    let state = match resource.state.as_str() {
        "Succeeded" => "Running",
        "Failed" => "CreateFailed",
        other => other,
    };
    put(body, "properties.resourceState", json!(state));
}

#[derive(Debug)]
struct Databases;

impl Rules for Databases {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(wrong("databaseName", change.id.name()));
        }
        let body = &mut change.body;
        for (name, usual, known) in [
            ("clientProtocol", "Encrypted", &["Encrypted", "Plaintext"][..]),
            ("clusteringPolicy", "OSSCluster", &["OSSCluster", "EnterpriseCluster", "NoCluster"]),
            (
                "evictionPolicy",
                "VolatileLRU",
                &[
                    "AllKeysLFU",
                    "AllKeysLRU",
                    "AllKeysRandom",
                    "VolatileLRU",
                    "VolatileLFU",
                    "VolatileTTL",
                    "VolatileRandom",
                    "NoEviction",
                ],
            ),
            ("accessKeysAuthentication", "Disabled", &["Enabled", "Disabled"]),
            ("deferUpgrade", "NotDeferred", &["Deferred", "NotDeferred"]),
        ] {
            let path = format!("properties.{name}");
            default(body, &path, json!(usual));
            one_of(body, &path, known, |value| wrong(name, value))?;
        }
        default(body, "properties.port", json!(10000));
        if body["properties"]["port"] != 10000 {
            return Err(wrong("port", &body["properties"]["port"].to_string()));
        }
        default(body, "properties.persistence", json!({"aofEnabled": false, "rdbEnabled": false}));
        if body["properties"]["persistence"]["aofEnabled"] == true
            && body["properties"]["persistence"]["rdbEnabled"] == true
        {
            return Err(Refusal::bad("InvalidParameter", "Persistence is by AOF or by RDB, not by both."));
        }
        for module in list(body, "properties.modules") {
            let name = text(module, "name");
            if !["RediSearch", "RedisJSON", "RedisBloom", "RedisTimeSeries"].contains(&name) {
                return Err(wrong("modules.name", name));
            }
            if name == "RediSearch" {
                if text(body, "properties.evictionPolicy") != "NoEviction" {
                    return Err(Refusal::bad(
                        "InvalidParameter",
                        "The module RediSearch requires the eviction policy NoEviction.",
                    ));
                }
                if text(body, "properties.clusteringPolicy") == "OSSCluster" {
                    return Err(Refusal::bad(
                        "InvalidParameter",
                        "The module RediSearch requires the clustering policy EnterpriseCluster.",
                    ));
                }
            }
        }
        if let Some(current) = &change.current {
            for name in ["clusteringPolicy", "modules", "port"] {
                if current.properties()[name] != body["properties"][name] {
                    return Err(Refusal::bad(
                        "InvalidParameter",
                        format!("The property '{name}' of a database cannot be changed after its creation."),
                    ));
                }
            }
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let made = json!({"primaryKey": super::checks::key(world, &format!("primary {}", id.key()), 32),
                              "secondaryKey": super::checks::key(world, &format!("secondary {}", id.key()), 32)});
            if let Some(found) = world.arm.find_mut(&id.key()) {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        state(resource, body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post
            || !(call.rest_is(&["listKeys"]) || call.rest_is(&["regenerateKey"]))
        {
            return None;
        }
        if text(&world.arm.find(&call.id.key())?.body, "properties.accessKeysAuthentication") == "Disabled" {
            return Some(Err(Refusal::bad(
                "AccessKeysAuthenticationDisabled",
                "Access keys are disabled for this database: use Microsoft Entra ID, or enable accessKeysAuthentication.",
            )));
        }
        if call.rest_is(&["regenerateKey"]) {
            let name = match text(&call.body, "keyType").to_ascii_lowercase().as_str() {
                "primary" => "primaryKey",
                "secondary" => "secondaryKey",
                other => return Some(Err(wrong("keyType", other))),
            };
            let new = super::checks::key(world, &format!("{name} {}", call.id.key()), 32);
            world.arm.find_mut(&call.id.key())?.private[name] = json!(new);
        }
        Some(Ok(Response::json(200, &world.arm.find(&call.id.key())?.private.clone())))
    }
}

/// Who may sign in to a database by Entra.
#[derive(Debug)]
struct Assignments;

impl Rules for Assignments {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        default(body, "properties.accessPolicyName", json!("default"));
        let policy = text(body, "properties.accessPolicyName");
        if policy != "default" {
            return Err(wrong("accessPolicyName", policy));
        }
        let who = text(body, "properties.user.objectId").to_owned();
        if uuid::Uuid::try_parse(&who).is_err() {
            return Err(wrong("user.objectId", &who));
        }
        let twice = world.arm.of_kind(ACCESS).any(|other| {
            other.id.key() != change.id.key()
                && other.id.parent().map(|it| it.key()) == change.id.parent().map(|it| it.key())
                && text(other.properties(), "user.objectId").eq_ignore_ascii_case(&who)
        });
        if twice {
            return Err(Refusal::conflict("Conflict", format!("The principal '{who}' is assigned already.")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    #[test]
    fn retired_caches_are_refused_and_managed_ones_have_rules() {
        let mut lab = Lab::new(0.0);
        let body = |sku: Value| json!({"location": "westeurope", "sku": sku, "properties": {}});
        let old = json!({"name": "Basic", "family": "C", "capacity": 0});
        lab.put(&rg("Microsoft.Cache/redis/r"), body(old)).refused(400, "RetiredSkuCreationBlocked");
        let cluster = rg("Microsoft.Cache/redisEnterprise/r");
        lab.put(&cluster, body(json!({"name": "Enterprise_E10", "capacity": 2})))
            .refused(400, "RetiredSkuCreationBlocked");
        lab.put(&cluster, body(json!({"name": "Balanced_B4"}))).refused(400, "InvalidParameter");
        let made = lab.put(&cluster, body(json!({"name": "balanced_b1"}))).ok(201).json;
        assert_eq!(
            (made["sku"]["name"].clone(), made["properties"]["hostName"].clone()),
            (json!("Balanced_B1"), json!("r.westeurope.redis.azure.net"))
        );
        let database = format!("{cluster}/databases/default");
        let with = |properties: Value| json!({"properties": properties});
        lab.put(&format!("{cluster}/databases/other"), with(json!({}))).refused(400, "InvalidParameter");
        lab.put(&database, with(json!({"port": 6380}))).refused(400, "InvalidParameter");
        lab.put(&database, with(json!({"modules": [{"name": "RediSearch"}]})))
            .refused(400, "InvalidParameter");
        let made = lab.put(&database, with(json!({}))).ok(201).json;
        assert_eq!(made["properties"]["port"], 10000);
        lab.post(&format!("{database}/listKeys"), json!({})).refused(400, "AccessKeysAuthenticationDisabled");
        lab.patch(&database, with(json!({"accessKeysAuthentication": "Enabled"}))).ok(200);
        let keys = lab.post(&format!("{database}/listKeys"), json!({})).ok(200).json;
        let new = lab.post(&format!("{database}/regenerateKey"), json!({"keyType": "Primary"})).ok(200).json;
        assert_ne!(keys["primaryKey"], new["primaryKey"]);
        lab.patch(&database, with(json!({"clusteringPolicy": "EnterpriseCluster"})))
            .refused(400, "InvalidParameter");
    }
}
