//! Operations on blobs as a whole.

use std::collections::BTreeMap;

use super::auth::Who;
use super::lease::What;
use super::refusal::{invalid_header, missing_header, refuse};
use super::{
    Ask, Blob, BlobKind, Properties, Right, conditions, copy, encryption, history, http_date, immutability,
    integrity, pages, service, tier, xml,
};
use crate::world::http::{Segment, slice};
use crate::world::{Body, Response, World};

pub(super) fn get(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let response = read(world, ask)?;
    history::accessed(world, ask);
    Ok(response)
}

fn read(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Read)?;
    let blob = ask.blob(world)?;
    conditions::check_tagged(ask, blob)?;
    blob.encryption.check(ask)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    if blob.tier.as_deref() == Some("Archive") {
        return Err(refuse(409, "BlobArchived", "This operation is not permitted on an archived blob."));
    }
    let range = ask.header("x-ms-range").or(ask.header("range"));
    let Some((first, last)) = range.map(|range| range_of(range, blob.size)).transpose()?.flatten() else {
        integrity::wanted_of_range(ask, None)?;
        let response =
            describe(world, ask, Response::empty(200), blob, Whole::Yes).with("accept-ranges", "bytes");
        let body = if blob.size == 0 { Body::Empty } else { Body::Stored(blob.segments.clone()) };
        return Ok(Response { body, ..response }.with("content-length", blob.size.to_string()));
    };
    let length = last - first + 1;
    let digest = integrity::wanted_of_range(ask, Some(length))?;
    let mut response = describe(world, ask, Response::empty(206), blob, Whole::No)
        .with("accept-ranges", "bytes")
        .with("content-range", format!("bytes {first}-{last}/{}", blob.size))
        .with("content-length", length.to_string());
    if let Some(digest) = digest {
        response = response.with(integrity::DIGEST, digest);
    }
    Ok(Response { body: Body::Stored(slice(&blob.segments, first, length)), ..response })
}

pub(super) fn properties(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Read)?;
    let blob = ask.blob(world)?;
    conditions::check_tagged(ask, blob)?;
    blob.encryption.check(ask)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    if ask.request.query("comp").is_some() {
        return Ok(metadata(Response::empty(200), blob)
            .with("etag", blob.etag.as_str())
            .with("last-modified", http_date(blob.modified)));
    }
    Ok(describe(world, ask, Response::empty(200), blob, Whole::Yes)
        .with("accept-ranges", "bytes")
        .with("content-length", blob.size.to_string()))
}

pub(super) fn put(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    if let Some(source) = ask.header("x-ms-copy-source") {
        return copy::put(world, ask, source);
    }
    let kind = match ask.header("x-ms-blob-type") {
        None => return Err(missing_header("x-ms-blob-type")),
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => BlobKind::BlockBlob,
        Some(kind) if kind.eq_ignore_ascii_case("AppendBlob") => BlobKind::AppendBlob,
        Some(kind) if kind.eq_ignore_ascii_case("PageBlob") => BlobKind::PageBlob,
        Some(other) => return Err(invalid_header("x-ms-blob-type", other)),
    };
    let (mut segments, mut size) = ask.content();
    if kind != BlobKind::BlockBlob && size > 0 {
        return Err(invalid_header("content-length", &size.to_string()));
    }
    let mut sequence = 0;
    if kind == BlobKind::PageBlob {
        (size, sequence) = pages::sent(ask)?;
        segments = if size > 0 { vec![Segment::hole(size)] } else { Vec::new() };
    }
    let sums = integrity::check(ask, &segments)?;
    let mut properties = sent_properties(ask);
    if kind == BlobKind::BlockBlob && properties.content_md5.is_none() {
        properties.content_md5.clone_from(&sums.md5);
    }
    let blob = replace(world, ask, kind)?;
    let blob = Blob { segments, size, properties, sequence, ..blob };
    let told = blob.encryption.clone();
    let (etag, modified, md5) = (blob.etag.clone(), blob.modified, blob.properties.content_md5.clone());
    let version = history::put(world, ask, blob)?;
    let mut response = told.describe(written(201, &etag, modified, version));
    if kind == BlobKind::BlockBlob {
        if let Some(md5) = md5 {
            response = response.with("content-md5", md5);
        }
        if let Some(crc64) = sums.crc64 {
            response = response.with("x-ms-content-crc64", crc64);
        }
    }
    Ok(response)
}

