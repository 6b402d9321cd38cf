//! Client assertions: matched with the federated credentials of an identity, and checked with their issuer's keys.

use serde_json::{Value, json};

use super::endpoint::Refusal;
use super::{Principal, tokens};
use crate::world::arm::id::Id;
use crate::world::{Config, Request, World, arm, crypto};

/// What whoever serves the world tells of the issuer of an assertion: its JSON Web Key Set, or `{"error": "why"}`.
pub const KEYS_HEADER: &str = "x-landfall-issuer-keys";

/// How far the clocks of an issuer and of Entra may differ.
const SKEW_SECONDS: i64 = 300;

/// Issuer of the assertions that `POST /_local/assertion` signs: what stands in for a pipeline's own.
pub fn local_issuer(config: &Config) -> String {
    format!("{}/_local/issuer", config.origin())
}

/// The local issuer's keys: the tenant's.
pub fn local_keys(config: &Config) -> Value {
    tokens::published(config, &local_issuer(config))
}

/// A signed assertion of the local issuer.
pub fn assertion(world: &World, subject: &str, audience: &str) -> String {
    let now = world.now.as_second();
    tokens::sign(
        world,
        &json!({"iss": local_issuer(&world.config), "sub": subject, "aud": audience, "iat": now, "nbf": now,
                "exp": now + 600}),
    )
}

/// What an identity trusts.
struct Trust {
    issuer: String,
    subject: String,
    audiences: Vec<Value>,
}

/// The federated credentials of an identity. The owner of the subscription trusts the local issuer for any subject.
fn trusted(world: &World, principal: &Principal, claims: &Value) -> Vec<Trust> {
    let Some(identity) = &principal.resource else {
        return vec![Trust {
            issuer: local_issuer(&world.config),
            subject: claims["sub"].as_str().unwrap_or_default().to_owned(),
            audiences: vec![claims["aud"].clone()],
        }];
    };
    Id::parse(identity)
        .into_iter()
        .flat_map(|id| world.arm.below(&id))
        .filter(|(_, credential)| credential.kind.ends_with("/federatedIdentityCredentials"))
        .map(|(_, credential)| Trust {
            issuer: credential.text("/properties/issuer").to_owned(),
            subject: credential.text("/properties/subject").to_owned(),
            audiences: credential.properties()["audiences"].as_array().cloned().unwrap_or_default(),
        })
        .collect()
}

/// Whether an assertion shows that its bearer is `principal`.
pub(super) fn judge(
    world: &World,
    request: &Request,
    principal: &Principal,
    assertion: &str,
) -> Result<(), Refusal> {
    let malformed = || Refusal::client(50027, "JWT token is invalid or malformed.");
    let (header, claims) =
        tokens::header_of(assertion).zip(tokens::claims_of(assertion)).ok_or_else(malformed)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    if text("iss").eq_ignore_ascii_case(&principal.client_id) {
        return Err(by_certificate(principal, &header));
    }
    must_match(&trusted(world, principal, &claims), principal, &claims)?;
    let algorithm = header["alg"].as_str().unwrap_or_default();
    if !["RS256", "RS384", "RS512"].contains(&algorithm) {
        return Err(Refusal::client(
            5_002_738,
            format!(
                "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported signing algorithms \
                 are: 'RS256, RS384, RS512'."
            ),
        ));
    }
    must_be_signed(&keys(world, request, text("iss"))?, assertion, &header)?;
    must_be_in_time(world, &claims)
}

/// An assertion that the application signed itself. No application here has a certificate.
fn by_certificate(principal: &Principal, header: &Value) -> Refusal {
    let id = header["x5t"].as_str().or(header["x5t#S256"].as_str()).or(header["kid"].as_str());
    let Some(id) = id else {
        return Refusal::client(
            50027,
            "JWT token is invalid or malformed. No certificate thumbprint specified in token header.",
        );
    };
    let thumbprint = tokens::decode(id).map_or_else(|| id.to_owned(), hex::encode_upper);
    Refusal::client(
        700_027,
        format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. \
             [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}', Please visit the Azure \
             Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{}'.]",
            principal.client_id
        ),
    )
}

