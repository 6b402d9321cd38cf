//! Deployment stacks: a deployment whose resources are remembered, so that those which a later template lacks are
//! deleted or let go.
//!
//! A stack's PUT is accepted, its deployment runs, what is not managed any more goes, and the operation ends. Its
//! DELETE lets go of everything in the same way. Its `denySettings` hold others off what it manages.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::specs::as_sent;
use super::{Event, Progress};
use crate::world::access::roles::fits;
use crate::world::arm::gate::{authorize, object};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Answer, Ask, Caller, Resource, operations, put, take};
use crate::world::{Body, Method, Response, World, agenda, chance};

const NAME: &str = "Microsoft.Resources/deploymentStacks";
/// How long between two looks at what is being deleted, in seconds at speed 1.
const LOOK_SECONDS: f64 = 5.0;
/// So often at most a resource that cannot go yet is tried again.
const TRIES_MAX: u64 = 40;
/// The right to deny, which contributors do not have.
const MANAGE_DENIAL: &str = "Microsoft.Resources/deploymentStacks/manageDenySetting/action";
const DENY_MODES: [&str; 3] = ["none", "denyDelete", "denyWriteAndDelete"];

/// The row of deployment stacks.
pub const KIND: Kind = Kind {
    name: NAME,
    depth: Depth::Modelled,
    names: Names {
        length: (1, 90),
        signs: Signs::Any,
        global: false,
        refusal: ("InvalidResourceName", "The deployment stack name '{name}' is invalid."),
    },
    place: Place::Free,
    seconds: [0.0, 0.0, 0.0],
    replies: Replies {
        create: Reply { status: 201, headers: Headers::Both, done: 201 },
        delete: Reply { status: 202, headers: Headers::Both, done: 200 },
        ..USUAL
    },
    busy: "DeploymentStackInNonTerminalState",
    computed: &[
        "properties.resources",
        "properties.deletedResources",
        "properties.detachedResources",
        "properties.failedResources",
        "properties.deploymentId",
        "properties.outputs",
        "properties.duration",
        "properties.correlationId",
        "properties.error",
    ],
    spelling: &[],
    rules: &Stacks,
};

/// What the life cycle of resources does not do: `validate`, and a DELETE's `unmanageAction`s.
pub fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let id = &ask.path.id;
    if !id.kind().eq_ignore_ascii_case(NAME) {
        return None;
    }
    match ask.request.method {
        Method::Post if ask.path.rest_is(&["validate"]) => Some(validate(world, ask)),
        Method::Delete if ask.path.rest.is_empty() => {
            let mut action = json!({});
            for (query, kind) in UNMANAGED {
                if let Some(value) = ask.request.query(query) {
                    action[kind] = json!(value.to_ascii_lowercase());
                }
            }
            if let Some(stack) = world.arm.find_mut(&id.key()) {
                put(&mut stack.private, "unmanage", action);
            }
            None
        }
        _ => None,
    }
}

/// Query names of a DELETE, and the properties of `actionOnUnmanage` that they stand for.
const UNMANAGED: [(&str, &str); 3] = [
    ("unmanageAction.Resources", "resources"),
    ("unmanageAction.ResourceGroups", "resourceGroups"),
    ("unmanageAction.ManagementGroups", "managementGroups"),
];

fn validate(world: &mut World, ask: &Ask) -> Answer {
    let id = &ask.path.id;
    let mut body = object(ask.body)?;
    with_template_as_sent(&ask.request.body, &mut body);
    let deployment = deployment_id(id, "validate");
    let path = format!("{deployment}/validate");
    let (caller, origin) = (ask.caller.clone(), ask.request.origin.clone());
    let sent = deployment_body(&body, &deployment);
    let shown = super::ask(world, &caller, &origin, Method::Post, &path, ask.api_version(), sent)?;
    Ok(Response::json(
        200,
        &json!({
            "id": id.to_string(), "name": id.name(), "type": NAME,
            "properties": {
                "actionOnUnmanage": body["properties"]["actionOnUnmanage"], "denySettings": body["properties"]["denySettings"],
                "correlationId": shown["properties"]["correlationId"], "parameters": shown["properties"]["parameters"],
                "validatedResources": shown["properties"]["validatedResources"], "deploymentScope": deployment.scope().to_string(),
            },
        }),
    ))
}

