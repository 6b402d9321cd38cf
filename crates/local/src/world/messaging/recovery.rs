//! Geo-disaster recovery: an alias that leads to the primary of two namespaces, whose metadata are copied
//! (learn.microsoft.com/azure/service-bus-messaging/service-bus-geo-dr).

use serde_json::{Value, json};

use super::{Answer, NAMESPACE, access, namespace_of, namespaces};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, locks, put, resources, take};
use crate::world::checks::{named, text};
use crate::world::{Method, Response, World};

pub(super) const ALIAS: &str = "Microsoft.ServiceBus/namespaces/disasterRecoveryConfigs";

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

fn aliases<'a>(world: &'a World, namespace: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(namespace).map(|(_, child)| child).filter(|child| child.kind == ALIAS)
}

/// The other namespace of a pair, when there is one.
fn partner_of(alias: &Resource) -> Option<Id> {
    Id::parse(text(alias.properties(), "partnerNamespace"))
}

/// Refuses to delete a namespace that is one of a pair.
pub(super) fn must_be_single(world: &World, namespace: &Id) -> Result<(), Refusal> {
    match aliases(world, namespace).find(|alias| partner_of(alias).is_some()) {
        None => Ok(()),
        Some(alias) => Err(refused(format!(
            "The namespace '{}' is part of the geo-disaster recovery pairing '{}': break the pairing first.",
            namespace.name(),
            alias.id.name()
        ))),
    }
}

/// Refuses new entities in the secondary: they come from its primary.
pub(super) fn must_be_writable(world: &World, namespace: &Id) -> Result<(), Refusal> {
    match aliases(world, namespace).find(|alias| text(alias.properties(), "role") == "Secondary") {
        None => Ok(()),
        Some(alias) => Err(refused(format!(
            "The namespace '{}' is the secondary of the pairing '{}' and takes no changes of its own.",
            namespace.name(),
            alias.id.name()
        ))),
    }
}

#[derive(Debug)]
pub(super) struct Aliases;

impl Rules for Aliases {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(own) = namespace_of(world, change.id) else { return Ok(()) };
        let partner = text(&change.body, "properties.partnerNamespace").to_owned();
        if text(&own.body, "sku.name") != "Premium" {
            return Err(refused(
                "Geo-disaster recovery is only available for namespaces of the Premium SKU.",
            ));
        }
        let current = change.current.as_ref();
        if current.is_some_and(|it| text(it.properties(), "role") == "Secondary") {
            return Err(refused("An alias is changed on its primary namespace."));
        }
        if current.is_none() {
            let free = namespaces::availability(world, change.id.name());
            if free["nameAvailable"] != true {
                return Err(refused(format!("The alias '{}' is not available.", change.id.name())));
            }
            if let Some(other) = aliases(world, &own.id).next() {
                return Err(refused(format!("The namespace has the alias '{}' already.", other.id.name())));
            }
        }
        if !partner.is_empty() {
            let found = named(world, &partner, NAMESPACE)
                .ok_or_else(|| refused(format!("The partner namespace '{partner}' does not exist.")))?;
            may_pair(world, own, found)?;
        }
        put(
            &mut change.body,
            "properties.role",
            json!(if partner.is_empty() { "PrimaryNotReplicating" } else { "Primary" }),
        );
        default(&mut change.body, "properties.pendingReplicationOperationsCount", json!(0));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        let own = namespace_of(world, id).map(|it| it.id.clone());
        let partner = world.arm.find(&id.key()).and_then(partner_of);
        if let (Some(own), Some(partner)) = (own, partner) {
            let body = json!({"properties": {"partnerNamespace": own.to_string(), "role": "Secondary"}});
            resources::grow(world, &partner.child("disasterRecoveryConfigs", id.name()), body, Value::Null);
            copy(world, &own, &partner);
        }
        Ending::Table
    }

    fn may_delete(&self, _world: &World, resource: &Resource) -> Result<(), Refusal> {
        if partner_of(resource).is_some() {
            return Err(refused("An alias is deleted when its pairing is broken."));
        }
        Ok(())
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let state = if resource.state == "Succeeded" { "Succeeded" } else { "Accepted" };
        put(body, "properties.provisioningState", json!(state));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        match call.request.method {
            Method::Post if call.rest_is(&["breakPairing"]) => Some(part(world, call)),
            Method::Post if call.rest_is(&["failover"]) => Some(fail_over(world, call)),
            Method::Get if call.rest_is(&["authorizationRules"]) => {
                let own = namespace_of(world, &call.id)?.id.clone();
                let rules = world
                    .arm
                    .below(&own)
                    .map(|(_, child)| child)
                    .filter(|child| child.kind == "Microsoft.ServiceBus/namespaces/authorizationRules");
                let shown: Vec<Value> = rules.map(|rule| resources::view(world, rule)).collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            Method::Post if call.rest_is(&["authorizationRules", "*", "listKeys"]) => {
                let own = namespace_of(world, &call.id)?.id.child("authorizationRules", call.rest[1]);
                Some(Ok(access::show_keys(world, &own)))
            }
            _ => None,
        }
    }
}

