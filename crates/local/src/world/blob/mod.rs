//! Blob storage's data plane. In reading order:
//!
//! - this file: what an account holds, which operation a request is.
//! - [`auth`]: who asks: a principal, an account key ([`shared_key`]), a shared access signature ([`sas`]), anybody;
//!   [`rights`]: what each may do.
//! - `service`, `containers`, `blobs`, `blocks`, `copy`, `lease`: the operations. `list`: listings.
//!   [`batch`]: many in one.
//! - [`history`]: snapshots, versions, what is deleted and may come back. [`lifecycle`]: rules that act by
//!   themselves.
//! - [`immutability`]: what may not be changed. [`encryption`]: whose key content has. [`integrity`]: its digests.
//! - [`cors`]: pages of other origins. `website`: what `$web` shows browsers.
//! - [`conditions`]: `If-Match` and its kin. [`refusal`]: how storage says no. [`xml`]: the little that is needed.
//!
//! Source: `learn.microsoft.com/rest/api/storageservices/blob-service-rest-api`, an operation a page.

mod auth;
mod batch;
mod blobs;
mod blocks;
mod conditions;
mod containers;
mod copy;
mod cors;
mod encryption;
mod history;
mod immutability;
mod integrity;
mod lease;
mod lifecycle;
mod list;
mod pages;
mod refusal;
mod rights;
mod sas;
mod service;
mod shared_key;
#[cfg(test)]
mod tests;
mod tier;
mod website;
mod xml;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::auth::Who;
use self::history::Past;
use self::lease::Lease;
use self::refusal::{bad_query, refuse};
use self::rights::Right;

pub(crate) use self::immutability::Keeping as HeldBy;
pub(crate) use self::integrity::{DIGEST, SOURCE_CRC64, SOURCE_MD5, sourced};
pub(crate) use self::lifecycle::{check as check_lifecycle, policy_changed};
pub(crate) use self::sas::{account_token, revoke_delegation_keys, service_token};
use super::arm::{Resource, stamp};
use super::http::{Body, Segment, decode};
use super::storage_account::Gone;
use super::{Method, Request, Response, World};

/// The scope of what the account's own key encrypts.
const ACCOUNT_SCOPE: &str = "$account-encryption-key";
/// How the front tells the names of metadata as they were spelled: HTTP's own have no case.
pub(crate) const SPELLED: &str = "x-landfall-spelled";
/// Names and values of a blob's or container's metadata.
const METADATA_MAX: usize = 8 << 10;

/// What the storage accounts hold, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    accounts: BTreeMap<String, Account>,
    /// Accounts that were deleted of late.
    #[serde(default)]
    gone: Vec<Gone>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    containers: BTreeMap<String, Container>,
    /// Counts changes: what etags are made of.
    changes: u64,
    /// The last snapshot or version made: their names are times, and no two are the same.
    #[serde(default)]
    last_id: Option<Timestamp>,
    /// Containers that were deleted and may come back.
    #[serde(default)]
    deleted: Vec<DeletedContainer>,
    /// Names of containers that are still being deleted, with the time when that ends.
    #[serde(default)]
    deleting: BTreeMap<String, Timestamp>,
    /// Parts of `Set Blob Service Properties` that only the data plane knows, by element, as XML.
    #[serde(default)]
    service: BTreeMap<String, String>,
    /// How often all user delegation keys were revoked.
    #[serde(default)]
    revocations: u64,
    /// When the lifecycle rules act next.
    #[serde(default)]
    lifecycle: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DeletedContainer {
    name: String,
    /// Tells deletions of one name apart.
    version: String,
    at: Timestamp,
    until: Timestamp,
    container: Container,
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
    staged: BTreeMap<String, BTreeMap<String, Vec<Segment>>>,
    /// What blobs were: snapshots, versions, what is deleted but kept. Oldest first.
    #[serde(default)]
    past: BTreeMap<String, Vec<Past>>,
    #[serde(default)]
    lease: Lease,
    /// Stored access policies.
    #[serde(default)]
    policies: Vec<sas::Policy>,
    /// What the staged blocks of a blob are encrypted with, by blob.
    #[serde(default)]
    staged_encryption: BTreeMap<String, encryption::Encryption>,
    /// The encryption scope of blobs that name none.
    #[serde(default)]
    encryption_scope: Option<String>,
    /// Blobs may not name another.
    #[serde(default)]
    deny_scope_override: bool,
    #[serde(default)]
    keeping: immutability::Keeping,
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
    /// Its version, when it was written while versions were kept.
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    lease: Lease,
    /// It is on its way out of the archive.
    #[serde(default)]
    rehydrating: Option<Rehydrating>,
    #[serde(default)]
    tier_changed: Option<Timestamp>,
    /// The copy that made it.
    #[serde(default)]
    copied: Option<copy::Copied>,
    /// An append blob that grows no more.
    #[serde(default)]
    sealed: bool,
    /// A page blob's sequence number.
    #[serde(default)]
    sequence: u64,
    /// When it was read last, to the day, while that is tracked.
    #[serde(default)]
    accessed: Option<Timestamp>,
    #[serde(default)]
    encryption: encryption::Encryption,
    #[serde(default)]
    kept: immutability::Kept,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rehydrating {
    /// The tier it will have.
    to: String,
    due: Timestamp,
    /// `High` or `Standard`.
    priority: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "Azure's own words for the three kinds")]
