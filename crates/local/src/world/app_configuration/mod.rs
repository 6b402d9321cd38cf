//! App Configuration. In reading order:
//!
//! - [`stores`]: their keys, and what stays of them after their deletion.
//! - [`contents`]: key-values by Resource Manager, replicas, snapshots.

mod contents;
mod stores;

use serde_json::Value;

use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::{Resource, take};
use super::{Response, World};

const STORE: &str = "Microsoft.AppConfiguration/configurationStores";
const VALUE: &str = "Microsoft.AppConfiguration/configurationStores/keyValues";
const REPLICA: &str = "Microsoft.AppConfiguration/configurationStores/replicas";
const DELETED: &str = "Microsoft.AppConfiguration/locations/deletedConfigurationStores";
const SKUS: [&str; 4] = ["Free", "Developer", "Standard", "Premium"];
const KEYS: [&str; 4] = ["Primary", "Secondary", "Primary Read Only", "Secondary Read Only"];

type Answer = Result<Response, Refusal>;

const fn row(
    name: &'static str,
    names: Names,
    seconds: [f64; 3],
    replies: Replies,
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names,
        place: Place::Parent,
        seconds,
        replies,
        busy: "Conflict",
        computed: &["properties.endpoint", "properties.creationDate"],
        spelling: &[],
        rules,
    }
}

const fn names(from: usize, to: usize, signs: Signs, global: bool) -> Names {
    let refusal = ("InvalidResourceName", "The resource name '{name}' is invalid.");
    Names { length: (from, to), signs, global, refusal }
}

/// Its clients know 200 and 201 of a PATCH.
const REPLIES: Replies =
    Replies { patch: Reply { status: 200, headers: Headers::Status, done: 200 }, ..USUAL };

pub(super) static KINDS: &[Kind] = &[
    Kind {
        place: Place::Regional,
        ..row(STORE, names(5, 50, Signs::Hyphened, true), [60.0, 5.0, 10.0], REPLIES, &stores::Stores)
    },
    row(VALUE, names(1, 10_000, Signs::Any, false), [0.0; 3], at_once(200, 200), &contents::KeyValues),
    row(REPLICA, names(1, 50, Signs::Alnum, false), [60.0, 5.0, 20.0], USUAL, &contents::Replicas),
    row(
        "Microsoft.AppConfiguration/configurationStores/snapshots",
        names(1, 256, Signs::Any, false),
        [5.0, 5.0, 5.0],
        USUAL,
        &contents::Snapshots,
    ),
    Kind {
        place: Place::Free,
        ..row(DELETED, names(1, 50, Signs::Any, false), [0.0, 0.0, 5.0], at_once(405, 405), &Deleted)
    },
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

fn rank(sku: &str) -> usize {
    SKUS.iter().position(|known| known.eq_ignore_ascii_case(sku)).unwrap_or(0)
}

fn store_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    world.arm.find(&id.parent()?.key())
}

fn grave(store: &Id, location: &str) -> Id {
    let subscription = Id { subscription: store.subscription.clone(), ..Id::default() };
    subscription
        .provider("Microsoft.AppConfiguration/locations", location)
        .child("deletedConfigurationStores", store.name())
}

/// The deleted store that holds a name, wherever it was.
fn dead<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world.arm.by_name(DELETED, name)
}

#[derive(Debug)]
struct Deleted;

impl Rules for Deleted {
    fn judge(&self, _world: &World, _change: &mut Change) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "A deleted store is read, recovered or purged."))
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "A deleted store goes by POST …/purge."))
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, SUB, rg};

    const STORE: &str = "Microsoft.AppConfiguration/configurationStores/conf1";

    fn store(sku: &str, properties: Value) -> Value {
        json!({"location": "westeurope", "sku": {"name": sku}, "properties": properties})
    }

    #[test]
    fn one_store_is_free_and_has_less() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(STORE), store("gold", json!({}))).refused(400, "BadRequest");
        lab.put(&rg(STORE), store("free", json!({"enablePurgeProtection": true}))).refused(400, "BadRequest");
        lab.put(&rg(STORE), store("free", json!({}))).ok(201);
        lab.put(&rg(&STORE.replace('1', "2")), store("free", json!({}))).refused(409, "Conflict");
        lab.put(&rg(&format!("{STORE}/replicas/r1")), json!({"location": "northeurope"}))
            .refused(400, "BadRequest");
        lab.delete(&rg(STORE)).ok(200);
        lab.put(&rg(STORE), store("standard", json!({}))).ok(201);
        lab.put(&rg(STORE), store("free", json!({}))).refused(400, "BadRequest");
        lab.put(&rg(&format!("{STORE}/replicas/r1")), json!({"location": "westeurope"}))
            .refused(400, "BadRequest");
        let made =
            lab.put(&rg(&format!("{STORE}/replicas/r1")), json!({"location": "northeurope"})).ok(201).json;
        assert_eq!(made["properties"]["endpoint"], "https://conf1-r1.azconfig.io");
    }

    #[test]
    fn a_deleted_store_holds_its_name() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(STORE), store("standard", json!({}))).ok(201);
        let keys = lab.post(&format!("{}/listKeys", rg(STORE)), json!({})).ok(200).json;
        lab.delete(&rg(STORE)).ok(200);
        lab.put(&rg(STORE), store("standard", json!({}))).refused(409, "NameUnavailable");
        let listed =
            lab.get(&format!("{SUB}/providers/Microsoft.AppConfiguration/deletedConfigurationStores"));
        assert_eq!(listed.ok(200).json["value"].as_array().unwrap().len(), 1);
        lab.put(&rg(STORE), store("standard", json!({"createMode": "Recover"}))).ok(201);
        assert_eq!(lab.post(&format!("{}/listKeys", rg(STORE)), json!({})).json, keys);
        lab.patch(&rg(STORE), json!({"properties": {"enablePurgeProtection": true}})).ok(200);
        lab.patch(&rg(STORE), json!({"properties": {"enablePurgeProtection": false}}))
            .refused(400, "BadRequest");
        lab.delete(&rg(STORE)).ok(200);
        let dead = format!(
            "{SUB}/providers/Microsoft.AppConfiguration/locations/westeurope/deletedConfigurationStores/conf1"
        );
        lab.get(&dead).ok(200);
        lab.post(&format!("{dead}/purge"), json!({})).refused(409, "Conflict");
        lab.wait(7.0 * 86_400.0 + 1.0);
        lab.put(&rg(STORE), store("standard", json!({}))).ok(201);
    }

    #[test]
    fn key_values_need_a_way_in() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(STORE), store("standard", json!({"disableLocalAuth": true}))).ok(201);
        let pair = rg(&format!("{STORE}/keyValues/color$dev"));
        lab.put(&pair, json!({"properties": {"value": "red"}})).refused(409, "Conflict");
        lab.patch(
            &rg(STORE),
            json!({"properties": {"dataPlaneProxy": {"authenticationMode": "Pass-through"}}}),
        )
        .ok(200);
        let made = lab.put(&pair, json!({"properties": {"value": "red"}})).ok(200).json;
        assert_eq!(
            (&made["properties"]["key"], &made["properties"]["label"]),
            (&json!("color"), &json!("dev"))
        );
    }
}
