//! Values into the vault, and what the vault tells of them.

use std::collections::BTreeMap;
use std::time::Duration;

use landfall_azure::{Method, SecretVersion};
use landfall_blueprint::Resource;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::error::Error;
use crate::target::Target;

/// Key Vault Secrets Officer: may set and list secrets, and nothing else
/// (learn: role-based-access-control/built-in-roles/security).
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
/// A role takes up to ten minutes to work (learn: role-based-access-control/troubleshooting).
const ROLE_DELAY_MAX: Duration = Duration::from_secs(600);

/// What came of setting a secret.
#[derive(Clone, Debug)]
pub struct Set {
    /// The new version.
    pub version: SecretVersion,
    /// Whether we had to give ourselves the role for it.
    pub granted: bool,
}

/// Sets a secret. Who may not write to the vault but may assign roles is given the role Key Vault Secrets Officer
/// on this vault first.
///
/// # Errors
/// What Azure refused.
pub async fn set(target: &Target, vault: &Resource, name: &str, value: &SecretString) -> Result<Set, Error> {
    let client = target.vault(&vault.name)?;
    let doing = || Error::azure(format!("set the secret `{name}`"));
    let mut granted = false;
    let mut waited = Duration::ZERO;
    let patience = ROLE_DELAY_MAX.mul_f64(target.speed).max(Duration::from_secs(10));
    let mut pause = Duration::from_millis(200);
    loop {
        let error = match client.set(name, value, &BTreeMap::new()).await {
            Ok(version) => return Ok(Set { version, granted }),
            Err(error) => error,
        };
        match error.status() {
            // A deleted secret keeps its name; the new value becomes its newest version.
            Some(409) if error.message().contains("deleted") => {
                client.recover(name).await.map_err(doing())?;
            }
            Some(403) if is_closed(error.message()) => {
                let version = set_through_arm(target, vault, name, value).await?;
                return Ok(Set { version, granted });
            }
            Some(403) if !granted => {
                grant(target, vault).await?;
                granted = true;
            }
            Some(403 | 404 | 409) if waited < patience => {
                tokio::time::sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
            _ => return Err(doing()(error)),
        }
    }
}

/// Whether a vault refuses everybody outside of its network.
fn is_closed(message: &str) -> bool {
    message.contains("Public network access is disabled") || message.contains("ForbiddenByConnection")
}

/// Sets a secret of a vault that only its own network reaches. Resource Manager writes it for who may write the vault
/// (learn: `key-vault/secrets/quick-create-template`), from wherever.
async fn set_through_arm(
    target: &Target,
    vault: &Resource,
    name: &str,
    value: &SecretString,
) -> Result<SecretVersion, Error> {
    let id = format!("{}/secrets/{name}", vault.id());
    let body = json!({"properties": {"value": value.expose_secret()}});
    let doing = || format!("set the secret `{name}` through Resource Manager, since the vault is private");
    let written = target.arm.finish(Method::Put, &id, vault.api_version, Some(&body)).await;
    let written = written.map_err(Error::azure(doing()))?;
    told(&written).ok_or_else(|| Error::other(format!("cannot {}: the answer names none", doing())))
}

/// What Resource Manager tells of a secret; never its value.
fn told(secret: &serde_json::Value) -> Option<SecretVersion> {
    let time =
        |value: &serde_json::Value| value.as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let properties = &secret["properties"];
    let uri = properties["secretUriWithVersion"].as_str().unwrap_or_default().to_owned();
    Some(SecretVersion {
        name: secret["name"].as_str()?.to_owned(),
        version: uri.rsplit('/').next().unwrap_or_default().to_owned(),
        uri,
        enabled: properties["attributes"]["enabled"].as_bool().unwrap_or(true),
        created: time(&properties["attributes"]["created"]),
        updated: time(&properties["attributes"]["updated"]),
        not_before: time(&properties["attributes"]["nbf"]),
        expires: time(&properties["attributes"]["exp"]),
        content_type: properties["contentType"].as_str().map(str::to_owned),
        tags: BTreeMap::new(),
    })
}

/// The secrets of a vault: names, newest versions and dates; never values.
///
/// # Errors
/// What Azure refused.
pub async fn list(target: &Target, vault: &Resource) -> Result<Vec<SecretVersion>, Error> {
    // Through ARM: it takes no data role, and tells no values.
    let listed = target
        .arm
        .list(&format!("{}/secrets", vault.id()), vault.api_version)
        .await
        .map_err(Error::azure("list the secrets"))?;
    Ok(listed.iter().filter_map(told).collect())
}

/// Gives who is signed in the role to set secrets in this vault.
async fn grant(target: &Target, vault: &Resource) -> Result<(), Error> {
    let scope = vault.id();
    let caller = &target.caller;
    // The same caller gets the same assignment each time.
    let seed = format!("{}/{}/{SECRETS_OFFICER}", scope.to_ascii_lowercase(), caller.object_id);
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, seed.as_bytes());
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let role = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{SECRETS_OFFICER}",
        target.subscription
    );
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": caller.object_id,
        "principalType": if caller.is_user { "User" } else { "ServicePrincipal" }}});
    let written = target.arm.finish(Method::Put, &id, "2022-04-01", Some(&body)).await;
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("RoleAssignmentExists") => Ok(()),
        Err(error) => Err(Error::azure(format!(
            "give ourselves the role Key Vault Secrets Officer on {}, which setting a secret takes",
            vault.name
        ))(error)),
    }
}
