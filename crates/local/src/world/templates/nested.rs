//! Deployments inside deployments: with a scope of their own for expressions, or seeing their parent's.

use std::sync::Arc;

use serde_json::{Value, json};

use super::evaluate::{Frame, Machine, Phase, Stop};
use super::links;
use super::prepare::{self, Source};
use super::run;
use super::template::{Places, Violation, sendable, sentence};
use crate::world::arm::groups;
use crate::world::arm::refusal::Refusal;
use crate::world::{World, management_groups};

/// Deployments may nest so deep.
const DEPTH_MAX: usize = 8;

/// The body of a nested deployment without its template, whose expressions are not its parent's to evaluate now.
pub fn visible(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.shift_remove("template");
    }
    body
}

/// What a nested deployment is made of: its body evaluated, its template as written.
///
/// # Errors
/// Expressions without a value, linked templates.
pub fn source(
    machine: &mut Machine,
    written: &Value,
    frame: &Arc<Frame>,
    parent: (String, usize),
    node: &super::Node,
    correlation: &str,
) -> Result<Source, Stop> {
    let body = machine.expand(&visible(&sendable(written)))?;
    let properties = &body["properties"];
    let linked = &properties["templateLink"];
    let (template, link) = if linked.is_object() {
        let (template, origin) =
            links::template(machine.world, &frame.caller, &frame.texts, frame.base.as_ref(), linked)
                .map_err(Stop::Refused)?;
        (template, Some(origin))
    } else {
        let template = match &written["properties"]["template"] {
            Value::String(text) => machine.string(text)?,
            other => other.clone(),
        };
        (template, None)
    };
    let parameters = match &properties["parametersLink"] {
        link if link.is_object() => {
            links::parameters(machine.world, &frame.texts, link).map_err(Stop::Refused)?
        }
        _ => properties["parameters"].clone(),
    };
    // what is linked never sees its parent's values
    let inner = link.is_some()
        || properties["expressionEvaluationOptions"]["scope"]
            .as_str()
            .is_some_and(|scope| scope.eq_ignore_ascii_case("inner"));
    Ok(Source {
        id: node.id.clone(),
        location: body["location"].as_str().map(str::to_owned).filter(|_| node.id.group.is_none()),
        tags: body["tags"].clone(),
        complete: properties["mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("Complete")),
        template,
        parameters,
        correlation: correlation.to_owned(),
        caller: frame.caller.clone(),
        origin: frame.origin.clone(),
        parent: Some(parent),
        outer: (!inner).then(|| (frame.clone(), node.copies.clone())),
        base: link.clone().or_else(|| frame.base.clone()),
        link,
        texts: frame.texts.clone(),
    })
}

/// Starts a nested deployment; its end ends the node.
///
/// # Errors
/// What refuses it before it begins.
pub fn start(
    world: &mut World,
    key: &str,
    at: usize,
    frame: &Arc<Frame>,
    written: &Value,
) -> Result<(), Refusal> {
    let Some(deployment) = world.templates.deployments.get(key) else { return Ok(()) };
    let (node, correlation) = (deployment.nodes[at].clone(), deployment.correlation.clone());
    let mut depth = 0;
    let mut above = deployment.parent.clone();
    while let Some((parent, _)) = above {
        depth += 1;
        above = world.templates.deployments.get(&parent).and_then(|it| it.parent.clone());
    }
    if depth >= DEPTH_MAX {
        return Err(Refusal::bad(
            "InvalidTemplate",
            format!("Deployments nest deeper than the limit of '{DEPTH_MAX}'."),
        ));
    }
    groups::must_exist(world, &node.id)?;
    management_groups::must_exist(world, &node.id.scope())?;
    let mut machine = Machine::new(world, frame, Phase::Running);
    machine.copies.clone_from(&node.copies);
    let source =
        source(&mut machine, written, frame, (key.to_owned(), at), &node, &correlation).map_err(|stop| {
            match stop {
                Stop::Refused(refusal) => refusal,
                stop => Refusal::bad("InvalidTemplate", sentence(&stop)),
            }
        })?;
    let own = source.id.key();
    if world.templates.deployments.get(&own).is_some_and(|it| it.progress.is_active()) {
        return Err(Refusal::conflict(
            "DeploymentActive",
            format!(
                "Unable to edit or replace deployment '{}': a previous deployment is still active.",
                node.id.name()
            ),
        ));
    }
    let (child, child_frame) =
        prepare::build(world, source, &Places::default()).map_err(|Violation { refusal, .. }| *refusal)?;
    world.templates.frames.insert(own.clone(), child_frame);
    world.templates.deployments.insert(own.clone(), child);
    if let Some(parent) = world.templates.deployments.get_mut(key) {
        parent.nodes[at].status = 201;
    }
    run::step(world, &own);
    Ok(())
}

/// A nested deployment as what-if and preflight see it: `None` when it cannot be known before it runs.
pub fn preview(
    world: &mut World,
    frame: &Arc<Frame>,
    node: &super::Node,
) -> Option<(super::Deployment, Arc<Frame>)> {
    let written = frame.template.pointer(&node.pointer).cloned()?;
    let mut machine = Machine::new(world, frame, Phase::Preview);
    machine.copies.clone_from(&node.copies);
    let mut source = source(&mut machine, &written, frame, (String::new(), 0), node, "").ok()?;
    // parameters known only later stay as they are written, and are no expressions of the inner template
    if source.outer.is_none() && has_expression(&source.parameters) {
        return None;
    }
    source.parent = None;
    if !source.template.is_object() {
        source.template = json!({});
    }
    prepare::build(world, source, &Places::default()).ok()
}

fn has_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => super::expression::is_expression(text),
        Value::Array(list) => list.iter().any(has_expression),
        Value::Object(map) => map.values().any(has_expression),
        _ => false,
    }
}
