//! Listings of containers and blobs: prefix, delimiter, pages.

use jiff::Timestamp;

use super::history::{Past, PastKind};
use super::refusal::{bad_query, refuse};
use super::{Ask, Blob, BlobKind, Container, DeletedContainer, Right, conditions, http_date, xml};
use crate::world::{Response, World};

const PAGE_MAX: usize = 5000;

/// What a listing asks for.
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    /// The entry that the page begins with.
    marker: &'a str,
    max: usize,
    metadata: bool,
    tags: bool,
    uncommitted: bool,
    snapshots: bool,
    versions: bool,
    deleted: bool,
    deleted_with_versions: bool,
    copy: bool,
    immutability: bool,
    holds: bool,
    system: bool,
    /// `showonly=deleted`, `files` or `directories`.
    only: Option<Only>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Deleted,
    Files,
    Folders,
}

/// What `include` may name.
const INCLUDES: [&str; 14] = [
    "snapshots",
    "metadata",
    "uncommittedblobs",
    "copy",
    "deleted",
    "tags",
    "versions",
    "deletedwithversions",
    "immutabilitypolicy",
    "legalhold",
    "permissions",
    "system",
    "lastaccesstime",
    "",
];

/// Stands between a name and which of its entries a page begins with; a sign that names hardly have.
const OF: char = '\u{2028}';

fn marker(name: &str, order: &str) -> String {
    if order.is_empty() { name.to_owned() } else { format!("{name}{OF}{order}") }
}

impl<'a> Wanted<'a> {
    /// The name, and the entry of it, that the page begins with.
    fn from(&self) -> (&'a str, &'a str) {
        self.marker.split_once(OF).unwrap_or((self.marker, ""))
    }
}

fn wanted<'a>(ask: &'a Ask<'_>) -> Result<Wanted<'a>, Response> {
    let query = |name: &str| ask.request.query(name).unwrap_or_default();
    let max = match ask.request.query("maxresults") {
        None | Some("") => PAGE_MAX,
        Some(max) => match max.parse::<usize>() {
            Ok(max) if max > 0 => max.min(PAGE_MAX),
            _ => {
                return Err(refuse(
                    400,
                    "OutOfRangeQueryParameterValue",
                    "One of the query parameters specified in the request URI is outside the permissible range.",
                ));
            }
        },
    };
    let included = query("include").to_ascii_lowercase();
    let include = |name: &str| included.split(',').any(|one| one.trim() == name);
    if included.split(',').any(|one| !INCLUDES.contains(&one.trim())) {
        return Err(bad_query("include"));
    }
    let only = match query("showonly").to_ascii_lowercase().as_str() {
        "" => None,
        "deleted" => Some(Only::Deleted),
        "files" => Some(Only::Files),
        "directories" => Some(Only::Folders),
        _ => return Err(bad_query("showonly")),
    };
    Ok(Wanted {
        prefix: query("prefix"),
        delimiter: query("delimiter"),
        marker: query("marker"),
        max,
        metadata: include("metadata"),
        tags: include("tags"),
        uncommitted: include("uncommittedblobs"),
        snapshots: include("snapshots"),
        versions: include("versions"),
        deleted: include("deleted"),
        deleted_with_versions: include("deletedwithversions"),
        copy: include("copy"),
        immutability: include("immutabilitypolicy"),
        holds: include("legalhold"),
        system: include("system"),
        only,
    })
}

fn head(ask: &Ask<'_>, wanted: &Wanted<'_>) -> String {
    let mut out = format!("<EnumerationResults ServiceEndpoint=\"{}/\"", xml::escape(&ask.request.origin));
    if !ask.container.is_empty() {
        out.push_str(&format!(" ContainerName=\"{}\"", xml::escape(&ask.container)));
    }
    out.push('>');
    let given = |name: &str| ask.request.query(name).is_some();
    for (name, query, value) in [
        ("Prefix", "prefix", wanted.prefix.to_owned()),
        ("Marker", "marker", wanted.marker.to_owned()),
        ("MaxResults", "maxresults", wanted.max.to_string()),
        ("Delimiter", "delimiter", wanted.delimiter.to_owned()),
    ] {
        if given(query) {
            out.push_str(&xml::element(name, &value));
        }
    }
    out
}

