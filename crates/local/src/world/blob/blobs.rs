//! Operations on blobs as a whole.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::{invalid_header, missing_header, refuse};
use super::{Ask, Blob, BlobKind, Properties, conditions, http_date, xml};
use crate::world::http::slice;
use crate::world::{Body, Response, World};

const TIERS: [&str; 4] = ["Hot", "Cool", "Cold", "Archive"];

pub(super) fn get(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "read")?;
    let blob = ask.blob(world)?;
    conditions::check(ask, Some((&blob.etag, blob.modified)))?;
    if blob.tier.as_deref() == Some("Archive") {
        return Err(refuse(409, "BlobArchived", "This operation is not permitted on an archived blob."));
    }
    let range = ask.header("x-ms-range").or(ask.header("range"));
    let Some((first, last)) = range.map(|range| range_of(range, blob.size)).transpose()?.flatten() else {
        let response = describe(Response::empty(200), blob, Whole::Yes).with("accept-ranges", "bytes");
        let body = if blob.size == 0 { Body::Empty } else { Body::Stored(blob.segments.clone()) };
        return Ok(Response { body, ..response }.with("content-length", blob.size.to_string()));
    };
    let length = last - first + 1;
    let response = describe(Response::empty(206), blob, Whole::No)
        .with("accept-ranges", "bytes")
        .with("content-range", format!("bytes {first}-{last}/{}", blob.size))
        .with("content-length", length.to_string());
    Ok(Response { body: Body::Stored(slice(&blob.segments, first, length)), ..response })
}

pub(super) fn properties(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "read")?;
    let blob = ask.blob(world)?;
    conditions::check(ask, Some((&blob.etag, blob.modified)))?;
    if ask.request.query("comp").is_some() {
        return Ok(metadata(Response::empty(200), blob)
            .with("etag", blob.etag.as_str())
            .with("last-modified", http_date(blob.modified)));
    }
    Ok(describe(Response::empty(200), blob, Whole::Yes)
        .with("accept-ranges", "bytes")
        .with("content-length", blob.size.to_string()))
}

pub(super) fn put(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    if let Some(source) = ask.header("x-ms-copy-source") {
        return copy(world, ask, source);
    }
    let kind = match ask.header("x-ms-blob-type") {
        None => return Err(missing_header("x-ms-blob-type")),
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => BlobKind::BlockBlob,
        Some(kind) if kind.eq_ignore_ascii_case("AppendBlob") => BlobKind::AppendBlob,
        Some(kind) if kind.eq_ignore_ascii_case("PageBlob") => {
            return Err(refuse(501, "NotImplemented", "Local Azure does not model page blobs."));
        }
        Some(other) => return Err(invalid_header("x-ms-blob-type", other)),
    };
    let (segments, size) = ask.content();
    if kind == BlobKind::AppendBlob && size > 0 {
        return Err(invalid_header("content-length", &size.to_string()));
    }
    let md5 = md5_of(&segments);
    check_md5(ask, md5.as_deref())?;
    let mut properties = sent_properties(ask);
    if properties.content_md5.is_none() {
        properties.content_md5 = md5;
    }
    let blob = replace(world, ask, kind)?;
    let (etag, modified, md5) = (blob.etag.clone(), blob.modified, properties.content_md5.clone());
    let blob = Blob { segments, size, properties, ..blob };
    ask.change(world)?.0.blobs.insert(ask.blob.clone(), blob);
    let response = written(201, &etag, modified);
    Ok(match md5 {
        Some(md5) => response.with("content-md5", md5),
        None => response,
    })
}

/// A new blob in the place of what is there, with what the request says but no content; blocks that were staged for
/// it are gone once it is put.
pub(super) fn replace(world: &mut World, ask: &Ask<'_>, kind: BlobKind) -> Result<Blob, Response> {
    let there = ask.container(world)?.blobs.get(&ask.blob);
    match there {
        Some(_) => ask.who.data(world, ask, "write")?,
        None => ask.who.add(world, ask)?,
    }
    conditions::check(ask, there.map(|blob| (blob.etag.as_str(), blob.modified)))?;
    let tier = ask.header("x-ms-access-tier").map(tier).transpose()?;
    let tags = match ask.header("x-ms-tags") {
        Some(tags) => url::form_urlencoded::parse(tags.as_bytes()).into_owned().collect(),
        None => BTreeMap::new(),
    };
    let metadata = ask.metadata()?;
    let created = there.map_or(world.now, |blob| blob.created);
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    container.staged.remove(&ask.blob);
    Ok(Blob {
        kind,
        segments: Vec::new(),
        size: 0,
        blocks: Vec::new(),
        properties: Properties::default(),
        metadata,
        tags,
        tier,
        etag,
        created,
        modified: now,
    })
}

