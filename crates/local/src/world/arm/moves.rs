//! Moving resources to another group: `validateMoveResources` and `moveResources`.
//!
//! Both answer 202 and are followed by `Location` to a 204. While a move runs, both groups can be read and not
//! written. What names a moved resource names it afterwards by its new id; role assignments on it are left behind, as
//! Azure leaves them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gate::{authorize, object};
use super::id::Id;
use super::kind::{Ending, Headers, Reply};
use super::operations::{self, Verb};
use super::refusal::Refusal;
use super::{Answer, Ask, groups, locks, resources};
use crate::world::{Method, Response, World, access};

const REPLY: Reply = Reply { status: 202, headers: Headers::Result, done: 204 };
/// How long each takes, in seconds at speed 1: a validation, a move.
const SECONDS: (f64, f64) = (10.0, 60.0);

/// Types whose documentation says that they do not move between groups.
const FIXED: &[&str] = &[
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/applicationGateways",
    "Microsoft.Network/bastionHosts",
    "Microsoft.Web/staticSites",
];

/// A move under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Move {
    /// Keys of the groups that are held meanwhile.
    groups: [String; 2],
    /// The group that the resources go to.
    to: Id,
    /// Keys of the resources.
    resources: Vec<String>,
}

/// `POST …/resourceGroups/G/moveResources` and `…/validateMoveResources`.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let path = ask.path;
    if ask.request.method != Method::Post || path.id.group.is_none() || !path.id.stretches.is_empty() {
        return None;
    }
    let validates = path.rest_is(&["validateMoveResources"]);
    (validates || path.rest_is(&["moveResources"])).then(|| begin(world, ask, validates))
}

fn begin(world: &mut World, ask: &Ask, validates: bool) -> Answer {
    let from = &ask.path.id;
    let verb = if validates { "validateMoveResources" } else { "moveResources" };
    authorize(
        world,
        ask.caller,
        &format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}/action"),
        from,
    )?;
    groups::must_exist(world, from)?;
    let (to, wanted) = asked(&object(ask.body)?)?;
    groups::must_not_be_going(world, &to)?;
    authorize(world, ask.caller, "Microsoft.Resources/subscriptions/resourceGroups/write", &to)?;
    if to.key() == from.key() {
        return Err(Refusal::bad(
            "ResourceMoveInvalidTarget",
            "The source and the target resource group are the same.",
        ));
    }
    for id in &wanted {
        if id.group_id().map(|group| group.key()) != Some(from.key()) || id.parent().is_some() {
            return Err(Refusal::bad(
                "InvalidMoveResources",
                format!(
                    "The resource '{id}' is not a top-level resource of the resource group '{}'.",
                    from.name()
                ),
            ));
        }
        resources::must_have_resource(world, id)?;
    }
    must_be_still(world, from, "write")?;
    must_be_still(world, &to, "write")?;
    for group in [from, &to] {
        locks::permit(world, group, false)?;
    }
    let refused = judge(world, &to, &wanted);
    if let (Err(refusal), false) = (&refused, validates) {
        return Err(refusal.clone());
    }
    let seconds = if validates { SECONDS.0 } else { SECONDS.1 };
    let group = world.arm.find(&from.key()).map_or_else(|| from.clone(), |found| found.id.clone());
    // ends by itself: what it does at its end is kept first
    let operation = operations::begin(world, &group, Verb::Act, Ending::WhenTold);
    if validates {
        operations::end_after(world, &operation, seconds, refused);
    } else {
        let to = world.arm.find(&to.key()).map_or(to, |found| found.id.clone());
        let resources = wanted.iter().map(Id::key).collect();
        let under_way = Move { groups: [from.key(), to.key()], to, resources };
        world.arm.moves.insert(operation.clone(), under_way);
        operations::end_after(world, &operation, seconds, Ok(()));
    }
    if let Some(operations::Operation { status: operations::Status::Failed(failure), .. }) =
        world.arm.operations.get(&operation)
    {
        return Err(failure.clone());
    }
    Ok(operations::lead(world, ask.request, &operation, REPLY, Response::empty(204)))
}

/// The target and the resources that a body names.
fn asked(body: &Value) -> Result<(Id, Vec<Id>), Refusal> {
    let wrong = |message: &str| {
        Refusal::bad("InvalidRequestContent", format!("The request content was invalid: '{message}'."))
    };
    let target = body["targetResourceGroup"].as_str().and_then(Id::parse);
    let Some(to) = target.filter(|id| id.group.is_some() && id.stretches.is_empty()) else {
        return Err(wrong("targetResourceGroup must be the id of a resource group"));
    };
    let named = body["resources"].as_array().filter(|list| !list.is_empty());
    let Some(named) = named else { return Err(wrong("resources must name resources by id")) };
    let ids: Option<Vec<Id>> = named
        .iter()
        .map(|id| id.as_str().and_then(Id::parse).filter(|id| !id.stretches.is_empty()))
        .collect();
    match ids {
        Some(ids) => Ok((to, ids)),
        None => Err(wrong("resources must name resources by id")),
    }
}

