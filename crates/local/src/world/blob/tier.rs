//! Tiers: hot, cool, cold, and the archive, which gives back nothing at once.
//!
//! Sources: `azure/storage/blobs/access-tiers-overview`, `archive-rehydrate-overview`;
//! `rest/api/storageservices/set-blob-tier`.

use jiff::Timestamp;

use super::lease::What;
use super::refusal::{invalid_header, missing_header, refuse};
use super::{Ask, BlobKind, Event, Rehydrating, Right, conditions, resource};
use crate::world::{Event as Due, Response, World};

const TIERS: [&str; 5] = ["Hot", "Cool", "Cold", "Archive", "Smart"];
/// What Azure states as its most: 15 hours, and less than one for what is urgent. A promise like a retention, it is
/// not scaled: the clock brings it about.
const STANDARD: i64 = 15 * 3600;
const HIGH: i64 = 3600;

/// A tier by its name.
pub(super) fn named(world: &World, ask: &Ask<'_>, tier: &str) -> Result<String, Response> {
    let invalid = || invalid_header("x-ms-access-tier", tier);
    let known = TIERS.iter().find(|known| known.eq_ignore_ascii_case(tier)).ok_or_else(invalid)?;
    let account = resource(world, ask.account);
    let sku = account.map(|account| account.text("/sku/name").to_owned()).unwrap_or_default();
    let kind = account.map(|account| account.text("/kind").to_owned()).unwrap_or_default();
    if sku.starts_with("Premium") || kind == "Storage" {
        return Err(refuse(
            400,
            "AccessTierNotSupportedForBlobType",
            "The access tier is not supported for this blob type.",
        ));
    }
    if *known == "Archive" && sku.contains("ZRS") {
        return Err(refuse(
            400,
            "BlobAccessTierNotSupportedForAccountType",
            "The archive tier is not supported for accounts with zone-redundant storage.",
        ));
    }
    Ok((*known).to_owned())
}

/// `Set Blob Tier`.
pub(super) fn set(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    let tier =
        named(world, ask, ask.header("x-ms-access-tier").ok_or_else(|| missing_header("x-ms-access-tier"))?)?;
    let there = ask.blob(world)?;
    if there.kind != BlobKind::BlockBlob {
        return Err(refuse(409, "InvalidBlobType", "The blob type is invalid for this operation."));
    }
    if let Some(wanted) = ask.header("x-ms-if-tags")
        && !conditions::have(there, wanted).ok_or_else(|| invalid_header("x-ms-if-tags", wanted))?
    {
        return Err(refuse(
            412,
            "ConditionNotMet",
            "The condition specified using HTTP conditional header(s) is not met.",
        ));
    }
    // a tier does not ask who has the lease, but takes its id when it is given
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    let archived = there.tier.as_deref() == Some("Archive");
    if let Some(pending) = &there.rehydrating {
        if pending.to != tier {
            return Err(refuse(
                409,
                "BlobBeingRehydrated",
                "This operation is not permitted because the blob is being rehydrated.",
            ));
        }
        // asked for again, it may become urgent but never less so
        let high = ask.header("x-ms-rehydrate-priority").is_some_and(|it| it.eq_ignore_ascii_case("high"));
        if high && pending.priority != "High" {
            let sooner = rehydrate(world, ask, tier)?;
            ask.blob_mut(world)?.rehydrating = Some(sooner);
        }
        return Ok(Response::empty(202));
    }
    if archived && tier != "Archive" {
        let rehydrating = rehydrate(world, ask, tier)?;
        ask.blob_mut(world)?.rehydrating = Some(rehydrating);
        return Ok(Response::empty(202));
    }
    let now = world.now;
    // A tier is no change of the blob: etag and time stay.
    let blob = ask.blob_mut(world)?;
    blob.tier = Some(tier);
    blob.tier_changed = Some(now);
    Ok(Response::empty(200))
}

/// A way out of the archive, which ends by itself.
pub(super) fn rehydrate(world: &mut World, ask: &Ask<'_>, to: String) -> Result<Rehydrating, Response> {
    let priority = ask.header("x-ms-rehydrate-priority").unwrap_or("Standard");
    let (priority, seconds) = match priority.to_ascii_lowercase().as_str() {
        "standard" => ("Standard", STANDARD),
        "high" => ("High", HIGH),
        _ => return Err(invalid_header("x-ms-rehydrate-priority", priority)),
    };
    let after = jiff::SignedDuration::from_secs(seconds);
    let due = world.now.saturating_add(after).unwrap_or(Timestamp::MAX);
    world.later(after, Due::Blob(Event::Due { account: ask.account.to_owned() }));
    Ok(Rehydrating { to, due, priority: priority.to_owned() })
}