/// `List Containers`.
pub(super) fn containers(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ListContainers)?;
    let wanted = wanted(ask)?;
    let now = world.now;
    let mut out = head(ask, &wanted);
    out.push_str("<Containers>");
    let account = world.blobs.accounts.get(ask.account);
    let live = account.into_iter().flat_map(|account| &account.containers);
    let mut all: Vec<(&str, &str, &Container, Option<&DeletedContainer>)> =
        live.map(|(name, container)| (name.as_str(), "", container, None)).collect();
    if wanted.deleted {
        let deleted = account.into_iter().flat_map(|account| &account.deleted);
        all.extend(deleted.map(|it| (it.name.as_str(), it.version.as_str(), &it.container, Some(it))));
        all.sort_by_key(|(name, version, ..)| (*name, *version));
    }
    // Made by the service itself, and shown to those who ask for what is.
    let logs = Container::new("\"0x8D0000000000000\"".into(), now);
    if wanted.system && wanted.marker.is_empty() && "$logs".starts_with(wanted.prefix) {
        all.insert(0, ("$logs", "", &logs, None));
    }
    let mut entries = all
        .into_iter()
        .filter(|(name, version, ..)| name.starts_with(wanted.prefix) && (*name, *version) >= wanted.from())
        .peekable();
    for (name, version, container, deleted) in entries.by_ref().take(wanted.max) {
        out.push_str(&format!("<Container>{}", xml::element("Name", name)));
        if deleted.is_some() {
            out.push_str(&format!("<Deleted>true</Deleted>{}", xml::element("Version", version)));
        }
        out.push_str(&format!(
            "<Properties>{}{}{}",
            xml::element("Last-Modified", &http_date(container.modified)),
            xml::element("Etag", &container.etag),
            container.lease.elements(now),
        ));
        if let Some(public) = &container.public {
            out.push_str(&xml::element("PublicAccess", public));
        }
        let keeping = &container.keeping;
        let scope = container.encryption_scope.as_deref().unwrap_or(super::ACCOUNT_SCOPE);
        for (name, value) in [
            ("DefaultEncryptionScope", scope.to_owned()),
            ("DenyEncryptionScopeOverride", container.deny_scope_override.to_string()),
            ("HasImmutabilityPolicy", keeping.has_policy().to_string()),
            ("HasLegalHold", keeping.has_hold().to_string()),
            ("ImmutableStorageWithVersioningEnabled", keeping.versions.to_string()),
        ] {
            out.push_str(&xml::element(name, &value));
        }
        if let Some(deleted) = deleted {
            out.push_str(&retention(deleted.at, deleted.until, now));
        }
        out.push_str("</Properties>");
        if wanted.metadata {
            out.push_str(&pairs("Metadata", container.metadata.iter()));
        }
        out.push_str("</Container>");
    }
    let next = entries.peek().map(|(name, version, ..)| marker(name, version)).unwrap_or_default();
    out.push_str(&format!("</Containers>{}</EnumerationResults>", xml::element("NextMarker", &next)));
    Ok(xml::response(200, &out))
}

/// When it was deleted and how many days are left.
fn retention(at: Timestamp, until: Timestamp, now: Timestamp) -> String {
    let days = until.duration_since(now).as_hours() / 24;
    format!(
        "{}<RemainingRetentionDays>{days}</RemainingRetentionDays>",
        xml::element("DeletedTime", &http_date(at))
    )
}

