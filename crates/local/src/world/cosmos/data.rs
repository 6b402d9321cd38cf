//! Databases, containers and their kin, of every API.

use serde_json::{Value, json};

use super::throughput::{self, Shares};
use super::{Answer, account_of, bad, has_capability};
use crate::world::World;
use crate::world::arm::kind::{Call, Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, at, default, put};
use crate::world::checks::{list, text};

/// Which accounts have an API's databases: the type's first word below the account, the account's kind, and the
/// capability that it needs.
const APIS: [(&str, &str, &str); 5] = [
    ("sqlDatabases", "GlobalDocumentDB", ""),
    ("mongodbDatabases", "MongoDB", ""),
    ("gremlinDatabases", "GlobalDocumentDB", "EnableGremlin"),
    ("cassandraKeyspaces", "GlobalDocumentDB", "EnableCassandra"),
    ("tables", "GlobalDocumentDB", "EnableTable"),
];

/// An account speaks one API.
fn must_speak(world: &World, change: &Change) -> Result<(), Refusal> {
    let Some(account) = account_of(world, change.id) else { return Ok(()) };
    let kind = change.id.kind();
    let word = kind.split('/').nth(2).unwrap_or_default();
    let Some((_, wanted, capability)) = APIS.iter().find(|api| api.0.eq_ignore_ascii_case(word)) else {
        return Ok(());
    };
    let own = text(&account.body, "kind");
    let other =
        APIS.iter().any(|api| !api.2.is_empty() && api.2 != *capability && has_capability(account, api.2));
    let fits = own.eq_ignore_ascii_case(wanted)
        && !other
        && (capability.is_empty() || has_capability(account, capability));
    if fits {
        return Ok(());
    }
    Err(bad(format!(
        "'{word}' cannot be made in the account '{}': its API is another one.",
        account.id.name()
    )))
}

/// The id in the body is the resource's name.
fn must_be_named(change: &Change) -> Result<(), Refusal> {
    let id = text(&change.body, "properties.resource.id");
    if id == change.id.name() {
        return Ok(());
    }
    Err(bad(format!("The id '{id}' in the body is not the name '{}' of the resource.", change.id.name())))
}

/// What the service adds to what it keeps.
fn stamp(resource: &Resource, body: &mut Value) {
    let etag = resource.etag.trim_matches('"');
    for (name, value) in [
        ("_rid", json!(etag.get(..8).unwrap_or_default())),
        ("_ts", json!(resource.system.modified_at.as_second())),
        ("_etag", json!(resource.etag)),
    ] {
        put(body, &format!("properties.resource.{name}"), value);
    }
    crate::world::arm::take(body, "properties.provisioningState");
}

#[derive(Debug)]
pub(super) struct Databases;

impl Rules for Databases {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        must_speak(world, change)?;
        throughput::settle(world, change, Shares::WhenAsked)?;
        must_be_named(change)
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        stamp(resource, body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        throughput::serve(world, call)
    }
}

#[derive(Debug)]
pub(super) struct Containers;

/// What of a container is for good.
const FIXED: [(&str, &str); 5] = [
    ("partitionKey.paths", "The partition key of a container cannot be changed."),
    ("partitionKey.version", "The version of a container's partition key cannot be changed."),
    ("uniqueKeyPolicy", "The unique keys of a container cannot be changed."),
    ("conflictResolutionPolicy", "The conflict resolution policy of a container cannot be changed."),
    ("shardKey", "The shard key of a collection cannot be changed."),
];

impl Rules for Containers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        must_speak(world, change)?;
        throughput::settle(world, change, Shares::OwnAlways)?;
        must_be_named(change)?;
        let kind = change.id.kind().to_ascii_lowercase();
        if kind.ends_with("/containers") || kind.ends_with("/graphs") {
            check_container(&mut change.body)?;
        }
        let Some(current) = &change.current else { return Ok(()) };
        for (name, why) in FIXED {
            let path = format!("properties.resource.{name}");
            let sent = at(&change.sent, &path).filter(|value| !value.is_null());
            if sent.is_some_and(|sent| at(&current.body, &path) != Some(sent)) {
                return Err(bad(why));
            }
            if let Some(kept) = at(&current.body, &path) {
                default(&mut change.body, &path, kept.clone());
            }
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        stamp(resource, body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        throughput::serve(world, call)
    }
}

fn check_container(body: &mut Value) -> Result<(), Refusal> {
    let paths = list(body, "properties.resource.partitionKey.paths").to_vec();
    let proper = |path: &Value| path.as_str().is_some_and(|path| path.starts_with('/') && path.len() > 1);
    if paths.is_empty() || paths.len() > 3 || !paths.iter().all(proper) {
        return Err(bad("The partition key definition of a container has 1 to 3 paths that start with '/'."));
    }
    let many = paths.len() > 1;
    default(body, "properties.resource.partitionKey.kind", json!(if many { "MultiHash" } else { "Hash" }));
    default(body, "properties.resource.partitionKey.version", json!(2));
    if many != (text(body, "properties.resource.partitionKey.kind") == "MultiHash") {
        return Err(bad(
            "A partition key of several paths is of the kind MultiHash, one of a single path of Hash.",
        ));
    }
    for key in list(body, "properties.resource.uniqueKeyPolicy.uniqueKeys") {
        let paths = list(key, "paths");
        if paths.is_empty() || !paths.iter().all(proper) {
            return Err(bad("A unique key has paths that start with '/'."));
        }
    }
    if let Some(life) = at(body, "properties.resource.defaultTtl").and_then(Value::as_i64)
        && life != -1
        && !(1..=2_147_483_647).contains(&life)
    {
        return Err(bad(format!("The default time to live {life} is neither -1 nor at least a second.")));
    }
    default(
        body,
        "properties.resource.indexingPolicy",
        json!({"indexingMode": "consistent", "automatic": true,
               "includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/\"_etag\"/?"}]}),
    );
    let mode = text(body, "properties.resource.indexingPolicy.indexingMode").to_ascii_lowercase();
    if !["", "consistent", "none"].contains(&mode.as_str()) {
        return Err(bad(format!("The indexing mode '{mode}' is invalid.")));
    }
    default(
        body,
        "properties.resource.conflictResolutionPolicy",
        json!({"mode": "LastWriterWins", "conflictResolutionPath": "/_ts", "conflictResolutionProcedure": ""}),
    );
    Ok(())
}

/// Stored procedures, triggers and functions: kept, not run.
#[derive(Debug)]
pub(super) struct Scripts;

impl Rules for Scripts {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        crate::world::arm::take(&mut change.body, "properties.options");
        must_be_named(change)?;
        if text(&change.body, "properties.resource.body").is_empty() {
            return Err(bad("The body of a script is missing."));
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        stamp(resource, body);
    }
}
