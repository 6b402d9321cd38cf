//! Azure Managed Redis: a cluster with its one database, open to identities only.

use landfall_manifest::{Accesses, Persistence, Redis, ResourceKind};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::services::{Draft, Grant, Offer, PrivateLink, child, identity, set};

/// The ARM type of the cluster.
pub const TYPE: &str = "Microsoft.Cache/redisEnterprise";
/// The ARM type of its database.
pub const DATABASE: &str = "Microsoft.Cache/redisEnterprise/databases";
const API_VERSION: &str = "2025-07-01";
/// The only port there is.
const PORT: u32 = 10_000;

/// What others ask of a cache.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "host" => Some(host(name)),
        "port" => Some(PORT.to_string().into()),
        _ => None,
    },
    connection: |_, name| vec![("HOST", host(name)), ("PORT", PORT.to_string().into())],
    // Redis knows a signed-in identity by its object id.
    user: Some(|_, service, _| identity::principal_id(service)),
    roles: |_, _| Vec::new(),
    grant: Some(Grant { address: assignment_address, make: assignment }),
    private: &[PrivateLink { group: "redisEnterprise", zone: "privatelink.redis.azure.net", has: |_| true }],
};

/// The address of a cache, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("redis", name)
}

/// The address of its database.
pub fn database_address(name: &str) -> Address {
    Address::new("redisDatabase", name)
}

fn host(name: &str) -> Body {
    Expression::property(&address(name), "properties.hostName").into()
}

fn assignment_address(service: &str, resource: &str) -> Address {
    Address::new("redisAccess", &format!("{service}.{resource}"))
}

/// `default` is the one policy there is: everything in the database.
fn assignment(draft: &Draft<'_>, service: &str, resource: &str, _: &Accesses) -> Resource {
    let properties = object([
        ("accessPolicyName", "default".into()),
        ("user", object([("objectId", identity::principal_id(service))])),
    ]);
    let plain: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
    child(
        draft.earlier(&database_address(resource)),
        assignment_address(service, resource),
        "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments",
        API_VERSION,
        &plain,
        properties,
    )
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Redis(redis) = &resource.kind {
            push(draft, name, redis);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &Redis) {
    let mut cluster = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::REDIS, name),
        draft.resource_path(name),
    );
    set(&mut cluster, "sku", object([("name", wanted.azure_sku().into())]));
    let properties = object([
        ("highAvailability", if wanted.ha { "Enabled" } else { "Disabled" }.into()),
        ("minimumTlsVersion", "1.2".into()),
        ("publicNetworkAccess", draft.public_access()),
    ]);
    set(&mut cluster, "properties", properties);
    cluster.holds_data = wanted.persistence != Persistence::None;
    draft.overlay(&mut cluster, name);
    let modules: Vec<Body> =
        wanted.modules.iter().map(|module| object([("name", module.azure().into())])).collect();
    let database = child(
        &cluster,
        database_address(name),
        DATABASE,
        API_VERSION,
        "default",
        object([
            ("clientProtocol", "Encrypted".into()),
            ("port", PORT.into()),
            ("clusteringPolicy", wanted.clustering.azure().into()),
            ("evictionPolicy", wanted.eviction.azure().into()),
            ("persistence", persistence(wanted.persistence)),
            ("modules", (!modules.is_empty()).then_some(modules).into()),
            // Every service has an identity; a key would outlive the service that was given it.
            ("accessKeysAuthentication", "Disabled".into()),
        ]),
    );
    draft.push(cluster);
    draft.push(database);
}

fn persistence(wanted: Persistence) -> Body {
    let snapshots = match wanted {
        Persistence::Rdb1h => Some("1h"),
        Persistence::Rdb6h => Some("6h"),
        Persistence::Rdb12h => Some("12h"),
        Persistence::None | Persistence::Aof => None,
    };
    let aof = wanted == Persistence::Aof;
    object([
        ("aofEnabled", aof.into()),
        ("aofFrequency", aof.then_some("1s").into()),
        ("rdbEnabled", snapshots.is_some().into()),
        ("rdbFrequency", snapshots.into()),
    ])
}
