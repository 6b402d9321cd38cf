//! What is in a registry: blobs, manifests, tags, referrers, and lists of them.

use serde_json::{Value, json};

use super::document::{self, INDEX, Served};
use super::{
    Ask, Attributes, Manifest, PLATFORM, Repository, auth, digest_of, disallowed, is_digest, is_tag, refuse,
    trash,
};
use crate::world::http::{Segment, slice};
use crate::world::registry_account::{Happening, happened};
use crate::world::{Body, Method, Response, World};

/// Pages of lists: what Azure answers without `n`, and the most it takes.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

pub(super) fn get_blob(
    world: &World,
    ask: &Ask<'_>,
    repository: &str,
    digest: &str,
) -> Result<Response, Response> {
    if !is_digest(digest) {
        return Err(refuse(400, "DIGEST_INVALID", "provided digest is invalid", json!({"digest": digest})));
    }
    let unknown = || refuse(404, "BLOB_UNKNOWN", "blob unknown to registry", json!({"digest": digest}));
    let segments = world.registries.blob(ask.name, repository, digest).ok_or_else(unknown)?;
    let size: u64 = segments.iter().map(|segment| segment.length).sum();
    let response = |status| {
        Response::empty(status)
            .with("content-type", "application/octet-stream")
            .with("docker-content-digest", digest)
            .with("etag", format!("\"{digest}\""))
            .with("accept-ranges", "bytes")
            .with("cache-control", "max-age=31536000")
    };
    if ask.request.method == Method::Head {
        return Ok(response(200).with("content-length", size.to_string()));
    }
    match ask.request.header("range").map(|range| range_of(range, size)) {
        None | Some(Range::Ignored) => Ok(Response { body: body(segments.to_vec()), ..response(200) }),
        Some(Range::Outside) => Ok(response(416).with("content-range", format!("bytes */{size}"))),
        Some(Range::Bytes(first, last)) => {
            let part = slice(segments, first, last - first + 1);
            Ok(Response { body: body(part), ..response(206) }
                .with("content-range", format!("bytes {first}-{last}/{size}")))
        }
    }
}

pub(super) fn delete_blob(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    digest: &str,
) -> Result<Response, Response> {
    let registry = ask.registry(world);
    let removed = registry.repositories.get_mut(repository).is_some_and(|own| own.blobs.remove(digest));
    if !removed {
        return Err(refuse(404, "BLOB_UNKNOWN", "blob unknown to registry", json!({"digest": digest})));
    }
    registry.tidy();
    Ok(Response::empty(202))
}

pub(super) fn get_manifest(
    world: &World,
    ask: &Ask<'_>,
    repository: &str,
    reference: &str,
) -> Result<Response, Response> {
    let own = ask.repository(world, repository).ok_or_else(|| name_unknown(repository))?;
    let Some((digest, manifest)) = world.registries.manifest(ask.name, repository, reference) else {
        let message = if is_digest(reference) {
            format!("manifest sha256 digest {reference:?} is not found")
        } else {
            format!("manifest tagged by {reference:?} is not found")
        };
        return Err(refuse(
            404,
            "MANIFEST_UNKNOWN",
            &message,
            json!({"name": repository, "revision": reference}),
        ));
    };
    let tag_reads = own.tags.get(reference).is_none_or(|tag| tag.attributes.read);
    if !(own.attributes.read && manifest.attributes.read && tag_reads) {
        return Err(disallowed());
    }
    let (digest, manifest) =
        match document::serve(ask.request.header("accept"), &manifest.media_type, &manifest.bytes)? {
            // a digest names what it names
            Served::Instead(other) if !is_digest(reference) => own
                .manifests
                .get_key_value(&other)
                .map_or((digest, manifest), |(digest, it)| (digest.as_str(), it)),
            _ => (digest, manifest),
        };
    let response = Response::empty(200)
        .with("content-type", manifest.media_type.as_str())
        .with("docker-content-digest", digest)
        .with("etag", format!("\"{digest}\""));
    Ok(match ask.request.method {
        Method::Head => response.with("content-length", manifest.bytes.len().to_string()),
        _ => Response { body: Body::Bytes(manifest.bytes.clone()), ..response },
    })
}

