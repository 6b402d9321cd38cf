//! What was deleted and can come back, while the registry's soft-delete policy keeps it, and manifests without a tag,
//! which its retention policy lets go.
//!
//! Sources: `learn.microsoft.com/azure/container-registry/container-registry-soft-delete-policy` and
//! `…/container-registry-retention-policy`; `/acr/v1/_deleted/…` as Azure's command line asks it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{self, Deed};
use super::{Ask, Event, Manifest, Registry, content, document, refuse};
use crate::world::arm::stamp;
use crate::world::{Method, Response, World};

/// What was deleted from one repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trash {
    /// By digest.
    manifests: BTreeMap<String, Deleted>,
    /// Oldest first; one tag may have been deleted more than once.
    tags: Vec<DeletedTag>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deleted {
    manifest: Manifest,
    at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DeletedTag {
    tag: String,
    digest: String,
    at: Timestamp,
}

impl Trash {
    /// Blobs that deleted manifests name.
    pub(super) fn blobs(&self) -> impl Iterator<Item = String> + use<'_> {
        self.manifests.values().flat_map(|deleted| named(&deleted.manifest))
    }
}

/// Blobs that a manifest names.
fn named(manifest: &Manifest) -> Vec<String> {
    document::read(&manifest.bytes, None).map(|document| document.blobs).unwrap_or_default()
}

/// How long a policy of a registry keeps something, when it is enabled.
fn kept_for(world: &World, name: &str, policy: &str, days: &str) -> Option<SignedDuration> {
    let policy = &super::resource(world, name)?.properties()["policies"][policy];
    let days = policy[days].as_i64().filter(|_| policy["status"] == "enabled")?;
    Some(SignedDuration::from_hours(24 * days))
}

fn soft_delete(world: &World, name: &str) -> Option<SignedDuration> {
    kept_for(world, name, "softDeletePolicy", "retentionDays")
}

fn retention(world: &World, name: &str) -> Option<SignedDuration> {
    kept_for(world, name, "retentionPolicy", "days")
}

/// A manifest that is in the trash is restored, not pushed again.
pub(super) fn check_push(
    world: &World,
    ask: &Ask<'_>,
    repository: &str,
    digest: &str,
) -> Result<(), Response> {
    let trash = world.registries.registries.get(ask.name).and_then(|own| own.trash.get(repository));
    if trash.is_some_and(|trash| trash.manifests.contains_key(digest)) {
        let message =
            format!("the manifest {digest} is soft deleted: restore it instead of pushing it again");
        return Err(refuse(409, "CONFLICT", &message, json!({"digest": digest})));
    }
    Ok(())
}

/// Removes a manifest, the tags that name it and blobs that only it needed; into the trash where there is one.
pub(super) fn remove(world: &mut World, name: &str, repository: &str, digest: &str) -> Option<Manifest> {
    let now = world.now;
    let keeps = soft_delete(world, name).is_some();
    let registry = world.registries.registries.get_mut(name)?;
    let own = registry.repositories.get_mut(repository)?;
    let removed = own.manifests.remove(digest)?;
    let (gone, tags) = std::mem::take(&mut own.tags).into_iter().partition(|(_, tag)| tag.digest == digest);
    own.tags = tags;
    own.updated = now;
    // Blobs that no manifest has named yet may belong to a push under way, and stay.
    let kept: Vec<String> = own.manifests.values().flat_map(named).collect();
    for digest in named(&removed) {
        if !kept.contains(&digest) {
            own.blobs.remove(&digest);
        }
    }
    if own.manifests.is_empty() {
        registry.repositories.remove(repository);
    }
    if keeps {
        let trash = registry.trash.entry(repository.to_owned()).or_default();
        let gone: BTreeMap<String, super::Tag> = gone;
        trash.tags.extend(gone.into_iter().map(|(tag, it)| DeletedTag { tag, digest: it.digest, at: now }));
        trash.manifests.insert(digest.to_owned(), Deleted { manifest: removed.clone(), at: now });
    }
    registry.tidy();
    schedule(world, name);
    Some(removed)
}

/// A tag no longer names a manifest: `deleted` by somebody, or moved to another.
pub(super) fn untagged(world: &mut World, name: &str, repository: &str, digest: &str, deleted: Option<&str>) {
    let now = world.now;
    let (soft, retained) = (soft_delete(world, name).is_some(), retention(world, name).is_some());
    let Some(registry) = world.registries.registries.get_mut(name) else { return };
    if let (true, Some(tag)) = (soft, deleted) {
        let trash = registry.trash.entry(repository.to_owned()).or_default();
        trash.tags.push(DeletedTag { tag: tag.to_owned(), digest: digest.to_owned(), at: now });
    }
    if let Some(own) = registry.repositories.get_mut(repository) {
        own.updated = now;
        let bare = !own.tags.values().any(|tag| tag.digest == digest);
        if let (true, true, Some(manifest)) = (bare, retained, own.manifests.get_mut(digest)) {
            manifest.untagged = Some(now);
        }
    }
    schedule(world, name);
}

