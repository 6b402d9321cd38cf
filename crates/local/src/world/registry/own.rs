//! Azure's own interface to a registry, `/acr/v1/…`, with times and sizes that the distribution protocol lacks.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::auth::{self, Deed};
use super::{Ask, Attributes, Manifest, Repository, Tag, content, disallowed, is_digest, refuse, trash};
use crate::world::arm::stamp;
use crate::world::{Method, Response, World};

pub(super) fn handle(world: &mut World, ask: &Ask<'_>, rest: &str) -> Result<Response, Response> {
    let method = ask.request.method;
    if rest == "_catalog" {
        auth::check_catalog(world, ask, "catalog")?;
        let (page, next) = content::page(ask, content::repositories(world, ask).map(|(name, _)| name))?;
        let body = json!({"repositories": page});
        return Ok(content::linked(Response::json(200, &body), next, "/acr/v1/_catalog"));
    }
    if let Some(rest) = rest.strip_prefix("_deleted/") {
        return trash::handle(world, ask, rest);
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let (name, what) = match segments.as_slice() {
        [name @ .., kind @ ("_tags" | "_manifests")] => (name, Some((*kind, None))),
        [name @ .., kind @ ("_tags" | "_manifests"), one] => (name, Some((*kind, Some(*one)))),
        name => (name, None),
    };
    let repository = name.join("/");
    let deed = match method {
        Method::Delete => Deed::Delete,
        Method::Patch => Deed::WriteMetadata,
        _ => Deed::ReadMetadata,
    };
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
            let all = own.tags.iter().filter(|(_, tag)| tag.attributes.list);
            let all = all.filter(|(_, tag)| digest.is_none_or(|digest| tag.digest == digest));
            let all = all.map(|(name, tag)| (name, tag.updated, describe_tag(name, tag))).collect();
            let (page, next) = sorted(ask, all)?;
            Ok(content::linked(with("tags", page), next, &format!("/acr/v1/{repository}/_tags")))
        }
        (Method::Get, Some(("_tags", Some(name)))) => match own.tags.get(name) {
            Some(tag) => Ok(with("tag", describe_tag(name, tag))),
            None => Err(tag_unknown(name)),
        },
        (Method::Get, Some((_, None))) => {
            let all = own.manifests.iter().filter(|(_, manifest)| manifest.attributes.list);
            let all =
                all.map(|(digest, it)| (digest, it.created, describe_manifest(own, digest, it))).collect();
            let (page, next) = sorted(ask, all)?;
            Ok(content::linked(with("manifests", page), next, &format!("/acr/v1/{repository}/_manifests")))
        }
        (Method::Get, Some((_, Some(digest)))) => match own.manifests.get(digest) {
            Some(manifest) => Ok(with("manifest", describe_manifest(own, digest, manifest))),
            None => Err(manifest_unknown(digest)),
        },
        (Method::Patch, what) => {
            let what = what.map(|(kind, one)| (kind.to_owned(), one.map(str::to_owned)));
            lock(world, ask, &repository, what)
        }
        (Method::Delete, None) => {
            let locked = !own.attributes.may_delete()
                || own.manifests.values().any(|manifest| !manifest.attributes.may_delete())
                || own.tags.values().any(|tag| !tag.attributes.may_delete());
            if locked {
                return Err(disallowed());
            }
            let manifests: Vec<String> = own.manifests.keys().cloned().collect();
            let tags: Vec<String> = own.tags.keys().cloned().collect();
            for digest in &manifests {
                trash::remove(world, ask.name, &repository, digest);
            }
            let registry = ask.registry(world);
            registry.repositories.remove(&repository);
            registry.tidy();
            Ok(Response::json(202, &json!({"manifestsDeleted": manifests, "tagsDeleted": tags})))
        }
        (Method::Delete, Some(("_tags", Some(name)))) => {
            if own.tags.get(name).is_some_and(|tag| !tag.attributes.may_delete()) || !own.attributes.write {
                return Err(disallowed());
            }
            let own = ask.registry(world).repositories.get_mut(&repository);
            let removed = own.and_then(|own| own.tags.remove(name)).ok_or_else(|| tag_unknown(name))?;
            trash::untagged(world, ask.name, &repository, &removed.digest, Some(name));
            Ok(Response::empty(202))
        }
        (Method::Delete, Some(("_manifests", Some(digest)))) if is_digest(digest) => {
            content::remove_manifest(world, ask, &repository, digest)?;
            Ok(Response::empty(202))
        }
        _ => Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null)),
    }
}

/// One page in the order that is asked for, and the query of the next.
fn sorted(
    ask: &Ask<'_>,
    mut all: Vec<(&String, Timestamp, Value)>,
) -> Result<(Value, Option<String>), Response> {
    match ask.request.query("orderby") {
        Some("timeasc") => all.sort_by_key(|(_, at, _)| *at),
        Some("timedesc") => all.sort_by_key(|(_, at, _)| std::cmp::Reverse(*at)),
        // as they are, by name
        _ => {
            let (names, next) = content::page(ask, all.iter().map(|(name, ..)| *name))?;
            let page = all.iter().filter(|(name, ..)| names.contains(name)).map(|(.., shown)| shown.clone());
            return Ok((page.collect(), next));
        }
    }
    // by time, `last` is a place in that order and not in that of names
    if let Some(last) = ask.request.query("last")
        && let Some(at) = all.iter().position(|(name, ..)| *name == last)
    {
        all.drain(..=at);
    }
    let n = ask.request.query("n").and_then(|n| n.parse::<usize>().ok()).unwrap_or(all.len()).max(1);
    let order = ask.request.query("orderby").unwrap_or_default();
    let next = (all.len() > n).then(|| format!("last={}&n={n}&orderby={order}", all[n - 1].0));
    Ok((all.into_iter().take(n).map(|(.., shown)| shown).collect(), next))
}

