//! Properties that are lists of a resource's children: sent with it, kept as resources of their own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::unreadable;
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{self, Change, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, put, resources, take};
use crate::world::checks::text;

/// One such property, and the last word of the children's type.
pub(super) struct Inline {
    pub property: &'static str,
    pub kind: &'static str,
}

impl Inline {
    /// Takes the list out of a change; children that stay unnamed are kept when there is none.
    pub fn aside(&self, change: &mut Change) -> Result<Option<Vec<Value>>, Refusal> {
        let Some(sent) = take(&mut change.body, &format!("properties.{}", self.property)) else {
            return Ok(None);
        };
        let Value::Array(children) = sent else {
            return Err(unreadable(&format!("properties.{} must be a list", self.property)));
        };
        let mut seen = BTreeSet::new();
        for child in &children {
            let name = text(child, "name");
            if name.is_empty() {
                return Err(unreadable(&format!("every one of properties.{} has a name", self.property)));
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(unreadable(&format!("the name '{name}' is there more than once")));
            }
        }
        self.replace(change, &children);
        Ok(Some(children))
    }

    /// What [`settle`](Self::settle) will make the children, once they were judged and completed.
    pub fn replace(&self, change: &mut Change, children: &[Value]) {
        put(&mut change.private, &format!("pending.{}", self.property), json!(children));
    }

    /// Makes the children what was sent.
    pub fn settle(&self, world: &mut World, parent: &Id) {
        let Some(found) = world.arm.find_mut(&parent.key()) else { return };
        let Some(Value::Array(wanted)) = take(&mut found.private, &format!("pending.{}", self.property))
        else {
            return;
        };
        let gone: Vec<String> = self
            .of(world, parent)
            .filter(|child| !wanted.iter().any(|it| text(it, "name").eq_ignore_ascii_case(child.id.name())))
            .map(|child| child.id.key())
            .collect();
        for key in gone {
            resources::remove(world, &key);
        }
        for child in wanted {
            let id = parent.child(self.kind, text(&child, "name"));
            let body = json!({"properties": own_properties(&child)});
            let what = match world.arm.find_mut(&id.key()) {
                Some(known) => {
                    known.body = body;
                    What::Updated
                }
                None => {
                    resources::grow(world, &id, body, Value::Null);
                    What::Created
                }
            };
            kind::row(&id.kind()).rules.begun(world, &id, what);
        }
    }

    /// The children that are there.
    pub fn of<'a>(&'a self, world: &'a World, parent: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
        let key = parent.key();
        let kind = format!("{}/{}", parent.kind(), self.kind);
        world.arm.below(parent).map(|(_, child)| child).filter(move |child| {
            child.kind.eq_ignore_ascii_case(&kind)
                && child.id.parent().is_some_and(|parent| parent.key() == key)
        })
    }

    /// Shows the children in their parent.
    pub fn show(&self, world: &World, parent: &Id, body: &mut Value) {
        let shown: Vec<Value> = self
            .of(world, parent)
            .map(|child| {
                let mut shown = resources::view(world, child);
                take(&mut shown, "systemData");
                shown
            })
            .collect();
        put(body, &format!("properties.{}", self.property), json!(shown));
    }
}

/// What of an inline child's properties is its own to say.
pub(super) fn own_properties(child: &Value) -> Value {
    let mut properties = child["properties"].clone();
    for computed in [
        "provisioningState",
        "privateEndpoints",
        "ipConfigurations",
        "serviceAssociationLinks",
        "purpose",
        "peeringState",
        "peeringSyncLevel",
        "remoteVirtualNetworkAddressSpace",
    ] {
        take(&mut properties, computed);
    }
    if properties.is_object() { properties } else { json!({}) }
}
