//! Container registries' data plane: the OCI distribution protocol and the token exchange with Entra. In reading
//! order:
//!
//! - this file: what a registry holds, who is asked what.
//! - [`auth`]: the exchange of tokens, and what they allow.
//! - [`uploads`]: blobs on their way in, in one piece, in chunks, or mounted from next door.
//! - [`document`]: what a manifest says.
//! - [`content`]: blobs, manifests, tags, referrers, lists.
//! - [`trash`]: what was deleted and can come back, and what goes when nobody names it any more.
//! - [`own`]: Azure's own `/acr/v1` interface, which its command line uses.
//!
//! Sources: the OCI distribution specification 1.1; `learn.microsoft.com/rest/api/containerregistry`;
//! `github.com/Azure/acr/blob/main/docs/AAD-OAuth.md`.

mod auth;
mod content;
mod document;
mod own;
#[cfg(test)]
mod tests;
mod trash;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::Resource;
use super::http::{Body, Segment, base64_bytes, decode};
use super::network::cidr::Cidr;
use super::registry_account::Import;
use super::{Method, Request, Response, World};

pub(crate) use self::auth::{Deed, admin, may, may_with_password};
pub(crate) use self::trash::policies_changed;
pub(crate) use self::uploads::{COMPLETE_SHA256, Looked, PLATFORM, looked};

/// What the registries hold, by name in lower case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    registries: BTreeMap<String, Registry>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Registry {
    /// By digest; a repository sees those it names.
    blobs: BTreeMap<String, Blob>,
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<String, Upload>,
    /// By repository: what was deleted under the soft-delete policy.
    #[serde(default)]
    trash: BTreeMap<String, trash::Trash>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blob {
    segments: Vec<Segment>,
    size: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Repository {
    created: Timestamp,
    updated: Timestamp,
    blobs: BTreeSet<String>,
    manifests: BTreeMap<String, Manifest>,
    tags: BTreeMap<String, Tag>,
    #[serde(default)]
    attributes: Attributes,
}

/// What may be done to a repository, a manifest or a tag, whoever asks: its locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Attributes {
    delete: bool,
    write: bool,
    read: bool,
    list: bool,
}

impl Default for Attributes {
    fn default() -> Attributes {
        Attributes { delete: true, write: true, read: true, list: true }
    }
}

impl Attributes {
    /// What is locked for writing is for deleting too.
    fn may_delete(self) -> bool {
        self.delete && self.write
    }
}

/// What a lock forbids.
fn disallowed() -> Response {
    let message = "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation";
    refuse(405, "REGISTRY_DISALLOWED_OPERATION", message, json!({}))
}

/// A manifest as pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// As pushed.
    pub(crate) media_type: String,
    /// As pushed.
    #[serde(with = "base64_bytes")]
    pub(crate) bytes: Vec<u8>,
    /// What it refers to as a whole: signatures and bills of material name an image so.
    subject: Option<String>,
    artifact_type: Option<String>,
    /// `linux/amd64`, as its config says.
    #[serde(default)]
    platform: Option<String>,
    created: Timestamp,
    #[serde(default)]
    updated: Timestamp,
    /// Since when no tag names it, where the registry lets such manifests go after a while.
    #[serde(default)]
    untagged: Option<Timestamp>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tag {
    digest: String,
    created: Timestamp,
    updated: Timestamp,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Upload {
    repository: String,
    segments: Vec<Segment>,
    length: u64,
}

/// Something of a registry that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Nobody finished an upload.
    UploadExpires {
        /// The registry's name.
        registry: String,
        /// The upload.
        upload: String,
    },
    /// What was deleted or has no tag any more may be due to go for good.
    Purge {
        /// The registry's name.
        registry: String,
    },
    /// An image comes in from another registry.
    Imported(Import),
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::UploadExpires { registry, upload } => {
            if let Some(registry) = world.registries.registries.get_mut(&registry) {
                registry.uploads.remove(&upload);
            }
        }
        Event::Purge { registry } => trash::purge(world, &registry),
        Event::Imported(copy) => copy_image(world, &copy),
    }
}

/// Lets an image come in from another registry after a while.
pub(crate) fn import(world: &mut World, copy: Import, after: SignedDuration) {
    if after.is_zero() {
        copy_image(world, &copy);
    } else {
        world.later(after, super::Event::Registry(Event::Imported(copy)));
    }
}