/// The registry's policies are others now: what is due is counted anew.
pub(crate) fn policies_changed(world: &mut World, name: &str) {
    schedule(world, &name.to_ascii_lowercase());
}

/// When the first thing is due to go for good.
fn due(world: &World, name: &str) -> Option<Timestamp> {
    let registry = world.registries.registries.get(name)?;
    let after = |at: Timestamp, kept: Option<SignedDuration>| at.saturating_add(kept?).ok();
    // what is in the trash when the policy is disabled stays until it would have gone
    let soft = soft_delete(world, name).or(Some(SignedDuration::from_hours(24 * 7)));
    let retained = retention(world, name);
    let trash = registry.trash.values().flat_map(|trash| {
        let tags = trash.tags.iter().map(|tag| tag.at);
        tags.chain(trash.manifests.values().map(|deleted| deleted.at))
    });
    let bare = registry.repositories.values().flat_map(|own| own.manifests.values());
    let bare =
        bare.filter(|manifest| manifest.attributes.may_delete()).filter_map(|manifest| manifest.untagged);
    trash.filter_map(|at| after(at, soft)).chain(bare.filter_map(|at| after(at, retained))).min()
}

fn schedule(world: &mut World, name: &str) {
    if let Some(at) = due(world, name) {
        let after = at.duration_since(world.now).max(SignedDuration::ZERO);
        world.later(after, crate::world::Event::Registry(Event::Purge { registry: name.to_owned() }));
    }
}

/// Lets go for good what is due by now.
pub(super) fn purge(world: &mut World, name: &str) {
    let now = world.now;
    let over = |at: Timestamp, kept: SignedDuration| at.saturating_add(kept).is_ok_and(|end| end <= now);
    let soft = soft_delete(world, name).unwrap_or(SignedDuration::from_hours(24 * 7));
    let retained = retention(world, name);
    let Some(registry) = world.registries.registries.get_mut(name) else { return };
    for trash in registry.trash.values_mut() {
        trash.tags.retain(|tag| !over(tag.at, soft));
        trash.manifests.retain(|_, deleted| !over(deleted.at, soft));
    }
    registry.trash.retain(|_, trash| !(trash.tags.is_empty() && trash.manifests.is_empty()));
    registry.tidy();
    let bare = retained.map(|kept| untagged_over(registry, |at| over(at, kept))).unwrap_or_default();
    let before = bare.len();
    for (repository, digest) in bare {
        remove(world, name, &repository, &digest);
    }
    // what was due and stays (a lock, an index that names it) is looked at again tomorrow
    let stuck = due(world, name).is_some_and(|at| at <= now);
    if stuck {
        let again = crate::world::Event::Registry(Event::Purge { registry: name.to_owned() });
        world.later(SignedDuration::from_hours(24), again);
    } else if before == 0 {
        schedule(world, name);
    }
}

/// Manifests whose time without a tag is over, and which nothing else holds.
fn untagged_over(registry: &Registry, over: impl Fn(Timestamp) -> bool) -> Vec<(String, String)> {
    let mut going = Vec::new();
    for (name, own) in &registry.repositories {
        let children = |manifest: &Manifest| {
            document::read(&manifest.bytes, None).map(|document| document.manifests).unwrap_or_default()
        };
        let held: Vec<String> = own.manifests.values().flat_map(children).collect();
        let bare = own.manifests.iter().filter(|(digest, manifest)| {
            manifest.untagged.is_some_and(&over)
                && manifest.attributes.may_delete()
                && own.attributes.write
                && !held.contains(digest)
        });
        going.extend(bare.map(|(digest, _)| (name.clone(), digest.clone())));
    }
    going
}