/// One entry of a blob's name: what is past in order of time, then what is there now.
#[derive(Clone, Copy)]
enum Entry<'w> {
    Past(&'w Past),
    Blob(&'w Blob),
    /// Blocks only: there is nothing to tell yet.
    Staged,
}

impl Entry<'_> {
    /// Where it stands among those of its name.
    fn order(&self) -> &str {
        match self {
            Entry::Past(past) => &past.id,
            // after all times
            Entry::Blob(_) | Entry::Staged => "~",
        }
    }
}

/// `List Blobs`: flat, or by folders when there is a delimiter.
pub(super) fn blobs(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::List)?;
    let container = ask.container(world)?;
    let wanted = wanted(ask)?;
    if wanted.snapshots && !wanted.delimiter.is_empty() {
        return Err(bad_query("include"));
    }
    let mut out = head(ask, &wanted);
    out.push_str("<Blobs>");
    let mut all: Vec<(&str, Entry<'_>)> =
        container.blobs.iter().map(|(name, blob)| (name.as_str(), Entry::Blob(blob))).collect();
    let deleted = wanted.deleted || wanted.only == Some(Only::Deleted);
    for (name, past) in &container.past {
        let shown = past.iter().filter(|past| match (past.kind, past.deleted) {
            (PastKind::Snapshot, None) => wanted.snapshots,
            (PastKind::Version, None) => wanted.versions,
            (PastKind::Snapshot, Some(_)) => deleted && wanted.snapshots,
            (PastKind::Version, Some(_)) => deleted && wanted.versions,
            (PastKind::Base, _) => deleted && !container.blobs.contains_key(name),
        });
        all.extend(shown.map(|past| (name.as_str(), Entry::Past(past))));
        let has_live = past.iter().any(|past| past.kind == PastKind::Version && past.deleted.is_none());
        let latest = past.iter().rfind(|past| past.kind == PastKind::Version && past.deleted.is_none());
        // with versions kept, what was deleted is told by its newest version
        if wanted.deleted_with_versions && !wanted.versions && has_live && !container.blobs.contains_key(name)
        {
            all.extend(latest.map(|past| (name.as_str(), Entry::Past(past))));
        }
    }
    if wanted.uncommitted {
        let staged = container.staged.keys().filter(|name| !container.blobs.contains_key(*name));
        all.extend(staged.map(|name| (name.as_str(), Entry::Staged)));
    }
    if wanted.only == Some(Only::Deleted) {
        all.retain(|(_, entry)| matches!(entry, Entry::Past(past) if past.deleted.is_some()));
    }
    all.sort_by(|(a, x), (b, y)| (*a, x.order()).cmp(&(*b, y.order())));
    let entries =
        all.into_iter().filter(|(name, _)| name.starts_with(wanted.prefix)).filter_map(|(name, entry)| {
            // What is behind the next delimiter is one entry.
            let rest = &name[wanted.prefix.len()..];
            let folder = match wanted.delimiter {
                "" => None,
                delimiter => {
                    rest.find(delimiter).map(|at| &name[..wanted.prefix.len() + at + delimiter.len()])
                }
            };
            let (from, order) = wanted.from();
            let shown = match folder {
                Some(folder) => folder >= from,
                None => name > from || (name == from && entry.order() >= order),
            };
            let shown = shown
                && match wanted.only {
                    Some(Only::Files) => folder.is_none(),
                    Some(Only::Folders) => folder.is_some(),
                    _ => true,
                };
            shown.then_some((folder.unwrap_or(name), folder.is_some(), entry))
        });
    let mut count = 0;
    let mut last_folder = None;
    let mut last_name = None;
    let mut next = String::new();
    for (name, is_folder, entry) in entries {
        if is_folder && last_folder == Some(name) {
            continue;
        }
        if count == wanted.max {
            // the first of its name needs no more than the name
            next = if last_name == Some(name) { marker(name, entry.order()) } else { name.to_owned() };
            break;
        }
        count += 1;
        last_name = Some(name);
        if is_folder {
            last_folder = Some(name);
            out.push_str(&format!("<BlobPrefix>{}</BlobPrefix>", name_element(name)));
        } else {
            out.push_str(&blob_element(world, ask, name, entry, &wanted));
        }
    }
    out.push_str(&format!("</Blobs>{}</EnumerationResults>", xml::element("NextMarker", &next)));
    Ok(xml::response(200, &out))
}