/// A new blob in the place of what is there, with what the request says but no content; blocks that were staged for
/// it are gone once it is put.
pub(super) fn replace(world: &mut World, ask: &Ask<'_>, kind: BlobKind) -> Result<Blob, Response> {
    let there = ask.container(world)?.blobs.get(&ask.blob);
    ask.may_put(world, there.is_some())?;
    let given = ask.header("x-ms-lease-id");
    match there {
        Some(blob) => {
            conditions::check_tagged(ask, blob)?;
            blob.lease.guard(world.now, given, What::Blob, true)?;
            history::guard_overwrite(world, ask, blob)?;
        }
        None => {
            conditions::check(ask, None)?;
            super::lease::Lease::default().guard(world.now, given, What::Blob, true)?;
        }
    }
    // A blob that was archived is not read but replaced, and may be while it stays there.
    let lease = there.map(|blob| blob.lease.after_write(world.now)).unwrap_or_default();
    let tier = ask.header("x-ms-access-tier").map(|tier| tier::named(world, ask, tier)).transpose()?;
    let tags = match ask.header("x-ms-tags") {
        Some(tags) => {
            // tags with the blob need the right to tags, where a signature lists rights
            if let Who::Sas(_) = ask.who {
                ask.may(world, Right::WriteTags)?;
            }
            let tags = url::form_urlencoded::parse(tags.as_bytes()).into_owned().collect();
            check_tags(&tags)?;
            tags
        }
        None => BTreeMap::new(),
    };
    let metadata = ask.metadata()?;
    let created = there.map_or(world.now, |blob| blob.created);
    let now = world.now;
    let container = ask.container(world)?;
    let encryption = encryption::of_write(world, ask, container)?;
    let mut kept = immutability::Kept::sent(ask, container)?;
    if kept.until.is_none() {
        kept = immutability::Kept { hold: kept.hold, ..container.keeping.inherited(now) };
    }
    let (container, etag) = ask.change(world)?;
    container.staged.remove(&ask.blob);
    container.staged_encryption.remove(&ask.blob);
    Ok(Blob {
        kind,
        segments: Vec::new(),
        size: 0,
        blocks: Vec::new(),
        properties: Properties::default(),
        metadata,
        tags,
        tier_changed: tier.is_some().then_some(now),
        tier,
        etag,
        created,
        modified: now,
        version: None,
        lease,
        rehydrating: None,
        copied: None,
        sealed: false,
        sequence: 0,
        accessed: None,
        encryption,
        kept,
    })
}

pub(super) fn set_properties(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let now = world.now;
    let (blob, etag) = change(world, ask)?;
    let mut pages = blob.clone();
    if blob.kind == BlobKind::PageBlob {
        pages::resize(ask, &mut pages)?;
        (blob.segments, blob.size, blob.sequence) = (pages.segments, pages.size, pages.sequence);
    }
    // All of them are set at once: what is not sent is cleared. A new length alone leaves them as they are.
    let sent = sent_properties(ask);
    let only_pages = ask.header("x-ms-blob-content-length").is_some()
        || ask.header("x-ms-sequence-number-action").is_some();
    if !(blob.kind == BlobKind::PageBlob && only_pages && sent == Properties::default()) {
        blob.properties = sent;
    }
    blob.etag.clone_from(&etag);
    blob.modified = now;
    let response = Response::empty(200).with("etag", etag).with("last-modified", http_date(now));
    Ok(if blob.kind == BlobKind::PageBlob {
        response.with("x-ms-blob-sequence-number", blob.sequence.to_string())
    } else {
        response
    })
}

pub(super) fn set_metadata(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let metadata = ask.metadata()?;
    let now = world.now;
    check_change(world, ask)?;
    ask.blob(world)?.encryption.check_change(world, ask, ask.container(world)?)?;
    let version = history::new_version(world, ask);
    let (blob, etag) = change(world, ask)?;
    blob.metadata = metadata;
    blob.etag.clone_from(&etag);
    blob.modified = now;
    let encryption = blob.encryption.clone();
    Ok(encryption.describe(written(200, &etag, now, version)))
}

