//! A deployment step by step: every resource whose needs are done is sent to Resource Manager as a client would send
//! it, and the deployment goes on when the resource's own operation has ended.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::evaluate::{Machine, Phase, Stop};
use super::template::{Places, is_deployment, is_secure, resolved, sendable, sentence};
use super::{Deployment, Event, Progress, Turn, complete, functions, nested, prepare, seconds, stacks};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{operations, stamp};
use crate::world::{Body, Method, World, agenda};

/// A resource refused by a passing trouble (429, 503 and their kin) is sent so often at most.
const TRIES_MAX: u32 = 5;
/// How long ARM waits before it sends such a resource again, in seconds at speed 1.
const RETRY_SECONDS: f64 = 10.0;

/// Takes every step that can be taken now.
pub fn step(world: &mut World, key: &str) {
    let now = world.now;
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return };
    if !deployment.progress.is_active() || deployment.stepping {
        return;
    }
    deployment.progress = Progress::Running;
    deployment.stepping = true;
    loop {
        let Some(deployment) = world.templates.deployments.get(key) else { return };
        if !deployment.progress.is_active() {
            break;
        }
        let ready: Vec<usize> = (0..deployment.nodes.len())
            .filter(|at| {
                let node = &deployment.nodes[*at];
                node.turn == Turn::Waiting
                    && node.after.is_none_or(|after| after <= now)
                    && node.needs.iter().all(|need| deployment.nodes[*need].turn == Turn::Done)
            })
            .collect();
        if ready.is_empty() {
            break;
        }
        for at in ready {
            start(world, key, at);
        }
    }
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return };
    deployment.stepping = false;
    if !deployment.progress.is_active() {
        return;
    }
    let busy = deployment.nodes.iter().any(|node| {
        node.turn == Turn::Running
            || (node.turn == Turn::Waiting && node.after.is_some_and(|after| after > now))
    });
    if busy {
        return;
    }
    let failed = deployment.nodes.iter().any(|node| matches!(node.turn, Turn::Failed(_)));
    if !failed && deployment.complete && !complete::step(world, key) {
        return;
    }
    end(world, key);
}

/// Sends one resource.
fn start(world: &mut World, key: &str, at: usize) {
    let now = world.now;
    let Some(frame) = prepare::frame_again(world, key) else { return };
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return };
    let (caller, origin) = (deployment.caller(), deployment.origin.clone());
    let node = &mut deployment.nodes[at];
    node.begun.get_or_insert(now);
    if !node.wanted || node.existing {
        node.turn = Turn::Done;
        node.ended = Some(now);
        node.status = 200;
        return;
    }
    node.turn = Turn::Running;
    let (id, version, copies) = (node.id.clone(), node.api_version.clone(), node.copies.clone());
    let source = frame.template.pointer(&node.pointer).cloned().unwrap_or(Value::Null);
    if is_deployment(&node.kind) {
        if let Err(failure) = nested::start(world, key, at, &frame, &source) {
            settle(world, key, at, Some(failure));
        }
        return;
    }
    let mut machine = Machine::new(world, &frame, Phase::Running);
    machine.copies = copies;
    let body = match machine.expand(&sendable(&source)) {
        Ok(body) => body,
        Err(Stop::Refused(refusal)) => return settle(world, key, at, Some(refusal)),
        Err(stop) => {
            let why = format!(
                "Unable to process template language expressions for resource '{id}'. '{}'",
                sentence(&stop)
            );
            return settle(world, key, at, Some(Refusal::bad("InvalidTemplate", why)));
        }
    };
    let response = super::send(world, &caller, &origin, Method::Put, &id.to_string(), &version, body);
    let answer: Value = match &response.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    if response.status >= 400 {
        let refusal = super::refusal(response.status, &answer);
        if matches!(response.status, 429 | 500 | 502 | 503 | 504) && again(world, key, at) {
            return;
        }
        return settle(world, key, at, Some(refusal));
    }
    if let Some(deployment) = world.templates.deployments.get_mut(key) {
        deployment.nodes[at].status = response.status;
    }
    match operations::under_way(world, &id.key()).map(|operation| operation.id.clone()) {
        Some(operation) => {
            world.templates.waiting.insert(operation, (key.to_owned(), at));
        }
        None => settle(world, key, at, None),
    }
}

