//! Keys of a vault: made or imported, with versions, and used without leaving it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data::{page, permit_part, purge_is_allowed};
use super::secrets::{self, Deleted};
use super::{Event, after_days};
use crate::world::agenda::Event as Due;
use crate::world::arm::Resource;
use crate::world::arm::refusal::Refusal;
use crate::world::crypto::{self, CURVES, Key};
use crate::world::{Hidden, Method, Request, Response, World};

/// A key with its versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    /// As created.
    pub name: String,
    /// Oldest first; never empty.
    pub versions: Vec<Version>,
    /// When it is to be rotated, as it was sent.
    pub rotation: Value,
    /// Soft-deleted.
    pub deleted: Option<Deleted>,
}

/// One version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// 32 hex digits.
    pub id: String,
    /// The private key.
    pub key: Hidden,
    /// `RSA`, `EC` and the same with `-HSM`.
    pub kind: String,
    /// The public members of its JSON Web Key.
    pub public: Value,
    /// What it may be used for.
    pub operations: Vec<String>,
    /// As sent.
    pub tags: BTreeMap<String, String>,
    /// May be used.
    pub enabled: bool,
    /// Not before, Unix seconds.
    pub nbf: Option<i64>,
    /// Expiry, Unix seconds.
    pub exp: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed.
    pub updated: Timestamp,
    /// It belongs to the certificate of the same name.
    pub managed: bool,
}

/// Data action and permission of an access policy.
type Rights = (&'static str, &'static str);
const GET: Rights = ("Microsoft.KeyVault/vaults/keys/read", "get");
const LIST: Rights = ("Microsoft.KeyVault/vaults/keys/read", "list");
const CREATE: Rights = ("Microsoft.KeyVault/vaults/keys/create/action", "create");
const IMPORT: Rights = ("Microsoft.KeyVault/vaults/keys/import/action", "import");
const UPDATE: Rights = ("Microsoft.KeyVault/vaults/keys/update/action", "update");
const DELETE: Rights = ("Microsoft.KeyVault/vaults/keys/delete", "delete");
const RECOVER: Rights = ("Microsoft.KeyVault/vaults/keys/recover/action", "recover");
const PURGE: Rights = ("Microsoft.KeyVault/vaults/keys/purge/action", "purge");
const BACKUP: Rights = ("Microsoft.KeyVault/vaults/keys/backup/action", "backup");
const RESTORE: Rights = ("Microsoft.KeyVault/vaults/keys/restore/action", "restore");
const ROTATE: Rights = ("Microsoft.KeyVault/vaults/keys/rotate/action", "rotate");
const GET_ROTATION: Rights = ("Microsoft.KeyVault/vaults/keyrotationpolicies/read", "getrotationpolicy");
const SET_ROTATION: Rights = ("Microsoft.KeyVault/vaults/keyrotationpolicies/write", "setrotationpolicy");

/// What a key is used for.
struct Use {
    /// In the path, lower case.
    path: &'static str,
    /// In `key_ops`.
    operation: &'static str,
    rights: Rights,
    /// Works outside the key's time too, so that what it sealed can be opened.
    any_time: bool,
}

const USES: &[Use] = &[
    Use {
        path: "sign",
        operation: "sign",
        rights: ("Microsoft.KeyVault/vaults/keys/sign/action", "sign"),
        any_time: false,
    },
    Use {
        path: "verify",
        operation: "verify",
        rights: ("Microsoft.KeyVault/vaults/keys/verify/action", "verify"),
        any_time: true,
    },
    Use {
        path: "encrypt",
        operation: "encrypt",
        rights: ("Microsoft.KeyVault/vaults/keys/encrypt/action", "encrypt"),
        any_time: false,
    },
    Use {
        path: "decrypt",
        operation: "decrypt",
        rights: ("Microsoft.KeyVault/vaults/keys/decrypt/action", "decrypt"),
        any_time: true,
    },
    Use {
        path: "wrapkey",
        operation: "wrapKey",
        rights: ("Microsoft.KeyVault/vaults/keys/wrap/action", "wrapkey"),
        any_time: false,
    },
    Use {
        path: "unwrapkey",
        operation: "unwrapKey",
        rights: ("Microsoft.KeyVault/vaults/keys/unwrap/action", "unwrapkey"),
        any_time: true,
    },
];

