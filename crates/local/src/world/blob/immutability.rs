//! What is written once and read many times: policies and legal holds of containers and, where versions are
//! protected, of each blob.
//!
//! Sources: `azure/storage/blobs/immutable-storage-overview`, `immutable-container-level-worm-policies`,
//! `immutable-version-level-worm-policies`; `rest/api/storageservices/set-blob-immutability-policy`,
//! `set-blob-legal-hold`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::conditions::http_time;
use super::refusal::{invalid_header, missing_header, refuse};
use super::{Ask, Blob, Container, Right, http_date, xml};
use crate::world::{Response, World};

/// How a container keeps what is in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Keeping {
    /// Each blob may have a policy and a hold of its own.
    pub(crate) versions: bool,
    /// Legal holds on the whole container, by tag.
    pub(crate) holds: Vec<String>,
    pub(crate) policy: Option<Policy>,
}

/// A container's time-based retention.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) days: i64,
    pub(crate) locked: bool,
    /// Append blobs may grow.
    pub(crate) appends: bool,
    /// Block blobs may, too.
    pub(crate) all_appends: bool,
    pub(crate) etag: String,
}

/// What a blob itself is kept by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) until: Option<Timestamp>,
    pub(super) locked: bool,
    pub(super) hold: Option<bool>,
}

impl Kept {
    /// What a write says of it.
    pub(super) fn sent(ask: &Ask<'_>, container: &Container) -> Result<Kept, Response> {
        let hold = hold(ask)?;
        let Some((until, locked)) = until(ask)? else {
            if hold.is_some() {
                enabled(container)?;
            }
            return Ok(Kept { hold, ..Kept::default() });
        };
        enabled(container)?;
        Ok(Kept { until: Some(until), locked, hold })
    }

    fn mode(&self) -> &'static str {
        if self.locked { "Locked" } else { "Unlocked" }
    }

    /// Headers that tell of it.
    pub(super) fn describe(&self, mut response: Response) -> Response {
        if let Some(until) = self.until {
            response = response
                .with("x-ms-immutability-policy-until-date", http_date(until))
                .with("x-ms-immutability-policy-mode", self.mode().to_ascii_lowercase());
        }
        match self.hold {
            Some(hold) => response.with("x-ms-legal-hold", hold.to_string()),
            None => response,
        }
    }

    /// Elements that tell of it.
    pub(super) fn elements(&self, policy: bool, hold: bool) -> String {
        let mut out = String::new();
        if let Some(until) = self.until.filter(|_| policy) {
            out += &xml::element("ImmutabilityPolicyUntilDate", &http_date(until));
            out += &xml::element("ImmutabilityPolicyMode", &self.mode().to_ascii_lowercase());
        }
        if let Some(held) = self.hold.filter(|_| hold) {
            out += &xml::element("LegalHold", &held.to_string());
        }
        out
    }

    /// Refuses to let go of what is kept.
    pub(super) fn guard(&self, now: Timestamp) -> Result<(), Response> {
        if self.hold == Some(true) {
            return Err(held());
        }
        match self.until {
            Some(until) if until > now => Err(by_policy()),
            _ => Ok(()),
        }
    }
}

