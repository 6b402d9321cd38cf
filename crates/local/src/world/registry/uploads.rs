//! Blobs on their way in: in one request, in chunks, or mounted from another repository.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::auth::{self, Deed};
use super::{Ask, Blob, Event, Upload, is_digest, is_repository, refuse};
use crate::world::http::Segment;
use crate::world::{Body, Method, Request, Response, World};

/// Header that the front sets on a request that completes an upload: hex SHA-256 of all its pieces together, which
/// the world cannot read.
pub(crate) const COMPLETE_SHA256: &str = "x-landfall-complete-sha256";

/// Azure forgets an unfinished upload after about a day.
const UPLOAD_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// `POST …/blobs/uploads/`: mounts, takes a blob whole, or begins.
pub(super) fn begin(world: &mut World, ask: &Ask<'_>, repository: &str) -> Result<Response, Response> {
    if let Some(digest) = ask.request.query("mount") {
        if let Some(mounted) = mount(world, ask, repository, digest) {
            return Ok(mounted);
        }
    } else if let Some(digest) = ask.request.query("digest") {
        return complete(world, ask, repository, &[], digest);
    }
    let id = world.chance.uuid("upload").to_string();
    let pieces = ask.pieces().to_vec();
    let length = length(&pieces);
    let upload = Upload { repository: repository.to_owned(), segments: pieces, length };
    ask.registry(world).uploads.insert(id.clone(), upload);
    let expires = Event::UploadExpires { registry: ask.name.to_owned(), upload: id.clone() };
    world.later(UPLOAD_LIFETIME, crate::world::Event::Registry(expires));
    Ok(going_on(202, repository, &id, length))
}

/// `PATCH`: one more piece.
pub(super) fn append(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    id: &str,
) -> Result<Response, Response> {
    let pieces = ask.pieces().to_vec();
    let range = ask.request.header("content-range").map(str::to_owned);
    let upload = find(world, ask, repository, id)?;
    if let Some(range) = range {
        check_range(&range, repository, id, upload.length, length(&pieces))?;
    }
    upload.length += length(&pieces);
    upload.segments.extend(pieces);
    let length = upload.length;
    Ok(going_on(202, repository, id, length))
}

/// `PUT ?digest=`: the last piece, if any, and the check of the whole.
pub(super) fn finish(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    id: &str,
) -> Result<Response, Response> {
    let Some(digest) = ask.request.query("digest") else {
        return Err(digest_invalid("", "the query has no digest"));
    };
    let range = ask.request.header("content-range").map(str::to_owned);
    let upload = find(world, ask, repository, id)?;
    let before = upload.segments.clone();
    if let Some(range) = range {
        check_range(&range, repository, id, upload.length, length(ask.pieces()))?;
    }
    let answer = complete(world, ask, repository, &before, digest)?;
    ask.registry(world).uploads.remove(id);
    Ok(answer)
}

/// `GET`: how far it is.
pub(super) fn progress(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    id: &str,
) -> Result<Response, Response> {
    let length = find(world, ask, repository, id)?.length;
    Ok(going_on(204, repository, id, length))
}

/// `DELETE`: given up.
pub(super) fn cancel(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    id: &str,
) -> Result<Response, Response> {
    find(world, ask, repository, id)?;
    ask.registry(world).uploads.remove(id);
    Ok(Response::empty(204))
}

/// Header that the front sets on a manifest: `os/architecture` of the image, as the config that it names says.
pub(crate) const PLATFORM: &str = "x-landfall-platform";

/// What the front looks at before the world sees a request: content, which the world cannot read.
#[derive(Debug)]
pub(crate) enum Looked {
    /// Pieces that came before, when the request completes an upload: hashed together with its body.
    Whole(Vec<Segment>),
    /// The config that a manifest names.
    Config(Vec<Segment>),
}