/// `/acr/v1/_deleted/…`: what is in the trash, and the way back.
pub(super) fn handle(world: &mut World, ask: &Ask<'_>, rest: &str) -> Result<Response, Response> {
    let unsupported = || refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null);
    if rest == "_catalog" {
        auth::check_catalog(world, ask, "deleted_catalog")?;
        let registry = world.registries.registries.get(ask.name);
        let names = registry.into_iter().flat_map(|registry| &registry.trash);
        let gone = names
            .filter(|(name, _)| registry.is_some_and(|registry| !registry.repositories.contains_key(*name)));
        let (page, next) = content::page(ask, gone.map(|(name, _)| name))?;
        let body = json!({"repositories": page});
        return Ok(content::linked(Response::json(200, &body), next, "/acr/v1/_deleted/_catalog"));
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let (name, kind, one) = match segments.as_slice() {
        [name @ .., kind @ ("_tags" | "_manifests")] => (name.join("/"), *kind, None),
        [name @ .., "_manifests", digest] => (name.join("/"), "_manifests", Some(*digest)),
        _ => return Err(unsupported()),
    };
    match (ask.request.method, one) {
        (Method::Get, None) => {
            auth::check(world, ask, &name, Deed::ReadDeleted)?;
            Ok(list(world, ask, &name, kind))
        }
        (Method::Post, Some(digest)) => {
            auth::check(world, ask, &name, Deed::RestoreDeleted)?;
            restore(world, ask, &name, digest)
        }
        _ => Err(unsupported()),
    }
}

fn list(world: &World, ask: &Ask<'_>, repository: &str, kind: &str) -> Response {
    let empty = Trash::default();
    let registry = world.registries.registries.get(ask.name);
    let trash = registry.and_then(|registry| registry.trash.get(repository)).unwrap_or(&empty);
    let shown: Vec<Value> = match kind {
        "_tags" => {
            let show =
                |it: &DeletedTag| json!({"tag": it.tag, "digest": it.digest, "deletedAt": stamp(it.at)});
            trash.tags.iter().map(show).collect()
        }
        _ => {
            let tags = |digest: &str| -> Vec<&String> {
                trash.tags.iter().filter(|tag| tag.digest == digest).map(|tag| &tag.tag).collect()
            };
            let show = |(digest, it): (&String, &Deleted)| {
                json!({"digest": digest, "tags": tags(digest), "deletedAt": stamp(it.at),
                       "mediaType": it.manifest.media_type, "createdTime": stamp(it.manifest.created)})
            };
            trash.manifests.iter().map(show).collect()
        }
    };
    let mut body = json!({"registry": ask.service, "imageName": repository});
    body[kind.trim_start_matches('_')] = json!(shown);
    Response::json(200, &body)
}

/// `POST …/_deleted/<repository>/_manifests/<digest>` with `{"tag": …}`: the manifest comes back, and the tag names it.
fn restore(world: &mut World, ask: &Ask<'_>, repository: &str, digest: &str) -> Result<Response, Response> {
    let sent: Value = serde_json::from_slice(ask.bytes()).unwrap_or_default();
    let tag = sent["tag"].as_str().filter(|tag| !tag.is_empty());
    let force = ask.request.query("force").is_some_and(|force| force.eq_ignore_ascii_case("true"));
    let now = world.now;
    let missing = || {
        let message = format!("the manifest {digest} is not among the deleted ones");
        refuse(404, "MANIFEST_UNKNOWN", &message, json!({"digest": digest}))
    };
    let registry = ask.registry(world);
    let own = registry.repositories.get(repository);
    let there = own.is_some_and(|own| own.manifests.contains_key(digest));
    let taken =
        tag.and_then(|tag| own.and_then(|own| own.tags.get(tag)).map(|held| (tag, held.digest.clone())));
    if let Some((tag, _)) = taken.as_ref().filter(|(_, held)| !force && held != digest) {
        let message = format!("the tag {tag} exists already: restore with force to overwrite it");
        return Err(refuse(409, "CONFLICT", &message, json!({"tag": tag})));
    }
    let trash = registry.trash.get_mut(repository).ok_or_else(missing)?;
    let deleted = trash.manifests.get(digest).cloned();
    if deleted.is_none() && !there {
        return Err(missing());
    }
    if let Some(subject) = deleted.as_ref().and_then(|deleted| deleted.manifest.subject.as_ref())
        && trash.manifests.contains_key(subject)
    {
        let message = format!("the subject {subject} has to be restored first");
        return Err(refuse(409, "CONFLICT", &message, json!({"digest": subject})));
    }
    trash.manifests.remove(digest);
    trash.tags.retain(|held| !(held.digest == digest && tag.is_none_or(|tag| tag == held.tag)));
    if trash.tags.is_empty() && trash.manifests.is_empty() {
        registry.trash.remove(repository);
    }
    let own = registry.make(repository, now);
    own.updated = now;
    if let Some(Deleted { manifest, .. }) = deleted {
        own.blobs.extend(named(&manifest));
        own.manifests.insert(digest.to_owned(), Manifest { updated: now, untagged: None, ..manifest });
    }
    let before = tag.and_then(|tag| own.point(tag, digest, now));
    if let (Some(tag), Some(before)) = (tag, before.filter(|before| before != digest)) {
        untagged(world, ask.name, repository, &before, Some(tag));
    }
    Ok(Response::empty(202).with("docker-content-digest", digest))
}
