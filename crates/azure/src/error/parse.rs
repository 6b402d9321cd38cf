//! The shapes in which Azure refuses, brought into one.

use super::Detail;
use serde_json::Value;
use std::error::Error as StdError;
use std::io;

/// Nested errors are followed this deep; deployments within deployments stay well below.
const DEEPEST: usize = 12;

/// The longest message kept of a body that is not an error document.
const LONGEST_TEXT: usize = 400;

/// What a refusing answer says, and the id that it names itself by, if it does so in the body.
pub(super) fn refusal(status: u16, body: &[u8]) -> (Detail, Option<String>) {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        if let Some(detail) = oauth(&value) {
            return (detail, get(&value, "trace_id").and_then(Value::as_str).map(str::to_string));
        }
        if let Some(detail) = document(&value, 0) {
            return (detail, None);
        }
        if let Value::String(text) = &value
            && !text.is_empty()
        {
            return (Detail::new("", shorten(text)), None);
        }
    }
    let words = if text.is_empty() || text.starts_with(['{', '[']) || text == "null" {
        format!("Azure refused without a word (HTTP {status}{})", reason(status))
    } else if looks_like_markup(text) {
        match of_markup(text) {
            Some(title) => format!("a page instead of an answer: {title} (HTTP {status})"),
            None => format!("a page instead of an answer (HTTP {status}{})", reason(status)),
        }
    } else {
        shorten(text)
    };
    (Detail::new("", words), None)
}

/// What the status document, or the resource, of a failed operation says.
pub(super) fn failed_operation(state: &str, body: &Value) -> Detail {
    let properties = get(body, "properties");
    let nested = [Some(body), properties]
        .into_iter()
        .flatten()
        .find_map(|place| get(place, "error").and_then(|error| one(error, 0)));
    let mut detail = nested.unwrap_or_default();
    // Container Apps tells the reason beside the state.
    for name in ["deploymentErrors", "provisioningError", "runningStatusDetails", "statusMessage"] {
        match properties.and_then(|properties| get(properties, name)) {
            Some(Value::String(text)) if !text.is_empty() && !detail.message.contains(text.as_str()) => {
                detail.details.push(Detail::new("", text.clone()));
            }
            Some(error @ Value::Object(_)) => detail.details.extend(one(error, 0)),
            _ => {}
        }
    }
    if detail.message.is_empty() {
        detail.message = if state.eq_ignore_ascii_case("canceled") || state.eq_ignore_ascii_case("cancelled")
        {
            "the operation was cancelled".into()
        } else {
            "the operation failed, and Azure does not say why".into()
        };
    }
    if detail.code.is_empty() {
        detail.code =
            if state.eq_ignore_ascii_case("failed") { "OperationFailed".into() } else { state.to_string() };
    }
    detail
}

/// `{"error": {…}}`, `{"errors": […]}`, or an error without a wrapper.
fn document(value: &Value, depth: usize) -> Option<Detail> {
    if let Some(error) = get(value, "error")
        && let Some(detail) = one(error, depth)
    {
        return Some(detail);
    }
    if let Some(Value::Array(errors)) = get(value, "errors") {
        let mut all = errors.iter().filter_map(|error| one(error, depth));
        let mut first = all.next()?;
        first.details.extend(all);
        return Some(first);
    }
    one(value, depth)
}

