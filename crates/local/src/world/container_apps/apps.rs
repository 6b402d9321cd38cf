//! `Microsoft.App/containerApps`: the resource, its actions, and its revisions and replicas as ARM shows them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{AppState, Revision, RevisionState, domains, environments, parts, revisions, stream, template};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Call, Change, Depth, Ending, Headers, Kind, Names, Place, Reply, Rules, Signs, USUAL, What,
};
use crate::world::arm::operations::{self, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, put, stamp, without_nulls};
use crate::world::{Method, Response, World};

pub(super) const KIND: Kind = Kind {
    name: "Microsoft.App/containerApps",
    depth: Depth::Modelled,
    names: Names {
        length: (2, 32),
        signs: Signs::AppLike,
        global: false,
        refusal: (
            "ContainerAppInvalidName",
            "Invalid ContainerApp name '{name}'. A name must consist of lower case alphanumeric characters or '-', start with \
             an alphabetic character, and end with an alphanumeric character and cannot have '--'. The length must not be \
             more than 32 characters.",
        ),
    },
    place: Place::Regional,
    // Creations and changes of the template end when the revision works; these are for the others.
    seconds: [20.0, 5.0, 15.0],
    replies: USUAL,
    busy: "ContainerAppOperationInProgress",
    computed: &[
        "properties.latestRevisionName",
        "properties.latestReadyRevisionName",
        "properties.latestRevisionFqdn",
        "properties.runningStatus",
        "properties.customDomainVerificationId",
        "properties.outboundIpAddresses",
        "properties.eventStreamEndpoint",
        "properties.configuration.ingress.fqdn",
        "properties.deploymentErrors",
    ],
    spelling: &[],
    rules: &Apps,
};

#[derive(Debug)]
struct Apps;

