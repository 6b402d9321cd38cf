//! Certificates of a vault: imported as PFX or PEM with a private key, or issued by [`issuance`]; the key and the
//! secret behind each, soft delete.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data::{page, permit_part, purge_is_allowed};
use super::secrets::{self, Deleted, Secret, Version};
use super::{Event, after_days, issuance, keys};
use crate::world::agenda::Event as Due;
use crate::world::arm::Resource;
use crate::world::arm::refusal::Refusal;
use crate::world::crypto::Key;
use crate::world::x509::{self, Bundle, Form};
use crate::world::{Hidden, Method, Request, Response, World};

pub(super) const PKCS12: &str = "application/x-pkcs12";
pub(super) const PEM: &str = "application/x-pem-file";

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
const CREATE: Rights = ("Microsoft.KeyVault/vaults/certificates/create/action", "create");
const BACKUP: Rights = ("Microsoft.KeyVault/vaults/certificates/backup/action", "backup");
const RESTORE: Rights = ("Microsoft.KeyVault/vaults/certificates/restore/action", "restore");
const GET_ISSUERS: Rights = ("Microsoft.KeyVault/vaults/certificatecas/read", "getissuers");
const SET_ISSUERS: Rights = ("Microsoft.KeyVault/vaults/certificatecas/write", "setissuers");
const DELETE_ISSUERS: Rights = ("Microsoft.KeyVault/vaults/certificatecas/delete", "deleteissuers");
const CONTACTS: Rights = ("Microsoft.KeyVault/vaults/certificatecontacts/write", "managecontacts");
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
            let id = import(world, vault, name, body)?;
            Ok(Response::json(200, &bundle(world, vault, base, find(world, &key, name)?, &id)))
        }
        (Method::Post, ["certificates", "restore"]) => {
            permit_part(world, vault, oid, RESTORE, "certificates", "")?;
            let name = restore(world, &key, body)?;
            let found = find(world, &key, &name)?;
            Ok(Response::json(200, &bundle(world, vault, base, found, &version_of(found, None)?)))
        }
        (Method::Post, ["certificates", _, "backup"]) => {
            may(world, BACKUP)?;
            find(world, &key, name)?;
            Ok(Response::json(200, &json!({"value": backup(world, &key, name)})))
        }
        (Method::Get, ["certificates", "contacts"]) => {
            permit_part(world, vault, oid, CONTACTS, "certificates", "")?;
            match world.vaults.live.get(&key).map(|it| it.contacts.clone()).filter(Value::is_array) {
                Some(list) => Ok(Response::json(200, &contacts(base, &list))),
                None => Err(Refusal::missing("ContactsNotFound", "Contacts not found")),
            }
        }
        (Method::Put | Method::Delete, ["certificates", "contacts"]) => {
            permit_part(world, vault, oid, CONTACTS, "certificates", "")?;
            let kept = world.vaults.live.entry(key).or_default();
            let put = request.method == Method::Put;
            let sent = if put { body["contacts"].clone() } else { Value::Null };
            let before = std::mem::replace(&mut kept.contacts, sent.clone());
            Ok(Response::json(200, &contacts(base, if put { &sent } else { &before })))
        }
        (Method::Get, ["certificates", "issuers"]) => {
            permit_part(
                world,
                vault,
                oid,
                ("Microsoft.KeyVault/vaults/certificatecas/read", "listissuers"),
                "certificates",
                "",
            )?;
            let all = world.vaults.live.get(&key).into_iter().flat_map(|it| it.issuers.iter());
            let items = all.map(|(name, it)| {
                json!({"id": format!("{base}/certificates/issuers/{name}"), "provider": it["provider"]})
            });
            page(request, items.collect())
        }
        (method, ["certificates", "issuers", _]) => {
            let rights = match method {
                Method::Get => GET_ISSUERS,
                Method::Delete => DELETE_ISSUERS,
                _ => SET_ISSUERS,
            };
            permit_part(world, vault, oid, rights, "certificates", "")?;
            issuer(world, &key, base, method, segments[2], body)
        }
        (Method::Post, ["certificates", _, "create"]) => {
            may(world, CREATE)?;
            secrets::check_name(name)?;
            must_be_free(world, &key, name)?;
            issuance::begin(world, vault, name, body)?;
            let pending = issuance::find(world, &key, name)?;
            let version = request.query("api-version").unwrap_or_default();
            let location = format!(
                "{base}/certificates/{name}/pending?api-version={version}&request_id={}",
                pending.request
            );
            let answer = issuance::show(base, pending);
            Ok(Response::json(202, &answer).with("location", location).with("retry-after", "1"))
        }
        (Method::Get, ["certificates", _, "pending"]) => {
            may(world, GET)?;
            Ok(Response::json(200, &issuance::show(base, issuance::find(world, &key, name)?)))
        }
        (Method::Patch, ["certificates", _, "pending"]) => {
            may(world, UPDATE)?;
            issuance::cancel(world, &key, name)?;
            Ok(Response::json(200, &issuance::show(base, issuance::find(world, &key, name)?)))
        }
        (Method::Delete, ["certificates", _, "pending"]) => {
            may(world, DELETE)?;
            let shown = issuance::show(base, issuance::find(world, &key, name)?);
            if let Some(contents) = world.vaults.live.get_mut(&key) {
                contents.pending.remove(&name.to_ascii_lowercase());
            }
            Ok(Response::json(200, &shown))
        }
        (Method::Post, ["certificates", _, "pending", "merge"]) => {
            may(world, CREATE)?;
            issuance::merge(world, &key, name, body)?;
            let found = find(world, &key, name)?;
            let id = version_of(found, None)?;
            Ok(Response::json(201, &bundle(world, vault, base, found, &id)))
        }
        (Method::Patch, ["certificates", _, "policy"]) => {
            may(world, UPDATE)?;
            find(world, &key, name)?;
            let contents = world.vaults.live.get_mut(&key);
            if let Some(found) = contents.and_then(|it| it.certificates.get_mut(&name.to_ascii_lowercase())) {
                let mut sent = body.clone();
                crate::world::arm::take(&mut sent, "id");
                crate::world::arm::merge(&mut found.policy, &sent);
            }
            Ok(Response::json(200, &policy(base, find(world, &key, name)?)))
        }
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
            purge_is_allowed(vault)?;
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