/// `Copy Blob` and `Put Blob From URL`, from any account of this world that the caller may read.
fn copy(world: &mut World, ask: &Ask<'_>, source: &str) -> Result<Response, Response> {
    let bad = || invalid_header("x-ms-copy-source", source);
    let url = url::Url::parse(source).map_err(|_| bad())?;
    let account =
        url.host_str().and_then(|host| host.strip_suffix(".blob.core.localhost")).ok_or_else(|| {
            let message = "Local Azure copies from its own storage accounts only.";
            refuse(404, "CannotVerifyCopySource", message)
        })?;
    let path = crate::world::http::decode(url.path());
    let (container, blob) = path.trim_start_matches('/').split_once('/').ok_or_else(bad)?;
    let from = super::resource(world, account).map(|resource| resource.id.to_string());
    let missing = || refuse(404, "CannotVerifyCopySource", "The specified resource does not exist.");
    let from = Ask {
        account,
        scope: from.ok_or_else(missing)?,
        request: ask.request,
        container: container.to_owned(),
        blob: blob.to_owned(),
        who: ask.who.clone(),
    };
    from.who.data(world, &from, "read").map_err(|_| {
        refuse(
            403,
            "CannotVerifyCopySource",
            "This request is not authorized to perform this operation using this permission.",
        )
    })?;
    let original = from.blob(world).map_err(|_| missing())?.clone();
    let mut copy = replace(world, ask, original.kind)?;
    if copy.metadata.is_empty() {
        copy.metadata = original.metadata;
    }
    let (etag, modified) = (copy.etag.clone(), copy.modified);
    let sent = sent_properties(ask);
    let properties = if sent == Properties::default() { original.properties } else { sent };
    let (segments, size, blocks) = (original.segments, original.size, original.blocks);
    let copy = Blob { segments, size, blocks, properties, ..copy };
    let id = world.chance.uuid("copy").to_string();
    ask.change(world)?.0.blobs.insert(ask.blob.clone(), copy);
    let asynchronous = ask.header("x-ms-blob-type").is_none() && ask.header("x-ms-requires-sync").is_none();
    let status = match ask.header("x-ms-blob-type") {
        Some(_) => 201,
        None => 202,
    };
    let response = written(status, &etag, modified);
    Ok(if asynchronous || status == 202 {
        response.with("x-ms-copy-id", id).with("x-ms-copy-status", "success")
    } else {
        response
    })
}

pub(super) fn set_properties(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let now = world.now;
    let (blob, etag) = change(world, ask)?;
    // All of them are set at once: what is not sent is cleared.
    blob.properties = sent_properties(ask);
    blob.etag.clone_from(&etag);
    blob.modified = now;
    Ok(Response::empty(200).with("etag", etag).with("last-modified", http_date(now)))
}

pub(super) fn set_metadata(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let metadata = ask.metadata()?;
    let now = world.now;
    let (blob, etag) = change(world, ask)?;
    blob.metadata = metadata;
    blob.etag.clone_from(&etag);
    blob.modified = now;
    Ok(Response::empty(200)
        .with("etag", etag)
        .with("last-modified", http_date(now))
        .with("x-ms-request-server-encrypted", "true"))
}

pub(super) fn set_tier(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let tier = tier(ask.header("x-ms-access-tier").ok_or_else(|| missing_header("x-ms-access-tier"))?)?;
    // A tier is no change of the blob: etag and time stay.
    change(world, ask)?.0.tier = Some(tier);
    Ok(Response::empty(200))
}

pub(super) fn set_tags(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "tags/write")?;
    ask.blob(world)?;
    let invalid = || refuse(400, "InvalidXmlDocument", "XML specified is not syntactically valid.");
    let Body::Bytes(bytes) = &ask.request.body else { return Err(invalid()) };
    let leaves = std::str::from_utf8(bytes).ok().and_then(xml::leaves).ok_or_else(invalid)?;
    let mut tags = BTreeMap::new();
    for pair in leaves.chunks(2) {
        let [(key, name), (value, text)] = pair else { return Err(invalid()) };
        if key != "Key" || value != "Value" {
            return Err(invalid());
        }
        tags.insert(name.clone(), text.clone());
    }
    if tags.len() > 10 {
        return Err(refuse(400, "InvalidTags", "The tags specified are invalid: there are more than 10."));
    }
    if let Some(blob) = ask.change(world)?.0.blobs.get_mut(&ask.blob) {
        blob.tags = tags;
    }
    Ok(Response::empty(204))
}

