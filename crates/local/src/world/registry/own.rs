//! Azure's own interface to a registry, `/acr/v1/…`, with times and sizes that the distribution protocol lacks.

use serde_json::{Value, json};

use super::auth::{self, Deed};
use super::{Ask, Manifest, Repository, Tag, content, is_digest, refuse};
use crate::world::arm::stamp;
use crate::world::{Method, Response, World};

pub(super) fn handle(world: &mut World, ask: &Ask<'_>, rest: &str) -> Result<Response, Response> {
    let method = ask.request.method;
    if rest == "_catalog" {
        auth::check_catalog(world, ask)?;
        let names: Vec<&String> = content::repositories(world, ask).map(|(name, _)| name).collect();
        return Ok(Response::json(200, &json!({"repositories": names})));
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let (name, what) = match segments.as_slice() {
        [name @ .., kind @ ("_tags" | "_manifests")] => (name, Some((*kind, None))),
        [name @ .., kind @ ("_tags" | "_manifests"), one] => (name, Some((*kind, Some(*one)))),
        name => (name, None),
    };
    let repository = name.join("/");
    let deed = if method == Method::Delete { Deed::Delete } else { Deed::Pull };
    auth::check(world, ask, &repository, deed)?;
    let own = ask.repository(world, &repository).ok_or_else(|| content::name_unknown(&repository))?;
    let named = json!({"registry": ask.service, "imageName": repository});
    let with = |name: &str, value: Value| {
        let mut body = named.clone();
        body[name] = value;
        Response::json(200, &body)
    };
    match (method, what) {
        (Method::Get, None) => Ok(Response::json(200, &describe(ask, &repository, own))),
        (Method::Get, Some(("_tags", None))) => {
            let digest = ask.request.query("digest");
            let tags = own.tags.iter().filter(|(_, tag)| digest.is_none_or(|digest| tag.digest == digest));
            Ok(with("tags", tags.map(|(name, tag)| describe_tag(name, tag)).collect()))
        }
        (Method::Get, Some(("_tags", Some(name)))) => match own.tags.get(name) {
            Some(tag) => Ok(with("tag", describe_tag(name, tag))),
            None => Err(tag_unknown(name)),
        },
        (Method::Get, Some((_, None))) => {
            let manifests =
                own.manifests.iter().map(|(digest, manifest)| describe_manifest(own, digest, manifest));
            Ok(with("manifests", manifests.collect()))
        }
        (Method::Get, Some((_, Some(digest)))) => match own.manifests.get(digest) {
            Some(manifest) => Ok(with("manifest", describe_manifest(own, digest, manifest))),
            None => Err(manifest_unknown(digest)),
        },
        (Method::Delete, None) => {
            let manifests: Vec<String> = own.manifests.keys().cloned().collect();
            let tags: Vec<String> = own.tags.keys().cloned().collect();
            let registry = ask.registry(world);
            registry.repositories.remove(&repository);
            registry.tidy();
            Ok(Response::json(202, &json!({"manifestsDeleted": manifests, "tagsDeleted": tags})))
        }
        (Method::Delete, Some(("_tags", Some(name)))) => {
            let own = ask.registry(world).repositories.get_mut(&repository);
            match own.and_then(|own| own.tags.remove(name)) {
                Some(_) => Ok(Response::empty(202)),
                None => Err(tag_unknown(name)),
            }
        }
        (Method::Delete, Some(("_manifests", Some(digest)))) if is_digest(digest) => {
            content::remove_manifest(world, ask, &repository, digest)?;
            Ok(Response::empty(202))
        }
        _ => Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null)),
    }
}

/// Nothing can be locked here.
fn changeable() -> Value {
    json!({"deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true})
}

fn describe(ask: &Ask<'_>, name: &str, own: &Repository) -> Value {
    json!({
        "registry": ask.service, "imageName": name,
        "createdTime": stamp(own.created), "lastUpdateTime": stamp(own.updated),
        "manifestCount": own.manifests.len(), "tagCount": own.tags.len(),
        "changeableAttributes": changeable(),
    })
}

fn describe_tag(name: &str, tag: &Tag) -> Value {
    json!({
        "name": name, "digest": tag.digest, "createdTime": stamp(tag.created),
        "lastUpdateTime": stamp(tag.updated), "signed": false, "changeableAttributes": changeable(),
    })
}

fn describe_manifest(own: &Repository, digest: &str, manifest: &Manifest) -> Value {
    let tags: Vec<&String> =
        own.tags.iter().filter(|(_, tag)| tag.digest == digest).map(|(name, _)| name).collect();
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let descriptors = document["layers"].as_array().into_iter().flatten().chain(document.get("config"));
    let size: u64 = descriptors.filter_map(|descriptor| descriptor["size"].as_u64()).sum();
    json!({
        "digest": digest, "imageSize": size, "createdTime": stamp(manifest.created),
        "lastUpdateTime": stamp(manifest.created), "mediaType": manifest.media_type,
        "tags": tags, "changeableAttributes": changeable(),
    })
}

fn tag_unknown(name: &str) -> Response {
    refuse(404, "TAG_UNKNOWN", &format!("the specified tag {name:?} does not exist"), Value::Null)
}

fn manifest_unknown(digest: &str) -> Response {
    refuse(404, "MANIFEST_UNKNOWN", &format!("manifest sha256 digest {digest:?} is not found"), Value::Null)
}