/// Lets a resource be sent again later; `false` when that was done often enough.
fn again(world: &mut World, key: &str, at: usize) -> bool {
    let wait = world.config.scaled(RETRY_SECONDS).max(SignedDuration::from_millis(1));
    let after = world.now.saturating_add(wait).unwrap_or(world.now);
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return false };
    let node = &mut deployment.nodes[at];
    node.tries += 1;
    if node.tries >= TRIES_MAX {
        return false;
    }
    node.turn = Turn::Waiting;
    node.after = Some(after);
    world.later(wait, agenda::Event::Templates(Event::Step(key.to_owned())));
    true
}

/// The operation of a resource has ended.
pub fn node_ended(world: &mut World, key: &str, at: usize, failure: Option<&Refusal>) {
    if complete::ended(world, key, at, failure) {
        step(world, key);
        return;
    }
    let Some(deployment) = world.templates.deployments.get(key) else { return };
    let Some(node) = deployment.nodes.get(at) else { return };
    let failure = failure.map(|failure| Refusal {
        details: [failure.clone()].into(),
        ..Refusal::conflict(
            "ResourceDeploymentFailure",
            "The resource write operation failed to complete successfully, because it reached terminal provisioning \
             state 'Failed'.",
        )
        .at(node.id.to_string())
    });
    settle(world, key, at, failure);
    step(world, key);
}

/// A node is done, or has failed.
fn settle(world: &mut World, key: &str, at: usize, failure: Option<Refusal>) {
    let now = world.now;
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return };
    let Some(node) = deployment.nodes.get_mut(at) else { return };
    node.ended = Some(now);
    node.after = None;
    match failure {
        None => {
            node.turn = Turn::Done;
            if node.status == 0 {
                node.status = 200;
            }
        }
        Some(failure) => {
            node.status = failure.status;
            node.turn = Turn::Failed(Box::new(failure));
        }
    }
}

/// Ends a deployment that has nothing left to do.
fn end(world: &mut World, key: &str) {
    let Some(deployment) = world.templates.deployments.get(key) else { return };
    let mut details: Vec<Refusal> = deployment
        .nodes
        .iter()
        .filter_map(|node| match &node.turn {
            Turn::Failed(failure) => Some((**failure).clone()),
            _ => None,
        })
        .collect();
    details.extend(complete::failures(deployment));
    let mut failure = None;
    if details.is_empty() {
        match outputs(world, key) {
            Ok((outputs, secure)) => {
                if let Some(deployment) = world.templates.deployments.get_mut(key) {
                    deployment.outputs = outputs;
                    deployment.secure.0 = secure;
                }
            }
            Err(refusal) => failure = Some(refusal),
        }
    } else if let Some(deployment) = world.templates.deployments.get(key) {
        failure = Some(Refusal {
            details: details.into(),
            ..Refusal::conflict(
                "DeploymentFailed",
                "At least one resource deployment operation failed. Please list deployment operations for details. \
                 Please see https://aka.ms/arm-deployment-operations for usage details.",
            )
            .at(deployment.id.to_string())
        });
    }
    let progress = if failure.is_some() { Progress::Failed } else { Progress::Succeeded };
    close(world, key, progress, failure);
}

/// Records the end and tells the deployment it is part of.
fn close(world: &mut World, key: &str, progress: Progress, error: Option<Refusal>) {
    let now = world.now;
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return };
    deployment.progress = progress;
    deployment.ended = Some(now);
    deployment.error.clone_from(&error);
    let (parent, stack) = (deployment.parent.clone(), deployment.stack.clone());
    world.templates.frames.remove(key);
    if progress == Progress::Failed {
        roll_back(world, key);
    }
    if let Some(stack) = stack {
        stacks::deployed(world, &stack, key);
    }
    if let Some((parent, at)) = parent {
        let failure = match progress {
            Progress::Canceled => {
                Some(Refusal::conflict("DeploymentCanceled", "The deployment was canceled."))
            }
            _ => error,
        };
        node_ended(world, &parent, at, failure.as_ref());
    }
}