/// `PATCH`: what may be done to a repository, a tag or a manifest from now on.
fn lock(
    world: &mut World,
    ask: &Ask<'_>,
    repository: &str,
    what: Option<(String, Option<String>)>,
) -> Result<Response, Response> {
    let invalid = || refuse(400, "BAD_REQUEST", "the attributes are no JSON object of booleans", Value::Null);
    let sent: Value = serde_json::from_slice(ask.bytes()).map_err(|_| invalid())?;
    let now = world.now;
    let own = ask.registry(world).repositories.get_mut(repository);
    let own = own.ok_or_else(|| content::name_unknown(repository))?;
    let attributes = match &what {
        None => &mut own.attributes,
        Some((kind, Some(one))) if kind == "_tags" => {
            &mut own.tags.get_mut(one).ok_or_else(|| tag_unknown(one))?.attributes
        }
        Some((_, Some(one))) => {
            &mut own.manifests.get_mut(one).ok_or_else(|| manifest_unknown(one))?.attributes
        }
        Some((_, None)) => {
            return Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null));
        }
    };
    for (name, value) in sent.as_object().ok_or_else(invalid)? {
        let value = value.as_bool().ok_or_else(invalid)?;
        match name.as_str() {
            "deleteEnabled" => attributes.delete = value,
            "writeEnabled" => attributes.write = value,
            "readEnabled" => attributes.read = value,
            "listEnabled" => attributes.list = value,
            _ => {}
        }
    }
    match &what {
        Some((kind, Some(one))) if kind == "_tags" => {
            own.tags.entry(one.clone()).and_modify(|tag| tag.updated = now);
        }
        Some((_, Some(one))) => {
            own.manifests.entry(one.clone()).and_modify(|manifest| manifest.updated = now);
        }
        _ => own.updated = now,
    }
    let own = ask.repository(world, repository).ok_or_else(|| content::name_unknown(repository))?;
    let mut body = json!({"registry": ask.service, "imageName": repository});
    match what {
        Some((kind, Some(one))) if kind == "_tags" => {
            body["tag"] = own.tags.get(&one).map(|tag| describe_tag(&one, tag)).unwrap_or_default();
        }
        Some((_, Some(one))) => {
            let shown = own.manifests.get(&one).map(|it| describe_manifest(own, &one, it));
            body["manifest"] = shown.unwrap_or_default();
        }
        _ => body = describe(ask, repository, own),
    }
    Ok(Response::json(200, &body))
}

fn changeable(own: Attributes) -> Value {
    json!({"deleteEnabled": own.delete, "writeEnabled": own.write, "readEnabled": own.read,
           "listEnabled": own.list})
}

fn describe(ask: &Ask<'_>, name: &str, own: &Repository) -> Value {
    json!({
        "registry": ask.service, "imageName": name,
        "createdTime": stamp(own.created), "lastUpdateTime": stamp(own.updated),
        "manifestCount": own.manifests.len(), "tagCount": own.tags.len(),
        "changeableAttributes": changeable(own.attributes),
    })
}

fn describe_tag(name: &str, tag: &Tag) -> Value {
    json!({
        "name": name, "digest": tag.digest, "createdTime": stamp(tag.created),
        "lastUpdateTime": stamp(tag.updated), "signed": false, "changeableAttributes": changeable(tag.attributes),
    })
}

fn describe_manifest(own: &Repository, digest: &str, manifest: &Manifest) -> Value {
    let tags: Vec<&String> =
        own.tags.iter().filter(|(_, tag)| tag.digest == digest).map(|(name, _)| name).collect();
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let sizes = list("layers").into_iter().chain(document.get("config").cloned());
    let size: u64 = sizes.filter_map(|descriptor| descriptor["size"].as_u64()).sum();
    let mut shown = json!({
        "digest": digest, "imageSize": size, "createdTime": stamp(manifest.created),
        "lastUpdateTime": stamp(manifest.updated), "mediaType": manifest.media_type,
        "tags": tags, "changeableAttributes": changeable(manifest.attributes),
    });
    if let Some(kind) = document["config"].get("mediaType") {
        shown["configMediaType"] = kind.clone();
    }
    if let Some((os, architecture)) = manifest.platform.as_deref().and_then(|it| it.split_once('/')) {
        shown["os"] = json!(os);
        shown["architecture"] = json!(architecture);
    }
    if document["manifests"].is_array() {
        let child = |entry: &Value| {
            json!({"digest": entry["digest"], "architecture": entry["platform"]["architecture"],
                   "os": entry["platform"]["os"]})
        };
        shown["references"] = list("manifests").iter().map(child).collect();
    }
    shown
}

fn tag_unknown(name: &str) -> Response {
    refuse(404, "TAG_UNKNOWN", &format!("the specified tag {name:?} does not exist"), Value::Null)
}

fn manifest_unknown(digest: &str) -> Response {
    refuse(404, "MANIFEST_UNKNOWN", &format!("manifest sha256 digest {digest:?} is not found"), Value::Null)
}
