//! What every request to ARM passes, in ARM's order: a token for ARM, the token buckets, `api-version`, a body
//! that can be read.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::without_nulls;
use crate::world::entra::{self, Claims};
use crate::world::{Body, Method, Request, World, access, templates};

/// ARM's limit for a request's body.
pub const BODY_MAX: usize = 4 * 1024 * 1024;

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Object id of the principal.
    pub object_id: String,
    /// Its application (client) id.
    pub client_id: String,
    /// The deployment stack that works in its name: what that stack denies is not denied to it.
    pub stack: Option<String>,
}

impl From<&Claims> for Caller {
    fn from(claims: &Claims) -> Caller {
        Caller { object_id: claims.oid.clone(), client_id: claims.appid.clone(), stack: None }
    }
}

/// A token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    left: f64,
    at: Timestamp,
}

/// Lets a request in: who asks, and the body as JSON (`Null` when there is none). `headers` gets what ARM tells
/// about the buckets whether or not the request is refused.
pub fn pass(
    world: &mut World,
    request: &Request,
    headers: &mut Vec<(String, String)>,
) -> Result<(Caller, Value), Refusal> {
    let caller = authenticate(world, request)?;
    throttle(world, request, &caller, headers)?;
    api_version(request)?;
    let body = body(request)?;
    Ok((caller, body))
}

fn authenticate(world: &World, request: &Request) -> Result<Caller, Refusal> {
    let challenge = |error: &str, description: &str| {
        format!(
            "Bearer authorization_uri=\"{}/{}\", error=\"{error}\", error_description=\"{description}\"",
            world.config.origin(),
            world.config.tenant
        )
    };
    let refuse = |code: &str, message: &str| {
        Refusal::new(401, code, message).with("www-authenticate", challenge("invalid_token", message))
    };
    let Some(header) = request.header("authorization") else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(refuse("AuthenticationFailed", message));
    };
    let Some(token) = entra::bearer_of(header) else {
        let message = "The 'Authorization' header is provided in an invalid format.";
        return Err(refuse("AuthenticationFailedInvalidHeader", message));
    };
    match entra::verify(world, token, &entra::arm_audiences(&world.config)) {
        Ok(claims) => Ok(Caller::from(&claims)),
        Err(entra::Unfit::Malformed) => {
            Err(refuse("InvalidAuthenticationToken", "The access token is invalid."))
        }
        Err(entra::Unfit::Expired { at }) => {
            let now = super::stamp(world.now);
            let message =
                format!("The access token expiry UTC time '{at}' is earlier than current UTC time '{now}'.");
            Err(refuse("ExpiredAuthenticationToken", &message))
        }
        Err(entra::Unfit::NotYet) => {
            Err(refuse("InvalidAuthenticationToken", "The access token is not yet valid."))
        }
        Err(entra::Unfit::Audience { got }) => {
            let message = format!(
                "The access token has been obtained for wrong audience or resource '{got}'. It should exactly match \
                 with one of the allowed audiences {}.",
                entra::arm_audiences(&world.config)
                    .iter()
                    .map(|audience| format!("'{audience}'"))
                    .collect::<Vec<_>>()
                    .join(",")
            );
            Err(refuse("InvalidAuthenticationTokenAudience", &message))
        }
        Err(entra::Unfit::Tenant { got }) => {
            let message = format!(
                "The access token is from the wrong issuer 'https://sts.windows.net/{got}/'. It must match the \
                 tenant 'https://sts.windows.net/{}/' associated with this subscription. Please use the authority \
                 (URL) '{}/{}' to get the token.",
                world.config.tenant,
                world.config.origin(),
                world.config.tenant
            );
            Err(refuse("InvalidAuthenticationTokenTenant", &message))
        }
    }
}