/// Refuses a name that something deleted, or a secret or key of its own, has.
fn must_be_free(world: &World, vault: &str, name: &str) -> Result<(), Refusal> {
    let Some(contents) = world.vaults.live.get(vault) else { return Ok(()) };
    let own = name.to_ascii_lowercase();
    if let Some(there) = contents.certificates.get(&own) {
        return secrets::free(&there.name, "Certificate", there.deleted.as_ref(), world.now);
    }
    let other = |what: &str| {
        let message = format!("A {what} with the name {name} exists: a certificate cannot take its place.");
        Err(Refusal::conflict("Conflict", message))
    };
    if let Some(secret) = contents.secrets.get(&own) {
        secrets::free(&secret.name, "Secret", secret.deleted.as_ref(), world.now)?;
        return other("secret");
    }
    if let Some(key) = contents.keys.get(&own) {
        secrets::free(&key.name, "Key", key.deleted.as_ref(), world.now)?;
        return other("key");
    }
    Ok(())
}

fn import(world: &mut World, vault: &Resource, name: &str, body: &Value) -> Result<String, Refusal> {
    let bad = |why: String| Refusal::bad("BadParameter", why);
    secrets::check_name(name)?;
    let key = vault.id.name().to_ascii_lowercase();
    must_be_free(world, &key, name)?;
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
    let sent = secrets::read_sent(body)?;
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
    });
    let new = New {
        name,
        bundle: &read,
        value: secret,
        policy,
        tags: sent.tags.unwrap_or_default(),
        enabled: sent.enabled.unwrap_or(true),
    };
    Ok(store(world, &key, new))
}

/// A version of a certificate that comes to be.
pub(super) struct New<'a> {
    pub(super) name: &'a str,
    pub(super) bundle: &'a Bundle,
    /// What its secret gives.
    pub(super) value: String,
    pub(super) policy: Value,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) enabled: bool,
}

/// Keeps a new version with the secret and the key behind it; returns the id of all three.
pub(super) fn store(world: &mut World, vault: &str, new: New) -> String {
    let New { name, bundle, value, mut policy, tags, enabled } = new;
    let own = name.to_ascii_lowercase();
    let now = world.now;
    let id = world.chance.uuid(&format!("certificate {vault}/{own}")).simple().to_string();
    let facts = &bundle.facts;
    let (nbf, exp) = (Some(facts.from.as_second()), Some(facts.until.as_second()));
    let kid = format!("{}/keys/{name}/{id}", super::uri(world, vault));
    let version = Version {
        id: id.clone(),
        value: Hidden(value),
        content_type: policy["secret_props"]["contentType"].as_str().map(str::to_owned),
        tags: tags.clone(),
        enabled,
        nbf,
        exp,
        created: now,
        updated: now,
        key: Some(kid),
    };
    if let Some(key) = Key::of_kept(&bundle.key) {
        let operations: &[&str] = match key.curve() {
            None => &["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"],
            Some(_) => &["sign", "verify"],
        };
        let version = keys::Version {
            id: id.clone(),
            key: bundle.key.clone(),
            kind: policy["key_props"]["kty"].as_str().unwrap_or(facts.key_type).to_owned(),
            public: key.jwk(),
            operations: operations.iter().map(|it| (*it).to_owned()).collect(),
            tags,
            enabled,
            nbf,
            exp,
            created: now,
            updated: now,
            managed: true,
        };
        keys::push(world, vault, name, version);
    }
    let issued = Issued {
        id: id.clone(),
        cer: STANDARD.encode(&bundle.leaf),
        x5t: URL_SAFE_NO_PAD.encode(&facts.thumbprint),
    };
    policy["attributes"] = json!({"enabled": true, "created": now.as_second(), "updated": now.as_second()});
    let contents = world.vaults.live.entry(vault.to_owned()).or_default();
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
    id
}

