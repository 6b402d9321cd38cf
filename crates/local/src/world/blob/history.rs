//! What blobs were: snapshots, versions, and what is deleted but may come back.
//!
//! Sources: `azure/storage/blobs/versioning-overview`, `soft-delete-blob-overview`, `snapshots-overview`;
//! `rest/api/storageservices/delete-blob`, `undelete-blob`, `snapshot-blob`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lease::{Lease, What};
use super::refusal::{invalid_header, refuse};
use super::{Ask, Blob, Container, Event, Right, Settings, blob_not_found, conditions, http_date, settings};
use crate::world::{Event as Due, Response, World};

/// A state of a blob that is not the present one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) kind: PastKind,
    /// When it was taken, or became a version.
    pub(super) id: String,
    pub(super) blob: Blob,
    /// It was deleted, and is kept until its retention is over.
    pub(super) deleted: Option<Gone>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PastKind {
    /// Taken by somebody, or by an overwrite while deleted blobs are kept.
    Snapshot,
    Version,
    /// The blob itself, deleted.
    Base,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) at: Timestamp,
    pub(super) until: Timestamp,
}

impl Past {
    pub(super) fn is_snapshot(&self, id: &str) -> bool {
        self.kind == PastKind::Snapshot && self.id == id
    }

    pub(super) fn is_version(&self, id: &str) -> bool {
        self.kind == PastKind::Version && self.id == id
    }
}

/// When what is deleted now is gone for good.
fn gone(now: Timestamp, days: i64) -> Gone {
    let until = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    Gone { at: now, until }
}

/// Puts a blob in its place; what was there becomes a version or a deleted snapshot as the account keeps them. Returns
/// the new version's id.
pub(super) fn put(world: &mut World, ask: &Ask<'_>, mut blob: Blob) -> Result<Option<String>, Response> {
    let settings = settings(world, ask.account);
    let now = world.now;
    let account = ask.account_mut(world);
    let id = (settings.versions || settings.days.is_some()).then(|| account.id(now));
    let container = account.containers.get_mut(&ask.container).ok_or_else(super::container_not_found)?;
    if let Some(before) = container.blobs.remove(&ask.blob) {
        keep(container, &ask.blob, before, settings, id.as_deref(), now);
    }
    blob.accessed = settings.accesses.then_some(now);
    blob.version = id.filter(|_| settings.versions);
    let version = blob.version.clone();
    container.blobs.insert(ask.blob.clone(), blob);
    schedule(world, ask.account, settings.days.filter(|_| !settings.versions), now);
    Ok(version)
}

/// Refuses to overwrite what may not be changed; where versions are kept, what was there stays as one.
pub(super) fn guard_overwrite(world: &World, ask: &Ask<'_>, there: &Blob) -> Result<(), Response> {
    let keeping = &ask.container(world)?.keeping;
    keeping.guard(there, world.now)?;
    if settings(world, ask.account).versions { Ok(()) } else { there.kept.guard(world.now) }
}

/// A read counts as an access, once a day, where the account tracks them.
pub(super) fn accessed(world: &mut World, ask: &Ask<'_>) {
    let now = world.now;
    if !settings(world, ask.account).accesses {
        return;
    }
    let fresh = |at: Timestamp| now.duration_since(at) < SignedDuration::from_hours(24);
    if ask.blob(world).is_ok_and(|blob| !blob.accessed.is_some_and(fresh))
        && let Ok(blob) = ask.blob_mut(world)
    {
        blob.accessed = Some(now);
        world.touched = true;
    }
}

/// What was the blob becomes a version, or a snapshot that is deleted already.
fn keep(
    container: &mut Container,
    name: &str,
    before: Blob,
    settings: Settings,
    id: Option<&str>,
    now: Timestamp,
) {
    let Some(id) = id else { return };
    let past = container.past.entry(name.to_owned()).or_default();
    let blob = Blob { lease: Lease::default(), ..before };
    if settings.versions {
        // what was written before versions were kept gets the time of its last change
        let id = blob.version.clone().unwrap_or_else(|| {
            let at = blob.modified;
            format!("{}.{:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"), at.subsec_nanosecond() / 100)
        });
        past.push(Past { kind: PastKind::Version, id, blob, deleted: None });
    } else if let Some(days) = settings.days {
        let deleted = Some(gone(now, days));
        past.push(Past { kind: PastKind::Snapshot, id: id.to_owned(), blob, deleted });
    }
}

