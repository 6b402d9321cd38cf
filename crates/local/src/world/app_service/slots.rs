//! Swaps: content and settings change places, what is sticky stays
//! (learn.microsoft.com/azure/app-service/deploy-staging-slots).

use serde_json::{Map, Value, json};

use super::{Answer, SLOT, bad, conflict, missing, production, tier_of};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Ending, Headers, Reply};
use crate::world::arm::operations::{self, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, locks, put, resources, stamp, take};
use crate::world::checks::{list, text};
use crate::world::{Response, World};

/// What of `config/web` stays with a slot in a swap; the rest goes with the content
/// (learn.microsoft.com/azure/app-service/deploy-staging-slots#what-happens-during-a-swap).
const STAYS: [&str; 12] = [
    "alwaysOn",
    "ipSecurityRestrictions",
    "scmIpSecurityRestrictions",
    "scmIpSecurityRestrictionsUseMain",
    "vnetRouteAllEnabled",
    "cors",
    "autoSwapSlotName",
    "numberOfWorkers",
    "minTlsVersion",
    "scmMinTlsVersion",
    "minTlsCipherSuite",
    "experiments",
];

/// `slotsswap`, `slotsdiffs`, `applySlotConfig`, `resetSlotConfig`.
pub(super) fn serve(world: &mut World, call: &Call) -> Answer {
    let verb = call.rest[0].to_ascii_lowercase();
    if verb == "resetslotconfig" {
        locks::permit(world, &call.id, false)?;
        undo_preview(world, &call.id);
        return Ok(Response::empty(200));
    }
    let other = partner(world, call)?;
    if verb == "slotsdiffs" {
        return Ok(Response::json(200, &json!({"value": differences(world, &call.id, &other)})));
    }
    may_swap(world, &call.id, &other)?;
    if verb == "applyslotconfig" {
        preview(world, &call.id, &other)?;
        return Ok(Response::empty(200));
    }
    swap(world, call, &other)
}

/// The other side of a swap that a body names: a slot, or production.
fn partner(world: &World, call: &Call) -> Result<Id, Refusal> {
    let site = production(&call.id);
    let body = object(&call.body)?;
    let wanted = text(&body, "targetSlot");
    if wanted.is_empty() {
        return Err(super::invalid("targetSlot"));
    }
    let other =
        if wanted.eq_ignore_ascii_case("production") { site.clone() } else { site.child("slots", wanted) };
    if world.arm.find(&other.key()).is_none() {
        return Err(missing("Slot", wanted));
    }
    if other.key() == call.id.key() {
        return Err(bad("The source and target slots of a swap must be two."));
    }
    Ok(other)
}

fn may_swap(world: &World, one: &Id, other: &Id) -> Result<(), Refusal> {
    let site = production(one);
    locks::permit(world, &site, false)?;
    for id in [one, other] {
        if let Some(operation) = operations::under_way(world, &id.key()).or_else(|| swapping(world, id)) {
            return Err(super::site_is_busy(id, operation));
        }
        let Some(found) = world.arm.find(&id.key()) else { continue };
        if text(found.properties(), "state") == "Stopped" {
            return Err(conflict(format!(
                "Cannot swap site slots for site '{}' because the '{}' slot is stopped.",
                site.name(),
                slot_name(id)
            )));
        }
        if tier_of(world, found).slots == 0 {
            return Err(super::plans::too_many_slots(tier_of(world, found)));
        }
    }
    Ok(())
}

/// The swap that a site or slot takes part in now.
fn swapping<'a>(world: &'a World, id: &Id) -> Option<&'a operations::Operation> {
    let site = production(id).key();
    world.arm.operations.values().find(|operation| {
        operation.verb == Verb::Act
            && operation.status == operations::Status::Running
            && production(&operation.resource).key() == site
    })
}

fn swap(world: &mut World, call: &Call, other: &Id) -> Answer {
    undo_preview(world, &call.id);
    undo_preview(world, other);
    exchange(world, &call.id, other);
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(90.0));
    let reply = Reply { status: 202, headers: Headers::Result, done: 200 };
    let shown = resources::show(world, &call.id.key()).unwrap_or(Value::Null);
    Ok(operations::lead(world, call.request, &operation, reply, Response::json(200, &shown)))
}

/// The first phase of a swap with preview: the source runs with the target's sticky settings, until the swap is
/// made or called off.
fn preview(world: &mut World, source: &Id, target: &Id) -> Result<(), Refusal> {
    let site = production(source);
    let (settings, connections) = sticky(world, &site);
    let (Some(own), Some(theirs)) =
        (world.arm.find(&source.key()).cloned(), world.arm.find(&target.key()).cloned())
    else {
        return Ok(());
    };
    if [&own, &theirs].iter().any(|side| side.private["authsettingsV2"]["platform"]["enabled"] == true) {
        return Err(conflict(
            "Swap with preview cannot be used when one of the slots has site authentication enabled.",
        ));
    }
    undo_preview(world, source);
    let Some(found) = world.arm.find_mut(&source.key()) else { return Ok(()) };
    let mut before = json!({});
    for (name, stays) in [("appsettings", &settings), ("connectionstrings", &connections)] {
        before[name] = own.private[name].clone();
        put(&mut found.private, name, swapped(&theirs.private[name], &own.private[name], stays));
    }
    put(&mut found.private, "preview", before);
    put(&mut found.body, "properties.targetSwapSlot", json!(slot_name(target).to_ascii_lowercase()));
    Ok(())
}

