//! Rules that move blobs to cheaper tiers and delete them as time goes by.
//!
//! Source: `azure/storage/blobs/lifecycle-management-overview`: rules run once a day; of several actions the cheapest
//! is done: delete, then archive, cold, cool.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::history::{self, Past, PastKind};
use super::{Blob, BlobKind, Container, Event, settings};
use crate::world::arm::refusal::Refusal;
use crate::world::{Event as Due, World, storage_account};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// From the cheapest.
const ACTIONS: [(&str, &str); 4] =
    [("tierToArchive", "Archive"), ("tierToCold", "Cold"), ("tierToCool", "Cool"), ("tierToHot", "Hot")];
const AGES: [&str; 4] = [
    "daysAfterModificationGreaterThan",
    "daysAfterCreationGreaterThan",
    "daysAfterLastAccessTimeGreaterThan",
    "daysAfterLastTierChangeGreaterThan",
];

/// Refuses a policy's rules that Azure would refuse.
///
/// # Errors
/// Azure's refusal.
pub(crate) fn check(rules: &[Value], tracks_access: bool) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::bad("InvalidRequestPropertyValue", message));
    if rules.len() > 100 {
        return invalid("A management policy has at most 100 rules.".into());
    }
    let mut names = std::collections::BTreeSet::new();
    for rule in rules {
        let name = rule["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.len() > 256 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            return invalid(format!("The rule name '{name}' is not valid."));
        }
        if !names.insert(name.to_owned()) {
            return invalid(format!("Rule names are unique within a policy: '{name}' is there twice."));
        }
        if rule["type"] != "Lifecycle" {
            return invalid(format!("The type of rule '{name}' must be Lifecycle."));
        }
        let filters = &rule["definition"]["filters"];
        let kinds = filters["blobTypes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if kinds.is_empty() || kinds.iter().any(|kind| kind != "blockBlob" && kind != "appendBlob") {
            return invalid(format!("Rule '{name}' needs blobTypes, of blockBlob and appendBlob."));
        }
        if filters["prefixMatch"].as_array().is_some_and(|all| all.len() > 10) {
            return invalid(format!("Rule '{name}' has more than 10 prefixes."));
        }
        let actions = &rule["definition"]["actions"];
        let of = |what: &str| actions[what].as_object().into_iter().flatten();
        let all: Vec<_> = ["baseBlob", "snapshot", "version"].iter().flat_map(|what| of(what)).collect();
        if all.is_empty() {
            return invalid(format!("Rule '{name}' needs at least one action."));
        }
        for (action, when) in all {
            if action == "enableAutoTierToHotFromCool" {
                continue;
            }
            if action != "delete" && !ACTIONS.iter().any(|(known, _)| known == action) {
                return invalid(format!("Rule '{name}' has the unknown action '{action}'."));
            }
            let days = AGES.iter().filter_map(|age| when[age].as_f64());
            if days.clone().count() == 0 || days.clone().any(|days| !(0.0..=99_999.0).contains(&days)) {
                return invalid(format!("The action '{action}' of rule '{name}' needs a number of days."));
            }
            if !when["daysAfterLastAccessTimeGreaterThan"].is_null() && !tracks_access {
                return invalid(format!(
                    "Rule '{name}' goes by last access, which needs last access time tracking to be enabled."
                ));
            }
        }
        if kinds.iter().any(|kind| kind == "appendBlob")
            && ["baseBlob", "snapshot", "version"]
                .iter()
                .any(|what| of(what).any(|(action, _)| action.starts_with("tierTo")))
        {
            return invalid(format!("Rule '{name}': append blobs can be deleted only, they have no tiers."));
        }
    }
    Ok(())
}

/// A policy was set or removed: it takes effect within a day, then acts daily.
pub(crate) fn policy_changed(world: &mut World, account: &str) {
    let name = account.to_ascii_lowercase();
    next(world, &name, world.config.scaled(86_400.0));
}

fn next(world: &mut World, account: &str, after: SignedDuration) {
    let at = world.now.saturating_add(after).unwrap_or(Timestamp::MAX);
    world.blobs.accounts.entry(account.to_owned()).or_default().lifecycle = Some(at);
    world.later(after, Due::Blob(Event::Lifecycle { account: account.to_owned() }));
}

