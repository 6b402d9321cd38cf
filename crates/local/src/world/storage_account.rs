//! Storage accounts in Resource Manager: accounts, blob services, containers, management policies, keys. Their data
//! plane is [`blob`].

use base64::Engine as _;
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use super::arm::refusal::Refusal;
use super::arm::resources::{at_once, grow, not_there};
use super::arm::{Resource, at, default, put, stamp, take};
use super::{Method, Response, World, blob};

const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
const SKUS: [&str; 12] = [
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "StandardV2_LRS",
    "StandardV2_GRS",
    "StandardV2_ZRS",
    "PremiumV2_LRS",
];
const KIND_NAMES: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];

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
        let id = change.id;
        let sku = change.body["sku"]["name"].as_str().unwrap_or_default().to_owned();
        let Some(sku) = SKUS.iter().find(|known| known.eq_ignore_ascii_case(&sku)) else {
            return Err(Refusal::bad(
                "InvalidValueForParameter",
                format!(
                    "The value '{sku}' is not valid for the parameter sku.name; one of {} is.",
                    SKUS.join(", ")
                ),
            )
            .at("sku.name"));
        };
        let kind = change.body["kind"].as_str().unwrap_or_default().to_owned();
        let Some(kind) = KIND_NAMES.iter().find(|known| known.eq_ignore_ascii_case(&kind)) else {
            return Err(Refusal::bad(
                "InvalidValueForParameter",
                format!(
                    "The value '{kind}' is not valid for the parameter kind; one of {} is.",
                    KIND_NAMES.join(", ")
                ),
            )
            .at("kind"));
        };
        let premium = sku.starts_with("Premium");
        if premium != matches!(*kind, "FileStorage" | "BlockBlobStorage")
            && !(premium && kind.starts_with("Storage"))
        {
            return Err(Refusal::bad(
                "AccountPropertyIsInvalid",
                format!("Account property kind '{kind}' is invalid with the SKU '{sku}'."),
            ));
        }
        if let Some(current) = &change.current
            && !current.text("/kind").eq_ignore_ascii_case(kind)
            && (current.text("/kind") != "Storage" || *kind != "StorageV2")
        {
            return Err(Refusal::conflict(
                "StorageAccountPropertyCannotBeUpdated",
                format!(
                    "The storage account property 'kind' cannot be updated from '{}'.",
                    current.text("/kind")
                ),
            ));
        }
        for (name, known) in [
            ("accessTier", ["Hot", "Cool", "Cold", "Premium"].as_slice()),
            ("minimumTlsVersion", ["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"].as_slice()),
        ] {
            let given = &change.body["properties"][name];
            if given.is_null() {
                continue;
            }
            let text = given.as_str().unwrap_or_default();
            let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(text)) else {
                return Err(Refusal::bad(
                    "InvalidValueForParameter",
                    format!(
                        "The value {given} is not valid for the parameter {name}; one of {} is.",
                        known.join(", ")
                    ),
                )
                .at(format!("properties.{name}")));
            };
            put(&mut change.body, &format!("properties.{name}"), json!(known));
        }
        if *kind == "BlobStorage" && change.body["properties"]["accessTier"].is_null() {
            return Err(Refusal::bad(
                "AccountPropertyIsInvalid",
                "The account property accessTier is required for the account kind BlobStorage.",
            ));
        }
        let body = &mut change.body;
        put(body, "sku", json!({"name": sku, "tier": if premium { "Premium" } else { "Standard" }}));
        put(body, "kind", json!(kind));
        let location = super::arm::subscriptions::normal(body["location"].as_str().unwrap_or_default());
        for (name, value) in [
            ("minimumTlsVersion", json!("TLS1_2")),
            ("allowBlobPublicAccess", json!(false)),
            ("supportsHttpsTrafficOnly", json!(true)),
            (
                "networkAcls",
                json!({"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [],
                                   "defaultAction": "Allow"}),
            ),
            (
                "encryption",
                json!({"services": {"file": {"keyType": "Account", "enabled": true},
                "blob": {"keyType": "Account", "enabled": true}}, "keySource": "Microsoft.Storage"}),
            ),
            ("primaryLocation", json!(location)),
            ("statusOfPrimary", json!("available")),
            ("creationTime", json!(stamp(world.now))),
            ("privateEndpointConnections", json!([])),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        if *kind != "Storage" && !premium {
            default(body, "properties.accessTier", json!("Hot"));
        }
        default(
            body,
            "properties.keyCreationTime",
            json!({"key1": stamp(world.now), "key2": stamp(world.now)}),
        );
        let (name, port) = (id.name(), world.config.port);
        let mut endpoints = json!({});
        for service in ["blob", "dfs", "file", "queue", "table"] {
            if *kind == "BlockBlobStorage" && !matches!(service, "blob" | "dfs") {
                continue;
            }
            endpoints[service] = json!(format!("https://{name}.{service}.core.localhost:{port}/"));
        }
        put(body, "properties.primaryEndpoints", endpoints);
        Ok(())
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

    fn deleting(&self, _world: &mut World, _resource: &Resource) -> Ending {
        Ending::After(0.0)
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        blob::removed(world, resource.id.name());
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
            && call.rest.len() <= 4
        {
            return Some(container(world, call));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.rest_is(&["checkNameAvailability"]) {
            return None;
        }
        let taken = |name: &str| {
            by_name(world, name).map(|_| format!("The storage account named {name} is already taken."))
        };
        Some(KINDS[0].availability(&call.body, "AccountNameInvalid", taken))
    }
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

/// `blobServices/default/containers[/NAME]`: the blob service keeps them, whichever plane made them.
fn container(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let account = call.id.name().to_owned();
    if world.arm.find(&call.id.key()).is_some_and(|found| found.state == "Creating") {
        return Err(Refusal::conflict(
            "StorageAccountIsNotProvisioned",
            "The storage account provisioning state must be 'Succeeded' before executing the operation.",
        ));
    }
    let show = |name: &str, properties: &Value| {
        json!({
            "id": format!("{}/blobServices/default/containers/{name}", call.id), "name": name,
            "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
            "etag": properties.get("etag").cloned().unwrap_or_default(),
            "properties": properties,
        })
    };
    let find =
        |world: &World, name: &str| blob::containers(world, &account).into_iter().find(|it| it.0 == name);
    let Some(name) = call.rest.get(3) else {
        let value: Vec<Value> =
            blob::containers(world, &account).iter().map(|(name, it)| show(name, it)).collect();
        return Ok(Response::json(200, &json!({"value": value})));
    };
    let missing = || Refusal::missing("ContainerNotFound", "The specified container does not exist.");
    match call.request.method {
        Method::Get | Method::Head => {
            find(world, name).map(|(name, it)| Response::json(200, &show(&name, &it))).ok_or_else(missing)
        }
        Method::Put | Method::Patch => {
            let fits = (3..=63).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.ends_with(|c: char| c.is_ascii_alphanumeric())
                && !name.contains("--");
            if !fits && *name != "$root" && *name != "$web" && *name != "$logs" {
                return Err(Refusal::bad(
                    "ContainerOperationFailure",
                    "The specified resource name contains invalid characters. A container's name has 3 to 63 \
                     lower-case letters, digits and single hyphens.",
                ));
            }
            if call.request.method == Method::Patch && find(world, name).is_none() {
                return Err(missing());
            }
            let mut properties = call.body["properties"].clone();
            if !properties.is_object() {
                properties = json!({});
            }
            let public = properties["publicAccess"].as_str().unwrap_or("None").to_ascii_lowercase();
            if public != "none"
                && world
                    .arm
                    .find(&call.id.key())
                    .is_some_and(|it| it.properties()["allowBlobPublicAccess"] != true)
            {
                return Err(Refusal::conflict(
                    "PublicAccessNotPermitted",
                    "Public access is not permitted on this storage account.",
                ));
            }
            let created = blob::put_container(world, &account, name, &properties);
            let (name, it) = find(world, name).ok_or_else(missing)?;
            Ok(Response::json(if created { 201 } else { 200 }, &show(&name, &it)))
        }
        Method::Delete => {
            let there = blob::delete_container(world, &account, name)
                .map_err(|(code, message)| Refusal::new(412, code, message))?;
            Ok(Response::empty(if there { 200 } else { 204 }))
        }
        Method::Post | Method::Options => {
            Err(Refusal::new(405, "MethodNotAllowed", "This container action is not modelled locally."))
        }
    }
}

/// The services of an account: there from its creation, all named `default`.
#[derive(Debug)]
struct Service;

impl Rules for Service {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(Refusal::bad(
                "InvalidResourceName",
                "The service of a storage account is named 'default'.",
            ));
        }
        if let Some(current) = &change.current {
            // what is not sent stays as it is
            let mut merged = current.body.clone();
            super::arm::merge(&mut merged, &change.body);
            change.body = merged;
        }
        for policy in
            ["deleteRetentionPolicy", "containerDeleteRetentionPolicy", "shareDeleteRetentionPolicy"]
        {
            let policy = &change.body["properties"][policy];
            if policy["enabled"] == true
                && !policy["days"].as_i64().is_some_and(|days| (1..=365).contains(&days))
            {
                return Err(Refusal::bad(
                    "InvalidXmlNodeValue",
                    "The retention days of a delete retention policy must be between 1 and 365.",
                ));
            }
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn may_delete(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "The services of a storage account cannot be deleted."))
    }
}

#[derive(Debug)]
struct Policy;

impl Rules for Policy {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(Refusal::bad("InvalidResourceName", "The management policy is named 'default'."));
        }
        let rules = at(&change.body, "properties.policy.rules").and_then(Value::as_array);
        if rules.is_none_or(Vec::is_empty) {
            return Err(Refusal::bad(
                "InvalidManagementPolicy",
                "The management policy needs at least one rule in properties.policy.rules.",
            ));
        }
        let service = change
            .id
            .parent()
            .and_then(|account| world.arm.find(&account.child("blobServices", "default").key()));
        let tracks = service.is_some_and(|it| {
            at(it.properties(), "lastAccessTimeTrackingPolicy.enable") == Some(&json!(true))
        });
        blob::check_lifecycle(rules.map(Vec::as_slice).unwrap_or_default(), tracks)?;
        put(&mut change.body, "properties.lastModifiedTime", json!(stamp(world.now)));
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        if failure.is_none()
            && let Some(account) = id.parent()
        {
            blob::policy_changed(world, account.name());
        }
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

/// Children that show no provisioning state.
#[derive(Debug)]
struct Stateless;

impl Rules for Stateless {
    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}
