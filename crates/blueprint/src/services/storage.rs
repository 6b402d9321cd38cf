//! Storage accounts: blob containers, what is kept of deleted blobs, and how blobs age.

use landfall_manifest::{Access, Lifecycle, ResourceKind, Storage};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, child, network, set};

/// The ARM type of the account.
pub const TYPE: &str = "Microsoft.Storage/storageAccounts";
const API_VERSION: &str = "2026-04-01";

/// What others ask of an account.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(endpoint(&address(name))),
        _ => None,
    },
    connection: |_, name| vec![("ENDPOINT", endpoint(&address(name)))],
    roles: |_, access| match access {
        Access::Read => vec![&role::BLOB_READER],
        Access::Write => vec![&role::BLOB_CONTRIBUTOR],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "blob", zone: "privatelink.blob.core.windows.net", has: |_| true }],
};

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
        ("supportsHttpsTrafficOnly", true.into()),
    ]);
    set(&mut account, "properties", properties);
    account.holds_data = true;
    draft.overlay(&mut account, name);
    account
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
    [service].into_iter().chain(containers).chain(policy).collect()
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
