//! Block blobs put together from blocks, and append blobs that grow.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lease::What;
use super::refusal::{bad_query, bad_xml, invalid_header, refuse};
use super::{
    Ask, Blob, BlobKind, Right, blobs, conditions, copy, encryption, history, http_date, integrity, service,
    xml,
};
use crate::world::http::{Segment, slice};
use crate::world::{Response, World};

/// Azure's limits.
const COMMITTED_MAX: usize = 50_000;
const STAGED_MAX: usize = 100_000;
const ID_MAX: usize = 64;

/// `Put Block`.
pub(super) fn stage(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    let invalid = || bad_query("blockid");
    let id = ask.request.query("blockid").ok_or_else(invalid)?;
    let length = STANDARD.decode(id).map_err(|_| invalid())?.len();
    if length == 0 || length > ID_MAX {
        return Err(invalid());
    }
    let (segments, size) = match ask.header("x-ms-copy-source") {
        Some(source) => copy::part(world, ask, source)?,
        None => ask.content(),
    };
    if size == 0 {
        return Err(invalid_header("content-length", "0"));
    }
    let sums = integrity::check(ask, &segments)?;
    let there = ask.container(world)?;
    let encryption = encryption::of_write(world, ask, there)?;
    if let Some(blob) = there.blobs.get(&ask.blob) {
        if blob.kind != BlobKind::BlockBlob {
            return Err(wrong_kind());
        }
        blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    }
    let staged = there.staged.get(&ask.blob);
    if let Some(other) = there.staged_encryption.get(&ask.blob).filter(|_| staged.is_some()) {
        other.check_same(&encryption)?;
    }
    // All ids of a blob are of one length.
    if staged.and_then(|blocks| blocks.keys().next()).is_some_and(|other| other.len() != id.len()) {
        return Err(refuse(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid."));
    }
    if staged.is_some_and(|blocks| blocks.len() >= STAGED_MAX) {
        return Err(refuse(
            409,
            "BlockCountExceedsLimit",
            "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.",
        ));
    }
    let (container, _) = ask.change(world)?;
    container.staged.entry(ask.blob.clone()).or_default().insert(id.to_owned(), segments);
    container.staged_encryption.insert(ask.blob.clone(), encryption.clone());
    let response = Response::empty(201).with("x-ms-request-server-encrypted", "true");
    Ok(encryption.describe(sums.describe(ask, response)))
}

/// `Put Block List`.
pub(super) fn commit(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let list = service::document(ask)?;
    let named: Vec<(String, String)> = list.children.into_iter().map(|it| (it.name, it.text)).collect();
    if named.len() > COMMITTED_MAX {
        return Err(refuse(
            400,
            "BlockListTooLong",
            "The block list may not contain more than 50,000 blocks.",
        ));
    }
    let there = ask.container(world)?;
    let encryption = encryption::of_write(world, ask, there)?;
    if let Some(staged) = there.staged_encryption.get(&ask.blob) {
        staged.check_same(&encryption)?;
    }
    let empty = BTreeMap::new();
    let staged = there.staged.get(&ask.blob).unwrap_or(&empty);
    let before = there.blobs.get(&ask.blob);
    if before.is_some_and(|blob| blob.kind != BlobKind::BlockBlob) {
        return Err(wrong_kind());
    }
    let committed = before.map(committed).unwrap_or_default();
    let mut segments: Vec<Segment> = Vec::new();
    let mut blocks = Vec::new();
    for (kind, id) in &named {
        let fresh = staged.get(id).cloned();
        let old = || committed.get(id).cloned();
        let found = match kind.as_str() {
            "Latest" => fresh.or_else(old),
            "Uncommitted" => fresh,
            "Committed" => old(),
            _ => return Err(bad_xml()),
        };
        let found =
            found.ok_or_else(|| refuse(400, "InvalidBlockList", "The specified block list is invalid."))?;
        blocks.push((id.clone(), found.iter().map(|segment| segment.length).sum()));
        segments.extend(found);
    }
    let size = blocks.iter().map(|(_, size)| size).sum();
    let properties = blobs::sent_properties(ask);
    let blob = blobs::replace(world, ask, BlobKind::BlockBlob)?;
    let (etag, modified) = (blob.etag.clone(), blob.modified);
    let blob = Blob { segments, size, blocks, properties, ..blob };
    let version = history::put(world, ask, blob)?;
    Ok(encryption.describe(blobs::written(201, &etag, modified, version)))
}

/// `Get Block List`.
pub(super) fn list(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Read)?;
    let container = ask.container(world)?;
    let staged = container.staged.get(&ask.blob).filter(|_| !ask.names_past());
    let blob = match (ask.blob(world), staged) {
        (Ok(blob), _) => Some(blob),
        (Err(_), Some(_)) => None,
        (Err(refused), None) => return Err(refused),
    };
    if let Some(blob) = blob {
        conditions::check_tags(ask, blob)?;
        blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    }
    let which = ask.request.query("blocklisttype").unwrap_or("committed").to_ascii_lowercase();
    if !matches!(which.as_str(), "committed" | "uncommitted" | "all") {
        return Err(bad_query("blocklisttype"));
    }
    let block = |id: &str, size: u64| {
        format!("<Block>{}{}</Block>", xml::element("Name", id), xml::element("Size", &size.to_string()))
    };
    let mut body = String::from("<BlockList>");
    if which != "uncommitted" {
        let blocks = blob.into_iter().flat_map(|blob| &blob.blocks);
        let blocks: String = blocks.map(|(id, size)| block(id, *size)).collect();
        body.push_str(&format!("<CommittedBlocks>{blocks}</CommittedBlocks>"));
    }
    if which != "committed" {
        let blocks = staged.into_iter().flatten();
        let blocks: String =
            blocks.map(|(id, segments)| block(id, segments.iter().map(|it| it.length).sum())).collect();
        body.push_str(&format!("<UncommittedBlocks>{blocks}</UncommittedBlocks>"));
    }
    body.push_str("</BlockList>");
    let response = xml::response(200, &body);
    Ok(match blob {
        Some(blob) => response
            .with("etag", blob.etag.as_str())
            .with("last-modified", http_date(blob.modified))
            .with("x-ms-blob-content-length", blob.size.to_string()),
        None => response,
    })
}

/// `Append Block`.
pub(super) fn append(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Append)?;
    let (segments, length) = match ask.header("x-ms-copy-source") {
        Some(source) => copy::part(world, ask, source)?,
        None => ask.content(),
    };
    if length == 0 {
        return Err(invalid_header("content-length", "0"));
    }
    let sums = integrity::check(ask, &segments)?;
    let blob = ask.blob(world)?;
    if blob.kind != BlobKind::AppendBlob {
        return Err(wrong_kind());
    }
    conditions::check_tagged(ask, blob)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    if blob.sealed {
        return Err(refuse(
            409,
            "BlobIsSealed",
            "The specified blob is sealed and its contents can't be modified unless the blob is re-created after a delete operation.",
        ));
    }
    blob.encryption.check_change(world, ask, ask.container(world)?)?;
    blob.kept.guard(world.now)?;
    ask.container(world)?.keeping.guard_append(blob, world.now)?;
    let at = blob.size;
    check_position(ask, at)?;
    if let Some(max) = ask.header("x-ms-blob-condition-maxsize") {
        let max: u64 = max.parse().map_err(|_| invalid_header("x-ms-blob-condition-maxsize", max))?;
        if at + length > max {
            return Err(refuse(
                412,
                "MaxBlobSizeConditionNotMet",
                "The max blob size condition specified was not met.",
            ));
        }
    }
    if blob.blocks.len() >= COMMITTED_MAX {
        return Err(refuse(
            409,
            "BlockCountExceedsLimit",
            "The committed block count cannot exceed the maximum limit of 50,000 blocks.",
        ));
    }
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    let Some(blob) = container.blobs.get_mut(&ask.blob) else {
        return Err(super::blob_not_found());
    };
    blob.segments.extend(segments);
    blob.size += length;
    blob.blocks.push((String::new(), length));
    blob.properties.content_md5 = None;
    blob.etag.clone_from(&etag);
    blob.modified = now;
    let count = blob.blocks.len();
    let response = blobs::written(201, &etag, now, None)
        .with("x-ms-blob-append-offset", at.to_string())
        .with("x-ms-blob-committed-block-count", count.to_string());
    Ok(blob.encryption.describe(sums.describe(ask, response)))
}

