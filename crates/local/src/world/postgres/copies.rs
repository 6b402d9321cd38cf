//! Servers that have another one's data: read replicas, which can be promoted, and restores to a point in time.

use serde_json::{Value, json};

use super::servers::Mode;
use super::{SERVER, not_stopped, tier_of, wrong};
use crate::world::arm::id::Id;
use crate::world::arm::kind::Change;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, stamp, subscriptions, take};
use crate::world::checks::{named, text};
use crate::world::{Response, World};

/// Replicas of one server.
const MOST: usize = 5;
const SOURCE: &str = "properties.sourceServerResourceId";

/// Checks where a new server's data comes from, and takes over what the source has.
pub(super) fn judge(world: &World, change: &mut Change, mode: Mode) -> Result<(), Refusal> {
    let wanted = text(&change.body, SOURCE).to_owned();
    let source = named(world, &wanted, SERVER).ok_or_else(|| {
        Refusal::missing("SourceServerNotFound", format!("The source server '{wanted}' was not found."))
    })?;
    not_stopped(world, source)?;
    match mode {
        Mode::Replica => may_have_replica(world, source)?,
        Mode::PointInTime => check_time(world, source, text(&change.sent, "properties.pointInTimeUTC"))?,
        Mode::Geo => check_pair(source, text(&change.body, "location"))?,
        Mode::Default => {}
    }
    let body = &mut change.body;
    for path in [
        "sku",
        "properties.version",
        "properties.administratorLogin",
        "properties.storage",
        "properties.authConfig",
    ] {
        if let Some(value) = crate::world::arm::at(&source.body, path) {
            default(body, path, value.clone());
        }
    }
    change.private = json!({"password": source.private["password"]});
    if mode == Mode::Replica {
        put(&mut change.body, "properties.replicationRole", json!("AsyncReplica"));
        put(&mut change.body, SOURCE, json!(source.id.to_string()));
    } else {
        take(&mut change.body, SOURCE);
    }
    Ok(())
}

fn may_have_replica(world: &World, source: &Resource) -> Result<(), Refusal> {
    if tier_of(source) == "Burstable" {
        return Err(Refusal::bad(
            "ReadReplicaNotSupportedForBurstable",
            "Read replicas are not supported for servers of the Burstable tier.",
        ));
    }
    if text(source.properties(), "replicationRole") == "AsyncReplica" {
        return Err(Refusal::bad("ReplicaOfReplicaNotSupported", "A replica cannot have a replica."));
    }
    if replicas_of(world, &source.id).count() >= MOST {
        return Err(Refusal::bad(
            "ReplicaLimitReached",
            format!("The server '{}' has the {MOST} replicas that a server can have.", source.id.name()),
        ));
    }
    Ok(())
}

fn check_time(world: &World, source: &Resource, wanted: &str) -> Result<(), Refusal> {
    let days = source.properties()["backup"]["backupRetentionDays"].as_i64().unwrap_or(7);
    let kept = jiff::SignedDuration::from_hours(24 * days);
    let oldest = world.now.saturating_sub(kept).unwrap_or(world.now).max(source.system.created_at);
    match wanted.parse::<jiff::Timestamp>() {
        Ok(time) if (oldest..=world.now).contains(&time) => Ok(()),
        Ok(_) => Err(Refusal::bad(
            "InvalidRestorePointInTime",
            format!(
                "The point in time '{wanted}' is not between {} and {}.",
                stamp(oldest),
                stamp(world.now)
            ),
        )),
        Err(_) => Err(wrong("pointInTimeUTC", wanted)),
    }
}

fn check_pair(source: &Resource, near: &str) -> Result<(), Refusal> {
    let pair = subscriptions::paired(&source.location()).unwrap_or_default();
    if text(source.properties(), "backup.geoRedundantBackup") != "Enabled" || pair != near {
        return Err(Refusal::bad(
            "GeoRestoreNotAvailable",
            format!(
                "The server '{}' can only be restored to the region paired with its own, '{pair}', and with \
                 geo-redundant backups.",
                source.id.name()
            ),
        ));
    }
    Ok(())
}

fn replicas_of<'a>(world: &'a World, source: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let key = source.key();
    world.arm.of_kind(SERVER).filter(move |server| {
        text(server.properties(), "replicationRole") == "AsyncReplica"
            && text(&server.body, SOURCE).eq_ignore_ascii_case(&key)
    })
}