fn blob_element(world: &World, ask: &Ask<'_>, name: &str, entry: Entry<'_>, wanted: &Wanted<'_>) -> String {
    let mut out = format!("<Blob>{}", name_element(name));
    let (blob, past) = match entry {
        Entry::Past(past) => (&past.blob, Some(past)),
        Entry::Blob(blob) => (blob, None),
        Entry::Staged => {
            out.push_str("<Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>");
            return out;
        }
    };
    match past {
        Some(past) => {
            if past.deleted.is_some() {
                out.push_str("<Deleted>true</Deleted>");
            }
            match past.kind {
                PastKind::Snapshot => out.push_str(&xml::element("Snapshot", &past.id)),
                PastKind::Version if wanted.versions => out.push_str(&xml::element("VersionId", &past.id)),
                PastKind::Version => out.push_str("<HasVersionsOnly>true</HasVersionsOnly>"),
                PastKind::Base => {}
            }
        }
        None => {
            if let Some(version) = blob.version.as_ref().filter(|_| wanted.versions) {
                out.push_str(&xml::element("VersionId", version));
                out.push_str("<IsCurrentVersion>true</IsCurrentVersion>");
            }
        }
    }
    out.push_str("<Properties>");
    let properties = &blob.properties;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let content_type = properties.content_type.clone().unwrap_or_else(|| "application/octet-stream".into());
    for (name, value) in [
        ("Creation-Time", http_date(blob.created)),
        ("Last-Modified", http_date(blob.modified)),
        ("Etag", blob.etag.trim_matches('"').to_owned()),
        ("Content-Length", blob.size.to_string()),
        ("Content-Type", content_type),
        ("Content-Encoding", text(&properties.content_encoding)),
        ("Content-Language", text(&properties.content_language)),
        ("Content-MD5", text(&properties.content_md5)),
        ("Cache-Control", text(&properties.cache_control)),
        ("Content-Disposition", text(&properties.content_disposition)),
        ("BlobType", blob.kind.name().to_owned()),
    ] {
        out.push_str(&xml::element(name, &value));
    }
    if blob.kind == BlobKind::PageBlob {
        out.push_str(&xml::element("x-ms-blob-sequence-number", &blob.sequence.to_string()));
    }
    if blob.sealed {
        out.push_str("<Sealed>true</Sealed>");
    }
    if let Some(at) = blob.accessed {
        out.push_str(&xml::element("LastAccessTime", &http_date(at)));
    }
    out.push_str(&blob.encryption.elements());
    out.push_str(&blob.kept.elements(wanted.immutability, wanted.holds));
    if blob.kind == BlobKind::BlockBlob {
        let default = || super::default_tier(world, ask.account);
        if let Some(tier) = blob.tier.clone().or_else(default) {
            out.push_str(&xml::element("AccessTier", &tier));
            if let Some(smart) = blob.smart_tier() {
                out.push_str(&xml::element("SmartAccessTier", smart));
            }
            if blob.tier.is_none() {
                out.push_str("<AccessTierInferred>true</AccessTierInferred>");
            }
        }
    }
    if let Some(at) = blob.tier_changed {
        out.push_str(&xml::element("AccessTierChangeTime", &http_date(at)));
    }
    if let Some(rehydrating) = &blob.rehydrating {
        let to = rehydrating.to.to_ascii_lowercase();
        out.push_str(&xml::element("ArchiveStatus", &format!("rehydrate-pending-to-{to}")));
        out.push_str(&xml::element("RehydratePriority", &rehydrating.priority));
    }
    if let Some(copied) = blob.copied.as_ref().filter(|_| wanted.copy) {
        for (name, value) in [
            ("CopyId", copied.id.clone()),
            ("CopySource", copied.source.clone()),
            ("CopyStatus", "success".to_owned()),
            ("CopyProgress", format!("{}/{}", copied.size, copied.size)),
            ("CopyCompletionTime", http_date(copied.at)),
        ] {
            out.push_str(&xml::element(name, &value));
        }
    }
    if past.is_none() {
        out.push_str(&blob.lease.elements(world.now));
    }
    out.push_str("<ServerEncrypted>true</ServerEncrypted>");
    if let Some(gone) = past.and_then(|past| past.deleted) {
        out.push_str(&retention(gone.at, gone.until, world.now));
    }
    if !blob.tags.is_empty() {
        out.push_str(&xml::element("TagCount", &blob.tags.len().to_string()));
    }
    out.push_str("</Properties>");
    if wanted.metadata {
        out.push_str(&pairs("Metadata", blob.metadata.iter()));
    }
    if wanted.tags && !blob.tags.is_empty() {
        out.push_str(&tag_set(blob.tags.iter()));
    }
    out.push_str("<OrMetadata /></Blob>");
    out
}

