//! Takes secrets out of a payload before it is written anywhere.
//!
//! A transcript carries the tool calls of the agent, and with them the headers that it sent: `Authorization`, API
//! keys. Dynamic variables named `secret__…` hold what the platform promises to show to no model. Both are replaced
//! by [`HIDDEN`], wherever their values turn up again, also within JSON that is written into a string.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What stands where a secret was.
pub const HIDDEN: &str = "[hidden]";

/// Shorter values are not looked for elsewhere: too many words would be hidden with them.
const SHORTEST: usize = 6;

/// What makes an event the one that it is.
const IDENTITY: [&str; 2] = ["/type", "/data/conversation_id"];

/// JSON within strings within strings: deeper than this nobody writes it.
const DEEPEST: usize = 4;

/// Names of members whose values are secrets, in lower case and without separators.
const SECRET_NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "password",
    "passwd",
    "pwd",
    "secret",
    "clientsecret",
    "apikey",
    "xapikey",
    "xiapikey",
    "apitoken",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "token",
    "bearer",
    "privatekey",
    "connectionstring",
    "sharedaccesskey",
    "subscriptionkey",
    "ocpapimsubscriptionkey",
];

/// Headers that may be read by anybody; all others of a tool call are hidden.
const OPEN_HEADERS: &[&str] =
    &["accept", "acceptlanguage", "contenttype", "contentlength", "useragent", "host"];

/// Parameters of a URL that carry a secret.
static URL_SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)([?&;](?:[a-z_\-]*(?:key|token|secret|password|signature)|sig|code)=)[^&#\s]+")
        .expect("a pattern")
});

/// The user and password in a URL.
static URL_LOGIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(https?://)[^/\s@]+@").expect("a pattern"));

/// Where any of the patterns for text may match at all; most text has none of it.
static SUSPECT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)://|\b(?:bearer|basic)\s").expect("a pattern"));

/// Credentials in running text.
static BEARER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/\-]{8,}=*").expect("a pattern"));

/// A member of an object that is named like a secret, in text that is no JSON.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)("(?:secret__[^"]*|[a-z_\-]*(?:authorization|cookie|password|secret|api[_\-]?key|token)[a-z_\-]*)"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^,}\]\s]+)"#,
    )
    .expect("a pattern")
});

/// The payload without its secrets. What it is and which conversation it is about stays as it was, whatever a secret
/// says: two calls must not become one.
#[must_use]
pub fn scrub(mut payload: Value) -> Value {
    let plain = |value: &&Value| value.is_string() || value.is_number();
    let names = IDENTITY.map(|pointer| payload.pointer(pointer).filter(plain).cloned());
    let mut secrets = BTreeSet::new();
    hide(&mut payload, false, DEEPEST, &mut secrets);
    // The longest first, so that none is hidden in part by another.
    let mut secrets: Vec<String> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    everywhere(&mut payload, &secrets);
    for (pointer, name) in IDENTITY.iter().zip(names) {
        if let (Some(place), Some(name)) = (payload.pointer_mut(pointer), name) {
            *place = name;
        }
    }
    payload
}

/// Text that should have been a payload and is none, without what looks like a secret in it.
#[must_use]
pub fn scrub_text(text: &str) -> String {
    let text = MEMBER.replace_all(text, format!("${{1}}\"{HIDDEN}\""));
    in_text(&text)
}

/// A member's name in lower case and without separators, on the stack: every member of every payload has one.
struct Plain {
    bytes: [u8; 32],
    length: usize,
}

impl Plain {
    /// The name, cut off where it is longer than any of the known ones.
    fn of(name: &str) -> Plain {
        let mut plain = Plain { bytes: [0; 32], length: 0 };
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric).take(plain.bytes.len()) {
            plain.bytes[plain.length] = byte.to_ascii_lowercase();
            plain.length += 1;
        }
        plain
    }

    fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| name.as_bytes() == &self.bytes[..self.length])
    }
}

