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
    world.entra.principals.retain(|_, principal| {
        !principal.resource.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(resource))
    });
}

/// The application that a client id and its secret belong to.
pub fn by_secret<'a>(world: &'a World, client: &str, secret: &str) -> Option<&'a Principal> {
    let principal = world.entra.by_client(client)?;
    let fits = principal.client_id == world.config.client_id && same(secret, &world.config.client_secret);
    fits.then_some(principal)
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
    let expires =
        claims["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok()).ok_or(Unfit::Malformed)?;
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

/// The audience of tokens that are for container registries.
pub const REGISTRY_AUDIENCE: &str = "https://containerregistry.azure.net";

/// What the registries' token exchange takes tokens for.
pub fn registry_audiences(config: &Config) -> Vec<String> {
    let mut audiences = arm_audiences(config);
    audiences.push(REGISTRY_AUDIENCE.into());
    audiences
}

/// Whether a path on ARM's host is Entra's, or ARM's own discovery, which asks for no token.
pub(super) fn claims(_world: &World, path: &str) -> bool {
    let segments = segments(path);
    let is =
        |at: usize, word: &str| segments.get(at).is_some_and(|segment| segment.eq_ignore_ascii_case(word));
    (is(0, "metadata") && is(1, "endpoints"))
        || is(0, "graph")
        || is(1, "oauth2")
        || is(1, ".well-known")
        || (is(1, "v2.0") && is(2, ".well-known"))
        || (is(1, "discovery") && (is(2, "keys") || is(2, "instance") || is(2, "v2.0")))
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Answers a request to Entra.
pub(super) fn handle(world: &mut World, request: &Request) -> Response {
    let segments = segments(&request.path);
    let tail: Vec<String> = segments.iter().skip(1).map(|segment| segment.to_ascii_lowercase()).collect();
    let tail: Vec<&str> = tail.iter().map(String::as_str).collect();
    let first = segments.first().copied().unwrap_or_default();
    if first.eq_ignore_ascii_case("metadata") {
        return Response::json(200, &cloud(world, request));
    }
    if first.eq_ignore_ascii_case("graph") {
        return Response::json(
            501,
            &json!({"error": {"code": "NotModelledLocally",
                              "message": "There is no Microsoft Graph in local Azure: name principals by object id \
                                          (for az: --assignee-object-id, --fill-principal-name false)."}}),
        );
    }
    match (request.method, tail.as_slice()) {
        (Method::Get, ["v2.0", ".well-known", "openid-configuration"]) => {
            discovery(world, request, first, true)
        }
        (Method::Get, [".well-known", "openid-configuration"]) => discovery(world, request, first, false),
        (Method::Get, ["discovery", "instance"]) => Response::json(
            200,
            &json!({
                "tenant_discovery_endpoint": format!("{}/{first}/v2.0/.well-known/openid-configuration", request.origin),
                "api-version": "1.1",
                "metadata": [{"preferred_network": world.config.authority, "preferred_cache": world.config.authority,
                              "aliases": [world.config.authority]}],
            }),
        ),
        // tokens are signed with a symmetric key, so there is none to publish
        (Method::Get, ["discovery", "v2.0", "keys"] | ["discovery", "keys"]) => {
            Response::json(200, &json!({"keys": []}))
        }
        (Method::Post, ["oauth2", "v2.0", "token"]) => token(world, request, first, true),
        (Method::Post, ["oauth2", "token"]) => token(world, request, first, false),
        (_, ["oauth2", ..]) => oauth_error(
            world,
            request,
            400,
            "unsupported_grant_type",
            7_0003,
            "AADSTS70003: Local Azure has no sign-in for people: use a service principal or a managed identity.",
        ),
        _ => Response::empty(404),
    }
}

/// `GET /metadata/endpoints`: what `az cloud register` reads. Older versions of it answer with a list.
fn cloud(world: &World, request: &Request) -> Value {
    let (config, origin) = (&world.config, &request.origin);
    let port = config.port;
    let host = origin.trim_start_matches("https://");
    json!({
        "name": "LocalAzure",
        "portal": format!("{origin}/"),
        "resourceManager": format!("{origin}/"),
        "authentication": {
            "loginEndpoint": format!("{origin}/"),
            "audiences": [format!("{origin}/"), "https://management.azure.com/", "https://management.core.windows.net/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": format!("{origin}/graph/"),
        "graphAudience": format!("{origin}/graph/"),
        "microsoftGraphResourceId": format!("{origin}/graph/"),
        "media": format!("{origin}/"),
        "gallery": format!("{origin}/"),
        "batch": format!("{origin}/"),
        "sqlManagement": format!("{origin}/"),
        "vmImageAliasDoc": format!("{origin}/"),
        "logAnalyticsResourceId": format!("{origin}/logs"),
        "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "suffixes": {
            "keyVaultDns": format!("vault.localhost:{port}"),
            "acrLoginServer": format!("azurecr.localhost:{port}"),
            "storage": format!("core.localhost:{port}"),
            "containerAppsDns": format!("azurecontainerapps.localhost:{port}"),
        },
        "activeDirectoryDataLake": format!("{origin}/"),
        "activeDirectory": format!("https://{host}/"),
    })
}

fn discovery(world: &World, request: &Request, tenant: &str, v2: bool) -> Response {
    if !knows_tenant(world, tenant) {
        return oauth_error(world, request, 400, "invalid_tenant", 90002, &no_tenant(tenant));
    }
    let base = format!("{}/{tenant}", request.origin);
    let version = if v2 { "/v2.0" } else { "" };
    Response::json(
        200,
        &json!({
            "issuer": format!("{}/{}{version}", request.origin, world.config.tenant),
            "authorization_endpoint": format!("{base}/oauth2{version}/authorize"),
            "token_endpoint": format!("{base}/oauth2{version}/token"),
            "device_authorization_endpoint": format!("{base}/oauth2{version}/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2{version}/logout"),
            "jwks_uri": format!("{base}/discovery{version}/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["HS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": world.config.authority,
        }),
    )
}

fn knows_tenant(world: &World, tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case(&world.config.tenant)
        || ["common", "organizations", "local.onmicrosoft.com", "adfs"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(tenant))
}

fn no_tenant(tenant: &str) -> String {
    format!(
        "AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing \
         into the correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    )
}

/// `client_credentials`, by secret or by assertion.
fn token(world: &mut World, request: &Request, tenant: &str, v2: bool) -> Response {
    let form = form(request);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let refuse = |status: u16, error: &str, number: u32, text: &str| {
        oauth_error(world, request, status, error, number, &format!("AADSTS{number}: {text}"))
    };
    let missing = |name: &str| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        refuse(400, "invalid_request", 900_144, &text)
    };
    if !knows_tenant(world, tenant) {
        return oauth_error(world, request, 400, "invalid_request", 90002, &no_tenant(tenant));
    }
    let Some(grant) = field("grant_type") else { return missing("grant_type") };
    if grant != "client_credentials" {
        let text =
            format!("The grant type '{grant}' is not supported by local Azure: use 'client_credentials'.");
        return refuse(400, "unsupported_grant_type", 70003, &text);
    }
    let basic = basic(request);
    let client = field("client_id").or(basic.as_ref().map(|(client, _)| client.as_str()));
    let Some(client) = client else { return missing("client_id") };
    let Some(principal) = world.entra.by_client(client).cloned() else {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory 'Local Azure'. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user in \
             the tenant. You may have sent your authentication request to the wrong tenant."
        );
        return refuse(400, "unauthorized_client", 700_016, &text);
    };
    match (
        field("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str())),
        field("client_assertion"),
    ) {
        (Some(secret), _) => {
            if by_secret(world, client, secret).is_none() {
                let text = format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                     value, not the client secret ID, for a secret added to app '{client}'."
                );
                return refuse(401, "invalid_client", 7_000_215, &text);
            }
        }
        (None, Some(assertion)) => {
            if let Err((number, text)) = federated(world, &principal, assertion) {
                return refuse(401, "invalid_client", number, &text);
            }
        }
        (None, None) => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return refuse(401, "invalid_client", 7_000_218, text);
        }
    }
    let audience = if v2 {
        let Some(scope) = field("scope") else { return missing("scope") };
        let wanted = scope.split_whitespace().find(|part| part.ends_with("/.default"));
        let Some(resource) = wanted.and_then(|part| part.strip_suffix("/.default")) else {
            let text = format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            );
            return refuse(400, "invalid_scope", 1_002_012, &text);
        };
        resource.to_owned()
    } else {
        let Some(resource) = field("resource") else { return missing("resource") };
        resource.to_owned()
    };
    if !is_resource(&world.config, &audience) {
        let text = format!(
            "The resource principal named {audience} was not found in the tenant named Local Azure. This can happen \
             if the application has not been installed by the administrator of the tenant or consented to by any user \
             in the tenant."
        );
        return refuse(400, "invalid_resource", 500_011, &text);
    }
    let token = issue(world, &principal, &audience);
    let seconds = token.expires_on.as_second() - world.now.as_second();
    let mut answer = json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token.access_token,
    });
    if !v2 {
        answer["expires_in"] = json!(seconds.to_string());
        answer["ext_expires_in"] = json!(seconds.to_string());
        answer["expires_on"] = json!(token.expires_on.as_second().to_string());
        answer["not_before"] = json!(world.now.as_second().to_string());
        answer["resource"] = json!(audience);
    }
    Response::json(200, &answer).with("cache-control", "no-store, no-cache")
}

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn form(request: &Request) -> Vec<(String, String)> {
    match &request.body {
        Body::Bytes(bytes) => url::form_urlencoded::parse(bytes).into_owned().collect(),
        _ => Vec::new(),
    }
}