fn tag_set<'p>(tags: impl Iterator<Item = (&'p String, &'p String)>) -> String {
    let tag = |(key, value): (&String, &String)| {
        format!("<Tag>{}{}</Tag>", xml::element("Key", key), xml::element("Value", value))
    };
    format!("<Tags><TagSet>{}</TagSet></Tags>", tags.map(tag).collect::<String>())
}

/// `Find Blobs by Tags`, of an account or a container.
pub(super) fn by_tags(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Find)?;
    let wanted = wanted(ask)?;
    let text = ask.request.query("where").unwrap_or_default();
    let terms = conditions::terms(text).ok_or_else(|| bad_query("where"))?;
    let mut out = format!(
        "<EnumerationResults ServiceEndpoint=\"{}/\">{}<Blobs>",
        xml::escape(&ask.request.origin),
        xml::element("Where", text)
    );
    if !ask.container.is_empty() {
        ask.container(world)?;
    }
    let account = world.blobs.accounts.get(ask.account);
    let containers = account.into_iter().flat_map(|account| &account.containers);
    let containers = containers.filter(|(name, _)| ask.container.is_empty() || **name == ask.container);
    let mut found = containers
        .flat_map(|(name, container)| container.blobs.iter().map(move |(blob, it)| (name, blob, it)))
        .filter(|(container, _, blob)| {
            terms.iter().all(|term| match term.key.as_str() {
                "@container" => term.holds(Some(container)),
                key => blob.tags.contains_key(key) && term.holds(blob.tags.get(key).map(String::as_str)),
            })
        })
        .filter(|(container, blob, _)| {
            let (a, b) = wanted.marker.split_once('/').unwrap_or((wanted.marker, ""));
            (container.as_str(), blob.as_str()) >= (a, b)
        })
        .peekable();
    for (container, name, blob) in found.by_ref().take(wanted.max) {
        let asked = blob.tags.iter().filter(|(key, _)| terms.iter().any(|term| term.key == **key));
        out.push_str(&format!(
            "<Blob>{}{}{}</Blob>",
            name_element(name),
            xml::element("ContainerName", container),
            tag_set(asked)
        ));
    }
    let next = found.peek().map(|(container, blob, _)| format!("{container}/{blob}")).unwrap_or_default();
    out.push_str(&format!("</Blobs>{}</EnumerationResults>", xml::element("NextMarker", &next)));
    Ok(xml::response(200, &out))
}

/// A name; one that XML cannot hold is told percent-encoded.
fn name_element(name: &str) -> String {
    if name.chars().any(|c| c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        return format!("<Name Encoded=\"true\">{}</Name>", xml::escape(&encoded));
    }
    xml::element("Name", name)
}

fn pairs<'p>(name: &str, pairs: impl Iterator<Item = (&'p String, &'p String)>) -> String {
    let pairs: String = pairs.map(|(key, value)| xml::element(key, value)).collect();
    format!("<{name}>{pairs}</{name}>")
}
