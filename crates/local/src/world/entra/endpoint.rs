//! Entra's endpoints: discovery, keys, and the token endpoint in both versions.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Principal, by_secret, federation, tokens};
use crate::world::http::Body;
use crate::world::{Config, Method, Request, Response, World, arm, chance};

/// A refusal of Entra: what its error body tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    error: &'static str,
    number: u32,
    text: String,
}

impl Refusal {
    pub(super) fn new(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Refusal {
        Refusal { status, error, number, text: text.into() }
    }

    /// 401 `invalid_client`: who asks has not shown who it is.
    pub(super) fn client(number: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(401, "invalid_client", number, text)
    }

    fn missing(name: &str) -> Refusal {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        Refusal::new(400, "invalid_request", 900_144, text)
    }

    /// Entra's error body.
    fn answer(&self, world: &World, request: &Request) -> Response {
        let at = world.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let correlation = request.header("client-request-id").unwrap_or(&request.id);
        Response::json(
            self.status,
            &json!({
                "error": self.error,
                "error_description": format!("AADSTS{}: {} Trace ID: {} Correlation ID: {correlation} Timestamp: {at}",
                                             self.number, self.text, request.id),
                "error_codes": [self.number],
                "timestamp": at,
                "trace_id": request.id,
                "correlation_id": correlation,
                "error_uri": format!("{}/error?code={}", world.config.origin(), self.number),
            }),
        )
        .with("cache-control", "no-store, no-cache")
    }
}

/// Whether a path on ARM's host is Entra's, or ARM's own discovery, which asks for no token.
pub(in crate::world) fn claims(_world: &World, path: &str) -> bool {
    let segments = segments(path);
    let is =
        |at: usize, word: &str| segments.get(at).is_some_and(|segment| segment.eq_ignore_ascii_case(word));
    (is(0, "metadata") && is(1, "endpoints"))
        || is(0, "graph")
        || (is(0, "error") && segments.len() == 1)
        || is(1, "oauth2")
        || is(1, ".well-known")
        || (is(1, "v2.0") && is(2, ".well-known"))
        || (is(1, "discovery") && (is(2, "keys") || is(2, "instance") || is(2, "v2.0")))
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Answers a request to Entra.
pub(in crate::world) fn handle(world: &mut World, request: &Request) -> Response {
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
    let answered = match (request.method, tail.as_slice()) {
        (Method::Get, ["v2.0", ".well-known", "openid-configuration"]) => {
            discovery(world, request, first, true)
        }
        (Method::Get, [".well-known", "openid-configuration"]) => discovery(world, request, first, false),
        (Method::Get, ["discovery", "instance"]) => Ok(instance(world, request, first)),
        (Method::Get, ["discovery", "v2.0", "keys"]) => keys(world, request, first, true),
        (Method::Get, ["discovery", "keys"]) => keys(world, request, first, false),
        (Method::Post, ["oauth2", "v2.0", "token"]) => token(world, request, first, true),
        (Method::Post, ["oauth2", "token"]) => token(world, request, first, false),
        (method, ["oauth2", "v2.0", "token"] | ["oauth2", "token"]) => Err(Refusal::new(
            400,
            "invalid_request",
            900_561,
            format!("The endpoint only accepts POST requests. Received a {} request.", method.name()),
        )),
        (Method::Post, ["oauth2", "v2.0", "devicecode"] | ["oauth2", "devicecode"]) => {
            device_code(world, request, first)
        }
        (_, ["oauth2", ..]) => Err(Refusal::new(
            400,
            "unsupported_response_type",
            700_054,
            "Local Azure has no sign-in for people: use a service principal or a managed identity.",
        )),
        _ => return Response::empty(404),
    };
    answered.unwrap_or_else(|refusal| refusal.answer(world, request))
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

/// Tenants that stand for any.
fn is_any(tenant: &str) -> bool {
    ["common", "organizations"].iter().any(|known| known.eq_ignore_ascii_case(tenant))
}

fn must_know(world: &World, tenant: &str, error: &'static str) -> Result<(), Refusal> {
    let known = tenant.eq_ignore_ascii_case(&world.config.tenant)
        || is_any(tenant)
        || ["local.onmicrosoft.com", "adfs"].iter().any(|known| known.eq_ignore_ascii_case(tenant));
    if known {
        return Ok(());
    }
    if uuid::Uuid::try_parse(tenant).is_err() && !tenant.contains('.') {
        let text = format!(
            "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
        );
        return Err(Refusal::new(400, error, 900_023, text));
    }
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    );
    Err(Refusal::new(400, error, 90002, text))
}

/// The issuer that a discovery document names: of tokens of version 1 it is the one that they carry.
fn issuer(world: &World, request: &Request, tenant: &str, v2: bool) -> String {
    let named = if is_any(tenant) { "{tenantid}" } else { &world.config.tenant };
    if v2 {
        format!("{}/{named}/v2.0", request.origin)
    } else {
        tokens::issuer(&world.config).replace(&world.config.tenant, named)
    }
}

fn discovery(world: &World, request: &Request, tenant: &str, v2: bool) -> Result<Response, Refusal> {
    must_know(world, tenant, "invalid_tenant")?;
    let base = format!("{}/{tenant}", request.origin);
    let version = if v2 { "/v2.0" } else { "" };
    let document = json!({
        "token_endpoint": format!("{base}/oauth2{version}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery{version}/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(world, request, tenant, v2),
        "request_uri_parameter_supported": false,
        "authorization_endpoint": format!("{base}/oauth2{version}/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2{version}/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{base}/oauth2{version}/logout"),
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "oid", "tid", "ver"],
        "tenant_region_scope": if is_any(tenant) { Value::Null } else { json!("EU") },
        "cloud_instance_name": world.config.authority,
    });
    Ok(Response::json(200, &document))
}

fn keys(world: &World, request: &Request, tenant: &str, v2: bool) -> Result<Response, Refusal> {
    must_know(world, tenant, "invalid_tenant")?;
    let issuer = issuer(world, request, tenant, v2);
    Ok(Response::json(200, &tokens::published(&world.config, &issuer)))
}

fn instance(world: &World, request: &Request, tenant: &str) -> Response {
    let authority = &world.config.authority;
    Response::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", request.origin),
            "api-version": "1.1",
            "metadata": [{"preferred_network": authority, "preferred_cache": authority, "aliases": [authority]}],
        }),
    )
}