pub(super) fn put_manifest(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    reference: &str,
) -> Result<Response, Response> {
    let bytes = ask.bytes().to_vec();
    let digest = digest_of(&bytes);
    if reference.contains(':') {
        if digest != reference {
            return Err(refuse(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
                json!({"digest": reference}),
            ));
        }
    } else if !is_tag(reference) {
        return Err(refuse(400, "TAG_INVALID", "manifest tag is invalid", json!({"tag": reference})));
    }
    let document = document::read(&bytes, ask.request.header("content-type"))?;
    document::check_named(world, ask, repository, &document)?;
    if let Some(own) = ask.repository(world, repository) {
        let tag = own.tags.get(reference);
        let locked = own.manifests.get(&digest).is_some_and(|manifest| !manifest.attributes.write)
            || tag.is_some_and(|tag| !tag.attributes.write);
        // the same again changes nothing
        let same = tag.is_some_and(|tag| tag.digest == digest);
        if !own.attributes.write || (locked && !same) {
            return Err(disallowed());
        }
    }
    trash::check_push(world, ask, repository, &digest)?;
    let now = world.now;
    let tag = (!reference.contains(':')).then_some(reference);
    let (media_type, size) = (document.media_type.clone(), bytes.len());
    let registry = ask.registry(world).make(repository, now);
    registry.updated = now;
    registry.manifests.entry(digest.clone()).or_insert_with(|| Manifest {
        media_type: document.media_type,
        bytes,
        subject: document.subject.clone(),
        artifact_type: document.artifact_type,
        platform: ask.request.header(PLATFORM).map(str::to_owned),
        created: now,
        updated: now,
        untagged: None,
        attributes: Attributes::default(),
    });
    if let Some(tag) = tag {
        let before = registry.point(tag, &digest, now);
        if let Some(before) = before.filter(|before| *before != digest) {
            trash::untagged(world, ask.name, repository, &before, None);
        }
    }
    let what = Happening {
        action: "push",
        repository,
        tag,
        digest: &digest,
        media_type: &media_type,
        size,
        request: ask.request,
    };
    happened(world, ask.name, &what);
    let response = Response::empty(201)
        .with("location", format!("/v2/{repository}/manifests/{digest}"))
        .with("docker-content-digest", digest);
    Ok(match document.subject {
        Some(subject) => response.with("oci-subject", subject),
        None => response,
    })
}

pub(super) fn delete_manifest(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    reference: &str,
) -> Result<Response, Response> {
    if !is_digest(reference) {
        let message = "a manifest can be deleted by its digest only";
        return Err(refuse(405, "UNSUPPORTED", message, json!({"reference": reference})));
    }
    remove_manifest(world, ask, repository, reference)?;
    Ok(Response::empty(202))
}

/// Removes a manifest with what refers to it: signatures and the like go with their image.
pub(super) fn remove_manifest(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    digest: &str,
) -> Result<(), Response> {
    let own = ask.repository(world, repository).ok_or_else(|| name_unknown(repository))?;
    let locked = own.manifests.get(digest).is_some_and(|manifest| !manifest.attributes.may_delete())
        || own.tags.values().any(|tag| tag.digest == digest && !tag.attributes.may_delete());
    // a repository that must not be deleted may still lose images; one that must not be written may not
    if locked || !own.attributes.write {
        return Err(disallowed());
    }
    if !own.manifests.contains_key(digest) {
        let message = format!("manifest sha256 digest {digest:?} is not found");
        return Err(refuse(404, "MANIFEST_UNKNOWN", &message, Value::Null));
    }
    let mut going = vec![digest.to_owned()];
    let mut at = 0;
    while at < going.len() {
        let subject = going[at].clone();
        let referring = own.manifests.iter().filter(|(_, it)| it.subject.as_ref() == Some(&subject));
        let more: Vec<String> =
            referring.map(|(digest, _)| digest.clone()).filter(|it| !going.contains(it)).collect();
        going.extend(more);
        at += 1;
    }
    for digest in going {
        let Some(removed) = trash::remove(world, ask.name, repository, &digest) else { continue };
        let what = Happening {
            action: "delete",
            repository,
            tag: None,
            digest: &digest,
            media_type: &removed.media_type,
            size: removed.bytes.len(),
            request: ask.request,
        };
        happened(world, ask.name, &what);
    }
    Ok(())
}

pub(super) fn tags(world: &World, ask: &Ask<'_>, repository: &str) -> Result<Response, Response> {
    let own = ask.repository(world, repository).filter(|own| !own.manifests.is_empty());
    let own = own.ok_or_else(|| name_unknown(repository))?;
    let listed = own.tags.iter().filter(|(_, tag)| tag.attributes.list).map(|(name, _)| name);
    let (page, next) = page(ask, listed)?;
    let body = json!({"name": repository, "tags": page});
    Ok(linked(Response::json(200, &body), next, &format!("/v2/{repository}/tags/list")))
}

