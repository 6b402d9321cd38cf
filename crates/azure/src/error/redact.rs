//! Taking secrets out of what Azure says: it likes to quote the value that it refuses.

use serde_json::Value;

/// Shorter values are left alone: taking every `1` out of a message would hide more than it protects.
const SHORTEST: usize = 4;

/// The text with each of the secrets replaced by stars.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut clean = text.to_string();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        clean = clean.replace(secret.as_str(), "***");
        // Within JSON inside a message the same value has its quotes and line ends escaped.
        let escaped = Value::String(secret.clone()).to_string();
        let escaped = escaped.trim_matches('"');
        if escaped != secret {
            clean = clean.replace(escaped, "***");
        }
    }
    clean
}

/// The values in a request's body that nobody may read: by the names that Azure's types give to such properties.
pub(crate) fn secrets_in(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(body, false, &mut found);
    // The longest first, so that a secret within another does not leave the rest of it standing.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

fn collect(value: &Value, within: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.to_ascii_lowercase();
                match field {
                    Value::String(text) if is_secret(&name) || (within && name == "value") => {
                        if text.len() >= SHORTEST {
                            found.push(text.clone());
                        }
                    }
                    _ => collect(field, name == "secrets", found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, within, found)),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    const ENDINGS: [&str; 7] =
        ["sharedkey", "accountkey", "accesskey", "password", "secret", "connectionstring", "token"];
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        || matches!(name, "primarykey" | "secondarykey" | "key1" | "key2")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_are_secret_by_their_names() {
        let body = json!({"properties": {
            "configuration": {
                "secrets": [{"name": "db", "value": "planted-1"}, {"name": "kv", "keyVaultUrl": "https://x"}],
                "registries": [{"server": "x", "passwordSecretRef": "not-secret"}],
            },
            "appLogsConfiguration": {"logAnalyticsConfiguration": {"customerId": "c1d2", "sharedKey": "planted-22"}},
            "env": [{"name": "A", "value": "plain"}],
        }});
        assert_eq!(secrets_in(&body), ["planted-22", "planted-1"]);
    }

    #[test]
    fn messages_lose_them_in_either_writing() {
        let secrets = vec!["a\"quote".to_string(), "abc".to_string()];
        assert_eq!(
            redact(r#"bad a"quote and {\"x\":\"a\"quote\"} abc"#, &secrets),
            r#"bad *** and {\"x\":\"***\"} abc"#
        );
        assert_eq!(redact(r#"{"x":"a\"quote"}"#, &secrets), r#"{"x":"***"}"#);
    }
}
