//! Resource groups; deleting one is a single long operation that deletes what is in it, dependents first.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::gate::{authorize, object};
use super::id::Id;
use super::kind::{self, Ending, Headers, Reply};
use super::operations::{self, Status, Verb};
use super::refusal::Refusal;
use super::{
    Answer, Ask, Event as ArmEvent, Resource, SystemData, locks, moves, resources, subscriptions, tags,
};
use crate::world::agenda::Event;
use crate::world::{Method, Response, World, access};

const KIND: &str = "Microsoft.Resources/resourceGroups";
const DELETE: Reply = Reply { status: 202, headers: Headers::Result, done: 200 };
/// What a group's deletion takes beside its resources, in seconds at speed 1.
const DELETE_SECONDS: f64 = 5.0;

/// Refuses when the group an id is in is not there.
pub fn must_exist(world: &World, id: &Id) -> Result<(), Refusal> {
    match id.group_id() {
        Some(group) if world.arm.find(&group.key()).is_none() => Err(not_there(&group)),
        _ => Ok(()),
    }
}

/// Refuses when the group is not there or being deleted.
pub fn must_not_be_going(world: &World, group: &Id) -> Result<(), Refusal> {
    must_exist(world, group)?;
    match world.arm.find(&group.key()) {
        Some(found) if found.state == "Deleting" => Err(Refusal::conflict(
            "ResourceGroupBeingDeleted",
            format!(
                "The resource group '{}' is in deprovisioning state and cannot perform this operation.",
                group.name()
            ),
        )),
        _ => Ok(()),
    }
}

fn not_there(group: &Id) -> Refusal {
    Refusal::missing(
        "ResourceGroupNotFound",
        format!("Resource group '{}' could not be found.", group.name()),
    )
}

/// `…/resourceGroups/NAME` itself.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Answer {
    let id = &ask.path.id;
    let verb = match ask.request.method {
        Method::Get | Method::Head => "read",
        Method::Put | Method::Patch => "write",
        Method::Delete => "delete",
        Method::Post | Method::Options => "action",
    };
    authorize(world, ask.caller, &format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}"), id)?;
    match ask.request.method {
        Method::Head => Ok(Response::empty(if world.arm.find(&id.key()).is_some() { 204 } else { 404 })),
        Method::Get => match world.arm.find(&id.key()) {
            Some(group) => Ok(Response::json(200, &show(group))),
            None => Err(not_there(id)),
        },
        Method::Put => put(world, ask),
        Method::Patch => patch(world, ask),
        Method::Delete => delete(world, ask),
        Method::Post | Method::Options => {
            Err(Refusal::new(405, "MethodNotAllowed", "A resource group takes no POST."))
        }
    }
}

/// A group as ARM shows it.
pub fn show(group: &Resource) -> Value {
    let mut shown = json!({"id": group.id.to_string(), "name": group.id.name(), "type": KIND});
    for key in ["location", "managedBy", "tags"] {
        if let Some(value) = group.body.get(key) {
            shown[key] = value.clone();
        }
    }
    shown["properties"] = json!({"provisioningState": group.state});
    shown
}

fn put(world: &mut World, ask: &Ask) -> Answer {
    let id = &ask.path.id;
    name(id.name())?;
    let body = object(ask.body)?;
    let current = world.arm.find(&id.key()).cloned();
    if current.is_some() {
        must_not_be_going(world, id)?;
    }
    locks::permit(world, id, false)?;
    let location = match body["location"].as_str() {
        Some(location) => subscriptions::normal(location),
        None => {
            return Err(Refusal::bad(
                "LocationRequired",
                "The location property is required for this definition.",
            ));
        }
    };
    if !subscriptions::is_region(&location) {
        return Err(Refusal::bad(
            "LocationNotAvailableForResourceGroup",
            format!(
                "The provided location '{location}' is not available for resource group. List of available regions \
                 is '{}'.",
                subscriptions::region_names().join(",")
            ),
        ));
    }
    if let Some(known) = current.as_ref().map(Resource::location).filter(|known| *known != location) {
        return Err(Refusal::conflict(
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location \
                 '{known}'."
            ),
        ));
    }
    tags::check(&body["tags"])?;
    let mut kept = json!({"location": location});
    for key in ["managedBy", "tags"] {
        if let Some(value) = body.get(key) {
            kept[key] = value.clone();
        }
    }
    let (now, by) = (world.now, ask.caller.client_id.clone());
    let created = current.is_none();
    let group = Resource {
        id: current.as_ref().map_or_else(|| id.clone(), |current| current.id.clone()),
        kind: KIND.into(),
        body: kept,
        private: Value::Null,
        state: "Succeeded".into(),
        api_version: ask.api_version().into(),
        system: SystemData { created_by: by.clone(), created_at: now, modified_by: by, modified_at: now },
        etag: String::new(),
        operation: None,
        listed_from: now,
    };
    let shown = show(&group);
    world.arm.resources.insert(id.key(), group);
    Ok(Response::json(if created { 201 } else { 200 }, &shown))
}

fn patch(world: &mut World, ask: &Ask) -> Answer {
    let id = &ask.path.id;
    must_not_be_going(world, id)?;
    locks::permit(world, id, false)?;
    let body = object(ask.body)?;
    tags::check(&body["tags"])?;
    let Some(group) = world.arm.find_mut(&id.key()) else { return Err(not_there(id)) };
    match body.get("tags") {
        Some(Value::Null) => {
            super::take(&mut group.body, "tags");
        }
        Some(tags) => group.body["tags"] = super::without_nulls(tags),
        None => {}
    }
    Ok(Response::json(200, &show(group)))
}