/// Templates keep their nulls.
fn with_template_as_sent(sent: &Body, body: &mut Value) {
    if let Some(template) = as_sent(sent, "/properties/template").filter(|it| !it.is_null()) {
        body["properties"]["template"] = template;
    }
}

/// The deployment of a stack, beside it.
fn deployment_id(stack: &Id, tail: &str) -> Id {
    let name: String = format!("{}-{tail}", stack.name()).chars().rev().take(64).collect();
    stack.scope().provider("Microsoft.Resources/deployments", &name.chars().rev().collect::<String>())
}

fn deployment_body(stack: &Value, deployment: &Id) -> Value {
    let mut body = json!({"properties": {"mode": "Incremental"}});
    for key in ["template", "templateLink", "parameters", "parametersLink", "debugSetting"] {
        if let Some(value) = stack["properties"].get(key) {
            body["properties"][key] = value.clone();
        }
    }
    if deployment.group.is_none() {
        body["location"] = stack["location"].clone();
    }
    body
}

#[derive(Debug)]
struct Stacks;

impl Rules for Stacks {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        with_template_as_sent(&change.request.body, &mut change.body);
        let properties = &change.body["properties"];
        let invalid = |why: &str| {
            Refusal::bad(
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{why}'."),
            )
        };
        if !properties["actionOnUnmanage"].is_object() {
            return Err(invalid("Required property 'actionOnUnmanage' not found in JSON. Path 'properties'"));
        }
        for (_, kind) in UNMANAGED {
            let action = properties["actionOnUnmanage"][kind].as_str();
            let known = |action: &str| ["delete", "detach"].iter().any(|it| it.eq_ignore_ascii_case(action));
            if kind == "resources" && action.is_none() || action.is_some_and(|action| !known(action)) {
                return Err(invalid(&format!(
                    "'actionOnUnmanage.{kind}' must be 'delete' or 'detach'. Path 'properties'"
                )));
            }
        }
        let mode = properties["denySettings"]["mode"].as_str().unwrap_or_default();
        if !DENY_MODES.iter().any(|it| it.eq_ignore_ascii_case(mode)) {
            return Err(invalid(
                "'denySettings.mode' must be 'none', 'denyDelete' or 'denyWriteAndDelete'. Path 'properties'",
            ));
        }
        let denies = |mode: &str| !mode.is_empty() && !mode.eq_ignore_ascii_case("none");
        let denied = change.current.as_ref().map(|it| it.properties()["denySettings"]["mode"].as_str());
        if denies(mode) || denied.flatten().is_some_and(denies) {
            // github.com/Azure/deployment-stacks#163
            authorize(world, change.caller, MANAGE_DENIAL, change.id)?;
        }
        for (list, most) in [("excludedPrincipals", 5), ("excludedActions", 200)] {
            let given = properties["denySettings"][list].as_array().map_or(0, Vec::len);
            if given > most {
                return Err(invalid(&format!(
                    "'denySettings.{list}' has {most} entries at most. Path 'properties'"
                )));
            }
        }
        if properties["template"].is_null() && properties["templateLink"].is_null() {
            return Err(invalid(
                "A deployment stack needs a 'template' or a 'templateLink'. Path 'properties'",
            ));
        }
        let kept = json!({
            "body": change.body, "oid": change.caller.object_id, "client": change.caller.client_id,
            "origin": change.request.origin, "version": change.request.query("api-version"),
            "managed": change.private["managed"], "phase": "deploy", "tries": 0,
        });
        change.private = kept;
        // neither the template nor parameters, which may be secrets, are shown as sent
        for key in ["template", "parameters"] {
            take(&mut change.body, &format!("properties.{key}"));
        }
        for key in ["deletedResources", "detachedResources", "failedResources"] {
            change.body["properties"][key] = json!([]);
        }
        take(&mut change.body, "properties.error");
        change.body["properties"]["deploymentScope"] = match &change.sent["properties"]["deploymentScope"] {
            Value::Null => json!(change.id.scope().to_string()),
            given => given.clone(),
        };
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        soon(world, id, 0.0);
        Ending::WhenTold
    }

    fn deleted(&self, world: &mut World, stack: &Resource) {
        world.templates.denying.remove(&stack.id.key());
    }

    fn deleting(&self, world: &mut World, stack: &Resource) -> Ending {
        if let Some(stack) = world.arm.find_mut(&stack.id.key()) {
            put(&mut stack.private, "phase", json!("remove"));
            put(&mut stack.private, "tries", json!(0));
        }
        soon(world, &stack.id, 0.0);
        Ending::WhenTold
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let stack = world.arm.find(&call.id.key())?;
        (call.request.method == Method::Post && call.rest_is(&["exportTemplate"])).then(|| {
            Ok(Response::json(200, &json!({"template": stack.private["body"]["properties"]["template"]})))
        })
    }
}