/// `x-ms-blob-condition-appendpos`.
fn check_position(ask: &Ask<'_>, at: u64) -> Result<(), Response> {
    let name = "x-ms-blob-condition-appendpos";
    let Some(wanted) = ask.header(name) else { return Ok(()) };
    if wanted.parse::<u64>().map_err(|_| invalid_header(name, wanted))? == at {
        return Ok(());
    }
    Err(refuse(412, "AppendPositionConditionNotMet", "The append position condition specified was not met."))
}

/// `Append Blob Seal`.
pub(super) fn seal(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    let blob = ask.blob(world)?;
    if blob.kind != BlobKind::AppendBlob {
        return Err(wrong_kind());
    }
    conditions::check_tagged(ask, blob)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    check_position(ask, blob.size)?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    let blob = container.blobs.get_mut(&ask.blob).ok_or_else(super::blob_not_found)?;
    blob.sealed = true;
    blob.etag.clone_from(&etag);
    blob.modified = now;
    Ok(Response::empty(200)
        .with("etag", etag)
        .with("last-modified", http_date(now))
        .with("x-ms-blob-sealed", "true"))
}

/// Content of each committed block.
fn committed(blob: &Blob) -> BTreeMap<String, Vec<Segment>> {
    let mut at = 0;
    let mut blocks = BTreeMap::new();
    for (id, size) in &blob.blocks {
        blocks.insert(id.clone(), slice(&blob.segments, at, *size));
        at += size;
    }
    blocks
}

fn wrong_kind() -> Response {
    refuse(409, "InvalidBlobType", "The blob type is invalid for this operation.")
}
