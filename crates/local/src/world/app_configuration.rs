//! App Configuration: stores that stay after their deletion, keys, key-values by Resource Manager, replicas.

use serde_json::{Value, json};

use super::agenda::Event;
use super::arm::gate::object;
use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use super::arm::refusal::Refusal;
use super::arm::resources::{self, at_once};
use super::arm::{Event as ArmEvent, Resource, default, locks, put, stamp, subscriptions, take};
use super::checks::{between, key, one_of, text};
use super::{Method, Response, World};

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
        ..row(STORE, names(5, 50, Signs::Hyphened, true), [60.0, 5.0, 10.0], REPLIES, &Stores)
    },
    row(VALUE, names(1, 10_000, Signs::Any, false), [0.0; 3], at_once(200, 200), &KeyValues),
    row(REPLICA, names(1, 50, Signs::Alnum, false), [60.0, 5.0, 20.0], USUAL, &Replicas),
    row(
        "Microsoft.AppConfiguration/configurationStores/snapshots",
        names(1, 256, Signs::Any, false),
        [5.0, 5.0, 5.0],
        USUAL,
        &Snapshots,
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
struct Stores;

impl Rules for Stores {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let mode = take(&mut change.body, "properties.createMode");
        let recovers =
            mode.as_ref().and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("Recover"));
        if change.current.is_none() {
            restore(world, change, recovers)?;
        }
        if change.id.name().contains("---") {
            return Err(Refusal::bad(
                "InvalidResourceName",
                format!("The resource name '{}' is invalid.", change.id.name()),
            ));
        }
        let body = &mut change.body;
        if text(body, "sku.name").is_empty() {
            return Err(bad("The property 'sku' is required for a configuration store."));
        }
        one_of(body, "sku.name", &SKUS, |value| bad(format!("The SKU '{value}' is invalid.")))?;
        let sku = text(body, "sku.name").to_ascii_lowercase();
        put(body, "sku.name", json!(sku));
        check_free(world, change, &sku)?;
        let body = &mut change.body;
        let lasting = rank(&sku) >= rank("Standard");
        let purge = body["properties"]["enablePurgeProtection"] == true;
        if purge && !lasting {
            return Err(bad(format!("Purge protection is not available for the SKU '{sku}'.")));
        }
        if body["properties"]["encryption"]["keyVaultProperties"].is_object() && !lasting {
            return Err(bad(format!("Customer-managed keys are not available for the SKU '{sku}'.")));
        }
        between(body, "properties.softDeleteRetentionInDays", 1..=7, |value| {
            bad(format!("The soft-delete retention of {value} days is not between 1 and 7."))
        })?;
        if let Some(current) = &change.current {
            let old = current.properties();
            if old["enablePurgeProtection"] == true && !purge {
                return Err(bad("Purge protection cannot be disabled once it is enabled."));
            }
            let days = &body["properties"]["softDeleteRetentionInDays"];
            if !days.is_null() && *days != old["softDeleteRetentionInDays"] {
                return Err(bad(
                    "The soft-delete retention of a store cannot be changed after its creation.",
                ));
            }
        }
        let name = change.id.name().to_ascii_lowercase();
        for (name, value) in [
            ("softDeleteRetentionInDays", json!(if lasting { 7 } else { 0 })),
            ("enablePurgeProtection", json!(false)),
            ("disableLocalAuth", json!(false)),
            ("dataPlaneProxy", json!({"authenticationMode": "Local", "privateLinkDelegation": "Disabled"})),
            ("encryption", json!({})),
            ("creationDate", json!(stamp(world.now))),
            ("endpoint", json!(format!("https://{name}.azconfig.io"))),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        one_of(body, "properties.dataPlaneProxy.authenticationMode", &["Local", "Pass-through"], |value| {
            bad(format!("The authentication mode '{value}' is invalid."))
        })
    }

    fn taken(&self, _world: &World, _other: &Resource, _id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict("NameUnavailable", "The specified name is already in use."))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            if let Some(dead) = dead(world, id.name()).map(|dead| dead.id.key()) {
                world.arm.resources.remove(&dead);
            }
            for (name, number) in KEYS.iter().zip(0..) {
                renew(world, id, name, number);
            }
        }
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let days = resource.properties()["softDeleteRetentionInDays"].as_i64().unwrap_or(0);
        if days < 1 {
            return;
        }
        let kept = jiff::SignedDuration::from_hours(24 * days);
        let purge = world.now.saturating_add(kept).unwrap_or(world.now);
        let when = stamp(world.now);
        let grave = grave(&resource.id, &resource.location());
        let body = json!({"properties": {
            "configurationStoreId": resource.id.to_string(), "location": resource.location(), "deletionDate": when,
            "scheduledPurgeDate": stamp(purge), "tags": resource.body["tags"],
            "purgeProtectionEnabled": resource.properties()["enablePurgeProtection"]}});
        let private = json!({"body": resource.body, "private": resource.private});
        resources::grow(world, &grave, body, private);
        world.later(kept, Event::Arm(ArmEvent::Purged(grave.key(), when)));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["listKeys"]) {
            let found = world.arm.find(&call.id.key())?;
            let shown: Vec<Value> = KEYS.iter().map(|name| show_key(found, name)).collect();
            return Some(Ok(Response::json(200, &json!({"value": shown}))));
        }
        call.rest_is(&["regenerateKey"]).then(|| regenerate(world, call))
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let asks = call.rest_is(&["checkNameAvailability"])
            || call.rest_is(&["locations", "*", "checkNameAvailability"]);
        if call.request.method == Method::Post && asks {
            let taken = |name: &str| {
                (world.arm.by_name(STORE, name).is_some() || dead(world, name).is_some())
                    .then(|| "The specified name is already in use.".to_owned())
            };
            return Some(KINDS[0].availability(&call.body, "Invalid", taken));
        }
        match call.request.method {
            Method::Get if call.rest_is(&["deletedConfigurationStores"]) => {
                let shown: Vec<Value> =
                    world.arm.of_kind(DELETED).map(|dead| resources::view(world, dead)).collect();
                Some(Ok(Response::json(200, &json!({"value": shown}))))
            }
            Method::Post if call.rest_is(&["locations", "*", "deletedConfigurationStores", "*", "purge"]) => {
                Some(purge(world, call))
            }
            _ => None,
        }
    }
}