impl Keeping {
    /// Whether anything of it holds.
    pub(super) fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    pub(super) fn has_hold(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Code and words of what lets nobody delete the container.
    pub(super) fn holds_container(&self) -> Option<(&'static str, &'static str)> {
        if self.has_hold() {
            return Some((
                "ContainerHasLegalHold",
                "The requested operation is not allowed as the container has one or more legal holds.",
            ));
        }
        if self.versions {
            return Some((
                "ContainerImmutableStorageWithVersioningEnabled",
                "The requested operation is not allowed as the container has a immutable storage with versioning enabled.",
            ));
        }
        match &self.policy {
            Some(policy) if policy.locked => Some((
                "ContainerImmutabilityPolicyLocked",
                "The requested operation is not allowed as the container has a locked immutability policy.",
            )),
            Some(_) => Some((
                "ContainerImmutabilityPolicyUnlocked",
                "The requested operation is not allowed as the container has an immutability policy.",
            )),
            None => None,
        }
    }

    /// Refuses to change or delete a blob.
    pub(super) fn guard(&self, blob: &Blob, now: Timestamp) -> Result<(), Response> {
        if self.has_hold() {
            return Err(held());
        }
        let Some(policy) = self.policy.as_ref().filter(|_| !self.versions) else { return Ok(()) };
        let until = blob.created.saturating_add(SignedDuration::from_hours(24 * policy.days));
        if until.unwrap_or(Timestamp::MAX) > now { Err(by_policy()) } else { Ok(()) }
    }

    /// Refuses to append, unless the policy lets blobs of the kind grow.
    pub(super) fn guard_append(&self, blob: &Blob, now: Timestamp) -> Result<(), Response> {
        match &self.policy {
            Some(policy) if !self.has_hold() && (policy.appends || policy.all_appends) => Ok(()),
            _ => self.guard(blob, now),
        }
    }

    /// What a new blob of the container is kept by.
    pub(super) fn inherited(&self, now: Timestamp) -> Kept {
        match self.policy.as_ref().filter(|_| self.versions) {
            Some(policy) => Kept {
                until: now.checked_add(SignedDuration::from_hours(24 * policy.days)).ok(),
                locked: policy.locked,
                hold: None,
            },
            None => Kept::default(),
        }
    }
}

/// `Set Blob Immutability Policy`.
pub(super) fn set_policy(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Immutability)?;
    let now = world.now;
    enabled(ask.container(world)?)?;
    let name = "x-ms-immutability-policy-until-date";
    let (until, locked) = until(ask)?.ok_or_else(|| missing_header(name))?;
    if until <= now {
        return Err(invalid_header(name, ask.header(name).unwrap_or_default()));
    }
    let blob = ask.blob_mut(world)?;
    // A locked policy may be made longer only.
    if blob.kept.locked && (blob.kept.until.is_some_and(|before| until < before) || !locked) {
        return Err(by_policy());
    }
    (blob.kept.until, blob.kept.locked) = (Some(until), locked);
    Ok(Kept { hold: None, ..blob.kept.clone() }.describe(Response::empty(200)))
}

/// `Delete Blob Immutability Policy`.
pub(super) fn delete_policy(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Immutability)?;
    enabled(ask.container(world)?)?;
    let blob = ask.blob_mut(world)?;
    if blob.kept.locked {
        return Err(by_policy());
    }
    blob.kept.until = None;
    Ok(Response::empty(200))
}

/// `Set Blob Legal Hold`.
pub(super) fn set_hold(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Immutability)?;
    enabled(ask.container(world)?)?;
    let hold = hold(ask)?.ok_or_else(|| missing_header("x-ms-legal-hold"))?;
    ask.blob_mut(world)?.kept.hold = Some(hold);
    Ok(Response::empty(200).with("x-ms-legal-hold", hold.to_string()))
}

fn hold(ask: &Ask<'_>) -> Result<Option<bool>, Response> {
    let Some(text) = ask.header("x-ms-legal-hold") else { return Ok(None) };
    text.to_ascii_lowercase().parse().map(Some).map_err(|_| invalid_header("x-ms-legal-hold", text))
}

fn until(ask: &Ask<'_>) -> Result<Option<(Timestamp, bool)>, Response> {
    let Some(until) = http_time(ask, "x-ms-immutability-policy-until-date")? else { return Ok(None) };
    let name = "x-ms-immutability-policy-mode";
    match ask.header(name).unwrap_or("unlocked").to_ascii_lowercase().as_str() {
        "unlocked" => Ok(Some((until, false))),
        "locked" => Ok(Some((until, true))),
        other => Err(invalid_header(name, other)),
    }
}

/// Refuses policies of single blobs where containers do not protect versions.
fn enabled(container: &Container) -> Result<(), Response> {
    if container.keeping.versions {
        return Ok(());
    }
    Err(refuse(
        409,
        "BlobOperationNotSupported",
        "Version-level immutability is not enabled for the container.",
    ))
}

fn by_policy() -> Response {
    refuse(
        409,
        "BlobImmutableDueToPolicy",
        "This operation is not permitted as the blob is immutable due to a policy.",
    )
}

fn held() -> Response {
    refuse(
        409,
        "BlobImmutableDueToLegalHold",
        "This operation is not permitted as the blob is immutable due to one or more legal holds.",
    )
}
