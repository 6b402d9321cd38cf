//! Container registries in Resource Manager. In reading order:
//!
//! - this file: the registry itself, its admin user, its actions.
//! - [`tiers`]: what each SKU has, and what the policies may be.
//! - [`children`]: replications, scope maps and tokens, cache rules and credential sets.
//! - [`webhooks`]: who is told of what happens to images.
//! - [`import`]: images copied from another registry.
//!
//! What is in a registry is [`registry`].

mod children;
mod import;
#[cfg(test)]
mod tests;
mod tiers;
mod webhooks;

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use super::arm::refusal::Refusal;
use super::arm::{Resource, at, default, operations, put, stamp};
use super::{Hidden, Method, Response, World, checks, registry};

pub(crate) use self::children::{KINDS as CHILDREN, Permit};
pub use self::import::Import;
pub(crate) use self::webhooks::{Happening, happened};

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
    replies: REPLIES,
    busy: BUSY,
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

const BUSY: &str = "RegistryOperationInProgress";

/// A PATCH ends with 200 or 201: these clients know no 202.
const REPLIES: Replies =
    Replies { patch: Reply { status: 201, headers: Headers::Status, done: 200 }, ..USUAL };

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

/// What a token of the registry (not of Entra) may do, when name and password are right.
pub(crate) fn permit(world: &World, registry: &Resource, name: &str, password: &str) -> Option<Permit> {
    children::permit(world, registry, name, password)
}

/// What a token of the registry may do now, by its name.
pub(crate) fn permit_of(world: &World, registry: &Resource, name: &str) -> Option<Permit> {
    children::permit_of(world, registry, name)
}

#[derive(Debug)]
struct Registry;

impl Rules for Registry {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        tiers::judge(world, change)?;
        let id = change.id;
        let body = &mut change.body;
        let host = format!("{}.azurecr.localhost:{}", id.name().to_ascii_lowercase(), world.config.port);
        put(body, "properties.loginServer", json!(host));
        default(body, "properties.creationDate", json!(stamp(world.now)));
        for (name, value) in [
            ("adminUserEnabled", json!(false)),
            ("anonymousPullEnabled", json!(false)),
            ("dataEndpointEnabled", json!(false)),
            ("publicNetworkAccess", json!("Enabled")),
            ("networkRuleBypassOptions", json!("AzureServices")),
            ("zoneRedundancy", json!("Disabled")),
            ("roleAssignmentMode", json!("LegacyRegistryPermissions")),
            ("encryption", json!({"status": "disabled"})),
            ("privateEndpointConnections", json!([])),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        let named = body["properties"]["dataEndpointEnabled"] == true;
        let region = body["location"].as_str().unwrap_or_default();
        let hosts =
            if named { json!([host.replacen('.', &format!(".{region}.data."), 1)]) } else { json!([]) };
        put(body, "properties.dataEndpointHostNames", hosts);
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let key = id.key();
            let passwords = [key_of(world, &key, "password"), key_of(world, &key, "password2")];
            if let Some(found) = world.arm.find_mut(&key) {
                found.private = json!({"password": passwords[0], "password2": passwords[1]});
            }
            children::grow(world, id);
        }
        registry::policies_changed(world, id.name());
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
        if let Some(refused) = tasks(call) {
            return Some(Err(refused));
        }
        match (call.request.method, call.rest.as_slice()) {
            (Method::Get, [word]) if word.eq_ignore_ascii_case("listUsages") => {
                Some(Ok(tiers::usages(world, &call.id)))
            }
            (Method::Post, [word]) => match word.to_ascii_lowercase().as_str() {
                "listcredentials" => Some(credentials(world, &call.id)),
                "regeneratecredential" => Some(regenerate(world, call)),
                "generatecredentials" => Some(children::generate(world, call)),
                "importimage" => Some(import::begin(world, call)),
                _ => None,
            },
            _ => None,
        }
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

/// What follows a registry's id and belongs to ACR Tasks.
const TASKS: &[&str] = &[
    "tasks",
    "taskRuns",
    "runs",
    "agentPools",
    "scheduleRun",
    "listBuildSourceUploadUrl",
    "pipelineRuns",
    "importPipelines",
    "exportPipelines",
];

/// Builds in the registry are refused, as they are to every subscription on free credit.
fn tasks(call: &Call) -> Option<Refusal> {
    let first = call.rest.first()?;
    if call.request.method == Method::Get || !TASKS.iter().any(|word| word.eq_ignore_ascii_case(first)) {
        return None;
    }
    let subscription = call.id.subscription.as_deref().unwrap_or_default();
    let message = format!(
        "ACR Tasks requests for the registry {} and {subscription} are not permitted. Please file an Azure support \
         request at http://aka.ms/azuresupport for assistance.",
        call.id.name().to_ascii_lowercase()
    );
    Some(Refusal::bad("TasksOperationsNotAllowed", message).at("request"))
}

/// An action that takes `seconds` at Azure's pace and ends with `result`.
fn action(world: &mut World, call: &Call, seconds: f64, result: Value) -> Response {
    let operation = operations::begin(world, &call.id, operations::Verb::Act, Ending::After(seconds));
    let running = world
        .arm
        .operations
        .get_mut(&operation)
        .map(|operation| {
            operation.result = Some(result.clone());
            operation.status == operations::Status::Running
        })
        .unwrap_or_default();
    let answer = if running { Response::empty(202) } else { Response::json(200, &result) };
    let reply = Reply { status: 202, headers: Headers::Result, done: 200 };
    operations::lead(world, call.request, &operation, reply, answer)
}

/// A password as registries make them.
fn key_of(world: &mut World, key: &str, name: &str) -> String {
    checks::key(world, &format!("registry {name} {key}"), 39)
}

fn regenerate(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let name = call.body["name"].as_str().unwrap_or_default().to_owned();
    if !["password", "password2"].contains(&name.as_str()) {
        return Err(Refusal::bad("InvalidPasswordName", format!("'{name}' names no password.")));
    }
    credentials(world, &call.id)?;
    let new = key_of(world, &call.id.key(), &name);
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        found.private[&name] = json!(new);
    }
    credentials(world, &call.id)
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

/// A text that says whether something is on (`enabled`, `Enabled`).
fn enabled(body: &Value, path: &str) -> bool {
    at(body, path).and_then(Value::as_str).is_some_and(|status| status.eq_ignore_ascii_case("enabled"))
}
