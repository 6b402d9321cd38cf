//! Blob storage's data plane. In reading order:
//!
//! - this file: what an account holds, which operation a request is.
//! - [`auth`]: who asks, by Entra token, and what their roles allow.
//! - `containers`, [`blobs`], [`blocks`]: the operations. `list`: listings of both.
//! - [`conditions`]: `If-Match` and its kin. [`refusal`]: how storage says no. [`xml`]: the little that is needed.
//!
//! Source: `learn.microsoft.com/rest/api/storageservices/blob-service-rest-api`, an operation a page.

mod auth;
mod blobs;
mod blocks;
mod conditions;
mod containers;
mod list;
mod refusal;
mod xml;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::auth::Who;
use self::refusal::refuse;
use super::arm::{Resource, stamp};
use super::http::{Body, Segment, decode};
use super::{Method, Request, Response, World};

/// What the storage accounts hold, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    accounts: BTreeMap<String, Account>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    containers: BTreeMap<String, Container>,
    /// Counts changes: what etags are made of.
    changes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Container {
    etag: String,
    modified: Timestamp,
    metadata: BTreeMap<String, String>,
    /// `container`, `blob`, or nobody.
    public: Option<String>,
    blobs: BTreeMap<String, Blob>,
    /// Blocks that no list has committed, by blob and id.
    staged: BTreeMap<String, BTreeMap<String, Segment>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blob {
    kind: BlobKind,
    segments: Vec<Segment>,
    size: u64,
    /// Committed blocks, in order: id and size.
    blocks: Vec<(String, u64)>,
    properties: Properties,
    metadata: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    tier: Option<String>,
    etag: String,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum BlobKind {
    BlockBlob,
    AppendBlob,
}

impl BlobKind {
    fn name(self) -> &'static str {
        match self {
            BlobKind::BlockBlob => "BlockBlob",
            BlobKind::AppendBlob => "AppendBlob",
        }
    }
}

/// What is told with a blob's bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Properties {
    content_type: Option<String>,
    content_encoding: Option<String>,
    content_language: Option<String>,
    content_disposition: Option<String>,
    cache_control: Option<String>,
    /// Base64, of the whole.
    content_md5: Option<String>,
}

/// Something of a storage account that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

impl State {
    /// All content that is named.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.accounts.values().flat_map(|account| account.containers.values()).flat_map(|container| {
            let blobs = container.blobs.values().flat_map(|blob| &blob.segments);
            blobs.chain(container.staged.values().flat_map(BTreeMap::values))
        })
    }
}

impl Account {
    /// The next etag.
    fn etag(&mut self) -> String {
        self.changes += 1;
        format!("\"0x8DE{:012X}\"", self.changes.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16)
    }
}

/// One request to an account.
struct Ask<'a> {
    account: &'a str,
    /// ARM id of the account.
    scope: String,
    request: &'a Request,
    /// Container, decoded; empty: the account itself.
    container: String,
    /// Blob, decoded; empty: the container itself.
    blob: String,
    who: Who,
}

pub(super) fn handle(world: &mut World, account: &str, request: &Request) -> Response {
    let answer = serve(world, account, request).unwrap_or_else(|refused| refused);
    let version = request.header("x-ms-version").unwrap_or("2021-08-06");
    answer.with("x-ms-version", version).with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
}

fn serve(world: &mut World, account: &str, request: &Request) -> Result<Response, Response> {
    let Some(resource) = resource(world, account) else {
        return Err(refuse(404, "ResourceNotFound", "The specified resource does not exist."));
    };
    let scope = resource.id.to_string();
    let path = decode(&request.path);
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (container, blob) = path.split_once('/').unwrap_or((path, ""));
    let is_container = request.query("restype").is_some_and(|kind| kind.eq_ignore_ascii_case("container"));
    // A name without a container is in the root container.
    let (container, blob) = match (container, blob) {
        ("", _) => ("", ""),
        (name, "") if !is_container => ("$root", name),
        other => other,
    };
    let who = auth::who(world, account, request)?;
    let ask = Ask { account, scope, request, container: container.to_owned(), blob: blob.to_owned(), who };
    let comp = request.query("comp").unwrap_or_default().to_ascii_lowercase();
    if ask.container.is_empty() {
        return account_operation(world, &ask, &comp);
    }
    containers::check_name(&ask.container)?;
    if is_container {
        return container_operation(world, &ask, &comp);
    }
    blob_operation(world, &ask, &comp)
}

