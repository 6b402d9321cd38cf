//! Log Analytics workspaces: SKU, retention, shared keys, and the recovery of deleted ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::resources::FORCED;
use super::arm::{Resource, default, put, stamp};
use super::checks::text;
use super::{Method, Response, World};

const WORKSPACE: &str = "Microsoft.OperationalInsights/workspaces";

/// How long a deleted workspace can be recovered by creating it again.
const RECOVERABLE_DAYS: i64 = 14;

pub(crate) static KINDS: &[Kind] = &[Kind {
    name: WORKSPACE,
    depth: Depth::Modelled,
    names: Names {
        length: (4, 63),
        signs: Signs::Hyphened,
        global: false,
        refusal: (
            "InvalidResourceName",
            "'{name}' is not a valid workspace name: 4 to 63 letters, digits and hyphens, the first and last a letter \
             or digit.",
        ),
    },
    place: Place::Regional,
    seconds: [20.0, 5.0, 0.0],
    replies: USUAL,
    busy: "Conflict",
    computed: &["properties.customerId", "properties.createdDate", "properties.modifiedDate"],
    spelling: &[],
    rules: &Workspace,
}];

/// Deleted workspaces by lower-case id: what comes back when one is made again in time.
pub type Deleted = BTreeMap<String, DeletedWorkspace>;

/// A deleted workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeletedWorkspace {
    /// Its customer id.
    pub customer: String,
    /// Its keys.
    pub private: Value,
    /// Until when.
    pub until: jiff::Timestamp,
    /// Its id as created.
    #[serde(default)]
    pub id: Id,
    /// Its body as it was.
    #[serde(default)]
    pub body: Value,
}

/// SKUs: those that can be had, and those that were. (azure/azure-monitor/logs/cost-logs)
const SKUS: [&str; 4] = ["PerGB2018", "CapacityReservation", "Standalone", "LACluster"];
const LEGACY_SKUS: [&str; 4] = ["Free", "PerNode", "Premium", "Standard"];
/// Commitment tiers in GB a day.
const COMMITMENTS: [i64; 10] = [100, 200, 300, 400, 500, 1000, 2000, 5000, 10_000, 25_000];

fn check_sku(body: &mut Value, before: &Value) -> Result<(), Refusal> {
    let known = before["sku"].get("name").cloned();
    default(body, "properties.sku.name", known.clone().unwrap_or(json!("PerGB2018")));
    let sent = text(body, "properties.sku.name").to_owned();
    let Some(sku) = SKUS.iter().chain(&LEGACY_SKUS).find(|known| known.eq_ignore_ascii_case(&sent)) else {
        return Err(Refusal::bad("InvalidParameter", format!("'{sent}' is no SKU of a workspace.")));
    };
    if LEGACY_SKUS.contains(sku) && known != Some(json!(sku)) {
        return Err(Refusal::bad(
            "BadRequest",
            format!(
                "The pricing tier '{sku}' is a legacy one: workspaces cannot be created with or moved to it."
            ),
        ));
    }
    put(body, "properties.sku.name", json!(sku));
    let level = body["properties"]["sku"]["capacityReservationLevel"].as_i64();
    if *sku == "CapacityReservation" && !level.is_some_and(|level| COMMITMENTS.contains(&level)) {
        return Err(Refusal::bad(
            "BadRequest",
            "CapacityReservationLevel must be one of the commitment tiers: 100, 200, 300, 400, 500, 1000, 2000, 5000, \
             10000 or 25000 GB a day.",
        ));
    }
    Ok(())
}

fn check_retention(body: &mut Value, before: &Value) -> Result<(), Refusal> {
    if body["properties"]["retentionInDays"].is_null() {
        let days = before.get("retentionInDays").cloned().unwrap_or(json!(30));
        put(body, "properties.retentionInDays", days);
    }
    let days = &body["properties"]["retentionInDays"];
    let free = text(body, "properties.sku.name") == "Free";
    if days.as_i64().is_some_and(|days| (days == 7 && free) || (30..=730).contains(&days)) {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidParameter",
        format!("'RetentionInDays' property doesn't match the SKU limits: {days} is not between 30 and 730."),
    ))
}

/// The daily cap: none (-1), or gigabytes.
fn check_cap(body: &mut Value) -> Result<(), Refusal> {
    default(body, "properties.workspaceCapping.dailyQuotaGb", json!(-1.0));
    let cap = body["properties"]["workspaceCapping"]["dailyQuotaGb"].as_f64();
    if !cap.is_some_and(|cap| cap == -1.0 || cap >= 0.023) {
        return Err(Refusal::bad(
            "InvalidParameter",
            "'DailyQuotaGb' must be -1 for no cap, or at least 0.023 gigabytes.",
        ));
    }
    default(body, "properties.workspaceCapping.dataIngestionStatus", json!("RespectQuota"));
    Ok(())
}