/// What the front is to look at for a request that its sender may make as far as can be told from outside.
pub(crate) fn looked(world: &World, name: &str, request: &Request) -> Option<Looked> {
    let completes = request.query("digest").is_some();
    match request.method {
        Method::Post if completes => Some(Looked::Whole(Vec::new())),
        Method::Put if completes => {
            let (_, id) = request.path.rsplit_once("/blobs/uploads/")?;
            let upload = world.registries.registries.get(name)?.uploads.get(id)?;
            Some(Looked::Whole(upload.segments.clone()))
        }
        Method::Put => {
            let (repository, _) = request.path.strip_prefix("/v2/")?.rsplit_once("/manifests/")?;
            let Body::Bytes(manifest) = &request.body else { return None };
            let manifest: Value = serde_json::from_slice(manifest).ok()?;
            let config = manifest["config"]["digest"].as_str()?;
            world.registries.blob(name, repository, config).map(|segments| Looked::Config(segments.to_vec()))
        }
        _ => None,
    }
}

fn mount(world: &mut World, ask: &Ask<'_>, repository: &str, digest: &str) -> Option<Response> {
    let from = ask.request.query("from").filter(|from| is_repository(from))?;
    if !auth::allowed(world, ask, from, Deed::Pull) {
        return None;
    }
    world.registries.blob(ask.name, from, digest)?;
    let now = world.now;
    ask.registry(world).make(repository, now).blobs.insert(digest.to_owned());
    Some(made(repository, digest))
}

fn complete(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    before: &[Segment],
    digest: &str,
) -> Result<Response, Response> {
    if !is_digest(digest) {
        return Err(digest_invalid(digest, "it is not sha256: and 64 hex digits"));
    }
    let hashed = ask.request.header(COMPLETE_SHA256).unwrap_or_default();
    if digest.strip_prefix("sha256:") != Some(hashed) {
        return Err(digest_invalid(digest, "the content does not have it"));
    }
    let segments: Vec<Segment> = before.iter().chain(ask.pieces()).cloned().collect();
    let size = length(&segments);
    let now = world.now;
    let registry = ask.registry(world);
    // The same content again is kept once.
    registry.blobs.entry(digest.to_owned()).or_insert(Blob { segments, size });
    registry.make(repository, now).blobs.insert(digest.to_owned());
    Ok(made(repository, digest))
}

fn find<'w>(
    world: &'w mut World,
    ask: &Ask<'_>,
    repository: &str,
    id: &str,
) -> Result<&'w mut Upload, Response> {
    let unknown = || refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", Value::Null);
    let upload = ask.registry(world).uploads.get_mut(id).ok_or_else(unknown)?;
    if upload.repository == repository { Ok(upload) } else { Err(unknown()) }
}

/// `Content-Range: <first>-<last>` must go on where the upload is.
fn check_range(range: &str, repository: &str, id: &str, at: u64, length: u64) -> Result<(), Response> {
    let range = range.trim().trim_start_matches("bytes ").split('/').next().unwrap_or_default();
    let bounds =
        range.split_once('-').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
    match bounds {
        Some((first, last)) if first == at && last.checked_add(1) == first.checked_add(length) => Ok(()),
        _ => Err(going_on(416, repository, id, at)),
    }
}

fn going_on(status: u16, repository: &str, id: &str, length: u64) -> Response {
    Response::empty(status)
        .with("location", format!("/v2/{repository}/blobs/uploads/{id}"))
        .with("range", format!("0-{}", length.saturating_sub(1)))
        .with("docker-upload-uuid", id)
}

fn made(repository: &str, digest: &str) -> Response {
    Response::empty(201)
        .with("location", format!("/v2/{repository}/blobs/{digest}"))
        .with("docker-content-digest", digest)
}

fn digest_invalid(digest: &str, why: &str) -> Response {
    let detail = json!({"digest": digest, "reason": why});
    refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content", detail)
}

fn length(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.length).sum()
}
