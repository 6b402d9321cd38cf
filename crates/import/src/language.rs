//! What the manifest has a word for.

use landfall_manifest::{Host, resource};

/// Whether the manifest has this type of resource.
pub(crate) fn has_type(kind: &str) -> bool {
    resource::of(kind).is_some()
}

/// Whether the manifest has this host.
pub(crate) fn has_host(host: &str) -> bool {
    Host::from_word(host).is_some()
}

/// What a service may ask of a resource when all that is known is that it uses it: to work with it, not to own it.
pub(crate) fn access(kind: &str) -> Option<&'static str> {
    let kind = resource::of(kind)?;
    let words: Vec<&str> = kind.access.iter().map(|(access, _)| access.as_str()).collect();
    ["write", "call", "send", "connect", "read"].into_iter().find(|word| words.contains(word))
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
