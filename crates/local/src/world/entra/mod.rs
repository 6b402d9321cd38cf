//! Entra ID: the tenant's principals. In [`tokens`]: what they show, which every plane asks [`verify`] about; in
//! [`endpoint`]: discovery and the token endpoint; in [`federation`]: assertions of other issuers; in [`workload`]:
//! the identity endpoint of deployed workloads.

pub mod endpoint;
pub mod federation;
pub mod tokens;
pub mod workload;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::endpoint::foreign_issuer;
pub(super) use self::endpoint::{claims, handle};
pub use self::federation::{KEYS_HEADER, assertion, local_issuer, local_keys};
pub use self::tokens::{Claims, Unfit, bearer_of, issue, open, sign, verify, warm};
pub(super) use self::workload::identity_endpoint;
use super::{Config, World, chance};

/// The tenant's principals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entra {
    /// Principals by object id.
    pub principals: BTreeMap<String, Principal>,
}

/// Somebody who can have roles and tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    /// Object id.
    pub object_id: String,
    /// Application (client) id.
    pub client_id: String,
    /// For people.
    pub name: String,
    /// The managed identity's resource id; `None` for an application.
    pub resource: Option<String>,
    /// From when on role assignments know it.
    pub known_from: Timestamp,
}

impl Entra {
    /// A tenant with the one application that owns the subscription.
    pub fn new(config: &Config) -> Entra {
        let owner = Principal {
            object_id: owner_id(config),
            client_id: config.client_id.clone(),
            name: "landfall-local".into(),
            resource: None,
            known_from: Timestamp::MIN,
        };
        Entra { principals: BTreeMap::from([(owner.object_id.clone(), owner)]) }
    }

    /// A principal by its client id.
    pub fn by_client(&self, client_id: &str) -> Option<&Principal> {
        self.principals.values().find(|principal| principal.client_id.eq_ignore_ascii_case(client_id))
    }

    /// A managed identity's principal by the resource id.
    pub fn by_resource(&self, id: &str) -> Option<&Principal> {
        self.principals
            .values()
            .find(|principal| principal.resource.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(id)))
    }
}

/// Object id of the principal that owns the subscription.
pub fn owner_id(config: &Config) -> String {
    chance::fixed_uuid(config.seed, &format!("principal {}", config.client_id)).to_string()
}

/// A principal for a managed identity; role assignments know it only after a while.
pub fn register(world: &mut World, resource: &str, name: &str, known_after: f64) -> Principal {
    let known_from = world.now.saturating_add(world.config.scaled(known_after)).unwrap_or(world.now);
    let key = resource.to_ascii_lowercase();
    let principal = Principal {
        object_id: world.chance.uuid(&format!("principal {key}")).to_string(),
        client_id: world.chance.uuid(&format!("client {key}")).to_string(),
        name: name.into(),
        resource: Some(resource.into()),
        known_from,
    };
    world.entra.principals.insert(principal.object_id.clone(), principal.clone());
    principal
}

/// The managed identity is gone.
pub fn forget(world: &mut World, resource: &str) {
    world.entra.principals.retain(|_, principal| {
        !principal.resource.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(resource))
    });
}

/// The application that a client id and its secret belong to.
pub fn by_secret<'a>(world: &'a World, client: &str, secret: &str) -> Option<&'a Principal> {
    let principal = world.entra.by_client(client)?;
    let fits = principal.client_id == world.config.client_id && same(secret, &world.config.client_secret);
    fits.then_some(principal)
}

/// What ARM takes tokens for.
pub fn arm_audiences(config: &Config) -> Vec<String> {
    vec![
        config.origin(),
        format!("https://127.0.0.1:{}", config.port),
        "https://management.azure.com".into(),
        "https://management.core.windows.net".into(),
    ]
}

/// What vaults take tokens for.
pub fn vault_audiences(config: &Config) -> Vec<String> {
    vec![
        format!("https://vault.localhost:{}", config.port),
        "https://vault.localhost".into(),
        "https://vault.azure.net".into(),
        // the rest of Azure's Key Vault audience in other words: Microsoft's application id for it
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093".into(),
    ]
}

/// What an account's blob service takes tokens for.
pub fn storage_audiences(config: &Config, account: &str) -> Vec<String> {
    vec![
        "https://storage.azure.com".into(),
        format!("https://{account}.blob.core.windows.net"),
        format!("https://{account}.blob.core.localhost:{}", config.port),
    ]
}

/// The audience of tokens that are for container registries.
pub const REGISTRY_AUDIENCE: &str = "https://containerregistry.azure.net";

/// What the registries' token exchange takes tokens for.
pub fn registry_audiences(config: &Config) -> Vec<String> {
    let mut audiences = arm_audiences(config);
    audiences.push(REGISTRY_AUDIENCE.into());
    audiences
}

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}
