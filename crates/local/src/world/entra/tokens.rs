//! Tokens: JWTs signed with the tenant's own RSA key, which discovery publishes, so that whoever gets one can check
//! it as one of Entra's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::Principal;
use crate::world::crypto::{self, CertificateKey, Key};
use crate::world::{Config, World, chance};

/// How long an access token of an application is good for, as Entra's default: between 60 and 90 minutes.
const LIFETIME_SECONDS: i64 = 3599;
/// Tokens of managed identities live for a day.
const MANAGED_LIFETIME_SECONDS: i64 = 86_400;

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

/// The key of a seed's tenant. It follows from the seed alone, so every world of this process with that seed shares
/// it, and none keeps it.
struct Signer {
    key: Key,
    public: Value,
    /// The certificate that publishes the key, in DER.
    certificate: Vec<u8>,
    /// SHA-1 of the certificate: `kid` and `x5t`.
    id: String,
    /// Hashes of tokens whose signature was seen to be right: clients send the same one with every request.
    seen: Mutex<BTreeSet<[u8; 32]>>,
}

/// More tokens than one test has, and little memory.
const SEEN_MAX: usize = 4096;

/// The signer of a seed, made at first use: some tens of milliseconds.
fn signer(seed: u64) -> Arc<Signer> {
    static SIGNERS: Mutex<BTreeMap<u64, Arc<Signer>>> = Mutex::new(BTreeMap::new());
    let mut signers = SIGNERS.lock().unwrap_or_else(PoisonError::into_inner);
    signers.entry(seed).or_insert_with(|| Arc::new(Signer::new(seed))).clone()
}

/// Makes the key before somebody waits for it.
pub fn warm(seed: u64) {
    signer(seed);
}

impl Signer {
    fn new(seed: u64) -> Signer {
        let key = Key::rsa(2048, chance::digest(seed, "token key", 0)).expect("RSA has keys of 2048 bits");
        let certificate = certificate(&key, seed);
        let id = URL_SAFE_NO_PAD.encode(Sha1::digest(&certificate));
        Signer { public: key.jwk(), key, certificate, id, seen: Mutex::new(BTreeSet::new()) }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        self.key.sign("RS256", &Sha256::digest(text), [0; 32]).expect("an RSA key of 2048 bits signs SHA-256")
    }

    fn signed(&self, text: &str, signature: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let mark: [u8; 32] = Sha256::new().chain_update(digest).chain_update(signature).finalize().into();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&mark) {
            return true;
        }
        let right = crypto::verify(&self.public, "RS256", &digest, signature) == Some(true);
        if right {
            if seen.len() >= SEEN_MAX {
                seen.clear();
            }
            seen.insert(mark);
        }
        right
    }
}

/// The self-signed certificate in which Entra publishes a key.
fn certificate(key: &Key, seed: u64) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "accounts.accesscontrol.windows.net");
    params.serial_number = Some(chance::digest(seed, "token certificate", 0)[..16].to_vec().into());
    let signing = CertificateKey::new(key).expect("certificates are signed with RSA");
    params.self_signed(&signing).expect("a certificate with a name and an RSA key").der().to_vec()
}

/// The published keys: `keys` of a JSON Web Key Set.
pub fn published(config: &Config, issuer: &str) -> Value {
    let signer = signer(config.seed);
    let mut key = json!({"kty": "RSA", "use": "sig", "kid": signer.id, "x5t": signer.id});
    key["n"] = signer.public["n"].clone();
    key["e"] = signer.public["e"].clone();
    key["x5c"] = json!([STANDARD.encode(&signer.certificate)]);
    key["issuer"] = json!(issuer);
    json!({"keys": [key]})
}

/// The issuer of access tokens.
pub fn issuer(config: &Config) -> String {
    format!("https://sts.windows.net/{}/", config.tenant)
}

/// A token for a principal.
pub fn issue(world: &World, principal: &Principal, audience: &str) -> Token {
    let now = world.now.as_second();
    let lifetime = if principal.resource.is_some() { MANAGED_LIFETIME_SECONDS } else { LIFETIME_SECONDS };
    issue_for(world, principal, audience, now + lifetime)
}

/// A token of the token endpoint: good for an hour, whosever it is.
pub fn issue_by_grant(world: &World, principal: &Principal, audience: &str) -> Token {
    issue_for(world, principal, audience, world.now.as_second() + LIFETIME_SECONDS)
}

fn issue_for(world: &World, principal: &Principal, audience: &str, expires: i64) -> Token {
    let now = world.now.as_second();
    let issuer = issuer(&world.config);
    // How the client has shown who it is: 1 by secret, 2 by certificate, as managed identities do.
    let shown = if principal.resource.is_some() { "2" } else { "1" };
    let about = format!("{} {audience} {now}", principal.object_id);
    let mut claims = json!({
        "aud": audience, "iss": issuer, "iat": now, "nbf": now, "exp": expires,
        "appid": principal.client_id, "appidacr": shown, "idp": issuer, "idtyp": "app",
        "oid": principal.object_id, "sub": principal.object_id, "tid": world.config.tenant,
        "uti": URL_SAFE_NO_PAD.encode(&chance::digest(world.config.seed, &about, 0)[..16]), "ver": "1.0",
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
    let signer = signer(world.config.seed);
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": signer.id, "kid": signer.id});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signer.sign(&text)))
}

/// The claims of a JWT that this world signed, expired or not.
pub fn open(world: &World, token: &str) -> Option<Value> {
    let (text, signature) = token.rsplit_once('.')?;
    let signature = decode(signature)?;
    signer(world.config.seed).signed(text, &signature).then(|| claims_of(token)).flatten()
}

/// The claims of a JWT, unchecked.
pub fn claims_of(token: &str) -> Option<Value> {
    serde_json::from_slice(&decode(token.split('.').nth(1)?)?).ok().filter(Value::is_object)
}

/// The header of a JWT, unchecked.
pub(super) fn header_of(token: &str) -> Option<Value> {
    let (head, rest) = token.split_once('.')?;
    (rest.matches('.').count() == 1).then(|| serde_json::from_slice(&decode(head)?).ok()).flatten()
}

pub(super) fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()
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
    let expires =
        claims["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok()).ok_or(Unfit::Malformed)?;
    if expires <= world.now {
        return Err(Unfit::Expired { at: crate::world::arm::stamp(expires) });
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
