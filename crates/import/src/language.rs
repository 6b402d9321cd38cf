//! What the manifest has a word for.

use landfall_manifest::{host, resource};

/// Whether the manifest has this type of resource.
pub(crate) fn has_type(kind: &str) -> bool {
    resource::of(kind).is_some()
}

/// Whether the manifest has this host.
pub(crate) fn has_host(name: &str) -> bool {
    host::of(name).is_some()
}

/// What a service may ask of a resource when all that is known is that it uses it: to work with it, not to own it.
/// Empty when there is nothing to ask.
pub(crate) fn access(kind: &str) -> Vec<String> {
    let words: Vec<&str> = resource::of(kind)
        .map(|kind| kind.access.iter().map(|(access, _)| access.as_str()).collect())
        .unwrap_or_default();
    // A queue's messages go both ways, and which one is not told.
    if words.contains(&"send") && words.contains(&"receive") && kind == "service-bus" {
        return vec!["send".to_owned(), "receive".to_owned()];
    }
    ["write", "call", "read"]
        .into_iter()
        .find(|word| words.contains(word))
        .map(str::to_owned)
        .into_iter()
        .collect()
}

/// Whether a resource of this type says its port, and the port of what it took the place of.
pub(crate) fn old_port(kind: &str) -> Option<&'static str> {
    let has_port = resource::of(kind)?.attributes.iter().any(|(name, _)| *name == "port");
    match kind {
        "postgres" if has_port => Some("5432"),
        "redis" if has_port => Some("6379"),
        _ => None,
    }
}

/// The attribute that is a resource's host name.
pub(crate) fn host_attribute(kind: &str) -> Option<&'static str> {
    let kind = resource::of(kind)?;
    ["host", "hostname", "server"]
        .into_iter()
        .find(|wanted| kind.attributes.iter().any(|(name, _)| name == wanted))
}

/// The attribute that is a resource's URL.
pub(crate) fn url_attribute(kind: &str) -> Option<&'static str> {
    let kind = resource::of(kind)?;
    ["endpoint", "uri", "url"]
        .into_iter()
        .find(|wanted| kind.attributes.iter().any(|(name, _)| name == wanted))
}