/// The fields of a form; empty ones are as good as none.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(request: &Request) -> Form {
        let mut fields: Vec<(String, String)> = match &request.body {
            Body::Bytes(bytes) => url::form_urlencoded::parse(bytes).into_owned().collect(),
            _ => Vec::new(),
        };
        if let Some((client, secret)) = basic(request) {
            fields.extend([("client_id".into(), client), ("client_secret".into(), secret)]);
        }
        Form(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }
}

/// Client and secret of `Authorization: Basic`.
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text =
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = text.split_once(':')?;
    Some((arm::id::decode(client), arm::id::decode(secret)))
}

/// The assertion of a token request whose issuer is not this world's own, with that issuer: whoever serves the world
/// asks it for its keys and tells them in [`federation::KEYS_HEADER`].
pub fn foreign_issuer(world: &World, request: &Request) -> Option<String> {
    let tail = segments(&request.path).split_first().map(|(_, tail)| tail.join("/").to_ascii_lowercase())?;
    if request.method != Method::Post || !["oauth2/v2.0/token", "oauth2/token"].contains(&tail.as_str()) {
        return None;
    }
    let form = Form::of(request);
    let issuer = tokens::claims_of(form.get("client_assertion")?)?["iss"].as_str()?.to_owned();
    (issuer != super::local_issuer(&world.config)).then_some(issuer)
}

fn known_client(world: &World, client: &str) -> Result<Principal, Refusal> {
    world.entra.by_client(client).cloned().ok_or_else(|| {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory 'Local Azure'. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user in \
             the tenant. You may have sent your authentication request to the wrong tenant."
        );
        Refusal::new(400, "unauthorized_client", 700_016, text)
    })
}