fn soon(world: &mut World, id: &Id, seconds: f64) {
    let after = world.config.scaled(seconds).max(SignedDuration::from_millis(i64::from(seconds > 0.0)));
    world.later(after, agenda::Event::Templates(Event::Stack(id.key())));
}

/// The next step of a stack: deploy, or let go of what is not managed any more.
pub fn step(world: &mut World, key: &str) {
    let Some(stack) = world.arm.find(key).cloned() else { return };
    match stack.private["phase"].as_str() {
        Some("deploy") => deploy(world, &stack),
        Some("release" | "remove") => release(world, &stack),
        _ => {}
    }
}

fn caller(stack: &Resource) -> (Caller, String, String) {
    let text = |key: &str| stack.private[key].as_str().unwrap_or_default().to_owned();
    let caller = Caller { object_id: text("oid"), client_id: text("client"), stack: Some(stack.id.key()) };
    (caller, text("origin"), text("version"))
}

fn deploy(world: &mut World, stack: &Resource) {
    let tail = world.chance.uuid(&format!("deployment of {}", stack.id.key())).simple().to_string();
    let deployment = deployment_id(&stack.id, &tail[..12]);
    let (caller, origin, version) = caller(stack);
    let body = deployment_body(&stack.private["body"], &deployment);
    let sent = super::ask(world, &caller, &origin, Method::Put, &deployment.to_string(), &version, body);
    let key = stack.id.key();
    set(world, &key, "deploymentId", json!(deployment.to_string()));
    match sent {
        Ok(_) => {
            if let Some(deployment) = world.templates.deployments.get_mut(&deployment.key()) {
                deployment.stack = Some(key);
            }
        }
        Err(refusal) => fail(world, &key, refusal),
    }
}

fn set(world: &mut World, key: &str, property: &str, value: Value) {
    if let Some(stack) = world.arm.find_mut(key) {
        stack.body["properties"][property] = value;
    }
}

/// The correlation id of the stack's last deployment.
fn correlation(world: &World, key: &str) -> String {
    let stack = world.arm.find(key);
    stack.map(|it| it.text("/properties/correlationId").to_owned()).unwrap_or_default()
}

fn fail(world: &mut World, key: &str, cause: Refusal) {
    let failure = Refusal {
        details: [cause].into(),
        ..Refusal::bad(
            "DeploymentStackDeploymentFailed",
            format!(
                "One or more resources could not be deployed. Correlation id: '{}'.",
                correlation(world, key)
            ),
        )
    };
    set(world, key, "error", failure.error());
    end(world, key, Err(failure));
}

fn end(world: &mut World, key: &str, result: Result<(), Refusal>) {
    if let Some(stack) = world.arm.find_mut(key) {
        put(&mut stack.private, "phase", json!("rest"));
    }
    if let Some(operation) = operations::under_way(world, key).map(|it| it.id.clone()) {
        operations::finish(world, &operation, result);
    }
}

