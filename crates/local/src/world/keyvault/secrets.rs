//! What vaults hold: secrets with their versions, deleted and not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::certificates::Certificate;
use super::{Event, after_days, by_name};
use crate::world::agenda::Event as Due;
use crate::world::arm::Resource;
use crate::world::arm::refusal::Refusal;
use crate::world::{Hidden, World};

/// Longest value of a secret.
const VALUE_MAX: usize = 25 * 1024;
/// How long a deletion takes until the deleted secret can be seen, in seconds at speed 1.
pub(super) const DELETE_SECONDS: f64 = 3.0;

/// One vault's contents.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Contents {
    /// By lower-case name.
    pub secrets: BTreeMap<String, Secret>,
    /// By lower-case name.
    #[serde(default)]
    pub certificates: BTreeMap<String, Certificate>,
    /// By lower-case name.
    #[serde(default)]
    pub keys: BTreeMap<String, super::keys::Stored>,
    /// Certificates that are being issued, by lower-case name.
    #[serde(default)]
    pub pending: BTreeMap<String, super::issuance::Pending>,
    /// Issuers by lower-case name, as sent.
    #[serde(default)]
    pub issuers: BTreeMap<String, Value>,
    /// Whom the vault tells about its certificates, as sent.
    #[serde(default)]
    pub contacts: Value,
}

/// A secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// As created.
    pub name: String,
    /// Oldest first; never empty.
    pub versions: Vec<Version>,
    /// Soft-deleted.
    pub deleted: Option<Deleted>,
}

/// A soft-deleted secret's dates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Deleted {
    pub at: Timestamp,
    pub purged: Timestamp,
    pub visible_from: Timestamp,
    /// Somebody recovers it: it is there again from then on.
    #[serde(default)]
    pub recovered: Option<Timestamp>,
}

/// One version of a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// 32 hex digits.
    pub id: String,
    /// The secret itself.
    pub value: Hidden,
    /// As sent.
    pub content_type: Option<String>,
    /// As sent.
    pub tags: BTreeMap<String, String>,
    /// May be read.
    pub enabled: bool,
    /// Not before, Unix seconds.
    pub nbf: Option<i64>,
    /// Expiry, Unix seconds.
    pub exp: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed.
    pub updated: Timestamp,
    /// The key of the certificate that it belongs to: such a secret is changed with its certificate only.
    #[serde(default)]
    pub key: Option<String>,
}

impl Version {
    /// `attributes` as the vault shows them.
    pub fn attributes(&self, vault: Option<&Resource>) -> Value {
        let (nbf, exp) = (self.nbf, self.exp);
        shown_attributes(self.enabled, nbf, exp, self.created, self.updated, vault)
    }
}

/// `attributes` of a secret, a certificate or a key.
pub(super) fn shown_attributes(
    enabled: bool,
    nbf: Option<i64>,
    exp: Option<i64>,
    created: Timestamp,
    updated: Timestamp,
    vault: Option<&Resource>,
) -> Value {
    let properties = vault.map(|vault| vault.properties().clone()).unwrap_or_default();
    let days = properties["softDeleteRetentionInDays"].as_i64().unwrap_or(90);
    let level = match (days, properties["enablePurgeProtection"] == true) {
        (90, false) => "Recoverable+Purgeable",
        (90, true) => "Recoverable",
        (_, false) => "CustomizedRecoverable+Purgeable",
        (_, true) => "CustomizedRecoverable",
    };
    let mut shown = json!({"enabled": enabled});
    if let Some(nbf) = nbf {
        shown["nbf"] = json!(nbf);
    }
    if let Some(exp) = exp {
        shown["exp"] = json!(exp);
    }
    shown["created"] = json!(created.as_second());
    shown["updated"] = json!(updated.as_second());
    shown["recoveryLevel"] = json!(level);
    shown["recoverableDays"] = json!(days);
    shown
}

fn contents<'a>(world: &'a mut World, vault: &str) -> &'a mut Contents {
    world.vaults.live.entry(vault.to_owned()).or_default()
}

/// `SecretNotFound` in Key Vault's words.
pub fn not_found(name: &str) -> Refusal {
    Refusal::missing(
        "SecretNotFound",
        format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you \
             may be able to recover it using the correct recovery command. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125182"
        ),
    )
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadParameter", message)
}

/// The parts of a secret that a client may send.
pub(super) struct Sent {
    content_type: Option<String>,
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) enabled: Option<bool>,
    pub(super) nbf: Option<i64>,
    pub(super) exp: Option<i64>,
}