/// Client and secret of `Authorization: Basic`.
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text =
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = text.split_once(':')?;
    Some((super::arm::id::decode(client), super::arm::id::decode(secret)))
}

/// Issuer of the assertions that `POST /_local/assertion` signs: what stands in for a pipeline's own.
pub fn local_issuer(config: &Config) -> String {
    format!("{}/_local/issuer", config.origin())
}

/// A signed assertion of the local issuer.
pub fn assertion(world: &World, subject: &str, audience: &str) -> String {
    let now = world.now.as_second();
    sign(
        world,
        &json!({"iss": local_issuer(&world.config), "sub": subject, "aud": audience, "iat": now, "nbf": now,
                "exp": now + 600}),
    )
}

/// Checks a client assertion against the federated credentials of an identity, or of the owner, who trusts the
/// local issuer for any subject.
fn federated(world: &World, principal: &Principal, assertion: &str) -> Result<(), (u32, String)> {
    let claims =
        claims_of(assertion).ok_or_else(|| (50027, "JWT token is invalid or malformed.".to_owned()))?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let (issuer, subject, audience) = (text("iss"), text("sub"), text("aud"));
    // each of the three that an assertion is matched by has a code of its own
    let records: Vec<(String, String, Vec<Value>)> = match &principal.resource {
        None => vec![(local_issuer(&world.config), subject.to_owned(), vec![json!(audience)])],
        Some(identity) => super::arm::id::Id::parse(identity)
            .into_iter()
            .flat_map(|id| world.arm.below(&id))
            .filter(|(_, credential)| credential.kind.ends_with("/federatedIdentityCredentials"))
            .map(|(_, credential)| {
                (
                    credential.text("/properties/issuer").to_owned(),
                    credential.text("/properties/subject").to_owned(),
                    credential.properties()["audiences"].as_array().cloned().unwrap_or_default(),
                )
            })
            .collect(),
    };
    let missing = |number: u32, what: &str, value: &str| {
        Err((
            number,
            format!(
                "No matching federated identity record found for presented assertion {what} '{value}'. Check your \
                 federated identity credential Subject, Audience and Issuer against the presented assertion. \
                 https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
            ),
        ))
    };
    let by_issuer: Vec<_> =
        records.iter().filter(|it| it.0.trim_end_matches('/') == issuer.trim_end_matches('/')).collect();
    if records.is_empty() {
        return Err((
            70_025,
            format!("The client '{}' has no configured federated identity credentials.", principal.client_id),
        ));
    }
    if by_issuer.is_empty() {
        return missing(700_211, "issuer", issuer);
    }
    let by_subject: Vec<_> = by_issuer.into_iter().filter(|it| it.1 == subject).collect();
    if by_subject.is_empty() {
        return missing(700_213, "subject", subject);
    }
    if !by_subject.iter().any(|it| it.2.iter().any(|known| known == audience)) {
        return missing(700_212, "audience", audience);
    }
    if open(world, assertion).is_none() {
        return Err((
            700_027,
            format!(
                "The signature of the assertion of issuer '{issuer}' could not be checked: local Azure fetches no \
                 keys, and trusts only what its own issuer ({}) signed.",
                local_issuer(&world.config)
            ),
        ));
    }
    if claims["exp"].as_i64().is_none_or(|exp| exp <= world.now.as_second()) {
        return Err((700_024, "Client assertion is not within its valid time range.".to_owned()));
    }
    Ok(())
}

