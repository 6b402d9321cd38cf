//! What is refused before anything is made: rights, groups, registration, places, names.

use std::sync::Arc;

use serde_json::Value;

use super::evaluate::{Frame, Machine, Phase};
use super::prepare::Prepared;
use super::template::{is_deployment, sendable};
use super::{Deployment, Node, nested};
use crate::world::World;
use crate::world::access::{self, Act};
use crate::world::arm::kind::{self, Place};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{groups, subscriptions};

/// Nested deployments are looked into so deep.
const DEPTH_MAX: usize = 5;

/// Judges every resource as far as it is known before it is deployed.
///
/// # Errors
/// `InvalidTemplateDeployment` with what was found, or ARM's own refusal.
pub fn check(world: &mut World, prepared: &Prepared) -> Result<(), Refusal> {
    rights(world, &prepared.deployment)?;
    let mut findings = Vec::new();
    walk(world, &prepared.deployment, &prepared.frame, &mut findings, 0)?;
    if findings.is_empty() {
        return Ok(());
    }
    let tracking = world.chance.uuid("preflight");
    let inner = Refusal {
        details: findings.into(),
        ..Refusal::bad(
            "PreflightValidationCheckFailed",
            "Preflight validation failed. Please refer to the details for the specific errors.",
        )
    };
    Err(Refusal {
        details: [inner].into(),
        ..Refusal::bad(
            "InvalidTemplateDeployment",
            format!(
                "The template deployment '{}' is not valid according to the validation procedure. The tracking id is \
                 '{tracking}'. See inner errors for details.",
                prepared.deployment.id.name()
            ),
        )
    })
}

/// The rights to write every resource, all that are missing told at once.
fn rights(world: &World, deployment: &Deployment) -> Result<(), Refusal> {
    let (oid, client) = &deployment.caller;
    let missing: Vec<String> = made(deployment)
        .filter_map(|node| {
            let kind = node.id.kind();
            let kind = if node.id.stretches.is_empty() { "Microsoft.Resources/subscriptions/resourceGroups".into() } else { kind };
            let action = format!("{kind}/write");
            (!access::allows(world, oid, Act::Control(&action), &node.id.to_string())).then(|| {
                format!(
                    "Authorization failed for template resource '{}' of type '{}'. The client '{client}' with object id \
                     '{oid}' does not have permission to perform action '{action}' at scope '{}'.",
                    node.id.full_name(),
                    node.id.kind(),
                    node.id
                )
            })
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "InvalidTemplateDeployment",
        format!("Deployment failed with multiple errors: '{}'", missing.join(":")),
    ))
}

fn made(deployment: &Deployment) -> impl Iterator<Item = &Node> {
    deployment.nodes.iter().filter(|node| node.wanted && !node.existing)
}

fn walk(
    world: &mut World,
    deployment: &Deployment,
    frame: &Arc<Frame>,
    findings: &mut Vec<Refusal>,
    depth: usize,
) -> Result<(), Refusal> {
    let new_groups: Vec<String> =
        made(deployment).filter(|node| node.id.stretches.is_empty()).map(|node| node.id.key()).collect();
    for node in made(deployment) {
        let id = &node.id;
        if let Some(group) = id.group_id() {
            let coming = id.stretches.is_empty() || depth > 0 || new_groups.contains(&group.key());
            if !coming {
                groups::must_exist(world, id)?;
                groups::must_not_be_going(world, &group)?;
            }
        }
        if let Some(subscription) = &id.subscription {
            subscriptions::must_be_known(world, subscription)?;
        }
        if is_deployment(&node.kind) {
            if depth < DEPTH_MAX
                && let Some((child, frame)) = nested::preview(world, frame, node)
            {
                rights(world, &child)?;
                walk(world, &child, &frame, findings, depth + 1)?;
            }
            continue;
        }
        if id.stretches.is_empty() {
            continue;
        }
        subscriptions::must_be_namespace(id.namespace())?;
        if id.subscription.is_some() {
            subscriptions::must_be_registered(world, id.namespace())?;
        }
        resource(world, node, frame, findings)?;
    }
    Ok(())
}

/// Name and place of one resource.
fn resource(
    world: &mut World,
    node: &Node,
    frame: &Frame,
    findings: &mut Vec<Refusal>,
) -> Result<(), Refusal> {
    let id = &node.id;
    let row = kind::row(&id.kind());
    let source = frame.template.pointer(&node.pointer).cloned().unwrap_or(Value::Null);
    let mut machine = Machine::new(world, frame, Phase::Preview);
    machine.copies.clone_from(&node.copies);
    let Ok(body) = machine.expand(&sendable(&source)) else { return Ok(()) };
    let target = |refusal: Refusal| refusal.at(id.name().to_owned());
    if world.arm.find(&id.key()).is_none() {
        if !row.names.allow(id.name()) {
            let (code, message) = row.names.refusal;
            findings.push(target(Refusal::bad(code, message.replace("{name}", id.name()))));
        } else if row.names.global
            && let Some(other) = world.arm.by_name(row.name, id.name()).cloned()
            && let Err(refusal) = row.rules.taken(world, &other, id)
        {
            findings.push(target(refusal));
        }
    }
    if row.place != Place::Regional {
        return Ok(());
    }
    let location = body["location"].as_str().unwrap_or_default();
    if super::expression::is_expression(location) {
        return Ok(());
    }
    let known = world.arm.find(&id.key()).map(|found| found.location()).filter(|it| !it.is_empty());
    let normal = subscriptions::normal(location);
    match known {
        Some(known) if !normal.is_empty() && known != normal => Err(Refusal::conflict(
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{known}' in resource group '{}'. A resource with the same \
                 name cannot be created in location '{normal}'. Please select a new resource name.",
                id.name(),
                id.group.as_deref().unwrap_or_default()
            ),
        )),
        None if normal.is_empty() => {
            Err(Refusal::bad("LocationRequired", "The location property is required for this definition."))
        }
        _ if !normal.is_empty() && !subscriptions::is_region(&normal) => Err(Refusal::bad(
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{location}' is not available for resource type '{}'. List of available regions \
                 for the resource type is '{}'.",
                id.kind(),
                subscriptions::region_names().join(",")
            ),
        )),
        _ => Ok(()),
    }
}