/// Deploys again what `onErrorDeployment` names, with the template and parameters it had.
fn roll_back(world: &mut World, key: &str) {
    let Some(deployment) = world.templates.deployments.get(key) else { return };
    let Some(rescue) = deployment.rescue.clone() else { return };
    let earlier = deployment.scope().provider("Microsoft.Resources/deployments", &rescue.name).key();
    let Some(found) = world.templates.deployments.get(&earlier).filter(|it| !it.progress.is_active()) else {
        return;
    };
    let parameters: Value =
        found.parameters.0.iter().map(|(name, value)| (name.clone(), json!({"value": value}))).collect();
    let source = prepare::Source {
        id: found.id.clone(),
        location: found.location.clone(),
        tags: found.tags.clone(),
        complete: found.complete,
        template: found.template.0.clone(),
        parameters,
        correlation: deployment.correlation.clone(),
        caller: deployment.caller(),
        origin: deployment.origin.clone(),
        parent: None,
        outer: None,
        link: found.link.0.clone(),
        base: found.link.0.clone(),
        texts: std::sync::Arc::new(found.texts.0.clone()),
    };
    let Ok((again, frame)) = prepare::build(world, source, &Places::default()) else { return };
    world.templates.frames.insert(earlier.clone(), frame);
    world.templates.deployments.insert(earlier.clone(), again);
    if let Some(rescue) = world.templates.deployments.get_mut(key).and_then(|it| it.rescue.as_mut()) {
        rescue.begun = true;
    }
    world.later(SignedDuration::ZERO, agenda::Event::Templates(Event::Step(earlier)));
}

/// Cancels: what has not been started never is, what runs may still finish.
pub fn cancel(world: &mut World, key: &str) {
    let children: Vec<String> = world
        .templates
        .deployments
        .iter()
        .filter(|(_, it)| {
            it.progress.is_active() && it.parent.as_ref().is_some_and(|(parent, _)| parent == key)
        })
        .map(|(key, _)| key.clone())
        .collect();
    let now = world.now;
    if let Some(deployment) = world.templates.deployments.get_mut(key) {
        deployment.progress = Progress::Canceled;
        deployment.ended = Some(now);
        deployment.error = Some(
            Refusal::conflict("DeploymentCanceled", "The deployment was canceled.")
                .at(deployment.id.to_string()),
        );
    }
    world.templates.frames.remove(key);
    for child in children {
        cancel(world, &child);
    }
}

/// The outputs as shown, and the values of those that are secure.
fn outputs(world: &mut World, key: &str) -> Result<(Value, BTreeMap<String, Value>), Refusal> {
    let Some(frame) = prepare::frame_again(world, key) else { return Ok(Default::default()) };
    let template = frame.template.clone();
    let Some(defined) = template["outputs"].as_object().filter(|it| !it.is_empty()) else {
        return Ok(Default::default());
    };
    let mut shown = Map::new();
    let mut secure = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, definition) in defined {
        let mut machine = Machine::new(world, &frame, Phase::Running);
        match output(&mut machine, name, definition) {
            Ok(None) => {}
            Ok(Some(value)) => {
                let kind = prepare::type_name(&resolved(&template, definition)["type"]);
                let mut one = json!({"type": kind});
                if is_secure(&template, definition) {
                    secure.insert(name.clone(), value);
                } else {
                    one["value"] = value;
                }
                shown.insert(name.clone(), one);
            }
            Err(stop) => problems.push((name.clone(), sentence(&stop))),
        }
    }
    if problems.is_empty() {
        return Ok((Value::Object(shown), secure));
    }
    let code = "DeploymentOutputEvaluationFailed";
    let names: Vec<&str> = problems.iter().map(|(name, _)| name.as_str()).collect();
    let message = format!(
        "Unable to evaluate template outputs: '{}'. Please see error details and deployment operations. Please see \
         https://aka.ms/arm-common-errors for usage details.",
        names.join(",")
    );
    let details = problems
        .iter()
        .map(|(name, why)| {
            Refusal::bad(code, format!("The template output '{name}' is not valid: {why}.")).at(name.clone())
        })
        .collect();
    Err(Refusal { details, ..Refusal::bad(code, message) })
}