fn may_pair(world: &World, own: &Resource, partner: &Resource) -> Result<(), Refusal> {
    if text(&partner.body, "sku.name") != "Premium" {
        return Err(refused("Both namespaces of a pairing are of the Premium SKU."));
    }
    if partner.id.key() == own.id.key() || partner.location() == own.location() {
        return Err(refused("The namespaces of a pairing are two, in different regions."));
    }
    let paired = aliases(world, &partner.id)
        .find(|alias| partner_of(alias).is_none_or(|other| other.key() != own.id.key()));
    if paired.is_some() {
        return Err(refused(format!("The namespace '{}' is paired already.", partner.id.name())));
    }
    let mine =
        aliases(world, &own.id).any(|alias| partner_of(alias).is_some_and(|it| it.key() == partner.id.key()));
    let full = world
        .arm
        .below(&partner.id)
        .any(|(_, child)| child.kind == super::QUEUE || child.kind == super::TOPIC);
    if full && !mine {
        return Err(refused(format!(
            "The secondary namespace '{}' must have no entities.",
            partner.id.name()
        )));
    }
    Ok(())
}

/// The secondary gets the primary's entities, without their messages.
fn copy(world: &mut World, from: &Id, to: &Id) {
    let prefix = from.to_string();
    let entities: Vec<(Id, Value)> = world
        .arm
        .below(from)
        .filter(|(_, child)| child.kind.contains("/queues") || child.kind.contains("/topics"))
        .filter_map(|(_, child)| {
            let id = child.id.to_string().replacen(&prefix, &to.to_string(), 1);
            Some((Id::parse(&id)?, child.body.clone()))
        })
        .collect();
    for (id, body) in entities {
        resources::grow(world, &id, body, Value::Null);
    }
}

fn part(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let alias = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    if text(alias.properties(), "role") == "Secondary" {
        return Err(refused("A pairing is broken on its primary namespace."));
    }
    let partner = partner_of(alias).ok_or_else(|| refused("The alias has no pairing to break."))?;
    resources::remove(world, &partner.child("disasterRecoveryConfigs", call.id.name()).key());
    if let Some(alias) = world.arm.find_mut(&call.id.key()) {
        take(&mut alias.body, "properties.partnerNamespace");
        put(&mut alias.body, "properties.role", json!("PrimaryNotReplicating"));
    }
    Ok(Response::empty(200))
}

/// The secondary becomes the alias's primary; the pairing is over.
fn fail_over(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    if !call.body.is_null() {
        object(&call.body)?;
    }
    let alias = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    if text(alias.properties(), "role") != "Secondary" {
        return Err(refused("A failover is started on the secondary namespace of a pairing."));
    }
    if let Some(former) = partner_of(alias) {
        resources::remove(world, &former.child("disasterRecoveryConfigs", call.id.name()).key());
    }
    if let Some(alias) = world.arm.find_mut(&call.id.key()) {
        take(&mut alias.body, "properties.partnerNamespace");
        put(&mut alias.body, "properties.role", json!("PrimaryNotReplicating"));
    }
    Ok(Response::empty(200))
}