const RSA_OPERATIONS: [&str; 6] = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];
const EC_OPERATIONS: [&str; 2] = ["sign", "verify"];

fn not_found(name: &str) -> Refusal {
    Refusal::missing(
        "KeyNotFound",
        format!(
            "A key with (name/id) {name} was not found in this key vault. If you recently deleted this key you may be \
             able to recover it using the correct recovery command. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125182"
        ),
    )
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadParameter", message)
}

/// Answers `/keys…` and `/deletedkeys…`.
pub(super) fn serve(
    world: &mut World,
    vault: &Resource,
    oid: &str,
    request: &Request,
    segments: &[&str],
    body: &Value,
) -> Result<Response, Refusal> {
    let at = Place { vault, base: request.origin.as_str(), key: vault.id.name().to_ascii_lowercase() };
    let name = segments.get(1).copied().unwrap_or_default();
    let may = |world: &World, rights: Rights| permit_part(world, vault, oid, rights, "keys", name);
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (request.method, lower.as_slice()) {
        (Method::Get, ["keys"]) => {
            may(world, LIST)?;
            let living = at.all(world).filter(|it| it.deleted.is_none());
            page(request, living.filter_map(|it| Some(at.item(it, it.versions.last()?, false))).collect())
        }
        (Method::Post, ["keys", "restore"]) => {
            permit_part(world, vault, oid, RESTORE, "keys", "")?;
            let name = restore(world, &at, body)?;
            Ok(Response::json(200, &at.bundle(find(world, &at, &name)?, None)?))
        }
        (Method::Get, ["keys", _, "versions"]) => {
            may(world, LIST)?;
            let found = find(world, &at, name)?;
            page(request, found.versions.iter().rev().map(|it| at.item(found, it, true)).collect())
        }
        (Method::Post, ["keys", _, "create"]) => {
            may(world, CREATE)?;
            secrets::check_name(name)?;
            let (key, kind) = made(world, &at, name, body)?;
            add(world, &at, name, &key, &kind, body)
        }
        (Method::Put, ["keys", _]) => {
            may(world, IMPORT)?;
            secrets::check_name(name)?;
            let jwk = &body["key"];
            let kind = jwk["kty"].as_str().ok_or_else(|| bad("Property key is required."))?.to_owned();
            let key = Key::from_jwk(jwk).ok_or_else(|| bad("The key is not a valid private key."))?;
            let mut sent = body.clone();
            sent["key_ops"] = jwk["key_ops"].clone();
            add(world, &at, name, &key, &kind, &sent)
        }
        (Method::Post, ["keys", _, "backup"]) => {
            may(world, BACKUP)?;
            let text = serde_json::to_string(find(world, &at, name)?).unwrap_or_default();
            Ok(Response::json(200, &json!({"value": URL_SAFE_NO_PAD.encode(text)})))
        }
        (Method::Post, ["keys", _, "rotate"]) => {
            may(world, ROTATE)?;
            let last = at.version(find(world, &at, name)?, None)?.clone();
            let (key, kind) = made(world, &at, name, &like(&last))?;
            let sent = json!({"key_ops": last.operations, "tags": last.tags});
            add(world, &at, name, &key, &kind, &sent)
        }
        (Method::Get, ["keys", _, "rotationpolicy"]) => {
            may(world, GET_ROTATION)?;
            Ok(Response::json(200, &at.rotation(find(world, &at, name)?)))
        }
        (Method::Put, ["keys", _, "rotationpolicy"]) => {
            may(world, SET_ROTATION)?;
            set_rotation(world, &at, name, body)?;
            Ok(Response::json(200, &at.rotation(find(world, &at, name)?)))
        }
        (Method::Post, ["keys", _, _, _] | ["keys", _, _])
            if USES.iter().any(|it| lower.ends_with(&[it.path])) =>
        {
            let Some(row) = USES.iter().find(|it| lower.ends_with(&[it.path])) else {
                return Err(not_found(name));
            };
            may(world, row.rights)?;
            let version = segments.get(2).copied().filter(|_| segments.len() == 4);
            use_key(world, &at, name, version, row, body)
        }
        (Method::Get, ["keys", _] | ["keys", _, _]) => {
            may(world, GET)?;
            Ok(Response::json(200, &at.bundle(find(world, &at, name)?, segments.get(2).copied())?))
        }
        (Method::Patch, ["keys", _] | ["keys", _, _]) => {
            may(world, UPDATE)?;
            update(world, &at, name, segments.get(2).copied(), body)?;
            Ok(Response::json(200, &at.bundle(find(world, &at, name)?, segments.get(2).copied())?))
        }
        (Method::Delete, ["keys", _]) => {
            may(world, DELETE)?;
            delete(world, &at, name)?;
            Ok(Response::json(200, &at.gone(world, name)))
        }
        (Method::Get, ["deletedkeys"]) => {
            may(world, LIST)?;
            let names: Vec<&str> =
                at.all(world).filter(|it| visible(world, it)).map(|it| it.name.as_str()).collect();
            let items = names.into_iter().map(|name| at.gone_item(world, name)).collect();
            page(request, items)
        }
        (Method::Get, ["deletedkeys", _]) => {
            may(world, GET)?;
            find_deleted(world, &at, name)?;
            Ok(Response::json(200, &at.gone(world, name)))
        }
        (Method::Post, ["deletedkeys", _, "recover"]) => {
            may(world, RECOVER)?;
            find_deleted(world, &at, name)?;
            if let Some(found) = at.stored(world, name) {
                found.deleted = None;
            }
            Ok(Response::json(200, &at.bundle(find(world, &at, name)?, None)?))
        }
        (Method::Delete, ["deletedkeys", _]) => {
            may(world, PURGE)?;
            find_deleted(world, &at, name)?;
            purge_is_allowed(vault)?;
            if let Some(contents) = world.vaults.live.get_mut(&at.key) {
                contents.keys.remove(&name.to_ascii_lowercase());
            }
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "The vault does not take this method here.")),
    }
}