/// One output's value; `None` when its condition does not hold.
fn output(machine: &mut Machine, name: &str, definition: &Value) -> Result<Option<Value>, Stop> {
    if let Some(condition) = definition.get("condition") {
        let value = machine.expand(condition)?;
        if !functions::truth("condition", &value)? {
            return Ok(None);
        }
    }
    let value = match definition.get("copy").filter(|it| it.is_object()) {
        Some(copy) => {
            let count = machine.count(&copy["count"], name)?;
            let mut values = Vec::new();
            for turn in 0..count {
                machine.copies.push((name.to_owned(), turn));
                let value = machine.expand(&copy["input"]);
                machine.copies.pop();
                values.push(value?);
            }
            Value::Array(values)
        }
        None => machine.expand(&definition["value"])?,
    };
    let kind = definition["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    let (fits, wanted) = match kind.as_str() {
        "string" | "securestring" => (value.is_string(), "String, Uri"),
        "int" => (value.is_number(), "Integer"),
        "bool" => (value.is_boolean(), "Boolean"),
        "array" => (value.is_array(), "Array"),
        "object" | "secureobject" => (value.is_object(), "Object"),
        _ => (true, ""),
    };
    let none = value.is_null() && definition["nullable"] == true;
    if !fits && !none {
        return Err(Stop::Text(format!(
            "Template output JToken type is not valid. Expected '{wanted}'. Actual '{}'. Please see \
             https://aka.ms/arm-syntax-outputs for usage details",
            functions::type_name(&value)
        )));
    }
    Ok(Some(value))
}

/// `Microsoft.Resources/deployments/operations` of a deployment.
pub fn operations(deployment: &Deployment) -> Vec<Value> {
    let base = format!("{}/operations", deployment.id);
    let one = |id: &str, properties: Value| json!({"id": format!("{base}/{id}"), "operationId": id, "properties": properties});
    let mut all: Vec<Value> = deployment
        .nodes
        .iter()
        .filter(|node| node.wanted)
        .filter_map(|node| {
            let begun = node.begun?;
            let ended = node.ended.unwrap_or(begun);
            let (state, message) = match &node.turn {
                Turn::Waiting | Turn::Running => ("Running", None),
                Turn::Done => ("Succeeded", None),
                Turn::Failed(failure) => ("Failed", Some(json!({"error": failure.error()}))),
            };
            let code = match (&node.turn, node.status) {
                (Turn::Failed(failure), _) if failure.code == "ResourceDeploymentFailure" => "Conflict",
                (_, status) => code_name(status),
            };
            let mut properties = json!({
                "provisioningOperation": if node.existing { "Read" } else { "Create" },
                "provisioningState": state,
                "timestamp": stamp(ended),
                "duration": format!("PT{}S", seconds(ended, begun)),
                "trackingId": tracking_id(&node.tracking),
                "targetResource": {
                    "id": node.id.to_string(), "resourceType": node.id.kind(), "resourceName": node.id.full_name(),
                },
            });
            if node.turn != Turn::Running || node.status != 0 {
                properties["statusCode"] = json!(code);
            }
            if let Some(message) = message {
                properties["statusMessage"] = message;
            }
            Some(one(&node.tracking, properties))
        })
        .collect();
    all.extend(complete::operations(deployment).into_iter().map(|(id, properties)| one(&id, properties)));
    let has_outputs = deployment.template.0["outputs"].as_object().is_some_and(|it| !it.is_empty());
    let evaluated = deployment.progress == Progress::Succeeded
        || deployment.error.as_ref().is_some_and(|error| error.code == "DeploymentOutputEvaluationFailed");
    if let (true, true, Some(ended)) = (has_outputs, evaluated, deployment.ended) {
        let failed = deployment.error.as_ref();
        let mut properties = json!({
            "provisioningOperation": "EvaluateDeploymentOutput",
            "provisioningState": if failed.is_some() { "Failed" } else { "Succeeded" },
            "timestamp": stamp(ended), "duration": "PT0S", "trackingId": tracking_id(&deployment.operation),
            "statusCode": if failed.is_some() { "BadRequest" } else { "OK" },
        });
        if let Some(error) = failed {
            properties["statusMessage"] = json!({"error": error.error()});
        }
        all.push(one(&deployment.operation, properties));
    }
    all
}

/// A UUID that follows from an operation's name.
pub fn tracking_id(name: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

/// A status in .NET's words, as ARM's operations have it.
pub fn code_name(status: u16) -> &'static str {
    match status {
        201 => "Created",
        202 => "Accepted",
        204 => "NoContent",
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        500 => "InternalServerError",
        501 => "NotImplemented",
        503 => "ServiceUnavailable",
        _ => "OK",
    }
}