/// The claims of a JWT, unchecked.
fn claims_of(token: &str) -> Option<Value> {
    let middle = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?).ok()
}

/// What tokens can be had for: this world's own addresses and the public names of Azure's services.
fn is_resource(config: &Config, audience: &str) -> bool {
    const PUBLIC: &[&str] = &[
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://containerregistry.azure.net",
        "https://graph.microsoft.com",
        "https://cognitiveservices.azure.com",
        "https://servicebus.azure.net",
        "https://eventhubs.azure.net",
        "https://redis.azure.com",
        "https://ossrdbms-aad.database.windows.net",
        "https://database.windows.net",
        "https://cosmos.azure.com",
        "https://azconfig.io",
        "https://search.azure.com",
        "https://api.loganalytics.io",
        "https://monitor.azure.com",
        "https://dynamicsessions.io",
        "https://communication.azure.com",
        "https://eventgrid.azure.net",
        "api://AzureADTokenExchange",
    ];
    let audience = audience.trim_end_matches('/');
    if PUBLIC.iter().any(|known| known.eq_ignore_ascii_case(audience))
        || uuid::Uuid::try_parse(audience).is_ok()
    {
        return true;
    }
    let Ok(url) = url::Url::parse(audience) else { return false };
    let host = url.host_str().unwrap_or_default();
    let local = host == "localhost" || host == "127.0.0.1" || host.ends_with(".localhost");
    (local && url.port().is_none_or(|port| port == config.port))
        || host.ends_with(".blob.core.windows.net")
        || host.ends_with(".documents.azure.com")
        || host.ends_with(".azconfig.io")
}

