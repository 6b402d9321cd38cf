//! Leases of blobs and containers.
//!
//! Sources: `rest/api/storageservices/lease-blob`, `lease-container` (outcomes by state).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::refusal::{invalid_header, missing_header, refuse};
use super::{Ask, Right, conditions, http_date};
use crate::world::{Response, World};

/// Who has a blob or container to themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// Empty: there is none, nor was one since it was released.
    id: String,
    /// Seconds; none: for ever.
    duration: Option<i64>,
    /// When a lease that is not for ever ends.
    until: Option<Timestamp>,
    /// It was broken, and ends then.
    broken: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Available,
    Leased,
    Expired,
    Breaking,
    Broken,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Available => "available",
            State::Leased => "leased",
            State::Expired => "expired",
            State::Breaking => "breaking",
            State::Broken => "broken",
        }
    }

    pub(super) fn status(self) -> &'static str {
        if matches!(self, State::Leased | State::Breaking) { "locked" } else { "unlocked" }
    }
}

/// What is leased; the words of refusals differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Blob,
    Container,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Blob => "blob",
            What::Container => "container",
        }
    }

    fn capital(self) -> &'static str {
        match self {
            What::Blob => "Blob",
            What::Container => "Container",
        }
    }
}

impl Lease {
    pub(super) fn state(&self, now: Timestamp) -> State {
        if self.id.is_empty() {
            return State::Available;
        }
        match (self.broken, self.until) {
            (Some(end), _) if end > now => State::Breaking,
            (Some(_), _) => State::Broken,
            (None, Some(until)) if until <= now => State::Expired,
            _ => State::Leased,
        }
    }

    /// Whether it keeps others out.
    pub(super) fn active(&self, now: Timestamp) -> bool {
        self.state(now).status() == "locked"
    }

    fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }

    /// What is kept of it when the blob is written: one that is over is gone.
    pub(super) fn after_write(&self, now: Timestamp) -> Lease {
        if self.active(now) { self.clone() } else { Lease::default() }
    }

    /// Headers that tell of it.
    pub(super) fn describe(&self, response: Response, now: Timestamp) -> Response {
        let state = self.state(now);
        let response =
            response.with("x-ms-lease-status", state.status()).with("x-ms-lease-state", state.name());
        match state {
            State::Leased => response
                .with("x-ms-lease-duration", if self.duration.is_some() { "fixed" } else { "infinite" }),
            _ => response,
        }
    }

    /// Elements that tell of it.
    pub(super) fn elements(&self, now: Timestamp) -> String {
        let state = self.state(now);
        let mut out =
            format!("<LeaseStatus>{}</LeaseStatus><LeaseState>{}</LeaseState>", state.status(), state.name());
        if state == State::Leased {
            let kind = if self.duration.is_some() { "fixed" } else { "infinite" };
            out.push_str(&format!("<LeaseDuration>{kind}</LeaseDuration>"));
        }
        out
    }

    /// Refuses what the lease forbids whoever shows this id, or none.
    pub(super) fn guard(
        &self,
        now: Timestamp,
        given: Option<&str>,
        what: What,
        writes: bool,
    ) -> Result<(), Response> {
        let state = self.state(now);
        let active = state.status() == "locked";
        let name = what.name();
        match given {
            None if active && writes => Err(refuse(
                412,
                "LeaseIdMissing",
                &format!(
                    "There is currently a lease on the {name} and no lease ID was specified in the request."
                ),
            )),
            None => Ok(()),
            Some(_) if state == State::Available => Err(refuse(
                412,
                &format!("LeaseNotPresentWith{}Operation", what.capital()),
                &format!("There is currently no lease on the {name}."),
            )),
            Some(id) if !self.is(id) => Err(refuse(
                412,
                &format!("LeaseIdMismatchWith{}Operation", what.capital()),
                &format!("The lease ID specified did not match the lease ID for the {name}."),
            )),
            Some(_) if !active => Err(refuse(
                412,
                "LeaseLost",
                &format!("A lease ID was specified, but the lease for the {name} has expired."),
            )),
            Some(_) => Ok(()),
        }
    }
}

/// `Lease Blob`.
pub(super) fn blob(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, if breaks(ask) { Right::BreakLease } else { Right::Write })?;
    let there = ask.blob(world)?;
    conditions::check_tagged(ask, there)?;
    let (etag, modified) = (there.etag.clone(), there.modified);
    let (lease, answer) = act(ask, &there.lease, world.now)?;
    ask.blob_mut(world)?.lease = lease;
    // A lease is no change of the blob: etag and time stay.
    Ok(answer.with("etag", etag).with("last-modified", http_date(modified)))
}

/// `Lease Container`.
pub(super) fn container(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, if breaks(ask) { Right::BreakContainerLease } else { Right::WriteContainer })?;
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    let (etag, modified) = (there.etag.clone(), there.modified);
    let (lease, answer) = act(ask, &there.lease, world.now)?;
    ask.change(world)?.0.lease = lease;
    Ok(answer.with("etag", etag).with("last-modified", http_date(modified)))
}

fn breaks(ask: &Ask<'_>) -> bool {
    ask.header("x-ms-lease-action").is_some_and(|action| action.eq_ignore_ascii_case("break"))
}