enum BlobKind {
    BlockBlob,
    AppendBlob,
    PageBlob,
}

impl Blob {
    /// Where the smart tier has it; what was just written is hot.
    fn smart_tier(&self) -> Option<&'static str> {
        (self.tier.as_deref() == Some("Smart")).then_some("Hot")
    }
}

impl BlobKind {
    fn name(self) -> &'static str {
        match self {
            BlobKind::BlockBlob => "BlockBlob",
            BlobKind::AppendBlob => "AppendBlob",
            BlobKind::PageBlob => "PageBlob",
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
pub enum Event {
    /// What was deleted may be past its retention, and what was archived out of the archive.
    Due {
        /// The account's name.
        account: String,
    },
    /// The lifecycle rules act.
    Lifecycle {
        /// The account's name.
        account: String,
    },
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::Due { account } => history::due(world, &account),
        Event::Lifecycle { account } => lifecycle::act(world, &account),
    }
}

impl State {
    /// All content that is named.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        let containers = self.accounts.values().flat_map(|account| {
            account.containers.values().chain(account.deleted.iter().map(|deleted| &deleted.container))
        });
        containers.flat_map(|container| {
            let past = container.past.values().flatten().map(|past| &past.blob);
            let blobs = container.blobs.values().chain(past).flat_map(|blob| &blob.segments);
            let all = blobs.chain(container.staged.values().flat_map(BTreeMap::values).flatten());
            all.filter(|segment| !segment.is_hole())
        })
    }
}

impl Account {
    /// The next etag.
    fn etag(&mut self) -> String {
        self.changes += 1;
        format!("\"0x8DE{:012X}\"", self.changes.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16)
    }

    /// A name for a snapshot or version: the time, or the next that no other has.
    fn id(&mut self, now: Timestamp) -> String {
        let step = jiff::SignedDuration::from_nanos(100);
        let next = self.last_id.and_then(|last| last.checked_add(step).ok());
        let at = next.map_or(now, |next| next.max(now));
        self.last_id = Some(at);
        format!("{}.{:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"), at.subsec_nanosecond() / 100)
    }
}

impl Container {
    /// Whether there is a blob in it, or a past one that may not go yet.
    fn keeps(&self, now: Timestamp) -> bool {
        let past = self.past.values().flatten().map(|past| &past.blob);
        let kept = |blob: &Blob| blob.kept.guard(now).is_err() || self.keeping.guard(blob, now).is_err();
        !self.blobs.is_empty() || past.into_iter().any(kept)
    }

