//! `/_local/…`: what Azure has not: the clock, faults, names, the local issuer of assertions. Without token or api-version,
//! on loopback only.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::arm::refusal::Refusal;
use super::{Body, Method, Request, Response, World, dns, entra, faults, outage};

/// Whether a path is local Azure's own.
pub(super) fn claims(path: &str) -> bool {
    path.starts_with("/_local/")
}

pub(super) fn handle(world: &mut World, request: &Request) -> Response {
    serve(world, request).unwrap_or_else(Response::from)
}

fn serve(world: &mut World, request: &Request) -> Result<Response, Refusal> {
    let body = match &request.body {
        Body::Bytes(bytes) if !bytes.is_empty() => serde_json::from_slice(bytes)
            .map_err(|why| Refusal::bad("InvalidRequestContent", format!("The body is no JSON: {why}.")))?,
        _ => Value::Null,
    };
    match (request.path.trim_end_matches('/'), request.method) {
        ("/_local/clock", Method::Get) => Ok(now(world)),
        ("/_local/clock", Method::Post) => {
            let advance = body["advance"].as_str().unwrap_or_default();
            let Some(seconds) = seconds_of(advance).filter(|seconds| *seconds >= 0.0) else {
                let message = format!(
                    "'{advance}' is no duration to advance by: {{\"advance\": \"PT12H\"}} and \"90s\", \"5m\", \"12h\", \"7d\" are."
                );
                return Err(Refusal::bad("InvalidDuration", message));
            };
            forward(world, SignedDuration::from_secs_f64(seconds));
            Ok(now(world))
        }
        ("/_local/dns", method) => dns::serve(world, method, &body),
        ("/_local/faults", method) => faults::serve(world, method, &body),
        ("/_local/kill", method) => outage::serve(world, method, &body),
        ("/_local/assertion", Method::Post) => {
            let subject = body["subject"].as_str().unwrap_or("local");
            let audience = body["audience"].as_str().unwrap_or("api://AzureADTokenExchange");
            Ok(Response::json(
                200,
                &json!({"assertion": entra::assertion(world, subject, audience),
                        "issuer": entra::local_issuer(&world.config), "subject": subject, "audience": audience}),
            ))
        }
        ("/_local/issuer/.well-known/openid-configuration", Method::Get) => Ok(Response::json(
            200,
            &json!({"issuer": entra::local_issuer(&world.config),
                    "jwks_uri": format!("{}/_local/issuer/keys", world.config.origin()),
                    "id_token_signing_alg_values_supported": ["RS256"]}),
        )),
        ("/_local/issuer/keys", Method::Get) => Ok(Response::json(200, &entra::local_keys(&world.config))),
        _ => Err(Refusal::missing("NotFound", format!("Local Azure has nothing at '{}'.", request.path))),
    }
}

/// Moves the world ahead of its callers' clock: what is due on the way happens, in order.
fn forward(world: &mut World, by: SignedDuration) {
    world.ahead = world.ahead.saturating_add(by);
    let to = world.now.saturating_add(by).unwrap_or(Timestamp::MAX);
    world.advance(to);
}

fn now(world: &World) -> Response {
    Response::json(200, &json!({"now": world.now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()}))
}

/// Seconds of `PT12H`, `P7D`, `90s`, `5m`, `12h`, `7d`.
pub fn seconds_of(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.starts_with(['P', 'p']) {
        let span: jiff::Span = text.parse().ok()?;
        let relative = jiff::SpanRelativeTo::days_are_24_hours();
        return span.total((jiff::Unit::Second, relative)).ok();
    }
    let unit = text.chars().last()?;
    let factor = match unit.to_ascii_lowercase() {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86400.0,
        _ => return None,
    };
    let number: f64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    number.is_finite().then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_both_forms() {
        for (text, seconds) in [
            ("PT12H", 43200.0),
            ("P7D", 604_800.0),
            ("90s", 90.0),
            ("1.5m", 90.0),
            ("7d", 604_800.0),
            ("PT0.5S", 0.5),
        ] {
            assert_eq!(seconds_of(text), Some(seconds), "{text}");
        }
        for text in ["", "12", "h", "PT", "tomorrow", "infd"] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}