/// The deployment of a stack has ended: what it made is managed, what was managed before and is not in it goes.
pub fn deployed(world: &mut World, key: &str, deployment: &str) {
    let Some(done) = world.templates.deployments.get(deployment) else { return };
    let (progress, error, outputs, shown) =
        (done.progress, done.error.clone(), done.outputs.clone(), done.shown.clone());
    let correlation = done.correlation.clone();
    let made: Vec<String> = super::made(world, deployment);
    if world.arm.find(key).is_none() {
        return;
    }
    set(world, key, "correlationId", json!(correlation));
    set(world, key, "parameters", shown);
    if progress != Progress::Succeeded {
        let cause =
            error.unwrap_or_else(|| Refusal::conflict("DeploymentCanceled", "The deployment was canceled."));
        return fail(world, key, cause);
    }
    if outputs.is_object() {
        set(world, key, "outputs", outputs);
    }
    let mode = deny(world, key, &made);
    let managed: Vec<Value> =
        made.iter().map(|id| json!({"id": id, "status": "managed", "denyStatus": mode})).collect();
    set(world, key, "resources", json!(managed));
    let Some(stack) = world.arm.find_mut(key) else { return };
    let before = stack.private["managed"].as_array().cloned().unwrap_or_default();
    let is_made =
        |id: &Value| made.iter().any(|it| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(it)));
    let gone: Vec<Value> = before.into_iter().filter(|id| !is_made(id)).collect();
    put(&mut stack.private, "managed", json!(made));
    put(&mut stack.private, "gone", json!(gone));
    put(&mut stack.private, "phase", json!("release"));
    step(world, key);
}

/// What a stack denies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Writes too, not only deletions.
    writes: bool,
    /// What is below the managed resources too.
    children: bool,
    /// Keys of the ids of what is managed.
    scopes: BTreeSet<String>,
    /// Object ids that nothing is denied to.
    principals: BTreeSet<String>,
    /// Patterns of actions that are not denied.
    actions: Vec<String>,
    /// The name of the deny assignments.
    name: String,
}

/// Denies to others what the stack's settings say, over what it manages now; how that is called.
fn deny(world: &mut World, key: &str, made: &[String]) -> &'static str {
    let Some(stack) = world.arm.find(key) else { return DENY_MODES[0] };
    let settings = stack.properties()["denySettings"].clone();
    let mode = settings["mode"].as_str().unwrap_or_default();
    let mode = DENY_MODES.iter().find(|it| it.eq_ignore_ascii_case(mode)).unwrap_or(&DENY_MODES[0]);
    if *mode == DENY_MODES[0] {
        world.templates.denying.remove(key);
        return mode;
    }
    let texts = |name: &str| {
        let list = settings[name].as_array().cloned().unwrap_or_default();
        list.into_iter().filter_map(|it| it.as_str().map(str::to_ascii_lowercase)).collect::<Vec<_>>()
    };
    let denial = Denial {
        writes: *mode == DENY_MODES[2],
        children: settings["applyToChildScopes"] == true,
        scopes: made.iter().filter_map(|id| Id::parse(id)).map(|id| id.key()).collect(),
        principals: texts("excludedPrincipals").into_iter().collect(),
        actions: texts("excludedActions"),
        name: chance::fixed_uuid(world.config.seed, &format!("deny assignment {key}")).to_string(),
    };
    world.templates.denying.insert(key.to_owned(), denial);
    mode
}

/// Refuses what a stack denies: changes to what it manages, by anybody but itself.
///
/// # Errors
/// `DenyAssignmentAuthorizationFailed`.
pub fn permit(world: &World, caller: &Caller, action: &str, scope: &Id) -> Result<(), Refusal> {
    if world.templates.denying.is_empty() {
        return Ok(());
    }
    let lower = action.to_ascii_lowercase();
    let (deletes, writes) = (lower.ends_with("/delete"), lower.ends_with("/write"));
    let key = scope.key();
    for (stack, denial) in &world.templates.denying {
        let concerns = deletes || (writes && denial.writes);
        if !concerns
            || caller.stack.as_ref() == Some(stack)
            || denial.principals.contains(&caller.object_id.to_ascii_lowercase())
            || denial.actions.iter().any(|pattern| fits(pattern, &lower))
        {
            continue;
        }
        let inside =
            |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        let denied = denial.scopes.iter().find(|managed| {
            **managed == key
                || (denial.children && inside(managed, &key))
                // what is deleted takes along what is in it
                || (deletes && inside(&key, managed))
        });
        let Some(denied) = denied else { continue };
        let at = world.arm.find(denied).map_or_else(|| denied.clone(), |found| found.id.to_string());
        let by = world.arm.find(stack).map_or_else(|| stack.clone(), |found| found.id.to_string());
        return Err(Refusal::new(
            403,
            "DenyAssignmentAuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' has permission to perform action '{action}' on scope '{scope}'; \
                 however, the access is denied because of the deny assignment with name 'Deny assignment '{}' created \
                 by Deployment Stack '{by}'.' and Id '{}' at scope '{at}'.",
                caller.client_id,
                caller.object_id,
                denial.name,
                denial.name.replace('-', "")
            ),
        ));
    }
    Ok(())
}

