//! From a request with a template in it to a deployment that may run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::evaluate::Frame;
use super::template::{self, Places, Violation};
use super::{Deployment, Progress, Sealed, json as reader};
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Ask, Caller, gate, subscriptions, tags};
use crate::world::{Body, World};

/// A deployment that was not refused, with what its expressions see.
pub struct Prepared {
    /// The deployment, accepted.
    pub deployment: Deployment,
    /// What its expressions see.
    pub frame: Arc<Frame>,
    /// The body it came with.
    pub body: Value,
}

/// Reads the request and judges all that needs no resource.
///
/// # Errors
/// ARM's refusals of the request, the template and its parameters.
pub fn prepare(world: &mut World, ask: &Ask, scope: &Id, name: &str) -> Result<Prepared, Violation> {
    if name.is_empty()
        || name.chars().count() > 64
        || !name.chars().all(|sign| sign.is_alphanumeric() || "-_.()".contains(sign))
    {
        return Err(Refusal::bad(
            "InvalidDeploymentName",
            format!(
                "The deployment name '{name}' is invalid. It must have 1 to 64 characters: letters, digits, '-', '.', '(', \
                 ')' and '_'."
            ),
        )
        .into());
    }
    let content = |why: String| {
        Refusal::bad(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        )
    };
    let bytes = match &ask.request.body {
        Body::Bytes(bytes) => bytes.as_slice(),
        Body::Empty => &[],
        Body::Stored(_) => {
            return Err(Refusal::new(
                413,
                "RequestEntityTooLarge",
                "The request content size exceeds the maximum size of 4 MB.",
            )
            .into());
        }
    };
    if bytes.len() > gate::BODY_MAX {
        return Err(Refusal::new(
            413,
            "RequestEntityTooLarge",
            "The request content size exceeds the maximum size of 4 MB.",
        )
        .into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| content("The content is not UTF-8.".into()))?;
    if text.trim().is_empty() {
        gate::object(&Value::Null)?;
    }
    let document = reader::read(text).map_err(content)?;
    let (body, places) = (gate::object(&document.value)?, Places(document.places));
    let properties = &body["properties"];
    if !properties.is_object() {
        return Err(content("Required property 'properties' not found in JSON. Path ''".into()).into());
    }
    let location = body["location"].as_str().map(subscriptions::normal);
    match (&scope.group, &location) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad(
                "LocationNotAllowed",
                format!("The 'location' property is not allowed for '{name}' at resource group scope. Please see https://aka.ms/deploy-to-subscription for usage details."),
            )
            .into());
        }
        (None, None) => {
            return Err(Refusal::bad(
                "LocationRequired",
                format!("The 'location' property must be specified for deployment '{name}'. Please see https://aka.ms/deploy-to-subscription for usage details."),
            )
            .into());
        }
        (None, Some(location)) if !subscriptions::is_region(location) => {
            return Err(Refusal::bad(
                "LocationNotAvailableForDeployment",
                format!("The provided location '{location}' is not available for deployments."),
            )
            .into());
        }
        _ => {}
    }
    let mode = properties["mode"].as_str().unwrap_or_default();
    let complete = mode.eq_ignore_ascii_case("Complete");
    if !complete && !mode.eq_ignore_ascii_case("Incremental") {
        return Err(content(format!(
            "Error converting value \"{mode}\" to type 'DeploymentMode': 'Incremental' and 'Complete' are. Path 'properties.mode'"
        ))
        .into());
    }
    if complete && scope.group.is_none() {
        return Err(Refusal::bad(
            "InvalidDeploymentMode",
            "Complete mode is not supported for deployments at subscription scope: only for those to a resource group.",
        )
        .into());
    }
    for link in ["templateLink", "parametersLink"] {
        if properties.get(link).is_some_and(|it| !it.is_null()) {
            return Err(linked(link).into());
        }
    }
    let template = properties.get("template").cloned().unwrap_or(Value::Null);
    if template.is_null() {
        return Err(Refusal::bad(
            "InvalidRequestContent",
            "The request content was invalid: a deployment needs a 'template' or a 'templateLink'.",
        )
        .into());
    }
    tags::check(&body["tags"])?;
    let correlation = ask.request.header("x-ms-correlation-request-id").unwrap_or(&ask.request.id).to_owned();
    let source = Source {
        id: scope.provider("Microsoft.Resources/deployments", name),
        location,
        tags: body["tags"].clone(),
        complete,
        template,
        parameters: parameters_of(&properties["parameters"]),
        correlation,
        caller: ask.caller.clone(),
        origin: ask.request.origin.clone(),
        parent: None,
        outer: None,
    };
    let (deployment, frame) = build(world, source, &places)?;
    Ok(Prepared { deployment, frame, body })
}

/// Parameters as sent; a whole parameters file in their place counts too, as the clients' files have it.
fn parameters_of(sent: &Value) -> Value {
    let file = sent.get("$schema").is_some() || sent.get("contentVersion").is_some();
    if file { sent["parameters"].clone() } else { sent.clone() }
}

/// What linked templates are answered.
pub fn linked(what: &str) -> Refusal {
    Refusal::new(
        501,
        "NotModelledLocally",
        format!("Local Azure does not follow '{what}': it deploys templates that are part of the request."),
    )
}

/// The frame that a nested template with outer scope sees, and the loops around it.
pub type Outer = (Arc<Frame>, Vec<(String, i64)>);

