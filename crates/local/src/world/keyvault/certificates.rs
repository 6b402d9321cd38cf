//! Certificates of a vault, as far as they are imported: PFX or PEM with a private key, the secret behind each that
//! gives both back, soft delete. None is issued here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data::{page, permit_part};
use super::secrets::{self, Deleted, Secret, Version};
use super::{Event, after_days};
use crate::world::agenda::Event as Due;
use crate::world::arm::Resource;
use crate::world::arm::refusal::Refusal;
use crate::world::x509::{self, Form};
use crate::world::{Hidden, Method, Request, Response, World};

const PKCS12: &str = "application/x-pkcs12";
const PEM: &str = "application/x-pem-file";

/// A certificate with its versions. Its attributes are those of the secret behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// As created.
    pub name: String,
    /// Oldest first; never empty.
    pub versions: Vec<Issued>,
    /// How it is managed, as it was given or assumed.
    pub policy: Value,
    /// Soft-deleted.
    pub deleted: Option<Deleted>,
}

/// One version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// The same as its secret's.
    pub id: String,
    /// Base64 of its DER.
    pub cer: String,
    /// SHA-1, as the vault shows it.
    pub x5t: String,
}

/// What somebody does with certificates: data action and permission of an access policy.
type Rights = (&'static str, &'static str);
const GET: Rights = ("Microsoft.KeyVault/vaults/certificates/read", "get");
const LIST: Rights = ("Microsoft.KeyVault/vaults/certificates/read", "list");
const IMPORT: Rights = ("Microsoft.KeyVault/vaults/certificates/import/action", "import");
const UPDATE: Rights = ("Microsoft.KeyVault/vaults/certificates/update/action", "update");
const DELETE: Rights = ("Microsoft.KeyVault/vaults/certificates/delete", "delete");
const RECOVER: Rights = ("Microsoft.KeyVault/vaults/certificates/recover/action", "recover");
const PURGE: Rights = ("Microsoft.KeyVault/vaults/certificates/purge/action", "purge");

fn not_found(name: &str) -> Refusal {
    Refusal::missing(
        "CertificateNotFound",
        format!(
            "A certificate with (name/id) {name} was not found in this key vault. If you recently deleted this \
             certificate you may be able to recover it using the correct recovery command. For help resolving this \
             issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
        ),
    )
}