/// A deleted store holds its name until it is recovered or purged.
fn restore(world: &World, change: &mut Change, recovers: bool) -> Result<(), Refusal> {
    match (dead(world, change.id.name()), recovers) {
        (None, false) => Ok(()),
        (None, true) => Err(Refusal::missing(
            "NotFound",
            format!("There is no soft-deleted configuration store '{}' to recover.", change.id.name()),
        )),
        (Some(_), false) => Err(Refusal::conflict(
            "NameUnavailable",
            "The specified name is already in use by a configuration store that is soft-deleted: recover or purge it.",
        )),
        (Some(dead), true) => {
            let own = text(dead.properties(), "configurationStoreId").eq_ignore_ascii_case(&change.id.key());
            if !own || text(dead.properties(), "location") != text(&change.body, "location") {
                return Err(bad("A store is recovered in its own group and location."));
            }
            change.body = dead.private["body"].clone();
            change.private = dead.private["private"].clone();
            Ok(())
        }
    }
}

/// One store of a subscription is free of charge, and none becomes it.
fn check_free(world: &World, change: &Change, sku: &str) -> Result<(), Refusal> {
    if sku != "free" {
        return Ok(());
    }
    match &change.current {
        Some(current) if text(&current.body, "sku.name") != "free" => {
            Err(bad("A configuration store cannot be downgraded to the Free SKU."))
        }
        Some(_) => Ok(()),
        None if world.arm.of_kind(STORE).any(|other| text(&other.body, "sku.name") == "free") => {
            Err(Refusal::conflict(
                "Conflict",
                "The subscription has reached its limit of 'free' configuration stores.",
            ))
        }
        None => Ok(()),
    }
}

/// Makes one of a store's keys: its id and secret.
fn renew(world: &mut World, store: &Id, name: &str, number: usize) {
    let word = key(world, &format!("id {name} {}", store.key()), 6);
    let secret = key(world, &format!("{name} {}", store.key()), 32);
    let now = stamp(world.now);
    if let Some(found) = world.arm.find_mut(&store.key()) {
        // a recovered store comes back with its keys
        let made = json!({"id": format!("{number}-l0-s0:{word}"), "value": secret, "lastModified": now});
        if !found.private["keys"].is_object() {
            put(&mut found.private, "keys", json!({}));
        }
        if found.private["keys"][name].is_null() {
            found.private["keys"][name] = made;
        }
    }
}

fn show_key(store: &Resource, name: &str) -> Value {
    let own = &store.private["keys"][name];
    let endpoint = text(store.properties(), "endpoint");
    let (id, secret) = (text(own, "id"), text(own, "value"));
    json!({"id": id, "name": name, "value": secret, "lastModified": own["lastModified"],
           "readOnly": name.ends_with("Read Only"),
           "connectionString": format!("Endpoint={endpoint};Id={id};Secret={secret}")})
}