pub(super) fn catalog(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    auth::check_catalog(world, ask, "catalog")?;
    let (page, next) = page(ask, repositories(world, ask).map(|(name, _)| name))?;
    Ok(linked(Response::json(200, &json!({"repositories": page})), next, "/v2/_catalog"))
}

/// Repositories that hold anything.
pub(super) fn repositories<'w>(
    world: &'w World,
    ask: &Ask<'_>,
) -> impl Iterator<Item = (&'w String, &'w Repository)> + use<'w> {
    let registry = world.registries.registries.get(ask.name);
    registry
        .into_iter()
        .flat_map(|registry| &registry.repositories)
        .filter(|(_, repository)| !repository.manifests.is_empty() && repository.attributes.list)
}

/// `GET …/referrers/<digest>`: manifests whose `subject` this is.
pub(super) fn referrers(
    world: &World,
    ask: &Ask<'_>,
    repository: &str,
    digest: &str,
) -> Result<Response, Response> {
    if !is_digest(digest) {
        return Err(refuse(400, "DIGEST_INVALID", "provided digest is invalid", json!({"digest": digest})));
    }
    let filter = ask.request.query("artifactType");
    let own = ask.repository(world, repository);
    let manifests = own.into_iter().flat_map(|own| &own.manifests);
    let named: Vec<Value> = manifests
        .filter(|(_, manifest)| manifest.subject.as_deref() == Some(digest))
        .filter(|(_, manifest)| filter.is_none_or(|filter| manifest.artifact_type.as_deref() == Some(filter)))
        .map(|(digest, manifest)| {
            let mut entry =
                json!({"mediaType": manifest.media_type, "digest": digest, "size": manifest.bytes.len()});
            if let Some(kind) = &manifest.artifact_type {
                entry["artifactType"] = json!(kind);
            }
            let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
            if let Some(annotations) = document.get("annotations") {
                entry["annotations"] = annotations.clone();
            }
            entry
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": named});
    let response = Response {
        status: 200,
        headers: vec![("content-type".into(), INDEX.into())],
        body: Body::Bytes(index.to_string().into_bytes()),
    };
    Ok(if filter.is_some() { response.with("oci-filters-applied", "artifactType") } else { response })
}

pub(super) fn name_unknown(repository: &str) -> Response {
    refuse(404, "NAME_UNKNOWN", "repository name not known to registry", json!({"name": repository}))
}

enum Range {
    /// Not a range that must be kept to.
    Ignored,
    Outside,
    /// First and last byte.
    Bytes(u64, u64),
}

fn range_of(range: &str, size: u64) -> Range {
    let Some(range) = range.trim().strip_prefix("bytes=") else { return Range::Ignored };
    let Some((first, last)) = range.split_once('-') else { return Range::Ignored };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last && first < size => Range::Bytes(first, last.min(size - 1)),
        (Ok(first), Err(_)) if last.trim().is_empty() && first < size => Range::Bytes(first, size - 1),
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 && size > 0 => {
            Range::Bytes(size.saturating_sub(suffix), size - 1)
        }
        (Ok(_), _) => Range::Outside,
        _ => Range::Ignored,
    }
}

fn body(segments: Vec<Segment>) -> Body {
    if segments.is_empty() { Body::Empty } else { Body::Stored(segments) }
}

/// One page by `n` and `last`, and the last entry when there are more.
pub(super) fn page<'k>(
    ask: &Ask<'_>,
    keys: impl Iterator<Item = &'k String>,
) -> Result<(Vec<&'k String>, Option<String>), Response> {
    let n = match ask.request.query("n") {
        None => PAGE,
        Some(n) => match n.parse::<usize>() {
            Ok(n) if n > 0 => n.min(PAGE_MAX),
            _ => {
                let detail = json!({"n": n});
                return Err(refuse(
                    400,
                    "PAGINATION_NUMBER_INVALID",
                    "invalid number of results requested",
                    detail,
                ));
            }
        },
    };
    let last = ask.request.query("last");
    let mut keys = keys.filter(|key| last.is_none_or(|last| key.as_str() > last));
    let page: Vec<&String> = keys.by_ref().take(n).collect();
    let more = keys.next().is_some();
    let next = page.last().filter(|_| more).map(|last| format!("last={}&n={n}", encode(last)));
    Ok((page, next))
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(super) fn linked(response: Response, next: Option<String>, path: &str) -> Response {
    match next {
        Some(query) => response.with("link", format!("<{path}?{query}>; rel=\"next\"")),
        None => response,
    }
}
