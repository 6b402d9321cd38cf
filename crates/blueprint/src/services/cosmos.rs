//! Cosmos DB accounts for NoSQL, with databases and containers, open to identities only.

use landfall_manifest::{
    Access, Accesses, Capacity, Consistency, Cosmos, CosmosBackup, CosmosContainer, ResourceKind,
};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::resource::Resource;
use crate::role::name_of;
use crate::services::{Draft, Grant, Offer, PrivateLink, child, identity, set};
use crate::{codes, name, region};

/// The ARM type of an account.
pub const TYPE: &str = "Microsoft.DocumentDB/databaseAccounts";
const API_VERSION: &str = "2026-03-15";
/// The role over data that reads, in every account.
const READER: &str = "00000000-0000-0000-0000-000000000001";
/// The role over data that reads and writes, in every account.
const CONTRIBUTOR: &str = "00000000-0000-0000-0000-000000000002";

/// What others ask of an account.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(endpoint(name)),
        _ => None,
    },
    connection: |draft, name| {
        let mut variables = vec![("ENDPOINT", endpoint(name))];
        let databases: Vec<&String> = match draft.app.resources.get(name).map(|resource| &resource.kind) {
            Some(ResourceKind::Cosmos(account)) => account.databases.keys().collect(),
            _ => Vec::new(),
        };
        if let [only] = databases[..] {
            variables.push(("DATABASE", only.as_str().into()));
        }
        variables
    },
    user: None,
    roles: |_, _| Vec::new(),
    grant: Some(Grant { address: assignment_address, make: assignment }),
    private: &[PrivateLink { group: "Sql", zone: "privatelink.documents.azure.com", has: |_| true }],
};

/// The address of an account, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("cosmos", name)
}

fn endpoint(name: &str) -> Body {
    Expression::property(&address(name), "properties.documentEndpoint").into()
}

fn assignment_address(service: &str, resource: &str) -> Address {
    Address::new("cosmosAccess", &format!("{service}.{resource}"))
}

/// Data has roles of its own, which Azure's access control does not know.
fn assignment(draft: &Draft<'_>, service: &str, resource: &str, accesses: &Accesses) -> Resource {
    let account = draft.earlier(&address(resource));
    let role = if accesses.contains(Access::Write) { CONTRIBUTOR } else { READER };
    let (scope, principal) = (account.id(), draft.earlier(&identity::address(service)).id());
    let properties = object([
        ("roleDefinitionId", format!("{scope}/sqlRoleDefinitions/{role}").into()),
        ("scope", scope.as_str().into()),
        ("principalId", identity::principal_id(service)),
    ]);
    child(
        account,
        assignment_address(service, resource),
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
        API_VERSION,
        &name_of(&scope, &principal, role),
        properties,
    )
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Cosmos(account) = &resource.kind {
            push(draft, name, account);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &Cosmos) {
    let places: Vec<&str> =
        std::iter::once(draft.region.name).chain(wanted.regions.iter().map(String::as_str)).collect();
    for (index, place) in places.iter().enumerate() {
        if index > 0 && places[..index].contains(place) {
            draft.problem(
                codes::REGION_LACKS,
                format!("resource.{name}.regions"),
                format!("the account is in `{place}` already"),
                Some("name other regions than the application's".to_owned()),
            );
        }
    }
    let locations = places.iter().enumerate().map(|(priority, place)| {
        object([
            ("locationName", (*place).into()),
            ("failoverPriority", u32::try_from(priority).unwrap_or(u32::MAX).into()),
            // A region without zones has nothing to spread over.
            ("isZoneRedundant", (wanted.zones && region::has_zones(place)).into()),
        ])
    });
    let serverless = wanted.capacity == Capacity::Serverless;
    let capability = vec![object([("name", "EnableServerless".into())])];
    let bounded = wanted.consistency == Consistency::BoundedStaleness;
    let mut account = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::COSMOS, name),
        draft.resource_path(name),
    );
    set(&mut account, "kind", "GlobalDocumentDB".into());
    let properties = object([
        ("databaseAccountOfferType", "Standard".into()),
        ("locations", Body::Array(locations.collect())),
        (
            "consistencyPolicy",
            object([
                ("defaultConsistencyLevel", wanted.consistency.azure().into()),
                // The least that Azure takes of an account with several regions.
                ("maxStalenessPrefix", bounded.then_some(100_000u32).into()),
                ("maxIntervalInSeconds", bounded.then_some(300u32).into()),
            ]),
        ),
        ("capabilities", serverless.then_some(capability).into()),
        ("enableAutomaticFailover", (places.len() > 1).into()),
        ("backupPolicy", backup(wanted.backup)),
        // Every service has an identity; a key would outlive the service that was given it.
        ("disableLocalAuth", true.into()),
        ("disableKeyBasedMetadataWriteAccess", true.into()),
        ("minimalTlsVersion", "Tls12".into()),
        ("publicNetworkAccess", draft.public_access()),
    ]);
    set(&mut account, "properties", properties);
    account.holds_data = true;
    draft.overlay(&mut account, name);
    let mut inside = Vec::new();
    for (database, wanted) in &wanted.databases {
        let made = Resource {
            holds_data: true,
            from: format!("resource.{name}.databases.{database}"),
            ..child(
                &account,
                Address::new("cosmosDatabase", &format!("{name}.{database}")),
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
                API_VERSION,
                database,
                object([
                    ("resource", object([("id", database.as_str().into())])),
                    ("options", throughput(wanted.throughput, wanted.autoscale)),
                ]),
            )
        };
        let containers = wanted.containers.iter().map(|(container, wanted)| Resource {
            holds_data: true,
            from: format!("resource.{name}.databases.{database}.containers.{container}"),
            ..child(
                &made,
                Address::new("cosmosContainer", &format!("{name}.{database}.{container}")),
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
                API_VERSION,
                container,
                object([
                    ("resource", container_body(container, wanted)),
                    ("options", throughput(wanted.throughput, wanted.autoscale)),
                ]),
            )
        });
        let containers: Vec<Resource> = containers.collect();
        inside.push(made);
        inside.extend(containers);
    }
    draft.push(account);
    inside.into_iter().for_each(|resource| draft.push(resource));
}

