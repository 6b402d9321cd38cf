//! Copies: `Copy Blob`, `Copy Blob From URL`, `Put Blob From URL`, and content of blocks from elsewhere.
//!
//! Content is shared, not read again: it never changes. Source: `rest/api/storageservices/copy-blob`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::auth::Who;
use super::refusal::{invalid_header, refuse};
use super::{Ask, Blob, BlobKind, Properties, Right, blobs, conditions, history, http_date, integrity, tier};
use crate::world::http::{Segment, slice};
use crate::world::{Body, Method, Plane, Request, Response, World};

/// How a blob came from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Copied {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) at: Timestamp,
    pub(super) size: u64,
}

impl Copied {
    pub(super) fn describe(&self, response: Response) -> Response {
        response
            .with("x-ms-copy-id", self.id.as_str())
            .with("x-ms-copy-source", self.source.as_str())
            .with("x-ms-copy-status", "success")
            .with("x-ms-copy-progress", format!("{}/{}", self.size, self.size))
            .with("x-ms-copy-completion-time", http_date(self.at))
    }
}

/// The blob that `x-ms-copy-source` names, when whoever asks may read it.
fn original(world: &World, ask: &Ask<'_>, source: &str) -> Result<Blob, Response> {
    let url = url::Url::parse(source).map_err(|_| invalid_header("x-ms-copy-source", source))?;
    let missing = || refuse(404, "CannotVerifyCopySource", "The specified resource does not exist.");
    let Some(account) = url.host_str().and_then(|host| host.strip_suffix(".blob.core.localhost")) else {
        let message = "Could not verify the copy source: local Azure copies from its own accounts only.";
        return Err(refuse(400, "CannotVerifyCopySource", message));
    };
    // A source is read by what its address says; the request's own credentials are for its own account.
    let mut headers = std::collections::BTreeMap::new();
    headers.insert("x-ms-version".to_owned(), ask.header("x-ms-version").unwrap_or("2021-08-06").to_owned());
    if let Some(token) = ask.header("x-ms-copy-source-authorization") {
        headers.insert("authorization".to_owned(), token.to_owned());
    }
    for (name, own) in [
        ("if-match", "x-ms-source-if-match"),
        ("if-none-match", "x-ms-source-if-none-match"),
        ("if-modified-since", "x-ms-source-if-modified-since"),
        ("if-unmodified-since", "x-ms-source-if-unmodified-since"),
    ] {
        if let Some(value) = ask.header(own) {
            headers.insert(name.to_owned(), value.to_owned());
        }
    }
    let request = Request {
        plane: Plane::Blob { account: account.to_owned() },
        method: Method::Get,
        origin: ask.request.origin.clone(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: Body::Empty,
        id: ask.request.id.clone(),
    };
    let unverified = |refused: Response| {
        let code = refused.headers.iter().find(|(name, _)| name == "x-ms-error-code");
        let code = code.map(|(_, code)| code.clone()).unwrap_or_default();
        let status = refused.status;
        let answer = match status {
            404 => missing(),
            // who the source does not know is told so in its words
            401 => refused,
            status => refuse(
                status,
                "CannotVerifyCopySource",
                "This request is not authorized to perform this operation using this permission.",
            ),
        };
        answer
            .with("x-ms-copy-source-status-code", status.to_string())
            .with("x-ms-copy-source-error-code", code)
    };
    let mut from = Ask::new(world, account, &request).map_err(unverified)?;
    // An asynchronous copy within an account needs no credentials for its source.
    if from.who == Who::Anybody && account == ask.account && !synchronous(ask) {
        from.who = ask.who.clone();
    }
    from.may(world, Right::Read).map_err(unverified)?;
    let blob = from.blob(world).map_err(unverified)?;
    let unmet = |code: &str| {
        let message = "The source condition specified using HTTP conditional header(s) is not met.";
        refuse(412, if synchronous(ask) { "CannotVerifyCopySource" } else { code }, message)
    };
    conditions::check(&from, Some((&blob.etag, blob.modified))).map_err(|refused| match refused.status {
        304 | 412 => unmet("SourceConditionNotMet"),
        _ => refused,
    })?;
    if let Some(wanted) = ask.header("x-ms-source-if-tags")
        && !conditions::have(blob, wanted).ok_or_else(|| invalid_header("x-ms-source-if-tags", wanted))?
    {
        return Err(unmet("ConditionNotMet"));
    }
    blob.encryption.check_source(ask)?;
    Ok(blob.clone())
}

/// Whether a copy has its content when it is answered: `Put Blob From URL`, `Copy Blob From URL`, parts.
fn synchronous(ask: &Ask<'_>) -> bool {
    ask.header("x-ms-blob-type").is_some()
        || ask.request.query("comp").is_some()
        || ask.header("x-ms-requires-sync").is_some_and(|it| it.eq_ignore_ascii_case("true"))
}

/// The whole of another blob.
pub(super) fn put(world: &mut World, ask: &Ask<'_>, source: &str) -> Result<Response, Response> {
    let original = original(world, ask, source)?;
    let from_url = ask.header("x-ms-blob-type").is_some();
    let synchronous = synchronous(ask);
    let sums = integrity::check(ask, &original.segments)?;
    let archived = original.tier.as_deref() == Some("Archive");
    let online = ask.header("x-ms-access-tier").is_some_and(|tier| !tier.eq_ignore_ascii_case("archive"));
    // only a copy to an online tier takes a blob out of the archive
    if archived && (synchronous || !online) {
        return Err(refuse(409, "BlobArchived", "This operation is not permitted on an archived blob."));
    }
    let there = ask.container(world)?.blobs.get(&ask.blob);
    if there.is_some_and(|there| there.kind != original.kind) {
        return Err(refuse(409, "InvalidBlobType", "The blob type is invalid for this operation."));
    }
    let mut copy = blobs::replace(world, ask, original.kind)?;
    if copy.metadata.is_empty() {
        copy.metadata = original.metadata;
    }
    if copy.tags.is_empty()
        && ask.header("x-ms-copy-source-tag-option").is_some_and(|it| it.eq_ignore_ascii_case("COPY"))
    {
        copy.tags = original.tags;
    }
    let (etag, modified) = (copy.etag.clone(), copy.modified);
    let sent = blobs::sent_properties(ask);
    let with_properties =
        ask.header("x-ms-copy-source-blob-properties").is_none_or(|it| it.eq_ignore_ascii_case("true"));
    let properties =
        if sent == Properties::default() && with_properties { original.properties } else { sent };
    let id = world.chance.uuid("copy").to_string();
    if archived {
        let to = copy.tier.clone().unwrap_or_default();
        copy.tier = Some("Archive".into());
        copy.rehydrating = Some(tier::rehydrate(world, ask, to)?);
    }
    // what a signature says is nobody's business but its owner's
    let named = source.split('?').next().unwrap_or_default().to_owned();
    let copied = Copied { id: id.clone(), source: named, at: modified, size: original.size };
    let (segments, size, blocks) = (original.segments, original.size, original.blocks);
    let md5 = properties.content_md5.clone();
    let copied = (!from_url).then_some(copied);
    let seals = ask.header("x-ms-seal-blob").map(|it| it.eq_ignore_ascii_case("true"));
    let sealed = original.kind == BlobKind::AppendBlob && seals.unwrap_or(original.sealed);
    let encryption = copy.encryption.clone();
    let sequence = original.sequence;
    let copy = Blob { segments, size, blocks, properties, copied, sealed, sequence, ..copy };
    let version = history::put(world, ask, copy)?;
    let mut response = blobs::written(if from_url { 201 } else { 202 }, &etag, modified, version);
    if !from_url {
        response = response.with("x-ms-copy-id", id).with("x-ms-copy-status", "success");
    }
    response = encryption.describe(response);
    if let Some(crc64) = sums.crc64.filter(|_| from_url) {
        response = response.with("x-ms-content-crc64", crc64);
    }
    Ok(match md5.or(sums.md5).filter(|_| synchronous) {
        Some(md5) => response.with("content-md5", md5),
        None => response,
    })
}

/// Content of another blob, or of its range `x-ms-source-range`.
pub(super) fn part(world: &World, ask: &Ask<'_>, source: &str) -> Result<(Vec<Segment>, u64), Response> {
    let original = original(world, ask, source)?;
    let Some(range) = ask.header("x-ms-source-range") else { return Ok((original.segments, original.size)) };
    let bounds = blobs::range_of(range, original.size)?;
    let (first, last) = bounds.ok_or_else(|| invalid_header("x-ms-source-range", range))?;
    let length = last - first + 1;
    Ok((slice(&original.segments, first, length), length))
}

/// `Abort Copy Blob`: copies end at once here.
pub(super) fn abort(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    ask.blob(world)?;
    Err(refuse(409, "NoPendingCopyOperation", "There is currently no pending copy operation."))
}