/// What becomes of a lease, and what is answered.
fn act(ask: &Ask<'_>, there: &Lease, now: Timestamp) -> Result<(Lease, Response), Response> {
    let action = ask.header("x-ms-lease-action").ok_or_else(|| missing_header("x-ms-lease-action"))?;
    let state = there.state(now);
    let mut lease = there.clone();
    let given =
        || guid(ask, "x-ms-lease-id").and_then(|id| id.ok_or_else(|| missing_header("x-ms-lease-id")));
    match action.to_ascii_lowercase().as_str() {
        "acquire" => {
            let duration = duration(ask)?;
            let wanted = guid(ask, "x-ms-proposed-lease-id")?;
            let id = wanted.unwrap_or_else(|| own_id(ask));
            match state {
                State::Leased if !there.is(&id) => return Err(present()),
                State::Breaking if there.is(&id) => {
                    return Err(conflict(
                        "LeaseIsBreakingAndCannotBeAcquired",
                        "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.",
                    ));
                }
                State::Breaking => return Err(present()),
                _ => {}
            }
            let until = duration.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
            lease = Lease { id: id.clone(), duration, until, broken: None };
            Ok((lease, Response::empty(201).with("x-ms-lease-id", id)))
        }
        "renew" => {
            let id = given()?;
            if state == State::Available || !there.is(&id) {
                return Err(mismatch());
            }
            if matches!(state, State::Breaking | State::Broken) {
                return Err(conflict(
                    "LeaseIsBrokenAndCannotBeRenewed",
                    "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.",
                ));
            }
            lease.until =
                there.duration.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
            let id = lease.id.clone();
            Ok((lease, Response::empty(200).with("x-ms-lease-id", id)))
        }
        "change" => {
            let id = given()?;
            let new = guid(ask, "x-ms-proposed-lease-id")?
                .ok_or_else(|| missing_header("x-ms-proposed-lease-id"))?;
            match state {
                State::Available | State::Expired | State::Broken => return Err(absent()),
                State::Breaking if there.is(&id) => {
                    return Err(conflict(
                        "LeaseIsBreakingAndCannotBeChanged",
                        "The lease ID matched, but the lease is currently in breaking state and cannot be changed.",
                    ));
                }
                // changed to what it is already, it stays
                _ if !there.is(&id) && !there.is(&new) => return Err(mismatch()),
                _ => {}
            }
            lease.id.clone_from(&new);
            Ok((lease, Response::empty(200).with("x-ms-lease-id", new)))
        }
        "release" => {
            let id = given()?;
            if state == State::Available || !there.is(&id) {
                return Err(mismatch());
            }
            Ok((Lease::default(), Response::empty(200)))
        }
        "break" => {
            let period = match ask.header("x-ms-lease-break-period") {
                None => None,
                Some(text) => match text.parse::<i64>() {
                    Ok(period) if (0..=60).contains(&period) => Some(period),
                    _ => return Err(invalid_header("x-ms-lease-break-period", text)),
                },
            };
            let left = |until: Option<Timestamp>| {
                until.map(|until| {
                    let left = until.duration_since(now);
                    left.as_secs() + i64::from(left.subsec_nanos() > 0)
                })
            };
            let wait = match state {
                State::Available => return Err(absent()),
                State::Expired | State::Broken => 0,
                State::Leased => match (left(there.until), period) {
                    (Some(left), Some(period)) => left.min(period),
                    (Some(left), None) => left,
                    (None, period) => period.unwrap_or(0),
                },
                State::Breaking => {
                    let left = left(there.broken).unwrap_or(0);
                    period.map_or(left, |period| left.min(period))
                }
            };
            lease.broken = Some(match (state, there.broken) {
                (State::Broken, Some(broken)) => broken,
                _ => now.saturating_add(SignedDuration::from_secs(wait)).unwrap_or(Timestamp::MAX),
            });
            Ok((lease, Response::empty(202).with("x-ms-lease-time", wait.to_string())))
        }
        _ => Err(invalid_header("x-ms-lease-action", action)),
    }
}

/// A lease's id when the client proposes none; the request's own id is one.
fn own_id(ask: &Ask<'_>) -> String {
    match uuid::Uuid::parse_str(&ask.request.id) {
        Ok(id) => id.to_string(),
        Err(_) => uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, ask.request.id.as_bytes()).to_string(),
    }
}

/// -1, for ever, or 15 to 60 seconds.
fn duration(ask: &Ask<'_>) -> Result<Option<i64>, Response> {
    let name = "x-ms-lease-duration";
    let text = ask.header(name).ok_or_else(|| missing_header(name))?;
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(seconds) if (15..=60).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(invalid_header(name, text)),
    }
}

fn guid(ask: &Ask<'_>, name: &str) -> Result<Option<String>, Response> {
    let Some(text) = ask.header(name) else { return Ok(None) };
    match uuid::Uuid::parse_str(text) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(_) => Err(invalid_header(name, text)),
    }
}

fn conflict(code: &str, message: &str) -> Response {
    refuse(409, code, message)
}

fn present() -> Response {
    conflict("LeaseAlreadyPresent", "There is already a lease present.")
}

fn absent() -> Response {
    conflict("LeaseNotPresentWithLeaseOperation", "There is currently no lease on the resource.")
}

fn mismatch() -> Response {
    conflict(
        "LeaseIdMismatchWithLeaseOperation",
        "The lease ID specified did not match the lease ID for the resource.",
    )
}