/// Where a request is about: a vault and how it is addressed.
struct Place<'a> {
    vault: &'a Resource,
    /// `https://NAME.vault…`
    base: &'a str,
    /// The vault's name in lower case.
    key: String,
}

impl Place<'_> {
    fn all<'w>(&self, world: &'w World) -> impl Iterator<Item = &'w Stored> + use<'w> {
        world.vaults.live.get(&self.key).into_iter().flat_map(|contents| contents.keys.values())
    }

    fn stored<'w>(&self, world: &'w mut World, name: &str) -> Option<&'w mut Stored> {
        world.vaults.live.get_mut(&self.key)?.keys.get_mut(&name.to_ascii_lowercase())
    }

    fn version<'s>(&self, key: &'s Stored, version: Option<&str>) -> Result<&'s Version, Refusal> {
        match version.filter(|version| !version.is_empty()) {
            None => key.versions.last(),
            Some(id) => key.versions.iter().find(|it| it.id.eq_ignore_ascii_case(id)),
        }
        .ok_or_else(|| not_found(&format!("{}/{}", key.name, version.unwrap_or_default())))
    }

    fn attributes(&self, version: &Version) -> Value {
        let Version { enabled, nbf, exp, created, updated, .. } = version;
        let mut shown = secrets::shown_attributes(*enabled, *nbf, *exp, *created, *updated, Some(self.vault));
        shown["exportable"] = json!(false);
        shown
    }

    fn bundle(&self, key: &Stored, version: Option<&str>) -> Result<Value, Refusal> {
        let version = self.version(key, version)?;
        let mut jwk = json!({"kid": format!("{}/keys/{}/{}", self.base, key.name, version.id),
                             "kty": version.kind, "key_ops": version.operations});
        for (member, value) in version.public.as_object().into_iter().flatten() {
            if member != "kty" {
                jwk[member] = value.clone();
            }
        }
        let mut shown = json!({"key": jwk, "attributes": self.attributes(version), "tags": version.tags});
        if version.managed {
            shown["managed"] = json!(true);
        }
        Ok(shown)
    }

    fn item(&self, key: &Stored, version: &Version, with_version: bool) -> Value {
        let id = if with_version { format!("/{}", version.id) } else { String::new() };
        let mut shown = json!({"kid": format!("{}/keys/{}{id}", self.base, key.name),
                               "attributes": self.attributes(version), "tags": version.tags});
        if version.managed {
            shown["managed"] = json!(true);
        }
        shown
    }

    fn add_dates(&self, shown: &mut Value, key: &Stored) {
        if let Some(deleted) = &key.deleted {
            shown["recoveryId"] = json!(format!("{}/deletedkeys/{}", self.base, key.name));
            shown["deletedDate"] = json!(deleted.at.as_second());
            shown["scheduledPurgeDate"] = json!(deleted.purged.as_second());
        }
    }

    fn gone(&self, world: &World, name: &str) -> Value {
        let Some(key) = self.all(world).find(|it| it.name.eq_ignore_ascii_case(name)) else {
            return Value::Null;
        };
        let mut shown = self.bundle(key, None).unwrap_or_default();
        self.add_dates(&mut shown, key);
        shown
    }

    fn gone_item(&self, world: &World, name: &str) -> Value {
        let Some(key) = self.all(world).find(|it| it.name.eq_ignore_ascii_case(name)) else {
            return Value::Null;
        };
        let mut shown = key.versions.last().map(|last| self.item(key, last, false)).unwrap_or_default();
        self.add_dates(&mut shown, key);
        shown
    }

    /// The rotation policy; without one a key tells that it is near its end, a month before.
    fn rotation(&self, key: &Stored) -> Value {
        let mut shown = match &key.rotation {
            Value::Null => json!({"lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"},
                                                       "action": {"type": "Notify"}}], "attributes": {}}),
            policy => policy.clone(),
        };
        shown["id"] = json!(format!("{}/keys/{}/rotationpolicy", self.base, key.name));
        shown
    }
}

