//! Questions asked before the first write, so that a deployment does not fail half-way for a reason that could
//! have been known.

use crate::arm::Arm;
use crate::error::Error;
use crate::operation::Begun;
use crate::request::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SUBSCRIPTIONS: &str = "2022-12-01";
const PROVIDERS: &str = "2024-11-01";
const AUTHORIZATION: &str = "2022-04-01";
const KEY_VAULT: &str = "2026-02-01";
const REGISTRY: &str = "2023-07-01";
const STORAGE: &str = "2024-01-01";

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

impl Registration {
    fn of(body: &Value) -> Registration {
        let word = text(body, "/registrationState");
        match word.to_ascii_lowercase().as_str() {
            "registered" => Registration::Registered,
            "registering" => Registration::Registering,
            "notregistered" | "unregistered" | "" => Registration::NotRegistered,
            "unregistering" => Registration::Unregistering,
            _ => Registration::Other(word),
        }
    }
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

impl Provider {
    fn of(body: &Value) -> Provider {
        let list = |value: &Value, name: &str| -> Vec<String> {
            let items = value.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_string).collect()
        };
        let types = body.get("resourceTypes").and_then(Value::as_array).into_iter().flatten();
        Provider {
            namespace: text(body, "/namespace"),
            registration: Registration::of(body),
            types: types
                .map(|kind| ProviderType {
                    name: text(kind, "/resourceType"),
                    locations: list(kind, "locations"),
                    api_versions: list(kind, "apiVersions"),
                })
                .collect(),
        }
    }

    /// The type of that name (`containerApps`, or in full).
    pub fn of_type(&self, name: &str) -> Option<&ProviderType> {
        let name = match name.split_once('/') {
            Some((namespace, rest)) if namespace.eq_ignore_ascii_case(&self.namespace) => rest,
            _ => name,
        };
        self.types.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }
}

/// A type of a resource provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderType {
    /// The type after the namespace: `containerApps`.
    pub name: String,
    /// The regions' names for people: `West Europe`. Empty for types that are in no region.
    pub locations: Vec<String>,
    /// Its API versions.
    pub api_versions: Vec<String>,
}

impl ProviderType {
    /// Whether it is offered in a region, written either way: `westeurope` or `West Europe`.
    pub fn is_in(&self, region: &str) -> bool {
        let plain = |name: &str| name.replace(' ', "").to_ascii_lowercase();
        self.locations.is_empty()
            || self
                .locations
                .iter()
                .any(|location| plain(location) == plain(region) || plain(location) == "global")
    }
}

/// What the caller may do at one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Each role's part; an action needs only one of them to allow it.
    pub grants: Vec<Grant>,
}

/// One grant: what it allows, less what it takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grant {
    /// Actions allowed; `*` stands for any text, slashes included.
    pub actions: Vec<String>,
    /// Actions taken back from these, and from these only: another grant may still allow them.
    pub not_actions: Vec<String>,
    /// Data actions allowed.
    pub data_actions: Vec<String>,
    /// Data actions taken back from these.
    pub not_data_actions: Vec<String>,
    /// The condition under which it holds, in Azure's own language, which is not judged here.
    pub condition: Option<String>,
}

impl Permissions {
    /// Whether an action such as `Microsoft.App/containerApps/write` is allowed.
    pub fn allow(&self, action: &str) -> bool {
        self.grants.iter().any(|grant| allows(&grant.actions, &grant.not_actions, action))
    }

    /// Whether a data action is allowed.
    pub fn allow_data(&self, action: &str) -> bool {
        self.grants.iter().any(|grant| allows(&grant.data_actions, &grant.not_data_actions, action))
    }

    /// Those of `actions` that are not allowed.
    pub fn missing<'a>(&self, actions: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        actions.into_iter().filter(|action| !self.allow(action)).collect()
    }

    /// The conditions of all grants that allow an action, when each has one: then it is allowed only sometimes,
    /// such as to assign some roles and not others.
    pub fn conditions(&self, action: &str) -> Vec<&str> {
        let granting = self.grants.iter().filter(|grant| allows(&grant.actions, &grant.not_actions, action));
        granting
            .map(|grant| grant.condition.as_deref().filter(|text| !text.is_empty()))
            .collect::<Option<_>>()
            .unwrap_or_default()
    }
}

fn allows(given: &[String], taken: &[String], action: &str) -> bool {
    given.iter().any(|pattern| fits(pattern, action)) && !taken.iter().any(|pattern| fits(pattern, action))
}

/// Whether an action fits a pattern, without case; `*` stands for any text.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
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