/// Copies a manifest with all it names; what has gone since is not copied.
fn copy_image(world: &mut World, copy: &Import) {
    let (from, repository, digest) = &copy.from;
    let now = world.now;
    let mut manifests: Vec<(String, Manifest)> = Vec::new();
    let mut blobs: BTreeMap<String, Blob> = BTreeMap::new();
    let Some(source) = world.registries.registries.get(from) else { return };
    let Some(own) = source.repositories.get(repository) else { return };
    let mut wanted = vec![digest.clone()];
    while let Some(digest) = wanted.pop() {
        let Some(manifest) = own.manifests.get(&digest) else { continue };
        let Ok(document) = document::read(&manifest.bytes, None) else { continue };
        for blob in document.blobs {
            if let Some(found) = source.blobs.get(&blob) {
                blobs.insert(blob, found.clone());
            }
        }
        wanted.extend(document.manifests);
        manifests.push((digest, manifest.clone()));
    }
    let target = world.registries.registries.entry(copy.to.clone()).or_default();
    for (repository, tag) in &copy.targets {
        for (digest, blob) in &blobs {
            target.blobs.entry(digest.clone()).or_insert_with(|| blob.clone());
        }
        let own = target.make(repository, now);
        own.updated = now;
        own.blobs.extend(blobs.keys().cloned());
        for (digest, manifest) in &manifests {
            let fresh = Manifest {
                created: now,
                updated: now,
                untagged: None,
                attributes: Attributes::default(),
                ..manifest.clone()
            };
            own.manifests.entry(digest.clone()).or_insert(fresh);
        }
        if let Some(tag) = tag {
            own.point(tag, digest, now);
        }
    }
}

/// The digest that a tag or digest of a registry's repository leads to.
pub(crate) fn digest_named(world: &World, name: &str, repository: &str, reference: &str) -> Option<String> {
    world.registries.manifest(name, repository, reference).map(|(digest, _)| digest.to_owned())
}

/// Bytes that a registry keeps, each blob once.
pub(crate) fn size(world: &World, name: &str) -> u64 {
    let Some(registry) = world.registries.registries.get(&name.to_ascii_lowercase()) else { return 0 };
    let blobs: u64 = registry.blobs.values().map(|blob| blob.size).sum();
    let manifests = registry.repositories.values().flat_map(|repository| repository.manifests.values());
    blobs + manifests.map(|manifest| manifest.bytes.len() as u64).sum::<u64>()
}

impl State {
    /// All content that is named.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.registries.values().flat_map(|registry| {
            let blobs = registry.blobs.values().flat_map(|blob| &blob.segments);
            blobs.chain(registry.uploads.values().flat_map(|upload| &upload.segments))
        })
    }

    /// A manifest by tag or digest, with its digest.
    pub(crate) fn manifest(
        &self,
        name: &str,
        repository: &str,
        reference: &str,
    ) -> Option<(&str, &Manifest)> {
        let repository = self.registries.get(name)?.repositories.get(repository)?;
        let digest = match repository.tags.get(reference) {
            Some(tag) => tag.digest.as_str(),
            None => reference,
        };
        repository.manifests.get_key_value(digest).map(|(digest, manifest)| (digest.as_str(), manifest))
    }

    /// A blob of a repository.
    pub(crate) fn blob(&self, name: &str, repository: &str, digest: &str) -> Option<&[Segment]> {
        let registry = self.registries.get(name)?;
        registry.repositories.get(repository)?.blobs.get(digest)?;
        registry.blobs.get(digest).map(|blob| blob.segments.as_slice())
    }
}

/// The registry is gone from Resource Manager: so is its content.
pub(crate) fn removed(world: &mut World, name: &str) {
    world.registries.registries.remove(&name.to_ascii_lowercase());
}

/// The ARM resource of a registry, once it is there.
pub(crate) fn resource<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    let resource = super::registry_account::by_name(world, name)?;
    // Its name is not in DNS before it is made.
    (resource.state != "Creating").then_some(resource)
}

/// The protocol's `{"errors":[…]}`, as a refusal.
fn refuse(status: u16, code: &str, message: &str, detail: Value) -> Response {
    let mut error = json!({"code": code, "message": message});
    if !detail.is_null() {
        error["detail"] = detail;
    }
    Response::json(status, &json!({"errors": [error]}))
}