fn regenerate(world: &mut World, call: &Call) -> Answer {
    locks::permit(world, &call.id, false)?;
    let body = object(&call.body)?;
    let wanted = text(&body, "id").to_owned();
    let found = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    let place = KEYS.iter().position(|name| text(&found.private["keys"][name], "id") == wanted);
    let number = place.ok_or_else(|| Refusal::missing("NotFound", format!("There is no key '{wanted}'.")))?;
    let name = KEYS[number];
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        found.private["keys"][name] = Value::Null;
    }
    renew(world, &call.id, name, number);
    let found = world.arm.find(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    Ok(Response::json(200, &show_key(found, name)))
}

fn purge(world: &mut World, call: &Call) -> Answer {
    let location = subscriptions::normal(call.rest[1]);
    let name = call.rest[3];
    let found = world.arm.of_kind(DELETED).find(|dead| {
        dead.id.name().eq_ignore_ascii_case(name) && dead.id.parent().is_some_and(|it| it.name() == location)
    });
    let Some(found) = found else {
        return Err(Refusal::missing(
            "NotFound",
            format!("The deleted store '{name}' was not found in '{location}'."),
        ));
    };
    if found.properties()["purgeProtectionEnabled"] == true {
        return Err(Refusal::conflict(
            "Conflict",
            format!(
                "The store '{name}' has purge protection: it goes on its scheduled purge date, not before."
            ),
        ));
    }
    let key = found.id.key();
    resources::remove(world, &key);
    Ok(Response::empty(200))
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

/// A key with its label, `KEY$LABEL`, written by Resource Manager with the right that its caller has on the store.
#[derive(Debug)]
struct KeyValues;

impl Rules for KeyValues {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(store) = store_of(world, change.id) else { return Ok(()) };
        let local = text(store.properties(), "dataPlaneProxy.authenticationMode") != "Pass-through";
        if local && store.properties()["disableLocalAuth"] == true {
            return Err(Refusal::conflict(
                "Conflict",
                "The operation cannot be performed because the configuration store is using local authentication mode \
                 and local authentication is disabled. To enable access to data plane resources while local \
                 authentication is disabled, pass-through ARM authentication mode must be used.",
            ));
        }
        let name = change.id.name().to_owned();
        let (key, label) =
            name.split_once('$').map_or((name.as_str(), None), |(key, label)| (key, Some(label)));
        if key.is_empty() || key == "." || key == ".." {
            return Err(bad(format!("The key '{key}' is invalid.")));
        }
        let plain = |text: &str| text.replace("~2F", "/").replace("~20", " ").replace("~7E", "~");
        put(&mut change.body, "properties.key", json!(plain(key)));
        put(&mut change.body, "properties.label", json!(label.map(plain)));
        put(&mut change.body, "properties.locked", json!(false));
        put(&mut change.body, "properties.lastModified", json!(stamp(world.now)));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.eTag", json!(resource.etag.trim_matches('"')));
        take(body, "properties.provisioningState");
    }
}

#[derive(Debug)]
struct Replicas;

impl Rules for Replicas {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = subscriptions::normal(text(&change.sent, "location"));
        let Some(store) = store_of(world, change.id) else { return Ok(()) };
        let sku = text(&store.body, "sku.name");
        if rank(sku) < rank("Standard") {
            return Err(bad(format!("Replicas are not available for the SKU '{sku}'.")));
        }
        if !subscriptions::is_region(&near) {
            return Err(bad(format!("The location '{near}' of the replica is no region.")));
        }
        let there = store.location() == near
            || world.arm.below(&store.id).any(|(key, other)| {
                other.kind == REPLICA && *key != change.id.key() && other.location() == near
            });
        if there {
            return Err(bad(format!("The store is in '{near}' already: a replica is in another location.")));
        }
        change.body["location"] = json!(near);
        let host = format!("{}-{}", store.id.name(), change.id.name()).to_ascii_lowercase();
        put(&mut change.body, "properties.endpoint", json!(format!("https://{host}.azconfig.io")));
        Ok(())
    }
}

#[derive(Debug)]
struct Snapshots;

impl Rules for Snapshots {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if change.current.is_some() {
            return Err(Refusal::conflict("Conflict", "A snapshot is not changed once it is made."));
        }
        let filters = super::checks::list(&change.body, "properties.filters").len();
        if !(1..=3).contains(&filters) {
            return Err(bad(format!("A snapshot has 1 to 3 filters, not {filters}.")));
        }
        default(&mut change.body, "properties.compositionType", json!("Key"));
        default(&mut change.body, "properties.retentionPeriod", json!(2_592_000));
        for (name, value) in [("status", json!("Ready")), ("created", json!(stamp(world.now)))] {
            put(&mut change.body, &format!("properties.{name}"), value);
        }
        Ok(())
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