/// What happens to a resource of a kind that is not managed any more.
fn action(stack: &Resource, id: &Id) -> bool {
    let kind = match (
        id.stretches.is_empty(),
        id.kind().eq_ignore_ascii_case(crate::world::management_groups::KIND),
    ) {
        (true, _) => "resourceGroups",
        (_, true) => "managementGroups",
        _ => "resources",
    };
    let asked = if stack.private["phase"] == "remove" {
        &stack.private["unmanage"]
    } else {
        &stack.body["properties"]["actionOnUnmanage"]
    };
    asked[kind].as_str().is_some_and(|action| action.eq_ignore_ascii_case("delete"))
}

/// Deletes or lets go, looking again while something is on its way.
fn release(world: &mut World, stack: &Resource) {
    let key = stack.id.key();
    let removes = stack.private["phase"] == "remove";
    let (caller, origin, version) = caller(stack);
    let named = if removes { &stack.private["managed"] } else { &stack.private["gone"] };
    let ids: Vec<Id> =
        named.as_array().into_iter().flatten().filter_map(|id| Id::parse(id.as_str()?)).collect();
    let tries = stack.private["tries"].as_u64().unwrap_or(0);
    let (mut deleted, mut detached, mut failed, mut waits) = (Vec::new(), Vec::new(), Vec::new(), false);
    // what was made last, children among it, goes first
    for id in ids.iter().rev() {
        let shown = json!({"id": id.to_string()});
        if !action(stack, id) {
            detached.push(shown);
            continue;
        }
        if world.arm.find(&id.key()).is_some() && operations::under_way(world, &id.key()).is_none() {
            let version = world.arm.find(&id.key()).map_or(version.clone(), |it| it.api_version.clone());
            let sent =
                super::ask(world, &caller, &origin, Method::Delete, &id.to_string(), &version, Value::Null);
            if let (Err(refusal), true) = (sent, tries >= TRIES_MAX) {
                failed.push(json!({"id": id.to_string(), "error": refusal.error()}));
                continue;
            }
        }
        waits |= world.arm.find(&id.key()).is_some();
        deleted.push(shown);
    }
    if waits && tries <= TRIES_MAX {
        if let Some(stack) = world.arm.find_mut(&key) {
            put(&mut stack.private, "tries", json!(tries + 1));
        }
        return soon(world, &stack.id, LOOK_SECONDS);
    }
    for (property, list) in
        [("deletedResources", deleted), ("detachedResources", detached), ("failedResources", failed.clone())]
    {
        set(world, &key, property, json!(list));
    }
    if failed.is_empty() {
        return end(world, &key, Ok(()));
    }
    let detail = Refusal::conflict(
        "DeploymentStackDeleteResourcesFailed",
        "An error occurred while deleting resources. These resources are still present in the stack but can be deleted \
         manually. Please see the FailedResources property for specific error information.",
    );
    let message = format!(
        "One or more resources could not be deleted. Correlation id: '{}'.",
        correlation(world, &key)
    );
    let failure = Refusal {
        details: [detail].into(),
        ..Refusal::conflict("DeploymentStackDeleteResourcesFailed", message)
    };
    set(world, &key, "error", failure.error());
    end(world, &key, Err(failure));
}
