//! Sites that were deleted and can be restored for thirty days
//! (learn.microsoft.com/azure/app-service/app-service-undelete).

use serde_json::{Value, json};

use super::{Answer, SITE, SLOT, bad, missing, plan_of, production, shown_location};
use crate::world::agenda::Event;
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Headers, Reply, Rules};
use crate::world::arm::operations::{self, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Event as ArmEvent, Resource, locks, put, resources, stamp};
use crate::world::checks::text;
use crate::world::{Response, World, chance};

pub(super) const DELETED: &str = "Microsoft.Web/locations/deletedSites";
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 30);

/// What of a site comes back with it besides its content.
const KEPT_PARTS: [&str; 6] =
    ["web", "appsettings", "connectionstrings", "azurestorageaccounts", "logs", "authsettingsV2"];

#[derive(Debug)]
pub(super) struct Deleted;

impl Rules for Deleted {
    fn judge(&self, _world: &World, _change: &mut Change) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "A deleted site is read and restored, not written."))
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        if let Some(properties) = body["properties"].as_object_mut() {
            properties.shift_remove("deletionDate");
            properties.shift_remove("provisioningState");
        }
    }
}

/// Keeps what a site was. On a plan of the Consumption kinds nothing is kept.
pub(super) fn bury(world: &mut World, site: &Resource) {
    let Some((_, tier)) = plan_of(world, site.properties()) else { return };
    if ["Dynamic", "FlexConsumption", "ElasticPremium"].contains(&tier.name) {
        return;
    }
    let draw = chance::digest(
        world.config.seed,
        &format!("deleted {}", site.id.key()),
        world.now.as_second() as u64,
    );
    let number = u32::from_be_bytes([0, draw[0], draw[1], draw[2]]) + 1;
    let slot = if site.kind == SLOT { site.id.name() } else { "Production" };
    let when = stamp(world.now);
    let properties = json!({
        "deletedSiteId": number, "deletedTimestamp": when, "deletionDate": when,
        "subscription": world.config.subscription, "resourceGroup": site.id.group,
        "deletedSiteName": production(&site.id).name(), "slot": slot, "kind": site.body["kind"],
        "geoRegionName": shown_location(site),
    });
    let scope = Id { subscription: site.id.subscription.clone(), ..Id::default() };
    let grave = scope
        .provider("Microsoft.Web/locations", &site.location())
        .child("deletedSites", &number.to_string());
    resources::grow(world, &grave, json!({"properties": properties}), site.private.clone());
    world.later(KEPT, Event::Arm(ArmEvent::Purged(grave.key(), when)));
}

/// `deletedSites` of the subscription or of one location.
pub(super) fn list(world: &World, location: Option<&str>) -> Response {
    let here = |dead: &&Resource| {
        location.is_none_or(|location| {
            dead.id
                .parent()
                .is_some_and(|parent| parent.name() == crate::world::arm::subscriptions::normal(location))
        })
    };
    let shown: Vec<Value> =
        world.arm.of_kind(DELETED).filter(here).map(|dead| resources::view(world, dead)).collect();
    Response::json(200, &json!({"value": shown}))
}

/// `restoreFromDeletedApp`: a site takes over the content and, when asked, the configuration of one that was deleted.
pub(super) fn restore(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let body = object(&call.body)?;
    let wanted = text(&body, "properties.deletedSiteId");
    let dead = world
        .arm
        .of_kind(DELETED)
        .find(|dead| dead.id.to_string().eq_ignore_ascii_case(wanted) || dead.id.name() == wanted)
        .ok_or_else(|| missing("DeletedSite", wanted))?;
    let target = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    if target.kind != SITE && target.kind != SLOT {
        return Err(bad("A deleted site is restored to a site or slot."));
    }
    let kept = dead.private.clone();
    if body["properties"]["recoverConfiguration"] == true
        && let Some(found) = world.arm.find_mut(&call.id.key())
    {
        for part in KEPT_PARTS {
            put(&mut found.private, part, kept[part].clone());
        }
    }
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(60.0));
    let reply = Reply { status: 202, headers: Headers::Result, done: 200 };
    let shown = resources::show(world, &call.id.key()).unwrap_or(Value::Null);
    Ok(operations::lead(world, call.request, &operation, reply, Response::json(200, &shown)))
}
