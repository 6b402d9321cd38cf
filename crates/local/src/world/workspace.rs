//! Log Analytics workspaces: SKU, retention, shared keys, and the recovery of deleted ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put, stamp};
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
}

#[derive(Debug)]
struct Workspace;

impl Rules for Workspace {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        const SKUS: [&str; 8] = [
            "PerGB2018",
            "CapacityReservation",
            "Standalone",
            "LACluster",
            "Free",
            "PerNode",
            "Premium",
            "Standard",
        ];
        let body = &mut change.body;
        let before = change.current.as_ref().map(|current| current.properties().clone()).unwrap_or_default();
        default(
            body,
            "properties.sku.name",
            before["sku"].get("name").cloned().unwrap_or(json!("PerGB2018")),
        );
        let sku = body["properties"]["sku"]["name"].as_str().unwrap_or_default().to_owned();
        let Some(sku) = SKUS.iter().find(|known| known.eq_ignore_ascii_case(&sku)) else {
            return Err(Refusal::bad("InvalidParameter", format!("'{sku}' is no SKU of a workspace.")));
        };
        put(body, "properties.sku.name", json!(sku));
        if body["properties"]["retentionInDays"].is_null() {
            put(
                body,
                "properties.retentionInDays",
                before.get("retentionInDays").cloned().unwrap_or(json!(30)),
            );
        }
        let days = &body["properties"]["retentionInDays"];
        if !days.as_i64().is_some_and(|days| (days == 7 && *sku == "Free") || (30..=730).contains(&days)) {
            return Err(Refusal::bad(
                "InvalidParameter",
                format!(
                    "'RetentionInDays' property doesn't match the SKU limits: {days} is not between 30 and 730."
                ),
            ));
        }
        let now = stamp(world.now);
        default(body, "properties.createdDate", json!(now));
        put(body, "properties.modifiedDate", json!(now));
        default(body, "properties.publicNetworkAccessForIngestion", json!("Enabled"));
        default(body, "properties.publicNetworkAccessForQuery", json!("Enabled"));
        default(
            body,
            "properties.workspaceCapping",
            json!({"dailyQuotaGb": -1.0, "dataIngestionStatus": "RespectQuota"}),
        );
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
        let until = super::keyvault::after_days(world.now, RECOVERABLE_DAYS);
        let deleted = DeletedWorkspace {
            customer: resource.text("/properties/customerId").to_owned(),
            private: resource.private.clone(),
            until,
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
}

fn new_key(world: &mut World, key: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(world.chance.bytes(&format!("workspace key {key}"), 64))
}