/// What keeps resources from moving: their type, their state, a name that is taken, what must move with them.
fn judge(world: &World, to: &Id, wanted: &[Id]) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    for id in wanted {
        let Some(found) = world.arm.find(&id.key()) else { continue };
        let moved = moved(id, to);
        if FIXED.iter().any(|fixed| fixed.eq_ignore_ascii_case(&found.kind)) {
            let text = format!("The resource type '{}' does not support moving: '{id}'.", found.kind);
            causes.push(Refusal::conflict("ResourceMoveNotSupported", text).at(id.to_string()));
        } else if found.operation.is_some() || found.state != "Succeeded" {
            let text = format!("The resource '{id}' is in the state '{}' and cannot be moved.", found.state);
            causes.push(
                Refusal::conflict("MoveCannotProceedWithResourcesNotInSucceededState", text)
                    .at(id.to_string()),
            );
        } else if world.arm.find(&moved.key()).is_some() {
            let text = format!("The target resource group already has the resource '{moved}'.");
            causes.push(Refusal::conflict("ResourceMoveTargetExists", text).at(id.to_string()));
        } else if let Some(missing) = dependent(world, id, wanted) {
            let text = format!("The resource '{missing}' depends on '{id}' and must be moved with it.");
            causes.push(Refusal::conflict("MissingMoveDependentResources", text).at(missing.to_string()));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        details: causes.into(),
        ..Refusal::conflict(
            "ResourceMoveProviderValidationFailed",
            "Resource move validation failed. Please see details. Diagnostic information: the resources that cannot \
             be moved are named in the details.",
        )
    })
}

/// What must come along: a virtual network moves with all that is in it.
fn dependent(world: &World, id: &Id, wanted: &[Id]) -> Option<Id> {
    if !id.kind().eq_ignore_ascii_case("Microsoft.Network/virtualNetworks") {
        return None;
    }
    let prefix = format!("{}/", id.key());
    let group = id.group_id()?;
    let user = world.arm.below(&group).map(|(_, resource)| resource).find(|resource| {
        resource.id.parent().is_none()
            && resource.id.key() != id.key()
            && !wanted.iter().any(|other| other.key() == resource.id.key())
            && names(&resource.body, &prefix)
    })?;
    Some(user.id.clone())
}

fn names(value: &Value, prefix: &str) -> bool {
    match value {
        Value::String(text) => text.starts_with('/') && text.to_ascii_lowercase().starts_with(prefix),
        Value::Array(list) => list.iter().any(|value| names(value, prefix)),
        Value::Object(map) => map.values().any(|value| names(value, prefix)),
        _ => false,
    }
}

fn moved(id: &Id, to: &Id) -> Id {
    Id { subscription: to.subscription.clone(), group: to.group.clone(), ..id.clone() }
}

/// Refuses a change in a group while resources move out of or into it.
pub(super) fn must_be_still(world: &World, id: &Id, doing: &str) -> Result<(), Refusal> {
    let Some(group) = id.group_id().filter(|_| !world.arm.moves.is_empty()) else { return Ok(()) };
    let key = group.key();
    if !world.arm.moves.values().any(|under_way| under_way.groups.contains(&key)) {
        return Ok(());
    }
    Err(Refusal::conflict(
        "ScopeLocked",
        format!(
            "The scope '{id}' cannot perform {doing} operation because following scope(s) are locked: '{group}'. \
             Resources are being moved; please try again when the move has ended."
        ),
    ))
}

/// A move's time has come.
pub(super) fn ended(world: &mut World, operation: &str) {
    let Some(Move { to, resources, .. }) = world.arm.moves.remove(operation) else { return };
    for key in resources {
        let Some(id) = world.arm.find(&key).map(|found| found.id.clone()) else { continue };
        rename(world, &id, &moved(&id, &to));
    }
}

/// A resource with all below it gets another id, wherever it is named.
fn rename(world: &mut World, old: &Id, new: &Id) {
    access::scope_removed(world, old);
    let mut keys: Vec<String> = world.arm.below(old).map(|(key, _)| key.clone()).collect();
    keys.push(old.key());
    for key in keys {
        let Some(mut resource) = world.arm.resources.remove(&key) else { continue };
        resource.id.group.clone_from(&new.group);
        resource.id.subscription.clone_from(&new.subscription);
        world.arm.resources.insert(resource.id.key(), resource);
    }
    let (old_key, new_id) = (old.key(), new.to_string());
    for resource in world.arm.resources.values_mut() {
        readdress(&mut resource.body, &old_key, &new_id);
        readdress(&mut resource.private, &old_key, &new_id);
    }
    for principal in world.entra.principals.values_mut() {
        if let Some(own) = principal.resource.as_mut().filter(|own| own.eq_ignore_ascii_case(&old_key)) {
            own.clone_from(&new_id);
        }
    }
    if let Some(state) = world.apps.apps.remove(&old_key) {
        world.apps.apps.insert(new.key(), state);
    }
    if let Some(state) = world.apps.jobs.remove(&old_key) {
        world.apps.jobs.insert(new.key(), state);
    }
}