pub(super) fn set_tier(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    tier::set(world, ask)
}

pub(super) fn set_tags(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::WriteTags)?;
    let there = ask.blob(world)?;
    conditions::check_tagged(ask, there)?;
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    let sent = service::document(ask)?;
    let mut tags = BTreeMap::new();
    for tag in sent.child("TagSet").map(|set| set.children.as_slice()).unwrap_or_default() {
        match (tag.text_of("Key"), tag.text_of("Value")) {
            (Some(key), Some(value)) if tag.name == "Tag" => {
                tags.insert(key.to_owned(), value.to_owned());
            }
            _ => return Err(super::refusal::bad_xml()),
        }
    }
    check_tags(&tags)?;
    ask.blob_mut(world)?.tags = tags;
    Ok(Response::empty(204))
}

/// At most ten, keys of 1 to 128 and values of up to 256 of the letters that tags may have.
fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Response> {
    let word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " +-./:=_".contains(c));
    let fits = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.len()) && value.len() <= 256 && word(key) && word(value)
    };
    if tags.len() > 10 || !tags.iter().all(fits) {
        return Err(refuse(
            400,
            "InvalidTags",
            "The tags specified are invalid. It contains characters that are not permitted, or too many of them.",
        ));
    }
    Ok(())
}

pub(super) fn get_tags(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ReadTags)?;
    let blob = ask.blob(world)?;
    conditions::check_tagged(ask, blob)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    let tag = |(key, value): (&String, &String)| {
        format!("<Tag>{}{}</Tag>", xml::element("Key", key), xml::element("Value", value))
    };
    let tags: String = blob.tags.iter().map(tag).collect();
    Ok(xml::response(200, &format!("<Tags><TagSet>{tags}</TagSet></Tags>")))
}

/// Refuses a change that the caller may not make, or not now.
fn check_change(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    ask.may(world, Right::Write)?;
    let blob = ask.blob(world)?;
    conditions::check_tagged(ask, blob)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    blob.kept.guard(world.now)?;
    ask.container(world)?.keeping.guard(blob, world.now)
}

/// A blob that is there, for a change that the caller may make, and the etag it gets.
fn change<'w>(world: &'w mut World, ask: &Ask<'_>) -> Result<(&'w mut Blob, String), Response> {
    check_change(world, ask)?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    let blob = container.blobs.get_mut(&ask.blob).ok_or_else(super::blob_not_found)?;
    blob.lease = blob.lease.after_write(now);
    Ok((blob, etag))
}

/// What an operation that wrote a blob answers.
pub(super) fn written(
    status: u16,
    etag: &str,
    modified: jiff::Timestamp,
    version: Option<String>,
) -> Response {
    let response = Response::empty(status)
        .with("etag", etag)
        .with("last-modified", http_date(modified))
        .with("x-ms-request-server-encrypted", "true");
    match version {
        Some(version) => response.with("x-ms-version-id", version),
        None => response,
    }
}