/// Answers `/certificates…` and `/deletedcertificates…`.
pub(super) fn serve(
    world: &mut World,
    vault: &Resource,
    oid: &str,
    request: &Request,
    segments: &[&str],
    body: &Value,
) -> Result<Response, Refusal> {
    let base = request.origin.as_str();
    let key = vault.id.name().to_ascii_lowercase();
    let name = segments.get(1).copied().unwrap_or_default();
    let may = |world: &World, rights: Rights| permit_part(world, vault, oid, rights, "certificates", name);
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (request.method, lower.as_slice()) {
        (Method::Get, ["certificates"]) => {
            may(world, LIST)?;
            let all = world.vaults.live.get(&key).into_iter().flat_map(|it| it.certificates.values());
            let found = all
                .filter(|it| it.deleted.is_none())
                .filter_map(|it| it.versions.last().map(|last| item(world, vault, base, it, last, false)))
                .collect();
            page(request, found)
        }
        (Method::Get, ["certificates", _, "versions"]) => {
            may(world, LIST)?;
            let found = find(world, &key, name)?;
            let versions = found.versions.iter().rev();
            let found = versions.map(|version| item(world, vault, base, found, version, true)).collect();
            page(request, found)
        }
        (Method::Post, ["certificates", _, "import"]) => {
            may(world, IMPORT)?;
            let id = import(world, vault, base, name, body)?;
            Ok(Response::json(200, &bundle(world, vault, base, find(world, &key, name)?, &id)))
        }
        (_, ["certificates", "contacts" | "issuers", ..])
        | (_, ["certificates", _, "create" | "pending" | "backup" | "restore", ..]) => Err(Refusal::new(
            501,
            "NotModelledLocally",
            "Local Azure imports certificates into a vault; it issues none.",
        )),
        (Method::Get, ["certificates", _, "policy"]) => {
            may(world, GET)?;
            let found = find(world, &key, name)?;
            Ok(Response::json(200, &policy(base, found)))
        }
        (Method::Get, ["certificates", _] | ["certificates", _, _]) => {
            may(world, GET)?;
            let found = find(world, &key, name)?;
            let id = version_of(found, segments.get(2).copied())?;
            Ok(Response::json(200, &bundle(world, vault, base, found, &id)))
        }
        (Method::Patch, ["certificates", _] | ["certificates", _, _]) => {
            may(world, UPDATE)?;
            let id = version_of(find(world, &key, name)?, segments.get(2).copied())?;
            secrets::update(world, &key, name, Some(&id), body)?;
            Ok(Response::json(200, &bundle(world, vault, base, find(world, &key, name)?, &id)))
        }
        (Method::Delete, ["certificates", _]) => {
            may(world, DELETE)?;
            delete(world, vault, &key, name)?;
            Ok(Response::json(200, &gone(world, vault, base, &key, name)))
        }
        (Method::Get, ["deletedcertificates"]) => {
            may(world, LIST)?;
            let all = world.vaults.live.get(&key).into_iter().flat_map(|it| it.certificates.values());
            let names: Vec<String> = all.filter(|it| visible(world, it)).map(|it| it.name.clone()).collect();
            page(request, names.iter().map(|name| gone(world, vault, base, &key, name)).collect())
        }
        (Method::Get, ["deletedcertificates", _]) => {
            may(world, GET)?;
            find_deleted(world, &key, name)?;
            Ok(Response::json(200, &gone(world, vault, base, &key, name)))
        }
        (Method::Post, ["deletedcertificates", _, "recover"]) => {
            may(world, RECOVER)?;
            find_deleted(world, &key, name)?;
            both(world, &key, name, |deleted| *deleted = None);
            let found = find(world, &key, name)?;
            let id = version_of(found, None)?;
            Ok(Response::json(200, &bundle(world, vault, base, found, &id)))
        }
        (Method::Delete, ["deletedcertificates", _]) => {
            may(world, PURGE)?;
            find_deleted(world, &key, name)?;
            if vault.properties()["enablePurgeProtection"] == true {
                return Err(Refusal::new(
                    403,
                    "Forbidden",
                    "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault \
                     service will automatically purge it after the retention period has passed.",
                ));
            }
            remove(world, &key, name);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "The vault does not take this method here.")),
    }
}

fn find<'a>(world: &'a World, vault: &str, name: &str) -> Result<&'a Certificate, Refusal> {
    let contents = world.vaults.live.get(vault);
    contents
        .and_then(|contents| contents.certificates.get(&name.to_ascii_lowercase()))
        .filter(|certificate| certificate.deleted.is_none())
        .ok_or_else(|| not_found(name))
}

fn visible(world: &World, certificate: &Certificate) -> bool {
    certificate.deleted.as_ref().is_some_and(|deleted| deleted.visible_from <= world.now)
}

fn find_deleted<'a>(world: &'a World, vault: &str, name: &str) -> Result<&'a Certificate, Refusal> {
    let contents = world.vaults.live.get(vault);
    contents
        .and_then(|contents| contents.certificates.get(&name.to_ascii_lowercase()))
        .filter(|certificate| visible(world, certificate))
        .ok_or_else(|| {
            Refusal::missing("CertificateNotFound", format!("Deleted Certificate not found: {name}"))
        })
}

fn version_of(certificate: &Certificate, version: Option<&str>) -> Result<String, Refusal> {
    let found = match version.filter(|version| !version.is_empty()) {
        None => certificate.versions.last(),
        Some(version) => certificate.versions.iter().find(|it| it.id.eq_ignore_ascii_case(version)),
    };
    found.map(|found| found.id.clone()).ok_or_else(|| not_found(&certificate.name))
}