/// One request to a registry.
struct Ask<'a> {
    name: &'a str,
    /// ARM id: the scope that roles are asked for.
    scope: String,
    /// Host and port, as clients know the registry: `name.azurecr.localhost:8443`.
    service: String,
    request: &'a Request,
}

pub(super) fn handle(world: &mut World, name: &str, request: &Request) -> Response {
    let answer = answer(world, name, request).unwrap_or_else(|refused| refused);
    answer.with("docker-distribution-api-version", "registry/2.0").with("x-content-type-options", "nosniff")
}

fn answer(world: &mut World, name: &str, request: &Request) -> Result<Response, Response> {
    let Some(resource) = resource(world, name) else {
        let message = format!("There is no registry {name}.");
        return Err(refuse(404, "NAME_UNKNOWN", &message, Value::Null));
    };
    if !admits(resource) {
        let message = "client with IP '127.0.0.1' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.";
        return Err(refuse(403, "DENIED", message, Value::Null));
    }
    let ask = Ask {
        name,
        scope: resource.id.to_string(),
        service: request.origin.trim_start_matches("https://").to_owned(),
        request,
    };
    let path = decode(&request.path);
    match path.as_str() {
        "/oauth2/exchange" => auth::exchange(world, &ask),
        "/oauth2/token" => auth::token(world, &ask),
        "/v2" | "/v2/" => auth::enter(world, &ask).map(|()| Response::json(200, &json!({}))),
        "/v2/_catalog" => content::catalog(world, &ask),
        path => match (path.strip_prefix("/v2/"), path.strip_prefix("/acr/v1/")) {
            (Some(rest), _) => distribution(world, &ask, rest),
            (_, Some(rest)) => own::handle(world, &ask, rest.trim_end_matches('/')),
            _ => Err(refuse(404, "NOT_FOUND", "There is nothing at this path.", Value::Null)),
        },
    }
}

/// Whether the registry's firewall lets this machine in.
fn admits(registry: &Resource) -> bool {
    let properties = registry.properties();
    let rules = &properties["networkRuleSet"];
    let listed = || {
        let ranges = rules["ipRules"].as_array().into_iter().flatten();
        ranges.filter_map(|rule| rule["value"].as_str()).any(has_loopback)
    };
    properties["publicNetworkAccess"] != "Disabled" && (rules["defaultAction"] != "Deny" || listed())
}

fn has_loopback(range: &str) -> bool {
    let parsed = |text: &str| Cidr::parse(text).map(|(block, _)| block);
    matches!((parsed(range), parsed("127.0.0.1/32")), (Some(range), Some(own)) if range.contains(&own))
}

/// `<repository>/(manifests|blobs|tags|referrers)/…`.
fn distribution(world: &mut World, ask: &Ask<'_>, rest: &str) -> Result<Response, Response> {
    let segments: Vec<&str> = rest.split('/').collect();
    let unsupported = || refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null);
    let method = ask.request.method;
    // From the right: a repository may have a part called `blobs`.
    let (name, what) = match segments.as_slice() {
        [name @ .., "blobs", "uploads"] => (name, What::Uploads),
        [name @ .., "blobs", "uploads", ""] => (name, What::Uploads),
        [name @ .., "blobs", "uploads", id] => (name, What::Upload(id)),
        [name @ .., "manifests", reference] => (name, What::Manifest(reference)),
        [name @ .., "blobs", digest] => (name, What::Blob(digest)),
        [name @ .., "tags", "list"] => (name, What::Tags),
        [name @ .., "referrers", digest] => (name, What::Referrers(digest)),
        _ => return Err(refuse(404, "NOT_FOUND", "There is nothing at this path.", Value::Null)),
    };
    let repository = name.join("/");
    if !is_repository(&repository) {
        let detail = json!({"name": repository});
        return Err(refuse(400, "NAME_INVALID", "invalid repository name", detail));
    }
    let deed = match method {
        Method::Get | Method::Head => match what {
            What::Upload(_) => Deed::Push,
            _ => Deed::Pull,
        },
        Method::Delete if matches!(what, What::Upload(_)) => Deed::Push,
        Method::Delete => Deed::Delete,
        _ => Deed::Push,
    };
    // whoever may see what is told of images may list their tags too
    if !(matches!(what, What::Tags) && auth::allowed(world, ask, &repository, Deed::ReadMetadata)) {
        auth::check(world, ask, &repository, deed)?;
    }
    match (what, method) {
        (What::Uploads, Method::Post) => uploads::begin(world, ask, &repository),
        (What::Upload(id), Method::Patch) => uploads::append(world, ask, &repository, id),
        (What::Upload(id), Method::Put) => uploads::finish(world, ask, &repository, id),
        (What::Upload(id), Method::Get) => uploads::progress(world, ask, &repository, id),
        (What::Upload(id), Method::Delete) => uploads::cancel(world, ask, &repository, id),
        (What::Blob(digest), Method::Get | Method::Head) => {
            content::get_blob(world, ask, &repository, digest)
        }
        (What::Blob(digest), Method::Delete) => content::delete_blob(world, ask, &repository, digest),
        (What::Manifest(reference), Method::Get | Method::Head) => {
            content::get_manifest(world, ask, &repository, reference)
        }
        (What::Manifest(reference), Method::Put) => content::put_manifest(world, ask, &repository, reference),
        (What::Manifest(reference), Method::Delete) => {
            content::delete_manifest(world, ask, &repository, reference)
        }
        (What::Tags, Method::Get) => content::tags(world, ask, &repository),
        (What::Referrers(digest), Method::Get) => content::referrers(world, ask, &repository, digest),
        _ => Err(unsupported()),
    }
}