/// `POST …/token`.
fn token(world: &World, request: &Request, tenant: &str, v2: bool) -> Result<Response, Refusal> {
    let form = Form::of(request);
    must_know(world, tenant, "invalid_request")?;
    let grant = form.need("grant_type")?;
    if grant != "client_credentials" {
        return Err(other_grant(world, &form, grant));
    }
    let principal = known_client(world, form.need("client_id")?)?;
    authenticate(world, request, &form, &principal)?;
    let audience = if v2 { resource_of(form.need("scope")?)? } else { form.need("resource")? };
    must_be_resource(world, audience)?;
    let token = tokens::issue_by_grant(world, &principal, audience);
    let seconds = token.expires_on.as_second() - world.now.as_second();
    let mut answer = json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token.access_token,
    });
    if !v2 {
        answer = json!({
            "token_type": "Bearer",
            "expires_in": seconds.to_string(),
            "ext_expires_in": seconds.to_string(),
            "expires_on": token.expires_on.as_second().to_string(),
            "not_before": world.now.as_second().to_string(),
            "resource": audience,
            "access_token": token.access_token,
        });
    }
    Ok(Response::json(200, &answer).with("cache-control", "no-store, no-cache").with("pragma", "no-cache"))
}

/// Whether the client has shown that it is `principal`, by secret or by assertion.
fn authenticate(world: &World, request: &Request, form: &Form, principal: &Principal) -> Result<(), Refusal> {
    let client = &principal.client_id;
    match (form.get("client_assertion"), form.get("client_secret")) {
        (Some(assertion), _) => {
            let kind = form.need("client_assertion_type")?;
            if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
                let text = format!(
                    "The 'client_assertion_type' parameter has the value '{kind}', which is not supported."
                );
                return Err(Refusal::new(400, "invalid_request", 900_144, text));
            }
            federation::judge(world, request, principal, assertion)
        }
        (None, Some(secret)) if by_secret(world, client, secret).is_some() => Ok(()),
        (None, Some(_)) => Err(Refusal::client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client}'."
            ),
        )),
        (None, None) => Err(without_credential()),
    }
}

fn without_credential() -> Refusal {
    let text =
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    Refusal::client(7_000_218, text)
}

/// The resource that a scope asks for all permissions of.
fn resource_of(scope: &str) -> Result<&str, Refusal> {
    let parts: Vec<&str> = scope.split_whitespace().collect();
    let resources: Vec<&str> = parts.iter().filter_map(|part| part.strip_suffix("/.default")).collect();
    match (resources.as_slice(), parts.len()) {
        ([resource], 1) => Ok(resource),
        ([], _) => Err(Refusal::new(
            400,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )),
        _ => Err(Refusal::new(
            400,
            "invalid_scope",
            70011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {scope} is not valid. .default scope can't be combined with \
                 resource-specific scopes."
            ),
        )),
    }
}

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Grants that are for people, of whom there are none here.
fn other_grant(world: &World, form: &Form, grant: &str) -> Refusal {
    let malformed =
        || Refusal::new(400, "invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.");
    const KNOWN: [&str; 6] = [
        "password",
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        DEVICE_CODE_GRANT,
        "device_code",
    ];
    if !KNOWN.contains(&grant) {
        let text = format!("The app requested an unsupported grant type '{grant}'.");
        return Refusal::new(400, "unsupported_grant_type", 70003, text);
    }
    let judge = || -> Result<Refusal, Refusal> {
        let client = form.need("client_id")?;
        let principal = known_client(world, client)?;
        let secret = form.get("client_secret");
        let shown = secret.is_some_and(|secret| by_secret(world, &principal.client_id, secret).is_some());
        Ok(match grant {
            "password" => {
                form.need("username")?;
                form.need("password")?;
                Refusal::new(
                    400,
                    "invalid_grant",
                    50034,
                    format!(
                        "The user account {{EUII Hidden}} does not exist in the {} directory. To sign into this \
                         application, the account must be added to the directory.",
                        world.config.tenant
                    ),
                )
            }
            "authorization_code" => {
                form.need("code")?;
                malformed()
            }
            "refresh_token" => {
                form.need("refresh_token")?;
                malformed()
            }
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                form.need("assertion")?;
                Refusal::new(400, "invalid_grant", 50027, "JWT token is invalid or malformed.")
            }
            // a device's code, by both of the grant's names
            _ => {
                let code = form.get("device_code").map_or_else(|| form.need("code"), Ok)?;
                if !shown {
                    return Err(without_credential());
                }
                pending(world, code)
            }
        })
    };
    judge().unwrap_or_else(|refusal| refusal)
}