fn import(
    world: &mut World,
    vault: &Resource,
    base: &str,
    name: &str,
    body: &Value,
) -> Result<String, Refusal> {
    let bad = |why: String| Refusal::bad("BadParameter", why);
    secrets::check_name(name)?;
    let (key, own) = (vault.id.name().to_ascii_lowercase(), name.to_ascii_lowercase());
    let now = world.now;
    if let Some(contents) = world.vaults.live.get(&key) {
        if let Some(there) = contents.certificates.get(&own) {
            secrets::free(&there.name, "Certificate", there.deleted.as_ref(), now)?;
        } else if let Some(secret) = contents.secrets.get(&own) {
            secrets::free(&secret.name, "Secret", secret.deleted.as_ref(), now)?;
            return Err(Refusal::conflict(
                "Conflict",
                format!("A secret with the name {name} exists: a certificate cannot take its place."),
            ));
        }
    }
    let value = body["value"].as_str().ok_or_else(|| bad("Property value is required.".into()))?;
    let read = x509::read(value, body["pwd"].as_str().unwrap_or_default()).map_err(|wrong| {
        bad(format!("The specified certificate content cannot be read: {}.", wrong.why()))
    })?;
    let wanted = body["policy"]["secret_props"]["contentType"].as_str().unwrap_or(PKCS12);
    let content_type = match (wanted, read.form) {
        (PEM, Form::Pem) => PEM,
        (PKCS12, Form::Pfx) => PKCS12,
        (PEM | PKCS12, _) => {
            return Err(bad(format!(
                "The specified certificate's content is not what its policy says: '{wanted}'. A PEM file needs the content type {PEM}, a PFX file {PKCS12}."
            )));
        }
        (other, _) => return Err(bad(format!("The content type '{other}' of the secret is not supported."))),
    };
    let secret = match read.form {
        Form::Pfx => STANDARD.encode(read.to_pfx()),
        Form::Pem if value.contains("-----BEGIN") => value.to_owned(),
        Form::Pem => {
            STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
        }
    };
    let facts = &read.facts;
    let id = world.chance.uuid(&format!("certificate {key}/{own}")).simple().to_string();
    let attributes = &body["attributes"];
    let tags: BTreeMap<String, String> = body["tags"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let version = Version {
        id: id.clone(),
        value: Hidden(secret),
        content_type: Some(content_type.to_owned()),
        tags,
        enabled: attributes["enabled"].as_bool().unwrap_or(true),
        nbf: Some(facts.from.as_second()),
        exp: Some(facts.until.as_second()),
        created: now,
        updated: now,
        key: Some(format!("{base}/keys/{name}/{id}")),
    };
    let issued = Issued {
        id: id.clone(),
        cer: STANDARD.encode(&read.leaf),
        x5t: URL_SAFE_NO_PAD.encode(&facts.thumbprint),
    };
    let mut key_props = json!({"exportable": true, "kty": facts.key_type, "reuse_key": false});
    if let Some(size) = facts.key_size {
        key_props["key_size"] = json!(size);
    }
    if let Some(curve) = facts.curve {
        key_props["crv"] = json!(curve);
    }
    let policy = json!({
        "key_props": key_props,
        "secret_props": {"contentType": content_type},
        "x509_props": {
            "subject": facts.subject, "sans": {"dns_names": facts.names},
            "validity_months": (facts.until.as_second() - facts.from.as_second()) / (30 * 86400),
            "ekus": [], "key_usage": [], "basic_constraints": {"ca": false},
        },
        // What is imported without a policy has an unknown issuer, and is told of by mail.
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}],
        "issuer": {"name": "Unknown"},
        "attributes": {"enabled": true, "created": now.as_second(), "updated": now.as_second()},
    });
    let contents = world.vaults.live.entry(key).or_default();
    contents
        .secrets
        .entry(own.clone())
        .or_insert_with(|| Secret { name: name.to_owned(), versions: Vec::new(), deleted: None })
        .versions
        .push(version);
    let certificate = contents.certificates.entry(own).or_insert_with(|| Certificate {
        name: name.to_owned(),
        versions: Vec::new(),
        policy: Value::Null,
        deleted: None,
    });
    certificate.policy = policy;
    certificate.versions.push(issued);
    Ok(id)
}

/// The secret's version behind a certificate's: where attributes and tags are.
fn behind<'a>(
    world: &'a World,
    vault: &Resource,
    certificate: &Certificate,
    id: &str,
) -> Option<&'a Version> {
    let contents = world.vaults.live.get(&vault.id.name().to_ascii_lowercase())?;
    let secret = contents.secrets.get(&certificate.name.to_ascii_lowercase())?;
    secret.versions.iter().find(|version| version.id == id)
}