fn find<'a>(world: &'a World, at: &Place, name: &str) -> Result<&'a Stored, Refusal> {
    at.all(world)
        .find(|it| it.name.eq_ignore_ascii_case(name) && it.deleted.is_none())
        .ok_or_else(|| not_found(name))
}

fn visible(world: &World, key: &Stored) -> bool {
    // What belongs to a certificate is deleted and recovered with it.
    let managed = key.versions.last().is_some_and(|last| last.managed);
    !managed && key.deleted.as_ref().is_some_and(|deleted| deleted.visible_from <= world.now)
}

fn find_deleted<'a>(world: &'a World, at: &Place, name: &str) -> Result<&'a Stored, Refusal> {
    at.all(world)
        .find(|it| it.name.eq_ignore_ascii_case(name) && visible(world, it))
        .ok_or_else(|| Refusal::missing("KeyNotFound", format!("Deleted Key not found: {name}")))
}

/// A request for a key like one that there is.
fn like(version: &Version) -> Value {
    let mut request = json!({"kty": version.kind, "crv": version.public["crv"]});
    if let Some(key) = Key::of_kept(&version.key)
        && let Some(bits) = key.bits()
    {
        request["key_size"] = json!(bits);
    }
    request
}

/// A new key as it is asked for, and its `kty`.
fn made(world: &mut World, at: &Place, name: &str, body: &Value) -> Result<(Key, String), Refusal> {
    let kind = body["kty"].as_str().ok_or_else(|| bad("Property kty is required."))?.to_owned();
    let premium = at.vault.text("/properties/sku/name").eq_ignore_ascii_case("premium");
    let (family, hardware) = match kind.strip_suffix("-HSM") {
        Some(family) => (family, true),
        None => (kind.as_str(), false),
    };
    if !["RSA", "EC"].contains(&family) {
        return Err(bad(format!(
            "The key type '{kind}' is not supported by vaults: EC, EC-HSM, RSA and RSA-HSM are."
        )));
    }
    if hardware && !premium {
        return Err(Refusal::bad(
            "KeyTypeNotSupported",
            format!("The key type '{kind}' needs a vault of the premium SKU."),
        ));
    }
    let seed = seed(world, &format!("key {}/{}", at.key, name.to_ascii_lowercase()));
    let key = if family == "RSA" {
        let bits = body["key_size"].as_u64().unwrap_or(2048);
        if ![2048, 3072, 4096].contains(&bits) {
            return Err(bad(format!("The key size {bits} is not supported: 2048, 3072 and 4096 are.")));
        }
        Key::rsa(usize::try_from(bits).unwrap_or(2048), seed)
    } else {
        let curve = body["crv"].as_str().unwrap_or("P-256");
        if !CURVES.iter().any(|(known, _)| *known == curve) {
            return Err(bad(format!(
                "The curve '{curve}' is not supported: P-256, P-256K, P-384 and P-521 are."
            )));
        }
        Key::of_curve(curve, seed)
    };
    Ok((key.ok_or_else(|| bad("The key cannot be made."))?, kind))
}