    fn new(etag: String, modified: Timestamp) -> Container {
        Container {
            etag,
            modified,
            metadata: BTreeMap::new(),
            public: None,
            blobs: BTreeMap::new(),
            staged: BTreeMap::new(),
            past: BTreeMap::new(),
            lease: Lease::default(),
            policies: Vec::new(),
            staged_encryption: BTreeMap::new(),
            encryption_scope: None,
            deny_scope_override: false,
            keeping: immutability::Keeping::default(),
        }
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
    let answer = match request.method {
        Method::Options => cors::preflight(world, account, request),
        _ => {
            let answer = serve(world, account, request).unwrap_or_else(|refused| refused);
            cors::describe(world, account, request, answer)
        }
    };
    let answer = refusal::signed(answer, &request.id, world.now);
    let version = request.header("x-ms-version").or(request.query("sv")).unwrap_or("2021-08-06");
    answer.with("x-ms-version", version).with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
}

/// A request to an account's website.
pub(super) fn website(world: &World, account: &str, request: &Request) -> Response {
    website::show(world, account, request).with("server", "Windows-Azure-Web/1.0 Microsoft-HTTPAPI/2.0")
}

/// A request to a service of a storage account that local Azure does not have: said so, in storage's words.
pub(super) fn other_service(world: &World, account: &str, service: &str, request: &Request) -> Response {
    let answer = if resource(world, account).is_some() {
        let message = format!(
            "Local Azure has no {service} endpoint: of a storage account it models the blob service and the website."
        );
        refuse(501, "NotImplemented", &message)
    } else {
        refuse(404, "ResourceNotFound", "The specified resource does not exist.")
    };
    refusal::signed(answer, &request.id, world.now)
}

fn serve(world: &mut World, account: &str, request: &Request) -> Result<Response, Response> {
    if let Some(version) = request.header("x-ms-version") {
        match version.parse::<jiff::civil::Date>() {
            Err(_) => return Err(refusal::invalid_header("x-ms-version", version)),
            Ok(date) if date > NEWEST => return Err(unknown_version(version)),
            Ok(_) => {}
        }
    }
    let (account, secondary) = match account.strip_suffix("-secondary") {
        Some(account) => (account, true),
        None => (account, false),
    };
    let ask = Ask::new(world, account, request)?;
    if secondary {
        service::secondary(world, &ask)?;
    }
    let comp = request.query("comp").unwrap_or_default().to_ascii_lowercase();
    let restype = request.query("restype").unwrap_or_default().to_ascii_lowercase();
    if restype == "account" && comp == "properties" {
        return service::account(world, &ask);
    }
    if ask.container.is_empty() {
        return account_operation(world, &ask, &restype, &comp);
    }
    containers::check_name(&ask.container)?;
    if restype == "container" {
        return container_operation(world, &ask, &comp);
    }
    blob_operation(world, &ask, &comp)
}

/// No version of the service is newer yet; clients name the dates of those they know.
const NEWEST: jiff::civil::Date = jiff::civil::date(2027, 12, 31);

fn unknown_version(version: &str) -> Response {
    let message = format!(
        "The provided service version is not enabled on this storage account. Please see https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services for additional information. ({version})"
    );
    refuse(400, "InvalidHeaderValue", &message)
}

fn account_operation(
    world: &mut World,
    ask: &Ask<'_>,
    restype: &str,
    comp: &str,
) -> Result<Response, Response> {
    match (ask.request.method, restype, comp) {
        (Method::Get, "", "list") => list::containers(world, ask),
        (Method::Get, "", "blobs") => list::by_tags(world, ask),
        (Method::Post, "", "batch") => batch::run(world, ask),
        (Method::Get, "service", "properties") => service::get(world, ask),
        (Method::Get, "service", "stats") => service::stats(world, ask),
        (Method::Put, "service", "properties") => service::set(world, ask),
        (Method::Post, "service", "userdelegationkey") => service::delegation_key(world, ask),
        _ => Err(unmodelled(ask, comp)),
    }
}

fn container_operation(world: &mut World, ask: &Ask<'_>, comp: &str) -> Result<Response, Response> {
    match (ask.request.method, comp) {
        (Method::Put, "") => containers::create(world, ask),
        (Method::Get | Method::Head, "" | "metadata") => containers::properties(world, ask),
        (Method::Put, "metadata") => containers::set_metadata(world, ask),
        (Method::Get | Method::Head, "acl") => containers::get_acl(world, ask),
        (Method::Put, "acl") => containers::set_acl(world, ask),
        (Method::Put, "lease") => lease::container(world, ask),
        (Method::Put, "undelete") => containers::undelete(world, ask),
        (Method::Delete, "") => containers::delete(world, ask),
        (Method::Get, "list") => list::blobs(world, ask),
        (Method::Get, "blobs") => list::by_tags(world, ask),
        (Method::Post, "batch") => batch::run(world, ask),
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
    let reads = matches!(ask.request.method, Method::Get | Method::Head | Method::Delete);
    if ask.names_past() && !reads && !matches!(comp, "tier" | "tags" | "immutabilitypolicies" | "legalhold") {
        return Err(bad_query(if ask.snapshot().is_some() { "snapshot" } else { "versionid" }));
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
        (Method::Put, "lease") => lease::blob(world, ask),
        (Method::Put, "snapshot") => history::snapshot(world, ask),
        (Method::Put, "undelete") => history::undelete(world, ask),
        (Method::Put, "immutabilitypolicies") => immutability::set_policy(world, ask),
        (Method::Delete, "immutabilitypolicies") => immutability::delete_policy(world, ask),
        (Method::Put, "legalhold") => immutability::set_hold(world, ask),
        (Method::Put, "copy") => copy::abort(world, ask),
        (Method::Delete, "") => history::delete(world, ask),
        (Method::Put, "block") => blocks::stage(world, ask),
        (Method::Put, "blocklist") => blocks::commit(world, ask),
        (Method::Get, "blocklist") => blocks::list(world, ask),
        (Method::Put, "appendblock") => blocks::append(world, ask),
        (Method::Put, "seal") => blocks::seal(world, ask),
        (Method::Put, "page") => pages::put(world, ask),
        (Method::Get, "pagelist") => pages::ranges(world, ask),
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

/// The tier of blobs that were given none; accounts without tiers have none.
fn default_tier(world: &World, account: &str) -> Option<String> {
    resource(world, account)?.properties()["accessTier"].as_str().map(str::to_owned)
}

impl<'a> Ask<'a> {
    /// What a request is about, and who asks.
    fn new(world: &World, account: &'a str, request: &'a Request) -> Result<Ask<'a>, Response> {
        let Some(resource) = resource(world, account) else {
            return Err(refuse(404, "ResourceNotFound", "The specified resource does not exist."));
        };
        let scope = resource.id.to_string();
        let path = decode(&request.path);
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (container, blob) = path.split_once('/').unwrap_or((path, ""));
        let is_container = request.query("restype").is_some_and(|kind| {
            kind.eq_ignore_ascii_case("container") || kind.eq_ignore_ascii_case("account")
        });
        // A name without a container is in the root container.
        let (container, blob) = match (container, blob) {
            ("", _) => ("", ""),
            (name, "") if !is_container => ("$root", name),
            other => other,
        };
        let (container, blob) = (container.to_owned(), blob.to_owned());
        let mut ask = Ask { account, scope, request, container, blob, who: Who::Anybody };
        ask.who = auth::who(world, &ask)?;
        auth::firewall(world, &ask)?;
        Ok(ask)
    }
}

/// What an account's blob service keeps of what is changed and deleted.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    versions: bool,
    /// Days that deleted blobs stay.
    days: Option<i64>,
    /// Days that deleted containers stay.
    container_days: Option<i64>,
    /// Whether reads are told of.
    accesses: bool,
}

fn settings(world: &World, account: &str) -> Settings {
    let service =
        resource(world, account).and_then(|account| super::storage_account::blob_service(world, account));
    let Some(service) = service else { return Settings::default() };
    let days = |name: &str| {
        let policy = &service[name];
        policy["days"].as_i64().filter(|_| policy["enabled"] == true)
    };
    Settings {
        versions: service["isVersioningEnabled"] == true,
        days: days("deleteRetentionPolicy"),
        container_days: days("containerDeleteRetentionPolicy"),
        accesses: service["lastAccessTimeTrackingPolicy"]["enable"] == true,
    }
}

impl Ask<'_> {
    fn account_mut<'w>(&self, world: &'w mut World) -> &'w mut Account {
        world.blobs.accounts.entry(self.account.to_owned()).or_default()
    }

    fn container<'w>(&self, world: &'w World) -> Result<&'w Container, Response> {
        let account = world.blobs.accounts.get(self.account);
        account.and_then(|account| account.containers.get(&self.container)).ok_or_else(container_not_found)
    }

    fn snapshot(&self) -> Option<&str> {
        self.request.query("snapshot").filter(|id| !id.is_empty())
    }

    fn version(&self) -> Option<&str> {
        self.request.query("versionid").filter(|id| !id.is_empty())
    }

    /// Whether a snapshot or a version is asked for.
    fn names_past(&self) -> bool {
        self.snapshot().is_some() || self.version().is_some()
    }

    /// The blob, snapshot or version.
    fn blob<'w>(&self, world: &'w World) -> Result<&'w Blob, Response> {
        let container = self.container(world)?;
        let current = container.blobs.get(&self.blob);
        let past =
            || container.past.get(&self.blob).into_iter().flatten().filter(|past| past.deleted.is_none());
        let found = match (self.snapshot(), self.version()) {
            (Some(id), _) => past().find(|past| past.is_snapshot(id)).map(|past| &past.blob),
            (None, Some(id)) => current
                .filter(|blob| blob.version.as_deref() == Some(id))
                .or_else(|| past().find(|past| past.is_version(id)).map(|past| &past.blob)),
            (None, None) => current,
        };
        found.ok_or_else(blob_not_found)
    }

    /// The same, to change what is no part of its content.
    fn blob_mut<'w>(&self, world: &'w mut World) -> Result<&'w mut Blob, Response> {
        let container = self.change(world)?.0;
        let past = container.past.entry(self.blob.clone()).or_default();
        let current = container.blobs.get_mut(&self.blob);
        let mut past = past.iter_mut().filter(|past| past.deleted.is_none());
        let found = match (self.snapshot(), self.version()) {
            (Some(id), _) => past.find(|past| past.is_snapshot(id)).map(|past| &mut past.blob),
            (None, Some(id)) => current
                .filter(|blob| blob.version.as_deref() == Some(id))
                .or_else(|| past.find(|past| past.is_version(id)).map(|past| &mut past.blob)),
            (None, None) => current,
        };
        found.ok_or_else(blob_not_found)
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

    /// `x-ms-meta-*`, by the names as they were spelled.
    fn metadata(&self) -> Result<BTreeMap<String, String>, Response> {
        let spelled: Vec<&str> = self.header(SPELLED).unwrap_or_default().split(',').collect();
        let mut metadata = BTreeMap::new();
        for (name, value) in &self.request.headers {
            let Some(name) = name.strip_prefix("x-ms-meta-") else { continue };
            if name.is_empty() {
                return Err(refuse(
                    400,
                    "EmptyMetadataKey",
                    "The key for one of the metadata key-value pairs is empty.",
                ));
            }
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(refuse(
                    400,
                    "InvalidMetadata",
                    "The metadata specified is invalid. It has characters that are not permitted.",
                ));
            }
            let own = spelled.iter().find(|spelled| spelled.eq_ignore_ascii_case(name)).unwrap_or(&name);
            metadata.insert((*own).to_owned(), value.clone());
        }
        if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > METADATA_MAX {
            return Err(refuse(
                400,
                "MetadataTooLarge",
                "The size of the specified metadata exceeds the maximum size permitted.",
            ));
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

fn blob_not_found() -> Response {
    refuse(404, "BlobNotFound", "The specified blob does not exist.")
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
    let container =
        account.containers.entry(name.to_owned()).or_insert_with(|| Container::new(etag.clone(), now));
    container.etag = etag;
    container.modified = now;
    if let Some(metadata) = properties["metadata"].as_object() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        container.metadata = metadata.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    }
    if let Some(scope) = properties["defaultEncryptionScope"].as_str() {
        container.encryption_scope = (scope != ACCOUNT_SCOPE).then(|| scope.to_owned());
    }
    if let Some(deny) = properties["denyEncryptionScopeOverride"].as_bool() {
        container.deny_scope_override = deny;
    }
    if properties["immutableStorageWithVersioning"]["enabled"] == true {
        container.keeping.versions = true;
    }
    if let Some(public) = properties["publicAccess"].as_str() {
        let public = public.to_ascii_lowercase();
        container.public = (public != "none").then_some(public);
    }
    new
}