/// Each of the three that an assertion is matched by has a code of its own.
fn must_match(trusted: &[Trust], principal: &Principal, claims: &Value) -> Result<(), Refusal> {
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let (issuer, subject) = (text("iss"), text("sub"));
    let audiences: Vec<&Value> = match &claims["aud"] {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    if trusted.is_empty() {
        let text =
            format!("The client '{}' has no configured federated identity credentials.", principal.client_id);
        return Err(Refusal::client(70025, text));
    }
    let missing = |number: u32, what: &str, value: &str| {
        Err(Refusal::client(
            number,
            format!(
                "No matching federated identity record found for presented assertion {what} '{value}'. Please check \
                 your federated identity credential Subject, Audience and Issuer against the presented assertion. \
                 https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
            ),
        ))
    };
    let by_issuer: Vec<&Trust> = trusted.iter().filter(|it| it.issuer == issuer).collect();
    if by_issuer.is_empty() {
        return missing(700_211, "issuer", issuer);
    }
    let by_subject: Vec<&Trust> = by_issuer.into_iter().filter(|it| it.subject == subject).collect();
    if by_subject.is_empty() {
        return missing(700_213, "subject", subject);
    }
    if !by_subject.iter().any(|it| it.audiences.iter().any(|known| audiences.contains(&known))) {
        return missing(
            700_212,
            "audience",
            audiences.first().and_then(|it| it.as_str()).unwrap_or_default(),
        );
    }
    Ok(())
}

/// The keys of an issuer, as it tells them now.
fn keys(world: &World, request: &Request, issuer: &str) -> Result<Value, Refusal> {
    if issuer == local_issuer(&world.config) {
        return Ok(local_keys(&world.config));
    }
    let told: Value =
        request.header(KEYS_HEADER).and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default();
    if told["keys"].is_array() {
        return Ok(told);
    }
    let why = told["error"].as_str().unwrap_or("it was not asked");
    Err(Refusal::new(
        400,
        "invalid_request",
        50166,
        format!("Request to External OIDC endpoint failed. '{issuer}': {why}."),
    ))
}

fn must_be_signed(keys: &Value, assertion: &str, header: &Value) -> Result<(), Refusal> {
    let failed = |why: &str| {
        Err(Refusal::client(
            50013,
            format!(
                "Assertion failed signature validation. [Reason - {why}, Thumbprint of key used by client: '{}']",
                header["kid"].as_str().unwrap_or_default()
            ),
        ))
    };
    let keys: Vec<&Value> = keys["keys"].as_array().into_iter().flatten().collect();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]);
    let Some(key) = key.filter(|_| header["kid"].is_string()) else {
        return failed("The key was not found.");
    };
    let algorithm = header["alg"].as_str().unwrap_or_default();
    let verified = assertion.rsplit_once('.').and_then(|(text, signature)| {
        let digest = crypto::digest(algorithm, text.as_bytes())?;
        crypto::verify(key, algorithm, &digest, &tokens::decode(signature)?)
    });
    if verified == Some(true) {
        Ok(())
    } else {
        failed("The provided signature value did not match the expected signature value.")
    }
}

fn must_be_in_time(world: &World, claims: &Value) -> Result<(), Refusal> {
    let now = world.now.as_second();
    let (from, until) = (claims["nbf"].as_i64().or(claims["iat"].as_i64()), claims["exp"].as_i64());
    if until.is_some_and(|until| until > now) && from.is_none_or(|from| from <= now + SKEW_SECONDS) {
        return Ok(());
    }
    let show = |at: Option<i64>| {
        at.and_then(|at| jiff::Timestamp::from_second(at).ok())
            .map(arm::stamp)
            .unwrap_or_else(|| "none".into())
    };
    Err(Refusal::client(
        700_024,
        format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry \
             time of assertion {}. Review the documentation at \
             https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            arm::stamp(world.now),
            show(from),
            show(until)
        ),
    ))
}