/// A seed for something that takes chance.
pub(super) fn seed(world: &mut World, purpose: &str) -> [u8; 32] {
    let mut seed = [0; 32];
    seed.copy_from_slice(&world.chance.bytes(purpose, 32));
    seed
}

/// Adds a version, and the key when it is new; answers with it.
fn add(
    world: &mut World,
    at: &Place,
    name: &str,
    key: &Key,
    kind: &str,
    body: &Value,
) -> Result<Response, Refusal> {
    let sent = secrets::read_sent(body)?;
    if let Some(there) = at.stored(world, name).map(|it| it.clone()) {
        secrets::free(&there.name, "Key", there.deleted.as_ref(), world.now)?;
        unmanaged(&there)?;
    }
    let possible: &[&str] = if key.curve().is_some() { &EC_OPERATIONS } else { &RSA_OPERATIONS };
    let operations = operations(&body["key_ops"], possible)?;
    let id = world.chance.uuid(&format!("key {}/{}", at.key, name.to_ascii_lowercase())).simple().to_string();
    let now = world.now;
    let version = Version {
        id,
        key: key.kept(),
        kind: kind.to_owned(),
        public: key.jwk(),
        operations,
        tags: sent.tags.unwrap_or_default(),
        enabled: sent.enabled.unwrap_or(true),
        nbf: sent.nbf,
        exp: sent.exp,
        created: now,
        updated: now,
        managed: false,
    };
    push(world, &at.key, name, version);
    Ok(Response::json(200, &at.bundle(find(world, at, name)?, None)?))
}

/// Adds a version, and the key when it is new.
pub(super) fn push(world: &mut World, vault: &str, name: &str, version: Version) {
    let contents = world.vaults.live.entry(vault.to_owned()).or_default();
    contents
        .keys
        .entry(name.to_ascii_lowercase())
        .or_insert_with(|| Stored {
            name: name.to_owned(),
            versions: Vec::new(),
            rotation: Value::Null,
            deleted: None,
        })
        .versions
        .push(version);
}

/// What a key may be used for; all that is possible when nothing is said.
fn operations(sent: &Value, possible: &[&str]) -> Result<Vec<String>, Refusal> {
    let Some(list) = sent.as_array() else {
        return Ok(possible.iter().map(|it| (*it).to_owned()).collect());
    };
    list.iter()
        .map(|one| {
            let one = one.as_str().unwrap_or_default();
            let fits = possible.contains(&one) || ["import", "export"].contains(&one);
            fits.then(|| one.to_owned())
                .ok_or_else(|| bad(format!("The key operation '{one}' is not valid for this type of key.")))
        })
        .collect()
}