/// Resource Manager deletes a container; returns whether it was there.
///
/// # Errors
/// Status, code and words of what is in the way: a lease, a hold, a policy.
pub(crate) fn delete_container(
    world: &mut World,
    account: &str,
    name: &str,
) -> Result<bool, (u16, &'static str, &'static str)> {
    let account = account.to_ascii_lowercase();
    let there = world.blobs.accounts.get(&account).and_then(|account| account.containers.get(name));
    let Some(there) = there else { return Ok(false) };
    if there.lease.active(world.now) {
        let message =
            "There is currently a lease on the container and no lease ID was specified in the request.";
        return Err((412, "LeaseIdMissing", message));
    }
    // Here a container goes once nothing in it is kept any more; the data plane lets go of less.
    if let Some((code, message)) = there.keeping.holds_container().filter(|_| there.keeps(world.now)) {
        return Err((409, code, message));
    }
    containers::remove(world, &account, name);
    Ok(true)
}

/// A container and what keeps it, when that lets nobody delete its account.
pub(crate) fn protected(world: &World, account: &str) -> Option<(String, &'static str)> {
    let account = world.blobs.accounts.get(&account.to_ascii_lowercase())?;
    account.containers.iter().find_map(|(name, container)| {
        let why = match &container.keeping.policy {
            _ if container.keeping.has_hold() => "legal hold",
            Some(policy) if policy.locked => "locked immutability policy",
            _ => return None,
        };
        Some((name.clone(), why))
    })
}

