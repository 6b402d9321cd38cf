//! Key Vault secrets, through Microsoft's own client with our transport and credential.
//!
//! A vault's data has roles of its own: who owns the subscription may still not read a secret. A role assigned
//! just now takes minutes to work, which the refusal's class says ([`crate::Class::NotYetConsistent`]).

use crate::cloud::Cloud;
use crate::credential::{Credential, ours};
use crate::error::{Class, Error};
use crate::retry_after::retry_after;
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_security_keyvault_secrets::models::{
    DeletedSecretProperties, Secret, SecretAttributes, SecretClientGetSecretOptions, SecretProperties,
    SetSecretParameters,
};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use futures::TryStreamExt;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, HashMap};
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How often a read is sent at most.
const TRIES: u32 = 3;

/// The secrets of one vault.
#[derive(Clone)]
pub struct Vault {
    client: Arc<SecretClient>,
    cloud: Cloud,
    url: String,
}

/// One version of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVersion {
    /// The secret's name.
    pub name: String,
    /// The version; empty in a list of secrets, which names none.
    pub version: String,
    /// The address, with the version where there is one.
    pub uri: String,
    /// Whether it may be read.
    pub enabled: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub updated: Option<Timestamp>,
    /// From when on it may be read.
    pub not_before: Option<Timestamp>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// What kind of content it says it is.
    pub content_type: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A secret that was deleted and still holds its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedSecret {
    /// Its name.
    pub name: String,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// When it goes for good.
    pub purge_on: Option<Timestamp>,
}