impl GlobalName {
    /// The resource type.
    pub fn resource_type(self) -> &'static str {
        match self {
            GlobalName::Vault => "Microsoft.KeyVault/vaults",
            GlobalName::Registry => "Microsoft.ContainerRegistry/registries",
            GlobalName::Storage => "Microsoft.Storage/storageAccounts",
        }
    }

    fn question(self, subscription: &str, name: &str) -> (String, &'static str, Value) {
        let kind = self.resource_type();
        let namespace = kind.split('/').next().unwrap_or(kind);
        let api_version = match self {
            GlobalName::Vault => KEY_VAULT,
            GlobalName::Registry => REGISTRY,
            GlobalName::Storage => STORAGE,
        };
        let path = format!("/subscriptions/{subscription}/providers/{namespace}/checkNameAvailability");
        (path, api_version, json!({ "name": name, "type": kind }))
    }
}

/// Whether a name is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is.
    Free,
    /// Somebody has it, maybe the caller, maybe something deleted; the message is Azure's.
    Taken(String),
    /// It breaks the name's rules; the message is Azure's.
    Invalid(String),
}

impl Availability {
    fn of(body: &Value) -> Availability {
        if body.get("nameAvailable").and_then(Value::as_bool) == Some(true) {
            return Availability::Free;
        }
        let message = text(body, "/message");
        match text(body, "/reason").to_ascii_lowercase().as_str() {
            "alreadyexists" | "" => Availability::Taken(message),
            _ => Availability::Invalid(message),
        }
    }
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
    pub tags: BTreeMap<String, String>,
}

impl DeletedVault {
    fn of(body: &Value) -> DeletedVault {
        let tags = body.pointer("/properties/tags").and_then(Value::as_object);
        DeletedVault {
            name: text(body, "/name"),
            vault_id: text(body, "/properties/vaultId"),
            location: text(body, "/properties/location"),
            deleted: text(body, "/properties/deletionDate").parse().ok(),
            purge_on: text(body, "/properties/scheduledPurgeDate").parse().ok(),
            purge_protected: body.pointer("/properties/purgeProtectionEnabled").and_then(Value::as_bool)
                == Some(true),
            tags: tags
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string())))
                .collect(),
        }
    }
}

impl Arm {
    /// The subscriptions that the caller sees.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let all = self.list("/subscriptions", SUBSCRIPTIONS).await?;
        let read = |body: &Value| Subscription {
            id: text(body, "/subscriptionId"),
            name: text(body, "/displayName"),
            tenant: text(body, "/tenantId"),
            state: text(body, "/state"),
        };
        Ok(all.iter().map(read).collect())
    }

    /// A resource provider.
    ///
    /// # Errors
    /// What Azure refused, also for a namespace that is none.
    pub async fn provider(&self, subscription: &str, namespace: &str) -> Result<Provider, Error> {
        let path = format!("/subscriptions/{subscription}/providers/{namespace}");
        match self.get(&path, PROVIDERS).await? {
            Some(body) => Ok(Provider::of(&body)),
            None => {
                Err(Error::refused(404, format!("Azure has no resource provider {namespace}").as_bytes()))
            }
        }
    }

    /// Registers a provider: asks once, and tells the state it is in then. Registration goes on by itself.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn register(&self, subscription: &str, namespace: &str) -> Result<Registration, Error> {
        let path = format!("/subscriptions/{subscription}/providers/{namespace}/register");
        // Asking twice does no harm, so it is sent as a question.
        self.post(&path, PROVIDERS, None).await.map(|body| Registration::of(&body))
    }

    /// What the caller may do at a scope: a subscription, a group or a resource. A scope that is not there yet
    /// gives none; ask at the one above it, from which rights are inherited.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn permissions(&self, scope: &str) -> Result<Permissions, Error> {
        let path = format!("{}/providers/Microsoft.Authorization/permissions", scope.trim_end_matches('/'));
        let grants = self.list(&path, AUTHORIZATION).await?;
        let grants: Result<Vec<Grant>, _> = grants.into_iter().map(serde_json::from_value).collect();
        let grants = grants
            .map_err(|cause| Error::unreadable(format!("Azure's permissions are not to be read: {cause}")))?;
        Ok(Permissions { grants })
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
        let (path, api_version, body) = kind.question(subscription, name);
        self.post(&path, api_version, Some(&body)).await.map(|body| Availability::of(&body))
    }

    /// The deleted vaults of a subscription.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn deleted_vaults(&self, subscription: &str) -> Result<Vec<DeletedVault>, Error> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.KeyVault/deletedVaults");
        Ok(self.list(&path, KEY_VAULT).await?.iter().map(DeletedVault::of).collect())
    }

    /// One deleted vault, if there is one of that name in that region.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn deleted_vault(
        &self,
        subscription: &str,
        location: &str,
        name: &str,
    ) -> Result<Option<DeletedVault>, Error> {
        let body = self.get(&deleted_vault_path(subscription, location, name), KEY_VAULT).await?;
        Ok(body.map(|body| DeletedVault::of(&body)))
    }

    /// Begins to purge a deleted vault. What it held is gone for good.
    ///
    /// # Errors
    /// What Azure refused; a vault with purge protection refuses always.
    pub async fn purge_vault(&self, subscription: &str, location: &str, name: &str) -> Result<Begun, Error> {
        let path = format!("{}/purge", deleted_vault_path(subscription, location, name));
        self.begin(Method::Post, &path, KEY_VAULT, None).await
    }
}