pub(super) fn read_sent(body: &Value) -> Result<Sent, Refusal> {
    let wrong = |name: &str| bad(format!("The request body has an invalid value for '{name}'."));
    let tags = match &body["tags"] {
        Value::Null => None,
        Value::Object(map) => Some(
            map.iter()
                .map(|(key, value)| match value.as_str() {
                    Some(value) if key.chars().count() <= 256 && value.chars().count() <= 256 => {
                        Ok((key.clone(), value.to_owned()))
                    }
                    _ => Err(wrong("tags")),
                })
                .collect::<Result<BTreeMap<_, _>, _>>()?,
        ),
        _ => return Err(wrong("tags")),
    };
    if tags.as_ref().is_some_and(|tags| tags.len() > 15) {
        return Err(bad("A secret can have at most 15 tags."));
    }
    let attributes = &body["attributes"];
    let number = |name: &str| match &attributes[name] {
        Value::Null => Ok(None),
        value => value.as_i64().map(Some).ok_or_else(|| wrong(name)),
    };
    let enabled = match &attributes["enabled"] {
        Value::Null => None,
        value => Some(value.as_bool().ok_or_else(|| wrong("enabled"))?),
    };
    let (nbf, exp) = (number("nbf")?, number("exp")?);
    if let (Some(nbf), Some(exp)) = (nbf, exp)
        && nbf >= exp
    {
        return Err(bad("The expiration time must be later than the activation time."));
    }
    let content_type = match &body["contentType"] {
        Value::Null => None,
        value => {
            Some(value.as_str().filter(|it| it.len() <= 255).ok_or_else(|| wrong("contentType"))?.to_owned())
        }
    };
    Ok(Sent { content_type, tags, enabled, nbf, exp })
}

/// Makes a new version of a secret, and the secret when it is new; returns the version's id.
pub fn set(world: &mut World, vault: &str, name: &str, body: &Value) -> Result<String, Refusal> {
    check_name(name)?;
    let value =
        body["value"].as_str().ok_or_else(|| bad("Value is required: the property 'value' is missing."))?;
    if value.len() > VALUE_MAX {
        return Err(bad(format!("The secret value exceeds the maximum length of {VALUE_MAX} bytes.")));
    }
    let sent = read_sent(body)?;
    let key = name.to_ascii_lowercase();
    let now = world.now;
    let id = world.chance.uuid(&format!("secret {vault}/{key}")).simple().to_string();
    let contents = contents(world, vault);
    if let Some(secret) = contents.secrets.get(&key) {
        free(&secret.name, "Secret", secret.deleted.as_ref(), now)?;
        managed(secret, "set")?;
    }
    let version = Version {
        id: id.clone(),
        value: Hidden(value.to_owned()),
        content_type: sent.content_type,
        tags: sent.tags.unwrap_or_default(),
        enabled: sent.enabled.unwrap_or(true),
        nbf: sent.nbf,
        exp: sent.exp,
        created: now,
        updated: now,
        key: None,
    };
    contents
        .secrets
        .entry(key)
        .or_insert_with(|| Secret { name: name.to_owned(), versions: Vec::new(), deleted: None })
        .versions
        .push(version);
    Ok(id)
}

/// Refuses a name that something deleted still has.
pub(super) fn free(name: &str, what: &str, deleted: Option<&Deleted>, now: Timestamp) -> Result<(), Refusal> {
    let Some(deleted) = deleted else { return Ok(()) };
    let (message, code) = if deleted.recovered.is_some() {
        (format!("{what} {name} is currently being recovered."), "ObjectIsBeingRecovered")
    } else if deleted.visible_from > now {
        (format!("{what} {name} is currently being deleted."), "ObjectIsBeingDeleted")
    } else {
        let text = format!(
            "{what} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this \
             state, the {} can only be recovered or purged.",
            what.to_ascii_lowercase()
        );
        (text, "ObjectIsDeletedButRecoverable")
    };
    Err(Refusal::conflict("Conflict", message).at(code))
}

/// Refuses to change a certificate's secret by itself.
fn managed(secret: &Secret, verb: &str) -> Result<(), Refusal> {
    if secret.versions.last().is_none_or(|last| last.key.is_none()) {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "Forbidden",
        format!(
            "Operation {verb} is not allowed on the secret {}: it is managed by the certificate of the same name.",
            secret.name
        ),
    ))
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=127).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        return Ok(());
    }
    Err(bad(format!(
        "The request URI contains an invalid name: {name}. Names have 1 to 127 letters, digits and hyphens."
    )))
}

/// A version, the last one without `version`; disabled ones are refused.
pub fn read<'a>(
    world: &'a World,
    vault: &str,
    name: &str,
    version: Option<&str>,
) -> Result<&'a Version, Refusal> {
    let found = find(world, vault, name, version)?;
    if !found.enabled {
        return Err(Refusal::new(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
            .at("SecretDisabled"));
    }
    Ok(found)
}

/// The same, disabled or not.
pub fn find<'a>(
    world: &'a World,
    vault: &str,
    name: &str,
    version: Option<&str>,
) -> Result<&'a Version, Refusal> {
    let secret = world
        .vaults
        .live
        .get(vault)
        .and_then(|contents| contents.secrets.get(&name.to_ascii_lowercase()))
        .filter(|secret| secret.deleted.is_none())
        .ok_or_else(|| not_found(name))?;
    match version {
        None => secret.versions.last(),
        Some(version) => secret.versions.iter().find(|it| it.id.eq_ignore_ascii_case(version)),
    }
    .ok_or_else(|| not_found(&format!("{name}/{}", version.unwrap_or_default())))
}