/// Members whose value names the value beside it: variables and headers are also written as lists of such pairs.
pub const NAMING: [&str; 3] = ["name", "variable_name", "key"];

/// Whether what has this name is a secret. Of headers everything is that is not known to be open.
pub fn is_secret(name: &str, header: bool) -> bool {
    let plain = Plain::of(name);
    let prefixed = name.as_bytes().get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"secret__"));
    prefixed || plain.is_one_of(SECRET_NAMES) || (header && !plain.is_one_of(OPEN_HEADERS))
}

/// Whether a text may be JSON itself.
fn is_nested(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Whether a text may hold a secret that no member's name tells of.
pub fn is_suspect(text: &str) -> bool {
    is_nested(text) || SUSPECT.is_match(text)
}

/// Whether a member holds headers: its name, without separators, ends so.
pub fn is_headers(name: &str) -> bool {
    let mut last = name.bytes().rev().filter(u8::is_ascii_alphanumeric);
    b"sredaeh".iter().all(|byte| last.next().is_some_and(|other| other.eq_ignore_ascii_case(byte)))
}

/// Hides what is named like a secret, and notes what it was. Within `headers` everything is a secret that is not
/// known to be open.
fn hide(value: &mut Value, headers: bool, depth: usize, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name, headers) {
                    note(member, secrets);
                    if !member.is_null() {
                        *member = HIDDEN.into();
                    }
                } else {
                    hide(member, is_headers(name), depth, secrets);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let named = NAMING.iter().find_map(|name| item[*name].as_str());
                let secret = named.is_some_and(|name| is_secret(name, headers));
                if secret && let Value::Object(members) = item {
                    for name in ["value", "new_value", "old_value"] {
                        if let Some(member) = members.get_mut(name).filter(|member| !member.is_null()) {
                            note(member, secrets);
                            *member = HIDDEN.into();
                        }
                    }
                }
                hide(item, headers, depth, secrets);
            }
        }
        Value::String(text) => {
            if depth > 0
                && is_nested(text)
                && let Ok(mut within) = serde_json::from_str::<Value>(text)
            {
                let before = within.clone();
                hide(&mut within, headers, depth - 1, secrets);
                if within != before {
                    *text = within.to_string();
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Notes the texts of a secret; of `Bearer X` also `X`.
fn note(value: &Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            secrets.insert(text.clone());
            if let Some((_, credential)) = text.split_once(' ') {
                secrets.insert(credential.trim().to_owned());
            }
        }
        Value::Number(number) => {
            secrets.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| note(item, secrets)),
        Value::Object(members) => members.values().for_each(|member| note(member, secrets)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Hides the noted secrets, and credentials in URLs and text, wherever they are.
fn everywhere(value: &mut Value, secrets: &[String]) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| everywhere(member, secrets)),
        Value::Array(items) => items.iter_mut().for_each(|item| everywhere(item, secrets)),
        Value::String(text) => {
            for secret in secrets {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), HIDDEN);
                }
            }
            if SUSPECT.is_match(text) {
                *text = in_text(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn in_text(text: &str) -> String {
    let text = URL_SECRET.replace_all(text, format!("${{1}}{HIDDEN}"));
    let text = URL_LOGIN.replace_all(&text, format!("${{1}}{HIDDEN}@"));
    BEARER.replace_all(&text, format!("${{1}} {HIDDEN}")).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_turn_up() {
        let payload = json!({
            "type": "post_call_transcription",
            "data": {
                "conversation_initiation_client_data": {"dynamic_variables": {
                    "secret__crm": "planted-crm-key", "Secret__Pin": 123_456_789, "name": "Sam",
                }},
                "transcript": [{
                    "message": "I sent planted-crm-key to the CRM",
                    "tool_calls": [{
                        "params_as_json": "{\"api_key\":\"planted-api-key\",\"name\":\"Sam\"}",
                        "tool_details": {
                            "headers": {"Authorization": "Bearer planted-bearer", "X-Odd": "planted-odd", "Content-Type": "application/json"},
                            "url": "https://u:planted-login@crm.example.org/?q=1&api_key=planted-url&x=planted-bearer",
                            "body": "{\"nested\":\"{\\\"password\\\":\\\"planted-deep\\\"}\"}",
                        },
                    }],
                    "tool_results": [{"dynamic_variable_updates": [
                        {"variable_name": "secret__session", "old_value": null, "new_value": "planted-session"},
                    ], "result_value": "token planted-session 123456789"}],
                }],
            },
        });
        let scrubbed = scrub(payload).to_string();
        assert!(!scrubbed.contains("planted") && !scrubbed.contains("123456789"), "{scrubbed}");
        for kept in ["Sam", "application/json", "crm.example.org/?q=1", "post_call_transcription"] {
            assert!(scrubbed.contains(kept), "{kept} in {scrubbed}");
        }
    }

    #[test]
    fn what_holds_no_secret_is_as_it_was() {
        let payload = json!({"data": {"metadata": {"tokens": 12, "cost": 3.5, "large": 9_007_199_254_740_993_u64}, "m": "a = b & c"}});
        assert_eq!(scrub(payload.clone()), payload);
    }

    #[test]
    fn broken_payloads_are_scrubbed_as_text() {
        let text = r#"{"secret__crm":"planted-1","headers":{"Authorization":"Bearer planted-22222","X-Api-Key": "planted-3"},"name":"Sam","pass"#;
        let scrubbed = scrub_text(text);
        assert!(!scrubbed.contains("planted") && scrubbed.contains("Sam"), "{scrubbed}");
        assert!(!scrub_text(r#"{"api_key":"planted cut o"#).contains("planted"));
    }

    /// Text as it may stand in a payload; some of it is JSON, a URL or a header itself.
    fn texts() -> impl Strategy<Value = String> {
        let odd = [
            "{\"a\":1}",
            "[\"x\"]",
            "{broken",
            "https://u:p@x.example/?key=1&b=2",
            "Bearer ",
            "Basic x",
            "[hidden]",
            "\u{202e}é🖨",
        ];
        prop_oneof![any::<String>(), "[ -~]{0,40}", prop::sample::select(odd.to_vec()).prop_map(String::from)]
    }

    fn names() -> impl Strategy<Value = String> {
        let usual = ["headers", "request_headers", "name", "value", "message", "Content-Type", "key", "data"];
        prop_oneof![texts(), prop::sample::select(usual.to_vec()).prop_map(String::from)]
    }

    /// Anything that JSON can say.
    fn payloads() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            texts().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((names(), inner.clone()), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
                // Objects are often written into strings.
                inner.prop_map(|value| Value::from(value.to_string())),
            ]
        })
    }

    proptest! {
        #[test]
        fn scrubbing_twice_is_scrubbing_once(payload in payloads()) {
            let once = scrub(payload);
            prop_assert_eq!(scrub(once.clone()), once);
        }

        #[test]
        fn no_planted_secret_survives(
            payload in payloads(),
            name in prop::sample::select(vec!["secret__crm", "Authorization", "xi-api-key", "X-Api-Key", "client_secret", "password"]),
            around in texts(),
        ) {
            let whole = json!({
                "payload": payload,
                "details": {name: "planted-9f3b"},
                "message": format!("{around} planted-9f3b {around}"),
                "within": json!({"deep": json!({name: "planted-9f3b"}).to_string()}).to_string(),
                "headers": {"X-Whatever": "planted-other"},
            });
            let scrubbed = scrub(whole).to_string();
            prop_assert!(!scrubbed.contains("planted"), "{}", scrubbed);
        }

        #[test]
        fn text_that_is_no_json_makes_it_stumble_never(text in texts(), name in "secret__[a-z]{1,8}") {
            let once = scrub_text(&text);
            prop_assert_eq!(scrub_text(&once), once.clone());
            let cut = format!("{{\"{name}\": \"planted-9f3b\", {text}");
            prop_assert!(!scrub_text(&cut).contains("planted"), "{}", cut);
        }
    }
}
