//! Locks: `CanNotDelete` and `ReadOnly`, inherited from every scope above; a delete is also held by locks below.

use serde_json::Value;

use super::gate::authorize;
use super::id::Id;
use super::kind::{Change, Depth, Kind, Names, Place, Rules, Signs};
use super::refusal::Refusal;
use super::resources::at_once;
use super::{Answer, Ask, Resource, World, groups, lists, resources, take};
use crate::world::Method;

const KIND: &str = "Microsoft.Authorization/locks";

/// Refuses a write or delete that a lock forbids. Locks themselves can always be changed.
pub(crate) fn permit(world: &World, id: &Id, deletes: bool) -> Result<(), Refusal> {
    if id.kind().eq_ignore_ascii_case(KIND) {
        return Ok(());
    }
    let key = format!("{}/", id.key());
    let held: Vec<String> = world
        .arm
        .of_kind(KIND)
        .filter(|lock| {
            let level = lock.text("/properties/level");
            level.eq_ignore_ascii_case("ReadOnly") || (deletes && level.eq_ignore_ascii_case("CanNotDelete"))
        })
        .map(|lock| lock.id.scope())
        .filter(|scope| {
            let scope = format!("{}/", scope.key());
            key.starts_with(&scope) || (deletes && scope.starts_with(&key))
        })
        .map(|scope| format!("'{scope}'"))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    Err(Refusal::conflict(
        "ScopeLocked",
        format!(
            "The scope '{id}' cannot perform {} operation because following scope(s) are locked: {}. Please remove \
             the lock and try again.",
            if deletes { "delete" } else { "write" },
            held.join(",")
        ),
    ))
}

/// `GET …/providers/Microsoft.Authorization/locks` at any scope: what holds there, from above and below; with
/// `$filter=atScope()` from there and above only.
pub(super) fn list(world: &World, ask: &Ask) -> Option<Answer> {
    if ask.request.method != Method::Get
        || !ask.path.rest_is(&["providers", "Microsoft.Authorization", "locks"])
    {
        return None;
    }
    Some(listed(world, ask))
}

fn listed(world: &World, ask: &Ask) -> Answer {
    let scope = &ask.path.id;
    authorize(world, ask.caller, "Microsoft.Authorization/locks/read", scope)?;
    if scope.group.is_some() {
        groups::must_exist(world, scope)?;
    }
    if !scope.stretches.is_empty() {
        resources::must_have_resource(world, scope)?;
    }
    let filter = ask.request.query("$filter").map(str::trim).filter(|filter| !filter.is_empty());
    if let Some(other) = filter.filter(|filter| !filter.eq_ignore_ascii_case("atScope()")) {
        let text = format!("Invalid $filter '{other}' specified in the query string: atScope() is taken.");
        return Err(Refusal::bad("InvalidFilterInQueryString", text));
    }
    let here = format!("{}/", scope.key());
    let found = world
        .arm
        .of_kind(KIND)
        .filter(|lock| {
            let held = format!("{}/", lock.id.scope().key());
            here.starts_with(&held) || (filter.is_none() && held.starts_with(&here))
        })
        .map(|lock| resources::view(world, lock))
        .collect();
    lists::page(ask, found)
}

pub(crate) static KINDS: &[Kind] = &[Kind {
    name: KIND,
    depth: Depth::Modelled,
    names: Names {
        length: (1, 90),
        signs: Signs::Any,
        global: false,
        refusal: ("InvalidLockName", "The lock name '{name}' is invalid."),
    },
    place: Place::Parent,
    seconds: [0.0, 0.0, 0.0],
    replies: at_once(201, 200),
    busy: "Conflict",
    computed: &[],
    spelling: &[],
    rules: &Locks,
}];

#[derive(Debug)]
struct Locks;

impl Rules for Locks {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let sent = change.body["properties"]["level"].as_str().unwrap_or_default().to_owned();
        let Some(level) =
            ["CanNotDelete", "ReadOnly"].into_iter().find(|known| known.eq_ignore_ascii_case(&sent))
        else {
            return Err(Refusal::bad(
                "InvalidLockLevel",
                format!("The lock level '{sent}' is invalid: CanNotDelete and ReadOnly are."),
            ));
        };
        change.body["properties"]["level"] = level.into();
        if change.body["properties"]["notes"].as_str().is_some_and(|notes| notes.chars().count() > 512) {
            return Err(Refusal::bad("InvalidLockNotes", "The notes of a lock have 512 characters at most."));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}
