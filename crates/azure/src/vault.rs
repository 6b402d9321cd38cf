//! Key Vault secrets.

use crate::cloud::Cloud;
use crate::credential::Credential;
use crate::error::Error;
use jiff::Timestamp;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// The secrets of one vault.
#[derive(Clone, Debug)]
pub struct Vault {}

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
    /// When the cloud's CA cannot be used.
    pub fn new(cloud: &Cloud, credential: Credential, name: &str) -> Result<Vault, Error> {
        let _ = (cloud, credential, name);
        Ok(Vault {})
    }
    /// The vault's address.
    pub fn url(&self) -> &str {
        ""
    }
    /// Sets a secret, which makes a new version.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn set(
        &self,
        name: &str,
        value: &SecretString,
        tags: &BTreeMap<String, String>,
    ) -> Result<SecretVersion, Error> {
        let _ = (name, value, tags);
        Err(Error::setup("not yet".into()))
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
        let _ = (name, version);
        Ok(None)
    }
    /// All secrets, without values and versions.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn list(&self) -> Result<Vec<SecretVersion>, Error> {
        Ok(Vec::new())
    }
    /// All versions of a secret, newest first.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn versions(&self, name: &str) -> Result<Vec<SecretVersion>, Error> {
        let _ = name;
        Ok(Vec::new())
    }
    /// Deletes a secret; false when there was none.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        let _ = name;
        Ok(false)
    }
    /// The deleted secrets.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn deleted(&self) -> Result<Vec<DeletedSecret>, Error> {
        Ok(Vec::new())
    }
    /// Brings a deleted secret back.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn recover(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        Ok(())
    }
    /// Removes a deleted secret for good.
    ///
    /// # Errors
    /// What the vault refused.
    pub async fn purge(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        Ok(())
    }
}