/// How a container keeps what is in it, with the etag of a change to that.
pub(crate) fn keeping<'w>(
    world: &'w mut World,
    account: &str,
    name: &str,
) -> Option<(String, &'w mut HeldBy)> {
    let account = world.blobs.accounts.get_mut(&account.to_ascii_lowercase())?;
    account.containers.contains_key(name).then_some(())?;
    let etag = account.etag();
    account.containers.get_mut(name).map(|container| (etag, &mut container.keeping))
}

/// Whether a container may be called so.
pub(crate) fn is_container_name(name: &str) -> bool {
    containers::check_name(name).is_ok()
}

/// Accounts deleted within the last two weeks.
pub(crate) fn deleted_accounts(world: &World) -> Vec<Gone> {
    let kept = jiff::SignedDuration::from_hours(24 * 14);
    world.blobs.gone.iter().filter(|gone| world.now.duration_since(gone.at) < kept).cloned().collect()
}

/// Containers that were deleted and may come back, with their ARM `properties`.
pub(crate) fn deleted_containers(world: &World, account: &str) -> Vec<(String, Value)> {
    let account = world.blobs.accounts.get(&account.to_ascii_lowercase());
    let deleted = account.into_iter().flat_map(|account| &account.deleted);
    deleted
        .map(|it| {
            let mut properties = arm_properties(&it.container, world.now);
            properties["deleted"] = json!(true);
            properties["version"] = json!(it.version);
            properties["deletedTime"] = json!(stamp(it.at));
            properties["remainingRetentionDays"] = json!(it.until.duration_since(world.now).as_hours() / 24);
            (it.name.clone(), properties)
        })
        .collect()
}