impl Vault {
    /// The vault of that name.
    ///
    /// # Errors
    /// When the cloud's CA cannot be used, or the name can be no vault's.
    pub fn new(cloud: &Cloud, credential: Credential, name: &str) -> Result<Vault, Error> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Error::setup(format!(
                "`{name}` is no vault's name: it has letters, digits and hyphens only"
            )));
        }
        let url = cloud.vault_url(name);
        let options = SecretClientOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(Arc::new(cloud.http()?))),
                // Reads are sent again here, where `Retry-After` and the class of a refusal are known.
                retry: RetryOptions::none(),
                cloud: Some(cloud.azure_core()),
                ..ClientOptions::default()
            },
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(&url, credential.for_azure_core(), Some(options))
            .map_err(|cause| Error::setup(format!("`{url}` is no vault's address: {cause}")))?;
        Ok(Vault { client: Arc::new(client), cloud: cloud.clone(), url })
    }

    /// The vault's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets a secret, which makes a new version. Sent once: a second try would make a second version.
    ///
    /// # Errors
    /// What the vault refused; the value is in no part of the error.
    pub async fn set(
        &self,
        name: &str,
        value: &SecretString,
        tags: &BTreeMap<String, String>,
    ) -> Result<SecretVersion, Error> {
        checked(name)?;
        let parameters = SetSecretParameters {
            value: Some(value.expose_secret().to_string()),
            tags: (!tags.is_empty()).then(|| tags.clone().into_iter().collect::<HashMap<_, _>>()),
            ..SetSecretParameters::default()
        };
        let hidden = [value.expose_secret().to_string()];
        let told = |cause| self.told(&cause, &format!("set the secret {name}")).without(&hidden);
        let body = parameters.try_into().map_err(told)?;
        let answer = self.client.set_secret(name, body, None).await.map_err(told)?;
        let secret: Secret = answer.into_model().map_err(told)?;
        self.version(&Listed::of_secret(&secret))
    }

    /// A secret's value, of one version or the newest; none when it is not there.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn get(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<(SecretVersion, SecretString)>, Error> {
        checked(name)?;
        if let Some(version) = version {
            checked(version)?;
        }
        let answer = self
            .read(&format!("read the secret {name}"), || async {
                let options = SecretClientGetSecretOptions {
                    secret_version: version.map(str::to_string),
                    ..SecretClientGetSecretOptions::default()
                };
                self.client.get_secret(name, Some(options)).await?.into_model()
            })
            .await;
        match answer {
            Ok(mut secret) => {
                let value = SecretString::from(secret.value.take().unwrap_or_default());
                Ok(Some((self.version(&Listed::of_secret(&secret))?, value)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All secrets, without values and versions, by name.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn list(&self) -> Result<Vec<SecretVersion>, Error> {
        let listed: Vec<SecretProperties> = self
            .read("list the secrets", || async {
                self.client.list_secret_properties(None)?.try_collect().await
            })
            .await?;
        let mut all = listed
            .iter()
            .map(|item| self.version(&Listed::of_properties(item)))
            .collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// All versions of a secret, newest first; none when there is no such secret.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn versions(&self, name: &str) -> Result<Vec<SecretVersion>, Error> {
        checked(name)?;
        let listed: Result<Vec<SecretProperties>, Error> = self
            .read(&format!("list the versions of {name}"), || async {
                self.client.list_secret_properties_versions(name, None)?.try_collect().await
            })
            .await;
        let listed = match listed {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            listed => listed?,
        };
        let mut all = listed
            .iter()
            .map(|item| self.version(&Listed::of_properties(item)))
            .collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|version| std::cmp::Reverse(version.created));
        Ok(all)
    }

    /// Deletes a secret; false when there was none.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        checked(name)?;
        match self.client.delete_secret(name, None).await {
            Ok(_) => Ok(true),
            Err(cause) => match self.told(&cause, &format!("delete the secret {name}")) {
                error if error.is_not_found() => Ok(false),
                error => Err(error),
            },
        }
    }

    /// The deleted secrets.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn deleted(&self) -> Result<Vec<DeletedSecret>, Error> {
        let listed: Vec<DeletedSecretProperties> = self
            .read("list the deleted secrets", || async {
                self.client.list_deleted_secret_properties(None)?.try_collect().await
            })
            .await?;
        let mut all: Vec<DeletedSecret> = listed
            .iter()
            .map(|item| {
                let id = item.id.as_deref().or(item.recovery_id.as_deref()).unwrap_or_default();
                DeletedSecret {
                    name: parts_of(id).0.to_string(),
                    deleted: item.deleted_date.and_then(moment),
                    purge_on: item.scheduled_purge_date.and_then(moment),
                }
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Brings a deleted secret back.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn recover(&self, name: &str) -> Result<(), Error> {
        checked(name)?;
        let answer = self.client.recover_deleted_secret(name, None).await;
        answer.map(drop).map_err(|cause| self.told(&cause, &format!("recover the secret {name}")))
    }

    /// Removes a deleted secret for good.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn purge(&self, name: &str) -> Result<(), Error> {
        checked(name)?;
        let answer = self.client.purge_deleted_secret(name, None).await;
        answer.map(drop).map_err(|cause| self.told(&cause, &format!("purge the secret {name}")))
    }

    async fn read<T, F>(&self, doing: &str, send: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = azure_core::Result<T>>,
    {
        let mut tries = 1;
        loop {
            let error = match send().await {
                Ok(value) => return Ok(value),
                Err(cause) => self.told(&cause, doing),
            };
            let again = matches!(error.class(), Class::Transient | Class::Throttled);
            let wait = error.retry_after().unwrap_or(Duration::from_millis(300 * u64::from(tries)));
            if !again || tries >= TRIES || wait > Duration::from_secs(30) {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    /// Brings what the client says into our own form.
    fn told(&self, cause: &azure_core::Error, doing: &str) -> Error {
        let title = format!("{doing} in {}", self.url);
        if let Some(error) = ours(cause) {
            return error;
        }
        if let ErrorKind::HttpResponse { status, raw_response: Some(response), .. } = cause.kind() {
            let mut headers = HeaderMap::new();
            for (name, value) in response.headers().iter() {
                if let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
                {
                    headers.insert(name, value);
                }
            }
            let id = headers.get("x-ms-request-id").and_then(|id| id.to_str().ok()).map(str::to_string);
            return Error::refused(u16::from(*status), response.body())
                .with_ids(id, None)
                .with_retry_after(retry_after(&headers, Timestamp::now()))
                .with_request(title);
        }
        let mut at: Option<&(dyn StdError + 'static)> = Some(cause);
        while let Some(error) = at {
            if error.is::<reqwest::Error>() {
                let cloud = &self.cloud;
                return Error::transport(&cloud.name, &self.url, cloud.unreachable.as_deref(), error)
                    .with_request(title);
            }
            at = error.source();
        }
        Error::unreadable(cause.to_string()).with_request(title)
    }

    fn version(&self, listed: &Listed<'_>) -> Result<SecretVersion, Error> {
        let (name, version) = parts_of(listed.id);
        if name.is_empty() {
            return Err(Error::unreadable(format!("{} answered with a secret that has no id", self.url)));
        }
        let attributes = listed.attributes.cloned().unwrap_or_default();
        Ok(SecretVersion {
            name: name.to_string(),
            version: version.to_string(),
            uri: listed.id.to_string(),
            enabled: attributes.enabled.unwrap_or(true),
            created: attributes.created.and_then(moment),
            updated: attributes.updated.and_then(moment),
            not_before: attributes.not_before.and_then(moment),
            expires: attributes.expires.and_then(moment),
            content_type: listed.content_type.cloned(),
            tags: listed.tags.cloned().unwrap_or_default().into_iter().collect(),
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What the client's two types for a secret have in common.
struct Listed<'a> {
    id: &'a str,
    attributes: Option<&'a SecretAttributes>,
    content_type: Option<&'a String>,
    tags: Option<&'a HashMap<String, String>>,
}

impl<'a> Listed<'a> {
    fn of_secret(secret: &'a Secret) -> Listed<'a> {
        Listed {
            id: secret.id.as_deref().unwrap_or_default(),
            attributes: secret.attributes.as_ref(),
            content_type: secret.content_type.as_ref(),
            tags: secret.tags.as_ref(),
        }
    }

    fn of_properties(secret: &'a SecretProperties) -> Listed<'a> {
        Listed {
            id: secret.id.as_deref().unwrap_or_default(),
            attributes: secret.attributes.as_ref(),
            content_type: secret.content_type.as_ref(),
            tags: secret.tags.as_ref(),
        }
    }
}

/// Name and version of `https://VAULT/secrets/NAME/VERSION`, or of the same below `deletedsecrets`.
fn parts_of(id: &str) -> (&str, &str) {
    let path = id.split_once("://").map_or(id, |(_, rest)| rest);
    let mut parts = path.split('/').filter(|part| !part.is_empty()).skip(2);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Secret names and versions go into the path as they are, so only those that can be are let through.
fn checked(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > 127 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Error::setup(format!(
            "`{name}` is no secret's name: it has 1 to 127 letters, digits and hyphens"
        )));
    }
    Ok(())
}

fn moment(at: azure_core::time::OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_secrets() {
        assert_eq!(parts_of("https://kv.vault.azure.net/secrets/key/v1"), ("key", "v1"));
        assert_eq!(parts_of("https://kv.vault.localhost:1/secrets/key"), ("key", ""));
        assert_eq!(parts_of("https://kv.vault.azure.net/deletedsecrets/key"), ("key", ""));
        assert_eq!(parts_of(""), ("", ""));
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        for bad in ["", "a/b", "..", "a?b", "a b", "ä", &"x".repeat(128)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert!(checked("db-Password-1").is_ok());
    }
}
