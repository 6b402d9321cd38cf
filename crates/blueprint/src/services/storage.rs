//! Storage accounts: blob containers, what is kept of deleted blobs, and how blobs age.

use landfall_manifest::{Access, Duration, Lifecycle, ResourceKind, Storage};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::role::{self, Role};
use crate::services::{Draft, Offer, PrivateLink, child, network, set};

/// The ARM type of the account.
pub const TYPE: &str = "Microsoft.Storage/storageAccounts";
const API_VERSION: &str = "2026-04-01";

/// What others ask of an account.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(endpoint(&address(name))),
        "queues" => Some(part(name, "queue")),
        "tables" => Some(part(name, "table")),
        "files" => Some(part(name, "file")),
        _ => None,
    },
    connection: |draft, name| {
        let mut variables = vec![("ENDPOINT", endpoint(&address(name)))];
        let Some(account) = draft.app.resources.get(name).and_then(|resource| storage(&resource.kind)) else {
            return variables;
        };
        for (there, variable, service) in [
            (!account.queues.is_empty(), "QUEUES", "queue"),
            (!account.tables.is_empty(), "TABLES", "table"),
            (!account.shares.is_empty(), "FILES", "file"),
        ] {
            if there {
                variables.push((variable, part(name, service)));
            }
        }
        variables
    },
    user: None,
    roles,
    grant: None,
    private: &[
        PrivateLink { group: "blob", zone: "privatelink.blob.core.windows.net", has: |_| true },
        PrivateLink {
            group: "file",
            zone: "privatelink.file.core.windows.net",
            has: |kind| storage(kind).is_some_and(|account| !account.shares.is_empty()),
        },
        PrivateLink {
            group: "queue",
            zone: "privatelink.queue.core.windows.net",
            has: |kind| storage(kind).is_some_and(|account| !account.queues.is_empty()),
        },
        PrivateLink {
            group: "table",
            zone: "privatelink.table.core.windows.net",
            has: |kind| storage(kind).is_some_and(|account| !account.tables.is_empty()),
        },
    ],
};

fn storage(kind: &ResourceKind) -> Option<&Storage> {
    match kind {
        ResourceKind::Storage(storage) => Some(storage),
        _ => None,
    }
}

/// Of blobs always; of the rest where it is declared.
fn roles(kind: &ResourceKind, access: Access) -> Vec<&'static Role> {
    let Some(account) = storage(kind) else { return Vec::new() };
    let (blob, table, file) = match access {
        Access::Read => (&role::BLOB_READER, &role::TABLE_READER, &role::FILE_READER),
        Access::Write => (&role::BLOB_CONTRIBUTOR, &role::TABLE_CONTRIBUTOR, &role::FILE_CONTRIBUTOR),
        Access::Send => return vec![&role::STORAGE_QUEUE_SENDER],
        Access::Receive => return vec![&role::STORAGE_QUEUE_PROCESSOR],
        _ => return Vec::new(),
    };
    let mut roles = vec![blob];
    roles.extend((!account.tables.is_empty()).then_some(table));
    roles.extend((!account.shares.is_empty()).then_some(file));
    roles.extend(account.sas.map(|_| &role::BLOB_DELEGATOR));
    roles
}

/// Where another of its services is reached.
fn part(name: &str, service: &str) -> Body {
    Expression::property(&address(name), &format!("properties.primaryEndpoints.{service}")).into()
}

/// The address of an account, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("storage", name)
}

/// The address of one of its containers. A dot parts the two names, since neither has one.
pub fn container_address(name: &str, container: &str) -> Address {
    Address::new("blobContainer", &format!("{name}.{container}"))
}

/// Where its blobs are reached, `https://sthello….blob.core.windows.net/`.
pub fn endpoint(storage: &Address) -> Body {
    Expression::property(storage, "properties.primaryEndpoints.blob").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Storage(storage) = &resource.kind {
            let account = account(draft, name, storage);
            let rest = inside(&account, name, storage);
            draft.push(account);
            rest.into_iter().for_each(|resource| draft.push(resource));
        }
    }
}

