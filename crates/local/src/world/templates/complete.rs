//! Complete mode: what is in the resource group and not in the template is deleted when all else is done.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::run::{code_name, tracking_id};
use super::{Deployment, Turn, seconds};
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{operations as arm_operations, stamp};
use crate::world::{Body, Method, World};

/// Nodes from here on are deletions.
const OFFSET: usize = 1_000_000;

/// One resource that goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deletion {
    id: Id,
    version: String,
    turn: Turn,
    tracking: String,
    begun: Option<Timestamp>,
    ended: Option<Timestamp>,
}

/// What a deployment in complete mode would delete: whole resources of the group that no node of it, or of what is
/// nested in it, stands for.
pub fn absent(world: &World, deployment: &Deployment, more: &BTreeSet<String>) -> Vec<Id> {
    let scope = deployment.scope();
    let mut kept: BTreeSet<String> = more.clone();
    collect(world, deployment, &mut kept);
    world
        .arm
        .below(&scope)
        .map(|(_, resource)| resource)
        .filter(|resource| matches!(resource.id.stretches.as_slice(), [own] if own.parts.len() == 1))
        // what is nowhere (locks, assignments) is not tracked, and stays
        .filter(|resource| !resource.location().is_empty())
        .filter(|resource| !kept.contains(&resource.id.key()))
        .map(|resource| resource.id.clone())
        .collect()
}

fn collect(world: &World, deployment: &Deployment, kept: &mut BTreeSet<String>) {
    for node in deployment.nodes.iter().filter(|node| node.wanted || node.existing) {
        // a child that is in the template keeps its parent
        let mut id = Some(node.id.clone());
        while let Some(own) = id {
            kept.insert(own.key());
            id = own.parent();
        }
        if let Some(child) = world.templates.deployments.get(&node.id.key()) {
            collect(world, child, kept);
        }
    }
}

/// Deletes; true when there is nothing left to wait for.
pub fn step(world: &mut World, key: &str) -> bool {
    let Some(deployment) = world.templates.deployments.get(key) else { return true };
    if deployment.deletions.is_empty() {
        let gone = absent(world, deployment, &BTreeSet::new());
        let deletions: Vec<Deletion> = gone
            .into_iter()
            .map(|id| {
                let tracking = world
                    .chance
                    .uuid(&format!("deployment deletion {key}"))
                    .simple()
                    .to_string()
                    .to_uppercase();
                let version =
                    world.arm.find(&id.key()).map_or_else(String::new, |found| found.api_version.clone());
                Deletion {
                    id,
                    version,
                    turn: Turn::Waiting,
                    tracking: tracking[..16].to_owned(),
                    begun: None,
                    ended: None,
                }
            })
            .collect();
        if let Some(deployment) = world.templates.deployments.get_mut(key) {
            deployment.deletions = deletions;
            deployment.stepping = true;
        }
    }
    // what others still need is refused, and tried again when those are gone
    loop {
        let Some(deployment) = world.templates.deployments.get_mut(key) else { return true };
        deployment.stepping = true;
        let waiting: Vec<usize> = (0..deployment.deletions.len())
            .filter(|at| matches!(deployment.deletions[*at].turn, Turn::Waiting | Turn::Failed(_)))
            .collect();
        let mut moved = false;
        for at in waiting {
            moved |= delete(world, key, at);
        }
        let Some(deployment) = world.templates.deployments.get_mut(key) else { return true };
        deployment.stepping = false;
        if deployment.deletions.iter().any(|it| it.turn == Turn::Running) {
            return false;
        }
        if !moved {
            return true;
        }
    }
}

/// Sends one DELETE; true when it was taken.
fn delete(world: &mut World, key: &str, at: usize) -> bool {
    let now = world.now;
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return false };
    let (caller, origin) = (deployment.caller(), deployment.origin.clone());
    let one = &mut deployment.deletions[at];
    one.begun.get_or_insert(now);
    let (id, version) = (one.id.clone(), one.version.clone());
    let response =
        super::send(world, &caller, &origin, Method::Delete, &id.to_string(), &version, Value::Null);
    let operation = arm_operations::under_way(world, &id.key()).map(|operation| operation.id.clone());
    let Some(deployment) = world.templates.deployments.get_mut(key) else { return false };
    let one = &mut deployment.deletions[at];
    if response.status >= 400 {
        let body = match &response.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        one.turn = Turn::Failed(Box::new(super::refusal(response.status, &body)));
        one.ended = Some(now);
        return false;
    }
    match operation {
        Some(operation) => {
            one.turn = Turn::Running;
            world.templates.waiting.insert(operation, (key.to_owned(), OFFSET + at));
        }
        None => {
            one.turn = Turn::Done;
            one.ended = Some(now);
        }
    }
    true
}

/// Takes the end of a deletion's operation; false when it is not one.
pub fn ended(world: &mut World, key: &str, at: usize, failure: Option<&Refusal>) -> bool {
    let now = world.now;
    let Some(at) = at.checked_sub(OFFSET) else { return false };
    if let Some(one) = world.templates.deployments.get_mut(key).and_then(|it| it.deletions.get_mut(at)) {
        one.ended = Some(now);
        one.turn = failure.map_or(Turn::Done, |failure| Turn::Failed(Box::new(failure.clone())));
    }
    true
}

/// Deletions that failed.
pub fn failures(deployment: &Deployment) -> Vec<Refusal> {
    let failed = deployment.deletions.iter().filter_map(|it| match &it.turn {
        Turn::Failed(failure) => Some((**failure).clone()),
        _ => None,
    });
    failed.collect()
}

/// Deletions as deployment operations.
pub fn operations(deployment: &Deployment) -> Vec<(String, Value)> {
    let shown = |it: &Deletion| {
        let begun = it.begun?;
        let ended = it.ended.unwrap_or(begun);
        let (state, code, message) = match &it.turn {
            Turn::Waiting | Turn::Running => ("Running", "Accepted", None),
            Turn::Done => ("Succeeded", "OK", None),
            Turn::Failed(failure) => {
                ("Failed", code_name(failure.status), Some(json!({"error": failure.error()})))
            }
        };
        let mut properties = json!({
            "provisioningOperation": "Delete", "provisioningState": state, "timestamp": stamp(ended),
            "duration": format!("PT{}S", seconds(ended, begun)), "trackingId": tracking_id(&it.tracking),
            "statusCode": code,
            "targetResource": {
                "id": it.id.to_string(), "resourceType": it.id.kind(), "resourceName": it.id.full_name(),
            },
        });
        if let Some(message) = message {
            properties["statusMessage"] = message;
        }
        Some((it.tracking.clone(), properties))
    };
    deployment.deletions.iter().filter_map(shown).collect()
}