/// Refuses to change a certificate's key by itself.
fn unmanaged(key: &Stored) -> Result<(), Refusal> {
    if key.versions.last().is_none_or(|last| !last.managed) {
        return Ok(());
    }
    let message = format!(
        "The key {} is managed by the certificate of the same name, and changed with it only.",
        key.name
    );
    Err(Refusal::new(403, "Forbidden", message))
}

fn update(
    world: &mut World,
    at: &Place,
    name: &str,
    version: Option<&str>,
    body: &Value,
) -> Result<(), Refusal> {
    let sent = secrets::read_sent(body)?;
    let found = find(world, at, name)?;
    unmanaged(found)?;
    let version = at.version(found, version)?;
    let possible: &[&str] = if version.public["crv"].is_string() { &EC_OPERATIONS } else { &RSA_OPERATIONS };
    let allowed =
        if body["key_ops"].is_array() { Some(operations(&body["key_ops"], possible)?) } else { None };
    let (id, now) = (version.id.clone(), world.now);
    let found = at.stored(world, name).and_then(|key| key.versions.iter_mut().find(|it| it.id == id));
    let Some(version) = found else { return Err(not_found(name)) };
    version.operations = allowed.unwrap_or_else(|| version.operations.clone());
    version.tags = sent.tags.unwrap_or_else(|| version.tags.clone());
    version.enabled = sent.enabled.unwrap_or(version.enabled);
    version.nbf = sent.nbf.or(version.nbf);
    version.exp = sent.exp.or(version.exp);
    version.updated = now;
    Ok(())
}

fn set_rotation(world: &mut World, at: &Place, name: &str, body: &Value) -> Result<(), Refusal> {
    find(world, at, name)?;
    let now = world.now.as_second();
    let mut policy = json!({"lifetimeActions": body["lifetimeActions"].as_array().cloned().unwrap_or_default(),
                            "attributes": {"created": now, "updated": now}});
    if let Some(after) = body["attributes"]["expiryTime"].as_str() {
        if after.parse::<jiff::Span>().is_err() {
            return Err(bad(format!("The expiryTime '{after}' is no ISO 8601 duration.")));
        }
        policy["attributes"]["expiryTime"] = json!(after);
    }
    if let Some(key) = at.stored(world, name) {
        if let Some(created) = key.rotation["attributes"]["created"].as_i64() {
            policy["attributes"]["created"] = json!(created);
        }
        key.rotation = policy;
    }
    Ok(())
}

/// `sign`, `verify`, `encrypt`, `decrypt`, `wrapkey`, `unwrapkey`.
fn use_key(
    world: &mut World,
    at: &Place,
    name: &str,
    version: Option<&str>,
    row: &Use,
    body: &Value,
) -> Result<Response, Refusal> {
    let found = find(world, at, name)?;
    let version = at.version(found, version)?.clone();
    may_be_used(&version, row, world.now.as_second())?;
    let algorithm = body["alg"].as_str().ok_or_else(|| bad("Property alg is required."))?;
    let bytes = |name: &str| {
        let text = body[name].as_str().ok_or_else(|| bad(format!("Property {name} is required.")))?;
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| bad(format!("Property {name} is not base64url.")))
    };
    let key = Key::of_kept(&version.key).ok_or_else(|| bad("The key cannot be read."))?;
    let purpose = format!("use of key {}/{}", at.key, name.to_ascii_lowercase());
    let seed = seed(world, &purpose);
    let unfit = || {
        bad(format!(
            "The algorithm '{algorithm}' does not fit this key, or the value does not fit the algorithm."
        ))
    };
    let result = match row.path {
        "verify" => {
            let (digest, signature) = (bytes("digest")?, bytes("value")?);
            let right = crypto::verify(&version.public, algorithm, &digest, &signature).ok_or_else(unfit)?;
            return Ok(Response::json(200, &json!({"value": right})));
        }
        "sign" => key.sign(algorithm, &bytes("value")?, seed),
        "encrypt" | "wrapkey" => key.encrypt(algorithm, &bytes("value")?, seed),
        _ => key.decrypt(algorithm, &bytes("value")?),
    };
    let value = URL_SAFE_NO_PAD.encode(result.ok_or_else(unfit)?);
    let kid = format!("{}/keys/{}/{}", at.base, found_name(world, at, name), version.id);
    Ok(Response::json(200, &json!({"kid": kid, "value": value})))
}