/// How long a device code can be used.
const DEVICE_CODE_SECONDS: i64 = 900;

/// `POST …/devicecode`: a code that nobody will ever enter, since there are no people here.
fn device_code(world: &World, request: &Request, tenant: &str) -> Result<Response, Refusal> {
    let form = Form::of(request);
    must_know(world, tenant, "invalid_request")?;
    let principal = known_client(world, form.need("client_id")?)?;
    let user_code =
        chance::word(world.config.seed, &format!("device {}", request.id), 9).to_ascii_uppercase();
    let expires = world.now.as_second() + DEVICE_CODE_SECONDS;
    let code = tokens::sign(
        world,
        &json!({"aud": "devicecode", "sub": principal.object_id, "exp": expires, "jti": user_code}),
    );
    let address = format!("{}/common/oauth2/deviceauth", request.origin);
    Ok(Response::json(
        200,
        &json!({
            "user_code": user_code, "device_code": code, "verification_uri": address,
            "expires_in": DEVICE_CODE_SECONDS, "interval": 5,
            "message": format!("To sign in, use a web browser to open the page {address} and enter the code \
                                {user_code} to authenticate."),
        }),
    ))
}

fn pending(world: &World, code: &str) -> Refusal {
    match tokens::open(world, code).filter(|claims| claims["aud"] == "devicecode") {
        None => Refusal::new(400, "bad_verification_code", 70018, "Invalid verification code."),
        Some(claims) if claims["exp"].as_i64().is_none_or(|at| at <= world.now.as_second()) => Refusal::new(
            400,
            "expired_token",
            70020,
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
        ),
        Some(_) => Refusal::new(
            400,
            "authorization_pending",
            70016,
            "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
        ),
    }
}

/// Refuses what no token can be had for.
pub(super) fn must_be_resource(world: &World, audience: &str) -> Result<(), Refusal> {
    if is_resource(world, audience) {
        return Ok(());
    }
    let text = format!(
        "The resource principal named {audience} was not found in the tenant named Local Azure. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    );
    Err(Refusal::new(400, "invalid_resource", 500_011, text))
}

/// What tokens can be had for: this world's own addresses, the public names of Azure's services, and its own
/// applications.
pub(super) fn is_resource(world: &World, audience: &str) -> bool {
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
        // Microsoft's own applications by id: Resource Manager, Key Vault, Storage, Microsoft Graph
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        "e406a681-f3d4-42a8-90b6-c2b029497af1",
        "00000003-0000-0000-c000-000000000000",
    ];
    let audience = audience.trim_end_matches('/');
    let application = audience.strip_prefix("api://").unwrap_or(audience);
    if PUBLIC.iter().any(|known| known.eq_ignore_ascii_case(audience))
        || world.entra.by_client(application).is_some()
    {
        return true;
    }
    let Ok(url) = url::Url::parse(audience) else { return false };
    let host = url.host_str().unwrap_or_default();
    is_local(&world.config, host, url.port())
        || host.ends_with(".blob.core.windows.net")
        || host.ends_with(".documents.azure.com")
        || host.ends_with(".azconfig.io")
}

fn is_local(config: &Config, host: &str, port: Option<u16>) -> bool {
    (host == "localhost" || host == "127.0.0.1" || host.ends_with(".localhost"))
        && port.is_none_or(|port| port == config.port)
}