impl Rules for Apps {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        settle_in(world, change, "container app")?;
        let environment = environments::environment_of(&change.body).to_owned();
        let kept = change.private["secrets"].clone();
        let identities = identities(&change.body);
        let suffix = format!(".vault.localhost:{}", world.config.port);
        let properties = &mut change.body["properties"];
        properties["managedEnvironmentId"] = json!(environment);
        properties["environmentId"] = json!(environment);
        let values = template::configuration(properties, &kept, change.patch, &identities, &suffix)?;
        template::template(properties)?;
        template::profile(world, &environment, properties)?;
        parts::check_volumes(world, &environment, properties)?;
        if !properties["template"]["revisionSuffix"].is_string()
            && let Some(template) = properties["template"].as_object_mut()
        {
            template.shift_remove("revisionSuffix");
        }
        // az stumbles over nulls where a list or an object may stand.
        change.body = without_nulls(&change.body);
        let before = change.current.as_ref().map(|current| &current.body);
        domains::judge(world, change.id, &mut change.body, before)?;
        let properties = &change.body["properties"];
        check_tcp(world, change.id, &environment, properties)?;
        revisions::judge(world, change.id, properties)?;
        revisions::judge_secrets(world, change.id, properties)?;
        check_name(world, change.id, &environment)?;
        put(&mut change.private, "secrets", Value::Object(values));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if revisions::begin(world, id) {
            return Ending::WhenTold;
        }
        let _ = what;
        Ending::Table
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        revisions::settled(world, id, failure);
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        world.apps.apps.remove(&resource.id.key());
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let none = AppState::default();
        let state = world.apps.apps.get(&resource.id.key()).unwrap_or(&none);
        let domain =
            environments::domain(world, environments::environment_of(&resource.body)).unwrap_or_default();
        let latest = state.latest();
        let fqdn = latest.map(|latest| revision_host(resource, latest, domain)).unwrap_or_default();
        let running = if state.stopped {
            "Stopped"
        } else {
            match latest.map(|latest| &latest.state) {
                Some(RevisionState::Provisioning) => "Progressing",
                _ => "Running",
            }
        };
        for (name, value) in [
            ("runningStatus", json!(running)),
            ("latestRevisionName", json!(latest.map_or("", |latest| latest.name.as_str()))),
            ("latestReadyRevisionName", json!(state.latest_ready.as_deref().unwrap_or_default())),
            ("latestRevisionFqdn", json!(fqdn)),
            ("customDomainVerificationId", json!(environments::verification_id(world))),
            ("outboundIpAddresses", json!(["127.0.0.1"])),
            ("eventStreamEndpoint", json!(stream::endpoint(world, &resource.id))),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        if body["properties"]["configuration"]["ingress"].is_object() {
            put(body, "properties.configuration.ingress.fqdn", json!(host(resource, domain)));
        }
        if matches!(resource.state.as_str(), "Creating" | "Updating") {
            put(body, "properties.provisioningState", json!("InProgress"));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let key = call.id.key();
        let found = world.arm.find(&key)?;
        let post = call.request.method == Method::Post;
        if call.rest[0].eq_ignore_ascii_case("revisions") {
            return Some(below_revisions(world, call));
        }
        if !post {
            return detector_properties(world, call);
        }
        if call.rest_is(&["listSecrets"]) {
            return Some(Ok(list_secrets(found)));
        }
        if call.rest_is(&["getAuthToken"]) {
            return Some(Ok(stream::token(world, &found.id, &found.kind, found.text("/location"))));
        }
        if call.rest_is(&["listCustomHostNameAnalysis"]) {
            let host = call.request.query("customHostname").unwrap_or_default().to_ascii_lowercase();
            if host.is_empty() {
                return Some(Err(Refusal::bad(
                    "InvalidCustomHostName",
                    "The parameter 'customHostname' is missing.",
                )));
            }
            return Some(Ok(Response::json(200, &domains::analyse(world, found, &host))));
        }
        let stop = call.rest_is(&["stop"]);
        if stop || call.rest_is(&["start"]) {
            let id = found.id.clone();
            if let Some(state) = world.apps.apps.get_mut(&key) {
                state.stopped = stop;
            }
            let operation = operations::begin(world, &id, Verb::Act, Ending::After(5.0));
            let shown = crate::world::arm::resources::show(world, &key).unwrap_or(Value::Null);
            if let Some(operation) = world.arm.operations.get_mut(&operation) {
                operation.result = Some(shown.clone());
            }
            let reply = Reply { status: 202, headers: Headers::Both, done: 200 };
            return Some(Ok(operations::lead(
                world,
                call.request,
                &operation,
                reply,
                Response::json(200, &shown),
            )));
        }
        None
    }
}

/// What the portal's diagnosis asks for beside detectors: the app and its revisions, as they are elsewhere.
fn detector_properties(world: &World, call: &Call) -> Option<Result<Response, Refusal>> {
    if call.rest_is(&["detectorProperties", "rootApi"]) {
        let shown = crate::world::arm::resources::show(world, &call.id.key())?;
        return Some(Ok(Response::json(200, &shown)));
    }
    let state = world.apps.apps.get(&call.id.key())?;
    let show = |revision| show_revision(world, &call.id, revision);
    if call.rest_is(&["detectorProperties", "revisionsApi", "revisions"]) {
        let value: Vec<Value> = state.revisions.iter().map(show).collect();
        return Some(Ok(Response::json(200, &json!({"value": value}))));
    }
    if call.rest_is(&["detectorProperties", "revisionsApi", "revisions", "*"]) {
        let found = state.find(call.rest[3]).ok_or_else(|| no_revision(&call.id, call.rest[3]));
        return Some(found.map(|revision| Response::json(200, &show(revision))));
    }
    None
}

fn no_revision(app: &Id, name: &str) -> Refusal {
    let message = format!("The revision '{name}' of the container app '{}' was not found.", app.name());
    Refusal::missing("RevisionNotFound", message)
}

/// Refuses an app or job whose environment is not there, not ready, another than before, or elsewhere.
pub(super) fn settle_in(world: &World, change: &Change, what: &str) -> Result<(), Refusal> {
    let environment = environments::environment_of(&change.body);
    environments::must_take_apps(world, environment)?;
    let name = change.id.name();
    if let Some(current) = &change.current
        && !environments::environment_of(&current.body).eq_ignore_ascii_case(environment)
    {
        return Err(Refusal::bad(
            "ContainerAppEnvironmentIdChanged",
            format!("The environment of the {what} '{name}' cannot be changed after its creation."),
        ));
    }
    let home = world.arm.find(environment).map(Resource::location).unwrap_or_default();
    let own = crate::world::arm::subscriptions::normal(change.body["location"].as_str().unwrap_or_default());
    if !home.is_empty() && own != home {
        return Err(Refusal::bad(
            "ContainerAppLocationMismatch",
            format!(
                "The {what} '{name}' is in '{own}', its environment in '{home}': both must be in the same region."
            ),
        ));
    }
    Ok(())
}

/// Names are given once in an environment, whatever the group: they are host names.
fn check_name(world: &World, id: &Id, environment: &str) -> Result<(), Refusal> {
    let mut others = world.arm.of_kind("Microsoft.App/containerApps");
    let other = others.find(|other| {
        other.id.key() != id.key()
            && other.id.name().eq_ignore_ascii_case(id.name())
            && environments::environment_of(&other.body).eq_ignore_ascii_case(environment)
    });
    match other {
        None => Ok(()),
        Some(other) => Err(Refusal::conflict(
            "ContainerAppNameInUse",
            format!("The name '{}' is in use in this environment by '{}'.", id.name(), other.id),
        )),
    }
}

/// TCP from outside needs a network of one's own, and a port that no other app of the environment has.
fn check_tcp(world: &World, id: &Id, environment: &str, properties: &Value) -> Result<(), Refusal> {
    let ingress = &properties["configuration"]["ingress"];
    // Those from outside must differ in all the environment; inside, apps are told apart by name.
    let ports = |ingress: &Value| -> Vec<u64> {
        let own = match ingress["transport"].as_str() {
            Some("Tcp") if ingress["external"] == true => {
                ingress["exposedPort"].as_u64().filter(|port| *port > 0).or(ingress["targetPort"].as_u64())
            }
            _ => None,
        };
        let more = ingress["additionalPortMappings"].as_array().into_iter().flatten();
        let more = more
            .filter(|port| port["external"] == true)
            .filter_map(|port| port["exposedPort"].as_u64().or(port["targetPort"].as_u64()));
        own.into_iter().chain(more).collect()
    };
    let outside = (ingress["transport"] == "Tcp" && ingress["external"] == true)
        || ingress["additionalPortMappings"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|port| port["external"] == true);
    if outside && !environments::has_network(world, environment) {
        return Err(Refusal::bad(
            "ContainerAppTcpRequiresVnet",
            "Applications with external TCP ingress can only be deployed to Container App Environments that have a custom VNET. Set ingress traffic to 'Limited to Container Apps Environment' if you want to deploy to a Container App Environment without custom VNET.",
        ));
    }
    let own = ports(ingress);
    for other in world.arm.of_kind("Microsoft.App/containerApps") {
        let near = environments::environment_of(&other.body).eq_ignore_ascii_case(environment);
        if !near || other.id.key() == id.key() {
            continue;
        }
        if let Some(port) =
            ports(&other.properties()["configuration"]["ingress"]).iter().find(|port| own.contains(port))
        {
            return Err(Refusal::bad(
                "ContainerAppExposedPortConflict",
                format!(
                    "The exposed port {port} is in use by the container app '{}' in the same environment.",
                    other.id.name()
                ),
            ));
        }
    }
    Ok(())
}

/// Ids of the identities an app has, lower case; `system` for its own.
pub(super) fn identities(body: &Value) -> BTreeSet<String> {
    let identity = &body["identity"];
    let kinds = identity["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    let assigned = identity["userAssignedIdentities"].as_object().into_iter().flatten();
    let mut all: BTreeSet<String> =
        assigned.filter(|(_, value)| !value.is_null()).map(|(id, _)| id.to_ascii_lowercase()).collect();
    if kinds.contains("systemassigned") {
        all.insert("system".into());
    }
    all
}

/// The app's host name.
pub(super) fn host(app: &Resource, domain: &str) -> String {
    let external = app.properties()["configuration"]["ingress"]["external"].as_bool() == Some(true);
    if external {
        format!("{}.{domain}", app.id.name())
    } else {
        format!("{}.internal.{domain}", app.id.name())
    }
}

/// A revision's own host name; none without ingress.
fn revision_host(app: &Resource, revision: &Revision, domain: &str) -> String {
    let ingress = &app.properties()["configuration"]["ingress"];
    match ingress["external"].as_bool() {
        Some(true) => format!("{}.{domain}", revision.name),
        Some(false) => format!("{}.internal.{domain}", revision.name),
        None => String::new(),
    }
}

pub(super) fn list_secrets(app: &Resource) -> Response {
    let secrets = app.properties()["configuration"]["secrets"].as_array().into_iter().flatten();
    let value: Vec<Value> = secrets
        .map(|secret| {
            let mut shown = secret.clone();
            let name = secret["name"].as_str().unwrap_or_default();
            if let Some(value) = app.private["secrets"].get(name) {
                shown["value"] = value.clone();
            }
            shown
        })
        .collect();
    Response::json(200, &json!({"value": value}))
}

/// `…/revisions[/R[/replicas[/P]] | /activate | /deactivate | /restart]`.
fn below_revisions(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let key = call.id.key();
    let none = AppState::default();
    let state = world.apps.apps.get(&key).unwrap_or(&none);
    let reads = matches!(call.request.method, Method::Get | Method::Head);
    let Some(name) = call.rest.get(1) else {
        let value: Vec<Value> =
            state.revisions.iter().map(|revision| show_revision(world, &call.id, revision)).collect();
        return Ok(Response::json(200, &json!({"value": value})));
    };
    let Some(revision) = state.find(name) else {
        return Err(no_revision(&call.id, name));
    };
    if call.rest.len() == 2 && reads {
        return Ok(Response::json(200, &show_revision(world, &call.id, revision)));
    }
    let word = call.rest.get(2).copied().unwrap_or_default().to_ascii_lowercase();
    match (word.as_str(), call.rest.get(3), call.request.method) {
        ("replicas", None, Method::Get) => {
            let value: Vec<Value> = revision
                .replicas
                .keys()
                .filter_map(|name| show_replica(world, &call.id, revision, name))
                .collect();
            Ok(Response::json(200, &json!({"value": value})))
        }
        ("replicas", Some(replica), Method::Get) => match show_replica(world, &call.id, revision, replica) {
            Some(shown) => Ok(Response::json(200, &shown)),
            None => Err(Refusal::missing(
                "ReplicaNotFound",
                format!("The replica '{replica}' of the revision '{name}' was not found."),
            )),
        },
        ("activate" | "deactivate" | "restart", None, Method::Post) => {
            let name = revision.name.clone();
            revisions::steer(world, &key, &name, &word)?;
            let said = format!("{}{} succeeded", word[..1].to_uppercase(), &word[1..]);
            Ok(Response::json(200, &json!(said)))
        }
        _ => Err(Refusal::missing("NotFound", format!("The revision has no '{word}'."))),
    }
}

fn show_revision(world: &World, app: &Id, revision: &Revision) -> Value {
    let key = app.key();
    let found = world.arm.find(&key);
    let domain = found
        .and_then(|app| environments::domain(world, environments::environment_of(&app.body)))
        .unwrap_or_default();
    let state = world.apps.apps.get(&key);
    let weight: u32 = found
        .zip(state)
        .map(|(app, state)| revisions::traffic(app, state))
        .unwrap_or_default()
        .iter()
        .filter(|(name, _)| *name == revision.name)
        .map(|(_, weight)| weight)
        .sum();
    let labels: Vec<&str> = found
        .and_then(|app| app.properties()["configuration"]["ingress"]["traffic"].as_array())
        .into_iter()
        .flatten()
        .filter(|entry| entry["revisionName"].as_str() == Some(revision.name.as_str()))
        .filter_map(|entry| entry["label"].as_str())
        .collect();
    let ready = revision.replicas.values().filter(|replica| replica.ready).count();
    let most = revision.template["scale"]["maxReplicas"].as_u64().unwrap_or(10);
    let (provisioning, running, health) = match (&revision.state, revision.active) {
        (_, false) => ("Deprovisioned", "Stopped", "None"),
        (RevisionState::Provisioning, _) => ("Provisioning", "Processing", "None"),
        (RevisionState::Failed { .. }, _) => ("Failed", "Failed", "Unhealthy"),
        (RevisionState::Provisioned, _) => {
            let running = match (ready, revision.replicas.len()) {
                (0, 0) if revision.wanted > 0 => "Activating",
                (0, 0) => "ScaledToZero",
                (0, _) => "Degraded",
                (some, _) if some as u64 >= most => "RunningAtMaxScale",
                _ => "Running",
            };
            let health = match (ready, revision.replicas.len()) {
                (0, 0) => "None",
                (0, _) => "Unhealthy",
                _ => "Healthy",
            };
            ("Provisioned", running, health)
        }
    };
    let mut properties = json!({
        "createdTime": stamp(revision.created),
        "fqdn": found.map(|app| revision_host(app, revision, domain)).unwrap_or_default(),
        "template": revision.template,
        "active": revision.active,
        "replicas": revision.replicas.len(),
        "trafficWeight": weight,
        "labels": labels,
        "healthState": health,
        "provisioningState": provisioning,
        "runningState": running,
    });
    if let Some(at) = revision.last_active {
        properties["lastActiveTime"] = json!(stamp(at));
    }
    if let RevisionState::Failed { message, .. } = &revision.state {
        properties["provisioningError"] = json!(message);
    }
    if let Some(why) = revision.replicas.values().find_map(|replica| replica.why.as_ref()) {
        properties["runningStateDetails"] = json!(why);
    }
    json!({
        "id": format!("{app}/revisions/{}", revision.name),
        "name": revision.name,
        "type": "Microsoft.App/containerapps/revisions",
        "properties": properties,
    })
}

fn show_replica(world: &World, app: &Id, revision: &Revision, name: &str) -> Option<Value> {
    let (name, replica) = revision.replicas.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let containers = revision.template["containers"].as_array().into_iter().flatten();
    let shown: Vec<Value> = containers
        .map(|container| {
            let container = container["name"].as_str().unwrap_or_default();
            json!({
                "name": container,
                "containerId": format!("local://{name}/{container}"),
                "logStreamEndpoint": stream::container(world, app, &revision.name, name, container, "logstream"),
                "execEndpoint": stream::container(world, app, &revision.name, name, container, "exec"),
                "ready": replica.ready,
                "started": true,
                "restartCount": replica.restarts,
                "runningState": if replica.ready { "Running" } else { "Waiting" },
                "runningStateDetails": replica.why.as_deref().unwrap_or_default(),
            })
        })
        .collect();
    Some(json!({
        "id": format!("{app}/revisions/{}/replicas/{name}", revision.name),
        "name": name,
        "type": "Microsoft.App/containerapps/revisions/replicas",
        "properties": {
            "createdTime": stamp(replica.since),
            "runningState": if replica.ready { "Running" } else { "NotRunning" },
            "runningStateDetails": replica.why.as_deref().unwrap_or_default(),
            "containers": shown,
            "initContainers": [],
        },
    }))
}