fn backup(wanted: CosmosBackup) -> Body {
    let continuous = |tier: &str| {
        object([("type", "Continuous".into()), ("continuousModeProperties", object([("tier", tier.into())]))])
    };
    match wanted {
        CosmosBackup::Continuous7d => continuous("Continuous7Days"),
        CosmosBackup::Continuous30d => continuous("Continuous30Days"),
        CosmosBackup::Periodic => object([
            ("type", "Periodic".into()),
            (
                "periodicModeProperties",
                object([
                    ("backupIntervalInMinutes", 240u32.into()),
                    ("backupRetentionIntervalInHours", 8u32.into()),
                    ("backupStorageRedundancy", "Geo".into()),
                ]),
            ),
        ]),
    }
}

fn throughput(fixed: Option<u32>, most: Option<u32>) -> Body {
    let scaled = most.map(|most| object([("maxThroughput", most.into())]));
    match fixed.is_some() || scaled.is_some() {
        true => object([("throughput", fixed.into()), ("autoscaleSettings", scaled.into())]),
        false => Body::Null,
    }
}

fn container_body(name: &str, wanted: &CosmosContainer) -> Body {
    let texts = |texts: &[String]| Body::Array(texts.iter().map(|text| text.as_str().into()).collect());
    let kind = if wanted.partition.len() > 1 { "MultiHash" } else { "Hash" };
    let unique: Vec<Body> = wanted
        .unique
        .iter()
        .map(|path| object([("paths", vec![Body::from(path.as_str())].into())]))
        .collect();
    let unique = (!unique.is_empty()).then(|| object([("uniqueKeys", unique.into())]));
    object([
        ("id", name.into()),
        (
            "partitionKey",
            object([
                ("paths", texts(&wanted.partition)),
                ("kind", kind.into()),
                // Hashes of whole values, however long.
                ("version", 2u32.into()),
            ]),
        ),
        ("defaultTtl", wanted.ttl.map(|ttl| ttl.seconds).into()),
        ("uniqueKeyPolicy", unique.into()),
    ])
}