/// `GET …/replicas`.
pub(super) fn replicas(world: &World, source: &Id) -> Response {
    let shown: Vec<Value> = replicas_of(world, source).map(|it| resources::view(world, it)).collect();
    Response::json(200, &json!({"value": shown}))
}

/// What a new server has from the start: its first backup, and of a replica its source's databases.
pub(super) fn made(world: &mut World, id: &Id) {
    let when = stamp(world.now);
    let backup = json!({"properties": {"backupType": "Full", "completedTime": when, "source": "Automatic"}});
    let name = format!("backup_{}", world.now.as_millisecond());
    resources::grow(world, &id.child("backups", &name), backup, Value::Null);
}

pub(super) fn view(world: &World, server: &Resource, body: &mut Value) {
    let replica = text(server.properties(), "replicationRole") == "AsyncReplica";
    let capacity = if replica { 0 } else { MOST - replicas_of(world, &server.id).count().min(MOST) };
    put(body, "properties.replicaCapacity", json!(capacity));
    let mut shown = json!({"role": server.properties()["replicationRole"], "capacity": capacity});
    if replica {
        shown["replicationState"] = json!("Active");
    }
    put(body, "properties.replica", shown);
}

/// What a PATCH asks of a replica: to stand alone, or to change places with its primary.
fn asked<'a>(role: Option<&'a Value>, sent: &'a Value) -> Option<&'a str> {
    let role = role.map(|role| (text(role, "role"), text(role, "promoteMode")));
    match role {
        Some((_, mode)) if !mode.is_empty() => Some(mode),
        Some(("None", _)) => Some("standalone"),
        _ if text(sent, "properties.replicationRole") == "None" => Some("standalone"),
        _ => None,
    }
}

pub(super) fn may_promote(
    world: &World,
    server: &Resource,
    role: &Value,
    sent: &Value,
) -> Result<(), Refusal> {
    let Some(mode) = asked(Some(role), sent) else { return Ok(()) };
    if text(server.properties(), "replicationRole") != "AsyncReplica" {
        return Err(Refusal::bad(
            "ServerIsNotReplica",
            format!("The server '{}' is no replica: there is nothing to promote.", server.id.name()),
        ));
    }
    let option = text(role, "promoteOption");
    if !["", "planned", "forced"].contains(&option.to_ascii_lowercase().as_str()) {
        return Err(wrong("promoteOption", option));
    }
    match mode.to_ascii_lowercase().as_str() {
        "standalone" => Ok(()),
        "switchover" if named(world, text(&server.body, SOURCE), SERVER).is_some() => Ok(()),
        other => Err(wrong("promoteMode", other)),
    }
}

/// Keeps what is asked until the change ends.
pub(super) fn note(private: &mut Value, role: Option<&Value>, sent: &Value) {
    if let Some(mode) = asked(role, sent) {
        let mode = mode.to_ascii_lowercase();
        put(private, "promote", json!(mode));
    }
}

/// The promotion that was asked for is done.
pub(super) fn promoted(world: &mut World, id: &Id) {
    let Some(server) = world.arm.find_mut(&id.key()) else { return };
    let Some(mode) = take(&mut server.private, "promote") else { return };
    let source = text(&server.body, SOURCE).to_owned();
    take(&mut server.body, SOURCE);
    put(&mut server.body, "properties.replicationRole", json!("Primary"));
    if mode != "switchover" {
        return;
    }
    // the former primary and its other replicas follow the new one
    let own = id.to_string();
    let others: Vec<String> = Id::parse(&source)
        .map(|source| replicas_of(world, &source).map(|it| it.id.key()).collect())
        .unwrap_or_default();
    for key in others.into_iter().chain([source.to_ascii_lowercase()]) {
        if let Some(other) = world.arm.find_mut(&key) {
            put(&mut other.body, "properties.replicationRole", json!("AsyncReplica"));
            put(&mut other.body, SOURCE, json!(own));
        }
    }
}

/// Replicas of a server that has gone stand alone.
pub(super) fn orphaned(world: &mut World, source: &Resource) {
    let keys: Vec<String> = replicas_of(world, &source.id).map(|it| it.id.key()).collect();
    for key in keys {
        if let Some(found) = world.arm.find_mut(&key) {
            take(&mut found.body, SOURCE);
            put(&mut found.body, "properties.replicationRole", json!("Primary"));
        }
    }
}
