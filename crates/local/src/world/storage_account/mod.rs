//! Storage accounts in Resource Manager: accounts and their keys; [`rules`]: what an account may be; [`services`]: its
//! services and policies; [`containers`]: blob containers and how they keep what is in them. Their data plane is
//! [`blob`].

mod containers;
mod rules;
mod services;

use base64::Engine as _;
use serde_json::{Value, json};

use self::services::{Policy, Scope, Service, Stateless};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use super::arm::refusal::Refusal;
use super::arm::resources::{at_once, grow, not_there};
use super::arm::{Resource, at, put, stamp};
use super::{Method, Response, World, blob};

const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
const fn child(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 260),
            signs: Signs::Any,
            global: false,
            refusal: ("InvalidResourceName", "The name '{name}' is invalid."),
        },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(201, 200),
        busy: "StorageAccountOperationInProgress",
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(crate) static KINDS: &[Kind] = &[
    Kind {
        names: Names {
            length: (3, 24),
            signs: Signs::LowerAlnum,
            global: true,
            refusal: (
                "AccountNameInvalid",
                "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters \
                 in length and use numbers and lower-case letters only.",
            ),
        },
        place: Place::Regional,
        seconds: [18.0, 2.0, 2.0],
        // creation is 202 with a Location that answers the account at its end; the rest ends within the request
        replies: Replies {
            create: Reply { status: 202, headers: Headers::Result, done: 200 },
            ..at_once(200, 200)
        },
        computed: &[
            "properties.primaryEndpoints",
            "properties.primaryLocation",
            "properties.secondaryLocation",
            "properties.statusOfPrimary",
            "properties.statusOfSecondary",
            "properties.creationTime",
            "properties.privateEndpointConnections",
            "properties.keyCreationTime",
            "properties.secondaryEndpoints",
            "sku.tier",
        ],
        ..child(ACCOUNT, &Account)
    },
    Kind { replies: at_once(200, 200), ..child("Microsoft.Storage/storageAccounts/blobServices", &Service) },
    Kind { replies: at_once(200, 200), ..child("Microsoft.Storage/storageAccounts/fileServices", &Service) },
    Kind { replies: at_once(200, 200), ..child("Microsoft.Storage/storageAccounts/queueServices", &Service) },
    Kind { replies: at_once(200, 200), ..child("Microsoft.Storage/storageAccounts/tableServices", &Service) },
    Kind {
        replies: at_once(200, 200),
        ..child("Microsoft.Storage/storageAccounts/managementPolicies", &Policy)
    },
    child("Microsoft.Storage/storageAccounts/encryptionScopes", &Scope),
    child("Microsoft.Storage/storageAccounts/fileServices/shares", &Stateless),
    child("Microsoft.Storage/storageAccounts/queueServices/queues", &Stateless),
    child("Microsoft.Storage/storageAccounts/tableServices/tables", &Stateless),
];

/// The account of a name, when it is there.
pub fn by_name<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world.arm.by_name(ACCOUNT, name)
}

/// The account's keys, base64 as clients get them: `key1`, `key2`.
pub fn keys(account: &Resource) -> Vec<String> {
    ["key1", "key2"].iter().filter_map(|name| account.private[name].as_str().map(str::to_owned)).collect()
}

/// `properties` of the account's blob service: soft delete, versioning, CORS.
pub fn blob_service<'a>(world: &'a World, account: &Resource) -> Option<&'a Value> {
    world.arm.find(&account.id.child("blobServices", "default").key()).map(Resource::properties)
}