#[derive(Debug)]
struct Workspace;

impl Rules for Workspace {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let before = change.current.as_ref().map(|current| current.properties().clone()).unwrap_or_default();
        check_sku(body, &before)?;
        check_retention(body, &before)?;
        check_cap(body)?;
        let kept = world.arm.deleted_workspaces.get(&change.id.key()).filter(|old| old.until > world.now);
        if let Some(old) = kept.filter(|_| change.current.is_none()) {
            let there = text(&old.body, "location");
            if !there.is_empty() && there != text(body, "location") {
                return Err(Refusal::conflict(
                    "Conflict",
                    format!(
                        "The workspace '{}' is in soft-deleted state in location '{there}': recover it there, or delete \
                         it permanently first.",
                        change.id.name()
                    ),
                ));
            }
        }
        let now = stamp(world.now);
        default(body, "properties.createdDate", json!(now));
        put(body, "properties.modifiedDate", json!(now));
        default(body, "properties.publicNetworkAccessForIngestion", json!("Enabled"));
        default(body, "properties.publicNetworkAccessForQuery", json!("Enabled"));
        default(body, "properties.features", json!({"enableLogAccessUsingOnlyResourcePermissions": true}));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Updated {
            return Ending::Table;
        }
        let key = id.key();
        let old = world.arm.deleted_workspaces.remove(&key).filter(|old| old.until > world.now);
        let (customer, private) = match old {
            Some(old) => (old.customer, old.private),
            None => {
                let customer = world.chance.uuid(&format!("workspace {key}")).to_string();
                let keys = [new_key(world, &key), new_key(world, &key)];
                (customer, json!({"primarySharedKey": keys[0], "secondarySharedKey": keys[1]}))
            }
        };
        if let Some(found) = world.arm.find_mut(&key) {
            put(&mut found.body, "properties.customerId", json!(customer));
            found.private = private;
        }
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        if resource.private[FORCED] == true {
            world.arm.deleted_workspaces.remove(&resource.id.key());
            return;
        }
        let until = super::keyvault::after_days(world.now, RECOVERABLE_DAYS);
        let deleted = DeletedWorkspace {
            customer: resource.text("/properties/customerId").to_owned(),
            private: resource.private.clone(),
            until,
            id: resource.id.clone(),
            body: resource.body.clone(),
        };
        world.arm.deleted_workspaces.insert(resource.id.key(), deleted);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        // templates ask by `listKeys`
        let keys = call.rest_is(&["sharedKeys"]) || call.rest_is(&["listKeys"]);
        if call.request.method == Method::Post && keys {
            let private = world.arm.find(&call.id.key()).map(|found| found.private.clone())?;
            return Some(Ok(Response::json(200, &private)));
        }
        if call.request.method == Method::Post && call.rest_is(&["regenerateSharedKey"]) {
            let key = call.id.key();
            let keys =
                json!({"primarySharedKey": new_key(world, &key), "secondarySharedKey": new_key(world, &key)});
            world.arm.find_mut(&key)?.private = keys.clone();
            return Some(Ok(Response::json(200, &keys)));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let asks = call.request.method == Method::Get && call.rest_is(&["deletedWorkspaces"]);
        asks.then(|| Ok(Response::json(200, &json!({"value": recoverable(world, call)}))))
    }
}

/// Deleted workspaces of a subscription or a group that can still come back.
fn recoverable(world: &World, call: &Call) -> Vec<Value> {
    let below = format!("{}/", call.id.key());
    world
        .arm
        .deleted_workspaces
        .iter()
        .filter(|(key, old)| key.starts_with(&below) && old.until > world.now && !old.id.stretches.is_empty())
        .map(|(_, old)| {
            let mut shown = json!({"id": old.id.to_string(), "name": old.id.name(), "type": WORKSPACE});
            for name in ["location", "tags"] {
                if !old.body[name].is_null() {
                    shown[name] = old.body[name].clone();
                }
            }
            shown["properties"] = old.body["properties"].clone();
            shown["properties"]["customerId"] = json!(old.customer);
            shown["properties"]["provisioningState"] = json!("Deleted");
            shown
        })
        .collect()
}

fn new_key(world: &mut World, key: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(world.chance.bytes(&format!("workspace key {key}"), 64))
}