pub(super) fn get_tags(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "tags/read")?;
    let blob = ask.blob(world)?;
    let tag = |(key, value): (&String, &String)| {
        format!("<Tag>{}{}</Tag>", xml::element("Key", key), xml::element("Value", value))
    };
    let tags: String = blob.tags.iter().map(tag).collect();
    Ok(xml::response(200, &format!("<Tags><TagSet>{tags}</TagSet></Tags>")))
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "delete")?;
    let blob = ask.blob(world)?;
    conditions::check(ask, Some((&blob.etag, blob.modified)))?;
    let (container, _) = ask.change(world)?;
    container.blobs.remove(&ask.blob);
    container.staged.remove(&ask.blob);
    Ok(Response::empty(202).with("x-ms-delete-type-permanent", "true"))
}

/// A blob that is there, for a change that the caller may make, and the etag it gets.
pub(super) fn change<'w>(world: &'w mut World, ask: &Ask<'_>) -> Result<(&'w mut Blob, String), Response> {
    ask.who.data(world, ask, "write")?;
    let blob = ask.blob(world)?;
    conditions::check(ask, Some((&blob.etag, blob.modified)))?;
    let (container, etag) = ask.change(world)?;
    let blob = container.blobs.get_mut(&ask.blob);
    blob.map(|blob| (blob, etag))
        .ok_or_else(|| refuse(404, "BlobNotFound", "The specified blob does not exist."))
}

/// What an operation that wrote a blob answers.
pub(super) fn written(status: u16, etag: &str, modified: jiff::Timestamp) -> Response {
    Response::empty(status)
        .with("etag", etag)
        .with("last-modified", http_date(modified))
        .with("x-ms-request-server-encrypted", "true")
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

/// `Content-MD5` must be that of what was sent.
pub(super) fn check_md5(ask: &Ask<'_>, md5: Option<&str>) -> Result<(), Response> {
    match (ask.header("content-md5"), md5) {
        (Some(sent), Some(md5)) if sent != md5 => Err(refuse(
            400,
            "Md5Mismatch",
            "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
        )),
        _ => Ok(()),
    }
}

/// Base64 MD5 of content in one piece, or of none.
pub(super) fn md5_of(segments: &[crate::world::http::Segment]) -> Option<String> {
    match segments {
        [] => Some("1B2M2Y8AsgTpgAmY7PhCfg==".into()),
        [one] if one.offset == 0 => hex::decode(&one.md5).ok().map(|md5| STANDARD.encode(md5)),
        _ => None,
    }
}

fn tier(tier: &str) -> Result<String, Response> {
    let known = TIERS.iter().find(|known| known.eq_ignore_ascii_case(tier));
    known.map(|known| (*known).to_owned()).ok_or_else(|| invalid_header("x-ms-access-tier", tier))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

fn describe(response: Response, blob: &Blob, whole: Whole) -> Response {
    let properties = &blob.properties;
    let mut response = metadata(response, blob)
        .with("content-type", properties.content_type.as_deref().unwrap_or("application/octet-stream"))
        .with("etag", blob.etag.as_str())
        .with("last-modified", http_date(blob.modified))
        .with("x-ms-creation-time", http_date(blob.created))
        .with("x-ms-blob-type", blob.kind.name())
        .with("x-ms-lease-status", "unlocked")
        .with("x-ms-lease-state", "available")
        .with("x-ms-server-encrypted", "true")
        .with("x-ms-access-tier", blob.tier.as_deref().unwrap_or("Hot"));
    if blob.kind == BlobKind::AppendBlob {
        response = response.with("x-ms-blob-committed-block-count", blob.blocks.len().to_string());
    } else if blob.tier.is_none() {
        response = response.with("x-ms-access-tier-inferred", "true");
    }
    if !blob.tags.is_empty() {
        response = response.with("x-ms-tag-count", blob.tags.len().to_string());
    }
    let optional = [
        ("content-encoding", &properties.content_encoding),
        ("content-language", &properties.content_language),
        ("content-disposition", &properties.content_disposition),
        ("cache-control", &properties.cache_control),
        // That of a part is another, and told under another name.
        (if whole == Whole::Yes { "content-md5" } else { "x-ms-blob-content-md5" }, &properties.content_md5),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            response = response.with(name, value.as_str());
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
fn range_of(range: &str, size: u64) -> Result<Option<(u64, u64)>, Response> {
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