fn found_name(world: &World, at: &Place, name: &str) -> String {
    find(world, at, name).map_or_else(|_| name.to_owned(), |key| key.name.clone())
}

fn may_be_used(version: &Version, row: &Use, now: i64) -> Result<(), Refusal> {
    let forbidden = |message: String, inner: &str| Err(Refusal::new(403, "Forbidden", message).at(inner));
    let operation = row.operation;
    if !version.operations.iter().any(|it| it == operation) {
        return forbidden(
            format!("Operation {operation} is not permitted on this key."),
            "KeyOperationForbidden",
        );
    }
    if !version.enabled {
        return forbidden(format!("Operation {operation} is not allowed on a disabled key."), "KeyDisabled");
    }
    if row.any_time {
        return Ok(());
    }
    if version.nbf.is_some_and(|from| from > now) {
        return forbidden(
            format!("Operation {operation} is not allowed on a key that is not yet valid."),
            "KeyNotYetValid",
        );
    }
    if version.exp.is_some_and(|until| until <= now) {
        return forbidden(format!("Operation {operation} is not allowed on an expired key."), "KeyExpired");
    }
    Ok(())
}

fn delete(world: &mut World, at: &Place, name: &str) -> Result<(), Refusal> {
    unmanaged(find(world, at, name)?)?;
    let days = at.vault.properties()["softDeleteRetentionInDays"].as_i64().unwrap_or(90);
    let deleted = world.now;
    let visible_from =
        deleted.saturating_add(world.config.scaled(secrets::DELETE_SECONDS)).unwrap_or(deleted);
    let purged = after_days(deleted, days);
    if let Some(key) = at.stored(world, name) {
        key.deleted = Some(Deleted { at: deleted, purged, visible_from, recovered: None });
    }
    let event = Event::KeyRetention { vault: at.key.clone(), key: name.to_ascii_lowercase(), deleted };
    world.agenda.add(purged, Due::Vault(event));
    Ok(())
}

/// A deleted key's retention is over.
pub(super) fn retention_over(world: &mut World, vault: &str, key: &str, deleted: Timestamp) {
    let Some(contents) = world.vaults.live.get_mut(vault) else { return };
    let still =
        contents.keys.get(key).and_then(|key| key.deleted.as_ref()).is_some_and(|it| it.at == deleted);
    if still {
        contents.keys.remove(key);
    }
}

fn restore(world: &mut World, at: &Place, body: &Value) -> Result<String, Refusal> {
    let corrupt = || bad("Backup blob contains invalid or corrupt data.");
    let blob = body["value"].as_str().ok_or_else(corrupt)?;
    let bytes = URL_SAFE_NO_PAD.decode(blob.trim_end_matches('=')).map_err(|_| corrupt())?;
    let key: Stored = serde_json::from_slice(&bytes).map_err(|_| corrupt())?;
    let contents = world.vaults.live.entry(at.key.clone()).or_default();
    let own = key.name.to_ascii_lowercase();
    if contents.keys.contains_key(&own) {
        return Err(Refusal::conflict(
            "Conflict",
            format!("A key with the name {} already exists.", key.name),
        ));
    }
    let name = key.name.clone();
    contents.keys.insert(own, key);
    Ok(name)
}