/// Reads: 250 in the bucket, 25 a second; writes and deletes: 200 and 10. On top 15 times that for the whole
/// subscription. Seconds are Azure's: at speed 0.05 a bucket fills twenty times as fast, at speed 0 none is empty.
fn throttle(
    world: &mut World,
    request: &Request,
    caller: &Caller,
    headers: &mut Vec<(String, String)>,
) -> Result<(), Refusal> {
    let (kind, capacity, rate) = match request.method {
        Method::Get | Method::Head => ("reads", 250.0, 25.0),
        Method::Delete => ("deletes", 200.0, 10.0),
        _ => ("writes", 200.0, 10.0),
    };
    let in_subscription = request
        .path
        .split('/')
        .find(|segment| !segment.is_empty())
        .is_some_and(|first| first.eq_ignore_ascii_case("subscriptions"));
    let scope = if in_subscription { "subscription" } else { "tenant" };
    let own = take(world, format!("{scope} {kind} {}", caller.object_id), capacity, rate);
    let all = take(world, format!("{scope} {kind}"), capacity * 15.0, rate * 15.0);
    let left = own.unwrap_or(0.0).floor().max(0.0);
    headers.push((format!("x-ms-ratelimit-remaining-{scope}-{kind}"), format!("{left}")));
    if scope == "subscription" {
        let left = all.unwrap_or(0.0).floor().max(0.0);
        headers.push((format!("x-ms-ratelimit-remaining-subscription-global-{kind}"), format!("{left}")));
    }
    if own.is_some() && all.is_some() {
        return Ok(());
    }
    let wait = (world.config.speed / rate).ceil().max(1.0);
    Err(Refusal::new(
        429,
        "SubscriptionRequestsThrottled",
        format!(
            "Number of requests for subscription '{}' actor '{}' exceeded the limit for {kind}. Please try again \
             after '{wait}' seconds after additional tokens are available. Refer to \
             https://aka.ms/arm-throttling for additional information.",
            world.config.subscription, caller.object_id
        ),
    )
    .with("retry-after", format!("{wait}")))
}

/// Takes one token; what is left, or `None` when there was none.
fn take(world: &mut World, bucket: String, capacity: f64, rate: f64) -> Option<f64> {
    let now = world.now;
    let speed = world.config.speed;
    let bucket = world.arm.buckets.entry(bucket).or_insert(Bucket { left: capacity, at: now });
    let gone = now.duration_since(bucket.at).as_secs_f64();
    bucket.left = if speed > 0.0 { (bucket.left + gone * rate / speed).min(capacity) } else { capacity };
    bucket.at = now;
    if bucket.left < 1.0 {
        return None;
    }
    bucket.left -= 1.0;
    Some(bucket.left)
}

/// Any well-formed version is served; a missing or malformed one is refused.
fn api_version(request: &Request) -> Result<(), Refusal> {
    let Some(version) = request.query("api-version").filter(|version| !version.is_empty()) else {
        return Err(Refusal::bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if is_version(version) {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidApiVersionParameter",
        format!(
            "The api-version '{version}' is invalid. The supported versions are those of the form 'YYYY-MM-DD' and \
             'YYYY-MM-DD-preview'."
        ),
    ))
}

fn is_version(version: &str) -> bool {
    let bytes = version.as_bytes();
    let Some(date) = bytes.get(..10) else { return false };
    let shaped = date.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let month: u8 = version.get(5..7).and_then(|m| m.parse().ok()).unwrap_or(0);
    let day: u8 = version.get(8..10).and_then(|d| d.parse().ok()).unwrap_or(0);
    let tail = version.get(10..).unwrap_or_default();
    shaped
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (tail.is_empty()
            || (tail.len() > 1
                && tail.starts_with('-')
                && tail[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')))
}

/// The body as JSON. Nulls in what a PUT or POST carries are dropped, in a PATCH they mean something.
fn body(request: &Request) -> Result<Value, Refusal> {
    let bytes = match &request.body {
        Body::Empty => return Ok(Value::Null),
        Body::Bytes(bytes) => bytes,
        Body::Stored(_) => return Err(too_large()),
    };
    if bytes.len() > BODY_MAX {
        return Err(too_large());
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    // a body with a template in it is no strict JSON: deployments read it themselves
    if templates::takes_template(&request.path) {
        return Ok(Value::Null);
    }
    // ARM takes a byte order mark, as its .NET readers do
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes).map_err(|why| {
        Refusal::bad(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        )
    })?;
    Ok(if request.method == Method::Patch { value } else { without_nulls(&value) })
}

fn too_large() -> Refusal {
    Refusal::new(413, "RequestEntityTooLarge", "The request content size exceeds the maximum size of 4 MB.")
}

/// Refuses when the caller lacks the right for `action` over `scope`, or a deployment stack denies it.
pub fn authorize(world: &World, caller: &Caller, action: &str, scope: &super::Id) -> Result<(), Refusal> {
    if access::allows(world, &caller.object_id, access::Act::Control(action), &scope.to_string()) {
        return templates::stacks::permit(world, caller, action, scope);
    }
    Err(Refusal::new(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over \
             scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
             credentials.",
            caller.client_id, caller.object_id
        ),
    ))
}

/// A body that must be an object.
pub fn object(body: &Value) -> Result<Value, Refusal> {
    match body {
        Value::Object(_) => Ok(body.clone()),
        Value::Null => Err(Refusal::bad(
            "MissingRequestBody",
            "The request content is invalid because it's missing a body.",
        )),
        _ => Err(Refusal::bad(
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: 'a JSON object was expected'.",
        )),
    }
}

/// `{"value": […]}`.
pub fn list(values: Vec<Value>) -> Value {
    json!({"value": values})
}
