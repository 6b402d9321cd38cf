//! Questions asked before the first write.

use crate::arm::Arm;
use crate::error::Error;
use jiff::Timestamp;

/// A subscription that the caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its tenant.
    pub tenant: String,
    /// `Enabled`, or why not.
    pub state: String,
}

/// Whether a subscription may use a resource provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It may.
    Registered,
    /// It will soon.
    Registering,
    /// It may not yet.
    NotRegistered,
    /// It is being taken away.
    Unregistering,
    /// A word not known here.
    Other(String),
}

/// A resource provider in a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `Microsoft.App`.
    pub namespace: String,
    /// Whether the subscription may use it.
    pub registration: Registration,
    /// Its types.
    pub types: Vec<ProviderType>,
}

/// A type of a resource provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderType {
    /// The type after the namespace: `containerApps`.
    pub name: String,
    /// The regions' names for people: `West Europe`.
    pub locations: Vec<String>,
    /// Its API versions.
    pub api_versions: Vec<String>,
}

/// What the caller may do at one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    grants: Vec<Grant>,
}

/// One grant: what it allows, less what it takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grant {
    /// Actions allowed.
    pub actions: Vec<String>,
    /// Actions taken back from these.
    pub not_actions: Vec<String>,
    /// Data actions allowed.
    pub data_actions: Vec<String>,
    /// Data actions taken back from these.
    pub not_data_actions: Vec<String>,
}

impl Permissions {
    /// Whether an action such as `Microsoft.App/containerApps/write` is allowed.
    pub fn allow(&self, action: &str) -> bool {
        let _ = action;
        self.grants.is_empty()
    }
    /// Whether a data action is allowed.
    pub fn allow_data(&self, action: &str) -> bool {
        let _ = action;
        self.grants.is_empty()
    }
    /// Those of `actions` that are not allowed.
    pub fn missing<'a>(&self, actions: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        actions.into_iter().filter(|action| !self.allow(action)).collect()
    }
}

/// A kind of resource whose name is taken world-wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GlobalName {
    /// `Microsoft.KeyVault/vaults`.
    Vault,
    /// `Microsoft.ContainerRegistry/registries`.
    Registry,
    /// `Microsoft.Storage/storageAccounts`.
    Storage,
}

/// Whether a name is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is.
    Free,
    /// Somebody has it, maybe the caller; the message is Azure's.
    Taken(String),
    /// It breaks the name's rules; the message is Azure's.
    Invalid(String),
}

/// A vault that was deleted and still holds its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedVault {
    /// Its name.
    pub name: String,
    /// The id it had.
    pub vault_id: String,
    /// Its region.
    pub location: String,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// When it goes for good.
    pub purge_on: Option<Timestamp>,
    /// Whether nobody can purge it before.
    pub purge_protected: bool,
    /// Its tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

impl Arm {
    /// The subscriptions that the caller sees.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        Ok(Vec::new())
    }
    /// A resource provider.
    ///
    /// # Errors
    /// What Azure refused, also for a namespace that is none.
    pub async fn provider(&self, subscription: &str, namespace: &str) -> Result<Provider, Error> {
        let _ = (subscription, namespace);
        Err(Error::setup("not yet".into()))
    }
    /// Registers a provider: asks once, and tells the state it is in then. Registration goes on by itself.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn register(&self, subscription: &str, namespace: &str) -> Result<Registration, Error> {
        let _ = (subscription, namespace);
        Err(Error::setup("not yet".into()))
    }
    /// What the caller may do at a scope (a subscription, a group or a resource).
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn permissions(&self, scope: &str) -> Result<Permissions, Error> {
        let _ = scope;
        Ok(Permissions::default())
    }
    /// Whether a world-wide name is free.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn name_available(
        &self,
        subscription: &str,
        kind: GlobalName,
        name: &str,
    ) -> Result<Availability, Error> {
        let _ = (subscription, kind, name);
        Ok(Availability::Free)
    }
    /// The deleted vaults of a subscription.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn deleted_vaults(&self, subscription: &str) -> Result<Vec<DeletedVault>, Error> {
        let _ = subscription;
        Ok(Vec::new())
    }
    /// One deleted vault, if there is one of that name.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn deleted_vault(
        &self,
        subscription: &str,
        location: &str,
        name: &str,
    ) -> Result<Option<DeletedVault>, Error> {
        let _ = (subscription, location, name);
        Ok(None)
    }
    /// Begins to purge a deleted vault. What it held is gone for good.
    ///
    /// # Errors
    /// What Azure refused; a vault with purge protection refuses always.
    pub async fn purge_vault(
        &self,
        subscription: &str,
        location: &str,
        name: &str,
    ) -> Result<crate::operation::Begun, Error> {
        let _ = (subscription, location, name);
        Err(Error::setup("not yet".into()))
    }
}