fn account_operation(world: &mut World, ask: &Ask<'_>, comp: &str) -> Result<Response, Response> {
    let restype = ask.request.query("restype").unwrap_or_default().to_ascii_lowercase();
    match (ask.request.method, restype.as_str(), comp) {
        (Method::Get, "", "list") => list::containers(world, ask),
        (Method::Get | Method::Head, "account", "properties") => {
            ask.who.control(world, ask, "read")?;
            Ok(Response::empty(200)
                .with("x-ms-sku-name", sku(world, ask))
                .with("x-ms-account-kind", "StorageV2"))
        }
        (Method::Get, "service", "properties") => Ok(xml::response(
            200,
            "<StorageServiceProperties><Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging><HourMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics><MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics><Cors /><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy><StaticWebsite><Enabled>false</Enabled></StaticWebsite></StorageServiceProperties>",
        )),
        _ => Err(unmodelled(ask, comp)),
    }
}

fn container_operation(world: &mut World, ask: &Ask<'_>, comp: &str) -> Result<Response, Response> {
    match (ask.request.method, comp) {
        (Method::Put, "") => containers::create(world, ask),
        (Method::Get | Method::Head, "" | "metadata") => containers::properties(world, ask),
        (Method::Put, "metadata") => containers::set_metadata(world, ask),
        (Method::Delete, "") => containers::delete(world, ask),
        (Method::Get, "list") => list::blobs(world, ask),
        _ => Err(unmodelled(ask, comp)),
    }
}

fn blob_operation(world: &mut World, ask: &Ask<'_>, comp: &str) -> Result<Response, Response> {
    if ask.blob.len() > 1024 {
        return Err(refuse(
            400,
            "InvalidResourceName",
            "The specified resource name contains invalid characters.",
        ));
    }
    for other in ["snapshot", "versionid"] {
        if ask.request.query(other).is_some() {
            return Err(unmodelled(ask, other));
        }
    }
    match (ask.request.method, comp) {
        (Method::Get, "") => blobs::get(world, ask),
        (Method::Head, "") => blobs::properties(world, ask),
        (Method::Get | Method::Head, "metadata") => blobs::properties(world, ask),
        (Method::Put, "") => blobs::put(world, ask),
        (Method::Put, "properties") => blobs::set_properties(world, ask),
        (Method::Put, "metadata") => blobs::set_metadata(world, ask),
        (Method::Put, "tier") => blobs::set_tier(world, ask),
        (Method::Put, "tags") => blobs::set_tags(world, ask),
        (Method::Get, "tags") => blobs::get_tags(world, ask),
        (Method::Delete, "") => blobs::delete(world, ask),
        (Method::Put, "block") => blocks::stage(world, ask),
        (Method::Put, "blocklist") => blocks::commit(world, ask),
        (Method::Get, "blocklist") => blocks::list(world, ask),
        (Method::Put, "appendblock") => blocks::append(world, ask),
        _ => Err(unmodelled(ask, comp)),
    }
}

/// Said plainly rather than answered wrongly.
fn unmodelled(ask: &Ask<'_>, comp: &str) -> Response {
    let message =
        format!("Local Azure does not model this operation ({:?}, comp={comp}).", ask.request.method);
    refuse(501, "NotImplemented", &message)
}

/// The ARM resource of an account, once it is there.
fn resource<'a>(world: &'a World, account: &str) -> Option<&'a Resource> {
    let resource = world.arm.by_name("Microsoft.Storage/storageAccounts", account)?;
    (resource.state != "Creating").then_some(resource)
}

fn sku(world: &World, ask: &Ask<'_>) -> String {
    let sku = resource(world, ask.account).and_then(|account| account.body["sku"]["name"].as_str());
    sku.unwrap_or("Standard_LRS").to_owned()
}