/// Names of an account's containers with their ARM `properties`, made by whichever plane.
pub(crate) fn containers(world: &World, account: &str) -> Vec<(String, Value)> {
    let account = world.blobs.accounts.get(&account.to_ascii_lowercase());
    let containers = account.into_iter().flat_map(|account| &account.containers);
    containers.map(|(name, container)| (name.clone(), arm_properties(container, world.now))).collect()
}

fn arm_properties(container: &Container, now: Timestamp) -> Value {
    let lease = container.lease.state(now);
    let capital = |text: &str| format!("{}{}", text[..1].to_uppercase(), &text[1..]);
    let public = match container.public.as_deref() {
        Some("container") => "Container",
        Some("blob") => "Blob",
        _ => "None",
    };
    let keeping = &container.keeping;
    let mut properties = json!({
        "publicAccess": public, "metadata": container.metadata, "etag": container.etag,
        "lastModifiedTime": stamp(container.modified), "leaseStatus": capital(lease.status()),
        "leaseState": capital(lease.name()), "deleted": false, "remainingRetentionDays": 0,
        "hasImmutabilityPolicy": keeping.has_policy(), "hasLegalHold": keeping.has_hold(),
        "legalHold": {"hasLegalHold": keeping.has_hold(),
                      "tags": keeping.holds.iter().map(|tag| json!({"tag": tag})).collect::<Vec<_>>()},
        "defaultEncryptionScope": container.encryption_scope.as_deref().unwrap_or(ACCOUNT_SCOPE),
        "denyEncryptionScopeOverride": container.deny_scope_override,
        "immutableStorageWithVersioning": {"enabled": keeping.versions},
    });
    if let Some(policy) = &keeping.policy {
        properties["immutabilityPolicy"] = json!({"etag": policy.etag, "properties": {
            "immutabilityPeriodSinceCreationInDays": policy.days,
            "state": if policy.locked { "Locked" } else { "Unlocked" },
            "allowProtectedAppendWrites": policy.appends,
            "allowProtectedAppendWritesAll": policy.all_appends,
        }});
    }
    properties
}

/// The account is gone from Resource Manager: so is its content.
pub(crate) fn removed(world: &mut World, gone: &Gone) {
    world.blobs.accounts.remove(&gone.name.to_ascii_lowercase());
    let now = world.now;
    world.blobs.gone.retain(|it| now.duration_since(it.at) < jiff::SignedDuration::from_hours(24 * 14));
    world.blobs.gone.push(gone.clone());
}