/// Changes attributes, tags and content type of a version; returns its id.
pub fn update(
    world: &mut World,
    vault: &str,
    name: &str,
    version: Option<&str>,
    body: &Value,
) -> Result<String, Refusal> {
    let id = find(world, vault, name, version)?.id.clone();
    let sent = read_sent(body)?;
    let now = world.now;
    let found = contents(world, vault)
        .secrets
        .get_mut(&name.to_ascii_lowercase())
        .and_then(|secret| secret.versions.iter_mut().find(|it| it.id == id))
        .ok_or_else(|| not_found(name))?;
    if let Some(kind) = sent.content_type {
        found.content_type = Some(kind);
    }
    if let Some(tags) = sent.tags {
        found.tags = tags;
    }
    if let Some(enabled) = sent.enabled {
        found.enabled = enabled;
    }
    found.nbf = sent.nbf.or(found.nbf);
    found.exp = sent.exp.or(found.exp);
    found.updated = now;
    Ok(id)
}

/// Soft-deletes a secret.
pub fn delete(world: &mut World, vault: &str, name: &str) -> Result<(), Refusal> {
    find(world, vault, name, None)?;
    if let Some(secret) = contents(world, vault).secrets.get(&name.to_ascii_lowercase()) {
        managed(secret, "delete")?;
    }
    let days = by_name(world, vault)
        .and_then(|vault| vault.properties()["softDeleteRetentionInDays"].as_i64())
        .unwrap_or(90);
    let (at, key) = (world.now, name.to_ascii_lowercase());
    let purged = after_days(at, days);
    let visible_from = at.saturating_add(world.config.scaled(DELETE_SECONDS)).unwrap_or(at);
    if let Some(secret) = contents(world, vault).secrets.get_mut(&key) {
        secret.deleted = Some(Deleted { at, purged, visible_from, recovered: None });
    }
    let event = Event::SecretRetention { vault: vault.to_owned(), secret: key, deleted: at };
    world.agenda.add(purged, Due::Vault(event));
    Ok(())
}

/// A deleted secret that can be seen by now.
pub fn find_deleted<'a>(world: &'a World, vault: &str, name: &str) -> Result<&'a Secret, Refusal> {
    world
        .vaults
        .live
        .get(vault)
        .and_then(|contents| contents.secrets.get(&name.to_ascii_lowercase()))
        .filter(|secret| secret.deleted.as_ref().is_some_and(|deleted| deleted.visible_from <= world.now))
        .ok_or_else(|| {
            Refusal::missing(
                "SecretNotFound",
                format!(
                    "Deleted Secret not found: {name}. It is not deleted, or its deletion has not ended."
                ),
            )
        })
}

/// Takes a deleted secret back: it is there after a moment.
pub fn recover(world: &mut World, vault: &str, name: &str) -> Result<(), Refusal> {
    let secret = find_deleted(world, vault, name)?;
    free_to_change(&secret.name, secret.deleted.as_ref())?;
    let back = world.now.saturating_add(world.config.scaled(DELETE_SECONDS)).unwrap_or(world.now);
    let (at, key) = (world.now, name.to_ascii_lowercase());
    if let Some(secret) = contents(world, vault).secrets.get_mut(&key) {
        if back <= at {
            secret.deleted = None;
        } else if let Some(deleted) = &mut secret.deleted {
            deleted.recovered = Some(back);
            world
                .agenda
                .add(back, Due::Vault(Event::SecretRecovered { vault: vault.to_owned(), secret: key }));
        }
    }
    Ok(())
}

/// Refuses to purge or recover what is being recovered.
fn free_to_change(name: &str, deleted: Option<&Deleted>) -> Result<(), Refusal> {
    if deleted.is_some_and(|deleted| deleted.recovered.is_some()) {
        return Err(Refusal::conflict("Conflict", format!("Secret {name} is currently being recovered."))
            .at("ObjectIsBeingRecovered"));
    }
    Ok(())
}

/// The last version of a secret, deleted or not.
pub fn last<'a>(world: &'a World, vault: &str, name: &str) -> Option<&'a Version> {
    world.vaults.live.get(vault)?.secrets.get(&name.to_ascii_lowercase())?.versions.last()
}

/// Removes a deleted secret for good.
pub fn purge(world: &mut World, vault: &str, name: &str) -> Result<(), Refusal> {
    let secret = find_deleted(world, vault, name)?;
    free_to_change(&secret.name, secret.deleted.as_ref())?;
    if let Some(vault) = by_name(world, vault) {
        super::data::purge_is_allowed(vault)?;
    }
    contents(world, vault).secrets.remove(&name.to_ascii_lowercase());
    Ok(())
}