/// The present state becomes a version before it is changed in place; returns the id of the new one.
pub(super) fn new_version(world: &mut World, ask: &Ask<'_>) -> Option<String> {
    let settings = settings(world, ask.account);
    if !settings.versions {
        return None;
    }
    let now = world.now;
    let account = ask.account_mut(world);
    let id = account.id(now);
    let container = account.containers.get_mut(&ask.container)?;
    let before = container.blobs.get(&ask.blob)?.clone();
    keep(container, &ask.blob, before, settings, Some(&id), now);
    container.blobs.get_mut(&ask.blob)?.version = Some(id.clone());
    Some(id)
}

/// `Snapshot Blob`.
pub(super) fn snapshot(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Create)?;
    let there = ask.blob(world)?;
    conditions::check_tagged(ask, there)?;
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    there.encryption.check_change(world, ask, ask.container(world)?)?;
    let metadata = ask.metadata()?;
    let mut blob = Blob { lease: Lease::default(), version: None, ..there.clone() };
    if !metadata.is_empty() {
        blob.metadata = metadata;
    }
    let (etag, modified) = (blob.etag.clone(), blob.modified);
    let now = world.now;
    let id = ask.account_mut(world).id(now);
    let past = Past { kind: PastKind::Snapshot, id: id.clone(), blob, deleted: None };
    ask.change(world)?.0.past.entry(ask.blob.clone()).or_default().push(past);
    let mut response = Response::empty(201)
        .with("x-ms-snapshot", id)
        .with("etag", etag)
        .with("last-modified", http_date(modified))
        .with("x-ms-request-server-encrypted", "false");
    // with versions kept, what is there now becomes one
    if let Some(version) = new_version(world, ask) {
        response = response.with("x-ms-version-id", version);
    }
    Ok(response)
}

/// `Delete Blob`: the blob, its snapshots, one snapshot or one version.
pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, if ask.version().is_some() { Right::DeleteVersion } else { Right::Delete })?;
    let settings = settings(world, ask.account);
    let now = world.now;
    let which = ask.header("x-ms-delete-snapshots");
    if let Some(which) = which
        && !matches!(which, "include" | "only")
    {
        return Err(invalid_header("x-ms-delete-snapshots", which));
    }
    let there = ask.blob(world)?;
    conditions::check_tagged(ask, there)?;
    conditions::check_tier(ask, there)?;
    let keeping = &ask.container(world)?.keeping;
    keeping.guard(there, now)?;
    there.kept.guard(now)?;
    if ask.names_past() {
        if which.is_some() {
            return Err(invalid_header("x-ms-delete-snapshots", which.unwrap_or_default()));
        }
        if ask.version().is_some_and(|id| there.version.as_deref() == Some(id))
            && ask.container(world)?.blobs.get(&ask.blob).is_some_and(|blob| blob.version == there.version)
        {
            return Err(refuse(
                403,
                "OperationNotAllowedOnRootBlob",
                "The current version of a blob cannot be deleted by its version: delete the blob.",
            ));
        }
        let id = ask.snapshot().or(ask.version()).unwrap_or_default().to_owned();
        let (container, _) = ask.change(world)?;
        remove_past(container, &ask.blob, settings.days, now, |past| {
            past.kind != PastKind::Base && past.id == id
        });
        schedule(world, ask.account, settings.days, now);
        return Ok(deleted(settings.days.is_none()));
    }
    there.lease.guard(now, ask.header("x-ms-lease-id"), What::Blob, which != Some("only"))?;
    let live = |past: &Past| past.kind == PastKind::Snapshot && past.deleted.is_none();
    let has_snapshots = ask.container(world)?.past.get(&ask.blob).is_some_and(|all| all.iter().any(live));
    if has_snapshots && which.is_none() {
        return Err(refuse(
            409,
            "SnapshotsPresent",
            "This operation is not permitted because the blob has snapshots.",
        ));
    }
    let id = ask.account_mut(world).id(now);
    let (container, _) = ask.change(world)?;
    if which.is_some() {
        remove_past(container, &ask.blob, settings.days, now, live);
    }
    if which != Some("only") {
        remove_base(container, &ask.blob, settings, &id, now);
    }
    schedule(world, ask.account, settings.days, now);
    Ok(deleted(settings.days.is_none() && !settings.versions))
}

