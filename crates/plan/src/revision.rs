//! Revisions of container apps, and what is remembered of a body that was sent.
//!
//! Azure makes a revision whenever an app's template changes, and only then; a secret that points to another
//! version is not seen by running replicas. So the template's `revisionSuffix` carries a hash over the template
//! and the pinned secrets: something else to run is a new revision, everything else leaves the revision alone.
//! The name of the revision before goes into the hash too, since going back to an earlier template would
//! otherwise ask for a name that is taken.

use landfall_blueprint::{Body, Expression, Lookup, Unresolved};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Where the suffix stands in a container app's body.
pub const SUFFIX: &str = "properties.template.revisionSuffix";

/// The key that marks the fingerprint of a secret in what is remembered of a body.
pub const FINGERPRINT: &str = "$fingerprint";

/// The whole body to send: every expression filled in, the revision suffix last.
///
/// # Errors
/// The first expression that `lookup` does not know.
pub fn finish(body: &Body, latest_revision: Option<&str>, lookup: &dyn Lookup) -> Result<Value, Unresolved> {
    let body = body.resolve(lookup);
    match body.at(SUFFIX) {
        Some(Body::Expression(Expression::RevisionSuffix { .. })) => {
            let mut body = body;
            let suffix = suffix(&body, latest_revision)?;
            if let Some(place) = body.at_mut(SUFFIX) {
                *place = suffix.into();
            }
            body.to_json()
        }
        _ => body.to_json(),
    }
}

/// The suffix of the revision that a resolved body makes: `r` and eight hexadecimal digits.
///
/// # Errors
/// The first expression in template or secrets that has no value yet, other than the suffix itself.
pub fn suffix(body: &Body, latest_revision: Option<&str>) -> Result<String, Unresolved> {
    let mut template = body.at("properties.template").cloned().unwrap_or_default();
    if let Body::Object(template) = &mut template {
        template.remove("revisionSuffix");
    }
    let secrets = body.at("properties.configuration.secrets").cloned().unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [template.to_json()?, secrets.to_json()?, latest_revision.into()] {
        hasher.update(part.to_string());
        hasher.update([0]);
    }
    Ok(format!("r{}", &hex::encode(hasher.finalize())[..8]))
}

/// What the journal keeps of a body that was sent: what the blueprint said, with secrets as fingerprints and
/// without what was only sent back for others. `sent` is what [`finish`] gave for `body`.
pub fn applied(body: &Body, sent: &Value) -> Value {
    match (body, sent) {
        (Body::Expression(expression), Value::String(secret)) if expression.is_secret() => {
            let mut map = Map::new();
            map.insert(FINGERPRINT.to_owned(), fingerprint(secret).into());
            Value::Object(map)
        }
        (Body::Expression(expression), _) if expression.is_secret() => Value::Null,
        (Body::Object(object), Value::Object(sent)) => {
            let ours = object.iter().filter(|(_, value)| !matches!(value, Body::Kept(_)));
            ours.filter_map(|(key, value)| Some((key.to_owned(), applied(value, sent.get(key)?)))).collect()
        }
        (Body::Array(items), Value::Array(sent)) => {
            let ours = items.iter().zip(sent).filter(|(item, _)| !matches!(item, Body::Kept(_)));
            ours.map(|(item, sent)| applied(item, sent)).collect()
        }
        (_, sent) => sent.clone(),
    }
}

/// A fingerprint by which a secret can be told from another, and not be found again: what Azure makes as keys
/// is too long to be guessed.
pub fn fingerprint(secret: &str) -> String {
    format!("sha256:{}", &hex::encode(Sha256::digest(secret))[..16])
}

/// The fingerprints of the secrets in a remembered body, by path.
pub fn fingerprints(applied: &Value) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        let Some(map) = value.as_object() else { return };
        if let Some(Value::String(fingerprint)) = map.get(FINGERPRINT) {
            found.push((path.to_owned(), fingerprint.clone()));
            return;
        }
        for (key, value) in map {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(&path, value, found);
        }
    }
    let mut found = Vec::new();
    walk("", applied, &mut found);
    found
}