impl Ask<'_> {
    fn account_mut<'w>(&self, world: &'w mut World) -> &'w mut Account {
        world.blobs.accounts.entry(self.account.to_owned()).or_default()
    }

    fn container<'w>(&self, world: &'w World) -> Result<&'w Container, Response> {
        let account = world.blobs.accounts.get(self.account);
        account.and_then(|account| account.containers.get(&self.container)).ok_or_else(container_not_found)
    }

    fn blob<'w>(&self, world: &'w World) -> Result<&'w Blob, Response> {
        self.container(world)?
            .blobs
            .get(&self.blob)
            .ok_or_else(|| refuse(404, "BlobNotFound", "The specified blob does not exist."))
    }

    /// The container, and an etag for what is about to be changed in it.
    fn change<'w>(&self, world: &'w mut World) -> Result<(&'w mut Container, String), Response> {
        let account = self.account_mut(world);
        let etag = account.etag();
        let container = account.containers.get_mut(&self.container).ok_or_else(container_not_found)?;
        Ok((container, etag))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name).filter(|value| !value.is_empty())
    }

    /// `x-ms-meta-*`.
    fn metadata(&self) -> Result<BTreeMap<String, String>, Response> {
        let mut metadata = BTreeMap::new();
        for (name, value) in &self.request.headers {
            let Some(name) = name.strip_prefix("x-ms-meta-") else { continue };
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(refuse(
                    400,
                    "InvalidMetadata",
                    "The metadata specified is invalid. It has characters that are not permitted.",
                ));
            }
            metadata.insert(name.to_owned(), value.clone());
        }
        Ok(metadata)
    }

    /// Content of the body, with its hex MD5 when it is one piece.
    fn content(&self) -> (Vec<Segment>, u64) {
        match &self.request.body {
            Body::Stored(segments) => (segments.clone(), segments.iter().map(|segment| segment.length).sum()),
            Body::Empty | Body::Bytes(_) => (Vec::new(), 0),
        }
    }
}

fn container_not_found() -> Response {
    refuse(404, "ContainerNotFound", "The specified container does not exist.")
}

/// A time as HTTP writes it.
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Resource Manager's side of containers: PUT and PATCH of `blobServices/default/containers/NAME` make one, or
/// change its metadata and public access; returns whether it was new.
pub(crate) fn put_container(world: &mut World, account: &str, name: &str, properties: &Value) -> bool {
    let now = world.now;
    let account = world.blobs.accounts.entry(account.to_ascii_lowercase()).or_default();
    let etag = account.etag();
    let new = !account.containers.contains_key(name);
    let container = account.containers.entry(name.to_owned()).or_insert_with(|| Container {
        etag: etag.clone(),
        modified: now,
        metadata: BTreeMap::new(),
        public: None,
        blobs: BTreeMap::new(),
        staged: BTreeMap::new(),
    });
    container.etag = etag;
    container.modified = now;
    if let Some(metadata) = properties["metadata"].as_object() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        container.metadata = metadata.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    }
    if let Some(public) = properties["publicAccess"].as_str() {
        let public = public.to_ascii_lowercase();
        container.public = (public != "none").then_some(public);
    }
    new
}

/// Resource Manager deletes a container; returns whether it was there.
pub(crate) fn delete_container(world: &mut World, account: &str, name: &str) -> bool {
    let account = world.blobs.accounts.get_mut(&account.to_ascii_lowercase());
    account.is_some_and(|account| account.containers.remove(name).is_some())
}

/// Names of an account's containers with their ARM `properties`, made by whichever plane.
pub(crate) fn containers(world: &World, account: &str) -> Vec<(String, Value)> {
    let account = world.blobs.accounts.get(&account.to_ascii_lowercase());
    let containers = account.into_iter().flat_map(|account| &account.containers);
    containers.map(|(name, container)| (name.clone(), arm_properties(container))).collect()
}

fn arm_properties(container: &Container) -> Value {
    let public = match container.public.as_deref() {
        Some("container") => "Container",
        Some("blob") => "Blob",
        _ => "None",
    };
    json!({
        "publicAccess": public, "metadata": container.metadata, "etag": container.etag,
        "lastModifiedTime": stamp(container.modified), "leaseStatus": "Unlocked", "leaseState": "Available",
        "hasImmutabilityPolicy": false, "hasLegalHold": false, "deleted": false, "remainingRetentionDays": 0,
        "defaultEncryptionScope": "$account-encryption-key", "denyEncryptionScopeOverride": false,
        "immutableStorageWithVersioning": {"enabled": false},
    })
}

/// The account is gone from Resource Manager: so is its content.
pub(crate) fn removed(world: &mut World, account: &str) {
    world.blobs.accounts.remove(&account.to_ascii_lowercase());
}