/// Does what the rules say today.
pub(super) fn act(world: &mut World, account: &str) {
    let now = world.now;
    // a later policy has begun a round of its own
    let due = world.blobs.accounts.get(account).and_then(|account| account.lifecycle);
    if due.is_none_or(|due| due > now) {
        return;
    }
    let rules = storage_account::by_name(world, account)
        .map(|account| storage_account::lifecycle_rules(world, account))
        .unwrap_or_default();
    if rules.is_empty() {
        if let Some(account) = world.blobs.accounts.get_mut(account) {
            account.lifecycle = None;
        }
        return;
    }
    let settings = settings(world, account);
    if let Some(own) = world.blobs.accounts.get_mut(account) {
        let names: Vec<String> = own.containers.keys().cloned().collect();
        for name in names {
            let id = own.id(now);
            if let Some(container) = own.containers.get_mut(&name) {
                in_container(container, &name, &rules, settings, &id, now);
            }
        }
    }
    history::schedule(world, account, settings.days, now);
    next(world, account, DAY);
}

fn in_container(
    container: &mut Container,
    name: &str,
    rules: &[Value],
    settings: super::Settings,
    id: &str,
    now: Timestamp,
) {
    let blobs: Vec<String> = container.blobs.keys().chain(container.past.keys()).cloned().collect();
    for blob in blobs {
        let path = format!("{name}/{blob}");
        if let Some(there) = container.blobs.get_mut(&blob)
            && !there.lease.active(now)
        {
            match cheapest(rules, &path, there, "baseBlob", now, there.created) {
                Some("Delete") => history::remove_base(container, &blob, settings, id, now),
                Some(tier) => move_to(there, tier, now),
                None => {}
            }
        }
        let mut doomed = Vec::new();
        for past in container.past.get_mut(&blob).into_iter().flatten().filter(|past| past.deleted.is_none())
        {
            let what = match past.kind {
                PastKind::Snapshot => "snapshot",
                PastKind::Version => "version",
                PastKind::Base => continue,
            };
            let created = past.id.parse().unwrap_or(past.blob.modified);
            match cheapest(rules, &path, &past.blob, what, now, created) {
                Some("Delete") => doomed.push(past.id.clone()),
                Some(tier) => move_to(&mut past.blob, tier, now),
                None => {}
            }
        }
        history::remove_past(container, &blob, settings.days, now, |past: &Past| doomed.contains(&past.id));
    }
}

fn move_to(blob: &mut Blob, tier: &str, now: Timestamp) {
    blob.tier = Some(tier.to_owned());
    blob.tier_changed = Some(now);
    blob.rehydrating = None;
}

/// The cheapest action that any rule wants now: `Delete` or a tier.
fn cheapest(
    rules: &[Value],
    path: &str,
    blob: &Blob,
    what: &str,
    now: Timestamp,
    created: Timestamp,
) -> Option<&'static str> {
    let wanted: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["enabled"] != false && filtered(&rule["definition"]["filters"], path, blob))
        .map(|rule| &rule["definition"]["actions"][what])
        .collect();
    let old = |at: Timestamp, days: &Value| {
        days.as_f64().is_none_or(|days| now.duration_since(at).as_secs_f64() > days * 86_400.0)
    };
    let holds = |when: &Value| {
        when.is_object()
            && old(blob.modified, &when["daysAfterModificationGreaterThan"])
            && old(created, &when["daysAfterCreationGreaterThan"])
            // what was never read while that is tracked counts from its last change
            && old(blob.accessed.unwrap_or(blob.modified), &when["daysAfterLastAccessTimeGreaterThan"])
            && old(blob.tier_changed.unwrap_or(blob.created), &when["daysAfterLastTierChangeGreaterThan"])
    };
    if wanted.iter().any(|actions| holds(&actions["delete"])) {
        return Some("Delete");
    }
    if blob.kind != BlobKind::BlockBlob {
        return None;
    }
    let rank = |tier: &str| ACTIONS.iter().position(|(_, known)| *known == tier).unwrap_or(ACTIONS.len());
    let now_rank = rank(blob.tier.as_deref().unwrap_or("Hot"));
    ACTIONS
        .iter()
        .find(|(action, _)| wanted.iter().any(|actions| holds(&actions[*action])))
        .map(|(_, tier)| *tier)
        // rules bring nothing back to dearer tiers, and nothing to where it is
        .filter(|tier| rank(tier) < now_rank)
}

fn filtered(filters: &Value, path: &str, blob: &Blob) -> bool {
    let kind = match blob.kind {
        BlobKind::BlockBlob => "blockBlob",
        BlobKind::AppendBlob => "appendBlob",
        BlobKind::PageBlob => return false,
    };
    let list = |name: &str| filters[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let prefixes = list("prefixMatch");
    list("blobTypes").iter().any(|one| one == kind)
        && (prefixes.is_empty()
            || prefixes.iter().filter_map(Value::as_str).any(|prefix| path.starts_with(prefix)))
        && list("blobIndexMatch").iter().all(|tag| {
            let value = tag["name"].as_str().and_then(|name| blob.tags.get(name));
            value.map(String::as_str) == tag["value"].as_str()
        })
}