fn one(value: &Value, depth: usize) -> Option<Detail> {
    if depth > DEEPEST {
        return None;
    }
    if let Value::String(text) = value {
        return (!text.is_empty()).then(|| Detail::new("", shorten(text)));
    }
    let text = |name: &str| match get(value, name) {
        Some(Value::String(text)) => text.trim().to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let mut detail = Detail {
        code: text("code"),
        message: text("message"),
        target: Some(text("target")).filter(|target| !target.is_empty()),
        details: Vec::new(),
    };
    if let Some(Value::Array(nested)) = get(value, "details") {
        detail.details.extend(nested.iter().filter_map(|nested| one(nested, depth + 1)));
    }
    for name in ["innererror", "ErrorEntity"] {
        if let Some(inner) = get(value, name) {
            detail.details.extend(one(inner, depth + 1));
        }
    }
    let extended = text("ExtendedCode");
    if !extended.is_empty() && extended != detail.code {
        detail.details.push(Detail::new(&extended, ""));
    }
    if let Some(Value::Array(additional)) = get(value, "additionalInfo") {
        detail.details.extend(additional.iter().filter_map(policy));
    }
    // A deployment's message is often the JSON of the error it wraps.
    if detail.message.starts_with('{')
        && let Ok(inner) = serde_json::from_str::<Value>(&detail.message)
        && let Some(inner) = document(&inner, depth + 1)
    {
        detail.message = inner.message.clone();
        detail.details.push(inner);
    }
    let says_something = !detail.code.is_empty() || !detail.message.is_empty() || !detail.details.is_empty();
    if detail.message.is_empty()
        && let Some(below) = detail.details.iter().find(|below| !below.message.is_empty())
    {
        detail.message = below.message.clone();
    }
    says_something.then_some(detail)
}

/// Which policy refused: only the additional information names it.
fn policy(value: &Value) -> Option<Detail> {
    let info = get(value, "info")?;
    let name = ["policyAssignmentDisplayName", "policyDefinitionDisplayName", "policyAssignmentName"]
        .into_iter()
        .find_map(|name| get(info, name).and_then(Value::as_str).filter(|name| !name.is_empty()))?;
    Some(Detail::new("PolicyViolation", format!("the policy is \"{name}\"")))
}

/// `{"error": "invalid_client", "error_description": "AADSTS…: …\r\nTrace ID: …"}`.
fn oauth(value: &Value) -> Option<Detail> {
    let kind = get(value, "error")?.as_str()?;
    let description = get(value, "error_description").and_then(Value::as_str).unwrap_or_default();
    Some(entra(kind, description))
}

/// Entra's words, with the number that says what they mean as the code.
pub(super) fn entra(kind: &str, description: &str) -> Detail {
    let number = aadsts(description);
    let words = description.split(" Trace ID:").next().unwrap_or_default();
    let words = words.lines().next().unwrap_or_default().trim();
    let words = match &number {
        Some(number) => words.trim_start_matches(number.as_str()).trim_start_matches(':').trim(),
        None => words,
    };
    let mut detail =
        Detail::new(number.as_deref().unwrap_or(kind), if words.is_empty() { kind } else { words });
    if number.is_some() && !kind.is_empty() {
        detail.details.push(Detail::new(kind, ""));
    }
    detail
}

/// The first `AADSTS` code in a text.
pub(super) fn aadsts(text: &str) -> Option<String> {
    let at = text.find("AADSTS")?;
    let digits: String = text[at + 6..].chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

/// A field by its name without case: App Service and others write capitals.
fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    fields
        .get(name)
        .or_else(|| fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn looks_like_markup(text: &str) -> bool {
    text.starts_with('<')
}

fn of_markup(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    for tag in ["title", "h1", "h2", "message"] {
        let open = format!("<{tag}>");
        if let Some(start) = lower.find(&open).map(|at| at + open.len())
            && let Some(length) = lower[start..].find("</")
        {
            let words = text[start..start + length].split_whitespace().collect::<Vec<_>>().join(" ");
            if !words.is_empty() {
                return Some(shorten(&words));
            }
        }
    }
    None
}

fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn reason(status: u16) -> String {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default()
}

pub(super) struct Failure {
    pub code: &'static str,
    pub reason: String,
    pub before_sending: bool,
}

/// Why no answer came: read from the chain of causes, since the outermost says only "error sending request".
pub(super) fn transport(cause: &(dyn StdError + 'static)) -> Failure {
    let chain = chain_of(cause);
    let said: Vec<String> = chain.iter().map(|error| error.to_string()).collect();
    let reason = said.last().cloned().unwrap_or_default();
    let connecting = chain
        .iter()
        .any(|error| error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect));
    let timed_out = chain
        .iter()
        .any(|error| error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout));
    let io_kind = chain.iter().find_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind));
    let tls = chain.iter().find_map(|error| error.downcast_ref::<rustls::Error>());
    let code = if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
        "UntrustedCertificate"
    } else if timed_out || io_kind == Some(io::ErrorKind::TimedOut) {
        "TimedOut"
    } else if io_kind == Some(io::ErrorKind::ConnectionRefused) {
        "ConnectionRefused"
    } else if said.iter().any(|text| text.contains("dns error") || text.contains("failed to lookup address"))
    {
        "NameNotResolved"
    } else if connecting {
        "Unreachable"
    } else {
        "ConnectionLost"
    };
    let reason = match tls {
        Some(error) => error.to_string(),
        None => reason,
    };
    Failure { code, reason, before_sending: connecting }
}

