//! Rules for access by key.

use serde_json::{Value, json};

use super::{Answer, NAMESPACE, bad, namespace_of};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, locks, take};
use crate::world::checks::{key, list, text};
use crate::world::{Method, Response, World};

pub(super) fn keys(world: &mut World, id: &Id) -> Value {
    let primary = key(world, &format!("primary {}", id.key()), 32);
    let secondary = key(world, &format!("secondary {}", id.key()), 32);
    json!({"primaryKey": primary, "secondaryKey": secondary})
}

/// Rules for access by key.
#[derive(Debug)]
pub(super) struct Access;

impl Rules for Access {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let rights: Vec<&str> =
            list(&change.body, "properties.rights").iter().filter_map(Value::as_str).collect();
        let known = ["Manage", "Send", "Listen"];
        if rights.is_empty() || !rights.iter().all(|right| known.contains(right)) {
            return Err(bad(format!(
                "The rights '{}' are invalid: one or more of Manage, Send, Listen are needed.",
                rights.join(",")
            )));
        }
        if rights.contains(&"Manage") && rights.len() < 3 {
            return Err(bad("Manage permission should also include Send and Listen."));
        }
        let beside = change.id.parent().map(|parent| {
            world
                .arm
                .below(&parent)
                .filter(|(_, child)| child.kind.eq_ignore_ascii_case(&change.id.kind()))
                .count()
        });
        if change.current.is_none() && beside.is_some_and(|count| count >= 12) {
            return Err(bad("An entity has 12 authorization rules at most."));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let made = keys(world, id);
            if let Some(found) = world.arm.find_mut(&id.key()) {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["listKeys"]) {
            return Some(Ok(show_keys(world, &call.id)));
        }
        if !call.rest_is(&["regenerateKeys"]) {
            return None;
        }
        let which = text(&call.body, "keyType").to_owned();
        let name = match which.to_ascii_lowercase().as_str() {
            "primarykey" => "primaryKey",
            "secondarykey" => "secondaryKey",
            _ => return Some(Err(Refusal::bad("BadRequest", format!("The key type '{which}' is invalid.")))),
        };
        if let Err(refusal) = locks::permit(world, &call.id, false) {
            return Some(Err(refusal));
        }
        let given = text(&call.body, "key").to_owned();
        let new = if given.is_empty() { key(world, &format!("{name} {}", call.id.key()), 32) } else { given };
        if let Some(found) = world.arm.find_mut(&call.id.key()) {
            found.private[name] = json!(new);
        }
        Some(Ok(show_keys(world, &call.id)))
    }
}

pub(super) fn show_keys(world: &World, id: &Id) -> Response {
    let Some(found) = world.arm.find(&id.key()) else { return Response::empty(404) };
    let namespace = namespace_of(world, id).map(|it| it.id.name().to_ascii_lowercase()).unwrap_or_default();
    let entity = id
        .parent()
        .filter(|parent| parent.kind() != NAMESPACE)
        .map_or(String::new(), |parent| format!(";EntityPath={}", parent.name()));
    let mut shown = json!({"keyName": id.name()});
    for (key, line) in
        [("primaryKey", "primaryConnectionString"), ("secondaryKey", "secondaryConnectionString")]
    {
        let value = text(&found.private, key);
        shown[key] = json!(value);
        shown[line] = json!(format!(
            "Endpoint=sb://{namespace}.servicebus.windows.net/;SharedAccessKeyName={};SharedAccessKey={value}{entity}",
            id.name()
        ));
    }
    Response::json(200, &shown)
}