/// What a backup holds: all three, as they are kept.
fn backup(world: &World, vault: &str, name: &str) -> String {
    let own = name.to_ascii_lowercase();
    let contents = world.vaults.live.get(vault);
    let whole = contents.map(|it| (it.certificates.get(&own), it.secrets.get(&own), it.keys.get(&own)));
    URL_SAFE_NO_PAD.encode(serde_json::to_string(&whole).unwrap_or_default())
}

fn restore(world: &mut World, vault: &str, body: &Value) -> Result<String, Refusal> {
    let bad = || Refusal::bad("BadParameter", "Backup blob contains invalid or corrupt data.");
    let blob = body["value"].as_str().ok_or_else(bad)?;
    let bytes = URL_SAFE_NO_PAD.decode(blob.trim_end_matches('=')).map_err(|_| bad())?;
    let (certificate, secret, key): (Certificate, Secret, Option<keys::Stored>) =
        serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let (name, own) = (certificate.name.clone(), certificate.name.to_ascii_lowercase());
    must_be_free(world, vault, &name)?;
    let contents = world.vaults.live.entry(vault.to_owned()).or_default();
    if contents.certificates.contains_key(&own) {
        let message = format!("A certificate with the name {name} already exists.");
        return Err(Refusal::conflict("Conflict", message));
    }
    contents.certificates.insert(own.clone(), certificate);
    contents.secrets.insert(own.clone(), secret);
    if let Some(key) = key {
        contents.keys.insert(own, key);
    }
    Ok(name)
}

fn contacts(base: &str, list: &Value) -> Value {
    json!({"id": format!("{base}/certificates/contacts"), "contacts": list})
}

/// `/certificates/issuers/NAME`: kept, though none of them issues anything here.
fn issuer(
    world: &mut World,
    vault: &str,
    base: &str,
    method: Method,
    name: &str,
    body: &Value,
) -> Result<Response, Refusal> {
    let missing = || Refusal::missing("CertificateIssuerNotFound", format!("Issuer not found: {name}"));
    let show = |kept: &Value| {
        let mut shown = kept.clone();
        crate::world::arm::take(&mut shown, "credentials.pwd");
        shown["id"] = json!(format!("{base}/certificates/issuers/{name}"));
        Response::json(200, &shown)
    };
    let now = world.now.as_second();
    let issuers = &mut world.vaults.live.entry(vault.to_owned()).or_default().issuers;
    let own = name.to_ascii_lowercase();
    match method {
        Method::Get => issuers.get(&own).map(show).ok_or_else(missing),
        Method::Delete => issuers.remove(&own).map(|kept| show(&kept)).ok_or_else(missing),
        Method::Put => {
            if body["provider"].as_str().is_none_or(str::is_empty) {
                return Err(Refusal::bad("BadParameter", "Property provider is required."));
            }
            let mut kept = body.clone();
            kept["attributes"] = json!({"enabled": true, "created": now, "updated": now});
            issuers.insert(own, kept.clone());
            Ok(show(&kept))
        }
        _ => {
            let kept = issuers.get_mut(&own).ok_or_else(missing)?;
            crate::world::arm::merge(kept, body);
            kept["attributes"]["updated"] = json!(now);
            Ok(show(kept))
        }
    }
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

/// Changes when a certificate, its secret and its key were deleted.
fn both(world: &mut World, vault: &str, name: &str, change: impl Fn(&mut Option<Deleted>)) {
    let own = name.to_ascii_lowercase();
    let Some(contents) = world.vaults.live.get_mut(vault) else { return };
    if let Some(certificate) = contents.certificates.get_mut(&own) {
        change(&mut certificate.deleted);
    }
    if let Some(secret) = contents.secrets.get_mut(&own) {
        change(&mut secret.deleted);
    }
    if let Some(key) = contents.keys.get_mut(&own) {
        change(&mut key.deleted);
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
        contents.keys.remove(&own);
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