/// What a deployment is made of.
pub struct Source {
    pub id: Id,
    pub location: Option<String>,
    pub tags: Value,
    pub complete: bool,
    pub template: Value,
    pub parameters: Value,
    pub correlation: String,
    pub caller: Caller,
    pub origin: String,
    pub parent: Option<(String, usize)>,
    pub outer: Option<Outer>,
}

/// A deployment of a template: its parameters and resources judged.
///
/// # Errors
/// ARM's refusals of the template and its parameters.
pub fn build(
    world: &mut World,
    source: Source,
    places: &Places,
) -> Result<(Deployment, Arc<Frame>), Violation> {
    template::shape(&source.template, places)?;
    let about = json!({
        "name": source.id.name(),
        "properties": {
            "template": source.template, "templateHash": super::hash(&source.template), "parameters": source.parameters,
            "mode": if source.complete { "Complete" } else { "Incremental" }, "provisioningState": "Accepted",
        },
    });
    let mut about = about;
    if let Some(location) = &source.location {
        about["location"] = json!(location);
    }
    let kept = Arc::new(source.template.clone());
    let mut frame =
        template::frame(kept, source.id.scope(), about, source.caller.clone(), source.origin.clone());
    let outer = match source.outer {
        None => {
            template::parameters(world, &mut frame, &source.parameters, places)?;
            None
        }
        Some((outer, copies)) => {
            frame.outer = Some(outer);
            frame.copies = copies.clone();
            Some(copies)
        }
    };
    let shown = shown_parameters(&source.template, &frame, &source.parameters);
    let parameters = frame.parameters.clone();
    let (frame, mut nodes) = template::plan(world, frame, places)?;
    let key = source.id.key();
    for node in &mut nodes {
        node.tracking = tracking(world, &format!("deployment operation {key}"));
    }
    let operation = tracking(world, &format!("deployment status {key}"));
    let deployment = Deployment {
        id: source.id,
        location: source.location,
        tags: source.tags,
        complete: source.complete,
        template: Sealed(source.template),
        parameters: Sealed(parameters),
        shown,
        correlation: source.correlation,
        caller: (source.caller.object_id, source.caller.client_id),
        origin: source.origin,
        begun: world.now,
        ended: None,
        progress: Progress::Accepted,
        error: None,
        nodes,
        outputs: Value::Null,
        parent: source.parent,
        outer,
        deletions: Vec::new(),
        operation,
        stepping: false,
    };
    Ok((deployment, frame))
}

/// 16 upper-case hex digits, as ARM names deployment operations.
fn tracking(world: &mut World, purpose: &str) -> String {
    let id = world.chance.uuid(purpose).simple().to_string().to_uppercase();
    id[..16].to_owned()
}

/// Parameters with their types, those that are secure without values.
fn shown_parameters(template: &Value, frame: &Frame, sent: &Value) -> Value {
    let none = Map::new();
    let defined = template["parameters"].as_object().unwrap_or(&none);
    let mut shown = Map::new();
    for (name, definition) in defined {
        let kind = type_name(&definition["type"]);
        let given =
            sent.as_object().and_then(|sent| sent.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
        let mut one = json!({"type": kind});
        if let Some(reference) = given.and_then(|(_, given)| given.get("reference")) {
            one["reference"] = reference.clone();
        } else if !template::is_secure(template, definition)
            && let Some(value) = frame.parameters.get(&name.to_ascii_lowercase())
        {
            one["value"] = value.clone();
        }
        shown.insert(name.clone(), one);
    }
    Value::Object(shown)
}

/// A type as ARM's answers spell it.
pub fn type_name(written: &Value) -> String {
    const NAMES: [&str; 7] = ["String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array"];
    let written = written.as_str().unwrap_or("Object");
    NAMES.iter().find(|name| name.eq_ignore_ascii_case(written)).map_or(written, |name| *name).to_owned()
}

/// The frame of a deployment that was kept and read again.
pub fn frame_again(world: &mut World, key: &str) -> Option<Arc<Frame>> {
    if let Some(frame) = world.templates.frames.get(key) {
        return Some(frame.clone());
    }
    let deployment = world.templates.deployments.get(key)?.clone();
    let outer = match (&deployment.outer, &deployment.parent) {
        (Some(_), Some((parent, _))) => Some(frame_again(world, parent)?),
        _ => None,
    };
    let mut about = json!({
        "name": deployment.id.name(),
        "properties": {
            "template": deployment.template.0, "parameters": deployment.shown, "provisioningState": "Running",
            "mode": if deployment.complete { "Complete" } else { "Incremental" },
        },
    });
    if let Some(location) = &deployment.location {
        about["location"] = json!(location);
    }
    let mut symbols: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, node) in deployment.nodes.iter().enumerate() {
        if let Some(symbol) = &node.symbol {
            symbols.entry(symbol.to_ascii_lowercase()).or_default().push(at);
        }
    }
    let frame = Arc::new(Frame {
        template: Arc::new(deployment.template.0.clone()),
        parameters: deployment.parameters.0.clone(),
        scope: deployment.scope(),
        deployment: about,
        caller: deployment.caller(),
        origin: deployment.origin.clone(),
        outer,
        copies: deployment.outer.clone().unwrap_or_default(),
        targets: template::targets(&deployment.nodes),
        symbols,
    });
    world.templates.frames.insert(key.to_owned(), frame.clone());
    Some(frame)
}