/// Gives a slot back what it had before the first phase of a swap.
fn undo_preview(world: &mut World, id: &Id) {
    let Some(found) = world.arm.find_mut(&id.key()) else { return };
    let Some(Value::Object(before)) = take(&mut found.private, "preview") else { return };
    for (name, value) in before {
        put(&mut found.private, &name, value);
    }
    take(&mut found.body, "properties.targetSwapSlot");
}

/// Names of settings and connection strings that stay with their slot.
fn sticky(world: &World, site: &Id) -> (Vec<String>, Vec<String>) {
    (sticky_names(world, site, "appSettingNames"), sticky_names(world, site, "connectionStringNames"))
}

fn sticky_mounts(world: &World, site: &Id) -> Vec<String> {
    sticky_names(world, site, "azureStorageConfigNames")
}

fn sticky_names(world: &World, site: &Id, kind: &str) -> Vec<String> {
    let found: Option<&Resource> = world.arm.find(&site.key());
    let names = found.map_or(&[][..], |found| list(&found.private["slotConfigNames"], kind));
    names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Content and settings change places; what is sticky stays.
fn exchange(world: &mut World, one: &Id, two: &Id) {
    let site = production(one);
    let (settings, connections) = sticky(world, &site);
    let (Some(mut a), Some(mut b)) =
        (world.arm.find(&one.key()).cloned(), world.arm.find(&two.key()).cloned())
    else {
        return;
    };
    for (name, stays) in [("appsettings", &settings), ("connectionstrings", &connections)] {
        let (mine, theirs) = (a.private[name].clone(), b.private[name].clone());
        a.private[name] = swapped(&mine, &theirs, stays);
        b.private[name] = swapped(&theirs, &mine, stays);
    }
    let (mine, theirs) = (a.private["web"].clone(), b.private["web"].clone());
    let stays: Vec<String> = STAYS.iter().map(|name| (*name).to_owned()).collect();
    a.private["web"] = swapped(&mine, &theirs, &stays);
    b.private["web"] = swapped(&theirs, &mine, &stays);
    let mounts = sticky_mounts(world, &site);
    for (name, stays) in [("metadata", &Vec::new()), ("azurestorageaccounts", &mounts)] {
        let (mine, theirs) = (a.private[name].clone(), b.private[name].clone());
        a.private[name] = swapped(&mine, &theirs, stays);
        b.private[name] = swapped(&theirs, &mine, stays);
    }
    let now = stamp(world.now);
    for (resource, source) in [(a, two), (b, one)] {
        let mut resource = resource;
        put(
            &mut resource.body,
            "properties.slotSwapStatus",
            json!({"timestampUtc": now, "sourceSlotName": slot_name(source), "destinationSlotName": slot_name(&resource.id)}),
        );
        world.arm.resources.insert(resource.id.key(), resource);
    }
}

fn slot_name(id: &Id) -> String {
    if id.kind().eq_ignore_ascii_case(SLOT) { id.name().to_owned() } else { "Production".into() }
}

/// What one side has after a swap: the other's, but for the names that stay.
fn swapped(mine: &Value, theirs: &Value, stays: &[String]) -> Value {
    let none = Map::new();
    let stays = |name: &String| {
        stays.iter().any(|known| known.eq_ignore_ascii_case(name)) || name.ends_with("_EXTENSION_VERSION")
    };
    let kept = mine.as_object().unwrap_or(&none).iter().filter(|(name, _)| stays(name));
    let taken = theirs.as_object().unwrap_or(&none).iter().filter(|(name, _)| !stays(name));
    taken.chain(kept).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn differences(world: &World, one: &Id, two: &Id) -> Vec<Value> {
    let (settings, _) = sticky(world, &production(one));
    let of = |id: &Id| {
        world
            .arm
            .find(&id.key())
            .and_then(|it| it.private["appsettings"].as_object().cloned())
            .unwrap_or_default()
    };
    let (mine, theirs) = (of(one), of(two));
    mine.keys()
        .chain(theirs.keys().filter(|name| !mine.contains_key(*name)))
        .filter(|name| mine.get(*name) != theirs.get(*name))
        .map(|name| {
            let stays = settings.iter().any(|known| known.eq_ignore_ascii_case(name));
            json!({"name": name, "properties": {
                "level": "Information", "settingType": "AppSetting", "settingName": name,
                "diffRule": if stays { "SettingsWillBeKept" } else { "SettingsWillBeSwapped" },
                "valueInCurrentSlot": mine.get(name), "valueInTargetSlot": theirs.get(name),
                "description": ""}})
        })
        .collect()
}