/// `x-ms-blob-content-*`, and for `Put Blob` the plain `Content-Type` in their place.
pub(super) fn sent_properties(ask: &Ask<'_>) -> Properties {
    let own = |name: &str| ask.header(name).map(str::to_owned);
    // Only `Put Blob` carries the blob itself, so only there the plain headers are the blob's.
    let carries = ask.request.query("comp").is_none() && ask.header("x-ms-copy-source").is_none();
    let either = |name: &str, plain: &str| own(name).or_else(|| carries.then(|| own(plain)).flatten());
    Properties {
        content_type: either("x-ms-blob-content-type", "content-type"),
        content_encoding: either("x-ms-blob-content-encoding", "content-encoding"),
        content_language: either("x-ms-blob-content-language", "content-language"),
        content_disposition: own("x-ms-blob-content-disposition"),
        cache_control: either("x-ms-blob-cache-control", "cache-control"),
        content_md5: own("x-ms-blob-content-md5"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

fn describe(world: &World, ask: &Ask<'_>, response: Response, blob: &Blob, whole: Whole) -> Response {
    let properties = &blob.properties;
    // A signature may say what is told in their place.
    let by_sas = matches!(ask.who, Who::Sas(_));
    let told = |name: &str, own| by_sas.then(|| ask.request.query(name)).flatten().or(Option::as_deref(own));
    let mut response = metadata(response, blob)
        .with("content-type", told("rsct", &properties.content_type).unwrap_or("application/octet-stream"))
        .with("etag", blob.etag.as_str())
        .with("last-modified", http_date(blob.modified))
        .with("x-ms-creation-time", http_date(blob.created))
        .with("x-ms-blob-type", blob.kind.name())
        .with("x-ms-server-encrypted", "true");
    response = blob.lease.describe(response, world.now);
    if blob.kind == BlobKind::AppendBlob {
        response = response.with("x-ms-blob-committed-block-count", blob.blocks.len().to_string());
        if blob.sealed {
            response = response.with("x-ms-blob-sealed", "true");
        }
    } else if blob.kind == BlobKind::PageBlob {
        response = response.with("x-ms-blob-sequence-number", blob.sequence.to_string());
    } else if let Some(tier) = &blob.tier {
        response = response.with("x-ms-access-tier", tier.as_str());
        if let Some(smart) = blob.smart_tier() {
            response = response.with("x-ms-smart-access-tier", smart);
        }
    } else if let Some(tier) = super::default_tier(world, ask.account) {
        response = response.with("x-ms-access-tier", tier).with("x-ms-access-tier-inferred", "true");
    }
    if let Some(at) = blob.tier_changed {
        response = response.with("x-ms-access-tier-change-time", http_date(at));
    }
    if let Some(rehydrating) = &blob.rehydrating {
        let to = rehydrating.to.to_ascii_lowercase();
        response = response
            .with("x-ms-archive-status", format!("rehydrate-pending-to-{to}"))
            .with("x-ms-rehydrate-priority", rehydrating.priority.as_str());
    }
    if let Some(copied) = &blob.copied {
        response = copied.describe(response);
    }
    if let Some(accessed) = blob.accessed {
        response = response.with("x-ms-last-access-time", http_date(accessed));
    }
    response = blob.kept.describe(blob.encryption.describe(response));
    if let (Some(version), None) = (&blob.version, ask.snapshot()) {
        response = response.with("x-ms-version-id", version.as_str());
        let current = ask.container(world).ok().and_then(|container| container.blobs.get(&ask.blob));
        if current.is_some_and(|current| current.version.as_deref() == Some(version)) {
            response = response.with("x-ms-is-current-version", "true");
        }
    }
    if !blob.tags.is_empty() {
        response = response.with("x-ms-tag-count", blob.tags.len().to_string());
    }
    let optional = [
        ("content-encoding", told("rsce", &properties.content_encoding)),
        ("content-language", told("rscl", &properties.content_language)),
        ("content-disposition", told("rscd", &properties.content_disposition)),
        ("cache-control", told("rscc", &properties.cache_control)),
        // That of a part is another, and told under another name.
        (
            if whole == Whole::Yes { "content-md5" } else { "x-ms-blob-content-md5" },
            properties.content_md5.as_deref(),
        ),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            response = response.with(name, value);
        }
    }
    response
}

fn metadata(mut response: Response, blob: &Blob) -> Response {
    for (name, value) in &blob.metadata {
        response = response.with(&format!("x-ms-meta-{name}"), value.as_str());
    }
    response
}

/// First and last byte of `bytes=a-b` or `bytes=a-`; anything else is no range for blobs.
pub(super) fn range_of(range: &str, size: u64) -> Result<Option<(u64, u64)>, Response> {
    let bounds = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let Some((first, last)) = bounds else { return Ok(None) };
    let Ok(first) = first.trim().parse::<u64>() else { return Ok(None) };
    let last = match last.trim() {
        "" => u64::MAX,
        last => match last.parse::<u64>() {
            Ok(last) if last >= first => last,
            _ => return Ok(None),
        },
    };
    if first >= size {
        return Err(refuse(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        )
        .with("content-range", format!("bytes */{size}")));
    }
    Ok(Some((first, last.min(size - 1))))
}