/// The account's lifecycle rules, `properties.policy.rules` of its management policy.
pub fn lifecycle_rules(world: &World, account: &Resource) -> Vec<Value> {
    world
        .arm
        .find(&account.id.child("managementPolicies", "default").key())
        .and_then(|policy| at(&policy.body, "properties.policy.rules"))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

#[derive(Debug)]
struct Account;

impl Rules for Account {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        rules::judge(world, change)
    }

    fn taken(&self, _world: &World, other: &Resource, id: &Id) -> Result<(), Refusal> {
        // one tenant, one subscription: whoever has the name is in it
        let _ = other;
        Err(Refusal::conflict(
            "StorageAccountAlreadyTaken",
            format!("The storage account named {} is already taken.", id.name()),
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        let key = id.key();
        if what == What::Updated {
            return Ending::After(0.0);
        }
        let keys = [new_key(world, &key, "key1"), new_key(world, &key, "key2")];
        if let Some(found) = world.arm.find_mut(&key) {
            found.private = json!({"key1": keys[0], "key2": keys[1]});
        }
        Ending::Table
    }

    fn ended(&self, world: &mut World, id: &Id, what: What, failure: Option<&Refusal>) {
        if what != What::Created || failure.is_some() {
            return;
        }
        for service in ["blobServices", "fileServices", "queueServices", "tableServices"] {
            let properties = match service {
                "blobServices" => json!({"cors": {"corsRules": []}, "deleteRetentionPolicy":
                    {"allowPermanentDelete": false, "enabled": false}}),
                "fileServices" => json!({"cors": {"corsRules": []}, "shareDeleteRetentionPolicy":
                    {"enabled": true, "days": 7}}),
                _ => json!({"cors": {"corsRules": []}}),
            };
            let child = id.child(service, "default");
            if world.arm.find(&child.key()).is_none() {
                grow(world, &child, json!({"properties": properties}), Value::Null);
            }
        }
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let name = resource.id.name();
        match blob::protected(world, name) {
            None => Ok(()),
            Some((container, why)) => Err(Refusal::conflict(
                "AccountProtectedFromDeletion",
                format!(
                    "Account {name} is protected from deletion. The container(s) {container} have a {why}."
                ),
            )),
        }
    }

    fn may_delete_with_group(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        self.may_delete(world, resource)
    }

    fn deleting(&self, _world: &mut World, _resource: &Resource) -> Ending {
        Ending::After(0.0)
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        blob::removed(world, &Gone::of(resource, world.now));
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        if resource.state == "Creating" {
            put(body, "properties.provisioningState", json!("ResolvingDNS"));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let post = call.request.method == Method::Post;
        if post && call.rest_is(&["listKeys"]) {
            return Some(list_keys(world, &call.id));
        }
        if post && call.rest_is(&["regenerateKey"]) {
            let name = call.body["keyName"].as_str().unwrap_or_default().to_ascii_lowercase();
            if !["key1", "key2"].contains(&name.as_str()) {
                return Some(Err(Refusal::bad(
                    "InvalidKeyName",
                    format!("'{name}' is no key: key1 and key2 are."),
                )));
            }
            let new = new_key(world, &call.id.key(), &name);
            let now = stamp(world.now);
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                found.private[&name] = json!(new);
                put(&mut found.body, &format!("properties.keyCreationTime.{name}"), json!(now));
            }
            return Some(list_keys(world, &call.id));
        }
        if post && call.rest_is(&["ListAccountSas"]) {
            let token = blob::account_token(world, call.id.name(), &call.body);
            return Some(token.map(|token| Response::json(200, &json!({"accountSasToken": token}))));
        }
        if post && call.rest_is(&["ListServiceSas"]) {
            let token = blob::service_token(world, call.id.name(), &call.body);
            return Some(token.map(|token| Response::json(200, &json!({"serviceSasToken": token}))));
        }
        if post && call.rest_is(&["revokeUserDelegationKeys"]) {
            blob::revoke_delegation_keys(world, call.id.name());
            return Some(Ok(Response::empty(200)));
        }
        if call.rest.first().is_some_and(|it| it.eq_ignore_ascii_case("blobServices"))
            && call.rest.get(2).is_some_and(|it| it.eq_ignore_ascii_case("containers"))
        {
            return Some(containers::serve(world, call));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["skus"]) {
            return Some(Ok(Response::json(200, &rules::skus())));
        }
        if call.request.method == Method::Get
            && let Some(answer) = deleted_accounts(world, call)
        {
            return Some(answer);
        }
        if call.request.method != Method::Post || !call.rest_is(&["checkNameAvailability"]) {
            return None;
        }
        let taken = |name: &str| {
            by_name(world, name).map(|_| format!("The storage account named {name} is already taken."))
        };
        Some(KINDS[0].availability(&call.body, "AccountNameInvalid", taken))
    }
}

/// An account that was deleted within the last two weeks.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Gone {
    id: String,
    pub(crate) name: String,
    location: String,
    created: String,
    pub(crate) at: jiff::Timestamp,
}

impl Gone {
    fn of(resource: &Resource, at: jiff::Timestamp) -> Gone {
        Gone {
            id: resource.id.to_string(),
            name: resource.id.name().to_owned(),
            location: resource.text("/location").to_owned(),
            created: resource.properties()["creationTime"].as_str().unwrap_or_default().to_owned(),
            at,
        }
    }
}

/// `deletedAccounts` of the subscription, and `locations/L/deletedAccounts/NAME`.
fn deleted_accounts(world: &World, call: &Call) -> Option<Result<Response, Refusal>> {
    let show = |gone: &Gone| {
        let name = format!("{}|{}", gone.name, gone.created);
        json!({
            "id": format!("/subscriptions/{}/providers/Microsoft.Storage/locations/{}/deletedAccounts/{}",
                          world.config.subscription, gone.location, gone.name),
            "name": gone.name, "type": "Microsoft.Storage/deletedAccounts",
            "properties": {"storageAccountResourceId": gone.id, "location": gone.location,
                           "restoreReference": name, "creationTime": gone.created,
                           "deletionTime": stamp(gone.at)},
        })
    };
    let all = blob::deleted_accounts(world);
    if call.rest_is(&["deletedAccounts"]) {
        let value: Vec<Value> = all.iter().map(show).collect();
        return Some(Ok(Response::json(200, &json!({"value": value}))));
    }
    if !call.rest_is(&["locations", "*", "deletedAccounts", "*"]) {
        return None;
    }
    let name = call.rest[3];
    let found = all.iter().rfind(|gone| gone.name.eq_ignore_ascii_case(name));
    Some(found.map(|gone| Response::json(200, &show(gone))).ok_or_else(|| {
        Refusal::missing("DeletedAccountNotFound", format!("The deleted account '{name}' is not found."))
    }))
}

fn new_key(world: &mut World, key: &str, name: &str) -> String {
    let bytes = world.chance.bytes(&format!("storage {name} {key}"), 64);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn list_keys(world: &World, id: &Id) -> Result<Response, Refusal> {
    let account = world.arm.find(&id.key()).ok_or_else(|| not_there(id))?;
    if account.state == "Creating" {
        return Err(Refusal::conflict(
            "StorageAccountIsNotProvisioned",
            "The storage account provisioning state must be 'Succeeded' before executing the operation.",
        ));
    }
    let value: Vec<Value> = ["key1", "key2"]
        .iter()
        .map(|name| {
            json!({"keyName": name, "value": account.private[name], "permissions": "FULL",
                   "creationTime": account.properties()["keyCreationTime"][name]})
        })
        .collect();
    Ok(Response::json(200, &json!({"keys": value})))
}
