//! Regions that are cut off: `POST /_local/kill {"region": "westeurope"}`, until `DELETE /_local/kill`.
//!
//! What is in a cut region cannot be reached: Resource Manager, which is nowhere, answers 503 for its resources and
//! still lists them from its own records; the region's vaults, registries, storage accounts and applications do not
//! answer at all. Operations of the region that would end meanwhile end when it is back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::refusal::Refusal;
use super::arm::subscriptions::{is_region, normal};
use super::arm::{Ask, operations};
use super::{Method, Plane, Response, World};

/// What is cut off now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    regions: BTreeSet<String>,
    /// Operations whose time came meanwhile.
    waiting: Vec<String>,
}

impl Outage {
    /// Whether every region can be reached.
    pub fn is_none(&self) -> bool {
        self.regions.is_empty()
    }

    /// Whether a region is cut off.
    pub fn cuts(&self, region: &str) -> bool {
        self.regions.contains(region)
    }
}

/// `POST`, `GET` and `DELETE` of `/_local/kill`, as far as regions go; replicas are the runtime's.
pub(super) fn serve(world: &mut World, method: Method, body: &Value) -> Result<Response, Refusal> {
    match method {
        Method::Get | Method::Head => {}
        Method::Post => {
            let region = named(body)?;
            world.outage.regions.insert(region);
        }
        Method::Delete => {
            match body {
                Value::Null => world.outage.regions.clear(),
                body => {
                    let region = named(body)?;
                    world.outage.regions.remove(&region);
                }
            }
            for operation in std::mem::take(&mut world.outage.waiting) {
                operations::due(world, &operation);
            }
        }
        Method::Put | Method::Patch | Method::Options => {
            return Err(Refusal::new(405, "MethodNotAllowed", "Kills take POST, GET and DELETE."));
        }
    }
    Ok(Response::json(200, &json!({"regions": world.outage.regions})))
}

fn named(body: &Value) -> Result<String, Refusal> {
    let unknown = body.as_object().and_then(|map| map.keys().find(|key| *key != "region"));
    let region = body["region"].as_str().map(normal);
    match (region, unknown) {
        (Some(region), None) if is_region(&region) => Ok(region),
        _ => Err(Refusal::bad(
            "InvalidKill",
            "What is killed is said as {\"app\": ID, \"replicas\": 1} or as {\"region\": \"westeurope\"}, a region of \
             Azure.",
        )),
    }
}

/// Refuses what Resource Manager would have to ask a cut region for. Groups, locks, role assignments, tags and lists
/// are Resource Manager's own and go on.
pub(super) fn refuse(world: &World, ask: &Ask) -> Result<(), Refusal> {
    if world.outage.is_none() {
        return Ok(());
    }
    let id = &ask.path.id;
    let [stretch] = id.stretches.as_slice() else { return Ok(()) };
    let own = match stretch.parts.first() {
        Some((part, region)) if part.eq_ignore_ascii_case("locations") => normal(region),
        _ => match region_of(world, id) {
            Some(region) => region,
            None => ask.body["location"].as_str().map(normal).unwrap_or_default(),
        },
    };
    if !world.outage.cuts(&own) {
        return Ok(());
    }
    Err(Refusal::new(
        503,
        "ServiceUnavailable",
        format!(
            "The service of '{}' in the region '{own}' cannot be reached. Please try again later.",
            stretch.namespace
        ),
    )
    .with("retry-after", "5"))
}

/// Whether the answer of a data plane is cut, since what answers is in a cut region.
pub(super) fn silences(world: &World, plane: &Plane) -> bool {
    let (kind, name) = match plane {
        _ if world.outage.is_none() => return false,
        Plane::Vault { name } => ("Microsoft.KeyVault/vaults", name),
        Plane::Registry { name } => ("Microsoft.ContainerRegistry/registries", name),
        Plane::Blob { account } | Plane::Website { account } | Plane::OtherStorage { account, .. } => {
            ("Microsoft.Storage/storageAccounts", account)
        }
        Plane::Arm | Plane::Entra | Plane::Identity { .. } | Plane::Control => return false,
    };
    world.arm.by_name(kind, name).is_some_and(|found| world.outage.cuts(&found.location()))
}

/// Whether an application, by id, is in a cut region.
pub fn hides(world: &World, app: &str) -> bool {
    !world.outage.is_none() && world.arm.find(app).is_some_and(|found| world.outage.cuts(&found.location()))
}

/// Keeps an operation whose time has come in a cut region for later; `false` when it may end.
pub(super) fn keeps(world: &mut World, operation: &str) -> bool {
    if world.outage.is_none() {
        return false;
    }
    let Some(found) = world.arm.operations.get(operation) else { return false };
    let cut = region_of(world, &found.resource).is_some_and(|region| world.outage.cuts(&region));
    if cut {
        world.outage.waiting.push(operation.to_owned());
    }
    cut
}

/// The region of a resource, or of what it is a part of.
fn region_of(world: &World, id: &Id) -> Option<String> {
    id.ancestors()
        .iter()
        .take_while(|id| !id.stretches.is_empty())
        .filter_map(|id| world.arm.find(&id.key()))
        .map(super::arm::Resource::location)
        .find(|region| !region.is_empty())
}