/// 1 to 90 letters, digits, `._-()`, not ending in a full stop.
fn name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=90).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "._-()".contains(c))
        && !name.ends_with('.');
    if fits {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidResourceGroupName",
        format!(
            "The provided resource group name '{name}' has these invalid characters or an invalid length. The name \
             can only be a letter, digit, '-', '.', '(', ')' or '_', may not end with '.', and has 1 to 90 of them."
        ),
    ))
}

fn delete(world: &mut World, ask: &Ask) -> Answer {
    let id = &ask.path.id;
    let Some(group) = world.arm.find(&id.key()).cloned() else { return Err(not_there(id)) };
    if let Some(operation) = &group.operation {
        // a second delete follows the first
        let operation = operation.clone();
        return Ok(operations::lead(world, ask.request, &operation, DELETE, Response::empty(202)));
    }
    locks::permit(world, &group.id, true)?;
    moves::must_be_still(world, &group.id, "delete")?;
    if let Some(found) = world.arm.find_mut(&id.key()) {
        found.state = "Deleting".into();
    }
    let operation = operations::begin(world, &group.id, Verb::Delete, Ending::WhenTold);
    if world.arm.operations.get(&operation).is_some_and(|it| !it.stalled && it.due.is_none()) {
        step(world, &id.key(), &operation, &[]);
    }
    Ok(operations::lead(world, ask.request, &operation, DELETE, Response::empty(202)))
}

/// One step of a group's deletion: what was on its way is gone now; what nothing depends on any more is next.
pub(super) fn step(world: &mut World, group: &str, operation: &str, wave: &[String]) {
    let running = world.arm.operations.get(operation).is_some_and(|it| it.status == Status::Running);
    let Some(id) = world.arm.find(group).map(|found| found.id.clone()).filter(|_| running) else { return };
    for key in wave {
        resources::remove(world, key);
    }
    let next = next_wave(world, &id);
    if next.is_empty() {
        if !wave.is_empty() || world.config.speed <= 0.0 {
            operations::finish(world, operation, Ok(()));
        } else {
            // an empty group takes its moment too
            let end = world.config.scaled(DELETE_SECONDS);
            world.later(end, Event::OperationEnds(operation.to_owned()));
        }
        return;
    }
    let mut seconds: f64 = 0.0;
    for key in &next {
        let Some(found) = world.arm.find(key).cloned() else { continue };
        let row = kind::row(&found.kind);
        if let Err(refusal) = row.rules.may_delete_with_group(world, &found) {
            let failure = Refusal {
                details: [refusal].into(),
                ..Refusal::conflict(
                    "ResourceGroupDeletionBlocked",
                    format!(
                        "Deletion of resource group '{}' failed as resource '{}' could not be deleted.",
                        id.name(),
                        found.id
                    ),
                )
            };
            if let Some(group) = world.arm.find_mut(group) {
                group.state = "Succeeded".into();
            }
            operations::finish(world, operation, Err(failure));
            if let Some(group) = world.arm.find_mut(group) {
                group.state = "Succeeded".into();
            }
            return;
        }
        row.rules.deleting(world, &found);
        // a change under way is overtaken by the deletion
        if let Some(under_way) = found.operation {
            world.arm.operations.remove(&under_way);
        }
        if let Some(found) = world.arm.find_mut(key) {
            found.state = "Deleting".into();
            found.operation = Some(operation.to_owned());
        }
        seconds = seconds.max(row.seconds[2]);
    }
    let event =
        ArmEvent::GroupDeletes { group: group.to_owned(), operation: operation.to_owned(), wave: next };
    let after = world.config.scaled(seconds);
    if after.is_zero() {
        super::fire(world, event);
    } else {
        world.later(after, Event::Arm(event));
    }
}

/// Top-level resources that no other resource of the group refers to.
fn next_wave(world: &World, group: &Id) -> Vec<String> {
    let members: Vec<(&String, &Resource)> =
        world.arm.below(group).filter(|(_, resource)| resource.id.parent().is_none()).collect();
    let mut needed = BTreeSet::new();
    for (own, resource) in world.arm.below(group) {
        let mut named = Vec::new();
        strings(&resource.body, &mut named);
        for text in named {
            let text = text.to_ascii_lowercase();
            for (key, _) in &members {
                let inside = own.as_str() == key.as_str() || own.starts_with(&format!("{key}/"));
                if !inside && (text == **key || text.starts_with(&format!("{key}/"))) {
                    needed.insert((*key).clone());
                }
            }
        }
    }
    let free: Vec<String> =
        members.iter().map(|(key, _)| (*key).clone()).filter(|key| !needed.contains(key)).collect();
    // resources that refer to each other in a circle go together
    if free.is_empty() { members.iter().map(|(key, _)| (*key).clone()).collect() } else { free }
}

fn strings<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.starts_with('/') => out.push(text),
        Value::Array(list) => list.iter().for_each(|value| strings(value, out)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            // user-assigned identities are named by key
            if key.starts_with('/') {
                out.push(key);
            }
            strings(value, out);
        }),
        _ => {}
    }
}

/// The group itself goes, and what is still in it.
pub(crate) fn remove(world: &mut World, id: &Id) {
    let left: Vec<String> = world.arm.below(id).map(|(key, _)| key.clone()).collect();
    for key in left {
        resources::remove(world, &key);
    }
    world.arm.resources.remove(&id.key());
    access::scope_removed(world, id);
    crate::world::templates::scope_removed(world, id);
}