/// Entra's error body.
fn oauth_error(
    world: &World,
    request: &Request,
    status: u16,
    error: &str,
    number: u32,
    description: &str,
) -> Response {
    let at = world.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let correlation = request.header("client-request-id").unwrap_or(&request.id);
    Response::json(
        status,
        &json!({
            "error": error,
            "error_description": format!("{description} Trace ID: {} Correlation ID: {correlation} Timestamp: {at}",
                                         request.id),
            "error_codes": [number],
            "timestamp": at,
            "trace_id": request.id,
            "correlation_id": correlation,
            "error_uri": format!("{}/error?code={number}", world.config.origin()),
        }),
    )
}

/// The managed-identity endpoint of a workload: `workload` is the container app's id in lower case. Two forms:
/// App Service's (`IDENTITY_ENDPOINT`, with `X-IDENTITY-HEADER`, which the front has checked) and IMDS's.
pub(super) fn identity_endpoint(world: &mut World, workload: &str, request: &Request) -> Response {
    let refuse = |code: &str, message: &str| {
        Response::json(
            400,
            &json!({"statusCode": 400, "message": message, "error": code, "error_description": message}),
        )
    };
    let Some(resource) = request.query("resource") else {
        return refuse("invalid_request", "The required query parameter 'resource' is missing.");
    };
    let Some(app) = world.arm.find(workload) else {
        return refuse("invalid_request", "The workload of this identity endpoint is gone.");
    };
    let identity = app.body["identity"].clone();
    let own = app.id.to_string();
    let assigned: Vec<Principal> = identity["userAssignedIdentities"]
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .filter_map(|id| world.entra.by_resource(id).cloned())
        .collect();
    let system = world.entra.by_resource(&own).cloned();
    let wanted =
        |names: &[&str]| names.iter().find_map(|name| request.query(name)).map(str::to_ascii_lowercase);
    let principal = if let Some(client) = wanted(&["client_id", "clientid"]) {
        assigned.iter().chain(&system).find(|it| it.client_id.eq_ignore_ascii_case(&client)).cloned()
    } else if let Some(object) = wanted(&["object_id", "principal_id"]) {
        assigned.iter().chain(&system).find(|it| it.object_id.eq_ignore_ascii_case(&object)).cloned()
    } else if let Some(id) = wanted(&["mi_res_id", "msi_res_id"]) {
        assigned
            .iter()
            .find(|it| it.resource.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&id)))
            .cloned()
    } else {
        system
    };
    let Some(principal) = principal else {
        return refuse(
            "invalid_request",
            "Unable to load the proper Managed Identity: the workload has no such identity. Name a user-assigned one \
             by its client_id.",
        );
    };
    if !is_resource(&world.config, resource) {
        let message =
            format!("AADSTS500011: The resource principal named {resource} was not found in the tenant.");
        return refuse("invalid_resource", &message);
    }
    let token = issue(world, &principal, resource);
    Response::json(
        200,
        &json!({
            "access_token": token.access_token,
            "client_id": principal.client_id,
            "expires_on": token.expires_on.as_second().to_string(),
            "expires_in": (token.expires_on.as_second() - world.now.as_second()).to_string(),
            "not_before": world.now.as_second().to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }),
    )
}

/// A token for a managed identity, by its resource id: what services use on a user's behalf.
pub fn token_for_identity(world: &World, identity: &str, audience: &str) -> Option<Token> {
    world.entra.by_resource(identity).map(|principal| issue(world, principal, audience))
}