fn deleted_vault_path(subscription: &str, location: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"
    )
}

fn text(body: &Value, pointer: &str) -> String {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(actions: &[&str], not_actions: &[&str]) -> Grant {
        let list = |items: &[&str]| items.iter().map(|item| item.to_string()).collect();
        Grant { actions: list(actions), not_actions: list(not_actions), ..Grant::default() }
    }

    #[test]
    fn wildcards_stand_anywhere() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.App/containerApps/write", true),
            ("*/read", "Microsoft.App/containerApps/read", true),
            ("*/read", "Microsoft.App/containerApps/write", false),
            ("Microsoft.App/*", "microsoft.app/containerapps/WRITE", true),
            ("Microsoft.App/*/write", "Microsoft.App/containerApps/write", true),
            ("Microsoft.App/*/write", "Microsoft.App/write", false),
            ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true),
            ("Microsoft.App/containerApps", "Microsoft.App/containerApps/write", false),
            ("Microsoft.*/a*/x", "Microsoft.B/aab/x", true),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, action), expected, "{pattern} on {action}");
        }
    }

    #[test]
    fn one_grant_is_enough_and_what_one_takes_back_another_may_give() {
        let assign = "Microsoft.Authorization/roleAssignments/write";
        let contributor =
            grant(&["*"], &["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]);
        let mut permissions = Permissions { grants: vec![contributor] };
        assert!(permissions.allow("Microsoft.App/containerApps/write"));
        assert_eq!(permissions.missing(["Microsoft.App/x/write", assign]), [assign]);
        let mut administrator = grant(&[assign], &[]);
        administrator.condition = Some("only some".into());
        permissions.grants.push(administrator);
        assert!(permissions.allow(assign));
        assert_eq!(permissions.conditions(assign), ["only some"]);
        permissions.grants.push(grant(&["*"], &[]));
        assert!(permissions.conditions(assign).is_empty());
        assert!(!permissions.allow_data("Microsoft.KeyVault/vaults/secrets/setSecret/action"));
        assert!(!Permissions::default().allow("anything"));
    }

    #[test]
    fn questions_about_names() {
        let (path, _, body) = GlobalName::Vault.question("S", "kv");
        assert_eq!(path, "/subscriptions/S/providers/Microsoft.KeyVault/checkNameAvailability");
        assert_eq!(body, json!({"name": "kv", "type": "Microsoft.KeyVault/vaults"}));
        let said = |body: Value| Availability::of(&body);
        assert_eq!(said(json!({"nameAvailable": true})), Availability::Free);
        let taken = json!({"nameAvailable": false, "reason": "AlreadyExists", "message": "m"});
        assert_eq!(said(taken), Availability::Taken("m".into()));
        let invalid = json!({"nameAvailable": false, "reason": "AccountNameInvalid", "message": "m"});
        assert_eq!(said(invalid), Availability::Invalid("m".into()));
    }

    #[test]
    fn a_provider_and_its_regions() {
        let provider = Provider::of(&json!({
            "namespace": "Microsoft.App", "registrationState": "NotRegistered",
            "resourceTypes": [{"resourceType": "containerApps", "locations": ["West Europe"], "apiVersions": ["2026-01-01"]},
                {"resourceType": "operations"}],
        }));
        assert_eq!(provider.registration, Registration::NotRegistered);
        let apps = provider.of_type("Microsoft.App/containerapps").unwrap();
        assert!(apps.is_in("westeurope") && apps.is_in("West Europe") && !apps.is_in("northeurope"));
        assert!(provider.of_type("operations").unwrap().is_in("anywhere"));
        assert!(provider.of_type("jobs").is_none());
    }

    #[test]
    fn a_deleted_vault() {
        let vault = DeletedVault::of(&json!({"name": "kv", "properties": {
            "vaultId": "/subscriptions/s/x", "location": "westeurope", "deletionDate": "2026-11-01T00:00:00Z",
            "scheduledPurgeDate": "2026-11-08T00:00:00Z", "purgeProtectionEnabled": true, "tags": {"landfall-app": "x"},
        }}));
        assert!(vault.purge_protected && vault.purge_on > vault.deleted);
        assert_eq!(vault.tags["landfall-app"], "x");
    }
}