/// The causes, outermost first. `io::Error` hides what it wraps from `source`, so that is looked into by hand.
fn chain_of<'a>(cause: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = vec![cause];
    let mut at = cause;
    loop {
        let wrapped = at.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let next = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => at.source(),
        };
        let Some(next) = next else { return chain };
        chain.push(next);
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(detail: &Detail) -> Vec<&str> {
        detail.walk().into_iter().map(|detail| detail.code.as_str()).collect()
    }

    fn parsed(status: u16, body: &str) -> Detail {
        refusal(status, body.as_bytes()).0
    }

    #[test]
    fn arm_with_nested_details_and_targets() {
        let detail = parsed(
            409,
            r#"{"error":{"code":"DeploymentFailed","target":"/subscriptions/s","message":"At least one resource deployment operation failed.","details":[{"code":"ResourceDeploymentFailure","message":"The resource write operation failed.","details":[{"code":"VaultAlreadyExists","message":"The vault name 'kv' is already in use.","target":"name"}]}]}}"#,
        );
        assert_eq!(codes(&detail), ["DeploymentFailed", "ResourceDeploymentFailure", "VaultAlreadyExists"]);
        assert_eq!(detail.details[0].details[0].target.as_deref(), Some("name"));
    }

    #[test]
    fn a_message_that_is_itself_json() {
        let detail = parsed(
            400,
            r#"{"error":{"code":"BadRequest","message":"{\r\n  \"error\": {\"code\": \"InvalidTemplate\", \"message\": \"it is wrong\"}}"}}"#,
        );
        assert_eq!(detail.message, "it is wrong");
        assert_eq!(codes(&detail), ["BadRequest", "InvalidTemplate"]);
    }

    #[test]
    fn app_service_writes_capitals() {
        let detail = parsed(
            409,
            r#"{"Code":"Conflict","Message":"Cannot modify this site because another operation is in progress.","Target":null,"Details":[{"Message":"Cannot modify this site because another operation is in progress."},{"Code":"Conflict"},{"ErrorEntity":{"ExtendedCode":"59203","MessageTemplate":"x","Code":"Conflict","Message":"Cannot modify this site"}}],"Innererror":null}"#,
        );
        assert_eq!(detail.code, "Conflict");
        assert!(codes(&detail).contains(&"59203"), "{detail:?}");
    }

    #[test]
    fn key_vault_has_an_inner_error() {
        let detail = parsed(
            403,
            r#"{"error":{"code":"Forbidden","message":"Caller is not authorized to perform action on resource.","innererror":{"code":"ForbiddenByRbac"}}}"#,
        );
        assert_eq!(codes(&detail), ["Forbidden", "ForbiddenByRbac"]);
    }

    #[test]
    fn entra_numbers_become_codes() {
        let (detail, trace) = refusal(
            401,
            br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: 12 Correlation ID: 34 Timestamp: 2026-01-01 00:00:00Z","error_codes":[7000215],"trace_id":"12","correlation_id":"34"}"#,
        );
        assert_eq!(codes(&detail), ["AADSTS7000215", "invalid_client"]);
        assert_eq!(detail.message, "Invalid client secret provided.");
        assert_eq!(trace.as_deref(), Some("12"));
    }

    #[test]
    fn registry_errors_are_a_list() {
        let detail = parsed(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository"}]},{"code":"DENIED","message":"requested access is denied"}]}"#,
        );
        assert_eq!(codes(&detail), ["UNAUTHORIZED", "DENIED"]);
    }

    #[test]
    fn policies_are_named() {
        let detail = parsed(
            403,
            r#"{"error":{"code":"RequestDisallowedByPolicy","message":"Resource 'x' was disallowed by policy.","additionalInfo":[{"type":"PolicyViolation","info":{"policyAssignmentDisplayName":"Allowed regions"}}]}}"#,
        );
        assert_eq!(detail.details[0].message, "the policy is \"Allowed regions\"");
    }

    #[test]
    fn pages_and_silence() {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
        assert_eq!(parsed(502, page).message, "a page instead of an answer: 502 Bad Gateway (HTTP 502)");
        assert_eq!(parsed(503, "").message, "Azure refused without a word (HTTP 503 Service Unavailable)");
        assert_eq!(
            parsed(500, "{}").message,
            "Azure refused without a word (HTTP 500 Internal Server Error)"
        );
        assert_eq!(
            parsed(500, "null").message,
            "Azure refused without a word (HTTP 500 Internal Server Error)"
        );
        assert_eq!(parsed(400, "\"just text\"").message, "just text");
        assert_eq!(parsed(400, "upstream connect error").message, "upstream connect error");
        let xml = "\u{feff}<?xml version=\"1.0\"?><Error><Code>X</Code><Message>The container is gone.\nRequestId:1</Message></Error>";
        assert!(parsed(404, xml).message.contains("The container is gone. RequestId:1"));
    }

    #[test]
    fn endless_nesting_ends() {
        let mut body = r#"{"code":"x","message":"m"}"#.to_string();
        for _ in 0..60 {
            body = format!(r#"{{"code":"x","message":"m","details":[{body}]}}"#);
        }
        let detail = parsed(400, &body);
        assert_eq!(detail.walk().len(), DEEPEST + 1);
    }

    #[test]
    fn a_failed_operation_tells_what_it_knows() {
        let told: Value = serde_json::from_str(
            r#"{"status":"Failed","error":{"code":"ContainerAppProvisioningFailed","message":"no"}}"#,
        )
        .unwrap();
        assert_eq!(failed_operation("Failed", &told).code, "ContainerAppProvisioningFailed");
        let silent = failed_operation("Canceled", &Value::Null);
        assert_eq!(
            (silent.code.as_str(), silent.message.as_str()),
            ("Canceled", "the operation was cancelled")
        );
        let resource: Value = serde_json::from_str(
            r#"{"properties":{"provisioningState":"Failed","deploymentErrors":"no addresses left"}}"#,
        )
        .unwrap();
        let detail = failed_operation("Failed", &resource);
        assert_eq!(detail.details[0].message, "no addresses left");
        assert_eq!(detail.code, "OperationFailed");
    }
}
