//! Container registries in Resource Manager: names, SKUs, the admin user. Their content is [`registry`].

use base64::Engine as _;
use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use super::arm::refusal::Refusal;
use super::arm::{Resource, at, default, put, stamp};
use super::{Hidden, Method, Response, World, registry};

const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";

pub(crate) static KINDS: &[Kind] = &[Kind {
    name: REGISTRY,
    depth: Depth::Modelled,
    names: Names {
        length: (5, 50),
        signs: Signs::Alnum,
        global: true,
        refusal: (
            "InvalidResourceName",
            "The registry name '{name}' is invalid. Registry names may contain alpha numeric characters only and must be \
             between 5 and 50 characters.",
        ),
    },
    place: Place::Regional,
    seconds: [12.0, 4.0, 6.0],
    // a PATCH ends with 200 or 201: its clients know no 202
    replies: Replies { patch: Reply { status: 201, headers: Headers::Status, done: 200 }, ..USUAL },
    busy: "RegistryOperationInProgress",
    computed: &[
        "properties.loginServer",
        "properties.creationDate",
        "properties.status",
        "properties.privateEndpointConnections",
        "properties.dataEndpointHostNames",
    ],
    spelling: &[],
    rules: &Registry,
}];

/// The registry of a name, when it is there.
pub fn by_name<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world.arm.by_name(REGISTRY, name)
}

/// Name and passwords of a registry's admin user, when it is enabled.
pub fn admin(_world: &World, resource: &Resource) -> Option<(String, Vec<Hidden>)> {
    if resource.properties()["adminUserEnabled"] != true {
        return None;
    }
    let password = |name: &str| Hidden(resource.private[name].as_str().unwrap_or_default().to_owned());
    Some((resource.id.name().to_owned(), vec![password("password"), password("password2")]))
}

#[derive(Debug)]
struct Registry;

impl Rules for Registry {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let sku = change.body["sku"]["name"].as_str().unwrap_or_default().to_owned();
        let Some(sku) =
            ["Basic", "Standard", "Premium"].iter().find(|known| known.eq_ignore_ascii_case(&sku))
        else {
            return Err(Refusal::bad(
                "InvalidSku",
                format!("The SKU '{sku}' is not valid. Available SKUs are Basic, Standard and Premium."),
            ));
        };
        put(&mut change.body, "sku", json!({"name": sku, "tier": sku}));
        if *sku != "Premium" {
            let properties = &change.body["properties"];
            let wants = [
                ("networkRuleSet", at(properties, "networkRuleSet.defaultAction") == Some(&json!("Deny"))),
                ("publicNetworkAccess", properties["publicNetworkAccess"] == "Disabled"),
                ("zoneRedundancy", properties["zoneRedundancy"] == "Enabled"),
                ("dataEndpointEnabled", properties["dataEndpointEnabled"] == true),
                ("encryption", at(properties, "encryption.status") == Some(&json!("enabled"))),
            ];
            if let Some((name, _)) = wants.iter().find(|(_, wanted)| *wanted) {
                return Err(Refusal::bad(
                    "FeatureNotSupportedForSku",
                    format!(
                        "The property '{name}' is only supported for a registry of the Premium SKU, not {sku}."
                    ),
                ));
            }
        }
        let body = &mut change.body;
        let host =
            format!("{}.azurecr.localhost:{}", change.id.name().to_ascii_lowercase(), world.config.port);
        put(body, "properties.loginServer", json!(host));
        default(body, "properties.creationDate", json!(stamp(world.now)));
        for (name, value) in [
            ("adminUserEnabled", json!(false)),
            ("anonymousPullEnabled", json!(false)),
            ("dataEndpointEnabled", json!(false)),
            ("publicNetworkAccess", json!("Enabled")),
            ("networkRuleBypassOptions", json!("AzureServices")),
            ("zoneRedundancy", json!("Disabled")),
            (
                "policies",
                json!({"quarantinePolicy": {"status": "disabled"},
                "trustPolicy": {"type": "Notary", "status": "disabled"},
                "retentionPolicy": {"days": 7, "status": "disabled"},
                "exportPolicy": {"status": "enabled"},
                "azureADAuthenticationAsArmPolicy": {"status": "enabled"}}),
            ),
            ("encryption", json!({"status": "disabled"})),
            ("privateEndpointConnections", json!([])),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        if at(body, "properties.policies.trustPolicy.status").is_some_and(|status| status == "enabled") {
            return Err(Refusal::bad(
                "ContentTrustRetired",
                "Content trust can no longer be enabled on a registry: sign with the Notary Project instead.",
            ));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let key = id.key();
            let passwords = [key_of(world, &key, "password"), key_of(world, &key, "password2")];
            if let Some(found) = world.arm.find_mut(&key) {
                found.private = json!({"password": passwords[0], "password2": passwords[1]});
            }
        }
        Ending::Table
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict(
            "AlreadyInUse",
            format!(
                "The registry DNS name {}.azurecr.io is already in use. You can check if the name is already claimed \
                 using following API: \
                 https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/checknameavailability",
                id.name().to_ascii_lowercase()
            ),
        ))
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        registry::removed(world, resource.id.name());
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method == Method::Get && call.rest_is(&["listUsages"]) {
            return Some(Ok(usages(world, &call.id)));
        }
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["listCredentials"]) {
            return Some(credentials(world, &call.id));
        }
        if call.rest_is(&["regenerateCredential"]) {
            let name = call.body["name"].as_str().unwrap_or_default().to_owned();
            if !["password", "password2"].contains(&name.as_str()) {
                return Some(Err(Refusal::bad(
                    "InvalidPasswordName",
                    format!("'{name}' names no password."),
                )));
            }
            let new = key_of(world, &call.id.key(), &name);
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                found.private[&name] = json!(new);
            }
            return Some(credentials(world, &call.id));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.rest_is(&["checkNameAvailability"]) {
            return None;
        }
        let taken =
            |name: &str| by_name(world, name).map(|_| format!("The registry {name} is already in use."));
        Some(KINDS[0].availability(&call.body, "Invalid", taken))
    }
}

/// A password as registries make them.
fn key_of(world: &mut World, key: &str, name: &str) -> String {
    let bytes = world.chance.bytes(&format!("registry {name} {key}"), 39);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn credentials(world: &World, id: &Id) -> Result<Response, Refusal> {
    let found = world.arm.find(&id.key()).and_then(|resource| admin(world, resource));
    let Some((name, passwords)) = found else {
        return Err(Refusal::bad(
            "UnAuthorizedForCredentialOperations",
            format!(
                "Cannot perform credential operations for {id} as admin user is disabled. Kindly enable admin user as \
                 per docs: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account"
            ),
        ));
    };
    let shown: Vec<Value> = ["password", "password2"]
        .iter()
        .zip(&passwords)
        .map(|(name, value)| json!({"name": name, "value": value.0}))
        .collect();
    Ok(Response::json(200, &json!({"username": name, "passwords": shown})))
}

fn usages(world: &World, id: &Id) -> Response {
    let sku = world.arm.find(&id.key()).map(|found| found.text("/sku/name").to_owned()).unwrap_or_default();
    let (gib, webhooks) = match sku.as_str() {
        "Basic" => (10_u64, 2),
        "Standard" => (100, 10),
        _ => (500, 500),
    };
    Response::json(
        200,
        &json!({"value": [
            {"name": "Size", "limit": gib << 30, "currentValue": 0, "unit": "Bytes"},
            {"name": "Webhooks", "limit": webhooks, "currentValue": 0, "unit": "Count"},
        ]}),
    )
}