fn item(
    world: &World,
    vault: &Resource,
    base: &str,
    certificate: &Certificate,
    version: &Issued,
    with_version: bool,
) -> Value {
    let mut id = format!("{base}/certificates/{}", certificate.name);
    if with_version {
        id = format!("{id}/{}", version.id);
    }
    let secret = behind(world, vault, certificate, &version.id);
    json!({
        "id": id,
        "x5t": version.x5t,
        "attributes": secret.map(|secret| secret.attributes(Some(vault))),
        "tags": secret.map(|secret| &secret.tags),
        "subject": certificate.policy["x509_props"]["subject"],
    })
}

fn policy(base: &str, certificate: &Certificate) -> Value {
    let mut policy = certificate.policy.clone();
    policy["id"] = json!(format!("{base}/certificates/{}/policy", certificate.name));
    policy
}

fn bundle(world: &World, vault: &Resource, base: &str, certificate: &Certificate, id: &str) -> Value {
    let name = &certificate.name;
    let Some(version) = certificate.versions.iter().find(|version| version.id == id) else {
        return Value::Null;
    };
    let secret = behind(world, vault, certificate, id);
    json!({
        "id": format!("{base}/certificates/{name}/{id}"),
        "kid": format!("{base}/keys/{name}/{id}"),
        "sid": format!("{base}/secrets/{name}/{id}"),
        "x5t": version.x5t,
        "cer": version.cer,
        "attributes": secret.map(|secret| secret.attributes(Some(vault))),
        "tags": secret.map(|secret| &secret.tags),
        "policy": policy(base, certificate),
    })
}

fn gone(world: &World, vault: &Resource, base: &str, key: &str, name: &str) -> Value {
    let contents = world.vaults.live.get(key);
    let Some(found) = contents.and_then(|it| it.certificates.get(&name.to_ascii_lowercase())) else {
        return Value::Null;
    };
    let last = found.versions.last().map(|last| last.id.clone()).unwrap_or_default();
    let mut shown = bundle(world, vault, base, found, &last);
    if let Some(deleted) = &found.deleted {
        shown["recoveryId"] = json!(format!("{base}/deletedcertificates/{}", found.name));
        shown["deletedDate"] = json!(deleted.at.as_second());
        shown["scheduledPurgeDate"] = json!(deleted.purged.as_second());
    }
    shown
}

/// Changes when a certificate and its secret were deleted.
fn both(world: &mut World, vault: &str, name: &str, change: impl Fn(&mut Option<Deleted>)) {
    let own = name.to_ascii_lowercase();
    let Some(contents) = world.vaults.live.get_mut(vault) else { return };
    if let Some(certificate) = contents.certificates.get_mut(&own) {
        change(&mut certificate.deleted);
    }
    if let Some(secret) = contents.secrets.get_mut(&own) {
        change(&mut secret.deleted);
    }
}

fn delete(world: &mut World, vault: &Resource, key: &str, name: &str) -> Result<(), Refusal> {
    find(world, key, name)?;
    let days = vault.properties()["softDeleteRetentionInDays"].as_i64().unwrap_or(90);
    let at = world.now;
    let visible_from = at.saturating_add(world.config.scaled(secrets::DELETE_SECONDS)).unwrap_or(at);
    let purged = after_days(at, days);
    both(world, key, name, |deleted| {
        *deleted = Some(Deleted { at, purged, visible_from, recovered: None });
    });
    let event = Event::CertificateRetention {
        vault: key.to_owned(),
        certificate: name.to_ascii_lowercase(),
        deleted: at,
    };
    world.agenda.add(purged, Due::Vault(event));
    Ok(())
}

fn remove(world: &mut World, vault: &str, name: &str) {
    let own = name.to_ascii_lowercase();
    if let Some(contents) = world.vaults.live.get_mut(vault) {
        contents.certificates.remove(&own);
        contents.secrets.remove(&own);
    }
}

/// A deleted certificate's retention is over.
pub(super) fn retention_over(world: &mut World, vault: &str, certificate: &str, deleted: Timestamp) {
    let contents = world.vaults.live.get(vault);
    let still = contents
        .and_then(|contents| contents.certificates.get(certificate))
        .and_then(|certificate| certificate.deleted.as_ref())
        .is_some_and(|it| it.at == deleted);
    if still {
        remove(world, vault, certificate);
    }
}