enum What<'a> {
    Uploads,
    Upload(&'a str),
    Manifest(&'a str),
    Blob(&'a str),
    Tags,
    Referrers(&'a str),
}

/// `[a-z0-9]+([._-]+[a-z0-9]+)*` between slashes, at most 255 characters.
pub(crate) fn is_repository(name: &str) -> bool {
    let alphanumeric = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let part = |part: &str| {
        let bytes = part.as_bytes();
        alphanumeric(bytes.first().copied())
            && alphanumeric(bytes.last().copied())
            && bytes.iter().all(|b| alphanumeric(Some(*b)) || matches!(b, b'.' | b'_' | b'-'))
            && !part.contains("..")
            && !part.contains("___")
            && !part.contains("._")
            && !part.contains("_.")
    };
    name.len() <= 255 && name.split('/').all(part)
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
pub(crate) fn is_tag(tag: &str) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(word)
        && bytes.iter().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// `sha256:` and 64 hex digits.
fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

impl Ask<'_> {
    fn registry<'w>(&self, world: &'w mut World) -> &'w mut Registry {
        world.registries.registries.entry(self.name.to_owned()).or_default()
    }

    fn repository<'w>(&self, world: &'w World, repository: &str) -> Option<&'w Repository> {
        world.registries.registries.get(self.name)?.repositories.get(repository)
    }

    /// The body when it is in memory.
    fn bytes(&self) -> &[u8] {
        match &self.request.body {
            Body::Bytes(bytes) => bytes,
            Body::Empty | Body::Stored(_) => &[],
        }
    }

    /// Segments of the body when it is content.
    fn pieces(&self) -> &[Segment] {
        match &self.request.body {
            Body::Stored(segments) => segments,
            Body::Empty | Body::Bytes(_) => &[],
        }
    }
}

impl Registry {
    /// The repository, made by the first thing that is put into it.
    fn make(&mut self, repository: &str, now: Timestamp) -> &mut Repository {
        let made = || Repository {
            created: now,
            updated: now,
            blobs: BTreeSet::new(),
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            attributes: Attributes::default(),
        };
        self.repositories.entry(repository.to_owned()).or_insert_with(made)
    }

    /// Lets go of blobs that no repository names any more.
    fn tidy(&mut self) {
        let named: BTreeSet<&String> =
            self.repositories.values().flat_map(|repository| &repository.blobs).collect();
        let kept = self.trash.values().flat_map(trash::Trash::blobs).collect::<BTreeSet<String>>();
        self.blobs.retain(|digest, _| named.contains(digest) || kept.contains(digest));
    }
}

impl Repository {
    /// Lets a tag name a manifest, and returns what it named before.
    fn point(&mut self, tag: &str, digest: &str, now: Timestamp) -> Option<String> {
        if let Some(manifest) = self.manifests.get_mut(digest) {
            manifest.untagged = None;
        }
        match self.tags.get_mut(tag) {
            Some(tag) => {
                tag.updated = now;
                Some(std::mem::replace(&mut tag.digest, digest.to_owned()))
            }
            None => {
                let attributes = Attributes::default();
                let new = Tag { digest: digest.to_owned(), created: now, updated: now, attributes };
                self.tags.insert(tag.to_owned(), new);
                None
            }
        }
    }
}