fn account(draft: &mut Draft<'_>, name: &str, storage: &Storage) -> Resource {
    let mut account = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::STORAGE, name),
        draft.resource_path(name),
    );
    set(&mut account, "sku", object([("name", storage.replication.sku().into())]));
    set(&mut account, "kind", "StorageV2".into());
    let allow = |range: String| object([("action", "Allow".into()), ("value", range.into())]);
    let firewall = network::ip_rules(draft, allow).map(|rules| {
        object([("bypass", "AzureServices".into()), ("defaultAction", "Deny".into()), ("ipRules", rules)])
    });
    let properties = object([
        ("accessTier", storage.access.azure().into()),
        ("allowBlobPublicAccess", false.into()),
        ("allowCrossTenantReplication", false.into()),
        // Every service has an identity; a key would outlive the service that was given it.
        ("allowSharedKeyAccess", false.into()),
        ("defaultToOAuthAuthentication", true.into()),
        ("minimumTlsVersion", "TLS1_2".into()),
        ("publicNetworkAccess", draft.guarded_access()),
        ("networkAcls", firewall.into()),
        ("sasPolicy", storage.sas.map(sas_policy).into()),
        ("supportsHttpsTrafficOnly", true.into()),
    ]);
    set(&mut account, "properties", properties);
    account.holds_data = true;
    draft.overlay(&mut account, name);
    account
}