fn deleted(for_good: bool) -> Response {
    Response::empty(202).with("x-ms-delete-type-permanent", if for_good { "true" } else { "false" })
}

/// The blob itself goes, as the account keeps what is deleted.
pub(super) fn remove_base(
    container: &mut Container,
    name: &str,
    settings: Settings,
    id: &str,
    now: Timestamp,
) {
    container.staged.remove(name);
    let Some(before) = container.blobs.remove(name) else { return };
    if settings.versions {
        keep(container, name, before, settings, Some(id), now);
    } else if let Some(days) = settings.days {
        let blob = Blob { lease: Lease::default(), ..before };
        let past = Past { kind: PastKind::Base, id: id.to_owned(), blob, deleted: Some(gone(now, days)) };
        container.past.entry(name.to_owned()).or_default().push(past);
    }
}

/// Snapshots or versions go: for good, or until their retention is over.
pub(super) fn remove_past(
    container: &mut Container,
    name: &str,
    days: Option<i64>,
    now: Timestamp,
    which: impl Fn(&Past) -> bool,
) {
    let Some(all) = container.past.get_mut(name) else { return };
    match days {
        None => all.retain(|past| !which(past)),
        Some(days) => {
            for past in all.iter_mut().filter(|past| past.deleted.is_none() && which(past)) {
                past.deleted = Some(gone(now, days));
            }
        }
    }
    if all.is_empty() {
        container.past.remove(name);
    }
}

/// `Undelete Blob`: all that was deleted of it comes back.
pub(super) fn undelete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    let there = ask.container(world)?;
    if !there.blobs.contains_key(&ask.blob) && !there.past.contains_key(&ask.blob) {
        return Err(blob_not_found());
    }
    let (container, _) = ask.change(world)?;
    let mut past = container.past.remove(&ask.blob).unwrap_or_default();
    // of several, the one that was deleted last
    let base = past.iter().rposition(|past| past.kind == PastKind::Base && past.deleted.is_some());
    if let Some(at) = base
        && !container.blobs.contains_key(&ask.blob)
    {
        container.blobs.insert(ask.blob.clone(), past.remove(at).blob);
    }
    for past in past.iter_mut().filter(|past| past.kind != PastKind::Base) {
        past.deleted = None;
    }
    if !past.is_empty() {
        container.past.insert(ask.blob.clone(), past);
    }
    Ok(Response::empty(200))
}

/// Lets what was just deleted be gone in time.
pub(super) fn schedule(world: &mut World, account: &str, days: Option<i64>, now: Timestamp) {
    let Some(days) = days else { return };
    let after = gone(now, days).until.duration_since(now);
    world.later(after, Due::Blob(Event::Due { account: account.to_owned() }));
}

/// What was deleted and is past its retention goes; what was rehydrated is out of the archive.
pub(super) fn due(world: &mut World, account: &str) {
    let now = world.now;
    let Some(account) = world.blobs.accounts.get_mut(account) else { return };
    account.deleted.retain(|deleted| deleted.until > now);
    for container in account.containers.values_mut() {
        for all in container.past.values_mut() {
            all.retain(|past| past.deleted.is_none_or(|gone| gone.until > now));
        }
        container.past.retain(|_, all| !all.is_empty());
        let past = container.past.values_mut().flatten().map(|past| &mut past.blob);
        for blob in container.blobs.values_mut().chain(past) {
            if let Some(rehydrating) = blob.rehydrating.take_if(|it| it.due <= now) {
                blob.tier = Some(rehydrating.to);
                blob.tier_changed = Some(now);
            }
        }
    }
}
