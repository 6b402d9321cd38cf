//! Entra ID: discovery, tokens, principals, and the identity endpoint of deployed workloads.
//!
//! Tokens are JWTs signed with a key of this world's own (HS256, where Entra signs RS256: no client of Azure
//! checks the signature of a token it only passes on). Every plane asks [`verify`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::arm::refusal::Refusal;
use super::http::Body;
use super::{Config, Hidden, Method, Request, Response, World, chance};

/// How long an access token is good for, as Entra's default: between 60 and 90 minutes.
const LIFETIME_SECONDS: i64 = 3599;

/// The tenant's principals and keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entra {
    /// Principals by object id.
    pub principals: BTreeMap<String, Principal>,
    /// What tokens are signed with.
    key: Hidden,
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

/// What a token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Object id of the principal.
    pub oid: String,
    /// Its client id.
    pub appid: String,
    /// Audience.
    pub aud: String,
    /// When it expires.
    pub expires: Timestamp,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// No token of this tenant: wrong shape, wrong signature, unknown principal.
    Malformed,
    /// Too old.
    Expired {
        /// When it expired, as ARM writes times.
        at: String,
    },
    /// Too young.
    NotYet,
    /// For something else.
    Audience {
        /// What it is for.
        got: String,
    },
    /// From another tenant.
    Tenant {
        /// Which.
        got: String,
    },
}

/// A token as the endpoints answer with it.
#[derive(Clone, Debug)]
pub struct Token {
    /// The JWT.
    pub access_token: String,
    /// When it expires.
    pub expires_on: Timestamp,
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
        Entra {
            principals: BTreeMap::from([(owner.object_id.clone(), owner)]),
            key: Hidden(hex::encode(chance::digest(config.seed, "token key", 0))),
        }
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
    world
        .entra
        .principals
        .retain(|_, principal| !principal.resource.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(resource)));
}

/// A token for a principal.
pub fn issue(world: &World, principal: &Principal, audience: &str) -> Token {
    let now = world.now.as_second();
    let expires = now + LIFETIME_SECONDS;
    let mut claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{}/", world.config.tenant),
        "iat": now, "nbf": now, "exp": expires,
        "appid": principal.client_id, "appidacr": "1", "idtyp": "app",
        "oid": principal.object_id, "sub": principal.object_id,
        "tid": world.config.tenant, "ver": "1.0",
    });
    if let Some(resource) = &principal.resource {
        claims["xms_mirid"] = json!(resource);
    }
    Token {
        access_token: sign(world, &claims),
        expires_on: Timestamp::from_second(expires).unwrap_or(Timestamp::MAX),
    }
}

/// A signed JWT of any claims: the registry's own tokens, `getAuthToken`.
pub fn sign(world: &World, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256","kid":"local"}"#);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signature = URL_SAFE_NO_PAD.encode(mac(world, &format!("{header}.{claims}")).finalize().into_bytes());
    format!("{header}.{claims}.{signature}")
}

/// The claims of a JWT that this world signed, expired or not.
pub fn open(world: &World, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).ok()?;
    mac(world, signed).verify_slice(&signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

fn mac(world: &World, text: &str) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(world.entra.key.0.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// The token of an `Authorization: Bearer …` header.
pub fn bearer_of(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Checks a token: signature, time, tenant, one of `audiences` (a trailing slash does not count), a principal
/// that still exists.
///
/// # Errors
/// What is wrong with it.
pub fn verify(world: &World, token: &str, audiences: &[String]) -> Result<Claims, Unfit> {
    let claims = open(world, token).ok_or(Unfit::Malformed)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let tenant = text("tid");
    if tenant != world.config.tenant {
        return Err(Unfit::Tenant { got: tenant });
    }
    let aud = text("aud");
    if !audiences.iter().any(|known| same_audience(known, &aud)) {
        return Err(Unfit::Audience { got: aud });
    }
    let expires = claims["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok()).ok_or(Unfit::Malformed)?;
    if expires <= world.now {
        return Err(Unfit::Expired { at: super::arm::stamp(expires) });
    }
    if claims["nbf"].as_i64().is_some_and(|from| from > world.now.as_second() + 300) {
        return Err(Unfit::NotYet);
    }
    let oid = text("oid");
    if !world.entra.principals.contains_key(&oid) {
        return Err(Unfit::Malformed);
    }
    Ok(Claims { oid, appid: text("appid"), aud, expires })
}

fn same_audience(a: &str, b: &str) -> bool {
    a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'))
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

/// What the registries' token exchange takes tokens for.
pub fn registry_audiences(config: &Config) -> Vec<String> {
    let mut audiences = arm_audiences(config);
    audiences.push("https://containerregistry.azure.net".into());
    audiences
}

/// Whether a path on ARM's host is Entra's.
pub(super) fn claims(_world: &World, _path: &str) -> bool {
    false
}

pub(super) fn handle(_world: &mut World, _request: &Request) -> Response {
    Response::empty(404)
}

/// The managed-identity endpoint of a workload.
pub(super) fn identity_endpoint(_world: &mut World, _workload: &str, _request: &Request) -> Response {
    Response::empty(404)
}