/// Signatures that live longer are refused.
fn sas_policy(most: Duration) -> Body {
    let (days, rest) = (most.seconds / 86_400, most.seconds % 86_400);
    let period = format!("{days}.{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    object([("sasExpirationPeriod", period.into()), ("expirationAction", "Block".into())])
}

/// The blob service, the containers and the lifecycle policy, in creation order.
fn inside(account: &Resource, name: &str, storage: &Storage) -> Vec<Resource> {
    let kept = || object([("enabled", true.into()), ("days", storage.soft_delete.0.into())]);
    let service = child(
        account,
        Address::new("blobService", name),
        "Microsoft.Storage/storageAccounts/blobServices",
        API_VERSION,
        "default",
        object([
            ("deleteRetentionPolicy", kept()),
            ("containerDeleteRetentionPolicy", kept()),
            ("isVersioningEnabled", storage.versioning.into()),
            // Blobs are put back by going through what changed.
            ("changeFeed", storage.restore.map(|_| object([("enabled", true.into())])).into()),
            (
                "restorePolicy",
                storage
                    .restore
                    .map(|days| object([("enabled", true.into()), ("days", days.0.into())]))
                    .into(),
            ),
        ]),
    );
    let containers = storage.containers.iter().map(|container| Resource {
        holds_data: true,
        from: format!("resource.{name}.containers"),
        ..child(
            &service,
            container_address(name, container),
            "Microsoft.Storage/storageAccounts/blobServices/containers",
            API_VERSION,
            container,
            object([("publicAccess", "None".into())]),
        )
    });
    let policy = (!storage.lifecycle.is_empty()).then(|| Resource {
        from: format!("resource.{name}.lifecycle"),
        // A rule may count from an access or a version that the blob service keeps track of.
        after: vec![service.address.clone()],
        ..child(
            account,
            Address::new("managementPolicy", name),
            "Microsoft.Storage/storageAccounts/managementPolicies",
            API_VERSION,
            "default",
            object([("policy", object([("rules", rules(&storage.lifecycle))]))]),
        )
    });
    let containers: Vec<Resource> = containers.collect();
    let blobs = [service].into_iter().chain(containers).chain(policy);
    blobs.chain(shares(account, name, storage)).chain(queues_and_tables(account, name, storage)).collect()
}

/// File shares, and how long deleted ones are kept.
fn shares(account: &Resource, name: &str, storage: &Storage) -> Vec<Resource> {
    if storage.shares.is_empty() {
        return Vec::new();
    }
    let kept = object([("enabled", true.into()), ("days", storage.soft_delete.0.into())]);
    let service = child(
        account,
        Address::new("fileService", name),
        "Microsoft.Storage/storageAccounts/fileServices",
        API_VERSION,
        "default",
        object([("shareDeleteRetentionPolicy", kept)]),
    );
    let shares = storage.shares.iter().map(|(share, wanted)| Resource {
        holds_data: true,
        from: format!("resource.{name}.shares.{share}"),
        ..child(
            &service,
            Address::new("fileShare", &format!("{name}.{share}")),
            "Microsoft.Storage/storageAccounts/fileServices/shares",
            API_VERSION,
            share,
            object([
                ("accessTier", wanted.tier.azure().into()),
                ("enabledProtocols", "SMB".into()),
                ("shareQuota", wanted.quota.gibibytes().into()),
            ]),
        )
    });
    let shares: Vec<Resource> = shares.collect();
    std::iter::once(service).chain(shares).collect()
}

fn queues_and_tables(account: &Resource, name: &str, storage: &Storage) -> Vec<Resource> {
    const OF_QUEUES: (&str, &str) = (
        "Microsoft.Storage/storageAccounts/queueServices",
        "Microsoft.Storage/storageAccounts/queueServices/queues",
    );
    const OF_TABLES: (&str, &str) = (
        "Microsoft.Storage/storageAccounts/tableServices",
        "Microsoft.Storage/storageAccounts/tableServices/tables",
    );
    let mut made = Vec::new();
    for ((service_type, type_of_part), service_kind, kind, parts, key) in [
        (OF_QUEUES, "queueService", "storageQueue", &storage.queues, "queues"),
        (OF_TABLES, "tableService", "storageTable", &storage.tables, "tables"),
    ] {
        if parts.is_empty() {
            continue;
        }
        let service = child(
            account,
            Address::new(service_kind, name),
            service_type,
            API_VERSION,
            "default",
            object([]),
        );
        let parts = parts.iter().map(|part| Resource {
            holds_data: true,
            from: format!("resource.{name}.{key}"),
            ..child(
                &service,
                Address::new(kind, &format!("{name}.{part}")),
                type_of_part,
                API_VERSION,
                part,
                object([]),
            )
        });
        let parts: Vec<Resource> = parts.collect();
        made.push(service);
        made.extend(parts);
    }
    made
}

fn rules(lifecycle: &[Lifecycle]) -> Body {
    let after = |days: Option<landfall_manifest::Days>| -> Body {
        days.map(|days| object([("daysAfterModificationGreaterThan", days.0.into())])).into()
    };
    let made = |days: Option<landfall_manifest::Days>| -> Body {
        days.map(|days| object([("delete", object([("daysAfterCreationGreaterThan", days.0.into())]))]))
            .into()
    };
    let rule = |(place, rule): (usize, &Lifecycle)| {
        let prefixes: Vec<Body> = rule.containers.iter().map(|c| format!("{c}/").into()).collect();
        object([
            ("enabled", true.into()),
            // Azure wants names, the manifest gives places; a place is as stable as anything there.
            ("name", format!("rule-{}", place + 1).into()),
            ("type", "Lifecycle".into()),
            (
                "definition",
                object([
                    (
                        "actions",
                        object([
                            (
                                "baseBlob",
                                object([
                                    ("tierToCool", after(rule.cool)),
                                    ("tierToCold", after(rule.cold)),
                                    ("tierToArchive", after(rule.archive)),
                                    ("delete", after(rule.delete)),
                                ]),
                            ),
                            // What is deleted is deleted with its snapshots and versions, or they would stay
                            // and be paid for.
                            ("snapshot", made(rule.delete)),
                            ("version", made(rule.delete)),
                        ]),
                    ),
                    (
                        "filters",
                        object([
                            ("blobTypes", vec![Body::from("blockBlob")].into()),
                            ("prefixMatch", (!prefixes.is_empty()).then_some(prefixes).into()),
                        ]),
                    ),
                ]),
            ),
        ])
    };
    Body::Array(lifecycle.iter().enumerate().map(rule).collect())
}