/// The new id wherever a value has the old one, or something below it.
fn readdress(value: &mut Value, old: &str, new: &str) {
    let changed = |text: &str| -> Option<String> {
        let head = text.get(..old.len()).filter(|head| head.eq_ignore_ascii_case(old))?;
        let rest = &text[head.len()..];
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
    };
    match value {
        Value::String(text) => {
            if let Some(new) = changed(text) {
                *text = new;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| readdress(value, old, new)),
        Value::Object(map) => {
            if map.keys().any(|key| changed(key).is_some()) {
                let all = std::mem::take(map).into_iter();
                *map = all.map(|(key, value)| (changed(&key).unwrap_or(key), value)).collect();
            }
            map.values_mut().for_each(|value| readdress(value, old, new));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::world::testing::{Lab, SUB, rg};
    use serde_json::json;

    #[test]
    fn resources_move_with_what_is_below_them_and_are_named_by_their_new_ids() {
        let mut lab = Lab::new(1.0);
        lab.put(&format!("{SUB}/resourceGroups/to"), json!({"location": "westeurope"})).ok(201);
        let network = rg("Microsoft.Network/virtualNetworks/net");
        let zone = rg("Microsoft.Network/privateDnsZones/a.example");
        let made = lab.put(
            &network,
            json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "one", "properties": {"addressPrefix": "10.0.0.0/24"}}]}}),
        );
        lab.follow(&made);
        let made = lab.put(&zone, json!({"location": "global"}));
        lab.follow(&made);
        let link = format!("{zone}/virtualNetworkLinks/l");
        let made = lab.put(
            &link,
            json!({"location": "global", "properties": {"registrationEnabled": false, "virtualNetwork": {"id": network}}}),
        );
        lab.follow(&made);
        let source = format!("{SUB}/resourceGroups/rg");
        let body = json!({"resources": [network], "targetResourceGroup": format!("{SUB}/resourceGroups/to")});
        let checked = lab.post(&format!("{source}/validateMoveResources"), body.clone()).ok(202);
        assert_eq!(lab.follow(&checked).0.status, 204);
        let begun = lab.post(&format!("{source}/moveResources"), body.clone()).ok(202);
        lab.put(
            &rg("Microsoft.ManagedIdentity/userAssignedIdentities/id1"),
            json!({"location": "westeurope"}),
        )
        .refused(409, "ScopeLocked");
        lab.post(&format!("{source}/moveResources"), body).refused(409, "ScopeLocked");
        let (last, seconds) = lab.follow(&begun);
        assert_eq!((last.status, seconds), (204, 60));
        lab.get(&network).refused(404, "ResourceNotFound");
        let there = network.replace("/rg/", "/to/");
        assert_eq!(
            lab.get(&format!("{there}/subnets/one")).ok(200).json["id"],
            format!("{there}/subnets/one")
        );
        assert_eq!(lab.get(&link).json["properties"]["virtualNetwork"]["id"], there);
    }

    #[test]
    fn what_does_not_move_is_told_by_both() {
        let mut lab = Lab::new(1.0);
        lab.put(&format!("{SUB}/resourceGroups/to"), json!({"location": "westeurope"})).ok(201);
        let identity = rg("Microsoft.ManagedIdentity/userAssignedIdentities/id1");
        lab.put(&identity, json!({"location": "westeurope"}));
        let source = format!("{SUB}/resourceGroups/rg");
        let body = |id: &str, to: &str| json!({"resources": [id], "targetResourceGroup": format!("{SUB}/resourceGroups/{to}")});
        lab.post(&format!("{source}/moveResources"), body(&identity, "to"))
            .refused(409, "ResourceMoveProviderValidationFailed");
        let checked = lab.post(&format!("{source}/validateMoveResources"), body(&identity, "to")).ok(202);
        let (last, _) = lab.follow(&checked);
        assert_eq!(last.json["error"]["details"][0]["code"], "ResourceMoveNotSupported");
        assert_eq!(last.status, 409);
        lab.post(&format!("{source}/moveResources"), body(&identity, "none"))
            .refused(404, "ResourceGroupNotFound");
        lab.post(&format!("{source}/moveResources"), body(&identity, "rg"))
            .refused(400, "ResourceMoveInvalidTarget");
        lab.post(&format!("{source}/moveResources"), json!({"resources": []}))
            .refused(400, "InvalidRequestContent");
        lab.post(&format!("{source}/moveResources"), body(&rg("Microsoft.KeyVault/vaults/none"), "to"))
            .refused(404, "ResourceNotFound");
    }
}
